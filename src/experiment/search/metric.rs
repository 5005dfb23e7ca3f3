//! Metrics that a search can go by, with their units and usual directions.

use crate::tuner::Direction;

/// A metric of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialMetric {
    /// Name in `tuner.objective`.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// One sentence.
    pub doc: &'static str,
}

/// Number of weights of one network.
pub const PARAMETERS: &str = "parameters";

/// Time of one prediction, measured: the only metric that is not the same when a trial is repeated.
pub const LATENCY: &str = "latency_us";

/// All metrics, in the order in which they are listed to people.
pub const CATALOGUE: [TrialMetric; 15] = [
    metric("rmse", "Ah", Direction::Min, "root mean square error of the capacity, or of the life [cycles]"),
    metric("mse", "SoH^2", Direction::Min, "mean squared error of the SoH, or of the logarithm of the life"),
    metric("mae", "Ah", Direction::Min, "mean absolute error of the capacity, or of the life [cycles]"),
    metric("mape", "1", Direction::Min, "mean absolute error as a fraction of the capacity, or of the life"),
    metric("r2", "1", Direction::Max, "coefficient of determination"),
    metric(
        "max_error",
        "Ah",
        Direction::Min,
        "largest absolute error of the capacity, or of the life [cycles]",
    ),
    metric("log_loss", "1", Direction::Min, "mean negative logarithm of the probability of the true tier"),
    metric("brier", "1", Direction::Min, "mean squared distance of the tiers' probabilities from the truth"),
    metric("accuracy", "1", Direction::Max, "share of cells whose tier is right"),
    metric("balanced_accuracy", "1", Direction::Max, "mean over the tiers of the share that is right"),
    metric("macro_f1", "1", Direction::Max, "mean over the tiers of F1"),
    metric("auc", "1", Direction::Max, "area under the ROC curve, mean over the tiers against the rest"),
    metric("calibration_error", "1", Direction::Min, "mean distance of what is said from what comes true"),
    metric(PARAMETERS, "1", Direction::Min, "number of weights of one network"),
    metric(
        LATENCY,
        "us",
        Direction::Min,
        "median time of one prediction of one network, measured on this machine",
    ),
];

const fn metric(
    name: &'static str,
    unit: &'static str,
    direction: Direction,
    doc: &'static str,
) -> TrialMetric {
    TrialMetric { name, unit, direction, doc }
}

/// Returns the unit of a metric, empty for a ratio; of whole cells (`is_early`) lives are asked for, not capacities.
pub fn unit(name: &str, is_early: bool) -> &'static str {
    match find(name).map_or("", |m| m.unit) {
        "Ah" if is_early => "cycles",
        "SoH^2" if is_early => "",
        "1" => "",
        unit => unit,
    }
}

/// Returns the metric of a name.
pub fn find(name: &str) -> Option<&'static TrialMetric> {
    CATALOGUE.iter().find(|m| m.name == name)
}
