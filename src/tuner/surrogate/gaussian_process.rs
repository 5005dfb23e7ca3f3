//! The surrogate: a Gaussian process over the unit cube, conditioned on observed losses `[Rasmussen2006, alg. 2.1]`.
//!
//! Parameters come from the penalised marginal likelihood of at most [`FITTED`] observations; predictions rest
//! on at most [`CONDITIONED`]. Where there are more, half of them are the best and the rest is spread over the ranks
//! of the others, so that the cost of a suggestion is bounded. Fewer observations are all used.

use nalgebra::{DMatrix, DVector};

use super::factor::Factor;
use super::kernel::Layout;
use super::likelihood::{Hyper, Likelihood};
use super::target::{self, Target};
use super::{Dimension, Observation};

/// Most observations in a choice of the target.
const COMPARED: usize = 60;

/// Most observations in the likelihood.
const FITTED: usize = 120;

/// Most observations that predictions are conditioned on.
const CONDITIONED: usize = 400;

/// Most steps of the first search for parameters, from each start.
const SEARCH: u64 = 30;

/// Most steps that refine parameters found on fewer observations or another target.
const REFINE: u64 = 12;

/// A prediction in the surrogate's own scale: standardised, warped losses, lower is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Mean of the noise-free target [1].
    pub mean: f64,
    /// Standard deviation of the noise-free target [1], not negative.
    pub sd: f64,
}

/// A Gaussian process that predicts the loss anywhere in the unit cube.
#[derive(Debug, Clone, PartialEq)]
pub struct Surrogate {
    layout: Layout,
    target: Target,
    hyper: Hyper,
    /// Observations that predictions rest on, laid out for the kernel.
    rows: Vec<Vec<f64>>,
    targets: DVector<f64>,
    factor: Factor,
    /// `K^-1 (z - m)`.
    alpha: DVector<f64>,
}

impl Surrogate {
    /// Fits the surrogate to observed losses; `None` when none of them is sound.
    ///
    /// A trial that failed, or whose loss is not finite or beyond 1e100, counts as the worst of the others.
    pub fn fit(dimensions: &[Dimension], observed: &[Observation]) -> Option<Self> {
        let losses: Vec<f64> = observed.iter().map(|o| o.value).collect();
        let choices = Target::choices(&losses);
        let ranked = ranked(&losses);
        let layout = Layout::new(dimensions);
        let rows =
            |chosen: &[usize]| chosen.iter().map(|&i| layout.row(&observed[i].point)).collect::<Vec<_>>();
        let pick = |count: usize| spread(&ranked, count);

        let compared = pick(COMPARED);
        let (target, theta) = choose(choices, &layout, &rows(&compared), &gather(&losses, &compared))?;
        let fitted = pick(FITTED);
        let likelihood = likelihood(&layout, &rows(&fitted), &gather(&losses, &fitted), &target);
        let theta = if fitted.len() > compared.len() { likelihood.climb(&theta, REFINE).0 } else { theta };
        let conditioned = pick(CONDITIONED);
        let targets = gather(&losses, &conditioned).iter().map(|&v| target.of(v)).collect();
        let rows = rows(&conditioned);
        Some(Self::condition(layout, target, likelihood.hyper(&theta), (rows, targets)))
    }

    /// Returns this surrogate believing that the loss at `points` is what it predicts there (kriging believer).
    #[must_use]
    pub fn believing(&self, points: &[Vec<f64>]) -> Self {
        let (mut rows, mut targets) = (self.rows.clone(), self.targets.as_slice().to_vec());
        targets.extend(points.iter().map(|p| self.predict(p).mean));
        rows.extend(points.iter().map(|p| self.layout.row(p)));
        Self::condition(self.layout.clone(), self.target.clone(), self.hyper.clone(), (rows, targets))
    }

