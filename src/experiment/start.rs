//! Starts: networks that begin with weights of another run, or of a file that another program wrote, instead of drawn ones.
//!
//! ```toml
//! [start]
//! from = "models/quickstart/latest"     # a run, or a file: .weights.h5, .h5, .safetensors
//! ```
//!
//! Each network starts from the one of the same fold and seed, or from the first one of the run where there is none. It
//! computes what that one computed: where scalings differ (other data, a foreign network), its first and last layers are
//! written anew. A run's resolved experiment holds the hash of the weights, so that a resume and a second run are exact.
//!
//! Weights that were trained on the same data in other folds have seen test cells: they are refused, or allowed and told.

mod begin;
mod error;
mod origin;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(super) use self::begin::begin;
pub use self::error::StartError;
pub use self::origin::Start;
use super::config::{ExperimentConfig, ModelKind};
use super::error::ExperimentError;
use super::task::Task;
use crate::file;
use crate::model::chain::{self, Chain};
use crate::train::ScheduleConfig;

/// Where networks start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StartConfig {
    /// Run (`models/quickstart/latest`, its folder, or the name of an experiment), or file of a dense network's weights.
    pub from: String,
    /// Of safetensors: what the names of the network's arrays begin with. Default all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// SHA-256 of the weights; a run's own experiment has it, and another file is refused then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of the data that the weights were trained on, and of what they started from; filled in, unknown of a file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_sha256: Vec<String>,
    /// Whether the weights may have seen test cells, which `inputs.allow_leak` allowed; filled in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaks: bool,
    /// What a file's batch normalisation adds to a variance, 0 or more (Keras: 0.001). Default 0.00001.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f32>,
    /// Scaling behind which a file's network was trained; without one it is taken to be that of each fold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingConfig>,
}

/// Scaling of a foreign network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScalingConfig {
    /// Inputs in the order of the network: those of the experiment, each with its scaling.
    pub inputs: Vec<InputScale>,
    /// Scaling of the label. Default mean 0, standard deviation 1.
    pub label: LabelScale,
}

/// Scaling of an input: `(value - mean) / sd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputScale {
    /// Name of the input.
    pub name: String,
    /// What is subtracted, in its unit.
    pub mean: f64,
    /// What it is divided by, above 0, in its unit.
    pub sd: f64,
}

/// Scaling of a label: `(label - mean) / sd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelScale {
    /// What is subtracted [SoH, or log10 cycles].
    pub mean: f64,
    /// What it is divided by, above 0.
    pub sd: f64,
}

impl Default for LabelScale {
    fn default() -> Self {
        Self { mean: 0.0, sd: 1.0 }
    }
}

impl StartConfig {
    /// Returns one that has every key, to know their names by.
    pub(super) fn every_key() -> Self {
        let (text, scaling) = (Some(String::new()), Some(ScalingConfig::default()));
        Self {
            sha256: text.clone(),
            prefix: "-".into(),
            data_sha256: text.into_iter().collect(),
            leaks: true,
            epsilon: Some(0.0),
            scaling,
            from: String::new(),
        }
    }

    /// Returns every key that is wrong, below `start`, and what is.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.from.is_empty() {
            problems.push(("from".into(), "is missing; name a run or a file of weights".into()));
        }
        if self.epsilon.is_some_and(|e| !(e >= 0.0 && e.is_finite())) {
            problems.push(("epsilon".into(), "is no number from 0".into()));
        }
        let Some(scaling) = &self.scaling else { return problems };
        let inputs = scaling.inputs.iter().map(|i| (format!("scaling.inputs `{}`", i.name), i.mean, i.sd));
        let label = [("scaling.label".to_owned(), scaling.label.mean, scaling.label.sd)];
        for (key, mean, sd) in inputs.chain(label) {
            if !(mean.is_finite() && sd > 0.0 && sd.is_finite()) {
                problems.push((key, format!("has mean {mean} and sd {sd}; give numbers, sd above 0")));
            }
        }
        problems
    }
}

