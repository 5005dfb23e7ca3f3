//! The quality report: what is wrong with a dataset, per cell, record and cycle, with the rule's name and counts.
//!
//! The report changes nothing; `dataset::clean` does, and counts what it changed. Every record, sample and row is in
//! the totals, so that nothing can be missing without a number that says so.

#[cfg(test)]
mod nasa;
mod record;
mod rule;
mod sequence;
mod table;

#[cfg(test)]
pub(super) mod example;

use std::collections::BTreeMap;

use serde::Serialize;

pub use rule::{
    ABORTED_AH, ABORTED_SHARE, CAPACITY_MISMATCH, CURVE_SHARE, HIGHEST_C_RATE, RULES, Rule, RuleRow, Scope,
    Severity, TEMPERATURE_RANGE, Threshold, VOLTAGE_RANGE, WHOLE_FIRST_CHARGE,
};

use super::{Cell, Record, pairing};
use crate::cell::{CellId, Phase};

/// What is wrong with a dataset, in the order of cells, records and rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityReport {
    /// How much there is.
    pub totals: Totals,
    /// Number of findings of every rule, 0 included.
    pub by_rule: BTreeMap<Rule, u64>,
    /// One entry a cell, in the order of the dataset.
    pub cells: Vec<CellSummary>,
    /// Every finding.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Rule that found it.
    pub rule: Rule,
    /// What it takes away.
    pub severity: Severity,
    /// Cell; `None` for the dataset as a whole.
    pub cell: Option<CellId>,
    /// Index of the record in the cell's file ([`Record::index`]), if it is about one.
    pub record: Option<u32>,
    /// Phase of that record.
    pub phase: Option<Phase>,
    /// Cycle of the record or row, if it has one.
    pub cycle: Option<u32>,
    /// Row of the table, from 0, if it is about one.
    pub row: Option<usize>,
    /// Number of samples, values or records concerned, at least 1.
    pub count: u64,
    /// The fact, with numbers and units.
    pub found: String,
    /// What follows for the use of the data.
    pub consequence: &'static str,
}

/// How much there is, of all cells together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Number of cells.
    pub cells: u64,
    /// Number of cells that a simulator made.
    pub synthetic_cells: u64,
    /// Records and samples of each phase that occurs.
    pub phases: BTreeMap<Phase, PhaseTotal>,
    /// Number of rows of ready-made inputs.
    pub rows: u64,
    /// Number of discharges.
    pub discharges: u64,
    /// Number of discharges after a usable charge, own or shared.
    pub discharges_with_usable_charge: u64,
}

/// Records and samples of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PhaseTotal {
    /// Number of records.
    pub records: u64,
    /// Number of samples and spectrum points.
    pub samples: u64,
}

/// What was found in one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellSummary {
    /// The cell.
    pub cell: CellId,
    /// Whether a simulator made it.
    pub synthetic: bool,
    /// Number of records.
    pub records: u64,
    /// Number of rows of ready-made inputs.
    pub rows: u64,
    /// Number of findings.
    pub findings: u64,
    /// Number of findings of each rule that found something.
    pub by_rule: BTreeMap<Rule, u64>,
}

impl QualityReport {
    /// Returns the number of findings of `rule`.
    pub fn count(&self, rule: Rule) -> u64 {
        self.by_rule.get(&rule).copied().unwrap_or(0)
    }

    /// Returns the findings of `rule`.
    pub fn of(&self, rule: Rule) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.rule == rule)
    }
}

/// Checks `cells` against every rule of [`RULES`].
pub fn check(cells: &[Cell]) -> QualityReport {
    let mut findings = Vec::new();
    let mut duplicates = record::Duplicates::default();
    for cell in cells {
        findings.extend(check_cell(cell, &mut duplicates));
    }
    findings.extend(table::constant_columns(cells));
    QualityReport {
        totals: totals(cells),
        by_rule: count_rules(&findings, true),
        cells: cells.iter().map(|cell| summary(cell, &findings)).collect(),
        findings,
    }
}

