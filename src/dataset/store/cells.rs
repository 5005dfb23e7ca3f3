//! Cells of a dataset one at a time: for a fleet that is larger than the memory.

use std::path::Path;

use rayon::prelude::*;

use super::{CellEntry, Manifest, Store, StoreError, stem};
use crate::dataset::Cell;
use crate::dataset::table::{self, TableFile};
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

/// Reads every wanted table once: what is decoded is what was hashed.
fn load_cell(folder: &Path, entry: &CellEntry, tables: &[&str]) -> Result<Cell, StoreError> {
    let stem = stem(&entry.id);
    let read = |table: &str| {
        let name = table::file_name(&stem, table);
        let Some(sha256) = entry.tables.get(&name).filter(|_| tables.contains(&table)) else {
            return Ok(None);
        };
        let path = folder.join(name);
        let bytes = file::read(&path)?;
        if file::sha256_bytes(&bytes) != *sha256 {
            return Err(StoreError::Changed { path });
        }
        Ok(Some(TableFile { path, bytes }))
    };
    table::read_cell(entry.id.clone(), entry.facts.clone(), &read)
}
