//! Runs: an experiment trained, scored and stored in a folder of its own, resumable until it is complete.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::artifact::{self, Stored};
use super::config::{ExperimentConfig, Kind, ModelKind};
use super::error::ExperimentError;
use super::fitted::{FitContext, Fitted};
use super::folder::{METRICS, RunFolder, RunState, STATE, resolved_toml};
use super::population::architecture;
use super::predictions;
use super::publish::Finished;
use super::reasons::{REASONS, Reasons, ReasonsSummary};
use super::score::{self, Metrics, TierOutcome};
use super::sealed::Sealed;
use super::start::Start;
use super::task::Task;
use crate::device::Backend;
use crate::file;
use crate::pipeline::manifest::{MANIFEST, Manifest};
use crate::train::{History, Interrupt, Observe, StopReason};

/// The object of `--json`: what was asked, what came out, and what stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Name of the experiment.
    pub task: String,
    /// Kind of the question.
    pub kind: Kind,
    /// Kind of the model.
    pub model: ModelKind,
    /// Unit of the label and of its errors.
    pub unit: String,
    /// Metrics of the model on rows it never saw.
    pub metrics: Metrics,
    /// How well tiers are told apart, for `tier`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tiers: Option<TierOutcome>,
    /// Which inputs and families it rests on, for `life` and `tier`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reasons: Option<ReasonsSummary>,
    /// Metrics of the baselines on the same rows.
    pub baselines: BTreeMap<String, Metrics>,
    /// Published or measured figures that the experiment names.
    pub references: BTreeMap<String, f64>,
    /// Whether an input that gives the label away was allowed.
    pub leak_allowed: bool,
    /// What the leakage check says.
    pub leakage: String,
    /// Whether the configuration was chosen on the reported figure.
    pub tuned_on_test: bool,
    /// Whether a simulator made the cells.
    pub synthetic: bool,
    /// Why the networks stopped, and how many each.
    pub stops: BTreeMap<String, usize>,
    /// One line about the data.
    pub data: String,
    /// Remarks of the experiment.
    pub notes: Vec<String>,
    /// Wall time of fit and scores [s], of this process.
    pub seconds: f64,
    /// Folder of the run, relative to the working directory.
    pub run: PathBuf,
}

/// How a run is carried out.
pub struct RunContext<'a> {
    /// Working directory with `datasets/` and `models/`.
    pub root: &'a Path,
    /// Time of the begin, for names: `<yyyymmdd-hhmmss>` and RFC 3339.
    pub stamp: (&'a str, &'a str),
    /// Backend of the networks.
    pub backend: Backend,
    /// Flag that asks for a pause.
    pub interrupt: &'a Interrupt,
    /// Receives each epoch, beside the run's own history.
    pub observe: &'a mut dyn Observe,
}

/// Runs an experiment called `name` in a new folder.
///
/// # Errors
/// Every [`ExperimentError`]; [`ExperimentError::Interrupted`] after a pause, with the folder to resume.
pub fn start(
    name: &str,
    config: &ExperimentConfig,
    task: &Task,
    context: RunContext,
) -> Result<Outcome, ExperimentError> {
    let state = RunState {
        experiment: name.into(),
        fadecast: env!("CARGO_PKG_VERSION").into(),
        config_sha256: file::sha256_bytes(resolved_toml(config)?.as_bytes()),
        data_sha256: task.data_sha256.clone(),
        backend: context.backend,
        created: context.stamp.1.into(),
        complete: false,
        weights_sha256: None,
    };
    let folder = RunFolder::create(context.root, context.stamp.0, config, &state)?;
    carry_out(&folder, state, config, task, context)
}

/// Goes on with a run that was killed or interrupted; its backend and experiment are those of its begin.
///
/// # Errors
/// As [`start`], and [`ExperimentError::DataChanged`].
pub fn resume(
    folder: &RunFolder,
    state: RunState,
    config: &ExperimentConfig,
    task: &Task,
    context: RunContext,
) -> Result<Outcome, ExperimentError> {
    check_data(folder, &state, config, task)?;
    if state.complete {
        return Ok(file::read_json(&folder.file(METRICS))?);
    }
    carry_out(folder, state, config, task, context)
}

