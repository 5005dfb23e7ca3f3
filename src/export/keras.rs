//! Networks as Keras 3 loads them: the model as JSON, and its weights as `.weights.h5`.
//!
//! ```text
//! model = keras.models.model_from_json(open("model.json").read())
//! model.load_weights("model.weights.h5")
//! model.predict(rows)          # [row, input] in physical units, in the order of `fadecast.inputs` of the JSON
//! ```
//!
//! The model is made of Keras's own layers only, so that no code of ours is needed: each part scales its inputs, each
//! network follows, the label is scaled back, and the mean over networks is a sum of weighted labels. Linear and logistic
//! regression are networks without hidden layers. A missing input has no form in Keras.
//!
//! Keras files a layer's variables by its class and its place among the layers of that class in the order of the model:
//! by falling depth (the longest way to the output), then in the order of a walk from the output. `graph` repeats that.

mod graph;
mod network;

use serde_json::{Value, json};

use self::graph::Graph;
use self::network::{Network, Place};
use super::{ExportError, Exported, ExportedFile, Format, Options, member_names};
use crate::model::calibration::Calibration;
use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Body, Output, Part, Pipeline};

/// What is better at whatever Keras cannot say.
const INSTEAD: &str = "--format onnx";

/// Makes the weights of a Keras model and its JSON.
///
/// # Errors
/// [`ExportError::Unsupported`] for laws, trees and corrections that Keras has no layers for, [`ExportError::Member`],
/// [`ExportError::Library`].
pub fn export(pipeline: &Pipeline, manifest: &Manifest, options: &Options) -> Result<Exported, ExportError> {
    let chosen = chosen(pipeline, options.member.as_deref())?;
    let mut graph = Graph::new(pipeline.inputs.len());
    let mut labels = Vec::new();
    for (idx, members) in chosen.iter().enumerate().filter(|(_, members)| !members.is_empty()) {
        labels.extend(part(&mut graph, (pipeline, idx), members, chosen.iter().flatten().count())?);
    }
    answer(&mut graph, pipeline, &labels);
    let told = told(pipeline, manifest, options);
    let (model, weights) = (graph.model(&pipeline.name, &told), graph.weights());
    let weights = weights.map_err(|e| ExportError::Library { format: Format::Keras, source: Box::new(e) })?;
    let mut text = model.to_string().into_bytes();
    text.push(b'\n');
    let files = vec![
        ExportedFile { extension: "weights.h5", bytes: weights },
        ExportedFile { extension: "json", bytes: text },
    ];
    Ok(Exported { files, left_out: left_out(pipeline), notes: Vec::new() })
}

/// Returns the positions of each part's networks that count.
fn chosen(pipeline: &Pipeline, member: Option<&str>) -> Result<Vec<Vec<usize>>, ExportError> {
    let count = |part: &Part| if let Body::Networks { members, .. } = &part.body { members.len() } else { 1 };
    let Some(name) = member else {
        return Ok(pipeline.parts.iter().map(|part| (0..count(part)).collect()).collect());
    };
    let names = member_names(pipeline);
    let places = |names: &Vec<String>| (0..names.len()).filter(|&idx| names[idx] == name).collect();
    let chosen: Vec<Vec<usize>> = names.iter().map(places).collect();
    if chosen.iter().all(Vec::is_empty) {
        return Err(ExportError::Member { name: name.into(), known: names.concat() });
    }
    Ok(chosen)
}

/// Adds a part's networks and returns what each adds to the label; all that count weigh alike within their part.
fn part(
    graph: &mut Graph,
    (pipeline, idx): (&Pipeline, usize),
    members: &[usize],
    n_all: usize,
) -> Result<Vec<usize>, ExportError> {
    let part = &pipeline.parts[idx];
    let n_parts = if n_all == 1 { 1 } else { pipeline.parts.len() };
    let share = 1.0 / (n_parts * members.len()) as f64;
    let networks = network::of(part, members)?;
    let sharpness = sharpness(part, networks.len())?;
    let place = Place { name: format!("part{idx}_{}", letters(&part.fold)) };
    let scaled = place.scaled(graph, part, networks[0].architecture.d_input);
    let label = |(k, network): (&usize, &Network)| {
        let place = Place { name: format!("{}_network{k}", place.name) };
        let outputs = place.network(graph, scaled, network);
        if network.classes {
            place.share(graph, outputs, sharpness, share)
        } else {
            let (mean, sd) = part.label;
            graph.rescale(&format!("{}_label", place.name), outputs, share * sd, share * mean)
        }
    };
    Ok(members.iter().zip(&networks).map(label).collect())
}

