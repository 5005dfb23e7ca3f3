//! Fitted models: everything that a prediction needs, fold by fold, and how it is made from training rows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, ModelKind, Validation};
use super::error::ExperimentError;
use super::task::Task;
use crate::device::Backend;
use crate::model::hybrid::{PriorConfig, PriorStart};
use crate::model::{Architecture, linear};
use crate::physics::fit::{self as law_fit, FitConfig, Series, SharedFit};
use crate::prepare::{Fold, Frame, Scaler, batch};
use crate::seed::Seed;
use crate::train::engine::{self, EngineKind, MemberStart, MemberState, Population, Rows};
use crate::train::{self, FitPlan, Hyper, Interrupt, MemberPlan, Objective, Observe, StopReason};

/// A model fitted to every fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Folds in the order of the split.
    pub folds: Vec<FittedFold>,
}

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

/// How a fit runs, beside its experiment.
pub struct FitContext<'a> {
    /// Backend of the networks.
    pub backend: Backend,
    /// Checkpoint of the run; none trains without.
    pub checkpoint: Option<&'a Path>,
    /// Flag that asks for a pause.
    pub interrupt: &'a Interrupt,
    /// Receives each epoch.
    pub observe: &'a mut dyn Observe,
}

impl Fitted {
    /// Fits the experiment's model to the training rows of every fold.
    ///
    /// # Errors
    /// [`ExperimentError::Physics`], [`ExperimentError::Engine`] or [`ExperimentError::Fit`].
    pub fn fit(config: &ExperimentConfig, task: &Task, context: FitContext) -> Result<Self, ExperimentError> {
        let prepared = task.folds.iter().map(|fold| prepare(config, &task.frame, fold));
        let mut fitted = Self { folds: prepared.collect::<Result<_, _>>()? };
        if matches!(config.model.kind, ModelKind::Dense | ModelKind::Hybrid) {
            fitted.train(config, task, context)?;
        }
        Ok(fitted)
    }

    fn train(
        &mut self,
        config: &ExperimentConfig,
        task: &Task,
        context: FitContext,
    ) -> Result<(), ExperimentError> {
        let members = self.member_plans(config, task);
        let population = self.population(config, task, &members);
        let mut engine = engine::create(EngineKind::Auto, context.backend, &population)?;
        let identity = format!("{:?} {:?} {}", population.architecture, context.backend, task.data_sha256);
        let plan = FitPlan {
            config: &config.train,
            members: &members,
            network: &crate::file::sha256_bytes(identity.as_bytes()),
            checkpoint: context.checkpoint,
            interrupt: context.interrupt,
        };
        let fits = train::fit(engine.as_mut(), &plan, context.observe)?;
        let per_fold = fits.len() / self.folds.len();
        for (fold, fits) in self.folds.iter_mut().zip(fits.chunks(per_fold)) {
            fold.stops = fits.iter().map(|f| f.stop).collect();
            fold.members = fits.iter().map(|f| weights_only(&f.state)).collect();
        }
        Ok(())
    }

    /// Returns the plan of each network: folds, and in each `repeats` times `members`.
    fn member_plans(&self, config: &ExperimentConfig, task: &Task) -> Vec<MemberPlan> {
        let seed = Seed::new(config.seed).child("member");
        let hyper = Hyper::new(&config.train, f64::from(config.model.dropout));
        let n_members = config.repeats * config.train.members;
        let mut plans = Vec::new();
        for (fold, split) in self.folds.iter().zip(&task.folds) {
            for idx in 0..n_members {
                let name = format!("{}/seed{idx}", fold.name);
                let (train, validation) =
                    hold_out(config.validation, &task.frame, &split.train, idx as usize);
                let rows = |part: &[usize]| Arc::new(fold.rows(config, &task.frame, part));
                plans.push(MemberPlan {
                    seed: seed.child(&name),
                    name,
                    train: rows(&train),
                    validation: validation.map(|part| rows(&part)),
                    hyper,
                });
            }
        }
        plans
    }

