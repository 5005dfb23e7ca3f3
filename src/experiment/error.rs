//! Why an experiment could not be run.

use std::path::PathBuf;

use super::artifact::Damage;
use super::parse::ConfigError;
use super::sealed::SealError;
use crate::dataset::store::StoreError;
use crate::descriptor::early::matrix::UnknownName;
use crate::device::DeviceError;
use crate::file::FileError;
use crate::prepare::{FrameError, SplitError};
use crate::train::FitError;
use crate::train::engine::EngineError;

/// Why an experiment could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// Occurs when the experiment file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Occurs when nothing has a name that was asked for.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// Occurs when the dataset is missing or damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Occurs when the simulated fleet cannot be made.
    #[error(transparent)]
    Fleet(#[from] crate::simulate::FleetError),
    /// Occurs when the data does not give the inputs that the experiment names.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Occurs when the rows cannot be separated as asked.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Occurs when a file of the run cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when the backend is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Occurs when the population cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Occurs when networks cannot start from other weights.
    #[error(transparent)]
    Start(#[from] super::start::StartError),
    /// Occurs when training cannot go on.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Occurs when a fold's training cells make no tiers.
    #[error("fold `{fold}`")]
    Tier {
        /// Name of the fold.
        fold: String,
        /// What is wrong with its targets.
        #[source]
        source: crate::prepare::TierError,
    },
    /// Occurs when a fold keeps no input.
    #[error("fold `{fold}`")]
    Select {
        /// Name of the fold.
        fold: String,
        /// What its training rows say of the inputs.
        #[source]
        source: crate::prepare::SelectError,
    },
    /// Occurs when a fold's training rows grow no trees.
    #[error("fold `{fold}`")]
    Trees {
        /// Name of the fold.
        fold: String,
        /// What the library said.
        #[source]
        source: crate::model::trees::TreesError,
    },
    /// Occurs when a fold's training rows give no logistic regression.
    #[error("fold `{fold}`")]
    Logistic {
        /// Name of the fold.
        fold: String,
        /// What the fit said.
        #[source]
        source: crate::model::logistic::LogisticError,
    },
    /// Occurs when probabilities cannot be calibrated.
    #[error("fold `{fold}`")]
    Calibration {
        /// Name of the fold.
        fold: String,
        /// What is wrong with the probabilities.
        #[source]
        source: crate::model::calibration::CalibrationError,
    },
    /// Occurs when a law cannot be fitted.
    #[error("fold `{fold}`")]
    Physics {
        /// Name of the fold.
        fold: String,
        /// What the fit said.
        #[source]
        source: crate::physics::fit::FitError,
    },
    /// Occurs when the validation rows of a member are all it has.
    #[error(
        "validation: member `{member}` has no rows left to learn from; give validation = \"tail\" or \"none\""
    )]
    Validation {
        /// Name of the member.
        member: String,
    },
    /// Occurs when experiments are to train as one population that differ in more than a network's own rates.
    #[error(
        "jobs `{first}` and `{other}` differ in architecture, objective or training; group them by `group_key`"
    )]
    Group {
        /// Label of the first job.
        first: String,
        /// Label of the first one that differs from it.
        other: String,
    },
    /// Occurs when a listed cell is not in the dataset.
    #[error("cells: dataset `{dataset}` has no cell `{cell}`; it has {present}")]
    UnknownCell {
        /// Cell or pattern of the experiment.
        cell: String,
        /// Name of the dataset.
        dataset: String,
        /// Cells that are there.
        present: String,
    },
    /// Occurs when a run holds no reasons.
    #[error("run `{run}` has no reasons: only finished runs of kind `life` or `tier` have them; train one")]
    NoReasons {
        /// The run.
        run: PathBuf,
    },
    /// Occurs when a run says nothing of a cell.
    #[error("the run says nothing of a cell `{cell}`; it left out {present}")]
    UnexplainedCell {
        /// Cell that was asked for.
        cell: String,
        /// Cells that have reasons.
        present: String,
    },
    /// Occurs when an input gives the label away.
    #[error(
        "inputs.descriptors: an input gives the label away{sentences}\nremove it, or set inputs.allow_leak = true"
    )]
    Leak {
        /// One line a finding.
        sentences: String,
    },
    /// Occurs when a run folder is not there.
    #[error(
        "no run `{run}`; runs are folders models/<experiment>/<run>, models/<experiment>/latest or /promoted, or the \
         name of an experiment"
    )]
    NoRun {
        /// What was asked for.
        run: PathBuf,
    },
    /// Occurs when a folder holds no search of this program.
    #[error(
        "no search `{folder}`; searches are folders tuner_results/<experiment>, begun by `fadecast tune <file>`"
    )]
    NoStudy {
        /// What was asked for.
        folder: PathBuf,
    },
    /// Occurs when what is written of a promoted run is not true.
    #[error("`{path}`: {found}; promote a run anew")]
    Promotion {
        /// File that says which run is promoted.
        path: PathBuf,
        /// What does not fit.
        found: String,
    },
    /// Occurs when a file of a run is not as it was hashed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Occurs when a file of a run holds what does not fit.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// Occurs when a run was made by another version of the program.
    #[error("run `{run}` was made by fadecast {found}, this is {}; train it anew", env!("CARGO_PKG_VERSION"))]
    Version {
        /// The run.
        run: PathBuf,
        /// Version that made it.
        found: String,
    },
    /// Occurs when a run's data is not what it was trained on.
    #[error(
        "the data of `{dataset}` has changed since run `{run}`; train anew, or import the old data again"
    )]
    DataChanged {
        /// The run.
        run: PathBuf,
        /// Name of the dataset.
        dataset: String,
    },
    /// Occurs when a run is not finished.
    #[error("run `{run}` is not finished; go on with `fadecast train --resume {run}`")]
    Unfinished {
        /// The run.
        run: PathBuf,
    },
    /// Occurs when a run's files contradict each other.
    #[error("run `{run}` is damaged: {found}")]
    Damaged {
        /// The run.
        run: PathBuf,
        /// What does not fit.
        found: String,
    },
    /// Occurs when somebody asked for a pause (Ctrl-C); not a failure.
    #[error("interrupted; go on with `fadecast train --resume {run}`")]
    Interrupted {
        /// The run, with its checkpoint.
        run: PathBuf,
    },
    /// Occurs when somebody asked a search for a pause (Ctrl-C); nothing is lost.
    #[error("interrupted; the same command goes on from here (`{study}`)")]
    SearchInterrupted {
        /// Folder of the study.
        study: PathBuf,
    },
    /// Occurs when somebody asked a comparison to stop (Ctrl-C): it stores nothing, so it begins anew.
    #[error("interrupted; a comparison stores nothing, run it again")]
    Stopped,
}
