//! The mean over parts and members: parts of one kind are computed side by side, in lanes.

use super::calibration;
use super::graph::{Graph, Value};
use super::lanes::Lanes;
use super::network::{Between, Layer, forward};
use super::scaling::Rows;
use super::{law, trees};
use crate::export::{ExportError, Format};
use crate::model::trees::flat::Forest;
use crate::model::{Architecture, PriorStart};
use crate::physics::Law;
use crate::pipeline::{Body, Member, Part, Pipeline};

/// Returns the label of a pipeline, `[batch, width]`.
pub(super) fn label(graph: &mut Graph, rows: &Rows, pipeline: &Pipeline) -> Result<Value, ExportError> {
    let n_parts = pipeline.parts.len();
    let mut groups = grouped(&pipeline.parts).into_iter();
    let first = groups.next().expect("invariant: a pipeline has a part");
    let mut sum = share(graph, rows, &first, n_parts)?;
    for group in groups {
        let share = share(graph, rows, &group, n_parts)?;
        sum = graph.binary("Add", &sum, &share);
    }
    Ok(sum)
}

/// Returns what a group adds to the mean over all parts.
fn share(graph: &mut Graph, rows: &Rows, parts: &[&Part], n_parts: usize) -> Result<Value, ExportError> {
    graph.enter(kind(&parts[0].body));
    let mut label = body(graph, rows, parts)?;
    if parts[0].calibration.is_some() {
        graph.enter("calibration");
        label = graph.mean_of_members(&label);
        label = calibration::apply(graph, &label, parts);
    }
    graph.enter("mean");
    let mean = graph.mean_of_lanes(&label);
    let is_all = parts.len() == n_parts;
    Ok(if is_all { mean } else { graph.with("Mul", &mean, parts.len() as f64 / n_parts as f64) })
}

/// Returns the parts by kind, in order.
fn grouped(parts: &[Part]) -> Vec<Vec<&Part>> {
    let mut groups: Vec<Vec<&Part>> = Vec::new();
    for part in parts {
        match groups.iter_mut().find(|group| are_alike(group[0], part)) {
            Some(group) => group.push(part),
            None => groups.push(vec![part]),
        }
    }
    groups
}

