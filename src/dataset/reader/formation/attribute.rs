//! Columns of the formation tables as attributes of a cell: names, units, and what is no credible value.
//!
//! The tables state no units; those below are what the values fit (a charge current of 0.24 A is 1 C, 272.067 in the
//! table of electrodes is 0.272067 Ah in that of diagnostics, 72 and 168 are three and seven days).

use std::collections::BTreeMap;

use super::table::Table;
use super::{CYCLE_INFO, DIAGNOSTICS, ELECTRODES, PARAMETER, PULSES};
use crate::dataset::reader::{ReadError, collect};
use crate::dataset::{Attribute, CellFacts};

/// Settings that tell one protocol from another.
pub(super) const SETTINGS: [&str; 11] = [
    "formation_temperature",
    "ocv_time",
    "wetting_hold_time",
    "formation_charge_current_1",
    "formation_cutoff_voltage_1",
    "formation_charge_current_2",
    "formation_cutoff_voltage_2",
    "charge_hold_time",
    "formation_discharge_current",
    "formation_verification_current",
    "formation_verification_repeat",
];

/// Highest credible mean voltage of a cell [V]: energy over capacity. One energy of the published table is 2e9 Wh.
const HIGHEST_MEAN_VOLT: f64 = 5.0;

/// Table, its heading, our name, the unit, the factor to it.
type Row = (&'static str, &'static str, &'static str, &'static str, f64);

const ROWS: [Row; 40] = [
    (PARAMETER, "formation_temperature", "formation_temperature", "degrees Celsius", 1.0),
    (PARAMETER, "ocv_time", "formation_ocv_duration", "h", 1.0),
    (PARAMETER, "wetting_hold_time", "formation_wetting_duration", "h", 1.0),
    (PARAMETER, "formation_charge_current_1", "formation_charge_current_1", "A", 1.0),
    (PARAMETER, "formation_cutoff_voltage_1", "formation_cutoff_voltage_1", "V", 1.0),
    (PARAMETER, "formation_charge_current_2", "formation_charge_current_2", "A", 1.0),
    (PARAMETER, "formation_cutoff_voltage_2", "formation_cutoff_voltage_2", "V", 1.0),
    (PARAMETER, "charge_hold_time", "formation_charge_hold_duration", "h", 1.0),
    (PARAMETER, "formation_discharge_current", "formation_discharge_current", "A", 1.0),
    (PARAMETER, "formation_verification_current", "formation_verification_current", "A", 1.0),
    (PARAMETER, "formation_verification_repeat", "formation_verification_repeat", "1", 1.0),
    (PARAMETER, "cell_mass_before", "assembly_cell_mass_before", "g", 1.0),
    (PARAMETER, "cell_mass_after", "assembly_cell_mass_after", "g", 1.0),
    (PARAMETER, "electrolyte_mass", "assembly_electrolyte_mass", "g", 1.0),
    (PARAMETER, "regular_charge_current", "regular_charge_current", "A", 1.0),
    (PARAMETER, "regular_discharge_current", "regular_discharge_current", "A", 1.0),
    (CYCLE_INFO, "1st_ch_cap", "formation_first_charge_capacity", "Ah", 1.0),
    (CYCLE_INFO, "1st_disch_cap", "formation_first_discharge_capacity", "Ah", 1.0),
    (CYCLE_INFO, "1st_CE", "formation_first_coulombic_efficiency", "1", 1.0),
    (CYCLE_INFO, "disch_cap_with_cv", "formation_discharge_capacity_with_cv", "Ah", 1.0),
    (CYCLE_INFO, "last_ch_cap", "formation_last_charge_capacity", "Ah", 1.0),
    (CYCLE_INFO, "last_disch_cap", "formation_last_discharge_capacity", "Ah", 1.0),
    (CYCLE_INFO, "last_CE", "formation_last_coulombic_efficiency", "1", 1.0),
    (CYCLE_INFO, "formation_time", "formation_duration", "h", 1.0),
    (CYCLE_INFO, "temperature_exp", "formation_temperature_measured", "degrees Celsius", 1.0),
    (CYCLE_INFO, "cv_hold_cap", "formation_cv_hold_capacity", "Ah", 1.0),
    (DIAGNOSTICS, "rpt_low_cap", "diagnostic_capacity_low_rate", "Ah", 1.0),
    (DIAGNOSTICS, "rpt_med_cap", "diagnostic_capacity_medium_rate", "Ah", 1.0),
    (DIAGNOSTICS, "regu_cap", "diagnostic_capacity_regular_rate", "Ah", 1.0),
    (DIAGNOSTICS, "rpt_low_energy", "diagnostic_energy_low_rate", "Wh", 1.0),
    (DIAGNOSTICS, "rpt_med_energy", "diagnostic_energy_medium_rate", "Wh", 1.0),
    (DIAGNOSTICS, "regu_energy", "diagnostic_energy_regular_rate", "Wh", 1.0),
    (ELECTRODES, "Q_ne", "electrode_negative_capacity", "Ah", 1e-3),
    (ELECTRODES, "Q_pe", "electrode_positive_capacity", "Ah", 1e-3),
    (ELECTRODES, "Q_li", "electrode_lithium_inventory", "Ah", 1e-3),
    (ELECTRODES, "Q_full", "electrode_full_capacity", "Ah", 1e-3),
    (ELECTRODES, "SOC_ne_0", "electrode_negative_soc_discharged", "1", 1e-2),
    (ELECTRODES, "SOC_pe_0", "electrode_positive_soc_discharged", "1", 1e-2),
    (ELECTRODES, "SOC_ne_100", "electrode_negative_soc_charged", "1", 1e-2),
    (ELECTRODES, "SOC_pe_100", "electrode_positive_soc_charged", "1", 1e-2),
];

