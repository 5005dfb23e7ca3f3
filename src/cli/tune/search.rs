//! `fadecast tune EXPERIMENT`: begins a search or goes on with it, to the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::leash::{State, Workers};
use super::view::View;
use super::{Globals, drawn, title};
use crate::cli::experiment::{INTERRUPT, Overrides, Progress, catch_interrupt, read, shown};
use crate::cli::print;
use crate::device::Backend;
use crate::experiment::search::{Opened, Plan, nested};
use crate::experiment::{ExperimentError, Outcome};
use crate::file;
use crate::report::search::{history, parallel, slices, table};
use crate::report::table as run_table;
use crate::tuner::objective::ranked;
use crate::tuner::store::Files;
use crate::tuner::study::{Crew, Ended, Study, WorkOptions, work};
use crate::tuner::{Evaluate, Trial, Values, oracle};

/// How often the view of several workers is drawn anew.
const LOOK: Duration = Duration::from_millis(200);

/// Trials in the printed table.
const SHOWN: usize = 5;

/// Arguments of the search itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Experiment file with `[tuner]`.
    #[arg(required = true)]
    experiment: Option<PathBuf>,
    /// Backend of the networks: flex, ndarray or wgpu.
    #[arg(long, default_value = "flex")]
    backend: Backend,
    /// Processes that train trials, side by side; with one, the same seed gives the same trials.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// Name of the search's folder below `tuner_results/`, instead of the experiment's.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Begins a search of its own where the space, the data or the experiment changed; trials that still fit are kept.
    #[arg(long)]
    fork: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// What a worker is to do.
pub(super) struct Wanted {
    /// Trials after which it ends.
    pub(super) count: Option<usize>,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the experiment, the study or the trainer says.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    crate::device::device(args.backend)?;
    let (name, config) = read(args.experiment.as_deref(), &args.overrides)?;
    let source = args.experiment.as_deref().map_or_else(String::new, |p| p.display().to_string());
    let mut plan = Plan::new(&name, &config, &source, &globals.root, args.backend)?;
    plan.project = args.project.clone().unwrap_or(plan.project);
    let kept = if args.fork {
        let (forked, kept) = plan.fork(&globals.root)?;
        plan = forked;
        kept
    } else {
        vec![Vec::new(); plan.parts.len()]
    };
    globals.say(&heading(&plan, args.workers));
    let mut found = Vec::new();
    for (part, kept) in kept.into_iter().enumerate() {
        found.push(search_part(&plan, part, kept, args, globals)?);
    }
    report(&plan, &found, globals)
}

/// Searches one part to its end; returns its study.
fn search_part(
    plan: &Plan,
    part: usize,
    kept: Vec<Trial>,
    args: &Args,
    globals: &Globals,
) -> anyhow::Result<Study> {
    let Opened { mut study, lock, warnings } = plan.open(&globals.root, part)?;
    if study.trials().is_empty() {
        study.adopt(kept)?;
    }
    let label = plan.parts[part].name.clone().unwrap_or_else(|| "tune".into());
    let mut view = View::new(&label, &study, globals.quiet);
    for warning in warnings.into_iter().chain(too_few(&study)) {
        view.warn(&warning);
    }
    let ended = if args.workers > 1 {
        let folder = study.folder().to_path_buf();
        let mut workers = Workers::start(&globals.root, &folder, usize::from(args.workers))?;
        oversee(&mut study, &mut workers, &mut view)?
    } else {
        let mut trainer = plan.trainer(part);
        work_in(&mut study, &mut trainer, &mut view, &Wanted { count: None })?
    };
    drop(lock);
    match ended {
        Ended::Paused => Err(interrupted(study.folder())),
        Ended::Complete | Ended::Exhausted | Ended::Counted => Ok(study),
    }
}

/// Says when an oracle that plans its trials ahead is given fewer.
fn too_few(study: &Study) -> Option<String> {
    let (config, planned) = (study.config(), oracle::create(study.config().oracle).planned(&study.view())?);
    let text = || {
        format!(
            "{} takes {planned} trials and gets {}: it ends within a bracket; raise tuner.trials",
            config.oracle, config.trials
        )
    };
    (planned > config.trials).then(text)
}

/// Works in a study until it is done or somebody asks for a pause.
///
/// # Errors
/// Whatever the study or the trainer says.
pub(super) fn work_in(
    study: &mut Study,
    trainer: &mut dyn Evaluate,
    view: &mut View,
    wanted: &Wanted,
) -> anyhow::Result<Ended> {
    let mut oracle = oracle::create(study.config().oracle);
    let crew = Crew {
        oracle: oracle.as_mut(),
        evaluate: trainer,
        derive: &mut Files::default(),
        watch: view,
        stop: &|| INTERRUPT.reason().is_some(),
    };
    let nanos = chrono::Utc::now().timestamp_subsec_nanos();
    let worker = format!("{}-{nanos:09}", std::process::id());
    Ok(work(study, crew, &WorkOptions { worker, count: wanted.count })?)
}

