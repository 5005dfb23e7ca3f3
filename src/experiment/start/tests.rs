//! Starts, from run to run and from a file to a run.

use std::path::{Path, PathBuf};

use super::*;
use crate::device::Backend;
use crate::experiment::Outcome;
use crate::experiment::folder::RunFolder;
use crate::experiment::run::{self, RunContext};
use crate::model::keras::weights_h5;
use crate::model::rescale::Scale;
use crate::model::{Activation, Architecture, NetworkConfig, Normalisation};
use crate::pipeline::Pipeline;
use crate::registry;
use crate::seed::Seed;
use crate::train::{EpochReport, Interrupt, Observe};

/// Two networks a fold on three simulated cells, with a state in every part of the fit.
const SMALL: &str = "cells = ['SIM-NMC-01', 'SIM-NMC-02', 'SIM-NMC-03']
    [inputs]
    descriptors = ['charge_throughput', 'history_cycle_count']
    [model]
    kind = 'dense'
    hidden = [8, 8]
    activation = 'tanh'
    normalisation = 'batch'
    [train]
    members = 2
    epochs = 6
    learning_rate = 0.01
    checkpoint_every = 2";

fn config(change: &str) -> ExperimentConfig {
    let assignments: Vec<String> = change.split(';').filter(|c| !c.is_empty()).map(String::from).collect();
    crate::experiment::parse::parse(SMALL, "small.toml", &assignments).unwrap()
}

fn task(config: &ExperimentConfig) -> Task {
    Task::load(config, Path::new(".")).unwrap()
}

fn carry_out(
    root: &Path,
    (config, task): (&ExperimentConfig, &Task),
    interrupt: &Interrupt,
    observe: &mut dyn Observe,
) -> Result<Outcome, ExperimentError> {
    let stamp = ("20260101-000000", "2026-01-01T00:00:00Z");
    let config = resolve(config, task, root)?;
    run::start("small", &config, task, RunContext { root, stamp, backend: Backend::Flex, interrupt, observe })
}

fn train(root: &Path, config: &ExperimentConfig) -> Outcome {
    carry_out(root, (config, &task(config)), &Interrupt::new(), &mut ()).unwrap()
}

fn refused(root: &Path, config: &ExperimentConfig) -> String {
    let error = carry_out(root, (config, &task(config)), &Interrupt::new(), &mut ()).unwrap_err();
    let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
    format!("{error}{source}")
}

fn weights(root: &Path, run: &Path) -> Vec<u8> {
    file::read(&root.join(run).join("weights.safetensors")).unwrap()
}

/// Returns the mean training loss of an epoch over all networks.
fn loss(root: &Path, run: &Path, epoch: u64) -> f64 {
    let text = file::read_text(&root.join(run).join("history.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let losses: Vec<f64> =
        lines.filter(|l| l["epoch"] == epoch).map(|l| l["train_loss"].as_f64().unwrap()).collect();
    assert!(!losses.is_empty(), "{text}");
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// Asks for a pause after an epoch.
struct Pause<'a>(&'a Interrupt, u32);

impl Observe for Pause<'_> {
    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), file::FileError> {
        if report.epoch == self.1 {
            self.0.interrupt();
        }
        Ok(())
    }
}

#[test]
fn networks_that_keep_a_runs_weights_are_that_run() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = train(root, &config(""));
    let second = train(root, &config("start.from=small;train.epochs=0"));
    assert_eq!(weights(root, &first.run), weights(root, &second.run));
    assert_eq!(first.metrics, second.metrics);
    assert!(
        second.notes[0].starts_with(&format!("starts from the networks of {}", first.run.display())),
        "{:?}",
        second.notes
    );
    // The resolved experiment names the run, its hash and its data, and is itself an experiment that gives the same.
    let (opened, _) = RunFolder::open(root, &second.run).unwrap();
    let resolved = opened.config().unwrap();
    let start = resolved.start.clone().unwrap();
    assert_eq!(Path::new(&start.from), first.run);
    assert_eq!(start.sha256.unwrap(), file::sha256_bytes(&weights(root, &first.run)));
    assert_eq!(start.data_sha256, [task(&resolved).data_sha256]);
    let third = train(root, &resolved);
    assert_eq!((weights(root, &third.run), &third.notes), (weights(root, &first.run), &second.notes));
}

#[test]
fn fine_tuning_goes_on_where_the_run_ended_and_lowers_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = train(root, &config(""));
    let second = train(root, &config("start.from=small"));
    let (begin, end) = (loss(root, &first.run, 1), loss(root, &first.run, 6));
    let (again, last) = (loss(root, &second.run, 1), loss(root, &second.run, 6));
    assert!(again < 0.5 * begin && last < end, "{begin} to {end}, then {again} to {last}");
    assert_ne!(weights(root, &first.run), weights(root, &second.run));
}

