//! Tests of whole fleets.

use super::*;
use crate::cell::Phase;
use crate::cell::health::charge_throughput;
use crate::dataset::{Record, Samples};

/// Slack of capacities against solver and sampling [1].
const TINY: f64 = 2e-4;

fn ideal() -> FleetConfig {
    FleetConfig {
        noise: 0.0,
        bad_record_share: 0.0,
        dendrite_share: 0.0,
        check_ups: 20,
        ..FleetConfig::default()
    }
}

fn made(config: &FleetConfig) -> Fleet {
    fleet(config, &Seed::new(7)).unwrap()
}

fn of_phase(cell: &Cell, phase: Phase) -> impl Iterator<Item = &Record> {
    cell.records.iter().filter(move |r| r.phase == phase)
}

fn capacities(cell: &Cell) -> Vec<f64> {
    of_phase(cell, Phase::Discharge).filter_map(|r| r.stated_capacity_ah).collect()
}

fn energy(samples: &Samples) -> f64 {
    let power: Vec<f64> =
        samples.voltage_volt.iter().zip(&samples.current_ampere).map(|(v, i)| v * i).collect();
    charge_throughput(&samples.time_second, &power)
}

fn bytes(fleet: &Fleet) -> String {
    format!("{fleet:?}")
}

#[test]
fn equal_seeds_give_equal_bytes_on_any_number_of_threads_and_others_do_not() {
    let config = FleetConfig { n_cells: 6, cycles: 60, ..FleetConfig::default() };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let run = |seed: u64| bytes(&fleet(&config, &Seed::new(seed)).unwrap());
    let first = one.install(|| run(1));
    assert!(first == three.install(|| run(1)));
    assert!(first != run(2));
}

#[test]
fn the_default_fleet_is_what_it_says() {
    let config = FleetConfig::default();
    let fleet = made(&config);
    assert_eq!(fleet.cells.len(), 30);
    for chemistry in &config.chemistries {
        assert_eq!(fleet.cells.iter().filter(|c| c.facts.chemistry == *chemistry).count(), 10);
    }
    assert!(fleet.cells.iter().all(|c| c.facts.synthetic && c.id.as_str().starts_with("SIM-")));
    let ids: BTreeSet<_> = fleet.cells.iter().map(|c| c.id.clone()).collect();
    assert_eq!(ids.len(), 30);
    for cell in &fleet.cells {
        let checks = of_phase(cell, Phase::Discharge).count();
        assert!((15..=150).contains(&checks), "{}: {checks} check-ups", cell.id);
        assert!(cell.records.iter().enumerate().all(|(k, r)| r.index as usize == k));
        let begins: Vec<f64> = cell.records.iter().filter_map(|r| r.unix_time_second).collect();
        assert!(begins.windows(2).all(|w| w[0] <= w[1]) && begins[0] >= 1_577_836_800.0);
        for phase in [Phase::Charge, Phase::Rest, Phase::Gitt, Phase::Impedance] {
            assert!(of_phase(cell, phase).count() > 0, "{} has no {}", cell.id, phase.name());
        }
    }
}

#[test]
fn without_noise_capacity_never_grows_and_stays_positive() {
    for cell in made(&ideal()).cells {
        let capacities = capacities(&cell);
        assert!(capacities.len() > 5);
        for pair in capacities.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + TINY) && pair[1] > 0.0, "{}: {pair:?}", cell.id);
        }
        let nominal = cell.facts.nominal_capacity_ah.unwrap();
        assert!((0.85..1.1).contains(&(capacities[0] / nominal)), "{}: {}", cell.id, capacities[0] / nominal);
    }
}

