//! Promotion: which run of an experiment is served, as a file beside the runs that changes at once or not at all.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ExperimentError;
use crate::file::{self, FileError};
use crate::pipeline::manifest::MANIFEST;

/// Name of the file in an experiment's folder.
pub const PROMOTED: &str = "promoted.json";

/// Most bytes of the file.
const MOST_BYTES: u64 = 1 << 16;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Name of the run's folder.
    pub run: String,
    /// SHA-256 of the run's manifest, and so of all that it lists.
    pub artifact_sha256: String,
    /// When it was promoted, UTC, RFC 3339.
    pub promoted: String,
}

impl Promotion {
    /// Reads what is promoted in an experiment's folder; `None` where nothing is.
    ///
    /// # Errors
    /// [`ExperimentError::File`], or [`ExperimentError::Promotion`] where it is damaged or names no run.
    pub fn read(experiment: &Path) -> Result<Option<Self>, ExperimentError> {
        let path = experiment.join(PROMOTED);
        if !path.is_file() {
            return Ok(None);
        }
        let wrong = |found: String| ExperimentError::Promotion { path: path.clone(), found };
        let bytes = file::read_up_to(&path, MOST_BYTES)?.ok_or_else(|| wrong("is too long".into()))?;
        let promotion: Self = serde_json::from_slice(&bytes).map_err(|e| FileError::parse(&path, e))?;
        if !is_plain(&promotion.run) {
            return Err(wrong(format!("`{}` is no name of a run", promotion.run)));
        }
        Ok(Some(promotion))
    }

    /// Returns the folder of the promoted run of an experiment's folder, whose manifest is still the one that was promoted.
    ///
    /// # Errors
    /// As [`Promotion::read`], and [`ExperimentError::Promotion`] where the run is gone or has changed.
    pub fn run_of(experiment: &Path) -> Result<Option<PathBuf>, ExperimentError> {
        let Some(promotion) = Self::read(experiment)? else { return Ok(None) };
        let wrong = |found: String| ExperimentError::Promotion { path: experiment.join(PROMOTED), found };
        let run = experiment.join(&promotion.run);
        if !run.join(MANIFEST).is_file() {
            return Err(wrong(format!("run `{}` is not there", promotion.run)));
        }
        if file::sha256(&run.join(MANIFEST))? != promotion.artifact_sha256 {
            return Err(wrong(format!("run `{}` is not what it was when it was promoted", promotion.run)));
        }
        Ok(Some(run))
    }

    /// Writes it into an experiment's folder.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn write(&self, experiment: &Path) -> Result<(), ExperimentError> {
        Ok(file::write_json(&experiment.join(PROMOTED), self)?)
    }
}

/// Returns whether a text names a folder beside others: letters, digits, `-`, `_`, `.` and `+`, a letter or digit first.
pub fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.+ ".contains(c);
    name.starts_with(char::is_alphanumeric) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unchanged_run_beside_the_file_is_promoted() {
        let folder = tempfile::tempdir().unwrap();
        let experiment = folder.path().join("models/small");
        file::create_folder(&experiment.join("run1")).unwrap();
        assert_eq!(Promotion::run_of(&experiment).unwrap(), None);
        file::write_atomic(&experiment.join("run1").join(MANIFEST), b"{}").unwrap();
        let promote = |run: &str, sha256: &str| {
            let (run, artifact_sha256) = (run.into(), sha256.into());
            Promotion { run, artifact_sha256, promoted: String::new() }.write(&experiment).unwrap();
            Promotion::run_of(&experiment)
        };
        let sha256 = file::sha256_bytes(b"{}");
        assert_eq!(promote("run1", &sha256).unwrap(), Some(experiment.join("run1")));
        for (run, sha256, found) in [
            ("run2", sha256.as_str(), "not there"),
            ("run1", "00", "not what it was"),
            ("../small/run1", &sha256, "no name"),
            ("/etc", &sha256, "no name"),
            ("..", &sha256, "no name"),
            ("", &sha256, "no name"),
        ] {
            let error = promote(run, sha256).unwrap_err().to_string();
            assert!(error.contains(found) && error.contains(PROMOTED), "{run}: {error}");
        }
        file::write_atomic(&experiment.join(PROMOTED), b"{\"run\": 3}").unwrap();
        assert!(Promotion::run_of(&experiment).unwrap_err().to_string().contains(PROMOTED));
    }
}
