//! Calibration of probabilities: a correction that is fitted to cells which the model did not learn from.
//!
//! Each fold's training cells are dealt into folds of their own. Models of these train beside the fold's own (networks
//! in one population), predict the cells that they did not see, and the correction is fitted to what they say.

use super::error::ExperimentError;
use super::fitted::Fitted;
use super::population::Job;
use super::task::Task;
use crate::dataset::leakage::LeakageReport;
use crate::device::Backend;
use crate::model::calibration::CalibrationConfig;
use crate::prepare::Fold;
use crate::prepare::nested::{self, Inner};

/// Returns the task with each fold's inner folds behind all folds; `None` where nothing is to be calibrated.
///
/// # Errors
/// [`ExperimentError::Split`] where a fold's cells cannot be dealt.
pub(super) fn extended(job: &Job) -> Result<Option<Task>, ExperimentError> {
    let Job { config, task, .. } = job;
    if method(job).is_none() {
        return Ok(None);
    }
    let (mut folds, mut tiers) = (task.folds.clone(), task.tiers.clone());
    for (fold, own) in task.folds.iter().zip(&task.tiers) {
        let inner =
            nested::regroup(&task.frame, fold, 0, Inner { folds: config.calibration.folds, repeats: 1 })?;
        tiers.extend(inner.iter().map(|_| own.clone()));
        folds.extend(inner.into_iter().map(|f| Fold { name: format!("{}/{}", fold.name, f.name), ..f }));
    }
    Ok(Some(Task {
        frame: task.frame.clone(),
        folds,
        tiers,
        leakage: LeakageReport::default(),
        data_sha256: task.data_sha256.clone(),
        summary: task.summary.clone(),
    }))
}

/// Fits the corrections to what the inner models say, and forgets those models.
///
/// # Errors
/// [`ExperimentError::Calibration`], [`ExperimentError::Engine`].
pub(super) fn settle(job: &Job, fitted: &mut Fitted, backend: Backend) -> Result<(), ExperimentError> {
    let Job { config, task, .. } = job;
    let Some(method) = method(job).filter(|_| !fitted.is_paused()) else { return Ok(()) };
    let n_outer = task.folds.len() / (1 + config.calibration.folds);
    let predicted = fitted.predict(config, task, backend)?;
    let mut corrections = Vec::new();
    for outer in 0..n_outer {
        let from = n_outer + outer * config.calibration.folds;
        let inner = from..from + config.calibration.folds;
        let n_repetitions = predicted[from].len();
        let fit = |repetition: usize| {
            let (truth, probabilities) = held_out(task, inner.clone(), &predicted, repetition);
            method.fit(&truth, &probabilities).map_err(|source| ExperimentError::Calibration {
                fold: task.folds[outer].name.clone(),
                source,
            })
        };
        corrections.push((0..n_repetitions).map(fit).collect::<Result<Vec<_>, _>>()?);
    }
    fitted.folds.truncate(n_outer);
    for (fold, own) in fitted.folds.iter_mut().zip(corrections) {
        fold.calibration = own;
    }
    Ok(())
}

/// Returns the tiers and the probabilities of the cells that the inner folds left out.
fn held_out(
    task: &Task,
    inner: std::ops::Range<usize>,
    predicted: &[Vec<Vec<f64>>],
    repetition: usize,
) -> (Vec<usize>, Vec<Vec<f64>>) {
    let n_classes = task.n_classes().unwrap_or(1);
    let of_fold = |fold: usize| {
        let rows = task.folds[fold].test.iter().zip(predicted[fold][repetition].chunks(n_classes));
        let usable = rows.filter(|(row, _)| task.frame.is_usable(**row));
        let known = usable.filter(|(_, p)| p.iter().all(|p| p.is_finite()));
        known.filter_map(move |(&row, p)| Some((task.class(fold, row)?, p.to_vec()))).collect::<Vec<_>>()
    };
    inner.flat_map(of_fold).unzip()
}

fn method(job: &Job) -> Option<CalibrationConfig> {
    job.task.n_classes()?;
    Some(job.config.calibration.method).filter(|&method| method != CalibrationConfig::None)
}
