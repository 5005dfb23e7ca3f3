//! Ageing laws of the literature, each written once for plain numbers, dual numbers and tensors.
//!
//! A law is a formula from parameters and stress (cycle count, charge time, temperature, ...) to capacity. It is
//! generic over [`Real`]: with `f64` it predicts, with dual numbers it gives exact Jacobians to the least squares of
//! `fit`, and with tensors it is the differentiable prior of a hybrid network.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that a law can be computed with: `f64`, a dual number, or a tensor of such numbers.
pub trait Real:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// Returns e to the power of `self`.
    fn exp(self) -> Self;
    /// Returns the natural logarithm.
    fn ln(self) -> Self;
    /// Returns the square root.
    fn sqrt(self) -> Self;
    /// Returns the hyperbolic tangent.
    fn tanh(self) -> Self;
}

impl Real for f64 {
    fn exp(self) -> Self {
        f64::exp(self)
    }

    fn ln(self) -> Self {
        f64::ln(self)
    }

    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    fn tanh(self) -> Self {
        f64::tanh(self)
    }
}

/// A parameter of a law: its name, unit, bounds and where a fit starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Name, as in the publication.
    pub name: &'static str,
    /// Unit, `1` for a ratio.
    pub unit: &'static str,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Value from which a fit starts.
    pub start: f64,
}

/// A column of stress that a law needs beside its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StressInput {
    /// Descriptor name of the column (`history_discharge_count`).
    pub name: &'static str,
    /// Unit, `1` for a ratio.
    pub unit: &'static str,
}
