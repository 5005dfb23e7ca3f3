//! A worker: takes batches from a study and has them evaluated until there is nothing left.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::choose::{Next, discard};
use super::event::{End, Event, Finish};
use super::lease::{Clock, Heart, Monotonic, Watcher, sweep};
use super::{Derive, Study, StudyError, retention, state};
use crate::file;
use crate::tuner::evaluate::{Evaluate, Job, Outcome, Pulse};
use crate::tuner::objective::Objective;
use crate::tuner::oracle::Oracle;
use crate::tuner::trial::{Evaluation, Status, Trial};

/// How often a worker without work looks for some.
const LOOK: Duration = Duration::from_millis(150);
/// Failures, without one success, after which somebody should look.
const MANY_FAILURES: usize = 10;

/// Hears what a worker does, to show it.
pub trait Watch {
    /// Hears of new trials.
    fn proposed(&mut self, _study: &Study, _trials: &[usize]) {}
    /// Hears that a batch is evaluated from now on, for the first time or on from where another left it.
    fn started(&mut self, _study: &Study, _trials: &[usize]) {}
    /// Hears that an epoch of the batch ended, with its mean loss.
    fn beat(&mut self, _trials: &[usize], _epoch: u32, _epochs: u32, _loss: Option<f64>) {}
    /// Hears that trials ended, completed or failed.
    fn finished(&mut self, _study: &Study, _trials: &[usize]) {}
    /// Hears, now and then, that there is nothing to do while others work.
    fn waiting(&mut self, _study: &Study) {}
    /// Hears what somebody should know.
    fn warned(&mut self, _text: &str) {}
}

/// Nobody watches.
impl Watch for () {}

/// Everybody whom a worker works with.
pub struct Crew<'a> {
    /// Proposes trials.
    pub oracle: &'a mut dyn Oracle,
    /// Trains them.
    pub evaluate: &'a mut dyn Evaluate,
    /// Keeps files for other programs.
    pub derive: &'a mut dyn Derive,
    /// Shows what happens.
    pub watch: &'a mut dyn Watch,
    /// Says whether to stop; what is trained then pauses at the next epoch.
    pub stop: &'a dyn Fn() -> bool,
}

impl Crew<'_> {
    /// Returns the same people for a shorter time.
    pub(super) fn lend(&mut self) -> Crew<'_> {
        Crew {
            oracle: self.oracle,
            evaluate: self.evaluate,
            derive: self.derive,
            watch: self.watch,
            stop: self.stop,
        }
    }
}

/// How a worker works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkOptions {
    /// Name, unlike that of every other worker there was, and fit for a file.
    pub worker: String,
    /// Trials after which it ends, when the batch is done that reaches them; `None` for no end.
    pub count: Option<usize>,
}

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The study has all its trials, and all ended.
    Complete,
    /// The oracle knows no further trial, and all ended.
    Exhausted,
    /// It was asked to stop.
    Paused,
    /// It did as many trials as it was to do.
    Counted,
}

/// Works in a study until there is nothing left, all others included.
///
/// # Errors
/// [`StudyError::Evaluate`], [`StudyError::Append`], [`StudyError::File`] where it cannot go on: its batch is left to
/// others, and to the next worker; [`StudyError::Twin`]; those of [`Study::refresh`].
pub fn work(study: &mut Study, crew: Crew<'_>, options: &WorkOptions) -> Result<Ended, StudyError> {
    work_by(&Monotonic::default(), study, crew, options)
}

pub(super) fn work_by(
    clock: &dyn Clock,
    study: &mut Study,
    mut crew: Crew<'_>,
    options: &WorkOptions,
) -> Result<Ended, StudyError> {
    let mut worker = Worker::begin_work(clock, study, crew.lend(), options)?;
    loop {
        match worker.step()? {
            Step::Did => {}
            Step::Idle => clock.wait(LOOK),
            Step::Ended(ended) => return Ok(ended),
        }
    }
}

/// A worker between two batches.
pub(super) struct Worker<'a> {
    pub(super) study: &'a mut Study,
    pub(super) crew: Crew<'a>,
    pub(super) options: &'a WorkOptions,
    pub(super) watcher: Watcher<'a>,
    /// Batch that it evaluates.
    pub(super) lease: Option<u64>,
    /// Where the journal ended when the oracle last had nothing to propose.
    pub(super) asked_at: Option<u64>,
    heart: Heart,
    n_done: usize,
}

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Did,
    Idle,
    Ended(Ended),
}

