//! Rules on the records of a cell together: order in time, labels that others have, charges before discharges.

use std::collections::BTreeSet;

use super::record::{is_missing, is_summed_up, signals, unparsable_capacity};
use super::{Finding, Rule, WHOLE_FIRST_CHARGE};
use crate::cell::Phase;
use crate::dataset::pairing::{ChargeDefect, Discharge, discharges, net_charge_ah, usual_charge_ah};
use crate::dataset::{Cell, Record};

/// Appends what is wrong with the records of a cell together.
pub(super) fn check(cell: &Cell, findings: &mut Vec<Finding>) {
    check_signals(cell, findings);
    check_order(cell, findings);
    check_labels(cell, findings);
    let pairs = discharges(cell);
    if !pairs.is_empty() && !cell.records.iter().any(|r| r.phase == Phase::Charge) {
        let found = format!("{} discharges, 0 charges", pairs.len());
        findings.push(Finding::of_cell(Rule::NoChargeRecords, cell, pairs.len() as u64, found));
        return;
    }
    check_pairs(cell, &pairs, findings);
    check_first_charge(cell, findings);
}

fn check_signals(cell: &Cell, findings: &mut Vec<Finding>) {
    let n_summed_up = cell.records.iter().filter(|r| is_summed_up(r)).count();
    if n_summed_up > 0 && cell.records.iter().all(|r| r.samples.is_empty()) {
        let found = format!("{n_summed_up} of {} records have a curve or a capacity", cell.records.len());
        findings.push(Finding::of_cell(Rule::NoSamples, cell, n_summed_up as u64, found));
    }
    let with_samples: Vec<&Record> = cell.records.iter().filter(|r| !r.samples.is_empty()).collect();
    for (position, name) in ["time", "voltage", "current", "temperature"].into_iter().enumerate() {
        let n = with_samples.iter().filter(|r| is_missing(signals(&r.samples)[position].1)).count();
        if n > 0 {
            let found = format!("no {name} in {n} of {} records with samples", with_samples.len());
            findings.push(Finding::of_cell(Rule::MissingSignal, cell, n as u64, found));
        }
    }
}

fn check_order(cell: &Cell, findings: &mut Vec<Finding>) {
    let mut latest = f64::NEG_INFINITY;
    for record in &cell.records {
        let Some(begin) = record.unix_time_second else { continue };
        if begin < latest {
            let found = format!("begins {:.0} s before an earlier record", latest - begin);
            findings.push(Finding::of_record(Rule::RecordOutOfOrder, cell, record, 1, found));
        }
        latest = latest.max(begin);
    }
}

fn check_labels(cell: &Cell, findings: &mut Vec<Finding>) {
    let discharges = || cell.records.iter().filter(|r| r.phase == Phase::Discharge);
    let n_stated = discharges().filter(|r| r.stated_capacity_ah.is_some()).count();
    if n_stated == 0 {
        return;
    }
    for record in discharges().filter(|r| r.stated_capacity_ah.is_none() && unparsable_capacity(r).is_none())
    {
        let found = format!("no capacity; {n_stated} other discharges state theirs");
        findings.push(Finding::of_record(Rule::MissingCapacity, cell, record, 1, found));
    }
}

fn check_pairs(cell: &Cell, pairs: &[Discharge], findings: &mut Vec<Finding>) {
    let mut reported = BTreeSet::new();
    for pair in pairs {
        let discharge = &cell.records[pair.discharge_idx];
        if !pair.charge_is_own {
            let shared = pair.charge_idx.map(|c| format!("the latest is record {}", cell.records[c].index));
            let found = format!("no charge of its own; {}", shared.as_deref().unwrap_or("none before it"));
            findings.push(Finding::of_record(Rule::DischargeWithoutCharge, cell, discharge, 1, found));
        }
        // A charge without samples is one that the source left out, which `missing_samples` says.
        let Some((charge_idx, defect)) = pair.charge_idx.zip(pair.charge_unusable) else { continue };
        if defect != ChargeDefect::NoSamples && reported.insert(charge_idx) {
            let found = format!("{defect}; before discharge record {}", discharge.index);
            let charge = &cell.records[charge_idx];
            findings.push(Finding::of_record(Rule::UnusableCharge, cell, charge, 1, found));
        }
    }
}

fn check_first_charge(cell: &Cell, findings: &mut Vec<Finding>) {
    let moving = |phase| matches!(phase, Phase::Charge | Phase::Discharge | Phase::Cycle);
    let first = cell.records.iter().find(|r| moving(r.phase)).filter(|r| r.phase == Phase::Charge);
    let charge_ah = first.and_then(|r| net_charge_ah(&r.samples));
    let (Some(record), Some(charge_ah), Some(usual_ah)) = (first, charge_ah, usual_charge_ah(cell)) else {
        return;
    };
    if charge_ah < WHOLE_FIRST_CHARGE * usual_ah {
        let found = format!("{charge_ah:.4} Ah went in, usual are {usual_ah:.3} Ah");
        findings.push(Finding::of_record(Rule::PartialFirstCharge, cell, record, 1, found));
    }
}
