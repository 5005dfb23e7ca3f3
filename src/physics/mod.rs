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

pub mod bacon_watts;
pub mod baseline;
pub mod capacity_difference;
pub mod coulomb_balance;
pub mod double_exponential;
pub mod dual;
pub mod early_rate;
mod error;
pub mod exponential;
pub mod exponential_floor;
pub mod exponential_plain;
pub mod fit;
#[cfg(test)]
mod fixture;
pub mod least_squares;
pub mod line;
pub mod rainflow;
pub mod single_exponential;
pub mod sqrt_linear;
pub mod xu2018;

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
    #[must_use]
    fn exp(self) -> Self;
    /// Returns the natural logarithm.
    #[must_use]
    fn ln(self) -> Self;
    /// Returns the square root.
    #[must_use]
    fn sqrt(self) -> Self;
    /// Returns the hyperbolic tangent.
    #[must_use]
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
    /// Descriptor name of the column (`history_cycle_count`).
    pub name: &'static str,
    /// Unit, `1` for a ratio.
    pub unit: &'static str,
}

impl StressInput {
    /// Cycles done before the one whose capacity is asked for, the same for every law.
    pub const DISCHARGE_COUNT: Self = Self { name: "history_cycle_count", unit: "1" };
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
    /// Charge that went in just before, over the nominal capacity.
    pub const CHARGE_THROUGHPUT: Self = Self { name: "charge_throughput_relative", unit: "1" };
    /// Pause before that charge beyond an ordinary turn-around.
    pub const REST: Self = Self { name: "history_rest_duration", unit: "h" };
    /// Fade over the first discharges, which are given.
    pub const EARLY_FADE: Self = Self { name: "given_fade_rate", unit: "1/(100 cycles)" };
    /// Logarithm to base 10 of the variance of the change of the discharge curve from cycle 10 to 100 [(Ah)^2].
    pub const CAPACITY_DIFFERENCE: Self =
        Self { name: "discharge_capacity_difference_log_variance_100_10", unit: "1" };
    /// Mean state of charge of the cycle, 0 to 1.
    pub const MEAN_SOC: Self = Self { name: "cycle_soc_mean", unit: "1" };
}

/// A law of capacity fade: one arm, one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// Exponential decay whose rate depends on charge time, temperature and cycle depth.
    Exponential,
    /// `C0 exp(-k T n / t)`.
    ExponentialPlain,
    /// `a exp(b n)`.
    SingleExponential,
    /// `a exp(b n) + c exp(d n)`.
    DoubleExponential,
    /// Square root of throughput plus a linear term.
    SqrtLinear,
    /// Semi-empirical film growth and cycle ageing of Xu et al.
    Xu2018,
    /// Two straight lines that meet at a knee.
    BaconWatts,
    /// A straight line.
    Line,
    /// Exponential decay towards a floor.
    ExponentialFloor,
    /// Balance of charge with recovery in rests.
    CoulombBalance,
    /// Exponential whose rate follows from the first cycles.
    EarlyRate,
    /// Life of a whole cell from the change of its discharge curve.
    CapacityDifference,
}

