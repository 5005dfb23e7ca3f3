//! One fold of a fitted model: scaling, law and linear model from its training rows, and their predictions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, ModelKind};
use super::error::ExperimentError;
use super::label;
use super::population::n_inputs;
use crate::model::calibration::Calibration;
use crate::model::hybrid::PriorStart;
use crate::model::linear;
use crate::model::logistic::{Logistic, LogisticConfig};
use crate::model::softmax::softmax;
use crate::model::trees::{TreeModel, Trees};
use crate::physics::fit::{self as law_fit, FitConfig, Series, SharedFit};
use crate::prepare::select::Labels;
use crate::prepare::{Fold, Frame, Scaler, Tiers, batch};
use crate::train::StopReason;
use crate::train::engine::{MemberState, Rows};

/// What one fold's training rows gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedFold {
    /// Name of the fold.
    pub name: String,
    /// Inputs that it keeps, positions in the frame.
    pub columns: Vec<usize>,
    /// Names of these inputs, by which a stored model knows that the data's inputs are still its own.
    pub inputs: Vec<String>,
    /// Scaling of these inputs.
    pub scaler: Scaler,
    /// Median of each stress column, which stands for a missing value.
    pub stress_median: Vec<f64>,
    /// Mean and standard deviation of the training labels [SoH], or of the logarithm of the life.
    pub label_scale: (f64, f64),
    /// Tiers of its training cells, for `tier`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tiers: Option<Tiers>,
    /// Weight of each tier in training.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub class_weights: Vec<f64>,
    /// Logistic regression, for `logistic`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub logistic: Option<Logistic>,
    /// Correction of the probabilities, one a repetition; none where none is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub calibration: Vec<Calibration>,
    /// Trees, repetition after repetition; they are stored beside this.
    #[serde(skip)]
    pub trees: Vec<Trees>,
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
        let inputs = self.batch_inputs(n_inputs(config, frame));
        batch::rows(frame, inputs, positions, &stress, &|row| self.label(frame, row))
    }

    /// Returns whether the frame's inputs are those that it was fitted to.
    pub(super) fn fits(&self, frame: &Frame) -> bool {
        let name = |&c: &usize| frame.inputs.get(c).map(|column| column.name.as_str());
        self.columns.iter().map(name).eq(self.inputs.iter().map(|name| Some(name.as_str())))
    }

    fn batch_inputs(&self, d_input: usize) -> batch::Inputs<'_> {
        batch::Inputs { columns: &self.columns, scaler: &self.scaler, d_input }
    }

    /// Returns what a network's output for a row should be, and how much it counts.
    fn label(&self, frame: &Frame, row: usize) -> Option<(f64, f64)> {
        let label = Some(frame.rows[row].label).filter(|label| label.is_finite())?;
        if self.tiers.is_some() {
            let class = self.class(frame, row)?;
            return Some((class as f64, self.class_weights[class]));
        }
        Some(((label - self.label_scale.0) / self.label_scale.1, 1.0))
    }

    /// Returns the tier of a row; `None` where it is unknown, or there are no tiers.
    pub(super) fn class(&self, frame: &Frame, row: usize) -> Option<usize> {
        label::class(self.tiers.as_ref()?, frame, row)
    }

    /// Returns the scaled inputs of rows.
    pub(super) fn scaled(&self, frame: &Frame, rows: &[usize]) -> Vec<Vec<f64>> {
        rows.iter().map(|&row| self.batch_inputs(0).scaled(frame, row).collect()).collect()
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
            let inputs: Vec<f64> = self.batch_inputs(0).scaled(frame, *row).collect();
            self.label_scale.0 + self.label_scale.1 * linear::predict(weights, &inputs)
        };
        rows.iter().map(value).collect()
    }

    /// Returns the probabilities of all tiers, row after row.
    pub(super) fn predict_logistic(&self, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let inputs = self.scaled(frame, rows);
        self.logistic.iter().flat_map(|l| inputs.iter().flat_map(|row| l.probabilities(row))).collect()
    }

    /// Returns the mean over some trees of the probabilities of all tiers, or of the label, row after row.
    ///
    /// # Errors
    /// [`ExperimentError::Trees`].
    pub(super) fn predict_trees(
        &self,
        config: &ExperimentConfig,
        trees: &[Trees],
        (frame, rows): (&Frame, &[usize]),
    ) -> Result<Vec<f64>, ExperimentError> {
        let inputs = batch::plain(frame, &self.columns, rows);
        let failed = |source| ExperimentError::Trees { fold: self.name.clone(), source };
        let one = |t: &Trees| Ok(t.predict(&inputs).map_err(failed)?.concat());
        let grown = mean_of(&trees.iter().map(one).collect::<Result<Vec<_>, ExperimentError>>()?);
        if self.law.is_none() {
            return Ok(grown);
        }
        let law = self.predict_law(config, frame, rows);
        Ok(law.iter().zip(&grown).map(|(law, rest)| law + rest).collect())
    }

    /// Returns what trees learn of rows: the label, or what the law leaves of it.
    pub(super) fn to_grow(&self, config: &ExperimentConfig, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let labels = rows.iter().map(|&row| frame.rows[row].label);
        if self.law.is_none() {
            return labels.collect();
        }
        labels.zip(self.predict_law(config, frame, rows)).map(|(label, law)| label - law).collect()
    }

    /// Corrects the probabilities of each repetition.
    pub(super) fn calibrate(&self, predicted: &mut [Vec<f64>]) {
        let n_classes = self.class_weights.len();
        for (probabilities, calibration) in predicted.iter_mut().zip(&self.calibration) {
            let rows: Vec<Vec<f64>> =
                probabilities.chunks(n_classes).map(|row| calibration.apply(row)).collect();
            *probabilities = rows.concat();
        }
    }

    /// Returns the mean of an ensemble's outputs as labels, or the mean of its probabilities, row after row; members that
    /// diverged are left out.
    pub(super) fn ensemble(&self, outputs: &[Vec<f32>], d_output: usize) -> Vec<f64> {
        let finite: Vec<&Vec<f32>> = outputs.iter().filter(|o| o.iter().all(|v| v.is_finite())).collect();
        let n_rows = outputs.first().map_or(0, |o| o.len() / d_output);
        if self.tiers.is_some() && finite.is_empty() {
            return vec![f64::NAN; n_rows * d_output];
        }
        if self.tiers.is_some() {
            let own = |o: &&Vec<f32>| o.chunks(d_output).flat_map(softmax).collect::<Vec<f64>>();
            return mean_of(&finite.iter().map(own).collect::<Vec<_>>());
        }
        let mean = |row: usize| {
            let sum: f64 = finite.iter().map(|o| f64::from(o[row * d_output])).sum();
            self.label_scale.0 + self.label_scale.1 * sum / finite.len() as f64
        };
        (0..n_rows).map(mean).collect()
    }
}

