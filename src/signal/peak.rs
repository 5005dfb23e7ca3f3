//! Peaks of a sampled curve with their prominence and width.
//!
//! A peak is a sample, or the middle of a plateau, above both neighbours. Its prominence is its height above the
//! higher of the two lowest points that one must cross to reach higher ground; its width is taken a share of the
//! prominence below its top, between samples by straight lines. Definitions of `scipy.signal.find_peaks`,
//! `peak_prominences` and `peak_widths` `[Virtanen2020]`. NaN ends the ground around a peak and is none itself.

/// Which peaks count, and where their width is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakFinder {
    /// Least prominence of a peak, in the unit of the curve, 0 or more.
    pub min_prominence: f64,
    /// Depth below the top at which the width is taken, as a share of the prominence, 0-1.
    pub rel_height: f64,
}

/// A peak; places are positions in the curve, between samples where they are no integer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Sample of the top; of a plateau the middle one, the left one of two.
    pub position: usize,
    /// Height above the ground around it.
    pub prominence: f64,
    /// Where the curve rises through the height of the width.
    pub left: f64,
    /// Where the curve falls through it again.
    pub right: f64,
}

impl PeakFinder {
    /// Returns the peaks of `y` from left to right.
    pub fn find(self, y: &[f64]) -> Vec<Peak> {
        let (mut peaks, mut from) = (Vec::new(), 0);
        for part in y.split(|v| v.is_nan()) {
            peaks.extend(self.find_in(part).map(|peak| peak.shifted(from)));
            from += part.len() + 1;
        }
        peaks
    }

    fn find_in(self, y: &[f64]) -> impl Iterator<Item = Peak> {
        let tops = tops(y);
        let grounds = grounds(y, &tops).into_iter().zip(tops);
        let kept = grounds.filter(move |((prominence, ..), _)| *prominence >= self.min_prominence);
        kept.map(move |(ground, top)| self.measure(y, top, ground))
    }

    fn measure(self, y: &[f64], position: usize, ground: (f64, usize, usize)) -> Peak {
        let (prominence, left_base, right_base) = ground;
        let height = y[position] - prominence * self.rel_height;
        let left = (left_base..=position).rev().find(|&i| y[i] <= height).unwrap_or(left_base);
        let right = (position..=right_base).find(|&i| y[i] <= height).unwrap_or(right_base);
        Peak {
            position,
            prominence,
            left: left as f64 + part(y[left], y[(left + 1).min(position)], height),
            right: right as f64 - part(y[right], y[right.saturating_sub(1).max(position)], height),
        }
    }
}

impl Peak {
    /// Returns the width in samples.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    fn shifted(self, by: usize) -> Self {
        let (left, right) = (self.left + by as f64, self.right + by as f64);
        Self { position: self.position + by, left, right, ..self }
    }
}

/// Returns which part of the way from `low` to `high` reaches `height`; 0 where `low` is not below it.
fn part(low: f64, high: f64, height: f64) -> f64 {
    if low < height { (height - low) / (high - low) } else { 0.0 }
}

/// Returns the samples above both neighbours, plateaus by their middle.
fn tops(y: &[f64]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 1;
    while from + 1 < y.len() {
        let mut to = from;
        if y[from - 1] < y[from] {
            while to + 2 < y.len() && same(y[to + 1], y[from]) {
                to += 1;
            }
            if y[to + 1] < y[from] {
                found.push(usize::midpoint(from, to));
            }
        }
        from = to + 1;
    }
    found
}

#[expect(clippy::float_cmp, reason = "a plateau is of equal samples")]
fn same(a: f64, b: f64) -> bool {
    a == b
}

/// The lowest samples between two tops, or between a top and an end of the curve.
struct Valley {
    height: f64,
    first: usize,
    last: usize,
}

/// Returns the valleys before, between and after the tops: one pass over the curve, whatever the number of tops.
fn valleys(y: &[f64], tops: &[usize]) -> Vec<Valley> {
    let begins = std::iter::once(0).chain(tops.iter().copied());
    let ends = tops.iter().copied().chain([y.len()]);
    let valley = |(begin, end)| {
        let mut valley = Valley { height: f64::INFINITY, first: begin, last: begin };
        for (i, &y) in (begin..).zip(&y[begin..end]) {
            if y <= valley.height {
                valley.last = i;
                if y < valley.height {
                    (valley.height, valley.first) = (y, i);
                }
            }
        }
        valley
    };
    begins.zip(ends).map(valley).collect()
}

/// Returns the prominence of each top, and the lowest samples on its left and right, the nearest of several.
///
/// Ground rises above a top on the way to a higher one only, or to an end of the curve.
fn grounds(y: &[f64], tops: &[usize]) -> Vec<(f64, usize, usize)> {
    let valleys = valleys(y, tops);
    let heights = || tops.iter().map(|&top| y[top]);
    let left = lowest(heights(), valleys.iter().map(|v| (v.height, v.last)));
    let right = lowest(heights().rev(), valleys.iter().rev().map(|v| (v.height, v.first)));
    let sides = left.into_iter().zip(right.into_iter().rev());
    heights().zip(sides).map(|(top, (left, right))| (top - left.0.max(right.0), left.1, right.1)).collect()
}

