//! The experiment file: what differs from the defaults, and what each key means.
//!
//! This file only composes the settings of the modules below; `parse` reads it, `check` finds all that is wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::label::LabelConfig;
use super::start::StartConfig;
use crate::model::calibration::CalibrationConfig;
use crate::model::hybrid::Parameters;
use crate::model::trees::TreesConfig;
use crate::model::{Activation, NetworkConfig, Normalisation};
use crate::physics::Law;
use crate::prepare::{Reference, SelectConfig, SplitConfig};
use crate::train::TrainConfig;
use crate::tuner::TunerConfig;

/// An experiment: data, inputs, split, model, training, and what to compare it with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentConfig {
    /// Kind of the question. Default `capacity`.
    pub kind: Kind,
    /// Imported dataset, or a simulated fleet: `embedded`, or `embedded-solid-state` for early prediction. Default `embedded`.
    pub dataset: String,
    /// Cells of the dataset, with `*` for any text; empty for all.
    pub cells: Vec<String>,
    /// What counts as SoH 1. Default `nominal`.
    pub reference: Reference,
    /// Root of every random stream. Default 0.
    pub seed: u64,
    /// Repetitions of the whole fit with other seeds; figures are their mean and spread. Default 1.
    pub repeats: u32,
    /// What the models learn. Default `measured`.
    pub target: TargetConfig,
    /// What is asked of a cell, for `life` and `tier`.
    pub label: LabelConfig,
    /// What the models may see.
    pub inputs: InputsConfig,
    /// Which of the inputs a fold keeps, chosen on its training rows; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<SelectConfig>,
    /// How rows are separated. Default `leave_one_cell_out`.
    pub split: SplitConfig,
    /// Training rows that judge the weights, for early stopping and best weights. Default `none`.
    pub validation: Validation,
    /// What is trained.
    pub model: ModelConfig,
    /// Weights that networks start from; drawn ones by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<StartConfig>,
    /// How it is trained.
    pub train: TrainConfig,
    /// How trees are grown.
    pub trees: TreesConfig,
    /// How probabilities of tiers are corrected. Default `none`.
    pub calibration: CorrectionConfig,
    /// How physics laws are fitted.
    pub physics: PhysicsConfig,
    /// Further models on the same folds, for `fadecast compare`.
    pub compare: Vec<CompareConfig>,
    /// Published or measured figures to print beside the result, by name, in the unit of the label.
    pub references: BTreeMap<String, f64>,
    /// Whether the configuration was chosen on the reported figure; printed with every result. Default `false`.
    pub tuned_on_test: bool,
    /// Remarks that are printed under the result.
    pub notes: Vec<String>,
    /// Settings of `fadecast tune`, which alone reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuner: Option<TunerConfig>,
}

impl Default for ExperimentConfig {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            dataset: "embedded".into(),
            cells: Vec::new(),
            reference: Reference::default(),
            seed: 0,
            repeats: 1,
            target: TargetConfig::default(),
            label: LabelConfig::default(),
            inputs: InputsConfig::default(),
            select: None,
            split: SplitConfig::default(),
            validation: Validation::default(),
            model: ModelConfig::default(),
            start: None,
            train: TrainConfig::default(),
            trees: TreesConfig::default(),
            calibration: CorrectionConfig::default(),
            physics: PhysicsConfig::default(),
            compare: Vec::new(),
            references: BTreeMap::new(),
            tuned_on_test: false,
            notes: Vec::new(),
            tuner: None,
        }
    }
}

/// Kind of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Capacity of each discharge from what was recorded before it; earlier capacities of the cell are hidden.
    #[default]
    Capacity,
    /// Course of the capacity from the begin of a cell's life that is given.
    Trajectory,
    /// Life of each cell from its first cycles.
    Life,
    /// Tier of performance of each cell from its first cycles.
    Tier,
}

impl Kind {
    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Trajectory => "trajectory",
            Self::Life => "life",
            Self::Tier => "tier",
        }
    }

    /// Returns whether a row is a whole cell, described by its first cycles.
    pub fn is_early(self) -> bool {
        matches!(self, Self::Life | Self::Tier)
    }
}

/// How probabilities of tiers are corrected, on cells that the corrected model did not learn from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorrectionConfig {
    /// Correction: `none`, `temperature` or `isotonic`. Default `none`.
    pub method: CalibrationConfig,
    /// Folds of the training cells, each predicted by a model that learns from the others, 2 or more. Default 5.
    pub folds: usize,
}

impl Default for CorrectionConfig {
    fn default() -> Self {
        Self { method: CalibrationConfig::None, folds: 5 }
    }
}

/// What the models learn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetConfig {
    /// Capacities as the dataset states them.
    #[default]
    Measured,
    /// Capacities computed from a law at each row's stress, plus noise: a proof of concept whose answer is known.
    Synthetic {
        /// The law.
        law: Law,
        /// Its parameters by name; those not named keep the law's own start.
        #[serde(default)]
        parameters: BTreeMap<String, f64>,
        /// Standard deviation of the noise [SoH], 0 or more.
        #[serde(default)]
        noise: f64,
    },
}

/// Training rows that judge the weights; test rows never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// None: members train all their epochs, and their last weights count.
    #[default]
    None,
    /// One training cell, another one for each member of a fold.
    Cell,
    /// The last fifth of each training cell.
    Tail,
    /// A fifth of the training cells, another one for each member of a fold.
    Fifth,
}

