//! Severson's tables of the MATR cells: capacity on a grid of voltages for cycles 2 to 100, and what belongs to them.
//!
//! | file | holds |
//! |---|---|
//! | `data/<split>/cell<N>.csv` | 1000 lines x 99 columns: discharge capacity [Ah] from 3.5 to 2.0 V, cycle c in column c - 1 |
//! | `data/cycle_lives/<split>_cycle_lives.csv` | line N is the cycle life of cell N |
//! | `discharge_capacity/<split>/cell<N>.csv` | cycle, discharge capacity [Ah], first capacity; one cell may be left out |
//! | `cells.csv` | barcode, part of the split, date of the batch, cycle life, charging policy, in the order of the cells |
//! | a summary (`cell_id`, `cycle`, `QDischarge`, ...) | resistance, temperatures and charge time of a batch, one cycle a row |
//!
//! The first two are needed. A discharge has its curve and, as the stated capacity, that of the whole discharge, which
//! goes from 3.6 V. A curve begins up to 0.4 mAh below 0, where the source's spline ends; curves of seven cells
//! have a cycle with spikes, which the quality report names. Cells are called `train-06`, `test1-22`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::headerless::damaged;
use super::set::{CURVE_CYCLES, N_POINTS, Set, Split};
use super::{facts, summary_table};
use crate::cell::{CellId, Phase};
use crate::dataset::reader::delimited::{Numbers, Sheet};
use crate::dataset::reader::{ReadError, ReadOptions, Reader, collect};
use crate::dataset::{Cell, Curve, CycleTable, Record};

/// Voltages of the first and the last line of a table of curves [V].
const CURVE_VOLT: [f64; 2] = [3.5, 2.0];

/// Names of the parts of the split in the list of cells.
const SPLIT_NAMES: [(&str, &str); 3] = [("train", "Train"), ("test1", "Prim. Test"), ("test2", "Sec. Test")];

/// Cycles by which the capacities of a cell may end before its cycle life, and go on after it [cycles].
///
/// In the published files they end 1 before it (batch 1) or 20 to 37 after it (batch 2).
const LIFE_TOLERANCE: [f64; 2] = [5.0, 60.0];

/// Largest difference of two capacities that are the same but for their rounding to 5 digits [Ah].
const ROUNDING_AH: f64 = 6e-5;

/// Least share of equal capacities in the first cycles that makes a summary that of a cell [1].
const SAME_SHARE: f64 = 0.9;

/// Fewest cycles that must be compared for it.
const FEWEST_COMPARED: usize = 50;

/// Reader of Severson's tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Severson;

impl Reader for Severson {
    fn name(&self) -> &'static str {
        "severson"
    }

    fn summary(&self) -> &'static str {
        "MATR cells as Severson's tables: discharge curves of cycles 2-100, lives, full-life capacities, policies"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let mut set = Set::read(paths, progress)?;
        let root = paths.first().cloned().unwrap_or_default();
        set.splits.retain(|_, split| !split.curves.is_empty());
        if set.splits.is_empty() {
            let reason = "there is no data/<split>/cell<N>.csv with curves; name the folder or the archive that \
                          holds them (discharge-capacity-vs-voltage-cycles-2-100.tar.zst)";
            return Err(ReadError::NoCell { path: root, reason: reason.into() });
        }
        let summaries = set.summary.as_ref().map_or(Ok(Vec::new()), summaries)?;
        let mut found = BTreeMap::new();
        for (name, split) in set.splits {
            let listed = set.index.as_ref().map_or(Ok(Vec::new()), |sheet| listed(sheet, &name))?;
            for cell in cells(&root, &name, split, &listed)? {
                let cell = with_summary(cell, &summaries);
                found.insert(cell.id.clone(), (root.clone(), cell));
            }
        }
        collect::choose(found, paths, options)
    }
}

/// One line of the list of cells.
struct Listed {
    barcode: String,
    batch: String,
    policy: String,
    life: f64,
}

