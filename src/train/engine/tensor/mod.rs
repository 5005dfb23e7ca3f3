//! The tensor engine: all members in one tensor program with autodiff, on any backend.
//!
//! Weights, gradient and moments are matrices `[member, weight]`, cut for each pass into `[member, d_in, d_out]`.
//! Members whose batches are shorter, or that rest, are filled up with rows without weight.

mod batch;
mod field;
mod pass;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::{Engine, MemberState, MemberStep, Population, Rows};
use crate::model::{Normalisation, PriorStart, Slice, hybrid};
use crate::train::loss::Loss;
use crate::train::optimizer::{Coefficients, OptimizerConfig, OptimizerKind};
use batch::{Batch, Part, Shape, cube_tensor};
use field::Field;
use pass::{Outputs, Program, Statistics, Weights};

/// Trains a population as one tensor program.
#[derive(Debug)]
pub struct Packed {
    program: Program,
    optimizer: OptimizerConfig,
    slices: Vec<Slice>,
    device: Device,
    /// Weights `[member, weight]`.
    weights: Tensor<2>,
    /// Moments `[member, weight]`.
    moments: Vec<Tensor<2>>,
    /// Running statistics `[member, statistic]`; none without batch normalisation.
    statistics: Option<Tensor<2>>,
    steps: Vec<u64>,
    priors: Vec<PriorStart>,
    /// Largest and smallest value of each weight `[member, weight]`; none without a prior.
    limits: Option<(Tensor<2>, Tensor<2>)>,
    /// 1 for weights that decay, 0 for physics `[1, weight]`.
    decaying: Tensor<2>,
}

impl Packed {
    /// Returns the members of `population` at their initial weights on `device`.
    pub fn new(population: &Population, device: &Device) -> Self {
        let architecture = &population.architecture;
        let device = device.clone().without_autodiff();
        let (m, n) = (population.members.len(), architecture.n_weights());
        let weights = population.members.iter().flat_map(|member| architecture.initial_weights(&member.seed));
        let statistics = architecture.initial_statistics();
        let n_network = n - architecture.n_physics();
        Self {
            weights: cube_tensor(weights.collect(), [m, n], &device),
            moments: vec![Tensor::zeros([m, n], &device); population.optimizer.n_moments()],
            statistics: (!statistics.is_empty())
                .then(|| cube_tensor(statistics.repeat(m), [m, statistics.len()], &device)),
            steps: vec![0; m],
            priors: population.members.iter().filter_map(|member| member.prior.clone()).collect(),
            limits: architecture.prior.is_some().then(|| limits(population, n_network, &device)),
            decaying: cube_tensor((0..n).map(|i| f32::from(i < n_network)).collect(), [1, n], &device),
            slices: architecture.slices(),
            program: Program { architecture: architecture.clone(), objective: population.objective },
            optimizer: population.optimizer,
            device,
        }
    }

    /// Cuts weights into the tensors of a pass.
    fn cut(&self, weights: &Tensor<2>, device: &Device) -> Weights {
        let m = self.steps.len();
        let cut = |slice: &Slice| {
            let columns = slice.shape[slice.shape.len() - 1];
            let part = weights.clone().narrow(1, slice.offset, slice.len());
            part.reshape([m, slice.len() / columns, columns])
        };
        let parts: Vec<_> = self.slices.iter().map(cut).collect();
        let Some(prior) = &self.program.architecture.prior else {
            return Weights { parts, theta: Vec::new(), label: None };
        };
        let offsets = &parts[parts.len() - 1];
        let offsets = if prior.is_trained() { offsets.clone() } else { offsets.clone().detach() };
        let column = |values: Vec<f64>| {
            cube_tensor(values.into_iter().map(|value| value as f32).collect(), [m, 1, 1], device)
        };
        let of_members = |value: &dyn Fn(&PriorStart) -> f64| column(self.priors.iter().map(value).collect());
        let theta = prior.law.parameters().iter().enumerate().map(|(i, parameter)| {
            let fit = of_members(&|start| start.theta[i]);
            let scale = of_members(&|start| hybrid::scale(parameter, start.theta[i]));
            Field(offsets.clone().narrow(2, i, 1) * scale + fit)
        });
        let theta = theta.collect();
        let label = (of_members(&|start| start.label_mean), of_members(&|start| start.label_sd));
        Weights { parts, theta, label: Some(label) }
    }

