//! Axes: where a value stands between the ends, and which values are named.

use super::number;
use crate::tuner::{Direction, Domain, Scale, Value};

/// Largest ratio of an objective's values on a linear axis: two decades.
const LINEAR_RATIO: f64 = 100.0;

/// What one axis shows; a place is a share of its length, 0 at the low end.
#[derive(Debug, Clone)]
pub(super) enum Axis {
    /// Numbers between two ends.
    Numbers {
        /// Value at 0.
        low: f64,
        /// Value at 1, at least `low`.
        high: f64,
        /// How they are spread.
        scale: Scale,
        /// Distance of the values that occur; 0 for any number.
        step: f64,
    },
    /// Values side by side, each in the middle of its share.
    Levels(Vec<Value>),
}

/// A named place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Share of the axis, 0-1.
    pub(super) at: f64,
    /// What stands there.
    pub(super) label: String,
}

impl Axis {
    /// Returns the axis of a parameter, wide enough for `values` that lie outside its domain.
    pub(super) fn of_domain<'a>(domain: &Domain, values: impl Iterator<Item = &'a Value>) -> Self {
        let numbers = |low: f64, high: f64, scale, step| {
            let scale = if low > 0.0 { scale } else { Scale::Linear };
            let values = values.filter_map(Value::as_f64).filter(|v| scale == Scale::Linear || *v > 0.0);
            let (low, high) = values.fold((low, high), |(a, b), v| (a.min(v), b.max(v)));
            Self::Numbers { low, high, scale, step }
        };
        match domain {
            Domain::Int { min, max, step, scale } => numbers(*min as f64, *max as f64, *scale, *step as f64),
            Domain::Float { min, max, step, scale } => numbers(*min, *max, *scale, step.unwrap_or(0.0)),
            Domain::Choice { values, .. } => Self::Levels(values.clone()),
            Domain::Bool => Self::Levels(vec![Value::Bool(false), Value::Bool(true)]),
            Domain::Fixed(value) => Self::Levels(vec![value.clone()]),
        }
    }

    /// Returns the axis of an objective: logarithmic over two decades; ends before values that dwarf all others.
    pub(super) fn of_objective(values: &[f64], direction: Direction) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
            return Self::Numbers { low: 0.0, high: 1.0, scale: Scale::Linear, step: f64::INFINITY };
        };
        if low > 0.0 && high / low > LINEAR_RATIO {
            return Self::Numbers { low, high, scale: Scale::Log, step: 0.0 };
        }
        let (low, high) = match direction {
            Direction::Min => (low, near(low, &sorted)),
            Direction::Max => {
                let mirrored: Vec<f64> = sorted.iter().rev().map(|v| -v).collect();
                (-near(-high, &mirrored), high)
            }
        };
        Self::Numbers { low, high, scale: Scale::Linear, step: 0.0 }
    }

    /// Returns the axis of whole numbers from `low` to `high`.
    pub(super) fn of_counts(low: usize, high: usize) -> Self {
        Self::Numbers { low: low as f64, high: high as f64, scale: Scale::Linear, step: 1.0 }
    }

    /// Returns the place of a value; `None` where the axis does not have it.
    pub(super) fn place(&self, value: &Value) -> Option<f64> {
        match self {
            Self::Numbers { .. } => value.as_f64().map(|v| self.at(v)),
            Self::Levels(levels) => {
                levels.iter().position(|l| l.is(value)).map(|idx| (idx as f64 + 0.5) / levels.len() as f64)
            }
        }
    }

    /// Returns the place of a number, an end of the axis if it lies beyond.
    pub(super) fn at(&self, value: f64) -> f64 {
        let Self::Numbers { low, high, scale, .. } = self else { return 0.5 };
        if high <= low {
            return 0.5;
        }
        let place = match scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log => (value / low).ln() / (high / low).ln(),
            Scale::ReverseLog => 1.0 - ((high + low - value) / low).ln() / (high / low).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.5 }
    }

    /// Returns whether a number lies beyond the ends.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        matches!(self, Self::Numbers { low, high, .. } if !(*low..=*high).contains(&value))
    }

    /// Returns the share of the axis over which marks of one value may be strewn; 0 where all values differ.
    pub(super) fn slack(&self) -> f64 {
        match self {
            Self::Levels(levels) => 0.6 / levels.len() as f64,
            Self::Numbers { low, high, step, scale: Scale::Linear } if *step > 0.0 && high > low => {
                0.3 * (step / (high - low)).min(0.2)
            }
            Self::Numbers { .. } => 0.0,
        }
    }

    /// Returns at most about `most` named places, ascending.
    pub(super) fn ticks(&self, most: usize) -> Vec<Tick> {
        match self {
            Self::Levels(levels) => {
                let thin = levels.len().div_ceil(most.max(1)).max(1);
                let place = |idx: usize| (idx as f64 + 0.5) / levels.len() as f64;
                let tick = |(idx, v): (usize, &Value)| Tick { at: place(idx), label: number::compact(v) };
                levels.iter().enumerate().step_by(thin).map(tick).collect()
            }
            Self::Numbers { step, .. } if step.is_infinite() => Vec::new(),
            Self::Numbers { low, high, scale, step } => {
                let values = match scale {
                    Scale::Linear => even(*low, *high, *step, most),
                    Scale::Log => logarithmic(*low, *high, *step, most),
                    Scale::ReverseLog => {
                        let mirrored = logarithmic(*low, *high, *step, most);
                        mirrored.iter().rev().map(|v| high + low - v).collect()
                    }
                };
                let labels = labels(&values);
                values.iter().zip(labels).map(|(v, label)| Tick { at: self.at(*v), label }).collect()
            }
        }
    }
}

