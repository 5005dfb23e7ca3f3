//! Numerical work on sampled curves: slices in, slices out, no domain knowledge.

pub mod circle;
mod error;
pub mod exponential;
pub mod extent;
pub mod integrate;
pub mod interpolate;
pub mod line;
pub mod peak;
pub mod rank;
pub mod smooth;

pub use error::SignalError;
