//! The `[tuner]` table of an experiment: what is searched, how, and for how long.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::objective::Direction;

/// Settings of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TunerConfig {
    /// Who proposes trials. Default `bayesian`.
    pub oracle: OracleKind,
    /// Trials of the study, those of other programs included, 1 or more; more may be added later. Default 40.
    /// Hyperband ends by its brackets, if that is sooner.
    pub trials: usize,
    /// Metrics to make small or great: a name, `{ metric, direction }`, or a list of them. Default `rmse`.
    pub objective: ObjectiveConfig,
    /// Seeds of each trial, trained together; a trial's metric is their mean. Default 1.
    pub executions: u32,
    /// Networks of each ensemble while searching; without it, those of the experiment, which the chosen settings get.
    pub members: Option<u32>,
    /// Root of the search's random streams; without one, the experiment's seed.
    pub seed: Option<u64>,
    /// One search for each unseen part, on the rest alone, so that no test row is seen; off, the search is judged by the
    /// experiment's own folds, and what it finds is `tuned_on_test`. Default `true`.
    pub nested: bool,
    /// Most inner folds of a nested search; more cells than that are grouped. Default 5.
    pub inner_folds: usize,
    /// Times that the training cells are dealt into other folds, where each cell is one row; the more, the less chance
    /// chooses. Default 1.
    pub inner_repeats: usize,
    /// Which epoch of a trial counts. Default `last`.
    pub epoch: EpochChoice,
    /// Trials evaluated together by one worker where their shapes agree, 1 or more. Default 1.
    pub together: usize,
    /// Times that a failed trial is begun anew. Default 0.
    pub retries: u32,
    /// Trials whose checkpoints are kept, the best ones. Default 3.
    pub keep: usize,
    /// Seconds without a sign of life after which another worker takes a trial over. Default 60.
    pub lease_s: f64,
    /// Random trials before the model of `bayesian`; without it, twice the parameters and at least 8.
    pub initial: Option<usize>,
    /// How `bayesian` weighs what it knows against what it does not. Default `log_ei`.
    pub acquisition: AcquisitionKind,
    /// Standard deviations that `ucb` gives for what is unknown, 0 or more. Default 2.6, Keras Tuner's.
    pub beta: f64,
    /// Epochs of the first round of `hyperband` and `asha`, 1 or more. Default 1.
    pub min_epochs: u32,
    /// How many trials compete for one place in the next round, 2 or more. Default 3.
    pub factor: u32,
    /// Times that `hyperband` runs all its brackets. Default 1.
    pub iterations: u32,
    /// Levels of a parameter without steps in `grid`, 2 or more. Default 5.
    pub levels: usize,
    /// What may vary, by key of the experiment.
    pub space: toml::Table,
    /// Trials of another program that count here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportConfig>,
}

impl Default for TunerConfig {
    fn default() -> Self {
        Self {
            oracle: OracleKind::default(),
            trials: 40,
            objective: ObjectiveConfig::Name("rmse".into()),
            executions: 1,
            members: None,
            seed: None,
            nested: true,
            inner_folds: 5,
            inner_repeats: 1,
            epoch: EpochChoice::default(),
            together: 1,
            retries: 0,
            keep: 3,
            lease_s: 60.0,
            initial: None,
            acquisition: AcquisitionKind::default(),
            beta: 2.6,
            min_epochs: 1,
            factor: 3,
            iterations: 1,
            levels: 5,
            space: toml::Table::new(),
            import: None,
        }
    }
}

/// Who proposes trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OracleKind {
    /// Chance.
    Random,
    /// Every combination of levels.
    Grid,
    /// A Gaussian process.
    #[default]
    Bayesian,
    /// Brackets of successive halving, from many short trials to few long ones.
    Hyperband,
    /// Successive halving without waiting.
    Asha,
}

/// How the Bayesian oracle weighs what it knows against what it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcquisitionKind {
    /// Logarithm of the expected improvement.
    #[default]
    LogEi,
    /// Mean less `beta` standard deviations.
    Ucb,
}

/// Which epoch of a trial counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochChoice {
    /// The last that it trained (or the best by the experiment's own validation rows).
    #[default]
    Last,
    /// The best by the rows that judge the trial, as Keras Tuner does.
    Best,
}

/// Objectives as people write them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ObjectiveConfig {
    /// A metric in its usual direction.
    Name(String),
    /// A metric in a direction that is said.
    One(DirectedMetric),
    /// Several.
    List(Vec<ObjectiveConfig>),
}

/// A metric in a direction that is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectedMetric {
    /// Name of the metric.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
}

impl ObjectiveConfig {
    /// Returns each metric with its direction, if one is said.
    pub fn metrics(&self) -> Vec<(String, Option<Direction>)> {
        match self {
            Self::Name(metric) => vec![(metric.clone(), None)],
            Self::One(one) => vec![(one.metric.clone(), Some(one.direction))],
            Self::List(list) => list.iter().flat_map(Self::metrics).collect(),
        }
    }
}

/// Trials of a Keras Tuner project that count here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportConfig {
    /// Folder of the project; without it the study's own folder, which is then continued.
    pub project: Option<PathBuf>,
    /// Key of the experiment by name in the project (`units = "model.units"`); for keys with `per`, the name without `_0`.
    pub names: BTreeMap<String, String>,
    /// Metric here by metric there (`val_loss = "mse"`).
    pub metric: BTreeMap<String, String>,
    /// Whether its configurations are trained here instead of counting as observed. Default `false`.
    pub rerun: bool,
}
