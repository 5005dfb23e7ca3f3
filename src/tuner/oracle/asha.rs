//! Asynchronous successive halving: whoever is among the best of a rung goes on at once, nobody waits.
//!
//! Rung `k` ends after `min_epochs * factor^k` epochs, the last one after all epochs; a rung that would end less than a factor
//! before the end is the last one itself. A trial is promoted when it is among the best `1 / factor` of those that ended in its rung;
//! where nobody is, a new trial begins at the bottom. Failed trials count among those that ended.
//!
//! Source: `[Li2020]`, algorithm 2.

use std::collections::BTreeSet;

use super::taken::Taken;
use super::{Oracle, Proposal, View, halving, random};
use crate::tuner::trial::{Status, Trial};

/// The oracle that promotes at once.
pub(super) struct Asha;

impl Oracle for Asha {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let rungs = rungs(view);
        let promotion = rungs.windows(2).rev().find_map(|pair| {
            let rung = Rung::of(view, pair[0]);
            let best = rung.ranked.iter().take(rung.ended / factor(view));
            let next = best.into_iter().find(|t| !rung.is_promoted(t))?;
            Some(halving::promote(next, pair[1], 0))
        });
        if let Some(promotion) = promotion {
            return promotion;
        }
        let waits = view.trials.iter().any(|t| t.status == Status::Running);
        match random::draw(view, &Taken::of(view)) {
            Some(values) => halving::begin(values, rungs[0], 0),
            None if waits => Proposal::Wait,
            None => Proposal::Exhausted,
        }
    }

    fn needed(&self, view: &View<'_>) -> Vec<usize> {
        let more = view.config.trials.saturating_sub(view.trials.len());
        let mut needed: Vec<usize> = halving::lent(view).collect();
        for pair in rungs(view).windows(2) {
            let rung = Rung::of(view, pair[0]);
            // However many are still to come, who is behind the best of all of them stays there.
            let most = (rung.trials.len() + more) / factor(view);
            let hopeful = halving::hopeful(&rung.trials, most, view);
            needed.extend(hopeful.iter().filter(|t| !rung.is_promoted(t)).map(|t| t.number));
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

/// Returns the epochs after which each rung ends.
fn rungs(view: &View<'_>) -> Vec<u32> {
    let all = view.epochs.max(1);
    let factor = view.config.factor.max(2);
    let next = |epochs: &u32| epochs.checked_mul(factor);
    let powers = std::iter::successors(Some(view.config.min_epochs.max(1)), next);
    let mut rungs: Vec<u32> =
        powers.take_while(|e| e.checked_mul(factor).is_some_and(|next| next <= all)).collect();
    rungs.push(all);
    rungs
}

fn factor(view: &View<'_>) -> usize {
    view.config.factor.max(2) as usize
}

/// The trials that stop after the same number of epochs.
struct Rung<'a> {
    trials: Vec<&'a Trial>,
    /// Those that have an evaluation, best first.
    ranked: Vec<&'a Trial>,
    /// How many do not run any more.
    ended: usize,
    /// Numbers of those that went on.
    promoted: BTreeSet<usize>,
}

impl<'a> Rung<'a> {
    fn of(view: &View<'a>, until: u32) -> Self {
        let ends = |t: &&Trial| t.budget.as_ref().is_some_and(|b| b.until == until);
        let trials: Vec<&Trial> = view.trials.iter().filter(ends).collect();
        let ranked = halving::ranked(&trials, view);
        let ended = trials.iter().filter(|t| t.status != Status::Running).count();
        let promoted: BTreeSet<usize> =
            view.trials.iter().filter_map(|t| t.budget.as_ref()?.source).collect();
        Self { trials, ranked, ended, promoted }
    }

    fn is_promoted(&self, trial: &Trial) -> bool {
        self.promoted.contains(&trial.number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{Study, line};
    use super::*;
    use crate::tuner::config::OracleKind;
    use crate::tuner::trial::Budget;

    fn study(epochs: u32) -> Study {
        Study { epochs, ..Study::new(OracleKind::Asha, line()) }
    }

    fn rungs_of(epochs: u32, min_epochs: u32, factor: u32) -> Vec<u32> {
        let mut study = study(epochs);
        (study.config.min_epochs, study.config.factor) = (min_epochs, factor);
        rungs(&study.view())
    }

    fn next(study: &mut Study) -> (u32, u32, Option<usize>) {
        let number = study.begin().unwrap();
        let Budget { from, until, source, .. } = study.trials[number].budget.clone().unwrap();
        (from, until, source)
    }

    #[test]
    fn rungs_are_powers_and_the_last_is_everything() {
        assert_eq!(rungs_of(9, 1, 3), [1, 3, 9]);
        assert_eq!(rungs_of(100, 1, 3), [1, 3, 9, 27, 100]);
        assert_eq!(rungs_of(100, 5, 4), [5, 20, 100]);
        assert_eq!(rungs_of(100, 60, 3), [100]);
        assert_eq!(rungs_of(5, 7, 2), [5]);
    }

    #[test]
    fn the_best_third_goes_on_at_once() {
        // Worked through by hand after algorithm 2 of Li et al. (2020).
        let mut study = study(9);
        for number in 0..3 {
            assert_eq!(next(&mut study), (0, 1, None));
            study.end(number, Some([5.0, 3.0, 8.0][number]));
        }
        assert_eq!(next(&mut study), (1, 3, Some(1)));
        // Trial 3 runs; of 3 trials one is promoted, so a new one begins.
        assert_eq!(next(&mut study), (0, 1, None));
        study.end(4, Some(1.0));
        // Of 4 trials one may go on: it is trial 4 now.
        assert_eq!(next(&mut study), (1, 3, Some(4)));
        for number in 6..8 {
            assert_eq!(next(&mut study), (0, 1, None));
            study.end(number, Some([9.0, 4.0][number - 6]));
        }
        // Of 6 two may go on, 4 and 1, and both did.
        assert_eq!(next(&mut study), (0, 1, None));
        study.end(8, None);
        study.end(3, Some(2.0));
        study.end(5, Some(2.5));
        assert_eq!(next(&mut study), (0, 1, None));
        study.end(9, Some(7.0));
        assert_eq!(next(&mut study), (0, 1, None));
        study.end(10, Some(7.5));
        // Trial 8 failed and counts as an end: of 9 three may go on, and the third is trial 7.
        assert_eq!(next(&mut study), (1, 3, Some(7)));
        study.end(11, Some(6.0));
        // Trials 3, 5 and 11 ended in the second rung; the best of them goes to the top.
        assert_eq!(next(&mut study), (3, 9, Some(3)));

        let needed = |study: &Study| super::super::create(OracleKind::Asha).needed(&study.view());
        study.config.trials = 40;
        assert_eq!(needed(&study), [0, 2, 3, 5, 6, 9, 10, 11]);
        // Nothing more will begin: only what trial 12 goes on from.
        study.config.trials = 13;
        assert_eq!(needed(&study), [3]);
    }
}
