//! Descriptors of the labelled discharge itself: they give its capacity away, and the leakage check says so.

use super::Descriptor;
use super::charge::mean;
use crate::dataset::leakage::Source::SameRecord;
use crate::dataset::pairing::net_charge_ah;

pub(super) const DESCRIPTORS: &[Descriptor] = &[
    Descriptor {
        name: "discharge_duration",
        unit: "s",
        doc: "Time of the last sample of the discharge.",
        source: SameRecord,
        compute: |c, row| c.discharge(row).samples.time_second.last().copied(),
    },
    Descriptor {
        name: "discharge_voltage_mean",
        unit: "V",
        doc: "Mean voltage of the discharge.",
        source: SameRecord,
        compute: |c, row| mean(c.discharge(row).samples.voltage_volt.iter().copied()),
    },
    Descriptor {
        name: "discharge_throughput",
        unit: "Ah",
        doc: "Charge that the discharge took out, by integration of the measured current.",
        source: SameRecord,
        compute: |c, row| net_charge_ah(&c.discharge(row).samples).map(|q| -q),
    },
];
