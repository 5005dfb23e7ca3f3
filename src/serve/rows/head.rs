//! What a JSON body says beside its rows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::descriptor::did_you_mean;

/// Keys of a request.
const KEYS: [&str; 5] = ["model", "level", "units", "rows", "columns"];

/// What a body says beside its rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::serve) struct Head {
    /// Name of the model.
    pub(in crate::serve) model: Option<String>,
    /// Level of the intervals.
    pub(in crate::serve) level: Option<f64>,
    /// Units of inputs that are not in the model's own.
    pub(in crate::serve) units: BTreeMap<String, String>,
    /// How rows are written, and answers will be.
    pub(in crate::serve) layout: Layout,
}

/// How rows and answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::serve) enum Layout {
    /// A list of objects.
    #[default]
    Rows,
    /// An object of lists.
    Columns,
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with `rows` or `columns`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
        let (mut head, mut seen) = (Head::default(), Vec::new());
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if seen.contains(&key) {
                return Err(Error::custom(format!("`{key}` is given twice")));
            }
            read(&mut head, &key, &mut map)?;
            seen.push(key);
        }
        let has = |key: &str| seen.iter().any(|s| s == key);
        head.layout = match (has("rows"), has("columns")) {
            (true, true) => {
                return Err(Error::custom("both `rows` and `columns` are given; send one of them"));
            }
            (false, false) => return Err(Error::custom("neither `rows` nor `columns` is given")),
            (true, false) => Layout::Rows,
            (false, true) => Layout::Columns,
        };
        Ok(head)
    }
}

fn read<'de, A: MapAccess<'de>>(head: &mut Head, key: &str, map: &mut A) -> Result<(), A::Error> {
    match key {
        "model" => head.model = map.next_value()?,
        "level" => head.level = map.next_value()?,
        "units" => head.units = map.next_value()?,
        "rows" | "columns" => drop(map.next_value::<IgnoredAny>()?),
        other => {
            let hint = did_you_mean(other, KEYS.into_iter());
            let shown: String = other.chars().take(80).collect();
            return Err(Error::custom(format!("unknown key `{}`{hint}", shown.escape_debug())));
        }
    }
    Ok(())
}
