//! Settings of a search: `[tuner]` of an experiment, resolved, with everything that is wrong with it at once.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{binding, metric};
use crate::experiment::config::ExperimentConfig;
use crate::experiment::parse::{ConfigError, Problem};
use crate::tuner::grammar::{self, Context};
use crate::tuner::{Objective, Space, TunerConfig, Value};

/// What is searched, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The experiment without `[tuner]`; each trial lies over it.
    pub base: ExperimentConfig,
    /// Settings of the search.
    pub tuner: TunerConfig,
    /// What may vary.
    pub space: Space,
    /// What is made small or great.
    pub objectives: Vec<Objective>,
}

impl Settings {
    /// Resolves the `[tuner]` table of an experiment; `source_name` stands in the errors.
    ///
    /// # Errors
    /// [`ConfigError::Problems`] with everything that is wrong.
    pub fn new(config: &ExperimentConfig, source_name: &str) -> Result<Self, ConfigError> {
        let refuse = |problems| Err(ConfigError::Problems { source_name: source_name.into(), problems });
        let Some(tuner) = config.tuner.clone() else {
            return refuse(vec![Problem::new(
                "tuner",
                "is missing; say what to search in [tuner] and [tuner.space]",
            )]);
        };
        let mut base = ExperimentConfig { tuner: None, repeats: tuner.executions.max(1), ..config.clone() };
        base.train.members = tuner.members.unwrap_or(base.train.members);
        base.compare.clear();
        let mut problems = ranges(&tuner);
        let objectives = objectives(&tuner, &mut problems);
        let space = space(&base, &tuner, &mut problems);
        if tuner.oracle.deals_epochs() {
            let clash = space.params.iter().find(|p| p.key == "train.epochs");
            problems.extend(clash.map(|_| {
                Problem::new(
                    "tuner.space.\"train.epochs\"",
                    "the oracle deals out the epochs; leave it out, or take another oracle",
                )
            }));
        }
        problems.extend(binding::problems(&base, &space));
        if problems.is_empty() { Ok(Self { base, tuner, space, objectives }) } else { refuse(problems) }
    }

    /// Returns the root of the search's random streams.
    pub fn seed(&self) -> u64 {
        self.tuner.seed.unwrap_or(self.base.seed)
    }

    /// Returns whether trials get different numbers of epochs.
    pub fn is_budgeted(&self) -> bool {
        self.tuner.oracle.deals_epochs()
    }
}

fn ranges(tuner: &TunerConfig) -> Vec<Problem> {
    let at_least = [
        ("trials", tuner.trials as f64, 1.0),
        ("executions", f64::from(tuner.executions), 1.0),
        ("members", f64::from(tuner.members.unwrap_or(1)), 1.0),
        ("inner_folds", tuner.inner_folds as f64, 2.0),
        ("inner_repeats", tuner.inner_repeats as f64, 1.0),
        ("together", tuner.together as f64, 1.0),
        ("min_epochs", f64::from(tuner.min_epochs), 1.0),
        ("factor", f64::from(tuner.factor), 2.0),
        ("iterations", f64::from(tuner.iterations), 1.0),
        ("levels", tuner.levels as f64, 2.0),
        ("beta", tuner.beta, 0.0),
        ("lease_s", tuner.lease_s, 1.0),
    ];
    let wrong = at_least.into_iter().filter(|(_, value, least)| !(value >= least && value.is_finite()));
    wrong
        .map(|(key, value, least)| {
            Problem::new(format!("tuner.{key}"), format!("is {value}; give {least} or more"))
        })
        .collect()
}

fn objectives(tuner: &TunerConfig, problems: &mut Vec<Problem>) -> Vec<Objective> {
    let asked = tuner.objective.metrics();
    let mut objectives: Vec<Objective> = Vec::new();
    for (name, direction) in &asked {
        let Some(known) = metric::find(name) else {
            let list = metric::CATALOGUE.map(|m| m.name).join(", ");
            problems.push(Problem::new(
                "tuner.objective",
                format!("no trial reports `{name}`; there are {list}"),
            ));
            continue;
        };
        if objectives.iter().any(|o| o.metric == *name) {
            problems.push(Problem::new("tuner.objective", format!("`{name}` is listed twice")));
        }
        objectives.push(Objective { metric: name.clone(), direction: direction.unwrap_or(known.direction) });
    }
    if asked.is_empty() {
        problems.push(Problem::new("tuner.objective", "is empty; name at least one metric"));
    }
    objectives
}

fn space(base: &ExperimentConfig, tuner: &TunerConfig, problems: &mut Vec<Problem>) -> Space {
    let values = serde_json::to_value(base).unwrap_or_default();
    let fixed = |key: &str| {
        let slot = key.split('.').try_fold(&values, |at, name| at.get(name))?;
        fixed_value(slot)
    };
    let names: BTreeMap<String, String> =
        tuner.import.iter().flat_map(|i| &i.names).map(|(name, key)| (key.clone(), name.clone())).collect();
    grammar::parse(&tuner.space, Context { fixed: &fixed, names: &names }).unwrap_or_else(|found| {
        problems.extend(found.into_iter().map(|p| {
            let key =
                if p.key.is_empty() { "tuner.space".into() } else { format!("tuner.space.\"{}\"", p.key) };
            Problem::new(key, p.text)
        }));
        Space::default()
    })
}

fn fixed_value(value: &Json) -> Option<Value> {
    match value {
        Json::Null => None,
        Json::Bool(v) => Some(Value::Bool(*v)),
        Json::Number(v) => v.as_i64().map(Value::Int).or_else(|| v.as_f64().map(Value::Float)),
        Json::String(v) => Some(Value::Text(v.clone())),
        other => Some(Value::Text(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::parse;

    fn settings(text: &str) -> Result<Settings, ConfigError> {
        parse::parse(text, "x.toml", &[]).and_then(|config| Settings::new(&config, "x.toml"))
    }

    #[test]
    fn a_search_is_resolved() {
        let settings = settings(
            "seed = 5\n[model]\nkind = \"hybrid\"\n[tuner]\ntrials = 7\nexecutions = 2\nobjective = [\"r2\", \"parameters\"]\n\
             [tuner.space]\n\"model.layers\" = { int = [1, 2] }\n\"model.units\" = { int = [8, 16], per = \"model.layers\" }\n\
             \"model.residual_scale\" = { float = [0.01, 1.0], sampling = \"log\", when = { \"model.kind\" = [\"hybrid\"] } }",
        )
        .unwrap();
        assert_eq!((settings.base.repeats, settings.seed(), settings.space.len()), (2, 5, 4));
        assert_eq!(settings.objectives[0].cost(0.5), -0.5);
        assert_eq!(settings.objectives[1].cost(10.0), 10.0);
        assert!(
            settings.space.params.iter().any(|p| p.name == "model/residual_scale" && p.conditions.is_empty())
        );
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error = settings(
            "[tuner]\ntrials = 0\nobjective = \"loss\"\noracle = \"asha\"\n\
             [tuner.space]\n\"train.epochs\" = { int = [1, 4] }\n\"train.momentum\" = { float = [0.0, 1.0] }",
        )
        .unwrap_err()
        .to_string();
        for text in
            ["tuner.trials", "no trial reports `loss`; there are rmse", "deals out the epochs", "unknown key"]
        {
            assert!(error.contains(text), "{text} in {error}");
        }
        let unknown = settings("[tuner]\ntrails = 3").unwrap_err().to_string();
        assert!(unknown.contains("did you mean `trials`"), "{unknown}");
        assert!(settings("").unwrap_err().to_string().contains("[tuner.space]"));
    }
}
