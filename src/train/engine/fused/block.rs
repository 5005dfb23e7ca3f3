//! Rows that are predicted together: their scaled inputs, in the form that their passes want, and the passes' buffers.

use pulp::{Arch, Simd, WithSimd};

use super::buffer::{Buffer, padded};
use super::lanes;
use super::plan::Plan;
use crate::prepare::batch::Inputs;

/// Rows that are predicted together, and the buffers of their passes; it grows to the largest networks that it has seen.
#[derive(Debug)]
pub struct Block {
    arch: Arch,
    tile_rows: usize,
    pub(super) n_rows: usize,
    pub(super) d_input: usize,
    /// Scaled inputs: `[row, padded input]` of few rows, `[tile, input, row]` of many.
    pub(super) input: Buffer,
    /// Values of a layer and of the next one.
    pub(super) values: [Buffer; 2],
    pub(super) centred: Buffer,
    /// `[member, row, output]`.
    pub(super) outputs: Vec<f32>,
}

impl Default for Block {
    fn default() -> Self {
        let arch = Arch::new();
        Self {
            arch,
            tile_rows: arch.dispatch(TileRows),
            n_rows: 0,
            d_input: 0,
            input: Buffer::default(),
            values: [Buffer::default(), Buffer::default()],
            centred: Buffer::default(),
            outputs: Vec::new(),
        }
    }
}

impl Block {
    /// Rows that fill the kernels and leave room in the cache; more are computed, fewer too.
    pub const ROWS: usize = 64;

    /// Sets the rows of the next passes: a table `[row, column]` of `width` columns, of which `inputs` are scaled.
    ///
    /// # Panics
    /// Where the inputs are not columns of the table.
    pub fn load(&mut self, inputs: Inputs<'_>, table: &[f64], width: usize) {
        (self.n_rows, self.d_input) = (table.len() / width, inputs.d_input);
        let stride = if self.is_tiled() { inputs.d_input } else { padded(inputs.d_input) };
        self.input.reserve(stride * if self.is_tiled() { self.n_tiled() } else { self.n_rows });
        if self.is_tiled() {
            self.arch.dispatch(Tiles { inputs, table, width, rows: self.tile_rows, to: &mut self.input });
            return;
        }
        for (row, to) in table.chunks_exact(width).zip(self.input.chunks_exact_mut(stride)) {
            inputs.row(row, &mut to[..inputs.d_input]);
            to[inputs.d_input..].fill(0.0);
        }
    }

    /// Returns whether rows fill so much of a tile that one pass of it costs less than theirs.
    pub(super) fn is_tiled(&self) -> bool {
        4 * self.n_rows >= 3 * self.tile_rows
    }

    /// Returns the number of rows of whole tiles.
    pub(super) fn n_tiled(&self) -> usize {
        self.n_rows.next_multiple_of(self.tile_rows)
    }

    /// Makes room for the passes of networks.
    pub(super) fn fit(&mut self, plan: &Plan, n_members: usize) {
        let n_rows = if self.is_tiled() { self.n_tiled() } else { 1 };
        let widest = plan.hidden.iter().map(|layer| layer.stride).max().unwrap_or(0);
        self.values.iter_mut().for_each(|values| values.reserve(n_rows * widest.max(1)));
        self.centred.reserve(widest);
        self.outputs.resize(n_members * self.n_rows * plan.output.d_out, 0.0);
    }
}

struct TileRows;

impl WithSimd for TileRows {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        lanes::tile_rows::<S>()
    }
}

/// Scaled inputs of a table, `[tile, input, row]`.
struct Tiles<'a> {
    inputs: Inputs<'a>,
    table: &'a [f64],
    width: usize,
    /// Rows of a tile.
    rows: usize,
    to: &'a mut [f32],
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { inputs, table, width, rows, to } = self;
        let tiles = to.chunks_exact_mut(rows * inputs.d_input);
        for (table, to) in table.chunks(rows * width).zip(tiles) {
            for (idx, to) in to.chunks_exact_mut(rows).enumerate() {
                inputs.column(idx, (table, width), to);
            }
        }
    }
}
