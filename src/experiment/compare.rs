//! Comparisons: several models on the same folds, one table.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::config::{ExperimentConfig, Kind, ModelKind};
use super::error::ExperimentError;
use super::fitted::{FitContext, Fitted};
use super::parse;
use super::run::{self, Outcome};
use super::score::{self, Metrics};
use super::start::Start;
use super::task::Task;
use crate::device::Backend;
use crate::train::{Interrupt, Observe};

/// All models of one experiment on the same folds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the experiment.
    pub task: String,
    /// Kind of the question.
    pub kind: Kind,
    /// Unit of the label and of its errors.
    pub unit: String,
    /// One line about the data.
    pub data: String,
    /// What the leakage check says of the experiment's own inputs.
    pub leakage: String,
    /// Whether a simulator made the cells.
    pub synthetic: bool,
    /// Whether the configuration was chosen on the reported figure.
    pub tuned_on_test: bool,
    /// Models in the order of the file, the experiment's own first.
    pub models: Vec<Compared>,
    /// Metrics of the baselines.
    pub baselines: BTreeMap<String, Metrics>,
    /// Published or measured figures that the experiment names.
    pub references: BTreeMap<String, f64>,
    /// Remarks of the experiment.
    pub notes: Vec<String>,
    /// Predictions for the figure, by fold.
    #[serde(skip)]
    pub courses: Vec<Course>,
}

/// One model of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Name in the table.
    pub name: String,
    /// Kind of the model.
    pub kind: ModelKind,
    /// Metrics on rows it never saw.
    pub metrics: Metrics,
    /// Laws' parameters by fold, with standard errors where the data gives them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Vec<(String, f64, Option<f64>)>>,
    /// Wall time [s].
    pub seconds: f64,
}

/// Measured and predicted capacities of one fold, for the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Name of the fold.
    pub fold: String,
    /// Measured capacity `(cycle, Ah)` of all its rows.
    pub measured: Vec<(f64, f64)>,
    /// Predicted capacity by model, in the order of the table.
    pub predicted: Vec<(String, Vec<(f64, f64)>)>,
}

/// Where and on what a comparison is made.
#[derive(Debug, Clone, Copy)]
pub struct CompareContext<'a> {
    /// Working directory with `datasets/`.
    pub root: &'a Path,
    /// Backend of the networks.
    pub backend: Backend,
    /// Flag that asks for a pause.
    pub interrupt: &'a Interrupt,
}

/// Fits and scores the experiment's model and each of its `compare` entries.
///
/// # Errors
/// Every [`ExperimentError`].
pub fn compare(
    name: &str,
    config: &ExperimentConfig,
    context: CompareContext,
    observe: &mut dyn FnMut(&str, &ExperimentConfig) -> Box<dyn Observe>,
) -> Result<Comparison, ExperimentError> {
    let CompareContext { root, backend, interrupt } = context;
    let task = Task::load(config, root)?;
    let mut comparison = begin(name, config, &task);
    for (label, config) in entries(name, config)? {
        let own = Task::load(&config, root)?;
        let clock = std::time::Instant::now();
        let start = Start::load(&config, &own, root)?;
        let mut observer = observe(&label, &config);
        let context = FitContext {
            backend,
            checkpoint: None,
            interrupt,
            until: None,
            judge: false,
            start: start.as_ref(),
            observe: observer.as_mut(),
        };
        let fitted = Fitted::fit(&config, &own, context)?;
        if fitted.is_paused() {
            return Err(ExperimentError::Stopped);
        }
        let predicted = fitted.predict(&config, &own, backend)?;
        let Outcome { metrics, .. } = run::outcome(name, &config, &own, &fitted, &predicted);
        comparison.add_courses(&label, &own, &predicted);
        let parameters = parameters(&config, &fitted);
        let seconds = clock.elapsed().as_secs_f64();
        comparison.models.push(Compared {
            name: label,
            kind: config.model.kind,
            metrics,
            parameters,
            seconds,
        });
    }
    Ok(comparison)
}

fn begin(name: &str, config: &ExperimentConfig, task: &Task) -> Comparison {
    Comparison {
        task: name.into(),
        kind: config.kind,
        unit: task.unit().into(),
        data: task.summary.clone(),
        leakage: task.leakage.to_string(),
        synthetic: task.frame.cells.iter().any(|c| c.synthetic),
        tuned_on_test: config.tuned_on_test,
        models: Vec::new(),
        baselines: score::baselines(config, task),
        references: config.references.clone(),
        notes: config.notes.clone(),
        courses: if config.kind.is_early() {
            Vec::new()
        } else {
            task.folds.iter().map(|fold| course(task, fold)).collect()
        },
    }
}

/// Returns the experiment itself and its `compare` entries, each resolved.
fn entries(
    name: &str,
    config: &ExperimentConfig,
) -> Result<Vec<(String, ExperimentConfig)>, ExperimentError> {
    let plain = ExperimentConfig { compare: Vec::new(), ..config.clone() };
    let mut entries = vec![(config.model.kind.name().to_owned(), plain.clone())];
    for entry in &config.compare {
        let source = format!("{name}: compare `{}`", entry.name);
        entries.push((entry.name.clone(), parse::with(&plain, &entry.set, &source)?));
    }
    Ok(entries)
}

fn parameters(
    config: &ExperimentConfig,
    fitted: &Fitted,
) -> BTreeMap<String, Vec<(String, f64, Option<f64>)>> {
    let names = config.model.prior.parameters().iter().map(|p| p.name.to_owned());
    let of = |law: &super::fold::FittedLaw| {
        let values = law.theta.iter().zip(&law.standard_errors);
        names.clone().zip(values).map(|(name, (v, se))| (name, *v, *se)).collect()
    };
    let laws = fitted.folds.iter().filter_map(|f| Some((f.name.clone(), of(f.law.as_ref()?))));
    laws.collect()
}

impl Comparison {
    fn add_courses(&mut self, name: &str, task: &Task, predicted: &[Vec<Vec<f64>>]) {
        for ((course, fold), repetitions) in self.courses.iter_mut().zip(&task.folds).zip(predicted) {
            let point = |(idx, &row): (usize, &usize)| {
                let at = &task.frame.rows[row];
                let sum: f64 = repetitions.iter().map(|label| label[fold.given.len() + idx]).sum();
                (f64::from(at.cycle), task.frame.physical(row, sum / repetitions.len() as f64))
            };
            course.predicted.push((name.to_owned(), fold.test.iter().enumerate().map(point).collect()));
        }
    }
}

fn course(task: &Task, fold: &crate::prepare::Fold) -> Course {
    let rows = fold.given.iter().chain(&fold.test).map(|&row| &task.frame.rows[row]);
    let known = rows.filter(|r| r.truth.is_finite());
    Course {
        fold: fold.name.clone(),
        measured: known.map(|r| (f64::from(r.cycle), r.truth)).collect(),
        predicted: Vec::new(),
    }
}