    /// Returns the prediction at a point of the cube (NaN where inactive).
    pub fn predict(&self, point: &[f64]) -> Prediction {
        let row = self.layout.row(point);
        let k = DVector::from_iterator(
            self.rows.len(),
            self.rows.iter().map(|r| self.hyper.kernel.covariance(&row, r)),
        );
        let half = self.factor.solve(k.as_view()).0;
        self.prediction(k.dot(&self.alpha), half.norm_squared())
    }

    /// Returns the loss whose target is `target`: the surrogate's median where `target` is a predicted mean.
    pub fn loss(&self, target: f64) -> f64 {
        self.target.value(target)
    }

    /// Returns the mean of the prediction at a point, much sooner than the whole prediction.
    pub fn mean(&self, point: &[f64]) -> f64 {
        let row = self.layout.row(point);
        let term = |(r, a): (&Vec<f64>, &f64)| self.hyper.kernel.covariance(&row, r) * a;
        self.hyper.mean + self.rows.iter().zip(self.alpha.iter()).map(term).sum::<f64>()
    }

    /// Returns the target of a loss; that of the worst finite one when it is not finite.
    pub fn target(&self, loss: f64) -> f64 {
        self.target.of(loss)
    }

    /// Returns the lowest predicted mean over the observations: the best so far without the luck of its noise.
    pub(super) fn best(&self) -> f64 {
        // The mean at observation i is z_i - noise * alpha_i.
        let means = self.targets.iter().zip(self.alpha.iter()).map(|(z, a)| z - self.hyper.noise * a);
        means.fold(f64::INFINITY, f64::min)
    }

    /// Returns the predictions at many points.
    pub(super) fn predict_many(&self, points: &[Vec<f64>]) -> Vec<Prediction> {
        let rows: Vec<Vec<f64>> = points.iter().map(|p| self.layout.row(p)).collect();
        let k = DMatrix::from_fn(self.rows.len(), rows.len(), |i, j| {
            self.hyper.kernel.covariance(&rows[j], &self.rows[i])
        });
        let means = k.tr_mul(&self.alpha);
        let explained = self.factor.squared_lengths(&k);
        means.iter().zip(explained).map(|(m, e)| self.prediction(*m, e)).collect()
    }

    /// Returns the prediction at `point` with the slopes of its mean and its variance along each of `coordinates`.
    pub(super) fn slopes(&self, point: &[f64], coordinates: &[usize]) -> (Prediction, Vec<f64>, Vec<f64>) {
        let (layout, kernel) = (&self.layout, &self.hyper.kernel);
        let row = layout.row(point);
        let (k, slope): (Vec<f64>, Vec<f64>) = self.rows.iter().map(|r| kernel.at(&row, r)).unzip();
        let k = DVector::from_vec(k);
        let (half, full) = self.factor.solve(k.as_view());
        let columns = (0..layout.ordered()).filter(|&c| coordinates.contains(&layout.coordinate(c)));
        let along = |c: usize| {
            let mut sums = (0.0, 0.0);
            for ((r, s), (a, f)) in self.rows.iter().zip(&slope).zip(self.alpha.iter().zip(full.iter())) {
                let dk = s * (row[c] - r[c]);
                sums = (sums.0 + a * dk, sums.1 + f * dk);
            }
            (kernel.scales[c] * sums.0, -2.0 * kernel.scales[c] * sums.1)
        };
        let (means, variances) = columns.map(along).unzip();
        (self.prediction(k.dot(&self.alpha), half.norm_squared()), means, variances)
    }

    /// Returns the length of each of `coordinates`, ordered ones all, in units of the cube's edge.
    pub(super) fn lengths(&self, coordinates: &[usize]) -> Vec<f64> {
        let columns =
            (0..self.layout.ordered()).filter(|&c| coordinates.contains(&self.layout.coordinate(c)));
        columns.map(|c| self.hyper.kernel.scales[c].sqrt().recip()).collect()
    }

