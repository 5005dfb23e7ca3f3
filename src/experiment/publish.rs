//! Publishing: what a finished run is served as, with the hash of every file that it is made of, written last of all.
//!
//! A run whose answers would not be what was judged is published with the reason why it cannot be served:
//!
//! | what | served |
//! |---|---|
//! | inputs that folds select for themselves | yes: each part asks for its own |
//! | tiers whose cuts follow from each fold's own training cells | yes: the names are the same, the model card says so |
//! | networks that diverged | the others, where there are any |
//! | a split in time | no: each fold learnt from the begin of the cell that it was judged on |
//! | parameters of a law that were adapted to the given discharges of an unseen cell | no: they are that cell's own |
//! | forecasts less their median error on given discharges | no: a row does not tell it |
//! | synthetic targets | no: the labels are a law's, of no measured cell |
//! | stress of a law that differs from an input of its name, or that no training row has | no: the law saw something else |

use std::collections::{BTreeMap, BTreeSet};

use super::artifact;
use super::card;
use super::config::{ExperimentConfig, Kind, ModelKind, TargetConfig};
use super::error::ExperimentError;
use super::fitted::Fitted;
use super::folder::{EXPERIMENT, METRICS, MODEL_CARD, RunFolder, RunState};
use super::run::Outcome;
use super::task::Task;
use crate::dataset::leakage::Source;
use crate::descriptor::early::Window;
use crate::descriptor::{self, early};
use crate::file;
use crate::physics::StressInput;
use crate::pipeline::manifest::{MANIFEST, Manifest, RowsOf, SCHEMA};
use crate::pipeline::{Input, Output};
use crate::prepare::given_doc;
use crate::prepare::{Column, Fold, Frame, Reference, SplitConfig, Tiers};
use crate::uq::conformal::Conformal;

/// A finished run, but for its manifest.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// Its folder, where everything else is stored.
    pub folder: &'a RunFolder,
    /// What it is.
    pub state: &'a RunState,
    /// Its experiment.
    pub config: &'a ExperimentConfig,
    /// Its data.
    pub task: &'a Task,
    /// Its model.
    pub fitted: &'a Fitted,
    /// What the model says of given and test rows, as [`Fitted::predict`] returns it.
    pub predicted: &'a [Vec<Vec<f64>>],
    /// What is reported of it.
    pub outcome: &'a Outcome,
}

