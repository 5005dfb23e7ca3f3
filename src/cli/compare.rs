//! `fadecast compare`: several models on the same folds, one table, one figure.

use std::path::{Path, PathBuf};

use super::experiment::{INTERRUPT, Overrides, Progress, catch_interrupt, read};
use super::{Globals, print};
use crate::device::Backend;
use crate::experiment::Comparison;
use crate::experiment::compare::{self, CompareContext};
use crate::file;
use crate::report::{Figure, early, table};
use crate::train::Observe;

/// Fits each model of the experiments on the same folds: physics, linear, dense, hybrid, their ablations and baselines.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Experiment files.
    #[arg(required = true)]
    experiments: Vec<PathBuf>,
    /// Backend of the networks: flex, ndarray or wgpu.
    #[arg(long, default_value = "flex")]
    backend: Backend,
    #[command(flatten)]
    overrides: Overrides,
    /// Folder of the tables and figures.
    #[arg(long, value_name = "DIR", default_value = "models/compare")]
    out: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Whatever an experiment says.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    let mut found = Vec::new();
    for path in &args.experiments {
        let comparison = one(path, args, globals)?;
        let stem = store(&comparison, &globals.root.join(&args.out))?;
        if !globals.json {
            let stem = super::experiment::shown(&stem, &globals.root);
            let files = format!("figure  {0}.png, {0}.svg · {0}.json", stem.display());
            print(&format!("{}{files}\n\n", table::comparison(&comparison)))?;
        }
        found.push(comparison);
    }
    if globals.json { print(&serde_json::to_string(&found)?) } else { Ok(()) }
}

fn one(path: &Path, args: &Args, globals: &Globals) -> anyhow::Result<Comparison> {
    let (name, config) = read(Some(path), &args.overrides)?;
    let mut observe = |label: &str, config: &crate::experiment::ExperimentConfig| -> Box<dyn Observe> {
        Box::new(Progress::new(label, config.train.epochs, globals.quiet))
    };
    let context = CompareContext { root: &globals.root, backend: args.backend, interrupt: &INTERRUPT };
    Ok(compare::compare(&name, &config, context, &mut observe)?)
}

fn store(comparison: &Comparison, folder: &Path) -> anyhow::Result<PathBuf> {
    file::create_folder(folder)?;
    let stem = folder.join(&comparison.task);
    file::write_json(&stem.with_extension("json"), comparison)?;
    let figure =
        if comparison.kind.is_early() { early::comparison(comparison) } else { Figure::of(comparison) };
    figure.save(&stem)?;
    Ok(stem)
}
