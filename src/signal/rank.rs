//! Statistics of ranks: midranks, Spearman's correlation, the H of Kruskal and Wallis.
//!
//! Ties get the mean of their ranks. A pair with a value that is not finite is left out.

use std::ops::Range;

/// Returns the rank of each value, from 1, ties with the mean of their ranks.
///
/// NaN sorts last; leave it out before.
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    let (order, runs) = runs(values);
    for run in runs {
        // The mean of start + 1 ..= end.
        let rank = ((run.start + 1) as f64).midpoint(run.end as f64);
        for &position in &order[run] {
            ranks[position] = rank;
        }
    }
    ranks
}

/// A column whose ranks are computed once for many correlations.
#[derive(Debug, Clone)]
pub struct Ranked<'a> {
    values: &'a [f64],
    /// Midranks about their mean, scaled to length 1; none where a value is missing.
    ranks: Option<Vec<f64>>,
}

impl<'a> Ranked<'a> {
    /// Ranks a column.
    pub fn new(values: &'a [f64]) -> Self {
        let complete = values.iter().all(|v| v.is_finite());
        Self { values, ranks: complete.then(|| unit(&midranks(values))) }
    }

    /// Returns what [`spearman`] returns of two columns.
    ///
    /// # Panics
    /// When the columns differ in length.
    pub fn spearman(&self, other: &Self) -> Option<f64> {
        match (&self.ranks, &other.ranks) {
            (Some(a), Some(b)) => correlation(a, b),
            _ => spearman(self.values, other.values),
        }
    }
}

/// Returns Spearman's rank correlation [1], -1..1 `[Spearman1904]`: Pearson's of the midranks.
///
/// `None` when fewer than two pairs are finite or one side is constant.
///
/// # Panics
/// When the slices differ in length.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "one y for each x");
    let finite = |pair: &(&f64, &f64)| pair.0.is_finite() && pair.1.is_finite();
    let (x, y): (Vec<f64>, Vec<f64>) = x.iter().zip(y).filter(finite).unzip();
    correlation(&unit(&midranks(&x)), &unit(&midranks(&y)))
}

/// Returns the H of Kruskal and Wallis `[Kruskal1952]`, corrected for ties [1], 0 or more: large where classes differ.
///
/// `None` when fewer than two classes have a finite value, or all values are equal.
///
/// # Panics
/// When the slices differ in length.
pub fn kruskal_wallis(values: &[f64], classes: &[usize]) -> Option<f64> {
    assert_eq!(values.len(), classes.len(), "one class for each value");
    let finite = |pair: &(&f64, &usize)| pair.0.is_finite();
    let (values, classes): (Vec<f64>, Vec<usize>) = values.iter().zip(classes).filter(finite).unzip();
    let mut sums = vec![(0.0, 0.0); classes.iter().max()? + 1];
    for (rank, &class) in midranks(&values).into_iter().zip(&classes) {
        sums[class] = (sums[class].0 + rank, sums[class].1 + 1.0);
    }
    sums.retain(|(_, n)| *n > 0.0);
    let n = values.len() as f64;
    let ties = runs(&values).1.into_iter().map(|run| run.len() as f64);
    let tied: f64 = ties.map(|t| t.powi(3) - t).sum();
    let correction = 1.0 - tied / (n.powi(3) - n);
    let between: f64 = sums.iter().map(|(sum, count)| sum * sum / count).sum();
    let h = 12.0 / (n * (n + 1.0)) * between - 3.0 * (n + 1.0);
    (sums.len() > 1 && correction > 0.0).then(|| h / correction)
}

/// Returns positions by ascending value, and the runs of equal values among them.
fn runs(values: &[f64]) -> (Vec<usize>, Vec<Range<usize>>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut start = 0;
    let tied = order.chunk_by(|&a, &b| values[a] - values[b] == 0.0);
    let place = |run: &[usize]| {
        start += run.len();
        start - run.len()..start
    };
    let runs = tied.map(place).collect();
    (order, runs)
}

/// Returns the values about their mean, scaled to length 1; zeros when they are all equal.
fn unit(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let length = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    values.iter().map(|v| scale * (v - mean)).collect()
}

/// Returns the cosine of two unit vectors; none when one is zero.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "columns of one length");
    let varies = |v: &[f64]| v.iter().any(|v| *v != 0.0);
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    (varies(a) && varies(b)).then(|| product.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    type Column = Vec<Option<f64>>;

    #[derive(Deserialize)]
    struct Golden {
        ranks: Table,
    }

    /// What scipy says (`tests/fixtures/classification/make.py`); a missing value is null.
    #[derive(Deserialize)]
    struct Table {
        ranks: Vec<(Vec<f64>, Vec<f64>)>,
        spearman: Vec<(Column, Column, f64)>,
        classes: Vec<usize>,
        kruskal: Vec<(Column, f64)>,
    }

    fn golden() -> Table {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        serde_json::from_str::<Golden>(text).unwrap().ranks
    }

    fn numbers(values: &[Option<f64>]) -> Vec<f64> {
        values.iter().map(|v| v.unwrap_or(f64::NAN)).collect()
    }

    #[test]
    fn ranks_and_statistics_agree_with_scipy() {
        let golden = golden();
        for (values, expected) in &golden.ranks {
            assert_eq!(&midranks(values), expected);
        }
        for (x, y, expected) in &golden.spearman {
            let (x, y) = (numbers(x), numbers(y));
            let found = spearman(&x, &y).unwrap();
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            assert_eq!(Ranked::new(&x).spearman(&Ranked::new(&y)), Some(found));
        }
        for (values, expected) in &golden.kruskal {
            let found = kruskal_wallis(&numbers(values), &golden.classes).unwrap();
            assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
    }

    #[test]
    fn what_does_not_vary_has_no_statistic() {
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[], &[]), None);
        assert_eq!(Ranked::new(&[1.0, 1.0]).spearman(&Ranked::new(&[1.0, 2.0])), None);
        assert_eq!(kruskal_wallis(&[2.0, 2.0, 2.0], &[0, 1, 1]), None);
        assert_eq!(kruskal_wallis(&[1.0, 2.0, f64::NAN], &[0, 0, 1]), None);
        assert_eq!(kruskal_wallis(&[], &[]), None);
        assert_eq!(midranks(&[0.0, -0.0, 1.0]), [1.5, 1.5, 3.0]);
    }

    proptest! {
        #[test]
        fn a_rising_map_changes_nothing_and_a_falling_one_the_sign(pairs in prop::collection::vec((-9i32..9, -9i32..9), 2..40)) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
            let map = |slope: f64| -> Vec<f64> { x.iter().map(|v| slope * v.powi(3)).collect() };
            let (plain, risen, fallen) = (spearman(&x, &y), spearman(&map(2.0), &y), spearman(&map(-1.0), &y));
            prop_assert_eq!(plain, risen);
            prop_assert_eq!(plain.is_some(), fallen.is_some());
            if let (Some(a), Some(b)) = (plain, fallen) {
                prop_assert!((a + b).abs() < 1e-12 && a.abs() <= 1.0);
            }
        }
    }
}
