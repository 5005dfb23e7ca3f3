//! Tests of the families made of quantities over cycles: golden numbers, properties, bad input.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::dataset::reader::{ReadOptions, Reader, archive::real_data, nasa::Nasa};
use crate::dataset::{Attribute, CycleColumn, CycleTable, Record};
use crate::seed::Seed;
use crate::simulate::{FleetConfig, fleet};

/// Families of this part of the catalogue.
const OWN: [&str; 9] = [
    "capacity",
    "energy",
    "efficiency",
    "voltage",
    "charge",
    "thermal",
    "history",
    "source",
    "protocol settings",
];

/// Largest relative difference to a golden number: sums of ten thousand terms in another order.
const GOLDEN: f64 = 1e-9;

fn own() -> Vec<&'static EarlyDescriptor> {
    let families = FAMILIES.iter().filter(|(name, _)| OWN.contains(name));
    families.flat_map(|(_, rows)| *rows).collect()
}

fn cells(n_cells: usize) -> Vec<Cell> {
    let config = FleetConfig {
        n_cells,
        cycles: 400,
        check_ups: 30,
        spectrum_every: 0,
        titration_every: 0,
        bad_record_share: 0.0,
        dendrite_share: 0.0,
        ..FleetConfig::default()
    };
    fleet(&config, &Seed::new(3)).unwrap().cells
}

fn window() -> Window {
    Window { from: 1, to: 400 }
}

/// Computes every descriptor of this part, by name.
fn values(cell: &Cell) -> BTreeMap<&'static str, Value> {
    let rows = own();
    let computed = compute(cell, window(), &rows);
    rows.iter().map(|d| d.name).zip(computed).collect()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-6)
}

#[test]
fn values_on_real_cells_are_those_of_numpy_and_scipy() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/descriptors/nasa_early.csv");
    let golden = std::fs::read_to_string(golden).unwrap();
    for name in ["B0005", "B0018"] {
        let Some(path) = real_data(&format!("nasa-pcoe/mat/{name}.mat")) else { return };
        let cells = Nasa.read(&[path], &ReadOptions::default(), &mut |_| ()).unwrap();
        let expected: Vec<_> = golden
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(',')?.split_once(','))
            .collect();
        assert!(expected.len() >= 60, "{}", expected.len());
        for (descriptor, expected) in expected {
            let row = find(descriptor).unwrap_or_else(|| panic!("{descriptor}"));
            let found = compute(&cells[0], Window::default(), &[row])[0].clone();
            let expected: f64 = expected.parse().unwrap();
            let found = found.unwrap_or_else(|missing| panic!("{name} {descriptor}: {missing}"));
            assert!(close(found, expected, GOLDEN), "{name} {descriptor}: {found}, expected {expected}");
        }
    }
}

#[test]
fn the_catalogue_is_large_and_its_rows_are_whole() {
    let rows = own();
    let formulas: BTreeSet<&str> = rows.iter().map(|d| d.formula).collect();
    assert!(rows.len() >= 110 && formulas.len() >= 70, "{} rows, {} formulas", rows.len(), formulas.len());
    let names: BTreeSet<&str> =
        catalogue().map(|d| d.name).chain(super::super::catalogue().map(|d| d.name)).collect();
    assert_eq!(names.len(), catalogue().count() + super::super::catalogue().count(), "a name stands twice");
    for d in catalogue() {
        let sentence = d.doc.ends_with('.') && d.doc.starts_with(|c: char| c.is_uppercase());
        let formula = !d.formula.is_empty() && !d.formula.ends_with('.');
        assert!(sentence && formula && !d.needs.is_empty(), "{d:?}");
        assert!(
            d.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            d.name
        );
    }
}

