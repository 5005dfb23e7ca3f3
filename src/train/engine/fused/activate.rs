//! Activations and their slopes, a vector at a time.
//!
//! `exp`, `tanh` and `ln(1 + t)` are polynomials with a relative error of a few units in the last place: the Taylor
//! series of degree 7 of `exp` on ±ln(2)/2, and Chebyshev interpolants of `tanh` below 0.6 and of `ln(1 + t)` on 0-1,
//! computed for this file with numpy. Not a number stays not a number, so that a diverged member is seen.

use pulp::Simd;

use crate::model::Activation;

/// Replaces sums by activations and writes their slopes, both padded.
#[inline(always)]
pub(super) fn activate<S: Simd>(simd: S, activation: Activation, sums: &mut [f32], slopes: &mut [f32]) {
    match activation {
        Activation::Relu => each::<S, Relu>(simd, sums, slopes),
        Activation::Tanh => each::<S, Tanh>(simd, sums, slopes),
        Activation::Gelu => each::<S, Gelu>(simd, sums, slopes),
        Activation::Silu => each::<S, Silu>(simd, sums, slopes),
        Activation::Sigmoid => each::<S, Sigmoid>(simd, sums, slopes),
        Activation::Softplus => each::<S, Softplus>(simd, sums, slopes),
    }
}

/// Replaces sums by activations where no slope is asked for; their number is one of whole vectors.
#[inline(always)]
pub(super) fn apply<S: Simd>(simd: S, activation: Activation, sums: &mut [f32]) {
    match activation {
        Activation::Relu => values::<S, Relu>(simd, sums),
        Activation::Tanh => values::<S, Tanh>(simd, sums),
        Activation::Gelu => values::<S, Gelu>(simd, sums),
        Activation::Silu => values::<S, Silu>(simd, sums),
        Activation::Sigmoid => values::<S, Sigmoid>(simd, sums),
        Activation::Softplus => values::<S, Softplus>(simd, sums),
    }
}

/// An activation. A trait and no closures: a closure is compiled apart, where each vector instruction is a call.
trait Curve {
    /// Returns value and slope at `x`.
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s);
}

#[inline(always)]
fn each<S: Simd, C: Curve>(simd: S, sums: &mut [f32], slopes: &mut [f32]) {
    let sums = S::as_mut_simd_f32s(sums).0;
    for (sum, slope) in sums.iter_mut().zip(S::as_mut_simd_f32s(slopes).0) {
        (*sum, *slope) = C::at(simd, *sum);
    }
}

#[inline(always)]
fn values<S: Simd, C: Curve>(simd: S, sums: &mut [f32]) {
    for sum in S::as_mut_simd_f32s(sums).0 {
        *sum = C::at(simd, *sum).0;
    }
}

struct Relu;

impl Curve for Relu {
    #[inline(always)]
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        (simd.max_f32s(zero, x), simd.select_f32s(simd.greater_than_f32s(x, zero), one, zero))
    }
}

struct Tanh;

impl Curve for Tanh {
    #[inline(always)]
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let y = tanh(simd, x);
        (y, simd.negate_mul_add_e_f32s(y, y, simd.splat_f32s(1.0)))
    }
}

struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let s = sigmoid(simd, x);
        let y = simd.mul_f32s(x, s);
        // s + x s (1 - s) = s + y - y s
        (y, simd.negate_mul_add_e_f32s(y, s, simd.add_f32s(s, y)))
    }
}

struct Sigmoid;

impl Curve for Sigmoid {
    #[inline(always)]
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let s = sigmoid(simd, x);
        (s, simd.negate_mul_add_e_f32s(s, s, s))
    }
}

struct Softplus;

impl Curve for Softplus {
    #[inline(always)]
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let decay = exp(simd, simd.neg_f32s(simd.abs_f32s(x)));
        let positive = simd.max_f32s(simd.splat_f32s(0.0), x);
        (simd.add_f32s(positive, ln_1p(simd, decay)), sigmoid(simd, x))
    }
}

/// Returns the polynomial with `coefficients`, the constant first, at `x`.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// Adding 1.5 * 2^23 rounds a small number to an integer, which is then found in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// ln(2) in two parts, the first with zeros at its end, so that a multiple of it is exact.
const LN_2: (f32, f32) = (0.693_145_75, 1.428_606_8e-6);

#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.min_f32s(simd.splat_f32s(88.0), x);
    let x = simd.max_f32s(simd.splat_f32s(-87.0), x);
    let round = simd.splat_f32s(ROUND);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    let power = simd.sub_f32s(shifted, round);
    let rest = simd.negate_mul_add_e_f32s(power, simd.splat_f32s(LN_2.0), x);
    let rest = simd.negate_mul_add_e_f32s(power, simd.splat_f32s(LN_2.1), rest);
    let factorials = [1.0, 1.0, 1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0];
    let fraction = polynomial(simd, rest, factorials);
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(fraction), exponent))
}