/// Returns 1 / T of a part's correction, which only a single network can have in Keras.
fn sharpness(part: &Part, n_networks: usize) -> Result<Option<f64>, ExportError> {
    let refuse = |what: &str| {
        let what = what.into();
        Err(ExportError::Unsupported { format: Format::Keras, what, instead: INSTEAD })
    };
    match &part.calibration {
        None | Some(Calibration::None) => Ok(None),
        Some(Calibration::Temperature { temperature }) if n_networks == 1 => Ok(Some(1.0 / temperature)),
        Some(Calibration::Temperature { .. }) => {
            refuse("a temperature of the mean of several networks (one alone, --member, it can)")
        }
        Some(Calibration::Isotonic { .. }) => refuse("isotonic corrections of probabilities"),
    }
}

/// Adds the sum of what each network adds, in the unit of the answer.
fn answer(graph: &mut Graph, pipeline: &Pipeline, labels: &[usize]) {
    let name = pipeline.output.name();
    let is_log = matches!(pipeline.output, Output::Life { log: true });
    let sum = match labels {
        [one] if is_log => *one,
        [one] => graph.rescale(name, *one, 1.0, 0.0),
        _ => graph.merge("Add", if is_log { "label" } else { name }, labels),
    };
    if is_log {
        let natural = graph.rescale("label_ln", sum, std::f64::consts::LN_10, 0.0);
        graph.activate(name, natural, "exponential");
    }
}

/// Returns what Keras ignores and a reader needs.
fn told(pipeline: &Pipeline, manifest: &Manifest, options: &Options) -> Value {
    json!({
        "fadecast": manifest.fadecast,
        "run": pipeline.run,
        "how": "model.predict takes rows of all `inputs`, in this order and in their units, none missing.",
        "inputs": pipeline.inputs,
        "output": pipeline.output,
        "unit": pipeline.output.unit(),
        "member": options.member,
        "interval": pipeline.interval,
    })
}

fn left_out(pipeline: &Pipeline) -> Vec<String> {
    let interval = "the interval: its scores stand in the JSON, Keras computes the answer alone";
    let missing = "missing inputs: fill them in before, a NaN makes the answer NaN";
    let interval = pipeline.interval.as_ref().map(|_| interval.to_owned());
    interval.into_iter().chain([missing.to_owned()]).collect()
}

/// Returns a text of letters and digits only, as names of layers are.
fn letters(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::manifest;
    use crate::pipeline::sample;

    fn sample(name: &str) -> Pipeline {
        sample::all().into_iter().find(|(n, _)| n == name).unwrap().1
    }

    fn of(pipeline: &Pipeline, member: Option<&str>) -> Result<Exported, ExportError> {
        let options = Options { member: member.map(String::from), ..Options::default() };
        export(pipeline, &manifest(pipeline), &options)
    }

    fn model(exported: &Exported) -> Value {
        serde_json::from_slice(&exported.files[1].bytes).unwrap()
    }

    #[test]
    fn dense_linear_and_logistic_become_models_and_others_are_refused_with_advice() {
        for (name, pipeline) in sample::all() {
            let made = of(&pipeline, None);
            let is_chain =
                ["dense", "classes", "gaussian", "linear", "logistic"].iter().any(|n| name.starts_with(n));
            let Err(error) = made else {
                assert!(is_chain, "{name}");
                let again = of(&pipeline, None).unwrap();
                assert_eq!(made.unwrap(), again, "{name}");
                continue;
            };
            assert!(!is_chain && matches!(error, ExportError::Unsupported { .. }), "{name}: {error}");
            assert!(error.to_string().contains("--format onnx"), "{error}");
        }
    }

    #[test]
    fn one_network_is_chosen_by_name() {
        let pipeline = sample("dense Relu None");
        let layers = |value: &Value| value["config"]["layers"].as_array().unwrap().len();
        let (one, all) =
            (model(&of(&pipeline, Some("fold1/seed2")).unwrap()), model(&of(&pipeline, None).unwrap()));
        assert!(layers(&one) * 4 < layers(&all), "{} {}", layers(&one), layers(&all));
        let error = of(&pipeline, Some("fold9/seed0")).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no network `fold9/seed0`: choose one of fold0/seed0, fold0/seed1"),
            "{error}"
        );
    }

    #[test]
    fn a_temperature_of_one_network_is_kept_and_of_several_refused() {
        let pipeline = sample("temperature");
        let error = of(&pipeline, None).unwrap_err().to_string();
        assert!(error.contains("--member"), "{error}");
        let one = model(&of(&pipeline, Some("fold0/seed0")).unwrap()).to_string();
        assert!(one.contains("log_softmax"), "{one}");
    }
}
