//! Quantities of each cycle: measured once a cell, remembered, and handed out as series over its cycles.
//!
//! A half cycle that moved less than a fifth of what is usual in the window says nothing and is left out, and so is
//! an efficiency above 1.05: such a cycle did not begin where the one before it ended. What the source gives in its
//! own table, one cycle a row, stands where nothing is measured.

use super::flow::Flow;
use super::measure::{mean_ampere, measure, temperature_hours};
use super::quantity::{Quantity, Quantity as Q};
use super::statistic::Series;
use super::{EarlyCell, Missing};
use crate::cell::health;
use crate::dataset::{Cell, CycleColumn, pairing::LEAST_CHARGE};

/// Largest coulombic efficiency of a cycle that ends where it began [1]: 1 and the offset of two sensors.
const LARGEST_EFFICIENCY: f64 = 1.05;

/// Number of quantities.
const COUNT: usize = Q::CycleDuration as usize + 1;

/// Quantities of one cycle, NaN where missing.
pub(super) type Row = [f64; COUNT];

/// Every quantity of every cycle of a cell.
#[derive(Debug)]
pub(crate) struct Table {
    /// Cycles and values by quantity, finite ones only.
    columns: Vec<(Vec<f64>, Vec<f64>)>,
}

impl EarlyCell<'_> {
    /// Returns a quantity over the cycles of the window, those left out that lack it.
    ///
    /// # Errors
    /// [`Missing::No`] what it is measured from, where no cycle has it.
    pub fn series(&self, quantity: Quantity) -> Result<Series<'_>, Missing> {
        let table = self.table.get_or_init(|| Table::new(self));
        let (cycle, value) = &table.columns[quantity as usize];
        if value.is_empty() { Err(self.reason(quantity)) } else { Ok(Series { cycle, value }) }
    }

    /// Returns why no cycle has a quantity: one that it is made of is missing, or what the quantity says itself.
    fn reason(&self, quantity: Quantity) -> Missing {
        let missing = quantity.parts().iter().find_map(|&part| self.series(part).err());
        missing.unwrap_or_else(|| quantity.absence())
    }
}

impl Table {
    fn new(early: &EarlyCell) -> Self {
        let counts = counts(early);
        let mut rows = vec![[f64::NAN; COUNT]; counts.len()];
        let mut flow = Flow::default();
        for cycle in &early.cycles {
            if let Ok(position) = counts.binary_search(&cycle.count) {
                measure(cycle, &mut flow, &mut rows[position]);
            }
        }
        leave_out(&mut rows, Q::DischargeCapacity, Q::LoadResistance);
        leave_out(&mut rows, Q::ChargeCapacity, Q::CvCurrentEnd);
        derive_temperatures(&mut rows);
        take_columns(early.cell, &counts, &mut rows);
        derive(&mut rows, early.nominal_ah);
        derive_endpoints(&mut rows, &counts);
        derive_times(&mut rows, &counts);
        Self { columns: (0..COUNT).map(|quantity| finite(&counts, &rows, quantity)).collect() }
    }
}

/// Returns the cycles that have a record or a row of the source's table, ascending.
fn counts(early: &EarlyCell) -> Vec<u32> {
    let tabled = early.cell.table.iter().flat_map(|t| &t.cycle_count).copied();
    let mut counts: Vec<u32> = early.cycles.iter().map(|c| c.count).collect();
    counts.extend(tabled.filter(|&c| early.window.contains(c)));
    counts.sort_unstable();
    counts.dedup();
    counts
}

fn finite(counts: &[u32], rows: &[Row], quantity: usize) -> (Vec<f64>, Vec<f64>) {
    let values = counts.iter().zip(rows).map(|(&count, row)| (f64::from(count), row[quantity]));
    values.filter(|(_, value)| value.is_finite()).unzip()
}

/// Leaves out the half cycles that moved too little; their quantities stand from `capacity` to `last`.
fn leave_out(rows: &mut [Row], capacity: Quantity, last: Quantity) {
    let mut moved: Vec<f64> = rows.iter().map(|r| r[capacity as usize]).filter(|q| q.is_finite()).collect();
    if moved.is_empty() {
        return;
    }
    let middle = moved.len() / 2;
    let least = LEAST_CHARGE * *moved.select_nth_unstable_by(middle, f64::total_cmp).1;
    for row in rows.iter_mut().filter(|row| row[capacity as usize] < least) {
        row[capacity as usize..=last as usize].fill(f64::NAN);
    }
}

/// Returns the column `name` of the source's table, unless it is a label.
pub(crate) fn column<'a>(cell: &'a Cell, name: &str) -> Option<&'a CycleColumn> {
    cell.table.as_ref()?.columns.iter().find(|c| c.name == name && !c.label)
}

