//! The descriptors of curves on real files, against numbers from scipy (`tests/fixtures/descriptors/curve_early.py`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::*;
use super::{
    capacity_difference, differential_voltage, incremental_capacity, incremental_drift, shape, voltage_curve,
};
use crate::cell::{CellId, Phase};
use crate::dataset::reader::archive::{for_each_file, real_data};
use crate::dataset::reader::bdf::Bdf;
use crate::dataset::reader::nasa::Nasa;
use crate::dataset::reader::{ReadOptions, Reader};
use crate::dataset::{CellFacts, Curve, Record};

const TABLES: &str = "severson-matr/discharge-capacity-vs-voltage-cycles-2-100.tar.zst";

/// Every row made from curves.
pub(super) fn rows() -> Vec<&'static EarlyDescriptor> {
    let families = [
        capacity_difference::DESCRIPTORS,
        incremental_capacity::DESCRIPTORS,
        incremental_drift::DESCRIPTORS,
        differential_voltage::DESCRIPTORS,
        voltage_curve::DESCRIPTORS,
    ];
    families.into_iter().flatten().collect()
}

/// Returns the cells of Severson's tables by `train/1`, with their cycle lives.
fn severson(want: &dyn Fn(&str) -> bool) -> Option<BTreeMap<String, Cell>> {
    let (mut cells, mut lives) = (BTreeMap::new(), BTreeMap::new());
    let mut wanted = |name: &str| {
        let name = name.trim_start_matches("data/").replace("/cell", "/");
        name.starts_with("cycle_lives") || name.strip_suffix(".csv").is_some_and(want)
    };
    for_each_file(&real_data(TABLES)?, &mut wanted, &mut |name, bytes| {
        let text = String::from_utf8(bytes).unwrap();
        let name = name.trim_start_matches("data/").trim_end_matches(".csv");
        if let Some(split) = name.strip_prefix("cycle_lives/") {
            let split = split.trim_end_matches("_cycle_lives");
            let numbered = text.lines().enumerate();
            lives.extend(
                numbered.map(|(i, life)| (format!("{split}/{}", i + 1), life.trim().parse().unwrap())),
            );
        } else {
            cells.insert(name.replace("/cell", "/"), table_cell(&text));
        }
        Ok(())
    })
    .unwrap();
    for (name, cell) in &mut cells {
        cell.facts.cycle_life = lives.get(name).copied();
    }
    Some(cells)
}

/// Makes a cell of a table with a voltage a row, 3.5 V to 2.0 V, and a cycle a column, from 2.
fn table_cell(text: &str) -> Cell {
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(',').map(|v| v.trim().parse().unwrap()).collect()).collect();
    let voltage_volt: Vec<f64> =
        (0..rows.len()).map(|i| 3.5 - 1.5 * i as f64 / (rows.len() - 1) as f64).collect();
    let record = |(column, count): (usize, u32)| {
        let mut record = Record::new(column as u32, Phase::Discharge);
        record.cycle_count = Some(count);
        let capacity_ah = rows.iter().map(|row| row[column]).collect();
        record.curve = Some(Curve { voltage_volt: voltage_volt.clone(), capacity_ah });
        record
    };
    let records = (0..rows[0].len()).zip(2..).map(record).collect();
    Cell { id: CellId::new("severson"), facts: CellFacts::default(), records, table: None }
}

fn read(reader: &dyn Reader, relative: &str) -> Option<Cell> {
    let path: PathBuf = real_data(relative)?;
    reader.read(&[path], &ReadOptions::default(), &mut |_| ()).unwrap().pop()
}

