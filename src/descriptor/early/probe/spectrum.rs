//! An impedance spectrum in parts: inductive part, series resistance, semicircle, valley, low-frequency tail.
//!
//! Points run from the highest to the lowest frequency; where none is stated (NASA PCoE) they are taken as they stand,
//! turned round when the real part falls. What needs a frequency is missing then. The height of a point is minus its
//! imaginary part: positive where the cell is capacitive.

use std::f64::consts::PI;

use super::aggregate::Measured;
use super::{EarlyCell, Missing, Value};
use crate::dataset::{Record, Spectrum};
use crate::signal::{circle, line};

/// Fewest points of a spectrum, of a semicircle and of a tail; ours.
const FEWEST: (usize, usize, usize) = (8, 5, 3);
/// Height of the points of the semicircle that carry the circle, over that of its apex [1]: below, its neighbours mix in.
const ARC_HEIGHT: f64 = 0.5;
/// Height, over that of the apex, below which a semicircle has ended and another may begin [1]; ours: above all noise.
const DESCENT: f64 = 0.75;
/// Why a spectrum without a semicircle has no arc.
const NO_ARC: Missing = Missing::Undefined("no semicircle in the spectrum");
const NO_TAIL: Missing = Missing::Undefined("no low-frequency tail in the spectrum");
const NO_FREQUENCY: Missing = Missing::Undefined("the source states no frequencies");

/// One spectrum of a window.
#[derive(Debug)]
pub(super) struct Arc {
    cycle: u32,
    /// What the source states [ohm].
    stated: [Option<f64>; 2],
    hertz: Option<Vec<f64>>,
    real: Vec<f64>,
    height: Vec<f64>,
    /// Positions of the apex of the semicircle and of the valley behind it.
    apex: Option<(usize, usize)>,
    circle: Option<circle::Circle>,
}

/// Returns every spectrum of the window.
pub(super) fn find(cell: &EarlyCell) -> Vec<Arc> {
    let records = cell.cycles.iter().flat_map(|c| c.records.iter().map(move |r| (c.count, r)));
    let has = |r: &Record| {
        r.spectrum.is_some()
            || r.electrolyte_resistance_ohm.is_some()
            || r.charge_transfer_resistance_ohm.is_some()
    };
    records.filter(|(_, r)| has(r)).map(|(cycle, r)| Arc::new(cycle, r)).collect()
}

impl Measured for Arc {
    fn cycle(&self) -> u32 {
        self.cycle
    }
}

impl Arc {
    fn new(cycle: u32, record: &Record) -> Self {
        let none = Spectrum::default();
        let (hertz, real, height) = points(record.spectrum.as_ref().unwrap_or(&none));
        let apex = apex(&height);
        let circle = apex.and_then(|(apex, valley)| fit(&real, &height, apex, valley));
        let stated = [record.electrolyte_resistance_ohm, record.charge_transfer_resistance_ohm];
        Self { cycle, stated, hertz, real, height, apex, circle }
    }

    /// Returns the electrolyte resistance that the source states [ohm].
    pub(super) fn stated_electrolyte(&self) -> Value {
        self.stated[0].ok_or(Missing::Undefined("the source states no electrolyte resistance"))
    }

    /// Returns the charge-transfer resistance that the source states [ohm].
    pub(super) fn stated_charge_transfer(&self) -> Value {
        self.stated[1].ok_or(Missing::Undefined("the source states no charge-transfer resistance"))
    }

    /// Returns the real part where the spectrum first crosses the real axis; without a crossing the smallest one [ohm].
    pub(super) fn series(&self) -> Value {
        self.enough()?;
        let crossing = self.height.windows(2).position(|h| h[0] <= 0.0 && h[1] > 0.0);
        let crossed = crossing.map(|k| {
            let share = self.height[k] / (self.height[k] - self.height[k + 1]);
            self.real[k] + share * (self.real[k + 1] - self.real[k])
        });
        crossed.or_else(|| self.real.iter().copied().reduce(f64::min)).ok_or(NO_ARC)
    }

