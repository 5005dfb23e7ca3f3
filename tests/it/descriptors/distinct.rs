//! No two descriptors order the cells alike on every dataset: |Spearman's correlation| is 1 for none of the pairs.

use fadecast::descriptor::early::matrix::Matrix;

use super::cells;

/// Cells that both of a pair need, so that a dataset says something of them.
///
/// Of n cells, two unrelated orders are equal or opposite with probability 2/n!; of about 150 000 pairs that happens more
/// than a thousand times for 5 cells and less than once in ten catalogues for 10.
const FEWEST_CELLS: usize = 10;

/// A column and the order of its cells, those without a value left out.
struct Column {
    values: Vec<f64>,
    order: Vec<usize>,
}

#[test]
fn no_two_order_the_cells_of_every_dataset_alike() {
    let real = cells::real().map(columns).unwrap_or_default();
    let simulated = columns(cells::simulated());
    let names: Vec<&str> = cells::simulated()[0].1.descriptors.iter().map(|d| d.name).collect();
    let mut alike = Vec::new();
    for i in 0..names.len() {
        for j in 0..i {
            let verdict = verdict(&real, i, j).or_else(|| verdict(&simulated, i, j));
            if verdict == Some(true) {
                alike.push(format!("{} {}", names[j], names[i]));
            }
        }
    }
    assert!(alike.is_empty(), "{} pairs\n{}", alike.len(), alike.join("\n"));
}

#[test]
fn a_pair_is_alike_where_its_correlation_is_one() {
    // scipy.stats.spearmanr: -1, 0.99..., 1, 0.66...; a constant has none.
    let rising: Vec<f64> = (0..12).map(f64::from).collect();
    let falling: Vec<f64> = rising.iter().map(|v| -v * v * v).collect();
    let mut swapped = rising.clone();
    swapped.swap(3, 4);
    let mut tied = rising.clone();
    tied[3] = tied[4];
    let missing: Vec<f64> = rising.iter().map(|v| if *v < 3.0 { f64::NAN } else { *v }).collect();
    let constant = vec![1.0; 12];
    let is_alike = |a: &[f64], b: &[f64]| is_alike(&Column::new(a.to_vec()), &Column::new(b.to_vec()));
    assert_eq!(is_alike(&rising, &falling), Some(true));
    assert_eq!(is_alike(&tied, &tied), Some(true));
    assert_eq!(is_alike(&rising, &swapped), Some(false));
    assert_eq!(is_alike(&rising, &tied), Some(false));
    assert_eq!(is_alike(&tied, &rising), Some(false));
    assert_eq!(is_alike(&rising, &missing), None);
    assert_eq!(is_alike(&rising, &constant), None);
    assert_eq!(is_alike(&constant, &rising), None);
}

/// Returns whether the pair is alike on every dataset that says something of it; `None` where none does.
fn verdict(datasets: &[Vec<Column>], i: usize, j: usize) -> Option<bool> {
    let verdicts = datasets.iter().filter_map(|columns| is_alike(&columns[i], &columns[j]));
    verdicts.reduce(|a, b| a && b)
}

/// Returns whether the ranks of the cells that have both are equal or opposite; `None` with too few or a constant.
fn is_alike(a: &Column, b: &Column) -> Option<bool> {
    let both: Vec<usize> = a.order.iter().copied().filter(|&cell| b.values[cell].is_finite()).collect();
    let constant = |column: &Column| {
        both.iter().all(|&cell| column.values[cell].total_cmp(&column.values[both[0]]).is_eq())
    };
    if both.len() < FEWEST_CELLS || constant(a) || constant(b) {
        return None;
    }
    let steps = |column: &Column| -> Vec<i32> {
        both.windows(2).map(|pair| column.values[pair[1]].total_cmp(&column.values[pair[0]]) as i32).collect()
    };
    let (up, other) = (steps(a), steps(b));
    let opposite: Vec<i32> = up.iter().map(|step| -step).collect();
    Some(other == up || other == opposite)
}

fn columns(datasets: &[cells::Named]) -> Vec<Vec<Column>> {
    let of =
        |matrix: &Matrix| (0..matrix.descriptors.len()).map(|idx| Column::new(matrix.column(idx))).collect();
    datasets.iter().map(|(_, matrix)| of(matrix)).collect()
}

impl Column {
    fn new(values: Vec<f64>) -> Self {
        // 0 and -0 are the same.
        let values: Vec<f64> = values.into_iter().map(|v| v + 0.0).collect();
        let mut order: Vec<usize> = (0..values.len()).filter(|&cell| values[cell].is_finite()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        Self { values, order }
    }
}
