//! Tests of the registry, on runs of a made-up task of every kind of model.

use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::*;
use crate::cell::CellId;
use crate::dataset::leakage::{LeakageReport, Source};
use crate::device::Backend;
use crate::experiment::ExperimentConfig;
use crate::experiment::fitted::{FitContext, Fitted};
use crate::experiment::run::{self, RunContext};
use crate::experiment::sealed::SealError;
use crate::experiment::task::Task;
use crate::file;
use crate::pipeline::{Output, Part};
use crate::prepare::frame::FrameCell;
use crate::prepare::{Column, Fold, Frame, Quantity, Row};
use crate::train::Interrupt;

/// Cells of the task; three folds leave out every third.
const N_CELLS: usize = 15;

/// Rows of a cell whose capacity is asked for.
const N_ROWS: usize = 8;

/// Largest difference between a served answer and what was judged, which was computed in single precision.
const TOLERANCE: f64 = 1e-5;

/// Experiments of every kind of model and every form that its numbers have.
pub(crate) const EXPERIMENTS: [(&str, &str); 12] = [
    ("physics", "model = { kind = 'physics', prior = 'coulomb_balance' }"),
    ("linear", "model.kind = 'linear'\nselect = { top = 2 }"),
    (
        "dense",
        "repeats = 2\nmodel = { kind = 'dense', hidden = [6, 6], normalisation = 'batch', skip = true }\n\
         train = { members = 2, epochs = 3 }\nselect = { top = 3, max_correlation = 0.9 }",
    ),
    (
        "hybrid",
        "repeats = 2\nmodel = { kind = 'hybrid', prior = 'coulomb_balance', hidden = [5], normalisation = 'layer' }\n\
         train = { members = 2, epochs = 3, learning_rate = 0.02 }",
    ),
    ("gaussian", "model = { kind = 'dense', hidden = [5] }\ntrain = { epochs = 3, loss = 'gaussian_nll' }"),
    ("trees", "repeats = 2\nmodel.kind = 'trees'\ntrees.rounds = 6\nselect = { top = 2 }"),
    (
        "hybrid_trees",
        "model = { kind = 'hybrid_trees', prior = 'coulomb_balance' }\ntrees.rounds = 6\ntrain.members = 2",
    ),
    ("life", "kind = 'life'\nmodel = { kind = 'hybrid', prior = 'capacity_difference' }\ntrain.epochs = 3"),
    (
        "logistic",
        "kind = 'tier'\nmodel = { kind = 'logistic', ridge = 0.05 }\nlabel.tiers = { kind = 'quantile', n = 3 }\n\
         calibration = { method = 'temperature', folds = 2 }",
    ),
    ("two_tiers", "kind = 'tier'\nmodel.kind = 'logistic'\nlabel.tiers = { kind = 'quantile', n = 2 }"),
    (
        "classes",
        "kind = 'tier'\nrepeats = 2\nmodel = { kind = 'dense', hidden = [5] }\n\
         train = { members = 2, epochs = 3, loss = 'cross_entropy' }\nlabel.tiers = { kind = 'quantile', n = 3 }\n\
         calibration = { method = 'temperature', folds = 2 }",
    ),
    (
        "tier_trees",
        "kind = 'tier'\nrepeats = 2\nmodel.kind = 'trees'\ntrees.rounds = 4\nlabel.tiers = { kind = 'quantile', n = 3 }\n\
         calibration = { method = 'isotonic', folds = 2 }",
    ),
];

/// A column whose value follows from cell and row; every eleventh is missing where `gaps`.
fn column(name: &str, unit: &str, n: usize, gaps: bool, value: &dyn Fn(usize) -> f64) -> Column {
    let known = |row: usize| if gaps && row % 11 == 5 { f64::NAN } else { value(row) };
    Column {
        name: name.into(),
        unit: unit.into(),
        source: Source::PastRecord,
        values: (0..n).map(known).collect(),
    }
}

