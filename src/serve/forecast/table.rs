//! A table of inputs: one row an answer, cells told apart by a column `cell`.

use std::collections::BTreeMap;

use super::File;
use crate::dataset::rows::{self, Format, Limits, RowBatch};
use crate::serve::batch::score_alone;
use crate::serve::model::{Answers, Card, Column, Model, OfCell, Values};
use crate::serve::refusal::Refusal;
use crate::serve::service::Service;
use crate::serve::table;

/// Column that says which cell a row belongs to.
const CELL: &str = "cell";

/// Columns that say which cycle a row belongs to; the first that is there counts.
const CYCLES: [&str; 2] = ["cycle", "cycle_count"];

/// Most columns of a table, those that are no input included.
const MAX_COLUMNS: usize = 4096;

/// Most bytes of a table in memory.
const MAX_BYTES: usize = 128 << 20;

/// Returns whether the first line of a text names an input.
pub(super) fn names_an_input(bytes: &[u8], card: &Card) -> bool {
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let names: Vec<&[u8]> = first.split(|b| b",;\t".contains(b)).map(trimmed).collect();
    card.inputs.iter().any(|input| names.contains(&input.name.as_bytes()))
}

fn trimmed(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name).trim_ascii();
    name.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(name)
}

/// Answers the rows of a table.
///
/// # Errors
/// 422 where it is no table, or lacks an input; 413 where it is too large.
pub(super) fn answer(
    service: &Service,
    model: &dyn Model,
    level: Option<f64>,
    file: &File,
) -> Result<Vec<OfCell>, Refusal> {
    let limits = Limits { rows: service.settings.max_rows, columns: MAX_COLUMNS, bytes: MAX_BYTES };
    let format = Format::of_begin(&file.bytes).unwrap_or(Format::Csv);
    let batch = rows::decode(&file.bytes, format, limits).map_err(|e| unreadable(file, &e))?;
    let rows = table::inputs(&batch, model.card())?;
    let scored = score_alone(model, rows, service.settings.batch_rows)?;
    let answers = model.answers(&scored.rows, &scored.labels, level)?;
    Ok(by_cell(&batch, model.card(), &answers))
}

fn unreadable(file: &File, error: &rows::RowsError) -> Refusal {
    let status = if matches!(error, rows::RowsError::TooLarge { .. }) { 413 } else { 422 };
    Refusal::new(status, "unreadable", format!("`{}`: {error}", file.name))
}

/// Returns the answers cell by cell, in the order in which the cells first appear.
fn by_cell(batch: &RowBatch, card: &Card, answers: &Answers) -> Vec<OfCell> {
    let names = batch.text(CELL);
    let cycles = CYCLES.iter().find_map(|name| batch.number(name));
    let measured = batch.number(card.output.name());
    let mut order: Vec<&str> = Vec::new();
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in 0..batch.n_rows {
        let name = names.map_or("", |names| names[row].as_str());
        let of_cell = rows.entry(name).or_default();
        if of_cell.is_empty() {
            order.push(name);
        }
        of_cell.push(row);
    }
    let whole = |v: f64| (v >= 0.0 && v.fract() == 0.0 && v <= f64::from(u32::MAX)).then_some(v as u32);
    let cell = |name: &&str| {
        let rows = &rows[name];
        OfCell {
            cell: (!name.is_empty()).then(|| (*name).to_owned()),
            cycles: rows.iter().map(|&row| cycles.and_then(|c| whole(c[row]))).collect(),
            measured: rows.iter().map(|&row| measured.map_or(f64::NAN, |m| m[row])).collect(),
            answers: chosen(answers, rows),
            ..OfCell::default()
        }
    };
    order.iter().map(cell).collect()
}

fn chosen(answers: &Answers, rows: &[usize]) -> Answers {
    let values = |values: &Values| match values {
        Values::Numbers(numbers) => Values::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
        Values::Texts(texts) => Values::Texts(rows.iter().map(|&row| texts[row].clone()).collect()),
    };
    let columns = answers.columns.iter().map(|c| Column { values: values(&c.values), ..c.clone() }).collect();
    Answers { columns, warnings: rows.iter().map(|&row| answers.warnings[row].clone()).collect() }
}
