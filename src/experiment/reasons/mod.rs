//! Reasons: which inputs a model of lives or tiers rests on, over all cells and for each cell that it never saw.
//!
//! | figure | what | for |
//! |---|---|---|
//! | contribution | what an input adds to a margin (or to the label) of a cell that was left out, mean over the folds that left it out: exact SHAP values of trees `[Lundberg2020]`, products with the weights of linear models | trees, linear, logistic |
//! | weight | mean of abs(contribution) over cells and tiers; of a family the same of its sum | as above |
//! | growth | growth of the loss when inputs are shuffled over the cells, together with those that stand for the same `[Breiman2001]` | any model |
//! | stability | whether the folds agree on the inputs `[Kuncheva2007]` | as contributions |
//!
//! Contributions and the value that they start from sum up to the margin, before any correction of the probabilities.

mod attribution;
mod cell;
mod permutation;
#[cfg(test)]
mod tests;
mod weight;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, Kind, ModelKind};
use super::error::ExperimentError;
use super::fitted::Fitted;
use super::task::Task;
use crate::descriptor::early;
use crate::device::Backend;
use crate::file;

/// Name of the file in a run folder.
pub const REASONS: &str = "reasons.json";

/// Inputs and families of a summary.
const MOST_SUMMED: usize = 5;

/// Why a model says what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasons {
    /// Name of the experiment.
    pub task: String,
    /// Kind of the question.
    pub kind: Kind,
    /// Kind of the model.
    pub model: ModelKind,
    /// Whether a simulator made the cells.
    pub synthetic: bool,
    /// Names of the tiers, the worst first; none for lives.
    pub tiers: Vec<String>,
    /// Unit of contributions and weights: `margin` of tiers (log-odds but for a constant), `cycles` or `log10 cycles`.
    pub unit: String,
    /// Number of inputs that some fold keeps.
    pub n_inputs: usize,
    /// Weight of each input that has one, the greatest first; none for models without contributions.
    pub inputs: Vec<Weight>,
    /// Weight of each family, the greatest first; none for models without contributions.
    pub families: Vec<Weight>,
    /// Whether the folds agree; none for models without contributions.
    pub stability: Option<Agreement>,
    /// What shuffling does to the loss.
    pub permutation: Permutation,
    /// One a cell that some fold left out, in the order of the dataset.
    pub cells: Vec<CellReasons>,
}

/// How much an input or a family matters, in the unit of the contributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// Name of the input or the family.
    pub name: String,
    /// Family that it belongs to.
    pub family: String,
    /// Mean of abs(contribution) over the left-out cells and the tiers, then over folds.
    pub mean: f64,
    /// Standard deviation over folds (divisor n); none with one fold.
    pub sd: Option<f64>,
    /// Mean over folds of its rank, 1 for the greatest.
    pub mean_rank: f64,
    /// Share of folds in which it is among the first of [`Agreement::top`] [1].
    pub top_share: f64,
}

/// Whether the folds agree on the inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Number of first inputs that are compared.
    pub top: usize,
    /// Number of folds.
    pub n_folds: usize,
    /// Mean overlap of the first inputs of two folds [1].
    pub jaccard: Option<f64>,
    /// Mean overlap beyond chance, 0 what chance gives, 1 all alike.
    pub kuncheva: Option<f64>,
}

/// What shuffling does to the loss on cells that were left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Permutation {
    /// Name of the loss: `log_loss` of tiers, `rmse` of lives.
    pub loss: String,
    /// Unit of the loss.
    pub unit: String,
    /// Loss before, mean over repetitions; none where it is not defined.
    pub before: Option<f64>,
    /// Shuffles of each group.
    pub repeats: usize,
    /// By family, the greatest growth first.
    pub families: Vec<Growth>,
    /// By groups of inputs that correlate (abs(Spearman) above 0.9), the greatest growth first.
    pub correlated: Vec<Growth>,
    /// Number of such groups, of which those with the greatest weights were shuffled.
    pub n_correlated: usize,
}

/// Growth of a loss when the inputs of a group are shuffled together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Name of the group.
    pub name: String,
    /// Its inputs.
    pub inputs: Vec<String>,
    /// Mean over shuffles; near 0, also below, for inputs that do not matter.
    pub mean: f64,
    /// Standard deviation over shuffles (divisor n).
    pub sd: f64,
}

/// Why one cell is said to be what it is said to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellReasons {
    /// The cell.
    pub cell: String,
    /// Number of folds that left it out; all below is a mean over them and over the repetitions of the fit.
    pub n_folds: usize,
    /// First target of the label, life [cycles] say; none where unknown.
    pub truth: Option<f64>,
    /// Its tier; none where unknown, or for lives.
    pub tier: Option<String>,
    /// Its most probable tier; none for lives.
    pub predicted_tier: Option<String>,
    /// Probability of each tier; none for lives.
    pub probabilities: Vec<f64>,
    /// Predicted life [cycles]; none for tiers.
    pub predicted: Option<f64>,
    /// What the margin of the predicted tier (or the label) starts from; 0 for models without contributions.
    pub start: f64,
    /// Margin of the predicted tier, or label; 0 for models without contributions.
    pub margin: f64,
    /// Greatest contributions to that margin, the greatest first.
    pub contributions: Vec<Contribution>,
    /// Sum of all other contributions.
    pub others: f64,
}

