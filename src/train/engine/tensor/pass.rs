//! A pass of all members at once: network, prior and loss as tensor operations.

use burn::tensor::{Tensor, activation};

use super::batch::Batch;
use super::field::Field;
use crate::model::{Activation, Architecture, Normalisation};
use crate::train::engine::fused::GELU;
use crate::train::loss::{LOG_VARIANCE, Loss, Objective};

/// What the tensor program is made from.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) architecture: Architecture,
    pub(super) objective: Objective,
}

/// Weights of all members, `[member, d_in, d_out]` and `[member, 1, d]`, in the order of the layout.
pub(super) struct Weights {
    pub(super) parts: Vec<Tensor<3>>,
    /// Physics parameters in their units, one `[member, 1, 1]` each.
    pub(super) theta: Vec<Field>,
    /// What labels were scaled with, mean and deviation `[member, 1, 1]`; only with a prior.
    pub(super) label: Option<(Tensor<3>, Tensor<3>)>,
}

/// Running statistics of all members, mean and variance `[member, 1, d]` of each hidden layer.
pub(super) type Statistics = Vec<(Tensor<3>, Tensor<3>)>;

/// Outputs of a pass.
pub(super) struct Outputs {
    /// Prediction in scaled label units `[member, n, 1]`.
    pub(super) prediction: Tensor<3>,
    /// Residual in scaled label units `[member, n, 1]`.
    residual: Tensor<3>,
    /// Further outputs of the network `[member, n, d_output - 1]`.
    rest: Option<Tensor<3>>,
    /// Mean and variance of the batch in each normalised layer.
    pub(super) statistics: Statistics,
}

impl Outputs {
    /// Returns the prediction and the further outputs `[member, n, d_output]`.
    pub(super) fn all(&self) -> Tensor<3> {
        let columns = [Some(&self.prediction), self.rest.as_ref()].into_iter().flatten().cloned();
        Tensor::cat(columns.collect(), 2)
    }
}

impl Program {
    /// Computes predictions; running statistics stand for the batch's where they are given.
    pub(super) fn forward(&self, weights: &Weights, batch: &Batch, running: Option<&Statistics>) -> Outputs {
        let network = &self.architecture.network;
        let mut parts = weights.parts.iter().cloned();
        let mut next = || parts.next().expect("a tensor for each slice of the layout");
        let mut x = batch.inputs.clone();
        let mut statistics = Vec::new();
        for (idx, &width) in network.hidden.iter().enumerate() {
            let mut h = x.clone().matmul(next()) + next();
            if network.normalisation != Normalisation::None {
                h = match network.normalisation {
                    Normalisation::Layer => by_layer(h),
                    _ => by_batch(h, batch, running.map(|running| &running[idx]), &mut statistics),
                };
                h = h * next() + next();
            }
            h = activate(network.activation, h);
            if let Some(mask) = batch.masks.get(idx) {
                h = h * mask.clone();
            }
            x = if network.skip && x.dims()[2] == width { h + x } else { h };
        }
        let net = x.matmul(next()) + next();
        self.outputs(net, weights, batch, statistics)
    }

    fn outputs(&self, net: Tensor<3>, weights: &Weights, batch: &Batch, statistics: Statistics) -> Outputs {
        let d_output = self.architecture.d_output;
        let rest = (d_output > 1).then(|| net.clone().narrow(2, 1, d_output - 1));
        let first = net.narrow(2, 0, 1);
        let (Some(prior), Some((mean, deviation)), Some(stress)) =
            (&self.architecture.prior, &weights.label, &batch.stress)
        else {
            return Outputs { prediction: first.clone(), residual: first, rest, statistics };
        };
        let columns = stress.dims()[2];
        let stress: Vec<Field> = (0..columns).map(|i| Field(stress.clone().narrow(2, i, 1))).collect();
        let soh = prior.law.capacity(&weights.theta, &stress).0;
        let residual = first * prior.scale();
        let prediction = (soh - mean.clone()) / deviation.clone() + residual.clone();
        Outputs { prediction, residual, rest, statistics }
    }

    /// Returns the loss of each member `[member, 1, 1]`.
    pub(super) fn loss(&self, outputs: &Outputs, batch: &Batch) -> Tensor<3> {
        (self.by_row(outputs, batch) * batch.shares.clone()).sum_dim(1)
    }

    /// Returns the loss of each row with its penalties `[member, n_labels, 1]`.
    fn by_row(&self, outputs: &Outputs, batch: &Batch) -> Tensor<3> {
        if self.objective.loss.is_of_classes() {
            let logs = activation::log_softmax(outputs.all(), 2);
            return (logs * batch.labels.clone()).sum_dim(2).neg();
        }
        let n = batch.n_labels;
        let now = outputs.prediction.clone().narrow(1, 0, n);
        let error = now.clone() - batch.labels.clone();
        let log_variance = outputs.rest.as_ref().map(|rest| rest.clone().narrow(1, 0, n));
        let mut loss = of_error(self.objective.loss, error, log_variance);
        if self.architecture.prior.is_some() && self.objective.physics_consistency > 0.0 {
            let residual = outputs.residual.clone().narrow(1, 0, n);
            loss = loss + residual.square() * self.objective.physics_consistency;
        }
        if self.objective.monotone_fade > 0.0 {
            let rise = activation::relu(outputs.prediction.clone().narrow(1, n, n) - now);
            loss = loss + rise.square() * self.objective.monotone_fade;
        }
        loss
    }
}

fn of_error(loss: Loss, error: Tensor<3>, log_variance: Option<Tensor<3>>) -> Tensor<3> {
    match (loss, log_variance) {
        (Loss::Mae, _) => error.abs(),
        (Loss::Huber { delta }, _) => {
            let inner = error.clone().clamp(-delta, delta);
            inner.clone() * (error - inner * 0.5)
        }
        (Loss::GaussianNll, Some(log_variance)) => {
            let log_variance = log_variance.clamp(LOG_VARIANCE.0, LOG_VARIANCE.1);
            (log_variance.clone() + error.square() * log_variance.neg().exp()) * 0.5
        }
        _ => error.square(),
    }
}

fn activate(kind: Activation, x: Tensor<3>) -> Tensor<3> {
    match kind {
        Activation::Relu => activation::relu(x),
        Activation::Tanh => x.tanh(),
        Activation::Gelu => {
            let inner = x.clone() * (x.clone().square() * GELU.1 + 1.0) * GELU.0;
            x * (inner.tanh() + 1.0) * 0.5
        }
        Activation::Silu => x.clone() * activation::sigmoid(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Softplus => activation::softplus(x, 1.0),
    }
}

fn by_layer(x: Tensor<3>) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    centred / (variance + Normalisation::EPSILON).sqrt()
}

fn by_batch(
    x: Tensor<3>,
    batch: &Batch,
    running: Option<&(Tensor<3>, Tensor<3>)>,
    statistics: &mut Statistics,
) -> Tensor<3> {
    let mean_of = |x: Tensor<3>| (x * batch.present.clone()).sum_dim(1) / batch.counts.clone();
    let (mean, variance) = running.cloned().unwrap_or_else(|| {
        let mean = mean_of(x.clone());
        let variance = mean_of((x.clone() - mean.clone()).square());
        statistics.push((mean.clone(), variance.clone()));
        (mean, variance)
    });
    (x - mean) / (variance + Normalisation::EPSILON).sqrt()
}
