//! Which charge and which spectrum belong to a discharge: what was measured just before it.
//!
//! A discharge is paired with the latest charge before it. That charge is its own when no other discharge lies
//! between the two; a discharge without one of its own shares the charge of the discharge before it (NASA PCoE,
//! record 312 of B0005, B0006 and B0007). A charge that holds too little to say anything is named, with the reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cell, Record, Samples};
use crate::cell::{Phase, health};

/// Fewest samples of a usable record: NASA PCoE's stub (B0005, record 615) has 5, its shortest discharges have 9.
pub const FEWEST_SAMPLES: usize = 8;

/// Least charge of a usable charge, as a share of the cell's usual charge [1].
///
/// The five unusable charges of B0005, B0006, B0007 and B0018 hold 0.00-0.11 of it, the least usable one (a partial
/// first charge) 0.49; 0.2 lies between.
pub const LEAST_CHARGE: f64 = 0.2;

/// A discharge and what was measured before it; positions count in `cell.records`, from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Discharge {
    /// Position of the discharge.
    pub discharge_idx: usize,
    /// Number of discharges of the cell so far, this one included: 1, 2, ...
    pub ordinal: u32,
    /// Position of the latest charge before it; `None` where there is none.
    pub charge_idx: Option<usize>,
    /// Whether no other discharge lies between that charge and this discharge.
    pub charge_is_own: bool,
    /// Why that charge cannot be used; `None` where it can, and where there is no charge.
    pub charge_unusable: Option<ChargeDefect>,
    /// Position of the latest impedance record before it.
    pub impedance_idx: Option<usize>,
}

impl Discharge {
    /// Returns the position of the charge if it can be used, own or shared.
    pub fn usable_charge_idx(&self) -> Option<usize> {
        self.charge_idx.filter(|_| self.charge_unusable.is_none())
    }
}

/// Why a charge says nothing about the discharge after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeDefect {
    /// The source lists the charge without its samples.
    NoSamples,
    /// It has fewer than [`FEWEST_SAMPLES`] samples.
    FewSamples {
        /// Samples that it has.
        n_samples: usize,
    },
    /// Less went in than [`LEAST_CHARGE`] of what is usual for the cell.
    LittleCharge {
        /// Charge that went in [Ah].
        charge_ah: f64,
        /// Usual charge of the cell [Ah].
        usual_ah: f64,
    },
}

impl fmt::Display for ChargeDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSamples => write!(f, "no samples"),
            Self::FewSamples { n_samples } => write!(f, "{n_samples} samples"),
            Self::LittleCharge { charge_ah, usual_ah } => {
                write!(f, "{charge_ah:.4} Ah went in, usual are {usual_ah:.3} Ah")
            }
        }
    }
}

/// Returns every discharge of the cell, in its order, with what was measured before it.
pub fn discharges(cell: &Cell) -> Vec<Discharge> {
    let usual_ah = usual_charge_ah(cell);
    let mut found: Vec<Discharge> = Vec::new();
    let (mut charge_idx, mut charge_is_own, mut impedance_idx) = (None, false, None);
    for (idx, record) in cell.records.iter().enumerate() {
        match record.phase {
            Phase::Charge => (charge_idx, charge_is_own) = (Some(idx), true),
            Phase::Impedance => impedance_idx = Some(idx),
            Phase::Discharge => {
                let ordinal = found.len() as u32 + 1;
                let charge_unusable = charge_idx.and_then(|c: usize| defect(&cell.records[c], usual_ah));
                found.push(Discharge {
                    discharge_idx: idx,
                    ordinal,
                    charge_idx,
                    charge_is_own,
                    charge_unusable,
                    impedance_idx,
                });
                charge_is_own = false;
            }
            Phase::Rest | Phase::Gitt | Phase::Cycle => {}
        }
    }
    found
}

/// Returns the usual charge of a cell [Ah]: the median over its charges that have samples; `None` without any.
pub fn usual_charge_ah(cell: &Cell) -> Option<f64> {
    let mut charges: Vec<f64> = (cell.records.iter())
        .filter(|r| r.phase == Phase::Charge && r.samples.len() >= FEWEST_SAMPLES)
        .filter_map(|r| net_charge_ah(&r.samples))
        .collect();
    charges.sort_by(f64::total_cmp);
    (!charges.is_empty()).then(|| 0.5 * (charges[(charges.len() - 1) / 2] + charges[charges.len() / 2]))
}

