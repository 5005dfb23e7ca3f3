//! `fadecast datasets check`: the quality report of a dataset.

use super::counted;
use crate::cell::Phase;
use crate::cli::{Globals, print};
use crate::dataset::quality::{CellSummary, Finding, QualityReport, RULES, RuleRow, Severity, check};
use crate::dataset::store::Store;
use crate::report::table::aligned;

/// Most cells that have a column each.
const MOST_COLUMNS: usize = 8;

/// Findings that are printed without `--all`.
const MOST_FINDINGS: usize = 40;

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the dataset.
    name: String,
    /// Prints every finding, not the first 40.
    #[arg(long)]
    all: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where the dataset is missing or damaged; a finding is no error.
pub(super) fn run(args: &Args, store: &Store, globals: &Globals) -> anyhow::Result<()> {
    let report = check(&store.load(&args.name, None)?);
    if globals.json {
        return print(&serde_json::to_string(&report)?);
    }
    let most = if args.all { usize::MAX } else { MOST_FINDINGS };
    let name = &args.name;
    let n_findings = counted(report.findings.len() as u64, "finding");
    print(&format!(
        "{name} · {n_findings}\n\n{}{}{}\n{}",
        rules(&report),
        per_cell(&report),
        findings(&report, most),
        totals(&report)
    ))
}

/// A line a rule that found something: what it says, and its findings in each cell where there are few cells.
fn rules(report: &QualityReport) -> String {
    let cells = Some(&report.cells).filter(|c| c.len() <= MOST_COLUMNS).map_or(&[][..], Vec::as_slice);
    let mut rows = vec![vec!["rule".to_owned(), "severity".to_owned(), "count".to_owned()]];
    rows[0].extend(cells.iter().map(|c| c.cell.to_string()));
    let found = || RULES.iter().filter(|row| report.count(row.rule) > 0);
    for row in found() {
        let mut line =
            vec![row.name.into(), severity(row.severity).into(), report.count(row.rule).to_string()];
        line.extend(cells.iter().map(|c| c.by_rule.get(&row.rule).copied().unwrap_or(0).to_string()));
        rows.push(line);
    }
    let clean = RULES.len() - found().count();
    let says = |row: &RuleRow| format!("  {}: {}, so {}\n", row.name, row.sentence, row.consequence);
    let sentences: Vec<String> = found().map(says).collect();
    let table = if rows.len() > 1 { aligned(&rows) + "\n" } else { String::new() };
    format!("{table}{}  {} found nothing\n", sentences.concat(), counted(clean as u64, "rule"))
}

/// A line a cell with findings, where there are many cells.
fn per_cell(report: &QualityReport) -> String {
    if report.cells.len() <= MOST_COLUMNS {
        return String::new();
    }
    let line = |cell: &CellSummary| {
        let counts: Vec<String> =
            cell.by_rule.iter().map(|(rule, n)| format!("{} {n}", rule.name())).collect();
        format!("  {}: {}\n", cell.cell, counts.join(", "))
    };
    let lines: Vec<String> = report.cells.iter().filter(|c| c.findings > 0).map(line).collect();
    if lines.is_empty() { String::new() } else { format!("\ncells\n{}", lines.concat()) }
}

/// The worst findings first; in the order of cells and records within.
fn findings(report: &QualityReport, most: usize) -> String {
    if report.findings.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Finding> = report.findings.iter().collect();
    sorted.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let lines: Vec<String> = sorted.iter().take(most).map(|f| line(f)).collect();
    let rest = sorted.len() - lines.len();
    let more = if rest > 0 { format!("  and {rest} more; --all prints them\n") } else { String::new() };
    format!("\nfindings\n{}{more}", lines.concat())
}

fn line(finding: &Finding) -> String {
    let cell = finding.cell.as_ref().map_or_else(|| "dataset".into(), ToString::to_string);
    let phase = finding.phase.map_or("", Phase::name);
    let record = finding.record.map_or_else(String::new, |r| format!(" record {r} ({phase})"));
    let cycle = finding.cycle.map_or_else(String::new, |c| format!(" cycle {c}"));
    format!("  {cell}{record}{cycle}: {}: {}\n", finding.rule.name(), finding.found)
}

fn totals(report: &QualityReport) -> String {
    let totals = &report.totals;
    let phases: Vec<String> =
        totals.phases.iter().map(|(phase, n)| format!("{} {}", phase.name(), n.records)).collect();
    let n_records: u64 = totals.phases.values().map(|n| n.records).sum();
    let n_samples: u64 = totals.phases.values().map(|n| n.samples).sum();
    let mut parts = vec![counted(totals.cells, "cell")];
    if totals.synthetic_cells > 0 {
        parts.push(format!("{} of them synthetic", totals.synthetic_cells));
    }
    if n_records > 0 {
        parts.push(format!("{} ({})", counted(n_records, "record"), phases.join(", ")));
        parts.push(counted(n_samples, "sample"));
    }
    if totals.rows > 0 {
        parts.push(counted(totals.rows, "row"));
    }
    let discharges = counted(totals.discharges, "discharge");
    let usable = totals.discharges_with_usable_charge;
    format!(
        "total   {}\n        {discharges}, {usable} of them after a usable charge\n        \
         nothing is dropped: a finding marks, it does not remove\n",
        parts.join(" · ")
    )
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Unusable => "unusable",
    }
}
