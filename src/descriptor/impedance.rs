//! Descriptors of the latest impedance spectrum before a discharge.

use super::Descriptor;
use crate::dataset::leakage::Source::PastRecord;

pub(super) const DESCRIPTORS: &[Descriptor] = &[
    Descriptor {
        name: "impedance_electrolyte_resistance",
        unit: "ohm",
        doc: "Electrolyte resistance as the source states it for the latest spectrum.",
        source: PastRecord,
        compute: |c, row| c.impedance(row)?.electrolyte_resistance_ohm,
    },
    Descriptor {
        name: "impedance_charge_transfer_resistance",
        unit: "ohm",
        doc: "Charge-transfer resistance as the source states it for the latest spectrum.",
        source: PastRecord,
        compute: |c, row| c.impedance(row)?.charge_transfer_resistance_ohm,
    },
    Descriptor {
        name: "impedance_real_smallest",
        unit: "ohm",
        doc: "Smallest real part of the latest spectrum.",
        source: PastRecord,
        compute: |c, row| {
            let spectrum = c.impedance(row)?.spectrum.as_ref()?;
            spectrum.real_ohm.iter().copied().filter(|z| z.is_finite()).reduce(f64::min)
        },
    },
];
