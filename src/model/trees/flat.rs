//! Trees as plain nodes, read from their stored form: what scorers and exporters walk.
//!
//! A row goes left where `x < threshold`, right where it is not, and where `x` is missing to the side that learnt better.
//! Numbers are 32-bit and are summed in the order of the trees, so margins are those of [`TreeModel::margins`] bit for bit.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{TreeModel, Trees, TreesError};

/// Trees whose leaves add up to margins.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    /// Number of inputs that a row holds.
    pub n_inputs: usize,
    /// What each margin starts from `[output]`.
    pub start: Vec<f32>,
    /// Trees, in the order in which they are summed.
    pub trees: Vec<Tree>,
}

/// One tree of a forest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Margin that its leaves are added to.
    pub output: usize,
    /// Its nodes, the root first; from it each is reached by one way only.
    pub nodes: Vec<Node>,
}

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Asks an input.
    Split {
        /// Position of the input, below [`Forest::n_inputs`].
        feature: u32,
        /// Inputs below it go left, others right.
        threshold: f32,
        /// Position of the left node in its tree.
        left: u32,
        /// Position of the right node in its tree.
        right: u32,
        /// Whether a missing input goes left.
        default_left: bool,
    },
    /// Ends the way with this number, which is added to the margin.
    Leaf(f32),
}

impl Forest {
    /// Returns the plain form of fitted trees.
    ///
    /// # Errors
    /// [`TreesError::Stored`] where the trees are of a kind that plain nodes cannot hold (sets of categories, leaves of
    /// several numbers), as other programs may have stored them.
    pub fn new(trees: &Trees) -> Result<Self, TreesError> {
        Self::from_json(&trees.to_json()?, trees.n_outputs())
    }

    /// Returns the number of outputs: classes, or 1 for a value.
    pub fn n_outputs(&self) -> usize {
        self.start.len()
    }

    /// Computes the margins of a row, before the softmax.
    ///
    /// # Shapes
    /// `row` `[input]`, NaN where missing, to `margins` `[output]`.
    ///
    /// # Panics
    /// When `row` or `margins` is shorter than that.
    pub fn margins(&self, row: &[f32], margins: &mut [f32]) {
        margins.copy_from_slice(&self.start);
        for tree in &self.trees {
            margins[tree.output] += tree.leaf(row);
        }
    }

    fn from_json(text: &str, n_outputs: usize) -> Result<Self, TreesError> {
        let root: Value = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let at = |path: &str| root.pointer(&format!("/learner/{path}")).unwrap_or(&Value::Null);
        let n_inputs = number(at("learner_model_param/num_feature"))?;
        let start = start(at("learner_model_param/base_score"), n_outputs)?;
        let model = "gradient_booster/model";
        let trees: Vec<Stored> = read(at(&format!("{model}/trees")), "trees")?;
        let outputs: Vec<usize> = read(at(&format!("{model}/tree_info")), "tree_info")?;
        let weights: Option<Vec<f32>> = read(at(&format!("{model}/weight_drop")), "weight_drop")?;
        let weights = weights.unwrap_or_else(|| vec![1.0; trees.len()]);
        if outputs.len() != trees.len() || weights.len() != trees.len() {
            let found = format!("{} outputs and {} weights", outputs.len(), weights.len());
            return Err(wrong(format!("{} trees have {found}", trees.len())));
        }
        let plain = |(idx, stored): (usize, Stored)| {
            let nodes = stored.nodes(n_inputs, weights[idx]);
            let nodes = nodes.map_err(|reason| wrong(format!("tree {idx}: {reason}")))?;
            if outputs[idx] >= n_outputs {
                return Err(wrong(format!("tree {idx} is of output {} of {n_outputs}", outputs[idx])));
            }
            Ok(Tree { output: outputs[idx], nodes })
        };
        let trees = trees.into_iter().enumerate().map(plain).collect::<Result<_, _>>()?;
        Ok(Self { n_inputs, start, trees })
    }
}

impl Tree {
    /// Returns the number at the end of a row's way.
    ///
    /// # Panics
    /// When `row` is shorter than the forest's inputs.
    pub fn leaf(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split { feature, threshold, left, right, default_left } => {
                    let x = row[feature as usize];
                    let goes_left = x < threshold || (default_left && x.is_nan());
                    at = if goes_left { left } else { right } as usize;
                }
            }
        }
    }
}

/// Columns of a stored tree, a number a node; a leaf has -1 for children and its value for a condition.
#[derive(Deserialize)]
struct Stored {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<u8>,
    #[serde(default)]
    split_type: Vec<u8>,
}

