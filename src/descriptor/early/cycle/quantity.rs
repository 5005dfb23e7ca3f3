//! What each cycle has one number of, and why a cell may have none.

use Quantity as Q;

use super::{Missing, Need};

/// Something that each cycle has one number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Charge of the discharge [Ah].
    DischargeCapacity,
    /// Energy of the discharge [Wh].
    DischargeEnergy,
    /// Energy over charge of the discharge [V].
    DischargeVoltage,
    /// Standard deviation of the voltage of the discharge over its charge [V].
    DischargeVoltageDeviation,
    /// Voltage once a tenth of the discharge has passed [V].
    DischargeVoltageTenth,
    /// Voltage once half of the discharge has passed [V].
    DischargeVoltageMid,
    /// Voltage once nine tenths of the discharge have passed [V].
    DischargeVoltageNinth,
    /// Duration of the discharge [s].
    DischargeDuration,
    /// Mean temperature of the discharge [degrees Celsius].
    DischargeTemperature,
    /// Lowest temperature of the discharge [degrees Celsius].
    DischargeTemperatureMin,
    /// Highest temperature of the discharge [degrees Celsius].
    DischargeTemperatureMax,
    /// Highest less the first temperature of the discharge [K].
    DischargeTemperatureRise,
    /// Begin of the discharge [s since 1970-01-01].
    DischargeBegin,
    /// End of the discharge [s since 1970-01-01].
    DischargeEnd,
    /// Drop of the voltage from rest to the first sample of the discharge, over its current [ohm].
    LoadResistance,
    /// Charge of the charge [Ah].
    ChargeCapacity,
    /// Energy of the charge [Wh].
    ChargeEnergy,
    /// Energy over charge of the charge [V].
    ChargeVoltage,
    /// Voltage of the first sample that charges [V].
    ChargeVoltageStart,
    /// Voltage once half of the charge has passed [V].
    ChargeVoltageMid,
    /// Duration of the charge [s].
    ChargeDuration,
    /// Time from 0.3 to 0.2 V below the highest voltage of the charge [s].
    WindowDurationLow,
    /// Time from 0.2 to 0.1 V below the highest voltage of the charge [s].
    WindowDurationHigh,
    /// Mean temperature of the charge [degrees Celsius].
    ChargeTemperature,
    /// Lowest temperature of the charge [degrees Celsius].
    ChargeTemperatureMin,
    /// Highest temperature of the charge [degrees Celsius].
    ChargeTemperatureMax,
    /// Highest less the first temperature of the charge [K].
    ChargeTemperatureRise,
    /// Begin of the charge [s since 1970-01-01].
    ChargeBegin,
    /// End of the charge [s since 1970-01-01].
    ChargeEnd,
    /// Rise of the voltage from rest to the first sample of the charge, over its current [ohm].
    ChargeLoadResistance,
    /// Time until the highest voltage is held [s].
    CcDuration,
    /// Charge until the highest voltage is held [Ah].
    CcCapacity,
    /// Time for which the highest voltage is held [s].
    CvDuration,
    /// Charge while the highest voltage is held [Ah].
    CvCapacity,
    /// Time constant of the current while the highest voltage is held [s].
    CvDecay,
    /// Time in which the current halves while the highest voltage is held [s].
    CvHalfTime,
    /// Current at the end of the charge [A].
    CvCurrentEnd,
    /// Ambient temperature [degrees Celsius].
    Ambient,
    /// Begin of the cycle [s since 1970-01-01].
    Begin,
    /// Internal resistance that the source states of the cycle [ohm].
    InternalResistance,
    /// Discharge over charge [1].
    CoulombicEfficiency,
    /// Energy out over energy in [1].
    EnergyEfficiency,
    /// Charge less discharge [Ah].
    CapacityLoss,
    /// Energy in less energy out [Wh].
    EnergyLoss,
    /// Where the charge ends on a scale of charge that counts on over the cycles [Ah].
    ChargeEndpoint,
    /// Where the discharge ends on that scale [Ah].
    DischargeEndpoint,
    /// Mean voltage of the charge less that of the discharge [V].
    Hysteresis,
    /// Voltage at half of the charge less that at half of the discharge [V].
    MidHysteresis,
    /// Mean voltage of the charge less that of the discharge, over the sum of the mean currents [ohm].
    ApparentResistance,
    /// Charge while the highest voltage is held, over the whole charge [1].
    CvShare,
    /// Mean C-rate of the charge [1/h].
    ChargeRate,
    /// Mean C-rate of the discharge [1/h].
    DischargeRate,
    /// Depth of discharge, against the fullest discharge of the window [1].
    Depth,
    /// Highest temperature of the cycle [degrees Celsius].
    CycleTemperatureMax,
    /// Lowest temperature of the cycle [degrees Celsius].
    CycleTemperatureMin,
    /// Mean temperature of the charge and the discharge, weighed by time [degrees Celsius].
    CycleTemperature,
    /// Integral of the temperature over the time of both half cycles [K h].
    TemperatureTime,
    /// Time from the end of the charge to the begin of the discharge [s].
    RestCharged,
    /// Time from the end of the discharge to the begin of the next charge [s].
    RestDischarged,
    /// Time from the begin of the cycle to the begin of the next [s].
    CycleDuration,
}

