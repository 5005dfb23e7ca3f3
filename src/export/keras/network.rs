//! One network as layers of Keras, between the inputs in physical units and its outputs.

use serde_json::json;

use super::graph::{Graph, Variable};
use crate::export::{ExportError, Format};
use crate::model::logistic::Logistic;
use crate::model::{Activation, Architecture, NetworkConfig, Normalisation, Slice};
use crate::pipeline::{Body, Member, Part};

/// Logarithm at which a correction clips probabilities: that of the spacing of doubles at 1.
const LOG_CLIP: f64 = -36.043_653_389_117_15;

/// A network with its numbers.
pub(super) struct Network {
    /// Its shapes.
    pub(super) architecture: Architecture,
    /// Whether its outputs are logits of tiers.
    pub(super) classes: bool,
    member: Member,
}

/// Returns a part's chosen networks.
///
/// # Errors
/// [`ExportError::Unsupported`] for laws and trees.
pub(super) fn of(part: &Part, members: &[usize]) -> Result<Vec<Network>, ExportError> {
    let refuse = |what: &str| {
        let (what, instead) = (what.into(), super::INSTEAD);
        Err(ExportError::Unsupported { format: Format::Keras, what, instead })
    };
    match &part.body {
        Body::Law { .. } => refuse("an ageing law, which it has no layer for"),
        Body::Trees { .. } => refuse("decision trees, which it has no layer for"),
        Body::Networks { architecture, .. } if architecture.prior.is_some() => {
            refuse("a network on an ageing law, which it has no layer for")
        }
        Body::Networks { architecture, classes, members: all, .. } => {
            let one = |&k: &usize| Network {
                architecture: architecture.clone(),
                classes: *classes,
                member: all[k].clone(),
            };
            Ok(members.iter().map(one).collect())
        }
        Body::Linear { weights } => {
            let numbers = weights[1..].iter().chain(&weights[..1]);
            Ok(vec![flat((weights.len() - 1, 1), false, numbers.map(|&w| w as f32).collect())])
        }
        Body::Logistic(logistic) => Ok(vec![of_logistic(logistic)]),
    }
}

fn flat((d_input, d_output): (usize, usize), classes: bool, weights: Vec<f32>) -> Network {
    let network = NetworkConfig { hidden: Vec::new(), ..NetworkConfig::default() };
    let architecture = Architecture { d_input, d_output, network, prior: None };
    Network { architecture, classes, member: Member { weights, statistics: Vec::new() } }
}

/// Returns a logistic regression with a logit for every tier.
fn of_logistic(logistic: &Logistic) -> Network {
    let d_input = logistic.coefficients[0].len();
    let (mut coefficients, mut intercepts) = (logistic.coefficients.clone(), logistic.intercepts.clone());
    if coefficients.len() == 1 {
        coefficients.insert(0, vec![0.0; d_input]);
        intercepts.insert(0, 0.0);
    }
    let weight = (0..d_input).flat_map(|i| coefficients.iter().map(move |c| c[i] as f32));
    let weights = weight.chain(intercepts.iter().map(|&b| b as f32)).collect();
    flat((d_input, intercepts.len()), true, weights)
}

/// Where layers belong: what their names begin with.
pub(super) struct Place {
    /// Name of the part or network.
    pub(super) name: String,
}

impl Place {
    fn at(&self, layer: &str) -> String {
        format!("{}_{layer}", self.name)
    }

    /// Adds a part's scaling: columns are centred and divided, then chosen where the networks take others.
    pub(super) fn scaled(&self, graph: &mut Graph, part: &Part, d_input: usize) -> usize {
        let n = graph.n_inputs();
        let (mut center, mut scale) = (vec![0.0; n], vec![0.0; n]);
        for (idx, &column) in part.columns.iter().enumerate() {
            center[column] = -part.scaler.mean[idx];
            scale[column] = 1.0 / part.scaler.sd[idx];
        }
        let centred = graph.rescale(&self.at("center"), 0, 1.0, json!(center));
        let scaled = graph.rescale(&self.at("scale"), centred, json!(scale), 0.0);
        if part.columns.iter().copied().eq(0..d_input) && n == d_input {
            return scaled;
        }
        let mut choice = vec![0.0; n * d_input];
        for (idx, &column) in part.columns.iter().enumerate() {
            choice[column * d_input + idx] = 1.0;
        }
        graph.dense(&self.at("choice"), scaled, (vec![n, d_input], choice), None)
    }

