//! The same function under another scaling: a network's first and last layers, written anew.
//!
//! A network learnt `y = ym + ys f((x - m) / s)`; it is to stand between a scaler with mean m' and deviation s', and a label
//! scale with ym' and ys'. With W, b the first linear layer, V, c the last one:
//!
//! ```text
//! W'_ij = W_ij s'_i / s_i        b'_j = b_j + sum_i W_ij (m'_i - m_i) / s_i
//! V'_ij = V_ij ys / ys'          c'_j = (ys c_j + ym - ym') / ys'
//! ```
//!
//! A log variance becomes `v + 2 ln(ys / ys')`, a residual on a law only the factor, and logits stay. Everything
//! between the two layers sees the numbers that it saw before.

use super::{Architecture, Slice};

/// What scales the inputs and the label of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Mean and standard deviation of each input, the latter above 0.
    pub inputs: Vec<(f64, f64)>,
    /// Mean and standard deviation of the label, the latter above 0.
    pub label: (f64, f64),
}

/// What a network's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// The scaled label, and perhaps the logarithm of its variance.
    Label,
    /// What a law leaves of the scaled label.
    Residual,
    /// Logits of classes.
    Logits,
}

/// A network that cannot stand behind another scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the first hidden layer adds the scaled inputs to its output (model.skip), so it cannot be written for another \
     scaling of them: train without skip, or on the same data"
)]
pub struct SkipsInputs;

/// Writes a member's weights for the scaling `to`, so that it computes what it computes under `from`.
///
/// # Errors
/// [`SkipsInputs`] where the inputs' scaling differs and the first hidden layer adds them.
///
/// # Panics
/// When the scalings have another number of inputs than the architecture.
pub fn rescale(
    architecture: &Architecture,
    weights: &mut [f32],
    (from, to): (&Scale, &Scale),
    outputs: Outputs,
) -> Result<(), SkipsInputs> {
    assert_eq!((from.inputs.len(), to.inputs.len()), (architecture.d_input, architecture.d_input));
    let layers = architecture.layers();
    if from.inputs != to.inputs {
        let (d_in, d_out) = layers[0];
        if architecture.network.skip && layers.len() > 1 && d_in == d_out {
            return Err(SkipsInputs);
        }
        rescale_inputs(architecture, weights, (from, to));
    }
    if from.label != to.label && outputs != Outputs::Logits {
        rescale_label(architecture, weights, (from.label, to.label), outputs);
    }
    Ok(())
}

/// Moves the rows of the first layer: input `i` of the result is input `order[i]` of the network.
///
/// # Panics
/// When `order` has another number of inputs than the architecture.
pub fn reorder(architecture: &Architecture, weights: &mut [f32], order: &[usize]) {
    assert_eq!(order.len(), architecture.d_input);
    let (range, d_out) = (slice(architecture, 0, "weight").range(), architecture.layers()[0].1);
    let old = weights[range.clone()].to_vec();
    for (row, &from) in weights[range].chunks_mut(d_out).zip(order) {
        row.copy_from_slice(&old[from * d_out..][..d_out]);
    }
}

fn rescale_inputs(architecture: &Architecture, weights: &mut [f32], (from, to): (&Scale, &Scale)) {
    let d_out = architecture.layers()[0].1;
    let (weight, bias) = (slice(architecture, 0, "weight").range(), slice(architecture, 0, "bias").range());
    let mut moved: Vec<f64> = weights[bias.clone()].iter().map(|&b| f64::from(b)).collect();
    for (row, (&(mean, sd), &(to_mean, to_sd))) in
        weights[weight].chunks_mut(d_out).zip(from.inputs.iter().zip(&to.inputs))
    {
        for (w, moved) in row.iter_mut().zip(&mut moved) {
            *moved += f64::from(*w) * (to_mean - mean) / sd;
            *w = (f64::from(*w) * to_sd / sd) as f32;
        }
    }
    weights[bias].iter_mut().zip(moved).for_each(|(bias, moved)| *bias = moved as f32);
}

fn rescale_label(
    architecture: &Architecture,
    weights: &mut [f32],
    ((mean, sd), (to_mean, to_sd)): ((f64, f64), (f64, f64)),
    outputs: Outputs,
) {
    let (last, d_out) = (architecture.layers().len() - 1, architecture.d_output);
    let (weight, bias) =
        (slice(architecture, last, "weight").range(), slice(architecture, last, "bias").range());
    let factor = sd / to_sd;
    for row in weights[weight].chunks_mut(d_out) {
        row[0] = (f64::from(row[0]) * factor) as f32;
    }
    let bias = &mut weights[bias];
    let shift = if outputs == Outputs::Label { (mean - to_mean) / to_sd } else { 0.0 };
    bias[0] = (f64::from(bias[0]) * factor + shift) as f32;
    if let [_, log_variance] = bias {
        *log_variance = (f64::from(*log_variance) + 2.0 * factor.ln()) as f32;
    }
}

