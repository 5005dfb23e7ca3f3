//! What descriptors need: names to filter by, and the tables of a dataset that hold it.

use super::{EarlyDescriptor, Need};
use crate::dataset::CellFacts;

/// Names of all needs, for filters.
pub const NAMES: [&str; 16] = [
    "charge",
    "constant_voltage",
    "discharge",
    "curve",
    "capacity",
    "temperature",
    "rest",
    "gitt",
    "pulse",
    "chronoamperometry",
    "impedance",
    "clock",
    "nominal",
    "cycles",
    "column",
    "attribute",
];

impl Need {
    /// Returns the name, without the number or the column that it states.
    pub fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::ConstantVoltage => "constant_voltage",
            Self::Discharge => "discharge",
            Self::Curve => "curve",
            Self::Capacity => "capacity",
            Self::Temperature => "temperature",
            Self::Rest => "rest",
            Self::Gitt => "gitt",
            Self::Pulse => "pulse",
            Self::Chronoamperometry => "chronoamperometry",
            Self::Impedance => "impedance",
            Self::Clock => "clock",
            Self::Nominal => "nominal",
            Self::Cycles(_) => "cycles",
            Self::Column(_) => "column",
            Self::Attribute(_) => "attribute",
        }
    }

    /// Returns the tables of `dataset::table` that it is found in, beside that of the records.
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Impedance => &["spectra"],
            Self::Column(_) => &["inputs"],
            Self::Attribute(_) | Self::Cycles(_) | Self::Clock => &[],
            Self::Curve | Self::Capacity => &["samples", "curves"],
            _ => &["samples"],
        }
    }
}

/// Returns the tables that hold what `descriptors` need of a cell with these facts.
pub fn tables(descriptors: &[&EarlyDescriptor], facts: &CellFacts) -> Vec<&'static str> {
    let mut tables = vec!["records"];
    let stated = |need: &Need| *need == Need::Nominal && facts.nominal_capacity_ah.is_some();
    let needs = descriptors.iter().flat_map(|d| d.needs).filter(|need| !stated(need));
    for table in needs.flat_map(|need| need.tables()) {
        if !tables.contains(table) {
            tables.push(table);
        }
    }
    tables
}
