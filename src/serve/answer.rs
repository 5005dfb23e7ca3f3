//! Writes answers in the form that was asked for.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::form::Form;
use super::model::{Answers, Card, Column, Values};
use super::refusal::Refusal;
use super::rows::Layout;
use crate::dataset::rows::{RowBatch, encode};

/// Name of the column of warnings.
const WARNINGS: &str = "warnings";

/// What stands between the warnings of a row where they are one text.
const BETWEEN: &str = "; ";

/// Answers, and what they answer.
pub(super) struct Answered<'a> {
    /// Name by which the model was asked.
    pub(super) name: &'a str,
    /// The model.
    pub(super) card: &'a Card,
    /// Level of the intervals.
    pub(super) level: Option<f64>,
    /// How they are written.
    pub(super) layout: Layout,
    /// The answers.
    pub(super) answers: &'a Answers,
}

impl Answered<'_> {
    /// Writes a response.
    ///
    /// # Errors
    /// 500 where they cannot be written.
    pub(super) fn respond(&self, form: Form) -> Result<Response, Refusal> {
        let bytes = match form {
            Form::Json => serde_json::to_vec(self).map_err(|e| unwritten(&e))?,
            table => tabular(self.answers, table)?,
        };
        let content_type = HeaderValue::from_static(form.media_type());
        Ok(([(CONTENT_TYPE, content_type)], bytes).into_response())
    }
}

fn unwritten(error: &dyn std::error::Error) -> Refusal {
    Refusal::new(500, "answer", format!("the answers cannot be written: {error}"))
}

fn tabular(answers: &Answers, form: Form) -> Result<Vec<u8>, Refusal> {
    let mut table = RowBatch { n_rows: answers.warnings.len(), ..RowBatch::default() };
    for Column { name, values, .. } in &answers.columns {
        match values {
            Values::Numbers(numbers) => table.numbers.push((name.clone(), numbers.clone())),
            Values::Texts(texts) => table.texts.push((name.clone(), texts.clone())),
        }
    }
    let warnings = answers.warnings.iter().map(|of_row| of_row.join(BETWEEN)).collect();
    table.texts.push((WARNINGS.into(), warnings));
    let order: Vec<&str> = answers.columns.iter().map(|column| column.name.as_str()).collect();
    encode(&table, form.format(), &order).map_err(|e| unwritten(&e))
}

impl Serialize for Answered<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("model", self.name)?;
        map.serialize_entry("run", &self.card.run)?;
        map.serialize_entry("output", self.card.output.name())?;
        map.serialize_entry("unit", &self.card.unit)?;
        map.serialize_entry("level", &self.level)?;
        match self.layout {
            Layout::Rows => map.serialize_entry("answers", &Rows(self.answers))?,
            Layout::Columns => map.serialize_entry("columns", &Columns(self.answers))?,
        }
        map.end()
    }
}

/// Answers as a list of objects.
struct Rows<'a>(&'a Answers);

/// Answers as an object of lists.
struct Columns<'a>(&'a Answers);

struct Row<'a>(&'a Answers, usize);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let n_rows = self.0.warnings.len();
        let mut list = to.serialize_seq(Some(n_rows))?;
        (0..n_rows).try_for_each(|row| list.serialize_element(&Row(self.0, row)))?;
        list.end()
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(answers, row) = *self;
        let mut map = to.serialize_map(Some(answers.columns.len() + 1))?;
        for column in &answers.columns {
            match &column.values {
                Values::Numbers(numbers) => map.serialize_entry(&column.name, &numbers[row])?,
                Values::Texts(texts) => map.serialize_entry(&column.name, &texts[row])?,
            }
        }
        map.serialize_entry(WARNINGS, &answers.warnings[row])?;
        map.end()
    }
}

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.columns.len() + 1))?;
        for column in &self.0.columns {
            match &column.values {
                Values::Numbers(numbers) => map.serialize_entry(&column.name, numbers)?,
                Values::Texts(texts) => map.serialize_entry(&column.name, texts)?,
            }
        }
        map.serialize_entry(WARNINGS, &self.0.warnings)?;
        map.end()
    }
}
