//! NASA PCoE `.mat` files: a struct `<cell>.cycle(1xN){type, ambient_temperature, time, data}` a cell.
//!
//! Sign: NASA's `Current_measured` is positive in a charge (+1.5 A) and negative in a discharge (-2 A), in the `.mat`
//! and in both CSV layouts, although its notes call it the "output current"; it is the canonical sign already and
//! taken as it is. (`Current_load` has either sign and is not read.) `Battery_impedance` becomes the spectrum; its
//! frequencies, 0.1 Hz to 5 kHz, are not in the file. A complex `Re` or `Rct` is a failed fit and left out.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::archive::{for_each_file, has_extension};
use super::matlab::{Value, read_variables};
use super::nasa_facts::facts;
use super::{ReadError, ReadOptions, Reader};
use crate::cell::{CellId, Phase};
use crate::dataset::{Cell, Record, Samples, Spectrum};

/// Fields that no table has a column for, a third of a file: set points, and raw channels of the impedance bridge.
pub(super) const UNREAD: [&str; 8] = [
    "Voltage_charge",
    "Current_charge",
    "Voltage_load",
    "Current_load",
    "Sense_current",
    "Battery_current",
    "Current_ratio",
    "Rectified_impedance",
];

/// Reads NASA's `.mat` files, of version 5 or 7.3.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nasa;

impl Reader for Nasa {
    fn name(&self) -> &'static str {
        "nasa"
    }

    fn summary(&self) -> &'static str {
        "NASA PCoE .mat files, in a folder or an archive too"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let mut found: Vec<(Cell, PathBuf)> = Vec::new();
        for path in paths {
            let own_name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            let mut want = |name: &str| has_extension(name, "mat") || Some(name) == own_name.as_deref();
            for_each_file(path, &mut want, &mut |name, bytes| {
                let place = if path.is_dir() { path.join(name) } else { path.clone() };
                for cell in cells(&place, bytes, options)? {
                    progress(cell.id.as_str());
                    found.push((cell, place.clone()));
                }
                Ok(())
            })?;
        }
        sorted(found, paths, options)
    }
}

/// Returns the cells in order of their ids; two of the same name, one that was asked for in vain, or none are errors.
pub(super) fn sorted(
    mut found: Vec<(Cell, PathBuf)>,
    paths: &[PathBuf],
    options: &ReadOptions,
) -> Result<Vec<Cell>, ReadError> {
    found.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    if let Some(pair) = found.windows(2).find(|w| w[0].0.id == w[1].0.id) {
        let (cell, first, second) = (pair[0].0.id.clone(), pair[0].1.clone(), pair[1].1.clone());
        return Err(ReadError::DuplicateCell { cell, first, second });
    }
    let path = || paths.first().cloned().unwrap_or_default();
    if let Some(absent) = options.cells.iter().find(|&id| found.iter().all(|(cell, _)| cell.id != *id)) {
        let reason = format!("`{absent}` was asked for and is not there");
        return Err(ReadError::NoCell { path: path(), reason });
    }
    if found.is_empty() {
        return Err(ReadError::NoCell { path: path(), reason: "nothing there is of this format".into() });
    }
    Ok(found.into_iter().map(|(cell, _)| cell).collect())
}

/// Returns whether the user wants cell `id`.
pub(super) fn is_wanted(id: &CellId, options: &ReadOptions) -> bool {
    options.cells.is_empty() || options.cells.contains(id)
}

/// Returns seconds since 1970 of year, month, day, hour, minute, second, the tester's clock taken as UTC.
pub(super) fn unix_second(date: &[f64]) -> Option<f64> {
    let &[year, month, day, hour, minute, second] = date else { return None };
    let whole = |x: f64| (x.fract() == 0.0 && (0.0..=9999.0).contains(&x)).then_some(x as u32);
    let day = NaiveDate::from_ymd_opt(whole(year)?.cast_signed(), whole(month)?, whole(day)?)?;
    let midnight = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp() as f64;
    let (hour, minute) = (whole(hour)?, whole(minute)?);
    let possible = hour < 24 && minute < 60 && (0.0..=60.0).contains(&second);
    possible.then(|| midnight + f64::from(hour * 3600 + minute * 60) + second)
}

