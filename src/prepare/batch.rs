//! The only step from `f64` columns to the `f32` rows of an engine.

use super::{Frame, Scaler};
use crate::train::engine::Rows;

/// Inputs of a fold's models: which columns of the frame, and how they are scaled.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Positions in the frame's inputs.
    pub columns: &'a [usize],
    /// Scaler of these columns, in their order.
    pub scaler: &'a Scaler,
    /// Inputs that the networks have; where a fold keeps fewer columns the others are 0.
    pub d_input: usize,
}

impl Inputs<'_> {
    /// Returns the scaled inputs of a row.
    pub fn scaled(self, frame: &Frame, row: usize) -> impl Iterator<Item = f64> {
        let own = self.columns.iter().enumerate();
        let own = own.map(move |(idx, &column)| self.scaler.scale(idx, frame.inputs[column].values[row]));
        own.chain(std::iter::repeat_n(0.0, self.d_input.saturating_sub(self.columns.len())))
    }
}

impl Inputs<'_> {
    /// Writes the scaled inputs of one row of a table, of which `columns` are positions, into `to` `[d_input]`.
    pub fn row(self, row: &[f64], to: &mut [f32]) {
        for (idx, (to, &column)) in to.iter_mut().zip(self.columns).enumerate() {
            *to = self.scaler.scale(idx, row[column]) as f32;
        }
        to[self.columns.len()..].fill(0.0);
    }

    /// Writes the scaled input `idx` of neighbouring rows of a table `[row, column]` of `width` columns into `to`; where
    /// there are fewer rows than places, the others become 0.
    #[expect(clippy::inline_always, reason = "it is compiled for the vectors of the pass that calls it")]
    #[inline(always)]
    pub fn column(self, idx: usize, (table, width): (&[f64], usize), to: &mut [f32]) {
        let Some(&column) = self.columns.get(idx) else {
            to.fill(0.0);
            return;
        };
        let Scaler { median, mean, sd } = self.scaler;
        let (median, mean, sd) = (median[idx], mean[idx], sd[idx]);
        let scaled = |value: f64| ((if value.is_finite() { value } else { median } - mean) / sd) as f32;
        let (groups, _) = to.as_chunks_mut::<GATHERED>();
        let tables = table.chunks_exact(GATHERED * width);
        let n_grouped = GATHERED * tables.len().min(groups.len());
        for (rows, to) in tables.zip(groups) {
            // Values are collected before they are scaled, so that the division is one of vectors.
            let values: [f64; GATHERED] = std::array::from_fn(|i| rows[i * width + column]);
            for (to, value) in to.iter_mut().zip(values) {
                *to = scaled(value);
            }
        }
        let mut rest = table[n_grouped * width..].chunks_exact(width);
        for to in &mut to[n_grouped..] {
            *to = rest.next().map_or(0.0, |row| scaled(row[column]));
        }
    }
}

/// Rows whose values are collected before they are scaled: those of a cache line.
const GATHERED: usize = 8;

/// Returns the scaled rows of a fold's part.
///
/// `label` is what a row's output should be and how much it counts; a row without a label weighs nothing. `stress` is
/// the law's columns `[row][column]`, in physical units.
pub fn rows(
    frame: &Frame,
    inputs: Inputs,
    positions: &[usize],
    stress: &[Vec<f64>],
    label: &dyn Fn(usize) -> Option<(f64, f64)>,
) -> Rows {
    let mut rows =
        Rows { d_input: inputs.d_input, d_stress: stress.first().map_or(0, Vec::len), ..Rows::default() };
    for (position, &row) in positions.iter().enumerate() {
        rows.inputs.extend(inputs.scaled(frame, row).map(|v| v as f32));
        rows.stress.extend(stress.get(position).into_iter().flatten().map(|&v| v as f32));
        let (label, weight) = label(row).unwrap_or((0.0, 0.0));
        rows.labels.push(label as f32);
        rows.weights.push(weight as f32);
        let next = positions.get(position + 1);
        let same_cell = next.is_some_and(|&n| frame.rows[n].cell_idx == frame.rows[row].cell_idx);
        rows.later.push((position + usize::from(same_cell)) as u32);
    }
    rows
}

/// Returns the unscaled inputs `[row][column]` as trees take them, NaN where missing.
pub fn plain(frame: &Frame, columns: &[usize], positions: &[usize]) -> Vec<Vec<f64>> {
    let known = |v: f64| if v.is_finite() { v } else { f64::NAN };
    let value = |row: usize| columns.iter().map(|&column| known(frame.inputs[column].values[row])).collect();
    positions.iter().map(|&row| value(row)).collect()
}
