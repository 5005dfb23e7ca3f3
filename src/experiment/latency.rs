//! Latency: how long one network takes for one prediction, measured.

use std::sync::Arc;
use std::time::Instant;

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::fitted::Fitted;
use super::population;
use super::task::Task;
use crate::device::Backend;
use crate::train::engine::{self, EngineKind};

/// Predictions whose median counts.
const REPEATS: usize = 201;

/// Returns the median time of one prediction of one row by one network [us]; 0 for models without networks.
///
/// # Errors
/// [`ExperimentError::Engine`].
pub fn microseconds(
    fitted: &Fitted,
    config: &ExperimentConfig,
    task: &Task,
    backend: Backend,
) -> Result<f64, ExperimentError> {
    let first = fitted.folds.first().zip(task.folds.first());
    let Some(((fold, state), split)) = first.and_then(|(f, s)| Some(((f, f.members.first()?), s))) else {
        return Ok(0.0);
    };
    let start = population::starts(config, std::slice::from_ref(fold)).swap_remove(0);
    let mut engine =
        engine::create(EngineKind::Auto, backend, &population::population(config, task, vec![start]))?;
    engine.set_state(0, state);
    let rows = [Arc::new(fold.rows(config, &task.frame, &split.test[..1]))];
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let begin = Instant::now();
            std::hint::black_box(engine.predict(&rows));
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(times[REPEATS / 2])
}
