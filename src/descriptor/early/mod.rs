//! Descriptors of a whole cell, made from a window of its first cycles: one catalogue row each.
//!
//! A row says what it needs, where it was published and how it is computed. A value that cannot be computed is
//! [`Missing`], with the reason, never 0. Names follow `<phase>_<signal>_<statistic>[_<window>]`.

mod curve;
mod cycle;
pub mod cycles;
pub mod matrix;
pub mod needs;
mod physical;
mod probe;
mod source;
mod statistic;

use std::fmt;
use std::str::FromStr;

pub use cycle::quantity::Quantity;
pub use cycle::trend::Series;
pub use cycles::{Cycle, EarlyCell, Half};

use serde::{Deserialize, Serialize};

use crate::dataset::Cell;

/// Cycles that descriptors may look at, both ends included, as the source counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First cycle.
    pub from: u32,
    /// Last cycle.
    pub to: u32,
}

/// What a descriptor is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Samples of charges.
    Charge,
    /// Charges that end at constant voltage.
    ConstantVoltage,
    /// Samples of discharges.
    Discharge,
    /// Capacity against voltage of discharges, from samples or ready-made.
    Curve,
    /// Capacity of discharges, from samples, curves or as the source states it.
    Capacity,
    /// Temperature of the cell.
    Temperature,
    /// Rests after a load.
    Rest,
    /// A titration.
    Gitt,
    /// Resistance by current pulses.
    Pulse,
    /// A step to a constant voltage and the current that decays after it.
    Chronoamperometry,
    /// Impedance spectra.
    Impedance,
    /// The tester's clock.
    Clock,
    /// Nominal capacity, stated or from usual charges.
    Nominal,
    /// At least so many cycles in the window.
    Cycles(u32),
    /// A column of the source's own table, one cycle a row.
    Column(&'static str),
    /// A number that the source states of the cell.
    Attribute(&'static str),
}

/// Why a value cannot be computed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// The cell has nothing of what is needed in the window.
    No(Need),
    /// There are fewer cycles than needed.
    FewCycles {
        /// Cycles that have what is needed.
        found: usize,
        /// Cycles needed.
        needed: usize,
    },
    /// The window lacks a cycle that the formula names.
    NoCycle(u32),
    /// The curve has no peak there.
    NoPeak,
    /// The curve is flat, or too short to say anything.
    Flat,
    /// The values are no finite numbers.
    NotFinite,
    /// The formula has no value here, in words.
    Undefined(&'static str),
}

/// Value of a descriptor, or why there is none.
pub type Value = Result<f64, Missing>;

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct EarlyDescriptor {
    /// Name, unique among all descriptors.
    pub name: &'static str,
    /// Unit, `1` for a ratio or a count.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Key in `docs/references.bib` of the publication that proposes it or defines its formula.
    pub citation: &'static str,
    /// Formula in words: the same for rows that differ in their window, level or number of a peak only.
    pub formula: &'static str,
    /// What it is computed from.
    pub needs: &'static [Need],
    /// Computes it.
    pub compute: fn(&EarlyCell) -> Value,
}

/// Every family with its rows, in the order of the catalogue.
pub const FAMILIES: &[(&str, &[EarlyDescriptor])] = &[
    ("capacity", cycle::capacity::DESCRIPTORS),
    ("energy", cycle::energy::DESCRIPTORS),
    ("efficiency", cycle::efficiency::DESCRIPTORS),
    ("voltage", cycle::voltage::DESCRIPTORS),
    ("charge", cycle::charge::DESCRIPTORS),
    ("thermal", cycle::thermal::DESCRIPTORS),
    ("history", cycle::history::DESCRIPTORS),
    ("source", source::columns::DESCRIPTORS),
    ("protocol settings", source::columns::SETTINGS),
    ("capacity difference", curve::capacity_difference::DESCRIPTORS),
    ("incremental capacity", curve::incremental_capacity::DESCRIPTORS),
    ("incremental capacity over cycles", curve::incremental_drift::DESCRIPTORS),
    ("differential voltage", curve::differential_voltage::DESCRIPTORS),
    ("voltage curve", curve::voltage_curve::DESCRIPTORS),
    ("relaxation", probe::relaxation::DESCRIPTORS),
    ("gitt", probe::gitt::DESCRIPTORS),
    ("chronoamperometry", probe::chronoamperometry::DESCRIPTORS),
    ("pulse", probe::pulse::DESCRIPTORS),
    ("impedance", probe::impedance::DESCRIPTORS),
    ("formation", source::formation::DESCRIPTORS),
    ("formation settings", source::formation::SETTINGS),
    ("diagnostic", source::diagnostic::DESCRIPTORS),
];

/// Returns the whole catalogue.
pub fn catalogue() -> impl Iterator<Item = &'static EarlyDescriptor> {
    FAMILIES.iter().flat_map(|(_, rows)| *rows)
}

