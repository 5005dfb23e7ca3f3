//! What the source states ready-made: columns of its own table, one cycle a row, and numbers of the whole cell.

use super::super::cycle::quantity::Quantity as Q;
use super::super::cycle::series::column;
use super::super::cycle::statistic::{Series, difference, first, median, min, residual_sd, slope};
use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "cycle_internal_resistance_first",
        unit: "ohm",
        doc: "First value of the internal resistance that the source states.",
        citation: "Severson2019",
        formula: "first value of the internal resistance that the source states",
        needs: &[Need::Column("internal_resistance")],
        compute: |c| first(c.series(Q::InternalResistance)?),
    },
    EarlyDescriptor {
        name: "cycle_internal_resistance_lowest",
        unit: "ohm",
        doc: "Lowest over the cycles of the internal resistance that the source states.",
        citation: "Severson2019",
        formula: "lowest over the cycles of the internal resistance that the source states",
        needs: &[Need::Column("internal_resistance")],
        compute: |c| min(c.series(Q::InternalResistance)?),
    },
    EarlyDescriptor {
        name: "cycle_internal_resistance_difference",
        unit: "ohm",
        doc: "Last less first value of the internal resistance that the source states.",
        citation: "Severson2019",
        formula: "last less first value of the internal resistance that the source states",
        needs: &[Need::Column("internal_resistance"), Need::Cycles(2)],
        compute: |c| difference(c.series(Q::InternalResistance)?),
    },
    EarlyDescriptor {
        name: "cycle_internal_resistance_slope",
        unit: "ohm/cycle",
        doc: "Least-squares slope over the cycles of the internal resistance that the source states.",
        citation: "Fei2021",
        formula: "least-squares slope over the cycles of the internal resistance that the source states",
        needs: &[Need::Column("internal_resistance"), Need::Cycles(3)],
        compute: |c| slope(c.series(Q::InternalResistance)?),
    },
    EarlyDescriptor {
        name: "cycle_internal_resistance_roughness",
        unit: "ohm",
        doc: "Standard deviation around the least-squares line of the internal resistance that the source states.",
        citation: "Fei2021",
        formula: "standard deviation around the least-squares line of the internal resistance that the source states",
        needs: &[Need::Column("internal_resistance"), Need::Cycles(4)],
        compute: |c| residual_sd(c.series(Q::InternalResistance)?),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_mean_end_median",
        unit: "V",
        doc: "Median over the cycles of the mean voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the mean voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_mean_end")],
        compute: |c| with_column(c, "charge_cc_voltage_mean_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_mean_end_slope",
        unit: "V/cycle",
        doc: "Least-squares slope over the cycles of the mean voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "least-squares slope over the cycles of the mean voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_mean_end"), Need::Cycles(3)],
        compute: |c| with_column(c, "charge_cc_voltage_mean_end", slope),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_std_end_median",
        unit: "V",
        doc: "Median over the cycles of the standard deviation of the voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the standard deviation of the voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_std_end")],
        compute: |c| with_column(c, "charge_cc_voltage_std_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_skewness_end_median",
        unit: "1",
        doc: "Median over the cycles of the skewness of the voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the skewness of the voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_skewness_end")],
        compute: |c| with_column(c, "charge_cc_voltage_skewness_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_skewness_end_slope",
        unit: "1/cycle",
        doc: "Least-squares slope over the cycles of the skewness of the voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "least-squares slope over the cycles of the skewness of the voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_skewness_end"), Need::Cycles(3)],
        compute: |c| with_column(c, "charge_cc_voltage_skewness_end", slope),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_kurtosis_end_median",
        unit: "1",
        doc: "Median over the cycles of the kurtosis of the voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the kurtosis of the voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_kurtosis_end")],
        compute: |c| with_column(c, "charge_cc_voltage_kurtosis_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_slope_end_median",
        unit: "V/s",
        doc: "Median over the cycles of the slope of the voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the slope of the voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_slope_end")],
        compute: |c| with_column(c, "charge_cc_voltage_slope_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_voltage_entropy_end_median",
        unit: "1",
        doc: "Median over the cycles of the entropy of the voltage of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the entropy of the voltage of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_voltage_entropy_end")],
        compute: |c| with_column(c, "charge_cc_voltage_entropy_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_duration_end_median",
        unit: "s",
        doc: "Median over the cycles of the time of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the time of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_duration_end")],
        compute: |c| with_column(c, "charge_cc_duration_end", median),
    },
    EarlyDescriptor {
        name: "charge_cc_duration_end_slope",
        unit: "s/cycle",
        doc: "Least-squares slope over the cycles of the time of the last 0.2 V of the constant-current charge, as the source states it.",
        citation: "Wang2024",
        formula: "least-squares slope over the cycles of the time of the last 0.2 V of the constant-current charge",
        needs: &[Need::Column("charge_cc_duration_end"), Need::Cycles(3)],
        compute: |c| with_column(c, "charge_cc_duration_end", slope),
    },
    EarlyDescriptor {
        name: "charge_cv_current_mean_end_median",
        unit: "A",
        doc: "Median over the cycles of the mean current between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the mean current between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_current_mean_end")],
        compute: |c| with_column(c, "charge_cv_current_mean_end", median),
    },
    EarlyDescriptor {
        name: "charge_cv_current_skewness_end_median",
        unit: "1",
        doc: "Median over the cycles of the skewness of the current between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the skewness of the current between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_current_skewness_end")],
        compute: |c| with_column(c, "charge_cv_current_skewness_end", median),
    },
    EarlyDescriptor {
        name: "charge_cv_current_skewness_end_slope",
        unit: "1/cycle",
        doc: "Least-squares slope over the cycles of the skewness of the current between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "least-squares slope over the cycles of the skewness of the current between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_current_skewness_end"), Need::Cycles(3)],
        compute: |c| with_column(c, "charge_cv_current_skewness_end", slope),
    },
    EarlyDescriptor {
        name: "charge_cv_current_entropy_end_median",
        unit: "1",
        doc: "Median over the cycles of the entropy of the current between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the entropy of the current between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_current_entropy_end")],
        compute: |c| with_column(c, "charge_cv_current_entropy_end", median),
    },
    EarlyDescriptor {
        name: "charge_cv_capacity_end_median",
        unit: "Ah",
        doc: "Median over the cycles of the charge between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the charge between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_capacity_end")],
        compute: |c| with_column(c, "charge_cv_capacity_end", median),
    },
    EarlyDescriptor {
        name: "charge_cv_capacity_end_slope",
        unit: "Ah/cycle",
        doc: "Least-squares slope over the cycles of the charge between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "least-squares slope over the cycles of the charge between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_capacity_end"), Need::Cycles(3)],
        compute: |c| with_column(c, "charge_cv_capacity_end", slope),
    },
    EarlyDescriptor {
        name: "charge_cv_duration_end_median",
        unit: "s",
        doc: "Median over the cycles of the time between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "median over the cycles of the time between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_duration_end")],
        compute: |c| with_column(c, "charge_cv_duration_end", median),
    },
    EarlyDescriptor {
        name: "charge_cv_duration_end_slope",
        unit: "s/cycle",
        doc: "Least-squares slope over the cycles of the time between two currents of the constant-voltage charge, as the source states it.",
        citation: "Wang2024",
        formula: "least-squares slope over the cycles of the time between two currents of the constant-voltage charge",
        needs: &[Need::Column("charge_cv_duration_end"), Need::Cycles(3)],
        compute: |c| with_column(c, "charge_cv_duration_end", slope),
    },
    EarlyDescriptor {
        name: "policy_first_c_rate",
        unit: "1/h",
        doc: "C-rate of the first step of the fast charge.",
        citation: "Severson2019",
        formula: "c-rate of the first step of the fast charge",
        needs: &[Need::Attribute("policy_first_c_rate")],
        compute: |c| attribute(c, "policy_first_c_rate"),
    },
    EarlyDescriptor {
        name: "policy_switch_soc",
        unit: "1",
        doc: "State of charge at which the fast charge changes its rate.",
        citation: "Severson2019",
        formula: "state of charge at which the fast charge changes its rate",
        needs: &[Need::Attribute("policy_switch_soc")],
        compute: |c| attribute(c, "policy_switch_soc"),
    },
    EarlyDescriptor {
        name: "policy_second_c_rate",
        unit: "1/h",
        doc: "C-rate of the second step of the fast charge.",
        citation: "Severson2019",
        formula: "c-rate of the second step of the fast charge",
        needs: &[Need::Attribute("policy_second_c_rate")],
        compute: |c| attribute(c, "policy_second_c_rate"),
    },
];

