//! `fadecast datasets show`: a dataset in numbers, a line a cell.

use super::list::phases;
use super::{counted, or_dash};
use crate::cli::{Globals, print};
use crate::dataset::store::Store;
use crate::dataset::summary::{CellInNumbers, DatasetSummary, summary};
use crate::report::table::aligned;

/// Notes that are printed.
const MOST_NOTES: usize = 20;

/// Cells that a note names.
const MOST_LISTED: usize = 4;

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the dataset.
    name: String,
}

/// Runs the verb.
///
/// # Errors
/// Where the dataset is missing or damaged.
pub(super) fn run(args: &Args, store: &Store, globals: &Globals) -> anyhow::Result<()> {
    let manifest = store.manifest(&args.name)?;
    let shown = summary(&manifest, &store.load(&args.name, None)?);
    if globals.json {
        return print(&serde_json::to_string(&shown)?);
    }
    print(&format!("{}{}{}", heading(&shown), cells(&shown), notes(&shown)))
}

fn heading(shown: &DatasetSummary) -> String {
    let DatasetSummary { name, format, created, licence_note, totals, .. } = shown;
    let mark = if shown.synthetic { " · synthetic" } else { "" };
    let n_bytes: u64 = shown.sources.iter().map(|s| s.bytes).sum();
    let sources = format!("{}, {n_bytes} bytes", counted(shown.sources.len() as u64, "file"));
    let mut parts = vec![counted(totals.cells as u64, "cell")];
    if !totals.records.is_empty() {
        let n_records: usize = totals.records.values().sum();
        parts.push(format!("{} ({})", counted(n_records as u64, "record"), phases(&totals.records)));
        parts.push(counted(totals.samples as u64, "sample"));
        if totals.curves > 0 {
            parts.push(counted(totals.curves as u64, "curve"));
        }
    }
    if totals.input_rows > 0 {
        parts.push(counted(totals.input_rows as u64, "row"));
    }
    format!(
        "{name}{mark} · format {format} · imported {created} from {sources}\norigin  {licence_note}\ntotal   {}\n\n",
        parts.join(" · ")
    )
}

fn cells(shown: &DatasetSummary) -> String {
    let head = [
        "cell",
        "discharges",
        "first [Ah]",
        "last [Ah]",
        "nominal [Ah]",
        "EOL [Ah]",
        "EOL cycle",
        "stated life",
        "records",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(shown.cells.iter().map(row));
    aligned(&rows)
}

fn row(cell: &CellInNumbers) -> Vec<String> {
    let facts = &cell.facts;
    let eol_ah = facts.nominal_capacity_ah.zip(facts.eol_soh).map(|(nominal, soh)| nominal * soh);
    let ah = |value: Option<f64>| or_dash(value.map(|ah| format!("{ah:.6}")));
    let plain = |value: Option<f64>| or_dash(value.map(|ah| format!("{ah:.3}")));
    let eol_cycle = eol_ah.map(|_| cell.eol_cycle.map_or_else(|| "not reached".into(), |c| c.to_string()));
    let mut records = phases(&cell.records);
    if cell.records.is_empty() && cell.input_rows > 0 {
        records = counted(cell.input_rows as u64, "row");
    }
    if cell.records.is_empty() && cell.input_rows == 0 && !facts.attributes.is_empty() {
        records = counted(facts.attributes.len() as u64, "attribute");
    }
    let mark = if facts.synthetic { " (synthetic)" } else { "" };
    vec![
        format!("{}{mark}", cell.cell),
        cell.discharges.to_string(),
        ah(cell.first_capacity_ah),
        ah(cell.last_capacity_ah),
        plain(facts.nominal_capacity_ah),
        plain(eol_ah),
        or_dash(eol_cycle),
        or_dash(facts.cycle_life.map(|n| n.to_string())),
        records,
    ]
}

/// Returns what the sources say besides: each sentence once, with the cells that it is said of.
fn notes(shown: &DatasetSummary) -> String {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for cell in &shown.cells {
        for (key, text) in &cell.facts.notes {
            let sentence = format!("{key}: {text}");
            match said.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, cells)) => cells.push(cell.cell.as_str()),
                None => said.push((sentence, vec![cell.cell.as_str()])),
            }
        }
    }
    if said.is_empty() {
        return String::new();
    }
    let line = |(sentence, cells): &(String, Vec<&str>)| {
        format!("  {}: {sentence}", listed(cells, shown.cells.len()))
    };
    let mut lines = vec!["\nnotes".to_owned()];
    lines.extend(said.iter().take(MOST_NOTES).map(line));
    if said.len() > MOST_NOTES {
        lines.push(format!("  and {} more; --json has them", said.len() - MOST_NOTES));
    }
    lines.join("\n")
}

/// Returns the first names, and how many there are more.
fn listed(cells: &[&str], n_cells: usize) -> String {
    match cells.get(..MOST_LISTED) {
        _ if cells.len() == n_cells && n_cells > 1 => "all cells".into(),
        Some(first) if cells.len() > MOST_LISTED => {
            format!("{} and {} more", first.join(", "), cells.len() - MOST_LISTED)
        }
        _ => cells.join(", "),
    }
}
