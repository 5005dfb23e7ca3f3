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

#[cfg(test)]
mod tests {
    use super::super::{Dimension, Observation};
    use super::*;

    #[test]
    fn expected_improvement_agrees_with_scipy() {
        // scipy 1.17.1: d = 0.2 - 0.5; numpy.log(d * norm.cdf(d / 0.4) + 0.4 * norm.pdf(d / 0.4))
        let worth = Acquisition::LogEi.worth(Prediction { mean: 0.5, sd: 0.4 }, 0.2);
        assert!((worth - SCIPY).abs() < 1e-12, "{worth}");
        let bound = Acquisition::Ucb { beta: 2.6 }.worth(Prediction { mean: 0.5, sd: 0.4 }, 0.2);
        assert!((bound - 0.54).abs() < 1e-12, "minus the lower bound, whatever is the best so far: {bound}");
    }

    const SCIPY: f64 = -2.947_575_316_506_237_3;

    #[test]
    fn gradient_agrees_with_central_differences() {
        let observe = |x: f64, y: f64| Observation { point: vec![x, y], value: (x - 0.3).powi(2) + y };
        let observed = [observe(0.1, 0.2), observe(0.5, 0.9), observe(0.8, 0.4), observe(0.35, 0.6)];
        let surrogate = Surrogate::fit(&[Dimension::Continuous; 2], &observed).unwrap();
        let (best, point) = (surrogate.best(), [0.6, 0.3]);
        for acquisition in [Acquisition::LogEi, Acquisition::Ucb { beta: 2.6 }] {
            let (worth, gradient) = acquisition.gradient(&surrogate, best, &point, &[0, 1]);
            assert!((worth - acquisition.worth(surrogate.predict(&point), best)).abs() < 1e-9);
            for (j, slope) in gradient.iter().enumerate() {
                let at = |step: f64| {
                    let mut moved = point;
                    moved[j] += step;
                    acquisition.worth(surrogate.predict(&moved), best)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - difference).abs() < 1e-5 * (1.0 + slope.abs()), "{slope} {difference}");
            }
        }
    }
}