impl Stored {
    /// Returns the nodes with leaves times `weight`, or what is wrong.
    fn nodes(&self, n_inputs: usize, weight: f32) -> Result<Vec<Node>, String> {
        let n = self.left_children.len();
        let others = [
            self.right_children.len(),
            self.split_indices.len(),
            self.split_conditions.len(),
            self.default_left.len(),
        ];
        if n == 0 || others.iter().any(|&len| len != n) {
            return Err(format!("columns of {n} and {others:?} nodes"));
        }
        if self.split_type.iter().any(|&kind| kind != 0) {
            return Err("a split by categories".into());
        }
        let nodes = (0..n).map(|at| self.node(at, n_inputs, weight)).collect::<Result<Vec<_>, _>>()?;
        check_ways(&nodes)?;
        Ok(nodes)
    }

    fn node(&self, at: usize, n_inputs: usize, weight: f32) -> Result<Node, String> {
        let threshold = self.split_conditions[at];
        if self.left_children[at] < 0 {
            return Ok(Node::Leaf(threshold * weight));
        }
        let child = |list: &[i64]| match u32::try_from(list[at]) {
            Ok(child) if (child as usize) < list.len() => Ok(child),
            _ => Err(format!("node {at} leads to node {} of {}", list[at], list.len())),
        };
        let (left, right) = (child(&self.left_children)?, child(&self.right_children)?);
        let feature = self.split_indices[at];
        if feature as usize >= n_inputs {
            return Err(format!("node {at} asks input {feature} of {n_inputs}"));
        }
        Ok(Node::Split { feature, threshold, left, right, default_left: self.default_left[at] != 0 })
    }
}

/// Checks that no node has two ways to it, so that every way ends.
fn check_ways(nodes: &[Node]) -> Result<(), String> {
    let mut is_reached = vec![false; nodes.len()];
    is_reached[0] = true;
    for node in nodes {
        let Node::Split { left, right, .. } = *node else { continue };
        for child in [left, right] {
            if std::mem::replace(&mut is_reached[child as usize], true) {
                return Err(format!("two ways lead to node {child}"));
            }
        }
    }
    Ok(())
}

/// Returns the start of each margin, written as a list in a string; one number stands for all.
fn start(stored: &Value, n_outputs: usize) -> Result<Vec<f32>, TreesError> {
    let text = stored.as_str().unwrap_or_default();
    let start: Vec<f32> =
        serde_json::from_str(text).map_err(|e| wrong(format!("`base_score` {text}: {e}")))?;
    match start.len() {
        1 => Ok(vec![start[0]; n_outputs]),
        n if n == n_outputs => Ok(start),
        n => Err(wrong(format!("`base_score` holds {n} numbers for {n_outputs} outputs"))),
    }
}

/// Returns a whole number, which is stored as a string.
fn number(stored: &Value) -> Result<usize, TreesError> {
    let text = stored.as_str().unwrap_or_default();
    text.parse().map_err(|e| wrong(format!("`num_feature` {text}: {e}")))
}

fn read<T: DeserializeOwned>(stored: &Value, key: &str) -> Result<T, TreesError> {
    T::deserialize(stored).map_err(|e| wrong(format!("`{key}`: {e}")))
}

