//! Capacity against voltage of every half cycle, on one uniform grid a cell and direction.
//!
//! A curve is the charge that had passed when the voltage was first reached: samples that fall back (noise, pauses)
//! are skipped, single outliers go by a median of three. The grid spans the usual (median) voltages of the window
//! in steps of Severson's tables `[Severson2019]`; a half cycle that spans less has no curve. From the same
//! points come voltage against capacity, and the derivatives dQ/dV and dV/dQ by Savitzky-Golay `[SavitzkyGolay1964]`.
//! Each is made when first asked for and remembered in the [`EarlyCell`].

use std::cell::OnceCell;
use std::sync::LazyLock;

use super::path::{MIN_POINTS, Path, range};
use super::{EarlyCell, Half, Missing, Need};
use crate::signal::interpolate::linear;
use crate::signal::peak::{Peak, PeakFinder};
use crate::signal::smooth::{Kernel, SavitzkyGolay};

/// Step of the voltage grid [V]: Severson's tables have 1000 voltages from 3.5 V to 2.0 V `[Severson2019]`.
const STEP_VOLT: f64 = 1.5 / 999.0;

/// Points of the capacity grid; ours: 0.2 % of the charge, finer than the samples of a 1C discharge.
pub(super) const CAPACITY_POINTS: usize = 501;

/// Window and order of the derivatives; ours: 37 mV on the voltage grid, the narrowest that leaves one peak on
/// Severson's curves and no noise on NASA's discharges.
const SMOOTH: SavitzkyGolay = SavitzkyGolay { window: 25, order: 3 };

/// Span of a grid below which a curve is flat, and above which it is of no cell [V]; ours.
const SPAN_VOLT: [f64; 2] = [0.1, 10.0];

/// Least prominence of a dQ/dV peak as a share of the highest value, and of a dV/dQ peak as a share of the median; ours.
const PROMINENCE_SHARE: f64 = 0.05;

/// Share of the capacity at either end where no dV/dQ peak is looked for: the voltage falls away there.
const END_SHARE: f64 = 0.05;

/// Cycle that others are compared with where the window has it: its capacity check is over `[Severson2019]`.
const REFERENCE_CYCLE: u32 = 10;

/// First derivative per point.
static DERIVATIVE: LazyLock<Kernel> =
    LazyLock::new(|| SMOOTH.kernel(1, 1.0).expect("the window is odd and above the order"));

/// Direction of half cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Charge,
    Discharge,
}

/// Voltages at which the capacities of a cell's half cycles are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    /// Lowest voltage [V].
    pub from_volt: f64,
    /// Step [V].
    pub step_volt: f64,
    /// Number of voltages.
    pub points: usize,
}

/// dQ/dV of one half cycle on the grid, positive either way.
#[derive(Debug)]
pub(super) struct Incremental {
    /// Values [Ah/V], by ascending voltage.
    pub ah_per_volt: Vec<f64>,
    /// Peaks by falling prominence.
    pub peaks: Vec<Peak>,
}

/// Voltage against capacity of one half cycle.
#[derive(Debug)]
pub(super) struct Voltage {
    /// Charge from the first to the last point [Ah].
    pub total_ah: f64,
    /// Voltages [V] at equal steps of charge, in the order of the half cycle.
    pub volt: Vec<f64>,
    /// dV/dQ [V/Ah] at the same places, positive either way.
    pub volt_per_ah: Vec<f64>,
    /// Peaks of it away from both ends, by falling prominence.
    pub peaks: Vec<Peak>,
}

/// Everything remembered of a cell's curves.
#[derive(Debug)]
pub(crate) struct Curves {
    charge: Direction,
    discharge: Direction,
}

#[derive(Debug)]
struct Direction {
    grid: OnceCell<Result<Grid, Missing>>,
    cycles: Vec<Memo>,
}

/// What is remembered of one half cycle.
#[derive(Debug, Default)]
struct Memo {
    path: OnceCell<Result<Path, Missing>>,
    capacity: OnceCell<Result<Vec<f64>, Missing>>,
    incremental: OnceCell<Result<Incremental, Missing>>,
    voltage: OnceCell<Result<Voltage, Missing>>,
}

/// The half cycles of one direction of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'c, 'a> {
    cell: &'c EarlyCell<'a>,
    side: Side,
}

