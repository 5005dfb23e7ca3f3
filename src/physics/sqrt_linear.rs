//! Film growth by diffusion (square root of throughput) plus steady loss (linear in throughput).
//!
//! ```text
//! C(q) = C0 (1 - alpha sqrt(q) - beta q)
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | C0 | 1 | capacity before use, fraction of the reference |
//! | alpha | 1 | loss by the first equivalent full cycle through film growth |
//! | beta | 1 | loss an equivalent full cycle through wear |
//!
//! Sources: the square root from solvent diffusion through a growing film `[Ploehn2004]`, over throughput as in the
//! cycle part of `[Schmalstieg2014]`. `alpha` and `beta` are not negative, so the law never gains capacity.

use super::{Parameter, Real, StressInput};

/// Least throughput [equivalent full cycles]: keeps the slope of the root finite at the first cycle.
const LEAST_THROUGHPUT: f64 = 1e-9;

/// Parameters in the order of `theta`.
pub const PARAMETERS: [Parameter; 3] = [
    Parameter { name: "C0", unit: "1", lower: 0.05, upper: 3.0, start: 1.0 },
    Parameter { name: "alpha", unit: "1", lower: 0.0, upper: 0.5, start: 5e-3 },
    Parameter { name: "beta", unit: "1", lower: 0.0, upper: 0.1, start: 5e-4 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 1] = [StressInput::EQUIVALENT_FULL_CYCLES];

/// Returns the capacity as a fraction of the reference [1].
///
/// # Panics
/// When `theta` or `stress` is too short.
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [c0, alpha, beta] = [0, 1, 2].map(|i| theta[i].clone());
    let q = stress[0].clone();
    let loss = alpha * (q.clone() + LEAST_THROUGHPUT).sqrt() + beta * q;
    c0 * (-loss + 1.0)
}
