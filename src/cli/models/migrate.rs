//! `fadecast models migrate`: a finished run of before the registry gets its manifest.

use std::path::Path;

use serde_json::json;

use crate::cli::experiment::shown;
use crate::cli::{Globals, print};
use crate::experiment::folder::RunFolder;
use crate::experiment::run;
use crate::experiment::task::Task;
use crate::pipeline::manifest::{MANIFEST, Manifest};
use crate::registry::shelf;

/// Runs the verb.
///
/// # Errors
/// Where the dataset is not there or has changed, or the run's figures are not those that it reported.
pub(super) fn run(run: &Path, globals: &Globals) -> anyhow::Result<()> {
    let (folder, state) = RunFolder::open(&globals.root, run)?;
    let path = shown(folder.path(), &globals.root).display().to_string();
    if folder.file(MANIFEST).exists() {
        let (_, manifest) = shelf::manifest(&globals.root, folder.path())?;
        return told(&manifest, globals, &format!("{path} has its {MANIFEST} already"), false);
    }
    globals.say(&format!("{path} is evaluated again on `{}`", folder.config()?.dataset));
    let config = folder.config()?;
    let task = Task::load(&config, &globals.root)?;
    let manifest = run::migrate(&folder, &state, &config, &task)?;
    let text =
        format!("{path} gives the figures that it reported, and has its {MANIFEST} and a new model card now");
    told(&manifest, globals, &text, true)
}

fn told(manifest: &Manifest, globals: &Globals, text: &str, migrated: bool) -> anyhow::Result<()> {
    if globals.json {
        let (run, refused) = (&manifest.run, &manifest.refused);
        return print(&json!({ "run": run, "migrated": migrated, "refused": refused }).to_string());
    }
    let refused = manifest.refused.as_ref().map_or_else(String::new, |why| format!("not served: {why}\n"));
    print(&format!("{text}\n{refused}"))
}
