//! A study as an Optuna journal, `optuna.jsonl`: `optuna.load_study` and optuna-dashboard open it.
//!
//! One JSON object a line, as `JournalFileBackend` of Optuna 5 writes them. A running trial is one line; what becomes of it
//! is appended. A file that is torn, that another program wrote to, or that tells another story than the study is written
//! anew; lines of other programs are kept beside it. Times are durations after 1970: the study has no clock.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::StudyView;
use crate::file::{self, FileError};
use crate::tuner::objective::Direction;
use crate::tuner::space::{Domain, Param, Scale};
use crate::tuner::trial::{Status, Trial};
use crate::tuner::value::Value;

/// Name of the file in the study's folder.
pub const FILE: &str = "optuna.jsonl";
/// Who wrote a line.
const WORKER: &str = "fadecast";
/// `JournalOperation` of Optuna.
const CREATE_STUDY: u8 = 0;
const CREATE_TRIAL: u8 = 4;
const SET_STATE: u8 = 6;
const SET_USER_ATTR: u8 = 8;
/// `TrialState` of Optuna.
const RUNNING: u8 = 0;
const COMPLETE: u8 = 1;
const FAIL: u8 = 3;

/// What is known of a journal that was written or read before.
#[derive(Debug, Default)]
pub struct Journal {
    /// Bytes of the file.
    length: u64,
    /// Story of each trial.
    stories: Vec<Story>,
}

/// What a journal tells of a trial: its state and the values of its objectives.
#[derive(Debug, Clone, PartialEq)]
struct Story {
    state: u8,
    values: Option<Vec<f64>>,
}

impl Journal {
    /// Writes the whole journal.
    ///
    /// # Errors
    /// [`FileError::Write`].
    fn rewrite(&mut self, folder: &Path, view: &StudyView<'_>) -> Result<(), FileError> {
        let mut text = study_line(view);
        text.extend(view.trials.iter().map(|t| line(&created(t, view))));
        let path = folder.join(FILE);
        keep_foreign(&path, folder)?;
        file::write_atomic(&path, text.as_bytes())?;
        *self =
            Self { length: text.len() as u64, stories: view.trials.iter().map(|t| story(t, view)).collect() };
        Ok(())
    }

    /// Appends what the journal does not tell yet.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub(super) fn update(&mut self, folder: &Path, view: &StudyView<'_>) -> Result<(), FileError> {
        let path = folder.join(FILE);
        let length = std::fs::metadata(&path).map_or(0, |m| m.len());
        if self.length != length || length == 0 {
            let Some(read) = read(&path, view) else { return self.rewrite(folder, view) };
            *self = read;
        }
        let Some(text) = self.news(view) else { return self.rewrite(folder, view) };
        if text.is_empty() {
            return Ok(());
        }
        file::Journal::open(&path, self.length)?.append(text.as_bytes())?;
        self.length += text.len() as u64;
        self.stories = view.trials.iter().map(|t| story(t, view)).collect();
        Ok(())
    }

    /// Returns the lines that are missing; `None` where what is there contradicts the study.
    fn news(&self, view: &StudyView<'_>) -> Option<String> {
        let mut text = String::new();
        for trial in view.trials {
            let now = story(trial, view);
            match self.stories.get(trial.number) {
                None => text += &line(&created(trial, view)),
                Some(told) if *told == now => {}
                Some(told) if told.state == RUNNING => text += &finished(trial, &now),
                Some(_) => return None,
            }
        }
        (self.stories.len() <= view.trials.len()).then_some(text)
    }
}

/// What matters of a line.
#[derive(Deserialize)]
struct Line {
    op_code: u8,
    worker_id: String,
    trial_id: Option<usize>,
    state: Option<u8>,
    values: Option<Vec<f64>>,
}

