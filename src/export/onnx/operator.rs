//! The operators that pipelines need, each with the shape of what it makes. All are in opset 13.
//!
//! # Panics
//! Every function, where shapes do not fit: whoever builds a graph knows them.

use super::graph::{Axis, Graph, Value, long};
use super::proto::{Attribute, Element};

/// Version of the default operators: the first whose `Softmax`, `ReduceSum` and `Unsqueeze` are those of today.
pub(super) const OPSET: i64 = 13;

impl Graph {
    /// Returns `operator(x)`, element by element.
    pub(super) fn unary(&mut self, operator: &str, x: &Value) -> Value {
        self.node(("", operator), &[x], vec![], (x.element, x.shape.clone()))
    }

    /// Returns `operator(a, b)`, element by element, with broadcasting.
    pub(super) fn binary(&mut self, operator: &str, a: &Value, b: &Value) -> Value {
        let element = if matches!(operator, "Less" | "GreaterOrEqual") { Element::Bool } else { a.element };
        self.node(("", operator), &[a, b], vec![], (element, broadcast(&a.shape, &b.shape)))
    }

    /// Returns `operator(x, number)`.
    pub(super) fn with(&mut self, operator: &str, x: &Value, number: f64) -> Value {
        let number = self.number(number);
        self.binary(operator, x, &number)
    }

    /// Returns `x` where it is a finite number, else `otherwise`.
    pub(super) fn finite_or(&mut self, x: &Value, otherwise: &Value) -> Value {
        let size = self.unary("Abs", x);
        // A comparison with NaN is false.
        let is_finite = self.with("Less", &size, f64::INFINITY);
        let shape = broadcast(&x.shape, &otherwise.shape);
        self.node(("", "Where"), &[&is_finite, x, otherwise], vec![], (x.element, shape))
    }

    /// Returns the products of matrices, broadcasting what stands before their last two axes.
    pub(super) fn matmul(&mut self, a: &Value, b: &Value) -> Value {
        let (outer_a, [m, inner_a]) = last_two(&a.shape);
        let (outer_b, [inner_b, n]) = last_two(&b.shape);
        assert_eq!(inner_a, inner_b, "inner lengths of a product");
        let mut shape = broadcast(outer_a, outer_b);
        shape.extend([m, n]);
        self.node(("", "MatMul"), &[a, b], vec![], (a.element, shape))
    }

    /// Returns `x` at the places `indices` of an axis, whose axes take its place.
    pub(super) fn gather(&mut self, x: &Value, indices: &Value, axis: usize) -> Value {
        let shape = [&x.shape[..axis], &indices.shape, &x.shape[axis + 1..]].concat();
        self.node(("", "Gather"), &[x, indices], vec![int("axis", long(axis))], (x.element, shape))
    }

