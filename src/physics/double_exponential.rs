//! Double exponential fade over the cycle count.
//!
//! ```text
//! C(n) = a exp(b n) + c exp(d n)
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | a, b | 1, 1/cycle | slow term: size and relative change a cycle |
//! | c, d | 1, 1/cycle | fast term: an early transient (d < 0) or a late knee (c < 0 < d) |
//!
//! Source: `[He2011]`, eq. 3. The two terms are told apart by the bounds of b and d; the sum of squares has several
//! minima, so a fit needs several starts.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 4] = [
    Parameter { name: "a", unit: "1", lower: 0.0, upper: 3.0, start: 1.0 },
    Parameter { name: "b", unit: "1/cycle", lower: -0.1, upper: 0.01, start: -2e-3 },
    Parameter { name: "c", unit: "1", lower: -1.0, upper: 1.0, start: -1e-3 },
    Parameter { name: "d", unit: "1/cycle", lower: -1.0, upper: 0.1, start: 0.02 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::DISCHARGE_COUNT];

/// Returns the capacity as a fraction of the reference [1].
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let n = &stress[0];
    let term = |size: &R, rate: &R| size.clone() * (rate.clone() * n.clone()).exp();
    term(&theta[0], &theta[1]) + term(&theta[2], &theta[3])
}
