//! Tables of named inputs, batch by batch: CSV, Parquet and Arrow in bounded memory, whoever made them.
//!
//! Files come as [`Reader`], a batch at a time; bodies of requests as [`decode`], within [`Limits`]; answers go out through
//! [`Writer`] or [`encode`]. What a file states of itself (lengths, counts, offsets) is checked before it is believed: a
//! lie is a [`RowsError`]. Missing values are NaN and empty texts.
//!
//! ```text
//! csv     numbers are told from texts by the first batch
//! parquet guard (thrift, footer and page headers) -> polars, a slice of a row group at a time
//! arrow   messages (flatbuffers) -> columns, a record batch at a time; files are read as the streams that they hold
//! ```

mod arrow;
mod csv;
mod error;
mod flatbuffer;
mod lz4;
mod origin;
mod parquet;
mod parquet_guard;
mod thrift;
mod write;

use std::path::Path;

pub use error::RowsError;
pub use write::{Writer, encode};

use origin::Origin;

/// Most rows of a batch.
pub const BATCH_ROWS: usize = 1 << 16;

/// Values of a batch that are aimed at: wide tables come in shorter batches.
const BATCH_VALUES: usize = 1 << 22;

/// Some rows of a table; every column has `n_rows` values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowBatch {
    /// Number of rows.
    pub n_rows: usize,
    /// Columns of numbers, in the order of the table: integers, floating point, true (1) and false (0); NaN where missing.
    pub numbers: Vec<(String, Vec<f64>)>,
    /// Columns of texts, in the order of the table; empty where missing.
    pub texts: Vec<(String, Vec<String>)>,
}

/// Form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with a line of names; fields are parted by comma, semicolon or tab.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file, also called Feather 2.
    ArrowFile,
    /// Arrow IPC stream.
    ArrowStream,
}

/// How much a body may make the program read and hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most rows.
    pub rows: usize,
    /// Most columns.
    pub columns: usize,
    /// Most bytes of the table in memory, decompressed.
    pub bytes: usize,
}

/// A column that is passed over for its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Name of the column.
    pub column: String,
    /// Its type, as the format calls it.
    pub kind: String,
}

/// A table that is read batch by batch: one batch at least, which may have no rows.
pub struct Reader {
    opened: Opened<'static>,
}

/// What each format gives: what is known before the first batch, and the batches.
struct Opened<'a> {
    skipped: Vec<Skipped>,
    n_rows: Option<usize>,
    batches: Box<dyn Iterator<Item = Result<RowBatch, RowsError>> + Send + 'a>,
}

/// Opens a table, whose format its first bytes tell.
///
/// # Errors
/// [`RowsError`], where the file is missing, empty, damaged or of another kind.
pub fn read(path: &Path) -> Result<Reader, RowsError> {
    let mut origin = Origin::file(path)?;
    let format = origin.format()?;
    Ok(Reader { opened: open(origin, format, &Limits::FILE)? })
}

/// Decodes a whole table that someone sent.
///
/// # Errors
/// [`RowsError`], and [`RowsError::TooLarge`] before anything larger than a limit is made.
pub fn decode(bytes: &[u8], format: Format, limits: Limits) -> Result<RowBatch, RowsError> {
    let origin = Origin::body(bytes)?;
    let mut whole: Option<RowBatch> = None;
    for batch in open(origin, format, &limits)?.batches {
        let batch = batch?;
        match &mut whole {
            None => whole = Some(batch),
            Some(whole) => whole.append(batch),
        }
        limits.check_rows(origin::BODY, whole.as_ref().map_or(0, |w| w.n_rows))?;
    }
    whole.ok_or_else(|| RowsError::NoColumns { place: origin::BODY.into() })
}

fn open<'a>(origin: Origin<'a>, format: Format, limits: &Limits) -> Result<Opened<'a>, RowsError> {
    match format {
        Format::Csv => csv::open(origin, limits),
        Format::Parquet => parquet::open(origin, limits),
        Format::ArrowFile | Format::ArrowStream => arrow::open(origin, limits),
    }
}

/// Returns how many rows of so many columns make a batch.
fn batch_rows(n_columns: usize) -> usize {
    (BATCH_VALUES / n_columns.max(1)).clamp(64, BATCH_ROWS)
}

impl Reader {
    /// Returns the columns that are passed over for their type.
    pub fn skipped(&self) -> &[Skipped] {
        &self.opened.skipped
    }

    /// Returns the number of rows, where the file states it.
    pub fn n_rows(&self) -> Option<usize> {
        self.opened.n_rows
    }
}

impl Iterator for Reader {
    type Item = Result<RowBatch, RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.opened.batches.next()
    }
}

impl RowBatch {
    /// Returns the numbers of a column.
    pub fn number(&self, name: &str) -> Option<&[f64]> {
        self.numbers.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice())
    }

    /// Returns the texts of a column.
    pub fn text(&self, name: &str) -> Option<&[String]> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice())
    }

    /// Appends rows of the same columns.
    pub fn append(&mut self, other: Self) {
        self.n_rows += other.n_rows;
        for ((_, values), (_, more)) in self.numbers.iter_mut().zip(other.numbers) {
            values.extend(more);
        }
        for ((_, values), (_, more)) in self.texts.iter_mut().zip(other.texts) {
            values.extend(more);
        }
    }
}

impl Format {
    /// Returns the format whose files begin so; text is taken for CSV, other bytes for nothing.
    pub fn of_begin(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [b'P', b'A', b'R', b'1', ..] => Some(Self::Parquet),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Some(Self::ArrowFile),
            [0xff, 0xff, 0xff, 0xff, ..] => Some(Self::ArrowStream),
            _ => (!bytes.contains(&0)).then_some(Self::Csv),
        }
    }

    /// Returns the format as a person says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::ArrowFile => "Arrow file",
            Self::ArrowStream => "Arrow stream",
        }
    }
}

impl Default for Limits {
    /// A million rows, 4096 columns, 256 MiB.
    fn default() -> Self {
        Self { rows: 1_000_000, columns: 4096, bytes: 256 << 20 }
    }
}

impl Limits {
    /// Limits of files, which come in batches.
    const FILE: Self = Self { rows: usize::MAX, columns: 1 << 17, bytes: usize::MAX };

    fn check_rows(&self, place: &str, found: usize) -> Result<(), RowsError> {
        RowsError::within(place, "rows", found, self.rows)
    }

    fn check_columns(&self, place: &str, found: usize) -> Result<(), RowsError> {
        RowsError::within(place, "columns", found, self.columns)
    }

    fn check_bytes(&self, place: &str, found: usize) -> Result<(), RowsError> {
        RowsError::within(place, "bytes", found, self.bytes)
    }
}

#[cfg(test)]
mod tests;
