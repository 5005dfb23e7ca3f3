//! Straight lines through points: by least squares, and robustly by the median of the slopes of all pairs.

use super::error::check_length;

/// A straight line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Rise of `y` over that of `x`.
    pub slope: f64,
    /// Value at `x` = 0.
    pub intercept: f64,
    /// Share of the variance of `y` that the line explains, 0-1; NaN where `y` has none.
    pub r_squared: f64,
}

/// Returns the line of least squares; `None` below two points, without spread in `x`, or with a value that is not finite.
pub fn least_squares(x: &[f64], y: &[f64]) -> Option<Line> {
    check_length(x, y, 2).ok()?;
    let n = x.len() as f64;
    let (x_mean, y_mean) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - x_mean, y - y_mean);
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    let slope = xy / xx;
    let line = Line { slope, intercept: y_mean - slope * x_mean, r_squared: slope * xy / yy };
    (xx > 0.0 && line.intercept.is_finite()).then_some(line)
}

/// Returns the median of the slopes of all pairs of points with distinct `x` (Theil-Sen, `[Sen1968]`).
///
/// Up to 29 % of the points may be anywhere. `None` without such a pair, or with a value that is not finite.
pub fn theil_sen(x: &[f64], y: &[f64]) -> Option<f64> {
    check_length(x, y, 2).ok()?;
    let points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    let pairs = points.iter().enumerate().flat_map(|(k, a)| points[..k].iter().map(move |b| (a, b)));
    let apart = pairs.map(|(a, b)| (a.0 - b.0, a.1 - b.1)).filter(|(dx, _)| dx.abs() > 0.0);
    let slopes = apart.map(|(dx, dy)| dy / dx).collect();
    median(slopes).filter(|m| m.is_finite())
}

/// Returns the middle value, the mean of the two middle ones of an even number; `None` of none or with a NaN.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| even);
    Some(lower.map_or(upper, |lower| 0.5 * (lower + upper)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 7] = [0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 6.0];
    const Y: [f64; 7] = [3.0, 3.4, 3.5, 3.5, 3.2, 3.9, 14.2];

    /// Expected from `scipy.stats.linregress` and `scipy.stats.theilslopes` (tests/fixtures/PROVENANCE.md).
    #[test]
    fn lines_agree_with_scipy() {
        let line = least_squares(&X, &Y).unwrap();
        assert!((line.slope - 1.415_189_873_417_721_5).abs() < 1e-12, "{line:?}");
        assert!((line.intercept - 1.520_253_164_556_962_6).abs() < 1e-12, "{line:?}");
        assert!((line.r_squared - 0.564_291_214_363_520_3).abs() < 1e-12, "{line:?}");
        assert!((theil_sen(&X, &Y).unwrap() - 0.225).abs() < 1e-12);
    }

    #[test]
    fn no_spread_and_no_number_is_no_line() {
        for (x, y) in [(&[1.0, 1.0][..], &[1.0, 2.0][..]), (&[1.0, 2.0], &[1.0, f64::NAN]), (&[1.0], &[1.0])]
        {
            assert_eq!(least_squares(x, y), None);
            assert_eq!(theil_sen(x, y), None);
        }
        assert_eq!((median(vec![]), median(vec![3.0, 1.0, 2.0, 9.0])), (None, Some(2.5)));
    }
}
