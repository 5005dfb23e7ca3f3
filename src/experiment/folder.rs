//! Run folders: `models/<experiment>/<run>/`, created exclusively, complete when `run.json` says so.
//!
//! | file | what |
//! |---|---|
//! | `experiment.toml` | resolved experiment, itself a valid experiment file |
//! | `run.json` | state, versions, hashes |
//! | `checkpoint.safetensors` | training as it stands; a resume goes on from it |
//! | `history.jsonl` | one line an epoch and member |
//! | `model.json`, `weights.safetensors` | fitted model |
//! | `metrics.json` | the object of `--json` |
//! | `predictions.parquet` | one row a predicted discharge |
//! | `reasons.json` | which inputs a model of lives or tiers rests on, over all cells and for each |
//! | `figures/` | pictures of a model of lives or tiers |
//! | `model_card.md` | what it is, for people |

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::parse;
use crate::device::Backend;
use crate::file::{self, FileError};

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

    /// Opens a run by its folder; `latest` is the newest completed run of its experiment.
    ///
    /// # Errors
    /// [`ExperimentError::NoRun`] or [`ExperimentError::Version`].
    pub fn open(root: &Path, run: &Path) -> Result<(Self, RunState), ExperimentError> {
        let path = if run.is_dir() || run.is_absolute() { run.to_path_buf() } else { root.join(run) };
        let path = if path.ends_with("latest") { latest(&path).unwrap_or(path) } else { path };
        if !path.join("run.json").exists() {
            return Err(ExperimentError::NoRun { run: run.to_path_buf() });
        }
        let version: VersionOnly = file::read_json(&path.join("run.json"))?;
        if version.fadecast != env!("CARGO_PKG_VERSION") {
            return Err(ExperimentError::Version { run: path, found: version.fadecast });
        }
        let state = file::read_json(&path.join("run.json"))?;
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
        Ok(parse::read(&self.file("experiment.toml"), &[])?)
    }

    /// Stores the state.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn write_state(&self, state: &RunState) -> Result<(), ExperimentError> {
        Ok(file::write_json(&self.file("run.json"), state)?)
    }

    fn write_config(&self, config: &ExperimentConfig) -> Result<(), ExperimentError> {
        let path = self.file("experiment.toml");
        Ok(file::write_atomic(&path, resolved_toml(config)?.as_bytes())?)
    }
}

/// Returns the resolved experiment as TOML, the text whose hash identifies it.
///
/// # Errors
/// [`ExperimentError::File`] where a value has no TOML form.
pub fn resolved_toml(config: &ExperimentConfig) -> Result<String, ExperimentError> {
    Ok(toml::to_string(config).map_err(|e| FileError::parse("experiment.toml", e))?)
}

#[derive(Deserialize)]
struct VersionOnly {
    fadecast: String,
}

/// Returns the newest completed run beside `latest`: names begin with their time.
fn latest(path: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let complete =
        |run: &PathBuf| file::read_json::<RunState>(&run.join("run.json")).is_ok_and(|state| state.complete);
    entries.flatten().map(|e| e.path()).filter(complete).max()
}
