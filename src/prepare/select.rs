//! Selection of inputs on the training rows of a fold: what is mostly missing, constant or a near copy goes, the best stay.
//!
//! | key | default | range | effect |
//! |---|---|---|---|
//! | `top` | 20 | 1 or more | inputs that stay at most |
//! | `max_missing` | 0.2 | 0-1 | largest share of training rows in which an input may be missing |
//! | `max_correlation` | 0.95 | 0-1 | of two inputs with a larger abs(Spearman) the one with fewer missing values stays, the first of equals |
//!
//! What is left is ordered by its score alone with the label: the H of Kruskal and Wallis for classes `[Kruskal1952]`,
//! abs(Spearman) for a number `[Spearman1904]`. A value that is not finite is missing.

use serde::{Deserialize, Serialize};

use crate::signal::rank::{Ranked, kruskal_wallis, spearman};

/// What stays (see the head).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelectConfig {
    /// Inputs that stay at most, 1 or more.
    pub top: usize,
    /// Largest share of training rows in which an input may be missing [1], 0-1.
    pub max_missing: f64,
    /// Largest abs(Spearman) between two inputs that stay [1], 0-1.
    pub max_correlation: f64,
}

impl Default for SelectConfig {
    fn default() -> Self {
        Self { top: 20, max_missing: 0.2, max_correlation: 0.95 }
    }
}

/// Labels of every row, by which inputs are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Labels<'a> {
    /// Classes, `0..n`.
    Classes(&'a [usize]),
    /// Numbers.
    Values(&'a [f64]),
}

/// What was selected, and what left why; positions of columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Columns that stay, the best first.
    pub kept: Vec<usize>,
    /// Score of each of them.
    pub scores: Vec<f64>,
    /// Columns missing in too many rows.
    pub missing: Vec<usize>,
    /// Columns with one value only, and those whose score has no meaning.
    pub constant: Vec<usize>,
    /// Near copies, and the column that stays in their place.
    pub copies: Vec<(usize, usize)>,
}

/// Why nothing could be selected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Occurs when a setting lies outside its range.
    #[error("`{key}` is {value}: it must be {must}")]
    OutOfRange {
        /// Key below the selection's table.
        key: &'static str,
        /// Value found.
        value: f64,
        /// Range of the value.
        must: &'static str,
    },
    /// Occurs when there is no training row.
    #[error("no training rows to select inputs by")]
    NoRows,
    /// Occurs when no input is left.
    #[error(
        "none of {n} inputs is left: {missing} are missing in too many training rows, {constant} do not vary; raise max_missing or choose other inputs"
    )]
    NothingLeft {
        /// Inputs to select from.
        n: usize,
        /// Those missing too often.
        missing: usize,
        /// Those that do not vary.
        constant: usize,
    },
}