    /// Returns the circle through the upper half of the semicircle; its ordinate is the height of the centre [ohm].
    pub(super) fn circle(&self) -> Result<circle::Circle, Missing> {
        self.enough()?;
        self.circle.ok_or(NO_ARC)
    }

    /// Returns the chord of the circle on the real axis: the charge-transfer resistance [ohm].
    pub(super) fn chord(&self) -> Value {
        let circle = self.circle()?;
        let half = circle.radius.powi(2) - circle.y.powi(2);
        if half > 0.0 {
            Ok(2.0 * half.sqrt())
        } else {
            Err(Missing::Undefined("the circle does not meet the real axis"))
        }
    }

    /// Returns the angle by which the centre lies below the real axis [degree].
    pub(super) fn depression(&self) -> Value {
        let circle = self.circle()?;
        Ok((-circle.y / circle.radius).clamp(-1.0, 1.0).asin().to_degrees())
    }

    /// Returns the frequency of the apex, by a parabola through it and its neighbours over log frequency [log10 Hz].
    pub(super) fn log_frequency(&self) -> Value {
        let (apex, hertz) = (self.apex()?.0, self.hertz()?);
        let x: [f64; 3] = std::array::from_fn(|k| hertz[apex + k - 1].log10());
        let y = &self.height[apex - 1..=apex + 1];
        let (left, right) = ((y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1]));
        let bend = (right - left) / (x[2] - x[0]);
        Ok(0.5 * (x[0] + x[1]) - 0.5 * left / bend)
    }

    /// Returns the logarithm of the capacitance of the interface, `1 / (2 pi f R)` [log10 F].
    pub(super) fn log_capacitance(&self) -> Value {
        Ok(-(2.0 * PI * self.chord()?).log10() - self.log_frequency()?)
    }

    /// Returns the height of the apex [ohm].
    pub(super) fn height(&self) -> Value {
        Ok(self.height[self.apex()?.0])
    }

    /// Returns real part and height of the valley between semicircle and tail [ohm].
    pub(super) fn valley(&self) -> Result<(f64, f64), Missing> {
        let valley = self.apex()?.1;
        if valley + 1 == self.real.len() {
            Err(NO_TAIL)
        } else {
            Ok((self.real[valley], self.height[valley]))
        }
    }

    /// Returns the slope of the real part over the inverse square root of angular frequency in the tail [ohm/s^0.5].
    pub(super) fn warburg(&self) -> Value {
        let (tail, hertz) = (self.tail()?, self.hertz()?);
        let inverse: Vec<f64> = hertz[tail..].iter().map(|f| 1.0 / (2.0 * PI * f).sqrt()).collect();
        line::least_squares(&inverse, &self.real[tail..]).map(|l| l.slope).ok_or(Missing::Flat)
    }

    /// Returns the slope of the height over the real part in the tail: 1 for diffusion without end [1].
    pub(super) fn tail_slope(&self) -> Value {
        let tail = self.tail()?;
        line::least_squares(&self.real[tail..], &self.height[tail..]).map(|l| l.slope).ok_or(Missing::Flat)
    }

    /// Returns the smallest phase angle: the most capacitive point [degree].
    pub(super) fn phase_min(&self) -> Value {
        self.enough()?;
        let phases = self.real.iter().zip(&self.height).map(|(re, h)| (-h).atan2(*re).to_degrees());
        phases.reduce(f64::min).ok_or(NO_ARC)
    }

    /// Returns the share of the points that are inductive [1].
    pub(super) fn inductive_share(&self) -> Value {
        self.enough()?;
        Ok(self.height.iter().filter(|h| **h < 0.0).count() as f64 / self.height.len() as f64)
    }

    /// Returns the inductance at the highest frequency [H].
    pub(super) fn inductance(&self) -> Value {
        let (hertz, height) = (self.hertz()?[0], self.height[0]);
        let inductance = -height / (2.0 * PI * hertz);
        if height < 0.0 {
            Ok(inductance)
        } else {
            Err(Missing::Undefined("no inductive point at the highest frequency"))
        }
    }

    /// Returns the real part at a frequency, by straight lines over log frequency [ohm].
    pub(super) fn real_at(&self, hertz: f64) -> Value {
        let known = self.hertz()?;
        let outside = Missing::Undefined("the spectrum does not reach that frequency");
        let k = known.windows(2).position(|f| f[0] >= hertz && f[1] <= hertz).ok_or(outside)?;
        let share = (hertz / known[k]).ln() / (known[k + 1] / known[k]).ln();
        Ok(self.real[k] + share * (self.real[k + 1] - self.real[k]))
    }

    /// Returns the modulus at the lowest frequency [ohm].
    pub(super) fn modulus_last(&self) -> Value {
        self.enough()?;
        let last = self.real.len() - 1;
        Ok(self.real[last].hypot(self.height[last]))
    }

    fn enough(&self) -> Result<(), Missing> {
        if self.real.len() < FEWEST.0 {
            Err(Missing::Undefined("a spectrum of fewer than eight points"))
        } else {
            Ok(())
        }
    }

    fn apex(&self) -> Result<(usize, usize), Missing> {
        self.enough()?;
        self.apex.ok_or(NO_ARC)
    }

    fn hertz(&self) -> Result<&[f64], Missing> {
        self.enough()?;
        self.hertz.as_deref().ok_or(NO_FREQUENCY)
    }

    /// Returns the position of the first point of the tail: behind the valley, or behind what has no semicircle.
    fn tail(&self) -> Result<usize, Missing> {
        self.enough()?;
        let valley = descent(&self.height);
        if self.height.len() - valley < FEWEST.2 { Err(NO_TAIL) } else { Ok(valley) }
    }
}

