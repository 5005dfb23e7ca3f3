//! What NASA's notes say of each cell of its PCoE battery ageing set.
//!
//! Source: the `README_*.txt` files of the set (B. Saha and K. Goebel, "Battery Data Set", NASA Prognostics Data
//! Repository, 2007), one a group of cells. They do not state the chemistry.

use super::super::CellFacts;
use super::collect;
use crate::cell::CellId;

/// Rated capacity [Ah] of every cell of the set ("from 2Ahr to 1.4Ahr").
const NOMINAL_CAPACITY_AH: f64 = 2.0;

/// Voltage [V] up to which every cell was charged with 1.5 A, and which was then held down to 20 mA.
const CHARGE_CUTOFF_VOLT: f64 = 4.2;

/// SoH at which most experiments stopped: 30 % fade, 1.4 of 2 Ah.
const EOL_SOH: f64 = 0.7;

/// SoH at which the groups of B0033 and B0038 stopped: 20 % fade, 1.6 of 2 Ah.
const EOL_SOH_EARLY: f64 = 0.8;

/// A group of cells that share a protocol.
struct Group {
    /// Numbers of the cells and their lower cut-offs [V].
    cells: &'static [(u32, f64)],
    /// SoH at the end of life, if the notes state one.
    eol_soh: Option<f64>,
    /// How they were discharged, and at which ambient temperature.
    protocol: &'static str,
}

const GROUPS: [Group; 9] = [
    Group {
        cells: &[(5, 2.7), (6, 2.5), (7, 2.2), (18, 2.5)],
        eol_soh: Some(EOL_SOH),
        protocol: "2 A at room temperature",
    },
    Group {
        cells: &[(25, 2.0), (26, 2.2), (27, 2.5), (28, 2.7)],
        eol_soh: None,
        protocol: "square wave of 4 A, 0.05 Hz, half of the time, at 24 degrees Celsius",
    },
    Group {
        cells: &[(29, 2.0), (30, 2.2), (31, 2.5), (32, 2.7)],
        eol_soh: None,
        protocol: "4 A at 43 degrees Celsius",
    },
    Group {
        cells: &[(33, 2.0), (34, 2.2), (36, 2.7)],
        eol_soh: Some(EOL_SOH_EARLY),
        protocol: "4 A (B0036: 2 A) at 24 degrees Celsius",
    },
    Group {
        cells: &[(38, 2.2), (39, 2.5), (40, 2.7)],
        eol_soh: Some(EOL_SOH_EARLY),
        protocol: "1, 2 and 4 A at 24 and 44 degrees Celsius",
    },
    Group {
        cells: &[(41, 2.0), (42, 2.2), (43, 2.5), (44, 2.7)],
        eol_soh: Some(EOL_SOH),
        protocol: "1 and 4 A at 4 degrees Celsius",
    },
    Group {
        cells: &[(45, 2.0), (46, 2.2), (47, 2.5), (48, 2.7)],
        eol_soh: Some(EOL_SOH),
        protocol: "1 A at 4 degrees Celsius",
    },
    Group {
        cells: &[(49, 2.0), (50, 2.2), (51, 2.5), (52, 2.7)],
        eol_soh: None,
        protocol: "2 A at 4 degrees Celsius",
    },
    Group {
        cells: &[(53, 2.0), (54, 2.2), (55, 2.5), (56, 2.7)],
        eol_soh: Some(EOL_SOH),
        protocol: "2 A at 4 degrees Celsius",
    },
];

/// Returns what is known of cell `id`; what the user states wins, and an unknown cell has only that.
///
/// Where the notes state no end of life, the 0.7 of most groups is taken and a note says so.
pub fn facts(id: &CellId, stated: &CellFacts) -> CellFacts {
    collect::overlay(known(id).unwrap_or_default(), stated)
}

fn known(id: &CellId) -> Option<CellFacts> {
    let number = id.as_str().strip_prefix('B')?.parse::<u32>().ok()?;
    let (group, cutoff) = GROUPS
        .iter()
        .find_map(|g| g.cells.iter().find(|(n, _)| *n == number).map(|(_, cutoff)| (g, *cutoff)))?;
    let mut facts = CellFacts {
        nominal_capacity_ah: Some(NOMINAL_CAPACITY_AH),
        eol_soh: Some(group.eol_soh.unwrap_or(EOL_SOH)),
        discharge_cutoff_volt: Some(cutoff),
        charge_cutoff_volt: Some(CHARGE_CUTOFF_VOLT),
        ..CellFacts::default()
    };
    facts.notes.insert("discharge".into(), group.protocol.into());
    if group.eol_soh.is_none() {
        facts.notes.insert("eol_soh".into(), "not stated for this group; taken from the others".into());
    }
    Some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutoffs_are_those_of_the_notes_and_the_user_wins() {
        // README_05_06_07_18.txt and README_38_39_40.txt.
        for (name, cutoff, eol) in [
            ("B0005", 2.7, 0.7),
            ("B0006", 2.5, 0.7),
            ("B0007", 2.2, 0.7),
            ("B0018", 2.5, 0.7),
            ("B0039", 2.5, 0.8),
        ] {
            let facts = facts(&CellId::new(name), &CellFacts::default());
            assert_eq!(facts.discharge_cutoff_volt, Some(cutoff), "{name}");
            assert_eq!(facts.eol_soh, Some(eol), "{name}");
            assert_eq!((facts.nominal_capacity_ah, facts.charge_cutoff_volt), (Some(2.0), Some(4.2)));
        }
        let stated = CellFacts { eol_soh: Some(0.6), ..CellFacts::default() };
        assert_eq!(facts(&CellId::new("B0005"), &stated).eol_soh, Some(0.6));
    }

    #[test]
    fn an_unknown_cell_has_no_facts_and_no_number_is_there_twice() {
        assert_eq!(facts(&CellId::new("B0099"), &CellFacts::default()), CellFacts::default());
        let mut numbers = GROUPS.iter().flat_map(|g| g.cells.iter().map(|c| c.0)).collect::<Vec<_>>();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|w| w[0] < w[1]));
        assert_eq!(numbers.len(), 34);
    }
}
