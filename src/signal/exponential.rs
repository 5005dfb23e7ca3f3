//! Relaxation towards a limit, `y = limit + amplitude exp(-x / constant)`, by least squares.
//!
//! For a given constant the rest is a straight line in `exp(-x / constant)`; so only the logarithm of the constant is
//! searched, on a grid and then by golden section (variable projection, `[GolubPereyra1973]`).

use super::error::check_length;

/// Points of the grid of constants.
const GRID: usize = 24;
/// Smallest and largest constant that are searched, over the span of `x` [1].
const RANGE: (f64, f64) = (1e-3, 10.0);
/// Steps of the golden section; each leaves 0.618 of the interval.
const STEPS: usize = 40;
/// The golden section.
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// A fitted relaxation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relaxation {
    /// Value long after.
    pub limit: f64,
    /// Value at `x` = 0 less the limit.
    pub amplitude: f64,
    /// Constant of the decay, in units of `x`, above 0.
    pub constant: f64,
    /// Share of the variance that the fit explains, at most 1.
    pub r_squared: f64,
}

/// Returns the relaxation nearest to the points.
///
/// `None` below four points, without spread in `x` or `y`, with a value that is not finite, or when the best constant is
/// not within 0.001 to 10 times the span of `x`: the points then show no decay.
pub fn fit(x: &[f64], y: &[f64]) -> Option<Relaxation> {
    check_length(x, y, 4).ok()?;
    let last = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = last - x.iter().copied().fold(f64::INFINITY, f64::min);
    let projected = Projection::new(x, y)?;
    if !(span.is_normal() && projected.variance.is_normal()) {
        return None;
    }
    let (low, high) = ((RANGE.0 * span).ln(), (RANGE.1 * span).ln());
    let width = (high - low) / (GRID - 1) as f64;
    let at = |k: usize| low + width * k as f64;
    let explained: Vec<f64> = (0..GRID).map(|k| projected.explained(at(k))).collect();
    let best = (0..GRID).max_by(|&a, &b| explained[a].total_cmp(&explained[b]))?;
    if best == 0 || best == GRID - 1 {
        return None;
    }
    Some(projected.relaxation(projected.summit(at(best - 1), at(best + 1))))
}

struct Projection<'a> {
    x: &'a [f64],
    y: &'a [f64],
    y_mean: f64,
    /// Sum of the squares of `y` less its mean.
    variance: f64,
}

impl<'a> Projection<'a> {
    fn new(x: &'a [f64], y: &'a [f64]) -> Option<Self> {
        let y_mean = y.iter().sum::<f64>() / y.len() as f64;
        let variance = y.iter().map(|y| (y - y_mean).powi(2)).sum::<f64>();
        let finite = variance.is_finite() && x.iter().all(|x| x.is_finite());
        finite.then_some(Self { x, y, y_mean, variance })
    }

    /// Returns the mean of the decay, its sum of squares and its product with `y`, both less their means.
    fn moments(&self, log_constant: f64) -> (f64, f64, f64) {
        let constant = log_constant.exp();
        let decay: Vec<f64> = self.x.iter().map(|x| (-x / constant).exp()).collect();
        let mean = decay.iter().sum::<f64>() / decay.len() as f64;
        let both = decay.iter().zip(self.y);
        let add = |(ee, ey): (f64, f64), (e, y): (&f64, &f64)| {
            (ee + (e - mean) * (e - mean), ey + (e - mean) * (y - self.y_mean))
        };
        let (ee, ey) = both.fold((0.0, 0.0), add);
        (mean, ee, ey)
    }

    /// Returns the sum of squares of `y` that the best decay of this constant explains; -infinity where it has no spread.
    fn explained(&self, log_constant: f64) -> f64 {
        let (_, ee, ey) = self.moments(log_constant);
        if ee > f64::MIN_POSITIVE { ey * ey / ee } else { f64::NEG_INFINITY }
    }

    fn summit(&self, mut low: f64, mut high: f64) -> f64 {
        let inner = |low: f64, high: f64| (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        let (mut left, mut right) = inner(low, high);
        let (mut at_left, mut at_right) = (self.explained(left), self.explained(right));
        for _ in 0..STEPS {
            if at_left >= at_right {
                (high, right, at_right) = (right, left, at_left);
                left = inner(low, high).0;
                at_left = self.explained(left);
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = inner(low, high).1;
                at_right = self.explained(right);
            }
        }
        0.5 * (low + high)
    }

    fn relaxation(&self, log_constant: f64) -> Relaxation {
        let (mean, ee, ey) = self.moments(log_constant);
        let amplitude = ey / ee;
        Relaxation {
            limit: self.y_mean - amplitude * mean,
            amplitude,
            constant: log_constant.exp(),
            r_squared: ey * ey / ee / self.variance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `3.6 + 0.05 exp(-t / 30) + 0.02 exp(-t / 300)` at 40 times, closer at first.
    fn two_decays() -> (Vec<f64>, Vec<f64>) {
        let time = |k: i32| 1.2 * 1.17_f64.powi(k);
        (0..40)
            .map(|k| (time(k), 3.6 + 0.05 * (-time(k) / 30.0).exp() + 0.02 * (-time(k) / 300.0).exp()))
            .unzip()
    }

    /// Expected from `scipy.optimize.curve_fit` (tests/fixtures/PROVENANCE.md).
    #[test]
    fn relaxation_agrees_with_scipy() {
        let (x, y) = two_decays();
        let found = fit(&x, &y).unwrap();
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-6;
        assert!(
            close(found.limit, 3.607_998_989_271_287) && close(found.amplitude, 0.060_702_025_208_532_86),
            "{found:?}"
        );
        assert!(
            close(found.constant, 41.992_296_507_149_14) && close(found.r_squared, 0.994_996_798_085_842_5),
            "{found:?}"
        );
    }

    #[test]
    fn a_line_a_constant_and_a_nan_have_no_decay() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(fit(&x, &x), None);
        assert_eq!(fit(&x, &[3.0; 20]), None);
        assert_eq!(fit(&x[..3], &[3.0, 2.0, 1.5]), None);
        let mut y = x.clone();
        y[4] = f64::NAN;
        assert_eq!(fit(&x, &y), None);
    }

    proptest! {
        #[test]
        fn a_decay_is_found_again(limit in -4.0_f64..4.0, amplitude in 0.01_f64..1.0, log_constant in 0.5_f64..5.0) {
            let constant = log_constant.exp();
            let x: Vec<f64> = (0..60).map(|k| f64::from(k) * 2.0).collect();
            let y: Vec<f64> = x.iter().map(|x| limit - amplitude * (-x / constant).exp()).collect();
            let found = fit(&x, &y).unwrap();
            prop_assert!((found.constant / constant - 1.0).abs() < 1e-4, "{found:?}");
            prop_assert!((found.amplitude / -amplitude - 1.0).abs() < 1e-3, "{found:?}");
        }
    }
}
