//! Two straight lines that meet at a knee, joined by a hyperbolic tangent.
//!
//! ```text
//! C(n) = a0 + a1 (n - n1) + a2 (n - n1) tanh((n - n1) / g)
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | a0 | 1 | capacity at the knee, fraction of the reference |
//! | a1 | 1/cycle | mean of the slopes before and after |
//! | a2 | 1/cycle | half of their difference, negative for a knee downwards |
//! | n1 | cycle | the knee |
//! | g | cycle | width of the change; hold it small for a sharp knee |
//!
//! Sources: `[BaconWatts1971]`; for capacity fade `[FerminCueto2020]`, who hold `g` at a small value.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 5] = [
    Parameter { name: "a0", unit: "1", lower: 0.05, upper: 3.0, start: 0.9 },
    Parameter { name: "a1", unit: "1/cycle", lower: -0.1, upper: 0.1, start: -1e-3 },
    Parameter { name: "a2", unit: "1/cycle", lower: -0.1, upper: 0.1, start: -2e-4 },
    Parameter { name: "n1", unit: "cycle", lower: 1.0, upper: 1e4, start: 100.0 },
    Parameter { name: "g", unit: "cycle", lower: 0.1, upper: 1e3, start: 10.0 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::DISCHARGE_COUNT];

/// Position of the knee in `theta`.
pub const KNEE: usize = 3;

/// Returns the capacity as a fraction of the reference [1].
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [a0, a1, a2, n1, g] = [0, 1, 2, KNEE, 4].map(|i| theta[i].clone());
    let x = stress[0].clone() - n1;
    a0 + a1 * x.clone() + a2 * x.clone() * (x / g).tanh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_from_the_knee_the_slopes_are_the_sum_and_the_difference() {
        let theta = [0.9, -2e-3, -1e-3, 500.0, 5.0];
        let slope = |n: f64| capacity(&theta, &[n + 1.0]) - capacity(&theta, &[n]);
        assert!((slope(100.0) + 1e-3).abs() < 1e-12);
        assert!((slope(900.0) + 3e-3).abs() < 1e-12);
        assert!((capacity(&theta, &[500.0]) - 0.9).abs() < 1e-15);
    }
}
