//! Multinomial logistic regression with an L2 penalty, by damped Newton steps in double precision.
//!
//! ```text
//! minimise  c * sum_i w_i * -ln p(class of i)  +  1/2 * sum of squares of the coefficients
//! ```
//!
//! p is the softmax of one logit a class; two classes have one logit, that of class 1, so that the penalty counts it once.
//! Intercepts are not penalised and sum to 0. Balanced weights are w = n / (classes * rows of the class). The penalty keeps
//! the coefficients of separable classes finite. Inputs are to be scaled before, for the penalty is the same for all.

use nalgebra::{Cholesky, DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::softmax::{log_sum_exp, softmax, softmax_in_place};

/// Most Newton steps; a convex problem of this kind takes some ten.
const STEPS: usize = 100;
/// Largest component of the gradient at the end, relative to the sum of the weights.
const TOLERANCE: f64 = 1e-12;
/// Share of the decrease that a line promises which a step must keep `[Nocedal2006]`, section 3.1.
const ARMIJO: f64 = 1e-4;

/// How a logistic regression is fitted.
///
/// | key | default | range |
/// |---|---|---|
/// | `c` | 1 | above 0; smaller is a stronger penalty |
/// | `balanced` | false | whether classes weigh alike |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogisticConfig {
    /// Inverse strength of the penalty, above 0.
    pub c: f64,
    /// Whether each class weighs alike, however few its rows.
    pub balanced: bool,
}

impl Default for LogisticConfig {
    fn default() -> Self {
        Self { c: 1.0, balanced: false }
    }
}

/// Logistic regression as fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// `[logit][input]`: one logit a class, or that of class 1 alone for two classes.
    pub coefficients: Vec<Vec<f64>>,
    /// One a logit.
    pub intercepts: Vec<f64>,
}

/// Why nothing could be fitted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LogisticError {
    /// Occurs when the penalty is out of range.
    #[error("`c` is {c}: it must be above 0 and finite")]
    Penalty {
        /// Value found.
        c: f64,
    },
    /// Occurs when there is not one class a row.
    #[error("{classes} classes for {rows} rows")]
    Length {
        /// Number of rows.
        rows: usize,
        /// Number of true classes.
        classes: usize,
    },
    /// Occurs when there are fewer than two classes.
    #[error("{n_classes} classes: a classifier needs two or more")]
    OneClass {
        /// Number of classes.
        n_classes: usize,
    },
    /// Occurs when a class has no training row, so that its intercept would fall without end.
    #[error("class {class} has no training row: merge classes or choose other folds")]
    AbsentClass {
        /// Class.
        class: usize,
    },
    /// Occurs when a row is of a class beyond the last.
    #[error("row {row} is of class {class}, but there are {n_classes}")]
    UnknownClass {
        /// Position of the row.
        row: usize,
        /// Its class.
        class: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// Occurs when a row has another width than the first, or an input that is not finite.
    #[error("row {row} needs {d_input} finite inputs: impute and scale them before")]
    Row {
        /// Position of the row.
        row: usize,
        /// Inputs of the first row.
        d_input: usize,
    },
}

impl LogisticConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`LogisticError::Penalty`].
    pub fn check(&self) -> Result<(), LogisticError> {
        let ok = self.c > 0.0 && self.c.is_finite();
        if ok { Ok(()) } else { Err(LogisticError::Penalty { c: self.c }) }
    }

    /// Fits to scaled rows `[row][input]` and their classes, `0..n_classes`.
    ///
    /// # Errors
    /// Every variant of [`LogisticError`].
    pub fn fit(
        &self,
        rows: &[Vec<f64>],
        classes: &[usize],
        n_classes: usize,
    ) -> Result<Logistic, LogisticError> {
        self.check()?;
        let counts = check(rows, classes, n_classes)?;
        let weight = |&class: &usize| {
            let own = (n_classes * counts[class]) as f64;
            self.c * if self.balanced { rows.len() as f64 / own } else { 1.0 }
        };
        let n_logits = if n_classes == 2 { 1 } else { n_classes };
        let d_input = rows[0].len();
        let inputs =
            DMatrix::from_fn(rows.len(), d_input + 1, |i, j| if j < d_input { rows[i][j] } else { 1.0 });
        let problem = Problem { inputs, classes, weights: classes.iter().map(weight).collect(), n_logits };
        let theta = problem.minimise();
        let logit = |k: usize| theta.column(k);
        Ok(Logistic {
            coefficients: (0..n_logits).map(|k| logit(k).iter().take(d_input).copied().collect()).collect(),
            intercepts: (0..n_logits).map(|k| logit(k)[d_input]).collect(),
        })
    }
}

