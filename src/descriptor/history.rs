//! Descriptors of the time before a discharge: counts, pauses, throughput and earlier capacities.

use super::Descriptor;
use super::charge::mean;
use super::context::hours;
use crate::cell::health;
use crate::dataset::leakage::Source::{PastLabel, PastRecord, Static, Time};

/// Pause that is no rest [h]: a discharge between two charges with its switching takes less; the floor hides how
/// long that discharge took, which would give its capacity away.
const PAUSE_FLOOR_HOUR: f64 = 4.0;

pub(super) const DESCRIPTORS: &[Descriptor] = &[
    Descriptor {
        name: "history_discharge_count",
        unit: "1",
        doc: "Discharges before this one.",
        source: Time,
        compute: |c, row| Some(f64::from(c.discharges[row].pairing.ordinal) - 1.0),
    },
    Descriptor {
        name: "history_cycle_count",
        unit: "1",
        doc: "Cycle that the source counts for the discharge, else the number of discharges before it.",
        source: Time,
        compute: |c, row| {
            let counted = c.discharge(row).cycle_count.map(f64::from);
            counted.or(Some(f64::from(c.discharges[row].pairing.ordinal) - 1.0))
        },
    },
    Descriptor {
        name: "history_elapsed_time",
        unit: "s",
        doc: "Time from the first record of the cell to the begin of the charge before the discharge.",
        source: Time,
        compute: |c, row| {
            let first = c.cell.records.iter().find_map(|r| r.unix_time_second)?;
            Some(c.charge(row)?.unix_time_second? - first)
        },
    },
    Descriptor {
        name: "history_rest_log",
        unit: "1",
        doc: "Logarithm of the longest pause before the charge over 4 h; 0 for every shorter pause.",
        source: PastRecord,
        compute: |c, row| {
            let pause = hours(c.discharges[row].longest_rest_second.unwrap_or(0.0));
            Some((pause.max(PAUSE_FLOOR_HOUR) / PAUSE_FLOOR_HOUR).ln())
        },
    },
    Descriptor {
        name: "history_rest_duration",
        unit: "h",
        doc: "Longest pause before the charge beyond 4 h; 0 for every shorter pause.",
        source: PastRecord,
        compute: |c, row| {
            let pause = hours(c.discharges[row].longest_rest_second.unwrap_or(0.0));
            Some(pause.max(PAUSE_FLOOR_HOUR) - PAUSE_FLOOR_HOUR)
        },
    },
    Descriptor {
        name: "history_charge_throughput",
        unit: "Ah",
        doc: "Charge moved by all charges before the discharge, both directions.",
        source: PastRecord,
        compute: |c, row| Some(c.throughput_before_ah(row)),
    },
    Descriptor {
        name: "history_equivalent_full_cycles",
        unit: "1",
        doc: "Charge moved before the discharge over twice the nominal capacity.",
        source: PastRecord,
        compute: |c, row| Some(health::equivalent_full_cycles(c.throughput_before_ah(row), c.nominal_ah?)),
    },
    Descriptor {
        name: "history_ambient_temperature_mean",
        unit: "degC",
        doc: "Mean ambient temperature of the records before the discharge.",
        source: PastRecord,
        compute: |c, row| {
            let before = &c.cell.records[..c.discharges[row].pairing.discharge_idx];
            mean(before.iter().filter_map(|r| r.ambient_temperature_celsius))
        },
    },
    Descriptor {
        name: "cycle_depth",
        unit: "1",
        doc: "Swing of the state of charge: charge that went in over the nominal capacity, at most 1.",
        source: PastRecord,
        compute: |c, row| Some((c.charge_throughput_ah(row)? / c.nominal_ah?).min(1.0)),
    },
    Descriptor {
        name: "cycle_soc_mean",
        unit: "1",
        doc: "Mean state of charge of a cycle that ends full: 1 less half its depth.",
        source: PastRecord,
        compute: |c, row| Some(1.0 - 0.5 * (c.charge_throughput_ah(row)? / c.nominal_ah?).min(1.0)),
    },
    Descriptor {
        name: "history_nominal_capacity",
        unit: "Ah",
        doc: "Nominal capacity of the cell.",
        source: Static,
        compute: |c, _| c.cell.facts.nominal_capacity_ah,
    },
    Descriptor {
        name: "history_capacity_previous",
        unit: "Ah",
        doc: "Stated capacity of the discharge before.",
        source: PastLabel,
        compute: |c, row| c.discharge(row.checked_sub(1)?).stated_capacity_ah,
    },
];
