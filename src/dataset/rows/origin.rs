//! Where a table's bytes are: in a file that is looked at in places, or all in memory.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use polars::io::mmap::MmapBytesReader;

use super::error::RowsError;
use super::{Format, Limits};
use crate::file::FileError;

/// What the bytes of a request are called.
pub(super) const BODY: &str = "the body";

/// Bytes that tell the format.
const BEGIN: usize = 4096;

/// Bytes of a table, and what they are called in errors.
pub(super) struct Origin<'a> {
    pub(super) place: String,
    pub(super) length: u64,
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    File(File),
    Memory(&'a [u8]),
}

impl<'a> Origin<'a> {
    /// Opens a file; one without bytes is an error.
    pub(super) fn file(path: &Path) -> Result<Self, RowsError> {
        let place = path.display().to_string();
        let failed = |e| FileError::read(path, e);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            let found = "it is no plain file".into();
            return Err(RowsError::Unsupported { place, format: "a table", found });
        }
        match metadata.len() {
            0 => Err(RowsError::Empty { place }),
            length => Ok(Self { place, length, bytes: Bytes::File(file) }),
        }
    }

    /// Takes the bytes of a request.
    pub(super) fn body(bytes: &'a [u8]) -> Result<Self, RowsError> {
        let place = BODY.to_owned();
        if bytes.is_empty() {
            return Err(RowsError::Empty { place });
        }
        Ok(Self { place, length: bytes.len() as u64, bytes: Bytes::Memory(bytes) })
    }

    /// Returns the format that the first bytes tell.
    pub(super) fn format(&mut self) -> Result<Format, RowsError> {
        let begin = self.at(0, BEGIN)?;
        Format::of_begin(&begin).ok_or_else(|| RowsError::Unknown { place: self.place.clone() })
    }

    /// Returns up to `n` bytes from a position; fewer at the end.
    pub(super) fn at(&mut self, position: u64, n: usize) -> Result<Vec<u8>, RowsError> {
        let left = self.length.saturating_sub(position);
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(n);
        let mut piece = vec![0; n];
        match &mut self.bytes {
            Bytes::Memory(bytes) => {
                let from = position.min(self.length) as usize;
                piece.copy_from_slice(&bytes[from..from + n]);
            }
            Bytes::File(file) => {
                let read = file.seek(SeekFrom::Start(position)).and_then(|_| file.read_exact(&mut piece));
                read.map_err(|e| FileError::read(&self.place, e))?;
            }
        }
        Ok(piece)
    }

    /// Returns the bytes from the begin, for what reads them in order.
    pub(super) fn into_reader(self) -> Result<Box<dyn Read + Send + 'a>, RowsError> {
        match self.bytes {
            Bytes::Memory(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Bytes::File(mut file) => {
                file.rewind().map_err(|e| FileError::read(&self.place, e))?;
                Ok(Box::new(file))
            }
        }
    }

    /// Returns all bytes, for what looks at them in places; a file is mapped, not read.
    pub(super) fn mapped(&self) -> Result<Box<dyn MmapBytesReader + 'a>, RowsError> {
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(Box::new(Cursor::new(*bytes))),
            Bytes::File(file) => Ok(Box::new(file.try_clone().map_err(|e| FileError::read(&self.place, e))?)),
        }
    }

    /// Returns whether so many columns of so many rows fit into the memory that is allowed.
    pub(super) fn check_shape(
        &self,
        limits: &Limits,
        n_rows: usize,
        n_columns: usize,
    ) -> Result<(), RowsError> {
        limits.check_rows(&self.place, n_rows)?;
        limits.check_columns(&self.place, n_columns)?;
        limits.check_bytes(&self.place, n_rows.saturating_mul(n_columns).saturating_mul(8))
    }
}