#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// Interpolant of `(tanh(x) / x - 1) / x^2` in `x^2` on 0-0.4, relative error of tanh below 2e-8.
const TANH: [f32; 5] = [-0.333_333_28, 0.133_327_19, -0.053_843_264, 0.020_961_33, -0.006_045_165];

#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let square = simd.mul_f32s(x, x);
    let small = simd.mul_add_e_f32s(simd.mul_f32s(x, square), polynomial(simd, square, TANH), x);
    let growth = exp(simd, simd.add_f32s(x, x));
    let large = simd.sub_f32s(one, simd.div_f32s(simd.splat_f32s(2.0), simd.add_f32s(growth, one)));
    let is_small = simd.less_than_f32s(square, simd.splat_f32s(0.36));
    simd.select_f32s(is_small, small, large)
}

/// Interpolant of `ln(1 + t) / t` on 0-1, relative error below 6e-9.
const LN_1P: [f32; 10] = [
    1.0,
    -0.499_998_93,
    0.333_297_1,
    -0.249_516_16,
    0.196_632_74,
    -0.152_696_67,
    0.105_436_236,
    -0.056_373_615,
    0.019_542_528,
    -0.003_176_057,
];

#[inline(always)]
fn ln_1p<S: Simd>(simd: S, t: S::f32s) -> S::f32s {
    simd.mul_f32s(t, polynomial(simd, t, LN_1P))
}

/// sqrt(2 / pi) and the coefficient of the cube in the tanh form of the Gaussian error linear unit `[Hendrycks2016]`.
pub(in crate::train::engine) const GELU: (f32, f32) = (0.797_884_6, 0.044_715);

struct Gelu;

impl Curve for Gelu {
    #[inline(always)]
    fn at<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let (one, half) = (simd.splat_f32s(1.0), simd.splat_f32s(0.5));
        let square = simd.mul_f32s(x, x);
        let linear = simd.splat_f32s(GELU.0);
        let inner = simd.mul_add_e_f32s(simd.splat_f32s(GELU.0 * GELU.1), square, linear);
        let t = tanh(simd, simd.mul_f32s(x, inner));
        let half_t = simd.mul_add_e_f32s(half, t, half);
        let inner_slope = simd.mul_add_e_f32s(simd.splat_f32s(GELU.0 * 3.0 * GELU.1), square, linear);
        let rise = simd.mul_f32s(simd.negate_mul_add_e_f32s(t, t, one), inner_slope);
        let slope = simd.mul_add_e_f32s(simd.mul_f32s(half, x), rise, half_t);
        (simd.mul_f32s(x, half_t), slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::engine::fused::buffer::Buffer;
    use pulp::{Arch, WithSimd};

    struct Apply<'a>(Activation, &'a mut [f32], &'a mut [f32]);

    impl WithSimd for Apply<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            activate(simd, self.0, self.1, self.2);
        }
    }

    fn apply(activation: Activation, x: &[f32]) -> (Buffer, Buffer) {
        let (mut y, mut slope) = (Buffer::zeros(x.len()), Buffer::zeros(x.len()));
        y.copy_from_slice(x);
        Arch::new().dispatch(Apply(activation, &mut y, &mut slope));
        (y, slope)
    }

    /// The same formulas by the standard library in double precision.
    fn reference(activation: Activation, x: f64) -> f64 {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
            Activation::Gelu => 0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044_715 * x * x * x)).tanh()),
            Activation::Silu => x * sigmoid,
            Activation::Sigmoid => sigmoid,
            Activation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        }
    }

    #[test]
    fn values_and_slopes_agree_with_double_precision() {
        let x: Vec<f32> = (0..1600).map(|i| (i as f32 - 800.0) / 57.0 + 1e-3).collect();
        for activation in Activation::ALL {
            let (y, slope) = apply(activation, &x);
            for ((&x, &y), &slope) in x.iter().zip(y.iter()).zip(slope.iter()) {
                let x = f64::from(x);
                let expected = reference(activation, x);
                let difference = (reference(activation, x + 1e-6) - reference(activation, x - 1e-6)) / 2e-6;
                let tolerance = 1e-6 * expected.abs() + 1e-7 * (1.0 + x.abs());
                assert!((f64::from(y) - expected).abs() < tolerance, "{activation:?} {x} {y} {expected}");
                assert!(
                    (f64::from(slope) - difference).abs() < 2e-6,
                    "{activation:?} {x} {slope} {difference}"
                );
            }
        }
    }

    #[test]
    fn extremes_stay_finite_and_nan_stays() {
        for activation in Activation::ALL {
            let mut x = [0.0; 16];
            (x[0], x[1], x[2]) = (1e4, -1e4, f32::NAN);
            let (y, slope) = apply(activation, &x);
            assert!(y[..2].iter().chain(&slope[..2]).all(|v| v.is_finite()), "{activation:?} {:?}", &y[..2]);
            assert!(y[2].is_nan(), "{activation:?}");
        }
    }
}
