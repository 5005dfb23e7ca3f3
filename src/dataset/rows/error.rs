//! Why a table could not be read or written.

use crate::file::FileError;

/// Why a table could not be read or written; `place` is its file or `the body`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// Occurs when a file cannot be opened, read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when there are no bytes at all.
    #[error("`{place}` is empty")]
    Empty {
        /// File or body.
        place: String,
    },
    /// Occurs when the bytes are of no known format.
    #[error("`{place}` is no table: it is neither CSV nor Parquet nor Arrow")]
    Unknown {
        /// File or body.
        place: String,
    },
    /// Occurs when the bytes end too early, or contradict themselves or their format.
    #[error("`{place}` is damaged or no {format}: {found}")]
    Damaged {
        /// File or body.
        place: String,
        /// Format that was expected.
        format: &'static str,
        /// What was found.
        found: String,
    },
    /// Occurs when a table states or holds more than is allowed.
    #[error("`{place}` has {found} {what}, at most {limit} are taken; send it in parts")]
    TooLarge {
        /// File or body.
        place: String,
        /// What there is too much of: rows, columns, bytes.
        what: &'static str,
        /// How much there is, as far as it was counted.
        found: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Occurs when a column holds lists or records.
    #[error("column `{column}` of `{place}` is nested; leave it out")]
    Nested {
        /// File or body.
        place: String,
        /// The column.
        column: String,
    },
    /// Occurs when two columns have one name.
    #[error("`{place}` has two columns `{column}`")]
    DuplicateColumn {
        /// File or body.
        place: String,
        /// The name.
        column: String,
    },
    /// Occurs when there is no column of numbers or texts.
    #[error("`{place}` has no column of numbers or texts")]
    NoColumns {
        /// File or body.
        place: String,
    },
    /// Occurs when a text stands in a column that began with numbers.
    #[error(
        "`{place}`, line {line}, column `{column}`: `{text}` is no number; missing values are empty, NaN, NA or null"
    )]
    NotANumber {
        /// File or body.
        place: String,
        /// Line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        text: String,
    },
    /// Occurs when the table uses a part of its format that is not read.
    #[error("`{place}` is {format} that is not read: {found}")]
    Unsupported {
        /// File or body.
        place: String,
        /// The format.
        format: &'static str,
        /// What is not read, and what to do.
        found: String,
    },
    /// Occurs when a batch has other columns than the first one that was written.
    #[error("a batch has other columns than those before it")]
    OtherColumns,
}

impl RowsError {
    /// Returns [`RowsError::Damaged`].
    pub(super) fn damaged(place: &str, format: &'static str, found: impl Into<String>) -> Self {
        Self::Damaged { place: place.into(), format, found: found.into() }
    }

    /// Refuses what is over a limit.
    pub(super) fn within(
        place: &str,
        what: &'static str,
        found: usize,
        limit: usize,
    ) -> Result<(), RowsError> {
        if found <= limit {
            return Ok(());
        }
        Err(Self::TooLarge { place: place.into(), what, found, limit })
    }
}
