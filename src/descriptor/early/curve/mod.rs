//! Families made of capacity against voltage: what is lost at each voltage, and the curve's two derivatives.

pub(super) mod capacity_difference;
mod difference;
pub(super) mod differential_voltage;
pub(super) mod incremental_capacity;
pub(super) mod incremental_drift;
mod path;
mod peak_track;
mod shape;
pub(super) mod view;
pub(super) mod voltage_curve;

use super::{EarlyCell, EarlyDescriptor, Half, Missing, Need, Value};

#[cfg(test)]
mod tests_made;
#[cfg(test)]
mod tests_real;