#[test]
fn a_paused_fine_tuning_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    train(root, &config(""));
    let config = config("start.from=small;train.epochs=5");
    let task = task(&config);
    let (interrupt, never) = (Interrupt::new(), Interrupt::new());
    let paused = carry_out(root, (&config, &task), &interrupt, &mut Pause(&interrupt, 3)).unwrap_err();
    // Before the resume: `small` is the newest finished run.
    let straight = carry_out(root, (&config, &task), &never, &mut ()).unwrap();
    let ExperimentError::Interrupted { run } = paused else { panic!("{paused}") };
    let (folder, state) = RunFolder::open(root, &run).unwrap();
    let own = folder.config().unwrap();
    let resume = |state, config: &ExperimentConfig| {
        let (backend, interrupt, observe) = (Backend::Flex, &never, &mut ());
        run::resume(
            &folder,
            state,
            config,
            &task,
            RunContext { root, stamp: ("", ""), backend, interrupt, observe },
        )
    };
    // Weights of another run are no continuation of this one.
    let mut other = own.clone();
    other.start.as_mut().unwrap().sha256 = Some("ab".repeat(32));
    let error = resume(state.clone(), &other).unwrap_err();
    assert!(matches!(error, ExperimentError::Start(StartError::Changed { .. })), "{error}");
    let resumed = resume(state, &own).unwrap();
    assert_eq!(resumed.metrics, straight.metrics);
    assert_eq!(weights(root, folder.path()), weights(root, &straight.run));
}

#[test]
fn weights_that_may_have_seen_test_cells_are_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = train(root, &config("train.epochs=1"));
    let other = "start.from=small;train.epochs=1;cells=['SIM-NMC-01', 'SIM-NMC-02', 'SIM-NMC-04']";
    let said = refused(root, &config(other));
    assert!(said.contains("may have seen the test cells") && said.contains("inputs.allow_leak"), "{said}");
    let allowed = train(root, &config(&format!("{other};inputs.allow_leak=true")));
    assert!(allowed.leak_allowed);
    let notes = allowed.notes.join("\n");
    assert!(notes.contains("may have seen test cells"), "{notes}");
    let expected = format!("1 folds are not in {} and start from its SIM-NMC-01/seed0", first.run.display());
    assert!(notes.contains(&expected), "{notes}");
    // What began with a leak is no start without one, in whatever folds.
    let again = config(&format!("{other};start.from={}", allowed.run.display()));
    assert!(refused(root, &again).contains("may have seen"), "{}", refused(root, &again));
}

#[test]
fn another_network_is_refused_by_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    train(root, &config("train.epochs=1"));
    for (change, expected) in [
        ("model.hidden=[8, 9]", "model.hidden = [8, 8], those of the experiment [8, 9]"),
        ("model.activation=relu", "model.activation = Tanh, those of the experiment Relu"),
        ("model.normalisation=none", "model.normalisation = Batch, those of the experiment None"),
        ("train.loss=gaussian_nll", "outputs = 1, those of the experiment 2"),
        ("model.kind=hybrid", "law and residual"),
        (
            "inputs.descriptors=['charge_throughput', 'history_rest_log']",
            "takes charge_throughput, history_cycle_count; fold",
        ),
        ("inputs.descriptors=['charge_throughput']", "inputs = 2, those of the experiment 1"),
        ("start.from=nobody", "no run `nobody`"),
    ] {
        let said = refused(root, &config(&format!("start.from=small;{change}")));
        assert!(said.contains(expected), "{change}: {said}");
    }
    let physics = train(root, &config("start.from=small;model.kind=physics"));
    assert!(physics.notes.is_empty(), "a law starts from nothing");
}

#[test]
fn keys_of_a_start_are_checked() {
    let problems = |change: &str| {
        let set: Vec<String> = change.split(';').map(String::from).collect();
        crate::experiment::parse::parse(SMALL, "small.toml", &set).unwrap_err().to_string()
    };
    assert!(problems("train.epochs=0").contains("train.epochs  is 0; give 1 or more"));
    assert!(problems("start.sha256=ab").contains("start.from  is missing"));
    assert!(problems("start.form=x").contains("did you mean `from`?"));
    let scaling = "start.scaling={ inputs = [{ name = 'a', mean = 0.0, sd = 0.0 }] }";
    let said = problems(&format!("start.from=x;{scaling}"));
    assert!(said.contains("start.scaling.inputs `a`  has mean 0 and sd 0"), "{said}");
    assert!(problems("start.from=x;start.epsilon=-1.0").contains("start.epsilon"));
}

