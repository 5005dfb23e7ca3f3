//! Hyperband: brackets of successive halving, from many short trials to few long ones.
//!
//! Sizes, epochs and order are those of Keras Tuner, so that either program continues what the other began:
//! ```text
//! size(bracket, round)   = ceil(ceil(1 + log_factor(max_epochs)) / (bracket + 1) * factor^(bracket - round))
//! epochs(bracket, round) = ceil(max_epochs / factor^(bracket - round))
//! ```
//! A bracket has `bracket + 1` rounds; brackets go down to 0. The best of a round go on as new trials as soon as more have
//! ended than will be thrown out. While a round is waited for, the next bracket begins. Failed trials lose; where a
//! round ends with fewer trials than were planned, the later rounds are smaller.
//!
//! Source: `[Li2018]`, with the rounding of Keras Tuner.

use std::collections::{BTreeMap, BTreeSet};

use super::taken::Taken;
use super::{Oracle, Proposal, View, halving, random};
use crate::tuner::trial::{Status, Trial};

/// The oracle of brackets.
pub(super) struct Hyperband;

impl Oracle for Hyperband {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let plan = Plan::of(view);
        let mut dry = false;
        let brackets = plan.brackets(view);
        for bracket in &brackets {
            if bracket.rounds[0].len() < plan.size(bracket.number, 0) && !dry {
                match random::draw(view, &Taken::of(view)) {
                    Some(values) => {
                        return halving::begin(values, plan.epochs(bracket.number, 0), bracket.number);
                    }
                    None => dry = true,
                }
            }
            if let Some(proposal) = bracket.promotion(&plan, view, dry) {
                return proposal;
            }
        }
        let trials = brackets.iter().flat_map(|b| b.rounds.iter().flatten());
        let waits = trials.into_iter().any(|t| t.status == Status::Running);
        if waits { Proposal::Wait } else { Proposal::Exhausted }
    }

    fn planned(&self, view: &View<'_>) -> Option<usize> {
        let plan = Plan::of(view);
        let bracket = |b: u32| (0..=b as usize).map(|round| plan.size(b, round)).sum::<usize>();
        Some(plan.iterations as usize * (0..plan.n_brackets()).map(bracket).sum::<usize>())
    }

    fn needed(&self, view: &View<'_>) -> Vec<usize> {
        let plan = Plan::of(view);
        let mut needed: Vec<usize> = halving::lent(view).collect();
        for bracket in plan.brackets(view) {
            for round in 1..bracket.rounds.len() {
                let places = plan.size(bracket.number, round).saturating_sub(bracket.rounds[round].len());
                let rest = bracket.rest(round - 1);
                needed.extend(halving::hopeful(&rest, places, view).iter().map(|t| t.number));
            }
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

/// Sizes and epochs of all brackets.
struct Plan {
    epochs: u32,
    min_epochs: u32,
    factor: u32,
    iterations: u32,
}

/// A bracket so far.
struct Bracket<'a> {
    number: u32,
    /// Trials of each round.
    rounds: Vec<Vec<&'a Trial>>,
}

impl Plan {
    fn of(view: &View<'_>) -> Self {
        let epochs = view.epochs.max(1);
        let min_epochs = view.config.min_epochs.clamp(1, epochs);
        Self {
            epochs,
            min_epochs,
            factor: view.config.factor.max(2),
            iterations: view.config.iterations.max(1),
        }
    }

    /// Returns how often the epochs can be divided before they are fewer than the least.
    fn n_brackets(&self) -> u32 {
        let divided = |epochs: &f64| Some(epochs / f64::from(self.factor));
        let enough = |epochs: &f64| *epochs >= f64::from(self.min_epochs);
        std::iter::successors(Some(f64::from(self.epochs)), divided).take_while(enough).count() as u32
    }

    /// Returns the trials of a round.
    fn size(&self, bracket: u32, round: usize) -> usize {
        let last = (1.0 + f64::from(self.epochs).ln() / f64::from(self.factor).ln()).ceil();
        (last / f64::from(bracket + 1) * self.divisor(bracket, round)).ceil() as usize
    }

    /// Returns the epochs after which a round stops.
    fn epochs(&self, bracket: u32, round: usize) -> u32 {
        (f64::from(self.epochs) / self.divisor(bracket, round)).ceil() as u32
    }

    fn divisor(&self, bracket: u32, round: usize) -> f64 {
        (round..bracket as usize).map(|_| f64::from(self.factor)).product()
    }

    /// Returns all brackets in their order with the trials that they have.
    ///
    /// A trial of other epochs than its round's was made under other settings and belongs nowhere.
    fn brackets<'a>(&self, view: &View<'a>) -> Vec<Bracket<'a>> {
        let numbers = (0..self.iterations).flat_map(|_| (0..self.n_brackets()).rev());
        let mut brackets: Vec<Bracket<'a>> = numbers.map(Bracket::new).collect();
        let mut homes = BTreeMap::new();
        for trial in view.trials {
            let Some(budget) = &trial.budget else { continue };
            let round = budget.round as usize;
            let fits = |b: &Bracket| round < b.rounds.len() && self.epochs(b.number, round) == budget.until;
            let home = match budget.source {
                Some(source) => homes.get(&source).copied(),
                None => brackets.iter().position(|b| {
                    b.number == budget.bracket && round == 0 && b.rounds[0].len() < self.size(b.number, 0)
                }),
            };
            if let Some(home) = home.filter(|home| fits(&brackets[*home])) {
                homes.insert(trial.number, home);
                brackets[home].rounds[round].push(trial);
            }
        }
        brackets
    }
}

