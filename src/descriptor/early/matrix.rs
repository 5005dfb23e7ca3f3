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
        let like = |name: &&str| strsim::jaro(name, pattern);
        let nearest = names.max_by(|a, b| like(a).total_cmp(&like(b)));
        let hint = nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        Self { what, pattern: pattern.into(), hint }
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
        counts.sort_by(|a, b| b.1.cmp(&a.1));
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