/// Returns the end of an axis from the best value: the worst, unless it is far beyond four fifths of all.
fn near(best: f64, ascending: &[f64]) -> f64 {
    let worst = ascending[ascending.len() - 1];
    let most = ascending[(ascending.len() * 4) / 5 - usize::from(ascending.len() > 1 && ascending.len() < 5)];
    let end = best + 2.5 * (most - best);
    if ascending.len() >= 8 && most > best && worst > best + 6.0 * (most - best) {
        let within = ascending.iter().copied().filter(|v| *v <= end);
        return within.fold(most, f64::max);
    }
    worst
}

/// Returns every level of a coarse grid that has few, else round numbers.
fn even(low: f64, high: f64, step: f64, most: usize) -> Vec<f64> {
    if high <= low {
        return vec![low];
    }
    let gaps = if step > 0.0 { ((high - low) / step).round() as usize } else { 0 };
    if gaps > 0 && gaps < most {
        return (0..=gaps).map(|idx| low + idx as f64 * step).collect();
    }
    let thin = (2..=gaps).find(|thin| gaps.is_multiple_of(*thin) && gaps / thin < most && gaps / thin >= 3);
    if let Some(thin) = thin.filter(|_| step > 0.0 && (step - 1.0).abs() > 1e-9) {
        return (0..=gaps / thin).map(|idx| low + (idx * thin) as f64 * step).collect();
    }
    round_numbers(low, high, step, most)
}

fn round_numbers(low: f64, high: f64, least: f64, most: usize) -> Vec<f64> {
    let rough = ((high - low) / most as f64).max(least);
    let decade = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade);
    let step = steps.into_iter().find(|s| *s >= rough * (1.0 - 1e-9)).unwrap_or(10.0 * decade);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

fn logarithmic(low: f64, high: f64, step: f64, most: usize) -> Vec<f64> {
    let doublings: Vec<f64> =
        (0..63).map(|k| low * 2_f64.powi(k)).take_while(|v| *v <= high * (1.0 + 1e-9)).collect();
    let whole = step > 0.0 && (high / low).log2().fract() == 0.0 && low.log2().fract() == 0.0;
    if whole && (2..=most).contains(&doublings.len()) {
        return doublings;
    }
    let sets: [&[f64]; 4] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0, 2.0, 3.0, 5.0, 7.0], &[1.0]];
    let enough = |ticks: &Vec<f64>| (3..=most).contains(&ticks.len());
    if let Some(ticks) = sets.iter().map(|set| mantissas(low, high, set)).find(enough) {
        return ticks;
    }
    let decades = mantissas(low, high, &[1.0]);
    if decades.len() > most {
        return decades.iter().copied().step_by(decades.len().div_ceil(most)).collect();
    }
    if decades.len() > 1 { decades } else { round_numbers(low, high, step, most) }
}

fn mantissas(low: f64, high: f64, set: &[f64]) -> Vec<f64> {
    let decades = number::magnitude(low)..=number::magnitude(high);
    let values =
        decades.flat_map(|d| set.iter().map(move |m| format!("{m}e{d}").parse().unwrap_or(f64::NAN)));
    values.filter(|v| *v >= low * (1.0 - 1e-9) && *v <= high * (1.0 + 1e-9)).collect()
}