/// Capacities that follow the charge before them, or lives that follow a ramp, with what else stands beside.
pub(crate) fn task(config: &ExperimentConfig) -> Task {
    let early = config.kind.is_early();
    let per_cell = if early { 1 } else { N_ROWS };
    let n = N_CELLS * per_cell;
    let at = |row: usize| (row / per_cell, (row % per_cell) as f64);
    let charge = |row: usize| 0.95 - 0.01 * at(row).1 - 0.004 * at(row).0 as f64;
    let wobble = |row: usize| (row * 7 % 13) as f64;
    let life = |row: usize| 100.0 + 40.0 * (row * 4 % N_CELLS) as f64 + wobble(row);
    let truth = |row: usize| if early { life(row) } else { 2.0 * (0.98 * charge(row) + 0.001 * wobble(row)) };
    let label = |row: usize| match early {
        true if config.label.log => truth(row).log10(),
        true => truth(row),
        false => truth(row) / 2.0,
    };
    let cell = |idx: usize| FrameCell {
        id: CellId::new(format!("cell{idx:02}")),
        reference_ah: 2.0,
        eol_ah: None,
        synthetic: true,
        group: format!("cell{idx:02}"),
        folds: Vec::new(),
    };
    let row = |row: usize| {
        let (cell_idx, cycle) = (at(row).0, 1 + at(row).1 as u32);
        Row { cell_idx, cycle, truth: truth(row), label: label(row), set_aside: None }
    };
    let stress = |name, value: &dyn Fn(usize) -> f64| column(name, "1", n, false, value);
    let frame = Frame {
        cells: (0..N_CELLS).map(cell).collect(),
        rows: (0..n).map(row).collect(),
        inputs: vec![
            column("charge_throughput", "Ah", n, true, &|row| {
                2.0 * charge(row) + if early { life(row) } else { 0.0 }
            }),
            column("history_cycle_count", "1", n, false, &|row| at(row).1 + 1e-3 * at(row).0 as f64),
            column("rest_wobble", "V", n, true, &wobble),
            column("stack_pressure", "MPa", n, false, &|_| 5.0),
        ],
        stress: vec![
            stress("charge_throughput_relative", &charge),
            stress("history_rest_duration", &|row| 10.0 * wobble(row)),
            stress("discharge_capacity_difference_log_variance_100_10", &|row| -5.0 + 0.1 * wobble(row)),
        ],
        targets: if early { vec![column("cycle_life", "cycles", n, false, &life)] } else { Vec::new() },
        quantity: match (early, config.label.log) {
            (false, _) => Quantity::Soh,
            (true, true) => Quantity::LogLife,
            (true, false) => Quantity::Life,
        },
    };
    let of = |k: usize, own: bool| (0..n).filter(|row| (at(*row).0 % 3 == k) == own).collect::<Vec<usize>>();
    let fold = |k: usize| {
        let (name, train, test) = (format!("fold{k}"), of(k, false), of(k, true));
        Fold { name, train, given: Vec::new(), test, repeat: 0 }
    };
    let (leakage, data_sha256, summary) = (LeakageReport::default(), "0".repeat(64), "made up".into());
    let task = Task { frame, folds: Vec::new(), tiers: Vec::new(), leakage, data_sha256, summary };
    task.with_folds(config, (0..3).map(fold).collect()).unwrap()
}

/// A trained run in a working directory of its own.
pub(crate) struct Trained {
    pub(crate) root: TempDir,
    pub(crate) run: PathBuf,
    pub(crate) config: ExperimentConfig,
    pub(crate) task: Task,
}

pub(crate) fn train(name: &str, text: &str, change: impl FnOnce(&mut Task)) -> Trained {
    let config: ExperimentConfig = toml::from_str(text).unwrap();
    let mut task = task(&config);
    change(&mut task);
    let root = tempfile::tempdir().unwrap();
    let (interrupt, mut nobody) = (Interrupt::new(), ());
    let context = RunContext {
        root: root.path(),
        stamp: ("20260101-000000", "2026-01-01T00:00:00Z"),
        backend: Backend::Flex,
        interrupt: &interrupt,
        observe: &mut nobody,
    };
    let run = run::start(name, &config, &task, context).unwrap().run;
    Trained { root, run, config, task }
}

impl Trained {
    pub(crate) fn of(name: &str) -> Self {
        let (_, text) = EXPERIMENTS.iter().find(|(n, _)| *n == name).unwrap();
        train(name, text, |_| ())
    }

