//! Rules on tables of ready-made inputs: values that are missing, cycles, columns that say nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Rule};
use crate::dataset::{Cell, CycleTable};

/// Appends what is wrong with the rows of a cell's table, if it has one.
pub(super) fn check(cell: &Cell, findings: &mut Vec<Finding>) {
    let Some(table) = &cell.table else { return };
    let mut seen = BTreeSet::new();
    let mut highest = None;
    for (row, &cycle) in table.cycle_count.iter().enumerate() {
        for (rule, label) in [(Rule::NonFiniteInput, false), (Rule::NonFiniteLabel, true)] {
            let columns = non_finite_columns(table, row, label);
            if !columns.is_empty() {
                let found = format!("no finite value of {}", columns.join(", "));
                findings.push(Finding::of_row(rule, cell, (row, cycle), columns.len(), found));
            }
        }
        if !seen.insert(cycle) {
            let found = format!("cycle {cycle} again");
            findings.push(Finding::of_row(Rule::DuplicatedCycle, cell, (row, cycle), 1, found));
        } else if let Some(before) = highest.filter(|&h| cycle < h) {
            let found = format!("cycle {cycle} after cycle {before}");
            findings.push(Finding::of_row(Rule::CycleOutOfOrder, cell, (row, cycle), 1, found));
        }
        highest = highest.max(Some(cycle));
    }
}

/// Returns one finding for each input column that has a single finite value in all cells.
pub(super) fn constant_columns(cells: &[Cell]) -> Vec<Finding> {
    let mut columns: BTreeMap<&str, (f64, f64, u64)> = BTreeMap::new();
    for column in cells.iter().filter_map(|c| c.table.as_ref()).flat_map(|t| &t.columns).filter(|c| !c.label)
    {
        let entry = columns.entry(&column.name).or_insert((f64::INFINITY, f64::NEG_INFINITY, 0));
        for &value in column.values.iter().filter(|v| v.is_finite()) {
            *entry = (entry.0.min(value), entry.1.max(value), entry.2 + 1);
        }
    }
    (columns.iter())
        .filter(|(_, (low, high, count))| *count > 1 && high <= low)
        .map(|(name, (low, _, count))| {
            Finding::new(Rule::ConstantColumn, *count, format!("`{name}` is {low} in all {count} rows"))
        })
        .collect()
}

fn non_finite_columns(table: &CycleTable, row: usize, label: bool) -> Vec<&str> {
    (table.columns.iter())
        .filter(|c| c.label == label && !c.values[row].is_finite())
        .map(|c| c.name.as_str())
        .collect()
}
