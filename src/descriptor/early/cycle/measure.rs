//! What is measured in one cycle: numbers of its charge, its discharge and the time between them.

use super::flow::Flow;
use super::quantity::Quantity as Q;
use super::series::Row;
use super::{Cycle, Half};
use crate::dataset::Record;
use crate::units::{SECONDS_PER_HOUR, ampere_hours};

/// Fewest usable samples of a half cycle that says anything.
const FEWEST_SAMPLES: usize = 5;

/// Voltages below the highest one of a charge between which its time is taken [V]; all lie on the constant current.
const WINDOW_VOLT: [f64; 3] = [0.3, 0.2, 0.1];

/// Current of a sample at rest, over that of the load after it [1]: sensors read a few milliamperes.
const REST_SHARE: f64 = 0.01;

/// Temperatures of a half cycle, weighed by time [degrees Celsius].
struct Temperature {
    mean: f64,
    min: f64,
    max: f64,
    /// Largest less the first [K].
    rise: f64,
}

/// Writes the numbers of one cycle into its row; what cannot be measured stays NaN.
pub(super) fn measure(cycle: &Cycle, flow: &mut Flow, row: &mut Row) {
    if let Some(half) = &cycle.discharge {
        flow.fill(half, -1.0);
        discharge(half, flow, row);
        row[Q::LoadResistance as usize] = load_resistance(cycle.records, half, flow);
    }
    if let Some(half) = &cycle.charge {
        flow.fill(half, 1.0);
        charge(half, flow, row);
        row[Q::ChargeLoadResistance as usize] = load_resistance(cycle.records, half, flow);
    }
    row[Q::Ambient as usize] =
        cycle.records.iter().find_map(|r| r.ambient_temperature_celsius).unwrap_or(f64::NAN);
    row[Q::Begin as usize] = cycle.records.iter().find_map(|r| r.unix_time_second).unwrap_or(f64::NAN);
}

fn discharge(half: &Half, flow: &Flow, row: &mut Row) {
    let stated = half.record.stated_capacity_ah.unwrap_or(f64::NAN);
    row[Q::DischargeCapacity as usize] = stated;
    if flow.len() < FEWEST_SAMPLES {
        return;
    }
    let (ah, wh) = (flow.ah[flow.len() - 1], flow.wh[flow.len() - 1]);
    let measured = !flow.second.is_empty() || stated.is_nan();
    let temperature = temperature(half);
    for (quantity, value) in [
        (Q::DischargeCapacity, if measured { ah } else { stated }),
        (Q::DischargeEnergy, wh),
        (Q::DischargeVoltage, wh / ah),
        (Q::DischargeVoltageDeviation, flow.volt_deviation(wh / ah)),
        (Q::DischargeVoltageTenth, flow.volt_at_share(0.1)),
        (Q::DischargeVoltageMid, flow.volt_at_share(0.5)),
        (Q::DischargeVoltageNinth, flow.volt_at_share(0.9)),
        (Q::DischargeDuration, flow.duration_second()),
        (Q::DischargeTemperature, temperature.mean),
        (Q::DischargeTemperatureMin, temperature.min),
        (Q::DischargeTemperatureMax, temperature.max),
        (Q::DischargeTemperatureRise, temperature.rise),
        (Q::DischargeBegin, clock(half, flow.second.first())),
        (Q::DischargeEnd, clock(half, flow.second.last())),
    ] {
        row[quantity as usize] = value;
    }
}

fn charge(half: &Half, flow: &Flow, row: &mut Row) {
    if flow.len() < FEWEST_SAMPLES {
        return;
    }
    let (ah, wh) = (flow.ah[flow.len() - 1], flow.wh[flow.len() - 1]);
    let highest = flow.volt.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let reached = WINDOW_VOLT.map(|below| flow.second_of_volt(highest - below));
    let temperature = temperature(half);
    for (quantity, value) in [
        (Q::ChargeCapacity, ah),
        (Q::ChargeEnergy, wh),
        (Q::ChargeVoltage, wh / ah),
        (Q::ChargeVoltageStart, flow.volt[0]),
        (Q::ChargeVoltageMid, flow.volt_at_share(0.5)),
        (Q::ChargeDuration, flow.duration_second()),
        (Q::WindowDurationLow, reached[1] - reached[0]),
        (Q::WindowDurationHigh, reached[2] - reached[1]),
        (Q::ChargeTemperature, temperature.mean),
        (Q::ChargeTemperatureMin, temperature.min),
        (Q::ChargeTemperatureMax, temperature.max),
        (Q::ChargeTemperatureRise, temperature.rise),
        (Q::ChargeBegin, clock(half, flow.second.first())),
        (Q::ChargeEnd, clock(half, flow.second.last())),
    ] {
        row[quantity as usize] = value;
    }
    hold(flow, row);
}

