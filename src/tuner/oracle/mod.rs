//! Oracles: who proposes the next trial, as a pure function of the study.

use super::config::TunerConfig;
use super::objective::Objective;
use super::space::Space;
use super::trial::{Budget, Trial};
use super::value::Values;
use crate::seed::Seed;

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
    /// Root of the oracle's streams; a proposal draws from `seed.child(trials.len())` only.
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

    /// Returns the numbers of the trials whose checkpoints a later proposal may go on from.
    fn needed(&self, _view: &View<'_>) -> Vec<usize> {
        Vec::new()
    }
}
