//! Scores: metrics of predictions by part and over parts, and the baselines that stand beside every model.
//!
//! A part is what one figure is computed over: a fold where models follow cells over their cycles, and all cells of one
//! repetition of a cross-validation where a row is a whole cell.

mod cell;
mod course;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::ExperimentConfig;
use super::task::Task;
use crate::prepare::Fold;
pub use cell::TierOutcome;
pub(super) use cell::tiers;
pub use course::SHORTCUT;

/// A metric over parts: mean and spread, and each part's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Mean over parts, then over repetitions.
    pub mean: f64,
    /// Standard deviation (divisor n - 1) over the repetitions of a cross-validation, or else over those of the fit; absent
    /// for one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sd: Option<f64>,
    /// Mean over repetitions, by part.
    pub folds: BTreeMap<String, f64>,
}

/// Metrics by name; one that is not defined is absent, never 0.
pub type Metrics = BTreeMap<String, Metric>;

/// Values of each metric by part, one a repetition.
pub type Parts = BTreeMap<&'static str, BTreeMap<String, Vec<f64>>>;

/// Mean squared error [SoH^2] on the scored rows: what searches make small, in [`by_part`] only, since figures that
/// are reported are in the unit of the label.
pub const MSE: &str = "mse";

/// Scores predictions `[fold][repetition][row]`, given rows first, as [`super::fitted::Fitted::predict`] returns them.
pub fn score(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Metrics {
    let n_parts = n_parts(task);
    // An end of life is seen in some cells only; the other metrics count when every part has them.
    let is_complete =
        |name: &str, parts: &BTreeMap<String, Vec<f64>>| name == "eol_error" || parts.len() == n_parts;
    let kept = by_part(task, predicted).into_iter().filter(|(name, p)| *name != MSE && is_complete(name, p));
    let over_parts = task.frame.is_one_row_a_cell() && n_parts > 1;
    kept.map(|(name, parts)| (name.to_owned(), over_folds(&parts, over_parts))).collect()
}

/// Scores predictions as [`score`] does, but gives each part's values, one a repetition. Where a value is not defined
/// (a network diverged, say) there is none: such a part has fewer values, or is absent.
pub fn by_part(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Parts {
    if task.frame.is_one_row_a_cell() {
        cell::by_part(task, predicted)
    } else {
        course::by_part(task, predicted)
    }
}

/// Returns the number of parts.
pub fn n_parts(task: &Task) -> usize {
    if task.frame.is_one_row_a_cell() { cell::parts(task).len() } else { task.folds.len() }
}

/// Returns the baselines' metrics by name: lines and persistence, and the forbidden shortcut of a capacity task; means and
/// shares of the training cells where a row is a cell.
pub fn baselines(config: &ExperimentConfig, task: &Task) -> BTreeMap<String, Metrics> {
    let mut found = BTreeMap::new();
    let mut add = |name: &str, predict: &dyn Fn(usize, &Fold) -> Option<Vec<f64>>| {
        let one = |(idx, fold)| predict(idx, fold).map(|row| vec![row]);
        let predicted: Option<Vec<Vec<Vec<f64>>>> = task.folds.iter().enumerate().map(one).collect();
        if let Some(predicted) = predicted {
            found.insert(name.to_owned(), score(task, &predicted));
        }
    };
    if config.kind.is_early() {
        cell::baselines(task, &mut add);
    } else {
        course::baselines(config, task, &mut add);
    }
    found
}

/// Adds a baseline by its name and what it says of a fold's rows, given rows first.
type Add<'a> = dyn FnMut(&str, &dyn Fn(usize, &Fold) -> Option<Vec<f64>>) + 'a;

/// Returns mean and spread; over parts or over repetitions.
fn over_folds(parts: &BTreeMap<String, Vec<f64>>, over_parts: bool) -> Metric {
    let n_repetitions = parts.values().map(Vec::len).min().unwrap_or(0);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let folds: BTreeMap<String, f64> = parts.iter().map(|(name, v)| (name.clone(), mean(v))).collect();
    let one = |r: usize| mean(&parts.values().map(|v| v[r]).collect::<Vec<_>>());
    let values: Vec<f64> =
        if over_parts { folds.values().copied().collect() } else { (0..n_repetitions).map(one).collect() };
    let centre = mean(&values);
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    let sd = (values.len() > 1).then(|| (squares / (values.len() as f64 - 1.0)).sqrt());
    Metric { mean: centre, sd, folds }
}