/// Adds everything that the tables state of a cell before its cycling; what is no number becomes a note.
///
/// # Errors
/// [`ReadError::MissingColumn`].
pub(super) fn attributes(
    tables: &BTreeMap<&str, Table>,
    number: u32,
    facts: &mut CellFacts,
) -> Result<(), ReadError> {
    for (table, heading, name, unit, factor) in ROWS {
        if let Some(table) = tables.get(table) {
            add(facts, table, number, heading, (name.into(), unit, factor))?;
        }
    }
    if let Some(pulses) = tables.get(PULSES) {
        for heading in pulses.headings() {
            if let Some(name) = pulse_name(heading) {
                add(facts, pulses, number, heading, (name, "ohm", 1.0))?;
            }
        }
    }
    drop_incredible(facts);
    Ok(())
}

fn add(
    facts: &mut CellFacts,
    table: &Table,
    number: u32,
    heading: &str,
    (name, unit, factor): (String, &str, f64),
) -> Result<(), ReadError> {
    match table.value(number, heading)? {
        Ok(Some(value)) => {
            facts.attributes.insert(name, Attribute { value: factor * value, unit: unit.into() });
        }
        Ok(None) => {}
        Err(found) => collect::note(facts, &found),
    }
    Ok(())
}

/// Returns our name of `r_c_0_10s`: a charge pulse at the first state of charge, its resistance after 10 s.
fn pulse_name(heading: &str) -> Option<String> {
    let (direction, rest) = match heading.strip_prefix("r_c_") {
        Some(rest) => ("charge", rest),
        None => ("discharge", heading.strip_prefix("r_d_")?),
    };
    let (soc, second) = rest.split_once('_')?;
    Some(format!("pulse_resistance_{direction}_soc{soc}_{second}"))
}

/// Drops energies that no cell of that capacity can hold, and says so.
fn drop_incredible(facts: &mut CellFacts) {
    for rate in ["low", "medium", "regular"] {
        let name = format!("diagnostic_energy_{rate}_rate");
        let capacity = facts.attributes.get(&format!("diagnostic_capacity_{rate}_rate")).map(|a| a.value);
        let Some((energy, capacity)) = facts.attributes.get(&name).map(|a| a.value).zip(capacity) else {
            continue;
        };
        if !(0.0..=HIGHEST_MEAN_VOLT * capacity).contains(&energy) {
            facts.attributes.remove(&name);
            collect::note(
                facts,
                &format!("{name}: {energy} Wh is no energy of a cell of {capacity} Ah; left out"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_are_named_by_direction_state_and_second() {
        assert_eq!(pulse_name("r_c_0_10s").as_deref(), Some("pulse_resistance_charge_soc0_10s"));
        assert_eq!(pulse_name("r_d_5_0s").as_deref(), Some("pulse_resistance_discharge_soc5_0s"));
        assert_eq!(pulse_name("cycle_index"), None);
    }
}
