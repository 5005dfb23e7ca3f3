//! The folder `datasets/`: one sub-folder a dataset, a manifest and the Parquet tables of its cells.
//!
//! A dataset appears under its name only when it is whole. Adding cells writes their tables first and the manifest
//! last, so a crash leaves the old dataset; replacing one moves the old folder aside until the new one is in place.

mod cells;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::stream::Make;
use super::table;
use super::{Cell, CellFacts};
use crate::cell::{CellId, Phase};
use crate::file::{self, FileError};

/// Version of the folder layout and of the tables' columns.
pub const SCHEMA: u32 = 1;

/// Cells that are written side by side: a thread that waits for the columns of one takes on another, and its stack grows.
const CELLS_AT_A_TIME: usize = 16;

/// What a dataset is and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the layout, see [`SCHEMA`].
    pub schema: u32,
    /// Name of the dataset, also of its folder.
    pub name: String,
    /// Reader that made it.
    pub format: String,
    /// UTC time of the import, RFC 3339.
    pub created: String,
    /// Version of fadecast that made it.
    pub fadecast: String,
    /// Where the data comes from and under which licence, as far as is known.
    pub licence_note: String,
    /// Files that were read.
    pub sources: Vec<SourceFile>,
    /// Cells, ascending by id.
    pub cells: Vec<CellEntry>,
}

/// One file that a dataset was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Name of the file, without its folder.
    pub name: String,
    /// Size [bytes].
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// One cell of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellEntry {
    /// Name of the cell.
    pub id: CellId,
    /// What is known of it.
    pub facts: CellFacts,
    /// Number of records by phase; phases without a record are absent.
    pub records: BTreeMap<Phase, usize>,
    /// Number of samples of all records.
    pub samples: usize,
    /// Number of records with a curve of capacity against voltage.
    #[serde(default)]
    pub curves: usize,
    /// Rows of the table of ready-made inputs.
    pub input_rows: usize,
    /// Files of the cell with their SHA-256.
    pub tables: BTreeMap<String, String>,
}

/// Why a dataset could not be opened or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Occurs when a file of the store cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when no dataset has the name.
    #[error("no dataset `{name}` in `{root}`{hint}")]
    Unknown {
        /// Name that was asked for.
        name: String,
        /// Folder that was searched.
        root: PathBuf,
        /// What to do.
        hint: String,
    },
    /// Occurs when an import would overwrite a dataset.
    #[error(
        "dataset `{name}` exists already; use --add for new cells, --replace to make it anew, or another --name"
    )]
    Exists {
        /// Name that is taken.
        name: String,
    },
    /// Occurs when cells to add are there already.
    #[error("dataset `{name}` has cell `{cell}` already; --add takes new cells only")]
    CellExists {
        /// Name of the dataset.
        name: String,
        /// Cell that is there already.
        cell: CellId,
    },
    /// Occurs when a name cannot be that of a folder.
    #[error(
        "`{name}` is no dataset name: use letters, digits, `-`, `_` and `.`, and begin with a letter or digit"
    )]
    Name {
        /// Name that was given.
        name: String,
    },
    /// Occurs when a dataset was written by another version.
    #[error(
        "dataset `{name}` has layout {found}, this program reads {SCHEMA}; import it again with --replace"
    )]
    Schema {
        /// Name of the dataset.
        name: String,
        /// Layout that was found.
        found: u32,
    },
    /// Occurs when a table's bytes are not those that the manifest states.
    #[error(
        "`{path}` is not the file that was imported (its SHA-256 differs); import the dataset again with --replace"
    )]
    Changed {
        /// Table that differs.
        path: PathBuf,
    },
}

/// What an import does where the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// Refuse.
    Refuse,
    /// Add new cells.
    Add,
    /// Make the dataset anew.
    Replace,
}

