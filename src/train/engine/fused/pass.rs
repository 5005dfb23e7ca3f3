//! One pass of one member: forward to the outputs, backward to the gradient.

use pulp::Simd;

use super::activate::activate;
use super::buffer::Buffer;
use super::matmul::{Left, Start, add_scaled, dot, multiply, scale_by, transpose};
use super::normalise::{self, Memory, Role, Running};
use super::plan::{Layer, Plan};
use super::workspace::{Hidden, Workspace};
use crate::model::{Activation, NetworkConfig, Normalisation};
use crate::train::engine::Rows;
use crate::train::engine::dropout::Masks;

/// Places and settings of a network, the same for all members.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) plan: Plan,
    pub(super) config: NetworkConfig,
}

/// What a forward pass does beside the outputs.
pub(super) struct Mode<'a> {
    pub(super) masks: Option<Masks>,
    pub(super) running: Role,
    /// Running statistics of the member.
    pub(super) statistics: &'a mut [f32],
}

impl Network {
    /// Copies the inputs of the rows of a pass.
    #[inline(always)]
    pub(super) fn gather(&self, rows: &Rows, work: &mut Workspace) {
        let d = rows.d_input;
        let inputs = work.input.chunks_exact_mut(self.plan.input_stride);
        for (input, &row) in inputs.zip(&work.rows) {
            input[..d].copy_from_slice(&rows.inputs[row as usize * d..][..d]);
        }
    }

    /// Computes the outputs of the rows of a pass.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(
        &self,
        simd: S,
        weights: &[f32],
        mode: &mut Mode<'_>,
        work: &mut Workspace,
    ) {
        let n = work.rows.len();
        for (idx, layer) in self.plan.hidden.iter().enumerate() {
            let (before, rest) = work.hidden.split_at_mut(idx);
            let input = before.last().map_or(&work.input, |hidden| &hidden.out);
            let hidden = &mut rest[0];
            let out = &mut hidden.out[..n * layer.stride];
            let weight = (&weights[layer.weight..], layer.d_in, layer.stride);
            let bias = Start::Row(&weights[layer.bias..]);
            multiply(simd, Left::Rows(input, layer.in_stride), weight, bias, (out, n));
            self.normalise(layer, weights, mode, (hidden, n));
            self.activate(simd, layer, mode, (hidden, &mut work.mask, n));
            if layer.skip {
                add_scaled(simd, 1.0, &input[..n * layer.stride], &mut hidden.out[..n * layer.stride]);
            }
        }
        self.output(simd, weights, work);
    }

    #[inline(always)]
    fn normalise(
        &self,
        layer: &Layer,
        weights: &[f32],
        mode: &mut Mode<'_>,
        (hidden, n): (&mut Hidden, usize),
    ) {
        if self.config.normalisation == Normalisation::None {
            return;
        }
        let Hidden { out, centred, inverse, .. } = hidden;
        let sums = &mut out[..n * layer.stride];
        let mut memory = Memory { centred: &mut centred[..n * layer.stride], inverse };
        if self.config.normalisation == Normalisation::Layer {
            normalise::layer_forward(layer, weights, sums, &mut memory);
        } else {
            let values = &mut mode.statistics[layer.statistics..][..2 * layer.d_out];
            let role = mode.running;
            normalise::batch_forward(layer, weights, sums, &mut memory, &mut Running { values, role });
        }
    }

    #[inline(always)]
    fn activate<S: Simd>(
        &self,
        simd: S,
        layer: &Layer,
        mode: &mut Mode<'_>,
        (hidden, mask, n): (&mut Hidden, &mut [f32], usize),
    ) {
        let out = &mut hidden.out[..n * layer.stride];
        let slope = &mut hidden.slope[..n * layer.stride];
        activate(simd, self.config.activation, out, slope);
        if matches!(self.config.activation, Activation::Sigmoid | Activation::Softplus) {
            clear_padding(layer, out);
        }
        let Some(masks) = &mut mode.masks else { return };
        for (out, slope) in out.chunks_exact_mut(layer.stride).zip(slope.chunks_exact_mut(layer.stride)) {
            masks.draw(&mut mask[..layer.d_out]);
            scale_by(simd, &mask[..layer.stride], out);
            scale_by(simd, &mask[..layer.stride], slope);
        }
    }

    #[inline(always)]
    fn output<S: Simd>(&self, simd: S, weights: &[f32], work: &mut Workspace) {
        let layer = &self.plan.output;
        let input = work.hidden.last().map_or(&work.input, |hidden| &hidden.out);
        let rows = input.chunks_exact(layer.in_stride);
        for (row, net) in rows.zip(work.net.chunks_exact_mut(layer.d_out)) {
            for (i, net) in net.iter_mut().enumerate() {
                let weight = &weights[layer.weight + i * layer.in_stride..][..layer.in_stride];
                *net = dot(simd, row, weight) + weights[layer.bias + i];
            }
        }
    }

    /// Computes the gradient by the network's weights from that by its outputs.
    #[inline(always)]
    pub(super) fn backward<S: Simd>(&self, simd: S, weights: &[f32], work: &mut Workspace) {
        let Workspace { hidden, input, d_residual, deltas, transposed, gradient, rows, .. } = work;
        let n = rows.len();
        let [delta, other] = deltas;
        let last = hidden.last().map_or(&*input, |hidden| &hidden.out);
        self.output_backward(simd, weights, (d_residual, last), (gradient, delta));
        for (idx, layer) in self.plan.hidden.iter().enumerate().rev() {
            let len = n * layer.stride;
            if layer.skip && idx > 0 {
                other[..len].copy_from_slice(&delta[..len]);
            }
            scale_by(simd, &hidden[idx].slope[..len], &mut delta[..len]);
            self.normalise_backward(layer, weights, gradient, (&mut delta[..len], &mut hidden[idx], n));
            let input = if idx == 0 { &*input } else { &hidden[idx - 1].out };
            let by_weight = &mut gradient[layer.weight..][..layer.d_in * layer.stride];
            let left = Left::Columns(input, layer.in_stride);
            multiply(simd, left, (delta, n, layer.stride), Start::Zero, (by_weight, layer.d_in));
            sum_rows(simd, (&[], 0), &delta[..len], &mut gradient[layer.bias..][..layer.stride]);
            if idx == 0 {
                break;
            }
            transpose(
                (&weights[layer.weight..], layer.d_in, layer.stride),
                (transposed, layer.d_out, layer.in_stride),
            );
            let right = (&**transposed, layer.d_out, layer.in_stride);
            let start = if layer.skip { Start::Keep } else { Start::Zero };
            multiply(simd, Left::Rows(delta, layer.stride), right, start, (other, n));
            std::mem::swap(delta, other);
        }
    }

    #[inline(always)]
    fn output_backward<S: Simd>(
        &self,
        simd: S,
        weights: &[f32],
        (d_net, input): (&[f32], &Buffer),
        (gradient, delta): (&mut Buffer, &mut Buffer),
    ) {
        let layer = &self.plan.output;
        let (d_out, stride) = (layer.d_out, layer.in_stride);
        let n = d_net.len() / d_out;
        for i in 0..d_out {
            gradient[layer.bias + i] = d_net.iter().skip(i).step_by(d_out).sum();
            let by_weight = &mut gradient[layer.weight + i * stride..][..stride];
            sum_rows(simd, (&d_net[i..], d_out), &input[..n * stride], by_weight);
        }
        if !self.plan.hidden.is_empty() {
            let right = (&weights[layer.weight..], d_out, stride);
            multiply(simd, Left::Rows(d_net, d_out), right, Start::Zero, (delta, n));
        }
    }

    #[inline(always)]
    fn normalise_backward(
        &self,
        layer: &Layer,
        weights: &[f32],
        gradient: &mut [f32],
        (delta, hidden, n): (&mut [f32], &mut Hidden, usize),
    ) {
        let memory = Memory {
            centred: if hidden.centred.is_empty() {
                &mut []
            } else {
                &mut hidden.centred[..n * layer.stride]
            },
            inverse: &mut hidden.inverse,
        };
        match self.config.normalisation {
            Normalisation::None => {}
            Normalisation::Layer => normalise::layer_backward(layer, weights, gradient, delta, &memory),
            Normalisation::Batch => normalise::batch_backward(layer, weights, gradient, delta, &memory),
        }
    }
}

