//! A cell's first cycles: which records belong to which cycle, and the half cycles that descriptors look at.

use std::ops::Range;

use super::Window;
use super::probes::Probes;
use crate::cell::Phase;
use crate::dataset::{Cell, Curve, Record, pairing};

/// Current below which a half cycle neither charges nor discharges, as a share of the record's largest current [1].
const REST_SHARE: f64 = 1e-3;

/// A cell as descriptors see it: the cycles of a window.
#[derive(Debug)]
pub struct EarlyCell<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Window of the cycles.
    pub window: Window,
    /// Nominal capacity [Ah]; where the source does not state it, the usual charge.
    pub nominal_ah: Option<f64>,
    /// Cycles of the window, ascending, those without any record left out.
    pub cycles: Vec<Cycle<'a>>,
    /// Titrations, rests, holds, spectra and pulses, each found when first asked for.
    pub(super) probes: Probes,
}

/// One cycle.
#[derive(Debug, Clone)]
pub struct Cycle<'a> {
    /// Number that the source counts, else the number of discharges so far, from 1.
    pub count: u32,
    /// Every record of it, in the order of the test: charges, discharges, rests, titrations, spectra.
    pub records: &'a [Record],
    /// The charge that moved most.
    pub charge: Option<Half<'a>>,
    /// The discharge that moved most.
    pub discharge: Option<Half<'a>>,
}

/// A charge or discharge within a record.
#[derive(Debug, Clone)]
pub struct Half<'a> {
    /// The record.
    pub record: &'a Record,
    /// Its samples; empty where the source gives a curve or a capacity only.
    pub rows: Range<usize>,
}

impl<'a> EarlyCell<'a> {
    /// Sorts the records of a cell into cycles.
    pub fn new(cell: &'a Cell, window: Window) -> Self {
        let nominal_ah = cell.facts.nominal_capacity_ah.or_else(|| pairing::usual_charge_ah(cell));
        let counts = counts(&cell.records);
        let mut cycles = Vec::new();
        let mut from = 0;
        for run in counts.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            if window.contains(run[0]) {
                cycles.push(Cycle::new(run[0], &cell.records[from..to]));
            }
            from = to;
        }
        Self { cell, window, nominal_ah, cycles, probes: Probes::default() }
    }

    /// Returns the cycle numbered `count`.
    pub fn cycle(&self, count: u32) -> Option<&Cycle<'a>> {
        self.cycles.binary_search_by_key(&count, |c| c.count).ok().map(|idx| &self.cycles[idx])
    }

    /// Returns the records of a phase in the window, in the order of the test.
    pub fn records(&self, phase: Phase) -> impl Iterator<Item = &'a Record> {
        self.cycles.iter().flat_map(|c| c.records).filter(move |r| r.phase == phase)
    }
}

impl<'a> Cycle<'a> {
    fn new(count: u32, records: &'a [Record]) -> Self {
        let charge = largest(records, Phase::Charge, 1.0);
        let discharge = largest(records, Phase::Discharge, -1.0);
        Self { count, records, charge, discharge }
    }
}

impl<'a> Half<'a> {
    /// Returns times since the begin of the record [s].
    pub fn time_second(&self) -> &'a [f64] {
        &self.record.samples.time_second[self.rows.clone()]
    }

    /// Returns terminal voltages [V].
    pub fn voltage_volt(&self) -> &'a [f64] {
        &self.record.samples.voltage_volt[self.rows.clone()]
    }

    /// Returns currents [A], positive while they charge.
    pub fn current_ampere(&self) -> &'a [f64] {
        &self.record.samples.current_ampere[self.rows.clone()]
    }

    /// Returns surface temperatures [degrees Celsius].
    pub fn temperature_celsius(&self) -> &'a [f64] {
        &self.record.samples.temperature_celsius[self.rows.clone()]
    }

    /// Returns the curve that the source gives ready-made.
    pub fn curve(&self) -> Option<&'a Curve> {
        self.record.curve.as_ref()
    }
}

/// Returns the cycle of each record: the source's count, else one more after each discharge; never falling.
fn counts(records: &[Record]) -> Vec<u32> {
    let (mut own, mut after_discharge) = (1, false);
    let mut last = 0;
    let count = |record: &Record| {
        if after_discharge && matches!(record.phase, Phase::Charge | Phase::Cycle) {
            own += 1;
            after_discharge = false;
        }
        after_discharge |= record.phase == Phase::Discharge;
        last = record.cycle_count.unwrap_or(own).max(last);
        last
    };
    records.iter().map(count).collect()
}

/// Returns the half cycle of one direction (`sign` of its current) that moves most.
fn largest(records: &[Record], phase: Phase, sign: f64) -> Option<Half<'_>> {
    let halves = records.iter().filter(|r| r.phase == phase || r.phase == Phase::Cycle);
    let halves = halves.map(|record| Half { record, rows: flowing(record, sign) });
    let moved = |half: &Half| {
        let stated = half.record.stated_capacity_ah.or_else(|| half.curve()?.capacity_ah.last().copied());
        let measured = half.time_second().windows(2).zip(half.current_ampere());
        let charge = measured.map(|(t, i)| sign * i * (t[1] - t[0])).filter(|q| q.is_finite()).sum::<f64>();
        if half.rows.is_empty() { stated.unwrap_or(0.0) * 3600.0 } else { charge }
    };
    let weighed = halves.map(|half| (moved(&half), half)).filter(|(charge, _)| *charge > 0.0);
    weighed.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, half)| half)
}

/// Returns the longest run of samples whose current has the sign, short gaps included.
fn flowing(record: &Record, sign: f64) -> Range<usize> {
    let current = &record.samples.current_ampere;
    let largest = current.iter().filter(|i| i.is_finite()).fold(0.0_f64, |m, i| m.max(i.abs()));
    let flows = |i: &f64| sign * i > REST_SHARE * largest;
    let first = current.iter().position(flows);
    let last = current.iter().rposition(flows);
    match (first, last) {
        (Some(first), Some(last)) => first..last + 1,
        _ => 0..0,
    }
}
