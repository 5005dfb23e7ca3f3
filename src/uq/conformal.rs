//! Cross-conformal intervals: quantiles of errors on rows that the part in question never saw `[Vovk2015]`.
//!
//! The score of a number is its absolute error in label units, that of a tier 1 - the probability of the true one. The
//! interval of an answer is answer ± score, the set of an answer all tiers whose 1 - p is at most the score. How many
//! rows such intervals really cover is measured by leaving out one cell after another.

use serde::{Deserialize, Serialize};

/// Levels that a table holds.
pub const LEVELS: [f64; 4] = [0.5, 0.8, 0.9, 0.95];

/// Scores by level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformal {
    /// Levels, ascending, 0 to 1 without the ends.
    pub levels: Vec<f64>,
    /// Score of each level, never falling: half the width in label units, or 1 - the least probability in a set.
    pub scores: Vec<f64>,
    /// Share of rows that each level's score covers in cells whose errors it was not made of [1]; absent for one cell.
    pub coverage: Vec<f64>,
    /// Rows whose errors count.
    pub n_rows: usize,
    /// Cells that they belong to.
    pub n_cells: usize,
}

impl Conformal {
    /// Returns the score of a level of the table; `None` for another one.
    pub fn score(&self, level: f64) -> Option<f64> {
        self.levels.iter().position(|l| (l - level).abs() < 1e-9).map(|idx| self.scores[idx])
    }
}
