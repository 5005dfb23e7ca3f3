//! Files of the sample pipelines for other programs, with rows and our answers: `tests/round_trip` reads them.

use std::path::Path;

use serde_json::json;

use super::tests::manifest;
use super::{Format, Options, export};
use crate::file;
use crate::pipeline::{Pipeline, sample};

/// Leaves what each format makes of a pipeline in the folder `FADECAST_EXPORTS`, where that is set.
pub(super) fn leave(name: &str, pipeline: &Pipeline, member: Option<&str>) {
    let Some(folder) = std::env::var_os("FADECAST_EXPORTS") else { return };
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let folder = Path::new(&folder).join(name);
    file::create_folder(&folder).unwrap();
    let mut one = pipeline.clone();
    if member.is_some() {
        one.parts.truncate(1);
        let crate::pipeline::Body::Networks { members, .. } = &mut one.parts[0].body else { panic!() };
        members.truncate(1);
    }
    let answers = |pipeline: &Pipeline, gaps: bool| {
        let rows = sample::rows(pipeline, 50, gaps);
        let label = |row: &Vec<f64>| {
            pipeline.reference(row).into_iter().map(|v| pipeline.output.physical(v)).collect()
        };
        let labels: Vec<Vec<f64>> = rows.iter().map(label).collect();
        let known = |v: &f64| v.is_finite().then_some(*v);
        let rows: Vec<Vec<Option<f64>>> = rows.iter().map(|row| row.iter().map(known).collect()).collect();
        json!({ "rows": rows, "answers": labels })
    };
    let told = json!({ "gaps": answers(pipeline, true), "complete": answers(&one, false) });
    file::write_json(&folder.join("answers.json"), &told).unwrap();
    for format in [Format::Json, Format::Safetensors, Format::Keras] {
        let options = Options { member: member.map(String::from), ..Options::default() };
        let Ok(exported) = export(pipeline, &manifest(pipeline), format, &options) else { continue };
        for made in exported.files {
            let path = folder.join(format!("{format}.{}", made.extension));
            file::write_atomic(&path, &made.bytes).unwrap();
        }
    }
}
