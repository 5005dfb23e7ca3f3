//! Makes trials of a study from a Keras Tuner project: hyperparameters and metrics by name, values checked against the space.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::hyperparameter::from_keras;
use super::keras_read::{KerasProject, KerasStatus, KerasTrial};
use crate::tuner::config::ImportConfig;
use crate::tuner::objective::Objective;
use crate::tuner::space::{Param, Space, hash};
use crate::tuner::trial::{Budget, Evaluation, Measurement, Origin, Status, Trial};
use crate::tuner::value::{Value, Values};

/// Values that an error lists before it says how many more there are.
const LISTED: usize = 5;

/// Trials of a project as trials of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Trials with the project's ids, numbered from 0.
    pub trials: Vec<Trial>,
    /// What the reader should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Why a project does not fit a study.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Occurs when names on either side have no counterpart.
    #[error("{}", unmapped_text(names, keys, known))]
    Unmapped {
        /// Hyperparameters of the project that belong to no key of the space.
        names: Vec<String>,
        /// Keys of the space that belong to no hyperparameter of the project.
        keys: Vec<String>,
        /// All keys of the space.
        known: Vec<String>,
    },
    /// Occurs when trials have values that the space does not.
    #[error("{}widen the space, or remove those trials from the project", list(misfits))]
    Outside {
        /// All of them.
        misfits: Vec<Misfit>,
    },
    /// Occurs when `[tuner.import] metric` or an objective names what no trial of the project reports.
    #[error(
        "no trial of the project reports `{metric}`; it has {}; under [tuner.import] write metric = {{ NAME_THERE = \"{here}\" }}",
        quoted(there)
    )]
    NoMetric {
        /// Metric that is looked for.
        metric: String,
        /// Its name in the study.
        here: String,
        /// Metrics of the project.
        there: Vec<String>,
    },
}

/// A value that a space does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit {
    /// Trial of the project.
    pub trial: String,
    /// Name of the hyperparameter in the project.
    pub name: String,
    /// Its value; `None` where the trial has none though the space needs one.
    pub value: Option<Value>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => {
                write!(f, "trial {} has `{}` = {}, outside the space", self.trial, self.name, value.python())
            }
            None => write!(f, "trial {} has no `{}`, which the space needs", self.trial, self.name),
        }
    }
}

/// Returns the project's trials: completed and failed ones count as observed, unfinished ones are to be trained, and with
/// `rerun` every configuration is to be trained once.
///
/// # Errors
/// [`ImportError`]; each names all that is wrong of its kind.
pub fn import(
    project: &KerasProject,
    config: &ImportConfig,
    space: &Space,
    objectives: &[Objective],
) -> Result<Imported, ImportError> {
    let names = Names::new(project, config, space)?;
    check_metrics(project, config, objectives)?;
    let (mut misfits, mut values) = (Vec::new(), Vec::new());
    for trial in &project.trials {
        match names.values(trial, space) {
            Ok(found) => values.push(found),
            Err(misfit) => misfits.push(misfit),
        }
    }
    if !misfits.is_empty() {
        return Err(ImportError::Outside { misfits });
    }
    let found = project.trials.iter().zip(values);
    let trials = if config.rerun { enqueued(found) } else { observed(found, config) };
    let mut warnings = project.warnings.clone();
    let unfinished = project.trials.iter().filter(|t| t.status == KerasStatus::Unfinished && !config.rerun);
    warnings.extend(unfinished.map(|t| format!("trial {} was not finished there; it is trained here", t.id)));
    Ok(Imported { trials, warnings })
}

/// Which hyperparameter of the project belongs to each parameter of the space; none for those with only one value.
struct Names<'a>(BTreeMap<&'a str, String>);

