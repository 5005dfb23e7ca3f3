//! Trees as tables: a left node follows its parent, so that a node is an input, a jump to the right and a number.

use super::cost::Cost;
use super::number::single;
use super::table::whole;
use super::unit::Unit;
use crate::model::trees::TreesError;
use crate::model::trees::flat::{Forest, Node, Tree};
use crate::pipeline::{Body, Pipeline};

/// A forest in the order in which its nodes are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Laid {
    /// Twice the position of the input among all of the pipeline's, and 1 more where a missing one goes left.
    feature: Vec<usize>,
    /// Distance to the right node; 0 at a leaf.
    jump: Vec<usize>,
    /// Threshold, or the number of a leaf.
    value: Vec<f32>,
    /// Root of each tree, those of each output together.
    root: Vec<usize>,
    /// Number of trees of each output.
    n_trees: Vec<usize>,
    /// What the sum of each output starts from.
    start: Vec<f32>,
    /// Comparisons on the longest ways.
    longest: usize,
}

impl Laid {
    /// Lays trees out for rows of all of the pipeline's inputs; `columns` says where theirs lie.
    pub(super) fn new(forest: &Forest, columns: &[usize]) -> Self {
        let mut laid = Self { start: forest.start.clone(), ..Self::default() };
        for output in 0..forest.n_outputs() {
            let own = || forest.trees.iter().filter(|tree| tree.output == output);
            laid.n_trees.push(own().count());
            for tree in own() {
                laid.root.push(laid.feature.len());
                laid.longest += laid.put(tree, 0, columns);
            }
        }
        laid
    }

    /// Puts a node and all below it, and returns the longest way from it.
    fn put(&mut self, tree: &Tree, at: u32, columns: &[usize]) -> usize {
        let own = self.feature.len();
        let (code, number) = match tree.nodes[at as usize] {
            Node::Leaf(value) => (0, value),
            Node::Split { feature, threshold, default_left, .. } => {
                (2 * columns[feature as usize] + usize::from(default_left), threshold)
            }
        };
        self.feature.push(code);
        self.value.push(number);
        self.jump.push(0);
        let Node::Split { left, right, .. } = tree.nodes[at as usize] else { return 0 };
        let below = self.put(tree, left, columns);
        self.jump[own] = self.feature.len() - own;
        1 + below.max(self.put(tree, right, columns))
    }
}

/// A table of whole numbers; its type is as small as the largest number of all forests allows.
type List = fn(&Laid) -> &Vec<usize>;

/// Tables of whole numbers, by the names of their types.
const LISTS: [(&str, List); 3] = [("feature", |l| &l.feature), ("jump", |l| &l.jump), ("root", |l| &l.root)];

/// Lays out all forests of a pipeline, `[part][trees]`, and declares the types of their tables.
pub(super) fn lay(unit: &mut Unit, pipeline: &Pipeline) -> Result<Vec<Vec<Laid>>, TreesError> {
    let mut all = Vec::new();
    for part in &pipeline.parts {
        let trees = if let Body::Trees { trees, .. } = &part.body { trees.as_slice() } else { &[] };
        let one = |trees| Forest::new(trees).map(|forest| Laid::new(&forest, &part.columns));
        all.push(trees.iter().map(one).collect::<Result<Vec<_>, _>>()?);
    }
    if all.iter().flatten().next().is_some() {
        let most = |list: List| all.iter().flatten().flat_map(list).copied().max().unwrap_or(0);
        unit.types = LISTS.map(|(name, list)| (name, whole(most(list)))).to_vec();
    }
    Ok(all)
}

/// Writes a forest's tables and returns the value of each output as an expression.
pub(super) fn margins(unit: &mut Unit, name: &str, laid: &Laid) -> Vec<String> {
    let mut nodes = Vec::new();
    for ((kind, list), (_, (_, bytes))) in LISTS.into_iter().zip(&unit.types) {
        let words: Vec<String> = list(laid).iter().map(usize::to_string).collect();
        nodes.push(unit.tables.add(&format!("{name}_{kind}"), (&format!("{kind}_t"), *bytes), &words));
    }
    let mut singles = |kind: &str, values: &[f32]| {
        let literals: Vec<String> = values.iter().map(|&value| single(value)).collect();
        unit.tables.add(&format!("{name}_{kind}"), ("float", 4), &literals)
    };
    let (value, start) = (singles("value", &laid.value), singles("start", &laid.start));
    let mut first = 0;
    let output = |(k, &n): (usize, &usize)| {
        first += n;
        let own = format!("&{}[{}], {n}, {start}[{k}]", nodes[2], first - n);
        format!("(float)forest({}, {}, {value}, {own}, x)", nodes[0], nodes[1])
    };
    laid.n_trees.iter().enumerate().map(output).collect()
}

/// Returns the cost of a forest at most.
pub(super) fn cost(laid: &Laid) -> Cost {
    Cost { comparisons: laid.longest, ..Cost::of(laid.root.len()) }
}