#[test]
fn records_obey_coulomb_energy_and_the_limits() {
    for cell in made(&ideal()).cells {
        let lower = cell.facts.discharge_cutoff_volt.unwrap();
        let upper = cell.facts.charge_cutoff_volt.unwrap();
        let pairs = of_phase(&cell, Phase::Charge).zip(of_phase(&cell, Phase::Discharge));
        for (charge, discharge) in pairs {
            let (c, d) = (&charge.samples, &discharge.samples);
            let out = -charge_throughput(&d.time_second, &d.current_ampere);
            assert!((out / discharge.stated_capacity_ah.unwrap() - 1.0).abs() < 1e-12);
            let into = charge_throughput(&c.time_second, &c.current_ampere);
            assert!((0.97..1.02).contains(&(out / into)), "{}: CE {}", cell.id, out / into);
            assert!(-energy(d) < energy(c), "{}: {} of {}", cell.id, -energy(d), energy(c));
            assert!((d.voltage_volt.last().unwrap() - lower).abs() < 1e-6);
            for samples in [c, d] {
                let inside = |v: &f64| (lower - 1e-6..upper + 1e-6).contains(v);
                assert!(samples.voltage_volt.iter().all(inside), "{}", cell.id);
                assert!(samples.time_second.windows(2).all(|w| w[0] < w[1]), "{}", cell.id);
            }
        }
    }
}

#[test]
fn hotter_deeper_and_faster_cells_fade_faster_in_their_records() {
    let one = FleetConfig {
        n_cells: 1,
        cycles: 200,
        spread: 0.0,
        knee_share: 0.0,
        ambient_temperatures_celsius: vec![25.0],
        depths_of_discharge: vec![0.8],
        c_rates: vec![(0.5, 0.5)],
        ..ideal()
    };
    let kept = |config: FleetConfig| {
        let c = capacities(&made(&config).cells[0]);
        c[c.len() - 1] / c[0]
    };
    for chemistry in [Chemistry::Nmc, Chemistry::Lfp, Chemistry::LithiumGarnetNmc] {
        let mild = FleetConfig { chemistries: vec![chemistry], ..one.clone() };
        let hot = FleetConfig { ambient_temperatures_celsius: vec![45.0], ..mild.clone() };
        let deep = FleetConfig { depths_of_discharge: vec![1.0], ..mild.clone() };
        let fast = FleetConfig { c_rates: vec![(1.0, 1.0)], ..mild.clone() };
        let base = kept(mild);
        for harder in [hot, deep, fast] {
            let message = format!("{harder:?}");
            assert!(kept(harder) < base, "{chemistry:?}: {message}");
        }
    }
}

#[test]
fn spectra_state_the_resistances_that_they_show() {
    for cell in made(&FleetConfig { n_cells: 3, ..ideal() }).cells {
        let mut transfer = Vec::new();
        for record in of_phase(&cell, Phase::Impedance) {
            let spectrum = record.spectrum.as_ref().unwrap();
            let r0 = record.electrolyte_resistance_ohm.unwrap();
            let r1 = record.charge_transfer_resistance_ohm.unwrap();
            transfer.push(r1);
            // The arc at its highest frequency has shrunk to R0 but for a thousandth of its width and the tail.
            assert!((spectrum.real_ohm[0] - r0) / r0 < 0.02, "{}: {} {r0}", cell.id, spectrum.real_ohm[0]);
            // The Warburg tail has equal parts, so real + imaginary is free of it; at low frequency it is R0 + R1.
            let width = spectrum.real_ohm.last().unwrap() + spectrum.imaginary_ohm.last().unwrap() - r0;
            assert!((width / r1 - 1.0).abs() < 0.06, "{}: {width} {r1}", cell.id);
        }
        assert!(transfer.windows(2).all(|w| w[1] > w[0]), "{}: {transfer:?}", cell.id);
    }
}

#[test]
fn every_defect_is_where_the_list_says_and_nowhere_else() {
    let config = FleetConfig { noise: 0.0, knee_share: 0.0, dendrite_share: 0.0, ..FleetConfig::default() };
    let bad = made(&FleetConfig { bad_record_share: 0.02, ..config.clone() });
    let good = made(&FleetConfig { bad_record_share: 0.0, ..config });
    let kinds: BTreeSet<_> = bad.defects.iter().map(|d| d.kind).collect();
    assert_eq!(kinds.len(), 6);
    for (cell, clean) in bad.cells.iter().zip(&good.cells) {
        for (record, clean) in cell.records.iter().zip(&clean.records) {
            match bad.defects.iter().find(|d| d.cell == cell.id && d.record == record.index) {
                None => assert_eq!(record, clean),
                Some(defect) => assert_damage(defect, record, clean),
            }
        }
    }
}

