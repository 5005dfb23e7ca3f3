//! Canonical tables on disk: a cell as Parquet columns with Battery Data Format names, and back.
//!
//! `curves` has one of two forms. Where all curves of a cell stand on one grid of voltages, bit by bit, it is a matrix:
//! a row a point of the grid, the column `voltage_volt` once, and a column `capacity_ah:<record_count>` a record. Else it is
//! long: a row a point, with the columns `record_count`, `voltage_volt` and `capacity_ah`. Both are read by any Parquet
//! reader: the columns after the first, side by side, are the matrix of capacity by voltage and record. A curve without
//! points is not kept.

mod curves;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use polars::polars_utils::compression::ZstdLevel;
use polars::prelude::{
    Column, DataFrame, Float64Chunked, IntoColumn, NamedFrom, ParallelStrategy, ParquetCompression,
    ParquetReader, ParquetWriter, PolarsError, SerReader, Series, StatisticsOptions, UInt32Chunked,
};
use rayon::prelude::*;

use super::{Cell, CellFacts, CycleColumn, CycleTable, Record, Samples, Spectrum};
use crate::cell::{CellId, Phase};
use crate::file::{self, FileError, HashingWriter};

/// The Parquet files of a cell, each `<file stem>.<name>.parquet`.
pub const TABLES: [&str; 5] = ["records", "samples", "spectra", "curves", "inputs"];

/// Mark before a label column's name in the table of ready-made inputs.
const LABEL_MARK: &str = "label:";

/// Level of zstd: on NASA's samples level 3 saves 5 % of the bytes.
const ZSTD_LEVEL: i32 = 1;

/// Samples that are encoded at a time: few enough to add little to the memory that the cells take.
const ROW_GROUP_ROWS: usize = 1 << 16;

/// One column of a table that is about to be written.
pub type TableColumn = Column;
/// Columns beyond which a table is wide, a matrix of curves: it is encoded by one thread, for its columns are small, and
/// not compressed. Severson's 8316 curves are so read in 0.05 s of one core and 69 MB, with zstd in 0.22 s and 51 MB.
const WIDE_COLUMNS: usize = 16;

/// Reads and writes fail as files do.
type Result<T> = std::result::Result<T, FileError>;

/// A table in memory.
type Framed = std::result::Result<DataFrame, PolarsError>;

/// Writes the tables of `cell` that have rows as `<stem>.<table>.parquet`; returns each file's name and SHA-256.
///
/// # Errors
/// [`FileError::Write`].
pub fn write_cell(folder: &Path, stem: &str, cell: &Cell) -> Result<BTreeMap<String, String>> {
    let write = |table: &str| {
        let name = file_name(stem, table);
        let mut frames: Box<dyn Iterator<Item = Framed>> = match table {
            "records" => Box::new(std::iter::once_with(|| records_frame(cell))),
            "samples" => Box::new(batches(&cell.records).into_iter().map(samples_frame)),
            "spectra" => Box::new(std::iter::once_with(|| spectra_frame(cell))),
            "curves" => Box::new(std::iter::once_with(|| curves::frame(cell))),
            _ => Box::new(std::iter::once_with(|| inputs_frame(cell))),
        };
        let sha256 = write_frames(&folder.join(&name), frames.as_mut())?;
        Ok(sha256.map(|sha256| (name, sha256)))
    };
    // The tables wait for the disk at the same time.
    let written = TABLES.into_par_iter().map(write).collect::<Result<Vec<_>>>();
    Ok(written?.into_iter().flatten().collect())
}

/// Returns the name of the file of a table; `stem` is that of the cell.
pub fn file_name(stem: &str, table: &str) -> String {
    format!("{stem}.{table}.parquet")
}

/// A table as it lies on the disk.
#[derive(Debug)]
pub struct TableFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What the file holds.
    pub bytes: Vec<u8>,
}

