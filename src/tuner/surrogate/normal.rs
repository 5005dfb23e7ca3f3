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
