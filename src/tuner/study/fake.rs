//! What tests of studies search with: a trainer that leaves checkpoints, an oracle that looks at everything, hand-driven clocks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rand::Rng;

use super::lease::Clock;
use super::work::{WorkOptions, work_by};
use super::*;
use crate::tuner::evaluate::{Evaluate, EvaluateError, Job, Outcome, Pulse};
use crate::tuner::oracle::{Oracle, Proposal};
use crate::tuner::space::{Domain, Param, Scale, Space};
use crate::tuner::trial::{Budget, Evaluation, Measurement};
use crate::tuner::value::{Value, Values};

pub(super) const EPOCHS: u32 = 3;

type Says<'a> = &'a dyn Fn(&Trial) -> Option<Outcome>;
type Meanwhile<'a> = &'a dyn Fn(&[usize], u32);

pub(super) fn header(trials: usize) -> Header {
    let param = |name: &str, domain| Param {
        name: name.into(),
        key: name.into(),
        index: None,
        domain,
        conditions: Vec::new(),
    };
    let x = Domain::Float { min: 0.0, max: 1.0, step: None, scale: Scale::Linear };
    let k = Domain::Int { min: 1, max: 3, step: 1, scale: Scale::Linear };
    Header {
        format: FORMAT,
        version: "0.1.0".into(),
        experiment: "toy".into(),
        identity: [("data".to_owned(), "3fa9".to_owned())].into(),
        space: Space { params: vec![param("x", x), param("k", k)] },
        objectives: vec![Objective::minimise("rmse")],
        seed: 7,
        epochs: EPOCHS,
        config: TunerConfig { trials, ..TunerConfig::default() },
    }
}

pub(super) fn values(x: f64, k: i64) -> Values {
    [("x".to_owned(), Value::Float(x)), ("k".to_owned(), Value::Int(k))].into()
}

pub(super) fn evaluation(pairs: &[(&str, f64)]) -> Evaluation {
    let one =
        |(name, mean): &(&str, f64)| ((*name).into(), Measurement { mean: *mean, ..Measurement::default() });
    Evaluation { epoch: EPOCHS, metrics: pairs.iter().map(one).collect(), seconds: 0.25 }
}

/// Trains an epoch by writing its number down, and says `(x - 0.3)^2`.
#[derive(Default)]
pub(super) struct Fake<'a> {
    /// Trials of each call.
    pub(super) calls: Vec<Vec<usize>>,
    /// Epochs trained, by trial.
    pub(super) trained: BTreeMap<usize, u32>,
    /// Says something else of a trial, or panics.
    pub(super) says: Option<Says<'a>>,
    /// Happens after each epoch.
    pub(super) meanwhile: Option<Meanwhile<'a>>,
    /// The call, from 0, that ends with an error after its first epoch.
    pub(super) broken_call: Option<usize>,
    /// Does not care whether it may go on.
    pub(super) deaf: bool,
    /// Cannot remove what it left.
    pub(super) stuck: bool,
}

impl Evaluate for Fake<'_> {
    fn group(&self, trial: &Trial) -> String {
        trial.values["k"].to_string()
    }

    fn evaluate(&mut self, jobs: &[Job<'_>], pulse: &mut dyn Pulse) -> Result<Vec<Outcome>, EvaluateError> {
        let numbers: Vec<usize> = jobs.iter().map(|j| j.trial.number).collect();
        let batch = format!("{numbers:?} ");
        let left =
            |j: &Job<'_>| file::read_text(&j.folder.join("weights")).ok()?.strip_prefix(&batch)?.parse().ok();
        let begin: u32 = jobs.iter().map(left).collect::<Option<Vec<u32>>>().map_or(0, |l| l[0]);
        self.calls.push(numbers.clone());
        for epoch in begin + 1..=EPOCHS {
            for job in jobs {
                file::write_passing(&job.folder.join("weights"), format!("{batch}{epoch}").as_bytes())?;
                *self.trained.entry(job.trial.number).or_default() += 1;
            }
            self.meanwhile.inspect(|hook| hook(&numbers, epoch));
            if self.broken_call == Some(self.calls.len() - 1) {
                return Err("the data is gone".into());
            }
            if !pulse.beat(epoch, EPOCHS, Some(f64::from(epoch))) && !self.deaf {
                return Ok(vec![Outcome::Paused; jobs.len()]);
            }
        }
        Ok(jobs.iter().map(|j| self.say(j.trial)).collect())
    }

    fn discard(&self, folder: &Path) -> Result<u64, EvaluateError> {
        if self.stuck {
            return Err("the folder is read-only".into());
        }
        file::remove_file(&folder.join("weights"))?;
        Ok(1)
    }
}