/// Returns whether two parts differ in numbers only.
fn are_alike(a: &Part, b: &Part) -> bool {
    let bodies = match (&a.body, &b.body) {
        (Body::Law { law: a, .. }, Body::Law { law: b, .. }) => a == b,
        (Body::Linear { .. }, Body::Linear { .. }) => true,
        (Body::Logistic(a), Body::Logistic(b)) => a.intercepts.len() == b.intercepts.len(),
        (
            Body::Networks { architecture: a, classes: a_classes, start: a_start, members: a_members },
            Body::Networks { architecture: b, classes: b_classes, start: b_start, members: b_members },
        ) => {
            let starts = a_start.is_some() == b_start.is_some();
            a == b && a_classes == b_classes && starts && a_members.len() == b_members.len()
        }
        (Body::Trees { law: a, trees: a_trees }, Body::Trees { law: b, trees: b_trees }) => {
            let laws = a.as_ref().map(|law| law.0) == b.as_ref().map(|law| law.0);
            laws && a_trees.len() == b_trees.len()
        }
        _ => false,
    };
    let calibrations = match (&a.calibration, &b.calibration) {
        (Some(a), Some(b)) => std::mem::discriminant(a) == std::mem::discriminant(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    bodies && calibrations && a.stress == b.stress
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::Law { .. } => "law",
        Body::Linear { .. } => "linear",
        Body::Logistic(_) => "logistic",
        Body::Networks { .. } => "network",
        Body::Trees { .. } => "trees",
    }
}

/// Returns the labels of alike parts in their lanes, `[..., batch, width]`.
fn body(graph: &mut Graph, rows: &Rows, parts: &[&Part]) -> Result<Value, ExportError> {
    let lanes = Lanes { parts: parts.len(), members: 1 };
    let width = parts.iter().map(|part| part.columns.len()).max().unwrap_or(0);
    match &parts[0].body {
        Body::Law { law, .. } => {
            let theta: Vec<Vec<f64>> = parts.iter().filter_map(|part| theta(&part.body)).collect();
            Ok(law::capacity(graph, rows, (*law, parts), (lanes, &theta)))
        }
        Body::Linear { .. } | Body::Logistic(_) => {
            let layers: Vec<Vec<Layer>> = parts.iter().filter_map(|part| plain(part, width)).collect();
            let x = rows.scaled(graph, parts, width);
            let sums = forward(graph, &x, (lanes, &layers), Between::nothing());
            let is_class = matches!(&parts[0].body, Body::Logistic(_));
            Ok(if is_class { graph.softmax(&sums) } else { sums })
        }
        Body::Networks { architecture, classes, start, members } => {
            let lanes = Lanes { members: members.len(), ..lanes };
            let prior = architecture.prior.as_ref().filter(|_| start.is_some());
            Ok(match prior {
                Some(prior) => hybrid(graph, rows, parts, (lanes, architecture, prior.law)),
                None => networks(graph, rows, parts, (lanes, architecture, *classes)),
            })
        }
        Body::Trees { law, trees } => {
            let lanes = Lanes { members: trees.len(), ..lanes };
            forests(graph, rows, parts, (lanes, law.as_ref().map(|law| law.0)))
        }
    }
}

fn theta(body: &Body) -> Option<Vec<f64>> {
    match body {
        Body::Law { theta, .. } => Some(theta.clone()),
        Body::Trees { law, .. } => law.as_ref().map(|law| law.1.clone()),
        _ => None,
    }
}

fn plain(part: &Part, width: usize) -> Option<Vec<Layer>> {
    match &part.body {
        Body::Linear { weights } => Some(vec![Layer::linear(weights, part.label, width)]),
        Body::Logistic(logistic) => Some(vec![Layer::logistic(logistic, width)]),
        _ => None,
    }
}

fn networks(
    graph: &mut Graph,
    rows: &Rows,
    parts: &[&Part],
    (lanes, architecture, classes): (Lanes, &Architecture, bool),
) -> Value {
    let last = |part: &Part, layer: &Layer| {
        if classes { layer.clone() } else { layer.to_label(part.label.1, part.label.0) }
    };
    let outputs = outputs(graph, rows, parts, (lanes, architecture), last);
    if classes { graph.softmax(&outputs) } else { outputs }
}

/// Returns the law plus what the networks add to it.
fn hybrid(
    graph: &mut Graph,
    rows: &Rows,
    parts: &[&Part],
    (lanes, architecture, law): (Lanes, &Architecture, Law),
) -> Value {
    graph.enter("law");
    let of = |part: &&Part| -> Vec<Vec<f64>> {
        let Some((members, Some(start))) = members(part) else { return Vec::new() };
        members.iter().map(|member| architecture.theta(&member.weights, start)).collect()
    };
    let theta: Vec<Vec<f64>> = parts.iter().flat_map(of).collect();
    let capacity = law::capacity(graph, rows, (law, parts), (lanes, &theta));
    let scale = architecture.prior.as_ref().map_or(0.0, |prior| f64::from(prior.scale()));
    if scale == 0.0 {
        return capacity;
    }
    graph.enter("network");
    let last = |part: &Part, layer: &Layer| layer.to_label(part.label.1 * scale, 0.0);
    let residual = outputs(graph, rows, parts, (lanes, architecture), last);
    graph.binary("Add", &capacity, &residual)
}

/// Returns the outputs of all networks, with `last` made of the last layer of each.
fn outputs(
    graph: &mut Graph,
    rows: &Rows,
    parts: &[&Part],
    (lanes, architecture): (Lanes, &Architecture),
    last: impl Fn(&Part, &Layer) -> Layer,
) -> Value {
    let layers = |part: &Part, member: &Member| {
        let mut layers = Layer::network(architecture, member);
        if let Some(layer) = layers.last_mut() {
            *layer = last(part, layer);
        }
        layers
    };
    let of = |part: &&Part| -> Vec<Vec<Layer>> {
        members(part).map_or_else(Vec::new, |(members, _)| members.iter().map(|m| layers(part, m)).collect())
    };
    let layers: Vec<Vec<Layer>> = parts.iter().flat_map(of).collect();
    let x = rows.scaled(graph, parts, architecture.d_input);
    forward(graph, &x, (lanes, &layers), Between::of(architecture))
}

fn members(part: &Part) -> Option<(&[Member], Option<&PriorStart>)> {
    match &part.body {
        Body::Networks { members, start, .. } => Some((members, start.as_ref())),
        _ => None,
    }
}

/// Returns the values or probabilities of trees, plus the law where there is one.
fn forests(
    graph: &mut Graph,
    rows: &Rows,
    parts: &[&Part],
    (lanes, law): (Lanes, Option<Law>),
) -> Result<Value, ExportError> {
    let mut forests = Vec::with_capacity(lanes.len());
    for part in parts {
        let Body::Trees { trees, .. } = &part.body else { continue };
        for trees in trees {
            let library = |e| ExportError::Library { format: Format::Onnx, source: Box::new(e) };
            forests.push(Forest::new(trees).map_err(library)?);
        }
    }
    let margins = trees::margins(graph, rows, parts, (lanes, &forests));
    if forests[0].n_outputs() > 1 {
        return Ok(graph.softmax(&margins));
    }
    let Some(law) = law else { return Ok(margins) };
    graph.enter("law");
    let theta: Vec<Vec<f64>> = parts.iter().filter_map(|part| theta(&part.body)).collect();
    let each_part = Lanes { members: 1, ..lanes };
    let capacity = law::capacity(graph, rows, (law, parts), (each_part, &theta));
    Ok(graph.binary("Add", &capacity, &margins))
}
