//! What a search asks of whoever trains: evaluate some trials, be interrupted, go on from a checkpoint.

use std::path::{Path, PathBuf};

use super::trial::{Evaluation, Trial};

/// A trial to evaluate now.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The trial.
    pub trial: &'a Trial,
    /// Its folder, which exists; checkpoints of the evaluation belong here.
    pub folder: PathBuf,
    /// Folder of the trial whose weights it goes on from, where its budget names one.
    pub source: Option<PathBuf>,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It has its metrics.
    Completed(Evaluation),
    /// It cannot be evaluated, or what it gives is no number; the search goes on without it.
    Failed(String),
    /// It was asked to pause; its checkpoint goes on from here.
    Paused,
}

/// Hears that a job is alive and says whether it may go on.
pub trait Pulse {
    /// Hears that `epoch` of `epochs` ended with a mean training or validation loss; returns whether to go on.
    fn beat(&mut self, epoch: u32, epochs: u32, loss: Option<f64>) -> bool;
}

/// Whoever trains.
pub trait Evaluate {
    /// Returns a text that two trials share when they may be evaluated in one call.
    fn group(&self, trial: &Trial) -> String;

    /// Evaluates jobs of one group; one outcome a job, in their order.
    ///
    /// The same trial gives the same metrics, whoever shares the call, and whether or not it was interrupted and went
    /// on from what it left in its folder. What cannot be read there is begun anew.
    ///
    /// # Errors
    /// What concerns the search as a whole and no single trial: a full disk, data that is gone.
    fn evaluate(&mut self, jobs: &[Job<'_>], pulse: &mut dyn Pulse) -> Result<Vec<Outcome>, EvaluateError>;

    /// Removes what the evaluation left in a trial's folder and nobody needs any more; returns the bytes freed.
    ///
    /// # Errors
    /// Where the folder cannot be changed.
    fn discard(&self, folder: &Path) -> Result<u64, EvaluateError>;
}

/// Why a search cannot go on.
pub type EvaluateError = Box<dyn std::error::Error + Send + Sync>;
