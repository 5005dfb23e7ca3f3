//! Balance of charge with recovery: a discharge gives back what the charge put in, and more after a long rest.
//!
//! ```text
//! capacity = eta q + A (1 - exp(-rest / tau))
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | eta | 1 | coulombic efficiency of charge and discharge |
//! | A | 1 | capacity that a long rest gives back, as a fraction of the reference |
//! | tau | h | time constant of that recovery |
//!
//! The charge just before a discharge refills what the discharge before it took, so this is persistence as seen by
//! the charger. That a rest gives capacity back (regeneration) is described for these cells by `[Saha2009]`; the form
//! of the recovery is ours.

use super::{Parameter, Real, StressInput};

/// Parameters in the order of `theta`; bounds ours, wide around coulombic efficiencies of liquid cells.
pub const PARAMETERS: [Parameter; 3] = [
    Parameter { name: "eta", unit: "1", lower: 0.8, upper: 1.1, start: 0.98 },
    Parameter { name: "A", unit: "1", lower: 0.0, upper: 0.15, start: 0.025 },
    Parameter { name: "tau", unit: "h", lower: 1.0, upper: 500.0, start: 24.0 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 2] = [StressInput::CHARGE_THROUGHPUT, StressInput::REST];

/// Returns the capacity as a fraction of the reference [1].
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [eta, amplitude, tau] = [0, 1, 2].map(|i: usize| theta[i].clone());
    let recovered = -(-(stress[1].clone() / tau)).exp() + 1.0;
    eta * stress[0].clone() + amplitude * recovered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rest_gives_the_charge_back_and_a_long_one_adds_the_amplitude() {
        let theta = [0.98, 0.03, 24.0];
        assert!((capacity(&theta, &[0.9, 0.0]) - 0.882).abs() < 1e-12);
        assert!((capacity(&theta, &[0.9, 1e6]) - 0.912).abs() < 1e-12);
    }
}
