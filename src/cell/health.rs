//! The only definitions of SoH, SoC, DoD, C-rate, efficiencies, EOL, RUL and EFC in the program.
//!
//! Current is positive while it charges the cell; capacities and throughputs are positive.

use crate::units::ampere_hours;

/// Returns the state of health [1]: `capacity_ah` over an explicit reference (nominal or first) [Ah].
pub fn soh(capacity_ah: f64, reference_ah: f64) -> f64 {
    capacity_ah / reference_ah
}

/// Returns the state of charge [1]: remaining over present full capacity [Ah].
pub fn soc(remaining_ah: f64, full_ah: f64) -> f64 {
    remaining_ah / full_ah
}

/// Returns the depth of discharge [1]: the swing of SoC in a half cycle.
pub fn dod(soc_from: f64, soc_to: f64) -> f64 {
    (soc_from - soc_to).abs()
}

/// Returns the C-rate [1/h]: magnitude of the current [A] over the nominal capacity [Ah].
pub fn c_rate(current_ampere: f64, nominal_ah: f64) -> f64 {
    current_ampere.abs() / nominal_ah
}

/// Returns the coulombic efficiency [1]: charge out over charge in of the same cycle [Ah].
pub fn coulombic_efficiency(discharge_ah: f64, charge_ah: f64) -> f64 {
    discharge_ah / charge_ah
}

/// Returns the energy efficiency [1]: energy out over energy in of the same cycle [Wh].
pub fn energy_efficiency(discharge_wh: f64, charge_wh: f64) -> f64 {
    discharge_wh / charge_wh
}

/// Returns the equivalent full cycles [1]: throughput of both directions over twice the nominal capacity [Ah].
pub fn equivalent_full_cycles(throughput_ah: f64, nominal_ah: f64) -> f64 {
    throughput_ah / (2.0 * nominal_ah)
}

/// Returns the charge that went in [Ah] by the trapezoidal rule; negative when it came out.
///
/// Both slices have one value a sample: `time_second` ascending, `current_ampere` positive when charging.
pub fn charge_throughput(time_second: &[f64], current_ampere: &[f64]) -> f64 {
    let pairs = time_second.windows(2).zip(current_ampere.windows(2));
    ampere_hours(pairs.map(|(t, i)| 0.5 * (i[0] + i[1]) * (t[1] - t[0])).sum())
}

/// Returns the position of the end of life: the first of `confirm + 1` successive values of SoH at or below `threshold`.
///
/// Fewer successors than `confirm` at the end of the series do not confirm: the cell is then censored (`None`).
pub fn eol_position(soh: &[f64], threshold: f64, confirm: usize) -> Option<usize> {
    soh.windows(confirm + 1).position(|w| w.iter().all(|&s| s <= threshold))
}

/// Returns the remaining useful life [cycles]; `None` when the end of life was not observed.
pub fn rul_cycles(eol_cycle: Option<f64>, cycle_count: f64) -> Option<f64> {
    eol_cycle.map(|eol| eol - cycle_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trapezoid_of_a_constant_current_is_current_times_time() {
        assert!((charge_throughput(&[0.0, 900.0, 3600.0], &[-2.0; 3]) + 2.0).abs() < 1e-12);
    }

    #[test]
    fn end_of_life_needs_confirmation_and_may_be_censored() {
        let soh = [1.0, 0.79, 0.81, 0.8, 0.78, 0.77];
        assert_eq!(eol_position(&soh, 0.8, 0), Some(1));
        assert_eq!(eol_position(&soh, 0.8, 2), Some(3));
        assert_eq!(eol_position(&soh, 0.8, 3), None);
        assert_eq!(rul_cycles(None, 3.0), None);
    }
}
