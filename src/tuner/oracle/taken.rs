//! Which points of a space were proposed before, so that none is proposed twice.

use std::collections::BTreeSet;

use super::View;
use crate::tuner::space::Space;
use crate::tuner::value::Values;

/// Points of all trials, whoever proposed them and whatever came of them.
pub(super) struct Taken<'a> {
    space: &'a Space,
    points: BTreeSet<Vec<u64>>,
}

impl<'a> Taken<'a> {
    /// Returns the points of the view's trials.
    pub(super) fn of(view: &View<'a>) -> Self {
        let points = view.trials.iter().map(|t| bits(&view.space.point(&t.values))).collect();
        Self { space: view.space, points }
    }

    /// Returns whether a trial has these values.
    pub(super) fn has(&self, values: &Values) -> bool {
        self.points.contains(&bits(&self.space.point(values)))
    }
}

/// Returns what equal points share: 3 and 3.0 of a whole number, 0.3 and the 0.30000000000000004 of Python.
fn bits(point: &[f64]) -> Vec<u64> {
    point.iter().map(|u| if u.is_nan() { u64::MAX } else { u.to_bits() }).collect()
}
