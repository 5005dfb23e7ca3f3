//! `fadecast experiments`: checks experiment files without running them.

use std::path::PathBuf;

use super::experiment::{Overrides, read};
use super::{Globals, print};
use crate::experiment::folder::resolved_toml;
use crate::experiment::search::Settings;

/// Works on experiment files.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Checks a file, all problems at once, and prints it resolved, every default included.
    Check {
        /// Experiment file.
        file: PathBuf,
        #[command(flatten)]
        overrides: Overrides,
    },
}

/// Runs the verb.
///
/// # Errors
/// Every problem of the file at once.
pub(super) fn run(command: &Command, globals: &Globals) -> anyhow::Result<()> {
    let Command::Check { file, overrides } = command;
    let (_, config) = read(Some(file), overrides)?;
    if config.tuner.is_some() {
        Settings::new(&config, &file.display().to_string())?;
    }
    if globals.json {
        return print(&serde_json::to_string(&config)?);
    }
    print(&resolved_toml(&config)?)
}
