//! Weights and scalings as named tensors: what `PyTorch` loads by name, and numpy computes in ten lines.
//!
//! | tensor | shape | what |
//! |---|---|---|
//! | `B0005.seed0.layers.0.weight`, `.bias` | `[d_out, d_in]`, `[d_out]` | a linear layer, at its place in a `torch.nn.Sequential` |
//! | `B0005.seed0.layers.1.weight`, `.bias` | `[d]` | scale and shift of a normalisation |
//! | `B0005.seed0.layers.1.running_mean`, `.running_var` | `[d]` | running statistics of batch normalisation |
//! | `B0005.seed0.theta` | `[parameter]` | a hybrid network's own parameters of its law, in their units |
//! | `B0005.theta` | `[parameter]` | parameters of a law without a network |
//! | `B0005.weight`, `.bias` | `[d_out, d_in]`, `[d_out]` | linear and logistic regression |
//! | `B0005.scaler.median`, `.mean`, `.sd` | `[d_in]` | imputation and scaling of the inputs, in their units |
//! | `B0005.label.mean`, `.sd` | `[]` | scaling of the label |
//! | `B0005.stress_median` | `[stress]` | imputation of a law's stress |
//!
//! Networks are 32-bit numbers, all else 64-bit. The metadata `pipeline` is JSON: inputs with units in their order, the
//! answer, the interval, each part's columns and networks, the architecture, the law's formula, and `how` to compute it.

use ::safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

use super::formula::formula;
use super::{ExportError, Exported, ExportedFile, Format, Options, member_names};
use crate::model::{Activation, Architecture, Normalisation, PriorStart};
use crate::physics::Law;
use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Body, Member, Part, Pipeline};

/// What a reader does with the tensors.
const HOW: [&str; 7] = [
    "The answer's label is the mean over `parts`; a part's label is the mean over its `members`. A life with `log` is 10^label.",
    "x: a row's numbers at the part's `columns`, a missing one replaced by scaler.median, then (x - scaler.mean) / scaler.sd, and zeros up to d_input. s: the numbers at `stress`, a missing one replaced by stress_median.",
    "A member's layers.* are the state of `sequential` in evaluation; o is its output. With `skip` a hidden layer adds its input to its activated output where the widths agree.",
    "label = label.mean + label.sd * o[0]; with `classes` the softmax of o.",
    "With `law`: label = formula(theta, s) + label.sd * residual_scale * o[0]; log is the natural logarithm.",
    "Without members: label.mean + label.sd * (weight . x + bias) for `linear`; the softmax of weight . x + bias for `logistic`, where a single logit is that of the second tier and the first one's is 0; formula(theta, s) for `law`.",
    "calibration of the part's probabilities p: temperature: softmax(log(max(p, 2.220446049250313e-16)) / temperature); isotonic: each class's piecewise linear function, clipped to floor .. 1 - floor, then divided by the sum.",
];

/// Makes one file of tensors.
///
/// # Errors
/// [`ExportError::Unsupported`] for trees, [`ExportError::Library`].
pub fn export(pipeline: &Pipeline, manifest: &Manifest, _: &Options) -> Result<Exported, ExportError> {
    let mut tensors = Tensors::default();
    let mut parts = Vec::new();
    for (part, members) in pipeline.parts.iter().zip(member_names(pipeline)) {
        let members: Vec<String> = members.iter().map(|name| name.replace('/', ".")).collect();
        parts.push(tensors.add_part(part, &members)?);
    }
    let bytes = tensors.bytes(&metadata(pipeline, manifest, &parts))?;
    let files = vec![ExportedFile { extension: "safetensors", bytes }];
    Ok(Exported { files, left_out: Vec::new(), notes: Vec::new() })
}

fn metadata(pipeline: &Pipeline, manifest: &Manifest, parts: &[Value]) -> Value {
    json!({
        "fadecast": manifest.fadecast,
        "how": HOW,
        "name": pipeline.name,
        "run": pipeline.run,
        "model": pipeline.model,
        "inputs": pipeline.inputs,
        "answer": { "name": pipeline.output.name(), "unit": pipeline.output.unit() },
        "output": pipeline.output,
        "interval": pipeline.interval,
        "parts": parts,
    })
}

