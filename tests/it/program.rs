//! The program as a person runs it: arguments in; exit code, both outputs and the folder it worked in out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program in a working directory of its own.
pub(crate) struct Program {
    folder: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Returns the working directory.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program on words, in its working directory.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Done {
        run_in(self.root(), words, Stdio::piped())
    }

    /// Runs the program, which must succeed, and returns the JSON that it prints.
    pub(crate) fn json<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> serde_json::Value {
        let mut all: Vec<&std::ffi::OsStr> = words.iter().map(AsRef::as_ref).collect();
        all.push("--json".as_ref());
        let done = self.run(&all);
        assert_eq!(done.code, 0, "{done:?}");
        serde_json::from_str(&done.out).unwrap()
    }

    /// Returns every file below the working directory, hidden ones too, in order.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(self.root())
    }
}

/// Runs the program with another working directory and stdout.
pub(crate) fn run_in<S: AsRef<std::ffi::OsStr>>(root: &Path, words: &[S], stdout: impl Into<Stdio>) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fadecast"));
    command.args(words).env("FADECAST_ROOT", root).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let Output { status, stdout, stderr } = command.spawn().unwrap().wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let done =
        Done { code: status.code().expect("no signal ended it"), out: text(stdout), err: text(stderr) };
    assert!(!done.err.contains("panicked"), "{}", done.err);
    done
}

/// Returns every file below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Returns a file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Returns a file of the real data, or says that it is not there.
pub(crate) fn real_data(relative: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("FADECAST_DATA").map_or(beside, PathBuf::from).join(relative);
    if !path.exists() {
        println!("skipped: no data at {}", path.display());
    }
    path.exists().then_some(path)
}

/// Returns words and paths as arguments.
pub(crate) fn words<'a>(text: &'a str, paths: &'a [PathBuf]) -> Vec<&'a std::ffi::OsStr> {
    let words = text.split_whitespace().map(std::ffi::OsStr::new);
    words.chain(paths.iter().map(|p| p.as_os_str())).collect()
}
