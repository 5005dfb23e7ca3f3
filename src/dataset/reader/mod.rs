//! Readers: one cycler or file format each, all to the same canonical [`Cell`]s.
//!
//! A reader takes the files that the user named, reports each finished piece to `progress`, and returns the cells in
//! ascending order of their id. Whatever it cannot understand inside a record becomes a missing value and a
//! `reader_notes` line; only a file that cannot be used at all is an error.

pub mod arbin;
pub mod archive;
pub mod bdf;
pub mod column_map;
pub mod csv;
pub mod formation;
pub mod inputs;
pub mod mat5;
pub mod mat73;
pub mod mat73_struct;
pub mod matlab;
pub mod matr;
pub mod nasa;
pub mod nasa_csv;
pub mod nasa_facts;
pub mod nasa_flat;
pub mod registry;
pub mod upload;

mod collect;
mod delimited;
mod heading;
mod segment;
mod series;

use std::path::PathBuf;

use super::{Cell, CellFacts};
use crate::cell::CellId;
use crate::file::FileError;

/// What a reader is told beside the paths.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Column map of a CSV or a table of ready-made inputs (TOML file).
    pub map: Option<PathBuf>,
    /// Only these cells; empty for all.
    pub cells: Vec<CellId>,
    /// Facts that the user states; they win over what the reader knows.
    pub facts: CellFacts,
}

/// A reader: paths in, canonical cells out.
pub trait Reader {
    /// Returns the name on the command line (`nasa`).
    fn name(&self) -> &'static str;

    /// Returns one sentence for the help text.
    fn summary(&self) -> &'static str;

    /// Reads `paths` (files, folders, `.tar.zst` or `.zip` archives, as the format allows).
    ///
    /// `progress` is called with the name of each finished file, record group or archive entry.
    ///
    /// # Errors
    /// [`ReadError`] where a file cannot be used at all.
    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError>;
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Occurs when a file cannot be opened or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when the bytes are not of the format that was named.
    #[error("`{path}` is no {format} file: {found}")]
    Format {
        /// File that was read.
        path: PathBuf,
        /// Format that was expected, as a person says it.
        format: &'static str,
        /// What was found instead and what to do.
        found: String,
    },
    /// Occurs when a file ends too early or contradicts itself.
    #[error("`{path}` is damaged at {place}: {found}")]
    Damaged {
        /// File that was read.
        path: PathBuf,
        /// Byte, line, record or key.
        place: String,
        /// What was found.
        found: String,
    },
    /// Occurs when a column that the format needs is missing.
    #[error("`{path}` has no column `{column}`; it has {present}")]
    MissingColumn {
        /// File that was read.
        path: PathBuf,
        /// Column that is missing.
        column: String,
        /// Columns that are there.
        present: String,
    },
    /// Occurs when no cell at all was found.
    #[error("no cell in `{path}`: {reason}")]
    NoCell {
        /// File or folder that was read.
        path: PathBuf,
        /// Why there is none.
        reason: String,
    },
    /// Occurs when a set of files lacks one that the others need.
    #[error("`{path}` lacks `{file}`: {advice}")]
    MissingFile {
        /// File or folder that was read.
        path: PathBuf,
        /// File that is missing, as the set calls it.
        file: String,
        /// What to do.
        advice: String,
    },
    /// Occurs when two sources name the same cell.
    #[error("cell `{cell}` is in `{first}` and again in `{second}`")]
    DuplicateCell {
        /// The cell.
        cell: CellId,
        /// Where it was first.
        first: PathBuf,
        /// Where it is again.
        second: PathBuf,
    },
}
