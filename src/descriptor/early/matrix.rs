//! Descriptors of many cells: read, computed and dropped one by one, on all cores; one row a cell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use serde_json::{Map, Value as Json, json};

use super::{EarlyDescriptor, Value, Window, catalogue, compute, family, matching};
use crate::cell::CellId;
use crate::dataset::Cell;
use crate::descriptor;

/// Values of descriptors, one row a cell.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Cells, in the order in which they were asked for.
    pub cells: Vec<CellId>,
    /// Descriptors, in the order of the columns.
    pub descriptors: Vec<&'static EarlyDescriptor>,
    /// Cycles that they look at.
    pub window: Window,
    /// `values[cell][descriptor]`.
    pub values: Vec<Vec<Value>>,
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {what} `{pattern}`{hint}")]
pub struct UnknownName {
    /// What was looked for: a descriptor, a cell, a family, ...
    pub what: &'static str,
    /// Name or pattern that was asked for.
    pub pattern: String,
    /// What to do.
    pub hint: String,
}

impl UnknownName {
    /// Returns the error with the name that is most like `pattern`.
    pub fn new<'a>(what: &'static str, pattern: &str, names: impl Iterator<Item = &'a str>) -> Self {
        Self { what, pattern: pattern.into(), hint: descriptor::did_you_mean(pattern, names) }
    }
}

/// Returns what the patterns name, in the order of the catalogue; all of it without a pattern.
///
/// # Errors
/// [`UnknownName`] for a pattern that matches nothing.
pub fn select(patterns: &[String]) -> Result<Vec<&'static EarlyDescriptor>, UnknownName> {
    if let Some(pattern) = patterns.iter().find(|p| matching(p).is_empty()) {
        let unknown = UnknownName::new("descriptor of whole cells", pattern, catalogue().map(|d| d.name));
        let hint = "; it describes a discharge, not a whole cell".into();
        let discharge = descriptor::find(pattern).is_some();
        return Err(if discharge { UnknownName { hint, ..unknown } } else { unknown });
    }
    let wanted = |d: &&EarlyDescriptor| patterns.iter().any(|p| descriptor::matches(p, d.name));
    Ok(catalogue().filter(|d| patterns.is_empty() || wanted(d)).collect())
}

