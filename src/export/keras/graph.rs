//! A functional model of Keras: its layers, the order in which Keras counts them, its JSON and its weights.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::keras::{KerasError, LayerGroup, group_name, groups_h5};

/// A variable: its shape, and its numbers row-major.
pub(super) type Variable = (Vec<usize>, Vec<f32>);

/// Layers, each made from those before it; the last one is the output.
pub(super) struct Graph {
    layers: Vec<Layer>,
}

struct Layer {
    class: &'static str,
    name: String,
    config: Value,
    /// Positions of the layers whose outputs it takes.
    inputs: Vec<usize>,
    /// Numbers that it gives for a row.
    width: usize,
    variables: Vec<Variable>,
}

impl Graph {
    /// Returns the input layer, `inputs`, of so many numbers a row.
    pub(super) fn new(width: usize) -> Self {
        let mut graph = Self { layers: Vec::new() };
        let config = json!({ "batch_shape": [null, width], "sparse": false });
        graph.add(("InputLayer", "inputs"), config, &[], (width, Vec::new()));
        graph
    }

    /// Returns the numbers of a row.
    pub(super) fn n_inputs(&self) -> usize {
        self.layers[0].width
    }

    /// Adds a layer of a class, with a name of its own, and returns its position.
    pub(super) fn add(
        &mut self,
        (class, name): (&'static str, &str),
        mut config: Value,
        inputs: &[usize],
        (width, variables): (usize, Vec<Variable>),
    ) -> usize {
        config["name"] = name.into();
        config["dtype"] = "float32".into();
        if class != "InputLayer" {
            config["trainable"] = (!name.ends_with("_choice")).into();
        }
        self.layers.push(Layer {
            class,
            name: name.into(),
            config,
            inputs: inputs.to_vec(),
            width,
            variables,
        });
        self.layers.len() - 1
    }

    /// Adds `weight` `[d_in, d_out]` and perhaps a bias to a layer's output.
    pub(super) fn dense(
        &mut self,
        name: &str,
        input: usize,
        weight: Variable,
        bias: Option<Vec<f32>>,
    ) -> usize {
        let d_out = weight.0[1];
        let config = json!({ "units": d_out, "activation": "linear", "use_bias": bias.is_some() });
        let variables = [weight].into_iter().chain(bias.map(|bias| (vec![d_out], bias))).collect();
        self.add(("Dense", name), config, &[input], (d_out, variables))
    }

    /// Adds `scale * x + offset`, numbers or lists of them.
    pub(super) fn rescale(
        &mut self,
        name: &str,
        input: usize,
        scale: impl Into<Value>,
        offset: impl Into<Value>,
    ) -> usize {
        let (scale, offset): (Value, Value) = (scale.into(), offset.into());
        let config = json!({ "scale": scale, "offset": offset });
        self.add(("Rescaling", name), config, &[input], (self.layers[input].width, Vec::new()))
    }

    /// Adds an activation of Keras.
    pub(super) fn activate(&mut self, name: &str, input: usize, activation: &str) -> usize {
        let config = json!({ "activation": activation });
        self.add(("Activation", name), config, &[input], (self.layers[input].width, Vec::new()))
    }

    /// Adds the sum (`Add`) or product (`Multiply`) of layers, 2 or more.
    pub(super) fn merge(&mut self, class: &'static str, name: &str, inputs: &[usize]) -> usize {
        self.add((class, name), json!({}), inputs, (self.layers[inputs[0]].width, Vec::new()))
    }

    /// Returns the JSON of the model, with `told` beside it.
    pub(super) fn model(&self, name: &str, told: &Value) -> Value {
        let layers: Vec<Value> = self.order().into_iter().map(|idx| self.layer(idx)).collect();
        let end = &self.layers[self.layers.len() - 1].name;
        json!({
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": {
                "name": super::letters(name),
                "trainable": true,
                "layers": layers,
                "input_layers": [["inputs", 0, 0]],
                "output_layers": [[end, 0, 0]],
            },
            "registered_name": "Functional",
            "fadecast": told,
        })
    }

    /// Returns the bytes of the weights' file.
    ///
    /// # Errors
    /// [`KerasError::Hdf5`].
    pub(super) fn weights(&self) -> Result<Vec<u8>, KerasError> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let group = |idx: usize| {
            let layer = &self.layers[idx];
            let count = counts.entry(layer.class).or_default();
            *count += 1;
            (group_name(layer.class, *count - 1), layer.variables.clone())
        };
        groups_h5(&self.order().into_iter().map(group).collect::<Vec<LayerGroup>>(), "functional")
    }

    fn layer(&self, idx: usize) -> Value {
        let layer = &self.layers[idx];
        let tensors: Vec<Value> = layer.inputs.iter().map(|&input| self.tensor(input)).collect();
        let nodes = match &tensors[..] {
            [] => json!([]),
            [one] => json!([{ "args": [one], "kwargs": {} }]),
            several => json!([{ "args": [several], "kwargs": {} }]),
        };
        json!({
            "module": "keras.layers",
            "class_name": layer.class,
            "config": layer.config,
            "registered_name": null,
            "name": layer.name,
            "inbound_nodes": nodes,
        })
    }

    fn tensor(&self, idx: usize) -> Value {
        let Layer { name, width, .. } = &self.layers[idx];
        let config = json!({ "shape": [null, width], "dtype": "float32", "keras_history": [name, 0, 0] });
        json!({ "class_name": "__keras_tensor__", "config": config })
    }

    /// Returns the positions of all layers in Keras's order.
    fn order(&self) -> Vec<usize> {
        let (depths, walk) = (self.depths(), self.walk());
        let mut order: Vec<usize> = (0..self.layers.len()).collect();
        order.sort_by_key(|&idx| (std::cmp::Reverse(depths[idx]), walk[idx]));
        order
    }

    /// Returns the length of the longest way from each layer to the output; a layer comes after its inputs.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.layers.len()];
        for idx in (0..self.layers.len()).rev() {
            for &input in &self.layers[idx].inputs {
                depths[input] = depths[input].max(depths[idx] + 1);
            }
        }
        depths
    }

    /// Returns when a walk from the output, inputs in their order, first comes to each layer.
    fn walk(&self) -> Vec<usize> {
        let mut met = vec![usize::MAX; self.layers.len()];
        let (mut n, mut open) = (0, vec![self.layers.len() - 1]);
        while let Some(idx) = open.pop() {
            if met[idx] == usize::MAX {
                met[idx] = n;
                n += 1;
                open.extend(self.layers[idx].inputs.iter().rev());
            }
        }
        met
    }
}
