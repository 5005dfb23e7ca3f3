//! Bayesian search: points spread evenly at first, then where a Gaussian process expects the greatest improvement.
//!
//! Trials that run count at what the process expects of them, failed ones as bad. Several objectives become one by weights that
//! are drawn anew for each proposal: the augmented Chebyshev norm of ParEGO `[Knowles2006]`, so that the proposals spread over
//! the Pareto front.

use rand::RngExt;

use super::taken::Taken;
use super::{Oracle, Proposal, View, random};
use crate::seed::Seed;
use crate::tuner::config::AcquisitionKind;
use crate::tuner::halton::Halton;
use crate::tuner::space::{Domain, Scale, Space};
use crate::tuner::surrogate::{Acquisition, Dimension, Observation, Suggest, suggest};
use crate::tuner::trial::{Status, Trial};
use crate::tuner::value::Values;

/// Most levels that are told apart one by one; more are as good as continuous.
const MOST_LEVELS: usize = 64;

/// Fewest points before the process, whatever the number of parameters.
const LEAST_INITIAL: usize = 8;

/// Fewest trials with a result that the process is fitted to.
const LEAST_RESULTS: usize = 2;

/// Weight of the sum of the objectives beside the greatest; `rho` of ParEGO.
const AUGMENTATION: f64 = 0.05;

/// The oracle that learns.
pub(super) struct Bayesian;

impl Oracle for Bayesian {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let taken = Taken::of(view);
        let Some(chance) = random::draw(view, &taken) else { return Proposal::Exhausted };
        let observed = observed(view);
        let n_results = observed.iter().filter(|o| o.value.is_finite()).count();
        let learns = view.trials.len() >= initial(view) && n_results >= LEAST_RESULTS;
        let values = if learns { learned(view, &taken, &observed) } else { spread(view, &taken) };
        Proposal::Trial { values: values.unwrap_or(chance), budget: None }
    }
}

/// Returns the number of trials before the process.
fn initial(view: &View<'_>) -> usize {
    let n_varying = view.space.params.iter().filter(|p| p.domain.levels() != Some(1)).count();
    view.config.initial.unwrap_or_else(|| LEAST_INITIAL.max(2 * n_varying))
}

/// Returns the next of evenly spread points; `None` where a trial has it.
fn spread(view: &View<'_>, taken: &Taken<'_>) -> Option<Values> {
    let sequence = Halton::new(view.space.len(), &view.seed.child("spread"));
    let values = view.space.values(&sequence.point(view.trials.len()));
    (!taken.has(&values)).then_some(values)
}

/// Returns the point of the greatest acquisition.
fn learned(view: &View<'_>, taken: &Taken<'_>, observed: &[Observation]) -> Option<Values> {
    let space = view.space;
    let dimensions: Vec<Dimension> = space.params.iter().map(|p| dimension(&p.domain)).collect();
    let pending: Vec<Vec<f64>> =
        view.trials.iter().filter(|t| t.status == Status::Running).map(|t| space.point(&t.values)).collect();
    let found = suggest(&Suggest {
        dimensions: &dimensions,
        observed,
        pending: &pending,
        seed: &view.seed.child(view.trials.len()),
        acquisition: match view.config.acquisition {
            AcquisitionKind::LogEi => Acquisition::LogEi,
            AcquisitionKind::Ucb => Acquisition::Ucb { beta: view.config.beta },
        },
        repair: &|point| space.point(&values(space, point)),
        is_taken: &|point| taken.has(&values(space, point)),
    });
    found.map(|point| values(space, &point)).filter(|values| !taken.has(values))
}

/// Returns the values at a point; a parameter that has no coordinate and is active nevertheless is in its middle.
fn values(space: &Space, point: &[f64]) -> Values {
    let filled: Vec<f64> = point.iter().map(|u| if u.is_nan() { 0.5 } else { *u }).collect();
    space.values(&filled)
}

/// Returns what the coordinate of a domain is to the surrogate.
pub(in crate::tuner) fn dimension(domain: &Domain) -> Dimension {
    // Levels of a logarithmic scale are not at even distances, those of the surrogate are.
    let even = !matches!(domain, Domain::Int { scale: Scale::Log | Scale::ReverseLog, .. });
    match domain.levels() {
        Some(1) => Dimension::Constant,
        Some(n) if !domain.is_ordered() => Dimension::Categorical(n),
        Some(n) if even && n <= MOST_LEVELS => Dimension::Ordinal(n),
        _ => Dimension::Continuous,
    }
}

/// Returns where trials ended and with what; those that were cut short for want of epochs say nothing.
fn observed(view: &View<'_>) -> Vec<Observation> {
    let full = |t: &&Trial| t.status != Status::Running && t.until(view.epochs) >= view.epochs;
    let trials: Vec<&Trial> = view.trials.iter().filter(full).collect();
    let costs: Vec<Option<Vec<f64>>> = trials.iter().map(|t| t.costs(view.objectives)).collect();
    let losses = losses(&costs, view.objectives.len(), &view.seed.child(view.trials.len()));
    let observation = |(t, value): (&&Trial, f64)| Observation { point: view.space.point(&t.values), value };
    trials.iter().zip(losses).map(observation).collect()
}

/// Returns one number a trial, NaN where it failed.
fn losses(costs: &[Option<Vec<f64>>], n_objectives: usize, seed: &Seed) -> Vec<f64> {
    if n_objectives == 1 {
        return costs.iter().map(|c| c.as_ref().map_or(f64::NAN, |c| c[0])).collect();
    }
    let weights = weights(n_objectives, seed);
    let scales: Vec<(f64, f64)> =
        (0..n_objectives).map(|k| scale(costs.iter().flatten().map(|c| c[k]).collect())).collect();
    let loss = |costs: &Vec<f64>| {
        let terms = costs.iter().zip(&scales).zip(&weights).map(|((c, (least, range)), w)| w * (c - least) / range);
        let (worst, sum) = terms.fold((0.0_f64, 0.0), |(worst, sum), term| (worst.max(term), sum + term));
        worst + AUGMENTATION * sum
    };
    costs.iter().map(|c| c.as_ref().map_or(f64::NAN, loss)).collect()
}

/// Returns weights that are uniform among those of sum 1.
fn weights(n: usize, seed: &Seed) -> Vec<f64> {
    let mut rng = seed.stream("weights");
    let draws: Vec<f64> = (0..n).map(|_| -(1.0 - rng.random::<f64>()).ln()).collect();
    let sum: f64 = draws.iter().sum();
    draws.iter().map(|d| d / sum).collect()
}

/// Returns the least cost and the distance to the middle one: one diverged trial does not make the others alike.
fn scale(mut costs: Vec<f64>) -> (f64, f64) {
    costs.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (costs.first(), costs.last()) else { return (0.0, 1.0) };
    let ranges = [costs[costs.len() / 2] - least, most - least, 1.0];
    (*least, ranges.into_iter().find(|r| *r > 0.0).unwrap_or(1.0))
}
