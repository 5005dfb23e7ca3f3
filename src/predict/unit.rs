//! Units that an input may be given in.

use crate::units::{SECONDS_PER_HOUR, ZERO_CELSIUS_KELVIN};

/// What one unit is in another: `value * factor + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    factor: f64,
    offset: f64,
}

/// A unit, the unit of its family, and what 1 and 0 of it are in that.
type Row = (&'static str, &'static str, f64, f64);

/// Seconds in a day.
const DAY: f64 = 24.0 * SECONDS_PER_HOUR;

/// Exact by definition: the SI's prefixes, minute, hour and day; degree Fahrenheit from NIST SP 811, B.8.
const UNITS: [Row; 24] = [
    ("s", "s", 1.0, 0.0),
    ("ms", "s", 1e-3, 0.0),
    ("min", "s", 60.0, 0.0),
    ("h", "s", SECONDS_PER_HOUR, 0.0),
    ("d", "s", DAY, 0.0),
    ("V", "V", 1.0, 0.0),
    ("mV", "V", 1e-3, 0.0),
    ("A", "A", 1.0, 0.0),
    ("mA", "A", 1e-3, 0.0),
    ("Ah", "Ah", 1.0, 0.0),
    ("mAh", "Ah", 1e-3, 0.0),
    ("C", "Ah", 1.0 / SECONDS_PER_HOUR, 0.0),
    ("Wh", "Wh", 1.0, 0.0),
    ("mWh", "Wh", 1e-3, 0.0),
    ("kWh", "Wh", 1e3, 0.0),
    ("J", "Wh", 1.0 / SECONDS_PER_HOUR, 0.0),
    ("ohm", "ohm", 1.0, 0.0),
    ("mohm", "ohm", 1e-3, 0.0),
    ("degC", "degC", 1.0, 0.0),
    ("K", "degC", 1.0, -ZERO_CELSIUS_KELVIN),
    ("degF", "degC", 5.0 / 9.0, -160.0 / 9.0),
    ("1", "1", 1.0, 0.0),
    ("%", "1", 1e-2, 0.0),
    ("percent", "1", 1e-2, 0.0),
];

impl Conversion {
    /// Returns how `from` becomes `to`; `None` where it cannot.
    ///
    /// An input in K is a difference of temperatures (`rise`), to which no scale's zero is added.
    pub fn between(from: &str, to: &str) -> Option<Self> {
        if from == to {
            return Some(Self { factor: 1.0, offset: 0.0 });
        }
        if to == "K" {
            return None;
        }
        let find = |unit: &str| UNITS.iter().find(|row| row.0 == unit);
        let (from, to) = (find(from)?, find(to)?);
        (from.1 == to.1).then(|| Self { factor: from.2 / to.2, offset: (from.3 - to.3) / to.2 })
    }

    /// Returns a value in the unit that is converted to.
    pub fn apply(self, value: f64) -> f64 {
        value * self.factor + self.offset
    }
}

/// Returns the units that `to` can be given in, itself first.
pub fn accepted(to: &str) -> Vec<&str> {
    let others = UNITS.iter().map(|row| row.0).filter(|unit| *unit != to);
    std::iter::once(to).chain(others.filter(|unit| Conversion::between(unit, to).is_some())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_those_of_the_tables() {
        // NIST SP 811 (2008), B.8: 212 degF = 100 degC, 1 W h = 3.6e3 J, 1 A h = 3.6e3 C; 98.6 degF = 37 degC.
        let cases = [
            ("degF", "degC", 212.0, 100.0),
            ("degF", "degC", 98.6, 37.0),
            ("K", "degC", 298.15, 25.0),
            ("J", "Wh", 3600.0, 1.0),
            ("C", "Ah", 7200.0, 2.0),
            ("d", "h", 2.0, 48.0),
            ("min", "s", 1.5, 90.0),
            ("mV", "V", 3700.0, 3.7),
            ("%", "1", 85.0, 0.85),
            ("V/Ah", "V/Ah", 3.0, 3.0),
        ];
        for (from, to, value, expected) in cases {
            let converted = Conversion::between(from, to).unwrap().apply(value);
            assert!(
                (converted - expected).abs() < 1e-12,
                "{value} {from} is {converted} {to}, not {expected}"
            );
        }
        for (from, to) in [("V", "A"), ("", "V"), ("degC", "K"), ("volts", "V"), ("V", "V/Ah")] {
            assert_eq!(Conversion::between(from, to), None, "{from} {to}");
        }
        assert_eq!(accepted("V"), ["V", "mV"]);
        assert_eq!(accepted("K"), ["K"]);
    }
}
