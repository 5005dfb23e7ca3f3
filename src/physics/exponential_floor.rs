//! Exponential decay towards a floor: `f + a exp(-k n)`.
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | f | 1 | capacity that the fade tends to; hold it where the data ends far above |
//! | a | 1 | capacity above the floor at the begin |
//! | k | 1/cycle | rate |
//!
//! The single exponential with an offset of `[Goebel2008]`.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`; bounds ours.
pub const PARAMETERS: [Parameter; 3] = [
    Parameter { name: "f", unit: "1", lower: 0.0, upper: 1.0, start: 0.4 },
    Parameter { name: "a", unit: "1", lower: 0.02, upper: 2.0, start: 0.5 },
    Parameter { name: "k", unit: "1/cycle", lower: 1e-5, upper: 0.05, start: 3e-3 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::DISCHARGE_COUNT];

/// Returns the capacity as a fraction of the reference [1].
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    theta[0].clone() + theta[1].clone() * (-(theta[2].clone() * stress[0].clone())).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_from_the_sum_to_the_floor() {
        let theta = [0.4, 0.5, 0.01];
        assert!((capacity(&theta, &[0.0]) - 0.9).abs() < 1e-12);
        assert!((capacity(&theta, &[1e5]) - 0.4).abs() < 1e-12);
    }
}