/// Named tensors.
#[derive(Default)]
struct Tensors(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Tensors {
    fn add_f32(&mut self, name: String, shape: Vec<usize>, values: impl Iterator<Item = f32>) {
        self.0.push((name, Dtype::F32, shape, values.flat_map(f32::to_le_bytes).collect()));
    }

    fn add(&mut self, name: String, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.push((name, Dtype::F64, shape.to_vec(), bytes));
    }

    /// Adds a part's tensors and returns what the metadata says of it.
    fn add_part(&mut self, part: &Part, members: &[String]) -> Result<Value, ExportError> {
        let name = part_name(part);
        for (key, values) in
            [("median", &part.scaler.median), ("mean", &part.scaler.mean), ("sd", &part.scaler.sd)]
        {
            self.add(format!("{name}.scaler.{key}"), &[values.len()], values);
        }
        self.add(format!("{name}.label.mean"), &[], &[part.label.0]);
        self.add(format!("{name}.label.sd"), &[], &[part.label.1]);
        self.add(format!("{name}.stress_median"), &[part.stress.len()], &part.stress_median);
        let body = self.add_body(&name, &part.body, members)?;
        Ok(json!({
            "name": name,
            "fold": part.fold,
            "repetition": part.repetition,
            "columns": part.columns,
            "stress": part.stress,
            "body": body,
            "members": members,
            "calibration": part.calibration,
        }))
    }

    fn add_body(&mut self, name: &str, body: &Body, names: &[String]) -> Result<Value, ExportError> {
        match body {
            Body::Law { law, theta } => {
                self.add(format!("{name}.theta"), &[theta.len()], theta);
                Ok(json!({ "kind": "law", "law": law_of(*law) }))
            }
            Body::Linear { weights } => {
                self.add(format!("{name}.weight"), &[1, weights.len() - 1], &weights[1..]);
                self.add(format!("{name}.bias"), &[1], &weights[..1]);
                Ok(json!({ "kind": "linear" }))
            }
            Body::Logistic(logistic) => {
                let n_logits = logistic.intercepts.len();
                let weights = logistic.coefficients.concat();
                self.add(format!("{name}.weight"), &[n_logits, weights.len() / n_logits], &weights);
                self.add(format!("{name}.bias"), &[n_logits], &logistic.intercepts);
                Ok(json!({ "kind": "logistic" }))
            }
            Body::Networks { architecture, classes, start, members } => {
                for (name, member) in names.iter().zip(members) {
                    self.add_member(name, (architecture, start.as_ref()), member);
                }
                Ok(networks(architecture, *classes))
            }
            Body::Trees { .. } => Err(ExportError::Unsupported {
                format: Format::Safetensors,
                what: "decision trees, which are no tensors".into(),
                instead: "--format onnx, or json for their nodes",
            }),
        }
    }

    fn add_member(
        &mut self,
        name: &str,
        (architecture, start): (&Architecture, Option<&PriorStart>),
        member: &Member,
    ) {
        let weights = architecture.slices().into_iter().map(|slice| (slice, &member.weights));
        let statistics = architecture.statistics().into_iter().map(|slice| (slice, &member.statistics));
        for (slice, numbers) in weights.chain(statistics) {
            let Some(key) = torch_key(architecture, &slice.name) else { continue };
            let (name, own) = (format!("{name}.{key}"), &numbers[slice.range()]);
            if let [d_in, d_out] = slice.shape[..] {
                let turned = (0..d_in * d_out).map(|idx| own[idx % d_in * d_out + idx / d_in]);
                self.add_f32(name, vec![d_out, d_in], turned);
            } else {
                self.add_f32(name, slice.shape.clone(), own.iter().copied());
            }
        }
        if let Some(start) = start.filter(|_| architecture.prior.is_some()) {
            let theta = architecture.theta(&member.weights, start);
            self.add(format!("{name}.theta"), &[theta.len()], &theta);
        }
    }

    fn bytes(&self, metadata: &Value) -> Result<Vec<u8>, ExportError> {
        let mut views = Vec::with_capacity(self.0.len());
        for (name, dtype, shape, bytes) in &self.0 {
            let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(library)?;
            views.push((name.as_str(), view));
        }
        serialize(views, Some([("pipeline".to_owned(), metadata.to_string())].into())).map_err(library)
    }
}

/// Returns what no other part is called.
fn part_name(part: &Part) -> String {
    match part.repetition {
        0 => part.fold.clone(),
        n => format!("{}.repetition{n}", part.fold),
    }
}

/// Returns the place of a slice (`layer1.norm_scale`) in a `torch.nn.Sequential`; none for a law's parameters.
fn torch_key(architecture: &Architecture, slice: &str) -> Option<String> {
    let (layer, part) = slice.strip_prefix("layer")?.split_once('.')?;
    let has_norm = usize::from(architecture.network.normalisation != Normalisation::None);
    let linear = layer.parse::<usize>().ok()? * (2 + has_norm);
    let (place, key) = match part {
        "norm_scale" => (linear + 1, "weight"),
        "norm_shift" => (linear + 1, "bias"),
        "mean" => (linear + 1, "running_mean"),
        "variance" => (linear + 1, "running_var"),
        own => (linear, own),
    };
    Some(format!("layers.{place}.{key}"))
}

fn networks(architecture: &Architecture, classes: bool) -> Value {
    let law = architecture.prior.as_ref().map(|prior| {
        let mut law = law_of(prior.law);
        law["residual_scale"] = f64::from(prior.scale()).into();
        law
    });
    json!({
        "kind": "networks",
        "classes": classes,
        "d_input": architecture.d_input,
        "layers": architecture.layers(),
        "activation": architecture.network.activation,
        "normalisation": architecture.network.normalisation,
        "epsilon": f64::from(Normalisation::EPSILON),
        "skip": architecture.network.skip,
        "sequential": sequential(architecture),
        "law": law,
    })
}

fn law_of(law: Law) -> Value {
    let names: Vec<&str> = law.parameters().iter().map(|p| p.name).collect();
    let stress: Vec<&str> = law.stress().iter().map(|s| s.name).collect();
    json!({ "name": law.name(), "formula": formula(law), "parameters": names, "stress": stress })
}

/// Returns the Python of a network, with `nn` for `torch.nn`.
fn sequential(architecture: &Architecture) -> String {
    let layers = architecture.layers();
    let mut modules = Vec::new();
    for (idx, (d_in, d_out)) in layers.iter().enumerate() {
        modules.push(format!("nn.Linear({d_in}, {d_out})"));
        if idx + 1 == layers.len() {
            break;
        }
        match architecture.network.normalisation {
            Normalisation::None => {}
            Normalisation::Layer => modules.push(format!("nn.LayerNorm({d_out})")),
            Normalisation::Batch => modules.push(format!("nn.BatchNorm1d({d_out})")),
        }
        modules.push(activation(architecture.network.activation).into());
    }
    format!("nn.Sequential({})", modules.join(", "))
}

fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "nn.ReLU()",
        Activation::Tanh => "nn.Tanh()",
        Activation::Gelu => "nn.GELU('tanh')",
        Activation::Silu => "nn.SiLU()",
        Activation::Sigmoid => "nn.Sigmoid()",
        Activation::Softplus => "nn.Softplus()",
    }
}

