//! Early stopping: a member whose validation loss no longer falls stops, and its best weights are what it gives.

use serde::{Deserialize, Serialize};

use super::checkpoint::bits;
use super::config::{ConfigError, expect};

/// When a member stops before its last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStopConfig {
    /// Epochs in a row without improvement after which a member stops, 1 or more; default 20.
    pub patience: u32,
    /// How far the validation loss must fall to count as an improvement, 0 or more; default 0.
    pub min_delta: f64,
}

impl Default for EarlyStopConfig {
    fn default() -> Self {
        Self { patience: 20, min_delta: 0.0 }
    }
}

/// What early stopping remembers of one member.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EarlyStop {
    #[serde(with = "bits")]
    reference: f64,
    waited: u32,
}

impl Default for EarlyStop {
    fn default() -> Self {
        Self { reference: f64::INFINITY, waited: 0 }
    }
}

impl EarlyStopConfig {
    /// Notes the validation loss of an epoch; returns whether the member stops now.
    pub fn observe(&self, state: &mut EarlyStop, loss: f64) -> bool {
        if loss < state.reference - self.min_delta {
            *state = EarlyStop { reference: loss, waited: 0 };
        } else {
            state.waited += 1;
        }
        state.waited >= self.patience
    }

    /// Adds what is out of range to `errors`.
    pub(crate) fn check(&self, errors: &mut Vec<ConfigError>) {
        let delta = self.min_delta;
        expect(self.patience >= 1, "early_stop.patience", self.patience, "1 or more", errors);
        let right = delta >= 0.0 && delta.is_finite();
        expect(right, "early_stop.min_delta", delta, "0 or more", errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::toy::check_resume;

    fn stops_at(config: EarlyStopConfig, losses: &[f64]) -> Option<usize> {
        let mut state = EarlyStop::default();
        losses.iter().position(|&loss| config.observe(&mut state, loss))
    }

    #[test]
    fn stops_after_patience_epochs_in_a_row_without_improvement() {
        let losses = [3.0, 2.0, 2.0, 1.0, 1.0, 1.5, 1.0, 0.5];
        assert_eq!(stops_at(EarlyStopConfig { patience: 1, min_delta: 0.0 }, &losses), Some(2));
        assert_eq!(stops_at(EarlyStopConfig { patience: 3, min_delta: 0.0 }, &losses), Some(6));
        assert_eq!(stops_at(EarlyStopConfig { patience: 4, min_delta: 0.0 }, &losses), None);
    }

    #[test]
    fn many_small_steps_down_add_up_to_an_improvement() {
        let losses = [1.0, 0.7, 0.5, 0.3, 0.05];
        assert_eq!(stops_at(EarlyStopConfig { patience: 2, min_delta: 0.4 }, &losses), None);
        assert_eq!(stops_at(EarlyStopConfig { patience: 1, min_delta: 0.4 }, &losses), Some(1));
    }

    #[test]
    fn resumes_where_it_was() {
        let config = EarlyStopConfig { patience: 4, min_delta: 0.01 };
        let losses: Vec<f64> = (0..40).map(|i| 1.0 / f64::from(1 + i / 4) + 0.1 * f64::from(i % 4)).collect();
        check_resume(&EarlyStop::default(), &losses, |state, loss| config.observe(state, loss));
    }
}