/// Returns the charge that went in [Ah], negative when it came out; `None` with fewer than two finite samples.
///
/// Samples with a missing time or current, and samples that do not advance in time, are passed over.
pub fn net_charge_ah(samples: &Samples) -> Option<f64> {
    let (mut time_second, mut current_ampere) = (Vec::new(), Vec::new());
    for (&t, &i) in samples.time_second.iter().zip(&samples.current_ampere) {
        if t.is_finite() && i.is_finite() && time_second.last().is_none_or(|&last| t > last) {
            time_second.push(t);
            current_ampere.push(i);
        }
    }
    (time_second.len() > 1).then(|| health::charge_throughput(&time_second, &current_ampere))
}

fn defect(charge: &Record, usual_ah: Option<f64>) -> Option<ChargeDefect> {
    let n_samples = charge.samples.len();
    if n_samples == 0 {
        return Some(ChargeDefect::NoSamples);
    }
    if n_samples < FEWEST_SAMPLES {
        return Some(ChargeDefect::FewSamples { n_samples });
    }
    let usual_ah = usual_ah?;
    let charge_ah = net_charge_ah(&charge.samples).unwrap_or(0.0);
    (charge_ah < LEAST_CHARGE * usual_ah).then_some(ChargeDefect::LittleCharge { charge_ah, usual_ah })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::quality::example::{cell, nasa_sequence, record};

    #[test]
    fn a_discharge_takes_the_charge_and_the_spectrum_just_before_it() {
        use Phase::{Charge, Discharge, Impedance};
        let cell = cell(&[
            (Discharge, -1.0),
            (Charge, 1.6),
            (Impedance, 0.0),
            (Discharge, -1.5),
            (Impedance, 0.0),
            (Discharge, -1.4),
        ]);
        let found: Vec<_> = (discharges(&cell).iter())
            .map(|d| (d.discharge_idx, d.ordinal, d.charge_idx, d.charge_is_own, d.impedance_idx))
            .collect();
        let expected =
            [(0, 1, None, false, None), (3, 2, Some(1), true, Some(2)), (5, 3, Some(1), false, Some(4))];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_reason_of_an_unusable_charge_is_a_fact() {
        let mut cell = cell(&[
            (Phase::Charge, 1.5),
            (Phase::Discharge, -1.5),
            (Phase::Charge, 0.299),
            (Phase::Discharge, -1.5),
            (Phase::Charge, 0.301),
            (Phase::Discharge, -1.5),
            (Phase::Charge, 1.5),
            (Phase::Discharge, -1.5),
            (Phase::Charge, 1.5),
        ]);
        cell.records[6].samples = Samples::default();
        cell.records.push(record(9, Phase::Charge, 1.5));
        let defects: Vec<_> = discharges(&cell).iter().map(|d| d.charge_unusable).collect();
        let little = ChargeDefect::LittleCharge { charge_ah: 0.299, usual_ah: 1.5 };
        assert_eq!(defects[0], None);
        assert_eq!(defects[1].unwrap().to_string(), little.to_string());
        assert_eq!(defects[2], None);
        assert_eq!(defects[3], Some(ChargeDefect::NoSamples));
    }

    #[test]
    fn net_charge_passes_over_missing_samples_and_steps_back_in_time() {
        let samples = Samples {
            time_second: vec![0.0, 1800.0, 900.0, f64::NAN, 2700.0, 3600.0],
            current_ampere: vec![-2.0, -2.0, 99.0, 99.0, f64::NAN, -2.0],
            ..Samples::default()
        };
        assert!((net_charge_ah(&samples).unwrap() + 2.0).abs() < 1e-12);
        assert_eq!(net_charge_ah(&Samples::default()), None);
    }

    #[test]
    fn nasa_has_636_discharges_of_which_631_have_a_usable_charge_and_three_share_one() {
        let pairs: Vec<_> = nasa_sequence().iter().flat_map(discharges).collect();
        assert_eq!(pairs.len(), 636);
        assert_eq!(pairs.iter().filter(|d| d.usable_charge_idx().is_some()).count(), 631);
        let shared: Vec<_> = pairs.iter().filter(|d| !d.charge_is_own).map(|d| d.discharge_idx).collect();
        assert_eq!(shared, [312, 312, 312]);
    }
}
