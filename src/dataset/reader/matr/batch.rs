//! MATR batches as MATLAB 7.3 files: one struct array `batch`, a cell an element, read one cell at a time.
//!
//! | field | holds |
//! |---|---|
//! | `cycles(c)` | `t` [min], `V` [V], `I`, `T` [degrees Celsius], `Qd` [Ah] as measured; `Qdlin` [Ah] on the grid `Vdlin` |
//! | `summary` | `cycle`, `QDischarge`, `QCharge` [Ah], `IR` [ohm], `Tavg`, `Tmin`, `Tmax`, `chargetime` [min], one value a cycle |
//! | `cycle_life`, `policy_readable`, `barcode`, `Vdlin` | of the whole cell |
//!
//! Only `cycles` is needed. A cycle becomes charges, discharges and rests; its largest discharge has the curve. Some
//! files hold `I` in units of the nominal capacity (1/h): what `I` is, its integral against `Qd` says, cell by cell.
//! Cells are called like their file, or its date, and their position: `2017-05-12-c00`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CUTOFFS_VOLT, NOMINAL_CAPACITY_AH, SECONDS_PER_MINUTE, facts, summary_table};
use crate::cell::{CellId, Phase, health};
use crate::dataset::reader::archive::{for_each_file, has_extension};
use crate::dataset::reader::delimited::Numbers;
use crate::dataset::reader::heading::Scale;
use crate::dataset::reader::mat73::{self, Mat73Error};
use crate::dataset::reader::mat73_struct::{self, Elements};
use crate::dataset::reader::matlab::Value;
use crate::dataset::reader::series::{Channel, Pick, Series};
use crate::dataset::reader::{ReadError, ReadOptions, Reader, collect, segment};
use crate::dataset::{Cell, CellFacts, Curve, Record};
use crate::file::FileError;

/// Name of the struct array.
const VARIABLE: &str = "batch";

/// Fields of a cell that are read.
const FIELDS: [&str; 6] = ["cycles", "summary", "cycle_life", "policy_readable", "barcode", "Vdlin"];

/// Fields of a cycle that are not read: they take a third of the file and follow from the others.
const UNREAD: &[&str] = &["discharge_dQdV", "Tdlin", "Qc"];

/// Voltages at which the source's grid begins and ends [V], where the file has no `Vdlin`.
const GRID_VOLT: [f64; 2] = [3.5, CUTOFFS_VOLT[0]];

/// Largest relative difference of the integrated current and `Qd` that still tells what `I` is [1]. Ours: less than half
/// of the 10 % between ampere and units of the nominal 1.1 Ah.
const CURRENT_TOLERANCE: f64 = 0.045;

/// Characters of a date at the begin of a file name, `2017-05-12`.
const DATE_CHARS: usize = 10;

/// Reader of MATR batch files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Matr;

impl Reader for Matr {
    fn name(&self) -> &'static str {
        "matr"
    }

    fn summary(&self) -> &'static str {
        "MATR batches, MATLAB 7.3: charges, discharges with curves, rests; summaries, cycle lives and policies"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let mut found = BTreeMap::new();
        for path in files(paths)? {
            if is_hdf5(&path)? {
                let elements = mat73_struct::open(&path, VARIABLE, &FIELDS, UNREAD);
                read_batch(&path, elements, &mut found, progress)?;
                continue;
            }
            for_each_file(&path, &mut |name| has_extension(name, "mat"), &mut |name, bytes| {
                let origin = collect::origin(&path, name);
                if !mat73::is_hdf5(&bytes) {
                    let found = "no HDF5; save it again in MATLAB with `-v7.3`, version 7.3".into();
                    return Err(ReadError::Format { path: origin, format: "MATR batch", found });
                }
                let elements = mat73_struct::elements(bytes, VARIABLE, &FIELDS, UNREAD);
                read_batch(&origin, elements, &mut found, progress)
            })?;
        }
        collect::choose(found, paths, options)
    }
}

