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
    /// `cycle_life`, an attribute of the source or a whole-cell descriptor over the whole life; tiers by k-means may have
    /// several. Default `cycle_life`.
    pub targets: Vec<String>,
    /// Whether models of `life` learn the logarithm to base 10. Default `true`.
    pub log: bool,
    /// How targets become tiers. Default three quantiles.
    pub tiers: TierConfig,
    /// Whether every tier weighs the same in training, however many cells it has. Default `false`.
    pub balanced: bool,
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self {
            targets: vec![CYCLE_LIFE.into()],
            log: true,
            tiers: TierConfig::Quantile { n: 3 },
            balanced: false,
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

/// Returns the targets of a row, in the order of the experiment.
pub(super) fn targets(frame: &Frame, row: usize) -> Vec<f64> {
    frame.targets.iter().map(|column| column.values[row]).collect()
}

/// Returns the weight of a row of each tier in training, so that they weigh alike where that is asked for.
pub(super) fn class_weights(config: &ExperimentConfig, classes: &[usize], n_classes: usize) -> Vec<f64> {
    let count = |class: usize| classes.iter().filter(|&&c| c == class).count().max(1) as f64;
    let weight = |class| if config.label.balanced { classes.len() as f64 / (n_classes as f64 * count(class)) } else { 1.0 };
    (0..n_classes).map(weight).collect()
}
