//! Labels of whole cells: what is asked of them, and how lives become tiers.

use serde::{Deserialize, Serialize};

use super::config::{ExperimentConfig, Kind};
use super::error::ExperimentError;
use crate::prepare::early::CYCLE_LIFE;
use crate::prepare::{Fold, Frame, TierConfig, Tiers};
use crate::seed::Seed;

/// What is asked of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelConfig {
    /// `cycle_life`, an attribute of the source or a whole-cell descriptor over the whole life; tiers by k-means have
    /// targets of their own. Default `cycle_life`.
    pub target: String,
    /// Whether models of `life` learn the logarithm to base 10. Default `true`.
    pub log: bool,
    /// How targets become tiers. Default three quantiles.
    pub tiers: TierConfig,
    /// Whether every tier weighs the same in training, however many cells it has. Default `false`.
    pub balanced: bool,
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self { target: CYCLE_LIFE.into(), log: true, tiers: TierConfig::Quantile { n: 3 }, balanced: false }
    }
}

impl LabelConfig {
    /// Returns the targets of a question, the one that is reported first.
    pub fn targets(&self, kind: Kind) -> Vec<String> {
        match &self.tiers {
            TierConfig::Kmeans { targets, .. } if kind == Kind::Tier => targets.clone(),
            _ => vec![self.target.clone()],
        }
    }
}

/// Makes the tiers of each fold, from its training cells alone; none but for `tier`.
///
/// # Errors
/// [`ExperimentError::Tier`].
pub(super) fn tiers(
    config: &ExperimentConfig,
    frame: &Frame,
    folds: &[Fold],
) -> Result<Vec<Tiers>, ExperimentError> {
    if config.kind != Kind::Tier {
        return Ok(Vec::new());
    }
    let one = |fold: &Fold| {
        let values: Vec<Vec<f64>> = fold.train.iter().map(|&row| targets(frame, row)).collect();
        let seed = Seed::new(config.seed).child("tiers").child(&fold.name);
        let failed = |source| ExperimentError::Tier { fold: fold.name.clone(), source };
        Tiers::fit(&config.label.tiers, &values, &seed).map_err(failed)
    };
    folds.iter().map(one).collect()
}

/// Returns the tier of a row; `None` where a target of it is unknown.
pub(super) fn class(tiers: &Tiers, frame: &Frame, row: usize) -> Option<usize> {
    tiers.assign(&targets(frame, row)).ok()
}

/// Returns the targets of a row, in the order of the experiment.
fn targets(frame: &Frame, row: usize) -> Vec<f64> {
    frame.targets.iter().map(|column| column.values[row]).collect()
}

/// Returns the weight of a row of each tier in training, so that they weigh alike where that is asked for.
pub(super) fn class_weights(config: &ExperimentConfig, classes: &[usize], n_classes: usize) -> Vec<f64> {
    let count = |class: usize| classes.iter().filter(|&&c| c == class).count().max(1) as f64;
    let weight = |class: usize| classes.len() as f64 / (n_classes as f64 * count(class));
    (0..n_classes).map(|class| if config.label.balanced { weight(class) } else { 1.0 }).collect()
}

/// Says in one sentence what makes tiers.
pub(super) fn rule(tiers: &Tiers, frame: &Frame) -> String {
    let names = tiers.names();
    let target = |idx: usize| frame.targets[idx].name.replace('_', " ");
    match tiers {
        Tiers::Cuts { cuts } => {
            let unit = &frame.targets[0].unit;
            let steps =
                cuts.iter().zip(&names[1..]).map(|(cut, name)| format!(", {name} above {}", short(*cut)));
            format!(
                "{} [{unit}]: {} at most {}{}",
                target(0),
                names[0],
                short(cuts[0]),
                steps.collect::<String>()
            )
        }
        Tiers::Centroids { centroids, mean, sd } => {
            let value = |c: &[f64]| {
                let one = |idx: usize| format!("{} {}", target(idx), short(c[idx] * sd[idx] + mean[idx]));
                (0..c.len()).map(one).collect::<Vec<_>>().join(", ")
            };
            let parts = names.iter().zip(centroids).map(|(name, c)| format!("{name} around {}", value(c)));
            parts.collect::<Vec<_>>().join("; ")
        }
    }
}

/// Returns a number with four decimals at most.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::parse;

    #[test]
    fn balanced_tiers_weigh_alike() {
        let mut config = parse::parse("kind = 'tier'\nmodel = { kind = 'trees' }", "x.toml", &[]).unwrap();
        let classes = [0, 0, 0, 1];
        assert_eq!(class_weights(&config, &classes, 2), [1.0, 1.0]);
        config.label.balanced = true;
        // 4 rows, 2 tiers: 4 / (2 * 3) and 4 / (2 * 1).
        assert_eq!(class_weights(&config, &classes, 2), [4.0 / 6.0, 2.0]);
    }

    #[test]
    fn tiers_by_k_means_have_targets_of_their_own() {
        let text = "kind = 'tier'\nmodel = { kind = 'trees' }\n[label]\n\
            tiers = { kind = 'kmeans', n = 2, targets = ['cycle_life', 'stack_pressure'] }";
        let config = parse::parse(text, "x.toml", &[]).unwrap();
        assert_eq!(config.label.targets(Kind::Tier), ["cycle_life", "stack_pressure"]);
        assert_eq!(config.label.targets(Kind::Life), ["cycle_life"]);
    }
}
