//! Descriptors of the resistance that pulses of current show, over the state of charge and the time under current.
//!
//! Pulses are those of titrations and of pulse tests; where the source states their resistances, those are taken.

use super::aggregate::{least, mean, most, slope_over, trend, variation};
use super::switch::Switch;
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

const PULSE: &[Need] = &[Need::Pulse];

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "pulse_resistance_mean_0s",
        unit: "ohm",
        doc: "Mean resistance 0 s after a current step, both directions, all states of charge.",
        citation: "Barai2019",
        formula: "mean over pulses of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| mean(switches(c)?, |s| s.resistance(0)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_mean_3s",
        unit: "ohm",
        doc: "Mean resistance 3 s after a current step, both directions, all states of charge.",
        citation: "Barai2019",
        formula: "mean over pulses of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| mean(switches(c)?, |s| s.resistance(3)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_mean_10s",
        unit: "ohm",
        doc: "Mean resistance 10 s after a current step, both directions, all states of charge.",
        citation: "Barai2019",
        formula: "mean over pulses of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| mean(switches(c)?, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_mean_30s",
        unit: "ohm",
        doc: "Mean resistance 30 s after a current step, both directions, all states of charge.",
        citation: "Barai2019",
        formula: "mean over pulses of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| mean(switches(c)?, |s| s.resistance(30)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_charge_mean_10s",
        unit: "ohm",
        doc: "Mean resistance 10 s after the begin of a pulse that charges.",
        citation: "Barai2019",
        formula: "mean over pulses of one direction of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| sided(c, 1.0, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_discharge_mean_10s",
        unit: "ohm",
        doc: "Mean resistance 10 s after the begin of a pulse that discharges.",
        citation: "Barai2019",
        formula: "mean over pulses of one direction of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| sided(c, -1.0, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_asymmetry_10s",
        unit: "1",
        doc: "Mean resistance of charging over that of discharging pulses, less 1.",
        citation: "Barai2019",
        formula: "mean resistance of charging over that of discharging pulses - 1",
        needs: PULSE,
        compute: |c| Ok(sided(c, 1.0, |s| s.resistance(10))? / sided(c, -1.0, |s| s.resistance(10))? - 1.0),
    },
    EarlyDescriptor {
        name: "pulse_resistance_min_10s",
        unit: "ohm",
        doc: "Least resistance over the states of charge.",
        citation: "Barai2019",
        formula: "minimum over pulses of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| least(switches(c)?, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_max_10s",
        unit: "ohm",
        doc: "Largest resistance over the states of charge.",
        citation: "Weng2021",
        formula: "maximum over pulses of (voltage after a time - relaxed voltage) / current",
        needs: PULSE,
        compute: |c| most(switches(c)?, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_variation_10s",
        unit: "1",
        doc: "Standard deviation of the resistance over its mean.",
        citation: "Barai2019",
        formula: "standard deviation over mean of the resistance of pulses",
        needs: PULSE,
        compute: |c| variation(switches(c)?, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_soc_slope_10s",
        unit: "ohm",
        doc: "Slope of the resistance over the state of charge.",
        citation: "Weng2021",
        formula: "least-squares slope over SoC of the resistance of pulses",
        needs: PULSE,
        compute: |c| slope_over(switches(c)?, |s| s.soc, |s| s.resistance(10)),
    },
    EarlyDescriptor {
        name: "pulse_resistance_low_soc_ratio_10s",
        unit: "1",
        doc: "Resistance of the pulse at the lowest state of charge over the mean.",
        citation: "Weng2021",
        formula: "resistance of the pulse at the lowest SoC over the mean of all",
        needs: PULSE,
        compute: low_soc_ratio,
    },
    EarlyDescriptor {
        name: "pulse_resistance_min_soc_10s",
        unit: "1",
        doc: "State of charge at which the resistance is least.",
        citation: "Weng2021",
        formula: "SoC of the pulse with the least resistance",
        needs: PULSE,
        compute: soc_of_least,
    },
    EarlyDescriptor {
        name: "pulse_resistance_rise_3s",
        unit: "1",
        doc: "Mean resistance 3 s after a current step over that at once, less 1: charge transfer.",
        citation: "Barai2019",
        formula: "mean over pulses of the resistance after a time over that after a shorter time - 1",
        needs: PULSE,
        compute: |c| rise(c, 3, 0),
    },
    EarlyDescriptor {
        name: "pulse_resistance_rise_30s",
        unit: "1",
        doc: "Mean resistance 30 s after a current step over that after 10 s, less 1: diffusion.",
        citation: "Barai2019",
        formula: "mean over pulses of the resistance after a time over that after a shorter time - 1",
        needs: PULSE,
        compute: |c| rise(c, 30, 10),
    },
    EarlyDescriptor {
        name: "pulse_resistance_sqrt_time_slope_mean",
        unit: "ohm/s^0.5",
        doc: "Mean slope of the resistance over the square root of the time under current, 0 to 30 s.",
        citation: "Weppner1977",
        formula: "mean over pulses of the least-squares slope of resistance over t^0.5 at 0, 3, 10 and 30 s",
        needs: PULSE,
        compute: |c| mean(switches(c)?, Switch::sqrt_slope),
    },
    EarlyDescriptor {
        name: "pulse_resistance_sqrt_time_slope_soc_slope",
        unit: "ohm/s^0.5",
        doc: "Slope of that slope over the state of charge.",
        citation: "Weppner1977",
        formula: "least-squares slope over SoC of the slope of resistance over t^0.5",
        needs: PULSE,
        compute: |c| slope_over(switches(c)?, |s| s.soc, Switch::sqrt_slope),
    },
    EarlyDescriptor {
        name: "pulse_resistance_trend_0s",
        unit: "ohm/cycle",
        doc: "Drift of the resistance at once, a cycle.",
        citation: "Barai2019",
        formula: "Theil-Sen slope over cycles of the resistance of pulses",
        needs: &[Need::Pulse, Need::Cycles(3)],
        compute: |c| trend(switches(c)?, |s| s.resistance(0)),
    },
];

fn switches<'a>(c: &'a EarlyCell) -> Result<&'a [Switch], Missing> {
    c.probes.switches(c)
}

