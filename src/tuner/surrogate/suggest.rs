//! The next point to try: the acquisition's maximum over continuous, ordinal and categorical coordinates at once.
//!
//! Candidates are spread over the cube and around the best observations. From the best few the acquisition is climbed by
//! turns: L-BFGS-B along the continuous coordinates, then the best change of every discrete one, until none helps.
//! Trials still running are believed to end where the surrogate predicts (kriging believer `[Ginsbourger2010]`).

use std::ops::ControlFlow;

use rand::RngExt;

use super::acquisition::Acquisition;
use super::descent::{self, Effort};
use super::gaussian_process::{Surrogate, ranked};
use super::{Dimension, Observation, candidate};
use crate::seed::Seed;

/// Candidates spread over the cube.
const SPREAD: usize = 768;

/// Best observations that candidates are put around, and how many around each.
const AROUND: (usize, usize) = (6, 64);

/// Candidates from which the acquisition is climbed.
const CLIMBS: usize = 6;

/// Turns of continuous and discrete changes in one climb.
const TURNS: usize = 4;

/// Discrete coordinates of up to this many levels are tried at each of them; longer ordinals at steps of 1, 2, 4, ...
const TRIED: usize = 16;

/// Random points looked at before a space is searched from end to end for one that is left.
const DRAWS: usize = 4096;

/// What is known when a point is asked for.
pub struct Suggest<'a> {
    /// What the coordinates mean.
    pub dimensions: &'a [Dimension],
    /// Finished trials.
    pub observed: &'a [Observation],
    /// Points of trials that are not finished.
    pub pending: &'a [Vec<f64>],
    /// The seed of this suggestion.
    pub seed: &'a Seed,
    /// What is maximised.
    pub acquisition: Acquisition,
    /// Maps any point of the cube to the trial that it stands for: discrete coordinates at the centre of their level,
    /// inactive ones NaN. Which ones are inactive may depend on discrete coordinates only.
    pub repair: &'a dyn Fn(&[f64]) -> Vec<f64>,
    /// Whether a repaired point was proposed before.
    pub is_taken: &'a dyn Fn(&[f64]) -> bool,
}

/// Returns the point to try next, repaired and not taken; `None` when nothing new is left.
pub fn suggest(request: &Suggest) -> Option<Vec<f64>> {
    let climbed = Surrogate::fit(request.dimensions, request.observed).and_then(|surrogate| {
        let surrogate =
            if request.pending.is_empty() { surrogate } else { surrogate.believing(request.pending) };
        Climb { request, best: surrogate.best(), surrogate }.best_new()
    });
    climbed.or_else(|| request.any_new())
}

impl Suggest<'_> {
    /// Returns any point that is left: a random one, or the first in a walk through all levels.
    fn any_new(&self) -> Option<Vec<f64>> {
        let width = self.dimensions.len();
        let mut rng = self.seed.stream("any");
        let new = |point: Vec<f64>| Some((self.repair)(&point)).filter(|p| !(self.is_taken)(p));
        let drawn = (0..DRAWS).find_map(|_| new(candidate::uniform(width, &mut rng)));
        drawn.or_else(|| {
            let levels: Vec<usize> = self.dimensions.iter().map(|d| d.levels().unwrap_or(1)).collect();
            let total = levels.iter().try_fold(1_usize, |t, &n| t.checked_mul(n)).unwrap_or(usize::MAX);
            (0..total).find_map(|index| new(self.at_levels(index, &levels, rng.random())))
        })
    }

    /// Returns the point of the `index`-th combination of levels; continuous coordinates are at `fraction`.
    fn at_levels(&self, mut index: usize, levels: &[usize], fraction: f64) -> Vec<f64> {
        let coordinate = |(dimension, &n): (&Dimension, &usize)| {
            let level = index % n;
            index /= n;
            if *dimension == Dimension::Continuous { fraction } else { (level as f64 + 0.5) / n as f64 }
        };
        self.dimensions.iter().zip(levels).map(coordinate).collect()
    }
}

/// A point with its worth.
#[derive(Debug, Clone, PartialEq)]
struct Worth {
    point: Vec<f64>,
    worth: f64,
}

/// A search for the acquisition's maximum.
struct Climb<'a> {
    request: &'a Suggest<'a>,
    surrogate: Surrogate,
    best: f64,
}

