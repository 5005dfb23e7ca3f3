//! Scores of predicted classes and of their probabilities.
//!
//! Truth is one class a row, `0..n_classes`; probabilities are `[row][class]`, each row summing to 1. The predicted class
//! is the most probable one, the lowest of equals.
//!
//! | score | formula |
//! |---|---|
//! | accuracy | share of rows whose predicted class is true |
//! | balanced accuracy | mean over the true classes of the share of their rows that is predicted right |
//! | macro F1 | mean over the classes that are true or predicted anywhere of 2 tp / (2 tp + fp + fn) |
//! | log-loss | mean of -ln p of the true class, p clipped to eps..1 - eps, eps = 2^-52 |
//! | Brier | mean over rows of the sum over classes of (p - 1 if true)^2, 0..2 `[Brier1950]`: for two classes twice the form that counts one class only |
//! | ROC AUC | chance that a row of the class has a higher p than a row of another, ties count half; mean over classes, one against the rest |
//! | calibration error | sum over bins of count / n times abs(share right - mean p) `[Guo2017]` |
//!
//! All are fractions without unit, but for the log-loss [nat].

use serde::{Deserialize, Serialize};

use crate::signal::rank::midranks;

/// Distance from 0 and 1 to which the log-loss clips a probability: the spacing of doubles at 1.
const CLIP: f64 = f64::EPSILON;

/// Largest distance from 1 of the sum of a row; probabilities of networks are sums of single precision.
const SUM_TOLERANCE: f64 = 1e-5;

/// What keeps a score of classes from being computed.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassError {
    /// Occurs when there is nothing to score.
    #[error("no rows to score")]
    Empty,
    /// Occurs when there is not one row of probabilities a true class.
    #[error("{predicted} rows of probabilities for {truth} true classes")]
    Length {
        /// Number of true classes.
        truth: usize,
        /// Number of rows of probabilities.
        predicted: usize,
    },
    /// Occurs when rows differ in their number of classes, or have fewer than two.
    #[error(
        "row {row} has {found} probabilities, the first row has {expected}: every row needs the same, two or more"
    )]
    Width {
        /// Position of the row.
        row: usize,
        /// Probabilities it has.
        found: usize,
        /// Probabilities of the first row.
        expected: usize,
    },
    /// Occurs when a true class has no probability.
    #[error("row {row} is of class {class}, but there are probabilities of {n_classes} classes only")]
    UnknownClass {
        /// Position of the row.
        row: usize,
        /// Its true class.
        class: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// Occurs when a probability is NaN or outside 0..1, or a row does not sum to 1.
    #[error("row {row} is no set of probabilities: each must be 0-1, their sum {sum} must be 1")]
    NotProbabilities {
        /// Position of the row.
        row: usize,
        /// Sum of its values.
        sum: f64,
    },
    /// Occurs when a class has no row, or every row, so that nothing can be ranked against it.
    #[error("class {class} has {found} of {n} rows, so its ROC AUC has no meaning: use `log_loss`")]
    Unranked {
        /// Class.
        class: usize,
        /// Rows of the class.
        found: usize,
        /// Rows.
        n: usize,
    },
    /// Occurs when a reliability curve is to have no bins.
    #[error("0 bins: give one or more")]
    NoBins,
}

/// Part of a reliability curve: the rows whose highest probability lies in `from < p <= to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end of the probability [1], excluded but for 0.
    pub from: f64,
    /// Upper end of the probability [1], included.
    pub to: f64,
    /// Number of rows.
    pub count: usize,
    /// Mean of their highest probability [1]; none without rows.
    pub confidence: Option<f64>,
    /// Share of them whose predicted class is true [1]; none without rows.
    pub accuracy: Option<f64>,
}

/// Returns the most probable class of a row, the lowest of equals; 0 for an empty row.
pub fn most_probable(row: &[f64]) -> usize {
    (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0)
}

