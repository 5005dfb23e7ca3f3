//! Tables of ready-made inputs, one cycle a row: the XJTU and MIT tables built in, any other through a column map.

use std::path::{Path, PathBuf};

use super::collect::{self, Input};
use super::column_map::{CYCLE_COUNT, ColumnMap, ColumnRule, MapKind};
use super::csv::{TEXT_ENDINGS, needed_map, rows_by_cell};
use super::delimited::{Numbers, Sheet, bad_note};
use super::heading::Scale;
use super::segment::whole;
use super::{ReadError, ReadOptions, Reader};
use crate::cell::CellId;
use crate::dataset::{Cell, CellFacts, CycleColumn, CycleTable};
use crate::file::FileError;

/// Map of the XJTU and MIT tables of partial-charge inputs.
const XJTU_MAP: &str = include_str!("xjtu.toml");

/// Reader of the tables of partial-charge inputs of 55 XJTU and 125 MIT cells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Xjtu;

/// Reader of any table of ready-made inputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs;

impl Reader for Xjtu {
    fn name(&self) -> &'static str {
        "xjtu"
    }

    fn summary(&self) -> &'static str {
        "XJTU and MIT tables, 16 inputs of the end of the charge and the capacity, one cycle a row"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let built_in = |source| FileError::Parse { path: "xjtu.toml".into(), source };
        let map = ColumnMap::parse(XJTU_MAP, MapKind::Inputs).map_err(built_in)?;
        read_tables(paths, &map, options, progress)
    }
}

impl Reader for Inputs {
    fn name(&self) -> &'static str {
        "inputs"
    }

    fn summary(&self) -> &'static str {
        "tables of ready-made inputs, one cycle a row, through a column map (TOML)"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let map = ColumnMap::load(needed_map(paths, options)?, MapKind::Inputs)?;
        read_tables(paths, &map, options, progress)
    }
}