/// Makes a cell of the tables that [`write_cell`] wrote; `read` gives the file of one of [`TABLES`], `None` where there is
/// none or it is not wanted. Without `records` there are no others but `inputs`.
///
/// # Errors
/// What `read` says, or [`FileError::Parse`] where a column is missing or of another type.
pub fn read_cell<E: From<FileError>>(
    id: CellId,
    facts: CellFacts,
    read: &dyn Fn(&str) -> std::result::Result<Option<TableFile>, E>,
) -> std::result::Result<Cell, E> {
    let (mut records, mut table) = (Vec::new(), None);
    for name in TABLES {
        let Some(TableFile { path, bytes }) = read(name)? else { continue };
        let filled = frame(bytes).and_then(|f| match name {
            "records" => records_from(&f).map(|r| records = r),
            "samples" => fill_samples(&mut records, &f),
            "spectra" => fill_spectra(&mut records, &f),
            "curves" => curves::fill(&mut records, &f),
            _ => inputs_from(&f).map(|t| table = Some(t)),
        });
        filled.map_err(|e| FileError::parse(path, e))?;
    }
    Ok(Cell { id, facts, records, table })
}

/// Writes any table of equally long columns, atomically; NaN becomes null.
///
/// # Errors
/// [`FileError::Write`] or [`FileError::Parse`].
pub fn write_columns(path: &Path, columns: Vec<Column>) -> Result<()> {
    let mut frame = std::iter::once_with(|| DataFrame::new_infer_height(columns));
    write_frames(path, &mut frame).map(drop)
}

/// Returns a column of numbers; NaN becomes null.
pub fn numbers(name: &str, values: Vec<f64>) -> Column {
    if values.iter().any(|v| v.is_nan()) {
        let values: Vec<Option<f64>> = values.into_iter().map(|v| Some(v).filter(|v| !v.is_nan())).collect();
        return Series::new(name.into(), values).into();
    }
    Float64Chunked::from_vec(name.into(), values).into_column()
}

/// Returns a column of counts.
pub fn counts(name: &str, values: Vec<u32>) -> Column {
    UInt32Chunked::from_vec(name.into(), values).into_column()
}

/// Returns a column of texts.
pub fn texts<S: AsRef<str>>(name: &str, values: &[S]) -> Column {
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    Series::new(name.into(), values).into()
}

/// Writes frames of the same columns as one Parquet file and returns its SHA-256; nothing where there is no column.
fn write_frames(path: &Path, frames: &mut dyn Iterator<Item = Framed>) -> Result<Option<String>> {
    let first = frames.next().transpose().map_err(|e| FileError::parse(path, e))?;
    let Some(first) = first.filter(|f| f.height() > 0) else { return Ok(None) };
    let is_wide = first.width() > WIDE_COLUMNS;
    let mut sha256 = String::new();
    file::write_with(path, |out| {
        let mut out = HashingWriter::new(out);
        let level = ZstdLevel::try_new(ZSTD_LEVEL)?;
        let mut writer = ParquetWriter::new(&mut out)
            .with_compression(if is_wide {
                ParquetCompression::Uncompressed
            } else {
                ParquetCompression::Zstd(Some(level))
            })
            .with_statistics(StatisticsOptions::empty())
            .set_parallel(!is_wide)
            .batched(first.schema())?;
        writer.write_batch(&first)?;
        drop(first);
        for frame in frames {
            writer.write_batch(&frame?)?;
        }
        writer.finish()?;
        drop(writer);
        sha256 = out.finish();
        Ok(())
    })
    .map_err(|e: PolarsError| FileError::write(path, std::io::Error::other(e.to_string())))?;
    Ok(Some(sha256))
}

/// Returns the records with samples in groups of at least [`ROW_GROUP_ROWS`] samples, but for the last.
fn batches(records: &[Record]) -> Vec<&[Record]> {
    let (mut batches, mut from, mut n_rows) = (Vec::new(), 0, 0);
    for (i, record) in records.iter().enumerate() {
        n_rows += record.samples.len();
        if n_rows >= ROW_GROUP_ROWS {
            batches.push(&records[from..=i]);
            (from, n_rows) = (i + 1, 0);
        }
    }
    if n_rows > 0 {
        batches.push(&records[from..]);
    }
    batches
}

