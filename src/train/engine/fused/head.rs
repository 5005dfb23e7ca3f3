//! From the network's output to the loss, and its gradient back to the network and the prior.

use std::sync::Arc;

use super::normalise::Role;
use super::workspace::Workspace;
use crate::model::{PriorConfig, PriorStart};
use crate::train::engine::Rows;
use crate::train::loss::{Loss, Objective, cross_entropy};

/// Sets of rows whose frozen prior a member remembers: those it trains on, validates on and is tested on.
const REMEMBERED: usize = 3;

/// What a frozen law says of every row of the sets last seen, in scaled label units.
#[derive(Debug, Default)]
pub(super) struct Frozen(Vec<(Arc<Rows>, Vec<f32>)>);

impl Frozen {
    /// Forgets all, as when the parameters are set.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the law of all `rows`, computed when they are seen first.
    fn of(&mut self, rows: &Arc<Rows>, law: impl Fn(u32) -> f32) -> &[f32] {
        let known = self.0.iter().position(|(seen, _)| Arc::ptr_eq(seen, rows));
        let idx = known.unwrap_or_else(|| {
            if self.0.len() == REMEMBERED {
                self.0.remove(0);
            }
            self.0.push((Arc::clone(rows), (0..rows.len() as u32).map(law).collect()));
            self.0.len() - 1
        });
        &self.0[idx].1
    }
}

/// What turns outputs into a loss, the same for all members.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) objective: Objective,
    pub(super) prior: Option<PriorConfig>,
}

impl Head {
    /// Returns the factor on the network's first output.
    pub(super) fn scale(&self) -> f32 {
        self.prior.as_ref().map_or(1.0, PriorConfig::scale)
    }

    /// Computes the prior of each row of the pass, and its derivatives by the parameters where they are trained and
    /// the pass is no evaluation.
    pub(super) fn prior(
        &self,
        theta: &[f32],
        (start, frozen): (Option<&PriorStart>, &mut Frozen),
        (rows, role): (&Arc<Rows>, Role),
        work: &mut Workspace,
    ) {
        let (Some(prior), Some(start)) = (&self.prior, start) else { return };
        let theta = &theta[..prior.law.parameters().len()];
        let stress = |row: u32| &rows.stress[row as usize * rows.d_stress..][..rows.d_stress];
        if !prior.is_trained() {
            let all = frozen.of(rows, |row| prior.evaluate(theta, stress(row), start, &mut []) as f32);
            for (value, &row) in work.prior.iter_mut().zip(&work.rows) {
                *value = all[row as usize];
            }
            return;
        }
        let n_slopes = if role == Role::Use { 0 } else { theta.len() };
        for (idx, &row) in work.rows.iter().enumerate() {
            let slopes = &mut work.prior_slopes[idx * n_slopes..][..n_slopes];
            work.prior[idx] = prior.evaluate(theta, stress(row), start, slopes) as f32;
        }
    }

    /// Returns the prediction of row `idx` of the pass: prior plus residual.
    pub(super) fn prediction(&self, idx: usize, work: &Workspace) -> f32 {
        work.prior[idx] + self.scale() * work.net[idx * work.d_output]
    }

    /// Returns the loss and writes its derivatives by prediction and by log variance.
    pub(super) fn loss(&self, rows: &Rows, n_batch: usize, loss_weight: f32, work: &mut Workspace) -> f32 {
        let total: f32 = work.rows[..n_batch].iter().map(|&row| rows.weights[row as usize]).sum();
        let unit = if total > 0.0 { loss_weight / total } else { 0.0 };
        work.d_residual.fill(0.0);
        work.d_prediction.fill(0.0);
        let mut sum = 0.0_f64;
        for idx in 0..n_batch {
            let row = work.rows[idx] as usize;
            let weight = rows.weights[row] * unit;
            sum += f64::from(weight * self.row(idx, rows.labels[row], weight, work));
            if self.objective.monotone_fade > 0.0 {
                sum += f64::from(weight * self.rise(idx, n_batch + idx, weight, work));
            }
        }
        sum as f32
    }

    /// Returns the loss of one row with its consistency penalty.
    fn row(&self, idx: usize, label: f32, weight: f32, work: &mut Workspace) -> f32 {
        let at = idx * work.d_output;
        if let Loss::CrossEntropy { label_smoothing } = self.objective.loss {
            let slopes = &mut work.d_residual[at..][..work.d_output];
            let loss = cross_entropy(&work.net[at..][..work.d_output], label, label_smoothing, slopes);
            for slope in slopes {
                *slope *= weight;
            }
            return loss;
        }
        let log_variance = if self.objective.loss == Loss::GaussianNll { work.net[at + 1] } else { 0.0 };
        let error = self.prediction(idx, work) - label;
        let (loss, by_error, by_log_variance) = self.objective.loss.evaluate(error, log_variance);
        work.d_prediction[idx] += weight * by_error;
        if work.d_output > 1 {
            work.d_residual[at + 1] = weight * by_log_variance;
        }
        if self.prior.is_none() {
            return loss;
        }
        let residual = self.scale() * work.net[at];
        work.d_residual[at] = weight * 2.0 * self.objective.physics_consistency * residual;
        loss + self.objective.physics_consistency * residual * residual
    }

    /// Returns the penalty on a prediction that rises to a later row.
    fn rise(&self, idx: usize, later: usize, weight: f32, work: &mut Workspace) -> f32 {
        let rise = (self.prediction(later, work) - self.prediction(idx, work)).max(0.0);
        let slope = weight * 2.0 * self.objective.monotone_fade * rise;
        work.d_prediction[later] += slope;
        work.d_prediction[idx] -= slope;
        self.objective.monotone_fade * rise * rise
    }

    /// Turns derivatives by prediction into those by the network's outputs, and writes those by the parameters.
    pub(super) fn backward(&self, theta: &mut [f32], work: &mut Workspace) {
        let scale = self.scale();
        for idx in 0..work.rows.len() {
            let by_net = &mut work.d_residual[idx * work.d_output];
            *by_net = scale * (*by_net + work.d_prediction[idx]);
        }
        theta.fill(0.0);
        let Some(prior) = self.prior.as_ref().filter(|prior| prior.is_trained()) else { return };
        let n_theta = prior.law.parameters().len();
        for (i, theta) in theta.iter_mut().take(n_theta).enumerate() {
            let slope = |idx: usize| work.prior_slopes[idx * n_theta + i] * f64::from(work.d_prediction[idx]);
            *theta = (0..work.rows.len()).map(slope).sum::<f64>() as f32;
        }
    }
}
