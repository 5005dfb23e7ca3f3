//! The only step from `f64` columns to the `f32` rows of an engine.

use super::{Frame, Scaler};
use crate::train::engine::Rows;

/// Returns the scaled rows of a fold's part.
///
/// `labels` are in the unit of the model (SoH), `label_scale` is `(mean, sd)`; a missing label counts as the mean and
/// weighs nothing. `stress` is the law's columns `[row][column]`, in physical units.
pub fn rows(
    frame: &Frame,
    scaler: &Scaler,
    positions: &[usize],
    stress: &[Vec<f64>],
    label_scale: (f64, f64),
) -> Rows {
    let mut rows =
        Rows { d_input: frame.inputs.len(), d_stress: stress.first().map_or(0, Vec::len), ..Rows::default() };
    for (position, &row) in positions.iter().enumerate() {
        let label = frame.rows[row].soh;
        let inputs = frame.inputs.iter().enumerate();
        rows.inputs.extend(inputs.map(|(idx, column)| scaler.scale(idx, column.values[row]) as f32));
        rows.stress.extend(stress.get(position).into_iter().flatten().map(|&v| v as f32));
        let known = label.is_finite();
        rows.labels.push(if known { ((label - label_scale.0) / label_scale.1) as f32 } else { 0.0 });
        rows.weights.push(f32::from(u8::from(known)));
        let next = positions.get(position + 1);
        let same_cell = next.is_some_and(|&n| frame.rows[n].cell_idx == frame.rows[row].cell_idx);
        rows.later.push((position + usize::from(same_cell)) as u32);
    }
    rows
}
