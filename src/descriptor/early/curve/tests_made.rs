//! The descriptors of curves on made cells: known peaks, scaling laws, and input that is bad.

use proptest::prelude::*;

use super::super::*;
use super::tests_real::rows;
use crate::cell::{CellId, Phase};
use crate::dataset::{CellFacts, Curve, Record, Samples};

const FROM_VOLT: f64 = 3.0;
const TO_VOLT: f64 = 4.2;
const POINTS: usize = 601;

/// Charge passed when the voltage has moved from an end to `volt`, with two bell-shaped peaks of dQ/dV.
fn passed(volt: f64, peaks: &[(f64, f64, f64)], from: f64) -> f64 {
    let bell = |at: f64, charge: f64, spread: f64| {
        let steps = 400;
        let width = (volt - from) / f64::from(steps);
        let height = |v: f64| {
            charge / (spread * (2.0 * std::f64::consts::PI).sqrt())
                * (-0.5 * ((v - at) / spread).powi(2)).exp()
        };
        (0..steps).map(|i| height(from + (f64::from(i) + 0.5) * width) * width).sum::<f64>()
    };
    0.2 * (volt - from) + peaks.iter().map(|&(at, charge, spread)| bell(at, charge, spread)).sum::<f64>()
}

/// Peaks of a cycle: the first sinks by 0.2 mV a cycle and loses 1 mAh, the second stays.
fn peaks(cycle: u32) -> [(f64, f64, f64); 2] {
    let age = f64::from(cycle);
    [(3.9 - 2e-4 * age, 1.0 - 1e-3 * age, 0.04), (3.5, 0.5, 0.03)]
}

/// Makes a half cycle of one hour at 1 A a unit of charge: samples at equal steps of voltage.
fn half_cycle(index: u32, count: u32, phase: Phase) -> Record {
    let sign = if phase == Phase::Charge { 1.0 } else { -1.0 };
    let volts: Vec<f64> = (0..POINTS)
        .map(|i| {
            let part = i as f64 / (POINTS - 1) as f64;
            if sign > 0.0 {
                FROM_VOLT + part * (TO_VOLT - FROM_VOLT)
            } else {
                TO_VOLT - part * (TO_VOLT - FROM_VOLT)
            }
        })
        .collect();
    let begin = volts[0];
    let time_second: Vec<f64> =
        volts.iter().map(|v| 3600.0 * passed(*v, &peaks(count), begin).abs()).collect();
    let mut record = Record::new(index, phase);
    record.cycle_count = Some(count);
    record.samples = Samples {
        current_ampere: vec![sign; POINTS],
        temperature_celsius: vec![25.0; POINTS],
        voltage_volt: volts,
        time_second,
    };
    record
}

fn cell(records: Vec<Record>) -> Cell {
    Cell { id: CellId::new("made"), facts: CellFacts::default(), records, table: None }
}

fn made(cycles: impl Iterator<Item = u32>) -> Cell {
    let records = cycles
        .flat_map(|n| [half_cycle(2 * n, n, Phase::Charge), half_cycle(2 * n + 1, n, Phase::Discharge)]);
    cell(records.collect())
}

#[track_caller]
fn value(cell: &Cell, name: &str) -> Value {
    compute(cell, Window::default(), &[find(name).unwrap()]).remove(0)
}

