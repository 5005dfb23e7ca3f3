//! `fadecast datasets list`: what is there, and what an import made.

use std::collections::BTreeMap;

use super::counted;
use crate::cell::Phase;
use crate::cli::{Globals, print};
use crate::dataset::store::{CellEntry, Manifest, Store};
use crate::report::table::aligned;

/// Runs the verb.
///
/// # Errors
/// Where a manifest is damaged.
pub(super) fn run(store: &Store, globals: &Globals) -> anyhow::Result<()> {
    let manifests = store.list()?;
    if globals.json {
        return print(&serde_json::to_string(&manifests)?);
    }
    if manifests.is_empty() {
        return print(
            "no dataset yet; `fadecast datasets import FORMAT PATH... --name NAME` makes one, and \
             `fadecast train` needs none",
        );
    }
    let head = ["dataset", "cells", "records", "samples", "input rows", "format", "imported"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(manifests.iter().map(row));
    print(&aligned(&rows))
}

/// Returns what an import made, a line a cell.
pub(super) fn imported(manifest: &Manifest) -> String {
    let mut rows =
        vec![["cell", "records", "samples", "input rows", "nominal [Ah]"].map(str::to_owned).to_vec()];
    rows.extend(manifest.cells.iter().map(cell_row));
    let cells = counted(manifest.cells.len() as u64, "cell");
    let sources = counted(manifest.sources.len() as u64, "source");
    let name = &manifest.name;
    format!(
        "{name} · {cells}{} · {sources}, hashed\n{}next    fadecast datasets check {name}\n",
        synthetic(manifest),
        aligned(&rows)
    )
}

/// Returns what a simulation made, in one line a total; `datasets show` has the cells.
pub(super) fn made(manifest: &Manifest) -> String {
    let name = &manifest.name;
    let cells = counted(manifest.cells.len() as u64, "cell");
    let records =
        counted(manifest.cells.iter().flat_map(|c| c.records.values()).sum::<usize>() as u64, "record");
    let samples = counted(manifest.cells.iter().map(|c| c.samples).sum::<usize>() as u64, "sample");
    format!("{name} (synthetic) · {cells} · {records} · {samples}\nnext    fadecast datasets show {name}\n")
}

/// Returns `charge 170, discharge 168`, in the order of the phases.
pub(super) fn phases(records: &BTreeMap<Phase, usize>) -> String {
    records.iter().map(|(phase, n)| format!("{} {n}", phase.name())).collect::<Vec<_>>().join(", ")
}

fn row(manifest: &Manifest) -> Vec<String> {
    let sum = |get: fn(&CellEntry) -> usize| manifest.cells.iter().map(get).sum::<usize>().to_string();
    vec![
        format!("{}{}", manifest.name, synthetic(manifest)),
        manifest.cells.len().to_string(),
        sum(|c| c.records.values().sum()),
        sum(|c| c.samples),
        sum(|c| c.input_rows),
        manifest.format.clone(),
        manifest.created.clone(),
    ]
}

fn cell_row(cell: &CellEntry) -> Vec<String> {
    vec![
        cell.id.to_string(),
        phases(&cell.records),
        cell.samples.to_string(),
        cell.input_rows.to_string(),
        super::or_dash(cell.facts.nominal_capacity_ah.map(|ah| ah.to_string())),
    ]
}

fn synthetic(manifest: &Manifest) -> &'static str {
    if manifest.cells.iter().any(|c| c.facts.synthetic) { " (synthetic)" } else { "" }
}
