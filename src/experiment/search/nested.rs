//! Nested evaluation: what each part chose, trained on the outer training rows and judged by test rows that no search saw.

use super::binding;
use super::plan::Plan;
use crate::experiment::config::ExperimentConfig;
use crate::experiment::error::ExperimentError;
use crate::experiment::fitted::{FitContext, Fitted};
use crate::experiment::run::{self, Outcome};
use crate::experiment::task::Task;
use crate::train::{Interrupt, Observe};
use crate::tuner::Values;

/// Returns the experiment that a trial of a part stands for, with the experiment's own repeats and ensembles.
///
/// # Errors
/// [`ExperimentError::Config`] where the values do not go together.
pub fn chosen(plan: &Plan, values: &Values) -> Result<ExperimentConfig, ExperimentError> {
    let bound = binding::bind(&plan.settings.base, &plan.settings.space, values)?;
    let mut chosen = ExperimentConfig { repeats: plan.config.repeats, ..bound };
    if plan.settings.space.params.iter().all(|p| p.key != "train.members") {
        chosen.train.members = plan.config.train.members;
    }
    Ok(chosen)
}

/// Trains each part's choice on its outer folds and scores all of them as one result.
///
/// # Errors
/// Every [`ExperimentError`]; [`ExperimentError::Stopped`] after Ctrl-C.
pub fn evaluate(
    plan: &Plan,
    chosen_values: &[Values],
    interrupt: &Interrupt,
    observe: &mut dyn Observe,
) -> Result<Outcome, ExperimentError> {
    let begin = std::time::Instant::now();
    let mut predicted = vec![Vec::new(); plan.task.folds.len()];
    let mut all = Fitted { folds: Vec::new() };
    let mut kinds = Vec::new();
    for (part, values) in plan.parts.iter().zip(chosen_values) {
        let config = chosen(plan, values)?;
        kinds.push(config.model.kind);
        let folds = part.outer.iter().map(|&fold| plan.task.folds[fold].clone()).collect();
        let task = Task::of(&config, &plan.cells)?.with_folds(&config, folds)?;
        let context = FitContext {
            backend: plan.backend,
            checkpoint: None,
            interrupt,
            until: None,
            judge: false,
            start: None,
            observe,
        };
        let fitted = Fitted::fit(&config, &task, context)?;
        if fitted.is_paused() {
            return Err(ExperimentError::Stopped);
        }
        let own = fitted.predict(&config, &task, plan.backend)?;
        for (&fold, soh) in part.outer.iter().zip(own) {
            predicted[fold] = soh;
        }
        all.folds.extend(fitted.folds);
    }
    repeat_alike(&mut predicted);
    let mut reported = ExperimentConfig { tuned_on_test: !plan.settings.tuner.nested, ..plan.config.clone() };
    // Where every part chose one kind of model, the figures are that kind's.
    if let Some(&kind) = kinds.first().filter(|first| kinds.iter().all(|kind| kind == *first)) {
        reported.model.kind = kind;
    }
    let mut outcome = run::outcome(&plan.name, &reported, &plan.task, &all, &predicted);
    outcome.seconds = begin.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Repeats what models without seeds of their own say as often as others say theirs, where parts chose several kinds.
fn repeat_alike(predicted: &mut [Vec<Vec<f64>>]) {
    let n_most = predicted.iter().map(Vec::len).max().unwrap_or(0);
    for repetitions in predicted.iter_mut().filter(|r| r.len() == 1) {
        *repetitions = vec![repetitions[0].clone(); n_most];
    }
}