impl Law {
    /// Every law, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::Exponential,
        Self::ExponentialPlain,
        Self::SingleExponential,
        Self::DoubleExponential,
        Self::SqrtLinear,
        Self::Xu2018,
        Self::BaconWatts,
        Self::Line,
        Self::ExponentialFloor,
        Self::CoulombBalance,
        Self::EarlyRate,
        Self::CapacityDifference,
    ];

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::ExponentialPlain => "exponential_plain",
            Self::SingleExponential => "single_exponential",
            Self::DoubleExponential => "double_exponential",
            Self::SqrtLinear => "sqrt_linear",
            Self::Xu2018 => "xu2018",
            Self::BaconWatts => "bacon_watts",
            Self::Line => "line",
            Self::ExponentialFloor => "exponential_floor",
            Self::CoulombBalance => "coulomb_balance",
            Self::EarlyRate => "early_rate",
            Self::CapacityDifference => "capacity_difference",
        }
    }

    /// Returns the parameters, in the order of `theta`.
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Exponential => &exponential::PARAMETERS,
            Self::ExponentialPlain => &exponential_plain::PARAMETERS,
            Self::SingleExponential => &single_exponential::PARAMETERS,
            Self::DoubleExponential => &double_exponential::PARAMETERS,
            Self::SqrtLinear => &sqrt_linear::PARAMETERS,
            Self::Xu2018 => &xu2018::PARAMETERS,
            Self::BaconWatts => &bacon_watts::PARAMETERS,
            Self::Line => &line::PARAMETERS,
            Self::ExponentialFloor => &exponential_floor::PARAMETERS,
            Self::CoulombBalance => &coulomb_balance::PARAMETERS,
            Self::EarlyRate => &early_rate::PARAMETERS,
            Self::CapacityDifference => &capacity_difference::PARAMETERS,
        }
    }

    /// Returns the stress columns, in the order of `stress`.
    pub fn stress(self) -> &'static [StressInput] {
        match self {
            Self::Exponential => &exponential::STRESS,
            Self::ExponentialPlain => &exponential_plain::STRESS,
            Self::SingleExponential => &single_exponential::STRESS,
            Self::DoubleExponential => &double_exponential::STRESS,
            Self::SqrtLinear => &sqrt_linear::STRESS,
            Self::Xu2018 => &xu2018::STRESS,
            Self::BaconWatts => &bacon_watts::STRESS,
            Self::Line => &line::STRESS,
            Self::ExponentialFloor => &exponential_floor::STRESS,
            Self::CoulombBalance => &coulomb_balance::STRESS,
            Self::EarlyRate => &early_rate::STRESS,
            Self::CapacityDifference => &capacity_difference::STRESS,
        }
    }

    /// Returns whether the law says the logarithm of a whole cell's life instead of a capacity.
    pub fn is_of_life(self) -> bool {
        self == Self::CapacityDifference
    }

    /// Returns the capacity as a fraction of the reference [1], or the logarithm to base 10 of the life [cycles].
    ///
    /// # Panics
    /// When `theta` or `stress` is shorter than [`Law::parameters`] or [`Law::stress`].
    pub fn capacity<R: Real>(self, theta: &[R], stress: &[R]) -> R {
        match self {
            Self::Exponential => exponential::capacity(theta, stress),
            Self::ExponentialPlain => exponential_plain::capacity(theta, stress),
            Self::SingleExponential => single_exponential::capacity(theta, stress),
            Self::DoubleExponential => double_exponential::capacity(theta, stress),
            Self::SqrtLinear => sqrt_linear::capacity(theta, stress),
            Self::Xu2018 => xu2018::capacity(theta, stress),
            Self::BaconWatts => bacon_watts::capacity(theta, stress),
            Self::Line => line::capacity(theta, stress),
            Self::ExponentialFloor => exponential_floor::capacity(theta, stress),
            Self::CoulombBalance => coulomb_balance::capacity(theta, stress),
            Self::EarlyRate => early_rate::capacity(theta, stress),
            Self::CapacityDifference => capacity_difference::capacity(theta, stress),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_serde_name() {
        for law in Law::ALL {
            assert_eq!(serde_json::to_value(law).unwrap(), law.name());
        }
    }

    #[test]
    fn a_start_lies_strictly_inside_its_bounds_and_names_are_unique() {
        for law in Law::ALL {
            let parameters = law.parameters();
            for (position, p) in parameters.iter().enumerate() {
                assert!(p.lower < p.start && p.start < p.upper, "{law}: {p:?}");
                assert!(parameters[..position].iter().all(|q| q.name != p.name), "{law}: {}", p.name);
            }
        }
    }

    /// A fresh cell at the start values is near its reference capacity and fades with use.
    #[test]
    fn every_law_starts_near_one_and_fades() {
        let value = |input: &StressInput, n: f64| match *input {
            StressInput::DISCHARGE_COUNT | StressInput::EQUIVALENT_FULL_CYCLES => n,
            StressInput::ELAPSED_TIME => n * 14_400.0,
            StressInput::CHARGE_DURATION => 10_800.0,
            StressInput::CHARGE_TEMPERATURE => 25.0,
            StressInput::CYCLE_DEPTH => 0.9,
            StressInput::CHARGE_THROUGHPUT => 1.0 - n / 1000.0,
            StressInput::REST => 0.0,
            StressInput::EARLY_FADE => 0.2,
            _ => 0.5,
        };
        for law in Law::ALL.into_iter().filter(|law| !law.is_of_life()) {
            let at = |n| {
                let stress: Vec<f64> = law.stress().iter().map(|s| value(s, n)).collect();
                law.capacity(&law.start(), &stress)
            };
            assert!((0.85..=1.15).contains(&at(0.0)), "{law}: {}", at(0.0));
            assert!(at(300.0) < at(100.0) && at(100.0) < at(0.0), "{law}");
        }
    }
}
