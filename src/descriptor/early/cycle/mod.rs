//! Families made of quantities that each cycle has one of: their levels, trends and scatter over the cycles.

pub(super) mod capacity;
pub(super) mod charge;
pub(super) mod efficiency;
pub(super) mod energy;
mod flow;
pub(super) mod history;
mod measure;
pub(super) mod quantity;
pub(super) mod series;
pub(super) mod statistic;
pub(super) mod thermal;
pub(super) mod voltage;

use super::{Cycle, EarlyCell, EarlyDescriptor, Half, Missing, Need, Value};
