//! Damaged cells: every descriptor is a finite number or a reason, whatever is wrong.

use std::sync::OnceLock;

use fadecast::cell::Chemistry;
use fadecast::dataset::{Cell, Curve, CycleColumn, CycleTable, Record};
use fadecast::descriptor::early::{Window, catalogue, compute};
use fadecast::seed::Seed;
use fadecast::simulate::{Campaign, EarlyTest, FleetConfig};
use proptest::prelude::*;

/// What is done to one record, or to the cell.
#[derive(Debug, Clone, Copy)]
enum Damage {
    NoSamples,
    FewSamples(usize),
    NotANumber(usize),
    Infinite(usize),
    ReversedSign,
    ReversedTime,
    ShuffledTime,
    FrozenTime,
    DoubledVoltage(usize),
    FlatVoltage,
    NoCurrent,
    OnlyCurve,
    NotANumberCurve,
    FlatCurve,
    SinglePointCurve,
    NoSpectrum,
    EmptySpectrum,
    NotANumberSpectrum,
    OnePointSpectrum,
    ReversedSpectrum,
    NoClock,
    ClockBackwards,
    SameCycle,
    NoRecord,
    NegativeCapacity,
    HugeValues,
}

use Damage::*;

const KINDS: [Damage; 26] = [
    NoSamples,
    FewSamples(1),
    NotANumber(3),
    Infinite(5),
    ReversedSign,
    ReversedTime,
    ShuffledTime,
    FrozenTime,
    DoubledVoltage(2),
    FlatVoltage,
    NoCurrent,
    OnlyCurve,
    NotANumberCurve,
    FlatCurve,
    SinglePointCurve,
    NoSpectrum,
    EmptySpectrum,
    NotANumberSpectrum,
    OnePointSpectrum,
    ReversedSpectrum,
    NoClock,
    ClockBackwards,
    SameCycle,
    NoRecord,
    NegativeCapacity,
    HugeValues,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_cell_has_values_or_reasons(
        cell in 0..3_usize,
        everywhere in proptest::option::of(0..KINDS.len()),
        damages in proptest::collection::vec((0..KINDS.len(), 0..200_usize), 0..12),
        to in 0..14_u32,
    ) {
        let mut cell = cells()[cell].clone();
        if let Some(kind) = everywhere {
            cell.records.iter_mut().for_each(|record| apply(KINDS[kind], record));
        }
        for (kind, at) in damages {
            let n = cell.records.len();
            if n > 0 && matches!(KINDS[kind], NoRecord) {
                cell.records.remove(at % n);
            } else if n > 0 {
                apply(KINDS[kind], &mut cell.records[at % n]);
            }
        }
        check(&cell, Window { from: 1, to });
    }
}

#[test]
fn every_kind_of_damage_alone_and_to_all_records() {
    for kind in KINDS {
        for cell in cells() {
            let mut cell = cell.clone();
            cell.records.iter_mut().for_each(|record| apply(kind, record));
            check(&cell, Window::default());
        }
    }
}

#[test]
fn a_cell_of_nothing_or_of_broken_tables_has_reasons() {
    let mut cell = cells()[0].clone();
    cell.records.clear();
    check(&cell, Window::default());
    let columns = ["internal_resistance", "charge_cc_duration_end", "charge_cv_current_entropy_end"];
    for values in [vec![], vec![f64::NAN; 3], vec![0.0; 3], vec![f64::INFINITY, 1.0, -1.0]] {
        let column = |name: &&str| CycleColumn {
            name: (*name).into(),
            unit: "1".into(),
            label: false,
            values: values.clone(),
        };
        let cycle_count = (1..).take(values.len()).collect();
        cell.table = Some(CycleTable { cycle_count, columns: columns.iter().map(column).collect() });
        check(&cell, Window::default());
        check(&cell, Window { from: 50, to: 60 });
    }
}

fn check(cell: &Cell, window: Window) {
    let descriptors: Vec<_> = catalogue().collect();
    for (value, descriptor) in compute(cell, window, &descriptors).into_iter().zip(descriptors) {
        match value {
            Ok(v) => assert!(v.is_finite(), "{} = {v}", descriptor.name),
            Err(why) => assert!(!why.to_string().trim().is_empty(), "{}", descriptor.name),
        }
    }
}

