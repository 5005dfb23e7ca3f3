//! Answers through the program: the same from every form of a table, raw cells as in training, refusals that help.

use std::path::{Path, PathBuf};

use fadecast::dataset::rows::{self, Format, RowBatch, Writer};
use fadecast::experiment::cells::CellSource;
use fadecast::pipeline::Pipeline;
use fadecast::prepare::{Frame, FrameConfig, Reference};
use fadecast::registry;
use serde_json::Value;

use crate::program::{Done, Program};

const SMALL: &str = "cells = ['SIM-NMC-01', 'SIM-NMC-02', 'SIM-NMC-03']
    [inputs]
    descriptors = ['charge_throughput', 'charge_cc_duration', 'history_discharge_count']
    [model]
    kind = 'linear'
    ";

/// A program with a trained run, and what the run computes.
fn trained() -> (Program, Pipeline) {
    let program = Program::new();
    std::fs::write(program.root().join("small.toml"), SMALL).unwrap();
    let file = program.root().join("small.toml");
    let done = program.run(&["train", file.to_str().unwrap(), "--quiet"]);
    assert_eq!(done.code, 0, "{done:?}");
    let loaded = registry::load(program.root(), Path::new("small")).unwrap();
    (program, loaded.pipeline)
}

/// Rows of the training cells, as the experiment made them.
fn frame(pipeline: &Pipeline) -> Frame {
    let names = ["SIM-NMC-01", "SIM-NMC-02", "SIM-NMC-03"].map(String::from);
    let source = CellSource::open(Path::new("."), "embedded", &names).unwrap();
    let cells: Vec<_> = (0..source.len()).map(|position| source.cell(position, &[]).unwrap()).collect();
    let inputs: Vec<String> = pipeline.inputs.iter().map(|i| i.name.clone()).collect();
    let frame = FrameConfig { inputs: &inputs, stress: &[], reference: Reference::Nominal, given: 0 };
    Frame::new(&cells, &frame).unwrap()
}

fn table(frame: &Frame) -> RowBatch {
    let cells = frame.rows.iter().map(|r| frame.cells[r.cell_idx].id.to_string()).collect();
    let mut numbers: Vec<(String, Vec<f64>)> =
        frame.inputs.iter().map(|c| (c.name.clone(), c.values.clone())).collect();
    numbers.push(("cycle_count".into(), frame.rows.iter().map(|r| f64::from(r.cycle)).collect()));
    RowBatch { n_rows: frame.rows.len(), numbers, texts: vec![("cell".into(), cells)] }
}

fn expected(pipeline: &Pipeline, frame: &Frame) -> Vec<f64> {
    let row = |row: usize| frame.inputs.iter().map(|c| c.values[row]).collect::<Vec<f64>>();
    (0..frame.rows.len()).map(|r| pipeline.reference(&row(r))[0]).collect()
}

fn written(program: &Program, name: &str) -> RowBatch {
    let mut batches = rows::read(&program.root().join(name)).unwrap().map(Result::unwrap);
    let mut whole = batches.next().unwrap();
    for batch in batches {
        whole.append(batch);
    }
    whole
}

fn predict(program: &Program, input: &Path, more: &[&str]) -> Done {
    program.run(&[&["predict", "small", input.to_str().unwrap(), "--quiet"], more].concat())
}

#[test]
fn a_dataset_is_answered_from_the_rows_that_training_made() {
    let (program, pipeline) = trained();
    let frame = frame(&pipeline);
    let out = program.root().join("out.parquet");
    let cells = ["--cells", "SIM-NMC-01,SIM-NMC-02,SIM-NMC-03"];
    let summary = program
        .json(&[&["predict", "small", "embedded", "--out", out.to_str().unwrap()][..], &cells].concat());
    assert_eq!(summary["rows"], frame.rows.len());
    assert_eq!((summary["synthetic"].clone(), summary["level"].clone()), (true.into(), 0.9.into()));
    let table = written(&program, "out.parquet");
    for (found, expected) in table.number("soh").unwrap().iter().zip(expected(&pipeline, &frame)) {
        assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{found} is not {expected}");
    }
    let measured = table.number("measured_discharging_capacity_ah").unwrap();
    assert!(
        frame
            .rows
            .iter()
            .zip(measured)
            .all(|(row, m)| row.truth.to_bits() == m.to_bits() || row.truth.is_nan())
    );
    let inside = |row: usize| {
        let at = |name: &str| table.number(name).unwrap()[row];
        at("soh_lower") <= at("soh") && at("soh") <= at("soh_upper")
    };
    assert!((0..table.n_rows).all(inside));
    let lines = program.run(&[&["predict", "small", "embedded", "--json", "--quiet"][..], &cells].concat());
    let lines: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), table.n_rows);
    let of_line = lines[3]["soh"].as_f64().unwrap();
    assert_eq!(of_line.to_bits(), table.number("soh").unwrap()[3].to_bits());
    let shown = program.run(&[&["predict", "small", "embedded", "--quiet"][..], &cells].concat());
    for part in ["discharging_capacity_ah", "rows more", "synthetic", "intervals of 90 %"] {
        assert!(shown.out.contains(part), "no `{part}` in {}", shown.out);
    }
}

