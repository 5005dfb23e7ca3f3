//! Hybrid residual: a physics prior plus a network that learns what the prior leaves.
//!
//! ```text
//! prediction = (law(theta, stress) - label_mean) / label_sd + residual_scale * network(inputs)
//! ```
//!
//! The law's parameters are the last weights of a member. They are stored as an offset `u` from the fit, relative to
//! its size: `theta = fit + max(|fit|, (upper - lower) / 1000) u`, so that a member starts exactly from the fit and a
//! step of 1e-3 moves a rate of 1e-4 as far, relative to its size, as a capacity of 1. After each step `u` is moved back
//! to where `theta` keeps its bounds. They are trained with the network, or frozen.

use serde::{Deserialize, Serialize};

use super::{ModelError, out_of_range};
use crate::physics::dual::Dual;
use crate::physics::{Law, Parameter};

/// Physics prior of a hybrid network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// Law that makes the prior.
    pub law: Law,
    /// Whether the law's parameters are trained with the network. Default `joint`.
    #[serde(default)]
    pub parameters: Parameters,
    /// Whether the network adds a residual; off, the prior alone is trained (ablation). Default `true`.
    #[serde(default = "yes")]
    pub residual: bool,
    /// Factor on the network's output, above 0; below 1 the start is closer to the prior. Default 0.1.
    #[serde(default = "tenth")]
    pub residual_scale: f32,
}

/// What happens to the law's parameters in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameters {
    /// Trained with the network.
    #[default]
    Joint,
    /// Kept as fitted.
    Frozen,
}

/// What a member's prior starts from, which differs from fold to fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriorStart {
    /// Parameters of the law as fitted, in physical units.
    pub theta: Vec<f64>,
    /// What the scaling of the labels subtracts, in the unit of the law (SoH).
    pub label_mean: f64,
    /// What the scaling of the labels divides by, in the unit of the law (SoH), above 0.
    pub label_sd: f64,
}

impl PriorConfig {
    /// Returns a prior of `law` with the default settings.
    pub fn new(law: Law) -> Self {
        Self { law, parameters: Parameters::Joint, residual: true, residual_scale: tenth() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`ModelError::OutOfRange`] when the factor on the residual is not above 0.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.residual_scale > 0.0 && self.residual_scale.is_finite() {
            return Ok(());
        }
        Err(out_of_range("residual_scale", &self.residual_scale, "above 0"))
    }

    /// Returns the factor on the network's output: 0 where the residual is off.
    pub fn scale(&self) -> f32 {
        if self.residual { self.residual_scale } else { 0.0 }
    }

    /// Returns whether the law's parameters have a gradient.
    pub fn is_trained(&self) -> bool {
        self.parameters == Parameters::Joint
    }

    /// Returns the parameters in physical units for offsets from the fit.
    pub fn theta(&self, offsets: &[f32], start: &PriorStart) -> Vec<f64> {
        let theta = self.law.parameters().iter().zip(&start.theta).zip(offsets);
        theta.map(|((parameter, &fit), &u)| place(parameter, fit, u).0).collect()
    }

    /// Returns the range `(lowest, highest)` of each offset from the fit.
    pub fn limits(&self, start: &PriorStart) -> Vec<(f32, f32)> {
        let range = |(parameter, &fit): (&Parameter, &f64)| {
            let scale = scale(parameter, fit);
            (((parameter.lower - fit) / scale) as f32, ((parameter.upper - fit) / scale) as f32)
        };
        self.law.parameters().iter().zip(&start.theta).map(range).collect()
    }

    /// Returns the law in scaled label units at one row of stress; `gradient` becomes its derivative by each
    /// offset, or is empty where none is wanted.
    pub fn evaluate(&self, offsets: &[f32], stress: &[f32], start: &PriorStart, gradient: &mut [f64]) -> f64 {
        // Each operation of a law computes all derivatives, so that few are much cheaper than many.
        match gradient.len() {
            0 => self.differentiate::<0>(offsets, stress, start, gradient),
            1..=3 => self.differentiate::<3>(offsets, stress, start, gradient),
            4..=5 => self.differentiate::<5>(offsets, stress, start, gradient),
            _ => self.differentiate::<MAX_PARAMETERS>(offsets, stress, start, gradient),
        }
    }

