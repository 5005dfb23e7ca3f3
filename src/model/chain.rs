//! Chains: dense networks that other programs trained, as a list of linear layers with their normalisations.
//!
//! A file of weights holds numbers and names, no shapes of ours: [`read`] finds out what kind of file it is, its reader
//! makes [`Piece`]s of it in the order in which they compute, and [`Chain::new`] joins them or says where they do not fit.

mod error;

use std::fmt;

pub use error::ChainError;

use super::{Architecture, NetworkConfig, Normalisation, keras, torch};

/// Widest layer that is read, inputs and outputs included.
const MAX_WIDTH: usize = NetworkConfig::MAX_WIDTH;

/// Most linear layers that are read.
const MAX_LAYERS: usize = 256;

/// First bytes of an HDF5 file.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// A dense network of another program.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    links: Vec<Link>,
}

/// A linear layer and what follows it.
#[derive(Debug, Clone, PartialEq)]
struct Link {
    place: String,
    d_in: usize,
    d_out: usize,
    /// `[d_in, d_out]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    norm: Option<Norm>,
}

/// A normalisation of a hidden layer.
#[derive(Debug, Clone, PartialEq)]
struct Norm {
    place: String,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Running mean and variance, of batch normalisation.
    running: Option<(Vec<f32>, Vec<f32>)>,
}

/// A named array of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Where it stands in the file (`layers/dense/vars/0`, `net.0.weight`).
    pub place: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub numbers: Vec<f32>,
}

/// What a file holds, in the order in which it computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// A linear layer.
    Linear {
        /// Name of the layer.
        place: String,
        /// `[d_in, d_out]`.
        weight: Tensor,
        /// `[d_out]`; none is 0.
        bias: Option<Tensor>,
    },
    /// A normalisation of the linear layer before it.
    Norm {
        /// Name of the layer.
        place: String,
        /// Factor of each unit.
        scale: Tensor,
        /// What is added to each unit.
        shift: Tensor,
        /// Running mean and variance; none for layer normalisation.
        running: Option<(Tensor, Tensor)>,
    },
}

/// Reads a file of weights; of safetensors only names that begin with `prefix`.
///
/// # Errors
/// Every [`ChainError`] but those of another experiment.
pub fn read(bytes: Vec<u8>, prefix: &str) -> Result<Chain, ChainError> {
    if bytes.starts_with(HDF5) {
        return Chain::new(keras::pieces(bytes)?);
    }
    // A header's length comes first: eight bytes, of which a real one uses few.
    let is_safetensors = bytes.len() > 8 && bytes[5..8] == [0, 0, 0] && bytes[8] == b'{';
    if is_safetensors { Chain::new(torch::pieces(&bytes, prefix)?) } else { Err(ChainError::Unknown) }
}

