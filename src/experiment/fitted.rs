//! Fitted models: everything that a prediction needs, fold by fold, and how it is made from training rows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, ModelKind, Validation};
use super::error::ExperimentError;
use super::fold::{FittedFold, anchor, prepare};
use super::task::Task;
use crate::device::Backend;
use crate::model::Architecture;
use crate::model::hybrid::PriorConfig;
use crate::prepare::Frame;
use crate::seed::Seed;
use crate::train::engine::{self, EngineKind, MemberStart, MemberState, Population};
use crate::train::{self, FitPlan, Hyper, Interrupt, MemberPlan, Objective, Observe};

/// A model fitted to every fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Folds in the order of the split.
    pub folds: Vec<FittedFold>,
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
        let FitContext { backend, checkpoint, interrupt, observe } = context;
        let members = self.member_plans(config, task);
        if let Some(member) = members.iter().find(|m| m.train.is_empty()) {
            return Err(ExperimentError::Validation { member: member.name.clone() });
        }
        let population = self.population(config, task, &members);
        let mut engine = engine::create(EngineKind::Auto, backend, &population)?;
        let identity = format!("{:?} {:?} {}", population.architecture, backend, task.data_sha256);
        let plan = FitPlan {
            config: &config.train,
            members: &members,
            network: &crate::file::sha256_bytes(identity.as_bytes()),
            checkpoint,
            interrupt,
        };
        let fits = train::fit(engine.as_mut(), &plan, observe)?;
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
