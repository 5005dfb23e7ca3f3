//! The fused engine: hand-written passes and optimiser on the CPU, one member at a time, members over threads.
//!
//! A member's step runs on buffers that are allocated once and stay in a core's cache, without a graph and without
//! temporaries. Every member is computed by one thread, so that results depend on nothing but the member.

#![expect(
    clippy::inline_always,
    reason = "vector instructions are only generated for what is inlined into the dispatched call"
)]

mod activate;
mod block;
mod buffer;
mod forward;
mod head;
mod lanes;
mod matmul;
mod normalise;
mod pass;
mod plan;
mod single;
mod update;
mod workspace;

use std::sync::{Arc, Mutex, PoisonError};

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

pub(super) use activate::GELU;
pub use block::Block;
pub use forward::Forward;

use super::dropout::Masks;
use super::{Engine, MemberState, MemberStep, Population, Rows};
use crate::model::{Normalisation, PriorStart};
use crate::train::optimizer::OptimizerConfig;
use buffer::Buffer;
use head::{Frozen, Head};
use normalise::Role;
use pass::{Mode, Network};
use plan::Plan;
use update::Update;
use workspace::Workspace;

/// Rows of one pass in evaluation: enough to fill the kernels, few enough to stay in the cache.
const EVALUATION_ROWS: usize = 64;

/// Trains a population with kernels of its own.
#[derive(Debug)]
pub struct Fused {
    shared: Shared,
    members: Vec<Member>,
    /// One of each thread of the pool, and one for a caller outside it.
    workspaces: Vec<Mutex<Workspace>>,
}

/// What all members share.
#[derive(Debug)]
struct Shared {
    arch: Arch,
    network: Network,
    head: Head,
    optimizer: OptimizerConfig,
    n_physics: usize,
}

/// What one member owns, padded.
#[derive(Debug)]
struct Member {
    weights: Buffer,
    moments: Vec<Buffer>,
    statistics: Vec<f32>,
    steps: u64,
    prior: Option<PriorStart>,
    frozen: Frozen,
    /// Range of each physics parameter's offset.
    limits: Vec<(f32, f32)>,
}

impl Member {
    /// Moves physics parameters, which begin at `theta`, back between their bounds.
    fn clamp(&mut self, theta: usize) {
        for (offset, &(low, high)) in self.weights[theta..].iter_mut().zip(&self.limits) {
            *offset = offset.clamp(low, high);
        }
    }
}

impl Fused {
    /// Returns the members of `population` at their initial weights.
    pub fn new(population: &Population) -> Self {
        let architecture = &population.architecture;
        let plan = Plan::new(architecture);
        let n_physics = architecture.n_physics();
        let member = |start: &super::MemberStart| {
            let zeros = || Buffer::zeros(plan.len);
            let mut member = Member {
                weights: zeros(),
                moments: (0..population.optimizer.n_moments()).map(|_| zeros()).collect(),
                statistics: architecture.initial_statistics(),
                steps: 0,
                prior: start.prior.clone(),
                frozen: Frozen::default(),
                limits: architecture.limits(start.prior.as_ref()),
            };
            plan.pack(&architecture.initial_weights(&start.seed), &mut member.weights);
            member
        };
        Self {
            members: population.members.iter().map(member).collect(),
            workspaces: (0..=rayon::current_num_threads())
                .map(|_| Mutex::new(Workspace::new(&plan, n_physics)))
                .collect(),
            shared: Shared {
                arch: Arch::new(),
                network: Network { plan: plan.clone(), config: architecture.network.clone() },
                head: Head { objective: population.objective, prior: architecture.prior.clone() },
                optimizer: population.optimizer,
                n_physics,
            },
        }
    }

