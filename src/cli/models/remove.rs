//! `fadecast models remove`: a run that nobody serves, deleted.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::experiment::shown;
use crate::cli::{Globals, print};
use crate::registry::shelf;

/// Which run, for certain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run folder, or `models/NAME/latest`.
    run: PathBuf,
    /// Deletes it; there is no way back.
    #[arg(long, required = true)]
    yes: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where the run is promoted, or is not one below `models/`.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let folder = shelf::remove(&globals.root, &args.run)?;
    let path = shown(&folder, &globals.root).display().to_string();
    if globals.json {
        return print(&json!({ "removed": path }).to_string());
    }
    print(&format!("removed {path}"))
}
