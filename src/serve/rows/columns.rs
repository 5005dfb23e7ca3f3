//! `"columns": {input: [number | null, ...], ...}`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::json;

use super::number::Number;
use super::{Key, Refusal, Table, lacking};

/// The columns.
pub(super) struct Columns<'t, 'a>(pub(super) &'t mut Table<'a>);

struct Numbers<'t, 'a>(&'t mut Table<'a>);

impl<'de> DeserializeSeed<'de> for Columns<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with a list of numbers an input")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let table = self.0;
        let mut columns: Vec<Option<Vec<f64>>> = vec![None; table.inputs.len()];
        let mut expected = 0;
        while let Some(idx) = map.next_key_seed(Key { table, expected })? {
            table.at = (None, Some(idx));
            let column = map.next_value_seed(Numbers(table))?;
            table.at = (None, None);
            if columns[idx].replace(column).is_some() {
                return Err(table.twice(idx));
            }
            expected = idx + 1;
        }
        turn(table, &columns).map_err(|refusal| table.fail(refusal))
    }
}

/// Makes rows of columns.
fn turn(table: &mut Table, columns: &[Option<Vec<f64>>]) -> Result<(), Refusal> {
    let named = || table.inputs.iter().map(|input| input.name.as_str()).zip(columns);
    let missing: Vec<&str> = named().filter(|(_, c)| c.is_none()).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        return Err(lacking("`columns` ", &missing, table.inputs));
    }
    let columns: Vec<&[f64]> = columns.iter().flatten().map(Vec::as_slice).collect();
    let n_rows = columns.first().map_or(0, |column| column.len());
    if let Some(idx) = columns.iter().position(|column| column.len() != n_rows) {
        let (first, other) = (&table.inputs[0].name, &table.inputs[idx].name);
        let message = format!("`{first}` has {n_rows} rows, `{other}` {}", columns[idx].len());
        let lengths: serde_json::Map<_, _> =
            table.inputs.iter().zip(&columns).map(|(i, c)| (i.name.clone(), c.len().into())).collect();
        return Err(Refusal::new(422, "columns_differ", message).with(json!({ "lengths": lengths })));
    }
    table.values = (0..n_rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Numbers<'_, '_> {
    type Value = Vec<f64>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<f64>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_, '_> {
    type Value = Vec<f64>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of numbers or nulls")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<f64>, A::Error> {
        let mut column = Vec::new();
        loop {
            self.0.at.0 = Some(column.len());
            match numbers.next_element::<Number>()? {
                Some(_) if column.len() == self.0.max_rows => return Err(self.0.too_many::<A::Error>()),
                Some(Number(value)) => column.push(value),
                None => return Ok(column),
            }
        }
    }
}
