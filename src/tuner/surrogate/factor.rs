//! Cholesky factor of a covariance and its inverse, by halving: nearly all work is in matrix products.

use nalgebra::{Cholesky, DMatrix, DVector, DVectorView};

/// Matrices up to this size are factored directly.
const LEAF: usize = 24;

/// The least jitter, relative to the mean variance, that is added when rounding has made a covariance indefinite.
const JITTER: f64 = 1e-12;

/// `L` and `L^-1` of a covariance `L L^T`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factor {
    /// The diagonal of `L`.
    diagonal: Vec<f64>,
    /// `L^-1`, zero above the diagonal.
    inverse: DMatrix<f64>,
}

impl Factor {
    /// Factors a covariance, given by its lower triangle; grows its diagonal as far as rounding makes it necessary.
    pub(super) fn new(covariance: &DMatrix<f64>) -> Self {
        let mean_variance = covariance.trace() / covariance.nrows().max(1) as f64;
        let mut jitter = 0.0;
        loop {
            let mut grown = covariance.clone();
            (0..grown.nrows()).for_each(|i| grown[(i, i)] += jitter);
            if let Some((lower, inverse)) = halve(&grown) {
                return Self { diagonal: lower.diagonal().iter().copied().collect(), inverse };
            }
            jitter = if jitter == 0.0 { JITTER * mean_variance } else { 10.0 * jitter };
        }
    }

    /// Returns `ln det L`.
    pub(super) fn log_determinant(&self) -> f64 {
        self.diagonal.iter().map(|d| d.ln()).sum()
    }

    /// Returns `K^-1`.
    pub(super) fn inverse(&self) -> DMatrix<f64> {
        self.inverse.transpose() * &self.inverse
    }

    /// Returns `L^-1 k` and `K^-1 k`.
    pub(super) fn solve(&self, k: DVectorView<f64>) -> (DVector<f64>, DVector<f64>) {
        let n = k.len();
        let mut half = DVector::zeros(n);
        for j in 0..n {
            half.rows_mut(j, n - j).axpy(k[j], &self.inverse.column(j).rows(j, n - j), 1.0);
        }
        let full = (0..n).map(|j| self.inverse.column(j).rows(j, n - j).dot(&half.rows(j, n - j)));
        let full = DVector::from_iterator(n, full);
        (half, full)
    }

    /// Returns the squared length of `L^-1 k` for every column `k`.
    pub(super) fn squared_lengths(&self, columns: &DMatrix<f64>) -> Vec<f64> {
        (&self.inverse * columns).column_iter().map(|c| c.norm_squared()).collect()
    }
}

/// Returns `L` and `L^-1`; `None` when the matrix is not positive definite.
fn halve(matrix: &DMatrix<f64>) -> Option<(DMatrix<f64>, DMatrix<f64>)> {
    let n = matrix.nrows();
    if n <= LEAF {
        let lower = Cholesky::new(matrix.clone())?.unpack();
        let inverse = lower.solve_lower_triangular(&DMatrix::identity(n, n))?;
        return inverse.iter().all(|v| v.is_finite()).then_some((lower, inverse));
    }
    let m = n / 2;
    // [A . ; B C] = L L^T with L = [P 0; Q R], L^-1 = [P^-1 0; -R^-1 Q P^-1, R^-1].
    let (p, p_inverse) = halve(&matrix.view((0, 0), (m, m)).into_owned())?;
    let q = matrix.view((m, 0), (n - m, m)) * p_inverse.transpose();
    let rest = matrix.view((m, m), (n - m, n - m)) - &q * q.transpose();
    let (r, r_inverse) = halve(&rest)?;
    let corner = -(&r_inverse * &q) * &p_inverse;
    Some((join(&p, &q, &r), join(&p_inverse, &corner, &r_inverse)))
}

fn join(upper: &DMatrix<f64>, corner: &DMatrix<f64>, lower: &DMatrix<f64>) -> DMatrix<f64> {
    let (m, n) = (upper.nrows(), upper.nrows() + lower.nrows());
    let mut whole = DMatrix::zeros(n, n);
    whole.view_mut((0, 0), (m, m)).copy_from(upper);
    whole.view_mut((m, 0), (n - m, m)).copy_from(corner);
    whole.view_mut((m, m), (n - m, n - m)).copy_from(lower);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_agrees_with_the_direct_decomposition_above_and_below_the_leaf() {
        for n in [1, 5, 24, 25, 97] {
            let entry = |i: usize, j: usize| (-(i as f64 - j as f64).abs() / 7.0).exp() + f64::from(i == j);
            let matrix = DMatrix::from_fn(n, n, entry);
            let factor = Factor::new(&matrix.lower_triangle());
            let direct = Cholesky::new(matrix.clone()).unwrap();
            let k = DVector::from_fn(n, |i, _| (i as f64).sin());
            let (half, full) = factor.solve(k.as_view());
            assert!((&full - direct.solve(&k)).amax() < 1e-12, "{n}");
            assert!((half.norm_squared() - k.dot(&full)).abs() < 1e-12, "{n}");
            let columns = DMatrix::from_columns(&[k.clone(), 2.0 * k]);
            assert!((factor.squared_lengths(&columns)[1] - 4.0 * half.norm_squared()).abs() < 1e-11, "{n}");
            assert!((factor.inverse() * &matrix - DMatrix::identity(n, n)).amax() < 1e-12, "{n}");
            assert!((2.0 * factor.log_determinant() - direct.ln_determinant()).abs() < 1e-11, "{n}");
        }
    }

    #[test]
    fn a_singular_covariance_gets_the_jitter_it_needs() {
        let factor = Factor::new(&DMatrix::from_element(60, 60, 1.0));
        let (_, full) = factor.solve(DVector::from_element(60, 1.0).as_view());
        assert!((full.sum() - 1.0).abs() < 1e-3, "{}", full.sum());
    }
}
