//! Courses: scores of capacities, fold by fold, in the unit of the label, with the end of life where it is seen.

use super::{Add, MSE, Parts};
use crate::experiment::config::{ExperimentConfig, Kind};
use crate::experiment::task::Task;
use crate::metric::{life, regression};
use crate::physics::baseline::Baseline;
use crate::prepare::{Fold, Frame};

/// Successors that confirm an end of life: one discharge after a rest does not undo it.
const EOL_CONFIRM: usize = 0;

/// The capacity of the discharge before, which a capacity task hides: shown, never offered as a model.
pub const SHORTCUT: &str = "previous_capacity_forbidden";

pub(super) fn by_part(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Parts {
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

pub(super) fn baselines(config: &ExperimentConfig, task: &Task, add: &mut Add) {
    if config.kind == Kind::Trajectory {
        for baseline in Baseline::ALL {
            add(baseline.name(), &|_, fold| forecast(&task.frame, fold, baseline));
        }
        return;
    }
    add("training_mean", &|_, fold| Some(vec![mean_soh(&task.frame, fold); fold.test.len()]));
    add("line_on_cycle", &|_, fold| line_on_cycle(&task.frame, fold));
    add(SHORTCUT, &|_, fold| Some(previous_capacity(&task.frame, fold)));
}

fn fold_metrics(frame: &Frame, fold: &Fold, soh: &[f64]) -> Vec<(&'static str, f64)> {
    let scored = || fold.test.iter().zip(soh).filter(|(row, _)| frame.is_usable(**row));
    let y_true: Vec<f64> = scored().map(|(&row, _)| frame.rows[row].truth).collect();
    let y_pred: Vec<f64> = scored().map(|(&row, s)| frame.physical(row, *s)).collect();
    let soh_true: Vec<f64> = scored().map(|(&row, _)| frame.rows[row].label).collect();
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
    let rows: Vec<usize> = fold.test.iter().copied().filter(|&r| frame.rows[r].truth.is_finite()).collect();
    let predicted = fold.test.iter().zip(soh).filter(|(r, _)| frame.rows[**r].truth.is_finite());
    let y_pred: Vec<f64> = predicted.map(|(&row, s)| frame.physical(row, *s) / eol_ah).collect();
    let y_true: Vec<f64> = rows.iter().map(|&row| frame.rows[row].truth / eol_ah).collect();
    let cycle: Vec<f64> = rows.iter().map(|&row| f64::from(frame.rows[row].cycle)).collect();
    // A cell that is past its end of life when the forecast begins has nothing to forecast.
    let begins_above = y_true.first().is_some_and(|&s| s > 1.0);
    begins_above.then(|| life::eol_error(&cycle, &y_true, &y_pred, 1.0, EOL_CONFIRM))?
}

/// Forecasts the test rows from the given ones of the same cell; the given rows lead as zeros.
fn forecast(frame: &Frame, fold: &Fold, baseline: Baseline) -> Option<Vec<f64>> {
    let known: Vec<usize> =
        fold.given.iter().copied().filter(|&row| frame.rows[row].label.is_finite()).collect();
    let count = |rows: &[usize]| rows.iter().map(|&row| f64::from(frame.rows[row].cycle)).collect::<Vec<_>>();
    let soh: Vec<f64> = known.iter().map(|&row| frame.rows[row].label).collect();
    let future = baseline.forecast(&count(&known), &soh, &count(&fold.test))?;
    Some([vec![0.0; fold.given.len()], future].concat())
}

fn mean_soh(frame: &Frame, fold: &Fold) -> f64 {
    fold.train.iter().map(|&row| frame.rows[row].label).sum::<f64>() / fold.train.len() as f64
}

fn line_on_cycle(frame: &Frame, fold: &Fold) -> Option<Vec<f64>> {
    let cycle = |rows: &[usize]| rows.iter().map(|&row| f64::from(frame.rows[row].cycle)).collect::<Vec<_>>();
    let soh: Vec<f64> = fold.train.iter().map(|&row| frame.rows[row].label).collect();
    Baseline::Line.forecast(&cycle(&fold.train), &soh, &cycle(&fold.test))
}

fn previous_capacity(frame: &Frame, fold: &Fold) -> Vec<f64> {
    // A cell's first discharge has none before it: the training cells' first ones stand in.
    let firsts: Vec<f64> =
        fold.train.iter().filter(|&&r| frame.rows[r].cycle == 1).map(|&r| frame.rows[r].label).collect();
    let mean = firsts.iter().sum::<f64>() / firsts.len().max(1) as f64;
    let previous = |&row: &usize| {
        let before = row.checked_sub(1).map(|r| &frame.rows[r]);
        let same = before.filter(|r| r.cell_idx == frame.rows[row].cell_idx && r.label.is_finite());
        same.map_or(mean, |r| r.label)
    };
    fold.test.iter().map(previous).collect()
}