/// Returns the lowest of the valleys that lie before each top and after the last higher one: height and place.
///
/// A stack holds the tops that later ones may look past, each with the lowest valley before it: every top is pushed and
/// popped once.
fn lowest(tops: impl Iterator<Item = f64>, valleys: impl Iterator<Item = (f64, usize)>) -> Vec<(f64, usize)> {
    let mut higher: Vec<(f64, (f64, usize))> = Vec::new();
    let ground = |(top, mut low): (f64, (f64, usize))| {
        while let Some((_, past)) = higher.pop_if(|(height, _)| *height <= top) {
            if past.0 < low.0 {
                low = past;
            }
        }
        higher.push((top, low));
        low
    };
    tops.zip(valleys).map(ground).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const Y: [f64; 20] = [
        0.0, 1.0, 0.5, 0.7, 0.7, 0.7, 0.2, 3.0, 2.5, 2.75, 2.5, -1.0, 0.0, 0.0, 2.0, 2.0, 1.5, 1.7, -0.5, 0.3,
    ];

    /// Position, prominence, left and right of each peak.
    type Expected = [(usize, f64, f64, f64)];

    #[track_caller]
    fn assert_peaks(y: &[f64], min_prominence: f64, rel_height: f64, expected: &Expected) {
        let found = PeakFinder { min_prominence, rel_height }.find(y);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (peak, &(position, prominence, left, right)) in found.iter().zip(expected) {
            assert_eq!(peak.position, position);
            let gaps = [peak.prominence - prominence, peak.left - left, peak.right - right];
            assert!(gaps.iter().all(|gap| gap.abs() < 1e-10), "{peak:?} {gaps:?}");
        }
    }

    /// Expected from `scipy.signal.find_peaks(y, prominence=..., width=0, rel_height=...)`
    /// (tests/fixtures/PROVENANCE.md).
    #[test]
    fn peaks_agree_with_scipy() {
        let all = [
            (1, 0.8, 0.6, 1.8),
            (4, 0.2, 2.5, 5.2),
            (7, 3.0, 6.464_285_714_286, 10.285_714_285_714),
            (9, 0.25, 8.5, 9.5),
            (14, 2.5, 13.375, 17.431_818_181_818),
            (17, 0.2, 16.5, 17.045_454_545_455),
        ];
        assert_peaks(&Y, 0.0, 0.5, &all);
        assert_peaks(&Y, 0.5, 0.5, &[all[0], all[2], all[4]]);
        let low = [
            (1, 0.8, 0.28, 5.84),
            (7, 3.0, 6.035_714_285_714, 10.628_571_428_571),
            (14, 2.5, 11.75, 17.886_363_636_364),
        ];
        assert_peaks(&Y, 0.5, 0.9, &low);
        let x = (0..200).map(|i| f64::from(i) * 0.1);
        let y: Vec<f64> = x.map(|x| x.sin() + 0.3 * (3.7 * x).sin() + 0.05 * (11.0 * x).cos()).collect();
        let waves = [
            (21, 1.089_867_551_048_837, 3.506_950_409_041_576, 25.097_388_856_852_93),
            (74, 2.371_763_793_042_79, 65.524_333_015_808_93, 93.660_173_413_463_81),
            (141, 2.379_701_765_150_782, 123.723_433_638_257_56, 158.895_059_960_182_9),
        ];
        assert_peaks(&y, 0.3, 0.5, &waves);
    }

    #[test]
    fn no_peak_stands_on_flat_ground_at_an_end_or_beside_a_missing_value() {
        let finder = PeakFinder { min_prominence: 0.0, rel_height: 0.5 };
        for y in
            [&[][..], &[1.0], &[1.0, 2.0], &[2.0; 9], &[0.0, 1.0, 2.0], &[3.0, 1.0, 2.0], &[0.0, 1.0, 1.0]]
        {
            assert_eq!(finder.find(y), []);
        }
        assert_eq!(finder.find(&[0.0, 1.0, f64::NAN, 1.0, 0.0]), []);
        assert_eq!(
            finder.find(&[f64::NAN, 0.0, 2.0, 1.0, f64::NAN])[0].prominence.to_bits(),
            1.0_f64.to_bits()
        );
    }

    /// Prominence as it is defined: the lowest samples on both sides before higher ground, NaN or an end.
    fn defined_prominence(y: &[f64], top: usize) -> f64 {
        let lowest = |way: &mut dyn Iterator<Item = usize>| {
            way.map(|i| y[i]).take_while(|&v| v <= y[top]).fold(y[top], f64::min)
        };
        y[top] - lowest(&mut (0..top).rev()).max(lowest(&mut (top + 1..y.len())))
    }

    proptest! {
        #[test]
        fn prominences_are_those_of_the_definition(
            y in proptest::collection::vec(prop_oneof![9 => (-5..5_i8).prop_map(f64::from), 1 => Just(f64::NAN)], 0..60),
        ) {
            for peak in (PeakFinder { min_prominence: 0.0, rel_height: 0.5 }).find(&y) {
                let expected = defined_prominence(&y, peak.position);
                prop_assert_eq!(peak.prominence.to_bits(), expected.to_bits());
            }
        }

        #[test]
        fn a_peak_is_within_its_width_and_no_more_prominent_than_the_curve_is_high(
            y in proptest::collection::vec(prop_oneof![9 => -5.0_f64..5.0, 1 => Just(f64::NAN), 3 => Just(1.0)], 0..60),
        ) {
            let finite = y.iter().copied().filter(|y| y.is_finite());
            let range = finite.clone().fold(f64::MIN, f64::max) - finite.fold(f64::MAX, f64::min);
            for peak in (PeakFinder { min_prominence: 0.1, rel_height: 0.5 }).find(&y) {
                let top = peak.position as f64;
                prop_assert!(peak.left < top && top < peak.right && peak.right < y.len() as f64);
                prop_assert!(0.1 <= peak.prominence && peak.prominence <= range);
            }
        }
    }
}
