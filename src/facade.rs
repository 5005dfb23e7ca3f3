//! The library in a few names: train an experiment, load its run, answer rows, write it for other programs.
//!
//! These names, which stand at the root of the crate, follow semantic versions; what lies in the modules may change with
//! any minor version before 1.0.

use std::path::{Path, PathBuf};

use crate::device::Backend;
use crate::experiment::parse::ConfigError;
use crate::experiment::run::{self, RunContext};
use crate::experiment::task::Task;
use crate::experiment::{ExperimentConfig, ExperimentError, Outcome, parse};
use crate::export::{self, ExportError, Format, Options};
use crate::file::{self, FileError};
use crate::predict::{PredictError, Predictor};
use crate::registry::{self, RegistryError};
use crate::train::Interrupt;

/// What went wrong, whichever name of the root was called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Occurs when the text of an experiment is wrong; every mistake of it at once.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Occurs when an experiment cannot be carried out.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// Occurs when a run cannot be loaded.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Occurs when rows cannot be answered.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// Occurs when a format cannot hold a model.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Occurs when a file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads an experiment from the text of its file (TOML), which says only what differs from the defaults.
///
/// # Errors
/// [`Error::Config`].
pub fn experiment(text: &str) -> Result<ExperimentConfig, Error> {
    Ok(parse::parse(text, "experiment", &[])?)
}

/// Trains an experiment called `name` on the CPU and stores its run below `root`, beside its baselines.
///
/// # Errors
/// [`Error::Experiment`].
pub fn train(root: &Path, name: &str, experiment: &ExperimentConfig) -> Result<Outcome, Error> {
    let task = Task::load(experiment, root)?;
    let now = chrono::Utc::now();
    let stamp =
        (now.format("%Y%m%d-%H%M%S").to_string(), now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let context = RunContext {
        root,
        stamp: (&stamp.0, &stamp.1),
        backend: Backend::Flex,
        interrupt: &Interrupt::new(),
        observe: &mut (),
    };
    Ok(run::start(name, experiment, &task, context)?)
}

/// Loads a run, which needs no data: its folder, `models/NAME/latest`, `models/NAME/promoted` or `NAME`.
///
/// # Errors
/// [`Error::Registry`], also where a file of the run is not as it was.
pub fn load(root: &Path, run: impl AsRef<Path>) -> Result<Predictor, Error> {
    Ok(Predictor::new(registry::load(root, run.as_ref())?)?)
}

/// Writes a run's whole model, from inputs in physical units to answers with intervals, as `<stem>.<extension>` for each
/// file of the format; returns their paths.
///
/// # Errors
/// [`Error::Registry`], [`Error::Export`] or [`Error::File`].
pub fn export(
    root: &Path,
    run: impl AsRef<Path>,
    format: Format,
    stem: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let loaded = registry::load(root, run.as_ref())?;
    let name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let options = Options { name: name.clone(), ..Options::default() };
    let exported = export::export(&loaded.pipeline, &loaded.manifest, format, &options)?;
    let mut paths = Vec::new();
    for one in &exported.files {
        let path = stem.with_file_name(format!("{name}.{}", one.extension));
        file::write_atomic(&path, &one.bytes)?;
        paths.push(path);
    }
    Ok(paths)
}
