//! Samples of a record without gaps, parted where the current starts, stops or turns.

use std::ops::Range;

use crate::dataset::Samples;

/// Current below which a cell rests, as a share of the record's largest current [1]: above the noise of NASA's channel
/// (5 mA at 1.5 A), below the end of a charge at constant voltage (1/50 of 4C in `[Severson2019]`).
const REST_SHARE: f64 = 0.004;

/// Samples whose time, voltage and current are finite, in the order of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// Time since the begin of the record [s], never falling.
    pub(super) second: Vec<f64>,
    /// Terminal voltage [V].
    pub(super) volt: Vec<f64>,
    /// Current [A], positive while it charges.
    pub(super) ampere: Vec<f64>,
}

/// Samples under a current of one sign, or at rest.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Samples of the trace.
    pub(super) rows: Range<usize>,
    /// Sign of the current; 0 at rest.
    pub(super) sign: f64,
}

impl Trace {
    pub(super) fn new(samples: &Samples) -> Self {
        let mut trace = Self::default();
        let both = samples.voltage_volt.iter().zip(&samples.current_ampere);
        for (&second, (&volt, &ampere)) in samples.time_second.iter().zip(both) {
            let late = trace.second.last().is_none_or(|last| second >= *last);
            if late && second.is_finite() && volt.is_finite() && ampere.is_finite() {
                trace.second.push(second);
                trace.volt.push(volt);
                trace.ampere.push(ampere);
            }
        }
        trace
    }

    /// Parts the trace where the current starts, stops or turns.
    ///
    /// `rests` says that the record is known to be without load: its current is noise.
    pub(super) fn steps(&self, rests: bool) -> Vec<Step> {
        let largest = self.ampere.iter().fold(0.0_f64, |m, i| m.max(i.abs()));
        let limit = if rests { f64::INFINITY } else { REST_SHARE * largest };
        let sign = |row: usize| match self.ampere[row] {
            i if i.abs() <= limit => 0.0,
            i => i.signum(),
        };
        let mut steps: Vec<Step> = Vec::new();
        for row in 0..self.second.len() {
            match steps.last_mut() {
                Some(last) if last.sign.total_cmp(&sign(row)).is_eq() => last.rows.end = row + 1,
                _ => steps.push(Step { rows: row..row + 1, sign: sign(row) }),
            }
        }
        steps
    }

    /// Returns the part of a step, its time counted from its own first sample.
    pub(super) fn part(&self, rows: &Range<usize>) -> Self {
        let start = self.second.get(rows.start).copied().unwrap_or(0.0);
        Self {
            second: self.second[rows.clone()].iter().map(|t| t - start).collect(),
            volt: self.volt[rows.clone()].to_vec(),
            ampere: self.ampere[rows.clone()].to_vec(),
        }
    }

    /// Returns the time from the first to the last sample [s].
    pub(super) fn span(&self) -> f64 {
        self.second.first().zip(self.second.last()).map_or(0.0, |(first, last)| last - first)
    }

    /// Returns the mean current over the samples [A].
    pub(super) fn mean_ampere(&self) -> f64 {
        self.ampere.iter().sum::<f64>() / self.ampere.len() as f64
    }

    /// Returns the charge that flows, positive into the cell [Ah].
    pub(super) fn charge_ah(&self) -> f64 {
        crate::cell::health::charge_throughput(&self.second, &self.ampere)
    }

    /// Returns the voltage [V] at `second` by straight lines, with the distance of the two samples around it [s].
    pub(super) fn volt_at(&self, second: f64) -> Option<(f64, f64)> {
        let above = self.second.partition_point(|t| *t < second);
        if self.second.get(above).is_some_and(|at| *at <= second) {
            return Some((self.volt[above], 0.0));
        }
        let below = above.checked_sub(1)?;
        let (from, to) = (self.second[below], *self.second.get(above)?);
        let share = (second - from) / (to - from);
        Some((self.volt[below] + share * (self.volt[above] - self.volt[below]), to - from))
    }

    /// Returns times and voltages of the samples between two times, both included.
    pub(super) fn between(&self, from: f64, to: f64) -> (Vec<f64>, Vec<f64>) {
        let both = self.second.iter().copied().zip(self.volt.iter().copied());
        both.filter(|(t, _)| (from..=to).contains(t)).unzip()
    }
}
