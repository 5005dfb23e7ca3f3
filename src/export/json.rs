//! A whole pipeline as one JSON document, which says how it is computed and leaves nothing out.
//!
//! ```text
//! { format, schema, how: [...], name, run, model, inputs: [{ name, unit, range, ... }], output: { name, unit, ... },
//!   interval: { levels, scores, ... } | null,
//!   parts: [{ fold, repetition, columns, scaler: { median, mean, sd }, stress, stress_median, label: { mean, sd },
//!             body: { kind: law | linear | logistic | networks | trees, ... }, calibration: { kind, ... } | null }] }
//! ```
//!
//! `how` says in sentences what a reader does with that. Numbers are written so that a reader of doubles gets those of
//! the model exactly; weights are 32-bit numbers, so they look long. A law is a formula with named parameters, trees are
//! `XGBoost`'s own JSON. `tests/round_trip/json.py` is a reader of 60 lines.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::formula::formula;
use super::{ExportError, Exported, ExportedFile, Format, Options};
use crate::model::trees::{TreeModel, Trees};
use crate::model::{Architecture, Normalisation, PriorStart, Slice};
use crate::physics::Law;
use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Body, Member, Part, Pipeline};

/// Version of the document's form.
pub const SCHEMA: u32 = 1;

/// What a reader does with the document.
pub const HOW: [&str; 11] = [
    "A row has one number for each of `inputs`, in its unit; a missing one is NaN.",
    "Each of `parts` makes a label of a row; the answer's label is the mean over the parts. For tiers a label is the list of all probabilities.",
    "x: the row's numbers at `columns`, a missing one replaced by `scaler.median`, then (x - scaler.mean) / scaler.sd. s: the row's numbers at `stress`, a missing one replaced by `stress_median`.",
    "A law's `formula` gives a number in label units from its `parameters` and the stress s by name; log is the natural logarithm.",
    "body `law`: the law. body `linear`: label.mean + label.sd * (intercept + weights . x). body `logistic`: softmax of coefficients . x + intercepts; a single logit is that of the second tier, the first one's is 0.",
    "body `networks`: the mean over `members` of what each gives. x is filled up with zeros to `d_input`. A layer computes sums = x . weight + bias ([d_in][d_out]); every layer but the last one then normalises, activates and, where `skip` and d_in = d_out, adds its own x.",
    "normalisation `layer`: (sums - mean) / sqrt(variance + epsilon) * norm_scale + norm_shift over the row's own sums (divisor n); `batch`: the same with the layer's `mean` and `variance`.",
    "activations: relu; tanh; gelu = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))); silu = x sigmoid(x); sigmoid; softplus = ln(1 + exp(x)).",
    "The first output o of the last layer makes the label: label.mean + label.sd * o; with `law` the law with the member's `parameters`, plus label.sd * residual_scale * o; with `classes` the softmax of all outputs.",
    "body `trees`: the mean over `trees` (XGBoost JSON, inputs x unscaled as 32-bit numbers with NaN where missing) of their margin, for tiers of the softmax of the margins; with `law` that is added.",
    "calibration of a part's probabilities p: `temperature`: softmax(log(max(p, 2.220446049250313e-16)) / temperature); `isotonic`: each class's piecewise linear function (constant beyond its ends), clipped to floor .. 1 - floor, then divided by the sum. A life with `log` is 10^label. The interval is label +- its score, or all tiers with 1 - p <= score.",
];

/// Makes one JSON file.
///
/// # Errors
/// [`ExportError::Library`] where trees cannot be stored.
pub fn export(pipeline: &Pipeline, manifest: &Manifest, _: &Options) -> Result<Exported, ExportError> {
    let mut bytes = serde_json::to_vec(&document(pipeline, manifest)?).map_err(library)?;
    bytes.push(b'\n');
    let files = vec![ExportedFile { extension: "json", bytes }];
    Ok(Exported { files, left_out: Vec::new(), notes: Vec::new() })
}

