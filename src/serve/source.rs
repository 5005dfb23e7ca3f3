//! Runs of the registry as models that are served.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::hosted::{LoadError, Offer, Source};
use super::model::{Answers, Card, Column, Model, OfCell, Values};
use super::refusal::Refusal;
use crate::dataset::Cell;
use crate::experiment::folder::{METRICS, STATE};
use crate::experiment::promotion::PROMOTED;
use crate::pipeline::Output;
use crate::pipeline::manifest::RowsOf;
use crate::predict::{self, PredictError, Predictor, Settings};
use crate::{file, registry};

/// Returns what is served for a run of the command line: `RUN` or `NAME=RUN`, below the working directory `root`.
///
/// A run that is named by its experiment is exchanged when another one is promoted.
pub fn offer(root: &Path, run: &str) -> Offer {
    let (name, run) = match run.split_once('=') {
        Some((name, run)) => (Some(name.to_owned()), below_models(root, run)),
        None => (None, below_models(root, run)),
    };
    let experiment = experiment(root, &run);
    let named = experiment.as_ref().and_then(|folder| Some(folder.file_name()?.to_str()?.to_owned()));
    let watched = experiment.map(|folder| folder.join(PROMOTED));
    let root = root.to_owned();
    Offer { name: name.or(named), source: Source::new(watched, move || load(&root, &run)) }
}

/// Returns a run as the registry knows it: `NAME/latest` for short is `models/NAME/latest`.
fn below_models(root: &Path, run: &str) -> PathBuf {
    let path = PathBuf::from(run);
    let short = Path::new("models").join(run);
    let is_there = |path: &Path| path.parent().is_some_and(|experiment| root.join(experiment).is_dir());
    let is_short = path.is_relative() && path.components().count() == 2 && !is_there(&path);
    if is_short && is_there(&short) { short } else { path }
}

/// Returns the folder of the experiment whose promoted run is meant; `None` where one run is.
fn experiment(root: &Path, run: &Path) -> Option<PathBuf> {
    let path = if run.is_dir() || run.is_absolute() { run.to_owned() } else { root.join(run) };
    if path.join(STATE).is_file() {
        return None;
    }
    match path.file_name()?.to_str()? {
        "latest" => None,
        "promoted" => path.parent().map(Path::to_owned),
        _ if matches!(run.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) => {
            Some(root.join("models").join(run))
        }
        _ => Some(path),
    }
}

fn load(root: &Path, run: &Path) -> Result<Arc<dyn Model>, LoadError> {
    let loaded = registry::load(root, run)?;
    let metrics = file::read_json(&loaded.path.join(METRICS))?;
    let (pipeline, rows) = (loaded.pipeline, loaded.manifest.rows);
    let card = Card {
        name: pipeline.name.clone(),
        run: pipeline.run.clone(),
        kind: pipeline.model.clone(),
        inputs: pipeline.inputs.clone(),
        output: pipeline.output.clone(),
        unit: pipeline.output.unit().into(),
        levels: pipeline.interval.as_ref().map_or_else(Vec::new, |interval| interval.levels.clone()),
        interval: pipeline.interval.clone(),
        takes_cells: !matches!(rows, RowsOf::Table),
        metrics,
    };
    Ok(Arc::new(Served { card, predictor: Predictor::of(pipeline, rows)? }))
}

/// A run of the registry.
struct Served {
    card: Card,
    predictor: Predictor,
}

impl Model for Served {
    fn card(&self) -> &Card {
        &self.card
    }

    fn score(&self, rows: &[f64], labels: &mut Vec<f64>) {
        labels.append(&mut self.predictor.score(rows));
    }

    fn answers(&self, rows: &[f64], labels: &[f64], level: Option<f64>) -> Result<Answers, Refusal> {
        let answers =
            self.predictor.answers(rows, labels, None, &settings(level)).map_err(|e| refused(&e))?;
        let mut answers = told(answers);
        if matches!(self.predictor.rows(), RowsOf::Discharges { anchor: 1.., .. }) {
            // A forecast was judged less its error on the cell's given discharges, which rows do not have.
            answers.warnings.iter_mut().for_each(|of_row| of_row.push("not anchored".into()));
        }
        Ok(answers)
    }

    fn cells(&self, cells: &[Cell], level: Option<f64>) -> Result<Vec<OfCell>, Refusal> {
        let one = |cell: &Cell| {
            let answers = self.predictor.of_cells(std::slice::from_ref(cell), &settings(level));
            answers.map(|answers| self.of_cell(cell, answers)).map_err(|e| refused(&e))
        };
        cells.iter().map(one).collect()
    }
}

