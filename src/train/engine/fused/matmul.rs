//! Matrix products in registers: a tile of rows by two vectors of columns is summed before it is stored.
//!
//! Each number of a product is one chain of fused multiply-adds in the order of the depth, whatever the vector width
//! and the tile, so that results do not depend on how a matrix is cut.

use pulp::Simd;

/// Left factor of a product.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// `a[row, depth]`, row by row.
    Rows(&'a [f32], usize),
    /// The transpose of a matrix: `a[depth, row]`, depth by depth.
    Columns(&'a [f32], usize),
}

/// What the sums start from.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    /// Nothing.
    Zero,
    /// The same row for every row.
    Row(&'a [f32]),
    /// What the output holds.
    Keep,
}

/// Computes `out = start + left * right` for `n_rows` rows, with `right` and `out` of row length `stride`.
///
/// # Shapes
/// `left` `[n_rows, depth]`, `right` `[depth, stride]`, `out` `[n_rows, stride]`; `stride` is padded.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    simd: S,
    left: Left<'_>,
    (right, depth, stride): (&[f32], usize, usize),
    start: Start<'_>,
    (out, n_rows): (&mut [f32], usize),
) {
    let product = Product {
        simd,
        left,
        right: &S::as_simd_f32s(right).0[..depth * stride / S::F32_LANES],
        depth,
        stride: stride / S::F32_LANES,
        start,
    };
    let out = S::as_mut_simd_f32s(out).0;
    let mut column = 0;
    while column + 2 <= product.stride {
        product.column::<2>(column, out, n_rows);
        column += 2;
    }
    if column < product.stride {
        product.column::<1>(column, out, n_rows);
    }
}

struct Product<'a, S: Simd> {
    simd: S,
    left: Left<'a>,
    right: &'a [S::f32s],
    depth: usize,
    stride: usize,
    start: Start<'a>,
}

impl<S: Simd> Product<'_, S> {
    /// Computes `N` vectors of columns of all rows.
    #[inline(always)]
    fn column<const N: usize>(&self, column: usize, out: &mut [S::f32s], n_rows: usize) {
        let mut row = 0;
        if S::REGISTER_COUNT >= 32 {
            while row + 8 <= n_rows {
                row += self.tile::<8, N>(row, column, out);
            }
        }
        // Six rows by two vectors fill sixteen registers; the last rows are cut so that none stands alone.
        while row < n_rows {
            row += match n_rows - row {
                1 => self.tile::<1, N>(row, column, out),
                2 => self.tile::<2, N>(row, column, out),
                3 | 5 => self.tile::<3, N>(row, column, out),
                4 | 7 | 8 => self.tile::<4, N>(row, column, out),
                _ => self.tile::<6, N>(row, column, out),
            };
        }
    }

    /// Computes `M` rows and returns their number.
    #[inline(always)]
    fn tile<const M: usize, const N: usize>(&self, row: usize, column: usize, out: &mut [S::f32s]) -> usize {
        let sums = self.start::<M, N>(row, column, out);
        let sums = match self.left {
            Left::Rows(left, stride) => {
                let mut rows = [&left[..0]; M];
                for (i, values) in rows.iter_mut().enumerate() {
                    *values = &left[(row + i) * stride..][..self.depth];
                }
                self.accumulate(column, sums, &Rows(rows))
            }
            Left::Columns(left, stride) => self.accumulate(column, sums, &Columns(&left[row..], stride)),
        };
        for (i, sums) in sums.into_iter().enumerate() {
            out[(row + i) * self.stride + column..][..N].copy_from_slice(&sums);
        }
        M
    }

    #[inline(always)]
    fn start<const M: usize, const N: usize>(
        &self,
        row: usize,
        column: usize,
        out: &[S::f32s],
    ) -> [[S::f32s; N]; M] {
        let mut sums = [[self.simd.splat_f32s(0.0); N]; M];
        match self.start {
            Start::Zero => {}
            Start::Row(values) => {
                let values = &S::as_simd_f32s(values).0[column..][..N];
                for sums in &mut sums {
                    sums.copy_from_slice(values);
                }
            }
            Start::Keep => {
                for (i, sums) in sums.iter_mut().enumerate() {
                    sums.copy_from_slice(&out[(row + i) * self.stride + column..][..N]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn accumulate<const M: usize, const N: usize>(
        &self,
        column: usize,
        mut sums: [[S::f32s; N]; M],
        left: &impl Factors<M>,
    ) -> [[S::f32s; N]; M] {
        let mut rest = &self.right[column..];
        for k in 0..self.depth {
            let right = &rest[..N];
            rest = rest.get(self.stride..).unwrap_or(&[]);
            let left = left.at(k);
            for i in 0..M {
                let factor = self.simd.splat_f32s(left[i]);
                for j in 0..N {
                    sums[i][j] = self.simd.mul_add_e_f32s(factor, right[j], sums[i][j]);
                }
            }
        }
        sums
    }
}

/// The left factors of a tile. A trait and no closure: a closure may stay a call, which empties the registers.
trait Factors<const M: usize> {
    /// Returns the factors at depth `k`, one a row.
    fn at(&self, k: usize) -> [f32; M];
}

/// Rows of a matrix.
struct Rows<'a, const M: usize>([&'a [f32]; M]);

impl<const M: usize> Factors<M> for Rows<'_, M> {
    #[inline(always)]
    fn at(&self, k: usize) -> [f32; M] {
        let mut values = [0.0; M];
        for (value, row) in values.iter_mut().zip(&self.0) {
            *value = row[k];
        }
        values
    }
}

/// Columns of a matrix with this row length, the first one of the tile first.
struct Columns<'a>(&'a [f32], usize);

