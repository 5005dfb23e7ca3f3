//! Reasons of one cell: what is said of it, and which inputs say it.

use super::attribution::Shares;
use super::{CellReasons, Contribution};
use crate::experiment::fitted::Fitted;
use crate::experiment::task::Task;
use crate::metric::classification::most_probable;

/// Most contributions that are kept of a cell; the others are summed up.
const MOST: usize = 10;

/// Sums over the folds that left a row out.
struct Sums {
    n_folds: usize,
    /// Folds that say it, for the tier's sake.
    folds: Vec<usize>,
    /// Probabilities, or the life [cycles].
    said: Vec<f64>,
    /// Per output and column of the frame.
    adds: Vec<Vec<f64>>,
    starts: Vec<f64>,
    /// Per column of the frame: sum of medians, and how many.
    medians: Vec<(f64, usize)>,
}

/// Returns the reasons of each cell that some fold left out.
pub(super) fn reasons(
    task: &Task,
    fitted: &Fitted,
    predicted: &[Vec<Vec<f64>>],
    shares: Option<&[Vec<Shares>]>,
) -> Vec<CellReasons> {
    let mut sums: Vec<Option<Sums>> = task.frame.rows.iter().map(|_| None).collect();
    for (fold_idx, split) in task.folds.iter().enumerate() {
        for (idx, &row) in split.test.iter().enumerate() {
            let sums = sums[row].get_or_insert_with(|| Sums::new(task));
            sums.add_said(task, (fold_idx, row), (split.given.len() + idx, &predicted[fold_idx]));
            sums.add_medians(&fitted.folds[fold_idx].columns, &fitted.folds[fold_idx].scaler.median);
            if let Some(shares) = shares.and_then(|s| s[fold_idx].get(idx)) {
                sums.add_shares(&fitted.folds[fold_idx].columns, shares);
            }
        }
    }
    let found = sums.iter().enumerate().filter_map(|(row, sums)| Some((row, sums.as_ref()?)));
    found.map(|(row, sums)| sums.reasons(task, row, shares.is_some())).collect()
}

impl Sums {
    fn new(task: &Task) -> Self {
        let (n_outputs, n_columns) = (task.n_classes().unwrap_or(1), task.frame.inputs.len());
        Self {
            n_folds: 0,
            folds: Vec::new(),
            said: vec![0.0; n_outputs],
            adds: vec![vec![0.0; n_columns]; n_outputs],
            starts: vec![0.0; n_outputs],
            medians: vec![(0.0, 0); n_columns],
        }
    }

    fn add_said(&mut self, task: &Task, (fold, row): (usize, usize), (at, said): (usize, &[Vec<f64>])) {
        self.n_folds += 1;
        self.folds.push(fold);
        let width = self.said.len();
        for (k, sum) in self.said.iter_mut().enumerate() {
            let mean = said.iter().map(|r| r[at * width + k]).sum::<f64>() / said.len() as f64;
            *sum += if task.n_classes().is_some() { mean } else { task.frame.physical(row, mean) };
        }
    }

    fn add_medians(&mut self, columns: &[usize], medians: &[f64]) {
        for (&column, &median) in columns.iter().zip(medians).filter(|(_, m)| m.is_finite()) {
            self.medians[column].0 += median;
            self.medians[column].1 += 1;
        }
    }

    fn add_shares(&mut self, columns: &[usize], shares: &Shares) {
        for (output, adds) in shares.adds.iter().enumerate() {
            self.starts[output] += shares.starts[output];
            columns.iter().zip(adds).for_each(|(&column, add)| self.adds[output][column] += add);
        }
    }

    fn reasons(&self, task: &Task, row: usize, explained: bool) -> CellReasons {
        let n = self.n_folds as f64;
        let at = &task.frame.rows[row];
        let names = task.tiers.first().map(crate::prepare::Tiers::names);
        let said: Vec<f64> = self.said.iter().map(|s| s / n).collect();
        let output = if names.is_some() { most_probable(&said) } else { 0 };
        let adds: Vec<f64> = self.adds[output].iter().map(|a| a / n).collect();
        let start = self.starts[output] / n;
        let (contributions, others) =
            if explained { self.contributions(task, row, &adds) } else { (Vec::new(), 0.0) };
        let named = |class: usize| names.as_ref().map(|names| names[class].clone());
        CellReasons {
            cell: task.frame.cells[at.cell_idx].id.to_string(),
            n_folds: self.n_folds,
            truth: Some(at.truth).filter(|t| t.is_finite()),
            tier: self.tier(task, row).and_then(named),
            predicted_tier: named(output),
            predicted: names.is_none().then(|| said[0]),
            probabilities: if names.is_some() { said } else { Vec::new() },
            start,
            margin: start + adds.iter().sum::<f64>(),
            contributions,
            others,
        }
    }

    /// Returns the tier that most folds give the row; tiers are made of training cells, so folds may differ.
    fn tier(&self, task: &Task, row: usize) -> Option<usize> {
        let mut votes = vec![0.0; task.n_classes()?];
        let found: Vec<usize> = self.folds.iter().filter_map(|&fold| task.class(fold, row)).collect();
        for &class in &found {
            votes[class] += 1.0;
        }
        (!found.is_empty()).then(|| most_probable(&votes))
    }

    /// Returns the greatest contributions, and the sum of the others.
    fn contributions(&self, task: &Task, row: usize, adds: &[f64]) -> (Vec<Contribution>, f64) {
        let mut order: Vec<usize> = (0..adds.len()).filter(|&c| adds[c] != 0.0).collect();
        order.sort_by(|&a, &b| adds[b].abs().total_cmp(&adds[a].abs()));
        let one = |&column: &usize| {
            let (input, (median, n)) = (&task.frame.inputs[column], self.medians[column]);
            Contribution {
                input: input.name.clone(),
                unit: input.unit.clone(),
                value: Some(input.values[row]).filter(|v| v.is_finite()),
                median: median / n.max(1) as f64,
                adds: adds[column],
            }
        };
        let others = order.iter().skip(MOST).map(|&c| adds[c]).sum();
        (order.iter().take(MOST).map(one).collect(), others)
    }
}
