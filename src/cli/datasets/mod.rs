//! `fadecast datasets`: imports, downloads, lists, shows and checks datasets.

mod check;
mod fetch;
mod import;
mod list;
mod progress;
mod show;
mod simulate;

use super::Globals;
use crate::dataset::store::Store;
use crate::experiment::task;
pub(super) use progress::cells_bar;

/// Makes, lists and judges datasets.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a dataset of files, folders or archives; whole or not at all.
    Import(import::Args),
    /// Downloads a published dataset and imports it; goes on with a download that was cut off.
    Fetch(fetch::Args),
    /// Makes a dataset of simulated cells, each of their first cycles recorded.
    Simulate(simulate::Args),
    /// Lists the datasets.
    List,
    /// Shows a dataset: records, discharges, capacities and end of life of each cell.
    Show(show::Args),
    /// Reports what is wrong with a dataset, record by record; changes and drops nothing.
    Check(check::Args),
}

/// Runs the verb.
///
/// # Errors
/// Whatever the reader or the store says.
pub fn run(command: &Command, globals: &Globals) -> anyhow::Result<()> {
    let store = Store::new(&globals.root);
    match command {
        Command::Import(args) => import::run(args, &store, globals),
        Command::Fetch(args) => fetch::run(args, &store, globals),
        Command::Simulate(args) => simulate::run(args, &store, globals),
        Command::List => list::run(&store, globals),
        Command::Show(args) => show::run(args, &store, globals),
        Command::Check(args) => check::run(args, &store, globals),
    }
}

/// Refuses the names of simulated fleets, which would hide a stored dataset.
fn refuse_embedded(name: &str) -> anyhow::Result<()> {
    let is_taken = name == task::EMBEDDED || name == task::EMBEDDED_SOLID_STATE;
    anyhow::ensure!(
        !is_taken,
        "`{name}` is the name of a simulated fleet that needs no import; give another name"
    );
    Ok(())
}

/// Returns `1 cell` or `4 cells`.
pub(super) fn counted(n: impl Into<u64>, one: &str) -> String {
    let n = n.into();
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Returns the text, or a dash where there is none.
fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}
