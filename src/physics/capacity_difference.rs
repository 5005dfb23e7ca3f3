//! Life of a cell from how its discharge curve changes between cycles 10 and 100 `[Severson2019]`.
//!
//! ```text
//! log10 N = a + b log10 var(Q100(V) - Q10(V))
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | a | 1 | logarithm of the life [cycles] of a cell whose variance is 1 (Ah)^2 |
//! | b | 1 | how much shorter the life of a cell is whose curve changes more |
//!
//! A law of a whole cell: it says the logarithm of the life, not a capacity. The form is the "variance model" of the
//! publication; its numbers are fitted. Where a cell has no such variance the training cells' median stands for it.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`; bounds ours: lives of 1 to 10^6 cycles at every variance of the published cells.
pub const PARAMETERS: [Parameter; 2] = [
    Parameter { name: "a", unit: "1", lower: -4.0, upper: 6.0, start: 1.0 },
    Parameter { name: "b", unit: "1", lower: -3.0, upper: 1.0, start: -0.4 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::CAPACITY_DIFFERENCE];

/// Returns the logarithm to base 10 of the life [cycles].
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    theta[0].clone() + theta[1].clone() * stress[0].clone()
}
