//! Grid search: every combination of levels, the last parameter fastest.
//!
//! A parameter without steps gets `levels` values over its scale, ends included; the others give all of theirs.

use super::lattice::Lattice;
use super::taken::Taken;
use super::{Oracle, Proposal, View};
use crate::tuner::trial::Origin;

/// The oracle of all combinations.
pub(super) struct Grid;

impl Oracle for Grid {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let lattice = Lattice::spread(view.space, view.config.levels);
        let proposed = view.trials.iter().rev().filter(|t| t.origin == Origin::Proposed);
        let last = proposed.into_iter().find_map(|t| lattice.node(&t.values));
        let start = last.and_then(|node| lattice.next(&node)).unwrap_or_else(|| lattice.first());
        let free = lattice.free(&start, &Taken::of(view));
        free.map_or(Proposal::Exhausted, |values| Proposal::Trial { values, budget: None })
    }
}