/// Loads a completed run and scores it anew on its data.
///
/// # Errors
/// [`ExperimentError::Unfinished`], [`ExperimentError::DataChanged`] or [`ExperimentError::Damaged`].
pub fn evaluate(
    folder: &RunFolder,
    state: &RunState,
    config: &ExperimentConfig,
    task: &Task,
) -> Result<Outcome, ExperimentError> {
    check_data(folder, state, config, task)?;
    if !state.complete {
        return Err(ExperimentError::Unfinished { run: folder.path().into() });
    }
    let fitted = stored_model(folder, state, config, task)?;
    let predicted = fitted.predict(config, task, state.backend)?;
    evaluated(folder, task, &predicted)
}

/// Writes the manifest of a completed run that has none, as those of before the registry; the run is predicted anew, and
/// its figures must be those that it reported.
///
/// # Errors
/// As [`evaluate`], and [`ExperimentError::Damaged`] where the figures differ.
pub fn migrate(
    folder: &RunFolder,
    state: &RunState,
    config: &ExperimentConfig,
    task: &Task,
) -> Result<Manifest, ExperimentError> {
    check_data(folder, state, config, task)?;
    if !state.complete {
        return Err(ExperimentError::Unfinished { run: folder.path().into() });
    }
    let fitted = stored_model(folder, state, config, task)?;
    let predicted = fitted.predict(config, task, state.backend)?;
    let outcome = evaluated(folder, task, &predicted)?;
    let reported: Outcome = file::read_json(&folder.file(METRICS))?;
    if let Some(name) = differing(&outcome.metrics, &reported.metrics) {
        let found = format!("its `{name}` is not the one that it reported; train it anew");
        return Err(ExperimentError::Damaged { run: folder.path().into(), found });
    }
    let (fitted, predicted, outcome) = (&fitted, predicted.as_slice(), &reported);
    Finished { folder, state, config, task, fitted, predicted, outcome }.publish()
}

/// Share of a figure by which another processor may round it otherwise: a thousandth of what is reported.
const ROUNDING: f64 = 1e-3;

/// Returns the name of a metric whose means differ.
fn differing<'a>(found: &Metrics, reported: &'a Metrics) -> Option<&'a String> {
    let same = |a: f64, b: f64| (a - b).abs() <= ROUNDING * b.abs().max(1e-9);
    let differs =
        |(name, m): &(&String, &score::Metric)| found.get(*name).is_none_or(|f| !same(f.mean, m.mean));
    reported.iter().find(differs).map(|(name, _)| name)
}

/// Returns what is reported of a run with figures of new predictions.
fn evaluated(
    folder: &RunFolder,
    task: &Task,
    predicted: &[Vec<Vec<f64>>],
) -> Result<Outcome, ExperimentError> {
    let stored: Outcome = file::read_json(&folder.file(METRICS))?;
    Ok(Outcome { metrics: score::score(task, predicted), tiers: score::tiers(task, predicted), ..stored })
}

/// Reads a run's model, whose hashes must agree and whose inputs must be those of the data.
fn stored_model(
    folder: &RunFolder,
    state: &RunState,
    config: &ExperimentConfig,
    task: &Task,
) -> Result<Fitted, ExperimentError> {
    let damaged = |found: String| ExperimentError::Damaged { run: folder.path().into(), found };
    let sealed = folder.file(MANIFEST).exists().then(|| Sealed::open(folder.path())).transpose()?;
    let hashes = RefCell::new(Vec::new());
    let read = |name: &str| -> Result<Vec<u8>, ExperimentError> {
        let bytes = match &sealed {
            Some(sealed) => sealed.read(name)?,
            None => file::read(&folder.file(name))?,
        };
        hashes.borrow_mut().push(file::sha256_bytes(&bytes));
        Ok(bytes)
    };
    let Stored { fitted, shapes } = artifact::read(config, &read)?;
    // The first file is the model without its numbers.
    let sha256 = match &hashes.borrow()[1..] {
        [] => None,
        [weights] if !config.model.kind.has_trees() => Some(weights.clone()),
        trees => Some(file::sha256_bytes(trees.concat().as_bytes())),
    };
    if sha256 != state.weights_sha256 {
        return Err(damaged(format!("the SHA-256 of its weights differs from that in `{STATE}`")));
    }
    if let Some(fold) = fitted.folds.iter().find(|fold| !fold.fits(&task.frame)) {
        return Err(damaged(format!(
            "fold `{}` was fitted to other inputs than this version computes",
            fold.name
        )));
    }
    if shapes.is_some_and(|shapes| shapes != architecture(config, task)) {
        return Err(damaged(format!(
            "the networks in `{}` are not those of its experiment",
            artifact::WEIGHTS
        )));
    }
    Ok(fitted)
}

