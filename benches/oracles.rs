//! The Bayesian oracle on functions with known minima, for `benches/oracles.sh`: best so far after every trial.
//!
//! ```text
//! cargo bench --bench oracles -- FUNCTION BUDGET SEEDS      one JSON line a seed, as benches/oracles.py prints
//! cargo bench --bench oracles -- overhead N                 seconds of the N-th suggestion in 10 dimensions
//! ```
//! The first 10 trials and the noise come from (seed, trial) by the hash of `oracles.py`: both sides start alike.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::f64::consts::PI;
use std::time::Instant;

use fadecast::seed::Seed;
use fadecast::tuner::surrogate::{Acquisition, Dimension, Observation, Suggest, suggest};

/// Random trials before the surrogate is asked.
const STARTUP: u64 = 10;

/// A function to be minimised over a space, as oracles.py has it.
struct Function {
    name: &'static str,
    space: fn() -> Vec<Dimension>,
    /// The noise-free value at a point of the unit cube.
    value: fn(&[f64]) -> f64,
    minimum: f64,
    /// Standard deviation of the noise of an observation.
    noise: f64,
}

const FUNCTIONS: [Function; 3] = [
    Function {
        name: "branin",
        space: || vec![Dimension::Continuous; 2],
        value: branin,
        minimum: 0.397_887_357_729_738_16,
        noise: 0.0,
    },
    Function {
        name: "hartmann6",
        space: || vec![Dimension::Continuous; 6],
        value: hartmann6,
        minimum: -3.322_368_011_415_514,
        noise: 0.0,
    },
    Function {
        name: "noisy_quadratic",
        space: || {
            use Dimension::{Categorical, Continuous, Ordinal};
            vec![Continuous, Continuous, Ordinal(20), Categorical(4), Continuous]
        },
        value: noisy_quadratic,
        minimum: 0.0,
        noise: 0.084_094,
    },
];

fn branin(u: &[f64]) -> f64 {
    let (x, y) = (15.0 * u[0] - 5.0, 15.0 * u[1]);
    let bow = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    bow * bow + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

fn hartmann6(u: &[f64]) -> f64 {
    const ALPHA: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    let term = |k: usize| {
        let squares = (0..6).map(|j| A[k][j] * (u[j] - P[k][j] * 1e-4).powi(2));
        -ALPHA[k] * (-squares.sum::<f64>()).exp()
    };
    (0..4).map(term).sum()
}

fn noisy_quadratic(u: &[f64]) -> f64 {
    const OFFSETS: [f64; 4] = [0.6, 0.0, 0.3, 1.0];
    let (x, y) = ((10.0 * u[0] - 6.3) / 5.0, (10.0 * u[1] - 2.9) / 5.0);
    let n = 1.0 + (20.0 * u[2]).floor().min(19.0);
    let offset = OFFSETS[((4.0 * u[3]) as usize).min(3)];
    let rate = 4.0 * u[4] - 5.0;
    x * x + y * y + 0.5 * x * y + ((n - 13.0) / 10.0).powi(2) + offset + (rate + 2.6).powi(2) / 2.0
}

/// Returns a number in [0, 1) of (seed, trial, k): the finaliser of `SplitMix64` over a linear key.
fn uniform(seed: u64, trial: u64, k: u64) -> f64 {
    let terms = [(seed, 0x9E37_79B9_7F4A_7C15), (trial, 0xD1B5_4A32_D192_ED03), (k, 0x8CB9_2BA7_2F3D_8DD7)];
    let mut z = terms.iter().fold(1_u64, |sum, (x, factor)| sum.wrapping_add(x.wrapping_mul(*factor)));
    for (shift, factor) in [(30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB)] {
        z = (z ^ (z >> shift)).wrapping_mul(factor);
    }
    ((z ^ (z >> 31)) >> 11) as f64 * (-53_f64).exp2()
}

fn normal(seed: u64, trial: u64) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(seed, trial, 100)).ln()).sqrt();
    radius * (2.0 * PI * uniform(seed, trial, 101)).cos()
}

