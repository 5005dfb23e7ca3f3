//! Incremental capacity: peaks and shape of dQ/dV of a reference cycle, and what becomes of them `[Dubarry2012]`.
//!
//! The reference is cycle 10, else the first with a curve. Peaks are ranked there by prominence, at least 5 % of the
//! highest value; their width is taken at half the prominence. dQ/dV is positive in both directions.

use super::peak_track::{reference_peak as peak, valley};
use super::shape::{entropy, quantile};
use super::view::{Incremental, Side, View};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "discharge_ic_peak1_position",
        unit: "V",
        doc: "Voltage of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "voltage of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_height",
        unit: "Ah/V",
        doc: "Height of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "height of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_width",
        unit: "V",
        doc: "Width at half prominence of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "width of the dQ/dV peak at half prominence",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.width_volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_charge",
        unit: "Ah",
        doc: "Charge within the half-prominence width of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "charge within the width of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_prominence",
        unit: "Ah/V",
        doc: "Prominence of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "prominence of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.prominence),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_position",
        unit: "V",
        doc: "Voltage of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "voltage of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_height",
        unit: "Ah/V",
        doc: "Height of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "height of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_width",
        unit: "V",
        doc: "Width at half prominence of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "width of the dQ/dV peak at half prominence",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.width_volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak2_charge",
        unit: "Ah",
        doc: "Charge within the half-prominence width of the second most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "charge within the width of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak_count",
        unit: "1",
        doc: "Number of dQ/dV peaks of the reference discharge.",
        citation: "Dubarry2012",
        formula: "number of dQ/dV peaks",
        needs: &[Need::Curve],
        compute: |c| Ok(curve(c, Side::Discharge)?.peaks.len() as f64),
    },
    EarlyDescriptor {
        name: "discharge_ic_entropy",
        unit: "1",
        doc: "Entropy of how the capacity of the reference discharge is spread over voltage.",
        citation: "Dubarry2012",
        formula: "normalised Shannon entropy of dQ/dV",
        needs: &[Need::Curve],
        compute: |c| entropy(curve(c, Side::Discharge)?.ah_per_volt.iter().copied()),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_low_side_share",
        unit: "1",
        doc: "Share of the width of the most prominent dQ/dV peak below its top, reference discharge.",
        citation: "Dubarry2012",
        formula: "width below the top / width of the dQ/dV peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.low_side_share),
    },
    EarlyDescriptor {
        name: "discharge_ic_valley_height",
        unit: "Ah/V",
        doc: "Lowest dQ/dV between the two most prominent peaks of the reference discharge.",
        citation: "Dubarry2012",
        formula: "min dQ/dV between two peaks",
        needs: &[Need::Curve],
        compute: |c| valley(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak_distance",
        unit: "V",
        doc: "Voltage between the two most prominent dQ/dV peaks of the reference discharge, positive where the first is higher.",
        citation: "Dubarry2012",
        formula: "voltage between two dQ/dV peaks",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.volt - peak(c, Side::Discharge, 1)?.volt),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak_ratio",
        unit: "1",
        doc: "Height of the second over that of the most prominent dQ/dV peak of the reference discharge.",
        citation: "Dubarry2012",
        formula: "ratio of the heights of two dQ/dV peaks",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.height / peak(c, Side::Discharge, 0)?.height),
    },
    EarlyDescriptor {
        name: "discharge_ic_median",
        unit: "Ah/V",
        doc: "Median dQ/dV over the voltages of the reference discharge.",
        citation: "Dubarry2012",
        formula: "median dQ/dV over V",
        needs: &[Need::Curve],
        compute: |c| Ok(quantile(&curve(c, Side::Discharge)?.ah_per_volt, 0.5)),
    },
    EarlyDescriptor {
        name: "discharge_ic_peak1_charge_share",
        unit: "1",
        doc: "Share of the capacity within the width of the most prominent dQ/dV peak, reference discharge.",
        citation: "Dubarry2012",
        formula: "charge within the width of the dQ/dV peak / capacity",
        needs: &[Need::Curve],
        compute: |c| charge_share(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "discharge_ic_roughness",
        unit: "1",
        doc: "Root mean square second difference of dQ/dV over its highest value, reference discharge.",
        citation: "Dubarry2012",
        formula: "rms of the second difference of dQ/dV / max dQ/dV",
        needs: &[Need::Curve],
        compute: |c| curve(c, Side::Discharge).map(roughness),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_position",
        unit: "V",
        doc: "Voltage of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "voltage of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.volt),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_height",
        unit: "Ah/V",
        doc: "Height of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "height of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.height),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_width",
        unit: "V",
        doc: "Width at half prominence of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "width of the dQ/dV peak at half prominence",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.width_volt),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_charge",
        unit: "Ah",
        doc: "Charge within the half-prominence width of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "charge within the width of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.charge_ah),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_prominence",
        unit: "Ah/V",
        doc: "Prominence of the most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "prominence of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.prominence),
    },
    EarlyDescriptor {
        name: "charge_ic_peak2_position",
        unit: "V",
        doc: "Voltage of the second most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "voltage of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 1)?.volt),
    },
    EarlyDescriptor {
        name: "charge_ic_peak2_height",
        unit: "Ah/V",
        doc: "Height of the second most prominent dQ/dV peak of the reference charge.",
        citation: "Dubarry2012",
        formula: "height of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 1)?.height),
    },
    EarlyDescriptor {
        name: "charge_ic_peak_count",
        unit: "1",
        doc: "Number of dQ/dV peaks of the reference charge.",
        citation: "Dubarry2012",
        formula: "number of dQ/dV peaks",
        needs: &[Need::Charge],
        compute: |c| Ok(curve(c, Side::Charge)?.peaks.len() as f64),
    },
    EarlyDescriptor {
        name: "charge_ic_entropy",
        unit: "1",
        doc: "Entropy of how the capacity of the reference charge is spread over voltage.",
        citation: "Dubarry2012",
        formula: "normalised Shannon entropy of dQ/dV",
        needs: &[Need::Charge],
        compute: |c| entropy(curve(c, Side::Charge)?.ah_per_volt.iter().copied()),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_low_side_share",
        unit: "1",
        doc: "Share of the width of the most prominent dQ/dV peak below its top, reference charge.",
        citation: "Dubarry2012",
        formula: "width below the top / width of the dQ/dV peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.low_side_share),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_gap",
        unit: "V",
        doc: "Voltage of the most prominent dQ/dV peak of the reference charge less that of the discharge.",
        citation: "Dubarry2012",
        formula: "charge less discharge voltage of the dQ/dV peak",
        needs: &[Need::Curve, Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.volt - peak(c, Side::Discharge, 0)?.volt),
    },
    EarlyDescriptor {
        name: "charge_ic_peak1_height_ratio",
        unit: "1",
        doc: "Height of the most prominent dQ/dV peak of the reference charge over that of the discharge.",
        citation: "Dubarry2012",
        formula: "charge over discharge height of the dQ/dV peak",
        needs: &[Need::Curve, Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.height / peak(c, Side::Discharge, 0)?.height),
    },
];

/// Returns dQ/dV of the reference cycle.
pub(super) fn curve<'c>(c: &'c EarlyCell, side: Side) -> Result<&'c Incremental, Missing> {
    let view = View::new(c, side);
    view.incremental(view.reference()?)
}

fn charge_share(c: &EarlyCell, side: Side) -> Value {
    let capacity = View::new(c, side).capacity(View::new(c, side).reference()?)?;
    Ok(peak(c, side, 0)?.charge_ah / (capacity[capacity.len() - 1] - capacity[0]).abs())
}

fn roughness(curve: &Incremental) -> f64 {
    let y = &curve.ah_per_volt;
    let squares = y.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2)).sum::<f64>();
    let highest = y.iter().copied().fold(0.0, f64::max);
    (squares / (y.len() - 2) as f64).sqrt() / highest
}
