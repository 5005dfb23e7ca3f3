//! One part of a scorer: imputation, scaling and the model of a fold, block by block.

use super::ScorerError;
use crate::model::calibration::Calibration;
use crate::model::linear;
use crate::model::logistic::Logistic;
use crate::model::softmax::softmax_in_place;
use crate::model::trees::flat::Forest;
use crate::model::{Architecture, PriorConfig, PriorStart};
use crate::physics::Law;
use crate::pipeline::{self, Member};
use crate::prepare::Scaler;
use crate::prepare::batch::Inputs;
use crate::train::engine::{Block, Forward};

/// A part of the mean.
#[derive(Debug)]
pub(super) struct Part {
    columns: Vec<usize>,
    scaler: Scaler,
    /// Whether a block holds its scaled inputs already, because the part before it has the same.
    pub(super) shares_inputs: bool,
    stress: Stress,
    label: (f64, f64),
    body: Body,
    calibration: Option<Calibration>,
}

/// Positions of the law's stress and what stands for a missing value.
#[derive(Debug)]
struct Stress {
    columns: Vec<usize>,
    median: Vec<f64>,
}

#[derive(Debug)]
enum Body {
    Law { law: Law, theta: Vec<f64> },
    Linear { weights: Vec<f64> },
    Logistic(Logistic),
    Networks(Box<Networks>),
    Trees { law: Option<(Law, Vec<f64>)>, forests: Vec<Forest> },
}

/// Networks with what their outputs mean.
#[derive(Debug)]
struct Networks {
    forward: Forward,
    d_input: usize,
    d_output: usize,
    classes: bool,
    prior: Option<Prior>,
    n_members: usize,
}

/// The law that the networks correct.
#[derive(Debug)]
struct Prior {
    law: Law,
    /// Factor on the networks' output.
    scale: f32,
    /// Mean and standard deviation that make a capacity a scaled label.
    label: (f64, f64),
    /// Parameters of each network, where they are not those of the one before.
    thetas: Vec<Option<Vec<f64>>>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    block: Block,
    /// Labels of one part `[row, width]`.
    labels: Vec<f64>,
    /// Scaled inputs, or probabilities, of one row.
    row: Vec<f64>,
    /// Unscaled inputs of the trees `[row, column]`, and their margins `[row, output]`.
    plain: Vec<f32>,
    margins: Vec<f32>,
    /// Stress of one row.
    stress: Vec<f64>,
    /// What the law says of each row, in scaled label units.
    prior: Vec<f32>,
}

/// Finds the parts whose scaled inputs are those of the part before, and puts such parts side by side.
pub(super) fn share_inputs(parts: &mut Vec<Part>) {
    let mut sorted: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts.drain(..) {
        let twin = sorted.iter().rposition(|other| part.has_inputs_of(other));
        part.shares_inputs = twin.is_some();
        sorted.insert(twin.map_or(sorted.len(), |twin| twin + 1), part);
    }
    *parts = sorted;
}

impl Part {
    /// Returns a part of the mean, whose shapes are right.
    pub(super) fn new(part: &pipeline::Part) -> Result<Self, ScorerError> {
        let body = match &part.body {
            pipeline::Body::Law { law, theta } => Body::Law { law: *law, theta: theta.clone() },
            pipeline::Body::Linear { weights } => Body::Linear { weights: weights.clone() },
            pipeline::Body::Logistic(logistic) => Body::Logistic(logistic.clone()),
            pipeline::Body::Networks { architecture, classes, start, members } => {
                Body::Networks(Box::new(Networks::new(architecture, *classes, start.as_ref(), members)))
            }
            pipeline::Body::Trees { law, trees } => {
                let failed = |source| ScorerError::Trees { fold: part.fold.clone(), source };
                let forests = trees.iter().map(Forest::new).collect::<Result<_, _>>().map_err(failed)?;
                Body::Trees { law: law.clone(), forests }
            }
        };
        Ok(Self {
            columns: part.columns.clone(),
            scaler: part.scaler.clone(),
            shares_inputs: false,
            stress: Stress { columns: part.stress.clone(), median: part.stress_median.clone() },
            label: part.label,
            body,
            calibration: part.calibration.clone(),
        })
    }

