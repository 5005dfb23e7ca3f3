//! Searches over experiments: what `[tuner]` asks for, how a trial becomes an experiment, and how trials are trained.

pub mod binding;
pub mod metric;
pub mod settings;
pub mod trainer;

pub use settings::Settings;
pub use trainer::Trainer;
