//! Citations: every `[Key]` in the code is in docs/references.bib, and each key once.

use std::fs;

use super::{Source, root};

pub(super) fn is_listed(source: &Source) -> Vec<String> {
    let (listed, text) = (bibliography(), source.lines.join("\n"));
    let bracketed = text.split('[').skip(1).filter_map(|rest| rest.split([']', ',']).next());
    let missing = bracketed.filter(|key| is_citation(key) && !listed.iter().any(|k| k == key));
    missing.map(|key| format!("`[{key}]` is not in docs/references.bib")).collect()
}

/// Returns whether `key` is like `Xu2018` or `ASTM-E1049`: letters, then four digits.
fn is_citation(key: &str) -> bool {
    let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let letters = name.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    letters
        && name.len() > 1
        && key.len() == name.len() + 4
        && key.starts_with(|c: char| c.is_ascii_uppercase())
}

fn bibliography() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/references.bib")).unwrap();
    let entries = text.lines().filter(|line| line.starts_with('@'));
    entries.map(|line| line.split(['{', ',']).nth(1).unwrap().to_owned()).collect()
}

#[test]
fn the_bibliography_lists_each_key_once() {
    let mut keys = bibliography();
    keys.sort();
    assert!(
        keys.len() > 20 && keys.windows(2).all(|pair| !pair[0].eq_ignore_ascii_case(&pair[1])),
        "{keys:?}"
    );
}