#[test]
fn known_peaks_are_found_and_followed() {
    let cell = made((10..=100).step_by(10));
    let constant = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
    for (name, expected, tolerance) in [
        ("discharge_ic_peak_count", 2.0, 1e-12),
        ("discharge_ic_peak1_position", 3.9 - 0.002, 2e-4),
        ("discharge_ic_peak2_position", 3.5, 2e-4),
        ("charge_ic_peak1_position", 3.9 - 0.002, 2e-4),
        ("discharge_ic_peak1_height", 0.2 + 0.99 * constant / 0.04, 0.05),
        // Full width of a bell at half its height.
        ("discharge_ic_peak1_width", 2.0 * (2.0 * 2.0_f64.ln()).sqrt() * 0.04, 2e-3),
        ("discharge_ic_valley_height", 0.2, 0.01),
        ("discharge_ic_peak_distance", 0.398, 4e-4),
        ("discharge_ic_peak1_position_slope", -2e-4, 2e-6),
        ("discharge_ic_peak1_height_slope", -1e-3 * constant / 0.04, 2e-4),
        ("discharge_ic_peak1_position_change", -0.018, 2e-4),
        ("discharge_ic_peak2_position_slope", 0.0, 1e-8),
        ("discharge_ic_peak1_tracked_share", 1.0, 1e-12),
        ("charge_ic_peak1_gap", 0.0, 2e-4),
        // Between the peaks the curve is a plateau in dV/dQ: 1 / 0.2 V/Ah, at the charge of the first peak.
        ("discharge_dv_peak1_position", 0.99 + 0.2 * 0.5, 0.03),
        ("charge_dv_peak1_position", 0.5 + 0.2 * 0.7, 0.03),
        ("charge_voltage_curve_hysteresis", 0.0, 1e-3),
    ] {
        let found = value(&cell, name).unwrap();
        assert!((found - expected).abs() < tolerance, "{name}: {found} {expected}");
    }
}

#[test]
fn a_peak_that_vanishes_or_a_cycle_that_is_not_there_is_a_reason() {
    let cell = made(1..=4);
    assert_eq!(value(&cell, "discharge_capacity_difference_log_variance_100_10"), Err(Missing::NoCycle(100)));
    assert!(value(&cell, "discharge_capacity_difference_log_variance_last_first").is_ok());
    let one = made(3..=3);
    let few = Err(Missing::FewCycles { found: 1, needed: 2 });
    assert_eq!(value(&one, "discharge_capacity_difference_log_variance_last_first"), few);
    assert_eq!(value(&one, "discharge_ic_distance_last_reference"), few);
    let few = Err(Missing::FewCycles { found: 1, needed: 3 });
    assert_eq!(value(&one, "discharge_ic_peak1_position_slope"), few);
    let empty = self::cell(Vec::new());
    assert_eq!(value(&empty, "discharge_ic_peak1_position"), Err(Missing::No(Need::Curve)));
    assert_eq!(value(&empty, "charge_ic_peak1_position"), Err(Missing::No(Need::Charge)));
}

/// Changes the discharges of a made cell and returns the reasons, each once.
fn reasons(change: fn(&mut Record)) -> Vec<Missing> {
    let mut cell = made(1..=4);
    cell.records.iter_mut().filter(|r| r.phase == Phase::Discharge).for_each(change);
    let mut reasons: Vec<Missing> =
        ["discharge_ic_peak1_position", "discharge_dv_median", "discharge_voltage_curve_variance"]
            .map(|name| value(&cell, name).unwrap_err())
            .into();
    reasons.dedup();
    reasons
}

#[test]
fn bad_curves_have_reasons() {
    let none = vec![Missing::No(Need::Curve)];
    assert_eq!(reasons(|r| r.samples.current_ampere.iter_mut().for_each(|i| *i = -*i)), none);
    assert_eq!(reasons(|r| r.samples.voltage_volt.fill(f64::NAN)), none);
    assert_eq!(reasons(|r| r.samples.voltage_volt.fill(3.3)), [Missing::Flat]);
    assert_eq!(reasons(|r| r.samples.voltage_volt.iter_mut().for_each(|v| *v = 7.2 - *v)), [Missing::Flat]);
    assert_eq!(reasons(|r| r.samples.time_second.fill(0.0)), none);
    let falling = vec![Missing::Undefined("the capacity falls along the half cycle")];
    assert_eq!(
        reasons(|r| {
            let voltage_volt = std::mem::take(&mut r.samples).voltage_volt;
            let capacity_ah = (0..POINTS).map(|i| 10.0 - i as f64 * 0.01).collect();
            r.curve = Some(Curve { voltage_volt, capacity_ah });
        }),
        falling
    );
}

