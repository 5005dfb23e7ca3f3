//! The files of Severson's set, told apart by their names: curves, lives, full-life capacities, list of cells, summary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::headerless;
use crate::dataset::reader::archive::{for_each_file, has_extension};
use crate::dataset::reader::delimited::{Layout, Sheet};
use crate::dataset::reader::{ReadError, collect};
use crate::file::FileError;

/// Points of a curve.
pub(super) const N_POINTS: usize = 1000;

/// Cycles of a curve table: 2 to 100.
pub(super) const CURVE_CYCLES: std::ops::RangeInclusive<u32> = 2..=100;

/// Folder of the capacities over the whole life; curves are in any other.
const FULL_LIFE_FOLDER: &str = "discharge_capacity";

/// Ending of the files of cycle lives.
const LIVES_ENDING: &str = "_cycle_lives";

/// Kinds of archives that a folder of the set may hold.
const ARCHIVES: [&str; 4] = ["zst", "tar", "gz", "zip"];

/// A file that was understood, with the path that errors name.
pub(super) type Read<T> = (PathBuf, T);

/// Everything that was found.
#[derive(Default)]
pub(super) struct Set {
    /// Parts of the published split: `train`, `test1`, ...
    pub(super) splits: BTreeMap<String, Split>,
    /// List of all cells.
    pub(super) index: Option<Sheet>,
    /// Summaries of cells, one cycle a row.
    pub(super) summary: Option<Sheet>,
}

/// Files of one part of the split, by the number of the cell.
#[derive(Default)]
pub(super) struct Split {
    /// Discharge capacity [Ah] on the grid of voltages, one column a cycle of [`CURVE_CYCLES`].
    pub(super) curves: BTreeMap<u32, Read<Vec<Vec<f64>>>>,
    /// Cycles and their discharge capacity [Ah].
    pub(super) full_life: BTreeMap<u32, Read<[Vec<f64>; 2]>>,
    /// Cycle lives, one a cell in the order of their numbers.
    pub(super) lives: Option<Read<Vec<f64>>>,
}

/// What a file is by its name.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Curves(String, u32),
    FullLife(String, u32),
    Lives(String),
    /// A table with a heading line.
    Headed,
}

/// Content of a file.
enum Content {
    Numbers(Vec<Vec<f64>>),
    Sheet(Box<Sheet>),
}

impl Set {
    /// Reads the files of `paths`: files, archives, and folders of both.
    ///
    /// # Errors
    /// [`ReadError`] with the file and the line.
    pub(super) fn read(paths: &[PathBuf], progress: &mut dyn FnMut(&str)) -> Result<Self, ReadError> {
        let mut files = Vec::new();
        for path in sources(paths)? {
            for_each_file(&path, &mut |name| kind(name).is_some(), &mut |name, bytes| {
                files.extend(kind(name).map(|kind| (kind, collect::origin(&path, name), bytes)));
                progress(name);
                Ok(())
            })?;
        }
        let understood: Vec<_> = files.into_par_iter().map(understand).collect();
        let mut set = Self::default();
        for file in understood {
            let (kind, path, content) = file?;
            set.insert(kind, path, content)?;
        }
        Ok(set)
    }

