//! What descriptors are computed from: each discharge with the charges and spectra before it, prepared once a cell.

use crate::cell::{Phase, health};
use crate::dataset::pairing::{self, Discharge};
use crate::dataset::{Cell, Record, Samples};
use crate::units::SECONDS_PER_HOUR;

/// Current below which a charge record rests [A]: NASA's sensors read up to 6 mA after the charger has switched off,
/// and chargers end the constant-voltage phase at 20 mA.
const REST_CURRENT_AMPERE: f64 = 0.01;

/// A cell and what is known before each of its discharges.
#[derive(Debug)]
pub struct CellContext<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Nominal capacity [Ah]; where the source does not state it, the usual charge.
    pub nominal_ah: Option<f64>,
    /// The discharges in their order.
    pub discharges: Vec<DischargeContext>,
    /// Charge that went in by record [Ah], sensor offset and discharge glitches left out; 0 for other phases.
    charged_ah: Vec<f64>,
}

/// One discharge and what lies before it; positions count in `cell.records`.
#[derive(Debug, Clone)]
pub struct DischargeContext {
    /// Pairing with the records just before it.
    pub pairing: Discharge,
    /// Charge records after the discharge before, before this one.
    pub charges_since: Vec<usize>,
    /// The fullest usable charge of these, or else the last one before them.
    pub reference_charge: Option<usize>,
    /// Longest pause before one of these charges [s], 0 where there was none.
    pub longest_rest_second: Option<f64>,
}

impl<'a> CellContext<'a> {
    /// Prepares a cell.
    pub fn new(cell: &'a Cell) -> Self {
        let charged_ah: Vec<f64> = cell.records.iter().map(charged_ah).collect();
        let nominal_ah = cell.facts.nominal_capacity_ah.or_else(|| pairing::usual_charge_ah(cell));
        let mut discharges: Vec<DischargeContext> = Vec::new();
        let mut reference = None;
        for pairing in pairing::discharges(cell) {
            let from = discharges.last().map_or(0, |d| d.pairing.discharge_idx + 1);
            let since = charges_between(cell, from, pairing.discharge_idx);
            reference = fullest(&since, &charged_ah, nominal_ah).or(reference);
            discharges.push(DischargeContext {
                longest_rest_second: longest_rest(cell, &since),
                reference_charge: reference,
                charges_since: since,
                pairing,
            });
        }
        Self { cell, nominal_ah, discharges, charged_ah }
    }

    /// Returns the record of discharge `row`.
    pub fn discharge(&self, row: usize) -> &Record {
        &self.cell.records[self.discharges[row].pairing.discharge_idx]
    }

    /// Returns the reference charge before discharge `row`.
    pub fn charge(&self, row: usize) -> Option<&Record> {
        self.discharges[row].reference_charge.map(|idx| &self.cell.records[idx])
    }

    /// Returns the charge that went in by the reference charge before discharge `row` [Ah].
    ///
    /// A cell's first charge may begin half full; below half of nominal it says nothing and counts as nominal.
    pub fn charge_throughput_ah(&self, row: usize) -> Option<f64> {
        let reference = self.discharges[row].reference_charge?;
        let throughput = self.charged_ah[reference];
        let is_first = (0..reference).all(|idx| self.charged_ah[idx] <= 0.0);
        match self.nominal_ah {
            Some(nominal) if is_first && throughput < 0.5 * nominal => Some(nominal),
            _ => Some(throughput),
        }
    }

    /// Returns the latest spectrum record before discharge `row`.
    pub fn impedance(&self, row: usize) -> Option<&Record> {
        self.discharges[row].pairing.impedance_idx.map(|idx| &self.cell.records[idx])
    }

    /// Returns the charge that all records before discharge `row` moved, both directions [Ah].
    ///
    /// Discharges count as the charges that refilled them, so that no capacity of a discharge enters.
    pub fn throughput_before_ah(&self, row: usize) -> f64 {
        2.0 * self.charged_ah[..self.discharges[row].pairing.discharge_idx].iter().sum::<f64>()
    }
}

/// Returns the samples that charge, with time in order: positions where the current is above the rest current.
pub(super) fn charging(samples: &Samples) -> Vec<usize> {
    let is_charging = |&idx: &usize| samples.current_ampere[idx] > REST_CURRENT_AMPERE;
    (0..samples.len()).filter(is_charging).collect()
}

/// Returns the charge that a charge record put in [Ah], by the trapezoidal rule over its charging current only.
fn charged_ah(record: &Record) -> f64 {
    if record.phase != Phase::Charge {
        return 0.0;
    }
    let clean = |i: &f64| if *i > REST_CURRENT_AMPERE { *i } else { 0.0 };
    let current: Vec<f64> = record.samples.current_ampere.iter().map(clean).collect();
    let throughput = health::charge_throughput(&record.samples.time_second, &current);
    if throughput.is_finite() { throughput } else { 0.0 }
}

fn charges_between(cell: &Cell, from: usize, to: usize) -> Vec<usize> {
    (from..to).filter(|&idx| cell.records[idx].phase == Phase::Charge).collect()
}

/// Returns the charge record that put in most, of those that hold more than a usable charge.
fn fullest(since: &[usize], charged_ah: &[f64], nominal_ah: Option<f64>) -> Option<usize> {
    let least = pairing::LEAST_CHARGE * nominal_ah.unwrap_or(0.0);
    let usable = since.iter().copied().filter(|&idx| charged_ah[idx] > least);
    usable.max_by(|&a, &b| charged_ah[a].total_cmp(&charged_ah[b]).then(b.cmp(&a)))
}

/// Returns the longest pause before one of `charges` [s]: from the end of the charge record before to its begin.
///
/// The discharge between two charges is part of the pause; nothing of that discharge is looked at.
fn longest_rest(cell: &Cell, charges: &[usize]) -> Option<f64> {
    let pause = |&idx: &usize| -> Option<f64> {
        let before = (0..idx).rev().find(|&i| cell.records[i].phase == Phase::Charge)?;
        let before = &cell.records[before];
        let end = before.unix_time_second? + before.samples.time_second.last().copied().unwrap_or(0.0);
        Some(cell.records[idx].unix_time_second? - end)
    };
    charges.iter().filter_map(pause).reduce(f64::max)
}

/// Returns hours for seconds.
pub(super) fn hours(seconds: f64) -> f64 {
    seconds / SECONDS_PER_HOUR
}
