//! The task: an experiment's data made ready, with its folds and the answer of the leakage check.

use std::path::Path;

use super::config::{ExperimentConfig, Kind, ModelKind, TargetConfig};
use super::error::ExperimentError;
use super::label;
use crate::cell::CellId;
use crate::dataset::leakage::{self, Allowed, Candidate, LeakageReport, Separation};
use crate::dataset::store::Store;
use crate::dataset::{Cell, pairing};
use crate::descriptor;
use crate::descriptor::early::Window;
use crate::physics::Law;
use crate::prepare::{EarlyConfig, Fold, Frame, FrameConfig, Quantity, Row, Tiers};
use crate::seed::Seed;
use crate::simulate::{self, Campaign, FleetConfig, FleetError};

/// Name of the simulated fleet in experiment files.
pub const EMBEDDED: &str = "embedded";

/// Name of the simulated fleet of solid-state cells for early prediction.
pub const EMBEDDED_SOLID_STATE: &str = "embedded-solid-state";

/// Root of the embedded fleets' streams: their cells are the same in every experiment, whatever that one's seed.
const FLEET_SEED: u64 = 2026;

/// Data of an experiment, ready for models.
#[derive(Debug)]
pub struct Task {
    /// Rows of all cells.
    pub frame: Frame,
    /// How they are separated.
    pub folds: Vec<Fold>,
    /// Tiers of each fold, made of its training cells; none but for `tier`.
    pub tiers: Vec<Tiers>,
    /// What the leakage check found.
    pub leakage: LeakageReport,
    /// SHA-256 of the data, for the run's identity.
    pub data_sha256: String,
    /// One line about the data.
    pub summary: String,
}

impl Task {
    /// Loads the data, makes the frame, separates it and checks it for leaks.
    ///
    /// # Errors
    /// [`ExperimentError`] where the data is missing or does not fit the experiment, or an input gives the label away
    /// and the experiment does not allow it.
    pub fn load(config: &ExperimentConfig, root: &Path) -> Result<Self, ExperimentError> {
        Self::of(config, &Cells::load(config, root)?)
    }

    /// Makes the frame of cells that are loaded already, separates it and checks it for leaks.
    ///
    /// # Errors
    /// As [`Task::load`].
    pub fn of(config: &ExperimentConfig, cells: &Cells) -> Result<Self, ExperimentError> {
        let task = Self::unchecked(config, cells)?;
        let leakage = check_leakage(config, &task.frame, &task.folds);
        if !leakage.is_ok() && !config.inputs.allow_leak {
            return Err(ExperimentError::Leak { sentences: sentences(&leakage) });
        }
        Ok(Self { leakage, ..task })
    }

    /// Makes the frame of cells that are loaded already and separates it; for experiments whose inputs were checked for
    /// leaks before.
    ///
    /// # Errors
    /// As [`Task::load`], but for leaks.
    pub fn unchecked(
        config: &ExperimentConfig,
        Cells { cells, data_sha256 }: &Cells,
    ) -> Result<Self, ExperimentError> {
        let mut frame = frame(config, cells)?;
        super::target::apply(config, &mut frame);
        let folds = config.split.folds(&frame)?;
        let tiers = label::tiers(config, &frame, &folds)?;
        let leakage = LeakageReport::default();
        let summary = summarise(config, cells, &frame);
        Ok(Self { frame, folds, tiers, leakage, data_sha256: data_sha256.clone(), summary })
    }

    /// Returns the same data separated otherwise.
    ///
    /// # Errors
    /// [`ExperimentError::Tier`] where a fold's training cells make no tiers.
    pub fn with_folds(self, config: &ExperimentConfig, folds: Vec<Fold>) -> Result<Self, ExperimentError> {
        let tiers = label::tiers(config, &self.frame, &folds)?;
        Ok(Self { folds, tiers, ..self })
    }

    /// Returns the number of tiers, where tiers are asked for.
    pub fn n_classes(&self) -> Option<usize> {
        self.tiers.first().map(Tiers::n)
    }

    /// Returns the unit of what is asked for, `1` for tiers.
    pub fn unit(&self) -> &str {
        if self.tiers.is_empty() { self.frame.unit() } else { "1" }
    }

    /// Returns the tier of a row in the sense of a fold; `None` where a target of it is unknown.
    pub fn class(&self, fold_idx: usize, row: usize) -> Option<usize> {
        label::class(&self.tiers[fold_idx], &self.frame, row)
    }
}