/// Returns the experiment with its start looked up: a run by its folder, the hash of the weights, and remarks on them.
///
/// # Errors
/// [`ExperimentError::Start`], and whatever a run that cannot be read says.
pub fn resolve(
    config: &ExperimentConfig,
    task: &Task,
    root: &Path,
) -> Result<ExperimentConfig, ExperimentError> {
    let (Some(start), Some(asked)) = (Start::load(config, task, root)?, &config.start) else {
        return Ok(config.clone());
    };
    let mut config = config.clone();
    for note in start.notes().into_iter().filter(|note| !config.notes.contains(note)).collect::<Vec<_>>() {
        config.notes.push(note);
    }
    config.start = Some(StartConfig {
        from: start.from().to_owned(),
        sha256: Some(start.sha256().to_owned()),
        data_sha256: start.seen().to_vec(),
        leaks: start.leaks(),
        ..asked.clone()
    });
    Ok(config)
}

/// Returns the experiment of an imported network: as `config`, but with the hidden layers of the file, whose weights every
/// network of every fold keeps.
///
/// # Errors
/// [`StartError::Kind`], [`StartError::Chain`], [`ExperimentError::File`].
pub fn import(
    config: &ExperimentConfig,
    start: StartConfig,
    root: &Path,
) -> Result<ExperimentConfig, ExperimentError> {
    let (path, _, chain) = read_chain(&start, root)?;
    if config.model.kind != ModelKind::Dense {
        return Err(StartError::Kind { path, kind: config.model.kind.name() }.into());
    }
    let mut config = config.clone();
    (config.model.hidden, config.model.layers, config.model.units) = (Some(chain.hidden()), None, None);
    (config.train.epochs, config.train.schedule, config.train.early_stop) =
        (0, ScheduleConfig::default(), None);
    (config.tuner, config.compare) = (None, Vec::new());
    config.start = Some(start);
    Ok(config)
}

/// Reads what a foreign network's scaling is from JSON: `{"inputs": {name: {mean, sd}}, "label": {mean, sd}}`, the inputs in
/// the order of the network.
///
/// # Errors
/// [`ExperimentError::File`].
pub fn read_scaling(path: &Path) -> Result<ScalingConfig, ExperimentError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Both {
        mean: f64,
        sd: f64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Told {
        inputs: serde_json::Map<String, serde_json::Value>,
        #[serde(default)]
        label: LabelScale,
    }
    let Told { inputs, label } = file::read_json(path)?;
    let scale = |(name, value): (String, serde_json::Value)| {
        let Both { mean, sd } = serde_json::from_value(value)
            .map_err(|e| file::FileError::parse(path, format!("input `{name}`: {e}")))?;
        Ok::<_, ExperimentError>(InputScale { name, mean, sd })
    };
    Ok(ScalingConfig { inputs: inputs.into_iter().map(scale).collect::<Result<_, _>>()?, label })
}

/// Most bytes of a file of weights that is read: more than the widest and deepest network has.
const MOST_BYTES: u64 = 4 << 30;

/// Returns the path of a file of weights, its SHA-256 and its network.
fn read_chain(start: &StartConfig, root: &Path) -> Result<(PathBuf, String, Chain), ExperimentError> {
    let path = file_of(start, root).unwrap_or_else(|| PathBuf::from(&start.from));
    let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
    if bytes > MOST_BYTES {
        return Err(StartError::TooLarge { path, bytes }.into());
    }
    let bytes = file::read(&path)?;
    let sha256 = file::sha256_bytes(&bytes);
    let failed = |source| StartError::Chain { path: path.clone(), source };
    let chain = chain::read(bytes, &start.prefix).map_err(failed)?;
    Ok((path, sha256, chain))
}

/// Returns the file that a start names, if it is one.
fn file_of(start: &StartConfig, root: &Path) -> Option<PathBuf> {
    [PathBuf::from(&start.from), root.join(&start.from)].into_iter().find(|path| path.is_file())
}
