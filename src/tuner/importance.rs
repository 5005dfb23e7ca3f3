//! Importance of parameters: which share of what the trials differ in is due to which parameter.
//!
//! A Gaussian process is fitted to the completed trials and its mean is taken apart over the unit cube (functional analysis of
//! variance). `first` is the share of the variance that a parameter explains on its own, `total` the share that is lost when it
//! is known and all others are not, interactions included `[Saltelli2010]`:
//! ```text
//! first_i = mean(f(B) (f(A_B^i) - f(A))) / V        total_i = mean((f(A) - f(A_B^i))^2) / (2 V)
//! ```
//! with independent points A and B, and A_B^i the point A with coordinate i of B.

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
    #[error("{completed} trials report `{metric}` after the same number of epochs, importance needs {LEAST_TRIALS}; run more")]
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
    let mean = |point: &[f64]| surrogate.predict(&view.space.snap(point)).mean;
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
    for fold in 0..N_FOLDS {
        let (unseen, seen): (Vec<_>, Vec<_>) =
            observed.iter().enumerate().partition(|(i, _)| i % N_FOLDS == fold);
        let seen: Vec<Observation> = seen.into_iter().map(|(_, o)| o.clone()).collect();
        let Some(surrogate) = Surrogate::fit(dimensions, &seen) else { return 0.0 };
        let expected = |o: &Observation| all.target(surrogate.loss(surrogate.predict(&o.point).mean));
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
