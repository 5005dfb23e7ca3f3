//! Walks the files of a folder, a `.tar`, `.tar.zst`, `.tar.gz` or `.zip` archive, or a single file, all alike.
//!
//! What a source is, is told by its first bytes, not by its name. Files that are gzip inside are handed out
//! unpacked and without their `.gz`; a zip inside a zip (NASA's published archive) is walked too. Hidden files and
//! the `__MACOSX` folder are left out. Every unpacking is capped, so that a bomb is an error and not a full memory.

use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::ReadError;
use crate::file::FileError;

/// Most bytes that one packed file may unpack to: 2 GiB.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// Most bytes that one archive may unpack to, files that nobody wants included: 32 GiB.
pub const MAX_ARCHIVE_BYTES: u64 = 32 << 30;

/// Most folders or zips inside each other.
const MAX_DEPTH: u32 = 8;

/// Most bytes that are reserved because a header says so; more grows as it comes.
const MAX_RESERVED_BYTES: u64 = 32 << 20;

/// Tells whether a file of this name (relative, `/` between folders, no `.gz`) is to be read.
type Want<'a> = dyn FnMut(&str) -> bool + 'a;

/// Takes the name and the bytes of one file.
type Visit<'a> = dyn FnMut(&str, Vec<u8>) -> Result<(), ReadError> + 'a;

/// Hands every file that `want` asks for to `visit`: in order of the names for a folder, as they come otherwise.
///
/// Names are relative to `path` with `/` between folders; a single file has its own name. A trailing `.gz` is gone,
/// for the bytes are unpacked.
///
/// # Errors
/// [`ReadError::File`] where something cannot be read, [`ReadError::Damaged`] for a broken archive or one that
/// unpacks to more than [`MAX_FILE_BYTES`] a file or [`MAX_ARCHIVE_BYTES`], and whatever `visit` returns.
pub fn for_each_file(path: &Path, want: &mut Want<'_>, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut walk = Walk { source: path, want, visit };
    if path.is_dir() { walk.folder(path, "", 0) } else { walk.file(path) }
}

/// Returns `bytes` as they are, or unpacked where they are gzip.
///
/// # Errors
/// [`ReadError::Damaged`] for broken gzip or more than [`MAX_FILE_BYTES`].
pub fn gunzip_if_needed(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, ReadError> {
    if Kind::of(&bytes) != Kind::Gzip {
        return Ok(bytes);
    }
    read_capped(MultiGzDecoder::new(bytes.as_slice()), 4 * bytes.len() as u64, MAX_FILE_BYTES)
        .map_err(|e| damaged(path, "its gzip stream", &e))
}

/// Tells whether a file name ends in `.extension`, whatever the case.
pub fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// What the first bytes of a file say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Zstd,
    Gzip,
    Tar,
    Plain,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        match head {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x1f, 0x8b, ..] => Self::Gzip,
            _ if head.get(257..262) == Some(b"ustar") => Self::Tar,
            _ => Self::Plain,
        }
    }
}

struct Walk<'a, 'w, 'v> {
    source: &'a Path,
    want: &'a mut Want<'w>,
    visit: &'a mut Visit<'v>,
}