/// Returns what is wrong with one cell; `duplicates` remembers the records of the cells before it.
fn check_cell<'a>(cell: &'a Cell, duplicates: &mut record::Duplicates<'a>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let no_rows = cell.table.as_ref().is_none_or(|t| t.cycle_count.is_empty());
    if cell.records.is_empty() && no_rows && cell.facts.attributes.is_empty() {
        findings.push(Finding::of_cell(Rule::EmptyCell, cell, 1, "0 records, 0 rows".into()));
    }
    for record in &cell.records {
        record::check(cell, record, &mut findings);
        duplicates.check(cell, record, &mut findings);
    }
    sequence::check(cell, &mut findings);
    findings.sort_by_key(|f| (f.record, f.rule));
    table::check(cell, &mut findings);
    findings
}

impl Finding {
    fn new(rule: Rule, count: u64, found: String) -> Self {
        let row = rule.row();
        Self {
            rule,
            severity: row.severity,
            cell: None,
            record: None,
            phase: None,
            cycle: None,
            row: None,
            count,
            found,
            consequence: row.consequence,
        }
    }

    fn of_cell(rule: Rule, cell: &Cell, count: u64, found: String) -> Self {
        Self { cell: Some(cell.id.clone()), ..Self::new(rule, count, found) }
    }

    fn of_record(rule: Rule, cell: &Cell, record: &Record, count: usize, found: String) -> Self {
        Self {
            record: Some(record.index),
            phase: Some(record.phase),
            cycle: record.cycle_count,
            ..Self::of_cell(rule, cell, count as u64, found)
        }
    }

    fn of_row(rule: Rule, cell: &Cell, (row, cycle): (usize, u32), count: usize, found: String) -> Self {
        Self { row: Some(row), cycle: Some(cycle), ..Self::of_cell(rule, cell, count as u64, found) }
    }
}

fn count_rules<'a>(findings: impl IntoIterator<Item = &'a Finding>, zeros: bool) -> BTreeMap<Rule, u64> {
    let mut counts = BTreeMap::new();
    if zeros {
        counts.extend(RULES.iter().map(|row| (row.rule, 0)));
    }
    for finding in findings {
        *counts.entry(finding.rule).or_default() += 1;
    }
    counts
}

fn summary(cell: &Cell, findings: &[Finding]) -> CellSummary {
    let by_rule = count_rules(findings.iter().filter(|f| f.cell.as_ref() == Some(&cell.id)), false);
    CellSummary {
        cell: cell.id.clone(),
        synthetic: cell.facts.synthetic,
        records: cell.records.len() as u64,
        rows: n_rows(cell),
        findings: by_rule.values().sum(),
        by_rule,
    }
}

fn totals(cells: &[Cell]) -> Totals {
    let mut totals = Totals::default();
    for cell in cells {
        totals.cells += 1;
        totals.synthetic_cells += u64::from(cell.facts.synthetic);
        totals.rows += n_rows(cell);
        for record in &cell.records {
            let phase = totals.phases.entry(record.phase).or_default();
            phase.records += 1;
            phase.samples +=
                (record.samples.len() + record.spectrum.as_ref().map_or(0, |s| s.real_ohm.len())) as u64;
        }
        let pairs = pairing::discharges(cell);
        totals.discharges += pairs.len() as u64;
        totals.discharges_with_usable_charge +=
            pairs.iter().filter(|d| d.usable_charge_idx().is_some()).count() as u64;
    }
    totals
}

