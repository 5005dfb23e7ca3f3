//! Cross-conformal intervals: quantiles of errors on rows that the part in question never saw `[Vovk2015]`.
//!
//! The score of a number is its absolute error in label units, that of a tier 1 - the probability of the true one. The
//! interval of an answer is answer ± score, the set of an answer all tiers whose 1 - p is at most the score.
//!
//! The score of a level is the `ceil((n + 1) level)`-th smallest of n: where rows are exchangeable it covers at least that
//! share of new ones. Rows of one cell are alike, so how many such intervals really cover is measured by leaving out one
//! cell after another.

use serde::{Deserialize, Serialize};

/// Levels that a table holds.
pub const LEVELS: [f64; 4] = [0.5, 0.8, 0.9, 0.95];

/// Scores by level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformal {
    /// Levels, ascending, 0 to 1 without the ends.
    pub levels: Vec<f64>,
    /// Score of each level, never falling: half the width in label units, or 1 - the least probability in a set.
    pub scores: Vec<f64>,
    /// Share of rows that each level's score covers in cells whose errors it was not made of [1]; absent for one cell.
    pub coverage: Vec<f64>,
    /// Rows whose errors count.
    pub n_rows: usize,
    /// Cells that they belong to.
    pub n_cells: usize,
}

/// What a rank may lie above a whole number by rounding, so that level 0.95 of 19 rows is the 19th.
const ROUNDING: f64 = 1e-9;

impl Conformal {
    /// Makes the table of errors on rows that the part in question never saw, a list a cell.
    ///
    /// Scores that are not finite do not count. A level that would need more rows than there are, because its score would
    /// be infinite, is left out; `None` where none remains.
    pub fn fit(scores_by_cell: &[Vec<f64>]) -> Option<Self> {
        let finite = |cell: &Vec<f64>| cell.iter().copied().filter(|s| s.is_finite()).collect::<Vec<_>>();
        let cells: Vec<Vec<f64>> = scores_by_cell.iter().map(finite).filter(|c| !c.is_empty()).collect();
        let all = ascending(cells.concat());
        let known = LEVELS.into_iter().filter_map(|level| Some((level, quantile(&all, level)?)));
        let (levels, scores): (Vec<f64>, Vec<f64>) = known.unzip();
        let coverage = coverage(&cells, &levels);
        let (n_rows, n_cells) = (all.len(), cells.len());
        (!levels.is_empty()).then_some(Self { levels, scores, coverage, n_rows, n_cells })
    }

    /// Returns the score of a level of the table; `None` for another one.
    pub fn score(&self, level: f64) -> Option<f64> {
        self.levels.iter().position(|l| (l - level).abs() < 1e-9).map(|idx| self.scores[idx])
    }
}

fn ascending(mut scores: Vec<f64>) -> Vec<f64> {
    scores.sort_by(f64::total_cmp);
    scores
}

/// Returns the score of a level among ascending ones; `None` where they are too few for it.
fn quantile(ascending: &[f64], level: f64) -> Option<f64> {
    let rank = ((ascending.len() + 1) as f64 * level - ROUNDING).ceil() as usize;
    ascending.get(rank.checked_sub(1)?).copied()
}

