//! Rainflow counting: the closed cycles hidden in an irregular series of SoC.
//!
//! The three-point method of `[ASTM-E1049]`, 5.4.4 (algorithm of `[DowningSocie1982]`): a range is counted once as a whole
//! cycle when a larger one encloses it; ranges that hold the first point, and those left at the end, count one half.

/// A counted cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cycle {
    /// Difference between peak and valley, in the unit of the series; of SoC it is the depth of the cycle [1].
    pub range: f64,
    /// Middle between peak and valley, in the unit of the series.
    pub mean: f64,
    /// 1 for a closed cycle, 0.5 for a half cycle.
    pub count: f64,
}

/// Returns the cycles of `series` in the order in which they close; fewer than two different values have none.
///
/// Non-finite values never make a reversal and are passed over.
pub fn count(series: &[f64]) -> Vec<Cycle> {
    let mut cycles = Vec::new();
    let mut open: Vec<f64> = Vec::new();
    for point in reversals(series) {
        open.push(point);
        close(&mut open, &mut cycles);
    }
    cycles.extend(open.windows(2).map(|w| cycle(w[0], w[1], 0.5)));
    cycles
}

/// Moves every range that the last point has closed from `open` to `cycles`.
fn close(open: &mut Vec<f64>, cycles: &mut Vec<Cycle>) {
    while let [.., before, from, to] = *open.as_slice() {
        if (to - from).abs() < (from - before).abs() {
            return;
        }
        if open.len() == 3 {
            cycles.push(cycle(before, from, 0.5));
            open.remove(0);
        } else {
            cycles.push(cycle(before, from, 1.0));
            open.truncate(open.len() - 3);
            open.push(to);
        }
    }
}

/// Returns the first value, every peak and valley, and the last value.
fn reversals(series: &[f64]) -> Vec<f64> {
    let mut points: Vec<f64> = Vec::new();
    for &value in series.iter().filter(|v| v.is_finite()) {
        match *points.as_slice() {
            [.., last] if (value - last).abs() == 0.0 => {}
            [.., before, last] if (value > last) == (last > before) => {
                points.pop();
                points.push(value);
            }
            _ => points.push(value),
        }
    }
    points
}

fn cycle(a: f64, b: f64, count: f64) -> Cycle {
    Cycle { range: (a - b).abs(), mean: 0.5 * (a + b), count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Worked example of the standard, figure 6: points A to I and its table of counts by range.
    #[test]
    fn counts_the_standards_example() {
        let series = [-2.0, 1.0, -3.0, 5.0, -1.0, 3.0, -4.0, 4.0, -2.0];
        let mut by_range: BTreeMap<u64, f64> = BTreeMap::new();
        for c in count(&series) {
            *by_range.entry(c.range as u64).or_default() += c.count;
        }
        let expected = BTreeMap::from([(3, 0.5), (4, 1.5), (6, 0.5), (8, 1.0), (9, 0.5)]);
        assert_eq!(by_range, expected);
    }

    #[test]
    fn points_between_reversals_and_plateaus_do_not_matter() {
        let plain = count(&[0.2, 0.9, 0.4, 0.8, 0.1]);
        assert_eq!(count(&[0.2, 0.2, 0.5, 0.9, 0.9, 0.6, 0.4, 0.5, f64::NAN, 0.8, 0.1]), plain);
        assert_eq!(plain.iter().filter(|c| c.count > 0.75).count(), 1, "0.4 to 0.8 closes");
        assert!(count(&[0.5, 0.5]).is_empty());
    }

    proptest! {
        /// Every movement is counted: twice the range of whole cycles, once that of half cycles, is the path.
        #[test]
        fn counted_ranges_add_up_to_the_path(series in proptest::collection::vec(0.0_f64..1.0, 0..60)) {
            let path: f64 = series.windows(2).map(|w| (w[1] - w[0]).abs()).sum();
            let counted: f64 = count(&series).iter().map(|c| 2.0 * c.count * c.range).sum();
            prop_assert!((path - counted).abs() < 1e-9);
        }
    }
}
