//! The shelf: all finished runs below `models/`, which of them is promoted, and how one is taken away.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{RegistryError, load, pipeline};
use crate::experiment::Outcome;
use crate::experiment::folder::{METRICS, RunState, locate, runs};
use crate::experiment::promotion::Promotion;
use crate::experiment::score::{Metrics, SHORTCUT};
use crate::experiment::sealed::Sealed;
use crate::file;
use crate::pipeline::manifest::Manifest;

/// Name of the folder with all runs.
const MODELS: &str = "models";

/// A finished run as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shelved {
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the run.
    pub run: String,
    /// Folder, relative to the working directory.
    pub path: PathBuf,
    /// Kind of the question; none where its figures cannot be read.
    pub kind: Option<String>,
    /// Kind of the model; none where its figures cannot be read.
    pub model: Option<String>,
    /// The figure that counts, on cells that it never saw.
    pub figure: Option<Figure>,
    /// The best of the baselines that a model may use, by that figure.
    pub baseline: Option<Figure>,
    /// Whether a simulator made the cells.
    pub synthetic: bool,
    /// Begin of the run, UTC, RFC 3339.
    pub created: String,
    /// Whether it is the promoted one of its experiment.
    pub promoted: bool,
    /// Why it cannot be served; none where it can.
    pub refused: Option<String>,
}

/// A figure of a run or a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Name of the metric, or of the baseline.
    pub name: String,
    /// Mean over parts.
    pub mean: f64,
    /// Unit, `1` for a share.
    pub unit: String,
}

/// Lists the finished runs, experiment after experiment, each in the order of time; no file but those that describe a run
/// is read.
///
/// # Errors
/// [`RegistryError::Experiment`] where the file that says what is promoted is damaged.
pub fn list(root: &Path) -> Result<Vec<Shelved>, RegistryError> {
    let entries = std::fs::read_dir(root.join(MODELS)).into_iter().flatten().flatten();
    let mut experiments: Vec<PathBuf> = entries.map(|e| e.path()).filter(|path| path.is_dir()).collect();
    experiments.sort();
    let mut shelved = Vec::new();
    for experiment in experiments {
        let promoted = Promotion::read(&experiment)?.map(|promotion| promotion.run);
        let finished = runs(&experiment).into_iter().filter(|(_, state)| state.complete);
        shelved.extend(finished.map(|(run, state)| one(root, &run, state, promoted.as_deref())));
    }
    Ok(shelved)
}

fn one(root: &Path, folder: &Path, state: RunState, promoted: Option<&str>) -> Shelved {
    let run = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let outcome: Option<Outcome> = file::read_json(&folder.join(METRICS)).ok();
    let figures = outcome.as_ref().and_then(headline);
    Shelved {
        experiment: state.experiment,
        path: folder.strip_prefix(root).unwrap_or(folder).into(),
        kind: outcome.as_ref().map(|o| o.kind.name().into()),
        model: outcome.as_ref().map(|o| o.model.name().into()),
        baseline: figures.as_ref().and_then(|(_, baseline)| baseline.clone()),
        figure: figures.map(|(figure, _)| figure),
        synthetic: outcome.is_some_and(|o| o.synthetic),
        created: state.created,
        promoted: promoted == Some(run.as_str()),
        refused: Sealed::open(folder).map_or_else(|e| Some(e.to_string()), |s| s.into_manifest().refused),
        run,
    }
}

/// Returns the figure that counts and the best baseline by it.
fn headline(outcome: &Outcome) -> Option<(Figure, Option<Figure>)> {
    let (name, unit) =
        if outcome.tiers.is_some() { ("accuracy", "1") } else { ("rmse", outcome.unit.as_str()) };
    let figure = |title: &str, metrics: &Metrics| {
        let mean = metrics.get(name)?.mean;
        Some(Figure { name: title.into(), mean, unit: unit.into() })
    };
    let allowed = outcome.baselines.iter().filter(|(name, _)| *name != SHORTCUT);
    let baselines = allowed.filter_map(|(name, metrics)| figure(name, metrics));
    let sign = if outcome.tiers.is_some() { -1.0 } else { 1.0 };
    let best = baselines.min_by(|a, b| (sign * a.mean).total_cmp(&(sign * b.mean)));
    Some((figure(name, &outcome.metrics)?, best))
}