/// Returns what a journal tells; `None` where it is torn, of another study, or not only ours.
fn read(path: &Path, view: &StudyView<'_>) -> Option<Journal> {
    let bytes = file::read(path).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let body = text.strip_prefix(&study_line(view)).filter(|_| text.ends_with('\n'))?;
    let mut stories: Vec<Story> = Vec::new();
    for line in body.lines() {
        let line: Line = serde_json::from_str(line).ok().filter(|l: &Line| l.worker_id == WORKER)?;
        match line.op_code {
            CREATE_TRIAL => stories.push(Story { state: line.state?, values: line.values }),
            SET_STATE => {
                *stories.get_mut(line.trial_id?)? = Story { state: line.state?, values: line.values }
            }
            _ => {}
        }
    }
    Some(Journal { length: bytes.len() as u64, stories })
}

/// Keeps a journal to which Optuna wrote under a name that is free.
fn keep_foreign(path: &Path, folder: &Path) -> Result<(), FileError> {
    let Ok(bytes) = file::read(path) else { return Ok(()) };
    let own = format!("\"worker_id\":\"{WORKER}\"");
    let foreign = |line: &str| line.contains("\"worker_id\"") && !line.contains(&own);
    if !String::from_utf8_lossy(&bytes).lines().any(foreign) {
        return Ok(());
    }
    let name = |n: usize| folder.join(format!("optuna.continued-{n}.jsonl"));
    let free: Option<PathBuf> = (1..=usize::MAX).map(name).find(|p| !p.exists());
    free.map_or(Ok(()), |to| file::write_atomic(&to, &bytes))
}

fn line(json: &Json) -> String {
    format!("{json}\n")
}

fn study_line(view: &StudyView<'_>) -> String {
    let direction = |d: Direction| if d == Direction::Min { 1 } else { 2 };
    let directions: Vec<u8> = view.objectives.iter().map(|o| direction(o.direction)).collect();
    line(&json!({
        "op_code": CREATE_STUDY, "worker_id": WORKER, "study_name": view.name, "directions": directions,
    }))
}

fn story(trial: &Trial, view: &StudyView<'_>) -> Story {
    let values = trial
        .costs(view.objectives)
        .map(|_| view.objectives.iter().filter_map(|o| trial.metric(&o.metric)).collect::<Vec<f64>>());
    let state = match trial.status {
        Status::Running => RUNNING,
        Status::Completed if values.is_some() => COMPLETE,
        Status::Completed | Status::Failed => FAIL,
    };
    Story { state, values }
}

/// Returns the line that makes a trial as it is now.
fn created(trial: &Trial, view: &StudyView<'_>) -> Json {
    let Story { state, values } = story(trial, view);
    let (mut params, mut distributions) = (Map::new(), Map::new());
    for param in &view.space.params {
        let value = trial.values.get(&param.name);
        let Some(internal) = value.and_then(|v| internal(&param.domain, v)) else { continue };
        params.insert(param.name.clone(), internal);
        distributions.insert(param.name.clone(), json!(distribution(param).to_string()));
    }
    let mut json = json!({
        "op_code": CREATE_TRIAL, "worker_id": WORKER, "study_id": 0, "datetime_start": moment(0.0), "state": state,
        "value": null, "values": values, "distributions": distributions, "params": params,
        "user_attrs": attributes(trial), "system_attrs": {}, "intermediate_values": {},
    });
    if state != RUNNING {
        json["datetime_complete"] = json!(moment(seconds(trial)));
    }
    json
}

/// Returns the lines that finish a trial that was made while it ran.
fn finished(trial: &Trial, story: &Story) -> String {
    let attribute = |(key, value): (&String, &Json)| {
        let attribute: Map<String, Json> = [(key.clone(), value.clone())].into_iter().collect();
        line(&json!({
            "op_code": SET_USER_ATTR, "worker_id": WORKER, "trial_id": trial.number, "user_attr": attribute,
        }))
    };
    let attributes: String = attributes(trial).iter().map(attribute).collect();
    attributes
        + &line(&json!({
            "op_code": SET_STATE, "worker_id": WORKER, "trial_id": trial.number, "state": story.state,
            "values": story.values, "datetime_complete": moment(seconds(trial)),
        }))
}

