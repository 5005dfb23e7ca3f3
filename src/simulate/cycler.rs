//! The test bench: charges, discharges, rests and titrations of a cell, and its sensors.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::circuit::{Circuit, State};
use crate::dataset::Samples;

/// Samples in a half cycle at constant current where a fleet does not say, more where the voltage is steep.
pub(super) const SAMPLES_A_HALF_CYCLE: f64 = 80.0;
/// Voltage between two samples from which on they are taken closer [V].
const STEEP_VOLT: f64 = 0.02;
/// How much closer at most.
const CLOSER: f64 = 10.0;
/// Step and longest interval of samples while the voltage is held [s], the latter at the usual number of samples.
const HOLD_SECOND: (f64, f64) = (10.0, 90.0);
/// Change of the current, over that of the charge, from which on samples are taken closer then [1].
const HOLD_CHANGE: f64 = 0.02;
/// Current at which a charge ends [1/h].
const END_C_RATE: f64 = 0.05;
/// Longest time at held voltage [s].
const LONGEST_HOLD: f64 = 3.0 * 3600.0;
/// Rest after a charge and after a discharge [s].
const REST_SECOND: f64 = 1800.0;
/// Pulses of a titration, their rate [1/h] and the rest after each [s].
const TITRATION: (usize, f64, f64) = (10, 0.2, 3600.0);
/// Time [s] and resistance [ohm per ohm of the fresh ohmic part] of the charge of a short-circuited cell.
const DEAD: (f64, f64) = (600.0, 4.0);

/// Sensors at full noise: standard deviation and resolution, of voltage [V], current [1/h], temperature [degrees Celsius].
const VOLTAGE: (f64, f64) = (5e-4, 1e-4);
const CURRENT: (f64, f64) = (1e-4, 1e-5);
const TEMPERATURE: (f64, f64) = (0.05, 0.01);

/// Charges with constant current to the upper limit, then holds it until the current has faded.
pub(super) fn charge(cell: &Circuit, state: &mut State, c_rate: f64) -> Samples {
    let mut samples = Samples::default();
    constant_current(cell, state, c_rate * cell.nominal_ah, f64::INFINITY, &mut samples);
    hold(cell, state, c_rate * cell.nominal_ah, &mut samples);
    samples
}

/// Discharges with constant current to the lower limit.
pub(super) fn discharge(cell: &Circuit, state: &mut State, c_rate: f64) -> Samples {
    let mut samples = Samples::default();
    constant_current(cell, state, -c_rate * cell.nominal_ah, f64::INFINITY, &mut samples);
    samples
}

/// Waits; samples are close at first and sparse later.
pub(super) fn rest(cell: &Circuit, state: &mut State) -> Samples {
    let mut samples = Samples::default();
    relax(cell, state, REST_SECOND, &mut samples);
    samples
}

/// Charges in pulses with a rest after each, until the upper limit.
pub(super) fn titrate(cell: &Circuit, state: &mut State) -> Samples {
    let (pulses, c_rate, rest_second) = TITRATION;
    let mut samples = Samples::default();
    let pulse_second = 3600.0 / c_rate / pulses as f64;
    for _ in 0..pulses {
        let reached = constant_current(cell, state, c_rate * cell.nominal_ah, pulse_second, &mut samples);
        relax(cell, state, rest_second, &mut samples);
        if reached {
            break;
        }
    }
    samples
}

/// Charges a short-circuited cell until the bench gives up: the voltage is the drop over the short.
pub(super) fn charge_dead(cell: &Circuit, c_rate: f64) -> Samples {
    let (second, short) = DEAD;
    let ampere = c_rate * cell.nominal_ah;
    dead(cell, ampere, short * cell.resistance_ohm[0] * ampere, second, 20)
}

/// Discharges a short-circuited cell: it is below the limit at once.
pub(super) fn discharge_dead(cell: &Circuit, c_rate: f64) -> Samples {
    dead(cell, -c_rate * cell.nominal_ah, 0.0, 1.0, 1)
}

/// Lets the voltage dip at some samples of a charge, as a dendrite that touches and burns off does.
pub(super) fn dip(samples: &mut Samples, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(3..8) {
        let position = rng.random_range(0..samples.len().max(1));
        if let Some(volt) = samples.voltage_volt.get_mut(position) {
            *volt -= rng.random_range(0.02..0.2);
        }
    }
}

/// Replaces the true values by what sensors of the relative `noise` [1] show; 0 leaves them.
pub(super) fn measure(samples: &mut Samples, nominal_ah: f64, noise: f64, rng: &mut ChaCha8Rng) {
    if noise <= 0.0 {
        return;
    }
    let ampere = (CURRENT.0 * nominal_ah, CURRENT.1 * nominal_ah);
    for k in 0..samples.len() {
        sense(&mut samples.voltage_volt[k], VOLTAGE, noise, rng);
        sense(&mut samples.temperature_celsius[k], TEMPERATURE, noise, rng);
        if samples.current_ampere[k] != 0.0 {
            sense(&mut samples.current_ampere[k], ampere, noise, rng);
        }
    }
}

