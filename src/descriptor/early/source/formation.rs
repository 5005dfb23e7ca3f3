//! What a source states of the assembly and the formation of a cell, before its cycling.

use super::columns::attribute;
use super::{EarlyDescriptor, Need};
use crate::cell::health;

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "assembly_cell_mass_before",
        unit: "g",
        doc: "Mass of the cell before the electrolyte.",
        citation: "Cui2024",
        formula: "mass of the cell before the electrolyte",
        needs: &[Need::Attribute("assembly_cell_mass_before")],
        compute: |c| attribute(c, "assembly_cell_mass_before"),
    },
    EarlyDescriptor {
        name: "assembly_electrolyte_mass",
        unit: "g",
        doc: "Mass of the electrolyte.",
        citation: "Cui2024",
        formula: "mass of the electrolyte",
        needs: &[Need::Attribute("assembly_electrolyte_mass")],
        compute: |c| attribute(c, "assembly_electrolyte_mass"),
    },
    EarlyDescriptor {
        name: "formation_temperature",
        unit: "degC",
        doc: "Temperature set for the formation.",
        citation: "Cui2024",
        formula: "temperature set for the formation",
        needs: &[Need::Attribute("formation_temperature")],
        compute: |c| attribute(c, "formation_temperature"),
    },
    EarlyDescriptor {
        name: "formation_temperature_measured",
        unit: "degC",
        doc: "Temperature measured in the formation.",
        citation: "Cui2024",
        formula: "temperature measured in the formation",
        needs: &[Need::Attribute("formation_temperature_measured")],
        compute: |c| attribute(c, "formation_temperature_measured"),
    },
    EarlyDescriptor {
        name: "formation_ocv_duration",
        unit: "h",
        doc: "Time at open circuit before the formation.",
        citation: "Cui2024",
        formula: "time at open circuit before the formation",
        needs: &[Need::Attribute("formation_ocv_duration")],
        compute: |c| attribute(c, "formation_ocv_duration"),
    },
    EarlyDescriptor {
        name: "formation_charge_current_1",
        unit: "A",
        doc: "Current of the first step of the first charge.",
        citation: "Cui2024",
        formula: "current of the first step of the first charge",
        needs: &[Need::Attribute("formation_charge_current_1")],
        compute: |c| attribute(c, "formation_charge_current_1"),
    },
    EarlyDescriptor {
        name: "formation_cutoff_voltage_1",
        unit: "V",
        doc: "Voltage at which the first charge changes its current.",
        citation: "Cui2024",
        formula: "voltage at which the first charge changes its current",
        needs: &[Need::Attribute("formation_cutoff_voltage_1")],
        compute: |c| attribute(c, "formation_cutoff_voltage_1"),
    },
    EarlyDescriptor {
        name: "formation_charge_current_2",
        unit: "A",
        doc: "Current of the second step of the first charge.",
        citation: "Cui2024",
        formula: "current of the second step of the first charge",
        needs: &[Need::Attribute("formation_charge_current_2")],
        compute: |c| attribute(c, "formation_charge_current_2"),
    },
    EarlyDescriptor {
        name: "formation_verification_repeat",
        unit: "1",
        doc: "Number of verification cycles after the first cycle.",
        citation: "Cui2024",
        formula: "number of verification cycles after the first cycle",
        needs: &[Need::Attribute("formation_verification_repeat")],
        compute: |c| attribute(c, "formation_verification_repeat"),
    },
    EarlyDescriptor {
        name: "formation_duration",
        unit: "h",
        doc: "Duration of the formation.",
        citation: "Cui2024",
        formula: "duration of the formation",
        needs: &[Need::Attribute("formation_duration")],
        compute: |c| attribute(c, "formation_duration"),
    },
    EarlyDescriptor {
        name: "formation_first_charge_capacity",
        unit: "Ah",
        doc: "Charge of the first charge.",
        citation: "Cui2024",
        formula: "charge of the first charge",
        needs: &[Need::Attribute("formation_first_charge_capacity")],
        compute: |c| attribute(c, "formation_first_charge_capacity"),
    },
    EarlyDescriptor {
        name: "formation_first_discharge_capacity",
        unit: "Ah",
        doc: "Charge of the first discharge.",
        citation: "Cui2024",
        formula: "charge of the first discharge",
        needs: &[Need::Attribute("formation_first_discharge_capacity")],
        compute: |c| attribute(c, "formation_first_discharge_capacity"),
    },
    EarlyDescriptor {
        name: "formation_first_coulombic_efficiency",
        unit: "1",
        doc: "Coulombic efficiency of the first cycle.",
        citation: "Cui2024",
        formula: "coulombic efficiency of the first cycle",
        needs: &[Need::Attribute("formation_first_coulombic_efficiency")],
        compute: |c| attribute(c, "formation_first_coulombic_efficiency"),
    },
    EarlyDescriptor {
        name: "formation_discharge_capacity_with_cv",
        unit: "Ah",
        doc: "Charge of the first discharge with its hold at the lower voltage.",
        citation: "Cui2024",
        formula: "charge of the first discharge with its hold at the lower voltage",
        needs: &[Need::Attribute("formation_discharge_capacity_with_cv")],
        compute: |c| attribute(c, "formation_discharge_capacity_with_cv"),
    },
    EarlyDescriptor {
        name: "formation_last_charge_capacity",
        unit: "Ah",
        doc: "Charge of the last charge of the formation.",
        citation: "Cui2024",
        formula: "charge of the last charge of the formation",
        needs: &[Need::Attribute("formation_last_charge_capacity")],
        compute: |c| attribute(c, "formation_last_charge_capacity"),
    },
    EarlyDescriptor {
        name: "formation_last_discharge_capacity",
        unit: "Ah",
        doc: "Charge of the last discharge of the formation.",
        citation: "Cui2024",
        formula: "charge of the last discharge of the formation",
        needs: &[Need::Attribute("formation_last_discharge_capacity")],
        compute: |c| attribute(c, "formation_last_discharge_capacity"),
    },
    EarlyDescriptor {
        name: "formation_last_coulombic_efficiency",
        unit: "1",
        doc: "Coulombic efficiency of the last cycle of the formation.",
        citation: "Cui2024",
        formula: "coulombic efficiency of the last cycle of the formation",
        needs: &[Need::Attribute("formation_last_coulombic_efficiency")],
        compute: |c| attribute(c, "formation_last_coulombic_efficiency"),
    },
    EarlyDescriptor {
        name: "formation_cv_hold_capacity",
        unit: "Ah",
        doc: "Charge of the first charge at held voltage.",
        citation: "Cui2024",
        formula: "charge of the first charge at held voltage",
        needs: &[Need::Attribute("formation_cv_hold_capacity")],
        compute: |c| attribute(c, "formation_cv_hold_capacity"),
    },
    EarlyDescriptor {
        name: "formation_capacity_loss",
        unit: "Ah",
        doc: "Charge of the first charge less that of the first discharge: lithium lost to the films and lithium that comes out slowly.",
        citation: "Cui2024",
        formula: "charge less discharge of the first cycle",
        needs: &[
            Need::Attribute("formation_first_charge_capacity"),
            Need::Attribute("formation_first_discharge_capacity"),
        ],
        compute: |c| {
            Ok(attribute(c, "formation_first_charge_capacity")?
                - attribute(c, "formation_first_discharge_capacity")?)
        },
    },
    EarlyDescriptor {
        name: "formation_capacity_loss_with_cv",
        unit: "Ah",
        doc: "Charge of the first charge less that of the first discharge with its hold: lithium lost to the films.",
        citation: "Cui2024",
        formula: "charge less held discharge of the first cycle",
        needs: &[
            Need::Attribute("formation_first_charge_capacity"),
            Need::Attribute("formation_discharge_capacity_with_cv"),
        ],
        compute: |c| {
            Ok(attribute(c, "formation_first_charge_capacity")?
                - attribute(c, "formation_discharge_capacity_with_cv")?)
        },
    },
    EarlyDescriptor {
        name: "formation_cv_recovery",
        unit: "Ah",
        doc: "Charge that the hold at the end of the first discharge still takes out: lithium that comes out slowly.",
        citation: "Cui2024",
        formula: "held discharge less discharge of the first cycle",
        needs: &[
            Need::Attribute("formation_discharge_capacity_with_cv"),
            Need::Attribute("formation_first_discharge_capacity"),
        ],
        compute: |c| {
            Ok(attribute(c, "formation_discharge_capacity_with_cv")?
                - attribute(c, "formation_first_discharge_capacity")?)
        },
    },
    EarlyDescriptor {
        name: "formation_cv_hold_share",
        unit: "1",
        doc: "Charge at held voltage over the whole first charge.",
        citation: "Cui2024",
        formula: "share of the first charge at held voltage",
        needs: &[
            Need::Attribute("formation_cv_hold_capacity"),
            Need::Attribute("formation_first_charge_capacity"),
        ],
        compute: |c| {
            Ok(attribute(c, "formation_cv_hold_capacity")? / attribute(c, "formation_first_charge_capacity")?)
        },
    },
    EarlyDescriptor {
        name: "formation_capacity_retention",
        unit: "1",
        doc: "Discharge capacity of the last cycle of the formation over that of the first.",
        citation: "Cui2024",
        formula: "last over first discharge capacity of the formation",
        needs: &[
            Need::Attribute("formation_last_discharge_capacity"),
            Need::Attribute("formation_first_discharge_capacity"),
        ],
        compute: |c| {
            Ok(health::soh(
                attribute(c, "formation_last_discharge_capacity")?,
                attribute(c, "formation_first_discharge_capacity")?,
            ))
        },
    },
    EarlyDescriptor {
        name: "assembly_electrolyte_per_capacity",
        unit: "g/Ah",
        doc: "Mass of the electrolyte over the charge of the first discharge with its hold.",
        citation: "Cui2024",
        formula: "electrolyte mass over discharge capacity",
        needs: &[
            Need::Attribute("assembly_electrolyte_mass"),
            Need::Attribute("formation_discharge_capacity_with_cv"),
        ],
        compute: |c| {
            Ok(attribute(c, "assembly_electrolyte_mass")?
                / attribute(c, "formation_discharge_capacity_with_cv")?)
        },
    },
];
