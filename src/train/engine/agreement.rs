//! Tests that hold for every engine: gradients, equality between engines, and independence of the population.

use std::sync::Arc;

use super::*;
use crate::model::{Activation, NetworkConfig, Normalisation, PriorConfig};
use crate::physics::{Law, StressInput};
use crate::train::loss::Loss;
use crate::train::optimizer::OptimizerKind;

/// A population of `n` members with odd shapes, so that padding is used.
fn population(n: usize, change: impl Fn(&mut Population)) -> Population {
    let network =
        NetworkConfig { hidden: vec![19, 19], activation: Activation::Tanh, ..NetworkConfig::default() };
    let member = |idx| MemberStart { seed: Seed::new(5).child(idx), prior: None };
    let mut population = Population {
        architecture: Architecture { d_input: 5, d_output: 1, network, prior: None },
        objective: Objective::default(),
        optimizer: OptimizerConfig::default(),
        members: (0..n).map(member).collect(),
    };
    change(&mut population);
    population
}

/// Gives the members a law, each from a slightly different fit.
fn with_law(population: &mut Population, law: Law) {
    population.architecture.prior = Some(PriorConfig { residual_scale: 0.5, ..PriorConfig::new(law) });
    for (idx, member) in population.members.iter_mut().enumerate() {
        let theta = law.start().iter().map(|theta| theta * (1.0 + 0.01 * idx as f64)).collect();
        member.prior = Some(PriorStart { theta, label_mean: 0.85, label_sd: 0.1 });
    }
}

fn rows(population: &Population, n: usize) -> Arc<Rows> {
    let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    let d_input = population.architecture.d_input;
    let law = population.architecture.prior.as_ref().map(|prior| prior.law);
    let columns = law.map_or(&[][..], |law| law.stress());
    Arc::new(Rows {
        d_input,
        d_stress: columns.len(),
        inputs: (0..n * d_input).map(value).collect(),
        stress: (0..n).flat_map(|row| columns.iter().map(move |column| stress(column, row))).collect(),
        labels: (0..n).map(|i| value(i * 31 + 7)).collect(),
        weights: (0..n).map(|i| 0.5 + (i % 3) as f32).collect(),
        later: (0..n as u32).map(|i| (i + 2).min(n as u32 - 1)).collect(),
    })
}

fn stress(column: &StressInput, row: usize) -> f32 {
    let n = row as f32 * 3.0 + 1.0;
    match *column {
        StressInput::DISCHARGE_COUNT | StressInput::EQUIVALENT_FULL_CYCLES => n,
        StressInput::ELAPSED_TIME => n * 14_400.0,
        StressInput::CHARGE_DURATION => 9_000.0 + n,
        StressInput::CHARGE_TEMPERATURE => 26.0 + n * 0.02,
        StressInput::CYCLE_DEPTH => 0.9 - n * 1e-3,
        _ => 0.5,
    }
}

fn packed(population: &Population) -> Packed {
    Packed::new(population, &device::device(Backend::Flex).unwrap())
}

/// Trains all members for `n_steps` on batches that differ by member and step; returns losses and states.
fn train(
    engine: &mut dyn Engine,
    rows: &[Arc<Rows>],
    n_steps: u32,
    dropout: f32,
) -> Vec<(Vec<f32>, MemberState)> {
    let batches: Vec<Vec<Vec<u32>>> = rows
        .iter()
        .map(|rows| {
            let batch = |step: u32| (0..11).map(|i| (i * 7 + step * 3) % rows.len() as u32).collect();
            (0..n_steps).map(batch).collect()
        })
        .collect();
    let step = |rows, batch, idx: usize| MemberStep {
        rows,
        batch,
        learning_rate: 3e-3,
        weight_decay: 1e-2,
        dropout,
        loss_weight: 1.5,
        dropout_seed: [idx as u8; 32],
    };
    let steps: Vec<Vec<_>> = std::iter::zip(rows, &batches)
        .map(|(rows, batches)| {
            batches.iter().enumerate().map(|(idx, batch)| step(rows, batch, idx)).collect()
        })
        .collect();
    let losses = engine.epoch(&steps);
    losses.into_iter().enumerate().map(|(idx, losses)| (losses, engine.state(idx))).collect()
}

fn close(a: f32, b: f32, scale: f32, tolerance: f32) -> bool {
    (a - b).abs() <= tolerance * (a.abs().max(b.abs()) + scale)
}

