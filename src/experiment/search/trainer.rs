//! Trainer: evaluates trials by training their experiments on the inner folds of a search.
//!
//! A trial's members (inner folds, executions, ensemble seeds) are one population; so are the trials of one call, whose
//! shapes agree. What it leaves in a trial's folder: `checkpoint.safetensors`, from which an interrupted trial goes on
//! and a promoted one begins, and of a finished trial `model.json` and `weights.safetensors`, as a run has them, with
//! `checkpoint.weights.h5` where Keras can load the network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::settings::Settings;
use super::{binding, metric};
use crate::device::Backend;
use crate::experiment::config::ExperimentConfig;
use crate::experiment::error::ExperimentError;
use crate::experiment::fitted::{FitContext, Fitted};
use crate::experiment::population::{self, Job as Together};
use crate::experiment::task::{Cells, Task};
use crate::experiment::{artifact, latency, score};
use crate::file::{self, FileError};
use crate::prepare::{Part, nested};
use crate::train::{CheckpointError, EpochReport, FitError, Interrupt, Observe, StopReason};
use crate::tuner::config::EpochChoice;
use crate::tuner::evaluate::EvaluateError;
use crate::tuner::{Evaluate, Evaluation, Job, Measurement, Outcome, Pulse, Trial};

/// Time between two checkpoints of a trial: at most so much work is done again after a kill.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(200);

/// Frames with different inputs that are kept in memory.
const MOST_TASKS: usize = 4;

/// State of a fit that can go on.
const CHECKPOINT: &str = "checkpoint.safetensors";

/// Trains trials.
pub struct Trainer {
    settings: Settings,
    cells: Rc<Cells>,
    part: usize,
    backend: Backend,
    tasks: RefCell<Vec<(String, Rc<Task>)>>,
}

/// A trial ready to train.
struct Ready {
    config: ExperimentConfig,
    task: Rc<Task>,
}

impl Trainer {
    /// Returns a trainer for one part of a search.
    pub fn new(settings: Settings, cells: Rc<Cells>, part: usize, backend: Backend) -> Self {
        Self { settings, cells, part, backend, tasks: RefCell::default() }
    }

    /// Returns the parts of a search: one a search of its own (see [`nested::parts`]), or all outer folds at once.
    ///
    /// # Errors
    /// Where the data does not fit the experiment.
    pub fn parts(settings: &Settings, task: &Task) -> Result<Vec<Part>, ExperimentError> {
        if !settings.tuner.nested {
            let outer = (0..task.folds.len()).collect();
            return Ok(vec![Part { name: None, outer, folds: task.folds.clone() }]);
        }
        Ok(nested::parts(&settings.base.split, &task.frame, &task.folds, settings.tuner.inner_folds)?)
    }

    /// Makes a trial's experiment and its data ready.
    fn ready(&self, trial: &Trial) -> Result<Ready, ExperimentError> {
        let config = binding::bind(&self.settings.base, &self.settings.space, &trial.values)?;
        let task = self.task(&config)?;
        Ok(Ready { config, task })
    }

    /// Returns the data of an experiment on the inner folds; the last few are remembered.
    fn task(&self, config: &ExperimentConfig) -> Result<Rc<Task>, ExperimentError> {
        let key = inputs(config);
        if let Some((_, task)) = self.tasks.borrow().iter().find(|(k, _)| *k == key) {
            return Ok(Rc::clone(task));
        }
        // The search's own inputs were checked for leaks before it began.
        let is_checked = key == inputs(&self.settings.base);
        let mut task =
            if is_checked { Task::unchecked(config, &self.cells)? } else { Task::of(config, &self.cells)? };
        task.folds = Self::parts(&self.settings, &task)?.swap_remove(self.part).folds;
        let task = Rc::new(task);
        let mut tasks = self.tasks.borrow_mut();
        tasks.truncate(MOST_TASKS - 1);
        tasks.insert(0, (key, Rc::clone(&task)));
        Ok(task)
    }

