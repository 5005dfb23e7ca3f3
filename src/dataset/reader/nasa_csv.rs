//! NASA PCoE as one CSV a record and an index, `metadata.csv` (the layout on Kaggle).
//!
//! The index makes the records; a file that it names and that is not there leaves the record without samples and with
//! a note. The sign of `Current_measured` is the canonical one already: negative in a discharge (see `nasa`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use super::archive::{for_each_file, has_extension};
use super::nasa::{is_wanted, phase, samples, sorted, unix_second};
use super::nasa_facts::facts;
use super::{ReadError, ReadOptions, Reader};
use crate::cell::{CellId, Phase};
use crate::dataset::{Cell, Record, Samples, Spectrum};

/// Name of the index.
const INDEX: &str = "metadata.csv";

/// Reads the layout of one CSV a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct NasaCsv;

impl Reader for NasaCsv {
    fn name(&self) -> &'static str {
        "nasa-csv"
    }

    fn summary(&self) -> &'static str {
        "NASA PCoE as one CSV a record with metadata.csv: a folder or an archive, the index in it or named beside it"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let mut index = None;
        let mut contents = BTreeMap::new();
        for path in paths {
            for_each_file(path, &mut |name| has_extension(name, "csv"), &mut |name, bytes| {
                let place = if path.ends_with(name) { path.clone() } else { path.join(name) };
                let file = name.rsplit('/').next().unwrap_or(name);
                if file == INDEX {
                    index = Some((place, bytes));
                } else if contents.insert(file.to_owned(), content(&place, &bytes)?).is_some() {
                    let found = format!("`{file}` is there twice");
                    return Err(ReadError::Damaged { path: path.clone(), place: name.into(), found });
                }
                progress(name);
                Ok(())
            })?;
        }
        let Some((place, bytes)) = index else {
            let path = paths.first().cloned().unwrap_or_default();
            let reason = format!("there is no {INDEX}; name it as a second path");
            return Err(ReadError::NoCell { path, reason });
        };
        let cells = cells(&place, &bytes, contents, options)?;
        sorted(cells.into_iter().map(|cell| (cell, place.clone())).collect(), paths, options)
    }
}

/// What one record's file holds, and what in it is no number.
struct Content {
    samples: Samples,
    spectrum: Option<Spectrum>,
    notes: Vec<String>,
}

/// Returns the positions of `names` in the head of a CSV file.
pub(super) fn positions<const N: usize>(
    path: &Path,
    head: &ByteRecord,
    names: [&str; N],
) -> Result<[usize; N], ReadError> {
    let present = head.iter().map(|h| String::from_utf8_lossy(h).trim().to_owned()).collect::<Vec<_>>();
    if present.iter().all(String::is_empty) {
        let found = "it is empty".into();
        return Err(ReadError::Format { path: path.into(), format: "CSV", found });
    }
    let mut positions = [0; N];
    for (position, name) in positions.iter_mut().zip(names) {
        *position = present.iter().position(|p| p == name).ok_or_else(|| ReadError::MissingColumn {
            path: path.into(),
            column: name.into(),
            present: present.join(", "),
        })?;
    }
    Ok(positions)
}

/// Returns the error for a line that is no CSV.
pub(super) fn broken(path: &Path, error: &csv::Error) -> ReadError {
    let line = error.position().map_or(0, csv::Position::line);
    ReadError::Damaged { path: path.into(), place: format!("line {line}"), found: error.to_string() }
}

/// Returns the text of column `position` in a row.
pub(super) fn text(row: &ByteRecord, position: usize) -> &str {
    row.get(position).and_then(|cell| std::str::from_utf8(cell).ok()).unwrap_or_default().trim()
}

fn content(path: &Path, bytes: &[u8]) -> Result<Content, ReadError> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let head = rows.byte_headers().map_err(|e| broken(path, &e))?.clone();
    if head.iter().any(|h| h == b"Battery_impedance") {
        let [impedance] = positions(path, &head, ["Battery_impedance"])?;
        return impedance_content(path, &mut rows, impedance);
    }
    let names = ["Time", "Voltage_measured", "Current_measured", "Temperature_measured"];
    let positions = positions(path, &head, names)?;
    let mut columns = [const { Vec::new() }; 4];
    let mut unread = [0; 4];
    let mut row = ByteRecord::new();
    while rows.read_byte_record(&mut row).map_err(|e| broken(path, &e))? {
        for (i, &position) in positions.iter().enumerate() {
            let number = text(&row, position).parse();
            unread[i] += u32::from(number.is_err());
            columns[i].push(number.unwrap_or(f64::NAN));
        }
    }
    let mut notes = (0..4)
        .filter(|&i| unread[i] > 0)
        .map(|i| format!("{}: {} values are no numbers", names[i], unread[i]))
        .collect();
    Ok(Content { samples: samples(columns, &mut notes), spectrum: None, notes })
}

