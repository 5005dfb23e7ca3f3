//! Binding: how the values of a trial become keys of an experiment.

use std::collections::BTreeMap;

use toml::{Table, Value as Toml};

use crate::experiment::config::ExperimentConfig;
use crate::experiment::parse::{self, ConfigError, Problem};
use crate::tuner::grammar::toml_value;
use crate::tuner::{Param, Space, Values};

/// Keys that say what is asked, not how it is answered: a search that varied them would compare different questions.
const QUESTION: [&str; 15] = [
    "kind",
    "dataset",
    "cells",
    "reference",
    "seed",
    "repeats",
    "target",
    "label",
    "split",
    "compare",
    "references",
    "tuned_on_test",
    "notes",
    "tuner",
    "inputs.allow_leak",
];

/// Returns the experiment of a trial.
///
/// A key with `per` gets the list of its active values; `model.units` as a list is `model.hidden`.
///
/// # Errors
/// [`ConfigError::Problems`] where the values do not go together.
pub fn bind(
    base: &ExperimentConfig,
    space: &Space,
    values: &Values,
) -> Result<ExperimentConfig, ConfigError> {
    let set = assignments(space, values);
    let removed = overruled(&set);
    parse::with_removed(base, &removed, &set, "this trial")
}

/// Returns the keys that a trial sets, with their values.
pub fn assignments(space: &Space, values: &Values) -> Table {
    let mut lists: BTreeMap<&str, Vec<Toml>> = BTreeMap::new();
    let mut set = Table::new();
    for param in &space.params {
        let Some(value) = values.get(&param.name) else { continue };
        match param.index {
            None => drop(set.insert(param.key.clone(), toml_value(value))),
            Some(_) => lists.entry(&param.key).or_default().push(toml_value(value)),
        }
    }
    for (key, list) in lists {
        let key = if key == "model.units" { "model.hidden" } else { key };
        set.insert(key.into(), Toml::Array(list));
    }
    if set.contains_key("model.hidden") {
        set.remove("model.layers");
    }
    set
}

/// Returns keys of the experiment that stand for the same as those that are set.
fn overruled(set: &Table) -> Vec<&'static str> {
    if set.contains_key("model.hidden") {
        return vec!["model.layers", "model.units"];
    }
    let widths = set.contains_key("model.layers") || set.contains_key("model.units");
    if widths { vec!["model.hidden"] } else { Vec::new() }
}

/// Returns what is wrong with the keys of a space: unknown ones, those of the question, and values of a wrong kind.
pub fn problems(base: &ExperimentConfig, space: &Space) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for param in &space.params {
        let key = format!("tuner.space.\"{}\"", param.key);
        if problems.iter().any(|p| p.key == key) {
            continue;
        }
        let is_question = QUESTION.iter().any(|q| param.key == *q || param.key.starts_with(&format!("{q}.")));
        let text = if is_question {
            Some("is part of the question, which a search does not change".to_owned())
        } else {
            misfit(base, param)
        };
        problems.extend(text.map(|text| Problem::new(key, text)));
    }
    problems
}

/// Tries the ends (or every level) of one parameter on the experiment; what they say of their own key counts.
fn misfit(base: &ExperimentConfig, param: &Param) -> Option<String> {
    let levels = param.domain.levels().filter(|n| *n <= 64 && !param.domain.is_ordered()).unwrap_or(2);
    let unit = |idx: usize| if levels == 1 { 0.5 } else { idx as f64 / (levels - 1) as f64 };
    (0..levels).find_map(|idx| {
        let alone = Space { params: vec![Param { conditions: Vec::new(), ..param.clone() }] };
        let set = assignments(&alone, &alone.values(&[unit(idx)]));
        let key = set.keys().next()?.clone();
        let Err(ConfigError::Problems { problems, .. }) =
            parse::with_removed(base, &overruled(&set), &set, "this trial")
        else {
            return None;
        };
        let own = |p: &Problem| key.starts_with(&p.key) || p.key.starts_with(&key) || is_width(&key, &p.key);
        problems.into_iter().find(own).map(|p| p.text)
    })
}

/// Returns whether a problem of the hidden layers is one of the key that makes them.
fn is_width(key: &str, problem: &str) -> bool {
    problem.starts_with("model.hidden") && ["model.units", "model.layers"].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::config::ModelKind;
    use crate::tuner::Value;
    use crate::tuner::grammar::{Context, parse as read};

    fn space(text: &str) -> Space {
        let names = BTreeMap::new();
        let fixed = |_: &str| Some(Value::Int(2));
        read(&text.parse().unwrap(), Context { fixed: &fixed, names: &names }).unwrap()
    }

    #[test]
    fn a_trial_sets_the_keys_of_its_space() {
        let space = space(
            "\"model.layers\" = { int = [1, 3] }\n\"model.units\" = { int = [8, 32], step = 8, per = \"model.layers\" }\n\
             \"model.kind\" = { choice = [\"dense\", \"hybrid\"] }\n\"train.optimizer.kind\" = { choice = [\"adam\", \"sgd\"] }\n\
             \"inputs.descriptors\" = { choice = [[\"charge_throughput\"], [\"history_rest_log\", \"charge_throughput\"]] }",
        );
        let base = ExperimentConfig::default();
        let at = |name: &str| space.params.iter().position(|p| p.name == name).unwrap();
        let mut point = vec![0.99; space.len()];
        point[at("model/layers")] = 0.5;
        point[at("model/units_1")] = 0.0;
        let config = bind(&base, &space, &space.values(&point)).unwrap();
        assert_eq!(config.model.network().hidden, [32, 8]);
        assert_eq!((config.model.kind, config.inputs.descriptors.len()), (ModelKind::Hybrid, 2));
        assert_eq!(problems(&base, &space), []);
    }

    #[test]
    fn wrong_keys_are_found_before_anything_runs() {
        let wrong = space(
            "\"train.learning_rte\" = { float = [0.1, 1.0] }\n\"model.activation\" = { choice = [\"relu\", \"rleu\"] }\n\
             \"split.fraction\" = { float = [0.1, 0.9] }\n\"train.epochs\" = { float = [1.5, 2.5] }\n\
             \"train.learning_rate\" = { float = [-1.0, 1.0] }\n\"model.units\" = { int = [0, 8] }",
        );
        let found = problems(&ExperimentConfig::default(), &wrong);
        let text: String = found.iter().map(|p| format!("{}: {}\n", p.key, p.text)).collect();
        for expected in [
            "did you mean `learning_rate`",
            "rleu",
            "split.fraction\": is part of the question",
            "train.epochs",
            "learning_rate\": is -1",
            "model.units",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert_eq!(found.len(), 6, "{text}");
    }
}