    fn differentiate<const N: usize>(
        &self,
        offsets: &[f32],
        stress: &[f32],
        start: &PriorStart,
        gradient: &mut [f64],
    ) -> f64 {
        let mut theta = [Dual::<N>::constant(0.0); MAX_PARAMETERS];
        let parameters = self.law.parameters();
        for (idx, (parameter, (&fit, &u))) in
            parameters.iter().zip(start.theta.iter().zip(offsets)).enumerate()
        {
            let (value, slope) = place(parameter, fit, u);
            theta[idx].value = value;
            if let Some(by_offset) = theta[idx].gradient.get_mut(idx) {
                *by_offset = slope;
            }
        }
        let mut columns = [Dual::<N>::constant(0.0); MAX_PARAMETERS];
        for (column, &value) in columns.iter_mut().zip(stress) {
            column.value = f64::from(value);
        }
        let soh = self.law.capacity(&theta[..parameters.len()], &columns[..stress.len()]);
        for (gradient, slope) in gradient.iter_mut().zip(soh.gradient) {
            *gradient = slope / start.label_sd;
        }
        (soh.value - start.label_mean) / start.label_sd
    }
}

/// Most parameters, and most stress columns, of a law (Xu 2018 has nine).
const MAX_PARAMETERS: usize = 9;

/// Returns a parameter for its offset, within its bounds, and its derivative inside them.
fn place(parameter: &Parameter, fit: f64, u: f32) -> (f64, f64) {
    let scale = scale(parameter, fit);
    ((fit + scale * f64::from(u)).clamp(parameter.lower, parameter.upper), scale)
}

/// Returns how far an offset of 1 moves a parameter.
pub(crate) fn scale(parameter: &Parameter, fit: f64) -> f64 {
    fit.abs().max((parameter.upper - parameter.lower) / 1000.0)
}

fn yes() -> bool {
    true
}

fn tenth() -> f32 {
    0.1
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "a bound is reached exactly")]
mod tests {
    use super::*;
    use crate::physics::StressInput;

    fn start(law: Law) -> PriorStart {
        PriorStart { theta: law.start(), label_mean: 0.8, label_sd: 0.2 }
    }

    #[test]
    fn starts_from_the_fit_and_keeps_the_bounds() {
        for law in Law::ALL {
            let (prior, start) = (PriorConfig::new(law), start(law));
            let n = start.theta.len();
            assert_eq!(prior.theta(&vec![0.0; n], &start), start.theta);
            for (i, (low, high)) in prior.limits(&start).into_iter().enumerate() {
                let parameter = law.parameters()[i];
                for (u, bound) in [(low, parameter.lower), (high, parameter.upper)] {
                    let theta = prior.theta(&vec![u; n], &start)[i];
                    assert!((theta - bound).abs() <= 1e-6 * (parameter.upper - parameter.lower), "{law} {i}");
                    assert_eq!(prior.theta(&vec![u * 2.0; n], &start)[i], bound);
                }
            }
        }
    }

    fn plausible(column: &StressInput) -> f32 {
        match *column {
            StressInput::ELAPSED_TIME => 3e6,
            StressInput::CHARGE_DURATION => 9e3,
            StressInput::CYCLE_DEPTH => 0.9,
            StressInput::MEAN_SOC => 0.5,
            _ => 30.0,
        }
    }

    #[test]
    fn slopes_agree_with_differences() {
        for law in Law::ALL {
            let (prior, start) = (PriorConfig::new(law), start(law));
            let stress: Vec<f32> = law.stress().iter().map(plausible).collect();
            let mut u = vec![0.0; start.theta.len()];
            let mut slopes = u.iter().map(|u| f64::from(*u)).collect::<Vec<_>>();
            prior.evaluate(&u, &stress, &start, &mut slopes);
            for i in 0..u.len() {
                let mut at = |step: f32| {
                    u[i] = step;
                    prior.evaluate(&u, &stress, &start, &mut vec![0.0; u.len()])
                };
                let difference = (at(1e-3) - at(-1e-3)) / 2e-3;
                at(0.0);
                assert!((difference - slopes[i]).abs() <= 1e-3 * slopes[i].abs().max(1e-3), "{law} {i}");
            }
        }
    }
}
