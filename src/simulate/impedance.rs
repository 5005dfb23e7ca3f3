//! Impedance spectrum of a cell: ohmic part, depressed semicircle, Warburg tail.
//!
//! ```text
//! Z(w) = R0 + R1 / (1 + (j w tau1)^alpha) + sigma (1 - j) / sqrt(w),   sigma = R2 / sqrt(2 tau2)
//! ```
//! `R0`, `R1`, `tau1` are those of the equivalent circuit; the tail scales with its slow pair `R2`, `tau2`.

use std::f64::consts::PI;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::dataset::Spectrum;

/// Highest frequency [Hz], points a decade and decades.
const SWEEP: (f64, u32, u32) = (1e5, 6, 7);
/// Relative standard deviation of each part at full noise [1].
const DEVIATION: f64 = 2e-3;

/// Elements of the impedance at one temperature and state of charge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements {
    /// Ohmic, charge-transfer and diffusion resistance [ohm].
    pub(super) resistance_ohm: [f64; 3],
    /// Time constants of the two pairs [s].
    pub(super) tau_second: [f64; 2],
    /// Exponent of the depressed semicircle [1].
    pub(super) depression: f64,
}

impl Elements {
    /// Returns real and imaginary part [ohm] at `hertz`.
    pub(super) fn impedance(&self, hertz: f64) -> (f64, f64) {
        let omega = 2.0 * PI * hertz;
        let [r0, r1, r2] = self.resistance_ohm;
        let size = (omega * self.tau_second[0]).powf(self.depression);
        let (sin, cos) = (self.depression * PI / 2.0).sin_cos();
        let (re, im) = (1.0 + size * cos, size * sin);
        let norm = re * re + im * im;
        let tail = r2 / (2.0 * self.tau_second[1] * omega).sqrt();
        (r0 + r1 * re / norm + tail, -r1 * im / norm - tail)
    }

    /// Returns a sweep from high to low frequency with the relative `noise` [1].
    pub(super) fn sweep(&self, noise: f64, rng: &mut ChaCha8Rng) -> Spectrum {
        let (highest, a_decade, decades) = SWEEP;
        let mut spectrum = Spectrum::default();
        for k in 0..=a_decade * decades {
            let hertz = highest * 10f64.powf(-f64::from(k) / f64::from(a_decade));
            let (real, imaginary) = self.impedance(hertz);
            spectrum.frequency_hertz.push(hertz);
            spectrum.real_ohm.push(noisy(real, noise, rng));
            spectrum.imaginary_ohm.push(noisy(imaginary, noise, rng));
        }
        spectrum
    }
}

/// Returns `value` with the relative error that a spectrum has at the relative `noise` [1].
pub(super) fn noisy(value: f64, noise: f64, rng: &mut ChaCha8Rng) -> f64 {
    let draw: f64 = StandardNormal.sample(rng);
    value * (1.0 + noise * DEVIATION * draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEMENTS: Elements =
        Elements { resistance_ohm: [0.025, 0.015, 0.02], tau_second: [0.05, 250.0], depression: 0.85 };

    #[test]
    fn impedance_is_that_of_complex_arithmetic() {
        // Python complex numbers, R0 + R1 / (1 + (1j w tau)**alpha) + sigma (1 - 1j) / sqrt(w).
        for (hertz, real, imaginary) in [
            (10_000.0, 0.025_007_313_317_168, -0.000_019_096_728_693),
            (100.0, 0.025_259_163_942_829, -0.000_793_295_219_070),
            (3.183_098_861_837_907, 0.032_700_000_000_000, -0.006_112_523_259_388),
            (1.0, 0.037_766_596_279_926, -0.004_504_870_199_608),
            (0.01, 0.043_541_396_235_035, -0.003_676_632_597_549),
        ] {
            let (re, im) = ELEMENTS.impedance(hertz);
            assert!((re - real).abs() < 1e-12 && (im - imaginary).abs() < 1e-12, "{hertz}: {re} {im}");
        }
    }

    #[test]
    fn without_the_tail_the_arc_starts_at_r0_and_is_r1_wide() {
        let arc = Elements { resistance_ohm: [0.025, 0.015, 0.0], ..ELEMENTS };
        assert!((arc.impedance(1e9).0 - 0.025).abs() < 1e-6);
        assert!((arc.impedance(1e-9).0 - 0.040).abs() < 1e-6);
    }
}