    fn condition(
        layout: Layout,
        target: Target,
        hyper: Hyper,
        (rows, targets): (Vec<Vec<f64>>, Vec<f64>),
    ) -> Self {
        let n = rows.len();
        let mut covariance = DMatrix::zeros(n, n);
        for j in 0..n {
            (j..n).for_each(|i| covariance[(i, j)] = hyper.kernel.covariance(&rows[i], &rows[j]));
            covariance[(j, j)] += hyper.noise;
        }
        let factor = Factor::new(&covariance);
        let targets = DVector::from_vec(targets);
        let alpha = factor.solve(targets.add_scalar(-hyper.mean).as_view()).1;
        Self { layout, target, hyper, rows, targets, factor, alpha }
    }

    fn prediction(&self, deviation: f64, explained: f64) -> Prediction {
        let variance = self.hyper.kernel.amplitude - explained;
        Prediction { mean: self.hyper.mean + deviation, sd: variance.max(0.0).sqrt() }
    }
}

/// Returns the target under which the losses are most likely, with the parameters of the process; `None` of none.
fn choose(
    choices: Vec<Target>,
    layout: &Layout,
    rows: &[Vec<f64>],
    losses: &[f64],
) -> Option<(Target, Vec<f64>)> {
    let mut found: Option<(Target, Vec<f64>, f64)> = None;
    let mut previous: Option<Vec<f64>> = None;
    for target in choices {
        let likelihood = likelihood(layout, rows, losses, &target);
        let (theta, cost) = match &previous {
            Some(theta) => likelihood.climb(theta, REFINE),
            None => search(&likelihood),
        };
        previous = Some(theta.clone());
        let cost = cost - target.log_slope(losses);
        if found.as_ref().is_none_or(|best| cost < best.2) {
            found = Some((target, theta, cost));
        }
    }
    let (target, theta, _) = found?;
    let likelihood = likelihood(layout, rows, losses, &target);
    let (theta, _) = likelihood.climb(&theta, SEARCH);
    Some((target, theta))
}

/// Returns the best parameters over all starts and their cost.
fn search(likelihood: &Likelihood) -> (Vec<f64>, f64) {
    let first = likelihood.climb(&likelihood.prior_centre(), SEARCH);
    let others = likelihood.starts().into_iter().map(|start| likelihood.climb(&start, SEARCH));
    others.fold(first, |best, next| if next.1 < best.1 { next } else { best })
}

fn likelihood(layout: &Layout, rows: &[Vec<f64>], losses: &[f64], target: &Target) -> Likelihood {
    let targets: Vec<f64> = losses.iter().map(|&v| target.of(v)).collect();
    Likelihood::new(layout, rows, &targets)
}

fn gather(losses: &[f64], chosen: &[usize]) -> Vec<f64> {
    chosen.iter().map(|&i| losses[i]).collect()
}

/// Returns the indices of the losses from the best to the worst, failed ones last.
pub(super) fn ranked(losses: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..losses.len()).collect();
    let key = |i: usize| if target::is_sound(losses[i]) { losses[i] } else { f64::INFINITY };
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    order
}