/// Returns the lines of the list of cells that belong to a part of the split, in their order.
fn listed(sheet: &Sheet, split: &str) -> Result<Vec<Listed>, ReadError> {
    let texts = |heading: &str| sheet.texts(sheet.find(heading)?);
    let (barcodes, batches) = (texts("Cell barcode")?, texts("Batch date")?);
    let (policies, parts) = (texts("Charging policy")?, texts("Dataset")?);
    let lives = sheet.numbers(&[(sheet.find("Cycle life")?, sheet.plain())])?.remove(0);
    if let Some(bad) = lives.bad.first() {
        let found = format!("cycle life `{}` is no number", bad.text);
        return Err(sheet.damaged(format!("line {}", bad.line), found));
    }
    let called = SPLIT_NAMES.iter().find(|(ours, _)| *ours == split).map_or(split, |(_, theirs)| theirs);
    let line = |row: usize| Listed {
        barcode: barcodes[row].clone(),
        batch: date(&batches[row]),
        policy: policies[row].clone(),
        life: lives.values[row],
    };
    Ok((0..parts.len()).filter(|&row| parts[row] == called).map(line).collect())
}

/// Returns `5/12/17` as `2017-05-12`, and anything else as it is.
fn date(text: &str) -> String {
    NaiveDate::parse_from_str(text, "%m/%d/%y").map_or_else(|_| text.into(), |date| date.to_string())
}

/// Makes the cells of one part of the split.
fn cells(root: &Path, name: &str, mut split: Split, listed: &[Listed]) -> Result<Vec<Cell>, ReadError> {
    check_numbers(root, name, &split)?;
    let lives = lives(root, name, &mut split, listed)?;
    let mut full_life = full_life(name, &mut split, &lives)?;
    let width = lives.len().to_string().len().max(2);
    let grid = grid();
    let cell = |(n, (_, columns)): (u32, (PathBuf, Vec<Vec<f64>>))| {
        let at = n as usize - 1;
        let line = listed.get(at);
        let mut facts = facts(line.map(|l| l.policy.as_str()), Some(lives[at]));
        facts.notes.insert("split".into(), name.into());
        for (key, text) in line.iter().flat_map(|l| [("barcode", &l.barcode), ("batch", &l.batch)]) {
            facts.notes.insert(key.into(), text.clone());
        }
        let capacities = full_life.remove(&n).unwrap_or_default();
        if capacities.is_empty() {
            collect::note(&mut facts, "no capacities over the whole life");
        }
        let records = records(&grid, columns, &capacities);
        Cell { id: CellId::new(format!("{name}-{n:0width$}")), facts, records, table: None }
    };
    Ok(split.curves.into_iter().map(cell).collect())
}

/// Refuses a part of the split that lacks a cell below its highest number.
fn check_numbers(root: &Path, name: &str, split: &Split) -> Result<(), ReadError> {
    match (1..).zip(split.curves.keys()).find(|(n, found)| n != *found) {
        None => Ok(()),
        Some((n, _)) => {
            let advice =
                "without it the lines of the other tables cannot be told; unpack the archive whole".into();
            Err(ReadError::MissingFile {
                path: root.into(),
                file: format!("data/{name}/cell{n}.csv"),
                advice,
            })
        }
    }
}

