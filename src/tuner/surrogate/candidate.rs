//! Points from which the search for the next trial begins: spread evenly over the cube, and around the best ones.

use rand::{Rng, RngExt};

use super::Dimension;

/// Spread of the perturbations [1, cube edges], one after the other.
const SPREADS: [f64; 4] = [0.2, 0.05, 0.01, 0.002];

/// Returns `count` points of the additive recurrence of the generalised golden ratio `[Roberts2018]`, from a random origin.
pub(super) fn lattice(dimensions: usize, count: usize, rng: &mut impl Rng) -> Vec<Vec<f64>> {
    let golden = (0..64).fold(1.5_f64, |g, _| (1.0 + g).powf(1.0 / (dimensions as f64 + 1.0)));
    let origin = uniform(dimensions, rng);
    let coordinate = |k: usize, j: usize| (origin[j] + (k + 1) as f64 / golden.powf(j as f64 + 1.0)).fract();
    (0..count).map(|k| (0..dimensions).map(|j| coordinate(k, j)).collect()).collect()
}

/// Returns a point of independent uniform coordinates.
pub(super) fn uniform(dimensions: usize, rng: &mut impl Rng) -> Vec<f64> {
    (0..dimensions).map(|_| rng.random::<f64>()).collect()
}

/// Returns `count` points near `point`, from far to close in turn: a random part of the coordinates is moved.
pub(super) fn around(
    point: &[f64],
    dimensions: &[Dimension],
    count: usize,
    rng: &mut impl Rng,
) -> Vec<Vec<f64>> {
    let share = (2.0 / dimensions.len() as f64).max(0.3);
    let mut perturb = |k: usize| {
        let spread = SPREADS[k % SPREADS.len()];
        let mut moved = Vec::with_capacity(point.len());
        for (x, dimension) in point.iter().zip(dimensions) {
            // All draws are made whether or not they count, so that coordinates do not depend on each other's.
            let (chosen, fresh, step) = (rng.random::<f64>() < share, rng.random::<f64>(), symmetric(rng));
            moved.push(match dimension {
                _ if x.is_nan() => fresh,
                Dimension::Categorical(_) => {
                    if chosen && k.is_multiple_of(2) {
                        fresh
                    } else {
                        *x
                    }
                }
                Dimension::Ordinal(n) if chosen => (x + step * spread.max(1.0 / *n as f64)).clamp(0.0, 1.0),
                Dimension::Continuous if chosen => (x + step * spread).clamp(0.0, 1.0),
                _ => *x,
            });
        }
        moved
    };
    (0..count).map(&mut perturb).collect()
}

/// Returns a bell-shaped number of mean 0 and standard deviation 1: the scaled sum of three uniform ones.
fn symmetric(rng: &mut impl Rng) -> f64 {
    2.0 * ((0..3).map(|_| rng.random::<f64>()).sum::<f64>() - 1.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn lattice_fills_every_cell_of_a_grid() {
        let points = lattice(2, 200, &mut Seed::new(3).stream("lattice"));
        let mut counts = [0; 16];
        for p in points {
            counts[(4.0 * p[0]) as usize * 4 + (4.0 * p[1]) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (9..=16).contains(n)), "{counts:?}");
    }

    #[test]
    fn perturbations_stay_in_the_cube_and_wake_inactive_coordinates() {
        use Dimension::{Categorical, Constant, Continuous, Ordinal};
        let (centre, dimensions) = (
            [0.99, 0.125, f64::NAN, 0.5, 0.5],
            [Continuous, Ordinal(4), Continuous, Constant, Categorical(2)],
        );
        let points = around(&centre, &dimensions, 400, &mut Seed::new(0).stream("around"));
        assert!(points.iter().flatten().all(|x| (0.0..=1.0).contains(x)));
        let differs = |a: f64, b: f64| a.total_cmp(&b).is_ne();
        assert!(points.iter().all(|p| !differs(p[3], 0.5)));
        let moved = |j: usize| points.iter().filter(|p| differs(p[j], centre[j])).count();
        assert!(
            [0, 1, 4].iter().all(|&j| (50..300).contains(&moved(j))),
            "{:?}",
            [moved(0), moved(1), moved(4)]
        );
    }
}
