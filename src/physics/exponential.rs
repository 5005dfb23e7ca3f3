//! Exponential decay whose rate depends on charge time, temperature and cycle depth.
//!
//! ```text
//! C(n) = C0 exp(-k n),  k = k_ref (t_ref / t)^p exp(E / R (1 / T_ref - 1 / T)) d^m
//! ```
//!
//! | symbol | unit | meaning |
//! |---|---|---|
//! | C0 | 1 | capacity before the first cycle, fraction of the reference |
//! | `k_ref` | 1/cycle | rate at the reference conditions |
//! | p | 1 | exponent of the charge rate `t_ref / t` |
//! | E | J/mol | activation energy |
//! | m | 1 | exponent of the cycle depth |
//! | t | s | time of the charge; reference 3 h |
//! | T | K | mean temperature of the charge, given in degC; reference 298.15 K |
//! | d | 1 | depth of the cycle; reference 1 |
//!
//! Sources: Arrhenius factor and power law of use `[Wang2011]`; a power of depth as in `[Xu2018]`. With the references
//! taken out, `k_ref` is the rate that the data determine best and the three exponents are dimensionless slopes; a
//! stress that does not vary leaves its exponent undetermined (no standard error). Assumes that the conditions of the
//! cycle asked for stand for those of the cycles before it.

use super::{Parameter, Real, StressInput};
use crate::units::{GAS_CONSTANT, ZERO_CELSIUS_KELVIN};

/// Reference time of a charge [s]: three hours, the usual constant-current constant-voltage charge.
const REFERENCE_CHARGE_SECOND: f64 = 10_800.0;

/// Reference temperature [K]: 25 degC.
const REFERENCE_KELVIN: f64 = 298.15;

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 5] = [
    Parameter { name: "C0", unit: "1", lower: 0.05, upper: 3.0, start: 1.0 },
    Parameter { name: "k_ref", unit: "1/cycle", lower: 1e-8, upper: 0.5, start: 1e-3 },
    Parameter { name: "p", unit: "1", lower: -1.0, upper: 4.0, start: 0.5 },
    Parameter { name: "E", unit: "J/mol", lower: 0.0, upper: 1.2e5, start: 3e4 },
    Parameter { name: "m", unit: "1", lower: 0.0, upper: 4.0, start: 1.0 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 4] = [
    StressInput::DISCHARGE_COUNT,
    StressInput::CHARGE_DURATION,
    StressInput::CHARGE_TEMPERATURE,
    StressInput::CYCLE_DEPTH,
];

/// Returns the capacity as a fraction of the reference [1]; charge time and depth must be positive.
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [c0, k_ref, p, energy, m] = [0, 1, 2, 3, 4].map(|i| theta[i].clone());
    let [n, charge_second, celsius, depth] = [0, 1, 2, 3].map(|i| stress[i].clone());
    let ln_charge = p * (charge_second / REFERENCE_CHARGE_SECOND).ln();
    let ln_depth = m * depth.ln();
    let kelvin = celsius + ZERO_CELSIUS_KELVIN;
    let inverse_difference = (kelvin.clone() - REFERENCE_KELVIN) / (kelvin * REFERENCE_KELVIN);
    let ln_arrhenius = energy * inverse_difference / GAS_CONSTANT;
    let k = k_ref * (ln_depth + ln_arrhenius - ln_charge).exp();
    c0 * (-k * n).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rate at given conditions, from the capacity after one cycle.
    fn rate(charge_second: f64, celsius: f64, depth: f64) -> f64 {
        let theta = [1.0, 1e-3, 0.5, 3e4, 1.5];
        -capacity(&theta, &[1.0, charge_second, celsius, depth]).ln()
    }

    #[test]
    fn rate_is_the_reference_at_reference_conditions() {
        assert!((rate(10_800.0, 25.0, 1.0) - 1e-3).abs() < 1e-15);
    }

    #[test]
    fn rate_follows_each_stress_as_its_factor_says() {
        assert!((rate(2_700.0, 25.0, 1.0) / 1e-3 - 2.0).abs() < 1e-9, "four times the charge rate, root");
        assert!(
            (rate(10_800.0, 25.0, 0.25) / 1e-3 - 0.125).abs() < 1e-9,
            "a quarter of the depth, power 3/2"
        );
        // exp(30000 / 8.314462618 * (1/298.15 - 1/308.15)) by hand: 1.480887...
        let expected = (30_000.0 / 8.314_462_618_153_24 * (1.0 / 298.15 - 1.0 / 308.15_f64)).exp();
        assert!((rate(10_800.0, 35.0, 1.0) / 1e-3 - expected).abs() < 1e-9);
    }
}
