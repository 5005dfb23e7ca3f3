//! Arbin exports as CSV: `Test_Time(s)`, `Test Time (s)` or `Test_Time`, one cell a file.
//!
//! Rows stand in the order of the tester's database pages, not of time: they are sorted by `Data_Point` and the
//! cell says so in a note. `DateTime` is a day count of a spreadsheet or a text, both the tester's local clock.
//! Positive current charges. The cell is called like its file.

use std::path::PathBuf;

use chrono::NaiveDateTime;

use super::collect::{self, Input};
use super::delimited::{Layout, Sheet};
use super::series::{Aliases, Channel, Pick, Series, pick};
use super::{ReadError, ReadOptions, Reader, heading, segment};
use crate::cell::CellId;
use crate::dataset::{Cell, CellFacts};

const ALIASES: &Aliases = &[
    (Channel::TestTime, &["testtime"]),
    (Channel::Voltage, &["voltage"]),
    (Channel::Current, &["current"]),
    (Channel::SurfaceTemperature, &["auxtemperature1", "auxtemperature", "temperature"]),
    (Channel::CycleCount, &["cycleindex", "cycleid"]),
    (Channel::StepCount, &["stepindex", "stepid"]),
    (Channel::DischargingCapacity, &["dischargecapacity"]),
];

/// Day number of 1970-01-01 in a spreadsheet that counts from 1899-12-30 (ECMA-376 part 1, 18.17.4).
const UNIX_EPOCH_DAY: f64 = 25_569.0;

/// Seconds in a day.
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Date formats of Arbin's software, old and new.
const DATE_FORMATS: [&str; 4] =
    ["%m/%d/%Y %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%m/%d/%Y %I:%M:%S%.f %p"];

/// Reader of Arbin CSV exports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arbin;

impl Reader for Arbin {
    fn name(&self) -> &'static str {
        "arbin"
    }

    fn summary(&self) -> &'static str {
        "Arbin CSV[.gz] exports, old and new headers: one cell a file, titrations recognised"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        collect::cells(paths, &[".csv", ".txt"], options, progress, &read_cell)
    }
}

pub(super) fn read_cell(input: Input) -> Result<Vec<Cell>, ReadError> {
    let sheet = Sheet::open(&input.path, input.bytes, &Layout::default())?;
    let mut picks = pick(&input.path, sheet.header(), ALIASES)?;
    picks.extend(named(&sheet, &["datetime"]).map(|column| Pick {
        channel: Channel::UnixTime,
        column,
        scale: heading::Scale::default(),
        parse: Some(unix_time),
    }));
    let mut facts = CellFacts::default();
    let series = in_test_order(&sheet, Series::read(&sheet, &picks)?, &mut facts)?;
    let records = segment::records(&series, None);
    Ok(vec![Cell { id: CellId::new(input.stem), facts, records, table: None }])
}

/// Sorts the rows by `Data_Point`, where there is one and it is not ascending.
fn in_test_order(sheet: &Sheet, series: Series, facts: &mut CellFacts) -> Result<Series, ReadError> {
    let Some(column) = named(sheet, &["datapoint"]) else { return Ok(series) };
    let points = sheet.numbers(&[(column, sheet.plain())])?.remove(0).values;
    let n_back = points.windows(2).filter(|p| p[1] < p[0]).count();
    if n_back == 0 {
        return Ok(series);
    }
    let mut order: Vec<_> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].total_cmp(&points[*b]));
    collect::note(facts, &format!("rows stand out of order at {n_back} places; sorted by Data_Point"));
    Ok(series.take(&order))
}

fn named(sheet: &Sheet, names: &[&str]) -> Option<usize> {
    sheet.header().iter().position(|h| names.contains(&heading::split(h).0.as_str()))
}