/// Returns `point` with discrete coordinates at the centre of their level.
fn snap(dimensions: &[Dimension], point: &[f64]) -> Vec<f64> {
    let centre = |x: f64, n: usize| (((x * n as f64) as usize).min(n - 1) as f64 + 0.5) / n as f64;
    dimensions.iter().zip(point).map(|(d, &x)| d.levels().map_or(x, |n| centre(x, n))).collect()
}

/// Returns the next point of a search.
fn next(dimensions: &[Dimension], observed: &[Observation], seed: u64) -> Vec<f64> {
    let trial = observed.len() as u64;
    let repair = |point: &[f64]| snap(dimensions, point);
    if trial < STARTUP {
        return repair(&(0..dimensions.len() as u64).map(|k| uniform(seed, trial, k)).collect::<Vec<_>>());
    }
    let request = Suggest {
        dimensions,
        observed,
        pending: &[],
        seed: &Seed::new(seed).child(trial),
        acquisition: Acquisition::LogEi,
        repair: &repair,
        is_taken: &|point| observed.iter().any(|o| o.point == point),
    };
    suggest(&request).expect("a space with continuous coordinates is never exhausted")
}

/// Returns the regret after each trial: the noise-free value of the trial observed to be best, minus the minimum.
fn search(function: &Function, budget: usize, seed: u64) -> Vec<f64> {
    let dimensions = (function.space)();
    let (mut observed, mut regret) = (Vec::new(), Vec::new());
    let mut best = (f64::INFINITY, f64::NAN);
    for trial in 0..budget as u64 {
        let point = next(&dimensions, &observed, seed);
        let exact = (function.value)(&point);
        let value = if function.noise > 0.0 { exact + function.noise * normal(seed, trial) } else { exact };
        if value < best.0 {
            best = (value, exact - function.minimum);
        }
        regret.push(best.1);
        observed.push(Observation { point, value });
    }
    regret
}

/// Returns the seconds that the `n`-th suggestion takes, after `n - 1` trials gathered near the best of a 10-d bowl.
fn overhead(n: u64) -> f64 {
    let dimensions = [Dimension::Continuous; 10];
    let trial = |t: u64| {
        // Half of the trials are spread over the cube, half close in on (0.4, ..., 0.4).
        let width = if t.is_multiple_of(2) { 1.0 } else { 0.2 };
        let point: Vec<f64> = (0..10).map(|k| 0.4 + width * (uniform(0, t, k) - 0.4)).collect();
        let value = point.iter().map(|x| (x - 0.4).powi(2) + 0.1 * (9.0 * x).sin()).sum();
        Observation { point, value }
    };
    let observed: Vec<Observation> = (0..n - 1).map(trial).collect();
    let start = Instant::now();
    let point = next(&dimensions, &observed, 0);
    assert_eq!(point.len(), 10);
    start.elapsed().as_secs_f64()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let number = |i: usize| arguments.get(i).and_then(|a| a.parse::<u64>().ok());
    match (arguments.first().map(String::as_str), number(1), number(2)) {
        (Some("overhead"), Some(n), _) => {
            println!("{{\"suggestion\": {n}, \"dimensions\": 10, \"seconds\": {:.4}}}", overhead(n));
        }
        (Some(name), Some(budget), Some(seeds)) => {
            let known = FUNCTIONS.iter().find(|f| f.name == name);
            let function = known.expect("the function is branin, hartmann6 or noisy_quadratic");
            for seed in 0..seeds {
                let regret = search(function, budget as usize, seed);
                println!(
                    "{{\"function\": \"{name}\", \"sampler\": \"ours\", \"seed\": {seed}, \"regret\": {regret:?}}}"
                );
            }
        }
        _ => println!("oracles FUNCTION BUDGET SEEDS, or oracles overhead N"),
    }
}
