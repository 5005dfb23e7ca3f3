//! Ridge regression: the linear model that every network is reported beside.
//!
//! ```text
//! minimise sum (y - b0 - x b)^2 + ridge n |b|^2
//! ```
//!
//! Inputs and label are scaled before, so one penalty fits all inputs `[Hoerl1970]`; the intercept is free.

use nalgebra::{DMatrix, DVector};

/// Fits the weights, intercept first; `inputs` is `[row][input]`.
///
/// The normal equations are solved by a pseudo-inverse, so inputs that depend on each other share their weight.
pub fn fit(inputs: &[Vec<f64>], labels: &[f64], ridge: f64) -> Vec<f64> {
    let (n, d) = (inputs.len(), inputs.first().map_or(0, Vec::len));
    let design =
        DMatrix::from_fn(n, d + 1, |row, column| if column == 0 { 1.0 } else { inputs[row][column - 1] });
    let mut normal = design.transpose() * &design;
    for idx in 1..=d {
        normal[(idx, idx)] += ridge * n as f64;
    }
    let moments = design.transpose() * DVector::from_column_slice(labels);
    let scale = normal.amax().max(f64::MIN_POSITIVE);
    let inverse = normal.pseudo_inverse(1e-12 * scale);
    inverse.map_or_else(|_| vec![0.0; d + 1], |inverse| (inverse * moments).iter().copied().collect())
}

/// Returns the prediction for one row of inputs.
pub fn predict(weights: &[f64], inputs: &[f64]) -> f64 {
    let slope: f64 = weights.iter().skip(1).zip(inputs).map(|(w, x)| w * x).sum();
    weights.first().copied().unwrap_or(0.0) + slope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scikit_learn() {
        // sklearn 1.9.1: Ridge(alpha=0.5).fit([[0,1],[1,0],[2,2],[3,1],[4,5]], [1,2,3,5,4]); alpha = ridge n.
        let inputs = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0], [4.0, 5.0]].map(|r| r.to_vec());
        let weights = fit(&inputs, &[1.0, 2.0, 3.0, 5.0, 4.0], 0.1);
        for (found, expected) in weights.iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 1e-9, "{weights:?}");
        }
    }

    const EXPECTED: [f64; 3] = [1.316_384_180_790_960_4, 1.163_841_807_909_604_2, -0.357_815_442_561_204_95];

    #[test]
    fn copies_of_an_input_share_its_weight() {
        let inputs: Vec<Vec<f64>> = (0..9).map(|x| vec![f64::from(x); 2]).collect();
        let labels: Vec<f64> = (0..9).map(|x| 3.0 * f64::from(x) + 1.0).collect();
        let weights = fit(&inputs, &labels, 0.0);
        assert!((weights[1] - 1.5).abs() < 1e-6 && (weights[2] - 1.5).abs() < 1e-6, "{weights:?}");
        assert!((predict(&weights, &[2.0, 2.0]) - 7.0).abs() < 1e-6);
    }
}
