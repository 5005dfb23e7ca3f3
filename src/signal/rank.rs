//! Statistics of ranks: midranks, Spearman's correlation, the H of Kruskal and Wallis.
//!
//! Ties get the mean of their ranks. A pair with a value that is not finite is left out.

/// Returns the rank of each value, from 1, ties with the mean of their ranks.
///
/// NaN sorts last; leave it out before.
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    for (first, tied) in runs(values) {
        let rank = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.into_iter().for_each(|position| ranks[position] = rank);
    }
    ranks
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
    pearson(&midranks(&x), &midranks(&y))
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
    let tied: f64 = runs(&values).iter().map(|(_, run)| (run.len() as f64).powi(3) - run.len() as f64).sum();
    let correction = 1.0 - tied / (n.powi(3) - n);
    let between: f64 = sums.iter().map(|(sum, count)| sum * sum / count).sum();
    let h = 12.0 / (n * (n + 1.0)) * between - 3.0 * (n + 1.0);
    (sums.len() > 1 && correction > 0.0).then(|| h / correction)
}

/// Returns the runs of equal values, ascending: the number of values below, and the positions of the run.
fn runs(values: &[f64]) -> Vec<(usize, Vec<usize>)> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut first = 0;
    let tied = order.chunk_by(|&a, &b| values[a].partial_cmp(&values[b]).is_some_and(std::cmp::Ordering::is_eq));
    let place = |run: &[usize]| {
        first += run.len();
        (first - run.len(), run.to_vec())
    };
    tied.map(place).collect()
}

fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let centred = |v: &[f64]| -> Vec<f64> {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        v.iter().map(|value| value - mean).collect()
    };
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let (x, y) = (centred(x), centred(y));
    let spread = (product(&x, &x) * product(&y, &y)).sqrt();
    (spread > 0.0).then(|| (product(&x, &y) / spread).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        ranks: Ranks,
    }

    /// What scipy says (`tests/fixtures/classification/make.py`); a missing value is null.
    #[derive(Deserialize)]
    struct Ranks {
        ranks: Vec<(Vec<f64>, Vec<f64>)>,
        spearman: Vec<(Vec<Option<f64>>, Vec<Option<f64>>, f64)>,
        classes: Vec<usize>,
        kruskal: Vec<(Vec<Option<f64>>, f64)>,
    }

    fn golden() -> Ranks {
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
            let found = spearman(&numbers(x), &numbers(y)).unwrap();
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
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
