//! Sealed runs: a manifest with the hash of every file that a model is made of; no file is parsed before its hash agrees.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::artifact::Damage;
use crate::file::{self, FileError};
use crate::pipeline::manifest::{MANIFEST, Manifest, SCHEMA};

/// Most bytes of a manifest: a hundred thousand files with their hashes.
const MOST_OF_MANIFEST: u64 = 16 << 20;

/// Most bytes of an experiment file; the longest of ours has some 4 KiB.
const MOST_OF_EXPERIMENT: u64 = 1 << 20;

/// Most bytes of a text: JSON takes some ten times its length while it is read.
const MOST_OF_TEXT: u64 = 256 << 20;

/// Most bytes of numbers, which take no more than their length.
const MOST_OF_NUMBERS: u64 = 4 << 30;

/// The manifest of a run and the folder that it speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    folder: PathBuf,
    manifest: Manifest,
    sha256: String,
}

/// Why a run's files cannot be trusted or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Occurs when a run has no manifest, as those of before the registry.
    #[error(
        "run `{run}` has no {MANIFEST}: it is not finished, or older than the registry; `fadecast models migrate` \
         writes it where the run's dataset is there"
    )]
    Absent {
        /// The run.
        run: PathBuf,
    },
    /// Occurs when a manifest is of a form that this program does not know.
    #[error(
        "`{path}` has schema {found}, this program reads {SCHEMA}; use the fadecast that wrote it, or train anew"
    )]
    Schema {
        /// The manifest.
        path: PathBuf,
        /// Version that was found.
        found: u64,
    },
    /// Occurs when another version of the program made the run.
    #[error(
        "`{path}` was written by fadecast {found}, this is {}; train it anew",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Version that was found.
        found: String,
    },
    /// Occurs when a file is needed that the manifest does not list.
    #[error("run `{run}` is damaged: its {MANIFEST} lists no `{file}`")]
    Unlisted {
        /// The run.
        run: PathBuf,
        /// The file.
        file: String,
    },
    /// Occurs when a manifest names what is no plain file below its folder.
    #[error("run `{run}` is refused: `{file}` is {found}; a run is made of plain files of its own folder")]
    Outside {
        /// The run.
        run: PathBuf,
        /// Name in the manifest.
        file: String,
        /// What it is instead.
        found: &'static str,
    },
    /// Occurs when a file is not the one that was hashed.
    #[error(
        "run `{run}` was tampered with or is damaged: the SHA-256 of `{file}` differs from that in {MANIFEST}"
    )]
    Hash {
        /// The run.
        run: PathBuf,
        /// The file.
        file: String,
    },
    /// Occurs when a file is larger than any of its kind.
    #[error("`{path}` is longer than {limit} bytes, which no file of its kind is")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        limit: u64,
    },
    /// Occurs when a file holds what does not fit.
    #[error("run `{run}`: {damage}")]
    Damaged {
        /// The run.
        run: PathBuf,
        /// File and reason.
        damage: Damage,
    },
    /// Occurs when a file is not there, or cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Sealed {
    /// Reads the manifest of a run's folder.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(folder: &Path) -> Result<Self, SealError> {
        let path = folder.join(MANIFEST);
        if !path.exists() {
            return Err(SealError::Absent { run: folder.into() });
        }
        let bytes = read_plain(folder, MANIFEST, MOST_OF_MANIFEST)?;
        let damaged = |e: serde_json::Error| Self::damage(folder, MANIFEST, e);
        let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
        if head.schema != u64::from(SCHEMA) {
            return Err(SealError::Schema { path, found: head.schema });
        }
        if head.fadecast != env!("CARGO_PKG_VERSION") {
            return Err(SealError::Version { path, found: head.fadecast });
        }
        let manifest = serde_json::from_slice(&bytes).map_err(damaged)?;
        Ok(Self { folder: folder.into(), manifest, sha256: file::sha256_bytes(&bytes) })
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the manifest.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// Returns the SHA-256 of the manifest, and so of all that it lists.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Reads a listed file whose hash agrees.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>, SealError> {
        let unlisted = || SealError::Unlisted { run: self.folder.clone(), file: name.into() };
        let expected = self.manifest.files.get(name).ok_or_else(unlisted)?;
        let bytes = read_plain(&self.folder, name, most_of(name))?;
        if file::sha256_bytes(&bytes) != *expected {
            return Err(SealError::Hash { run: self.folder.clone(), file: name.into() });
        }
        Ok(bytes)
    }

    /// Checks the hash of every file.
    ///
    /// # Errors
    /// [`SealError`] of the first file that is not as it was.
    pub fn verify(&self) -> Result<(), SealError> {
        self.manifest.files.keys().try_for_each(|name| self.read(name).map(drop))
    }

    /// Returns the error that a file of the folder holds what does not fit.
    pub fn damaged(&self, damage: Damage) -> SealError {
        SealError::Damaged { run: self.folder.clone(), damage }
    }

    fn damage(folder: &Path, name: &str, found: impl std::fmt::Display) -> SealError {
        SealError::Damaged { run: folder.into(), damage: Damage::new(name, found) }
    }
}