/// Reads what a run is; it need not be servable.
///
/// # Errors
/// [`RegistryError`].
pub fn manifest(root: &Path, run: &Path) -> Result<(PathBuf, Manifest), RegistryError> {
    let path = locate(root, run)?;
    let manifest = Sealed::open(&path)?.into_manifest();
    Ok((path, manifest))
}

/// Returns whether a run is the promoted one of its experiment.
///
/// # Errors
/// [`RegistryError::Experiment`] where the file that says what is promoted is damaged.
pub fn is_promoted(folder: &Path) -> Result<bool, RegistryError> {
    let Some((experiment, run)) = folder.parent().zip(folder.file_name()) else { return Ok(false) };
    Ok(Promotion::read(experiment)?.is_some_and(|promotion| promotion.run.as_str() == run))
}

/// Checks the hash of every file of a run, and that what can be served can be built of them.
///
/// # Errors
/// [`RegistryError`] of the first file that is not as it was.
pub fn verify(root: &Path, run: &Path) -> Result<Manifest, RegistryError> {
    let sealed = Sealed::open(&locate(root, run)?)?;
    sealed.verify()?;
    if sealed.manifest().refused.is_none() {
        pipeline(&sealed)?;
    }
    Ok(sealed.into_manifest())
}

/// Promotes a run that can be served, in the place of its experiment's former one; `now` is UTC, RFC 3339.
///
/// # Errors
/// [`RegistryError`].
pub fn promote(root: &Path, run: &Path, now: &str) -> Result<(PathBuf, Promotion), RegistryError> {
    let loaded = load(root, run)?;
    let (experiment, name) = place(root, &loaded.path)?;
    let sealed = Sealed::open(&loaded.path)?;
    let promotion = Promotion { run: name, artifact_sha256: sealed.sha256().into(), promoted: now.into() };
    promotion.write(&experiment)?;
    Ok((loaded.path, promotion))
}

/// Takes a run away, finished or not: it disappears at once, then its files are deleted.
///
/// It must be named by its own folder or as `latest`: an experiment's name alone is refused.
///
/// # Errors
/// [`RegistryError::Promoted`], [`RegistryError::Elsewhere`], [`RegistryError::File`].
pub fn remove(root: &Path, run: &Path) -> Result<PathBuf, RegistryError> {
    let path = locate(root, run)?;
    let is_itself = run.file_name() == path.file_name() || run.ends_with("latest");
    if !is_itself {
        return Err(elsewhere(root, run));
    }
    let (experiment, name) = place(root, &path)?;
    if is_promoted(&experiment.join(&name))? {
        return Err(RegistryError::Promoted { run: path });
    }
    let hidden = experiment.join(format!(".removed-{name}"));
    // A removal that was killed has left this.
    file::remove_folder(&hidden)?;
    file::publish_folder(&experiment.join(&name), &hidden)?;
    file::remove_folder(&hidden)?;
    Ok(path)
}

/// Returns the folder of a run's experiment and the run's name, where it lies in `models/<experiment>/<run>`.
fn place(root: &Path, folder: &Path) -> Result<(PathBuf, String), RegistryError> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let found = || {
        let (models, folder) = (real(&root.join(MODELS))?, real(folder)?);
        let (experiment, name) = (folder.parent()?.to_path_buf(), folder.file_name()?.to_str()?.to_owned());
        (experiment.parent()? == models).then_some((experiment, name))
    };
    found().ok_or_else(|| elsewhere(root, folder))
}

fn elsewhere(root: &Path, path: &Path) -> RegistryError {
    RegistryError::Elsewhere { path: path.into(), models: root.join(MODELS) }
}
