//! A small engine and small rows for the tests of the fit: a line with dropout on its inputs, fitted with Adam.

use std::path::PathBuf;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, de::DeserializeOwned};

use super::engine::{Engine, MemberState, MemberStep, Rows};
use super::history::HistoryLine;
use super::{FitError, FitPlan, Fold, History, Interrupt, MemberFit, MemberPlan, Observe, TrainConfig, fit};
use crate::file;
use crate::seed::Seed;

const D_INPUT: usize = 2;

/// What a member was asked for in one step.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) member_idx: usize,
    pub(crate) batch: Vec<u32>,
    pub(crate) learning_rate: f32,
    pub(crate) dropout_seed: [u8; 32],
}

/// The line: weights `[2]` and bias, two moments each, and the running mean of the labels as a statistic.
pub(crate) struct Toy {
    states: Vec<MemberState>,
    n_steps: u64,
    kill_at: Option<u64>,
    interrupt_after: Option<u64>,
    interrupt: Arc<Interrupt>,
    until: Option<u32>,
    log: Vec<Asked>,
}

impl Toy {
    pub(crate) fn new(n_members: usize) -> Self {
        let state = MemberState {
            weights: vec![0.0; D_INPUT + 1],
            memory: vec![0.0; 2 * (D_INPUT + 1)],
            statistics: vec![0.0],
            steps: 0,
        };
        Self::of(&vec![state; n_members])
    }

    pub(crate) fn of(states: &[MemberState]) -> Self {
        let (states, interrupt) = (states.to_vec(), Arc::default());
        let (kill_at, interrupt_after, until) = (None, None, None);
        Self { states, n_steps: 0, kill_at, interrupt_after, interrupt, until, log: Vec::new() }
    }

    /// Unwinds instead of taking step `n` (from 0) of the population.
    pub(crate) fn killed_at(n_members: usize, n: u64) -> Self {
        Self { kill_at: Some(n), ..Self::new(n_members) }
    }

    /// Asks for a pause during step `n` (from 1) of the population.
    pub(crate) fn interrupted_after(n_members: usize, n: u64) -> Self {
        Self { interrupt_after: Some(n), ..Self::new(n_members) }
    }

    /// Gives the fit a budget of epochs.
    pub(crate) fn until(self, epoch: u32) -> Self {
        Self { until: Some(epoch), ..self }
    }

    fn line(state: &MemberState, x: &[f32]) -> f32 {
        let [a, b, bias] = state.weights[..] else { panic!("three weights") };
        a * x[0] + b * x[1] + bias
    }
}

impl Engine for Toy {
    fn n_members(&self) -> usize {
        self.states.len()
    }

    fn step(&mut self, steps: &[Option<MemberStep<'_>>]) -> Vec<f32> {
        if self.kill_at == Some(self.n_steps) {
            std::panic::resume_unwind(Box::new("killed"));
        }
        self.n_steps += 1;
        if self.interrupt_after == Some(self.n_steps) {
            self.interrupt.interrupt();
        }
        for (member_idx, step) in steps.iter().enumerate() {
            let Some(s) = step else { continue };
            let (batch, learning_rate, dropout_seed) = (s.batch.to_vec(), s.learning_rate, s.dropout_seed);
            self.log.push(Asked { member_idx, batch, learning_rate, dropout_seed });
        }
        let members = self.states.iter_mut().zip(steps);
        members.map(|(state, step)| step.as_ref().map_or(0.0, |s| member_step(state, s))).collect()
    }

    fn predict(&mut self, rows: &[Arc<Rows>]) -> Vec<Vec<f32>> {
        let member = |(state, rows): (&MemberState, &Arc<Rows>)| {
            let shift = 0.01 * state.statistics[0];
            rows.inputs.chunks(D_INPUT).map(|x| Self::line(state, x) + shift).collect()
        };
        self.states.iter().zip(rows).map(member).collect()
    }

    fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)> {
        let member = |(state, rows): (&MemberState, &Arc<Rows>)| {
            let (mut loss, mut gradient, n) = (0.0, vec![0.0; D_INPUT + 1], rows.len() as f32);
            for (x, label) in rows.inputs.chunks(D_INPUT).zip(&rows.labels) {
                let residual = Self::line(state, x) - label;
                loss += residual * residual / n;
                let by_weight = [x[0], x[1], 1.0].map(|x| 2.0 * residual * x / n);
                gradient.iter_mut().zip(by_weight).for_each(|(g, by)| *g += by);
            }
            (loss, gradient)
        };
        self.states.iter().zip(rows).map(member).collect()
    }

    fn state(&self, member_idx: usize) -> MemberState {
        self.states[member_idx].clone()
    }

    fn set_state(&mut self, member_idx: usize, state: &MemberState) {
        self.states[member_idx] = state.clone();
    }
}

