//! Searches through the program: finished, killed, shared, forked, damaged, exported, and refused where they are wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Program;

/// A small search on simulated cells.
const SMALL: &str = "kind = \"capacity\"\ncells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\", \"SIM-NMC-04\"]\n\
    [inputs]\ndescriptors = [\"charge_throughput\", \"history_cycle_count\"]\n\
    [split]\nkind = \"fixed\"\ntrain = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]\ntest = [\"SIM-NMC-04\"]\n\
    [model]\nkind = \"dense\"\n[train]\nepochs = 30\n\
    [tuner]\noracle = \"bayesian\"\ntrials = 8\ninitial = 4\nexecutions = 2\nkeep = 2\n\
    [tuner.space]\n\"model.layers\" = { int = [1, 2] }\n\"model.units\" = { int = [4, 16], step = 4, per = \"model.layers\" }\n\
    \"model.activation\" = { choice = [\"relu\", \"tanh\"] }\n\"train.learning_rate\" = { float = [1e-3, 1e-1], sampling = \"log\" }\n";

fn program(text: &str) -> Program {
    let program = Program::new();
    std::fs::write(program.root().join("small.toml"), text).unwrap();
    program
}

/// Returns the path of an experiment file, for as long as the tests run.
fn file(program: &Program, name: &str) -> &'static str {
    program.root().join(name).with_extension("toml").to_str().unwrap().to_owned().leak()
}

fn study(program: &Program) -> PathBuf {
    program.root().join("tuner_results/small")
}

/// Returns the trials of a search without the notes of time.
fn trials(program: &Program, name: &str) -> Vec<Value> {
    let shown = program.json(&["tune", "show", name]);
    let mut trials = shown[0]["trials"].as_array().unwrap().clone();
    for trial in &mut trials {
        if let Some(evaluation) = trial["evaluation"].as_object_mut() {
            evaluation.remove("seconds");
        }
    }
    trials
}