impl Finished<'_> {
    /// Writes the model card, then the manifest with the hashes of all files.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn publish(&self) -> Result<Manifest, ExperimentError> {
        let mut manifest = self.manifest();
        let card = card::text(&manifest, self);
        file::write_atomic(&self.folder.file(MODEL_CARD), card.as_bytes())?;
        let own = [EXPERIMENT, METRICS, MODEL_CARD].map(String::from);
        for name in own.into_iter().chain(artifact::files(self.fitted)) {
            let sha256 = file::sha256(&self.folder.file(&name))?;
            manifest.files.insert(name, sha256);
        }
        file::write_json(&self.folder.file(MANIFEST), &manifest)?;
        Ok(manifest)
    }

    /// Returns the manifest without the hashes.
    fn manifest(&self) -> Manifest {
        let Self { state, config, .. } = self;
        let run = self.folder.path().file_name().unwrap_or_default();
        Manifest {
            schema: SCHEMA,
            fadecast: state.fadecast.clone(),
            experiment: state.experiment.clone(),
            run: run.to_string_lossy().into_owned(),
            kind: config.kind.name().into(),
            model: config.model.kind.name().into(),
            created: state.created.clone(),
            dataset: config.dataset.clone(),
            data_sha256: state.data_sha256.clone(),
            refused: self.refused(),
            inputs: self.inputs(),
            output: self.output(),
            interval: Conformal::fit(&self.scores()),
            rows: self.rows(),
            files: BTreeMap::new(),
        }
    }

    /// Returns the columns of the frame that each fold's model sees; a law sees none.
    fn columns<'a>(&self, fold: &'a super::fold::FittedFold) -> &'a [usize] {
        if self.config.model.kind == ModelKind::Physics { &[] } else { &fold.columns }
    }

    fn law_stress(&self) -> &'static [StressInput] {
        let model = &self.config.model;
        if model.kind.has_law() { model.prior.stress() } else { &[] }
    }

    /// Returns what a row must hold: inputs in the order of the frame, then stress that is no input.
    fn inputs(&self) -> Vec<Input> {
        let frame = &self.task.frame;
        let kept: BTreeSet<usize> =
            self.fitted.folds.iter().flat_map(|fold| self.columns(fold)).copied().collect();
        let keeps = |c: usize| move |idx: &usize| self.columns(&self.fitted.folds[*idx]).contains(&c);
        let all = 0..self.task.folds.len();
        let one = |&c: &usize| {
            let folds = all.clone().filter(keeps(c)).map(|idx| &self.task.folds[idx]);
            self.input(&frame.inputs[c], folds)
        };
        let mut inputs: Vec<Input> = kept.iter().map(one).collect();
        for stress in self.law_stress() {
            if inputs.iter().all(|input| input.name != stress.name) {
                let none = || absent(*stress, frame.rows.len());
                let column = stress_column(frame, stress.name).cloned().unwrap_or_else(none);
                inputs.push(self.input(&column, self.task.folds.iter()));
            }
        }
        inputs
    }

    fn input<'a>(&self, column: &Column, folds: impl Iterator<Item = &'a Fold>) -> Input {
        let values = folds.flat_map(|fold| &fold.train).map(|&row| column.values[row]);
        let bounds = values.filter(|v| v.is_finite()).fold(None, |bounds: Option<[f64; 2]>, v| {
            let [low, high] = bounds.unwrap_or([v, v]);
            Some([low.min(v), high.max(v)])
        });
        let is_it = |name: &Option<String>| name.as_ref() == Some(&column.name);
        Input {
            name: column.name.clone(),
            unit: column.unit.clone(),
            doc: doc(&column.name),
            source: column.source,
            range: bounds.unwrap_or([0.0, 0.0]),
            leaks: self.task.leakage.refused().any(|leak| is_it(&leak.input)),
        }
    }

    fn output(&self) -> Output {
        match self.config.kind {
            Kind::Capacity | Kind::Trajectory => Output::Soh { reference_ah: self.reference_ah() },
            Kind::Life => Output::Life { log: self.config.label.log },
            Kind::Tier => Output::Tier { names: self.task.tiers.first().map_or_else(Vec::new, Tiers::names) },
        }
    }

    /// Returns the capacity that counts as SoH 1 [Ah], where it is the same of every cell.
    fn reference_ah(&self) -> Option<f64> {
        let cells = &self.task.frame.cells;
        let first = cells.first()?.reference_ah;
        let same = cells.iter().all(|cell| (cell.reference_ah - first).abs() < 1e-9);
        (same && self.config.reference == Reference::Nominal).then_some(first)
    }

    fn rows(&self) -> RowsOf {
        let [from, to] = self.config.inputs.cycles;
        // Ready-made rows alone have this source.
        let is_table = self.task.frame.inputs.iter().any(|column| column.source == Source::SameCycle);
        if self.config.kind.is_early() {
            RowsOf::Cells { window: Window { from, to } }
        } else if is_table {
            RowsOf::Table
        } else {
            let (reference, given) = (self.config.reference, self.config.split.given());
            RowsOf::Discharges {
                reference,
                given,
                anchor: if given > 0 { self.config.model.anchor } else { 0 },
            }
        }
    }

    /// Returns the errors of the mean over all parts that did not see a row, a list a cell.
    fn scores(&self) -> Vec<Vec<f64>> {
        let frame = &self.task.frame;
        let width = self.task.n_classes().unwrap_or(1);
        let mut said: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (fold, (split, repetitions)) in self.task.folds.iter().zip(self.predicted).enumerate() {
            for (idx, &row) in split.test.iter().enumerate().filter(|(_, row)| frame.is_usable(**row)) {
                // Of tiers counts what is said of the one that is true in the sense of the fold.
                let Some(class) = self.task.n_classes().map_or(Some(0), |_| self.task.class(fold, row))
                else {
                    continue;
                };
                let at = (split.given.len() + idx) * width + class;
                let finite = repetitions.iter().map(|labels| labels[at]).filter(|v| v.is_finite());
                said.entry(row).or_default().extend(finite);
            }
        }
        let mut cells = vec![Vec::new(); frame.cells.len()];
        for (row, said) in said.into_iter().filter(|(_, said)| !said.is_empty()) {
            let mean = said.iter().sum::<f64>() / said.len() as f64;
            let truth = if self.task.tiers.is_empty() { frame.rows[row].label } else { 1.0 };
            cells[frame.rows[row].cell_idx].push((mean - truth).abs());
        }
        cells
    }

    /// Says why the run cannot be served, where it cannot.
    fn refused(&self) -> Option<String> {
        let Self { config, task, .. } = self;
        let (model, per_cell) = (&config.model, &config.physics.per_cell);
        let has_given = task.folds.iter().any(|fold| !fold.given.is_empty());
        if matches!(config.split, SplitConfig::Time { .. }) {
            return Some(
                "each fold learnt from the begin of the very cell that it was judged on (split.kind = \"time\"), which no \
                 new cell has; train with split.kind = \"leave_one_cell_out\" and `given`"
                    .into(),
            );
        }
        if model.kind.has_law() && has_given && !per_cell.is_empty() {
            return Some(format!(
                "the law's {} were adapted to the given discharges of the cell that each fold left out, whose own they \
                 are; train with physics.per_cell = []",
                per_cell.join(", ")
            ));
        }
        if has_given && model.anchor > 0 {
            return Some(format!(
                "forecasts were judged less their median error on {} given discharges of the cell, which a row does not \
                 tell; train with model.anchor = 0",
                model.anchor
            ));
        }
        if let TargetConfig::Synthetic { law, .. } = &config.target {
            return Some(format!(
                "its labels are synthetic, those of the law `{law}`: it says nothing of a measured cell"
            ));
        }
        if let Some(name) = self.two_meanings() {
            return Some(format!(
                "`{name}` is an input and the law's stress, with different values in one row"
            ));
        }
        if let Some(stress) = self.law_stress().iter().find(|stress| !self.is_measured(stress)) {
            return Some(format!("its law was fitted without `{}`, which no training row has", stress.name));
        }
        let all_diverged = |fold: &super::fold::FittedFold| fold.members.iter().all(|m| !m.is_finite());
        let is_lost = model.kind.has_networks() && self.fitted.folds.iter().all(all_diverged);
        is_lost.then(|| "every network diverged".into())
    }

    /// Returns whether some training row has a value of a stress.
    fn is_measured(&self, stress: &StressInput) -> bool {
        let mut rows = self.task.folds.iter().flat_map(|fold| &fold.train);
        stress_column(&self.task.frame, stress.name)
            .is_some_and(|c| rows.any(|&row| c.values[row].is_finite()))
    }

    /// Returns an input of the name of a stress column that has other values.
    fn two_meanings(&self) -> Option<&str> {
        let same = |a: &f64, b: &f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let differs = |input: &&Column| {
            let stress = stress_column(&self.task.frame, &input.name);
            stress.is_some_and(|s| !s.values.iter().zip(&input.values).all(|(a, b)| same(a, b)))
        };
        if self.config.model.kind == ModelKind::Physics {
            return None;
        }
        let names: BTreeSet<&str> = self.law_stress().iter().map(|stress| stress.name).collect();
        let inputs = self.task.frame.inputs.iter().filter(|column| names.contains(column.name.as_str()));
        inputs.into_iter().find(differs).map(|column| column.name.as_str())
    }
}

/// Returns the sentence of the catalogue; nothing for an input of a table or a number that the source states.
fn doc(name: &str) -> String {
    let plain = || descriptor::find(name).map(|d| d.doc);
    let whole = || early::find(name).map(|d| d.doc);
    plain().or_else(whole).or_else(|| given_doc(name)).unwrap_or_default().into()
}

fn stress_column<'a>(frame: &'a Frame, name: &str) -> Option<&'a Column> {
    frame.stress.iter().find(|column| column.name == name)
}

/// Returns the column of stress that the data does not have.
fn absent(stress: StressInput, n_rows: usize) -> Column {
    let (name, unit) = (stress.name.into(), stress.unit.into());
    Column { name, unit, source: Source::PastRecord, values: vec![f64::NAN; n_rows] }
}
