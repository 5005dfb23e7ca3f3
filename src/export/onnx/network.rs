//! Networks and linear models as products of matrices, all lanes in one product a layer.
//!
//! | model | layers |
//! |---|---|
//! | linear | one, to the label |
//! | logistic | one, to a logit a class (0 for the first of two) |
//! | network | its own; the last one has the scale of the label in it |
//!
//! Running statistics of batch normalisation are affine and go into the weights, in double precision; those of layer
//! normalisation are computed.

use super::graph::{Graph, Value};
use super::lanes::Lanes;
use crate::model::logistic::Logistic;
use crate::model::{Activation, Architecture, Normalisation, Slice};
use crate::pipeline::Member;

/// One layer of one lane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// `[d_in, d_out]`.
    weight: Vec<f64>,
    bias: Vec<f64>,
    /// Scale and shift of layer normalisation.
    norm: Option<(Vec<f64>, Vec<f64>)>,
}

/// What stands between layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Between {
    activation: Activation,
    skip: bool,
}

impl Between {
    /// Returns what stands between the layers of a network.
    pub(super) fn of(architecture: &Architecture) -> Self {
        Self { activation: architecture.network.activation, skip: architecture.network.skip }
    }

    /// Returns it for models of one layer, where it does not count.
    pub(super) fn nothing() -> Self {
        Self { activation: Activation::Relu, skip: false }
    }
}

impl Layer {
    /// Returns the layer of a linear model of `width` inputs, in label units.
    pub(super) fn linear(weights: &[f64], (mean, sd): (f64, f64), width: usize) -> Self {
        let mut weight: Vec<f64> = weights.iter().skip(1).map(|w| w * sd).collect();
        weight.resize(width, 0.0);
        let intercept = weights.first().copied().unwrap_or(0.0);
        Self { weight, bias: vec![mean + sd * intercept], norm: None }
    }

    /// Returns the layer of a logistic regression of `width` inputs.
    pub(super) fn logistic(logistic: &Logistic, width: usize) -> Self {
        let mut coefficients = logistic.coefficients.clone();
        let mut bias = logistic.intercepts.clone();
        if bias.len() == 1 {
            coefficients.insert(0, Vec::new());
            bias.insert(0, 0.0);
        }
        let at =
            |input: usize| coefficients.iter().map(move |class| class.get(input).copied().unwrap_or(0.0));
        Self { weight: (0..width).flat_map(at).collect(), bias, norm: None }
    }

    /// Returns the layers of a network.
    pub(super) fn network(architecture: &Architecture, member: &Member) -> Vec<Self> {
        let n_layers = architecture.layers().len();
        (0..n_layers).map(|idx| Self::own(architecture, member, idx, idx + 1 < n_layers)).collect()
    }

    fn own(architecture: &Architecture, member: &Member, idx: usize, hidden: bool) -> Self {
        let slices = architecture.slices();
        let read = |part: &str| read(&slices, &member.weights, &format!("layer{idx}.{part}"));
        let mut layer = Self { weight: read("weight"), bias: read("bias"), norm: None };
        let normalisation = if hidden { architecture.network.normalisation } else { Normalisation::None };
        match normalisation {
            Normalisation::None => {}
            Normalisation::Layer => layer.norm = Some((read("norm_scale"), read("norm_shift"))),
            Normalisation::Batch => {
                let slices = architecture.statistics();
                let running =
                    |part: &str| self::read(&slices, &member.statistics, &format!("layer{idx}.{part}"));
                layer.fold(
                    &running("mean"),
                    &running("variance"),
                    (&read("norm_scale"), &read("norm_shift")),
                );
            }
        }
        layer
    }

    /// Moves the running statistics of batch normalisation into weight and bias.
    fn fold(&mut self, mean: &[f64], variance: &[f64], (scale, shift): (&[f64], &[f64])) {
        let d_out = self.bias.len();
        let factor: Vec<f64> =
            (0..d_out).map(|j| scale[j] / (variance[j] + f64::from(Normalisation::EPSILON)).sqrt()).collect();
        for (at, weight) in self.weight.iter_mut().enumerate() {
            *weight *= factor[at % d_out];
        }
        for j in 0..d_out {
            self.bias[j] = (self.bias[j] - mean[j]) * factor[j] + shift[j];
        }
    }