fn read_tables(
    paths: &[PathBuf],
    map: &ColumnMap,
    options: &ReadOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Cell>, ReadError> {
    collect::cells(paths, TEXT_ENDINGS, options, progress, &|input| read_cells(input, map))
}

fn read_cells(input: Input, map: &ColumnMap) -> Result<Vec<Cell>, ReadError> {
    let facts = facts(&input.path, map);
    let sheet = Sheet::open(&input.path, input.bytes, &map.layout())?;
    let headings = map.columns.values().map(|rule| Ok((sheet.find(rule.heading())?, sheet.plain())));
    let mut columns = sheet.numbers(&headings.collect::<Result<Vec<_>, ReadError>>()?)?;
    for (rule, column) in map.columns.values().zip(&mut columns) {
        let Scale { factor, offset } = rule.scale(Scale::default());
        column.scale(factor, offset);
    }
    let n_rows = columns.first().map_or(0, |c| c.values.len());
    let mut cells = Vec::new();
    for (name, rows) in rows_by_cell(&sheet, map, &input.stem, n_rows)? {
        let mut facts = facts.clone();
        let part = columns.iter().map(|c| c.take(&rows)).collect();
        let table = Some(table(&sheet, map, part, &mut facts)?);
        cells.push(Cell { id: CellId::new(name), facts, records: Vec::new(), table });
    }
    Ok(cells)
}

/// Returns what the map knows of the cells in the file `path`.
fn facts(path: &Path, map: &ColumnMap) -> CellFacts {
    let is_in = |folder: &str| path.components().any(|c| c.as_os_str() == folder);
    let Some(family) = map.family.iter().find(|f| is_in(&f.folder)) else { return map.facts.clone() };
    let mut facts = collect::overlay(map.facts.clone(), &family.facts);
    facts.notes.insert("family".into(), family.name.clone());
    facts
}

fn table(
    sheet: &Sheet,
    map: &ColumnMap,
    mut columns: Vec<Numbers>,
    facts: &mut CellFacts,
) -> Result<CycleTable, ReadError> {
    let at = map.columns.keys().position(|name| name == CYCLE_COUNT);
    let n_rows = columns.first().map_or(0, |c| c.values.len());
    let cycles = match at {
        Some(at) => cycles(sheet, &columns[at])?,
        None => (1..).take(n_rows).collect(),
    };
    let mut order: Vec<_> = (0..n_rows).collect();
    order.sort_by_key(|row| cycles[*row]);
    columns = columns.iter().map(|c| c.take(&order)).collect();
    let mut table =
        CycleTable { cycle_count: order.iter().map(|row| cycles[*row]).collect(), columns: Vec::new() };
    note_repeats(&table.cycle_count, facts);
    for ((name, rule), column) in map.columns.iter().zip(columns).filter(|((n, _), _)| *n != CYCLE_COUNT) {
        note_missing(name, &column, facts);
        table.columns.push(cycle_column(name, rule, column));
    }
    Ok(table)
}

fn cycle_column(name: &str, rule: &ColumnRule, column: Numbers) -> CycleColumn {
    CycleColumn {
        name: name.into(),
        unit: rule.unit().unwrap_or("1").into(),
        label: rule.is_label(),
        values: column.values,
    }
}

/// A row without its cycle cannot be placed, so a bad cycle is an error and not a missing value.
fn cycles(sheet: &Sheet, column: &Numbers) -> Result<Vec<u32>, ReadError> {
    let bad = |row: usize| {
        let bad = column.bad.iter().find(|b| b.row == row);
        let found = bad.map_or_else(|| column.values[row].to_string(), |b| b.text.clone());
        let place = bad.map_or_else(|| format!("row {}", row + 1), |b| format!("line {}", b.line));
        sheet.damaged(format!("{place}, column `{CYCLE_COUNT}`"), format!("`{found}` is no whole number"))
    };
    let whole = |(row, value): (usize, &f64)| whole(*value).ok_or_else(|| bad(row));
    column.values.iter().enumerate().map(whole).collect()
}

fn note_repeats(cycles: &[u32], facts: &mut CellFacts) {
    let n_repeats = cycles.windows(2).filter(|c| c[0] == c[1]).count();
    if n_repeats > 0 {
        collect::note(facts, &format!("{CYCLE_COUNT}: {n_repeats} rows repeat the cycle before them"));
    }
}

fn note_missing(name: &str, column: &Numbers, facts: &mut CellFacts) {
    let (n_rows, n_missing) = (column.values.len(), column.values.iter().filter(|v| v.is_nan()).count());
    if n_missing > column.bad.len() {
        collect::note(facts, &format!("{name}: {n_missing} of {n_rows} values are missing"));
    } else if let Some(sentence) = bad_note(name, &column.bad, n_rows) {
        collect::note(facts, &sentence);
    }
}

#[cfg(test)]
mod tests {
    use super::collect::{READER_NOTES, read_one};
    use super::*;
    use crate::cell::Chemistry;
    use crate::dataset::reader::archive::real_data;
    use proptest::prelude::*;

    const MAP: &str = "[columns]\ncycle_count = 'n'\ncharge_cc_duration = {name = 't', unit = 's', factor = 60.0}\n\
                       discharge_capacity = {name = 'q', unit = 'Ah', label = true}\n";

    fn read_text(map: &str, text: &str) -> Result<Vec<Cell>, ReadError> {
        let map = ColumnMap::parse(map, MapKind::Inputs).unwrap();
        read_cells(Input { path: "x/a.csv".into(), stem: "a".into(), bytes: text.into() }, &map)
    }

    fn column<'a>(cell: &'a Cell, name: &str) -> &'a CycleColumn {
        let table = cell.table.as_ref().unwrap();
        table.columns.iter().find(|c| c.name == name).unwrap()
    }

    /// Expected values: pandas, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_xjtu_archive_has_180_cells_of_two_families() {
        let Some(path) = real_data("partial-charge-features/xjtu-mit.tar.zst") else { return };
        let cells = read_one(&Xjtu, &path).unwrap();
        let family = |name: &str| cells.iter().filter(|c| c.facts.notes["family"] == name).count();
        assert_eq!((cells.len(), family("xjtu"), family("mit")), (180, 55, 125));
        let n_rows: usize = cells.iter().map(|c| c.table.as_ref().unwrap().cycle_count.len()).sum();
        assert_eq!(n_rows, 108_874);
        let is_missing = |c: &Cell| {
            column(c, "charge_cc_voltage_entropy_end").values.iter().filter(|v| v.is_nan()).count()
        };
        assert_eq!(cells.iter().map(is_missing).sum::<usize>(), 151);
        assert_eq!(cells.iter().filter(|c| c.facts.notes.contains_key(READER_NOTES)).count(), 8);
    }

    /// Expected values: pandas, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_first_xjtu_cell_is_what_its_file_says() {
        let Some(path) = real_data("partial-charge-features/xjtu-mit.tar.zst") else { return };
        let options = ReadOptions { cells: vec![CellId::new("2C_battery-1")], ..ReadOptions::default() };
        let cells = Xjtu.read(&[path], &options, &mut |_| ()).unwrap();
        let (cell, table) = (&cells[0], cells[0].table.as_ref().unwrap());
        assert_eq!(
            (cells.len(), cell.facts.nominal_capacity_ah, cell.facts.chemistry),
            (1, Some(2.0), Chemistry::Nmc)
        );
        assert_eq!((table.cycle_count[0], table.cycle_count[374], table.columns.len()), (1, 375, 17));
        assert_eq!(table.columns.iter().filter(|c| c.label).count(), 1);
        let capacity = column(cell, "discharge_capacity");
        assert!(capacity.label && capacity.unit == "Ah");
        assert_eq!(
            (capacity.values[0].to_bits(), capacity.values[374].to_bits()),
            (1.9_f64.to_bits(), 1.592_f64.to_bits())
        );
        assert!((capacity.values.iter().sum::<f64>() / 375.0 - 1.873_936).abs() < 1e-12);
        let duration = column(cell, "charge_cv_duration_end");
        assert_eq!(
            (duration.unit.as_str(), duration.values[0].to_bits()),
            ("s", 882.780_000_000_000_2_f64.to_bits())
        );
        let note = &cell.facts.notes[READER_NOTES];
        assert!(
            note.starts_with("charge_cc_voltage_entropy_end: 13 of 375 values") && note.contains("`-inf`"),
            "{note}"
        );
    }

    /// Expected values: pandas, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_calce_table_is_read_through_the_example_map() {
        let Some(path) = real_data("calce-cs2/cycles.csv") else { return };
        let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/readers/calce-cs2.toml");
        let options = ReadOptions { map: Some(map), ..ReadOptions::default() };
        let cells = Inputs.read(&[path], &options, &mut |_| ()).unwrap();
        let rows = |c: &Cell| (c.id.to_string(), c.table.as_ref().unwrap().cycle_count.len());
        let expected = [("CS2_35", 932), ("CS2_36", 973), ("CS2_37", 1038)].map(|(c, n)| (c.to_owned(), n));
        assert_eq!(cells.iter().map(rows).collect::<Vec<_>>(), expected);
        let mean = |c: &Cell| {
            let values = &column(c, "discharge_capacity").values;
            values.iter().sum::<f64>() / values.len() as f64
        };
        for (cell, expected) in cells.iter().zip([0.845_245, 0.812_930, 0.824_296]) {
            assert!((mean(cell) - expected).abs() < 1e-6, "{}", cell.id);
        }
    }

    #[test]
    fn rows_are_sorted_by_cycle_and_scaled() {
        let cells = read_text(MAP, "n,t,q\n3,1,1.8\n1,2,2.0\n1,2,NaN\n").unwrap();
        let table = cells[0].table.as_ref().unwrap();
        assert_eq!(table.cycle_count, [1, 1, 3]);
        assert_eq!(column(&cells[0], "charge_cc_duration").values, [120.0, 120.0, 60.0]);
        let note =
            "cycle_count: 1 rows repeat the cycle before them; discharge_capacity: 1 of 3 values are missing";
        assert_eq!(cells[0].facts.notes[READER_NOTES], note);
    }

    #[test]
    fn a_cycle_that_is_no_number_is_an_error_with_its_line() {
        for (cycle, place) in [("x", "line 3"), ("1.5", "row 2"), ("-1", "row 2"), ("", "row 2")] {
            let message = read_text(MAP, &format!("n,t,q\n1,1,1\n{cycle},1,1\n")).unwrap_err().to_string();
            assert!(message.contains(place) && message.contains("cycle_count"), "{cycle}: {message}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0..300_usize) {
            let map = ColumnMap::parse(MAP, MapKind::Inputs).unwrap();
            let bytes = [&b"n,t,q\n1,1,1\n"[..cut.min(12)], &bytes].concat();
            let _ = read_cells(Input { path: "a".into(), stem: "a".into(), bytes }, &map);
        }
    }
}
