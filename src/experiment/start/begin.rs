//! The begin of each network: the weights of its start, written for its fold.

use super::origin::Network;
use super::{Start, StartError};
use crate::experiment::config::ExperimentConfig;
use crate::experiment::fitted::Fitted;
use crate::experiment::fold::FittedFold;
use crate::experiment::population::{self, Job, architecture};
use crate::file;
use crate::model::Architecture;
use crate::model::hybrid;
use crate::model::rescale::{self, Outputs, Scale};
use crate::train::engine::{Engine, MemberState};

/// Gives each network of an engine the weights of its start; returns a hash of all of them.
///
/// # Errors
/// [`StartError::Inputs`], [`StartError::Skip`].
pub(in crate::experiment) fn begin(
    engine: &mut dyn Engine,
    start: &Start,
    jobs: &[Job],
    fitted: &[Fitted],
) -> Result<String, StartError> {
    let mut bytes = Vec::new();
    let mut member_idx = 0;
    for (job, fitted) in jobs.iter().zip(fitted) {
        let shapes = architecture(job.config, job.task);
        for fold in &fitted.folds {
            for idx in 0..population::n_per_fold(job.config) as usize {
                let (weights, statistics) = start.member(fold, idx, (job.config, &shapes))?;
                bytes.extend(weights.iter().chain(&statistics).flat_map(|v| v.to_le_bytes()));
                let state = MemberState { weights, statistics, ..engine.state(member_idx) };
                engine.set_state(member_idx, &state);
                member_idx += 1;
            }
        }
    }
    Ok(file::sha256_bytes(&bytes))
}

impl Start {
    /// Returns weights and statistics of a fold's network `idx`.
    fn member(
        &self,
        fold: &FittedFold,
        idx: usize,
        (config, shapes): (&ExperimentConfig, &Architecture),
    ) -> Result<(Vec<f32>, Vec<f32>), StartError> {
        let network = self.network(&fold.name, idx);
        let mut weights = network.weights.clone();
        let order = self.order(network, fold)?;
        if let Some(order) = &order {
            let all: Vec<usize> = order.iter().copied().chain(order.len()..shapes.d_input).collect();
            rescale::reorder(shapes, &mut weights, &all);
        }
        if let Some(from) = &network.scale {
            let from = padded(from, order.as_deref(), shapes.d_input);
            let own = fold.scaler.mean.iter().copied().zip(fold.scaler.sd.iter().copied()).collect();
            let own = padded(&Scale { inputs: own, label: fold.label_scale }, None, shapes.d_input);
            let skips = |source| StartError::Skip { fold: fold.name.clone(), source };
            rescale::rescale(shapes, &mut weights, (&from, &own), outputs(config, shapes)).map_err(skips)?;
        }
        set_law(&mut weights, network, (config, shapes), fold);
        Ok((weights, network.statistics.clone()))
    }

    /// Returns the network of a fold and seed, or the first of that fold, or the first of all.
    fn network(&self, fold: &str, idx: usize) -> &Network {
        let own = |network: &&Network| network.place.0 == fold;
        let same = self.networks.iter().filter(own).find(|network| network.place.1 == idx);
        same.or_else(|| self.networks.iter().find(own)).unwrap_or(&self.networks[0])
    }

    /// Returns where the network has each input of the fold; `None` where that is in its own order.
    fn order(&self, network: &Network, fold: &FittedFold) -> Result<Option<Vec<usize>>, StartError> {
        let Some(names) = network.inputs.as_ref().filter(|names| **names != fold.inputs) else {
            return Ok(None);
        };
        let order = fold.inputs.iter().map(|own| names.iter().position(|name| name == own));
        let order: Option<Vec<usize>> = order.collect();
        match order.filter(|order| order.len() == names.len()) {
            Some(order) => Ok(Some(order)),
            None => Err(StartError::Inputs {
                from: self.from().into(),
                fold: fold.name.clone(),
                found: names.join(", "),
                needed: fold.inputs.join(", "),
            }),
        }
    }
}

/// Returns a scale in another order of its inputs, filled up for inputs that are always 0.
fn padded(scale: &Scale, order: Option<&[usize]>, d_input: usize) -> Scale {
    let inputs: Vec<(f64, f64)> = match order {
        Some(order) => order.iter().map(|&idx| scale.inputs[idx]).collect(),
        None => scale.inputs.clone(),
    };
    let rest = d_input.saturating_sub(inputs.len());
    Scale { inputs: inputs.into_iter().chain(std::iter::repeat_n((0.0, 1.0), rest)).collect(), ..*scale }
}

fn outputs(config: &ExperimentConfig, shapes: &Architecture) -> Outputs {
    if config.train.loss.is_of_classes() {
        Outputs::Logits
    } else if shapes.prior.is_some() {
        Outputs::Residual
    } else {
        Outputs::Label
    }
}

/// Writes the offsets of a law's parameters, which keep their values, from the fit of this fold.
fn set_law(
    weights: &mut [f32],
    network: &Network,
    (config, shapes): (&ExperimentConfig, &Architecture),
    fold: &FittedFold,
) {
    let own = fold.prior_start(config);
    let (Some(prior), Some(from), Some(own)) = (&shapes.prior, &network.prior, &own) else { return };
    if from.theta == own.theta {
        return;
    }
    let theta = shapes.theta(&network.weights, from);
    let first = weights.len() - theta.len();
    let limits = prior.limits(own);
    for (idx, (value, parameter)) in theta.iter().zip(prior.law.parameters()).enumerate() {
        let fit = own.theta[idx];
        let offset = ((value - fit) / hybrid::scale(parameter, fit)) as f32;
        weights[first + idx] = offset.clamp(limits[idx].0, limits[idx].1);
    }
}
