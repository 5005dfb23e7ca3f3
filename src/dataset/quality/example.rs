//! Cells for the tests of this level: hand-made ones, and the record sequence of the four classic NASA cells.

use crate::cell::{CellId, Phase};
use crate::dataset::{Cell, CellFacts, Record, Samples, Spectrum};

/// Returns a record of 12 samples in an hour whose constant current moves `ah`; no two records are alike.
pub(crate) fn record(index: u32, phase: Phase, ah: f64) -> Record {
    let mut record = Record::new(index, phase);
    record.unix_time_second = Some(7200.0 * f64::from(index));
    if phase == Phase::Impedance {
        let [frequency_hertz, real_ohm, imaginary_ohm] = [1e3, 0.05, -0.01].map(|x| vec![x]);
        record.spectrum = Some(Spectrum { frequency_hertz, real_ohm, imaginary_ohm });
    } else {
        record.samples = samples(12, ah, 24.0 + 1e-3 * f64::from(index));
    }
    record
}

/// Returns `n` samples in an hour whose constant current moves `ah`, at `celsius`.
pub(crate) fn samples(n: usize, ah: f64, celsius: f64) -> Samples {
    let share = |k: usize| k as f64 / (n.max(2) - 1) as f64;
    Samples {
        time_second: (0..n).map(|k| 3600.0 * share(k)).collect(),
        voltage_volt: (0..n).map(|k| 3.0 + share(k) + 1e-3 * (celsius - 24.0)).collect(),
        current_ampere: vec![ah; n],
        temperature_celsius: vec![celsius; n],
    }
}

/// Returns a cell of 2 Ah with records of these phases and charges [Ah].
pub(crate) fn cell(records: &[(Phase, f64)]) -> Cell {
    Cell {
        id: CellId::new("C1"),
        facts: CellFacts { nominal_capacity_ah: Some(2.0), ..CellFacts::default() },
        records: records.iter().zip(0..).map(|(&(phase, ah), index)| record(index, phase, ah)).collect(),
        table: None,
    }
}

/// Returns B0005, B0006, B0007 and B0018 with the real sequence, number of samples, charges and capacities.
pub(crate) fn nasa_sequence() -> Vec<Cell> {
    let text = include_str!("../../../tests/fixtures/quality/nasa_sequence.txt");
    let mut cells: Vec<Cell> = Vec::new();
    for line in text.lines() {
        if let Some(id) = line.strip_prefix("# ") {
            cells.push(Cell { id: CellId::new(id), ..cell(&[]) });
        } else {
            // No two records of the four cells are alike, as in truth.
            let celsius = 24.0 + cells.len() as f64;
            let records = &mut cells.last_mut().unwrap().records;
            records.push(sequence_record(records.len() as u32, celsius, line));
        }
    }
    cells
}

fn sequence_record(index: u32, celsius: f64, line: &str) -> Record {
    let fields: Vec<&str> = line.split(' ').collect();
    let phase = match fields[0] {
        "c" => Phase::Charge,
        "d" => Phase::Discharge,
        _ => return record(index, Phase::Impedance, 0.0),
    };
    let mut record = record(index, phase, 0.0);
    let celsius = celsius + 1e-3 * f64::from(index);
    record.samples = samples(fields[1].parse().unwrap(), fields[2].parse().unwrap(), celsius);
    record.stated_capacity_ah = fields.get(3).map(|ah| ah.parse().unwrap());
    record
}
