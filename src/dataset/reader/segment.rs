//! From one long series to records: half cycles, rests and titrations.
//!
//! Rows are parted where the cycle or the step changes, or, without a step column, where the sign of the current
//! does. A part is a charge, a discharge or a rest by its mean current; parts of one phase that follow each other
//! in one cycle (constant current, then constant voltage) are one record. Many short pulses of one sign with rests
//! between them are one [`Phase::Gitt`] record, the rest after the last pulse included.

use std::ops::Range;

use super::delimited::bad_note;
use super::series::{Channel, Series};
use crate::cell::Phase;
use crate::dataset::{Record, Samples};

/// Current below which a part is a rest, as a fraction of the largest current of the file [1]. Ours: far below
/// the C/100 tail of a constant-voltage step, far above the noise of a tester at rest.
const REST_FRACTION: f64 = 1e-3;

/// The same for a part of one sample [1]: testers log one row while they switch, with up to 2 % of the current.
const SWITCH_FRACTION: f64 = 0.05;

/// Fewest pulses of one sign that make a titration [1]. Ours: pulse power tests have 1 or 2 in a row.
const GITT_PULSES: usize = 5;

/// Longest pulse of a titration [s]. Ours: the usual ones take 3 to 60 min (Weppner and Huggins 1977 ask for short ones).
const GITT_PULSE_SECOND: f64 = 7200.0;

/// A run of rows with one phase in one cycle.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    rows: Range<usize>,
    phase: Phase,
    cycle: u64,
}

/// Splits `series` into records, numbered from 0.
///
/// `rest_current_ampere` [A] replaces the built-in limit below which the cell rests.
pub(super) fn records(series: &Series, rest_current_ampere: Option<f64>) -> Vec<Record> {
    let parts = join_pulses(series, &join_equal(parts(series, rest_current_ampere)));
    (0..).zip(parts).map(|(index, part)| record(series, index, &part)).collect()
}

fn parts(series: &Series, rest_current: Option<f64>) -> Vec<Part> {
    let current = current(series);
    let largest = current.iter().fold(0.0_f64, |m, i| m.max(i.abs()));
    let limit = rest_current.unwrap_or(REST_FRACTION * largest);
    let switch_limit = limit.max(SWITCH_FRACTION * largest);
    let has_steps = series.channel(Channel::StepCount).is_some();
    let key = |row: usize| {
        let step = if has_steps {
            series.value(Channel::StepCount, row).to_bits()
        } else {
            phase_of(current[row], limit) as u64
        };
        (series.value(Channel::CycleCount, row).to_bits(), step)
    };
    let mut found = Vec::new();
    let mut begin = 0;
    for row in 1..=series.n_rows() {
        if row == series.n_rows() || key(row) != key(begin) {
            let limit = if row - begin == 1 { switch_limit } else { limit };
            let mean = current[begin..row].iter().sum::<f64>() / (row - begin) as f64;
            found.push(Part { rows: begin..row, phase: phase_of(mean, limit), cycle: key(begin).0 });
            begin = row;
        }
    }
    found
}

/// Returns the current with the value before it where it is missing.
fn current(series: &Series) -> Vec<f64> {
    let mut last = 0.0;
    let fill = |row| {
        let value = series.value(Channel::Current, row);
        last = if value.is_nan() { last } else { value };
        last
    };
    (0..series.n_rows()).map(fill).collect()
}

fn phase_of(current: f64, rest_limit: f64) -> Phase {
    match current {
        i if i > rest_limit => Phase::Charge,
        i if i < -rest_limit => Phase::Discharge,
        _ => Phase::Rest,
    }
}

fn join_equal(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if last.phase == part.phase && last.cycle == part.cycle => {
                last.rows.end = part.rows.end;
            }
            _ => joined.push(part),
        }
    }
    joined
}

fn join_pulses(series: &Series, parts: &[Part]) -> Vec<Part> {
    let mut joined = Vec::new();
    let mut at = 0;
    while at < parts.len() {
        let n_parts = titration_length(series, &parts[at..]);
        let last = &parts[at + n_parts.max(1) - 1];
        let phase = if n_parts > 0 { Phase::Gitt } else { parts[at].phase };
        joined.push(Part { rows: parts[at].rows.start..last.rows.end, phase, ..parts[at].clone() });
        at += n_parts.max(1);
    }
    joined
}

