//! Schedules: which fraction of the learning rate each epoch uses.
//!
//! ```text
//! constant           1
//! warmup_cosine      e / w up to the peak, epoch w; then f + (1 - f) (1 + cos(pi (e - p) / (E - p))) / 2
//! step               factor ^ floor((e - 1) / every)
//! reduce_on_plateau  times factor after each `patience` epochs in a row without a better loss, min_fraction at least
//! ```
//! with e the epoch (from 1), E the last one, w the warm-up epochs, p = max(w, 1) and f the final fraction.
//! The cosine is that of Loshchilov and Hutter 2017 (SGDR, equation 5) without restarts.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::checkpoint::bits;
use super::config::{ConfigError, expect};

/// Course of the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// The learning rate as it is.
    Constant {},
    /// A line up, then half a cosine down.
    WarmupCosine {
        /// Epochs of the line; 0 starts at the peak. Less than the epochs of the fit.
        #[serde(default)]
        warmup_epochs: u32,
        /// Fraction that the last epoch uses, 0-1.
        #[serde(default)]
        final_fraction: f64,
    },
    /// Stairs down.
    Step {
        /// Epochs of a stair, 1 or more.
        every: u32,
        /// Fraction from one stair to the next, above 0, at most 1.
        factor: f64,
    },
    /// Down whenever the validation loss (the training loss where there is none) stands still.
    ReduceOnPlateau {
        /// Epochs in a row without a better loss, 1 or more.
        patience: u32,
        /// Fraction from one plateau to the next, above 0, at most 1.
        factor: f64,
        /// Fraction below which it never falls, 0-1.
        #[serde(default)]
        min_fraction: f64,
    },
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Constant {}
    }
}

/// What reduce-on-plateau remembers of one member.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    #[serde(with = "bits")]
    best: f64,
    waited: u32,
    #[serde(with = "bits")]
    fraction: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { best: f64::INFINITY, waited: 0, fraction: 1.0 }
    }
}

impl ScheduleConfig {
    /// Returns the fraction [1], 0-1, of the learning rate in `epoch`, 1 to `epochs`.
    pub fn fraction(&self, epoch: u32, epochs: u32, plateau: &Plateau) -> f64 {
        match *self {
            Self::Constant {} => 1.0,
            Self::WarmupCosine { warmup_epochs, .. } if epoch < warmup_epochs => {
                f64::from(epoch) / f64::from(warmup_epochs)
            }
            Self::WarmupCosine { warmup_epochs, final_fraction } => {
                let peak = warmup_epochs.max(1);
                let way = f64::from(epoch - peak) / f64::from(epochs.saturating_sub(peak).max(1));
                final_fraction + (1.0 - final_fraction) * 0.5 * (1.0 + (PI * way).cos())
            }
            Self::Step { every, factor } => factor.powf(f64::from((epoch - 1) / every)),
            Self::ReduceOnPlateau { .. } => plateau.fraction,
        }
    }

    /// Tells the schedule the loss at the end of an epoch.
    pub fn observe(&self, plateau: &mut Plateau, loss: f64) {
        let Self::ReduceOnPlateau { patience, factor, min_fraction } = *self else { return };
        if loss < plateau.best {
            (plateau.best, plateau.waited) = (loss, 0);
            return;
        }
        plateau.waited += 1;
        if plateau.waited >= patience {
            plateau.waited = 0;
            plateau.fraction = (plateau.fraction * factor).max(min_fraction);
        }
    }

