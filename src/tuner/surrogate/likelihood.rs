//! Parameters of the Gaussian process by penalised marginal likelihood, with exact gradients.
//!
//! ```text
//! ln p(z) = -1/2 (z - m)^T K^-1 (z - m) - 1/2 ln det K - n/2 ln 2 pi                [Rasmussen2006, eq. 5.8, 5.9]
//! ```
//! The search is over `ln l_j`, `ln w_c`, `ln amplitude`, `ln noise` and the mean `m` (targets have mean 0 and standard
//! deviation 1). Each has a normal prior, wide but centred where an untried function is believed to be: lengths grow with the root of the
//! number of ordered coordinates, so that the prior on functions does not roughen with the dimension `[Hvarfner2024]`.

use std::f64::consts::TAU;

use nalgebra::{DMatrix, DVector};

use super::descent::{self, Effort};
use super::factor::Factor;
use super::kernel::{self, Kernel, Layout};

/// Prior of a parameter: centre, standard deviation and bounds, in the logarithm (the mean itself has none).
#[derive(Debug, Clone, Copy)]
struct Prior {
    centre: f64,
    sd: f64,
    bounds: (f64, f64),
}

/// Of a length in units of the cube's edge, at one ordered coordinate.
const LENGTH: Prior = Prior { centre: -0.7, sd: 1.2, bounds: (-5.0, 5.0) };
/// Of the weight of a label: categories are believed to share about half of what is learned.
const WEIGHT: Prior = Prior { centre: -0.7, sd: 1.5, bounds: (-7.0, 3.0) };
/// Of the variance of the process, in variances of the targets.
const AMPLITUDE: Prior = Prior { centre: 0.5, sd: 1.0, bounds: (-5.0, 7.0) };
/// Of the variance of the noise, in variances of the targets: anything from none to as much as signal.
const NOISE: Prior = Prior { centre: -9.0, sd: 4.0, bounds: (-21.0, 1.0) };
/// Of the constant mean, in standard deviations of the targets.
const MEAN: Prior = Prior { centre: 0.0, sd: 1.0, bounds: (-4.0, 4.0) };

/// The parameters of a Gaussian process.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hyper {
    pub kernel: Kernel,
    /// Variance of the noise.
    pub noise: f64,
    /// Constant mean.
    pub mean: f64,
}

/// Observations laid out for the likelihood: targets and the distances of all pairs.
pub(super) struct Likelihood {
    ordered: usize,
    targets: DVector<f64>,
    /// Squared difference (ordered) or mismatch (label) of rows `i > j`, column by column of the lower triangle.
    pairs: Vec<Vec<f64>>,
    priors: Vec<Prior>,
}

impl Likelihood {
    pub(super) fn new(layout: &Layout, rows: &[Vec<f64>], targets: &[f64]) -> Self {
        let ordered = layout.ordered();
        let distance = |c: usize, x: f64, y: f64| {
            if c < ordered { (x - y) * (x - y) } else { kernel::mismatch(x, y) }
        };
        let plane = |c: usize| {
            let below = |j: usize| (j + 1..rows.len()).map(move |i| (i, j));
            (0..rows.len()).flat_map(below).map(|(i, j)| distance(c, rows[i][c], rows[j][c])).collect()
        };
        Self {
            ordered,
            targets: DVector::from_column_slice(targets),
            pairs: (0..layout.width()).map(plane).collect(),
            priors: priors(layout),
        }
    }

    /// Returns the parameters where the priors are centred.
    pub(super) fn prior_centre(&self) -> Vec<f64> {
        self.priors.iter().map(|p| p.centre).collect()
    }

    /// Returns the search's starting points besides the centre: rougher, smoother, noisier.
    pub(super) fn starts(&self) -> Vec<Vec<f64>> {
        let shifted = |length: f64, noise: f64| {
            let mut start = self.prior_centre();
            start[..self.ordered].iter_mut().for_each(|x| *x += length);
            start[self.pairs.len() + 1] += noise;
            start
        };
        vec![shifted(-1.0, 0.0), shifted(1.0, 5.0), shifted(0.0, -6.0)]
    }

