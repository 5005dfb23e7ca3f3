//! Layers of many rows at once, for predictions: a vector holds one unit of neighbouring rows.
//!
//! Rows are cut into tiles of two vectors; the values of a tile are `[unit, vector]`, so that what a layer writes is what
//! the next one reads, and nothing is padded but rows. Weights lie in panels of some units, `[depth, unit]`. Each number
//! is the chain of operations that [`super::pass`] computes, so that it has the same bits.

use pulp::Simd;

use super::plan::Layer;
use crate::model::Normalisation;

/// Vectors of a tile.
const VECTORS: usize = 2;

/// Returns the number of rows of a tile.
pub(super) fn tile_rows<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// Appends a weight `[d_in, d_out]`, whose rows are `stride` apart, panel by panel.
pub(super) fn pack<S: Simd>(layer: &Layer, weight: &[f32], panels: &mut Vec<f32>) {
    for (unit, n) in cuts::<S>(layer.d_out) {
        for row in weight.chunks_exact(layer.stride).take(layer.d_in) {
            panels.extend_from_slice(&row[unit..][..n]);
        }
    }
}

/// Returns the first unit and the number of units of each panel: as many as fill the registers.
fn cuts<S: Simd>(d_out: usize) -> impl Iterator<Item = (usize, usize)> {
    let most = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
    (0..d_out).step_by(most).map(move |unit| (unit, most.min(d_out - unit)))
}

/// What becomes of a sum before it is stored.
pub(super) trait Finish {
    /// Returns what is stored.
    fn of<S: Simd>(simd: S, sum: S::f32s) -> S::f32s;
}

/// Stores the sum.
pub(super) struct Sum;

impl Finish for Sum {
    #[inline(always)]
    fn of<S: Simd>(_: S, sum: S::f32s) -> S::f32s {
        sum
    }
}

/// Stores the positive part.
pub(super) struct Positive;

impl Finish for Positive {
    #[inline(always)]
    fn of<S: Simd>(simd: S, sum: S::f32s) -> S::f32s {
        simd.max_f32s(simd.splat_f32s(0.0), sum)
    }
}

/// Computes the sums of a layer from its panels and bias.
///
/// # Shapes
/// `values` `[tile, d_in, vector]` to `out` `[tile, d_out, vector]`.
#[inline(always)]
pub(super) fn multiply<S: Simd, F: Finish>(
    simd: S,
    layer: &Layer,
    values: &[S::f32s],
    (panels, bias): (&[f32], &[f32]),
    out: &mut [S::f32s],
) {
    let mut rest = panels;
    for (unit, n) in cuts::<S>(layer.d_out) {
        let (panel, after) = rest.split_at(n * layer.d_in);
        rest = after;
        let panel = (panel, &bias[unit..][..n]);
        let out = (&mut *out, unit);
        match n {
            1 => tiles::<S, F, 1>(simd, layer, values, panel, out),
            2 => tiles::<S, F, 2>(simd, layer, values, panel, out),
            3 => tiles::<S, F, 3>(simd, layer, values, panel, out),
            4 => tiles::<S, F, 4>(simd, layer, values, panel, out),
            5 => tiles::<S, F, 5>(simd, layer, values, panel, out),
            6 => tiles::<S, F, 6>(simd, layer, values, panel, out),
            7 => tiles::<S, F, 7>(simd, layer, values, panel, out),
            _ => tiles::<S, F, 8>(simd, layer, values, panel, out),
        }
    }
}

/// Computes `N` units from `unit` on of all tiles.
#[inline(always)]
fn tiles<S: Simd, F: Finish, const N: usize>(
    simd: S,
    layer: &Layer,
    values: &[S::f32s],
    (panel, bias): (&[f32], &[f32]),
    (out, unit): (&mut [S::f32s], usize),
) {
    let out = out.chunks_exact_mut(VECTORS * layer.d_out);
    for (values, out) in values.chunks_exact(VECTORS * layer.d_in).zip(out) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; N];
        for (sum, &bias) in sums.iter_mut().zip(bias) {
            *sum = [simd.splat_f32s(bias); VECTORS];
        }
        for (value, weights) in values.chunks_exact(VECTORS).zip(panel.chunks_exact(N)) {
            let value = [value[0], value[1]];
            for i in 0..N {
                let weight = simd.splat_f32s(weights[i]);
                for j in 0..VECTORS {
                    sums[i][j] = simd.mul_add_e_f32s(value[j], weight, sums[i][j]);
                }
            }
        }
        let out = out[VECTORS * unit..][..VECTORS * N].chunks_exact_mut(VECTORS);
        for (out, sum) in out.zip(&sums) {
            (out[0], out[1]) = (F::of(simd, sum[0]), F::of(simd, sum[1]));
        }
    }
}