impl Logistic {
    /// Returns the number of classes.
    pub fn n_classes(&self) -> usize {
        self.intercepts.len().max(2)
    }

    /// Returns the probabilities of a scaled row, which sum to 1.
    pub fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        let mut probabilities = vec![0.0; self.n_classes()];
        self.write_probabilities(row, &mut probabilities);
        probabilities
    }

    /// Writes the probabilities of a scaled row, one a class.
    pub fn write_probabilities(&self, row: &[f64], probabilities: &mut [f64]) {
        // The first of two classes has the logit 0.
        let first = probabilities.len() - self.intercepts.len();
        probabilities[..first].fill(0.0);
        let logits = self.coefficients.iter().zip(&self.intercepts);
        for (to, (coefficients, intercept)) in probabilities[first..].iter_mut().zip(logits) {
            *to = coefficients.iter().zip(row).map(|(w, x)| w * x).sum::<f64>() + intercept;
        }
        softmax_in_place(probabilities);
    }
}

/// What is minimised; parameters are `[input and intercept, logit]`.
struct Problem<'a> {
    /// `[row, input]`, the last column 1.
    inputs: DMatrix<f64>,
    classes: &'a [usize],
    /// Weight of each row, times `c`.
    weights: Vec<f64>,
    n_logits: usize,
}

