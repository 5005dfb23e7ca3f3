//! Incremental capacity over the cycles: drift and scatter of the reference's dQ/dV peaks `[Dubarry2012]`.
//!
//! A peak is followed from the reference cycle on by its voltage; cycles that do not show it are left out.

use super::incremental_capacity::curve;
use super::peak_track::{track_change, track_slope, track_variance, tracked_share};
use super::shape::{correlation, entropy};
use super::view::{Side, View};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "discharge_ic_peak1_position_slope",
        unit: "V/cycle",
        doc: "Slope per cycle of the voltage of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the voltage of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Discharge, 0, |p| p.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_position_variance",
        unit: "V2",
        doc: "Variance over the cycles of the voltage of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the voltage of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Discharge, 0, |p| p.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_height_slope",
        unit: "Ah/V/cycle",
        doc: "Slope per cycle of the height of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the height of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Discharge, 0, |p| p.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_height_variance",
        unit: "Ah2/V2",
        doc: "Variance over the cycles of the height of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the height of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Discharge, 0, |p| p.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_width_slope",
        unit: "V/cycle",
        doc: "Slope per cycle of the width at half prominence of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the width of the dQ/dV peak at half prominence",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Discharge, 0, |p| p.width_volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_width_variance",
        unit: "V2",
        doc: "Variance over the cycles of the width at half prominence of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the width of the dQ/dV peak at half prominence",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Discharge, 0, |p| p.width_volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_charge_slope",
        unit: "Ah/cycle",
        doc: "Slope per cycle of the charge within the half-prominence width of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the charge within the width of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Discharge, 0, |p| p.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_charge_variance",
        unit: "Ah2",
        doc: "Variance over the cycles of the charge within the half-prominence width of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the charge within the width of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Discharge, 0, |p| p.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_position_change",
        unit: "V",
        doc: "Change from the reference to the last cycle of the voltage of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "last less reference of the voltage of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_change(c, Side::Discharge, 0, |p| p.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_height_change",
        unit: "Ah/V",
        doc: "Change from the reference to the last cycle of the height of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "last less reference of the height of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_change(c, Side::Discharge, 0, |p| p.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_width_change",
        unit: "V",
        doc: "Change from the reference to the last cycle of the width at half prominence of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "last less reference of the width of the dQ/dV peak at half prominence",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_change(c, Side::Discharge, 0, |p| p.width_volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_charge_change",
        unit: "Ah",
        doc: "Change from the reference to the last cycle of the charge within the half-prominence width of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "last less reference of the charge within the width of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_change(c, Side::Discharge, 0, |p| p.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_position_slope",
        unit: "V/cycle",
        doc: "Slope per cycle of the voltage of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the voltage of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Discharge, 1, |p| p.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_height_slope",
        unit: "Ah/V/cycle",
        doc: "Slope per cycle of the height of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the height of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Discharge, 1, |p| p.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_position_variance",
        unit: "V2",
        doc: "Variance over the cycles of the voltage of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the voltage of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Discharge, 1, |p| p.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_height_variance",
        unit: "Ah2/V2",
        doc: "Variance over the cycles of the height of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the height of the dQ/dV peak",
        needs: &[Need::Curve, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Discharge, 1, |p| p.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_distance_last_reference",
        unit: "Ah/V",
        doc: "Root mean square difference of dQ/dV between the last and the reference discharge.",
        citation: "Dubarry2012",
        formula: "rms of dQ/dV last less reference",
        needs: &[Need::Curve],
        compute: |c| distance(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "discharge_ic_correlation_last_reference",
        unit: "1",
        doc: "Correlation of dQ/dV of the last and the reference discharge over voltage.",
        citation: "Dubarry2012",
        formula: "correlation of dQ/dV last and reference",
        needs: &[Need::Curve],
        compute: |c| last_correlation(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_tracked_share",
        unit: "1",
        doc: "Share of the cycles since the reference discharge that still show its most prominent dQ/dV peak.",
        citation: "Dubarry2012",
        formula: "share of cycles that show the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| tracked_share(c, Side::Discharge, 0),
    },
    EarlyDescriptor {
        name: "discharge_ic_entropy_change",
        unit: "1",
        doc: "Entropy of dQ/dV of the last less that of the reference discharge.",
        citation: "Dubarry2012",
        formula: "normalised Shannon entropy of dQ/dV last less reference",
        needs: &[Need::Curve],
        compute: |c| entropy_change(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_position_slope",
        unit: "V/cycle",
        doc: "Slope per cycle of the voltage of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the voltage of the dQ/dV peak",
        needs: &[Need::Charge, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Charge, 0, |p| p.volt),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_position_variance",
        unit: "V2",
        doc: "Variance over the cycles of the voltage of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the voltage of the dQ/dV peak",
        needs: &[Need::Charge, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Charge, 0, |p| p.volt),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_height_slope",
        unit: "Ah/V/cycle",
        doc: "Slope per cycle of the height of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "slope over cycles of the height of the dQ/dV peak",
        needs: &[Need::Charge, Need::Cycles(3)],
        compute: |c| track_slope(c, Side::Charge, 0, |p| p.height),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_height_variance",
        unit: "Ah2/V2",
        doc: "Variance over the cycles of the height of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "variance over cycles of the height of the dQ/dV peak",
        needs: &[Need::Charge, Need::Cycles(3)],
        compute: |c| track_variance(c, Side::Charge, 0, |p| p.height),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_position_change",
        unit: "V",
        doc: "Change from the reference to the last cycle of the voltage of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "last less reference of the voltage of the dQ/dV peak",
        needs: &[Need::Charge, Need::Cycles(3)],
        compute: |c| track_change(c, Side::Charge, 0, |p| p.volt),
    },
    EarlyDescriptor {
        name: "charge_ic_distance_last_reference",
        unit: "Ah/V",
        doc: "Root mean square difference of dQ/dV between the last and the reference charge.",
        citation: "Dubarry2012",
        formula: "rms of dQ/dV last less reference",
        needs: &[Need::Charge],
        compute: |c| distance(c, Side::Charge),
    },
];

/// Returns dQ/dV of the last and of the reference cycle.
fn ends<'c>(c: &'c EarlyCell, side: Side) -> Result<(&'c [f64], &'c [f64]), Missing> {
    let last = View::new(c, side).incremental(View::new(c, side).last()?)?;
    Ok((&last.ah_per_volt, &curve(c, side)?.ah_per_volt))
}

fn distance(c: &EarlyCell, side: Side) -> Value {
    let (last, reference) = ends(c, side)?;
    let squares = last.iter().zip(reference).map(|(b, a)| (b - a).powi(2)).sum::<f64>();
    Ok((squares / last.len() as f64).sqrt())
}

fn last_correlation(c: &EarlyCell, side: Side) -> Value {
    let (last, reference) = ends(c, side)?;
    correlation(last, reference)
}

fn entropy_change(c: &EarlyCell, side: Side) -> Value {
    let (last, reference) = ends(c, side)?;
    Ok(entropy(last.iter().copied())? - entropy(reference.iter().copied())?)
}
