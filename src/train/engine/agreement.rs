//! Tests that hold for every engine: gradients, equality between engines, and independence of the population.

use std::sync::Arc;

use super::*;
use crate::model::{Activation, NetworkConfig, Normalisation, PriorConfig};
use crate::physics::{Law, StressInput};
use crate::train::optimizer::OptimizerKind;
use crate::train::optimizer::full_batch::FullBatch;

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

/// Gives the members the loss of `n_classes` classes.
fn with_classes(population: &mut Population, n_classes: usize, label_smoothing: f32) {
    population.objective.loss = Loss::CrossEntropy { label_smoothing };
    population.architecture.d_output = population.objective.loss.d_output(Some(n_classes));
}

fn rows(population: &Population, n: usize) -> Arc<Rows> {
    let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    let (of_classes, n_classes) =
        (population.objective.loss.is_of_classes(), population.architecture.d_output);
    let d_input = population.architecture.d_input;
    let law = population.architecture.prior.as_ref().map(|prior| prior.law);
    let columns = law.map_or(&[][..], |law| law.stress());
    Arc::new(Rows {
        d_input,
        d_stress: columns.len(),
        inputs: (0..n * d_input).map(value).collect(),
        stress: (0..n).flat_map(|row| columns.iter().map(move |column| stress(column, row))).collect(),
        labels: (0..n)
            .map(|i| if of_classes { (i * i % 7 % n_classes) as f32 } else { value(i * 31 + 7) })
            .collect(),
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
                p.architecture.d_output = loss.d_output(None);
                p.optimizer.kind = kind;
                p.optimizer.gradient_clip = Some(0.2);
            });
            agree(&format!("{loss:?} {kind:?}"), &population, 0.0);
        }
    }
}

#[test]
fn engines_agree_for_classes() {
    for (n_classes, label_smoothing) in [(2, 0.0), (3, 0.0), (3, 0.1), (5, 0.3), (64, 0.1)] {
        for (kind, normalisation) in [
            (OptimizerKind::Adam, Normalisation::None),
            (OptimizerKind::Adamw, Normalisation::Layer),
            (OptimizerKind::Sgd, Normalisation::None),
            // Adam would make steps of the rounding in the gradients of the biases, which here have none.
            (OptimizerKind::Sgd, Normalisation::Batch),
        ] {
            let population = population(2, |p| {
                with_classes(p, n_classes, label_smoothing);
                p.architecture.network.normalisation = normalisation;
                p.optimizer.kind = kind;
            });
            agree(
                &format!("{n_classes} classes {label_smoothing} {kind:?} {normalisation:?}"),
                &population,
                0.0,
            );
        }
        for (hidden, skip, dropout) in [(vec![19, 19], true, 0.3), (vec![], false, 0.0)] {
            let population = population(2, |p| {
                with_classes(p, n_classes, label_smoothing);
                p.architecture.network.hidden.clone_from(&hidden);
                p.architecture.network.skip = skip;
            });
            agree(&format!("{n_classes} classes {hidden:?} dropout {dropout}"), &population, dropout);
        }
    }
}

