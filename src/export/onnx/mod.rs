//! ONNX: a whole pipeline in one graph, from numbers in physical units to answers with their interval.
//!
//! ```text
//! soh = model(charge_throughput_relative, history_rest_duration, ...)      each float [batch, 1], NaN where missing
//! ```
//!
//! Imputation, scaling, laws, residuals, trees, calibration, the mean over all parts and the interval at one level are nodes
//! of opset 13 (2020), and of `ai.onnx.ml` 1 for trees; parts and members of one kind are computed side by side. Units,
//! ranges and origin are in the metadata. Our own writer; the format's specification is public.

mod calibration;
mod ensemble;
mod graph;
mod interval;
mod lanes;
mod law;
mod metadata;
mod network;
mod operator;
mod proto;
mod scaling;
#[cfg(test)]
mod tests;
mod trees;

use prost::Message;

use super::{ExportError, Exported, ExportedFile, Options};
use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Output, Pipeline};
use graph::Graph;
use proto::{Model, Opset};
use scaling::Rows;

/// Makes an ONNX file of a pipeline.
///
/// # Errors
/// [`ExportError::SameName`], and [`ExportError::Library`] for trees that plain nodes cannot hold.
pub fn export(pipeline: &Pipeline, manifest: &Manifest, options: &Options) -> Result<Exported, ExportError> {
    let mut graph = Graph::default();
    graph.enter("input");
    let rows = Rows::new(&mut graph, pipeline, options.packed);
    let label = ensemble::label(&mut graph, &rows, pipeline)?;
    interval::answer(&mut graph, &label, pipeline, options.level);
    check_names(graph.names())?;
    let model = model(graph, (pipeline, manifest), options);
    let nodes = model.graph.as_ref().map_or(0, |graph| graph.node.len());
    Ok(Exported {
        files: vec![ExportedFile { extension: "onnx", bytes: model.encode_to_vec() }],
        left_out: left_out(pipeline, manifest),
        notes: vec![format!("{nodes} nodes of opset {}", operator::OPSET)],
    })
}

fn model(graph: Graph, (pipeline, manifest): (&Pipeline, &Manifest), options: &Options) -> Model {
    let doc = format!(
        "{} [{}] by a {} model of fadecast, experiment {}, run {}.",
        pipeline.output.name(),
        pipeline.output.unit(),
        pipeline.model,
        pipeline.name,
        pipeline.run
    );
    let graph = graph.finish(&options.name, &doc);
    let has_trees = graph.node.iter().any(|node| node.domain.is_some());
    let opset = |domain: &str, version| Opset { domain: Some(domain.into()), version: Some(version) };
    let mut opsets = vec![opset("", operator::OPSET)];
    opsets.extend(has_trees.then(|| opset(graph::ML, trees::ML_OPSET)));
    Model {
        ir_version: Some(proto::IR_VERSION),
        producer_name: Some("fadecast".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(doc),
        graph: Some(graph),
        opset_import: opsets,
        metadata_props: metadata::entries(pipeline, manifest, options.level),
    }
}

fn check_names(mut names: Vec<String>) -> Result<(), ExportError> {
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ExportError::SameName { name: pair[0].clone() }),
        None => Ok(()),
    }
}

fn left_out(pipeline: &Pipeline, manifest: &Manifest) -> Vec<String> {
    let mut sentences = vec![
        "the inputs are numbers of a row: how raw cells become rows is not in the graph".to_string(),
        "no warnings: the trained range of each input is in the metadata".into(),
    ];
    match (&pipeline.interval, &pipeline.output) {
        (None, _) => sentences.push("no interval: the run has none".into()),
        (Some(_), Output::Tier { .. }) => {
            sentences.push("one level of the set of tiers; the others' scores are in the metadata".into());
        }
        (Some(_), _) => {
            sentences.push("one level of the interval; the others' scores are in the metadata".into());
        }
    }
    sentences.extend(metadata::anchoring(manifest));
    sentences
}
