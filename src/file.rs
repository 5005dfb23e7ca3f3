//! Files that are either the old one or the new one: atomic writes, hashes, reading with the path in the error.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Occurs when the operating system refuses to read.
    #[error("cannot read `{path}`")]
    Read {
        /// File that was asked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Occurs when the operating system refuses to write (full disk, read-only folder, ...).
    #[error("cannot write `{path}`; what was there before is unchanged")]
    Write {
        /// File that was to be written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Occurs when a folder that must be new is there already.
    #[error("`{path}` exists already")]
    Exists {
        /// Folder that was to be created.
        path: PathBuf,
    },
    /// Occurs when the text of a file is not what its format asks for.
    #[error("cannot understand `{path}`")]
    Parse {
        /// File that was read.
        path: PathBuf,
        /// What the parser said, with line and column.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl FileError {
    /// Returns a read error for `path`.
    pub fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    /// Returns a write error for `path`.
    pub fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }

    /// Returns a parse error for `path`.
    pub fn parse(
        path: impl Into<PathBuf>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Parse { path: path.into(), source: source.into() }
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|e| FileError::read(path, e))
}

/// Reads a whole file; `None`, and no byte of it, where it is longer than `limit` bytes.
///
/// # Errors
/// [`FileError::Read`].
pub fn read_up_to(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    if size(path) > limit { Ok(None) } else { read(path).map(Some) }
}

/// Reads a whole UTF-8 file.
///
/// # Errors
/// [`FileError::Read`].
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|e| FileError::read(path, e))
}

/// Reads a JSON file into `T`.
///
/// # Errors
/// [`FileError::Read`] or [`FileError::Parse`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    serde_json::from_slice(&read(path)?).map_err(|e| FileError::parse(path, e))
}

/// Writes `value` as indented JSON, atomically.
///
/// # Errors
/// [`FileError::Write`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| FileError::parse(path, e))?;
    text.push(b'\n');
    write_atomic(path, &text)
}

/// Writes `bytes` to a new file beside `path`, syncs it and renames it over `path`.
///
/// # Errors
/// [`FileError::Write`]; the old file, if any, is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |out| out.write_all(bytes)).map_err(|e| FileError::write(path, e))
}

/// Lets `fill` write a new file that replaces `path` when it is complete and on the disk.
///
/// # Errors
/// Whatever `fill` or the operating system reports; the old file, if any, is then untouched.
pub fn write_with<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = temporary_beside(path);
    let result = fill_and_sync(&temporary, fill).and_then(|()| Ok(fs::rename(&temporary, path)?));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    sync_folder(path.parent());
    result
}

/// A text file that only grows: what was appended and synced survives a kill and a power cut.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens `path` to go on after its first `keep` bytes; what follows them is cut off, a missing file is made.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn open(path: &Path, keep: u64) -> Result<Self, FileError> {
        let open = || {
            let file = File::options().create(true).append(true).open(path)?;
            file.set_len(keep)?;
            Ok(file)
        };
        let file = open().map_err(|e| FileError::write(path, e))?;
        sync_folder(path.parent());
        Ok(Self { path: path.into(), file })
    }

    /// Cuts off what follows the first `keep` bytes, if anything does.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn cut(&mut self, keep: u64) -> Result<(), FileError> {
        let too_long = self.file.metadata().map(|m| m.len() > keep);
        let cut = too_long.and_then(|yes| if yes { self.file.set_len(keep) } else { Ok(()) });
        cut.map_err(|e| FileError::write(&self.path, e))
    }

    /// Appends `bytes`; a kill may leave a part of them.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(|e| FileError::write(&self.path, e))
    }

    /// Returns when all that was appended is on the disk.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync_data().map_err(|e| FileError::write(&self.path, e))
    }
}

/// Writes `bytes` so that a reader sees all of them or the old ones; a power cut may lose both, unlike [`write_atomic`].
///
/// # Errors
/// [`FileError::Write`].
pub fn write_passing(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = temporary_beside(path);
    let written = File::create(&temporary)
        .and_then(|mut f| f.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|e| FileError::write(path, e))
}

/// Reads what follows the first `from` bytes of a file.
///
/// # Errors
/// [`FileError::Read`].
pub fn read_from(path: &Path, from: u64) -> Result<Vec<u8>, FileError> {
    let read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|e| FileError::read(path, e))
}

/// Returns the bytes of all files in a folder and below; what cannot be read counts as none.
pub fn folder_bytes(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(m) if m.is_dir() => folder_bytes(&entry.path()),
        Ok(m) => m.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

/// Creates a folder that must not exist yet; its parents may.
///
/// # Errors
/// [`FileError::Exists`] or [`FileError::Write`].
pub fn create_new_folder(path: &Path) -> Result<(), FileError> {
    if let Some(parent) = path.parent() {
        create_folder(parent)?;
    }
    fs::create_dir(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists { path: path.into() },
        _ => FileError::write(path, e),
    })
}

