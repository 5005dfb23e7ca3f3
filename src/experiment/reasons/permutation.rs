//! Permutation: how much the loss on left-out cells grows when inputs are shuffled over all cells.
//!
//! A fold may leave out one cell only, so values are shuffled over the whole frame, and every fold predicts its own cells
//! anew, all repetitions and networks in one call. Inputs that no fold keeps are not asked.

use super::{Growth, Permutation, family};
use crate::device::Backend;
use crate::experiment::config::ExperimentConfig;
use crate::experiment::error::ExperimentError;
use crate::experiment::fitted::Fitted;
use crate::experiment::score;
use crate::experiment::task::Task;
use crate::model::importance::{self, ColumnGroup};
use crate::seed::Seed;

/// Shuffles of each group: enough to see which groups matter, few enough to be done in seconds.
const REPEATS: usize = 5;

/// abs(Spearman) above which inputs are shuffled together.
const CORRELATED: f64 = 0.9;

/// Most groups of correlated inputs that are shuffled.
const MOST_GROUPS: usize = 24;

/// Shuffles families and correlated groups; `ranks` says of each input how much it may matter, 0 that it cannot.
///
/// # Errors
/// [`ExperimentError::Trees`], [`ExperimentError::Engine`].
pub(super) fn permute(
    (config, task): (&ExperimentConfig, &Task),
    fitted: &Fitted,
    backend: Backend,
    ranks: &[f64],
) -> Result<Permutation, ExperimentError> {
    let names: Vec<String> = task.frame.inputs.iter().map(|c| c.name.clone()).collect();
    let usable: Vec<usize> = (0..task.frame.rows.len()).filter(|&row| task.frame.is_usable(row)).collect();
    let mut shuffled = Shuffled { task: copy(task), usable, loss: loss_name(task) };
    let rows = shuffled.rows();
    let (correlated, n_correlated) = correlated(&rows, &names, ranks);
    let families = importance::by_family(&names, family);
    let families: Vec<ColumnGroup> = families.into_iter().filter(|g| rank(g, ranks) > 0.0).collect();
    let mut failed = None;
    let mut loss = |rows: &[Vec<f64>]| {
        shuffled.fill(rows);
        let predicted = fitted.predict(config, &shuffled.task, backend);
        let value = predicted.map(|predicted| shuffled.loss(&predicted));
        value.unwrap_or_else(|error| {
            failed.get_or_insert(error);
            f64::NAN
        })
    };
    let before = Some(loss(&rows)).filter(|v| v.is_finite());
    let seed = Seed::new(config.seed).child("permutation");
    let mut grow = |groups: &[ColumnGroup], kind: &str| {
        let grown = importance::by_permutation(&rows, groups, REPEATS, &seed.child(kind), &mut loss);
        let growth = |(found, group): (importance::Importance, &ColumnGroup)| Growth {
            inputs: group.columns.iter().map(|&c| names[c].clone()).collect(),
            name: found.name,
            mean: found.mean,
            sd: found.sd,
        };
        let mut growths: Vec<Growth> = grown.into_iter().zip(groups).map(growth).collect();
        growths.retain(|g| g.mean.is_finite());
        growths.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        growths
    };
    let (families, correlated) = (grow(&families, "family"), grow(&correlated, "correlated"));
    let (name, unit) = (loss_name(task).to_owned(), if task.n_classes().is_some() { "1" } else { "cycles" });
    match failed {
        Some(error) => Err(error),
        None => Ok(Permutation {
            loss: name,
            unit: unit.into(),
            before,
            repeats: REPEATS,
            families,
            correlated,
            n_correlated,
        }),
    }
}

fn loss_name(task: &Task) -> &'static str {
    if task.n_classes().is_some() { "log_loss" } else { "rmse" }
}

fn rank(group: &ColumnGroup, ranks: &[f64]) -> f64 {
    group.columns.iter().map(|&column| ranks[column]).sum()
}

/// Returns the groups of correlated inputs that may matter most, and how many may matter at all.
fn correlated(rows: &[Vec<f64>], names: &[String], ranks: &[f64]) -> (Vec<ColumnGroup>, usize) {
    let used: Vec<usize> = (0..names.len()).filter(|&c| ranks[c] > 0.0).collect();
    let column = |&c: &usize| rows.iter().map(|row| row[c]).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = used.iter().map(column).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let own: Vec<String> = used.iter().map(|&c| names[c].clone()).collect();
    let mut groups = importance::correlated(&slices, &own, CORRELATED);
    groups.iter_mut().flat_map(|group| &mut group.columns).for_each(|column| *column = used[*column]);
    groups.sort_by(|a, b| rank(b, ranks).total_cmp(&rank(a, ranks)));
    let n = groups.len();
    groups.truncate(MOST_GROUPS);
    (groups, n)
}

/// The task with shuffled inputs.
struct Shuffled {
    task: Task,
    /// Rows that are shuffled.
    usable: Vec<usize>,
    loss: &'static str,
}

impl Shuffled {
    /// Returns the inputs `[usable row][column]`.
    fn rows(&self) -> Vec<Vec<f64>> {
        let row = |&row: &usize| self.task.frame.inputs.iter().map(|c| c.values[row]).collect();
        self.usable.iter().map(row).collect()
    }

    /// Puts values in place; the stress of a law follows the input of its name.
    fn fill(&mut self, rows: &[Vec<f64>]) {
        let frame = &mut self.task.frame;
        for (&row, values) in self.usable.iter().zip(rows) {
            for (column, &value) in frame.inputs.iter_mut().zip(values) {
                column.values[row] = value;
            }
        }
        for stress in &mut frame.stress {
            if let Some(input) = frame.inputs.iter().find(|input| input.name == stress.name) {
                stress.values.clone_from(&input.values);
            }
        }
    }

    /// Returns the loss, mean over parts and repetitions.
    fn loss(&self, predicted: &[Vec<Vec<f64>>]) -> f64 {
        let parts = score::by_part(&self.task, predicted);
        let values: Vec<f64> =
            parts.get(self.loss).into_iter().flatten().flat_map(|(_, v)| v.clone()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    }
}

fn copy(task: &Task) -> Task {
    Task {
        frame: task.frame.clone(),
        folds: task.folds.clone(),
        tiers: task.tiers.clone(),
        leakage: crate::dataset::leakage::LeakageReport::default(),
        data_sha256: task.data_sha256.clone(),
        summary: task.summary.clone(),
    }
}
