//! The life of one simulated cell: its design, its own spread, and the records of its check-up cycles.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::FleetConfig;
use super::ageing::{Age, Course, Stress};
use super::circuit::{Circuit, State};
use super::cycler;
use super::defect::{self, Defect, DefectKind};
use super::design::Design;
use super::early::{self, Build, EarlyTest};
use super::impedance::{Elements, noisy};
use super::open_circuit::Balance;
use crate::cell::{CellId, Chemistry, Phase, health::charge_throughput};
use crate::dataset::{Cell, CellFacts, Record, Samples};
use crate::seed::Seed;

/// Standard deviations of capacity, resistance and logarithm of the ageing rate between cells [1]; the simulator's.
const SPREAD: (f64, f64, f64) = (0.012, 0.05, 0.12);
/// Standard deviation of the chamber temperature from record to record at full noise [degrees Celsius].
const CHAMBER_CELSIUS: f64 = 0.3;
/// Share of a charge that a side reaction does not eat [1]; the simulator's.
const EFFICIENCY: f64 = 0.9997;
/// SoH that counts as the end of life, as in `[Severson2019]`.
const EOL_SOH: f64 = 0.8;
/// Begin of the first test: 2020-01-01T00:00:00Z.
const BEGIN_SECOND: f64 = 1_577_836_800.0;
/// Begin of a cell's test after the one before it [s].
const BEGIN_SHIFT: f64 = 3600.0;
/// Check-up cycles after the death of a short-circuited cell.
const CHECKS_AFTER_DEATH: u32 = 2;
/// Cycles from one check-up to the next, of which the nearest is taken.
const STRIDES: [u32; 9] = [1, 2, 3, 5, 8, 10, 12, 15, 20];

/// One cell before its test begins.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) id: CellId,
    pub(super) chemistry: Chemistry,
    pub(super) design: &'static Design,
    pub(super) stress: Stress,
    pub(super) course: Course,
    /// Position in the fleet.
    pub(super) position: usize,
    /// The cell's own capacity and resistance over those of the design [1].
    pub(super) own: (f64, f64),
    /// What sets the cell apart in an early test; the usual in others.
    pub(super) build: Build,
}

/// Draws the cell's own capacity, resistance and ageing rate, all 1 at a `spread` of 0.
pub(super) fn own(spread: f64, rng: &mut ChaCha8Rng) -> (f64, f64, f64) {
    let mut draw = |deviation: f64| {
        let normal: f64 = StandardNormal.sample(rng);
        spread * deviation * normal.clamp(-3.0, 3.0)
    };
    (1.0 + draw(SPREAD.0), 1.0 + draw(SPREAD.1), draw(SPREAD.2).exp())
}

/// Cycles the cell until its end and returns it with the defects of its records.
pub(super) fn live(
    plan: &Plan,
    config: &FleetConfig,
    early: Option<&EarlyTest>,
    seed: &Seed,
) -> (Cell, Vec<Defect>) {
    let mut bench = Bench::new(plan, config, early, seed);
    let mut dead_checks = 0;
    let mut before = 0;
    for (check, cycle) in check_ups(plan, config, early).enumerate() {
        bench.second += f64::from((cycle - before).saturating_sub(1)) * plan.stress.cycle_second();
        before = cycle;
        let age = plan.course.at(f64::from(cycle - 1));
        bench.check_up(cycle, check as u32, &age);
        dead_checks += u32::from(age.dead);
        if dead_checks == CHECKS_AFTER_DEATH {
            break;
        }
    }
    let (mut records, mut defects) = (bench.records, bench.defects);
    let facts = plan.facts(early.map(|_| records.as_slice()));
    let count = (config.bad_record_share * records.len() as f64).round() as usize;
    let planted = defect::plant(&mut records, &plan.id, count, &mut seed.stream("defects"));
    defects.extend(planted);
    defects.sort_by_key(|d| d.record);
    (Cell { id: plan.id.clone(), facts, records, table: None }, defects)
}

/// Returns the cycles that are recorded: in an early test the first ones, then check-ups.
fn check_ups(plan: &Plan, config: &FleetConfig, early: Option<&EarlyTest>) -> impl Iterator<Item = u32> {
    let stride = stride(plan, config, early);
    let last = plan.course.cycle_of_loss(1.0 - config.stop_soh, config.cycles);
    let first = early.map_or(1, |e| e.cycles).min(last);
    (1..=first).chain((first + stride..=last).step_by(stride as usize))
}

