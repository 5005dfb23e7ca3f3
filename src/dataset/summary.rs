//! A dataset in numbers: records by phase, discharges, first and last capacity, end of life, a line a cell.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pairing::{self, net_charge_ah};
use super::store::{Manifest, SourceFile};
use super::{Cell, CellFacts};
use crate::cell::{CellId, Phase, health};

/// A dataset in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetSummary {
    /// Name of the dataset.
    pub name: String,
    /// Reader that made it.
    pub format: String,
    /// UTC time of the import, RFC 3339.
    pub created: String,
    /// Where the data comes from and under which licence, as far as is known.
    pub licence_note: String,
    /// Files that were read.
    pub sources: Vec<SourceFile>,
    /// One SHA-256 over every table.
    pub data_sha256: String,
    /// Whether a simulator made any of the cells.
    pub synthetic: bool,
    /// Sum over the cells.
    pub totals: Totals,
    /// The cells, ascending by id.
    pub cells: Vec<CellInNumbers>,
}

/// How much there is, of all cells together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Number of cells.
    pub cells: usize,
    /// Number of records by phase.
    pub records: BTreeMap<Phase, usize>,
    /// Number of samples.
    pub samples: usize,
    /// Number of records with a curve of capacity against voltage.
    pub curves: usize,
    /// Number of discharges, or of rows of ready-made inputs with a capacity column.
    pub discharges: usize,
    /// Rows of ready-made inputs.
    pub input_rows: usize,
}

/// One cell in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellInNumbers {
    /// The cell.
    pub cell: CellId,
    /// What the source says of it.
    pub facts: CellFacts,
    /// Number of records by phase.
    pub records: BTreeMap<Phase, usize>,
    /// Number of samples.
    pub samples: usize,
    /// Number of records with a curve of capacity against voltage.
    pub curves: usize,
    /// Rows of ready-made inputs.
    pub input_rows: usize,
    /// Number of discharges, or of rows with a capacity.
    pub discharges: usize,
    /// First capacity that is known [Ah].
    pub first_capacity_ah: Option<f64>,
    /// Last capacity that is known [Ah].
    pub last_capacity_ah: Option<f64>,
    /// First discharge at or below the end of life, counted from 1; `None` when it was not observed or is not stated.
    pub eol_cycle: Option<u32>,
}

/// Returns the numbers of a dataset whose manifest and cells are given.
pub fn summary(manifest: &Manifest, cells: &[Cell]) -> DatasetSummary {
    let cells: Vec<CellInNumbers> = cells.iter().map(in_numbers).collect();
    DatasetSummary {
        name: manifest.name.clone(),
        format: manifest.format.clone(),
        created: manifest.created.clone(),
        licence_note: manifest.licence_note.clone(),
        sources: manifest.sources.clone(),
        data_sha256: manifest.data_sha256(),
        synthetic: cells.iter().any(|c| c.facts.synthetic),
        totals: totals(&cells),
        cells,
    }
}

/// Returns the capacity [Ah] of each discharge of a cell with its number from 1: stated, else integrated, else NaN.
///
/// A table of ready-made inputs without records has one value a row, that of its first label in Ah, with the row's cycle.
pub fn capacities(cell: &Cell) -> Vec<(u32, f64)> {
    if let Some(table) = cell.table.as_ref().filter(|_| cell.is_table()) {
        let label = table.columns.iter().find(|c| c.label && c.unit == "Ah");
        let values = label.map(|c| c.values.as_slice()).unwrap_or_default();
        return table.cycle_count.iter().copied().zip(values.iter().copied()).collect();
    }
    let capacity_ah = |d: &pairing::Discharge| {
        let record = &cell.records[d.discharge_idx];
        let integrated = || net_charge_ah(&record.samples).map(|q| -q);
        (d.ordinal, record.stated_capacity_ah.or_else(integrated).unwrap_or(f64::NAN))
    };
    pairing::discharges(cell).iter().map(capacity_ah).collect()
}