impl<'a> Worker<'a> {
    /// Registers a worker, and repairs what others that died left behind.
    pub(super) fn begin_work(
        clock: &'a dyn Clock,
        study: &'a mut Study,
        crew: Crew<'a>,
        options: &'a WorkOptions,
    ) -> Result<Self, StudyError> {
        let held = study.enter()?;
        sweep(study.folder())?;
        let heart = Heart::start(study.folder(), &options.worker, study.config().lease_s)?;
        crew.derive.all(study)?;
        let watcher = Watcher::new(clock);
        let mut worker =
            Self { study, crew, options, watcher, lease: None, asked_at: None, heart, n_done: 0 };
        worker.retain()?;
        drop(held);
        Ok(worker)
    }

    /// Evaluates a batch, if there is one; what goes wrong leaves it to others.
    pub(super) fn step(&mut self) -> Result<Step, StudyError> {
        if (self.crew.stop)() {
            return Ok(Step::Ended(Ended::Paused));
        }
        if self.options.count.is_some_and(|count| self.n_done >= count) {
            return Ok(Step::Ended(Ended::Counted));
        }
        let step = self.choose().and_then(|next| match next {
            Next::Batch(lease) => self.evaluate(lease),
            Next::Wait => {
                self.crew.watch.waiting(self.study);
                Ok(Step::Idle)
            }
            Next::Nothing(ended) => Ok(Step::Ended(ended)),
        });
        self.let_go();
        step
    }

    fn evaluate(&mut self, lease: u64) -> Result<Step, StudyError> {
        let numbers = self.study.state.leases[&lease].trials.clone();
        self.heart.works_on(Some(lease));
        self.crew.watch.started(self.study, &numbers);
        let trials: Vec<Trial> = numbers.iter().map(|n| self.study.trials()[*n].clone()).collect();
        let mut outcomes = Vec::new();
        match self.call(&trials, lease)? {
            Ok(all) => outcomes = all,
            Err(panic) if trials.len() == 1 => outcomes.push(Outcome::Failed(panic)),
            // One of them is to blame: each begins anew by itself.
            Err(_) => {
                for trial in &trials {
                    discard(self.study, self.crew.evaluate, trial.number)?;
                    let one = self.call(std::slice::from_ref(trial), lease)?;
                    outcomes.extend(one.unwrap_or_else(|panic| vec![Outcome::Failed(panic)]));
                }
            }
        }
        outcomes.resize(trials.len(), Outcome::Failed("the evaluation says nothing of it".into()));
        self.finish(lease, &numbers, outcomes)
    }

    /// Has trials evaluated in one call; a panic is what one of them came to.
    fn call(&mut self, trials: &[Trial], lease: u64) -> Result<Result<Vec<Outcome>, String>, StudyError> {
        let jobs = trials.iter().map(|t| self.job(t)).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<usize> = trials.iter().map(|t| t.number).collect();
        let Self { study, crew, heart, .. } = self;
        let folder = study.folder().to_owned();
        let mut pulse = Alive { study, watch: crew.watch, stop: crew.stop, heart, lease, trials: &numbers };
        match catch_unwind(AssertUnwindSafe(|| crew.evaluate.evaluate(&jobs, &mut pulse))) {
            Ok(Ok(outcomes)) => Ok(Ok(outcomes)),
            Ok(Err(source)) => Err(StudyError::Evaluate { folder, source }),
            Err(panic) => Ok(Err(panic_text(&*panic))),
        }
    }