    /// Returns the best parameters reachable from `start` and minus their log posterior.
    pub(super) fn climb(&self, start: &[f64], iterations: u64) -> (Vec<f64>, f64) {
        let bounds: Vec<(f64, f64)> = self.priors.iter().map(|p| p.bounds).collect();
        let effort = Effort { iterations, gradient: 1e-3, change: 1e-7 };
        descent::minimise(|theta| self.cost(theta), start, &bounds, effort)
    }

    /// Returns the parameters of the process at `theta`.
    pub(super) fn hyper(&self, theta: &[f64]) -> Hyper {
        let (columns, rest) = theta.split_at(self.pairs.len());
        let (lengths, weights) = columns.split_at(self.ordered);
        let squares = lengths.iter().map(|x| (-2.0 * x).exp());
        let scales = squares.chain(weights.iter().map(|x| x.exp())).collect();
        let kernel = Kernel { scales, ordered: self.ordered, amplitude: rest[0].exp() };
        Hyper { kernel, noise: rest[1].exp(), mean: rest[2] }
    }

    /// Returns minus the log posterior of `theta`, up to the constants of the priors, and its gradient.
    fn cost(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let (value, mut gradient) = self.log_marginal(&self.hyper(theta));
        let mut cost = -value;
        for ((slope, x), prior) in gradient.iter_mut().zip(theta).zip(&self.priors) {
            let deviation = (x - prior.centre) / prior.sd;
            cost += 0.5 * deviation * deviation;
            *slope = deviation / prior.sd - *slope;
        }
        (cost, gradient)
    }

    /// Returns the log marginal likelihood and its gradient along the search's parameters.
    fn log_marginal(&self, hyper: &Hyper) -> (f64, Vec<f64>) {
        let n = self.targets.len();
        let (correlation, slope) = self.correlations(&hyper.kernel);
        let amplitude = hyper.kernel.amplitude;
        let factor = Factor::new(&lower(n, &correlation, amplitude, hyper.noise));
        let residual = self.targets.add_scalar(-hyper.mean);
        let alpha = factor.solve(residual.as_view()).1;
        let inverse = factor.inverse();
        // The likelihood's derivative by K_ij, counted for ij and ji: alpha_i alpha_j - K^-1_ij.
        let mut by_entry = Vec::with_capacity(correlation.len());
        for j in 0..n {
            let column = inverse.column(j);
            by_entry.extend((j + 1..n).map(|i| amplitude * (alpha[i] * alpha[j] - column[i])));
        }
        let by_square: Vec<f64> = by_entry.iter().zip(&slope).map(|(e, s)| e * s).collect();
        let by_label: Vec<f64> = by_entry.iter().zip(&correlation).map(|(e, c)| e * c).collect();
        let along = |(c, plane): (usize, &Vec<f64>)| {
            let scale = hyper.kernel.scales[c];
            if c < self.ordered {
                -2.0 * scale * dot(plane, &by_square)
            } else {
                -scale * dot(plane, &by_label)
            }
        };
        let mut gradient: Vec<f64> = self.pairs.iter().enumerate().map(along).collect();
        let diagonal = alpha.norm_squared() - inverse.trace();
        gradient.push(by_label.iter().sum::<f64>() + 0.5 * amplitude * diagonal);
        gradient.push(0.5 * hyper.noise * diagonal);
        gradient.push(alpha.sum());
        let value = -0.5 * residual.dot(&alpha) - factor.log_determinant() - 0.5 * n as f64 * TAU.ln();
        (value, gradient)
    }