/// What one input adds for one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Name of the input.
    pub input: String,
    /// Its unit.
    pub unit: String,
    /// Its value; none where missing.
    pub value: Option<f64>,
    /// Median of the training cells, mean over the folds that left the cell out.
    pub median: f64,
    /// What it adds to the margin of the predicted tier, or to the label.
    pub adds: f64,
}

/// The part of reasons that stands in the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReasonsSummary {
    /// Unit of the weights, as [`Reasons::unit`], or of the growths where the model has no contributions.
    pub unit: String,
    /// First inputs and their weights, or groups of inputs and their growths.
    pub inputs: Vec<(String, f64)>,
    /// First families, likewise.
    pub families: Vec<(String, f64)>,
    /// Mean overlap of the folds' first inputs beyond chance, where there are contributions.
    pub kuncheva: Option<f64>,
}

impl Reasons {
    /// Finds the reasons of a fitted model of lives or tiers that predicts `[fold][repetition][row]`.
    ///
    /// # Errors
    /// [`ExperimentError::Trees`], [`ExperimentError::Engine`].
    pub fn find(
        (name, config, task): (&str, &ExperimentConfig, &Task),
        fitted: &Fitted,
        predicted: &[Vec<Vec<f64>>],
        backend: Backend,
    ) -> Result<Self, ExperimentError> {
        let shares = attribution::attribute(config, task, fitted)?;
        let weights = shares.as_ref().map(|shares| weight::weights(task, fitted, shares));
        let used = used(task, fitted);
        let permutation =
            permutation::permute((config, task), fitted, backend, &ranks(&used, weights.as_ref(), task))?;
        let (inputs, families, stability) = match weights {
            Some(w) => (w.inputs, w.families, Some(w.agreement)),
            None => (Vec::new(), Vec::new(), None),
        };
        Ok(Self {
            task: name.into(),
            kind: config.kind,
            model: config.model.kind,
            synthetic: task.frame.cells.iter().any(|c| c.synthetic),
            tiers: task.tiers.first().map_or_else(Vec::new, crate::prepare::Tiers::names),
            unit: attribution::unit(task).into(),
            n_inputs: used.iter().filter(|n| **n > 0).count(),
            inputs,
            families,
            stability,
            permutation,
            cells: cell::reasons(task, fitted, predicted, shares.as_deref()),
        })
    }

    /// Loads the reasons of a run.
    ///
    /// # Errors
    /// [`ExperimentError::NoReasons`] where the run has none, [`ExperimentError::File`].
    pub fn load(folder: &Path) -> Result<Self, ExperimentError> {
        let path = folder.join(REASONS);
        if !path.exists() {
            return Err(ExperimentError::NoReasons { run: folder.into() });
        }
        Ok(file::read_json(&path)?)
    }

    /// Returns the reasons of a cell.
    ///
    /// # Errors
    /// [`ExperimentError::UnexplainedCell`] with the cells that have some.
    pub fn cell(&self, name: &str) -> Result<&CellReasons, ExperimentError> {
        let unknown = || ExperimentError::UnexplainedCell {
            cell: name.into(),
            present: self.cells.iter().map(|c| c.cell.as_str()).collect::<Vec<_>>().join(", "),
        };
        self.cells.iter().find(|c| c.cell == name).ok_or_else(unknown)
    }

    /// Returns the part that stands in the result of a run.
    pub fn summary(&self) -> ReasonsSummary {
        let weights =
            |all: &[Weight]| all.iter().take(MOST_SUMMED).map(|w| (w.name.clone(), w.mean)).collect();
        let growths =
            |all: &[Growth]| all.iter().take(MOST_SUMMED).map(|g| (g.name.clone(), g.mean)).collect();
        if self.inputs.is_empty() {
            return ReasonsSummary {
                unit: format!("growth of {}", self.permutation.loss),
                inputs: growths(&self.permutation.correlated),
                families: growths(&self.permutation.families),
                kuncheva: None,
            };
        }
        ReasonsSummary {
            unit: self.unit.clone(),
            inputs: weights(&self.inputs),
            families: weights(&self.families),
            kuncheva: self.stability.as_ref().and_then(|s| s.kuncheva),
        }
    }
}

/// Returns the family of an input: that of the catalogue, or the first word of an attribute's name.
pub fn family(input: &str) -> String {
    let first = || input.split('_').next().unwrap_or(input);
    early::family(input).unwrap_or_else(first).to_owned()
}

/// Returns how many folds keep each input.
fn used(task: &Task, fitted: &Fitted) -> Vec<usize> {
    let mut counts = vec![0; task.frame.inputs.len()];
    fitted.folds.iter().flat_map(|fold| &fold.columns).for_each(|&column| counts[column] += 1);
    counts
}

/// Returns by what inputs are ordered before they are shuffled: their weight, or how many folds keep them; 0 is unused.
fn ranks(used: &[usize], weights: Option<&weight::Weights>, task: &Task) -> Vec<f64> {
    let Some(weights) = weights else { return used.iter().map(|&n| n as f64).collect() };
    let of = |name: &str| weights.inputs.iter().find(|w| w.name == name).map_or(0.0, |w| w.mean);
    task.frame.inputs.iter().map(|column| of(&column.name)).collect()
}