/// Returns the descriptor called `name`.
pub fn find(name: &str) -> Option<&'static EarlyDescriptor> {
    catalogue().find(|d| d.name == name)
}

/// Returns the catalogue's descriptors whose names match `pattern`, where `*` stands for any text.
pub fn matching(pattern: &str) -> Vec<&'static EarlyDescriptor> {
    catalogue().filter(|d| super::matches(pattern, d.name)).collect()
}

/// Returns the family that `name` belongs to.
pub fn family(name: &str) -> Option<&'static str> {
    FAMILIES.iter().find(|(_, rows)| rows.iter().any(|d| d.name == name)).map(|(family, _)| *family)
}

/// Computes `descriptors` of a cell, in their order.
pub fn compute(cell: &Cell, window: Window, descriptors: &[&EarlyDescriptor]) -> Vec<Value> {
    let early = EarlyCell::new(cell, window);
    let finite = |v: f64| if v.is_finite() { Ok(v) } else { Err(Missing::NotFinite) };
    descriptors.iter().map(|d| (d.compute)(&early).and_then(finite)).collect()
}

impl Default for Window {
    /// The first hundred cycles, as Severson et al. 2019.
    fn default() -> Self {
        Self { from: 1, to: 100 }
    }
}

impl Window {
    /// Returns whether `cycle` lies in the window.
    pub fn contains(self, cycle: u32) -> bool {
        (self.from..=self.to).contains(&cycle)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

impl FromStr for Window {
    type Err = String;

    /// Reads `1..100`, both ends included.
    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let Some((from, to)) = ends else { return Err("give the first and the last cycle: `1..100`".into()) };
        let reversed = || Err(format!("it ends before it begins; did you mean `{to}..{from}`?"));
        if from > to { reversed() } else { Ok(Self { from, to }) }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Charge => "charge samples",
            Self::ConstantVoltage => "constant-voltage charge",
            Self::Discharge => "discharge samples",
            Self::Curve => "discharge curve",
            Self::Capacity => "discharge capacity",
            Self::Temperature => "temperature",
            Self::Rest => "rest after a load",
            Self::Gitt => "GITT record",
            Self::Pulse => "current pulse",
            Self::Chronoamperometry => "chronoamperometry step",
            Self::Impedance => "impedance spectrum",
            Self::Clock => "clock of the tester",
            Self::Nominal => "nominal capacity",
            Self::Cycles(n) => return write!(f, "{n} cycles"),
            Self::Column(name) => return write!(f, "column `{name}`"),
            Self::Attribute(name) => return write!(f, "attribute `{name}`"),
        };
        f.write_str(text)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(need) => write!(f, "no {need}"),
            Self::FewCycles { found, needed } => write!(f, "{found} of {needed} cycles"),
            Self::NoCycle(cycle) => write!(f, "no cycle {cycle}"),
            Self::NoPeak => f.write_str("no peak"),
            Self::Flat => f.write_str("flat curve"),
            Self::NotFinite => f.write_str("values are not finite"),
            Self::Undefined(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests;
