//! What the Gaussian process sees instead of a loss: warped, then standardised.
//!
//! ```text
//! z = (h(y) - mean h) / sd h        h(y) = y   or   h(y) = ln(1 + (y - min) / s)
//! ```
//! The logarithm tames losses that are orders of magnitude above the best one and leaves the order of all losses as it
//! is. Which of a few softening scales `s` suits, or none, is decided by the marginal likelihood of the losses, that of
//! `z` times `dz/dy` at every observation `[Snelson2004]`. A trial that failed, or diverged (its
//! distance from the best is a million times the median one), counts as the worst of the others.

/// Number of softening scales offered besides none at all.
const SCALES: i32 = 5;

/// A loss from here on, either side of 0, counts as diverged: squares of what is below do not overflow.
const DIVERGED: f64 = 1e100;

/// A loss this many times farther from the best than the median loss is counts as diverged.
const HUGE: f64 = 1e6;

/// A monotone map from losses to targets of mean 0 and standard deviation 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    lowest: f64,
    /// The loss that a failed or diverged trial counts as.
    worst: f64,
    /// Softening scale of the logarithm; `None` leaves losses as they are.
    softening: Option<f64>,
    mean: f64,
    sd: f64,
}

impl Target {
    /// Returns the maps among which the marginal likelihood chooses, the plain one first; none without a sound loss.
    pub(super) fn choices(values: &[f64]) -> Vec<Self> {
        let mut finite: Vec<f64> = values.iter().copied().filter(|&v| is_sound(v)).collect();
        finite.sort_by(f64::total_cmp);
        let Some(&lowest) = finite.first() else { return Vec::new() };
        // The first distance above 0 from a place in the order on: many trials may share the best loss.
        let distance = |from: usize| finite[from..].iter().map(|v| v - lowest).find(|&d| d > 0.0);
        let limit = distance(finite.len() / 2).map_or(0.0, |median| HUGE * median);
        let worst = finite.iter().rev().copied().find(|v| v - lowest <= limit).unwrap_or(lowest);
        let range = worst - lowest;
        let quarter = distance(finite.len() / 4).unwrap_or(range);
        let scale = |k: i32| range * (quarter / range).powf(f64::from(k) / f64::from(SCALES - 1));
        let scales = (0..SCALES).map(scale).filter(|s| s.is_normal()).map(Some);
        let offered = std::iter::once(None).chain(scales);
        offered.map(|softening| Self::new(values, lowest, worst, softening)).collect()
    }

    fn new(values: &[f64], lowest: f64, worst: f64, softening: Option<f64>) -> Self {
        let mut target = Self { lowest, worst, softening, mean: 0.0, sd: 1.0 };
        let warped: Vec<f64> = values.iter().map(|&v| target.of(v)).collect();
        let n = warped.len() as f64;
        let mean = warped.iter().sum::<f64>() / n;
        let variance = warped.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n;
        let sd = variance.sqrt();
        target.mean = mean;
        target.sd = if sd.is_normal() && worst > lowest { sd } else { 1.0 };
        target
    }

    /// Returns the target of a loss; that of the worst sound one when it is not sound.
    pub(super) fn of(&self, value: f64) -> f64 {
        let value = self.sound(value);
        (self.softening.map_or(value, |s| ((value - self.lowest) / s).ln_1p()) - self.mean) / self.sd
    }

    /// Returns the loss of a target, the inverse of [`Target::of`].
    pub(super) fn value(&self, z: f64) -> f64 {
        let warped = z * self.sd + self.mean;
        self.softening.map_or(warped, |s| self.lowest + s * warped.exp_m1())
    }

    /// Returns the sum of `ln dz/dy` over the losses.
    pub(super) fn log_slope(&self, values: &[f64]) -> f64 {
        let slope = |v: f64| self.softening.map_or(0.0, |s| -(s + v - self.lowest).ln()) - self.sd.ln();
        values.iter().map(|&v| slope(self.sound(v))).sum()
    }

    fn sound(&self, value: f64) -> f64 {
        if is_sound(value) { value.min(self.worst) } else { self.worst }
    }
}

/// Whether a trial with this loss neither failed nor diverged.
pub(super) fn is_sound(value: f64) -> bool {
    value.abs() < DIVERGED
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [f64; 8] = [0.3, 0.1, f64::NAN, 0.2, 1e4, f64::INFINITY, 0.5, 1e9];

    #[test]
    fn every_choice_is_standard_keeps_the_order_and_can_be_undone() {
        let choices = Target::choices(&LOSSES);
        assert_eq!(choices.len(), 6);
        for target in choices {
            let z: Vec<f64> = LOSSES.iter().map(|&v| target.of(v)).collect();
            let mean = z.iter().sum::<f64>() / 8.0;
            let variance = z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / 8.0;
            assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-9, "{target:?}: {mean} {variance}");
            assert!(z[1] < z[3] && z[3] < z[0] && z[0] < z[6] && z[6] < z[4], "{target:?}");
            assert!(
                [2, 5, 7].iter().all(|&i| (z[i] - z[4]).abs() < 1e-15),
                "failed and diverged trials are as bad as the worst"
            );
            assert!((target.value(target.of(0.3)) - 0.3).abs() < 1e-6, "{target:?}");
        }
    }

    #[test]
    fn log_slope_is_the_logarithm_of_the_derivative() {
        for target in Target::choices(&[0.3, 0.1, 0.2, 4.0]) {
            let difference = (target.of(0.7 + 1e-6) - target.of(0.7 - 1e-6)) / 2e-6;
            assert!((target.log_slope(&[0.7]) - difference.ln()).abs() < 1e-7, "{target:?}");
        }
    }

    #[test]
    fn equal_losses_have_one_target_and_failures_alone_none() {
        assert_eq!(
            Target::choices(&[0.1; 7]).iter().map(|t| t.of(0.1).abs() < 1e-15).collect::<Vec<_>>(),
            [true]
        );
        assert!(Target::choices(&[f64::NAN, f64::INFINITY, 1e300]).is_empty());
    }
}