fn frame(bytes: Vec<u8>) -> Framed {
    // Cells are read side by side: their columns need no threads of their own.
    ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None).finish()
}

fn records_frame(cell: &Cell) -> Framed {
    let r = &cell.records;
    let optional = |get: fn(&Record) -> Option<f64>| r.iter().map(|r| get(r).unwrap_or(f64::NAN)).collect();
    let cycles: Vec<Option<u32>> = r.iter().map(|r| r.cycle_count).collect();
    let phases: Vec<&str> = r.iter().map(|r| r.phase.name()).collect();
    let notes: Vec<String> = r.iter().map(|r| r.reader_notes.join("\n")).collect();
    DataFrame::new_infer_height(vec![
        counts("record_count", r.iter().map(|r| r.index).collect()),
        Series::new("cycle_count".into(), cycles).into(),
        texts("step_type", &phases),
        numbers("unix_time_second", optional(|r| r.unix_time_second)),
        numbers("ambient_temperature_celsius", optional(|r| r.ambient_temperature_celsius)),
        numbers("stated_discharging_capacity_ah", optional(|r| r.stated_capacity_ah)),
        numbers("electrolyte_resistance_ohm", optional(|r| r.electrolyte_resistance_ohm)),
        numbers("charge_transfer_resistance_ohm", optional(|r| r.charge_transfer_resistance_ohm)),
        texts("reader_notes", &notes),
    ])
}

fn samples_frame(records: &[Record]) -> Framed {
    let joined = |get: fn(&Samples) -> &Vec<f64>| -> Vec<f64> {
        records.iter().map(|r| get(&r.samples).as_slice()).collect::<Vec<_>>().concat()
    };
    let owner = records.iter().flat_map(|r| std::iter::repeat_n(r.index, r.samples.len())).collect();
    DataFrame::new_infer_height(vec![
        counts("record_count", owner),
        numbers("test_time_second", joined(|s| &s.time_second)),
        numbers("voltage_volt", joined(|s| &s.voltage_volt)),
        numbers("current_ampere", joined(|s| &s.current_ampere)),
        numbers("surface_temperature_celsius", joined(|s| &s.temperature_celsius)),
    ])
}

fn spectra_frame(cell: &Cell) -> Framed {
    let spectra = || cell.records.iter().filter_map(|r| r.spectrum.as_ref().map(|s| (r.index, s)));
    let joined =
        |get: fn(&Spectrum) -> &Vec<f64>| spectra().flat_map(|(_, s)| get(s).iter().copied()).collect();
    let owner = spectra().flat_map(|(index, s)| std::iter::repeat_n(index, s.real_ohm.len())).collect();
    DataFrame::new_infer_height(vec![
        counts("record_count", owner),
        numbers("frequency_hertz", joined(|s| &s.frequency_hertz)),
        numbers("real_impedance_ohm", joined(|s| &s.real_ohm)),
        numbers("imaginary_impedance_ohm", joined(|s| &s.imaginary_ohm)),
    ])
}

/// Columns of ready-made inputs are `[label:]<name> / <unit>` on disk.
fn inputs_frame(cell: &Cell) -> Framed {
    let Some(table) = &cell.table else { return Ok(DataFrame::empty()) };
    let mut columns = vec![counts("cycle_count", table.cycle_count.clone())];
    columns.extend(table.columns.iter().map(|c| {
        let mark = if c.label { LABEL_MARK } else { "" };
        numbers(&format!("{mark}{} / {}", c.name, c.unit), c.values.clone())
    }));
    DataFrame::new_infer_height(columns)
}

