//! The readers by the name they have on the command line. A new reader has one line here.

use super::column_map::nearest_hint;
use super::{Reader, arbin, bdf, csv, formation, inputs, matr, nasa, nasa_csv, nasa_flat};

/// Occurs when no reader has the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no format `{name}`: {hint}")]
pub struct UnknownFormat {
    /// Name that was given.
    pub name: String,
    /// The nearest name, or all of them.
    pub hint: String,
}

/// Returns every reader, in the order of the help text.
pub fn readers() -> Vec<Box<dyn Reader>> {
    vec![
        Box::new(nasa::Nasa),
        Box::new(nasa_csv::NasaCsv),
        Box::new(nasa_flat::NasaFlat),
        Box::new(bdf::Bdf),
        Box::new(arbin::Arbin),
        Box::new(csv::Csv),
        Box::new(matr::severson::Severson),
        Box::new(matr::batch::Matr),
        Box::new(formation::Formation),
        Box::new(inputs::Xjtu),
        Box::new(inputs::Inputs),
    ]
}

/// Returns the reader called `name`.
///
/// # Errors
/// [`UnknownFormat`], with the nearest name.
pub fn find(name: &str) -> Result<Box<dyn Reader>, UnknownFormat> {
    let unknown = || {
        let names: Vec<&str> = readers().iter().map(|r| r.name()).collect();
        UnknownFormat { name: name.into(), hint: nearest_hint(name, &names) }
    };
    readers().into_iter().find(|r| r.name() == name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_is_found_by_its_own_name_and_no_name_is_there_twice() {
        let names: Vec<&str> = readers().iter().map(|r| r.name()).collect();
        for name in &names {
            assert_eq!(find(name).map(|r| r.name()), Ok(*name));
            assert_eq!(names.iter().filter(|n| *n == name).count(), 1);
        }
    }

    #[test]
    fn a_wrong_name_is_answered_by_the_nearest_one() {
        let hint = |name: &str| find(name).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(hint("nasacsv"), "no format `nasacsv`: did you mean `nasa-csv`?");
        assert!(hint("?").contains("known are nasa, nasa-csv"), "{}", hint("?"));
    }
}
