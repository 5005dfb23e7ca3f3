//! Trials: one point of the space, what was spent on it and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::objective::Objective;
use super::value::Values;

/// One trial of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Position in the study, from 0.
    pub number: usize,
    /// Name, unique in the study; folder `trial_<id>`.
    pub id: String,
    /// Active values by name.
    pub values: Values,
    /// Epochs that it trains; `None` for all that the experiment has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Where it comes from.
    pub origin: Origin,
    /// How far it is.
    pub status: Status,
    /// Times that it was begun after a failure, 0 at first.
    #[serde(default)]
    pub retries: u32,
    /// What came of it; there when it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
    /// Why it failed, or a remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Epochs of a trial in a search that gives little to many and much to few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Epochs that its source trained already; 0 without a source.
    pub from: u32,
    /// Epochs after which it stops, above `from`.
    pub until: u32,
    /// Bracket of Hyperband; 0 elsewhere.
    pub bracket: u32,
    /// Round in its bracket, or rung, from 0.
    pub round: u32,
    /// Number of the trial whose weights and optimiser memory it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<usize>,
}

/// Where a trial comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The oracle proposed it.
    Proposed,
    /// Another program or study ran it; its result counts, it is not trained here.
    Observed,
    /// Another program or study chose it; it is trained here.
    Enqueued,
}

/// How far a trial is. A trial whose worker died is `Running` until another takes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was proposed and is not finished.
    Running,
    /// It has an evaluation.
    Completed,
    /// It raised an error, diverged, or does not report the objective; it counts, and tells the oracle what is bad.
    Failed,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// Epoch that the metrics belong to, from 1 (Keras Tuner's `best_step`).
    pub epoch: u32,
    /// Metrics by name; one that is not defined is absent.
    pub metrics: BTreeMap<String, Measurement>,
    /// Wall time of this evaluation [s]; a note, nothing depends on it.
    #[serde(default)]
    pub seconds: f64,
}

/// One metric of a trial.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measurement {
    /// What the search goes by: mean over executions of the mean over folds; finite.
    pub mean: f64,
    /// Value of each execution (seed), by fold (the cell left out).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub folds: BTreeMap<String, Vec<f64>>,
}

impl Trial {
    /// Returns a trial that was just proposed.
    pub fn new(number: usize, id: String, values: Values, budget: Option<Budget>) -> Self {
        let (origin, status) = (Origin::Proposed, Status::Running);
        Self { number, id, values, budget, origin, status, retries: 0, evaluation: None, message: None }
    }

    /// Returns the mean of a metric, if the trial reports it as a finite number.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let measurement = self.evaluation.as_ref()?.metrics.get(name)?;
        Some(measurement.mean).filter(|v| v.is_finite())
    }

    /// Returns what is to be made small, one number an objective; `None` unless it is completed and has all.
    pub fn costs(&self, objectives: &[Objective]) -> Option<Vec<f64>> {
        let completed = self.status == Status::Completed;
        objectives
            .iter()
            .map(|o| Some(o.cost(self.metric(&o.metric)?)))
            .collect::<Option<_>>()
            .filter(|_| completed)
    }

    /// Returns the epochs after which the trial stops; `all` where it has no budget of its own.
    pub fn until(&self, all: u32) -> u32 {
        self.budget.as_ref().map_or(all, |b| b.until)
    }
}
