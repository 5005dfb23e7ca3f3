//! Splits inside splits: the folds by which settings are chosen, made of training rows alone.

use std::collections::BTreeSet;

use super::split::{Fold, SplitConfig, SplitError};
use super::{Frame, split};

/// A search of its own: outer folds that share their settings, and the inner folds that choose them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name of the outer fold, where each has a search of its own.
    pub name: Option<String>,
    /// Positions of the outer folds whose settings it chooses.
    pub outer: Vec<usize>,
    /// Inner folds; none of their rows is a test row of `outer`.
    pub folds: Vec<Fold>,
}

/// How training cells are dealt into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner {
    /// Folds, 2 or more; at most as many as there are cells.
    pub folds: usize,
    /// Times that cells of one row are dealt anew, 1 or more; longer cells are dealt once.
    pub repeats: usize,
}

/// Separates the training rows of `outer`, the folds of `split`, once more.
///
/// Where the split separates cells, each outer fold is a part, and each of its training cells (or `inner.folds` groups of
/// them) is unseen in turn. Where it separates time, all folds are one part: what was given of a cell is cut again, as
/// many rows before its end as the outer fold has to predict, and at most half of it.
///
/// # Errors
/// [`SplitError::TooFewCells`] where a part has less than two cells to learn from.
pub fn parts(
    split: &SplitConfig,
    frame: &Frame,
    outer: &[Fold],
    inner: Inner,
) -> Result<Vec<Part>, SplitError> {
    if let SplitConfig::Time { .. } = split {
        let folds = cut_again(frame, outer);
        return Ok(vec![Part { name: None, outer: (0..outer.len()).collect(), folds }]);
    }
    let single = outer.len() == 1;
    let part = |(idx, fold): (usize, &Fold)| {
        let folds = regroup(frame, fold, split.given(), inner)?;
        Ok(Part { name: (!single).then(|| fold.name.clone()), outer: vec![idx], folds })
    };
    outer.iter().enumerate().map(part).collect()
}

/// Leaves each training cell of a fold out in turn, or groups of them.
///
/// # Errors
/// [`SplitError::TooFewCells`], and [`SplitError::Grouped`] where each cell is one row.
pub fn regroup(frame: &Frame, fold: &Fold, given: usize, inner: Inner) -> Result<Vec<Fold>, SplitError> {
    let cell = |row: &usize| frame.rows[*row].cell_idx;
    let cells: Vec<usize> = fold.train.iter().map(cell).collect::<BTreeSet<_>>().into_iter().collect();
    if cells.len() < 2 || inner.folds < 2 {
        return Err(SplitError::TooFewCells { fold: fold.name.clone(), found: cells.len() });
    }
    if frame.is_one_row_a_cell() {
        let dealt = |repeat| split::dealt(frame, &cells, inner.folds, repeat);
        return Ok((0..inner.repeats).map(dealt).collect::<Result<Vec<_>, _>>()?.concat());
    }
    let n = inner.folds.min(cells.len());
    // What is given of an unseen cell adapts a model to that cell alone: groups would mix them.
    let unseen = |idx: usize| match given {
        0 => cells.iter().copied().skip(idx).step_by(n).collect(),
        _ => vec![cells[idx * cells.len() / n]],
    };
    let group = |idx: usize| {
        let unseen: Vec<usize> = unseen(idx);
        let train = fold.train.iter().copied().filter(|row| !unseen.contains(&cell(row))).collect();
        let name = |single: &Fold| match unseen.len() {
            1 => single.name.clone(),
            _ => format!("inner{}", idx + 1),
        };
        let left_out = split::leave_out(frame, &unseen, given);
        Fold { name: name(&left_out), train, ..left_out }
    };
    Ok((0..n).map(group).collect())
}

/// Cuts what is given of each cell once more, and keeps every outer test row out.
fn cut_again(frame: &Frame, outer: &[Fold]) -> Vec<Fold> {
    let hidden: BTreeSet<usize> = outer.iter().flat_map(|f| &f.test).copied().collect();
    let cut = |fold: &Fold| {
        let keep = (fold.given.len() - fold.test.len().min(fold.given.len() / 2)).max(1);
        let (given, test) = fold.given.split_at(keep);
        let learnt = |row: &usize| !hidden.contains(row) && !test.contains(row);
        Fold {
            name: fold.name.clone(),
            train: fold.train.iter().copied().filter(learnt).collect(),
            given: given.to_vec(),
            test: test.iter().copied().filter(|&row| frame.rows[row].label.is_finite()).collect(),
            repeat: 0,
        }
    };
    outer.iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::split::tests::frame;
    use proptest::prelude::*;

    fn names(list: &[usize]) -> Vec<String> {
        list.iter().map(|c| format!("C{c}")).collect()
    }

    proptest! {
        #[test]
        fn no_inner_fold_touches_a_row_that_its_part_must_not_see(
            sizes in proptest::collection::vec(12_usize..30, 4..9),
            n_folds in 2_usize..6,
            kind in 0_usize..5,
        ) {
            let frame = frame(&sizes);
            let all: Vec<usize> = (0..sizes.len()).collect();
            let split = match kind {
                0 => SplitConfig::default(),
                1 => SplitConfig::LeaveOneCellOut { given: 4 },
                2 => SplitConfig::LeaveGroupOut { groups: vec![names(&all[..2]), names(&all[2..])] },
                3 => SplitConfig::Time { fraction: 0.7, others: true },
                _ => SplitConfig::Fixed { train: names(&all[1..]), test: names(&all[..1]) },
            };
            let outer = split.folds(&frame).unwrap();
            let parts = parts(&split, &frame, &outer, Inner { folds: n_folds, repeats: 1 }).unwrap();
            let covered: Vec<usize> = parts.iter().flat_map(|p| p.outer.clone()).collect();
            prop_assert_eq!(covered, (0..outer.len()).collect::<Vec<_>>());
            for part in &parts {
                let hidden: BTreeSet<usize> = part.outer.iter().flat_map(|&f| outer[f].test.clone()).collect();
                prop_assert!(!part.folds.is_empty());
                for fold in &part.folds {
                    let rows = || fold.train.iter().chain(&fold.given).chain(&fold.test);
                    prop_assert!(rows().all(|row| !hidden.contains(row)), "{:?}", fold.name);
                    prop_assert!(!fold.train.is_empty() && !fold.test.is_empty());
                    prop_assert!(fold.train.iter().all(|row| !fold.test.contains(row)));
                }
            }
        }
    }

    #[test]
    fn the_last_fifth_is_chosen_by_the_fifth_before_it() {
        let frame = frame(&[100, 50]);
        let split = SplitConfig::Time { fraction: 0.8, others: true };
        let outer = split.folds(&frame).unwrap();
        let parts = parts(&split, &frame, &outer, Inner { folds: 5, repeats: 1 }).unwrap();
        let [part] = &parts[..] else { panic!("one search for all cells") };
        assert_eq!((part.folds[0].given.len(), part.folds[0].test.len()), (60, 20));
        // Of the other cell, 40 rows are given, one of them unusable.
        assert_eq!(part.folds[0].train.len(), 60 + 39);
    }

    #[test]
    fn one_cell_cannot_choose() {
        let frame = frame(&[20, 20]);
        let split = SplitConfig::default();
        let outer = split.folds(&frame).unwrap();
        let refused = parts(&split, &frame, &outer, Inner { folds: 5, repeats: 1 }).unwrap_err();
        assert!(matches!(refused, SplitError::TooFewCells { found: 1, .. }), "{refused}");
    }
}
