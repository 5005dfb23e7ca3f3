//! Layers of one row, for predictions: a vector holds neighbouring units, and up to eight of them are summed at once.

use pulp::Simd;

use super::plan::Layer;

/// Computes the sums of a layer from its padded weight `[d_in, stride]` and bias `[stride]`.
///
/// # Shapes
/// `values` `[d_in]` or longer to `out` `[stride]`.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    simd: S,
    layer: &Layer,
    values: &[f32],
    (weight, bias): (&[f32], &[f32]),
    out: &mut [f32],
) {
    let values = &values[..layer.d_in];
    let weight = S::as_simd_f32s(&weight[..layer.d_in * layer.stride]).0;
    let bias = S::as_simd_f32s(&bias[..layer.stride]).0;
    let out = S::as_mut_simd_f32s(out).0;
    let mut column = 0;
    while column < bias.len() {
        let weight = (weight, bias, column);
        column += match bias.len() - column {
            1 => columns::<S, 1>(simd, values, weight, out),
            2 | 3 => columns::<S, 2>(simd, values, weight, out),
            4..=7 => columns::<S, 4>(simd, values, weight, out),
            _ => columns::<S, 8>(simd, values, weight, out),
        };
    }
}

/// Computes `N` vectors of units and returns their number.
#[inline(always)]
fn columns<S: Simd, const N: usize>(
    simd: S,
    values: &[f32],
    (weight, bias, column): (&[S::f32s], &[S::f32s], usize),
    out: &mut [S::f32s],
) -> usize {
    let mut sums = [simd.splat_f32s(0.0); N];
    sums.copy_from_slice(&bias[column..][..N]);
    for (&value, row) in values.iter().zip(weight.chunks_exact(bias.len())) {
        let (value, row) = (simd.splat_f32s(value), &row[column..][..N]);
        for i in 0..N {
            sums[i] = simd.mul_add_e_f32s(value, row[i], sums[i]);
        }
    }
    out[column..][..N].copy_from_slice(&sums);
    N
}

/// Normalises sums by running means and inverse deviations of the units.
#[inline(always)]
pub(super) fn normalise_units(
    (mean, inverse): (&[f32], &[f32]),
    (scale, shift): (&[f32], &[f32]),
    sums: &mut [f32],
) {
    let constants = mean.iter().zip(inverse).zip(scale.iter().zip(shift));
    for (sum, ((mean, inverse), (&scale, &shift))) in sums.iter_mut().zip(constants) {
        *sum = ((*sum - mean) * inverse).mul_add(scale, shift);
    }
}
