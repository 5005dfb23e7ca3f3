//! Scaling to zero mean and unit spread, and imputation of missing inputs by the training median.

use serde::{Deserialize, Serialize};

/// Scaler of one fold, fitted on its training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Median of each column, which stands for a missing value; 0 for a column without any value.
    pub median: Vec<f64>,
    /// Mean of each column after imputation.
    pub mean: Vec<f64>,
    /// Standard deviation of each column after imputation (divisor n); 1 for a constant column.
    pub sd: Vec<f64>,
}

impl Scaler {
    /// Fits to the `rows` of `columns` (`[column][row]`).
    pub fn fit(columns: &[&[f64]], rows: &[usize]) -> Self {
        let mut scaler = Self { median: Vec::new(), mean: Vec::new(), sd: Vec::new() };
        for column in columns {
            let median = median(rows.iter().map(|&row| column[row]).filter(|v| v.is_finite()).collect());
            let values = || rows.iter().map(|&row| impute(column[row], median));
            let n = rows.len().max(1) as f64;
            let mean = values().sum::<f64>() / n;
            let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            let constant = variance.sqrt() <= 1e-12 * mean.abs().max(1e-300);
            scaler.median.push(median);
            scaler.mean.push(mean);
            scaler.sd.push(if constant { 1.0 } else { variance.sqrt() });
        }
        scaler
    }

    /// Returns the scaled value of column `column`.
    pub fn scale(&self, column: usize, value: f64) -> f64 {
        (impute(value, self.median[column]) - self.mean[column]) / self.sd[column]
    }

    /// Returns the value of column `column` for a scaled one.
    pub fn unscale(&self, column: usize, scaled: f64) -> f64 {
        scaled * self.sd[column] + self.mean[column]
    }
}

fn impute(value: f64, median: f64) -> f64 {
    if value.is_finite() { value } else { median }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n => 0.5 * (values[(n - 1) / 2] + values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn unscale_undoes_scale(values in prop::collection::vec(-1e6..1e6f64, 2..40), probe in -1e6..1e6f64) {
            let rows: Vec<usize> = (0..values.len()).collect();
            let scaler = Scaler::fit(&[&values], &rows);
            let back = scaler.unscale(0, scaler.scale(0, probe));
            prop_assert!((back - probe).abs() <= 1e-6 * probe.abs().max(1.0));
        }
    }

    #[test]
    fn only_training_rows_count_and_missing_values_become_their_median() {
        let column = [1.0, 3.0, f64::NAN, 100.0];
        let scaler = Scaler::fit(&[&column], &[0, 1, 2]);
        // Values 1, 3 and the median 2: mean 2, population sd sqrt(2/3).
        assert_eq!(scaler.mean, [2.0]);
        assert!((scaler.sd[0] - (2.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(scaler.scale(0, f64::INFINITY), 0.0);
    }

    #[test]
    fn a_constant_column_scales_to_zero() {
        let scaler = Scaler::fit(&[&[5.0, 5.0]], &[0, 1]);
        assert_eq!(scaler.scale(0, 5.0), 0.0);
    }
}
