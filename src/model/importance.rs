//! Permutation importance: how much a loss grows when columns are shuffled, for any predictor `[Breiman2001]`.
//!
//! Columns of a [`ColumnGroup`] are shuffled together, by one order of the rows: alone, a column whose copies stay in place
//! looks worthless. Groups are the families of the catalogue, or what [`correlated`] finds.

use rand::seq::SliceRandom;

use crate::seed::Seed;
use crate::signal::rank::Ranked;

/// Columns that are shuffled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnGroup {
    /// Name; it also names the group's random streams.
    pub name: String,
    /// Positions of its columns.
    pub columns: Vec<usize>,
}

/// Importance of a group, in the unit of the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Name of the group.
    pub name: String,
    /// Mean growth of the loss over shuffles; near 0, also below, for columns that do not matter.
    pub mean: f64,
    /// Standard deviation over shuffles (divisor n).
    pub sd: f64,
}

/// Returns the importance of each group for the rows `[row][column]`, judged `repeats` times by `loss`.
///
/// `loss` gets rows of the same order and knows their labels; less is better. It is called once and then
/// `repeats` times a group. A group's shuffles depend on `seed` and its name only, not on the other groups.
pub fn by_permutation(
    rows: &[Vec<f64>],
    groups: &[ColumnGroup],
    repeats: usize,
    seed: &Seed,
    mut loss: impl FnMut(&[Vec<f64>]) -> f64,
) -> Vec<Importance> {
    let before = loss(rows);
    let mut importances = Vec::with_capacity(groups.len());
    for group in groups {
        let seed = seed.child(&group.name);
        let growth = (0..repeats).map(|repeat| loss(&shuffled(rows, group, &seed.child(repeat))) - before);
        let (mean, sd) = moments(&growth.collect::<Vec<_>>());
        importances.push(Importance { name: group.name.clone(), mean, sd });
    }
    importances
}

/// Returns a group a column.
pub fn single(names: &[String]) -> Vec<ColumnGroup> {
    let group = |(column, name): (usize, &String)| ColumnGroup { name: name.clone(), columns: vec![column] };
    names.iter().enumerate().map(group).collect()
}

/// Returns a group a family, in the order of their first columns; `family` says that of a column's name.
pub fn by_family(names: &[String], family: impl Fn(&str) -> String) -> Vec<ColumnGroup> {
    let mut groups: Vec<ColumnGroup> = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let name = family(name);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.columns.push(column),
            None => groups.push(ColumnGroup { name, columns: vec![column] }),
        }
    }
    groups
}

/// Returns groups of columns that abs(Spearman) over `threshold` links, directly or through others (single linkage).
///
/// A group is named after its first column, with the number of the others: `charge_cv_duration (+2)`. Columns are
/// `[column][row]`; a pair without a correlation is not linked.
///
/// # Panics
/// When there is not one name a column.
pub fn correlated(columns: &[&[f64]], names: &[String], threshold: f64) -> Vec<ColumnGroup> {
    assert_eq!(columns.len(), names.len(), "one name for each column");
    let ranked: Vec<Ranked> = columns.iter().map(|column| Ranked::new(column)).collect();
    let mut first: Vec<usize> = (0..columns.len()).collect();
    for (a, b) in (0..columns.len()).flat_map(|b| (0..b).map(move |a| (a, b))) {
        let (low, high) = (first[a].min(first[b]), first[a].max(first[b]));
        if low < high && ranked[a].spearman(&ranked[b]).is_some_and(|rho| rho.abs() > threshold) {
            first.iter_mut().filter(|column| **column == high).for_each(|column| *column = low);
        }
    }
    let members = |own: usize| -> Vec<usize> { (0..first.len()).filter(|&c| first[c] == own).collect() };
    let groups = (0..columns.len()).map(members).filter(|members| !members.is_empty());
    groups.map(|columns| ColumnGroup { name: group_name(&columns, names), columns }).collect()
}

fn group_name(columns: &[usize], names: &[String]) -> String {
    match columns {
        [only] => names[*only].clone(),
        _ => format!("{} (+{})", names[columns[0]], columns.len() - 1),
    }
}

