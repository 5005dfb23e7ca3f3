//! The frame: one row a discharge (or a ready-made row), its label, its inputs and the stress of its physics.

use serde::{Deserialize, Serialize};

pub use super::given::given_doc;
use super::given::{
    GIVEN, GIVEN_FADE_RATE, GIVEN_PROGRESS, GIVEN_PROGRESS_SQUARE, PROGRESS_POWER, early_fade,
};
use crate::cell::{CellId, health};
use crate::dataset::Cell;
use crate::dataset::leakage::Source;
use crate::dataset::pairing::net_charge_ah;
use crate::descriptor::{self, CellContext, Descriptor};

/// One capacity to explain or to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Position in [`Frame::cells`].
    pub cell_idx: usize,
    /// Cycle that the source counts, else the number of the discharge in its cell, from 1.
    pub cycle: u32,
    /// What is asked for: capacity [Ah], or cycle life [cycles]; NaN where the source states none.
    pub truth: f64,
    /// What models learn of it: capacity over the cell's reference [1], or what [`Quantity`] says; NaN where unknown.
    pub label: f64,
    /// Why the row is predicted but neither learnt from nor scored; `None` for a usable one.
    pub set_aside: Option<String>,
}

/// A cell of the frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameCell {
    /// Name.
    pub id: CellId,
    /// Capacity that counts as SoH 1 [Ah].
    pub reference_ah: f64,
    /// SoH at the end of life, relative to the nominal capacity, if the source states it.
    pub eol_ah: Option<f64>,
    /// Whether a simulator made it.
    pub synthetic: bool,
    /// What must not stand on both sides of a split of cells: its protocol, or else the cell itself.
    pub group: String,
    /// Fold of the cell in each repetition of the source's own cross-validation; empty where there is none.
    pub folds: Vec<u32>,
}

impl FrameCell {
    /// Returns what a frame keeps of `cell`, whose SoH 1 is `reference_ah`.
    pub fn new(cell: &Cell, reference_ah: f64) -> Self {
        let facts = &cell.facts;
        Self {
            id: cell.id.clone(),
            reference_ah,
            eol_ah: facts.eol_soh.zip(facts.nominal_capacity_ah).map(|(soh, nominal)| soh * nominal),
            synthetic: facts.synthetic,
            group: facts.group.clone().unwrap_or_else(|| cell.id.to_string()),
            folds: facts.folds.clone(),
        }
    }
}

/// One column of the frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Descriptor name.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// Where the values come from.
    pub source: Source,
    /// One value a row; NaN where missing.
    pub values: Vec<f64>,
}

/// All rows of an experiment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// Cells in the order of the dataset.
    pub cells: Vec<FrameCell>,
    /// Rows, cell after cell, each in the order of its test.
    pub rows: Vec<Row>,
    /// Inputs of the models.
    pub inputs: Vec<Column>,
    /// Stress columns that physics laws may ask for.
    pub stress: Vec<Column>,
    /// What tiers are made of, where there is more than the rows' own truth; one value a row.
    pub targets: Vec<Column>,
    /// What the labels are.
    pub quantity: Quantity,
}

/// What the labels of a frame are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// Capacity over the reference of its cell [1]; asked for is the capacity [Ah].
    #[default]
    Soh,
    /// Cycle life [cycles], one row a cell.
    Life,
    /// Logarithm to base 10 of the cycle life [cycles], one row a cell.
    LogLife,
}

/// What counts as SoH 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The nominal capacity that the source states.
    #[default]
    Nominal,
    /// The median capacity of the last five of the cell's given discharges.
    Given,
}

/// What a frame is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameConfig<'a> {
    /// Descriptor names, with `*` for any text.
    pub inputs: &'a [String],
    /// Names of the stress columns.
    pub stress: &'a [&'static str],
    /// What counts as SoH 1.
    pub reference: Reference,
    /// Discharges at the begin of each cell that are given; 0 where the task gives none.
    pub given: usize,
}

