//! Tensors as the numbers of a physics law, so that autodiff differentiates the prior.

use std::ops::{Add, Div, Mul, Neg, Sub};

use burn::tensor::Tensor;

use crate::physics::Real;

/// One number of each row of each member, `[member, row, 1]`, or of each member, `[member, 1, 1]`.
#[derive(Debug, Clone)]
pub(super) struct Field(pub(super) Tensor<3>);

macro_rules! operator {
    ($trait:ident, $name:ident, $scalar:ident) => {
        impl $trait for Field {
            type Output = Self;

            fn $name(self, other: Self) -> Self {
                Self(self.0.$name(other.0))
            }
        }

        impl $trait<f64> for Field {
            type Output = Self;

            fn $name(self, other: f64) -> Self {
                Self(self.0.$scalar(other))
            }
        }
    };
}

operator!(Add, add, add_scalar);
operator!(Sub, sub, sub_scalar);
operator!(Mul, mul, mul_scalar);
operator!(Div, div, div_scalar);

impl Neg for Field {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.neg())
    }
}

impl Real for Field {
    fn exp(self) -> Self {
        Self(self.0.exp())
    }

    fn ln(self) -> Self {
        Self(self.0.log())
    }

    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }

    fn tanh(self) -> Self {
        Self(self.0.tanh())
    }
}
