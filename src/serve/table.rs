//! Tables that are sent whole, Arrow or Parquet: their columns as the inputs of a model.

use serde_json::json;

use super::form::Form;
use super::model::Card;
use super::refusal::Refusal;
use super::rows::{lacking, too_many_rows};
use super::settings::Settings;
use crate::dataset::rows::{Limits, RowBatch, RowsError, decode};

/// Most columns of a table, those that are no input included.
const MAX_COLUMNS: usize = 4096;

/// Reads the rows of a body `[row, input]`, NaN where missing; columns that are no input are passed over.
///
/// # Errors
/// 413 where it holds too much, 422 where it is no such table or lacks an input.
pub(super) fn read(body: &[u8], form: Form, card: &Card, settings: &Settings) -> Result<Vec<f64>, Refusal> {
    let (rows, bytes) = (settings.max_rows, settings.max_held);
    let limits = Limits { rows, columns: MAX_COLUMNS, bytes };
    let table = decode(body, form.format(), limits).map_err(|e| unreadable(&e, rows))?;
    inputs(&table, card)
}

fn unreadable(error: &RowsError, max_rows: usize) -> Refusal {
    match error {
        RowsError::TooLarge { what: "rows", .. } => too_many_rows(max_rows),
        RowsError::TooLarge { what, limit, .. } => Refusal::new(413, "table_too_large", error.to_string())
            .with(json!({ "what": what, "max": limit })),
        other => Refusal::new(422, "bad_table", other.to_string()),
    }
}

/// Returns the inputs of a table `[row, input]`; a column whose fields are all empty is missing throughout.
pub(super) fn inputs(table: &RowBatch, card: &Card) -> Result<Vec<f64>, Refusal> {
    if table.n_rows == 0 {
        return Err(Refusal::new(422, "no_rows", "there is no row to answer"));
    }
    let column = |name: &str| {
        let empty = || table.text(name)?.iter().all(String::is_empty).then(|| vec![f64::NAN; table.n_rows]);
        table.number(name).map(<[f64]>::to_vec).or_else(empty)
    };
    let columns: Vec<Option<Vec<f64>>> = card.inputs.iter().map(|input| column(&input.name)).collect();
    let named = card.inputs.iter().map(|input| input.name.as_str()).zip(&columns);
    let missing: Vec<&str> = named.filter(|(_, column)| column.is_none()).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        return Err(lacking("the table, as a column of numbers, ", &missing, &card.inputs));
    }
    let columns: Vec<Vec<f64>> = columns.into_iter().flatten().collect();
    Ok((0..table.n_rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect())
}
