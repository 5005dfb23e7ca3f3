//! The rules of the quality report: one row each with name, severity, sentence and threshold.
//!
//! A threshold names its origin. NASA figures are those of the public NASA PCoE battery data set.

use serde::{Deserialize, Serialize};

use crate::dataset::pairing::{FEWEST_SAMPLES, LEAST_CHARGE};

/// Largest capacity of an aborted discharge, as a share of the nominal capacity [1]; 0.05 Ah of NASA's 2 Ah.
pub const ABORTED_SHARE: f64 = 0.025;

/// Largest capacity of an aborted discharge where the nominal capacity is not stated [Ah].
pub const ABORTED_AH: f64 = 0.05;

/// Largest difference of stated and integrated capacity, as a share of the stated one [1].
pub const CAPACITY_MISMATCH: f64 = 0.10;

/// Lowest and highest credible terminal voltage of a lithium cell [V].
pub const VOLTAGE_RANGE: [f64; 2] = [-0.1, 5.0];

/// Highest credible C-rate of a cycler [1/h].
pub const HIGHEST_C_RATE: f64 = 20.0;

/// Lowest and highest credible temperature of a cell under test [degrees Celsius].
pub const TEMPERATURE_RANGE: [f64; 2] = [-40.0, 100.0];

/// Lowest and highest credible capacity of a curve, as a share of the nominal capacity [1].
pub const CURVE_SHARE: [f64; 2] = [-0.05, 1.2];

/// Least charge of a whole first charge, as a share of the cell's usual charge [1].
pub const WHOLE_FIRST_CHARGE: f64 = 0.8;

/// What can be wrong with a cell; the name in files and tables is the snake-case one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the sentence of each rule stands once, in RULES")]
pub enum Rule {
    EmptyCell,
    MissingSamples,
    MissingSpectrum,
    NoSamples,
    MissingSignal,
    TooFewSamples,
    NonFiniteSample,
    DuplicatedTime,
    TimeOutOfOrder,
    VoltageOutOfRange,
    CurrentOutOfRange,
    TemperatureOutOfRange,
    CurveOutOfRange,
    ConstantVoltage,
    UnreadableValue,
    UnparsableCapacity,
    MissingCapacity,
    AbortedDischarge,
    CapacityMismatch,
    DuplicateRecord,
    RecordOutOfOrder,
    NoChargeRecords,
    DischargeWithoutCharge,
    UnusableCharge,
    PartialFirstCharge,
    NonFiniteInput,
    NonFiniteLabel,
    ConstantColumn,
    DuplicatedCycle,
    CycleOutOfOrder,
}

/// How much a finding takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// Some values of the record cannot be trusted.
    Warning,
    /// The record cannot serve its purpose.
    Unusable,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A cell or a whole dataset.
    Cell,
    /// One record.
    Record,
    /// One row of a table of ready-made inputs.
    Row,
}

/// One row of [`RULES`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuleRow {
    /// The rule.
    pub rule: Rule,
    /// Its name in files and tables.
    pub name: &'static str,
    /// What a finding takes away.
    pub severity: Severity,
    /// What the rule looks at.
    pub scope: Scope,
    /// What is wrong, in one sentence.
    pub sentence: &'static str,
    /// What follows for the use of the data.
    pub consequence: &'static str,
    /// Where the rule begins to speak; `None` where any occurrence counts.
    pub threshold: Option<Threshold>,
}

/// Where a rule begins to speak, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// Value.
    pub value: f64,
    /// Unit, `1` for a ratio.
    pub unit: &'static str,
    /// Why this value.
    pub origin: &'static str,
}

impl Rule {
    /// Returns the row of the rule in [`RULES`].
    pub fn row(self) -> &'static RuleRow {
        &RULES[self as usize]
    }

    /// Returns the name in files and tables (`unusable_charge`).
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the rule called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        RULES.iter().find(|row| row.name == name).map(|row| row.rule)
    }
}