fn slice(architecture: &Architecture, layer: usize, part: &str) -> Slice {
    let name = format!("layer{layer}.{part}");
    let slice = architecture.slices().into_iter().find(|slice| slice.name == name);
    slice.expect("invariant: every layer has weights and a bias")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NetworkConfig;
    use crate::seed::Seed;

    fn architecture(hidden: &[usize], d_output: usize) -> Architecture {
        let network = NetworkConfig { hidden: hidden.into(), ..NetworkConfig::default() };
        Architecture { d_input: 3, d_output, network, prior: None }
    }

    /// Computes a network with relu, written independently of the engines.
    fn forward(architecture: &Architecture, weights: &[f32], inputs: &[f64]) -> Vec<f64> {
        let (mut at, mut x) = (0, inputs.to_vec());
        let n = architecture.layers().len();
        for (idx, (d_in, d_out)) in architecture.layers().into_iter().enumerate() {
            let number = |k: usize| f64::from(weights[at + k]);
            let sum = |j: usize| {
                number(d_in * d_out + j) + (0..d_in).map(|i| x[i] * number(i * d_out + j)).sum::<f64>()
            };
            x = (0..d_out).map(sum).map(|s| if idx + 1 < n { s.max(0.0) } else { s }).collect();
            at += (d_in + 1) * d_out;
        }
        x
    }

    fn scale(k: f64) -> Scale {
        Scale {
            inputs: (0..3).map(|i| (k * f64::from(i) + 0.3, 0.5 + k)).collect(),
            label: (0.8 + 0.02 * k, 0.1 + 0.05 * k),
        }
    }

    const RAW: [[f64; 3]; 4] = [[0.1, 2.0, -0.4], [1.0, 0.5, 0.0], [3.0, -1.0, 2.2], [0.0, 0.0, 0.0]];

    fn scaled(scale: &Scale, raw: &[f64]) -> Vec<f64> {
        raw.iter().zip(&scale.inputs).map(|(x, (mean, sd))| (x - mean) / sd).collect()
    }

    #[test]
    fn a_network_answers_as_before_behind_another_scaling() {
        let (from, to) = (scale(0.7), scale(2.9));
        for (hidden, d_output) in [(&[5, 4][..], 1), (&[], 1), (&[6], 2)] {
            let architecture = architecture(hidden, d_output);
            let old = architecture.initial_weights(&Seed::new(3));
            let mut new = old.clone();
            rescale(&architecture, &mut new, (&from, &to), Outputs::Label).unwrap();
            assert_ne!(new, old);
            for raw in &RAW {
                let before = forward(&architecture, &old, &scaled(&from, raw));
                let after = forward(&architecture, &new, &scaled(&to, raw));
                let label = |scale: &Scale, y: &[f64]| scale.label.0 + scale.label.1 * y[0];
                assert!((label(&from, &before) - label(&to, &after)).abs() < 1e-6, "{before:?} {after:?}");
                if d_output == 2 {
                    let sd = |scale: &Scale, y: &[f64]| scale.label.1 * (0.5 * y[1]).exp();
                    assert!((sd(&from, &before) - sd(&to, &after)).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn logits_stay_and_a_residual_keeps_its_size() {
        let (from, to) = (scale(0.7), scale(2.9));
        let architecture = architecture(&[5], 3);
        let old = architecture.initial_weights(&Seed::new(4));
        let mut new = old.clone();
        rescale(&architecture, &mut new, (&from, &to), Outputs::Logits).unwrap();
        let both = |raw: &[f64]| {
            (
                forward(&architecture, &old, &scaled(&from, raw)),
                forward(&architecture, &new, &scaled(&to, raw)),
            )
        };
        let alike = |(a, b): (Vec<f64>, Vec<f64>)| a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(RAW.iter().all(|raw| alike(both(raw))));
        let architecture = Architecture { d_output: 1, ..architecture };
        let old = architecture.initial_weights(&Seed::new(4));
        let mut new = old.clone();
        rescale(&architecture, &mut new, (&from, &to), Outputs::Residual).unwrap();
        for raw in &RAW {
            let before = from.label.1 * forward(&architecture, &old, &scaled(&from, raw))[0];
            let after = to.label.1 * forward(&architecture, &new, &scaled(&to, raw))[0];
            assert!((before - after).abs() < 1e-6);
        }
    }

    #[test]
    fn the_same_scaling_changes_no_bit_and_skipped_inputs_are_refused() {
        let mut architecture = architecture(&[3], 1);
        architecture.network.skip = true;
        let old = architecture.initial_weights(&Seed::new(5));
        let mut new = old.clone();
        rescale(&architecture, &mut new, (&scale(1.0), &scale(1.0)), Outputs::Label).unwrap();
        assert_eq!(new, old);
        let label_only = Scale { label: (0.5, 0.2), ..scale(1.0) };
        rescale(&architecture, &mut new, (&scale(1.0), &label_only), Outputs::Label).unwrap();
        assert_eq!(
            rescale(&architecture, &mut new, (&scale(1.0), &scale(2.0)), Outputs::Label),
            Err(SkipsInputs)
        );
    }

    #[test]
    fn inputs_in_another_order_are_moved() {
        let architecture = architecture(&[4], 1);
        let old = architecture.initial_weights(&Seed::new(6));
        let mut new = old.clone();
        reorder(&architecture, &mut new, &[2, 0, 1]);
        let (a, b) =
            (forward(&architecture, &old, &[1.0, 2.0, 3.0]), forward(&architecture, &new, &[3.0, 1.0, 2.0]));
        assert!((a[0] - b[0]).abs() < 1e-12);
    }
}
