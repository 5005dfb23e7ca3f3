//! Where a member's numbers lie in the fused engine.
//!
//! Rows of matrices are padded with zeros to whole cache lines, so that the kernels need no remainders. The weight of
//! the output layer, which has few columns, is stored transposed. Padding stays 0 through every step, because
//! its gradient is 0.

use super::buffer::{PAD, padded};
use crate::model::{Architecture, Normalisation, Slice};

/// Positions of the padded weights of one architecture.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Hidden layers, the first one first.
    pub(super) hidden: Vec<Layer>,
    /// Output layer: its weight is `[d_output, stride of the input]`.
    pub(super) output: Layer,
    /// Row length of the inputs.
    pub(super) input_stride: usize,
    /// Position of the physics parameters, which is where the network's weights end.
    pub(super) theta: usize,
    /// Numbers in all.
    pub(super) len: usize,
    parts: Vec<Part>,
}

/// Positions of one linear layer and what follows it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layer {
    pub(super) d_in: usize,
    pub(super) d_out: usize,
    /// Row length of the layer's input.
    pub(super) in_stride: usize,
    /// Row length of the layer's output.
    pub(super) stride: usize,
    pub(super) weight: usize,
    pub(super) bias: usize,
    pub(super) norm_scale: usize,
    pub(super) norm_shift: usize,
    /// Position in the running statistics.
    pub(super) statistics: usize,
    /// Whether the input is added to the output.
    pub(super) skip: bool,
}

/// A slice of the flat weights and its padded place.
#[derive(Debug, Clone, Copy)]
struct Part {
    flat: usize,
    rows: usize,
    columns: usize,
    padded: usize,
    row_step: usize,
    column_step: usize,
}

impl Plan {
    pub(super) fn new(architecture: &Architecture) -> Self {
        let shapes = architecture.layers();
        let last = shapes.len() - 1;
        let mut plan = Self {
            hidden: Vec::with_capacity(last),
            output: Layer::default(),
            input_stride: padded(architecture.d_input),
            theta: 0,
            len: 0,
            parts: Vec::new(),
        };
        let mut slices = architecture.slices().into_iter();
        let mut next = || slices.next().expect("a slice for each part of each layer");
        for (idx, &(d_in, d_out)) in shapes.iter().enumerate() {
            let mut layer = Layer { d_in, d_out, in_stride: padded(d_in), ..Layer::default() };
            layer.stride = if idx == last { d_out } else { padded(d_out) };
            layer.weight = plan.place(&next(), idx == last);
            layer.bias = plan.place(&next(), false);
            if idx == last {
                plan.output = layer;
                break;
            }
            if architecture.network.normalisation != Normalisation::None {
                layer.norm_scale = plan.place(&next(), false);
                layer.norm_shift = plan.place(&next(), false);
            }
            layer.skip = architecture.network.skip && d_in == d_out;
            layer.statistics = plan.hidden.iter().map(|before| 2 * before.d_out).sum();
            plan.hidden.push(layer);
        }
        plan.theta = plan.len;
        if architecture.prior.is_some() {
            plan.place(&next(), false);
        }
        plan
    }

    /// Returns the padded form of flat weights.
    pub(super) fn pack(&self, flat: &[f32], padded: &mut [f32]) {
        padded.fill(0.0);
        self.each(|flat_idx, padded_idx| padded[padded_idx] = flat[flat_idx]);
    }

    /// Returns the flat form of padded weights.
    pub(super) fn unpack(&self, padded: &[f32]) -> Vec<f32> {
        let mut flat = vec![0.0; self.parts.iter().map(|part| part.rows * part.columns).sum()];
        self.each(|flat_idx, padded_idx| flat[flat_idx] = padded[padded_idx]);
        flat
    }

    fn each(&self, mut place: impl FnMut(usize, usize)) {
        for part in &self.parts {
            for row in 0..part.rows {
                for column in 0..part.columns {
                    let padded = part.padded + row * part.row_step + column * part.column_step;
                    place(part.flat + row * part.columns + column, padded);
                }
            }
        }
    }

    fn place(&mut self, slice: &Slice, transposed: bool) -> usize {
        let columns = slice.shape[slice.shape.len() - 1];
        let rows = slice.len() / columns.max(1);
        let (row_step, column_step) = if transposed { (1, padded(rows)) } else { (padded(columns), 1) };
        let part = Part { flat: slice.offset, rows, columns, padded: self.len, row_step, column_step };
        self.len += if transposed { columns * padded(rows) } else { rows * padded(columns) };
        self.len = self.len.next_multiple_of(PAD);
        self.parts.push(part);
        part.padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NetworkConfig;

    #[test]
    fn packed_weights_come_back() {
        let network = NetworkConfig {
            hidden: vec![17, 5],
            normalisation: Normalisation::Layer,
            ..NetworkConfig::default()
        };
        let architecture = Architecture { d_input: 3, d_output: 2, network, prior: None };
        let plan = Plan::new(&architecture);
        let flat: Vec<f32> = (1..=architecture.n_weights()).map(|i| i as f32).collect();
        let mut packed = vec![-1.0; plan.len];
        plan.pack(&flat, &mut packed);
        assert_eq!(plan.unpack(&packed), flat);
        assert_eq!(packed.iter().filter(|w| **w > 0.0).count(), flat.len());
    }
}
