//! Battery Data Format: one cell a file, CSV or Parquet, machine or human column names.
//!
//! `test_time_second` and `Test Time / s` are the same column. Positive current charges already. The cell is called
//! like its file without `.bdf`, `.csv`, `.parquet` and `.gz`. Source: Battery Data Alliance, LF Energy.

use std::path::{Path, PathBuf};

use polars::prelude::{DataType, FileMetadata, ParquetReader, PolarsError, SerReader};

use super::collect::{self, Input};
use super::delimited::{Layout, Numbers, Sheet};
use super::segment;
use super::series::{Aliases, Channel, Series, pick};
use super::{ReadError, ReadOptions, Reader};
use crate::cell::CellId;
use crate::dataset::{Cell, CellFacts};

/// Column names without signs; `step_index` is left out, it counts rows within a step.
const ALIASES: &Aliases = &[
    (Channel::TestTime, &["testtime"]),
    (Channel::Voltage, &["voltage"]),
    (Channel::Current, &["current"]),
    (Channel::SurfaceTemperature, &["temperaturet1", "surfacetemperaturet1", "surfacetemperature"]),
    (Channel::AmbientTemperature, &["ambienttemperature"]),
    (Channel::UnixTime, &["unixtime"]),
    (Channel::CycleCount, &["cyclecount"]),
    (Channel::StepCount, &["stepcount"]),
    (Channel::DischargingCapacity, &["dischargingcapacity", "cycledischargingcapacity"]),
];

/// Longest test that is believed [s]: 30 years. Ours; a longer one has its time in another unit.
const BELIEVED_SECOND: f64 = 30.0 * 365.25 * 86_400.0;

/// Most rows of a Parquet file: over a year at ten rows a second.
const MAX_ROWS: usize = 1 << 29;

/// Most bytes of one column of a row group: 2 GiB.
const MAX_COLUMN_BYTES: i64 = 2 << 30;

/// Reader of Battery Data Format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bdf;

impl Reader for Bdf {
    fn name(&self) -> &'static str {
        "bdf"
    }

    fn summary(&self) -> &'static str {
        "Battery Data Format, CSV[.gz] or Parquet: one cell a file, positive current charges"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        collect::cells(paths, &[".csv", ".bdf", ".parquet"], options, progress, &read_cell)
    }
}

pub(super) fn read_cell(input: Input) -> Result<Vec<Cell>, ReadError> {
    let series = if input.bytes.starts_with(b"PAR1") {
        parquet_or_damaged(&input.path, input.bytes)?
    } else {
        let sheet = Sheet::open(&input.path, input.bytes, &Layout::default())?;
        let picks = pick(&input.path, sheet.header(), ALIASES)?;
        Series::read(&sheet, &picks)?
    };
    let mut facts = CellFacts::default();
    if let Some(sentence) = doubt_time(&series) {
        collect::note(&mut facts, &sentence);
    }
    let records = segment::records(&series, None);
    Ok(vec![Cell { id: CellId::new(input.stem), facts, records, table: None }])
}

fn doubt_time(series: &Series) -> Option<String> {
    let last = series.value(Channel::TestTime, series.n_rows().checked_sub(1)?);
    (last > BELIEVED_SECOND).then(|| {
        format!("test_time_second ends at {last:.3e} s, over 30 years: the unit in the file is doubtful")
    })
}

/// Polars panics on some damaged files; that is an error of the file and not of this program. It also trusts the
/// run lengths inside a page, so that a hostile file can ask for more memory than there is: import none.
fn parquet_or_damaged(path: &Path, bytes: Vec<u8>) -> Result<Series, ReadError> {
    let read = std::panic::AssertUnwindSafe(|| parquet(path, bytes));
    std::panic::catch_unwind(read)
        .unwrap_or_else(|_| Err(parquet_damaged(path, "the Parquet library gave up on it".into())))
}

