//! L-BFGS on full batches: the two-loop recursion of [Nocedal2006, alg. 7.4] and a backtracking line search
//! (sufficient decrease, [Nocedal2006, alg. 3.1]), on the host, all members side by side.
//!
//! A pair of differences enters the memory only when its curvature is positive, so that every direction descends. Between
//! iterations a member is its weights and its memory; loss and gradient are computed afresh, which costs one
//! evaluation and makes a resumed run equal an uninterrupted one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::train::engine::{Engine, Rows};

/// Pairs of differences that a member remembers [Nocedal2006, p. 177 recommends 3-20].
const HISTORY: usize = 10;

/// Share of the expected decrease that a step must reach [Nocedal2006, p. 33].
const DECREASE: f64 = 1e-4;

/// Halvings of a step before the search gives up.
const HALVINGS: usize = 20;

/// Least cosine-like curvature of a pair that is remembered.
const CURVATURE: f64 = 1e-10;

/// Minimises the loss of each member over all its rows.
#[derive(Debug, Clone)]
pub struct Lbfgs {
    members: Vec<VecDeque<Pair>>,
}

/// Difference of two weights and of their gradients.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    weights: Vec<f32>,
    gradient: Vec<f32>,
}

/// A member on its way along a direction.
struct Search {
    loss: f64,
    weights: Vec<f32>,
    gradient: Vec<f32>,
    direction: Vec<f64>,
    /// Directional derivative, below 0.
    slope: f64,
    step: f64,
    /// Gradient at the accepted point.
    accepted: Option<Vec<f32>>,
}

impl Lbfgs {
    /// Returns the optimiser of `n_members` members that remember nothing yet.
    pub fn new(n_members: usize) -> Self {
        Self { members: vec![VecDeque::new(); n_members] }
    }

    /// Takes one iteration for each member that has rows; returns each member's loss before it (0 when resting).
    pub fn step(&mut self, engine: &mut dyn Engine, rows: &[Arc<Rows>]) -> Vec<f32> {
        let start = engine.loss_and_gradient(rows);
        let losses = start.iter().map(|(loss, _)| *loss).collect();
        let mut searches: Vec<Option<Search>> = start
            .into_iter()
            .enumerate()
            .map(|(idx, (loss, gradient))| self.begin(idx, loss, gradient, &*engine))
            .collect();
        for _ in 0..HALVINGS {
            if searches.iter().flatten().all(|search| search.accepted.is_some()) {
                break;
            }
            advance(engine, rows, &mut searches);
        }
        for (idx, search) in searches.into_iter().enumerate() {
            if let Some(search) = search {
                self.end(idx, search, engine);
            }
        }
        losses
    }

    /// Returns a member's memory, flat, for its checkpoint.
    pub fn memory(&self, member_idx: usize) -> Vec<f32> {
        let pairs = self.members[member_idx].iter();
        pairs.flat_map(|pair| pair.weights.iter().chain(&pair.gradient).copied()).collect()
    }

    /// Sets a member's memory from its checkpoint; `n_weights` is the number of its weights.
    pub fn set_memory(&mut self, member_idx: usize, memory: &[f32], n_weights: usize) {
        let pair =
            |both: &[f32]| Pair { weights: both[..n_weights].to_vec(), gradient: both[n_weights..].to_vec() };
        self.members[member_idx] = memory.chunks_exact(2 * n_weights).map(pair).collect();
    }

    fn begin(&self, idx: usize, loss: f32, gradient: Vec<f32>, engine: &dyn Engine) -> Option<Search> {
        let steepness = dot(&gradient, &gradient).sqrt();
        if gradient.is_empty() || !loss.is_finite() || !steepness.is_finite() || steepness == 0.0 {
            return None;
        }
        let direction = self.direction(idx, &gradient);
        let slope: f64 = direction.iter().zip(&gradient).map(|(d, g)| d * f64::from(*g)).sum();
        // Without a memory the direction has no scale of its own: go a length of 1 at most.
        let step = if self.members[idx].is_empty() { (1.0 / steepness).min(1.0) } else { 1.0 };
        let weights = engine.state(idx).weights;
        Some(Search { loss: f64::from(loss), weights, gradient, direction, slope, step, accepted: None })
    }

    /// Returns minus the approximate inverse Hessian times the gradient.
    fn direction(&self, idx: usize, gradient: &[f32]) -> Vec<f64> {
        let mut q: Vec<f64> = gradient.iter().map(|g| -f64::from(*g)).collect();
        let pairs = &self.members[idx];
        let mut factors = Vec::with_capacity(pairs.len());
        for pair in pairs.iter().rev() {
            let factor = along(&q, &pair.weights) / dot(&pair.weights, &pair.gradient);
            add(&mut q, -factor, &pair.gradient);
            factors.push(factor);
        }
        if let Some(last) = pairs.back() {
            let scale = dot(&last.weights, &last.gradient) / dot(&last.gradient, &last.gradient);
            for q in &mut q {
                *q *= scale;
            }
        }
        for (pair, factor) in pairs.iter().zip(factors.into_iter().rev()) {
            let back = along(&q, &pair.gradient) / dot(&pair.weights, &pair.gradient);
            add(&mut q, factor - back, &pair.weights);
        }
        q
    }

    /// Remembers the accepted step, or goes back to where the search began and forgets.
    fn end(&mut self, idx: usize, search: Search, engine: &mut dyn Engine) {
        let mut state = engine.state(idx);
        let pairs = &mut self.members[idx];
        let Some(accepted) = search.accepted else {
            state.weights = search.weights;
            engine.set_state(idx, &state);
            pairs.clear();
            return;
        };
        let difference = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        let pair = Pair {
            weights: difference(&state.weights, &search.weights),
            gradient: difference(&accepted, &search.gradient),
        };
        if dot(&pair.weights, &pair.gradient) > CURVATURE * dot(&pair.gradient, &pair.gradient) {
            pairs.push_back(pair);
            if pairs.len() > HISTORY {
                pairs.pop_front();
            }
        }
        state.steps += 1;
        engine.set_state(idx, &state);
    }
}