impl<'c, 'a> View<'c, 'a> {
    pub(super) fn new(cell: &'c EarlyCell<'a>, side: Side) -> Self {
        Self { cell, side }
    }

    /// Returns the grid of this direction.
    pub(super) fn grid(self) -> Result<Grid, Missing> {
        self.direction().grid.get_or_init(|| Grid::new(self.cell, self.side)).clone()
    }

    /// Returns the capacities of a cycle [Ah] on the grid, by ascending voltage.
    pub(super) fn capacity(self, cycle: u32) -> Result<&'c [f64], Missing> {
        let idx = self.position(cycle)?;
        let memo = &self.direction().cycles[idx].capacity;
        let capacity = memo.get_or_init(|| Ok(self.path(idx)?.resample(&self.grid()?)));
        capacity.as_deref().map_err(Clone::clone)
    }

    /// Returns dQ/dV of a cycle.
    pub(super) fn incremental(self, cycle: u32) -> Result<&'c Incremental, Missing> {
        let memo = &self.direction().cycles[self.position(cycle)?].incremental;
        let make = || Incremental::new(self.capacity(cycle)?, self.grid()?.step_volt, self.side);
        memo.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// Returns voltage against capacity of a cycle.
    pub(super) fn voltage(self, cycle: u32) -> Result<&'c Voltage, Missing> {
        let idx = self.position(cycle)?;
        let memo = &self.direction().cycles[idx].voltage;
        let make = || Voltage::new(self.path(idx)?, &self.grid()?, self.side);
        memo.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// Returns the cycles that have a curve, ascending.
    pub(super) fn usable(self) -> impl DoubleEndedIterator<Item = u32> {
        self.cell.cycles.iter().map(|c| c.count).filter(move |&cycle| self.capacity(cycle).is_ok())
    }

    /// Returns the cycle that others are compared with: number 10, else the first with a curve.
    pub(super) fn reference(self) -> Result<u32, Missing> {
        if self.capacity(REFERENCE_CYCLE).is_ok() {
            return Ok(REFERENCE_CYCLE);
        }
        self.usable().next().ok_or_else(|| self.reason())
    }

    /// Returns the last cycle with a curve, after the reference.
    pub(super) fn last(self) -> Result<u32, Missing> {
        let reference = self.reference()?;
        let last = self.usable().next_back().filter(|&last| last > reference);
        last.ok_or(Missing::FewCycles { found: 1, needed: 2 })
    }

    fn direction(self) -> &'c Direction {
        let curves = self.cell.curves.get_or_init(|| Curves::new(self.cell));
        match self.side {
            Side::Charge => &curves.charge,
            Side::Discharge => &curves.discharge,
        }
    }

    fn position(self, cycle: u32) -> Result<usize, Missing> {
        self.grid()?;
        self.cell.cycles.binary_search_by_key(&cycle, |c| c.count).map_err(|_| Missing::NoCycle(cycle))
    }

    fn path(self, idx: usize) -> Result<&'c Path, Missing> {
        let make = || {
            let half = half(self.cell, self.side, idx).ok_or(self.none())?;
            let path = Path::new(half, self.side).ok_or(Missing::Flat)?;
            path.check(&self.grid()?, self.side)?;
            Ok(path)
        };
        self.direction().cycles[idx].path.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// Returns why there is no curve at all: what is wrong with the first half cycle.
    fn reason(self) -> Missing {
        let wrong = self.cell.cycles.iter().filter_map(|c| self.capacity(c.count).err());
        wrong.reduce(|first, why| if first == self.none() { why } else { first }).unwrap_or(self.none())
    }

    fn none(self) -> Missing {
        Missing::No(if self.side == Side::Charge { Need::Charge } else { Need::Curve })
    }
}

impl Side {
    /// Returns the sign of the current, and of the voltage's change.
    pub(super) fn sign(self) -> f64 {
        match self {
            Self::Charge => 1.0,
            Self::Discharge => -1.0,
        }
    }
}

impl Curves {
    fn new(cell: &EarlyCell) -> Self {
        let direction = || Direction {
            grid: OnceCell::new(),
            cycles: cell.cycles.iter().map(|_| Memo::default()).collect(),
        };
        Self { charge: direction(), discharge: direction() }
    }
}