fn assert_damage(defect: &Defect, record: &Record, clean: &Record) {
    let (from, to) = (defect.first_sample, defect.first_sample + defect.n_samples);
    let (s, c) = (&record.samples, &clean.samples);
    match defect.kind {
        DefectKind::MissingSamples => {
            assert_eq!(s.time_second[..from], c.time_second[..from]);
            assert_eq!(s.time_second[from..], c.time_second[to..]);
        }
        DefectKind::AbortedDischarge | DefectKind::PartialCharge => {
            assert_eq!((s.len(), to), (from, c.len()));
            assert_eq!(s.voltage_volt, c.voltage_volt[..from]);
            let stated = |r: &Record| r.stated_capacity_ah.unwrap_or(0.0);
            assert!(record.phase == Phase::Charge || stated(record) < 0.3 * stated(clean));
        }
        DefectKind::VoltageSpike => {
            assert!((s.voltage_volt[from] - c.voltage_volt[from]).abs() > 1.0);
            assert_eq!(s.voltage_volt[to..], c.voltage_volt[to..]);
        }
        DefectKind::DuplicatedTime => {
            assert!(s.time_second[from - 1..to].windows(2).all(|w| w[0] >= w[1]));
            assert_eq!(s.time_second[to..], c.time_second[to..]);
        }
        DefectKind::NanTemperature => {
            assert!(s.temperature_celsius[from..to].iter().all(|t| t.is_nan()));
            assert_eq!(s.temperature_celsius[to..], c.temperature_celsius[to..]);
        }
        DefectKind::ShortCircuit => panic!("none here"),
    }
}

#[test]
fn a_dendrite_lets_the_efficiency_drop_and_the_cell_die() {
    let config = FleetConfig {
        n_cells: 3,
        chemistries: vec![Chemistry::LithiumGarnetNmc],
        dendrite_share: 1.0,
        check_ups: 80,
        ..ideal()
    };
    let fleet = made(&config);
    for cell in &fleet.cells {
        let capacities = capacities(cell);
        let charges = of_phase(cell, Phase::Charge).map(|r| &r.samples);
        let efficiency: Vec<f64> = charges
            .zip(&capacities)
            .map(|(c, out)| out / charge_throughput(&c.time_second, &c.current_ampere))
            .collect();
        let n = capacities.len();
        assert!(efficiency[n / 2] > 0.98 && efficiency[n - 3] < 0.95, "{}: {efficiency:?}", cell.id);
        assert!(capacities[n - 1] < 0.01 * capacities[0]);
        assert_eq!(fleet.defects.iter().filter(|d| d.cell == cell.id).count(), 4);
    }
}

#[test]
fn a_titration_pulses_and_rests_upwards() {
    let fleet = made(&FleetConfig { n_cells: 3, ..ideal() });
    for cell in &fleet.cells {
        let samples = &of_phase(cell, Phase::Gitt).next().unwrap().samples;
        let current = &samples.current_ampere;
        let ends: Vec<f64> = (0..samples.len())
            .filter(|&k| current[k] == 0.0 && current.get(k + 1).is_none_or(|i| *i > 0.0))
            .map(|k| samples.voltage_volt[k])
            .collect();
        assert!((8..=10).contains(&ends.len()), "{}: {} pulses", cell.id, ends.len());
        assert!(ends.windows(2).all(|w| w[1] > w[0] - 1e-3), "{}: {ends:?}", cell.id);
        assert!(samples.time_second.windows(2).all(|w| w[0] < w[1]));
    }
}

