//! A graph under construction: values with type and shape, nodes in order, constants and nodes that are made once.
//!
//! ```text
//! value = /scope/operator_number          constant = /constant_number
//! ```
//!
//! A node that asks for what an earlier one computes is that one, so whoever builds need not keep what was built.

use std::collections::BTreeMap;

use prost::Message;

use super::proto::{
    Attribute, Dimension, Element, GraphProto, Node, Shape, Tensor, TensorType, TypeProto, ValueInfo,
};

/// Name of the axis of rows.
const BATCH: &str = "batch";

/// Domain of the operators for trees; the default domain is the empty name.
pub(super) const ML: &str = "ai.onnx.ml";

/// Length of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Number of rows, known when the graph runs.
    Batch,
    /// A number.
    Of(usize),
}

/// A value of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) element: Element,
    pub(super) shape: Vec<Axis>,
}

/// The graph so far.
#[derive(Debug, Default)]
pub(super) struct Graph {
    scope: String,
    nodes: Vec<Node>,
    made: BTreeMap<Vec<u8>, Value>,
    constants: BTreeMap<Vec<u8>, String>,
    tensors: Vec<Tensor>,
    values: Vec<Value>,
    inputs: Vec<ValueInfo>,
    outputs: Vec<(String, Value, String)>,
}

impl Value {
    /// Returns the number of axes.
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }
}

impl Graph {
    /// Sets the first part of the names of the nodes to come.
    pub(super) fn enter(&mut self, scope: &str) {
        self.scope = scope.into();
    }

    /// Adds an input of rows.
    pub(super) fn input(&mut self, name: &str, width: usize, doc: &str) -> Value {
        let shape = vec![Axis::Batch, Axis::Of(width)];
        let value = Value { name: name.into(), element: Element::Float, shape };
        self.inputs.push(info(&value, doc));
        value
    }

    /// Makes a value an output of this name.
    pub(super) fn output(&mut self, name: &str, value: &Value, doc: &str) {
        self.outputs.push((name.into(), value.clone(), doc.into()));
    }

    /// Returns the names of all values; the graph is none unless each is there once.
    pub(super) fn names(&self) -> Vec<String> {
        let inputs = self.inputs.iter().filter_map(|input| input.name.clone());
        let constants = self.tensors.iter().filter_map(|tensor| tensor.name.clone());
        let outputs = self.outputs.iter().map(|(name, ..)| name.clone());
        inputs
            .chain(constants)
            .chain(self.values.iter().map(|value| value.name.clone()))
            .chain(outputs)
            .collect()
    }

    /// Returns a constant of 32-bit numbers.
    pub(super) fn numbers(&mut self, numbers: &[f64], shape: &[usize]) -> Value {
        let raw = numbers.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
        self.constant(raw, Element::Float, shape)
    }

    /// Returns a constant number without axes.
    pub(super) fn number(&mut self, number: f64) -> Value {
        self.numbers(&[number], &[])
    }

    /// Returns a constant of integers.
    pub(super) fn integers(&mut self, integers: &[i64], shape: &[usize]) -> Value {
        let raw = integers.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(raw, Element::Int64, shape)
    }

    fn constant(&mut self, raw: Vec<u8>, element: Element, shape: &[usize]) -> Value {
        let tensor = Tensor {
            dims: shape.iter().map(|&d| long(d)).collect(),
            data_type: Some(element as i32),
            name: None,
            raw_data: Some(raw),
        };
        let next = format!("/constant_{}", self.tensors.len());
        let name = self.constants.entry(tensor.encode_to_vec()).or_insert_with(|| next.clone()).clone();
        if name == next {
            self.tensors.push(Tensor { name: Some(next), ..tensor });
        }
        Value { name, element, shape: shape.iter().map(|&d| Axis::Of(d)).collect() }
    }