fn start(root: &Path, words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fadecast"));
    command.args(words).env("FADECAST_ROOT", root).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until a journal has so many lines; the search must not end before.
fn until_lines(child: &mut Child, journal: &Path, n: usize) {
    let begin = Instant::now();
    while std::fs::read_to_string(journal).unwrap_or_default().lines().count() < n {
        assert!(child.try_wait().unwrap().is_none(), "it ended before {n} lines");
        assert!(begin.elapsed() < Duration::from_mins(2), "no {n} lines in two minutes");
        std::thread::yield_now();
    }
}

#[test]
fn a_search_ends_with_every_trial_and_is_then_done() {
    let program = program(SMALL);
    let result = program.json(&["tune", file(&program, "small")]);
    assert_eq!(result["studies"][0]["trials"], 8);
    let outcome = &result["outcome"];
    assert_eq!(
        (&outcome["tuned_on_test"], outcome["metrics"]["rmse"]["folds"].as_object().unwrap().len()),
        (&Value::Bool(false), 1)
    );
    assert!(outcome["baselines"].as_object().unwrap().len() > 1);
    let first = trials(&program, "small");
    let best = first.iter().find(|t| t["id"] == result["studies"][0]["best"]["id"]).unwrap();
    for trial in &first {
        assert_eq!(trial["status"], "completed");
        let rmse = &trial["evaluation"]["metrics"]["rmse"];
        assert_eq!(rmse["folds"].as_object().unwrap().len(), 3, "each training cell was unseen once");
        assert!(rmse["folds"].as_object().unwrap().values().all(|v| v.as_array().unwrap().len() == 2));
        assert!(rmse["mean"].as_f64() >= best["evaluation"]["metrics"]["rmse"]["mean"].as_f64());
    }
    let again = program.json(&["tune", file(&program, "small")]);
    assert_eq!((trials(&program, "small"), &again["studies"]), (first, &result["studies"]));
    let kept = (0..8).filter(|n| study(&program).join(format!("trial_{n}/weights.safetensors")).exists());
    assert_eq!(kept.count(), 2);
    let shown = program.run(&["tune", "best", "small", "--n", "2"]);
    assert!(shown.out.contains("rmse"), "{}", shown.out);
}

#[test]
fn a_killed_search_ends_like_an_uninterrupted_one() {
    let straight = program(SMALL);
    straight.json(&["tune", file(&straight, "small")]);
    let killed = program(SMALL);
    let journal = study(&killed).join("journal.jsonl");
    for lines in [2, 6, 11] {
        let mut child = start(killed.root(), &["tune", file(&killed, "small")]);
        until_lines(&mut child, &journal, lines);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // The power failed in the middle of a line.
    let text = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, [&text[..], b"{\"finished\":{\"le"].concat()).unwrap();
    killed.json(&["tune", file(&killed, "small")]);
    assert_eq!(trials(&killed, "small"), trials(&straight, "small"));
}

#[test]
fn workers_share_a_search_and_may_be_killed() {
    let program = program(&SMALL.replace("trials = 8", "trials = 12").replace("bayesian", "random"));
    let mut search = start(program.root(), &["tune", file(&program, "small"), "--workers", "2"]);
    until_lines(&mut search, &study(&program).join("journal.jsonl"), 6);
    search.kill().unwrap();
    search.wait().unwrap();
    let worker = ["tune", "worker", "--study", "small", "--count", "2"];
    assert_eq!(program.run(&worker).code, 0);
    program.json(&["tune", file(&program, "small"), "--workers", "2"]);
    let trials = trials(&program, "small");
    let ids: BTreeSet<&str> = trials.iter().map(|t| t["id"].as_str().unwrap()).collect();
    let values: BTreeSet<String> = trials.iter().map(|t| t["values"].to_string()).collect();
    assert_eq!((trials.len(), ids.len(), values.len()), (12, 12, 12));
    assert!(trials.iter().all(|t| t["status"] == "completed"));
    let journal = std::fs::read_to_string(study(&program).join("journal.jsonl")).unwrap();
    let ends = journal.lines().filter(|l| l.contains("\"completed\":{")).count();
    assert_eq!(ends, 12, "a trial ended twice");
}

#[test]
fn a_second_search_on_one_folder_is_refused() {
    let program = program(&SMALL.replace("epochs = 30", "epochs = 100000"));
    let mut first = start(program.root(), &["tune", file(&program, "small")]);
    until_lines(&mut first, &study(&program).join("journal.jsonl"), 2);
    let second = program.run(&["tune", file(&program, "small")]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, 1);
    assert!(second.err.contains("tune worker --study"), "{}", second.err);
}

#[test]
fn what_changed_is_said_and_a_fork_keeps_what_fits() {
    let program = program(&SMALL.replace("trials = 8", "trials = 4"));
    program.json(&["tune", file(&program, "small")]);
    let wider = SMALL.replace("[4, 16]", "[4, 32]").replace("trials = 8", "trials = 6");
    std::fs::write(program.root().join("small.toml"), &wider).unwrap();
    let refused = program.run(&["tune", file(&program, "small")]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("`model/units_0` was int 4 to 16, step 4, is int 4 to 32"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("--fork"), "{}", refused.err);
    let forked = program.json(&["tune", file(&program, "small"), "--fork"]);
    assert_eq!(
        (&forked["search"], &forked["studies"][0]["trials"]),
        (&Value::from("small-2"), &Value::from(6))
    );
    let old = trials(&program, "small");
    let new = trials(&program, "small-2");
    assert_eq!(new.iter().filter(|t| t["origin"] == "observed").count(), 4);
    assert_eq!(new[0]["evaluation"], old[0]["evaluation"]);
    // More trials are no other search.
    std::fs::write(program.root().join("small.toml"), wider.replace("trials = 6", "trials = 7")).unwrap();
    let more = program.json(&["tune", file(&program, "small"), "--project", "small-2"]);
    assert_eq!(more["studies"][0]["trials"], 7);
}

#[test]
fn files_that_others_damaged_are_made_anew() {
    let program = program(&SMALL.replace("trials = 8", "trials = 4").replace("keep = 2", "keep = 1"));
    program.json(&["tune", file(&program, "small")]);
    let before = trials(&program, "small");
    let folder = study(&program);
    let oracle = std::fs::read(folder.join("oracle.json")).unwrap();
    std::fs::write(folder.join("oracle.json"), &oracle[..oracle.len() / 2]).unwrap();
    std::fs::remove_file(folder.join("tuner0.json")).unwrap();
    std::fs::remove_dir_all(folder.join("trial_1")).unwrap();
    program.json(&["tune", file(&program, "small")]);
    assert_eq!(trials(&program, "small"), before);
    let json =
        |name: &str| serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    assert_eq!(json("oracle.json")["end_order"].as_array().unwrap().len(), 4);
    assert_eq!(
        (json("tuner0.json"), &json("trial_1/trial.json")["status"]),
        (serde_json::json!({}), &Value::from("COMPLETED"))
    );
}

#[test]
fn a_keras_tuner_project_is_continued() {
    let program = program(&SMALL.replace("trials = 8", "trials = 4"));
    program.json(&["tune", file(&program, "small")]);
    // What Keras Tuner leaves: this folder without our own files, under names that somebody's Python chose.
    let (from, to) = (study(&program), program.root().join("keras/project"));
    let copy = |name: &str| {
        let text = std::fs::read_to_string(from.join(name)).unwrap();
        let text = text
            .replace("model/", "")
            .replace("train/learning_rate", "lr")
            .replace("\"rmse\"", "\"val_loss\"");
        std::fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        std::fs::write(to.join(name), text).unwrap();
    };
    copy("oracle.json");
    for n in 0..4 {
        copy(&format!("trial_{n}/trial.json"));
    }
    let import = "[tuner.import]\nproject = \"keras/project\"\nmetric = { val_loss = \"rmse\" }\n";
    let next = SMALL.replace("trials = 8", "trials = 6") + import;
    std::fs::write(program.root().join("next.toml"), &next).unwrap();
    let unmapped = program.run(&["tune", file(&program, "next")]);
    assert_eq!(unmapped.code, 2);
    assert!(unmapped.err.contains("units") && unmapped.err.contains("`lr`"), "{}", unmapped.err);
    let names = "names = { layers = \"model.layers\", units = \"model.units\", activation = \"model.activation\", \
        lr = \"train.learning_rate\" }\n";
    std::fs::write(program.root().join("next.toml"), next + names).unwrap();
    program.json(&["tune", file(&program, "next")]);
    let all = trials(&program, "next");
    assert_eq!(all.iter().filter(|t| t["origin"] == "observed").count(), 4);
    assert_eq!(all.iter().filter(|t| t["origin"] == "proposed" && t["status"] == "completed").count(), 2);
    let old = trials(&program, "small");
    assert_eq!(
        all[2]["evaluation"]["metrics"]["rmse"]["mean"],
        old[2]["evaluation"]["metrics"]["rmse"]["mean"]
    );
}

#[test]
fn hyperband_gives_much_to_few_and_goes_on_from_their_weights() {
    let text = SMALL
        .replace("bayesian", "hyperband")
        .replace("trials = 8", "trials = 100")
        .replace("epochs = 30", "epochs = 9");
    let program = program(&text);
    program.json(&["tune", file(&program, "small")]);
    let trials = trials(&program, "small");
    assert_eq!(trials.len(), 23, "9 epochs, factor 3: 9 + 3 + 1, 5 + 2, 3");
    let promoted: Vec<&Value> = trials.iter().filter(|t| t["budget"]["source"].is_number()).collect();
    assert_eq!(promoted.len(), 3 + 1 + 2);
    for trial in promoted {
        let source = &trials[trial["budget"]["source"].as_u64().unwrap() as usize];
        assert_eq!(
            (&trial["values"], &trial["budget"]["from"]),
            (&source["values"], &source["budget"]["until"])
        );
    }
}

#[test]
fn a_trial_becomes_an_experiment_and_a_run() {
    let program = program(&SMALL.replace("trials = 8", "trials = 3"));
    program.json(&["tune", file(&program, "small")]);
    let exported = program.json(&["tune", "export", "small", "--trial", "1"]);
    let exported_to = program.root().join("experiments/small-trial-1.toml");
    let text = std::fs::read_to_string(&exported_to).unwrap();
    assert!(text.contains("trial 1 of the search small") && !text.contains("[tuner"), "{text}");
    let run = program.root().join(exported["outcome"]["run"].as_str().unwrap());
    assert!(run.join("weights.safetensors").exists());
    let trained = program.json(&["train", exported_to.to_str().unwrap()]);
    assert_eq!(trained["metrics"], exported["outcome"]["metrics"]);
    let missing = program.run(&["tune", "export", "small", "--trial", "77"]);
    assert!(missing.code == 1 && missing.err.contains("tune show"), "{missing:?}");
}

#[test]
fn a_wrong_search_is_refused_before_anything_is_written() {
    let cases = [
        ("int = [4, 16]", "int = [16, 4]", "its range is empty: 16 is above 4"),
        ("train.learning_rate", "train.learning_rte", "did you mean `learning_rate`"),
        ("keep = 2", "keep = 2\nobjective = \"val_loss\"", "no trial reports `val_loss`"),
        ("\"relu\", \"tanh\"", "\"relu\", \"thanh\"", "thanh"),
        ("trials = 8", "trails = 8", "did you mean `trials`"),
        ("per = \"model.layers\"", "per = \"model.depth\"", "no key `model.depth`"),
    ];
    for (right, wrong, said) in cases {
        let program = program(&SMALL.replace(right, wrong));
        let refused = program.run(&["tune", file(&program, "small")]);
        assert_eq!(refused.code, 2, "{wrong}: {}", refused.err);
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
        assert!(!program.root().join("tuner_results").exists());
        let checked = program.run(&["experiments", "check", file(&program, "small")]);
        assert!(checked.code == 2 && checked.err.contains(said), "{}", checked.err);
    }
    let none = program(SMALL).run(&["tune", "show", "nothing"]);
    assert!(none.code == 1 && none.err.contains("no search"), "{none:?}");
}
