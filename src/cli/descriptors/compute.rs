//! `fadecast descriptors compute`: descriptors of whole cells from their first cycles, one row a cell.

use std::path::PathBuf;

use serde_json::json;

use crate::cell::CellId;
use crate::cli::datasets::{cells_bar, counted};
use crate::cli::{Globals, print};
use crate::dataset::described::{self, Described};
use crate::descriptor::early::Window;
use crate::descriptor::early::matrix::{self, Matrix};
use crate::experiment::cells::CellSource;
use crate::file;
use crate::report::table::aligned;

/// Reasons that are printed.
const MOST_REASONS: usize = 12;

/// Which descriptors to compute, of which cells.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Imported dataset, or a simulated fleet: `embedded`, `embedded-solid-state`.
    dataset: String,
    /// Only these cells; `*` stands for any text.
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    cells: Vec<String>,
    /// Cycles that the descriptors may see, both ends included, as the source counts them.
    #[arg(long, value_name = "FROM..TO", default_value = "1..100")]
    cycles: Window,
    /// Only these descriptors; `*` stands for any text.
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    descriptors: Vec<String>,
    /// File to write, `.parquet` or `.csv`; by default one beside the dataset.
    #[arg(long, value_name = "FILE", value_parser = table_file)]
    out: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// Where a name is unknown, a cell cannot be read or the table cannot be written.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let descriptors = matrix::select(&args.descriptors)?;
    let source = CellSource::open(&globals.root, &args.dataset, &args.cells)?;
    let bar = cells_bar("compute", source.len() as u64, globals);
    let load = |position| source.cell(position, &descriptors);
    let matrix = Matrix::compute(&descriptors, args.cycles, source.len(), &load, &mut || bar.inc(1));
    bar.finish_and_clear();
    let matrix = matrix?;
    let files = write(&matrix, &source, args, globals)?;
    report(&matrix, &source, args, globals, &files)
}

fn write(
    matrix: &Matrix,
    source: &CellSource,
    args: &Args,
    globals: &Globals,
) -> anyhow::Result<Vec<PathBuf>> {
    let cycles = &args.cycles;
    let file = format!("{}.descriptors-{}-{}.parquet", args.dataset, cycles.from, cycles.to);
    let path = args.out.clone().unwrap_or_else(|| globals.root.join("datasets").join(file));
    let columns = matrix.descriptors.iter().enumerate().map(|(idx, d)| (d.name, matrix.column(idx)));
    let rows = matrix.cells.iter().map(CellId::as_str).collect();
    let table = Described { key: "cell", rows, columns: columns.collect() };
    let metadata = [
        ("fadecast", json!(env!("CARGO_PKG_VERSION"))),
        ("dataset", json!(args.dataset)),
        ("synthetic", json!(source.synthetic)),
        ("data_sha256", json!(source.data_sha256)),
        ("cycles", json!(cycles.to_string())),
        ("descriptors", matrix.documentation()),
        ("missing", matrix.missing()),
    ];
    if args.out.is_none() {
        file::create_folder(&globals.root.join("datasets"))?;
    }
    Ok(described::write(&path, &table, &metadata)?)
}

fn report(
    matrix: &Matrix,
    source: &CellSource,
    args: &Args,
    globals: &Globals,
    files: &[PathBuf],
) -> anyhow::Result<()> {
    let (n_cells, n_descriptors) = (matrix.cells.len(), matrix.descriptors.len());
    let (n_computed, reasons) = (matrix.n_computed(), matrix.reasons());
    let (dataset, cycles) = (&args.dataset, args.cycles.to_string());
    if globals.json {
        let families = matrix
            .families()
            .into_iter()
            .map(|(family, n, computed)| json!({ "family": family, "descriptors": n, "computed": computed }));
        let reasons = reasons.iter().map(|(reason, n)| json!({ "reason": reason, "values": n }));
        return print(&serde_json::to_string(&json!({
            "dataset": dataset, "synthetic": source.synthetic, "data_sha256": source.data_sha256,
            "cycles": cycles, "cells": n_cells, "descriptors": n_descriptors, "computed": n_computed,
            "families": families.collect::<Vec<_>>(), "missing": reasons.collect::<Vec<_>>(), "files": files,
        }))?);
    }
    let mark = if source.synthetic { " (synthetic)" } else { "" };
    let n_values = n_cells * n_descriptors;
    let share = 100.0 * n_computed as f64 / n_values.max(1) as f64;
    let mut text = format!(
        "{dataset}{mark} · cycles {cycles} · {} · {} · \
        {n_computed} of {n_values} values computed ({share:.1} %)\n",
        counted(n_cells as u64, "cell"),
        counted(n_descriptors as u64, "descriptor")
    );
    if !reasons.is_empty() {
        text.push_str("\nmissing, by reason\n");
        let row = |(reason, n): &(String, usize)| vec![reason.clone(), n.to_string()];
        text.push_str(&aligned(&reasons.iter().take(MOST_REASONS).map(row).collect::<Vec<_>>()));
    }
    if reasons.len() > MOST_REASONS {
        text.push_str(&format!("  and {} more; the file has them all\n", reasons.len() - MOST_REASONS));
    }
    for file in files {
        text.push_str(&format!("\nwrote   {}", file.display()));
    }
    print(&text)
}

fn table_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|e| e.to_str()) {
        Some("parquet" | "csv") => Ok(path),
        _ => Err("no table; the name ends in `.parquet` or `.csv`".into()),
    }
}
