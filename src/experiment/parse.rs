//! Reads experiment files so that every problem is found at once, each with its key.
//!
//! Serde stops at its first error. So the keys are first held against those of the default experiment, then each
//! value is tried alone on the defaults, and only a file without problems is read as a whole.

use std::fmt;
use std::path::Path;

use serde_json::Value;
use toml::Table;

use super::config::ExperimentConfig;
use super::start::StartConfig;
use crate::descriptor;
use crate::file::{self, FileError};
use crate::prepare::SelectConfig;
use crate::tuner::TunerConfig;
use crate::tuner::config::ImportConfig;

/// Everything that is wrong with one experiment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Occurs when the file cannot be read or is no TOML.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when keys or values are wrong.
    #[error("{source_name}: {}{}", count(problems.len()), lines(problems))]
    Problems {
        /// File, or what the settings came from.
        source_name: String,
        /// What is wrong, key by key.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Key with dots (`train.learning_rate`).
    pub key: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl Problem {
    /// Returns the problem `text` of `key`.
    pub fn new(key: impl Into<String>, text: impl fmt::Display) -> Self {
        Self { key: key.into(), text: text.to_string() }
    }
}

/// Reads an experiment file, with `overrides` (`key=value`) laid over it.
///
/// # Errors
/// [`ConfigError`] with every problem of the file.
pub fn read(path: &Path, overrides: &[String]) -> Result<ExperimentConfig, ConfigError> {
    let text = file::read_text(path)?;
    parse(&text, &path.display().to_string(), overrides)
}

/// Reads the text of an experiment file; `source_name` stands in the errors.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, source_name: &str, overrides: &[String]) -> Result<ExperimentConfig, ConfigError> {
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| FileError::parse(source_name, e))?;
    let mut problems = Vec::new();
    for assignment in overrides {
        if let Err(problem) = assign(&mut table, assignment) {
            problems.push(problem);
        }
    }
    resolve(&table, source_name, problems)
}

/// Returns `config` with some keys set anew, as `compare` does.
///
/// # Errors
/// [`ConfigError::Problems`].
pub fn with(
    config: &ExperimentConfig,
    set: &Table,
    source_name: &str,
) -> Result<ExperimentConfig, ConfigError> {
    with_removed(config, &[], set, source_name)
}

/// Returns `config` with some keys (with dots) back at their defaults and others set anew, as searches do.
///
/// # Errors
/// [`ConfigError::Problems`].
pub fn with_removed(
    config: &ExperimentConfig,
    removed: &[&str],
    set: &Table,
    source_name: &str,
) -> Result<ExperimentConfig, ConfigError> {
    let mut table = Table::try_from(config).map_err(|e| FileError::parse(source_name, e))?;
    for key in removed {
        remove(&mut table, key);
    }
    for (key, value) in set {
        insert(&mut table, key, value.clone());
    }
    resolve(&table, source_name, Vec::new())
}

fn remove(table: &mut Table, key: &str) {
    match key.split_once('.') {
        None => drop(table.remove(key)),
        Some((head, rest)) => {
            if let Some(inner) = table.get_mut(head).and_then(toml::Value::as_table_mut) {
                remove(inner, rest);
            }
        }
    }
}

/// Lays `key=value` over a table; the value is TOML, or else text.
fn assign(table: &mut Table, assignment: &str) -> Result<(), Problem> {
    let (key, text) = assignment.split_once('=').ok_or_else(|| {
        Problem::new(assignment, "no `=`; write --set key=value, as in --set train.epochs=50")
    })?;
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("value"));
    insert(table, key.trim(), parsed.unwrap_or_else(|| toml::Value::String(text.trim().into())));
    Ok(())
}

fn insert(table: &mut Table, key: &str, value: toml::Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.into(), value)),
        Some((head, rest)) => {
            let inner = table.entry(head).or_insert_with(|| Table::new().into());
            if !inner.is_table() {
                *inner = Table::new().into();
            }
            if let Some(inner) = inner.as_table_mut() {
                // A choice by `kind` begins anew: the keys of another kind do not fit it.
                if rest == "kind" && inner.get("kind").is_some_and(|k| *k != value) && head != "model" {
                    inner.clear();
                }
                insert(inner, rest, value);
            }
        }
    }
}

fn resolve(
    table: &Table,
    source_name: &str,
    mut problems: Vec<Problem>,
) -> Result<ExperimentConfig, ConfigError> {
    let defaults = serde_json::to_value(every_key()).map_err(|e| FileError::parse(source_name, e))?;
    let given = serde_json::to_value(table).map_err(|e| FileError::parse(source_name, e))?;
    find_problems(&given, &defaults, &defaults, &mut Vec::new(), &mut problems);
    if problems.is_empty() {
        match serde_json::from_value::<ExperimentConfig>(given) {
            Ok(config) => {
                problems = super::check::problems(&config);
                if problems.is_empty() {
                    return Ok(config);
                }
            }
            Err(e) => problems.push(Problem::new("", e)),
        }
    }
    Err(ConfigError::Problems { source_name: source_name.into(), problems })
}

/// Returns an experiment that has every key.
fn every_key() -> ExperimentConfig {
    let tuner = TunerConfig { import: Some(ImportConfig::default()), ..TunerConfig::default() };
    ExperimentConfig {
        tuner: Some(tuner),
        start: Some(StartConfig::every_key()),
        select: Some(SelectConfig::default()),
        ..ExperimentConfig::default()
    }
}