    /// Returns whether both are of networks that see the same numbers.
    fn has_inputs_of(&self, other: &Self) -> bool {
        let (Body::Networks(own), Body::Networks(others)) = (&self.body, &other.body) else { return false };
        (own.d_input, &self.columns, &self.scaler) == (others.d_input, &other.columns, &other.scaler)
    }

    /// Adds its labels of the rows of a block.
    pub(super) fn add(
        &self,
        (rows, n_inputs): (&[f64], usize),
        (sums, width): (&mut [f64], usize),
        work: &mut Workspace,
    ) {
        let mut labels = std::mem::take(&mut work.labels);
        labels.clear();
        labels.resize(sums.len(), 0.0);
        match &self.body {
            Body::Networks(networks) => {
                if !self.shares_inputs {
                    work.block.load(self.inputs(networks.d_input), rows, n_inputs);
                }
                networks.predict((self, rows, n_inputs), &mut labels, work);
            }
            Body::Trees { law, forests } => {
                self.trees((law.as_ref(), forests), (rows, n_inputs), (&mut labels, width), work);
            }
            _ => {
                for (row, label) in rows.chunks_exact(n_inputs).zip(labels.chunks_exact_mut(width)) {
                    self.plain_label(row, label, work);
                }
            }
        }
        if let Some(calibration) = &self.calibration {
            labels.chunks_exact_mut(width).for_each(|label| calibration.correct(label));
        }
        for (sum, label) in sums.iter_mut().zip(&labels) {
            *sum += label;
        }
        work.labels = labels;
    }

    fn inputs(&self, d_input: usize) -> Inputs<'_> {
        Inputs { columns: &self.columns, scaler: &self.scaler, d_input }
    }

    /// Computes the label of one row by a law, a line or a logistic regression.
    fn plain_label(&self, row: &[f64], label: &mut [f64], work: &mut Workspace) {
        if let Body::Law { law, theta } = &self.body {
            label[0] = law.capacity(theta, self.stress.of(row, &mut work.stress));
            return;
        }
        work.row.clear();
        let scaled = self.columns.iter().enumerate().map(|(idx, &c)| self.scaler.scale(idx, row[c]));
        work.row.extend(scaled);
        match &self.body {
            Body::Linear { weights } => {
                label[0] = self.label.0 + self.label.1 * linear::predict(weights, &work.row);
            }
            Body::Logistic(logistic) => logistic.write_probabilities(&work.row, label),
            _ => {}
        }
    }

    /// Computes the mean of trees, tree after tree, so that each is walked by all rows while it is in the cache.
    fn trees(
        &self,
        (law, forests): (Option<&(Law, Vec<f64>)>, &[Forest]),
        (rows, n_inputs): (&[f64], usize),
        (labels, width): (&mut [f64], usize),
        work: &mut Workspace,
    ) {
        work.plain.clear();
        for row in rows.chunks_exact(n_inputs) {
            let known = |&c: &usize| if row[c].is_finite() { row[c] as f32 } else { f32::NAN };
            work.plain.extend(self.columns.iter().map(known));
        }
        for forest in forests {
            work.margins.clear();
            work.margins.extend(labels.chunks_exact(width).flat_map(|_| &forest.start));
            for tree in &forest.trees {
                let margins = work.margins[tree.output..].iter_mut().step_by(width);
                for (row, margin) in work.plain.chunks_exact(self.columns.len()).zip(margins) {
                    *margin += tree.leaf(row);
                }
            }
            add_outputs(&work.margins, (labels, width), &mut work.row);
        }
        for label in labels.iter_mut() {
            *label /= forests.len() as f64;
        }
        if let Some((law, theta)) = law {
            for (row, label) in rows.chunks_exact(n_inputs).zip(labels) {
                *label += law.capacity(theta, self.stress.of(row, &mut work.stress));
            }
        }
    }
}

