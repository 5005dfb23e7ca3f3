//! Differential voltage: peaks and slopes of dV/dQ, whose distances in charge tell lost lithium from lost material.
//!
//! A dV/dQ peak marks a phase change of one electrode: the charge from it to the end of the half cycle, and between
//! two of them, are proxies of the active material and of the electrodes' slippage `[Bloom2005]`. dV/dQ is positive
//! in both directions, on 501 equal steps of charge; peaks are of at least 5 % of its median in prominence.

use super::peak_track::vertex;
use super::shape::{at, quantile};
use super::view::{CAPACITY_POINTS, Side, View, Voltage};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

/// Share of the charge at either end that the lowest value and distances leave out.
const END_SHARE: f64 = 0.05;

/// Multiple of the median dV/dQ that is past the knee; ours.
const KNEE_MULTIPLE: f64 = 3.0;

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "discharge_dv_minimum",
        unit: "V/Ah",
        doc: "Lowest dV/dQ of the reference discharge, its ends left out.",
        citation: "Bloom2005",
        formula: "min dV/dQ",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.minimum().1),
    },
    EarlyDescriptor {
        name: "discharge_dv_minimum_position",
        unit: "1",
        doc: "Share of the charge passed at the lowest dV/dQ of the reference discharge.",
        citation: "Bloom2005",
        formula: "argmin of dV/dQ over the share of charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.minimum().0),
    },
    EarlyDescriptor {
        name: "discharge_dv_median",
        unit: "V/Ah",
        doc: "Median dV/dQ of the reference discharge.",
        citation: "Bloom2005",
        formula: "median dV/dQ over Q",
        needs: &[Need::Curve],
        compute: |c| Ok(quantile(&reference(c, Side::Discharge)?.volt_per_ah, 0.5)),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_position",
        unit: "Ah",
        doc: "Charge passed at the most prominent dV/dQ peak of the reference discharge.",
        citation: "Bloom2005",
        formula: "charge passed at the dV/dQ peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_height",
        unit: "V/Ah",
        doc: "Height of the most prominent dV/dQ peak of the reference discharge.",
        citation: "Bloom2005",
        formula: "height of the dV/dQ peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.height),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak2_position",
        unit: "Ah",
        doc: "Charge passed at the second most prominent dV/dQ peak of the reference discharge.",
        citation: "Bloom2005",
        formula: "charge passed at the dV/dQ peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak2_height",
        unit: "V/Ah",
        doc: "Height of the second most prominent dV/dQ peak of the reference discharge.",
        citation: "Bloom2005",
        formula: "height of the dV/dQ peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 1)?.height),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_share",
        unit: "1",
        doc: "Share of the charge passed at the most prominent dV/dQ peak of the reference discharge.",
        citation: "Bloom2005",
        formula: "share of the charge passed at the dV/dQ peak",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.share),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_width",
        unit: "Ah",
        doc: "Width at half prominence of the most prominent dV/dQ peak of the reference discharge.",
        citation: "Bloom2005",
        formula: "width of the dV/dQ peak at half prominence",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.width_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_end_distance",
        unit: "Ah",
        doc: "Charge from the most prominent dV/dQ peak to the end of the reference discharge: it shrinks as active material is lost.",
        citation: "Bloom2005",
        formula: "charge from the dV/dQ peak to the end",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.end_distance_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak_distance",
        unit: "Ah",
        doc: "Charge between the two most prominent dV/dQ peaks of the reference discharge, positive where the first comes later.",
        citation: "Bloom2005",
        formula: "charge between two dV/dQ peaks",
        needs: &[Need::Curve],
        compute: |c| Ok(peak(c, Side::Discharge, 0)?.charge_ah - peak(c, Side::Discharge, 1)?.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak_count",
        unit: "1",
        doc: "Number of dV/dQ peaks of the reference discharge away from its ends.",
        citation: "Bloom2005",
        formula: "number of dV/dQ peaks",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.peaks.len() as f64),
    },
    EarlyDescriptor {
        name: "discharge_dv_middle_slope",
        unit: "V/Ah",
        doc: "Voltage lost per charge over the middle half of the reference discharge.",
        citation: "Bloom2005",
        formula: "slope of V over Q from 25 % to 75 % of the charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.slope_between(0.25, 0.75)),
    },
    EarlyDescriptor {
        name: "discharge_dv_begin_slope",
        unit: "V/Ah",
        doc: "Voltage lost per charge from 2 % to 10 % of the charge of the reference discharge.",
        citation: "Bloom2005",
        formula: "slope of V over Q from 2 % to 10 % of the charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.slope_between(0.02, 0.1)),
    },
    EarlyDescriptor {
        name: "discharge_dv_end_slope",
        unit: "V/Ah",
        doc: "Voltage lost per charge from 90 % to 98 % of the charge of the reference discharge.",
        citation: "Bloom2005",
        formula: "slope of V over Q from 90 % to 98 % of the charge",
        needs: &[Need::Curve],
        compute: |c| Ok(reference(c, Side::Discharge)?.slope_between(0.9, 0.98)),
    },
    EarlyDescriptor {
        name: "discharge_dv_knee_share",
        unit: "1",
        doc: "Share of the charge passed when dV/dQ of the reference discharge last rises above three times its median.",
        citation: "Bloom2005",
        formula: "share of charge where dV/dQ last exceeds thrice its median",
        needs: &[Need::Curve],
        compute: |c| knee_share(reference(c, Side::Discharge)?),
    },
    EarlyDescriptor {
        name: "discharge_dv_curvature_change",
        unit: "V/Ah",
        doc: "End slope less begin slope of the reference discharge.",
        citation: "Bloom2005",
        formula: "slope of V at the end less at the begin",
        needs: &[Need::Curve],
        compute: |c| {
            reference(c, Side::Discharge).map(|v| v.slope_between(0.9, 0.98) - v.slope_between(0.02, 0.1))
        },
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_position_change",
        unit: "Ah",
        doc: "Change from the reference to the last discharge of the charge passed at the most prominent dV/dQ peak.",
        citation: "Bloom2005",
        formula: "last less reference charge passed at the dV/dQ peak",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| peak_change(c, Side::Discharge, |p| p.charge_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_end_distance_change",
        unit: "Ah",
        doc: "Change from the reference to the last discharge of the charge from the most prominent dV/dQ peak to the end.",
        citation: "Bloom2005",
        formula: "last less reference charge from the dV/dQ peak to the end",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| peak_change(c, Side::Discharge, |p| p.end_distance_ah),
    },
    EarlyDescriptor {
        name: "discharge_dv_peak1_height_change",
        unit: "V/Ah",
        doc: "Change from the reference to the last discharge of the height of the most prominent dV/dQ peak.",
        citation: "Bloom2005",
        formula: "last less reference height of the dV/dQ peak",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| peak_change(c, Side::Discharge, |p| p.height),
    },
    EarlyDescriptor {
        name: "discharge_dv_middle_slope_change",
        unit: "V/Ah",
        doc: "Change from the reference to the last discharge of the voltage lost per charge over its middle half.",
        citation: "Bloom2005",
        formula: "last less reference slope of V over Q from 25 % to 75 % of the charge",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| change(c, Side::Discharge, |v| v.slope_between(0.25, 0.75)),
    },
    EarlyDescriptor {
        name: "discharge_dv_end_slope_change",
        unit: "V/Ah",
        doc: "Change from the reference to the last discharge of the voltage lost per charge from 90 % to 98 % of it.",
        citation: "Bloom2005",
        formula: "last less reference slope of V over Q from 90 % to 98 % of the charge",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| change(c, Side::Discharge, |v| v.slope_between(0.9, 0.98)),
    },
    EarlyDescriptor {
        name: "discharge_dv_minimum_change",
        unit: "V/Ah",
        doc: "Change from the reference to the last discharge of the lowest dV/dQ.",
        citation: "Bloom2005",
        formula: "last less reference min dV/dQ",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| change(c, Side::Discharge, |v| v.minimum().1),
    },
    EarlyDescriptor {
        name: "discharge_dv_distance_last_reference",
        unit: "V/Ah",
        doc: "Mean magnitude of the difference of dV/dQ between the last and the reference discharge at equal shares of charge, its ends left out.",
        citation: "Bloom2005",
        formula: "mean |dV/dQ last less reference|",
        needs: &[Need::Curve, Need::Cycles(2)],
        compute: |c| distance(c, Side::Discharge),
    },
    EarlyDescriptor {
        name: "charge_dv_minimum",
        unit: "V/Ah",
        doc: "Lowest dV/dQ of the reference charge, its ends left out.",
        citation: "Bloom2005",
        formula: "min dV/dQ",
        needs: &[Need::Charge],
        compute: |c| Ok(reference(c, Side::Charge)?.minimum().1),
    },
    EarlyDescriptor {
        name: "charge_dv_median",
        unit: "V/Ah",
        doc: "Median dV/dQ of the reference charge.",
        citation: "Bloom2005",
        formula: "median dV/dQ over Q",
        needs: &[Need::Charge],
        compute: |c| Ok(quantile(&reference(c, Side::Charge)?.volt_per_ah, 0.5)),
    },
    EarlyDescriptor {
        name: "charge_dv_peak1_position",
        unit: "Ah",
        doc: "Charge passed at the most prominent dV/dQ peak of the reference charge.",
        citation: "Bloom2005",
        formula: "charge passed at the dV/dQ peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.charge_ah),
    },
    EarlyDescriptor {
        name: "charge_dv_peak1_height",
        unit: "V/Ah",
        doc: "Height of the most prominent dV/dQ peak of the reference charge.",
        citation: "Bloom2005",
        formula: "height of the dV/dQ peak",
        needs: &[Need::Charge],
        compute: |c| Ok(peak(c, Side::Charge, 0)?.height),
    },
    EarlyDescriptor {
        name: "charge_dv_middle_slope",
        unit: "V/Ah",
        doc: "Voltage gained per charge over the middle half of the reference charge.",
        citation: "Bloom2005",
        formula: "slope of V over Q from 25 % to 75 % of the charge",
        needs: &[Need::Charge],
        compute: |c| Ok(reference(c, Side::Charge)?.slope_between(0.25, 0.75)),
    },
];