/// Returns `paths` with the `.mat` files of their folders in place of these.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|e| FileError::read(path, e))?;
        let mut inner: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        inner.retain(|p| has_extension(&p.to_string_lossy(), "mat"));
        inner.sort();
        files.extend(inner);
    }
    Ok(files)
}

fn is_hdf5(path: &Path) -> Result<bool, ReadError> {
    use std::io::Read;
    let refused = |e| FileError::read(path, e);
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(mat73::SIGNATURE_BYTES).read_to_end(&mut head).map_err(refused)?;
    Ok(mat73::is_hdf5(&head))
}

fn read_batch(
    path: &Path,
    elements: Result<Elements, Mat73Error>,
    found: &mut BTreeMap<CellId, (PathBuf, Cell)>,
    progress: &mut dyn FnMut(&str),
) -> Result<(), ReadError> {
    let broken = |e: Mat73Error| match &e {
        Mat73Error::NoVariable { .. } => {
            ReadError::Format { path: path.into(), format: "MATR batch", found: e.to_string() }
        }
        _ => ReadError::Damaged { path: path.into(), place: e.place().into(), found: e.to_string() },
    };
    let mut elements = elements.map_err(broken)?;
    for index in 0..elements.len() {
        let id = CellId::new(format!("{}-c{index:02}", batch_name(path)));
        let fields = elements.read(index).map_err(broken)?;
        let cell = cell(path, id.clone(), fields)?;
        progress(id.as_str());
        if let Some((first, _)) = found.insert(id.clone(), (path.into(), cell)) {
            return Err(ReadError::DuplicateCell { cell: id, first, second: path.into() });
        }
    }
    Ok(())
}

/// Returns the date at the begin of a file name, or the whole name.
fn batch_name(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match name.get(..DATE_CHARS) {
        Some(date) if chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok() => date.into(),
        _ => name,
    }
}

fn cell(path: &Path, id: CellId, mut fields: BTreeMap<String, Value>) -> Result<Cell, ReadError> {
    let text = |value: Option<&Value>| value.and_then(Value::text).map(str::trim).map(str::to_owned);
    let life = fields.get("cycle_life").and_then(Value::scalar).filter(|life| life.is_finite());
    let mut facts = facts(text(fields.get("policy_readable")).as_deref(), life);
    if let Some(barcode) = text(fields.get("barcode")) {
        facts.notes.insert("barcode".into(), barcode);
    }
    let mut summary = fields.remove("summary").unwrap_or_else(Value::empty);
    let grid = fields.remove("Vdlin").and_then(Value::into_numbers);
    let Some(cycles) = fields.remove("cycles").filter(|c| c.as_struct().is_some()) else {
        let found = "no struct array `cycles`".to_owned();
        return Err(ReadError::Damaged { path: path.into(), place: format!("cell {id}"), found });
    };
    let n_cycles = cycles.as_struct().map_or(0, |(n, _)| n);
    let counts = counts(&mut summary, n_cycles);
    let (series, curves) = measured(path, &id, cycles, &counts)?;
    let mut records = segment::records(&series, None);
    scale_current(&mut records, &mut facts);
    add_curves(&mut records, curves, grid.as_deref());
    let table = table(&mut summary, &counts, &mut facts);
    Ok(Cell { id, facts, records, table })
}

/// Returns the number of each cycle: as the summary counts where it has as many, else from 1.
fn counts(summary: &mut Value, n_cycles: usize) -> Vec<u32> {
    let stated = summary.take_field(0, "cycle").and_then(Value::into_numbers).unwrap_or_default();
    let whole: Option<Vec<u32>> = stated.iter().map(|c| segment::whole(*c)).collect();
    let rises = |c: &Vec<u32>| c.len() == n_cycles && c.windows(2).all(|w| w[0] < w[1]);
    whole.filter(rises).unwrap_or_else(|| (1..).take(n_cycles).collect())
}

