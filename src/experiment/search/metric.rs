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
pub const CATALOGUE: [TrialMetric; 8] = [
    metric("rmse", "Ah", Direction::Min, "root mean square error of the capacity"),
    metric("mse", "SoH^2", Direction::Min, "mean squared error of the SoH"),
    metric("mae", "Ah", Direction::Min, "mean absolute error of the capacity"),
    metric("mape", "1", Direction::Min, "mean absolute error as a fraction of the capacity"),
    metric("r2", "1", Direction::Max, "coefficient of determination"),
    metric("max_error", "Ah", Direction::Min, "largest absolute error of the capacity"),
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

/// Returns the metric of a name.
pub fn find(name: &str) -> Option<&'static TrialMetric> {
    CATALOGUE.iter().find(|m| m.name == name)
}
