//! Experiments: a TOML file in, a run folder with compared and reproducible figures out.

pub mod check;
pub mod config;
pub mod error;
pub mod fitted;
pub mod parse;
pub mod task;

pub use config::ExperimentConfig;
pub use error::ExperimentError;
