//! Rests after a load: the voltage in the first second, its slow relaxation, and what still drifts at the end.

use super::aggregate::Measured;
use super::trace::Trace;
use super::{EarlyCell, Missing, Value};
use crate::cell::Phase;
use crate::signal::{exponential, line};

/// Fewest samples and shortest duration [s] of a rest that says anything; ours.
const SHORTEST: (usize, f64) = (5, 60.0);
/// Begin of the slow part [s]: charge transfer and film are faster (`[Barai2015b]`).
const SLOW_SECOND: f64 = 1.0;
/// Part of the rest in which diffusion goes with the square root of time, and the part that shows the drift at the end [1].
const PARTS: (f64, f64) = (0.25, 0.5);
/// Progress of the relaxation between which its stretching is read [1]: the logarithms of the ends are all noise.
const STRETCH_PROGRESS: (f64, f64) = (0.1, 0.9);
/// Why a relaxation against the load is none.
const BACKWARDS: Missing = Missing::Undefined("the voltage does not relax away from the load");

/// What a rest comes after.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Charge,
    Discharge,
}

/// A rest after a charge or a discharge.
#[derive(Debug)]
pub(super) struct Rest {
    cycle: u32,
    /// Sign of the current before it.
    pub(super) after: f64,
    /// Last voltage [V] and size of the last current [A] before it.
    load: (f64, f64),
    /// Voltage over the time since its first sample.
    trace: Trace,
    /// Voltage after the first second [V].
    early: f64,
    /// Fit of the slow part.
    fit: Option<exponential::Relaxation>,
}

/// Returns every rest after a charge or a discharge in the window; those of titrations are not among them.
pub(super) fn rests(cell: &EarlyCell) -> Vec<Rest> {
    let mut found = Vec::new();
    let mut load = None;
    for (cycle, record) in cell.cycles.iter().flat_map(|c| c.records.iter().map(move |r| (c.count, r))) {
        if matches!(record.phase, Phase::Gitt | Phase::Impedance) {
            load = None;
            continue;
        }
        let trace = Trace::new(&record.samples);
        for step in trace.steps(record.phase == Phase::Rest) {
            let last = step.rows.end - 1;
            if step.sign != 0.0 {
                load = Some((step.sign, trace.volt[last], trace.ampere[last].abs()));
            } else if let Some((sign, volt, ampere)) = load.take() {
                found.extend(Rest::new(cycle, (sign, volt, ampere), trace.part(&step.rows)));
            }
        }
    }
    found
}

impl Measured for Rest {
    fn cycle(&self) -> u32 {
        self.cycle
    }
}

impl Rest {
    fn new(cycle: u32, (after, volt, ampere): (f64, f64, f64), trace: Trace) -> Option<Self> {
        if trace.second.len() < SHORTEST.0 || trace.span() < SHORTEST.1 {
            return None;
        }
        let early = trace.volt_at(SLOW_SECOND)?.0;
        let (second, slow) = trace.between(SLOW_SECOND, f64::INFINITY);
        let fit = exponential::fit(&second, &slow);
        Some(Self { cycle, after, load: (volt, ampere), trace, early, fit })
    }

    /// Returns the voltages of the rest [V].
    pub(super) fn volt(&self) -> &[f64] {
        &self.trace.volt
    }

    /// Returns the voltage at its end [V].
    pub(super) fn end(&self) -> f64 {
        self.trace.volt[self.trace.volt.len() - 1]
    }

    /// Returns the change of the voltage within the first second, positive away from the load [V].
    pub(super) fn step(&self) -> f64 {
        self.after * (self.load.0 - self.early)
    }

    /// Returns that change over the last current [ohm].
    pub(super) fn resistance(&self) -> Value {
        positive(self.step() / self.load.1)
    }

    /// Returns the change of the voltage from one second to the end, positive away from the load [V].
    pub(super) fn amplitude(&self) -> Value {
        positive(self.after * (self.early - self.end()))
    }

    /// Returns the constant of the fit [s].
    pub(super) fn time_constant(&self) -> Value {
        self.fit
            .map(|f| f.constant)
            .ok_or(Missing::Undefined("no relaxation with a constant within the rest"))
    }

    /// Returns how far the end is from the limit of the fit, over the amplitude [1].
    pub(super) fn unrelaxed(&self) -> Value {
        let limit =
            self.fit.ok_or(Missing::Undefined("no relaxation with a constant within the rest"))?.limit;
        Ok((self.end() - limit).abs() / self.amplitude()?)
    }

    /// Returns the slope of the voltage over the square root of time in the first quarter, away from the load [V/s^0.5].
    pub(super) fn sqrt_slope(&self) -> Value {
        let (second, volt) = self.trace.between(SLOW_SECOND, PARTS.0 * self.trace.span());
        let root: Vec<f64> = second.iter().map(|t| t.sqrt()).collect();
        sloped(&root, &volt).map(|slope| -self.after * slope)
    }

    /// Returns the slope of the voltage over time in the second half, away from the load [V/s].
    pub(super) fn drift(&self) -> Value {
        let (second, volt) = self.trace.between(PARTS.1 * self.trace.span(), f64::INFINITY);
        sloped(&second, &volt).map(|slope| -self.after * slope)
    }

    /// Returns the time [s] after which half of the amplitude is gone, by a straight line between samples.
    pub(super) fn half_time(&self) -> Value {
        self.amplitude()?;
        let half = 0.5 * (self.early + self.end());
        let gone = |volt: f64| self.after * (half - volt) >= 0.0;
        let both = || self.trace.second.iter().copied().zip(self.trace.volt.iter().copied());
        let above = both().position(|(t, v)| t > SLOW_SECOND && gone(v)).ok_or(Missing::Flat)?;
        let (to, to_volt) = (self.trace.second[above], self.trace.volt[above]);
        let before = both().take(above).rfind(|(t, _)| *t >= SLOW_SECOND);
        let (from, from_volt) = before.unwrap_or((SLOW_SECOND, self.early));
        Ok(from + (to - from) * (half - from_volt) / (to_volt - from_volt))
    }

    /// Returns the exponent of a stretched exponential [1]: the slope of `ln(-ln(1 - progress))` over `ln t`.
    pub(super) fn stretch(&self) -> Value {
        let amplitude = self.amplitude()?;
        let both = self.trace.second.iter().zip(&self.trace.volt).filter(|(t, _)| **t > SLOW_SECOND);
        let progress = both.map(|(t, v)| (*t, self.after * (self.early - v) / amplitude));
        let inner = progress.filter(|(_, p)| (STRETCH_PROGRESS.0..=STRETCH_PROGRESS.1).contains(p));
        let (x, y): (Vec<f64>, Vec<f64>) = inner.map(|(t, p)| (t.ln(), (-(1.0 - p).ln()).ln())).unzip();
        sloped(&x, &y)
    }
}

/// Returns the slope of a line through three points or more.
fn sloped(x: &[f64], y: &[f64]) -> Value {
    let line = if x.len() < 3 { None } else { line::least_squares(x, y) };
    line.map(|l| l.slope).ok_or(Missing::Undefined("fewer than three samples in that part of the rest"))
}

fn positive(value: f64) -> Value {
    if value > 0.0 { Ok(value) } else { Err(BACKWARDS) }
}
