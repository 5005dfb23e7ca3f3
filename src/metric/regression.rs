//! Errors of predicted against true values: MSE, RMSE, MAE, MAPE, R2 and the largest error.
//!
//! | score | formula | unit |
//! |---|---|---|
//! | MSE | mean((y - p)^2) | of y, squared |
//! | RMSE | sqrt(mean((y - p)^2)) | of y |
//! | MAE | mean(abs(y - p)) | of y |
//! | MAPE | mean(abs(y - p) / abs(y)) | 1, a fraction |
//! | R2 | 1 - sum((y - p)^2) / sum((y - mean(y))^2) | 1 |
//! | max error | max(abs(y - p)) | of y |

/// What keeps a score from being computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Occurs when there is nothing to score.
    #[error("no values to score")]
    Empty,
    /// Occurs when there is not one prediction a true value.
    #[error("{predicted} predictions for {truth} true values")]
    Length {
        /// Number of true values.
        truth: usize,
        /// Number of predictions.
        predicted: usize,
    },
    /// Occurs when a value is NaN or infinite.
    #[error("true or predicted value at position {position} is not finite")]
    NonFinite {
        /// Position of the first.
        position: usize,
    },
    /// Occurs when a relative error is asked for at a true value of 0.
    #[error("true value at position {position} is 0, where a relative error has no meaning: use `mae`")]
    ZeroTruth {
        /// Position of the first.
        position: usize,
    },
    /// Occurs when R2 is asked for and all true values are equal.
    #[error("all true values are equal, so R2 has no meaning: use `rmse`")]
    ConstantTruth,
}

/// Returns the mean square error in the square of the values' unit.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::NonFinite`].
pub fn mse(y_true: &[f64], y_pred: &[f64]) -> Result<f64, MetricError> {
    let residuals = residuals(y_true, y_pred)?;
    Ok(sum_of_squares(&residuals) / residuals.len() as f64)
}

/// Returns the root mean square error in the unit of the values.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::NonFinite`].
pub fn rmse(y_true: &[f64], y_pred: &[f64]) -> Result<f64, MetricError> {
    mse(y_true, y_pred).map(f64::sqrt)
}

/// Returns the mean absolute error in the unit of the values.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::NonFinite`].
pub fn mae(y_true: &[f64], y_pred: &[f64]) -> Result<f64, MetricError> {
    let residuals = residuals(y_true, y_pred)?;
    Ok(residuals.iter().map(|r| r.abs()).sum::<f64>() / residuals.len() as f64)
}

/// Returns the mean absolute error relative to the true value [1, a fraction].
///
/// # Errors
/// [`MetricError::ZeroTruth`] when a true value is 0, and those of [`mae`].
pub fn mape(y_true: &[f64], y_pred: &[f64]) -> Result<f64, MetricError> {
    let residuals = residuals(y_true, y_pred)?;
    if let Some(position) = y_true.iter().position(|&y| y == 0.0) {
        return Err(MetricError::ZeroTruth { position });
    }
    Ok(residuals.iter().zip(y_true).map(|(r, y)| (r / y).abs()).sum::<f64>() / y_true.len() as f64)
}

/// Returns the coefficient of determination [1]: at most 1, 0 for the mean, negative when worse than the mean.
///
/// # Errors
/// [`MetricError::ConstantTruth`] when all true values are equal, and those of [`rmse`].
pub fn r2(y_true: &[f64], y_pred: &[f64]) -> Result<f64, MetricError> {
    let residuals = residuals(y_true, y_pred)?;
    let mean = y_true.iter().sum::<f64>() / y_true.len() as f64;
    let centred: Vec<f64> = y_true.iter().map(|y| y - mean).collect();
    if y_true.iter().all(|&y| y - y_true[0] == 0.0) {
        return Err(MetricError::ConstantTruth);
    }
    Ok(1.0 - sum_of_squares(&residuals) / sum_of_squares(&centred))
}

/// Returns the largest absolute error in the unit of the values.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::NonFinite`].
pub fn max_error(y_true: &[f64], y_pred: &[f64]) -> Result<f64, MetricError> {
    Ok(residuals(y_true, y_pred)?.into_iter().map(f64::abs).fold(0.0, f64::max))
}

/// Returns true minus predicted.
fn residuals(y_true: &[f64], y_pred: &[f64]) -> Result<Vec<f64>, MetricError> {
    let (truth, predicted) = (y_true.len(), y_pred.len());
    if truth != predicted {
        return Err(MetricError::Length { truth, predicted });
    }
    if truth == 0 {
        return Err(MetricError::Empty);
    }
    let residuals: Vec<f64> = y_true.iter().zip(y_pred).map(|(y, p)| y - p).collect();
    match residuals.iter().position(|r| !r.is_finite()) {
        Some(position) => Err(MetricError::NonFinite { position }),
        None => Ok(residuals),
    }
}