/// Root mean square, the scale that a comparison of a vector's numbers is made on.
fn scale(values: &[f32]) -> f32 {
    (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt()
}

/// Compares loss, gradient, a training of some steps and predictions of both engines.
fn agree(name: &str, population: &Population, dropout: f32) {
    let rows = vec![rows(population, 23); population.members.len()];
    let (mut fused, mut packed) = (Fused::new(population), packed(population));
    let pairs = fused.loss_and_gradient(&rows).into_iter().zip(packed.loss_and_gradient(&rows));
    for ((loss, gradient), (other_loss, other)) in pairs {
        assert!(close(loss, other_loss, 0.0, 1e-4), "{name}: loss {loss} {other_loss}");
        let scale = scale(&gradient);
        for (i, (a, b)) in gradient.iter().zip(&other).enumerate() {
            assert!(close(*a, *b, scale, 1e-4), "{name}: gradient {i}: {a} {b}");
        }
    }
    let trained = train(&mut fused, &rows, 6, dropout);
    for ((losses, state), (other_losses, other)) in
        trained.into_iter().zip(train(&mut packed, &rows, 6, dropout))
    {
        for (a, b) in losses.iter().zip(&other_losses) {
            assert!(close(*a, *b, 0.0, 1e-3), "{name}: losses {losses:?} {other_losses:?}");
        }
        assert_eq!((state.steps, state.memory.len()), (other.steps, other.memory.len()), "{name}");
        for (a, b) in state.statistics.iter().zip(&other.statistics) {
            // A bias before batch normalisation has no gradient but rounding, which Adam makes a step of.
            assert!(close(*a, *b, 1.0, 2e-3), "{name}: statistics {a} {b}");
        }
        for (a, b) in state.memory.iter().zip(&other.memory) {
            assert!(close(*a, *b, scale(&state.memory), 1e-2), "{name}: memory {a} {b}");
        }
    }
    for (a, b) in fused.predict(&rows).iter().flatten().zip(packed.predict(&rows).iter().flatten()) {
        assert!(close(*a, *b, 1.0, 3e-3), "{name}: prediction {a} {b}");
    }
}

#[test]
fn engines_agree_for_every_activation_and_normalisation() {
    for activation in Activation::ALL {
        for normalisation in [Normalisation::None, Normalisation::Layer, Normalisation::Batch] {
            let population = population(2, |p| {
                p.architecture.network.activation = activation;
                p.architecture.network.normalisation = normalisation;
            });
            agree(&format!("{activation:?} {normalisation:?}"), &population, 0.0);
        }
    }
}

#[test]
fn engines_agree_for_every_loss_and_optimiser() {
    for loss in [Loss::Mse, Loss::Mae, Loss::Huber { delta: 0.3 }, Loss::GaussianNll] {
        for kind in [OptimizerKind::Adam, OptimizerKind::Adamw, OptimizerKind::Sgd] {
            let population = population(2, |p| {
                p.objective.loss = loss;
                p.architecture.d_output = loss.d_output();
                p.optimizer.kind = kind;
                p.optimizer.gradient_clip = Some(0.2);
            });
            agree(&format!("{loss:?} {kind:?}"), &population, 0.0);
        }
    }
}

#[test]
fn engines_agree_with_skip_dropout_and_without_hidden_layers() {
    for (hidden, skip, dropout) in [
        (vec![19, 19], true, 0.0),
        (vec![5, 5, 5], true, 0.3),
        (vec![19, 7], false, 0.3),
        (vec![19, 40, 5], false, 0.0),
        (vec![], false, 0.0),
    ] {
        let population = population(2, |p| {
            p.architecture.network.hidden.clone_from(&hidden);
            p.architecture.network.skip = skip;
        });
        agree(&format!("{hidden:?} skip {skip} dropout {dropout}"), &population, dropout);
    }
}

#[test]
fn engines_agree_for_every_law_and_penalty() {
    for law in Law::ALL {
        let joint = population(2, |p| {
            with_law(p, law);
            p.objective = Objective { physics_consistency: 0.7, monotone_fade: 1.3, ..p.objective };
        });
        agree(&format!("{law}"), &joint, 0.2);
    }
    for (parameters, residual) in
        [(crate::model::Parameters::Frozen, true), (crate::model::Parameters::Joint, false)]
    {
        let population = population(2, |p| {
            with_law(p, Law::Exponential);
            let prior = p.architecture.prior.as_mut().unwrap();
            (prior.parameters, prior.residual) = (parameters, residual);
        });
        agree(&format!("{parameters:?} residual {residual}"), &population, 0.0);
    }
}

/// Central differences of the fused loss along each weight's own direction.
#[test]
fn gradients_agree_with_differences() {
    for normalisation in [Normalisation::None, Normalisation::Layer, Normalisation::Batch] {
        let population = population(1, |p| {
            p.architecture.network.normalisation = normalisation;
            p.architecture.network.hidden = vec![6, 6];
            p.architecture.network.skip = true;
            p.objective = Objective { physics_consistency: 0.7, monotone_fade: 1.3, ..p.objective };
            with_law(p, Law::SingleExponential);
        });
        let rows = [rows(&population, 23)];
        let mut engine = Fused::new(&population);
        let gradient = engine.loss_and_gradient(&rows).remove(0).1;
        let state = engine.state(0);
        let scale = scale(&gradient);
        for (i, &gradient) in gradient.iter().enumerate() {
            let mut at = |step: f32| {
                let mut moved = state.clone();
                moved.weights[i] += step;
                engine.set_state(0, &moved);
                f64::from(engine.loss_and_gradient(&rows)[0].0)
            };
            let h = 4e-3;
            let difference = ((at(h) - at(-h)) / (2.0 * f64::from(h))) as f32;
            assert!(
                close(gradient, difference, scale, 1e-2),
                "{normalisation:?} {i}: {gradient} {difference}"
            );
        }
    }
}

#[test]
fn a_member_does_not_depend_on_its_population() {
    let make = |n| {
        population(n, |p| {
            with_law(p, Law::Exponential);
            p.architecture.network.normalisation = Normalisation::Batch;
            p.objective.monotone_fade = 1.0;
            p.optimizer.gradient_clip = Some(0.5);
        })
    };
    let (one, five) = (make(1), make(5));
    let rows = rows(&one, 23);
    let run = |engine: &mut dyn Engine| {
        let rows = vec![rows.clone(); engine.n_members()];
        train(engine, &rows, 5, 0.25).remove(0)
    };
    assert_eq!(run(&mut Fused::new(&one)), run(&mut Fused::new(&five)), "fused");
    assert_eq!(run(&mut packed(&one)), run(&mut packed(&five)), "tensor");
}

#[test]
fn a_member_does_not_depend_on_the_threads() {
    let population = population(7, |_| {});
    let rows = vec![rows(&population, 23); 7];
    let run = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| train(&mut Fused::new(&population), &rows, 9, 0.1))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn steps_one_by_one_equal_an_epoch_and_a_restored_state_goes_on_alike() {
    let population = population(2, |p| p.architecture.network.normalisation = Normalisation::Batch);
    let rows = vec![rows(&population, 23); 2];
    let fused = |p: &Population| Box::new(Fused::new(p)) as Box<dyn Engine>;
    let tensor = |p: &Population| Box::new(packed(p)) as Box<dyn Engine>;
    for make in [&fused as &dyn Fn(&Population) -> Box<dyn Engine>, &tensor] {
        let mut straight = make(&population);
        train(&mut *straight, &rows, 4, 0.1);
        let mut resumed = make(&population);
        for idx in 0..2 {
            resumed.set_state(idx, &straight.state(idx));
        }
        assert_eq!(train(&mut *straight, &rows, 4, 0.1), train(&mut *resumed, &rows, 4, 0.1));
    }
}

#[test]
fn a_resting_member_stays() {
    let population = population(2, |p| p.architecture.network.normalisation = Normalisation::Batch);
    let rows = rows(&population, 23);
    let batch = [1, 5, 9];
    let step = MemberStep {
        rows: &rows,
        batch: &batch,
        learning_rate: 1e-2,
        weight_decay: 0.1,
        dropout: 0.0,
        loss_weight: 1.0,
        dropout_seed: [0; 32],
    };
    for engine in [&mut Fused::new(&population) as &mut dyn Engine, &mut packed(&population)] {
        let before = [engine.state(0), engine.state(1)];
        let losses = engine.step(&[None, Some(step.clone())]);
        assert_eq!((losses[0], engine.state(0)), (0.0, before[0].clone()));
        assert!(losses[1] > 0.0 && engine.state(1) != before[1] && engine.state(1).steps == 1);
    }
}

#[test]
fn physics_parameters_stay_between_their_bounds() {
    let population = population(1, |p| with_law(p, Law::SingleExponential));
    for engine in [&mut Fused::new(&population) as &mut dyn Engine, &mut packed(&population)] {
        let mut state = engine.state(0);
        let n = state.weights.len();
        state.weights[n - 2..].fill(1e6);
        engine.set_state(0, &state);
        let start = population.members[0].prior.as_ref().unwrap();
        let theta = population.architecture.theta(&engine.state(0).weights, start);
        for (theta, parameter) in theta.iter().zip(Law::SingleExponential.parameters()) {
            assert!((theta - parameter.upper).abs() < 1e-6 && *theta <= parameter.upper);
        }
    }
}

#[test]
fn an_engine_is_made_for_its_backend_or_says_why_not() {
    let good = population(1, |_| {});
    assert!(create(EngineKind::Auto, Backend::Flex, &good).is_ok());
    assert!(create(EngineKind::Tensor, Backend::Flex, &good).is_ok());
    let error = create(EngineKind::Fused, Backend::Wgpu, &good).err().unwrap();
    assert_eq!(error, EngineError::FusedBackend { backend: Backend::Wgpu });
    let mut bad = population(2, |p| with_law(p, Law::Exponential));
    bad.members[1].prior = None;
    let error = create(EngineKind::Auto, Backend::Flex, &bad).err().unwrap();
    assert!(error.to_string().contains("member 1 has 0 physics parameters"), "{error}");
}

/// Small runs of a dense and a hybrid network on every backend of this build, beside the fused engine: losses within
/// 1e-3 of each other, predictions within 3e-3 (of one standard deviation of the label, plus their size). A backend
/// that is built in but finds no device is a failure.
#[test]
fn backends_agree() {
    for population in [population(2, |_| {}), population(2, |p| with_law(p, Law::Exponential))] {
        let rows = vec![rows(&population, 23); 2];
        let mut fused = Fused::new(&population);
        let expected = train(&mut fused, &rows, 6, 0.2);
        let predicted = fused.predict(&rows);
        for backend in Backend::ALL.into_iter().filter(|b| b.is_compiled()) {
            let mut tensors = Packed::new(&population, &device::device(backend).unwrap());
            let found = train(&mut tensors, &rows, 6, 0.2);
            for ((losses, _), (others, _)) in expected.iter().zip(&found) {
                for (a, b) in losses.iter().zip(others) {
                    assert!(close(*a, *b, 0.0, 1e-3), "{backend}: {losses:?} {others:?}");
                }
            }
            for (a, b) in predicted.iter().zip(tensors.predict(&rows)).flat_map(|(a, b)| a.iter().zip(b)) {
                assert!(close(*a, b, 1.0, 3e-3), "{backend}: {a} {b}");
            }
        }
    }
}

/// Network 4-6-5-1 on eight rows with Adam, by numpy in double precision (tests/fixtures/PROVENANCE.md).
#[test]
fn first_losses_are_those_of_numpy() {
    for (activation, expected) in [
        (
            Activation::Tanh,
            [
                0.376_177_972,
                0.350_430_709,
                0.331_149_886,
                0.316_270_352,
                0.303_199_115,
                0.290_513_677,
                0.278_124_266,
                0.266_397_178,
                0.255_705_695,
                0.246_293_143,
            ],
        ),
        (
            Activation::Relu,
            [
                0.553_767_151,
                0.505_811_847,
                0.462_064_233,
                0.422_107_821,
                0.387_741_412,
                0.358_371_378,
                0.334_140_438,
                0.315_185_423,
                0.300_268_840,
                0.289_257_915,
            ],
        ),
    ] {
        let network = NetworkConfig { hidden: vec![6, 5], activation, ..NetworkConfig::default() };
        let population = population(1, |p| {
            p.architecture = Architecture { d_input: 4, d_output: 1, network: network.clone(), prior: None };
        });
        for engine in [&mut Fused::new(&population) as &mut dyn Engine, &mut packed(&population)] {
            for (idx, (loss, expected)) in numpy_losses(engine).into_iter().zip(expected).enumerate() {
                assert!((f64::from(loss) - expected).abs() < 2e-6, "{activation:?} {idx}: {loss} {expected}");
            }
        }
    }
}

fn numpy_losses(engine: &mut dyn Engine) -> Vec<f32> {
    let ramp = |i: usize, step: usize, n: usize, unit: f64, zero: f64| {
        (((i * step) % n) as f64 / unit - zero) as f32
    };
    let rows = Arc::new(Rows {
        d_input: 4,
        inputs: (0..32).map(|i| ramp(i, 29, 97, 48.5, 1.0)).collect(),
        labels: (0..8).map(|i| ramp(i, 53, 89, 44.5, 1.0)).collect(),
        weights: vec![1.0; 8],
        later: (0..8).collect(),
        ..Rows::default()
    });
    let mut state = engine.state(0);
    state.weights = (0..state.weights.len()).map(|i| ramp(i, 37, 101, 100.0, 0.5)).collect();
    engine.set_state(0, &state);
    let step = MemberStep {
        rows: &rows,
        batch: &[0, 1, 2, 3, 4, 5, 6, 7],
        learning_rate: 0.01,
        weight_decay: 0.0,
        dropout: 0.0,
        loss_weight: 1.0,
        dropout_seed: [0; 32],
    };
    engine.epoch(&[vec![step; 10]]).remove(0)
}