fn in_numbers(cell: &Cell) -> CellInNumbers {
    let capacities = capacities(cell);
    let known = || capacities.iter().map(|&(_, ah)| ah).filter(|ah| ah.is_finite());
    let mut records = BTreeMap::new();
    for record in &cell.records {
        *records.entry(record.phase).or_default() += 1;
    }
    CellInNumbers {
        cell: cell.id.clone(),
        facts: cell.facts.clone(),
        records,
        samples: cell.records.iter().map(|r| r.samples.len()).sum(),
        curves: cell.records.iter().filter(|r| r.curve.is_some()).count(),
        input_rows: cell.table.as_ref().map_or(0, |t| t.cycle_count.len()),
        discharges: capacities.len(),
        first_capacity_ah: known().next(),
        last_capacity_ah: known().next_back(),
        eol_cycle: eol_cycle(&cell.facts, &capacities),
    }
}

fn eol_cycle(facts: &CellFacts, capacities: &[(u32, f64)]) -> Option<u32> {
    let (nominal_ah, threshold) = facts.nominal_capacity_ah.zip(facts.eol_soh)?;
    let soh: Vec<f64> = capacities.iter().map(|&(_, ah)| health::soh(ah, nominal_ah)).collect();
    health::eol_position(&soh, threshold, 0).map(|position| capacities[position].0)
}

fn totals(cells: &[CellInNumbers]) -> Totals {
    let mut totals = Totals { cells: cells.len(), ..Totals::default() };
    for cell in cells {
        for (phase, n) in &cell.records {
            *totals.records.entry(*phase).or_default() += n;
        }
        totals.samples += cell.samples;
        totals.curves += cell.curves;
        totals.discharges += cell.discharges;
        totals.input_rows += cell.input_rows;
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{CycleColumn, CycleTable, Record};

    fn cell(records: Vec<Record>, table: Option<CycleTable>) -> Cell {
        let facts = CellFacts { nominal_capacity_ah: Some(2.0), eol_soh: Some(0.7), ..CellFacts::default() };
        Cell { id: CellId::new("A"), facts, records, table }
    }

    #[test]
    fn the_end_of_life_is_a_discharge_and_no_record() {
        let record = |index, capacity: f64| {
            let phase = if capacity > 0.0 { Phase::Discharge } else { Phase::Charge };
            let mut record = Record::new(index, phase);
            record.stated_capacity_ah = Some(capacity).filter(|c| *c > 0.0 && c.is_finite());
            record
        };
        // Charge, 1.9 Ah, 1.5 Ah, charge, nothing stated, 1.4 Ah (0.7 of 2 Ah), 1.45 Ah.
        let capacities = [0.0, 1.9, 1.5, 0.0, f64::INFINITY, 1.4, 1.45];
        let records = capacities.iter().enumerate().map(|(i, c)| record(i as u32, *c)).collect();
        let numbers = in_numbers(&cell(records, None));
        assert_eq!((numbers.discharges, numbers.eol_cycle), (5, Some(4)));
        assert_eq!((numbers.first_capacity_ah, numbers.last_capacity_ah), (Some(1.9), Some(1.45)));
        assert_eq!(numbers.records, BTreeMap::from([(Phase::Charge, 2), (Phase::Discharge, 5)]));
    }

    #[test]
    fn a_table_counts_its_own_cycles_and_an_unseen_end_of_life_is_none() {
        let column = |name: &str, unit: &str, label, values: &[f64]| CycleColumn {
            name: name.into(),
            unit: unit.into(),
            label,
            values: values.into(),
        };
        let table = |ah: &[f64]| CycleTable {
            cycle_count: vec![10, 20, 30],
            columns: vec![column("charge_q", "Ah", false, &[9.0; 3]), column("q", "Ah", true, ah)],
        };
        let numbers = in_numbers(&cell(Vec::new(), Some(table(&[f64::NAN, 1.5, 1.3]))));
        assert_eq!((numbers.first_capacity_ah, numbers.eol_cycle), (Some(1.5), Some(30)));
        let numbers = in_numbers(&cell(Vec::new(), Some(table(&[1.6, 1.5, 1.41]))));
        assert_eq!((numbers.discharges, numbers.eol_cycle), (3, None));
    }
}