    fn population(&self, config: &ExperimentConfig, task: &Task, members: &[MemberPlan]) -> Population {
        let per_fold = members.len() / self.folds.len();
        let start = |(idx, plan): (usize, &MemberPlan)| MemberStart {
            seed: plan.seed.clone(),
            prior: self.folds[idx / per_fold].prior_start(config),
        };
        Population {
            architecture: architecture(config, task.frame.inputs.len()),
            objective: Objective {
                loss: config.train.loss,
                physics_consistency: config.model.physics_consistency,
                monotone_fade: config.model.monotone_fade,
            },
            optimizer: config.train.optimizer,
            members: members.iter().enumerate().map(start).collect(),
        }
    }

    /// Predicts the given and the test rows of every fold, `[repetition][row]` of SoH.
    ///
    /// # Errors
    /// [`ExperimentError::Engine`].
    pub fn predict(
        &self,
        config: &ExperimentConfig,
        task: &Task,
        backend: Backend,
    ) -> Result<Vec<Vec<Vec<f64>>>, ExperimentError> {
        let positions: Vec<Vec<usize>> =
            task.folds.iter().map(|f| [&f.given[..], &f.test].concat()).collect();
        let mut predicted = match config.model.kind {
            ModelKind::Physics => {
                self.each(&positions, |fold, rows| fold.predict_law(config, &task.frame, rows))
            }
            ModelKind::Linear => self.each(&positions, |fold, rows| fold.predict_linear(&task.frame, rows)),
            _ => self.predict_networks(config, task, backend, &positions)?,
        };
        for (fold, predicted) in task.folds.iter().zip(&mut predicted) {
            for soh in predicted {
                anchor(soh, &task.frame, fold, config.model.anchor);
            }
        }
        Ok(predicted)
    }

    fn each(
        &self,
        positions: &[Vec<usize>],
        predict: impl Fn(&FittedFold, &[usize]) -> Vec<f64>,
    ) -> Vec<Vec<Vec<f64>>> {
        self.folds.iter().zip(positions).map(|(fold, rows)| vec![predict(fold, rows)]).collect()
    }

    fn predict_networks(
        &self,
        config: &ExperimentConfig,
        task: &Task,
        backend: Backend,
        positions: &[Vec<usize>],
    ) -> Result<Vec<Vec<Vec<f64>>>, ExperimentError> {
        let plans = self.member_plans(config, task);
        let mut engine = engine::create(EngineKind::Auto, backend, &self.population(config, task, &plans))?;
        let per_fold = plans.len() / self.folds.len();
        let mut rows = Vec::new();
        for (fold_idx, fold) in self.folds.iter().enumerate() {
            let part = Arc::new(fold.rows(config, &task.frame, &positions[fold_idx]));
            for (idx, state) in fold.members.iter().enumerate() {
                engine.set_state(fold_idx * per_fold + idx, state);
                rows.push(Arc::clone(&part));
            }
        }
        let outputs = engine.predict(&rows);
        let d_output = config.train.loss.d_output();
        let folds = self.folds.iter().zip(outputs.chunks(per_fold));
        let n_members = config.train.members as usize;
        Ok(folds
            .map(|(fold, out)| out.chunks(n_members).map(|e| fold.ensemble(e, d_output)).collect())
            .collect())
    }
}

