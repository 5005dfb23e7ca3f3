//! L-BFGS as an engine: takes the place of an engine whose own steps know no full batches.

use std::sync::Arc;

use super::lbfgs::Lbfgs;
use crate::train::engine::{Engine, MemberState, MemberStep, Rows};

/// An engine in which a step is one iteration of L-BFGS over all rows of a member, whatever its batch.
///
/// Learning rate, weight decay, dropout and loss weight of a step are not used; the iteration's memory is the member's.
pub(crate) struct FullBatch<'a> {
    engine: &'a mut dyn Engine,
    lbfgs: Lbfgs,
}

impl<'a> FullBatch<'a> {
    /// Returns `engine` with L-BFGS for its steps; nothing is remembered yet.
    pub(crate) fn new(engine: &'a mut dyn Engine) -> Self {
        let lbfgs = Lbfgs::new(engine.n_members());
        Self { engine, lbfgs }
    }
}

impl Engine for FullBatch<'_> {
    fn n_members(&self) -> usize {
        self.engine.n_members()
    }

    fn step(&mut self, steps: &[Option<MemberStep<'_>>]) -> Vec<f32> {
        let none = Arc::new(Rows::default());
        let rows = steps.iter().map(|step| Arc::clone(step.as_ref().map_or(&none, |s| s.rows)));
        let rows: Vec<_> = rows.collect();
        self.lbfgs.step(self.engine, &rows)
    }

    fn predict(&mut self, rows: &[Arc<Rows>]) -> Vec<Vec<f32>> {
        self.engine.predict(rows)
    }

    fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)> {
        self.engine.loss_and_gradient(rows)
    }

    fn state(&self, member_idx: usize) -> MemberState {
        MemberState { memory: self.lbfgs.memory(member_idx), ..self.engine.state(member_idx) }
    }

    fn set_state(&mut self, member_idx: usize, state: &MemberState) {
        self.lbfgs.set_memory(member_idx, &state.memory, state.weights.len());
        self.engine.set_state(member_idx, &MemberState { memory: Vec::new(), ..state.clone() });
    }
}
