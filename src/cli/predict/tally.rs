//! What the answers of a whole command amount to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::datasets::counted;
use crate::predict::{Answers, Predictor, Values};

/// Warnings that are printed.
const MOST_WARNINGS: usize = 12;

/// Cells without an answer that are printed.
const MOST_SKIPPED: usize = 8;

/// Counts over all batches.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) synthetic: bool,
    n_rows: usize,
    n_answered: usize,
    n_doubtful: usize,
    warnings: BTreeMap<(String, String), usize>,
    remarks: Vec<String>,
    skipped: Vec<(String, String)>,
}

impl Tally {
    /// Counts a batch.
    pub(super) fn add(&mut self, answers: &Answers) {
        self.n_rows += answers.n_rows;
        self.n_answered += match answers.columns.first().map(|column| &column.values) {
            Some(Values::Numbers(values)) => values.iter().filter(|v| v.is_finite()).count(),
            _ => answers.n_rows,
        };
        self.n_doubtful += (0..answers.n_rows).filter(|&row| !answers.warnings.is_clean(row)).count();
        for (warning, n) in answers.warnings.counts() {
            *self.warnings.entry(warning).or_default() += n;
        }
        for remark in &answers.remarks {
            if !self.remarks.contains(remark) {
                self.remarks.push(remark.clone());
            }
        }
        self.skipped.extend(answers.skipped.iter().map(|(cell, why)| (cell.to_string(), why.clone())));
    }

    /// Returns the number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the summary as JSON.
    pub(super) fn json(&self, predictor: &Predictor, level: f64) -> Value {
        let pipeline = predictor.pipeline();
        let warnings = self.warnings.iter().map(|((kind, input), n)| {
            let input = if input.is_empty() { Value::Null } else { json!(input) };
            json!({ "kind": kind, "input": input, "rows": n })
        });
        let skipped = self.skipped.iter().map(|(cell, why)| json!({ "cell": cell, "reason": why }));
        json!({
            "experiment": pipeline.name, "run": pipeline.run, "model": pipeline.model, "synthetic": self.synthetic,
            "level": pipeline.interval.as_ref().map(|_| level), "rows": self.n_rows, "answered": self.n_answered,
            "rows_with_warnings": self.n_doubtful, "warnings": warnings.collect::<Vec<_>>(),
            "remarks": self.remarks, "skipped": skipped.collect::<Vec<_>>(),
        })
    }

    /// Returns the summary for a person.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "rows    {}, {} answered, {} with a warning\n",
            self.n_rows, self.n_answered, self.n_doubtful
        );
        let mut warnings: Vec<_> = self.warnings.iter().collect();
        warnings.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        for ((kind, input), n) in warnings.iter().take(MOST_WARNINGS) {
            let about = if input.is_empty() { String::new() } else { format!(": {input}") };
            text.push_str(&format!("warning {} {kind}{about}\n", counted(**n as u64, "row")));
        }
        if warnings.len() > MOST_WARNINGS {
            text.push_str(&format!("        and {} more kinds\n", warnings.len() - MOST_WARNINGS));
        }
        for (cell, why) in self.skipped.iter().take(MOST_SKIPPED) {
            text.push_str(&format!("skipped {cell}: {why}\n"));
        }
        if self.skipped.len() > MOST_SKIPPED {
            text.push_str(&format!("        and {} more cells\n", self.skipped.len() - MOST_SKIPPED));
        }
        for remark in &self.remarks {
            text.push_str(&format!("note    {remark}\n"));
        }
        if self.synthetic {
            text.push_str("note    the cells are synthetic: a simulator made them\n");
        }
        text
    }
}
