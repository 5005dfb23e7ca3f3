//! Rules on one record: its samples, its stated capacity, what the reader could not read, and its twins.

use std::collections::BTreeMap;

use super::{
    ABORTED_AH, ABORTED_SHARE, CAPACITY_MISMATCH, CURVE_SHARE, Finding, HIGHEST_C_RATE, Rule,
    TEMPERATURE_RANGE, VOLTAGE_RANGE,
};
use crate::cell::Phase;
use crate::dataset::pairing::{FEWEST_SAMPLES, net_charge_ah};
use crate::dataset::{Cell, Record, Samples, Spectrum};

/// Begin of a reader's note about a stated capacity that is no number.
const CAPACITY_NOTE: &str = "capacity";

/// Appends what is wrong with one record.
pub(super) fn check(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    check_presence(cell, record, findings);
    check_samples(cell, record, findings);
    check_ranges(cell, record, findings);
    check_curve(cell, record, findings);
    check_notes(cell, record, findings);
    check_capacity(cell, record, findings);
}

/// Returns what a stated capacity is that is no finite number; `None` where it is one or nothing is stated.
pub(super) fn unparsable_capacity(record: &Record) -> Option<String> {
    match record.stated_capacity_ah {
        Some(ah) if ah.is_finite() => None,
        Some(ah) => Some(format!("capacity: {ah}")),
        None => record.reader_notes.iter().find(|note| is_capacity_note(note)).cloned(),
    }
}

/// Records of all cells so far, to find those that are there twice.
#[derive(Default)]
pub(super) struct Duplicates<'a> {
    seen: BTreeMap<Outline, Vec<(&'a Cell, &'a Record)>>,
}

/// Phase, number of samples and bits of some end points; records of unequal outline are unequal.
type Outline = (Phase, usize, [u64; 4]);

impl<'a> Duplicates<'a> {
    /// Appends a finding if an earlier record has the same samples, and remembers this one.
    pub(super) fn check(&mut self, cell: &'a Cell, record: &'a Record, findings: &mut Vec<Finding>) {
        let samples = &record.samples;
        if samples.len() < FEWEST_SAMPLES {
            return;
        }
        let outline = (record.phase, samples.len(), end_points(samples));
        let twins = self.seen.entry(outline).or_default();
        if let Some((first_cell, first)) = twins.iter().find(|(_, r)| equal_samples(&r.samples, samples)) {
            let found = format!("equals record {} of {}", first.index, first_cell.id);
            findings.push(Finding::of_record(Rule::DuplicateRecord, cell, record, 1, found));
        } else {
            twins.push((cell, record));
        }
    }
}

fn check_presence(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    let n_samples = record.samples.len();
    if let Some(rule) = missing(record) {
        let notes: Vec<&str> = other_notes(record).map(String::as_str).collect();
        let found = if notes.is_empty() { format!("{n_samples} samples") } else { notes.join("; ") };
        findings.push(Finding::of_record(rule, cell, record, 1, found));
    } else if record.phase != Phase::Impedance && !is_summed_up(record) && n_samples < FEWEST_SAMPLES {
        let found = format!("{n_samples} samples");
        findings.push(Finding::of_record(Rule::TooFewSamples, cell, record, n_samples, found));
    }
}

/// Returns the rule for what the record should hold and does not.
fn missing(record: &Record) -> Option<Rule> {
    match record.phase {
        _ if !record.samples.is_empty() || is_summed_up(record) => None,
        Phase::Impedance if record.spectrum.as_ref().is_some_and(|s| !s.real_ohm.is_empty()) => None,
        Phase::Impedance => Some(Rule::MissingSpectrum),
        _ => Some(Rule::MissingSamples),
    }
}

/// Returns whether the source gives no samples of the record but what matters in them: its curve, or its capacity.
///
/// A note of the reader says that there should be samples.
pub(super) fn is_summed_up(record: &Record) -> bool {
    let stated = record.phase == Phase::Discharge && record.stated_capacity_ah.is_some();
    record.samples.is_empty() && (record.curve.is_some() || (stated && record.reader_notes.is_empty()))
}

