//! The early test: every one of the first cycles is recorded, solid-state cells differ in how they were built, and the
//! life of each is stated.
//!
//! A build has three traits, each visible in the first cycles and each with its share in the life: a resistive
//! interface (impedance, polarisation) loses contact faster, slow diffusion (titration, relaxation) cracks the cathode,
//! side reactions (coulombic efficiency) eat the linear part. A fourth, the settling of the stack, looks like fade and
//! says little of it. Cells of low pressure, fast charge and resistive interface
//! are prone to delaminate (a knee) or to short (a dendrite; `[Cheng2017]`, `[Krauskopf2019]`), but chance has a say in
//! which ones do, and when. The sizes of all this are the simulator's.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::ageing::{Stress, Wear};
use super::life::Plan;
use super::{FleetConfig, FleetError};
use crate::cell::{Chemistry, Phase, health};
use crate::dataset::{Attribute, Record};
use crate::seed::Seed;

/// Standard deviations of the logarithms of interface resistance, diffusion time and side reactions [1].
const BUILD: (f64, f64, f64) = (0.35, 0.3, 0.45);
/// Loss while a stack settles, the scale of a half-normal distribution [1].
const SETTLING: f64 = 0.015;
/// Most standard deviations that a trait is away from the usual [1].
const FARTHEST: f64 = 2.5;
/// Standard deviation of what decides a cell's fate besides its build and stress [1]; theirs together is about as large.
const CHANCE: f64 = 0.5;
/// Check-ups after the end of life that confirm it.
const CONFIRM: usize = 1;

/// How a fleet for early prediction is tested and built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyTest {
    /// First cycles, each of them recorded, 1-100000; default 50. Later ones are check-ups like those of any fleet.
    pub cycles: u32,
    /// Samples of a half cycle at constant current, 10-5000; default 80; more where the voltage is steep.
    pub samples: u32,
    /// Spread of the build of solid-state cells over the usual one [1], 0-3; default 1.
    pub build_spread: f64,
    /// How many times faster than their design cells age [1], 0.1-20; default 1.
    pub acceleration: f64,
}

impl Default for EarlyTest {
    fn default() -> Self {
        Self { cycles: 50, samples: 80, build_spread: 1.0, acceleration: 1.0 }
    }
}

