//! Dropout masks: drawn on the host from the member's stream, so that every engine and backend sees the same.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The masks of one step of one member, drawn layer by layer, row by row, unit by unit.
pub(crate) struct Masks {
    rng: ChaCha8Rng,
    /// A unit is kept when its 16 random bits are at or above this.
    threshold: u16,
    kept: f32,
}

impl Masks {
    /// Returns the masks of `seed` that leave out a unit with probability `p` and scale the others by `1 / (1 - p)`.
    pub(crate) fn new(seed: [u8; 32], p: f32) -> Self {
        let threshold = (p * 65_536.0).round().clamp(0.0, 65_535.0) as u16;
        Self { rng: ChaCha8Rng::from_seed(seed), threshold, kept: 1.0 / (1.0 - p) }
    }

    /// Fills `mask` with the factors of the next units: 0 or `1 / (1 - p)`.
    pub(crate) fn draw(&mut self, mask: &mut [f32]) {
        for pair in mask.chunks_mut(2) {
            let bits = self.rng.next_u32();
            for (unit, bits) in pair.iter_mut().zip([bits as u16, (bits >> 16) as u16]) {
                *unit = if bits >= self.threshold { self.kept } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_and_the_mean_are_kept() {
        let mut mask = vec![0.0; 100_000];
        Masks::new([3; 32], 0.3).draw(&mut mask);
        let dropped = mask.iter().filter(|unit| **unit == 0.0).count() as f64 / 1e5;
        let mean = mask.iter().map(|unit| f64::from(*unit)).sum::<f64>() / 1e5;
        // Five standard deviations of a binomial with n = 1e5, p = 0.3 are 0.0072.
        assert!((dropped - 0.3).abs() < 0.0072 && (mean - 1.0).abs() < 0.0072 / 0.7, "{dropped} {mean}");
    }
}
