//! Reads a Keras Tuner project, whole or damaged, and changes nothing of it.
//!
//! Each trial's own file is what counts; `oracle.json` adds the order of the trials and Hyperband's brackets. What cannot be
//! read is named in the warnings and the rest still counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;

use super::keras::{RESERVED, SUM, trial_path};
use super::token;
use crate::file::{self, FileError};
use crate::tuner::objective::Direction;
use crate::tuner::value::{Value, Values};

/// A project as far as it can be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KerasProject {
    /// Trials in the order in which they began.
    pub trials: Vec<KerasTrial>,
    /// Names of all hyperparameters that the search or a trial has.
    pub names: BTreeSet<String>,
    /// Names of all metrics that a trial reports.
    pub metrics: BTreeSet<String>,
    /// What could not be read or is odd, one sentence each.
    pub warnings: Vec<String>,
}

/// One trial of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct KerasTrial {
    /// Name; its folder is `trial_<id>`.
    pub id: String,
    /// Values by name, those that are not active in the space perhaps included.
    pub values: Values,
    /// How far it is.
    pub status: KerasStatus,
    /// What the search goes by; `None` where it is no number.
    pub score: Option<f64>,
    /// Step with the best score, counted as whoever trained it counts.
    pub step: Option<u32>,
    /// Finite metrics at that step, or the best where the trial says no step; mean over executions.
    pub metrics: BTreeMap<String, f64>,
    /// What Hyperband gave it.
    pub budget: Option<KerasBudget>,
    /// Why it failed.
    pub message: Option<String>,
}

/// How far a trial of a project is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KerasStatus {
    /// It has a score.
    Completed,
    /// It failed and is not tried again.
    Failed,
    /// It was not finished, or waits for another try.
    Unfinished,
}

/// Epochs of a trial of Keras Tuner's Hyperband.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KerasBudget {
    /// Epochs before it.
    pub from: u32,
    /// Epochs after which it stops.
    pub until: u32,
    /// Its bracket.
    pub bracket: u32,
    /// Its round in the bracket, from 0.
    pub round: u32,
    /// Trial that it goes on from.
    pub source: Option<String>,
}

/// Why a project cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// Occurs when the folder cannot be listed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when nothing in the folder is Keras Tuner's.
    #[error(
        "`{path}` is no Keras Tuner project: it has neither oracle.json nor a folder trial_<id>; name the folder that has them"
    )]
    NoProject {
        /// Folder that was looked at.
        path: PathBuf,
    },
}

/// Reads the project in `folder`.
///
/// # Errors
/// [`ProjectError`] where the folder is not there or is no project.
pub fn read(folder: &Path) -> Result<KerasProject, ProjectError> {
    let ids = trial_ids(folder)?;
    let oracle_path = folder.join("oracle.json");
    if ids.is_empty() && !oracle_path.is_file() {
        return Err(ProjectError::NoProject { path: folder.into() });
    }
    let mut project = KerasProject::default();
    if !folder.join("tuner0.json").is_file() {
        let text = "tuner0.json is missing: Keras Tuner itself would begin anew in this folder";
        project.warnings.push(text.into());
    }
    let oracle = read_oracle(&oracle_path).unwrap_or_else(|text| {
        project.warnings.push(format!("oracle.json {text}; the trials' own files count"));
        OracleFile::default()
    });
    project.names.extend(oracle.hyperparameters.names());
    let places = oracle.places();
    for id in oracle.order(ids, &mut project.warnings) {
        match read_trial(folder, &id, &places) {
            Ok((trial, names, metrics)) => {
                project.names.extend(names);
                project.metrics.extend(metrics);
                project.trials.push(trial);
            }
            Err(text) => project.warnings.push(format!("trial {id} {text}; it does not count")),
        }
    }
    Ok(project)
}

