//! What keeps a law from being fitted.

use super::Law;
use crate::cell::CellId;

/// What keeps a law from being fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Occurs when there are fewer capacities than free parameters.
    #[error(
        "law `{law}` has {parameters} free parameters and {cells} only {points} capacities: hold parameters or give more cycles"
    )]
    TooFewPoints {
        /// The law.
        law: Law,
        /// Free parameters, those of every cell counted.
        parameters: usize,
        /// Names of the cells.
        cells: String,
        /// Capacities of all cells.
        points: usize,
    },
    /// Occurs when a value to fit to is NaN or infinite.
    #[error(
        "cell `{cell}`: `{column}` is not finite at position {position}: leave the cycle out or impute it"
    )]
    NonFinite {
        /// The cell.
        cell: CellId,
        /// Stress column, or `capacity`.
        column: &'static str,
        /// Position in the column.
        position: usize,
    },
    /// Occurs when the stress columns are not those of the law or not as long as the capacities.
    #[error(
        "cell `{cell}`: law `{law}` needs the columns {expected} of {points} values each, found lengths {found:?}"
    )]
    Columns {
        /// The cell.
        cell: CellId,
        /// The law.
        law: Law,
        /// Names of the columns.
        expected: String,
        /// Capacities of the cell.
        points: usize,
        /// Lengths of the columns given.
        found: Vec<usize>,
    },
    /// Occurs when a config names a parameter that the law has not.
    #[error("law `{law}` has no parameter `{name}`: it has {known}")]
    UnknownParameter {
        /// The law.
        law: Law,
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Occurs when a held or starting value is outside the bounds.
    #[error("law `{law}`: `{name}` = {value} is outside {lower} to {upper}")]
    OutOfBounds {
        /// The law.
        law: Law,
        /// The parameter.
        name: String,
        /// The value.
        value: f64,
        /// Lower bound.
        lower: f64,
        /// Upper bound.
        upper: f64,
    },
    /// Occurs when the scale of a robust loss is not a positive number.
    #[error("the scale of the loss is {scale}: it must be above 0")]
    LossScale {
        /// The scale.
        scale: f64,
    },
    /// Occurs when the law has no finite value at any start, such as for a charge of no duration.
    #[error(
        "law `{law}` is not finite on {cells} from any of {starts} starts: check its stress columns ({expected})"
    )]
    NoFiniteStart {
        /// The law.
        law: Law,
        /// Names of the cells.
        cells: String,
        /// Number of starts.
        starts: usize,
        /// Names of the stress columns.
        expected: String,
    },
}
