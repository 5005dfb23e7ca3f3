//! Covariance of two points of the unit cube: Matern 5/2 over the ordered coordinates, times one factor per label.
//!
//! ```text
//! k(x, x') = amplitude (1 + a + a^2/3) exp(-a) exp(-sum_c w_c [x_c != x'_c])
//! a^2      = 5 sum_j ((x_j - x'_j) / l_j)^2
//! ```
//! with a length `l_j` for every continuous or ordinal coordinate `[Rasmussen2006, eq. 4.17, 5.1]` and a weight `w_c`
//! for every category. An inactive coordinate (NaN) stands at the centre of its range, an inactive category is one
//! more level. Whether a coordinate is active follows from its parents, which are coordinates too: a label for it would
//! say that twice, and hide what networks of one and of two layers have in common. Each factor is a covariance for every
//! length and weight, hence so is the product.

use super::Dimension;

/// One number per coordinate that the covariance compares.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    /// An ordered coordinate, by its value.
    Ordered(usize),
    /// A category, by its level; being inactive is one more level.
    Category(usize),
}

/// How points of the cube are laid out for the covariance: the ordered columns first, then the labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    columns: Vec<Column>,
    ordered: usize,
}

impl Layout {
    /// Lays out `dimensions`.
    pub(super) fn new(dimensions: &[Dimension]) -> Self {
        let column = |(j, dimension): (usize, &Dimension)| match dimension {
            Dimension::Continuous | Dimension::Ordinal(_) => Some(Column::Ordered(j)),
            Dimension::Categorical(_) => Some(Column::Category(j)),
            Dimension::Constant => None,
        };
        let is_ordered = |column: &Column| matches!(column, Column::Ordered(_));
        let all: Vec<Column> = dimensions.iter().enumerate().filter_map(column).collect();
        let (mut columns, labels): (Vec<Column>, Vec<Column>) = all.into_iter().partition(is_ordered);
        let ordered = columns.len();
        columns.extend(labels);
        Self { columns, ordered }
    }

    /// Returns the number of columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns the number of ordered columns, which come first.
    pub(super) fn ordered(&self) -> usize {
        self.ordered
    }

    /// Returns the coordinate of the cube that column `c` belongs to.
    pub(super) fn coordinate(&self, c: usize) -> usize {
        self.columns[c].coordinate()
    }

    /// Lays out one point.
    pub(super) fn row(&self, point: &[f64]) -> Vec<f64> {
        self.columns.iter().map(|column| column.read(point)).collect()
    }
}

impl Column {
    fn coordinate(self) -> usize {
        let (Self::Ordered(j) | Self::Category(j)) = self;
        j
    }

    fn read(self, point: &[f64]) -> f64 {
        let x = point[self.coordinate()];
        match self {
            Self::Ordered(_) if x.is_nan() => 0.5,
            Self::Category(_) if x.is_nan() => -1.0,
            _ => x,
        }
    }
}

/// The covariance with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    /// `1 / l^2` for every ordered column, then `w` for every label.
    pub scales: Vec<f64>,
    /// Number of ordered columns.
    pub ordered: usize,
    /// Variance of the process.
    pub amplitude: f64,
}

impl Kernel {
    /// Returns `k(a, b)` for two rows of a [`Layout`].
    pub(super) fn covariance(&self, a: &[f64], b: &[f64]) -> f64 {
        self.at(a, b).0
    }

    /// Returns `k(a, b)` and `2 dk/d(a^2/5)`: times `(a_j - b_j) / l_j^2` that is the slope along ordered column `j`.
    pub(super) fn at(&self, a: &[f64], b: &[f64]) -> (f64, f64) {
        let (squared, label) = self.distances(a, b);
        let (value, slope) = matern(squared, label);
        (self.amplitude * value, 2.0 * self.amplitude * slope)
    }