/// Watches workers until they are done.
fn oversee(study: &mut Study, workers: &mut Workers, view: &mut View) -> anyhow::Result<Ended> {
    loop {
        let state = workers.look()?;
        study.refresh()?;
        view.poll(study);
        if INTERRUPT.reason().is_some() {
            workers.stop();
            study.refresh()?;
            return Ok(Ended::Paused);
        }
        if let State::Ended { paused } = state {
            return Ok(if paused { Ended::Paused } else { Ended::Complete });
        }
        std::thread::sleep(LOOK);
    }
}

/// Returns the error of a search that was asked to pause.
pub(super) fn interrupted(folder: &Path) -> anyhow::Error {
    ExperimentError::SearchInterrupted { study: folder.into() }.into()
}

fn heading(plan: &Plan, workers: u16) -> String {
    let tuner = &plan.settings.tuner;
    let parts =
        if plan.parts.len() > 1 { format!("{} searches of ", plan.parts.len()) } else { String::new() };
    let folds = plan.parts.first().map_or(0, |p| p.folds.len());
    let workers = if workers > 1 { format!(" · {workers} workers") } else { String::new() };
    let judged =
        if tuner.nested { "inner folds: no test row is seen" } else { "the folds that are reported" };
    format!(
        "{} · {} · {parts}{} trials x {folds} folds x {} seeds · {} parameters{workers}\ndata    {}\njudge   {judged}",
        plan.project,
        tuner.oracle,
        tuner.trials,
        tuner.executions,
        plan.settings.space.len(),
        plan.task.summary,
    )
}

/// Prints the best trials of each part and, where no test row was seen, how they do on the test rows.
fn report(plan: &Plan, studies: &[Study], globals: &Globals) -> anyhow::Result<()> {
    let best: Vec<Option<&Trial>> =
        studies.iter().map(|s| ranked(s.trials(), s.objectives()).first().copied()).collect();
    let values: Option<Vec<Values>> = best.iter().map(|t| t.map(|t| t.values.clone())).collect();
    let outcome = match values {
        Some(values) if plan.settings.tuner.nested => {
            let mut progress = Progress::new("nested", plan.config.train.epochs, globals.quiet);
            let root = &globals.root;
            let run = PathBuf::from("tuner_results").join(&plan.project);
            let paused = |e| match e {
                ExperimentError::Stopped => ExperimentError::SearchInterrupted { study: run.clone() },
                other => other,
            };
            let mut outcome = nested::evaluate(plan, &values, &INTERRUPT, &mut progress).map_err(paused)?;
            outcome.run = run;
            file::write_json(&root.join(&outcome.run).join("outcome.json"), &outcome)?;
            Some(outcome)
        }
        _ => None,
    };
    if globals.json {
        return print(&serde_json::to_string(&json(plan, studies, &best, outcome.as_ref(), globals))?);
    }
    for study in studies {
        print_study(study, globals)?;
    }
    match outcome {
        Some(outcome) => print(&run_table::run(&outcome)),
        None if plan.settings.tuner.nested => print(
            "        no trial of a part is completed: nothing to judge on the test rows; see `tune show`\n",
        ),
        None => print("        judged by the folds above: as a figure of merit these are `tuned_on_test`\n"),
    }
}

fn print_study(study: &Study, globals: &Globals) -> anyhow::Result<()> {
    let name = title(study.folder(), globals);
    let search = drawn(study, &name);
    let figures = study.folder().join("figures");
    file::create_folder(&figures)?;
    history(&search).save(&figures.join("history"))?;
    parallel(&search, &[]).save(&figures.join("parallel"))?;
    slices(&search, &[]).save(&figures.join("slices"))?;
    let folder = shown(study.folder(), &globals.root);
    let end = format!(
        "study   {0}  ({1}; figures/history.png, parallel.png, slices.png; see also `tune show`, `tune importance`)\n\n",
        folder.display(),
        super::show::bytes(study.disk_bytes()),
    );
    print(&format!("{}{end}", table::best(&search, SHOWN)))
}

fn json(
    plan: &Plan,
    studies: &[Study],
    best: &[Option<&Trial>],
    outcome: Option<&Outcome>,
    globals: &Globals,
) -> serde_json::Value {
    let one = |(study, best): (&Study, Option<&Trial>)| {
        serde_json::json!({
            "study": shown(study.folder(), &globals.root),
            "trials": study.trials().len(),
            "best": best,
        })
    };
    let studies: Vec<_> = studies.iter().zip(best.iter().copied()).map(one).collect();
    serde_json::json!({
        "search": plan.project,
        "experiment": plan.name,
        "objectives": plan.settings.objectives,
        "nested": plan.settings.tuner.nested,
        "studies": studies,
        "outcome": outcome,
    })
}
