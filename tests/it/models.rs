//! Finished runs through the program: listed, shown, promoted, verified, migrated, removed, and refused where they are not
//! what they were.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Done, Program};

/// A small experiment on simulated cells; `MODEL` is replaced.
const SMALL: &str = "kind = \"capacity\"\ncells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]\n\
    [inputs]\ndescriptors = [\"charge_throughput\", \"history_cycle_count\"]\n\
    [model]\nkind = \"MODEL\"\nprior = \"coulomb_balance\"\nhidden = [6]\n[train]\nepochs = 2\nmembers = 2\n";

/// A working directory with experiment files.
fn program(files: &[(&str, String)]) -> Program {
    let program = Program::new();
    for (name, text) in files {
        std::fs::write(program.root().join(name), text).unwrap();
    }
    program
}

fn small(model: &str) -> String {
    SMALL.replace("MODEL", model)
}

/// Trains an experiment; returns its outcome.
fn train(program: &Program, file: &str) -> Value {
    program.json(&["train", program.root().join(file).to_str().unwrap(), "--quiet"])
}

fn models(program: &Program, words: &str) -> Done {
    program.run(&words.split_whitespace().collect::<Vec<_>>())
}

/// Returns what is said on stderr of a refusal.
fn refused(program: &Program, words: &str, code: i32) -> String {
    let done = models(program, words);
    assert_eq!(done.code, code, "{done:?}");
    assert_eq!(done.out, "", "{done:?}");
    done.err
}

#[test]
fn a_finished_run_is_listed_beside_its_best_baseline() {
    let program = program(&[("small.toml", small("linear"))]);
    assert!(models(&program, "models list").out.contains("no finished run yet"));
    let trained = train(&program, "small.toml");
    let listed = program.json(&["models", "list"]);
    let one = &listed.as_array().unwrap()[0];
    let keys: Vec<&str> = one.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "experiment run path kind model figure baseline synthetic created promoted refused";
    assert_eq!(keys.join(" "), expected);
    let first = (&one["path"], &one["kind"], &one["model"]);
    assert_eq!(first, (&trained["run"], &"capacity".into(), &"linear".into()));
    let figure = (&one["figure"]["name"], &one["figure"]["mean"]);
    assert_eq!(figure, (&"rmse".into(), &trained["metrics"]["rmse"]["mean"]));
    // The shortcut through the capacity before is a baseline that no model may use, so it is not the best.
    let mean = |name: &str| trained["baselines"][name]["rmse"]["mean"].as_f64().unwrap();
    let best = if mean("line_on_cycle") < mean("training_mean") { "line_on_cycle" } else { "training_mean" };
    assert_eq!(
        (&one["baseline"]["name"], one["baseline"]["mean"].as_f64()),
        (&best.into(), Some(mean(best)))
    );
    assert_eq!(
        (&one["promoted"], &one["refused"], &one["synthetic"]),
        (&false.into(), &Value::Null, &true.into())
    );
}

