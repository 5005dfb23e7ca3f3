//! Pipelines: everything between named numbers in physical units and an answer with its interval.
//!
//! A run is served as a *pipeline*. Each fold's model of each repetition is a *part* with the scaling that was fitted
//! beside it; the answer is the mean over parts, in the unit that models learn ("label": SoH, cycle life or its logarithm,
//! or the probabilities of tiers), and its interval comes from the errors of the parts on cells that they never saw.
//!
//! ```text
//! named inputs -> part: impute, scale -> law | linear | logistic | networks | trees -> label   (one a part)
//!              -> mean over parts -> interval -> physical unit
//! ```
//!
//! A pipeline is complete: it needs no dataset, no frame and no experiment. `reference` computes it plainly in double
//! precision, which is what `scorer`, ONNX and C are held to.

mod check;
pub mod manifest;
mod reference;
#[cfg(test)]
pub(crate) mod sample;
pub mod scorer;

use serde::{Deserialize, Serialize};

pub use check::PipelineError;

use crate::dataset::leakage::Source;
use crate::model::calibration::Calibration;
use crate::model::logistic::Logistic;
use crate::model::trees::Trees;
use crate::model::{Architecture, PriorStart};
use crate::physics::Law;
use crate::prepare::Scaler;
use crate::uq::conformal::Conformal;

/// A model as it is served.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Name of the experiment.
    pub name: String,
    /// Name of the run's folder.
    pub run: String,
    /// Kind of the model (`hybrid`).
    pub model: String,
    /// What a row must hold, in the order of its numbers.
    pub inputs: Vec<Input>,
    /// What is answered.
    pub output: Output,
    /// Models whose mean is the answer, 1 or more.
    pub parts: Vec<Part>,
    /// Interval of the answers; none where no error was seen on unseen cells.
    pub interval: Option<Conformal>,
}

/// A number that a row holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name (`charge_throughput`), unique in its pipeline.
    pub name: String,
    /// Unit, `1` for a ratio.
    pub unit: String,
    /// What it is, in one sentence; empty for an input of a table.
    pub doc: String,
    /// Where its values come from.
    pub source: Source,
    /// Lowest and highest value that any part was trained on; equal for a constant. In the input's unit.
    pub range: [f64; 2],
    /// Whether it gives the label away and was allowed to.
    pub leaks: bool,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Output {
    /// State of health [1], and the capacity [Ah] where the capacity that counts as SoH 1 is known.
    Soh {
        /// Capacity that counts as SoH 1 [Ah], where all cells of the run have the same.
        reference_ah: Option<f64>,
    },
    /// Cycle life [cycles].
    Life {
        /// Whether the label is the logarithm to base 10 of the life.
        log: bool,
    },
    /// Tier of performance.
    Tier {
        /// Names of the tiers, the order of the probabilities.
        names: Vec<String>,
    },
}

/// One model of the mean: a fold of a repetition.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Name of the fold whose cells it never saw.
    pub fold: String,
    /// Number of the repetition, from 0.
    pub repetition: usize,
    /// Positions in [`Pipeline::inputs`] of the model's inputs, in its own order.
    pub columns: Vec<usize>,
    /// Imputation and scaling of these.
    pub scaler: Scaler,
    /// Positions in [`Pipeline::inputs`] of the law's stress, in the order of [`Law::stress`]; empty without a law.
    pub stress: Vec<usize>,
    /// What stands for a missing value of each stress, in its unit.
    pub stress_median: Vec<f64>,
    /// Mean and standard deviation of the labels that it learnt from.
    pub label: (f64, f64),
    /// What is computed.
    pub body: Body,
    /// Correction of the probabilities of tiers.
    pub calibration: Option<Calibration>,
}

/// What a part computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// An ageing law, in label units.
    Law {
        /// The law.
        law: Law,
        /// Its parameters.
        theta: Vec<f64>,
    },
    /// Ridge regression in scaled label units, on scaled inputs.
    Linear {
        /// Intercept, then one weight an input.
        weights: Vec<f64>,
    },
    /// Logistic regression on scaled inputs.
    Logistic(Logistic),
    /// Networks whose mean counts: of labels, or of probabilities.
    Networks {
        /// Shapes of each; `d_input` may exceed the part's columns, the inputs beyond are 0.
        architecture: Architecture,
        /// Whether the outputs are logits of tiers; else the first output is the scaled label.
        classes: bool,
        /// Fit from which the law's parameters are offsets; none without a prior.
        start: Option<PriorStart>,
        /// The networks, 1 or more, all finite.
        members: Vec<Member>,
    },
    /// Trees whose mean counts, on unscaled inputs with NaN where missing, plus a law where there is one.
    Trees {
        /// The law and its parameters.
        law: Option<(Law, Vec<f64>)>,
        /// The trees, 1 or more.
        trees: Vec<Trees>,
    },
}

/// Numbers of one network, in the order of [`Architecture::slices`] and [`Architecture::statistics`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Member {
    /// Weights, and last the offsets of a law's parameters from its fit.
    pub weights: Vec<f32>,
    /// Running statistics of batch normalisation; empty without.
    pub statistics: Vec<f32>,
}

impl Pipeline {
    /// Returns how many numbers a label has: 1, or the number of tiers.
    pub fn width(&self) -> usize {
        match &self.output {
            Output::Tier { names } => names.len(),
            _ => 1,
        }
    }
}

impl Output {
    /// Returns the name of the answer: `soh`, `cycle_life` or `tier`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Soh { .. } => "soh",
            Self::Life { .. } => "cycle_life",
            Self::Tier { .. } => "tier",
        }
    }

    /// Returns the unit of the answer.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Life { .. } => "cycles",
            _ => "1",
        }
    }

    /// Returns a label in the unit of the answer.
    pub fn physical(&self, label: f64) -> f64 {
        match self {
            Self::Life { log: true } => 10.0_f64.powf(label),
            _ => label,
        }
    }

    /// Returns the name of the probability of each tier (`probability_a`); none for numbers.
    pub fn probability_names(&self) -> Vec<String> {
        match self {
            Self::Tier { names } => {
                names.iter().map(|name| format!("probability_{}", name.to_lowercase())).collect()
            }
            _ => Vec::new(),
        }
    }
}
