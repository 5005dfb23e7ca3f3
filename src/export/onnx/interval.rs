//! From the label to named answers in physical units, with the interval at one level.

use super::graph::{Graph, Value};
use crate::pipeline::{Output, Pipeline};

/// Adds the outputs of a pipeline to the graph.
pub(super) fn answer(graph: &mut Graph, label: &Value, pipeline: &Pipeline, level: f64) {
    graph.enter("answer");
    let score = pipeline.interval.as_ref().and_then(|interval| interval.score(level));
    match &pipeline.output {
        Output::Soh { reference_ah } => {
            numbers(graph, label, (score, level), ("soh", "State of health [1]"), |_, value| value.clone());
            if let Some(reference) = *reference_ah {
                let meaning = ("discharging_capacity_ah", "Capacity of the discharge [Ah]");
                numbers(graph, label, (score, level), meaning, |graph, value| {
                    graph.with("Mul", value, reference)
                });
            }
        }
        Output::Life { log } => {
            let meaning = ("cycle_life", "Cycle life [cycles]");
            numbers(graph, label, (score, level), meaning, |graph, value| {
                if !log {
                    return value.clone();
                }
                let natural = graph.with("Mul", value, std::f64::consts::LN_10);
                graph.unary("Exp", &natural)
            });
        }
        Output::Tier { names } => {
            tiers(graph, label, (score, level), (names, &pipeline.output.probability_names()));
        }
    }
}

/// Adds an answer, and its bounds where there are errors to make them of.
fn numbers(
    graph: &mut Graph,
    label: &Value,
    (score, level): (Option<f64>, f64),
    (name, doc): (&str, &str),
    physical: impl Fn(&mut Graph, &Value) -> Value,
) {
    let value = physical(graph, label);
    graph.output(name, &value, doc);
    let Some(score) = score else { return };
    for (side, operator) in [("lower", "Sub"), ("upper", "Add")] {
        let bound = graph.with(operator, label, score);
        let value = physical(graph, &bound);
        graph.output(&format!("{name}_{side}"), &value, &format!("{doc}, {side} bound at level {level}"));
    }
}

/// Adds the most probable tier, the probability of each, and which of them are in the set of the level.
fn tiers(
    graph: &mut Graph,
    label: &Value,
    (score, level): (Option<f64>, f64),
    (names, probabilities): (&[String], &[String]),
) {
    let order = names.join(", ");
    let most = graph.largest(label);
    graph.output("tier", &most, &format!("Position of the most probable tier, from 0, among {order}"));
    for (column, (tier, name)) in
        graph.columns(label, names.len()).iter().zip(names.iter().zip(probabilities))
    {
        graph.output(name, column, &format!("Probability of tier {tier}"));
    }
    let Some(score) = score else { return };
    let within = graph.with("GreaterOrEqual", label, 1.0 - score);
    let doc =
        format!("Whether each tier, of {order}, is in the set that holds the true one at level {level}");
    graph.output("tier_set", &within, &doc);
}
