//! Rows of a JSON body, read straight into the numbers of a model: nothing is built that a large body could blow up.
//!
//! ```text
//! {"model": NAME?, "level": 0.9?, "units": {input: unit}?, "rows": [{input: number | null, ...}, ...]}
//!                                                       or "columns": {input: [number | null, ...], ...}
//! ```
//!
//! The body is read twice: `Head` skips the rows, because the model may be named after them; `read` knows its inputs.

mod columns;
mod head;
mod number;
mod row;

use std::fmt;

use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Value, json};

pub(super) use head::{Head, Layout};

use super::refusal::Refusal;
use crate::descriptor::did_you_mean;
use crate::pipeline::Input;

/// Names of a list that an error shows.
const SHOWN: usize = 6;

/// Reads the head of a body.
///
/// # Errors
/// 400 where it is no JSON, 422 where it is no request.
pub(super) fn head(body: &[u8]) -> Result<Head, Refusal> {
    serde_json::from_slice(body).map_err(|e| told(&e, body, ""))
}

/// Reads the rows of a body `[row, input]`, NaN where null.
///
/// # Errors
/// 422 with the row and the input that are wrong, 413 where there are more than `max_rows`.
pub(super) fn read(body: &[u8], inputs: &[Input], max_rows: usize) -> Result<Vec<f64>, Refusal> {
    let mut table = Table::new(inputs, max_rows);
    let mut json = serde_json::Deserializer::from_slice(body);
    match json.deserialize_map(Body(&mut table)) {
        Ok(()) if table.values.is_empty() => Err(Refusal::new(422, "no_rows", "there is no row to answer")),
        Ok(()) => Ok(table.values),
        Err(e) => Err(table.fault.take().unwrap_or_else(|| told(&e, body, &table.place()))),
    }
}

/// Rows as they are read, and where the reader is.
struct Table<'a> {
    inputs: &'a [Input],
    max_rows: usize,
    values: Vec<f64>,
    /// Row and input that are read.
    at: (Option<usize>, Option<usize>),
    /// What is wrong, where we found it and not the parser.
    fault: Option<Refusal>,
}

impl<'a> Table<'a> {
    fn new(inputs: &'a [Input], max_rows: usize) -> Self {
        Self { inputs, max_rows, values: Vec::new(), at: (None, None), fault: None }
    }

    fn place(&self) -> String {
        match self.at {
            (Some(row), Some(idx)) => format!("row {row}, `{}`: ", self.inputs[idx].name),
            (Some(row), None) => format!("row {row}: "),
            (None, Some(idx)) => format!("`{}`: ", self.inputs[idx].name),
            (None, None) => String::new(),
        }
    }

    /// Notes what is wrong and ends the parser.
    fn fail<E: de::Error>(&mut self, refusal: Refusal) -> E {
        self.fault = Some(refusal);
        E::custom("refused")
    }

    /// Returns the position of an input, looked for first where it should stand.
    fn position<E: de::Error>(&mut self, name: &str, expected: usize) -> Result<usize, E> {
        let is_it = |input: &Input| input.name == name;
        if self.inputs.get(expected).is_some_and(is_it) {
            return Ok(expected);
        }
        let found = self.inputs.iter().position(is_it);
        found.ok_or_else(|| {
            let refusal = unknown(&self.place(), name, self.inputs);
            self.fail(refusal)
        })
    }

    fn twice<E: de::Error>(&mut self, idx: usize) -> E {
        let (place, name) = (self.place(), &self.inputs[idx].name);
        let message = format!("{place}`{name}` is given twice");
        self.fail(Refusal::new(422, "input_twice", message))
    }

    fn too_many<E: de::Error>(&mut self) -> E {
        let refusal = too_many_rows(self.max_rows);
        self.fail(refusal)
    }
}

/// Returns the refusal of more rows than a request may have.
pub(super) fn too_many_rows(max: usize) -> Refusal {
    let message = format!("more than {max} rows; send fewer a request");
    Refusal::new(413, "too_many_rows", message).with(json!({ "max_rows": max }))
}

