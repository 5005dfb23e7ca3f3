//! Half cycles that no cell can make: the tester's counter of charge jumped, not the cell.
//!
//! Seven of Severson's 84 cells have such a curve (-9.7 to 48.8 Ah of a cell of 1.1 Ah); one of them rules every slope
//! and every variance over the cycles. They are left out of all families.

use super::statistic::quantile;
use super::{Cycle, EarlyCell, Half, Missing};
use crate::cell::Phase;

/// Charge above what is usual or nominal that is past belief, over the usual [1]: a merged cycle moves 1.4 of it, a
/// slow one after fast ones stays below the nominal.
const EXCESS: f64 = 0.3;

/// Charge below the usual begin of the curve that is past belief, over the usual [1]: noise reads up to 0.03 of it.
const DEFICIT: f64 = 0.05;

/// Multiple of the nominal capacity that no rating misses.
const NOMINAL_MULTIPLE: f64 = 3.0;

/// Returns the most charge that a half cycle is believed to move [Ah], where so much is usual in the window.
pub(super) fn largest_ah(usual_ah: f64, nominal_ah: Option<f64>) -> f64 {
    usual_ah.max(nominal_ah.unwrap_or(0.0)) + EXCESS * usual_ah
}

/// Takes out the half cycles that are past belief and notes their phase in their cycle.
pub(super) fn leave_out(cycles: &mut [Cycle], nominal_ah: Option<f64>) {
    for phase in [Phase::Charge, Phase::Discharge] {
        let reached: Vec<(usize, [f64; 2])> = cycles
            .iter_mut()
            .enumerate()
            .filter_map(|(k, c)| Some((k, reach(half(c, phase).as_ref()?))))
            .collect();
        if reached.is_empty() {
            continue;
        }
        let usual = |value: fn(&[f64; 2]) -> f64| {
            quantile(&reached.iter().map(|(_, r)| value(r)).collect::<Vec<_>>(), 0.5)
        };
        let (low, high, span) = (usual(|r| r[0]), usual(|r| r[1]), usual(|r| r[1] - r[0]));
        let lowest = low - DEFICIT * span;
        let highest = (low + largest_ah(span, nominal_ah)).max(high);
        let rated = nominal_ah.map_or(f64::INFINITY, |nominal| NOMINAL_MULTIPLE * nominal);
        let believed = |r: &[f64; 2]| r[0] >= lowest && r[1] <= highest && r[1] - r[0] <= rated;
        for (position, _) in reached.iter().filter(|(_, r)| !believed(r)) {
            *half(&mut cycles[*position], phase) = None;
            cycles[*position].left_out.push(phase);
        }
    }
}

/// Refuses a cycle whose half cycle was left out.
pub(super) fn check(cell: &EarlyCell, cycle: u32, phase: Phase) -> Result<(), Missing> {
    match cell.cycle(cycle) {
        Some(cycle) if cycle.left_out.contains(&phase) => {
            Err(Missing::Undefined("the named cycle moves more charge than the cell can hold"))
        }
        _ => Ok(()),
    }
}

fn half<'c, 'a>(cycle: &'c mut Cycle<'a>, phase: Phase) -> &'c mut Option<Half<'a>> {
    if phase == Phase::Charge { &mut cycle.charge } else { &mut cycle.discharge }
}

/// Returns the lowest and the highest charge along a half cycle, its curve as the source gives it [Ah].
fn reach(half: &Half) -> [f64; 2] {
    let curve = half.curve().into_iter().flat_map(|c| &c.capacity_ah).copied().filter(|q| q.is_finite());
    let ends = curve.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], q| [low.min(q), high.max(q)]);
    if ends[0] <= ends[1] { ends } else { [0.0, half.moved_ah] }
}

#[cfg(test)]
mod tests {
    use super::super::{Window, catalogue, compute, find};
    use super::*;
    use crate::cell::CellId;
    use crate::dataset::{Cell, CellFacts, Curve, Record};

    const SPIKE: &str = "the named cycle moves more charge than the cell can hold";

    /// Discharges from 3.5 V to 2.0 V that fade by a thousandth a cycle, as curves and as stated capacities.
    fn fading(cycles: impl Iterator<Item = u32>) -> Cell {
        let discharge = |cycle: u32| {
            let capacity = 1.1 - 1e-3 * f64::from(cycle);
            let place = |k: u32| f64::from(k) / 300.0;
            let passed = |k| capacity * (place(k) + 0.1 * (6.0 * place(k)).sin());
            let curve = Curve {
                voltage_volt: (0..=300).map(|k| 3.5 - 1.5 * place(k)).collect(),
                capacity_ah: (0..=300).map(passed).collect(),
            };
            Record {
                cycle_count: Some(cycle),
                stated_capacity_ah: Some(passed(300)),
                curve: Some(curve),
                ..Record::new(cycle, Phase::Discharge)
            }
        };
        let facts = CellFacts { nominal_capacity_ah: Some(1.1), ..CellFacts::default() };
        Cell { id: CellId::new("x"), facts, records: cycles.map(discharge).collect(), table: None }
    }

    /// The spikes that Severson's tables have in cycles 12 and 73.
    fn spike(cell: &mut Cell, cycle: u32, [low, high]: [f64; 2]) {
        let record = cell.records.iter_mut().find(|r| r.cycle_count == Some(cycle)).unwrap();
        let capacity = &mut record.curve.as_mut().unwrap().capacity_ah;
        (capacity[120], capacity[180]) = (low, high);
    }

    #[test]
    fn a_spiked_cycle_is_as_if_it_were_not_there() {
        for spikes in [[-9.7, 48.8], [-0.15, 0.9], [0.3, 1.49]] {
            let mut spiked = fading(2..=100);
            spike(&mut spiked, 12, spikes);
            let without = fading((2..=100).filter(|c| *c != 12));
            let rows: Vec<_> = catalogue().collect();
            let found = compute(&spiked, Window::default(), &rows);
            assert!(found.iter().filter(|v| v.is_ok()).count() > 100);
            for ((row, a), b) in rows.iter().zip(found).zip(compute(&without, Window::default(), &rows)) {
                assert_eq!(a, b, "{} {spikes:?}", row.name);
            }
        }
    }

    #[test]
    fn a_spiked_cycle_that_a_formula_names_is_the_reason() {
        let mut cell = fading(2..=100);
        spike(&mut cell, 100, [-9.7, 48.8]);
        for (name, expected) in [
            ("discharge_capacity_difference_log_variance_100_10", Some(Missing::Undefined(SPIKE))),
            ("discharge_capacity_difference_log_variance_50_10", None),
        ] {
            let found = compute(&cell, Window::default(), &[find(name).unwrap()]).remove(0);
            assert_eq!(found.err(), expected, "{name}");
        }
    }

    #[test]
    fn slow_cycles_among_fast_ones_are_believed() {
        let mut cell = fading(1..=9);
        for record in cell.records.iter_mut().skip(1) {
            record.stated_capacity_ah = record.stated_capacity_ah.map(|q| 0.5 * q);
            record.curve.iter_mut().flat_map(|c| &mut c.capacity_ah).for_each(|q| *q *= 0.5);
        }
        let early = EarlyCell::new(&cell, Window::default());
        assert!(early.cycles.iter().all(|c| c.discharge.is_some() && c.left_out.is_empty()));
    }
}
