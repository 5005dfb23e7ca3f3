//! How much a point is worth trying, from what the surrogate predicts there.

use super::gaussian_process::{Prediction, Surrogate};
use super::normal;

/// The smallest standard deviation [1] of a prediction: below it a point counts as known.
const KNOWN: f64 = 1e-9;

/// What is maximised to find the next point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Acquisition {
    /// Logarithm of the expected improvement over the best predicted mean `[Jones1998]`, `[Ament2023]`.
    LogEi,
    /// Lower confidence bound `mean - beta sd`, to be small `[Srinivas2010]`.
    Ucb {
        /// Weight of the standard deviation, not negative; larger explores more.
        beta: f64,
    },
}

impl Acquisition {
    /// Returns the worth of a prediction when `best` is the best so far.
    pub(super) fn worth(self, prediction: Prediction, best: f64) -> f64 {
        self.slopes(prediction, best).0
    }

    /// Returns the worth, and its slopes along the mean and the standard deviation.
    fn slopes(self, prediction: Prediction, best: f64) -> (f64, f64, f64) {
        let Prediction { mean, sd } = prediction;
        let sd = sd.max(KNOWN);
        match self {
            Self::LogEi => {
                let z = (best - mean) / sd;
                let (log, slope) = normal::log_improvement(z);
                (log + sd.ln(), -slope / sd, (1.0 - z * slope) / sd)
            }
            Self::Ucb { beta } => (beta * sd - mean, -1.0, beta),
        }
    }

    /// Returns the worth of `point` and its slope along each of `coordinates`, which are ordered and active.
    pub(super) fn gradient(
        self,
        surrogate: &Surrogate,
        best: f64,
        point: &[f64],
        coordinates: &[usize],
    ) -> (f64, Vec<f64>) {
        let (prediction, means, variances) = surrogate.slopes(point, coordinates);
        let (worth, by_mean, by_sd) = self.slopes(prediction, best);
        let halved = by_sd / (2.0 * prediction.sd.max(KNOWN));
        let gradient = means.iter().zip(&variances).map(|(m, v)| by_mean * m + halved * v).collect();
        (worth, gradient)
    }
}
