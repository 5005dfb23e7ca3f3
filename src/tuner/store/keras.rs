//! A study as a Keras Tuner project: `tuner0.json`, `oracle.json` and `trial_<id>/trial.json`.
//!
//! `oracle.json` has the keys of all of Keras Tuner's oracles, so that its random, Bayesian, Hyperband and grid tuners open it
//! and the first three go on from it. Layout, keys and meanings: keras-tuner 1.4.8.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value as Json;

use super::bracket::Brackets;
use super::{StudyView, hyperparameter};
use crate::file::{self, FileError};
use crate::tuner::objective::Direction;
use crate::tuner::space;
use crate::tuner::trial::{Measurement, Origin, Status, Trial};
use crate::tuner::value::{Value, Values};

/// Prefix of the values with which Keras Tuner's Hyperband says what a trial trains; no parameters of the search.
pub(super) const RESERVED: &str = "tuner/";
/// Metric that Keras Tuner makes of several objectives.
pub(super) const SUM: &str = "multi_objective";
/// Failed trials in a row after which Keras Tuner stops for good, wherever in the study they are.
const CONSECUTIVE_FAILURES: usize = 3;
/// Noise that Keras Tuner's Gaussian process assumes (its own default).
const ALPHA: f64 = 1e-4;

/// Returns the file of a trial.
pub(super) fn trial_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("trial_{id}")).join("trial.json")
}

/// Writes `tuner0.json`, the files of some trials and `oracle.json`, in this order: each is complete without the next.
/// A file that is right already is left alone.
///
/// # Errors
/// [`FileError::Write`].
pub(super) fn write<'a>(
    folder: &Path,
    view: &StudyView<'_>,
    trials: impl Iterator<Item = &'a Trial>,
    hashes: &mut Hashes,
) -> Result<(), FileError> {
    let opener = folder.join("tuner0.json");
    if !opener.is_file() {
        file::write_atomic(&opener, b"{}")?;
    }
    let space = hyperparameter::list(view.space);
    for trial in trials {
        let path = trial_path(folder, &trial.id);
        // What another program wrote about a trial is more than what is known of it here.
        if trial.origin == Origin::Observed && path.is_file() {
            continue;
        }
        file::create_folder(&folder.join(format!("trial_{}", trial.id)))?;
        write_json(&path, &trial_file(trial, view, &space))?;
    }
    write_json(&folder.join("oracle.json"), &oracle_file(view, &space, hashes.update(view)))
}

/// Returns `trial.json`.
pub fn trial_json(trial: &Trial, view: &StudyView<'_>) -> Vec<u8> {
    json(&trial_file(trial, view, &hyperparameter::list(view.space)))
}

/// Returns `oracle.json`.
pub fn oracle_json(view: &StudyView<'_>) -> Vec<u8> {
    json(&oracle_file(view, &hyperparameter::list(view.space), Hashes::default().update(view)))
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    let bytes = json(value);
    if file::read(path).is_ok_and(|there| there == bytes) { Ok(()) } else { file::write_atomic(path, &bytes) }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("names are texts, numbers are finite")
}

#[derive(Serialize)]
struct Hyperparameters<'a> {
    space: &'a [Json],
    values: Values,
}

#[derive(Serialize)]
struct TrialFile<'a> {
    trial_id: &'a str,
    hyperparameters: Hyperparameters<'a>,
    metrics: Metrics,
    score: Option<f64>,
    best_step: u32,
    status: &'static str,
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Metrics {
    metrics: BTreeMap<String, History>,
}

#[derive(Serialize)]
struct History {
    direction: Direction,
    observations: [Observation; 1],
}

#[derive(Serialize)]
struct Observation {
    value: Vec<f64>,
    step: u32,
}

fn trial_file<'a>(trial: &'a Trial, view: &StudyView<'_>, space: &'a [Json]) -> TrialFile<'a> {
    let score = score(trial, view);
    let evaluation = trial.evaluation.as_ref().filter(|_| trial.status != Status::Running);
    TrialFile {
        trial_id: &trial.id,
        hyperparameters: Hyperparameters { space, values: values(trial, view) },
        metrics: Metrics { metrics: metrics(trial, view, score) },
        score,
        best_step: evaluation.map_or(0, |e| e.epoch),
        status: status(trial, view),
        message: trial.message.as_deref(),
    }
}

