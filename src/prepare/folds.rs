//! Grouped and stratified cross-validation: no group on both sides, classes spread as evenly as the groups allow.
//!
//! Groups are placed one by one, those of the most uneven classes first, each into the fold where the shares of every
//! class stay most alike over folds (as `StratifiedGroupKFold` of scikit-learn does); groups that tie are in the order of
//! a seeded shuffle.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;

use super::tier::quantile;
use crate::seed::Seed;

/// Shuffles that are tried with the uneven groups first, then without, before a class is said to be missing.
const ATTEMPTS: [usize; 2] = [5, 45];
/// Difference below which two spreads are equal; they are sums of a few shares of 0..1.
const TIE: f64 = 1e-9;

/// Why rows could not be laid into folds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// Occurs when there are not as many groups as labels.
    #[error("{groups} groups for {labels} labels")]
    Length {
        /// Number of labels.
        labels: usize,
        /// Number of groups.
        groups: usize,
    },
    /// Occurs when there would be no second fold.
    #[error("{k} folds: give 2 or more")]
    Number {
        /// Folds asked for.
        k: usize,
    },
    /// Occurs when there are fewer groups than folds.
    #[error("{found} groups cannot make {k} folds, for a group is never divided: ask for {found} or fewer")]
    FewGroups {
        /// Different groups.
        found: usize,
        /// Folds asked for.
        k: usize,
    },
    /// Occurs when all rows of a class are of one group, so that it is missing wherever that group is tested.
    #[error("class {class} has cells of one protocol only (group `{group}`): merge classes or groups")]
    OneGroup {
        /// Class.
        class: usize,
        /// Its only group.
        group: String,
    },
    /// Occurs when no shuffle leaves a class in every training part.
    #[error(
        "class {class} would be missing where fold {fold} is tested: ask for other folds or merge classes"
    )]
    MissingClass {
        /// Class.
        class: usize,
        /// Fold that holds all of its rows, from 0.
        fold: usize,
    },
    /// Occurs when a label of a regression is NaN or infinite.
    #[error("label at position {position} is not finite: leave the row out")]
    NonFinite {
        /// Position of the row.
        position: usize,
    },
}

/// Returns the fold of each row, `0..k`, for a classification.
///
/// Every class is in every training part; every fold has a group. `seed` is that of the repetition.
///
/// # Errors
/// Every variant of [`FoldError`] but `NonFinite`.
pub fn grouped(classes: &[usize], groups: &[String], k: usize, seed: &Seed) -> Result<Vec<usize>, FoldError> {
    let table = Table::new(classes, groups, k)?;
    table.check_classes(groups)?;
    let mut missing = None;
    for attempt in 0..ATTEMPTS[0] + ATTEMPTS[1] {
        let order = table.order(&seed.child(attempt), attempt < ATTEMPTS[0]);
        let folds = table.place(k, &order);
        missing = table.class_in_one_fold(&folds);
        if missing.is_none() {
            return Ok(table.rows(&folds));
        }
    }
    let (class, fold) = missing.unwrap_or((0, 0));
    Err(FoldError::MissingClass { class, fold })
}

/// Returns the fold of each row, `0..k`, for a regression: the `n_bins` quantile bins of the labels are spread as classes.
///
/// # Errors
/// [`FoldError::NonFinite`], and those of [`grouped`] but `OneGroup` and `MissingClass`: a bin may be missing.
pub fn grouped_by_value(
    labels: &[f64],
    groups: &[String],
    k: usize,
    n_bins: usize,
    seed: &Seed,
) -> Result<Vec<usize>, FoldError> {
    if let Some(position) = labels.iter().position(|v| !v.is_finite()) {
        return Err(FoldError::NonFinite { position });
    }
    let table = Table::new(&bins(labels, n_bins), groups, k)?;
    Ok(table.rows(&table.place(k, &table.order(&seed.child(0), true))))
}