/// Returns how often class `[true]` was predicted as `[predicted]`.
///
/// # Errors
/// Every variant of [`ClassError`] but `Unranked` and `NoBins`.
pub fn confusion_matrix(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<Vec<Vec<usize>>, ClassError> {
    let n_classes = check(truth, probabilities)?;
    let mut counts = vec![vec![0; n_classes]; n_classes];
    for (&class, row) in truth.iter().zip(probabilities) {
        counts[class][most_probable(row)] += 1;
    }
    Ok(counts)
}

/// Returns the share of rows whose predicted class is true [1].
///
/// # Errors
/// Those of [`confusion_matrix`].
pub fn accuracy(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<f64, ClassError> {
    let counts = confusion_matrix(truth, probabilities)?;
    let right: usize = (0..counts.len()).map(|class| counts[class][class]).sum();
    Ok(right as f64 / truth.len() as f64)
}

/// Returns the mean recall [1] of the classes that are true somewhere.
///
/// # Errors
/// Those of [`confusion_matrix`].
pub fn balanced_accuracy(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<f64, ClassError> {
    let counts = confusion_matrix(truth, probabilities)?;
    let recall = |class: usize| share(counts[class][class], counts[class].iter().sum());
    Ok(mean((0..counts.len()).filter_map(recall)))
}

/// Returns the mean F1 [1] of the classes that are true or predicted somewhere; 0 for one that is never predicted.
///
/// # Errors
/// Those of [`confusion_matrix`].
pub fn macro_f1(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<f64, ClassError> {
    let counts = confusion_matrix(truth, probabilities)?;
    let f1 = |class: usize| {
        let (is_true, predicted): (usize, usize) =
            (counts[class].iter().sum(), counts.iter().map(|row| row[class]).sum());
        share(2 * counts[class][class], is_true + predicted)
    };
    Ok(mean((0..counts.len()).filter_map(f1)))
}

/// Returns the mean of -ln p of the true class [nat], p clipped (see the head).
///
/// # Errors
/// Those of [`confusion_matrix`].
pub fn log_loss(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<f64, ClassError> {
    check(truth, probabilities)?;
    let loss = |(&class, row): (&usize, &Vec<f64>)| -row[class].clamp(CLIP, 1.0 - CLIP).ln();
    Ok(mean(truth.iter().zip(probabilities).map(loss)))
}

/// Returns the Brier score summed over classes [1], 0..2.
///
/// # Errors
/// Those of [`confusion_matrix`].
pub fn brier(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<f64, ClassError> {
    check(truth, probabilities)?;
    let squares = |(&class, row): (&usize, &Vec<f64>)| -> f64 {
        let is_true = |k| if k == class { 1.0 } else { 0.0 };
        row.iter().enumerate().map(|(k, p)| (p - is_true(k)).powi(2)).sum()
    };
    Ok(mean(truth.iter().zip(probabilities).map(squares)))
}

/// Returns the area under the ROC curve [1], the mean over classes of one against the rest.
///
/// With two classes it is that of class 1, which is that of class 0.
///
/// # Errors
/// [`ClassError::Unranked`] when a class has no row or every row, and those of [`confusion_matrix`].
pub fn roc_auc(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<f64, ClassError> {
    let n_classes = check(truth, probabilities)?;
    let first = usize::from(n_classes == 2);
    let areas: Result<Vec<f64>, _> =
        (first..n_classes).map(|class| area(truth, probabilities, class)).collect();
    Ok(mean(areas?.into_iter()))
}

/// Returns the reliability curve over `n_bins` bins of equal width of the highest probability.
///
/// # Errors
/// [`ClassError::NoBins`], and those of [`confusion_matrix`].
pub fn reliability(
    truth: &[usize],
    probabilities: &[Vec<f64>],
    n_bins: usize,
) -> Result<Vec<Bin>, ClassError> {
    check(truth, probabilities)?;
    if n_bins == 0 {
        return Err(ClassError::NoBins);
    }
    let edge = |idx: usize| idx as f64 / n_bins as f64;
    let mut sums = vec![(0, 0.0, 0); n_bins];
    for (&class, row) in truth.iter().zip(probabilities) {
        let predicted = most_probable(row);
        let sum = &mut sums[(1..n_bins).take_while(|&idx| row[predicted] > edge(idx)).count()];
        *sum = (sum.0 + 1, sum.1 + row[predicted], sum.2 + usize::from(predicted == class));
    }
    let bin = |(idx, (count, confidence, right)): (usize, (usize, f64, usize))| {
        let confidence = (count > 0).then(|| confidence / count as f64);
        Bin { from: edge(idx), to: edge(idx + 1), count, confidence, accuracy: share(right, count) }
    };
    Ok(sums.into_iter().enumerate().map(bin).collect())
}

/// Returns the expected calibration error [1] of a reliability curve; 0 without rows.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let n: usize = bins.iter().map(|bin| bin.count).sum();
    let gap = |bin: &Bin| Some(bin.count as f64 * (bin.accuracy? - bin.confidence?).abs() / n as f64);
    bins.iter().filter_map(gap).sum()
}

/// Returns the number of classes.
fn check(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<usize, ClassError> {
    if truth.len() != probabilities.len() {
        return Err(ClassError::Length { truth: truth.len(), predicted: probabilities.len() });
    }
    let n_classes = probabilities.first().ok_or(ClassError::Empty)?.len();
    for (row, (&class, p)) in truth.iter().zip(probabilities).enumerate() {
        if p.len() != n_classes || n_classes < 2 {
            return Err(ClassError::Width { row, found: p.len(), expected: n_classes });
        }
        if class >= n_classes {
            return Err(ClassError::UnknownClass { row, class, n_classes });
        }
        let sum: f64 = p.iter().sum();
        let is_off = (sum - 1.0).abs() > SUM_TOLERANCE;
        if is_off || p.iter().any(|p| !(0.0..=1.0 + SUM_TOLERANCE).contains(p)) {
            return Err(ClassError::NotProbabilities { row, sum });
        }
    }
    Ok(n_classes)
}

/// Returns the area of one class against the rest, from the sum of its ranks (Mann and Whitney's U).
fn area(truth: &[usize], probabilities: &[Vec<f64>], class: usize) -> Result<f64, ClassError> {
    let found = truth.iter().filter(|&&t| t == class).count();
    let n = truth.len();
    if found == 0 || found == n {
        return Err(ClassError::Unranked { class, found, n });
    }
    let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
    let ranks = midranks(&scores).into_iter().zip(truth);
    let sum: f64 = ranks.filter(|&(_, &t)| t == class).map(|(rank, _)| rank).sum();
    let (own, rest) = (found as f64, (n - found) as f64);
    Ok((sum - own * (own + 1.0) / 2.0) / (own * rest))
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        score_cases: Vec<Case>,
    }

    /// What scikit-learn says (`tests/fixtures/classification/make.py`).
    #[derive(Deserialize)]
    struct Case {
        truth: Vec<usize>,
        probabilities: Vec<Vec<f64>>,
        accuracy: f64,
        balanced_accuracy: f64,
        macro_f1: f64,
        log_loss: f64,
        brier: f64,
        roc_auc: Option<f64>,
        confusion: Vec<Vec<usize>>,
        counts: Vec<usize>,
        ece: f64,
    }

    fn cases() -> Vec<Case> {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        serde_json::from_str::<Golden>(text).unwrap().score_cases
    }

    #[test]
    fn scores_agree_with_scikit_learn() {
        let cases = cases();
        assert_eq!(cases.len(), 6);
        for (idx, case) in cases.iter().enumerate() {
            let (truth, p) = (&case.truth[..], &case.probabilities[..]);
            let found =
                [accuracy, balanced_accuracy, macro_f1, log_loss, brier].map(|f| f(truth, p).unwrap());
            let expected = [case.accuracy, case.balanced_accuracy, case.macro_f1, case.log_loss, case.brier];
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "case {idx}: {found} {expected}");
            }
            assert_eq!(confusion_matrix(truth, p).unwrap(), case.confusion, "case {idx}");
        }
    }

    #[test]
    fn auc_agrees_with_scikit_learn_and_needs_every_class() {
        let mut n_absent = 0;
        for case in cases() {
            let found = roc_auc(&case.truth, &case.probabilities);
            if let Some(expected) = case.roc_auc {
                assert!((found.unwrap() - expected).abs() < 1e-12);
            } else {
                n_absent += 1;
                assert_eq!(found, Err(ClassError::Unranked { class: 1, found: 0, n: 12 }));
            }
        }
        assert_eq!(n_absent, 1);
    }

    #[test]
    fn reliability_agrees_with_numpy() {
        for case in cases() {
            let bins = reliability(&case.truth, &case.probabilities, 5).unwrap();
            assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), case.counts);
            assert!((calibration_error(&bins) - case.ece).abs() < 1e-12);
        }
    }

    #[test]
    fn a_bin_says_confidence_and_share_right() {
        let p = [[0.7, 0.3], [0.2, 0.8], [0.75, 0.25], [1.0, 0.0]].map(Vec::from);
        let bins = reliability(&[0, 0, 0, 0], &p, 4).unwrap();
        assert_eq!((bins[0].count, bins[0].confidence, bins[0].accuracy), (0, None, None));
        // 0.7 and 0.75 lie in 0.5 < p <= 0.75.
        let expected = Bin { from: 0.5, to: 0.75, count: 2, confidence: Some(0.725), accuracy: Some(1.0) };
        assert_eq!(bins[2], expected);
        assert_eq!((bins[3].count, bins[3].accuracy), (2, Some(0.5)));
        // 2/4 * |1 - 0.725| + 2/4 * |0.5 - 0.9|
        assert!((calibration_error(&bins) - 0.3375).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_scored_is_an_error() {
        let score = |truth: &[usize], p: &[&[f64]]| {
            accuracy(truth, &p.iter().map(|row| row.to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(score(&[], &[]), Err(ClassError::Empty));
        assert_eq!(score(&[0], &[]), Err(ClassError::Length { truth: 1, predicted: 0 }));
        assert_eq!(score(&[0], &[&[1.0]]), Err(ClassError::Width { row: 0, found: 1, expected: 1 }));
        let ragged: [&[f64]; 2] = [&[0.5, 0.5], &[0.2, 0.2, 0.6]];
        assert_eq!(score(&[0, 0], &ragged), Err(ClassError::Width { row: 1, found: 3, expected: 2 }));
        assert_eq!(
            score(&[2], &[&[0.5, 0.5]]),
            Err(ClassError::UnknownClass { row: 0, class: 2, n_classes: 2 })
        );
        assert_eq!(score(&[0], &[&[0.5, 0.25]]), Err(ClassError::NotProbabilities { row: 0, sum: 0.75 }));
        assert_eq!(score(&[0], &[&[1.5, -0.5]]), Err(ClassError::NotProbabilities { row: 0, sum: 1.0 }));
        assert!(matches!(score(&[0], &[&[f64::NAN, 1.0]]), Err(ClassError::NotProbabilities { row: 0, .. })));
        assert_eq!(reliability(&[0], &[vec![0.5, 0.5]], 0), Err(ClassError::NoBins));
        assert_eq!(most_probable(&[0.4, 0.4, 0.2]), 0);
    }
}
