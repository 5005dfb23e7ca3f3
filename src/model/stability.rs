//! Stability of importances over folds: whether the same columns are found whichever cells are left out.
//!
//! | figure | formula | range |
//! |---|---|---|
//! | mean rank | mean over folds of the rank of a column, 1 the most important, ties with the mean of theirs | 1..n |
//! | top share | share of folds in which the column is among the first k | 0..1 |
//! | Jaccard | mean over pairs of folds of common / all columns of the two first k | 0..1 |
//! | Kuncheva | mean over pairs of folds of (r n - k^2) / (k (n - k)), r common columns `[Kuncheva2007]`: 0 is what chance gives; for the equal k of the folds it is the measure of `[Nogueira2018]` | -1..1 |

use crate::signal::rank::midranks;

/// Stability over folds.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// Mean rank of each column, 1 the most important.
    pub mean_rank: Vec<f64>,
    /// Share of folds in which each column is among the first k [1].
    pub top_share: Vec<f64>,
    /// Mean overlap of the first k between folds [1]; none with one fold.
    pub jaccard: Option<f64>,
    /// Mean overlap beyond chance [1]; none with one fold, or when k is all columns.
    pub kuncheva: Option<f64>,
}

/// Returns how alike the folds order the columns, from importances `[fold][column]`, larger for more important.
///
/// Of equal importances at the edge of the first `k` the earlier columns count. Columns of no importance are never
/// among the first: `k` is at most what the fold with the fewest important columns has.
/// Without folds, ranks and shares are empty.
///
/// # Panics
/// When folds differ in their columns.
pub fn over_folds(importances: &[Vec<f64>], k: usize) -> Stability {
    let n_columns = importances.first().map_or(0, Vec::len);
    assert!(importances.iter().all(|fold| fold.len() == n_columns), "every fold has every column");
    let in_use = |fold: &Vec<f64>| fold.iter().filter(|v| **v > 0.0).count();
    let k = importances.iter().map(in_use).min().unwrap_or(0).min(k);
    let selected: Vec<Vec<bool>> = importances.iter().map(|fold| first(fold, k)).collect();
    let ranks: Vec<Vec<f64>> =
        importances.iter().map(|fold| midranks(&fold.iter().map(|v| -v).collect::<Vec<_>>())).collect();
    let n = importances.len() as f64;
    let share = |column: usize| selected.iter().filter(|fold| fold[column]).count() as f64 / n;
    let common = pairs(&selected);
    let (size, all) = (k as f64, n_columns as f64);
    let jaccard = |common: f64| common / (2.0 * size - common);
    let kuncheva = |common: f64| (common * all - size * size) / (size * (all - size));
    Stability {
        mean_rank: (0..n_columns).map(|c| ranks.iter().map(|fold| fold[c]).sum::<f64>() / n).collect(),
        top_share: (0..n_columns).map(share).collect(),
        jaccard: mean(&common, jaccard).filter(|_| k > 0),
        kuncheva: mean(&common, kuncheva).filter(|_| k > 0 && k < n_columns),
    }
}

/// Returns whether each column is among the `k` most important.
fn first(importances: &[f64], k: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..importances.len()).collect();
    order.sort_by(|&a, &b| importances[b].total_cmp(&importances[a]).then(a.cmp(&b)));
    let mut selected = vec![false; order.len()];
    order[..k].iter().for_each(|&column| selected[column] = true);
    selected
}

/// Returns the number of common columns of each pair of folds.
fn pairs(selected: &[Vec<bool>]) -> Vec<f64> {
    let pairs = (0..selected.len()).flat_map(|a| (0..a).map(move |b| (&selected[a], &selected[b])));
    pairs.map(|(a, b)| a.iter().zip(b).filter(|(a, b)| **a && **b).count() as f64).collect()
}

fn mean(values: &[f64], of: impl Fn(f64) -> f64) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().map(|&v| of(v)).sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// Two folds that use two columns each, one in common, of 100: r = 1, k = 2, so Jaccard 1/3 and
    /// (1 * 100 - 4) / (2 * 98); ten would be filled with columns that nobody uses.
    #[test]
    fn columns_that_no_fold_uses_do_not_count_as_agreement() {
        let fold = |used: [usize; 2]| {
            let mut importances = vec![0.0; 100];
            for column in used {
                importances[column] = 1.0;
            }
            importances
        };
        let found = over_folds(&[fold([50, 60]), fold([60, 70])], 10);
        assert!((found.jaccard.unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert!((found.kuncheva.unwrap() - 96.0 / 196.0).abs() < 1e-12);
        assert_eq!((found.top_share[0], found.top_share[60]), (0.0, 1.0));
    }

    #[derive(Deserialize)]
    struct Golden {
        stability: Case,
    }

    /// What numpy says (`tests/fixtures/classification/make.py`); `selected` is `[fold][column]`, 1 for the first 4.
    #[derive(Deserialize)]
    struct Case {
        selected: Vec<Vec<f64>>,
        nogueira: f64,
        kuncheva: f64,
        jaccard: f64,
    }

    #[test]
    fn overlaps_agree_with_numpy_and_with_the_measure_of_nogueira() {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        let case = serde_json::from_str::<Golden>(text).unwrap().stability;
        let found = over_folds(&case.selected, 4);
        assert!((found.kuncheva.unwrap() - case.kuncheva).abs() < 1e-12);
        assert!((found.kuncheva.unwrap() - case.nogueira).abs() < 1e-12);
        assert!((found.jaccard.unwrap() - case.jaccard).abs() < 1e-12);
        let shares: Vec<f64> =
            (0..12).map(|c| case.selected.iter().map(|fold| fold[c]).sum::<f64>() / 5.0).collect();
        assert_eq!(found.top_share, shares);
    }

    #[test]
    fn ranks_are_means_over_folds() {
        let found = over_folds(&[vec![3.0, 2.0, 1.0], vec![5.0, 5.0, -1.0], vec![0.0, 1.0, 2.0]], 1);
        // Ranks 1 2 3, 1.5 1.5 3 and 3 2 1.
        assert_eq!(found.mean_rank, [5.5 / 3.0, 5.5 / 3.0, 7.0 / 3.0]);
        assert_eq!(found.top_share, [2.0 / 3.0, 0.0, 1.0 / 3.0]);
        // Overlaps 1, 0, 0; beyond chance (3 r - 1) / 2: 1, -1/2, -1/2.
        assert_eq!((found.jaccard, found.kuncheva), (Some(1.0 / 3.0), Some(0.0)));
    }

    #[test]
    fn what_one_fold_or_all_columns_cannot_say_is_none() {
        let one = over_folds(&[vec![1.0, 2.0]], 1);
        assert_eq!((one.jaccard, one.kuncheva), (None, None));
        let all = over_folds(&[vec![1.0, 2.0], vec![2.0, 1.0]], 9);
        assert_eq!((all.jaccard, all.kuncheva, all.top_share), (Some(1.0), None, vec![1.0, 1.0]));
        assert_eq!(over_folds(&[], 3).mean_rank, Vec::<f64>::new());
    }
}
