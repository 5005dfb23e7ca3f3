//! Tables that go out: to a file, batch by batch and whole or not at all, or to the bytes of a response.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ::csv::Writer as CsvWriter;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    Column, CompatLevel, DataFrame, IpcStreamWriter, IpcWriter, ParquetWriter, PolarsError, SerWriter,
};

use super::error::RowsError;
use super::{Format, RowBatch};
use crate::dataset::table;
use crate::file::{self, FileError};

/// A file that is written batch by batch; it has its name when it is finished, and is removed when it is dropped before.
pub struct Writer {
    path: PathBuf,
    unfinished: PathBuf,
    order: Vec<String>,
    /// Names of the columns of the first batch.
    names: Option<Vec<String>>,
    sink: Sink,
    is_finished: bool,
}

enum Sink {
    Csv(Box<CsvWriter<BufWriter<File>>>),
    /// Parquet before its first batch, and after.
    Begin(Option<BufWriter<File>>),
    Parquet(Box<BatchedWriter<BufWriter<File>>>),
}

impl Writer {
    /// Begins a file, CSV where its name ends in `.csv`, else Parquet; columns named in `order` stand first.
    ///
    /// # Errors
    /// [`RowsError::File`].
    pub fn create(path: &Path, order: &[&str]) -> Result<Self, RowsError> {
        let unfinished = file::temporary_beside(path);
        file::remove_file(&unfinished)?;
        let out = BufWriter::new(file::append_unfinished(&unfinished)?);
        let is_csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let sink =
            if is_csv { Sink::Csv(Box::new(CsvWriter::from_writer(out))) } else { Sink::Begin(Some(out)) };
        let order = order.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { path: path.into(), unfinished, order, names: None, sink, is_finished: false })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// [`RowsError::File`], or [`RowsError::OtherColumns`] where the columns are not those of the first batch.
    pub fn write(&mut self, batch: &RowBatch) -> Result<(), RowsError> {
        let columns = ordered(batch, &self.order);
        let names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let is_first = self.names.is_none();
        if *self.names.get_or_insert_with(|| names.clone()) != names {
            return Err(RowsError::OtherColumns);
        }
        let path = self.path.clone();
        let failed = |e: std::io::Error| FileError::write(&path, e);
        if let Sink::Csv(out) = &mut self.sink {
            return Ok(write_csv(out, batch.n_rows, &columns, is_first).map_err(failed)?);
        }
        let frame = frame(&columns).map_err(|e| failed(other(&e)))?;
        if let Sink::Begin(out) = &mut self.sink
            && let Some(out) = out.take()
        {
            let begun = ParquetWriter::new(out).batched(frame.schema()).map_err(|e| failed(other(&e)))?;
            self.sink = Sink::Parquet(Box::new(begun));
        }
        if let Sink::Parquet(out) = &mut self.sink {
            out.write_batch(&frame).map_err(|e| failed(other(&e)))?;
        }
        Ok(())
    }

    /// Puts the file in its place, over what was there.
    ///
    /// # Errors
    /// [`RowsError::File`]; what was there before is then unchanged.
    pub fn finish(mut self) -> Result<(), RowsError> {
        let path = self.path.clone();
        let failed = |e: std::io::Error| FileError::write(&path, e);
        if self.names.is_none() {
            self.write(&RowBatch::default())?;
        }
        match &mut self.sink {
            Sink::Csv(out) => out.flush().map_err(failed)?,
            Sink::Parquet(out) => out.finish().map(drop).map_err(|e| failed(other(&e)))?,
            Sink::Begin(_) => {}
        }
        // What is buffered is written when the sink is dropped.
        self.sink = Sink::Begin(None);
        file::publish_file(&self.unfinished, &self.path)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_finished {
            self.sink = Sink::Begin(None);
            let _ = file::remove_file(&self.unfinished);
        }
    }
}

/// Returns a whole table in a format; columns named in `order` stand first.
///
/// # Errors
/// [`RowsError::Damaged`] where a column cannot be said in the format.
pub fn encode(batch: &RowBatch, format: Format, order: &[&str]) -> Result<Vec<u8>, RowsError> {
    let order: Vec<String> = order.iter().map(|&name| name.to_owned()).collect();
    let columns = ordered(batch, &order);
    let mut bytes = Vec::new();
    let damaged = |e: &dyn std::fmt::Display| RowsError::damaged("the answer", format.name(), e.to_string());
    if format == Format::Csv {
        let mut out = CsvWriter::from_writer(&mut bytes);
        write_csv(&mut out, batch.n_rows, &columns, true).map_err(|e| damaged(&e))?;
        out.flush().map_err(|e| damaged(&e))?;
        drop(out);
        return Ok(bytes);
    }
    let mut frame = frame(&columns).map_err(|e| damaged(&e))?;
    let level = CompatLevel::oldest();
    let written = match format {
        Format::ArrowFile => IpcWriter::new(&mut bytes).with_compat_level(level).finish(&mut frame),
        Format::ArrowStream => IpcStreamWriter::new(&mut bytes).with_compat_level(level).finish(&mut frame),
        _ => ParquetWriter::new(&mut bytes).finish(&mut frame).map(drop),
    };
    written.map_err(|e| damaged(&e))?;
    Ok(bytes)
}

/// Values of a column that goes out.
#[derive(Clone, Copy)]
enum Values<'a> {
    Numbers(&'a [f64]),
    Texts(&'a [String]),
}

/// Returns the columns, those that `order` names first.
fn ordered<'a>(batch: &'a RowBatch, order: &[String]) -> Vec<(&'a str, Values<'a>)> {
    let numbers = batch.numbers.iter().map(|(name, v)| (name.as_str(), Values::Numbers(v)));
    let texts = batch.texts.iter().map(|(name, v)| (name.as_str(), Values::Texts(v)));
    let mut columns: Vec<(&str, Values)> = numbers.chain(texts).collect();
    let place = |name: &str| order.iter().position(|known| known == name).unwrap_or(order.len());
    columns.sort_by_key(|(name, _)| place(name));
    columns
}

fn frame(columns: &[(&str, Values)]) -> Result<DataFrame, PolarsError> {
    let column = |(name, values): &(&str, Values)| -> Column {
        match values {
            Values::Numbers(values) => table::numbers(name, values.to_vec()),
            Values::Texts(values) => table::texts(name, values),
        }
    };
    DataFrame::new_infer_height(columns.iter().map(column).collect())
}

fn write_csv<W: Write>(
    out: &mut CsvWriter<W>,
    n_rows: usize,
    columns: &[(&str, Values)],
    with_names: bool,
) -> Result<(), std::io::Error> {
    if with_names {
        out.write_record(columns.iter().map(|(name, _)| *name))?;
    }
    let mut text = String::new();
    for row in 0..n_rows {
        for (_, values) in columns {
            match values {
                Values::Texts(values) => out.write_field(&values[row])?,
                Values::Numbers(values) if values[row].is_nan() => out.write_field("")?,
                Values::Numbers(values) => {
                    text.clear();
                    std::fmt::Write::write_fmt(&mut text, format_args!("{}", values[row]))
                        .map_err(std::io::Error::other)?;
                    out.write_field(&text)?;
                }
            }
        }
        out.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

fn other(error: &PolarsError) -> std::io::Error {
    std::io::Error::other(error.to_string())
}
