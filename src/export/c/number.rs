//! Numbers as C spells them, in single or double precision.

/// Functions of `<math.h>` that the code calls, as they are named for `float`.
const FUNCTIONS: [&str; 8] = ["expf", "logf", "sqrtf", "tanhf", "powf", "log1pf", "fmaxf", "fabsf"];

/// Stands in the routines for a `float` that stays one in double precision: trees compare 32-bit numbers.
const SINGLE: &str = "FLOAT32";

/// What the code computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precision {
    /// `float`.
    Single,
    /// `double`.
    Double,
}

impl Precision {
    /// Returns the name of the type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Single => "float",
            Self::Double => "double",
        }
    }

    /// Returns the bytes of a number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    /// Returns the logarithm to base 10 of the largest number.
    pub(super) fn decades(self) -> f64 {
        match self {
            Self::Single => f64::from(f32::MAX_10_EXP),
            Self::Double => f64::from(f64::MAX_10_EXP),
        }
    }

    /// Returns a number as a constant, the nearest one of this precision.
    pub(super) fn literal(self, value: f64) -> String {
        match self {
            Self::Single => single(value as f32),
            Self::Double if value.is_finite() => format!("{value:?}"),
            Self::Double => beyond(value),
        }
    }

    /// Returns what is left of a number after its nearest one of this precision.
    pub(super) fn rest(self, value: f64) -> f64 {
        match self {
            Self::Single => value - f64::from(value as f32),
            Self::Double => 0.0,
        }
    }

    /// Returns code written for `float` in this precision.
    pub(super) fn spell(self, code: &str) -> String {
        let code = match self {
            Self::Single => code.to_owned(),
            Self::Double => words(code).map(widened).collect(),
        };
        code.replace(SINGLE, "float")
    }
}

/// Returns a 32-bit number as a constant.
pub(super) fn single(value: f32) -> String {
    if value.is_finite() { format!("{value:?}f") } else { beyond(f64::from(value)) }
}

fn beyond(value: f64) -> String {
    let name = if value.is_nan() { "NAN" } else { "INFINITY" };
    format!("{}{name}", if value < 0.0 { "-" } else { "" })
}

/// Splits code into words, which names and numbers are, and what is between them.
fn words(code: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut rest = code;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn widened(word: &str) -> &str {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit());
    match word {
        "float" => "double",
        _ if is_number || FUNCTIONS.contains(&word) => word.strip_suffix('f').unwrap_or(word),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_the_nearest_numbers() {
        for (value, single, double) in [
            (0.1, "0.1f", "0.1"),
            (-3.0, "-3.0f", "-3.0"),
            (1e-7, "1e-7f", "1e-7"),
            (16_777_217.0, "16777216.0f", "16777217.0"),
            (1e300, "INFINITY", "1e300"),
            (f64::NEG_INFINITY, "-INFINITY", "-INFINITY"),
            (f64::NAN, "NAN", "NAN"),
        ] {
            assert_eq!(Precision::Single.literal(value), single);
            assert_eq!(Precision::Double.literal(value), double);
        }
        assert_eq!(Precision::Single.rest(16_777_217.0), 1.0);
        assert_eq!(Precision::Double.rest(16_777_217.0), 0.0);
    }

    #[test]
    fn code_is_spelt_in_double_precision() {
        let code =
            "float half(float x) { return (FLOAT32)x < 1e-5f ? expf(0.5f * x) : buf[0] + (float)scalef; }";
        let double =
            "double half(double x) { return (float)x < 1e-5 ? exp(0.5 * x) : buf[0] + (double)scalef; }";
        assert_eq!(Precision::Double.spell(code), double);
        assert_eq!(Precision::Single.spell(code), code.replace("FLOAT32", "float"));
    }
}
