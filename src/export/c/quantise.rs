//! Weights of 8 bits: each output of a layer has its own scale, `w = scale * q` with q of -127 to 127.
//!
//! Sums stay `float`. What is scarce where such code runs is flash, not a unit for floating point, which the laws need
//! anyway; activations of 8 bits would saturate beyond the rows that their ranges were taken from, which is where a
//! battery goes when it ages. What the rounding costs is measured on rows: answers of the rounded pipeline against the
//! given one, both computed plainly.

use serde::{Deserialize, Serialize};

use super::fold::{self, Layer};
use crate::pipeline::{Body, Part, Pipeline};

/// Largest weight in units of its scale.
const LEVELS: f32 = 127.0;

/// What the rounding of weights changes, in label units (SoH, cycles or their logarithm to base 10, probabilities).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Largest difference.
    pub max: f64,
    /// Root of the mean squared difference.
    pub rms: f64,
    /// Rows that it was measured on.
    pub n_rows: usize,
}

/// Returns the weights of a layer as whole numbers `[output, input]` and the scale of each output.
pub(super) fn quantised(layer: &Layer) -> (Vec<i8>, Vec<f32>) {
    let output = |j: usize| layer.weight.iter().skip(j).step_by(layer.d_out).copied();
    let scale = |j: usize| output(j).fold(0.0_f32, |most, w| most.max(w.abs())) / LEVELS;
    let scales: Vec<f32> = (0..layer.d_out).map(scale).collect();
    let whole = |(w, scale): (f32, f32)| if scale > 0.0 { (w / scale).round() as i8 } else { 0 };
    let weights = scales.iter().enumerate().flat_map(|(j, &scale)| output(j).map(move |w| whole((w, scale))));
    (weights.collect(), scales)
}

/// Returns whether a pipeline has weights to round.
pub(super) fn has_weights(pipeline: &Pipeline) -> bool {
    let is_network = |part: &Part| matches!(part.body, Body::Networks { .. });
    pipeline.parts.iter().any(is_network)
}

/// Returns a folded pipeline with its networks' weights rounded.
pub(super) fn rounded(pipeline: &Pipeline) -> Pipeline {
    let mut pipeline = pipeline.clone();
    for part in &mut pipeline.parts {
        let Body::Networks { architecture, members, .. } = &mut part.body else { continue };
        for one in members {
            let mut layers = fold::layers(architecture, one);
            layers.iter_mut().for_each(round);
            let physics = &one.weights[one.weights.len() - architecture.n_physics()..];
            *one = fold::member(layers, physics);
        }
    }
    pipeline
}

fn round(layer: &mut Layer) {
    let (whole, scales) = quantised(layer);
    for (at, w) in layer.weight.iter_mut().enumerate() {
        let (i, j) = (at / layer.d_out, at % layer.d_out);
        *w = f32::from(whole[j * layer.d_in + i]) * scales[j];
    }
}

/// Returns how far the answers of two pipelines are apart on rows, 1 or more.
pub(super) fn loss(exact: &Pipeline, rounded: &Pipeline, rows: &[Vec<f64>]) -> Loss {
    let apart = |row: &Vec<f64>| -> Vec<f64> {
        exact.reference(row).iter().zip(rounded.reference(row)).map(|(a, b)| (a - b).abs()).collect()
    };
    let all: Vec<f64> = rows.iter().flat_map(apart).filter(|d| d.is_finite()).collect();
    let mean = all.iter().map(|d| d * d).sum::<f64>() / all.len().max(1) as f64;
    Loss { max: all.iter().copied().fold(0.0, f64::max), rms: mean.sqrt(), n_rows: rows.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::sample;

    #[test]
    fn weights_are_rounded_by_output() {
        // Columns 1, -2, 0.5 and 0, 0, 0 of outputs 0 and 1.
        let weight = vec![1.0, 0.0, -2.0, 0.0, 0.5, 0.0];
        let layer = Layer { d_in: 3, d_out: 2, weight, bias: vec![0.0; 2], norm: Vec::new() };
        let (whole, scales) = quantised(&layer);
        // 1 * 127 / 2 = 63.5, and 0.5 * 127 / 2 = 31.75.
        assert_eq!((whole, scales), (vec![64, -127, 32, 0, 0, 0], vec![2.0 / 127.0, 0.0]));
    }

    #[test]
    fn rounding_moves_a_weight_by_half_a_level_at_most() {
        let (_, pipeline) = sample::all().into_iter().find(|(name, _)| name == "classes").unwrap();
        let folded = fold::folded(&pipeline);
        let rounded = rounded(&folded);
        let members = |p: &Pipeline| match &p.parts[0].body {
            Body::Networks { members, architecture, .. } => fold::layers(architecture, &members[0]),
            _ => unreachable!(),
        };
        for (a, b) in members(&folded).iter().zip(members(&rounded)) {
            let most = a.weight.iter().fold(0.0_f32, |m, w| m.max(w.abs())) / LEVELS;
            let moved = a.weight.iter().zip(&b.weight).map(|(a, b)| (a - b).abs());
            assert!(moved.clone().all(|d| d <= 0.5001 * most) && moved.fold(0.0, f32::max) > 0.0);
            assert_eq!(a.bias, b.bias);
        }
        let loss = loss(&folded, &rounded, &sample::rows(&pipeline, 50, true));
        assert!(0.0 < loss.rms && loss.rms < loss.max && loss.max < 0.02, "{loss:?}");
        assert_eq!(super::loss(&folded, &folded, &sample::rows(&pipeline, 5, false)).max, 0.0);
    }
}
