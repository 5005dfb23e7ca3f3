//! Losses and penalties: what a member minimises.
//!
//! ```text
//! total = loss_weight (mean loss(prediction, label)
//!                      + physics_consistency mean residual^2
//!                      + monotone_fade mean max(0, prediction(later) - prediction)^2)
//! ```
//!
//! Every mean is weighted by the rows' weights; all numbers are in scaled label units. `residual` is what the network
//! adds to the prior of a hybrid, `later` a row of a later cycle of the same cell, so that the last penalty asks
//! for a health that does not rise.
//!
//! A classifier has the loss `cross_entropy` and neither prior nor penalties. Its label is a class, and the weights of
//! the rows are those of their classes: with `label_smoothing = 0` the mean is that of `PyTorch`'s `weight`. With both,
//! a row's weight stands before all of its loss, as in Keras, while `PyTorch` weighs the smoothed share class by class.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::softmax::log_sum_exp;

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Loss of one row. Default `mse`.
    pub loss: Loss,
    /// Weight of the squared residual of a hybrid, 0 or more. Default 0.
    pub physics_consistency: f32,
    /// Weight of the squared rise from a row to a later row of its cell, 0 or more. Default 0.
    pub monotone_fade: f32,
}

/// Loss of one row with error `e = prediction - label`.
///
/// In a file a loss is its name (`"mse"`, `"cross_entropy"`), or a table where it has a setting
/// (`{ huber = { delta = 0.5 } }`, `{ cross_entropy = { label_smoothing = 0.1 } }`).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// `e^2`.
    #[default]
    Mse,
    /// `|e|`.
    Mae,
    /// `e^2 / 2` where `|e| <= delta`, else `delta (|e| - delta / 2)` `[Huber1964]`.
    Huber {
        /// Where the square becomes a line, in scaled label units, above 0.
        delta: f32,
    },
    /// `(s + e^2 exp(-s)) / 2`, the negative log likelihood of a normal distribution without its constant, where the
    /// log variance `s` is the second output, held within [`LOG_VARIANCE`] `[Nix1994]`.
    GaussianNll,
    /// `-sum t_k ln p_k`, where `p` is the softmax of the outputs, one a class, and the target `t_k` is
    /// `label_smoothing / K` of each of `K` classes, and `1 - label_smoothing` more of the row's own `[Szegedy2016]`.
    CrossEntropy {
        /// Share of a target that all classes have alike, 0 to below 1. Default 0.
        #[serde(default)]
        label_smoothing: f32,
    },
}

/// Range of the log variance of the Gaussian likelihood; outside it has no gradient.
pub const LOG_VARIANCE: (f32, f32) = (-12.0, 8.0);

impl Loss {
    /// Returns how many outputs a network needs for it: one a class for the cross-entropy, and so 0, which no network
    /// has, where nothing says how many classes there are.
    pub fn d_output(self, n_classes: Option<usize>) -> usize {
        match self {
            Self::CrossEntropy { .. } => n_classes.unwrap_or(0),
            Self::GaussianNll => 2,
            _ => 1,
        }
    }

    /// Returns whether it learns classes and not a number.
    pub fn is_of_classes(self) -> bool {
        matches!(self, Self::CrossEntropy { .. })
    }

    /// Returns the loss of a row from all its outputs, the prior included, and its label.
    pub fn of_row(self, outputs: &[f32], label: f32) -> f32 {
        if let Self::CrossEntropy { label_smoothing } = self {
            return cross_entropy(outputs, label, label_smoothing, &mut []);
        }
        self.evaluate(outputs[0] - label, outputs.last().copied().unwrap_or(0.0)).0
    }

    /// Returns the loss of an error and its derivatives by prediction and log variance; no numbers for the
    /// cross-entropy, which has no error.
    pub fn evaluate(self, error: f32, log_variance: f32) -> (f32, f32, f32) {
        match self {
            Self::Mse => (error * error, 2.0 * error, 0.0),
            Self::Mae => (error.abs(), sign(error), 0.0),
            Self::Huber { delta } => {
                let inner = error.clamp(-delta, delta);
                (inner * (error - 0.5 * inner), inner, 0.0)
            }
            Self::GaussianNll => gaussian_nll(error, log_variance),
            Self::CrossEntropy { .. } => (f32::NAN, f32::NAN, f32::NAN),
        }
    }
}

impl Serialize for Loss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

