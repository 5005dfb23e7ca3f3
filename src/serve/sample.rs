//! A made-up pipeline behind the server's seam, for tests.

use std::sync::{Arc, Mutex};

use super::hosted::{Offer, Source};
use super::model::{Answers, Card, Column, Model, Values};
use super::refusal::Refusal;
use crate::pipeline::{Pipeline, sample};

/// Answers by the pipeline's plain meaning, and notes how many rows each call had.
pub(super) struct Sample {
    pub(super) card: Card,
    pub(super) pipeline: Pipeline,
    pub(super) calls: Mutex<Vec<usize>>,
    /// Called before each call of the model, so that tests can hold it up.
    pub(super) before: Box<dyn Fn() + Send + Sync>,
}

impl Sample {
    /// Returns the sample pipeline of a kind as run `run` of the model `name`.
    pub(super) fn new(kind: &str, name: &str, run: &str) -> Self {
        Self::held_up(kind, name, run, || ())
    }

    /// Returns one that calls `before` each time before it computes.
    pub(super) fn held_up(
        kind: &str,
        name: &str,
        run: &str,
        before: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (_, pipeline) = sample::all().into_iter().find(|(k, _)| k == kind).expect("a kind of sample");
        let card = Card {
            name: name.into(),
            run: run.into(),
            kind: pipeline.model.clone(),
            inputs: pipeline.inputs.clone(),
            output: pipeline.output.clone(),
            unit: pipeline.output.unit().into(),
            levels: pipeline.interval.as_ref().map_or_else(Vec::new, |interval| interval.levels.clone()),
            interval: pipeline.interval.clone(),
            takes_cells: false,
            metrics: serde_json::Value::Null,
        };
        Self { card, pipeline, calls: Mutex::default(), before: Box::new(before) }
    }

    /// Returns an offer of a model that never changes.
    pub(super) fn offer(self) -> Offer {
        let model: Arc<dyn Model> = Arc::new(self);
        Offer { name: None, source: Source::new(None, move || Ok(Arc::clone(&model))) }
    }
}

impl Model for Sample {
    fn card(&self) -> &Card {
        &self.card
    }

    fn score(&self, rows: &[f64], labels: &mut Vec<f64>) {
        (self.before)();
        let d = self.card.inputs.len();
        self.calls.lock().unwrap().push(rows.len() / d);
        rows.chunks(d).for_each(|row| labels.extend(self.pipeline.reference(row)));
    }

    fn answers(&self, rows: &[f64], labels: &[f64], level: Option<f64>) -> Result<Answers, Refusal> {
        let n_rows = rows.len() / self.card.inputs.len();
        let width = labels.len() / n_rows;
        let half = level.and_then(|level| self.pipeline.interval.as_ref()?.score(level)).unwrap_or(f64::NAN);
        let first = || labels.iter().step_by(width).copied();
        let column = |name: &str, values: Vec<f64>| Column {
            name: name.into(),
            unit: self.card.unit.clone(),
            values: Values::Numbers(values),
        };
        let missing = |row: &[f64]| row.iter().filter(|v| v.is_nan()).map(|_| "missing".to_owned()).collect();
        Ok(Answers {
            columns: vec![
                column("prediction", first().collect()),
                column("lower", first().map(|l| l - half).collect()),
                column("upper", first().map(|l| l + half).collect()),
            ],
            warnings: rows.chunks(self.card.inputs.len()).map(missing).collect(),
        })
    }
}
