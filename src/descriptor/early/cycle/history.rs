//! History and protocol: rates, depth, rests, calendar time and throughput of the window.

use super::quantity::Quantity as Q;
use super::statistic::{difference, max, mean, median, range, slope, total};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};
use crate::cell::health;
use crate::units::SECONDS_PER_HOUR;

/// Seconds in a day.
const SECONDS_PER_DAY: f64 = 24.0 * SECONDS_PER_HOUR;

/// Time of a cycle over the median from which on it holds a pause of the test [1].
const PAUSE_RATIO: f64 = 2.0;

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "history_charge_rate_median",
        unit: "1/h",
        doc: "Median over the cycles of the mean C-rate of the charge.",
        citation: "Severson2019",
        formula: "median over the cycles of the mean C-rate of the charge",
        needs: &[Need::Charge, Need::Nominal],
        compute: |c| median(c.series(Q::ChargeRate)?),
    },
    EarlyDescriptor {
        name: "history_charge_rate_slope",
        unit: "1/h/cycle",
        doc: "Least-squares slope over the cycles of the mean C-rate of the charge.",
        citation: "Paulson2022",
        formula: "least-squares slope over the cycles of the mean C-rate of the charge",
        needs: &[Need::Charge, Need::Nominal, Need::Cycles(3)],
        compute: |c| slope(c.series(Q::ChargeRate)?),
    },
    EarlyDescriptor {
        name: "history_discharge_rate_median",
        unit: "1/h",
        doc: "Median over the cycles of the mean C-rate of the discharge.",
        citation: "Paulson2022",
        formula: "median over the cycles of the mean C-rate of the discharge",
        needs: &[Need::Discharge, Need::Nominal],
        compute: |c| median(c.series(Q::DischargeRate)?),
    },
    EarlyDescriptor {
        name: "history_discharge_rate_range",
        unit: "1/h",
        doc: "Largest less smallest value over the cycles of the mean C-rate of the discharge.",
        citation: "Paulson2022",
        formula: "largest less smallest value over the cycles of the mean C-rate of the discharge",
        needs: &[Need::Discharge, Need::Nominal, Need::Cycles(2)],
        compute: |c| range(c.series(Q::DischargeRate)?),
    },
    EarlyDescriptor {
        name: "history_depth_average",
        unit: "1",
        doc: "Mean over the cycles of the depth of discharge, against the fullest discharge of the window.",
        citation: "Schmalstieg2014",
        formula: "mean over the cycles of the depth of discharge, against the fullest discharge of the window",
        needs: &[Need::Capacity],
        compute: |c| mean(c.series(Q::Depth)?),
    },
    EarlyDescriptor {
        name: "history_rest_charged_median",
        unit: "s",
        doc: "Median over the cycles of the time from the end of the charge to the begin of the discharge.",
        citation: "Schmalstieg2014",
        formula: "median over the cycles of the time from the end of the charge to the begin of the discharge",
        needs: &[Need::Charge, Need::Discharge, Need::Clock],
        compute: |c| median(c.series(Q::RestCharged)?),
    },
    EarlyDescriptor {
        name: "history_rest_discharged_median",
        unit: "s",
        doc: "Median over the cycles of the time from the end of the discharge to the begin of the next charge.",
        citation: "Schmalstieg2014",
        formula: "median over the cycles of the time from the end of the discharge to the begin of the next charge",
        needs: &[Need::Charge, Need::Discharge, Need::Clock, Need::Cycles(2)],
        compute: |c| median(c.series(Q::RestDischarged)?),
    },
    EarlyDescriptor {
        name: "history_rest_charged_highest",
        unit: "s",
        doc: "Highest over the cycles of the time from the end of the charge to the begin of the discharge.",
        citation: "Schmalstieg2014",
        formula: "highest over the cycles of the time from the end of the charge to the begin of the discharge",
        needs: &[Need::Charge, Need::Discharge, Need::Clock],
        compute: |c| max(c.series(Q::RestCharged)?),
    },
    EarlyDescriptor {
        name: "history_rest_discharged_highest",
        unit: "s",
        doc: "Highest over the cycles of the time from the end of the discharge to the begin of the next charge.",
        citation: "Schmalstieg2014",
        formula: "highest over the cycles of the time from the end of the discharge to the begin of the next charge",
        needs: &[Need::Charge, Need::Discharge, Need::Clock, Need::Cycles(2)],
        compute: |c| max(c.series(Q::RestDischarged)?),
    },
    EarlyDescriptor {
        name: "history_cycle_duration_median",
        unit: "s",
        doc: "Median over the cycles of the time from the begin of a cycle to the begin of the next.",
        citation: "Schmalstieg2014",
        formula: "median over the cycles of the time from the begin of a cycle to the begin of the next",
        needs: &[Need::Clock, Need::Cycles(2)],
        compute: |c| median(c.series(Q::CycleDuration)?),
    },
    EarlyDescriptor {
        name: "history_cycle_duration_slope",
        unit: "s/cycle",
        doc: "Least-squares slope over the cycles of the time from the begin of a cycle to the begin of the next.",
        citation: "Schmalstieg2014",
        formula: "least-squares slope over the cycles of the time from the begin of a cycle to the begin of the next",
        needs: &[Need::Clock, Need::Cycles(4)],
        compute: |c| slope(c.series(Q::CycleDuration)?),
    },
    EarlyDescriptor {
        name: "history_equivalent_full_cycles_total",
        unit: "1",
        doc: "Charge moved in the window over twice the nominal capacity.",
        citation: "Schmalstieg2014",
        formula: "equivalent full cycles of the window",
        needs: &[Need::Charge, Need::Capacity, Need::Nominal],
        compute: equivalent_full_cycles,
    },
    EarlyDescriptor {
        name: "history_calendar_time",
        unit: "d",
        doc: "Time from the first to the last begin of a cycle.",
        citation: "Schmalstieg2014",
        formula: "calendar time of the window",
        needs: &[Need::Clock, Need::Cycles(2)],
        compute: |c| Ok(difference(c.series(Q::Begin)?)? / SECONDS_PER_DAY),
    },
    EarlyDescriptor {
        name: "history_active_share",
        unit: "1",
        doc: "Median share of the time of a cycle that charges or discharges.",
        citation: "Schmalstieg2014",
        formula: "median over the cycles of the active share of the time of a cycle",
        needs: &[Need::Charge, Need::Discharge, Need::Clock, Need::Cycles(2)],
        compute: active_share,
    },
    EarlyDescriptor {
        name: "history_charged_share",
        unit: "1",
        doc: "Time between charge and discharge over all time at rest between half cycles: high where the cell rests full.",
        citation: "Schmalstieg2014",
        formula: "time at rest charged over all time at rest",
        needs: &[Need::Charge, Need::Discharge, Need::Clock, Need::Cycles(2)],
        compute: charged_share,
    },
    EarlyDescriptor {
        name: "history_pause_count",
        unit: "1",
        doc: "Cycles whose begin-to-begin time is more than twice the median: pauses of the test.",
        citation: "Saha2007",
        formula: "number of cycles that last more than twice the median",
        needs: &[Need::Clock, Need::Cycles(4)],
        compute: pauses,
    },
    EarlyDescriptor {
        name: "history_rate_ratio",
        unit: "1",
        doc: "Median C-rate of the charge over that of the discharge.",
        citation: "Schmalstieg2014",
        formula: "median charge rate over median discharge rate",
        needs: &[Need::Charge, Need::Discharge, Need::Nominal],
        compute: |c| Ok(median(c.series(Q::ChargeRate)?)? / median(c.series(Q::DischargeRate)?)?),
    },
];

