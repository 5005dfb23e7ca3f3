//! Formation of Li-ion pouch cells (Cui et al. 2024): how each was formed, its first diagnostics, its cycle life.
//!
//! | file | holds, by `seq_num` |
//! |---|---|
//! | `Formation_2022-Parameter.csv` | settings of the protocol |
//! | `formation_cycle_info*.csv` | capacities, efficiencies and time of the formation |
//! | `one_time_features*.csv` | cycle life under regular cycling (`regu_life`) |
//! | `delta_features*.csv` | pulse resistances of each diagnostic |
//! | `rpt_summary*.csv` | capacities and energies of each diagnostic |
//! | `electrode_info*.csv` | capacities of the electrodes, fitted to each diagnostic |
//! | `tiers.csv` | the cells of a benchmark and their tier |
//! | `folds.csv` | their folds, repetition by repetition |
//!
//! The first three are needed; of the diagnostics only the first is read. Cells are those of `tiers.csv`, else all with a
//! cycle life, and are called `seq-100`. They have no records, only attributes: `formation_*` (settings and results
//! of the formation), `assembly_*` (masses), `regular_*` (currents of the later cycling), `pulse_resistance_*`,
//! `diagnostic_*` and `electrode_*`. Cells with equal settings are one group. What is measured during or after the
//! cycling (`regu_knee`, throughputs) is left out: it would give the life away.

mod attribute;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use attribute::{SETTINGS, attributes};
use table::Table;

use super::archive::{for_each_file, has_extension};
use super::delimited::{Layout, Sheet};
use super::{ReadError, ReadOptions, Reader, collect};
use crate::cell::{CellId, Chemistry};
use crate::dataset::{Cell, CellFacts};

/// Nominal capacity [Ah]: the regular charge current of 0.24 A is 1 C.
const NOMINAL_CAPACITY_AH: f64 = 0.24;

/// Cut-offs of the regular cycling [V]: `regular_discharge_cutoff_voltage` and `regular_charge_cutoff_voltage`.
const CUTOFFS_VOLT: [f64; 2] = [3.0, 4.4];

/// Most repetitions of a cross-validation; ours has 10.
const MOST_REPEATS: u32 = 1000;

/// Begins of the names of the files, and for those with a row a diagnostic the column and value of the first one.
const FILES: [(&str, Option<(&str, &str)>); 7] = [
    (PARAMETER, None),
    (CYCLE_INFO, None),
    (LIFE, None),
    (PULSES, Some(("diag_pos", "0"))),
    (DIAGNOSTICS, Some(("diag_pos", "0"))),
    (ELECTRODES, Some(("cycle_index", "0"))),
    (TIERS, None),
];

const PARAMETER: &str = "Formation_2022-Parameter";
const CYCLE_INFO: &str = "formation_cycle_info";
const LIFE: &str = "one_time_features";
const PULSES: &str = "delta_features";
const DIAGNOSTICS: &str = "rpt_summary";
const ELECTRODES: &str = "electrode_info";
const TIERS: &str = "tiers";
const FOLDS: &str = "folds";

/// Reader of the formation tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Formation;

impl Reader for Formation {
    fn name(&self) -> &'static str {
        "formation"
    }

    fn summary(&self) -> &'static str {
        "formation tables of Cui et al. 2024: settings, first diagnostics, cycle life, fixed folds, one cell a row"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let root = paths.first().cloned().unwrap_or_default();
        let mut set = Set::read(paths, progress)?;
        for needed in [PARAMETER, CYCLE_INFO, LIFE] {
            if !set.tables.contains_key(needed) {
                let advice = "name the folder that holds it, or the file as a further path".into();
                return Err(ReadError::MissingFile { path: root, file: format!("{needed}*.csv"), advice });
            }
        }
        let mut folds = set.folds.take().map_or(Ok(BTreeMap::new()), |sheet| folds(&sheet))?;
        let cells = set.cells(&mut folds)?;
        collect::choose(
            cells.into_iter().map(|c| (c.id.clone(), (root.clone(), c))).collect(),
            paths,
            options,
        )
    }
}

/// Everything that was found.
#[derive(Default)]
struct Set {
    tables: BTreeMap<&'static str, Table>,
    folds: Option<Sheet>,
}