fn wrong(reason: String) -> TreesError {
    TreesError::Stored { reason }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Lesson, Splits, Target, TreesConfig};
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/tests/fixtures/trees/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    fn agree(trees: &Trees, rows: &[Vec<f64>]) {
        let forest = Forest::new(trees).unwrap();
        assert_eq!((forest.n_inputs, forest.n_outputs()), (trees.inputs().len(), trees.n_outputs()));
        let mut found = vec![f32::NAN; forest.n_outputs()];
        for (row, expected) in rows.iter().zip(trees.margins(rows).unwrap()) {
            let row: Vec<f32> = row.iter().map(|&v| v as f32).collect();
            forest.margins(&row, &mut found);
            let found: Vec<f64> = found.iter().copied().map(f64::from).collect();
            assert_eq!(found, expected, "{row:?}");
        }
    }

    /// Rows of the fixture, from which `XGBoost` gave the expected margins of `super::tests`.
    fn lesson() -> Vec<Vec<f64>> {
        let lesson: Value = serde_json::from_str(&fixture("lesson")).unwrap();
        let rows: Vec<Vec<Option<f64>>> = read(&lesson["rows"], "rows").unwrap();
        rows.into_iter().map(|row| row.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect()).collect()
    }

    /// Every threshold of a model, at which a row goes right, and its neighbours.
    fn edges(forest: &Forest) -> Vec<Vec<f64>> {
        let mut rows = Vec::new();
        for node in forest.trees.iter().flat_map(|tree| &tree.nodes) {
            let Node::Split { feature, threshold, .. } = *node else { continue };
            for x in [threshold.next_down(), threshold, threshold.next_up()] {
                let mut row = vec![f64::NAN; forest.n_inputs];
                row[feature as usize] = f64::from(x);
                rows.push(row);
            }
        }
        rows
    }

    #[test]
    fn stored_models_keep_their_margins_at_every_edge() {
        for name in ["classes", "values", "forest"] {
            let trees = Trees::from_json(&fixture(name)).unwrap();
            agree(&trees, &lesson());
            let edges = edges(&Forest::new(&trees).unwrap());
            assert!(edges.len() > 30, "{name}: {}", edges.len());
            agree(&trees, &edges);
        }
    }

    #[test]
    fn weights_of_trees_count() {
        let text = fixture("values");
        let weighted = text.replacen("\"tree_info\"", "\"weight_drop\":[0.5,1,2,0.25,1,3],\"tree_info\"", 1);
        let trees = Trees::from_json(&weighted).unwrap();
        agree(&trees, &lesson());
        assert_ne!(Forest::new(&trees).unwrap(), Forest::new(&Trees::from_json(&text).unwrap()).unwrap());
    }

    #[test]
    fn says_what_is_damaged() {
        let text = fixture("values");
        let reason = |text: &str| match Forest::from_json(text, 1) {
            Err(TreesError::Stored { reason }) => reason,
            other => panic!("{other:?}"),
        };
        let changed = |from: &str, to: &str, what: &str| {
            assert!(text.contains(from), "{from}");
            let reason = reason(&text.replacen(from, to, 1));
            assert!(reason.contains(what), "{reason}");
        };
        changed(
            "\"num_feature\":\"4\",\"num_target\"",
            "\"num_feature\":\"x\",\"num_target\"",
            "num_feature",
        );
        changed("[-0.50730836]", "[-0.50730836,1,2]", "3 numbers for 1 outputs");
        changed("[-0.50730836]", "-0.5", "base_score");
        changed("\"tree_info\":[0,", "\"tree_info\":[", "6 trees have 5 outputs");
        changed("\"tree_info\":[0,", "\"tree_info\":[1,", "tree 0 is of output 1 of 1");
        changed("\"left_children\":[1,", "\"left_children\":[0,", "tree 0: two ways lead to node 0");
        changed("\"left_children\":[1,", "\"left_children\":[5,", "tree 0: node 0 leads to node 5 of 5");
        changed("\"right_children\":[2,", "\"right_children\":[-1,", "leads to node -1");
        changed("\"right_children\":[2,", "\"right_children\":[", "columns of 5");
        changed("\"split_indices\":[1,", "\"split_indices\":[4,", "asks input 4 of 4");
        changed("\"split_type\":[0,", "\"split_type\":[1,", "categories");
        changed("\"default_left\":[0,", "\"default_left\":[\"no\",", "trees");
        for end in (0..text.len() - 1).step_by(397) {
            reason(&text[..end]);
        }
    }

    /// Rows with gaps, and what trees learn of them.
    fn rows() -> impl Strategy<Value = Vec<Vec<f64>>> {
        (1..6_usize).prop_flat_map(|d| {
            let value = prop_oneof![4 => -1e3..1e3_f64, 1 => Just(f64::NAN), 1 => Just(0.0)];
            prop::collection::vec(prop::collection::vec(value, d), 6..40)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn margins_are_those_of_the_library(
            rows in rows(),
            of_classes in any::<bool>(),
            random in any::<bool>(),
            members in 1..4_u32,
            trees_per_round in 1..3_u32,
            seed in any::<u64>(),
        ) {
            let inputs: Vec<Input> =
                (0..rows[0].len()).map(|idx| Input { name: format!("x{idx}"), unit: "1".into() }).collect();
            let labels: Vec<usize> = (0..rows.len()).map(|idx| idx % 3).collect();
            let values: Vec<f64> = labels.iter().map(|&label| label as f64 * 0.3 - 7.0).collect();
            let target = if of_classes {
                Target::Classes { labels: &labels, weights: &[1.0, 2.0, 0.5] }
            } else {
                Target::Values(&values)
            };
            let splits = if random { Splits::Random } else { Splits::Best };
            let config = TreesConfig {
                rounds: 4,
                members,
                trees_per_round,
                splits,
                min_child_weight: 0.1,
                ..TreesConfig::default()
            };
            let lesson = Lesson { inputs: &inputs, rows: &rows, target };
            agree(&Trees::fit(&config, &lesson, &Seed::new(seed)).unwrap(), &rows);
        }

        #[test]
        fn a_damaged_byte_never_panics(position in any::<prop::sample::Index>(), byte in 32..127_u8) {
            let mut text = fixture("values").into_bytes();
            let at = position.index(text.len());
            text[at] = byte;
            if let Ok(forest) = Forest::from_json(std::str::from_utf8(&text).unwrap(), 1) {
                forest.margins(&vec![0.5; forest.n_inputs], &mut [0.0]);
            }
        }
    }
}
