//! Engines: what trains a population of networks of one architecture, member beside member.
//!
//! An engine owns the weights and the optimiser's memory of all members. `fit` (in `train`) decides which rows a
//! member sees, with which rates, and when it stops; an engine only computes. A member's numbers depend on nothing
//! but its own batches and streams, whatever the population, the chunking or the number of threads.

mod dropout;
mod fused;
mod tensor;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::{self, Backend, DeviceError};
use crate::model::{Architecture, ModelError, PriorStart};
use crate::seed::Seed;
use crate::train::loss::{Loss, Objective};
use crate::train::optimizer::OptimizerConfig;
pub use fused::{Block, Forward, Fused};
pub use tensor::Packed;

/// What an engine is made from.
#[derive(Debug, Clone)]
pub struct Population {
    /// Shapes of every member.
    pub architecture: Architecture,
    /// What every member minimises.
    pub objective: Objective,
    /// Optimiser of every member; rate and decay come with each step.
    pub optimizer: OptimizerConfig,
    /// Where each member starts.
    pub members: Vec<MemberStart>,
}

/// Where a member starts.
#[derive(Debug, Clone)]
pub struct MemberStart {
    /// Node of the seed tree whose streams draw the initial weights.
    pub seed: Seed,
    /// Fit of the physics prior on the member's training rows; none without a prior.
    pub prior: Option<PriorStart>,
}

impl Population {
    /// Checks the architecture, that the loss has its outputs, and that each member has what its prior needs.
    ///
    /// # Errors
    /// [`EngineError`] names the key, the loss or the member.
    pub fn check(&self) -> Result<(), EngineError> {
        self.check_loss()?;
        self.architecture.check()?;
        let needed = self.architecture.n_physics();
        for (member_idx, member) in self.members.iter().enumerate() {
            let found = member.prior.as_ref().map_or(0, |prior| prior.theta.len());
            if found != needed {
                return Err(ModelError::PriorStart { member_idx, found, needed }.into());
            }
        }
        Ok(())
    }

    fn check_loss(&self) -> Result<(), EngineError> {
        let Objective { loss, physics_consistency, monotone_fade } = self.objective;
        let found = self.architecture.d_output;
        if loss.is_of_classes() {
            let unknown = [
                (self.architecture.prior.is_some(), "physics prior"),
                (physics_consistency > 0.0, "`physics_consistency`"),
                (monotone_fade > 0.0, "`monotone_fade`"),
            ];
            if let Some((_, what)) = unknown.into_iter().find(|(has, _)| *has) {
                return Err(EngineError::Classes { what });
            }
            if found < 2 {
                let needed = "2 outputs or more, one for each class";
                return Err(EngineError::Outputs { loss: "cross_entropy", needed, found });
            }
        }
        if loss == Loss::GaussianNll && found != 2 {
            let needed = "2 outputs, a mean and a log variance";
            return Err(EngineError::Outputs { loss: "gaussian_nll", needed, found });
        }
        Ok(())
    }
}

/// Rows of one part of one fold, scaled and ready for a network. All vectors are row-major `f32`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Number of network inputs.
    pub d_input: usize,
    /// Number of stress columns of the physics prior; 0 without one.
    pub d_stress: usize,
    /// Network inputs `[row, d_input]`, scaled.
    pub inputs: Vec<f32>,
    /// Stress columns `[row, d_stress]` in physical units.
    pub stress: Vec<f32>,
    /// Labels `[row]`, scaled; for the loss `cross_entropy` the class of the row, a whole number from 0.
    pub labels: Vec<f32>,
    /// Weight of a row in the loss `[row]`, 0 or more; usually 1, or that of its class.
    pub weights: Vec<f32>,
    /// Row of a later cycle of the same cell, for the monotone-fade penalty `[row]`; the row itself where there is none.
    pub later: Vec<u32>,
}

impl Rows {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// The fused engine on the backend `flex`, the tensor engine on the others.
    #[default]
    Auto,
    /// Kernels of our own on the CPU.
    Fused,
    /// Burn's tensors with autodiff.
    Tensor,
}

