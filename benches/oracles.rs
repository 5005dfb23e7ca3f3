//! The oracles on functions with known minima and on an experiment, for `benches/oracles.sh`: best so far after every trial.
//!
//! ```text
//! cargo bench --bench oracles -- FUNCTION ORACLE BUDGET SEEDS [ROOT]   one JSON line a seed, as benches/oracles.py prints
//! cargo bench --bench oracles -- serve FUNCTION [ROOT]                 answers one JSON line by another, see `serve`
//! cargo bench --bench oracles -- overhead N                            seconds of the N-th Bayesian proposal in 10 dimensions
//! ```
//! ROOT holds the imported dataset of the function `experiment` (benches/oracles.toml).
//! The first 10 trials and the noise come from (seed, trial) by the hash of `oracles.py`: both sides start alike.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::f64::consts::PI;
use std::path::Path;
use std::time::Instant;

use fadecast::device::Backend;
use fadecast::experiment::fitted::{FitContext, Fitted};
use fadecast::experiment::search::{Settings, binding};
use fadecast::experiment::task::Task;
use fadecast::experiment::{parse, score};
use fadecast::seed::Seed;
use fadecast::train::Interrupt;
use fadecast::tuner::config::OracleKind;
use fadecast::tuner::oracle::{self, Proposal, View};
use fadecast::tuner::{
    Domain, Evaluation, Measurement, Objective, Origin, Param, Scale, Space, Status, Trial, TunerConfig,
    Value, Values,
};
use serde::Deserialize;

/// Trials that both sides are given.
const STARTUP: usize = 10;

/// A function to be minimised over a space, as oracles.py has it.
struct Function {
    space: Space,
    /// The value without noise; NaN where an evaluation fails.
    value: Box<dyn Fn(&Values) -> f64>,
    minimum: f64,
    /// Standard deviation of the noise of an observation.
    noise: f64,
}

/// Returns a function by its name; of an experiment nobody knows the minimum: its regret is its value.
fn function(name: &str, root: Option<&&str>) -> Function {
    let exact = |space, value: fn(&Values) -> f64, minimum| Function {
        space,
        value: Box::new(value),
        minimum,
        noise: 0.0,
    };
    match name {
        "branin" => {
            exact(of(&[("x", real(-5.0, 10.0)), ("y", real(0.0, 15.0))]), branin, 0.397_887_357_729_738_16)
        }
        "hartmann6" => {
            let names = ["x0", "x1", "x2", "x3", "x4", "x5"];
            exact(of(&names.map(|name| (name, real(0.0, 1.0)))), hartmann6, -3.322_368_011_415_514)
        }
        "noisy_quadratic" => Function { noise: 0.084_094, ..exact(mixed(), quadratic, 0.0) },
        "experiment" => {
            let root = root.expect("the experiment needs the folder of its dataset");
            let experiment = Experiment::load(Path::new(root));
            let space = experiment.settings.space.clone();
            Function { space, value: Box::new(move |v| experiment.rmse(v)), minimum: 0.0, noise: 0.0 }
        }
        _ => unreachable!("the function is branin, hartmann6, noisy_quadratic or experiment"),
    }
}

/// The networks of benches/oracles.toml, with their data.
struct Experiment {
    settings: Settings,
    task: Task,
}

impl Experiment {
    fn load(root: &Path) -> Self {
        let name = "benches/oracles.toml";
        let config = parse::parse(include_str!("oracles.toml"), name, &[]).expect("an experiment");
        let settings = Settings::new(&config, name).expect("a search");
        let task = Task::load(&settings.base, root).expect("the dataset lies under the folder given");
        Self { settings, task }
    }

    /// Returns the mean RMSE over the cells left out [Ah]; NaN where a network diverges.
    fn rmse(&self, values: &Values) -> f64 {
        let Settings { base, space, .. } = &self.settings;
        assert_eq!(space.misfit(values), None, "both sides search the same space");
        let config = binding::bind(base, space, values).expect("every point of the space is an experiment");
        let context = FitContext {
            backend: Backend::Flex,
            checkpoint: None,
            interrupt: &Interrupt::new(),
            until: None,
            judge: false,
            start: None,
            observe: &mut (),
        };
        let fitted = Fitted::fit(&config, &self.task, context).expect("a fit without files");
        let predicted = fitted.predict(&config, &self.task, Backend::Flex).expect("predictions");
        score::score(&self.task, &predicted).get("rmse").map_or(f64::NAN, |m| m.mean)
    }
}