/// A network of another program: its weights, and its scaling with the inputs in another order than the experiment's.
struct Foreign {
    architecture: Architecture,
    weights: Vec<f32>,
    scale: Scale,
}

const SCALING: &str = r#"{"inputs": {"history_cycle_count": {"mean": 60.0, "sd": 25.0},
    "charge_throughput": {"mean": 1.7, "sd": 0.2}}, "label": {"mean": 0.7, "sd": 0.3}}"#;

impl Foreign {
    fn new(d_input: usize) -> Self {
        let network = NetworkConfig {
            hidden: vec![7, 5],
            activation: Activation::Tanh,
            normalisation: Normalisation::None,
            ..NetworkConfig::default()
        };
        let architecture = Architecture { d_input, d_output: 1, network, prior: None };
        let weights = architecture.initial_weights(&Seed::new(11)).into_iter().map(|w| w + 0.05).collect();
        let scale = Scale { inputs: vec![(60.0, 25.0), (1.7, 0.2)], label: (0.7, 0.3) };
        Self { architecture, weights, scale }
    }

    /// Computes it by hand for `history_cycle_count` and `charge_throughput`.
    fn answer(&self, raw: [f64; 2]) -> f64 {
        let scaled = raw.iter().zip(&self.scale.inputs).map(|(x, (mean, sd))| (x - mean) / sd);
        let (mut x, mut at) = (scaled.collect::<Vec<f64>>(), 0);
        for (idx, (d_in, d_out)) in self.architecture.layers().into_iter().enumerate() {
            let number = |k: usize| f64::from(self.weights[at + k]);
            let sum = |j: usize| {
                number(d_in * d_out + j) + (0..d_in).map(|i| x[i] * number(i * d_out + j)).sum::<f64>()
            };
            x = (0..d_out).map(sum).map(|s| if idx < 2 { s.tanh() } else { s }).collect();
            at += (d_in + 1) * d_out;
        }
        self.scale.label.0 + self.scale.label.1 * x[0]
    }

    /// Writes it as Keras and as `PyTorch` would; returns the paths.
    fn write(&self, root: &Path) -> [PathBuf; 2] {
        let keras = root.join("foreign.weights.h5");
        file::write_atomic(&keras, &weights_h5(&self.architecture, &self.weights, &[]).unwrap()).unwrap();
        let mut arrays = Vec::new();
        for slice in self.architecture.slices() {
            let own = &self.weights[slice.range()];
            let (layer, part) = slice.name["layer".len()..].split_once('.').unwrap();
            let (mut shape, mut numbers) = (slice.shape.clone(), own.to_vec());
            if let [d_in, d_out] = slice.shape[..] {
                shape = vec![d_out, d_in];
                numbers = (0..d_in * d_out).map(|k| own[k % d_in * d_out + k / d_in]).collect();
            }
            let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
            arrays.push((format!("net.{}.{part}", 2 * layer.parse::<usize>().unwrap()), shape, bytes));
        }
        let views = arrays.iter().map(|(name, shape, bytes)| {
            let dtype = safetensors::Dtype::F32;
            (name.as_str(), safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes).unwrap())
        });
        let torch = root.join("foreign.safetensors");
        file::write_atomic(&torch, &safetensors::serialize(views, None).unwrap()).unwrap();
        [keras, torch]
    }
}

fn start(path: &Path, scaling: Option<ScalingConfig>) -> StartConfig {
    StartConfig { from: path.display().to_string(), scaling, ..StartConfig::default() }
}

fn plain() -> ExperimentConfig {
    config("model.normalisation=none")
}

fn served(root: &Path, run: &Path) -> Pipeline {
    registry::load(root, run).unwrap().pipeline
}

