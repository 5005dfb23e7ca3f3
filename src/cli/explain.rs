//! `fadecast explain`: which inputs a model rests on, and why it says what it says of a cell.

use std::path::PathBuf;

use super::{Globals, print};
use crate::experiment::Reasons;
use crate::experiment::folder::RunFolder;
use crate::report::early::table;

/// Says which inputs a run's model of lives or tiers rests on, or why it says what it says of a cell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder, or `models/NAME/latest`.
    run: PathBuf,
    /// Cell that the model did not learn from; without one, what it rests on over all cells.
    cell: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the run says: without reasons, of another version, or silent about the cell.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let (folder, _) = RunFolder::open(&globals.root, &args.run)?;
    let reasons = Reasons::load(folder.path())?;
    let cell = args.cell.as_deref().map(|name| reasons.cell(name)).transpose()?;
    match cell {
        Some(cell) if globals.json => print(&serde_json::to_string(cell)?),
        Some(cell) => print(&table::cell(&reasons, cell)),
        None if globals.json => print(&serde_json::to_string(&reasons)?),
        None => print(&table::reasons(&reasons)),
    }
}
