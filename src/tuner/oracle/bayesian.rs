//! Bayesian search: points spread evenly at first, then where a Gaussian process expects the greatest improvement.
//!
//! Trials that run count at what the process expects of them, failed ones as bad. Several objectives become one by weights that
//! are drawn anew for each proposal: the augmented Chebyshev norm of `[Knowles2006]`, so that the proposals spread over
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

/// Weight of the sum of the objectives beside the greatest; `rho` of `[Knowles2006]`.
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
        let terms =
            costs.iter().zip(&scales).zip(&weights).map(|((c, (least, range)), w)| w * (c - least) / range);
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

#[cfg(test)]
mod tests {
    use super::super::contract::{Study, line, mixed, param};
    use super::*;
    use crate::tuner::config::OracleKind;
    use crate::tuner::objective::{self, Objective};
    use crate::tuner::trial::Budget;
    use crate::tuner::value::Value;

    fn study(space: Space) -> Study {
        Study::new(OracleKind::Bayesian, space)
    }

    fn x(study: &Study) -> f64 {
        let Proposal::Trial { values, .. } = study.ask() else { panic!() };
        values["x"].as_f64().unwrap()
    }

    fn at(x: f64) -> Values {
        [("x".to_owned(), Value::Float(x))].into()
    }

    #[test]
    fn the_first_points_are_spread() {
        let mut study = study(line());
        study.config.initial = Some(16);
        study.run(16, |_| Some(0.0));
        let mut sixteenths: Vec<usize> =
            study.trials.iter().map(|t| (t.values["x"].as_f64().unwrap() * 16.0) as usize).collect();
        sixteenths.sort_unstable();
        assert_eq!(sixteenths, (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn the_default_is_eight_or_twice_what_varies() {
        assert_eq!(initial(&study(line()).view()), 8);
        assert_eq!(initial(&study(mixed()).view()), 2 * 9);
    }

    #[test]
    fn what_others_observed_counts() {
        let mut study = study(line());
        for i in 0..8 {
            let x = f64::from(i) / 7.0;
            study.observe(at(x), Some((x - 0.6).powi(2)));
        }
        assert!((x(&study) - 0.6).abs() < 0.05, "{}", x(&study));
        // A greater cost is better where the objective says so.
        study.objectives = vec![Objective { metric: "loss".into(), direction: objective::Direction::Max }];
        assert!(x(&study) < 0.1, "{}", x(&study));
    }

    #[test]
    fn trials_cut_short_say_nothing() {
        let mut study = study(line());
        for i in 0..8 {
            let x = f64::from(i) / 7.0;
            study.observe(at(x), Some((x - 0.6).powi(2)));
        }
        let known = observed(&study.view());
        study.observe(at(0.33), Some(-100.0));
        assert_ne!(observed(&study.view()), known);
        study.trials[8].budget = Some(Budget { from: 0, until: 3, bracket: 0, round: 0, source: None });
        assert_eq!(observed(&study.view()), known);
        study.epochs = 3;
        assert_eq!(observed(&study.view()).len(), 9);
    }

    #[test]
    fn failures_repel() {
        let mut study = study(line());
        for i in 0..10 {
            let x = f64::from(i) / 9.0;
            study.observe(at(x), (x < 0.5).then(|| (x - 0.6).powi(2)));
        }
        assert!(x(&study) < 0.56, "{}", x(&study));
    }

    #[test]
    fn several_objectives_are_spread_over_the_front() {
        // x is the trade: the front is all x, at y = 0.
        let y = Domain::Float { min: 0.0, max: 1.0, step: None, scale: Scale::Linear };
        let mut space = line();
        space.params.push(param("y", y, &[]));
        let mut study = study(space);
        study.objectives = vec![Objective::minimise("left"), Objective::minimise("right")];
        for _ in 0..32 {
            let number = study.begin().unwrap();
            let at = |name| study.trials[number].values[name].as_f64().unwrap();
            let (left, right) = (at("x").powi(2) + at("y"), (at("x") - 1.0).powi(2) + at("y"));
            study.end_with(number, Some(vec![("left", left), ("right", 1e3 * right)]));
        }
        let front: Vec<f64> = study.trials[8..]
            .iter()
            .filter(|t| t.values["y"].as_f64().unwrap() < 0.02)
            .map(|t| t.values["x"].as_f64().unwrap())
            .collect();
        let thirds: Vec<usize> =
            (0..3).map(|k| front.iter().filter(|x| (**x * 3.0) as usize == k).count()).collect();
        assert!(front.len() > 12 && thirds.iter().all(|n| *n > 1), "{front:?}");
    }

    #[test]
    fn weights_are_even_on_average_and_sum_to_one() {
        let root = Seed::new(0);
        let drawn: Vec<Vec<f64>> = (0..4000).map(|i| weights(3, &root.child(i))).collect();
        assert!(drawn.iter().all(|w| (w.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        // The uniform distribution on the triangle has mean 1/3 and second moment 1/6 in each corner.
        for k in 0..3 {
            let moment = |p: i32| drawn.iter().map(|w| w[k].powi(p)).sum::<f64>() / 4000.0;
            assert!((moment(1) - 1.0 / 3.0).abs() < 0.01 && (moment(2) - 1.0 / 6.0).abs() < 0.01);
        }
    }

    #[test]
    fn one_that_diverged_does_not_make_the_others_alike() {
        assert_eq!(scale(vec![3.0, 1.0, 1e9, 2.0, 4.0]), (1.0, 2.0));
        assert_eq!(scale(vec![1.0, 1.0, 1.0, 5.0]), (1.0, 4.0));
        assert_eq!(scale(vec![2.0]), (2.0, 1.0));
    }

    #[test]
    fn a_coordinate_is_what_its_levels_are() {
        let of = |name: &str| dimension(&mixed().params.iter().find(|p| p.name == name).unwrap().domain);
        assert_eq!(of("layers"), Dimension::Ordinal(3));
        assert_eq!(of("arch"), Dimension::Categorical(3));
        assert_eq!(of("norm"), Dimension::Categorical(2));
        assert_eq!(of("dropout"), Dimension::Ordinal(5));
        assert_eq!(of("rate"), Dimension::Continuous);
        assert_eq!(of("batch"), Dimension::Continuous);
        assert_eq!(of("task"), Dimension::Constant);
        let many = Domain::Int { min: 1, max: 100, step: 1, scale: Scale::Linear };
        assert_eq!(dimension(&many), Dimension::Continuous);
    }
}
