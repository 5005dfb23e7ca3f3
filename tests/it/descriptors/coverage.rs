//! docs/descriptor-coverage.csv: of each family, how many descriptors have a value for some cell of a dataset.

use super::{assert_is_file, cells, document, root};

/// The file, in the repository.
pub(super) const FILE: &str = "docs/descriptor-coverage.csv";

/// Computable for no cell at hand: its spectra do not reach the frequencies where leads are inductive.
const UNSEEN: [&str; 1] = ["impedance_inductance_median"];

#[test]
fn the_document_counts_what_the_data_gives() {
    let Some(real) = cells::real() else { return simulated_columns_hold() };
    let datasets: Vec<&cells::Named> = real.iter().chain(cells::simulated()).collect();
    let mut text = String::from("family,descriptors");
    for (name, matrix) in &datasets {
        text.push_str(&format!(",{name} ({})", matrix.cells.len()));
    }
    let counts: Vec<_> = datasets.iter().map(|(_, matrix)| matrix.families()).collect();
    for (row, (family, n, _)) in counts[0].iter().enumerate() {
        let computed: Vec<String> = counts.iter().map(|families| families[row].2.to_string()).collect();
        text.push_str(&format!("\n{family},{n},{}", computed.join(",")));
    }
    text.push('\n');
    assert_is_file(FILE, &text);
    if std::env::var_os("FADECAST_BLESS").is_some() {
        document::assert_is_generated();
    }
    let computable =
        |idx: usize| datasets.iter().any(|(_, matrix)| matrix.values.iter().any(|row| row[idx].is_ok()));
    let never: Vec<&str> = real[0]
        .1
        .descriptors
        .iter()
        .enumerate()
        .filter(|(idx, _)| !computable(*idx))
        .map(|(_, d)| d.name)
        .collect();
    assert_eq!(never, UNSEEN);
}

/// Without real data the last columns are still checked.
fn simulated_columns_hold() {
    let text = std::fs::read_to_string(root().join(FILE)).unwrap();
    let fleets = cells::simulated();
    for (column, (name, matrix)) in fleets.iter().enumerate() {
        for (line, (family, _, computed)) in text.lines().skip(1).zip(matrix.families()) {
            let from_the_end = fleets.len() - 1 - column;
            let counted = line.rsplit(',').nth(from_the_end).unwrap();
            assert_eq!(counted, computed.to_string(), "{family} of {name}");
        }
    }
}
