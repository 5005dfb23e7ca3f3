//! Random search: uniform in the unit cube, nothing twice.

use rand::RngExt;

use super::lattice::Lattice;
use super::taken::Taken;
use super::{Oracle, Proposal, View};
use crate::tuner::value::Values;

/// Draws before the points that are left are gone through one by one; more only where what is left is rare.
const DRAWS: usize = 1000;

/// The oracle of chance.
pub(super) struct Random;

impl Oracle for Random {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let drawn = draw(view, &Taken::of(view));
        drawn.map_or(Proposal::Exhausted, |values| Proposal::Trial { values, budget: None })
    }
}

/// Returns values that no trial has; `None` when there are none left.
pub(super) fn draw(view: &View<'_>, taken: &Taken<'_>) -> Option<Values> {
    let mut rng = view.seed.child(view.trials.len()).stream("random");
    let mut values = Values::new();
    for _ in 0..DRAWS {
        let point: Vec<f64> = view.space.params.iter().map(|_| rng.random()).collect();
        values = view.space.values(&point);
        if !taken.has(&values) {
            return Some(values);
        }
    }
    // Among taken + 1 neighbours one is free, if any is: this ends soon however large the space.
    let lattice = Lattice::every(view.space)?;
    lattice.free(&lattice.node(&values)?, taken)
}
