//! Bounded nonlinear least squares from several starts: the only place that knows the optimiser.
//!
//! Trust-region reflective steps `[Branch1999]` on parameters divided by their scale, with an exact Jacobian. The loss
//! is half the sum of `rho(r^2)`; the best of the starts wins, the first among equals.

use std::convert::Infallible;

use basin::{
    BoxBounds, ConstraintDescription, ConstraintSet, Constraints, DenseMatrix, Executor, Jacobian,
    LossEvaluation, LossFunction, Residual, RobustLeastSquares, Termination, TerminationCode,
    TrustRegionReflective,
};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Scaled gradient at which a fit has converged; residuals are fractions of the reference capacity.
const GRADIENT_TOLERANCE: f64 = 1e-12;

/// Relative change of the loss at which a fit has converged.
const COST_TOLERANCE: f64 = 1e-14;

/// Relative step at which a fit has converged.
const STEP_TOLERANCE: f64 = 1e-11;

/// A parameter is at its bound when it is nearer than this share of its scale.
const AT_BOUND: f64 = 1e-6;

/// What a residual costs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// Half its square.
    #[default]
    Squared,
    /// Half its square up to `scale`, then linear.
    Huber {
        /// Residual [1, fraction of the reference] at which the loss turns linear, above 0.
        scale: f64,
    },
    /// Smooth between square and linear.
    SoftL1 {
        /// Residual [1, fraction of the reference] at which the loss bends, above 0.
        scale: f64,
    },
    /// Logarithmic in the square: outliers hardly count, several minima.
    Cauchy {
        /// Residual [1, fraction of the reference] at which the loss bends, above 0.
        scale: f64,
    },
}

impl Loss {
    /// Returns the residual at which the loss bends [1]; 1 for the squared loss, which has none.
    pub fn scale(self) -> f64 {
        match self {
            Self::Squared => 1.0,
            Self::Huber { scale } | Self::SoftL1 { scale } | Self::Cauchy { scale } => scale,
        }
    }
}

impl LossFunction for Loss {
    fn evaluate(&self, z: f64) -> LossEvaluation {
        match self {
            Self::Squared => basin::SquaredLoss.evaluate(z),
            Self::Huber { .. } => basin::HuberLoss.evaluate(z),
            Self::SoftL1 { .. } => basin::SoftL1Loss.evaluate(z),
            Self::Cauchy { .. } => basin::CauchyLoss.evaluate(z),
        }
    }

    fn evaluate_scaled(&self, residual: f64, scale: f64) -> LossEvaluation {
        match self {
            Self::Squared => basin::SquaredLoss.evaluate_scaled(residual, scale),
            Self::Huber { .. } => basin::HuberLoss.evaluate_scaled(residual, scale),
            Self::SoftL1 { .. } => basin::SoftL1Loss.evaluate_scaled(residual, scale),
            Self::Cauchy { .. } => basin::CauchyLoss.evaluate_scaled(residual, scale),
        }
    }
}

/// Why a fit stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The gradient vanished.
    Gradient,
    /// The loss stopped changing.
    Cost,
    /// The parameters stopped changing.
    Step,
    /// No smaller loss is representable near the last point.
    Stalled,
    /// The iterations were used up; the parameters may be inaccurate.
    Iterations,
    /// The optimiser found no step it could take; the parameters may be inaccurate.
    Failed,
}

impl Reason {
    /// Returns whether the parameters are a minimum as far as arithmetic tells.
    pub fn is_converged(self) -> bool {
        !matches!(self, Self::Iterations | Self::Failed)
    }
}

/// Residuals of a model and their derivatives.
pub(super) trait Model {
    /// Returns the residuals at `x`.
    fn residuals(&self, x: &[f64]) -> Vec<f64>;
    /// Returns their Jacobian at `x`, row after row.
    fn jacobian(&self, x: &[f64]) -> Vec<f64>;
}

/// Bounds and scale of one free parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub lower: f64,
    pub upper: f64,
    pub start: f64,
}

