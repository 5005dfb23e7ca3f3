//! Tests of the families that look at titrations, rests, holds, pulses and spectra.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use proptest::prelude::*;

use super::super::{EarlyCell, FAMILIES, Missing, Need, Value, Window, compute, find};
use super::probes::Probes;
use crate::cell::{CellId, Chemistry, Phase};
use crate::dataset::reader::archive::real_data;
use crate::dataset::reader::{ReadOptions, Reader, arbin::Arbin, nasa::Nasa};
use crate::dataset::{Attribute, Cell, CellFacts, Record, Samples, Spectrum};
use crate::seed::Seed;
use crate::simulate::{FleetConfig, fleet};

/// Families of this folder's probes.
const PROBED: [&str; 5] = ["relaxation", "gitt", "chronoamperometry", "pulse", "impedance"];
const WINDOW: Window = Window { from: 1, to: 100 };

fn cell(records: Vec<Record>) -> Cell {
    Cell { id: CellId::new("x"), facts: CellFacts::default(), records, table: None }
}

fn value(cell: &Cell, window: Window, name: &str) -> Value {
    let row = find(name).unwrap_or_else(|| panic!("no descriptor `{name}`"));
    compute(cell, window, &[row]).remove(0)
}

fn read(reader: &dyn Reader, relative: &str) -> Option<Cell> {
    let path = real_data(relative)?;
    Some(reader.read(&[path], &ReadOptions::default(), &mut |_| ()).unwrap().remove(0))
}

/// Name and value of each row of the golden table that is of `cell`.
fn golden(cell: &str) -> Vec<(&'static str, f64)> {
    let table = include_str!("../../../../tests/fixtures/descriptors/titration_early.csv");
    let rows = table.lines().filter_map(|line| line.strip_prefix(cell)?.strip_prefix(',')?.split_once(','));
    rows.map(|(name, value)| (name, value.parse().unwrap())).collect()
}

