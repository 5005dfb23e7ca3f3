//! Raw cells as a predictor answers them, for whoever draws or compares them.

use crate::dataset::Cell;
use crate::predict::{self, Predictor, Settings};
use crate::serve::model::{Answers, Column, OfCell, Values};
use crate::serve::refusal::Refusal;

/// Column with the cycle of each answer.
const CYCLE: &str = "cycle_count";

/// Columns with what was measured, in the unit of their answer's column.
const MEASURED: [(&str, &str); 2] =
    [("measured_discharging_capacity_ah", "discharging_capacity_ah"), ("measured_cycle_life", "cycle_life")];

/// Answers cells one by one.
///
/// # Errors
/// 422 where the model answers ready-made rows only, or no cell has a row.
pub(in crate::serve) fn answer(
    predictor: &Predictor,
    cells: &[Cell],
    level: Option<f64>,
) -> Result<Vec<OfCell>, Refusal> {
    let settings = level.map_or_else(Settings::default, |level| Settings { level, ..Settings::default() });
    let all = cells.iter().map(|cell| one(predictor, cell, &settings)).collect::<Result<Vec<_>, _>>()?;
    if all.iter().any(|cell| !cell.answers.warnings.is_empty()) {
        return Ok(all);
    }
    let why: Vec<String> = all.into_iter().flat_map(|cell| cell.warnings).collect();
    let why = if why.is_empty() { "there is no cell in the file".into() } else { why.join("; ") };
    Err(Refusal::new(422, "no_rows", why))
}

fn one(predictor: &Predictor, cell: &Cell, settings: &Settings) -> Result<OfCell, Refusal> {
    let answers = predictor
        .of_cells(std::slice::from_ref(cell), settings)
        .map_err(|e| Refusal::new(422, "no_raw_cells", e.to_string()))?;
    let whole = |v: &f64| (*v >= 0.0 && v.fract() == 0.0).then_some(*v as u32);
    let cycles = answers.keys.number(CYCLE).unwrap_or_default().iter().map(whole).collect();
    let reference_ah = reference(&answers);
    let facts = &cell.facts;
    let life_ah = facts.eol_soh.zip(facts.nominal_capacity_ah).map(|(soh, nominal)| soh * nominal);
    let skipped = answers.skipped.iter().map(|(cell, why)| format!("cell `{cell}`: {why}"));
    Ok(OfCell {
        cell: Some(cell.id.to_string()),
        synthetic: facts.synthetic,
        reference_ah,
        end_of_life: life_ah.zip(reference_ah).map(|(life, reference)| life / reference),
        cycles,
        measured: measured(&answers, reference_ah),
        warnings: skipped.chain(answers.remarks.iter().cloned()).collect(),
        answers: columns(&answers),
    })
}

/// Returns the capacity that counts as SoH 1 [Ah]: what the answers state as SoH and as capacity.
fn reference(answers: &predict::Answers) -> Option<f64> {
    let number = |name: &str, row: usize| answers.column(name)?.values.number(row);
    let ratio = |row| Some(number("discharging_capacity_ah", row)? / number("soh", row)?);
    (0..answers.n_rows).filter_map(ratio).find(|ah| ah.is_finite() && *ah > 0.0)
}

/// Returns what was measured in the unit of the answer, NaN where nothing was.
fn measured(answers: &predict::Answers, reference_ah: Option<f64>) -> Vec<f64> {
    let find = |(key, of): (&'static str, _)| Some((answers.keys.number(key)?, of));
    match MEASURED.into_iter().find_map(find) {
        Some((values, "cycle_life")) => values.to_vec(),
        Some((values, _)) => values.iter().map(|ah| ah / reference_ah.unwrap_or(f64::NAN)).collect(),
        None => Vec::new(),
    }
}

/// Returns a predictor's answers as those of a server.
fn columns(answers: &predict::Answers) -> Answers {
    let values = |values: &predict::Values| match values {
        predict::Values::Numbers(numbers) => Values::Numbers(numbers.clone()),
        names => Values::Texts((0..answers.n_rows).map(|row| names.text(row)).collect()),
    };
    let column = |c: &predict::Column| Column {
        name: c.name.clone(),
        unit: c.unit.to_owned(),
        values: values(&c.values),
    };
    Answers {
        columns: answers.columns.iter().map(column).collect(),
        warnings: (0..answers.n_rows).map(|row| answers.warnings.of(row)).collect(),
    }
}