fn take_columns(cell: &Cell, counts: &[u32], rows: &mut [Row]) {
    let Some(table) = &cell.table else { return };
    for quantity in [
        Q::DischargeCapacity,
        Q::ChargeCapacity,
        Q::ChargeDuration,
        Q::InternalResistance,
        Q::CycleTemperatureMax,
        Q::CycleTemperatureMin,
        Q::CycleTemperature,
    ] {
        let measured = rows.iter().any(|row| row[quantity as usize].is_finite());
        let given = quantity.column().and_then(|name| column(cell, name));
        let Some(given) = given.filter(|_| !measured) else { continue };
        for (count, &value) in table.cycle_count.iter().zip(&given.values) {
            if let Ok(position) = counts.binary_search(count) {
                rows[position][quantity as usize] = value;
            }
        }
    }
}

fn derive_temperatures(rows: &mut [Row]) {
    for row in rows {
        let get = |quantity: Quantity| row[quantity as usize];
        let highest = get(Q::ChargeTemperatureMax).max(get(Q::DischargeTemperatureMax));
        let lowest = get(Q::ChargeTemperatureMin).min(get(Q::DischargeTemperatureMin));
        let charge = temperature_hours(get(Q::ChargeTemperature), get(Q::ChargeDuration));
        let discharge = temperature_hours(get(Q::DischargeTemperature), get(Q::DischargeDuration));
        let hours = temperature_hours(1.0, get(Q::ChargeDuration) + get(Q::DischargeDuration));
        row[Q::CycleTemperatureMax as usize] = highest;
        row[Q::CycleTemperatureMin as usize] = lowest;
        row[Q::CycleTemperature as usize] = (charge + discharge) / hours;
        row[Q::TemperatureTime as usize] = charge + discharge;
    }
}

fn derive(rows: &mut [Row], nominal_ah: Option<f64>) {
    let nominal = nominal_ah.unwrap_or(f64::NAN);
    let full = rows.iter().map(|r| r[Q::DischargeCapacity as usize]).fold(f64::NAN, f64::max);
    for row in rows {
        let get = |quantity: Quantity| row[quantity as usize];
        let (out, into) = (get(Q::DischargeCapacity), get(Q::ChargeCapacity));
        let (out_ampere, into_ampere) =
            (mean_ampere(out, get(Q::DischargeDuration)), mean_ampere(into, get(Q::ChargeDuration)));
        let coulombic = health::coulombic_efficiency(out, into);
        let closed = if coulombic <= LARGEST_EFFICIENCY { 1.0 } else { f64::NAN };
        let hysteresis = get(Q::ChargeVoltage) - get(Q::DischargeVoltage);
        let (out_wh, into_wh) = (get(Q::DischargeEnergy), get(Q::ChargeEnergy));
        for (quantity, value) in [
            (Q::CoulombicEfficiency, closed * coulombic),
            (Q::EnergyEfficiency, closed * health::energy_efficiency(out_wh, into_wh)),
            (Q::CapacityLoss, closed * (into - out)),
            (Q::EnergyLoss, closed * (into_wh - out_wh)),
            (Q::Hysteresis, hysteresis),
            (Q::MidHysteresis, get(Q::ChargeVoltageMid) - get(Q::DischargeVoltageMid)),
            (Q::ApparentResistance, hysteresis / (out_ampere + into_ampere)),
            (Q::CvShare, get(Q::CvCapacity) / into),
            (Q::ChargeRate, health::c_rate(into_ampere, nominal)),
            (Q::DischargeRate, health::c_rate(out_ampere, nominal)),
            (Q::Depth, health::dod(1.0, health::soc(full - out, full))),
        ] {
            row[quantity as usize] = value;
        }
    }
}

/// Follows the end points of charge and discharge [Smith2011]; cycles between two recorded ones lose as the first does.
fn derive_endpoints(rows: &mut [Row], counts: &[u32]) {
    let mut discharged = 0.0;
    for (position, row) in rows.iter_mut().enumerate() {
        let loss = row[Q::CapacityLoss as usize];
        if !loss.is_finite() {
            continue;
        }
        let gap = counts.get(position + 1).map_or(1, |next| next - counts[position]);
        row[Q::ChargeEndpoint as usize] = discharged + row[Q::ChargeCapacity as usize];
        row[Q::DischargeEndpoint as usize] = discharged + loss;
        discharged += loss * f64::from(gap);
    }
}

fn derive_times(rows: &mut [Row], counts: &[u32]) {
    let positive = |second: f64| if second >= 0.0 { second } else { f64::NAN };
    for position in 0..rows.len() {
        let next = rows.get(position + 1).filter(|_| counts[position + 1] == counts[position] + 1);
        let (next_begin, next_charge) =
            next.map_or((f64::NAN, f64::NAN), |r| (r[Q::Begin as usize], r[Q::ChargeBegin as usize]));
        let row = &mut rows[position];
        let charged = row[Q::DischargeBegin as usize] - row[Q::ChargeEnd as usize];
        row[Q::RestCharged as usize] = positive(charged);
        row[Q::RestDischarged as usize] = positive(next_charge - row[Q::DischargeEnd as usize]);
        row[Q::CycleDuration as usize] = positive(next_begin - row[Q::Begin as usize]);
    }
}