/// Curves of capacity [Ah] by cycle.
type Curves = BTreeMap<u32, Vec<f64>>;

/// Joins the samples of all cycles to one series, in seconds, and returns the curves beside it.
fn measured(
    path: &Path,
    id: &CellId,
    mut cycles: Value,
    counts: &[u32],
) -> Result<(Series, Curves), ReadError> {
    let channels = [
        ("t", Channel::TestTime, SECONDS_PER_MINUTE),
        ("V", Channel::Voltage, 1.0),
        ("I", Channel::Current, 1.0),
        ("T", Channel::SurfaceTemperature, 1.0),
        ("Qd", Channel::DischargingCapacity, 1.0),
    ];
    let mut columns = [const { Vec::new() }; 5];
    let (mut owners, mut curves) = (Vec::new(), BTreeMap::new());
    for (at, &count) in counts.iter().enumerate() {
        let mut field = |name| cycles.take_field(at, name).and_then(Value::into_numbers).unwrap_or_default();
        let mut parts = channels.map(|(name, _, _)| field(name));
        let n_rows = parts[0].len();
        for (part, (name, channel, _)) in parts.iter_mut().zip(channels) {
            if part.is_empty() && !Channel::NEEDED.contains(&channel) {
                part.resize(n_rows, f64::NAN);
            }
            if part.len() != n_rows {
                let place = format!("cell {id}, cycle {count}, field `{name}`");
                let found = format!("{} values where `t` has {n_rows}", part.len());
                return Err(ReadError::Damaged { path: path.into(), place, found });
            }
        }
        for (column, part) in columns.iter_mut().zip(parts) {
            column.extend(part);
        }
        owners.resize(owners.len() + n_rows, f64::from(count));
        let curve = field("Qdlin");
        if curve.iter().any(|q| q.is_finite() && q.abs() > 0.0) {
            curves.insert(count, curve);
        }
    }
    let pick = |channel, factor| {
        let scale = Scale { factor, ..Scale::default() };
        Pick { channel, column: 0, scale, parse: None }
    };
    let mut picks: Vec<Pick> = channels.iter().map(|&(_, channel, factor)| pick(channel, factor)).collect();
    picks.push(pick(Channel::CycleCount, 1.0));
    let columns = columns.into_iter().chain([owners]).map(Numbers::new).collect();
    Ok((Series::from_columns(path, &picks, columns)?, curves))
}

/// Makes the currents ampere where their integral says that they are units of the nominal capacity.
fn scale_current(records: &mut [Record], facts: &mut CellFacts) {
    let ratio = |r: &Record| {
        let integrated = -health::charge_throughput(&r.samples.time_second, &r.samples.current_ampere);
        Some(integrated / r.stated_capacity_ah.filter(|ah| *ah > 0.5 * NOMINAL_CAPACITY_AH)?)
    };
    let mut ratios: Vec<f64> = records.iter().filter_map(ratio).filter(|r| r.is_finite()).collect();
    ratios.sort_by(f64::total_cmp);
    let Some(&median) = ratios.get(ratios.len() / 2) else { return };
    if (median * NOMINAL_CAPACITY_AH - 1.0).abs() <= CURRENT_TOLERANCE {
        for record in records {
            record.samples.current_ampere.iter_mut().for_each(|i| *i *= NOMINAL_CAPACITY_AH);
        }
        collect::note(facts, "I is in units of the nominal capacity (its integral is Qd / 1.1); made ampere");
    } else if (median - 1.0).abs() > CURRENT_TOLERANCE {
        collect::note(
            facts,
            &format!("the integral of I is {median:.3} of Qd; taken as ampere all the same"),
        );
    }
}

