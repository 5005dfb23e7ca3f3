//! Columns of a table as inputs of a model: by name, converted where the name states a unit.

use std::collections::BTreeMap;

use super::error::PredictError;
use super::unit::{Conversion, accepted};
use super::{REFERENCE, Settings};
use crate::dataset::rows::RowBatch;
use crate::descriptor::did_you_mean;
use crate::pipeline::Input;

/// Columns of numbers that are passed through beside those of text.
const KEYS: [&str; 6] = ["cell", "cycle_count", "cycle", "row", "id", "fold"];

/// Begin of the names of columns that are passed through to be compared.
pub(super) const MEASURED: &str = "measured_";

/// A table as a model sees it.
#[derive(Debug, Default)]
pub(super) struct Bound {
    /// Inputs, `[row, input]`, NaN where missing.
    pub(super) rows: Vec<f64>,
    /// Capacity that counts as SoH 1 [Ah], where the table states it.
    pub(super) reference_ah: Option<Vec<f64>>,
    /// What is passed through.
    pub(super) keys: RowBatch,
    /// What a person should know of the table.
    pub(super) remarks: Vec<String>,
}

/// A column of the table, and the unit that its name states.
#[derive(Clone, Copy)]
struct Named<'a> {
    whole: &'a str,
    unit: Option<&'a str>,
    position: usize,
}

pub(super) fn bind(inputs: &[Input], table: &RowBatch, settings: &Settings) -> Result<Bound, PredictError> {
    let mut bound = Bound { rows: vec![f64::NAN; table.n_rows * inputs.len()], ..Bound::default() };
    let columns = by_name(inputs, table)?;
    for (idx, input) in inputs.iter().enumerate() {
        let Some(column) = columns.get(input.name.as_str()) else {
            absent(input, table, settings)?;
            bound.remarks.push(format!("no column `{}`: its values are missing", input.name));
            continue;
        };
        let conversion = conversion(column, input, &mut bound.remarks)?;
        let values = &table.numbers[column.position].1;
        for (row, &value) in bound.rows.chunks_exact_mut(inputs.len()).zip(values) {
            row[idx] = conversion.map_or(value, |c| c.apply(value));
        }
    }
    bound.reference_ah = table.number(REFERENCE).map(<[f64]>::to_vec);
    let used: Vec<&str> = columns.values().map(|column| column.whole).collect();
    bound.pass_through(table, &used);
    Ok(bound)
}

/// Returns the table's columns of numbers by the name of their input.
fn by_name<'a>(inputs: &[Input], table: &'a RowBatch) -> Result<BTreeMap<&'a str, Named<'a>>, PredictError> {
    let mut columns: BTreeMap<&str, Named> = BTreeMap::new();
    for (position, (whole, _)) in table.numbers.iter().enumerate() {
        let is_input = |name: &str| inputs.iter().any(|input| input.name == name);
        let (name, unit) = if is_input(whole) { (whole.as_str(), None) } else { split(whole) };
        if !is_input(name) {
            continue;
        }
        if let Some(first) = columns.insert(name, Named { whole, unit, position }) {
            let (first, second) = (first.whole.to_owned(), whole.clone());
            return Err(PredictError::TwoColumns { input: name.into(), first, second });
        }
    }
    Ok(columns)
}

/// Returns the name before a unit in brackets, and the unit.
fn split(whole: &str) -> (&str, Option<&str>) {
    let parts = whole.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
    parts.map_or((whole, None), |(name, unit)| (name.trim_end(), Some(unit.trim())))
}

fn conversion(
    column: &Named,
    input: &Input,
    remarks: &mut Vec<String>,
) -> Result<Option<Conversion>, PredictError> {
    let Some(found) = column.unit.filter(|&unit| unit != input.unit) else { return Ok(None) };
    let conversion = Conversion::between(found, &input.unit).ok_or_else(|| PredictError::Unit {
        column: column.whole.into(),
        found: found.into(),
        unit: input.unit.clone(),
        accepted: accepted(&input.unit).join(", "),
    })?;
    remarks.push(format!("`{}` is converted to {}", column.whole, input.unit));
    Ok(Some(conversion))
}

/// Refuses a table without an input, unless that is allowed.
fn absent(input: &Input, table: &RowBatch, settings: &Settings) -> Result<(), PredictError> {
    let unit = input.unit.clone();
    let text = table.texts.iter().find(|(name, _)| *name == input.name || split(name).0 == input.name);
    if let Some((column, texts)) = text {
        let is_text = |text: &String| !text.is_empty() && text.parse::<f64>().is_err();
        let row = texts.iter().position(is_text).unwrap_or(0);
        let found = texts.get(row).map_or("", String::as_str).chars().take(40).collect();
        return Err(PredictError::Text { column: column.clone(), row: row + 1, found, unit });
    }
    if settings.impute_missing {
        return Ok(());
    }
    let names = || table.numbers.iter().map(|(name, _)| name.as_str());
    let mut hint = did_you_mean(&input.name, names());
    if let Some(longer) = names().find(|name| name.starts_with(&input.name) && split(name).1.is_none()) {
        hint = format!(
            "; if `{longer}` is that in another unit, name it `{} [{}]`",
            input.name,
            longer[input.name.len()..].trim_matches(['_', ' ', '(', ')', '/'])
        );
    }
    Err(PredictError::MissingColumn { input: input.name.clone(), unit, hint })
}

impl Bound {
    /// Copies what tells rows apart, and says what is not used.
    fn pass_through(&mut self, table: &RowBatch, used: &[&str]) {
        let is_key = |name: &str| KEYS.contains(&name) || name.starts_with(MEASURED);
        let (keys, others): (Vec<_>, Vec<_>) = table.numbers.iter().partition(|(name, _)| is_key(name));
        let unused: Vec<&str> = others
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| *name != REFERENCE && !used.contains(name))
            .collect();
        if !unused.is_empty() {
            self.remarks.push(format!("not used: {}", shortened(&unused)));
        }
        self.keys = RowBatch {
            n_rows: table.n_rows,
            numbers: keys.into_iter().cloned().collect(),
            texts: table.texts.clone(),
        };
    }
}

/// Returns the first names, and how many there are more.
fn shortened(names: &[&str]) -> String {
    const MOST: usize = 8;
    let shown = names.iter().take(MOST).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}
