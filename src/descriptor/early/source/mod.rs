//! Families of numbers that the source of the data states: per cycle, or once for a cell.

pub(super) mod columns;
pub(super) mod diagnostic;
pub(super) mod formation;

use super::{EarlyCell, EarlyDescriptor, Missing, Need, Value};