/// Writes the table of the training rows in every form.
fn forms(program: &Program, table: &RowBatch) -> Vec<PathBuf> {
    let path = |name: &str| program.root().join(name);
    for name in ["t.csv", "t.parquet"] {
        let mut writer = Writer::create(&path(name), &[]).unwrap();
        writer.write(table).unwrap();
        writer.finish().unwrap();
    }
    for (name, format) in [("t.arrow", Format::ArrowFile), ("t.arrows", Format::ArrowStream)] {
        std::fs::write(path(name), rows::encode(table, format, &[]).unwrap()).unwrap();
    }
    ["t.csv", "t.parquet", "t.arrow", "t.arrows"].map(path).to_vec()
}

#[test]
fn every_form_of_a_table_gives_the_same_answers() {
    let (program, pipeline) = trained();
    let frame = frame(&pipeline);
    let mut first: Option<Vec<u8>> = None;
    for form in forms(&program, &table(&frame)) {
        let out = program.root().join("out.csv");
        let done = predict(&program, &form, &["--out", out.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{done:?}");
        let bytes = std::fs::read(&out).unwrap();
        assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "{}", form.display());
    }
    let soh = written(&program, "out.csv");
    for (found, expected) in soh.number("soh").unwrap().iter().zip(expected(&pipeline, &frame)) {
        assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{found} is not {expected}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_and_nothing_is_written() {
    let (program, pipeline) = trained();
    let whole = table(&frame(&pipeline));
    let forms = forms(&program, &whole);
    let path = |name: &str| program.root().join(name);
    let parquet = std::fs::read(&forms[1]).unwrap();
    std::fs::write(path("cut.parquet"), &parquet[..parquet.len() / 2]).unwrap();
    std::fs::write(path("empty.csv"), b"").unwrap();
    std::fs::write(path("noise.bin"), [0, 1, 2, 3].repeat(100)).unwrap();
    let head = "charge_throughput,charge_cc_duration,history_discharge_count\n";
    std::fs::write(path("text.csv"), format!("{head}1.9,high,3\n")).unwrap();
    std::fs::write(path("unit.csv"), format!("{}1900,9,3\n", head.replace("throughput", "throughput [V]")))
        .unwrap();
    std::fs::write(path("typo.csv"), format!("{}1.9,9,3\n", head.replace("cc_duration", "cc_duraton")))
        .unwrap();
    for (input, said) in [
        ("cut.parquet", "cut off"),
        ("empty.csv", "empty.csv` is empty"),
        ("noise.bin", "no reader takes"),
        ("text.csv", "holds text (row 1: `high`)"),
        ("unit.csv", "does not become Ah; give it in Ah, mAh, C"),
        ("typo.csv", "did you mean `charge_cc_duraton`?"),
        ("nosuch", "no file and no dataset"),
    ] {
        let out = path("never.csv");
        let input = if input == "nosuch" { PathBuf::from(input) } else { path(input) };
        let done = predict(&program, &input, &["--out", out.to_str().unwrap()]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.contains(said), "no `{said}` in {}", done.err);
        let left = program.files().into_iter().filter(|p| p.to_string_lossy().contains("never")).count();
        assert_eq!(left, 0, "nothing half is left");
    }
    for (more, code, said) in [
        (["--level", "0.99"], 2, "0.5, 0.8, 0.9, 0.95"),
        (["--out", "x.xlsx"], 2, ".parquet"),
        (["--format", "nonsense"], 2, "nasa"),
    ] {
        let done = predict(&program, &forms[0], &more);
        assert!(done.code == code && done.err.contains(said), "{done:?}");
    }
    let unknown = program.run(&["predict", "nosuch", "embedded"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
}

#[test]
fn gaps_units_and_strangers_are_said() {
    let (program, pipeline) = trained();
    let text = "cell,charge_throughput [mAh],charge_cc_duration,history_discharge_count,colour\nA,1900,,3,7\nB,1800,3000,1e9,7\n";
    std::fs::write(program.root().join("t.csv"), text).unwrap();
    let done = predict(&program, &program.root().join("t.csv"), &["--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let rows: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_first = rows[0]["warnings"].to_string();
    assert!(of_first.contains("imputed: charge_cc_duration\""), "{of_first}");
    let of_second = rows[1]["warnings"].to_string();
    assert!(
        of_second.contains("out of range: history_discharge_count is 1.000e9, trained from"),
        "{of_second}"
    );
    let expected = pipeline.reference(&[1.9, f64::NAN, 3.0])[0];
    assert!((rows[0]["soh"].as_f64().unwrap() - expected).abs() < 1e-5);
    let shown = predict(&program, &program.root().join("t.csv"), &[]).out;
    for part in ["converted to Ah", "not used: `colour`", "1 row imputed: charge_cc_duration"] {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }
    std::fs::write(program.root().join("t.csv"), "charge_throughput,history_discharge_count\n1.9,3\n")
        .unwrap();
    assert_eq!(predict(&program, &program.root().join("t.csv"), &[]).code, 1);
    let allowed = predict(&program, &program.root().join("t.csv"), &["--impute-missing"]);
    assert!(allowed.code == 0 && allowed.out.contains("no column `charge_cc_duration`"), "{allowed:?}");
}
