//! `fadecast tune export`: a trial as an ordinary experiment file and run.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Globals;
use crate::cli::experiment::{INTERRUPT, Progress, catch_interrupt, shown, stamp};
use crate::cli::print;
use crate::experiment::run::{self, RunContext};
use crate::experiment::search::{Plan, export};
use crate::experiment::task::Task;
use crate::experiment::{ExperimentConfig, Outcome};
use crate::file;
use crate::report::table;
use crate::tuner::Trial;
use crate::tuner::objective::ranked;
use crate::tuner::study::Study;

/// Writes a trial as an experiment file, and trains it on the experiment's own folds as an ordinary run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the search, or its folder; of a search in parts, the folder of one part.
    search: PathBuf,
    /// Trial to export; without it, the best.
    #[arg(long)]
    trial: Option<String>,
    /// Experiment file to write; by default experiments/SEARCH-trial-ID.toml.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes the experiment file only.
    #[arg(long)]
    no_train: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such trial, or whatever the run says.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    let folder = super::only(&args.search, globals)?;
    let study = Study::read(&folder)?;
    let trial = find(&study, args.trial.as_deref())?;
    let (plan, part) = Plan::of_study(&folder, &globals.root)?;
    let exported = export::experiment(&plan, &plan.parts[part], trial)?;
    let name = name(&folder, globals, trial);
    let out =
        args.out.clone().unwrap_or_else(|| globals.root.join("experiments").join(format!("{name}.toml")));
    write(&out, &exported)?;
    let outcome = if args.no_train { None } else { Some(train(&out, &exported, plan.backend, globals)?) };
    if globals.json {
        return print(
            &serde_json::json!({ "experiment": out, "trial": trial, "outcome": outcome }).to_string(),
        );
    }
    if let Some(outcome) = &outcome {
        print(&format!("{}run     {}\n", table::run(outcome), outcome.run.display()))?;
    }
    print(&format!("file    {}\n", shown(&out, &globals.root).display()))
}

fn find<'a>(study: &'a Study, id: Option<&str>) -> anyhow::Result<&'a Trial> {
    match id {
        None => {
            ranked(study.trials(), study.objectives()).first().copied().context("no trial is completed yet")
        }
        Some(id) => {
            let same = |t: &&Trial| t.id == id || t.id.trim_start_matches('0') == id.trim_start_matches('0');
            let found = study.trials().iter().find(same);
            found.with_context(|| format!("no trial `{id}`; `fadecast tune show` lists them"))
        }
    }
}

fn name(folder: &Path, globals: &Globals, trial: &Trial) -> String {
    format!("{}-trial-{}", super::title(folder, globals).replace(['/', '\\'], "-"), trial.id)
}

fn write(out: &Path, config: &ExperimentConfig) -> anyhow::Result<()> {
    if let Some(parent) = out.parent() {
        file::create_folder(parent)?;
    }
    Ok(file::write_atomic(out, export::sparse_toml(config)?.as_bytes())?)
}

fn train(
    out: &Path,
    config: &ExperimentConfig,
    backend: crate::device::Backend,
    globals: &Globals,
) -> anyhow::Result<Outcome> {
    let name = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let task = Task::load(config, &globals.root)?;
    let (short, long) = stamp();
    let mut progress = Progress::new("train", config.train.epochs, globals.quiet);
    let context = RunContext {
        root: &globals.root,
        stamp: (&short, &long),
        backend,
        interrupt: &INTERRUPT,
        observe: &mut progress,
    };
    Ok(run::start(&name, config, &task, context)?)
}
