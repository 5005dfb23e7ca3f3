//! Downloads that can be resumed, and NASA's published archive unpacked to its `.mat` files.
//!
//! Bytes go to `<file>.part`, the server's version mark to `<file>.part.version`; a later call goes on where the
//! first one stopped, if the server still has that version. The finished file is hashed, compared and renamed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{Response, header};

use super::reader::ReadError;
use super::reader::archive::for_each_file;
use crate::file::{self, FileError};

/// Address of NASA's battery archive (a zip of zips) as commonly cited; not verified by us.
pub const NASA_PCOE_URL: &str = "https://phm-datasets.s3.amazonaws.com/NASA/5.+Battery+Data+Set.zip";

/// Attempts in a row that may bring no byte before the download gives up.
const IDLE_ATTEMPTS: u32 = 3;

/// Longest silence of the server.
const SILENCE: Duration = Duration::from_mins(1);

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// Its size [bytes].
    pub n_bytes: u64,
}

/// Why a download or the unpacking failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Occurs when a file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when the server cannot be reached, refuses, or breaks off again and again.
    #[error("cannot download `{url}` ({n_bytes} bytes are kept; run it again to go on)")]
    Http {
        /// Address.
        url: String,
        /// Bytes that are there already.
        n_bytes: u64,
        /// What went wrong.
        #[source]
        source: Box<ureq::Error>,
    },
    /// Occurs when the server ends before the size that it stated.
    #[error("`{url}` ended after {n_bytes} of {total} bytes; run it again to go on")]
    Cut {
        /// Address.
        url: String,
        /// Bytes that are there.
        n_bytes: u64,
        /// Bytes that were promised.
        total: u64,
    },
    /// Occurs when the file is not the one that was pinned or downloaded before; nothing is kept.
    #[error("`{url}` has the SHA-256 {found}, not {expected}; nothing was kept")]
    Checksum {
        /// Address.
        url: String,
        /// SHA-256 that was asked for.
        expected: String,
        /// SHA-256 of what came.
        found: String,
    },
    /// Occurs when the archive cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ReadError),
}

