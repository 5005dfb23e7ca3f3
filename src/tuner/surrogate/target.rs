//! What the Gaussian process sees instead of a loss: warped, then standardised.
//!
//! ```text
//! z = (h(y) - mean h) / sd h        h(y) = y   or   h(y) = ln(1 + (y - min) / s)
//! ```
//! The logarithm tames losses that are orders of magnitude above the best one and leaves the order of all losses as it
//! is. Which of a few softening scales `s` suits, or none, is decided by the marginal likelihood of the losses, that of
//! `z` times `dz/dy` at every observation `[Snelson2004]`. A failed trial, or one whose loss is not finite, counts as
//! the worst finite one.

/// Number of softening scales offered besides none at all.
const SCALES: i32 = 5;

/// The smallest softening scale, relative to the range of the losses.
const SMALLEST_SCALE: f64 = 1e-12;

/// A monotone map from losses to targets of mean 0 and standard deviation 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    lowest: f64,
    /// The loss that a failed trial counts as.
    worst: f64,
    /// Softening scale of the logarithm; `None` leaves losses as they are.
    softening: Option<f64>,
    mean: f64,
    sd: f64,
}

impl Target {
    /// Returns the maps among which the marginal likelihood chooses, the plain one first; none without a finite loss.
    pub(super) fn choices(values: &[f64]) -> Vec<Self> {
        let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        finite.sort_by(f64::total_cmp);
        let (Some(&lowest), Some(&worst)) = (finite.first(), finite.last()) else { return Vec::new() };
        let range = worst - lowest;
        let quarter = (finite[finite.len() / 4] - lowest).max(SMALLEST_SCALE * range);
        let scale = |k: i32| range * (quarter / range).powf(f64::from(k) / f64::from(SCALES - 1));
        let scales = (0..SCALES).map(scale).filter(|s| s.is_normal()).map(Some);
        let plain = range.is_finite().then_some(None);
        let offered = plain.into_iter().chain(scales);
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
        target.sd = if sd.is_normal() { sd } else { 1.0 };
        target
    }

    /// Returns the target of a loss; that of the worst finite one when it is not finite.
    pub(super) fn of(&self, value: f64) -> f64 {
        let value = self.finite(value);
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
        values.iter().map(|&v| slope(self.finite(v))).sum()
    }

    fn finite(&self, value: f64) -> f64 {
        if value.is_finite() { value } else { self.worst }
    }
}
