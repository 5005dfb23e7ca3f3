//! Importance of parameters: which share of what the trials differ in is due to which parameter.
//!
//! A Gaussian process is fitted to the completed trials and its mean is taken apart over the unit cube (functional analysis of
//! variance). `first` is the share of the variance that a parameter explains on its own, `total` the share that is lost when it
//! is known and all others are not, interactions included `[Saltelli2010]`:
//! ```text
//! first_i = mean(f(B) (f(A_B^i) - f(A))) / V        total_i = mean((f(A) - f(A_B^i))^2) / (2 V)
//! ```
//! with independent points `A` and `B`, and `A_B^i` the point `A` with coordinate `i` of `B`.

use super::halton::Halton;
use super::objective::Objective;
use super::oracle::{View, dimension};
use super::space::Space;
use super::surrogate::{Dimension, Observation, Surrogate};
use super::trial::Trial;
use crate::seed::Seed;

/// Fewest completed trials, of equal epochs, that say anything about importance.
pub const LEAST_TRIALS: usize = 8;

/// Pairs of points of the estimate; its error is about a hundredth.
const N_POINTS: usize = 2048;

/// Parts of the trials that are left out in turn to see how well the process knows them.
const N_FOLDS: usize = 5;

/// How much a parameter matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Name of the parameter.
    pub name: String,
    /// Share of the variance that it explains on its own, 0-1.
    pub first: f64,
    /// Share of the variance that it has a part in, 0-1, at least about `first`.
    pub total: f64,
}

/// Importance of all parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// One a parameter that may vary, the greatest total first.
    pub parameters: Vec<Importance>,
    /// How well trials that the process has not seen are told from the others: coefficient of determination, 1 at best; about
    /// 0 or below, the importances mean nothing.
    pub r2: f64,
    /// Trials that it rests on.
    pub n_trials: usize,
}

/// Why there is no importance.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportanceError {
    /// Occurs when too few trials ended after the same number of epochs.
    #[error(
        "{completed} trials report `{metric}` after the same number of epochs, importance needs {LEAST_TRIALS}; run more"
    )]
    TooFew {
        /// Name of the metric.
        metric: String,
        /// Trials that there are.
        completed: usize,
    },
    /// Occurs when all trials gave the same.
    #[error("all {completed} trials have the same `{metric}`; nothing matters to it")]
    Same {
        /// Name of the metric.
        metric: String,
        /// Trials that there are.
        completed: usize,
    },
}

/// Returns which parameters matter to an objective, among the trials that trained longest.
///
/// # Errors
/// `TooFew` and `Same`.
pub fn importance(view: &View<'_>, objective: &Objective) -> Result<Importances, ImportanceError> {
    let observed = observed(view, objective);
    let (metric, completed) = (objective.metric.clone(), observed.len());
    if completed < LEAST_TRIALS {
        return Err(ImportanceError::TooFew { metric, completed });
    }
    let dimensions: Vec<Dimension> = view.space.params.iter().map(|p| dimension(&p.domain)).collect();
    let same = observed.iter().all(|o| o.value.total_cmp(&observed[0].value).is_eq());
    let surrogate = Surrogate::fit(&dimensions, &observed).filter(|_| !same);
    let Some(surrogate) = surrogate else { return Err(ImportanceError::Same { metric, completed }) };
    let mean = |point: &[f64]| surrogate.mean(&view.space.snap(point));
    let indices = sobol(&mean, view.space.len(), N_POINTS, &view.seed.child("importance"));
    let r2 = r2(&surrogate, &dimensions, &observed);
    Ok(Importances { parameters: sorted(view.space, &indices), r2, n_trials: completed })
}

/// Returns the costs of the trials of the most epochs that enough of them have.
fn observed(view: &View<'_>, objective: &Objective) -> Vec<Observation> {
    let objectives = std::slice::from_ref(objective);
    let scored: Vec<(&Trial, f64)> =
        view.trials.iter().filter_map(|t| Some((t, t.costs(objectives)?[0]))).collect();
    let mut epochs: Vec<u32> = scored.iter().map(|(t, _)| t.until(view.epochs)).collect();
    epochs.sort_unstable();
    let runs: Vec<&[u32]> = epochs.chunk_by(u32::eq).collect();
    let longest = runs.iter().rev().find(|run| run.len() >= LEAST_TRIALS);
    let until = longest.or(runs.iter().max_by_key(|run| run.len())).map(|run| run[0]);
    let alike = scored.into_iter().filter(|(t, _)| Some(t.until(view.epochs)) == until);
    alike.map(|(t, value)| Observation { point: view.space.point(&t.values), value }).collect()
}

