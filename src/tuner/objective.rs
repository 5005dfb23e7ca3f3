//! Objectives: which metric, in which direction; several at once are compared by Pareto dominance.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::trial::Trial;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Small values.
    #[default]
    Min,
    /// Great values.
    Max,
}

/// A metric to make small or great.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Name of the metric.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
}

impl Objective {
    /// Returns the objective to make `metric` small.
    pub fn minimise(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), direction: Direction::Min }
    }

    /// Returns the metric's value with the sign that makes small better.
    pub fn cost(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Min => value,
            Direction::Max => -value,
        }
    }
}

/// Returns whether `a` is nowhere worse than `b` and somewhere better.
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    let mut pairs = a.iter().zip(b);
    a.iter().zip(b).all(|(a, b)| a <= b) && pairs.any(|(a, b)| a < b)
}

/// Returns the trials that no other dominates, best in the first objective first; with one objective, the best of all.
pub fn front<'a>(trials: &'a [Trial], objectives: &[Objective]) -> Vec<&'a Trial> {
    let scored: Vec<_> = trials.iter().filter_map(|t| Some((t, t.costs(objectives)?))).collect();
    let free = |costs: &Vec<f64>| !scored.iter().any(|(_, other)| dominates(other, costs));
    let mut front: Vec<_> = scored.iter().filter(|(_, costs)| free(costs)).collect();
    front.sort_by(|a, b| order(&a.1, &b.1).then(a.0.number.cmp(&b.0.number)));
    front.into_iter().map(|(t, _)| *t).collect()
}

/// Returns all completed trials, best first: by how many dominate them, then by the objectives in turn.
pub fn ranked<'a>(trials: impl IntoIterator<Item = &'a Trial>, objectives: &[Objective]) -> Vec<&'a Trial> {
    let scored: Vec<_> = trials.into_iter().filter_map(|t| Some((t, t.costs(objectives)?))).collect();
    let several = objectives.len() > 1;
    let depth =
        |costs: &Vec<f64>| scored.iter().filter(|(_, other)| several && dominates(other, costs)).count();
    let mut ranked: Vec<_> = scored.iter().map(|(t, costs)| (depth(costs), costs, *t)).collect();
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then(order(a.1, b.1)).then(a.2.number.cmp(&b.2.number)));
    ranked.into_iter().map(|(.., t)| t).collect()
}

fn order(a: &[f64], b: &[f64]) -> Ordering {
    let mut pairs = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    pairs.find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuner::trial::{Evaluation, Measurement, Status};

    fn trial(number: usize, metrics: &[(&str, f64)]) -> Trial {
        let measured = |(name, mean): &(&str, f64)| {
            ((*name).to_owned(), Measurement { mean: *mean, ..Measurement::default() })
        };
        let metrics = metrics.iter().map(measured).collect();
        let evaluation = Some(Evaluation { epoch: 1, metrics, seconds: 0.0 });
        let new = Trial::new(number, number.to_string(), [].into(), None);
        Trial { status: Status::Completed, evaluation, ..new }
    }

    #[test]
    fn the_front_has_what_nothing_beats() {
        let trials = [
            trial(0, &[("rmse", 3.0), ("r2", 0.5)]),
            trial(1, &[("rmse", 1.0), ("r2", 0.1)]),
            trial(2, &[("rmse", 2.0), ("r2", 0.5)]),
            trial(3, &[("rmse", 2.5), ("r2", 0.9)]),
            trial(4, &[("rmse", 0.5)]),
            trial(5, &[("rmse", f64::NAN), ("r2", 1.0)]),
        ];
        let both =
            [Objective::minimise("rmse"), Objective { metric: "r2".into(), direction: Direction::Max }];
        let numbers = |trials: Vec<&Trial>| trials.iter().map(|t| t.number).collect::<Vec<_>>();
        assert_eq!(numbers(front(&trials, &both)), [1, 2, 3]);
        assert_eq!(numbers(ranked(&trials, &both)), [1, 2, 3, 0]);
        assert_eq!(numbers(ranked(&trials, &both[..1])), [4, 1, 2, 3, 0]);
        assert_eq!(numbers(front(&trials, &both[..1])), [4]);
    }
}
