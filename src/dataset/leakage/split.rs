//! Rows and cells on both sides of a split.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Inputs, Leak, LeakRule, Row, Verdict};

/// What a split claims to keep apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separation {
    /// No cell is on both sides.
    Cells,
    /// A cell may be on both sides, its tested rows later than its trained ones.
    Time,
}

/// One fold: positions of the rows on each side.
#[derive(Debug, Clone, Copy)]
pub struct Fold<'a> {
    /// Name in the report (`B0005`).
    pub name: &'a str,
    /// Rows that are trained on.
    pub train: &'a [usize],
    /// Rows that are tested.
    pub test: &'a [usize],
}

/// Returns what is wrong with the folds, one finding a fold and rule.
pub(super) fn check(inputs: &Inputs) -> Vec<Leak> {
    inputs.folds.iter().flat_map(|fold| check_fold(inputs, fold)).collect()
}

fn check_fold(inputs: &Inputs, fold: &Fold) -> Vec<Leak> {
    let train: BTreeSet<Row> = fold.train.iter().map(|&k| inputs.rows[k]).collect();
    let test: BTreeSet<Row> = fold.test.iter().map(|&k| inputs.rows[k]).collect();
    let both: Vec<Row> = train.intersection(&test).copied().collect();
    let mut found = Vec::new();
    if let Some(first) = both.first() {
        let (cell, cycle, name) = (&inputs.cells[first.cell_idx], first.cycle, fold.name);
        let n = both.len();
        let sentence =
            format!("{n} rows are on both sides of fold `{name}`, first cycle {cycle} of cell `{cell}`");
        found.push(leak(LeakRule::RowOnBothSides, fold, sentence));
    }
    found.extend(match inputs.separation {
        Separation::Cells => shared_cells(inputs, fold, &train, &test),
        Separation::Time => late_training(inputs, fold, &train, &test),
    });
    found
}

fn shared_cells(inputs: &Inputs, fold: &Fold, train: &BTreeSet<Row>, test: &BTreeSet<Row>) -> Option<Leak> {
    let cells_of = |rows: &BTreeSet<Row>| rows.iter().map(|r| r.cell_idx).collect::<BTreeSet<_>>();
    let names: Vec<String> = (cells_of(train).intersection(&cells_of(test)))
        .map(|&cell_idx| format!("`{}`", inputs.cells[cell_idx]))
        .collect();
    let sentence =
        || format!("fold `{}` trains and tests on the same cells: {}", fold.name, names.join(", "));
    (!names.is_empty()).then(|| leak(LeakRule::CellOnBothSides, fold, sentence()))
}

fn late_training(inputs: &Inputs, fold: &Fold, train: &BTreeSet<Row>, test: &BTreeSet<Row>) -> Option<Leak> {
    let mut first_tested: BTreeMap<usize, u32> = BTreeMap::new();
    for row in test {
        first_tested.entry(row.cell_idx).or_insert(row.cycle);
    }
    let late = |row: &&Row| first_tested.get(&row.cell_idx).is_some_and(|&first| row.cycle > first);
    let row = train.iter().find(late)?;
    let (cell, first) = (&inputs.cells[row.cell_idx], first_tested[&row.cell_idx]);
    let sentence = format!(
        "fold `{}` trains on cycle {} of cell `{cell}` and tests on its cycle {first}, which is earlier",
        fold.name, row.cycle
    );
    Some(leak(LeakRule::TrainsOnFuture, fold, sentence))
}

fn leak(rule: LeakRule, fold: &Fold, sentence: String) -> Leak {
    Leak { rule, verdict: Verdict::Refuse, input: None, fold: Some(fold.name.into()), fit: None, sentence }
}
