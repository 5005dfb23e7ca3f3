//! Splits: which rows a model learns from and which it is judged by; by cell or by time, never by row.

use serde::{Deserialize, Serialize};

use super::Frame;
use super::folds::{self, FoldError};
use crate::descriptor::matches;
use crate::seed::Seed;

/// Root of the folds' streams: the same cells stand together in every experiment, whatever its seed.
const SPLIT_SEED: u64 = 2019;

/// Bins of what is asked for that are spread evenly over folds: a third each.
const STRATA: usize = 3;

/// How rows are separated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SplitConfig {
    /// Each cell in turn is unseen, but for its first `given` discharges; the others are learnt from.
    LeaveOneCellOut {
        /// Discharges at the begin of the unseen cell that are given.
        #[serde(default)]
        given: usize,
    },
    /// Groups of cells in turn are unseen.
    LeaveGroupOut {
        /// Cells of each group; every cell in exactly one.
        groups: Vec<Vec<String>>,
    },
    /// The first part of each cell is learnt from, the last is unseen; each cell is a fold.
    Time {
        /// Share of the cell's discharges that is given, 0-1; the cut is at `floor(fraction * n)`.
        fraction: f64,
        /// Whether the other cells are learnt from, whole.
        #[serde(default)]
        others: bool,
    },
    /// Fixed lists of cells, with `*` for any text; those in neither list are left out.
    Fixed {
        /// Cells to learn from.
        train: Vec<String>,
        /// Cells to judge by.
        test: Vec<String>,
    },
    /// Cross-validation, again and again with other folds: no group (protocol) on both sides, slow and fast ageing
    /// cells spread evenly.
    Grouped {
        /// Folds of one repetition, 2 or more.
        folds: usize,
        /// Repetitions, 1 or more. Default 1.
        #[serde(default = "one")]
        repeats: usize,
    },
    /// The cross-validation that the source of the data fixes, with all its repetitions.
    Stated,
}

fn one() -> usize {
    1
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self::LeaveOneCellOut { given: 0 }
    }
}

/// One way of separating the rows; positions of rows in the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Name: the unseen cell, or `group1`, `group2`, ... in the order of the file.
    pub name: String,
    /// Usable rows to learn from, the given rows of unseen cells included where the split is in time.
    pub train: Vec<usize>,
    /// Rows at the begin of unseen cells that are given.
    pub given: Vec<usize>,
    /// Rows to predict; the usable ones are scored.
    pub test: Vec<usize>,
    /// Repetition of the cross-validation that it belongs to, from 0.
    pub repeat: usize,
}

/// Why the rows could not be separated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// Occurs when a listed cell is not in the experiment.
    #[error("split: cell `{cell}` is not among the experiment's cells ({present})")]
    UnknownCell {
        /// Cell of the list.
        cell: String,
        /// Cells of the experiment.
        present: String,
    },
    /// Occurs when a cell is on both sides or in two groups.
    #[error("split: cell `{cell}` is listed twice; a cell is on one side only")]
    TwiceListed {
        /// Cell of the list.
        cell: String,
    },
    /// Occurs when one side of a fold is empty.
    #[error("split: fold `{fold}` has no {side} rows")]
    EmptySide {
        /// Name of the fold.
        fold: String,
        /// Side that is empty.
        side: &'static str,
    },
    /// Occurs when a search inside a fold would have nothing to leave out.
    #[error(
        "fold `{fold}` has {found} cells to learn from; a nested search needs two: set tuner.nested = false"
    )]
    TooFewCells {
        /// Name of the fold.
        fold: String,
        /// Cells that it has.
        found: usize,
    },
    /// Occurs when the source of the data fixes no cross-validation.
    #[error("split: cell `{cell}` states no fold of a cross-validation; give split.kind = \"grouped\"")]
    NotStated {
        /// First cell without.
        cell: String,
    },
    /// Occurs when the cells cannot be dealt into folds.
    #[error("split: {0}")]
    Grouped(#[from] FoldError),
    /// Occurs when the share is not between 0 and 1.
    #[error("split.fraction is {fraction}; give a number between 0 and 1")]
    Fraction {
        /// Value given.
        fraction: f64,
    },
}

impl SplitConfig {
    /// Returns the discharges at the begin of each cell that are given.
    pub fn given(&self) -> usize {
        if let Self::LeaveOneCellOut { given } = self { *given } else { 0 }
    }

