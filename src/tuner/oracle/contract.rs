//! What every oracle keeps to: one suite over all kinds, and the study in memory that it runs on.

use std::collections::BTreeSet;

use super::{Proposal, View, create};
use crate::seed::Seed;
use crate::tuner::config::{OracleKind, TunerConfig};
use crate::tuner::objective::Objective;
use crate::tuner::space::{self, Condition, Domain, Param, Scale, Space};
use crate::tuner::trial::{Evaluation, Measurement, Origin, Status, Trial};
use crate::tuner::value::{Value, Values};

const KINDS: [OracleKind; 5] =
    [OracleKind::Random, OracleKind::Grid, OracleKind::Bayesian, OracleKind::Hyperband, OracleKind::Asha];

/// A study in memory.
#[derive(Clone)]
pub(in crate::tuner) struct Study {
    pub(in crate::tuner) kind: OracleKind,
    pub(in crate::tuner) space: Space,
    pub(in crate::tuner) objectives: Vec<Objective>,
    pub(in crate::tuner) config: TunerConfig,
    pub(in crate::tuner) epochs: u32,
    pub(in crate::tuner) seed: Seed,
    pub(in crate::tuner) trials: Vec<Trial>,
}

impl Study {
    pub(in crate::tuner) fn new(kind: OracleKind, space: Space) -> Self {
        let objectives = vec![Objective::minimise("loss")];
        let config = TunerConfig { oracle: kind, ..TunerConfig::default() };
        Self { kind, space, objectives, config, epochs: 9, seed: Seed::new(0), trials: Vec::new() }
    }

    pub(in crate::tuner) fn view(&self) -> View<'_> {
        View {
            space: &self.space,
            objectives: &self.objectives,
            config: &self.config,
            epochs: self.epochs,
            trials: &self.trials,
            seed: &self.seed,
        }
    }

    /// Asks an oracle that has seen nothing before.
    pub(in crate::tuner) fn ask(&self) -> Proposal {
        create(self.kind).propose(&self.view())
    }

    /// Begins the next trial and returns its number.
    pub(in crate::tuner) fn begin(&mut self) -> Option<usize> {
        let Proposal::Trial { values, budget } = self.ask() else { return None };
        let number = self.trials.len();
        self.trials.push(Trial::new(number, number.to_string(), values, budget));
        Some(number)
    }

    /// Ends a trial, without a cost as a failed one.
    pub(in crate::tuner) fn end(&mut self, number: usize, cost: Option<f64>) {
        self.end_with(number, cost.map(|cost| vec![("loss", cost)]));
    }

    pub(in crate::tuner) fn end_with(&mut self, number: usize, metrics: Option<Vec<(&str, f64)>>) {
        let measured =
            |(name, mean): (&str, f64)| (name.to_owned(), Measurement { mean, ..Measurement::default() });
        let trial = &mut self.trials[number];
        trial.status = if metrics.is_some() { Status::Completed } else { Status::Failed };
        trial.evaluation = metrics.map(|metrics| {
            let metrics = metrics.into_iter().map(measured).collect();
            Evaluation { epoch: 1, metrics, seconds: 0.0 }
        });
    }

    /// Begins and ends so many trials, or fewer if the oracle stops.
    pub(in crate::tuner) fn run(&mut self, n: usize, cost: impl Fn(&Trial) -> Option<f64>) {
        for _ in 0..n {
            let Some(number) = self.begin() else { return };
            let cost = cost(&self.trials[number]);
            self.end(number, cost);
        }
    }

    /// Adds a trial of another program.
    pub(in crate::tuner) fn observe(&mut self, values: Values, cost: Option<f64>) {
        let number = self.trials.len();
        let trial = Trial::new(number, number.to_string(), values, None);
        self.trials.push(Trial { origin: Origin::Observed, ..trial });
        self.end(number, cost);
    }
}

pub(in crate::tuner) fn param(name: &str, domain: Domain, conditions: &[(&str, &[Value])]) -> Param {
    let condition =
        |(parent, values): &(&str, &[Value])| Condition { parent: (*parent).into(), values: values.to_vec() };
    let conditions = conditions.iter().map(condition).collect();
    Param { name: name.into(), key: name.into(), index: None, domain, conditions }
}

