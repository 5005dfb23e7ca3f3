//! `fadecast models verify`: whether a run's files are as they were.

use std::path::Path;

use serde_json::json;

use crate::cli::{Globals, print};
use crate::registry::shelf;

/// Runs the verb.
///
/// # Errors
/// Where a file is not as it was, by its name.
pub(super) fn run(run: &Path, globals: &Globals) -> anyhow::Result<()> {
    let manifest = shelf::verify(&globals.root, run)?;
    if globals.json {
        let (run, refused) = (&manifest.run, &manifest.refused);
        return print(&json!({ "run": run, "files": manifest.files, "refused": refused }).to_string());
    }
    let files: String = manifest.files.iter().map(|(name, sha256)| format!("  {sha256}  {name}\n")).collect();
    let n = manifest.files.len();
    let refused = manifest.refused.map_or_else(String::new, |why| format!("not served: {why}\n"));
    print(&format!("{files}{n} files of run {} are as they were\n{refused}", manifest.run))
}