/// The folder that holds all datasets.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Returns the store `datasets/` under a working directory.
    pub fn new(working_directory: &Path) -> Self {
        Self { root: working_directory.join("datasets") }
    }

    /// Returns the manifests of all datasets, ascending by name.
    ///
    /// # Errors
    /// [`StoreError::File`] where a manifest is damaged.
    pub fn list(&self) -> Result<Vec<Manifest>, StoreError> {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return Ok(Vec::new()) };
        let mut names: Vec<String> =
            entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|n| !n.starts_with('.') && self.root.join(n).join("manifest.json").exists());
        names.sort();
        names.iter().map(|n| self.manifest(n)).collect()
    }

    /// Returns the manifest of a dataset.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Schema`], [`StoreError::Name`] or [`StoreError::File`].
    pub fn manifest(&self, name: &str) -> Result<Manifest, StoreError> {
        check_name(name)?;
        self.recover(name)?;
        let path = self.root.join(name).join("manifest.json");
        if !path.exists() {
            return Err(self.unknown(name));
        }
        let version: SchemaOnly = file::read_json(&path)?;
        if version.schema != SCHEMA {
            return Err(StoreError::Schema { name: name.into(), found: version.schema });
        }
        Ok(file::read_json(&path)?)
    }

    /// Loads cells of a dataset, all or those named, after verifying the hashes of their tables.
    ///
    /// # Errors
    /// As [`Store::manifest`], and [`StoreError::Changed`].
    pub fn load(&self, name: &str, only: Option<&[CellId]>) -> Result<Vec<Cell>, StoreError> {
        let manifest = self.manifest(name)?;
        let wanted = |e: &&CellEntry| only.is_none_or(|ids| ids.contains(&e.id));
        let entries: Vec<&CellEntry> = manifest.cells.iter().filter(wanted).collect();
        entries.into_par_iter().map(|e| self.load_one(name, e)).collect()
    }

    /// Stores `cells` under `manifest.name`; `manifest.cells` is filled in here.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::CellExists`], [`StoreError::Name`] or [`StoreError::File`].
    pub fn import(
        &self,
        mut manifest: Manifest,
        cells: &[Cell],
        on_existing: OnExisting,
    ) -> Result<Manifest, StoreError> {
        check_name(&manifest.name)?;
        self.recover(&manifest.name)?;
        let folder = self.root.join(&manifest.name);
        match (folder.exists(), on_existing) {
            (true, OnExisting::Refuse) => Err(StoreError::Exists { name: manifest.name }),
            (true, OnExisting::Add) => self.add(&manifest, cells),
            _ => {
                self.anew(&manifest.name.clone(), |folder| write_dataset(folder, &mut manifest, cells))?;
                Ok(manifest)
            }
        }
    }

    /// Refuses a name that [`Store::import`] would refuse, before the sources are read.
    ///
    /// # Errors
    /// [`StoreError::Name`], or [`StoreError::Exists`] where `on_existing` says so.
    pub fn check_free(&self, name: &str, on_existing: OnExisting) -> Result<(), StoreError> {
        check_name(name)?;
        self.recover(name)?;
        match on_existing {
            OnExisting::Refuse if self.root.join(name).exists() => {
                Err(StoreError::Exists { name: name.into() })
            }
            _ => Ok(()),
        }
    }

    /// Returns the hidden folder of unfinished downloads.
    pub fn downloads(&self) -> PathBuf {
        self.root.join(".downloads")
    }

    fn add(&self, addition: &Manifest, cells: &[Cell]) -> Result<Manifest, StoreError> {
        let mut manifest = self.manifest(&addition.name)?;
        let known = |id: &CellId| manifest.cells.iter().any(|e| e.id == *id);
        if let Some(cell) = cells.iter().find(|c| known(&c.id)) {
            return Err(StoreError::CellExists { name: manifest.name, cell: cell.id.clone() });
        }
        let folder = self.root.join(&manifest.name);
        manifest.cells.extend(write_cells(&folder.join("cells"), cells)?);
        manifest.cells.sort_by(|a, b| a.id.cmp(&b.id));
        manifest.sources.extend(addition.sources.iter().cloned());
        file::write_json(&folder.join("manifest.json"), &manifest)?;
        Ok(manifest)
    }

    fn publish(&self, fresh: &Path, name: &str) -> Result<(), StoreError> {
        let folder = self.root.join(name);
        let old = self.hidden(name, "old");
        if folder.exists() {
            file::remove_folder(&old)?;
            file::publish_folder(&folder, &old)?;
        }
        file::publish_folder(fresh, &folder)?;
        Ok(file::remove_folder(&old)?)
    }

    /// Brings back the old folder where a replacement was cut off between its two renames.
    fn recover(&self, name: &str) -> Result<(), StoreError> {
        let (folder, old) = (self.root.join(name), self.hidden(name, "old"));
        if old.exists() && !folder.exists() {
            file::publish_folder(&old, &folder)?;
        }
        Ok(())
    }

    fn hidden(&self, name: &str, what: &str) -> PathBuf {
        self.root.join(format!(".{name}.{what}"))
    }

    fn unknown(&self, name: &str) -> StoreError {
        let present: Vec<String> = self.list().unwrap_or_default().into_iter().map(|m| m.name).collect();
        let hint = match (name, present.is_empty()) {
            ("nasa-pcoe", _) => {
                "; make it with `fadecast datasets import nasa B0005.mat B0006.mat B0007.mat \
                B0018.mat --name nasa-pcoe`, or download it with `fadecast datasets fetch nasa-pcoe`"
                    .into()
            }
            (_, true) => {
                "; there is none yet: `fadecast datasets import FORMAT PATH... --name NAME` makes one".into()
            }
            _ => format!("; there are {}", present.join(", ")),
        };
        StoreError::Unknown { name: name.into(), root: self.root.clone(), hint }
    }
}