pub(in crate::tuner) fn float(name: &str, min: f64, max: f64) -> Param {
    param(name, Domain::Float { min, max, step: None, scale: Scale::Linear }, &[])
}

fn int(name: &str, min: i64, max: i64, conditions: &[(&str, &[Value])]) -> Param {
    param(name, Domain::Int { min, max, step: 1, scale: Scale::Linear }, conditions)
}

fn choice(name: &str, values: &[&str]) -> Param {
    let values = values.iter().map(|v| Value::Text((*v).into())).collect();
    param(name, Domain::Choice { values, ordered: false }, &[])
}

/// One number from 0 to 1.
pub(in crate::tuner) fn line() -> Space {
    Space { params: vec![float("x", 0.0, 1.0)] }
}

/// Parameters of every kind, two of them conditional.
pub(in crate::tuner) fn mixed() -> Space {
    let log = |min, max| Domain::Float { min, max, step: None, scale: Scale::Log };
    let batch = Domain::Int { min: 8, max: 512, step: 1, scale: Scale::Log };
    let dropout = Domain::Float { min: 0.0, max: 0.4, step: Some(0.1), scale: Scale::Linear };
    let residual = [Value::Text("residual".into())];
    Space {
        params: vec![
            int("layers", 1, 3, &[]),
            int("units_0", 16, 20, &[]),
            int("units_1", 16, 20, &[("layers", &[Value::Int(2), Value::Int(3)])]),
            choice("arch", &["dense", "residual", "conv"]),
            param("gate", log(1e-3, 1.0), &[("arch", &residual)]),
            param("norm", Domain::Bool, &[]),
            param("dropout", dropout, &[]),
            param("batch", batch, &[]),
            param("rate", log(1e-4, 1e-1), &[]),
            param("task", Domain::Fixed(Value::Text("soh".into())), &[]),
        ],
    }
}

/// Seven points: a, and b with 1 to 3 and each with and without.
pub(in crate::tuner) fn small() -> Space {
    let b = [Value::Text("b".into())];
    Space {
        params: vec![
            choice("kind", &["a", "b"]),
            int("n", 1, 3, &[("kind", &b)]),
            param("with", Domain::Bool, &[("kind", &b)]),
        ],
    }
}

/// A cost of any trial that depends on all its values.
fn digest(trial: &Trial) -> f64 {
    let hash = space::hash(&trial.values);
    f64::from(u16::from_str_radix(&hash[..4], 16).unwrap()) / f64::from(trial.until(9))
}

/// Every fifth trial fails.
fn unreliable(trial: &Trial) -> Option<f64> {
    (trial.number % 5 != 3).then(|| digest(trial))
}

fn assert_new(study: &Study) {
    let mut seen = BTreeSet::new();
    for trial in &study.trials {
        assert_eq!(study.space.misfit(&trial.values), None, "{:?}: {:?}", study.kind, trial.values);
        let until = trial.until(study.epochs);
        assert!(until >= 1 && until <= study.epochs);
        let promoted = trial.budget.as_ref().and_then(|b| b.source);
        if let Some(source) = promoted {
            assert_eq!(study.trials[source].values, trial.values);
            assert_eq!(study.trials[source].until(study.epochs), trial.budget.as_ref().unwrap().from);
        }
        let round = promoted.map(|_| until);
        assert!(seen.insert((space::hash(&trial.values), round)), "{:?} repeats {trial:?}", study.kind);
    }
}

#[test]
fn proposals_are_new_points_of_the_space() {
    for kind in KINDS {
        for space in [mixed(), line(), small()] {
            let mut study = Study::new(kind, space);
            study.config.iterations = 2;
            study.run(30, unreliable);
            assert!(study.trials.len() >= 5, "{kind:?}");
            assert_new(&study);
        }
    }
}