fn frame(config: &ExperimentConfig, cells: &[Cell]) -> Result<Frame, ExperimentError> {
    let (inputs, stress) = (config.inputs.descriptors.as_slice(), stress_names(config));
    let [from, to] = config.inputs.cycles;
    if config.kind.is_early() {
        let log = config.label.log && config.kind == Kind::Life;
        let (window, targets) = (Window { from, to }, config.label.targets(config.kind));
        let early = EarlyConfig { inputs, stress: &stress, window, targets: &targets, log };
        return Ok(Frame::early(cells, &early)?);
    }
    let (reference, given) = (config.reference, config.split.given());
    Ok(Frame::new(cells, &FrameConfig { inputs, stress: &stress, reference, given })?)
}

/// Cells of an experiment, before any descriptor is computed.
#[derive(Debug)]
pub struct Cells {
    cells: Vec<Cell>,
    data_sha256: String,
}

impl Cells {
    /// Loads what the experiment's `dataset` and `cells` name.
    ///
    /// # Errors
    /// [`ExperimentError`] where the dataset or a cell is missing.
    pub fn load(config: &ExperimentConfig, root: &Path) -> Result<Self, ExperimentError> {
        if let Some((campaign, text)) = embedded(&config.dataset)? {
            let cells = select(config, campaign.fleet().cells, |c| &c.id)?;
            return Ok(Self { cells, data_sha256: crate::file::sha256_bytes(text.as_bytes()) });
        }
        let store = Store::new(root);
        let manifest = store.manifest(&config.dataset)?;
        let data_sha256 = manifest.data_sha256();
        let ids = select(config, manifest.cells.into_iter().map(|c| c.id).collect(), |id| id)?;
        Ok(Self { cells: store.load(&config.dataset, Some(&ids))?, data_sha256 })
    }
}

/// Returns the embedded fleet called `name` and the text that its identity is hashed from; `None` for another dataset.
///
/// # Errors
/// Never, as the embedded fleets' settings are in their ranges.
pub fn embedded(name: &str) -> Result<Option<(Campaign, String)>, FleetError> {
    let seed = Seed::new(FLEET_SEED);
    match name {
        EMBEDDED => {
            let config = FleetConfig::default();
            Ok(Some((Campaign::new(&config, None, &seed)?, format!("{config:?} {FLEET_SEED}"))))
        }
        EMBEDDED_SOLID_STATE => {
            let (config, early) = simulate::solid_state();
            let text = format!("{config:?} {early:?} {FLEET_SEED}");
            Ok(Some((Campaign::new(&config, Some(&early), &seed)?, text)))
        }
        _ => Ok(None),
    }
}

/// Keeps what the experiment's `cells` name; each pattern must match something.
fn select<T>(
    config: &ExperimentConfig,
    all: Vec<T>,
    id: impl Fn(&T) -> &CellId,
) -> Result<Vec<T>, ExperimentError> {
    let matches = |pattern: &String, item: &T| descriptor::matches(pattern, id(item).as_str());
    for pattern in &config.cells {
        if !all.iter().any(|item| matches(pattern, item)) {
            let present = all.iter().map(|item| id(item).to_string()).collect::<Vec<_>>().join(", ");
            return Err(ExperimentError::UnknownCell {
                cell: pattern.clone(),
                dataset: config.dataset.clone(),
                present,
            });
        }
    }
    let wanted = |item: &T| config.cells.is_empty() || config.cells.iter().any(|p| matches(p, item));
    Ok(all.into_iter().filter(wanted).collect())
}