impl<'a> Names<'a> {
    fn new(project: &KerasProject, config: &ImportConfig, space: &'a Space) -> Result<Self, ImportError> {
        let mut names = BTreeMap::new();
        let (mut known, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for param in &space.params {
            let candidates = candidates(param, config);
            match candidates.iter().find(|name| project.names.contains(*name)) {
                Some(name) => drop(names.insert(param.name.as_str(), name.clone())),
                // A layer that no trial has is needed by none of them.
                None if only(param).is_some() || param.index.is_some_and(|i| i > 0) => {}
                None => drop(keys.insert(param.key.clone())),
            }
            known.extend(candidates);
        }
        let bases: Vec<&str> = listed(space).flat_map(|key| base_names(key, config)).collect();
        let layer = |name: &str| {
            let base = name.rsplit_once('_').filter(|(_, i)| i.parse::<usize>().is_ok());
            base.is_some_and(|(base, _)| bases.contains(&base))
        };
        let odd = project.names.iter().filter(|n| !known.contains(*n) && !layer(n)).cloned();
        let odd: Vec<String> = odd.collect();
        if odd.is_empty() && keys.is_empty() {
            return Ok(Self(names));
        }
        let mut all: Vec<String> = space.params.iter().map(|p| p.key.clone()).collect();
        all.dedup();
        Err(ImportError::Unmapped { names: odd, keys: keys.into_iter().collect(), known: all })
    }

    /// Returns the active values of a trial; what the space has no use for is left out.
    fn values(&self, trial: &KerasTrial, space: &Space) -> Result<Values, Misfit> {
        let mut values = Values::new();
        for param in &space.params {
            if !param.is_active(&values) {
                continue;
            }
            let name = self.0.get(param.name.as_str());
            let theirs = name.and_then(|name| trial.values.get(name));
            let own = theirs.map_or_else(|| only(param), |v| from_keras(&param.domain, v));
            let misfit = || Misfit {
                trial: trial.id.clone(),
                name: name.unwrap_or(&param.name).clone(),
                value: theirs.cloned(),
            };
            values.insert(param.name.clone(), own.ok_or_else(misfit)?);
        }
        Ok(values)
    }
}

/// Returns what a parameter may be called in the project, best first.
fn candidates(param: &Param, config: &ImportConfig) -> Vec<String> {
    let listed = |name: &str| param.index.map_or_else(|| name.to_owned(), |idx| format!("{name}_{idx}"));
    let named = config.names.iter().filter(|(_, key)| **key == param.key).map(|(name, _)| listed(name));
    named.chain([param.name.clone()]).collect()
}

fn listed(space: &Space) -> impl Iterator<Item = &Param> {
    space.params.iter().filter(|p| p.index == Some(0))
}

fn base_names<'a>(param: &'a Param, config: &'a ImportConfig) -> Vec<&'a str> {
    let named = config.names.iter().filter(|(_, key)| **key == param.key).map(|(name, _)| name.as_str());
    named.chain(param.name.strip_suffix("_0")).collect()
}

/// Returns the value of a parameter that has only one.
fn only(param: &Param) -> Option<Value> {
    (param.domain.levels() == Some(1)).then(|| param.domain.value(0.5))
}

fn check_metrics(
    project: &KerasProject,
    config: &ImportConfig,
    objectives: &[Objective],
) -> Result<(), ImportError> {
    let there = || project.metrics.iter().cloned().collect();
    let mapped = config.metric.iter().map(|(theirs, here)| (theirs.clone(), here.clone()));
    let measured = project.trials.iter().any(|t| t.status == KerasStatus::Completed);
    let needed = objectives.iter().filter(|_| measured && !config.rerun).map(|o| {
        let theirs = config.metric.iter().find(|(_, here)| **here == o.metric);
        (theirs.map_or(&o.metric, |(theirs, _)| theirs).clone(), o.metric.clone())
    });
    for (metric, here) in mapped.chain(needed) {
        if !project.metrics.contains(&metric) {
            return Err(ImportError::NoMetric { metric, here, there: there() });
        }
    }
    Ok(())
}

fn observed<'a>(found: impl Iterator<Item = (&'a KerasTrial, Values)>, config: &ImportConfig) -> Vec<Trial> {
    let mut number_of = BTreeMap::new();
    let mut trials = Vec::new();
    for (number, (theirs, values)) in found.enumerate() {
        let budget = theirs.budget.as_ref().map(|b| Budget {
            from: b.from,
            until: b.until,
            bracket: b.bracket,
            round: b.round,
            source: b.source.as_deref().and_then(|id| number_of.get(id).copied()),
        });
        let (origin, status) = match theirs.status {
            KerasStatus::Completed => (Origin::Observed, Status::Completed),
            KerasStatus::Failed => (Origin::Observed, Status::Failed),
            KerasStatus::Unfinished => (Origin::Enqueued, Status::Running),
        };
        let evaluation = (status == Status::Completed).then(|| evaluation(theirs, config));
        let message = theirs.message.clone().filter(|_| status == Status::Failed);
        let new = Trial::new(number, theirs.id.clone(), values, budget);
        trials.push(Trial { origin, status, evaluation, message, ..new });
        number_of.insert(theirs.id.as_str(), number);
    }
    trials
}

