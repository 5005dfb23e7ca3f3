//! Circle through points: the algebraic fit of Taubin, which unlike Kasa's hardly shrinks the circle of a short arc.
//!
//! It minimises the sum of `(a (x^2 + y^2) + b x + c y + d)^2` over the mean squared gradient of that polynomial
//! `[Taubin1991]`; the minimum is the last singular vector of a matrix of three columns `[Chernov2010]`.

use nalgebra::DMatrix;

use super::error::check_length;

/// A circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Abscissa of the centre.
    pub x: f64,
    /// Ordinate of the centre.
    pub y: f64,
    /// Radius.
    pub radius: f64,
    /// Root mean square distance of the points from the circle.
    pub rms: f64,
}

/// Returns the circle nearest to the points; `None` below three points, on a line, or with a value that is not finite.
pub fn fit(x: &[f64], y: &[f64]) -> Option<Circle> {
    check_length(x, y, 3).ok()?;
    let n = x.len() as f64;
    let centroid = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let points: Vec<(f64, f64)> = x.iter().zip(y).map(|(x, y)| (x - centroid.0, y - centroid.1)).collect();
    let square = |&(x, y): &(f64, f64)| x * x + y * y;
    let mean = points.iter().map(square).sum::<f64>() / n;
    if !mean.is_normal() {
        return None;
    }
    let scale = 2.0 * mean.sqrt();
    let rows = points.iter().flat_map(|p| [(square(p) - mean) / scale, p.0, p.1]);
    let vector = smallest_direction(&DMatrix::from_row_iterator(points.len(), 3, rows))?;
    let a = vector[0] / scale;
    let offset = (-vector[1] / a / 2.0, -vector[2] / a / 2.0);
    let radius = (square(&offset) + mean).sqrt();
    let away = |p: &(f64, f64)| ((p.0 - offset.0).hypot(p.1 - offset.1) - radius).powi(2);
    let rms = (points.iter().map(away).sum::<f64>() / n).sqrt();
    let circle = Circle { x: offset.0 + centroid.0, y: offset.1 + centroid.1, radius, rms };
    // A line is a circle of endless radius.
    (radius.is_finite() && radius < 1e6 * mean.sqrt()).then_some(circle)
}

/// Returns the right singular vector of the smallest singular value.
fn smallest_direction(matrix: &DMatrix<f64>) -> Option<[f64; 3]> {
    let decomposition = matrix.clone().try_svd(false, true, f64::EPSILON, 0)?;
    let vectors = decomposition.v_t?;
    let values = decomposition.singular_values;
    let last = (0..values.len()).min_by(|&a, &b| values[a].total_cmp(&values[b]))?;
    Some(std::array::from_fn(|k| vectors[(last, k)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A noisy arc of about 100 degrees: cos and sin, plus 0.01 times a ramp folded at 0.5.
    fn arc() -> (Vec<f64>, Vec<f64>) {
        let angle = |k: u32| 0.6 + 0.15 * f64::from(k);
        let bump = |k: u32| 0.01 * (f64::from(k * 7 % 10) / 10.0 - 0.5);
        (0..13)
            .map(|k| (2.0 + 1.5 * angle(k).cos() + bump(k), -0.4 + 1.5 * angle(k).sin() + bump(k + 3)))
            .unzip()
    }

    /// Expected from the generalised eigenproblem of Taubin, `scipy.linalg.eig` (tests/fixtures/PROVENANCE.md).
    #[test]
    fn circle_agrees_with_the_eigenproblem() {
        let (x, y) = arc();
        let circle = fit(&x, &y).unwrap();
        let expected = [
            1.998_986_192_801_111_5,
            -0.398_563_677_546_764_95,
            1.498_280_876_233_122_6,
            0.003_141_223_459_9,
        ];
        let found = [circle.x, circle.y, circle.radius, circle.rms];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{circle:?}");
        }
    }

    #[test]
    fn a_line_a_pair_and_a_nan_are_no_circle() {
        let line: Vec<f64> = (0..5).map(f64::from).collect();
        assert_eq!(fit(&line, &line), None);
        assert_eq!(fit(&line[..2], &line[..2]), None);
        assert_eq!(fit(&[0.0, 1.0, f64::NAN], &[0.0, 1.0, 0.0]), None);
        assert_eq!(fit(&[1.0; 4], &[1.0; 4]), None);
    }
}
