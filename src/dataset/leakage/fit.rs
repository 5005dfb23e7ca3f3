//! One input alone against the label: line, parabola and monotone curve, judged on cells they never saw.
//!
//! Least squares on the standardised input; the monotone curve is isotonic regression by pooling adjacent violators,
//! linear between its steps and constant outside `[Barlow1972]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nalgebra::{SMatrix, SVector};
use serde::Serialize;

use super::{COPY_DEVIATION, Row};

/// Most blocks of cells that are left out in turn: every cell up to this number, else groups of cells.
const MOST_BLOCKS: usize = 20;

/// Blocks in time of a single cell, as there is no other cell to be judged on.
const BLOCKS_OF_ONE_CELL: usize = 5;

/// Fewest rows that a fit is judged on.
const FEWEST_ROWS: usize = 8;

/// Weight of the ridge that keeps a constant input solvable, relative to the number of rows.
const RIDGE: f64 = 1e-9;

/// A simpler curve is preferred unless another has less than this share of its RMSE.
const CLEARLY_BETTER: f64 = 0.95;

/// Kind of curve through one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Straight line.
    Line,
    /// Polynomial of degree two.
    Parabola,
    /// Rising or falling steps, linear in between.
    Monotone,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Line, Self::Parabola, Self::Monotone];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Line => "one line",
            Self::Parabola => "one parabola",
            Self::Monotone => "one monotone curve",
        })
    }
}

/// How well one input alone foretells the label of cells that the fit never saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SingleFit {
    /// Input.
    pub name: String,
    /// Curve.
    pub shape: Shape,
    /// Root mean square error in the unit of the label: of each cell, then the mean over cells; of all rows where
    /// cells have a single one.
    pub rmse: f64,
    /// Share of the variance of all labels that is explained [1], at most 1; negative when worse than their mean.
    pub r2: f64,
    /// Rows with a finite input and label.
    pub n_rows: usize,
}

/// The block of each row: rows of one block are foretold from the others.
pub(super) struct Blocks<'a> {
    rows: &'a [Row],
    block: Vec<usize>,
}

impl<'a> Blocks<'a> {
    /// Returns blocks of whole cells, or of time where there is one cell only.
    pub(super) fn new(rows: &'a [Row]) -> Self {
        let cells: BTreeSet<usize> = rows.iter().map(|r| r.cell_idx).collect();
        let rank: BTreeMap<usize, usize> = cells.iter().zip(0..).map(|(&cell, rank)| (cell, rank)).collect();
        let block = if cells.len() > 1 {
            rows.iter().map(|r| rank[&r.cell_idx] % MOST_BLOCKS).collect()
        } else {
            (0..rows.len()).map(|k| k * BLOCKS_OF_ONE_CELL / rows.len()).collect()
        };
        Self { rows, block }
    }

    /// Returns the figures of the best curve; `None` with too few rows or a constant label.
    pub(super) fn best(&self, name: &str, x: &[f64], y: &[f64]) -> Option<SingleFit> {
        let fits = Shape::ALL.into_iter().filter_map(|shape| self.judge(name, shape, x, y));
        fits.reduce(|best, next| if next.rmse < CLEARLY_BETTER * best.rmse { next } else { best })
    }

    /// Returns the figures of a line.
    pub(super) fn line(&self, name: &str, x: &[f64], y: &[f64]) -> Option<SingleFit> {
        self.judge(name, Shape::Line, x, y)
    }

    /// Returns the figures of one curve; `None` with too few rows or a constant label.
    pub(super) fn judge(&self, name: &str, shape: Shape, x: &[f64], y: &[f64]) -> Option<SingleFit> {
        let rows: Vec<usize> = (0..x.len()).filter(|&k| x[k].is_finite() && y[k].is_finite()).collect();
        let labels: Vec<f64> = rows.iter().map(|&k| y[k]).collect();
        let (_, spread) = mean_and_spread(&labels);
        if rows.len() < FEWEST_ROWS || spread <= 0.0 {
            return None;
        }
        let residuals = self.residuals(shape, &rows, x, y)?;
        let squares: f64 = residuals.iter().map(|e| e * e).sum();
        let r2 = 1.0 - squares / (spread * spread * rows.len() as f64);
        let rmse = self.rmse(&rows, &residuals);
        Some(SingleFit { name: name.into(), shape, rmse, r2, n_rows: rows.len() })
    }

    /// Returns label minus forecast of each row in `rows`; `None` where a block is all there is.
    fn residuals(&self, shape: Shape, rows: &[usize], x: &[f64], y: &[f64]) -> Option<Vec<f64>> {
        let blocks: BTreeSet<usize> = rows.iter().map(|&k| self.block[k]).collect();
        if blocks.len() < 2 {
            return None;
        }
        let mut residuals = vec![0.0; rows.len()];
        for block in blocks {
            let train = rows.iter().filter(|&&k| self.block[k] != block).map(|&k| (x[k], y[k])).collect();
            let curve = Curve::fit(shape, train);
            for (residual, &k) in residuals.iter_mut().zip(rows).filter(|(_, k)| self.block[**k] == block) {
                *residual = y[k] - curve.at(x[k]);
            }
        }
        Some(residuals)
    }