    fn batch(&self, parts: &mut [Option<Part<'_>>], later: bool, device: &Device) -> Batch {
        let architecture = &self.program.architecture;
        let d_stress = architecture.prior.as_ref().map_or(0, |prior| prior.law.stress().len());
        let classes = match self.program.objective.loss {
            Loss::CrossEntropy { label_smoothing } => Some((architecture.d_output, label_smoothing)),
            _ => None,
        };
        let shape = Shape { d_input: architecture.d_input, d_stress, later, classes };
        Batch::new(parts, shape, &architecture.network.hidden, device)
    }

    /// Computes losses `[member]` and gradients `[member, weight]` of the parts.
    fn differentiate(&self, parts: &mut [Option<Part<'_>>]) -> (Vec<f32>, Tensor<2>, Outputs, Batch) {
        let device = self.device.clone().autodiff();
        let batch = self.batch(parts, self.program.objective.monotone_fade > 0.0, &device);
        let leaf = Tensor::<2>::from_inner(self.weights.clone()).require_grad();
        let outputs = self.program.forward(&self.cut(&leaf, &device), &batch, None);
        let losses = self.program.loss(&outputs, &batch);
        let gradient = leaf.grad(&losses.clone().sum().backward());
        let gradient = gradient.unwrap_or_else(|| self.weights.zeros_like());
        (values(losses), gradient, outputs, batch)
    }

    /// Returns running statistics as `[member, 1, d]` tensors, mean and variance of each layer.
    fn running(&self) -> Option<Statistics> {
        let statistics = self.statistics.as_ref()?;
        let m = self.steps.len();
        let layers = self.program.architecture.statistics();
        let tensor = |slice: &Slice| {
            statistics.clone().narrow(1, slice.offset, slice.len()).reshape([m, 1, slice.len()])
        };
        Some(layers.chunks(2).map(|pair| (tensor(&pair[0]), tensor(&pair[1]))).collect())
    }

    fn update_running(&mut self, outputs: Outputs, batch: &Batch, active: &[bool]) {
        let Some(old) = self.statistics.take() else { return };
        let counts = batch.counts.clone().inner();
        // n / (n - 1), and 1 for a single row.
        let unbiased = counts.clone() / (counts - 1.0).clamp_min(1.0);
        let flat = |tensor: Tensor<3>| tensor.flatten::<2>(1, 2);
        let parts = outputs
            .statistics
            .into_iter()
            .flat_map(|(mean, variance)| [flat(mean.inner()), flat(variance.inner() * unbiased.clone())]);
        let new = Tensor::cat(parts.collect(), 1);
        let moved = old.clone() + (new - old.clone()) * Normalisation::MOMENTUM;
        self.statistics = Some(self.keep(old, moved, active));
    }

    /// Returns `new` for the members that are active, `old` for the others.
    fn keep(&self, old: Tensor<2>, new: Tensor<2>, active: &[bool]) -> Tensor<2> {
        if active.iter().all(|active| *active) {
            return new;
        }
        let active =
            cube_tensor(active.iter().map(|a| f32::from(*a)).collect(), [active.len(), 1], &self.device);
        let shape = old.dims();
        old.mask_where(active.greater_elem(0.5).expand(shape), new)
    }

    fn update(&mut self, steps: &[Option<MemberStep<'_>>], mut gradient: Tensor<2>) {
        let active: Vec<bool> = steps.iter().map(Option::is_some).collect();
        if let Some(limit) = self.optimizer.gradient_clip {
            gradient = clip(gradient, limit);
        }
        let coefficients: Vec<Coefficients> = std::iter::zip(steps, &mut self.steps)
            .map(|(step, n)| {
                *n += u64::from(step.is_some());
                let (rate, decay) = step.as_ref().map_or((0.0, 0.0), |s| (s.learning_rate, s.weight_decay));
                self.optimizer.coefficients(rate, decay, (*n).max(1))
            })
            .collect();
        let column = |value: &dyn Fn(&Coefficients) -> f32| {
            cube_tensor(coefficients.iter().map(value).collect(), [coefficients.len(), 1], &self.device)
        };
        let gradient = gradient + self.weights.clone() * (column(&|c| c.l2) * self.decaying.clone());
        let moments = self.moved_moments(gradient);
        let direction = match &moments[..] {
            [first, second] => {
                let root = second.clone().sqrt() * column(&|c| c.root) + self.optimizer.epsilon;
                first.clone() * column(&|c| c.rate) / root
            }
            [velocity] => velocity.clone() * column(&|c| c.rate),
            _ => return,
        };
        let shrink = (column(&|c| c.shrink) - 1.0) * self.decaying.clone() + 1.0;
        let mut weights = self.weights.clone() * shrink - direction;
        if let Some((low, high)) = &self.limits {
            weights = weights.max_pair(low.clone()).min_pair(high.clone());
        }
        self.weights = self.keep(self.weights.clone(), weights, &active);
        self.moments = std::iter::zip(&self.moments, moments)
            .map(|(old, new)| self.keep(old.clone(), new, &active))
            .collect();
    }

    /// Returns the moments after a gradient.
    fn moved_moments(&self, gradient: Tensor<2>) -> Vec<Tensor<2>> {
        let OptimizerConfig { kind, beta1, beta2, momentum, .. } = self.optimizer;
        let decay =
            |moment: &Tensor<2>, beta: f32, new: Tensor<2>| moment.clone() * beta + new * (1.0 - beta);
        match (kind, &self.moments[..]) {
            (OptimizerKind::Adam | OptimizerKind::Adamw, [first, second]) => {
                vec![decay(first, beta1, gradient.clone()), decay(second, beta2, gradient.square())]
            }
            (OptimizerKind::Sgd, [velocity]) => vec![velocity.clone() * momentum + gradient],
            _ => Vec::new(),
        }
    }
}

impl Engine for Packed {
    fn n_members(&self) -> usize {
        self.steps.len()
    }

    fn step(&mut self, steps: &[Option<MemberStep<'_>>]) -> Vec<f32> {
        if steps.iter().all(Option::is_none) {
            return vec![0.0; steps.len()];
        }
        let mut parts: Vec<_> = steps.iter().map(|step| step.as_ref().map(Part::of_step)).collect();
        let (losses, gradient, outputs, batch) = self.differentiate(&mut parts);
        let active: Vec<bool> = steps.iter().map(Option::is_some).collect();
        self.update_running(outputs, &batch, &active);
        self.update(steps, gradient);
        losses
    }

    fn predict(&mut self, rows: &[Arc<Rows>]) -> Vec<Vec<f32>> {
        let mut parts: Vec<_> = rows.iter().map(|rows| Some(Part::of_rows(rows))).collect();
        let batch = self.batch(&mut parts, false, &self.device);
        let weights = self.cut(&self.weights, &self.device);
        let outputs = self.program.forward(&weights, &batch, self.running().as_ref());
        let all = values(outputs.all());
        let d = self.program.architecture.d_output;
        let of_member = |(rows, all): (&Arc<Rows>, &[f32])| all[..rows.len() * d].to_vec();
        rows.iter().zip(all.chunks_exact(batch.n_labels * d)).map(of_member).collect()
    }

    fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)> {
        let part = |rows: &'_ Arc<Rows>| !rows.is_empty();
        let mut parts: Vec<_> = rows.iter().map(|rows| part(rows).then(|| Part::of_rows(rows))).collect();
        let (losses, gradient, ..) = self.differentiate(&mut parts);
        let gradient = values(gradient);
        let n = gradient.len() / losses.len().max(1);
        let of_member = |(idx, loss): (usize, f32)| {
            let gradient = if rows[idx].is_empty() { &[] } else { &gradient[idx * n..][..n] };
            (loss, gradient.to_vec())
        };
        losses.into_iter().enumerate().map(of_member).collect()
    }

    fn state(&self, member_idx: usize) -> MemberState {
        let row = |tensor: &Tensor<2>| values(tensor.clone().narrow(0, member_idx, 1));
        MemberState {
            weights: row(&self.weights),
            memory: self.moments.iter().flat_map(row).collect(),
            statistics: self.statistics.as_ref().map_or_else(Vec::new, row),
            steps: self.steps[member_idx],
        }
    }

    fn set_state(&mut self, member_idx: usize, state: &MemberState) {
        let device = self.device.clone();
        let set = |tensor: &mut Tensor<2>, row: &[f32]| {
            let row = cube_tensor(row.to_vec(), [1, row.len()], &device);
            let place = [member_idx..member_idx + 1, 0..row.dims()[1]];
            *tensor = tensor.clone().slice_assign(place, row);
        };
        set(&mut self.weights, &state.weights);
        if let Some((low, high)) = &self.limits {
            self.weights = self.weights.clone().max_pair(low.clone()).min_pair(high.clone());
        }
        for (moment, row) in self.moments.iter_mut().zip(state.memory.chunks_exact(state.weights.len())) {
            set(moment, row);
        }
        if let Some(statistics) = &mut self.statistics {
            set(statistics, &state.statistics);
        }
        self.steps[member_idx] = state.steps;
    }
}

/// Returns the values of a tensor in row-major order.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec::<f32>().expect("a tensor of f32")
}

/// Scales each member's gradient to a norm of `limit` where it is longer.
fn clip(gradient: Tensor<2>, limit: f32) -> Tensor<2> {
    let norm = gradient.clone().square().sum_dim(1).sqrt();
    let is_long = norm.clone().greater_elem(limit);
    let factor = norm.ones_like().mask_where(is_long, norm.recip() * limit);
    gradient * factor
}

/// Returns the smallest and largest value of each weight: bounds of the physics parameters, none of the others.
fn limits(population: &Population, n_network: usize, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for member in &population.members {
        low.extend(vec![f32::MIN; n_network]);
        high.extend(vec![f32::MAX; n_network]);
        for (lowest, highest) in population.architecture.limits(member.prior.as_ref()) {
            low.push(lowest);
            high.push(highest);
        }
    }
    let shape = [population.members.len(), population.architecture.n_weights()];
    (cube_tensor(low, shape, device), cube_tensor(high, shape, device))
}