    pub(crate) fn load(&self) -> Result<Loaded, RegistryError> {
        load(self.root.path(), &self.run)
    }

    /// Returns what the experiment's model says of given and test rows, fitted anew: the same seed gives the same model.
    fn predicted(&self) -> Vec<Vec<Vec<f64>>> {
        let (interrupt, mut observe) = (Interrupt::new(), ());
        let context = FitContext {
            backend: Backend::Flex,
            checkpoint: None,
            interrupt: &interrupt,
            until: None,
            judge: false,
            start: None,
            observe: &mut observe,
        };
        let fitted = Fitted::fit(&self.config, &self.task, context).unwrap();
        fitted.predict(&self.config, &self.task, Backend::Flex).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(&self.run).join(name)
    }
}

/// Returns a row of the frame as a pipeline asks for it.
fn row_of(frame: &Frame, pipeline: &Pipeline, row: usize) -> Vec<f64> {
    let columns = || frame.inputs.iter().chain(&frame.stress);
    let value = |name: &str| columns().find(|c| c.name == name).unwrap().values[row];
    pipeline.inputs.iter().map(|input| value(&input.name)).collect()
}

#[test]
fn a_loaded_run_answers_what_was_judged_whatever_its_model() {
    for (name, _) in EXPERIMENTS {
        let trained = Trained::of(name);
        let Loaded { pipeline, manifest, .. } = trained.load().unwrap();
        let (task, predicted) = (&trained.task, trained.predicted());
        assert_eq!(manifest.refused, None, "{name}");
        assert_eq!(pipeline.parts.len(), predicted.iter().map(Vec::len).sum::<usize>(), "{name}");
        let width = pipeline.width();
        for (fold, repetitions) in task.folds.iter().zip(&predicted) {
            let parts: Vec<Part> = pipeline.parts.iter().filter(|p| p.fold == fold.name).cloned().collect();
            let of_fold = Pipeline { parts, ..pipeline.clone() };
            for (idx, &row) in fold.test.iter().enumerate() {
                let served = of_fold.reference(&row_of(&task.frame, &pipeline, row));
                for (class, served) in served.iter().enumerate() {
                    let judged = repetitions.iter().map(|labels| labels[idx * width + class]).sum::<f64>();
                    let judged = judged / repetitions.len() as f64;
                    assert!(
                        (served - judged).abs() < TOLERANCE,
                        "{name} {}: {served} is not {judged}",
                        fold.name
                    );
                }
            }
        }
    }
}

#[test]
fn the_interval_is_made_of_errors_on_unseen_cells() {
    for (name, width) in [("linear", 1), ("tier_trees", 3)] {
        let trained = Trained::of(name);
        let (task, predicted) = (&trained.task, trained.predicted());
        let mut errors = Vec::new();
        for (fold_idx, fold) in task.folds.iter().enumerate() {
            for (idx, &row) in fold.test.iter().enumerate() {
                let n = predicted[fold_idx].len() as f64;
                let mean = |k: usize| predicted[fold_idx].iter().map(|r| r[idx * width + k]).sum::<f64>() / n;
                let label = task.frame.rows[row].label;
                errors.push(if width == 1 {
                    (mean(0) - label).abs()
                } else {
                    1.0 - mean(task.class(fold_idx, row).unwrap())
                });
            }
        }
        errors.sort_by(f64::total_cmp);
        let interval = trained.load().unwrap().manifest.interval.unwrap();
        // The middle of n ascending errors: rank ceil((n + 1) / 2).
        let middle = errors[(errors.len() + 1).div_ceil(2) - 1];
        assert!((interval.score(0.5).unwrap() - middle).abs() < 1e-12, "{name}: {interval:?} {middle}");
        assert_eq!((interval.n_rows, interval.n_cells), (errors.len(), N_CELLS));
    }
}

