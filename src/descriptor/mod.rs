//! Descriptors: numbers that describe a cell before a discharge, one catalogue row each.
//!
//! A descriptor is computed for each discharge of a cell from what was recorded before it (or, for those that the
//! leakage check must catch, from the discharge itself). A value that cannot be computed is missing, never 0.
//! Names follow `<phase>_<signal>_<statistic>`; the row says the unit and where the values come from.

mod charge;
mod context;
mod discharge;
pub mod early;
mod history;
mod impedance;

pub use context::{CellContext, DischargeContext};

use crate::dataset::Cell;
use crate::dataset::leakage::Source;

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// Name, unique in the catalogue.
    pub name: &'static str,
    /// Unit, `1` for a ratio or a count.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Where its values come from; decides whether a task may use it.
    pub source: Source,
    /// Computes the value for one discharge; `None` where it cannot be computed.
    pub compute: fn(&CellContext, usize) -> Option<f64>,
}

/// Every family's rows, in the order of the catalogue.
const FAMILIES: [&[Descriptor]; 4] =
    [charge::DESCRIPTORS, history::DESCRIPTORS, impedance::DESCRIPTORS, discharge::DESCRIPTORS];

/// Returns the whole catalogue.
pub fn catalogue() -> impl Iterator<Item = &'static Descriptor> {
    FAMILIES.into_iter().flatten()
}

/// Returns the descriptor called `name`.
pub fn find(name: &str) -> Option<&'static Descriptor> {
    catalogue().find(|d| d.name == name)
}

/// Returns the catalogue's descriptors whose names match `pattern`, where `*` stands for any text.
pub fn matching(pattern: &str) -> Vec<&'static Descriptor> {
    catalogue().filter(|d| matches(pattern, d.name)).collect()
}

/// Likeness (Jaro) from which a name may be what was meant [1]: a letter wrong or missing in a short word has .9, words
/// that share some letters have .6.
const LIKE: f64 = 0.75;

/// Returns `; did you mean ...?` with the name that is most like `pattern`, nothing where none is like it.
pub fn did_you_mean<'a>(pattern: &str, names: impl Iterator<Item = &'a str>) -> String {
    let liked = names.map(|name| (strsim::jaro(name, pattern), name)).filter(|(like, _)| *like >= LIKE);
    let nearest = liked.max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// Returns whether `name` is `pattern`, where `*` stands for any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|&i| rest.is_char_boundary(i)).any(|i| matches(tail, &rest[i..]))
        }),
    }
}

/// Computes `descriptors` for every discharge of a cell: one column each, NaN where missing.
pub fn compute(cell: &Cell, descriptors: &[&Descriptor]) -> Vec<Vec<f64>> {
    let context = CellContext::new(cell);
    let column = |d: &&Descriptor| -> Vec<f64> {
        let value = |row| (d.compute)(&context, row).filter(|v| v.is_finite()).unwrap_or(f64::NAN);
        (0..context.discharges.len()).map(value).collect()
    };
    descriptors.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_units_stated() {
        let names: BTreeSet<&str> = catalogue().map(|d| d.name).collect();
        assert_eq!(names.len(), catalogue().count());
        assert!(catalogue().all(|d| !d.unit.is_empty() && d.doc.ends_with('.')));
    }

    #[test]
    fn only_what_is_like_a_name_is_offered() {
        let meant = |pattern| did_you_mean(pattern, ["gitt", "impedance"].into_iter());
        assert_eq!(meant("impedence"), "; did you mean `impedance`?");
        assert_eq!(meant("xyzzy"), "");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("charge_*", "charge_duration", true),
            ("*_count", "history_discharge_count", true),
            ("charge_*_mean", "charge_temperature_mean", true),
            ("charge_*", "discharge_duration", false),
            ("charge_duration", "charge_duration", true),
            ("charge", "charge_duration", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