impl Chain {
    /// Joins pieces.
    ///
    /// # Errors
    /// [`ChainError::Empty`], [`ChainError::Foreign`], [`ChainError::Shape`], [`ChainError::NotFinite`],
    /// [`ChainError::Broken`].
    pub fn new(pieces: Vec<Piece>) -> Result<Self, ChainError> {
        let mut links: Vec<Link> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Linear { place, weight, bias } => links.push(link(place, weight, bias)?),
                Piece::Norm { place, scale, shift, running } => {
                    let foreign =
                        |reason: &str| ChainError::Foreign { place: place.clone(), reason: reason.into() };
                    let last = links
                        .last_mut()
                        .ok_or_else(|| foreign("a normalisation of the inputs; give it as --scaling"))?;
                    if last.norm.is_some() {
                        return Err(foreign("a second normalisation of one layer"));
                    }
                    last.norm = Some(norm(place, (scale, shift), running, last.d_out)?);
                }
            }
        }
        let chain = Self { links };
        chain.check()?;
        Ok(chain)
    }

    fn check(&self) -> Result<(), ChainError> {
        let Some(last) = self.links.last() else { return Err(ChainError::Empty { hint: String::new() }) };
        if self.links.len() > MAX_LAYERS {
            let reason = format!("one of {} linear layers; up to {MAX_LAYERS} are read", self.links.len());
            return Err(ChainError::Foreign { place: last.place.clone(), reason });
        }
        if let Some(norm) = &last.norm {
            let reason = "a normalisation of the output, which our networks do not have".into();
            return Err(ChainError::Foreign { place: norm.place.clone(), reason });
        }
        match self.links.windows(2).find(|pair| pair[0].d_out != pair[1].d_in) {
            Some([before, own]) => Err(ChainError::Broken {
                place: own.place.clone(),
                found: own.d_in,
                before: before.place.clone(),
                needed: before.d_out,
                order: self.order(),
            }),
            _ => Ok(()),
        }
    }

    /// Returns the widths of its hidden layers.
    pub fn hidden(&self) -> Vec<usize> {
        self.links[..self.links.len() - 1].iter().map(|link| link.d_out).collect()
    }

    /// Returns its linear layers with their shapes (`net.0 3 -> 64, net.2 64 -> 1`).
    pub fn order(&self) -> String {
        let one = |link: &Link| format!("`{}` {} -> {}", link.place, link.d_in, link.d_out);
        self.links.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// Returns weights and running statistics of a member of `architecture`, whose inputs are named `inputs`. `epsilon` is
    /// what the file's batch normalisation adds to a variance; none is our own.
    ///
    /// # Errors
    /// [`ChainError::Inputs`], [`ChainError::Outputs`], [`ChainError::Depth`], [`ChainError::Width`],
    /// [`ChainError::Normalisation`].
    pub fn member(
        &self,
        architecture: &Architecture,
        inputs: &[&str],
        epsilon: Option<f32>,
    ) -> Result<(Vec<f32>, Vec<f32>), ChainError> {
        self.fit(architecture, inputs)?;
        let (mut weights, mut statistics) = (Vec::new(), Vec::new());
        for link in &self.links {
            weights.extend(&link.weight);
            weights.extend(&link.bias);
            let Some(norm) = &link.norm else { continue };
            weights.extend(&norm.scale);
            weights.extend(&norm.shift);
            if let Some((mean, variance)) = &norm.running {
                let more = epsilon.map_or(0.0, |epsilon| epsilon - Normalisation::EPSILON);
                statistics.extend(mean);
                statistics.extend(variance.iter().map(|v| v + more));
            }
        }
        Ok((weights, statistics))
    }

    fn fit(&self, architecture: &Architecture, inputs: &[&str]) -> Result<(), ChainError> {
        let (first, last) = (&self.links[0], &self.links[self.links.len() - 1]);
        let needed = architecture.d_input;
        if first.d_in != needed {
            let (place, found, inputs) = (first.place.clone(), first.d_in, inputs.join(", "));
            return Err(ChainError::Inputs { place, found, needed, inputs });
        }
        let layers = architecture.layers();
        if layers.len() != self.links.len() {
            let order = self.order();
            return Err(ChainError::Depth { found: self.links.len(), needed: layers.len(), order });
        }
        if last.d_out != architecture.d_output {
            let (place, found, needed) = (last.place.clone(), last.d_out, architecture.d_output);
            return Err(ChainError::Outputs { place, found, needed });
        }
        let needed = architecture.network.normalisation;
        let hidden = self.links.iter().zip(&architecture.network.hidden);
        for (layer_idx, (link, &width)) in hidden.enumerate() {
            let place = link.place.clone();
            if link.d_out != width {
                return Err(ChainError::Width { place, layer_idx, found: link.d_out, needed: width });
            }
            if link.normalisation() != needed {
                let (found, needed) = (told(link.normalisation()), told(needed));
                return Err(ChainError::Normalisation { place, found, needed });
            }
        }
        Ok(())
    }
}

