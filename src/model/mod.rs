//! Models: what is computed, apart from how networks are trained; trees are fitted here.
//!
//! An [`Architecture`] says which numbers a member has and in which order ([`Architecture::slices`]), and where they
//! start. The engines of `train` compute it.

pub mod calibration;
pub mod chain;
pub mod dense;
pub mod hybrid;
pub mod importance;
pub mod keras;
pub mod linear;
pub mod logistic;
pub mod rescale;
pub mod softmax;
pub mod stability;
mod torch;
pub mod trees;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::seed::Seed;
pub use dense::{Activation, NetworkConfig, Normalisation};
pub use hybrid::{Parameters, PriorConfig, PriorStart};

/// A network that cannot be built as configured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Occurs when a setting lies outside its range.
    #[error("`{key}` is {value}: it must be {must}")]
    OutOfRange {
        /// Key below the network's table.
        key: &'static str,
        /// Value found.
        value: String,
        /// Range of the value.
        must: &'static str,
    },
    /// Occurs when a member of a network with a physics prior has no start for the law's parameters.
    #[error("member {member_idx} has {found} physics parameters, its law needs {needed}")]
    PriorStart {
        /// Position of the member in its population.
        member_idx: usize,
        /// Number of parameters given.
        found: usize,
        /// Number of parameters of the law.
        needed: usize,
    },
}

/// Everything that fixes the shapes of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Number of network inputs, 1 or more.
    pub d_input: usize,
    /// Number of network outputs, 1-64: 1, or 2 (mean and log variance) for the Gaussian likelihood, or a logit a class.
    pub d_output: usize,
    /// Hidden layers.
    pub network: NetworkConfig,
    /// Physics prior of a hybrid; none in a plain dense network.
    #[serde(default)]
    pub prior: Option<PriorConfig>,
}

/// Named part of the flat weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Name (`layer0.weight`).
    pub name: String,
    /// Position of its first number.
    pub offset: usize,
    /// Shape, row-major: `[d_in, d_out]` of a weight, `[d]` of the others.
    pub shape: Vec<usize>,
}

impl Slice {
    /// Returns the number of its numbers.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns its range in the flat weights.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

impl Architecture {
    /// Most outputs, and so most classes.
    pub const MAX_OUTPUTS: usize = 64;

    /// Checks every range.
    ///
    /// # Errors
    /// [`ModelError::OutOfRange`] names the first key whose value cannot be used.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.d_input == 0 {
            return Err(out_of_range("inputs", &self.d_input, "1 or more"));
        }
        if !(1..=Self::MAX_OUTPUTS).contains(&self.d_output) {
            return Err(out_of_range("outputs", &self.d_output, "1 to 64"));
        }
        self.network.check()?;
        self.prior.as_ref().map_or(Ok(()), PriorConfig::check)
    }

    /// Returns inputs and outputs `(d_in, d_out)` of each linear layer, the output layer last.
    pub fn layers(&self) -> Vec<(usize, usize)> {
        let outs = self.network.hidden.iter().copied().chain([self.d_output]);
        let ins = std::iter::once(self.d_input).chain(self.network.hidden.iter().copied());
        ins.zip(outs).collect()
    }

    /// Returns the layout of the flat weights: `layer0.weight`, `layer0.bias`, `layer0.norm_scale`, ...; physics last.
    pub fn slices(&self) -> Vec<Slice> {
        let layers = self.layers();
        let mut slices = Vec::new();
        for (idx, &(d_in, d_out)) in layers.iter().enumerate() {
            push(&mut slices, format!("layer{idx}.weight"), vec![d_in, d_out]);
            push(&mut slices, format!("layer{idx}.bias"), vec![d_out]);
            if idx + 1 < layers.len() && self.network.normalisation != Normalisation::None {
                push(&mut slices, format!("layer{idx}.norm_scale"), vec![d_out]);
                push(&mut slices, format!("layer{idx}.norm_shift"), vec![d_out]);
            }
        }
        if let Some(prior) = &self.prior {
            push(&mut slices, "physics.theta".into(), vec![prior.law.parameters().len()]);
        }
        slices
    }

    /// Returns the number of weights of a member, physics parameters included.
    pub fn n_weights(&self) -> usize {
        self.slices().last().map_or(0, |last| last.range().end)
    }

    /// Returns the number of physics parameters, which are the last weights.
    pub fn n_physics(&self) -> usize {
        self.prior.as_ref().map_or(0, |prior| prior.law.parameters().len())
    }

    /// Returns the layout of the running statistics: `layer0.mean`, `layer0.variance`, ... with batch normalisation.
    pub fn statistics(&self) -> Vec<Slice> {
        let mut slices = Vec::new();
        if self.network.normalisation == Normalisation::Batch {
            for (idx, &d) in self.network.hidden.iter().enumerate() {
                push(&mut slices, format!("layer{idx}.mean"), vec![d]);
                push(&mut slices, format!("layer{idx}.variance"), vec![d]);
            }
        }
        slices
    }

    /// Returns where a member's weights start.
    ///
    /// Weights are uniform in ±sqrt(6 / fan), He's for the one-sided activations (fan = 3 `d_in`, as the default of
    /// most frameworks) and Glorot's for `tanh` and `sigmoid` (fan = `d_in + d_out`); biases, shifts and the
    /// offsets of physics parameters from their fit are 0, scales 1.
    /// Each slice draws from a stream of its own name, so a layer's start does not depend on the other layers.
    pub fn initial_weights(&self, seed: &Seed) -> Vec<f32> {
        let mut weights = Vec::with_capacity(self.n_weights());
        for slice in self.slices() {
            let mut rng = seed.stream(&slice.name);
            match slice.name.rsplit('.').next() {
                Some("weight") => weights.extend(self.draw(&slice, &mut rng)),
                Some("norm_scale") => weights.extend(vec![1.0; slice.len()]),
                _ => weights.extend(vec![0.0; slice.len()]),
            }
        }
        weights
    }

    /// Returns where running statistics start: mean 0, variance 1.
    pub fn initial_statistics(&self) -> Vec<f32> {
        let value = |slice: &Slice| if slice.name.ends_with("variance") { 1.0 } else { 0.0 };
        self.statistics().iter().flat_map(|slice| vec![value(slice); slice.len()]).collect()
    }

    /// Returns the law's parameters that a member's weights hold, in physical units; empty without a prior.
    pub fn theta(&self, weights: &[f32], start: &PriorStart) -> Vec<f64> {
        let offsets = &weights[self.n_weights() - self.n_physics()..];
        self.prior.as_ref().map_or_else(Vec::new, |prior| prior.theta(offsets, start))
    }

    /// Returns the range of each physics weight; empty without a prior.
    pub fn limits(&self, start: Option<&PriorStart>) -> Vec<(f32, f32)> {
        self.prior.as_ref().zip(start).map_or_else(Vec::new, |(prior, start)| prior.limits(start))
    }

    fn draw(&self, slice: &Slice, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let (d_in, d_out) = (slice.shape[0] as f32, slice.shape[1] as f32);
        let fan = if self.network.activation.is_bounded() { d_in + d_out } else { 3.0 * d_in };
        let bound = (6.0 / fan).sqrt();
        (0..slice.len()).map(|_| rng.random_range(-bound..bound)).collect()
    }
}