fn sense(value: &mut f64, (deviation, resolution): (f64, f64), noise: f64, rng: &mut ChaCha8Rng) {
    let draw: f64 = StandardNormal.sample(rng);
    *value = ((*value + noise * deviation * draw) / resolution).round() * resolution;
}

/// Holds `ampere` for `second` or until the limit, which the last sample then meets; returns whether it was the limit.
fn constant_current(
    cell: &Circuit,
    state: &mut State,
    ampere: f64,
    second: f64,
    samples: &mut Samples,
) -> bool {
    let start = next_second(samples);
    let longest = 3600.0 * cell.nominal_ah / ampere.abs() / cell.half_cycle_samples;
    let mut volt = cell.voltage(state, ampere);
    let (mut elapsed, mut next) = (0.0, longest / CLOSER);
    push(samples, start, volt, ampere, state.celsius);
    while !beyond(cell, volt, ampere) && elapsed < second {
        let step = next.min(second - elapsed).max(1e-3);
        let mut after = cell.step(state, ampere, step);
        let mut taken = step;
        if beyond(cell, cell.voltage(&after, ampere), ampere) {
            taken = step_to_limit(cell, state, ampere, step);
            after = cell.step(state, ampere, taken);
        }
        *state = after;
        elapsed += taken;
        let slope = (cell.voltage(state, ampere) - volt).abs() / taken.max(1e-9);
        volt = cell.voltage(state, ampere);
        push(samples, start + elapsed, volt, ampere, state.celsius);
        next = (STEEP_VOLT / slope.max(1e-12)).clamp(longest / CLOSER, longest);
        if taken < step {
            return true;
        }
    }
    beyond(cell, volt, ampere)
}

fn beyond(cell: &Circuit, volt: f64, ampere: f64) -> bool {
    if ampere > 0.0 { volt >= cell.limits_volt.1 } else { volt <= cell.limits_volt.0 }
}

/// Returns the part of `second` [s] after which the limit is met, by bisection, on its near side.
fn step_to_limit(cell: &Circuit, state: &State, ampere: f64, second: f64) -> f64 {
    let (mut low, mut high) = (0.0, second);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if beyond(cell, cell.voltage(&cell.step(state, ampere, middle), ampere), ampere) {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

fn hold(cell: &Circuit, state: &mut State, ampere: f64, samples: &mut Samples) {
    let (step, usual) = HOLD_SECOND;
    let interval = usual * SAMPLES_A_HALF_CYCLE / cell.half_cycle_samples;
    let upper = cell.limits_volt.1;
    let start = samples.time_second.last().copied().unwrap_or(0.0);
    let mut current = ampere;
    let (mut elapsed, mut shown) = (0.0, (0.0, ampere));
    while elapsed < LONGEST_HOLD && current > END_C_RATE * cell.nominal_ah {
        current = cell.current_at(state, upper, current, step).clamp(0.0, ampere);
        *state = cell.step(state, current, step);
        elapsed += step;
        let last = current <= END_C_RATE * cell.nominal_ah;
        if last || elapsed - shown.0 >= interval || shown.1 - current > HOLD_CHANGE * ampere {
            shown = (elapsed, current);
            push(samples, start + elapsed, upper, current, state.celsius);
        }
    }
}

fn relax(cell: &Circuit, state: &mut State, second: f64, samples: &mut Samples) {
    let start = next_second(samples);
    push(samples, start, cell.voltage(state, 0.0), 0.0, state.celsius);
    let (mut elapsed, mut next) = (0.0, 5.0);
    while elapsed < second {
        let step = f64::min(next, second - elapsed);
        *state = cell.step(state, 0.0, step);
        elapsed += step;
        push(samples, start + elapsed, cell.voltage(state, 0.0), 0.0, state.celsius);
        next *= 1.6;
    }
}

fn dead(cell: &Circuit, ampere: f64, volt: f64, second: f64, n_steps: u32) -> Samples {
    let mut samples = Samples::default();
    for k in 0..=n_steps {
        let time = second * f64::from(k) / f64::from(n_steps);
        push(&mut samples, time, volt, ampere, cell.ambient_celsius);
    }
    samples
}

/// Returns the time of the first sample of a new step [s].
fn next_second(samples: &Samples) -> f64 {
    samples.time_second.last().map_or(0.0, |t| t + 1.0)
}

fn push(samples: &mut Samples, second: f64, volt: f64, ampere: f64, celsius: f64) {
    samples.time_second.push(second);
    samples.voltage_volt.push(volt);
    samples.current_ampere.push(ampere);
    samples.temperature_celsius.push(celsius);
}