/// Returns each configuration once, to be trained for all epochs.
fn enqueued<'a>(found: impl Iterator<Item = (&'a KerasTrial, Values)>) -> Vec<Trial> {
    let mut seen = BTreeSet::new();
    let mut trials = Vec::new();
    for (theirs, values) in found {
        if seen.insert(hash(&values)) {
            let new = Trial::new(trials.len(), theirs.id.clone(), values, None);
            trials.push(Trial { origin: Origin::Enqueued, ..new });
        }
    }
    trials
}

fn evaluation(trial: &KerasTrial, config: &ImportConfig) -> Evaluation {
    let here = |name: &String| config.metric.get(name).unwrap_or(name).clone();
    let taken: BTreeSet<&String> = config.metric.values().collect();
    // A metric of theirs that happens to be called as a mapped one is another.
    let own = |name: &String| config.metric.contains_key(name) || !taken.contains(name);
    let measured =
        |(name, mean): (&String, &f64)| (here(name), Measurement { mean: *mean, folds: BTreeMap::new() });
    let metrics = trial.metrics.iter().filter(|(name, _)| own(name)).map(measured).collect();
    Evaluation { epoch: trial.step.unwrap_or(1).max(1), metrics, seconds: 0.0 }
}

fn unmapped_text(names: &[String], keys: &[String], known: &[String]) -> String {
    let mut text = String::new();
    if !names.is_empty() {
        text += &format!("the project has {}, which the space does not know; ", quoted(names));
    }
    if !keys.is_empty() {
        text += &format!("nothing in the project is named as belonging to {}; ", quoted(keys));
    }
    text + &format!(
        "under [tuner.import] write names = {{ NAME_THERE = \"KEY\" }}; keys are {}",
        quoted(known)
    )
}