/// Holds each key against the defaults; tables that choose by `kind` are tried as one value.
fn find_problems(
    given: &Value,
    level: &Value,
    defaults: &Value,
    path: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) {
    let (Some(given), Some(known)) = (given.as_object(), level.as_object()) else { return };
    for (key, value) in given {
        path.push(key.clone());
        let is_choice = |v: &Value| path != &["model"] && v.get("kind").is_some();
        match known.get(key) {
            None => problems.push(unknown_key(path, known.keys())),
            Some(level) if level.is_object() && !is_choice(level) && !is_free(path) => {
                find_problems(value, level, defaults, path, problems);
            }
            Some(_) => try_value(value, defaults, path, problems),
        }
        path.pop();
    }
}

/// Returns whether a table's keys are names that the user chooses.
fn is_free(path: &[String]) -> bool {
    let free: [&[&str]; 5] = [
        &["references"],
        &["physics", "hold"],
        &["tuner", "space"],
        &["tuner", "import", "names"],
        &["tuner", "import", "metric"],
    ];
    free.iter().any(|f| path == *f)
}

fn unknown_key<'a>(path: &[String], known: impl Iterator<Item = &'a String>) -> Problem {
    let key = &path[path.len() - 1];
    let hint = descriptor::did_you_mean(key, known.map(String::as_str));
    Problem::new(path.join("."), format!("unknown key{hint}"))
}

/// Tries one value on the default experiment.
fn try_value(value: &Value, defaults: &Value, path: &[String], problems: &mut Vec<Problem>) {
    let mut probe = defaults.clone();
    let slot = path.iter().try_fold(&mut probe, |at, key| at.get_mut(key));
    let Some(slot) = slot else { return };
    *slot = value.clone();
    if let Err(e) = serde_json::from_value::<ExperimentConfig>(probe) {
        problems.push(Problem::new(path.join("."), e));
    }
}

fn count(n: usize) -> String {
    if n == 1 { "1 problem".into() } else { format!("{n} problems") }
}

fn lines(problems: &[Problem]) -> String {
    let width = problems.iter().map(|p| p.key.len()).max().unwrap_or(0);
    problems.iter().map(|p| format!("\n  {:width$}  {}", p.key, p.text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::config::ModelKind;

    fn problems(text: &str, overrides: &[&str]) -> Vec<Problem> {
        let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        match parse(text, "x.toml", &overrides) {
            Ok(_) => Vec::new(),
            Err(ConfigError::Problems { problems, .. }) => problems,
            Err(e) => vec![Problem::new("", e)],
        }
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_key_and_the_nearest_one() {
        let text = "sed = 1\n[train]\nlearning_rte = 0.1\nepochs = \"many\"\n[model]\nactivation = \"rleu\"\n\
            [train.schedule]\nkind = \"step\"\nevry = 3\n[inputs]\ndescriptors = 3";
        let found = problems(text, &[]);
        let keys: Vec<&str> = found.iter().map(|p| p.key.as_str()).collect();
        for key in [
            "sed",
            "train.learning_rte",
            "train.epochs",
            "model.activation",
            "train.schedule",
            "inputs.descriptors",
        ] {
            assert!(keys.contains(&key), "{key} in {found:?}");
        }
        assert!(found.iter().any(|p| p.text.contains("did you mean `learning_rate`?")), "{found:?}");
        assert!(found.iter().any(|p| p.text.contains("did you mean `seed`?")), "{found:?}");
    }

    #[test]
    fn an_override_wins_over_the_file_and_is_checked_like_it() {
        let set =
            ["train.epochs=7".to_string(), "model.kind=hybrid".to_string(), "model.hidden=[8]".to_string()];
        let config = parse("[train]\nepochs = 3", "x.toml", &set).unwrap();
        assert_eq!((config.train.epochs, config.model.kind), (7, ModelKind::Hybrid));
        assert_eq!(config.model.network().hidden, [8]);
        assert_eq!(problems("", &["train.epoch=7"])[0].key, "train.epoch");
        assert!(problems("", &["nonsense"])[0].text.contains("--set key=value"));
    }

    #[test]
    fn the_resolved_experiment_reads_back_as_itself() {
        let text = "kind = \"trajectory\"\ncells = [\"A\"]\n[split]\nkind = \"time\"\nfraction = 0.8\n[references]\nline = 0.04\n\
            [train]\nloss = { huber = { delta = 0.2 } }\n[[compare]]\nname = \"p\"\nset = { \"model.kind\" = \"physics\" }";
        let config = parse(text, "x.toml", &[]).unwrap();
        let again = parse(&toml::to_string(&config).unwrap(), "y.toml", &[]).unwrap();
        assert_eq!(again, config);
        let physics = with(&config, &config.compare[0].set, "compare").unwrap();
        assert_eq!(physics.model.kind, ModelKind::Physics);
    }

    #[test]
    fn the_loss_of_classes_is_refused_where_a_number_is_asked_for() {
        let keys = |text: &str, set: &[&str]| -> Vec<String> {
            problems(text, set).into_iter().map(|problem| problem.key).collect()
        };
        let text = "[model]\nkind = \"hybrid\"\nmonotone_fade = 1.0\n[train]\nloss = \"cross_entropy\"";
        assert_eq!(keys(text, &[]), ["train.loss", "model.kind", "model.monotone_fade"]);
        let smoothing = "train.loss.cross_entropy.label_smoothing";
        assert_eq!(keys("", &[&format!("{smoothing}=1.5")]), ["train.loss", smoothing]);
    }

    #[test]
    fn a_syntax_error_names_the_file() {
        let error = parse("[train", "x.toml", &[]).unwrap_err();
        assert!(error.to_string().contains("x.toml"), "{error}");
    }
}