/// Adds outputs `[row, width]` to labels: numbers as they are, of several classes their probabilities.
fn add_outputs(outputs: &[f32], (labels, width): (&mut [f64], usize), row: &mut Vec<f64>) {
    if width == 1 {
        for (label, &output) in labels.iter_mut().zip(outputs) {
            *label += f64::from(output);
        }
        return;
    }
    for (labels, outputs) in labels.chunks_exact_mut(width).zip(outputs.chunks_exact(width)) {
        row.clear();
        row.extend(outputs.iter().copied().map(f64::from));
        softmax_in_place(row);
        for (label, p) in labels.iter_mut().zip(&*row) {
            *label += p;
        }
    }
}

impl Stress {
    /// Returns the stress of a row, imputed.
    fn of<'a>(&self, row: &[f64], stress: &'a mut Vec<f64>) -> &'a [f64] {
        let known = |(&c, &median): (&usize, &f64)| if row[c].is_finite() { row[c] } else { median };
        stress.clear();
        stress.extend(self.columns.iter().zip(&self.median).map(known));
        stress
    }
}

impl Networks {
    fn new(
        architecture: &Architecture,
        classes: bool,
        start: Option<&PriorStart>,
        members: &[Member],
    ) -> Self {
        let numbers = members.iter().map(|m| (&m.weights[..], &m.statistics[..]));
        let prior = architecture.prior.as_ref().zip(start).filter(|_| !classes);
        Self {
            forward: Forward::new(architecture, numbers),
            d_input: architecture.d_input,
            d_output: architecture.d_output,
            classes,
            prior: prior.map(|(prior, start)| Prior::new(prior, start, (architecture, members))),
            n_members: members.len(),
        }
    }

    /// Computes the mean of the networks for the rows of the block that is loaded.
    fn predict(
        &self,
        (part, rows, n_inputs): (&Part, &[f64], usize),
        labels: &mut [f64],
        work: &mut Workspace,
    ) {
        let Workspace { block, row, stress, prior, .. } = work;
        let outputs = self.forward.outputs(block);
        let n_rows = rows.len() / n_inputs;
        for (idx, outputs) in outputs.chunks_exact(n_rows * self.d_output).enumerate() {
            if self.classes {
                add_outputs(outputs, (labels, self.d_output), row);
                continue;
            }
            let first = labels.iter_mut().zip(outputs.iter().step_by(self.d_output));
            let Some(law) = &self.prior else {
                first.for_each(|(label, &output)| *label += f64::from(output));
                continue;
            };
            law.update(idx, (&part.stress, rows, n_inputs), stress, prior);
            for ((label, &output), prior) in first.zip(&*prior) {
                *label += f64::from(prior + law.scale * output);
            }
        }
        let n = self.n_members as f64;
        if self.classes {
            for label in labels.iter_mut() {
                *label /= n;
            }
        } else {
            for label in labels.iter_mut() {
                *label = part.label.0 + part.label.1 * *label / n;
            }
        }
    }
}

impl Prior {
    fn new(
        prior: &PriorConfig,
        start: &PriorStart,
        (architecture, members): (&Architecture, &[Member]),
    ) -> Self {
        let mut thetas: Vec<_> =
            members.iter().map(|m| Some(architecture.theta(&m.weights, start))).collect();
        for idx in (1..thetas.len()).rev() {
            if thetas[idx] == thetas[idx - 1] {
                thetas[idx] = None;
            }
        }
        let label = (start.label_mean, start.label_sd);
        Self { law: prior.law, scale: prior.scale(), label, thetas }
    }

    /// Sets the law of each row by the parameters of network `idx`, after those of the network before.
    ///
    /// As in training, stress is rounded to 32 bits, and so is the scaled label.
    fn update(
        &self,
        idx: usize,
        (columns, rows, n_inputs): (&Stress, &[f64], usize),
        stress: &mut Vec<f64>,
        prior: &mut Vec<f32>,
    ) {
        let Some(theta) = &self.thetas[idx] else { return };
        prior.clear();
        for row in rows.chunks_exact(n_inputs) {
            columns.of(row, stress);
            for value in stress.iter_mut() {
                *value = f64::from(*value as f32);
            }
            prior.push(((self.law.capacity(theta, stress) - self.label.0) / self.label.1) as f32);
        }
    }
}