fn check_samples(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    let samples = &record.samples;
    let time: Vec<f64> = samples.time_second.iter().copied().filter(|t| t.is_finite()).collect();
    let gaps = n_gaps(samples) + record.spectrum.as_ref().map_or(0, n_non_finite) + n_curve_gaps(record);
    let repeats = time.windows(2).filter(|t| (t[0] - t[1]).abs() <= 0.0).count();
    let backward = time.windows(2).filter(|t| t[1] < t[0]).count();
    let spectrum_len = record.spectrum.as_ref().map_or(0, |s| s.real_ohm.len());
    let of = samples.len().max(spectrum_len).max(record.curve.as_ref().map_or(0, |c| c.voltage_volt.len()));
    for (rule, count) in
        [(Rule::NonFiniteSample, gaps), (Rule::DuplicatedTime, repeats), (Rule::TimeOutOfOrder, backward)]
    {
        if count > 0 {
            let found = format!("{count} of {of} samples");
            findings.push(Finding::of_record(rule, cell, record, count, found));
        }
    }
    if is_stuck(samples) {
        let found = format!("{} V in all {of} samples", samples.voltage_volt[0]);
        findings.push(Finding::of_record(Rule::ConstantVoltage, cell, record, of, found));
    }
}

/// Returns the number of samples that lack a value of a signal which the record has.
fn n_gaps(samples: &Samples) -> usize {
    let present = signals(samples).map(|(_, signal)| signal).into_iter().filter(|signal| !is_missing(signal));
    let present: Vec<&[f64]> = present.collect();
    (0..samples.len()).filter(|&k| present.iter().any(|signal| !signal[k].is_finite())).count()
}

/// Returns whether a signal has no finite value.
pub(super) fn is_missing(signal: &[f64]) -> bool {
    !signal.iter().any(|x| x.is_finite())
}

/// Returns the number of points without a finite impedance; a source need not state frequencies.
fn n_non_finite(spectrum: &Spectrum) -> usize {
    let parts = spectrum.real_ohm.iter().zip(&spectrum.imaginary_ohm);
    parts.filter(|(re, im)| !re.is_finite() || !im.is_finite()).count()
}

/// Returns the number of points of a curve that lack their voltage or capacity.
fn n_curve_gaps(record: &Record) -> usize {
    let points = record.curve.iter().flat_map(|c| c.voltage_volt.iter().zip(&c.capacity_ah));
    points.filter(|(v, q)| !v.is_finite() || !q.is_finite()).count()
}

