//! The catalogue of descriptors: what each row says, its document, on which data it is computable, that no two are the same.

mod cells;
mod coverage;
mod damaged;
mod distinct;
mod document;
mod verbs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fadecast::descriptor;
use fadecast::descriptor::early::{FAMILIES, catalogue};

/// Symbols that units are made of, by `/`, a space for a product, `^` for a power and `log10()`.
const SYMBOLS: [&str; 18] = [
    "1", "A", "Ah", "V", "Wh", "s", "h", "d", "Hz", "K", "degC", "degree", "ohm", "F", "H", "g", "cycle",
    "cycles",
];

/// Words that names begin with: what the cell was doing, or who states the number.
const PHASES: [&str; 14] = [
    "assembly",
    "charge",
    "cycle",
    "diagnostic",
    "discharge",
    "electrode",
    "formation",
    "gitt",
    "history",
    "hold",
    "impedance",
    "policy",
    "pulse",
    "rest",
];

#[test]
fn there_are_many_and_each_is_called_once() {
    let formulas: BTreeSet<&str> = catalogue().map(|d| d.formula).collect();
    assert!(catalogue().count() >= 200, "{}", catalogue().count());
    assert!(formulas.len() >= 120, "{}", formulas.len());
    let names = || catalogue().map(|d| d.name).chain(descriptor::catalogue().map(|d| d.name));
    let distinct: BTreeSet<&str> = names().collect();
    let doubled: Vec<&str> =
        distinct.iter().copied().filter(|name| names().filter(|n| n == name).count() > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

#[test]
fn every_row_keeps_the_grammar() {
    let bibliography = std::fs::read_to_string(root().join("docs/references.bib")).unwrap();
    let keys: BTreeSet<&str> = bibliography
        .lines()
        .filter(|l| l.starts_with('@'))
        .filter_map(|l| l.split(['{', ',']).nth(1))
        .collect();
    let mut problems = Vec::new();
    for d in catalogue() {
        let says: [(bool, &str); 6] = [
            (is_name(d.name), "the name is no `<phase>_<signal>_<statistic>`"),
            (is_unit(d.unit), "the unit is none of the house"),
            (keys.contains(d.citation), "the citation is not in docs/references.bib"),
            (d.doc.ends_with('.') && d.doc.starts_with(|c: char| !c.is_lowercase()), "the sentence is none"),
            (!d.formula.is_empty() && !d.formula.ends_with('.'), "the formula is empty or a sentence"),
            (!d.needs.is_empty(), "it needs nothing"),
        ];
        problems.extend(
            says.iter().filter(|(fine, _)| !fine).map(|(_, what)| format!("{}: {what} ({d:?})", d.name)),
        );
    }
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
    assert!(FAMILIES.iter().all(|(family, rows)| !family.is_empty() && !rows.is_empty()));
}

#[test]
fn the_grammar_can_be_broken() {
    for good in ["1", "V/cycle", "A s^0.5/cycle", "log10(1/s)/cycle", "Ah^2/V^2", "K h", "log10(V^2)"] {
        assert!(is_unit(good), "{good}");
    }
    for bad in ["", "V2", "volt", "V/", "V//s", "V^x", "log10(", "log10(m)", "/s"] {
        assert!(!is_unit(bad), "{bad}");
    }
    for bad in ["voltage_mean", "charge", "charge_", "charge__x", "Charge_x", "charge-x"] {
        assert!(!is_name(bad), "{bad}");
    }
}

fn is_name(name: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let (phase, rest) = name.split_once('_').unwrap_or((name, ""));
    PHASES.contains(&phase) && rest.split('_').all(plain)
}

fn is_unit(unit: &str) -> bool {
    let factor = |text: &str| {
        let (symbol, power) = text.split_once('^').unwrap_or((text, "1"));
        SYMBOLS.contains(&symbol) && power.parse::<f64>().is_ok()
    };
    let product = |text: &str| text.split('/').all(|part| part.split(' ').all(factor));
    match unit.strip_prefix("log10(").map(|rest| rest.split_once(')')) {
        Some(Some((inner, rest))) => {
            product(inner) && (rest.is_empty() || rest.strip_prefix('/').is_some_and(product))
        }
        Some(None) => false,
        None => product(unit),
    }
}

/// Writes `text` to a file of the repository where `FADECAST_BLESS` is set; else it must be there already.
fn assert_is_file(relative: &str, text: &str) {
    let path = root().join(relative);
    if std::env::var_os("FADECAST_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = found.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        found == text,
        "{relative} is not what the catalogue says (line {:?}); `FADECAST_BLESS=1 cargo test --release --test it descriptors` \
        writes it",
        line.map(|line| line + 1)
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}
