//! Column maps: a small TOML file that says which column of a CSV is what.
//!
//! ```toml
//! [columns]                          # canonical name = column in the file
//! test_time_second = { name = "t", unit = "min" }
//! voltage_volt = "U"
//! current_ampere = { name = "I", factor = 0.001 }
//!
//! [options]                          # each may be left out
//! cell = "file_stem"                 # or { column = "cell" }
//! delimiter = ";"                    # else found in the header
//! decimal_comma = true               # 3,5 is three and a half
//! skip_lines = 2                     # lines above the header
//! current_positive = "discharge"     # else "charge"
//! rest_current_ampere = 0.005        # below it the cell rests; else 0.1 % of the largest current
//!
//! [facts]                            # what is known of the cells
//! nominal_capacity_ah = 2.0
//! ```
//!
//! A table of ready-made inputs has descriptor names in `[columns]`, each with its `unit`, the label with
//! `label = true`, `cycle_count` if the file has it, and may tell families of cells apart with `[[family]]`.
//! An unknown key is an error that names the nearest one.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::delimited::Layout;
use super::heading::{self, Scale};
use super::series::Channel;
use crate::dataset::CellFacts;
use crate::file::{self, FileError};

/// Name of the cycle column in a table of ready-made inputs.
pub(super) const CYCLE_COUNT: &str = "cycle_count";

/// Likeness [0-1] from which a known key is proposed for an unknown one (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// Keys of `[facts]`, the fields of [`CellFacts`].
const FACTS: [&str; 7] = [
    "chemistry",
    "nominal_capacity_ah",
    "eol_soh",
    "discharge_cutoff_volt",
    "charge_cutoff_volt",
    "synthetic",
    "notes",
];

/// What a map is for, and so which names its `[columns]` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// A log with time, voltage and current.
    Series,
    /// Ready-made inputs, one cycle a row.
    Inputs,
}

/// Why a column map cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// Occurs when a key means nothing here.
    #[error("unknown key `{key}`; {hint}")]
    UnknownKey {
        /// The key with the tables it stands in.
        key: String,
        /// The nearest known key, or all of them.
        hint: String,
    },
    /// Occurs when a key that is needed is not there.
    #[error("`{key}` is missing: {reason}")]
    MissingKey {
        /// The key with the tables it stands in.
        key: String,
        /// What it is needed for.
        reason: &'static str,
    },
    /// Occurs when a value cannot be what its key asks for.
    #[error("`{key}` is `{found}`, which is no {expected}")]
    BadValue {
        /// The key with the tables it stands in.
        key: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
}

/// Which column of a CSV is what.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMap {
    /// Columns by canonical or descriptor name.
    pub columns: BTreeMap<String, ColumnRule>,
    /// How to read the file.
    #[serde(default)]
    pub options: MapOptions,
    /// What is known of every cell.
    #[serde(default)]
    pub facts: CellFacts,
    /// Families of cells, told apart by their folder.
    #[serde(default)]
    pub family: Vec<Family>,
}

/// One column: its heading alone, or with unit and scale.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum ColumnRule {
    /// Heading; values are in our unit already.
    Name(String),
    /// Heading and how its values become ours.
    Full(FullRule),
}

/// A column with everything that can be said of it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullRule {
    /// Heading in the file.
    pub name: String,
    /// Multiplier to our unit.
    pub factor: Option<f64>,
    /// Added after the multiplication, in our unit.
    pub offset: Option<f64>,
    /// Unit: of the file for a series (`min`, `mA`), of the result for ready-made inputs (`1` for a ratio).
    pub unit: Option<String>,
    /// Whether the column is a label and so never an input.
    #[serde(default)]
    pub label: bool,
}

/// How to read the file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MapOptions {
    /// Where the cell's name stands.
    pub cell: CellName,
    /// Separator of fields; found in the header when left out.
    pub delimiter: Option<char>,
    /// Whether numbers are written `3,5`.
    pub decimal_comma: bool,
    /// Lines above the header.
    pub skip_lines: usize,
    /// What a positive current does to the cell in this file.
    pub current_positive: Direction,
    /// Magnitude of the current below which the cell rests [A], >= 0.
    pub rest_current_ampere: Option<f64>,
}

/// Where the cell's name stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellName {
    /// In the file's name, without folders and endings.
    #[default]
    FileStem,
    /// In the column with this heading.
    Column(String),
}

/// What a positive current does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It charges the cell, as everywhere in this program.
    #[default]
    Charge,
    /// It discharges the cell; the reader turns the sign.
    Discharge,
}

/// Cells that stand in one folder of the source.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Name, kept as the note `family` of the cell.
    pub name: String,
    /// Folder in the path of the file.
    pub folder: String,
    /// What is known of these cells.
    #[serde(default)]
    pub facts: CellFacts,
}