fn n_rows(cell: &Cell) -> u64 {
    cell.table.as_ref().map_or(0, |t| t.cycle_count.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::example::{cell, nasa_sequence};
    use super::*;
    use crate::dataset::{Curve, CycleColumn, CycleTable, Samples};

    type Spoil = fn(&mut Cell);

    /// Cell and record of each finding of a rule.
    fn facts(report: &QualityReport, rule: Rule) -> Vec<(&str, u32)> {
        report.of(rule).map(|f| (f.cell.as_ref().unwrap().as_str(), f.record.unwrap())).collect()
    }

    fn healthy() -> Cell {
        use Phase::{Charge, Discharge, Impedance};
        let mut cell = cell(&[
            (Charge, 1.8),
            (Discharge, -1.8),
            (Impedance, 0.0),
            (Charge, 1.8),
            (Discharge, -1.7),
            (Charge, 1.7),
            (Discharge, -1.7),
        ]);
        for record in cell.records.iter_mut().filter(|r| r.phase == Discharge) {
            record.stated_capacity_ah = Some(1.75);
        }
        cell
    }

    /// A cell of which the source gives discharge curves and capacities only.
    fn summed_up() -> Cell {
        let mut cell = cell(&[(Phase::Discharge, -1.8), (Phase::Discharge, -1.7), (Phase::Discharge, -1.7)]);
        for record in &mut cell.records {
            record.samples = Samples::default();
            record.stated_capacity_ah = Some(1.75);
        }
        let curve = Curve { voltage_volt: vec![3.5, 3.0, 2.0], capacity_ah: vec![-0.001, 1.0, 1.74] };
        cell.records[0].curve = Some(curve.clone());
        cell.records[1].curve = Some(curve);
        cell
    }

    #[test]
    fn curves_and_stated_capacities_need_no_samples() {
        let rules =
            |cell: Cell| check(&[cell]).findings.iter().map(|f| (f.rule, f.record)).collect::<Vec<_>>();
        let always = [(Rule::NoSamples, None), (Rule::NoChargeRecords, None)];
        let spoilt = |rule, index, spoil: &dyn Fn(&mut Record)| {
            let mut cell = summed_up();
            spoil(&mut cell.records[index as usize]);
            let found: Vec<_> = rules(cell).into_iter().filter(|f| !always.contains(f)).collect();
            assert_eq!(found.first(), Some(&(rule, Some(index))), "{found:?}");
        };
        assert_eq!(rules(summed_up()), always);
        // Nominal are 2 Ah: the limits lie at -0.1 and 2.4 Ah.
        spoilt(Rule::CurveOutOfRange, 0, &|r| r.curve.as_mut().unwrap().capacity_ah[2] = 2.41);
        spoilt(Rule::CurveOutOfRange, 1, &|r| r.curve.as_mut().unwrap().capacity_ah[0] = -0.11);
        spoilt(Rule::NonFiniteSample, 1, &|r| r.curve.as_mut().unwrap().capacity_ah[1] = f64::NAN);
        spoilt(Rule::MissingSamples, 2, &|r| r.stated_capacity_ah = None);
        spoilt(Rule::MissingSamples, 2, &|r| r.reader_notes.push("samples: there is no file".into()));
    }

    fn table(columns: &[(&str, bool, [f64; 4])], cycle_count: [u32; 4]) -> Cell {
        let columns = (columns.iter())
            .map(|&(name, label, values)| CycleColumn {
                name: name.into(),
                unit: "1".into(),
                label,
                values: values.to_vec(),
            })
            .collect();
        let table = CycleTable { cycle_count: cycle_count.to_vec(), columns };
        Cell { table: Some(table), ..cell(&[]) }
    }

    #[test]
    fn a_healthy_cell_has_no_finding() {
        assert_eq!(check(&[healthy()]).findings, []);
    }

    #[test]
    fn the_four_classic_cells_have_exactly_five_unusable_charges() {
        let report = check(&nasa_sequence());
        let unusable = [("B0005", 84), ("B0006", 84), ("B0007", 84), ("B0018", 115), ("B0018", 139)];
        assert_eq!(facts(&report, Rule::UnusableCharge), unusable);
        let before: Vec<_> = (report.of(Rule::UnusableCharge))
            .map(|f| f.found.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
            .collect();
        assert_eq!(before, [85, 85, 85, 116, 140]);
    }

    #[test]
    fn the_four_classic_cells_have_their_other_known_defects_and_no_more() {
        let report = check(&nasa_sequence());
        let shared = [("B0005", 312), ("B0006", 312), ("B0007", 312)];
        assert_eq!(facts(&report, Rule::DischargeWithoutCharge), shared);
        let partial = [("B0005", 0), ("B0006", 0), ("B0007", 0), ("B0018", 0)];
        assert_eq!(facts(&report, Rule::PartialFirstCharge), partial);
        assert_eq!(facts(&report, Rule::TooFewSamples), [("B0005", 615), ("B0006", 615), ("B0007", 615)]);
        let mut rules: Vec<_> = report.findings.iter().map(|f| (f.rule, f.found.clone())).collect();
        rules.sort();
        assert_eq!(rules.len(), 5 + 3 + 4 + 3, "{rules:?}");
        assert_eq!(report.totals.discharges, 636);
        assert_eq!(report.totals.discharges_with_usable_charge, 631);
        assert_eq!(report.totals.phases[&Phase::Charge].records, 644);
        assert_eq!(report.totals.phases.values().map(|p| p.records).sum::<u64>(), 616 * 3 + 319);
    }

    #[test]
    fn each_spoilt_record_is_found_by_its_rule_alone() {
        let spoil: [(Rule, Spoil); 19] = [
            (Rule::MissingSpectrum, |c| c.records[2].spectrum = None),
            (Rule::NonFiniteSample, |c| c.records[2].spectrum.as_mut().unwrap().real_ohm[0] = f64::NAN),
            (Rule::NonFiniteSample, |c| c.records[4].samples.temperature_celsius[3] = f64::NAN),
            (Rule::NonFiniteSample, |c| c.records[4].samples.time_second[3] = f64::INFINITY),
            (Rule::DuplicatedTime, |c| {
                let time = &mut c.records[4].samples.time_second;
                time[3] = time[2];
            }),
            (Rule::TimeOutOfOrder, |c| c.records[4].samples.time_second[3] = 3600.0 * 1.9 / 11.0),
            (Rule::VoltageOutOfRange, |c| c.records[4].samples.voltage_volt[0] = 8.393),
            (Rule::VoltageOutOfRange, |c| c.records[4].samples.voltage_volt[0] = -0.2),
            (Rule::CurrentOutOfRange, |c| c.records[0].samples.current_ampere[11] = 40.1),
            (Rule::TemperatureOutOfRange, |c| c.records[4].samples.temperature_celsius[0] = -273.0),
            (Rule::ConstantVoltage, |c| c.records[4].samples.voltage_volt = vec![3.7; 12]),
            (Rule::UnreadableValue, |c| c.records[2].reader_notes.push("Re: `(1+2j)` is complex".into())),
            (Rule::UnparsableCapacity, |c| {
                c.records[4].stated_capacity_ah = None;
                c.records[4].reader_notes.push("capacity: `[]` is no number".into());
            }),
            (Rule::UnparsableCapacity, |c| c.records[4].stated_capacity_ah = Some(f64::NAN)),
            (Rule::MissingCapacity, |c| c.records[4].stated_capacity_ah = None),
            (Rule::CapacityMismatch, |c| c.records[4].stated_capacity_ah = Some(1.5)),
            (Rule::DuplicateRecord, |c| c.records[3].samples = c.records[0].samples.clone()),
            (Rule::RecordOutOfOrder, |c| c.records[3].unix_time_second = Some(0.5)),
            (Rule::DischargeWithoutCharge, |c| drop(c.records.remove(3))),
        ];
        for (rule, spoil) in spoil {
            let mut cell = healthy();
            spoil(&mut cell);
            let found: Vec<_> = check(&[cell]).findings.iter().map(|f| (f.rule, f.count)).collect();
            let count = if rule == Rule::ConstantVoltage { 12 } else { 1 };
            assert_eq!(found, [(rule, count)]);
        }
    }

    #[test]
    fn an_aborted_discharge_is_judged_by_the_stated_capacity_and_by_the_integral_without_one() {
        for (stated, ah, aborted) in
            [(Some(0.05), -0.05, 1), (Some(0.051), -0.051, 0), (None, -0.05, 1), (None, -0.06, 0)]
        {
            let mut cell = cell(&[(Phase::Charge, 1.8), (Phase::Discharge, ah)]);
            cell.records[1].stated_capacity_ah = stated;
            let report = check(&[cell]);
            assert_eq!(report.count(Rule::AbortedDischarge), aborted, "{stated:?} {ah}");
        }
    }

    #[test]
    fn an_unparsable_capacity_is_not_called_aborted_or_missing_too() {
        let mut cell = healthy();
        cell.records[4].samples.current_ampere = vec![0.0; 12];
        cell.records[4].stated_capacity_ah = None;
        cell.records[4].reader_notes.push("Capacity `[]` is no number".into());
        let rules: Vec<_> = check(&[cell]).findings.iter().map(|f| f.rule).collect();
        assert_eq!(rules, [Rule::UnparsableCapacity]);
    }

    #[test]
    fn charges_without_samples_are_missing_samples_and_not_unusable_charges() {
        let mut cell = healthy();
        for idx in [0, 3, 5] {
            cell.records[idx].samples = Samples::default();
            cell.records[idx].reader_notes = vec!["`00001.csv` is not there".into()];
        }
        let report = check(&[cell]);
        assert_eq!(report.count(Rule::MissingSamples), 3);
        assert_eq!(report.findings.len(), 3);
        assert_eq!(report.totals.discharges_with_usable_charge, 0);
    }

    #[test]
    fn a_signal_that_was_never_recorded_is_said_once_a_cell() {
        let mut cell = healthy();
        for record in &mut cell.records {
            record.samples.temperature_celsius.fill(f64::NAN);
        }
        let found: Vec<_> = check(&[cell]).findings.into_iter().map(|f| (f.rule, f.count, f.found)).collect();
        assert_eq!(found, [(Rule::MissingSignal, 6, "no temperature in 6 of 6 records with samples".into())]);
    }

    #[test]
    fn a_cell_without_charge_records_says_so_once() {
        let report = check(&[cell(&[(Phase::Discharge, -1.8), (Phase::Discharge, -1.7)]), cell(&[])]);
        let found: Vec<_> = report.findings.iter().map(|f| (f.rule, f.record, f.count)).collect();
        assert_eq!(found, [(Rule::NoChargeRecords, None, 2), (Rule::EmptyCell, None, 1)]);
    }

    #[test]
    fn a_record_of_one_cell_under_two_names_is_found() {
        let twin = Cell { id: CellId::new("C2"), ..healthy() };
        let report = check(&[healthy(), twin]);
        assert_eq!(report.count(Rule::DuplicateRecord), 6);
        assert_eq!(report.findings[0].found, "equals record 0 of C1");
        assert_eq!(report.cells[1].findings, 6);
    }

    #[test]
    fn rows_and_columns_of_a_table_are_checked() {
        let nan = f64::NAN;
        let cell = table(
            &[
                ("charge_q", false, [1.0, nan, 1.2, 1.1]),
                ("charge_t", false, [5.0, nan, 5.0, 5.0]),
                ("capacity", true, [1.0, 0.9, nan, 0.8]),
            ],
            [1, 3, 2, 3],
        );
        let report = check(&[cell]);
        let found: Vec<_> = report.findings.iter().map(|f| (f.rule, f.row, f.cycle, f.count)).collect();
        let expected = [
            (Rule::NonFiniteInput, Some(1), Some(3), 2),
            (Rule::NonFiniteLabel, Some(2), Some(2), 1),
            (Rule::CycleOutOfOrder, Some(2), Some(2), 1),
            (Rule::DuplicatedCycle, Some(3), Some(3), 1),
            (Rule::ConstantColumn, None, None, 3),
        ];
        assert_eq!(found, expected);
        assert_eq!(report.totals.rows, 4);
    }

    #[test]
    fn counts_agree_with_the_findings_and_every_rule_is_counted() {
        let report = check(&nasa_sequence());
        assert_eq!(report.by_rule.len(), RULES.len());
        assert_eq!(report.by_rule.values().sum::<u64>(), report.findings.len() as u64);
        assert_eq!(report.cells.iter().map(|c| c.findings).sum::<u64>(), report.findings.len() as u64);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["by_rule"]["unusable_charge"], 5);
        assert_eq!(json["totals"]["phases"]["discharge"]["records"], 636);
        assert_eq!(json["cells"][3]["by_rule"]["unusable_charge"], 2);
        assert_eq!(json["findings"][0]["rule"], "partial_first_charge");
    }
}
