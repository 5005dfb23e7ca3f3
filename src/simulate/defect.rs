//! Bad records: what goes wrong on real benches, planted where a list says.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::cell::{CellId, Phase, health::charge_throughput};
use crate::dataset::{Record, Samples};

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DefectKind {
    /// A stretch of samples was not stored; the first sample after the gap is the first bad one.
    MissingSamples,
    /// The discharge ends far above the limit; its stated capacity is what it gave.
    AbortedDischarge,
    /// One voltage is far off.
    VoltageSpike,
    /// Several samples carry the time of the one before.
    DuplicatedTime,
    /// The temperature sensor gave nothing.
    NanTemperature,
    /// The charge was recorded only at its beginning; the cell itself was charged.
    PartialCharge,
    /// The cell is short-circuited: not an error of the record but the end of the cell.
    ShortCircuit,
}

/// The kinds that are planted; [`DefectKind::ShortCircuit`] happens by itself.
const PLANTED: [DefectKind; 6] = [
    DefectKind::MissingSamples,
    DefectKind::AbortedDischarge,
    DefectKind::VoltageSpike,
    DefectKind::DuplicatedTime,
    DefectKind::NanTemperature,
    DefectKind::PartialCharge,
];

/// Fewest samples of a record in which a defect is planted.
const FEWEST: usize = 30;

/// A bad record and where it is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// Cell it is in.
    pub cell: CellId,
    /// Index of the record.
    pub record: u32,
    /// What is wrong.
    pub kind: DefectKind,
    /// Position of the first bad sample; where a record was cut, its length.
    pub first_sample: usize,
    /// Number of bad samples; of missing ones, how many.
    pub n_samples: usize,
}

/// Damages `count` of the records, each once and each kind in turn from a drawn one on; returns where.
pub(super) fn plant(records: &mut [Record], id: &CellId, count: usize, rng: &mut ChaCha8Rng) -> Vec<Defect> {
    let mut defects: Vec<Defect> = Vec::new();
    let first = rng.random_range(0..PLANTED.len());
    for kind in PLANTED.into_iter().cycle().skip(first).take(count) {
        let free: Vec<usize> = (0..records.len())
            .filter(|&k| kind.fits(&records[k]) && defects.iter().all(|d| d.record != records[k].index))
            .collect();
        if free.is_empty() {
            continue;
        }
        let record = &mut records[free[rng.random_range(0..free.len())]];
        let (first_sample, n_samples) = kind.damage(record, rng);
        defects.push(Defect { cell: id.clone(), record: record.index, kind, first_sample, n_samples });
    }
    defects.sort_by_key(|d| d.record);
    defects
}

impl DefectKind {
    fn fits(self, record: &Record) -> bool {
        let phase = match self {
            Self::AbortedDischarge => record.phase == Phase::Discharge,
            Self::PartialCharge => record.phase == Phase::Charge,
            _ => matches!(record.phase, Phase::Charge | Phase::Discharge),
        };
        phase && record.samples.len() >= FEWEST
    }

    fn damage(self, record: &mut Record, rng: &mut ChaCha8Rng) -> (usize, usize) {
        let n = record.samples.len();
        let samples = &mut record.samples;
        match self {
            Self::MissingSamples => {
                let (from, count) = stretch(n, n / 5, rng);
                for values in columns(samples) {
                    values.drain(from..from + count);
                }
                (from, count)
            }
            Self::AbortedDischarge => {
                let kept = cut(samples, rng.random_range(3..n / 5));
                record.stated_capacity_ah =
                    Some(-charge_throughput(&record.samples.time_second, &record.samples.current_ampere));
                (kept, n - kept)
            }
            Self::VoltageSpike => {
                let position = rng.random_range(n / 4..3 * n / 4);
                samples.voltage_volt[position] += if rng.random_bool(0.5) { 1.5 } else { -1.5 };
                (position, 1)
            }
            Self::DuplicatedTime => {
                let (from, count) = stretch(n, 4, rng);
                let time = samples.time_second[from - 1];
                samples.time_second[from..from + count].fill(time);
                (from, count)
            }
            Self::NanTemperature => {
                let (from, count) = stretch(n, n / 4, rng);
                samples.temperature_celsius[from..from + count].fill(f64::NAN);
                (from, count)
            }
            Self::PartialCharge => {
                let kept = cut(samples, rng.random_range(3..n / 8));
                (kept, n - kept)
            }
            Self::ShortCircuit => (0, n),
        }
    }
}

/// Returns begin and length of a stretch of `count` samples in the middle half of `n`.
fn stretch(n: usize, count: usize, rng: &mut ChaCha8Rng) -> (usize, usize) {
    (rng.random_range(n / 4..3 * n / 4 - count), count)
}

fn cut(samples: &mut Samples, kept: usize) -> usize {
    for values in columns(samples) {
        values.truncate(kept);
    }
    kept
}

fn columns(samples: &mut Samples) -> [&mut Vec<f64>; 4] {
    [
        &mut samples.time_second,
        &mut samples.voltage_volt,
        &mut samples.current_ampere,
        &mut samples.temperature_celsius,
    ]
}
