//! Semi-empirical ageing of Xu et al.: film growth and cycle wear driven by one damage sum.
//!
//! ```text
//! C   = C0 (1 - L),  L = 1 - a_sei exp(-b_sei f) - (1 - a_sei) exp(-f)
//! f   = k_t t S_s(soc) S_T(T) + sum_i n_i S_d(d_i) S_s(soc_i) S_T(T_i)        over rainflow cycles, n_i = 0.5 or 1
//! S_d = 1 / (k_d1 d^k_d2 + k_d3),  S_s = exp(k_s (soc - 0.5)),  S_T = exp(k_T (T - T_ref) T_ref / T)
//! ```
//!
//! | parameter | unit | published (LMO) | meaning |
//! |---|---|---|---|
//! | C0 | 1 | 1 | capacity before use, fraction of the reference |
//! | `a_sei` | 1 | 5.75e-2 | share of capacity that film growth takes |
//! | `b_sei` | 1 | 121 | speed of film growth over that of the rest |
//! | `k_d1`, `k_d2`, `k_d3` | 1 | 1.40e5, -5.01e-1, -1.23e5 | cycles of depth d that use up one unit of damage |
//! | `k_s` | 1 | 1.04 | stress of the state of charge; reference 0.5 |
//! | `k_T` | 1/K | 6.93e-2 | stress of temperature; doubles every 10 K |
//! | `k_t` | 1/s | 4.14e-10 | damage of time |
//!
//! Source: `[Xu2018]`. The constants are those that most public re-implementations give for the publication's table of
//! the LMO cell. They disagree in three ways, and this file takes the side that is consistent: (1) the ratio
//! `T_ref / T` is in kelvin here, `T_ref` = 298.15 K; some put degrees Celsius into it, which is singular at 0 degC;
//! (2) some round `T_ref` to 293 K; (3) one docstring has `k_d1` = 1.0e4 and `k_d3` = -2.3e5, with which `S_d` is negative.
//! The bounds keep `S_d` positive for every depth up to 1. Nine parameters are more than one ageing test tells apart:
//! hold those whose stress does not vary.

use super::rainflow::Cycle;
use super::{Parameter, Real, StressInput};
use crate::units::ZERO_CELSIUS_KELVIN;

/// Reference temperature [K], 25 degC.
const REFERENCE_KELVIN: f64 = 298.15;

/// Reference state of charge [1].
const REFERENCE_SOC: f64 = 0.5;

/// Parameters in the order of `theta`; the starts are the published constants.
pub const PARAMETERS: [Parameter; 9] = [
    Parameter { name: "C0", unit: "1", lower: 0.05, upper: 3.0, start: 1.0 },
    Parameter { name: "a_sei", unit: "1", lower: 1e-4, upper: 0.3, start: 5.75e-2 },
    Parameter { name: "b_sei", unit: "1", lower: 1.0, upper: 1e4, start: 121.0 },
    Parameter { name: "k_d1", unit: "1", lower: 1.3e5, upper: 1e7, start: 1.40e5 },
    Parameter { name: "k_d2", unit: "1", lower: -2.0, upper: -0.05, start: -5.01e-1 },
    Parameter { name: "k_d3", unit: "1", lower: -1.29e5, upper: 1e6, start: -1.23e5 },
    Parameter { name: "k_s", unit: "1", lower: 0.0, upper: 5.0, start: 1.04 },
    Parameter { name: "k_T", unit: "1/K", lower: 0.0, upper: 0.3, start: 6.93e-2 },
    Parameter { name: "k_t", unit: "1/s", lower: 1e-13, upper: 1e-6, start: 4.14e-10 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 5] = [
    StressInput::DISCHARGE_COUNT,
    StressInput::ELAPSED_TIME,
    StressInput::CYCLE_DEPTH,
    StressInput::MEAN_SOC,
    StressInput::CHARGE_TEMPERATURE,
];

/// Returns the capacity as a fraction of the reference [1] after `n` alike cycles of one depth, SoC and temperature.
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [n, second, depth, soc, celsius] = [0, 1, 2, 3, 4].map(|i| stress[i].clone());
    let wear = theta[8].clone() * second + n / depth_life(theta, depth);
    remaining(theta, wear * soc_stress(theta, soc) * temperature_stress(theta, celsius))
}

