//! CSV: a line of names, then a line a row; numbers are told from texts by the first batch.

use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::error::RowsError;
use super::origin::Origin;
use super::{Limits, Opened, RowBatch, batch_rows};

const FORMAT: &str = "CSV";

/// What stands for a missing value.
const MISSING: [&str; 9] = ["", "nan", "NaN", "NAN", "NA", "N/A", "null", "NULL", "None"];

type Lines<'a> = csv::Reader<Box<dyn Read + Send + 'a>>;

/// A table of text.
struct Sheet<'a> {
    place: String,
    lines: Lines<'a>,
    names: Vec<String>,
    /// Whether each column holds numbers; unknown before the first batch.
    is_number: Option<Vec<bool>>,
    batch_rows: usize,
    is_done: bool,
}

pub(super) fn open<'a>(origin: Origin<'a>, limits: &Limits) -> Result<Opened<'a>, RowsError> {
    let place = origin.place.clone();
    let mut reader = BufReader::with_capacity(1 << 16, origin.into_reader()?);
    let begin = reader.fill_buf().map_err(|e| RowsError::damaged(&place, FORMAT, e.to_string()))?;
    let is_marked = begin.starts_with(b"\xef\xbb\xbf");
    let delimiter = delimiter(begin);
    if is_marked {
        reader.consume(3);
    }
    let reader: Box<dyn Read + Send + 'a> = Box::new(reader);
    let mut lines =
        ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).has_headers(true).from_reader(reader);
    let heads = lines.byte_headers().map_err(|e| damaged(&place, &e))?.clone();
    limits.check_columns(&place, heads.len())?;
    let names = names(&place, &heads)?;
    let batch_rows = batch_rows(names.len());
    let sheet = Sheet { place, lines, names, is_number: None, batch_rows, is_done: false };
    Ok(Opened { skipped: Vec::new(), n_rows: None, batches: Box::new(sheet) })
}

/// Returns the separator that stands most often in the first line, outside quotes.
fn delimiter(begin: &[u8]) -> u8 {
    let line = begin.split(|&b| b == b'\n').next().unwrap_or_default();
    let mut is_quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for &byte in line {
        is_quoted ^= byte == b'"';
        for (separator, n) in &mut counts {
            *n += usize::from(!is_quoted && byte == *separator);
        }
    }
    // The first of those that stand equally often.
    counts.iter().rev().max_by_key(|(_, n)| *n).map_or(b',', |(separator, _)| *separator)
}

fn names(place: &str, heads: &ByteRecord) -> Result<Vec<String>, RowsError> {
    let mut names: Vec<String> = Vec::with_capacity(heads.len());
    for (idx, head) in heads.iter().enumerate() {
        let name = std::str::from_utf8(head)
            .map_err(|_| RowsError::damaged(place, FORMAT, "its first line is no UTF-8 text"))?;
        // The index of a data frame has no name.
        names.push(if name.is_empty() { format!("column_{}", idx + 1) } else { name.to_owned() });
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(RowsError::DuplicateColumn { place: place.into(), column: pair[0].clone() });
    }
    if names.is_empty() { Err(RowsError::NoColumns { place: place.into() }) } else { Ok(names) }
}

impl Sheet<'_> {
    fn read(&mut self) -> Result<Option<RowBatch>, RowsError> {
        if self.is_done {
            return Ok(None);
        }
        match &self.is_number {
            Some(is_number) => self.typed(&is_number.clone()).map(|b| Some(b).filter(|b| b.n_rows > 0)),
            None => self.first().map(Some),
        }
    }

    /// Reads the first batch as texts and then decides.
    fn first(&mut self) -> Result<RowBatch, RowsError> {
        let mut texts = self.typed(&vec![false; self.names.len()])?;
        let is_number: Vec<bool> =
            texts.texts.iter().map(|(_, t)| t.iter().all(|t| number(t).is_some())).collect();
        let mut batch = RowBatch { n_rows: texts.n_rows, ..RowBatch::default() };
        for ((name, texts), &is_number) in texts.texts.drain(..).zip(&is_number) {
            if is_number {
                batch.numbers.push((name, texts.iter().map(|t| number(t).unwrap_or(f64::NAN)).collect()));
            } else {
                batch.texts.push((name, texts));
            }
        }
        self.is_number = Some(is_number);
        Ok(batch)
    }

    fn typed(&mut self, is_number: &[bool]) -> Result<RowBatch, RowsError> {
        let mut columns: Vec<(Vec<f64>, Vec<String>)> = vec![Default::default(); self.names.len()];
        let (mut record, mut n_rows) = (ByteRecord::new(), 0);
        while n_rows < self.batch_rows {
            if !self.lines.read_byte_record(&mut record).map_err(|e| damaged(&self.place, &e))? {
                self.is_done = true;
                break;
            }
            n_rows += 1;
            for (idx, (field, (numbers, texts))) in record.iter().zip(&mut columns).enumerate() {
                let text = String::from_utf8_lossy(field);
                match (is_number[idx], number(&text)) {
                    (false, _) => texts.push(text.into_owned()),
                    (true, Some(value)) => numbers.push(value),
                    (true, None) => return Err(self.not_a_number(&record, idx, &text)),
                }
            }
        }
        let mut batch = RowBatch { n_rows, ..RowBatch::default() };
        for ((name, (numbers, texts)), &is_number) in self.names.iter().zip(columns).zip(is_number) {
            if is_number {
                batch.numbers.push((name.clone(), numbers));
            } else {
                batch.texts.push((name.clone(), texts));
            }
        }
        Ok(batch)
    }

    fn not_a_number(&self, record: &ByteRecord, idx: usize, text: &str) -> RowsError {
        RowsError::NotANumber {
            place: self.place.clone(),
            line: record.position().map_or(0, csv::Position::line),
            column: self.names[idx].clone(),
            text: text.chars().take(40).collect(),
        }
    }
}

impl Iterator for Sheet<'_> {
    type Item = Result<RowBatch, RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        self.is_done |= read.is_err();
        read.transpose()
    }
}

/// Returns the number that a text says, NaN for a missing one; `None` for another text.
fn number(text: &str) -> Option<f64> {
    match text {
        _ if MISSING.contains(&text) => Some(f64::NAN),
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => text.parse().ok(),
    }
}

fn damaged(place: &str, error: &csv::Error) -> RowsError {
    RowsError::damaged(place, FORMAT, error.to_string())
}
