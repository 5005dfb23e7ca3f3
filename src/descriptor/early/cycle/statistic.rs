//! Statistics of a quantity over cycles: a series with gaps in, one number out.
//!
//! Cycles are counted, so a slope is per cycle and a gap between two cycles is a longer step. Every function says how
//! few values it takes; with fewer the answer is [`Missing::FewCycles`]. Checked against numpy and scipy.

use super::{Missing, Value};

/// Weight of the newest increment in the exponentially weighted mean [1]: a memory of about ten cycles.
const EWMA_WEIGHT: f64 = 0.1;

/// Spread below which a series is constant, over its largest magnitude [1]: a hundred roundings of an `f64`.
const CONSTANT_SHARE: f64 = 1e-14;

/// Finite values of a quantity, by ascending cycle; equally long, at least one value.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Cycles as the source counts them.
    pub cycle: &'a [f64],
    /// Value of each cycle.
    pub value: &'a [f64],
}

/// Straight line through a series.
struct Line {
    slope: f64,
    mean_cycle: f64,
    mean_value: f64,
    /// Sum of squares around the line.
    residual: f64,
    /// Sum of squares around the mean.
    total: f64,
}

impl Series<'_> {
    /// Returns the first `n` values.
    ///
    /// # Errors
    /// [`Missing::FewCycles`] where there are fewer.
    pub fn head(self, n: usize) -> Result<Self, Missing> {
        self.at_least(n)?;
        Ok(Self { cycle: &self.cycle[..n], value: &self.value[..n] })
    }

    /// Returns the last `n` values.
    ///
    /// # Errors
    /// [`Missing::FewCycles`] where there are fewer.
    pub fn tail(self, n: usize) -> Result<Self, Missing> {
        let from = self.at_least(n)? - n;
        Ok(Self { cycle: &self.cycle[from..], value: &self.value[from..] })
    }

    /// Returns how many values there are, if that suffices.
    ///
    /// # Errors
    /// [`Missing::FewCycles`] where there are fewer than `needed`.
    pub fn at_least(self, needed: usize) -> Result<usize, Missing> {
        let found = self.value.len();
        if found < needed { Err(Missing::FewCycles { found, needed }) } else { Ok(found) }
    }

    /// Returns the line of least squares through three or more values.
    fn line(self) -> Result<Line, Missing> {
        let n = self.at_least(3)? as f64;
        let (mean_cycle, mean_value) = (sum(self.cycle) / n, sum(self.value) / n);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in self.cycle.iter().zip(self.value) {
            let (x, y) = (x - mean_cycle, y - mean_value);
            (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
        }
        let slope = xy / xx;
        let residual = self.cycle.iter().zip(self.value);
        let residual = residual.map(|(x, y)| (y - mean_value - slope * (x - mean_cycle)).powi(2)).sum();
        Ok(Line { slope, mean_cycle, mean_value, residual, total: yy })
    }

    /// Returns the change per cycle from each value to the next.
    fn increments(self, needed: usize) -> Result<Vec<f64>, Missing> {
        self.at_least(needed + 1)?;
        let pairs = self.cycle.windows(2).zip(self.value.windows(2));
        Ok(pairs.map(|(x, y)| (y[1] - y[0]) / (x[1] - x[0])).collect())
    }
}

/// Returns the first value.
pub(crate) fn first(s: Series) -> Value {
    s.at_least(1)?;
    Ok(s.value[0])
}

/// Returns the last value.
pub(crate) fn last(s: Series) -> Value {
    Ok(s.value[s.at_least(1)? - 1])
}

/// Returns the mean.
pub(crate) fn mean(s: Series) -> Value {
    Ok(sum(s.value) / s.at_least(1)? as f64)
}

/// Returns the sum.
pub(crate) fn total(s: Series) -> Value {
    s.at_least(1)?;
    Ok(sum(s.value))
}

/// Returns the smallest value.
pub(crate) fn min(s: Series) -> Value {
    s.value.iter().copied().reduce(f64::min).ok_or(Missing::FewCycles { found: 0, needed: 1 })
}

/// Returns the largest value.
pub(crate) fn max(s: Series) -> Value {
    s.value.iter().copied().reduce(f64::max).ok_or(Missing::FewCycles { found: 0, needed: 1 })
}

/// Returns the largest value less the smallest, of two or more.
pub(crate) fn range(s: Series) -> Value {
    s.at_least(2)?;
    Ok(max(s)? - min(s)?)
}

/// Returns the median.
pub(crate) fn median(s: Series) -> Value {
    s.at_least(1)?;
    Ok(quantile(&mut s.value.to_vec(), 0.5))
}

/// Returns the upper less the lower quartile of four or more values, linear between order statistics.
pub(crate) fn iqr(s: Series) -> Value {
    s.at_least(4)?;
    let mut values = s.value.to_vec();
    Ok(quantile(&mut values, 0.75) - quantile(&mut values, 0.25))
}

