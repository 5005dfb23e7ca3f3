//! What a study is of: a search goes on only in a folder that began with the same question.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::tuner::config::TunerConfig;
use crate::tuner::objective::{Direction, Objective};
use crate::tuner::space::{Condition, Domain, Param, Scale, Space};

/// Format of the journal that this program writes; it reads this one and older ones.
pub const FORMAT: u32 = 1;

/// Labels whose difference is told in words, not as a hash.
const TOLD: [&str; 3] = ["space", "objective", "seed"];

/// What a study is of, and how it is searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Format of the journal, [`FORMAT`].
    pub format: u32,
    /// Version of the program that began it.
    pub version: String,
    /// Name of the experiment.
    pub experiment: String,
    /// SHA-256 of what must not change, by what it is (`data`, `experiment`).
    pub identity: BTreeMap<String, String>,
    /// What may vary.
    pub space: Space,
    /// What is to be made small or great.
    pub objectives: Vec<Objective>,
    /// Root of the search's random streams.
    pub seed: u64,
    /// Most epochs of a trial; may change.
    pub epochs: u32,
    /// Settings; all may change but `executions`, `nested`, `inner_folds`, `inner_repeats` and `epoch`, which say what a metric means.
    pub config: TunerConfig,
}

impl Header {
    /// Returns what keeps a search for `new` from going on in this study, one phrase each; none when it may.
    pub fn differences(&self, new: &Self) -> Vec<String> {
        let mut what = space_differences(&self.space, &new.space);
        if self.objectives != new.objectives {
            what.push(changed("the objective", &objectives(self), &objectives(new)));
        }
        if self.seed != new.seed {
            what.push(changed("the seed", &self.seed, &new.seed));
        }
        what.extend(self.identity_differences(new));
        what.extend(meaning_differences(&self.config, &new.config));
        what
    }

    fn identity_differences(&self, new: &Self) -> Vec<String> {
        let labels: BTreeSet<&String> = self.identity.keys().chain(new.identity.keys()).collect();
        let told = |label: &String| TOLD.contains(&label.as_str()) && self.asks_differently(new);
        let phrase = |label: &String| match (self.identity.get(label), new.identity.get(label)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => Some(changed(&format!("the {label}"), &short(old), &short(new))),
            (Some(_), None) => Some(format!("the {label} is gone")),
            _ => Some(format!("the {label} is new")),
        };
        labels.into_iter().filter(|label| !told(label)).filter_map(phrase).collect()
    }

    fn asks_differently(&self, new: &Self) -> bool {
        self.space != new.space || self.objectives != new.objectives || self.seed != new.seed
    }
}

/// Returns how the two spaces differ, one phrase a parameter.
fn space_differences(old: &Space, new: &Space) -> Vec<String> {
    let find = |space: &Space, name: &str| space.params.iter().find(|p| p.name == name).cloned();
    let gone = old.params.iter().filter(|p| find(new, &p.name).is_none());
    let mut what: Vec<String> = gone.map(|p| format!("`{}` is no longer searched", p.name)).collect();
    for param in &new.params {
        match find(old, &param.name) {
            None => what.push(format!("`{}` was not searched", param.name)),
            Some(was) if was != *param => what.push(param_difference(&was, param)),
            Some(_) => {}
        }
    }
    if what.is_empty() && old != new {
        what.push("the parameters stand in another order".into());
    }
    what
}

fn param_difference(old: &Param, new: &Param) -> String {
    let name = format!("`{}`", new.name);
    if old.domain != new.domain {
        return changed(&name, &describe(&old.domain), &describe(&new.domain));
    }
    if old.conditions != new.conditions {
        return changed(&name, &condition_text(&old.conditions), &condition_text(&new.conditions));
    }
    changed(&format!("the key of {name}"), &key_text(old), &key_text(new))
}

fn meaning_differences(old: &TunerConfig, new: &TunerConfig) -> Vec<String> {
    let pairs = [
        ("executions", old.executions.to_string(), new.executions.to_string()),
        ("nested", old.nested.to_string(), new.nested.to_string()),
        ("inner_folds", old.inner_folds.to_string(), new.inner_folds.to_string()),
        ("inner_repeats", old.inner_repeats.to_string(), new.inner_repeats.to_string()),
        ("epoch", format!("{:?}", old.epoch).to_lowercase(), format!("{:?}", new.epoch).to_lowercase()),
    ];
    let differ = pairs.iter().filter(|(_, old, new)| old != new);
    differ.map(|(key, old, new)| changed(&format!("`tuner.{key}`"), old, new)).collect()
}

fn changed(what: &str, old: &dyn std::fmt::Display, new: &dyn std::fmt::Display) -> String {
    format!("{what} was {old}, is {new}")
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn objectives(header: &Header) -> String {
    let text = |o: &Objective| match o.direction {
        Direction::Min => format!("least `{}`", o.metric),
        Direction::Max => format!("greatest `{}`", o.metric),
    };
    header.objectives.iter().map(text).collect::<Vec<_>>().join(" and ")
}

fn key_text(param: &Param) -> String {
    let place = param.index.map(|idx| format!(" [{idx}]")).unwrap_or_default();
    format!("`{}`{place}", param.key)
}

fn condition_text(conditions: &[Condition]) -> String {
    let one = |c: &Condition| format!("with `{}` = {}", c.parent, list(&c.values));
    let all = conditions.iter().map(one).collect::<Vec<_>>().join(" and ");
    if all.is_empty() { "always active".into() } else { format!("active {all}") }
}

/// Returns a domain in words (`int 32 to 256, step 32`).
fn describe(domain: &Domain) -> String {
    let spread = |scale: &Scale| match scale {
        Scale::Linear => "",
        Scale::Log => ", log",
        Scale::ReverseLog => ", reverse log",
    };
    let step = |step: Option<String>| step.map(|s| format!(", step {s}")).unwrap_or_default();
    match domain {
        Domain::Int { min, max, step: by, scale } => {
            format!("int {min} to {max}{}{}", step((*by != 1).then(|| by.to_string())), spread(scale))
        }
        Domain::Float { min, max, step: by, scale } => {
            format!("float {min} to {max}{}{}", step(by.map(|s| s.to_string())), spread(scale))
        }
        Domain::Choice { values, ordered } => {
            format!("{} of {}", if *ordered { "ordered choice" } else { "choice" }, list(values))
        }
        Domain::Bool => "bool".into(),
        Domain::Fixed(value) => format!("fixed {value}"),
    }
}

fn list(values: &[crate::tuner::value::Value]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}
