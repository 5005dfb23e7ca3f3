//! Savitzky-Golay smoothing: each value, or a derivative, of the polynomial fitted to the points around it.
//!
//! A window of `window` equally spaced points carries a least-squares polynomial of order `order`
//! `[SavitzkyGolay1964]`. Within half a window of an end the polynomial of the outermost window is used, so that the
//! result is as long as the input and a polynomial of that order passes unchanged.

use nalgebra::DMatrix;
use pulp::{Arch, Simd, WithSimd};

use super::SignalError;

/// Neighbouring points that are filtered together: four vectors of the widest registers.
const BLOCK: usize = 32;

/// A polynomial in a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavitzkyGolay {
    /// Points of the window, odd and above `order`.
    pub window: usize,
    /// Order of the polynomial.
    pub order: usize,
}

/// Weights of a [`SavitzkyGolay`] filter, made once for many curves.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// What each point of the window adds to the result at each place of it, `window` by `window`.
    weights: Vec<Vec<f64>>,
}

impl SavitzkyGolay {
    /// Returns the smoothed values.
    ///
    /// # Errors
    /// [`SignalError::Window`], and [`SignalError::TooShort`] when `y` is shorter than the window.
    pub fn smooth(self, y: &[f64]) -> Result<Vec<f64>, SignalError> {
        self.differentiate(y, 0, 1.0)
    }

    /// Returns the derivative number `derivative` of the smoothed curve, whose points are `step` apart.
    ///
    /// # Errors
    /// [`SignalError::Derivative`] when `derivative` is above the order, and those of [`SavitzkyGolay::smooth`].
    pub fn differentiate(self, y: &[f64], derivative: usize, step: f64) -> Result<Vec<f64>, SignalError> {
        self.check(y.len(), derivative)?;
        self.kernel(derivative, step)?.apply(y)
    }

    /// Returns the weights of derivative number `derivative`, for many curves whose points are `step` apart.
    ///
    /// # Errors
    /// [`SignalError::Window`] and [`SignalError::Derivative`].
    pub fn kernel(self, derivative: usize, step: f64) -> Result<Kernel, SignalError> {
        self.check(self.window, derivative)?;
        let fit = self.fit();
        let weights = (0..self.window).map(|place| self.weights(&fit, place, derivative, step)).collect();
        Ok(Kernel { weights })
    }

    fn check(self, points: usize, derivative: usize) -> Result<(), SignalError> {
        let Self { window, order } = self;
        if window % 2 == 0 || window <= order {
            return Err(SignalError::Window { window, order });
        }
        if derivative > order {
            return Err(SignalError::Derivative { derivative, order });
        }
        if points < window {
            return Err(SignalError::TooShort { points, needed: window });
        }
        Ok(())
    }

    /// Returns the matrix that takes the window's values to the polynomial's coefficients, [order + 1, window].
    fn fit(self) -> DMatrix<f64> {
        let powers = DMatrix::from_fn(self.window, self.order + 1, |i, k| power(self.coordinate(i), k));
        let decomposition = powers.qr();
        let (q, r) = (decomposition.q(), decomposition.r());
        r.solve_upper_triangular(&q.transpose()).expect("powers of different coordinates are independent")
    }

    /// Returns the place of a point in its window from -1 to 1; 0 in a window of one point.
    fn coordinate(self, place: usize) -> f64 {
        let half = (self.window / 2) as f64;
        (place as f64 - half) / half.max(1.0)
    }

    /// Returns what each point of the window adds to the derivative at `place`.
    fn weights(self, fit: &DMatrix<f64>, place: usize, derivative: usize, step: f64) -> Vec<f64> {
        let (t, scale) = (self.coordinate(place), step * ((self.window / 2) as f64).max(1.0));
        let term = |k: usize| -> f64 {
            let factor: f64 = (k + 1 - derivative..=k).map(|f| f as f64).product();
            factor * power(t, k - derivative) / power(scale, derivative)
        };
        let point = |i: usize| (derivative..=self.order).map(|k| term(k) * fit[(k, i)]).sum();
        (0..self.window).map(point).collect()
    }
}

impl Kernel {
    /// Returns the filtered curve, as long as `y`.
    ///
    /// # Errors
    /// [`SignalError::TooShort`] when `y` is shorter than the window.
    pub fn apply(&self, y: &[f64]) -> Result<Vec<f64>, SignalError> {
        let (window, half) = (self.weights.len(), self.weights.len() / 2);
        if y.len() < window {
            return Err(SignalError::TooShort { points: y.len(), needed: window });
        }
        let tail = y.len() - window;
        let dot =
            |place: usize, y: &[f64]| self.weights[place].iter().zip(y).map(|(w, y)| w * y).sum::<f64>();
        let head = (0..half).map(|place| dot(place, y));
        let last = (half + 1..window).map(|place| dot(place, &y[tail..]));
        Ok(head.chain(self.middle(y)).chain(last).collect())
    }

    /// Returns the result where the window lies around its point.
    fn middle(&self, y: &[f64]) -> Vec<f64> {
        let weights = &self.weights[self.weights.len() / 2];
        let mut sums = vec![0.0; y.len() + 1 - weights.len()];
        Arch::new().dispatch(Middle { weights, y, sums: &mut sums });
        sums
    }
}

/// Sums of products that are kept in registers, some neighbours at a time; in the order of the weights, never fused, so that
/// they are the same on every machine.
struct Middle<'a> {
    weights: &'a [f64],
    y: &'a [f64],
    sums: &'a mut [f64],
}