impl Manifest {
    /// Returns one SHA-256 over what is known of every cell and all its tables: what a run records as its data.
    pub fn data_sha256(&self) -> String {
        let of_cell = |c: &CellEntry| format!("{} {:?} {:?}\n", c.id, c.facts, c.tables);
        file::sha256_bytes(self.cells.iter().map(of_cell).collect::<String>().as_bytes())
    }
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if plain && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(StoreError::Name { name: name.into() })
}

fn write_dataset(folder: &Path, manifest: &mut Manifest, cells: &[Cell]) -> Result<(), StoreError> {
    manifest.cells = write_cells(&folder.join("cells"), cells)?;
    manifest.cells.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(file::write_json(&folder.join("manifest.json"), manifest)?)
}

fn write_cells(folder: &Path, cells: &[Cell]) -> Result<Vec<CellEntry>, StoreError> {
    file::create_folder(folder)?;
    let mut entries = Vec::with_capacity(cells.len());
    for some in cells.chunks(CELLS_AT_A_TIME) {
        let written: Result<Vec<CellEntry>, StoreError> =
            some.par_iter().map(|c| write_cell(folder, c)).collect();
        entries.extend(written?);
    }
    Ok(entries)
}

fn write_cell(folder: &Path, cell: &Cell) -> Result<CellEntry, StoreError> {
    let tables = table::write_cell(folder, &stem(&cell.id), cell)?;
    let mut records = BTreeMap::new();
    for record in &cell.records {
        *records.entry(record.phase).or_default() += 1;
    }
    Ok(CellEntry {
        id: cell.id.clone(),
        facts: cell.facts.clone(),
        records,
        samples: cell.records.iter().map(|r| r.samples.len()).sum(),
        curves: cell.records.iter().filter(|r| r.curve.is_some()).count(),
        input_rows: cell.table.as_ref().map_or(0, |t| t.cycle_count.len()),
        tables,
    })
}

