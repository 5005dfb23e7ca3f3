//! Families made of what a cell does when it is probed: rests, titrations, holds, pulses, impedance spectra.

mod aggregate;
pub(super) mod chronoamperometry;
pub(super) mod gitt;
pub(super) mod impedance;
pub(super) mod probes;
pub(super) mod pulse;
pub(super) mod relaxation;
mod rest;
mod spectrum;
mod switch;
mod titration;
mod trace;

use super::{Cycle, EarlyCell, EarlyDescriptor, Missing, Need, Value};

#[cfg(test)]
mod tests;
