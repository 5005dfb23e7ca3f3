//! Files of sample pipelines and of runs for other programs, with rows and our answers: `tests/round_trip` reads them.

use std::path::Path;

use serde_json::{Value, json};

use super::tests::manifest;
use super::{Format, Options, export};
use crate::experiment::folder::RunFolder;
use crate::experiment::task::Task;
use crate::file;
use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Body, Pipeline, sample};
use crate::registry;

/// Leaves what each format makes of every sample, and of the runs of `FADECAST_EXPORT_RUNS` (`:` between folders), in the
/// folder `FADECAST_EXPORTS`, where that is set.
#[test]
fn files_are_left_for_other_programs() {
    let Some(folder) = std::env::var_os("FADECAST_EXPORTS") else { return };
    let folder = Path::new(&folder);
    for (name, pipeline) in sample::all() {
        // Keras computes this correction for one network alone.
        let member = (name == "temperature").then_some("fold0/seed0");
        let rows = sample::rows(&pipeline, 50, true);
        let folder = folder.join(plain(&name));
        leave(&folder, (&pipeline, &manifest(&pipeline)), &rows, member);
    }
    let runs = std::env::var("FADECAST_EXPORT_RUNS").unwrap_or_default();
    for run in runs.split(':').filter(|run| !run.is_empty()) {
        let run = Path::new(run);
        let root = run.ancestors().nth(3).unwrap();
        let loaded = registry::load(root, run).unwrap();
        let mut rows = sample::rows(&loaded.pipeline, 500, true);
        rows.extend(real_rows(root, run, &loaded.pipeline));
        let name = format!("run-{}", plain(&loaded.pipeline.model));
        leave(&folder.join(name), (&loaded.pipeline, &loaded.manifest), &rows, None);
    }
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Returns the rows of the data that a run was judged on.
fn real_rows(root: &Path, run: &Path, pipeline: &Pipeline) -> Vec<Vec<f64>> {
    let (folder, _) = RunFolder::open(root, run).unwrap();
    let frame = Task::load(&folder.config().unwrap(), root).unwrap().frame;
    let all = || frame.inputs.iter().chain(&frame.stress);
    let column = |name: &String| &all().find(|column| column.name == *name).unwrap().values;
    let columns: Vec<&Vec<f64>> = pipeline.inputs.iter().map(|input| column(&input.name)).collect();
    (0..frame.rows.len()).map(|idx| columns.iter().map(|values| values[idx]).collect()).collect()
}

fn leave(
    folder: &Path,
    (pipeline, manifest): (&Pipeline, &Manifest),
    rows: &[Vec<f64>],
    member: Option<&str>,
) {
    file::create_folder(folder).unwrap();
    let mut one = pipeline.clone();
    if member.is_some() {
        one.parts.truncate(1);
        let Body::Networks { members, .. } = &mut one.parts[0].body else { panic!("no networks") };
        members.truncate(1);
    }
    let complete: Vec<Vec<f64>> = rows.iter().map(|row| filled(pipeline, row)).collect();
    let told = json!({ "gaps": answers(pipeline, rows), "complete": answers(&one, &complete) });
    file::write_json(&folder.join("answers.json"), &told).unwrap();
    for format in [Format::Json, Format::Safetensors, Format::Keras] {
        let options = Options { member: member.map(String::from), ..Options::default() };
        let Ok(exported) = export(pipeline, manifest, format, &options) else { continue };
        for made in exported.files {
            let path = folder.join(format!("{format}.{}", made.extension));
            file::write_atomic(&path, &made.bytes).unwrap();
        }
    }
}

/// Returns a row with the middle of each input's range where it is missing.
fn filled(pipeline: &Pipeline, row: &[f64]) -> Vec<f64> {
    let value = |(value, input): (&f64, &crate::pipeline::Input)| {
        if value.is_finite() { *value } else { 0.5 * (input.range[0] + input.range[1]) }
    };
    row.iter().zip(&pipeline.inputs).map(value).collect()
}

fn answers(pipeline: &Pipeline, rows: &[Vec<f64>]) -> Value {
    let label = |row: &Vec<f64>| -> Vec<f64> {
        pipeline.reference(row).into_iter().map(|v| pipeline.output.physical(v)).collect()
    };
    let known = |v: &f64| v.is_finite().then_some(*v);
    let answers: Vec<Vec<f64>> = rows.iter().map(label).collect();
    let rows: Vec<Vec<Option<f64>>> = rows.iter().map(|row| row.iter().map(known).collect()).collect();
    json!({ "rows": rows, "answers": answers })
}