/// What the models may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputsConfig {
    /// Descriptor names, with `*` for any text. Default `charge_throughput`, `charge_temperature_rise`, `history_rest_log`.
    pub descriptors: Vec<String>,
    /// Cycles that whole-cell descriptors see, first and last, for `life` and `tier`. Default 1 to 100.
    pub cycles: [u32; 2],
    /// Train although an input gives the label away; printed with every result. Default `false`.
    pub allow_leak: bool,
}

impl Default for InputsConfig {
    fn default() -> Self {
        let descriptors = ["charge_throughput", "charge_temperature_rise", "history_rest_log"];
        Self { descriptors: descriptors.map(String::from).to_vec(), cycles: [1, 100], allow_leak: false }
    }
}

/// Kind of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// An ageing law, fitted by bounded least squares.
    Physics,
    /// Ridge regression on the scaled inputs.
    Linear,
    /// A dense network.
    #[default]
    Dense,
    /// An ageing law plus a dense network that learns what it leaves.
    Hybrid,
    /// Decision trees, boosted or a forest; missing inputs stay missing.
    Trees,
    /// An ageing law plus decision trees that learn what it leaves.
    HybridTrees,
    /// Multinomial logistic regression on the scaled inputs, for `tier`.
    Logistic,
}

impl ModelKind {
    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Physics => "physics",
            Self::Linear => "linear",
            Self::Dense => "dense",
            Self::Hybrid => "hybrid",
            Self::Trees => "trees",
            Self::HybridTrees => "hybrid_trees",
            Self::Logistic => "logistic",
        }
    }

    /// Returns whether it has networks to train.
    pub fn has_networks(self) -> bool {
        matches!(self, Self::Dense | Self::Hybrid)
    }

    /// Returns whether it has trees to grow.
    pub fn has_trees(self) -> bool {
        matches!(self, Self::Trees | Self::HybridTrees)
    }

    /// Returns whether it begins with an ageing law.
    pub fn has_law(self) -> bool {
        matches!(self, Self::Physics | Self::Hybrid | Self::HybridTrees)
    }
}

/// What is trained. Keys that a kind does not use are without effect, so that one file can be compared across kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Kind of the model. Default `dense`.
    pub kind: ModelKind,
    /// Law of `physics` and `hybrid`. Default `exponential`.
    pub prior: Law,
    /// Whether a hybrid trains the law's parameters with the network. Default `joint`.
    pub parameters: Parameters,
    /// Whether a hybrid adds the network's residual; off, its law alone is trained (ablation). Default `true`.
    pub residual: bool,
    /// Factor on a hybrid's residual, in standard deviations of the label, above 0. Default 0.1.
    pub residual_scale: f32,
    /// Width of each hidden layer; or give `layers` and `units`. Default two of 64.
    pub hidden: Option<Vec<usize>>,
    /// Number of hidden layers, all of `units`; not with `hidden`.
    pub layers: Option<usize>,
    /// Width of every hidden layer; not with `hidden`.
    pub units: Option<usize>,
    /// Activation of the hidden layers. Default `relu`.
    pub activation: Activation,
    /// Normalisation of the hidden layers. Default `none`.
    pub normalisation: Normalisation,
    /// Dropout probability, 0 to below 1. Default 0.
    pub dropout: f32,
    /// Whether hidden layers of equal width add their input. Default `false`.
    pub skip: bool,
    /// Weight of the penalty on a health that rises with the cycles, 0 or more. Default 0.
    pub monotone_fade: f32,
    /// Weight of the penalty on a hybrid's residual, 0 or more. Default 0.
    pub physics_consistency: f32,
    /// Ridge penalty of `linear` and `logistic`, a share of the number of rows, 0 or more. Default 0.001.
    pub ridge: f64,
    /// Given rows whose median error is taken off the forecast; 0 for none. Default 0.
    pub anchor: usize,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            kind: ModelKind::default(),
            prior: Law::Exponential,
            parameters: Parameters::default(),
            residual: true,
            residual_scale: 0.1,
            hidden: None,
            layers: None,
            units: None,
            activation: Activation::default(),
            normalisation: Normalisation::default(),
            dropout: 0.0,
            skip: false,
            monotone_fade: 0.0,
            physics_consistency: 0.0,
            ridge: 1e-3,
            anchor: 0,
        }
    }
}

impl ModelConfig {
    /// Returns the hidden layers that either form of the keys gives.
    pub fn network(&self) -> NetworkConfig {
        let usual = NetworkConfig::default();
        let width = self.units.unwrap_or(usual.hidden[0]);
        let repeated = || vec![width; self.layers.unwrap_or(usual.hidden.len())];
        NetworkConfig {
            hidden: self.hidden.clone().unwrap_or_else(repeated),
            activation: self.activation,
            normalisation: self.normalisation,
            dropout: self.dropout,
            skip: self.skip,
        }
    }
}

/// How physics laws are fitted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhysicsConfig {
    /// Parameters that are held at a value instead of fitted, by name.
    pub hold: BTreeMap<String, f64>,
    /// Parameters that each cell has for itself, by name; an unseen cell gets their mean over the training cells, or
    /// a fit of its own where discharges of it are given.
    pub per_cell: Vec<String>,
}

/// A further model on the same folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareConfig {
    /// Name in the table.
    pub name: String,
    /// Keys that differ from the experiment, with dots (`"model.kind" = "physics"`).
    #[serde(default)]
    pub set: toml::Table,
}
