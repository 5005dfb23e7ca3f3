//! Training: fits a population of networks, member beside member, until each has its own reason to stop.
//!
//! [`fit::fit`] decides which rows a member sees, in which order and with which rates, which weights are its best and
//! when it stops; an [`engine::Engine`] computes. Epochs count from 1 everywhere: in schedules, histories, streams
//! and stop reasons. Nothing about random numbers is stored, because every shuffle and every dropout mask has a name
//! (`epoch/17/shuffle` below the member's seed); so a run that was killed goes on from its checkpoint with the same
//! bytes as one that was not, and a member's course does not depend on who shares its population.

pub mod checkpoint;
pub mod config;
pub mod early_stop;
pub mod engine;
mod epoch;
pub mod fit;
pub mod history;
mod identity;
pub mod loss;
pub mod member;
pub mod observe;
pub mod optimizer;
mod progress;
pub mod schedule;
pub mod stop;

#[cfg(test)]
mod toy;

pub use checkpoint::CheckpointError;
pub use config::{ConfigError, TrainConfig};
pub use early_stop::EarlyStopConfig;
pub use fit::{FitError, FitPlan, MemberFit, fit};
pub use history::History;
pub use loss::{Loss, Objective};
pub use member::{Fold, Hyper, MemberPlan};
pub use observe::{EpochReport, MemberReport, Observe};
pub use optimizer::{OptimizerConfig, OptimizerKind};
pub use schedule::ScheduleConfig;
pub use stop::{Interrupt, StopReason};
