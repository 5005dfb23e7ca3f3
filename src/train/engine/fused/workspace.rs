//! Buffers of one thread: everything a pass writes, reused by every member that the thread computes.

use super::buffer::{Buffer, padded};
use super::plan::Plan;

/// Buffers of one pass. Matrices are padded, one row of the pass after the other.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// Rows of the pass, positions in the member's rows: the batch, then its later rows where a penalty needs them.
    pub(super) rows: Vec<u32>,
    /// Number of the network's outputs.
    pub(super) d_output: usize,
    /// Inputs of the rows.
    pub(super) input: Buffer,
    /// One of each hidden layer.
    pub(super) hidden: Vec<Hidden>,
    /// Outputs of the network `[row, d_output]`.
    pub(super) net: Vec<f32>,
    /// Prior of each row in scaled label units.
    pub(super) prior: Vec<f32>,
    /// Derivatives of the prior `[row, n_physics]`.
    pub(super) prior_slopes: Vec<f64>,
    /// Derivatives of the loss by the prediction `[row]`.
    pub(super) d_prediction: Vec<f32>,
    /// Derivatives of the loss by the network's outputs `[row, d_output]`.
    pub(super) d_residual: Vec<f32>,
    /// Derivatives by a layer's output, and by its input.
    pub(super) deltas: [Buffer; 2],
    /// Transposed weight of a layer.
    pub(super) transposed: Buffer,
    /// Gradient by the padded weights.
    pub(super) gradient: Buffer,
    /// Dropout mask of one row.
    pub(super) mask: Vec<f32>,
}

/// What a hidden layer leaves for the backward pass.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    pub(super) out: Buffer,
    /// Slope of activation and dropout.
    pub(super) slope: Buffer,
    /// Centred sums of a normalisation.
    pub(super) centred: Buffer,
    /// 1 / deviation of a normalisation, of each row or each unit.
    pub(super) inverse: Vec<f32>,
}

impl Workspace {
    /// Returns the buffers of `plan`, still without rows.
    pub(super) fn new(plan: &Plan, n_physics: usize) -> Self {
        let widest = plan.hidden.iter().map(|layer| layer.in_stride * layer.stride).max();
        Self {
            d_output: plan.output.d_out,
            hidden: plan.hidden.iter().map(|_| Hidden::default()).collect(),
            transposed: Buffer::zeros(widest.unwrap_or(0)),
            gradient: Buffer::zeros(plan.len),
            mask: vec![0.0; plan.hidden.iter().map(|layer| layer.stride).max().unwrap_or(0)],
            prior_slopes: Vec::with_capacity(n_physics),
            ..Self::default()
        }
    }

    /// Makes room for the rows of a pass.
    pub(super) fn fit(&mut self, plan: &Plan, n_physics: usize, normalised: bool) {
        let n = self.rows.len();
        self.input.reserve(n * plan.input_stride);
        for (hidden, layer) in self.hidden.iter_mut().zip(&plan.hidden) {
            hidden.out.reserve(n * layer.stride);
            hidden.slope.reserve(n * layer.stride);
            if normalised {
                hidden.centred.reserve(n * layer.stride);
                hidden.inverse.resize(n.max(layer.d_out), 0.0);
            }
        }
        let widest = plan.hidden.iter().map(|layer| layer.stride).max().unwrap_or(padded(1));
        for delta in &mut self.deltas {
            delta.reserve(n * widest);
        }
        self.net.resize(n * self.d_output, 0.0);
        self.d_residual.resize(n * self.d_output, 0.0);
        self.d_prediction.resize(n, 0.0);
        self.prior.resize(n, 0.0);
        self.prior_slopes.resize(n * n_physics, 0.0);
    }
}