/// Reads the channels of a Parquet file as f64; with its check the only use of polars among the readers.
fn parquet(path: &Path, bytes: Vec<u8>) -> Result<Series, ReadError> {
    let damaged = |e: PolarsError| parquet_damaged(path, e.to_string());
    let mut reader = ParquetReader::new(std::io::Cursor::new(bytes));
    check_sizes(reader.get_metadata().map_err(damaged)?).map_err(|found| parquet_damaged(path, found))?;
    let schema = reader.schema().map_err(damaged)?;
    let headings: Vec<_> = schema.iter_names().map(ToString::to_string).collect();
    let picks = pick(path, &headings, ALIASES)?;
    let wanted = picks.iter().map(|p| p.column).collect();
    let frame = reader.with_projection(Some(wanted)).finish().map_err(damaged)?;
    let mut columns = Vec::new();
    for pick in &picks {
        let column = frame.column(&headings[pick.column]).map_err(damaged)?;
        let column = column.cast(&DataType::Float64).map_err(damaged)?;
        let values = column.f64().map_err(damaged)?;
        columns.push(Numbers::new(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect()));
    }
    Series::from_columns(path, &picks, columns)
}

/// Refuses sizes that contradict each other before memory is asked for.
fn check_sizes(metadata: &FileMetadata) -> Result<(), String> {
    let groups = &metadata.row_groups;
    let n_rows = groups.iter().try_fold(0_usize, |n, group| n.checked_add(group.num_rows()));
    if metadata.num_rows > MAX_ROWS || n_rows != Some(metadata.num_rows) {
        return Err(format!("{} rows are stated, more than {MAX_ROWS} or than there are", metadata.num_rows));
    }
    for column in groups.iter().flat_map(|g| g.parquet_columns().iter().map(move |c| (g.num_rows(), c))) {
        let (n_rows, column) = column;
        let sizes = [column.compressed_size(), column.uncompressed_size()];
        let fits = |size: &i64| (0..=MAX_COLUMN_BYTES).contains(size);
        if usize::try_from(column.num_values()) != Ok(n_rows) || !sizes.iter().all(fits) {
            return Err("the stated size of a column contradicts the number of rows".into());
        }
    }
    Ok(())
}

fn parquet_damaged(path: &Path, found: String) -> ReadError {
    ReadError::Damaged { path: path.into(), place: "the Parquet content".into(), found }
}

#[cfg(test)]
mod tests {
    use super::collect::{assert_records, read_one};
    use super::*;
    use crate::cell::Phase::{Charge, Discharge, Rest};
    use crate::dataset::reader::archive::real_data;
    use proptest::prelude::*;

    /// Made by pyarrow, see `tests/fixtures/readers/PROVENANCE.md`.
    const PARQUET: &[u8] = include_bytes!("../../../tests/fixtures/readers/cell-a.bdf.parquet");

    fn read_bytes(bytes: &[u8]) -> Result<Vec<Cell>, ReadError> {
        read_cell(Input { path: "x/a.bdf".into(), stem: "a".into(), bytes: bytes.to_vec() })
    }

