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

#[cfg(test)]
mod tests {
    use super::super::contract::{Study, mixed, small};
    use crate::tuner::config::OracleKind;
    use crate::tuner::value::Value;

    #[test]
    fn the_last_parameter_turns_first_and_the_rest_follows() {
        let mut study = Study::new(OracleKind::Grid, small());
        study.run(10, |t| (t.number != 2).then_some(1.0));
        let shown = |name: &str| -> Vec<String> {
            let text = |v: Option<&Value>| v.map_or("-".into(), ToString::to_string);
            study.trials.iter().map(|t| text(t.values.get(name))).collect()
        };
        assert_eq!(shown("kind").concat(), "abbbbbb");
        assert_eq!(shown("n").concat(), "-112233");
        assert_eq!(shown("with").join(" "), "- false true false true false true");
    }

    #[test]
    fn what_another_oracle_left_out_is_made_up_for() {
        let mut study = Study::new(OracleKind::Random, small());
        study.run(4, |_| Some(1.0));
        study.kind = OracleKind::Grid;
        study.run(10, |_| Some(1.0));
        assert_eq!(study.trials.len(), 7);
    }

    #[test]
    fn a_large_grid_is_gone_into_step_by_step() {
        let mut study = Study::new(OracleKind::Grid, mixed());
        study.config.levels = 1000;
        study.run(1500, |_| Some(1.0));
        let rate = |i: usize| study.trials[i].values["rate"].as_f64().unwrap();
        assert!((rate(0) - 1e-4).abs() < 1e-12 && (rate(999) - 0.1).abs() < 1e-12);
        assert_eq!(study.trials[999].values["batch"], study.trials[0].values["batch"]);
        assert_ne!(study.trials[1000].values["batch"], study.trials[0].values["batch"]);
    }
}
