//! Early prediction through the program: lives and tiers of simulated cells, with their tables, figures and reasons.

use std::path::Path;

use serde_json::Value;

use crate::program::Program;

/// Tiers of a part of the solid-state fleet from ten cycles, told by a few trees.
const SMALL: &str = "kind = \"tier\"\ndataset = \"embedded-solid-state\"\ncells = [\"SIM-SSB-0*\", \"SIM-SSB-1*\", \"SIM-SSB-2*\"]\n\
    [inputs]\ndescriptors = [\"impedance_*\", \"discharge_capacity_*\"]\ncycles = [1, 10]\n\
    [split]\nkind = \"grouped\"\nfolds = 3\nrepeats = 2\n[model]\nkind = \"trees\"\n[trees]\nrounds = 8\n\
    [references]\nextra_trees_accuracy = 0.639\n\
    [[compare]]\nname = \"line\"\nset = { \"model.kind\" = \"logistic\" }\n";

fn program(text: &str) -> Program {
    let program = Program::new();
    std::fs::write(program.root().join("small.toml"), text).unwrap();
    program
}

fn train(program: &Program, more: &[&str]) -> String {
    let file = program.root().join("small.toml");
    let done = program.run(&[&["train", file.to_str().unwrap(), "--quiet"], more].concat());
    assert_eq!(done.code, 0, "{done:?}");
    done.out
}

fn run_folder(program: &Program) -> std::path::PathBuf {
    let runs = std::fs::read_dir(program.root().join("models/small")).unwrap();
    runs.map(|run| run.unwrap().path()).max().unwrap()
}

fn svg(run: &Path, name: &str) -> String {
    assert!(std::fs::read(run.join(format!("figures/{name}.png"))).unwrap().starts_with(b"\x89PNG"));
    std::fs::read_to_string(run.join(format!("figures/{name}.svg"))).unwrap()
}

#[test]
fn tiers_are_reported_beside_references_drawn_and_explained() {
    let program = program(SMALL);
    let text = train(&program, &[]);
    for part in [
        "accuracy",
        "log-loss",
        "training shares",
        "reference: extra trees",
        ".639",
        "confusion",
        "family",
        "synthetic",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let run = run_folder(&program);
    let reasons: Value = serde_json::from_slice(&std::fs::read(run.join("reasons.json")).unwrap()).unwrap();
    let first = reasons["inputs"][0]["name"].as_str().unwrap();
    for (figure, names) in [
        ("confusion", &["true tier", "predicted tier"][..]),
        ("reliability", &["expected calibration error"]),
        ("inputs", &[first]),
        ("families", &["impedance", "capacity"]),
        ("permutation", &["impedance", "growth of log loss"]),
        ("cells", &[first, "most wrong: SIM-SSB-"]),
    ] {
        let drawn = svg(&run, figure);
        assert!(drawn.contains("synthetic"), "{figure}");
        for name in names {
            assert!(drawn.contains(name), "no {name} in {figure}");
        }
    }
    let run = run.to_str().unwrap();
    assert!(program.run(&["explain", run]).out.contains(first));
    let cell = program.json(&["explain", run, "SIM-SSB-03"]);
    let adds: f64 =
        cell["contributions"].as_array().unwrap().iter().map(|c| c["adds"].as_f64().unwrap()).sum();
    let sum = cell["start"].as_f64().unwrap() + adds + cell["others"].as_f64().unwrap();
    assert!((sum - cell["margin"].as_f64().unwrap()).abs() < 1e-9, "{cell}");
    let told = program.run(&["explain", run, "SIM-SSB-03"]).out;
    assert!(told.contains("towards") && told.contains("median"), "{told}");
    let unknown = program.run(&["explain", run, "SIM-SSB-99"]);
    assert!(unknown.code == 2 && unknown.err.contains("SIM-SSB-03"), "{unknown:?}");
}

#[test]
fn lives_are_reported_in_cycles_and_drawn_against_the_truth() {
    let program = program(&SMALL.replace("kind = \"tier\"", "kind = \"life\"").replace("logistic", "linear"));
    let text = train(&program, &["--set", "references.variance=138.2"]);
    assert!(text.contains("RMSE [cycles]") && text.contains("138.2\n") && text.contains("MAPE"), "{text}");
    let run = run_folder(&program);
    assert!(svg(&run, "lives").contains("predicted life [cycles]"));
    assert!(!run.join("figures/confusion.svg").exists());
    let file = program.root().join("small.toml");
    let compared = program.run(&["compare", file.to_str().unwrap(), "--quiet"]);
    assert!(compared.out.contains("line") && compared.out.contains("training mean"), "{compared:?}");
    let figure = std::fs::read_to_string(program.root().join("models/compare/small.svg")).unwrap();
    assert!(figure.contains("line") && figure.contains("RMSE [cycles]"));
}

#[test]
fn a_run_without_reasons_says_who_has_some() {
    let cells = "cells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]";
    let program = program(&format!("{cells}\n[model]\nkind = \"linear\"\n"));
    train(&program, &[]);
    let done = program.run(&["explain", "models/small/latest"]);
    assert!(done.code == 1 && done.err.contains("kind `life` or `tier`"), "{done:?}");
}

#[test]
fn a_class_that_training_lacks_and_classes_of_one_kind_are_clear_errors() {
    for (set, what) in [
        ("label.tiers={ kind = \"threshold\", cuts = [100000.0] }", "has no training cell"),
        ("label.tiers={ kind = \"threshold\", cuts = [2.0, 1.0] }", "must be finite and ascend"),
        ("label.target=nonsense", "no cell has the target `nonsense`"),
        ("inputs.cycles=[1, 100000]", "training rows"),
        ("inputs.descriptors=[\"nonsense_*\"]", "no descriptor matches `nonsense_*`"),
        ("split={ kind = \"grouped\", folds = 40 }", "groups cannot make 40 folds"),
        ("split={ kind = \"stated\" }", "states no fold"),
    ] {
        let program = program(SMALL);
        let file = program.root().join("small.toml");
        let done = program.run(&["train", file.to_str().unwrap(), "--quiet", "--set", set]);
        assert_ne!(done.code, 0, "{set}: {done:?}");
        assert!(done.err.contains(what), "{set}: no `{what}` in {}", done.err);
        assert!(!program.root().join("models").exists(), "{set} left something");
    }
}
