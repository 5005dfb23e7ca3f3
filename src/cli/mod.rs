//! The command line: one file a verb; parse, call the library, print.
//!
//! Results go to stdout, progress and errors to stderr. Nothing is coloured.

pub mod compare;
pub mod datasets;
pub mod descriptors;
pub mod devices;
pub mod evaluate;
pub mod experiment;
pub mod experiments;
pub mod explain;
pub mod export;
pub mod models;
pub mod predict;
pub mod serve;
pub mod train;
pub mod tune;

mod exit;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, Parser};

/// Flags of every verb.
#[derive(Debug)]
pub struct Globals {
    /// Working directory with `datasets/`, `models/` and `tuner_results/`.
    pub root: PathBuf,
    /// Whether results are JSON.
    pub json: bool,
    /// Whether progress is hidden.
    pub quiet: bool,
}

impl Globals {
    /// Tells the person who waits, on stderr.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

/// Prints a result on stdout; a reader that has gone away is no error.
///
/// # Errors
/// Where stdout cannot be written for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// Battery ageing: raw cycler files to trained, compared models.
///
/// Results go to stdout, progress to stderr. Exit codes: 0 success, 1 the run failed, 2 the command or an experiment
/// file is wrong, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "fadecast", version, color = ColorChoice::Never)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Working directory, with `datasets/` and `models/`.
    #[arg(long, value_name = "DIR", global = true, env = "FADECAST_ROOT", default_value = ".")]
    root: PathBuf,
    /// Prints the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Shows no progress.
    #[arg(long, global = true)]
    quiet: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Train(train::Args),
    Tune(tune::Args),
    Evaluate(evaluate::Args),
    Compare(compare::Args),
    Explain(explain::Args),
    Predict(predict::Args),
    Export(export::Args),
    Serve(serve::Args),
    #[command(subcommand)]
    Experiments(experiments::Command),
    #[command(subcommand)]
    Datasets(datasets::Command),
    #[command(subcommand)]
    Descriptors(descriptors::Command),
    #[command(subcommand)]
    Models(models::Command),
    Devices(devices::Args),
}

/// Runs the program on its arguments; prints what went wrong.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            let _ = asked.print();
            return ExitCode::from(asked.exit_code() as u8);
        }
    };
    let globals = Globals { root: cli.root, json: cli.json, quiet: cli.quiet };
    match dispatch(&cli.command, &globals) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}", exit::message(&error));
            ExitCode::from(exit::code(&error))
        }
    }
}

fn dispatch(command: &Command, globals: &Globals) -> anyhow::Result<()> {
    match command {
        Command::Train(a) => train::run(a, globals),
        Command::Tune(a) => tune::run(a, globals),
        Command::Evaluate(a) => evaluate::run(a, globals),
        Command::Compare(a) => compare::run(a, globals),
        Command::Explain(a) => explain::run(a, globals),
        Command::Export(a) => export::run(a, globals),
        Command::Serve(a) => serve::run(a, globals),
        Command::Predict(a) => predict::run(a, globals),
        Command::Experiments(a) => experiments::run(a, globals),
        Command::Datasets(a) => datasets::run(a, globals),
        Command::Descriptors(a) => descriptors::run(a, globals),
        Command::Models(a) => models::run(a, globals),
        Command::Devices(a) => devices::run(a, globals),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