impl Problem<'_> {
    fn minimise(&self) -> DMatrix<f64> {
        let mut theta = DMatrix::zeros(self.inputs.ncols(), self.n_logits);
        let mut cost = self.cost(&theta);
        let scale = self.weights.iter().sum::<f64>().max(1.0);
        for _ in 0..STEPS {
            let p = self.probabilities(&theta);
            let gradient = self.gradient(&theta, &p);
            if gradient.amax() <= TOLERANCE * scale {
                break;
            }
            let Some(step) = self.newton_step(&gradient, &p) else { break };
            let slope = gradient.dot(&step);
            let line = (0..40).map(|halving| &theta - &step * 0.5_f64.powi(halving));
            let tried = line.map(|next| (self.cost(&next), next)).zip(0..);
            let better = tried
                .into_iter()
                .find(|((c, _), halving)| *c <= cost - ARMIJO * 0.5_f64.powi(*halving) * slope);
            let Some(((lower, next), _)) = better else { break };
            (cost, theta) = (lower, next);
        }
        theta
    }

    /// Returns `[row][class]`.
    fn probabilities(&self, theta: &DMatrix<f64>) -> Vec<Vec<f64>> {
        let logits = &self.inputs * theta;
        logits.row_iter().map(|row| probabilities(&row.iter().copied().collect::<Vec<_>>())).collect()
    }

    fn cost(&self, theta: &DMatrix<f64>) -> f64 {
        let logits = &self.inputs * theta;
        let loss = |(row, &class): (usize, &usize)| {
            let mut z: Vec<f64> = logits.row(row).iter().copied().collect();
            if z.len() == 1 {
                z.insert(0, 0.0);
            }
            self.weights[row] * (log_sum_exp(&z) - z[class])
        };
        let penalty = 0.5 * self.penalised(theta).norm_squared();
        self.classes.iter().enumerate().map(loss).sum::<f64>() + penalty
    }

    /// Returns the coefficients, with zeros for the intercepts.
    fn penalised(&self, theta: &DMatrix<f64>) -> DMatrix<f64> {
        let mut theta = theta.clone();
        theta.row_mut(self.inputs.ncols() - 1).fill(0.0);
        theta
    }

    fn gradient(&self, theta: &DMatrix<f64>, p: &[Vec<f64>]) -> DMatrix<f64> {
        let residual = DMatrix::from_fn(p.len(), self.n_logits, |row, logit| {
            let class = self.class_of(logit);
            self.weights[row] * (p[row][class] - f64::from(u8::from(self.classes[row] == class)))
        });
        self.inputs.transpose() * residual + self.penalised(theta)
    }

    /// Returns the class of a logit: 1 for the only one of two classes.
    fn class_of(&self, logit: usize) -> usize {
        if self.n_logits == 1 { 1 } else { logit }
    }

    fn newton_step(&self, gradient: &DMatrix<f64>, p: &[Vec<f64>]) -> Option<DMatrix<f64>> {
        let step = Cholesky::new(self.hessian(p))?.solve(&DVector::from_column_slice(gradient.as_slice()));
        Some(DMatrix::from_column_slice(gradient.nrows(), gradient.ncols(), step.as_slice()))
    }

    /// Returns the second derivatives, blocks of inputs by pairs of logits.
    fn hessian(&self, p: &[Vec<f64>]) -> DMatrix<f64> {
        let d = self.inputs.ncols();
        let mut hessian = DMatrix::zeros(d * self.n_logits, d * self.n_logits);
        for (a, b) in (0..self.n_logits).flat_map(|a| (0..=a).map(move |b| (a, b))) {
            let (class_a, class_b) = (self.class_of(a), self.class_of(b));
            let mut weighted = self.inputs.clone();
            for (row, mut inputs) in weighted.row_iter_mut().enumerate() {
                let own = if a == b { 1.0 } else { 0.0 };
                inputs *= self.weights[row] * p[row][class_a] * (own - p[row][class_b]);
            }
            let block = self.inputs.transpose() * weighted;
            hessian.view_mut((a * d, b * d), (d, d)).copy_from(&block);
            hessian.view_mut((b * d, a * d), (d, d)).copy_from(&block.transpose());
        }
        self.add_penalty(&mut hessian);
        hessian
    }

    /// Adds 1 for each coefficient, and a constant for the sum of the intercepts, which is 0 and free otherwise.
    fn add_penalty(&self, hessian: &mut DMatrix<f64>) {
        let d = self.inputs.ncols();
        let scale = self.weights.iter().sum::<f64>() / self.weights.len() as f64;
        for (a, b) in (0..self.n_logits).flat_map(|a| (0..self.n_logits).map(move |b| (a, b))) {
            if a == b {
                (0..d - 1).for_each(|input| hessian[(a * d + input, a * d + input)] += 1.0);
            }
            if self.n_logits > 1 {
                hessian[(a * d + d - 1, b * d + d - 1)] += scale;
            }
        }
    }
}

/// Returns the rows of each class.
fn check(rows: &[Vec<f64>], classes: &[usize], n_classes: usize) -> Result<Vec<usize>, LogisticError> {
    if rows.len() != classes.len() {
        return Err(LogisticError::Length { rows: rows.len(), classes: classes.len() });
    }
    if n_classes < 2 {
        return Err(LogisticError::OneClass { n_classes });
    }
    let mut counts = vec![0; n_classes];
    for (row, (inputs, &class)) in rows.iter().zip(classes).enumerate() {
        let d_input = rows[0].len();
        *counts.get_mut(class).ok_or(LogisticError::UnknownClass { row, class, n_classes })? += 1;
        if inputs.len() != d_input || inputs.iter().any(|x| !x.is_finite()) {
            return Err(LogisticError::Row { row, d_input });
        }
    }
    match counts.iter().position(|&n| n == 0) {
        Some(class) => Err(LogisticError::AbsentClass { class }),
        None => Ok(counts),
    }
}