fn member_step(state: &mut MemberState, step: &MemberStep<'_>) -> f32 {
    let mut masks = ChaCha8Rng::from_seed(step.dropout_seed);
    let (mut loss, mut gradient, n) = (0.0, [0.0; D_INPUT + 1], step.batch.len() as f32);
    for &row in step.batch {
        let at = row as usize * D_INPUT;
        let mut keep =
            |x: f32| if masks.random::<f32>() < step.dropout { 0.0 } else { x / (1.0 - step.dropout) };
        let x = [keep(step.rows.inputs[at]), keep(step.rows.inputs[at + 1]), 1.0];
        let residual = Toy::line(state, &x) - step.rows.labels[row as usize];
        loss += residual * residual / n;
        gradient.iter_mut().zip(x).for_each(|(g, x)| *g += 2.0 * residual * x / n);
        state.statistics[0] = 0.9 * state.statistics[0] + 0.1 * step.rows.labels[row as usize];
    }
    state.steps += 1;
    let (first, second) = state.memory.split_at_mut(D_INPUT + 1);
    let correction = |beta: f32| 1.0 - beta.powf(state.steps as f32);
    for (i, w) in state.weights.iter_mut().enumerate() {
        let g = gradient[i] + step.weight_decay * *w;
        first[i] = 0.9 * first[i] + 0.1 * g;
        second[i] = 0.999 * second[i] + 0.001 * g * g;
        let root = (second[i] / correction(0.999)).sqrt();
        *w -= step.learning_rate * first[i] / correction(0.9) / (root + 1e-8);
    }
    loss * step.loss_weight
}

/// Returns `n` rows of the line y = 2 a - b + 0.5, other ones for each `seed`.
pub(crate) fn rows(n: usize, seed: u64) -> Rows {
    let mut draw = Seed::new(seed).stream("toy");
    let inputs: Vec<f32> = (0..n * D_INPUT).map(|_| draw.random_range(-1.0..1.0)).collect();
    Rows {
        d_input: D_INPUT,
        labels: inputs.chunks(D_INPUT).map(|x| 2.0 * x[0] - x[1] + 0.5).collect(),
        inputs,
        weights: vec![1.0; n],
        later: (0..n as u32).collect(),
        ..Rows::default()
    }
}

/// Returns one member for each of `n` folds, whose training parts differ in length and which share validation rows.
pub(crate) fn members(n: usize, dropout: f64) -> Vec<MemberPlan> {
    let validation = Some(Arc::new(rows(7, 1000)));
    let fold = |i: usize| Fold {
        name: format!("fold{i}"),
        train: Arc::new(rows(40 + 25 * i, i as u64)),
        validation: validation.clone(),
    };
    let config = TrainConfig { learning_rate: 0.1, ..TrainConfig::default() };
    let folds: Vec<_> = (0..n).map(fold).collect();
    Fold::members(&folds, &config, dropout, &Seed::new(5))
}

/// A folder in which a fit keeps its checkpoint and its history.
pub(crate) struct Files(tempfile::TempDir);

/// What a fit left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) fits: Vec<MemberFit>,
    /// Bytes of checkpoint and history.
    pub(crate) files: [Vec<u8>; 2],
    pub(crate) n_steps: u64,
    pub(crate) log: Vec<Asked>,
}

impl Done {
    pub(crate) fn history(&self) -> Vec<HistoryLine> {
        let text = std::str::from_utf8(&self.files[1]).unwrap();
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }
}

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn paths(&self) -> [PathBuf; 2] {
        ["checkpoint.safetensors", "history.jsonl"].map(|name| self.0.path().join(name))
    }

    pub(crate) fn fit(&self, config: &TrainConfig, members: &[MemberPlan], engine: Toy) -> Done {
        self.fit_watched(config, members, engine, &mut ())
    }

    /// Fits with an observer beside the history.
    pub(crate) fn fit_watched(
        &self,
        config: &TrainConfig,
        members: &[MemberPlan],
        mut engine: Toy,
        observe: &mut dyn Observe,
    ) -> Done {
        let fits = self.try_fit(config, members, &mut engine, observe).unwrap();
        let files = self.paths().map(|path| file::read(&path).unwrap());
        Done { fits, files, n_steps: engine.n_steps, log: engine.log }
    }

    pub(crate) fn try_fit(
        &self,
        config: &TrainConfig,
        members: &[MemberPlan],
        engine: &mut Toy,
        observe: &mut dyn Observe,
    ) -> Result<Vec<MemberFit>, FitError> {
        let [checkpoint, history] = self.paths();
        let (interrupt, until) = (Arc::clone(&engine.interrupt), engine.until);
        let checkpoint = Some(checkpoint.as_path());
        let plan = FitPlan { config, members, network: "toy", checkpoint, interrupt: &interrupt, until };
        fit(engine, &plan, &mut (History::new(history), observe))
    }
}

/// Fits without a pause in a folder of its own.
pub(crate) fn straight(config: &TrainConfig, members: &[MemberPlan]) -> Done {
    Files::new().fit(config, members, Toy::new(members.len()))
}

/// Checks that a state which was saved after any number of inputs and read again goes on like one that was not.
pub(crate) fn check_resume<S: Clone + Serialize + DeserializeOwned, T: PartialEq + std::fmt::Debug>(
    fresh: &S,
    inputs: &[f64],
    mut step: impl FnMut(&mut S, f64) -> T,
) {
    let mut run = |state: &mut S, inputs: &[f64]| inputs.iter().map(|&x| step(state, x)).collect::<Vec<_>>();
    let straight = run(&mut fresh.clone(), inputs);
    for half in 0..=inputs.len() {
        let mut state = fresh.clone();
        run(&mut state, &inputs[..half]);
        let saved = serde_json::to_vec(&state).unwrap();
        let mut resumed: S = serde_json::from_slice(&saved).unwrap();
        assert_eq!(run(&mut resumed, &inputs[half..]), straight[half..], "saved after {half}");
    }
}