#[test]
fn a_finished_run_is_shown_with_its_inputs_and_verified() {
    let program = program(&[("small.toml", small("hybrid"))]);
    let trained = train(&program, "small.toml");
    let shown = program.json(&["models", "show", "small"]);
    let inputs = shown["manifest"]["inputs"].as_array().unwrap();
    let names: Vec<&str> = inputs.iter().map(|input| input["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["charge_throughput", "history_cycle_count", "charge_throughput_relative", "history_rest_duration"]
    );
    assert_eq!(shown["outcome"]["metrics"], trained["metrics"]);
    let card = shown["card"].as_str().unwrap();
    for text in
        ["| `charge_throughput` | Ah |", "## Interval", "synthetic", "fadecast predict", "line on cycle"]
    {
        assert!(card.contains(text), "{text} in {card}");
    }
    let text = models(&program, "models show models/small/latest").out;
    assert!(
        text.contains("served  yes") && text.contains("RMSE [Ah]") && text.contains("## Inputs"),
        "{text}"
    );
    let verified = program.json(&["models", "verify", trained["run"].as_str().unwrap()]);
    let files: Vec<&String> = verified["files"].as_object().unwrap().keys().collect();
    assert_eq!(
        files,
        ["experiment.toml", "metrics.json", "model.json", "model_card.md", "weights.safetensors"]
    );
    assert_eq!(program.json(&["evaluate", "small"])["metrics"], trained["metrics"]);
}

#[test]
fn a_promoted_run_is_found_by_its_experiment_and_not_removed() {
    let program = program(&[("small.toml", small("linear"))]);
    let runs = [train(&program, "small.toml"), train(&program, "small.toml")];
    let [first, second] = runs.each_ref().map(|outcome| outcome["run"].as_str().unwrap());
    let located = |name: &str| program.json(&["models", "show", name])["path"].clone();
    assert_eq!(located("small"), second, "none is promoted, so the latest counts");
    assert!(refused(&program, "models show models/small/promoted", 1).contains("models/small/promoted"));
    models(&program, &format!("models promote {first}"));
    assert_eq!([located("small"), located("models/small/promoted")], [first, first]);
    assert_eq!(located("models/small/latest"), second);
    let promoted: Vec<Value> = program
        .json(&["models", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["promoted"].clone())
        .collect();
    assert_eq!(promoted, [true, false]);

    let text = refused(&program, &format!("models remove {first} --yes"), 1);
    assert!(text.contains("is promoted"), "{text}");
    assert!(refused(&program, &format!("models remove {second}"), 2).contains("--yes"));
    let text = refused(&program, "models remove small --yes", 1);
    assert!(text.contains("`small` is no run"), "an experiment is not removed by its name: {text}");
    assert_eq!(program.json(&["models", "remove", second, "--yes"])["removed"], second);
    assert!(!program.root().join(second).exists());
    let left: Vec<PathBuf> = program.files();
    let kept = |path: &PathBuf| {
        let is_beside = path.ends_with("promoted.json") || path.ends_with("small.toml");
        is_beside || path.starts_with(program.root().join(first))
    };
    assert!(left.iter().all(kept), "{left:?}");
    assert_eq!(located("models/small/latest"), first);
}

#[test]
fn a_run_outside_of_models_is_neither_removed_nor_promoted() {
    let program = program(&[("small.toml", small("linear"))]);
    let run = train(&program, "small.toml")["run"].as_str().unwrap().to_owned();
    std::fs::rename(program.root().join(&run), program.root().join("elsewhere")).unwrap();
    for verb in ["remove elsewhere --yes", "promote elsewhere"] {
        assert!(refused(&program, &format!("models {verb}"), 1).contains("elsewhere` is no run"), "{verb}");
    }
    assert!(program.root().join("elsewhere/artifact.json").exists());
    let verified = program.json(&["models", "verify", program.root().join("elsewhere").to_str().unwrap()]);
    assert!(verified["files"].is_object(), "it is whole wherever it lies");
    let promoted = r#"{"run": "../../elsewhere", "artifact_sha256": "", "promoted": ""}"#;
    std::fs::write(program.root().join("models/small/promoted.json"), promoted).unwrap();
    assert!(refused(&program, "models show small", 1).contains("promoted.json"));
    for name in ["..", "../small", "models/../..", "nothing", "models/small"] {
        refused(&program, &format!("models show {name}"), 1);
    }
}

#[test]
fn a_changed_byte_is_refused_with_the_name_of_its_file() {
    let program = program(&[("small.toml", small("trees"))]);
    let run = program.root().join(train(&program, "small.toml")["run"].as_str().unwrap());
    models(&program, "models promote small");
    let trees = std::fs::read_dir(run.join("trees")).unwrap().next().unwrap().unwrap().path();
    for file in [trees, run.join("model.json"), run.join("metrics.json")] {
        let bytes = std::fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        std::fs::write(&file, changed).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        for verb in ["verify", "promote"] {
            let text = refused(&program, &format!("models {verb} small"), 1);
            assert!(text.contains(name) && text.contains("SHA-256"), "{text}");
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert_eq!(models(&program, "models verify small").code, 0);
    let manifest = run.join("artifact.json");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("\"doc\": \"", "\"doc\": \"Not: ");
    std::fs::write(&manifest, text).unwrap();
    let text = refused(&program, "models verify small", 1);
    assert!(text.contains("not what it was when it was promoted"), "{text}");
}

#[test]
fn a_run_of_before_the_registry_is_migrated_to_the_same_manifest() {
    let program = program(&[("small.toml", small("linear"))]);
    let run = train(&program, "small.toml")["run"].as_str().unwrap().to_owned();
    let manifest = program.root().join(&run).join("artifact.json");
    let before = std::fs::read(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    let text = refused(&program, "models verify small", 1);
    assert!(text.contains("fadecast models migrate"), "{text}");
    let listed = models(&program, "models list").out;
    assert!(listed.contains("not served") && listed.contains("migrate"), "{listed}");
    let migrated = program.json(&["models", "migrate", "small"]);
    assert_eq!((&migrated["migrated"], &migrated["refused"]), (&true.into(), &Value::Null));
    assert_eq!(std::fs::read(&manifest).unwrap(), before);
    assert_eq!(program.json(&["models", "migrate", "small"])["migrated"], false);
    std::fs::remove_file(&manifest).unwrap();
    let metrics = program.root().join(&run).join("metrics.json");
    let text = std::fs::read_to_string(&metrics).unwrap().replacen("\"mean\": 0.0", "\"mean\": 0.1", 1);
    std::fs::write(&metrics, text).unwrap();
    let text = refused(&program, "models migrate small", 1);
    assert!(text.contains("not the one that it reported"), "{text}");
    assert!(!manifest.exists());
}

#[test]
fn a_run_that_cannot_be_served_says_why() {
    let time = small("physics").replace("\"capacity\"", "\"trajectory\"")
        + "[split]\nkind = \"time\"\nfraction = 0.8\n";
    let program = program(&[("forecast.toml", time)]);
    train(&program, "forecast.toml");
    let listed = program.json(&["models", "list"]);
    assert!(listed[0]["refused"].as_str().unwrap().contains("split.kind"), "{listed}");
    let text = refused(&program, "models promote forecast", 1);
    assert!(text.contains("cannot be served") && text.contains("split.kind"), "{text}");
    let text = models(&program, "models show forecast").out;
    assert!(text.contains("served  no") && text.contains("**Not served**"), "{text}");
    assert!(program.json(&["models", "verify", "forecast"])["refused"].is_string());
}