impl Walk<'_, '_, '_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: u32) -> Result<(), ReadError> {
        let refused = |e| FileError::read(folder, e);
        let entries = fs::read_dir(folder).map_err(refused)?;
        let mut paths =
            entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>().map_err(refused)?;
        paths.sort();
        for path in paths {
            let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
            if is_hidden(&name) {
                continue;
            }
            if !path.is_dir() {
                self.plain(&path, &name)?;
            } else if depth < MAX_DEPTH {
                self.folder(&path, &format!("{name}/"), depth + 1)?;
            }
        }
        Ok(())
    }

    fn plain(&mut self, path: &Path, name: &str) -> Result<(), ReadError> {
        let name = without_gz(name);
        if !(self.want)(name) {
            return Ok(());
        }
        (self.visit)(name, gunzip_if_needed(path, crate::file::read(path)?)?)
    }

    fn file(&mut self, path: &Path) -> Result<(), ReadError> {
        let refused = |e| FileError::read(path, e);
        let mut file = File::open(path).map_err(refused)?;
        let head = read_head(&mut file).map_err(refused)?;
        file.rewind().map_err(refused)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Kind::of(&head) {
            Kind::Zip => self.zip(BufReader::new(file), "", 0),
            Kind::Tar => self.tar(BufReader::new(file)),
            Kind::Zstd => {
                let unpacked = zstd::Decoder::new(file).map_err(refused)?;
                self.stream(unpacked, name.trim_end_matches(".zst"))
            }
            Kind::Gzip => self.stream(MultiGzDecoder::new(BufReader::new(file)), without_gz(&name)),
            Kind::Plain => self.plain(path, &name),
        }
    }

    /// Takes an unpacked stream, which is a tar or one file called `name`.
    fn stream(&mut self, unpacked: impl Read, name: &str) -> Result<(), ReadError> {
        let mut unpacked = unpacked.take(MAX_ARCHIVE_BYTES);
        let head = read_head(&mut unpacked).map_err(|e| damaged(self.source, name, &e))?;
        let tar = Kind::of(&head) == Kind::Tar;
        let whole = Cursor::new(head).chain(unpacked);
        if tar {
            return self.tar(whole);
        }
        if !(self.want)(name) {
            return Ok(());
        }
        let bytes = read_capped(whole, 0, MAX_FILE_BYTES).map_err(|e| damaged(self.source, name, &e))?;
        (self.visit)(name, bytes)
    }

    fn tar(&mut self, stream: impl Read) -> Result<(), ReadError> {
        let source = self.source;
        let broken = |e| damaged(source, "its tar stream", &e);
        let mut archive = tar::Archive::new(stream.take(MAX_ARCHIVE_BYTES));
        for entry in archive.entries().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            if entry.header().entry_type().is_file() {
                let size = entry.size();
                self.entry(&name, size, entry)?;
            }
        }
        Ok(())
    }

    fn zip<R: Read + Seek>(&mut self, stream: R, prefix: &str, depth: u32) -> Result<(), ReadError> {
        let source = self.source;
        let broken = |place: &str, e: zip::result::ZipError| damaged(source, place, &io::Error::other(e));
        let mut archive = ZipArchive::new(stream).map_err(|e| broken("its zip directory", e))?;
        for i in 0..archive.len() {
            let place = format!("zip entry {i}");
            let mut entry = archive.by_index(i).map_err(|e| broken(&place, e))?;
            let name = format!("{prefix}{}", entry.name().map_err(|e| broken(&place, e))?);
            if !entry.is_file() {
                continue;
            }
            if has_extension(&name, "zip") && depth < MAX_DEPTH {
                let inner =
                    read_capped(&mut entry, 0, MAX_FILE_BYTES).map_err(|e| damaged(source, &name, &e))?;
                self.zip(Cursor::new(inner), &format!("{name}/"), depth + 1)?;
            } else {
                let size = entry.size();
                self.entry(&name, size, entry)?;
            }
        }
        Ok(())
    }

    /// Takes one archive entry whose header states `size`.
    fn entry(&mut self, name: &str, size: u64, bytes: impl Read) -> Result<(), ReadError> {
        let short = without_gz(name);
        if is_hidden(name) || !(self.want)(short) {
            return Ok(());
        }
        let bytes = read_capped(bytes, size, MAX_FILE_BYTES).map_err(|e| damaged(self.source, name, &e))?;
        (self.visit)(short, gunzip_if_needed(&self.source.join(name), bytes)?)
    }
}

fn without_gz(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part == "__MACOSX" || (part.starts_with('.') && part != "." && part != ".."))
}

/// Reads the first bytes, up to the end of a tar header.
fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    stream.take(512).read_to_end(&mut head)?;
    Ok(head)
}

fn read_capped(stream: impl Read, expected: u64, cap: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected.min(MAX_RESERVED_BYTES).min(cap) as usize);
    stream.take(cap + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(io::Error::other(format!("unpacks to more than {cap} bytes")));
    }
    Ok(bytes)
}

