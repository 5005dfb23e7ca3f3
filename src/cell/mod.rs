//! The cell: its identity, its chemistry, what it is doing, and in `health` what its numbers mean.

pub mod health;

use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of a cell as its source gives it (`B0005`); unique within a dataset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(String);

impl CellId {
    /// Returns the id `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Electrode and electrolyte family of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Chemistry {
    /// Graphite against lithium nickel manganese cobalt oxide, liquid electrolyte.
    Nmc,
    /// Graphite against lithium iron phosphate, liquid electrolyte.
    Lfp,
    /// Lithium metal, garnet electrolyte, NMC: a solid-state cell.
    LithiumGarnetNmc,
    /// Not stated by the source.
    #[default]
    Unknown,
}

/// What a record was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Current into the cell.
    Charge,
    /// Current out of the cell.
    Discharge,
    /// No current.
    Rest,
    /// Galvanostatic intermittent titration: pulses and rests.
    Gitt,
    /// Impedance spectrum.
    Impedance,
    /// Charge, discharge and rests of one cycle (or test) in one record, told apart by the current.
    Cycle,
}

impl Phase {
    /// Every phase, in the order of the enum.
    pub const ALL: [Self; 6] =
        [Self::Charge, Self::Discharge, Self::Rest, Self::Gitt, Self::Impedance, Self::Cycle];

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Discharge => "discharge",
            Self::Rest => "rest",
            Self::Gitt => "gitt",
            Self::Impedance => "impedance",
            Self::Cycle => "cycle",
        }
    }

    /// Returns the phase called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}