/// What is read of a manifest of any version.
#[derive(Deserialize)]
struct Head {
    schema: u64,
    #[serde(default)]
    fadecast: String,
}

fn most_of(name: &str) -> u64 {
    match Path::new(name).extension().and_then(|e| e.to_str()) {
        Some("toml") => MOST_OF_EXPERIMENT,
        Some("safetensors") => MOST_OF_NUMBERS,
        _ => MOST_OF_TEXT,
    }
}

/// Reads a plain file below a folder; no link leads to it.
fn read_plain(folder: &Path, name: &str, limit: u64) -> Result<Vec<u8>, SealError> {
    let outside = |found| SealError::Outside { run: folder.into(), file: name.into(), found };
    let mut path = folder.to_path_buf();
    for part in Path::new(name).components() {
        let Component::Normal(part) = part else { return Err(outside("no name below it")) };
        path.push(part);
        let facts = std::fs::symlink_metadata(&path).map_err(|e| FileError::read(&path, e))?;
        if facts.is_symlink() {
            return Err(outside("a link"));
        }
    }
    if !path.is_file() {
        return Err(outside("no file"));
    }
    file::read_up_to(&path, limit)?.ok_or(SealError::TooLarge { path, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(folder: &Path, files: &[(&str, &str)]) -> Sealed {
        file::create_folder(&folder.join("trees")).unwrap();
        file::write_atomic(&folder.join("trees/a.json"), b"{}").unwrap();
        file::write_atomic(&folder.join("model.json"), b"1").unwrap();
        let files = files.iter().map(|(name, bytes)| ((*name).into(), file::sha256_bytes(bytes.as_bytes())));
        let manifest = Manifest { files: files.collect(), ..crate::pipeline::manifest::tests::manifest() };
        file::write_json(&folder.join(MANIFEST), &manifest).unwrap();
        Sealed::open(folder).unwrap()
    }

    #[test]
    fn only_listed_files_that_are_as_they_were_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = sealed(folder.path(), &[("trees/a.json", "{}"), ("model.json", "2")]);
        assert_eq!(run.read("trees/a.json").unwrap(), b"{}");
        let changed = run.read("model.json").unwrap_err();
        assert!(matches!(&changed, SealError::Hash { file, .. } if file == "model.json"), "{changed}");
        assert!(run.verify().unwrap_err().to_string().contains("`model.json`"));
        assert!(matches!(run.read("weights.safetensors"), Err(SealError::Unlisted { .. })));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../model.json", "/etc/hostname", "trees/../../x", "./model.json", "trees", ""] {
            let error = sealed(folder.path(), &[(name, "")]).read(name).unwrap_err();
            assert!(matches!(error, SealError::Outside { .. }), "{name}: {error}");
        }
        #[cfg(unix)]
        for (link, to) in [("out.json", "/etc/hostname"), ("below", "trees")] {
            let run = sealed(folder.path(), &[("out.json", ""), ("below/a.json", "{}")]);
            std::os::unix::fs::symlink(to, folder.path().join(link)).unwrap();
            let name = if link == "below" { "below/a.json" } else { link };
            assert!(matches!(run.read(name), Err(SealError::Outside { found: "a link", .. })), "{name}");
        }
    }

    #[test]
    fn another_schema_or_version_is_refused_with_its_number() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        sealed(folder, &[]);
        let text = file::read_text(&folder.join(MANIFEST)).unwrap();
        let open = |text: String| {
            file::write_atomic(&folder.join(MANIFEST), text.as_bytes()).unwrap();
            Sealed::open(folder).unwrap_err()
        };
        let schema = open(text.replace("\"schema\": 1", "\"schema\": 2"));
        assert!(matches!(schema, SealError::Schema { found: 2, .. }), "{schema}");
        let version = open(text.replace(env!("CARGO_PKG_VERSION"), "0.0.9"));
        assert!(version.to_string().contains("0.0.9"), "{version}");
        assert!(open(text[..100].into()).to_string().contains(MANIFEST));
        file::remove_file(&folder.join(MANIFEST)).unwrap();
        assert!(matches!(Sealed::open(folder), Err(SealError::Absent { .. })));
    }

    #[test]
    fn a_file_beyond_all_measure_is_not_read() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        sealed(folder, &[]);
        let endless = std::fs::File::options().write(true).open(folder.join(MANIFEST)).unwrap();
        endless.set_len(MOST_OF_MANIFEST + 1).unwrap();
        assert!(matches!(Sealed::open(folder), Err(SealError::TooLarge { .. })));
    }
}
