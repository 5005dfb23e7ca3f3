//! `fadecast models`: what runs there are, and what becomes of them.

pub mod import;

use super::Globals;

/// Lists, shows, promotes, removes and imports models.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a run of a dense network that Keras or `PyTorch` trained.
    Import(import::Args),
}

/// Runs the verb.
///
/// # Errors
/// Whatever the verb says.
pub fn run(command: &Command, globals: &Globals) -> anyhow::Result<()> {
    match command {
        Command::Import(args) => import::run(args, globals),
    }
}
