//! Softmax: from a classifier's logits to probabilities.
//!
//! ```text
//! softmax_k = exp(z_k - log_sum_exp(z)),   log_sum_exp(z) = max z + ln sum exp(z_k - max z)
//! ```
//!
//! in double precision, so that no logit is too large and the probabilities sum to 1. Not a number stays not a number.

/// Returns the probabilities of the classes of one row `[class]` from its logits `[class]`.
pub fn softmax<T: Copy + Into<f64>>(logits: &[T]) -> Vec<f64> {
    let total = log_sum_exp(logits);
    logits.iter().map(|&logit| (logit.into() - total).exp()).collect()
}

/// Replaces the logits of one row `[class]` by the probabilities of its classes.
pub fn softmax_in_place(logits: &mut [f64]) {
    let total = log_sum_exp(logits);
    for logit in logits {
        *logit = (*logit - total).exp();
    }
}

/// Returns `ln sum exp(z)` of one row of logits `[class]`.
pub fn log_sum_exp<T: Copy + Into<f64>>(logits: &[T]) -> f64 {
    let logits = || logits.iter().map(|&logit| logit.into());
    let largest = logits().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits().map(|logit| (logit - largest).exp()).sum();
    largest + sum.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `scipy.special.softmax` and `logsumexp` (tests/fixtures/PROVENANCE.md).
    #[test]
    fn values_are_those_of_scipy() {
        for (logits, total, probabilities) in [
            ([0.5, -1.25, 2.0], 2.232_621_983_102, [0.176_820_182_107, 0.030_726_740_326, 0.792_453_077_566]),
            ([1000.0, 999.0, -1000.0], 1_000.313_261_687_518, [0.731_058_578_630, 0.268_941_421_370, 0.0]),
        ] {
            assert!((log_sum_exp(&logits) - total).abs() < 1e-12);
            for (found, expected) in softmax(&logits).into_iter().zip(probabilities) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
            let mut in_place = logits;
            softmax_in_place(&mut in_place);
            assert_eq!(in_place[..], softmax(&logits)[..]);
        }
    }

    #[test]
    fn a_logit_that_is_no_number_is_seen() {
        assert!(softmax(&[0.0, f32::NAN]).iter().all(|p| p.is_nan()));
        assert!(log_sum_exp(&[f32::INFINITY, 0.0]).is_nan());
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one_and_keep_the_order(logits in prop::collection::vec(-1e4_f32..1e4, 1..65)) {
            let p = softmax(&logits);
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for (a, b) in logits.iter().zip(&p).flat_map(|a| logits.iter().zip(&p).map(move |b| (a, b))) {
                prop_assert!(a.0 > b.0 || a.1 <= b.1);
            }
        }
    }
}
