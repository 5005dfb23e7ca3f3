//! Losses and penalties: what a member minimises.
//!
//! ```text
//! total = loss_weight (mean loss(prediction, label)
//!                      + physics_consistency mean residual^2
//!                      + monotone_fade mean max(0, prediction(later) - prediction)^2)
//! ```
//!
//! Every mean is weighted by the rows' weights; all numbers are in scaled label units. `residual` is what the network
//! adds to the prior of a hybrid, `later` a row of a later cycle of the same cell, so that the last penalty asks
//! for a health that does not rise.

use serde::{Deserialize, Serialize};

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Loss of one row. Default `mse`.
    pub loss: Loss,
    /// Weight of the squared residual of a hybrid, 0 or more. Default 0.
    pub physics_consistency: f32,
    /// Weight of the squared rise from a row to a later row of its cell, 0 or more. Default 0.
    pub monotone_fade: f32,
}

/// Loss of one row with error `e = prediction - label`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// `e^2`.
    #[default]
    Mse,
    /// `|e|`.
    Mae,
    /// `e^2 / 2` where `|e| <= delta`, else `delta (|e| - delta / 2)` `[Huber1964]`.
    Huber {
        /// Where the square becomes a line, in scaled label units, above 0.
        delta: f32,
    },
    /// `(s + e^2 exp(-s)) / 2`, the negative log likelihood of a normal distribution without its constant, where the
    /// log variance `s` is the second output, held within [`LOG_VARIANCE`] `[Nix1994]`.
    GaussianNll,
}

/// Range of the log variance of the Gaussian likelihood; outside it has no gradient.
pub const LOG_VARIANCE: (f32, f32) = (-12.0, 8.0);

impl Loss {
    /// Returns how many outputs a network needs for it.
    pub fn d_output(self) -> usize {
        if self == Self::GaussianNll { 2 } else { 1 }
    }

    /// Returns the loss of an error and its derivatives by prediction and log variance.
    pub fn evaluate(self, error: f32, log_variance: f32) -> (f32, f32, f32) {
        match self {
            Self::Mse => (error * error, 2.0 * error, 0.0),
            Self::Mae => (error.abs(), sign(error), 0.0),
            Self::Huber { delta } => {
                let inner = error.clamp(-delta, delta);
                (inner * (error - 0.5 * inner), inner, 0.0)
            }
            Self::GaussianNll => gaussian_nll(error, log_variance),
        }
    }
}

/// Returns the sign, 0 at 0 (where `signum` says 1).
fn sign(error: f32) -> f32 {
    if error == 0.0 { 0.0 } else { error.signum() }
}

fn gaussian_nll(error: f32, log_variance: f32) -> (f32, f32, f32) {
    let (lower, upper) = LOG_VARIANCE;
    let clamped = log_variance.clamp(lower, upper);
    let precision = (-clamped).exp();
    let square = error * error * precision;
    let slope = if log_variance < lower || log_variance > upper { 0.0 } else { 0.5 - 0.5 * square };
    (0.5 * (clamped + square), error * precision, slope)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "zero is exact")]
mod tests {
    use super::*;

    /// Values by hand: e = 2 and e = -0.5; Gaussian with s = ln 4: (ln 4 + e^2 / 4) / 2.
    #[test]
    fn values_are_those_of_the_formulas() {
        let huber = Loss::Huber { delta: 1.0 };
        for (loss, error, expected, slope) in [
            (Loss::Mse, 2.0, 4.0, 4.0),
            (Loss::Mae, -0.5, 0.5, -1.0),
            (huber, 2.0, 1.5, 1.0),
            (huber, -2.0, 1.5, -1.0),
            (huber, -0.5, 0.125, -0.5),
            (Loss::GaussianNll, 2.0, 1.193_147_2, 0.5),
        ] {
            let (value, by_error, _) = loss.evaluate(error, 4.0_f32.ln());
            assert!((value - expected).abs() < 1e-6 && (by_error - slope).abs() < 1e-6, "{loss:?} {value}");
        }
        assert_eq!(Loss::Mae.evaluate(0.0, 0.0).1, 0.0);
    }

    #[test]
    fn log_variance_has_a_gradient_inside_its_range_only() {
        let slope = |s| Loss::GaussianNll.evaluate(2.0, s).2;
        assert!((slope(0.0) + 1.5).abs() < 1e-6);
        assert_eq!((slope(-13.0), slope(9.0)), (0.0, 0.0));
    }

    #[test]
    fn reads_from_toml() {
        let objective: Objective =
            toml::from_str("loss = { huber = { delta = 0.5 } }\nmonotone_fade = 2").unwrap();
        assert_eq!(objective.loss, Loss::Huber { delta: 0.5 });
        let plain: Objective = toml::from_str("loss = \"gaussian_nll\"").unwrap();
        assert_eq!(plain.loss.d_output(), 2);
    }
}