#[test]
fn one_that_was_there_all_along_says_what_a_new_one_says() {
    for kind in KINDS {
        let mut study = Study::new(kind, mixed());
        let mut old = create(kind);
        for _ in 0..30 {
            let (fresh, known) = (study.ask(), old.propose(&study.view()));
            assert_eq!((&fresh, &old.propose(&study.view())), (&known, &known), "{kind:?}");
            study.run(1, unreliable);
        }
        let other = Study { seed: Seed::new(1), trials: Vec::new(), ..study.clone() };
        let again = Study { trials: Vec::new(), ..study };
        assert_eq!(again.ask() == other.ask(), kind == OracleKind::Grid, "{kind:?}");
    }
}

#[test]
fn trials_that_run_are_not_proposed_again() {
    for kind in KINDS {
        let mut study = Study::new(kind, mixed());
        study.config.initial = Some(4);
        let mut running = Vec::new();
        for i in 0..30 {
            let waits = study.ask() == Proposal::Wait;
            running.extend(study.begin());
            if waits || i % 3 == 2 {
                let number = running.remove(i % running.len());
                study.end(number, unreliable(&study.trials[number].clone()));
            }
        }
        // Only Hyperband ever waits.
        assert!(study.trials.len() == 30 || kind == OracleKind::Hyperband, "{kind:?}");
        assert!(running.len() > 2, "{kind:?}");
        assert_new(&study);
    }
}

#[test]
fn a_finite_space_is_gone_through_to_the_end() {
    for kind in KINDS {
        let mut study = Study::new(kind, small());
        study.run(100, unreliable);
        assert_eq!(study.ask(), Proposal::Exhausted, "{kind:?}");
        assert_new(&study);
        let points: BTreeSet<_> = study.trials.iter().map(|t| space::hash(&t.values)).collect();
        assert_eq!(points.len(), 7, "{kind:?}");
        let nothing = Space::default();
        let mut study = Study::new(kind, nothing);
        study.run(10, |_| Some(1.0));
        assert_eq!(study.ask(), Proposal::Exhausted);
        let begun = study.trials.iter().filter(|t| t.budget.as_ref().is_none_or(|b| b.round == 0));
        assert_eq!(begun.count(), 1, "{kind:?}");
    }
}

#[test]
fn what_another_program_tried_is_not_tried_again() {
    let mut all = Study::new(OracleKind::Grid, small());
    all.run(7, |_| Some(1.0));
    for kind in KINDS {
        for left in 0..7 {
            let mut study = Study::new(kind, small());
            let others = all.trials.iter().filter(|t| t.number != left);
            others.for_each(|t| study.observe(t.values.clone(), Some(digest(t))));
            let Proposal::Trial { values, .. } = study.ask() else { panic!("{kind:?}") };
            assert_eq!(values, all.trials[left].values, "{kind:?}");
        }
    }
}

#[test]
fn a_whole_number_that_python_wrote_as_a_float_is_known() {
    for kind in KINDS {
        let mut study = Study::new(kind, Space { params: vec![int("n", 1, 2, &[])] });
        study.observe([("n".to_owned(), Value::Float(1.0))].into(), Some(0.0));
        let Proposal::Trial { values, .. } = study.ask() else { panic!("{kind:?}") };
        assert_eq!(values["n"], Value::Int(2), "{kind:?}");
    }
}

#[test]
fn nothing_but_failures_does_not_stop_it() {
    for kind in KINDS {
        let mut study = Study::new(kind, mixed());
        study.run(16, |_| None);
        assert_eq!(study.trials.len(), 16, "{kind:?}");
        assert_new(&study);
        // A metric that is not there, or no number, is no result either.
        study.end_with(0, Some(vec![("other", 1.0)]));
        study.end_with(1, Some(vec![("loss", f64::NAN)]));
        assert!(matches!(study.ask(), Proposal::Trial { .. }), "{kind:?}");
    }
}

#[test]
fn several_objectives_are_searched_by_all() {
    for kind in KINDS {
        let mut study = Study::new(kind, mixed());
        study.objectives.push(Objective::minimise("size"));
        for _ in 0..16 {
            let number = study.begin().unwrap();
            let size = study.trials[number].values["units_0"].as_f64().unwrap();
            let loss = digest(&study.trials[number]);
            study.end_with(number, Some(vec![("loss", loss), ("size", size)]));
        }
        assert_new(&study);
    }
}