impl ColumnMap {
    /// Reads the map in the file `path`.
    ///
    /// # Errors
    /// [`FileError::Read`]; [`FileError::Parse`] with the line or a [`MapError`].
    pub fn load(path: &Path, kind: MapKind) -> Result<Self, FileError> {
        Self::parse(&file::read_text(path)?, kind)
            .map_err(|e| FileError::Parse { path: path.into(), source: e })
    }

    /// Reads the map in `text`.
    ///
    /// # Errors
    /// A [`MapError`] or what the TOML parser says, with line and column.
    pub fn parse(text: &str, kind: MapKind) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        check_keys(&text.parse()?, kind)?;
        let map: Self = toml::from_str(text)?;
        map.check(kind)?;
        Ok(map)
    }

    /// Returns how the text is laid out.
    pub(super) fn layout(&self) -> Layout {
        let MapOptions { delimiter, decimal_comma, skip_lines, .. } = self.options;
        let delimiter = delimiter.and_then(|d| u8::try_from(d).ok());
        Layout { delimiter, decimal_comma, skip_lines }
    }

    fn check(&self, kind: MapKind) -> Result<(), MapError> {
        let delimiter = self.options.delimiter.filter(|d| !d.is_ascii() || *d == '"' || *d == '\n');
        if let Some(found) = delimiter {
            return Err(bad_value("options.delimiter", &found, "single ASCII character that separates"));
        }
        if let Some(found) = self.options.rest_current_ampere.filter(|i| !(0.0..f64::MAX).contains(i)) {
            return Err(bad_value("options.rest_current_ampere", &found, "current >= 0"));
        }
        match kind {
            MapKind::Series => self.check_series(),
            MapKind::Inputs => self.check_inputs(),
        }
    }

    fn check_series(&self) -> Result<(), MapError> {
        for needed in Channel::NEEDED.map(Channel::name) {
            if !self.columns.contains_key(needed) {
                let key = format!("columns.{needed}");
                return Err(MapError::MissingKey { key, reason: "a series needs time, voltage and current" });
            }
        }
        for channel in Channel::ALL {
            let Some(unit) = self.columns.get(channel.name()).and_then(ColumnRule::unit) else { continue };
            if heading::scale(channel.quantity(), Some(&unit.to_lowercase())).is_none() {
                let key = format!("columns.{}.unit", channel.name());
                return Err(bad_value(&key, &unit, "unit of this quantity; use `factor`"));
            }
        }
        Ok(())
    }

    fn check_inputs(&self) -> Result<(), MapError> {
        for (name, rule) in self.columns.iter().filter(|(name, _)| *name != CYCLE_COUNT) {
            let key = format!("columns.{name}");
            if !is_descriptor_name(name) {
                return Err(bad_value(&key, name, "descriptor name (lower case, digits, `_`)"));
            }
            if rule.unit().is_none() {
                let reason = "every input states its unit, `1` for a ratio";
                return Err(MapError::MissingKey { key: format!("{key}.unit"), reason });
            }
        }
        Ok(())
    }
}

impl ColumnRule {
    /// Returns the heading in the file.
    pub fn heading(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Full(rule) => &rule.name,
        }
    }

    /// Returns the unit, if it is stated.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Full(rule) => rule.unit.as_deref(),
        }
    }

    /// Returns whether the column is a label.
    pub fn is_label(&self) -> bool {
        matches!(self, Self::Full(rule) if rule.label)
    }

    /// Returns the stated factor and offset, on top of `unit`, the scale of the unit in the file.
    pub(super) fn scale(&self, unit: Scale) -> Scale {
        let Self::Full(rule) = self else { return unit };
        let factor = rule.factor.unwrap_or(1.0);
        Scale { factor: unit.factor * factor, offset: unit.offset + rule.offset.unwrap_or(0.0) }
    }
}

/// Says which of `known` was probably meant by `key`: the nearest, or all when none is near.
pub fn nearest_hint(key: &str, known: &[&str]) -> String {
    let likeness = |k: &&&str| strsim::jaro_winkler(key, k);
    match known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(near) if likeness(&near) >= ALIKE => format!("did you mean `{near}`?"),
        _ => format!("known are {}", known.join(", ")),
    }
}

fn is_descriptor_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn bad_value(key: &str, found: &impl ToString, expected: &'static str) -> MapError {
    MapError::BadValue { key: key.into(), found: found.to_string(), expected }
}

fn check_keys(map: &toml::Table, kind: MapKind) -> Result<(), MapError> {
    known("", map, &["columns", "options", "facts", "family"])?;
    let table = |key| map.get(key).and_then(toml::Value::as_table);
    if let Some(facts) = table("facts") {
        known("facts.", facts, &FACTS)?;
    }
    if let Some(options) = table("options") {
        known("options.", options, &option_keys(kind))?;
        if let Some(cell) = options.get("cell").and_then(toml::Value::as_table) {
            known("options.cell.", cell, &["column"])?;
        }
    }
    for family in map.get("family").and_then(toml::Value::as_array).into_iter().flatten() {
        let Some(family) = family.as_table() else { continue };
        known("family.", family, &["name", "folder", "facts"])?;
        if let Some(facts) = family.get("facts").and_then(toml::Value::as_table) {
            known("family.facts.", facts, &FACTS)?;
        }
    }
    table("columns").map_or(Ok(()), |columns| check_columns(columns, kind))
}