/// Returns the labels of the ticks of one axis, all written alike.
fn labels(values: &[f64]) -> Vec<String> {
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let finest = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(f64::INFINITY, f64::min);
    let finest = if finest.is_finite() && finest > 0.0 { finest } else { largest };
    if largest != 0.0 && (largest >= 1e6 || finest < 5e-5) && values.iter().all(|v| *v >= 0.0) {
        return values.iter().map(|v| if *v == 0.0 { "0".into() } else { number::power(*v) }).collect();
    }
    let decimals = |v: f64| (0..9).find(|d| is_round(v, *d)).unwrap_or(9);
    let even = values.windows(3).all(|w| ((w[2] - w[1]) - (w[1] - w[0])).abs() < 1e-6 * finest);
    let most = values.iter().map(|v| decimals(*v)).max().unwrap_or(0);
    values.iter().map(|v| format!("{v:.*}", if even { most } else { decimals(*v) } as usize)).collect()
}

fn is_round(value: f64, decimals: i32) -> bool {
    let scaled = value * 10_f64.powi(decimals);
    (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|t| t.label).collect()
    }

    fn numbers(low: f64, high: f64, scale: Scale, step: f64) -> Axis {
        Axis::Numbers { low, high, scale, step }
    }

    #[test]
    fn ticks_are_what_a_person_would_choose() {
        let log = numbers(1e-4, 1e-2, Scale::Log, 0.0);
        assert_eq!(named(&log, 5), ["0.0001", "0.0003", "0.001", "0.003", "0.01"]);
        assert_eq!(named(&log, 3), ["0.0001", "0.001", "0.01"]);
        assert_eq!(named(&numbers(1e-8, 1e-2, Scale::Log, 0.0), 4), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²"]);
        assert_eq!(named(&numbers(32.0, 256.0, Scale::Log, 1.0), 6), ["32", "64", "128", "256"]);
        assert_eq!(
            named(&numbers(32.0, 512.0, Scale::Linear, 32.0), 6),
            ["32", "128", "224", "320", "416", "512"]
        );
        assert_eq!(named(&numbers(1.0, 4.0, Scale::Linear, 1.0), 6), ["1", "2", "3", "4"]);
        assert_eq!(
            named(&numbers(0.0, 0.5, Scale::Linear, 0.1), 6),
            ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        assert_eq!(
            named(&numbers(0.03, 0.081, Scale::Linear, 0.0), 6),
            ["0.03", "0.04", "0.05", "0.06", "0.07", "0.08"]
        );
        assert_eq!(
            named(&numbers(0.0, 39.0, Scale::Linear, 1.0), 8),
            ["0", "5", "10", "15", "20", "25", "30", "35"]
        );
    }

    #[test]
    fn a_value_stands_at_its_share() {
        let log = numbers(1e-4, 1e-2, Scale::Log, 0.0);
        assert!((log.at(1e-3) - 0.5).abs() < 1e-12);
        assert!((numbers(1.0, 100.0, Scale::ReverseLog, 0.0).at(91.0) - 0.5).abs() < 1e-12);
        assert!((numbers(2.0, 2.0, Scale::Linear, 0.0).at(2.0) - 0.5).abs() < 1e-12);
        let levels = Axis::Levels(vec![Value::Text("tanh".into()), Value::Text("relu".into())]);
        assert_eq!(levels.place(&Value::Text("relu".into())), Some(0.75));
        assert_eq!(levels.place(&Value::Text("gelu".into())), None);
    }

    #[test]
    fn an_objective_over_two_decades_is_logarithmic_and_one_outlier_is_beyond() {
        let wide = Axis::of_objective(&[0.01, 0.02, 3.0], Direction::Min);
        assert!(matches!(wide, Axis::Numbers { scale: Scale::Log, .. }));
        let scores = [0.9, 0.88, 0.91, 0.85, 0.87, 0.8, 0.86, 0.89, 0.9, -40.0];
        let cut = Axis::of_objective(&scores, Direction::Max);
        assert!(cut.is_beyond(-40.0) && !cut.is_beyond(0.8), "{cut:?}");
        assert!(cut.at(-40.0).abs() < 1e-12);
        for few in [&[][..], &[1.0], &[1.0, 1.0], &[-1.0, 5.0]] {
            assert!(few.iter().all(|v| !Axis::of_objective(few, Direction::Min).is_beyond(*v)));
        }
    }
}
