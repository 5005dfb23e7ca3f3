//! Members: which rows, rates and random streams each network of a population trains with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TrainConfig;
use super::engine::Rows;
use crate::seed::Seed;

/// Rates of one member; what a population may vary without changing the architecture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hyper {
    /// Learning rate at the schedule's peak, above 0.
    pub learning_rate: f64,
    /// Weight decay, 0 or more.
    pub weight_decay: f64,
    /// Dropout probability, 0 to below 1.
    pub dropout: f64,
    /// Factor on the loss, above 0.
    pub loss_weight: f64,
}

impl Hyper {
    /// Returns the rates that `config` names, with the network's dropout.
    pub fn new(config: &TrainConfig, dropout: f64) -> Self {
        let TrainConfig { learning_rate, weight_decay, loss_weight, .. } = *config;
        Self { learning_rate, weight_decay, dropout, loss_weight }
    }

    /// Returns the first rate that is out of its range, by name.
    pub(crate) fn out_of_range(&self) -> Option<(&'static str, f64)> {
        let checks = [
            ("learning_rate", self.learning_rate, self.learning_rate > 0.0),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0.0),
            ("dropout", self.dropout, (0.0..1.0).contains(&self.dropout)),
            ("loss_weight", self.loss_weight, self.loss_weight > 0.0),
        ];
        checks
            .iter()
            .find(|(_, value, right)| !right || !value.is_finite())
            .map(|&(key, value, _)| (key, value))
    }
}

/// What one member trains with.
#[derive(Debug, Clone)]
pub struct MemberPlan {
    /// Name, unique in the population (`B0005/seed3`).
    pub name: String,
    /// Rows to learn from; at least one.
    pub train: Arc<Rows>,
    /// Rows that judge the weights; without them the last weights count as the best.
    pub validation: Option<Arc<Rows>>,
    /// Rates.
    pub hyper: Hyper,
    /// Root of the member's streams: initial weights, shuffles and dropout are all drawn below it.
    pub seed: Seed,
}

/// Rows of one fold of a split.
#[derive(Debug, Clone)]
pub struct Fold {
    /// Name, unique in the split (`B0005`: the cell left out).
    pub name: String,
    /// Rows to learn from.
    pub train: Arc<Rows>,
    /// Rows that judge the weights.
    pub validation: Option<Arc<Rows>>,
}

impl Fold {
    /// Returns `config.members` members for each fold, fold after fold, with streams named by fold and number below `seed`.
    pub fn members(folds: &[Self], config: &TrainConfig, dropout: f64, seed: &Seed) -> Vec<MemberPlan> {
        let hyper = Hyper::new(config, dropout);
        let members =
            |fold: &Self| (0..config.members).map(|i| fold.member(i, hyper, seed)).collect::<Vec<_>>();
        folds.iter().flat_map(members).collect()
    }

    fn member(&self, seed_idx: u32, hyper: Hyper, seed: &Seed) -> MemberPlan {
        let name = format!("{}/seed{seed_idx}", self.name);
        let (train, validation) = (Arc::clone(&self.train), self.validation.clone());
        MemberPlan { seed: seed.child("member").child(&name), name, train, validation, hyper }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(name: &str) -> Fold {
        Fold { name: name.into(), train: Arc::default(), validation: None }
    }

    #[test]
    fn members_are_folds_times_seeds_with_streams_of_their_own() {
        let config = TrainConfig { members: 2, ..TrainConfig::default() };
        let members = Fold::members(&[fold("B0005"), fold("B0006")], &config, 0.1, &Seed::new(1));
        let names: Vec<_> = members.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["B0005/seed0", "B0005/seed1", "B0006/seed0", "B0006/seed1"]);
        let alone = Fold::members(&[fold("B0006")], &config, 0.1, &Seed::new(1));
        assert_eq!(alone[1].seed, members[3].seed);
        assert_ne!(members[2].seed, members[3].seed);
        assert_ne!(members[1].seed, members[3].seed);
    }

    #[test]
    fn rates_out_of_range_are_named() {
        let right = Hyper::new(&TrainConfig::default(), 0.5);
        assert_eq!(right.out_of_range(), None);
        let wrong = [
            Hyper { learning_rate: 0.0, ..right },
            Hyper { weight_decay: f64::INFINITY, ..right },
            Hyper { dropout: 1.0, ..right },
            Hyper { loss_weight: -1.0, ..right },
        ];
        let keys: Vec<_> = wrong.iter().filter_map(|h| h.out_of_range().map(|(key, _)| key)).collect();
        assert_eq!(keys, ["learning_rate", "weight_decay", "dropout", "loss_weight"]);
    }
}
