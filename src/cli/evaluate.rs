//! `fadecast evaluate`: loads a completed run and scores it anew.

use std::path::PathBuf;

use super::{Globals, print};
use crate::experiment::folder::RunFolder;
use crate::experiment::run;
use crate::experiment::task::Task;
use crate::report::table;

/// Loads a run's weights, predicts its unseen rows again and reports the figures.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder, or `models/NAME/latest`.
    run: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the run says: unfinished, damaged, of other data or of another version.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let (folder, state) = RunFolder::open(&globals.root, &args.run)?;
    let config = folder.config()?;
    let task = Task::load(&config, &globals.root)?;
    let outcome = run::evaluate(&folder, &state, &config, &task)?;
    if globals.json {
        return print(&serde_json::to_string(&outcome)?);
    }
    print(&format!("{}run     {}\n", table::run(&outcome), outcome.run.display()))
}