fn check_columns(columns: &toml::Table, kind: MapKind) -> Result<(), MapError> {
    if kind == MapKind::Series {
        known("columns.", columns, &Channel::ALL.map(Channel::name))?;
    }
    for (name, rule) in columns {
        let keys: &[&str] = match kind {
            MapKind::Series => &["name", "factor", "offset", "unit"],
            MapKind::Inputs => &["name", "factor", "offset", "unit", "label"],
        };
        if let Some(rule) = rule.as_table() {
            known(&format!("columns.{name}."), rule, keys)?;
        }
    }
    Ok(())
}

fn option_keys(kind: MapKind) -> Vec<&'static str> {
    let mut keys = vec!["cell", "delimiter", "decimal_comma", "skip_lines"];
    if kind == MapKind::Series {
        keys.extend(["current_positive", "rest_current_ampere"]);
    }
    keys
}

fn known(prefix: &str, table: &toml::Table, keys: &[&str]) -> Result<(), MapError> {
    match table.keys().find(|k| !keys.contains(&k.as_str())) {
        Some(key) => {
            Err(MapError::UnknownKey { key: format!("{prefix}{key}"), hint: nearest_hint(key, keys) })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIES: &str = "[columns]\ntest_time_second = {name = 't', unit = 'min'}\nvoltage_volt = 'U'\n\
                          current_ampere = {name = 'I', factor = 0.001}\n";

    fn error(text: &str, kind: MapKind) -> String {
        ColumnMap::parse(text, kind).unwrap_err().to_string()
    }

    #[test]
    fn a_full_map_is_understood() {
        let text = format!(
            "{SERIES}[options]\ncell = {{column = 'cell'}}\ndelimiter = ';'\ndecimal_comma = true\n\
             skip_lines = 2\ncurrent_positive = 'discharge'\n[facts]\nnominal_capacity_ah = 2\nchemistry = 'lfp'\n"
        );
        let map = ColumnMap::parse(&text, MapKind::Series).unwrap();
        assert_eq!(map.options.cell, CellName::Column("cell".into()));
        assert_eq!(map.layout(), Layout { delimiter: Some(b';'), decimal_comma: true, skip_lines: 2 });
        assert_eq!(map.options.current_positive, Direction::Discharge);
        assert_eq!(map.facts.nominal_capacity_ah, Some(2.0));
        assert_eq!(
            map.columns["current_ampere"].scale(Scale::default()).factor.to_bits(),
            0.001_f64.to_bits()
        );
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let cases = [
            ("voltge_volt = 'x'", "unknown key `columns.voltge_volt`; did you mean `voltage_volt`?"),
            ("[options]\nskip_line = 1", "unknown key `options.skip_line`; did you mean `skip_lines`?"),
            ("[facts]\nnominal_capacity = 1", "did you mean `nominal_capacity_ah`?"),
            ("[option]", "unknown key `option`; did you mean `options`?"),
            ("[options.cell]\ncolum = 'a'", "did you mean `column`?"),
            ("zzz = 'x'", "known are test_time_second, voltage_volt"),
        ];
        for (line, expected) in cases {
            let message = error(&format!("{SERIES}{line}\n"), MapKind::Series);
            assert!(message.contains(expected), "{line}: {message}");
        }
    }

    #[test]
    fn bad_values_are_refused_with_their_key() {
        let cases = [
            ("[options]\ndelimiter = 'é'", "options.delimiter"),
            ("[options]\nrest_current_ampere = -1.0", "options.rest_current_ampere"),
            ("[options]\ncurrent_positive = 'up'", "current_positive"),
            ("surface_temperature_celsius = {name = 'T', unit = 'bar'}", "surface_temperature_celsius.unit"),
            ("cycle_count = 3", "cycle_count"),
            ("= 3", "line 5"),
        ];
        for (line, expected) in cases {
            let message = error(&format!("{SERIES}{line}\n"), MapKind::Series);
            assert!(message.contains(expected), "{line}: {message}");
        }
        assert!(error("[columns]\nvoltage_volt = 'U'", MapKind::Series).contains("columns.test_time_second"));
    }

    #[test]
    fn inputs_need_descriptor_names_and_units() {
        assert!(
            error("[columns]\ncharge_x = 'a'", MapKind::Inputs)
                .contains("`columns.charge_x.unit` is missing")
        );
        let text = "[columns]\n'Charge X' = {name = 'a', unit = '1'}";
        assert!(error(text, MapKind::Inputs).contains("descriptor name"));
        let text = "[columns]\ncharge_x = {name = 'a', unit = '1', labl = true}";
        assert!(error(text, MapKind::Inputs).contains("did you mean `label`?"));
    }
}
