//! Curves of a cell on disk: a matrix where they share one grid of voltages, else one row a point.

use polars::prelude::{DataFrame, PolarsError};

use super::{Framed, column, counts, numbers, owners, runs};
use crate::dataset::{Cell, Curve, Record};

/// Begin of the name of a capacity column in a matrix of curves; the index of the record follows.
const CURVE_MARK: &str = "capacity_ah:";

/// A matrix where all curves stand on one grid, else one row a point.
pub(super) fn frame(cell: &Cell) -> Framed {
    let curves: Vec<(u32, &Curve)> =
        cell.records.iter().filter_map(|r| r.curve.as_ref().map(|c| (r.index, c))).collect();
    let Some((_, first)) = curves.first() else { return Ok(DataFrame::empty()) };
    let grid = &first.voltage_volt;
    if curves.iter().all(|(_, c)| same_bits(&c.voltage_volt, grid)) {
        let mut columns = vec![numbers("voltage_volt", grid.clone())];
        columns
            .extend(curves.iter().map(|(i, c)| numbers(&format!("{CURVE_MARK}{i}"), c.capacity_ah.clone())));
        return DataFrame::new_infer_height(columns);
    }
    let joined = |get: fn(&Curve) -> &Vec<f64>| {
        curves.iter().map(|(_, c)| get(c).as_slice()).collect::<Vec<_>>().concat()
    };
    let owner = curves.iter().flat_map(|(i, c)| std::iter::repeat_n(*i, c.voltage_volt.len())).collect();
    DataFrame::new_infer_height(vec![
        counts("record_count", owner),
        numbers("voltage_volt", joined(|c| &c.voltage_volt)),
        numbers("capacity_ah", joined(|c| &c.capacity_ah)),
    ])
}

/// Gives the records their curves.
pub(super) fn fill(records: &mut [Record], frame: &DataFrame) -> std::result::Result<(), PolarsError> {
    let voltage = column(frame, "voltage_volt")?;
    if frame.get_column_index("record_count").is_some() {
        let capacity = column(frame, "capacity_ah")?;
        for (position, from, to) in runs(records, &owners(frame)?) {
            let (voltage_volt, capacity_ah) = (voltage[from..to].to_vec(), capacity[from..to].to_vec());
            records[position].curve = Some(Curve { voltage_volt, capacity_ah });
        }
        return Ok(());
    }
    let named = frame.get_column_names().into_iter();
    let named = named.filter_map(|n| Some((n.as_str(), n.strip_prefix(CURVE_MARK)?.parse::<u32>().ok()?)));
    let (names, owners): (Vec<&str>, Vec<u32>) = named.unzip();
    for (position, at, _) in runs(records, &owners) {
        let capacity_ah = column(frame, names[at])?.into_owned();
        records[position].curve = Some(Curve { voltage_volt: voltage.to_vec(), capacity_ah });
    }
    Ok(())
}

fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
