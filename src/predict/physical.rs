//! Labels as answers: in physical units, with their intervals or sets.

use std::sync::Arc;

use super::answers::{Column, Values};
use super::error::PredictError;
use crate::metric::classification::most_probable;
use crate::pipeline::{Output, Pipeline};

/// Name of the capacity that an SoH means.
pub(super) const CAPACITY: &str = "discharging_capacity_ah";

/// Most tiers that a set can hold.
const MOST_TIERS: usize = 64;

/// Returns the columns of answers; those of the interval where the model has one.
pub(super) fn columns(
    pipeline: &Pipeline,
    labels: &[f64],
    reference_ah: Option<&[f64]>,
    level: f64,
) -> Result<Vec<Column>, PredictError> {
    let score = score(pipeline, level)?;
    if let Output::Tier { names } = &pipeline.output {
        return Ok(tiers(pipeline, names, labels, score));
    }
    let answer =
        |shift: f64| labels.iter().map(|l| pipeline.output.physical(l + shift)).collect::<Vec<f64>>();
    let mut answers = vec![("", answer(0.0))];
    if let Some(score) = score {
        answers.extend([("_lower", answer(-score)), ("_upper", answer(score))]);
    }
    let (name, unit) = (pipeline.output.name(), pipeline.output.unit());
    let column = |(end, values): &(&str, Vec<f64>)| numbers(format!("{name}{end}"), unit, values.clone());
    let mut columns: Vec<Column> = answers.iter().map(column).collect();
    if let Some(reference) = reference(&pipeline.output, reference_ah, labels.len()) {
        let capacity = |(end, soh): &(&str, Vec<f64>)| {
            let values = soh.iter().zip(&reference).map(|(soh, ah)| soh * ah).collect();
            numbers(format!("{CAPACITY}{end}"), "Ah", values)
        };
        columns.extend(answers.iter().map(capacity));
    }
    Ok(columns)
}

/// Returns the score of a level; `None` where the model has no interval at all.
fn score(pipeline: &Pipeline, level: f64) -> Result<Option<f64>, PredictError> {
    let Some(interval) = &pipeline.interval else { return Ok(None) };
    let known = || interval.levels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let unknown = || PredictError::Level { level, known: known() };
    interval.score(level).map(Some).ok_or_else(unknown)
}

/// Returns the capacity of each row that counts as SoH 1: the row's own, else that of all cells of the run.
fn reference(output: &Output, own: Option<&[f64]>, n_rows: usize) -> Option<Vec<f64>> {
    let Output::Soh { reference_ah } = output else { return None };
    match (own, reference_ah) {
        (Some(own), common) => {
            let known = |ah: &f64| if ah.is_finite() { *ah } else { common.unwrap_or(f64::NAN) };
            Some(own.iter().map(known).collect())
        }
        (None, Some(common)) => Some(vec![*common; n_rows]),
        (None, None) => None,
    }
}

fn tiers(pipeline: &Pipeline, names: &[String], labels: &[f64], score: Option<f64>) -> Vec<Column> {
    let (width, all): (usize, Arc<[String]>) = (names.len(), names.into());
    let picked = labels.chunks(width).map(|p| most_probable(p) as u16).collect();
    let tier = Values::Names { names: Arc::clone(&all), picked };
    let mut columns = vec![Column { name: "tier".into(), unit: "", values: tier }];
    for (class, name) in pipeline.output.probability_names().into_iter().enumerate() {
        columns.push(numbers(name, "1", labels.iter().skip(class).step_by(width).copied().collect()));
    }
    if let Some(score) = score.filter(|_| width <= MOST_TIERS) {
        let set = |p: &[f64]| {
            p.iter()
                .enumerate()
                .filter(|(_, p)| 1.0 - **p <= score)
                .fold(0, |set, (class, _)| set | 1 << class)
        };
        let picked = labels.chunks(width).map(set).collect();
        columns.push(Column {
            name: "tier_set".into(),
            unit: "",
            values: Values::Sets { names: all, picked },
        });
    }
    columns
}

fn numbers(name: String, unit: &'static str, values: Vec<f64>) -> Column {
    Column { name, unit, values: Values::Numbers(values) }
}