impl Column {
    fn scale(&self) -> f64 {
        if self.start == 0.0 { 0.1 * (self.upper - self.lower) } else { self.start.abs() }
    }

    fn is_at_bound(&self, x: f64) -> bool {
        (x - self.lower).min(self.upper - x) <= AT_BOUND * self.scale()
    }

    /// Returns the value at `u` of the unit interval: 0.5 is the start, cubed so that small moves are tried as well.
    fn at(&self, u: f64) -> f64 {
        let side = 2.0 * u - 1.0;
        let reach = if side < 0.0 { self.start - self.lower } else { self.upper - self.start };
        self.start + reach * side.powi(3)
    }
}

/// Where a fit ended.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub x: Vec<f64>,
    pub cost: f64,
    pub reason: Reason,
}

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    pub loss: Loss,
    pub starts: usize,
    pub iterations: usize,
}

/// Returns the best solution over the starts; `None` when none of them has a finite loss.
pub(super) fn solve<M: Model>(model: &M, columns: &[Column], effort: Effort) -> Option<Solution> {
    if columns.is_empty() {
        let cost = 0.5 * model.residuals(&[]).iter().map(|r| r * r).sum::<f64>();
        return cost.is_finite().then_some(Solution { x: Vec::new(), cost, reason: Reason::Step });
    }
    let solutions = starts(columns, effort.starts).filter_map(|x| descend(model, columns, &x, effort));
    solutions.reduce(|best, next| if next.cost < best.cost { next } else { best })
}

/// Returns the given start, then points of the additive recurrence of the generalised golden ratio `[Roberts2018]`.
fn starts(columns: &[Column], count: usize) -> impl Iterator<Item = Vec<f64>> {
    let dimension = columns.len();
    let golden = (0..64).fold(1.5_f64, |g, _| (1.0 + g).powf(1.0 / (dimension as f64 + 1.0)));
    (0..count.max(1)).map(move |k| {
        let unit = |j: usize| (0.5 + k as f64 / golden.powf(j as f64 + 1.0)).fract();
        columns.iter().enumerate().map(|(j, c)| c.at(unit(j))).collect()
    })
}

/// Returns the solution reached from `start`; `None` when its loss or Jacobian is not finite there.
fn descend<M: Model>(model: &M, columns: &[Column], start: &[f64], effort: Effort) -> Option<Solution> {
    let scale: Vec<f64> = columns.iter().map(Column::scale).collect();
    let divided = |value: fn(&Column) -> f64| columns.iter().zip(&scale).map(|(c, s)| value(c) / s).collect();
    let bounds = BoxBounds::new(Some(divided(|c| c.lower)), Some(divided(|c| c.upper)));
    let problem = Scaled { model, scale: &scale, constraints: ConstraintSet::new().with_bounds(bounds) };
    let objective = RobustLeastSquares::new(problem, effort.loss).with_scale(effort.loss.scale());
    let solver = TrustRegionReflective::new()
        .with_absolute_scaled_gradient_tolerance(GRADIENT_TOLERANCE)
        .with_relative_cost_change_tolerance(COST_TOLERANCE)
        .with_relative_step_tolerance(STEP_TOLERANCE);
    let z: Vec<f64> = start.iter().zip(&scale).map(|(x, s)| x / s).collect();
    let result = Executor::from_start(objective, solver, z).max_iter(effort.iterations as u64).run().ok()?;
    let x: Vec<f64> = result.param().iter().zip(&scale).map(|(z, s)| z * s).collect();
    let solution = Solution { cost: result.cost(), reason: reason(&result.report.termination), x };
    let is_finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
    let usable =
        solution.cost.is_finite() && is_finite(&solution.x) && is_finite(&model.jacobian(&solution.x));
    usable.then_some(solution)
}

fn reason(termination: &Termination) -> Reason {
    match termination.code() {
        TerminationCode::SolverConverged => Reason::Gradient,
        TerminationCode::RelativeCostTolerance => Reason::Cost,
        TerminationCode::RelativeParamTolerance => Reason::Step,
        TerminationCode::MaxIter => Reason::Iterations,
        TerminationCode::NumericalNoProgress => Reason::Stalled,
        _ => Reason::Failed,
    }
}

