//! Parquet through Polars: a slice of one row group at a time, after the guard has seen the file.
//!
//! Polars panics where its checks are by `unwrap`; what the guard does not foresee is caught here, and only here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use polars::io::mmap::MmapBytesReader;
use polars::prelude::{
    ArrowDataType, ArrowSchema, Column, DataFrame, DataType, FileMetadata, ParallelStrategy, ParquetReader,
    PolarsError, SerReader, infer_schema,
};

use super::error::RowsError;
use super::origin::Origin;
use super::{Limits, Opened, RowBatch, Skipped, batch_rows, parquet_guard};

const FORMAT: &str = "Parquet";

/// A file whose row groups are read one after the other.
struct Groups<'a> {
    origin: Origin<'a>,
    /// All row groups; none after an error.
    whole: FileMetadata,
    /// The file without its row groups.
    frame: FileMetadata,
    /// Columns that are read, positions in the file.
    columns: Vec<usize>,
    /// Next row group, and the next row in it.
    next: (usize, usize),
    batch_rows: usize,
    /// Bytes that texts may still take.
    text_bytes: usize,
    is_done: bool,
}

pub(super) fn open<'a>(mut origin: Origin<'a>, limits: &Limits) -> Result<Opened<'a>, RowsError> {
    let n_rows = parquet_guard::check(&mut origin, limits)?;
    let metadata = metadata(&origin.place, origin.mapped()?)?;
    let schema = contained(&origin.place, || infer_schema(&metadata))?;
    let (columns, skipped) = choose(&schema);
    if columns.is_empty() {
        return Err(RowsError::NoColumns { place: origin.place });
    }
    let mut whole = metadata;
    let groups = std::mem::take(&mut whole.row_groups);
    let frame = whole.clone();
    whole.row_groups = groups.into_iter().filter(|group| group.num_rows() > 0).collect();
    let groups = Groups {
        batch_rows: batch_rows(columns.len()),
        whole,
        frame,
        columns,
        next: (0, 0),
        text_bytes: limits.bytes,
        origin,
        is_done: false,
    };
    Ok(Opened { skipped, n_rows: Some(n_rows), batches: Box::new(groups) })
}

/// Reads the footer. What other programs note beside it (Arrow's own schema) is left out: it may be of any depth.
fn metadata(place: &str, reader: Box<dyn MmapBytesReader + '_>) -> Result<FileMetadata, RowsError> {
    let metadata = contained(place, || ParquetReader::new(reader).get_metadata().cloned())?;
    Ok(FileMetadata { key_value_metadata: None, ..(*metadata).clone() })
}

/// Returns the positions of columns of numbers and texts, and the others.
fn choose(schema: &ArrowSchema) -> (Vec<usize>, Vec<Skipped>) {
    use ArrowDataType as A;
    let (mut columns, mut skipped) = (Vec::new(), Vec::new());
    for (idx, (name, field)) in schema.iter().enumerate() {
        match field.dtype() {
            A::Boolean
            | A::Int32
            | A::Int64
            | A::UInt32
            | A::UInt64
            | A::Float32
            | A::Float64
            | A::Utf8View
            | A::Utf8
            | A::LargeUtf8 => columns.push(idx),
            other => skipped.push(Skipped { column: name.to_string(), kind: format!("{other:?}") }),
        }
    }
    (columns, skipped)
}