#[test]
fn descriptors_agree_with_scipy_on_real_files() {
    let names = ["train/1", "train/20", "test1/5"];
    let Some(tables) = severson(&|name| names.contains(&name)) else { return };
    let mut cells: BTreeMap<_, _> =
        tables.into_iter().map(|(name, cell)| (format!("severson/{name}"), cell)).collect();
    let sintef = "bdf-examples/SINTEF__G20M7-202512-Gru6mV__20251228__C30__25degC__Neware.bdf.csv.gz";
    cells.extend(read(&Bdf, sintef).map(|cell| ("bdf/SINTEF".into(), cell)));
    cells.extend(read(&Nasa, "nasa-pcoe/mat/B0005.mat").map(|cell| ("nasa/B0005".into(), cell)));
    let golden = include_str!("../../../../tests/fixtures/descriptors/curve_early.csv");
    let mut wrong = Vec::new();
    for line in golden.lines().skip(1) {
        let [cell, name, value] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let expected: f64 = value.parse().unwrap();
        let row = find(name).unwrap_or_else(|| panic!("no row {name}"));
        let found = compute(&cells[cell], Window::default(), &[row]).remove(0);
        if !found.as_ref().is_ok_and(|v| (v - expected).abs() <= 1e-7 * expected.abs().max(1e-3)) {
            wrong.push(format!("{line} {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Severson's variance model: 138 cycles and 13.2 % without the outlier of the test cells, by numpy.
#[test]
fn the_variance_model_of_severson_comes_out() {
    let Some(cells) = severson(&|_| true) else { return };
    let row = find("discharge_capacity_difference_log_variance_100_10").unwrap();
    let points = |split: &str| -> Vec<(f64, f64)> {
        let chosen = cells.iter().filter(|(name, _)| name.starts_with(split) && *name != "test1/22");
        let value = |cell| compute(cell, Window::default(), &[row]).remove(0).unwrap();
        chosen.map(|(_, cell)| (value(cell), cell.facts.cycle_life.unwrap())).collect()
    };
    let (train, test) = (points("train/"), points("test1/"));
    assert_eq!((train.len(), test.len()), (41, 42));
    let (x, y): (Vec<f64>, Vec<f64>) = train.iter().map(|(x, life)| (*x, life.log10())).unzip();
    let slope = shape::slope(&x, &y).unwrap();
    let level = shape::mean(&y) - slope * shape::mean(&x);
    let errors: Vec<(f64, f64)> =
        test.iter().map(|(x, life)| (10_f64.powf(level + slope * x) - life, *life)).collect();
    let rmse = (errors.iter().map(|(e, _)| e * e).sum::<f64>() / 42.0).sqrt();
    let mape = errors.iter().map(|(e, life)| (e / life).abs()).sum::<f64>() / 42.0;
    assert!((rmse - 138.0).abs() < 0.5 && (mape - 0.132).abs() < 5e-4, "{rmse} {mape}");
}

/// Two rows that order every cell alike would be one row under two names.
#[test]
fn no_two_rows_order_the_cells_alike() {
    let Some(cells) = severson(&|name| name.starts_with("train/1") || name.starts_with("train/2")) else {
        return;
    };
    let rows = rows();
    let values: Vec<Vec<Value>> =
        cells.values().map(|cell| compute(cell, Window::default(), &rows)).collect();
    let ranked: Vec<Vec<f64>> = (0..rows.len())
        .map(|i| ranks(&values.iter().map(|v| v[i].clone().unwrap_or(f64::NAN)).collect::<Vec<_>>()))
        .collect();
    let mut alike = Vec::new();
    for (i, a) in ranked.iter().enumerate() {
        for (j, b) in ranked.iter().enumerate().skip(i + 1) {
            let pairs = a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite());
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
            if a.len() >= 20 && shape::correlation(&a, &b).is_ok_and(|rho| rho.abs() > 0.9999) {
                alike.push((rows[i].name, rows[j].name));
            }
        }
    }
    assert!(alike.is_empty(), "{alike:#?}");
}

/// Returns mean ranks; NaN stays NaN.
fn ranks(y: &[f64]) -> Vec<f64> {
    let rank = |v: f64| {
        let below = y.iter().filter(|o| **o < v).count();
        let not_above = y.iter().filter(|o| **o <= v).count();
        if v.is_nan() { f64::NAN } else { 0.5 * (below + not_above) as f64 }
    };
    y.iter().map(|&v| rank(v)).collect()
}
