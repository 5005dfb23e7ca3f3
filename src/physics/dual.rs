//! Forward-mode dual numbers: a value and its exact derivatives by up to `N` parameters.
//!
//! A parameter is seeded with a unit derivative ([`Dual::variable`]), data with none ([`Dual::constant`]); every
//! operation of [`Real`] applies the chain rule.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Real;

/// A value with its gradient by `N` parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual<const N: usize> {
    /// The value.
    pub value: f64,
    /// Derivatives of the value, one a parameter.
    pub gradient: [f64; N],
}

impl<const N: usize> Dual<N> {
    /// Returns a number that depends on no parameter.
    pub fn constant(value: f64) -> Self {
        Self { value, gradient: [0.0; N] }
    }

    /// Returns the parameter number `index`.
    ///
    /// # Panics
    /// When `index` is not below `N`.
    pub fn variable(value: f64, index: usize) -> Self {
        let mut gradient = [0.0; N];
        gradient[index] = 1.0;
        Self { value, gradient }
    }

    /// Returns `f(self)` for its value and its derivative `slope` at `self`.
    fn chain(self, value: f64, slope: f64) -> Self {
        Self { value, gradient: self.gradient.map(|g| slope * g) }
    }

    /// Returns a number of two arguments for its value and its two partial derivatives.
    fn join(self, other: Self, value: f64, (by_self, by_other): (f64, f64)) -> Self {
        let gradient = std::array::from_fn(|i| by_self * self.gradient[i] + by_other * other.gradient[i]);
        Self { value, gradient }
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.join(other, self.value + other.value, (1.0, 1.0))
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.join(other, self.value - other.value, (1.0, -1.0))
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.join(other, self.value * other.value, (other.value, self.value))
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        self.join(other, quotient, (other.value.recip(), -quotient / other.value))
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Self;

    fn neg(self) -> Self {
        self.chain(-self.value, -1.0)
    }
}

impl<const N: usize> Add<f64> for Dual<N> {
    type Output = Self;

    fn add(self, other: f64) -> Self {
        self.chain(self.value + other, 1.0)
    }
}

impl<const N: usize> Sub<f64> for Dual<N> {
    type Output = Self;

    fn sub(self, other: f64) -> Self {
        self.chain(self.value - other, 1.0)
    }
}

impl<const N: usize> Mul<f64> for Dual<N> {
    type Output = Self;

    fn mul(self, other: f64) -> Self {
        self.chain(self.value * other, other)
    }
}

impl<const N: usize> Div<f64> for Dual<N> {
    type Output = Self;

    fn div(self, other: f64) -> Self {
        self.chain(self.value / other, other.recip())
    }
}

impl<const N: usize> Real for Dual<N> {
    fn exp(self) -> Self {
        let value = self.value.exp();
        self.chain(value, value)
    }

    fn ln(self) -> Self {
        self.chain(self.value.ln(), self.value.recip())
    }

    fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        self.chain(value, 0.5 / value)
    }

    fn tanh(self) -> Self {
        let value = self.value.tanh();
        self.chain(value, 1.0 - value * value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Uses every operation of [`Real`] on positive arguments.
    fn everything<R: Real>(x: &[R]) -> R {
        let [a, b] = [x[0].clone(), x[1].clone()];
        let quotient = (a.clone() + 1.0) / (b.clone() * a.clone() + 2.0);
        let waves = (a.clone() - b.clone()).tanh() * (b.clone() / 3.0).sqrt();
        -quotient + waves + (a * 0.1).exp() * (b - 0.01).ln()
    }

    proptest! {
        #[test]
        fn gradient_agrees_with_central_differences(a in 0.1_f64..5.0, b in 0.1_f64..5.0) {
            let dual = everything(&[Dual::<2>::variable(a, 0), Dual::variable(b, 1)]);
            prop_assert_eq!(dual.value.to_bits(), everything(&[a, b]).to_bits());
            let h = 1e-5;
            let by_a = (everything(&[a + h, b]) - everything(&[a - h, b])) / (2.0 * h);
            let by_b = (everything(&[a, b + h]) - everything(&[a, b - h])) / (2.0 * h);
            for (exact, difference) in dual.gradient.into_iter().zip([by_a, by_b]) {
                prop_assert!((exact - difference).abs() < 1e-6 * (1.0 + exact.abs()), "{exact} {difference}");
            }
        }
    }

    #[test]
    fn a_constant_has_no_gradient() {
        let gradient = everything(&[Dual::<3>::constant(1.0), Dual::constant(2.0)]).gradient;
        assert!(gradient.iter().all(|&g| g == 0.0));
    }
}