#[test]
fn units_are_known_and_fit_the_statistic() {
    let quantities = [
        "1", "Ah", "Wh", "V", "A", "ohm", "s", "d", "degC", "K", "degC h", "1/h", "V/s", "cycle", "h", "g",
        "g/Ah",
    ];
    for d in own() {
        let (quantity, per) = match d.unit.rsplit_once("/cycle") {
            Some((quantity, power)) => (quantity, power),
            None => (d.unit, "none"),
        };
        assert!(quantities.contains(&quantity), "{}: {}", d.name, d.unit);
        let expected = match d.name.trim_end_matches("_last10") {
            name if name.ends_with("_root_slope") => "^0.5",
            name if name.ends_with("_slope") || name.ends_with("_theil_sen") => "",
            name if name.ends_with("_increment_sd") || name.ends_with("_increment_ewma") => "",
            name if name.ends_with("_curvature") => "^2",
            _ => "none",
        };
        let of_source = d.name.contains("_slope_end_");
        assert!(of_source || per == expected, "{}: {}", d.name, d.unit);
    }
}

#[test]
fn every_citation_is_in_the_bibliography() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/references.bib")).unwrap();
    for d in catalogue() {
        assert!(text.contains(&format!("{{{},\n", d.citation)), "{}: {}", d.name, d.citation);
    }
}

#[test]
fn no_two_descriptors_say_the_same_of_simulated_cells() {
    let cells: Vec<BTreeMap<&str, Value>> = cells(9).iter().map(values).collect();
    let names: Vec<&str> = cells[0].keys().copied().collect();
    let column = |name: &str| -> Vec<Option<f64>> { cells.iter().map(|c| c[name].clone().ok()).collect() };
    let columns: Vec<Vec<Option<f64>>> = names.iter().map(|name| column(name)).collect();
    let distinct =
        |column: &[Option<f64>]| column.iter().flatten().map(|v| v.to_bits()).collect::<BTreeSet<_>>().len();
    let mut compared = 0;
    for (a, first) in columns.iter().enumerate() {
        for (b, second) in columns.iter().enumerate().skip(a + 1) {
            let both: Vec<(f64, f64)> = first.iter().zip(second).filter_map(|(a, b)| a.zip(*b)).collect();
            if both.len() < 3 || distinct(first) < 3 || distinct(second) < 3 {
                continue;
            }
            compared += 1;
            let ratio = both[0].0 / both[0].1;
            let same = both.iter().all(|(a, b)| close(*a, ratio * b, 1e-9));
            assert!(!same, "{} is {} times {ratio}", names[a], names[b]);
        }
    }
    assert!(compared > 5000, "{compared}");
}

#[test]
fn most_descriptors_have_a_value_for_a_simulated_cell() {
    let values = values(&cells(1)[0]);
    let computed = values.values().filter(|v| v.is_ok()).count();
    assert!(
        computed >= 150,
        "{computed}: {:?}",
        values.iter().filter(|(_, v)| v.is_err()).collect::<Vec<_>>()
    );
    let column = &values["cycle_internal_resistance_first"];
    assert_eq!(*column, Err(Missing::No(Need::Column("internal_resistance"))));
}

#[test]
fn one_cycle_gives_a_reason_wherever_more_are_needed() {
    let cell = &cells(1)[0];
    for d in own() {
        let needed = d.needs.iter().find_map(|need| if let Need::Cycles(n) = need { Some(*n) } else { None });
        let value = &compute(cell, Window { from: 1, to: 1 }, &[d])[0];
        match (needed, value) {
            (Some(needed), Err(Missing::FewCycles { found, needed: stated })) => {
                assert!(*found < *stated && *stated <= needed as usize, "{}: {value:?}", d.name);
            }
            (Some(_), Err(Missing::Undefined(why))) => {
                assert!(why.contains("successive"), "{}: {why}", d.name);
            }
            (Some(_), value) => assert!(matches!(value, Err(Missing::No(_))), "{}: {value:?}", d.name),
            (None, value) => {
                assert!(!matches!(value, Err(Missing::FewCycles { .. })), "{}: {value:?}", d.name);
            }
        }
    }
}

