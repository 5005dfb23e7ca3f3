//! Search over settings: what may vary, which trial comes next, and a study on disk that survives anything.
//!
//! A *space* says what may vary; a *trial* is one point of it with what came of it; an *oracle* proposes the next
//! trial from those there are; a *study* is the folder that workers share. Nothing here knows batteries, networks or
//! experiment files: whoever searches implements [`Evaluate`].

pub mod config;
pub mod evaluate;
pub mod grammar;
pub mod halton;
pub mod importance;
pub mod objective;
pub mod oracle;
pub mod space;
pub mod store;
pub mod study;
pub mod surrogate;
pub mod trial;
pub mod value;

pub use config::TunerConfig;
pub use evaluate::{Evaluate, Job, Outcome, Pulse};
pub use objective::{Direction, Objective};
pub use space::{Condition, Domain, Param, Scale, Space};
pub use trial::{Budget, Evaluation, Measurement, Origin, Status, Trial};
pub use value::{Value, Values};
