//! Layer and batch normalisation of a padded matrix, forward and backward.
//!
//! ```text
//! centred = (x - mean) / sqrt(variance + epsilon);  y = centred * scale + shift
//! ```

use super::plan::Layer;
use crate::model::Normalisation;

/// What the backward pass needs of a normalisation: centred sums `[row, stride]`, and 1 / deviation of each row (layer)
/// or column (batch).
pub(super) struct Memory<'a> {
    pub(super) centred: &'a mut [f32],
    pub(super) inverse: &'a mut [f32],
}

/// Running statistics of one layer.
pub(super) struct Running<'a> {
    /// Mean and then variance of each unit.
    pub(super) values: &'a mut [f32],
    /// Whether they are used (evaluation), updated (training) or left alone.
    pub(super) role: Role,
}

/// What a pass does with running statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Used in place of the batch's.
    Use,
    /// Updated from the batch.
    Update,
    /// Neither.
    Ignore,
}

/// Normalises `sums` `[n_rows, stride]` in place over the units of each row.
#[inline(always)]
pub(super) fn layer_forward(layer: &Layer, weights: &[f32], sums: &mut [f32], memory: &mut Memory<'_>) {
    let (scale, shift) = (&weights[layer.norm_scale..], &weights[layer.norm_shift..]);
    let rows = sums.chunks_exact_mut(layer.stride).zip(memory.centred.chunks_exact_mut(layer.stride));
    for ((x, centred), inverse) in rows.zip(memory.inverse.iter_mut()) {
        let mean = sum(layer.d_out, |i| x[i]) / layer.d_out as f32;
        let variance = sum(layer.d_out, |i| (x[i] - mean) * (x[i] - mean)) / layer.d_out as f32;
        *inverse = 1.0 / (variance + Normalisation::EPSILON).sqrt();
        for i in 0..layer.d_out {
            centred[i] = (x[i] - mean) * *inverse;
            x[i] = centred[i].mul_add(scale[i], shift[i]);
        }
    }
}

/// Turns the gradient by the output into that by the input, and writes those of scale and shift.
#[inline(always)]
pub(super) fn layer_backward(
    layer: &Layer,
    weights: &[f32],
    gradient: &mut [f32],
    delta: &mut [f32],
    memory: &Memory<'_>,
) {
    scale_and_shift(layer, gradient, delta, memory.centred);
    let scale = &weights[layer.norm_scale..];
    let rows = delta.chunks_exact_mut(layer.stride).zip(memory.centred.chunks_exact(layer.stride));
    for ((delta, centred), &inverse) in rows.zip(memory.inverse.iter()) {
        let mean = sum(layer.d_out, |i| delta[i] * scale[i]) / layer.d_out as f32;
        let slope = sum(layer.d_out, |i| delta[i] * scale[i] * centred[i]) / layer.d_out as f32;
        for i in 0..layer.d_out {
            delta[i] = inverse * (delta[i] * scale[i] - mean - centred[i] * slope);
        }
    }
}

/// Normalises `sums` `[n_rows, stride]` in place over the rows of each unit.
#[inline(always)]
pub(super) fn batch_forward(
    layer: &Layer,
    weights: &[f32],
    sums: &mut [f32],
    memory: &mut Memory<'_>,
    running: &mut Running<'_>,
) {
    let d = layer.d_out;
    let (running_mean, running_variance) = running.values.split_at_mut(d);
    let mut mean = running_mean.to_vec();
    let mut variance = running_variance.to_vec();
    if running.role != Role::Use {
        batch_statistics(layer, sums, &mut mean, &mut variance);
    }
    if running.role == Role::Update {
        let n = (sums.len() / layer.stride) as f32;
        let unbiased = if n > 1.0 { n / (n - 1.0) } else { 1.0 };
        for i in 0..d {
            running_mean[i] += Normalisation::MOMENTUM * (mean[i] - running_mean[i]);
            running_variance[i] += Normalisation::MOMENTUM * (unbiased * variance[i] - running_variance[i]);
        }
    }
    for (inverse, variance) in memory.inverse.iter_mut().zip(&variance) {
        *inverse = 1.0 / (variance + Normalisation::EPSILON).sqrt();
    }
    let (scale, shift) = (&weights[layer.norm_scale..][..d], &weights[layer.norm_shift..][..d]);
    let rows = sums.chunks_exact_mut(layer.stride).zip(memory.centred.chunks_exact_mut(layer.stride));
    for (x, centred) in rows {
        for i in 0..d {
            centred[i] = (x[i] - mean[i]) * memory.inverse[i];
            x[i] = centred[i].mul_add(scale[i], shift[i]);
        }
    }
}

#[inline(always)]
fn batch_statistics(layer: &Layer, sums: &[f32], mean: &mut [f32], variance: &mut [f32]) {
    let n = (sums.len() / layer.stride) as f32;
    mean.fill(0.0);
    variance.fill(0.0);
    for row in sums.chunks_exact(layer.stride) {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += x;
        }
    }
    for mean in &mut *mean {
        *mean /= n;
    }
    for row in sums.chunks_exact(layer.stride) {
        for ((variance, mean), x) in variance.iter_mut().zip(mean.iter()).zip(row) {
            *variance += (x - mean) * (x - mean);
        }
    }
    for variance in variance {
        *variance /= n;
    }
}

/// Turns the gradient by the output into that by the input, and writes those of scale and shift.
#[inline(always)]
pub(super) fn batch_backward(
    layer: &Layer,
    weights: &[f32],
    gradient: &mut [f32],
    delta: &mut [f32],
    memory: &Memory<'_>,
) {
    scale_and_shift(layer, gradient, delta, memory.centred);
    let n = (delta.len() / layer.stride) as f32;
    let scale = &weights[layer.norm_scale..];
    let (by_scale, by_shift) = (&gradient[layer.norm_scale..], &gradient[layer.norm_shift..]);
    let rows = delta.chunks_exact_mut(layer.stride).zip(memory.centred.chunks_exact(layer.stride));
    for (delta, centred) in rows {
        for i in 0..layer.d_out {
            let rest = delta[i] - (by_shift[i] + centred[i] * by_scale[i]) / n;
            delta[i] = memory.inverse[i] * scale[i] * rest;
        }
    }
}

#[inline(always)]
fn scale_and_shift(layer: &Layer, gradient: &mut [f32], delta: &[f32], centred: &[f32]) {
    gradient[layer.norm_scale..][..layer.d_out].fill(0.0);
    gradient[layer.norm_shift..][..layer.d_out].fill(0.0);
    for (delta, centred) in delta.chunks_exact(layer.stride).zip(centred.chunks_exact(layer.stride)) {
        let by_scale = &mut gradient[layer.norm_scale..][..layer.d_out];
        for i in 0..layer.d_out {
            by_scale[i] += delta[i] * centred[i];
        }
        let by_shift = &mut gradient[layer.norm_shift..][..layer.d_out];
        for (sum, delta) in by_shift.iter_mut().zip(delta) {
            *sum += delta;
        }
    }
}

/// Returns the sum of `n` values in eight interleaved chains, so that it can be vectorised.
#[inline(always)]
fn sum(n: usize, value: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0_f32; 8];
    for i in 0..n {
        sums[i % 8] += value(i);
    }
    sums.iter().sum()
}