/// Returns the cycles between check-ups: from what the design promises under its stress, never from the cell's own life.
fn stride(plan: &Plan, config: &FleetConfig, early: Option<&EarlyTest>) -> u32 {
    let rate = plan.design.acceleration * early.map_or(1.0, |e| e.acceleration);
    let promised = Course::new(&plan.stress, plan.design.solid, rate);
    let life = promised.cycle_of_loss(1.0 - config.stop_soh, config.cycles);
    let wanted = f64::from(life) / f64::from(config.check_ups.max(1));
    let distance = |s: &u32| (f64::from(*s) / wanted.max(1e-3)).ln().abs();
    STRIDES.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(1)
}

impl Plan {
    /// Returns what is stated of the cell; of an early test with its `records` also protocol and life.
    fn facts(&self, records: Option<&[Record]>) -> CellFacts {
        let mut notes = BTreeMap::from([
            ("ambient_temperature_celsius", self.stress.temperature_celsius),
            ("depth_of_discharge", self.stress.depth),
            ("charge_c_rate", self.stress.charge_c_rate),
            ("discharge_c_rate", self.stress.discharge_c_rate),
        ]);
        notes.extend(self.stress.pressure_megapascal.map(|p| ("stack_pressure_megapascal", p)));
        CellFacts {
            chemistry: self.chemistry,
            nominal_capacity_ah: Some(self.design.nominal_ah),
            eol_soh: Some(EOL_SOH),
            discharge_cutoff_volt: Some(self.design.limits_volt.0),
            charge_cutoff_volt: Some(self.design.limits_volt.1),
            synthetic: true,
            cycle_life: records.and_then(|r| early::observed_life(r, self.design.nominal_ah, EOL_SOH)),
            group: records.map(|_| early::protocol(self)),
            attributes: records.map(|_| early::attributes(self)).unwrap_or_default(),
            notes: notes.into_iter().map(|(k, v)| (k.to_owned(), v.to_string())).collect(),
            ..CellFacts::default()
        }
    }

    fn circuit(&self, age: &Age, chamber_celsius: f64, samples: f64) -> Circuit {
        let (design, build) = (self.design, &self.build);
        let own = [1.0, build.interface, build.diffusion];
        let fresh = Balance::fresh(design.electrodes, &design.window, design.nominal_ah * self.own.0);
        let balance = fresh.aged(&age.loss);
        let (lower, upper) = design.limits_volt;
        Circuit {
            balance,
            nominal_ah: design.nominal_ah,
            limits_volt: design.limits_volt,
            resistance_ohm: std::array::from_fn(|i| {
                design.resistance_ohm[i] * self.own.1 * age.resistance[i] * own[i]
            }),
            activation: design.activation,
            tau_second: [design.tau_second[0], design.tau_second[1] * build.diffusion],
            thermal: design.thermal,
            ambient_celsius: self.stress.temperature_celsius + chamber_celsius,
            leak_ampere: age.leak_c_rate * design.nominal_ah,
            // What the usual side reactions eat is 1 - EFFICIENCY.
            efficiency: EFFICIENCY - (1.0 - EFFICIENCY) * (build.side - 1.0),
            stored_limits_ah: (balance.stored_at(lower), balance.stored_at(upper)),
            half_cycle_samples: samples,
        }
    }
}

