//! Losses: what a fit makes small, as a mean over rows weighted by the rows' weights.
//!
//! ```text
//! r = label - prediction
//! mse           r^2
//! mae           |r|
//! huber         r^2 / 2 where |r| <= delta, delta (|r| - delta / 2) elsewhere
//! gaussian_nll  (v + r^2 / exp(v)) / 2, where v, the second output, is the logarithm of the variance
//! ```

use serde::{Deserialize, Serialize};

use crate::train::config::{ConfigError, expect};
use crate::train::engine::Rows;

/// Which loss, with its own settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LossConfig {
    /// Mean of squared residuals.
    Mse {},
    /// Mean of absolute residuals.
    Mae {},
    /// Squares near zero, absolute values beyond `delta`.
    Huber {
        /// Residual from which the loss is a line, in units of the scaled label, above 0.
        #[serde(default = "default_delta")]
        delta: f64,
    },
    /// Negative logarithm of a Gaussian likelihood, without its constant; the network has two outputs.
    GaussianNll {},
}

impl Default for LossConfig {
    fn default() -> Self {
        Self::Mse {}
    }
}

impl LossConfig {
    /// Returns how many outputs a network needs for this loss.
    pub fn d_output(&self) -> usize {
        if matches!(self, Self::GaussianNll {}) { 2 } else { 1 }
    }

    /// Computes the mean loss of predictions over their rows.
    ///
    /// # Shapes
    /// `predictions` is `[row, d_output]`. Without rows, or with weights of 0 only, the mean is NaN.
    pub fn mean(&self, rows: &Rows, predictions: &[f32]) -> f64 {
        let outputs = predictions.chunks_exact(self.d_output());
        let (mut sum, mut weight) = (0.0, 0.0);
        for ((output, &label), &w) in outputs.zip(&rows.labels).zip(&rows.weights) {
            sum += f64::from(w) * self.of_row(f64::from(label), output);
            weight += f64::from(w);
        }
        sum / weight
    }

    /// Adds what is out of range to `errors`.
    pub(crate) fn check(&self, errors: &mut Vec<ConfigError>) {
        if let Self::Huber { delta } = *self {
            expect(delta > 0.0 && delta.is_finite(), "loss.delta", delta, "a number above 0", errors);
        }
    }

    fn of_row(&self, label: f64, output: &[f32]) -> f64 {
        let residual = label - f64::from(output[0]);
        match *self {
            Self::Mse {} => residual * residual,
            Self::Mae {} => residual.abs(),
            Self::Huber { delta } if residual.abs() <= delta => 0.5 * residual * residual,
            Self::Huber { delta } => delta * (residual.abs() - 0.5 * delta),
            Self::GaussianNll {} => {
                let log_variance = f64::from(output[1]);
                0.5 * (log_variance + residual * residual / log_variance.exp())
            }
        }
    }
}

fn default_delta() -> f64 {
    1.0
}
