//! Populations: the networks that one or several experiments train side by side, each with rows, rates and seeds of
//! its own, so that none depends on its company.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::{ExperimentConfig, ModelKind, Validation};
use super::error::ExperimentError;
use super::fold::FittedFold;
use super::task::Task;
use crate::file;
use crate::model::Architecture;
use crate::model::hybrid::PriorConfig;
use crate::prepare::{Fold, Frame};
use crate::seed::Seed;
use crate::train::engine::{MemberStart, Population};
use crate::train::{Hyper, MemberPlan, Objective, TrainConfig};

/// One experiment of a population.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// What its networks' names begin with, in histories, checkpoints and messages (`trial3/B0005/seed0`), unlike that
    /// of any other job of the population; empty for the bare names.
    pub label: &'a str,
    /// The experiment.
    pub config: &'a ExperimentConfig,
    /// Its data.
    pub task: &'a Task,
}

/// Returns what two experiments have in common whose networks can train as one population: architecture, objective,
/// optimiser and training, but not dropout, learning rate, weight decay and loss weight, which each network has for
/// itself. A hash; models of one kind without networks share one.
pub fn group_key(config: &ExperimentConfig, task: &Task) -> String {
    if !has_networks(config) {
        return file::sha256_bytes(format!("without networks: {}", config.model.kind.name()).as_bytes());
    }
    let train =
        TrainConfig { learning_rate: 0.0, weight_decay: 0.0, loss_weight: 0.0, ..config.train.clone() };
    let text = format!("{:?} {train:?}", population(config, task, Vec::new()));
    file::sha256_bytes(text.as_bytes())
}

/// Refuses jobs of which one cannot share a population with the first.
pub(super) fn check_group(jobs: &[Job]) -> Result<(), ExperimentError> {
    let Some((first, others)) = jobs.split_first() else { return Ok(()) };
    let key = group_key(first.config, first.task);
    match others.iter().find(|job| group_key(job.config, job.task) != key) {
        Some(job) => Err(ExperimentError::Group { first: first.label.into(), other: job.label.into() }),
        None => Ok(()),
    }
}

/// Returns whether the experiment's model has networks to train.
pub(super) fn has_networks(config: &ExperimentConfig) -> bool {
    config.model.kind.has_networks()
}

/// Returns the networks that each fold trains: `repeats` times `members`.
pub(super) fn n_per_fold(config: &ExperimentConfig) -> u32 {
    config.repeats * config.train.members
}

/// Returns the plan of each of a job's networks, fold after fold; with `judge` each is judged by the fold's test rows.
pub(super) fn plans(job: &Job, folds: &[FittedFold], judge: bool) -> Vec<MemberPlan> {
    folds.iter().zip(&job.task.folds).flat_map(|(fold, split)| fold_plans(job, fold, split, judge)).collect()
}

fn fold_plans(job: &Job, fold: &FittedFold, split: &Fold, judge: bool) -> Vec<MemberPlan> {
    let Job { label, config, task } = *job;
    let hyper = Hyper::new(&config.train, f64::from(config.model.dropout));
    let mut parts = BTreeMap::new();
    let mut rows = |part: Vec<usize>| {
        let rows =
            parts.entry(part).or_insert_with_key(|part| Arc::new(fold.rows(config, &task.frame, part)));
        Arc::clone(rows)
    };
    let mut plan = |idx: u32| {
        let (train, validation) = if judge {
            (split.train.clone(), Some(scored(&task.frame, split)))
        } else {
            hold_out(config.validation, &task.frame, &split.train, idx as usize)
        };
        let name = name(fold, idx);
        MemberPlan {
            seed: seed(config, &name),
            name: if label.is_empty() { name } else { format!("{label}/{name}") },
            train: rows(train),
            validation: validation.map(&mut rows),
            hyper,
        }
    };
    (0..n_per_fold(config)).map(&mut plan).collect()
}