impl Matrix {
    /// Computes `descriptors` of the cells that `load` gives at the positions 0 to `n_cells`; `done` counts them.
    ///
    /// No more cells are in memory than there are threads, and the result does not depend on their number. They are
    /// plain threads: one of rayon's that waits for a table would begin another cell meanwhile.
    ///
    /// # Errors
    /// What `load` says of the first cell that cannot be read, of those that were tried.
    pub fn compute<E: Send>(
        descriptors: &[&'static EarlyDescriptor],
        window: Window,
        n_cells: usize,
        load: &(dyn Fn(usize) -> Result<Cell, E> + Sync),
        done: &mut dyn FnMut(),
    ) -> Result<Self, E> {
        let row = |position| {
            let cell = load(position)?;
            Ok((cell.id.clone(), compute(&cell, window, descriptors)))
        };
        let (cells, values) = on_all_cores(n_cells, &row, done)?.into_iter().unzip();
        Ok(Self { cells, descriptors: descriptors.to_vec(), window, values })
    }

    /// Returns the values of a descriptor, one a cell, NaN where missing.
    pub fn column(&self, descriptor_idx: usize) -> Vec<f64> {
        self.values.iter().map(|row| row[descriptor_idx].clone().unwrap_or(f64::NAN)).collect()
    }

    /// Returns how many values there are, of all cells and descriptors.
    pub fn n_computed(&self) -> usize {
        self.values.iter().flatten().filter(|value| value.is_ok()).count()
    }

    /// Returns every reason with the number of values that lack for it, the most frequent first.
    pub fn reasons(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for why in self.values.iter().flatten().filter_map(|value| value.as_ref().err()) {
            *counts.entry(why.to_string()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        counts
    }

    /// Returns how many descriptors of each family there are, and how many of them have a value for some cell.
    pub fn families(&self) -> Vec<(&'static str, usize, usize)> {
        let mut families: Vec<(&str, usize, usize)> = Vec::new();
        for (idx, descriptor) in self.descriptors.iter().enumerate() {
            let name = family(descriptor.name).unwrap_or_default();
            let some = usize::from(self.values.iter().any(|row| row[idx].is_ok()));
            match families.last_mut().filter(|(last, ..)| *last == name) {
                Some((_, n, computed)) => (*n, *computed) = (*n + 1, *computed + some),
                None => families.push((name, 1, some)),
            }
        }
        families
    }

    /// Returns unit, sentence, citation, formula and family of each descriptor as JSON.
    pub fn documentation(&self) -> Json {
        let describe = |d: &&EarlyDescriptor| {
            let family = family(d.name);
            let (unit, doc, citation, formula) = (d.unit, d.doc, d.citation, d.formula);
            let text = json!({ "unit": unit, "doc": doc, "citation": citation, "formula": formula, "family": family });
            (d.name.to_owned(), text)
        };
        self.descriptors.iter().map(describe).collect::<Map<_, _>>().into()
    }

    /// Returns why values are missing as JSON: `{descriptor: {reason: "all" or [cell, ...]}}`.
    pub fn missing(&self) -> Json {
        let mut missing = Map::new();
        for (idx, descriptor) in self.descriptors.iter().enumerate() {
            let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (cell, row) in self.cells.iter().zip(&self.values) {
                if let Err(why) = &row[idx] {
                    reasons.entry(why.to_string()).or_default().push(cell.as_str());
                }
            }
            let named =
                |cells: Vec<&str>| if cells.len() == self.cells.len() { json!("all") } else { json!(cells) };
            if !reasons.is_empty() {
                let reasons: Map<_, _> =
                    reasons.into_iter().map(|(why, cells)| (why, named(cells))).collect();
                missing.insert(descriptor.name.into(), reasons.into());
            }
        }
        missing.into()
    }
}

/// Calls `row` for every position on all cores; returns the results in the order of the positions.
fn on_all_cores<T: Send, E: Send>(
    n: usize,
    row: &(dyn Fn(usize) -> Result<T, E> + Sync),
    done: &mut dyn FnMut(),
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (send, receive) = mpsc::channel();
    let work = |send: mpsc::Sender<(usize, Result<T, E>)>| {
        while !failed.load(Ordering::Relaxed) {
            let position = next.fetch_add(1, Ordering::Relaxed);
            if position >= n {
                break;
            }
            let result = row(position);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            // The receiver outlives the threads.
            let _ = send.send((position, result));
        }
    };
    let mut results: Vec<(usize, Result<T, E>)> = std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(n) {
            let send = send.clone();
            scope.spawn(|| work(send));
        }
        drop(send);
        receive.into_iter().inspect(|_| done()).collect()
    });
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::cell::Phase;
    use crate::dataset::{CellFacts, Record};

    /// Cells with as many discharges as their position says, of 1 Ah, 0.999 Ah, ...
    fn cell(position: usize) -> Cell {
        let discharge = |n: u32| Record {
            cycle_count: Some(n + 1),
            stated_capacity_ah: Some(1.0 - 1e-3 * f64::from(n)),
            ..Record::new(n, Phase::Discharge)
        };
        let records = (0..position as u32).map(discharge).collect();
        let id = CellId::new(format!("C{position}"));
        Cell { id, facts: CellFacts::default(), records, table: None }
    }

    fn matrix(n_cells: usize, n_threads: usize) -> Matrix {
        let descriptors =
            select(&["discharge_capacity_first".into(), "discharge_capacity_slope_last10".into()]).unwrap();
        let load = |position| Ok::<Cell, Infallible>(cell(position));
        let compute = || Matrix::compute(&descriptors, Window::default(), n_cells, &load, &mut || ());
        rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap().install(compute).unwrap()
    }

    #[test]
    fn rows_are_in_order_whatever_the_number_of_threads() {
        let (one, many) = (matrix(40, 1), matrix(40, 7));
        assert_eq!(one.cells, many.cells);
        assert_eq!(one.values, many.values);
        assert_eq!(one.cells[7].as_str(), "C7");
        let first = one.descriptors.iter().position(|d| d.name == "discharge_capacity_first").unwrap();
        assert!(one.column(first)[0].is_nan() && one.column(first)[1..].iter().all(|v| *v == 1.0));
    }

    #[test]
    fn reasons_and_families_are_counted() {
        let matrix = matrix(4, 2);
        let n_missing: usize = matrix.reasons().iter().map(|(_, n)| n).sum();
        assert_eq!(n_missing + matrix.n_computed(), 4 * matrix.descriptors.len());
        assert!(matrix.reasons().windows(2).all(|pair| pair[0].1 >= pair[1].1));
        let first = matrix.missing()["discharge_capacity_first"].clone();
        assert_eq!(first, json!({ "no discharge capacity": ["C0"] }));
        assert_eq!(matrix.families(), [("capacity", 2, 1)]);
    }

    #[test]
    fn the_first_cell_that_cannot_be_read_ends_it() {
        let descriptors = select(&[]).unwrap();
        let load = |position| if position == 3 { Err("three") } else { Ok(cell(position)) };
        assert_eq!(
            Matrix::compute(&descriptors, Window::default(), 9, &load, &mut || ()).err(),
            Some("three")
        );
    }

    #[test]
    fn an_unknown_name_is_answered_by_the_nearest_one() {
        let said = |pattern: &str| select(&[pattern.into()]).unwrap_err().to_string();
        assert!(said("discharge_capacity_frist").ends_with("did you mean `discharge_capacity_first`?"));
        assert!(said("charge_duration").ends_with("not a whole cell"));
    }
}