/// Returns probabilities of logits; a single one is that of class 1 against 0.
fn probabilities(logits: &[f64]) -> Vec<f64> {
    match logits {
        &[logit] => softmax(&[0.0, logit]),
        _ => softmax(logits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        logistic: Vec<Case>,
    }

    /// What scikit-learn fits (`tests/fixtures/classification/make.py`).
    #[derive(Deserialize)]
    struct Case {
        c: f64,
        balanced: bool,
        rows: Vec<Vec<f64>>,
        truth: Vec<usize>,
        coefficients: Vec<Vec<f64>>,
        intercepts: Vec<f64>,
        /// Of the first rows.
        probabilities: Vec<Vec<f64>>,
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn coefficients_agree_with_scikit_learn() {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        for case in serde_json::from_str::<Golden>(text).unwrap().logistic {
            let config = LogisticConfig { c: case.c, balanced: case.balanced };
            let n_classes = case.probabilities[0].len();
            let fitted = config.fit(&case.rows, &case.truth, n_classes).unwrap();
            assert!(largest_difference(&fitted.coefficients.concat(), &case.coefficients.concat()) < 1e-5);
            assert!(largest_difference(&fitted.intercepts, &case.intercepts) < 1e-5);
            for (row, expected) in case.rows.iter().zip(&case.probabilities) {
                assert!(largest_difference(&fitted.probabilities(row), expected) < 1e-6);
            }
        }
    }

    #[test]
    fn the_gradient_vanishes_and_the_intercepts_sum_to_0() {
        let rows: Vec<Vec<f64>> =
            (0..24).map(|i| vec![f64::from(i % 7) - 3.0, f64::from(i * i % 11) / 5.0]).collect();
        let classes: Vec<usize> = (0..24).map(|i| i * i * i % 11 % 3).collect();
        let fitted = LogisticConfig { c: 5.0, balanced: false }.fit(&rows, &classes, 3).unwrap();
        assert!(fitted.intercepts.iter().sum::<f64>().abs() < 1e-9);
        for class in 0..3 {
            let residual = |(row, &t): (&Vec<f64>, &usize)| {
                fitted.probabilities(row)[class] - f64::from(u8::from(t == class))
            };
            let at_intercept: f64 = rows.iter().zip(&classes).map(residual).sum();
            assert!(at_intercept.abs() < 1e-8, "mean probability is the share of the class: {at_intercept}");
        }
    }

    #[test]
    fn separable_classes_and_a_weak_penalty_stay_finite() {
        let rows: Vec<Vec<f64>> = (0..12).map(|i| vec![f64::from(i), f64::from(i)]).collect();
        let classes: Vec<usize> = (0..12).map(|i| i / 4).collect();
        for c in [1e-6, 1.0, 1e6] {
            let fitted = LogisticConfig { c, balanced: true }.fit(&rows, &classes, 3).unwrap();
            assert!(
                fitted.coefficients.concat().iter().all(|w| w.is_finite() && w.abs() < 1e3),
                "{fitted:?}"
            );
            let p = fitted.probabilities(&[1e6, -1e6]);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let sure = LogisticConfig { c: 1e6, balanced: false }.fit(&rows, &classes, 3).unwrap();
        assert!(rows.iter().zip(&classes).all(|(row, &class)| sure.probabilities(row)[class] > 0.99));
    }

    #[test]
    fn what_cannot_be_fitted_is_an_error() {
        let fit = |rows: &[Vec<f64>], classes: &[usize], n| LogisticConfig::default().fit(rows, classes, n);
        let two = [vec![0.0], vec![1.0]];
        assert_eq!(fit(&two, &[0, 0], 1), Err(LogisticError::OneClass { n_classes: 1 }));
        assert_eq!(fit(&two, &[0, 0], 2), Err(LogisticError::AbsentClass { class: 1 }));
        assert_eq!(fit(&[], &[], 2), Err(LogisticError::AbsentClass { class: 0 }));
        assert_eq!(fit(&two, &[0], 2), Err(LogisticError::Length { rows: 2, classes: 1 }));
        assert_eq!(
            fit(&two, &[0, 2], 2),
            Err(LogisticError::UnknownClass { row: 1, class: 2, n_classes: 2 })
        );
        assert_eq!(
            fit(&[vec![0.0], vec![f64::NAN]], &[0, 1], 2),
            Err(LogisticError::Row { row: 1, d_input: 1 })
        );
        let config = LogisticConfig { c: 0.0, balanced: false };
        assert_eq!(config.fit(&two, &[0, 1], 2), Err(LogisticError::Penalty { c: 0.0 }));
    }
}
