//! What an ONNX file says about itself: texts by name, lists as JSON.

use serde_json::json;

use super::proto::Entry;
use crate::pipeline::manifest::{Manifest, RowsOf};
use crate::pipeline::{Output, Pipeline};

/// Returns the facts of a file.
pub(super) fn entries(pipeline: &Pipeline, manifest: &Manifest, level: f64) -> Vec<Entry> {
    let mut facts = vec![
        ("name", pipeline.name.clone()),
        ("run", pipeline.run.clone()),
        ("model", pipeline.model.clone()),
        ("kind", manifest.kind.clone()),
        ("trained_by", format!("fadecast {}", manifest.fadecast)),
        ("exported_by", format!("fadecast {}", env!("CARGO_PKG_VERSION"))),
        ("created", manifest.created.clone()),
        ("dataset", manifest.dataset.clone()),
        ("data_sha256", manifest.data_sha256.clone()),
        ("parts", pipeline.parts.len().to_string()),
        ("inputs", json!(pipeline.inputs).to_string()),
        ("missing", "NaN".into()),
        ("answer", pipeline.output.name().into()),
        ("answer_unit", pipeline.output.unit().into()),
    ];
    if let Output::Tier { names } = &pipeline.output {
        facts.push(("tiers", json!(names).to_string()));
    }
    if let Output::Soh { reference_ah: Some(reference) } = &pipeline.output {
        facts.push(("reference_ah", reference.to_string()));
    }
    if let Some(interval) = &pipeline.interval {
        facts.push(("interval", json!(interval).to_string()));
        if let Some(idx) = interval.levels.iter().position(|l| (l - level).abs() < 1e-9) {
            facts.push(("level", level.to_string()));
            facts.extend(interval.coverage.get(idx).map(|share| ("coverage", share.to_string())));
        }
    }
    if let Some(sentence) = anchoring(manifest) {
        facts.push(("anchoring", sentence));
    }
    facts.into_iter().map(|(key, value)| Entry { key: Some(key.into()), value: Some(value) }).collect()
}

/// Returns the sentence about anchoring, for a run that anchors its forecasts.
pub(super) fn anchoring(manifest: &Manifest) -> Option<String> {
    match manifest.rows {
        RowsOf::Discharges { anchor, .. } if anchor > 0 => Some(format!(
            "answers are those before anchoring: take the median error on the cell's last {anchor} given discharges off yourself"
        )),
        _ => None,
    }
}
