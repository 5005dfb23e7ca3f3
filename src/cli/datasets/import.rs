//! `fadecast datasets import`: files to a dataset.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::progress::Progress;
use crate::cell::CellId;
use crate::cli::experiment::stamp;
use crate::cli::{Globals, print};
use crate::dataset::CellFacts;
use crate::dataset::import::{ImportPlan, import};
use crate::dataset::reader::ReadOptions;
use crate::dataset::reader::registry::{find, readers};
use crate::dataset::store::{OnExisting, Store};

/// What to import, and as what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Format of the files.
    #[arg(value_parser = formats())]
    format: String,
    /// Files, folders, `.tar.zst` or `.zip` archives, as the format allows.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Name of the dataset.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    existing: Existing,
    #[command(flatten)]
    stated: Stated,
    /// Column map (TOML) of the formats `csv` and `inputs`.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Only these cells.
    #[arg(long, value_name = "CELL,...", value_delimiter = ',')]
    cells: Vec<String>,
}

/// What to do where the name is taken.
#[derive(Debug, clap::Args)]
pub(super) struct Existing {
    /// Adds new cells to a dataset that exists.
    #[arg(long, conflicts_with = "replace")]
    add: bool,
    /// Makes a dataset that exists anew.
    #[arg(long)]
    replace: bool,
}

/// What the user knows of the cells.
#[derive(Debug, clap::Args)]
pub(super) struct Stated {
    /// Nominal capacity of the cells, where the format does not state it [Ah].
    #[arg(long, value_name = "AH", value_parser = positive)]
    nominal_capacity_ah: Option<f64>,
    /// State of health at the end of life, a fraction (0.8).
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    eol_soh: Option<f64>,
    /// Where the data comes from and under which licence.
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the reader or the store says; nothing is then stored.
pub(super) fn run(args: &Args, store: &Store, globals: &Globals) -> anyhow::Result<()> {
    let reader = find(&args.format)?;
    super::refuse_embedded(&args.name)?;
    let mut plan = plan(&args.name, &args.existing, &args.stated);
    plan.paths.clone_from(&args.paths);
    plan.options.map.clone_from(&args.map);
    plan.options.cells = args.cells.iter().map(CellId::new).collect();
    let n_files = args.paths.len() as u64;
    let mut progress = Progress::new(globals, Some(n_files).filter(|n| *n > 1));
    let manifest = import(store, reader.as_ref(), &plan, &mut |step| progress.show(step))?;
    drop(progress);
    if globals.json {
        return print(&serde_json::to_string(&manifest)?);
    }
    print(&super::list::imported(&manifest))
}

/// Returns a plan without paths.
pub(super) fn plan(name: &str, existing: &Existing, stated: &Stated) -> ImportPlan {
    let facts = CellFacts {
        nominal_capacity_ah: stated.nominal_capacity_ah,
        eol_soh: stated.eol_soh,
        ..CellFacts::default()
    };
    ImportPlan {
        name: name.into(),
        paths: Vec::new(),
        options: ReadOptions { facts, ..ReadOptions::default() },
        on_existing: match (existing.add, existing.replace) {
            (true, _) => OnExisting::Add,
            (_, true) => OnExisting::Replace,
            _ => OnExisting::Refuse,
        },
        licence_note: stated.licence.clone(),
        created: stamp().1,
    }
}

fn formats() -> PossibleValuesParser {
    readers().iter().map(|r| PossibleValue::new(r.name()).help(r.summary())).collect::<Vec<_>>().into()
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err("must be above 0".into()) }
}

fn fraction(text: &str) -> Result<f64, String> {
    positive(text).and_then(|v| if v < 1.0 { Ok(v) } else { Err("must be between 0 and 1".into()) })
}