fn impedance_content(
    path: &Path,
    rows: &mut csv::Reader<&[u8]>,
    position: usize,
) -> Result<Content, ReadError> {
    let mut spectrum = Spectrum::default();
    let mut unread = 0;
    let mut row = ByteRecord::new();
    while rows.read_byte_record(&mut row).map_err(|e| broken(path, &e))? {
        let number = complex(text(&row, position));
        unread += u32::from(number.is_none());
        let (real, imaginary) = number.unwrap_or((f64::NAN, f64::NAN));
        spectrum.frequency_hertz.push(f64::NAN);
        spectrum.real_ohm.push(real);
        spectrum.imaginary_ohm.push(imaginary);
    }
    let notes = (unread > 0).then(|| format!("Battery_impedance: {unread} values are no complex numbers"));
    Ok(Content { samples: Samples::default(), spectrum: Some(spectrum), notes: notes.into_iter().collect() })
}

/// Returns the parts of a number as Python writes it: `(0.19+0.08j)`, `0.19`.
fn complex(text: &str) -> Option<(f64, f64)> {
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(text);
    let Some(inner) = inner.strip_suffix('j') else { return Some((inner.parse().ok()?, 0.0)) };
    let bytes = inner.as_bytes();
    let sign = (1..bytes.len())
        .rev()
        .find(|&i| matches!(bytes[i], b'+' | b'-') && !matches!(bytes[i - 1], b'e' | b'E'));
    let (real, imaginary) = inner.split_at(sign.unwrap_or(0));
    let real = if real.is_empty() { 0.0 } else { real.parse().ok()? };
    Some((real, imaginary.parse().ok()?))
}

/// Returns the numbers of a date vector as Python writes it: `[2010. 7. 21. 15. 0. 35.093]`.
fn date(text: &str) -> Option<f64> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    let numbers = inner.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>().ok()?;
    unix_second(&numbers)
}

/// Returns a number of the index; nothing where the text is empty, and a note where it is no number.
fn number(name: &str, text: &str, notes: &mut Vec<String>) -> Option<f64> {
    let number = text.parse().ok();
    if number.is_none() && !text.is_empty() {
        notes.push(format!("{name}: {text:?} is no number"));
    }
    number
}

fn cells(
    path: &Path,
    bytes: &[u8],
    mut contents: BTreeMap<String, Content>,
    options: &ReadOptions,
) -> Result<Vec<Cell>, ReadError> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let head = rows.byte_headers().map_err(|e| broken(path, &e))?.clone();
    let names = ["battery_id", "test_id", "type", "start_time", "ambient_temperature", "filename"];
    let required = positions(path, &head, names)?;
    let measured = positions(path, &head, ["Capacity", "Re", "Rct"])?;
    let mut cells: BTreeMap<CellId, Vec<Record>> = BTreeMap::new();
    let mut row = ByteRecord::new();
    while rows.read_byte_record(&mut row).map_err(|e| broken(path, &e))? {
        let [id, test, kind, start, ambient, file] = required.map(|p| text(&row, p));
        let id = CellId::new(id);
        if !is_wanted(&id, options) {
            continue;
        }
        let Ok(index) = test.parse() else {
            let place = format!("line {}", row.position().map_or(0, csv::Position::line));
            let found = format!("test_id `{test}` is no number");
            return Err(ReadError::Damaged { path: path.into(), place, found });
        };
        let head = [kind, start, ambient, file];
        let record = record(index, head, measured.map(|p| text(&row, p)), contents.remove(file));
        cells.entry(id).or_default().push(record);
    }
    Ok(cells.into_iter().map(|(id, records)| cell(id, records, options)).collect())
}

fn cell(id: CellId, mut records: Vec<Record>, options: &ReadOptions) -> Cell {
    records.sort_by_key(|r| r.index);
    Cell { facts: facts(&id, &options.facts), id, records, table: None }
}