/// Returns the document.
///
/// # Errors
/// [`ExportError::Library`] where trees cannot be stored.
pub fn document(pipeline: &Pipeline, manifest: &Manifest) -> Result<Value, ExportError> {
    let mut output = serde_json::to_value(&pipeline.output).map_err(library)?;
    output["name"] = pipeline.output.name().into();
    output["unit"] = pipeline.output.unit().into();
    let parts = pipeline.parts.iter().map(|part| part_of(pipeline, part)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "format": "fadecast pipeline",
        "schema": SCHEMA,
        "fadecast": manifest.fadecast,
        "how": HOW,
        "name": pipeline.name,
        "run": pipeline.run,
        "model": pipeline.model,
        "dataset": manifest.dataset,
        "data_sha256": manifest.data_sha256,
        "inputs": pipeline.inputs,
        "output": output,
        "interval": pipeline.interval,
        "parts": parts,
    }))
}

fn part_of(pipeline: &Pipeline, part: &Part) -> Result<Value, ExportError> {
    let names = |columns: &[usize]| -> Vec<&str> {
        columns.iter().map(|&c| pipeline.inputs[c].name.as_str()).collect()
    };
    Ok(json!({
        "fold": part.fold,
        "repetition": part.repetition,
        "columns": part.columns,
        "column_names": names(&part.columns),
        "scaler": part.scaler,
        "stress": part.stress,
        "stress_names": names(&part.stress),
        "stress_median": part.stress_median,
        "label": { "mean": part.label.0, "sd": part.label.1 },
        "body": body(&part.body)?,
        "calibration": part.calibration,
    }))
}

fn body(body: &Body) -> Result<Value, ExportError> {
    Ok(match body {
        Body::Law { law, theta } => json!({ "kind": "law", "law": fitted(*law, theta) }),
        Body::Linear { weights } => {
            json!({ "kind": "linear", "intercept": weights[0], "weights": weights[1..] })
        }
        Body::Logistic(logistic) => {
            let (coefficients, intercepts) = (&logistic.coefficients, &logistic.intercepts);
            json!({ "kind": "logistic", "coefficients": coefficients, "intercepts": intercepts })
        }
        Body::Networks { architecture, classes, start, members } => {
            networks((architecture, *classes), start.as_ref(), members)
        }
        Body::Trees { law, trees } => {
            let stored = |trees: &Trees| -> Result<Value, ExportError> {
                serde_json::from_str(&trees.to_json().map_err(library)?).map_err(library)
            };
            let law = law.as_ref().map(|(law, theta)| fitted(*law, theta));
            json!({ "kind": "trees", "law": law, "trees": trees.iter().map(stored).collect::<Result<Vec<_>, _>>()? })
        }
    })
}

fn networks(
    (architecture, classes): (&Architecture, bool),
    start: Option<&PriorStart>,
    members: &[Member],
) -> Value {
    let network = &architecture.network;
    let prior = architecture.prior.as_ref().zip(start);
    let of = |member: &Member| {
        let parameters = prior.map(|(p, start)| named(p.law, &architecture.theta(&member.weights, start)));
        json!({ "layers": layers(architecture, member), "parameters": parameters })
    };
    let law = prior.map(|(prior, _)| {
        json!({
            "name": prior.law.name(),
            "formula": formula(prior.law),
            "residual_scale": f64::from(prior.scale()),
        })
    });
    json!({
        "kind": "networks",
        "d_input": architecture.d_input,
        "classes": classes,
        "activation": network.activation,
        "normalisation": network.normalisation,
        "epsilon": f64::from(Normalisation::EPSILON),
        "skip": network.skip,
        "law": law,
        "members": members.iter().map(of).collect::<Vec<_>>(),
    })
}

/// Returns the numbers of each layer by name (`weight`, `mean`).
fn layers(architecture: &Architecture, member: &Member) -> Vec<Value> {
    let mut layers = vec![Map::new(); architecture.layers().len()];
    let weights = architecture.slices().into_iter().map(|slice| (slice, &member.weights));
    let statistics = architecture.statistics().into_iter().map(|slice| (slice, &member.statistics));
    for (slice, numbers) in weights.chain(statistics) {
        let place = slice.name.strip_prefix("layer").and_then(|rest| rest.split_once('.'));
        if let Some((idx, name)) = place.and_then(|(idx, name)| Some((idx.parse::<usize>().ok()?, name))) {
            layers[idx].insert(name.into(), tensor(&slice, numbers));
        }
    }
    layers.into_iter().map(Value::Object).collect()
}

