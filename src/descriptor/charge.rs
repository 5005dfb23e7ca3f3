//! Descriptors of the charge just before a discharge.

use super::Descriptor;
use super::context::{CellContext, charging};
use crate::dataset::leakage::Source::PastRecord;

/// Voltage window of the constant-current duration [V]: both lie on every NMC and LCO charge, aged or not.
const CC_WINDOW_VOLT: [f64; 2] = [3.9, 4.15];

/// Voltage below the highest one at which a charger counts as holding it [V]: twice the scatter of NASA's channel.
pub(super) const HOLD_TOLERANCE_VOLT: f64 = 0.01;

pub(super) const DESCRIPTORS: &[Descriptor] = &[
    Descriptor {
        name: "charge_throughput",
        unit: "Ah",
        doc: "Charge that went in; by the balance of charge about what the discharge before took out.",
        source: PastRecord,
        compute: |c, row| c.charge_throughput_ah(row),
    },
    Descriptor {
        name: "charge_throughput_relative",
        unit: "1",
        doc: "Charge that went in over the nominal capacity.",
        source: PastRecord,
        compute: |c, row| Some(c.charge_throughput_ah(row)? / c.nominal_ah?),
    },
    Descriptor {
        name: "charge_throughput_difference",
        unit: "Ah",
        doc: "Charge that went in less that before the discharge before; 0 for the first two discharges.",
        source: PastRecord,
        compute: throughput_difference,
    },
    Descriptor {
        name: "charge_temperature_rise",
        unit: "K",
        doc: "Highest surface temperature less the median of the first five samples; small where the cell came in hot.",
        source: PastRecord,
        compute: temperature_rise,
    },
    Descriptor {
        name: "charge_temperature_mean",
        unit: "degC",
        doc: "Mean surface temperature of the charge.",
        source: PastRecord,
        compute: |c, row| mean(c.charge(row)?.samples.temperature_celsius.iter().copied()),
    },
    Descriptor {
        name: "charge_temperature_start",
        unit: "degC",
        doc: "Median surface temperature of the first five samples.",
        source: PastRecord,
        compute: |c, row| start_temperature(&c.charge(row)?.samples.temperature_celsius),
    },
    Descriptor {
        name: "charge_duration",
        unit: "s",
        doc: "Time from the first to the last sample that charges.",
        source: PastRecord,
        compute: duration,
    },
    Descriptor {
        name: "charge_cc_duration",
        unit: "s",
        doc: "Time from 3.9 V to 4.15 V under current.",
        source: PastRecord,
        compute: cc_duration,
    },
    Descriptor {
        name: "charge_cv_duration",
        unit: "s",
        doc: "Time from reaching the highest voltage to the end of the charge.",
        source: PastRecord,
        compute: |c, row| hold(c, row).map(|(duration, _)| duration),
    },
    Descriptor {
        name: "charge_cv_throughput",
        unit: "Ah",
        doc: "Charge that went in while the highest voltage was held.",
        source: PastRecord,
        compute: |c, row| hold(c, row).map(|(_, throughput)| throughput),
    },
    Descriptor {
        name: "charge_voltage_start",
        unit: "V",
        doc: "Voltage of the first sample that charges.",
        source: PastRecord,
        compute: |c, row| {
            let samples = &c.charge(row)?.samples;
            charging(samples).first().map(|&idx| samples.voltage_volt[idx])
        },
    },
    Descriptor {
        name: "charge_voltage_mean",
        unit: "V",
        doc: "Mean voltage of the samples that charge.",
        source: PastRecord,
        compute: |c, row| {
            let samples = &c.charge(row)?.samples;
            mean(charging(samples).into_iter().map(|idx| samples.voltage_volt[idx]))
        },
    },
];

fn throughput_difference(c: &CellContext, row: usize) -> Option<f64> {
    if row < 2 {
        return Some(0.0);
    }
    Some(c.charge_throughput_ah(row)? - c.charge_throughput_ah(row - 1)?)
}

fn temperature_rise(c: &CellContext, row: usize) -> Option<f64> {
    let temperature = &c.charge(row)?.samples.temperature_celsius;
    let highest = temperature.iter().copied().filter(|t| t.is_finite()).reduce(f64::max)?;
    Some(highest - start_temperature(temperature)?)
}

fn start_temperature(temperature: &[f64]) -> Option<f64> {
    let mut first: Vec<f64> = temperature.iter().copied().take(5).filter(|t| t.is_finite()).collect();
    first.sort_by(f64::total_cmp);
    let n = first.len();
    (n > 0).then(|| 0.5 * (first[(n - 1) / 2] + first[n / 2]))
}

fn duration(c: &CellContext, row: usize) -> Option<f64> {
    let samples = &c.charge(row)?.samples;
    let charging = charging(samples);
    Some(samples.time_second[*charging.last()?] - samples.time_second[*charging.first()?])
}

fn cc_duration(c: &CellContext, row: usize) -> Option<f64> {
    let samples = &c.charge(row)?.samples;
    let charging = charging(samples);
    let reach = |volt: f64| {
        let first = charging.iter().find(|&&idx| samples.voltage_volt[idx] >= volt)?;
        Some(samples.time_second[*first])
    };
    Some(reach(CC_WINDOW_VOLT[1])? - reach(CC_WINDOW_VOLT[0])?)
}

/// Returns duration [s] and charge [Ah] of the phase in which the highest voltage is held.
fn hold(c: &CellContext, row: usize) -> Option<(f64, f64)> {
    let samples = &c.charge(row)?.samples;
    let charging = charging(samples);
    let highest = charging.iter().map(|&idx| samples.voltage_volt[idx]).reduce(f64::max)?;
    let held = |idx: &&usize| samples.voltage_volt[**idx] >= highest - HOLD_TOLERANCE_VOLT;
    let from = *charging.iter().find(held)?;
    let part: Vec<usize> = charging.iter().copied().filter(|&idx| idx >= from).collect();
    let time: Vec<f64> = part.iter().map(|&idx| samples.time_second[idx]).collect();
    let current: Vec<f64> = part.iter().map(|&idx| samples.current_ampere[idx]).collect();
    Some((time.last()? - time.first()?, crate::cell::health::charge_throughput(&time, &current)))
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.filter(|v| v.is_finite()).fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    (n > 0.0).then(|| sum / n)
}
