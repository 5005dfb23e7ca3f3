//! Exponential decay over cycle count, temperature and charge time, with one rate constant.
//!
//! ```text
//! C(n) = C0 exp(-k T n / t)
//! ```
//!
//! | symbol | unit | meaning |
//! |---|---|---|
//! | C0 | 1 | capacity before the first cycle, fraction of the reference |
//! | k | s/K | rate constant |
//! | T | K | mean temperature of the charge, given in degC and turned into kelvin here |
//! | n | 1 | cycle count |
//! | t | s | time of the charge |
//!
//! The linear form of the exponent of `[Xu2018]`, eq. 1, as used for cells of `[Saha2007]`. Kelvin, because with degrees
//! Celsius the law would heal a cell below 0 degC; a `k` published for degrees Celsius is therefore not comparable.

use super::{Parameter, Real, StressInput};
use crate::units::ZERO_CELSIUS_KELVIN;

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 2] = [
    Parameter { name: "C0", unit: "1", lower: 0.05, upper: 3.0, start: 1.0 },
    Parameter { name: "k", unit: "s/K", lower: 1e-7, upper: 100.0, start: 0.05 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 3] =
    [StressInput::DISCHARGE_COUNT, StressInput::CHARGE_DURATION, StressInput::CHARGE_TEMPERATURE];

/// Returns the capacity as a fraction of the reference [1].
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [n, charge_second, celsius] = [0, 1, 2].map(|i| stress[i].clone());
    let kelvin = celsius + ZERO_CELSIUS_KELVIN;
    theta[0].clone() * (-theta[1].clone() * kelvin * n / charge_second).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_at_zero_celsius_still_ages() {
        let soh: f64 = capacity(&[2.0, 0.1], &[100.0, 10_000.0, 0.0]);
        assert!((soh - 2.0 * (-0.27315_f64).exp()).abs() < 1e-15);
    }
}
