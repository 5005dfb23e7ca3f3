//! The MATR cells (Severson et al. 2019): what is known of all of them, their charging policies, their summaries.
//!
//! 124 commercial LFP/graphite cells (A123 APR18650M1A), charged fast by a policy `3.6C(80%)-3.6C` (3.6 C up to 80 % of
//! charge, then 3.6 C), then at 1 C to 3.6 V, and discharged at 4 C to 2.0 V. Sources of the numbers: `[Severson2019]`.

pub mod batch;
pub mod severson;

mod headerless;
mod set;

use super::collect;
use crate::cell::Chemistry;
use crate::dataset::{Attribute, CellFacts, CycleColumn, CycleTable};

/// Nominal capacity [Ah].
const NOMINAL_CAPACITY_AH: f64 = 1.1;

/// SoH at the end of life [1]: the cycle life is that of 0.88 Ah.
const EOL_SOH: f64 = 0.8;

/// Cut-offs of the discharge and of the charge [V].
const CUTOFFS_VOLT: [f64; 2] = [2.0, 3.6];

/// Seconds in a minute; the source states times in minutes.
const SECONDS_PER_MINUTE: f64 = 60.0;

/// Columns of the source's summary: its name, ours, the unit, the factor to it, whether it is a label.
const SUMMARY: [(&str, &str, &str, f64, bool); 7] = [
    ("QDischarge", "discharge_capacity", "Ah", 1.0, true),
    ("QCharge", "charge_capacity", "Ah", 1.0, false),
    ("IR", "internal_resistance", "ohm", 1.0, false),
    ("Tmax", "cycle_temperature_max", "degrees Celsius", 1.0, false),
    ("Tavg", "cycle_temperature_mean", "degrees Celsius", 1.0, false),
    ("Tmin", "cycle_temperature_min", "degrees Celsius", 1.0, false),
    ("chargetime", "charge_duration", "s", SECONDS_PER_MINUTE, false),
];

/// Returns what is known of a cell with this charging policy and cycle life.
fn facts(policy: Option<&str>, cycle_life: Option<f64>) -> CellFacts {
    let mut facts = CellFacts {
        chemistry: Chemistry::Lfp,
        nominal_capacity_ah: Some(NOMINAL_CAPACITY_AH),
        eol_soh: Some(EOL_SOH),
        discharge_cutoff_volt: Some(CUTOFFS_VOLT[0]),
        charge_cutoff_volt: Some(CUTOFFS_VOLT[1]),
        cycle_life,
        group: policy.map(str::to_owned),
        ..CellFacts::default()
    };
    let Some(policy) = policy else { return facts };
    facts.notes.insert("policy".into(), policy.into());
    let Some([first, soc, second]) = parse_policy(policy) else {
        collect::note(&mut facts, &format!("policy `{policy}` is not of the form `3.6C(80%)-3.6C`"));
        return facts;
    };
    for (name, value, unit) in [
        ("policy_first_c_rate", first, "1/h"),
        ("policy_switch_soc", soc, "1"),
        ("policy_second_c_rate", second, "1/h"),
    ] {
        facts.attributes.insert(name.into(), Attribute { value, unit: unit.into() });
    }
    facts
}

/// Returns first rate [1/h], SoC at which it ends [1] and second rate [1/h] of `3.6C(80%)-3.6C`.
fn parse_policy(policy: &str) -> Option<[f64; 3]> {
    let (first, rest) = policy.split_once("C(")?;
    let (soc, rest) = rest.split_once("%)-")?;
    let (second, _) = rest.split_once('C')?;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    Some([number(first)?, number(soc)? / 100.0, number(second)?])
}

/// Returns the table of a summary; `column` returns a column of the source by its name, if it is there.
///
/// The source writes 0 where it measured nothing: such values are missing here, and a cycle of which nothing was
/// measured (the first of batch 1) has no row.
fn summary_table(cycle_count: &[u32], column: &mut dyn FnMut(&str) -> Option<Vec<f64>>) -> CycleTable {
    let measured = |v: f64| if v.is_finite() && v.abs() > 0.0 { v } else { f64::NAN };
    let columns = SUMMARY.iter().filter_map(|&(theirs, name, unit, factor, label)| {
        let values = column(theirs)?.into_iter().map(|v| factor * measured(v)).collect();
        Some(CycleColumn { name: name.into(), unit: unit.into(), label, values })
    });
    let mut columns: Vec<CycleColumn> = columns.collect();
    let is_row = |row: &usize| columns.iter().any(|c| c.values[*row].is_finite());
    let rows: Vec<usize> = (0..cycle_count.len()).filter(is_row).collect();
    for column in &mut columns {
        column.values = rows.iter().map(|&row| column.values[row]).collect();
    }
    CycleTable { cycle_count: rows.iter().map(|&row| cycle_count[row]).collect(), columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_two_rates_and_a_switch() {
        for (policy, expected) in [
            ("3.6C(80%)-3.6C", Some([3.6, 0.8, 3.6])),
            ("8C(15%)-3.6C", Some([8.0, 0.15, 3.6])),
            ("5.3C(54%)-4C-newstructure", Some([5.3, 0.54, 4.0])),
            ("3.6C(2%)-4.85C", Some([3.6, 0.02, 4.85])),
            ("4C", None),
            ("C(%)-C", None),
            ("infC(80%)-1C", None),
        ] {
            assert_eq!(parse_policy(policy), expected, "{policy}");
        }
        let facts = facts(Some("1C"), None);
        assert!(facts.attributes.is_empty() && facts.notes[collect::READER_NOTES].contains("`1C`"));
    }

    #[test]
    fn zeros_of_a_summary_are_missing_and_minutes_are_seconds() {
        let table = summary_table(&[1, 2, 3], &mut |name| match name {
            "chargetime" => Some(vec![0.0, 10.0, 0.0]),
            "IR" => Some(vec![0.0, 0.017, 0.018]),
            _ => None,
        });
        assert_eq!(table.cycle_count, [2, 3], "nothing was measured in cycle 1");
        assert_eq!((table.columns.len(), table.columns[1].values[0]), (2, 600.0));
        assert!(table.columns[1].values[1].is_nan());
    }
}
