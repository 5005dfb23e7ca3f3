//! Resistances by current steps: from samples, or as the source of the data states them.

use super::aggregate::Measured;
use super::trace::Trace;
use super::{EarlyCell, Missing, Need, Value};
use crate::cell::Phase;

/// Times after the step at which the resistance is read [s].
pub(super) const LAGS: [u32; 4] = [0, 3, 10, 30];
/// States of charge at which a source states resistances, from empty to full.
const STATED_SOC: u32 = 6;
/// Longest load between two rests that is a pulse outside of a titration [s]; pulse tests take 10 to 60 s.
const PULSE_SECOND: f64 = 120.0;

/// A step of the current from rest.
#[derive(Debug)]
pub(super) struct Switch {
    cycle: u32,
    /// Sign of the current.
    pub(super) sign: f64,
    /// State of charge [1]: of the source's levels, else of the charge that the cycle moves.
    pub(super) soc: f64,
    /// Resistance at each of [`LAGS`] [ohm].
    ohm: [Value; 4],
}

/// Returns the current steps: those that the source states, else those of the samples.
pub(super) fn find(cell: &EarlyCell) -> Result<Vec<Switch>, Missing> {
    let mut found = stated(cell);
    if found.is_empty() {
        found = cell.cycles.iter().flat_map(|c| measured(c.count, c.records)).collect();
    }
    let forward = |s: &Switch| s.ohm.iter().flatten().next().is_some_and(|ohm| *ohm > 0.0);
    match found.iter().filter(|s| forward(s)).count() {
        _ if found.is_empty() => Err(Missing::No(Need::Pulse)),
        n if 2 * n <= found.len() => {
            Err(Missing::Undefined("pulses whose voltage moves against their current"))
        }
        _ => Ok(found),
    }
}

/// Returns the resistances of the attributes `pulse_resistance_<charge|discharge>_soc<0..5>_<0|3|10|30>s`.
fn stated(cell: &EarlyCell) -> Vec<Switch> {
    let attribute = |name: String| {
        let found = cell.cell.facts.attributes.get(&name);
        found.map(|a| a.value).ok_or(Missing::Undefined("the source does not state that resistance"))
    };
    let one = |side: &str, sign: f64, level: u32| Switch {
        cycle: cell.window.from,
        sign,
        soc: f64::from(level) / f64::from(STATED_SOC - 1),
        ohm: LAGS.map(|lag| attribute(format!("pulse_resistance_{side}_soc{level}_{lag}s"))),
    };
    let levels = (0..STATED_SOC).flat_map(|level| [one("charge", 1.0, level), one("discharge", -1.0, level)]);
    levels.filter(|s| s.ohm.iter().any(Result::is_ok)).collect()
}

/// Returns the current steps of one cycle's samples.
fn measured(cycle: u32, records: &[crate::dataset::Record]) -> Vec<Switch> {
    let (mut found, mut stored, mut bounds) = (Vec::new(), 0.0_f64, (0.0_f64, 0.0_f64));
    let mut rested = None;
    for record in records.iter().filter(|r| r.phase != Phase::Impedance) {
        let trace = Trace::new(&record.samples);
        let steps = trace.steps(record.phase == Phase::Rest);
        for (k, step) in steps.iter().enumerate() {
            let part = trace.part(&step.rows);
            if step.sign == 0.0 {
                rested = part.volt.last().copied();
                continue;
            }
            let between = steps.get(k + 1).is_none_or(|next| next.sign == 0.0);
            let short = record.phase == Phase::Gitt || (between && part.span() <= PULSE_SECOND);
            if let Some(before) = rested.take().filter(|_| short) {
                found.push(Switch {
                    cycle,
                    sign: step.sign,
                    soc: stored,
                    ohm: resistances(&part, before, step.sign),
                });
            }
            stored += part.charge_ah();
            bounds = (bounds.0.min(stored), bounds.1.max(stored));
        }
    }
    let span = bounds.1 - bounds.0;
    for switch in &mut found {
        switch.soc = (switch.soc - bounds.0) / span;
    }
    found
}

fn resistances(part: &Trace, before: f64, sign: f64) -> [Value; 4] {
    let ampere = part.mean_ampere().abs();
    LAGS.map(|lag| {
        let lag = f64::from(lag);
        let (volt, gap) = part.volt_at(lag).ok_or(Missing::Undefined("pulses shorter than that time"))?;
        let near = lag.max(1.0);
        if gap > near {
            Err(Missing::Undefined("samples too far apart for that time"))
        } else {
            Ok(sign * (volt - before) / ampere)
        }
    })
}

impl Measured for Switch {
    fn cycle(&self) -> u32 {
        self.cycle
    }
}

impl Switch {
    /// Returns the resistance [ohm] `lag` seconds after the step, one of [`LAGS`].
    pub(super) fn resistance(&self, lag: u32) -> Value {
        let position = LAGS.iter().position(|l| *l == lag).ok_or(Missing::No(Need::Pulse))?;
        self.ohm[position].clone()
    }

    /// Returns the slope of the resistance over the square root of time, over all of [`LAGS`] [ohm/s^0.5].
    pub(super) fn sqrt_slope(&self) -> Value {
        let root: Vec<f64> = LAGS.iter().map(|l| f64::from(*l).sqrt()).collect();
        let ohm = self.ohm.iter().cloned().collect::<Result<Vec<f64>, Missing>>()?;
        crate::signal::line::least_squares(&root, &ohm).map(|l| l.slope).ok_or(Missing::Flat)
    }
}