impl SelectConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SelectError::OutOfRange`] names the first key whose value cannot be used.
    pub fn check(&self) -> Result<(), SelectError> {
        let share = |key, value: f64| {
            let ok = (0.0..=1.0).contains(&value);
            if ok { Ok(()) } else { Err(SelectError::OutOfRange { key, value, must: "0-1" }) }
        };
        if self.top == 0 {
            return Err(SelectError::OutOfRange { key: "top", value: 0.0, must: "1 or more" });
        }
        share("max_missing", self.max_missing)?;
        share("max_correlation", self.max_correlation)
    }

    /// Selects among `columns` (`[column][row]`) by the training `rows` alone; labels are those of every row.
    ///
    /// # Errors
    /// Every variant of [`SelectError`].
    ///
    /// # Panics
    /// When a row lies outside a column or the labels.
    pub fn select(
        &self,
        columns: &[&[f64]],
        rows: &[usize],
        labels: Labels,
    ) -> Result<Selection, SelectError> {
        self.check()?;
        if rows.is_empty() {
            return Err(SelectError::NoRows);
        }
        let columns: Vec<Vec<f64>> =
            columns.iter().map(|column| rows.iter().map(|&row| column[row]).collect()).collect();
        let mut selection = Selection::default();
        let mut scored = self.usable(&columns, &labels.of(rows), &mut selection);
        self.drop_copies(&columns, &mut scored, &mut selection);
        scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scored.truncate(self.top);
        (selection.kept, selection.scores) = scored.into_iter().unzip();
        if selection.kept.is_empty() {
            let (missing, constant) = (selection.missing.len(), selection.constant.len());
            return Err(SelectError::NothingLeft { n: columns.len(), missing, constant });
        }
        Ok(selection)
    }

    /// Returns the columns that are there and vary, with their scores.
    fn usable(&self, columns: &[Vec<f64>], labels: &OwnLabels, out: &mut Selection) -> Vec<(usize, f64)> {
        let mut scored = Vec::new();
        for (idx, column) in columns.iter().enumerate() {
            if n_missing(column) as f64 > self.max_missing * column.len() as f64 {
                out.missing.push(idx);
            } else if let Some(score) = labels.score(column) {
                scored.push((idx, score));
            } else {
                out.constant.push(idx);
            }
        }
        scored
    }

    /// Drops each column that is a near copy of one that stays.
    fn drop_copies(&self, columns: &[Vec<f64>], scored: &mut Vec<(usize, f64)>, out: &mut Selection) {
        scored.sort_by_key(|&(idx, _)| (n_missing(&columns[idx]), idx));
        let mut kept: Vec<(usize, Ranked)> = Vec::new();
        scored.retain(|&(idx, _)| {
            let ranked = Ranked::new(&columns[idx]);
            let alike =
                |other: &Ranked| ranked.spearman(other).is_some_and(|r| r.abs() > self.max_correlation);
            let original = kept.iter().find(|(_, other)| alike(other)).map(|(original, _)| *original);
            match original {
                Some(original) => out.copies.push((idx, original)),
                None => kept.push((idx, ranked)),
            }
            original.is_none()
        });
    }
}

/// Labels of the training rows.
enum OwnLabels {
    Classes(Vec<usize>),
    Values(Vec<f64>),
}

impl Labels<'_> {
    fn of(self, rows: &[usize]) -> OwnLabels {
        match self {
            Self::Classes(classes) => OwnLabels::Classes(rows.iter().map(|&row| classes[row]).collect()),
            Self::Values(values) => OwnLabels::Values(rows.iter().map(|&row| values[row]).collect()),
        }
    }
}

impl OwnLabels {
    fn score(&self, column: &[f64]) -> Option<f64> {
        match self {
            Self::Classes(classes) => kruskal_wallis(column, classes),
            Self::Values(values) => spearman(column, values).map(f64::abs),
        }
    }
}

fn n_missing(column: &[f64]) -> usize {
    column.iter().filter(|v| !v.is_finite()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;
    const CLASSES: [usize; 8] = [0, 0, 0, 0, 1, 1, 1, 1];

    fn select(config: &SelectConfig, columns: &[[f64; 8]]) -> Result<Selection, SelectError> {
        let columns: Vec<&[f64]> = columns.iter().map(|column| &column[..]).collect();
        config.select(&columns, &[0, 1, 2, 3, 4, 5, 6, 7], Labels::Classes(&CLASSES))
    }

    #[test]
    fn missing_constant_and_copied_inputs_go_and_the_best_come_first() {
        let columns = [
            [1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0],         // H = 1.333
            [3.0; 8],                                         // constant
            [1.0, NAN, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],         // a copy of the next with a gap
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 80.0],        // H = 5.333
            [NAN, NAN, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],         // missing in a quarter
            [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0], // a falling copy of column 3
        ];
        let found = select(&SelectConfig::default(), &columns).unwrap();
        assert_eq!(
            (&found.kept[..], &found.missing[..], &found.constant[..]),
            (&[3, 0][..], &[4][..], &[1][..])
        );
        assert_eq!(found.copies, [(5, 3), (2, 3)]);
        // scipy.stats.kruskal([1, 2, 3, 4], [5, 6, 7, 80]) and ([1, 5, 2, 6], [3, 7, 4, 8])
        assert!((found.scores[0] - 16.0 / 3.0).abs() < 1e-12 && (found.scores[1] - 4.0 / 3.0).abs() < 1e-12);
        let top = SelectConfig { top: 1, ..SelectConfig::default() };
        assert_eq!(select(&top, &columns).unwrap().kept, [3]);
    }

    #[test]
    fn rows_outside_the_training_part_change_nothing() {
        let labels = [1.0, 2.0, 3.0, 4.0, 900.0];
        let columns =
            |last: f64| [[1.0, 2.0, 4.0, 3.0, last], [1.0, 3.0, 2.0, 9.0, last], [2.0, 2.0, 2.0, 2.0, last]];
        let select = |last: f64| {
            let columns = columns(last);
            let columns: Vec<&[f64]> = columns.iter().map(|c| &c[..]).collect();
            SelectConfig::default().select(&columns, &[0, 1, 2, 3], Labels::Values(&labels)).unwrap()
        };
        assert_eq!(select(7.0), select(NAN));
        assert_eq!(select(7.0).constant, [2]);
        // scipy.stats.spearmanr: 0.8 for both, so the first comes first.
        assert_eq!(select(7.0).kept, [0, 1]);
        assert!(select(7.0).scores.iter().all(|score| (score - 0.8).abs() < 1e-12));
    }

    #[test]
    fn what_leaves_nothing_is_an_error() {
        let config = SelectConfig::default();
        let found = select(&config, &[[NAN; 8], [1.0; 8]]);
        assert_eq!(found, Err(SelectError::NothingLeft { n: 2, missing: 1, constant: 1 }));
        assert_eq!(config.select(&[], &[], Labels::Values(&[])), Err(SelectError::NoRows));
        for text in ["top = 0", "max_missing = 1.5", "max_correlation = -0.1"] {
            assert!(toml::from_str::<SelectConfig>(text).unwrap().check().is_err(), "{text}");
        }
        assert!(toml::from_str::<SelectConfig>("topp = 3").is_err());
    }
}
