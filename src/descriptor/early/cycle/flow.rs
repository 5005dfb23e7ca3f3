//! A half cycle as numbers see it: its usable samples in one direction, with charge and energy so far.

use super::Half;
use crate::cell::health::charge_throughput;
use crate::descriptor::charge::HOLD_TOLERANCE_VOLT;
use crate::units::ampere_hours;

/// Fewest samples of a hold that say anything of it: a line through logarithms with three to spare.
const FEWEST_HOLD_SAMPLES: usize = 5;

/// Largest current at the end of a hold over that at its begin [1]; above it the charge just ended at the limit.
const HOLD_END_SHARE: f64 = 0.8;

/// Usable samples of one half cycle; a sample with a missing number or no step in time is none.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Time since the begin of the record [s]; empty for a ready-made curve.
    pub(super) second: Vec<f64>,
    /// Terminal voltage [V].
    pub(super) volt: Vec<f64>,
    /// Current in the direction of the half cycle [A]; empty for a ready-made curve.
    pub(super) ampere: Vec<f64>,
    /// Charge so far [Ah].
    pub(super) ah: Vec<f64>,
    /// Energy so far [Wh].
    pub(super) wh: Vec<f64>,
}

/// The part of a charge that holds the highest voltage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    /// Position of its first sample.
    pub(super) from: usize,
    /// Time constant of the current, from a line through its logarithm [s]; NaN where it does not fall.
    pub(super) decay_second: f64,
}

impl Flow {
    /// Takes the samples of a half cycle, or its curve where it has none; `sign` is that of its current.
    pub(super) fn fill(&mut self, half: &Half, sign: f64) {
        self.clear();
        if half.rows.is_empty() {
            return self.fill_curve(half);
        }
        for column in [&mut self.second, &mut self.volt, &mut self.ampere, &mut self.ah, &mut self.wh] {
            column.reserve(half.rows.len());
        }
        let (mut before, mut ah, mut wh) = (None, 0.0, 0.0);
        for ((&t, &v), &i) in half.time_second().iter().zip(half.voltage_volt()).zip(half.current_ampere()) {
            let i = sign * i;
            if !(t.is_finite() && v.is_finite() && i.is_finite()) {
                continue;
            }
            if let Some((t0, v0, i0)) = before {
                if t <= t0 {
                    continue;
                }
                ah += charge_throughput(&[t0, t], &[i0, i]);
                wh += ampere_hours(0.5 * (v0 * i0 + v * i) * (t - t0));
            }
            before = Some((t, v, i));
            self.push(t, v, i, (ah, wh));
        }
    }

    /// Returns the number of usable samples.
    pub(super) fn len(&self) -> usize {
        self.volt.len()
    }

    /// Returns the time from the first to the last sample [s]; NaN for a curve.
    pub(super) fn duration_second(&self) -> f64 {
        match (self.second.first(), self.second.last()) {
            (Some(first), Some(last)) => last - first,
            _ => f64::NAN,
        }
    }

    /// Returns the voltage once a `share` of the charge has passed [V]; NaN where none has.
    pub(super) fn volt_at_share(&self, share: f64) -> f64 {
        let target = share * self.ah.last().copied().unwrap_or(f64::NAN);
        crossing(&self.ah, &self.volt, |q| q >= target, target)
    }

    /// Returns the standard deviation of the voltage over the charge [V].
    pub(super) fn volt_deviation(&self, mean_volt: f64) -> f64 {
        let pairs = self.ah.windows(2).zip(self.volt.windows(2));
        let square = |(q, v): (&[f64], &[f64])| {
            0.5 * ((v[0] - mean_volt).powi(2) + (v[1] - mean_volt).powi(2)) * (q[1] - q[0])
        };
        (pairs.map(square).sum::<f64>() / self.ah.last().copied().unwrap_or(f64::NAN)).sqrt()
    }

    /// Returns the time at which the voltage first rises through `volt` [s]; NaN where it begins above or never does.
    pub(super) fn second_of_volt(&self, volt: f64) -> f64 {
        if self.second.is_empty() || self.volt[0] >= volt {
            return f64::NAN;
        }
        crossing(&self.volt, &self.second, |v| v >= volt, volt)
    }

    /// Returns the time from the begin of a hold until its current has halved [s]; NaN where it does not.
    pub(super) fn half_time_second(&self, hold: Hold) -> f64 {
        let (second, ampere) = (&self.second[hold.from..], &self.ampere[hold.from..]);
        let target = 0.5 * ampere[0];
        crossing(ampere, second, |i| i <= target, target) - second[0]
    }

    /// Returns the hold of the highest voltage; `None` where the charge ends without one.
    pub(super) fn hold(&self) -> Option<Hold> {
        let highest = self.volt.iter().copied().reduce(f64::max)?;
        let from = self.volt.iter().position(|v| *v >= highest - HOLD_TOLERANCE_VOLT)?;
        let held = self.ampere.get(from..).filter(|held| held.len() >= FEWEST_HOLD_SAMPLES)?;
        let falls = held.last()? <= &(HOLD_END_SHARE * held[0]);
        falls.then(|| Hold { from, decay_second: decay_second(&self.second[from..], held) })
    }

    fn clear(&mut self) {
        for column in [&mut self.second, &mut self.volt, &mut self.ampere, &mut self.ah, &mut self.wh] {
            column.clear();
        }
    }

    fn push(&mut self, t: f64, v: f64, i: f64, (ah, wh): (f64, f64)) {
        self.second.push(t);
        self.volt.push(v);
        self.ampere.push(i);
        self.ah.push(ah);
        self.wh.push(wh);
    }

    fn fill_curve(&mut self, half: &Half) {
        let Some(curve) = half.curve() else { return };
        self.volt.reserve(curve.voltage_volt.len());
        self.ah.reserve(curve.voltage_volt.len());
        self.wh.reserve(curve.voltage_volt.len());
        let (mut before, mut wh) = (None, 0.0);
        for (&v, &q) in curve.voltage_volt.iter().zip(&curve.capacity_ah) {
            let (v0, q0) = before.unwrap_or((v, q));
            if v.is_finite() && q.is_finite() && q >= q0 {
                before = Some((v, q));
                wh += 0.5 * (v0 + v) * (q - q0);
                self.volt.push(v);
                self.ah.push(q);
                self.wh.push(wh);
            }
        }
    }
}

/// Returns the `y` at which `x` first passes `target`, linear between the two samples around; NaN where it never does.
fn crossing(x: &[f64], y: &[f64], passed: impl Fn(f64) -> bool, target: f64) -> f64 {
    match x.iter().position(|&x| passed(x)) {
        None => f64::NAN,
        Some(0) => y[0],
        Some(k) => y[k - 1] + (y[k] - y[k - 1]) * (target - x[k - 1]) / (x[k] - x[k - 1]),
    }
}

/// Returns the time constant of a current that falls exponentially [s], by least squares through its logarithm.
fn decay_second(second: &[f64], ampere: &[f64]) -> f64 {
    let points =
        || second.iter().zip(ampere).filter(|(_, i)| **i > 0.0).map(|(t, i)| (t - second[0], i.ln()));
    let n = points().count() as f64;
    let (x, y) = points().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (xx, xy) =
        points().fold((0.0, 0.0), |(xx, xy), p| (xx + (p.0 - x).powi(2), xy + (p.0 - x) * (p.1 - y)));
    if xy < 0.0 { -xx / xy } else { f64::NAN }
}
