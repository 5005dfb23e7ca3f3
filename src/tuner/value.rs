//! Values of hyperparameters, and how Python would write them (Keras Tuner hashes that text).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Values by name of the parameter (`model/units_0`); only active parameters are there.
pub type Values = BTreeMap<String, Value>;

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Truth value.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Number, finite.
    Float(f64),
    /// Text, or the JSON of a list or table.
    Text(String),
}

impl Value {
    /// Returns the value as a number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// Returns what `str(value)` is in Python: `True`, `1e-05`, `0.1`, `dense`.
    pub fn python(&self) -> String {
        match self {
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(v) => v.to_string(),
            Self::Float(v) => python_float(*v),
            Self::Text(v) => v.clone(),
        }
    }

    /// Returns whether two values are the same, a whole number and its float included (Keras Tuner mixes them).
    pub fn is(&self, other: &Self) -> bool {
        match (self.as_f64(), other.as_f64()) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a == 0.0 && b == 0.0),
            _ => self == other,
        }
    }
}

/// What people read: six digits are enough to tell trials apart.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => f.write_str(&short(*v)),
            Self::Text(v) => f.write_str(v),
        }
    }
}

fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if (1e-3..1e6).contains(&value.abs()) {
        let digits = (4.0 - value.abs().log10().floor()).clamp(0.0, 8.0) as usize;
        let text = format!("{value:.digits$}");
        let cut = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return cut.to_owned();
    }
    format!("{value:.3e}")
}

/// Writes the shortest digits that read back, with an exponent below 1e-4 and from 1e16, as `repr` does.
fn python_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        // Python 3.11: repr() of each.
        let cases = [
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (0.001_389_293_282_717_377_8, "0.0013892932827173777"),
            (2.0, "2.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "1e+16"),
            (123_456_789.0, "123456789.0"),
            (1e100, "1e+100"),
            (0.0, "0.0"),
            (-1e-5, "-1e-05"),
        ];
        for (value, expected) in cases {
            assert_eq!(Value::Float(value).python(), expected);
        }
        assert_eq!(Value::Bool(true).python(), "True");
    }

    #[test]
    fn json_keeps_the_kind_of_a_value() {
        let text = r#"{"a":true,"b":3,"c":3.0,"d":"x","e":1e-05}"#;
        let values: Values = serde_json::from_str(text).unwrap();
        let expected = [
            ("a", Value::Bool(true)),
            ("b", Value::Int(3)),
            ("c", Value::Float(3.0)),
            ("d", Value::Text("x".into())),
            ("e", Value::Float(1e-5)),
        ];
        assert_eq!(values, expected.map(|(k, v)| (k.to_owned(), v)).into());
        assert!(values["b"].is(&values["c"]) && !values["b"].is(&values["a"]));
    }

    #[test]
    fn people_read_few_digits() {
        let shown = |v: f64| Value::Float(v).to_string();
        assert_eq!(
            [shown(0.5), shown(1e-5), shown(0.001_389_29), shown(20.0)],
            ["0.5", "1.000e-5", "0.0013893", "20"]
        );
    }
}
