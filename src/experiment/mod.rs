//! Experiments: a TOML file in, a run folder with compared and reproducible figures out.

pub mod artifact;
mod calibrate;
mod card;
pub mod cells;
pub mod check;
mod check_cell;
pub mod compare;
pub mod config;
pub mod error;
pub mod fitted;
pub mod fold;
pub mod folder;
mod grow;
pub mod label;
pub mod latency;
pub mod parse;
pub mod population;
mod predictions;
pub mod promotion;
pub mod publish;
pub mod reasons;
pub mod run;
pub mod score;
pub mod sealed;
pub mod search;
pub mod start;
mod target;
pub mod task;

pub use compare::Comparison;
pub use config::ExperimentConfig;
pub use error::ExperimentError;
pub use reasons::Reasons;
pub use run::Outcome;
