//! `fadecast tune`: searches settings of an experiment, and shows what was found.

mod export;
mod importance;
mod leash;
mod search;
mod show;
mod view;
mod worker;

use std::path::{Path, PathBuf};

use super::Globals;
use crate::experiment::search::{metric, plan};
use crate::report::search::Search;
use crate::tuner::study::Study;

/// Searches the settings that an experiment's `[tuner.space]` names; run again, it goes on where it was.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    search: search::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Worker(worker::Args),
    Show(show::Args),
    Best(show::BestArgs),
    Importance(importance::Args),
    Export(export::Args),
}

/// Runs the verb.
///
/// # Errors
/// Whatever the search says.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    match &args.command {
        None => search::run(&args.search, globals),
        Some(Command::Worker(a)) => worker::run(a, globals),
        Some(Command::Show(a)) => show::run(a, globals),
        Some(Command::Best(a)) => show::best(a, globals),
        Some(Command::Importance(a)) => importance::run(a, globals),
        Some(Command::Export(a)) => export::run(a, globals),
    }
}

/// Opens the studies of a search to look at them.
///
/// # Errors
/// Where there is none.
fn read(name: &Path, globals: &Globals) -> anyhow::Result<Vec<(PathBuf, Study)>> {
    let folder = plan::find(&globals.root, name);
    let folders = plan::studies(&folder);
    if folders.is_empty() {
        return Err(crate::experiment::ExperimentError::NoStudy { folder }.into());
    }
    folders.into_iter().map(|f| Ok((f.clone(), Study::read(&f)?))).collect()
}

/// Returns the folder of the study that people mean, where it is one.
///
/// # Errors
/// Where there is none, or the search has parts: they are listed.
fn only(name: &Path, globals: &Globals) -> anyhow::Result<PathBuf> {
    let folder = plan::find(&globals.root, name);
    match &plan::studies(&folder)[..] {
        [] => Err(crate::experiment::ExperimentError::NoStudy { folder }.into()),
        [one] => Ok(one.clone()),
        parts => {
            let shown = |part: &PathBuf| super::experiment::shown(part, &globals.root).display().to_string();
            let parts: Vec<String> = parts.iter().map(shown).collect();
            anyhow::bail!("the search has parts, each with trials of its own; name one: {}", parts.join(", "))
        }
    }
}

/// Returns how a study is called: its folder below `tuner_results/`.
fn title(folder: &Path, globals: &Globals) -> String {
    let shown = super::experiment::shown(folder, &globals.root);
    shown.strip_prefix("tuner_results").unwrap_or(&shown).display().to_string()
}

/// Returns a study as reports draw it.
fn drawn<'a>(study: &'a Study, title: &'a str) -> Search<'a> {
    let header = study.header();
    let unit_of: &dyn Fn(&str) -> String = if plan::is_early(study.folder()) {
        &|name| metric::unit(name, true).to_owned()
    } else {
        &|name| metric::unit(name, false).to_owned()
    };
    Search {
        name: title,
        space: &header.space,
        objectives: &header.objectives,
        trials: study.trials(),
        unit_of,
        notes: &[],
    }
}
