//! `"rows": [{input: number | null, ...}, ...]`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::number::Number;
use super::{Key, Table, lacking};

/// The list of rows.
pub(super) struct Rows<'t, 'a>(pub(super) &'t mut Table<'a>);

struct Row<'t, 'a> {
    table: &'t mut Table<'a>,
    seen: &'t mut [bool],
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let table = self.0;
        let mut seen = vec![false; table.inputs.len()];
        for row in 0.. {
            table.at = (Some(row), None);
            if rows.next_element_seed(Row { table, seen: &mut seen })?.is_none() {
                break;
            }
        }
        table.at = (None, None);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.table.at.0 >= Some(self.table.max_rows) {
            return Err(self.table.too_many());
        }
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of `rows` with a number or null an input")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        let Self { table, seen } = self;
        let start = table.values.len();
        table.values.resize(start + seen.len(), f64::NAN);
        seen.fill(false);
        let mut expected = 0;
        while let Some(idx) = row.next_key_seed(Key { table, expected })? {
            if std::mem::replace(&mut seen[idx], true) {
                return Err(table.twice(idx));
            }
            table.at.1 = Some(idx);
            table.values[start + idx] = row.next_value::<Number>()?.0;
            table.at.1 = None;
            expected = idx + 1;
        }
        if seen.iter().all(|seen| *seen) {
            return Ok(());
        }
        let missing: Vec<&str> = table
            .inputs
            .iter()
            .zip(&*seen)
            .filter(|(_, seen)| !**seen)
            .map(|(i, _)| i.name.as_str())
            .collect();
        let refusal = lacking(&table.place(), &missing, table.inputs);
        Err(table.fail(refusal))
    }
}