/// Writes the sum of the rows of `from` into `to`, both padded. Row `i` is weighted by number `i * step` of `factors`,
/// and by 1 where there is none.
#[inline(always)]
fn sum_rows<S: Simd>(simd: S, factors: (&[f32], usize), from: &[f32], to: &mut [f32]) {
    let (from, to) = (S::as_simd_f32s(from).0, S::as_mut_simd_f32s(to).0);
    let mut column = 0;
    while column < to.len() {
        column += match to.len() - column {
            1 => sum_columns::<S, 1>(simd, factors, from, (to, column)),
            2 | 3 => sum_columns::<S, 2>(simd, factors, from, (to, column)),
            _ => sum_columns::<S, 4>(simd, factors, from, (to, column)),
        };
    }
}

/// Sums `N` vectors of columns in registers and returns their number.
#[inline(always)]
fn sum_columns<S: Simd, const N: usize>(
    simd: S,
    (factors, step): (&[f32], usize),
    from: &[S::f32s],
    (to, column): (&mut [S::f32s], usize),
) -> usize {
    let mut sums = [simd.splat_f32s(0.0); N];
    for (idx, row) in from.chunks_exact(to.len()).enumerate() {
        let factor = simd.splat_f32s(factors.get(idx * step).copied().unwrap_or(1.0));
        let row = &row[column..][..N];
        for i in 0..N {
            sums[i] = simd.mul_add_e_f32s(factor, row[i], sums[i]);
        }
    }
    to[column..][..N].copy_from_slice(&sums);
    N
}

#[inline(always)]
fn clear_padding(layer: &Layer, out: &mut [f32]) {
    for row in out.chunks_exact_mut(layer.stride) {
        row[layer.d_out..].fill(0.0);
    }
}