/// Creates a folder and its parents where they are missing.
///
/// # Errors
/// [`FileError::Write`].
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|e| FileError::write(path, e))
}

/// Moves a finished folder to its final name, which must be free.
///
/// # Errors
/// [`FileError::Exists`] or [`FileError::Write`].
pub fn publish_folder(from: &Path, to: &Path) -> Result<(), FileError> {
    if to.exists() {
        return Err(FileError::Exists { path: to.into() });
    }
    fs::rename(from, to).map_err(|e| FileError::write(to, e))?;
    sync_folder(to.parent());
    Ok(())
}

/// Opens an unfinished file to write on at its end; it is made where it is not there.
///
/// Such a file is no result: [`publish_file`] makes it one when it is complete.
///
/// # Errors
/// [`FileError::Write`].
pub fn append_unfinished(path: &Path) -> Result<File, FileError> {
    File::options().create(true).append(true).open(path).map_err(|e| FileError::write(path, e))
}

/// Syncs a finished file and moves it to its final name, over what was there.
///
/// # Errors
/// [`FileError::Write`].
pub fn publish_file(from: &Path, to: &Path) -> Result<(), FileError> {
    let written = File::open(from).and_then(|f| f.sync_all()).and_then(|()| fs::rename(from, to));
    written.map_err(|e| FileError::write(to, e))?;
    sync_folder(to.parent());
    Ok(())
}

/// Returns the size of a file [bytes]; 0 where there is none.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// Returns the bytes of the files in a folder, those below not counted; 0 for one that is not there.
pub fn folder_size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size(&entry.path())).sum()
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// [`FileError::Write`].
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::write(path, e)),
        _ => Ok(()),
    }
}

/// Removes a folder with all it holds; one that is not there is fine.
///
/// # Errors
/// [`FileError::Write`].
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::write(path, e)),
        _ => Ok(()),
    }
}

/// Returns the SHA-256 of bytes as lower-case hexadecimal.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns the SHA-256 of a file as lower-case hexadecimal, read in pieces.
///
/// # Errors
/// [`FileError::Read`].
pub fn sha256(path: &Path) -> Result<String, FileError> {
    let mut file = File::open(path).map_err(|e| FileError::read(path, e))?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(|e| FileError::read(path, e))? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&piece[..n]),
        }
    }
}

/// A writer that hashes what it passes on.
#[derive(Debug)]
pub struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> HashingWriter<W> {
    /// Returns a writer in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// Returns the SHA-256 of all that was written, as lower-case hexadecimal.
    pub fn finish(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Returns the hidden name beside `path` that an unfinished file has.
pub fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn fill_and_sync<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = BufWriter::new(File::create(path)?);
    fill(&mut out)?;
    out.flush()?;
    Ok(out.get_ref().sync_all()?)
}

/// Asks for the rename itself to reach the disk; some file systems cannot, which is not an error.
fn sync_folder(folder: Option<&Path>) {
    let folder = folder.filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_leaves_the_old_file_and_no_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomic(&path, b"old").unwrap();
        let broken = write_with(&path, |out| {
            out.write_all(b"new")?;
            Err::<(), _>(io::Error::other("disk full"))
        });
        assert!(broken.is_err());
        assert_eq!(read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn sha256_of_abc_is_the_published_one() {
        // FIPS 180-4, appendix example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_bytes(b"abc"), expected);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        write_atomic(&path, b"abc").unwrap();
        assert_eq!(sha256(&path).unwrap(), expected);
        let mut out = HashingWriter::new(Vec::new());
        out.write_all(b"a").and_then(|()| out.write_all(b"bc")).unwrap();
        assert_eq!(out.inner, b"abc");
        assert_eq!(out.finish(), expected);
    }

    #[test]
    fn a_journal_goes_on_after_what_it_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        Journal::open(&path, 0).unwrap().append(b"1\n2\n3").unwrap();
        let mut journal = Journal::open(&path, 4).unwrap();
        journal.append(b"4\n").unwrap();
        journal.sync().unwrap();
        assert_eq!(read(&path).unwrap(), b"1\n2\n4\n");
    }

    #[test]
    fn a_journal_is_cut_where_it_is_too_long_and_read_from_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut journal = Journal::open(&path, 0).unwrap();
        journal.append(b"1\n2\n3").unwrap();
        journal.cut(9).unwrap();
        assert_eq!(read_from(&path, 2).unwrap(), b"2\n3");
        journal.cut(4).unwrap();
        write_passing(&folder.path().join("b"), b"12345").unwrap();
        create_folder(&folder.path().join("c/d")).unwrap();
        write_passing(&folder.path().join("c/d/e"), b"678").unwrap();
        assert_eq!(folder_bytes(folder.path()), 12);
        assert_eq!(folder_bytes(&folder.path().join("none")), 0);
    }

    #[test]
    fn a_new_folder_must_be_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/y");
        create_new_folder(&path).unwrap();
        assert!(matches!(create_new_folder(&path), Err(FileError::Exists { .. })));
    }
}