impl Grid {
    /// Spans the median of the half cycles' lowest and highest voltages.
    fn new(cell: &EarlyCell, side: Side) -> Result<Self, Missing> {
        let halves = (0..cell.cycles.len()).filter_map(|idx| half(cell, side, idx));
        let (low, high): (Vec<f64>, Vec<f64>) = halves.filter_map(|half| range(half, side)).unzip();
        let (low, high) = (median(low), median(high));
        let (Some(from), Some(to)) = (low, high) else { return Err(View::new(cell, side).none()) };
        match to - from {
            span if span < SPAN_VOLT[0] => Err(Missing::Flat),
            span if span > SPAN_VOLT[1] => Err(Missing::Undefined("the voltages are of no single cell")),
            span => {
                let steps = (span / STEP_VOLT).round();
                Ok(Self { from_volt: from, step_volt: span / steps, points: steps as usize + 1 })
            }
        }
    }

    /// Returns the voltage at a place of the grid, between its points too [V].
    pub(super) fn volt(&self, place: f64) -> f64 {
        self.from_volt + place * self.step_volt
    }

    /// Returns the highest voltage [V].
    pub(super) fn highest_volt(&self) -> f64 {
        self.volt((self.points - 1) as f64)
    }

    /// Returns the voltages [V], ascending.
    pub(super) fn volts(&self) -> Vec<f64> {
        (0..self.points).map(|i| self.volt(i as f64)).collect()
    }
}

impl Incremental {
    fn new(capacity_ah: &[f64], step_volt: f64, side: Side) -> Result<Self, Missing> {
        let sign = side.sign();
        let ah_per_volt = derivative(capacity_ah, sign * step_volt);
        let highest = ah_per_volt.iter().copied().fold(0.0, f64::max);
        if highest <= 0.0 {
            return Err(Missing::Flat);
        }
        let peaks = peaks(&ah_per_volt, PROMINENCE_SHARE * highest);
        Ok(Self { ah_per_volt, peaks })
    }
}

impl Voltage {
    fn new(path: &Path, grid: &Grid, side: Side) -> Result<Self, Missing> {
        let (ah, volt) = path.rising(grid, side);
        if ah.len() < MIN_POINTS {
            return Err(Missing::Flat);
        }
        let (first, total_ah) = (ah[0], ah[ah.len() - 1] - ah[0]);
        let step = total_ah / (CAPACITY_POINTS - 1) as f64;
        let at = (0..CAPACITY_POINTS).map(|i| (first + i as f64 * step).min(ah[ah.len() - 1]));
        let volt = linear(&ah, &volt, &at.collect::<Vec<_>>()).map_err(|_| Missing::NotFinite)?;
        let sign = side.sign();
        let volt_per_ah = derivative(&volt, sign * step);
        let least = PROMINENCE_SHARE * median(volt_per_ah.clone()).unwrap_or(0.0).max(0.0);
        let end = END_SHARE * CAPACITY_POINTS as f64;
        let inside = |p: &Peak| (end..CAPACITY_POINTS as f64 - end).contains(&(p.position as f64));
        let peaks = peaks(&volt_per_ah, least).into_iter().filter(inside).collect();
        Ok(Self { total_ah, volt, volt_per_ah, peaks })
    }
}

fn half<'c, 'a>(cell: &'c EarlyCell<'a>, side: Side, idx: usize) -> Option<&'c Half<'a>> {
    match side {
        Side::Charge => cell.cycles[idx].charge.as_ref(),
        Side::Discharge => cell.cycles[idx].discharge.as_ref(),
    }
}

fn derivative(y: &[f64], step: f64) -> Vec<f64> {
    let per_point = DERIVATIVE.apply(y).expect("a grid is longer than the window");
    per_point.into_iter().map(|d| d / step).collect()
}

fn peaks(y: &[f64], min_prominence: f64) -> Vec<Peak> {
    let mut peaks = PeakFinder { min_prominence, rel_height: 0.5 }.find(y);
    peaks.sort_by(|a, b| b.prominence.total_cmp(&a.prominence));
    peaks
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(if n.is_multiple_of(2) { 0.5 * (lower + upper) } else { upper })
}