/// Returns the refusal of an input that the model has not.
pub(super) fn unknown(place: &str, name: &str, inputs: &[Input]) -> Refusal {
    let hint = did_you_mean(name, inputs.iter().map(|input| input.name.as_str()));
    let shown: String = name.chars().take(80).collect();
    let message = format!("{place}the model has no input `{}`{hint}", shown.escape_debug());
    Refusal::new(422, "unknown_input", message).with(json!({ "inputs": names(inputs) }))
}

/// Returns the refusal of rows that lack inputs.
pub(super) fn lacking(place: &str, missing: &[&str], inputs: &[Input]) -> Refusal {
    let shown: Vec<String> = missing.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = missing.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("{place}lacks {}{more}; what is not known is null", shown.join(", "));
    Refusal::new(422, "missing_input", message).with(json!({ "missing": missing, "inputs": names(inputs) }))
}

fn names(inputs: &[Input]) -> Vec<&str> {
    inputs.iter().map(|input| input.name.as_str()).collect()
}

/// Returns what the parser found wrong: 400 where it is no JSON, 422 where it is another JSON.
fn told(error: &serde_json::Error, body: &[u8], place: &str) -> Refusal {
    if error.classify() == Category::Data {
        let message = format!("{place}{error}");
        return Refusal::new(422, "bad_request", message).with(position(error));
    }
    let has_nan = [&b"NaN"[..], b"Infinity"].iter().any(|w| body.windows(w.len()).any(|b| b == *w));
    let hint = if has_nan { "; JSON has no NaN: what is not known is null" } else { "" };
    let message = format!("the body is no JSON: {place}{error}{hint}");
    Refusal::new(400, "bad_json", message).with(position(error))
}

fn position(error: &serde_json::Error) -> Value {
    json!({ "line": error.line(), "column": error.column() })
}