/// Fits all that comes before networks and trees: which inputs, scalers, the law, the linear models.
pub(super) fn prepare(
    config: &ExperimentConfig,
    frame: &Frame,
    (fold, tiers): (&Fold, Option<&Tiers>),
) -> Result<FittedFold, ExperimentError> {
    let labels: Vec<f64> = frame.rows.iter().map(|r| r.label).collect();
    let label = Scaler::fit(&[&labels], &fold.train);
    let class = |row: &usize| label::class(tiers?, frame, *row);
    let classes: Vec<usize> = fold.train.iter().filter_map(class).collect();
    let columns = kept(config, frame, fold, tiers)?;
    let inputs: Vec<&[f64]> = columns.iter().map(|&c| frame.inputs[c].values.as_slice()).collect();
    let mut fitted = FittedFold {
        name: fold.name.clone(),
        scaler: Scaler::fit(&inputs, &fold.train),
        inputs: columns.iter().map(|&c| frame.inputs[c].name.clone()).collect(),
        columns,
        tiers: tiers.cloned(),
        class_weights: tiers.map_or_else(Vec::new, |t| label::class_weights(config, &classes, t.n())),
        logistic: None,
        calibration: Vec::new(),
        trees: Vec::new(),
        stress_median: stress_medians(config, frame, fold),
        label_scale: (label.mean[0], label.sd[0]),
        law: None,
        linear: None,
        members: Vec::new(),
        stops: Vec::new(),
    };
    match config.model.kind {
        ModelKind::Physics | ModelKind::Hybrid | ModelKind::HybridTrees => {
            fitted.law = Some(fit_law(config, frame, fold, &fitted)?);
        }
        ModelKind::Linear => fitted.linear = Some(fit_linear(config, frame, fold, &fitted)),
        ModelKind::Logistic => fitted.logistic = Some(fit_logistic(config, frame, fold, &fitted)?),
        ModelKind::Dense | ModelKind::Trees => {}
    }
    Ok(fitted)
}

