//! The least and the largest of many values.

/// Values that are compared side by side: as many as the widest vectors hold, twice.
const LANES: usize = 16;

/// Returns the least and the largest finite value; `None` where there is none.
pub fn extent(values: &[f64]) -> Option<(f64, f64)> {
    let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let mut take = |values: &[f64]| {
        for ((low, high), &v) in low.iter_mut().zip(&mut high).zip(values) {
            // NaN compares as neither.
            *low = if v < *low && v > f64::NEG_INFINITY { v } else { *low };
            *high = if v > *high && v < f64::INFINITY { v } else { *high };
        }
    };
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        take(values);
    }
    take(rest);
    let low = low.into_iter().fold(f64::INFINITY, f64::min);
    let high = high.into_iter().fold(f64::NEG_INFINITY, f64::max);
    (low <= high).then_some((low, high))
}

/// Returns whether every value is a finite number.
pub fn all_finite(values: &[f64]) -> bool {
    values.iter().fold(true, |all, v| all & v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![-5.0..5.0_f64, Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
    }

    proptest! {
        #[test]
        fn the_extent_is_that_of_the_sorted_finite_values(values in prop::collection::vec(value(), 0..70)) {
            let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(extent(&values), sorted.first().copied().zip(sorted.last().copied()));
            prop_assert_eq!(all_finite(&values), sorted.len() == values.len());
        }
    }

    #[test]
    fn no_finite_value_has_no_extent() {
        assert_eq!(extent(&[]), None);
        assert_eq!(extent(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]), None);
        assert_eq!(extent(&[f64::NAN, 2.0]), Some((2.0, 2.0)));
    }
}
