//! The same bytes for the same seed: killed or not, interrupted or not, alone or in a population.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fadecast::model::{Activation, Architecture, NetworkConfig, Normalisation};
use fadecast::seed::Seed;
use fadecast::train::engine::{Engine, Fused, MemberStart, MemberState, MemberStep, Population, Rows};
use fadecast::train::{
    EarlyStopConfig, FitPlan, Fold, History, Interrupt, MemberFit, MemberPlan, OptimizerConfig,
    OptimizerKind, ScheduleConfig, TrainConfig, fit,
};
use rand::RngExt;

const D_INPUT: usize = 3;

/// Rows of y = sin(3 a) + 0.3 b; the third input says nothing.
fn rows(n: usize, seed: u64) -> Arc<Rows> {
    let mut draw = Seed::new(seed).stream("rows");
    let inputs: Vec<f32> = (0..n * D_INPUT).map(|_| draw.random_range(-1.0..1.0)).collect();
    Arc::new(Rows {
        d_input: D_INPUT,
        labels: inputs.chunks(D_INPUT).map(|x| (3.0 * x[0]).sin() + 0.3 * x[1]).collect(),
        inputs,
        weights: vec![1.0; n],
        later: (0..n as u32).collect(),
        ..Rows::default()
    })
}

/// Two members for each of three folds, whose training parts differ in length.
fn members(config: &TrainConfig, network: &NetworkConfig) -> Vec<MemberPlan> {
    let validation = Some(rows(50, 99));
    let fold = |i: usize| Fold {
        name: format!("fold{i}"),
        train: rows(150 + 75 * i, i as u64),
        validation: validation.clone(),
    };
    Fold::members(&[0, 1, 2].map(fold), config, f64::from(network.dropout), &Seed::new(7))
}

fn engine(config: &TrainConfig, network: &NetworkConfig, members: &[MemberPlan]) -> Fused {
    let architecture = Architecture { d_input: D_INPUT, d_output: 1, network: network.clone(), prior: None };
    let start = |m: &MemberPlan| MemberStart { seed: m.seed.clone(), prior: None };
    Fused::new(&Population {
        architecture,
        objective: config.objective(),
        optimizer: config.optimizer,
        members: members.iter().map(start).collect(),
    })
}

fn config() -> TrainConfig {
    TrainConfig {
        epochs: 12,
        batch_size: 8,
        members: 2,
        learning_rate: 0.01,
        schedule: ScheduleConfig::ReduceOnPlateau { patience: 1, factor: 0.5, min_fraction: 0.01 },
        early_stop: Some(EarlyStopConfig { patience: 2, min_delta: 1e-4 }),
        checkpoint_every: 5,
        ..TrainConfig::default()
    }
}

/// Networks whose every part has a state: padded widths, statistics, masks.
fn networks() -> Vec<NetworkConfig> {
    let all =
        [(Activation::Softplus, Normalisation::Batch, 0.2), (Activation::Gelu, Normalisation::Layer, 0.0)];
    let network = |(activation, normalisation, dropout)| NetworkConfig {
        hidden: vec![17, 17],
        activation,
        normalisation,
        dropout,
        skip: true,
    };
    all.map(network).into()
}

/// What happens at a call of the engine.
#[derive(Debug, Clone, Copy)]
enum Event {
    Kill(u32),
    Interrupt(u32),
    Nothing,
}

/// An engine to which something happens.
struct Eventful<'a> {
    inner: Fused,
    event: Event,
    n_calls: u32,
    interrupt: &'a Interrupt,
}

impl Eventful<'_> {
    fn happen(&mut self) {
        self.n_calls += 1;
        match self.event {
            Event::Kill(n) if n == self.n_calls => resume_unwind(Box::new("killed")),
            Event::Interrupt(n) if n == self.n_calls => self.interrupt.interrupt(),
            _ => {}
        }
    }
}

impl Engine for Eventful<'_> {
    fn n_members(&self) -> usize {
        self.inner.n_members()
    }

    fn step(&mut self, steps: &[Option<MemberStep<'_>>]) -> Vec<f32> {
        self.inner.step(steps)
    }

    fn epoch(&mut self, steps: &[Vec<MemberStep<'_>>]) -> Vec<Vec<f32>> {
        self.happen();
        self.inner.epoch(steps)
    }

    fn predict(&mut self, rows: &[Arc<Rows>]) -> Vec<Vec<f32>> {
        self.inner.predict(rows)
    }

    fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)> {
        self.happen();
        self.inner.loss_and_gradient(rows)
    }

    fn state(&self, member_idx: usize) -> MemberState {
        self.inner.state(member_idx)
    }

    fn set_state(&mut self, member_idx: usize, state: &MemberState) {
        self.inner.set_state(member_idx, state);
    }
}

/// A network and the folder in which its fit keeps its files.
struct Run<'a> {
    config: TrainConfig,
    network: &'a NetworkConfig,
    folder: tempfile::TempDir,
}

