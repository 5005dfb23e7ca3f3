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

#[cfg(test)]
mod tests {
    use super::super::contract::{Study, mixed};
    use crate::tuner::config::OracleKind;
    use crate::tuner::value::Value;

    #[test]
    fn all_is_equally_likely() {
        let mut study = Study::new(OracleKind::Random, mixed());
        study.run(400, |_| None);
        let count = |wanted: &dyn Fn(&Value) -> bool, name: &str| {
            let hits = study.trials.iter().filter(|t| t.values.get(name).is_some_and(wanted)).count();
            hits as f64 / 400.0
        };
        let below = |limit: f64| move |v: &Value| v.as_f64().is_some_and(|v| v < limit);
        // The middle of 1e-4 to 1e-1 on a logarithmic scale, one of three, one of two, and what one of three switches on.
        let sqrt = 10_f64.powf(-2.5);
        let shares = [
            (count(&below(sqrt), "rate"), 0.5),
            (count(&|v| *v == Value::Text("conv".into()), "arch"), 1.0 / 3.0),
            (count(&|v| *v == Value::Bool(true), "norm"), 0.5),
            (count(&|_| true, "gate"), 1.0 / 3.0),
        ];
        // Three standard deviations of a share of 400.
        assert!(shares.iter().all(|(found, expected)| (found - expected).abs() < 0.075), "{shares:?}");
    }
}
