//! Raw cells as rows of a model, made as those of its training were, but without labels.

use rayon::prelude::*;

use super::answers::Answers;
use super::bind::MEASURED;
use super::error::PredictError;
use super::physical::CAPACITY;
use super::{Predictor, REFERENCE, Settings};
use crate::cell::Phase;
use crate::dataset::rows::RowBatch;
use crate::dataset::{Cell, CycleTable, Record};
use crate::descriptor::early::{self, EarlyDescriptor, Window};
use crate::pipeline::manifest::RowsOf;
use crate::prepare::early::life;
use crate::prepare::{Frame, FrameConfig, Reference};

/// Columns of time that a table's cycles stand for.
const CYCLES: [&str; 2] = ["history_discharge_count", "history_cycle_count"];

pub(super) fn answer(
    predictor: &Predictor,
    cells: &[Cell],
    settings: &Settings,
) -> Result<Answers, PredictError> {
    let answered: Result<Vec<Answers>, PredictError> =
        cells.par_iter().map(|cell| one(predictor, cell, settings)).collect();
    let mut all = Answers::default();
    for answers in answered? {
        all.append(answers);
    }
    Ok(all)
}

fn one(predictor: &Predictor, cell: &Cell, settings: &Settings) -> Result<Answers, PredictError> {
    if let Some(table) = cell.table.as_ref().filter(|_| cell.is_table()) {
        return predictor.answer(&of_table(cell, table), settings);
    }
    match predictor.rows() {
        RowsOf::Discharges { reference, given, anchor } => {
            discharges(predictor, cell, (*reference, *given, *anchor), settings)
        }
        RowsOf::Cells { window } => whole(predictor, cell, *window, settings),
        RowsOf::Table => {
            let names: Vec<&str> = predictor.pipeline().inputs.iter().map(|i| i.name.as_str()).collect();
            Err(PredictError::NoRows { cell: cell.id.clone(), inputs: names.join(", ") })
        }
    }
}

/// Returns the ready-made rows of a cell, with names as people write them.
fn of_table(cell: &Cell, table: &CycleTable) -> RowBatch {
    let n_rows = table.cycle_count.len();
    let cycles: Vec<f64> = table.cycle_count.iter().map(|&c| f64::from(c)).collect();
    let mut numbers = vec![("cycle_count".to_owned(), cycles.clone())];
    let is_there = |name: &str| table.columns.iter().any(|c| c.name == name);
    let times = CYCLES.into_iter().filter(|name| !is_there(name));
    numbers.extend(times.map(|name| (name.to_owned(), cycles.clone())));
    for column in &table.columns {
        let mark = if column.label { MEASURED } else { "" };
        numbers.push((format!("{mark}{} [{}]", column.name, column.unit), column.values.clone()));
    }
    if let Some(nominal) = cell.facts.nominal_capacity_ah {
        numbers.push((REFERENCE.into(), vec![nominal; n_rows]));
    }
    RowBatch { n_rows, numbers, texts: vec![("cell".into(), vec![cell.id.to_string(); n_rows])] }
}

/// Answers every discharge of a cell after those that are given, and the one after its last charge.
fn discharges(
    predictor: &Predictor,
    cell: &Cell,
    (reference, given, anchor): (Reference, usize, usize),
    settings: &Settings,
) -> Result<Answers, PredictError> {
    let inputs: Vec<String> = predictor.pipeline().inputs.iter().map(|input| input.name.clone()).collect();
    let config = FrameConfig { inputs: &inputs, stress: &[], reference, given };
    let frame = match Frame::unlabelled(&[with_next(cell)], &config) {
        Ok(frame) => frame,
        Err(why) => return Ok(skipped(cell, why.to_string())),
    };
    let n_rows = frame.rows.len();
    if n_rows == 0 {
        return Ok(skipped(cell, "it has no discharge, and no charge before a next one".into()));
    }
    if n_rows <= given {
        return Ok(skipped(cell, format!("it has {n_rows} discharges, of which {given} are given")));
    }
    let columns: Vec<&[f64]> = inputs
        .iter()
        .filter_map(|name| frame.inputs.iter().find(|c| c.name == *name))
        .map(|c| c.values.as_slice())
        .collect();
    let rows: Vec<f64> = (0..n_rows).flat_map(|row| columns.iter().map(move |c| c[row])).collect();
    let mut labels = predictor.score(&rows);
    let shift = anchored(&frame, &labels, given, anchor);
    for label in &mut labels {
        *label -= shift.unwrap_or(0.0);
    }
    let reference_ah = vec![frame.cells[0].reference_ah; n_rows - given];
    let asked = &rows[given * columns.len()..];
    let mut answers = predictor.answers(asked, &labels[given..], Some(&reference_ah), settings)?;
    if anchor > 0 && shift.is_none() {
        answers.warnings.add_to_all("not anchored", None);
    }
    if frame.cells[0].reference_ah.is_nan() && answers.column(CAPACITY).is_some() {
        answers.warnings.add_to_all("capacity of SoH 1 taken from the run", None);
    }
    let rows = &frame.rows[given..];
    for (row, why) in rows.iter().enumerate().filter_map(|(idx, r)| Some((idx, r.set_aside.clone()?))) {
        answers.warnings.add(row, "set aside", Some(why));
    }
    answers.keys = RowBatch {
        n_rows: rows.len(),
        numbers: vec![
            ("cycle_count".into(), rows.iter().map(|r| f64::from(r.cycle)).collect()),
            (format!("{MEASURED}{CAPACITY}"), rows.iter().map(|r| r.truth).collect()),
        ],
        texts: vec![("cell".into(), vec![cell.id.to_string(); rows.len()])],
    };
    Ok(answers)
}