#[test]
fn inputs_are_those_of_the_model_with_their_ranges_and_sentences() {
    let names = |name: &str| {
        let inputs = Trained::of(name).load().unwrap().manifest.inputs;
        inputs.into_iter().map(|input| input.name).collect::<Vec<_>>()
    };
    assert_eq!(names("physics"), ["charge_throughput_relative", "history_rest_duration"]);
    let all = ["charge_throughput", "history_cycle_count", "rest_wobble", "stack_pressure"];
    assert_eq!(
        names("hybrid"),
        [&all[..], &["charge_throughput_relative", "history_rest_duration"]].concat()
    );
    let manifest = Trained::of("hybrid").load().unwrap().manifest;
    let input = |name: &str| manifest.inputs.iter().find(|input| input.name == name).unwrap();
    assert_eq!((input("rest_wobble").range, input("rest_wobble").doc.as_str()), ([0.0, 12.0], ""));
    assert_eq!((input("stack_pressure").range, input("stack_pressure").unit.as_str()), ([5.0, 5.0], "MPa"));
    assert!(input("charge_throughput").doc.ends_with('.'));
    assert_eq!(manifest.output, Output::Soh { reference_ah: Some(2.0) });
}

#[test]
fn what_would_not_be_what_was_judged_is_refused_with_the_reason() {
    type Change = fn(&mut Task);
    let given: Change = |task| {
        for fold in &mut task.folds {
            fold.given = fold.test.drain(..3).collect();
        }
    };
    let two_meanings: Change = |task| task.frame.inputs[2].name = "history_rest_duration".into();
    let unmeasured: Change = |task| task.frame.stress[1].values.fill(f64::NAN);
    let prior = "kind = 'trajectory'\nmodel = { kind = 'physics', prior = 'coulomb_balance'";
    let cases: [(String, Change, &str); 7] = [
        (format!("{prior} }}\nsplit = {{ kind = 'time', fraction = 0.5 }}"), |_| (), "split.kind"),
        (format!("{prior} }}\nphysics.per_cell = ['eta']"), given, "physics.per_cell"),
        (format!("{prior}, anchor = 2 }}"), given, "model.anchor = 0"),
        (format!("{prior} }}\ntarget = {{ kind = 'synthetic', law = 'line' }}"), |_| (), "synthetic"),
        (
            "model = { kind = 'hybrid_trees', prior = 'coulomb_balance' }".into(),
            two_meanings,
            "history_rest_duration",
        ),
        (format!("{prior} }}"), unmeasured, "history_rest_duration"),
        (
            "model = { kind = 'dense', hidden = [4] }\ntrain = { epochs = 4, learning_rate = 1e30 }".into(),
            |_| (),
            "diverged",
        ),
    ];
    for (text, change, expected) in cases {
        let trained = train("refused", &text, change);
        let error = trained.load().unwrap_err();
        assert!(
            matches!(&error, RegistryError::Refused { why, .. } if why.contains(expected)),
            "{text}: {error}"
        );
    }
    for (text, change) in [
        (format!("{prior} }}\nphysics.per_cell = ['eta']"), (|_| ()) as Change),
        (format!("{prior}, anchor = 2 }}"), |_| ()),
        (format!("{prior} }}"), given),
    ] {
        assert_eq!(train("served", &text, change).load().unwrap().manifest.refused, None, "{text}");
    }
}

/// Runs that are attacked: networks with a law, trees with a correction, a logistic regression with selected inputs.
static VICTIMS: LazyLock<[Trained; 4]> =
    LazyLock::new(|| ["hybrid", "dense", "tier_trees", "logistic"].map(Trained::of));

#[test]
fn a_changed_byte_is_refused_with_the_name_of_its_file() {
    for victim in &*VICTIMS {
        for name in victim.load().unwrap().manifest.files.keys() {
            let bytes = file::read(&victim.path(name)).unwrap();
            let mut changed = bytes.clone();
            changed[bytes.len() / 2] ^= 1;
            file::write_atomic(&victim.path(name), &changed).unwrap();
            let error = victim.load().unwrap_err();
            assert!(error.to_string().contains(name), "{name}: {error}");
            assert!(matches!(error, RegistryError::Seal(SealError::Hash { .. })), "{name}: {error}");
            file::remove_file(&victim.path(name)).unwrap();
            let error = victim.load().unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
            file::write_atomic(&victim.path(name), &bytes).unwrap();
        }
        victim.load().unwrap();
    }
}
