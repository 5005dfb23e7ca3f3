//! Calibration of probabilities, one a part.
//!
//! ```text
//! temperature:  softmax(ln max(p, clip) / T)
//! isotonic:     y_0 + sum over the rises k of (y_k+1 - y_k) clip((p - x_k) / (x_k+1 - x_k), 0, 1), clipped and renormalised
//! ```

use super::graph::{Graph, Value};
use super::lanes::Lanes;
use crate::model::calibration::{Calibration, Rising};
use crate::pipeline::Part;

/// Probability at which logarithms are clipped, that of the calibration itself.
const CLIP: f64 = f64::EPSILON;

/// Least length of a rise: below it 32-bit probabilities cannot tell its ends apart.
const LEAST_RISE: f64 = 1e-9;

/// Returns the probabilities `p` `[..., batch, class]` as corrected; all parts have the same kind of calibration.
pub(super) fn apply(graph: &mut Graph, p: &Value, parts: &[&Part]) -> Value {
    let lanes = Lanes { parts: parts.len(), members: 1 };
    let each = || parts.iter().filter_map(|part| part.calibration.as_ref());
    match parts[0].calibration {
        None | Some(Calibration::None) => p.clone(),
        Some(Calibration::Temperature { .. }) => {
            let sharpness = |calibration: &Calibration| match calibration {
                Calibration::Temperature { temperature } => vec![temperature.recip()],
                _ => vec![1.0],
            };
            let sharpness = lanes.constant(graph, &each().map(sharpness).collect::<Vec<_>>(), &[1, 1]);
            let clipped = graph.with("Max", p, CLIP);
            let logarithm = graph.unary("Log", &clipped);
            let sharpened = graph.binary("Mul", &logarithm, &sharpness);
            graph.softmax(&sharpened)
        }
        Some(Calibration::Isotonic { .. }) => isotonic(graph, p, lanes, &each().collect::<Vec<_>>()),
    }
}

fn isotonic(graph: &mut Graph, p: &Value, lanes: Lanes, calibrations: &[&Calibration]) -> Value {
    let functions: Vec<(&[Rising], f64)> = calibrations.iter().filter_map(|c| rising(c)).collect();
    let n_classes = functions[0].0.len();
    let all = || functions.iter().flat_map(|(classes, _)| *classes);
    let width = all().map(|f| rises(f).len()).max().unwrap_or(0).max(1);
    let mut constant = |of: fn(&[f64; 3]) -> f64, rest: f64| {
        let class = |f: &Rising| {
            let mut numbers: Vec<f64> = rises(f).iter().map(of).collect();
            numbers.resize(width, rest);
            numbers
        };
        let numbers: Vec<Vec<f64>> =
            functions.iter().map(|(classes, _)| classes.iter().flat_map(class).collect()).collect();
        lanes.constant(graph, &numbers, &[1, n_classes, width])
    };
    let (from, slope, height) = (constant(|r| r[0], 0.0), constant(|r| r[1], 0.0), constant(|r| r[2], 0.0));
    let first = |(classes, _): &(&[Rising], f64)| classes.iter().map(|f| f.y[0]).collect();
    let first = lanes.constant(graph, &functions.iter().map(first).collect::<Vec<_>>(), &[1, n_classes]);
    let column = graph.with_last_axis(p);
    let above = graph.binary("Sub", &column, &from);
    let share = graph.binary("Mul", &above, &slope);
    let share = graph.clip(&share, 0.0, 1.0);
    let risen = graph.binary("Mul", &share, &height);
    let risen = graph.sum(&risen, false);
    let stepped = graph.binary("Add", &risen, &first);
    let floors = functions.iter().map(|&(_, floor)| vec![floor]).collect::<Vec<_>>();
    let ceilings = functions.iter().map(|&(_, floor)| vec![1.0 - floor]).collect::<Vec<_>>();
    let (low, high) = (lanes.constant(graph, &floors, &[1, 1]), lanes.constant(graph, &ceilings, &[1, 1]));
    let stepped = graph.binary("Max", &stepped, &low);
    let stepped = graph.binary("Min", &stepped, &high);
    let total = graph.sum(&stepped, true);
    graph.binary("Div", &stepped, &total)
}

fn rising(calibration: &Calibration) -> Option<(&[Rising], f64)> {
    match calibration {
        Calibration::Isotonic { classes, floor } => Some((classes, *floor)),
        _ => None,
    }
}

/// Returns begin, inverse length and height of each part of a function that is not flat.
fn rises(function: &Rising) -> Vec<[f64; 3]> {
    let ends = function.x.windows(2).zip(function.y.windows(2));
    let steps = ends.map(|(x, y)| [x[0], (x[1] - x[0]).max(LEAST_RISE).recip(), y[1] - y[0]]);
    steps.filter(|step| step[2] != 0.0).collect()
}