    /// Returns the layer with its first output only, times `scale` and plus `offset`.
    pub(super) fn to_label(&self, scale: f64, offset: f64) -> Self {
        let d_out = self.bias.len();
        let weight = self.weight.iter().step_by(d_out).map(|w| w * scale).collect();
        Self { weight, bias: vec![self.bias[0] * scale + offset], norm: None }
    }
}

/// Returns the outputs `[..., batch, d_output]` of the layers of each lane for `x` `[..., batch, d_input]`.
pub(super) fn forward(
    graph: &mut Graph,
    x: &Value,
    (lanes, layers): (Lanes, &[Vec<Layer>]),
    between: Between,
) -> Value {
    let mut values = x.clone();
    let n_layers = layers[0].len();
    for idx in 0..n_layers {
        let stack = Stack { lanes, layers: layers.iter().map(|lane| &lane[idx]).collect() };
        let sums = stack.apply(graph, &values);
        if idx + 1 == n_layers {
            return sums;
        }
        let active = activate(graph, between.activation, &sums);
        let fits = active.shape.last() == values.shape.last();
        values = if between.skip && fits { graph.binary("Add", &active, &values) } else { active };
    }
    values
}

/// The same layer of all lanes.
struct Stack<'a> {
    lanes: Lanes,
    layers: Vec<&'a Layer>,
}

impl Stack<'_> {
    fn apply(&self, graph: &mut Graph, x: &Value) -> Value {
        let d_out = self.layers[0].bias.len();
        let weight =
            self.constant(graph, |layer| &layer.weight, &[self.layers[0].weight.len() / d_out, d_out]);
        let bias = self.constant(graph, |layer| &layer.bias, &[1, d_out]);
        let products = graph.matmul(x, &weight);
        let sums = graph.binary("Add", &products, &bias);
        if self.layers[0].norm.is_none() { sums } else { self.normalise(graph, &sums, d_out) }
    }

    fn normalise(&self, graph: &mut Graph, sums: &Value, d_out: usize) -> Value {
        let last = [sums.rank() - 1];
        let mean = graph.mean(sums, &last, true);
        let centred = graph.binary("Sub", sums, &mean);
        let square = graph.binary("Mul", &centred, &centred);
        let variance = graph.mean(&square, &last, true);
        let variance = graph.with("Add", &variance, f64::from(Normalisation::EPSILON));
        let sd = graph.unary("Sqrt", &variance);
        let normal = graph.binary("Div", &centred, &sd);
        let invariant = "invariant: the lanes of one architecture are alike";
        let scale = self.constant(graph, |layer| &layer.norm.as_ref().expect(invariant).0, &[1, d_out]);
        let shift = self.constant(graph, |layer| &layer.norm.as_ref().expect(invariant).1, &[1, d_out]);
        let scaled = graph.binary("Mul", &normal, &scale);
        graph.binary("Add", &scaled, &shift)
    }

    fn constant(&self, graph: &mut Graph, of: impl Fn(&Layer) -> &Vec<f64>, shape: &[usize]) -> Value {
        let numbers: Vec<Vec<f64>> = self.layers.iter().map(|layer| of(layer).clone()).collect();
        self.lanes.constant(graph, &numbers, shape)
    }
}

fn activate(graph: &mut Graph, activation: Activation, x: &Value) -> Value {
    match activation {
        Activation::Relu => graph.unary("Relu", x),
        Activation::Tanh => graph.unary("Tanh", x),
        Activation::Sigmoid => graph.unary("Sigmoid", x),
        Activation::Softplus => graph.unary("Softplus", x),
        Activation::Silu => gated(graph, x, x),
        Activation::Gelu => {
            // (1 + tanh(u)) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
            let factor = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
            let square = graph.binary("Mul", x, x);
            let cubic = graph.with("Mul", &square, factor * 0.044_715);
            let slope = graph.with("Add", &cubic, factor);
            let gate = graph.binary("Mul", &slope, x);
            gated(graph, x, &gate)
        }
    }
}

fn gated(graph: &mut Graph, x: &Value, gate: &Value) -> Value {
    let gate = graph.unary("Sigmoid", gate);
    graph.binary("Mul", x, &gate)
}

fn read(slices: &[Slice], numbers: &[f32], name: &str) -> Vec<f64> {
    let slice = slices.iter().find(|s| s.name == name).expect("invariant: a slice of the architecture");
    numbers[slice.range()].iter().map(|&v| f64::from(v)).collect()
}