impl Fake<'_> {
    fn say(&self, trial: &Trial) -> Outcome {
        let Value::Float(x) = trial.values["x"] else { panic!("x is a float") };
        let usual = || Outcome::Completed(evaluation(&[("rmse", (x - 0.3).powi(2)), ("extra", f64::NAN)]));
        self.says.and_then(|says| says(trial)).unwrap_or_else(usual)
    }
}

/// Proposes what depends on every trial's state, so that any difference in what it sees shows.
pub(super) struct Nosy;

impl Oracle for Nosy {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let seen = |t: &Trial| match t.status {
            Status::Running => 0.1,
            Status::Failed => 0.77,
            Status::Completed => 3.0 * t.costs(view.objectives).unwrap()[0],
        };
        let sum: f64 = view.trials.iter().map(seen).sum();
        let n = view.trials.len();
        let draw = view.seed.stream(n).next_u64() as f64 / u64::MAX as f64;
        let k = 1 + i64::from(n % 5 == 3) + i64::from(n % 7 == 2);
        Proposal::Trial { values: values((draw + sum).fract(), k), budget: None }
    }
}

/// Proposes `n` trials of one epoch and, when they ended, two of different groups that go on from the first of them.
pub(super) struct Rounds(pub(super) usize);

impl Oracle for Rounds {
    fn propose(&mut self, view: &View<'_>) -> Proposal {
        let n = view.trials.len();
        let budget = |from, until, source| Some(Budget { from, until, bracket: 0, round: from, source });
        if n < self.0 {
            return Proposal::Trial { values: values(n as f64 / 10.0, 1), budget: budget(0, 1, None) };
        }
        let runs = view.trials.iter().any(|t| t.status == Status::Running);
        match n - self.0 {
            0 if runs => Proposal::Wait,
            k @ 0..2 => Proposal::Trial { values: values(0.0, [1, 2][k]), budget: budget(1, 3, Some(0)) },
            _ => Proposal::Exhausted,
        }
    }

    fn needed(&self, view: &View<'_>) -> Vec<usize> {
        if view.trials.len() > self.0 { Vec::new() } else { vec![0] }
    }
}

/// A clock that a test moves; who waits for it gives way to others.
#[derive(Default)]
pub(super) struct Hand(pub(super) Cell<Duration>);

impl Hand {
    pub(super) fn forward(&self, seconds: u64) {
        self.0.set(self.0.get() + Duration::from_secs(seconds));
    }
}

impl Clock for Hand {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait(&self, _: Duration) {
        std::thread::yield_now();
    }
}

/// What was told, in words.
#[derive(Default)]
pub(super) struct Notes(pub(super) Vec<String>);

impl Watch for Notes {
    fn proposed(&mut self, _: &Study, trials: &[usize]) {
        self.0.push(format!("proposed {trials:?}"));
    }

    fn started(&mut self, _: &Study, trials: &[usize]) {
        self.0.push(format!("started {trials:?}"));
    }

    fn finished(&mut self, _: &Study, trials: &[usize]) {
        self.0.push(format!("finished {trials:?}"));
    }

    fn warned(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

pub(super) fn options(worker: &str) -> WorkOptions {
    WorkOptions { worker: worker.into(), count: None }
}

/// Returns the crew of `fake`, an oracle, and who writes down what is told.
pub(super) fn crew<'a, O: Oracle>(fake: &'a mut Fake<'_>, rest: &'a mut (O, (), Notes)) -> Crew<'a> {
    let (oracle, derive, watch) = rest;
    Crew { oracle, evaluate: fake, derive, watch, stop: &|| false }
}

pub(super) fn nosy() -> (Nosy, (), Notes) {
    (Nosy, (), Notes::default())
}

/// Opens a study, works in it with one worker, and returns it with what was told.
pub(super) fn run(
    folder: &Path,
    header: Header,
    fake: &mut Fake<'_>,
) -> (Study, Result<Ended, StudyError>, Notes) {
    let mut study = Study::open(folder, header).unwrap();
    let mut rest = nosy();
    let ended = work_by(&Hand::default(), &mut study, crew(fake, &mut rest), &options("w"));
    (study, ended, rest.2)
}

/// Runs a study in a new folder with a trainer that always says the same.
pub(super) fn finished(header: Header) -> (tempfile::TempDir, Study) {
    let folder = tempfile::tempdir().unwrap();
    let (study, ended, _) = run(folder.path(), header, &mut Fake::default());
    assert_eq!(ended.unwrap(), Ended::Complete);
    (folder, study)
}