impl Groups<'_> {
    fn read(&mut self) -> Result<Option<RowBatch>, RowsError> {
        let (idx, row) = self.next;
        let Some(group) = self.whole.row_groups.get(idx) else { return self.empty() };
        let n_rows = group.num_rows();
        let alone = Arc::new(FileMetadata { row_groups: vec![group.clone()], ..self.frame.clone() });
        let n = self.batch_rows.min(n_rows - row);
        self.next = if row + n == n_rows { (idx + 1, 0) } else { (idx, row + n) };
        let frame = self.slice(alone, (row, n))?;
        // The frame states the rows that were asked for, whatever its columns have.
        debug_assert_eq!(frame.height(), n, "a slice of the row group");
        self.batch(&frame).map(Some)
    }

    /// Returns the columns without a row where the file has none.
    fn empty(&mut self) -> Result<Option<RowBatch>, RowsError> {
        if self.is_done || !self.whole.row_groups.is_empty() {
            return Ok(None);
        }
        let (reader, columns) = (self.origin.mapped()?, self.columns.clone());
        let frame = contained(&self.origin.place, || {
            ParquetReader::new(reader).with_projection(Some(columns)).with_slice(Some((0, 0))).finish()
        })?;
        self.is_done = true;
        self.batch(&frame).map(Some)
    }

    fn slice(&self, group: Arc<FileMetadata>, slice: (usize, usize)) -> Result<DataFrame, RowsError> {
        let (reader, columns) = (self.origin.mapped()?, self.columns.clone());
        contained(&self.origin.place, || {
            let mut reader = ParquetReader::new(reader)
                .read_parallel(ParallelStrategy::Columns)
                .with_projection(Some(columns))
                .with_slice(Some(slice));
            reader.set_metadata(group);
            reader.finish()
        })
    }

    fn batch(&mut self, frame: &DataFrame) -> Result<RowBatch, RowsError> {
        let mut batch = RowBatch { n_rows: frame.height(), ..RowBatch::default() };
        for column in frame.columns() {
            let name = column.name().to_string();
            if column.len() != batch.n_rows {
                let found = format!("column `{name}` has not one value a row");
                return Err(RowsError::damaged(&self.origin.place, FORMAT, found));
            }
            if column.dtype() == &DataType::String {
                let texts = self.texts(column)?;
                batch.texts.push((name, texts));
            } else {
                let numbers = contained(&self.origin.place, || numbers(column))?;
                batch.numbers.push((name, numbers));
            }
        }
        Ok(batch)
    }

    /// Copies texts, after counting their bytes: one long text may stand in a million rows.
    fn texts(&mut self, column: &Column) -> Result<Vec<String>, RowsError> {
        let place = &self.origin.place;
        let texts = contained(place, || Ok(column.str()?.clone()))?;
        let n_bytes: usize = texts.iter().map(|t| t.map_or(0, str::len)).fold(0, usize::saturating_add);
        RowsError::within(place, "bytes", n_bytes, self.text_bytes)?;
        if self.text_bytes != usize::MAX {
            self.text_bytes -= n_bytes;
        }
        let copied: Vec<String> = texts.iter().map(|t| t.unwrap_or_default().to_owned()).collect();
        if copied.len() != column.len() {
            return Err(RowsError::damaged(place, FORMAT, "a column has not one value a row"));
        }
        Ok(copied)
    }
}

impl Iterator for Groups<'_> {
    type Item = Result<RowBatch, RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.whole.row_groups.clear();
            self.is_done = true;
        }
        read.transpose()
    }
}

fn numbers(column: &Column) -> Result<Vec<f64>, PolarsError> {
    let cast = column.cast(&DataType::Float64)?;
    let numbers = cast.f64()?;
    let mut values = Vec::with_capacity(numbers.len());
    for chunk in numbers.downcast_iter() {
        match chunk.validity() {
            None => values.extend_from_slice(chunk.values()),
            Some(_) => values.extend(chunk.iter().map(|v| v.copied().unwrap_or(f64::NAN))),
        }
    }
    Ok(values)
}

/// Runs a part of Polars; an error or a panic of it is damage of the file.
fn contained<T>(place: &str, run: impl FnOnce() -> Result<T, PolarsError>) -> Result<T, RowsError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(RowsError::damaged(place, FORMAT, error.to_string())),
        Err(_) => Err(RowsError::damaged(place, FORMAT, "its bytes contradict themselves")),
    }
}