    /// Returns whether the split separates time within a cell, not cells.
    pub fn is_in_time(&self) -> bool {
        matches!(self, Self::Time { .. }) || self.given() > 0
    }

    /// Separates the rows of a frame.
    ///
    /// # Errors
    /// Every variant of [`SplitError`].
    pub fn folds(&self, frame: &Frame) -> Result<Vec<Fold>, SplitError> {
        let folds = match self {
            Self::LeaveOneCellOut { given } => {
                (0..frame.cells.len()).map(|cell| leave_out(frame, &[cell], *given)).collect()
            }
            Self::LeaveGroupOut { groups } => {
                let mut seen = Vec::new();
                let mut group = |(number, group): (usize, &Vec<String>)| {
                    let fold = leave_out(frame, &cell_indices(frame, group, &mut seen)?, 0);
                    Ok(Fold { name: format!("group{}", number + 1), ..fold })
                };
                groups.iter().enumerate().map(&mut group).collect::<Result<_, SplitError>>()?
            }
            Self::Time { fraction, others } => {
                if !(*fraction > 0.0 && *fraction < 1.0) {
                    return Err(SplitError::Fraction { fraction: *fraction });
                }
                (0..frame.cells.len()).map(|cell| cut_in_time(frame, cell, *fraction, *others)).collect()
            }
            Self::Fixed { train, test } => vec![fixed(frame, train, test)?],
            Self::Grouped { folds, repeats } => {
                let cells: Vec<usize> = (0..frame.cells.len()).collect();
                let dealt = |repeat| dealt(frame, &cells, *folds, repeat);
                (0..*repeats).map(dealt).collect::<Result<Vec<_>, _>>()?.concat()
            }
            Self::Stated => stated(frame)?,
        };
        check(folds)
    }
}

pub(super) fn leave_out(frame: &Frame, unseen: &[usize], given: usize) -> Fold {
    let name = unseen.iter().map(|&c| frame.cells[c].id.as_str()).collect::<Vec<_>>().join("+");
    let seen: Vec<usize> = (0..frame.cells.len()).filter(|c| !unseen.contains(c)).collect();
    let rows: Vec<Vec<usize>> = unseen.iter().map(|&cell| frame.rows_of(cell)).collect();
    Fold {
        name,
        train: beyond_given(frame, usable_rows(frame, &seen), given),
        given: rows.iter().flat_map(|r| &r[..given.min(r.len())]).copied().collect(),
        test: rows.iter().flat_map(|r| &r[given.min(r.len())..]).copied().collect(),
        repeat: 0,
    }
}

/// Deals `cells` into `n_folds`, no group on both sides, and leaves each out in turn.
pub(super) fn dealt(
    frame: &Frame,
    cells: &[usize],
    n_folds: usize,
    repeat: usize,
) -> Result<Vec<Fold>, SplitError> {
    let known = |cell: &&usize| median_truth(frame, **cell).is_finite();
    let cells: Vec<usize> = cells.iter().filter(known).copied().collect();
    let truths: Vec<f64> = cells.iter().map(|&cell| median_truth(frame, cell)).collect();
    let groups: Vec<String> = cells.iter().map(|&c| frame.cells[c].group.clone()).collect();
    let seed = Seed::new(SPLIT_SEED).child(repeat);
    let of_cell = folds::grouped_by_value(&truths, &groups, n_folds, STRATA, &seed)?;
    let part = |fold: usize| {
        let unseen: Vec<usize> =
            cells.iter().zip(&of_cell).filter(|(_, f)| **f == fold).map(|(c, _)| *c).collect();
        let whole = leave_out(frame, &unseen, 0);
        let train =
            whole.train.into_iter().filter(|&row| cells.contains(&frame.rows[row].cell_idx)).collect();
        Fold { name: format!("repeat{} fold{}", repeat + 1, fold + 1), train, repeat, ..whole }
    };
    Ok((0..n_folds).map(part).collect())
}

