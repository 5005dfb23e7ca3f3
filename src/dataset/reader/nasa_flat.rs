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
        sorted(found, paths)
    }
}

fn cells(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Vec<Cell>, ReadError> {
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
    facts.notes.insert("layout".into(), "discharges only, rows under load only, dates cut to the year".into());
    let numbered = records.into_values().enumerate();
    let records = numbered.map(|(i, record)| Record { index: i as u32, ..record }).collect();
    Cell { id, facts, records, table: None }
}
