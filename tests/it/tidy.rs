//! The house rules of ARCHITECTURE.md, on the text of `src/`; std only. Each stands beside a text that breaks it.

mod citation;
mod documents;
mod source;

use std::path::{Path, PathBuf};

use source::Source;

/// Modules from the ground up; a module imports from lower rows, and within its own row from those on its left.
const LEVELS: [&[&str]; 6] = [
    &["units", "seed", "file", "device", "signal", "tuner"],
    &["cell", "metric", "physics"],
    &["dataset", "simulate"],
    &["descriptor", "prepare"],
    &["model", "train", "uq"],
    &["pipeline", "experiment", "registry", "export", "predict", "serve", "facade", "report", "cli"],
];

/// The one import upwards: `prepare::batch` fills the trainer's `Rows`, so that `f32` is made in one file.
const UPWARDS: [(&str, &str); 1] = [("prepare/batch.rs", "train")];

/// What only some modules may use: the words, the modules.
const CONFINED: [(&[&str], &[&str]); 10] = [
    (&["burn::", "burn_ndarray::", "burn_wgpu::"], &["device", "model", "train"]),
    (&["hessboost::"], &["model"]),
    (&["polars::"], &["dataset"]),
    (&["clap::", "anyhow::"], &["cli", "main"]),
    (&["kuva::"], &["report"]),
    (&["prost::"], &["export"]),
    (&["axum::", "hyper::", "hyper_util::", "tokio::", "prometheus_client::"], &["serve"]),
    (&["println!", "eprintln!", "print!", "eprint!", "indicatif::"], &["cli", "main"]),
    (
        &["fs::write", "fs::create_", "fs::rename", "fs::remove_", "fs::copy", "File::create", "OpenOptions"],
        &["file"],
    ),
    (&["unsafe"], &[]),
];

const BANNED_NAMES: [&str; 8] = ["utils", "util", "common", "base", "helpers", "helper", "types", "manager"];
const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 60;

/// A rule, and the path and the text of a file that breaks it.
type Rule = (fn(&Source) -> Vec<String>, &'static str, String);

fn rules() -> Vec<Rule> {
    let purpose = "//! Why.\n";
    let bodies = format!("{purpose}fn long() {{\n{}}}\n", "    x();\n".repeat(MAX_FUNCTION_LINES - 1));
    vec![
        (says_its_purpose, "train/fit.rs", "use std::fs;\n//! Why.".into()),
        (is_short, "train/fit.rs", purpose.repeat(MAX_FILE_LINES + 1)),
        (has_short_functions, "train/fit.rs", bodies),
        (has_a_telling_name, "train/utils/mod.rs", purpose.into()),
        (imports_downwards, "cell/health.rs", format!("{purpose}use crate::{{units, model::{{A, B}}}};")),
        (imports_downwards, "metric/life.rs", format!("{purpose}use super::super::physics::Law;")),
        (imports_downwards, "prepare/scale.rs", format!("{purpose}fn f() {{ crate::train::fit() }}")),
        (imports_downwards, "novelty.rs", purpose.into()),
        (citation::is_listed, "train/fit.rs", format!("{purpose}/// After `[Nobody1900]`.")),
    ]
}

#[test]
fn every_source_file_keeps_the_rules() {
    let sources = source::every(&root().join("src"));
    assert!(sources.len() > 50 && sources.iter().any(|s| s.path == "cell/health.rs"));
    let rules: Vec<_> =
        rules().into_iter().map(|(rule, ..)| rule).chain([keeps_to_its_crates as fn(&_) -> _]).collect();
    let broken = |s: &Source| -> Vec<String> {
        let problems = rules.iter().flat_map(|rule| rule(s));
        problems.map(|problem| format!("src/{}: {problem}", s.path)).collect()
    };
    let mut problems: Vec<String> = sources.iter().flat_map(broken).collect();
    problems.sort();
    problems.dedup();
    assert!(problems.is_empty(), "{} broken rules\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_rule_can_fail() {
    for (rule, path, text) in rules() {
        assert!(!rule(&Source::new(path, &text)).is_empty(), "nothing said of {path}: {text}");
        let good = "//! Why.\n//! See `[Xu2018]`.\nuse crate::file;\nfn f() {\n}\n#[cfg(test)]\nmod tests {\nuse crate::cli;\n}";
        assert_eq!(rule(&Source::new("train/fit.rs", good)), [""; 0]);
    }
    for word in CONFINED.iter().flat_map(|(words, _)| *words) {
        let text = |before: &str| format!("//! Why.\n    {before}{word}x");
        assert!(!keeps_to_its_crates(&Source::new("signal/smooth.rs", &text(""))).is_empty(), "{word}");
        assert_eq!(keeps_to_its_crates(&Source::new("signal/smooth.rs", &text("// "))), [""; 0]);
    }
}

fn says_its_purpose(source: &Source) -> Vec<String> {
    let says = source.lines.first().is_some_and(|line| line.starts_with("//! "));
    problem(!says, || "line 1 must be `//! ` and what the file is for".into())
}

fn is_short(source: &Source) -> Vec<String> {
    let n = source.n_code;
    problem(n > MAX_FILE_LINES, || format!("{n} lines that are not tests, over {MAX_FILE_LINES}"))
}

fn has_short_functions(source: &Source) -> Vec<String> {
    let long = source.functions().into_iter().filter(|(_, n)| *n > MAX_FUNCTION_LINES);
    long.map(|(line, n)| format!("line {line}: a function of {n} lines, over {MAX_FUNCTION_LINES}")).collect()
}

fn has_a_telling_name(source: &Source) -> Vec<String> {
    let banned = source.path.trim_end_matches(".rs").split('/').find(|name| BANNED_NAMES.contains(name));
    problem(banned.is_some(), || format!("`{}` says nothing; name the concept", banned.unwrap()))
}

fn imports_downwards(source: &Source) -> Vec<String> {
    let place =
        |(level, row): (usize, &&[&str]), name: &str| Some((level, row.iter().position(|m| *m == name)?));
    let rank = |name: &str| LEVELS.iter().enumerate().find_map(|row| place(row, name));
    let module = source.module();
    let Some(own) = rank(module) else {
        return problem(!["lib", "main"].contains(&module), || format!("`{module}` has no row in LEVELS"));
    };
    let excepted = |name: &str| UPWARDS.contains(&(source.path.as_str(), name));
    let upwards = source.imports().into_iter().filter(|n| rank(n).is_some_and(|r| r > own) && !excepted(n));
    upwards.map(|name| format!("imports `{name}`, which stands above `{module}`")).collect()
}

fn keeps_to_its_crates(source: &Source) -> Vec<String> {
    let closed = CONFINED.iter().filter(|(_, owners)| !owners.contains(&source.module()));
    let used = closed.flat_map(|(words, owners)| words.iter().map(move |word| (word, owners)));
    let used = used.filter(|(word, _)| source.uses(word));
    used.map(|(word, owners)| format!("uses `{word}`, which only {owners:?} may")).collect()
}

fn problem(found: bool, text: impl FnOnce() -> String) -> Vec<String> {
    found.then(text).into_iter().collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}
