//! Arrow IPC, file and stream: flat columns of numbers, truth values and texts, a record batch at a time.
//!
//! A file is the stream that it holds between its marks; its footer is not needed. After the "Arrow Columnar Format",
//! version 1.5, and `Message.fbs` and `Schema.fbs`, whose fields are named by their numbers here.

mod column;
mod message;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::error::RowsError;
use super::flatbuffer::Table;
use super::origin::Origin;
use super::{Limits, Opened, RowBatch, Skipped, batch_rows};
use column::{Body, Values};
use message::{Kind, Messages, field};

const FORMAT: &str = "Arrow";

/// A column, as the schema says it.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    kind: Type,
    /// Number of the dictionary of texts that its values point into, and what kind of number they are.
    dictionary: Option<(i64, column::Number)>,
}

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq)]
enum Type {
    /// Numbers of so many bytes.
    Number(column::Number),
    Truth,
    /// Texts with offsets of 4 or 8 bytes.
    Text {
        large: bool,
    },
    TextView,
    /// Passed over: its name and buffers.
    Other(String, usize),
    /// Passed over: a view, whose buffers the batch counts.
    OtherView,
}

/// The texts of dictionaries, by number.
type Dictionaries = BTreeMap<i64, Arc<Vec<String>>>;

/// Record batches in the order of the stream, cut into batches.
struct Stream<'a> {
    messages: Messages<'a>,
    fields: Vec<Field>,
    dictionaries: Dictionaries,
    limits: Limits,
    n_rows: usize,
    text_bytes: usize,
    ready: VecDeque<RowBatch>,
    has_given: bool,
    is_done: bool,
}

pub(super) fn open<'a>(origin: Origin<'a>, limits: &Limits) -> Result<Opened<'a>, RowsError> {
    let mut messages = Messages::open(origin, limits)?;
    let place = messages.place.clone();
    let Some((Kind::Schema, head, _)) = messages.next()? else {
        return Err(RowsError::damaged(&place, FORMAT, "it does not begin with a schema"));
    };
    let fields = fields(&place, &head, limits)?;
    let skipped: Vec<Skipped> = fields.iter().filter_map(Field::skipped).collect();
    if skipped.len() == fields.len() {
        return Err(RowsError::NoColumns { place });
    }
    let stream = Stream {
        messages,
        fields,
        dictionaries: Dictionaries::new(),
        limits: *limits,
        n_rows: 0,
        text_bytes: limits.bytes,
        ready: VecDeque::new(),
        has_given: false,
        is_done: false,
    };
    Ok(Opened { skipped, n_rows: None, batches: Box::new(stream) })
}

fn fields(place: &str, head: &[u8], limits: &Limits) -> Result<Vec<Field>, RowsError> {
    let bad = |_| RowsError::damaged(place, FORMAT, "its schema makes no sense");
    let schema = message::header(head).map_err(bad)?;
    if schema.i16(0).map_err(bad)? != 0 {
        let (place, found) = (place.to_owned(), "its numbers are big-endian".to_owned());
        return Err(RowsError::Unsupported { place, format: FORMAT, found });
    }
    let Some(list) = schema.vector(1).map_err(bad)? else {
        return Err(RowsError::NoColumns { place: place.into() });
    };
    limits.check_columns(place, list.n)?;
    let mut names = BTreeSet::new();
    let mut fields = Vec::new();
    for idx in 0..list.n {
        let table: Table = list.table(idx).map_err(bad)?;
        let field = field(&table).map_err(bad)?;
        let name = table.text(0).map_err(bad)?.unwrap_or_default();
        let Some(field) = field else { return Err(RowsError::Nested { place: place.into(), column: name }) };
        if !names.insert(name.clone()) {
            return Err(RowsError::DuplicateColumn { place: place.into(), column: name });
        }
        fields.push(field);
    }
    Ok(fields)
}

impl Field {
    fn is_text(&self) -> bool {
        matches!(self.kind, Type::Text { .. } | Type::TextView)
    }

    fn skipped(&self) -> Option<Skipped> {
        let kind = match &self.kind {
            Type::Other(kind, _) => kind.clone(),
            Type::OtherView => "BinaryView".into(),
            _ => return None,
        };
        Some(Skipped { column: self.name.clone(), kind })
    }
}

