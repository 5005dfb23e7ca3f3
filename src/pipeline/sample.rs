//! Made-up pipelines of every kind, for the tests of whatever computes them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Body, Input, Member, Output, Part, Pipeline};
use crate::dataset::leakage::Source;
use crate::model::calibration::{Calibration, Rising};
use crate::model::hybrid::PriorConfig;
use crate::model::logistic::Logistic;
use crate::model::trees::{Input as TreeInput, Lesson, Target, Trees, TreesConfig};
use crate::model::{Activation, Architecture, NetworkConfig, Normalisation, PriorStart};
use crate::physics::Law;
use crate::prepare::Scaler;
use crate::seed::Seed;
use crate::uq::conformal::Conformal;

/// Inputs of a model before its stress.
const D: usize = 5;

/// Returns a named pipeline of every kind of body, law, activation and normalisation, of two parts each.
pub(crate) fn all() -> Vec<(String, Pipeline)> {
    let mut all: Vec<(String, Pipeline)> =
        Law::ALL.into_iter().map(|law| (format!("law {law}"), pipeline(&of_law(law), 0))).collect();
    all.extend(Law::ALL.into_iter().map(|law| (format!("hybrid {law}"), pipeline(&hybrid(law), 0))));
    for activation in Activation::ALL {
        for normalisation in [Normalisation::None, Normalisation::Layer, Normalisation::Batch] {
            let name = format!("dense {activation:?} {normalisation:?}");
            all.push((name, pipeline(&dense(activation, normalisation, 1), 0)));
        }
    }
    let classes = || dense(Activation::Relu, Normalisation::None, 3);
    all.push(("classes".into(), pipeline(&classes(), 3)));
    all.push(("gaussian".into(), pipeline(&dense(Activation::Tanh, Normalisation::None, 2), 0)));
    all.push(("linear".into(), pipeline(&Kind::Linear, 0)));
    all.push(("logistic".into(), pipeline(&Kind::Logistic, 3)));
    all.push(("logistic of two".into(), pipeline(&Kind::Logistic, 2)));
    all.push(("trees".into(), pipeline(&Kind::Trees(None), 0)));
    all.push(("hybrid trees".into(), pipeline(&Kind::Trees(Some(Law::CoulombBalance)), 0)));
    all.push(("trees of classes".into(), pipeline(&Kind::Trees(None), 3)));
    let with = |calibration: Calibration| {
        let mut pipeline = pipeline(&classes(), 3);
        pipeline.parts.iter_mut().for_each(|p| p.calibration = Some(calibration.clone()));
        pipeline
    };
    all.push(("temperature".into(), with(Calibration::Temperature { temperature: 1.7 })));
    let rising = || Rising { x: vec![0.1, 0.4, 0.9], y: vec![0.0, 0.5, 1.0] };
    all.push(("isotonic".into(), with(Calibration::Isotonic { classes: vec![rising(); 3], floor: 0.02 })));
    let mut life = pipeline(&of_law(Law::CapacityDifference), 0);
    life.output = Output::Life { log: true };
    all.push(("life".into(), life));
    all
}

/// Returns `n` plausible rows of a pipeline; every seventh number is missing where `gaps`.
pub(crate) fn rows(pipeline: &Pipeline, n: usize, gaps: bool) -> Vec<Vec<f64>> {
    let mut rng = Seed::new(99).stream("rows");
    let mut count = 0;
    let mut value = |input: &Input| {
        count += 1;
        let [low, high] = input.range;
        let value = rng.random_range(low..high);
        if gaps && count % 7 == 0 { f64::NAN } else { value }
    };
    (0..n).map(|_| pipeline.inputs.iter().map(&mut value).collect()).collect()
}

enum Kind {
    Law(Law),
    Linear,
    Logistic,
    Networks(Architecture),
    Trees(Option<Law>),
}

fn of_law(law: Law) -> Kind {
    Kind::Law(law)
}