fn library(source: ::safetensors::SafeTensorError) -> ExportError {
    ExportError::Library { format: Format::Safetensors, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use ::safetensors::SafeTensors;

    use super::*;
    use crate::export::tests::manifest;
    use crate::pipeline::sample;

    fn of(pipeline: &Pipeline) -> Vec<u8> {
        export(pipeline, &manifest(pipeline), &Options::default()).unwrap().files.remove(0).bytes
    }

    fn sample(name: &str) -> Pipeline {
        sample::all().into_iter().find(|(n, _)| n == name).unwrap().1
    }

    #[test]
    fn every_kind_but_trees_becomes_tensors_and_the_same_bytes_again() {
        for (name, pipeline) in sample::all() {
            if name.contains("trees") {
                let refused = export(&pipeline, &manifest(&pipeline), &Options::default()).unwrap_err();
                let expected = "safetensors cannot hold decision trees, which are no tensors: choose --format onnx, or json";
                assert!(refused.to_string().starts_with(expected), "{refused}");
            } else {
                assert_eq!(of(&pipeline), of(&pipeline), "{name}");
            }
        }
    }

    #[test]
    fn names_and_shapes_are_those_of_a_sequential() {
        let pipeline = sample("dense Gelu Batch");
        let bytes = of(&pipeline);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
        assert_eq!(shape("fold0.seed0.layers.0.weight"), [7, 5]);
        assert_eq!(shape("fold1.seed2.layers.3.bias"), [5]);
        assert_eq!(shape("fold0.seed0.layers.1.running_var"), [7]);
        assert_eq!(shape("fold0.seed0.layers.9.weight"), [1, 5]);
        assert_eq!(shape("fold1.scaler.sd"), [3]);
        assert_eq!(shape("fold1.label.sd"), [0; 0]);
        let Body::Networks { members, .. } = &pipeline.parts[0].body else { panic!() };
        let first = file.tensor("fold0.seed0.layers.0.weight").unwrap();
        let number = |idx: usize| f32::from_le_bytes(first.data()[4 * idx..][..4].try_into().unwrap());
        // [d_out, d_in] there, [d_in, d_out] here: from input 1 to unit 0, and from input 4 to unit 6.
        assert_eq!((number(1), number(34)), (members[0].weights[7], members[0].weights[34]));
    }

    #[test]
    fn the_metadata_says_how_it_is_computed() {
        let (_, header) = SafeTensors::read_metadata(&of(&sample("hybrid coulomb_balance"))).unwrap();
        let text = &header.metadata().as_ref().unwrap()["pipeline"];
        let value: Value = serde_json::from_str(text).unwrap();
        let body = &value["parts"][1]["body"];
        assert_eq!(value["parts"][1]["members"][0], "fold1.seed0");
        assert_eq!(
            body["sequential"],
            "nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1))"
        );
        assert!(body["law"]["formula"].as_str().unwrap().starts_with("eta * charge_throughput_relative + A"));
        assert_eq!(value["inputs"][0]["unit"], "V");
    }
}