/// Returns the share of rows that each level covers in cells whose scores it was not made of; nothing for one cell.
///
/// Where the other cells have too few rows for a level, their greatest score stands for it.
fn coverage(cells: &[Vec<f64>], levels: &[f64]) -> Vec<f64> {
    if cells.len() < 2 {
        return Vec::new();
    }
    let mut covered = vec![0; levels.len()];
    for (left_out, own) in cells.iter().enumerate() {
        let others = cells.iter().enumerate().filter(|(idx, _)| *idx != left_out);
        let others = ascending(others.flat_map(|(_, scores)| scores).copied().collect());
        for (covered, &level) in covered.iter_mut().zip(levels) {
            let score = quantile(&others, level).unwrap_or(others[others.len() - 1]);
            *covered += own.iter().filter(|s| **s <= score).count();
        }
    }
    let n_rows = cells.iter().map(Vec::len).sum::<usize>() as f64;
    covered.into_iter().map(|n| n as f64 / n_rows).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::RngExt;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn quantiles_and_coverage_agree_with_numpy() {
        // numpy.quantile(scores, ceil((n + 1) level) / n, method="inverted_cdf") of all, and of all but one cell.
        let cells = [
            vec![0.0, 0.006, 0.0055, 0.0178, 0.0091, 0.0198, 0.0012, 0.0268, 0.0098, 0.0124, 0.0098],
            vec![0.0178, 0.0053, 0.0465, 0.0015, 0.0348, 0.0672, 0.0229],
            vec![
                0.057, 0.0387, 0.0553, 0.0071, 0.038, 0.0081, 0.0047, 0.0056, 0.0755, 0.0162, 0.0015, 0.0034,
                0.0459, 0.0143,
            ],
        ];
        let found = Conformal::fit(&cells).unwrap();
        assert_eq!(found.scores, [0.0143, 0.0459, 0.057, 0.0755]);
        assert_eq!(found.coverage, [0.531_25, 0.75, 0.937_5, 0.968_75]);
        assert_eq!((found.n_rows, found.n_cells, found.score(0.9)), (32, 3, Some(0.057)));
    }

    #[test]
    fn a_level_that_few_rows_cannot_have_is_left_out() {
        let of = |n: u32| Conformal::fit(&[(1..=n).map(f64::from).collect()]);
        // ceil((n + 1) level) <= n: from 9 rows for 0.9, from 19 for 0.95, from 1 for 0.5.
        let levels = |n| of(n).map_or(0, |table| table.levels.len());
        assert_eq!([0, 1, 3, 4, 8, 9, 18, 19].map(levels), [0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(of(19).unwrap().score(0.95), Some(19.0));
        assert_eq!(of(19).unwrap().coverage, [0.0; 0], "one cell has no other");
        assert_eq!(Conformal::fit(&[vec![f64::NAN, f64::INFINITY], Vec::new()]), None);
    }

    #[test]
    fn what_is_exchangeable_is_covered_as_promised() {
        let mut rng = Seed::new(3).stream("scores");
        let cells: Vec<Vec<f64>> =
            (0..40).map(|_| (0..100).map(|_| rng.random_range(0.0_f64..1.0)).collect()).collect();
        let found = Conformal::fit(&cells).unwrap();
        for ((level, score), coverage) in found.levels.iter().zip(&found.scores).zip(&found.coverage) {
            // Of uniform scores the quantile is the level; standard deviation of a share of 4000 is 0.008 at most.
            assert!((score - level).abs() < 0.03 && (coverage - level).abs() < 0.03, "{found:?}");
        }
    }

    #[test]
    fn coverage_says_that_cells_differ() {
        // One cell of four has errors ten times as large: left out, hardly a row of it is covered.
        let cell = |scale: f64| (1..=50).map(|i| scale * f64::from(i)).collect::<Vec<f64>>();
        let found = Conformal::fit(&[cell(1.0), cell(1.0), cell(1.0), cell(10.0)]).unwrap();
        // Left out, 2 and 4 of its 50 rows are below the others' 26 and 48; of the small cells 37 and all 50 are covered.
        assert_eq!((found.coverage[0], found.coverage[3]), (0.565, 0.77));
    }

    proptest! {
        #[test]
        fn scores_rise_with_the_level_and_cover_their_share(
            cells in prop::collection::vec(prop::collection::vec(0.0..9.0f64, 0..30), 0..6),
        ) {
            if let Some(found) = Conformal::fit(&cells) {
                prop_assert!(found.scores.windows(2).all(|pair| pair[0] <= pair[1]));
                prop_assert!(found.coverage.windows(2).all(|pair| pair[0] <= pair[1]));
                let all = cells.concat();
                for (level, score) in found.levels.iter().zip(&found.scores) {
                    let covered = all.iter().filter(|s| *s <= score).count() as f64;
                    prop_assert!(covered >= level * all.len() as f64);
                    prop_assert!(all.contains(score));
                }
            }
        }
    }
}
