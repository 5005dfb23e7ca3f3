//! Ageing laws of the literature, each written once for plain numbers, dual numbers and tensors.
//!
//! A law is a formula from parameters and stress (cycle count, charge time, temperature, ...) to capacity. It is
//! generic over [`Real`]: with `f64` it predicts, with dual numbers it gives exact Jacobians to the least squares of
//! `fit`, and with tensors it is the differentiable prior of a hybrid network.
//!
//! Every law returns the capacity as a fraction of the reference capacity [1] (SoH, see [`crate::cell::health::soh`]),
//! so that bounds mean the same for a 1 Ah and a 250 Ah cell; multiply by the reference for ampere hours.
//!
//! ```
//! use fadecast::physics::Law;
//!
//! let (theta, stress) = ([1.0, -2e-3], [100.0]);
//! let soh: f64 = Law::SingleExponential.capacity(&theta, &stress);
//! assert!((soh - (-0.2_f64).exp()).abs() < 1e-15);
//! ```

pub mod dual;
pub mod exponential;
pub mod single_exponential;

use std::ops::{Add, Div, Mul, Neg, Sub};

use serde::{Deserialize, Serialize};

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

impl StressInput {
    /// Cycles done before the one whose capacity is asked for, the same for every law.
    pub const DISCHARGE_COUNT: Self = Self { name: "history_discharge_count", unit: "1" };
    /// Time from the first record of the cell to now.
    pub const ELAPSED_TIME: Self = Self { name: "history_elapsed_time", unit: "s" };
    /// Throughput before this cycle, both directions, over twice the nominal capacity.
    pub const EQUIVALENT_FULL_CYCLES: Self = Self { name: "history_equivalent_full_cycles", unit: "1" };
    /// Time under current of the charge before the discharge.
    pub const CHARGE_DURATION: Self = Self { name: "charge_duration", unit: "s" };
    /// Mean surface temperature of that charge; laws turn it into kelvin themselves.
    pub const CHARGE_TEMPERATURE: Self = Self { name: "charge_temperature_mean", unit: "degC" };
    /// Swing of the state of charge in the cycle, 0 to 1.
    pub const CYCLE_DEPTH: Self = Self { name: "cycle_depth", unit: "1" };
    /// Mean state of charge of the cycle, 0 to 1.
    pub const MEAN_SOC: Self = Self { name: "cycle_soc_mean", unit: "1" };
}

/// A law of capacity fade: one arm, one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// Exponential decay whose rate depends on charge time, temperature and cycle depth.
    Exponential,
    /// `a exp(b n)`.
    SingleExponential,
}

impl Law {
    /// Every law, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Exponential, Self::SingleExponential];

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::SingleExponential => "single_exponential",
        }
    }

    /// Returns the parameters, in the order of `theta`.
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Exponential => &exponential::PARAMETERS,
            Self::SingleExponential => &single_exponential::PARAMETERS,
        }
    }

    /// Returns the stress columns, in the order of `stress`.
    pub fn stress(self) -> &'static [StressInput] {
        match self {
            Self::Exponential => &exponential::STRESS,
            Self::SingleExponential => &single_exponential::STRESS,
        }
    }

    /// Returns the capacity as a fraction of the reference [1].
    ///
    /// # Panics
    /// When `theta` or `stress` is shorter than [`Law::parameters`] or [`Law::stress`].
    pub fn capacity<R: Real>(self, theta: &[R], stress: &[R]) -> R {
        match self {
            Self::Exponential => exponential::capacity(theta, stress),
            Self::SingleExponential => single_exponential::capacity(theta, stress),
        }
    }

    /// Returns the value of every parameter from which a fit starts.
    pub fn start(self) -> Vec<f64> {
        self.parameters().iter().map(|p| p.start).collect()
    }
}

impl std::fmt::Display for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
