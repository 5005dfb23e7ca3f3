//! What every reader does around its format: files in, cells chosen, unique, sorted, with the user's facts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::archive::for_each_file;
use super::{ReadError, ReadOptions};
use crate::cell::{CellId, Chemistry};
use crate::dataset::{Cell, CellFacts};

/// Note of a cell under which readers say what they found and did.
pub(super) const READER_NOTES: &str = "reader_notes";

/// Endings that are no part of a cell's name.
const ENDINGS: [&str; 7] = [".gz", ".csv", ".bdf", ".txt", ".tsv", ".parquet", ".zst"];

/// A file or an archive entry to be read.
pub(super) struct Input {
    /// Path for errors: the file, or the archive with the entry's name.
    pub(super) path: PathBuf,
    /// Name without folders and endings.
    pub(super) stem: String,
    /// Content, decompressed.
    pub(super) bytes: Vec<u8>,
}

/// Reads every file of `paths` whose name ends like one of `endings` and returns the cells in ascending order.
///
/// # Errors
/// Those of `read`; [`ReadError::DuplicateCell`]; [`ReadError::NoCell`] when nothing is left.
pub(super) fn cells(
    paths: &[PathBuf],
    endings: &[&str],
    options: &ReadOptions,
    progress: &mut dyn FnMut(&str),
    read: &dyn Fn(Input) -> Result<Vec<Cell>, ReadError>,
) -> Result<Vec<Cell>, ReadError> {
    let mut found = BTreeMap::new();
    for path in paths {
        for_each_file(path, &mut |name| has_ending(name, endings), &mut |name, bytes| {
            let input = Input { path: origin(path, name), stem: stem(name), bytes };
            let origin = input.path.clone();
            for cell in read(input)? {
                insert(&mut found, &origin, cell)?;
            }
            progress(name);
            Ok(())
        })?;
    }
    choose(found, paths, options)
}

/// Returns the name of a file without folders and endings.
pub(super) fn stem(name: &str) -> String {
    let mut stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
    while let Some(shorter) = ENDINGS.iter().find_map(|e| strip_ending(stem, e)) {
        stem = shorter;
    }
    stem.into()
}

/// Adds a sentence to what the readers found out about a cell.
pub(super) fn note(facts: &mut CellFacts, sentence: &str) {
    let notes = facts.notes.entry(READER_NOTES.into()).or_default();
    if !notes.is_empty() {
        notes.push_str("; ");
    }
    notes.push_str(sentence);
}

/// Returns `known` with everything that `stated` says instead.
pub(super) fn overlay(known: CellFacts, stated: &CellFacts) -> CellFacts {
    let (mut notes, mut attributes) = (known.notes, known.attributes);
    notes.extend(stated.notes.clone());
    attributes.extend(stated.attributes.clone());
    CellFacts {
        chemistry: if stated.chemistry == Chemistry::Unknown { known.chemistry } else { stated.chemistry },
        nominal_capacity_ah: stated.nominal_capacity_ah.or(known.nominal_capacity_ah),
        eol_soh: stated.eol_soh.or(known.eol_soh),
        discharge_cutoff_volt: stated.discharge_cutoff_volt.or(known.discharge_cutoff_volt),
        charge_cutoff_volt: stated.charge_cutoff_volt.or(known.charge_cutoff_volt),
        synthetic: known.synthetic || stated.synthetic,
        cycle_life: stated.cycle_life.or(known.cycle_life),
        group: stated.group.clone().or(known.group),
        folds: if stated.folds.is_empty() { known.folds } else { stated.folds.clone() },
        notes,
        attributes,
    }
}

fn strip_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len()).filter(|at| *at > 0 && name.is_char_boundary(*at))?;
    name[at..].eq_ignore_ascii_case(ending).then_some(&name[..at])
}

fn has_ending(name: &str, endings: &[&str]) -> bool {
    let name = strip_ending(name, ".gz").unwrap_or(name);
    let hidden = name.rsplit('/').next().is_some_and(|n| n.starts_with('.'));
    !hidden && endings.iter().any(|e| strip_ending(name, e).is_some())
}

/// A single file is named by its own path, an entry by the archive's path and its name.
pub(super) fn origin(path: &Path, name: &str) -> PathBuf {
    let same = path.file_name().is_some_and(|f| f.to_string_lossy().starts_with(name));
    if same { path.into() } else { path.join(name) }
}

