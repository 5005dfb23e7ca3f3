//! A model as the server sees it: rows in, labels and answers out.

use serde::Serialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::dataset::Cell;
use crate::pipeline::{Input, Output};
use crate::uq::conformal::Conformal;

/// What answers rows; shared by all requests.
pub trait Model: Send + Sync + 'static {
    /// Returns what it is.
    fn card(&self) -> &Card;

    /// Appends the labels of `rows` to `labels`; rows may be those of many requests.
    ///
    /// # Shapes
    /// `rows` `[row, input]`, NaN where missing; `labels` `[row, width]`.
    fn score(&self, rows: &[f64], labels: &mut Vec<f64>);

    /// Makes answers of the rows of one request and their labels, with the intervals of a level of its card.
    ///
    /// # Errors
    /// A refusal where the model has no such interval.
    fn answers(&self, rows: &[f64], labels: &[f64], level: Option<f64>) -> Result<Answers, Refusal>;

    /// Answers whole cells, raw as a cycler left them.
    ///
    /// # Errors
    /// 422 where the model takes ready-made rows only, or the cells lack what it needs.
    fn cells(&self, cells: &[Cell], level: Option<f64>) -> Result<Vec<OfCell>, Refusal> {
        let _ = (cells, level);
        let message =
            format!("`{}` takes ready-made rows only; send a table of its inputs", self.card().name);
        Err(Refusal::new(422, "no_raw_cells", message))
    }
}

/// What a model is: an entry of `/v1/models`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// Name by which it is asked.
    pub name: String,
    /// Name of the run that it is.
    pub run: String,
    /// Kind of the model (`hybrid`).
    pub kind: String,
    /// What a row must hold, in order.
    pub inputs: Vec<Input>,
    /// What is answered.
    pub output: Output,
    /// Unit of the answer.
    pub unit: String,
    /// Levels of its intervals, ascending; empty where it has none.
    pub levels: Vec<f64>,
    /// Interval of its answers, with the coverage that was measured; none where no error was.
    pub interval: Option<Conformal>,
    /// Whether it answers raw cells, and not only ready-made rows.
    pub takes_cells: bool,
    /// Scores of the run beside its baselines, as its folder states them.
    pub metrics: serde_json::Value,
}

/// Answers to the rows of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    /// Columns, each with a value a row; the first is the prediction.
    pub columns: Vec<Column>,
    /// What is doubtful about each row.
    pub warnings: Vec<Vec<String>>,
}

/// Answers to one cell, in the order of its cycles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OfCell {
    /// Name of the cell; none where a table states none.
    pub cell: Option<String>,
    /// Whether a simulator made the cell.
    pub synthetic: bool,
    /// Capacity that counts as SoH 1 [Ah], where it is known.
    pub reference_ah: Option<f64>,
    /// Answer at the end of life, in the answer's unit, where it is known.
    pub end_of_life: Option<f64>,
    /// Cycle of each answer, where there is one.
    pub cycles: Vec<Option<u32>>,
    /// What was measured of each answer, in its unit; NaN where nothing was.
    pub measured: Vec<f64>,
    /// The answers.
    pub answers: Answers,
    /// What is doubtful about all of them.
    pub warnings: Vec<String>,
}

/// A column of answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name (`soh`).
    pub name: String,
    /// Unit; empty for text.
    pub unit: String,
    /// The values.
    pub values: Values,
}

/// Values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers, NaN where there is none.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Values {
    /// Returns the value of a row as JSON: null for NaN.
    pub(super) fn json(&self, row: usize) -> Value {
        match self {
            Self::Numbers(numbers) => json!(numbers[row]),
            Self::Texts(texts) => json!(texts[row]),
        }
    }
}

impl Card {
    /// Returns the level that counts where none is asked for: 0.9, else the highest.
    pub fn default_level(&self) -> Option<f64> {
        let usual = self.levels.iter().find(|level| (*level - 0.9).abs() < 1e-9);
        usual.or(self.levels.last()).copied()
    }
}
