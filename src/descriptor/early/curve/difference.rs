//! The difference `Q_b(V) - Q_a(V)` of two half cycles and what it is summed up to `[Severson2019]`.

use super::shape::{entropy, log10_abs, mean, quantile, slope, standardised_moment, variance};
use super::view::{Grid, Side, View};
use super::{EarlyCell, Missing, Value};

/// Lag of the autocorrelation as a share of the voltage range; ours.
const LAG_SHARE: f64 = 0.1;

/// Fewest cycles of a law over the cycles; ours.
const MIN_CYCLES: usize = 5;

/// Capacity of one half cycle less that of another at the same voltages.
#[derive(Debug)]
pub(super) struct Difference {
    grid: Grid,
    /// Values [Ah], by ascending voltage.
    ah: Vec<f64>,
    /// Capacity of the earlier half cycle [Ah].
    earlier_ah: f64,
}

/// Returns the difference of the numbered cycles, `later` less `earlier`.
pub(super) fn between(c: &EarlyCell, side: Side, later: u32, earlier: u32) -> Result<Difference, Missing> {
    let view = View::new(c, side);
    let (b, a) = (view.capacity(later)?, view.capacity(earlier)?);
    let ah = b.iter().zip(a).map(|(b, a)| b - a).collect();
    Ok(Difference { grid: view.grid()?, ah, earlier_ah: (a[a.len() - 1] - a[0]).abs() })
}

/// Returns the difference of the last and the first cycle of the window that have a curve.
pub(super) fn of_ends(c: &EarlyCell, side: Side) -> Result<Difference, Missing> {
    let view = View::new(c, side);
    view.reference()?;
    let mut usable = view.usable();
    match (usable.next(), usable.next_back()) {
        (Some(first), Some(last)) => between(c, side, last, first),
        _ => Err(Missing::FewCycles { found: 1, needed: 2 }),
    }
}

/// Returns the exponent p of `var(Q_n - Q_ref) ~ (n - ref)^p`, a straight line through the logarithms.
pub(super) fn variance_exponent(c: &EarlyCell, side: Side) -> Value {
    let view = View::new(c, side);
    let reference = view.reference()?;
    let later = view.usable().filter(|&cycle| cycle > reference);
    let point = |cycle: u32| {
        let variance = between(c, side, cycle, reference).ok()?.log_variance().ok()?;
        Some((f64::from(cycle - reference).log10(), variance))
    };
    let (ages, variances): (Vec<f64>, Vec<f64>) = later.filter_map(point).unzip();
    if ages.len() < MIN_CYCLES {
        return Err(Missing::FewCycles { found: ages.len(), needed: MIN_CYCLES });
    }
    slope(&ages, &variances)
}

impl Difference {
    pub(super) fn minimum(&self) -> f64 {
        self.ah.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(super) fn maximum(&self) -> f64 {
        self.ah.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    pub(super) fn log_minimum(&self) -> Value {
        log10_abs(self.minimum())
    }

    pub(super) fn log_mean(&self) -> Value {
        log10_abs(mean(&self.ah))
    }

    pub(super) fn log_variance(&self) -> Value {
        log10_abs(variance(&self.ah))
    }

    /// Returns the variance of the difference as a share of the capacity, its logarithm.
    pub(super) fn log_relative_variance(&self) -> Value {
        log10_abs(variance(&self.ah) / self.earlier_ah.powi(2))
    }

    pub(super) fn log_moment(&self, order: i32) -> Value {
        log10_abs(standardised_moment(&self.ah, order)?)
    }

    pub(super) fn log_low_end(&self) -> Value {
        log10_abs(self.ah[0])
    }

    pub(super) fn quantile(&self, share: f64) -> f64 {
        quantile(&self.ah, share)
    }

    pub(super) fn interquartile_range(&self) -> f64 {
        self.quantile(0.75) - self.quantile(0.25)
    }

    pub(super) fn mean_absolute(&self) -> f64 {
        self.ah.iter().map(|d| d.abs()).sum::<f64>() / self.ah.len() as f64
    }

    pub(super) fn root_mean_square(&self) -> f64 {
        (self.ah.iter().map(|d| d * d).sum::<f64>() / self.ah.len() as f64).sqrt()
    }

    /// Returns the voltage of the minimum [V].
    pub(super) fn minimum_volt(&self) -> f64 {
        self.grid.volt(self.deepest() as f64)
    }

    /// Returns the mean of the upper or lower half of the voltages [Ah].
    pub(super) fn half_mean(&self, upper: Half) -> f64 {
        let (low, high) = self.ah.split_at(self.ah.len() / 2);
        mean(match upper {
            Half::Low => low,
            Half::High => high,
        })
    }

    /// Returns the mean voltage weighted with the magnitude of the difference [V].
    pub(super) fn centroid_volt(&self) -> Value {
        let moment = self.ah.iter().enumerate().map(|(i, d)| i as f64 * d.abs()).sum::<f64>();
        let total = self.ah.iter().map(|d| d.abs()).sum::<f64>();
        if total > 0.0 { Ok(self.grid.volt(moment / total)) } else { Err(Missing::Flat) }
    }

    pub(super) fn negative_share(&self) -> f64 {
        self.ah.iter().filter(|d| **d < 0.0).count() as f64 / self.ah.len() as f64
    }

    /// Returns the least-squares slope over the voltage [Ah/V].
    pub(super) fn slope(&self) -> Value {
        slope(&self.grid.volts(), &self.ah)
    }

    /// Returns the autocorrelation at a tenth of the voltage range.
    pub(super) fn autocorrelation(&self) -> Value {
        let (mean, lag) = (mean(&self.ah), (LAG_SHARE * self.ah.len() as f64) as usize);
        let products = self.ah.iter().zip(&self.ah[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        let squares = self.ah.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
        if squares > 0.0 { Ok(products / squares) } else { Err(Missing::Flat) }
    }

    pub(super) fn entropy(&self) -> Value {
        entropy(self.ah.iter().map(|d| d.abs()))
    }

    /// Returns how far the trough around the minimum reaches at half its depth [V].
    pub(super) fn trough_width_volt(&self) -> Value {
        let (deepest, half) = (self.deepest(), 0.5 * self.minimum());
        if half >= 0.0 {
            return Err(Missing::NoPeak);
        }
        let left = (0..deepest).rev().find(|&i| self.ah[i] > half).map_or(0, |i| i + 1);
        let right = (deepest..self.ah.len()).find(|&i| self.ah[i] > half).unwrap_or(self.ah.len());
        Ok((right - left) as f64 * self.grid.step_volt)
    }

    fn deepest(&self) -> usize {
        self.ah.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i)
    }
}

/// Half of a voltage range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Low,
    High,
}
