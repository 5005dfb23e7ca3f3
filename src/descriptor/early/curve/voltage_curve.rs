//! Shape of the voltage over the charge passed: its moments, plateau, bend, and how it moves between cycles.
//!
//! Voltages stand at equal shares of the charge, in the order of the half cycle; `last` is the last cycle with a curve.
//! Summaries of this kind are compared in `[Paulson2022]`.

use super::shape::{at, mean, slope, standardised_moment, variance};
use super::view::{CAPACITY_POINTS, Side, View, Voltage};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

/// Width of a plateau [V]; ours.
const PLATEAU_VOLT: f64 = 0.1;

/// Fewest cycles for a statistic over cycles; ours.
const MIN_CYCLES: usize = 3;

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "discharge_voltage_curve_variance",
        unit: "V2",
        doc: "Variance of the voltage over the charge passed, reference discharge.",
        citation: "Paulson2022",
        formula: "variance of V over Q",
        needs: &[Need::Curve],
        compute: |c| Ok(variance(&reference(c, Side::Discharge)?.volt)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_skewness",
        unit: "1",
        doc: "Skewness of the voltage over the charge passed, reference discharge.",
        citation: "Paulson2022",
        formula: "skewness of V over Q",
        needs: &[Need::Curve],
        compute: |c| standardised_moment(&reference(c, Side::Discharge)?.volt, 3),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_kurtosis",
        unit: "1",
        doc: "Kurtosis of the voltage over the charge passed, reference discharge.",
        citation: "Paulson2022",
        formula: "kurtosis of V over Q",
        needs: &[Need::Curve],
        compute: |c| standardised_moment(&reference(c, Side::Discharge)?.volt, 4),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_at_10",
        unit: "V",
        doc: "Voltage when 10 % of the charge of the reference discharge has passed.",
        citation: "Paulson2022",
        formula: "V at a share of the charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.at_share(0.1)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_at_50",
        unit: "V",
        doc: "Voltage when 50 % of the charge of the reference discharge has passed.",
        citation: "Paulson2022",
        formula: "V at a share of the charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.at_share(0.5)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_at_90",
        unit: "V",
        doc: "Voltage when 90 % of the charge of the reference discharge has passed.",
        citation: "Paulson2022",
        formula: "V at a share of the charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.at_share(0.9)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_plateau_share",
        unit: "1",
        doc: "Largest share of the charge of the reference discharge that passes within 0.1 V.",
        citation: "Paulson2022",
        formula: "largest share of Q within 0.1 V",
        needs: &[Need::Curve],
        compute: |c| Ok(plateau_share(reference(c, Side::Discharge)?)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_bend",
        unit: "V",
        doc: "Voltage at half the charge less the mean of those at 10 % and 90 %, reference discharge.",
        citation: "Paulson2022",
        formula: "V at 50 % less mean of V at 10 % and 90 % of the charge",
        needs: &[Need::Curve],
        compute: |c| reference(c, Side::Discharge).map(bend),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_straightness",
        unit: "V",
        doc: "Root mean square distance of the voltage of the reference discharge from its own straight line over charge.",
        citation: "Paulson2022",
        formula: "rms residual of a straight line V over Q",
        needs: &[Need::Curve],
        compute: |c| straightness(reference(c, Side::Discharge)?),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_variance",
        unit: "V2",
        doc: "Variance of the voltage over the charge passed, reference charge.",
        citation: "Paulson2022",
        formula: "variance of V over Q",
        needs: &[Need::Charge],
        compute: |c| Ok(variance(&reference(c, Side::Charge)?.volt)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_skewness",
        unit: "1",
        doc: "Skewness of the voltage over the charge passed, reference charge.",
        citation: "Paulson2022",
        formula: "skewness of V over Q",
        needs: &[Need::Charge],
        compute: |c| standardised_moment(&reference(c, Side::Charge)?.volt, 3),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_kurtosis",
        unit: "1",
        doc: "Kurtosis of the voltage over the charge passed, reference charge.",
        citation: "Paulson2022",
        formula: "kurtosis of V over Q",
        needs: &[Need::Charge],
        compute: |c| standardised_moment(&reference(c, Side::Charge)?.volt, 4),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_at_10",
        unit: "V",
        doc: "Voltage when 10 % of the charge of the reference charge has passed.",
        citation: "Paulson2022",
        formula: "V at a share of the charge",
        needs: &[Need::Charge],
        compute: |c| Ok(reference(c, Side::Charge)?.at_share(0.1)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_at_50",
        unit: "V",
        doc: "Voltage when 50 % of the charge of the reference charge has passed.",
        citation: "Paulson2022",
        formula: "V at a share of the charge",
        needs: &[Need::Charge],
        compute: |c| Ok(reference(c, Side::Charge)?.at_share(0.5)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_at_90",
        unit: "V",
        doc: "Voltage when 90 % of the charge of the reference charge has passed.",
        citation: "Paulson2022",
        formula: "V at a share of the charge",
        needs: &[Need::Charge],
        compute: |c| Ok(reference(c, Side::Charge)?.at_share(0.9)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_plateau_share",
        unit: "1",
        doc: "Largest share of the charge of the reference charge that passes within 0.1 V.",
        citation: "Paulson2022",
        formula: "largest share of Q within 0.1 V",
        needs: &[Need::Charge],
        compute: |c| Ok(plateau_share(reference(c, Side::Charge)?)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_bend",
        unit: "V",
        doc: "Voltage at half the charge less the mean of those at 10 % and 90 %, reference charge.",
        citation: "Paulson2022",
        formula: "V at 50 % less mean of V at 10 % and 90 % of the charge",
        needs: &[Need::Charge],
        compute: |c| reference(c, Side::Charge).map(bend),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_straightness",
        unit: "V",
        doc: "Root mean square distance of the voltage of the reference charge from its own straight line over charge.",
        citation: "Paulson2022",
        formula: "rms residual of a straight line V over Q",
        needs: &[Need::Charge],
        compute: |c| straightness(reference(c, Side::Charge)?),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_span",
        unit: "V",
        doc: "Voltage at 10 % less that at 90 % of the charge, reference discharge.",
        citation: "Paulson2022",
        formula: "V at 10 % less V at 90 % of the charge",
        needs: &[Need::Curve],
        compute: |c| reference(c, Side::Discharge).map(|v| v.at_share(0.1) - v.at_share(0.9)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_shift_last_reference",
        unit: "V",
        doc: "Mean voltage difference of the last less the reference discharge at equal shares of charge.",
        citation: "Paulson2022",
        formula: "mean of V last less reference over the share of Q",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| Ok(mean(&shift(c, Side::Discharge)?)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_shift_last_reference",
        unit: "V",
        doc: "Mean voltage difference of the last less the reference charge at equal shares of charge.",
        citation: "Paulson2022",
        formula: "mean of V last less reference over the share of Q",
        needs: &[Need::Charge, Need::Cycles(2)],
        compute: |c| Ok(mean(&shift(c, Side::Charge)?)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_shift_variance_last_reference",
        unit: "V2",
        doc: "Variance over charge of the voltage difference of the last and the reference discharge.",
        citation: "Paulson2022",
        formula: "variance of V last less reference over the share of Q",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| Ok(variance(&shift(c, Side::Discharge)?)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_shift_middle_last_reference",
        unit: "V",
        doc: "Voltage difference of the last less the reference discharge when half of the charge has passed.",
        citation: "Paulson2022",
        formula: "V last less reference at half the charge",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| Ok(at(&shift(c, Side::Discharge)?, 0.5 * (CAPACITY_POINTS - 1) as f64)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_shift_end_last_reference",
        unit: "V",
        doc: "Voltage difference of the last less the reference discharge when 90 % of the charge has passed.",
        citation: "Paulson2022",
        formula: "V last less reference at 90 % of the charge",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| Ok(at(&shift(c, Side::Discharge)?, 0.9 * (CAPACITY_POINTS - 1) as f64)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_area_same_charge",
        unit: "V",
        doc: "Mean magnitude of the voltage difference of the last and the reference discharge at the same charge [Ah].",
        citation: "Paulson2022",
        formula: "mean |V last less reference| over Q",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| same_charge(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_middle_slope_cycles",
        unit: "V/cycle",
        doc: "Slope per cycle of the voltage when half of the charge of the discharge has passed.",
        citation: "Paulson2022",
        formula: "slope over cycles of V at half the charge",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| over_cycles(c, Side::Discharge, |v| v.at_share(0.5)).and_then(|(x, y)| slope(&x, &y)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_middle_variance_cycles",
        unit: "V2",
        doc: "Variance over the cycles of the voltage when half of the charge of the discharge has passed.",
        citation: "Paulson2022",
        formula: "variance over cycles of V at half the charge",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| Ok(variance(&over_cycles(c, Side::Discharge, |v| v.at_share(0.5))?.1)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_late_slope_cycles",
        unit: "V/cycle",
        doc: "Slope per cycle of the voltage when 90 % of the charge of the discharge has passed.",
        citation: "Paulson2022",
        formula: "slope over cycles of V at 90 % of the charge",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| over_cycles(c, Side::Discharge, |v| v.at_share(0.9)).and_then(|(x, y)| slope(&x, &y)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_variance_slope_cycles",
        unit: "V2/cycle",
        doc: "Slope per cycle of the variance of the voltage over the charge of the discharge.",
        citation: "Paulson2022",
        formula: "slope over cycles of the variance of V over Q",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| over_cycles(c, Side::Discharge, |v| variance(&v.volt)).and_then(|(x, y)| slope(&x, &y)),
    },
    EarlyDescriptor {
        name: "discharge_voltage_curve_plateau_share_slope_cycles",
        unit: "1/cycle",
        doc: "Slope per cycle of the largest share of the charge of the discharge within 0.1 V.",
        citation: "Paulson2022",
        formula: "slope over cycles of the largest share of Q within 0.1 V",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| over_cycles(c, Side::Discharge, plateau_share).and_then(|(x, y)| slope(&x, &y)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_hysteresis",
        unit: "V",
        doc: "Mean of charge less discharge voltage of the reference cycle at equal states of charge, from 10 % to 90 %.",
        citation: "Paulson2022",
        formula: "mean of charge less discharge V at equal states of charge",
        needs: &[Need::Curve, Need::Charge],
        compute: |c| hysteresis(c).map(|gap| mean(&gap)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_hysteresis_variance",
        unit: "V2",
        doc: "Variance over the state of charge of charge less discharge voltage of the reference cycle.",
        citation: "Paulson2022",
        formula: "variance of charge less discharge V over the state of charge",
        needs: &[Need::Curve, Need::Charge],
        compute: |c| hysteresis(c).map(|gap| variance(&gap)),
    },
    EarlyDescriptor {
        name: "charge_voltage_curve_hysteresis_middle",
        unit: "V",
        doc: "Charge less discharge voltage of the reference cycle when half of either has passed.",
        citation: "Paulson2022",
        formula: "charge less discharge V at half the charge",
        needs: &[Need::Curve, Need::Charge],
        compute: |c| hysteresis(c).map(|gap| at(&gap, 0.5 * (gap.len() - 1) as f64)),
    },
];

fn reference<'c>(c: &'c EarlyCell, side: Side) -> Result<&'c Voltage, Missing> {
    let view = View::new(c, side);
    view.voltage(view.reference()?)
}

/// Returns the largest share of the charge whose voltages lie within the width of a plateau.
fn plateau_share(curve: &Voltage) -> f64 {
    let (mut from, mut longest) = (0, 0);
    for to in 0..curve.volt.len() {
        while (curve.volt[to] - curve.volt[from]).abs() > PLATEAU_VOLT {
            from += 1;
        }
        longest = longest.max(to - from);
    }
    longest as f64 / (CAPACITY_POINTS - 1) as f64
}

fn bend(curve: &Voltage) -> f64 {
    curve.at_share(0.5) - 0.5 * (curve.at_share(0.1) + curve.at_share(0.9))
}

fn straightness(curve: &Voltage) -> Value {
    let places: Vec<f64> = (0..curve.volt.len()).map(|i| i as f64).collect();
    let (slope, middle, level) = (slope(&places, &curve.volt)?, mean(&places), mean(&curve.volt));
    let residuals = curve.volt.iter().zip(&places).map(|(v, p)| (v - level - slope * (p - middle)).powi(2));
    Ok((residuals.sum::<f64>() / places.len() as f64).sqrt())
}

/// Returns the voltage of the last cycle less that of the reference at equal shares of charge [V].
fn shift(c: &EarlyCell, side: Side) -> Result<Vec<f64>, Missing> {
    let view = View::new(c, side);
    let last = view.voltage(view.last()?)?;
    Ok(last.volt.iter().zip(&reference(c, side)?.volt).map(|(b, a)| b - a).collect())
}

/// Returns the mean magnitude of the voltage difference at the same charge, as far as both cycles go [V].
fn same_charge(c: &EarlyCell, side: Side) -> Value {
    let view = View::new(c, side);
    let (last, first) = (view.voltage(view.last()?)?, reference(c, side)?);
    let common = last.total_ah.min(first.total_ah);
    let gap = |i: usize| {
        let charge = common * i as f64 / (CAPACITY_POINTS - 1) as f64;
        last.at_share(charge / last.total_ah) - first.at_share(charge / first.total_ah)
    };
    Ok(mean_abs(&(0..CAPACITY_POINTS).map(gap).collect::<Vec<_>>()))
}

fn mean_abs(y: &[f64]) -> f64 {
    y.iter().map(|y| y.abs()).sum::<f64>() / y.len() as f64
}

/// Returns cycle numbers and a property of each from the reference on.
fn over_cycles(
    c: &EarlyCell,
    side: Side,
    property: fn(&Voltage) -> f64,
) -> Result<(Vec<f64>, Vec<f64>), Missing> {
    let view = View::new(c, side);
    let reference = view.reference()?;
    let later = view.usable().filter(|&cycle| cycle >= reference);
    let point = |cycle| Some((f64::from(cycle), property(view.voltage(cycle).ok()?)));
    let (cycles, values): (Vec<f64>, Vec<f64>) = later.filter_map(point).unzip();
    if cycles.len() < MIN_CYCLES {
        return Err(Missing::FewCycles { found: cycles.len(), needed: MIN_CYCLES });
    }
    Ok((cycles, values))
}

/// Returns charge less discharge voltage of the discharge's reference cycle at states of charge from 10 % to 90 % [V].
fn hysteresis(c: &EarlyCell) -> Result<Vec<f64>, Missing> {
    let discharge = reference(c, Side::Discharge)?;
    let charge = View::new(c, Side::Charge).voltage(View::new(c, Side::Discharge).reference()?)?;
    let soc = |i: usize| 0.1 + 0.8 * i as f64 / (CAPACITY_POINTS - 1) as f64;
    let gap = |soc: f64| charge.at_share(soc) - discharge.at_share(1.0 - soc);
    Ok((0..CAPACITY_POINTS).map(|i| gap(soc(i))).collect())
}
