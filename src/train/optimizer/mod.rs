//! Optimisers: how a gradient moves weights, the same formulas in both engines.
//!
//! With gradient `g` (clipped to `gradient_clip`), rate `r`, weight decay `d`, step `t` from 1:
//!
//! ```text
//! adam   g += d w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
//!        w -= r (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)      [Kingma2014]
//! adamw  w -= r d w, then as adam with d = 0                             [Loshchilov2017]
//! sgd    g += d w; m = momentum m + g; w -= r m
//! lbfgs  full batches, see `lbfgs`
//! ```
//!
//! Physics parameters are not decayed: 0 is the middle of their bounds, nothing to be drawn to.

pub(crate) mod full_batch;
pub mod lbfgs;

use serde::{Deserialize, Serialize};

/// Optimiser and its settings that all members share; rate and decay come with each step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Which optimiser. Default `adam`.
    pub kind: OptimizerKind,
    /// Decay of Adam's first moment, 0 to below 1. Default 0.9.
    pub beta1: f32,
    /// Decay of Adam's second moment, 0 to below 1. Default 0.999.
    pub beta2: f32,
    /// Added to Adam's root, above 0. Default 1e-8.
    pub epsilon: f32,
    /// Momentum of SGD, 0 to below 1. Default 0.9.
    pub momentum: f32,
    /// Largest norm of a member's gradient, above 0; none does not clip. Default none.
    pub gradient_clip: Option<f32>,
}

/// Which optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Adam; weight decay is an L2 term of the gradient.
    #[default]
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Limited-memory BFGS on full batches, driven from outside the engine.
    Lbfgs,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            momentum: 0.9,
            gradient_clip: None,
        }
    }
}

impl OptimizerConfig {
    /// Returns how many numbers the optimiser remembers of each weight.
    pub fn n_moments(&self) -> usize {
        match self.kind {
            OptimizerKind::Adam | OptimizerKind::Adamw => 2,
            OptimizerKind::Sgd => 1,
            OptimizerKind::Lbfgs => 0,
        }
    }

    /// Returns the numbers of one step.
    ///
    /// `steps` counts from 1 for the first step. Decay is returned as L2 or as decoupled, whichever applies.
    pub(crate) fn coefficients(&self, learning_rate: f32, weight_decay: f32, steps: u64) -> Coefficients {
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(steps as f64);
        let decoupled = self.kind == OptimizerKind::Adamw;
        let is_adam = matches!(self.kind, OptimizerKind::Adam | OptimizerKind::Adamw);
        let first = if is_adam { correction(self.beta1) } else { 1.0 };
        Coefficients {
            rate: (f64::from(learning_rate) / first) as f32,
            root: (1.0 / correction(self.beta2).sqrt()) as f32,
            l2: if decoupled { 0.0 } else { weight_decay },
            shrink: if decoupled { 1.0 - learning_rate * weight_decay } else { 1.0 },
        }
    }
}

/// Numbers of one member's step that both engines compute with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coefficients {
    /// Learning rate over the correction of the first moment.
    pub(crate) rate: f32,
    /// Factor on the root of the second moment.
    pub(crate) root: f32,
    /// L2 term of the gradient.
    pub(crate) l2: f32,
    /// Factor on the weights before the step.
    pub(crate) shrink: f32,
}
