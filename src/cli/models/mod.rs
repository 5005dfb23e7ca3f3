//! `fadecast models`: lists, shows, promotes, removes, verifies, migrates and imports finished runs.

pub mod import;
mod list;
mod migrate;
mod promote;
mod remove;
mod show;
mod verify;

use std::path::PathBuf;

use super::Globals;

/// Keeps the finished runs below `models/`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists the finished runs: figure beside the best baseline, which is promoted, and why one cannot be served.
    List,
    /// Shows a run: its inputs, its interval, its figures and its model card.
    Show(Named),
    /// Makes a run the one that its experiment is served by (`models/NAME/promoted`, or NAME alone).
    Promote(Named),
    /// Removes a run that is not promoted.
    Remove(remove::Args),
    /// Checks that every file of a run is as it was when it was finished.
    Verify(Named),
    /// Makes a finished run of before the registry servable; it is evaluated again on its dataset.
    Migrate(Named),
    /// Makes a run of a dense network that Keras or `PyTorch` trained.
    Import(import::Args),
}

/// A run by its name.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Run folder, `models/NAME/latest`, `models/NAME/promoted`, or NAME (the promoted run, else the latest).
    run: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the registry says.
pub fn run(command: &Command, globals: &Globals) -> anyhow::Result<()> {
    match command {
        Command::List => list::run(globals),
        Command::Show(args) => show::run(&args.run, globals),
        Command::Promote(args) => promote::run(&args.run, globals),
        Command::Remove(args) => remove::run(args, globals),
        Command::Verify(args) => verify::run(&args.run, globals),
        Command::Migrate(args) => migrate::run(&args.run, globals),
        Command::Import(args) => import::run(args, globals),
    }
}