    /// Trains jobs as one population; `None` after a pause.
    fn fit(
        &self,
        ready: &[Ready],
        jobs: &[Job<'_>],
        pulse: &mut dyn Pulse,
    ) -> Result<Option<Vec<Fitted>>, ExperimentError> {
        let interrupt = Interrupt::new();
        let checkpoint = jobs[0].folder.join(CHECKPOINT);
        inherit(&jobs[0], &checkpoint)?;
        let labels: Vec<String> = jobs.iter().map(|j| format!("trial{}", j.trial.number)).collect();
        let label = |idx: usize| if jobs.len() == 1 { "" } else { labels[idx].as_str() };
        let together = ready.iter().enumerate().map(|(idx, r)| Together {
            label: label(idx),
            config: &r.config,
            task: &r.task,
        });
        let together: Vec<Together> = together.collect();
        let mut heart = Heart { pulse, interrupt: &interrupt, saved: Instant::now() };
        let context = FitContext {
            backend: self.backend,
            checkpoint: Some(&checkpoint),
            interrupt: &interrupt,
            until: jobs[0].trial.budget.as_ref().map(|b| b.until),
            judge: self.settings.tuner.epoch == EpochChoice::Best,
            observe: &mut heart,
        };
        let fitted = Fitted::fit_together(&together, context)?;
        let paused = fitted.iter().flat_map(|f| &f.folds).flat_map(|f| &f.stops).any(|s| s.is_pause());
        Ok((!paused).then_some(fitted))
    }

    /// Fits, once more from the beginning where the checkpoint is of no use.
    fn fit_again(
        &self,
        ready: &[Ready],
        jobs: &[Job<'_>],
        pulse: &mut dyn Pulse,
    ) -> Result<Option<Vec<Fitted>>, ExperimentError> {
        match self.fit(ready, jobs, pulse) {
            Err(ExperimentError::Fit(e)) if is_stale(&e) => {
                file::remove_file(&jobs[0].folder.join(CHECKPOINT))?;
                let alone: Vec<Job> = jobs.iter().map(|j| Job { source: None, ..j.clone() }).collect();
                self.fit(ready, &alone, pulse)
            }
            other => other,
        }
    }

    /// Scores a fitted trial and stores its networks.
    fn outcome(
        &self,
        ready: &Ready,
        job: &Job<'_>,
        fitted: &Fitted,
        seconds: f64,
    ) -> Result<Outcome, ExperimentError> {
        let Ready { config, task } = ready;
        let stops: Vec<StopReason> = fitted.folds.iter().flat_map(|f| f.stops.iter().copied()).collect();
        let diverged = stops.iter().filter(|s| matches!(s, StopReason::Diverged { .. })).count();
        if diverged > 0 && diverged == stops.len() {
            return Ok(Outcome::Failed(format!("diverged: {diverged} of {} networks", stops.len())));
        }
        let predicted = fitted.predict(config, task, self.backend)?;
        let shapes = population::architecture(config, task.frame.inputs.len());
        let mut metrics = measurements(task, &predicted, config.repeats as usize);
        if population::has_networks(config) {
            let n = shapes.n_weights() as f64;
            metrics.insert(metric::PARAMETERS.into(), Measurement { mean: n, ..Measurement::default() });
        }
        if self.settings.objectives.iter().any(|o| o.metric == metric::LATENCY) {
            let us = latency::microseconds(fitted, config, task, self.backend)?;
            metrics.insert(metric::LATENCY.into(), Measurement { mean: us, ..Measurement::default() });
        }
        artifact::save(fitted, &shapes, &job.folder)?;
        artifact::save_keras(fitted, &shapes, &job.folder)?;
        let epoch = job.trial.until(config.train.epochs);
        Ok(Outcome::Completed(Evaluation { epoch, metrics, seconds }))
    }
}

impl Evaluate for Trainer {
    /// A trial with a budget of its own is alone: its checkpoint is the beginning of another.
    fn group(&self, trial: &Trial) -> String {
        let alone = || format!("trial {}", trial.id);
        if trial.budget.is_some() {
            return alone();
        }
        self.ready(trial).map_or_else(|_| alone(), |r| population::group_key(&r.config, &r.task))
    }

    fn evaluate(&mut self, jobs: &[Job<'_>], pulse: &mut dyn Pulse) -> Result<Vec<Outcome>, EvaluateError> {
        let begin = Instant::now();
        let mut ready = Vec::new();
        for job in jobs {
            match self.ready(job.trial) {
                Ok(one) => ready.push(one),
                Err(e) => return self.each_alone(jobs, e, pulse),
            }
        }
        let fitted = match self.fit_again(&ready, jobs, pulse) {
            Ok(Some(fitted)) => fitted,
            Ok(None) => return Ok(vec![Outcome::Paused; jobs.len()]),
            Err(e) => return self.each_alone(jobs, e, pulse),
        };
        let seconds = begin.elapsed().as_secs_f64() / jobs.len() as f64;
        let scored = ready.iter().zip(jobs).zip(&fitted);
        scored.map(|((r, job), f)| Ok(self.outcome(r, job, f, seconds)?)).collect()
    }

    fn discard(&self, folder: &Path) -> Result<u64, EvaluateError> {
        let names = [CHECKPOINT, artifact::WEIGHTS, artifact::MODEL, artifact::KERAS_WEIGHTS];
        let mut freed = 0;
        for name in names {
            let path = folder.join(name);
            freed += file::size(&path);
            file::remove_file(&path)?;
        }
        Ok(freed)
    }
}

impl Trainer {
    /// Sorts an error: what concerns one trial fails it, what concerns the machine ends the search.
    fn each_alone(
        &mut self,
        jobs: &[Job<'_>],
        error: ExperimentError,
        pulse: &mut dyn Pulse,
    ) -> Result<Vec<Outcome>, EvaluateError> {
        if is_of_the_machine(&error) {
            return Err(error.into());
        }
        if jobs.len() == 1 {
            return Ok(vec![Outcome::Failed(chain(&error))]);
        }
        let mut outcomes = Vec::new();
        for job in jobs {
            outcomes.extend(self.evaluate(std::slice::from_ref(job), pulse)?);
        }
        Ok(outcomes)
    }
}

/// Returns what a frame and its leaks depend on.
fn inputs(config: &ExperimentConfig) -> String {
    format!("{:?}", (&config.inputs, config.model.prior, config.model.kind))
}

/// Tells the search that the fit is alive, and the fit when to pause and to save.
struct Heart<'a> {
    pulse: &'a mut dyn Pulse,
    interrupt: &'a Interrupt,
    saved: Instant,
}

impl Observe for Heart<'_> {
    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
        let losses: Vec<f64> = report
            .members
            .iter()
            .map(|m| m.validation_loss.unwrap_or(m.train_loss))
            .filter(|l| l.is_finite())
            .collect();
        let loss = (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64);
        if !self.pulse.beat(report.epoch, report.epochs, loss) {
            self.interrupt.interrupt();
        }
        Ok(())
    }

    fn wants_checkpoint(&mut self) -> bool {
        let due = self.saved.elapsed() >= CHECKPOINT_EVERY;
        if due {
            self.saved = Instant::now();
        }
        due
    }
}

/// Begins a promoted trial with what its source left.
fn inherit(job: &Job<'_>, checkpoint: &Path) -> Result<(), FileError> {
    let source: Option<PathBuf> = job.source.as_ref().map(|s| s.join(CHECKPOINT)).filter(|s| s.exists());
    match source {
        Some(source) if !checkpoint.exists() => file::write_atomic(checkpoint, &file::read(&source)?),
        _ => Ok(()),
    }
}

/// Returns each metric that every fold and execution has.
fn measurements(
    task: &Task,
    predicted: &[Vec<Vec<f64>>],
    n_executions: usize,
) -> BTreeMap<String, Measurement> {
    let parts = score::by_part(task, predicted);
    let whole = |folds: &BTreeMap<String, Vec<f64>>| {
        folds.len() == task.folds.len() && folds.values().all(|v| v.len() == predicted[0].len())
    };
    debug_assert!(predicted.iter().all(|p| p.len() <= n_executions));
    let kept = parts.into_iter().filter(|(name, folds)| metric::find(name).is_some() && whole(folds));
    let mean = |folds: &BTreeMap<String, Vec<f64>>| {
        let n: usize = folds.values().map(Vec::len).sum();
        folds.values().flatten().sum::<f64>() / n as f64
    };
    kept.map(|(name, folds)| (name.to_owned(), Measurement { mean: mean(&folds), folds })).collect()
}

/// Returns whether a trial's checkpoint is damaged or of another trial: the same numbers come out anew.
fn is_stale(error: &FitError) -> bool {
    error.is_checkpoint_unusable() || matches!(error, FitError::Checkpoint(CheckpointError::Identity { .. }))
}

/// Returns whether no other trial would fare better.
fn is_of_the_machine(error: &ExperimentError) -> bool {
    matches!(
        error,
        ExperimentError::File(_)
            | ExperimentError::Store(_)
            | ExperimentError::Device(_)
            | ExperimentError::Fit(FitError::Observe(_) | FitError::Checkpoint(_))
    )
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(c) = cause {
        let more = c.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = c.source();
    }
    text
}
