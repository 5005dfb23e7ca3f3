//! Host side of a pass: the rows of all members in arrays of one shape, shorter members filled up with weightless rows.

use burn::tensor::{Device, Tensor, TensorData};

use crate::train::engine::dropout::Masks;
use crate::train::engine::{MemberStep, Rows};

/// Rows of one member in a pass.
pub(super) struct Part<'a> {
    pub(super) rows: &'a Rows,
    /// Rows of the batch; empty when the member rests.
    pub(super) batch: Vec<u32>,
    pub(super) loss_weight: f32,
    /// Dropout masks, none where nothing is dropped.
    pub(super) masks: Option<Masks>,
}

impl<'a> Part<'a> {
    /// Returns the batch of a step.
    pub(super) fn of_step(step: &MemberStep<'a>) -> Self {
        Self {
            rows: step.rows,
            batch: step.batch.to_vec(),
            loss_weight: step.loss_weight,
            masks: (step.dropout > 0.0).then(|| Masks::new(step.dropout_seed, step.dropout)),
        }
    }

    /// Returns all rows of a member, nothing dropped.
    pub(super) fn of_rows(rows: &'a Rows) -> Self {
        Self { rows, batch: (0..rows.len() as u32).collect(), loss_weight: 1.0, masks: None }
    }
}

/// Shapes of a pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) d_input: usize,
    pub(super) d_stress: usize,
    /// Whether each row is followed, after the batch, by its later row.
    pub(super) later: bool,
    /// Number of classes and label smoothing of the cross-entropy; none of another loss.
    pub(super) classes: Option<(usize, f32)>,
}

impl Shape {
    /// Returns the numbers in the label of a row.
    fn d_label(&self) -> usize {
        self.classes.map_or(1, |(n_classes, _)| n_classes)
    }

    /// Writes the label of a row: itself, or the share of each class in the target.
    fn write_label(&self, label: f32, to: &mut [f32]) {
        let Some((n_classes, label_smoothing)) = self.classes else { return to.fill(label) };
        to.fill(label_smoothing / n_classes as f32);
        to[label as usize] += 1.0 - label_smoothing;
    }
}

/// Tensors of a pass; `n` is the rows of the batch, twice that with later rows.
pub(super) struct Batch {
    /// Rows of the longest batch.
    pub(super) n_labels: usize,
    /// Inputs `[member, n, d_input]`.
    pub(super) inputs: Tensor<3>,
    /// Stress `[member, n, d_stress]`; none without a prior.
    pub(super) stress: Option<Tensor<3>>,
    /// Labels `[member, n_labels, 1]`, or targets `[member, n_labels, class]` of the cross-entropy.
    pub(super) labels: Tensor<3>,
    /// Share of each row in its member's loss `[member, n_labels, 1]`.
    pub(super) shares: Tensor<3>,
    /// 1 for each row that is there, 0 for filling `[member, n, 1]`.
    pub(super) present: Tensor<3>,
    /// Rows that are there, at least 1 `[member, 1, 1]`.
    pub(super) counts: Tensor<3>,
    /// Dropout factors of each hidden layer `[member, n, d]`; empty where no member drops any.
    pub(super) masks: Vec<Tensor<3>>,
}

impl Batch {
    /// Returns the tensors of the parts of all members.
    pub(super) fn new(
        parts: &mut [Option<Part<'_>>],
        shape: Shape,
        hidden: &[usize],
        device: &Device,
    ) -> Self {
        let n_batch = parts.iter().flatten().map(|part| part.batch.len()).max().unwrap_or(0).max(1);
        let n = if shape.later { 2 * n_batch } else { n_batch };
        let cube = |d: usize| vec![0.0; parts.len() * n * d];
        let (mut inputs, mut stress, mut present) = (cube(shape.d_input), cube(shape.d_stress), cube(1));
        let d_label = shape.d_label();
        let mut labels = vec![0.0; parts.len() * n_batch * d_label];
        let mut shares = vec![0.0; parts.len() * n_batch];
        let mut counts = vec![1.0; parts.len()];
        for (member_idx, part) in parts.iter().enumerate() {
            let Some(part) = part else { continue };
            let total: f32 = part.batch.iter().map(|&row| part.rows.weights[row as usize]).sum();
            let unit = if total > 0.0 { part.loss_weight / total } else { 0.0 };
            for (idx, &row) in part.batch.iter().enumerate() {
                let to = member_idx * n_batch + idx;
                shape.write_label(part.rows.labels[row as usize], &mut labels[to * d_label..][..d_label]);
                shares[to] = part.rows.weights[row as usize] * unit;
            }
            let places = part.places(n_batch, shape.later);
            counts[member_idx] = places.len().max(1) as f32;
            for (place, row) in places {
                let to = member_idx * n + place;
                copy(&part.rows.inputs, row, &mut inputs, to, shape.d_input);
                copy(&part.rows.stress, row, &mut stress, to, shape.d_stress);
                present[to] = 1.0;
            }
        }
        let m = parts.len();
        let tensor = |values, rows, columns| cube_tensor(values, [m, rows, columns], device);
        Self {
            n_labels: n_batch,
            inputs: tensor(inputs, n, shape.d_input),
            stress: (shape.d_stress > 0).then(|| tensor(stress, n, shape.d_stress)),
            labels: tensor(labels, n_batch, d_label),
            shares: tensor(shares, n_batch, 1),
            present: tensor(present, n, 1),
            counts: tensor(counts, 1, 1),
            masks: draw(parts, (n_batch, n, shape.later), hidden)
                .into_iter()
                .zip(hidden)
                .map(|(mask, &d)| tensor(mask, n, d))
                .collect(),
        }
    }
}

impl Part<'_> {
    /// Returns where each row of the pass goes, and which row it is.
    fn places(&self, n_batch: usize, later: bool) -> Vec<(usize, usize)> {
        let first = self.batch.iter().enumerate().map(|(idx, &row)| (idx, row as usize));
        let mut places: Vec<_> = first.collect();
        if later {
            let after = |(idx, &row): (usize, &u32)| (n_batch + idx, self.rows.later[row as usize] as usize);
            places.extend(self.batch.iter().enumerate().map(after));
        }
        places
    }
}

/// Returns the dropout factors of each hidden layer, drawn in the order of the fused engine.
fn draw(
    parts: &mut [Option<Part<'_>>],
    (n_batch, n, later): (usize, usize, bool),
    hidden: &[usize],
) -> Vec<Vec<f32>> {
    if parts.iter().flatten().all(|part| part.masks.is_none()) {
        return Vec::new();
    }
    let mut layers: Vec<Vec<f32>> = hidden.iter().map(|d| vec![1.0; parts.len() * n * d]).collect();
    for (member_idx, part) in parts.iter_mut().enumerate() {
        let Some(part) = part else { continue };
        let places = part.places(n_batch, later);
        let Some(masks) = &mut part.masks else { continue };
        for (layer, &d) in layers.iter_mut().zip(hidden) {
            for (place, _) in &places {
                masks.draw(&mut layer[(member_idx * n + place) * d..][..d]);
            }
        }
    }
    layers
}

fn copy(from: &[f32], row: usize, to: &mut [f32], place: usize, d: usize) {
    to[place * d..][..d].copy_from_slice(&from[row * d..][..d]);
}

/// Returns a tensor of values in row-major order.
pub(super) fn cube_tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
