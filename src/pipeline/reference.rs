//! A pipeline computed plainly, in double precision but for trees: slow, and what every other way is held to.

use super::{Body, Member, Part, Pipeline};
use crate::model::softmax::softmax;
use crate::model::trees::{TreeModel, Trees};
use crate::model::{Activation, Architecture, Normalisation, PriorStart, Slice, linear};
use crate::physics::Law;

impl Pipeline {
    /// Returns the label of one row, or the probabilities of all tiers.
    ///
    /// # Panics
    /// Where the row has not one number an input, or a part does not fit its own shapes.
    pub fn reference(&self, row: &[f64]) -> Vec<f64> {
        assert_eq!(row.len(), self.inputs.len(), "a number an input");
        let labels: Vec<Vec<f64>> = self.parts.iter().map(|part| part.label_of(row)).collect();
        mean(&labels)
    }
}

impl Part {
    fn label_of(&self, row: &[f64]) -> Vec<f64> {
        let label = match &self.body {
            Body::Law { law, theta } => vec![law.capacity(theta, &self.stress_of(row))],
            Body::Linear { weights } => vec![self.unscale(linear::predict(weights, &self.scaled(row)))],
            Body::Logistic(logistic) => logistic.probabilities(&self.scaled(row)),
            Body::Networks { architecture, classes, start, members } => {
                let one = |member| self.network((architecture, *classes), start.as_ref(), member, row);
                mean(&members.iter().map(one).collect::<Vec<_>>())
            }
            Body::Trees { law, trees } => self.trees(law.as_ref(), trees, row),
        };
        self.calibration.as_ref().map_or(label.clone(), |calibration| calibration.apply(&label))
    }

    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        self.columns.iter().enumerate().map(|(idx, &c)| self.scaler.scale(idx, row[c])).collect()
    }

    fn stress_of(&self, row: &[f64]) -> Vec<f64> {
        let known = |(&c, &median): (&usize, &f64)| if row[c].is_finite() { row[c] } else { median };
        self.stress.iter().zip(&self.stress_median).map(known).collect()
    }

    fn unscale(&self, scaled: f64) -> f64 {
        self.label.0 + self.label.1 * scaled
    }

    fn trees(&self, law: Option<&(Law, Vec<f64>)>, trees: &[Trees], row: &[f64]) -> Vec<f64> {
        // Beyond the largest single number nothing is split any more.
        let most = f64::from(f32::MAX);
        let known = |value: f64| if value.is_finite() { value.clamp(-most, most) } else { f64::NAN };
        let inputs: Vec<f64> = self.columns.iter().map(|&c| known(row[c])).collect();
        let rows = [inputs];
        let one = |t: &Trees| t.predict(&rows).expect("invariant: a row of the trees' own width").concat();
        let mut label = mean(&trees.iter().map(one).collect::<Vec<_>>());
        if let Some((law, theta)) = law {
            label[0] += law.capacity(theta, &self.stress_of(row));
        }
        label
    }

    fn network(
        &self,
        (architecture, classes): (&Architecture, bool),
        start: Option<&PriorStart>,
        member: &Member,
        row: &[f64],
    ) -> Vec<f64> {
        let mut inputs = self.scaled(row);
        inputs.resize(architecture.d_input, 0.0);
        let outputs = forward(architecture, member, inputs);
        if classes {
            return softmax(&outputs);
        }
        let Some((prior, start)) = architecture.prior.as_ref().zip(start) else {
            return vec![self.unscale(outputs[0])];
        };
        let theta = architecture.theta(&member.weights, start);
        let law = prior.law.capacity(&theta, &self.stress_of(row));
        vec![law + self.label.1 * f64::from(prior.scale()) * outputs[0]]
    }
}

/// Returns the outputs of a network for scaled inputs.
fn forward(architecture: &Architecture, member: &Member, mut values: Vec<f64>) -> Vec<f64> {
    let (slices, statistics) = (architecture.slices(), architecture.statistics());
    let network = &architecture.network;
    for (idx, (d_in, d_out)) in architecture.layers().into_iter().enumerate() {
        let own = |part: &str| read(&slices, &member.weights, &format!("layer{idx}.{part}"));
        let (weight, bias) = (own("weight"), own("bias"));
        let sum = |j: usize| bias[j] + (0..d_in).map(|i| values[i] * weight[i * d_out + j]).sum::<f64>();
        let mut sums: Vec<f64> = (0..d_out).map(sum).collect();
        if idx == network.hidden.len() {
            return sums;
        }
        if network.normalisation != Normalisation::None {
            let running = |part: &str| read(&statistics, &member.statistics, &format!("layer{idx}.{part}"));
            let moments = match network.normalisation {
                Normalisation::Batch => (running("mean"), running("variance")),
                _ => moments(&sums),
            };
            normalise(&mut sums, &moments, &(own("norm_scale"), own("norm_shift")));
        }
        let is_skipped = network.skip && d_in == d_out;
        let out = |(j, &s): (usize, &f64)| {
            activate(network.activation, s) + if is_skipped { values[j] } else { 0.0 }
        };
        values = sums.iter().enumerate().map(out).collect();
    }
    values
}

fn read(slices: &[Slice], numbers: &[f32], name: &str) -> Vec<f64> {
    let slice = slices.iter().find(|s| s.name == name).expect("invariant: a slice of the architecture");
    numbers[slice.range()].iter().map(|&v| f64::from(v)).collect()
}

/// Returns mean and variance of one row's sums, the same for each of them.
fn moments(sums: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let n = sums.len() as f64;
    let mean = sums.iter().sum::<f64>() / n;
    let variance = sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n;
    (vec![mean; sums.len()], vec![variance; sums.len()])
}

fn normalise(sums: &mut [f64], moments: &(Vec<f64>, Vec<f64>), (scale, shift): &(Vec<f64>, Vec<f64>)) {
    for (j, sum) in sums.iter_mut().enumerate() {
        let sd = (moments.1[j] + f64::from(Normalisation::EPSILON)).sqrt();
        *sum = (*sum - moments.0[j]) / sd * scale[j] + shift[j];
    }
}

fn activate(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
        Activation::Gelu => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
    }
}

fn mean(lists: &[Vec<f64>]) -> Vec<f64> {
    let n = lists.len() as f64;
    (0..lists[0].len()).map(|idx| lists.iter().map(|l| l[idx]).sum::<f64>() / n).collect()
}