#[test]
fn bad_configurations_name_their_key() {
    let valid = FleetConfig::default();
    assert_eq!(valid.check(), Ok(()));
    let invalid = [
        ("n_cells", FleetConfig { n_cells: 0, ..valid.clone() }),
        ("cycles", FleetConfig { cycles: 0, ..valid.clone() }),
        ("stop_soh", FleetConfig { stop_soh: f64::NAN, ..valid.clone() }),
        ("depths_of_discharge", FleetConfig { depths_of_discharge: vec![1.2], ..valid.clone() }),
        ("c_rates", FleetConfig { c_rates: vec![(0.0, 1.0)], ..valid.clone() }),
    ];
    for (name, config) in invalid {
        assert!(
            matches!(fleet(&config, &Seed::new(0)), Err(FleetError::OutOfRange { key, .. }) if key == name)
        );
    }
    let unknown = FleetConfig { chemistries: vec![Chemistry::Unknown], ..valid };
    assert_eq!(unknown.check(), Err(FleetError::Chemistry));
}

#[test]
fn a_configuration_survives_toml_and_refuses_a_typo() {
    let config = FleetConfig { c_rates: vec![(0.5, 1.0)], ..FleetConfig::default() };
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<FleetConfig>(&text).unwrap(), config);
    assert!(toml::from_str::<FleetConfig>("n_cell = 3").unwrap_err().to_string().contains("n_cells"));
}

#[test]
fn an_early_test_records_every_first_cycle_and_then_check_ups() {
    let (config, early) = small_early();
    for cell in Campaign::new(&config, Some(&early), &Seed::new(7)).unwrap().fleet().cells {
        let cycles: Vec<u32> = of_phase(&cell, Phase::Discharge).filter_map(|r| r.cycle_count).collect();
        let first: Vec<u32> = (1..=early.cycles).collect();
        assert_eq!(cycles[..first.len()], first, "{}", cell.id);
        let later: BTreeSet<u32> = cycles[first.len()..].windows(2).map(|w| w[1] - w[0]).collect();
        assert!(later.len() == 1 && !later.contains(&0), "{}: {later:?}", cell.id);
        let begins: Vec<f64> = cell.records.iter().filter_map(|r| r.unix_time_second).collect();
        assert!(begins.windows(2).all(|w| w[0] <= w[1]), "{}", cell.id);
        let titrations: Vec<u32> = of_phase(&cell, Phase::Gitt).filter_map(|r| r.cycle_count).collect();
        assert_eq!(titrations[..2], [1, 15]);
        assert!(of_phase(&cell, Phase::Impedance).count() >= 3);
    }
}

#[test]
fn the_solid_state_fleet_states_protocol_and_life_and_the_plain_one_does_not() {
    let (config, early) = solid_state();
    let cells = Campaign::new(&config, Some(&early), &Seed::new(7)).unwrap().fleet().cells;
    assert_eq!(cells.len(), 60);
    assert!(cells.iter().all(|c| c.facts.synthetic && c.facts.chemistry == Chemistry::LithiumGarnetNmc));
    let protocols: BTreeSet<_> = cells.iter().map(|c| c.facts.group.clone().unwrap()).collect();
    assert_eq!(protocols.len(), 18);
    for pair in cells.iter().flat_map(|a| cells.iter().map(move |b| (&a.facts, &b.facts))) {
        assert_eq!(pair.0.group == pair.1.group, pair.0.attributes == pair.1.attributes);
    }
    let lives: Vec<f64> = cells.iter().filter_map(|c| c.facts.cycle_life).collect();
    assert!(lives.len() >= 55, "{} of 60 lives are known", lives.len());
    assert!(lives.iter().all(|life| (f64::from(early.cycles)..2000.0).contains(life)), "{lives:?}");
    let plain = made(&FleetConfig { n_cells: 3, cycles: 40, ..FleetConfig::default() });
    for facts in plain.cells.iter().map(|c| &c.facts) {
        assert!(facts.cycle_life.is_none() && facts.group.is_none() && facts.attributes.is_empty());
    }
}

#[test]
fn the_life_of_check_ups_is_that_of_a_test_that_records_every_cycle() {
    let (config, early) = small_early();
    let lives = |early: &EarlyTest| -> Vec<f64> {
        let fleet = Campaign::new(&config, Some(early), &Seed::new(7)).unwrap().fleet();
        fleet.cells.iter().map(|c| c.facts.cycle_life.unwrap()).collect()
    };
    let every = EarlyTest { cycles: config.cycles, ..early.clone() };
    for (sparse, dense) in lives(&early).into_iter().zip(lives(&every)) {
        assert!((sparse - dense).abs() <= 0.01 * dense + 2.0, "{sparse} of {dense}");
    }
}