fn shuffled(rows: &[Vec<f64>], group: &ColumnGroup, seed: &Seed) -> Vec<Vec<f64>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(&mut seed.stream("rows"));
    let mut out = rows.to_vec();
    for (row, from) in out.iter_mut().zip(order) {
        group.columns.iter().for_each(|&column| row[column] = rows[from][column]);
    }
    out
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|column| format!("column{column}")).collect()
    }

    /// Rows whose second column copies the first and whose third is apart; labels are the first.
    fn rows() -> Vec<Vec<f64>> {
        (0..40).map(|row| vec![f64::from(row), f64::from(row), f64::from(row * 7 % 40)]).collect()
    }

    /// Mean square error of the mean of the first two columns.
    fn loss(rows: &[Vec<f64>]) -> f64 {
        let error = |(label, row): (usize, &Vec<f64>)| (row[0].midpoint(row[1]) - label as f64).powi(2);
        rows.iter().enumerate().map(error).sum::<f64>() / rows.len() as f64
    }

    #[test]
    fn growth_of_the_loss_is_what_arithmetic_says() {
        let groups =
            [single(&names(3)), vec![ColumnGroup { name: "pair".into(), columns: vec![0, 1] }]].concat();
        let found = by_permutation(&rows(), &groups, 400, &Seed::new(1), loss);
        // Of a shuffled x against x itself the mean square is twice the variance, (40^2 - 1) / 12 here; half a shuffled x gives a quarter.
        let variance = 1599.0 / 12.0;
        for (importance, expected) in found.iter().zip([0.5 * variance, 0.5 * variance, 0.0, 2.0 * variance])
        {
            let error = (importance.mean - expected).abs();
            assert!(error <= 5.0 * importance.sd / 20.0, "{importance:?} {expected}");
        }
        assert_eq!((found[2].mean, found[2].sd), (0.0, 0.0));
        assert!(found[3].sd > 0.0);
    }

    #[test]
    fn a_group_is_shuffled_alike_whoever_stands_beside_it() {
        let groups = single(&names(3));
        let run = |groups: &[ColumnGroup], seed| by_permutation(&rows(), groups, 3, &Seed::new(seed), loss);
        assert_eq!(run(&groups, 1)[1], run(&groups[1..2], 1)[0]);
        assert_ne!(run(&groups, 1), run(&groups, 2));
        let calls = std::cell::Cell::new(0);
        by_permutation(&rows(), &groups, 3, &Seed::new(1), |_| {
            calls.set(calls.get() + 1);
            0.0
        });
        assert_eq!(calls.get(), 1 + 3 * 3);
    }

    #[test]
    fn correlated_columns_are_linked_through_others() {
        // Neighbours correlate by 0.9 (scipy.stats.spearmanr), the ends by 0.7; the last stands alone.
        let columns: [&[f64]; 4] = [
            &[2.0, 1.0, 3.0, 4.0, 5.0],
            &[1.0, 2.0, 3.0, 4.0, 5.0],
            &[3.0, 1.0, 4.0, 2.0, 5.0],
            &[-1.0, -2.0, -3.0, -5.0, -4.0],
        ];
        let groups = correlated(&columns, &names(4), 0.85);
        let expected = [("column0 (+2)", vec![0, 1, 3]), ("column2", vec![2])];
        let expected = expected.map(|(name, columns)| ColumnGroup { name: name.into(), columns });
        assert_eq!(groups, expected);
        assert_eq!(correlated(&columns, &names(4), 0.95).len(), 4);
    }

    #[test]
    fn families_are_in_the_order_of_their_first_columns() {
        let names = ["rest_a", "charge_a", "rest_b"].map(String::from);
        let groups = by_family(&names, |name| name.split('_').next().unwrap().into());
        let expected = [("rest", vec![0, 2]), ("charge", vec![1])];
        assert_eq!(groups, expected.map(|(name, columns)| ColumnGroup { name: name.into(), columns }));
    }
}
