//! The given begin of a cell: how fast it fades, as inputs of the rows that follow.

/// Descriptors of the given begin of a cell, with their units.
pub(super) const GIVEN: [(&str, &str); 3] =
    [(GIVEN_FADE_RATE, "1/(100 cycles)"), (GIVEN_PROGRESS, "1"), (GIVEN_PROGRESS_SQUARE, "1")];

/// Descriptor of the given begin of a cell: its fade by a least-squares line, relative to its mean [1/(100 cycles)].
pub(super) const GIVEN_FADE_RATE: &str = "given_fade_rate";

/// Descriptor: discharges so far / 100, times the early fade to the power of [`PROGRESS_POWER`].
pub(super) const GIVEN_PROGRESS: &str = "given_fade_progress";

/// Descriptor: the square of [`GIVEN_PROGRESS`].
pub(super) const GIVEN_PROGRESS_SQUARE: &str = "given_fade_progress_square";

/// Returns the sentence of a descriptor of the given begin of a cell; `None` for another one.
pub fn given_doc(name: &str) -> Option<&'static str> {
    match name {
        GIVEN_FADE_RATE => {
            Some("Fade of the given discharges by a least-squares line, relative to their mean.")
        }
        GIVEN_PROGRESS => Some("Discharges so far / 100, times given_fade_rate to the power of 0.4."),
        GIVEN_PROGRESS_SQUARE => Some("Square of given_fade_progress."),
        _ => None,
    }
}

/// Share of the early fade's spread that lasts, as an exponent: chosen by leave-one-out on the training cells of
/// `nasa_trajectory` (0.4 in three of four, 0.3 in one).
pub(super) const PROGRESS_POWER: f64 = 0.4;

/// Least early fade [1/(100 cycles)]; a cell that seems to gain fades by this.
const LEAST_FADE: f64 = 1e-3;

/// Returns the fade of the given capacities [1/(100 cycles)], [`LEAST_FADE`] at least.
pub(super) fn early_fade(given_ah: &[f64]) -> f64 {
    let mean = given_ah.iter().sum::<f64>() / given_ah.len() as f64;
    (-100.0 * slope(given_ah) / mean).max(LEAST_FADE)
}

/// Returns the least-squares slope of values against their position.
fn slope(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let (x_mean, y_mean) = (0.5 * (n - 1.0), values.iter().sum::<f64>() / n);
    let centred = || values.iter().enumerate().map(|(x, y)| (x as f64 - x_mean, y - y_mean));
    centred().map(|(x, y)| x * y).sum::<f64>() / centred().map(|(x, _)| x * x).sum::<f64>()
}
