//! `fadecast models show`: what a run is, what it asks for and how good it is.

use std::path::Path;

use serde::Serialize;

use crate::cli::experiment::shown;
use crate::cli::{Globals, print};
use crate::experiment::Outcome;
use crate::experiment::folder::{METRICS, MODEL_CARD};
use crate::file;
use crate::pipeline::manifest::Manifest;
use crate::registry::shelf;
use crate::report::table;

/// The object of `--json`.
#[derive(Debug, Serialize)]
struct Shown {
    path: String,
    promoted: bool,
    manifest: Manifest,
    outcome: Outcome,
    card: String,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or its files cannot be read.
pub(super) fn run(run: &Path, globals: &Globals) -> anyhow::Result<()> {
    let (folder, manifest) = shelf::manifest(&globals.root, run)?;
    let outcome: Outcome = file::read_json(&folder.join(METRICS))?;
    let card = file::read_text(&folder.join(MODEL_CARD))?;
    let promoted = shelf::is_promoted(&folder)?;
    let path = shown(&folder, &globals.root).display().to_string();
    if globals.json {
        return print(&serde_json::to_string(&Shown { path, promoted, manifest, outcome, card })?);
    }
    let served = match (&manifest.refused, promoted) {
        (Some(why), _) => format!("no: {why}"),
        (None, true) => "yes, promoted".into(),
        (None, false) => "yes".into(),
    };
    let (files, inputs) = (manifest.files.len(), manifest.inputs.len());
    print(&format!(
        "run     {path}\nserved  {served}\nmade    {} by fadecast {}, of dataset `{}`\n\
         holds   {inputs} inputs, {files} hashed files\n\n{}\n{card}",
        manifest.created,
        manifest.fadecast,
        manifest.dataset,
        table::run(&outcome)
    ))
}