impl Served {
    fn of_cell(&self, cell: &Cell, answers: predict::Answers) -> OfCell {
        let keys = &answers.keys;
        let cycle = |v: &f64| (*v >= 0.0 && *v <= f64::from(u32::MAX)).then_some(*v as u32);
        let cycles = keys.number("cycle_count").map(|c| c.iter().map(cycle).collect());
        let reference_ah = reference_ah(&answers);
        let measured = match self.card.output {
            Output::Soh { .. } => keys
                .number("measured_discharging_capacity_ah")
                .map(|measured| measured.iter().map(|ah| ah / reference_ah.unwrap_or(f64::NAN)).collect()),
            Output::Life { .. } => keys.number("measured_cycle_life").map(<[f64]>::to_vec),
            Output::Tier { .. } => None,
        };
        let facts = &cell.facts;
        let life_ah = facts.eol_soh.zip(facts.nominal_capacity_ah).map(|(soh, nominal)| soh * nominal);
        let life_ah = life_ah.filter(|_| matches!(self.card.output, Output::Soh { .. }));
        let is_known = self.predictor.pipeline().parts.iter().any(|part| part.fold == cell.id.as_str());
        let known = is_known.then(|| {
            format!(
                "cell `{}` has the name of one that was trained on: how well it is met is no test",
                cell.id
            )
        });
        let skipped = answers.skipped.iter().map(|(cell, why)| format!("cell `{cell}` is skipped: {why}"));
        OfCell {
            cell: Some(cell.id.to_string()),
            synthetic: cell.facts.synthetic,
            reference_ah,
            end_of_life: life_ah.zip(reference_ah).map(|(life, reference)| life / reference),
            cycles: cycles.unwrap_or_else(|| vec![None; answers.n_rows]),
            measured: measured.unwrap_or_else(|| vec![f64::NAN; answers.n_rows]),
            warnings: known.into_iter().chain(answers.remarks.iter().cloned()).chain(skipped).collect(),
            answers: told(answers),
        }
    }
}

/// Returns the capacity that counts as SoH 1 [Ah]: what the answered capacities are to the answers.
fn reference_ah(answers: &predict::Answers) -> Option<f64> {
    let numbers = |name: &str| match &answers.column(name)?.values {
        predict::Values::Numbers(numbers) => Some(numbers),
        _ => None,
    };
    let pairs = numbers("discharging_capacity_ah")?.iter().zip(numbers("soh")?);
    pairs.map(|(ah, soh)| ah / soh).find(|reference| reference.is_finite())
}

fn settings(level: Option<f64>) -> Settings {
    level.map_or_else(Settings::default, |level| Settings { level, ..Settings::default() })
}

fn refused(error: &PredictError) -> Refusal {
    Refusal::new(422, "no_answer", error.to_string())
}

fn told(answers: predict::Answers) -> Answers {
    let warnings = (0..answers.n_rows).map(|row| answers.warnings.of(row)).collect();
    let column = |column: predict::Column| Column {
        name: column.name,
        unit: column.unit.into(),
        values: match column.values {
            predict::Values::Numbers(numbers) => Values::Numbers(numbers),
            names => Values::Texts((0..answers.n_rows).map(|row| names.text(row)).collect()),
        },
    };
    Answers { columns: answers.columns.into_iter().map(column).collect(), warnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotions_are_watched_for_where_no_run_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        file::create_folder(&root.join("models/life/run-1")).unwrap();
        file::write_atomic(&root.join("models/life/run-1").join(STATE), b"{}").unwrap();
        let life = Some(root.join("models/life"));
        let cases = [
            ("life", life.clone()),
            ("models/life", life.clone()),
            ("models/life/promoted", life),
            ("models/life/latest", None),
            ("models/life/run-1", None),
        ];
        for (run, expected) in cases {
            assert_eq!(experiment(root, Path::new(run)), expected, "{run}");
        }
        for (run, expected) in [
            ("life/latest", "models/life/latest"),
            ("life/run-1", "models/life/run-1"),
            ("models/life", "models/life"),
            ("life", "life"),
            ("death/latest", "death/latest"),
            ("../models/life", "../models/life"),
        ] {
            assert_eq!(below_models(root, run), Path::new(expected), "{run}");
        }
        let name = |run: &str| offer(root, run).name;
        assert_eq!(name("life").as_deref(), Some("life"));
        assert_eq!(name("models/life/promoted").as_deref(), Some("life"));
        assert_eq!(name("old=models/life/run-1").as_deref(), Some("old"));
        assert_eq!(name("models/life/run-1"), None, "its card has the name");
    }
}