/// Downloads `url` to the file `to` and returns its SHA-256, which must be `sha256` where that is given.
///
/// `progress` is told the bytes that are there and, if the server says so, the bytes there will be.
///
/// # Errors
/// [`FetchError`]; but for [`FetchError::Checksum`] what has come is kept for the next call.
pub fn fetch(
    url: &str,
    to: &Path,
    sha256: Option<&str>,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Fetched, FetchError> {
    let download = Download::new(url, to);
    download.finish(progress)?;
    let found = file::sha256(&download.part)?;
    if let Some(expected) = sha256.filter(|e| !e.eq_ignore_ascii_case(&found)) {
        download.discard()?;
        return Err(FetchError::Checksum { url: url.into(), expected: expected.into(), found });
    }
    let n_bytes = download.n_bytes();
    file::publish_file(&download.part, to)?;
    file::remove_file(&download.version)?;
    Ok(Fetched { path: to.into(), sha256: found, n_bytes })
}

/// Unpacks the `.mat` files of an archive, zips within it included, into the new folder `folder`.
///
/// Returns the files in the order of their names. `progress` is told each name.
///
/// # Errors
/// [`FetchError::Archive`] for a broken archive, a name that leads out of the folder, two files of one name with
/// different content, or no `.mat` at all; [`FetchError::File`]. `folder` is then not there.
pub fn unpack_mat(
    archive: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, FetchError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.with_file_name(format!(".{name}.unpacking"));
    file::remove_folder(&temporary)?;
    file::create_new_folder(&temporary)?;
    let unpacked = unpack_into(archive, &temporary, progress)
        .and_then(|names| file::publish_folder(&temporary, folder).map(|()| names).map_err(FetchError::from));
    if unpacked.is_err() {
        file::remove_folder(&temporary)?;
    }
    Ok(unpacked?.iter().map(|name| folder.join(name)).collect())
}

fn unpack_into(
    archive: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<String>, FetchError> {
    let mut hashes = BTreeMap::new();
    let is_mat = |name: &str| name.to_ascii_lowercase().ends_with(".mat");
    for_each_file(archive, &mut |name| is_mat(name), &mut |name, bytes| {
        let file_name = plain_name(archive, name)?;
        let hash = file::sha256_bytes(&bytes);
        match hashes.insert(file_name.to_owned(), hash.clone()) {
            Some(first) if first != hash => {
                return Err(damaged(archive, name, "is there twice with different content"));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        file::write_atomic(&folder.join(file_name), &bytes)?;
        progress(file_name);
        Ok(())
    })?;
    if hashes.is_empty() {
        return Err(damaged(archive, "the archive", "holds no .mat file").into());
    }
    Ok(hashes.into_keys().collect())
}

/// Returns the last part of `name`, which must not lead out of a folder.
fn plain_name<'a>(archive: &Path, name: &'a str) -> Result<&'a str, ReadError> {
    let parts: Vec<_> = name.split(['/', '\\']).collect();
    let leads_out = |p: &&str| *p == ".." || p.contains(':') || p.contains('\0');
    if parts[0].is_empty() || parts.iter().any(leads_out) {
        return Err(damaged(archive, name, "leads out of the archive's folder"));
    }
    Ok(parts[parts.len() - 1])
}

fn damaged(archive: &Path, place: &str, found: &str) -> ReadError {
    ReadError::Damaged { path: archive.into(), place: place.into(), found: found.into() }
}

/// A download that may be half done.
struct Download<'a> {
    url: &'a str,
    part: PathBuf,
    version: PathBuf,
}

impl<'a> Download<'a> {
    fn new(url: &'a str, to: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = to.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            to.with_file_name(name)
        };
        Self { url, part: beside(".part"), version: beside(".part.version") }
    }

    fn n_bytes(&self) -> u64 {
        self.part.metadata().map_or(0, |m| m.len())
    }

    fn discard(&self) -> Result<(), FileError> {
        file::remove_file(&self.part)?;
        file::remove_file(&self.version)
    }

    /// Tries until everything is there or several attempts in a row brought nothing.
    fn finish(&self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), FetchError> {
        let mut n_idle = 0;
        loop {
            let before = self.n_bytes();
            let error = match self.attempt(progress) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            n_idle = if self.n_bytes() > before { 0 } else { n_idle + 1 };
            if n_idle == IDLE_ATTEMPTS || !is_passing(&error) {
                return Err(error);
            }
        }
    }

    fn attempt(&self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), FetchError> {
        let response = match self.request() {
            Err(ureq::Error::StatusCode(416)) => {
                // What is here is longer than what the server has now: begin anew.
                self.discard()?;
                self.request()
            }
            other => other,
        };
        let response = response.map_err(|e| self.http(e))?;
        if response.status() != 206 || first_byte(&response) != Some(self.n_bytes()) {
            self.discard()?;
            if response.status() == 206 {
                return Err(self.http(ureq::Error::StatusCode(206)));
            }
            self.remember_version(&response)?;
        }
        let total = response.body().content_length().map(|n| n + self.n_bytes());
        self.receive(response, total, progress)
    }

    fn request(&self) -> Result<Response<ureq::Body>, ureq::Error> {
        let mut request = agent(self.url).get(self.url).header(header::ACCEPT_ENCODING, "identity");
        let n_bytes = self.n_bytes();
        if let (true, Ok(version)) = (n_bytes > 0, file::read_text(&self.version)) {
            request =
                request.header(header::RANGE, format!("bytes={n_bytes}-")).header(header::IF_RANGE, version);
        }
        request.call()
    }

    /// Keeps a strong entity tag or the date of change; without either a later call begins anew.
    fn remember_version(&self, response: &Response<ureq::Body>) -> Result<(), FileError> {
        let text = |name| response.headers().get(name).and_then(|v: &header::HeaderValue| v.to_str().ok());
        let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
        match tag.or_else(|| text(header::LAST_MODIFIED)) {
            Some(version) => file::write_atomic(&self.version, version.as_bytes()),
            None => Ok(()),
        }
    }

    fn receive(
        &self,
        response: Response<ureq::Body>,
        total: Option<u64>,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), FetchError> {
        let mut n_bytes = self.n_bytes();
        let mut out = file::append_unfinished(&self.part)?;
        let mut body = response.into_body().into_reader();
        let mut piece = vec![0; 1 << 16];
        loop {
            progress(n_bytes, total);
            let n = body.read(&mut piece).map_err(|e| self.http(ureq::Error::Io(e)))?;
            if n == 0 {
                break;
            }
            out.write_all(&piece[..n]).map_err(|e| FileError::write(&self.part, e))?;
            n_bytes += n as u64;
        }
        match total.filter(|total| *total != n_bytes) {
            Some(total) => Err(FetchError::Cut { url: self.url.into(), n_bytes, total }),
            None => Ok(()),
        }
    }

    fn http(&self, source: ureq::Error) -> FetchError {
        FetchError::Http { url: self.url.into(), n_bytes: self.n_bytes(), source: source.into() }
    }
}

