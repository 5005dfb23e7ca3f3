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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Cell;
    use crate::descriptor::early::{Window, catalogue, compute};
    use crate::seed::Seed;
    use crate::simulate::{Campaign, EarlyTest, FleetConfig};

    /// Returns a cell as a store gives it with some of its tables only.
    fn with(cell: &Cell, tables: &[&str]) -> Cell {
        let mut cell = cell.clone();
        for record in &mut cell.records {
            if !tables.contains(&"samples") {
                record.samples = crate::dataset::Samples::default();
            }
            record.spectrum.take_if(|_| !tables.contains(&"spectra"));
            record.curve.take_if(|_| !tables.contains(&"curves"));
        }
        cell.table.take_if(|_| !tables.contains(&"inputs"));
        cell
    }

    #[test]
    fn a_descriptor_needs_no_other_tables_than_it_says() {
        let config = FleetConfig {
            n_cells: 3,
            cycles: 8,
            spectrum_every: 2,
            titration_every: 3,
            ..FleetConfig::default()
        };
        let early = EarlyTest { cycles: 8, samples: 40, ..EarlyTest::default() };
        let cells = Campaign::new(&config, Some(&early), &Seed::new(1)).unwrap().fleet().cells;
        let mut sets: Vec<Vec<&str>> = Vec::new();
        for cell in &cells {
            for one in catalogue() {
                let set = tables(&[one], &cell.facts);
                if !sets.contains(&set) {
                    sets.push(set);
                }
            }
        }
        assert!(sets.len() > 2, "{sets:?}");
        for (cell, set) in cells.iter().flat_map(|cell| sets.iter().map(move |set| (cell, set))) {
            let wanted: Vec<&EarlyDescriptor> =
                catalogue().filter(|d| tables(&[d], &cell.facts) == *set).collect();
            let whole = compute(cell, Window::default(), &wanted);
            let part = compute(&with(cell, set), Window::default(), &wanted);
            for ((whole, part), d) in whole.into_iter().zip(part).zip(wanted) {
                assert_eq!(
                    whole.map(f64::to_bits),
                    part.map(f64::to_bits),
                    "{} of {} from {set:?}",
                    d.name,
                    cell.id
                );
            }
        }
    }

    #[test]
    fn every_need_has_one_of_the_names() {
        for need in catalogue().flat_map(|d| d.needs) {
            assert!(NAMES.contains(&need.name()), "{need:?}");
        }
    }
}