/// A population that cannot be trained here.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Occurs when a shape or a start is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Occurs when the backend is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Occurs when the loss of classes stands beside what only a predicted number can have.
    #[error("the loss `cross_entropy` knows no {what}: turn it off, or learn a number with another loss")]
    Classes {
        /// `physics prior` or the key of a penalty.
        what: &'static str,
    },
    /// Occurs when a network has not the outputs that its loss needs.
    #[error("the loss `{loss}` needs {needed}; the network has {found}")]
    Outputs {
        /// Name of the loss.
        loss: &'static str,
        /// What it needs.
        needed: &'static str,
        /// Outputs of the network.
        found: usize,
    },
    /// Occurs when the fused engine, which computes on the CPU, is asked for on another backend.
    #[error("the fused engine has no backend `{backend}`: use `--backend flex`, or the engine `tensor`")]
    FusedBackend {
        /// Backend asked for.
        backend: Backend,
    },
}

/// Makes the engine of a population.
///
/// # Errors
/// [`EngineError`] when the population does not fit its architecture, or the backend is not there.
pub fn create(
    kind: EngineKind,
    backend: Backend,
    population: &Population,
) -> Result<Box<dyn Engine>, EngineError> {
    population.check()?;
    let is_fused = match kind {
        EngineKind::Auto => backend == Backend::Flex,
        EngineKind::Fused => true,
        EngineKind::Tensor => false,
    };
    if !is_fused {
        return Ok(Box::new(Packed::new(population, &device::device(backend)?)));
    }
    if backend != Backend::Flex {
        return Err(EngineError::FusedBackend { backend });
    }
    Ok(Box::new(Fused::new(population)))
}

/// What one member computes in one step; `None` in a step's list means that the member rests (stopped, or out of rows).
#[derive(Debug, Clone)]
pub struct MemberStep<'a> {
    /// Training rows of the member's fold.
    pub rows: &'a Arc<Rows>,
    /// Rows of this batch, positions in `rows`.
    pub batch: &'a [u32],
    /// Learning rate of this step, the schedule already applied.
    pub learning_rate: f32,
    /// Weight decay: L2 in the gradient for Adam and SGD, decoupled for AdamW.
    pub weight_decay: f32,
    /// Dropout probability, 0-1.
    pub dropout: f32,
    /// Factor on the loss.
    pub loss_weight: f32,
    /// Key of the dropout masks of this step.
    pub dropout_seed: [u8; 32],
}

/// Everything of one member that a step changes, flat and on the host: what checkpoints and best weights hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemberState {
    /// Weights in the order of the architecture's layout, physics parameters last.
    pub weights: Vec<f32>,
    /// Optimiser memory (first moment, second moment, ... one after the other).
    pub memory: Vec<f32>,
    /// Running statistics of batch normalisation; empty without it.
    pub statistics: Vec<f32>,
    /// Steps taken so far.
    pub steps: u64,
}

impl MemberState {
    /// Returns whether all weights are finite numbers.
    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|w| w.is_finite())
    }
}

/// Trains and evaluates the members of one population.
pub trait Engine {
    /// Returns the number of members.
    fn n_members(&self) -> usize;

    /// Takes one optimiser step for each member that has one; returns each member's loss before the step (0 when resting).
    fn step(&mut self, steps: &[Option<MemberStep<'_>>]) -> Vec<f32>;

    /// Takes several steps of each member, one after the other, an empty list for a member that rests; returns each
    /// member's losses. The same numbers as calling [`Engine::step`], but without a meeting of the threads after each.
    fn epoch(&mut self, steps: &[Vec<MemberStep<'_>>]) -> Vec<Vec<f32>> {
        let mut losses = vec![Vec::new(); steps.len()];
        for idx in 0..steps.iter().map(Vec::len).max().unwrap_or(0) {
            let together: Vec<_> = steps.iter().map(|steps| steps.get(idx).cloned()).collect();
            for ((losses, loss), step) in losses.iter_mut().zip(self.step(&together)).zip(&together) {
                losses.extend(step.is_some().then_some(loss));
            }
        }
        losses
    }

    /// Computes predictions in evaluation mode, `[row, d_output]` for each member on its own rows: the prediction (prior
    /// included) in scaled label units, and the log variance of the Gaussian likelihood; with the cross-entropy the raw
    /// logit of each class, which `model::softmax` makes probabilities of.
    fn predict(&mut self, rows: &[Arc<Rows>]) -> Vec<Vec<f32>>;

    /// Computes the loss and its gradient at each member's weights over all its rows, dropout off (for L-BFGS and tests); nothing
    /// for a member without rows. Batch normalisation uses the rows' own statistics and leaves the running ones alone.
    fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)>;

    /// Copies a member's state to the host.
    fn state(&self, member_idx: usize) -> MemberState;

    /// Sets a member's state, as after a resume or when its best weights come back.
    fn set_state(&mut self, member_idx: usize, state: &MemberState);
}

#[cfg(test)]
mod agreement;
