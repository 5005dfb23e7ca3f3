//! Values between the samples of a curve: straight lines, or cubics that keep its shape (PCHIP).
//!
//! PCHIP is the piecewise cubic Hermite interpolant whose slopes are weighted harmonic means of the neighbouring chords
//! `[FritschButland1984]`: it never overshoots, so a monotone curve stays monotone. Neither extrapolates: outside the
//! samples the value is NaN, a missing value.

use super::SignalError;
use super::error::{check_ascending, check_length};

/// Samples to look through before the place is searched among all; ours, past it a search is quicker.
const NEAR: usize = 16;

/// Returns the piecewise linear interpolant of (`x`, `y`) at each of `at`; NaN outside of `x`.
///
/// # Errors
/// [`SignalError::Length`], [`SignalError::TooShort`] below two points, [`SignalError::NotAscending`].
pub fn linear(x: &[f64], y: &[f64], at: &[f64]) -> Result<Vec<f64>, SignalError> {
    check_curve(x, y)?;
    let value = |q, i: usize| y[i] + (y[i + 1] - y[i]) * (q - x[i]) / (x[i + 1] - x[i]);
    Ok(intervals(x, at).map(|(q, i)| i.map_or(f64::NAN, |i| value(q, i))).collect())
}

/// Returns the shape-preserving cubic interpolant of (`x`, `y`) at each of `at`; NaN outside of `x`.
///
/// # Errors
/// [`SignalError::Length`], [`SignalError::TooShort`] below two points, [`SignalError::NotAscending`].
pub fn pchip(x: &[f64], y: &[f64], at: &[f64]) -> Result<Vec<f64>, SignalError> {
    check_curve(x, y)?;
    let slopes = slopes(x, y);
    let value = |q, i| hermite(&x[i..=i + 1], &y[i..=i + 1], &slopes[i..=i + 1], q);
    Ok(intervals(x, at).map(|(q, i)| i.map_or(f64::NAN, |i| value(q, i))).collect())
}

fn check_curve(x: &[f64], y: &[f64]) -> Result<(), SignalError> {
    check_length(x, y, 2)?;
    check_ascending(x)
}

/// Returns each of `at` with the position of the sample at or before it; `None` outside of `x`.
///
/// A place is looked for near the one before first: ascending places cost one pass, in any order they are found.
fn intervals(x: &[f64], at: &[f64]) -> impl Iterator<Item = (f64, Option<usize>)> {
    let last = x.len() - 1;
    let mut near = 0;
    at.iter().map(move |&q| {
        let inside = x[0] <= q && q <= x[last];
        if inside {
            let until = last.min(near + NEAR);
            let begin = near;
            while near < until && x[near + 1] <= q {
                near += 1;
            }
            if x[begin] > q || near == until {
                near = x.partition_point(|&s| s <= q) - 1;
            }
            near = near.min(last - 1);
        }
        (q, inside.then_some(near))
    })
}

/// Returns the cubic through two points with two slopes, at `q`.
fn hermite(x: &[f64], y: &[f64], slope: &[f64], q: f64) -> f64 {
    let width = x[1] - x[0];
    let t = (q - x[0]) / width;
    let (rest, chord) = (1.0 - t, y[1] - y[0]);
    let bend = width * (slope[0] * rest - slope[1] * t) - chord * (rest - t);
    y[0] + t * (chord + rest * bend)
}

/// Returns the slope at every sample.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let widths: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let chords: Vec<f64> = y.windows(2).zip(&widths).map(|(w, width)| (w[1] - w[0]) / width).collect();
    if let [chord] = chords[..] {
        return vec![chord; 2];
    }
    let inner = widths.windows(2).zip(chords.windows(2)).map(|(w, c)| inner_slope(w, c));
    let first = end_slope(&widths[..2], &chords[..2]);
    let n = widths.len();
    let last = end_slope(&[widths[n - 1], widths[n - 2]], &[chords[n - 1], chords[n - 2]]);
    std::iter::once(first).chain(inner).chain(std::iter::once(last)).collect()
}

/// Returns the weighted harmonic mean of the chords on both sides, 0 at an extremum.
fn inner_slope(width: &[f64], chord: &[f64]) -> f64 {
    if chord[0] * chord[1] <= 0.0 {
        return 0.0;
    }
    let (a, b) = (2.0 * width[1] + width[0], width[1] + 2.0 * width[0]);
    (a + b) / (a / chord[0] + b / chord[1])
}

