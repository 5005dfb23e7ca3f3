//! docs/descriptors.md is made of the catalogue.

use std::collections::BTreeSet;

use fadecast::descriptor;
use fadecast::descriptor::early::{EarlyDescriptor, FAMILIES, catalogue};

use super::{assert_is_file, coverage, root};

const HEAD: &str = "\
A value that cannot be computed is missing, with the reason, never 0. Names follow `<phase>_<signal>_<statistic>[_<window>]`.
Two descriptors share a formula where they differ only in their window, level or number of a peak. Sources are keys of
[references.bib](references.bib): the publication that proposes a descriptor or defines its formula.

```sh
fadecast descriptors list --needs gitt                               # those that need a titration; --family, --json
fadecast descriptors compute severson --cycles 1..100 --out it.parquet   # one row a cell; units and reasons in the metadata
```
";

#[test]
fn the_document_is_that_of_the_catalogue() {
    assert_is_generated();
}

pub(super) fn assert_is_generated() {
    let formulas: BTreeSet<&str> = catalogue().map(|d| d.formula).collect();
    let mut text = String::from(
        "# Descriptors\n\nThis file is generated; a test fails when it is stale and says how to make it anew.\n\n",
    );
    text.push_str(&format!(
        "{} descriptors of whole cells, made of their first cycles by {} distinct formulas, in {} families; and {} of a single\n\
        discharge. {HEAD}\n## How many can be computed\n\n{}",
        catalogue().count(),
        formulas.len(),
        FAMILIES.len(),
        descriptor::catalogue().count(),
        computable()
    ));
    for (family, rows) in FAMILIES {
        text.push_str(&format!(
            "\n## {}\n\n| name | unit | what | needs | source |\n|---|---|---|---|---|\n",
            title(family)
        ));
        text.extend(rows.iter().map(row));
    }
    text.push_str("\n## Of one discharge\n\n| name | unit | what |\n|---|---|---|\n");
    text.extend(
        descriptor::catalogue().map(|d| format!("| `{}` | {} | {} |\n", d.name, d.unit, cell(d.doc))),
    );
    assert_is_file("docs/descriptors.md", &text);
}

fn row(d: &EarlyDescriptor) -> String {
    let needs: Vec<String> = d.needs.iter().map(ToString::to_string).collect();
    format!("| `{}` | {} | {} | {} | {} |\n", d.name, d.unit, cell(d.doc), needs.join(", "), d.citation)
}

/// Returns the table of what datasets give, from the file that `coverage` checks.
fn computable() -> String {
    let counts = std::fs::read_to_string(root().join(coverage::FILE)).unwrap();
    let mut text = String::from(
        "Descriptors of each family that have a value for at least one cell over cycles 1 to 100, by dataset, with its number of\n\
        cells; `nasa` are NASA's `.mat` files, `nasa-csv` the CSV copies, which lack the charges; the embedded fleets are synthetic.\n\n",
    );
    for (idx, line) in counts.lines().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if idx == 0 {
            text.push_str(&format!("|---{}|\n", "|---:".repeat(cells.len() - 1)));
        }
    }
    let sum = |column: usize| -> u32 {
        counts.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().parse::<u32>().unwrap()).sum()
    };
    let n_columns = counts.lines().next().unwrap().split(',').count();
    let sums: Vec<String> = (1..n_columns).map(|column| sum(column).to_string()).collect();
    text.push_str(&format!("| all | {} |\n", sums.join(" | ")));
    text
}

fn title(family: &str) -> String {
    let mut letters = family.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