impl Stream<'_> {
    fn read(&mut self) -> Result<Option<RowBatch>, RowsError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.has_given = true;
                return Ok(Some(batch));
            }
            if self.is_done {
                return Ok(None);
            }
            match self.messages.next()? {
                Some((Kind::Batch, head, body)) => self.batch(&head, &body)?,
                Some((Kind::Dictionary, head, body)) => self.dictionary(&head, &body)?,
                Some((Kind::Schema, ..)) => return Err(self.damaged("it has a second schema")),
                None => {
                    self.is_done = true;
                    if !self.has_given {
                        self.ready.push_back(self.empty());
                    }
                }
            }
        }
    }

    fn batch(&mut self, head: &[u8], bytes: &[u8]) -> Result<(), RowsError> {
        let bad = |_| RowsError::damaged(&self.messages.place, FORMAT, "a record batch makes no sense");
        let table = message::header(head).map_err(bad)?;
        let mut body = Body::new(&table, bytes, self.limits.bytes).map_err(bad)?;
        self.n_rows = self.n_rows.saturating_add(body.n_rows);
        let place = &self.messages.place;
        self.limits.check_rows(place, self.n_rows)?;
        let n_bytes = self.n_rows.saturating_mul(8 * self.fields.len());
        self.limits.check_bytes(place, n_bytes)?;
        let mut batch = RowBatch { n_rows: body.n_rows, ..RowBatch::default() };
        for field in &self.fields {
            let damaged = |_| {
                RowsError::damaged(
                    place,
                    FORMAT,
                    format!("the values of column `{}` make no sense", field.name),
                )
            };
            let (name, left) = (field.name.clone(), self.text_bytes);
            match body.column(field, &self.dictionaries, left).map_err(damaged)? {
                Some(Values::Numbers(values)) => batch.numbers.push((name, values)),
                Some(Values::Texts(texts, n_bytes)) => {
                    batch.texts.push((name, texts));
                    if left != usize::MAX {
                        self.text_bytes -= n_bytes;
                    }
                }
                Some(Values::TooLong(n_bytes)) => RowsError::within(place, "bytes", n_bytes, left)?,
                None => {}
            }
        }
        self.ready = cut(batch);
        Ok(())
    }

    fn dictionary(&mut self, head: &[u8], bytes: &[u8]) -> Result<(), RowsError> {
        let place = self.messages.place.clone();
        let bad = |_| RowsError::damaged(&place, FORMAT, "a dictionary makes no sense");
        let table = message::header(head).map_err(bad)?;
        let id = table.i64(0).map_err(bad)?;
        let Some(field) = self.fields.iter().find(|f| f.dictionary.is_some_and(|d| d.0 == id)) else {
            return Ok(());
        };
        let data = table.table(1).map_err(bad)?.ok_or_else(|| self.damaged("a dictionary without values"))?;
        let mut body = Body::new(&data, bytes, self.limits.bytes).map_err(bad)?;
        self.limits.check_rows(&place, body.n_rows)?;
        let plain = Field { dictionary: None, ..field.clone() };
        let values = body.column(&plain, &Dictionaries::new(), self.limits.bytes).map_err(bad)?;
        let texts = match values {
            Some(Values::Texts(texts, _)) => texts,
            Some(Values::TooLong(n_bytes)) => {
                return RowsError::within(&place, "bytes", n_bytes, self.limits.bytes);
            }
            _ => return Ok(()),
        };
        let is_more = table.u8(2).map_err(bad)? != 0;
        let known = self.dictionaries.get(&id).filter(|_| is_more);
        let texts = known.map_or(texts.clone(), |known| [known.as_slice(), &texts].concat());
        self.dictionaries.insert(id, Arc::new(texts));
        Ok(())
    }

    /// Returns the columns without a row.
    fn empty(&self) -> RowBatch {
        let mut batch = RowBatch::default();
        for field in self.fields.iter().filter(|f| f.skipped().is_none()) {
            if field.is_text() {
                batch.texts.push((field.name.clone(), Vec::new()));
            } else {
                batch.numbers.push((field.name.clone(), Vec::new()));
            }
        }
        batch
    }

    fn damaged(&self, found: &str) -> RowsError {
        RowsError::damaged(&self.messages.place, FORMAT, found)
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<RowBatch, RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            (self.is_done, self.has_given) = (true, true);
            self.ready.clear();
        }
        read.transpose()
    }
}

/// Cuts a batch into such of the usual length, the first of them first; one without rows is left out.
fn cut(mut batch: RowBatch) -> VecDeque<RowBatch> {
    let most = batch_rows(batch.numbers.len() + batch.texts.len());
    let mut parts = VecDeque::new();
    while batch.n_rows > most {
        let from = (batch.n_rows - 1) / most * most;
        let numbers = batch.numbers.iter_mut().map(|(name, v)| (name.clone(), v.split_off(from))).collect();
        let texts = batch.texts.iter_mut().map(|(name, v)| (name.clone(), v.split_off(from))).collect();
        parts.push_front(RowBatch { n_rows: batch.n_rows - from, numbers, texts });
        batch.n_rows = from;
    }
    if batch.n_rows > 0 {
        parts.push_front(batch);
    }
    parts
}
