//! Titrations parted into their pulses: what the voltage does when the current starts, flows, stops and is gone.

use std::f64::consts::PI;

use super::aggregate::Measured;
use super::trace::{Step, Trace};
use super::{EarlyCell, Missing, Value};
use crate::cell::Phase;
use crate::signal::{exponential, interpolate, line};

/// Fewest pulses between two rests that make a titration; ours: a trend over the state of charge needs three.
const FEWEST_PULSES: usize = 3;
/// Fewest samples of a pulse and of the rest after it; ours.
const FEWEST_SAMPLES: (usize, usize) = (3, 2);
/// Begin of the slow part of a relaxation [s]: charge transfer and film are faster (`[Barai2015b]`).
const SLOW_SECOND: f64 = 1.0;

/// Pulses of one direction in one record.
#[derive(Debug)]
pub(super) struct Titration {
    pub(super) cycle: u32,
    /// Sign of the current.
    pub(super) sign: f64,
    /// Charge that all pulses passed [Ah].
    pub(super) charge_ah: f64,
    /// Pulses with a rest on both sides, in the order of the test.
    pub(super) pulses: Vec<Pulse>,
    /// State of charge [1] and relaxed voltage [V] after each pulse, ascending in the state of charge.
    open_circuit: (Vec<f64>, Vec<f64>),
}

/// One pulse with the rests on its both sides.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    cycle: u32,
    /// Sign of the current.
    pub(super) sign: f64,
    /// Size of the mean current [A].
    ampere: f64,
    /// Duration under current [s].
    second: f64,
    /// State of charge after it, as a share of what the titration passes [1].
    pub(super) soc: f64,
    /// Voltage at the end of the rest before [V].
    before: f64,
    /// First and last voltage under current [V].
    loaded: (f64, f64),
    /// First and last voltage of the rest after [V].
    rested: (f64, f64),
    /// Line of the voltage over the square root of the time under current.
    sqrt_line: Option<line::Line>,
    /// Slow relaxation in the rest after.
    relaxation: Option<exponential::Relaxation>,
}

/// Parts every titration of the window; [`Missing`] where there is none that can be used.
pub(super) fn titrations(cell: &EarlyCell) -> Result<Vec<Titration>, Missing> {
    let mut reason = Missing::No(super::Need::Gitt);
    let mut found = Vec::new();
    for cycle in &cell.cycles {
        for record in cycle.records.iter().filter(|r| r.phase == Phase::Gitt) {
            match titration(cycle.count, &Trace::new(&record.samples)) {
                Ok(titration) => found.push(titration),
                Err(missing) => reason = missing,
            }
        }
    }
    if found.is_empty() { Err(reason) } else { Ok(found) }
}

fn titration(cycle: u32, trace: &Trace) -> Result<Titration, Missing> {
    let steps = trace.steps(false);
    let charges: Vec<f64> = steps.iter().map(|s| charge_ah(trace, s)).collect();
    let net: f64 = charges.iter().sum();
    let charge_ah: f64 = charges.iter().map(|q| q.abs()).sum();
    let sign = net.signum();
    let (mut passed, mut pulses, mut relaxed) = (0.0, Vec::new(), Vec::new());
    for (k, step) in steps.iter().enumerate().filter(|(_, s)| s.sign * sign > 0.0) {
        passed += charges[k].abs();
        let share = passed / charge_ah;
        let soc = if sign > 0.0 { share } else { 1.0 - share };
        let after = steps.get(k + 1).filter(|after| after.sign == 0.0);
        relaxed.extend(after.map(|after| (soc, trace.volt[after.rows.end - 1])));
        let around = k.checked_sub(1).and_then(|before| Some((&steps[before], steps.get(k + 1)?)));
        let rests = around.filter(|(before, after)| before.sign == 0.0 && after.sign == 0.0);
        pulses.extend(rests.and_then(|rests| Pulse::new(trace, step, rests)).map(|p| Pulse {
            cycle,
            soc,
            ..p
        }));
    }
    if pulses.len() < FEWEST_PULSES {
        return Err(Missing::Undefined("a titration with fewer than three pulses between rests"));
    }
    if line::median(pulses.iter().map(Pulse::polarisation).collect()).is_none_or(|median| median <= 0.0) {
        return Err(Missing::Undefined("a titration whose voltage moves against its current"));
    }
    let open_circuit = ascending(relaxed);
    Ok(Titration { cycle, sign, charge_ah, pulses, open_circuit })
}

fn charge_ah(trace: &Trace, step: &Step) -> f64 {
    if step.sign == 0.0 { 0.0 } else { trace.part(&step.rows).charge_ah() }
}