/// Returns frequencies (if stated), real parts and heights from the highest to the lowest frequency.
fn points(spectrum: &Spectrum) -> (Option<Vec<f64>>, Vec<f64>, Vec<f64>) {
    let both = spectrum.real_ohm.iter().zip(&spectrum.imaginary_ohm).enumerate();
    let hertz = |k: usize| spectrum.frequency_hertz.get(k).copied().filter(|f| *f > 0.0);
    let finite = both.filter(|(_, (re, im))| re.is_finite() && im.is_finite());
    let mut points: Vec<_> = finite.map(|(k, (re, im))| (hertz(k), *re, -*im)).collect();
    let stated = points.iter().all(|p| p.0.is_some_and(f64::is_finite));
    if stated {
        points.sort_by(|a, b| b.0.unwrap_or(0.0).total_cmp(&a.0.unwrap_or(0.0)));
        points.dedup_by_key(|p| p.0.map(f64::to_bits));
    } else if points.first().zip(points.last()).is_some_and(|(first, last)| first.1 > last.1) {
        points.reverse();
    }
    let hertz = points.iter().map(|p| p.0).collect::<Option<Vec<f64>>>().filter(|_| stated);
    (hertz, points.iter().map(|p| p.1).collect(), points.iter().map(|p| p.2).collect())
}

/// Returns the position where the height, followed from the lowest frequency, stops falling.
fn descent(height: &[f64]) -> usize {
    let mut at = height.len().saturating_sub(1);
    while at > 0 && height[at - 1] < height[at] {
        at -= 1;
    }
    at
}

/// Returns the apex of the semicircle next to the tail, with a neighbour on each side, and the valley between.
fn apex(height: &[f64]) -> Option<(usize, usize)> {
    let valley = descent(height);
    let mut apex = valley.checked_sub(1)?;
    for k in (0..apex).rev() {
        if height[k] < DESCENT * height[apex] {
            break;
        }
        apex = if height[k] > height[apex] { k } else { apex };
    }
    (apex > 0 && height[apex] > 0.0 && height[apex] > height[valley]).then_some((apex, valley))
}

/// Returns the circle through the points around the apex that are at least half as high.
fn fit(real: &[f64], height: &[f64], apex: usize, valley: usize) -> Option<circle::Circle> {
    let low = |k: &usize| height[*k] < ARC_HEIGHT * height[apex];
    let from = (0..apex).rev().find(low).map_or(0, |k| k + 1);
    let to = (apex..valley).find(low).unwrap_or(valley);
    if to - from < FEWEST.1 { None } else { circle::fit(&real[from..to], &height[from..to]) }
}