fn hybrid(law: Law) -> Kind {
    let network = NetworkConfig { hidden: vec![6, 6], skip: true, ..NetworkConfig::default() };
    Kind::Networks(Architecture { d_input: D, d_output: 1, network, prior: Some(PriorConfig::new(law)) })
}

fn dense(activation: Activation, normalisation: Normalisation, d_output: usize) -> Kind {
    let network = NetworkConfig {
        hidden: vec![7, 5, 5],
        activation,
        normalisation,
        dropout: 0.2,
        skip: normalisation == Normalisation::None,
    };
    Kind::Networks(Architecture { d_input: D, d_output, network, prior: None })
}

fn pipeline(kind: &Kind, n_classes: usize) -> Pipeline {
    let law = match kind {
        Kind::Law(law) | Kind::Trees(Some(law)) => Some(*law),
        Kind::Networks(a) => a.prior.as_ref().map(|p| p.law),
        _ => None,
    };
    let mut inputs: Vec<Input> = (0..D).map(|idx| input(&format!("input_{idx}"), "V", [2.0, 4.0])).collect();
    let stress = law.map_or(&[][..], |law| law.stress());
    inputs.extend(stress.iter().map(|s| input(s.name, s.unit, plausible(s.name))));
    let names = ["A", "B", "C"].map(String::from)[..n_classes].to_vec();
    let output = if n_classes > 0 { Output::Tier { names } } else { Output::Soh { reference_ah: Some(2.0) } };
    let score = if n_classes > 0 { 0.8 } else { 0.05 };
    let levels = vec![0.5, 0.8, 0.9, 0.95];
    let scores = levels.iter().map(|l| l * score).collect();
    let interval = Some(Conformal { coverage: levels.clone(), levels, scores, n_rows: 90, n_cells: 3 });
    let parts = (0..2).map(|idx| part(kind, law, (idx, n_classes))).collect();
    let (name, run) = ("sample".into(), "20260101-000000-00000000".into());
    Pipeline { name, run, model: "sample".into(), inputs, output, parts, interval }
}

fn input(name: &str, unit: &str, range: [f64; 2]) -> Input {
    let (name, unit, doc) = (name.into(), unit.into(), format!("Sample of {name}."));
    Input { name, unit, doc, source: Source::PastRecord, range, leaks: false }
}

fn plausible(stress: &str) -> [f64; 2] {
    match stress {
        "history_elapsed_time" => [1e5, 3e6],
        "charge_duration" => [8e3, 1e4],
        "cycle_depth" | "cycle_soc_mean" | "charge_throughput_relative" => [0.4, 0.95],
        "discharge_capacity_difference_log_variance_100_10" => [-5.0, -3.0],
        _ => [20.0, 40.0],
    }
}

fn part(kind: &Kind, law: Option<Law>, (idx, n_classes): (usize, usize)) -> Part {
    let seed = Seed::new(7).child(format!("part/{idx}"));
    let mut rng = seed.stream("part");
    let n_stress = law.map_or(0, |law| law.stress().len());
    // The second part keeps fewer inputs, in another order, as a selection does; its networks get a 0 for the rest.
    let columns = if idx == 0 { (0..D).collect() } else { vec![3, 0, 4] };
    let d = columns.len();
    let mut draw =
        |n: usize, low: f64, high: f64| -> Vec<f64> { (0..n).map(|_| rng.random_range(low..high)).collect() };
    let scaler = Scaler { median: draw(d, 2.5, 3.5), mean: draw(d, 2.5, 3.5), sd: draw(d, 0.3, 0.9) };
    let ranges = law.map_or(&[][..], |law| law.stress()).iter().map(|s| plausible(s.name));
    Part {
        fold: format!("fold{idx}"),
        repetition: 0,
        scaler,
        stress: (D..D + n_stress).collect(),
        stress_median: ranges.map(|[low, high]| 0.5 * (low + high)).collect(),
        label: if n_classes > 0 { (0.0, 1.0) } else { (0.85, 0.1) },
        body: body(kind, (&columns, n_classes), &seed, &mut rng),
        columns,
        calibration: None,
    }
}