fn carry_out(
    folder: &RunFolder,
    mut state: RunState,
    config: &ExperimentConfig,
    task: &Task,
    context: RunContext,
) -> Result<Outcome, ExperimentError> {
    let begin = std::time::Instant::now();
    let checkpoint = folder.file("checkpoint.safetensors");
    let mut observe = (History::new(folder.file("history.jsonl")), context.observe);
    let start = Start::load(config, task, context.root)?;
    let fitted = Fitted::fit(
        config,
        task,
        FitContext {
            backend: context.backend,
            checkpoint: Some(&checkpoint),
            interrupt: context.interrupt,
            until: None,
            judge: false,
            start: start.as_ref(),
            observe: &mut observe,
        },
    )?;
    if fitted.is_paused() {
        return Err(ExperimentError::Interrupted { run: folder.path().into() });
    }
    let predicted = fitted.predict(config, task, context.backend)?;
    let shapes = architecture(config, task);
    state.weights_sha256 = artifact::save(&fitted, &shapes, folder.path())?;
    let run = folder.path().strip_prefix(context.root).unwrap_or(folder.path());
    let mut outcome = outcome(&state.experiment, config, task, &fitted, &predicted);
    outcome.run = run.into();
    if config.kind.is_early() {
        let reasons = Reasons::find((&state.experiment, config, task), &fitted, &predicted, context.backend)?;
        outcome.reasons = Some(reasons.summary());
        file::write_json(&folder.file(REASONS), &reasons)?;
    }
    outcome.seconds = begin.elapsed().as_secs_f64();
    predictions::write(&folder.file("predictions.parquet"), task, &predicted)?;
    file::write_json(&folder.file(METRICS), &outcome)?;
    let (fitted, predicted) = (&fitted, predicted.as_slice());
    Finished { folder, state: &state, config, task, fitted, predicted, outcome: &outcome }.publish()?;
    state.complete = true;
    folder.write_state(&state)?;
    Ok(outcome)
}

/// Returns everything that is reported of a model, but for its folder and time.
pub fn outcome(
    name: &str,
    config: &ExperimentConfig,
    task: &Task,
    fitted: &Fitted,
    predicted: &[Vec<Vec<f64>>],
) -> Outcome {
    let mut stops = BTreeMap::new();
    for stop in fitted.folds.iter().flat_map(|f| &f.stops) {
        *stops.entry(stop_name(*stop).to_owned()).or_default() += 1;
    }
    Outcome {
        task: name.into(),
        kind: config.kind,
        model: config.model.kind,
        unit: task.unit().into(),
        metrics: score::score(task, predicted),
        tiers: score::tiers(task, predicted),
        reasons: None,
        baselines: score::baselines(config, task),
        references: config.references.clone(),
        leak_allowed: config.inputs.allow_leak && (!task.leakage.is_ok() || starts_leaking(config)),
        leakage: task.leakage.to_string(),
        tuned_on_test: config.tuned_on_test,
        synthetic: task.frame.cells.iter().any(|c| c.synthetic),
        stops,
        data: task.summary.clone(),
        notes: config.notes.clone(),
        seconds: 0.0,
        run: PathBuf::new(),
    }
}

/// Returns whether the weights that networks start from may have seen test cells.
fn starts_leaking(config: &ExperimentConfig) -> bool {
    config.start.as_ref().is_some_and(|start| start.leaks)
}

fn stop_name(stop: StopReason) -> &'static str {
    match stop {
        StopReason::MaxEpochs => "max_epochs",
        StopReason::EarlyStop { .. } => "early_stop",
        StopReason::Interrupted => "interrupted",
        StopReason::Budget => "budget",
        StopReason::Diverged { .. } => "diverged",
        StopReason::Timeout => "timeout",
    }
}

fn check_data(
    folder: &RunFolder,
    state: &RunState,
    config: &ExperimentConfig,
    task: &Task,
) -> Result<(), ExperimentError> {
    if state.data_sha256 == task.data_sha256 {
        return Ok(());
    }
    Err(ExperimentError::DataChanged { run: folder.path().into(), dataset: config.dataset.clone() })
}
