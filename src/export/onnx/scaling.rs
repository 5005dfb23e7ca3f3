//! Inputs of the graph, and what parts see of them: their own columns, imputed and scaled.
//!
//! ```text
//! scaled = (x - mean) / sd,   where x is no finite number (median - mean) / sd
//! ```
//!
//! A mean that is much larger than its standard deviation has more digits than 32 bits hold: it is taken off in two steps,
//! its 32-bit neighbour first, which is exact near the mean, and the rest after the division.

use super::graph::{Axis, Graph, Value, long};
use super::lanes::Lanes;
use crate::pipeline::{Part, Pipeline};

/// Rest of a mean, in standard deviations, below which it does not count: an eighth of the spacing of 32-bit numbers at 1.
const LEAST_SHIFT: f64 = 1e-8;

/// Name of the one input of a packed graph.
pub(super) const PACKED: &str = "inputs";

/// The graph's inputs.
#[derive(Debug)]
pub(super) enum Rows {
    /// One tensor `[batch, 1]` an input.
    Named(Vec<Value>),
    /// One tensor `[batch, n]`.
    Packed(Value, usize),
}

impl Rows {
    /// Adds the inputs of a pipeline to the graph.
    pub(super) fn new(graph: &mut Graph, pipeline: &Pipeline, packed: bool) -> Self {
        let n = pipeline.inputs.len();
        if packed {
            let names: Vec<&str> = pipeline.inputs.iter().map(|input| input.name.as_str()).collect();
            let doc = format!("In this order: {}. NaN where missing.", names.join(", "));
            return Self::Packed(graph.input(PACKED, n, &doc), n);
        }
        let mut named = |input: &crate::pipeline::Input| {
            let ([low, high], space) = (input.range, if input.doc.is_empty() { "" } else { " " });
            let doc = format!(
                "{}{space}Unit {}, {low} to {high} in training; NaN where missing.",
                input.doc, input.unit
            );
            graph.input(&input.name, 1, &doc)
        };
        Self::Named(pipeline.inputs.iter().map(&mut named).collect())
    }

    /// Returns one input, `[batch, 1]`.
    pub(super) fn column(&self, graph: &mut Graph, column: usize) -> Value {
        self.matrix(graph, &[column])
    }

    /// Returns some inputs side by side, `[batch, n]`.
    pub(super) fn matrix(&self, graph: &mut Graph, columns: &[usize]) -> Value {
        match self {
            Self::Named(inputs) if columns.len() == 1 => inputs[columns[0]].clone(),
            Self::Named(inputs) => {
                let columns: Vec<Value> = columns.iter().map(|&column| inputs[column].clone()).collect();
                graph.concat(&columns)
            }
            Self::Packed(all, n) if columns.iter().copied().eq(0..*n) => all.clone(),
            Self::Packed(all, _) => {
                let columns: Vec<i64> = columns.iter().map(|&column| long(column)).collect();
                let places = graph.integers(&columns, &[columns.len()]);
                graph.gather(all, &places, 1)
            }
        }
    }

    /// Returns the scaled inputs of parts, `width` a part, `[..., batch, width]`; beyond a part's own they are 0.
    pub(super) fn scaled(&self, graph: &mut Graph, parts: &[&Part], width: usize) -> Value {
        let x = self.of_parts(graph, parts, width);
        let lanes = Lanes { parts: parts.len(), members: 1 };
        let constant = |graph: &mut Graph, of: &dyn Fn(&Part, usize) -> f64| {
            let own = |part: &&Part| {
                let mut numbers: Vec<f64> = (0..part.columns.len()).map(|c| of(part, c)).collect();
                numbers.resize(width, 0.0);
                numbers
            };
            let numbers: Vec<Vec<f64>> = parts.iter().map(own).collect();
            lanes.constant(graph, &numbers, &[1, width])
        };
        let near = |p: &Part, c: usize| f64::from(p.scaler.mean[c] as f32);
        let rest = |p: &Part, c: usize| (p.scaler.mean[c] - near(p, c)) / p.scaler.sd[c];
        let from = constant(graph, &near);
        let inverse = constant(graph, &|p, c| p.scaler.sd[c].recip());
        let median = constant(graph, &|p, c| p.scaler.scale(c, f64::NAN));
        let centred = graph.binary("Sub", &x, &from);
        let mut scaled = graph.binary("Mul", &centred, &inverse);
        if parts.iter().any(|p| (0..p.columns.len()).any(|c| rest(p, c).abs() > LEAST_SHIFT)) {
            let rest = constant(graph, &rest);
            scaled = graph.binary("Sub", &scaled, &rest);
        }
        graph.finite_or(&scaled, &median)
    }

    /// Returns each part's own columns, `[batch, width]` where they are the same, else `[part, 1, batch, width]`.
    fn of_parts(&self, graph: &mut Graph, parts: &[&Part], width: usize) -> Value {
        let padded = |part: &&Part| {
            let mut columns = part.columns.clone();
            columns.resize(width, part.columns.first().copied().unwrap_or(0));
            columns
        };
        let columns: Vec<Vec<usize>> = parts.iter().map(padded).collect();
        if columns.iter().all(|own| *own == columns[0]) {
            return self.matrix(graph, &columns[0]);
        }
        let used = union(parts);
        let all = self.matrix(graph, &used);
        let place = |&c: &usize| used.binary_search(&c).map_or(0, long);
        let places: Vec<i64> = columns.iter().flatten().map(place).collect();
        let places = graph.integers(&places, &[parts.len(), 1, width]);
        let gathered = graph.gather(&all, &places, 1);
        debug_assert_eq!(gathered.shape[0], Axis::Batch);
        graph.transpose(&gathered, &[1, 2, 0, 3])
    }
}

/// Returns the inputs that any of the parts sees, ascending.
pub(super) fn union(parts: &[&Part]) -> Vec<usize> {
    let mut used: Vec<usize> = parts.iter().flat_map(|part| part.columns.iter().copied()).collect();
    used.sort_unstable();
    used.dedup();
    used
}
