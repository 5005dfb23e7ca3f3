//! Error of the predicted end of life, in cycles.

use crate::cell::health::eol_position;

/// Returns predicted minus true end of life [cycles]: negative when predicted too early.
///
/// The three slices have one value a cycle, `cycle` ascending [cycles], the others SoH [1]. `None` when the true or the
/// predicted SoH does not reach `threshold` confirmed by `confirm` successors: a censored life has no error, and a
/// forecast that never ends is to be counted, not scored (see [`eol_position`]).
///
/// # Panics
/// When `cycle` is shorter than a series of SoH.
pub fn eol_error(
    cycle: &[f64],
    soh_true: &[f64],
    soh_pred: &[f64],
    threshold: f64,
    confirm: usize,
) -> Option<f64> {
    let end = |soh: &[f64]| eol_position(soh, threshold, confirm).map(|position| cycle[position]);
    Some(end(soh_pred)? - end(soh_true)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: [f64; 6] = [1.0, 2.0, 4.0, 5.0, 6.0, 7.0];
    const TRUE: [f64; 6] = [1.0, 0.9, 0.79, 0.78, 0.77, 0.76];

    #[test]
    fn error_is_in_cycles_and_negative_when_too_early() {
        assert_eq!(eol_error(&CYCLE, &TRUE, &[1.0, 0.7, 0.7, 0.7, 0.7, 0.7], 0.8, 1), Some(-2.0));
        assert_eq!(eol_error(&CYCLE, &TRUE, &[1.0, 0.9, 0.9, 0.9, 0.8, 0.7], 0.8, 1), Some(2.0));
        assert_eq!(eol_error(&CYCLE, &TRUE, &TRUE, 0.8, 1), Some(0.0));
    }

    #[test]
    fn a_censored_or_endless_life_has_no_error() {
        assert_eq!(eol_error(&CYCLE, &TRUE, &[1.0; 6], 0.8, 0), None);
        assert_eq!(eol_error(&CYCLE, &[0.9; 6], &TRUE, 0.8, 0), None);
        assert_eq!(eol_error(&CYCLE, &TRUE, &[1.0, 1.0, 1.0, 1.0, 1.0, 0.7], 0.8, 1), None, "unconfirmed");
    }
}