/// Returns the median error on the last `n` given rows, as a forecast was anchored when it was judged.
fn anchored(frame: &Frame, labels: &[f64], given: usize, n: usize) -> Option<f64> {
    let known = (0..given.min(labels.len())).filter(|&row| frame.rows[row].label.is_finite());
    let mut errors: Vec<f64> = known.map(|row| labels[row] - frame.rows[row].label).collect();
    let mut last = errors.split_off(errors.len().saturating_sub(n));
    last.sort_by(f64::total_cmp);
    let high = *last.get(last.len() / 2)?;
    Some(0.5 * (high + last[(last.len() - 1) / 2]))
}

/// Returns the cell with one discharge more, without samples, where a charge follows its last one.
fn with_next(cell: &Cell) -> Cell {
    let mut cell = cell.clone();
    let last = |phase| cell.records.iter().rposition(|r| r.phase == phase);
    let Some(charge) = last(Phase::Charge).filter(|&c| last(Phase::Discharge).is_none_or(|d| d < c)) else {
        return cell;
    };
    let counted = last(Phase::Discharge).and_then(|d| cell.records[d].cycle_count);
    let cycle = cell.records[charge].cycle_count.filter(|&c| counted.is_none_or(|d| c > d));
    let next = Record {
        cycle_count: cycle.or(counted.map(|d| d + 1)),
        ..Record::new(cell.records.last().map_or(0, |r| r.index + 1), Phase::Discharge)
    };
    cell.records.push(next);
    cell
}

/// Answers a cell by its first cycles.
fn whole(
    predictor: &Predictor,
    cell: &Cell,
    window: Window,
    settings: &Settings,
) -> Result<Answers, PredictError> {
    let inputs = &predictor.pipeline().inputs;
    let found: Vec<&EarlyDescriptor> = inputs.iter().filter_map(|i| early::find(&i.name)).collect();
    let computed = early::compute(cell, window, &found);
    let value = |name: &str| {
        if let Some(attribute) = cell.facts.attributes.get(name) {
            return Ok(attribute.value);
        }
        let at = found.iter().position(|d| d.name == name).ok_or("the source does not state it")?;
        computed[at].clone().map_err(|missing| missing.to_string())
    };
    let values: Vec<Result<f64, String>> = inputs.iter().map(|input| value(&input.name)).collect();
    let row: Vec<f64> = values.iter().map(|v| v.as_ref().map_or(f64::NAN, |v| *v)).collect();
    let mut answers = predictor.answers(&row, &predictor.score(&row), None, settings)?;
    for (idx, why) in values.into_iter().enumerate().filter_map(|(idx, v)| Some((idx, v.err()?))) {
        answers.warnings.explain(0, idx, why);
    }
    let life = life(cell);
    if life.is_some_and(|life| life <= f64::from(window.to)) {
        let why = format!("its life ends within the first {} cycles", window.to);
        answers.warnings.add(0, "set aside", Some(why));
    }
    answers.keys = RowBatch {
        n_rows: 1,
        numbers: vec![(format!("{MEASURED}cycle_life"), vec![life.unwrap_or(f64::NAN)])],
        texts: vec![("cell".into(), vec![cell.id.to_string()])],
    };
    Ok(answers)
}

fn skipped(cell: &Cell, why: String) -> Answers {
    Answers { skipped: vec![(cell.id.clone(), why)], ..Answers::default() }
}