impl Link {
    fn normalisation(&self) -> Normalisation {
        match &self.norm {
            None => Normalisation::None,
            Some(Norm { running: None, .. }) => Normalisation::Layer,
            Some(_) => Normalisation::Batch,
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.order())
    }
}

fn told(normalisation: Normalisation) -> &'static str {
    match normalisation {
        Normalisation::None => "no normalisation",
        Normalisation::Layer => "layer normalisation",
        Normalisation::Batch => "batch normalisation",
    }
}

fn link(place: String, weight: Tensor, bias: Option<Tensor>) -> Result<Link, ChainError> {
    let [d_in, d_out] = weight.shape[..] else {
        return Err(shape(&weight, "two axes"));
    };
    if d_in == 0 || d_out == 0 || d_in > MAX_WIDTH || d_out > MAX_WIDTH {
        return Err(shape(&weight, &format!("1 to {MAX_WIDTH} numbers in and out")));
    }
    let weight = numbers(weight, d_in * d_out)?;
    let bias = bias.map_or_else(|| Ok(vec![0.0; d_out]), |bias| vector(bias, d_out))?;
    Ok(Link { place, d_in, d_out, weight, bias, norm: None })
}

fn norm(
    place: String,
    (scale, shift): (Tensor, Tensor),
    running: Option<(Tensor, Tensor)>,
    d: usize,
) -> Result<Norm, ChainError> {
    let running = running.map(|(mean, variance)| Ok((vector(mean, d)?, vector(variance, d)?))).transpose()?;
    Ok(Norm { place, scale: vector(scale, d)?, shift: vector(shift, d)?, running })
}

fn vector(tensor: Tensor, d: usize) -> Result<Vec<f32>, ChainError> {
    if tensor.shape == [d] { numbers(tensor, d) } else { Err(shape(&tensor, &format!("[{d}]"))) }
}

fn numbers(tensor: Tensor, n: usize) -> Result<Vec<f32>, ChainError> {
    if tensor.numbers.len() != n {
        return Err(shape(&tensor, &format!("{n} numbers")));
    }
    match tensor.numbers.iter().find(|v| !v.is_finite()) {
        Some(&value) => Err(ChainError::NotFinite { place: tensor.place, value }),
        None => Ok(tensor.numbers),
    }
}