/// Returns unit and values of time, voltage, current and temperature.
pub(super) fn signals(samples: &Samples) -> [(&'static str, &[f64]); 4] {
    [
        ("s", &samples.time_second),
        ("V", &samples.voltage_volt),
        ("A", &samples.current_ampere),
        ("degrees Celsius", &samples.temperature_celsius),
    ]
}

fn is_stuck(samples: &Samples) -> bool {
    let voltage = &samples.voltage_volt;
    let flows = || net_charge_ah(samples).is_some_and(|ah| ah.abs() > ABORTED_AH);
    voltage.len() >= FEWEST_SAMPLES && voltage.windows(2).all(|v| (v[0] - v[1]).abs() <= 0.0) && flows()
}

fn check_ranges(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    let samples = &record.samples;
    let highest_ampere = cell.facts.nominal_capacity_ah.map_or(f64::INFINITY, |ah| HIGHEST_C_RATE * ah);
    let current_range = [-highest_ampere, highest_ampere];
    for (rule, (unit, values), range) in [
        (Rule::VoltageOutOfRange, signals(samples)[1], VOLTAGE_RANGE),
        (Rule::CurrentOutOfRange, signals(samples)[2], current_range),
        (Rule::TemperatureOutOfRange, signals(samples)[3], TEMPERATURE_RANGE),
    ] {
        let outside: Vec<f64> =
            values.iter().copied().filter(|&x| x.is_finite() && (x < range[0] || x > range[1])).collect();
        if let Some(&worst) = outside.iter().max_by(|a, b| a.abs().total_cmp(&b.abs())) {
            let found = format!("{} of {} samples, up to {worst:.3} {unit}", outside.len(), values.len());
            findings.push(Finding::of_record(rule, cell, record, outside.len(), found));
        }
    }
}

fn check_curve(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    let Some((curve, nominal_ah)) = record.curve.as_ref().zip(cell.facts.nominal_capacity_ah) else { return };
    let range = CURVE_SHARE.map(|share| share * nominal_ah);
    let outside = |q: &&f64| q.is_finite() && !(range[0]..=range[1]).contains(*q);
    let outside: Vec<f64> = curve.capacity_ah.iter().filter(outside).copied().collect();
    if let Some(worst) = outside.iter().max_by(|a, b| a.abs().total_cmp(&b.abs())) {
        let found = format!("{} of {} points, up to {worst:.3} Ah", outside.len(), curve.capacity_ah.len());
        findings.push(Finding::of_record(Rule::CurveOutOfRange, cell, record, outside.len(), found));
    }
}

fn check_notes(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    if let Some(found) = unparsable_capacity(record) {
        findings.push(Finding::of_record(Rule::UnparsableCapacity, cell, record, 1, found));
    }
    // Where nothing is there, the notes say why and stand in that finding.
    if missing(record).is_none() {
        for note in other_notes(record) {
            findings.push(Finding::of_record(Rule::UnreadableValue, cell, record, 1, note.clone()));
        }
    }
}

/// Returns the notes on anything but an unparsable capacity.
fn other_notes(record: &Record) -> impl Iterator<Item = &String> {
    let unparsable = unparsable_capacity(record).is_some();
    record.reader_notes.iter().filter(move |note| !(unparsable && is_capacity_note(note)))
}

fn is_capacity_note(note: &str) -> bool {
    note.get(..CAPACITY_NOTE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(CAPACITY_NOTE))
}

fn check_capacity(cell: &Cell, record: &Record, findings: &mut Vec<Finding>) {
    if record.phase != Phase::Discharge || unparsable_capacity(record).is_some() {
        return;
    }
    let integrated_ah = net_charge_ah(&record.samples).map(|ah| -ah);
    let Some(capacity_ah) = record.stated_capacity_ah.or(integrated_ah) else { return };
    let aborted_ah = cell.facts.nominal_capacity_ah.map_or(ABORTED_AH, |ah| ABORTED_SHARE * ah);
    if capacity_ah <= aborted_ah {
        let found = format!("{capacity_ah:.4} Ah");
        findings.push(Finding::of_record(Rule::AbortedDischarge, cell, record, 1, found));
    }
    let (Some(stated_ah), Some(integrated_ah)) = (record.stated_capacity_ah, integrated_ah) else { return };
    if (integrated_ah - stated_ah).abs() > (CAPACITY_MISMATCH * stated_ah).max(aborted_ah) {
        let extra_ah = integrated_ah - stated_ah;
        let found = format!("{stated_ah:.4} Ah stated, {integrated_ah:.4} Ah integrated ({extra_ah:+.4} Ah)");
        findings.push(Finding::of_record(Rule::CapacityMismatch, cell, record, 1, found));
    }
}

fn end_points(samples: &Samples) -> [u64; 4] {
    let last = samples.len() - 1;
    [
        samples.voltage_volt[0].to_bits(),
        samples.voltage_volt[last].to_bits(),
        samples.current_ampere[0].to_bits(),
        samples.time_second[last].to_bits(),
    ]
}

fn equal_samples(a: &Samples, b: &Samples) -> bool {
    let same = |(x, y): (&f64, &f64)| x.to_bits() == y.to_bits();
    signals(a).iter().zip(signals(b)).all(|((_, x), (_, y))| x.iter().zip(y).all(same))
}