/// Compares a cell with the golden table: relative `1e-6`, and `1e-4` where an iteration ends the fit.
#[track_caller]
fn assert_golden(cell: &Cell, window: Window, name: &str, n_rows: usize) {
    let golden = golden(name);
    assert_eq!(golden.len(), n_rows);
    let wrong = golden.into_iter().filter_map(|(row, expected)| {
        let found = value(cell, window, row);
        let fitted = ["time", "steady", "unrelaxed", "relaxation_rest"].iter().any(|w| row.contains(w));
        let near = if fitted { 1e-4 } else { 1e-6 } * expected.abs() + 1e-12;
        let right = found.as_ref().is_ok_and(|found| (found - expected).abs() <= near);
        (!right).then(|| format!("{row}: {found:?}, expected {expected}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{name}\n{}", wrong.join("\n"));
}

/// Expected values: numpy and scipy (`tests/fixtures/descriptors/titration_early.py`).
#[test]
fn titrations_of_a_real_cell_agree_with_scipy() {
    for name in ["20210210_FC_01_cc_02", "20210210_FC_01_cc_03"] {
        let Some(cell) = read(&Arbin, &format!("gitt-arbin/{name}.csv.gz")) else { return };
        assert_golden(&cell, WINDOW, name, 24);
        assert_eq!(
            value(&cell, WINDOW, "gitt_polarisation_trend"),
            Err(Missing::FewCycles { found: 1, needed: 3 })
        );
    }
}

/// Expected values: numpy and scipy (`tests/fixtures/descriptors/titration_early.py`).
#[test]
fn rests_of_a_real_cell_agree_with_scipy() {
    let Some(cell) = read(&Arbin, "gitt-arbin/20210210_FC_01_cc_01.csv.gz") else { return };
    assert_golden(&cell, WINDOW, "20210210_FC_01_cc_01", 25);
    assert_eq!(value(&cell, WINDOW, "gitt_polarisation_mean"), Err(Missing::No(Need::Gitt)));
}

/// Expected values: numpy and scipy (`tests/fixtures/descriptors/titration_early.py`).
#[test]
fn holds_and_stated_resistances_of_real_cells_agree_with_scipy() {
    for (name, to, n_rows) in [("B0005", 12, 11), ("B0018", 30, 17)] {
        let Some(cell) = read(&Nasa, &format!("nasa-pcoe/mat/{name}.mat")) else { return };
        assert_golden(&cell, Window { from: 1, to }, name, n_rows);
        let frequency = value(&cell, Window::default(), "impedance_warburg_coefficient_median");
        assert!(matches!(frequency, Err(Missing::Undefined(_))), "{frequency:?}");
    }
}

/// Expected values: numpy and scipy (`tests/fixtures/descriptors/titration_early.py`).
#[test]
fn spectra_of_a_real_cell_agree_with_scipy() {
    let mut spectra: BTreeMap<u32, Spectrum> = BTreeMap::new();
    for line in include_str!("../../../../tests/fixtures/descriptors/kuhn_eis.csv").lines().skip(1) {
        let mut numbers = line.split(',').map(|n| n.parse::<f64>().unwrap());
        let spectrum = spectra.entry(numbers.next().unwrap() as u32).or_default();
        spectrum.frequency_hertz.push(numbers.next().unwrap());
        spectrum.real_ohm.push(numbers.next().unwrap());
        spectrum.imaginary_ohm.push(numbers.next().unwrap());
    }
    let record = |(cycle, spectrum)| Record {
        cycle_count: Some(cycle),
        spectrum: Some(spectrum),
        ..Record::new(cycle, Phase::Impedance)
    };
    assert_golden(&cell(spectra.into_iter().map(record).collect()), WINDOW, "kuhn", 21);
}

/// One solid-state cell at 25 degrees Celsius, without spread; its elements are those of `simulate::design`.
fn solid_state(noise: f64) -> Cell {
    let config = FleetConfig {
        n_cells: 1,
        cycles: 60,
        check_ups: 60,
        chemistries: vec![Chemistry::LithiumGarnetNmc],
        ambient_temperatures_celsius: vec![25.0],
        spread: 0.0,
        noise,
        bad_record_share: 0.0,
        dendrite_share: 0.0,
        ..FleetConfig::default()
    };
    fleet(&config, &Seed::new(3)).unwrap().cells.remove(0)
}

#[track_caller]
fn assert_near(cell: &Cell, name: &str, expected: f64, share: f64) {
    let found = value(cell, Window { from: 1, to: 1 }, name);
    assert!(
        found.as_ref().is_ok_and(|f| (f / expected - 1.0).abs() < share),
        "{name}: {found:?}, not {expected}"
    );
}

#[test]
fn what_the_simulator_put_in_comes_out() {
    let cell = solid_state(0.0);
    let spectrum = cell.records.iter().find(|r| r.phase == Phase::Impedance).unwrap();
    let (ohmic, transfer) =
        (spectrum.electrolyte_resistance_ohm.unwrap(), spectrum.charge_transfer_resistance_ohm.unwrap());
    let (slow, tau) = (0.6, [0.002, 400.0]);
    assert_near(&cell, "impedance_series_resistance_median", ohmic, 0.01);
    assert_near(&cell, "impedance_arc_resistance_median", transfer, 0.02);
    assert_near(&cell, "impedance_arc_depression_median", 90.0 * (1.0 - 0.75), 0.05);
    assert_near(&cell, "impedance_arc_frequency_log_median", (1.0 / (2.0 * PI * tau[0])).log10(), 0.01);
    assert_near(&cell, "impedance_warburg_coefficient_median", slow / (2.0 * tau[1]).sqrt(), 0.1);
    assert_near(&cell, "pulse_resistance_mean_0s", ohmic, 0.02);
    assert_near(&cell, "gitt_relaxation_time_mean", tau[1], 0.01);
    assert_near(&cell, "rest_charge_time_constant_median", tau[1], 0.02);
    assert_near(&cell, "rest_discharge_time_constant_median", tau[1], 0.02);
    // The polarisation of both pairs after half an hour, with the rise of an almost empty cell.
    assert_near(&cell, "gitt_slow_resistance_mean", transfer + slow * (1.0 - (-1800.0 / tau[1]).exp()), 0.05);
}

#[test]
fn diffusion_follows_from_the_slow_polarisation_of_the_simulator() {
    let cell = solid_state(0.0);
    let early = EarlyCell::new(&cell, Window { from: 1, to: 1 });
    let titrations = early.probes.titrations(&early).unwrap();
    let pulses = &titrations[0].pulses;
    assert!(pulses.len() >= 7, "{}", pulses.len());
    for pair in pulses.windows(2).filter(|p| p[1].soc < 0.99) {
        let relaxed = |k: usize| titrations[0].open_circuit(pair[k].soc).unwrap();
        let step = relaxed(1) - relaxed(0);
        let transient = step + 0.02 * (0.9 + 0.6 * (1.0 - (-1800.0_f64 / 400.0).exp()));
        let expected = 4.0 / (PI * 1800.0) * (step / transient).powi(2);
        let found = pair[1].diffusion();
        assert!((found / expected - 1.0).abs() < 0.1, "{found} {expected}");
    }
}

/// Rows of a family that a noisy solid-state cell has.
#[test]
fn a_noisy_solid_state_cell_has_nearly_every_descriptor() {
    let cell = solid_state(1.0);
    // One direction of titration, sparse samples after a step: the bench's limits, each with its reason.
    let least =
        [("relaxation", 30), ("gitt", 24), ("chronoamperometry", 12), ("pulse", 3), ("impedance", 32)];
    for (family, least) in least {
        let rows = FAMILIES.iter().find(|(name, _)| *name == family).unwrap().1;
        let rows: Vec<_> = rows.iter().collect();
        let values = compute(&cell, WINDOW, &rows);
        let missing = rows.iter().zip(&values).filter_map(|(row, v)| Some((row.name, v.as_ref().err()?)));
        let missing: Vec<_> = missing.collect();
        assert!(rows.len() - missing.len() >= least, "{family}: {missing:?}");
    }
}

/// A titration of six pulses; `flip` turns its current.
fn pulses(flip: f64, n_samples: u32) -> Samples {
    let mut samples = Samples::default();
    for k in 0..12_u32 {
        let loaded = k % 2 == 1;
        for n in 0..n_samples {
            let second = f64::from(k) * 1000.0 + f64::from(n) * 20.0;
            let slow = if loaded {
                0.01 * (f64::from(n) * 20.0).sqrt() / 10.0
            } else {
                0.02 * (-f64::from(n) / 5.0).exp()
            };
            samples.time_second.push(second);
            samples.voltage_volt.push(3.0 + 0.05 * f64::from(k / 2) + if loaded { 0.1 + slow } else { slow });
            samples.current_ampere.push(if loaded { flip } else { 0.0 });
            samples.temperature_celsius.push(25.0);
        }
    }
    samples
}

fn titrated(samples: Samples) -> Cell {
    cell(vec![Record { samples, ..Record::new(0, Phase::Gitt) }])
}

#[test]
fn bad_titrations_are_missing_with_a_reason() {
    let reason =
        |cell: &Cell| value(cell, WINDOW, "gitt_polarisation_mean").map(|_| ()).unwrap_err().to_string();
    assert!(value(&titrated(pulses(1.0, 20)), WINDOW, "gitt_polarisation_mean").is_ok());
    assert_eq!(reason(&titrated(pulses(-1.0, 20))), "a titration whose voltage moves against its current");
    assert_eq!(reason(&titrated(pulses(1.0, 1))), "a titration with fewer than three pulses between rests");
    assert_eq!(reason(&titrated(pulses(0.0, 20))), "a titration with fewer than three pulses between rests");
    let mut lost = pulses(1.0, 20);
    lost.voltage_volt.fill(f64::NAN);
    assert_eq!(reason(&titrated(lost)), "a titration with fewer than three pulses between rests");
    assert_eq!(reason(&cell(Vec::new())), "no GITT record");
    let pulse = value(&titrated(pulses(-1.0, 20)), WINDOW, "pulse_resistance_mean_0s").unwrap_err();
    assert_eq!(pulse.to_string(), "pulses whose voltage moves against their current");
}

/// Resistances as the formation tables state them: `r = (1 + soc) (1 + 0.1 sqrt(t)) side`.
#[test]
fn stated_pulse_resistances_are_taken_as_they_are() {
    let mut cell = cell(Vec::new());
    for (side, factor) in [("charge", 1.0), ("discharge", 2.0)] {
        for soc in 0..6_u32 {
            for lag in [0, 3, 10, 30] {
                let ohm = factor * (2.0 - 0.2 * f64::from(soc)) * (1.0 + 0.1 * f64::from(lag).sqrt());
                let name = format!("pulse_resistance_{side}_soc{soc}_{lag}s");
                cell.facts.attributes.insert(name, Attribute { value: ohm, unit: "ohm".into() });
            }
        }
    }
    // By hand: the mean over SoC is 1.5, over both sides 2.25; at 10 s everything is 1.316 227 766 times larger.
    let ten = 1.0 + 0.1 * 10_f64.sqrt();
    for (name, expected) in [
        ("pulse_resistance_mean_0s", 2.25),
        ("pulse_resistance_mean_10s", 2.25 * ten),
        ("pulse_resistance_charge_mean_10s", 1.5 * ten),
        ("pulse_resistance_asymmetry_10s", -0.5),
        ("pulse_resistance_min_10s", ten),
        ("pulse_resistance_max_10s", 4.0 * ten),
        ("pulse_resistance_soc_slope_10s", -1.5 * ten),
        ("pulse_resistance_min_soc_10s", 1.0),
        ("pulse_resistance_rise_3s", 0.1 * 3_f64.sqrt()),
        ("pulse_resistance_sqrt_time_slope_mean", 0.225),
    ] {
        let found = value(&cell, WINDOW, name).unwrap();
        assert!((found - expected).abs() < 1e-12, "{name}: {found}, expected {expected}");
    }
}

#[test]
fn names_are_unique_and_formulas_are_many() {
    let rows = || FAMILIES.iter().filter(|(family, _)| PROBED.contains(family)).flat_map(|(_, rows)| *rows);
    let mut names: Vec<&str> = rows().map(|r| r.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows().count());
    let mut formulas: Vec<&str> = rows().map(|r| r.formula).collect();
    formulas.sort_unstable();
    formulas.dedup();
    assert!(names.len() >= 60 && formulas.len() >= 40, "{} {}", names.len(), formulas.len());
}

#[test]
fn probes_are_found_once() {
    let cell = titrated(pulses(1.0, 20));
    let early = EarlyCell::new(&cell, WINDOW);
    let probes = Probes::default();
    let first = probes.pulses(&early).unwrap().as_ptr();
    assert_eq!(first, probes.pulses(&early).unwrap().as_ptr());
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -5.0_f64..5.0,
        2 => Just(0.0),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1e300), Just(1e-300)],
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let phase = proptest::sample::select(Phase::ALL.to_vec());
    let rows = proptest::collection::vec((0.0_f64..200.0, number(), number()), 0..60);
    (phase, rows, 1_u32..5, number()).prop_map(|(phase, rows, cycle, first)| {
        let mut samples = Samples::default();
        let mut spectrum = Spectrum::default();
        let mut second = first;
        for (wait, a, b) in rows {
            second += wait;
            samples.time_second.push(second);
            samples.voltage_volt.push(a);
            samples.current_ampere.push(b);
            samples.temperature_celsius.push(25.0);
            spectrum.frequency_hertz.push(wait * 10.0);
            spectrum.real_ohm.push(a);
            spectrum.imaginary_ohm.push(b);
        }
        let spectrum = (phase == Phase::Impedance).then_some(spectrum);
        Record { cycle_count: Some(cycle), samples, spectrum, ..Record::new(0, phase) }
    })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_what_it_says_is_finite(records in proptest::collection::vec(record(), 0..12)) {
        let cell = cell(records);
        let rows: Vec<_> = FAMILIES.iter().filter(|(f, _)| PROBED.contains(f)).flat_map(|(_, rows)| *rows).collect();
        for (row, value) in rows.iter().zip(compute(&cell, WINDOW, &rows)) {
            prop_assert!(value.as_ref().map_or(true, |v| v.is_finite()), "{}: {value:?}", row.name);
        }
    }

    #[test]
    fn noise_on_a_titration_changes_no_sign(noise in proptest::collection::vec(-1e-3_f64..1e-3, 240)) {
        let mut samples = pulses(1.0, 20);
        samples.voltage_volt.iter_mut().zip(&noise).for_each(|(v, n)| *v += n);
        let cell = titrated(samples);
        for name in ["gitt_polarisation_mean", "gitt_resistance_share_mean", "gitt_sqrt_time_resistance_mean"] {
            prop_assert!(value(&cell, WINDOW, name).unwrap() > 0.0, "{name}");
        }
    }
}
