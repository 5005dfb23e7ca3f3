//! Scores: metrics of predictions by fold and over folds, and the baselines that stand beside every model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, Kind};
use super::task::Task;
use crate::metric::{life, regression};
use crate::physics::baseline::Baseline;
use crate::prepare::{Fold, Frame};

/// Successors that confirm an end of life: one discharge after a rest does not undo it.
const EOL_CONFIRM: usize = 0;

/// A metric over folds: mean and spread over repetitions, and each fold's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Mean over folds, then over repetitions.
    pub mean: f64,
    /// Standard deviation over repetitions (divisor n - 1); absent for one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sd: Option<f64>,
    /// Mean over repetitions, by fold.
    pub folds: BTreeMap<String, f64>,
}

/// Metrics by name; one that is not defined is absent, never 0.
pub type Metrics = BTreeMap<String, Metric>;

/// Values of each metric by fold, one a repetition.
pub type Parts = BTreeMap<&'static str, BTreeMap<String, Vec<f64>>>;

/// Mean squared error [SoH^2] on the scored rows: what searches make small, in [`by_part`] only, since figures that
/// are reported are in the unit of the label.
pub const MSE: &str = "mse";

/// Scores predictions `[fold][repetition][row]` in SoH, given rows first.
pub fn score(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Metrics {
    let n_folds = task.folds.len();
    // An end of life is seen in some cells only; the other metrics count when every fold has them.
    let is_complete =
        |name: &str, folds: &BTreeMap<String, Vec<f64>>| name == "eol_error" || folds.len() == n_folds;
    let parts = by_part(task, predicted).into_iter();
    let kept = parts.filter(|(name, folds)| *name != MSE && is_complete(name, folds));
    kept.map(|(name, folds)| (name.to_owned(), over_folds(&folds))).collect()
}

/// Scores predictions as [`score`] does, but gives each fold's values, one a repetition. Where a value is not defined
/// (a network diverged, say) there is none: such a fold has fewer values, or is absent.
pub fn by_part(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Parts {
    let mut values = Parts::new();
    for (fold, repetitions) in task.folds.iter().zip(predicted) {
        for soh in repetitions {
            for (name, value) in fold_metrics(&task.frame, fold, &soh[fold.given.len()..]) {
                values.entry(name).or_default().entry(fold.name.clone()).or_default().push(value);
            }
        }
    }
    values
}

/// Returns the baselines' metrics by name: lines and persistence, and the forbidden shortcut of a capacity task.
pub fn baselines(config: &ExperimentConfig, task: &Task) -> BTreeMap<String, Metrics> {
    let mut found = BTreeMap::new();
    let mut add = |name: &str, predict: &dyn Fn(&Fold) -> Option<Vec<f64>>| {
        let predicted: Option<Vec<Vec<Vec<f64>>>> =
            task.folds.iter().map(|fold| predict(fold).map(|soh| vec![soh])).collect();
        if let Some(predicted) = predicted {
            found.insert(name.to_owned(), score(task, &predicted));
        }
    };
    if config.kind == Kind::Trajectory {
        for baseline in Baseline::ALL {
            add(baseline.name(), &|fold| forecast(&task.frame, fold, baseline));
        }
        return found;
    }
    add("training_mean", &|fold| Some(vec![mean_soh(&task.frame, fold); fold.test.len()]));
    add("line_on_cycle", &|fold| line_on_cycle(&task.frame, fold));
    add(SHORTCUT, &|fold| Some(previous_capacity(&task.frame, fold)));
    found
}

/// The capacity of the discharge before, which a capacity task hides: shown, never offered as a model.
pub const SHORTCUT: &str = "previous_capacity_forbidden";

fn fold_metrics(frame: &Frame, fold: &Fold, soh: &[f64]) -> Vec<(&'static str, f64)> {
    let scored = || fold.test.iter().zip(soh).filter(|(row, _)| frame.is_usable(**row));
    let y_true: Vec<f64> = scored().map(|(&row, _)| frame.rows[row].capacity_ah).collect();
    let y_pred: Vec<f64> = scored().map(|(&row, s)| s * reference(frame, row)).collect();
    let soh_true: Vec<f64> = scored().map(|(&row, _)| frame.rows[row].soh).collect();
    let soh_pred: Vec<f64> = scored().map(|(_, &s)| s).collect();
    let metrics = [
        (MSE, regression::mse(&soh_true, &soh_pred)),
        ("rmse", regression::rmse(&y_true, &y_pred)),
        ("mae", regression::mae(&y_true, &y_pred)),
        ("mape", regression::mape(&y_true, &y_pred)),
        ("r2", regression::r2(&y_true, &y_pred)),
        ("max_error", regression::max_error(&y_true, &y_pred)),
    ];
    let mut found: Vec<(&str, f64)> =
        metrics.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect();
    found.extend(eol_error(frame, fold, soh).map(|error| ("eol_error", error)));
    found
}

/// Returns the error of the end-of-life cycle of a fold of one cell, predicted less true [cycles].
fn eol_error(frame: &Frame, fold: &Fold, soh: &[f64]) -> Option<f64> {
    let cell = frame.rows[*fold.test.first()?].cell_idx;
    let eol_ah = frame.cells[cell].eol_ah?;
    if fold.test.iter().any(|&row| frame.rows[row].cell_idx != cell) {
        return None;
    }
    let rows: Vec<usize> =
        fold.test.iter().copied().filter(|&r| frame.rows[r].capacity_ah.is_finite()).collect();
    let predicted = fold.test.iter().zip(soh).filter(|(r, _)| frame.rows[**r].capacity_ah.is_finite());
    let y_pred: Vec<f64> = predicted.map(|(&row, s)| s * reference(frame, row) / eol_ah).collect();
    let y_true: Vec<f64> = rows.iter().map(|&row| frame.rows[row].capacity_ah / eol_ah).collect();
    let cycle: Vec<f64> = rows.iter().map(|&row| f64::from(frame.rows[row].cycle)).collect();
    // A cell that is past its end of life when the forecast begins has nothing to forecast.
    let begins_above = y_true.first().is_some_and(|&s| s > 1.0);
    begins_above.then(|| life::eol_error(&cycle, &y_true, &y_pred, 1.0, EOL_CONFIRM))?
}

fn over_folds(folds: &BTreeMap<String, Vec<f64>>) -> Metric {
    let n_repetitions = folds.values().map(Vec::len).min().unwrap_or(0);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let one = |r: usize| mean(&folds.values().map(|v| v[r]).collect::<Vec<_>>());
    let by_repetition: Vec<f64> = (0..n_repetitions).map(one).collect();
    let centre = mean(&by_repetition);
    let squares: f64 = by_repetition.iter().map(|v| (v - centre).powi(2)).sum();
    let sd = (n_repetitions > 1).then(|| (squares / (n_repetitions as f64 - 1.0)).sqrt());
    Metric { mean: centre, sd, folds: folds.iter().map(|(name, v)| (name.clone(), mean(v))).collect() }
}

fn reference(frame: &Frame, row: usize) -> f64 {
    frame.cells[frame.rows[row].cell_idx].reference_ah
}

/// Forecasts the test rows from the given ones of the same cell; the given rows lead as zeros.
fn forecast(frame: &Frame, fold: &Fold, baseline: Baseline) -> Option<Vec<f64>> {
    let known: Vec<usize> =
        fold.given.iter().copied().filter(|&row| frame.rows[row].soh.is_finite()).collect();
    let count = |rows: &[usize]| rows.iter().map(|&row| f64::from(frame.rows[row].cycle)).collect::<Vec<_>>();
    let soh: Vec<f64> = known.iter().map(|&row| frame.rows[row].soh).collect();
    let future = baseline.forecast(&count(&known), &soh, &count(&fold.test))?;
    Some([vec![0.0; fold.given.len()], future].concat())
}

fn mean_soh(frame: &Frame, fold: &Fold) -> f64 {
    fold.train.iter().map(|&row| frame.rows[row].soh).sum::<f64>() / fold.train.len() as f64
}

fn line_on_cycle(frame: &Frame, fold: &Fold) -> Option<Vec<f64>> {
    let cycle = |rows: &[usize]| rows.iter().map(|&row| f64::from(frame.rows[row].cycle)).collect::<Vec<_>>();
    let soh: Vec<f64> = fold.train.iter().map(|&row| frame.rows[row].soh).collect();
    Baseline::Line.forecast(&cycle(&fold.train), &soh, &cycle(&fold.test))
}

fn previous_capacity(frame: &Frame, fold: &Fold) -> Vec<f64> {
    // A cell's first discharge has none before it: the training cells' first ones stand in.
    let firsts: Vec<f64> =
        fold.train.iter().filter(|&&r| frame.rows[r].cycle == 1).map(|&r| frame.rows[r].soh).collect();
    let mean = firsts.iter().sum::<f64>() / firsts.len().max(1) as f64;
    let previous = |&row: &usize| {
        let before = row.checked_sub(1).map(|r| &frame.rows[r]);
        let same = before.filter(|r| r.cell_idx == frame.rows[row].cell_idx && r.soh.is_finite());
        same.map_or(mean, |r| r.soh)
    };
    fold.test.iter().map(previous).collect()
}