impl Climb<'_> {
    /// Returns the best new point found.
    fn best_new(&self) -> Option<Vec<f64>> {
        let candidates = self.candidates();
        let starts = self.starts(&candidates);
        let mut found: Vec<Worth> = starts.into_iter().map(|start| self.climb(start)).collect();
        found.extend(candidates);
        found.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        found.into_iter().find(|w| w.worth > f64::NEG_INFINITY).map(|w| w.point)
    }

    /// Returns all candidates, repaired, with their worth.
    fn candidates(&self) -> Vec<Worth> {
        let (request, mut rng) = (self.request, self.request.seed.stream("candidates"));
        let points = self.everything().unwrap_or_else(|| {
            let mut points = candidate::lattice(request.dimensions.len(), SPREAD, &mut rng);
            let losses: Vec<f64> = request.observed.iter().map(|o| o.value).collect();
            for i in ranked(&losses).into_iter().take(AROUND.0) {
                let centre = &request.observed[i].point;
                points.extend(candidate::around(centre, request.dimensions, AROUND.1, &mut rng));
            }
            points
        });
        self.worths(points.iter().map(|p| (request.repair)(p)).collect())
    }

    /// Returns every combination of levels of a space without continuous coordinates, if they are few enough.
    fn everything(&self) -> Option<Vec<Vec<f64>>> {
        let levels: Option<Vec<usize>> = self.request.dimensions.iter().map(|d| d.levels()).collect();
        let levels = levels?;
        let total = levels.iter().try_fold(1_usize, |t, &n| t.checked_mul(n)).filter(|&t| t <= 2 * SPREAD)?;
        Some((0..total).map(|index| self.request.at_levels(index, &levels, 0.5)).collect())
    }

    /// Returns the candidates to climb from: the best one, then the next best that is apart from those.
    fn starts(&self, candidates: &[Worth]) -> Vec<Worth> {
        let mut order: Vec<&Worth> = candidates.iter().filter(|w| w.worth > f64::NEG_INFINITY).collect();
        order.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        let mut starts: Vec<Worth> = Vec::new();
        for candidate in order {
            if starts.len() == CLIMBS {
                break;
            }
            if starts.iter().all(|s| self.is_apart(&s.point, &candidate.point)) {
                starts.push(candidate.clone());
            }
        }
        starts
    }

    /// Whether two points are so far apart that climbs from them may end differently.
    fn is_apart(&self, a: &[f64], b: &[f64]) -> bool {
        let differs = |((x, y), dimension): ((&f64, &f64), &Dimension)| match dimension {
            Dimension::Continuous | Dimension::Ordinal(_) => (x - y).abs() > 0.05 || x.is_nan() != y.is_nan(),
            _ => x.total_cmp(y).is_ne(),
        };
        a.iter().zip(b).zip(self.request.dimensions).any(differs)
    }

    /// Returns the top of the hill at `start`.
    fn climb(&self, start: Worth) -> Worth {
        let turn = |current: Worth, turn: usize| {
            let smooth = self.along_continuous(current);
            let before = smooth.worth;
            let changed = (0..self.request.dimensions.len()).fold(smooth, |w, j| self.along_discrete(w, j));
            let is_last = changed.worth <= before || turn + 1 == TURNS;
            if is_last { ControlFlow::Break(changed) } else { ControlFlow::Continue(changed) }
        };
        let (ControlFlow::Break(top) | ControlFlow::Continue(top)) = (0..TURNS).try_fold(start, turn);
        top
    }

    /// Returns the best point along the active continuous coordinates, and ordinal ones of many levels.
    fn along_continuous(&self, start: Worth) -> Worth {
        let is_free = |j: &usize| !start.point[*j].is_nan() && is_smooth(self.request.dimensions[*j]);
        let free: Vec<usize> = (0..start.point.len()).filter(is_free).collect();
        if free.is_empty() {
            return start;
        }
        // In units of the lengths the acquisition is about equally curved along all coordinates.
        let lengths: Vec<f64> = self.surrogate.lengths(&free).iter().map(|l| l.clamp(1e-2, 1.0)).collect();
        let place = |scaled: &[f64]| {
            let mut point = start.point.clone();
            free.iter()
                .zip(scaled.iter().zip(&lengths))
                .for_each(|(&j, (x, l))| point[j] = (x * l).clamp(0.0, 1.0));
            point
        };
        let objective = |scaled: &[f64]| {
            let (worth, slopes) =
                self.request.acquisition.gradient(&self.surrogate, self.best, &place(scaled), &free);
            (-worth, slopes.iter().zip(&lengths).map(|(s, l)| -s * l).collect())
        };
        let scaled: Vec<f64> = free.iter().zip(&lengths).map(|(&j, l)| start.point[j] / l).collect();
        let bounds: Vec<(f64, f64)> = lengths.iter().map(|l| (0.0, 1.0 / l)).collect();
        let effort = Effort { iterations: 60, gradient: 1e-4, change: 1e-9 };
        let (found, _) = descent::minimise(objective, &scaled, &bounds, effort);
        self.better(start.clone(), vec![(self.request.repair)(&place(&found))])
    }

    /// Returns the best point over the levels of discrete coordinate `j`.
    fn along_discrete(&self, current: Worth, j: usize) -> Worth {
        let x = current.point[j];
        let levels = match self.request.dimensions[j] {
            Dimension::Continuous | Dimension::Constant => return current,
            _ if x.is_nan() => return current,
            Dimension::Ordinal(n) if n > TRIED => steps(x, n),
            Dimension::Ordinal(n) | Dimension::Categorical(n) => (0..n).collect(),
        };
        let n = self.request.dimensions[j].levels().unwrap_or(1);
        let own = (x * n as f64) as usize;
        let at = |level: usize| {
            let mut point = current.point.clone();
            point[j] = (level as f64 + 0.5) / n as f64;
            // A coordinate that this level wakes up begins at the centre of its range.
            point.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = 0.5);
            (self.request.repair)(&point)
        };
        let changed = levels.into_iter().filter(|&level| level != own).map(at).collect();
        self.better(current, changed)
    }

    /// Returns the best of a point and others.
    fn better(&self, current: Worth, others: Vec<Vec<f64>>) -> Worth {
        self.worths(others)
            .into_iter()
            .fold(current, |best, next| if next.worth > best.worth { next } else { best })
    }

    /// Returns points with their worth, which is minus infinity where it is taken.
    fn worths(&self, points: Vec<Vec<f64>>) -> Vec<Worth> {
        let predictions = self.surrogate.predict_many(&points);
        let worth = |point: &[f64], prediction| {
            let is_taken = (self.request.is_taken)(point);
            if is_taken { f64::NEG_INFINITY } else { self.request.acquisition.worth(prediction, self.best) }
        };
        let both = points.into_iter().zip(predictions);
        both.map(|(point, p)| Worth { worth: worth(&point, p), point }).collect()
    }
}

