//! Tables and pictures of models of lives and tiers, and of the reasons for what they say.

pub mod table;

use super::number;

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

/// Returns a value of a metric: shares with three decimals, cycles with as many as their size asks for, MAPE in percent.
fn reading(metric: &str, value: f64) -> String {
    match metric {
        "mape" => format!("{:.1} %", 100.0 * value),
        "rmse" | "mae" | "max_error" => cycles(value),
        _ => share(value),
    }
}

/// Returns a number of cycles: `138.2`, `13.82`, `1.382`.
fn cycles(value: f64) -> String {
    let decimals = if value.abs() >= 100.0 { 1 } else if value.abs() >= 10.0 { 2 } else { 3 };
    format!("{value:.decimals$}")
}

/// Returns a number with three decimals and without a zero before the point.
fn share(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.strip_prefix("0.") {
        Some(rest) => format!(".{rest}"),
        None => text,
    }
}

/// Returns a number with its sign and three significant digits.
fn signed(value: f64) -> String {
    let text = number::digits(value.abs(), 3);
    format!("{}{text}", if value < 0.0 { "−" } else { "+" })
}

/// Returns a value of an input with its unit.
fn with_unit(value: f64, unit: &str) -> String {
    let text = number::trimmed(&number::digits(value, 3));
    if unit == "1" { text } else { format!("{text} {unit}") }
}

/// Returns a number of cells, which may be a mean over repetitions.
fn count(value: f64) -> String {
    number::trimmed(&format!("{value:.1}"))
}

/// Returns a name for people.
fn plain(name: &str) -> String {
    name.replace('_', " ")
}