fn records_from(frame: &DataFrame) -> std::result::Result<Vec<Record>, PolarsError> {
    let number = |name: &str| -> std::result::Result<Vec<Option<f64>>, PolarsError> {
        Ok(frame.column(name)?.f64()?.iter().collect())
    };
    let (unix, ambient) = (number("unix_time_second")?, number("ambient_temperature_celsius")?);
    let stated = number("stated_discharging_capacity_ah")?;
    let (re, rct) = (number("electrolyte_resistance_ohm")?, number("charge_transfer_resistance_ohm")?);
    let cycles: Vec<Option<u32>> = frame.column("cycle_count")?.u32()?.iter().collect();
    let phases = frame.column("step_type")?.str()?;
    let notes = frame.column("reader_notes")?.str()?;
    let indices = frame.column("record_count")?.u32()?;
    let rows = indices.iter().zip(phases.iter()).zip(notes.iter()).enumerate();
    rows.map(|(row, ((index, phase), notes))| {
        let phase = phase.unwrap_or_default();
        let unknown =
            || PolarsError::ComputeError(format!("unknown step_type `{phase}` in row {row}").into());
        let mut record = Record::new(index.unwrap_or_default(), Phase::from_name(phase).ok_or_else(unknown)?);
        record.cycle_count = cycles[row];
        record.unix_time_second = unix[row];
        record.ambient_temperature_celsius = ambient[row];
        record.stated_capacity_ah = stated[row];
        record.electrolyte_resistance_ohm = re[row];
        record.charge_transfer_resistance_ohm = rct[row];
        record.reader_notes = notes.unwrap_or_default().lines().map(str::to_owned).collect();
        Ok(record)
    })
    .collect()
}

fn fill_samples(records: &mut [Record], frame: &DataFrame) -> std::result::Result<(), PolarsError> {
    let time = column(frame, "test_time_second")?;
    let voltage = column(frame, "voltage_volt")?;
    let current = column(frame, "current_ampere")?;
    let temperature = column(frame, "surface_temperature_celsius")?;
    for (position, from, to) in runs(records, &owners(frame)?) {
        records[position].samples = Samples {
            time_second: time[from..to].to_vec(),
            voltage_volt: voltage[from..to].to_vec(),
            current_ampere: current[from..to].to_vec(),
            temperature_celsius: temperature[from..to].to_vec(),
        };
    }
    Ok(())
}

fn fill_spectra(records: &mut [Record], frame: &DataFrame) -> std::result::Result<(), PolarsError> {
    let frequency = column(frame, "frequency_hertz")?;
    let (real, imaginary) = (column(frame, "real_impedance_ohm")?, column(frame, "imaginary_impedance_ohm")?);
    for (position, from, to) in runs(records, &owners(frame)?) {
        records[position].spectrum = Some(Spectrum {
            frequency_hertz: frequency[from..to].to_vec(),
            real_ohm: real[from..to].to_vec(),
            imaginary_ohm: imaginary[from..to].to_vec(),
        });
    }
    Ok(())
}

fn inputs_from(frame: &DataFrame) -> std::result::Result<CycleTable, PolarsError> {
    let cycle_count = frame.column("cycle_count")?.u32()?.iter().map(Option::unwrap_or_default).collect();
    let mut columns = Vec::new();
    for name in frame.get_column_names().into_iter().filter(|n| n.as_str() != "cycle_count") {
        let values = column(frame, name)?.into_owned();
        let label = name.starts_with(LABEL_MARK);
        let (plain, unit) = name.trim_start_matches(LABEL_MARK).rsplit_once(" / ").unwrap_or((name, "1"));
        columns.push(CycleColumn { name: plain.into(), unit: unit.into(), label, values });
    }
    Ok(CycleTable { cycle_count, columns })
}