/// One peak of dV/dQ.
#[derive(Debug, Clone, Copy, PartialEq)]
struct DvPeak {
    /// Share of the charge passed at the top, 0-1.
    share: f64,
    /// Charge passed there [Ah].
    charge_ah: f64,
    /// Charge from there to the end [Ah].
    end_distance_ah: f64,
    /// Height [V/Ah].
    height: f64,
    /// Width at half the prominence [Ah].
    width_ah: f64,
}

impl Voltage {
    /// Returns the place, as a share of the charge, and the height of the lowest dV/dQ away from the ends.
    fn minimum(&self) -> (f64, f64) {
        let skip = (END_SHARE * self.volt_per_ah.len() as f64) as usize;
        let inner = self.volt_per_ah.iter().enumerate().skip(skip).take(self.volt_per_ah.len() - 2 * skip);
        let (position, height) =
            inner.min_by(|a, b| a.1.total_cmp(b.1)).map_or((0, f64::NAN), |(i, v)| (i, *v));
        (position as f64 / (CAPACITY_POINTS - 1) as f64, height)
    }

    /// Returns the voltage at a share of the charge [V].
    pub(super) fn at_share(&self, share: f64) -> f64 {
        at(&self.volt, share * (CAPACITY_POINTS - 1) as f64)
    }

