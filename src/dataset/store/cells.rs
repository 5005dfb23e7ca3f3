//! Cells of a dataset one at a time: for a fleet that is larger than the memory.

use std::path::Path;

use rayon::prelude::*;

use super::{CellEntry, Manifest, Store, StoreError, stem};
use crate::dataset::{Cell, table};
use crate::file;

impl Store {
    /// Loads one cell of a dataset, an entry of its manifest, after verifying its hashes; for many see [`Store::batches`].
    ///
    /// # Errors
    /// [`StoreError::Changed`] or [`StoreError::File`].
    pub fn load_one(&self, name: &str, entry: &CellEntry) -> Result<Cell, StoreError> {
        self.load_tables(name, entry, &table::TABLES)
    }

    /// Loads one cell of a dataset with some of its tables only, after verifying the hashes of those.
    ///
    /// # Errors
    /// As [`Store::load_one`].
    pub fn load_tables(&self, name: &str, entry: &CellEntry, tables: &[&str]) -> Result<Cell, StoreError> {
        load_cell(&self.root.join(name).join("cells"), entry, tables)
    }

    /// Loads the cells of a dataset in the order of its manifest, `n_cells` (at least 1) at a time on all cores.
    ///
    /// No more than one batch is in memory if the caller drops each before it asks for the next.
    ///
    /// # Errors
    /// Each batch as [`Store::load_one`].
    pub fn batches<'a>(
        &'a self,
        manifest: &'a Manifest,
        n_cells: usize,
    ) -> impl Iterator<Item = Result<Vec<Cell>, StoreError>> + 'a {
        let load = |e: &CellEntry| self.load_one(&manifest.name, e);
        manifest.cells.chunks(n_cells.max(1)).map(move |entries| entries.par_iter().map(load).collect())
    }
}

fn load_cell(folder: &Path, entry: &CellEntry, tables: &[&str]) -> Result<Cell, StoreError> {
    let stem = stem(&entry.id);
    let wanted = |name: &String| tables.iter().any(|table| *name == format!("{stem}.{table}.parquet"));
    for (name, sha256) in entry.tables.iter().filter(|(name, _)| wanted(name)) {
        let path = folder.join(name);
        if file::sha256(&path)? != *sha256 {
            return Err(StoreError::Changed { path });
        }
    }
    Ok(table::read_cell(folder, &stem, entry.id.clone(), entry.facts.clone(), tables)?)
}
