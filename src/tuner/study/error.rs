//! Why a study cannot be opened, changed or continued, and what to do.

use std::path::PathBuf;

use crate::file::FileError;
use crate::tuner::evaluate::EvaluateError;

/// Why a study cannot be opened, changed or continued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// Occurs when a folder holds a study of something else.
    #[error(
        "`{folder}` holds another search: {}; run it with what it began with, or begin a new one beside it with --fork",
        .what.join("; ")
    )]
    Differs {
        /// Folder of the study.
        folder: PathBuf,
        /// What differs, one phrase each.
        what: Vec<String>,
    },
    /// Occurs when a second search is started on a folder.
    #[error(
        "`{folder}` is being searched{}; to help it, run `fadecast tune worker --study {folder}`",
        .pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
    )]
    Busy {
        /// Folder of the study.
        folder: PathBuf,
        /// Process that searches, where it can be read.
        pid: Option<u32>,
    },
    /// Occurs when there is no study in a folder.
    #[error("there is no search in `{folder}`; `fadecast tune EXPERIMENT.toml` begins one")]
    Missing {
        /// Folder that was asked for.
        folder: PathBuf,
    },
    /// Occurs when a newer version of the program wrote the study.
    #[error("`{folder}` has format {format}, which is newer than this program's; update fadecast")]
    Newer {
        /// Folder of the study.
        folder: PathBuf,
        /// Format of its journal.
        format: u32,
    },
    /// Occurs when a line of the journal, not the last, is none that this program can have written.
    #[error(
        "line {line} of `{path}` is damaged ({why}); the lines before it are whole: \
         keep a copy, delete it and what follows, and the search goes on from there"
    )]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Occurs when a trial of another study has values that are no point of the space.
    #[error("trial `{trial}` does not fit the space: {why}")]
    Misfit {
        /// Its name there.
        trial: String,
        /// What does not fit.
        why: String,
    },
    /// Occurs when what is to be remembered cannot be written such that it reads back as it was.
    #[error("cannot write {what} into a journal; are all its numbers finite?")]
    Unwritable {
        /// Kind of the event.
        what: &'static str,
    },
    /// Occurs when the journal cannot grow (full disk, ...).
    #[error("cannot go on in `{folder}`; nothing is lost: once it can be written, the same command goes on")]
    Append {
        /// Folder of the study.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: FileError,
    },
    /// Occurs when two workers have one name.
    #[error("a worker named `{worker}` is at work in `{folder}`; names must differ")]
    Twin {
        /// Folder of the study.
        folder: PathBuf,
        /// The name.
        worker: String,
    },
    /// Occurs when whoever trains cannot go on.
    #[error("cannot go on in `{folder}`; nothing is lost: the same command goes on from the last checkpoint")]
    Evaluate {
        /// Folder of the study.
        folder: PathBuf,
        /// What it said.
        #[source]
        source: EvaluateError,
    },
    /// Occurs when another file of the study cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
