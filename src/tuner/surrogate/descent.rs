//! Minimisation in a box by L-BFGS-B `[Byrd1995]`: the only place of the surrogate that knows the optimiser.

use std::convert::Infallible;

use basin::{
    BoxBounds, ConstraintDescription, ConstraintSet, Constraints, CostFunction, Executor, FirstOrderState,
    Gradient, Lbfgsb,
};

/// When a descent stops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Most accepted steps.
    pub iterations: u64,
    /// Largest component of the projected gradient at which it has converged.
    pub gradient: f64,
    /// Relative change of the value at which it has converged.
    pub change: f64,
}

/// Returns the lowest point found from `start` and its value; `objective` gives the value and its gradient.
///
/// The start comes back when nothing lower is found, or the objective is not finite there.
pub(super) fn minimise<F>(
    objective: F,
    start: &[f64],
    bounds: &[(f64, f64)],
    effort: Effort,
) -> (Vec<f64>, f64)
where
    F: Fn(&[f64]) -> (f64, Vec<f64>),
{
    let start: Vec<f64> = start.iter().zip(bounds).map(|(x, b)| x.clamp(b.0, b.1)).collect();
    let (lower, upper) = bounds.iter().copied().unzip();
    let bounds = ConstraintSet::new().with_bounds(BoxBounds::new(Some(lower), Some(upper)));
    let first = objective(&start).0;
    let problem = Boxed { objective, bounds };
    let solver = Lbfgsb::<Vec<f64>>::new()
        .with_absolute_projected_gradient_tolerance(effort.gradient)
        .with_relative_cost_reduction_tolerance(effort.change);
    let state = FirstOrderState::new(start.clone());
    match Executor::new(problem, solver, state).max_iter(effort.iterations).run() {
        Ok(result) if result.cost() < first => (result.param().clone(), result.cost()),
        _ => (start, first),
    }
}

struct Boxed<F> {
    objective: F,
    bounds: ConstraintSet<BoxBounds<Vec<f64>>>,
}

impl<F> Constraints for Boxed<F> {
    type Set = ConstraintSet<BoxBounds<Vec<f64>>>;

    fn constraints(&self) -> <Self::Set as ConstraintDescription>::Borrowed<'_> {
        self.bounds.borrowed()
    }
}

impl<F: Fn(&[f64]) -> (f64, Vec<f64>)> CostFunction for Boxed<F> {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Infallible> {
        Ok((self.objective)(x).0)
    }
}

impl<F: Fn(&[f64]) -> (f64, Vec<f64>)> Gradient for Boxed<F> {
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok((self.objective)(x).1)
    }

    fn cost_and_gradient(&self, x: &Vec<f64>) -> Result<(f64, Vec<f64>), Infallible> {
        Ok((self.objective)(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort { iterations: 200, gradient: 1e-9, change: 1e-14 };

    #[test]
    fn finds_the_minimum_inside_and_on_the_border_of_the_box() {
        let rosenbrock = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        };
        let (inside, value) = minimise(rosenbrock, &[-1.2, 1.0], &[(-2.0, 2.0), (-2.0, 2.0)], EFFORT);
        assert!(
            (inside[0] - 1.0).abs() < 1e-5 && (inside[1] - 1.0).abs() < 1e-5 && value < 1e-9,
            "{inside:?}"
        );
        // With x <= 1/2 the minimum is at (1/2, 1/4), of value 1/4.
        let (border, value) = minimise(rosenbrock, &[-1.2, 1.0], &[(-2.0, 0.5), (-2.0, 2.0)], EFFORT);
        assert!((border[0] - 0.5).abs() < 1e-6 && (value - 0.25).abs() < 1e-9, "{border:?} {value}");
    }

    #[test]
    fn returns_the_start_where_the_objective_is_not_finite() {
        let (x, value) = minimise(|x| (f64::NAN, vec![0.0; x.len()]), &[0.3], &[(0.0, 1.0)], EFFORT);
        assert!(x == [0.3] && value.is_nan());
    }
}