#[test]
fn engines_agree_for_classes_with_lbfgs() {
    for (n_classes, label_smoothing) in [(2, 0.0), (3, 0.1), (5, 0.3)] {
        let population = population(2, |p| with_classes(p, n_classes, label_smoothing));
        let rows = vec![rows(&population, 23); 2];
        let losses = |engine: &mut dyn Engine| {
            let members = train(&mut FullBatch::new(engine), &rows, 5, 0.0);
            members.into_iter().flat_map(|(losses, _)| losses).collect::<Vec<_>>()
        };
        let (found, expected) = (losses(&mut Fused::new(&population)), losses(&mut packed(&population)));
        assert!(found[4] < 0.9 * found[0], "{found:?}");
        assert!(found.iter().zip(&expected).all(|(a, b)| close(*a, *b, 0.0, 1e-3)), "{found:?} {expected:?}");
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
    let hybrid = |p: &mut Population| {
        p.objective = Objective { physics_consistency: 0.7, monotone_fade: 1.3, ..p.objective };
        with_law(p, Law::SingleExponential);
    };
    let classes = |p: &mut Population| with_classes(p, 3, 0.1);
    for change in [&hybrid as &dyn Fn(&mut Population), &classes] {
        for normalisation in [Normalisation::None, Normalisation::Layer, Normalisation::Batch] {
            let population = population(1, |p| {
                p.architecture.network.normalisation = normalisation;
                p.architecture.network.hidden = vec![6, 6];
                p.architecture.network.skip = true;
                change(p);
            });
            agrees_with_differences(&format!("{normalisation:?}"), &population);
        }
    }
}

fn agrees_with_differences(name: &str, population: &Population) {
    let rows = [rows(population, 23)];
    let mut engine = Fused::new(population);
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
        assert!(close(gradient, difference, scale, 1e-2), "{name} {i}: {gradient} {difference}");
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

#[test]
fn a_loss_without_its_outputs_or_beside_what_it_does_not_know_is_refused() {
    let error = |change: &dyn Fn(&mut Population)| population(1, change).check().unwrap_err().to_string();
    let classes = |p: &mut Population| with_classes(p, 3, 0.1);
    for (change, told) in [
        (&(|p: &mut Population| with_law(p, Law::Exponential)) as &dyn Fn(&mut Population), "physics prior"),
        (&|p| p.objective.physics_consistency = 0.1, "`physics_consistency`"),
        (&|p| p.objective.monotone_fade = 0.1, "`monotone_fade`"),
        (&|p| p.architecture.d_output = 1, "2 outputs or more, one for each class; the network has 1"),
        (&|p| p.architecture.d_output = 65, "`outputs` is 65"),
    ] {
        let found = error(&|p| {
            classes(p);
            change(p);
        });
        assert!(found.contains(told), "{found}");
    }
    let found = error(&|p| p.objective.loss = Loss::GaussianNll);
    assert_eq!(
        found,
        "the loss `gaussian_nll` needs 2 outputs, a mean and a log variance; the network has 1"
    );
    assert_eq!(population(1, classes).check(), Ok(()));
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
        let labels = (0..8).map(|i| ramp(i, 53, 89, 44.5, 1.0)).collect();
        let rows = ramp_rows(labels, vec![1.0; 8]);
        for engine in [&mut Fused::new(&population) as &mut dyn Engine, &mut packed(&population)] {
            for (idx, (loss, expected)) in ten_losses(engine, &rows).into_iter().zip(expected).enumerate() {
                assert!((f64::from(loss) - expected).abs() < 2e-6, "{activation:?} {idx}: {loss} {expected}");
            }
        }
    }
}

/// Network 4-6-5-3 on eight rows with Adam, by `PyTorch` in double precision, and the first gradient by the biases of
/// the outputs and by the weights of the first input (tests/fixtures/PROVENANCE.md).
#[test]
fn first_losses_and_gradients_of_classes_are_those_of_pytorch() {
    for (label_smoothing, by_class, losses, biases, first) in PYTORCH {
        let network =
            NetworkConfig { hidden: vec![6, 5], activation: Activation::Tanh, ..NetworkConfig::default() };
        let population = population(1, |p| {
            p.architecture = Architecture { d_input: 4, d_output: 3, network: network.clone(), prior: None };
            p.objective.loss = Loss::CrossEntropy { label_smoothing };
        });
        let class = |i: usize| (i * 5 + i / 3) % 3;
        let weights = (0..8).map(|i| by_class[class(i)]).collect();
        let rows = ramp_rows((0..8).map(|i| class(i) as f32).collect(), weights);
        for engine in [&mut Fused::new(&population) as &mut dyn Engine, &mut packed(&population)] {
            set_ramp(engine);
            let (_, gradient) = engine.loss_and_gradient(std::slice::from_ref(&rows)).remove(0);
            let found = gradient[gradient.len() - 3..].iter().chain(&gradient[..6]);
            for (found, expected) in found.zip(biases.iter().chain(&first)) {
                assert!((f64::from(*found) - expected).abs() < 1e-6, "{label_smoothing} {found} {expected}");
            }
            for (idx, (loss, expected)) in ten_losses(engine, &rows).into_iter().zip(losses).enumerate() {
                assert!(
                    (f64::from(loss) - expected).abs() < 2e-6,
                    "{label_smoothing} {idx}: {loss} {expected}"
                );
            }
        }
    }
}

/// Label smoothing, weights of the classes, ten losses, and the two parts of the first gradient.
type OfPytorch = (f32, [f32; 3], [f64; 10], [f64; 3], [f64; 6]);

#[rustfmt::skip]
const PYTORCH: [OfPytorch; 4] = [
    (0.0, [1.0; 3],
     [1.167_269_236, 1.142_208_606, 1.119_570_741, 1.099_035_702, 1.080_216_169, 1.062_750_173, 1.046_347_918,
      1.030_745_060, 1.015_675_460, 1.000_867_076],
     [0.146_934_833, 0.000_594_202, -0.147_529_035],
     [-0.003_714_429, -0.008_409_569, -0.002_901_062, -0.010_533_912, -0.007_468_056, 0.013_676_220]),
    (0.0, [0.5, 1.0, 2.0],
     [1.280_855_658, 1.237_189_539, 1.195_503_839, 1.155_704_726, 1.117_685_275, 1.081_411_358, 1.046_896_067,
      1.014_169_624, 0.983_293_641, 0.954_365_464],
     [0.300_450_559, 0.075_167_074, -0.375_617_633],
     [0.003_041_754, -0.003_335_733, -0.005_798_377, -0.014_614_604, -0.018_591_173, 0.028_665_674]),
    (0.1, [1.0; 3],
     [1.163_728_763, 1.140_217_782, 1.119_084_296, 1.100_131_341, 1.082_960_493, 1.067_174_618, 1.052_473_360,
      1.038_596_441, 1.025_283_957, 1.012_268_056],
     [0.138_601_500, 0.004_760_868, -0.143_362_368],
     [-0.003_602_403, -0.007_316_704, -0.002_659_547, -0.009_683_598, -0.007_155_219, 0.013_148_669]),
    (0.1, [0.5, 1.0, 2.0],
     [1.266_154_034, 1.225_862_881, 1.187_564_242, 1.151_176_398, 1.116_600_881, 1.083_801_135, 1.052_792_162,
      1.023_612_360, 0.996_333_579, 0.971_059_947],
     [0.277_117_225, 0.071_833_741, -0.348_950_967],
     [0.002_440_695, -0.002_780_874, -0.005_304_566, -0.013_409_269, -0.017_261_223, 0.026_823_334]),
];

/// A network without hidden layers is multinomial logistic regression, whose minimum scipy finds from zeros.
#[test]
fn lbfgs_finds_the_minimum_of_logistic_regression() {
    for (label_smoothing, by_class, expected) in
        [(0.0, [1.0; 3], 1.015_089_815), (0.1, [0.5, 1.0, 2.0], 0.925_745_301)]
    {
        let population = population(1, |p| {
            p.architecture.d_input = 2;
            p.architecture.network.hidden.clear();
            with_classes(p, 3, label_smoothing);
        });
        let class = |i: usize| (i * 7 + i / 4) % 3;
        let rows = Arc::new(Rows {
            d_input: 2,
            inputs: (0..80).map(|i| ramp(i, 29, 97, 48.5, 1.0)).collect(),
            labels: (0..40).map(|i| class(i) as f32).collect(),
            weights: (0..40).map(|i| by_class[class(i)]).collect(),
            later: (0..40).collect(),
            ..Rows::default()
        });
        for engine in [&mut Fused::new(&population) as &mut dyn Engine, &mut packed(&population)] {
            let losses = train(&mut FullBatch::new(engine), std::slice::from_ref(&rows), 40, 0.0).remove(0).0;
            assert!((f64::from(losses[39]) - expected).abs() < 1e-6, "{losses:?} {expected}");
        }
    }
}

fn ramp(i: usize, step: usize, n: usize, unit: f64, zero: f64) -> f32 {
    (((i * step) % n) as f64 / unit - zero) as f32
}

/// Eight rows of four inputs.
fn ramp_rows(labels: Vec<f32>, weights: Vec<f32>) -> Arc<Rows> {
    Arc::new(Rows {
        d_input: 4,
        inputs: (0..32).map(|i| ramp(i, 29, 97, 48.5, 1.0)).collect(),
        labels,
        weights,
        later: (0..8).collect(),
        ..Rows::default()
    })
}

fn set_ramp(engine: &mut dyn Engine) {
    let mut state = engine.state(0);
    state.weights = (0..state.weights.len()).map(|i| ramp(i, 37, 101, 100.0, 0.5)).collect();
    engine.set_state(0, &state);
}

/// Losses of ten steps of Adam over all rows.
fn ten_losses(engine: &mut dyn Engine, rows: &Arc<Rows>) -> Vec<f32> {
    set_ramp(engine);
    let step = MemberStep {
        rows,
        batch: &[0, 1, 2, 3, 4, 5, 6, 7],
        learning_rate: 0.01,
        weight_decay: 0.0,
        dropout: 0.0,
        loss_weight: 1.0,
        dropout_seed: [0; 32],
    };
    engine.epoch(&[vec![step; 10]]).remove(0)
}
