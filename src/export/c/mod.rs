//! C99 of a whole pipeline for a battery management system: one header, one source, no allocation, `<math.h>` only.
//!
//! ```text
//! pipeline -> fold (less to compute) -> tables, routines, a function a part -> header and source
//! ```
//!
//! Laws come from the one text of `physics`: they are computed with formulas for numbers. All constants are
//! `static const`, no global is written, nothing recurses, arrays have fixed lengths. Numbers are `float`; with
//! [`Options::double`] they are `double`, for machines that have such a unit and inputs that `float` is too coarse for.

mod cost;
mod expression;
mod fold;
mod forest;
mod formula;
mod header;
mod name;
mod network;
mod number;
mod part;
mod quantise;
mod report;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod unit;

use rand::RngExt;

pub use cost::Cost;
use header::Names;
use number::Precision;
pub use quantise::Loss;
pub use report::Report;
use unit::Unit;

use super::{ExportError, Exported, ExportedFile, Format, Options};
use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Input, Pipeline};
use crate::seed::Seed;

/// Rows on which the rounding of weights is measured where none are given.
const ROWS: usize = 256;

/// Most inputs, whose places are 16-bit numbers, once doubled.
const MAX_INPUTS: usize = 32_768;

/// A header and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// The header, `NAME.h`.
    pub header: String,
    /// The source, `NAME.c`.
    pub source: String,
    /// What it costs.
    pub report: Report,
}

/// Makes the files of this format.
///
/// # Errors
/// As [`generate`].
pub fn export(pipeline: &Pipeline, _: &Manifest, options: &Options) -> Result<Exported, ExportError> {
    let Code { header, source, report } = generate(pipeline, options)?;
    let file = |extension, text: String| ExportedFile { extension, bytes: text.into_bytes() };
    let left_out = vec![
        format!("levels of the interval other than {}", options.level),
        "the warning that an input gives the label away".to_owned(),
    ];
    Ok(Exported { files: vec![file("c", source), file("h", header)], left_out, notes: report.lines() })
}

/// Writes the code of a pipeline.
///
/// # Errors
/// [`ExportError::Unsupported`] for weights of 8 bits of a model without networks, or for too many inputs,
/// [`ExportError::RowWidth`] for given rows of another width, [`ExportError::Library`] for trees that cannot be read.
pub fn generate(pipeline: &Pipeline, options: &Options) -> Result<Code, ExportError> {
    check(pipeline, options)?;
    let prefix = name::prefix(&options.name);
    let names = Names { file: options.name.clone(), capitals: prefix.to_uppercase(), prefix };
    let precision = if options.double { Precision::Double } else { Precision::Single };
    let folded = fold::folded(pipeline);
    let mut unit = Unit::new(precision, options.int8);
    let below = parts(&mut unit, &folded)?;
    source::ranges(&mut unit, &folded);
    let report = Report {
        constants_bytes: unit.tables.bytes,
        stack_bytes: below + pipeline.width() * precision.bytes(),
        input_bytes: pipeline.inputs.len() * precision.bytes(),
        output_bytes: header::output_bytes(pipeline, precision),
        cost: unit.cost.clone() + source::cost(pipeline),
        loss: options.int8.then(|| loss(&folded, &options.rows)),
    };
    let score = pipeline.interval.as_ref().and_then(|interval| interval.score(options.level));
    Ok(Code {
        header: header::text(pipeline, &names, precision, options.level),
        source: source::text(&unit, &folded, &names, score, &report),
        report,
    })
}

fn check(pipeline: &Pipeline, options: &Options) -> Result<(), ExportError> {
    let unsupported =
        |what: &str, instead| Err(ExportError::Unsupported { format: Format::C, what: what.into(), instead });
    let needed = pipeline.inputs.len();
    if needed > MAX_INPUTS {
        return unsupported("more than 32,768 inputs", "a model of fewer inputs");
    }
    if options.int8 && !quantise::has_weights(pipeline) {
        return unsupported("weights of 8 bits of a model without networks", "an export without 8 bits");
    }
    match options.rows.iter().find(|row| row.len() != needed) {
        Some(row) => Err(ExportError::RowWidth { found: row.len(), needed }),
        None => Ok(()),
    }
}

/// Writes the functions of all parts and returns the bytes of the arrays below the caller's.
fn parts(unit: &mut Unit, folded: &Pipeline) -> Result<usize, ExportError> {
    let library = |error| ExportError::Library { format: Format::C, source: Box::new(error) };
    let laid = forest::lay(unit, folded).map_err(library)?;
    let width = folded.width();
    let each = folded.parts.iter().enumerate().zip(&laid);
    Ok(each.map(|(part, laid)| part::write(unit, part, width, laid)).max().unwrap_or(0))
}

/// Returns what rounded weights change on the given rows, or on rows drawn from the ranges of training.
fn loss(folded: &Pipeline, rows: &[Vec<f64>]) -> Loss {
    let rounded = quantise::rounded(folded);
    if rows.is_empty() {
        quantise::loss(folded, &rounded, &drawn(&folded.inputs))
    } else {
        quantise::loss(folded, &rounded, rows)
    }
}

fn drawn(inputs: &[Input]) -> Vec<Vec<f64>> {
    let mut rng = Seed::new(0).stream("export/c/rows");
    let mut value = |input: &Input| {
        let [low, high] = input.range;
        if low < high { rng.random_range(low..high) } else { low }
    };
    (0..ROWS).map(|_| inputs.iter().map(&mut value).collect()).collect()
}
