//! Descriptors of galvanostatic intermittent titrations.
//!
//! The state of charge counts the charge of the titration itself, from 0 to 1 with a charging and from 1 to 0 with a
//! discharging one. Pulses without a rest on both sides are left out. Means run over all pulses of the window.

use super::aggregate::{least, mean, most, slope_over, trend, variation};
use super::titration::{Pulse, Titration};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

const GITT: &[Need] = &[Need::Gitt];
const GITT_TREND: &[Need] = &[Need::Gitt, Need::Cycles(3)];

/// States of charge at which hysteresis is averaged [1]; the outer tenths are steep.
const HYSTERESIS_SOC: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "gitt_resistance_share_mean",
        unit: "1",
        doc: "Mean share of the polarisation that appears at once when the current of a pulse starts.",
        citation: "Weppner1977",
        formula: "mean over pulses of (first loaded voltage - relaxed voltage before) / polarisation",
        needs: GITT,
        compute: |c| mean(pulses(c)?, |p| Ok(p.resistance_on() / p.resistance())),
    },
    EarlyDescriptor {
        name: "gitt_resistance_on_max",
        unit: "ohm",
        doc: "Largest step of the voltage when the current of a pulse starts, over the current.",
        citation: "Weppner1977",
        formula: "maximum over pulses of (first loaded voltage - relaxed voltage before) / current",
        needs: GITT,
        compute: |c| most(pulses(c)?, |p| Ok(p.resistance_on())),
    },
    EarlyDescriptor {
        name: "gitt_resistance_on_soc_slope",
        unit: "ohm",
        doc: "Slope of that step over the state of charge, mean over titrations.",
        citation: "Birkl2017",
        formula: "least-squares slope over SoC of the ohmic step of a pulse over its current",
        needs: GITT,
        compute: |c| soc_slope(c, |p| Ok(p.resistance_on())),
    },
    EarlyDescriptor {
        name: "gitt_resistance_off_over_on",
        unit: "1",
        doc: "Step when the current stops over the step when it starts, mean over pulses: above 1 where sampling is slow.",
        citation: "Barai2019",
        formula: "mean over pulses of (last loaded - first rested voltage) / (first loaded - relaxed voltage before)",
        needs: GITT,
        compute: |c| mean(pulses(c)?, |p| Ok(p.resistance_off() / p.resistance_on())),
    },
    EarlyDescriptor {
        name: "gitt_polarisation_mean",
        unit: "V",
        doc: "Mean of the voltage at the end of a pulse less the relaxed voltage after it.",
        citation: "Weppner1977",
        formula: "mean over pulses of last loaded voltage - relaxed voltage, along the current",
        needs: GITT,
        compute: |c| mean(pulses(c)?, |p| Ok(p.polarisation())),
    },
    EarlyDescriptor {
        name: "gitt_polarisation_max",
        unit: "V",
        doc: "Largest polarisation of a pulse.",
        citation: "Weppner1977",
        formula: "maximum over pulses of last loaded voltage - relaxed voltage, along the current",
        needs: GITT,
        compute: |c| most(pulses(c)?, |p| Ok(p.polarisation())),
    },
    EarlyDescriptor {
        name: "gitt_polarisation_variation",
        unit: "1",
        doc: "Standard deviation of the polarisation over its mean.",
        citation: "Birkl2017",
        formula: "standard deviation over mean of the polarisation of pulses",
        needs: GITT,
        compute: |c| variation(pulses(c)?, |p| Ok(p.polarisation())),
    },
    EarlyDescriptor {
        name: "gitt_polarisation_soc_slope",
        unit: "V",
        doc: "Drift of the polarisation along a titration: its slope over the state of charge.",
        citation: "Birkl2017",
        formula: "least-squares slope over SoC of the polarisation of a pulse",
        needs: GITT,
        compute: |c| soc_slope(c, |p| Ok(p.polarisation())),
    },
    EarlyDescriptor {
        name: "gitt_polarisation_trend",
        unit: "V/cycle",
        doc: "Drift of the mean polarisation from titration to titration, a cycle.",
        citation: "Krauskopf2019",
        formula: "Theil-Sen slope over cycles of the mean polarisation of a titration",
        needs: GITT_TREND,
        compute: |c| titration_trend(c, |p| Ok(p.polarisation())),
    },
    EarlyDescriptor {
        name: "gitt_polarisation_asymmetry",
        unit: "1",
        doc: "Mean polarisation of charging over that of discharging pulses, less 1.",
        citation: "Barai2019",
        formula: "mean polarisation of charging pulses over that of discharging pulses - 1",
        needs: GITT,
        compute: |c| {
            Ok(sided(c, 1.0, |p| Ok(p.polarisation()))? / sided(c, -1.0, |p| Ok(p.polarisation()))? - 1.0)
        },
    },
    EarlyDescriptor {
        name: "gitt_slow_resistance_mean",
        unit: "ohm",
        doc: "Mean of the polarisation that fades after the current has stopped, over the current.",
        citation: "Barai2015b",
        formula: "mean over pulses of (first rested - relaxed voltage) / current",
        needs: GITT,
        compute: |c| mean(pulses(c)?, |p| Ok(p.slow_resistance())),
    },
    EarlyDescriptor {
        name: "gitt_slow_resistance_trend",
        unit: "ohm/cycle",
        doc: "Drift of that resistance from titration to titration, a cycle.",
        citation: "Barai2015b",
        formula: "Theil-Sen slope over cycles of the mean slow resistance of a titration",
        needs: GITT_TREND,
        compute: |c| titration_trend(c, |p| Ok(p.slow_resistance())),
    },
    EarlyDescriptor {
        name: "gitt_diffusion_log_mean",
        unit: "log10(1/s)",
        doc: "Mean logarithm of the diffusion coefficient over the square of the (unknown) diffusion length.",
        citation: "Weppner1977",
        formula: "mean over pulses of log10(4 / (pi tau) (dEs / dEt)^2)",
        needs: GITT,
        compute: |c| mean(pulses(c)?, Pulse::log_diffusion),
    },
    EarlyDescriptor {
        name: "gitt_diffusion_log_min",
        unit: "log10(1/s)",
        doc: "Smallest logarithm of the diffusion coefficient over the square of the diffusion length.",
        citation: "Weppner1977",
        formula: "minimum over pulses of log10(4 / (pi tau) (dEs / dEt)^2)",
        needs: GITT,
        compute: |c| least(pulses(c)?, Pulse::log_diffusion),
    },
    EarlyDescriptor {
        name: "gitt_diffusion_log_soc_slope",
        unit: "log10(1/s)",
        doc: "Slope of that logarithm over the state of charge, mean over titrations.",
        citation: "Weppner1977",
        formula: "least-squares slope over SoC of log10(4 / (pi tau) (dEs / dEt)^2)",
        needs: GITT,
        compute: |c| soc_slope(c, Pulse::log_diffusion),
    },
    EarlyDescriptor {
        name: "gitt_diffusion_log_trend",
        unit: "log10(1/s)/cycle",
        doc: "Drift of the mean of that logarithm from titration to titration, a cycle.",
        citation: "Weppner1977",
        formula: "Theil-Sen slope over cycles of the mean of log10(4 / (pi tau) (dEs / dEt)^2)",
        needs: GITT_TREND,
        compute: |c| titration_trend(c, Pulse::log_diffusion),
    },
    EarlyDescriptor {
        name: "gitt_diffusion_log_asymmetry",
        unit: "log10(1/s)",
        doc: "Mean of that logarithm of charging less that of discharging pulses.",
        citation: "Weppner1977",
        formula: "difference of the means of log10(4 / (pi tau) (dEs / dEt)^2) of charging and discharging pulses",
        needs: GITT,
        compute: |c| Ok(sided(c, 1.0, Pulse::log_diffusion)? - sided(c, -1.0, Pulse::log_diffusion)?),
    },
    EarlyDescriptor {
        name: "gitt_sqrt_time_resistance_mean",
        unit: "ohm/s^0.5",
        doc: "Mean slope of the voltage over the square root of the time under current, over the current.",
        citation: "Weppner1977",
        formula: "mean over pulses of the least-squares slope of voltage over t^0.5, over the current",
        needs: GITT,
        compute: |c| mean(pulses(c)?, |p| Ok(p.sqrt_line()?.0)),
    },
    EarlyDescriptor {
        name: "gitt_sqrt_time_r_squared_mean",
        unit: "1",
        doc: "Mean share of the voltage's variance that a line over the square root of time explains: 1 in the regime of the formula.",
        citation: "Weppner1977",
        formula: "mean over pulses of R^2 of voltage over t^0.5",
        needs: GITT,
        compute: |c| mean(pulses(c)?, |p| Ok(p.sqrt_line()?.1)),
    },
    EarlyDescriptor {
        name: "gitt_ocv_soc20",
        unit: "V",
        doc: "Relaxed voltage at a fifth of the titrated charge.",
        citation: "Weppner1977",
        formula: "relaxed voltage interpolated to an SoC of the titration, mean over titrations",
        needs: GITT,
        compute: |c| mean(titrations(c)?, |t| t.open_circuit(0.2)),
    },
    EarlyDescriptor {
        name: "gitt_ocv_soc50",
        unit: "V",
        doc: "Relaxed voltage at half of the titrated charge.",
        citation: "Weppner1977",
        formula: "relaxed voltage interpolated to an SoC of the titration, mean over titrations",
        needs: GITT,
        compute: |c| mean(titrations(c)?, |t| t.open_circuit(0.5)),
    },
    EarlyDescriptor {
        name: "gitt_ocv_soc80",
        unit: "V",
        doc: "Relaxed voltage at four fifths of the titrated charge.",
        citation: "Weppner1977",
        formula: "relaxed voltage interpolated to an SoC of the titration, mean over titrations",
        needs: GITT,
        compute: |c| mean(titrations(c)?, |t| t.open_circuit(0.8)),
    },
    EarlyDescriptor {
        name: "gitt_ocv_slope_soc50",
        unit: "V",
        doc: "Slope of the relaxed voltage over the state of charge around half.",
        citation: "Weppner1977",
        formula: "(relaxed voltage at SoC 0.6 - at 0.4) / 0.2, mean over titrations",
        needs: GITT,
        compute: |c| mean(titrations(c)?, |t| Ok((t.open_circuit(0.6)? - t.open_circuit(0.4)?) / 0.2)),
    },
    EarlyDescriptor {
        name: "gitt_ocv_trend_soc50",
        unit: "V/cycle",
        doc: "Drift of the relaxed voltage at half of the charge from titration to titration: slippage of the electrodes.",
        citation: "Birkl2017",
        formula: "Theil-Sen slope over cycles of the relaxed voltage at SoC 0.5",
        needs: GITT_TREND,
        compute: |c| trend(titrations(c)?, |t| t.open_circuit(0.5)),
    },
    EarlyDescriptor {
        name: "gitt_ocv_hysteresis_mean",
        unit: "V",
        doc: "Relaxed voltage of charging less that of discharging titrations, mean from a tenth to nine tenths of the charge.",
        citation: "Barai2015",
        formula: "mean over SoC 0.1 to 0.9 of relaxed voltage charging - discharging",
        needs: GITT,
        compute: hysteresis_mean,
    },
    EarlyDescriptor {
        name: "gitt_ocv_hysteresis_soc50",
        unit: "V",
        doc: "Relaxed voltage of charging less that of discharging titrations at half of the charge.",
        citation: "Barai2015",
        formula: "relaxed voltage charging - discharging at one SoC",
        needs: GITT,
        compute: |c| hysteresis(c, 0.5),
    },
    EarlyDescriptor {
        name: "gitt_relaxation_time_mean",
        unit: "s",
        doc: "Mean time constant of the relaxation after a pulse, from one second on.",
        citation: "Barai2015b",
        formula: "mean over pulses of tau of the fit v = a + b exp(-t / tau) from 1 s after the pulse",
        needs: GITT,
        compute: |c| mean(pulses(c)?, Pulse::time_constant),
    },
    EarlyDescriptor {
        name: "gitt_relaxation_time_soc_slope",
        unit: "s",
        doc: "Slope of that time constant over the state of charge, mean over titrations.",
        citation: "Barai2015b",
        formula: "least-squares slope over SoC of tau of the fit v = a + b exp(-t / tau)",
        needs: GITT,
        compute: |c| soc_slope(c, Pulse::time_constant),
    },
    EarlyDescriptor {
        name: "gitt_relaxation_rest_mean",
        unit: "V",
        doc: "Mean distance from the limit of the relaxation at the end of the rest: how far from equilibrium the titration is.",
        citation: "Barai2015b",
        formula: "mean over pulses of |last rested voltage - limit of the exponential fit|",
        needs: GITT,
        compute: |c| mean(pulses(c)?, Pulse::unrelaxed),
    },
    EarlyDescriptor {
        name: "gitt_throughput_mean",
        unit: "Ah",
        doc: "Charge that a titration passes: a capacity near equilibrium.",
        citation: "Weppner1977",
        formula: "charge passed by the pulses of a titration, mean over titrations",
        needs: GITT,
        compute: |c| mean(titrations(c)?, |t| Ok(t.charge_ah)),
    },
];