/// Returns the numbers of a column, null as NaN; copied only where it has nulls or lies in pieces.
fn column<'a>(frame: &'a DataFrame, name: &str) -> std::result::Result<Cow<'a, [f64]>, PolarsError> {
    let numbers = frame.column(name)?.f64()?;
    Ok(numbers.cont_slice().map_or_else(
        |_| {
            let mut values = Vec::with_capacity(numbers.len());
            for chunk in numbers.downcast_iter() {
                match chunk.validity() {
                    None => values.extend_from_slice(chunk.values()),
                    Some(_) => values.extend(chunk.iter().map(|v| v.copied().unwrap_or(f64::NAN))),
                }
            }
            values.into()
        },
        Cow::Borrowed,
    ))
}

fn owners(frame: &DataFrame) -> std::result::Result<Cow<'_, [u32]>, PolarsError> {
    let owners = frame.column("record_count")?.u32()?;
    Ok(owners.cont_slice().map_or_else(
        |_| owners.iter().map(Option::unwrap_or_default).collect::<Vec<_>>().into(),
        Cow::Borrowed,
    ))
}

/// Returns (position of the record, first row, end) for each run of rows that belong to one record.
fn runs(records: &[Record], owners: &[u32]) -> Vec<(usize, usize, usize)> {
    let mut runs = Vec::new();
    let (mut position, mut from) = (0, 0);
    for run in owners.chunk_by(|a, b| a == b) {
        while position < records.len() && records[position].index != run[0] {
            position += 1;
        }
        if position == records.len() {
            break;
        }
        runs.push((position, from, from + run.len()));
        from += run.len();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Curve;

    fn read(folder: &Path, name: &str) -> TableFile {
        let path = folder.join(file_name("a", name));
        TableFile { bytes: std::fs::read(&path).unwrap(), path }
    }

    fn read_back(folder: &Path, cell: &Cell) -> Result<Cell> {
        let there = |name: &str| folder.join(file_name("a", name)).exists();
        read_cell(cell.id.clone(), cell.facts.clone(), &|name| Ok(there(name).then(|| read(folder, name))))
    }

    fn cell() -> Cell {
        let mut discharge = Record::new(3, Phase::Discharge);
        discharge.stated_capacity_ah = Some(1.8);
        discharge.reader_notes = vec!["first".into(), "second".into()];
        discharge.samples = Samples {
            time_second: vec![0.0, 10.0],
            voltage_volt: vec![4.1, f64::NAN],
            current_ampere: vec![-2.0, -2.0],
            temperature_celsius: vec![24.0, 25.0],
        };
        let mut impedance = Record::new(4, Phase::Impedance);
        impedance.spectrum = Some(Spectrum {
            frequency_hertz: vec![f64::NAN],
            real_ohm: vec![0.05],
            imaginary_ohm: vec![-0.01],
        });
        let values = vec![0.5, f64::NAN];
        let columns = vec![
            CycleColumn {
                name: "charge_cv_duration".into(),
                unit: "s".into(),
                label: false,
                values: values.clone(),
            },
            CycleColumn { name: "discharge_capacity".into(), unit: "Ah".into(), label: true, values },
        ];
        Cell {
            id: CellId::new("A/1"),
            facts: CellFacts::default(),
            records: vec![Record::new(0, Phase::Charge), discharge, impedance],
            table: Some(CycleTable { cycle_count: vec![1, 2], columns }),
        }
    }

    #[test]
    fn parquet_round_trip_keeps_every_value_and_every_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let cell = cell();
        assert_eq!(write_cell(folder.path(), "a", &cell).unwrap().len(), 4);
        let back = read_back(folder.path(), &cell).unwrap();
        assert_eq!(format!("{back:?}"), format!("{cell:?}"), "NaN compares as text");
        assert!(back.records[0].samples.is_empty());
    }

    #[test]
    fn samples_that_are_written_in_batches_come_back_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut cell = Cell { table: None, ..cell() };
        let lengths = [ROW_GROUP_ROWS - 1, 0, 1, 0, 3 * ROW_GROUP_ROWS, 5, 0];
        cell.records = (0..).zip(lengths).map(|(i, n)| Record::new(i, Phase::Rest).of_length(n)).collect();
        let batch_lengths: Vec<usize> = batches(&cell.records).iter().map(|b| b.len()).collect();
        assert_eq!(batch_lengths, [3, 2, 2]);
        write_cell(folder.path(), "a", &cell).unwrap();
        let back = read_back(folder.path(), &cell).unwrap();
        assert_eq!(back, cell);
    }

    fn with_curves(curves: &[(u32, &[f64], &[f64])]) -> Cell {
        let record = |&(index, voltage, capacity): &(u32, &[f64], &[f64])| {
            let mut record = Record::new(index, Phase::Discharge);
            record.curve = Some(Curve { voltage_volt: voltage.into(), capacity_ah: capacity.into() });
            record
        };
        let mut records: Vec<Record> = curves.iter().map(record).collect();
        records.push(Record::new(99, Phase::Rest));
        Cell { records, table: None, ..cell() }
    }

    fn curve_columns(cell: &Cell) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        write_cell(folder.path(), "a", cell).unwrap();
        let back = read_back(folder.path(), cell).unwrap();
        assert_eq!(format!("{back:?}"), format!("{cell:?}"), "NaN compares as text");
        let frame = frame(read(folder.path(), "curves").bytes).unwrap();
        frame.get_column_names().into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn curves_on_one_grid_store_it_once_and_others_a_row_a_point() {
        let (grid, q) = ([3.5, 3.4, 2.0], [0.0, f64::NAN, 1.0]);
        let same = with_curves(&[(0, &grid, &q), (7, &grid, &[0.0, 0.5, 0.9])]);
        assert_eq!(curve_columns(&same), ["voltage_volt", "capacity_ah:0", "capacity_ah:7"]);
        let other = with_curves(&[(0, &grid, &q), (7, &[3.5, 3.4 - 1e-15, 2.0], &q), (8, &[3.0], &[0.1])]);
        assert_eq!(curve_columns(&other), ["record_count", "voltage_volt", "capacity_ah"]);
        let single = with_curves(&[(4, &[3.0, f64::NAN], &[0.0, 0.1])]);
        assert_eq!(curve_columns(&single), ["voltage_volt", "capacity_ah:4"]);
    }

    proptest::proptest! {
        #[test]
        fn any_curves_come_back(
            curves in proptest::collection::vec(proptest::collection::vec((0.0_f64..5.0, 0.0_f64..2.0), 1..6), 1..6),
            shared in proptest::bool::ANY,
        ) {
            let mut split: Vec<(Vec<f64>, Vec<f64>)> = curves.into_iter().map(|c| c.into_iter().unzip()).collect();
            if shared {
                let grid = split[0].0.clone();
                split.retain(|(v, _)| v.len() == grid.len());
                for (voltage, _) in &mut split {
                    voltage.clone_from(&grid);
                }
            }
            let curves: Vec<_> =
                (0..).zip(&split).map(|(i, (v, q))| (2 * i, v.as_slice(), q.as_slice())).collect();
            let n_columns = curve_columns(&with_curves(&curves)).len();
            proptest::prop_assert!(!shared || n_columns == 1 + curves.len());
        }
    }

    impl Record {
        fn of_length(mut self, n: usize) -> Self {
            let values: Vec<f64> = (0..n).map(|i| i as f64 + f64::from(self.index) / 8.0).collect();
            self.samples = Samples {
                time_second: values.clone(),
                voltage_volt: values.clone(),
                current_ampere: values.clone(),
                temperature_celsius: values,
            };
            self
        }
    }

    #[test]
    fn a_damaged_table_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        write_cell(folder.path(), "a", &cell()).unwrap();
        let path = folder.path().join("a.samples.parquet");
        let bytes = std::fs::read(&path).unwrap();
        file::write_atomic(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = read_back(folder.path(), &cell()).unwrap_err();
        assert!(error.to_string().contains("a.samples.parquet"), "{error}");
    }
}