fn shape(tensor: &Tensor, needed: &str) -> ChainError {
    ChainError::Shape { place: tensor.place.clone(), found: tensor.shape.clone(), needed: needed.into() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn tensor(place: &str, shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor { place: place.into(), shape: shape.into(), numbers: (0..n).map(|i| i as f32 / 8.0).collect() }
    }

    pub(crate) fn linear(place: &str, d_in: usize, d_out: usize) -> Piece {
        let (weight, bias) =
            (tensor(&format!("{place}.weight"), &[d_in, d_out]), tensor(&format!("{place}.bias"), &[d_out]));
        Piece::Linear { place: place.into(), weight, bias: Some(bias) }
    }

    fn norm(place: &str, d: usize, batch: bool) -> Piece {
        let running = batch.then(|| (tensor("mean", &[d]), tensor("variance", &[d])));
        Piece::Norm {
            place: place.into(),
            scale: tensor("scale", &[d]),
            shift: tensor("shift", &[d]),
            running,
        }
    }

    fn architecture(hidden: &[usize], normalisation: Normalisation) -> Architecture {
        let network = NetworkConfig { hidden: hidden.into(), normalisation, ..NetworkConfig::default() };
        Architecture { d_input: 3, d_output: 1, network, prior: None }
    }

    fn refused(pieces: Vec<Piece>, hidden: &[usize]) -> String {
        let member =
            |chain: Chain| chain.member(&architecture(hidden, Normalisation::None), &["a", "b", "c"], None);
        Chain::new(pieces).and_then(member).unwrap_err().to_string()
    }

    #[test]
    fn a_chain_has_the_numbers_in_the_order_of_an_architecture() {
        let chain = Chain::new(vec![linear("a", 3, 2), norm("n", 2, true), linear("b", 2, 1)]).unwrap();
        assert_eq!((chain.hidden(), chain.to_string().as_str()), (vec![2], "`a` 3 -> 2, `b` 2 -> 1"));
        let architecture = architecture(&[2], Normalisation::Batch);
        let (weights, statistics) = chain.member(&architecture, &["a", "b", "c"], Some(1e-3)).unwrap();
        assert_eq!(weights.len(), architecture.n_weights());
        assert_eq!(weights[6..10], [0.0, 0.125, 0.0, 0.125]);
        // Mean 0, 1/8, then the variances 0, 1/8, each with the rest of the other epsilon.
        assert_eq!(statistics[..2], [0.0, 0.125]);
        assert!((statistics[2] - 9.9e-4).abs() < 1e-7 && (statistics[3] - 0.125_99).abs() < 1e-6);
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_is_there_and_what_is_needed() {
        let two = || vec![linear("net.0", 3, 4), linear("net.2", 4, 1)];
        assert_eq!(
            refused(vec![linear("net.0", 4, 4), linear("net.2", 4, 1)], &[4]),
            "layer `net.0` takes 4 inputs, the experiment has 3: a, b, c"
        );
        assert_eq!(
            refused(vec![linear("net.0", 3, 4), linear("net.2", 5, 1)], &[4]),
            "layer `net.2` takes 5 numbers, but `net.0` before it gives 4; the file's layers in order: \
            `net.0` 3 -> 4, `net.2` 5 -> 1"
        );
        assert_eq!(
            refused(two(), &[5]),
            "layer `net.0` gives 4 numbers, the hidden layer 0 of the experiment 5"
        );
        assert!(
            refused(two(), &[4, 4]).starts_with("the file has 2 linear layers, the experiment's networks 3")
        );
        assert_eq!(
            refused(vec![linear("net.0", 3, 4), linear("net.2", 4, 2)], &[4]),
            "layer `net.2` gives 2 outputs, the experiment's networks give 1"
        );
        assert_eq!(
            refused(vec![linear("a", 3, 4), norm("n", 4, false), linear("b", 4, 1)], &[4]),
            "layer `a` has layer normalisation, the experiment no normalisation: set model.normalisation, or train it so"
        );
    }

    #[test]
    fn broken_pieces_are_refused() {
        assert!(refused(Vec::new(), &[]).contains("no linear layer"));
        assert!(refused(vec![norm("n", 3, false), linear("a", 3, 1)], &[]).contains("give it as --scaling"));
        assert!(
            refused(vec![linear("a", 3, 1), norm("n", 1, false)], &[])
                .contains("normalisation of the output")
        );
        let twice = vec![linear("a", 3, 4), norm("n", 4, false), norm("m", 4, false), linear("b", 4, 1)];
        assert!(refused(twice, &[4]).contains("second"));
        assert!(refused(vec![linear("a", 3, 4097)], &[]).contains("1 to 4096"));
        let with = |change: &dyn Fn(&mut Tensor)| {
            let mut weight = tensor("a.weight", &[3, 1]);
            change(&mut weight);
            refused(vec![Piece::Linear { place: "a".into(), weight, bias: None }], &[])
        };
        assert_eq!(
            with(&|weight| weight.numbers[1] = f32::NAN),
            "`a.weight` holds NaN: a network whose weights are no numbers is not imported"
        );
        assert!(with(&|weight| weight.numbers.truncate(2)).contains("needs 3 numbers"));
        assert!(with(&|weight| weight.shape = vec![3]).contains("two axes"));
    }

    #[test]
    fn bytes_of_no_kind_are_refused() {
        for bytes in [&b""[..], b"PK\x03\x04", b"\x89HDF", b"not a file of weights", &[0; 64]] {
            assert!(read(bytes.to_vec(), "").is_err(), "{bytes:?}");
        }
        assert!(matches!(read(b"{}".to_vec(), ""), Err(ChainError::Unknown)));
    }
}
