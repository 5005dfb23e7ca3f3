//! Optimisers: which rule turns a gradient into a step.

use serde::{Deserialize, Serialize};

use crate::train::config::{ConfigError, expect};

/// Which optimiser, with its own settings; the learning rate and the weight decay are the fit's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam; weight decay is L2 in the gradient.
    Adam {},
    /// Adam with decoupled weight decay.
    AdamW {},
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the last step that the next one keeps, 0 to below 1.
        #[serde(default = "default_momentum")]
        momentum: f64,
    },
    /// L-BFGS; each epoch is one iteration over all rows, in their own order.
    Lbfgs {},
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adam {}
    }
}

impl OptimizerConfig {
    /// Returns whether a step needs all rows at once.
    pub fn is_full_batch(&self) -> bool {
        matches!(self, Self::Lbfgs {})
    }

    /// Adds what is out of range to `errors`.
    pub(crate) fn check(&self, errors: &mut Vec<ConfigError>) {
        if let Self::Sgd { momentum } = *self {
            expect((0.0..1.0).contains(&momentum), "optimizer.momentum", momentum, "0 to below 1", errors);
        }
    }
}

fn default_momentum() -> f64 {
    0.9
}