/// A model over parameters divided by their scale, with bounds, as the optimiser wants it.
struct Scaled<'a, M> {
    model: &'a M,
    scale: &'a [f64],
    constraints: ConstraintSet<BoxBounds<Vec<f64>>>,
}

impl<M> Scaled<'_, M> {
    fn unscale(&self, z: &[f64]) -> Vec<f64> {
        z.iter().zip(self.scale).map(|(z, s)| z * s).collect()
    }
}

impl<M> Constraints for Scaled<'_, M> {
    type Set = ConstraintSet<BoxBounds<Vec<f64>>>;

    fn constraints(&self) -> <Self::Set as ConstraintDescription>::Borrowed<'_> {
        self.constraints.borrowed()
    }
}

impl<M: Model> Residual for Scaled<'_, M> {
    type Param = Vec<f64>;
    type Output = Vec<f64>;
    type Error = Infallible;

    fn residual(&self, z: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok(self.model.residuals(&self.unscale(z)))
    }
}

impl<M: Model> Jacobian for Scaled<'_, M> {
    type Jacobian = DenseMatrix;

    fn jacobian(&self, z: &Vec<f64>) -> Result<DenseMatrix, Infallible> {
        let mut entries = self.model.jacobian(&self.unscale(z));
        let width = self.scale.len();
        for row in entries.chunks_mut(width) {
            row.iter_mut().zip(self.scale).for_each(|(entry, s)| *entry *= s);
        }
        Ok(DenseMatrix::from_row_slice(entries.len() / width, width, &entries))
    }
}

/// Returns the standard error of each parameter from `s^2 (J^T J)^-1`, `s^2` the residual variance.
///
/// A parameter at a bound has none and is taken as known. None of the others has one when `J^T J` is singular or there
/// are no more residuals than parameters.
pub(super) fn standard_errors<M: Model>(model: &M, columns: &[Column], x: &[f64]) -> Vec<Option<f64>> {
    let mut errors = vec![None; columns.len()];
    let inner: Vec<usize> = (0..columns.len()).filter(|&j| !columns[j].is_at_bound(x[j])).collect();
    let residuals = model.residuals(x);
    if inner.is_empty() || residuals.len() <= inner.len() {
        return errors;
    }
    let jacobian = DMatrix::from_row_slice(residuals.len(), columns.len(), &model.jacobian(x));
    let freedom = (residuals.len() - inner.len()) as f64;
    let variance = residuals.iter().map(|r| r * r).sum::<f64>() / freedom;
    if let Some(diagonal) = inverse_gram_diagonal(&jacobian.select_columns(&inner)) {
        inner.iter().zip(diagonal).for_each(|(&j, d)| errors[j] = Some((variance * d).sqrt()));
    }
    errors
}

/// Returns the diagonal of `(J^T J)^-1`; `None` when it is singular to working precision.
fn inverse_gram_diagonal(jacobian: &DMatrix<f64>) -> Option<Vec<f64>> {
    let norms: Vec<f64> = jacobian.column_iter().map(|c| c.norm()).collect();
    if !norms.iter().all(|&n| n.is_normal()) {
        return None;
    }
    let mut unit = jacobian.clone();
    unit.column_iter_mut().zip(&norms).for_each(|(mut column, norm)| column /= *norm);
    let decomposition = unit.try_svd(false, true, f64::EPSILON, 0)?;
    let (values, vectors) = (&decomposition.singular_values, decomposition.v_t.as_ref()?);
    if values.min() <= f64::EPSILON * jacobian.nrows() as f64 * values.max() {
        return None;
    }
    let entry =
        |j: usize| vectors.column(j).iter().zip(values.iter()).map(|(v, s)| (v / s).powi(2)).sum::<f64>();
    Some((0..norms.len()).map(|j| entry(j) / norms[j].powi(2)).collect())
}
