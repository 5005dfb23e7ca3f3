//! Calibration of class probabilities, fitted on out-of-fold ones: temperature or isotonic.
//!
//! | kind | what it does |
//! |---|---|
//! | `none` | nothing |
//! | `temperature` | p^(1/T), renormalised; T minimises the log-loss `[Guo2017]`. The order of the classes stays |
//! | `isotonic` | the probability of each class against the rest through a rising function by pooled violators, linear between its points, then renormalised `[Zadrozny2002]` |
//!
//! After the isotonic steps a probability is clipped to f..1 - f with f = 1 / (n + 2), the rule of succession for n rows: a
//! step at 0 says only that none of n rows was of the class, so the log-loss stays finite.

use serde::{Deserialize, Serialize};

use super::softmax::{softmax, softmax_in_place};

/// Probability at which logarithms are clipped: the spacing of doubles at 1, as in the log-loss.
const CLIP: f64 = f64::EPSILON;
/// Range of 1 / T. At its upper end the classes are never wrong on the given rows, at its lower end no better than chance.
const SHARPNESS: (f64, f64) = (0.02, 50.0);
/// Distance below which two probabilities are equal: rounding of a renormalised row.
const TIE: f64 = 1e-12;
/// Most steps towards the temperature; a bisection of the range to its last digit needs 60.
const STEPS: usize = 200;

/// Kind of calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationConfig {
    /// Probabilities as they are.
    None,
    /// One number for all classes.
    #[default]
    Temperature,
    /// One rising function a class; for some hundred rows or more.
    Isotonic,
}

/// Calibration as fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// Probabilities as they are.
    None,
    /// Probabilities to the power of `1 / temperature`.
    Temperature {
        /// T, 0.02-50: above 1 for a model that was too sure.
        temperature: f64,
    },
    /// One rising function a class.
    Isotonic {
        /// Function of each class.
        classes: Vec<Rising>,
        /// Distance from 0 and 1 that is kept [1].
        floor: f64,
    },
}

/// Piecewise linear function that never falls, constant beyond its ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rising {
    /// Places, ascending.
    pub x: Vec<f64>,
    /// Values there, never falling.
    pub y: Vec<f64>,
}

/// Why nothing could be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// Occurs when there is nothing to fit to.
    #[error("no rows to calibrate on")]
    Empty,
    /// Occurs when there is not one row of probabilities a true class.
    #[error("{predicted} rows of probabilities for {truth} true classes")]
    Length {
        /// Number of true classes.
        truth: usize,
        /// Number of rows of probabilities.
        predicted: usize,
    },
    /// Occurs when a row has another number of classes than the first, or none for its true class, or no finite ones.
    #[error("row {row} has no probabilities of the {n_classes} classes, its true class {class} among them")]
    Row {
        /// Position of the row.
        row: usize,
        /// Its true class.
        class: usize,
        /// Classes of the first row.
        n_classes: usize,
    },
}

impl CalibrationConfig {
    /// Fits to out-of-fold probabilities `[row][class]` and the true classes.
    ///
    /// # Errors
    /// Every variant of [`CalibrationError`].
    pub fn fit(self, truth: &[usize], probabilities: &[Vec<f64>]) -> Result<Calibration, CalibrationError> {
        let n_classes = check(truth, probabilities)?;
        Ok(match self {
            Self::None => Calibration::None,
            Self::Temperature => {
                Calibration::Temperature { temperature: 1.0 / sharpness(truth, probabilities) }
            }
            Self::Isotonic => {
                let classes = (0..n_classes).map(|class| one_against_rest(truth, probabilities, class));
                Calibration::Isotonic { classes: classes.collect(), floor: 1.0 / (truth.len() as f64 + 2.0) }
            }
        })
    }
}

impl Calibration {
    /// Returns the calibrated probabilities of a row; they sum to 1. A row that is not finite stays as it is.
    pub fn apply(&self, row: &[f64]) -> Vec<f64> {
        let mut row = row.to_vec();
        self.correct(&mut row);
        row
    }

    /// Replaces the probabilities of a row by the calibrated ones, as [`Calibration::apply`].
    pub fn correct(&self, row: &mut [f64]) {
        if row.iter().any(|p| !p.is_finite()) {
            return;
        }
        match self {
            Self::None => {}
            Self::Temperature { temperature } => {
                for p in row.iter_mut() {
                    *p = 1.0 / temperature * logarithm(*p);
                }
                softmax_in_place(row);
            }
            Self::Isotonic { classes, floor } => {
                for (p, class) in row.iter_mut().zip(classes) {
                    *p = class.at(*p).clamp(*floor, 1.0 - floor);
                }
                normalise(row);
            }
        }
    }
}