#[test]
fn a_curve_without_a_peak_says_so() {
    let mut cell = made(1..=4);
    for record in cell.records.iter_mut().filter(|r| r.phase == Phase::Discharge) {
        record.samples.time_second = (0..POINTS).map(|i| 6.0 * i as f64).collect();
    }
    for name in ["discharge_ic_peak1_height", "discharge_ic_peak2_position", "discharge_dv_peak1_position"] {
        assert_eq!(value(&cell, name), Err(Missing::NoPeak), "{name}");
    }
    assert!(value(&cell, "discharge_ic_entropy").is_ok_and(|v| (v - 1.0).abs() < 1e-6));
}

/// Returns the power of the ampere hour in a unit such as `Ah/V`, `V2` or `V/Ah`.
fn charge_power(unit: &str) -> i32 {
    let power = |part: &str| match part.strip_prefix("Ah") {
        Some("2") => 2,
        Some(_) => 1,
        None => 0,
    };
    let (over, under) = unit.split_once('/').unwrap_or((unit, ""));
    power(over) - power(under)
}

#[test]
fn units_say_how_values_scale_with_the_charge() {
    let one = made((10..=100).step_by(10));
    let mut two = one.clone();
    for record in &mut two.records {
        record.samples.current_ampere.iter_mut().for_each(|i| *i *= 2.0);
    }
    let rows: Vec<_> = rows().into_iter().filter(|row| !row.name.contains("_log_")).collect();
    let (a, b) = (compute(&one, Window::default(), &rows), compute(&two, Window::default(), &rows));
    assert!(a.iter().filter(|v| v.is_ok()).count() > 100);
    for ((row, a), b) in rows.iter().zip(a).zip(b) {
        let expected = a.clone().map(|a| a * 2.0_f64.powi(charge_power(row.unit)));
        let close = matches!((&expected, &b), (Ok(a), Ok(b)) if (a - b).abs() <= 1e-9 * a.abs().max(1e-9));
        assert!(close || a == b && a.is_err(), "{} [{}]: {expected:?} {b:?}", row.name, row.unit);
    }
}

#[test]
fn rows_are_whole_sentences_with_their_own_names() {
    let names: std::collections::BTreeSet<_> = rows().iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().len());
    for row in rows() {
        assert!(row.doc.ends_with('.') && !row.unit.is_empty() && !row.needs.is_empty(), "{}", row.name);
    }
}

fn bad_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 2.0_f64..4.3,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(3.3),
        1 => -1e12_f64..1e12,
    ]
}

fn bad_record() -> impl Strategy<Value = Record> {
    let column = || proptest::collection::vec(bad_number(), 40);
    (any::<bool>(), any::<bool>(), 0_usize..40, column(), column(), column(), any::<bool>()).prop_map(
        |(charges, ready_made, n, mut volts, mut other, current, sorted)| {
            let mut record = Record::new(0, if charges { Phase::Charge } else { Phase::Discharge });
            if sorted {
                volts.sort_by(|a, b| if charges { a.total_cmp(b) } else { b.total_cmp(a) });
                other.sort_by(f64::total_cmp);
            }
            let cut = |mut column: Vec<f64>| {
                column.truncate(n);
                column
            };
            if ready_made {
                record.curve = Some(Curve { voltage_volt: cut(volts), capacity_ah: cut(other) });
            } else {
                record.samples = Samples {
                    voltage_volt: cut(volts),
                    time_second: cut(other),
                    current_ampere: cut(current),
                    temperature_celsius: vec![25.0; n],
                };
            }
            record
        },
    )
}

proptest! {
    #[test]
    fn any_cell_gives_finite_values_or_reasons(records in proptest::collection::vec(bad_record(), 0..6)) {
        let rows = rows();
        for value in compute(&cell(records), Window::default(), &rows) {
            prop_assert!(value.is_err() || value.is_ok_and(f64::is_finite));
        }
    }
}