fn insert(found: &mut BTreeMap<CellId, (PathBuf, Cell)>, origin: &Path, cell: Cell) -> Result<(), ReadError> {
    if let Some((first, _)) = found.get(&cell.id) {
        let (first, second) = (first.clone(), origin.into());
        return Err(ReadError::DuplicateCell { cell: cell.id, first, second });
    }
    found.insert(cell.id.clone(), (origin.into(), cell));
    Ok(())
}

pub(super) fn choose(
    found: BTreeMap<CellId, (PathBuf, Cell)>,
    paths: &[PathBuf],
    options: &ReadOptions,
) -> Result<Vec<Cell>, ReadError> {
    let no_cell = |reason| ReadError::NoCell { path: paths.first().cloned().unwrap_or_default(), reason };
    if let Some(absent) = options.cells.iter().find(|c| !found.contains_key(c)) {
        let there: Vec<_> = found.keys().take(20).map(CellId::as_str).collect();
        return Err(no_cell(format!("`{absent}` was asked for; there are {}", there.join(", "))));
    }
    let wanted = |id: &CellId| options.cells.is_empty() || options.cells.contains(id);
    let cells = found.into_values().map(|(_, cell)| cell).filter(|cell| wanted(&cell.id));
    let cells: Vec<_> =
        cells.map(|cell| Cell { facts: overlay(cell.facts, &options.facts), ..cell }).collect();
    if cells.is_empty() {
        return Err(no_cell("no file with a fitting name".into()));
    }
    Ok(cells)
}

/// Reads one file with a reader, without options.
#[cfg(test)]
pub(super) fn read_one(reader: &dyn super::Reader, path: &Path) -> Result<Vec<Cell>, ReadError> {
    reader.read(&[path.into()], &ReadOptions::default(), &mut |_| ())
}

/// What tests compare of a record: phase, cycle, samples, charge throughput [Ah], first and last voltage [V].
#[cfg(test)]
pub(super) type Expected = (crate::cell::Phase, Option<u32>, usize, f64, f64, f64);

/// Compares records with numbers computed elsewhere.
#[cfg(test)]
pub(super) fn assert_records(records: &[crate::dataset::Record], expected: &[Expected]) {
    assert_eq!(records.len(), expected.len());
    for (record, (phase, cycle, n, ah, first, last)) in records.iter().zip(expected) {
        let s = &record.samples;
        assert_eq!((record.phase, record.cycle_count, s.len()), (*phase, *cycle, *n), "{}", record.index);
        let found = crate::cell::health::charge_throughput(&s.time_second, &s.current_ampere);
        // The order of the sum may differ, and times were made relative: 1e-9 of the charge.
        assert!((found - ah).abs() <= 1e-9 * ah.abs() + 1e-18, "{}: {found} {ah}", record.index);
        let volts = (s.voltage_volt[0].to_bits(), s.voltage_volt[n - 1].to_bits());
        assert_eq!(volts, (first.to_bits(), last.to_bits()), "{}", record.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_lose_folders_and_endings_but_no_other_dots() {
        let cases = [
            ("data/XJTU data/R2.5_battery-1.csv", "R2.5_battery-1"),
            ("A__B__C30.bdf.csv.gz", "A__B__C30"),
            ("x.BDF.PARQUET", "x"),
            (".csv", ".csv"),
        ];
        for (name, expected) in cases {
            assert_eq!(stem(name), expected);
        }
    }

    #[test]
    fn only_files_with_a_fitting_ending_are_wanted() {
        let wanted = |name| has_ending(name, &[".csv"]);
        assert!(wanted("a.csv") && wanted("x/a.CSV.gz"));
        assert!(!wanted("a.txt") && !wanted("x/._a.csv") && !wanted(".csv"));
    }

    #[test]
    fn what_the_user_states_wins() {
        let known = CellFacts { nominal_capacity_ah: Some(2.0), eol_soh: Some(0.7), ..CellFacts::default() };
        let stated = CellFacts { nominal_capacity_ah: Some(1.1), ..CellFacts::default() };
        let both = overlay(known, &stated);
        assert_eq!((both.nominal_capacity_ah, both.eol_soh), (Some(1.1), Some(0.7)));
    }
}
