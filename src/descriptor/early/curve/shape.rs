//! Statistics of the values of a curve: moments, quantiles, slope, entropy.

use super::{Missing, Value};

pub(super) fn mean(y: &[f64]) -> f64 {
    y.iter().sum::<f64>() / y.len() as f64
}

/// Returns the variance with n - 1 in the denominator; NaN for fewer than two values.
pub(super) fn variance(y: &[f64]) -> f64 {
    power_mean(y, 2) * y.len() as f64 / (y.len() as f64 - 1.0)
}

/// Returns the central moment of `order` over the standard deviation (n in the denominator) to that power: 3 for
/// skewness, 4 for kurtosis (3 of a normal distribution).
pub(super) fn standardised_moment(y: &[f64], order: i32) -> Value {
    let spread = power_mean(y, 2);
    if spread > 0.0 { Ok(power_mean(y, order) / spread.sqrt().powi(order)) } else { Err(Missing::Flat) }
}

/// Returns the quantile at `share`, 0-1, by straight lines between the sorted values.
pub(super) fn quantile(y: &[f64], share: f64) -> f64 {
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// Returns the least-squares slope of `y` over `x`.
pub(super) fn slope(x: &[f64], y: &[f64]) -> Value {
    let (x_mean, y_mean) = (mean(x), mean(y));
    let products = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>();
    let squares = x.iter().map(|x| (x - x_mean).powi(2)).sum::<f64>();
    if squares > 0.0 { Ok(products / squares) } else { Err(Missing::Flat) }
}

/// Returns Pearson's correlation.
pub(super) fn correlation(x: &[f64], y: &[f64]) -> Value {
    let (up, back) = (slope(x, y)?, slope(y, x)?);
    Ok(up.signum() * (up * back).sqrt())
}

/// Returns the entropy of the shares that weights have in their sum, over that of equal weights: 0-1; negative
/// weights count as 0.
pub(super) fn entropy(weights: impl Iterator<Item = f64>) -> Value {
    let weights: Vec<f64> = weights.map(|w| w.max(0.0)).collect();
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Err(Missing::Flat);
    }
    let terms = weights.iter().filter(|w| **w > 0.0).map(|w| -(w / total) * (w / total).ln());
    Ok(terms.sum::<f64>() / (weights.len() as f64).ln())
}

/// Returns the logarithm to base 10 of the magnitude.
pub(super) fn log10_abs(value: f64) -> Value {
    if value.abs() > 0.0 { Ok(value.abs().log10()) } else { Err(Missing::Flat) }
}

/// Returns the value of a sampled curve between its samples; `place` counts samples.
pub(super) fn at(y: &[f64], place: f64) -> f64 {
    let place = place.clamp(0.0, (y.len() - 1) as f64);
    let (below, above) = (y[place.floor() as usize], y[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

fn power_mean(y: &[f64], order: i32) -> f64 {
    let mean = mean(y);
    y.iter().map(|y| (y - mean).powi(order)).sum::<f64>() / y.len() as f64
}