fn list(misfits: &[Misfit]) -> String {
    let mut text: String = misfits.iter().take(LISTED).map(|m| format!("{m}; ")).collect();
    if misfits.len() > LISTED {
        text += &format!("and {} more; ", misfits.len() - LISTED);
    }
    text
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuner::grammar::{self, Context};
    use crate::tuner::store::keras_read;
    use std::path::Path;

    fn project(name: &str) -> KerasProject {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras_tuner").join(name);
        keras_read::read(&folder).unwrap()
    }

    fn space(lr: &str) -> Space {
        let text = format!(
            "\"model.layers\" = {{ int = [1, 2] }}\n\
             \"model.units\" = {{ int = [8, 64], step = 8, per = \"model.layers\" }}\n\
             \"model.activation\" = {{ choice = [\"relu\", \"tanh\"] }}\n\"model.norm\" = {{ bool = true }}\n\
             \"train.learning_rate\" = {{ float = {lr}, sampling = \"log\" }}\n\"train.loss\" = {{ fixed = \"mse\" }}"
        );
        let none = |_: &str| None;
        grammar::parse(&text.parse().unwrap(), Context { fixed: &none, names: &BTreeMap::new() }).unwrap()
    }

    fn config() -> ImportConfig {
        let names = [
            ("layers", "model.layers"),
            ("units", "model.units"),
            ("activation", "model.activation"),
            ("norm", "model.norm"),
            ("lr", "train.learning_rate"),
            ("loss", "train.loss"),
        ];
        let owned = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
        let metric = [owned(("val_loss", "mse"))].into();
        ImportConfig { names: names.map(owned).into(), metric, ..ImportConfig::default() }
    }

    fn mse() -> [Objective; 1] {
        [Objective::minimise("mse")]
    }

    #[test]
    fn trials_of_keras_tuner_are_observed_here() {
        let imported = import(&project("random"), &config(), &space("[1e-4, 1e-2]"), &mse()).unwrap();
        let costs: Vec<_> = imported.trials.iter().map(|t| t.costs(&mse()).map(|c| c[0])).collect();
        let known = [
            0.906_636_666_204_780_9,
            7.645_876_742_029_873,
            1.670_639_005_903_460_2,
            1.400_437_523_873_712_6,
        ];
        assert_eq!(costs, [Some(known[0]), Some(known[1]), None, None, Some(known[2]), Some(known[3])]);
        assert!(imported.trials.iter().all(|t| t.origin == Origin::Observed));
        assert_eq!(imported.trials[2].status, Status::Failed);
        let two_layers = &imported.trials[4].values;
        assert_eq!((two_layers["model/units_1"].clone(), two_layers.len()), (Value::Int(40), 7));
        assert!(!imported.trials[0].values.contains_key("model/units_1"));
    }

    #[test]
    fn inactive_values_are_dropped_and_unfinished_trials_are_trained_here() {
        let mut project = project("hyperband");
        project.trials[0].values.insert("units_1".into(), Value::Int(64));
        let imported = import(&project, &config(), &space("[1e-4, 1e-2]"), &mse()).unwrap();
        assert!(!imported.trials[0].values.contains_key("model/units_1"));
        let last = &imported.trials[15];
        assert_eq!((&last.origin, last.status), (&Origin::Enqueued, Status::Running));
        assert!(imported.warnings.iter().any(|w| w.contains("0015")));
        assert_eq!(imported.trials[12].budget.as_ref().unwrap().source, Some(9));
        let rerun = ImportConfig { rerun: true, ..config() };
        let imported = import(&project, &rerun, &space("[1e-4, 1e-2]"), &mse()).unwrap();
        // 16 trials, of which four go on from another.
        assert_eq!(imported.trials.len(), 12);
        assert!(imported.trials.iter().all(|t| t.origin == Origin::Enqueued && t.evaluation.is_none()));
    }

    #[test]
    fn what_does_not_fit_is_listed_at_once() {
        let mut config = config();
        config.names.remove("lr");
        config.names.remove("units");
        let text =
            import(&project("random"), &config, &space("[1e-4, 1e-2]"), &mse()).unwrap_err().to_string();
        for part in [
            "the project has `lr`, `units_0`, `units_1`, which",
            "belonging to `model.units`, `train.learning_rate`",
            "keys are `",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let text = import(&project("random"), &self::config(), &space("[1e-3, 1e-2]"), &mse())
            .unwrap_err()
            .to_string();
        for part in
            ["trial 0 has `lr` = 0.0008433633337952192, outside", "trial 4 has `lr`", "widen the space"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        let rmse = [Objective::minimise("rmse")];
        let text = import(&project("random"), &self::config(), &space("[1e-4, 1e-2]"), &rmse)
            .unwrap_err()
            .to_string();
        assert!(text.contains("reports `rmse`; it has `val_loss`, `val_mae`"), "{text}");
    }
}