/// Returns where each of an experiment's networks starts, in the order of their plans.
pub(super) fn starts(config: &ExperimentConfig, folds: &[FittedFold]) -> Vec<MemberStart> {
    let start = |fold: &FittedFold, idx| MemberStart {
        seed: seed(config, &name(fold, idx)),
        prior: fold.prior_start(config),
    };
    folds.iter().flat_map(|fold| (0..n_per_fold(config)).map(move |idx| start(fold, idx))).collect()
}

/// Returns what an engine makes the networks of an experiment, or of all of its group, from. Their dropout comes with
/// each step, so the architecture has none.
pub(super) fn population(config: &ExperimentConfig, task: &Task, members: Vec<MemberStart>) -> Population {
    let mut architecture = architecture(config, task);
    architecture.network.dropout = 0.0;
    Population {
        architecture,
        objective: Objective {
            loss: config.train.loss,
            physics_consistency: config.model.physics_consistency,
            monotone_fade: config.model.monotone_fade,
        },
        optimizer: config.train.optimizer,
        members,
    }
}

/// Returns the shapes of the experiment's networks; with cross-entropy one output a tier.
pub fn architecture(config: &ExperimentConfig, task: &Task) -> Architecture {
    shapes(config, n_inputs(config, &task.frame), task.n_classes())
}

/// Returns the shapes of the experiment's networks for so many inputs and tiers.
pub(super) fn shapes(config: &ExperimentConfig, d_input: usize, n_classes: Option<usize>) -> Architecture {
    let model = &config.model;
    let prior = PriorConfig {
        law: model.prior,
        parameters: model.parameters,
        residual: model.residual,
        residual_scale: model.residual_scale,
    };
    Architecture {
        d_input,
        d_output: config.train.loss.d_output(n_classes),
        network: model.network(),
        prior: (model.kind == ModelKind::Hybrid).then_some(prior),
    }
}

/// Returns the inputs of the experiment's models, where a fold may keep fewer.
pub(super) fn n_inputs(config: &ExperimentConfig, frame: &Frame) -> usize {
    config.select.as_ref().map_or(usize::MAX, |select| select.top).min(frame.inputs.len())
}

pub(super) fn name(fold: &FittedFold, idx: u32) -> String {
    format!("{}/seed{idx}", fold.name)
}

/// Returns the root of a network's streams, which knows nothing of other jobs.
pub(super) fn seed(config: &ExperimentConfig, name: &str) -> Seed {
    Seed::new(config.seed).child("member").child(name)
}

/// Returns the test rows of a fold that are scored.
fn scored(frame: &Frame, fold: &Fold) -> Vec<usize> {
    fold.test.iter().copied().filter(|&row| frame.is_usable(row)).collect()
}

/// Separates validation rows from a fold's training rows, whole cells or the end of each cell.
fn hold_out(
    validation: Validation,
    frame: &Frame,
    train: &[usize],
    member_idx: usize,
) -> (Vec<usize>, Option<Vec<usize>>) {
    let cell = |row: &usize| frame.rows[*row].cell_idx;
    let cells: BTreeSet<usize> = train.iter().map(cell).collect();
    let (validation, train): (Vec<usize>, Vec<usize>) = match validation {
        Validation::None => return (train.to_vec(), None),
        Validation::Cell => {
            let held = cells.iter().nth(member_idx % cells.len()).copied();
            train.iter().partition(|row| Some(cell(row)) == held)
        }
        Validation::Fifth => {
            let position = |row: &usize| cells.iter().position(|c| *c == cell(row)).unwrap_or(0);
            train.iter().partition(|row| position(row) % 5 == member_idx % 5)
        }
        Validation::Tail => {
            let last = |c: &usize| {
                let rows: Vec<usize> = train.iter().copied().filter(|row| cell(row) == *c).collect();
                rows[(0.8 * rows.len() as f64) as usize..].to_vec()
            };
            let tails: BTreeSet<usize> = cells.iter().flat_map(last).collect();
            train.iter().partition(|row| tails.contains(row))
        }
    };
    (train, Some(validation))
}