fn hold(flow: &Flow, row: &mut Row) {
    let Some(hold) = flow.hold() else { return };
    let last = flow.len() - 1;
    for (quantity, value) in [
        (Q::CcDuration, flow.second[hold.from] - flow.second[0]),
        (Q::CcCapacity, flow.ah[hold.from]),
        (Q::CvDuration, flow.second[last] - flow.second[hold.from]),
        (Q::CvCapacity, flow.ah[last] - flow.ah[hold.from]),
        (Q::CvDecay, hold.decay_second),
        (Q::CvHalfTime, flow.half_time_second(hold)),
        (Q::CvCurrentEnd, flow.ampere[last]),
    ] {
        row[quantity as usize] = value;
    }
}

/// Returns the tester's clock at `second` of the record.
fn clock(half: &Half, second: Option<&f64>) -> f64 {
    half.record.unix_time_second.zip(second).map_or(f64::NAN, |(begin, second)| begin + second)
}

/// Returns the change of voltage from rest to the first sample under load, over the current of that sample [ohm].
///
/// The rest is the sample just before in the same record, or the last of a rest record before it.
fn load_resistance(records: &[Record], half: &Half, flow: &Flow) -> f64 {
    let Some((&volt, &ampere)) = flow.volt.first().zip(flow.ampere.first()) else { return f64::NAN };
    let rest = match half.rows.start.checked_sub(1) {
        Some(before) => Some((half.record, before)),
        None => previous(records, half.record).and_then(|r| Some((r, r.samples.len().checked_sub(1)?))),
    };
    let Some((record, position)) = rest else { return f64::NAN };
    let is_rest = record.samples.current_ampere[position].abs() <= REST_SHARE * ampere;
    if is_rest { (record.samples.voltage_volt[position] - volt).abs() / ampere } else { f64::NAN }
}

fn previous<'a>(records: &'a [Record], record: &Record) -> Option<&'a Record> {
    let position = records.iter().position(|r| std::ptr::eq(r, record))?;
    records.get(position.checked_sub(1)?)
}

fn temperature(half: &Half) -> Temperature {
    let samples = half.time_second().iter().zip(half.temperature_celsius());
    let mut usable = samples.filter(|(t, c)| t.is_finite() && c.is_finite()).map(|(&t, &c)| (t, c));
    let Some((begin, first)) = usable.next() else {
        return Temperature { mean: f64::NAN, min: f64::NAN, max: f64::NAN, rise: f64::NAN };
    };
    let (mut at, mut low, mut high, mut integral) = ((begin, first), first, first, 0.0);
    for (t, c) in usable.filter(|(t, _)| *t > begin) {
        integral += 0.5 * (at.1 + c) * (t - at.0).max(0.0);
        (low, high) = (low.min(c), high.max(c));
        at = (t.max(at.0), c);
    }
    let mean = if at.0 > begin { integral / (at.0 - begin) } else { first };
    Temperature { mean, min: low, max: high, rise: high - first }
}

/// Returns the mean current of a half cycle [A] from its charge [Ah] and duration [s].
pub(super) fn mean_ampere(capacity_ah: f64, duration_second: f64) -> f64 {
    capacity_ah / ampere_hours(duration_second)
}

/// Returns the integral of the temperature over the time of a half cycle [K h].
pub(super) fn temperature_hours(mean_celsius: f64, duration_second: f64) -> f64 {
    mean_celsius * duration_second / SECONDS_PER_HOUR
}
