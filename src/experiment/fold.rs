//! One fold of a fitted model: scaling, law and linear model from its training rows, and their predictions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, ModelKind};
use super::error::ExperimentError;
use crate::model::hybrid::PriorStart;
use crate::model::linear;
use crate::physics::fit::{self as law_fit, FitConfig, Series, SharedFit};
use crate::prepare::{Fold, Frame, Scaler, batch};
use crate::train::StopReason;
use crate::train::engine::{MemberState, Rows};

/// What one fold's training rows gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedFold {
    /// Name of the fold.
    pub name: String,
    /// Scaling of the inputs.
    pub scaler: Scaler,
    /// Median of each stress column, which stands for a missing value.
    pub stress_median: Vec<f64>,
    /// Mean and standard deviation of the training labels [SoH].
    pub label_scale: (f64, f64),
    /// Fitted law, for `physics` and `hybrid`.
    pub law: Option<FittedLaw>,
    /// Intercept and weights on scaled inputs, in scaled label units, for `linear`.
    pub linear: Option<Vec<f64>>,
    /// Networks, repetition after repetition; their numbers are stored beside this.
    #[serde(skip)]
    pub members: Vec<MemberState>,
    /// Why each network stopped.
    pub stops: Vec<StopReason>,
}

/// Parameters of a law for a fold's unseen rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedLaw {
    /// Parameters in the order of the law.
    pub theta: Vec<f64>,
    /// Standard errors of the fit to the training cells; none where the data does not determine one.
    pub standard_errors: Vec<Option<f64>>,
    /// Root mean square residual on the training rows [SoH].
    pub rmse: f64,
}

impl FittedFold {
    /// Returns scaled rows; without a law there is no stress.
    pub(super) fn rows(&self, config: &ExperimentConfig, frame: &Frame, positions: &[usize]) -> Rows {
        let has_law = config.model.kind == ModelKind::Hybrid;
        let stress = if has_law { self.stress(config, frame, positions) } else { Vec::new() };
        batch::rows(frame, &self.scaler, positions, &stress, self.label_scale)
    }

    fn stress(&self, config: &ExperimentConfig, frame: &Frame, positions: &[usize]) -> Vec<Vec<f64>> {
        let mut stress = stress(config, frame, positions);
        for row in &mut stress {
            for (value, &median) in row.iter_mut().zip(&self.stress_median) {
                *value = if value.is_finite() { *value } else { median };
            }
        }
        stress
    }

    pub(super) fn prior_start(&self, config: &ExperimentConfig) -> Option<PriorStart> {
        let law = self.law.as_ref().filter(|_| config.model.kind == ModelKind::Hybrid)?;
        let (label_mean, label_sd) = self.label_scale;
        Some(PriorStart { theta: law.theta.clone(), label_mean, label_sd })
    }

    pub(super) fn predict_law(&self, config: &ExperimentConfig, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let theta = self.law.as_ref().map_or(&[][..], |law| &law.theta);
        let stress = self.stress(config, frame, rows);
        stress.iter().map(|s| config.model.prior.capacity(theta, s)).collect()
    }

    pub(super) fn predict_linear(&self, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let weights = self.linear.as_deref().unwrap_or(&[]);
        let value = |row: &usize| {
            let inputs: Vec<f64> = scaled_inputs(frame, &self.scaler, *row);
            self.label_scale.0 + self.label_scale.1 * linear::predict(weights, &inputs)
        };
        rows.iter().map(value).collect()
    }

    /// Returns the mean of an ensemble's outputs in SoH; members that diverged are left out.
    pub(super) fn ensemble(&self, outputs: &[Vec<f32>], d_output: usize) -> Vec<f64> {
        let finite: Vec<&Vec<f32>> = outputs.iter().filter(|o| o.iter().all(|v| v.is_finite())).collect();
        let n_rows = outputs.first().map_or(0, |o| o.len() / d_output);
        let mean = |row: usize| {
            let sum: f64 = finite.iter().map(|o| f64::from(o[row * d_output])).sum();
            self.label_scale.0 + self.label_scale.1 * sum / finite.len() as f64
        };
        (0..n_rows).map(mean).collect()
    }
}

/// Fits all that comes before a network: scalers, the law, the linear model.
pub(super) fn prepare(
    config: &ExperimentConfig,
    frame: &Frame,
    fold: &Fold,
) -> Result<FittedFold, ExperimentError> {
    let inputs: Vec<&[f64]> = frame.inputs.iter().map(|c| c.values.as_slice()).collect();
    let labels: Vec<f64> = frame.rows.iter().map(|r| r.soh).collect();
    let label = Scaler::fit(&[&labels], &fold.train);
    let mut fitted = FittedFold {
        name: fold.name.clone(),
        scaler: Scaler::fit(&inputs, &fold.train),
        stress_median: stress_medians(config, frame, fold),
        label_scale: (label.mean[0], label.sd[0]),
        law: None,
        linear: None,
        members: Vec::new(),
        stops: Vec::new(),
    };
    match config.model.kind {
        ModelKind::Physics | ModelKind::Hybrid => fitted.law = Some(fit_law(config, frame, fold, &fitted)?),
        ModelKind::Linear => fitted.linear = Some(fit_linear(config, frame, fold, &fitted)),
        ModelKind::Dense => {}
    }
    Ok(fitted)
}