fn record(
    index: u32,
    [kind, start, ambient, file]: [&str; 4],
    [capacity, electrolyte, charge_transfer]: [&str; 3],
    content: Option<Content>,
) -> Record {
    let mut notes = Vec::new();
    let mut record = Record::new(index, phase(&kind.to_lowercase(), &mut notes));
    record.unix_time_second = date(start);
    if record.unix_time_second.is_none() {
        notes.push(format!("start_time: {start:?} is no date of six numbers"));
    }
    record.ambient_temperature_celsius = number("ambient_temperature", ambient, &mut notes);
    record.stated_capacity_ah = number("capacity", capacity, &mut notes);
    if record.phase == Phase::Discharge && capacity.is_empty() {
        notes.push("capacity: missing".into());
    }
    record.electrolyte_resistance_ohm = number("Re", electrolyte, &mut notes);
    record.charge_transfer_resistance_ohm = number("Rct", charge_transfer, &mut notes);
    match content {
        Some(content) => {
            record.samples = content.samples;
            record.spectrum = content.spectrum;
            notes.extend(content.notes);
        }
        None => notes.push(format!("samples: there is no file {file:?}")),
    }
    if record.phase == Phase::Impedance && record.spectrum.is_none() {
        record.spectrum = Some(Spectrum::default());
    }
    record.reader_notes = notes;
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::reader::archive::real_data;

    const META: &str = "type,start_time,ambient_temperature,battery_id,test_id,uid,filename,Capacity,Re,Rct\n\
        impedance,[2010    7   21   20   31    5],24,B0047,1,2,00002.csv,,(0.05-0.01j),0.16\n\
        discharge,[2010.       7.      21.      15.       0.      35.093],4,B0047,0,1,00001.csv,1.674,,\n\
        charge,[2.010e+03 7.000e+00 2.100e+01 1.700e+01 2.500e+01 4.000e+01],4,B0047,2,3,00003.csv,,,\n\
        discharge,[],4,B0050,0,4,00004.csv,[],,\n";
    const DISCHARGE: &str = "Voltage_measured,Current_measured,Temperature_measured,Current_load,Voltage_load,Time\n\
        4.2,-0.001,6.2,0,0,0\n4.1,-1.0,6.3,1,4.0,9.36\n3.9,,6.4,1,3.8,x\n";
    const IMPEDANCE: &str =
        "Sense_current,Battery_impedance\n(1-2j),(0.19+0.08j)\n(1-2j),(1e-05-3.5e-02j)\n,\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            crate::file::create_folder(path.parent().unwrap()).unwrap();
            crate::file::write_atomic(&path, text.as_bytes()).unwrap();
        }
        folder
    }

    fn read(paths: &[PathBuf]) -> Result<Vec<Cell>, ReadError> {
        NasaCsv.read(paths, &ReadOptions::default(), &mut |_| ())
    }

    #[test]
    fn the_index_makes_the_records_and_missing_files_are_noted() {
        let files = [
            ("metadata.csv", META),
            ("data/00001.csv", DISCHARGE),
            ("data/00002.csv", IMPEDANCE),
            ("data/00004.csv", DISCHARGE),
        ];
        let folder = folder(&files);
        let cells = read(&[folder.path().into()]).unwrap();
        assert_eq!(cells.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["B0047", "B0050"]);
        let [discharge, impedance, charge] = &cells[0].records[..] else { panic!("three records") };
        assert_eq!(discharge.stated_capacity_ah, Some(1.674));
        // date -u -d "2010-07-21 15:00:35.093" +%s.%N
        assert_eq!(discharge.unix_time_second, Some(1_279_724_435.093));
        assert_eq!(discharge.samples.voltage_volt, [4.2, 4.1, 3.9]);
        assert_eq!(discharge.samples.current_ampere[..2], [-0.001, -1.0]);
        assert_eq!(
            discharge.reader_notes,
            ["Time: 1 values are no numbers", "Current_measured: 1 values are no numbers"]
        );
        let spectrum = impedance.spectrum.as_ref().unwrap();
        assert_eq!((spectrum.real_ohm[1], spectrum.imaginary_ohm[1]), (1e-5, -3.5e-2));
        assert_eq!(
            (impedance.electrolyte_resistance_ohm, impedance.charge_transfer_resistance_ohm),
            (None, Some(0.16))
        );
        assert_eq!(charge.reader_notes, ["samples: there is no file \"00003.csv\""]);
        assert!(cells[1].records[0].reader_notes.contains(&"capacity: \"[]\" is no number".into()));
    }

    #[test]
    fn wrong_files_say_what_is_wrong() {
        let none = folder(&[("00001.csv", DISCHARGE)]);
        assert!(read(&[none.path().into()]).unwrap_err().to_string().contains("no metadata.csv"));
        let empty = folder(&[("metadata.csv", "")]);
        assert!(matches!(read(&[empty.path().into()]), Err(ReadError::Format { .. })));
        let other = folder(&[("metadata.csv", "a,b\n1,2\n")]);
        assert!(
            matches!(read(&[other.path().into()]), Err(ReadError::MissingColumn { column, .. }) if column == "battery_id")
        );
        let record = folder(&[("metadata.csv", META), ("00001.csv", "a,b\n1,2\n")]);
        assert!(
            matches!(read(&[record.path().into()]), Err(ReadError::MissingColumn { column, .. }) if column == "Time")
        );
    }

    #[test]
    fn the_archive_and_its_index_give_26_cells_and_25_unparsable_capacities() {
        let Some(folder) = real_data("nasa-pcoe") else { return };
        let cells =
            read(&[folder.join("per-record-csv-22-cells.tar.zst"), folder.join("metadata.csv")]).unwrap();
        let records = cells.iter().flat_map(|c| &c.records).collect::<Vec<_>>();
        let noted = |text: &str| {
            records.iter().filter(|r| r.reader_notes.iter().any(|n| n.starts_with(text))).count()
        };
        // Counted with pandas in metadata.csv, the absent files against the names in the archive (2,466 of 6,283).
        assert_eq!((cells.len(), records.len()), (26, 6283));
        assert_eq!(
            (noted("capacity: \"[]\""), noted("Re: "), noted("samples: there is no file")),
            (25, 9, 3817)
        );
        let low = records.iter().filter(|r| r.stated_capacity_ah.is_some_and(|c| c <= 0.05)).count();
        assert_eq!(low, 53);
    }
}