/// Returns what else is known of a trial: its id, epochs, seconds, metrics by fold and execution, and why it failed.
fn attributes(trial: &Trial) -> Map<String, Json> {
    let mut all = Map::new();
    let mut say = |key: &str, value: Json| drop(all.insert(key.to_owned(), value));
    say("trial_id", json!(trial.id));
    if let Some(budget) = &trial.budget {
        say("budget", json!(budget));
    }
    if let Some(evaluation) = &trial.evaluation {
        say("epoch", json!(evaluation.epoch));
        say("seconds", json!(evaluation.seconds));
        for (name, measurement) in &evaluation.metrics {
            say(name, json!(measurement.mean));
            if !measurement.folds.is_empty() {
                say(&format!("{name} by fold"), json!(measurement.folds));
            }
        }
    }
    if let Some(message) = &trial.message {
        say("message", json!(message));
    }
    all
}

fn seconds(trial: &Trial) -> f64 {
    trial.evaluation.as_ref().map_or(0.0, |e| e.seconds).clamp(0.0, 1e9)
}

/// Returns a moment some seconds after 1970 began, as ISO 8601: the days of a year are those of the Gregorian calendar.
fn moment(seconds: f64) -> String {
    let micros = (seconds * 1e6).round() as u64;
    let (days, second) = (micros / 86_400_000_000, micros / 1_000_000 % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let rest = (second % 60, micros % 1_000_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:06}+00:00", rest.0, rest.1)
}

fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    (year, month as u64 + 1, days + 1)
}

/// Returns the value as Optuna keeps it: a number, for a category its place.
fn internal(domain: &Domain, value: &Value) -> Option<Json> {
    domain.unit(value)?;
    match domain {
        Domain::Int { .. } | Domain::Float { .. } => value.as_f64().map(|v| json!(v)),
        Domain::Choice { values, .. } => values.iter().position(|v| v.is(value)).map(|i| json!(i as f64)),
        Domain::Bool => Some(json!(f64::from(u8::from(*value == Value::Bool(true))))),
        Domain::Fixed(_) => Some(json!(0.0)),
    }
}

/// Returns Optuna's distribution of a parameter; a mirrored logarithm, which it does not have, is linear there.
fn distribution(param: &Param) -> Json {
    let (name, attributes) = match &param.domain {
        Domain::Int { min, step, scale, .. } => {
            let log = *scale == Scale::Log;
            (
                "IntDistribution",
                json!({"log": log, "step": step, "low": min, "high": greatest(&param.domain)}),
            )
        }
        Domain::Float { min, step, scale, .. } => {
            let log = *scale == Scale::Log;
            (
                "FloatDistribution",
                json!({"step": step, "low": min, "high": greatest(&param.domain), "log": log}),
            )
        }
        Domain::Choice { values, .. } => ("CategoricalDistribution", json!({"choices": values})),
        Domain::Bool => ("CategoricalDistribution", json!({"choices": [false, true]})),
        Domain::Fixed(value) => ("CategoricalDistribution", json!({"choices": [value]})),
    };
    json!({"name": name, "attributes": attributes})
}