/// Why no frame could be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Occurs when no descriptor has the name.
    #[error("no descriptor matches `{pattern}`{hint}")]
    UnknownDescriptor {
        /// Name or pattern of the experiment.
        pattern: String,
        /// Nearest name.
        hint: String,
    },
    /// Occurs when a cell has no discharge with a capacity.
    #[error("cell `{cell}` has {found} discharges with a capacity, the task needs {needed}")]
    TooFewDischarges {
        /// The cell.
        cell: CellId,
        /// Discharges that it has.
        found: usize,
        /// Discharges that it must have.
        needed: usize,
    },
    /// Occurs when a cell's nominal capacity is unknown.
    #[error("cell `{cell}` has no nominal capacity; state it at the import (--nominal-capacity-ah)")]
    NoNominal {
        /// The cell.
        cell: CellId,
    },
    /// Occurs when an input that is asked for by name cannot be computed for any cell.
    #[error("`{name}` can be computed for no cell: {reason}")]
    NothingComputed {
        /// Name of the input.
        name: String,
        /// Why, for the first cell.
        reason: String,
    },
    /// Occurs when nothing gives the target that an experiment learns.
    #[error(
        "no cell has the target `{target}`; targets are `cycle_life`, attributes of the source, whole-cell descriptors"
    )]
    NoTarget {
        /// Name of the target.
        target: String,
    },
}

impl Frame {
    /// Makes the frame of `cells`.
    ///
    /// # Errors
    /// Every variant of [`FrameError`].
    pub fn new(cells: &[Cell], config: &FrameConfig) -> Result<Self, FrameError> {
        Self::made(cells, config, true)
    }