fn damaged(path: &Path, place: &str, found: &io::Error) -> ReadError {
    ReadError::Damaged { path: path.into(), place: place.into(), found: found.to_string() }
}

/// Returns a file or folder of the real data, or says that it is not there.
#[cfg(test)]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn real_data(relative: &str) -> Option<std::path::PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("FADECAST_DATA").map_or(beside, std::path::PathBuf::from).join(relative);
    if !path.exists() {
        println!("skipped: no data at {}", path.display());
    }
    path.exists().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const FILES: [(&str, &[u8]); 3] = [("a.csv", b"1,2\n"), ("data/b.csv", b""), ("data/c.txt", b"text")];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            out.append_data(&mut header, name, *bytes).unwrap();
        }
        out.into_inner().unwrap()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            out.write_all(bytes).unwrap();
        }
        out.finish().unwrap().into_inner()
    }

    fn csv_files(path: &Path) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let mut found = Vec::new();
        for_each_file(path, &mut |name| has_extension(name, "csv"), &mut |name, bytes| {
            found.push((name.to_owned(), bytes));
            Ok(())
        })?;
        Ok(found)
    }

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        crate::file::write_atomic(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn all_kinds_of_archives_hand_out_the_same_files() {
        let expected = [("a.csv".to_owned(), b"1,2\n".to_vec()), ("data/b.csv".to_owned(), Vec::new())];
        for (name, bytes) in [
            ("x.tar", tar(&FILES)),
            ("x.tar.gz", gzip(&tar(&FILES))),
            ("x.tar.zst", zstd::encode_all(tar(&FILES).as_slice(), 1).unwrap()),
            ("x.zip", zip(&FILES)),
        ] {
            let (_folder, path) = written(name, &bytes);
            assert_eq!(csv_files(&path).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_folder_is_walked_in_order_of_names_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a/z.csv.gz", ".hidden.csv", "__MACOSX/a.csv", "c.txt"] {
            let path = folder.path().join(name);
            crate::file::create_folder(path.parent().unwrap()).unwrap();
            crate::file::write_atomic(&path, &if name.contains("gz") { gzip(b"z") } else { b"p".to_vec() })
                .unwrap();
        }
        let expected = [("a/z.csv".to_owned(), b"z".to_vec()), ("b.csv".to_owned(), b"p".to_vec())];
        assert_eq!(csv_files(folder.path()).unwrap(), expected);
    }

    #[test]
    fn a_single_file_is_itself_and_gzip_is_unpacked() {
        for (name, bytes) in [("a.csv", b"1".to_vec()), ("a.csv.gz", gzip(b"1"))] {
            let (_folder, path) = written(name, &bytes);
            assert_eq!(csv_files(&path).unwrap(), [("a.csv".to_owned(), b"1".to_vec())], "{name}");
        }
    }

    #[test]
    fn a_zip_inside_a_zip_is_walked() {
        let (_folder, path) = written("x.zip", &zip(&[("inner one.zip", &zip(&FILES[..1]))]));
        assert_eq!(csv_files(&path).unwrap()[0].0, "inner one.zip/a.csv");
    }

    #[test]
    fn a_cut_archive_is_damaged_and_a_missing_one_cannot_be_read() {
        for (name, bytes) in [
            ("x.tar.gz", gzip(&tar(&FILES))),
            ("x.tar.zst", zstd::encode_all(tar(&FILES).as_slice(), 1).unwrap()),
            ("x.zip", zip(&FILES)),
        ] {
            let (_folder, path) = written(name, &bytes[..bytes.len() / 2]);
            let error = csv_files(&path).unwrap_err();
            assert!(matches!(error, ReadError::Damaged { .. }), "{name}: {error}");
        }
        assert!(matches!(csv_files(Path::new("no/such.zip")), Err(ReadError::File(_))));
    }

    #[test]
    fn more_than_the_cap_is_an_error() {
        assert!(read_capped(io::repeat(0), 1 << 40, 1000).unwrap_err().to_string().contains("1000"));
        assert_eq!(read_capped(io::repeat(0).take(1000), 0, 1000).unwrap().len(), 1000);
    }
}