    /// Returns the one output of a node.
    pub(super) fn node(
        &mut self,
        (domain, operator): (&str, &str),
        inputs: &[&Value],
        attribute: Vec<Attribute>,
        (element, shape): (Element, Vec<Axis>),
    ) -> Value {
        self.nodes_of((domain, operator), inputs, attribute, (element, vec![shape])).swap_remove(0)
    }

    /// Returns the outputs of a node, one a shape.
    pub(super) fn nodes_of(
        &mut self,
        (domain, operator): (&str, &str),
        inputs: &[&Value],
        attribute: Vec<Attribute>,
        (element, shapes): (Element, Vec<Vec<Axis>>),
    ) -> Vec<Value> {
        let mut node = Node {
            input: inputs.iter().map(|v| v.name.clone()).collect(),
            op_type: Some(operator.into()),
            attribute,
            domain: (!domain.is_empty()).then(|| domain.into()),
            ..Node::default()
        };
        let key = node.encode_to_vec();
        if let (Some(made), 1) = (self.made.get(&key), shapes.len()) {
            return vec![made.clone()];
        }
        let name = format!("/{}/{}_{}", self.scope, operator.to_lowercase(), self.nodes.len());
        let several = shapes.len() > 1;
        let value = |(idx, shape)| {
            let name = if several { format!("{name}.{idx}") } else { name.clone() };
            Value { name, element, shape }
        };
        let values: Vec<Value> = shapes.into_iter().enumerate().map(value).collect();
        node.output = values.iter().map(|v| v.name.clone()).collect();
        node.name = Some(name);
        self.nodes.push(node);
        self.made.insert(key, values[0].clone());
        self.values.extend(values.iter().cloned());
        values
    }

    /// Returns the message of the whole graph.
    pub(super) fn finish(mut self, name: &str, doc: &str) -> GraphProto {
        let outputs = std::mem::take(&mut self.outputs);
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        let mut output = Vec::with_capacity(outputs.len());
        for (name, value, doc) in outputs {
            match named.get(&value.name) {
                Some(first) => self.copy(first, &name),
                None if self.values.contains(&value) => self.rename(&value.name, &name),
                None => self.copy(&value.name, &name),
            }
            named.entry(value.name.clone()).or_insert_with(|| name.clone());
            output.push(info(&Value { name, ..value }, &doc));
        }
        GraphProto {
            value_info: self.values.iter().map(|value| info(value, "")).collect(),
            node: self.nodes,
            name: Some(name.into()),
            initializer: self.tensors,
            doc_string: Some(doc.into()),
            input: self.inputs,
            output,
        }
    }

    /// Gives what a node makes its name as an output.
    fn rename(&mut self, from: &str, to: &str) {
        self.values.retain(|value| value.name != from);
        let places = self.nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        places.filter(|place| *place == from).for_each(|place| *place = to.into());
    }

    /// Adds a second name for a value that has one.
    fn copy(&mut self, from: &str, to: &str) {
        self.nodes.push(Node {
            input: vec![from.into()],
            output: vec![to.into()],
            name: Some(format!("/{}/identity_{}", self.scope, self.nodes.len())),
            op_type: Some("Identity".into()),
            ..Node::default()
        });
    }
}

/// Returns a length or a position as files have it.
pub(super) fn long(n: usize) -> i64 {
    i64::try_from(n).expect("invariant: lengths and positions are below 2^63")
}

fn info(value: &Value, doc: &str) -> ValueInfo {
    let dimension = |axis: &Axis| match axis {
        Axis::Batch => Dimension { dim_value: None, dim_param: Some(BATCH.into()) },
        Axis::Of(n) => Dimension { dim_value: Some(long(*n)), dim_param: None },
    };
    let shape = Shape { dim: value.shape.iter().map(dimension).collect() };
    let tensor = TensorType { elem_type: Some(value.element as i32), shape: Some(shape) };
    ValueInfo {
        name: Some(value.name.clone()),
        kind: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string: (!doc.is_empty()).then(|| doc.into()),
    }
}
