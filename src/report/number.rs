//! Numbers as people read them: few digits, powers of ten for the very large and the very small.

use crate::tuner::Value;

/// Returns a value of a parameter with three significant digits; whole numbers whole.
pub(super) fn compact(value: &Value) -> String {
    match value {
        Value::Float(v) => trimmed(&digits(*v, 3)),
        other => other.to_string(),
    }
}

/// Returns a number with `n` significant digits: `0.03120`, `123.4`, `3.120e-5`; whole ones from 10 without decimals.
pub(super) fn digits(value: f64, n: usize) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let exponent = magnitude(value);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        return format!("{value:.*e}", n - 1);
    }
    if value.fract() == 0.0 && exponent >= 1 {
        return format!("{value:.0}");
    }
    let decimals = n.saturating_add_signed(-1 - exponent as isize);
    format!("{value:.decimals$}")
}

/// Returns a power of ten as a product: `3×10⁻⁵`, `10⁶`.
pub(super) fn power(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (mantissa, raised) = (trimmed(mantissa), exponent.chars().map(superscript).collect::<String>());
    if mantissa == "1" { format!("10{raised}") } else { format!("{mantissa}×10{raised}") }
}

/// Returns a whole number with commas between thousands.
pub(super) fn count(n: usize) -> String {
    let text = n.to_string();
    let comma = |idx: usize| idx > 0 && (text.len() - idx).is_multiple_of(3);
    text.char_indices().map(|(idx, c)| if comma(idx) { format!(",{c}") } else { c.to_string() }).collect()
}

/// Returns the exponent of the first digit; 0 of 0.
pub(super) fn magnitude(value: f64) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let text = format!("{value:.3e}");
    text.rsplit('e').next().and_then(|e| e.parse().ok()).unwrap_or(0)
}

/// Returns the text without zeros after its last digit; an exponent stays.
pub(super) fn trimmed(text: &str) -> String {
    let (digits, exponent) = text.find('e').map_or((text, ""), |at| text.split_at(at));
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}{exponent}")
}

fn superscript(c: char) -> char {
    match c {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁻',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_python() {
        // Python 3.11: f"{v:#.4g}", and f"{v:.3e}" outside 1e-4..1e6.
        let cases = [
            (0.0312, "0.03120"),
            (1.0, "1.000"),
            (9.9999, "10.00"),
            (123.456, "123.5"),
            (0.0, "0.000"),
            (-0.5, "-0.5000"),
            (3.12e-5, "3.120e-5"),
            (f64::NAN, "-"),
        ];
        for (value, expected) in cases {
            assert_eq!(digits(value, 4), expected);
        }
    }

    #[test]
    fn values_are_compact() {
        let float = |v: f64| compact(&Value::Float(v));
        assert_eq!([float(0.5), float(1e-5), float(0.001_389_29)], ["0.5", "1e-5", "0.00139"]);
        assert_eq!(compact(&Value::Int(1234)), "1234");
        assert_eq!(
            (power(3e-5).as_str(), power(1e6).as_str(), power(0.001).as_str()),
            ("3×10⁻⁵", "10⁶", "10⁻³")
        );
        assert_eq!(
            (count(10_000).as_str(), count(999).as_str(), count(1_234_567).as_str()),
            ("10,000", "999", "1,234,567")
        );
    }
}