    /// Calls `compute` for each member that has a task, on the pool where there are several.
    fn each<T: Sync, R: Send + Default>(
        &mut self,
        tasks: &[T],
        is_idle: impl Fn(&T) -> bool + Sync,
        compute: impl Fn(&Shared, &mut Member, &T, &mut Workspace) -> R + Sync,
    ) -> Vec<R> {
        assert_eq!(tasks.len(), self.members.len(), "a task for each member");
        let (shared, workspaces) = (&self.shared, &self.workspaces);
        let one = |(member, task): (&mut Member, &T)| {
            if is_idle(task) {
                return R::default();
            }
            let thread = rayon::current_thread_index().unwrap_or(workspaces.len() - 1);
            let workspace = &workspaces[thread % workspaces.len()];
            // A workspace is written before it is read, so one that a panic left behind is as good as new.
            let mut workspace = workspace.lock().unwrap_or_else(PoisonError::into_inner);
            compute(shared, member, task, &mut workspace)
        };
        if tasks.iter().filter(|task| !is_idle(task)).count() > 1 {
            return self.members.par_iter_mut().zip(tasks).with_max_len(1).map(one).collect();
        }
        self.members.iter_mut().zip(tasks).map(one).collect()
    }
}

impl Engine for Fused {
    fn n_members(&self) -> usize {
        self.members.len()
    }

    fn step(&mut self, steps: &[Option<MemberStep<'_>>]) -> Vec<f32> {
        self.each(steps, Option::is_none, |shared, member, step, work| {
            let steps = step.as_slice();
            shared.arch.dispatch(Training { shared, member, steps, work }).pop().unwrap_or_default()
        })
    }

    fn epoch(&mut self, steps: &[Vec<MemberStep<'_>>]) -> Vec<Vec<f32>> {
        self.each(steps, Vec::is_empty, |shared, member, steps, work| {
            shared.arch.dispatch(Training { shared, member, steps, work })
        })
    }

    fn predict(&mut self, rows: &[Arc<Rows>]) -> Vec<Vec<f32>> {
        self.each(
            rows,
            |rows| rows.is_empty(),
            |shared, member, rows, work| shared.arch.dispatch(Predict { shared, member, rows, work }),
        )
    }

    fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)> {
        self.each(
            rows,
            |rows| rows.is_empty(),
            |shared, member, rows, work| {
                let loss = shared.arch.dispatch(Gradient { shared, member, rows, work });
                (loss, shared.network.plan.unpack(&work.gradient))
            },
        )
    }

    fn state(&self, member_idx: usize) -> MemberState {
        let member = &self.members[member_idx];
        let plan = &self.shared.network.plan;
        MemberState {
            weights: plan.unpack(&member.weights),
            memory: member.moments.iter().flat_map(|moment| plan.unpack(moment)).collect(),
            statistics: member.statistics.clone(),
            steps: member.steps,
        }
    }

    fn set_state(&mut self, member_idx: usize, state: &MemberState) {
        let member = &mut self.members[member_idx];
        let plan = &self.shared.network.plan;
        plan.pack(&state.weights, &mut member.weights);
        member.clamp(plan.theta);
        member.frozen.clear();
        for (moment, flat) in member.moments.iter_mut().zip(state.memory.chunks_exact(state.weights.len())) {
            plan.pack(flat, moment);
        }
        member.statistics.clone_from(&state.statistics);
        member.steps = state.steps;
    }
}

impl Shared {
    /// Sets the rows of a pass: the batch, and the later rows where the fade penalty needs them.
    fn set_rows(&self, rows: &Rows, batch: impl Iterator<Item = u32> + Clone, work: &mut Workspace) {
        work.rows.clear();
        work.rows.extend(batch.clone());
        if self.head.objective.monotone_fade > 0.0 {
            work.rows.extend(batch.map(|row| rows.later[row as usize]));
        }
        self.fit(work);
    }

    /// Makes room for the rows that are set.
    fn fit(&self, work: &mut Workspace) {
        let normalised = self.network.config.normalisation != Normalisation::None;
        work.fit(&self.network.plan, self.n_physics, normalised);
    }

