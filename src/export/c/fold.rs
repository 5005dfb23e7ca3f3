//! Equal pipelines with less to compute: batch normalisation inside its layer, nothing for what is always 0 or unused.

use crate::model::{Architecture, NetworkConfig, Normalisation, Slice};
use crate::pipeline::{Body, Member, Part, Pipeline};

/// Layer of a network after its normalisation by batches went into it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// Number of inputs.
    pub(super) d_in: usize,
    /// Number of outputs.
    pub(super) d_out: usize,
    /// Weights `[input, output]`.
    pub(super) weight: Vec<f32>,
    /// One an output.
    pub(super) bias: Vec<f32>,
    /// Scale and shift of a normalisation over each row; empty without.
    pub(super) norm: Vec<f32>,
}

/// Returns a pipeline of the same answers whose networks have no batch normalisation, no inputs that are always 0, and
/// no outputs that nobody asks for.
pub(super) fn folded(pipeline: &Pipeline) -> Pipeline {
    let mut pipeline = pipeline.clone();
    pipeline.parts.iter_mut().for_each(fold);
    pipeline
}

/// Returns the layers of a network without batch normalisation, the output layer last.
pub(super) fn layers(architecture: &Architecture, member: &Member) -> Vec<Layer> {
    let slices = architecture.slices();
    let own = |name: String| own(&slices, &member.weights, &name);
    let layer = |(idx, (d_in, d_out)): (usize, (usize, usize))| Layer {
        d_in,
        d_out,
        weight: own(format!("layer{idx}.weight")),
        bias: own(format!("layer{idx}.bias")),
        norm: [own(format!("layer{idx}.norm_scale")), own(format!("layer{idx}.norm_shift"))].concat(),
    };
    architecture.layers().into_iter().enumerate().map(layer).collect()
}

/// Returns the member that has these layers, and the physics parameters of `physics`.
pub(super) fn member(layers: Vec<Layer>, physics: &[f32]) -> Member {
    let own = layers.into_iter().flat_map(|layer| [layer.weight, layer.bias, layer.norm].concat());
    Member { weights: own.chain(physics.iter().copied()).collect(), statistics: Vec::new() }
}

fn fold(part: &mut Part) {
    let n_columns = part.columns.len();
    let Body::Networks { architecture, classes, members, .. } = &mut part.body else { return };
    let smaller = smaller(architecture, n_columns, *classes);
    for one in members {
        let mut layers = layers(architecture, one);
        if architecture.network.normalisation == Normalisation::Batch {
            normalise(&mut layers, architecture, one);
        }
        let d_out = smaller.d_output;
        layers.first_mut().into_iter().for_each(|first| first.keep_inputs(smaller.d_input));
        layers.last_mut().into_iter().for_each(|last| last.keep_outputs(d_out));
        let physics = &one.weights[one.weights.len() - architecture.n_physics()..];
        *one = member(layers, physics);
    }
    *architecture = smaller;
}

fn smaller(architecture: &Architecture, n_columns: usize, classes: bool) -> Architecture {
    let NetworkConfig { hidden, normalisation, skip, .. } = &architecture.network;
    // The first layer adds its inputs to its outputs where their widths agree, and must not begin or cease to.
    let is_tied = *skip && hidden.first().is_some_and(|d| [architecture.d_input, n_columns].contains(d));
    let normalisation = match normalisation {
        Normalisation::Layer => Normalisation::Layer,
        _ => Normalisation::None,
    };
    Architecture {
        d_input: if is_tied { architecture.d_input } else { n_columns },
        d_output: if classes { architecture.d_output } else { 1 },
        network: NetworkConfig { normalisation, ..architecture.network.clone() },
        prior: architecture.prior.clone(),
    }
}

/// Puts the running statistics into the weights: `(x W + b - mean) / sd * scale + shift`.
fn normalise(layers: &mut [Layer], architecture: &Architecture, member: &Member) {
    let slices = architecture.statistics();
    for (idx, layer) in layers.iter_mut().enumerate().take(architecture.network.hidden.len()) {
        let running = |part: &str| own(&slices, &member.statistics, &format!("layer{idx}.{part}"));
        let (mean, variance) = (running("mean"), running("variance"));
        let (scale, shift) = layer.norm.split_at(layer.d_out);
        let sd = |j: usize| (f64::from(variance[j]) + f64::from(Normalisation::EPSILON)).sqrt();
        let factors: Vec<f64> = (0..layer.d_out).map(|j| f64::from(scale[j]) / sd(j)).collect();
        for (j, factor) in factors.iter().enumerate() {
            let centred = f64::from(layer.bias[j]) - f64::from(mean[j]);
            layer.bias[j] = (centred * factor + f64::from(shift[j])) as f32;
        }
        for (at, w) in layer.weight.iter_mut().enumerate() {
            *w = (f64::from(*w) * factors[at % layer.d_out]) as f32;
        }
        layer.norm.clear();
    }
}

impl Layer {
    fn keep_inputs(&mut self, d_in: usize) {
        self.weight.truncate(d_in * self.d_out);
        self.d_in = d_in;
    }

    fn keep_outputs(&mut self, d_out: usize) {
        self.weight = self.weight.chunks(self.d_out).flat_map(|row| &row[..d_out]).copied().collect();
        self.bias.truncate(d_out);
        self.d_out = d_out;
    }
}

/// Returns a part of the flat numbers; nothing where there is no such part.
fn own(slices: &[Slice], numbers: &[f32], name: &str) -> Vec<f32> {
    slices.iter().find(|slice| slice.name == name).map_or_else(Vec::new, |s| numbers[s.range()].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::sample;

    fn sizes(pipeline: &Pipeline) -> Vec<usize> {
        let size = |part: &Part| match &part.body {
            Body::Networks { members, .. } => members[0].weights.len() + members[0].statistics.len(),
            _ => 0,
        };
        pipeline.parts.iter().map(size).collect()
    }

    #[test]
    fn a_folded_pipeline_answers_alike_and_is_smaller() {
        for (name, pipeline) in sample::all() {
            let folded = folded(&pipeline);
            for row in sample::rows(&pipeline, 20, true) {
                for (a, b) in pipeline.reference(&row).iter().zip(folded.reference(&row)) {
                    assert!((a - b).abs() < 1e-6 * a.abs().max(1.0), "{name}: {a} {b}");
                }
            }
            let (before, after) = (sizes(&pipeline), sizes(&folded));
            // The second part has 3 of 5 inputs.
            assert!(before[1] == 0 || after[1] < before[1], "{name}");
            if name.contains("Batch") {
                // 7 and 2 x 5 units lose scale, shift, mean and variance.
                assert_eq!(before[0] - after[0], 4 * 17, "{name}");
            }
        }
    }

    #[test]
    fn a_first_layer_with_a_skip_keeps_its_width() {
        for hidden in [3, 5, 4] {
            let (_, mut pipeline) =
                sample::all().into_iter().find(|(name, _)| name == "dense Tanh None").unwrap();
            for part in &mut pipeline.parts {
                let Body::Networks { architecture, members, .. } = &mut part.body else { unreachable!() };
                architecture.network.hidden = vec![hidden, 3];
                architecture.network.skip = true;
                let seed = crate::seed::Seed::new(3);
                for member in members {
                    member.weights = architecture.initial_weights(&seed);
                }
            }
            let folded = folded(&pipeline);
            let row = &sample::rows(&pipeline, 1, false)[0];
            let (a, b) = (pipeline.reference(row)[0], folded.reference(row)[0]);
            assert!((a - b).abs() < 1e-6, "{hidden}: {a} {b}");
        }
    }
}