/// Every rule, in the order of [`Rule`].
pub const RULES: [RuleRow; 30] = [
    row(Rule::EmptyCell, "empty_cell", Severity::Unusable, Scope::Cell)
        .says("the cell has neither records nor a table nor attributes", "nothing can be learnt from the cell"),
    row(Rule::MissingSamples, "missing_samples", Severity::Unusable, Scope::Record)
        .says("the source lists the record without its samples", "no input can be computed from the record"),
    row(Rule::MissingSpectrum, "missing_spectrum", Severity::Note, Scope::Record)
        .says("the impedance record has no spectrum", "only the resistances that the source states can be used"),
    row(Rule::NoSamples, "no_samples", Severity::Note, Scope::Cell).says(
        "the source gives curves or capacities of the cell and no samples",
        "inputs from samples are missing",
    ),
    row(Rule::MissingSignal, "missing_signal", Severity::Note, Scope::Cell).says(
        "a signal has no finite value in some records of the cell that have samples",
        "inputs from that signal are missing there",
    ),
    row(Rule::TooFewSamples, "too_few_samples", Severity::Unusable, Scope::Record)
        .says("the record has too few samples", "no input can be computed from the record")
        .beyond(
            FEWEST_SAMPLES as f64,
            "samples",
            "between NASA's 5-sample stub (B0005, record 615) and its shortest discharges (9 samples, B0041-B0044)",
        ),
    row(Rule::NonFiniteSample, "non_finite_sample", Severity::Warning, Scope::Record)
        .says("a sample or spectrum point is missing or not finite", "integrals pass over the sample"),
    row(Rule::DuplicatedTime, "duplicated_time", Severity::Warning, Scope::Record)
        .says("a sample has the time of the sample before it", "rates between the two are undefined"),
    row(Rule::TimeOutOfOrder, "time_out_of_order", Severity::Warning, Scope::Record)
        .says("a sample is earlier than the sample before it", "integrals pass over the sample"),
    row(Rule::VoltageOutOfRange, "voltage_out_of_range", Severity::Warning, Scope::Record)
        .says("a voltage is not one of a lithium cell", "extremes of the voltage cannot be trusted")
        .beyond(VOLTAGE_RANGE[1], "V", "-0.1 to 5.0 V: no lithium-ion couple in use exceeds 4.9 V (LNMO)"),
    row(Rule::CurrentOutOfRange, "current_out_of_range", Severity::Warning, Scope::Record)
        .says("a current is higher than a cycler drives", "the integrated capacity cannot be trusted")
        .beyond(HIGHEST_C_RATE, "1/h", "twice the 10 C of the fastest power cells' data sheets"),
    row(Rule::TemperatureOutOfRange, "temperature_out_of_range", Severity::Warning, Scope::Record)
        .says("a temperature is not one of a cell under test", "extremes of the temperature cannot be trusted")
        .beyond(TEMPERATURE_RANGE[1], "degrees Celsius", "-40 to 100: beyond it cells freeze or run away"),
    row(Rule::CurveOutOfRange, "curve_out_of_range", Severity::Warning, Scope::Record)
        .says("a curve holds capacities that the cell cannot have", "whatever is made of the curve there is wrong")
        .beyond(
            CURVE_SHARE[1],
            "of nominal",
            "-0.05 to 1.2: spikes of -9.7 and 49 Ah stand in curves of 1.1 Ah cells (Severson et al. 2019),              whose others hold -0.04 to 0.98",
        ),
    row(Rule::ConstantVoltage, "constant_voltage", Severity::Warning, Scope::Record)
        .says("the voltage never changes although charge flows", "the voltage sensor was stuck"),
    row(Rule::UnreadableValue, "unreadable_value", Severity::Note, Scope::Record)
        .says("the reader could not read a value and left it empty", "the value is missing"),
    row(Rule::UnparsableCapacity, "unparsable_capacity", Severity::Unusable, Scope::Record)
        .says("the stated capacity is not a number", "the discharge has no label"),
    row(Rule::MissingCapacity, "missing_capacity", Severity::Unusable, Scope::Record)
        .says("the discharge states no capacity, others of the cell do", "the discharge has no label"),
    row(Rule::AbortedDischarge, "aborted_discharge", Severity::Unusable, Scope::Record)
        .says("next to nothing came out", "the capacity is not the cell's")
        .beyond(ABORTED_SHARE, "of nominal", "0.05 Ah of 2 Ah: NASA's aborted discharges (B0041 and others)"),
    row(Rule::CapacityMismatch, "capacity_mismatch", Severity::Warning, Scope::Record)
        .says(
            "the stated capacity differs from the integrated current",
            "the source counts another part of the discharge; compare only stated with stated",
        )
        .beyond(
            CAPACITY_MISMATCH,
            "of stated",
            "NASA stops counting at 2.7 V, which is at most 1.7 % on B0005, B0006, B0007 and B0018",
        ),
    row(Rule::DuplicateRecord, "duplicate_record", Severity::Warning, Scope::Record)
        .says("every sample equals those of an earlier record", "one measurement would count twice"),
    row(Rule::RecordOutOfOrder, "record_out_of_order", Severity::Warning, Scope::Record)
        .says("the record begins before the record above it", "what was measured before what is in doubt"),
    row(Rule::NoChargeRecords, "no_charge_records", Severity::Note, Scope::Cell)
        .says("the cell has discharges but no charge records", "inputs from charges are missing"),
    row(Rule::DischargeWithoutCharge, "discharge_without_charge", Severity::Note, Scope::Record).says(
        "no charge lies between the discharge and the one before it",
        "its inputs come from the charge of the discharge before it, if there is one",
    ),
    row(Rule::UnusableCharge, "unusable_charge", Severity::Unusable, Scope::Record)
        .says(
            "the charge before a discharge holds too little to say anything",
            "the discharge after it is answered but not scored",
        )
        .beyond(
            LEAST_CHARGE,
            "of the usual charge",
            "NASA's five unusable charges hold 0.00-0.11 of it, the least usable one 0.49",
        ),
    row(Rule::PartialFirstCharge, "partial_first_charge", Severity::Note, Scope::Record)
        .says("the first charge is only partial, the cell came half full", "its charge says nothing of the capacity")
        .beyond(WHOLE_FIRST_CHARGE, "of the usual charge", "NASA's partial first charges hold 0.49-0.57 of it"),
    row(Rule::NonFiniteInput, "non_finite_input", Severity::Warning, Scope::Row)
        .says("an input of the row is missing or not finite", "the value is imputed or the row set aside"),
    row(Rule::NonFiniteLabel, "non_finite_label", Severity::Unusable, Scope::Row)
        .says("the label of the row is missing or not finite", "the row can be neither trained on nor scored"),
    row(Rule::ConstantColumn, "constant_column", Severity::Note, Scope::Cell)
        .says("the column has one value in all cells", "the input says nothing"),
    row(Rule::DuplicatedCycle, "duplicated_cycle", Severity::Warning, Scope::Row)
        .says("the cycle is that of an earlier row", "one cycle would count twice"),
    row(Rule::CycleOutOfOrder, "cycle_out_of_order", Severity::Warning, Scope::Row)
        .says("the cycle is lower than that of the row above", "what was measured before what is in doubt"),
];

const fn row(rule: Rule, name: &'static str, severity: Severity, scope: Scope) -> RuleRow {
    RuleRow { rule, name, severity, scope, sentence: "", consequence: "", threshold: None }
}

impl RuleRow {
    const fn says(mut self, sentence: &'static str, consequence: &'static str) -> Self {
        self.sentence = sentence;
        self.consequence = consequence;
        self
    }

    const fn beyond(mut self, value: f64, unit: &'static str, origin: &'static str) -> Self {
        self.threshold = Some(Threshold { value, unit, origin });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_enum_and_names_are_those_of_serde() {
        for (position, row) in RULES.iter().enumerate() {
            assert_eq!(row.rule as usize, position);
            assert_eq!(serde_json::to_string(&row.rule).unwrap(), format!("\"{}\"", row.name));
            assert_eq!(Rule::from_name(row.name), Some(row.rule));
            assert!(!row.sentence.is_empty() && !row.consequence.is_empty(), "{}", row.name);
        }
    }
}