/// Returns the importances, the greatest total first.
fn sorted(space: &Space, indices: &[Sobol]) -> Vec<Importance> {
    let varying = space.params.iter().zip(indices).filter(|(p, _)| p.domain.levels() != Some(1));
    let share = |v: f64| v.clamp(0.0, 1.0);
    let mut parameters: Vec<Importance> = varying
        .map(|(p, s)| Importance { name: p.name.clone(), first: share(s.first), total: share(s.total) })
        .collect();
    parameters.sort_by(|a, b| b.total.total_cmp(&a.total));
    parameters
}

/// Returns the coefficient of determination over trials that the process was not fitted to.
fn r2(all: &Surrogate, dimensions: &[Dimension], observed: &[Observation]) -> f64 {
    let mut pairs = Vec::with_capacity(observed.len());
    // Below the lowest loss the scale of the targets may have no values.
    let lowest = observed.iter().map(|o| o.value).fold(f64::INFINITY, f64::min);
    for fold in 0..N_FOLDS {
        let (unseen, seen): (Vec<_>, Vec<_>) =
            observed.iter().enumerate().partition(|(i, _)| i % N_FOLDS == fold);
        let seen: Vec<Observation> = seen.into_iter().map(|(_, o)| o.clone()).collect();
        let Some(surrogate) = Surrogate::fit(dimensions, &seen) else { return 0.0 };
        let expected = |o: &Observation| all.target(surrogate.loss(surrogate.mean(&o.point)).max(lowest));
        pairs.extend(unseen.into_iter().map(|(_, o)| (all.target(o.value), expected(o))));
    }
    let mean = pairs.iter().map(|(v, _)| v).sum::<f64>() / pairs.len() as f64;
    let squares = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(|pair| f(pair).powi(2)).sum::<f64>();
    1.0 - squares(&|(v, expected)| v - expected) / squares(&|(v, _)| v - mean)
}

/// Sobol indices of one coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sobol {
    first: f64,
    total: f64,
}

