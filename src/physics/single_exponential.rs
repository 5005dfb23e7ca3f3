//! Single exponential fade over the cycle count.
//!
//! ```text
//! C(n) = a exp(b n)
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | a | 1 | capacity before the first cycle, fraction of the reference |
//! | b | 1/cycle | relative change of capacity a cycle, negative for fade |
//!
//! Source: `[Goebel2008]`, exponential growth of the internal parameters and decay of capacity. Assumes alike cycles.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 2] = [
    Parameter { name: "a", unit: "1", lower: 0.05, upper: 3.0, start: 1.0 },
    Parameter { name: "b", unit: "1/cycle", lower: -0.5, upper: 0.1, start: -1e-3 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::DISCHARGE_COUNT];

/// Returns the capacity as a fraction of the reference [1].
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [a, b] = [0, 1].map(|i| theta[i].clone());
    a * (b * stress[0].clone()).exp()
}