/// Returns numbers in rows where they have two axes; 32-bit numbers become the doubles that they are.
fn tensor(slice: &Slice, numbers: &[f32]) -> Value {
    let numbers: Vec<f64> = numbers[slice.range()].iter().map(|&v| f64::from(v)).collect();
    match slice.shape[..] {
        [_, d_out] => numbers.chunks(d_out).collect::<Vec<_>>().into_iter().map(Value::from).collect(),
        _ => numbers.into(),
    }
}

/// Returns a law with its parameters.
fn fitted(law: Law, theta: &[f64]) -> Value {
    json!({ "name": law.name(), "formula": formula(law), "parameters": named(law, theta) })
}

fn named(law: Law, theta: &[f64]) -> BTreeMap<&'static str, f64> {
    law.parameters().iter().map(|p| p.name).zip(theta.iter().copied()).collect()
}

fn library(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ExportError {
    ExportError::Library { format: Format::Json, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::formula::tests::evaluate;
    use crate::export::tests::manifest;
    use crate::model::calibration::Calibration;
    use crate::model::softmax::softmax;
    use crate::pipeline::sample;

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn at(row: &[f64], columns: &Value, medians: &Value) -> Vec<f64> {
        let values = numbers(columns).into_iter().map(|c| row[c as usize]);
        values.zip(numbers(medians)).map(|(v, median)| if v.is_nan() { median } else { v }).collect()
    }

    fn mean(lists: &[Vec<f64>]) -> Vec<f64> {
        (0..lists[0].len()).map(|i| lists.iter().map(|l| l[i]).sum::<f64>() / lists.len() as f64).collect()
    }

    /// Computes a law of the document.
    fn law(law: &Value, parameters: &Value, part: &Value, row: &[f64]) -> f64 {
        let stress = at(row, &part["stress"], &part["stress_median"]).into_iter();
        let names = part["stress_names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned());
        let parameters = parameters.as_object().unwrap().iter();
        let parameters = parameters.map(|(name, value)| (name.clone(), value.as_f64().unwrap()));
        evaluate(law["formula"].as_str().unwrap(), &parameters.chain(names.zip(stress)).collect())
    }

    fn forward(body: &Value, member: &Value, mut x: Vec<f64>) -> Vec<f64> {
        let layers = member["layers"].as_array().unwrap();
        for (idx, layer) in layers.iter().enumerate() {
            let mut sums = numbers(&layer["bias"]);
            for (x, weights) in x.iter().zip(layer["weight"].as_array().unwrap()) {
                sums.iter_mut().zip(numbers(weights)).for_each(|(sum, w)| *sum += x * w);
            }
            if idx + 1 == layers.len() {
                return sums;
            }
            if body["normalisation"] != "none" {
                let n = sums.len() as f64;
                let own = sums.iter().sum::<f64>() / n;
                let spread = sums.iter().map(|s| (s - own).powi(2)).sum::<f64>() / n;
                let is_batch = body["normalisation"] == "batch";
                let of = |name: &str, own: f64| {
                    if is_batch { numbers(&layer[name]) } else { vec![own; sums.len()] }
                };
                let (mean, variance) = (of("mean", own), of("variance", spread));
                let (scale, shift) = (numbers(&layer["norm_scale"]), numbers(&layer["norm_shift"]));
                for (j, sum) in sums.iter_mut().enumerate() {
                    let sd = (variance[j] + body["epsilon"].as_f64().unwrap()).sqrt();
                    *sum = (*sum - mean[j]) / sd * scale[j] + shift[j];
                }
            }
            let add = body["skip"] == true && sums.len() == x.len();
            let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
            let active = sums.iter().map(|&s| match body["activation"].as_str().unwrap() {
                "relu" => s.max(0.0),
                "tanh" => s.tanh(),
                "gelu" => {
                    s * sigmoid(2.0 * (2.0 / std::f64::consts::PI).sqrt() * (s + 0.044_715 * s.powi(3)))
                }
                "silu" => s * sigmoid(s),
                "sigmoid" => sigmoid(s),
                _ => s.exp().ln_1p(),
            });
            x = active.enumerate().map(|(j, h)| if add { h + x[j] } else { h }).collect();
        }
        x
    }

    /// Computes a part as the document says, and with nothing but the document.
    fn label(part: &Value, row: &[f64]) -> Vec<f64> {
        let body = &part["body"];
        let (scaler, own) = (&part["scaler"], &body["law"]);
        let (center, spread) = (numbers(&scaler["mean"]), numbers(&scaler["sd"]));
        let x = at(row, &part["columns"], &scaler["median"]).into_iter().zip(center).zip(spread);
        let x: Vec<f64> = x.map(|((v, mean), sd)| (v - mean) / sd).collect();
        let unscale =
            |o: f64| part["label"]["mean"].as_f64().unwrap() + part["label"]["sd"].as_f64().unwrap() * o;
        let dot = |weights: &Value| numbers(weights).iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
        let label = match body["kind"].as_str().unwrap() {
            "law" => vec![law(own, &own["parameters"], part, row)],
            "linear" => vec![unscale(body["intercept"].as_f64().unwrap() + dot(&body["weights"]))],
            "logistic" => {
                let rows = body["coefficients"].as_array().unwrap().iter().zip(numbers(&body["intercepts"]));
                let mut logits: Vec<f64> =
                    rows.map(|(weights, intercept)| dot(weights) + intercept).collect();
                if logits.len() == 1 {
                    logits.insert(0, 0.0);
                }
                softmax(&logits)
            }
            "networks" => {
                let one = |member: &Value| {
                    let mut x = x.clone();
                    x.resize(body["d_input"].as_u64().unwrap() as usize, 0.0);
                    let outputs = forward(body, member, x);
                    match (body["classes"] == true, own.is_null()) {
                        (true, _) => softmax(&outputs),
                        (_, true) => vec![unscale(outputs[0])],
                        _ => {
                            let scale = own["residual_scale"].as_f64().unwrap()
                                * part["label"]["sd"].as_f64().unwrap();
                            vec![law(own, &member["parameters"], part, row) + scale * outputs[0]]
                        }
                    }
                };
                mean(&body["members"].as_array().unwrap().iter().map(one).collect::<Vec<_>>())
            }
            _ => {
                let x: Vec<f64> = numbers(&part["columns"]).into_iter().map(|c| row[c as usize]).collect();
                let one = |trees: &Value| {
                    Trees::from_json(&trees.to_string())
                        .unwrap()
                        .predict(std::slice::from_ref(&x))
                        .unwrap()
                        .concat()
                };
                let mut label = mean(&body["trees"].as_array().unwrap().iter().map(one).collect::<Vec<_>>());
                if !own.is_null() {
                    label[0] += law(own, &own["parameters"], part, row);
                }
                label
            }
        };
        match serde_json::from_value::<Option<Calibration>>(part["calibration"].clone()).unwrap() {
            Some(calibration) => calibration.apply(&label),
            None => label,
        }
    }

    #[test]
    fn the_document_alone_answers_for_every_kind_of_model() {
        for (name, pipeline) in sample::all() {
            let text = export(&pipeline, &manifest(&pipeline), &Options::default()).unwrap().files.remove(0);
            let document: Value = serde_json::from_slice(&text.bytes).unwrap();
            for row in sample::rows(&pipeline, 12, true) {
                let parts = document["parts"].as_array().unwrap();
                let found = mean(&parts.iter().map(|part| label(part, &row)).collect::<Vec<_>>());
                let expected = pipeline.reference(&row);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-9, "{name}: {found} is not {expected}");
                }
            }
        }
    }

    #[test]
    fn a_reader_finds_inputs_units_and_what_to_do() {
        let (_, pipeline) = sample::all().swap_remove(0);
        let document = document(&pipeline, &manifest(&pipeline)).unwrap();
        assert_eq!(document["schema"], SCHEMA);
        assert_eq!(document["inputs"][0]["unit"], "V");
        assert_eq!(document["output"]["name"], "soh");
        assert_eq!(document["output"]["reference_ah"], 2.0);
        assert_eq!(document["interval"]["levels"][2], 0.9);
        assert_eq!(document["how"].as_array().unwrap().len(), HOW.len());
    }
}
