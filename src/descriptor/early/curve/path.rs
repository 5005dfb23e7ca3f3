//! The points of one half cycle in the voltage-capacity plane, cleaned so that both can be looked up.

use super::view::{Grid, Side};
use super::{Half, Missing};
use crate::cell::health::charge_throughput;
use crate::dataset::Curve;
use crate::signal::extent::{all_finite, extent};
use crate::signal::interpolate::linear;

/// Voltage before the end of a half cycle at which its grid ends [V]: a hold scatters within it.
const HOLD_VOLT: f64 = 0.01;

/// Share of the grid's span that a curve may lack at either end; ours.
const REACH_SHARE: f64 = 0.1;

/// Fewest points of a curve; ours.
pub(super) const MIN_POINTS: usize = 10;

/// Points of a half cycle, by ascending voltage.
#[derive(Debug)]
pub(super) struct Path {
    volt: Vec<f64>,
    ah: Vec<f64>,
}

impl Path {
    /// Returns the points of a half cycle that reach a voltage first, by ascending voltage.
    pub(super) fn new(half: &Half, side: Side) -> Option<Self> {
        let (mut volt, mut ah) = points(half, side);
        let (sign, n) = (side.sign(), volt.len());
        let (mut reached, mut before, mut kept) = (f64::NEG_INFINITY, f64::NAN, 0);
        for idx in 0..n {
            let here = volt[idx];
            let middle = if idx == 0 || idx + 1 == n { here } else { middle(before, here, volt[idx + 1]) };
            before = here;
            if sign * middle > reached {
                reached = sign * middle;
                (volt[kept], ah[kept]) = (middle, ah[idx]);
                kept += 1;
            }
        }
        volt.truncate(kept);
        ah.truncate(kept);
        let mut path = Self { volt, ah };
        if side == Side::Discharge {
            path.volt.reverse();
            path.ah.reverse();
        }
        (path.volt.len() >= MIN_POINTS).then_some(path)
    }

    /// Refuses a half cycle that lacks a part of the grid, or moved nothing.
    pub(super) fn check(&self, grid: &Grid, side: Side) -> Result<(), Missing> {
        let slack = REACH_SHARE * (grid.highest_volt() - grid.from_volt);
        let (low, high) = (self.volt[0], self.volt[self.volt.len() - 1]);
        if low > grid.from_volt + slack || high < grid.highest_volt() - slack {
            return Err(Missing::Undefined("the half cycle covers only a part of the usual voltages"));
        }
        let moved = side.sign() * (self.ah[self.ah.len() - 1] - self.ah[0]);
        match moved {
            moved if moved > 0.0 => Ok(()),
            moved if moved < 0.0 => Err(Missing::Undefined("the capacity falls along the half cycle")),
            _ => Err(Missing::Flat),
        }
    }

    /// Returns capacities and voltages on the grid's voltages in the order of the half cycle, those that rise in
    /// capacity.
    pub(super) fn rising(&self, grid: &Grid, side: Side) -> (Vec<f64>, Vec<f64>) {
        let slack = 0.5 * grid.step_volt;
        let within = grid.from_volt - slack..grid.highest_volt() + slack;
        let points = self.ah.iter().copied().zip(self.volt.iter().copied());
        let mut points: Vec<(f64, f64)> = points.filter(|(_, volt)| within.contains(volt)).collect();
        if side == Side::Discharge {
            points.reverse();
        }
        let mut most = f64::NEG_INFINITY;
        points.retain(|&(ah, _)| {
            let rises = ah > most;
            most = most.max(ah);
            rises
        });
        points.into_iter().unzip()
    }

    /// Returns the capacities at the grid's voltages; beyond the ends of the curve they stay what they are there.
    pub(super) fn resample(&self, grid: &Grid) -> Vec<f64> {
        let (low, high) = (self.volt[0], self.volt[self.volt.len() - 1]);
        let at: Vec<f64> = (0..grid.points).map(|i| grid.volt(i as f64).clamp(low, high)).collect();
        linear(&self.volt, &self.ah, &at).expect("a path ascends in finite voltages")
    }
}

/// Returns voltages and the charge passed [Ah], in the order of the half cycle, finite pairs only.
fn points(half: &Half, side: Side) -> (Vec<f64>, Vec<f64>) {
    if let Some(Curve { voltage_volt: volt, capacity_ah: ah }) = half.curve() {
        if all_finite(volt) && all_finite(ah) {
            return (volt.clone(), ah.clone());
        }
        let pairs = volt.iter().copied().zip(ah.iter().copied());
        return pairs.filter(|(v, q)| v.is_finite() && q.is_finite()).unzip();
    }
    let (sign, n) = (side.sign(), half.rows.len());
    let (mut volt, mut ah) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let (mut before, mut passed): (Option<(f64, f64)>, f64) = (None, 0.0);
    for ((&t, &v), &i) in half.time_second().iter().zip(half.voltage_volt()).zip(half.current_ampere()) {
        if t.is_finite() && v.is_finite() && i.is_finite() {
            let (time, current) = before.replace((t, i)).unwrap_or((t, i));
            passed += sign * charge_throughput(&[time, t], &[current, i]);
            volt.push(v);
            ah.push(passed);
        }
    }
    (volt, ah)
}

/// Returns the lowest and highest voltage of a half cycle, the scatter of a hold at its end left out [V].
pub(super) fn range(half: &Half, side: Side) -> Option<(f64, f64)> {
    let (volts, hold) = half.curve().map_or((half.voltage_volt(), HOLD_VOLT), |c| (&c.voltage_volt[..], 0.0));
    let (low, high) = extent(volts)?;
    Some(if side == Side::Charge { (low, high - hold) } else { (low + hold, high) })
}

/// Returns the median of three values.
fn middle(a: f64, b: f64, c: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if c < low {
        low
    } else if c > high {
        high
    } else {
        c
    }
}