fn body(kind: &Kind, (columns, n_classes): (&[usize], usize), seed: &Seed, rng: &mut ChaCha8Rng) -> Body {
    let d = columns.len();
    let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.random_range(-0.5..0.5)).collect() };
    match kind {
        Kind::Law(law) => Body::Law { law: *law, theta: law.start() },
        Kind::Linear => Body::Linear { weights: draw(d + 1) },
        Kind::Logistic => {
            let n = if n_classes == 2 { 1 } else { n_classes };
            let coefficients = (0..n).map(|_| draw(d)).collect();
            Body::Logistic(Logistic { coefficients, intercepts: draw(n) })
        }
        Kind::Networks(architecture) => networks(architecture, n_classes > 0, seed),
        Kind::Trees(law) => {
            let law = law.map(|law| (law, law.start()));
            Body::Trees { law, trees: (0..2).map(|idx| trees(columns, n_classes, seed, idx)).collect() }
        }
    }
}

fn networks(architecture: &Architecture, classes: bool, seed: &Seed) -> Body {
    let start = architecture.prior.as_ref().map(|p| PriorStart {
        theta: p.law.start(),
        label_mean: 0.85,
        label_sd: 0.1,
    });
    let member = |idx: usize| {
        let mut rng = seed.stream(format!("member/{idx}"));
        let mut weights = architecture.initial_weights(&seed.child(format!("member/{idx}")));
        let n_physics = architecture.n_physics();
        let n_network = weights.len() - n_physics;
        // Biases, scales and shifts move off their start, and so do the law's parameters a little.
        weights[..n_network].iter_mut().for_each(|w| *w += rng.random_range(-0.1..0.1));
        weights[n_network..].iter_mut().for_each(|w| *w += rng.random_range(-0.02..0.02));
        let n_statistics = architecture.initial_statistics().len();
        let statistics = (0..n_statistics).map(|_| rng.random_range(0.5..1.5)).collect();
        Member { weights, statistics }
    };
    Body::Networks {
        architecture: architecture.clone(),
        classes,
        start,
        members: (0..3).map(member).collect(),
    }
}

fn trees(columns: &[usize], n_classes: usize, seed: &Seed, idx: usize) -> Trees {
    let mut rng = seed.stream(format!("trees/{idx}"));
    let mut row = || -> Vec<f64> {
        columns
            .iter()
            .map(|_| if rng.random_bool(0.1) { f64::NAN } else { rng.random_range(2.0..4.0) })
            .collect()
    };
    let rows: Vec<Vec<f64>> = (0..60).map(|_| row()).collect();
    let sum = |row: &[f64]| row.iter().filter(|v| v.is_finite()).sum::<f64>() / 10.0;
    let values: Vec<f64> = rows.iter().map(|row| sum(row)).collect();
    let labels: Vec<usize> = (0..rows.len()).map(|i| i % n_classes.max(1)).collect();
    let inputs: Vec<TreeInput> =
        columns.iter().map(|c| TreeInput { name: format!("input_{c}"), unit: "V".into() }).collect();
    let weights = vec![1.0; n_classes];
    let target = if n_classes > 0 {
        Target::Classes { labels: &labels, weights: &weights }
    } else {
        Target::Values(&values)
    };
    let config = TreesConfig { rounds: 8, ..TreesConfig::default() };
    let lesson = Lesson { inputs: &inputs, rows: &rows, target };
    Trees::fit(&config, &lesson, &seed.child(format!("trees/{idx}"))).expect("a lesson")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_answers_and_parts_differ() {
        for (name, pipeline) in all() {
            for row in rows(&pipeline, 20, true) {
                let label = pipeline.reference(&row);
                assert_eq!(label.len(), pipeline.width(), "{name}");
                assert!(label.iter().all(|v| v.is_finite()), "{name}: {label:?} of {row:?}");
                if pipeline.width() > 1 {
                    assert!((label.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}");
                }
            }
        }
    }
}