impl FittedFold {
    /// Returns scaled rows; without a law there is no stress.
    fn rows(&self, config: &ExperimentConfig, frame: &Frame, positions: &[usize]) -> Rows {
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

    fn prior_start(&self, config: &ExperimentConfig) -> Option<PriorStart> {
        let law = self.law.as_ref().filter(|_| config.model.kind == ModelKind::Hybrid)?;
        let (label_mean, label_sd) = self.label_scale;
        Some(PriorStart { theta: law.theta.clone(), label_mean, label_sd })
    }

    fn predict_law(&self, config: &ExperimentConfig, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let theta = self.law.as_ref().map_or(&[][..], |law| &law.theta);
        let stress = self.stress(config, frame, rows);
        stress.iter().map(|s| config.model.prior.capacity(theta, s)).collect()
    }

    fn predict_linear(&self, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let weights = self.linear.as_deref().unwrap_or(&[]);
        let value = |row: &usize| {
            let inputs: Vec<f64> = scaled_inputs(frame, &self.scaler, *row);
            self.label_scale.0 + self.label_scale.1 * linear::predict(weights, &inputs)
        };
        rows.iter().map(value).collect()
    }

    /// Returns the mean of an ensemble's outputs in SoH; members that diverged are left out.
    fn ensemble(&self, outputs: &[Vec<f32>], d_output: usize) -> Vec<f64> {
        let finite: Vec<&Vec<f32>> = outputs.iter().filter(|o| o.iter().all(|v| v.is_finite())).collect();
        let n_rows = outputs.first().map_or(0, |o| o.len() / d_output);
        let mean = |row: usize| {
            let sum: f64 = finite.iter().map(|o| f64::from(o[row * d_output])).sum();
            self.label_scale.0 + self.label_scale.1 * sum / finite.len() as f64
        };
        (0..n_rows).map(mean).collect()
    }
}

/// Returns the shapes of the experiment's networks.
pub fn architecture(config: &ExperimentConfig, d_input: usize) -> Architecture {
    let model = &config.model;
    let prior = PriorConfig {
        law: model.prior,
        parameters: model.parameters,
        residual: model.residual,
        residual_scale: model.residual_scale,
    };
    Architecture {
        d_input,
        d_output: config.train.loss.d_output(),
        network: model.network(),
        prior: (model.kind == ModelKind::Hybrid).then_some(prior),
    }
}

/// Fits all that comes before a network: scalers, the law, the linear model.
fn prepare(config: &ExperimentConfig, frame: &Frame, fold: &Fold) -> Result<FittedFold, ExperimentError> {
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
fn anchor(soh: &mut [f64], frame: &Frame, fold: &Fold, n: usize) {
    let known = fold.given.iter().enumerate().filter(|(_, row)| frame.rows[**row].soh.is_finite());
    let mut errors: Vec<f64> = known.map(|(idx, &row)| soh[idx] - frame.rows[row].soh).collect();
    let mut last = errors.split_off(errors.len().saturating_sub(n));
    last.sort_by(f64::total_cmp);
    if let Some(&high) = last.get(last.len() / 2) {
        let shift = 0.5 * (high + last[(last.len() - 1) / 2]);
        soh.iter_mut().for_each(|s| *s -= shift);
    }
}

/// Separates validation rows from a fold's training rows, whole cells or the end of each cell.
fn hold_out(
    validation: Validation,
    frame: &Frame,
    train: &[usize],
    member_idx: usize,
) -> (Vec<usize>, Option<Vec<usize>>) {
    let cell = |row: &usize| frame.rows[*row].cell_idx;
    let cells: BTreeSet<usize> = train.iter().map(cell).collect();
    let (validation, train): (Vec<usize>, Vec<usize>) = match validation {
        Validation::None => return (train.to_vec(), None),
        Validation::Cell => {
            let held = cells.iter().nth(member_idx % cells.len()).copied();
            train.iter().partition(|row| Some(cell(row)) == held)
        }
        Validation::Tail => {
            let last = |c: &usize| {
                let rows: Vec<usize> = train.iter().copied().filter(|row| cell(row) == *c).collect();
                rows[(0.8 * rows.len() as f64) as usize..].to_vec()
            };
            let tails: BTreeSet<usize> = cells.iter().flat_map(last).collect();
            train.iter().partition(|row| tails.contains(row))
        }
    };
    (train, Some(validation))
}

/// Keeps of a member what predictions need.
fn weights_only(state: &MemberState) -> MemberState {
    MemberState { memory: Vec::new(), steps: 0, ..state.clone() }
}