    /// Returns the correlation of every pair and its slope along the squared distance.
    fn correlations(&self, kernel: &Kernel) -> (Vec<f64>, Vec<f64>) {
        let count = self.targets.len() * self.targets.len().saturating_sub(1) / 2;
        let weighted = |columns: std::ops::Range<usize>| {
            let mut total = vec![0.0; count];
            for c in columns {
                let scale = kernel.scales[c];
                total.iter_mut().zip(&self.pairs[c]).for_each(|(t, d)| *t += scale * d);
            }
            total
        };
        let squared = weighted(0..self.ordered);
        let label = weighted(self.ordered..self.pairs.len());
        squared.iter().zip(&label).map(|(s, l)| kernel::matern(*s, *l)).unzip()
    }
}

/// Returns the lower triangle of the covariance of noisy observations.
fn lower(n: usize, correlation: &[f64], amplitude: f64, noise: f64) -> DMatrix<f64> {
    let mut covariance = DMatrix::zeros(n, n);
    let mut entries = correlation.iter();
    for j in 0..n {
        covariance[(j, j)] = amplitude + noise;
        (j + 1..n).zip(&mut entries).for_each(|(i, c)| covariance[(i, j)] = amplitude * c);
    }
    covariance
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn priors(layout: &Layout) -> Vec<Prior> {
    let ordered = layout.ordered();
    let roughness = 0.5 * (ordered.max(1) as f64).ln();
    let length = Prior { centre: LENGTH.centre + roughness, ..LENGTH };
    let columns = (0..layout.width()).map(|c| if c < ordered { length } else { WEIGHT });
    columns.chain([AMPLITUDE, NOISE, MEAN]).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Dimension;
    use super::*;

    pub(in super::super) const POINTS: [[f64; 3]; 6] = [
        [0.1, 0.9, 0.3],
        [0.4, 0.2, 0.8],
        [0.75, 0.55, 0.1],
        [0.9, 0.05, 0.6],
        [0.33, 0.71, 0.95],
        [0.6, 0.6, 0.6],
    ];
    pub(in super::super) const TARGETS: [f64; 6] = [0.3, -1.2, 0.8, 1.9, -0.4, 0.1];

    /// Lengths, amplitude and noise of the golden numbers.
    pub(in super::super) fn hyper() -> Hyper {
        let scales = [0.3_f64, 0.8, 2.0].map(|l| l.powi(-2)).to_vec();
        Hyper { kernel: Kernel { scales, ordered: 3, amplitude: 1.7 }, noise: 0.01, mean: 0.0 }
    }

    fn likelihood(dimensions: &[Dimension], points: &[[f64; 3]]) -> Likelihood {
        let layout = Layout::new(dimensions);
        let rows: Vec<Vec<f64>> = points.iter().map(|p| layout.row(p)).collect();
        Likelihood::new(&layout, &rows, &TARGETS)
    }

    #[test]
    fn marginal_likelihood_agrees_with_scikit_learn() {
        // scikit-learn 1.9.1: GaussianProcessRegressor(ConstantKernel(1.7) * Matern([0.3, 0.8, 2.0], nu=2.5),
        // alpha=0.01, optimizer=None).fit(POINTS, TARGETS).log_marginal_likelihood()
        let value = likelihood(&[Dimension::Continuous; 3], &POINTS).log_marginal(&hyper()).0;
        assert!((value + 7.594_427_387_684_004).abs() < 1e-12, "{value}");
    }

    #[test]
    fn gradient_agrees_with_central_differences_for_lengths_and_labels() {
        let mut points = POINTS;
        (points[1][2], points[4][2]) = (f64::NAN, f64::NAN);
        let dimensions = [Dimension::Continuous, Dimension::Categorical(6), Dimension::Ordinal(20)];
        let likelihood = likelihood(&dimensions, &points);
        let theta = [-0.9, 0.4, -0.3, 0.6, -3.0, 0.2];
        let (_, gradient) = likelihood.cost(&theta);
        assert_eq!(gradient.len(), theta.len());
        for (k, slope) in gradient.iter().enumerate() {
            let at = |step: f64| {
                let mut moved = theta;
                moved[k] += step;
                likelihood.cost(&moved).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-7 * (1.0 + slope.abs()), "{k}: {slope} {difference}");
        }
    }
}