/// Tries each open search's step; accepts it or halves it.
fn advance(engine: &mut dyn Engine, rows: &[Arc<Rows>], searches: &mut [Option<Search>]) {
    let nothing = Arc::new(Rows::default());
    let is_open = |search: &Option<Search>| search.as_ref().is_some_and(|s| s.accepted.is_none());
    for (idx, search) in searches.iter().enumerate() {
        let Some(search) = search.as_ref().filter(|search| search.accepted.is_none()) else { continue };
        let mut state = engine.state(idx);
        let moved = search.weights.iter().zip(&search.direction);
        state.weights = moved.map(|(w, d)| (f64::from(*w) + search.step * d) as f32).collect();
        engine.set_state(idx, &state);
    }
    let open = searches.iter().zip(rows);
    let open: Vec<_> =
        open.map(|(search, rows)| if is_open(search) { rows.clone() } else { nothing.clone() }).collect();
    for (search, (loss, gradient)) in searches.iter_mut().zip(engine.loss_and_gradient(&open)) {
        let Some(search) = search.as_mut().filter(|search| search.accepted.is_none()) else { continue };
        if f64::from(loss) <= search.loss + DECREASE * search.step * search.slope {
            search.accepted = Some(gradient);
        } else {
            search.step *= 0.5;
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn along(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f32]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += factor * f64::from(*what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::engine::{MemberState, MemberStep};

    /// Members whose loss is a known function of two weights.
    struct Known(Vec<MemberState>, fn(f64, f64) -> (f64, [f64; 2]));

    impl Engine for Known {
        fn n_members(&self) -> usize {
            self.0.len()
        }

        fn step(&mut self, _: &[Option<MemberStep<'_>>]) -> Vec<f32> {
            Vec::new()
        }

        fn predict(&mut self, _: &[Arc<Rows>]) -> Vec<Vec<f32>> {
            Vec::new()
        }

        fn loss_and_gradient(&mut self, rows: &[Arc<Rows>]) -> Vec<(f32, Vec<f32>)> {
            let of_member = |(state, rows): (&MemberState, &Arc<Rows>)| {
                if rows.is_empty() {
                    return (0.0, Vec::new());
                }
                let (loss, gradient) = self.1(f64::from(state.weights[0]), f64::from(state.weights[1]));
                (loss as f32, gradient.iter().map(|g| *g as f32).collect())
            };
            self.0.iter().zip(rows).map(of_member).collect()
        }

        fn state(&self, member_idx: usize) -> MemberState {
            self.0[member_idx].clone()
        }

        fn set_state(&mut self, member_idx: usize, state: &MemberState) {
            self.0[member_idx] = state.clone();
        }
    }

    /// Rosenbrock's function, minimum 0 at (1, 1) `[Rosenbrock1960]`.
    fn rosenbrock(x: f64, y: f64) -> (f64, [f64; 2]) {
        let (a, b) = (1.0 - x, y - x * x);
        (a * a + 100.0 * b * b, [-2.0 * a - 400.0 * x * b, 200.0 * b])
    }

    fn engine(starts: &[[f32; 2]]) -> Known {
        let state = |start: &[f32; 2]| MemberState { weights: start.to_vec(), ..MemberState::default() };
        Known(starts.iter().map(state).collect(), rosenbrock)
    }

    fn rows() -> Arc<Rows> {
        Arc::new(Rows { labels: vec![0.0], ..Rows::default() })
    }

    #[test]
    fn finds_the_minimum_of_rosenbrock() {
        let mut engine = engine(&[[-1.2, 1.0], [0.0, 0.0]]);
        let mut lbfgs = Lbfgs::new(2);
        let mut losses = Vec::new();
        for _ in 0..60 {
            losses.push(lbfgs.step(&mut engine, &[rows(), rows()])[0]);
        }
        assert!(losses.windows(2).all(|pair| pair[1] <= pair[0]), "{losses:?}");
        for state in &engine.0 {
            assert!(state.weights.iter().all(|w| (w - 1.0).abs() < 1e-3), "{:?}", state.weights);
        }
    }

    #[test]
    fn a_resumed_run_and_a_lone_member_give_the_same_bytes() {
        let starts = [[-1.2, 1.0], [3.0, -2.0]];
        let mut together = engine(&starts);
        let mut lbfgs = Lbfgs::new(2);
        for _ in 0..12 {
            lbfgs.step(&mut together, &[rows(), rows()]);
        }
        let mut alone = engine(&starts[1..]);
        let mut first = Lbfgs::new(1);
        for _ in 0..5 {
            first.step(&mut alone, &[rows()]);
        }
        let mut second = Lbfgs::new(1);
        second.set_memory(0, &first.memory(0), 2);
        for _ in 0..7 {
            second.step(&mut alone, &[rows()]);
        }
        assert_eq!(alone.0[0], together.0[1]);
    }

    #[test]
    fn a_member_without_rows_rests() {
        let mut engine = engine(&[[-1.2, 1.0], [0.0, 0.0]]);
        Lbfgs::new(2).step(&mut engine, &[rows(), Arc::new(Rows::default())]);
        assert_eq!(engine.0[1].weights, [0.0, 0.0]);
        assert_ne!(engine.0[0].weights, [-1.2, 1.0]);
    }
}