    /// Returns `x` with its axes in another order.
    pub(super) fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        let shape = order.iter().map(|&axis| x.shape[axis]).collect();
        let order = order.iter().map(|&axis| long(axis)).collect();
        self.node(("", "Transpose"), &[x], vec![ints("perm", order)], (x.element, shape))
    }

    /// Returns `x` with a new last axis of length 1.
    pub(super) fn with_last_axis(&mut self, x: &Value) -> Value {
        let axis = self.integers(&[-1], &[1]);
        let shape = [&x.shape[..], &[Axis::Of(1)]].concat();
        self.node(("", "Unsqueeze"), &[x, &axis], vec![], (x.element, shape))
    }

    /// Returns the numbers of `x` in another shape, in which the axis of rows occurs once.
    pub(super) fn reshape(&mut self, x: &Value, shape: Vec<Axis>) -> Value {
        let lengths: Vec<i64> =
            shape.iter().map(|a| if let Axis::Of(n) = a { long(*n) } else { -1 }).collect();
        let lengths = self.integers(&lengths, &[shape.len()]);
        self.node(("", "Reshape"), &[x, &lengths], vec![], (x.element, shape))
    }

    /// Returns the mean over `axes`, ascending, which become 1 long or go.
    pub(super) fn mean(&mut self, x: &Value, axes: &[usize], keep: bool) -> Value {
        let kept = |(axis, &length): (usize, &Axis)| match (axes.contains(&axis), keep) {
            (false, _) => Some(length),
            (true, true) => Some(Axis::Of(1)),
            (true, false) => None,
        };
        let shape = x.shape.iter().enumerate().filter_map(kept).collect();
        let axes = axes.iter().map(|&axis| long(axis)).collect();
        let attributes = vec![ints("axes", axes), int("keepdims", i64::from(keep))];
        self.node(("", "ReduceMean"), &[x], attributes, (x.element, shape))
    }

    /// Returns the sum over the last axis, which becomes 1 long or goes.
    pub(super) fn sum(&mut self, x: &Value, keep: bool) -> Value {
        let axis = self.integers(&[-1], &[1]);
        let mut shape = x.shape[..x.rank() - 1].to_vec();
        if keep {
            shape.push(Axis::Of(1));
        }
        let attributes = vec![int("keepdims", i64::from(keep))];
        self.node(("", "ReduceSum"), &[x, &axis], attributes, (x.element, shape))
    }

    /// Returns the softmax over the last axis.
    pub(super) fn softmax(&mut self, x: &Value) -> Value {
        self.node(("", "Softmax"), &[x], vec![int("axis", -1)], (x.element, x.shape.clone()))
    }

    /// Returns `x`, not below `low` and not above `high`.
    pub(super) fn clip(&mut self, x: &Value, low: f64, high: f64) -> Value {
        let (low, high) = (self.number(low), self.number(high));
        self.node(("", "Clip"), &[x, &low, &high], vec![], (x.element, x.shape.clone()))
    }

    /// Returns columns `[batch, 1]` side by side.
    pub(super) fn concat(&mut self, columns: &[Value]) -> Value {
        let inputs: Vec<&Value> = columns.iter().collect();
        let shape = vec![Axis::Batch, Axis::Of(columns.len())];
        self.node(("", "Concat"), &inputs, vec![int("axis", 1)], (Element::Float, shape))
    }

    /// Returns the `n` columns of `[batch, n]`, each `[batch, 1]`.
    pub(super) fn columns(&mut self, x: &Value, n: usize) -> Vec<Value> {
        let lengths = self.integers(&vec![1; n], &[n]);
        let shapes = vec![vec![Axis::Batch, Axis::Of(1)]; n];
        self.nodes_of(("", "Split"), &[x, &lengths], vec![int("axis", 1)], (x.element, shapes))
    }

    /// Returns the position of the largest number of each row of `[batch, n]`, `[batch, 1]`; the first of equals.
    pub(super) fn largest(&mut self, x: &Value) -> Value {
        let shape = vec![Axis::Batch, Axis::Of(1)];
        let attributes = vec![int("axis", 1), int("keepdims", 1)];
        self.node(("", "ArgMax"), &[x], attributes, (Element::Int64, shape))
    }
}

/// Returns a setting that is a number.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: Some(name.into()), i: Some(value), kind: Some(2), ..Attribute::default() }
}

/// Returns a setting that is a text.
pub(super) fn text(name: &str, value: &str) -> Attribute {
    Attribute { name: Some(name.into()), s: Some(value.into()), kind: Some(3), ..Attribute::default() }
}

/// Returns a setting that is a list of numbers.
pub(super) fn floats(name: &str, floats: Vec<f32>) -> Attribute {
    Attribute { name: Some(name.into()), floats, kind: Some(6), ..Attribute::default() }
}

/// Returns a setting that is a list of integers.
pub(super) fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute { name: Some(name.into()), ints, kind: Some(7), ..Attribute::default() }
}

/// Returns a setting that is a list of texts.
pub(super) fn texts(name: &str, texts: &[&str]) -> Attribute {
    let strings = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    Attribute { name: Some(name.into()), strings, kind: Some(8), ..Attribute::default() }
}

fn broadcast(a: &[Axis], b: &[Axis]) -> Vec<Axis> {
    let rank = a.len().max(b.len());
    let at = |shape: &[Axis], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(Axis::Of(1), |place| shape[place])
    };
    let joined = |axis| match (at(a, axis), at(b, axis)) {
        (Axis::Of(1), other) | (other, Axis::Of(1)) => other,
        (one, other) => {
            assert_eq!(one, other, "lengths of an axis");
            one
        }
    };
    (0..rank).map(joined).collect()
}

fn last_two(shape: &[Axis]) -> (&[Axis], [Axis; 2]) {
    let (outer, last) = shape.split_last_chunk::<2>().expect("invariant: a matrix has two axes");
    (outer, *last)
}