/// Gives the largest discharge of each cycle its curve; a cycle without a discharge loses it.
fn add_curves(records: &mut [Record], mut curves: Curves, grid: Option<&[f64]>) {
    for run in records.chunk_by_mut(|a, b| a.cycle_count == b.cycle_count) {
        let Some(capacity_ah) = run[0].cycle_count.and_then(|c| curves.remove(&c)) else { continue };
        let largest = run.iter_mut().filter(|r| r.phase == Phase::Discharge).max_by(|a, b| {
            a.stated_capacity_ah.unwrap_or(0.0).total_cmp(&b.stated_capacity_ah.unwrap_or(0.0))
        });
        if let Some(record) = largest {
            let stated = grid.filter(|g| g.len() == capacity_ah.len()).map(<[f64]>::to_vec);
            let voltage_volt = stated.unwrap_or_else(|| even_grid(capacity_ah.len()));
            record.curve = Some(Curve { voltage_volt, capacity_ah });
        }
    }
}

fn even_grid(n_points: usize) -> Vec<f64> {
    let step = (GRID_VOLT[1] - GRID_VOLT[0]) / (n_points.max(2) - 1) as f64;
    (0..n_points).map(|i| i as f64 * step + GRID_VOLT[0]).collect()
}

fn table(summary: &mut Value, counts: &[u32], facts: &mut CellFacts) -> Option<crate::dataset::CycleTable> {
    let mut odd = Vec::new();
    let mut column = |name: &str| {
        let values = summary.take_field(0, name).and_then(Value::into_numbers).filter(|v| !v.is_empty())?;
        if values.len() != counts.len() {
            odd.push(format!(
                "summary `{name}` has {} values for {} cycles; left out",
                values.len(),
                counts.len()
            ));
            return None;
        }
        Some(values)
    };
    let table = summary_table(counts, &mut column);
    for sentence in &odd {
        collect::note(facts, sentence);
    }
    (!table.columns.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Phase::{Charge, Discharge, Rest};
    use crate::dataset::reader::archive::real_data;
    use crate::dataset::reader::collect::{READER_NOTES, read_one};

    fn fixture() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/matr/2017-05-12_batch.mat")
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} {expected}");
    }

    /// Expected values: h5py and numpy, `tests/fixtures/PROVENANCE.md`.
    #[test]
    fn a_batch_becomes_cells_with_half_cycles_curves_and_summaries() {
        let cells = read_one(&Matr, &fixture()).unwrap();
        assert_eq!(
            cells.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(),
            ["2017-05-12-c00", "2017-05-12-c01"]
        );
        let (cell, facts) = (&cells[0], &cells[0].facts);
        assert_eq!((facts.cycle_life, facts.group.as_deref()), (Some(1852.0), Some("3.6C(80%)-3.6C")));
        assert_eq!((facts.notes["barcode"].as_str(), cells[1].facts.cycle_life), ("EL150800460514", None));
        let phases: Vec<_> = cell.records.iter().map(|r| (r.cycle_count, r.phase, r.samples.len())).collect();
        let whole = [2, 3].map(|c| {
            [(Some(c), Charge, 49), (Some(c), Rest, 24), (Some(c), Discharge, 24), (Some(c), Rest, 24)]
        });
        assert_eq!(phases, [vec![(Some(1), Rest, 2)], whole.concat()].concat());
        let discharge = &cell.records[3];
        close(discharge.stated_capacity_ah.unwrap(), 1.045_750_000_000_000_2);
        close(*discharge.samples.time_second.last().unwrap(), 837.409_090_909_090_8);
        assert_eq!(discharge.samples.voltage_volt[0].to_bits(), 3.416_012_146_275_489_f64.to_bits());
        let curve = discharge.curve.as_ref().unwrap();
        close(curve.capacity_ah[12], 0.966_166_771_487_751_1);
        assert_eq!((curve.voltage_volt[0], curve.voltage_volt[24], curve.voltage_volt.len()), (3.5, 2.0, 25));
        assert_eq!(cell.records.iter().filter(|r| r.curve.is_some()).count(), 2);
        let table = cell.table.as_ref().unwrap();
        assert_eq!((table.cycle_count.as_slice(), table.columns.len()), ([2, 3].as_slice(), 7));
        let duration = table.columns.iter().find(|c| c.name == "charge_duration").unwrap();
        close(duration.values[0], 60.0 * 10.2);
    }

    /// Expected values: h5py and numpy, `tests/fixtures/PROVENANCE.md`.
    #[test]
    fn a_current_in_units_of_the_capacity_is_made_ampere() {
        let cells = read_one(&Matr, &fixture()).unwrap();
        let through = |c: &Cell, at: usize| {
            let s = &c.records[at].samples;
            health::charge_throughput(&s.time_second, &s.current_ampere)
        };
        close(through(&cells[0], 3), -1.023_5);
        assert!(!cells[0].facts.notes.contains_key(READER_NOTES));
        close(through(&cells[1], 3), -1.017_75);
        assert!(cells[1].facts.notes[READER_NOTES].contains("made ampere"));
    }

    #[test]
    fn an_archive_and_a_folder_give_the_same_cells() {
        let expected = read_one(&Matr, &fixture()).unwrap();
        assert_eq!(
            format!("{:?}", read_one(&Matr, fixture().parent().unwrap()).unwrap()),
            format!("{expected:?}")
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tar.gz");
        let bytes = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(bytes);
        tar.append_path_with_name(fixture(), "a/2017-05-12_batch.mat").unwrap();
        crate::file::write_atomic(&path, &tar.into_inner().unwrap().finish().unwrap()).unwrap();
        assert_eq!(format!("{:?}", read_one(&Matr, &path).unwrap()), format!("{expected:?}"));
    }

    #[test]
    fn other_files_say_what_they_hold_instead() {
        let nasa = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat");
        let empty = tempfile::tempdir().unwrap();
        assert!(read_one(&Matr, empty.path()).unwrap_err().to_string().contains("no cell"));
        let bytes = std::fs::read(fixture()).unwrap();
        let half = empty.path().join("half.mat");
        crate::file::write_atomic(&half, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(read_one(&Matr, &half), Err(ReadError::Damaged { .. })));
        let v5 = std::fs::read_dir(nasa)
            .unwrap()
            .flatten()
            .map(|e| e.path())
            .find(|p| has_extension(&p.to_string_lossy(), "mat") && !is_hdf5(p).unwrap());
        let message = read_one(&Matr, &v5.unwrap()).unwrap_err().to_string();
        assert!(message.contains("version 7.3"), "{message}");
    }

    #[test]
    fn cut_and_changed_files_are_errors_or_cells_and_never_a_panic() {
        let bytes = std::fs::read(fixture()).unwrap();
        for at in (0..bytes.len()).step_by(977) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x5a;
            for bytes in [changed, bytes[..at].to_vec()] {
                let elements = mat73_struct::elements(bytes, VARIABLE, &FIELDS, UNREAD);
                let _ = read_batch(Path::new("a.mat"), elements, &mut BTreeMap::new(), &mut |_| ());
            }
        }
    }

    /// The corpus file has noise for samples, fields of unequal length and no barcode.
    #[test]
    fn the_layout_without_half_of_its_fields_is_read() {
        let Some(path) = real_data("mat5-corpus/severson_like.mat") else { return };
        let cells = read_one(&Matr, &path).unwrap();
        assert_eq!((cells.len(), cells[0].id.as_str()), (3, "severson_like-c00"));
        let notes = &cells[0].facts.notes[READER_NOTES];
        assert!(notes.contains("summary `IR` has 500 values for 5 cycles; left out"), "{notes}");
        let samples: usize = cells[0].records.iter().map(|r| r.samples.len()).sum();
        assert_eq!(samples, 5 * 1000);
    }
}
