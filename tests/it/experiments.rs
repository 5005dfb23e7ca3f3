//! Experiments through the program: trained, killed, resumed, evaluated, compared, and refused where they are wrong.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A small experiment on simulated cells; the epochs are enough to be killed in their middle.
const SMALL: &str = "kind = \"capacity\"\ncells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]\n\
    [inputs]\ndescriptors = [\"charge_throughput\", \"history_cycle_count\"]\n\
    [model]\nkind = \"hybrid\"\nprior = \"coulomb_balance\"\nhidden = [16, 16]\ndropout = 0.1\n\
    [train]\nmembers = 4\nepochs = 400\ncheckpoint_every = 3\n\
    schedule = { kind = \"warmup_cosine\", warmup_epochs = 1, final_fraction = 0.1 }\n";

fn fadecast(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fadecast"));
    command.current_dir(root).args(arguments).stdin(Stdio::null()).env_remove("FADECAST_ROOT");
    command
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    fadecast(root, arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn write(root: &Path, name: &str, text: &str) {
    std::fs::write(root.join(name), text).unwrap();
}

/// Starts a training and returns it with its run folder once it has written a checkpoint.
fn start_until_checkpoint(root: &Path) -> (Child, PathBuf) {
    let mut child = fadecast(root, &["train", "small.toml", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    loop {
        let runs = std::fs::read_dir(root.join("models/small")).into_iter().flatten().flatten();
        let found = runs.map(|e| e.path()).find(|p| p.join("checkpoint.safetensors").exists());
        if let Some(run) = found {
            return (child, run);
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its first checkpoint");
        std::thread::yield_now();
    }
}

fn weights_sha256(run: &Path) -> Value {
    let state: Value = serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(state["complete"], true);
    state["weights_sha256"].clone()
}

#[test]
fn a_killed_and_an_interrupted_run_end_with_the_bytes_of_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "small.toml", SMALL);
    let straight = json(&run(root, &["train", "small.toml", "--json", "--quiet"]));
    let straight = root.join(straight["run"].as_str().unwrap());
    let history = std::fs::read(straight.join("history.jsonl")).unwrap();
    std::fs::rename(root.join("models"), root.join("straight")).unwrap();
    let straight = root.join("straight").join(straight.strip_prefix(root.join("models")).unwrap());

    let (mut child, killed) = start_until_checkpoint(root);
    child.kill().unwrap();
    child.wait().unwrap();
    let run_name = killed.to_str().unwrap();
    let unfinished = run(root, &["evaluate", run_name]);
    assert!(stderr(&unfinished).contains("--resume"), "{}", stderr(&unfinished));
    json(&run(root, &["train", "--resume", run_name, "--json", "--quiet"]));
    assert_eq!(weights_sha256(&killed), weights_sha256(&straight));
    assert_eq!(std::fs::read(killed.join("history.jsonl")).unwrap(), history);
    std::fs::remove_dir_all(root.join("models")).unwrap();

    let (child, interrupted) = start_until_checkpoint(root);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
    json(&run(root, &["train", "--resume", interrupted.to_str().unwrap(), "--json", "--quiet"]));
    assert_eq!(weights_sha256(&interrupted), weights_sha256(&straight));
    assert_eq!(std::fs::read(interrupted.join("history.jsonl")).unwrap(), history);
}

#[test]
fn a_run_is_reported_beside_baselines_and_evaluates_to_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "small.toml", SMALL);
    let set = ["--set", "train.epochs=5", "--seed", "7"];
    let trained = json(&run(root, &[&["train", "small.toml", "--json", "--quiet"], &set[..]].concat()));
    for key in ["task", "kind", "model", "unit", "metrics", "baselines", "references", "leak_allowed"] {
        assert!(!trained[key].is_null(), "{key}");
    }
    assert_eq!(trained["task"], "small");
    assert_eq!(trained["tuned_on_test"], false);
    assert!(trained["metrics"]["rmse"]["folds"]["SIM-NMC-02"].is_f64());
    assert!(trained["baselines"]["line_on_cycle"]["rmse"]["mean"].is_f64());
    let run_folder = root.join(trained["run"].as_str().unwrap());
    for file in ["experiment.toml", "run.json", "history.jsonl", "metrics.json", "model_card.md"] {
        assert!(run_folder.join(file).exists(), "{file}");
    }
    let again = json(&run(root, &["evaluate", "models/small/latest", "--json"]));
    assert_eq!(again["metrics"], trained["metrics"]);
    let resolved = run_folder.join("experiment.toml");
    let repeated = json(&run(root, &["train", resolved.to_str().unwrap(), "--json", "--quiet"]));
    assert_eq!(repeated["metrics"], trained["metrics"], "the resolved experiment is the experiment");
}

#[test]
fn a_comparison_has_every_model_on_the_same_folds_and_a_figure() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let compare = "[[compare]]\nname = \"line\"\nset = { \"model.kind\" = \"linear\" }\n\
        [[compare]]\nname = \"law\"\nset = { \"model.kind\" = \"physics\" }\n";
    write(root, "small.toml", &format!("{SMALL}{compare}"));
    let set = ["--set", "train.epochs=3", "--quiet"];
    let found = json(&run(root, &[&["compare", "small.toml", "--json"], &set[..]].concat()));
    let names: Vec<&str> =
        found[0]["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hybrid", "line", "law"]);
    assert!(std::fs::read(root.join("models/compare/small.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(std::fs::read_to_string(root.join("models/compare/small.svg")).unwrap().contains("<svg"));
    let text = run(root, &[&["compare", "small.toml"], &set[..]].concat());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("previous capacity forbidden") && text.contains("synthetic"), "{text}");
}

#[test]
fn an_experiment_that_is_wrong_is_refused_with_every_key_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "typo.toml", "[train]\nlearning_rte = 1e-3\nepochs = 0\n[model]\nkind = \"desne\"\n");
    let output = run(root, &["experiments", "check", "typo.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.contains("typo.toml: 2 problems") && text.contains("did you mean `learning_rate`?"),
        "{text}"
    );
    assert!(text.contains("model.kind"), "{text}");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["train", "missing.toml"], 2, "missing.toml"),
        (&["train", "--set", "cells=[\"B0005\"]"], 2, "B0005"),
        (&["train", "--set", "dataset=nasa-pcoe"], 1, "datasets import"),
        (&["train", "--backend", "wgpu"], 2, "--features wgpu"),
        (&["train", "--resume", "models/none/run"], 1, "models/none/run"),
        (&["train", "--no-such-flag"], 2, "--no-such-flag"),
    ];
    for (arguments, code, expected) in cases {
        if arguments.contains(&"wgpu") && cfg!(feature = "wgpu") {
            continue;
        }
        let output = run(root, arguments);
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!root.join("models").exists(), "a refused experiment leaves nothing");
}