/// Returns how many of the first parts are one titration; 0 when they are none.
fn titration_length(series: &Series, parts: &[Part]) -> usize {
    let first = &parts[0];
    let is_pulse = |p: &Part| {
        p.phase == first.phase && p.phase != Phase::Rest && duration(series, &p.rows) <= GITT_PULSE_SECOND
    };
    let fits = |(i, p): (usize, &Part)| {
        p.cycle == first.cycle && if i % 2 == 0 { is_pulse(p) } else { p.phase == Phase::Rest }
    };
    let n_parts = parts.iter().enumerate().take_while(|(i, p)| fits((*i, p))).count();
    if n_parts.div_ceil(2) >= GITT_PULSES { n_parts } else { 0 }
}

fn duration(series: &Series, rows: &Range<usize>) -> f64 {
    series.value(Channel::TestTime, rows.end - 1) - series.value(Channel::TestTime, rows.start)
}

fn record(series: &Series, index: u32, part: &Part) -> Record {
    let rows = part.rows.clone();
    let first = |channel| Some(series.value(channel, rows.start)).filter(|v| v.is_finite());
    let mut record = Record::new(index, part.phase);
    record.samples = samples(series, &rows);
    record.unix_time_second = first(Channel::UnixTime);
    record.ambient_temperature_celsius = finite_mean(&slice(series, Channel::AmbientTemperature, &rows));
    record.stated_capacity_ah = stated_capacity(series, &rows, part.phase);
    record.reader_notes = notes(series, &rows);
    if let Some(count) = first(Channel::CycleCount) {
        record.cycle_count = whole(count);
        if record.cycle_count.is_none() {
            record.reader_notes.push(format!("cycle_count: {count} is no whole number"));
        }
    }
    record
}

fn samples(series: &Series, rows: &Range<usize>) -> Samples {
    let time = slice(series, Channel::TestTime, rows);
    let begin = time.iter().copied().find(|t| t.is_finite()).unwrap_or(f64::NAN);
    Samples {
        time_second: time.iter().map(|t| t - begin).collect(),
        voltage_volt: slice(series, Channel::Voltage, rows),
        current_ampere: slice(series, Channel::Current, rows),
        temperature_celsius: slice(series, Channel::SurfaceTemperature, rows),
    }
}

fn slice(series: &Series, channel: Channel, rows: &Range<usize>) -> Vec<f64> {
    rows.clone().map(|row| series.value(channel, row)).collect()
}

fn finite_mean(values: &[f64]) -> Option<f64> {
    let finite: Vec<_> = values.iter().filter(|v| v.is_finite()).collect();
    (!finite.is_empty()).then(|| finite.iter().copied().sum::<f64>() / finite.len() as f64)
}

/// Testers count the discharged Ah upwards and start again from 0 with a step or a cycle: the record's own part is
/// its last count less the one before its first row, unless the count began anew in between.
fn stated_capacity(series: &Series, rows: &Range<usize>, phase: Phase) -> Option<f64> {
    let discharges = match phase {
        Phase::Discharge => true,
        Phase::Gitt => finite_mean(&slice(series, Channel::Current, rows))? < 0.0,
        _ => false,
    };
    let counts = slice(series, Channel::DischargingCapacity, rows);
    let last = counts.iter().copied().rfind(|c| c.is_finite()).filter(|_| discharges)?;
    let before = rows.start.checked_sub(1).map(|row| series.value(Channel::DischargingCapacity, row));
    Some(last - before.filter(|b| *b <= counts[0]).unwrap_or(0.0))
}

fn notes(series: &Series, rows: &Range<usize>) -> Vec<String> {
    let note = |channel: Channel| {
        let bad = &series.channel(channel)?.bad;
        let within = |row: usize| bad.partition_point(|b| b.row < row);
        bad_note(channel.name(), &bad[within(rows.start)..within(rows.end)], rows.len())
    };
    Channel::ALL.into_iter().filter_map(note).collect()
}

