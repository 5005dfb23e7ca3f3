//! Capacities of the four classic NASA cells, for tests (tests/fixtures/PROVENANCE.md).

use std::collections::BTreeMap;

use super::fit::Series;
use crate::cell::CellId;

/// Nominal capacity of the cells [Ah].
pub(crate) const NOMINAL_AH: f64 = 2.0;

/// Returns the discharge capacities [Ah] of B0005, B0006, B0007 and B0018.
pub(crate) fn capacities() -> BTreeMap<String, Vec<f64>> {
    let mut cells: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in include_str!("../../tests/fixtures/nasa_capacity.csv").lines().skip(1) {
        let (cell, capacity) = line.split_once(',').unwrap();
        cells.entry(cell.to_owned()).or_default().push(capacity.parse().unwrap());
    }
    cells
}

/// Returns a series of SoH over the nominal capacity with one stress column made from it.
pub(crate) fn series(cell: &str, stress: impl Fn(&[f64]) -> Vec<f64>) -> Series {
    let capacity: Vec<f64> = capacities()[cell].iter().map(|c| c / NOMINAL_AH).collect();
    Series { cell: CellId::new(cell), stress: vec![stress(&capacity)], capacity }
}

/// Returns the cycle counts 0, 1, ... of a series.
pub(crate) fn count(capacity: &[f64]) -> Vec<f64> {
    (0..capacity.len()).map(|i| i as f64).collect()
}

/// Returns the sum of SoH before each cycle: its equivalent full cycles, charging taken equal to discharging.
pub(crate) fn full_cycles(capacity: &[f64]) -> Vec<f64> {
    capacity.iter().scan(0.0, |sum, c| Some(std::mem::replace(sum, *sum + c))).collect()
}
