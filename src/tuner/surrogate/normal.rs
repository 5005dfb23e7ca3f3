//! The standard normal distribution where acquisition functions need it: far in the tail, in logarithms.
//!
//! With the density `phi` and the distribution `Phi`, expected improvement is `sigma h(z)`, `h(z) = phi(z) + z Phi(z)`.
//! For `z` below -2.5 it is a difference of nearly equal numbers that underflows at -38, so the logarithm is taken of a
//! product instead: with the continued fraction `1 / (z + t)` of Mills' ratio `[AbramowitzStegun1964, 26.2.14]`,
//! `h(-z) = phi(z) t / (z + t)`, and no digit cancels. `[Ament2023]` has the same idea with another expansion.

use std::f64::consts::{PI, TAU};

/// From here on the continued fraction replaces the series.
const TAIL: f64 = 2.5;

/// Terms of the continued fraction: rounding is reached at [`TAIL`], earlier beyond it.
const TERMS: u32 = 80;

/// Returns `ln h(z)` and its derivative `Phi(z) / h(z)`, for every finite `z`.
pub(super) fn log_improvement(z: f64) -> (f64, f64) {
    if z < -TAIL {
        let t = mills_remainder(-z);
        return (-0.5 * z * z - 0.5 * TAU.ln() + t.ln() - (t - z).ln(), 1.0 / t);
    }
    let distribution = distribution(z);
    let h = density(z) + z * distribution;
    (h.ln(), distribution / h)
}

/// Returns the density of the standard normal distribution at `z`.
fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Returns the probability below `z`, for `z` above [`-TAIL`](TAIL).
fn distribution(z: f64) -> f64 {
    if z > TAIL {
        return 1.0 - density(z) / (z + mills_remainder(z));
    }
    // Phi(z) = 1/2 + phi(z) (z + z^3/3 + z^5/15 + ...), [AbramowitzStegun1964, 26.2.11].
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() * 0.5 {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 + density(z) * sum
}

/// Returns `t(z) = 1/(z + 2/(z + 3/(z + ...)))`, so that `1 - Phi(z) = phi(z) / (z + t)`, for `z` from [`TAIL`].
fn mills_remainder(z: f64) -> f64 {
    (1..=TERMS).rev().fold(0.0, |t, k| f64::from(k) / (z + t))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ln h(z)` and `Phi(z) / h(z)` from mpmath 1.3.0 with 60 to 120 digits; the first from the asymptotic series.
    const GOLDEN: [(f64, f64, f64); 14] = [
        (-1e8, -5_000_000_000_000_037.8, 100_000_000.000_000_02),
        (-1000.0, -500_014.734_452_091_16, 1_000.001_999_994),
        (-40.0, -808.298_568_356_62, 40.049_906_657_648_52),
        (-10.0, -55.553_122_036_122_35, 10.194_383_033_412_553),
        (-4.0, -11.849_061_577_550_662, 4.432_483_741_873_118),
        (-2.6, -6.526_664_579_884_948, 3.184_131_786_190_138_6),
        (-2.4, -5.906_960_148_833_966, 3.013_308_010_071_393_4),
        (-1.0, -2.485_121_025_712_641_3, 1.904_271_233_329_691_8),
        (0.0, -0.918_938_533_204_672_8, 1.253_314_137_315_500_3),
        (1.0, 0.080_026_218_849_306_94, 0.776_638_725_201_739_3),
        (2.4, 0.876_601_613_771_939_8, 0.412_783_129_440_134_7),
        (2.6, 0.956_074_317_497_315_6, 0.382_607_200_309_83),
        (6.0, 1.791_759_469_254_114_6, 0.166_666_666_497_892_14),
        (30.0, 3.401_197_381_662_155_5, 1.0 / 30.0),
    ];

    #[test]
    fn log_improvement_agrees_with_mpmath_from_tail_to_tail() {
        for (z, value, slope) in GOLDEN {
            let found = log_improvement(z);
            assert!((found.0 - value).abs() <= 2e-13 * value.abs().max(0.1), "{z}: {found:?}, {value}");
            assert!((found.1 - slope).abs() <= 2e-13 * slope, "{z}: {found:?}, {slope}");
        }
    }
}
