//! The whole catalogue on every dataset at hand, each computed once for all tests.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::OnceLock;

use fadecast::dataset::Cell;
use fadecast::dataset::reader::{self, ReadOptions};
use fadecast::descriptor::early::matrix::Matrix;
use fadecast::descriptor::early::{Window, catalogue};
use fadecast::experiment::task;

use crate::program::real_data;

/// Real datasets: name, reader, files of the data folder.
const REAL: [(&str, &str, &[&str]); 7] = [
    ("severson", "severson", &["severson-matr"]),
    ("nasa", "nasa", &["nasa-pcoe/mat"]),
    ("nasa-csv", "nasa-csv", &["nasa-pcoe/per-record-csv-22-cells.tar.zst", "nasa-pcoe/metadata.csv"]),
    ("arbin", "arbin", &["gitt-arbin"]),
    ("bdf", "bdf", &["bdf-examples"]),
    ("formation", "formation", &["formation-cui2024"]),
    ("xjtu", "xjtu", &["partial-charge-features/xjtu-mit.tar.zst"]),
];

/// A dataset and its descriptors over cycles 1 to 100.
pub(super) type Named = (&'static str, Matrix);

/// Returns the real datasets; `None`, and a line that says so, without them.
pub(super) fn real() -> Option<&'static [Named]> {
    static REAL_CELLS: OnceLock<Option<Vec<Named>>> = OnceLock::new();
    REAL_CELLS
        .get_or_init(|| {
            REAL.iter().map(|(name, format, files)| Some((*name, imported(format, files)?))).collect()
        })
        .as_deref()
}

/// Returns the simulated fleets.
pub(super) fn simulated() -> &'static [Named] {
    static FLEETS: OnceLock<Vec<Named>> = OnceLock::new();
    let fleet = |name| (name, computed(&task::embedded(name).unwrap().unwrap().0.fleet().cells));
    FLEETS.get_or_init(|| [task::EMBEDDED, task::EMBEDDED_SOLID_STATE].map(fleet).into())
}

fn imported(format: &str, files: &[&str]) -> Option<Matrix> {
    let paths = files.iter().map(|file| real_data(file)).collect::<Option<Vec<PathBuf>>>()?;
    let reader = reader::registry::find(format).unwrap();
    Some(computed(&reader.read(&paths, &ReadOptions::default(), &mut |_| ()).unwrap()))
}

fn computed(cells: &[Cell]) -> Matrix {
    let descriptors: Vec<_> = catalogue().collect();
    let load = |position: usize| Ok::<Cell, Infallible>(cells[position].clone());
    Matrix::compute(&descriptors, Window::default(), cells.len(), &load, &mut || ()).unwrap()
}