    /// Makes the frame of `cells` to predict and not to learn from: a cell needs no capacity beyond those that are given,
    /// and where its SoH 1 is unknown, that is NaN.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn unlabelled(cells: &[Cell], config: &FrameConfig) -> Result<Self, FrameError> {
        Self::made(cells, config, false)
    }

    fn made(cells: &[Cell], config: &FrameConfig, is_lesson: bool) -> Result<Self, FrameError> {
        let is_table = cells.first().is_some_and(Cell::is_table);
        let mut frame = Self {
            inputs: if is_table { table_columns(&cells[0], config)? } else { descriptor_columns(config)? },
            stress: config.stress.iter().filter_map(|n| stress_column(n)).collect(),
            ..Self::default()
        };
        for cell in cells {
            frame.push_cell(cell, config, is_lesson)?;
        }
        Ok(frame)
    }

    /// Returns the rows of a cell, in their order.
    pub fn rows_of(&self, cell_idx: usize) -> Vec<usize> {
        (0..self.rows.len()).filter(|&row| self.rows[row].cell_idx == cell_idx).collect()
    }

    /// Returns whether each cell is one row, as in early prediction.
    pub fn is_one_row_a_cell(&self) -> bool {
        self.quantity != Quantity::Soh
    }

    /// Returns whether a row can be learnt from and scored.
    pub fn is_usable(&self, row: usize) -> bool {
        self.rows[row].set_aside.is_none() && self.rows[row].label.is_finite()
    }

    /// Returns the value in the unit that is asked for of a label that a model gave for `row`.
    pub fn physical(&self, row: usize, label: f64) -> f64 {
        match self.quantity {
            Quantity::Soh => label * self.cells[self.rows[row].cell_idx].reference_ah,
            Quantity::Life => label,
            Quantity::LogLife => 10.0_f64.powf(label),
        }
    }

    /// Returns the unit of what is asked for.
    pub fn unit(&self) -> &str {
        self.targets.first().map_or("Ah", |target| target.unit.as_str())
    }

    /// Returns the stress of a law's inputs for some rows, `[row][input]`; NaN where missing.
    pub fn stress_of(&self, names: &[&str], rows: &[usize]) -> Vec<Vec<f64>> {
        let columns: Vec<_> = names.iter().map(|n| self.stress.iter().find(|c| c.name == *n)).collect();
        let value = |c: Option<&Column>, row: usize| c.map_or(f64::NAN, |c| c.values[row]);
        rows.iter().map(|&row| columns.iter().map(|c| value(*c, row)).collect()).collect()
    }

    fn push_cell(&mut self, cell: &Cell, config: &FrameConfig, is_lesson: bool) -> Result<(), FrameError> {
        let from = self.rows.len();
        let cell_idx = self.cells.len();
        if cell.is_table() {
            self.push_table(cell, cell_idx);
        } else {
            self.push_discharges(cell, cell_idx);
        }
        let usable: Vec<f64> =
            (from..self.rows.len()).map(|r| self.rows[r].truth).filter(|c| c.is_finite()).collect();
        let needed = if is_lesson { config.given.max(1) + 1 } else { config.given };
        if usable.len() < needed {
            return Err(FrameError::TooFewDischarges { cell: cell.id.clone(), found: usable.len(), needed });
        }
        let given = &usable[..config.given.max(1).min(usable.len())];
        let nominal = cell.facts.nominal_capacity_ah;
        let reference_ah = match config.reference {
            Reference::Given => median(&given[given.len().saturating_sub(LEVEL_DISCHARGES)..]),
            Reference::Nominal if is_lesson => {
                nominal.ok_or_else(|| FrameError::NoNominal { cell: cell.id.clone() })?
            }
            Reference::Nominal => nominal.unwrap_or(f64::NAN),
        };
        for row in &mut self.rows[from..] {
            row.label = health::soh(row.truth, reference_ah);
        }
        self.fill_given(from, given);
        self.cells.push(FrameCell::new(cell, reference_ah));
        Ok(())
    }

    fn push_discharges(&mut self, cell: &Cell, cell_idx: usize) {
        let context = CellContext::new(cell);
        for row in 0..context.discharges.len() {
            let record = context.discharge(row);
            let pairing = &context.discharges[row].pairing;
            let integrated = || net_charge_ah(&record.samples).map(|q| -q);
            let truth = record.stated_capacity_ah.or_else(integrated).unwrap_or(f64::NAN);
            let set_aside = pairing.charge_unusable.map(|d| format!("unusable charge: {d}"));
            let cycle = record.cycle_count.unwrap_or(pairing.ordinal);
            self.rows.push(Row { cell_idx, cycle, truth, label: f64::NAN, set_aside });
        }
        let from = self.rows.len() - context.discharges.len();
        for column in self.inputs.iter_mut().chain(&mut self.stress) {
            let compute = descriptor::find(&column.name).map(|d| d.compute);
            let value = |row| compute.and_then(|f| f(&context, row)).filter(|v: &f64| v.is_finite());
            column.values.extend((0..context.discharges.len()).map(|r| value(r).unwrap_or(f64::NAN)));
            debug_assert_eq!(column.values.len(), from + context.discharges.len(), "one value a row");
        }
    }

    fn push_table(&mut self, cell: &Cell, cell_idx: usize) {
        let Some(table) = &cell.table else { return };
        let label = table.columns.iter().find(|c| c.label);
        for (row, &cycle) in table.cycle_count.iter().enumerate() {
            let truth = label.map_or(f64::NAN, |c| c.values[row]);
            self.rows.push(Row { cell_idx, cycle, truth, label: f64::NAN, set_aside: None });
        }
        for column in &mut self.inputs {
            let found = table.columns.iter().find(|c| c.name == column.name);
            let missing = || vec![f64::NAN; table.cycle_count.len()];
            column.values.extend(found.map_or_else(missing, |c| c.values.clone()));
        }
        for column in &mut self.stress {
            let counted = column.name == "history_discharge_count" || column.name == "history_cycle_count";
            let value = |cycle: &u32| if counted { f64::from(*cycle) } else { f64::NAN };
            column.values.extend(table.cycle_count.iter().map(value));
        }
    }

    /// Fills the columns that describe the given begin of a cell.
    fn fill_given(&mut self, from: usize, given_ah: &[f64]) {
        let rate = early_fade(given_ah);
        let n_rows = self.rows.len() - from;
        for column in self.inputs.iter_mut().chain(&mut self.stress) {
            let value: &dyn Fn(usize) -> f64 = match column.name.as_str() {
                GIVEN_FADE_RATE => &|_| rate,
                GIVEN_PROGRESS => &|count| rate.powf(PROGRESS_POWER) * count as f64 / 100.0,
                GIVEN_PROGRESS_SQUARE => &|count| (rate.powf(PROGRESS_POWER) * count as f64 / 100.0).powi(2),
                _ => continue,
            };
            column.values.truncate(from);
            column.values.extend((0..n_rows).map(value));
        }
    }
}

/// Given discharges whose median is the level that counts as SoH 1: enough to outvote one after a rest.
const LEVEL_DISCHARGES: usize = 5;

fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    0.5 * (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2])
}

fn descriptor_columns(config: &FrameConfig) -> Result<Vec<Column>, FrameError> {
    let mut columns: Vec<Column> = Vec::new();
    for pattern in config.inputs {
        let mut found: Vec<Column> = descriptor::matching(pattern).into_iter().map(empty_column).collect();
        if config.given > 0 {
            let named = GIVEN.into_iter().filter(|(name, _)| descriptor::matches(pattern, name));
            found.extend(named.map(|(name, unit)| column(name, unit, Source::PastLabel)));
        }
        if found.is_empty() {
            return Err(unknown(pattern, descriptor::catalogue().map(|d| d.name)));
        }
        found.retain(|c| columns.iter().all(|known| known.name != c.name));
        columns.append(&mut found);
    }
    Ok(columns)
}

