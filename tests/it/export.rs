//! Runs as files of other programs, through the program: what is written, what is said, what is refused.

use serde_json::Value;

use crate::program::Program;

const SMALL: &str = "kind = \"capacity\"\ncells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]\n\
    [inputs]\ndescriptors = [\"charge_throughput\", \"history_cycle_count\"]\n\
    [model]\nkind = \"hybrid\"\nprior = \"coulomb_balance\"\nhidden = [6]\n[train]\nepochs = 2\nmembers = 2\n";

fn trained() -> Program {
    let program = Program::new();
    let file = program.root().join("small.toml");
    std::fs::write(&file, SMALL).unwrap();
    program.json(&["train", file.to_str().unwrap(), "--quiet"]);
    program
}

#[test]
fn a_run_becomes_one_graph_and_says_what_it_leaves_out() {
    let program = trained();
    let out = program.root().join("graphs").join("soh.onnx");
    let words = ["export", "small", "--format", "onnx", "--out", out.to_str().unwrap()];
    let said = program.run(&words);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let bytes = std::fs::read(&out).unwrap();
    assert!(said.out.contains(&format!("{} bytes  sha256 ", bytes.len())), "{said:?}");
    assert!(said.out.contains("left out  "), "{said:?}");

    let told = program.json(&words);
    assert_eq!(told["format"], "onnx");
    assert_eq!(told["files"].as_array().unwrap().len(), 1);
    assert_eq!(told["files"][0]["bytes"], bytes.len());
    assert!(said.out.contains(told["files"][0]["sha256"].as_str().unwrap()), "{said:?}");
    assert!(told["left_out"].as_array().unwrap().iter().all(Value::is_string));
    assert_eq!(std::fs::read(&out).unwrap(), bytes, "the same run, the same bytes");
}

#[test]
fn what_cannot_be_exported_is_refused_and_nothing_is_written() {
    let program = trained();
    let out = program.root().join("soh.onnx");
    let path = out.to_str().unwrap();
    for (words, code, hint) in [
        (vec!["small", "--format", "onnx", "--level", "0.42"], 2, "choose one of [0.5, 0.8, 0.9, 0.95]"),
        (vec!["small", "--format", "tflite"], 2, "onnx, safetensors, keras, c, json"),
        (vec!["small", "--format", "keras"], 2, "keras cannot hold"),
    ] {
        let words = [vec!["export"], words, vec!["--out", path]].concat();
        let said = program.run(&words);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{words:?}: {said:?}");
        assert!(said.err.contains(hint), "{words:?}: {said:?}");
        assert!(!out.exists(), "{words:?}");
    }
}