/// Returns the quantile bin of each value, `0..n`; equal values share a bin, so that some may be empty.
fn bins(values: &[f64], n: usize) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = |idx: usize| (!sorted.is_empty()).then(|| quantile(&sorted, idx as f64 / n as f64));
    let cuts: Vec<f64> = (1..n).filter_map(cut).collect();
    values.iter().map(|v| cuts.iter().filter(|&cut| v > cut).count()).collect()
}

/// Counts of classes by group.
struct Table {
    /// Group of each row; groups are numbered in the order of their names.
    group_of: Vec<usize>,
    /// `[group][class]`.
    counts: Vec<Vec<f64>>,
    /// Rows of each class.
    totals: Vec<f64>,
}

impl Table {
    fn new(classes: &[usize], groups: &[String], k: usize) -> Result<Self, FoldError> {
        if classes.len() != groups.len() {
            return Err(FoldError::Length { labels: classes.len(), groups: groups.len() });
        }
        if k < 2 {
            return Err(FoldError::Number { k });
        }
        let names: BTreeSet<&String> = groups.iter().collect();
        if names.len() < k {
            return Err(FoldError::FewGroups { found: names.len(), k });
        }
        let position: BTreeMap<&String, usize> = names.into_iter().zip(0..).collect();
        let group_of: Vec<usize> = groups.iter().map(|group| position[group]).collect();
        let n_classes = classes.iter().max().map_or(0, |class| class + 1);
        let mut counts = vec![vec![0.0; n_classes]; position.len()];
        let mut totals = vec![0.0; n_classes];
        for (&group, &class) in group_of.iter().zip(classes) {
            counts[group][class] += 1.0;
            totals[class] += 1.0;
        }
        Ok(Self { group_of, counts, totals })
    }

    fn check_classes(&self, groups: &[String]) -> Result<(), FoldError> {
        for class in (0..self.totals.len()).filter(|&class| self.totals[class] > 0.0) {
            let mut rows = (0..groups.len()).filter(|&row| self.counts[self.group_of[row]][class] > 0.0);
            let first = rows.next().unwrap_or(0);
            if rows.all(|row| self.group_of[row] == self.group_of[first]) {
                return Err(FoldError::OneGroup { class, group: groups[first].clone() });
            }
        }
        Ok(())
    }

    /// Returns the groups in the order in which they are placed.
    fn order(&self, seed: &Seed, uneven_first: bool) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.counts.len()).collect();
        order.shuffle(&mut seed.stream("groups"));
        if uneven_first {
            order.sort_by(|&a, &b| sd(&self.counts[b]).total_cmp(&sd(&self.counts[a])));
        }
        order
    }

    /// Returns the fold of each group.
    fn place(&self, k: usize, order: &[usize]) -> Vec<usize> {
        let mut folds = vec![0; order.len()];
        let mut filled = vec![vec![0.0; self.totals.len()]; k];
        for (done, &group) in order.iter().enumerate() {
            let n_empty = filled.iter().filter(|fold| sum(fold) == 0.0).count();
            let must_fill = order.len() - done <= n_empty;
            let open = (0..k).filter(|&fold| !must_fill || sum(&filled[fold]) == 0.0);
            let open: Vec<usize> = open.collect();
            let fold = self.best_fold(&mut filled, group, &open);
            add(&mut filled[fold], &self.counts[group], 1.0);
            folds[group] = fold;
        }
        folds
    }

    /// Returns the fold in which `group` leaves the classes most alike over folds; the smaller of equals.
    fn best_fold(&self, filled: &mut [Vec<f64>], group: usize, open: &[usize]) -> usize {
        let mut best = (f64::INFINITY, f64::INFINITY, open[0]);
        for &fold in open {
            let size = sum(&filled[fold]);
            add(&mut filled[fold], &self.counts[group], 1.0);
            let spread = self.spread(filled);
            add(&mut filled[fold], &self.counts[group], -1.0);
            let ties = (spread - best.0).abs() <= TIE;
            if (!ties && spread < best.0) || (ties && size < best.1) {
                best = (spread, size, fold);
            }
        }
        best.2
    }

    /// Returns the standard deviation over folds of the share of a class, summed over classes.
    fn spread(&self, filled: &[Vec<f64>]) -> f64 {
        let share = |class: usize| -> Vec<f64> {
            filled.iter().map(|fold| fold[class] / self.totals[class].max(1.0)).collect()
        };
        (0..self.totals.len()).map(|class| sd(&share(class))).sum()
    }

    /// Returns the first class whose rows are all in one fold, and that fold.
    fn class_in_one_fold(&self, folds: &[usize]) -> Option<(usize, usize)> {
        let of_class = |class: usize| -> BTreeSet<usize> {
            folds.iter().zip(&self.counts).filter(|(_, n)| n[class] > 0.0).map(|(&fold, _)| fold).collect()
        };
        let single = |folds: BTreeSet<usize>| folds.first().copied().filter(|_| folds.len() == 1);
        (0..self.totals.len()).find_map(|class| Some((class, single(of_class(class))?)))
    }

    fn rows(&self, folds: &[usize]) -> Vec<usize> {
        self.group_of.iter().map(|&group| folds[group]).collect()
    }
}

