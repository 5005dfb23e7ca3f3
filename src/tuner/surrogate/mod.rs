//! The surrogate of the Bayesian search: what it has seen in the unit cube, and what it would try next.
//!
//! `suggest` fits a Gaussian process to the losses observed so far and returns the point of the largest expected
//! improvement that was not proposed before. It knows nothing of parameters, trials or time, and is a pure
//! function of its arguments: equal arguments, equal bytes.
//!
//! ```
//! use fadecast::seed::Seed;
//! use fadecast::tuner::surrogate::{Acquisition, Dimension, Observation, Suggest, suggest};
//!
//! let losses = [0.0, 0.4, 0.9].map(|x: f64| Observation { point: vec![x], value: (x - 0.3).powi(2) });
//! let next = suggest(&Suggest {
//!     dimensions: &[Dimension::Continuous],
//!     observed: &losses,
//!     pending: &[],
//!     seed: &Seed::new(0),
//!     acquisition: Acquisition::LogEi,
//!     repair: &|x| x.to_vec(),
//!     is_taken: &|_| false,
//! });
//! assert!(next.is_some_and(|x| (x[0] - 0.3).abs() < 0.1));
//! ```

mod acquisition;
mod candidate;
mod descent;
mod factor;
mod gaussian_process;
mod kernel;
mod likelihood;
mod normal;
mod suggest;
mod target;

pub use acquisition::Acquisition;
pub use gaussian_process::{Prediction, Surrogate};
pub use suggest::{Suggest, suggest};

/// What one coordinate of the unit cube means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Any number from 0 to 1.
    Continuous,
    /// One of so many ordered levels, at least 1; level `i` of `n` is at `(i + 0.5) / n`.
    Ordinal(usize),
    /// One of so many levels without an order, at least 1, at the places of [`Dimension::Ordinal`].
    Categorical(usize),
    /// Always the same.
    Constant,
}

impl Dimension {
    /// Returns the number of levels; `None` of a continuous coordinate.
    pub fn levels(self) -> Option<usize> {
        match self {
            Self::Continuous => None,
            Self::Ordinal(n) | Self::Categorical(n) => Some(n),
            Self::Constant => Some(1),
        }
    }
}

/// A point of the unit cube and what was found there.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// One coordinate [0, 1] per dimension; NaN where it is inactive.
    pub point: Vec<f64>,
    /// Loss, to be minimised; a trial that failed has NaN, one that diverged may have infinity.
    pub value: f64,
}