/// Returns the greatest value that a step reaches.
fn greatest(domain: &Domain) -> Value {
    domain.value(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuner::config::TunerConfig;
    use crate::tuner::objective::Objective;
    use crate::tuner::space::Space;
    use crate::tuner::trial::{Evaluation, Measurement};
    use crate::tuner::value::Values;

    struct Study(Space, Vec<Objective>, TunerConfig, Vec<Trial>);

    impl Study {
        fn new() -> Self {
            Self(Space::default(), vec![Objective::minimise("rmse")], TunerConfig::default(), Vec::new())
        }

        fn view(&self) -> StudyView<'_> {
            let Self(space, objectives, config, trials) = self;
            StudyView { name: "s", space, objectives, config, epochs: 9, trials, seed: 1 }
        }

        fn begin(&mut self) {
            let number = self.3.len();
            self.3.push(Trial::new(number, number.to_string(), Values::new(), None));
        }

        fn complete(&mut self, number: usize, mean: f64) {
            let metrics = [("rmse".to_owned(), Measurement { mean, ..Measurement::default() })].into();
            self.3[number].evaluation = Some(Evaluation { epoch: 3, metrics, seconds: 1.5 });
            self.3[number].status = Status::Completed;
        }
    }

    #[test]
    fn lines_are_appended_and_what_is_torn_or_stale_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let text = || file::read_text(&path).unwrap();
        let (mut study, mut journal) = (Study::new(), Journal::default());
        study.begin();
        journal.update(folder.path(), &study.view()).unwrap();
        let first = text();
        study.complete(0, 0.5);
        study.begin();
        journal.update(folder.path(), &study.view()).unwrap();
        assert!(text().starts_with(&first) && text().lines().count() > first.lines().count() + 1);
        let told = read(&path, &study.view()).unwrap().stories;
        let expected =
            [Story { state: COMPLETE, values: Some(vec![0.5]) }, Story { state: RUNNING, values: None }];
        assert_eq!(told, expected);
        // Another worker, then a torn line, then a trial that is begun anew.
        let whole = text();
        Journal::default().update(folder.path(), &study.view()).unwrap();
        assert_eq!(text(), whole);
        file::write_atomic(&path, &whole.as_bytes()[..whole.len() - 9]).unwrap();
        journal.update(folder.path(), &study.view()).unwrap();
        assert_eq!(read(&path, &study.view()).unwrap().stories, expected);
        study.3[0].status = Status::Running;
        journal.update(folder.path(), &study.view()).unwrap();
        assert_eq!(read(&path, &study.view()).unwrap().stories[0].state, RUNNING);
    }

    #[test]
    fn what_optuna_added_is_kept_beside() {
        let folder = tempfile::tempdir().unwrap();
        let (mut study, mut journal) = (Study::new(), Journal::default());
        study.begin();
        journal.update(folder.path(), &study.view()).unwrap();
        let theirs = format!(
            "{}{{\"op_code\":4,\"worker_id\":\"x-1\",\"study_id\":0,\"datetime_start\":null}}\n",
            file::read_text(&folder.path().join(FILE)).unwrap()
        );
        file::write_atomic(&folder.path().join(FILE), theirs.as_bytes()).unwrap();
        journal.update(folder.path(), &study.view()).unwrap();
        assert_eq!(file::read_text(&folder.path().join("optuna.continued-1.jsonl")).unwrap(), theirs);
        assert!(!file::read_text(&folder.path().join(FILE)).unwrap().contains("x-1"));
    }

    #[test]
    fn distributions_are_those_of_optuna() {
        // optuna 5.0.0: distribution_to_json of each.
        let json = |domain| {
            distribution(&Param {
                name: "x".into(),
                key: "x".into(),
                index: None,
                domain,
                conditions: vec![],
            })
        };
        let int = Domain::Int { min: 16, max: 70, step: 16, scale: Scale::Linear };
        let float = Domain::Float { min: 1e-4, max: 0.01, step: None, scale: Scale::Log };
        let cases = [
            (
                int,
                r#"{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}"#,
            ),
            (
                float,
                r#"{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.01, "log": true}}"#,
            ),
            (
                Domain::Bool,
                r#"{"name": "CategoricalDistribution", "attributes": {"choices": [false, true]}}"#,
            ),
        ];
        for (domain, expected) in cases {
            assert_eq!(json(domain), serde_json::from_str::<Json>(expected).unwrap());
        }
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        // Python: (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=s)).isoformat(timespec="microseconds")
        let cases = [
            (0.0, "1970-01-01T00:00:00.000000+00:00"),
            (93_784.25, "1970-01-02T02:03:04.250000+00:00"),
            (68_169_600.0, "1972-02-29T00:00:00.000000+00:00"),
            (951_868_799.0, "2000-02-29T23:59:59.000000+00:00"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(moment(seconds), expected);
        }
    }
}
