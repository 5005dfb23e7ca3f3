//! Cleaning: a new cell with named defects taken out, and a count of everything that was changed.
//!
//! Nothing happens that the config does not name. Samples are put in order first, then what the quality rules find in
//! the result is dropped.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::quality::{self, Rule, Scope};
use super::{Cell, CycleTable, Record, Samples};
use crate::cell::CellId;

/// What cleaning may change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleanConfig {
    /// Put the samples of each record in ascending order of time; default `true`. A missing time goes last.
    pub sort_samples: bool,
    /// Drop samples that equal the sample before them in every value; default `true`.
    pub drop_duplicate_samples: bool,
    /// Drop the records and table rows that these rules name; default none.
    pub drop: BTreeSet<Rule>,
}

impl Default for CleanConfig {
    fn default() -> Self {
        Self { sort_samples: true, drop_duplicate_samples: true, drop: BTreeSet::new() }
    }
}

/// Why a config cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CleanError {
    /// Occurs when a rule to drop by finds neither records nor rows.
    #[error("`{}` names no record or row, so nothing can be dropped by it; remove it from `drop`", .rule.name())]
    NothingToDrop {
        /// Rule that was named.
        rule: Rule,
    },
}

impl CleanConfig {
    /// Checks that something can be dropped by every rule of `drop`.
    ///
    /// # Errors
    /// [`CleanError::NothingToDrop`].
    pub fn check(&self) -> Result<(), CleanError> {
        match self.drop.iter().find(|rule| rule.row().scope == Scope::Cell) {
            Some(&rule) => Err(CleanError::NothingToDrop { rule }),
            None => Ok(()),
        }
    }
}

/// What cleaning changed in one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanReport {
    /// The cell.
    pub cell: CellId,
    /// Number of records before and after.
    pub records: [usize; 2],
    /// Number of samples before and after, of all records.
    pub samples: [usize; 2],
    /// Number of table rows before and after.
    pub rows: [usize; 2],
    /// Indices of the records whose samples were put in order.
    pub sorted_records: Vec<u32>,
    /// Number of duplicate samples dropped.
    pub duplicate_samples: usize,
    /// What each rule of `drop` dropped; 0 where it found nothing. One thing may be named by several rules.
    pub dropped: BTreeMap<Rule, Dropped>,
}

/// What one rule dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Dropped {
    /// Indices of records.
    pub records: BTreeSet<u32>,
    /// Rows of the table, counted from 0 before cleaning.
    pub rows: BTreeSet<usize>,
}

impl CleanReport {
    /// Returns whether the new cell equals the old one.
    pub fn is_unchanged(&self) -> bool {
        let equal = |[before, after]: [usize; 2]| before == after;
        self.sorted_records.is_empty() && equal(self.records) && equal(self.samples) && equal(self.rows)
    }
}

/// Returns a cleaned copy of `cell` and what was changed.
pub fn clean(cell: &Cell, config: &CleanConfig) -> (Cell, CleanReport) {
    let mut cleaned = cell.clone();
    let mut sorted_records = Vec::new();
    let mut duplicate_samples = 0;
    for record in &mut cleaned.records {
        if config.sort_samples && sort(&mut record.samples) {
            sorted_records.push(record.index);
        }
        if config.drop_duplicate_samples {
            duplicate_samples += drop_duplicates(&mut record.samples);
        }
    }
    let dropped = find_dropped(&cleaned, &config.drop);
    remove(&mut cleaned, &dropped);
    let report = CleanReport {
        cell: cell.id.clone(),
        records: [cell, &cleaned].map(|c| c.records.len()),
        samples: [cell, &cleaned].map(n_samples),
        rows: [cell, &cleaned].map(|c| c.table.as_ref().map_or(0, |t| t.cycle_count.len())),
        sorted_records,
        duplicate_samples,
        dropped,
    };
    (cleaned, report)
}

fn n_samples(cell: &Cell) -> usize {
    cell.records.iter().map(|r| r.samples.len()).sum()
}

/// Sorts by time, stably; returns whether anything moved.
fn sort(samples: &mut Samples) -> bool {
    let key = |k: usize| if samples.time_second[k].is_nan() { f64::INFINITY } else { samples.time_second[k] };
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    if order.is_sorted() {
        return false;
    }
    select(samples, &order);
    true
}

/// Drops samples that equal the one before them bit by bit; returns how many.
fn drop_duplicates(samples: &mut Samples) -> usize {
    let bits = |k: usize| columns(samples).map(|c| c[k].to_bits());
    let kept: Vec<usize> = (0..samples.len()).filter(|&k| k == 0 || bits(k) != bits(k - 1)).collect();
    let n_dropped = samples.len() - kept.len();
    if n_dropped > 0 {
        select(samples, &kept);
    }
    n_dropped
}

fn columns(samples: &Samples) -> [&Vec<f64>; 4] {
    [&samples.time_second, &samples.voltage_volt, &samples.current_ampere, &samples.temperature_celsius]
}

fn select(samples: &mut Samples, positions: &[usize]) {
    let [time_second, voltage_volt, current_ampere, temperature_celsius] =
        columns(samples).map(|c| positions.iter().map(|&k| c[k]).collect());
    *samples = Samples { time_second, voltage_volt, current_ampere, temperature_celsius };
}