/// Whether another attempt may help: a broken connection may, a refusal or a full disk will not.
fn is_passing(error: &FetchError) -> bool {
    match error {
        FetchError::Cut { .. } => true,
        FetchError::Http { source, .. } => {
            matches!(**source, ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::Protocol(_))
        }
        _ => false,
    }
}

fn agent(url: &str) -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_connect(Some(SILENCE)).timeout_per_read(Some(SILENCE));
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let config = if loopback.iter().any(|l| url.starts_with(l)) { config.proxy(None) } else { config };
    config.build().new_agent()
}

/// Returns the first byte of a partial answer: 7 for `bytes 7-99/100`.
fn first_byte(response: &Response<ureq::Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Cursor};
    use std::net::{TcpListener, TcpStream};
    use std::thread::JoinHandle;

    /// How the test server answers one connection.
    #[derive(Clone, Copy)]
    enum Answer {
        /// Everything that was asked for.
        Whole,
        /// Half of it, then the connection is closed.
        Half,
        /// No such file.
        Missing,
    }

    /// Serves `content`, one answer a connection; returns the address and, when joined, the ranges asked for.
    fn serve(content: Vec<u8>, tag: &str, answers: &[Answer]) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a.zip", listener.local_addr().unwrap());
        let (tag, answers) = (tag.to_owned(), answers.to_vec());
        let ranges = move || {
            let answer = |a: &Answer| reply(listener.accept().unwrap().0, &content, &tag, *a);
            answers.iter().map(answer).collect()
        };
        (url, std::thread::spawn(ranges))
    }

    fn reply(mut stream: TcpStream, content: &[u8], tag: &str, answer: Answer) -> String {
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let lines: Vec<_> = lines.take_while(|l| !l.is_empty()).collect();
        let value = |name: &str| {
            lines.iter().find_map(|l| l.to_lowercase().strip_prefix(name).map(|v| v.trim().to_owned()))
        };
        let range = value("range:").filter(|_| value("if-range:").is_some_and(|v| v == tag.to_lowercase()));
        let range = range.unwrap_or_default();
        let from = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
        let (rest, total) = (&content[from..], content.len());
        let head = match (answer, from) {
            (Answer::Missing, _) => "404 Not Found\r\nContent-Length: 0".to_owned(),
            (_, 0) => format!("200 OK\r\nContent-Length: {total}"),
            _ => {
                let n = rest.len();
                format!(
                    "206 Partial\r\nContent-Length: {n}\r\nContent-Range: bytes {from}-{}/{total}",
                    total - 1
                )
            }
        };
        write!(stream, "HTTP/1.1 {head}\r\nETag: {tag}\r\nConnection: close\r\n\r\n").unwrap();
        let n_sent = match answer {
            Answer::Whole => rest.len(),
            Answer::Half => rest.len() / 2,
            Answer::Missing => 0,
        };
        stream.write_all(&rest[..n_sent]).unwrap();
        range
    }

    fn content(n: u32) -> Vec<u8> {
        (0..n).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_broken_connection_is_resumed_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (to, bytes) = (folder.path().join("a.zip"), content(300_000));
        let (url, server) = serve(bytes.clone(), "\"v1\"", &[Answer::Half, Answer::Whole]);
        let mut seen = Vec::new();
        let pinned = file::sha256_bytes(&bytes);
        let fetched = fetch(&url, &to, Some(&pinned), &mut |n, total| seen.push((n, total))).unwrap();
        assert_eq!(server.join().unwrap(), ["", "bytes=150000-"]);
        assert_eq!((fetched.sha256, fetched.n_bytes), (pinned, 300_000));
        assert_eq!(file::read(&to).unwrap(), bytes);
        assert_eq!(seen.last(), Some(&(300_000, Some(300_000))));
        assert_eq!(names(folder.path()), ["a.zip"]);
    }

    #[test]
    fn a_later_call_goes_on_and_a_new_version_begins_anew() {
        for (tag, ranges, n_kept) in [("\"v1\"", "bytes=1000-", 1000), ("\"v2\"", "", 0)] {
            let folder = tempfile::tempdir().unwrap();
            let (to, bytes) = (folder.path().join("a.zip"), content(5000));
            file::write_atomic(&folder.path().join("a.zip.part"), &[0; 1000]).unwrap();
            file::write_atomic(&folder.path().join("a.zip.part.version"), b"\"v1\"").unwrap();
            let (url, server) = serve(bytes.clone(), tag, &[Answer::Whole]);
            fetch(&url, &to, None, &mut |_, _| ()).unwrap();
            assert_eq!(server.join().unwrap(), [ranges]);
            let read = file::read(&to).unwrap();
            assert!(read[..n_kept].iter().all(|b| *b == 0) && read[n_kept..] == bytes[n_kept..]);
        }
    }

    #[test]
    fn a_wrong_checksum_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (url, server) = serve(content(100), "\"v1\"", &[Answer::Whole]);
        let error = fetch(&url, &folder.path().join("a.zip"), Some("00"), &mut |_, _| ()).unwrap_err();
        server.join().unwrap();
        assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_missing_file_is_an_error_at_once_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (url, server) = serve(Vec::new(), "\"v1\"", &[Answer::Missing]);
        let error = fetch(&url, &folder.path().join("a.zip"), None, &mut |_, _| ()).unwrap_err();
        server.join().unwrap();
        assert!(
            matches!(&error, FetchError::Http { source, .. } if source.to_string().contains("404")),
            "{error}"
        );
        assert!(names(folder.path()).is_empty());
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            out.write_all(bytes).unwrap();
        }
        out.finish().unwrap().into_inner()
    }

    fn unpack(archive: &[u8]) -> (tempfile::TempDir, Result<Vec<PathBuf>, FetchError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        file::write_atomic(&path, archive).unwrap();
        let unpacked = unpack_mat(&path, &folder.path().join("mat"), &mut |_| ());
        (folder, unpacked)
    }

    #[test]
    fn a_zip_of_zips_becomes_its_mat_files() {
        let first = zip(&[("B0006.mat", b"six"), ("README.txt", b"")]);
        let second = zip(&[("sub/B0005.mat", b"five"), ("B0006.mat", b"six")]);
        let (folder, unpacked) = unpack(&zip(&[("5. Set/1. A.zip", &first), ("5. Set/2. B.zip", &second)]));
        let mat = folder.path().join("mat");
        assert_eq!(unpacked.unwrap(), [mat.join("B0005.mat"), mat.join("B0006.mat")]);
        assert_eq!(file::read(&mat.join("B0005.mat")).unwrap(), b"five");
        assert_eq!(names(folder.path()), ["a.zip", "mat"]);
    }

    #[test]
    fn archives_that_lead_out_contradict_or_hold_nothing_are_refused() {
        let twice = zip(&[("a/B0006.mat", b"six"), ("b/B0006.mat", b"other")]);
        let cases: [(&[u8], &str); 4] = [
            (&zip(&[("../B0005.mat", b"x")]), "leads out"),
            (&zip(&[("x.zip", &zip(&[("../../B0005.mat", b"x")]))]), "leads out"),
            (&twice, "twice with different content"),
            (&zip(&[("a.txt", b"x")]), "no .mat"),
        ];
        for (archive, expected) in cases {
            let (folder, unpacked) = unpack(archive);
            let message = unpacked.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert_eq!(names(folder.path()), ["a.zip"]);
        }
    }
}