/// Computes one output of the last layer as [`super::matmul::dot`] does: a chain a lane, summed by halves.
///
/// # Shapes
/// `values` `[tile, d_in, vector]` and `weight` `[d_in]` to `out` `[tile, vector]`.
#[inline(always)]
pub(super) fn output<S: Simd>(
    simd: S,
    values: &[S::f32s],
    (weight, bias): (&[f32], f32),
    out: &mut [S::f32s],
) {
    let out = out.chunks_exact_mut(VECTORS);
    for (values, out) in values.chunks_exact(VECTORS * weight.len()).zip(out) {
        for (j, out) in out.iter_mut().enumerate() {
            let mut chains = [simd.splat_f32s(0.0); MAX_LANES];
            let mut values = values.chunks_exact(VECTORS * S::F32_LANES);
            let mut weights = weight.chunks_exact(S::F32_LANES);
            for (values, weights) in values.by_ref().zip(weights.by_ref()) {
                for i in 0..S::F32_LANES {
                    let weight = simd.splat_f32s(weights[i]);
                    chains[i] = simd.mul_add_e_f32s(values[VECTORS * i + j], weight, chains[i]);
                }
            }
            let rest = values.remainder().chunks_exact(VECTORS).zip(weights.remainder());
            for (chain, (value, &weight)) in chains.iter_mut().zip(rest) {
                *chain = simd.mul_add_e_f32s(value[j], simd.splat_f32s(weight), *chain);
            }
            *out = simd.add_f32s(halved(simd, chains), simd.splat_f32s(bias));
        }
    }
}

/// Lanes of the widest vector.
const MAX_LANES: usize = 16;

/// Returns the sum of the chains of one vector, the upper half onto the lower until one is left.
#[inline(always)]
fn halved<S: Simd>(simd: S, mut chains: [S::f32s; MAX_LANES]) -> S::f32s {
    let mut n = S::F32_LANES;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            chains[i] = simd.add_f32s(chains[i], chains[i + n]);
        }
    }
    chains[0]
}

/// Normalises sums over the units of each row, as [`super::normalise::layer_forward`] does.
///
/// # Shapes
/// `sums` `[tile, d_out, vector]`; scale and shift `[d_out]`.
#[inline(always)]
pub(super) fn normalise_rows<S: Simd>(
    simd: S,
    layer: &Layer,
    (scale, shift): (&[f32], &[f32]),
    sums: &mut [S::f32s],
) {
    let n = simd.splat_f32s(layer.d_out as f32);
    let (one, epsilon) = (simd.splat_f32s(1.0), simd.splat_f32s(Normalisation::EPSILON));
    for tile in sums.chunks_exact_mut(VECTORS * layer.d_out) {
        for j in 0..VECTORS {
            let mean = simd.div_f32s(eight_chains::<S, Value>(simd, tile, j, one), n);
            let variance = simd.div_f32s(eight_chains::<S, Square>(simd, tile, j, mean), n);
            let deviation = simd.sqrt_f32s(simd.add_f32s(variance, epsilon));
            let inverse = simd.div_f32s(one, deviation);
            for ((sums, &scale), &shift) in tile.chunks_exact_mut(VECTORS).zip(scale).zip(shift) {
                let centred = simd.mul_f32s(simd.sub_f32s(sums[j], mean), inverse);
                sums[j] = simd.mul_add_f32s(centred, simd.splat_f32s(scale), simd.splat_f32s(shift));
            }
        }
    }
}

/// What is summed over the units of a row.
trait Term {
    fn of<S: Simd>(simd: S, x: S::f32s, mean: S::f32s) -> S::f32s;
}

struct Value;

impl Term for Value {
    #[inline(always)]
    fn of<S: Simd>(_: S, x: S::f32s, _: S::f32s) -> S::f32s {
        x
    }
}

struct Square;

impl Term for Square {
    #[inline(always)]
    fn of<S: Simd>(simd: S, x: S::f32s, mean: S::f32s) -> S::f32s {
        let centred = simd.sub_f32s(x, mean);
        simd.mul_f32s(centred, centred)
    }
}

/// Returns the sum over units in eight interleaved chains, added one after the other.
#[inline(always)]
fn eight_chains<S: Simd, T: Term>(simd: S, tile: &[S::f32s], j: usize, mean: S::f32s) -> S::f32s {
    let mut chains = [simd.splat_f32s(0.0); 8];
    let mut units = tile.chunks_exact(VECTORS * 8);
    for values in units.by_ref() {
        for i in 0..8 {
            chains[i] = simd.add_f32s(chains[i], T::of(simd, values[VECTORS * i + j], mean));
        }
    }
    for (chain, values) in chains.iter_mut().zip(units.remainder().chunks_exact(VECTORS)) {
        *chain = simd.add_f32s(*chain, T::of(simd, values[j], mean));
    }
    let mut sum = chains[0];
    for &chain in &chains[1..] {
        sum = simd.add_f32s(sum, chain);
    }
    sum
}

/// Normalises sums by running means and inverse deviations of the units.
///
/// # Shapes
/// `sums` `[tile, d_out, vector]`; mean, inverse, scale and shift `[d_out]`.
#[inline(always)]
pub(super) fn normalise_units<S: Simd>(
    simd: S,
    layer: &Layer,
    (mean, inverse): (&[f32], &[f32]),
    (scale, shift): (&[f32], &[f32]),
    sums: &mut [S::f32s],
) {
    for tile in sums.chunks_exact_mut(VECTORS * layer.d_out) {
        for (i, sums) in tile.chunks_exact_mut(VECTORS).enumerate() {
            for sum in sums {
                let centred = simd.sub_f32s(*sum, simd.splat_f32s(mean[i]));
                let centred = simd.mul_f32s(centred, simd.splat_f32s(inverse[i]));
                *sum = simd.mul_add_f32s(centred, simd.splat_f32s(scale[i]), simd.splat_f32s(shift[i]));
            }
        }
    }
}