impl EarlyTest {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FleetError::OutOfRange`], the first one found.
    pub fn check(&self) -> Result<(), FleetError> {
        super::in_range([
            ("early.cycles", f64::from(self.cycles), (1.0, 1e5)),
            ("early.samples", f64::from(self.samples), (10.0, 5e3)),
            ("early.build_spread", self.build_spread, (0.0, 3.0)),
            ("early.acceleration", self.acceleration, (0.1, 20.0)),
        ])
    }
}

/// Returns the fleet of lithium, garnet and NMC for early prediction: 60 cells under 18 protocols, their first 50 cycles
/// and then their check-ups.
pub fn solid_state() -> (FleetConfig, EarlyTest) {
    let config = FleetConfig {
        n_cells: 60,
        cycles: 2000,
        check_ups: 40,
        chemistries: vec![Chemistry::LithiumGarnetNmc],
        ambient_temperatures_celsius: vec![25.0, 35.0, 45.0],
        depths_of_discharge: vec![1.0],
        dendrite_share: 0.4,
        spread: 2.0,
        spectrum_every: 7,
        titration_every: 14,
        ..FleetConfig::default()
    };
    (config, EarlyTest { acceleration: 3.0, ..EarlyTest::default() })
}

/// Traits of one cell over those of its design [1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Build {
    /// Resistance of the interface.
    pub(super) interface: f64,
    /// Time that diffusion takes, and its resistance.
    pub(super) diffusion: f64,
    /// Side reactions.
    pub(super) side: f64,
    /// Share of the capacity that is lost while the stack settles: it looks like fade and says nothing of it.
    pub(super) settling: f64,
}

impl Default for Build {
    fn default() -> Self {
        Self { interface: 1.0, diffusion: 1.0, side: 1.0, settling: 0.0 }
    }
}

impl Build {
    /// Draws a build; the usual one at a `spread` of 0.
    pub(super) fn drawn(spread: f64, rng: &mut ChaCha8Rng) -> Self {
        let mut draw = |deviation: f64| {
            let normal: f64 = StandardNormal.sample(rng);
            spread * deviation * normal.clamp(-FARTHEST, FARTHEST)
        };
        Self {
            interface: draw(BUILD.0).exp(),
            diffusion: draw(BUILD.1).exp(),
            side: draw(BUILD.2).exp(),
            settling: draw(SETTLING).abs(),
        }
    }

    /// Returns what the build does to the ageing of the cell.
    pub(super) fn wear(&self) -> Wear {
        Wear {
            contact: self.interface.powf(0.6),
            steady: (self.side * self.diffusion).sqrt(),
            growth: self.interface.powf(0.3),
            settling: self.settling,
        }
    }

    /// Returns how near the cell is to a dendrite, relative to other cells [1].
    pub(super) fn shorting(&self, stress: &Stress) -> f64 {
        self.interface.ln() + 0.7 * stress.charge_c_rate.ln() - 0.5 * pressure(stress).ln()
    }

    /// Returns how near the cell is to delamination, relative to other cells [1].
    pub(super) fn delaminating(&self, stress: &Stress) -> f64 {
        self.diffusion.ln() - 0.4 * pressure(stress).ln()
    }
}

fn pressure(stress: &Stress) -> f64 {
    stress.pressure_megapascal.unwrap_or(1.0)
}

/// Returns the rounded `share` of the `members` with the highest `score` and luck.
pub(super) fn prone(
    share: f64,
    members: &[usize],
    seed: &Seed,
    score: impl Fn(usize) -> f64,
) -> BTreeSet<usize> {
    let luck = |p: usize| -> f64 { StandardNormal.sample(&mut seed.stream(format!("cell/{p}"))) };
    let mut scored: Vec<(f64, usize)> = members.iter().map(|&p| (score(p) + CHANCE * luck(p), p)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let count = (share * members.len() as f64).round() as usize;
    scored.into_iter().take(count).map(|(_, p)| p).collect()
}

/// Returns the cycle at which the discharges reach the end of life, between two check-ups by interpolation; `None` where
/// the test ended before.
pub(super) fn observed_life(records: &[Record], nominal_ah: f64, eol_soh: f64) -> Option<f64> {
    let discharges = records.iter().filter(|r| r.phase == Phase::Discharge);
    let (cycles, soh): (Vec<f64>, Vec<f64>) = discharges
        .filter_map(|r| Some((f64::from(r.cycle_count?), health::soh(r.stated_capacity_ah?, nominal_ah))))
        .unzip();
    let after = health::eol_position(&soh, eol_soh, CONFIRM)?;
    let before = after.saturating_sub(1);
    let fallen = if after == before { 1.0 } else { (soh[before] - eol_soh) / (soh[before] - soh[after]) };
    Some((cycles[before] + fallen * (cycles[after] - cycles[before])).round())
}

/// Returns the settings of the test, by name.
pub(super) fn attributes(plan: &Plan) -> BTreeMap<String, Attribute> {
    let stress = &plan.stress;
    let settings = [
        ("ambient_temperature", Some(stress.temperature_celsius), "degC"),
        ("depth_of_discharge", Some(stress.depth), "1"),
        ("charge_c_rate", Some(stress.charge_c_rate), "1/h"),
        ("discharge_c_rate", Some(stress.discharge_c_rate), "1/h"),
        ("stack_pressure", stress.pressure_megapascal, "MPa"),
    ];
    let stated = |(name, value, unit): (&str, Option<f64>, &str)| {
        Some((name.to_owned(), Attribute { value: value?, unit: unit.to_owned() }))
    };
    settings.into_iter().filter_map(stated).collect()
}

/// Returns the name of the protocol: cells of one protocol have one name.
pub(super) fn protocol(plan: &Plan) -> String {
    let Stress { temperature_celsius, depth, charge_c_rate, discharge_c_rate, pressure_megapascal } =
        plan.stress;
    let pressure = pressure_megapascal.map(|p| format!(" {p} MPa")).unwrap_or_default();
    let name = plan.design.name;
    format!("{name} {temperature_celsius} degC {charge_c_rate}C/{discharge_c_rate}C depth {depth}{pressure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRESS: Stress = Stress {
        temperature_celsius: 25.0,
        depth: 1.0,
        charge_c_rate: 0.33,
        discharge_c_rate: 0.33,
        pressure_megapascal: Some(5.0),
    };

    fn discharges(capacities: &[(u32, f64)]) -> Vec<Record> {
        let discharge = |&(cycle, ah): &(u32, f64)| Record {
            cycle_count: Some(cycle),
            stated_capacity_ah: Some(ah),
            ..Record::new(cycle, Phase::Discharge)
        };
        capacities.iter().map(discharge).collect()
    }

    #[test]
    fn a_life_lies_between_two_check_ups_and_needs_confirmation() {
        // By hand: of 2 Ah 80 % are 1.6 Ah, half way from 1.7 Ah at cycle 21 to 1.5 Ah at cycle 31.
        let course = [(1, 2.0), (11, 1.9), (21, 1.7), (31, 1.5), (41, 1.3)];
        assert_eq!(observed_life(&discharges(&course), 2.0, 0.8), Some(26.0));
        assert_eq!(observed_life(&discharges(&course[..4]), 2.0, 0.8), None);
        assert_eq!(observed_life(&discharges(&[(1, 1.5), (2, 1.4)]), 2.0, 0.8), Some(1.0));
        assert_eq!(observed_life(&[], 2.0, 0.8), None);
    }

    #[test]
    fn each_trait_shortens_the_life_or_brings_the_fate_nearer() {
        let usual = Build::default();
        let life = |build: &Build| {
            let mut course = super::super::ageing::Course::new(&STRESS, true, 1.0);
            course.wear = build.wear();
            course.cycle_of_loss(0.2, 1_000_000)
        };
        let worse = [
            Build { interface: 1.3, ..usual },
            Build { diffusion: 1.3, ..usual },
            Build { side: 1.3, ..usual },
            Build { settling: 0.03, ..usual },
        ];
        assert!(worse.iter().all(|build| life(build) < life(&usual)), "{:?}", worse.map(|b| life(&b)));
        let pressed = Stress { pressure_megapascal: Some(10.0), ..STRESS };
        let fast = Stress { charge_c_rate: 1.0, ..STRESS };
        assert!(worse[0].shorting(&STRESS) > usual.shorting(&STRESS));
        assert!(usual.shorting(&fast) > usual.shorting(&STRESS));
        assert!(usual.shorting(&pressed) < usual.shorting(&STRESS));
        assert!(worse[1].delaminating(&STRESS) > usual.delaminating(&STRESS));
        assert!(usual.delaminating(&pressed) < usual.delaminating(&STRESS));
    }

    #[test]
    fn the_prone_are_a_share_and_mostly_those_with_the_highest_scores() {
        let members: Vec<usize> = (0..200).collect();
        let drawn = prone(0.3, &members, &Seed::new(1), |p| p as f64 / 50.0);
        assert_eq!(drawn.len(), 60);
        let high = drawn.iter().filter(|p| **p >= 140).count();
        // Were it the scores alone there would be 60, were it chance alone 18.
        assert!((40..60).contains(&high), "{high}");
        assert_eq!(drawn, prone(0.3, &members, &Seed::new(1), |p| p as f64 / 50.0));
    }
}