#[test]
fn a_leaking_input_is_refused_unless_allowed_and_then_named_in_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let leak = [
        "train",
        "--quiet",
        "--set",
        "inputs.descriptors=[\"discharge_throughput\"]",
        "--set",
        "train.epochs=6",
    ];
    let refused = run(root, &leak);
    assert_eq!(refused.status.code(), Some(1));
    let text = stderr(&refused);
    assert!(text.contains("discharge_throughput") && text.contains("allow_leak"), "{text}");
    let allowed = run(root, &[&leak[..], &["--set", "inputs.allow_leak=true"]].concat());
    let text = String::from_utf8(allowed.stdout).unwrap();
    assert!(text.contains("LEAK"), "{text}");
}

#[test]
fn a_run_of_another_version_other_data_or_damaged_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "small.toml", SMALL);
    let trained = json(&run(root, &["train", "small.toml", "--json", "--quiet", "--set", "train.epochs=2"]));
    let run_folder = root.join(trained["run"].as_str().unwrap());
    let evaluate = || stderr(&run(root, &["evaluate", run_folder.to_str().unwrap()]));
    let weights = run_folder.join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, &bytes).unwrap();
    assert!(evaluate().contains("SHA-256"), "{}", evaluate());
    let state = std::fs::read_to_string(run_folder.join("run.json")).unwrap();
    let data = state.replace("\"data_sha256\": \"", "\"data_sha256\": \"0");
    std::fs::write(run_folder.join("run.json"), data).unwrap();
    assert!(evaluate().contains("data of `embedded` has changed"), "{}", evaluate());
    let version = format!("\"fadecast\": \"{}\"", env!("CARGO_PKG_VERSION"));
    std::fs::write(run_folder.join("run.json"), state.replace(&version, "\"fadecast\": \"0.0.1\"")).unwrap();
    assert!(evaluate().contains("made by fadecast 0.0.1"), "{}", evaluate());
}