/// The test of one cell in progress.
struct Bench<'a> {
    plan: &'a Plan,
    config: &'a FleetConfig,
    /// Samples of a half cycle at constant current.
    samples: f64,
    rng: ChaCha8Rng,
    /// Begin of the next record as seconds since 1970-01-01.
    second: f64,
    /// State of charge at which the last discharge ended [1].
    empty_soc: f64,
    records: Vec<Record>,
    defects: Vec<Defect>,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan, config: &'a FleetConfig, early: Option<&EarlyTest>, seed: &Seed) -> Self {
        let samples = early.map_or(cycler::SAMPLES_A_HALF_CYCLE, |e| f64::from(e.samples));
        let second = BEGIN_SECOND + BEGIN_SHIFT * plan.position as f64;
        let mut bench = Self {
            plan,
            config,
            samples,
            rng: seed.stream("bench"),
            second,
            empty_soc: 0.0,
            records: Vec::new(),
            defects: Vec::new(),
        };
        let cell = plan.circuit(&plan.course.at(0.0), 0.0, samples);
        let mut state = cell.rested(1.0);
        cycler::discharge(&cell, &mut state, plan.stress.discharge_c_rate);
        bench.empty_soc = cell.soc(&state);
        bench
    }

    /// Records a full cycle at the cell's own rates, with a spectrum or a titration when one is due.
    fn check_up(&mut self, cycle: u32, check: u32, age: &Age) {
        let normal: f64 = StandardNormal.sample(&mut self.rng);
        let chamber_celsius = self.config.noise * CHAMBER_CELSIUS * normal;
        let cell = self.plan.circuit(age, chamber_celsius, self.samples);
        if age.dead {
            self.record_dead(cycle, &cell);
            return;
        }
        let mut state = cell.rested(self.empty_soc);
        let mut samples = cycler::charge(&cell, &mut state, self.plan.stress.charge_c_rate);
        if age.leak_c_rate > 0.0 {
            cycler::dip(&mut samples, &mut self.rng);
        }
        self.record(cycle, Phase::Charge, samples);
        self.record(cycle, Phase::Rest, cycler::rest(&cell, &mut state));
        if due(check, self.config.spectrum_every) {
            self.record_spectrum(cycle, &cell, &state);
        }
        let samples = cycler::discharge(&cell, &mut state, self.plan.stress.discharge_c_rate);
        self.record(cycle, Phase::Discharge, samples);
        self.empty_soc = cell.soc(&state);
        self.record(cycle, Phase::Rest, cycler::rest(&cell, &mut state));
        if due(check, self.config.titration_every) {
            self.record(cycle, Phase::Gitt, cycler::titrate(&cell, &mut state));
        }
    }

    fn record_dead(&mut self, cycle: u32, cell: &Circuit) {
        let charge = cycler::charge_dead(cell, self.plan.stress.charge_c_rate);
        let discharge = cycler::discharge_dead(cell, self.plan.stress.discharge_c_rate);
        for (phase, samples) in [(Phase::Charge, charge), (Phase::Discharge, discharge)] {
            self.defects.push(Defect {
                cell: self.plan.id.clone(),
                record: self.records.len() as u32,
                kind: DefectKind::ShortCircuit,
                first_sample: 0,
                n_samples: samples.len(),
            });
            self.record(cycle, phase, samples);
        }
    }

    /// Appends what the sensors show of `samples`; a discharge states the integral of the measured current.
    fn record(&mut self, cycle: u32, phase: Phase, mut samples: Samples) {
        let nominal_ah = self.plan.design.nominal_ah;
        cycler::measure(&mut samples, nominal_ah, self.config.noise, &mut self.rng);
        let record = self.next_record(cycle, phase);
        self.second += samples.time_second.last().copied().unwrap_or(0.0);
        let stated = (phase == Phase::Discharge)
            .then(|| -charge_throughput(&samples.time_second, &samples.current_ampere));
        self.records.push(Record { samples, stated_capacity_ah: stated, ..record });
    }

    fn record_spectrum(&mut self, cycle: u32, cell: &Circuit, state: &State) {
        let elements = Elements {
            resistance_ohm: cell.resistances(state),
            tau_second: cell.tau_second,
            depression: self.plan.design.depression,
        };
        let noise = self.config.noise;
        let spectrum = elements.sweep(noise, &mut self.rng);
        let [ohmic, transfer, _] = elements.resistance_ohm.map(|r| noisy(r, noise, &mut self.rng));
        let record = self.next_record(cycle, Phase::Impedance);
        // One and a half periods a point, as potentiostats take.
        self.second += spectrum.frequency_hertz.iter().map(|f| 1.5 / f).sum::<f64>();
        self.records.push(Record {
            spectrum: Some(spectrum),
            electrolyte_resistance_ohm: Some(ohmic),
            charge_transfer_resistance_ohm: Some(transfer),
            ..record
        });
    }

    fn next_record(&self, cycle: u32, phase: Phase) -> Record {
        Record {
            cycle_count: Some(cycle),
            unix_time_second: Some(self.second.round()),
            ambient_temperature_celsius: Some(self.plan.stress.temperature_celsius),
            ..Record::new(self.records.len() as u32, phase)
        }
    }
}

fn due(check: u32, every: u32) -> bool {
    every > 0 && check.is_multiple_of(every)
}