    fn insert(&mut self, kind: Kind, path: PathBuf, content: Content) -> Result<(), ReadError> {
        let twice = |path: PathBuf, first: &Path| {
            let found = format!("the same file was read from `{}` before; name it once", first.display());
            Err(headerless::damaged(&path, "its place in the set".into(), found))
        };
        match (kind, content) {
            (Kind::Headed, Content::Sheet(sheet)) => self.insert_sheet(*sheet),
            (Kind::Curves(split, n), Content::Numbers(columns)) => {
                match self.splits.entry(split).or_default().curves.insert(n, (path.clone(), columns)) {
                    Some((first, _)) => return twice(path, &first),
                    None => return Ok(()),
                }
            }
            (Kind::FullLife(split, n), Content::Numbers(mut columns)) => {
                let pair = [columns.remove(0), columns.remove(0)];
                match self.splits.entry(split).or_default().full_life.insert(n, (path.clone(), pair)) {
                    Some((first, _)) => return twice(path, &first),
                    None => return Ok(()),
                }
            }
            (Kind::Lives(split), Content::Numbers(mut columns)) => {
                self.splits.entry(split).or_default().lives = Some((path, columns.remove(0)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a table whose heading is that of the list of cells or of the summary; others are none of ours.
    fn insert_sheet(&mut self, sheet: Sheet) {
        let has = |name: &str| sheet.header().iter().any(|h| h == name);
        if has("Cell barcode") {
            self.index = Some(sheet);
        } else if has("cell_id") && has("QDischarge") {
            self.summary = Some(sheet);
        }
    }
}

fn understand((kind, path, bytes): (Kind, PathBuf, Vec<u8>)) -> Result<(Kind, PathBuf, Content), ReadError> {
    let content = match &kind {
        Kind::Headed => Content::Sheet(Box::new(Sheet::open(&path, bytes, &Layout::default())?)),
        Kind::Curves(..) => {
            let n_cycles = CURVE_CYCLES.count();
            let columns =
                headerless::columns_of(&path, &bytes, n_cycles, "a table of curves (cycles 2 to 100)")?;
            let n_lines = columns[0].len();
            if n_lines != N_POINTS {
                let found =
                    format!("{n_lines} lines where a table of curves has {N_POINTS}, from 3.5 to 2.0 V");
                return Err(headerless::damaged(&path, "its end".into(), found));
            }
            Content::Numbers(columns)
        }
        Kind::FullLife(..) => {
            let what = "a table of capacities (cycle, capacity, initial capacity)";
            Content::Numbers(headerless::columns_of(&path, &bytes, 3, what)?)
        }
        Kind::Lives(_) => {
            Content::Numbers(headerless::columns_of(&path, &bytes, 1, "a list of cycle lives")?)
        }
    };
    Ok((kind, path, content))
}

/// Returns `paths`, and the archives in the folders among them on their own.
fn sources(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ReadError> {
    let mut sources = paths.to_vec();
    for folder in paths.iter().filter(|p| p.is_dir()) {
        let entries = std::fs::read_dir(folder).map_err(|e| FileError::read(folder, e))?;
        let is_archive = |p: &PathBuf| ARCHIVES.iter().any(|e| has_extension(&p.to_string_lossy(), e));
        let is_plain_gz = |p: &PathBuf| p.to_string_lossy().ends_with(".csv.gz");
        let mut inner: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        inner.retain(|p| p.is_file() && is_archive(p) && !is_plain_gz(p));
        inner.sort();
        sources.extend(inner);
    }
    Ok(sources)
}

/// Returns what a file is by its name; `None` for one that is not of the set.
fn kind(name: &str) -> Option<Kind> {
    if !has_extension(name, "csv") {
        return None;
    }
    let stem = collect::stem(name);
    if let Some(split) = stem.strip_suffix(LIVES_ENDING) {
        return Some(Kind::Lives(split.into()));
    }
    let number = stem.strip_prefix("cell").and_then(|n| n.parse().ok());
    let folders: Vec<&str> = name.split('/').rev().skip(1).collect();
    match (number, folders.first()) {
        (Some(n), Some(split)) if folders.contains(&FULL_LIFE_FOLDER) => {
            Some(Kind::FullLife((*split).into(), n))
        }
        (Some(n), Some(split)) => Some(Kind::Curves((*split).into(), n)),
        (Some(_), None) => None,
        (None, _) => Some(Kind::Headed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_names() {
        for (name, expected) in [
            ("data/train/cell6.csv", Some(Kind::Curves("train".into(), 6))),
            ("test1/cell43.csv", Some(Kind::Curves("test1".into(), 43))),
            ("discharge_capacity/test1/cell6.csv", Some(Kind::FullLife("test1".into(), 6))),
            ("data/cycle_lives/test1_cycle_lives.csv", Some(Kind::Lives("test1".into()))),
            ("batch1-cycle-summary-46-cells.csv", Some(Kind::Headed)),
            ("LICENSE", None),
            ("cell6.csv", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }
}
