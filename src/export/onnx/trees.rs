//! Trees as one node of `ai.onnx.ml`: every tree of every part and repetition, an output a lane and class.

use super::graph::{Axis, Graph, ML, Value, long};
use super::lanes::Lanes;
use super::operator::{floats, int, ints, text, texts};
use super::proto::{Attribute, Element};
use super::scaling::{Rows, union};
use crate::model::trees::flat::{Forest, Node};
use crate::pipeline::Part;

/// Version of the operators for trees: the first one that has them.
pub(super) const ML_OPSET: i64 = 1;

/// Returns the margins of the forests of each lane, `[..., batch, output]`.
pub(super) fn margins(
    graph: &mut Graph,
    rows: &Rows,
    parts: &[&Part],
    (lanes, forests): (Lanes, &[Forest]),
) -> Value {
    let used = union(parts);
    let x = rows.matrix(graph, &used);
    let missing = graph.number(f64::NAN);
    let x = graph.finite_or(&x, &missing);
    let mut table = Table::default();
    for ((part, _), forest) in lanes.each().zip(forests) {
        let places = parts[part].columns.iter().map(|c| used.binary_search(c).map_or(0, long));
        table.push(forest, &places.collect::<Vec<_>>());
    }
    let (n_outputs, n_targets) = (forests[0].n_outputs(), table.start.len());
    let shape = vec![Axis::Batch, Axis::Of(n_targets)];
    let sums = graph.node((ML, "TreeEnsembleRegressor"), &[&x], table.attributes(), (Element::Float, shape));
    if lanes.len() == 1 {
        return sums;
    }
    let split = vec![Axis::Batch, Axis::Of(lanes.parts), Axis::Of(lanes.members), Axis::Of(n_outputs)];
    let split = graph.reshape(&sums, split);
    graph.transpose(&split, &[1, 2, 0, 3])
}

/// The columns of a tree ensemble, as the operator has them.
#[derive(Debug, Default)]
struct Table {
    start: Vec<f32>,
    n_trees: i64,
    tree: Vec<i64>,
    node: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f32>,
    left: Vec<i64>,
    right: Vec<i64>,
    missing_left: Vec<i64>,
    modes: Vec<&'static str>,
    leaf_tree: Vec<i64>,
    leaf_node: Vec<i64>,
    leaf_target: Vec<i64>,
    leaf_weight: Vec<f32>,
}

impl Table {
    /// Adds the trees of a lane, whose inputs stand at `places`.
    fn push(&mut self, forest: &Forest, places: &[i64]) {
        let first_target = self.start.len();
        self.start.extend(&forest.start);
        for tree in &forest.trees {
            let target = long(first_target + tree.output);
            for (idx, node) in tree.nodes.iter().enumerate() {
                self.tree.push(self.n_trees);
                self.node.push(long(idx));
                self.push_node(node, places, (long(idx), target));
            }
            self.n_trees += 1;
        }
    }

    fn push_node(&mut self, node: &Node, places: &[i64], (idx, target): (i64, i64)) {
        let (feature, threshold, left, right, missing_left, mode) = match *node {
            Node::Split { feature, threshold, left, right, default_left } => {
                (places[feature as usize], threshold, left, right, default_left, "BRANCH_LT")
            }
            Node::Leaf(weight) => {
                self.leaf_tree.push(self.n_trees);
                self.leaf_node.push(idx);
                self.leaf_target.push(target);
                self.leaf_weight.push(weight);
                (0, 0.0, 0, 0, false, "LEAF")
            }
        };
        self.feature.push(feature);
        self.threshold.push(threshold);
        self.left.push(i64::from(left));
        self.right.push(i64::from(right));
        self.missing_left.push(i64::from(missing_left));
        self.modes.push(mode);
    }

    fn attributes(self) -> Vec<Attribute> {
        vec![
            text("aggregate_function", "SUM"),
            int("n_targets", long(self.start.len())),
            floats("base_values", self.start),
            text("post_transform", "NONE"),
            ints("nodes_treeids", self.tree),
            ints("nodes_nodeids", self.node),
            ints("nodes_featureids", self.feature),
            floats("nodes_values", self.threshold),
            texts("nodes_modes", &self.modes),
            ints("nodes_truenodeids", self.left),
            ints("nodes_falsenodeids", self.right),
            ints("nodes_missing_value_tracks_true", self.missing_left),
            ints("target_treeids", self.leaf_tree),
            ints("target_nodeids", self.leaf_node),
            ints("target_ids", self.leaf_target),
            floats("target_weights", self.leaf_weight),
        ]
    }
}
