//! Why no answer can be given.

use crate::cell::CellId;
use crate::pipeline::scorer::ScorerError;

/// Why no answer can be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// Occurs when a pipeline contradicts itself.
    #[error(transparent)]
    Pipeline(#[from] ScorerError),
    /// Occurs when somebody asked to stop (Ctrl-C).
    #[error("interrupted; no file was written")]
    Interrupted,
    /// Occurs when an input has no column.
    #[error("no column `{input}` [{unit}]{hint}")]
    MissingColumn {
        /// Name of the input.
        input: String,
        /// Its unit.
        unit: String,
        /// Name that is like it, or what to do.
        hint: String,
    },
    /// Occurs when two columns are one input.
    #[error("`{first}` and `{second}` are both `{input}`; leave one out")]
    TwoColumns {
        /// Name of the input.
        input: String,
        /// One column.
        first: String,
        /// The other.
        second: String,
    },
    /// Occurs when the column of an input holds text.
    #[error("column `{column}` holds text (row {row}: `{found}`); it must be numbers in {unit}")]
    Text {
        /// Name of the column.
        column: String,
        /// First row with text, from 1.
        row: usize,
        /// What stands there.
        found: String,
        /// Unit of the input.
        unit: String,
    },
    /// Occurs when the unit in a column's name cannot be converted.
    #[error("column `{column}` is in `{found}`, which does not become {unit}; give it in {accepted}")]
    Unit {
        /// Name of the column.
        column: String,
        /// Unit that it states.
        found: String,
        /// Unit of the input.
        unit: String,
        /// Units that it may have.
        accepted: String,
    },
    /// Occurs when the model has no interval of the level.
    #[error("no interval of level {level}: the model has {known}")]
    Level {
        /// Level that was asked for.
        level: f64,
        /// Levels that it has.
        known: String,
    },
    /// Occurs when raw cells are given to a model that answers ready-made rows.
    #[error(
        "cell `{cell}` is raw, but the model answers ready-made rows of a table with its inputs: {inputs}"
    )]
    NoRows {
        /// The cell.
        cell: CellId,
        /// Names of the inputs.
        inputs: String,
    },
}