/// Returns a file name for a cell: its id with every other character than `A-Za-z0-9_-` as `%` and its code point.
fn stem(id: &CellId) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    id.as_str().chars().map(|c| if plain(c) { c.to_string() } else { format!("%{:x}.", c as u32) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Record;

    fn manifest(name: &str) -> Manifest {
        Manifest {
            schema: SCHEMA,
            name: name.into(),
            format: "test".into(),
            created: "2026-01-01T00:00:00Z".into(),
            fadecast: "0".into(),
            licence_note: String::new(),
            sources: Vec::new(),
            cells: Vec::new(),
        }
    }

    fn cell(id: &str) -> Cell {
        let records = vec![Record::new(0, Phase::Charge)];
        Cell { id: CellId::new(id), facts: CellFacts::default(), records, table: None }
    }

    #[test]
    fn an_import_refuses_adds_and_replaces_as_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.import(manifest("n"), &[cell("A")], OnExisting::Refuse).unwrap();
        let again = store.import(manifest("n"), &[cell("B")], OnExisting::Refuse);
        assert!(matches!(again, Err(StoreError::Exists { .. })));
        store.import(manifest("n"), &[cell("B/é")], OnExisting::Add).unwrap();
        let twice = store.import(manifest("n"), &[cell("A")], OnExisting::Add);
        assert!(matches!(twice, Err(StoreError::CellExists { .. })));
        assert_eq!(store.load("n", None).unwrap().len(), 2);
        store.import(manifest("n"), &[cell("C")], OnExisting::Replace).unwrap();
        assert_eq!(store.load("n", None).unwrap()[0].id, CellId::new("C"));
        assert_eq!(
            std::fs::read_dir(folder.path().join("datasets")).unwrap().count(),
            1,
            "nothing hidden is left"
        );
    }

    #[test]
    fn cells_come_one_at_a_time_or_a_few_as_they_come_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let stored = ["C", "A/1", "B"].map(cell);
        let manifest = store.import(manifest("n"), &stored, OnExisting::Refuse).unwrap();
        let whole = store.load("n", None).unwrap();
        let batches: Vec<Vec<Cell>> = store.batches(&manifest, 2).map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(batches.concat(), whole);
        assert_eq!(store.batches(&manifest, 0).count(), 3);
        assert_eq!(store.load_one("n", &manifest.cells[1]).unwrap(), whole[1]);
        file::write_atomic(&folder.path().join("datasets/n/cells/C.records.parquet"), b"x").unwrap();
        let last = store.batches(&manifest, 2).nth(1).unwrap();
        assert!(matches!(last, Err(StoreError::Changed { .. })));
    }

    #[test]
    fn another_life_of_a_cell_is_other_data() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let manifest = store.import(manifest("n"), &[cell("A")], OnExisting::Refuse).unwrap();
        assert_eq!(manifest.data_sha256(), store.manifest("n").unwrap().data_sha256());
        let mut other = manifest.clone();
        other.cells[0].facts.cycle_life = Some(500.0);
        assert_ne!(manifest.data_sha256(), other.data_sha256());
    }

    #[test]
    fn a_replacement_that_was_cut_off_leaves_the_old_dataset() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.import(manifest("n"), &[cell("A")], OnExisting::Refuse).unwrap();
        let root = folder.path().join("datasets");
        std::fs::rename(root.join("n"), root.join(".n.old")).unwrap();
        assert_eq!(store.manifest("n").unwrap().cells[0].id, CellId::new("A"));
    }

    #[test]
    fn a_changed_table_an_unknown_name_and_a_path_as_name_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.import(manifest("n"), &[cell("A")], OnExisting::Refuse).unwrap();
        file::write_atomic(&folder.path().join("datasets/n/cells/A.records.parquet"), b"x").unwrap();
        assert!(matches!(store.load("n", None), Err(StoreError::Changed { .. })));
        assert!(store.manifest("m").unwrap_err().to_string().contains("there are n"));
        assert!(matches!(store.manifest("../n"), Err(StoreError::Name { .. })));
    }

    #[test]
    fn another_layout_is_refused_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        file::create_folder(&folder.path().join("datasets/n")).unwrap();
        file::write_atomic(&folder.path().join("datasets/n/manifest.json"), b"{\"schema\": 99, \"x\": 1}")
            .unwrap();
        assert!(matches!(store.manifest("n"), Err(StoreError::Schema { found: 99, .. })));
    }
}
