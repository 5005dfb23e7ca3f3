//! Predictions of a run as a table: one row a predicted discharge, or a predicted cell in each fold that leaves it out.

use std::path::Path;

use super::error::ExperimentError;
use super::task::Task;
use crate::dataset::table;
use crate::metric::classification::most_probable;

/// One row of the table: a row of the frame in a fold that left it out.
struct Said {
    fold: usize,
    row: usize,
    /// Mean over repetitions: one label, or the probabilities of all tiers.
    values: Vec<f64>,
}

/// Writes what a model says of the test rows, `[fold][repetition][row]`, given rows first.
///
/// # Errors
/// [`ExperimentError::File`].
pub(super) fn write(path: &Path, task: &Task, predicted: &[Vec<Vec<f64>>]) -> Result<(), ExperimentError> {
    let rows = rows(task, predicted);
    let at = |r: &Said| &task.frame.rows[r.row];
    let truth = rows.iter().map(|r| at(r).truth).collect();
    let mut columns = vec![
        table::texts("fold", &rows.iter().map(|r| task.folds[r.fold].name.as_str()).collect::<Vec<_>>()),
        table::texts(
            "cell",
            &rows.iter().map(|r| task.frame.cells[at(r).cell_idx].id.as_str()).collect::<Vec<_>>(),
        ),
        table::counts("cycle_count", rows.iter().map(|r| at(r).cycle).collect()),
    ];
    if task.n_classes().is_some() {
        columns.push(table::numbers(&task.frame.targets[0].name, truth));
        columns.extend(tier_columns(task, &rows));
    } else {
        let name =
            task.frame.targets.first().map_or("discharging_capacity_ah", |target| target.name.as_str());
        let said = rows.iter().map(|r| task.frame.physical(r.row, r.values[0])).collect();
        columns.extend([table::numbers(name, truth), table::numbers(&format!("predicted_{name}"), said)]);
    }
    let scored = rows.iter().map(|r| u32::from(task.frame.is_usable(r.row))).collect();
    columns.push(table::counts("scored", scored));
    Ok(table::write_columns(path, columns)?)
}

fn rows(task: &Task, predicted: &[Vec<Vec<f64>>]) -> Vec<Said> {
    let width = task.n_classes().unwrap_or(1);
    let mut rows = Vec::new();
    for (fold, (split, repetitions)) in task.folds.iter().zip(predicted).enumerate() {
        for (idx, &row) in split.test.iter().enumerate() {
            let from = (split.given.len() + idx) * width;
            let mean =
                |k: usize| repetitions.iter().map(|r| r[from + k]).sum::<f64>() / repetitions.len() as f64;
            rows.push(Said { fold, row, values: (0..width).map(mean).collect() });
        }
    }
    rows
}

fn tier_columns(task: &Task, rows: &[Said]) -> Vec<table::TableColumn> {
    let names = task.tiers[0].names();
    let truth: Vec<&str> =
        rows.iter().map(|r| task.class(r.fold, r.row).map_or("", |class| names[class].as_str())).collect();
    let said: Vec<&str> = rows.iter().map(|r| names[most_probable(&r.values)].as_str()).collect();
    let mut columns = vec![table::texts("tier", &truth), table::texts("predicted_tier", &said)];
    for (class, name) in names.iter().enumerate() {
        let probability = rows.iter().map(|r| r.values[class]).collect();
        columns.push(table::numbers(&format!("probability_{}", name.to_lowercase()), probability));
    }
    columns
}
