//! Why a run cannot be loaded, promoted or removed.

use std::path::PathBuf;

use crate::experiment::ExperimentError;
use crate::experiment::sealed::SealError;
use crate::file::FileError;

/// Why a run cannot be loaded, promoted or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Occurs when a run's answers would not be what was judged.
    #[error("run `{run}` cannot be served: {why}")]
    Refused {
        /// The run.
        run: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// Occurs when a file of the run is not as it was, or not what it should be.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Occurs when there is no such run.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// Occurs when a run is named that is no folder `models/<experiment>/<run>`.
    #[error("`{path}` is no run below `{models}`: runs are removed and promoted where they were trained")]
    Elsewhere {
        /// What was named.
        path: PathBuf,
        /// Where runs are.
        models: PathBuf,
    },
    /// Occurs when the promoted run is to be removed.
    #[error("run `{run}` is promoted, so it is not removed; promote another one first")]
    Promoted {
        /// The run.
        run: PathBuf,
    },
    /// Occurs when a file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
