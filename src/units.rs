//! Physical constants and unit conversions, each with its source.

/// Offset of the Celsius scale: 0 °C in kelvin, exact by definition (SI Brochure, 9th ed., 2.3.1).
pub const ZERO_CELSIUS_KELVIN: f64 = 273.15;

/// Seconds in an hour: 1 Ah is 3600 A s.
pub const SECONDS_PER_HOUR: f64 = 3600.0;

/// Molar gas constant [J/(mol K)], exact since the 2019 SI (`k_B` times `N_A`, CODATA 2018).
pub const GAS_CONSTANT: f64 = 8.314_462_618_153_24;

/// Faraday constant [C/mol], exact since the 2019 SI (e times `N_A`, CODATA 2018).
pub const FARADAY: f64 = 96_485.332_123_310_02;

/// Returns a temperature in kelvin for one in degrees Celsius.
pub fn kelvin(celsius: f64) -> f64 {
    celsius + ZERO_CELSIUS_KELVIN
}

/// Returns a charge in ampere hours for one in ampere seconds.
pub fn ampere_hours(ampere_seconds: f64) -> f64 {
    ampere_seconds / SECONDS_PER_HOUR
}