/// Returns the phase that NASA calls `kind`; a mixed one, with a note, for anything else.
pub(super) fn phase(kind: &str, notes: &mut Vec<String>) -> Phase {
    let phase = Phase::from_name(kind);
    let known = phase.filter(|p| matches!(p, Phase::Charge | Phase::Discharge | Phase::Impedance));
    if known.is_none() {
        notes.push(format!("type: {kind:?} is none of charge, discharge, impedance"));
    }
    known.unwrap_or(Phase::Cycle)
}

/// Returns samples of columns that may differ in length: the shorter are filled up with NaN, which is noted.
pub(super) fn samples(columns: [Vec<f64>; 4], notes: &mut Vec<String>) -> Samples {
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    if columns.iter().any(|c| c.len() != longest) {
        let lengths = columns.iter().map(|c| c.len().to_string()).collect::<Vec<_>>().join(", ");
        notes.push(format!("samples: time, voltage, current, temperature have {lengths} values"));
    }
    let [time_second, voltage_volt, current_ampere, temperature_celsius] = columns.map(|mut column| {
        column.resize(longest, f64::NAN);
        column
    });
    Samples { time_second, voltage_volt, current_ampere, temperature_celsius }
}

fn cells(path: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Vec<Cell>, ReadError> {
    chosen(path, read_variables(path, bytes, &UNREAD)?, options)
}

/// Returns the cells of a file's variables.
///
/// # Errors
/// [`ReadError::NoCell`].
pub(super) fn of_variables(path: &Path, variables: Vec<(String, Value)>) -> Result<Vec<Cell>, ReadError> {
    chosen(path, variables, &ReadOptions::default())
}

fn chosen(
    path: &Path,
    variables: Vec<(String, Value)>,
    options: &ReadOptions,
) -> Result<Vec<Cell>, ReadError> {
    let mut cells = Vec::new();
    let mut others = Vec::new();
    for (name, mut value) in variables {
        let Some(cycle) = value.take_field(0, "cycle").filter(|c| c.as_struct().is_some()) else {
            others.push(format!("`{name}` ({})", value.describe()));
            continue;
        };
        let id = CellId::new(name);
        if is_wanted(&id, options) {
            let facts = facts(&id, &options.facts);
            cells.push(Cell { id, facts, records: records(cycle), table: None });
        } else {
            others.push(format!("`{id}` (not asked for)"));
        }
    }
    let asked = options.cells.is_empty();
    if cells.is_empty() && asked {
        let present = if others.is_empty() { "no variable".into() } else { others.join(", ") };
        let reason =
            format!("it has {present}; NASA's files have a struct with a field `cycle` for each cell");
        return Err(ReadError::NoCell { path: path.into(), reason });
    }
    Ok(cells)
}

fn records(mut cycle: Value) -> Vec<Record> {
    let count = cycle.as_struct().map_or(0, |(count, _)| count);
    let fields = ["type", "ambient_temperature", "time", "data"];
    (0..count).map(|i| record(i as u32, fields.map(|f| cycle.take_field(i, f)))).collect()
}

fn record(index: u32, [kind, ambient, time, data]: [Option<Value>; 4]) -> Record {
    let mut notes = Vec::new();
    let kind = kind.as_ref().and_then(Value::text).unwrap_or_default().trim().to_lowercase();
    let mut record = Record::new(index, phase(&kind, &mut notes));
    record.ambient_temperature_celsius = scalar("ambient_temperature", ambient, &mut notes);
    record.unix_time_second = time.as_ref().and_then(Value::numbers).and_then(unix_second);
    if record.unix_time_second.is_none() {
        notes.push("time: no date of six numbers".into());
    }
    let mut data = data.unwrap_or_else(Value::empty);
    if record.phase == Phase::Impedance {
        record.electrolyte_resistance_ohm = scalar("Re", data.take_field(0, "Re"), &mut notes);
        record.charge_transfer_resistance_ohm = scalar("Rct", data.take_field(0, "Rct"), &mut notes);
        record.spectrum = Some(spectrum(data.take_field(0, "Battery_impedance"), &mut notes));
    } else {
        let names = ["Time", "Voltage_measured", "Current_measured", "Temperature_measured"];
        let columns = names.map(|name| column(name, data.take_field(0, name), &mut notes));
        record.samples = samples(columns, &mut notes);
    }
    if record.phase == Phase::Discharge {
        record.stated_capacity_ah = scalar("capacity", data.take_field(0, "Capacity"), &mut notes);
    }
    record.reader_notes = notes;
    record
}

/// Returns the one real number of a field; otherwise nothing, and a note.
fn scalar(name: &str, value: Option<Value>, notes: &mut Vec<String>) -> Option<f64> {
    match value {
        Some(Value::Numeric { real, imag, .. }) if real.len() == 1 => match imag.as_deref() {
            None | Some([0.0]) => return Some(real[0]),
            Some(imag) => notes.push(format!("{name}: \"{}{:+}i\" is complex", real[0], imag[0])),
        },
        Some(Value::Numeric { real, .. }) if real.is_empty() => {
            notes.push(format!("{name}: \"[]\" is no number"));
        }
        Some(other) => notes.push(format!("{name}: {} instead of one number", other.describe())),
        None => notes.push(format!("{name}: missing")),
    }
    None
}

fn column(name: &str, value: Option<Value>, notes: &mut Vec<String>) -> Vec<f64> {
    let what = value.as_ref().map_or_else(|| "missing".into(), Value::describe);
    value.and_then(Value::into_numbers).unwrap_or_else(|| {
        notes.push(format!("{name}: {what}"));
        Vec::new()
    })
}

/// Returns the spectrum; MATLAB leaves out imaginary parts that are all zero.
fn spectrum(value: Option<Value>, notes: &mut Vec<String>) -> Spectrum {
    let Some(Value::Numeric { real, imag, .. }) = value else {
        notes.push("Battery_impedance: missing".into());
        return Spectrum::default();
    };
    let imaginary_ohm = imag.unwrap_or_else(|| vec![0.0; real.len()]);
    Spectrum { frequency_hertz: vec![f64::NAN; real.len()], real_ohm: real, imaginary_ohm }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::health::charge_throughput;
    use crate::dataset::reader::archive::real_data;
    use crate::dataset::reader::mat5::tests as mutation;
    use crate::seed::Seed;

    /// First and last capacity [Ah] and number of discharges of the classic cells, by `scipy.io.loadmat`.
    const CLASSIC: [(&str, usize, f64, f64); 4] = [
        ("B0005", 168, 1.856_487_420_818_157_4, 1.325_079_328_642_935_6),
        ("B0006", 168, 2.035_337_591_005_598, 1.185_675_232_792_935_6),
        ("B0007", 168, 1.891_052_295_390_79, 1.432_455_272_062_543_4),
        ("B0018", 132, 1.855_004_520_791_081_7, 1.341_051_440_640_485),
    ];

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat").join(name)
    }

    fn read(paths: &[PathBuf]) -> Result<Vec<Cell>, ReadError> {
        Nasa.read(paths, &ReadOptions::default(), &mut |_| ())
    }

    #[test]
    fn the_three_layouts_of_the_fixture_are_the_same_cell() {
        let cells = read(&[fixture("nasa.mat")]).unwrap();
        for name in ["nasa_z.mat", "nasa_v73.mat"] {
            // Debug text, for NaN is not equal to itself.
            assert_eq!(format!("{:?}", read(&[fixture(name)]).unwrap()), format!("{cells:?}"), "{name}");
        }
        let records = &cells[0].records;
        let phases = records.iter().map(|r| r.phase).collect::<Vec<_>>();
        assert_eq!(phases, [Phase::Charge, Phase::Discharge, Phase::Impedance, Phase::Discharge]);
        assert_eq!(records[1].stated_capacity_ah, Some(1.856_487_420_818_157_4));
        assert_eq!(records[1].ambient_temperature_celsius, Some(24.0));
        assert_eq!(records[2].electrolyte_resistance_ohm, Some(0.044_668_7));
        assert_eq!(records[2].spectrum.as_ref().unwrap().real_ohm.len(), 48);
        assert_eq!(records[2].reader_notes, ["Rct: \"0.0694-0.01i\" is complex"]);
        assert_eq!(records[3].reader_notes, ["capacity: \"[]\" is no number"]);
        assert!(charge_throughput(&records[0].samples.time_second, &records[0].samples.current_ampere) > 0.0);
        assert!(charge_throughput(&records[1].samples.time_second, &records[1].samples.current_ampere) < 0.0);
    }

    #[test]
    fn mutants_are_errors_or_a_handful_of_records() {
        let file = mutation::fixture("nasa.mat");
        for i in 0..mutation::n_mutants() / 4 {
            let mut bytes = file.clone();
            mutation::mutate(&mut bytes, &mut Seed::new(i).stream("nasa mutant"));
            if let Ok(cells) = cells(Path::new("mutant.mat"), bytes, &ReadOptions::default()) {
                assert!(cells.iter().all(|c| c.records.len() <= file.len() / 8), "mutant {i}");
            }
        }
    }

    #[test]
    fn a_date_vector_is_seconds_since_1970() {
        // date -u -d "2008-04-02 13:08:17.921" +%s.%N
        assert_eq!(unix_second(&[2008.0, 4.0, 2.0, 13.0, 8.0, 17.921]), Some(1_207_141_697.921));
        for wrong in [
            &[2008.0, 13.0, 2.0, 0.0, 0.0, 0.0][..],
            &[2008.0],
            &[2008.5, 1.0, 1.0, 0.0, 0.0, 0.0],
            &[f64::NAN; 6],
        ] {
            assert_eq!(unix_second(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_same_cell_twice_is_an_error_and_so_is_a_file_of_something_else() {
        let twice = read(&[fixture("nasa.mat"), fixture("nasa_z.mat")]).unwrap_err();
        assert!(matches!(twice, ReadError::DuplicateCell { .. }));
        let other = read(&[fixture("hand_le.mat")]).unwrap_err().to_string();
        assert!(other.contains("`narrow` (1x3 numbers)") && other.contains("cycle"), "{other}");
        let text = read(&[fixture("make.py")]).unwrap_err().to_string();
        assert!(text.contains("make.py` is no MATLAB file"), "{text}");
    }

    #[test]
    fn a_cell_that_is_asked_for_in_vain_is_an_error() {
        let options = ReadOptions { cells: vec![CellId::new("B0005")], ..ReadOptions::default() };
        let error = Nasa.read(&[fixture("nasa.mat")], &options, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("`B0005` was asked for"), "{error}");
    }

    #[test]
    fn the_classic_cells_have_their_published_counts_and_capacities() {
        let Some(folder) = real_data("nasa-pcoe/mat") else { return };
        for (name, count, first, last) in CLASSIC {
            let cell = read(&[folder.join(name).with_extension("mat")]).unwrap().remove(0);
            assert_eq!(cell.id.as_str(), name);
            let discharges = cell.records.iter().filter(|r| r.phase == Phase::Discharge).collect::<Vec<_>>();
            let capacities = discharges.iter().filter_map(|r| r.stated_capacity_ah).collect::<Vec<_>>();
            assert_eq!(capacities.len(), count, "{name}");
            assert_eq!((capacities[0], capacities[count - 1]), (first, last), "{name}");
            let samples = &discharges[0].samples;
            let out = -charge_throughput(&samples.time_second, &samples.current_ampere);
            // The capacity counts down to 2.7 V, B0007 was discharged to 2.2 V.
            assert!(
                (out - first).abs() < 0.05,
                "{name}: the sign or the scale of the current is wrong: {out} Ah"
            );
            assert!(cell.records.iter().all(|r| r.reader_notes.is_empty()), "{name}");
        }
    }
}
