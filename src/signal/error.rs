//! What keeps a curve from being worked on.

/// What keeps a curve from being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// Occurs when two columns of one curve differ in length.
    #[error("a curve has {x} abscissae and {y} ordinates")]
    Length {
        /// Number of abscissae.
        x: usize,
        /// Number of ordinates.
        y: usize,
    },
    /// Occurs when a curve has fewer points than the method needs.
    #[error("a curve has {points} points, the method needs {needed}")]
    TooShort {
        /// Points of the curve.
        points: usize,
        /// Points needed.
        needed: usize,
    },
    /// Occurs when an abscissa is not above the one before it, or not a number.
    #[error(
        "the abscissa at position {position} is not above the one before it: sort the curve and drop repeats"
    )]
    NotAscending {
        /// Position of the first such abscissa.
        position: usize,
    },
    /// Occurs when a smoothing window is even, or not above the order of its polynomial.
    #[error(
        "a window of {window} points cannot carry a polynomial of order {order}: it must be odd and above the order"
    )]
    Window {
        /// Points of the window.
        window: usize,
        /// Order of the polynomial.
        order: usize,
    },
    /// Occurs when a derivative above the order of the polynomial is asked for.
    #[error("derivative {derivative} of a polynomial of order {order} is always 0: raise the order")]
    Derivative {
        /// Derivative asked for.
        derivative: usize,
        /// Order of the polynomial.
        order: usize,
    },
}

/// Refuses a curve whose columns differ in length or that has fewer than `needed` points.
pub(super) fn check_length(x: &[f64], y: &[f64], needed: usize) -> Result<(), SignalError> {
    if x.len() != y.len() {
        return Err(SignalError::Length { x: x.len(), y: y.len() });
    }
    if x.len() < needed {
        return Err(SignalError::TooShort { points: x.len(), needed });
    }
    Ok(())
}

/// Refuses abscissae that do not ascend strictly.
pub(super) fn check_ascending(x: &[f64]) -> Result<(), SignalError> {
    let ascends = |w: &[f64]| w[0] < w[1] && w[0].is_finite() && w[1].is_finite();
    match x.windows(2).position(|w| !ascends(w)) {
        Some(before) => Err(SignalError::NotAscending { position: before + 1 }),
        None => Ok(()),
    }
}