/// Returns the cycle lives, which must be as many as the cells and those of the list of cells.
fn lives(root: &Path, name: &str, split: &mut Split, listed: &[Listed]) -> Result<Vec<f64>, ReadError> {
    let Some((path, lives)) = split.lives.take() else {
        let file = format!("data/cycle_lives/{name}_cycle_lives.csv");
        let advice = "it comes in the archive of the curves".into();
        return Err(ReadError::MissingFile { path: root.into(), file, advice });
    };
    let n_cells = split.curves.len();
    if lives.len() != n_cells {
        let found = format!("{} lives where data/{name} has {n_cells} cells", lives.len());
        return Err(damaged(&path, "its end".into(), found));
    }
    if !listed.is_empty() && listed.len() != n_cells {
        let found = format!("{n_cells} lives where the list of cells has {} for `{name}`", listed.len());
        return Err(damaged(&path, "its end".into(), found));
    }
    let differs = |(at, line): &(usize, &Listed)| (lives[*at] - line.life).abs() > 0.0;
    if let Some((at, line)) = listed.iter().enumerate().find(differs) {
        let found = format!("{} where the list of cells has {} for {}", lives[at], line.life, line.barcode);
        return Err(damaged(&path, format!("line {}", at + 1), found));
    }
    Ok(lives)
}

/// Returns cycles and capacities by the number of the cell in the tables of curves.
///
/// Where there is one table less than cells, the cell with the shortest life is the one left out (test1, cell 22, 148
/// cycles) and those after it have the number before theirs.
fn full_life(
    name: &str,
    split: &mut Split,
    lives: &[f64],
) -> Result<BTreeMap<u32, Vec<(u32, f64)>>, ReadError> {
    let tables = std::mem::take(&mut split.full_life);
    let shortest = (0..lives.len()).min_by(|&a, &b| lives[a].total_cmp(&lives[b]));
    let left_out = shortest.filter(|_| tables.len() + 1 == lives.len()).map(|at| at as u32 + 1);
    let mut by_cell = BTreeMap::new();
    for (n, (path, [cycles, capacities])) in tables {
        let cell = n + u32::from(left_out.is_some_and(|out| n >= out));
        let Some(life) = lives.get(cell as usize - 1) else {
            let found = format!("a cell {cell} where data/{name} has {}", lives.len());
            return Err(damaged(&path, "its name".into(), found));
        };
        let last = cycles.last().copied().unwrap_or(0.0);
        if last < life - LIFE_TOLERANCE[0] || last > life + LIFE_TOLERANCE[1] {
            let found = format!("{last} is the last cycle where {name} cell {cell} lives {life} cycles");
            return Err(damaged(&path, "its end".into(), found));
        }
        by_cell.insert(cell, cycles.iter().map(|&c| c as u32).zip(capacities).collect());
    }
    Ok(by_cell)
}

/// Returns the voltages of the curves [V], evenly spaced, rounded as numpy's `linspace` rounds them.
fn grid() -> Vec<f64> {
    let step = (CURVE_VOLT[1] - CURVE_VOLT[0]) / (N_POINTS - 1) as f64;
    let inner = (0..N_POINTS - 1).map(|i| i as f64 * step + CURVE_VOLT[0]);
    inner.chain([CURVE_VOLT[1]]).collect()
}

/// Makes one discharge a cycle that has a curve or a capacity.
fn records(grid: &[f64], columns: Vec<Vec<f64>>, capacities: &[(u32, f64)]) -> Vec<Record> {
    let stated: BTreeMap<u32, f64> = capacities.iter().copied().collect();
    let mut curves: BTreeMap<u32, Vec<f64>> = CURVE_CYCLES.zip(columns).collect();
    let cycles: BTreeSet<u32> = stated.keys().chain(curves.keys()).copied().collect();
    let record = |(index, cycle): (u32, u32)| {
        let mut record = Record::new(index, Phase::Discharge);
        record.cycle_count = Some(cycle);
        record.stated_capacity_ah = stated.get(&cycle).copied().filter(|ah| ah.is_finite());
        let curve = |capacity_ah| Curve { voltage_volt: grid.to_vec(), capacity_ah };
        record.curve = curves.remove(&cycle).map(curve);
        record
    };
    (0..).zip(cycles).map(record).collect()
}

/// Summary of a cell that the source does not name.
struct Summary {
    /// Discharge capacity [Ah] by cycle.
    capacities: BTreeMap<u32, f64>,
    table: CycleTable,
}