#[test]
fn a_cell_without_records_gives_reasons_only() {
    let mut cell = cells(1).remove(0);
    cell.records.clear();
    for (name, value) in values(&cell) {
        assert!(matches!(value, Err(Missing::No(_))), "{name}: {value:?}");
    }
}

#[test]
fn a_later_begin_of_every_record_changes_nothing() {
    let cell = cells(1).remove(0);
    let mut later = cell.clone();
    for record in &mut later.records {
        record.unix_time_second = record.unix_time_second.map(|t| t + 4096.0);
        record.samples.time_second.iter_mut().for_each(|t| *t += 512.0);
    }
    let (before, after) = (values(&cell), values(&later));
    for (name, before) in before {
        match (&before, &after[name]) {
            (Ok(a), Ok(b)) => assert!(close(*a, *b, 1e-6), "{name}: {a} {b}"),
            (a, b) => assert_eq!(*a, *b, "{name}"),
        }
    }
}

#[test]
fn twice_the_current_is_twice_the_charge_and_half_the_resistance() {
    let cell = cells(1).remove(0);
    let mut twice = cell.clone();
    let currents = twice.records.iter_mut().flat_map(|r| &mut r.samples.current_ampere);
    currents.for_each(|i| *i *= 2.0);
    twice.records.iter_mut().for_each(|r| r.stated_capacity_ah = None);
    let (before, after) = (values(&cell), values(&twice));
    let mut checked = 0;
    for d in own() {
        let power = match d.unit.split("/cycle").next().unwrap() {
            "Ah" | "Wh" | "A" | "1/h" => 2.0,
            "ohm" => 0.5,
            _ if d.name == "history_equivalent_full_cycles_total" => 2.0,
            _ => 1.0,
        };
        match (&before[d.name], &after[d.name]) {
            (Ok(a), Ok(b)) => {
                assert!(close(power * a, *b, 1e-6), "{}: {a} {b}", d.name);
                checked += 1;
            }
            (a, b) => assert_eq!(a, b, "{}", d.name),
        }
    }
    assert!(checked >= 150, "{checked}");
}

#[test]
fn samples_that_are_missing_or_stand_twice_are_passed_over() {
    let cell = cells(1).remove(0);
    let mut spoilt = cell.clone();
    for record in spoilt.records.iter_mut().filter(|r| r.samples.len() > 9) {
        let samples = &mut record.samples;
        for (column, twin) in [
            (&mut samples.time_second, true),
            (&mut samples.voltage_volt, false),
            (&mut samples.current_ampere, true),
            (&mut samples.temperature_celsius, true),
        ] {
            let (a, b) = (column[4], column[6]);
            column.insert(7, if twin { b } else { 9.0 });
            column.insert(5, if twin { a } else { f64::NAN });
        }
    }
    let (before, after) = (values(&cell), values(&spoilt));
    for (name, before) in before {
        match (&before, &after[name]) {
            (Ok(a), Ok(b)) => assert!(close(*a, *b, 1e-9), "{name}: {a} {b}"),
            (a, b) => assert_eq!(*a, *b, "{name}"),
        }
    }
}

#[test]
fn a_reversed_sign_is_a_reason() {
    let mut cell = cells(1).remove(0);
    cell.records.iter_mut().for_each(|r| r.stated_capacity_ah = None);
    cell.records.iter_mut().flat_map(|r| &mut r.samples.current_ampere).for_each(|i| *i = -*i);
    let values = values(&cell);
    assert_eq!(values["discharge_capacity_first"], Err(Missing::No(Need::Capacity)));
    assert_eq!(values["charge_energy_first"], Err(Missing::No(Need::Charge)));
    assert_eq!(values["cycle_coulombic_efficiency_sd"], Err(Missing::No(Need::Charge)));
}