fn fit_linear(config: &ExperimentConfig, frame: &Frame, fold: &Fold, fitted: &FittedFold) -> Vec<f64> {
    let inputs: Vec<Vec<f64>> =
        fold.train.iter().map(|&row| scaled_inputs(frame, &fitted.scaler, row)).collect();
    let (mean, sd) = fitted.label_scale;
    let labels: Vec<f64> = fold.train.iter().map(|&row| (frame.rows[row].soh - mean) / sd).collect();
    linear::fit(&inputs, &labels, config.model.ridge)
}

/// Fits the law to the training cells, and its per-cell parameters to what is given of the unseen cell.
fn fit_law(
    config: &ExperimentConfig,
    frame: &Frame,
    fold: &Fold,
    fitted: &FittedFold,
) -> Result<FittedLaw, ExperimentError> {
    let per_cell: BTreeSet<String> = config.physics.per_cell.iter().cloned().collect();
    let settings = FitConfig { held: config.physics.hold.clone(), per_cell, ..FitConfig::default() };
    let failed = |source| ExperimentError::Physics { fold: fold.name.clone(), source };
    let shared =
        law_fit::fit_shared(config.model.prior, &by_cell(config, frame, &fold.train, fitted), &settings)
            .map_err(failed)?;
    let SharedFit { fit, .. } = &shared;
    let mut theta = fit.theta.clone();
    if !fold.given.is_empty() && !settings.per_cell.is_empty() {
        let own = by_cell(config, frame, &fold.given, fitted);
        if let [series] = &own[..] {
            theta = shared.adapt(series, &settings).map_err(failed)?.theta;
        }
    }
    Ok(FittedLaw { theta, standard_errors: fit.standard_errors.clone(), rmse: fit.rmse })
}

/// Returns the labelled rows as one series a cell.
fn by_cell(config: &ExperimentConfig, frame: &Frame, rows: &[usize], fitted: &FittedFold) -> Vec<Series> {
    let rows: Vec<usize> = rows.iter().copied().filter(|&row| frame.rows[row].soh.is_finite()).collect();
    let one = |rows: &[usize]| {
        let stress = fitted.stress(config, frame, rows);
        let n_columns = config.model.prior.stress().len();
        Series {
            cell: frame.cells[frame.rows[rows[0]].cell_idx].id.clone(),
            stress: (0..n_columns).map(|c| stress.iter().map(|row| row[c]).collect()).collect(),
            capacity: rows.iter().map(|&row| frame.rows[row].soh).collect(),
        }
    };
    rows.chunk_by(|&a, &b| frame.rows[a].cell_idx == frame.rows[b].cell_idx).map(one).collect()
}

fn stress(config: &ExperimentConfig, frame: &Frame, positions: &[usize]) -> Vec<Vec<f64>> {
    let names: Vec<&str> = config.model.prior.stress().iter().map(|s| s.name).collect();
    frame.stress_of(&names, positions)
}

fn stress_medians(config: &ExperimentConfig, frame: &Frame, fold: &Fold) -> Vec<f64> {
    let rows = stress(config, frame, &fold.train);
    let column = |c: usize| rows.iter().map(|row| row[c]).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = (0..config.model.prior.stress().len()).map(column).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    Scaler::fit(&slices, &(0..rows.len()).collect::<Vec<_>>()).median
}

fn scaled_inputs(frame: &Frame, scaler: &Scaler, row: usize) -> Vec<f64> {
    frame.inputs.iter().enumerate().map(|(idx, c)| scaler.scale(idx, c.values[row])).collect()
}

/// Takes the median error on the last `n` given rows off a fold's predictions (given rows first).
pub(super) fn anchor(soh: &mut [f64], frame: &Frame, fold: &Fold, n: usize) {
    let known = fold.given.iter().enumerate().filter(|(_, row)| frame.rows[**row].soh.is_finite());
    let mut errors: Vec<f64> = known.map(|(idx, &row)| soh[idx] - frame.rows[row].soh).collect();
    let mut last = errors.split_off(errors.len().saturating_sub(n));
    last.sort_by(f64::total_cmp);
    if let Some(&high) = last.get(last.len() / 2) {
        let shift = 0.5 * (high + last[(last.len() - 1) / 2]);
        for s in soh {
            *s -= shift;
        }
    }
}
