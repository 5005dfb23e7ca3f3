//! A seeded ageing simulator: the embedded fleet, so that the first command works on a fresh machine.
//!
//! Every cell is labelled synthetic. Voltages come from an equivalent circuit over published electrode potentials,
//! fade from Xu et al. 2018 with a knee in some cells; solid-state cells grow an interfacial resistance and some die
//! by a dendrite. A cell runs at its own depth and rates; what is recorded are its check-up cycles, full charge and
//! full discharge at those rates, some with an impedance spectrum or a titration.
//!
//! ```
//! use fadecast::{seed::Seed, simulate::{FleetConfig, fleet}};
//!
//! let small = FleetConfig { n_cells: 2, cycles: 20, ..FleetConfig::default() };
//! let fleet = fleet(&small, &Seed::new(0))?;
//! assert!(fleet.cells.iter().all(|cell| cell.facts.synthetic));
//! # Ok::<(), fadecast::simulate::FleetError>(())
//! ```

mod ageing;
mod circuit;
mod cycler;
mod defect;
mod design;
mod early;
mod impedance;
mod life;
mod open_circuit;
mod stored;

use std::collections::BTreeSet;
use std::ops::Range;

use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::ageing::{Course, Dendrite, Knee, Stress};
pub use self::defect::{Defect, DefectKind};
use self::design::{Design, in_turn};
use self::early::Build;
pub use self::early::{EarlyTest, solid_state};
use self::life::Plan;
pub use self::stored::{StoredAs, store};
use crate::cell::{CellId, Chemistry};
use crate::dataset::Cell;
use crate::seed::Seed;

/// Where in the life that a cell would have without it a knee begins [1], and its severity [1]; the simulator's.
const KNEE_LIFE: Range<f64> = 0.35..0.7;
const KNEE_SEVERITY: Range<f64> = 1.0..2.5;
/// Where in the life that a cell would have without it a dendrite kills, and for what share of that time it grows [1].
const DENDRITE_LIFE: Range<f64> = 0.3..0.85;
const DENDRITE_GROWTH: f64 = 0.12;
/// Bound of a search for the cycle at which a cell has lost its share.
const FOREVER: u32 = 1_000_000;

/// What fleet to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetConfig {
    /// Number of cells, 1-100000; default 30.
    pub n_cells: usize,
    /// Longest test [cycles], 1-100000; default 1500.
    pub cycles: u32,
    /// Check-up cycles of a cell that lives as long as its design promises, 1-100000; default 80.
    pub check_ups: u32,
    /// Chemistries, taken in turn; default `nmc`, `lfp`, `lithium_garnet_nmc`.
    pub chemistries: Vec<Chemistry>,
    /// Ambient temperatures [degrees Celsius], 0-80, taken in turn; empty (default): those of the chemistry.
    pub ambient_temperatures_celsius: Vec<f64>,
    /// Depths of discharge [1], 0.2-1, taken in turn; empty (default): those of the chemistry.
    pub depths_of_discharge: Vec<f64>,
    /// Charge and discharge rates [1/h], 0.05-4, taken in turn; empty (default): those of the chemistry.
    pub c_rates: Vec<(f64, f64)>,
    /// SoH at which a test ends [1], 0.3-0.99; default 0.7.
    pub stop_soh: f64,
    /// Share of the cells with liquid electrolyte that have a knee [1], 0-1; default 0.35.
    pub knee_share: f64,
    /// Share of the solid-state cells that a dendrite kills [1], 0-1; default 0.3.
    pub dendrite_share: f64,
    /// Share of bad records [1], 0-0.2; default 0.006. What they are stands in [`Fleet::defects`].
    pub bad_record_share: f64,
    /// Cell-to-cell spread over the usual one [1], 0-5; 0 makes cells under the same conditions equal; default 1.
    pub spread: f64,
    /// Noise of sensors and chamber over the usual one [1], 0-100; 0 also switches their resolution off; default 1.
    pub noise: f64,
    /// Check-ups from one impedance spectrum to the next; 0 for none; default 5.
    pub spectrum_every: u32,
    /// Check-ups from one titration to the next; 0 for none; default 20.
    pub titration_every: u32,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            n_cells: 30,
            cycles: 1500,
            check_ups: 80,
            chemistries: vec![Chemistry::Nmc, Chemistry::Lfp, Chemistry::LithiumGarnetNmc],
            ambient_temperatures_celsius: Vec::new(),
            depths_of_discharge: Vec::new(),
            c_rates: Vec::new(),
            stop_soh: 0.7,
            knee_share: 0.35,
            dendrite_share: 0.3,
            bad_record_share: 0.006,
            spread: 1.0,
            noise: 1.0,
            spectrum_every: 5,
            titration_every: 20,
        }
    }
}

