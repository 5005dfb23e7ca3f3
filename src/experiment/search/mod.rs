//! Searches over experiments: what `[tuner]` asks for, how a trial becomes an experiment, and how trials are trained.

pub mod binding;
pub mod export;
pub mod metric;
pub mod nested;
pub mod open;
pub mod plan;
pub mod settings;
pub mod trainer;

pub use open::{Opened, SearchError};
pub use plan::Plan;
pub use settings::Settings;
pub use trainer::Trainer;
