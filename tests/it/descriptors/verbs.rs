//! `fadecast descriptors`, end to end: what is listed, what is written, what is refused.

use fadecast::descriptor::early::catalogue;
use serde_json::{Value, json};

use crate::program::{Program, words};

fn with_cells() -> Program {
    let program = Program::new();
    let done = program.run(&words("datasets simulate tiny --cells 3 --cycles 4 --samples 30 --quiet", &[]));
    assert_eq!(done.code, 0, "{done:?}");
    program
}

#[test]
fn the_list_has_a_line_for_each_descriptor() {
    let program = Program::new();
    let done = program.run(&words("descriptors list", &[]));
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(done.out.lines().count() > 200);
    assert!(done.out.lines().next().unwrap().starts_with("discharge_capacity_first"), "{}", done.out);
    let listed = program.json(&["descriptors", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), done.out.lines().count());
    assert_eq!(listed[0]["scope"], "cell");
    let titrated = program.json(&["descriptors", "list", "--needs", "gitt"]);
    let expected = catalogue().filter(|d| d.needs.iter().any(|need| need.name() == "gitt")).count();
    assert!(expected > 0 && titrated.as_array().unwrap().len() == expected);
    let family = program.json(&["descriptors", "list", "--family", "thermal"]);
    assert!(family.as_array().unwrap().iter().all(|d| d["family"] == "thermal" && d["citation"].is_string()));
    let refused = program.run(&words("descriptors list --needs giit", &[]));
    assert_eq!((refused.code, refused.err.trim()), (2, "error: no need `giit`; did you mean `gitt`?"));
}

#[test]
fn a_csv_and_its_metadata_agree_and_the_default_is_beside_the_dataset() {
    let program = with_cells();
    let out = program.root().join("out.csv");
    let asked = "descriptors compute tiny --cycles 1..3 --descriptors discharge_capacity_first,gitt_resistance_* --out";
    let done = program.run(&words(asked, std::slice::from_ref(&out)));
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.starts_with("tiny (synthetic) · cycles 1..3 · 3 cells"), "{}", done.out);
    let mut rows = csv::Reader::from_path(&out).unwrap();
    let head: Vec<String> = rows.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head[..2], ["cell", "discharge_capacity_first"]);
    let beside: Value = serde_json::from_slice(&std::fs::read(out.with_extension("json")).unwrap()).unwrap();
    assert_eq!((&beside["dataset"], &beside["cycles"]), (&json!("tiny"), &json!("1..3")));
    assert_eq!(beside["descriptors"]["discharge_capacity_first"]["unit"], "Ah");
    let mut n_rows = 0;
    for row in rows.records().map(Result::unwrap) {
        n_rows += 1;
        for (name, value) in head.iter().zip(&row).skip(1) {
            let reasons = &beside["missing"][name];
            let lacks = |cells: &Value| cells == "all" || cells.as_array().unwrap().contains(&json!(row[0]));
            let missing = reasons.as_object().is_some_and(|reasons| reasons.values().any(lacks));
            assert_eq!(value.is_empty(), missing, "{name} of {}", &row[0]);
        }
    }
    assert_eq!(n_rows, 3);
    let done = program
        .json(&words("descriptors compute tiny --cycles 2..4 --cells SIM-LFP-* --descriptors *_first", &[]));
    assert_eq!(done["cells"], 1);
    assert!(program.root().join("datasets/tiny.descriptors-2-4.parquet").exists());
    assert_eq!(program.json(&["datasets", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let program = with_cells();
    let before = program.files();
    for (arguments, code, expected) in [
        ("tiny --descriptors discharge_capacity_frist", 2, "did you mean `discharge_capacity_first`?"),
        ("tiny --descriptors charge_duration", 2, "it describes a discharge, not a whole cell"),
        ("tiny --cells SIM-LFP-99", 2, "did you mean `SIM-LFP-01`?"),
        ("tiny --cycles 100..1", 2, "did you mean `1..100`?"),
        ("tiny --cycles early", 2, "give the first and the last cycle"),
        ("tiny --out x.xlsx", 2, "`.parquet` or `.csv`"),
        ("absent", 1, "no dataset `absent`"),
    ] {
        let done = program.run(&words(&format!("descriptors compute {arguments}"), &[]));
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.err.contains(expected), "{arguments}: {}", done.err);
    }
    assert_eq!(program.files(), before);
    let broken = before.iter().find(|p| p.ends_with("SIM-NMC-01.samples.parquet")).unwrap();
    std::fs::write(broken, "no table").unwrap();
    let done = program.run(&words("descriptors compute tiny", &[]));
    assert!(done.code == 1 && done.err.contains("SIM-NMC-01.samples.parquet"), "{done:?}");
    let spared =
        program.run(&words("descriptors compute tiny --descriptors impedance_series_resistance_median", &[]));
    assert_eq!(spared.code, 0, "spectra alone are read: {spared:?}");
}