fn of(domains: &[(&str, Domain)]) -> Space {
    let param = |(name, domain): &(&str, Domain)| Param {
        name: (*name).to_owned(),
        key: (*name).to_owned(),
        index: None,
        domain: domain.clone(),
        conditions: Vec::new(),
    };
    Space { params: domains.iter().map(param).collect() }
}

fn real(min: f64, max: f64) -> Domain {
    Domain::Float { min, max, step: None, scale: Scale::Linear }
}

fn mixed() -> Space {
    let kinds = ["a", "b", "c", "d"].map(|kind| Value::Text(kind.into())).to_vec();
    of(&[
        ("x", real(-5.0, 5.0)),
        ("y", real(-5.0, 5.0)),
        ("n", Domain::Int { min: 1, max: 20, step: 1, scale: Scale::Linear }),
        ("kind", Domain::Choice { values: kinds, ordered: false }),
        ("rate", Domain::Float { min: 1e-5, max: 1e-1, step: None, scale: Scale::Log }),
    ])
}

fn number(values: &Values, name: &str) -> f64 {
    values[name].as_f64().expect("a number")
}

fn branin(values: &Values) -> f64 {
    let (x, y) = (number(values, "x"), number(values, "y"));
    let bow = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    bow * bow + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

fn hartmann6(values: &Values) -> f64 {
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
    // The names are in the order of the coordinates.
    let x: Vec<f64> = values.keys().map(|name| number(values, name)).collect();
    let term = |k: usize| {
        let squares = (0..6).map(|j| A[k][j] * (x[j] - P[k][j] * 1e-4).powi(2));
        -ALPHA[k] * (-squares.sum::<f64>()).exp()
    };
    (0..4).map(term).sum()
}

fn quadratic(values: &Values) -> f64 {
    let at = |name| number(values, name);
    let (x, y) = ((at("x") - 1.3) / 5.0, (at("y") + 2.1) / 5.0);
    let offset = match &values["kind"] {
        Value::Text(kind) if kind == "a" => 0.6,
        Value::Text(kind) if kind == "b" => 0.0,
        Value::Text(kind) if kind == "c" => 0.3,
        _ => 1.0,
    };
    let rate = at("rate").log10() + 2.6;
    x * x + y * y + 0.5 * x * y + ((at("n") - 13.0) / 10.0).powi(2) + offset + rate * rate / 2.0
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

/// A study in memory.
struct Study {
    kind: OracleKind,
    space: Space,
    config: TunerConfig,
    objectives: Vec<Objective>,
    seed: Seed,
    trials: Vec<Trial>,
}

impl Study {
    fn new(kind: OracleKind, space: Space, seed: u64) -> Self {
        let config = TunerConfig { oracle: kind, initial: Some(STARTUP), ..TunerConfig::default() };
        let objectives = vec![Objective::minimise("value")];
        Self { kind, space, config, objectives, seed: Seed::new(seed), trials: Vec::new() }
    }

    fn propose(&self) -> Values {
        let view = View {
            space: &self.space,
            objectives: &self.objectives,
            config: &self.config,
            epochs: 1,
            trials: &self.trials,
            seed: &self.seed,
        };
        match oracle::create(self.kind).propose(&view) {
            Proposal::Trial { values, .. } => values,
            _ => unreachable!("a space with ranges is never exhausted"),
        }
    }

    fn add(&mut self, values: Values, origin: Origin, value: f64) {
        let number = self.trials.len();
        let status = if value.is_finite() { Status::Completed } else { Status::Failed };
        let metrics = [("value".to_owned(), Measurement { mean: value, ..Measurement::default() })].into();
        let evaluation = Some(Evaluation { epoch: 1, metrics, seconds: 0.0 });
        let trial = Trial::new(number, number.to_string(), values, None);
        self.trials.push(Trial { origin, status, evaluation, ..trial });
    }
}

/// Returns the values that both sides are given as trial `trial`.
fn given(space: &Space, seed: u64, trial: usize) -> Values {
    let point: Vec<f64> = (0..space.len() as u64).map(|k| uniform(seed, trial as u64, k)).collect();
    space.values(&point)
}

/// Returns the regret after each trial: the noise-free value of the trial observed to be best, minus the minimum.
fn search(function: &Function, kind: OracleKind, budget: usize, seed: u64) -> Vec<f64> {
    let mut study = Study::new(kind, function.space.clone(), seed);
    let (mut regret, mut best) = (Vec::new(), (f64::INFINITY, f64::NAN));
    for trial in 0..budget {
        let (values, origin) = if trial < STARTUP {
            (given(&study.space, seed, trial), Origin::Enqueued)
        } else {
            (study.propose(), Origin::Proposed)
        };
        let exact = (function.value)(&values);
        let noise = if function.noise > 0.0 { function.noise * normal(seed, trial as u64) } else { 0.0 };
        if exact + noise < best.0 {
            best = (exact + noise, exact - function.minimum);
        }
        regret.push(best.1);
        study.add(values, origin, exact + noise);
    }
    regret
}

/// A line of `serve`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Request {
    /// `[seed, trial]`: asks for the values that both sides are given.
    Given(u64, usize),
    /// Values by name: asks for the value of the function.
    Value(Values),
}

/// Answers each line of stdin by one of stdout: values as an object, or a number, null where the evaluation fails.
fn serve(function: &Function) {
    for line in std::io::stdin().lines() {
        let line = line.expect("a line of text");
        let answer = match serde_json::from_str(&line).expect("[seed, trial] or values by name") {
            Request::Given(seed, trial) => serde_json::to_string(&given(&function.space, seed, trial)),
            Request::Value(values) => serde_json::to_string(&(function.value)(&values)),
        };
        println!("{}", answer.expect("values and numbers are JSON"));
    }
}

/// Returns the seconds that the `n`-th proposal takes, after `n - 1` trials gathered near the best of a 10-d bowl.
fn overhead(n: u64) -> f64 {
    let names: Vec<String> = (0..10).map(|k| format!("x{k}")).collect();
    let domains: Vec<_> = names.iter().map(|name| (name.as_str(), real(0.0, 1.0))).collect();
    let mut study = Study::new(OracleKind::Bayesian, of(&domains), 0);
    for t in 0..n - 1 {
        // Half of the trials are spread over the cube, half close in on (0.4, ..., 0.4).
        let width = if t.is_multiple_of(2) { 1.0 } else { 0.2 };
        let point: Vec<f64> = (0..10).map(|k| 0.4 + width * (uniform(0, t, k) - 0.4)).collect();
        let value = point.iter().map(|x| (x - 0.4).powi(2) + 0.1 * (9.0 * x).sin()).sum();
        study.add(study.space.values(&point), Origin::Proposed, value);
    }
    let start = Instant::now();
    let values = study.propose();
    assert_eq!(values.len(), 10);
    start.elapsed().as_secs_f64()
}

/// Returns an oracle and what oracles.py calls it.
fn sampler(name: &str) -> (OracleKind, &'static str) {
    match name {
        "bayesian" => (OracleKind::Bayesian, "ours"),
        "random" => (OracleKind::Random, "ours_random"),
        _ => unreachable!("the oracle is random or bayesian"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let count = |text: &str| text.parse::<u64>().expect("a number");
    match texts[..] {
        ["overhead", n] => {
            let (n, seconds) = (count(n), overhead(count(n)));
            println!("{{\"suggestion\": {n}, \"dimensions\": 10, \"seconds\": {seconds:.4}}}");
        }
        ["serve", name, ref root @ ..] => serve(&function(name, root.first())),
        [name, oracle, budget, seeds, ref root @ ..] => {
            let function = function(name, root.first());
            let (kind, sampler) = sampler(oracle);
            for seed in 0..count(seeds) {
                let regret = search(&function, kind, count(budget) as usize, seed);
                println!(
                    "{{\"function\": \"{name}\", \"sampler\": \"{sampler}\", \"seed\": {seed}, \"regret\": {regret:?}}}"
                );
            }
        }
        _ => println!(
            "oracles FUNCTION ORACLE BUDGET SEEDS [ROOT], oracles serve FUNCTION [ROOT], or oracles overhead N"
        ),
    }
}