#[test]
fn values_that_are_no_numbers_never_come_out() {
    let fresh = cells(1).remove(0);
    for wrong in [f64::NAN, f64::INFINITY, 0.0, 1e300] {
        for spoil in 0..4 {
            let mut cell = fresh.clone();
            for record in &mut cell.records {
                let samples = &mut record.samples;
                let column = match spoil {
                    0 => &mut samples.time_second,
                    1 => &mut samples.voltage_volt,
                    2 => &mut samples.current_ampere,
                    _ => &mut samples.temperature_celsius,
                };
                column.fill(wrong);
            }
            assert!(values(&cell).values().flatten().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn a_table_of_the_source_stands_where_nothing_is_measured() {
    let mut cell = cells(1).remove(0);
    cell.records.clear();
    let column = |name: &str, label, values: &[f64]| CycleColumn {
        name: name.into(),
        unit: "1".into(),
        label,
        values: values.to_vec(),
    };
    let columns = vec![
        column("internal_resistance", false, &[0.016, 0.018, f64::NAN, 0.022]),
        column("charge_duration", false, &[600.0, 610.0, 620.0, 630.0]),
        column("charge_capacity", false, &[1.0, 1.0, 1.0, 1.0]),
        column("charge_cv_current_entropy_end", false, &[f64::NAN, f64::NEG_INFINITY, f64::NAN, f64::NAN]),
        column("discharge_capacity", true, &[1.0, 0.9, 0.8, 0.7]),
    ];
    cell.table = Some(CycleTable { cycle_count: vec![1, 2, 3, 4], columns });
    cell.facts.attributes.insert("policy_first_c_rate".into(), Attribute { value: 5.4, unit: "1/h".into() });
    let values = values(&cell);
    assert_eq!(values["cycle_internal_resistance_first"], Ok(0.016));
    assert!(close(values["cycle_internal_resistance_slope"].clone().unwrap(), 0.002, 1e-9));
    assert!(close(values["charge_duration_slope"].clone().unwrap(), 10.0, 1e-9));
    assert_eq!(values["charge_capacity_first"], Ok(1.0));
    assert_eq!(values["charge_cv_current_entropy_end_median"], Err(Missing::NotFinite));
    assert_eq!(values["charge_duration_average_first5"], Err(Missing::FewCycles { found: 4, needed: 5 }));
    assert_eq!(values["discharge_capacity_first"], Err(Missing::No(Need::Capacity)), "a label is no input");
    assert_eq!(values["policy_first_c_rate"], Ok(5.4));
}

#[test]
fn a_cycle_that_gives_more_than_it_took_has_no_efficiency() {
    let mut cell = cells(1).remove(0);
    let before = values(&cell);
    let charge = cell.records.iter_mut().find(|r| r.phase == crate::cell::Phase::Charge).unwrap();
    let half = charge.samples.len() / 2;
    *charge = Record { samples: tail(&charge.samples, half), ..charge.clone() };
    let first = EarlyCell::new(&cell, window());
    let efficiency = first.series(Quantity::CoulombicEfficiency).unwrap();
    assert_eq!(efficiency.value.len() + 1, first.series(Quantity::DischargeCapacity).unwrap().value.len());
    assert_ne!(values(&cell)["charge_capacity_first"], before["charge_capacity_first"]);
}

fn tail(samples: &crate::dataset::Samples, from: usize) -> crate::dataset::Samples {
    crate::dataset::Samples {
        time_second: samples.time_second[from..].to_vec(),
        voltage_volt: samples.voltage_volt[from..].to_vec(),
        current_ampere: samples.current_ampere[from..].to_vec(),
        temperature_celsius: samples.temperature_celsius[from..].to_vec(),
    }
}

#[test]
fn a_star_finds_descriptors() {
    let found: Vec<&str> = matching("cycle_coulombic_efficiency_*ness").iter().map(|d| d.name).collect();
    let expected = ["skewness", "roughness", "increment_skewness"];
    assert_eq!(found, expected.map(|end| format!("cycle_coulombic_efficiency_{end}")));
    assert_eq!(family("charge_cv_decay_median"), Some("charge"));
    assert!(matching("nothing*").is_empty());
}