/// Returns the standard deviation of three or more values, with n - 1.
pub(crate) fn sd(s: Series) -> Value {
    s.at_least(3)?;
    Ok(deviation(s.value))
}

/// Returns the skewness of five or more values: third central moment over the cube of the deviation, both with n.
pub(crate) fn skewness(s: Series) -> Value {
    s.at_least(5)?;
    moment_ratio(s.value, 3)
}

/// Returns the excess kurtosis of five or more values: fourth central moment over the square of the second, less 3.
pub(crate) fn kurtosis(s: Series) -> Value {
    s.at_least(5)?;
    Ok(moment_ratio(s.value, 4)? - 3.0)
}

/// Returns the slope of the line of least squares through three or more values [1/cycle].
pub(crate) fn slope(s: Series) -> Value {
    Ok(s.line()?.slope)
}

/// Returns the value of the line of least squares at cycle 0.
pub(crate) fn intercept(s: Series) -> Value {
    let line = s.line()?;
    Ok(line.mean_value - line.slope * line.mean_cycle)
}

/// Returns the standard deviation of four or more values around their line, with n - 2.
pub(crate) fn residual_sd(s: Series) -> Value {
    let n = s.at_least(4)? as f64;
    Ok((s.line()?.residual / (n - 2.0)).sqrt())
}

/// Returns the coefficient of determination of the line through four or more values.
pub(crate) fn determination(s: Series) -> Value {
    s.at_least(4)?;
    varies(s.value)?;
    let line = s.line()?;
    Ok(1.0 - line.residual / line.total)
}

/// Returns the slope of the line of least squares against the square root of the cycle, of three or more values.
pub(crate) fn root_slope(s: Series) -> Value {
    let root: Vec<f64> = s.cycle.iter().map(|x| x.sqrt()).collect();
    slope(Series { cycle: &root, ..s })
}

/// Returns the median of the slopes between all pairs of three or more values [1/cycle] [Sen1968].
pub(crate) fn theil_sen(s: Series) -> Value {
    let n = s.at_least(3)?;
    let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
    for a in 0..n {
        let later = s.cycle[a + 1..].iter().zip(&s.value[a + 1..]);
        slopes.extend(later.map(|(x, y)| (y - s.value[a]) / (x - s.cycle[a])));
    }
    Ok(quantile(&mut slopes, 0.5))
}

/// Returns the coefficient of the square of the cycle in the parabola of least squares through four or more values.
pub(crate) fn curvature(s: Series) -> Value {
    let n = s.at_least(4)? as f64;
    let mean = sum(s.cycle) / n;
    let moment = |power: i32| s.cycle.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
    let (second, third) = (moment(2), moment(3));
    let (mut py, mut pp) = (0.0, 0.0);
    for (x, y) in s.cycle.iter().zip(s.value) {
        let x = x - mean;
        let p = x * x - second - third / second * x;
        (py, pp) = (py + p * y, pp + p * p);
    }
    Ok(py / pp)
}

/// Returns the last of two or more values less the first.
pub(crate) fn difference(s: Series) -> Value {
    s.at_least(2)?;
    Ok(last(s)? - first(s)?)
}

/// Returns the last of two or more values over the first.
pub(crate) fn ratio(s: Series) -> Value {
    s.at_least(2)?;
    let first = first(s)?;
    if first == 0.0 { Err(Missing::Undefined("the first value is 0")) } else { Ok(last(s)? / first) }
}

/// Returns the largest of two or more values less the first.
pub(crate) fn rise(s: Series) -> Value {
    s.at_least(2)?;
    Ok(max(s)? - first(s)?)
}

/// Returns the cycles from the first of three or more values to the largest.
pub(crate) fn peak_cycle(s: Series) -> Value {
    s.at_least(3)?;
    varies(s.value)?;
    let highest = max(s)?;
    let position = s.value.iter().position(|&v| v >= highest).unwrap_or(0);
    Ok(s.cycle[position] - s.cycle[0])
}

/// Returns the standard deviation of three or more changes per cycle.
pub(crate) fn increment_sd(s: Series) -> Value {
    Ok(deviation(&s.increments(3)?))
}

/// Returns the skewness of five or more changes per cycle.
pub(crate) fn increment_skewness(s: Series) -> Value {
    moment_ratio(&s.increments(5)?, 3)
}

/// Returns the excess kurtosis of five or more changes per cycle.
pub(crate) fn increment_kurtosis(s: Series) -> Value {
    Ok(moment_ratio(&s.increments(5)?, 4)? - 3.0)
}

/// Returns the correlation of five or more changes per cycle with the next: noise gives about -0.5, trend more.
pub(crate) fn increment_autocorrelation(s: Series) -> Value {
    let increments = s.increments(5)?;
    varies(&increments)?;
    let mean = sum(&increments) / increments.len() as f64;
    let product = |pair: &[f64]| (pair[0] - mean) * (pair[1] - mean);
    let total: f64 = increments.iter().map(|d| (d - mean).powi(2)).sum();
    Ok(increments.windows(2).map(product).sum::<f64>() / total)
}