    /// Adds a network and returns its outputs; of a number's outputs only the first.
    pub(super) fn network(&self, graph: &mut Graph, mut input: usize, network: &Network) -> usize {
        let architecture = &network.architecture;
        let config = &architecture.network;
        let layers = architecture.layers();
        for (idx, (d_in, d_out)) in layers.iter().enumerate() {
            let is_last = idx + 1 == layers.len();
            let (mut weight, mut bias) = (network.read(idx, "weight"), network.read(idx, "bias"));
            if is_last && !network.classes {
                weight = (vec![*d_in, 1], weight.1.iter().step_by(*d_out).copied().collect());
                bias.1.truncate(1);
            }
            let sums = graph.dense(&self.at(&format!("dense{idx}")), input, weight, Some(bias.1));
            if is_last {
                return sums;
            }
            let sums = self.normalise(graph, sums, network, idx);
            let active = self.activate(graph, sums, (config.activation, idx));
            let is_skipped = config.skip && d_in == d_out;
            let skip = self.at(&format!("skip{idx}"));
            input = if is_skipped { graph.merge("Add", &skip, &[active, input]) } else { active };
        }
        input
    }

    fn normalise(&self, graph: &mut Graph, sums: usize, network: &Network, idx: usize) -> usize {
        let read =
            |parts: &[&str]| -> Vec<Variable> { parts.iter().map(|part| network.read(idx, part)).collect() };
        let epsilon = f64::from(Normalisation::EPSILON);
        let (class, config, parts): (_, _, &[&str]) = match network.architecture.network.normalisation {
            Normalisation::None => return sums,
            Normalisation::Layer => (
                "LayerNormalization",
                json!({ "axis": [-1], "epsilon": epsilon }),
                &["norm_scale", "norm_shift"],
            ),
            Normalisation::Batch => {
                let momentum = 1.0 - f64::from(Normalisation::MOMENTUM);
                let config = json!({ "axis": -1, "momentum": momentum, "epsilon": epsilon });
                ("BatchNormalization", config, &["norm_scale", "norm_shift", "mean", "variance"])
            }
        };
        let variables = read(parts);
        let width = variables[0].1.len();
        graph.add((class, &self.at(&format!("norm{idx}"))), config, &[sums], (width, variables))
    }

    /// Adds an activation. Keras means the error function by `gelu`; ours is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
    fn activate(&self, graph: &mut Graph, x: usize, (activation, idx): (Activation, usize)) -> usize {
        let at = |layer: &str| self.at(&format!("{layer}{idx}"));
        let name = match activation {
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Silu => "silu",
            Activation::Sigmoid => "sigmoid",
            Activation::Softplus => "softplus",
            Activation::Gelu => {
                let factor = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
                let cube = graph.merge("Multiply", &at("cube"), &[x, x, x]);
                let cube = graph.rescale(&at("cube_share"), cube, 0.044_715 * factor, 0.0);
                let line = graph.rescale(&at("line_share"), x, factor, 0.0);
                let sum = graph.merge("Add", &at("gate_sum"), &[line, cube]);
                let gate = graph.activate(&at("gate"), sum, "sigmoid");
                return graph.merge("Multiply", &at("activation"), &[x, gate]);
            }
        };
        graph.activate(&at("activation"), x, name)
    }

    /// Adds a network's share of the probabilities, corrected by the power `sharpness`.
    pub(super) fn share(
        &self,
        graph: &mut Graph,
        logits: usize,
        sharpness: Option<f64>,
        share: f64,
    ) -> usize {
        let mut at = logits;
        if let Some(sharpness) = sharpness {
            let logs = graph.activate(&self.at("logs"), at, "log_softmax");
            let above = graph.rescale(&self.at("above_clip"), logs, 1.0, -LOG_CLIP);
            let clipped = graph.activate(&self.at("clipped"), above, "relu");
            at = graph.rescale(&self.at("sharpened"), clipped, sharpness, sharpness * LOG_CLIP);
        }
        let probabilities = graph.activate(&self.at("probabilities"), at, "softmax");
        graph.rescale(&self.at("label"), probabilities, share, 0.0)
    }
}

impl Network {
    /// Returns a part of a layer (`weight`) with its shape.
    fn read(&self, idx: usize, part: &str) -> Variable {
        let name = format!("layer{idx}.{part}");
        let of = |slices: Vec<Slice>| slices.into_iter().find(|slice| slice.name == name);
        let weights = of(self.architecture.slices()).map(|slice| (slice, &self.member.weights));
        let statistics = || of(self.architecture.statistics()).map(|slice| (slice, &self.member.statistics));
        let (slice, numbers) = weights.or_else(statistics).expect("invariant: a slice of the architecture");
        (slice.shape.clone(), numbers[slice.range()].to_vec())
    }
}