    /// Expected values: pandas and numpy, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_neware_example_has_five_records() {
        let name = "SINTEF__G20M7-202512-Gru6mV__20251228__C30__25degC__Neware";
        let Some(path) = real_data(&format!("bdf-examples/{name}.bdf.csv.gz")) else { return };
        let cell = &read_one(&Bdf, &path).unwrap()[0];
        assert_eq!(cell.id.as_str(), name);
        assert_records(
            &cell.records,
            &[
                (Rest, None, 3, 0.0, 3.306_700_2, 3.306_729),
                (Charge, None, 8442, 3.838_796_253_684_424, 3.310_690_4, 4.199_342),
                (Rest, None, 362, 0.0, 4.197_821_6, 4.194_127_6),
                (Discharge, None, 8418, -3.855_171_131_033_156_7, 4.190_323_4, 2.999_934_2),
                (Rest, None, 362, 0.0, 3.007_758_1, 3.138_425_8),
            ],
        );
        assert_eq!(cell.records[3].stated_capacity_ah, Some(3.716_034_179_687_499));
        assert_eq!(cell.records[1].unix_time_second, Some(1_766_393_074.935_000_2));
        // The file's cycle count is 2 pi in every row.
        assert_eq!(cell.records[0].reader_notes, ["cycle_count: 6.283185307179586 is no whole number"]);
    }

    /// Expected values: pandas and numpy, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_basytec_example_is_parted_by_its_current_and_its_time_doubted() {
        let name = "DLR__LiGrHydra0b__20230131__POCV__25degC__Basytec";
        let Some(path) = real_data(&format!("bdf-examples/{name}.bdf.csv.gz")) else { return };
        let cell = &read_one(&Bdf, &path).unwrap()[0];
        assert_records(
            &cell.records,
            &[
                (Rest, None, 26, -2.781_282_662_052_968e-7, 0.939_198_041_065_652, 0.922_225_731_288_019),
                (Charge, None, 660, 0.085_833_554_854_571_27, 0.922_797_831_617_602, 1.502_144_765_375_46),
                (Rest, None, 578, 0.0, 1.497_377_262_628_93, 1.015_859_485_229_79),
                (
                    Discharge,
                    None,
                    18523,
                    -23.077_848_570_066_553,
                    1.015_859_485_229_79,
                    0.009_725_705_602_913_3,
                ),
                (
                    Rest,
                    None,
                    123,
                    -2.382_649_163_805_157_4e-7,
                    0.010_679_206_152_218_6,
                    0.016_590_909_557_911,
                ),
                (Charge, None, 18714, 22.737_770_666_403_81, 0.017_163_009_887_494_2, 1.501_954_065_265_6),
                (Rest, None, 569, 0.0, 1.497_567_962_738_8, 1.024_440_990_173_54),
            ],
        );
        assert!((cell.records[3].ambient_temperature_celsius.unwrap() - 25.785_288_904).abs() < 1e-8);
        assert!(cell.facts.notes[collect::READER_NOTES].contains("unit in the file is doubtful"));
    }

    #[test]
    fn parquet_with_human_names_is_read_like_csv() {
        let cell = &read_bytes(PARQUET).unwrap()[0];
        let text = "Test Time / s,Voltage / V,Current / A,Surface Temperature T1 / degC,Cycle Count / 1\n\
                    0,3.0,0.5,25,1\n10,3.5,0.5,,1\n20,3.9,0.5,26,1\n30,3.6,-1,26,1\n40,3.2,-1,27,1\n";
        let same = &read_bytes(text.as_bytes()).unwrap()[0];
        assert_eq!(cell.records.len(), 2);
        assert!(cell.records[0].samples.temperature_celsius[1].is_nan());
        // NaN is not equal to itself, so the two are compared as text.
        assert_eq!(format!("{:?}", cell.records), format!("{:?}", same.records));
        assert_records(
            &cell.records,
            &[(Charge, Some(1), 3, 1.0 / 360.0, 3.0, 3.9), (Discharge, Some(1), 2, -1.0 / 360.0, 3.6, 3.2)],
        );
    }

    #[test]
    fn a_parquet_of_something_else_names_the_missing_column() {
        let Some(path) = real_data("misc/kuhn_eis.parquet") else { return };
        let message = read_one(&Bdf, &path).unwrap_err().to_string();
        assert!(
            message.contains("no column `test_time_second`") && message.contains("frequencies"),
            "{message}"
        );
    }

    #[test]
    fn a_bad_value_is_missing_and_noted_with_its_line() {
        let text = "test_time_second,voltage_volt,current_ampere\n0,3,1\n10,x,1\n20,3.2,inf\n";
        let record = &read_bytes(text.as_bytes()).unwrap()[0].records[0];
        assert_eq!(record.samples.len(), 3);
        let notes = [
            "voltage_volt: 1 of 3 values are no finite number (line 3: `x`)",
            "current_ampere: 1 of 3 values are no finite number (line 4: `inf`)",
        ];
        assert_eq!(record.reader_notes, notes);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_bytes(&bytes);
            let header = b"test_time_second,voltage_volt,current_ampere,cycle_count,step_count\n";
            let _ = read_bytes(&[header.as_slice(), &bytes].concat());
        }

        #[test]
        fn no_row_makes_it_panic(rows in "([-0-9.eE,na\n]{0,12}\n){0,30}") {
            let _ = read_bytes(format!("test_time_s,voltage_v,current_a\n{rows}").as_bytes());
        }

        /// Cuts only: polars trusts the run lengths inside a page, a changed one may ask for any memory.
        #[test]
        fn no_cut_parquet_makes_it_panic(cut in 0..PARQUET.len()) {
            proptest::prop_assert!(read_bytes(&PARQUET[..cut]).is_err());
        }
    }
}