fn add(to: &mut [f64], counts: &[f64], sign: f64) {
    to.iter_mut().zip(counts).for_each(|(to, count)| *to += sign * count);
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn sd(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = sum(values) / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        folds: Case,
    }

    /// What scikit-learn makes of one case (`tests/fixtures/classification/make.py`).
    #[derive(Deserialize)]
    struct Case {
        groups: Vec<String>,
        classes: Vec<usize>,
        /// Rows of each class in each fold, `[fold][class]`.
        counts: Vec<Vec<usize>>,
    }

    fn names(groups: &[usize]) -> Vec<String> {
        groups.iter().map(|g| format!("protocol {g}")).collect()
    }

    fn counts(folds: &[usize], classes: &[usize], k: usize) -> Vec<Vec<usize>> {
        let n_classes = classes.iter().max().unwrap() + 1;
        let mut counts = vec![vec![0; n_classes]; k];
        folds.iter().zip(classes).for_each(|(&fold, &class)| counts[fold][class] += 1);
        counts
    }

    /// Returns the largest difference between folds in the rows of a class.
    fn unevenness(counts: &[Vec<usize>]) -> usize {
        let range = |class: usize| {
            let of_class = || counts.iter().map(|fold| fold[class]);
            of_class().max().unwrap() - of_class().min().unwrap()
        };
        (0..counts[0].len()).map(range).max().unwrap()
    }

    #[test]
    fn folds_are_as_even_as_those_of_scikit_learn() {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        let case = serde_json::from_str::<Golden>(text).unwrap().folds;
        let limit = unevenness(&case.counts) + 1;
        for seed in 0..10 {
            let folds = grouped(&case.classes, &case.groups, 5, &Seed::new(seed)).unwrap();
            let found = counts(&folds, &case.classes, 5);
            assert!(unevenness(&found) <= limit, "{found:?} {:?}", case.counts);
        }
    }

    #[test]
    fn equal_groups_are_spread_exactly_and_seeds_differ() {
        let groups = names(&(0..60).map(|row| row / 2).collect::<Vec<_>>());
        let classes: Vec<usize> = (0..60).map(|row| row / 2 % 3).collect();
        let folds = |seed| grouped(&classes, &groups, 5, &Seed::new(seed)).unwrap();
        assert_eq!(counts(&folds(1), &classes, 5), vec![vec![4; 3]; 5]);
        assert_eq!(folds(1), folds(1));
        assert_ne!(folds(1), folds(2));
    }

    #[test]
    fn a_rare_class_is_divided_where_the_first_order_would_not() {
        // Two folds: the largest group comes first and alone, so that both groups of class 4 would be in the other fold.
        let counts = [[20, 20, 20, 20, 0], [10, 0, 10, 0, 1], [0, 10, 0, 10, 1], [1, 1, 1, 1, 0]];
        let cells = counts.iter().enumerate().flat_map(|(group, counts)| {
            counts.iter().enumerate().flat_map(move |(class, &n)| vec![(class, group); n])
        });
        let (classes, groups): (Vec<_>, Vec<_>) = cells.unzip();
        let table = Table::new(&classes, &names(&groups), 2).unwrap();
        for seed in (0..5).map(Seed::new) {
            let first = table.place(2, &table.order(&seed.child(0), true));
            assert_eq!(table.class_in_one_fold(&first).map(|found| found.0), Some(4));
            let folds = grouped(&classes, &names(&groups), 2, &seed).unwrap();
            for class in 0..5 {
                let of_class =
                    folds.iter().zip(&classes).filter(|(_, c)| **c == class).map(|(fold, _)| *fold);
                assert_eq!(of_class.collect::<BTreeSet<_>>().len(), 2, "class {class}");
            }
        }
    }

    #[test]
    fn labels_of_a_regression_are_spread_by_quantile() {
        let labels: Vec<f64> = (0..40).map(|row| f64::from(row * row)).collect();
        let groups = names(&(0..40).collect::<Vec<_>>());
        let folds = grouped_by_value(&labels, &groups, 4, 5, &Seed::new(3)).unwrap();
        let fifths: Vec<usize> = (0..40).map(|row| row / 8).collect();
        assert_eq!(counts(&folds, &fifths, 4), vec![vec![2; 5]; 4]);
        let one_group_a_bin = names(&[0, 0, 1, 1]);
        assert!(grouped_by_value(&[1.0, 1.0, 2.0, 2.0], &one_group_a_bin, 2, 2, &Seed::new(0)).is_ok());
    }

    #[test]
    fn what_cannot_be_laid_out_is_an_error() {
        let fold =
            |classes: &[usize], groups: &[usize], k| grouped(classes, &names(groups), k, &Seed::new(0));
        assert_eq!(fold(&[0], &[], 2), Err(FoldError::Length { labels: 1, groups: 0 }));
        assert_eq!(fold(&[0, 0], &[0, 1], 1), Err(FoldError::Number { k: 1 }));
        assert_eq!(fold(&[0, 0, 1], &[0, 1, 1], 3), Err(FoldError::FewGroups { found: 2, k: 3 }));
        let found = fold(&[0, 0, 0, 1, 1], &[0, 1, 2, 2, 2], 2).unwrap_err();
        assert_eq!(found, FoldError::OneGroup { class: 1, group: "protocol 2".into() });
        assert!(found.to_string().contains("cells of one protocol only"));
        let found = grouped_by_value(&[0.0, f64::NAN], &names(&[0, 1]), 2, 2, &Seed::new(0));
        assert_eq!(found, Err(FoldError::NonFinite { position: 1 }));
    }

    proptest! {
        #[test]
        fn groups_stay_whole_and_every_training_part_has_every_class(
            rows in prop::collection::vec((0usize..3, 0usize..12), 20..60), k in 2usize..6, seed in 0u64..100
        ) {
            let (classes, groups): (Vec<usize>, Vec<usize>) = rows.into_iter().unzip();
            let distinct = |of: &dyn Fn(usize) -> bool| -> usize {
                let groups = classes.iter().zip(&groups).filter(|(class, _)| of(**class)).map(|(_, group)| *group);
                groups.collect::<BTreeSet<usize>>().len()
            };
            let folds = match grouped(&classes, &names(&groups), k, &Seed::new(seed)) {
                Ok(folds) => folds,
                Err(FoldError::FewGroups { .. }) => { prop_assert!(distinct(&|_| true) < k); return Ok(()) }
                Err(FoldError::OneGroup { class, .. }) => { prop_assert_eq!(distinct(&|c| c == class), 1); return Ok(()) }
                // A class of many groups is never left in one fold.
                Err(error) => { prop_assert!((0..3).any(|class| distinct(&|c| c == class) == 2), "{}", error); return Ok(()) }
            };
            prop_assert_eq!(folds.len(), classes.len());
            for fold in 0..k {
                prop_assert!(folds.contains(&fold), "fold {} is empty", fold);
                for class in &classes {
                    prop_assert!(folds.iter().zip(&classes).any(|(f, c)| *f != fold && c == class));
                }
            }
            for (a, b) in (0..folds.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
                prop_assert!(groups[a] != groups[b] || folds[a] == folds[b]);
            }
        }
    }
}
