//! NASA PCoE flattened to one table of discharges, `discharge.csv[.gz]`.
//!
//! It has the rows under load only, and of the date only the year. `id_cycle` counts the discharges of a cell from 1.
//! The sign of `Current_measured` is the canonical one already: negative in a discharge (see `nasa`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use super::archive::{for_each_file, has_extension};
use super::nasa::{is_wanted, phase, sorted};
use super::nasa_csv::{broken, positions, text};
use super::nasa_facts::facts;
use super::{ReadError, ReadOptions, Reader};
use crate::cell::CellId;
use crate::dataset::{Cell, Record};

/// Columns that are read.
const COLUMNS: [&str; 9] = [
    "Time",
    "Voltage_measured",
    "Current_measured",
    "Temperature_measured",
    "Capacity",
    "ambient_temperature",
    "id_cycle",
    "type",
    "Battery",
];

/// Reads the flattened layout.
#[derive(Debug, Clone, Copy, Default)]
pub struct NasaFlat;

impl Reader for NasaFlat {
    fn name(&self) -> &'static str {
        "nasa-flat"
    }

    fn summary(&self) -> &'static str {
        "NASA PCoE flattened to one table of discharges, discharge.csv or .csv.gz"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let mut found = Vec::new();
        for path in paths {
            for_each_file(path, &mut |name| has_extension(name, "csv"), &mut |name, bytes| {
                let place = if path.is_dir() { path.join(name) } else { path.clone() };
                found.extend(cells(&place, &bytes, options)?.into_iter().map(|c| (c, place.clone())));
                progress(name);
                Ok(())
            })?;
        }
        sorted(found, paths, options)
    }
}

pub(super) fn cells(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Vec<Cell>, ReadError> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let head = rows.byte_headers().map_err(|e| broken(path, &e))?.clone();
    let positions = positions(path, &head, COLUMNS)?;
    let mut cells: BTreeMap<CellId, BTreeMap<u32, Record>> = BTreeMap::new();
    let mut row = ByteRecord::new();
    while rows.read_byte_record(&mut row).map_err(|e| broken(path, &e))? {
        let [.., cycle, kind, id] = positions.map(|p| text(&row, p));
        let id = CellId::new(id);
        if !is_wanted(&id, options) {
            continue;
        }
        let place = || format!("line {}", row.position().map_or(0, csv::Position::line));
        let Ok(count) = cycle.parse::<u32>() else {
            let found = format!("id_cycle `{cycle}` is no count");
            return Err(ReadError::Damaged { path: path.into(), place: place(), found });
        };
        let numbers = std::array::from_fn(|i| text(&row, positions[i]).parse().unwrap_or(f64::NAN));
        let records = cells.entry(id).or_default();
        let record = records.entry(count).or_insert_with(|| begin(count, kind, numbers));
        push(record, numbers);
    }
    Ok(cells.into_iter().map(|(id, records)| cell(id, records, options)).collect())
}

/// Returns record `count` with what each of its rows repeats.
fn begin(count: u32, kind: &str, [.., capacity, ambient]: [f64; 6]) -> Record {
    let mut notes = Vec::new();
    let mut record = Record::new(0, phase(kind, &mut notes));
    record.cycle_count = Some(count);
    record.stated_capacity_ah = some_number("capacity", capacity, &mut notes);
    record.ambient_temperature_celsius = some_number("ambient_temperature", ambient, &mut notes);
    record.reader_notes = notes;
    record
}

fn some_number(name: &str, number: f64, notes: &mut Vec<String>) -> Option<f64> {
    if number.is_nan() {
        notes.push(format!("{name}: no number"));
        return None;
    }
    Some(number)
}

fn push(record: &mut Record, [time, voltage, current, temperature, ..]: [f64; 6]) {
    let samples = &mut record.samples;
    samples.time_second.push(time);
    samples.voltage_volt.push(voltage);
    samples.current_ampere.push(current);
    samples.temperature_celsius.push(temperature);
}

fn cell(id: CellId, records: BTreeMap<u32, Record>, options: &ReadOptions) -> Cell {
    let mut facts = facts(&id, &options.facts);
    facts
        .notes
        .insert("layout".into(), "discharges only, rows under load only, dates cut to the year".into());
    let numbered = records.into_values().enumerate();
    let records = numbered.map(|(i, record)| Record { index: i as u32, ..record }).collect();
    Cell { id, facts, records, table: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::reader::archive::real_data;

    const HEAD: &str = "Voltage_measured,Current_measured,Temperature_measured,Current_charge,Voltage_charge,Time,\
        Capacity,id_cycle,type,ambient_temperature,time,Battery\n";

    fn read(text: &str) -> Result<Vec<Cell>, ReadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("discharge.csv");
        crate::file::write_atomic(&path, text.as_bytes()).unwrap();
        NasaFlat.read(&[path], &ReadOptions::default(), &mut |_| ())
    }

    #[test]
    fn rows_are_grouped_by_cell_and_cycle() {
        let rows = "3.9,-2.0,24,2,3,35,1.8,1,discharge,24,2008.0,B0006\n3.8,-2.0,25,2,3,45,1.8,1,discharge,24,2008.0,B0006\n\
            3.7,-2.0,24,2,3,35,1.7,2,discharge,24,2008.0,B0006\n3.9,-2.0,24,2,3,35,1.9,1,discharge,24,2008.0,B0005\n";
        let cells = read(&format!("{HEAD}{rows}")).unwrap();
        assert_eq!(cells[0].id.as_str(), "B0005");
        let records = &cells[1].records;
        let numbers =
            records.iter().map(|r| (r.index, r.cycle_count, r.stated_capacity_ah)).collect::<Vec<_>>();
        assert_eq!(numbers, [(0, Some(1), Some(1.8)), (1, Some(2), Some(1.7))]);
        assert_eq!(records[0].samples.voltage_volt, [3.9, 3.8]);
        assert_eq!(records[0].samples.time_second, [35.0, 45.0]);
    }

    #[test]
    fn wrong_tables_say_what_is_wrong() {
        assert!(matches!(read(""), Err(ReadError::Format { .. })));
        assert!(matches!(read("a,b\n1,2\n"), Err(ReadError::MissingColumn { .. })));
        assert!(matches!(read(HEAD), Err(ReadError::NoCell { .. })));
        let error =
            read(&format!("{HEAD}3.9,-2.0,24,2,3,35,1.8,one,discharge,24,2008.0,B0006\n")).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn the_whole_table_has_169766_rows_of_four_cells() {
        let Some(path) = real_data("nasa-pcoe/discharge.csv.gz") else { return };
        let cells = NasaFlat.read(&[path], &ReadOptions::default(), &mut |_| ()).unwrap();
        let rows = |c: &Cell| c.records.iter().map(|r| r.samples.len()).sum::<usize>();
        // Counted with pandas.
        let expected =
            [("B0005", 168, 45_122), ("B0006", 168, 44_354), ("B0007", 168, 48_299), ("B0018", 132, 31_991)];
        let found = cells.iter().map(|c| (c.id.as_str(), c.records.len(), rows(c))).collect::<Vec<_>>();
        assert_eq!(found, expected);
        assert_eq!(cells[0].records[167].stated_capacity_ah, Some(1.325_079_328_642_935_6));
    }
}
