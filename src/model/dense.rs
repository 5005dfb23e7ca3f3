//! Dense networks: linear layers with an activation, and optionally normalisation, dropout and skip connections.
//!
//! A hidden layer computes `h = dropout(activation(normalise(x W + b)))`, plus `x` where `skip` is on and the widths
//! of `h` and `x` agree; the output layer is linear.

use serde::{Deserialize, Serialize};

use super::{ModelError, out_of_range};

/// Hidden layers of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Width of each hidden layer, 1-4096; none is a linear model. Default two of 64.
    pub hidden: Vec<usize>,
    /// What a hidden layer applies to its sums. Default `relu`.
    pub activation: Activation,
    /// How a hidden layer scales its sums. Default `none`.
    pub normalisation: Normalisation,
    /// Probability that a hidden unit is left out of a training step, 0 to below 1. Default 0.
    pub dropout: f32,
    /// Whether a hidden layer adds its input to its output where the widths agree. Default `false`.
    pub skip: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            activation: Activation::Relu,
            normalisation: Normalisation::None,
            dropout: 0.0,
            skip: false,
        }
    }
}

impl NetworkConfig {
    /// Widest hidden layer.
    pub const MAX_WIDTH: usize = 4096;

    /// Checks every range.
    ///
    /// # Errors
    /// [`ModelError::OutOfRange`] names the first key whose value cannot be used.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.hidden.iter().any(|width| !(1..=Self::MAX_WIDTH).contains(width)) {
            return Err(out_of_range("hidden", &self.hidden, "a list of widths of 1 to 4096"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(out_of_range("dropout", &self.dropout, "0 or more and below 1"));
        }
        Ok(())
    }
}

/// What a hidden layer applies to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, x)`.
    #[default]
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` [Hendrycks2016, eq. 2].
    Gelu,
    /// `x sigmoid(x)`, also called swish.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `ln(1 + exp(x))`.
    Softplus,
}

impl Activation {
    /// All of them, for tests and listings.
    pub const ALL: [Self; 6] =
        [Self::Relu, Self::Tanh, Self::Gelu, Self::Silu, Self::Sigmoid, Self::Softplus];

    /// Returns whether both sides saturate, which decides how weights start.
    pub fn is_bounded(self) -> bool {
        matches!(self, Self::Tanh | Self::Sigmoid)
    }
}

/// How a hidden layer scales its sums before the activation; each has a trained scale and shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Not at all.
    #[default]
    None,
    /// Over the units of each row `[Ba2016]`.
    Layer,
    /// Over the rows of each batch, and with running statistics (momentum 0.1) in evaluation `[Ioffe2015]`.
    Batch,
}

impl Normalisation {
    /// Added to a variance before its root; the usual 1e-5 of the frameworks.
    pub const EPSILON: f32 = 1e-5;

    /// Weight of a new batch in the running statistics; the usual 0.1 of the frameworks.
    pub const MOMENTUM: f32 = 0.1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_refused_and_what_is_left_out_is_the_default() {
        let config: NetworkConfig = toml::from_str("hidden = [8]\nactivation = \"gelu\"").unwrap();
        assert_eq!((config.hidden, config.activation), (vec![8], Activation::Gelu));
        assert!(toml::from_str::<NetworkConfig>("hiden = [8]").is_err());
    }

    #[test]
    fn ranges_are_checked() {
        let dropout = |dropout| NetworkConfig { dropout, ..NetworkConfig::default() }.check();
        assert!(dropout(0.5).is_ok());
        assert!([1.0, -0.1, f32::NAN].into_iter().all(|bad| dropout(bad).is_err()));
    }
}