fn status(trial: &Trial, view: &StudyView<'_>) -> &'static str {
    match trial.status {
        Status::Running => "RUNNING",
        // Keras Tuner cannot sort a trial without a score among the others.
        Status::Completed if score(trial, view).is_some() => "COMPLETED",
        Status::Completed | Status::Failed => "FAILED",
    }
}

/// Returns the objective's mean if the trial is completed; of several, Keras Tuner's sum, in which those to make great count negative.
fn score(trial: &Trial, view: &StudyView<'_>) -> Option<f64> {
    let costs = trial.costs(view.objectives)?;
    match view.objectives {
        [one] => trial.metric(&one.metric),
        _ => Some(costs.iter().sum::<f64>()).filter(|v| v.is_finite()),
    }
}

fn metrics(trial: &Trial, view: &StudyView<'_>, score: Option<f64>) -> BTreeMap<String, History> {
    // Keras Tuner takes a metric that is there already for the result of a trial that it begins anew.
    let evaluation = trial.evaluation.as_ref().filter(|_| trial.status != Status::Running);
    let Some(evaluation) = evaluation else { return BTreeMap::new() };
    let history = |direction, value| History {
        direction,
        observations: [Observation { value, step: evaluation.epoch }],
    };
    let direction = |name: &str| {
        let objective = view.objectives.iter().find(|o| o.metric == name);
        objective.map_or(Direction::Min, |o| o.direction)
    };
    let finite = evaluation.metrics.iter().filter(|(_, m)| m.mean.is_finite());
    let own = finite.map(|(name, m)| (file_name(name, view), history(direction(name), executions(m))));
    let sum =
        score.filter(|_| view.objectives.len() > 1).map(|v| (SUM.into(), history(Direction::Min, vec![v])));
    own.chain(sum).collect()
}

/// Returns the mean over the folds for each execution; the mean alone where some are missing.
fn executions(measurement: &Measurement) -> Vec<f64> {
    let folds: Vec<&Vec<f64>> = measurement.folds.values().collect();
    let n = folds.first().map_or(0, |f| f.len());
    let complete = n > 0 && folds.iter().all(|f| f.len() == n && f.iter().all(|v| v.is_finite()));
    if !complete {
        return vec![measurement.mean];
    }
    (0..n).map(|i| folds.iter().map(|f| f[i]).sum::<f64>() / folds.len() as f64).collect()
}

/// Returns the name of a metric in the project that the study continues, where it has another there.
fn file_name(metric: &str, view: &StudyView<'_>) -> String {
    let map = view.config.import.as_ref().map(|import| &import.metric);
    let there = map.and_then(|map| map.iter().find(|(_, here)| *here == metric));
    there.map_or(metric, |(there, _)| there).to_owned()
}

fn values(trial: &Trial, view: &StudyView<'_>) -> Values {
    let kept = |(name, value): (&String, &Value)| {
        let param = view.space.params.iter().find(|p| p.name == *name);
        (name.clone(), param.map_or_else(|| value.clone(), |p| hyperparameter::to_keras(&p.domain, value)))
    };
    let mut values: Values = trial.values.iter().map(kept).collect();
    if let Some(budget) = &trial.budget {
        let number = |v: u32| Value::Int(i64::from(v));
        let mut say = |name: &str, value| values.insert(format!("{RESERVED}{name}"), value);
        say("epochs", number(budget.until));
        say("initial_epoch", number(budget.from));
        say("bracket", number(budget.bracket));
        say("round", number(budget.round));
        if let Some(source) = budget.source.and_then(|n| view.trials.get(n)) {
            say("trial_id", Value::Text(source.id.clone()));
        }
    }
    values
}

/// Hashes of trials: they cost more than all the rest of `oracle.json`.
#[derive(Debug, Default)]
pub(super) struct Hashes(Vec<Hashed>);

#[derive(Debug)]
struct Hashed {
    values: Values,
    source: Option<usize>,
    hash: String,
}

impl Hashes {
    /// Returns the hash of each trial; those of trials that are as before are not computed again.
    fn update(&mut self, view: &StudyView<'_>) -> &[Hashed] {
        self.0.truncate(view.trials.len());
        for (idx, trial) in view.trials.iter().enumerate() {
            let source = trial.budget.as_ref().and_then(|b| b.source);
            let same = |h: &Hashed| h.values == trial.values && h.source == source;
            if self.0.get(idx).is_some_and(same) {
                continue;
            }
            let hashed = Hashed { values: trial.values.clone(), source, hash: hash(trial, view) };
            match self.0.get_mut(idx) {
                Some(old) => *old = hashed,
                None => self.0.push(hashed),
            }
        }
        &self.0
    }
}

/// Returns Keras Tuner's hash of a trial: of its values and the trial that it goes on from.
fn hash(trial: &Trial, view: &StudyView<'_>) -> String {
    let mut values = values(trial, view);
    for name in ["epochs", "initial_epoch", "bracket", "round"] {
        values.remove(&format!("{RESERVED}{name}"));
    }
    space::hash(&values)
}

#[derive(Serialize)]
struct OracleFile<'a> {
    ongoing_trials: BTreeMap<String, &'a str>,
    hyperparameters: Hyperparameters<'a>,
    start_order: Vec<&'a str>,
    end_order: Vec<&'a str>,
    run_times: BTreeMap<&'a str, u32>,
    retry_queue: [&'a str; 0],
    seed: u64,
    seed_state: u64,
    tried_so_far: BTreeSet<&'a str>,
    id_to_hash: BTreeMap<&'a str, &'a str>,
    display: Display<'a>,
    num_initial_points: Option<usize>,
    alpha: f64,
    beta: f64,
    hyperband_iterations: u32,
    max_epochs: u32,
    min_epochs: u32,
    factor: u32,
    #[serde(flatten)]
    brackets: Brackets,
}

/// What Keras Tuner shows of the time; a study does not depend on the clock.
#[derive(Serialize)]
struct Display<'a> {
    search_start: Option<String>,
    trial_start: BTreeMap<String, String>,
    trial_number: BTreeMap<&'a str, usize>,
}

