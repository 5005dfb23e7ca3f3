//! Attribution: what each input adds to each margin of the cells that a fold left out, for models that say it exactly.
//!
//! Trees say it by their SHAP values. A linear model adds `weight x (scaled input)`: its inputs are scaled to mean 0 on
//! the training cells, so this is the difference from the mean cell.

use rayon::prelude::*;

use crate::experiment::config::{ExperimentConfig, ModelKind};
use crate::experiment::error::ExperimentError;
use crate::experiment::fitted::Fitted;
use crate::experiment::fold::FittedFold;
use crate::experiment::task::Task;
use crate::model::trees::{TreeModel, Trees};
use crate::prepare::{Frame, Quantity, batch};

/// What the inputs of a fold's model add for one of its test rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shares {
    /// Per output (a tier, or the label): one number a column that the fold keeps.
    pub(super) adds: Vec<Vec<f64>>,
    /// Per output: what they start from.
    pub(super) starts: Vec<f64>,
}

/// Returns `[fold][test row]`; `None` for models that do not say it.
///
/// # Errors
/// [`ExperimentError::Trees`].
pub(super) fn attribute(
    config: &ExperimentConfig,
    task: &Task,
    fitted: &Fitted,
) -> Result<Option<Vec<Vec<Shares>>>, ExperimentError> {
    let one = |(fold, split): (&FittedFold, &crate::prepare::Fold)| match config.model.kind {
        ModelKind::Trees => of_trees(fold, &task.frame, &split.test),
        ModelKind::Linear => Ok(of_linear(fold, &task.frame, &split.test)),
        _ => Ok(of_logistic(fold, &task.frame, &split.test)),
    };
    if !matches!(config.model.kind, ModelKind::Trees | ModelKind::Linear | ModelKind::Logistic) {
        return Ok(None);
    }
    fitted.folds.par_iter().zip(&task.folds).map(one).collect::<Result<Vec<_>, _>>().map(Some)
}

/// Returns the unit of what is added.
pub(super) fn unit(task: &Task) -> &'static str {
    match task.frame.quantity {
        _ if task.n_classes().is_some() => "margin",
        Quantity::LogLife => "log10 cycles",
        Quantity::Life => "cycles",
        Quantity::Soh => "SoH",
    }
}

fn of_trees(fold: &FittedFold, frame: &Frame, rows: &[usize]) -> Result<Vec<Shares>, ExperimentError> {
    let inputs = batch::plain(frame, &fold.columns, rows);
    let failed = |source| ExperimentError::Trees { fold: fold.name.clone(), source };
    let one = |trees: &Trees| trees.shap(&inputs).map_err(failed);
    let all = fold.trees.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let n_outputs = fold.trees.first().map_or(0, Trees::n_outputs);
    let mean = |row: usize, output: usize| {
        let width = fold.columns.len() + 1;
        let at = |k: usize| all.iter().map(|shap| shap[row][output][k]).sum::<f64>() / all.len() as f64;
        (0..width).map(at).collect::<Vec<f64>>()
    };
    let shares = |row: usize| {
        let mut adds: Vec<Vec<f64>> = (0..n_outputs).map(|output| mean(row, output)).collect();
        let starts = adds.iter_mut().map(|a| a.pop().unwrap_or(0.0)).collect();
        Shares { adds, starts }
    };
    Ok((0..rows.len()).map(shares).collect())
}

fn of_linear(fold: &FittedFold, frame: &Frame, rows: &[usize]) -> Vec<Shares> {
    let (mean, sd) = fold.label_scale;
    let weights = fold.linear.as_deref().unwrap_or(&[]);
    let shares = |inputs: Vec<f64>| Shares {
        adds: vec![inputs.iter().zip(weights.iter().skip(1)).map(|(x, w)| sd * w * x).collect()],
        starts: vec![mean + sd * weights.first().copied().unwrap_or(0.0)],
    };
    fold.scaled(frame, rows).into_iter().map(shares).collect()
}

fn of_logistic(fold: &FittedFold, frame: &Frame, rows: &[usize]) -> Vec<Shares> {
    let Some(logistic) = &fold.logistic else { return Vec::new() };
    let shares = |inputs: Vec<f64>| {
        let add = |w: &Vec<f64>| w.iter().zip(&inputs).map(|(w, x)| w * x).collect::<Vec<f64>>();
        let (adds, starts): (Vec<Vec<f64>>, Vec<f64>) =
            (logistic.coefficients.iter().map(add).collect(), logistic.intercepts.clone());
        if adds.len() > 1 { Shares { adds, starts } } else { halves(&adds[0], starts[0]) }
    };
    fold.scaled(frame, rows).into_iter().map(shares).collect()
}

/// Returns the margins of two tiers from the one logit of the second: half of it each way has the same softmax.
fn halves(adds: &[f64], start: f64) -> Shares {
    let half = |sign: f64| adds.iter().map(|a| 0.5 * sign * a).collect();
    Shares { adds: vec![half(-1.0), half(1.0)], starts: vec![-0.5 * start, 0.5 * start] }
}
