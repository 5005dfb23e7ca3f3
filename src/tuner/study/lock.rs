//! Locks that the operating system frees when their holder ends, however it ends.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::StudyError;
use crate::file::{self, FileError};

const CRITICAL: &str = "study.lock";
const SEARCH: &str = "search.lock";

/// An exclusive lock on a file; the operating system frees it when its holder ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Waits until nobody else holds the lock on `path`, which is made where it is not there.
    ///
    /// # Errors
    /// [`FileError::Write`], on file systems without locks too.
    pub(super) fn wait(path: &Path) -> Result<Self, FileError> {
        let file = file::append_unfinished(path)?;
        file.lock().map_err(|e| FileError::write(path, e))?;
        Ok(Self { path: path.into(), file })
    }

    /// Takes the lock on `path`; `None` while another holds it.
    ///
    /// # Errors
    /// Those of [`Lock::wait`].
    pub(super) fn take(path: &Path) -> Result<Option<Self>, FileError> {
        let file = file::append_unfinished(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.into(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(FileError::write(path, e)),
        }
    }

    /// Writes into the file who holds the lock.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub(super) fn note(&mut self, text: &str) -> Result<(), FileError> {
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|e| FileError::write(&self.path, e))
    }
}

/// The right to search in a folder, one process at a time; workers need none. It ends when this is dropped.
#[derive(Debug)]
pub struct SearchLock {
    _held: Lock,
}

impl SearchLock {
    /// Takes the right to search in `folder`, which is made where it is not there.
    ///
    /// # Errors
    /// [`StudyError::Busy`] while another process has it, or [`StudyError::File`].
    pub fn take(folder: &Path) -> Result<Self, StudyError> {
        file::create_folder(folder)?;
        let path = folder.join(SEARCH);
        let Some(mut held) = Lock::take(&path)? else {
            let pid = file::read_text(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(StudyError::Busy { folder: folder.into(), pid });
        };
        // Who holds it is only a hint: a full disk must not keep the search from going on.
        let _ = held.note(&std::process::id().to_string());
        Ok(Self { _held: held })
    }
}

/// Waits for the right to read and change the journal of `folder`; it is held for milliseconds.
pub(super) fn critical(folder: &Path) -> Result<Lock, StudyError> {
    Ok(Lock::wait(&folder.join(CRITICAL))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_freed_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let mut held = Lock::wait(&path).unwrap();
        held.note("17").unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        assert_eq!(file::read_text(&path).unwrap(), "17");
        drop(held);
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_second_search_hears_who_searches_and_how_to_help() {
        let folder = tempfile::tempdir().unwrap();
        let first = SearchLock::take(folder.path()).unwrap();
        let second = SearchLock::take(folder.path()).unwrap_err();
        let StudyError::Busy { pid, .. } = &second else { panic!("{second:?}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(second.to_string().contains("fadecast tune worker --study"), "{second}");
        drop(first);
        SearchLock::take(folder.path()).unwrap();
    }
}
