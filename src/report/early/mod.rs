//! Tables and pictures of models of lives and tiers, and of the reasons for what they say.

mod bars;
mod cells;
mod importance;
mod life;
pub mod table;
#[cfg(test)]
mod tests;
mod tier;

use super::{Figure, number};
use crate::experiment::{Outcome, Reasons};

pub use importance::comparison;

/// Metrics of tiers in the order of their columns, and what they are called.
const OF_TIERS: [(&str, &str); 6] = [
    ("accuracy", "accuracy"),
    ("macro_f1", "macro F1"),
    ("log_loss", "log-loss"),
    ("brier", "Brier"),
    ("auc", "AUC"),
    ("calibration_error", "ECE"),
];

/// Metrics of lives in the order of their columns, and what they are called.
const OF_LIVES: [(&str, &str); 4] =
    [("rmse", "RMSE [cycles]"), ("mae", "MAE [cycles]"), ("mape", "MAPE"), ("r2", "R²")];

/// Figures from here on, of models that went astray, are powers of ten.
const HUGE: f64 = 1e6;

/// Draws everything that a run of lives or tiers has to show, each picture with the stem of its file.
pub fn figures(outcome: &Outcome, reasons: &Reasons) -> Vec<(&'static str, Figure)> {
    let tiers = outcome.tiers.as_ref();
    let drawn = [
        ("confusion", tiers.map(|tiers| tier::confusion(outcome, tiers))),
        ("reliability", tiers.map(|tiers| tier::reliability(outcome, tiers))),
        ("lives", life::scatter(outcome, reasons)),
        ("inputs", importance::inputs(reasons)),
        ("families", importance::families(reasons)),
        ("permutation", importance::growth(reasons)),
        ("cells", cells::cells(reasons)),
    ];
    drawn.into_iter().filter_map(|(stem, figure)| Some((stem, figure?))).collect()
}

/// Returns the title of a figure, which says so where a simulator made the cells.
fn title(synthetic: bool, task: &str, what: &str) -> String {
    format!("{task}{}: {what}", if synthetic { " (synthetic cells)" } else { "" })
}

/// Returns a value of a metric: shares with three decimals, cycles with as many as their size asks for, MAPE in percent.
fn reading(metric: &str, value: f64) -> String {
    beside(metric, value, value)
}

/// Returns a value of a metric with as many decimals as one of another size has.
fn beside(metric: &str, value: f64, size: f64) -> String {
    match metric {
        "mape" if value.abs() >= HUGE => format!("{} %", number::digits(100.0 * value, 3)),
        _ if value.abs() >= HUGE => number::digits(value, 3),
        "mape" => format!("{:.1} %", 100.0 * value),
        "rmse" | "mae" | "max_error" => {
            let decimals = if size.abs() >= 100.0 {
                1
            } else if size.abs() >= 10.0 {
                2
            } else {
                3
            };
            format!("{value:.decimals$}")
        }
        _ => share(value),
    }
}

/// Returns mean and spread of a metric: `231.0 ± 10.7`.
fn spread(metric: &str, mean: f64, sd: Option<f64>) -> String {
    let sd = sd.map_or_else(String::new, |sd| format!(" ± {}", beside(metric, sd, mean)));
    format!("{}{sd}", reading(metric, mean))
}

/// Returns a growth of a loss with its sign.
fn grown(metric: &str, value: f64) -> String {
    format!("{}{}", if value < 0.0 { "−" } else { "+" }, reading(metric, value.abs()))
}

/// Returns a number with three decimals and without a zero before the point.
fn share(value: f64) -> String {
    let text = format!("{value:.3}");
    match (text.strip_prefix("0."), text.strip_prefix("-0.")) {
        (Some(rest), _) => format!(".{rest}"),
        (_, Some(rest)) => format!("−.{rest}"),
        _ => text,
    }
}

/// Returns a weight of an input in its unit; logarithms of lives are small numbers.
fn weight(unit: &str, value: f64) -> String {
    let decimals = if unit == "log10 cycles" { 4 } else { 3 };
    format!("{value:.decimals$}")
}

/// Returns a number with its sign and three significant digits.
fn signed(value: f64) -> String {
    let text = number::digits(value.abs(), 3);
    format!("{}{text}", if value < 0.0 { "−" } else { "+" })
}

/// Returns a value of an input with its unit.
fn with_unit(value: f64, unit: &str) -> String {
    let text = number::trimmed(&number::digits(value, 3));
    match unit {
        "1" => text,
        "degrees Celsius" => format!("{text} °C"),
        _ => format!("{text} {unit}"),
    }
}

/// Returns a number of cells, which may be a mean over repetitions.
fn count(value: f64) -> String {
    number::trimmed(&format!("{value:.1}"))
}

/// Returns a name for people.
fn plain(name: &str) -> String {
    name.replace('_', " ")
}
