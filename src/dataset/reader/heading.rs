//! Column headings: a name and a unit, however a tester writes them.
//!
//! ```text
//! test_time_second | Test Time / s | Test_Time(s) | Test Time (s) | Test_Time  ->  testtime, s
//! ```

/// What a column measures, and so which units it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Time [s].
    Time,
    /// Potential [V].
    Potential,
    /// Current [A].
    Current,
    /// Temperature [degrees Celsius].
    Temperature,
    /// Charge [Ah].
    Charge,
    /// A count [1].
    Count,
}

/// How a value in the file becomes one in our unit: `factor * value + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Multiplier.
    pub(super) factor: f64,
    /// Added after the multiplication, in our unit.
    pub(super) offset: f64,
}

impl Default for Scale {
    fn default() -> Self {
        Self { factor: 1.0, offset: 0.0 }
    }
}

/// Units with their quantity and scale; spellings are lower case without signs.
const UNITS: [(Quantity, &[&str], f64, f64); 15] = [
    (Quantity::Time, &["s", "sec", "second", "seconds"], 1.0, 0.0),
    (Quantity::Time, &["ms", "millisecond"], 1e-3, 0.0),
    (Quantity::Time, &["min", "minute"], 60.0, 0.0),
    (Quantity::Time, &["h", "hour", "hr"], crate::units::SECONDS_PER_HOUR, 0.0),
    (Quantity::Potential, &["v", "volt", "volts"], 1.0, 0.0),
    (Quantity::Potential, &["mv", "millivolt"], 1e-3, 0.0),
    (Quantity::Current, &["a", "ampere", "amps"], 1.0, 0.0),
    (Quantity::Current, &["ma", "milliampere"], 1e-3, 0.0),
    (Quantity::Current, &["ua", "µa", "μa", "microampere"], 1e-6, 0.0),
    (Quantity::Temperature, &["c", "degc", "celsius"], 1.0, 0.0),
    (Quantity::Temperature, &["k", "kelvin"], 1.0, -crate::units::ZERO_CELSIUS_KELVIN),
    (Quantity::Charge, &["ah", "amperehour"], 1.0, 0.0),
    (Quantity::Charge, &["mah", "milliamperehour"], 1e-3, 0.0),
    (Quantity::Charge, &["uah", "µah", "μah"], 1e-6, 0.0),
    (Quantity::Count, &["1", ""], 1.0, 0.0),
];

/// Returns the name of a heading, lower case without signs, and its unit if it states one.
pub(super) fn split(heading: &str) -> (String, Option<String>) {
    if let Some((name, unit)) = heading.rsplit_once(" / ") {
        return (letters(name), Some(letters(unit)));
    }
    if let Some((name, (unit, rest))) =
        heading.split_once('(').and_then(|(n, r)| Some((n, r.split_once(')')?)))
    {
        return (letters(&format!("{name}{rest}")), Some(letters(unit)));
    }
    match heading.rsplit_once('_') {
        Some((name, unit)) if is_unit(&letters(unit)) => (letters(name), Some(letters(unit))),
        _ => (letters(heading), None),
    }
}

/// Returns how `unit` becomes our unit of `quantity`; without a unit the value is taken as it is.
pub(super) fn scale(quantity: Quantity, unit: Option<&str>) -> Option<Scale> {
    let Some(unit) = unit else { return Some(Scale::default()) };
    let (_, _, factor, offset) =
        UNITS.iter().find(|(q, names, ..)| *q == quantity && names.contains(&unit))?;
    Some(Scale { factor: *factor, offset: *offset })
}

/// The number in `Aux_Temperature_1` is no unit, so a unit of the machine form has letters.
fn is_unit(text: &str) -> bool {
    text.chars().all(char::is_alphabetic) && UNITS.iter().any(|(_, names, ..)| names.contains(&text))
}

fn letters(text: &str) -> String {
    text.replace('℃', "c").chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_heading_gives_name_and_unit() {
        let cases = [
            ("test_time_second", "testtime", Some("second")),
            ("Test Time / s", "testtime", Some("s")),
            ("Test_Time(s)", "testtime", Some("s")),
            ("Test Time (s)", "testtime", Some("s")),
            ("Test_Time", "testtime", None),
            ("Aux_Temperature(°C)_1", "auxtemperature1", Some("c")),
            ("Aux_Temperature_1(℃)", "auxtemperature1", Some("c")),
            ("Aux_Temperature_1", "auxtemperature1", None),
            ("Surface Temperature T1 / degC", "surfacetemperaturet1", Some("degc")),
            ("Cycle Count / 1", "cyclecount", Some("1")),
            ("cycle_count", "cyclecount", None),
            ("discharging_capacity_ah", "dischargingcapacity", Some("ah")),
            ("", "", None),
        ];
        for (heading, name, unit) in cases {
            assert_eq!(split(heading), (name.to_owned(), unit.map(str::to_owned)), "{heading}");
        }
    }

    #[test]
    fn units_scale_to_ours_and_must_fit_the_quantity() {
        assert_eq!(scale(Quantity::Time, Some("min")), Some(Scale { factor: 60.0, offset: 0.0 }));
        assert_eq!(scale(Quantity::Temperature, Some("k")), Some(Scale { factor: 1.0, offset: -273.15 }));
        assert_eq!(scale(Quantity::Current, Some("v")), None);
        assert_eq!(scale(Quantity::Current, None), Some(Scale::default()));
    }
}