#[test]
fn an_imported_network_answers_what_it_answered_whatever_the_scaling_of_a_fold() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let foreign = Foreign::new(2);
    file::write_atomic(&root.join("scaling.json"), SCALING.as_bytes()).unwrap();
    let scaling = read_scaling(&root.join("scaling.json")).unwrap();
    for path in foreign.write(root) {
        let config = import(&plain(), start(&path, Some(scaling.clone())), root).unwrap();
        assert_eq!((config.model.network().hidden, config.train.epochs), (vec![7, 5], 0));
        let outcome = train(root, &config);
        assert!(outcome.metrics.contains_key("rmse") && !outcome.baselines.is_empty());
        let name = path.display().to_string();
        assert!(
            outcome.notes[0].starts_with(&format!("imported from {name} (sha256 ")),
            "{:?}",
            outcome.notes
        );
        assert!(outcome.notes[1].contains("not known"));
        let pipeline = served(root, &outcome.run);
        assert_eq!(pipeline.parts.len(), 3);
        let mut largest = 0.0_f64;
        for row in crate::pipeline::sample::rows(&pipeline, 200, false) {
            let at = |name: &str| row[pipeline.inputs.iter().position(|i| i.name == name).unwrap()];
            let expected = foreign.answer([at("history_cycle_count"), at("charge_throughput")]);
            largest = largest.max((pipeline.reference(&row)[0] - expected).abs());
        }
        assert!(largest < 1e-5, "{name}: {largest}");
    }
}

#[test]
fn without_a_scaling_that_of_each_fold_is_assumed_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let foreign = Foreign::new(2);
    let [path, _] = foreign.write(root);
    let outcome = train(root, &import(&plain(), start(&path, None), root).unwrap());
    assert!(
        outcome.notes[0].contains("taken to be trained behind the scaling of each fold"),
        "{:?}",
        outcome.notes
    );
    let crate::pipeline::Body::Networks { members, .. } = &served(root, &outcome.run).parts[2].body else {
        panic!()
    };
    assert_eq!(members[1].weights, foreign.weights);
}

#[test]
fn an_imported_network_can_be_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let [_, path] = Foreign::new(2).write(root);
    train(root, &import(&plain(), start(&path, None), root).unwrap());
    let tuned = train(root, &config("model.normalisation=none;model.hidden=[7, 5];start.from=small"));
    assert!(loss(root, &tuned.run, 6) < loss(root, &tuned.run, 1));
    let straight =
        config(&format!("model.normalisation=none;model.hidden=[7, 5];start.from={}", path.display()));
    assert_eq!(weights(root, &train(root, &straight).run), weights(root, &tuned.run));
}

#[test]
fn files_that_do_not_fit_are_refused_by_layer_and_shape() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let [keras, torch] = Foreign::new(3).write(root);
    let of = |config: &ExperimentConfig, path: &Path| {
        refused(root, &import(config, start(path, None), root).unwrap())
    };
    let expected =
        "layer `layers/dense` takes 3 inputs, the experiment has 2: charge_throughput, history_cycle_count";
    assert!(of(&plain(), &keras).contains(expected), "{}", of(&plain(), &keras));
    let expected =
        "layer `net.0` takes 3 inputs, the experiment has 2: charge_throughput, history_cycle_count";
    assert!(of(&plain(), &torch).contains(expected), "{}", of(&plain(), &torch));
    let [keras, _] = Foreign::new(2).write(root);
    let said = of(&config(""), &keras);
    assert!(said.contains("has no normalisation, the experiment batch normalisation"), "{said}");
    let said = refused(root, &config(&format!("model.normalisation=none;start.from={}", keras.display())));
    assert!(
        said.contains("layer `layers/dense` gives 7 numbers, the hidden layer 0 of the experiment 8"),
        "{said}"
    );
    let hybrid = import(&config("model.kind=hybrid"), start(&keras, None), root).unwrap_err().to_string();
    assert!(hybrid.contains("set it to \"dense\""), "{hybrid}");
    let mut scaling = ScalingConfig { inputs: Vec::new(), label: LabelScale::default() };
    scaling.inputs.push(InputScale { name: "charge_throughput".into(), mean: 1.0, sd: 1.0 });
    scaling.inputs.push(InputScale { name: "speed".into(), mean: 1.0, sd: 1.0 });
    let said = refused(root, &import(&plain(), start(&keras, Some(scaling)), root).unwrap());
    assert!(
        said.contains(
            "takes charge_throughput, speed; fold `SIM-NMC-01` has charge_throughput, history_cycle_count"
        ),
        "{said}"
    );
    file::write_atomic(&keras, b"\x89HDF\r\n\x1a\nnothing").unwrap();
    let error = import(&plain(), start(&keras, None), root).unwrap_err();
    assert!(matches!(error, ExperimentError::Start(StartError::Chain { .. })), "{error}");
    for bad in [
        r#"{"inputs": {"a": {"men": 1}}}"#,
        r#"{"inputs": {"a": {"mean": 1}}}"#,
        r#"{"label": {"mean": 1, "sd": 1}}"#,
        "[",
    ] {
        file::write_atomic(&root.join("bad.json"), bad.as_bytes()).unwrap();
        assert!(read_scaling(&root.join("bad.json")).is_err(), "{bad}");
    }
}