/// Returns the three-point slope at an end, limited so that the curve keeps its shape there.
///
/// The end interval comes first in both slices.
fn end_slope(width: &[f64], chord: &[f64]) -> f64 {
    let free = ((2.0 * width[0] + width[1]) * chord[0] - width[0] * chord[1]) / (width[0] + width[1]);
    if free * chord[0] <= 0.0 {
        0.0
    } else if chord[0] * chord[1] < 0.0 && free.abs() > 3.0 * chord[0].abs() {
        3.0 * chord[0]
    } else {
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const X: [f64; 7] = [0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 6.0];
    const Y: [f64; 7] = [3.0, 3.4, 3.5, 3.5, 3.2, 3.9, 4.2];
    const AT: [f64; 9] = [0.0, 0.1, 0.5, 0.8, 1.4, 2.9, 3.6, 5.0, 6.0];

    #[track_caller]
    fn assert_all_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    /// Expected from `scipy.interpolate.PchipInterpolator` (tests/fixtures/PROVENANCE.md).
    #[test]
    fn pchip_agrees_with_scipy() {
        let expected =
            [3.0, 3.106_88, 3.4, 3.480_16, 3.5, 3.305_6, 3.267_630_769_230_77, 4.130_769_230_769_231, 4.2];
        assert_all_close(&pchip(&X, &Y, &AT).unwrap(), &expected);
        assert_all_close(&pchip(&X[..2], &Y[..2], &[0.1, 0.4]).unwrap(), &[3.08, 3.32]);
        let peak = pchip(&X[..3], &[1.0, 3.0, 0.0], &[0.1, 0.4, 0.7]).unwrap();
        assert_all_close(&peak, &[1.784, 2.936, 2.472]);
    }

    /// Expected from `numpy.interp`.
    #[test]
    fn linear_agrees_with_numpy() {
        let expected = [3.0, 3.08, 3.4, 3.46, 3.5, 3.32, 3.34, 4.05, 4.2];
        assert_all_close(&linear(&X, &Y, &AT).unwrap(), &expected);
    }

    #[test]
    fn outside_is_missing_and_a_bad_curve_is_an_error() {
        for interpolate in [linear, pchip] {
            assert!(interpolate(&X, &Y, &[-0.1, 6.1, f64::NAN]).unwrap().iter().all(|v| v.is_nan()));
            let repeated = interpolate(&[0.0, 1.0, 1.0], &[0.0; 3], &[]);
            assert_eq!(repeated, Err(SignalError::NotAscending { position: 2 }));
            assert_eq!(interpolate(&[0.0], &[0.0], &[]), Err(SignalError::TooShort { points: 1, needed: 2 }));
        }
    }

    proptest! {
        #[test]
        fn places_are_found_in_any_order(mut x in proptest::collection::vec(-9.0_f64..9.0, 2..80),
                                         at in proptest::collection::vec(-10.0_f64..10.0, 0..80)) {
            x.sort_by(f64::total_cmp);
            x.dedup();
            prop_assume!(x.len() > 1);
            for (q, found) in intervals(&x, &at) {
                let inside = (0..x.len() - 1).rev().find(|&i| x[i] <= q && q <= x[x.len() - 1]);
                prop_assert_eq!(found, inside);
            }
        }

        #[test]
        fn a_monotone_curve_stays_monotone(steps in proptest::collection::vec((0.01_f64..2.0, 0.0_f64..1.0), 2..20)) {
            let sum = |pick: fn(&(f64, f64)) -> f64| -> Vec<f64> {
                steps.iter().scan(0.0, |s, step| { *s += pick(step); Some(*s) }).collect()
            };
            let (x, y) = (sum(|s| s.0), sum(|s| s.1));
            let (from, to) = (x[0], x[x.len() - 1]);
            let at: Vec<f64> = (0..=200).map(|i| (from + (to - from) * f64::from(i) / 200.0).min(to)).collect();
            let values = pchip(&x, &y, &at).unwrap();
            prop_assert!(values.windows(2).all(|w| w[1] >= w[0] - 1e-12));
        }
    }
}
