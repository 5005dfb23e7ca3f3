//! `fadecast train`: runs an experiment, or goes on with a run.

use std::path::{Path, PathBuf};

use super::experiment::{INTERRUPT, Overrides, Progress, catch_interrupt, read, stamp};
use super::{Globals, print};
use crate::device::Backend;
use crate::experiment::folder::RunFolder;
use crate::experiment::run::{self, RunContext};
use crate::experiment::start;
use crate::experiment::task::Task;
use crate::experiment::{ExperimentConfig, Outcome, Reasons};
use crate::file;
use crate::report::{early, table};

/// Trains the model of an experiment and reports it beside its baselines.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Experiment file; without one, the quickstart on the embedded fleet.
    experiment: Option<PathBuf>,
    /// Starts every network from that of a run (models/EXPERIMENT/RUN, or an experiment's name), or from a file of weights
    /// (.weights.h5, .h5, .safetensors), instead of drawing its weights; the same as --set start.from=...
    #[arg(long, value_name = "RUN|FILE")]
    from: Option<String>,
    /// Backend of the networks: flex, ndarray or wgpu (see `fadecast devices`).
    #[arg(long, default_value = "flex")]
    backend: Backend,
    #[command(flatten)]
    overrides: Overrides,
    /// Goes on with a run that was killed or interrupted (its folder models/EXPERIMENT/RUN).
    #[arg(long, value_name = "RUN", conflicts_with_all = ["experiment", "set", "seed", "backend", "from"])]
    resume: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the experiment or the run says.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    let outcome = match &args.resume {
        Some(run) => resume(run, globals)?,
        None => start(args, globals)?,
    };
    tell(&outcome, globals)
}

/// Prints what came out, with figures where there are some.
///
/// # Errors
/// Where a figure cannot be drawn or written.
pub(super) fn tell(outcome: &Outcome, globals: &Globals) -> anyhow::Result<()> {
    let figures = draw(outcome, &globals.root)?;
    if globals.json {
        return print(&serde_json::to_string(outcome)?);
    }
    let run = outcome.run.display();
    let seconds = outcome.seconds;
    print(&format!(
        "{}{figures}run     {run}    (resume, evaluate: use this path or `latest`)\ntime    {seconds:.1} s\n",
        table::run(outcome)
    ))
}

/// Draws the figures of lives and tiers into the run's folder and says where they are.
fn draw(outcome: &Outcome, root: &Path) -> anyhow::Result<String> {
    if !outcome.kind.is_early() {
        return Ok(String::new());
    }
    let folder = root.join(&outcome.run).join("figures");
    let reasons = Reasons::load(&root.join(&outcome.run))?;
    file::create_folder(&folder)?;
    let mut stems = Vec::new();
    for (stem, figure) in early::figures(outcome, &reasons) {
        figure.save(&folder.join(stem))?;
        stems.push(stem);
    }
    Ok(format!("figures {}/{{{}}}.png, .svg\n", outcome.run.join("figures").display(), stems.join(",")))
}

fn start(args: &Args, globals: &Globals) -> anyhow::Result<Outcome> {
    let from = args.from.as_ref().map(|from| format!("start.from={}", toml::Value::from(from.as_str())));
    let set = args.overrides.set.iter().cloned().chain(from).collect();
    let overrides = Overrides { set, ..args.overrides };
    let (name, config) = read(args.experiment.as_deref(), &overrides)?;
    crate::device::device(args.backend)?;
    begin(&name, &config, args.backend, globals)
}

/// Trains an experiment in a new run.
///
/// # Errors
/// Whatever the experiment or the run says.
pub(super) fn begin(
    name: &str,
    config: &ExperimentConfig,
    backend: Backend,
    globals: &Globals,
) -> anyhow::Result<Outcome> {
    let task = Task::load(config, &globals.root)?;
    let config = start::resolve(config, &task, &globals.root)?;
    globals.say(&heading(name, &config, &task, backend));
    let (short, long) = stamp();
    let mut progress = Progress::new("train", config.train.epochs, globals.quiet);
    Ok(run::start(
        name,
        &config,
        &task,
        RunContext {
            root: &globals.root,
            stamp: (&short, &long),
            backend,
            interrupt: &INTERRUPT,
            observe: &mut progress,
        },
    )?)
}

fn resume(run: &std::path::Path, globals: &Globals) -> anyhow::Result<Outcome> {
    let (folder, state) = RunFolder::open(&globals.root, run)?;
    let config = folder.config()?;
    let task = Task::load(&config, &globals.root)?;
    let backend = state.backend;
    globals.say(&heading(&state.experiment, &config, &task, backend));
    let created = state.created.clone();
    let mut progress = Progress::new("resume", config.train.epochs, globals.quiet);
    Ok(run::resume(
        &folder,
        state,
        &config,
        &task,
        RunContext {
            root: &globals.root,
            stamp: ("", &created),
            backend,
            interrupt: &INTERRUPT,
            observe: &mut progress,
        },
    )?)
}

fn heading(name: &str, config: &ExperimentConfig, task: &Task, backend: Backend) -> String {
    let members = config.repeats * config.train.members;
    let folds = task.folds.len();
    let kind = config.model.kind.name();
    let widths: Vec<String> = config.model.network().hidden.iter().map(ToString::to_string).collect();
    let widths = widths.join("-");
    let model = match kind {
        "hybrid" => format!("hybrid ({} prior, {widths})", config.model.prior),
        "physics" => format!("physics ({})", config.model.prior),
        "dense" => format!("dense ({widths})"),
        other => other.to_owned(),
    };
    let networks = if matches!(kind, "dense" | "hybrid") {
        format!(" · {folds} folds x {members} seeds = {} members · {backend}", folds as u32 * members)
    } else {
        format!(" · {folds} folds")
    };
    format!("{name} · {model}{networks}\ndata    {}\nleak    {}", task.summary, task.leakage)
}