fn ascending(mut points: Vec<(f64, f64)>) -> (Vec<f64>, Vec<f64>) {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.dedup_by(|a, b| a.0 <= b.0);
    points.into_iter().unzip()
}

impl Titration {
    /// Returns the relaxed voltage [V] at the state of charge `soc` [1], by straight lines between pulses.
    pub(super) fn open_circuit(&self, soc: f64) -> Value {
        let (x, y) = &self.open_circuit;
        let volt = interpolate::linear(x, y, &[soc]).map_err(|_| Missing::Flat)?[0];
        if volt.is_nan() {
            Err(Missing::Undefined("the titration does not reach that state of charge"))
        } else {
            Ok(volt)
        }
    }
}

impl Measured for Titration {
    fn cycle(&self) -> u32 {
        self.cycle
    }
}

impl Measured for Pulse {
    fn cycle(&self) -> u32 {
        self.cycle
    }
}

impl Pulse {
    fn new(trace: &Trace, step: &Step, (before, after): (&Step, &Step)) -> Option<Self> {
        let (load, rest) = (trace.part(&step.rows), trace.part(&after.rows));
        let enough = load.second.len() >= FEWEST_SAMPLES.0 && rest.second.len() >= FEWEST_SAMPLES.1;
        let root: Vec<f64> = load.second.iter().map(|t| t.sqrt()).collect();
        let (slow_second, slow_volt) = rest.between(SLOW_SECOND, f64::INFINITY);
        (enough && load.span() > 0.0).then(|| Self {
            cycle: 0,
            sign: step.sign,
            ampere: load.mean_ampere().abs(),
            second: load.span(),
            soc: 0.0,
            before: trace.volt[before.rows.end - 1],
            loaded: (load.volt[0], load.volt[load.volt.len() - 1]),
            rested: (rest.volt[0], rest.volt[rest.volt.len() - 1]),
            sqrt_line: line::least_squares(&root[1..], &load.volt[1..]),
            relaxation: exponential::fit(&slow_second, &slow_volt),
        })
    }

    /// Returns the step of the voltage when the current starts, over the current [ohm].
    pub(super) fn resistance_on(&self) -> f64 {
        self.sign * (self.loaded.0 - self.before) / self.ampere
    }

    /// Returns the step of the voltage when the current stops, over the current [ohm].
    pub(super) fn resistance_off(&self) -> f64 {
        self.sign * (self.loaded.1 - self.rested.0) / self.ampere
    }

    /// Returns the voltage at the end of the pulse beyond the relaxed one, positive in the direction of the current [V].
    pub(super) fn polarisation(&self) -> f64 {
        self.sign * (self.loaded.1 - self.rested.1)
    }

    /// Returns the polarisation over the current [ohm].
    pub(super) fn resistance(&self) -> f64 {
        self.polarisation() / self.ampere
    }

    /// Returns the part of the polarisation that fades after the current has stopped, over the current [ohm].
    pub(super) fn slow_resistance(&self) -> f64 {
        self.sign * (self.rested.0 - self.rested.1) / self.ampere
    }

    /// Returns the diffusion coefficient over the square of the diffusion length [1/s] (`[Weppner1977]`).
    ///
    /// `D / L^2 = 4 / (pi tau) (dEs / dEt)^2`: the length (half an electrode, or a third of a particle's radius) is
    /// not known from electrical data. `dEs` is from rest to rest, `dEt` from the first to the last sample under current.
    pub(super) fn diffusion(&self) -> f64 {
        let ratio = (self.rested.1 - self.before) / (self.loaded.1 - self.loaded.0);
        4.0 / (PI * self.second) * ratio * ratio
    }

    pub(super) fn log_diffusion(&self) -> Value {
        finite(self.diffusion().log10())
    }

    /// Returns slope and share of variance of the voltage over the square root of time: [ohm/s^0.5] and [1].
    pub(super) fn sqrt_line(&self) -> Result<(f64, f64), Missing> {
        let line = self.sqrt_line.ok_or(Missing::Flat)?;
        Ok((self.sign * line.slope / self.ampere, line.r_squared))
    }

    /// Returns the constant of the slow relaxation [s].
    pub(super) fn time_constant(&self) -> Value {
        self.relaxation
            .map(|r| r.constant)
            .ok_or(Missing::Undefined("no relaxation with a constant within the rest"))
    }

    /// Returns how far the voltage still was from the limit of its relaxation when the rest ended [V].
    pub(super) fn unrelaxed(&self) -> Value {
        let relaxation =
            self.relaxation.ok_or(Missing::Undefined("no relaxation with a constant within the rest"))?;
        Ok((self.rested.1 - relaxation.limit).abs())
    }
}

fn finite(value: f64) -> Value {
    if value.is_finite() { Ok(value) } else { Err(Missing::NotFinite) }
}
