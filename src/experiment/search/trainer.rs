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
use crate::prepare::Part;
use crate::prepare::nested::{self, Inner};
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
        let inner = Inner { folds: settings.tuner.inner_folds, repeats: settings.tuner.inner_repeats };
        Ok(nested::parts(&settings.base.split, &task.frame, &task.folds, inner)?)
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
        let task =
            if is_checked { Task::unchecked(config, &self.cells)? } else { Task::of(config, &self.cells)? };
        let folds = Self::parts(&self.settings, &task)?.swap_remove(self.part).folds;
        let task = Rc::new(task.with_folds(config, folds)?);
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
            start: None,
            observe: &mut heart,
        };
        let fitted = Fitted::fit_together(&together, context)?;
        let paused = fitted.iter().any(Fitted::is_paused);
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
        let shapes = population::architecture(config, task);
        let mut metrics = measurements(task, &predicted);
        if population::has_networks(config) {
            let n = shapes.n_weights() as f64;
            metrics.insert(metric::PARAMETERS.into(), Measurement { mean: n, ..Measurement::default() });
        }
        if self.settings.objectives.iter().any(|o| o.metric == metric::LATENCY) {
            let us = latency::microseconds(fitted, config, task, self.backend)?;
            metrics.insert(metric::LATENCY.into(), Measurement { mean: us, ..Measurement::default() });
        }
        artifact::save(fitted, &shapes, &job.folder)?;
        let kept = fitted.folds.first().map_or(&[][..], |fold| &fold.columns);
        let inputs: Vec<&str> = kept.iter().map(|&c| task.frame.inputs[c].name.as_str()).collect();
        artifact::save_keras(fitted, &shapes, &inputs, &job.folder)?;
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
        let names =
            [CHECKPOINT, artifact::WEIGHTS, artifact::MODEL, artifact::KERAS_WEIGHTS, artifact::KERAS_BUILD];
        let mut freed = 0;
        for name in names {
            let path = folder.join(name);
            freed += file::size(&path);
            file::remove_file(&path)?;
        }
        let trees = folder.join(artifact::TREES);
        freed += file::folder_size(&trees);
        file::remove_folder(&trees)?;
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

    fn fitted(&mut self, done: usize, total: usize) -> Result<(), FileError> {
        if !self.pulse.beat(done as u32, total as u32, None) {
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
fn measurements(task: &Task, predicted: &[Vec<Vec<f64>>]) -> BTreeMap<String, Measurement> {
    let parts = score::by_part(task, predicted);
    let n_parts = score::n_parts(task);
    let whole = |folds: &BTreeMap<String, Vec<f64>>| {
        folds.len() == n_parts && folds.values().all(|v| v.len() == predicted[0].len())
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::parse;
    use crate::tuner::{Budget, Value, Values};

    const SEARCH: &str = "cells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]\n\
        [inputs]\ndescriptors = [\"charge_throughput\", \"history_cycle_count\"]\n\
        [model]\nkind = \"hybrid\"\nprior = \"coulomb_balance\"\nhidden = [8]\ndropout = 0.1\nnormalisation = \"batch\"\n\
        [train]\nepochs = 6\nschedule = { kind = \"warmup_cosine\", warmup_epochs = 1, final_fraction = 0.1 }\n\
        [tuner]\nobjective = \"rmse\"\nexecutions = 2\nnested = false\n\
        [tuner.space]\n\"train.learning_rate\" = { float = [1e-4, 1e30], sampling = \"log\" }\n\
        \"inputs.descriptors\" = { choice = [[\"charge_throughput\", \"history_cycle_count\"], [\"discharge_duration\"]] }\n";

    fn trainer() -> Trainer {
        let config = parse::parse(SEARCH, "x.toml", &[]).unwrap();
        let settings = Settings::new(&config, "x.toml").unwrap();
        let cells = Cells::load(&config, Path::new(".")).unwrap();
        Trainer::new(settings, Rc::new(cells), 0, Backend::Flex)
    }

    fn trial(number: usize, rate: f64, budget: Option<Budget>) -> Trial {
        let honest = "[\"charge_throughput\",\"history_cycle_count\"]";
        let values = Values::from([
            ("train/learning_rate".to_owned(), Value::Float(rate)),
            ("inputs/descriptors".to_owned(), Value::Text(honest.into())),
        ]);
        Trial::new(number, number.to_string(), values, budget)
    }

    fn budget(from: u32, until: u32, source: Option<usize>) -> Budget {
        Budget { from, until, bracket: 0, round: 0, source }
    }

    /// Notes the epochs, and asks for a pause after one of them.
    #[derive(Default)]
    struct Beats {
        epochs: Vec<u32>,
        pause_after: Option<u32>,
    }

    impl Pulse for Beats {
        fn beat(&mut self, epoch: u32, _epochs: u32, _loss: Option<f64>) -> bool {
            self.epochs.push(epoch);
            self.pause_after != Some(epoch)
        }
    }

    struct Bench {
        trainer: Trainer,
        root: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self { trainer: trainer(), root: tempfile::tempdir().unwrap() }
        }

        fn folder(&self, name: &str) -> PathBuf {
            let folder = self.root.path().join(name);
            file::create_folder(&folder).unwrap();
            folder
        }

        /// Evaluates trials in folders of their own and forgets how long it took.
        fn run(&mut self, trials: &[(&Trial, &str, Option<&str>)], beats: &mut Beats) -> Vec<Outcome> {
            let jobs: Vec<Job> = trials
                .iter()
                .map(|(trial, folder, source)| Job {
                    trial,
                    folder: self.folder(folder),
                    source: source.map(|s| self.folder(s)),
                })
                .collect();
            let outcomes = self.trainer.evaluate(&jobs, beats).unwrap();
            let timeless = |o| match o {
                Outcome::Completed(e) => Outcome::Completed(Evaluation { seconds: 0.0, ..e }),
                other => other,
            };
            outcomes.into_iter().map(timeless).collect()
        }
    }

    #[test]
    fn a_promoted_trial_goes_on_from_its_sources_weights_and_ends_like_a_straight_one() {
        let (mut bench, mut beats) = (Bench::new(), Beats::default());
        let (short, long) =
            (trial(0, 0.01, Some(budget(0, 2, None))), trial(1, 0.01, Some(budget(2, 6, Some(0)))));
        let at_two = bench.run(&[(&short, "short", None)], &mut Beats::default());
        let promoted = bench.run(&[(&long, "long", Some("short"))], &mut beats);
        assert_eq!(beats.epochs, [3, 4, 5, 6]);
        let straight = bench.run(&[(&trial(2, 0.01, None), "straight", None)], &mut Beats::default());
        assert_eq!(promoted, straight);
        assert_ne!(promoted, at_two);
        // Where the source's checkpoint is gone the same comes out, later.
        bench.trainer.discard(&bench.folder("short")).unwrap();
        let anew = bench.run(&[(&long, "anew", Some("short"))], &mut Beats::default());
        assert_eq!(anew, straight);
    }

    #[test]
    fn a_paused_trial_and_one_with_a_damaged_checkpoint_end_alike() {
        let mut bench = Bench::new();
        let one = trial(0, 0.01, None);
        let straight = bench.run(&[(&one, "straight", None)], &mut Beats::default());
        let mut beats = Beats { pause_after: Some(3), ..Beats::default() };
        assert_eq!(bench.run(&[(&one, "paused", None)], &mut beats), [Outcome::Paused]);
        let mut rest = Beats::default();
        assert_eq!(bench.run(&[(&one, "paused", None)], &mut rest), straight);
        assert_eq!(rest.epochs, [4, 5, 6]);
        file::write_atomic(&bench.folder("damaged").join(CHECKPOINT), b"no checkpoint").unwrap();
        assert_eq!(bench.run(&[(&one, "damaged", None)], &mut Beats::default()), straight);
    }

    #[test]
    fn trials_of_one_population_are_as_if_alone() {
        let mut bench = Bench::new();
        let (a, b) = (trial(0, 0.01, None), trial(1, 0.05, None));
        assert_eq!(bench.trainer.group(&a), bench.trainer.group(&b));
        let together = bench.run(&[(&a, "a", None), (&b, "b", None)], &mut Beats::default());
        let alone = [
            bench.run(&[(&a, "alone_a", None)], &mut Beats::default()),
            bench.run(&[(&b, "alone_b", None)], &mut Beats::default()),
        ];
        assert_eq!(together, alone.concat());
        let budgeted = trial(2, 0.01, Some(budget(0, 2, None)));
        assert_ne!(bench.trainer.group(&budgeted), bench.trainer.group(&a));
    }

    #[test]
    fn what_cannot_be_trained_fails_alone() {
        let mut bench = Bench::new();
        let good = trial(0, 0.01, None);
        let wild = trial(1, 1e30, None);
        let mut leak = trial(2, 0.01, None);
        leak.values.insert("inputs/descriptors".into(), Value::Text("[\"discharge_duration\"]".into()));
        let jobs = [(&good, "good", None), (&wild, "wild", None), (&leak, "leak", None)];
        let outcomes = bench.run(&jobs, &mut Beats::default());
        assert!(matches!(&outcomes[0], Outcome::Completed(e) if e.metrics["rmse"].folds.len() == 3));
        assert!(
            matches!(&outcomes[1], Outcome::Failed(why) if why.contains("diverged")),
            "{:?}",
            outcomes[1]
        );
        assert!(
            matches!(&outcomes[2], Outcome::Failed(why) if why.contains("label away")),
            "{:?}",
            outcomes[2]
        );
    }

    #[test]
    fn what_nobody_needs_is_discarded() {
        let mut bench = Bench::new();
        bench.run(&[(&trial(0, 0.01, None), "one", None)], &mut Beats::default());
        let folder = bench.folder("one");
        assert!(folder.join(artifact::WEIGHTS).exists());
        assert!(bench.trainer.discard(&folder).unwrap() > 1000);
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
