//! Cells: scores of lives [cycles] and tiers, over all cells of one repetition of a cross-validation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Add, MSE, Parts};
use crate::experiment::label;
use crate::experiment::task::Task;
use crate::metric::classification::{self, Bin};
use crate::metric::regression;
use crate::prepare::Quantity;

/// Bins of the reliability curve: with some hundred cells each holds enough to be read.
const RELIABILITY_BINS: usize = 5;

/// How well tiers are told apart, beyond one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierOutcome {
    /// Names of the tiers, the worst first, as the columns of everything below.
    pub names: Vec<String>,
    /// What makes the tiers, as the first fold's training cells have it.
    pub rule: String,
    /// Cells `[true tier][predicted tier]`, mean over all repetitions.
    pub confusion: Vec<Vec<f64>>,
    /// How often what is said with some probability comes true, all repetitions together.
    pub reliability: Vec<Bin>,
}

/// A prediction of a cell: its row, the fold that left it out, and what the model says.
struct Said<'a> {
    fold: usize,
    row: usize,
    values: &'a [f64],
}

/// Returns each part: its name and its folds.
pub(super) fn parts(task: &Task) -> Vec<(String, Vec<usize>)> {
    let mut by_repeat: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (idx, fold) in task.folds.iter().enumerate() {
        by_repeat.entry(fold.repeat).or_default().push(idx);
    }
    let several = by_repeat.len() > 1;
    let name = |repeat: usize, folds: &[usize]| match folds {
        [only] if !several => task.folds[*only].name.clone(),
        _ => format!("repeat{}", repeat + 1),
    };
    by_repeat.into_iter().map(|(repeat, folds)| (name(repeat, &folds), folds)).collect()
}

pub(super) fn by_part(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Parts {
    let mut values = Parts::new();
    for (name, folds) in parts(task) {
        for repetition in 0..predicted[folds[0]].len() {
            let said = said(task, &folds, predicted, repetition);
            for (metric, value) in metrics(task, &said) {
                values.entry(metric).or_default().entry(name.clone()).or_default().push(value);
            }
        }
    }
    values
}

pub(super) fn baselines(task: &Task, add: &mut Add) {
    let Some(n_classes) = task.n_classes() else {
        add("training_mean", &|_, fold| Some(vec![mean_label(task, &fold.train); fold.test.len()]));
        return;
    };
    add("training_shares", &|idx, fold| {
        let share = |class: usize| {
            let of_class = fold.train.iter().filter(|row| task.class(idx, **row) == Some(class)).count();
            of_class as f64 / fold.train.len() as f64
        };
        let shares: Vec<f64> = (0..n_classes).map(share).collect();
        Some(shares.repeat(fold.test.len()))
    });
}

/// Returns the label of the mean of what is asked for over some rows.
fn mean_label(task: &Task, rows: &[usize]) -> f64 {
    let mean = rows.iter().map(|&row| task.frame.rows[row].truth).sum::<f64>() / rows.len() as f64;
    if task.frame.quantity == Quantity::LogLife { mean.log10() } else { mean }
}

/// Returns how well tiers are told apart; `None` where there are none.
pub(in crate::experiment) fn tiers(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Option<TierOutcome> {
    let n = task.n_classes()?;
    let mut confusion = vec![vec![0.0; n]; n];
    let (mut truth, mut probabilities) = (Vec::new(), Vec::new());
    let mut n_tables = 0;
    for (_, folds) in parts(task) {
        for repetition in 0..predicted[folds[0]].len() {
            n_tables += 1;
            for said in said(task, &folds, predicted, repetition) {
                let known = said.values.iter().all(|p| p.is_finite());
                let Some(class) = task.class(said.fold, said.row).filter(|_| known) else { continue };
                confusion[class][classification::most_probable(said.values)] += 1.0;
                truth.push(class);
                probabilities.push(said.values.to_vec());
            }
        }
    }
    confusion.iter_mut().flatten().for_each(|count| *count /= f64::from(n_tables.max(1)));
    let tiers = &task.tiers[0];
    Some(TierOutcome {
        names: tiers.names(),
        rule: label::rule(tiers, &task.frame) + own_rules(task),
        confusion,
        reliability: classification::reliability(&truth, &probabilities, RELIABILITY_BINS)
            .unwrap_or_default(),
    })
}

/// Says that every fold has a rule of its own, where that is so.
fn own_rules(task: &Task) -> &'static str {
    let differ = task.tiers.iter().any(|tiers| *tiers != task.tiers[0]);
    if differ { " (first fold; each has its own, by its training cells)" } else { "" }
}

/// Returns what a part's folds say of the cells that they left out and that are scored.
fn said<'a>(
    task: &Task,
    folds: &[usize],
    predicted: &'a [Vec<Vec<f64>>],
    repetition: usize,
) -> Vec<Said<'a>> {
    let width = task.n_classes().unwrap_or(1);
    let of_fold = |&fold: &usize| {
        let split = &task.folds[fold];
        let values = predicted[fold][repetition][split.given.len() * width..].chunks(width);
        let said = split.test.iter().zip(values).map(move |(&row, values)| Said { fold, row, values });
        said.filter(|s| task.frame.is_usable(s.row)).collect::<Vec<_>>()
    };
    folds.iter().flat_map(of_fold).collect()
}

fn metrics(task: &Task, said: &[Said]) -> Vec<(&'static str, f64)> {
    if task.n_classes().is_some() { tier_metrics(task, said) } else { life_metrics(task, said) }
}

fn life_metrics(task: &Task, said: &[Said]) -> Vec<(&'static str, f64)> {
    let row = |s: &Said| &task.frame.rows[s.row];
    let y_true: Vec<f64> = said.iter().map(|s| row(s).truth).collect();
    let y_pred: Vec<f64> = said.iter().map(|s| task.frame.physical(s.row, s.values[0])).collect();
    let labels: Vec<f64> = said.iter().map(|s| row(s).label).collect();
    let predicted: Vec<f64> = said.iter().map(|s| s.values[0]).collect();
    let metrics = [
        (MSE, regression::mse(&labels, &predicted)),
        ("rmse", regression::rmse(&y_true, &y_pred)),
        ("mae", regression::mae(&y_true, &y_pred)),
        ("mape", regression::mape(&y_true, &y_pred)),
        ("r2", regression::r2(&y_true, &y_pred)),
        ("max_error", regression::max_error(&y_true, &y_pred)),
    ];
    metrics.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect()
}

fn tier_metrics(task: &Task, said: &[Said]) -> Vec<(&'static str, f64)> {
    let truth: Vec<usize> = said.iter().filter_map(|s| task.class(s.fold, s.row)).collect();
    let probabilities: Vec<Vec<f64>> = said.iter().map(|s| s.values.to_vec()).collect();
    let bins = classification::reliability(&truth, &probabilities, RELIABILITY_BINS);
    let metrics = [
        ("accuracy", classification::accuracy(&truth, &probabilities)),
        ("balanced_accuracy", classification::balanced_accuracy(&truth, &probabilities)),
        ("macro_f1", classification::macro_f1(&truth, &probabilities)),
        ("log_loss", classification::log_loss(&truth, &probabilities)),
        ("brier", classification::brier(&truth, &probabilities)),
        ("auc", classification::roc_auc(&truth, &probabilities)),
        ("calibration_error", bins.map(|b| classification::calibration_error(&b))),
    ];
    metrics.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect()
}