/// Returns the exponentially weighted mean of five or more changes per cycle, the newest weighing 0.1.
pub(crate) fn increment_ewma(s: Series) -> Value {
    let increments = s.increments(5)?;
    let fold = |past: f64, &next: &f64| past + EWMA_WEIGHT * (next - past);
    Ok(increments[1..].iter().fold(increments[0], fold))
}

/// Returns the exponent z of a loss that grows as the number of cycles to the power z, from five or more losses.
///
/// The loss is what the first value exceeds a later one by; where it does not, the cycle says nothing.
pub(crate) fn loss_exponent(s: Series) -> Value {
    let fresh = first(s)?;
    let losses = s.cycle.iter().zip(s.value).map(|(x, y)| (x - s.cycle[0], fresh - y));
    let (cycle, value): (Vec<f64>, Vec<f64>) =
        losses.filter(|(n, loss)| *n > 0.0 && *loss > 0.0).map(|(n, loss)| (n.ln(), loss.ln())).unzip();
    let logs = Series { cycle: &cycle, value: &value };
    logs.at_least(5)?;
    slope(logs)
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = sum(values) / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// Returns the central moment of `power` over that power of the deviation, both with n.
fn moment_ratio(values: &[f64], power: i32) -> Value {
    varies(values)?;
    let n = values.len() as f64;
    let mean = sum(values) / n;
    let moment = |power| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
    Ok(moment(power) / moment(2).sqrt().powi(power))
}

/// Refuses a constant.
fn varies(values: &[f64]) -> Result<(), Missing> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &v in values {
        (low, high) = (low.min(v), high.max(v));
    }
    let constant = high - low <= CONSTANT_SHARE * low.abs().max(high.abs());
    if constant { Err(Missing::Undefined("constant over the cycles")) } else { Ok(()) }
}

/// Returns a quantile of one or more values, linear between order statistics; reorders them.
fn quantile(values: &mut [f64], level: f64) -> f64 {
    let position = level * (values.len() - 1) as f64;
    let (_, &mut low, above) = values.select_nth_unstable_by(position as usize, f64::total_cmp);
    let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
    low + position.fract() * (high - low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_constant_has_no_shape() {
        let (cycle, value) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [2.5; 7]);
        let constant = Series { cycle: &cycle, value: &value };
        let undefined = Err(Missing::Undefined("constant over the cycles"));
        for shape in [skewness, kurtosis, determination, increment_skewness] {
            assert_eq!(shape(constant), undefined);
        }
        assert_eq!(peak_cycle(constant), undefined);
        assert_eq!(sd(constant), Ok(0.0));
        assert_eq!(slope(constant), Ok(0.0));
    }

    proptest! {
        #[test]
        fn statistics_keep_their_order(value in prop::collection::vec(-1e3..1e3_f64, 7..40)) {
            let cycle: Vec<f64> = (0..value.len()).map(|k| 2.0 + 3.0 * k as f64).collect();
            let s = Series { cycle: &cycle, value: &value };
            let [low, middle, high] = [min, median, max].map(|f| f(s).unwrap());
            let mean = mean(s).unwrap();
            prop_assert!(low <= middle && middle <= high && low <= mean && mean <= high);
            prop_assert!(iqr(s).unwrap() <= range(s).unwrap());
            prop_assert!(residual_sd(s).unwrap() <= 1.2 * sd(s).unwrap());
            prop_assert!(skewness(s).unwrap().powi(2) <= kurtosis(s).unwrap() + 2.0 + 1e-9);
            prop_assert!(determination(s).unwrap() <= 1.0);
            let autocorrelation = increment_autocorrelation(s).unwrap();
            prop_assert!((-1.0..=1.0).contains(&autocorrelation));
        }

        #[test]
        fn trends_of_a_parabola_are_its_coefficients(a in -5.0..5.0_f64, b in -5.0..5.0_f64, c in 0.1..5.0_f64) {
            let cycle: Vec<f64> = [1, 2, 3, 5, 8, 9, 14].map(f64::from).to_vec();
            let line: Vec<f64> = cycle.iter().map(|x| a + b * x).collect();
            let bent: Vec<f64> = cycle.iter().map(|x| a + b * x + c * x * x).collect();
            let (line, bent) = (Series { cycle: &cycle, value: &line }, Series { cycle: &cycle, value: &bent });
            for trend in [slope, theil_sen, increment_ewma] {
                prop_assert!((trend(line).unwrap() - b).abs() < 1e-9);
            }
            prop_assert!((intercept(line).unwrap() - a).abs() < 1e-9);
            prop_assert!((curvature(bent).unwrap() - c).abs() < 1e-9);
            prop_assert!(curvature(line).unwrap().abs() < 1e-9);
            prop_assert!(residual_sd(line).unwrap() < 1e-9);
        }
    }
}
