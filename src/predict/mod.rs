//! Answers: tables of inputs or raw cells in, predictions with intervals and warnings out.
//!
//! ```text
//! table  -> bind: columns by name and unit -> score -> answers: physical units, intervals, warnings
//! cells  -> cells: rows as training made them --^
//! ```
//!
//! A batch is answered by itself: what it says does not depend on how a table is cut. What is doubtful about a row is
//! said of the row; what is wrong with a table is an error.

mod answers;
mod bind;
mod cells;
mod error;
mod physical;
pub mod unit;
mod warning;

pub use answers::{Answers, Column, Values};
pub use error::PredictError;
pub use warning::Warnings;

use crate::dataset::Cell;
use crate::dataset::rows::RowBatch;
use crate::pipeline::Pipeline;
use crate::pipeline::manifest::RowsOf;
use crate::pipeline::scorer::Scorer;
use crate::registry::Loaded;

/// Level of the interval where none is asked for.
pub const LEVEL: f64 = 0.9;

/// Name of the column that states the capacity that counts as SoH 1 [Ah].
pub const REFERENCE: &str = "reference_capacity_ah";

/// How answers are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Level of the interval [1], one of the model's own. Default 0.9.
    pub level: f64,
    /// Whether a column that is missing counts as one without values. Default `false`.
    pub impute_missing: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: LEVEL, impute_missing: false }
    }
}

/// A loaded model that answers.
#[derive(Debug)]
pub struct Predictor {
    pipeline: Pipeline,
    scorer: Scorer,
    rows: RowsOf,
}

impl Predictor {
    /// Returns what answers with a loaded run.
    ///
    /// # Errors
    /// [`PredictError::Pipeline`], which no run that this program has written has.
    pub fn new(loaded: Loaded) -> Result<Self, PredictError> {
        Self::of(loaded.pipeline, loaded.manifest.rows)
    }

    /// Returns what answers with a pipeline, whose rows are made of raw cells as `rows` says.
    ///
    /// # Errors
    /// [`PredictError::Pipeline`].
    pub fn of(pipeline: Pipeline, rows: RowsOf) -> Result<Self, PredictError> {
        Ok(Self { scorer: Scorer::new(&pipeline)?, pipeline, rows })
    }

    /// Returns the model.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Returns how rows are made of raw cells.
    pub fn rows(&self) -> &RowsOf {
        &self.rows
    }

    /// Answers the rows of a table, whose columns are known by their names (`charge_duration`, `charge_duration [min]`).
    ///
    /// # Errors
    /// [`PredictError`] where a column is missing, holds text or has a unit that cannot be converted, or the model has
    /// no interval of the level.
    pub fn answer(&self, table: &RowBatch, settings: &Settings) -> Result<Answers, PredictError> {
        let bound = bind::bind(&self.pipeline.inputs, table, settings)?;
        let labels = self.score(&bound.rows);
        let mut answers = self.answers(&bound.rows, &labels, bound.reference_ah.as_deref(), settings)?;
        if self.anchor() > 0 {
            answers.warnings.add_to_all("not anchored", None);
        }
        (answers.keys, answers.remarks) = (bound.keys, bound.remarks);
        Ok(answers)
    }

    /// Answers raw cells: their rows are made as those of the training were. A cell that has none is skipped by name.
    ///
    /// # Errors
    /// [`PredictError::NoRows`] where the model answers ready-made rows only, and as [`Predictor::answer`].
    pub fn of_cells(&self, cells: &[Cell], settings: &Settings) -> Result<Answers, PredictError> {
        cells::answer(self, cells, settings)
    }

    /// Returns the labels of rows, in the model's own unit.
    ///
    /// # Shapes
    /// `rows` `[row, input]`, NaN where missing; the labels `[row, width]`.
    pub fn score(&self, rows: &[f64]) -> Vec<f64> {
        let mut labels = Vec::new();
        self.scorer.score(rows, &mut labels);
        labels
    }

    /// Makes answers of rows and their labels; `reference_ah` is the capacity of each row that counts as SoH 1 [Ah].
    ///
    /// # Shapes
    /// `rows` `[row, input]`, `labels` `[row, width]`, `reference_ah` `[row]`.
    ///
    /// # Errors
    /// [`PredictError::Level`].
    pub fn answers(
        &self,
        rows: &[f64],
        labels: &[f64],
        reference_ah: Option<&[f64]>,
        settings: &Settings,
    ) -> Result<Answers, PredictError> {
        let columns = physical::columns(&self.pipeline, labels, reference_ah, settings.level)?;
        let n_rows = labels.len() / self.pipeline.width().max(1);
        let mut warnings = Warnings::of_rows(&self.pipeline, rows, n_rows);
        for (row, label) in labels.chunks(self.pipeline.width().max(1)).enumerate() {
            if !label.iter().all(|v| v.is_finite()) {
                warnings.add(row, "no answer", None);
            }
        }
        Ok(Answers { n_rows, columns, warnings, ..Answers::default() })
    }

    /// Returns how many given rows a cell's forecast is anchored to.
    fn anchor(&self) -> usize {
        match self.rows {
            RowsOf::Discharges { anchor, .. } => anchor,
            RowsOf::Cells { .. } | RowsOf::Table => 0,
        }
    }
}

#[cfg(test)]
mod tests;