fn sum_of_squares(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// True values, predictions, and RMSE, MAE, MAPE, R2, max error by scikit-learn (tests/fixtures/PROVENANCE.md).
    type Case = (&'static [f64], &'static [f64], [f64; 5]);

    const CASES: [Case; 10] = [
        (&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 1.0, 0.0]),
        (
            &[1.0, 2.0, 3.0],
            &[2.0, 2.0, 2.0],
            [0.816_496_580_927_726, 0.666_666_666_666_666_6, 0.444_444_444_444_444_4, 0.0, 1.0],
        ),
        (
            &[3.0, -0.5, 2.0, 7.0],
            &[2.5, 0.0, 2.0, 8.0],
            [0.612_372_435_695_794_5, 0.5, 0.327_380_952_380_952_4, 0.948_608_137_044_967_9, 1.0],
        ),
        (
            &[1.856_487, 1.846_327, 1.835_349],
            &[1.85, 1.85, 1.85],
            [
                0.009_490_765_669_849_908,
                0.008_270_333_333_333_38,
                0.004_488_755_679_269_501,
                -0.208_952_471_235_241_52,
                0.014_651_000_000_000_192,
            ],
        ),
        (
            &[1.0, 0.9, 0.8, 0.7],
            &[0.7, 0.8, 0.9, 1.0],
            [
                0.223_606_797_749_979,
                0.2,
                0.241_170_634_920_634_95,
                -2.999_999_999_999_999_6,
                0.300_000_000_000_000_04,
            ],
        ),
        (
            &[0.001, 0.002, 0.004],
            &[0.0011, 0.0019, 0.0044],
            [
                0.000_244_948_974_278_317_9,
                0.000_200_000_000_000_000_1,
                0.083_333_333_333_333_37,
                0.961_428_571_428_571_4,
                0.000_400_000_000_000_000_2,
            ],
        ),
        (
            &[500.0, 1000.0, 1500.0],
            &[450.0, 1100.0, 1400.0],
            [86.602_540_378_443_86, 83.333_333_333_333_33, 0.088_888_888_888_888_89, 0.955, 100.0],
        ),
        (
            &[-1.0, -2.0, -4.0],
            &[-1.5, -1.5, -5.5],
            [0.957_427_107_756_338_1, 0.833_333_333_333_333_4, 0.375, 0.410_714_285_714_285_6, 1.5],
        ),
        (&[2.0, 1.0], &[1.0, 2.0], [1.0, 1.0, 0.75, -3.0, 1.0]),
        (
            &[0.91, 0.88, 0.86, 0.81, 0.79, 0.7],
            &[0.92, 0.87, 0.86, 0.83, 0.75, 0.72],
            [
                0.020_816_659_994_661_327,
                0.016_666_666_666_666_663,
                0.021_041_390_890_195_386,
                0.908_931_698_774_080_5,
                0.040_000_000_000_000_036,
            ],
        ),
    ];

    #[test]
    fn scores_agree_with_scikit_learn() {
        for (truth, predicted, expected) in CASES {
            let scores = [rmse, mae, mape, r2, max_error].map(|score| score(truth, predicted).unwrap());
            for (found, wanted) in scores.into_iter().zip(expected) {
                assert!((found - wanted).abs() < 1e-12 * (1.0 + wanted.abs()), "{truth:?}: {found} {wanted}");
            }
        }
    }

    #[test]
    fn mse_agrees_with_scikit_learn() {
        let expected =
            [(1, 0.666_666_666_666_666_6), (2, 0.375), (6, 7500.0), (9, 0.000_433_333_333_333_333_37)];
        for (case, expected) in expected {
            let found = mse(CASES[case].0, CASES[case].1).unwrap();
            assert!((found - expected).abs() < 1e-12 * expected, "{found} {expected}");
        }
    }

    #[test]
    fn what_cannot_be_scored_is_an_error() {
        assert_eq!(rmse(&[], &[]), Err(MetricError::Empty));
        assert_eq!(mae(&[1.0], &[]), Err(MetricError::Length { truth: 1, predicted: 0 }));
        assert_eq!(max_error(&[1.0, f64::NAN], &[1.0, 1.0]), Err(MetricError::NonFinite { position: 1 }));
        assert_eq!(mape(&[1.0, 0.0], &[1.0, 1.0]), Err(MetricError::ZeroTruth { position: 1 }));
        assert_eq!(r2(&[0.1, 0.1, 0.1], &[0.1, 0.2, 0.3]), Err(MetricError::ConstantTruth));
    }
}