/// Returns `count` as a whole number, if it is one.
pub(super) fn whole(count: f64) -> Option<u32> {
    let fits = (0.0..=f64::from(u32::MAX)).contains(&count) && count.fract() == 0.0;
    fits.then_some(count as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::reader::delimited::Numbers;
    use crate::dataset::reader::heading::Scale;
    use crate::dataset::reader::series::Pick;
    use std::path::Path;

    /// Builds a series at one row every 60 s; `extra` are further channels.
    fn series(current: &[f64], extra: &[(Channel, Vec<f64>)]) -> Series {
        let n = current.len();
        let mut all = vec![
            (Channel::TestTime, (0..n).map(|i| 60.0 * i as f64 + 5.0).collect()),
            (Channel::Voltage, vec![3.5; n]),
            (Channel::Current, current.to_vec()),
        ];
        all.extend_from_slice(extra);
        let pick = |c: Channel| Pick { channel: c, column: 0, scale: Scale::default(), parse: None };
        let picks: Vec<_> = all.iter().map(|(c, _)| pick(*c)).collect();
        let columns = all.into_iter().map(|(_, values)| Numbers::new(values)).collect();
        Series::from_columns(Path::new("a"), &picks, columns).unwrap()
    }

    fn phases(series: &Series) -> Vec<(Phase, usize)> {
        records(series, None).iter().map(|r| (r.phase, r.samples.len())).collect()
    }

    #[test]
    fn the_sign_of_the_current_parts_a_file_without_steps() {
        let found = phases(&series(&[0.0, 0.0, 1.5, 1.5, 0.02, -0.001, -2.0, -2.0], &[]));
        let expected = [(Phase::Rest, 2), (Phase::Charge, 3), (Phase::Rest, 1), (Phase::Discharge, 2)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_row_logged_while_switching_is_rest_and_time_starts_at_0() {
        let made = records(&series(&[0.0, 0.0, -0.02, 1.0, 1.0], &[]), None);
        assert_eq!(made.iter().map(|r| r.samples.len()).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(made[1].samples.time_second, [0.0, 60.0]);
        assert_eq!((made[0].index, made[1].index), (0, 1));
    }

    #[test]
    fn steps_of_one_direction_are_one_record_but_cycles_are_not() {
        let steps = (Channel::StepCount, vec![1.0, 1.0, 2.0, 2.0, 1.0, 1.0]);
        let cycles = (Channel::CycleCount, vec![7.0, 7.0, 7.0, 7.0, 8.5, 8.5]);
        let made = records(&series(&[1.0, 1.0, 0.5, 0.3, 1.0, 1.0], &[steps, cycles]), None);
        assert_eq!(made.len(), 2);
        assert_eq!((made[0].samples.len(), made[0].cycle_count), (4, Some(7)));
        assert_eq!(made[1].cycle_count, None);
        assert_eq!(made[1].reader_notes, ["cycle_count: 8.5 is no whole number"]);
    }

    #[test]
    fn five_pulses_of_one_sign_are_a_titration_and_four_are_not() {
        let pulses = |n: usize, sign: f64| (0..n).flat_map(move |_| [sign, sign, 0.0, 0.0]);
        let five: Vec<_> = [0.0, 0.0].into_iter().chain(pulses(5, -1.0)).chain(pulses(5, 1.0)).collect();
        assert_eq!(phases(&series(&five, &[])), [(Phase::Rest, 2), (Phase::Gitt, 20), (Phase::Gitt, 20)]);
        assert_eq!(phases(&series(&pulses(4, 1.0).collect::<Vec<_>>(), &[])).len(), 8);
    }

    #[test]
    fn the_stated_capacity_is_the_part_counted_in_the_record() {
        let counted = |counts: [f64; 4]| {
            let channel = (Channel::DischargingCapacity, counts.to_vec());
            records(&series(&[1.0, 1.0, -1.0, -1.0], &[channel]), None)[1].stated_capacity_ah
        };
        assert_eq!(counted([0.5, 0.5, 0.5, 2.0]), Some(1.5));
        assert_eq!(counted([0.5, 0.5, 0.0, 2.0]), Some(2.0));
        assert_eq!(counted([f64::NAN; 4]), None);
    }

    #[test]
    fn missing_currents_do_not_part_a_record() {
        assert_eq!(phases(&series(&[1.0, f64::NAN, 1.0], &[])), [(Phase::Charge, 3)]);
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_in_one_record(current in proptest::collection::vec(-2_i8..=2, 1..80)) {
            let current: Vec<_> = current.into_iter().map(f64::from).collect();
            let made = records(&series(&current, &[]), None);
            let back: Vec<_> = made.into_iter().flat_map(|r| r.samples.current_ampere).collect();
            proptest::prop_assert_eq!(back, current);
        }
    }
}
