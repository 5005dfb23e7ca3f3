//! What oracles share that give few epochs to many trials and many to few.

use super::{Proposal, View};
use crate::tuner::objective;
use crate::tuner::trial::{Budget, Status, Trial};
use crate::tuner::value::Values;

/// Returns a trial of new values that begins with nothing.
pub(super) fn begin(values: Values, until: u32, bracket: u32) -> Proposal {
    let budget = Some(Budget { from: 0, until, bracket, round: 0, source: None });
    Proposal::Trial { values, budget }
}

/// Returns the trial that goes on from `source` in the next round.
pub(super) fn promote(source: &Trial, until: u32, bracket: u32) -> Proposal {
    let budget = source.budget.as_ref().map(|past| Budget {
        from: past.until,
        until,
        bracket,
        round: past.round + 1,
        source: Some(source.number),
    });
    Proposal::Trial { values: source.values.clone(), budget }
}

/// Returns those that may win, best first; failed trials and those without the objectives lose.
pub(super) fn ranked<'a>(trials: &[&'a Trial], view: &View<'_>) -> Vec<&'a Trial> {
    objective::ranked(trials.iter().copied(), view.objectives)
}

/// Returns the trials that may yet be among the best `places`, whatever becomes of those that run.
pub(super) fn hopeful<'a>(trials: &[&'a Trial], places: usize, view: &View<'_>) -> Vec<&'a Trial> {
    if places == 0 {
        return Vec::new();
    }
    // With several objectives a newcomer may push one that was ahead behind others.
    let n = if view.objectives.len() > 1 { trials.len() } else { places };
    let running = trials.iter().copied().filter(|t| t.status == Status::Running);
    ranked(trials, view).into_iter().take(n).chain(running).collect()
}

/// Returns the trials that running ones go on from: who takes one over begins there again.
pub(super) fn lent(view: &View<'_>) -> impl Iterator<Item = usize> {
    let running = view.trials.iter().filter(|t| t.status == Status::Running);
    running.filter_map(|t| t.budget.as_ref()?.source)
}