impl<'a> Bracket<'a> {
    fn new(number: u32) -> Self {
        Self { number, rounds: vec![Vec::new(); number as usize + 1] }
    }

    /// Returns the trials of a round that were not promoted.
    fn rest(&self, round: usize) -> Vec<&'a Trial> {
        let source = |t: &&Trial| t.budget.as_ref().and_then(|b| b.source);
        let promoted: BTreeSet<usize> = self.rounds[round + 1].iter().filter_map(source).collect();
        self.rounds[round].iter().copied().filter(|t| !promoted.contains(&t.number)).collect()
    }

    /// Returns the next promotion, if one is due; `dry` says that there are no new values for its first round.
    fn promotion(&self, plan: &Plan, view: &View<'_>, dry: bool) -> Option<Proposal> {
        let mut complete = dry || self.rounds[0].len() >= plan.size(self.number, 0);
        for round in 1..self.rounds.len() {
            let rest = self.rest(round - 1);
            let n_past =
                if complete { self.rounds[round - 1].len() } else { plan.size(self.number, round - 1) };
            let (size, ended) =
                (plan.size(self.number, round), rest.iter().filter(|t| t.status != Status::Running).count());
            let places = size.saturating_sub(self.rounds[round].len());
            let best = halving::ranked(&rest, view).first().copied();
            if let Some(best) = best.filter(|_| places > 0 && ended > n_past.saturating_sub(size)) {
                return Some(halving::promote(best, plan.epochs(self.number, round), self.number));
            }
            complete = places == 0 || (complete && best.is_none() && ended == rest.len());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{Study, line};
    use super::*;
    use crate::tuner::config::OracleKind;
    use crate::tuner::objective::Objective;

    /// Bracket, round, first and last epoch, source.
    type Row = (u32, u32, u32, u32, isize);

    fn study(epochs: u32) -> Study {
        Study { epochs, ..Study::new(OracleKind::Hyperband, line()) }
    }

    fn plan(epochs: u32, min_epochs: u32, factor: u32) -> Plan {
        Plan { epochs, min_epochs, factor, iterations: 1 }
    }

    fn sizes(plan: &Plan) -> Vec<Vec<(usize, u32)>> {
        let rounds = |b: u32| (0..=b as usize).map(|r| (plan.size(b, r), plan.epochs(b, r))).collect();
        (0..plan.n_brackets()).rev().map(rounds).collect()
    }

    /// Runs to the end with so many workers; after an odd number of proposals the newest trial ends first, else the oldest.
    fn run(mut study: Study, n_workers: usize, cost: impl Fn(usize) -> Option<f64>) -> Study {
        let mut running = Vec::new();
        loop {
            while running.len() < n_workers {
                let Some(number) = study.begin() else { break };
                running.push(number);
            }
            if running.is_empty() {
                return study;
            }
            let next = if study.trials.len() % 2 == 1 { running.len() - 1 } else { 0 };
            let number = running.remove(next);
            study.end(number, cost(number));
        }
    }

    fn rows(study: &Study) -> Vec<Row> {
        let budget = |t: &Trial| t.budget.clone().unwrap();
        let source = |t: &Trial| budget(t).source.map_or(-1, usize::cast_signed);
        let row =
            |t: &Trial| (budget(t).bracket, budget(t).round, budget(t).from, budget(t).until, source(t));
        study.trials.iter().map(row).collect()
    }

    fn scrambled(number: usize) -> f64 {
        (number * 7919 % 101) as f64 / 101.0
    }

    #[test]
    fn brackets_have_keras_tuners_sizes_and_epochs() {
        // keras-tuner 1.4.8, HyperbandOracle: (trials, epochs) of each round.
        assert_eq!(sizes(&plan(9, 1, 3)), [vec![(9, 1), (3, 3), (1, 9)], vec![(5, 3), (2, 9)], vec![(3, 9)]]);
        let hundred = sizes(&plan(100, 1, 3));
        assert_eq!(hundred[0], [(98, 2), (33, 4), (11, 12), (4, 34), (2, 100)]);
        let counts: Vec<Vec<usize>> =
            hundred[1..].iter().map(|b| b.iter().map(|(n, _)| *n).collect()).collect();
        assert_eq!(counts, [vec![41, 14, 5, 2], vec![18, 6, 2], vec![9, 3], vec![6]]);
        assert_eq!(hundred.iter().flatten().map(|(n, _)| n).sum::<usize>(), 254);
        // log_5(15625) is a little above 6 in Python too: its last round has 8 trials, not 7.
        assert_eq!(sizes(&plan(15_625, 1, 5)).last().unwrap(), &[(8, 15_625)]);
    }

    #[test]
    fn no_round_is_shorter_than_the_least_epochs() {
        assert_eq!(sizes(&plan(100, 10, 3)).iter().map(|b| b[0].1).collect::<Vec<_>>(), [12, 34, 100]);
        assert_eq!(sizes(&plan(9, 9, 3)), [[(3, 9)]]);
    }

    #[test]
    fn one_worker_runs_what_keras_tuner_runs() {
        // keras-tuner 1.4.8, HyperbandOracle(max_epochs=9, factor=3) with the scores of `scrambled`, one worker.
        let mut expected: Vec<Row> = vec![(2, 0, 0, 1, -1); 9];
        expected.extend([(2, 1, 1, 3, 0), (2, 1, 1, 3, 5), (2, 1, 1, 3, 3), (2, 2, 3, 9, 10)]);
        expected.extend([(1, 0, 0, 3, -1); 5]);
        expected.extend([(1, 1, 3, 9, 15), (1, 1, 3, 9, 13)]);
        expected.extend([(0, 0, 0, 9, -1); 3]);
        let study = run(study(9), 1, |n| Some(scrambled(n)));
        assert_eq!(rows(&study), expected);
        assert_eq!(super::super::create(OracleKind::Hyperband).planned(&study.view()), Some(23));
        let same_values = |t: &Trial| {
            t.budget.as_ref().unwrap().source.is_none_or(|source| study.trials[source].values == t.values)
        };
        assert!(study.trials.iter().all(same_values));
        assert_eq!(run(self::study(100), 1, |n| Some(scrambled(n))).trials.len(), 254);
    }

    #[test]
    fn three_workers_run_what_keras_tuner_runs() {
        // As above with three workers; Keras Tuner notes the bracket begun last (1, 1, 0, 0), not the trial's (2, 2, 1, 1).
        let mut expected: Vec<Row> = vec![(2, 0, 0, 1, -1); 9];
        let begin = |bracket, until| (bracket, 0, 0, until, -1);
        expected.extend([(2, 1, 1, 3, 0), (2, 1, 1, 3, 5), begin(1, 3), (2, 1, 1, 3, 3), begin(1, 3)]);
        expected.extend([(2, 2, 3, 9, 10), begin(1, 3), begin(1, 3), begin(1, 3), begin(0, 9), begin(0, 9)]);
        expected.extend([(1, 1, 3, 9, 15), begin(0, 9), (1, 1, 3, 9, 13)]);
        assert_eq!(rows(&run(study(9), 3, |n| Some(scrambled(n)))), expected);
    }

    #[test]
    fn failed_trials_lose_and_the_search_ends() {
        let failing = |number: usize| (!number.is_multiple_of(3)).then(|| scrambled(number));
        let study = run(study(9), 1, failing);
        let rows = rows(&study);
        assert_eq!(rows[..9], vec![(2, 0, 0, 1, -1); 9]);
        assert_eq!(rows[9..12].iter().map(|r| r.4).collect::<Vec<_>>(), [5, 8, 1]);
        // Trials 9 and 12 fail too.
        assert_eq!(rows[12].4, 10);
        assert!(rows.iter().all(|r| r.4 % 3 != 0) && rows.len() == 23, "{rows:?}");
        assert_eq!(run(self::study(9), 2, |_| None).trials.len(), 9 + 5 + 3);
        // Of nine only two give a result: round 1 has two trials and the last round still one.
        let rare = |number: usize| ([2, 4].contains(&number) || number > 8).then(|| scrambled(number));
        let few = self::rows(&run(self::study(9), 1, rare));
        assert_eq!(few[9..12], [(2, 1, 1, 3, 4), (2, 1, 1, 3, 2), (2, 2, 3, 9, 10)]);
    }

    #[test]
    fn it_waits_only_when_nothing_else_can_begin() {
        let mut study = study(9);
        for _ in 0..9 + 5 + 3 {
            study.begin().unwrap();
        }
        assert_eq!(study.ask(), Proposal::Wait);
        for number in 0..6 {
            study.end(number, Some(number as f64));
        }
        assert_eq!(study.ask(), Proposal::Wait);
        study.end(6, Some(6.0));
        assert!(matches!(study.ask(), Proposal::Trial { budget: Some(b), .. } if b.source == Some(0)));
    }

    #[test]
    fn what_may_be_promoted_is_needed() {
        let oracle = super::super::create(OracleKind::Hyperband);
        let mut study = study(9);
        for number in 0..9 {
            study.begin().unwrap();
            study.end(number, Some(number as f64));
        }
        assert_eq!(oracle.needed(&study.view()), [0, 1, 2]);
        // Trial 0 was promoted and runs as trial 9, which may be killed and begin there anew.
        assert_eq!(study.begin(), Some(9));
        assert_eq!(oracle.needed(&study.view()), [0, 1, 2, 9]);
        study.end(9, Some(0.0));
        assert_eq!(oracle.needed(&study.view()), [1, 2, 9]);
        // A newcomer that beats one of two objectives may push trial 1 behind trial 3.
        let mut both = self::study(9);
        both.objectives.push(Objective::minimise("size"));
        for number in 0..4 {
            both.begin().unwrap();
            both.end_with(number, Some(vec![("loss", number as f64), ("size", 1.0)]));
        }
        assert_eq!(oracle.needed(&both.view()), [0, 1, 2, 3]);
        let finished = run(self::study(9), 1, |n| Some(scrambled(n)));
        assert_eq!(oracle.needed(&finished.view()), [0; 0]);
    }
}