/// Returns the summaries of a batch, one a cell of the table.
fn summaries(sheet: &Sheet) -> Result<Vec<Summary>, ReadError> {
    let owners = sheet.texts(sheet.find("cell_id")?)?;
    let headings = sheet.header().to_vec();
    let numbers = sheet.numbers(&(0..headings.len()).map(|i| (i, sheet.plain())).collect::<Vec<_>>())?;
    let named = |name: &str| headings.iter().position(|h| h == name).map(|i| &numbers[i]);
    let cycles = &numbers[sheet.find("cycle")?];
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, owner) in owners.iter().enumerate() {
        rows.entry(owner).or_default().push(row);
    }
    let of_rows = |column: &Numbers, rows: &[usize]| rows.iter().map(|&row| column.values[row]).collect();
    let summary = |rows: Vec<usize>| {
        let counts: Vec<u32> = rows.iter().map(|&row| cycles.values[row] as u32).collect();
        let capacity = named("QDischarge").map(|c| of_rows(c, &rows)).unwrap_or_default();
        let table = summary_table(&counts, &mut |name| named(name).map(|c| of_rows(c, &rows)));
        Summary { capacities: counts.into_iter().zip::<Vec<f64>>(capacity).collect(), table }
    };
    Ok(rows.into_values().map(summary).collect())
}

/// Gives a cell the summary whose capacities are its own; the summary's names say nothing of the cell.
fn with_summary(cell: Cell, summaries: &[Summary]) -> Cell {
    let mut same = summaries.iter().filter(|s| is_same(&cell, s));
    match (same.next(), same.next()) {
        (Some(summary), None) => Cell { table: Some(summary.table.clone()), ..cell },
        _ => cell,
    }
}

