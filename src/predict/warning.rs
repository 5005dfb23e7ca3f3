//! What is doubtful about rows: a byte a value, and texts when somebody reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pipeline::{Body, Input, Pipeline};

/// A value is missing.
const MISSING: u8 = 1;

/// A value lies beyond all that any part was trained on.
const OUTSIDE: u8 = 2;

/// Share of a range's ends by which a value may lie beyond it: rounding of other programs.
const TOLERANCE: f64 = 1e-9;

/// Warnings of some rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Warnings {
    inputs: Arc<[Input]>,
    /// What is said of a missing value: `imputed`, or `missing` where trees take it as it is.
    missing: &'static str,
    /// Marks, `[row, input]`.
    marks: Vec<u8>,
    /// Values that lie outside, ascending by row and input.
    outside: Vec<((usize, usize), f64)>,
    /// Why a value is missing, by row and input, where that is known.
    reasons: BTreeMap<(usize, usize), String>,
    /// What is said of all rows: a kind, and what it is about.
    common: Vec<Said>,
    /// What is said of single rows beside.
    single: BTreeMap<usize, Vec<Said>>,
    n_rows: usize,
}

/// What is said of a row: a kind, and what it is about.
type Said = (&'static str, Option<String>);

impl Warnings {
    /// Looks at the rows of a model.
    pub(super) fn of_rows(pipeline: &Pipeline, rows: &[f64], n_rows: usize) -> Self {
        let inputs: Arc<[Input]> = pipeline.inputs.clone().into();
        let is_trees = pipeline.parts.iter().all(|p| matches!(p.body, Body::Trees { .. }));
        let leaks = inputs.iter().filter(|i| i.leaks).map(|i| ("leak", Some(i.name.clone())));
        let mut warnings = Self {
            missing: if is_trees { "missing" } else { "imputed" },
            common: leaks.collect(),
            marks: Vec::with_capacity(rows.len()),
            n_rows,
            ..Self::default()
        };
        for (row, values) in rows.chunks(inputs.len().max(1)).enumerate() {
            for (idx, (input, &value)) in inputs.iter().zip(values).enumerate() {
                let mark = mark(input, value);
                if mark == OUTSIDE {
                    warnings.outside.push(((row, idx), value));
                }
                warnings.marks.push(mark);
            }
        }
        warnings.inputs = inputs;
        warnings
    }

    /// Says something of one row.
    pub(super) fn add(&mut self, row: usize, kind: &'static str, about: Option<String>) {
        self.single.entry(row).or_default().push((kind, about));
    }

    /// Says something of all rows.
    pub(super) fn add_to_all(&mut self, kind: &'static str, about: Option<String>) {
        self.common.push((kind, about));
    }

    /// Says why a value is missing.
    pub(super) fn explain(&mut self, row: usize, input: usize, reason: String) {
        self.reasons.insert((row, input), reason);
    }

    /// Returns the warnings of a row, one text each.
    pub fn of(&self, row: usize) -> Vec<String> {
        let d = self.inputs.len();
        let marks = self.marks.get(row * d..(row + 1) * d).unwrap_or_default();
        let marked = self.inputs.iter().zip(marks).enumerate().filter(|(_, (_, mark))| **mark != 0);
        let of_input = |(idx, (input, mark)): (usize, (&Input, &u8))| self.of_value(row, idx, input, *mark);
        let said = self.common.iter().chain(self.single.get(&row).into_iter().flatten());
        let plain = |(kind, about): &(&str, Option<String>)| {
            about.as_ref().map_or_else(|| (*kind).to_owned(), |about| format!("{kind}: {about}"))
        };
        marked.map(of_input).chain(said.map(plain)).collect()
    }

    /// Returns the warnings of a row as one text, empty where there is none.
    pub fn text(&self, row: usize) -> String {
        if self.is_clean(row) { String::new() } else { self.of(row).join("; ") }
    }

    /// Returns whether nothing is said of a row.
    pub fn is_clean(&self, row: usize) -> bool {
        let d = self.inputs.len();
        self.common.is_empty()
            && !self.single.contains_key(&row)
            && self.marks.get(row * d..(row + 1) * d).is_none_or(|marks| marks.iter().all(|m| *m == 0))
    }

    /// Returns how many rows have each warning: by kind (`out of range`) and the input that it is about, if any.
    pub fn counts(&self) -> BTreeMap<(String, String), usize> {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (idx, input) in self.inputs.iter().enumerate() {
            for (mark, kind) in [(MISSING, self.missing), (OUTSIDE, "out of range")] {
                let n =
                    self.marks.iter().skip(idx).step_by(self.inputs.len()).filter(|m| **m == mark).count();
                if n > 0 {
                    counts.insert((kind.into(), input.name.clone()), n);
                }
            }
        }
        let key =
            |(kind, about): &(&str, Option<String>)| ((*kind).to_owned(), about.clone().unwrap_or_default());
        for said in self.common.iter().filter(|_| self.n_rows > 0) {
            *counts.entry(key(said)).or_default() += self.n_rows;
        }
        for (kind, _) in self.single.values().flatten() {
            *counts.entry(((*kind).to_owned(), String::new())).or_default() += 1;
        }
        counts
    }

    /// Appends the warnings of rows of the same model.
    pub(super) fn append(&mut self, other: Self) {
        let n = self.n_rows;
        let differing = |own: &Self, of: &Self| -> Vec<Said> {
            own.common.iter().filter(|said| !of.common.contains(said)).cloned().collect()
        };
        let (first, second) = (differing(self, &other), differing(&other, self));
        self.common.retain(|said| !first.contains(said));
        self.marks.extend(other.marks);
        self.outside.extend(other.outside.into_iter().map(|((row, idx), v)| ((n + row, idx), v)));
        self.reasons.extend(other.reasons.into_iter().map(|((row, idx), why)| ((n + row, idx), why)));
        self.single.extend(other.single.into_iter().map(|(row, said)| (n + row, said)));
        self.n_rows += other.n_rows;
        // What is said of all rows of one side only is said of each of these.
        for (rows, common) in [(0..n, first), (n..self.n_rows, second)] {
            for row in rows.filter(|_| !common.is_empty()) {
                self.single.entry(row).or_default().extend(common.iter().cloned());
            }
        }
    }

    fn of_value(&self, row: usize, idx: usize, input: &Input, mark: u8) -> String {
        let (name, missing) = (&input.name, self.missing);
        if mark == MISSING {
            let reason = self.reasons.get(&(row, idx));
            return reason
                .map_or_else(|| format!("{missing}: {name}"), |why| format!("{missing}: {name} ({why})"));
        }
        let [low, high] = input.range.map(short);
        let unit = if input.unit == "1" { String::new() } else { format!(" {}", input.unit) };
        let found = self.outside.binary_search_by_key(&(row, idx), |(place, _)| *place);
        let value = found.map_or_else(|_| String::new(), |at| short(self.outside[at].1));
        format!("out of range: {name} is {value}{unit}, trained from {low} to {high}")
    }
}

fn mark(input: &Input, value: f64) -> u8 {
    let [low, high] = input.range;
    let slack = TOLERANCE * low.abs().max(high.abs());
    if !value.is_finite() {
        MISSING
    } else if value < low - slack || value > high + slack {
        OUTSIDE
    } else {
        0
    }
}

/// Returns a number with four significant digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = if size > 0.0 { (3.0 - size.log10().floor()).clamp(0.0, 6.0) } else { 0.0 };
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_plain() {
        for (value, expected) in [
            (0.0, "0"),
            (2.0, "2"),
            (123_456.0, "123456"),
            (0.012_345_6, "0.01235"),
            (-2.718_6, "-2.719"),
            (1e-9, "1.000e-9"),
        ] {
            assert_eq!(short(value), expected);
        }
    }
    #[test]
    fn what_is_said_of_one_cell_is_not_said_of_another() {
        let of = |n_rows, all: &[&'static str]| {
            let mut warnings = Warnings { n_rows, ..Warnings::default() };
            for kind in all {
                warnings.add_to_all(kind, None);
            }
            warnings
        };
        let mut warnings = of(1, &["both", "first"]);
        warnings.append(of(2, &["both", "second"]));
        let texts: Vec<String> = (0..3).map(|row| warnings.text(row)).collect();
        assert_eq!(texts, ["both; first", "both; second", "both; second"]);
        assert_eq!(warnings.counts()[&("both".into(), String::new())], 3);
        assert_eq!(warnings.counts()[&("second".into(), String::new())], 2);
    }
}