/// Whether a coordinate is climbed along as if it were continuous.
fn is_smooth(dimension: Dimension) -> bool {
    match dimension {
        Dimension::Continuous => true,
        Dimension::Ordinal(n) => n > TRIED,
        Dimension::Categorical(_) | Dimension::Constant => false,
    }
}

/// Returns the levels 1, 2, 4, ... steps on either side of the one at `x`.
fn steps(x: f64, n: usize) -> Vec<usize> {
    let own = (x * n as f64) as usize;
    let widths = (0..usize::BITS).map(|k| 1_usize << k).take_while(|&w| w < n);
    widths.flat_map(|w| [own.checked_sub(w), Some(own + w).filter(|&i| i < n)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A space with the losses seen in it, for tests that vary one thing.
    struct Setting {
        dimensions: Vec<Dimension>,
        observed: Vec<Observation>,
        pending: Vec<Vec<f64>>,
        acquisition: Acquisition,
    }

    impl Setting {
        fn new(dimensions: &[Dimension], points: &[&[f64]], loss: impl Fn(&[f64]) -> f64) -> Self {
            let observe = |p: &&[f64]| Observation { point: p.to_vec(), value: loss(p) };
            let observed = points.iter().map(observe).collect();
            Self {
                dimensions: dimensions.to_vec(),
                observed,
                pending: Vec::new(),
                acquisition: Acquisition::LogEi,
            }
        }

        fn next(&self) -> Option<Vec<f64>> {
            let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| x.total_cmp(y).is_eq());
            suggest(&Suggest {
                dimensions: &self.dimensions,
                observed: &self.observed,
                pending: &self.pending,
                seed: &Seed::new(7),
                acquisition: self.acquisition,
                repair: &|point| self.repair(point),
                is_taken: &|point| {
                    self.observed.iter().any(|o| same(&o.point, point))
                        || self.pending.iter().any(|p| same(p, point))
                },
            })
        }

        /// Snaps; in spaces of three coordinates the last is active where the first is in its upper half.
        fn repair(&self, point: &[f64]) -> Vec<f64> {
            let snap = |(d, &x): (&Dimension, &f64)| match d.levels() {
                Some(n) => (((x * n as f64) as usize).min(n - 1) as f64 + 0.5) / n as f64,
                None => x,
            };
            let mut repaired: Vec<f64> = self.dimensions.iter().zip(point).map(snap).collect();
            if repaired.len() == 3 && repaired[0] < 0.5 {
                repaired[2] = f64::NAN;
            }
            repaired
        }
    }

    const LINE: [&[f64]; 5] = [&[0.0], &[0.25], &[0.5], &[0.75], &[1.0]];

    fn bowl(x: &[f64]) -> f64 {
        (x[0] - 0.6).powi(2)
    }

    #[test]
    fn goes_to_the_minimum_of_a_bowl_by_either_acquisition() {
        let mut setting = Setting::new(&[Dimension::Continuous], &LINE, bowl);
        for acquisition in [Acquisition::LogEi, Acquisition::Ucb { beta: 0.5 }] {
            setting.acquisition = acquisition;
            let next = setting.next().unwrap();
            assert!((next[0] - 0.6).abs() < 0.05, "{acquisition:?}: {next:?}");
        }
    }

    #[test]
    fn same_arguments_same_bytes() {
        let setting = Setting::new(&[Dimension::Continuous], &LINE, bowl);
        assert_eq!(setting.next().unwrap()[0].to_bits(), setting.next().unwrap()[0].to_bits());
    }

    #[test]
    fn a_pending_point_repels() {
        let mut setting = Setting::new(&[Dimension::Continuous], &LINE, bowl);
        let first = setting.next().unwrap();
        setting.pending.push(first.clone());
        let second = setting.next().unwrap();
        assert!((second[0] - first[0]).abs() > 0.01, "{first:?} {second:?}");
    }

    #[test]
    fn a_discrete_space_is_proposed_point_by_point_until_it_is_exhausted() {
        let dimensions = [Dimension::Ordinal(4), Dimension::Categorical(3)];
        let mut setting = Setting::new(&dimensions, &[], bowl);
        for _ in 0..12 {
            let point = setting.next().unwrap();
            assert!(!setting.observed.iter().any(|o| o.point == point), "{point:?} again");
            assert_eq!(point, setting.repair(&point));
            setting.observed.push(Observation { value: bowl(&point), point });
        }
        assert_eq!(setting.next(), None);
    }

    #[test]
    fn a_conditional_space_is_exhausted_after_the_points_that_it_has() {
        // Where the first level is the lower one the third coordinate is inactive: 3 + 3 * 5 points.
        let dimensions = [Dimension::Ordinal(2), Dimension::Categorical(3), Dimension::Ordinal(5)];
        let mut setting = Setting::new(&dimensions, &[], bowl);
        let loss = |p: &[f64]| p[0] + p[1] + if p[2].is_nan() { 0.0 } else { p[2] };
        for _ in 0..18 {
            let point = setting.next().unwrap();
            assert_eq!(point[2].is_nan(), point[0] < 0.5);
            setting.observed.push(Observation { value: loss(&point), point });
        }
        assert_eq!(setting.next(), None);
    }

    #[test]
    fn failed_and_huge_losses_inform_and_break_nothing() {
        let points: Vec<Vec<f64>> = (0..24).map(|k| vec![(f64::from(k) + 0.5) / 24.0]).collect();
        let points: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
        let loss = |x: &[f64]| match x[0] {
            x if x > 0.7 => f64::NAN,
            x if x < 0.1 => 1e30,
            x if x < 0.2 => f64::INFINITY,
            x => (x - 0.41).powi(2),
        };
        let next = Setting::new(&[Dimension::Continuous], &points, loss).next().unwrap();
        assert!((next[0] - 0.41).abs() < 0.1, "{next:?}");
        let failed = Setting::new(&[Dimension::Continuous], &points, |_| f64::NAN).next().unwrap();
        assert!((0.0..=1.0).contains(&failed[0]));
        let equal = Setting::new(&[Dimension::Continuous], &points, |_| 3.0).next().unwrap();
        assert!((0.0..=1.0).contains(&equal[0]));
    }

    #[test]
    fn finds_the_right_category_and_level_of_a_mixed_space() {
        let dimensions = [Dimension::Categorical(3), Dimension::Ordinal(40)];
        let loss = |p: &[f64]| (p[0] - 0.5).abs() + (p[1] - 0.3125).powi(2) * 4.0;
        let mut setting = Setting::new(&dimensions, &[], loss);
        for _ in 0..25 {
            let point = setting.next().unwrap();
            setting.observed.push(Observation { value: loss(&point), point });
        }
        assert!(setting.observed.iter().any(|o| o.value < 1e-12), "{:?}", setting.observed);
    }

    #[test]
    fn a_space_of_constants_has_one_point() {
        let mut setting = Setting::new(&[Dimension::Constant], &[], bowl);
        assert_eq!(setting.next(), Some(vec![0.5]));
        setting.observed.push(Observation { point: vec![0.5], value: 1.0 });
        assert_eq!(setting.next(), None);
    }

    #[test]
    fn long_ordinals_are_tried_at_doubling_steps() {
        assert_eq!(steps(0.5, 20), [9, 11, 8, 12, 6, 14, 2, 18]);
        assert_eq!(steps(0.0, 20), [1, 2, 4, 8, 16]);
    }
}
