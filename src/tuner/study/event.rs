//! The lines of a journal: what happened in a study, one event a line.
//!
//! What belongs together is one event, so that a kill leaves all of it or nothing: the trials proposed for a batch with the
//! claim to them, the results of a batch.

use serde::{Deserialize, Serialize};

use super::header::Header;
use crate::tuner::config::TunerConfig;
use crate::tuner::trial::{Evaluation, Trial};

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The study began; always the first line.
    Study(Box<Header>),
    /// Settings changed.
    Settings(Box<Settings>),
    /// Trials of another study joined.
    Adopted {
        /// They, numbered on.
        trials: Vec<Trial>,
    },
    /// A worker took a batch of trials.
    Begun(Begun),
    /// A worker left a batch for others.
    Released {
        /// The batch's lease.
        lease: u64,
    },
    /// Trials of a batch ended.
    Finished {
        /// The batch's lease.
        lease: u64,
        /// What came of them.
        results: Vec<Finish>,
    },
    /// What training left in the folders of some trials was removed.
    Discarded {
        /// Their numbers.
        trials: Vec<usize>,
    },
}

/// Settings from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) version: String,
    pub(super) experiment: String,
    pub(super) epochs: u32,
    pub(super) config: TunerConfig,
}

/// A batch that a worker took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Its lease, counted from 0.
    pub(super) lease: u64,
    /// Who took it.
    pub(super) worker: String,
    /// Numbers of its trials.
    pub(super) trials: Vec<usize>,
    /// Lease that the batch had before, where it is taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<u64>,
    /// Those of its trials that failed and are begun anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) retried: Vec<usize>,
    /// New trials; the last may be left for a later batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) proposed: Vec<Trial>,
}

/// The end of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Finish {
    pub(super) trial: usize,
    #[serde(flatten)]
    pub(super) end: End,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Completed(Evaluation),
    Failed(String),
}

impl Event {
    /// Returns the kind for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Study(_) | Self::Settings(_) => "these settings",
            Self::Adopted { .. } => "these trials of another search",
            Self::Begun(_) => "a proposal",
            Self::Released { .. } | Self::Finished { .. } | Self::Discarded { .. } => "a result",
        }
    }
}