fn equivalent_full_cycles(c: &EarlyCell) -> Value {
    let moved = total(c.series(Q::ChargeCapacity)?)? + total(c.series(Q::DischargeCapacity)?)?;
    let nominal = c.nominal_ah.ok_or(Missing::No(Need::Nominal))?;
    Ok(health::equivalent_full_cycles(moved, nominal))
}

fn active_share(c: &EarlyCell) -> Value {
    let cycle = median(c.series(Q::CycleDuration)?)?;
    let active = median(c.series(Q::ChargeDuration)?)? + median(c.series(Q::DischargeDuration)?)?;
    if cycle > 0.0 { Ok(active / cycle) } else { Err(Missing::Undefined("cycles that take no time")) }
}

fn charged_share(c: &EarlyCell) -> Value {
    let charged = total(c.series(Q::RestCharged)?)?;
    let all = charged + total(c.series(Q::RestDischarged)?)?;
    if all > 0.0 { Ok(charged / all) } else { Err(Missing::Undefined("no time at rest")) }
}

fn pauses(c: &EarlyCell) -> Value {
    let durations = c.series(Q::CycleDuration)?;
    durations.at_least(3)?;
    let longest = PAUSE_RATIO * median(durations)?;
    Ok(durations.value.iter().filter(|&&d| d > longest).count() as f64)
}