/// Returns the seconds since 1970-01-01 of a spreadsheet day or a written date.
fn unix_time(text: &str) -> Option<f64> {
    if let Ok(day) = text.parse::<f64>() {
        return Some((day - UNIX_EPOCH_DAY) * SECONDS_PER_DAY);
    }
    let date = DATE_FORMATS.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok())?;
    Some(date.and_utc().timestamp_micros() as f64 * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::collect::{READER_NOTES, assert_records, read_one};
    use super::*;
    use crate::cell::Phase::{self, Charge, Discharge, Gitt, Rest};
    use crate::dataset::reader::archive::real_data;
    use proptest::prelude::*;

    fn read_bytes(bytes: &[u8]) -> Result<Vec<Cell>, ReadError> {
        read_cell(Input { path: "x/a.csv".into(), stem: "a".into(), bytes: bytes.to_vec() })
    }

    fn real(name: &str) -> Option<Cell> {
        let path = real_data(&format!("gitt-arbin/{name}.csv.gz"))?;
        Some(read_one(&Arbin, &path).unwrap().remove(0))
    }

    fn count(cell: &Cell, phase: Phase) -> usize {
        cell.records.iter().filter(|r| r.phase == phase).count()
    }

    /// Expected values: pandas and numpy, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn slow_cycles_become_half_cycles_and_rests() {
        let Some(cell) = real("20210210_FC_01_cc_01") else { return };
        assert_eq!(cell.id.as_str(), "20210210_FC_01_cc_01");
        assert_records(
            &cell.records,
            &[
                (Rest, Some(1), 4315, -6.633_523_168_865_205e-12, 3.051_165_3, 3.042_566_3),
                (Charge, Some(1), 755, 0.003_819_159_975_529_955_3, 3.048_094_3, 4.200_051_8),
                (Rest, Some(1), 31, 2.914_456_587_460_371_7e-9, 4.198_209_3, 4.181_625_8),
                (Discharge, Some(1), 675, -0.003_324_090_565_839_397, 4.176_405, 3.129_170_4),
                (Rest, Some(1), 21, -1.662_949_443_837_744_3e-11, 3.133_162_7, 3.213_010_5),
                (Charge, Some(2), 672, 0.003_423_165_125_971_05, 3.219_459_8, 4.200_051_8),
                (Rest, Some(2), 31, -1.375_189_808_019_968e-11, 4.198_209_3, 4.180_09),
                (Discharge, Some(2), 666, -0.003_234_382_458_760_014, 4.174_869_1, 3.188_442),
                (Rest, Some(2), 22, -1.650_644_113_147_132_4e-11, 3.192_127_2, 3.275_660_5),
                (Rest, Some(3), 30, 0.0, 3.278_117_2, 3.319_269_7),
            ],
        );
        assert!(cell.facts.notes[READER_NOTES].starts_with("rows stand out of order at 7 places"));
        // The tester's own count of the first discharge, 0.003324035817791 less 1.0672e-11 before it.
        assert!((cell.records[3].stated_capacity_ah.unwrap() - 0.003_324_035_807_119).abs() < 1e-14);
        assert!((cell.records[1].unix_time_second.unwrap() - 1_620_663_280.0).abs() < 1e-3);
    }

    /// Expected values: pandas and numpy, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn titrations_are_one_record_each_way() {
        let expected = [
            (
                "20210210_FC_01_cc_02",
                [
                    (Rest, Some(1), 720, 0.0, 3.480_500_7, 3.480_500_7),
                    (Gitt, Some(1), 12151, 0.003_332_202_557_029_945_4, 3.494_627_5, 4.162_891_9),
                    (Gitt, Some(1), 14118, -0.003_288_798_974_884_196, 4.153_678_9, 3.275_353_2),
                ],
            ),
            (
                "20210210_FC_01_cc_03",
                [
                    (Rest, Some(1), 720, 0.0, 3.476_201_1, 3.475_586_9),
                    (Gitt, Some(1), 11831, 0.003_358_493_185_311_909_6, 3.488_792_7, 4.168_726_9),
                    (Gitt, Some(1), 13735, -0.003_392_939_323_585_584, 4.159_514, 3.228_980_1),
                ],
            ),
        ];
        for (name, records) in expected {
            let Some(cell) = real(name) else { return };
            assert_records(&cell.records, &records);
            assert_eq!(cell.records[1].stated_capacity_ah, None);
            let stated = cell.records[2].stated_capacity_ah.unwrap();
            assert!((stated / -records[2].3 - 1.0).abs() < 5e-4, "{stated}");
        }
    }

    /// Expected values: pandas and numpy, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn rate_test_and_half_cell_have_all_their_half_cycles() {
        let expected = [
            ("20160805_test001_45_cc_01", (17, 18, 35), 0.026_764_129_115_303_004, -0.025_962_398_897_256_95),
            ("20210210_FC_01_cc_04", (19, 19, 40), 0.059_388_783_086_665_62, -0.058_259_844_183_537_09),
        ];
        for (name, counts, charged, discharged) in expected {
            let Some(cell) = real(name) else { return };
            assert_eq!((count(&cell, Charge), count(&cell, Discharge), count(&cell, Rest)), counts);
            for (phase, ah) in [(Charge, charged), (Discharge, discharged)] {
                let through = |r: &crate::dataset::Record| {
                    crate::cell::health::charge_throughput(&r.samples.time_second, &r.samples.current_ampere)
                };
                let sum: f64 = cell.records.iter().filter(|r| r.phase == phase).map(through).sum();
                assert!((sum / ah - 1.0).abs() < 1e-9, "{name} {sum}");
            }
        }
    }

    #[test]
    fn old_and_new_headers_mean_the_same() {
        let rows = "1,42587.5,0,3.0,0.5,1,1,25\n2,42587.6,60,3.1,0.5,1,1,25\n3,42587.7,120,3.0,-0.5,2,1,25\n";
        let old = "Data_Point,DateTime,Test_Time,Voltage,Current,Step_Index,Cycle_Index,Aux_Temperature_1\n";
        let new = "Data Point,Date Time,Test Time (s),Voltage (V),Current (A),Step Index,Cycle Index,Aux_Temperature(°C)_1\n";
        let mid = "Data_Point,Date_Time,Test_Time(s),Voltage(V),Current(A),Step_Index,Cycle_Index,Aux_Temperature_1(C)\n";
        let cell = read_bytes(format!("{old}{rows}").as_bytes()).unwrap();
        assert_eq!(cell[0].records.len(), 2);
        assert_eq!(cell[0].records[0].samples.temperature_celsius, [25.0, 25.0]);
        for header in [new, mid] {
            assert_eq!(read_bytes(format!("{header}{rows}").as_bytes()).unwrap(), cell);
        }
    }

    #[test]
    fn days_and_written_dates_are_unix_time() {
        // `date -u -d '2016-08-05 12:00:00' +%s` gives 1470398400; its spreadsheet day is 42587.5.
        let cases = ["42587.5", "08/05/2016 12:00:00", "2016-08-05 12:00:00.000", "08/05/2016 12:00:00 PM"];
        for text in cases {
            assert_eq!(unix_time(text), Some(1_470_398_400.0), "{text}");
        }
        assert_eq!(unix_time("yesterday"), None);
    }

    #[test]
    fn rows_are_sorted_by_data_point_with_what_was_bad_in_them() {
        let text = "Data_Point,Test_Time,Voltage,Current\n2,60,x,1\n1,0,3.0,1\n3,120,3.2,1\n";
        let cell = &read_bytes(text.as_bytes()).unwrap()[0];
        assert_eq!(cell.records[0].samples.time_second, [0.0, 60.0, 120.0]);
        assert_eq!(
            cell.records[0].reader_notes,
            ["voltage_volt: 1 of 3 values are no finite number (line 2: `x`)"]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_bytes(&bytes);
            let header = b"Data_Point,Date_Time,Test_Time(s),Voltage(V),Current(A),Cycle_Index,Step_Index\n";
            let _ = read_bytes(&[header.as_slice(), &bytes].concat());
        }

        #[test]
        fn no_row_makes_it_panic(rows in "([-0-9.e,n\n]{0,12}\n){0,30}") {
            let _ = read_bytes(format!("Data_Point,Test_Time,Voltage,Current\n{rows}").as_bytes());
        }
    }
}