impl WithSimd for Middle<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only what is inlined here is compiled for the vectors at hand")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { weights, y, sums } = self;
        let (blocks, rest) = sums.as_chunks_mut::<BLOCK>();
        for (block, sums) in blocks.iter_mut().enumerate() {
            let y = &y[block * BLOCK..][..BLOCK + weights.len() - 1];
            let mut sum = [0.0; BLOCK];
            for (weight, y) in weights.iter().zip(y.array_windows::<BLOCK>()) {
                for (sum, y) in sum.iter_mut().zip(y) {
                    *sum += weight * y;
                }
            }
            *sums = sum;
        }
        let y = &y[blocks.len() * BLOCK..];
        for (sum, y) in rest.iter_mut().zip(y.windows(weights.len())) {
            *sum = weights.iter().zip(y).fold(0.0, |sum, (weight, y)| sum + weight * y);
        }
    }
}

fn power(x: f64, exponent: usize) -> f64 {
    std::iter::repeat_n(x, exponent).product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const Y: [f64; 11] = [1.0, 3.0, 2.0, 5.0, 4.0, 8.0, 7.0, 6.0, 9.0, 4.0, 1.0];

    /// Window, order, derivative and `scipy.signal.savgol_filter(Y, ..., delta=0.5)` (tests/fixtures/PROVENANCE.md).
    const GOLDEN: [(usize, usize, usize, [f64; 11]); 5] = [
        (
            5,
            2,
            0,
            [
                1.114_285_714_285_7,
                2.342_857_142_857_1,
                3.285_714_285_714_3,
                3.542_857_142_857_1,
                5.628_571_428_571_4,
                6.714_285_714_285_7,
                7.085_714_285_714_3,
                7.371_428_571_428_6,
                7.114_285_714_285_7,
                4.857_142_857_142_8,
                0.885_714_285_714_3,
            ],
        ),
        (
            5,
            2,
            1,
            [
                2.742_857_142_857_1,
                2.171_428_571_428_6,
                1.6,
                2.4,
                2.6,
                1.0,
                1.6,
                -1.2,
                -2.8,
                -6.228_571_428_571_4,
                -9.657_142_857_142_9,
            ],
        ),
        (
            7,
            3,
            0,
            [
                1.357_142_857_142_9,
                1.976_190_476_190_5,
                2.976_190_476_190_5,
                4.190_476_190_476_2,
                5.476_190_476_190_5,
                6.333_333_333_333_3,
                7.333_333_333_333_3,
                7.809_523_809_523_8,
                6.880_952_380_952_4,
                4.666_666_666_666_7,
                1.0,
            ],
        ),
        (
            7,
            3,
            1,
            [
                0.746_031_746_031_8,
                1.674_603_174_603_2,
                2.269_841_269_841_3,
                2.531_746_031_746,
                3.515_873_015_873,
                0.690_476_190_476_2,
                1.912_698_412_698_4,
                -0.682_539_682_539_7,
                -3.087_301_587_301_6,
                -5.825_396_825_396_8,
                -8.896_825_396_825_4,
            ],
        ),
        (
            7,
            4,
            2,
            [
                -20.696_969_696_97,
                -5.909_090_909_091,
                2.696_969_696_969_7,
                5.121_212_121_212_1,
                -1.242_424_242_424_2,
                -5.303_030_303_030_3,
                -0.060_606_060_606,
                0.454_545_454_545_4,
                -3.303_030_303_030_3,
                -13.242_424_242_424_2,
                -29.363_636_363_636_4,
            ],
        ),
    ];

    #[test]
    fn values_and_derivatives_agree_with_scipy() {
        for (window, order, derivative, expected) in GOLDEN {
            let found = SavitzkyGolay { window, order }.differentiate(&Y, derivative, 0.5).unwrap();
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-10,
                    "{window} {order} {derivative}: {found} {expected}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_polynomial_of_the_order_passes_unchanged(a in -1.0_f64..1.0, b in -1.0_f64..1.0, c in -1.0_f64..1.0) {
            let y: Vec<f64> = (0..20).map(f64::from).map(|x| a + b * x + c * x * x).collect();
            let smooth = SavitzkyGolay { window: 7, order: 2 }.smooth(&y).unwrap();
            prop_assert!(smooth.iter().zip(&y).all(|(s, y)| (s - y).abs() < 1e-9));
        }
    }

    #[test]
    fn a_kernel_serves_many_curves() {
        let kernel = SavitzkyGolay { window: 5, order: 2 }.kernel(0, 1.0).unwrap();
        assert_eq!(kernel.apply(&Y[..4]), Err(SignalError::TooShort { points: 4, needed: 5 }));
        let smooth = |y: &[f64]| SavitzkyGolay { window: 5, order: 2 }.smooth(y).unwrap();
        for n in [5, 6, 11] {
            assert_eq!(kernel.apply(&Y[..n]).unwrap(), smooth(&Y[..n]));
        }
    }

    #[test]
    fn a_window_that_cannot_be_is_an_error() {
        let smooth = |window, order| SavitzkyGolay { window, order }.smooth(&Y);
        assert_eq!(smooth(4, 2), Err(SignalError::Window { window: 4, order: 2 }));
        assert_eq!(smooth(3, 3), Err(SignalError::Window { window: 3, order: 3 }));
        assert_eq!(smooth(13, 2), Err(SignalError::TooShort { points: 11, needed: 13 }));
        let derivative = SavitzkyGolay { window: 5, order: 2 }.differentiate(&Y, 3, 1.0);
        assert_eq!(derivative, Err(SignalError::Derivative { derivative: 3, order: 2 }));
        assert_eq!(SavitzkyGolay { window: 1, order: 0 }.smooth(&Y).unwrap().len(), Y.len());
    }
}