    /// Computes the outputs and the prior of the rows that are set.
    #[inline(always)]
    fn forward<S: Simd>(
        &self,
        simd: S,
        member: &mut Member,
        (rows, masks, running): (&Arc<Rows>, Option<Masks>, Role),
        work: &mut Workspace,
    ) {
        self.network.gather(rows, work);
        let mut mode = Mode { masks, running, statistics: &mut member.statistics };
        self.network.forward(simd, &member.weights, &mut mode, work);
        let theta = &member.weights[self.network.plan.theta..];
        let prior = (member.prior.as_ref(), &mut member.frozen);
        self.head.prior(theta, prior, (rows, running), work);
    }

    /// Computes the gradient of the loss that was just computed.
    #[inline(always)]
    fn backward<S: Simd>(&self, simd: S, member: &Member, work: &mut Workspace) {
        let mut theta = std::mem::take(&mut work.gradient);
        self.head.backward(&mut theta[self.network.plan.theta..], work);
        work.gradient = theta;
        self.network.backward(simd, &member.weights, work);
    }

    #[inline(always)]
    fn step<S: Simd>(
        &self,
        simd: S,
        member: &mut Member,
        step: &MemberStep<'_>,
        work: &mut Workspace,
    ) -> f32 {
        self.set_rows(step.rows, step.batch.iter().copied(), work);
        let masks = (step.dropout > 0.0).then(|| Masks::new(step.dropout_seed, step.dropout));
        self.forward(simd, member, (step.rows, masks, Role::Update), work);
        let loss = self.head.loss(step.rows, step.batch.len(), step.loss_weight, work);
        self.backward(simd, member, work);
        member.steps += 1;
        let coefficients = self.optimizer.coefficients(step.learning_rate, step.weight_decay, member.steps);
        let (weights, gradient) = (&mut *member.weights, &mut *work.gradient);
        let mut update = Update { weights, gradient, moments: &mut member.moments };
        update.apply(simd, &self.optimizer, coefficients, self.network.plan.theta);
        member.clamp(self.network.plan.theta);
        loss
    }
}

/// Steps of one member, one after the other.
struct Training<'a, 'b> {
    shared: &'a Shared,
    member: &'a mut Member,
    steps: &'a [MemberStep<'b>],
    work: &'a mut Workspace,
}

impl WithSimd for Training<'_, '_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let mut losses = Vec::with_capacity(self.steps.len());
        // Not a closure: it would be compiled apart, without the vector instructions.
        for step in self.steps {
            losses.push(self.shared.step(simd, self.member, step, self.work));
        }
        losses
    }
}

/// Predictions of one member for all its rows.
struct Predict<'a> {
    shared: &'a Shared,
    member: &'a mut Member,
    rows: &'a Arc<Rows>,
    work: &'a mut Workspace,
}

impl WithSimd for Predict<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { shared, member, rows, work } = self;
        let n = rows.len() as u32;
        let mut predictions = Vec::with_capacity(rows.len() * work.d_output);
        for first in (0..n).step_by(EVALUATION_ROWS) {
            work.rows.clear();
            work.rows.extend(first..n.min(first + EVALUATION_ROWS as u32));
            shared.fit(work);
            shared.forward(simd, member, (rows, None, Role::Use), work);
            for idx in 0..work.rows.len() {
                predictions.push(shared.head.prediction(idx, work));
                predictions.extend(&work.net[idx * work.d_output + 1..][..work.d_output - 1]);
            }
        }
        predictions
    }
}

/// Loss and gradient of one member over all its rows.
struct Gradient<'a> {
    shared: &'a Shared,
    member: &'a mut Member,
    rows: &'a Arc<Rows>,
    work: &'a mut Workspace,
}

impl WithSimd for Gradient<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let Self { shared, member, rows, work } = self;
        shared.set_rows(rows, 0..rows.len() as u32, work);
        shared.forward(simd, member, (rows, None, Role::Ignore), work);
        let loss = shared.head.loss(rows, rows.len(), 1.0, work);
        shared.backward(simd, member, work);
        loss
    }
}