impl<'a> Run<'a> {
    fn new(network: &'a NetworkConfig) -> Self {
        Self::of(config(), network)
    }

    fn of(config: TrainConfig, network: &'a NetworkConfig) -> Self {
        Self { config, network, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Fits, unless it is killed; returns also how often it called the engine.
    fn fit(&self, members: &[MemberPlan], event: Event) -> Option<(Vec<MemberFit>, u32)> {
        let interrupt = Interrupt::new();
        let inner = engine(&self.config, self.network, members);
        let mut engine = Eventful { inner, event, n_calls: 0, interrupt: &interrupt };
        let checkpoint = self.path("checkpoint.safetensors");
        let plan = FitPlan {
            config: &self.config,
            members,
            network: "dense",
            checkpoint: Some(Path::new(&checkpoint)),
            interrupt: &interrupt,
            until: None,
        };
        let mut history = History::new(self.path("history.jsonl"));
        let fits = catch_unwind(AssertUnwindSafe(|| fit(&mut engine, &plan, &mut history))).ok()?.unwrap();
        Some((fits, engine.n_calls))
    }

    fn files(&self) -> [Vec<u8>; 2] {
        ["checkpoint.safetensors", "history.jsonl"].map(|name| std::fs::read(self.path(name)).unwrap())
    }
}

#[test]
fn a_dense_network_learns_a_curve() {
    let network =
        NetworkConfig { hidden: vec![32, 32], activation: Activation::Tanh, ..NetworkConfig::default() };
    let config = TrainConfig {
        epochs: 200,
        schedule: ScheduleConfig::WarmupCosine { warmup_epochs: 5, final_fraction: 0.01 },
        early_stop: None,
        ..config()
    };
    let members = members(&config, &network);
    let interrupt = Interrupt::new();
    let plan = FitPlan {
        config: &config,
        members: &members,
        network: "dense",
        checkpoint: None,
        interrupt: &interrupt,
        until: None,
    };
    let fits = fit(&mut engine(&config, &network, &members), &plan, &mut ()).unwrap();
    for member in fits {
        // The labels' variance is 0.52 + 0.03; the best plane through them leaves 0.16 (by integration).
        let loss = member.best_validation_loss.unwrap();
        assert!(loss < 0.003, "{}: {loss}", member.name);
    }
}

#[test]
fn a_population_of_six_is_six_populations_of_one() {
    for network in networks() {
        let run = Run::new(&network);
        let members = members(&run.config, &network);
        let (together, _) = run.fit(&members, Event::Nothing).unwrap();
        for (member, expected) in members.iter().zip(&together) {
            let (alone, _) = Run::new(&network).fit(std::slice::from_ref(member), Event::Nothing).unwrap();
            assert_eq!(&alone[0], expected);
        }
    }
}

#[test]
fn a_run_that_was_killed_or_interrupted_ends_with_the_same_bytes() {
    for network in networks() {
        let straight = Run::new(&network);
        let members = members(&straight.config, &network);
        let (fits, n_calls) = straight.fit(&members, Event::Nothing).unwrap();
        assert!(n_calls > 10);
        for n in (1..=n_calls).step_by(3) {
            let run = Run::new(&network);
            assert!(run.fit(&members, Event::Kill(n)).is_none());
            let (paused, _) = run.fit(&members, Event::Interrupt(1)).unwrap();
            assert!(n == n_calls || paused.iter().any(|m| m.stop.is_pause()));
            assert_eq!(run.fit(&members, Event::Nothing).unwrap().0, fits);
            assert_eq!(run.files(), straight.files());
        }
    }
}

#[test]
fn lbfgs_learns_the_curve_and_resumes_with_the_same_bytes() {
    let network =
        NetworkConfig { hidden: vec![12], activation: Activation::Tanh, ..NetworkConfig::default() };
    let optimizer = OptimizerConfig { kind: OptimizerKind::Lbfgs, ..OptimizerConfig::default() };
    let config = TrainConfig { epochs: 60, optimizer, early_stop: None, members: 1, ..config() };
    let straight = Run::of(config.clone(), &network);
    let members = members(&config, &network);
    let (fits, n_calls) = straight.fit(&members, Event::Nothing).unwrap();
    for member in &fits {
        let loss = member.best_validation_loss.unwrap();
        assert!(loss < 0.01, "{}: {loss}", member.name);
    }
    for n in (2..n_calls).step_by(n_calls as usize / 4) {
        let run = Run::of(config.clone(), &network);
        assert!(run.fit(&members, Event::Kill(n)).is_none());
        let (paused, _) = run.fit(&members, Event::Interrupt(1)).unwrap();
        assert!(paused.iter().all(|m| m.stop.is_pause()));
        assert_eq!(run.fit(&members, Event::Nothing).unwrap().0, fits);
        assert_eq!(run.files(), straight.files());
    }
}