    /// Adds what is out of range to `errors`.
    pub(crate) fn check(&self, epochs: u32, errors: &mut Vec<ConfigError>) {
        let fraction = 0.0..=1.0;
        let is_factor = |f: f64| f > 0.0 && f <= 1.0;
        let factor_range = "a number above 0, at most 1";
        match *self {
            Self::Constant {} => {}
            Self::WarmupCosine { warmup_epochs: w, final_fraction: f } => {
                expect(w < epochs.max(1), "schedule.warmup_epochs", w, "less than `epochs`", errors);
                expect(fraction.contains(&f), "schedule.final_fraction", f, "0 to 1", errors);
            }
            Self::Step { every, factor } => {
                expect(every >= 1, "schedule.every", every, "1 or more", errors);
                expect(is_factor(factor), "schedule.factor", factor, factor_range, errors);
            }
            Self::ReduceOnPlateau { patience, factor, min_fraction: f } => {
                expect(patience >= 1, "schedule.patience", patience, "1 or more", errors);
                expect(is_factor(factor), "schedule.factor", factor, factor_range, errors);
                expect(fraction.contains(&f), "schedule.min_fraction", f, "0 to 1", errors);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::toy::check_resume;

    const TOLERANCE: f64 = 1e-15;

    fn check_fractions(schedule: ScheduleConfig, epochs: u32, expected: &[f64]) {
        for (epoch, &value) in (1..).zip(expected) {
            let found = schedule.fraction(epoch, epochs, &Plateau::default());
            assert!((found - value).abs() < TOLERANCE, "epoch {epoch}: {found} is not {value}");
        }
    }

    #[test]
    fn constant_is_one() {
        check_fractions(ScheduleConfig::Constant {}, 3, &[1.0, 1.0, 1.0]);
    }

    #[test]
    fn cosine_falls_from_the_first_epoch_to_the_last() {
        let root = std::f64::consts::FRAC_1_SQRT_2;
        let schedule = ScheduleConfig::WarmupCosine { warmup_epochs: 0, final_fraction: 0.0 };
        // (1 + cos(0)) / 2, cos(pi / 4), cos(pi / 2), cos(3 pi / 4), cos(pi).
        check_fractions(schedule, 5, &[1.0, 0.5 + 0.5 * root, 0.5, 0.5 - 0.5 * root, 0.0]);
    }

    #[test]
    fn warm_up_is_a_line_to_the_peak_and_the_cosine_ends_at_its_fraction() {
        let schedule = ScheduleConfig::WarmupCosine { warmup_epochs: 4, final_fraction: 0.2 };
        // 1 / 4 to 4 / 4, then 0.2 + 0.8 (1 + cos(pi / 3)) / 2 = 0.2 + 0.8 * 3 / 4, cos(2 pi / 3), cos(pi).
        check_fractions(schedule, 7, &[0.25, 0.5, 0.75, 1.0, 0.8, 0.4, 0.2]);
        let whole = ScheduleConfig::WarmupCosine { warmup_epochs: 0, final_fraction: 0.2 };
        check_fractions(whole, 1, &[1.0]);
    }

    #[test]
    fn step_multiplies_after_every_stair() {
        check_fractions(ScheduleConfig::Step { every: 2, factor: 0.5 }, 5, &[1.0, 1.0, 0.5, 0.5, 0.25]);
    }

    #[test]
    fn plateau_waits_its_patience_and_keeps_its_floor() {
        let schedule = ScheduleConfig::ReduceOnPlateau { patience: 2, factor: 0.5, min_fraction: 0.3 };
        let mut plateau = Plateau::default();
        // (loss, fraction after it): a better loss starts the count again, an equal one does not.
        let course = [(1.0, 1.0), (1.5, 1.0), (0.9, 1.0), (0.9, 1.0), (0.9, 0.5), (0.95, 0.5), (2.0, 0.3)];
        for (loss, fraction) in course {
            schedule.observe(&mut plateau, loss);
            assert!((schedule.fraction(1, 9, &plateau) - fraction).abs() < TOLERANCE, "after loss {loss}");
        }
    }

    #[test]
    fn plateau_resumes_where_it_was() {
        let schedule = ScheduleConfig::ReduceOnPlateau { patience: 2, factor: 0.7, min_fraction: 0.1 };
        let losses: Vec<f64> = (0..40).map(|i| 1.0 / f64::from(1 + i / 3) + 0.1 * f64::from(i % 3)).collect();
        check_resume(&Plateau::default(), &losses, |plateau, loss| {
            schedule.observe(plateau, loss);
            schedule.fraction(1, 40, plateau).to_bits()
        });
    }
}
