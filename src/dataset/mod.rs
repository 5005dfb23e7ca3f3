//! Canonical data: cells, their records and samples, whatever cycler they came from.
//!
//! Readers turn files into [`Cell`]s; `store` keeps a dataset as Parquet beside a manifest; `quality` says what is
//! wrong with it; `leakage` says which inputs give the answer away. Positive current charges the cell. A missing
//! value is `None` or NaN here and null on disk, never 0.

pub mod clean;
pub mod described;
pub mod fetch;
pub mod import;
pub mod leakage;
pub mod pairing;
pub mod quality;
pub mod reader;
pub mod rows;
pub mod store;
pub mod summary;
pub mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::{CellId, Chemistry, Phase};

/// One cell with everything that was recorded of it, in the order of the test.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Name, unique in the dataset.
    pub id: CellId,
    /// What the source says of the cell.
    pub facts: CellFacts,
    /// Records in the order of the test; may be empty for a table of ready-made inputs.
    pub records: Vec<Record>,
    /// Ready-made inputs, one cycle a row; beside records, what the source sums up of each cycle; `None` without either.
    pub table: Option<CycleTable>,
}

impl Cell {
    /// Returns whether the cell is a table of ready-made inputs and nothing else; a table may also stand beside records.
    pub fn is_table(&self) -> bool {
        self.table.is_some() && self.records.is_empty()
    }
}

/// What the source says of a cell, or the person who imported it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CellFacts {
    /// Electrodes and electrolyte.
    #[serde(default)]
    pub chemistry: Chemistry,
    /// Nominal capacity [Ah].
    pub nominal_capacity_ah: Option<f64>,
    /// SoH at the end of life [1], 0-1 (NASA PCoE: 0.7).
    pub eol_soh: Option<f64>,
    /// Lower cut-off of the discharge [V].
    pub discharge_cutoff_volt: Option<f64>,
    /// Upper cut-off of the charge [V].
    pub charge_cutoff_volt: Option<f64>,
    /// Whether a simulator made the cell; shown wherever the cell is named or drawn.
    #[serde(default)]
    pub synthetic: bool,
    /// Cycle life that the source states [cycles]: a label, never an input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle_life: Option<f64>,
    /// What must not stand on both sides of a split, beyond the cell: its protocol, its batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Fold of the cell, from 0, in each repetition of a cross-validation that the source fixes; empty where it fixes none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<u32>,
    /// Numbers that the source states of the whole cell: settings of its protocol, results of its formation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// Anything else, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

/// A number that a source states of a whole cell, known before its cycling begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// Value; never NaN: what is missing has no attribute.
    pub value: f64,
    /// Unit, `1` for a ratio or a count.
    pub unit: String,
}

/// One record of a test: a charge, a discharge, a spectrum, ...
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Position in the cell's file, from 0; the name of the record in every report.
    pub index: u32,
    /// Cycle that the source counts for it, if it does.
    pub cycle_count: Option<u32>,
    /// What it was made for.
    pub phase: Phase,
    /// Begin of the record as seconds since 1970-01-01, the tester's clock.
    pub unix_time_second: Option<f64>,
    /// Ambient (chamber) temperature [degrees Celsius].
    pub ambient_temperature_celsius: Option<f64>,
    /// Discharge capacity that the source states [Ah].
    pub stated_capacity_ah: Option<f64>,
    /// Electrolyte resistance that the source states for a spectrum [ohm].
    pub electrolyte_resistance_ohm: Option<f64>,
    /// Charge-transfer resistance that the source states for a spectrum [ohm].
    pub charge_transfer_resistance_ohm: Option<f64>,
    /// Time series.
    pub samples: Samples,
    /// Impedance spectrum; `None` but for [`Phase::Impedance`].
    pub spectrum: Option<Spectrum>,
    /// Capacity against voltage where the source gives that curve instead of samples; `None` otherwise.
    pub curve: Option<Curve>,
    /// What the reader could not read and left empty, for the quality report (`capacity: "[]" is no number`).
    pub reader_notes: Vec<String>,
}

impl Record {
    /// Returns an empty record `index` of `phase`.
    pub fn new(index: u32, phase: Phase) -> Self {
        Self {
            index,
            cycle_count: None,
            phase,
            unix_time_second: None,
            ambient_temperature_celsius: None,
            stated_capacity_ah: None,
            electrolyte_resistance_ohm: None,
            charge_transfer_resistance_ohm: None,
            samples: Samples::default(),
            spectrum: None,
            curve: None,
            reader_notes: Vec::new(),
        }
    }
}

/// Time series of one record; the vectors are equally long, a missing value is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    /// Time since the begin of the record [s].
    pub time_second: Vec<f64>,
    /// Terminal voltage [V].
    pub voltage_volt: Vec<f64>,
    /// Current [A], positive when it charges the cell.
    pub current_ampere: Vec<f64>,
    /// Surface temperature of the cell [degrees Celsius].
    pub temperature_celsius: Vec<f64>,
}

impl Samples {
    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.time_second.len()
    }

    /// Returns whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.time_second.is_empty()
    }
}

/// Impedance spectrum; the vectors are equally long, a missing value is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spectrum {
    /// Frequency [Hz]; NaN where the source does not state it (NASA).
    pub frequency_hertz: Vec<f64>,
    /// Real part [ohm].
    pub real_ohm: Vec<f64>,
    /// Imaginary part [ohm]; negative where the cell is capacitive.
    pub imaginary_ohm: Vec<f64>,
}

/// Capacity against voltage of a charge or discharge; the vectors are equally long, a missing value is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Terminal voltage [V], in the order of the record: falling in a discharge.
    pub voltage_volt: Vec<f64>,
    /// Charge passed since the begin of the record [Ah], 0 or more and rising whichever way it flows.
    pub capacity_ah: Vec<f64>,
}

/// Ready-made inputs of a cell, one cycle a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CycleTable {
    /// Cycle of each row, ascending.
    pub cycle_count: Vec<u32>,
    /// Columns; `values.len()` equals the number of rows, a missing value is NaN.
    pub columns: Vec<CycleColumn>,
}

/// One column of ready-made inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleColumn {
    /// Descriptor name (`charge_cv_duration`).
    pub name: String,
    /// Unit, `1` for a ratio.
    pub unit: String,
    /// Whether the column is a label and so never an input.
    pub label: bool,
    /// One value a row.
    pub values: Vec<f64>,
}
