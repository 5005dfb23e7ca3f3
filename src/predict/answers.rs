//! Answers as columns, and as a table that can be written.

use std::sync::Arc;

use super::warning::Warnings;
use crate::cell::CellId;
use crate::dataset::rows::RowBatch;

/// Name of the column of warnings.
pub(super) const WARNINGS: &str = "warnings";

/// Answers to some rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    /// Number of rows.
    pub n_rows: usize,
    /// What tells rows apart, and what was measured, passed through.
    pub keys: RowBatch,
    /// Answers, the main one first.
    pub columns: Vec<Column>,
    /// What is doubtful about each row.
    pub warnings: Warnings,
    /// What a person should know of the whole table: columns that are not used, units that are converted.
    pub remarks: Vec<String>,
    /// Cells without an answer, and why.
    pub skipped: Vec<(CellId, String)>,
}

/// A column of answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name (`soh`, `soh_lower`).
    pub name: String,
    /// Unit, `1` for a ratio; empty for names of tiers.
    pub unit: &'static str,
    /// A value a row.
    pub values: Values,
}

/// Values of a column of answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers, NaN where there is none.
    Numbers(Vec<f64>),
    /// One name a row.
    Names {
        /// All names.
        names: Arc<[String]>,
        /// Position of each row's name.
        picked: Vec<u16>,
    },
    /// A set of names a row.
    Sets {
        /// All names, 64 at most.
        names: Arc<[String]>,
        /// A bit a name, the first one lowest.
        picked: Vec<u64>,
    },
}

impl Values {
    /// Returns the number of a row; `None` for names.
    pub fn number(&self, row: usize) -> Option<f64> {
        if let Self::Numbers(values) = self { values.get(row).copied() } else { None }
    }

    /// Returns the text of a row: a name, names with `|` between them, or a number.
    pub fn text(&self, row: usize) -> String {
        match self {
            Self::Numbers(values) => values[row].to_string(),
            Self::Names { names, picked } => names[usize::from(picked[row])].clone(),
            Self::Sets { names, picked } => {
                let is_in = |(idx, _): &(usize, &String)| picked[row] >> idx & 1 == 1;
                let some: Vec<&str> =
                    names.iter().enumerate().filter(is_in).map(|(_, name)| name.as_str()).collect();
                some.join("|")
            }
        }
    }
}

impl Answers {
    /// Returns the column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the names of all columns of [`Answers::table`], in the order in which a person reads them.
    pub fn order(&self) -> Vec<&str> {
        let texts = self.keys.texts.iter().map(|(name, _)| name.as_str());
        let numbers = self.keys.numbers.iter().map(|(name, _)| name.as_str());
        let answers = self.columns.iter().map(|column| column.name.as_str());
        texts.chain(numbers).chain(answers).chain([WARNINGS]).collect()
    }

    /// Returns keys, answers and warnings as one table.
    pub fn table(&self) -> RowBatch {
        let mut table = self.keys.clone();
        table.n_rows = self.n_rows;
        let taken: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).chain([WARNINGS]).collect();
        table.numbers.retain(|(name, _)| !taken.contains(&name.as_str()));
        table.texts.retain(|(name, _)| !taken.contains(&name.as_str()));
        for column in &self.columns {
            match &column.values {
                Values::Numbers(values) => table.numbers.push((column.name.clone(), values.clone())),
                names => {
                    let texts = (0..self.n_rows).map(|row| names.text(row)).collect();
                    table.texts.push((column.name.clone(), texts));
                }
            }
        }
        let warnings = (0..self.n_rows).map(|row| self.warnings.text(row)).collect();
        table.texts.push((WARNINGS.into(), warnings));
        table
    }

    /// Appends answers of the same columns.
    pub(super) fn append(&mut self, other: Self) {
        if self.columns.is_empty() {
            let (skipped, remarks) = (std::mem::take(&mut self.skipped), std::mem::take(&mut self.remarks));
            *self = other;
            self.skipped.splice(..0, skipped);
            self.remarks.splice(..0, remarks);
            return;
        }
        self.n_rows += other.n_rows;
        self.keys.append(other.keys);
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            match (&mut column.values, more.values) {
                (Values::Numbers(values), Values::Numbers(more)) => values.extend(more),
                (Values::Names { picked, .. }, Values::Names { picked: more, .. }) => picked.extend(more),
                (Values::Sets { picked, .. }, Values::Sets { picked: more, .. }) => picked.extend(more),
                _ => {}
            }
        }
        self.warnings.append(other.warnings);
        self.skipped.extend(other.skipped);
        self.remarks.extend(other.remarks);
        self.remarks.dedup();
    }
}
