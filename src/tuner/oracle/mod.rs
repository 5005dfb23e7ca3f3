//! Oracles: who proposes the next trial, as a pure function of the study.

mod asha;
mod bayesian;
#[cfg(test)]
pub(super) mod contract;
mod grid;
mod halving;
mod hyperband;
mod lattice;
mod random;
#[cfg(test)]
mod search;
mod taken;

pub(super) use bayesian::dimension;

use std::fmt;

use super::config::{OracleKind, TunerConfig};
use super::objective::Objective;
use super::space::Space;
use super::trial::{Budget, Trial};
use super::value::Values;
use crate::seed::Seed;

impl OracleKind {
    /// Returns whether its trials get different numbers of epochs.
    pub fn deals_epochs(self) -> bool {
        matches!(self, Self::Hyperband | Self::Asha)
    }
}

/// The name in experiment files.
impl fmt::Display for OracleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "random",
            Self::Grid => "grid",
            Self::Bayesian => "bayesian",
            Self::Hyperband => "hyperband",
            Self::Asha => "asha",
        })
    }
}

/// What an oracle may look at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What may vary.
    pub space: &'a Space,
    /// What is to be made small or great.
    pub objectives: &'a [Objective],
    /// Settings of the search.
    pub config: &'a TunerConfig,
    /// Most epochs of a trial.
    pub epochs: u32,
    /// All trials by number; those that run have no evaluation.
    pub trials: &'a [Trial],
    /// Root of the oracle's streams; a proposal draws from `seed.child(trials.len())`, all of them share `seed.child("spread")`.
    pub seed: &'a Seed,
}

/// What an oracle says.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposal {
    /// Try this next.
    Trial {
        /// Active values.
        values: Values,
        /// Epochs, for oracles that deal them out.
        budget: Option<Budget>,
    },
    /// Ask again when a running trial has finished.
    Wait,
    /// There is nothing left to try.
    Exhausted,
}

/// Proposes trials.
///
/// The same view gives the same proposal: whatever is remembered between calls only saves time. No values are proposed twice
/// at one budget. Failed trials count as bad ones.
pub trait Oracle {
    /// Returns what to try next.
    fn propose(&mut self, view: &View<'_>) -> Proposal;

    /// Returns the number of trials after which it ends by itself, where that is known beforehand.
    fn planned(&self, _view: &View<'_>) -> Option<usize> {
        None
    }

    /// Returns the numbers of the trials whose checkpoints a later proposal may go on from.
    fn needed(&self, _view: &View<'_>) -> Vec<usize> {
        Vec::new()
    }
}

/// Returns the oracle of a kind.
pub fn create(kind: OracleKind) -> Box<dyn Oracle> {
    match kind {
        OracleKind::Random => Box::new(random::Random),
        OracleKind::Grid => Box::new(grid::Grid),
        OracleKind::Bayesian => Box::new(bayesian::Bayesian),
        OracleKind::Hyperband => Box::new(hyperband::Hyperband),
        OracleKind::Asha => Box::new(asha::Asha),
    }
}
