//! Trees: gradient-boosted trees and forests for classes and for values, behind one small trait.
//!
//! A model is a sum of trees for each output (a class, or the value), started at a constant:
//!
//! ```text
//! margin_k(x) = start_k + sum over the trees of output k (leaf that x falls into)
//! ```
//!
//! Classes have the softmax of their margins as probabilities `[Friedman2001]`, a value is its margin; leaves are Newton
//! steps of the penalised log-loss or squared error `[Chen2016]`. A missing input is NaN: each split sends it to the
//! side that learnt better. The stored form is `XGBoost`'s JSON. [`Trees`] rests on the crate `hessboost`; the rest of
//! the program sees [`TreeModel`] only.

mod boosted;
mod config;
pub mod flat;
mod stored;

pub use boosted::Trees;
pub use config::{Splits, TreesConfig};

use super::ModelError;
use super::softmax::softmax;

/// An input of the trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Name; no two inputs of a model share one.
    pub name: String,
    /// Unit; `1` for a ratio.
    pub unit: String,
}

/// What trees learn from.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// Inputs, in the order of the columns.
    pub inputs: &'a [Input],
    /// Values `[row][input]`, finite or NaN for a missing one.
    pub rows: &'a [Vec<f64>],
    /// What each row should give.
    pub target: Target<'a>,
}

/// What each row should give.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The class of each row, for the mean log-loss.
    Classes {
        /// Class of each row, 0 to below the number of classes; two of them or more must occur.
        labels: &'a [usize],
        /// Weight of each class, above 0; as many as there are classes. Equal weights are 1.
        weights: &'a [f64],
    },
    /// The value of each row, for the mean squared error.
    Values(&'a [f64]),
}

/// What an input's splits are summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Gain of the penalised loss.
    Gain,
    /// Sum of second derivatives that passed them: rows for a regression.
    Cover,
}

/// A fitted model of trees.
pub trait TreeModel {
    /// Returns the inputs, in the order in which rows hold them.
    fn inputs(&self) -> &[Input];

    /// Returns the number of outputs: classes, or 1 for a value.
    fn n_outputs(&self) -> usize;

    /// Returns the sums of leaves before the softmax.
    ///
    /// # Shapes
    /// `[row][input]` to `[row][output]`.
    ///
    /// # Errors
    /// [`TreesError::RowWidth`], [`TreesError::NotFinite`].
    fn margins(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, TreesError>;

    /// Returns the probability of each class, or the value.
    ///
    /// # Shapes
    /// `[row][input]` to `[row][output]`.
    ///
    /// # Errors
    /// [`TreesError::RowWidth`], [`TreesError::NotFinite`].
    fn predict(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, TreesError> {
        let margins = self.margins(rows)?;
        let probabilities = |margins: Vec<f64>| softmax(&margins);
        Ok(if self.n_outputs() > 1 { margins.into_iter().map(probabilities).collect() } else { margins })
    }

    /// Returns the exact SHAP values of each margin, path-dependent `[Lundberg2020]`: what each input adds to it, and
    /// last the mean margin that they start from; they sum up to the margin.
    ///
    /// # Shapes
    /// `[row][input]` to `[row][output][input, then start]`.
    ///
    /// # Errors
    /// [`TreesError::RowWidth`], [`TreesError::NotFinite`].
    fn shap(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<Vec<f64>>>, TreesError>;

    /// Returns what the splits of each input sum up to; 0 for one that no tree asks.
    fn importance(&self, by: Importance) -> Vec<f64>;

    /// Returns the stored form: `XGBoost`'s JSON with the names of the inputs, their units as an attribute.
    ///
    /// # Errors
    /// [`TreesError::Library`].
    fn to_json(&self) -> Result<String, TreesError>;

    /// Returns the model of a stored form.
    ///
    /// # Errors
    /// [`TreesError::Stored`] says what is wrong with it.
    fn from_json(text: &str) -> Result<Self, TreesError>
    where
        Self: Sized;
}

/// Trees that cannot be fitted, read or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreesError {
    /// Occurs when a setting is out of its range.
    #[error(transparent)]
    Setting(#[from] ModelError),
    /// Occurs when there is nothing to learn from.
    #[error("{n_rows} rows of {n_inputs} inputs: trees need one of each or more")]
    Empty {
        /// Number of rows.
        n_rows: usize,
        /// Number of inputs.
        n_inputs: usize,
    },
    /// Occurs when two inputs have one name.
    #[error("two inputs are named `{name}`: name each once")]
    SameName {
        /// The name.
        name: String,
    },
    /// Occurs when a row has more or fewer inputs than the model.
    #[error(
        "row {row_idx} has {found} inputs, the trees have {needed}: give those they learn from, in that order"
    )]
    RowWidth {
        /// Position of the row.
        row_idx: usize,
        /// Number of its inputs.
        found: usize,
        /// Number of the model's inputs.
        needed: usize,
    },
    /// Occurs when an input is infinite, or too large for a 32-bit number.
    #[error(
        "`{input}` of row {row_idx} is {value}: trees take numbers up to 3.4e38, and NaN where one is missing"
    )]
    NotFinite {
        /// Name of the input.
        input: String,
        /// Position of the row.
        row_idx: usize,
        /// Value found.
        value: f64,
    },
    /// Occurs when there are not as many labels as rows.
    #[error("{found} labels for {n_rows} rows: give one a row")]
    LabelCount {
        /// Number of labels.
        found: usize,
        /// Number of rows.
        n_rows: usize,
    },
    /// Occurs when a label is no class, or no finite number.
    #[error("the label of row {row_idx} is {value}: give {expected}")]
    Label {
        /// Position of the row.
        row_idx: usize,
        /// Label found.
        value: f64,
        /// What would be right.
        expected: String,
    },
    /// Occurs when every row is of one class.
    #[error("all rows are of class {class}: trees need two classes or more to tell apart")]
    OneClass {
        /// The class.
        class: usize,
    },
    /// Occurs when a class weight is not above 0.
    #[error("the weight of class {class} is {weight}: give a number above 0")]
    ClassWeight {
        /// The class.
        class: usize,
        /// Its weight.
        weight: f64,
    },
    /// Occurs when a stored model cannot be read.
    #[error("stored trees cannot be read: {reason}; fit them again")]
    Stored {
        /// What is wrong.
        reason: String,
    },
    /// Occurs when the library of trees refuses what was checked.
    #[error("the library of trees failed")]
    Library(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests;
