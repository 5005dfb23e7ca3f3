//! One epoch of a population: the order in which each member sees its rows, and its steps through them.

use rand::Rng;
use rand::seq::SliceRandom;

use super::engine::MemberStep;
use super::progress::Progress;
use super::{FitPlan, MemberPlan, OptimizerKind};
use crate::seed::Seed;

/// Steps that an engine takes between two looks at the interrupt: enough that its threads seldom meet, few enough
/// that Ctrl-C is answered at once. A diverged member is noticed as late, so another number may give other bytes.
const STEPS_PER_CALL: usize = 32;

/// What each member does in one epoch; `None` for those that stopped before it.
pub(crate) struct Epoch<'a> {
    members: Vec<Option<Course<'a>>>,
}

/// The way of one member through an epoch.
struct Course<'a> {
    plan: &'a MemberPlan,
    order: Vec<u32>,
    batch_size: usize,
    learning_rate: f32,
    streams: Seed,
}

impl<'a> Epoch<'a> {
    /// Draws the orders of the epoch in which `progress` stands.
    pub(crate) fn new(plan: &FitPlan<'a>, progress: &Progress) -> Self {
        let rates = learning_rates(plan, progress);
        let course = |i: usize| {
            let rests = progress.members[i].stop.is_some();
            (!rests).then(|| Course::new(plan, &plan.members[i], progress.epoch, rates[i] as f32))
        };
        Self { members: (0..rates.len()).map(course).collect() }
    }

    /// Returns the next steps of each member, none for those that stopped or have no rows left.
    pub(crate) fn steps(&self, progress: &Progress) -> Vec<Vec<MemberStep<'_>>> {
        let courses = self.members.iter().zip(&progress.members);
        let trains = courses.map(|(course, member)| course.as_ref().filter(|_| member.stop.is_none()));
        trains.map(|course| course.map_or_else(Vec::new, |c| c.steps(progress.step))).collect()
    }
}

impl<'a> Course<'a> {
    fn new(plan: &FitPlan<'a>, member: &'a MemberPlan, epoch: u32, learning_rate: f32) -> Self {
        let streams = member.seed.child(format_args!("epoch/{epoch}"));
        let mut order: Vec<u32> = (0u32..).take(member.train.len()).collect();
        let is_full_batch = plan.config.optimizer.kind == OptimizerKind::Lbfgs;
        if plan.config.shuffle && !is_full_batch {
            order.shuffle(&mut streams.stream("shuffle"));
        }
        let batch_size = if is_full_batch { order.len() } else { plan.config.batch_size };
        Self { plan: member, order, batch_size, learning_rate, streams }
    }

    /// Returns the next steps after the first `done`.
    fn steps(&self, done: usize) -> Vec<MemberStep<'_>> {
        let batches = self.order.chunks(self.batch_size).enumerate();
        batches.skip(done).take(STEPS_PER_CALL).map(|(step, batch)| self.step(step, batch)).collect()
    }

    fn step<'b>(&'b self, step: usize, batch: &'b [u32]) -> MemberStep<'b> {
        let hyper = &self.plan.hyper;
        MemberStep {
            rows: &self.plan.train,
            batch,
            learning_rate: self.learning_rate,
            weight_decay: hyper.weight_decay as f32,
            dropout: hyper.dropout as f32,
            loss_weight: hyper.loss_weight as f32,
            dropout_seed: self.dropout_seed(step),
        }
    }

    /// Returns the key of a step's dropout masks; zeros without dropout, since a hash a step is not free.
    fn dropout_seed(&self, step: usize) -> [u8; 32] {
        let mut key = [0; 32];
        if self.plan.hyper.dropout > 0.0 {
            self.streams.stream(format_args!("dropout/{step}")).fill_bytes(&mut key);
        }
        key
    }
}

/// Returns the learning rate of each member in the epoch in which `progress` stands.
pub(crate) fn learning_rates(plan: &FitPlan<'_>, progress: &Progress) -> Vec<f64> {
    let schedule = &plan.config.schedule;
    let fraction = |plateau| schedule.fraction(progress.epoch, plan.config.epochs, plateau);
    let members = plan.members.iter().zip(&progress.members);
    members.map(|(member, state)| member.hyper.learning_rate * fraction(&state.plateau)).collect()
}
