//! `fadecast models promote`: which run an experiment is served by.

use std::path::Path;

use serde_json::json;

use crate::cli::experiment::{shown, stamp};
use crate::cli::{Globals, print};
use crate::registry::shelf;

/// Runs the verb.
///
/// # Errors
/// Where the run cannot be served.
pub(super) fn run(run: &Path, globals: &Globals) -> anyhow::Result<()> {
    let (_, now) = stamp();
    let (folder, promotion) = shelf::promote(&globals.root, run, &now)?;
    let path = shown(&folder, &globals.root).display().to_string();
    if globals.json {
        return print(&json!({ "path": path, "promotion": promotion }).to_string());
    }
    let experiment = folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    print(&format!("promoted {path}\nname it `{experiment}` or models/{experiment}/promoted"))
}
