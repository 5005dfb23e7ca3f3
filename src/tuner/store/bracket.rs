//! Hyperband's brackets as Keras Tuner keeps them, laid out from the budgets of our trials.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::tuner::config::{OracleKind, TunerConfig};
use crate::tuner::trial::{Budget, Trial};

/// State of Keras Tuner's Hyperband.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Brackets {
    /// Brackets that are not complete, in the order in which they began.
    #[serde(rename = "brackets")]
    pub(super) list: Vec<Bracket>,
    /// Number of the bracket begun last; they count down.
    pub(super) current_bracket: u32,
    /// Times that all brackets were begun before, from 0.
    pub(super) current_iteration: u32,
}

/// One bracket: rounds of ever fewer trials with ever more epochs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bracket {
    #[serde(rename = "bracket_num")]
    num: u32,
    #[serde(skip)]
    iteration: u32,
    rounds: Vec<Vec<Place>>,
}

/// A trial in a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Place {
    past_id: Option<String>,
    id: String,
}

/// Sizes of Keras Tuner's brackets.
#[derive(Debug, Clone, Copy)]
struct Plan {
    epochs: f64,
    min_epochs: f64,
    factor: f64,
}

impl Brackets {
    /// Returns where the trials of a Hyperband search stand; the beginning of one for other searches.
    pub(super) fn new(trials: &[Trial], config: &TunerConfig, epochs: u32) -> Self {
        let plan = Plan {
            epochs: f64::from(epochs.max(1)),
            min_epochs: f64::from(config.min_epochs.max(1)),
            factor: f64::from(config.factor.max(2)),
        };
        let mut list = Vec::new();
        let mut bracket_of = BTreeMap::new();
        let deals = config.oracle == OracleKind::Hyperband;
        for trial in trials.iter().filter(|_| deals) {
            let Some(budget) = &trial.budget else { continue };
            let Some(idx) = bracket_idx(&mut list, budget, plan, &bracket_of) else { continue };
            let Some(round) = list[idx].rounds.get_mut(budget.round as usize) else { continue };
            let past_id = budget.source.and_then(|n| trials.get(n)).map(|t| t.id.clone());
            round.push(Place { past_id, id: trial.id.clone() });
            bracket_of.insert(trial.number, idx);
        }
        list.sort_by_key(|b| (b.iteration, u32::MAX - b.num));
        if list.is_empty() {
            list.push(Bracket::new(plan.count() - 1, 0));
        }
        let last = &list[list.len() - 1];
        let (current_bracket, current_iteration) = (last.num, last.iteration);
        list.retain(|b| b.rounds.last().is_none_or(|last| last.len() < plan.size(b.num, b.num)));
        Self { list, current_bracket, current_iteration }
    }
}

/// Returns the bracket that a trial belongs to: that of its source, or the first of its number with room.
fn bracket_idx(
    list: &mut Vec<Bracket>,
    budget: &Budget,
    plan: Plan,
    bracket_of: &BTreeMap<usize, usize>,
) -> Option<usize> {
    if let Some(source) = budget.source {
        return bracket_of.get(&source).copied();
    }
    if budget.round > 0 || budget.bracket >= plan.count() {
        return None;
    }
    let same = |b: &Bracket| b.num == budget.bracket;
    let room = list.iter().position(|b| same(b) && b.rounds[0].len() < plan.size(budget.bracket, 0));
    Some(room.unwrap_or_else(|| {
        let iteration = list.iter().filter(|b| same(b)).count() as u32;
        list.push(Bracket::new(budget.bracket, iteration));
        list.len() - 1
    }))
}

impl Bracket {
    fn new(num: u32, iteration: u32) -> Self {
        Self { num, iteration, rounds: vec![Vec::new(); num as usize + 1] }
    }
}

impl Plan {
    /// Returns how often the epochs can be divided before fewer than the least are left.
    fn count(self) -> u32 {
        let (mut epochs, mut count) = (self.epochs, 0);
        while epochs >= self.min_epochs {
            epochs /= self.factor;
            count += 1;
        }
        count.max(1)
    }

    fn size(self, bracket: u32, round: u32) -> usize {
        let last = (1.0 + self.epochs.ln() / self.factor.ln()).ceil() / f64::from(bracket + 1);
        (last * self.factor.powf(f64::from(bracket) - f64::from(round))).ceil() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuner::value::Values;

    fn plan(epochs: f64, factor: f64) -> Plan {
        Plan { epochs, min_epochs: 1.0, factor }
    }

    #[test]
    fn sizes_are_those_of_keras_tuner() {
        // keras_tuner 1.4.8: _get_num_brackets and _get_size of HyperbandOracle(max_epochs, factor).
        let sizes = |plan: Plan, b: u32| (0..=b).map(|r| plan.size(b, r)).collect::<Vec<_>>();
        let small = plan(9.0, 3.0);
        assert_eq!(small.count(), 3);
        assert_eq!([sizes(small, 2), sizes(small, 1), sizes(small, 0)], [vec![9, 3, 1], vec![5, 2], vec![3]]);
        let large = plan(100.0, 3.0);
        assert_eq!((large.count(), sizes(large, 4)), (5, vec![98, 33, 11, 4, 2]));
    }

    #[test]
    fn a_full_bracket_is_done_with_and_the_next_iteration_follows() {
        let config = TunerConfig { oracle: OracleKind::Hyperband, ..TunerConfig::default() };
        let budget = |bracket, round, source| Budget { from: 0, until: 1, bracket, round, source };
        let trial =
            |number: usize, budget| Trial::new(number, format!("{number:04}"), Values::new(), Some(budget));
        let mut trials: Vec<Trial> = (0..4).map(|n| trial(n, budget(0, 0, None))).collect();
        trials.push(trial(4, budget(2, 0, None)));
        trials.push(trial(5, budget(2, 1, Some(4))));
        let brackets = Brackets::new(&trials, &config, 9);
        let shape: Vec<_> = brackets.list.iter().map(|b| (b.iteration, b.num, b.rounds[0].len())).collect();
        assert_eq!(shape, [(0, 2, 1), (1, 0, 1)]);
        assert_eq!((brackets.current_bracket, brackets.current_iteration), (0, 1));
        let promoted = &brackets.list[0].rounds[1][0];
        assert_eq!((promoted.past_id.as_deref(), promoted.id.as_str()), (Some("0004"), "0005"));
        let none = Brackets::new(&trials, &TunerConfig::default(), 9);
        assert_eq!((none.list.len(), none.current_bracket, none.list[0].rounds.len()), (1, 2, 3));
    }
}
