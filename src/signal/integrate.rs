//! Integrals of sampled curves by the trapezoidal rule.

use super::SignalError;
use super::error::check_length;

/// Returns the integral of `y` over `x` in the product of their units; 0 for fewer than two points.
///
/// # Errors
/// [`SignalError::Length`].
pub fn trapezoid(x: &[f64], y: &[f64]) -> Result<f64, SignalError> {
    check_length(x, y, 0)?;
    Ok(panels(x, y).sum())
}

/// Returns the integral from the first point to each point, one value a point, the first 0.
///
/// # Errors
/// [`SignalError::Length`].
pub fn cumulative_trapezoid(x: &[f64], y: &[f64]) -> Result<Vec<f64>, SignalError> {
    check_length(x, y, 0)?;
    let sums = panels(x, y).scan(0.0, |sum, panel| {
        *sum += panel;
        Some(*sum)
    });
    Ok(x.first().map(|_| 0.0).into_iter().chain(sums).collect())
}

fn panels(x: &[f64], y: &[f64]) -> impl Iterator<Item = f64> {
    x.windows(2).zip(y.windows(2)).map(|(x, y)| 0.5 * (y[0] + y[1]) * (x[1] - x[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 7] = [0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 6.0];
    const Y: [f64; 7] = [3.0, 3.4, 3.5, 3.5, 3.2, 3.9, 4.2];

    /// Expected from `scipy.integrate` (tests/fixtures/PROVENANCE.md).
    #[test]
    fn integrals_agree_with_scipy() {
        assert!((trapezoid(&X, &Y).unwrap() - 21.725).abs() < 1e-12);
        let expected = [0.0, 1.6, 3.325, 6.825, 11.85, 13.625, 21.725];
        for (found, expected) in cumulative_trapezoid(&X, &Y).unwrap().into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn an_empty_curve_has_no_area_and_no_points() {
        assert!(trapezoid(&[], &[]).unwrap().abs() < f64::MIN_POSITIVE);
        assert!(cumulative_trapezoid(&[], &[]).unwrap().is_empty());
        assert_eq!(cumulative_trapezoid(&X, &Y[1..]), Err(SignalError::Length { x: 7, y: 6 }));
    }
}