/// Returns the Sobol indices of a function over the unit cube, one a coordinate; all 0 where it is constant.
fn sobol(f: &dyn Fn(&[f64]) -> f64, dimensions: usize, n: usize, seed: &Seed) -> Vec<Sobol> {
    let sequence = Halton::new(2 * dimensions, seed);
    let points: Vec<Vec<f64>> = (0..n).map(|i| sequence.point(i)).collect();
    let halves = || points.iter().map(|p| p.split_at(dimensions));
    let (at_a, at_b): (Vec<f64>, Vec<f64>) = halves().map(|(a, b)| (f(a), f(b))).unzip();
    let mean = at_a.iter().chain(&at_b).sum::<f64>() / (2 * n) as f64;
    let variance = at_a.iter().chain(&at_b).map(|v| (v - mean).powi(2)).sum::<f64>() / (2 * n) as f64;
    if variance <= f64::MIN_POSITIVE {
        return vec![Sobol { first: 0.0, total: 0.0 }; dimensions];
    }
    let index = |i: usize| {
        let mixed = halves().map(|(a, b)| f(&[&a[..i], &b[i..=i], &a[i + 1..]].concat()));
        let (mut first, mut total) = (0.0, 0.0);
        for ((v, a), b) in mixed.zip(&at_a).zip(&at_b) {
            first += (b - mean) * (v - a);
            total += 0.5 * (a - v).powi(2);
        }
        Sobol { first: first / (n as f64 * variance), total: total / (n as f64 * variance) }
    };
    (0..dimensions).map(index).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::tuner::config::OracleKind;
    use crate::tuner::oracle::contract::{Study, float, param};
    use crate::tuner::space::Domain;
    use crate::tuner::trial::Budget;
    use crate::tuner::value::Value;

    fn assert_indices(f: &dyn Fn(&[f64]) -> f64, expected: &[(f64, f64)], tolerance: f64) {
        let indices = sobol(f, expected.len(), 4096, &Seed::new(0));
        for (s, (first, total)) in indices.iter().zip(expected) {
            let off = (s.first - first).abs().max((s.total - total).abs());
            assert!(off < tolerance, "{indices:?}, not {expected:?}");
        }
    }

    #[test]
    fn the_function_of_ishigami_has_its_published_indices() {
        // Ishigami and Homma (1990) with a = 7, b = 0.1: closed form.
        let ishigami = |u: &[f64]| {
            let x: Vec<f64> = u.iter().map(|u| PI * (2.0 * u - 1.0)).collect();
            x[0].sin() + 7.0 * x[1].sin().powi(2) + 0.1 * x[2].powi(4) * x[0].sin()
        };
        assert_indices(&ishigami, &[(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)], 0.02);
    }

    #[test]
    fn the_g_function_of_sobol_has_its_published_indices() {
        // Saltelli and Sobol (1995), a = 0, 1, 4.5, 9, 99, 99, 99, 99: S_i = V_i / V, V_i = 1 / (3 (1 + a_i)^2).
        let a = [0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0];
        let g = |u: &[f64]| u.iter().zip(a).map(|(u, a)| ((4.0 * u - 2.0).abs() + a) / (1.0 + a)).product();
        let mut expected = vec![(0.716, 0.788), (0.179, 0.242), (0.0237, 0.0343), (0.0072, 0.0105)];
        expected.extend([(0.0001, 0.0001); 4]);
        assert_indices(&g, &expected, 0.03);
    }

    #[test]
    fn a_sum_has_no_interactions() {
        // 4, 2, 1 and 0 times a uniform number: variances 16, 4, 1 and 0 of 21.
        let sum = |u: &[f64]| 4.0 * u[0] + 2.0 * u[1] + u[2];
        let shares = [16.0, 4.0, 1.0, 0.0].map(|v| (v / 21.0, v / 21.0));
        assert_indices(&sum, &shares, 0.01);
        assert_indices(&|_| 3.0, &[(0.0, 0.0); 2], 1e-12);
    }

    fn space() -> Space {
        let when: &[(&str, &[Value])] = &[("switch", &[Value::Bool(true)])];
        let unit = float("c", 0.0, 1.0).domain;
        Space {
            params: vec![
                float("a", 0.0, 1.0),
                float("b", 0.0, 1.0),
                param("switch", Domain::Bool, &[]),
                param("c", unit, when),
                param("fixed", Domain::Fixed(Value::Int(1)), &[]),
            ],
        }
    }

    fn study(n: usize, cost: impl Fn(&Trial) -> f64) -> Study {
        let mut study = Study::new(OracleKind::Random, space());
        study.run(n, |t| Some(cost(t)));
        study
    }

    fn of(study: &Study) -> Result<Importances, ImportanceError> {
        importance(&study.view(), &study.objectives[0])
    }

    fn value(trial: &Trial, name: &str) -> f64 {
        trial.values.get(name).and_then(Value::as_f64).unwrap_or(0.0)
    }

    #[test]
    fn what_the_cost_depends_on_is_important() {
        // 4 a + 2 c where c is there, for half of the points: c is 0 or uniform.
        let study = study(60, |t| 4.0 * value(t, "a") + 2.0 * value(t, "c"));
        let found = of(&study).unwrap();
        let names: Vec<&str> = found.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!((names[0], names[3], names.len()), ("a", "b", 4), "{found:?}");
        assert!(found.r2 > 0.9 && found.n_trials == 60, "{found:?}");
        // Var(4 a) = 16/12; the switch moves the mean by 1 (1/4), c adds 4/12 half of the time (1/6).
        let total = 16.0 / 12.0 + 0.25 + 1.0 / 6.0;
        let a = &found.parameters[0];
        assert!(
            (a.first - 16.0 / 12.0 / total).abs() < 0.08 && (a.total - a.first).abs() < 0.08,
            "{found:?}"
        );
        assert!(found.parameters[3].total < 0.03, "{found:?}");
        assert_eq!(of(&study), Ok(found));
    }

    #[test]
    fn losses_far_apart_have_a_fit_too() {
        // Six orders of magnitude between the best and the worst.
        let study = study(60, |t| ((value(t, "a") - 0.5).powi(2) + 1e-6).powi(3));
        let found = of(&study).unwrap();
        assert!(found.r2.is_finite() && found.r2 > 0.5 && found.parameters[0].name == "a", "{found:?}");
    }

    #[test]
    fn noise_is_told_apart() {
        let noise = |t: &Trial| (t.number as f64 * 0.618_034).fract();
        assert!(of(&study(40, noise)).unwrap().r2 < 0.3);
    }

    #[test]
    fn too_few_trials_and_equal_ones_are_refused() {
        let few = of(&study(7, |t| value(t, "a")));
        assert_eq!(few, Err(ImportanceError::TooFew { metric: "loss".into(), completed: 7 }));
        let same = of(&study(9, |_| 2.0));
        assert_eq!(same, Err(ImportanceError::Same { metric: "loss".into(), completed: 9 }));
    }

    #[test]
    fn only_trials_of_equal_epochs_are_compared() {
        let mut study = study(40, |t| value(t, "a"));
        for trial in &mut study.trials[..30] {
            trial.budget = Some(Budget { from: 0, until: 1, bracket: 0, round: 0, source: None });
        }
        assert_eq!(of(&study).unwrap().n_trials, 10);
        for trial in &mut study.trials[30..33] {
            trial.budget = Some(Budget { from: 0, until: 3, bracket: 0, round: 0, source: None });
        }
        assert_eq!(of(&study).unwrap().n_trials, 30);
    }
}