    fn distances(&self, a: &[f64], b: &[f64]) -> (f64, f64) {
        let (ordered, labels) = self.scales.split_at(self.ordered);
        let (a_ordered, a_labels) = a.split_at(self.ordered);
        let (b_ordered, b_labels) = b.split_at(self.ordered);
        let pairs = ordered.iter().zip(a_ordered.iter().zip(b_ordered));
        let squared = pairs.map(|(w, (x, y))| w * (x - y) * (x - y)).sum();
        let pairs = labels.iter().zip(a_labels.iter().zip(b_labels));
        let label = pairs.map(|(w, (x, y))| w * mismatch(*x, *y)).sum();
        (squared, label)
    }
}

/// Returns 1 for two different labels, else 0.
pub(super) fn mismatch(x: f64, y: f64) -> f64 {
    f64::from(u8::from((x - y).abs() > f64::EPSILON))
}

/// Returns the correlation at the squared scaled distance and the label distance, and its slope along the former.
pub(super) fn matern(squared: f64, label: f64) -> (f64, f64) {
    let a = (5.0 * squared).sqrt();
    let decay = (-a - label).exp();
    ((1.0 + a + a * a / 3.0) * decay, -5.0 / 6.0 * (1.0 + a) * decay)
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    use super::*;

    const DIMENSIONS: [Dimension; 5] = [
        Dimension::Continuous,
        Dimension::Categorical(3),
        Dimension::Constant,
        Dimension::Ordinal(4),
        Dimension::Continuous,
    ];

    fn kernel(layout: &Layout, scale: impl Fn(usize) -> f64) -> Kernel {
        Kernel { scales: (0..layout.width()).map(scale).collect(), ordered: layout.ordered(), amplitude: 1.3 }
    }

    #[test]
    fn lays_out_ordered_columns_then_categories() {
        let layout = Layout::new(&DIMENSIONS);
        assert_eq!((layout.width(), layout.ordered()), (4, 3));
        assert_eq!(layout.row(&[0.2, 0.5, 0.5, 0.375, f64::NAN]), [0.2, 0.375, 0.5, 0.5]);
        assert_eq!(layout.row(&[0.9, f64::NAN, 0.5, 0.125, 0.7]), [0.9, 0.125, 0.7, -1.0]);
    }

    #[test]
    fn an_inactive_coordinate_adds_no_distance_to_that_of_its_parent() {
        // A number of layers 1, 2, 3 and the width of the second, which the first of these networks does not have.
        let layout = Layout::new(&[Dimension::Ordinal(3), Dimension::Continuous]);
        let kernel = kernel(&layout, |_| 1.0);
        let covariance = |a: [f64; 2], b: [f64; 2]| kernel.covariance(&layout.row(&a), &layout.row(&b));
        let (one, two, three) = ([1.0 / 6.0, f64::NAN], [0.5, 0.5], [5.0 / 6.0, 0.5]);
        assert!((covariance(one, one) - 1.3).abs() < 1e-15);
        assert!((covariance(one, two) - covariance(two, three)).abs() < 1e-12);
        assert!(covariance(one, [0.5, 0.1]) < covariance(one, two));
    }

    proptest! {
        #[test]
        fn covariance_is_positive_definite(
            points in prop::collection::vec((0.0..1.0, 0..4_usize, 0.0..1.0, 0..2_usize), 2..12),
            scales in prop::collection::vec(-4.0..4.0_f64, 4),
        ) {
            let level = |i: usize| if i == 3 { f64::NAN } else { (i as f64 + 0.5) / 3.0 };
            let present = |x: f64, on: usize| if on == 0 { f64::NAN } else { x };
            let points: Vec<[f64; 5]> =
                points.iter().map(|&(x, c, y, on)| [x, level(c), 0.5, y, present(y, on)]).collect();
            let layout = Layout::new(&DIMENSIONS);
            let kernel = kernel(&layout, |c| scales[c].exp());
            let rows: Vec<Vec<f64>> = points.iter().map(|p| layout.row(p)).collect();
            let matrix = DMatrix::from_fn(rows.len(), rows.len(), |i, j| kernel.covariance(&rows[i], &rows[j]));
            prop_assert!(matrix.symmetric_eigenvalues().min() > -1e-12);
        }
    }
}