impl<const M: usize> Factors<M> for Columns<'_> {
    #[inline(always)]
    fn at(&self, k: usize) -> [f32; M] {
        let mut values = [0.0; M];
        values.copy_from_slice(&self.0[k * self.1..][..M]);
        values
    }
}

/// Rows and columns of a block of a transposition.
const BLOCK: usize = 8;

/// Writes the transpose of `from` `[n_rows, from_stride]` into `to` `[n_columns, to_stride]`, both padded.
///
/// The padding of `to` becomes 0.
#[inline(always)]
pub(super) fn transpose(
    (from, n_rows, from_stride): (&[f32], usize, usize),
    (to, n_columns, to_stride): (&mut [f32], usize, usize),
) {
    for row in (0..n_rows).step_by(BLOCK) {
        for column in (0..n_columns).step_by(BLOCK) {
            let mut block = [[0.0; BLOCK]; BLOCK];
            for i in 0..BLOCK.min(n_rows - row) {
                let values = &from[(row + i) * from_stride + column..][..BLOCK];
                for j in 0..BLOCK {
                    block[j][i] = values[j];
                }
            }
            for (j, values) in block.iter().enumerate().take(n_columns - column) {
                to[(column + j) * to_stride + row..][..BLOCK].copy_from_slice(values);
            }
        }
    }
    for row in to.chunks_exact_mut(to_stride).take(n_columns) {
        row[n_rows..].fill(0.0);
    }
}

/// Adds `factor * x` to `y`, both padded.
#[inline(always)]
pub(super) fn add_scaled<S: Simd>(simd: S, factor: f32, x: &[f32], y: &mut [f32]) {
    let factor = simd.splat_f32s(factor);
    for (y, &x) in S::as_mut_simd_f32s(y).0.iter_mut().zip(S::as_simd_f32s(x).0) {
        *y = simd.mul_add_e_f32s(factor, x, *y);
    }
}

/// Returns the sum of the products of two padded rows.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, x: &[f32], y: &[f32]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for (&x, &y) in S::as_simd_f32s(x).0.iter().zip(S::as_simd_f32s(y).0) {
        sum = simd.mul_add_e_f32s(x, y, sum);
    }
    simd.reduce_sum_f32s(sum)
}

/// Multiplies `y` by `x`, number by number, both padded.
#[inline(always)]
pub(super) fn scale_by<S: Simd>(simd: S, x: &[f32], y: &mut [f32]) {
    for (y, &x) in S::as_mut_simd_f32s(y).0.iter_mut().zip(S::as_simd_f32s(x).0) {
        *y = simd.mul_f32s(*y, x);
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "sums of small integers are exact")]
mod tests {
    use super::*;
    use crate::train::engine::fused::buffer::{Buffer, padded};
    use proptest::prelude::*;
    use pulp::{Arch, WithSimd};

    struct Both<'a> {
        left: &'a [f32],
        right: &'a [f32],
        shape: (usize, usize, usize),
    }

    impl WithSimd for Both<'_> {
        type Output = (Vec<f32>, Vec<f32>);

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let (m, k, n) = self.shape;
            let stride = padded(n);
            let (mut rows, mut columns) = (Buffer::zeros(m * stride), Buffer::zeros(m * stride));
            let mut transposed = vec![0.0; k * m];
            for (i, value) in transposed.iter_mut().enumerate() {
                *value = self.left[(i % m) * k + i / m];
            }
            let right = (self.right, k, stride);
            multiply(simd, Left::Rows(self.left, k), right, Start::Zero, (&mut rows, m));
            multiply(simd, Left::Columns(&transposed, m), right, Start::Zero, (&mut columns, m));
            (rows.to_vec(), columns.to_vec())
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_sum_of_products(m in 1_usize..20, k in 1_usize..20, n in 1_usize..40) {
            let stride = padded(n);
            let left: Vec<f32> = (0..m * k).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
            let mut right = Buffer::zeros(k * stride);
            for (i, value) in right.iter_mut().enumerate() {
                *value = ((i * 5) % 13) as f32 - 6.0;
            }
            let (rows, columns) = Arch::new().dispatch(Both { left: &left, right: &right, shape: (m, k, n) });
            for i in 0..m {
                for j in 0..n {
                    let expected: f32 = (0..k).map(|d| left[i * k + d] * right[d * stride + j]).sum();
                    prop_assert_eq!(rows[i * stride + j], expected);
                    prop_assert_eq!(columns[i * stride + j], expected);
                }
            }
        }
    }

    #[test]
    fn a_transpose_has_every_number_and_clean_padding() {
        for (m, n) in [(1, 1), (8, 16), (19, 5), (5, 19), (33, 40)] {
            let (stride, to_stride) = (padded(n), padded(m));
            let mut from = Buffer::zeros(m * stride);
            let mut to = Buffer::zeros(n * to_stride);
            to.fill(f32::NAN);
            for i in 0..m * n {
                from[i / n * stride + i % n] = i as f32;
            }
            transpose((&from, m, stride), (&mut to, n, to_stride));
            for (j, row) in to.chunks_exact(to_stride).enumerate() {
                for (i, &value) in row.iter().enumerate() {
                    assert_eq!(value, if i < m { (i * n + j) as f32 } else { 0.0 });
                }
            }
        }
    }
}
