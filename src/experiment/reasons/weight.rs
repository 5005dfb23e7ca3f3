//! Weights: how much inputs and families matter over all cells that were left out, and whether the folds agree.

use super::attribution::Shares;
use super::{Agreement, Weight, family};
use crate::experiment::fitted::Fitted;
use crate::experiment::task::Task;
use crate::model::importance::{self, ColumnGroup};
use crate::model::stability;

/// First inputs that folds are compared by.
const TOP: usize = 10;

/// Weights of all inputs and families.
pub(super) struct Weights {
    pub(super) inputs: Vec<Weight>,
    pub(super) families: Vec<Weight>,
    pub(super) agreement: Agreement,
}

/// Sums up what inputs add, `[fold][test row]`.
pub(super) fn weights(task: &Task, fitted: &Fitted, shares: &[Vec<Shares>]) -> Weights {
    let names: Vec<String> = task.frame.inputs.iter().map(|c| c.name.clone()).collect();
    let (single, families) = (importance::single(&names), importance::by_family(&names, family));
    let by_fold = |groups: &[ColumnGroup]| -> Vec<Vec<f64>> {
        let folds = fitted.folds.iter().zip(shares).filter(|(_, rows)| !rows.is_empty());
        folds.map(|(fold, rows)| of_fold(groups, &fold.columns, rows)).collect()
    };
    let (of_inputs, of_families) = (by_fold(&single), by_fold(&families));
    let stable = stability::over_folds(&of_inputs, TOP);
    let agreement = Agreement {
        top: TOP.min(names.len()),
        n_folds: of_inputs.len(),
        jaccard: stable.jaccard,
        kuncheva: stable.kuncheva,
    };
    Weights { inputs: listed(&single, &of_inputs), families: listed(&families, &of_families), agreement }
}

/// Returns for each group the mean over rows and outputs of the absolute sum of what its columns add.
fn of_fold(groups: &[ColumnGroup], kept: &[usize], rows: &[Shares]) -> Vec<f64> {
    let place = |column: &usize| kept.iter().position(|k| k == column);
    let n = rows.iter().map(|row| row.adds.len()).sum::<usize>() as f64;
    let one = |group: &ColumnGroup| {
        let own: Vec<usize> = group.columns.iter().filter_map(place).collect();
        let sum = |adds: &Vec<f64>| own.iter().map(|&idx| adds[idx]).sum::<f64>().abs();
        rows.iter().flat_map(|row| &row.adds).map(sum).sum::<f64>() / n
    };
    groups.iter().map(one).collect()
}

/// Returns the groups that have a weight, the greatest first.
fn listed(groups: &[ColumnGroup], by_fold: &[Vec<f64>]) -> Vec<Weight> {
    let stable = stability::over_folds(by_fold, TOP);
    let n = by_fold.len() as f64;
    let weight = |(idx, group): (usize, &ColumnGroup)| {
        let mean = by_fold.iter().map(|fold| fold[idx]).sum::<f64>() / n;
        let squares: f64 = by_fold.iter().map(|fold| (fold[idx] - mean).powi(2)).sum();
        Weight {
            name: group.name.clone(),
            family: if group.columns.len() > 1 { group.name.clone() } else { family(&group.name) },
            mean,
            sd: (by_fold.len() > 1).then(|| (squares / n).sqrt()),
            mean_rank: stable.mean_rank[idx],
            top_share: stable.top_share[idx],
        }
    };
    if by_fold.is_empty() {
        return Vec::new();
    }
    let mut weights: Vec<Weight> = groups.iter().enumerate().map(weight).filter(|w| w.mean > 0.0).collect();
    weights.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    weights
}
