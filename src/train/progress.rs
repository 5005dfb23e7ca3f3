//! Where a fit stands: the running epoch, and of each member its losses, its best weights and why it stopped.

use serde::{Deserialize, Serialize};

use super::checkpoint::bits;
use super::early_stop::EarlyStop;
use super::engine::{MemberState, MemberStep};
use super::schedule::Plateau;
use super::{StopReason, TrainConfig};

/// Where a fit stands, but for the states in the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Epoch that is running, from 1.
    pub(crate) epoch: u32,
    /// Steps of that epoch that are done.
    pub(crate) step: usize,
    /// Where each member stands.
    pub(crate) members: Vec<MemberProgress>,
}

/// Where one member stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct MemberProgress {
    /// Sum of the losses of the running epoch, each times its rows.
    #[serde(with = "bits")]
    pub(crate) loss_sum: f64,
    /// Rows of the running epoch so far.
    pub(crate) n_rows: u64,
    /// Epochs that the member trained to their end.
    pub(crate) n_epochs: u32,
    /// Memory of the schedule.
    pub(crate) plateau: Plateau,
    /// Memory of early stopping.
    pub(crate) early_stop: EarlyStop,
    /// Best weights so far; `None` without validation rows.
    pub(crate) best: Option<Best>,
    /// Why it stopped.
    pub(crate) stop: Option<StopReason>,
}

/// Best weights of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// Epoch after which they were judged, from 1.
    pub(crate) epoch: u32,
    /// Their validation loss.
    #[serde(with = "bits")]
    pub(crate) validation_loss: f64,
    /// The state itself; a checkpoint stores it as tensors.
    #[serde(skip)]
    pub(crate) state: MemberState,
}

impl Progress {
    /// Returns the beginning of a fit of `n_members`.
    pub(crate) fn new(n_members: usize) -> Self {
        Self { epoch: 1, step: 0, members: vec![MemberProgress::default(); n_members] }
    }

    /// Returns whether some member still trains.
    pub(crate) fn is_open(&self) -> bool {
        self.members.iter().any(|m| m.stop.is_none())
    }

    /// Notes the losses of steps; a member whose loss is no number stops.
    pub(crate) fn count(&mut self, steps: &[Vec<MemberStep<'_>>], losses: &[Vec<f32>]) {
        self.step += steps.iter().map(Vec::len).max().unwrap_or(0);
        for ((member, steps), losses) in self.members.iter_mut().zip(steps).zip(losses) {
            for (step, &loss) in steps.iter().zip(losses) {
                member.loss_sum += f64::from(loss) * step.batch.len() as f64;
                member.n_rows += step.batch.len() as u64;
            }
            if losses.iter().any(|loss| !loss.is_finite()) {
                member.stop = Some(StopReason::Diverged { epoch: self.epoch });
            }
        }
    }

    /// Goes to the beginning of the next epoch.
    pub(crate) fn next_epoch(&mut self) {
        self.epoch += 1;
        self.step = 0;
        for member in &mut self.members {
            (member.loss_sum, member.n_rows) = (0.0, 0);
        }
    }
}

impl MemberProgress {
    /// Returns the mean loss of the running epoch; NaN before its first step.
    pub(crate) fn train_loss(&self) -> f64 {
        self.loss_sum / self.n_rows as f64
    }

    /// Closes `epoch`: tells schedule and early stopping, keeps better weights, finds a reason to stop.
    /// Returns whether the weights, which `state` copies, are the best so far.
    pub(crate) fn close_epoch(
        &mut self,
        epoch: u32,
        config: &TrainConfig,
        validation_loss: Option<f64>,
        state: impl Fn() -> MemberState,
    ) -> bool {
        if self.stop.is_some() {
            return false;
        }
        if validation_loss.is_some_and(|l| !l.is_finite()) {
            self.stop = Some(StopReason::Diverged { epoch });
            return false;
        }
        self.n_epochs = epoch;
        let loss = validation_loss.unwrap_or_else(|| self.train_loss());
        config.schedule.observe(&mut self.plateau, loss);
        let is_best = validation_loss.is_some_and(|loss| self.is_best(loss));
        if let (Some(validation_loss), true) = (validation_loss, is_best) {
            self.best = Some(Best { epoch, validation_loss, state: state() });
        }
        self.stop = self.reason_to_stop(epoch, config, validation_loss, state);
        is_best
    }

    fn is_best(&self, validation_loss: f64) -> bool {
        self.best.as_ref().is_none_or(|b| validation_loss < b.validation_loss)
    }

    fn reason_to_stop(
        &mut self,
        epoch: u32,
        config: &TrainConfig,
        validation_loss: Option<f64>,
        state: impl Fn() -> MemberState,
    ) -> Option<StopReason> {
        if let (Some(early_stop), Some(loss), Some(best)) = (config.early_stop, validation_loss, &self.best)
            && early_stop.observe(&mut self.early_stop, loss)
        {
            return Some(StopReason::EarlyStop { best_epoch: best.epoch });
        }
        if epoch < config.epochs {
            return None;
        }
        // The loss that a step returns is the one before it: only here is a last step into nowhere seen.
        Some(if state().is_finite() { StopReason::MaxEpochs } else { StopReason::Diverged { epoch } })
    }
}
