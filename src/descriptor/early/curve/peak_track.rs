//! Peaks of dQ/dV: one half cycle's, and the same peak over the cycles.
//!
//! A peak is known by its rank in the reference cycle, the most prominent first. In another cycle it is the peak
//! nearest to where it was in the cycle before, so that drift is that of one peak and not of its rank.

use super::shape::{at, slope, variance};
use super::view::{Grid, Side, View};
use super::{EarlyCell, Missing, Value};
use crate::signal::peak::Peak;

/// Largest jump of a peak from one usable cycle to the next [V]; ours, below what separates neighbouring peaks.
const MAX_JUMP_VOLT: f64 = 0.02;

/// Fewest cycles that must show the peak for its drift; ours.
const MIN_CYCLES: usize = 3;

/// One peak of dQ/dV.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct IcPeak {
    /// Voltage of the top, of the parabola through the three highest samples [V].
    pub volt: f64,
    /// Height [Ah/V].
    pub height: f64,
    /// Height above the ground around it [Ah/V].
    pub prominence: f64,
    /// Width at half the prominence [V].
    pub width_volt: f64,
    /// Charge passed within that width [Ah].
    pub charge_ah: f64,
    /// Width below the top's voltage over the whole width, 0-1.
    pub low_side_share: f64,
    /// Position on the grid.
    pub position: usize,
}

/// Returns the peak of `rank` (0 the most prominent) in the reference cycle.
pub(super) fn reference_peak(c: &EarlyCell, side: Side, rank: usize) -> Result<IcPeak, Missing> {
    let view = View::new(c, side);
    let reference = view.reference()?;
    let peak = view.incremental(reference)?.peaks.get(rank).ok_or(Missing::NoPeak)?;
    IcPeak::new(view, reference, peak)
}

/// Returns a property of the peak of `rank` in every cycle that shows it, with the cycle's number, from the reference on.
pub(super) fn track(
    c: &EarlyCell,
    side: Side,
    rank: usize,
    property: fn(&IcPeak) -> f64,
) -> Result<(Vec<f64>, Vec<f64>), Missing> {
    let view = View::new(c, side);
    let (reference, first) = (view.reference()?, reference_peak(c, side, rank)?);
    let grid = view.grid()?;
    let mut near = first.volt;
    let (mut cycles, mut values) = (Vec::new(), Vec::new());
    for cycle in view.usable().filter(|&cycle| cycle >= reference) {
        if let Some(peak) = nearest(view, &grid, cycle, near) {
            near = peak.volt;
            cycles.push(f64::from(cycle));
            values.push(property(&peak));
        }
    }
    Ok((cycles, values))
}

/// Returns the slope of a tracked property per cycle.
pub(super) fn track_slope(c: &EarlyCell, side: Side, rank: usize, property: fn(&IcPeak) -> f64) -> Value {
    let (cycles, values) = long_track(c, side, rank, property)?;
    slope(&cycles, &values)
}

/// Returns the variance of a tracked property over the cycles.
pub(super) fn track_variance(c: &EarlyCell, side: Side, rank: usize, property: fn(&IcPeak) -> f64) -> Value {
    Ok(variance(&long_track(c, side, rank, property)?.1))
}

/// Returns a tracked property in the last cycle that shows the peak less in the reference cycle.
pub(super) fn track_change(c: &EarlyCell, side: Side, rank: usize, property: fn(&IcPeak) -> f64) -> Value {
    match track(c, side, rank, property)?.1[..] {
        [first, .., last] => Ok(last - first),
        _ => Err(Missing::NoPeak),
    }
}

/// Returns the share of the usable cycles from the reference on that show the peak.
pub(super) fn tracked_share(c: &EarlyCell, side: Side, rank: usize) -> Value {
    let view = View::new(c, side);
    let (reference, found) = (view.reference()?, track(c, side, rank, |p| p.volt)?.0.len());
    Ok(found as f64 / view.usable().filter(|&cycle| cycle >= reference).count() as f64)
}

/// Returns the lowest value between the two most prominent peaks of the reference cycle [Ah/V].
pub(super) fn valley(c: &EarlyCell, side: Side) -> Value {
    let view = View::new(c, side);
    let (a, b) = (reference_peak(c, side, 0)?.position, reference_peak(c, side, 1)?.position);
    let between = &view.incremental(view.reference()?)?.ah_per_volt[a.min(b)..=a.max(b)];
    Ok(between.iter().copied().fold(f64::INFINITY, f64::min))
}

impl IcPeak {
    fn new(view: View, cycle: u32, peak: &Peak) -> Result<Self, Missing> {
        let (grid, capacity, curve) = (view.grid()?, view.capacity(cycle)?, view.incremental(cycle)?);
        let (left, right) = (at(capacity, peak.left), at(capacity, peak.right));
        let position = peak.position;
        Ok(Self {
            volt: grid.volt(vertex(&curve.ah_per_volt, position)),
            height: curve.ah_per_volt[position],
            prominence: peak.prominence,
            width_volt: peak.width() * grid.step_volt,
            charge_ah: (right - left).abs(),
            low_side_share: (position as f64 - peak.left) / peak.width(),
            position,
        })
    }
}

/// Returns the place of the vertex of the parabola through a top and its neighbours.
pub(super) fn vertex(y: &[f64], top: usize) -> f64 {
    let (before, here, after) = (y[top - 1], y[top], y[top + 1]);
    let bend = before - 2.0 * here + after;
    top as f64 + if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 }
}

fn long_track(
    c: &EarlyCell,
    side: Side,
    rank: usize,
    property: fn(&IcPeak) -> f64,
) -> Result<(Vec<f64>, Vec<f64>), Missing> {
    let (cycles, values) = track(c, side, rank, property)?;
    if cycles.len() < MIN_CYCLES {
        return Err(Missing::FewCycles { found: cycles.len(), needed: MIN_CYCLES });
    }
    Ok((cycles, values))
}

/// Returns the peak of a cycle nearest to a voltage, within the largest jump.
fn nearest(view: View, grid: &Grid, cycle: u32, volt: f64) -> Option<IcPeak> {
    let peaks = &view.incremental(cycle).ok()?.peaks;
    let gap = |peak: &&Peak| (grid.volt(peak.position as f64) - volt).abs();
    let found = peaks.iter().min_by(|a, b| gap(a).total_cmp(&gap(b)))?;
    if gap(&found) > MAX_JUMP_VOLT { None } else { IcPeak::new(view, cycle, found).ok() }
}
