//! The cells of a dataset or of an embedded fleet, one at a time: for what is too large for the memory.

use std::path::Path;

use super::error::ExperimentError;
use super::task::embedded;
use crate::cell::CellId;
use crate::dataset::Cell;
use crate::dataset::store::{CellEntry, Store, StoreError};
use crate::descriptor;
use crate::descriptor::early::EarlyDescriptor;
use crate::descriptor::early::matrix::UnknownName;
use crate::descriptor::early::needs;
use crate::file;
use crate::simulate::Campaign;

/// Cells that are read or simulated when they are asked for.
#[derive(Debug)]
pub struct CellSource {
    /// Whether a simulator made any of them.
    pub synthetic: bool,
    /// SHA-256 of the whole dataset, or of what an embedded fleet is made from.
    pub data_sha256: String,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    Stored { store: Store, dataset: String, entries: Vec<CellEntry> },
    Simulated { campaign: Box<Campaign>, positions: Vec<usize> },
}

impl CellSource {
    /// Opens the cells of a dataset that match one of the patterns, where `*` stands for any text; all without a pattern.
    ///
    /// # Errors
    /// [`ExperimentError`] where the dataset is missing, [`UnknownName`] in it where a pattern matches no cell.
    pub fn open(root: &Path, dataset: &str, patterns: &[String]) -> Result<Self, ExperimentError> {
        if let Some((campaign, text)) = embedded(dataset)? {
            let ids: Vec<&CellId> = campaign.ids().collect();
            let positions = matching(patterns, &ids)?;
            let campaign = Box::new(campaign);
            let data_sha256 = file::sha256_bytes(text.as_bytes());
            return Ok(Self {
                synthetic: true,
                data_sha256,
                origin: Origin::Simulated { campaign, positions },
            });
        }
        let store = Store::new(root);
        let manifest = store.manifest(dataset)?;
        let data_sha256 = manifest.data_sha256();
        let ids: Vec<&CellId> = manifest.cells.iter().map(|e| &e.id).collect();
        let entries: Vec<CellEntry> =
            matching(patterns, &ids)?.into_iter().map(|i| manifest.cells[i].clone()).collect();
        let synthetic = entries.iter().any(|e| e.facts.synthetic);
        let dataset = dataset.to_owned();
        Ok(Self { synthetic, data_sha256, origin: Origin::Stored { store, dataset, entries } })
    }

    /// Returns the number of cells.
    pub fn len(&self) -> usize {
        match &self.origin {
            Origin::Stored { entries, .. } => entries.len(),
            Origin::Simulated { positions, .. } => positions.len(),
        }
    }

    /// Returns whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the cell at a position, from 0, with the tables that `descriptors` need; a simulated cell is whole.
    ///
    /// # Errors
    /// [`StoreError`], which names the file.
    ///
    /// # Panics
    /// At a position past the last cell.
    pub fn cell(&self, position: usize, descriptors: &[&EarlyDescriptor]) -> Result<Cell, StoreError> {
        match &self.origin {
            Origin::Stored { store, dataset, entries } => {
                let entry = &entries[position];
                store.load_tables(dataset, entry, &needs::tables(descriptors, &entry.facts))
            }
            Origin::Simulated { campaign, positions } => {
                let lived = campaign.cell(positions[position]);
                Ok(lived.expect("invariant: positions are those of the campaign's plans").0)
            }
        }
    }
}

/// Returns the positions of the cells that match a pattern; each pattern must match one.
fn matching(patterns: &[String], ids: &[&CellId]) -> Result<Vec<usize>, UnknownName> {
    let matches = |pattern: &String, id: &CellId| descriptor::matches(pattern, id.as_str());
    if let Some(unknown) = patterns.iter().find(|p| ids.iter().all(|id| !matches(p, id))) {
        return Err(UnknownName::new("cell", unknown, ids.iter().map(|id| id.as_str())));
    }
    let wanted = |i: &usize| patterns.is_empty() || patterns.iter().any(|p| matches(p, ids[*i]));
    Ok((0..ids.len()).filter(wanted).collect())
}