/// Returns the mean over the pulses whose current has the sign.
fn sided(c: &EarlyCell, sign: f64, value: impl Fn(&Switch) -> Value) -> Value {
    let other = Missing::Undefined("pulses in one direction only");
    mean(switches(c)?, |s| if s.sign * sign > 0.0 { value(s) } else { Err(other.clone()) })
}

fn rise(c: &EarlyCell, late: u32, early: u32) -> Value {
    mean(switches(c)?, |s| Ok(s.resistance(late)? / s.resistance(early)? - 1.0))
}

/// Returns state of charge and resistance after 10 s of every pulse that has them, at least one.
fn over_soc(c: &EarlyCell) -> Result<Vec<(f64, f64)>, Missing> {
    mean(switches(c)?, |s| s.resistance(10))?;
    let points = switches(c)?.iter().filter_map(|s| Some((s.soc, s.resistance(10).ok()?)));
    Ok(points.filter(|(soc, ohm)| soc.is_finite() && ohm.is_finite()).collect())
}

fn low_soc_ratio(c: &EarlyCell) -> Value {
    let points = over_soc(c)?;
    let lowest = points.iter().min_by(|a, b| a.0.total_cmp(&b.0)).ok_or(Missing::No(Need::Pulse))?;
    Ok(lowest.1 / (points.iter().map(|p| p.1).sum::<f64>() / points.len() as f64))
}

fn soc_of_least(c: &EarlyCell) -> Value {
    let points = over_soc(c)?;
    points.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|p| p.0).ok_or(Missing::No(Need::Pulse))
}