impl Rising {
    /// Fits by pooling adjacent violators: the least-squares function of `x` that never falls; equal `x` (within 1e-12) are averaged.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn fit(x: &[f64], y: &[f64]) -> Self {
        assert_eq!(x.len(), y.len(), "one y for each x");
        let mut pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<Block> = Vec::new();
        for tied in pairs.chunk_by(|a, b| b.0 - a.0 < TIE) {
            let sum = tied.iter().map(|pair| pair.1).sum();
            let mut block = Block { from: tied[0].0, to: tied[0].0, sum, n: tied.len() as f64 };
            while let Some(last) = blocks.pop_if(|last| last.mean() >= block.mean()) {
                block =
                    Block { from: last.from, to: block.to, sum: last.sum + block.sum, n: last.n + block.n };
            }
            blocks.push(block);
        }
        let ends =
            |block: &Block| if block.from < block.to { vec![block.from, block.to] } else { vec![block.from] };
        let points = blocks.iter().flat_map(|block| ends(block).into_iter().map(|x| (x, block.mean())));
        let (x, y) = points.unzip();
        Self { x, y }
    }

    /// Returns its value; NaN where nothing was fitted.
    pub fn at(&self, x: f64) -> f64 {
        let above = self.x.partition_point(|&place| place < x);
        match (above.checked_sub(1), self.x.get(above)) {
            (Some(below), Some(place)) => {
                let share = (x - self.x[below]) / (place - self.x[below]);
                self.y[below] + share * (self.y[above] - self.y[below])
            }
            (None, Some(_)) => self.y[0],
            (_, None) => self.y.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// Neighbouring places that share a value.
struct Block {
    from: f64,
    to: f64,
    sum: f64,
    n: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.n
    }
}

fn check(truth: &[usize], probabilities: &[Vec<f64>]) -> Result<usize, CalibrationError> {
    if truth.len() != probabilities.len() {
        return Err(CalibrationError::Length { truth: truth.len(), predicted: probabilities.len() });
    }
    let n_classes = probabilities.first().ok_or(CalibrationError::Empty)?.len();
    for (row, (&class, p)) in truth.iter().zip(probabilities).enumerate() {
        if p.len() != n_classes || class >= n_classes || p.iter().any(|p| !p.is_finite()) {
            return Err(CalibrationError::Row { row, class, n_classes });
        }
    }
    Ok(n_classes)
}

fn one_against_rest(truth: &[usize], probabilities: &[Vec<f64>], class: usize) -> Rising {
    let x: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
    let y: Vec<f64> = truth.iter().map(|&t| if t == class { 1.0 } else { 0.0 }).collect();
    Rising::fit(&x, &y)
}

/// Returns the 1 / T of least log-loss, which is convex in it: Newton's steps, and bisection where one leaves the bracket.
fn sharpness(truth: &[usize], probabilities: &[Vec<f64>]) -> f64 {
    let logs: Vec<Vec<f64>> = probabilities.iter().map(|row| logarithms(row)).collect();
    let (mut low, mut high) = SHARPNESS;
    let mut at = 1.0;
    for _ in 0..STEPS {
        let (slope, curvature) = slopes(truth, &logs, at);
        if slope > 0.0 {
            high = at;
        } else {
            low = at;
        }
        let newton = at - slope / curvature;
        let next = if newton > low && newton < high { newton } else { low.midpoint(high) };
        if (next - at).abs() <= 1e-14 * at {
            break;
        }
        at = next;
    }
    at
}

/// Returns the first and second derivative of the mean log-loss by 1 / T.
fn slopes(truth: &[usize], logs: &[Vec<f64>], sharpness: f64) -> (f64, f64) {
    let of_row = |(&class, row): (&usize, &Vec<f64>)| {
        let p = sharpened(row, sharpness);
        let mean: f64 = p.iter().zip(row).map(|(p, z)| p * z).sum();
        let variance: f64 = p.iter().zip(row).map(|(p, z)| p * (z - mean).powi(2)).sum();
        (mean - row[class], variance)
    };
    let sums = truth.iter().zip(logs).map(of_row).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    (sums.0 / truth.len() as f64, sums.1 / truth.len() as f64)
}

fn logarithms(row: &[f64]) -> Vec<f64> {
    row.iter().map(|&p| logarithm(p)).collect()
}

fn logarithm(p: f64) -> f64 {
    p.max(CLIP).ln()
}

fn sharpened(logits: &[f64], sharpness: f64) -> Vec<f64> {
    softmax(&logits.iter().map(|z| sharpness * z).collect::<Vec<_>>())
}

fn normalise(row: &mut [f64]) {
    let sum: f64 = row.iter().sum();
    for p in row {
        *p /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::classification::log_loss;
    use proptest::prelude::*;

    #[derive(Deserialize)]
    struct Golden {
        calibration: Case,
    }

    /// What scipy and scikit-learn say of one case (`tests/fixtures/classification/make.py`).
    #[derive(Deserialize)]
    struct Case {
        truth: Vec<usize>,
        probabilities: Vec<Vec<f64>>,
        temperature: f64,
        loss: f64,
        /// Places at which the rising functions were evaluated.
        at: Vec<f64>,
        /// `[class][place]`.
        isotonic: Vec<Vec<f64>>,
        calibrated: Vec<Vec<f64>>,
    }

    fn golden() -> Case {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        serde_json::from_str::<Golden>(text).unwrap().calibration
    }

    fn apply(calibration: &Calibration, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
        rows.iter().map(|row| calibration.apply(row)).collect()
    }

    #[test]
    fn temperature_agrees_with_scipy() {
        let case = golden();
        let fitted = CalibrationConfig::Temperature.fit(&case.truth, &case.probabilities).unwrap();
        let Calibration::Temperature { temperature } = fitted else { panic!("temperature") };
        // A minimum found by comparing losses is known to the root of their precision.
        assert!((temperature - case.temperature).abs() < 1e-6, "{temperature} {}", case.temperature);
        let loss = log_loss(&case.truth, &apply(&fitted, &case.probabilities)).unwrap();
        assert!((loss - case.loss).abs() < 1e-12, "{loss} {}", case.loss);
    }

    #[test]
    fn isotonic_agrees_with_scikit_learn() {
        let case = golden();
        let fitted = CalibrationConfig::Isotonic.fit(&case.truth, &case.probabilities).unwrap();
        let found = apply(&fitted, &case.probabilities).concat();
        assert!(found.iter().zip(case.calibrated.concat()).all(|(a, b)| (a - b).abs() < 1e-12));
        let Calibration::Isotonic { classes, .. } = fitted else { panic!("isotonic") };
        for (f, expected) in classes.iter().zip(&case.isotonic) {
            for (&at, expected) in case.at.iter().zip(expected) {
                assert!((f.at(at) - expected).abs() < 1e-12, "{at}: {} {expected}", f.at(at));
            }
        }
    }

    #[test]
    fn a_model_never_wrong_or_never_right_stays_finite() {
        let p = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [1.0, 0.0]].map(Vec::from);
        for truth in [[0, 1, 0, 0], [1, 0, 1, 1]] {
            for config in [CalibrationConfig::Temperature, CalibrationConfig::Isotonic] {
                let fitted = config.fit(&truth, &p).unwrap();
                let loss = log_loss(&truth, &apply(&fitted, &p)).unwrap();
                assert!(loss.is_finite() && loss < 2.0, "{fitted:?}: {loss}");
                let text = serde_json::to_string(&fitted).unwrap();
                assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), fitted);
            }
        }
        let Calibration::Temperature { temperature } =
            CalibrationConfig::Temperature.fit(&[1, 0, 1, 1], &p).unwrap()
        else {
            panic!("temperature")
        };
        assert!((temperature - 50.0).abs() < 1e-9, "chance is the best of a model that is always wrong");
        assert_eq!(Calibration::None.apply(&p[0]), p[0]);
    }

    #[test]
    fn what_cannot_be_fitted_is_an_error() {
        let fit = |truth: &[usize], p: &[Vec<f64>]| CalibrationConfig::Temperature.fit(truth, p);
        assert_eq!(fit(&[], &[]), Err(CalibrationError::Empty));
        assert_eq!(fit(&[0], &[]), Err(CalibrationError::Length { truth: 1, predicted: 0 }));
        let row = |class| Err(CalibrationError::Row { row: 0, class, n_classes: 2 });
        assert_eq!(fit(&[2], &[vec![0.5, 0.5]]), row(2));
        assert_eq!(fit(&[0], &[vec![f64::NAN, 0.5]]), row(0));
    }

    fn normalised(row: [f64; 3]) -> Vec<f64> {
        let mut row = row.map(|p| p + 1e-3);
        normalise(&mut row);
        row.to_vec()
    }

    fn rows() -> impl Strategy<Value = Vec<(usize, [f64; 3])>> {
        prop::collection::vec((0usize..3, prop::array::uniform3(0.0..1.0f64)), 2..30)
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_1_and_temperature_keeps_the_order(rows in rows()) {
            let truth: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let p: Vec<Vec<f64>> = rows.iter().map(|row| normalised(row.1)).collect();
            for config in [CalibrationConfig::Temperature, CalibrationConfig::Isotonic] {
                let fitted = config.fit(&truth, &p).unwrap();
                for row in &p {
                    let found = fitted.apply(row);
                    prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                    prop_assert!(found.iter().all(|p| (0.0..=1.0).contains(p)));
                    if config == CalibrationConfig::Temperature {
                        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                            prop_assert!(row[a] > row[b] || found[a] <= found[b]);
                        }
                    }
                }
            }
        }

        #[test]
        fn temperature_never_worsens_the_loss_it_is_fitted_to(rows in rows()) {
            let truth: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let p: Vec<Vec<f64>> = rows.iter().map(|row| normalised(row.1)).collect();
            let fitted = CalibrationConfig::Temperature.fit(&truth, &p).unwrap();
            let loss = |p: &[Vec<f64>]| log_loss(&truth, p).unwrap();
            prop_assert!(loss(&apply(&fitted, &p)) <= loss(&p) + 1e-12);
        }
    }
}
