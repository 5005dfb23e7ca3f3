//! From files to a stored dataset: reads and hashes them at the same time, then stores all cells or none.

use std::path::{Path, PathBuf};

use super::Cell;
use super::fetch::{self, FetchError, Fetched};
use super::reader::{ReadError, ReadOptions, Reader};
use super::store::{Manifest, OnExisting, SCHEMA, SourceFile, Store, StoreError};
use crate::file::{self, FileError};

/// What to import, and as what.
#[derive(Debug, Clone)]
pub struct ImportPlan {
    /// Name of the dataset.
    pub name: String,
    /// Files, folders or archives.
    pub paths: Vec<PathBuf>,
    /// What the reader is told.
    pub options: ReadOptions,
    /// What to do where the name is taken.
    pub on_existing: OnExisting,
    /// Where the data comes from and under which licence; `None` for what is known of the format.
    pub licence_note: Option<String>,
    /// UTC time, RFC 3339.
    pub created: String,
}

/// Why an import failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Occurs when the reader cannot use a file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Occurs when the dataset cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Occurs when a source cannot be hashed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when the download or its unpacking fails.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// What an import is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Bytes of the download that are there, and how many there will be if the server says so.
    Download(u64, Option<u64>),
    /// A file was unpacked.
    Unpacked(&'a str),
    /// A file, record group or archive entry was read.
    Read(&'a str),
    /// All is read; so many cells are written.
    Write(usize),
}

/// Reads the sources of `plan` with `reader` and stores them; `progress` is told every step.
///
/// # Errors
/// [`ImportError`]; the store is then as it was.
pub fn import(
    store: &Store,
    reader: &dyn Reader,
    plan: &ImportPlan,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Manifest, ImportError> {
    store.check_free(&plan.name, plan.on_existing)?;
    let (sources, cells) = std::thread::scope(|scope| {
        let hashes = scope.spawn(|| source_files(&plan.paths));
        let cells = reader.read(&plan.paths, &plan.options, &mut |name| progress(Step::Read(name)));
        (hashes.join(), cells)
    });
    let sources = sources.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    // A reader says more of a path that is not there or no file of its format than a hash does.
    let cells = cells?;
    progress(Step::Write(cells.len()));
    stored(store, reader.name(), plan, sources?, &cells)
}

/// Downloads NASA's published archive from `url` into the store's `.downloads` and imports its `.mat` files.
///
/// The SHA-256 must be `sha256`, or else the one that any dataset records for an archive of that name. A download
/// that was cut off goes on; what was downloaded is removed once it is imported.
///
/// # Errors
/// [`ImportError`]; the store is then as it was, and the download is kept for the next call.
pub fn fetch_nasa(
    store: &Store,
    (url, sha256): (&str, Option<&str>),
    plan: &ImportPlan,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Manifest, ImportError> {
    store.check_free(&plan.name, plan.on_existing)?;
    let name = archive_name(url);
    let folder = store.downloads();
    let expected = match sha256 {
        Some(pinned) => Some(pinned.to_owned()),
        None => recorded(store, &name)?,
    };
    file::create_folder(&folder)?;
    let to = folder.join(&name);
    let archive = match downloaded(&to, expected.as_deref())? {
        Some(archive) => archive,
        None => fetch::fetch(url, &to, expected.as_deref(), &mut |n, total| {
            progress(Step::Download(n, total));
        })?,
    };
    let unpacked = folder.join("mat");
    let imported = import_archive(store, &archive, &unpacked, plan, progress);
    file::remove_folder(&unpacked)?;
    let manifest = imported?;
    file::remove_file(&archive.path)?;
    Ok(manifest)
}

/// Returns a download that was finished earlier, if it is the expected one.
fn downloaded(path: &Path, expected: Option<&str>) -> Result<Option<Fetched>, FileError> {
    if !path.exists() {
        return Ok(None);
    }
    let sha256 = file::sha256(path)?;
    let n_bytes = path.metadata().map_err(|e| FileError::read(path, e))?.len();
    let right = expected.is_none_or(|e| e.eq_ignore_ascii_case(&sha256));
    Ok(right.then(|| Fetched { path: path.into(), sha256, n_bytes }))
}

fn import_archive(
    store: &Store,
    archive: &Fetched,
    unpacked: &Path,
    plan: &ImportPlan,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Manifest, ImportError> {
    let reader = super::reader::nasa::Nasa;
    file::remove_folder(unpacked)?;
    let paths = fetch::unpack_mat(&archive.path, unpacked, &mut |name| progress(Step::Unpacked(name)))?;
    let cells = reader.read(&paths, &plan.options, &mut |name| progress(Step::Read(name)))?;
    let name = archive.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = SourceFile { name, bytes: archive.n_bytes, sha256: archive.sha256.clone() };
    progress(Step::Write(cells.len()));
    stored(store, reader.name(), plan, vec![source], &cells)
}

fn stored(
    store: &Store,
    format: &str,
    plan: &ImportPlan,
    sources: Vec<SourceFile>,
    cells: &[Cell],
) -> Result<Manifest, ImportError> {
    let manifest = Manifest {
        schema: SCHEMA,
        name: plan.name.clone(),
        format: format.into(),
        created: plan.created.clone(),
        fadecast: env!("CARGO_PKG_VERSION").into(),
        licence_note: plan.licence_note.clone().unwrap_or_else(|| licence_note(format).into()),
        sources,
        cells: Vec::new(),
    };
    Ok(store.import(manifest, cells, plan.on_existing)?)
}

/// Returns what is known of the origin of a format's data.
fn licence_note(format: &str) -> &'static str {
    match format {
        "nasa" | "nasa-csv" | "nasa-flat" => {
            "NASA PCoE Battery Data Set (B. Saha, K. Goebel, 2007), NASA Prognostics Data Repository; \
             its terms are those of NASA"
        }
        "xjtu" => {
            "tables of Wang et al. 2024, Nature Communications 15, 4332, from cells of XJTU and MIT; \
             their terms are those of the authors"
        }
        "severson" | "matr" => {
            "MATR cells of Severson et al. 2019, Nature Energy 4, 383 (data.matr.io/1, CC BY 4.0); the tables of \
             discharge curves are those of P. Attia's repository (MIT licence)"
        }
        "formation" => {
            "tables of Cui et al. 2024, Joule, data.matr.io/8; their terms are those of the authors"
        }
        _ => "not stated; say it with --licence",
    }
}

/// Returns the SHA-256 that a dataset records for an archive called `name`.
fn recorded(store: &Store, name: &str) -> Result<Option<String>, StoreError> {
    let sources = store.list()?.into_iter().flat_map(|m| m.sources);
    Ok(sources.into_iter().find(|s| s.name == name).map(|s| s.sha256))
}

/// Returns the last part of an address as a plain file name.
fn archive_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' };
    let name: String = last.chars().map(plain).collect();
    if name.trim_matches('.').is_empty() { "archive".into() } else { name }
}

/// Returns name, size and SHA-256 of every file of `paths`, those in folders too, in order of their names.
fn source_files(paths: &[PathBuf]) -> Result<Vec<SourceFile>, FileError> {
    let mut sources = Vec::new();
    for path in paths {
        add_sources(path, &mut sources)?;
    }
    Ok(sources)
}

fn add_sources(path: &Path, sources: &mut Vec<SourceFile>) -> Result<(), FileError> {
    let metadata = path.metadata().map_err(|e| FileError::read(path, e))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !metadata.is_dir() {
        sources.push(SourceFile { name, bytes: metadata.len(), sha256: file::sha256(path)? });
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(|e| FileError::read(path, e))?;
    let mut inner: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    inner.sort();
    inner.iter().try_for_each(|path| add_sources(path, sources))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_archive_is_the_end_of_its_address() {
        for (url, expected) in [
            (fetch::NASA_PCOE_URL, "5.+Battery+Data+Set.zip"),
            ("http://127.0.0.1:80/a%20b.zip?version=1#x", "a_20b.zip"),
            ("http://host/../..", "archive"),
        ] {
            assert_eq!(archive_name(url), expected);
        }
    }

    #[test]
    fn sources_are_hashed_in_folders_too() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            file::write_atomic(&folder.path().join(name), b"abc").unwrap();
        }
        let sources = source_files(&[folder.path().into()]).unwrap();
        assert_eq!(sources.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        // FIPS 180-4, appendix example "abc".
        assert!(sources.iter().all(|s| s.bytes == 3 && s.sha256.starts_with("ba7816bf8f01cfea")));
        assert!(source_files(&["no/such/file".into()]).is_err());
    }
}