/// Returns the median of what is asked for of a cell; NaN where nothing is known.
fn median_truth(frame: &Frame, cell: usize) -> f64 {
    let truths = frame.rows_of(cell).into_iter().map(|row| frame.rows[row].truth);
    let mut truths: Vec<f64> = truths.filter(|t| t.is_finite()).collect();
    truths.sort_by(f64::total_cmp);
    truths.get(truths.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the folds that the source states, repetition after repetition.
fn stated(frame: &Frame) -> Result<Vec<Fold>, SplitError> {
    let n_repeats = frame.cells.iter().map(|c| c.folds.len()).max().unwrap_or(0);
    if let Some(without) = frame.cells.iter().find(|c| c.folds.len() != n_repeats || n_repeats == 0) {
        return Err(SplitError::NotStated { cell: without.id.to_string() });
    }
    let one = |repeat: usize| {
        let of_cell = move |cell: usize| frame.cells[cell].folds[repeat];
        let last = (0..frame.cells.len()).map(of_cell).max().unwrap_or(0);
        (0..=last).map(move |fold| {
            let unseen: Vec<usize> = (0..frame.cells.len()).filter(|&c| of_cell(c) == fold).collect();
            let name = format!("repeat{} fold{}", repeat + 1, fold + 1);
            Fold { name, repeat, ..leave_out(frame, &unseen, 0) }
        })
    };
    Ok((0..n_repeats).flat_map(one).collect())
}

/// Keeps the rows after the given ones: a model that continues a begin learns from continuations.
fn beyond_given(frame: &Frame, rows: Vec<usize>, given: usize) -> Vec<usize> {
    let position = |row: usize| row - frame.rows_of(frame.rows[row].cell_idx)[0];
    rows.into_iter().filter(|&row| given == 0 || position(row) >= given).collect()
}

fn cut_in_time(frame: &Frame, cell: usize, fraction: f64, others: bool) -> Fold {
    let rows = frame.rows_of(cell);
    let (given, test) = rows.split_at((fraction * rows.len() as f64).floor() as usize);
    let rest: Vec<usize> = (0..frame.cells.len()).filter(|&c| others && c != cell).collect();
    let mut train: Vec<usize> =
        given.iter().copied().filter(|&row| frame.rows[row].label.is_finite()).collect();
    train.extend(usable_rows(frame, &rest));
    train.sort_unstable();
    Fold {
        name: frame.cells[cell].id.to_string(),
        train,
        given: given.to_vec(),
        test: test.to_vec(),
        repeat: 0,
    }
}

fn fixed(frame: &Frame, train: &[String], test: &[String]) -> Result<Fold, SplitError> {
    let mut seen = Vec::new();
    let train = cell_indices(frame, train, &mut seen)?;
    let test = cell_indices(frame, test, &mut seen)?;
    let rows = test.iter().flat_map(|&cell| frame.rows_of(cell)).collect();
    Ok(Fold {
        name: "test".into(),
        train: usable_rows(frame, &train),
        given: Vec::new(),
        test: rows,
        repeat: 0,
    })
}

fn usable_rows(frame: &Frame, cells: &[usize]) -> Vec<usize> {
    (0..frame.rows.len()).filter(|&r| cells.contains(&frame.rows[r].cell_idx) && frame.is_usable(r)).collect()
}

fn cell_indices(frame: &Frame, names: &[String], seen: &mut Vec<usize>) -> Result<Vec<usize>, SplitError> {
    let mut indices = Vec::new();
    for name in names {
        let named = |cell: &usize| matches(name, frame.cells[*cell].id.as_str());
        let found: Vec<usize> = (0..frame.cells.len()).filter(named).collect();
        if found.is_empty() {
            let present = frame.cells.iter().map(|c| c.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(SplitError::UnknownCell { cell: name.clone(), present });
        }
        if let Some(twice) = found.iter().find(|cell| seen.contains(cell)) {
            return Err(SplitError::TwiceListed { cell: frame.cells[*twice].id.to_string() });
        }
        seen.extend(&found);
        indices.extend(found);
    }
    Ok(indices)
}

fn check(folds: Vec<Fold>) -> Result<Vec<Fold>, SplitError> {
    for fold in &folds {
        for (side, rows) in [("training", &fold.train), ("test", &fold.test)] {
            if rows.is_empty() {
                return Err(SplitError::EmptySide { fold: fold.name.clone(), side });
            }
        }
    }
    Ok(folds)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cell::CellId;
    use crate::prepare::frame::{FrameCell, Row};

    /// Returns cells of some sizes, the second row of each unusable.
    pub(in crate::prepare) fn frame(sizes: &[usize]) -> Frame {
        let mut frame = Frame::default();
        for (cell_idx, &n) in sizes.iter().enumerate() {
            let (id, folds) = (CellId::new(format!("C{cell_idx}")), Vec::new());
            let group = id.to_string();
            let cell = FrameCell { id, reference_ah: 1.0, eol_ah: None, synthetic: false, group, folds };
            frame.cells.push(cell);
            for cycle in 1..=n as u32 {
                let set_aside = (cycle == 2).then(|| "unusable".to_string());
                frame.rows.push(Row { cell_idx, cycle, truth: 1.0, label: 1.0, set_aside });
            }
        }
        frame
    }

    #[test]
    fn no_row_is_on_both_sides_and_unusable_ones_are_never_learnt_from() {
        let frame = frame(&[5, 6, 7]);
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_string()).collect::<Vec<_>>();
        let splits = [
            SplitConfig::default(),
            SplitConfig::LeaveOneCellOut { given: 3 },
            SplitConfig::LeaveGroupOut { groups: vec![names(&["C0", "C2"]), names(&["C1"])] },
            SplitConfig::Time { fraction: 0.8, others: true },
            SplitConfig::Fixed { train: names(&["C0"]), test: names(&["C2"]) },
        ];
        for split in splits {
            for fold in split.folds(&frame).unwrap() {
                assert!(fold.train.iter().all(|r| !fold.test.contains(r)), "{split:?}");
                assert!(fold.given.iter().all(|r| !fold.test.contains(r)));
                if !split.is_in_time() {
                    assert!(fold.train.iter().all(|&r| frame.is_usable(r)));
                }
            }
        }
    }

    #[test]
    fn time_cuts_at_the_floor() {
        let folds = SplitConfig::Time { fraction: 0.8, others: false }.folds(&frame(&[7])).unwrap();
        assert_eq!((folds[0].given.len(), folds[0].test.len()), (5, 2));
    }

    /// Eight cells of two rows, in four groups of two.
    fn grouped_frame() -> Frame {
        let mut frame = frame(&[2; 8]);
        for (idx, cell) in frame.cells.iter_mut().enumerate() {
            cell.group = format!("protocol{}", idx / 2);
            cell.folds = vec![idx as u32 % 2, idx as u32 / 4];
        }
        for row in &mut frame.rows {
            row.truth = row.cell_idx as f64;
        }
        frame
    }

    #[test]
    fn no_group_stands_on_both_sides_and_every_cell_is_left_out_once_a_repetition() {
        let frame = grouped_frame();
        let folds = SplitConfig::Grouped { folds: 4, repeats: 3 }.folds(&frame).unwrap();
        assert_eq!(folds.len(), 12);
        let group = |row: &usize| &frame.cells[frame.rows[*row].cell_idx].group;
        for fold in &folds {
            let unseen: Vec<_> = fold.test.iter().map(group).collect();
            assert!(fold.train.iter().all(|row| !unseen.contains(&group(row))), "{fold:?}");
        }
        for repeat in 0..3 {
            let own = folds.iter().filter(|f| f.repeat == repeat).flat_map(|f| f.test.clone());
            let mut rows: Vec<usize> = own.collect();
            rows.sort_unstable();
            assert_eq!(rows, (0..16).collect::<Vec<_>>());
        }
        assert!(matches!(
            SplitConfig::Grouped { folds: 5, repeats: 1 }.folds(&frame),
            Err(SplitError::Grouped(_))
        ));
    }

    #[test]
    fn stated_folds_are_those_of_the_source() {
        let mut frame = grouped_frame();
        let folds = SplitConfig::Stated.folds(&frame).unwrap();
        let cells = |f: &Fold| f.test.iter().map(|&row| frame.rows[row].cell_idx).collect::<Vec<_>>();
        assert_eq!(folds.iter().map(|f| f.repeat).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(cells(&folds[0]), [0, 0, 2, 2, 4, 4, 6, 6]);
        assert_eq!(cells(&folds[3]), [4, 4, 5, 5, 6, 6, 7, 7]);
        frame.cells[3].folds.clear();
        assert!(
            matches!(SplitConfig::Stated.folds(&frame), Err(SplitError::NotStated { cell }) if cell == "C3")
        );
    }

    #[test]
    fn wrong_lists_are_errors_that_name_the_cell() {
        let frame = frame(&[3, 3]);
        let fixed = |train: &str, test: &str| {
            SplitConfig::Fixed { train: vec![train.into()], test: vec![test.into()] }.folds(&frame)
        };
        assert!(matches!(fixed("C0", "C9"), Err(SplitError::UnknownCell { .. })));
        assert!(matches!(fixed("C0", "C0"), Err(SplitError::TwiceListed { .. })));
        let all = SplitConfig::LeaveOneCellOut { given: 3 };
        assert!(matches!(all.folds(&frame), Err(SplitError::EmptySide { side: "training", .. })));
    }
}
