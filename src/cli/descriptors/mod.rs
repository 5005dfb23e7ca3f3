//! `fadecast descriptors`: what the catalogue holds, and its values for the cells of a dataset.

mod compute;
mod list;

use super::Globals;

/// Lists descriptors and computes those of whole cells.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists every descriptor, one a line.
    List(list::Args),
    /// Computes descriptors of the cells of a dataset, one row a cell, as Parquet or CSV.
    Compute(compute::Args),
}

/// Runs the verb.
///
/// # Errors
/// Whatever the store says, or where a name is unknown.
pub fn run(command: &Command, globals: &Globals) -> anyhow::Result<()> {
    match command {
        Command::List(args) => list::run(args, globals),
        Command::Compute(args) => compute::run(args, globals),
    }
}