/// Returns the error that `key` is outside its range.
pub(crate) fn out_of_range(
    key: &'static str,
    value: &impl std::fmt::Debug,
    must: &'static str,
) -> ModelError {
    ModelError::OutOfRange { key, value: format!("{value:?}"), must }
}

fn push(slices: &mut Vec<Slice>, name: String, shape: Vec<usize>) {
    let offset = slices.last().map_or(0, |last: &Slice| last.range().end);
    slices.push(Slice { name, offset, shape });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn architecture(hidden: &[usize]) -> Architecture {
        let network = NetworkConfig { hidden: hidden.to_vec(), ..NetworkConfig::default() };
        Architecture { d_input: 3, d_output: 1, network, prior: None }
    }

    #[test]
    fn slices_are_contiguous_and_complete() {
        let mut architecture = architecture(&[4, 5]);
        architecture.network.normalisation = Normalisation::Batch;
        let slices = architecture.slices();
        assert!(slices.windows(2).all(|pair| pair[0].range().end == pair[1].offset));
        // (3*4 + 4) + 2*4 + (4*5 + 5) + 2*5 + (5*1 + 1)
        assert_eq!(architecture.n_weights(), 65);
        assert_eq!(architecture.initial_weights(&Seed::new(1)).len(), 65);
        assert_eq!(architecture.initial_statistics().len(), 18);
    }

    #[test]
    fn a_layer_starts_alike_whatever_follows_it() {
        let short = architecture(&[4]).initial_weights(&Seed::new(7));
        let long = architecture(&[4, 9]).initial_weights(&Seed::new(7));
        assert_eq!(short[..16], long[..16]);
        assert!(short[..12].iter().all(|w| w.abs() <= (2.0_f32 / 3.0).sqrt() && *w != 0.0));
        assert_ne!(short, architecture(&[4]).initial_weights(&Seed::new(8)));
    }

    #[test]
    fn rejects_what_cannot_be_built() {
        assert!(architecture(&[4]).check().is_ok());
        assert!(architecture(&[4, 0]).check().is_err());
        let outputs = |d_output| Architecture { d_output, ..architecture(&[4]) }.check();
        assert!(
            [1, 3, 64].into_iter().all(|d| outputs(d).is_ok())
                && [0, 65].into_iter().all(|d| outputs(d).is_err())
        );
        assert!(Architecture { d_input: 0, ..architecture(&[4]) }.check().is_err());
    }
}
