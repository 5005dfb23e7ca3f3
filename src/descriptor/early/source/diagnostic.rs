//! What a source states of the first diagnostics of a cell: rates, electrodes, pulses.

use super::columns::attribute;
use super::{EarlyDescriptor, Need};

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "diagnostic_capacity_low_rate",
        unit: "Ah",
        doc: "Discharge capacity at the low rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge capacity at the low rate in the first diagnostics",
        needs: &[Need::Attribute("diagnostic_capacity_low_rate")],
        compute: |c| attribute(c, "diagnostic_capacity_low_rate"),
    },
    EarlyDescriptor {
        name: "diagnostic_capacity_medium_rate",
        unit: "Ah",
        doc: "Discharge capacity at the medium rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge capacity at the medium rate in the first diagnostics",
        needs: &[Need::Attribute("diagnostic_capacity_medium_rate")],
        compute: |c| attribute(c, "diagnostic_capacity_medium_rate"),
    },
    EarlyDescriptor {
        name: "diagnostic_capacity_regular_rate",
        unit: "Ah",
        doc: "Discharge capacity at the regular rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge capacity at the regular rate in the first diagnostics",
        needs: &[Need::Attribute("diagnostic_capacity_regular_rate")],
        compute: |c| attribute(c, "diagnostic_capacity_regular_rate"),
    },
    EarlyDescriptor {
        name: "diagnostic_rate_capability_medium",
        unit: "1",
        doc: "Discharge capacity at the medium rate over that at the low rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge capacity at a rate over that at the low rate",
        needs: &[
            Need::Attribute("diagnostic_capacity_medium_rate"),
            Need::Attribute("diagnostic_capacity_low_rate"),
        ],
        compute: |c| {
            Ok(attribute(c, "diagnostic_capacity_medium_rate")?
                / attribute(c, "diagnostic_capacity_low_rate")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_rate_capability_regular",
        unit: "1",
        doc: "Discharge capacity at the regular rate over that at the low rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge capacity at a rate over that at the low rate",
        needs: &[
            Need::Attribute("diagnostic_capacity_regular_rate"),
            Need::Attribute("diagnostic_capacity_low_rate"),
        ],
        compute: |c| {
            Ok(attribute(c, "diagnostic_capacity_regular_rate")?
                / attribute(c, "diagnostic_capacity_low_rate")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_voltage_mean_low_rate",
        unit: "V",
        doc: "Discharge energy over capacity at the low rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge energy over capacity of the diagnostics",
        needs: &[
            Need::Attribute("diagnostic_energy_low_rate"),
            Need::Attribute("diagnostic_capacity_low_rate"),
        ],
        compute: |c| {
            Ok(attribute(c, "diagnostic_energy_low_rate")? / attribute(c, "diagnostic_capacity_low_rate")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_voltage_mean_regular_rate",
        unit: "V",
        doc: "Discharge energy over capacity at the regular rate in the first diagnostics.",
        citation: "Cui2024",
        formula: "discharge energy over capacity of the diagnostics",
        needs: &[
            Need::Attribute("diagnostic_energy_regular_rate"),
            Need::Attribute("diagnostic_capacity_regular_rate"),
        ],
        compute: |c| {
            Ok(attribute(c, "diagnostic_energy_regular_rate")?
                / attribute(c, "diagnostic_capacity_regular_rate")?)
        },
    },
    EarlyDescriptor {
        name: "electrode_negative_capacity",
        unit: "Ah",
        doc: "Capacity of the negative electrode, fitted to the first diagnostics.",
        citation: "Cui2024",
        formula: "capacity of the negative electrode, fitted to the first diagnostics",
        needs: &[Need::Attribute("electrode_negative_capacity")],
        compute: |c| attribute(c, "electrode_negative_capacity"),
    },
    EarlyDescriptor {
        name: "electrode_positive_capacity",
        unit: "Ah",
        doc: "Capacity of the positive electrode, fitted to the first diagnostics.",
        citation: "Cui2024",
        formula: "capacity of the positive electrode, fitted to the first diagnostics",
        needs: &[Need::Attribute("electrode_positive_capacity")],
        compute: |c| attribute(c, "electrode_positive_capacity"),
    },
    EarlyDescriptor {
        name: "electrode_lithium_inventory",
        unit: "Ah",
        doc: "Charge of the lithium that cycles, fitted to the first diagnostics.",
        citation: "Cui2024",
        formula: "charge of the lithium that cycles, fitted to the first diagnostics",
        needs: &[Need::Attribute("electrode_lithium_inventory")],
        compute: |c| attribute(c, "electrode_lithium_inventory"),
    },
    EarlyDescriptor {
        name: "electrode_negative_soc_discharged",
        unit: "1",
        doc: "Filling of the negative electrode in the empty cell.",
        citation: "Cui2024",
        formula: "filling of the negative electrode in the empty cell",
        needs: &[Need::Attribute("electrode_negative_soc_discharged")],
        compute: |c| attribute(c, "electrode_negative_soc_discharged"),
    },
    EarlyDescriptor {
        name: "electrode_negative_soc_charged",
        unit: "1",
        doc: "Filling of the negative electrode in the full cell.",
        citation: "Cui2024",
        formula: "filling of the negative electrode in the full cell",
        needs: &[Need::Attribute("electrode_negative_soc_charged")],
        compute: |c| attribute(c, "electrode_negative_soc_charged"),
    },
    EarlyDescriptor {
        name: "electrode_positive_soc_discharged",
        unit: "1",
        doc: "Filling of the positive electrode in the empty cell.",
        citation: "Cui2024",
        formula: "filling of the positive electrode in the empty cell",
        needs: &[Need::Attribute("electrode_positive_soc_discharged")],
        compute: |c| attribute(c, "electrode_positive_soc_discharged"),
    },
    EarlyDescriptor {
        name: "electrode_positive_soc_charged",
        unit: "1",
        doc: "Filling of the positive electrode in the full cell.",
        citation: "Cui2024",
        formula: "filling of the positive electrode in the full cell",
        needs: &[Need::Attribute("electrode_positive_soc_charged")],
        compute: |c| attribute(c, "electrode_positive_soc_charged"),
    },
    EarlyDescriptor {
        name: "electrode_capacity_ratio",
        unit: "1",
        doc: "Capacity of the negative over that of the positive electrode.",
        citation: "Cui2024",
        formula: "capacity of the negative over that of the positive electrode",
        needs: &[
            Need::Attribute("electrode_negative_capacity"),
            Need::Attribute("electrode_positive_capacity"),
        ],
        compute: |c| {
            Ok(attribute(c, "electrode_negative_capacity")? / attribute(c, "electrode_positive_capacity")?)
        },
    },
    EarlyDescriptor {
        name: "electrode_lithium_share",
        unit: "1",
        doc: "Charge of the lithium that cycles over the capacity of the positive electrode.",
        citation: "Cui2024",
        formula: "charge of the lithium that cycles over the capacity of the positive electrode",
        needs: &[
            Need::Attribute("electrode_lithium_inventory"),
            Need::Attribute("electrode_positive_capacity"),
        ],
        compute: |c| {
            Ok(attribute(c, "electrode_lithium_inventory")? / attribute(c, "electrode_positive_capacity")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_resistance_charge_soc0_0s",
        unit: "ohm",
        doc: "Resistance of the charge pulse at the lowest state of charge at once, as the source states it.",
        citation: "Weng2021",
        formula: "stated resistance of a charge pulse at once",
        needs: &[Need::Attribute("pulse_resistance_charge_soc0_0s")],
        compute: |c| attribute(c, "pulse_resistance_charge_soc0_0s"),
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_growth_charge_soc0",
        unit: "ohm",
        doc: "Growth of the resistance of the charge pulse at the lowest state of charge over 30 s, as the source states it.",
        citation: "Weng2021",
        formula: "stated growth of the resistance of a charge pulse over 30 s",
        needs: &[
            Need::Attribute("pulse_resistance_charge_soc0_0s"),
            Need::Attribute("pulse_resistance_charge_soc0_30s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_charge_soc0_30s")?
                - attribute(c, "pulse_resistance_charge_soc0_0s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_resistance_charge_soc2_0s",
        unit: "ohm",
        doc: "Resistance of the charge pulse at the third lowest state of charge at once, as the source states it.",
        citation: "Weng2021",
        formula: "stated resistance of a charge pulse at once",
        needs: &[Need::Attribute("pulse_resistance_charge_soc2_0s")],
        compute: |c| attribute(c, "pulse_resistance_charge_soc2_0s"),
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_growth_charge_soc2",
        unit: "ohm",
        doc: "Growth of the resistance of the charge pulse at the third lowest state of charge over 30 s, as the source states it.",
        citation: "Weng2021",
        formula: "stated growth of the resistance of a charge pulse over 30 s",
        needs: &[
            Need::Attribute("pulse_resistance_charge_soc2_0s"),
            Need::Attribute("pulse_resistance_charge_soc2_30s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_charge_soc2_30s")?
                - attribute(c, "pulse_resistance_charge_soc2_0s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_resistance_charge_soc5_0s",
        unit: "ohm",
        doc: "Resistance of the charge pulse at the highest state of charge at once, as the source states it.",
        citation: "Weng2021",
        formula: "stated resistance of a charge pulse at once",
        needs: &[Need::Attribute("pulse_resistance_charge_soc5_0s")],
        compute: |c| attribute(c, "pulse_resistance_charge_soc5_0s"),
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_growth_charge_soc5",
        unit: "ohm",
        doc: "Growth of the resistance of the charge pulse at the highest state of charge over 30 s, as the source states it.",
        citation: "Weng2021",
        formula: "stated growth of the resistance of a charge pulse over 30 s",
        needs: &[
            Need::Attribute("pulse_resistance_charge_soc5_0s"),
            Need::Attribute("pulse_resistance_charge_soc5_30s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_charge_soc5_30s")?
                - attribute(c, "pulse_resistance_charge_soc5_0s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_resistance_discharge_soc0_0s",
        unit: "ohm",
        doc: "Resistance of the discharge pulse at the lowest state of charge at once, as the source states it.",
        citation: "Weng2021",
        formula: "stated resistance of a discharge pulse at once",
        needs: &[Need::Attribute("pulse_resistance_discharge_soc0_0s")],
        compute: |c| attribute(c, "pulse_resistance_discharge_soc0_0s"),
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_growth_discharge_soc0",
        unit: "ohm",
        doc: "Growth of the resistance of the discharge pulse at the lowest state of charge over 30 s, as the source states it.",
        citation: "Weng2021",
        formula: "stated growth of the resistance of a discharge pulse over 30 s",
        needs: &[
            Need::Attribute("pulse_resistance_discharge_soc0_0s"),
            Need::Attribute("pulse_resistance_discharge_soc0_30s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_discharge_soc0_30s")?
                - attribute(c, "pulse_resistance_discharge_soc0_0s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_resistance_discharge_soc2_0s",
        unit: "ohm",
        doc: "Resistance of the discharge pulse at the third lowest state of charge at once, as the source states it.",
        citation: "Weng2021",
        formula: "stated resistance of a discharge pulse at once",
        needs: &[Need::Attribute("pulse_resistance_discharge_soc2_0s")],
        compute: |c| attribute(c, "pulse_resistance_discharge_soc2_0s"),
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_growth_discharge_soc2",
        unit: "ohm",
        doc: "Growth of the resistance of the discharge pulse at the third lowest state of charge over 30 s, as the source states it.",
        citation: "Weng2021",
        formula: "stated growth of the resistance of a discharge pulse over 30 s",
        needs: &[
            Need::Attribute("pulse_resistance_discharge_soc2_0s"),
            Need::Attribute("pulse_resistance_discharge_soc2_30s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_discharge_soc2_30s")?
                - attribute(c, "pulse_resistance_discharge_soc2_0s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_resistance_discharge_soc5_0s",
        unit: "ohm",
        doc: "Resistance of the discharge pulse at the highest state of charge at once, as the source states it.",
        citation: "Weng2021",
        formula: "stated resistance of a discharge pulse at once",
        needs: &[Need::Attribute("pulse_resistance_discharge_soc5_0s")],
        compute: |c| attribute(c, "pulse_resistance_discharge_soc5_0s"),
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_growth_discharge_soc5",
        unit: "ohm",
        doc: "Growth of the resistance of the discharge pulse at the highest state of charge over 30 s, as the source states it.",
        citation: "Weng2021",
        formula: "stated growth of the resistance of a discharge pulse over 30 s",
        needs: &[
            Need::Attribute("pulse_resistance_discharge_soc5_0s"),
            Need::Attribute("pulse_resistance_discharge_soc5_30s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_discharge_soc5_30s")?
                - attribute(c, "pulse_resistance_discharge_soc5_0s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_asymmetry",
        unit: "1",
        doc: "Resistance of the charge pulse over that of the discharge pulse, each after 10 s at the third lowest state of charge.",
        citation: "Weng2021",
        formula: "charge over discharge pulse resistance",
        needs: &[
            Need::Attribute("pulse_resistance_charge_soc2_10s"),
            Need::Attribute("pulse_resistance_discharge_soc2_10s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_charge_soc2_10s")?
                / attribute(c, "pulse_resistance_discharge_soc2_10s")?)
        },
    },
    EarlyDescriptor {
        name: "diagnostic_pulse_soc_ratio",
        unit: "1",
        doc: "Resistance of the discharge pulse after 10 s at the lowest state of charge over that at the third lowest.",
        citation: "Weng2021",
        formula: "pulse resistance at low over that at middle state of charge",
        needs: &[
            Need::Attribute("pulse_resistance_discharge_soc0_10s"),
            Need::Attribute("pulse_resistance_discharge_soc2_10s"),
        ],
        compute: |c| {
            Ok(attribute(c, "pulse_resistance_discharge_soc0_10s")?
                / attribute(c, "pulse_resistance_discharge_soc2_10s")?)
        },
    },
];