#[test]
fn the_spread_of_the_build_is_what_sets_cells_of_one_protocol_apart() {
    let (config, early) = small_early();
    let one =
        FleetConfig { ambient_temperatures_celsius: vec![25.0], spread: 0.0, knee_share: 0.0, ..config };
    let one = FleetConfig { c_rates: vec![(0.33, 0.33)], n_cells: 19, cycles: 60, ..one };
    let first_and_19th = |build_spread: f64| {
        let early = EarlyTest { build_spread, ..early.clone() };
        let campaign = Campaign::new(&one, Some(&early), &Seed::new(7)).unwrap();
        let (a, b) = (campaign.cell(0).unwrap().0, campaign.cell(18).unwrap().0);
        assert_eq!(a.facts.group, b.facts.group);
        let transfer =
            |c: &Cell| of_phase(c, Phase::Impedance).next().unwrap().charge_transfer_resistance_ohm;
        (capacities(&a), capacities(&b), transfer(&a), transfer(&b))
    };
    let (a, b, r_a, r_b) = first_and_19th(0.0);
    assert!(a == b && r_a == r_b);
    let (a, b, r_a, r_b) = first_and_19th(1.0);
    assert!(a != b && r_a != r_b);
}

#[test]
fn a_campaign_gives_the_cells_of_its_fleet_one_by_one() {
    let (config, early) = small_early();
    let campaign = Campaign::new(&config, Some(&early), &Seed::new(7)).unwrap();
    let cells = campaign.fleet().cells;
    assert!(cells.iter().enumerate().all(|(p, cell)| campaign.cell(p).unwrap().0 == *cell));
    assert!(campaign.cell(cells.len()).is_none());
}

#[test]
fn a_bench_takes_as_many_samples_as_it_is_told() {
    let (config, early) = small_early();
    let n_samples = |samples: u32| {
        let early = EarlyTest { samples, ..early.clone() };
        let cell = Campaign::new(&config, Some(&early), &Seed::new(7)).unwrap().cell(0).unwrap().0;
        of_phase(&cell, Phase::Discharge).next().unwrap().samples.len() as f64
    };
    assert!((1.8..2.2).contains(&(n_samples(160) / n_samples(80))));
    let none = EarlyTest { samples: 0, ..early };
    assert!(matches!(
        Campaign::new(&config, Some(&none), &Seed::new(7)),
        Err(FleetError::OutOfRange { key: "early.samples", .. })
    ));
}

fn small_early() -> (FleetConfig, EarlyTest) {
    let (config, early) = solid_state();
    let config = FleetConfig { n_cells: 3, noise: 0.0, bad_record_share: 0.0, dendrite_share: 0.0, ..config };
    (config, EarlyTest { cycles: 20, ..early })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_valid_configuration_gives_finite_ascending_records(
        (celsius, depth, charge, discharge) in (0.0..=80.0, 0.2..=1.0, 0.05..=4.0, 0.05..=4.0),
        (cycles, check_ups, stop_soh) in (1u32..=3000, 1u32..=12, 0.3..=0.99),
        (share, noise, spread) in (0.0..=1.0, 0.0..=3.0, 0.0..=5.0),
    ) {
        let config = FleetConfig {
            n_cells: 3,
            cycles,
            check_ups,
            ambient_temperatures_celsius: vec![celsius],
            depths_of_discharge: vec![depth],
            c_rates: vec![(charge, discharge)],
            stop_soh,
            knee_share: share,
            dendrite_share: share,
            noise,
            spread,
            bad_record_share: 0.0,
            ..FleetConfig::default()
        };
        for cell in made(&config).cells {
            assert!(!cell.records.is_empty());
            for record in &cell.records {
                let s = &record.samples;
                assert!(s.time_second.windows(2).all(|w| w[0] < w[1]));
                for values in [&s.voltage_volt, &s.current_ampere, &s.temperature_celsius] {
                    assert_eq!(values.len(), s.len());
                    assert!(values.iter().all(|v| v.is_finite()));
                }
            }
        }
    }
}