/// One cell of each chemistry, with titrations and spectra.
fn cells() -> &'static [Cell] {
    static CELLS: OnceLock<Vec<Cell>> = OnceLock::new();
    CELLS.get_or_init(|| {
        let config = FleetConfig {
            n_cells: 3,
            cycles: 12,
            chemistries: vec![Chemistry::Nmc, Chemistry::Lfp, Chemistry::LithiumGarnetNmc],
            spectrum_every: 3,
            titration_every: 5,
            ..FleetConfig::default()
        };
        let early = EarlyTest { cycles: 12, samples: 40, ..EarlyTest::default() };
        Campaign::new(&config, Some(&early), &Seed::new(7)).unwrap().fleet().cells
    })
}

fn apply(damage: Damage, record: &mut Record) {
    let samples = &mut record.samples;
    let columns = [
        &mut samples.time_second,
        &mut samples.voltage_volt,
        &mut samples.current_ampere,
        &mut samples.temperature_celsius,
    ];
    match damage {
        NoSamples => columns.into_iter().for_each(Vec::clear),
        FewSamples(n) => columns.into_iter().for_each(|column| column.truncate(n)),
        NotANumber(every) => columns.into_iter().for_each(|column| sprinkle(column, every, f64::NAN)),
        Infinite(every) => columns.into_iter().for_each(|column| sprinkle(column, every, f64::NEG_INFINITY)),
        HugeValues => columns.into_iter().for_each(|column| column.iter_mut().for_each(|v| *v *= 1e300)),
        ReversedSign => samples.current_ampere.iter_mut().for_each(|i| *i = -*i),
        ReversedTime => samples.time_second.reverse(),
        ShuffledTime => {
            let n = samples.time_second.len();
            (0..n).for_each(|k| samples.time_second.swap(k, (k * 7919 + 13) % n));
        }
        FrozenTime => samples.time_second.fill(1.0),
        DoubledVoltage(run) => samples.voltage_volt.chunks_mut(run).for_each(|chunk| chunk.fill(chunk[0])),
        FlatVoltage => samples.voltage_volt.fill(3.7),
        NoCurrent => samples.current_ampere.fill(0.0),
        NoClock => record.unix_time_second = None,
        ClockBackwards => record.unix_time_second = record.unix_time_second.map(|t| -t),
        SameCycle => record.cycle_count = Some(1),
        NegativeCapacity => record.stated_capacity_ah = Some(-1.0),
        NoRecord => *record = Record::new(record.index, record.phase),
        OnlyCurve => record.curve = Some(curve(record)),
        NotANumberCurve => record.curve = Some(Curve { capacity_ah: vec![f64::NAN; 40], ..ramp() }),
        FlatCurve => record.curve = Some(Curve { voltage_volt: vec![3.0; 40], ..ramp() }),
        SinglePointCurve => record.curve = Some(Curve { voltage_volt: vec![3.0], capacity_ah: vec![1.0] }),
        NoSpectrum | EmptySpectrum | NotANumberSpectrum | OnePointSpectrum | ReversedSpectrum => {
            spectrum(damage, record);
        }
    }
}

fn spectrum(damage: Damage, record: &mut Record) {
    if matches!(damage, NoSpectrum) {
        record.spectrum = None;
    }
    let Some(spectrum) = &mut record.spectrum else { return };
    for column in [&mut spectrum.frequency_hertz, &mut spectrum.real_ohm, &mut spectrum.imaginary_ohm] {
        match damage {
            EmptySpectrum => column.clear(),
            NotANumberSpectrum => sprinkle(column, 2, f64::NAN),
            OnePointSpectrum => column.truncate(1),
            _ => column.reverse(),
        }
    }
}

fn sprinkle(column: &mut [f64], every: usize, value: f64) {
    column.iter_mut().step_by(every).for_each(|v| *v = value);
}

/// Takes a curve in the place of the samples.
fn curve(record: &mut Record) -> Curve {
    let samples = std::mem::take(&mut record.samples);
    let capacity_ah = (0..samples.len()).map(|k| 0.01 * k as f64).collect();
    Curve { voltage_volt: samples.voltage_volt, capacity_ah }
}

fn ramp() -> Curve {
    let steps = || (0..40).map(f64::from);
    Curve {
        voltage_volt: steps().map(|k| 4.0 - 0.03 * k).collect(),
        capacity_ah: steps().map(|k| 0.02 * k).collect(),
    }
}
