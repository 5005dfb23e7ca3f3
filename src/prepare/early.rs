//! The frame of early prediction: one row a cell, its inputs from a window of its first cycles, its life as the truth.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::frame::{Column, Frame, FrameCell, FrameError, Quantity, Row, column, unknown};
use crate::cell::health;
use crate::dataset::leakage::Source;
use crate::dataset::{Cell, pairing};
use crate::descriptor::early::{self, EarlyDescriptor, Missing, Need, Value, Window};

/// Name of the target that every cell with an observed end of life has.
pub const CYCLE_LIFE: &str = "cycle_life";

/// Window of targets that are descriptors: the whole life.
const WHOLE_LIFE: Window = Window { from: 0, to: u32::MAX };

/// What an early frame is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyConfig<'a> {
    /// Names of whole-cell descriptors and of attributes that the source states, with `*` for any text.
    pub inputs: &'a [String],
    /// Names of the stress columns.
    pub stress: &'a [&'static str],
    /// Cycles that the inputs may see.
    pub window: Window,
    /// What is asked for: [`CYCLE_LIFE`], attributes, or whole-cell descriptors over the whole life.
    pub targets: &'a [String],
    /// Whether the label is the logarithm of the first target.
    pub log: bool,
}

/// One input: a descriptor that is computed, or a number that the source states.
#[derive(Debug, Clone)]
enum Input {
    Computed(&'static EarlyDescriptor),
    Stated(String),
}

impl Frame {
    /// Makes the frame of `cells`, one row each.
    ///
    /// # Errors
    /// [`FrameError::UnknownDescriptor`], [`FrameError::NoTarget`], or [`FrameError::NothingComputed`] where an input that
    /// is named without a `*` exists for no cell; those that a pattern matches are left out then.
    pub fn early(cells: &[Cell], config: &EarlyConfig) -> Result<Self, FrameError> {
        let inputs = inputs(cells, config)?;
        let stress: Vec<Input> =
            config.stress.iter().filter_map(|n| early::find(n)).map(Input::Computed).collect();
        let targets = targets(cells, config)?;
        let rows = cells.iter().enumerate().map(|(idx, cell)| row(idx, cell, &targets, config));
        Ok(Self {
            cells: cells
                .iter()
                .map(|c| FrameCell::new(c, c.facts.nominal_capacity_ah.unwrap_or(1.0)))
                .collect(),
            rows: rows.collect(),
            inputs: known(cells, &inputs, config)?,
            stress: columns(cells, &stress, config.window).into_iter().map(|(c, _)| c).collect(),
            targets,
            quantity: if config.log { Quantity::LogLife } else { Quantity::Life },
        })
    }
}

impl Input {
    fn name(&self) -> &str {
        match self {
            Self::Computed(d) => d.name,
            Self::Stated(name) => name,
        }
    }
}

fn row(cell_idx: usize, cell: &Cell, targets: &[Column], config: &EarlyConfig) -> Row {
    let truth = targets[0].values[cell_idx];
    let unknown = targets.iter().find(|t| !t.values[cell_idx].is_finite());
    let label = if config.log { truth.log10() } else { truth };
    let set_aside = if let Some(target) = unknown {
        Some(format!("no {} is known", target.name.replace('_', " ")))
    } else if !label.is_finite() {
        Some(format!("its {} has no logarithm", targets[0].name.replace('_', " ")))
    } else if life(cell).is_some_and(|life| life <= f64::from(config.window.to)) {
        Some(format!("its life ends within the first {} cycles", config.window.to))
    } else {
        None
    };
    Row { cell_idx, cycle: config.window.to, truth, label, set_aside }
}

/// Returns the cycle life [cycles]: as stated, else the cycle of the first capacity at the end of life.
pub fn life(cell: &Cell) -> Option<f64> {
    let observed = || {
        let reference = cell.facts.nominal_capacity_ah?;
        let discharges = pairing::discharges(cell);
        let capacity = |d: &pairing::Discharge| {
            let record = &cell.records[d.discharge_idx];
            let ah =
                record.stated_capacity_ah.or_else(|| pairing::net_charge_ah(&record.samples).map(|q| -q))?;
            Some((record.cycle_count.unwrap_or(d.ordinal), health::soh(ah, reference)))
        };
        let (cycles, soh): (Vec<u32>, Vec<f64>) = discharges.iter().filter_map(capacity).unzip();
        health::eol_position(&soh, cell.facts.eol_soh?, 1).map(|at| f64::from(cycles[at]))
    };
    cell.facts.cycle_life.or_else(observed)
}

/// Returns the targets, one column each.
fn targets(cells: &[Cell], config: &EarlyConfig) -> Result<Vec<Column>, FrameError> {
    let value = |cell: &Cell, name: &str| match name {
        CYCLE_LIFE => life(cell),
        _ => stated(cell, name).ok().or_else(|| {
            early::find(name).and_then(|d| early::compute(cell, WHOLE_LIFE, &[d]).swap_remove(0).ok())
        }),
    };
    let one = |name: &String| {
        let values: Vec<f64> = cells.par_iter().map(|c| value(c, name).unwrap_or(f64::NAN)).collect();
        let unit = if name == CYCLE_LIFE { "cycles" } else { early::find(name).map_or("1", |d| d.unit) };
        if values.iter().all(|v| v.is_nan()) {
            return Err(FrameError::NoTarget { target: name.clone() });
        }
        Ok(Column { values, ..column(name, unit, Source::SameRecord) })
    };
    config.targets.iter().map(one).collect()
}

fn stated(cell: &Cell, name: &str) -> Value {
    let missing = Missing::Undefined("the source does not state it");
    cell.facts.attributes.get(name).map(|a| a.value).ok_or(missing)
}

/// Returns what the patterns name, in their order, each once and without the targets.
fn inputs(cells: &[Cell], config: &EarlyConfig) -> Result<Vec<Input>, FrameError> {
    let attributes: BTreeSet<&String> = cells.iter().flat_map(|c| c.facts.attributes.keys()).collect();
    let mut inputs: Vec<Input> = Vec::new();
    for pattern in config.inputs {
        let computed = early::matching(pattern).into_iter().map(Input::Computed);
        let named = attributes.iter().filter(|name| crate::descriptor::matches(pattern, name));
        let found: Vec<Input> = computed.chain(named.map(|name| Input::Stated((*name).clone()))).collect();
        if found.is_empty() {
            let names = early::catalogue().map(|d| d.name).chain(attributes.iter().map(|name| name.as_str()));
            return Err(unknown(pattern, names));
        }
        for input in found {
            let is_target = config.targets.iter().any(|t| t == input.name());
            if !is_target && inputs.iter().all(|known| known.name() != input.name()) {
                inputs.push(input);
            }
        }
    }
    Ok(inputs)
}

/// Returns the inputs that some cell has.
fn known(cells: &[Cell], inputs: &[Input], config: &EarlyConfig) -> Result<Vec<Column>, FrameError> {
    let mut kept = Vec::new();
    for (column, reason) in columns(cells, inputs, config.window) {
        if column.values.iter().any(|v| v.is_finite()) {
            kept.push(column);
        } else if config.inputs.contains(&column.name) {
            let reason = reason.unwrap_or(Missing::No(Need::Cycles(1))).to_string();
            return Err(FrameError::NothingComputed { name: column.name, reason });
        }
    }
    Ok(kept)
}

/// Computes inputs for every cell, each with the first reason why a value is missing.
fn columns(cells: &[Cell], inputs: &[Input], window: Window) -> Vec<(Column, Option<Missing>)> {
    let computed: Vec<&EarlyDescriptor> =
        inputs.iter().filter_map(|i| if let Input::Computed(d) = i { Some(*d) } else { None }).collect();
    let values: Vec<Vec<Value>> =
        cells.par_iter().map(|cell| early::compute(cell, window, &computed)).collect();
    let mut position = 0..;
    let one = |input: &Input| {
        let (empty, values): (Column, Vec<Value>) = match input {
            Input::Computed(d) => {
                let at = position.next().unwrap_or_default();
                let own = values.iter().map(|v| v[at].clone()).collect();
                (column(d.name, d.unit, Source::PastRecord), own)
            }
            Input::Stated(name) => {
                let unit = cells.iter().find_map(|c| c.facts.attributes.get(name)).map_or("1", |a| &a.unit);
                (column(name, unit, Source::Static), cells.iter().map(|c| stated(c, name)).collect())
            }
        };
        let reason = values.iter().find_map(|v| v.as_ref().err().cloned());
        (Column { values: values.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect(), ..empty }, reason)
    };
    inputs.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{CellId, Phase};
    use crate::dataset::{Attribute, CellFacts, Record};

    /// A cell of 2 Ah that loses `fade` [Ah] a cycle over 60 cycles, with one stated attribute.
    fn cell(name: &str, fade: f64, life: Option<f64>) -> Cell {
        let record = |cycle: u32| Record {
            cycle_count: Some(cycle),
            stated_capacity_ah: Some(2.0 - fade * f64::from(cycle)),
            ..Record::new(cycle - 1, Phase::Discharge)
        };
        let attributes =
            [("electrolyte_mass".to_owned(), Attribute { value: fade, unit: "g".into() })].into();
        let facts = CellFacts {
            nominal_capacity_ah: Some(2.0),
            eol_soh: Some(0.8),
            cycle_life: life,
            attributes,
            ..CellFacts::default()
        };
        Cell { id: CellId::new(name), facts, records: (1..=60).map(record).collect(), table: None }
    }

    fn frame(cells: &[Cell], inputs: &[&str], to: u32) -> Result<Frame, FrameError> {
        let inputs: Vec<String> = inputs.iter().map(|name| (*name).to_owned()).collect();
        let window = Window { from: 1, to };
        let targets = [CYCLE_LIFE.to_owned()];
        Frame::early(
            cells,
            &EarlyConfig { inputs: &inputs, stress: &[], window, targets: &targets, log: true },
        )
    }

    /// 2 Ah less 0.01 Ah a cycle is at 80 % of 2 Ah, 1.6 Ah, in cycle 40.
    #[test]
    fn a_life_is_what_is_stated_or_else_what_was_observed() {
        let cells = [cell("A", 0.01, None), cell("B", 0.005, Some(500.0)), cell("C", 0.001, None)];
        let frame = frame(&cells, &["discharge_capacity_*", "electrolyte_*"], 10).unwrap();
        assert_eq!((frame.rows[0].truth, frame.rows[1].truth), (40.0, 500.0));
        assert_eq!(frame.rows[1].label, 500.0_f64.log10());
        assert_eq!(frame.rows[2].set_aside.as_deref(), Some("no cycle life is known"));
        assert!((frame.physical(1, frame.rows[1].label) - 500.0).abs() < 1e-9);
        let mass = frame.inputs.iter().find(|c| c.name == "electrolyte_mass").unwrap();
        assert_eq!((mass.unit.as_str(), mass.values.as_slice()), ("g", &[0.01, 0.005, 0.001][..]));
    }

    #[test]
    fn a_cell_that_dies_within_the_window_is_set_aside() {
        let frame =
            frame(&[cell("A", 0.01, None), cell("B", 0.005, None)], &["discharge_capacity_slope"], 50);
        let frame = frame.unwrap();
        assert!(frame.rows[0].set_aside.as_ref().unwrap().contains("within the first 50 cycles"));
        assert!(!frame.is_usable(0) && frame.rows[1].truth.is_nan());
    }

    #[test]
    fn what_a_pattern_finds_for_no_cell_is_left_out_and_what_is_named_is_an_error() {
        let cells = [cell("A", 0.01, None)];
        let found = frame(&cells, &["*"], 10).unwrap();
        assert!(found.inputs.iter().all(|c| c.values[0].is_finite()));
        let name = early::catalogue().find(|d| d.needs.contains(&Need::Gitt)).unwrap().name;
        assert!(found.inputs.iter().all(|c| c.name != name));
        let error = frame(&cells, &[name], 10).unwrap_err();
        assert!(error.to_string().contains("GITT"), "{error}");
        assert!(matches!(frame(&cells, &["nonsense"], 10), Err(FrameError::UnknownDescriptor { .. })));
    }
}