fn titrations<'a>(c: &'a EarlyCell) -> Result<&'a [Titration], Missing> {
    c.probes.titrations(c)
}

fn pulses<'a>(c: &'a EarlyCell) -> Result<&'a [Pulse], Missing> {
    c.probes.pulses(c)
}

/// Returns the mean over the pulses whose current has the sign.
fn sided(c: &EarlyCell, sign: f64, value: impl Fn(&Pulse) -> Value) -> Value {
    let other = Missing::Undefined("titrations in one direction only");
    mean(pulses(c)?, |p| if p.sign * sign > 0.0 { value(p) } else { Err(other.clone()) })
}

fn soc_slope(c: &EarlyCell, value: impl Fn(&Pulse) -> Value) -> Value {
    mean(titrations(c)?, |t| slope_over(&t.pulses, |p| p.soc, &value))
}

fn titration_trend(c: &EarlyCell, value: impl Fn(&Pulse) -> Value) -> Value {
    trend(titrations(c)?, |t| mean(&t.pulses, &value))
}

fn hysteresis(c: &EarlyCell, soc: f64) -> Value {
    let other = Missing::Undefined("titrations in one direction only");
    let of = |sign: f64| {
        mean(titrations(c)?, |t| if t.sign * sign > 0.0 { t.open_circuit(soc) } else { Err(other.clone()) })
    };
    Ok(of(1.0)? - of(-1.0)?)
}

fn hysteresis_mean(c: &EarlyCell) -> Value {
    let sum = HYSTERESIS_SOC.iter().map(|soc| hysteresis(c, *soc)).sum::<Value>()?;
    Ok(sum / HYSTERESIS_SOC.len() as f64)
}