fn find_dropped(cell: &Cell, rules: &BTreeSet<Rule>) -> BTreeMap<Rule, Dropped> {
    let mut dropped: BTreeMap<Rule, Dropped> = rules.iter().map(|&rule| (rule, Dropped::default())).collect();
    if rules.is_empty() {
        return dropped;
    }
    for finding in quality::check(std::slice::from_ref(cell)).findings {
        if let Some(entry) = dropped.get_mut(&finding.rule) {
            entry.records.extend(finding.record);
            entry.rows.extend(finding.row);
        }
    }
    dropped
}

fn remove(cell: &mut Cell, dropped: &BTreeMap<Rule, Dropped>) {
    let record_gone = |r: &Record| dropped.values().any(|d| d.records.contains(&r.index));
    cell.records.retain(|r| !record_gone(r));
    if let Some(table) = &mut cell.table {
        let row_gone = |row: &usize| dropped.values().any(|d| d.rows.contains(row));
        let kept: Vec<usize> = (0..table.cycle_count.len()).filter(|row| !row_gone(row)).collect();
        select_rows(table, &kept);
    }
}

fn select_rows(table: &mut CycleTable, rows: &[usize]) {
    table.cycle_count = rows.iter().map(|&row| table.cycle_count[row]).collect();
    for column in &mut table.columns {
        column.values = rows.iter().map(|&row| column.values[row]).collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cell::Phase;
    use crate::dataset::CycleColumn;
    use crate::dataset::quality::example::{cell, nasa_sequence};

    fn samples(rows: &[[f64; 4]]) -> Samples {
        let column = |k: usize| rows.iter().map(|r| r[k]).collect();
        Samples {
            time_second: column(0),
            voltage_volt: column(1),
            current_ampere: column(2),
            temperature_celsius: column(3),
        }
    }

    #[test]
    fn samples_are_sorted_and_exact_duplicates_dropped() {
        let mut messy = cell(&[(Phase::Charge, 1.0)]);
        let [a, b, c] = [[0.0, 3.0, 1.0, 24.0], [1.0, 3.1, 1.0, 24.0], [1.0, 3.2, 1.0, 24.0]];
        messy.records[0].samples = samples(&[b, a, a, b, c]);
        let (cleaned, report) = clean(&messy, &CleanConfig::default());
        assert_eq!(cleaned.records[0].samples, samples(&[a, b, c]));
        assert_eq!((report.sorted_records, report.duplicate_samples, report.samples), (vec![0], 2, [5, 3]));
        assert_eq!(messy.records[0].samples.len(), 5);
    }

    #[test]
    fn records_go_by_named_rule_only() {
        let b0018 = &nasa_sequence()[3];
        let (same, report) = clean(b0018, &CleanConfig::default());
        assert!(report.is_unchanged() && same == *b0018);
        let drop = [Rule::UnusableCharge, Rule::AbortedDischarge].into();
        let (cleaned, report) = clean(b0018, &CleanConfig { drop, ..CleanConfig::default() });
        assert_eq!(report.records, [319, 317]);
        assert_eq!(report.dropped[&Rule::UnusableCharge].records, [115, 139].into());
        assert_eq!(report.dropped[&Rule::AbortedDischarge], Dropped::default());
        assert!(cleaned.records.iter().all(|r| r.index != 115 && r.index != 139));
    }

    #[test]
    fn rows_go_by_named_rule_only() {
        let values = vec![1.0, f64::NAN, 3.0];
        let column = CycleColumn { name: "charge_q".into(), unit: "Ah".into(), label: false, values };
        let table = CycleTable { cycle_count: vec![1, 2, 3], columns: vec![column] };
        let cell = Cell { table: Some(table), ..cell(&[]) };
        let drop = [Rule::NonFiniteInput].into();
        let (cleaned, report) = clean(&cell, &CleanConfig { drop, ..CleanConfig::default() });
        let table = cleaned.table.unwrap();
        assert_eq!((table.cycle_count, &table.columns[0].values), (vec![1, 3], &vec![1.0, 3.0]));
        assert_eq!((report.rows, report.dropped[&Rule::NonFiniteInput].rows.clone()), ([3, 2], [1].into()));
    }

    #[test]
    fn a_rule_that_names_neither_records_nor_rows_is_refused() {
        let drop = [Rule::ConstantColumn].into();
        let error = CleanConfig { drop, ..CleanConfig::default() }.check().unwrap_err();
        assert!(error.to_string().contains("`constant_column`"), "{error}");
        assert_eq!(CleanConfig::default().check(), Ok(()));
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing_more(times in prop::collection::vec(0_u8..20, 0..40)) {
            let mut messy = cell(&[(Phase::Charge, 1.0)]);
            let rows: Vec<_> = times.iter().map(|&t| [f64::from(t), 3.0, f64::from(t % 3), 24.0]).collect();
            messy.records[0].samples = samples(&rows);
            let (once, report) = clean(&messy, &CleanConfig::default());
            let distinct: BTreeSet<u8> = times.iter().copied().collect();
            prop_assert_eq!(once.records[0].samples.len(), distinct.len());
            prop_assert_eq!(report.duplicate_samples, times.len() - distinct.len());
            let (twice, again) = clean(&once, &CleanConfig::default());
            prop_assert!(again.is_unchanged() && twice == once);
        }
    }
}
