//! Documents that repeat the code: they must say the same.

use std::fs;

use super::{LEVELS, root};

#[test]
fn the_architecture_shows_the_levels() {
    let document = text("ARCHITECTURE.md");
    for row in LEVELS {
        let shown = row.iter().map(|module| format!("`{module}`")).collect::<Vec<_>>().join(" ");
        assert!(document.contains(&format!("| {shown} |")), "ARCHITECTURE.md has no row {shown}");
    }
}

#[test]
fn the_changelog_says_what_each_dependency_spares_us() {
    let (manifest, changelog) = (text("Cargo.toml"), text("CHANGELOG.md"));
    let dependencies = manifest.lines().skip_while(|line| *line != "[dependencies]");
    let names =
        dependencies.filter(|line| !line.starts_with('[')).filter_map(|line| Some(line.split_once(" = ")?.0));
    let names: Vec<&str> = names.take_while(|name| *name != "debug").collect();
    assert!(names.contains(&"polars") && names.contains(&"tempfile"), "{names:?}");
    let lines: Vec<&str> = changelog.lines().filter(|line| line.starts_with("- ")).collect();
    let is_said = |name: &str| lines.iter().any(|l| l[2..].split([',', ' ', ':']).any(|word| word == name));
    let missing: Vec<&str> = names.into_iter().filter(|name| !is_said(name)).collect();
    assert!(missing.is_empty(), "CHANGELOG.md says nothing of {missing:?}");
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}
