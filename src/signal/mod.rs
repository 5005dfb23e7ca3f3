//! Numerical work on sampled curves: slices in, slices out, no domain knowledge.

mod error;
pub mod integrate;
pub mod interpolate;
pub mod peak;
pub mod smooth;

pub use error::SignalError;
