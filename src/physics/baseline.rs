//! Forecasts without physics that every model is reported beside: persistence and straight lines.
//!
//! | baseline | forecast |
//! |---|---|
//! | persistence | the last capacity |
//! | line | straight line through all points |
//! | recent line | straight line through the last 30 points |
//! | log line | straight line through the logarithms of all points, an exponential fitted without iterations |

use serde::{Deserialize, Serialize};

/// Points of the recent line.
pub const RECENT_POINTS: usize = 30;

/// A forecast of capacity from the past of the same cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The last capacity.
    Persistence,
    /// A line through all points.
    Line,
    /// A line through the last [`RECENT_POINTS`] points, or all when there are fewer.
    RecentLine,
    /// A line through the logarithms of all points.
    LogLine,
}

impl Baseline {
    /// Every baseline, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Persistence, Self::Line, Self::RecentLine, Self::LogLine];

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Persistence => "persistence",
            Self::Line => "line",
            Self::RecentLine => "recent_line",
            Self::LogLine => "log_line",
        }
    }

    /// Returns the capacities forecast at the cycle counts `future`, in the unit of `capacity`.
    ///
    /// `count` and `capacity` are the past, one value a discharge, ascending. `None` when the past is empty, a line
    /// has fewer than two different counts, or a logarithm no positive capacity.
    pub fn forecast(self, count: &[f64], capacity: &[f64], future: &[f64]) -> Option<Vec<f64>> {
        let last = *capacity.last()?;
        let recent = count.len().saturating_sub(RECENT_POINTS);
        match self {
            Self::Persistence => Some(vec![last; future.len()]),
            Self::Line => line(count, capacity, future),
            Self::RecentLine => line(&count[recent..], &capacity[recent..], future),
            Self::LogLine => {
                let logarithm: Vec<f64> = capacity.iter().map(|c| c.ln()).collect();
                line(count, &logarithm, future).map(|y| y.into_iter().map(f64::exp).collect())
            }
        }
    }
}

/// Returns the least-squares line through (`x`, `y`) at `future`.
fn line(x: &[f64], y: &[f64], future: &[f64]) -> Option<Vec<f64>> {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (x_mean, y_mean) = (mean(x), mean(y));
    let square: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
    let product: f64 = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let slope = product / square;
    slope.is_finite().then(|| future.iter().map(|x| y_mean + slope * (x - x_mean)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{capacities, count};
    use super::*;
    use crate::metric::regression::rmse;

    /// Mean over the four cells of the RMSE [Ah] on the last fifth of the discharges.
    fn forecast_rmse(baseline: Baseline) -> f64 {
        let cells = capacities();
        let score = |capacity: &Vec<f64>| {
            let count = count(capacity);
            let split = capacity.len() * 8 / 10;
            let ((past, future), (known, truth)) = (count.split_at(split), capacity.split_at(split));
            rmse(truth, &baseline.forecast(past, known, future).unwrap()).unwrap()
        };
        cells.values().map(score).sum::<f64>() / cells.len() as f64
    }

    /// Expected from numpy.polyfit on the same split (tests/fixtures/PROVENANCE.md).
    #[test]
    fn forecasts_of_the_nasa_cells_score_as_in_numpy() {
        let expected = [
            (Baseline::Persistence, 0.072_876_737_190_942_5),
            (Baseline::Line, 0.064_992_932_869_836_98),
            (Baseline::RecentLine, 0.036_652_465_175_331_855),
            (Baseline::LogLine, 0.037_493_762_747_812_014),
        ];
        for (baseline, rmse) in expected {
            assert!((forecast_rmse(baseline) - rmse).abs() < 1e-9, "{}", baseline.name());
        }
    }

    #[test]
    fn no_forecast_from_nothing_or_from_one_count() {
        assert_eq!(Baseline::Persistence.forecast(&[], &[], &[1.0]), None);
        assert_eq!(Baseline::Line.forecast(&[1.0], &[2.0], &[2.0]), None);
        assert_eq!(Baseline::LogLine.forecast(&[0.0, 1.0], &[1.0, -1.0], &[2.0]), None);
    }
}
