//! One number of many measurements: their mean, extremes, and the trend over the cycles they were made in.

use super::{Missing, Value};
use crate::signal::line;

/// Fewest cycles of a trend: two points always lie on a line.
const TREND_CYCLES: usize = 3;

/// Something that was measured in a cycle.
pub(super) trait Measured {
    /// Returns the number of the cycle.
    fn cycle(&self) -> u32;
}

/// Returns the finite values of those that have one, with their cycles; the first reason where none has one.
fn present<T: Measured>(
    measured: &[T],
    value: impl Fn(&T) -> Value,
) -> Result<(Vec<f64>, Vec<f64>), Missing> {
    let mut reason = None;
    let (mut cycles, mut values) = (Vec::new(), Vec::new());
    for one in measured {
        match value(one) {
            Ok(v) if v.is_finite() => {
                cycles.push(f64::from(one.cycle()));
                values.push(v);
            }
            Ok(_) => reason = reason.or(Some(Missing::NotFinite)),
            Err(missing) => reason = reason.or(Some(missing)),
        }
    }
    let nothing = reason.unwrap_or(Missing::FewCycles { found: 0, needed: 1 });
    if values.is_empty() { Err(nothing) } else { Ok((cycles, values)) }
}

/// Returns the mean.
pub(super) fn mean<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    let (_, values) = present(measured, value)?;
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns the median: a record in a hundred is bad.
pub(super) fn median<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    let (_, values) = present(measured, value)?;
    line::median(values).ok_or(Missing::NotFinite)
}

/// Returns the smallest value.
pub(super) fn least<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    let (_, values) = present(measured, value)?;
    Ok(values.into_iter().fold(f64::INFINITY, f64::min))
}

/// Returns the largest value.
pub(super) fn most<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    least(measured, |one| Ok(-value(one)?)).map(|v| -v)
}

/// Returns the standard deviation over the size of the mean [1]; needs three values.
pub(super) fn variation<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    let (_, values) = present(measured, value)?;
    if values.len() < TREND_CYCLES {
        return Err(Missing::Undefined("fewer than three values"));
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    Ok((values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt() / mean.abs())
}

/// Returns the median of the slopes between any two cycles, a cycle: the robust trend of `[Sen1968]`.
pub(super) fn trend<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    let (cycles, values) = present(measured, value)?;
    let mut distinct = cycles.clone();
    distinct.dedup();
    if distinct.len() < TREND_CYCLES {
        return Err(Missing::FewCycles { found: distinct.len(), needed: TREND_CYCLES });
    }
    line::theil_sen(&cycles, &values).ok_or(Missing::Flat)
}

/// Returns the slope of the line of least squares over what `x` says of each; needs three values.
pub(super) fn slope_over<T: Measured>(
    measured: &[T],
    x: impl Fn(&T) -> f64,
    value: impl Fn(&T) -> Value,
) -> Value {
    let both: Vec<(f64, f64)> = measured.iter().filter_map(|one| Some((x(one), value(one).ok()?))).collect();
    let (x, y): (Vec<f64>, Vec<f64>) =
        both.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).unzip();
    if x.len() < TREND_CYCLES {
        return Err(Missing::Undefined("fewer than three values"));
    }
    line::least_squares(&x, &y).map(|line| line.slope).ok_or(Missing::Flat)
}

/// Returns the last value over the first, less 1; needs two cycles.
pub(super) fn growth<T: Measured>(measured: &[T], value: impl Fn(&T) -> Value) -> Value {
    let (cycles, values) = present(measured, value)?;
    let (first, last) = (values[0], values[values.len() - 1]);
    if cycles[cycles.len() - 1] <= cycles[0] {
        return Err(Missing::FewCycles { found: 1, needed: 2 });
    }
    Ok(last / first - 1.0)
}