    fn rmse(&self, rows: &[usize], residuals: &[f64]) -> f64 {
        let mut of_cell: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for (&k, e) in rows.iter().zip(residuals) {
            let (squares, count) = of_cell.entry(self.rows[k].cell_idx).or_default();
            (*squares, *count) = (*squares + e * e, *count + 1.0);
        }
        if rows.len() < 2 * of_cell.len() {
            return root_mean_square(residuals);
        }
        of_cell.values().map(|(squares, count)| (squares / count).sqrt()).sum::<f64>() / of_cell.len() as f64
    }
}

/// Returns whether `x` is the label `lag` rows later in the same cell, up to offset and scale.
pub(super) fn is_copy(x: &[f64], y: &[f64], rows: &[Row], lag: i32) -> bool {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&k| rows[k]);
    let step = lag.unsigned_abs() as usize;
    let pairs: Vec<(f64, f64)> = (order.iter().zip(order.iter().skip(step)))
        .filter(|&(&a, &b)| rows[a].cell_idx == rows[b].cell_idx)
        .map(|(&a, &b)| if lag < 0 { (x[b], y[a]) } else { (x[a], y[b]) })
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    let labels: Vec<f64> = pairs.iter().map(|p| p.1).collect();
    let (_, spread) = mean_and_spread(&labels);
    if pairs.len() < FEWEST_ROWS || spread <= 0.0 {
        return false;
    }
    let line = Curve::fit(Shape::Line, pairs.clone());
    pairs.iter().all(|&(x, y)| (y - line.at(x)).abs() <= COPY_DEVIATION * spread)
}

/// A fitted curve.
enum Curve {
    /// Coefficients of the standardised input, constant first.
    Polynomial { center: f64, scale: f64, coefficients: [f64; 3] },
    /// Knots in ascending order of the input.
    Knots(Vec<(f64, f64)>),
}

impl Curve {
    /// Fits `shape` to pairs of input and label, at least one.
    fn fit(shape: Shape, pairs: Vec<(f64, f64)>) -> Self {
        match shape {
            Shape::Line => Self::polynomial::<2>(&pairs),
            Shape::Parabola => Self::polynomial::<3>(&pairs),
            Shape::Monotone => Self::Knots(isotonic(pairs)),
        }
    }

    /// Fits `N` coefficients, at most three.
    fn polynomial<const N: usize>(pairs: &[(f64, f64)]) -> Self {
        let inputs: Vec<f64> = pairs.iter().map(|p| p.0).collect();
        let (center, spread) = mean_and_spread(&inputs);
        let scale = if spread > 0.0 { spread } else { 1.0 };
        let mut normal = SMatrix::<f64, N, N>::identity() * (RIDGE * pairs.len() as f64);
        normal[(0, 0)] = 0.0;
        let mut target = SVector::<f64, N>::zeros();
        for &(x, y) in pairs {
            let powers = SVector::<f64, N>::from_fn(|degree, _| powers((x - center) / scale)[degree]);
            normal += powers * powers.transpose();
            target += powers * y;
        }
        let solution = normal.cholesky().map_or_else(SVector::zeros, |c| c.solve(&target));
        let mut coefficients = [0.0; 3];
        coefficients[..N].copy_from_slice(solution.as_slice());
        Self::Polynomial { center, scale, coefficients }
    }

    fn at(&self, x: f64) -> f64 {
        match self {
            Self::Polynomial { center, scale, coefficients } => {
                let powers = powers((x - center) / scale);
                powers.iter().zip(coefficients).map(|(power, c)| power * c).sum()
            }
            Self::Knots(knots) => interpolate(knots, x),
        }
    }
}

fn powers(z: f64) -> [f64; 3] {
    [1.0, z, z * z]
}

/// Isotonic regression, rising or falling as the pairs are correlated.
fn isotonic(mut pairs: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sign = direction(&pairs);
    // Pools of equal value: sum and count of the signed labels, the first and the last input in them.
    let mut pools: Vec<(f64, f64, f64, f64)> = Vec::new();
    for group in pairs.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let sum = group.iter().map(|p| sign * p.1).sum();
        pools.push((sum, group.len() as f64, group[0].0, group[0].0));
        while let [.., (sum_a, n_a, ..), (sum_b, n_b, _, end)] = pools[..]
            && sum_a / n_a >= sum_b / n_b
        {
            pools.pop();
            if let Some(last) = pools.last_mut() {
                (last.0, last.1, last.3) = (last.0 + sum_b, last.1 + n_b, end);
            }
        }
    }
    let ends = |(sum, count, first, last): (f64, f64, f64, f64)| {
        let value = sign * sum / count;
        [(first, value), (last, value)]
    };
    pools.into_iter().flat_map(ends).collect()
}

fn direction(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let covariance: f64 = pairs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    if covariance < 0.0 { -1.0 } else { 1.0 }
}

fn interpolate(knots: &[(f64, f64)], x: f64) -> f64 {
    let after = knots.partition_point(|k| k.0 < x);
    match (after.checked_sub(1).map(|k| knots[k]), knots.get(after)) {
        (Some((x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (None, Some(&(_, y))) | (Some((_, y)), None) => y,
        (None, None) => f64::NAN,
    }
}

fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt()
}
