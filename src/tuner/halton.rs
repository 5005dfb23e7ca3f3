//! Quasi-random points: scrambled Halton sequences fill the unit cube more evenly than chance, in any dimension.
//!
//! Coordinate `j` of point `i` is the radical inverse of `i` in the `j`-th prime, every digit permuted at random
//! `[Owen2017]`: without that, coordinates of large primes would go up side by side.

use rand::seq::SliceRandom;

use crate::seed::Seed;

/// Digits are made until they are worth less than this.
const RESOLUTION: f64 = 1e-9;

/// A sequence of points in the unit cube.
#[derive(Debug, Clone)]
pub struct Halton {
    /// Permutations of the digits of each coordinate, the most significant first.
    coordinates: Vec<Vec<Vec<u64>>>,
}

impl Halton {
    /// Returns the sequence in so many dimensions that `seed` scrambles.
    pub fn new(dimensions: usize, seed: &Seed) -> Self {
        let scrambled = |(j, base): (usize, u64)| {
            let mut rng = seed.stream(j);
            let mut permutation = || {
                let mut digits: Vec<u64> = (0..base).collect();
                digits.shuffle(&mut rng);
                digits
            };
            let n_digits = (RESOLUTION.recip().ln() / (base as f64).ln()).ceil() as usize;
            (0..n_digits).map(|_| permutation()).collect()
        };
        Self { coordinates: primes().take(dimensions).enumerate().map(scrambled).collect() }
    }

    /// Returns point `index`, each coordinate at least 0 and below 1.
    pub fn point(&self, index: usize) -> Vec<f64> {
        self.coordinates.iter().map(|digits| inverse(index as u64, digits)).collect()
    }
}

/// Returns the radical inverse of `index` with permuted digits.
fn inverse(mut index: u64, digits: &[Vec<u64>]) -> f64 {
    let (mut value, mut worth) = (0.0, 1.0);
    for permuted in digits {
        let base = permuted.len() as u64;
        worth /= base as f64;
        value += permuted[(index % base) as usize] as f64 * worth;
        index /= base;
    }
    value
}

fn primes() -> impl Iterator<Item = u64> {
    (2_u64..).filter(|n| (2..=n.isqrt()).all(|d| n % d != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_scrambling_it_is_the_radical_inverse() {
        // scipy 1.15: qmc.Halton(3, scramble=False), points 0, 1, 5 and 11.
        let plain: Vec<Vec<Vec<u64>>> = primes().take(3).map(|b| vec![(0..b).collect(); 20]).collect();
        let halton = Halton { coordinates: plain };
        let expected = [(0, [0.0; 3]), (1, [1.0 / 2.0, 1.0 / 3.0, 1.0 / 5.0]), (5, [0.625, 7.0 / 9.0, 0.04])];
        for (index, expected) in expected.into_iter().chain([(11, [0.8125, 19.0 / 27.0, 0.28])]) {
            let point = halton.point(index);
            assert!(point.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8), "{index}: {point:?}");
        }
    }

    #[test]
    fn every_stratum_gets_its_point_and_seeds_differ() {
        let halton = Halton::new(5, &Seed::new(3));
        for (j, base) in primes().take(5).enumerate() {
            let n = base.pow(2) as usize;
            let mut strata: Vec<usize> =
                (0..n).map(|i| (halton.point(i)[j] * n as f64 + 1e-6) as usize).collect();
            strata.sort_unstable();
            assert_eq!(strata, (0..n).collect::<Vec<_>>(), "base {base}");
        }
        assert_ne!(halton.point(1), Halton::new(5, &Seed::new(4)).point(1));
        assert_eq!(halton.point(1), Halton::new(5, &Seed::new(3)).point(1));
        assert_eq!(primes().take(8).collect::<Vec<_>>(), [2, 3, 5, 7, 11, 13, 17, 19]);
    }
}