/// Returns the capacity as a fraction of the reference [1] for a damage sum `f` [1].
///
/// # Panics
/// When `theta` is too short.
pub fn remaining<R: Real>(theta: &[R], damage: R) -> R {
    let [c0, a_sei, b_sei] = [0, 1, 2].map(|i| theta[i].clone());
    let film = a_sei.clone() * (-b_sei * damage.clone()).exp();
    c0 * (film + (-a_sei + 1.0) * (-damage).exp())
}

/// Returns the damage [1] of one cycle of depth `depth` [1] at mean SoC `soc` [1] and `celsius` [degC].
///
/// # Panics
/// When `theta` is too short.
pub fn cycle_damage<R: Real>(theta: &[R], depth: R, soc: R, celsius: R) -> R {
    soc_stress(theta, soc) * temperature_stress(theta, celsius) / depth_life(theta, depth)
}

/// Returns the damage [1] of `second` [s] at mean SoC `soc` [1] and `celsius` [degC].
///
/// # Panics
/// When `theta` is too short.
pub fn calendar_damage<R: Real>(theta: &[R], second: R, soc: R, celsius: R) -> R {
    theta[8].clone() * second * soc_stress(theta, soc) * temperature_stress(theta, celsius)
}

/// Returns the damage [1] of rainflow cycles of SoC, all at `celsius` [degC]; time is [`calendar_damage`]'s.
///
/// # Panics
/// When `theta` is too short.
pub fn rainflow_damage(theta: &[f64], cycles: &[Cycle], celsius: f64) -> f64 {
    cycles.iter().map(|c| c.count * cycle_damage(theta, c.range, c.mean, celsius)).sum()
}

/// Returns the published parameters of the LMO cell.
pub fn published() -> [f64; 9] {
    PARAMETERS.map(|p| p.start)
}

/// Returns `1 / S_d`, the cycles of this depth that make one unit of damage.
fn depth_life<R: Real>(theta: &[R], depth: R) -> R {
    let [k_d1, k_d2, k_d3] = [3, 4, 5].map(|i| theta[i].clone());
    k_d1 * (k_d2 * depth.ln()).exp() + k_d3
}

fn soc_stress<R: Real>(theta: &[R], soc: R) -> R {
    (theta[6].clone() * (soc - REFERENCE_SOC)).exp()
}

fn temperature_stress<R: Real>(theta: &[R], celsius: R) -> R {
    let kelvin = celsius + ZERO_CELSIUS_KELVIN;
    let above = kelvin.clone() - REFERENCE_KELVIN;
    (theta[7].clone() * above * REFERENCE_KELVIN / kelvin).exp()
}

#[cfg(test)]
mod tests {
    use super::super::rainflow;
    use super::*;

    /// Expected values computed from the formulas with numpy (tests/fixtures/PROVENANCE.md).
    #[test]
    fn capacity_agrees_with_the_formulas_in_numpy() {
        let cases = [
            ([500.0, 7.2e6, 0.8, 0.5, 25.0], 0.932_406_664_313_268_5),
            ([1000.0, 3.15e7, 1.0, 0.6, 40.0], 0.760_516_013_792_559_3),
            ([200.0, 1e6, 0.3, 0.4, -5.0], 0.998_658_448_345_237_4),
        ];
        for (stress, expected) in cases {
            assert!((capacity(&published(), &stress) - expected).abs() < 1e-13, "{stress:?}");
        }
    }

    #[test]
    fn damage_of_a_history_of_alike_cycles_is_the_closed_form() {
        let soc: Vec<f64> = (0..=200).map(|i| if i % 2 == 0 { 0.9 } else { 0.1 }).collect();
        let theta = published();
        let damage =
            rainflow_damage(&theta, &rainflow::count(&soc), 30.0) + calendar_damage(&theta, 1e6, 0.5, 30.0);
        let closed = capacity(&theta, &[100.0, 1e6, 0.8, 0.5, 30.0]);
        assert!((remaining(&theta, damage) - closed).abs() < 1e-12);
    }

    #[test]
    fn no_corner_of_the_bounds_heals_a_cell() {
        let [k_d1, k_d2, k_d3] = [3, 4, 5].map(|i| PARAMETERS[i]);
        for depth in [0.01, 0.5, 1.0] {
            for (a, b, c) in [(k_d1.lower, k_d2.upper, k_d3.lower), (k_d1.upper, k_d2.lower, k_d3.upper)] {
                let mut theta = published();
                (theta[3], theta[4], theta[5]) = (a, b, c);
                assert!(cycle_damage(&theta, depth, 0.5, 25.0) > 0.0, "depth {depth}");
            }
        }
    }
}