/// Returns the stress columns that the laws of the experiment and its comparisons need.
fn stress_names(config: &ExperimentConfig) -> Vec<&'static str> {
    let mut names = vec!["history_discharge_count", "history_cycle_count"];
    let named = |value: &toml::Value| -> Option<Law> { value.clone().try_into().ok() };
    let compared = config.compare.iter().filter_map(|c| c.set.get("model.prior").and_then(named));
    let synthetic = match &config.target {
        TargetConfig::Synthetic { law, .. } => Some(*law),
        TargetConfig::Measured => None,
    };
    for law in compared.chain([config.model.prior]).chain(synthetic) {
        names.extend(law.stress().iter().map(|s| s.name));
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn check_leakage(config: &ExperimentConfig, frame: &Frame, folds: &[Fold]) -> LeakageReport {
    let uses_law = config.model.kind.has_law();
    let law_names: Vec<&str> = config.model.prior.stress().iter().map(|s| s.name).collect();
    let stress = frame.stress.iter().filter(|c| uses_law && law_names.contains(&c.name.as_str()));
    let stress = stress.filter(|c| frame.inputs.iter().all(|i| i.name != c.name));
    let columns = frame.inputs.iter().filter(|_| config.model.kind != ModelKind::Physics).chain(stress);
    let candidates: Vec<Candidate> =
        columns.map(|c| Candidate { name: &c.name, source: c.source, values: &c.values }).collect();
    // Among cells of several sizes the nominal capacity explains most of the capacity, but nothing of the health.
    let one_size = frame.cells.windows(2).all(|c| (c[0].reference_ah - c[1].reference_ah).abs() < 1e-9);
    let is_early = frame.is_one_row_a_cell();
    let label = |r: &Row| if one_size && !is_early { r.truth } else { r.label };
    let labels: Vec<f64> = frame.rows.iter().map(label).collect();
    let rows: Vec<leakage::Row> =
        frame.rows.iter().map(|r| leakage::Row { cell_idx: r.cell_idx, cycle: r.cycle }).collect();
    let cells: Vec<CellId> = frame.cells.iter().map(|c| c.id.clone()).collect();
    let folds: Vec<leakage::Fold> =
        folds.iter().map(|f| leakage::Fold { name: &f.name, train: &f.train, test: &f.test }).collect();
    let in_time = config.split.is_in_time();
    leakage::check(&leakage::Inputs {
        candidates: &candidates,
        labels: &labels,
        unit: match frame.quantity {
            Quantity::Soh => {
                if one_size {
                    "Ah"
                } else {
                    "SoH"
                }
            }
            Quantity::Life => "cycles",
            Quantity::LogLife => "log10 cycles",
        },
        rows: &rows,
        cells: &cells,
        folds: &folds,
        separation: if in_time { Separation::Time } else { Separation::Cells },
        allowed: Allowed { past_labels: config.kind == Kind::Trajectory, record_part: false },
    })
}

fn sentences(report: &LeakageReport) -> String {
    report.refused().map(|leak| format!("\n  {}", leak.sentence)).collect()
}

fn summarise(config: &ExperimentConfig, cells: &[Cell], frame: &Frame) -> String {
    if frame.is_one_row_a_cell() {
        return summarise_early(config, cells, frame);
    }
    let set_aside = frame.rows.iter().filter(|r| r.set_aside.is_some()).count();
    let synthetic =
        if cells.iter().any(|c| c.facts.synthetic) { " · synthetic cells of a simulator" } else { "" };
    let raw = cells.iter().any(|c| !c.is_table() && !pairing::discharges(c).is_empty());
    let what = if raw { "discharges" } else { "rows" };
    let synthetic = match &config.target {
        TargetConfig::Synthetic { law, .. } => {
            format!("{synthetic} · synthetic targets: {law} law plus noise")
        }
        TargetConfig::Measured => synthetic.to_owned(),
    };
    let hint = match (set_aside, config.dataset.as_str()) {
        (0, _) => String::new(),
        (n, EMBEDDED | EMBEDDED_SOLID_STATE) => format!(" · {n} with an unusable charge set aside"),
        (n, name) => format!(" · {n} with an unusable charge set aside (fadecast datasets check {name})"),
    };
    format!("{} {what} of {} cells{hint}{synthetic}", frame.rows.len(), cells.len())
}

fn summarise_early(config: &ExperimentConfig, cells: &[Cell], frame: &Frame) -> String {
    let [from, to] = config.inputs.cycles;
    let usable = (0..frame.rows.len()).filter(|&row| frame.is_usable(row)).count();
    let aside = match (cells.len() - usable, frame.rows.iter().find_map(|r| r.set_aside.as_ref())) {
        (n, Some(why)) if n > 0 => format!(" · {n} set aside ({why})"),
        _ => String::new(),
    };
    let synthetic =
        if cells.iter().any(|c| c.facts.synthetic) { " · synthetic cells of a simulator" } else { "" };
    format!("{usable} cells, {} inputs of cycles {from} to {to}{aside}{synthetic}", frame.inputs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identity of the plain fleet since it is embedded: runs of any time know their data by it.
    const PLAIN: &str = "FleetConfig { n_cells: 30, cycles: 1500, check_ups: 80, chemistries: [Nmc, Lfp, \
        LithiumGarnetNmc], ambient_temperatures_celsius: [], depths_of_discharge: [], c_rates: [], stop_soh: 0.7, \
        knee_share: 0.35, dendrite_share: 0.3, bad_record_share: 0.006, spread: 1.0, noise: 1.0, spectrum_every: 5, \
        titration_every: 20 } 2026";

    #[test]
    fn embedded_fleets_are_known_by_name_and_the_plain_one_keeps_its_identity() {
        let text = |name: &str| embedded(name).unwrap().map(|(_, text)| text);
        assert_eq!(text(EMBEDDED).unwrap(), PLAIN);
        let solid = text(EMBEDDED_SOLID_STATE).unwrap();
        assert!(solid.contains("n_cells: 60") && solid.contains("EarlyTest"), "{solid}");
        assert_eq!(text("nasa-pcoe"), None);
    }
}
