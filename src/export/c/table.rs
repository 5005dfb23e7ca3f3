//! Constant tables; equal ones are written once.

use std::collections::BTreeMap;

/// Widest line of a table.
const WIDTH: usize = 110;

/// Tables of one source file, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Tables {
    text: String,
    /// Name by type and contents.
    names: BTreeMap<String, String>,
    /// Bytes of all tables.
    pub(super) bytes: usize,
}

impl Tables {
    /// Returns the name of a table of `values`, each of a C type of so many bytes; `name` where there is none yet.
    pub(super) fn add(&mut self, name: &str, (kind, bytes): (&str, usize), values: &[String]) -> String {
        let lines = lines(values);
        let key = format!("{kind}{lines}");
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        self.bytes += bytes * values.len();
        self.text += &format!("static const {kind} {name}[{}] = {{{lines}\n}};\n", values.len());
        self.names.insert(key, name.to_owned());
        name.to_owned()
    }

    /// Returns the definitions.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Returns the smallest type for whole numbers up to `most`, and its bytes.
pub(super) fn whole(most: usize) -> (&'static str, usize) {
    match most {
        0..=0xff => ("uint8_t", 1),
        0x100..=0xffff => ("uint16_t", 2),
        _ => ("uint32_t", 4),
    }
}

fn lines(values: &[String]) -> String {
    let mut text = String::new();
    let mut width = WIDTH;
    for value in values {
        if width + value.len() + 2 > WIDTH {
            text += "\n   ";
            width = 3;
        }
        text += &format!(" {value},");
        width += value.len() + 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tables_are_one() {
        let mut tables = Tables::default();
        let values = ["1.0f".to_owned(), "2.0f".to_owned()];
        assert_eq!(tables.add("a", ("float", 4), &values), "a");
        assert_eq!(tables.add("b", ("float", 4), &values), "a");
        assert_eq!(tables.add("c", ("double", 8), &values), "c");
        assert_eq!(tables.bytes, 24);
        assert_eq!(tables.text().lines().next(), Some("static const float a[2] = {"));
        let long: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        tables.add("long", ("uint8_t", 1), &long);
        assert!(tables.text().lines().all(|line| line.len() <= WIDTH));
    }
}
