//! Exponential fade whose rate follows from the slope of the first cycles: a power law between the two.
//!
//! ```text
//! capacity = exp(-k (s / s_ref)^b (n - n0) / 100)
//! ```
//!
//! | parameter | unit | meaning |
//! |---|---|---|
//! | k | 1/(100 cycles) | rate of a cell whose early fade is `s_ref` |
//! | b | 1 | how much of the early fade lasts: 0 not at all, 1 all |
//! | n0 | cycle | where the capacity is 1; hold it at the centre of the discharges that make the reference |
//!
//! `s` is the early fade [% of capacity a cycle / 100], from the given discharges alone. The form is ours: early
//! slopes are noisy and partly transient, so less than all of their spread lasts.

use super::{Parameter, Real, StressInput};

/// Early fade at which `k` is the rate [1/(100 cycles)]: near that of the NASA PCoE cells.
const REFERENCE_FADE: f64 = 0.2;

/// Parameters in the order of `theta`; bounds ours.
pub const PARAMETERS: [Parameter; 3] = [
    Parameter { name: "k", unit: "1/(100 cycles)", lower: 0.01, upper: 2.0, start: 0.2 },
    Parameter { name: "b", unit: "1", lower: 0.0, upper: 1.5, start: 0.4 },
    Parameter { name: "n0", unit: "cycle", lower: 0.0, upper: 1000.0, start: 14.0 },
];

/// Stress in the order of `stress`.
pub const STRESS: [StressInput; 2] = [StressInput::DISCHARGE_COUNT, StressInput::EARLY_FADE];

/// Returns the capacity as a fraction of the reference [1].
pub fn capacity<R: Real>(theta: &[R], stress: &[R]) -> R {
    let [k, b, n0] = [0, 1, 2].map(|i: usize| theta[i].clone());
    let power = (b * (stress[1].clone() / REFERENCE_FADE).ln()).exp();
    (-(k * power * (stress[0].clone() - n0) / 100.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_early_fade_doubles_the_rate_where_all_of_it_lasts() {
        let log = |s: f64, b: f64| capacity(&[0.3, b, 14.0], &[114.0, s]).ln();
        assert!((log(0.2, 1.0) + 0.3).abs() < 1e-12);
        assert!((log(0.4, 1.0) / log(0.2, 1.0) - 2.0).abs() < 1e-12);
        assert!((log(0.4, 0.0) - log(0.2, 0.0)).abs() < 1e-12);
    }
}