fn is_same(cell: &Cell, summary: &Summary) -> bool {
    let early = cell.records.iter().filter(|r| r.cycle_count.is_some_and(|c| CURVE_CYCLES.contains(&c)));
    let difference = |r: &Record| Some(r.stated_capacity_ah? - summary.capacities.get(&r.cycle_count?)?);
    let differences: Vec<f64> = early.filter_map(difference).collect();
    let n_same = differences.iter().filter(|d| d.abs() <= ROUNDING_AH).count();
    differences.len() >= FEWEST_COMPARED && n_same as f64 >= SAME_SHARE * differences.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Chemistry;
    use crate::dataset::reader::archive::real_data;
    use crate::dataset::reader::collect::read_one;

    /// Files of a set of two cells; curve `q` of cell n and cycle c falls short of `q` by c and n.
    fn files() -> BTreeMap<&'static str, String> {
        let line = |n: u32| CURVE_CYCLES.map(|c| format!("0.{n}{c:03}")).collect::<Vec<_>>().join(",");
        let curves = |n: u32| (line(n) + "\n").repeat(N_POINTS);
        BTreeMap::from([
            ("data/train/cell1.csv", curves(1)),
            ("data/train/cell2.csv", curves(2)),
            ("data/cycle_lives/train_cycle_lives.csv", "148\n400\n".into()),
            ("discharge_capacity/train/cell1.csv", (2..=399).map(|c| format!("{c},1.0{c:03},1.0002\n")).collect()),
            (
                "cells.csv",
                "Cell barcode,Dataset,Batch date,Cycle life,Charging policy\nE1,Train,5/12/17,148,2C(10%)-6C\n\
                 E9,Prim. Test,5/12/17,9,4C(80%)-4C\nE2,Train,6/30/17,400,new\n"
                    .into(),
            ),
            (
                "summary.csv",
                "cell_id,cycle,QDischarge,QCharge,IR,Tmax,Tavg,chargetime\nx,1,0,0,0,0,0,0\n".to_owned()
                    + &(2..90).map(|c| format!("x,{c},1.0{c:03}01,1.1,0.017,36,32,10\n")).collect::<String>(),
            ),
        ])
    }

    fn read(files: &BTreeMap<&'static str, String>) -> Result<Vec<Cell>, ReadError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            crate::file::create_folder(path.parent().unwrap()).unwrap();
            crate::file::write_atomic(&path, text.as_bytes()).unwrap();
        }
        read_one(&Severson, folder.path())
    }

    fn refused(name: &'static str, text: Option<&str>) -> String {
        let mut files = files();
        match text {
            Some(text) => drop(files.insert(name, text.into())),
            None => drop(files.remove(name)),
        }
        read(&files).unwrap_err().to_string()
    }

    #[test]
    fn a_set_with_one_cell_left_out_is_put_together() {
        let cells = read(&files()).unwrap();
        let [short, long] = &cells[..] else { panic!("two cells") };
        assert_eq!((short.id.as_str(), long.id.as_str()), ("train-01", "train-02"));
        assert_eq!((short.records.len(), short.records[0].stated_capacity_ah), (99, None));
        assert_eq!((long.records.len(), long.records[397].cycle_count), (398, Some(399)));
        assert_eq!(long.records[1].stated_capacity_ah, Some(1.0003));
        assert!(long.records[98].curve.is_some() && long.records[99].curve.is_none());
        assert_eq!(long.records[98].curve.as_ref().unwrap().capacity_ah, vec![0.2100; N_POINTS]);
        assert_eq!(short.facts.notes["batch"], "2017-05-12");
        assert_eq!(short.facts.attributes["policy_switch_soc"].value.to_bits(), 0.1_f64.to_bits());
        assert_eq!((short.facts.cycle_life, long.facts.group.as_deref()), (Some(148.0), Some("new")));
        assert!(long.facts.attributes.is_empty() && short.table.is_none());
        let table = long.table.as_ref().unwrap();
        assert_eq!((table.cycle_count.len(), table.cycle_count[0], table.columns.len()), (88, 2, 6));
        assert!(table.columns[0].label && !table.columns[1].label);
    }

    #[test]
    fn the_grid_is_that_of_numpy() {
        // numpy.linspace(3.5, 2.0, 1000)[[1, 500, 998, 999]]
        let grid = grid();
        let expected: [f64; 4] =
            [3.498_498_498_498_498_6, 2.749_249_249_249_249_5, 2.001_501_501_501_501_4, 2.0];
        for (at, volt) in [1, 500, 998, 999].into_iter().zip(expected) {
            assert_eq!(grid[at].to_bits(), volt.to_bits(), "{at}");
        }
    }

    #[test]
    fn missing_files_wrong_shapes_and_bad_numbers_are_named() {
        let lives = "data/cycle_lives/train_cycle_lives.csv";
        let life = "discharge_capacity/train/cell1.csv";
        let cases: [(&str, Option<&str>, &[&str]); 10] = [
            (lives, None, &["lacks `data/cycle_lives/train_cycle_lives.csv`", "archive"]),
            ("data/train/cell1.csv", None, &["lacks `data/train/cell1.csv`", "whole"]),
            (lives, Some("148\n"), &["train_cycle_lives.csv", "1 lives where data/train has 2 cells"]),
            (lives, Some("148\n401\n"), &["line 2", "401 where the list of cells has 400 for E2"]),
            (lives, Some("148\nlong\n"), &["train_cycle_lives.csv", "line 2", "`long` is no number"]),
            (
                "data/train/cell2.csv",
                Some("1,2\n"),
                &["train/cell2.csv", "2 columns where a table of curves", "99"],
            ),
            (life, Some("2,1.1\n"), &["2 columns where a table of capacities"]),
            (life, Some("2,1.1,1.1\n90,1.0,1.1\n"), &["90 is the last cycle", "cell 2 lives 400"]),
            ("cells.csv", Some("Cell barcode,Dataset\nE,Train\n"), &["cells.csv", "no column `Batch date`"]),
            (
                "cells.csv",
                Some("Cell barcode,Dataset,Batch date,Cycle life,Charging policy\nE,Train,1/1/17,x,4C\n"),
                &["line 2", "cycle life `x`"],
            ),
        ];
        for (name, text, expected) in cases {
            let message = refused(name, text);
            assert!(expected.iter().all(|e| message.contains(e)), "{name}: {message}");
        }
        let short = files()["data/train/cell2.csv"].lines().take(999).collect::<Vec<_>>().join("\n");
        assert!(refused("data/train/cell2.csv", Some(&short)).contains("999 lines where"));
        let mut bad = files();
        let text = bad["data/train/cell2.csv"].replacen("0.2050", "0.2O50", 1);
        bad.insert("data/train/cell2.csv", text);
        assert!(read(&bad).unwrap_err().to_string().contains("line 1: `0.2O50` is no number"));
        let none = read(&BTreeMap::from([("cells.csv", files()["cells.csv"].clone())])).unwrap_err();
        assert!(none.to_string().contains("discharge-capacity-vs-voltage"), "{none}");
    }

    /// Expected values: numpy and pandas, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_published_set_has_84_cells() {
        let Some(folder) = real_data("severson-matr") else { return };
        let cells = read_one(&Severson, &folder).unwrap();
        let ids: Vec<&str> = cells.iter().map(|c| c.id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[42], ids[83]), (84, "test1-01", "test1-43", "train-41"));
        assert!(cells.iter().all(|c| c.records.iter().filter(|r| r.curve.is_some()).count() == 99));
        let stated = cells.iter().flat_map(|c| &c.records).filter(|r| r.stated_capacity_ah.is_some()).count();
        assert_eq!(stated, 59_008, "wc -l of the 83 files");
        let life = |id: &str| cells.iter().find(|c| c.id.as_str() == id).unwrap().facts.cycle_life;
        assert_eq!(
            (life("test1-22"), life("train-21"), life("test1-43")),
            (Some(148.0), Some(300.0), Some(713.0))
        );
        let summed = cells.iter().filter(|c| c.table.is_some()).count();
        assert_eq!(
            summed, 41,
            "all of batch 1, and none of the five cells of its summary that are not in the set"
        );
        assert!(cells.iter().filter(|c| c.table.is_some()).all(|c| c.facts.notes["batch"] == "2017-05-12"));
    }

    /// Expected values: numpy and pandas, `tests/fixtures/readers/PROVENANCE.md`.
    #[test]
    fn the_first_training_cell_is_what_its_files_say() {
        let Some(folder) = real_data("severson-matr") else { return };
        let options = ReadOptions { cells: vec![CellId::new("train-01")], ..ReadOptions::default() };
        let cells = Severson.read(&[folder], &options, &mut |_| ()).unwrap();
        let (cell, facts) = (&cells[0], &cells[0].facts);
        assert_eq!((cells.len(), facts.chemistry, facts.nominal_capacity_ah), (1, Chemistry::Lfp, Some(1.1)));
        assert_eq!((facts.cycle_life, facts.group.as_deref()), (Some(2160.0), Some("3.6C(80%)-3.6C")));
        assert_eq!(facts.notes["barcode"], "EL150800460486");
        let curve = |cycle: u32| cell.records.iter().find(|r| r.cycle_count == Some(cycle)).unwrap();
        let q = |cycle: u32| &curve(cycle).curve.as_ref().unwrap().capacity_ah;
        let difference: Vec<f64> = q(100).iter().zip(q(10)).map(|(b, a)| b - a).collect();
        let mean = difference.iter().sum::<f64>() / 1000.0;
        let variance = difference.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 1000.0;
        assert!((variance / 9.677_027_526_372_687e-6 - 1.0).abs() < 1e-9, "{variance}");
        assert_eq!(curve(2).stated_capacity_ah, Some(1.0753));
        let table = cell.table.as_ref().unwrap();
        let resistance = table.columns.iter().find(|c| c.name == "internal_resistance").unwrap();
        assert_eq!((resistance.values[0], table.cycle_count[0]), (0.017_038_831, 2));
    }
}