/// Chooses a fold's inputs by its training rows.
fn kept(
    config: &ExperimentConfig,
    frame: &Frame,
    fold: &Fold,
    tiers: Option<&Tiers>,
) -> Result<Vec<usize>, ExperimentError> {
    let Some(select) = &config.select else { return Ok((0..frame.inputs.len()).collect()) };
    let columns: Vec<&[f64]> = frame.inputs.iter().map(|c| c.values.as_slice()).collect();
    let rows = 0..frame.rows.len();
    let failed = |source| ExperimentError::Select { fold: fold.name.clone(), source };
    let selection = if let Some(tiers) = tiers {
        // Only training rows are looked at, and these have a class.
        let classes: Vec<usize> = rows.map(|row| label::class(tiers, frame, row).unwrap_or(0)).collect();
        select.select(&columns, &fold.train, Labels::Classes(&classes))
    } else {
        let labels: Vec<f64> = rows.map(|row| frame.rows[row].label).collect();
        select.select(&columns, &fold.train, Labels::Values(&labels))
    };
    Ok(selection.map_err(failed)?.kept)
}

fn fit_logistic(
    config: &ExperimentConfig,
    frame: &Frame,
    fold: &Fold,
    fitted: &FittedFold,
) -> Result<Logistic, ExperimentError> {
    let classes: Vec<usize> = fold.train.iter().filter_map(|&row| fitted.class(frame, row)).collect();
    let c = 1.0 / (config.model.ridge * classes.len() as f64);
    let settings = LogisticConfig { c, balanced: config.label.balanced };
    settings
        .fit(&fitted.scaled(frame, &fold.train), &classes, fitted.class_weights.len())
        .map_err(|source| ExperimentError::Logistic { fold: fold.name.clone(), source })
}

fn fit_linear(config: &ExperimentConfig, frame: &Frame, fold: &Fold, fitted: &FittedFold) -> Vec<f64> {
    let inputs = fitted.scaled(frame, &fold.train);
    let (mean, sd) = fitted.label_scale;
    let labels: Vec<f64> = fold.train.iter().map(|&row| (frame.rows[row].label - mean) / sd).collect();
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
    let rows: Vec<usize> = rows.iter().copied().filter(|&row| frame.rows[row].label.is_finite()).collect();
    let one = |rows: &[usize]| {
        let stress = fitted.stress(config, frame, rows);
        let n_columns = config.model.prior.stress().len();
        Series {
            cell: frame.cells[frame.rows[rows[0]].cell_idx].id.clone(),
            stress: (0..n_columns).map(|c| stress.iter().map(|row| row[c]).collect()).collect(),
            capacity: rows.iter().map(|&row| frame.rows[row].label).collect(),
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

/// Returns the element-wise mean of equally long lists; empty for none.
pub(super) fn mean_of(lists: &[Vec<f64>]) -> Vec<f64> {
    let Some(first) = lists.first() else { return Vec::new() };
    let mean = |idx: usize| lists.iter().map(|l| l[idx]).sum::<f64>() / lists.len() as f64;
    (0..first.len()).map(mean).collect()
}

/// Takes the median error on the last `n` given rows off a fold's predictions (given rows first).
pub(super) fn anchor(soh: &mut [f64], frame: &Frame, fold: &Fold, n: usize) {
    let known = fold.given.iter().enumerate().filter(|(_, row)| frame.rows[**row].label.is_finite());
    let mut errors: Vec<f64> = known.map(|(idx, &row)| soh[idx] - frame.rows[row].label).collect();
    let mut last = errors.split_off(errors.len().saturating_sub(n));
    last.sort_by(f64::total_cmp);
    if let Some(&high) = last.get(last.len() / 2) {
        let shift = 0.5 * (high + last[(last.len() - 1) / 2]);
        for s in soh {
            *s -= shift;
        }
    }
}
