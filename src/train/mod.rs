//! Training.

pub mod engine;
pub mod loss;
pub mod optimizer;