fn oracle_file<'a>(view: &StudyView<'a>, space: &'a [Json], hashes: &'a [Hashed]) -> OracleFile<'a> {
    let trials = view.trials;
    let ids = || trials.iter().map(|t| t.id.as_str());
    let running = trials.iter().filter(|t| t.status == Status::Running);
    let hashes = || hashes.iter().map(|h| h.hash.as_str());
    // NumPy, which Keras Tuner seeds with it, takes 32 bits.
    let seed = view.seed & u64::from(u32::MAX);
    OracleFile {
        ongoing_trials: running.enumerate().map(|(i, t)| (format!("tuner{i}"), t.id.as_str())).collect(),
        hyperparameters: Hyperparameters { space, values: Values::new() },
        start_order: ids().collect(),
        end_order: end_order(view),
        run_times: trials.iter().map(|t| (t.id.as_str(), runs(t))).collect(),
        retry_queue: [],
        seed,
        seed_state: seed + trials.iter().map(|t| t.values.len() as u64).sum::<u64>(),
        tried_so_far: hashes().collect(),
        id_to_hash: ids().zip(hashes()).collect(),
        display: Display {
            search_start: None,
            trial_start: BTreeMap::new(),
            trial_number: trials.iter().map(|t| (t.id.as_str(), t.number + 1)).collect(),
        },
        num_initial_points: view.config.initial,
        alpha: ALPHA,
        beta: view.config.beta,
        hyperband_iterations: view.config.iterations.max(1),
        max_epochs: view.epochs.max(1),
        min_epochs: view.config.min_epochs.max(1),
        factor: view.config.factor.max(2),
        brackets: Brackets::new(trials, view.config, view.epochs),
    }
}

fn runs(trial: &Trial) -> u32 {
    trial.retries + u32::from(trial.status != Status::Running)
}

/// Returns finished trials, without those failed ones that would make Keras Tuner give up: it stops at three in a row,
/// and reads this list for nothing else.
fn end_order<'a>(view: &StudyView<'a>) -> Vec<&'a str> {
    let mut failures = 0;
    let mut order = Vec::new();
    for trial in view.trials.iter().filter(|t| t.status != Status::Running) {
        failures = if score(trial, view).is_none() { failures + 1 } else { 0 };
        if failures < CONSECUTIVE_FAILURES {
            order.push(trial.id.as_str());
        }
    }
    order
}
