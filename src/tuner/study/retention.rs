//! Retention: which trials keep what training left in their folders, so that a long search does not fill the disk.

use std::collections::BTreeSet;

use super::Study;
use crate::tuner::objective;
use crate::tuner::trial::Trial;

/// Returns the trials whose checkpoints nobody needs: not among the best `keep`, not `needed`, no running trial's source.
///
/// Only trials whose checkpoints are there compete: what is once surpassed never comes back, so they rank as in the
/// whole study.
pub(super) fn spare(study: &Study, needed: &[usize]) -> Vec<usize> {
    let holding: Vec<Trial> = study.state.holding.iter().map(|n| study.trials()[*n].clone()).collect();
    let best = objective::ranked(&holding, study.objectives());
    let mut keep: BTreeSet<usize> = best.iter().take(study.config().keep).map(|t| t.number).collect();
    keep.extend(needed);
    keep.extend(sources(study));
    study.state.holding.difference(&keep).copied().collect()
}

/// Returns the trials from which running ones go on.
fn sources(study: &Study) -> impl Iterator<Item = usize> {
    let state = &study.state;
    let running = state.leases.values().flat_map(|l| &l.trials).chain(&state.unclaimed);
    running.filter_map(|n| state.trials[*n].budget.as_ref()?.source)
}
