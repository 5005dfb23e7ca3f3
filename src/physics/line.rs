//! Straight line over the cycle count: the plainest law, and a baseline.
//!
//! ```text
//! C(n) = C0 + s n
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | C0 | 1 | capacity before the first cycle, fraction of the reference |
//! | s | 1/cycle | change of capacity a cycle, negative for fade |
//!
//! Linear in its parameters: the fit has one minimum.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 2] = [
    Parameter { name: "C0", unit: "1", lower: 0.05, upper: 3.0, start: 1.0 },
    Parameter { name: "s", unit: "1/cycle", lower: -0.5, upper: 0.5, start: -1e-3 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::DISCHARGE_COUNT];

/// Returns the capacity as a fraction of the reference [1].
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    theta[0].clone() + theta[1].clone() * stress[0].clone()
}