fn trial_ids(folder: &Path) -> Result<Vec<String>, FileError> {
    let entries = fs::read_dir(folder).map_err(|e| FileError::read(folder, e))?;
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| FileError::read(folder, e))?.file_name();
        ids.extend(name.to_str().and_then(|n| n.strip_prefix("trial_")).map(str::to_owned));
    }
    // Ids of mixed width come up when Keras Tuner is given more trials than before.
    ids.sort_by_cached_key(|id| (id.parse::<u64>().unwrap_or(u64::MAX), id.clone()));
    Ok(ids)
}

fn read_oracle(path: &Path) -> Result<OracleFile, String> {
    let bytes = file::read(path).map_err(|_| "is missing".to_owned())?;
    token::parse(&bytes).map_err(|e| format!("cannot be understood ({e})"))
}

fn read_trial(
    folder: &Path,
    id: &str,
    places: &BTreeMap<String, (u32, u32)>,
) -> Result<(KerasTrial, Vec<String>, Vec<String>), String> {
    let bytes = file::read(&trial_path(folder, id)).map_err(|_| "has no trial.json".to_owned())?;
    let text = |e| format!("has a trial.json that cannot be understood ({e})");
    let file: TrialFile = token::parse(&bytes).map_err(text)?;
    if file.trial_id != id {
        return Err(format!("has a trial.json of trial {}", file.trial_id));
    }
    let names = file.hyperparameters.names();
    let metrics = file.metrics.metrics.keys().filter(|m| *m != SUM).cloned().collect();
    Ok((file.trial(places)?, names, metrics))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OracleFile {
    hyperparameters: Hyperparameters,
    start_order: Vec<String>,
    brackets: Vec<Bracket>,
}

#[derive(Deserialize)]
struct Bracket {
    bracket_num: u32,
    rounds: Vec<Vec<Place>>,
}

#[derive(Deserialize)]
struct Place {
    id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Hyperparameters {
    space: Vec<Json>,
    values: serde_json::Map<String, Json>,
}

#[derive(Deserialize)]
struct TrialFile {
    trial_id: String,
    hyperparameters: Hyperparameters,
    metrics: Metrics,
    score: Option<f64>,
    best_step: Option<u32>,
    status: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Metrics {
    metrics: BTreeMap<String, History>,
}

#[derive(Deserialize)]
struct History {
    direction: Direction,
    observations: Vec<Observation>,
}

#[derive(Deserialize)]
struct Observation {
    value: Vec<Option<f64>>,
    step: u32,
}

impl OracleFile {
    /// Returns the ids in the order in which the trials began; those that it does not know follow.
    fn order(&self, ids: Vec<String>, warnings: &mut Vec<String>) -> Vec<String> {
        let mut left: BTreeSet<String> = ids.iter().cloned().collect();
        let mut order = Vec::with_capacity(ids.len());
        for id in &self.start_order {
            match left.take(id) {
                Some(id) => order.push(id),
                None => warnings.push(format!("trial {id} is named in oracle.json and has no folder")),
            }
        }
        order.extend(ids.into_iter().filter(|id| left.contains(id)));
        order
    }

    /// Returns bracket and round by trial; the value `tuner/bracket` of a straggler names a later bracket.
    fn places(&self) -> BTreeMap<String, (u32, u32)> {
        let rounds = |b: &Bracket| {
            let num = b.bracket_num;
            let round = |(r, places): (usize, &Vec<Place>)| {
                places.iter().map(|p| (p.id.clone(), (num, r as u32))).collect::<Vec<_>>()
            };
            b.rounds.iter().enumerate().flat_map(round).collect::<Vec<_>>()
        };
        self.brackets.iter().flat_map(rounds).collect()
    }
}

impl Hyperparameters {
    fn names(&self) -> Vec<String> {
        let spaced = self.space.iter().filter_map(|p| p["config"]["name"].as_str());
        let names = spaced.chain(self.values.keys().map(String::as_str));
        names.filter(|name| !name.starts_with(RESERVED)).map(str::to_owned).collect()
    }
}

impl TrialFile {
    fn trial(self, places: &BTreeMap<String, (u32, u32)>) -> Result<KerasTrial, String> {
        let budget = self.budget(places.get(&self.trial_id));
        let mut values = Values::new();
        for (name, json) in self.hyperparameters.values.iter().filter(|(n, _)| !n.starts_with(RESERVED)) {
            let value = value(json).ok_or_else(|| format!("has `{name}` = {json}, which is no value"))?;
            values.insert(name.clone(), value);
        }
        let status = match self.status.as_str() {
            // A score that is no number makes the trial a failed one there, too.
            "COMPLETED" if self.score.is_none() => KerasStatus::Failed,
            "COMPLETED" => KerasStatus::Completed,
            "FAILED" => KerasStatus::Failed,
            _ => KerasStatus::Unfinished,
        };
        let at = |(name, history): (&String, &History)| Some((name.clone(), history.at(self.best_step)?));
        let metrics = self.metrics.metrics.iter().filter(|(name, _)| *name != SUM).filter_map(at).collect();
        let (id, score, step, message) = (self.trial_id, self.score, self.best_step, self.message);
        Ok(KerasTrial { id, values, status, score, step, metrics, budget, message })
    }

    fn budget(&self, place: Option<&(u32, u32)>) -> Option<KerasBudget> {
        let values = &self.hyperparameters.values;
        let json = |name: &str| values.get(&format!("{RESERVED}{name}"));
        let number = |name: &str| json(name).and_then(Json::as_u64).and_then(|v| u32::try_from(v).ok());
        let until = number("epochs")?;
        let said = (number("bracket").unwrap_or(0), number("round").unwrap_or(0));
        let (bracket, round) = place.copied().unwrap_or(said);
        let source = json("trial_id").and_then(Json::as_str).map(str::to_owned);
        Some(KerasBudget { from: number("initial_epoch").unwrap_or(0), until, bracket, round, source })
    }
}

impl History {
    /// Returns the mean at a step, or the best of all steps where there is none at it; `None` where it is no number.
    fn at(&self, step: Option<u32>) -> Option<f64> {
        let at_step = self.observations.iter().find(|o| Some(o.step) == step);
        if let Some(observation) = at_step {
            return observation.mean();
        }
        let means = self.observations.iter().filter_map(Observation::mean);
        means.reduce(|a, b| if self.direction == Direction::Min { a.min(b) } else { a.max(b) })
    }
}

impl Observation {
    fn mean(&self) -> Option<f64> {
        let sum: Option<f64> = self.value.iter().copied().sum();
        sum.map(|s| s / self.value.len() as f64).filter(|m| m.is_finite())
    }
}

fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(v) => Some(Value::Bool(*v)),
        Json::String(v) => Some(Value::Text(v.clone())),
        Json::Number(v) => v.as_i64().map(Value::Int).or_else(|| v.as_f64().map(Value::Float)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::KerasStatus::{Completed, Failed};
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras_tuner").join(name)
    }

    fn copy(name: &str) -> tempfile::TempDir {
        let to = tempfile::tempdir().unwrap();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            file::create_folder(&to.path().join(&folder)).unwrap();
            for entry in fs::read_dir(fixture(name).join(&folder)).unwrap() {
                let path = folder.join(entry.unwrap().file_name());
                if fixture(name).join(&path).is_dir() {
                    folders.push(path);
                } else {
                    fs::copy(fixture(name).join(&path), to.path().join(&path)).unwrap();
                }
            }
        }
        to
    }

    fn ids(project: &KerasProject) -> Vec<&str> {
        project.trials.iter().map(|t| t.id.as_str()).collect()
    }

    #[test]
    fn a_project_of_keras_tuner_is_read_with_what_failed_there() {
        // Scores as keras_tuner 1.4.8 reloads them; see PROVENANCE.md.
        let project = read(&fixture("random")).unwrap();
        assert_eq!(project.warnings, Vec::<String>::new());
        let scores: Vec<Option<f64>> = project.trials.iter().map(|t| t.score).collect();
        let finite = [
            0.906_636_666_204_780_9,
            7.645_876_742_029_873,
            1.670_639_005_903_460_2,
            1.400_437_523_873_712_6,
        ];
        assert_eq!(scores, [Some(finite[0]), Some(finite[1]), None, None, Some(finite[2]), Some(finite[3])]);
        let status: Vec<KerasStatus> = project.trials.iter().map(|t| t.status).collect();
        assert_eq!(status, [Completed, Completed, Failed, Failed, Completed, Completed]);
        let not_a_number = &project.trials[2];
        assert_eq!((not_a_number.metrics.get("val_loss"), not_a_number.metrics["val_mae"]), (None, 1.0));
        assert!(project.trials[3].message.as_ref().unwrap().ends_with("ValueError: boom\n"));
        let names = ["activation", "layers", "loss", "lr", "norm", "units_0", "units_1"];
        assert_eq!(project.names, names.map(str::to_owned).into());
        assert_eq!(project.metrics, ["val_loss", "val_mae"].map(str::to_owned).into());
        assert_eq!(project.trials[0].values["lr"], Value::Float(0.000_843_363_333_795_219_2));
        assert_eq!(project.trials[0].values["norm"], Value::Bool(false));
    }

    #[test]
    fn hyperband_trials_carry_their_budget_and_not_its_values() {
        let project = read(&fixture("hyperband")).unwrap();
        let promoted = &project.trials[12];
        let budget = KerasBudget { from: 3, until: 9, bracket: 2, round: 2, source: Some("0009".into()) };
        assert_eq!(promoted.budget, Some(budget));
        assert!(promoted.values.keys().all(|name| !name.starts_with(RESERVED)));
        assert_eq!(project.trials[15].status, KerasStatus::Unfinished);
    }

    #[test]
    fn a_damaged_project_gives_what_is_left_and_is_not_changed() {
        let folder = copy("random");
        let at = |name: &str| folder.path().join(name);
        file::remove_file(&at("tuner0.json")).unwrap();
        let oracle = file::read(&at("oracle.json")).unwrap();
        file::write_atomic(&at("oracle.json"), &oracle[..oracle.len() / 2]).unwrap();
        file::remove_file(&at("trial_1/trial.json")).unwrap();
        file::write_atomic(&at("trial_4/trial.json"), b"{\"trial_id\": \"4\", \"hyper").unwrap();
        file::create_folder(&at("trial_10")).unwrap();
        let before: Vec<Vec<u8>> =
            ["oracle.json", "trial_4/trial.json"].iter().map(|f| file::read(&at(f)).unwrap()).collect();
        let project = read(folder.path()).unwrap();
        assert_eq!(ids(&project), ["0", "2", "3", "5"]);
        for text in [
            "tuner0.json is missing",
            "oracle.json cannot be understood",
            "trial 1 has no trial.json",
            "trial 4 has",
            "trial 10 has no",
        ] {
            assert_eq!(
                project.warnings.iter().filter(|w| w.starts_with(text)).count(),
                1,
                "{text}: {:?}",
                project.warnings
            );
        }
        let after: Vec<Vec<u8>> =
            ["oracle.json", "trial_4/trial.json"].iter().map(|f| file::read(&at(f)).unwrap()).collect();
        assert_eq!((before, at("tuner0.json").exists()), (after, false));
        assert!(matches!(read(&at("trial_10")), Err(ProjectError::NoProject { .. })));
        assert!(matches!(read(&at("nowhere")), Err(ProjectError::File(_))));
    }

    #[test]
    fn no_truncation_is_taken_for_a_whole_file() {
        for name in ["random/oracle.json", "hyperband/oracle.json"] {
            let bytes = file::read(&fixture(name)).unwrap();
            assert!((0..bytes.len()).all(|n| token::parse::<OracleFile>(&bytes[..n]).is_err()));
            assert!(token::parse::<OracleFile>(&bytes).is_ok());
        }
        let bytes = file::read(&fixture("random/trial_2/trial.json")).unwrap();
        assert!((0..bytes.len()).all(|n| token::parse::<TrialFile>(&bytes[..n]).is_err()));
    }
}
