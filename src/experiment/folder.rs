//! Run folders: `models/<experiment>/<run>/`, created exclusively, complete when `run.json` says so.
//!
//! | file | what |
//! |---|---|
//! | `experiment.toml` | resolved experiment, itself a valid experiment file |
//! | `run.json` | state, versions, hashes |
//! | `checkpoint.safetensors` | training as it stands; a resume goes on from it |
//! | `history.jsonl` | one line an epoch and member |
//! | `model.json`, `weights.safetensors`, `trees/` | fitted model |
//! | `metrics.json` | the object of `--json` |
//! | `predictions.parquet` | one row a predicted discharge or cell |
//! | `reasons.json` | which inputs a model of lives or tiers rests on, over all cells and for each |
//! | `figures/` | pictures of a model of lives or tiers |
//! | `model_card.md` | what it is, for people |
//! | `artifact.json` | what is served: inputs, answer, interval, and the SHA-256 of every file that it is made of |
//!
//! Beside the runs of an experiment stands `promoted.json`, where one of them is promoted.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::parse;
use super::promotion::Promotion;
use crate::device::Backend;
use crate::file::{self, FileError};

/// Name of the file with the resolved experiment.
pub const EXPERIMENT: &str = "experiment.toml";

/// Name of the file with all that is reported.
pub const METRICS: &str = "metrics.json";

/// Name of the file for people.
pub const MODEL_CARD: &str = "model_card.md";

/// Name of the file with the run's state.
pub const STATE: &str = "run.json";

/// What a run is, beside its experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Name of the experiment.
    pub experiment: String,
    /// Version of fadecast that made the run.
    pub fadecast: String,
    /// SHA-256 of the resolved experiment.
    pub config_sha256: String,
    /// SHA-256 of the data.
    pub data_sha256: String,
    /// Backend of the networks.
    pub backend: Backend,
    /// Begin of the run, UTC, RFC 3339.
    pub created: String,
    /// Whether the run is finished.
    pub complete: bool,
    /// SHA-256 of `weights.safetensors` once finished; none for models without networks.
    pub weights_sha256: Option<String>,
}

/// One run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Creates the folder of a new run and stores its experiment and state.
    ///
    /// # Errors
    /// [`ExperimentError::File`], also where the folder exists already.
    pub fn create(
        root: &Path,
        stamp: &str,
        config: &ExperimentConfig,
        state: &RunState,
    ) -> Result<Self, ExperimentError> {
        let name = format!("{stamp}-{}", &state.config_sha256[..8]);
        let parent = root.join("models").join(&state.experiment);
        let mut path = parent.join(&name);
        let mut number = 1;
        while let Err(error) = file::create_new_folder(&path) {
            number += 1;
            match error {
                FileError::Exists { .. } => path = parent.join(format!("{name}-{number}")),
                other => return Err(other.into()),
            }
        }
        let folder = Self { path };
        let stored = folder.write_config(config).and_then(|()| folder.write_state(state));
        if stored.is_err() {
            let _ = file::remove_folder(&folder.path);
        }
        stored.map(|()| folder)
    }

    /// Opens a run by any of the names of [`locate`].
    ///
    /// # Errors
    /// [`ExperimentError::NoRun`], [`ExperimentError::Promotion`] or [`ExperimentError::Version`].
    pub fn open(root: &Path, run: &Path) -> Result<(Self, RunState), ExperimentError> {
        let path = locate(root, run)?;
        let version: VersionOnly = file::read_json(&path.join(STATE))?;
        if version.fadecast != env!("CARGO_PKG_VERSION") {
            return Err(ExperimentError::Version { run: path, found: version.fadecast });
        }
        let state = file::read_json(&path.join(STATE))?;
        Ok((Self { path }, state))
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads the resolved experiment back.
    ///
    /// # Errors
    /// [`ExperimentError::Config`].
    pub fn config(&self) -> Result<ExperimentConfig, ExperimentError> {
        Ok(parse::read(&self.file(EXPERIMENT), &[])?)
    }

    /// Stores the state.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn write_state(&self, state: &RunState) -> Result<(), ExperimentError> {
        Ok(file::write_json(&self.file(STATE), state)?)
    }

    fn write_config(&self, config: &ExperimentConfig) -> Result<(), ExperimentError> {
        let path = self.file(EXPERIMENT);
        Ok(file::write_atomic(&path, resolved_toml(config)?.as_bytes())?)
    }
}

/// Returns the resolved experiment as TOML, the text whose hash identifies it.
///
/// # Errors
/// [`ExperimentError::File`] where a value has no TOML form.
pub fn resolved_toml(config: &ExperimentConfig) -> Result<String, ExperimentError> {
    Ok(toml::to_string(config).map_err(|e| FileError::parse(EXPERIMENT, e))?)
}

#[derive(Deserialize)]
struct VersionOnly {
    fadecast: String,
}

/// Returns the folder of a run by what people call it: its folder, `models/NAME/latest`, `models/NAME/promoted`, both also
/// without `models`, or the `NAME` of an experiment alone, whose promoted run counts, else its latest.
///
/// # Errors
/// [`ExperimentError::NoRun`], [`ExperimentError::Promotion`].
pub fn locate(root: &Path, run: &Path) -> Result<PathBuf, ExperimentError> {
    let none = || ExperimentError::NoRun { run: run.to_path_buf() };
    let path = if run.is_dir() || run.is_absolute() { run.to_path_buf() } else { root.join(run) };
    let is_there = |path: &Path| path.is_dir() || path.parent().is_some_and(Path::is_dir);
    let is_short = run.components().count() > 1 && !is_there(&path);
    let path = if is_short { root.join("models").join(run) } else { path };
    if path.join(STATE).is_file() {
        return Ok(path);
    }
    let experiment = path.parent().unwrap_or(&path);
    match path.file_name().and_then(|name| name.to_str()) {
        Some("latest") => return latest(experiment).ok_or_else(none),
        Some("promoted") => return Promotion::run_of(experiment)?.ok_or_else(none),
        _ => {}
    }
    let is_name = matches!(run.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
    let named = if is_name { root.join("models").join(run) } else { path };
    let promoted = Promotion::run_of(&named)?;
    promoted.or_else(|| latest(&named)).ok_or_else(none)
}

/// Returns the newest completed run of an experiment's folder: names begin with their time.
fn latest(experiment: &Path) -> Option<PathBuf> {
    runs(experiment).into_iter().filter(|(_, state)| state.complete).map(|(run, _)| run).max()
}

/// Returns the runs of an experiment's folder with their states, in the order of their names; those of other versions, and
/// what is no run, are left out.
pub fn runs(experiment: &Path) -> Vec<(PathBuf, RunState)> {
    let entries = std::fs::read_dir(experiment).into_iter().flatten().flatten();
    let run = |path: PathBuf| {
        let is_hidden = path.file_name()?.to_str()?.starts_with('.');
        let state = file::read_json(&path.join(STATE)).ok().filter(|_| !is_hidden)?;
        Some((path, state))
    };
    let mut runs: Vec<(PathBuf, RunState)> = entries.filter_map(|entry| run(entry.path())).collect();
    runs.sort_by(|a, b| a.0.cmp(&b.0));
    runs
}
