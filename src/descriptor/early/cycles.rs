//! A cell's first cycles: which records belong to which cycle, and the half cycles that descriptors look at.

use std::cell::OnceCell;
use std::ops::Range;

use super::curve::view::Curves;
use super::cycle::series::Table;
use super::probe::probes::Probes;
use super::{Window, physical};
use crate::cell::Phase;
use crate::dataset::{Cell, Curve, Record, pairing};
use crate::signal::extent::extent;
use crate::units::ampere_hours;

/// Current below which a half cycle does not flow, over the largest one that flows its way [1].
///
/// NASA's sensors read up to 0.004 of it once the charger is off; chargers end the hold at 0.013 and above.
const FLOW_SHARE: f64 = 5e-3;

/// The same over the largest current of the record either way [1]: below it is noise, not a half cycle.
const NOISE_SHARE: f64 = 1e-3;

/// Samples that flow back, none forth between them, which end a half cycle; fewer are a glitch.
const TURN_SAMPLES: usize = 3;

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
    /// Quantities of each cycle, once one has been asked for.
    pub(super) table: OnceCell<Table>,
    /// Titrations, rests, holds, spectra and pulses, each found when first asked for.
    pub(super) probes: Probes,
    /// Curves on a common grid, made when first asked for.
    pub(super) curves: OnceCell<Curves>,
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
    /// Phases whose half cycle is left out: it moved more charge than the cell can.
    pub left_out: Vec<Phase>,
}

/// A charge or discharge within a record.
#[derive(Debug, Clone)]
pub struct Half<'a> {
    /// The record.
    pub record: &'a Record,
    /// Its samples; empty where the source gives a curve or a capacity only.
    pub rows: Range<usize>,
    /// Charge that it moved [Ah].
    pub moved_ah: f64,
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
        physical::leave_out(&mut cycles, cell.facts.nominal_capacity_ah);
        let (table, curves, probes) = (OnceCell::new(), OnceCell::new(), Probes::default());
        Self { cell, window, nominal_ah, cycles, table, probes, curves }
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
        Self { count, records, charge, discharge, left_out: Vec::new() }
    }
}

impl<'a> Half<'a> {
    fn new(record: &'a Record, sign: f64) -> Self {
        let mut half = Self { record, rows: flowing(record, sign), moved_ah: 0.0 };
        let stated = record.stated_capacity_ah.or_else(|| half.curve()?.capacity_ah.last().copied());
        let steps = half.time_second().windows(2).zip(half.current_ampere());
        let charge = steps.map(|(t, i)| sign * i * (t[1] - t[0])).filter(|q| q.is_finite()).sum::<f64>();
        half.moved_ah = if half.rows.is_empty() { stated.unwrap_or(0.0) } else { ampere_hours(charge) };
        half
    }

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
    let halves = halves.map(|record| Half::new(record, sign)).filter(|half| half.moved_ah > 0.0);
    halves.max_by(|a, b| a.moved_ah.total_cmp(&b.moved_ah))
}

/// Returns the run of samples that moves most one way (`sign` of its current), rests and glitches within it included.
fn flowing(record: &Record, sign: f64) -> Range<usize> {
    let (time, current) = (&record.samples.time_second, &record.samples.current_ampere);
    let (low, high) = extent(current).unwrap_or_default();
    let toward = (sign * low).max(sign * high).max(0.0);
    let either = low.abs().max(high.abs());
    let least = (FLOW_SHARE * toward).max(NOISE_SHARE * either);
    let (mut best, mut run, mut against) = ((0.0, 0..0), (0.0, 0..0), 0);
    for (k, i) in current.iter().map(|i| sign * i).enumerate() {
        if i > least {
            let step = if k + 1 < time.len() { time[k + 1] - time[k] } else { 0.0 };
            let from = if run.1.is_empty() { k } else { run.1.start };
            run = (run.0 + if step.is_finite() { i * step } else { 0.0 }, from..k + 1);
            against = 0;
        } else if i < -least {
            against += 1;
        }
        if run.0 > best.0 {
            best = run.clone();
        }
        if against == TURN_SAMPLES {
            run = (0.0, 0..0);
        }
    }
    if run.0 >= best.0 && best.0 > 0.0 { run.1 } else { best.1 }
}