    /// Returns the magnitude of the slope of the voltage between two shares of the charge [V/Ah].
    fn slope_between(&self, from: f64, to: f64) -> f64 {
        (self.at_share(to) - self.at_share(from)).abs() / ((to - from) * self.total_ah)
    }

    fn peak(&self, rank: usize) -> Result<DvPeak, Missing> {
        let peak = self.peaks.get(rank).ok_or(Missing::NoPeak)?;
        let share = vertex(&self.volt_per_ah, peak.position) / (CAPACITY_POINTS - 1) as f64;
        Ok(DvPeak {
            share,
            charge_ah: share * self.total_ah,
            end_distance_ah: (1.0 - share) * self.total_ah,
            height: self.volt_per_ah[peak.position],
            width_ah: peak.width() / (CAPACITY_POINTS - 1) as f64 * self.total_ah,
        })
    }

    /// Returns the peak nearest to a share of the charge, within an end's share.
    fn peak_near(&self, share: f64) -> Result<DvPeak, Missing> {
        let peaks = (0..self.peaks.len()).filter_map(|rank| self.peak(rank).ok());
        let near = peaks.filter(|p| (p.share - share).abs() <= END_SHARE);
        near.min_by(|a, b| (a.share - share).abs().total_cmp(&(b.share - share).abs())).ok_or(Missing::NoPeak)
    }
}

fn reference<'c>(c: &'c EarlyCell, side: Side) -> Result<&'c Voltage, Missing> {
    let view = View::new(c, side);
    view.voltage(view.reference()?)
}

fn last<'c>(c: &'c EarlyCell, side: Side) -> Result<&'c Voltage, Missing> {
    let view = View::new(c, side);
    view.voltage(view.last()?)
}

fn peak(c: &EarlyCell, side: Side, rank: usize) -> Result<DvPeak, Missing> {
    reference(c, side)?.peak(rank)
}

/// Returns a property of the last cycle less that of the reference.
fn change(c: &EarlyCell, side: Side, property: fn(&Voltage) -> f64) -> Value {
    Ok(property(last(c, side)?) - property(reference(c, side)?))
}

/// Returns a property of the reference's first peak in the last cycle less in the reference.
fn peak_change(c: &EarlyCell, side: Side, property: fn(&DvPeak) -> f64) -> Value {
    let before = peak(c, side, 0)?;
    Ok(property(&last(c, side)?.peak_near(before.share)?) - property(&before))
}

/// Returns the share of the charge after which dV/dQ stays above the multiple of its median.
fn knee_share(curve: &Voltage) -> Value {
    let limit = KNEE_MULTIPLE * quantile(&curve.volt_per_ah, 0.5);
    let below = curve.volt_per_ah.iter().rposition(|v| *v <= limit).ok_or(Missing::Flat)?;
    if below + 1 == CAPACITY_POINTS {
        Err(Missing::NoPeak)
    } else {
        Ok(below as f64 / (CAPACITY_POINTS - 1) as f64)
    }
}

fn distance(c: &EarlyCell, side: Side) -> Value {
    let skip = (END_SHARE * CAPACITY_POINTS as f64) as usize;
    let inner = skip..CAPACITY_POINTS - skip;
    let (b, a) = (&last(c, side)?.volt_per_ah[inner.clone()], &reference(c, side)?.volt_per_ah[inner]);
    Ok(b.iter().zip(a).map(|(b, a)| (b - a).abs()).sum::<f64>() / b.len() as f64)
}