impl Quantity {
    /// Returns the quantities that it is made of, or that are measured wherever it could be.
    pub(super) fn parts(self) -> &'static [Quantity] {
        match self {
            Q::CoulombicEfficiency | Q::CapacityLoss | Q::ChargeEndpoint | Q::DischargeEndpoint => {
                &[Q::ChargeCapacity, Q::DischargeCapacity]
            }
            Q::EnergyEfficiency | Q::EnergyLoss | Q::Hysteresis | Q::MidHysteresis => {
                &[Q::ChargeEnergy, Q::DischargeEnergy]
            }
            Q::ApparentResistance | Q::RestCharged | Q::RestDischarged => {
                &[Q::ChargeDuration, Q::DischargeDuration]
            }
            Q::WindowDurationLow | Q::WindowDurationHigh | Q::ChargeLoadResistance => &[Q::ChargeEnergy],
            Q::CvDecay | Q::CvHalfTime | Q::CvShare => &[Q::CvDuration],
            Q::LoadResistance | Q::DischargeRate => &[Q::DischargeDuration],
            Q::ChargeRate => &[Q::ChargeCapacity, Q::ChargeDuration],
            Q::CycleDuration => &[Q::Begin],
            _ => &[],
        }
    }

    /// Returns why no cycle has it although its parts are there.
    pub(super) fn absence(self) -> Missing {
        match self {
            Q::DischargeCapacity | Q::Depth => Missing::No(Need::Capacity),
            Q::DischargeEnergy
            | Q::DischargeVoltage
            | Q::DischargeVoltageDeviation
            | Q::DischargeVoltageTenth
            | Q::DischargeVoltageMid
            | Q::DischargeVoltageNinth => Missing::No(Need::Curve),
            Q::DischargeDuration => Missing::No(Need::Discharge),
            Q::CcDuration | Q::CcCapacity | Q::CvDuration | Q::CvCapacity | Q::CvCurrentEnd => {
                Missing::No(Need::ConstantVoltage)
            }
            Q::DischargeTemperature
            | Q::DischargeTemperatureMin
            | Q::DischargeTemperatureMax
            | Q::DischargeTemperatureRise
            | Q::ChargeTemperature
            | Q::ChargeTemperatureMin
            | Q::ChargeTemperatureMax
            | Q::ChargeTemperatureRise
            | Q::CycleTemperatureMax
            | Q::CycleTemperatureMin
            | Q::CycleTemperature
            | Q::TemperatureTime
            | Q::Ambient => Missing::No(Need::Temperature),
            Q::LoadResistance | Q::ChargeLoadResistance => Missing::No(Need::Rest),
            Q::InternalResistance => Missing::No(Need::Column("internal_resistance")),
            Q::ChargeRate | Q::DischargeRate => Missing::No(Need::Nominal),
            Q::Begin | Q::RestCharged => Missing::No(Need::Clock),
            Q::RestDischarged | Q::CycleDuration => Missing::Undefined("no successive cycles with a clock"),
            Q::CvDecay | Q::CvHalfTime => Missing::Undefined("the current of the hold does not fall"),
            Q::WindowDurationLow | Q::WindowDurationHigh => {
                Missing::Undefined("no charge rises through these voltages")
            }
            Q::CoulombicEfficiency | Q::EnergyEfficiency | Q::CapacityLoss | Q::EnergyLoss => {
                Missing::Undefined("no cycle ends where it began")
            }
            _ => Missing::No(Need::Charge),
        }
    }

    /// Returns the column of a source's own table that stands for it where nothing is measured.
    pub(crate) fn column(self) -> Option<&'static str> {
        Some(match self {
            Q::DischargeCapacity => "discharge_capacity",
            Q::ChargeCapacity => "charge_capacity",
            Q::ChargeDuration => "charge_duration",
            Q::InternalResistance => "internal_resistance",
            Q::CycleTemperatureMax => "cycle_temperature_max",
            Q::CycleTemperature => "cycle_temperature_mean",
            Q::CycleTemperatureMin => "cycle_temperature_min",
            _ => return None,
        })
    }
}