/// Why a fleet cannot be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// Occurs when a number of the configuration is outside its range.
    #[error("`{key}` = {value}, expected {low} to {high}")]
    OutOfRange {
        /// Key of the configuration.
        key: &'static str,
        /// What it was.
        value: f64,
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// Occurs when no chemistry is given, or one that the simulator does not know.
    #[error("`chemistries` must hold one or more of `nmc`, `lfp`, `lithium_garnet_nmc`")]
    Chemistry,
}

/// Simulated cells and what is wrong with their records.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// Cells, named `SIM-NMC-01`, `SIM-LFP-01`, `SIM-SSB-01`, ...
    pub cells: Vec<Cell>,
    /// Bad records, by cell and record.
    pub defects: Vec<Defect>,
}

impl FleetConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FleetError`], the first one found.
    pub fn check(&self) -> Result<(), FleetError> {
        if self.chemistries.is_empty() || self.chemistries.iter().any(|&c| Design::of(c).is_none()) {
            return Err(FleetError::Chemistry);
        }
        let scalars = [
            ("n_cells", self.n_cells as f64, (1.0, 1e5)),
            ("cycles", f64::from(self.cycles), (1.0, 1e5)),
            ("check_ups", f64::from(self.check_ups), (1.0, 1e5)),
            ("stop_soh", self.stop_soh, (0.3, 0.99)),
            ("knee_share", self.knee_share, (0.0, 1.0)),
            ("dendrite_share", self.dendrite_share, (0.0, 1.0)),
            ("bad_record_share", self.bad_record_share, (0.0, 0.2)),
            ("spread", self.spread, (0.0, 5.0)),
            ("noise", self.noise, (0.0, 100.0)),
        ];
        let rates = self.c_rates.iter().flat_map(|&(charge, discharge)| [charge, discharge]);
        let lists = (self.ambient_temperatures_celsius.iter())
            .map(|&t| ("ambient_temperatures_celsius", t, (0.0, 80.0)))
            .chain(self.depths_of_discharge.iter().map(|&d| ("depths_of_discharge", d, (0.2, 1.0))))
            .chain(rates.map(|c| ("c_rates", c, (0.05, 4.0))));
        in_range(scalars.into_iter().chain(lists))
    }

    /// Returns the conditions of the cell `number`, from 0, of a chemistry.
    fn stress(&self, design: &Design, number: usize) -> Stress {
        let own = design.conditions.of(number);
        let temperatures = &self.ambient_temperatures_celsius;
        let turn = number / temperatures.len().max(1);
        let rates = in_turn(&self.c_rates, number + turn);
        let (charge_c_rate, discharge_c_rate) = rates.unwrap_or((own.charge_c_rate, own.discharge_c_rate));
        Stress {
            temperature_celsius: in_turn(temperatures, number).unwrap_or(own.temperature_celsius),
            depth: in_turn(&self.depths_of_discharge, turn).unwrap_or(own.depth),
            charge_c_rate,
            discharge_c_rate,
            ..own
        }
    }
}

/// A fleet to be: the plan of every cell, each simulated when it is asked for.
#[derive(Debug)]
pub struct Campaign {
    config: FleetConfig,
    early: Option<EarlyTest>,
    plans: Vec<Plan>,
    seed: Seed,
}

impl Campaign {
    /// Plans a fleet; `early` records and varies the first cycles for early prediction.
    ///
    /// # Errors
    /// What [`FleetConfig::check`] and [`EarlyTest::check`] find.
    pub fn new(config: &FleetConfig, early: Option<&EarlyTest>, seed: &Seed) -> Result<Self, FleetError> {
        config.check()?;
        early.map_or(Ok(()), EarlyTest::check)?;
        let plans = plans(config, early, seed)?;
        Ok(Self { config: config.clone(), early: early.cloned(), plans, seed: seed.clone() })
    }

    /// Returns the names of the cells, in the order of their positions.
    pub fn ids(&self) -> impl Iterator<Item = &CellId> {
        self.plans.iter().map(|plan| &plan.id)
    }

    /// Simulates the cell at a position of the fleet, from 0; `None` past the last one.
    pub fn cell(&self, position: usize) -> Option<(Cell, Vec<Defect>)> {
        let seed = self.seed.child(format!("cell/{position}"));
        let early = self.early.as_ref();
        self.plans.get(position).map(|plan| life::live(plan, &self.config, early, &seed))
    }

    /// Simulates all cells; equal configuration and seed give equal bytes, whatever the number of threads.
    pub fn fleet(&self) -> Fleet {
        let positions = (0..self.plans.len()).into_par_iter();
        let lives: Vec<_> = positions.filter_map(|position| self.cell(position)).collect();
        let (cells, defects): (Vec<_>, Vec<_>) = lives.into_iter().unzip();
        Fleet { cells, defects: defects.concat() }
    }
}

/// Simulates a fleet; equal configuration and seed give equal bytes, whatever the number of threads.
///
/// # Errors
/// What [`FleetConfig::check`] finds.
pub fn fleet(config: &FleetConfig, seed: &Seed) -> Result<Fleet, FleetError> {
    Ok(Campaign::new(config, None, seed)?.fleet())
}

fn plans(config: &FleetConfig, early: Option<&EarlyTest>, seed: &Seed) -> Result<Vec<Plan>, FleetError> {
    let mut plans =
        (0..config.n_cells).map(|p| plan(config, early, seed, p)).collect::<Result<Vec<_>, FleetError>>()?;
    let (solid, liquid): (Vec<_>, Vec<_>) = (0..plans.len()).partition(|&p| plans[p].course.solid);
    let (knees, shorts) = (seed.child("knee"), seed.child("dendrite"));
    let mut bent = chosen(config.knee_share, liquid, &knees);
    let shorted = if early.is_some() {
        let score = |p: usize| plans[p].build.delaminating(&plans[p].stress);
        bent.extend(early::prone(config.knee_share, &solid, &knees, score));
        let score = |p: usize| plans[p].build.shorting(&plans[p].stress);
        early::prone(config.dendrite_share, &solid, &shorts, score)
    } else {
        chosen(config.dendrite_share, solid, &shorts)
    };
    for p in bent {
        let mut rng = seed.stream(format!("cell/{p}/knee"));
        let course = &mut plans[p].course;
        let life = f64::from(course.cycle_of_loss(1.0 - config.stop_soh, FOREVER));
        let onset = life * rng.random_range(KNEE_LIFE);
        course.knee = Some(Knee { onset, severity: rng.random_range(KNEE_SEVERITY) });
    }
    for p in shorted {
        let mut rng = seed.stream(format!("cell/{p}/dendrite"));
        let course = &mut plans[p].course;
        let life = f64::from(course.cycle_of_loss(1.0 - config.stop_soh, config.cycles));
        let dead = life * rng.random_range(DENDRITE_LIFE);
        course.dendrite = Some(Dendrite { appears: dead * (1.0 - DENDRITE_GROWTH), dead });
    }
    Ok(plans)
}

fn plan(
    config: &FleetConfig,
    early: Option<&EarlyTest>,
    seed: &Seed,
    position: usize,
) -> Result<Plan, FleetError> {
    let chemistry = in_turn(&config.chemistries, position).ok_or(FleetError::Chemistry)?;
    let design = Design::of(chemistry).ok_or(FleetError::Chemistry)?;
    let number = position / config.chemistries.len();
    let stress = config.stress(design, number);
    let (capacity, resistance, rate) =
        life::own(config.spread, &mut seed.stream(format!("cell/{position}/own")));
    let faster = early.map_or(1.0, |e| e.acceleration);
    let mut course = Course::new(&stress, design.solid, design.acceleration * rate * faster);
    let mut build = Build::default();
    if let Some(early) = early.filter(|_| design.solid) {
        build = Build::drawn(early.build_spread, &mut seed.stream(format!("cell/{position}/build")));
        course.wear = build.wear();
    }
    Ok(Plan {
        id: CellId::new(format!("SIM-{}-{:02}", design.name, number + 1)),
        chemistry,
        design,
        stress,
        course,
        position,
        own: (capacity, resistance),
        build,
    })
}

/// Refuses the first value that is outside its range.
fn in_range(values: impl IntoIterator<Item = (&'static str, f64, (f64, f64))>) -> Result<(), FleetError> {
    values.into_iter().try_for_each(|(key, value, (low, high))| {
        let inside = (low..=high).contains(&value);
        if inside { Ok(()) } else { Err(FleetError::OutOfRange { key, value, low, high }) }
    })
}

/// Draws the rounded `share` of the `members`.
fn chosen(share: f64, mut members: Vec<usize>, seed: &Seed) -> BTreeSet<usize> {
    let mut rng = seed.stream("chosen");
    let count = (share * members.len() as f64).round() as usize;
    (0..count).map(|_| members.swap_remove(rng.random_range(0..members.len()))).collect()
}

#[cfg(test)]
mod tests;