/// Computes a statistic of a column of the source's own table.
fn with_column(c: &EarlyCell, name: &'static str, statistic: fn(Series) -> Value) -> Value {
    let (cycle, value) = tabled(c, name);
    let rows = cycle.len();
    let (cycle, value): (Vec<f64>, Vec<f64>) =
        cycle.into_iter().zip(value).filter(|(_, v)| v.is_finite()).unzip();
    match (rows, value.len()) {
        (0, _) => Err(Missing::No(Need::Column(name))),
        (_, 0) => Err(Missing::NotFinite),
        _ => statistic(Series { cycle: &cycle, value: &value }),
    }
}

/// Returns the cycles of the window and the values of a column there; none where the source lacks it or it is a label.
fn tabled(c: &EarlyCell, name: &str) -> (Vec<f64>, Vec<f64>) {
    let (Some(table), Some(column)) = (&c.cell.table, column(c.cell, name)) else {
        return Default::default();
    };
    let rows = table.cycle_count.iter().zip(&column.values);
    rows.filter(|(cycle, _)| c.window.contains(**cycle)).map(|(cycle, v)| (f64::from(*cycle), *v)).unzip()
}

/// Returns a number that the source states of the cell.
pub(super) fn attribute(c: &EarlyCell, name: &'static str) -> Value {
    c.cell.facts.attributes.get(name).map(|a| a.value).ok_or(Missing::No(Need::Attribute(name)))
}