    fn job<'t>(&self, trial: &'t Trial) -> Result<Job<'t>, StudyError> {
        let folder = self.study.trial_folder(trial);
        file::create_folder(&folder)?;
        let source = trial.budget.as_ref().and_then(|b| b.source);
        let source = source.and_then(|n| self.study.trials().get(n));
        Ok(Job { trial, folder, source: source.map(|t| self.study.trial_folder(t)) })
    }

    /// Writes down what came of a batch, unless another took it over.
    fn finish(&mut self, lease: u64, trials: &[usize], outcomes: Vec<Outcome>) -> Result<Step, StudyError> {
        let _held = self.study.enter()?;
        if !self.study.holds(lease) {
            self.crew.watch.warned(&format!(
                "worker `{}` stood still for too long: another took its trials over, and what came of them here does not count",
                self.options.worker
            ));
            return Ok(Step::Did);
        }
        let paused = outcomes.contains(&Outcome::Paused);
        let objectives = self.study.objectives();
        let end = |(trial, outcome): (&usize, Outcome)| match outcome {
            Outcome::Completed(evaluation) => {
                Some(Finish { trial: *trial, end: judge(evaluation, objectives) })
            }
            Outcome::Failed(why) => Some(Finish { trial: *trial, end: End::Failed(why) }),
            Outcome::Paused => None,
        };
        let results: Vec<Finish> = trials.iter().zip(outcomes).filter_map(end).collect();
        let ended: Vec<usize> = results.iter().map(|r| r.trial).collect();
        if !ended.is_empty() {
            self.study.append(Event::Finished { lease, results }, true)?;
            self.n_done += ended.len();
            self.crew.derive.changed(self.study, &ended)?;
            self.crew.watch.finished(self.study, &ended);
            self.warn_if_all_fail(ended.len());
            self.retain()?;
        }
        Ok(if paused { Step::Ended(Ended::Paused) } else { Step::Did })
    }

    /// Removes the checkpoints that nobody needs, under the study's lock.
    fn retain(&mut self) -> Result<(), StudyError> {
        let needed = self.crew.oracle.needed(&self.study.view());
        let mut trials = retention::spare(self.study, &needed);
        trials.retain(|n| match discard(self.study, self.crew.evaluate, *n) {
            Ok(_) => true,
            Err(e) => {
                let id = &self.study.trials()[*n].id;
                let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
                self.crew.watch.warned(&format!("cannot clean up trial {id}: {why}"));
                false
            }
        });
        if trials.is_empty() {
            return Ok(());
        }
        // Nothing is lost with this line: what was removed is removed again.
        self.study.append(Event::Discarded { trials }, false)
    }

    /// Leaves the batch at hand, if it is not done, to others.
    fn let_go(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        self.heart.works_on(None);
        if !self.study.holds(lease) {
            return;
        }
        // Where this fails, others take the batch over when this process ends.
        if let Ok(_held) = self.study.enter()
            && self.study.holds(lease)
        {
            let _ = self.study.append(Event::Released { lease }, true);
        }
    }

    fn warn_if_all_fail(&mut self, n_new: usize) {
        let ours = self.study.trials().iter().filter(|t| state::is_ours(t) && t.status != Status::Running);
        let (mut n, mut last) = (0, None);
        for trial in ours {
            if trial.status == Status::Completed {
                return;
            }
            (n, last) = (n + 1, trial.message.as_ref());
        }
        if n / MANY_FAILURES > n.saturating_sub(n_new) / MANY_FAILURES {
            let why = last.map(|m| format!("; the last one: {m}")).unwrap_or_default();
            self.crew.watch.warned(&format!("all {n} trials failed until now{why}"));
        }
    }
}

impl Study {
    /// Returns whether the batch of `lease` is still its first holder's.
    fn holds(&self, lease: u64) -> bool {
        self.state.leases.get(&lease).is_some_and(|l| l.worker.is_some())
    }
}

/// The pulse of a batch.
struct Alive<'a> {
    study: &'a mut Study,
    watch: &'a mut dyn Watch,
    stop: &'a dyn Fn() -> bool,
    heart: &'a Heart,
    lease: u64,
    trials: &'a [usize],
}

impl Pulse for Alive<'_> {
    fn beat(&mut self, epoch: u32, epochs: u32, loss: Option<f64>) -> bool {
        self.heart.reached(epoch, epochs, loss);
        self.watch.beat(self.trials, epoch, epochs, loss);
        // What cannot be read now is read, or reported, when the batch is done.
        let _ = self.study.refresh();
        self.study.holds(self.lease) && !(self.stop)()
    }
}

/// Returns the evaluation without what is no number, or why it does not count.
pub(super) fn judge(mut evaluation: Evaluation, objectives: &[Objective]) -> End {
    if let Some(x) = objectives.iter().find(|o| !evaluation.metrics.contains_key(&o.metric)) {
        let names: Vec<_> = evaluation.metrics.keys().map(|name| format!("`{name}`")).collect();
        let has = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        return End::Failed(format!("reports no `{}`; it has {has}", x.metric));
    }
    if let Some(x) = objectives.iter().find(|o| !evaluation.metrics[&o.metric].mean.is_finite()) {
        return End::Failed(format!("`{}` is {}", x.metric, evaluation.metrics[&x.metric].mean));
    }
    evaluation.metrics.retain(|_, m| m.mean.is_finite());
    for measurement in evaluation.metrics.values_mut() {
        measurement.folds.values_mut().for_each(|fold| fold.retain(|v| v.is_finite()));
        measurement.folds.retain(|_, fold| !fold.is_empty());
    }
    evaluation.seconds = Some(evaluation.seconds).filter(|s| s.is_finite()).unwrap_or(0.0);
    End::Completed(evaluation)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.as_deref().unwrap_or("without a word"))
}