/// The object around the rows.
struct Body<'t, 'a>(&'t mut Table<'a>);

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with `rows` or `columns`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*key {
                "rows" => map.next_value_seed(row::Rows(self.0))?,
                "columns" => map.next_value_seed(columns::Columns(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads the name of an input as its position.
struct Key<'t, 'a> {
    table: &'t mut Table<'a>,
    expected: usize,
}

impl<'de> de::DeserializeSeed<'de> for Key<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of an input")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<usize, E> {
        self.table.position(name, self.expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::leakage::Source;

    fn inputs() -> Vec<Input> {
        ["voltage_mean", "charge_duration"]
            .map(|name| Input {
                name: name.into(),
                unit: "V".into(),
                doc: String::new(),
                source: Source::PastRecord,
                range: [0.0, 1.0],
                leaks: false,
            })
            .into()
    }

    fn read_text(body: &str) -> Result<Vec<f64>, Refusal> {
        read(body.as_bytes(), &inputs(), 3)
    }

    #[test]
    fn rows_and_columns_give_the_same_numbers_in_the_models_order() {
        let rows = r#"{"rows": [{"voltage_mean": 3.5, "charge_duration": null},
            {"charge_duration": 2, "voltage_mean": -1e-3}], "model": "later"}"#;
        let columns = r#"{"columns": {"charge_duration": [null, 2], "voltage_mean": [3.5, -0.001]}}"#;
        for body in [rows, columns] {
            let values = read_text(body).unwrap();
            assert!(values[1].is_nan(), "{values:?}");
            assert_eq!([values[0], values[2], values[3]], [3.5, -1e-3, 2.0]);
            assert_eq!(values.len(), 4);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_row_and_input() {
        let row = r#"{"voltage_mean": 1, "charge_duration": 2}"#;
        let cases = [
            (
                r#"{"rows": [{"voltage_mean": 1}]}"#.into(),
                422,
                "missing_input",
                "row 0: lacks `charge_duration`",
            ),
            (
                format!(r#"{{"rows": [{row}, {{"voltage_men": 1}}]}}"#),
                422,
                "unknown_input",
                "row 1: the model has no input `voltage_men`; did you mean `voltage_mean`?",
            ),
            (
                r#"{"rows": [{"voltage_mean": 1, "voltage_mean": 1}]}"#.into(),
                422,
                "input_twice",
                "row 0: `voltage_mean` is given twice",
            ),
            (
                r#"{"rows": [{"voltage_mean": "3.5"}]}"#.into(),
                422,
                "bad_request",
                "row 0, `voltage_mean`: invalid type: string \"3.5\", expected a number or null",
            ),
            (
                r#"{"columns": {"voltage_mean": [1, true]}}"#.into(),
                422,
                "bad_request",
                "row 1, `voltage_mean`: invalid type: boolean `true`, expected a number or null",
            ),
            (
                r#"{"rows": [3]}"#.into(),
                422,
                "bad_request",
                "row 0: invalid type: integer `3`, expected an object of `rows`",
            ),
        ];
        cases.iter().for_each(refused);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let row = r#"{"voltage_mean": 1, "charge_duration": 2}"#;
        let cases = [
            (r#"{"rows": {}}"#.into(), 422, "bad_request", "invalid type: map, expected a list of rows"),
            (r#"{"rows": []}"#.into(), 422, "no_rows", "there is no row"),
            (
                r#"{"columns": {"voltage_mean": [], "charge_duration": []}}"#.into(),
                422,
                "no_rows",
                "there is no",
            ),
            (r#"{"rows": [{"voltage_mean": NaN}]}"#.into(), 400, "bad_json", "JSON has no NaN"),
            (r#"{"rows": [{"voltage_mean": 1e999}]}"#.into(), 400, "bad_json", "number out of range"),
            (r#"{"rows": [{"voltage_mean": 1"#.into(), 400, "bad_json", "EOF while parsing"),
            (
                format!(r#"{{"rows": [{row}, {row}, {row}, {row}]}}"#),
                413,
                "too_many_rows",
                "more than 3 rows",
            ),
            (r#"{"columns": {"voltage_mean": [1,2,3,4]}}"#.into(), 413, "too_many_rows", "more than 3 rows"),
            (
                r#"{"columns": {"voltage_mean": [1], "charge_duration": [1, 2]}}"#.into(),
                422,
                "columns_differ",
                "`voltage_mean` has 1 rows, `charge_duration` 2",
            ),
            (r#"{"columns": {"voltage_mean": [1]}}"#.into(), 422, "missing_input", "lacks `charge_duration`"),
        ];
        cases.iter().for_each(refused);
    }

    /// Body, status, code and words of its refusal.
    type Case = (String, u16, &'static str, &'static str);

    fn refused((body, status, code, text): &Case) {
        let refusal = read_text(body).unwrap_err();
        assert_eq!((refusal.status(), refusal.code()), (*status, *code), "{body}: {}", refusal.message());
        assert!(refusal.message().contains(text), "{body}: {}", refusal.message());
    }

    #[test]
    fn a_head_is_read_wherever_its_keys_stand() {
        let read = |body: &str| head(body.as_bytes());
        let body = r#"{"rows": [{"a": [[]]}], "units": {"a": "mV"}, "level": 0.8, "model": "m"}"#;
        let expected = Head {
            model: Some("m".into()),
            level: Some(0.8),
            units: [("a".into(), "mV".into())].into(),
            layout: Layout::Rows,
        };
        assert_eq!(read(body), Ok(expected));
        let cases = [
            ("[]", 422, "expected an object with `rows` or `columns`"),
            ("{}", 422, "neither `rows` nor `columns`"),
            (r#"{"rows": [], "columns": {}}"#, 422, "both `rows` and `columns`"),
            (r#"{"row": []}"#, 422, "unknown key `row`; did you mean `rows`?"),
            (r#"{"rows": [], "level": "high"}"#, 422, "invalid type: string"),
            (r#"{"rows": [], "level": 0.5, "level": 0.6}"#, 422, "`level` is given twice"),
            (r#"{"rows": [] "level": 1}"#, 400, "expected `,` or `}`"),
            (r#"{"rows": []} x"#, 400, "trailing characters"),
            ("", 400, "EOF"),
        ];
        for (body, status, text) in cases {
            let refusal = read(body).unwrap_err();
            assert_eq!(refusal.status(), status, "{body}: {}", refusal.message());
            assert!(refusal.message().contains(text), "{body}: {}", refusal.message());
        }
    }
}