/// Returns at most `count` of `ranked`: the better half of them the first ones, the rest spread over the others.
fn spread(ranked: &[usize], count: usize) -> Vec<usize> {
    if ranked.len() <= count {
        return ranked.to_vec();
    }
    let (best, others) = ranked.split_at(count / 2);
    let rest = count - best.len();
    let step = others.len() as f64 / rest as f64;
    let spread = (0..rest).map(|k| others[((k as f64 + 0.5) * step) as usize]);
    best.iter().copied().chain(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::super::likelihood::tests::{POINTS, TARGETS, hyper};
    use super::*;

    const CUBE: [Dimension; 3] = [Dimension::Continuous; 3];

    fn golden() -> Surrogate {
        let layout = Layout::new(&CUBE);
        let target = Target::choices(&TARGETS).remove(0);
        let rows = POINTS.iter().map(|p| layout.row(p)).collect();
        Surrogate::condition(layout, target, hyper(), (rows, TARGETS.to_vec()))
    }

    #[test]
    fn posterior_agrees_with_scikit_learn() {
        // scikit-learn 1.9.1, the process of the likelihood's test: predict(..., return_std=True).
        let expected = [
            ([0.5, 0.5, 0.5], -0.474_442_164_962_862_73, 0.334_918_622_227_154_8),
            ([0.1, 0.9, 0.3], 0.295_746_016_389_996_65, 0.099_516_146_487_187_01),
            ([0.0, 0.0, 1.0], -0.307_178_122_152_310_1, 1.147_076_601_116_746_8),
        ];
        let surrogate = golden();
        let many = surrogate.predict_many(&expected.map(|e| e.0.to_vec()));
        for ((point, mean, sd), second) in expected.into_iter().zip(many) {
            let one = surrogate.predict(&point);
            assert!((one.mean - mean).abs() < 1e-12 && (one.sd - sd).abs() < 1e-12, "{one:?}");
            assert!((second.mean - mean).abs() < 1e-12 && (second.sd - sd).abs() < 1e-12, "{second:?}");
        }
    }

    #[test]
    fn slopes_agree_with_central_differences() {
        let (surrogate, point) = (golden(), [0.45, 0.3, 0.7]);
        let (_, means, variances) = surrogate.slopes(&point, &[0, 2]);
        for (k, j) in [0, 2].into_iter().enumerate() {
            let at = |step: f64| {
                let mut moved = point;
                moved[j] += step;
                surrogate.predict(&moved)
            };
            let (up, down) = (at(1e-5), at(-1e-5));
            assert!((means[k] - (up.mean - down.mean) / 2e-5).abs() < 1e-8);
            assert!((variances[k] - (up.sd.powi(2) - down.sd.powi(2)) / 2e-5).abs() < 1e-8);
        }
    }

    #[test]
    fn best_is_the_lowest_mean_at_an_observation() {
        let surrogate = golden();
        let lowest = POINTS.iter().map(|p| surrogate.predict(p).mean).fold(f64::INFINITY, f64::min);
        assert!((surrogate.best() - lowest).abs() < 1e-12);
    }

    #[test]
    fn a_believed_point_keeps_the_mean_and_loses_its_uncertainty() {
        let (surrogate, point) = (golden(), vec![0.0, 0.0, 1.0]);
        let (before, after) =
            (surrogate.predict(&point), surrogate.believing(std::slice::from_ref(&point)).predict(&point));
        assert!((after.mean - before.mean).abs() < 1e-9);
        assert!(after.sd < 0.1 && before.sd > 1.0);
    }

    #[test]
    fn a_fit_learns_which_coordinate_matters_and_gives_losses_back() {
        let loss = |x: &[f64]| 5.0 + (6.0 * x[0]).sin();
        let point =
            |k: usize| (1..=3).map(|j| (k as f64 * 0.618_034 * f64::from(j).sqrt()).fract()).collect();
        let points: Vec<Vec<f64>> = (1..40).map(point).collect();
        let observed: Vec<Observation> =
            points.into_iter().map(|p| Observation { value: loss(&p), point: p }).collect();
        let surrogate = Surrogate::fit(&CUBE, &observed).unwrap();
        let lengths = surrogate.lengths(&[0, 1, 2]);
        assert!(lengths[1] > 4.0 * lengths[0] && lengths[2] > 4.0 * lengths[0], "{lengths:?}");
        let x = [0.37, 0.5, 0.81];
        assert!((surrogate.loss(surrogate.predict(&x).mean) - loss(&x)).abs() < 0.02);
    }

    #[test]
    fn spread_takes_the_best_half_and_every_so_many_of_the_rest() {
        let ranked: Vec<usize> = (0..100).collect();
        assert_eq!(spread(&ranked, 8), [0, 1, 2, 3, 16, 40, 64, 88]);
        assert_eq!(spread(&ranked[..8], 8), ranked[..8]);
    }
}
