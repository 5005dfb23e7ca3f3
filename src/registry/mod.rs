//! The registry: finished runs as what answers, loaded from their folders without data or training.
//!
//! A run is loaded by any of its names: its folder, `models/NAME/latest`, `models/NAME/promoted`, or `NAME` alone (the
//! promoted run, else the latest). Nothing is parsed before its hash agrees with the manifest, nothing is built that does
//! not pass [`Pipeline::check`], and a run whose answers would not be what was judged is refused with the reason.

mod build;
mod error;
#[cfg(test)]
mod fuzz;
pub mod shelf;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};

pub use error::RegistryError;

use crate::experiment::artifact;
use crate::experiment::folder::{EXPERIMENT, locate};
use crate::experiment::parse;
use crate::experiment::sealed::Sealed;
use crate::pipeline::Pipeline;
use crate::pipeline::manifest::Manifest;

/// A run that can answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What computes its answers.
    pub pipeline: Pipeline,
    /// What it is.
    pub manifest: Manifest,
    /// Its folder.
    pub path: PathBuf,
}

/// Loads a run by any of its names; `root` is the working directory with `models/`.
///
/// # Errors
/// [`RegistryError`]: there is no such run, it cannot be served faithfully, or a file of it is not as it was.
pub fn load(root: &Path, run: &Path) -> Result<Loaded, RegistryError> {
    let path = locate(root, run)?;
    let sealed = Sealed::open(&path)?;
    if let Some(why) = &sealed.manifest().refused {
        return Err(RegistryError::Refused { run: path, why: why.clone() });
    }
    sealed.verify()?;
    let pipeline = pipeline(&sealed)?;
    Ok(Loaded { pipeline, manifest: sealed.into_manifest(), path })
}

/// Builds what a sealed run computes.
fn pipeline(sealed: &Sealed) -> Result<Pipeline, RegistryError> {
    let damaged = |damage| RegistryError::from(sealed.damaged(damage));
    let text = String::from_utf8(sealed.read(EXPERIMENT)?)
        .map_err(|e| damaged(artifact::Damage::new(EXPERIMENT, e)))?;
    let config = parse::parse(&text, EXPERIMENT, &[])
        .map_err(|e| damaged(artifact::Damage::new(EXPERIMENT, build::chain(&e))))?;
    let read = |name: &str| sealed.read(name).map_err(build::Unread::Sealed);
    let stored = artifact::read(&config, &read).map_err(|unread| match unread {
        build::Unread::Sealed(error) => RegistryError::from(error),
        build::Unread::Damaged(damage) => damaged(damage),
    })?;
    build::pipeline(sealed.manifest(), &config, stored).map_err(damaged)
}
