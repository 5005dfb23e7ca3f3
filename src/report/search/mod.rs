//! Pictures and tables of a hyperparameter search.
//!
//! Every picture is drawn with the same few marks: a dot is a completed trial, a cross a failed one, the star the best.
//! A mark of the SVG says in its tooltip which trial it is. Colours are viridis and those of `[Okabe2008]`.

mod history;
mod importance;
mod marker;
mod parallel;
mod pareto;
mod slice;
pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::number;
use crate::tuner::objective::ranked;
use crate::tuner::{Direction, Domain, Objective, Param, Space, Status, Trial, Value};

pub use history::history;
pub use importance::importance;
pub use parallel::parallel;
pub use slice::slices;

/// Most values in a tooltip.
const MOST_VALUES: usize = 12;

/// A search to look at.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What may vary.
    pub space: &'a Space,
    /// What is to be made small or great, at least one; the first is drawn.
    pub objectives: &'a [Objective],
    /// Trials in any state, in any order.
    pub trials: &'a [Trial],
    /// Unit of a metric (`Ah`); empty where it has none.
    pub unit_of: &'a dyn Fn(&str) -> String,
    /// Sentences that stand below every figure and table.
    pub notes: &'a [String],
}

/// Effect of one parameter on the objective: its name, its share of the variance alone and together with all others (0-1).
pub type Effect = (String, f64, f64);

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("name", &self.name).field("trials", &self.trials.len()).finish()
    }
}

impl<'a> Search<'a> {
    fn objective(&self) -> Option<&'a Objective> {
        self.objectives.first()
    }

    /// Returns the notes that stand below a figure, the search's own before its `remarks`.
    fn noted(&self, remarks: &[String]) -> Vec<String> {
        [self.notes, remarks].concat()
    }

    /// Returns the completed trials that report the first objective, by number.
    fn scored(&self) -> Vec<(&'a Trial, f64)> {
        let Some(objective) = self.objective() else { return Vec::new() };
        let completed = self.trials.iter().filter(|t| t.status == Status::Completed);
        let mut scored: Vec<_> = completed.filter_map(|t| Some((t, t.metric(&objective.metric)?))).collect();
        scored.sort_by_key(|(t, _)| t.number);
        scored
    }

    /// Returns the failed trials by number; those that completed without a finite objective are failed too.
    fn failed(&self) -> Vec<&'a Trial> {
        let lost = |t: &&Trial| t.status == Status::Completed && t.costs(self.objectives).is_none();
        let mut failed: Vec<_> =
            self.trials.iter().filter(|t| t.status == Status::Failed || lost(t)).collect();
        failed.sort_by_key(|t| t.number);
        failed
    }

    /// Returns the number of completed trials that report every objective.
    fn scored_by_all(&self) -> usize {
        self.trials.iter().filter(|t| t.costs(self.objectives).is_some()).count()
    }

    fn best(&self) -> Option<&'a Trial> {
        ranked(self.trials, self.objectives).first().copied()
    }

    /// Returns a metric with its unit: `rmse [Ah]`.
    fn label(&self, metric: &str) -> String {
        match (self.unit_of)(metric) {
            unit if unit.is_empty() => metric.to_owned(),
            unit => format!("{metric} [{unit}]"),
        }
    }

    /// Returns the label of an axis: `rmse [Ah], lower is better`.
    fn axis_label(&self, objective: &Objective) -> String {
        let better = match objective.direction {
            Direction::Min => "lower",
            Direction::Max => "higher",
        };
        format!("{}, {better} is better", self.label(&objective.metric))
    }

    /// Returns a metric of a trial with its name and unit: `rmse 0.0312 Ah`.
    fn reading(&self, trial: &Trial, objective: &Objective) -> String {
        let value = trial.metric(&objective.metric).map_or_else(|| "-".into(), |v| number::digits(v, 4));
        format!("{} {value} {}", objective.metric, (self.unit_of)(&objective.metric)).trim_end().to_owned()
    }

    /// Returns what a tooltip says of a trial; of many values the first ones, for a file has a tooltip a mark.
    fn describe(&self, trial: &Trial) -> String {
        let names = Names::of(self.space);
        let mut lines = vec![format!("trial {}", trial.number)];
        lines.extend(self.objectives.iter().map(|o| self.reading(trial, o)));
        let value = |(name, v): (&String, &Value)| format!("{} = {}", names.short(name), number::compact(v));
        lines.extend(trial.values.iter().map(value).take(MOST_VALUES));
        if trial.values.len() > MOST_VALUES {
            lines.push(format!("and {} more", trial.values.len() - MOST_VALUES));
        }
        lines.extend(trial.message.iter().filter(|_| trial.status == Status::Failed).cloned());
        lines.join("\n")
    }

    /// Returns the parameters that vary: the most important first where effects are known, else as the space has them.
    fn varied(&self, effects: &[Effect]) -> Vec<&'a Param> {
        let mut params: Vec<_> = self.space.params.iter().filter(|p| !is_fixed(&p.domain)).collect();
        let known = |p: &Param| effects.iter().find(|e| e.0 == p.name && e.2.is_finite());
        let total = |p: &Param| known(p).map_or(f64::NEG_INFINITY, |e| e.2);
        params.sort_by(|a, b| total(b).total_cmp(&total(a)));
        params
    }
}

fn is_fixed(domain: &Domain) -> bool {
    domain.levels() == Some(1)
}

/// Short names of parameters: the last parts of their keys that no other parameter has.
struct Names(BTreeMap<String, String>);

impl Names {
    fn of(space: &Space) -> Self {
        let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
        let names = || space.params.iter().map(|p| p.name.as_str());
        for tail in names().flat_map(tails) {
            *owners.entry(tail).or_default() += 1;
        }
        let shortest = |name: &str| tails(name).find(|t| owners[t] == 1).unwrap_or(name).to_owned();
        Self(names().map(|name| (name.to_owned(), shortest(name))).collect())
    }

    fn short<'b>(&'b self, name: &'b str) -> &'b str {
        self.0.get(name).map_or(name, String::as_str)
    }
}

/// Returns the ends of a name that begin after a `/` or `.`, shortest first, the whole name last; `kind` alone says
/// nothing.
fn tails(name: &str) -> impl Iterator<Item = &str> {
    let cuts = name.rmatch_indices(['/', '.']).map(|(idx, _)| &name[idx + 1..]);
    cuts.filter(|tail| *tail != "kind").chain(std::iter::once(name))
}

/// Returns a number between -0.5 and 0.5 for a trial, far from those of its neighbours (multiples of the golden ratio).
fn jitter(number: usize) -> f64 {
    (number as f64 * 0.618_033_988_749_895).fract() - 0.5
}
