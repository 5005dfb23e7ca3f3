//! Trees: grown for every fold and seed side by side, each from streams of its own.

use rayon::prelude::*;

use super::error::ExperimentError;
use super::fitted::{FitContext, Fitted};
use super::fold::FittedFold;
use super::population::{self, Job};
use crate::model::trees::{Input, Lesson, Target, Trees, TreesConfig};
use crate::prepare::batch;
use crate::train::StopReason;

/// Grows the trees of all jobs, one model a thread between two looks at the interrupt. A budget of epochs counts as that share of the rounds.
///
/// # Errors
/// [`ExperimentError::Trees`].
pub(super) fn grow(
    jobs: &[Job],
    fitted: &mut [Fitted],
    context: &mut FitContext,
) -> Result<(), ExperimentError> {
    let places = places(jobs);
    let mut grown: Vec<Trees> = Vec::new();
    context.observe.fitted(0, places.len()).map_err(crate::train::FitError::Observe)?;
    for chunk in places.chunks(rayon::current_num_threads()) {
        if context.interrupt.reason().is_some() {
            break;
        }
        let one = |place: &Place| place.grow(&jobs[place.job], &fitted[place.job], context.until);
        grown.extend(chunk.par_iter().map(one).collect::<Result<Vec<_>, _>>()?);
        context.observe.fitted(grown.len(), places.len()).map_err(crate::train::FitError::Observe)?;
    }
    let whole = grown.len() == places.len();
    let mut grown = grown.into_iter();
    for place in &places {
        let fold = &mut fitted[place.job].folds[place.fold];
        fold.trees.extend(grown.next());
        fold.stops.push(if whole { StopReason::MaxEpochs } else { StopReason::Interrupted });
    }
    Ok(())
}

/// Which trees: of which job, fold and seed.
#[derive(Debug, Clone, Copy)]
struct Place {
    job: usize,
    fold: usize,
    idx: u32,
}

fn places(jobs: &[Job]) -> Vec<Place> {
    let of_job = |(job, j): (usize, &Job)| {
        let n = population::n_per_fold(j.config);
        (0..j.task.folds.len()).flat_map(move |fold| (0..n).map(move |idx| Place { job, fold, idx }))
    };
    jobs.iter().enumerate().flat_map(|pair| of_job(pair).collect::<Vec<_>>()).collect()
}

impl Place {
    fn grow(self, job: &Job, fitted: &Fitted, until: Option<u32>) -> Result<Trees, ExperimentError> {
        let (split, fold) = (&job.task.folds[self.fold], &fitted.folds[self.fold]);
        let rows = batch::plain(&job.task.frame, &fold.columns, &split.train);
        let inputs = inputs(job, fold);
        let seed = population::seed(job.config, &population::name(fold, self.idx));
        let failed = |source| ExperimentError::Trees { fold: split.name.clone(), source };
        let config = budgeted(job, until);
        let values = fold.to_grow(job.config, &job.task.frame, &split.train);
        let labels: Vec<usize> =
            split.train.iter().filter_map(|&row| fold.class(&job.task.frame, row)).collect();
        let target = match fold.tiers {
            Some(_) => Target::Classes { labels: &labels, weights: &fold.class_weights },
            None => Target::Values(&values),
        };
        Trees::fit(&config, &Lesson { inputs: &inputs, rows: &rows, target }, &seed).map_err(failed)
    }
}

fn inputs(job: &Job, fold: &FittedFold) -> Vec<Input> {
    let input = |&c: &usize| {
        let column = &job.task.frame.inputs[c];
        Input { name: column.name.clone(), unit: column.unit.clone() }
    };
    fold.columns.iter().map(input).collect()
}

/// Returns the trees' settings within a budget of epochs.
fn budgeted(job: &Job, until: Option<u32>) -> TreesConfig {
    let (trees, epochs) = (&job.config.trees, job.config.train.epochs);
    let share = until.map_or(1.0, |until| f64::from(until) / f64::from(epochs));
    TreesConfig { rounds: ((f64::from(trees.rounds) * share).ceil() as u32).max(1), ..trees.clone() }
}