fn table_columns(cell: &Cell, config: &FrameConfig) -> Result<Vec<Column>, FrameError> {
    let table = cell.table.as_ref().map_or(&[][..], |t| &t.columns);
    let mut columns: Vec<Column> = Vec::new();
    for pattern in config.inputs {
        let found = table.iter().filter(|c| !c.label && descriptor::matches(pattern, &c.name));
        let before = columns.len();
        columns.extend(found.map(|c| column(&c.name, &c.unit, Source::SameCycle)));
        if columns.len() == before {
            return Err(unknown(pattern, table.iter().map(|c| c.name.as_str())));
        }
    }
    Ok(columns)
}

pub(super) fn unknown<'a>(pattern: &str, names: impl Iterator<Item = &'a str>) -> FrameError {
    FrameError::UnknownDescriptor { pattern: pattern.into(), hint: descriptor::did_you_mean(pattern, names) }
}

fn stress_column(name: &str) -> Option<Column> {
    let given = GIVEN.iter().find(|(known, _)| *known == name);
    let given = given.map(|(name, unit)| column(name, unit, Source::PastLabel));
    given.or_else(|| descriptor::find(name).map(empty_column))
}

fn empty_column(d: &'static Descriptor) -> Column {
    column(d.name, d.unit, d.source)
}

pub(super) fn column(name: &str, unit: &str, source: Source) -> Column {
    Column { name: name.into(), unit: unit.into(), source, values: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Phase;
    use crate::dataset::{CellFacts, Record, Samples};

    fn cell(name: &str, capacities: &[f64]) -> Cell {
        let mut records = Vec::new();
        for (cycle, &capacity) in capacities.iter().enumerate() {
            let mut charge = Record::new(2 * cycle as u32, Phase::Charge);
            charge.unix_time_second = Some(cycle as f64 * 20_000.0);
            charge.samples = Samples {
                time_second: (0..20).map(|i| f64::from(i) * 360.0).collect(),
                voltage_volt: (0..20).map(|i| 3.6 + 0.03 * f64::from(i)).collect(),
                current_ampere: vec![capacity / 1.9; 20],
                temperature_celsius: vec![25.0; 20],
            };
            let mut discharge = Record::new(2 * cycle as u32 + 1, Phase::Discharge);
            discharge.stated_capacity_ah = Some(capacity);
            records.extend([charge, discharge]);
        }
        let facts = CellFacts { nominal_capacity_ah: Some(2.0), eol_soh: Some(0.7), ..CellFacts::default() };
        Cell { id: CellId::new(name), facts, records, table: None }
    }

    fn config(inputs: &[String], given: usize, reference: Reference) -> FrameConfig<'_> {
        FrameConfig { inputs, stress: &["history_discharge_count"], reference, given }
    }

    #[test]
    fn rows_follow_the_discharges_and_the_reference_is_as_asked() {
        let inputs = ["charge_throughput".to_string(), "given_*".to_string()];
        let cells = [cell("A", &[2.0, 1.9, 1.8]), cell("B", &[1.9, 1.8, 1.6])];
        let frame = Frame::new(&cells, &config(&inputs, 2, Reference::Given)).unwrap();
        assert_eq!(frame.rows.len(), 6);
        assert!((frame.rows[0].label - 2.0 / 1.95).abs() < 1e-12, "two given: their median is their mean");
        assert_eq!(frame.stress[0].values, [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
        let rate = &frame.inputs.iter().find(|c| c.name == "given_fade_rate").unwrap().values;
        assert!((rate[0] - 10.0 / 1.95).abs() < 1e-9 && rate[0] == rate[2] && rate[3] != rate[0], "{rate:?}");
        assert!((frame.inputs[0].values[1] - 1.9).abs() < 1e-9, "{:?}", frame.inputs[0].values);
    }

    #[test]
    fn a_wrong_name_names_the_nearest_and_a_short_cell_is_refused() {
        let inputs = ["charge_throughputt".to_string()];
        let cells = [cell("A", &[2.0, 1.9, 1.8])];
        let error = Frame::new(&cells, &config(&inputs, 0, Reference::Nominal)).unwrap_err();
        assert!(error.to_string().contains("did you mean `charge_throughput`?"), "{error}");
        let inputs = ["charge_throughput".to_string()];
        let error = Frame::new(&[cell("A", &[2.0])], &config(&inputs, 0, Reference::Nominal)).unwrap_err();
        assert!(matches!(error, FrameError::TooFewDischarges { found: 1, .. }));
    }
}