/// Reads a loss from its name or its table.
struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Loss;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a loss, or a table of its name and settings")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Loss, E> {
        match name {
            "cross_entropy" => Ok(Loss::CrossEntropy { label_smoothing: 0.0 }),
            _ => Loss::deserialize(name.into_deserializer()),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Loss, A::Error> {
        Loss::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Returns the cross-entropy of a row of the class `label`, and writes its derivatives by the logits where `slopes` has
/// room for them.
pub(super) fn cross_entropy(logits: &[f32], label: f32, label_smoothing: f32, slopes: &mut [f32]) -> f32 {
    let (class, total) = (label as usize, log_sum_exp(logits));
    let own = 1.0 - f64::from(label_smoothing);
    let shared = f64::from(label_smoothing) / logits.len() as f64;
    for (k, (slope, &logit)) in slopes.iter_mut().zip(logits).enumerate() {
        let target = if k == class { own + shared } else { shared };
        *slope = ((f64::from(logit) - total).exp() - target) as f32;
    }
    let surprise = |logit: f32| total - f64::from(logit);
    let all: f64 = logits.iter().copied().map(surprise).sum();
    (own * surprise(logits[class]) + shared * all) as f32
}

/// Returns the sign, 0 at 0 (where `signum` says 1).
fn sign(error: f32) -> f32 {
    if error == 0.0 { 0.0 } else { error.signum() }
}

fn gaussian_nll(error: f32, log_variance: f32) -> (f32, f32, f32) {
    let (lower, upper) = LOG_VARIANCE;
    let clamped = log_variance.clamp(lower, upper);
    let precision = (-clamped).exp();
    let square = error * error * precision;
    let slope = if log_variance < lower || log_variance > upper { 0.0 } else { 0.5 - 0.5 * square };
    (0.5 * (clamped + square), error * precision, slope)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "zero is exact")]
mod tests {
    use super::*;

    /// Values by hand: e = 2 and e = -0.5; Gaussian with s = ln 4: (ln 4 + e^2 / 4) / 2.
    #[test]
    fn values_are_those_of_the_formulas() {
        let huber = Loss::Huber { delta: 1.0 };
        for (loss, error, expected, slope) in [
            (Loss::Mse, 2.0, 4.0, 4.0),
            (Loss::Mae, -0.5, 0.5, -1.0),
            (huber, 2.0, 1.5, 1.0),
            (huber, -2.0, 1.5, -1.0),
            (huber, -0.5, 0.125, -0.5),
            (Loss::GaussianNll, 2.0, 1.193_147_2, 0.5),
        ] {
            let (value, by_error, _) = loss.evaluate(error, 4.0_f32.ln());
            assert!((value - expected).abs() < 1e-6 && (by_error - slope).abs() < 1e-6, "{loss:?} {value}");
        }
        assert_eq!(Loss::Mae.evaluate(0.0, 0.0).1, 0.0);
    }

    #[test]
    fn log_variance_has_a_gradient_inside_its_range_only() {
        let slope = |s| Loss::GaussianNll.evaluate(2.0, s).2;
        assert!((slope(0.0) + 1.5).abs() < 1e-6);
        assert_eq!((slope(-13.0), slope(9.0)), (0.0, 0.0));
    }

    #[test]
    fn reads_from_toml() {
        let objective: Objective =
            toml::from_str("loss = { huber = { delta = 0.5 } }\nmonotone_fade = 2").unwrap();
        assert_eq!(objective.loss, Loss::Huber { delta: 0.5 });
        let plain: Objective = toml::from_str("loss = \"gaussian_nll\"").unwrap();
        assert_eq!(plain.loss.d_output(None), 2);
    }

    #[test]
    fn cross_entropy_reads_from_its_name_and_from_a_table() {
        let read = |text: &str| toml::from_str::<Objective>(text).map(|objective| objective.loss);
        for (text, label_smoothing) in [
            ("loss = 'cross_entropy'", 0.0),
            ("loss = { cross_entropy = {} }", 0.0),
            ("loss = { cross_entropy = { label_smoothing = 0.1 } }", 0.1),
        ] {
            let loss = read(text).unwrap();
            assert_eq!(loss, Loss::CrossEntropy { label_smoothing }, "{text}");
            let json = serde_json::to_string(&loss).unwrap();
            assert_eq!(serde_json::from_str::<Loss>(&json).unwrap(), loss, "{json}");
        }
        for (text, told) in [
            ("loss = 'cross_entrpy'", "unknown variant `cross_entrpy`"),
            ("loss = 'huber'", "huber"),
            ("loss = { cross_entropy = { smoothing = 0.1 } }", "unknown field `smoothing`"),
            ("loss = 3", "the name of a loss"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    /// `cross_entropy` of `PyTorch` and its gradient (tests/fixtures/PROVENANCE.md).
    #[test]
    fn cross_entropy_is_that_of_pytorch() {
        let three: &[f32] = &[0.5, -1.25, 2.0];
        let five: &[f32] = &[-400.0, 90.0, 88.0, 1.0, 0.0];
        let cases: [(_, f32, f32, f64, &[f64]); 5] = [
            (three, 2.0, 0.0, 0.232_621_983, &[0.176_820_182, 0.030_726_740, -0.207_546_922]),
            (three, 1.0, 0.0, 3.482_621_983, &[0.176_820_182, -0.969_273_260, 0.792_453_078]),
            (three, 1.0, 0.1, 3.315_955_316, &[0.143_486_849, -0.902_606_593, 0.759_119_744]),
            (&[3.0, -3.0], 0.0, 0.2, 0.602_475_685, &[0.097_527_377, -0.097_527_377]),
            (five, 2.0, 0.3, 41.786_928_011, &[-0.06, 0.820_797_078, -0.640_797_078, -0.06, -0.06]),
        ];
        for (logits, label, label_smoothing, expected, slopes) in cases {
            let mut found = vec![0.0; logits.len()];
            let loss = cross_entropy(logits, label, label_smoothing, &mut found);
            assert!((f64::from(loss) / expected - 1.0).abs() < 1e-6, "{logits:?} {loss} {expected}");
            for (found, expected) in found.into_iter().zip(slopes) {
                assert!((f64::from(found) - expected).abs() < 1e-6, "{logits:?} {found} {expected}");
            }
            assert_eq!(Loss::CrossEntropy { label_smoothing }.of_row(logits, label), loss);
        }
    }

    #[test]
    fn a_network_has_an_output_a_class() {
        let loss = Loss::CrossEntropy { label_smoothing: 0.0 };
        assert_eq!([loss.d_output(Some(5)), loss.d_output(None), Loss::Mse.d_output(Some(5))], [5, 0, 1]);
    }
}