impl Set {
    fn read(paths: &[PathBuf], progress: &mut dyn FnMut(&str)) -> Result<Self, ReadError> {
        let mut set = Self::default();
        let known = |name: &str| {
            let stem = collect::stem(name);
            FILES.into_iter().chain([(FOLDS, None)]).find(|(begin, _)| stem.starts_with(begin))
        };
        for path in paths {
            let mut wanted = |name: &str| has_extension(name, "csv") && known(name).is_some();
            for_each_file(path, &mut wanted, &mut |name, bytes| {
                let sheet = Sheet::open(&collect::origin(path, name), bytes, &Layout::default())?;
                match known(name) {
                    Some((FOLDS, _)) => set.folds = Some(sheet),
                    Some((begin, first)) => drop(set.tables.insert(begin, Table::new(sheet, first)?)),
                    None => {}
                }
                progress(name);
                Ok(())
            })?;
        }
        Ok(set)
    }

    fn cells(&self, folds: &mut BTreeMap<u32, Vec<u32>>) -> Result<Vec<Cell>, ReadError> {
        let numbers: Vec<u32> = match self.tables.get(TIERS) {
            Some(tiers) => tiers.numbers().collect(),
            None => self.tables[LIFE].numbers().filter(|n| self.tables[PARAMETER].has(*n)).collect(),
        };
        let mut protocols: Vec<String> = Vec::new();
        let mut cells = Vec::new();
        for number in numbers {
            let mut facts = self.facts(number)?;
            facts.folds = folds.remove(&number).unwrap_or_default();
            let protocol = self.protocol(number)?;
            let known = protocols.iter().position(|p| *p == protocol);
            if known.is_none() {
                protocols.push(protocol.clone());
            }
            facts.group = Some(format!("protocol-{:02}", known.unwrap_or(protocols.len() - 1) + 1));
            facts.notes.insert("protocol".into(), protocol);
            cells.push(Cell {
                id: CellId::new(format!("seq-{number:03}")),
                facts,
                records: Vec::new(),
                table: None,
            });
        }
        Ok(cells)
    }

    fn facts(&self, number: u32) -> Result<CellFacts, ReadError> {
        let mut facts = CellFacts {
            chemistry: Chemistry::Nmc,
            nominal_capacity_ah: Some(NOMINAL_CAPACITY_AH),
            discharge_cutoff_volt: Some(CUTOFFS_VOLT[0]),
            charge_cutoff_volt: Some(CUTOFFS_VOLT[1]),
            cycle_life: Some(self.tables[LIFE].needed(number, "regu_life")?),
            ..CellFacts::default()
        };
        if let Some(tiers) = self.tables.get(TIERS) {
            facts.notes.insert("tier".into(), tiers.needed(number, "tier")?.to_string());
        }
        attributes(&self.tables, number, &mut facts)?;
        Ok(facts)
    }

    /// Returns the settings as one text: equal for cells that were formed alike.
    fn protocol(&self, number: u32) -> Result<String, ReadError> {
        let settings = &self.tables[PARAMETER];
        let value = |heading: &&str| Ok(format!("{heading} {}", settings.needed(number, heading)?));
        Ok(SETTINGS.iter().map(value).collect::<Result<Vec<_>, ReadError>>()?.join(", "))
    }
}

/// Returns the folds of each cell, in the order of the repetitions.
fn folds(sheet: &Sheet) -> Result<BTreeMap<u32, Vec<u32>>, ReadError> {
    let mut columns = Vec::new();
    for heading in ["seq_num", "repeat", "fold"] {
        let column = sheet.numbers(&[(sheet.find(heading)?, sheet.plain())])?.remove(0);
        columns.push(table::whole_numbers(sheet, heading, &column)?);
    }
    let mut by_cell: BTreeMap<u32, BTreeMap<u32, u32>> = BTreeMap::new();
    for (row, &number) in columns[0].iter().enumerate() {
        let repeat = columns[1][row];
        let again = by_cell.entry(number).or_default().insert(repeat, columns[2][row]).is_some();
        if again || repeat > MOST_REPEATS {
            let found =
                format!("seq_num {number} has repetition {repeat} twice, or it is above {MOST_REPEATS}");
            return Err(sheet.damaged(format!("row {}", row + 1), found));
        }
    }
    let n_repeats = by_cell.values().map(BTreeMap::len).max().unwrap_or(0);
    if let Some((number, _)) = by_cell.iter().find(|(_, f)| f.len() != n_repeats) {
        let found = format!("seq_num {number} lacks some of the {n_repeats} repetitions");
        return Err(sheet.damaged("its rows".into(), found));
    }
    Ok(by_cell.into_iter().map(|(number, folds)| (number, folds.into_values().collect())).collect())
}

#[cfg(test)]
mod tests;
