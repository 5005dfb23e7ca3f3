//! The command line: one file a verb; parse, call the library, print.

mod compare;
mod evaluate;
mod experiment;
mod experiments;
mod train;

use std::io::Write;
use std::path::PathBuf;

use clap::Parser;

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

#[derive(Debug, Parser)]
#[command(name = "fadecast", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Working directory
    #[arg(long, global = true, env = "FADECAST_ROOT", default_value = ".")]
    root: PathBuf,
    #[arg(long, global = true)]
    json: bool,
    #[arg(long, global = true)]
    quiet: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Train(train::Args),
    Evaluate(evaluate::Args),
    Compare(compare::Args),
    #[command(subcommand)]
    Experiments(experiments::Command),
}

/// Runs the program.
///
/// # Errors
/// Any.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let globals = Globals { root: cli.root, json: cli.json, quiet: cli.quiet };
    match &cli.command {
        Command::Train(a) => train::run(a, &globals),
        Command::Evaluate(a) => evaluate::run(a, &globals),
        Command::Compare(a) => compare::run(a, &globals),
        Command::Experiments(a) => experiments::run(a, &globals),
    }
}
