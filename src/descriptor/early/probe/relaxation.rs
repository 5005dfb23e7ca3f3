//! Descriptors of rests after a load, within a record or as one of their own; the rests of titrations are in `gitt`.
//!
//! Time counts from the first sample of the rest, which ends with its record. "Slow" is from one second on: charge
//! transfer and film are faster.

use super::aggregate::{median, trend};
use super::rest::Rest;
use super::rest::Side::{self, Charge, Discharge};
use super::{EarlyCell, EarlyDescriptor, Missing, Need};

const REST: &[Need] = &[Need::Rest];
const REST_TREND: &[Need] = &[Need::Rest, Need::Cycles(3)];

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "rest_charge_voltage_step_median",
        unit: "V",
        doc: "Median change of the voltage in the first second after a charge.",
        citation: "Barai2015b",
        formula: "median over rests of |loaded voltage - voltage after 1 s|",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, |r| Ok(r.step())),
    },
    EarlyDescriptor {
        name: "rest_charge_amplitude_median",
        unit: "V",
        doc: "Median change of the voltage from one second after a charge to the end of the rest.",
        citation: "Barai2015b",
        formula: "median over rests of |voltage after 1 s - last voltage|",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::amplitude),
    },
    EarlyDescriptor {
        name: "rest_charge_amplitude_trend",
        unit: "V/cycle",
        doc: "Drift of that relaxation after a charge, a cycle.",
        citation: "Barai2015b",
        formula: "Theil-Sen slope over cycles of |voltage after 1 s - last voltage|",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Charge)?, Rest::amplitude),
    },
    EarlyDescriptor {
        name: "rest_charge_time_constant_median",
        unit: "s",
        doc: "Median time constant of the relaxation after a charge.",
        citation: "Barai2015b",
        formula: "median over rests of tau of the fit v = a + b exp(-t / tau) from 1 s on",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::time_constant),
    },
    EarlyDescriptor {
        name: "rest_charge_time_constant_trend",
        unit: "s/cycle",
        doc: "Drift of that time constant after a charge, a cycle.",
        citation: "Barai2015b",
        formula: "Theil-Sen slope over cycles of tau of the fit v = a + b exp(-t / tau)",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Charge)?, Rest::time_constant),
    },
    EarlyDescriptor {
        name: "rest_charge_half_time_median",
        unit: "s",
        doc: "Median time after a charge until half of the relaxation from one second on is done.",
        citation: "Barai2015b",
        formula: "median over rests of the time at which half of the amplitude is gone",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::half_time),
    },
    EarlyDescriptor {
        name: "rest_charge_stretch_median",
        unit: "1",
        doc: "Median exponent of a stretched exponential after a charge: below 1 where many time constants mix.",
        citation: "Williams1970",
        formula: "median over rests of the slope of ln(-ln(1 - progress)) over ln t, progress 0.1 to 0.9",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::stretch),
    },
    EarlyDescriptor {
        name: "rest_charge_sqrt_time_slope_median",
        unit: "V/s^0.5",
        doc: "Median slope of the voltage over the square root of time in the first quarter of a rest after a charge.",
        citation: "Weppner1977",
        formula: "median over rests of the slope of voltage over t^0.5 from 1 s to a quarter of the rest",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::sqrt_slope),
    },
    EarlyDescriptor {
        name: "rest_charge_drift_median",
        unit: "V/s",
        doc: "Median drift of the voltage in the second half of a rest after a charge, away from the load.",
        citation: "Barai2015b",
        formula: "median over rests of the slope of voltage over time in the second half",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::drift),
    },
    EarlyDescriptor {
        name: "rest_charge_unrelaxed_median",
        unit: "1",
        doc: "Median share of the relaxation after a charge that the rest is too short for.",
        citation: "Barai2015b",
        formula: "median over rests of |last voltage - limit of the exponential fit| over the amplitude",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, Rest::unrelaxed),
    },
    EarlyDescriptor {
        name: "rest_charge_voltage_end_median",
        unit: "V",
        doc: "Median voltage at the end of a rest after a charge.",
        citation: "Barai2015",
        formula: "median over rests of the last voltage",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, |r| Ok(r.end())),
    },
    EarlyDescriptor {
        name: "rest_charge_voltage_end_trend",
        unit: "V/cycle",
        doc: "Drift of the voltage at the end of a rest after a charge, a cycle.",
        citation: "Birkl2017",
        formula: "Theil-Sen slope over cycles of the last voltage of a rest",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Charge)?, |r| Ok(r.end())),
    },
    EarlyDescriptor {
        name: "rest_charge_voltage_variance_log_median",
        unit: "log10(V^2)",
        doc: "Median logarithm of the variance of the voltages sampled in a rest after a charge.",
        citation: "Zhu2022",
        formula: "median over rests of log10 of the variance of the voltage samples",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, |r| Ok(moments(r.volt())?[0].log10())),
    },
    EarlyDescriptor {
        name: "rest_charge_voltage_skewness_median",
        unit: "1",
        doc: "Median skewness of the voltages sampled in a rest after a charge.",
        citation: "Zhu2022",
        formula: "median over rests of the skewness of the voltage samples",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, |r| Ok(moments(r.volt())?[1])),
    },
    EarlyDescriptor {
        name: "rest_charge_voltage_kurtosis_median",
        unit: "1",
        doc: "Median kurtosis of the voltages sampled in a rest after a charge, 3 for a normal distribution.",
        citation: "Zhu2022",
        formula: "median over rests of the kurtosis of the voltage samples",
        needs: REST,
        compute: |c| median(rests(c).of(Charge)?, |r| Ok(moments(r.volt())?[2])),
    },
    EarlyDescriptor {
        name: "rest_discharge_amplitude_median",
        unit: "V",
        doc: "Median change of the voltage from one second after a discharge to the end of the rest.",
        citation: "Barai2015b",
        formula: "median over rests of |voltage after 1 s - last voltage|",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::amplitude),
    },
    EarlyDescriptor {
        name: "rest_discharge_amplitude_trend",
        unit: "V/cycle",
        doc: "Drift of that relaxation after a discharge, a cycle.",
        citation: "Barai2015b",
        formula: "Theil-Sen slope over cycles of |voltage after 1 s - last voltage|",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Discharge)?, Rest::amplitude),
    },
    EarlyDescriptor {
        name: "rest_discharge_time_constant_median",
        unit: "s",
        doc: "Median time constant of the relaxation after a discharge.",
        citation: "Barai2015b",
        formula: "median over rests of tau of the fit v = a + b exp(-t / tau) from 1 s on",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::time_constant),
    },
    EarlyDescriptor {
        name: "rest_discharge_time_constant_trend",
        unit: "s/cycle",
        doc: "Drift of that time constant after a discharge, a cycle.",
        citation: "Barai2015b",
        formula: "Theil-Sen slope over cycles of tau of the fit v = a + b exp(-t / tau)",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Discharge)?, Rest::time_constant),
    },
    EarlyDescriptor {
        name: "rest_discharge_half_time_median",
        unit: "s",
        doc: "Median time after a discharge until half of the relaxation from one second on is done.",
        citation: "Barai2015b",
        formula: "median over rests of the time at which half of the amplitude is gone",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::half_time),
    },
    EarlyDescriptor {
        name: "rest_discharge_stretch_median",
        unit: "1",
        doc: "Median exponent of a stretched exponential after a discharge: below 1 where many time constants mix.",
        citation: "Williams1970",
        formula: "median over rests of the slope of ln(-ln(1 - progress)) over ln t, progress 0.1 to 0.9",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::stretch),
    },
    EarlyDescriptor {
        name: "rest_discharge_sqrt_time_slope_median",
        unit: "V/s^0.5",
        doc: "Median slope of the voltage over the square root of time in the first quarter of a rest after a discharge.",
        citation: "Weppner1977",
        formula: "median over rests of the slope of voltage over t^0.5 from 1 s to a quarter of the rest",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::sqrt_slope),
    },
    EarlyDescriptor {
        name: "rest_discharge_drift_median",
        unit: "V/s",
        doc: "Median drift of the voltage in the second half of a rest after a discharge, away from the load.",
        citation: "Barai2015b",
        formula: "median over rests of the slope of voltage over time in the second half",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::drift),
    },
    EarlyDescriptor {
        name: "rest_discharge_unrelaxed_median",
        unit: "1",
        doc: "Median share of the relaxation after a discharge that the rest is too short for.",
        citation: "Barai2015b",
        formula: "median over rests of |last voltage - limit of the exponential fit| over the amplitude",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::unrelaxed),
    },
    EarlyDescriptor {
        name: "rest_discharge_voltage_end_median",
        unit: "V",
        doc: "Median voltage at the end of a rest after a discharge.",
        citation: "Barai2015",
        formula: "median over rests of the last voltage",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, |r| Ok(r.end())),
    },
    EarlyDescriptor {
        name: "rest_discharge_voltage_end_trend",
        unit: "V/cycle",
        doc: "Drift of the voltage at the end of a rest after a discharge, a cycle.",
        citation: "Birkl2017",
        formula: "Theil-Sen slope over cycles of the last voltage of a rest",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Discharge)?, |r| Ok(r.end())),
    },
    EarlyDescriptor {
        name: "rest_discharge_voltage_variance_log_median",
        unit: "log10(V^2)",
        doc: "Median logarithm of the variance of the voltages sampled in a rest after a discharge.",
        citation: "Zhu2022",
        formula: "median over rests of log10 of the variance of the voltage samples",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, |r| Ok(moments(r.volt())?[0].log10())),
    },
    EarlyDescriptor {
        name: "rest_discharge_voltage_skewness_median",
        unit: "1",
        doc: "Median skewness of the voltages sampled in a rest after a discharge.",
        citation: "Zhu2022",
        formula: "median over rests of the skewness of the voltage samples",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, |r| Ok(moments(r.volt())?[1])),
    },
    EarlyDescriptor {
        name: "rest_discharge_voltage_kurtosis_median",
        unit: "1",
        doc: "Median kurtosis of the voltages sampled in a rest after a discharge, 3 for a normal distribution.",
        citation: "Zhu2022",
        formula: "median over rests of the kurtosis of the voltage samples",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, |r| Ok(moments(r.volt())?[2])),
    },
    EarlyDescriptor {
        name: "rest_discharge_resistance_median",
        unit: "ohm",
        doc: "Median change of the voltage in the first second after a discharge over its last current.",
        citation: "Barai2019",
        formula: "median over rests of |loaded voltage - voltage after 1 s| / last current",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, Rest::resistance),
    },
    EarlyDescriptor {
        name: "rest_discharge_resistance_trend",
        unit: "ohm/cycle",
        doc: "Drift of that resistance, a cycle.",
        citation: "Barai2019",
        formula: "Theil-Sen slope over cycles of |loaded voltage - voltage after 1 s| / last current",
        needs: REST_TREND,
        compute: |c| trend(rests(c).of(Discharge)?, Rest::resistance),
    },
    EarlyDescriptor {
        name: "rest_discharge_slow_share_median",
        unit: "1",
        doc: "Median slow relaxation after a discharge over the fast step before it: diffusion against resistance.",
        citation: "Barai2015b",
        formula: "median over rests of amplitude / step in the first second",
        needs: REST,
        compute: |c| median(rests(c).of(Discharge)?, |r| Ok(r.amplitude()? / r.step())),
    },
    EarlyDescriptor {
        name: "rest_amplitude_asymmetry",
        unit: "1",
        doc: "Median relaxation after a discharge over that after a charge, less 1.",
        citation: "Barai2015",
        formula: "median amplitude after discharges over that after charges - 1",
        needs: REST,
        compute: |c| {
            Ok(median(rests(c).of(Discharge)?, Rest::amplitude)?
                / median(rests(c).of(Charge)?, Rest::amplitude)?
                - 1.0)
        },
    },
];

/// Rests after charges and rests after discharges.
#[derive(Debug, Default)]
pub(super) struct Rests([Vec<Rest>; 2]);

impl Rests {
    pub(super) fn new(rests: Vec<Rest>) -> Self {
        let (charge, discharge) = rests.into_iter().partition(|r| r.after > 0.0);
        Self([charge, discharge])
    }

    fn of(&self, side: Side) -> Result<&[Rest], Missing> {
        let rests = &self.0[side as usize];
        if rests.is_empty() { Err(Missing::No(Need::Rest)) } else { Ok(rests) }
    }
}

fn rests<'a>(c: &'a EarlyCell) -> &'a Rests {
    c.probes.rests(c)
}

/// Returns variance, skewness and kurtosis of the values, all biased; [`Missing::Flat`] where they do not vary.
fn moments(values: &[f64]) -> Result<[f64; 3], Missing> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let moment = |power: i32| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
    let variance = moment(2);
    if variance.sqrt() <= 1e-12 * mean.abs() {
        return Err(Missing::Flat);
    }
    Ok([variance, moment(3) / variance.powf(1.5), moment(4) / variance.powi(2)])
}
