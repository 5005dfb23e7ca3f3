//! A simulated fleet as a dataset, a few cells in memory at a time.

use super::Campaign;
use crate::dataset::store::{CellEntry, Manifest, OnExisting, SCHEMA, Store, StoreError};

/// What the manifest says instead of a format.
const FORMAT: &str = "simulated";

/// Under which name a fleet is stored.
#[derive(Debug, Clone)]
pub struct StoredAs {
    /// Name of the dataset.
    pub name: String,
    /// What to do where the name is taken; adding is refused.
    pub on_existing: OnExisting,
    /// UTC time, RFC 3339.
    pub created: String,
    /// Root of the fleet's streams, for the record.
    pub seed: u64,
}

/// Simulates the cells of `campaign` and stores them; `written` is told each one as soon as it is on disk.
///
/// # Errors
/// [`StoreError`]; the store is then as it was.
pub fn store(
    campaign: &Campaign,
    store: &Store,
    stored_as: &StoredAs,
    written: &mut dyn FnMut(&CellEntry),
) -> Result<Manifest, StoreError> {
    let manifest = Manifest {
        schema: SCHEMA,
        name: stored_as.name.clone(),
        format: FORMAT.into(),
        created: stored_as.created.clone(),
        fadecast: env!("CARGO_PKG_VERSION").into(),
        licence_note: format!(
            "synthetic: made by fadecast's simulator, seed {}, {:?}, {:?}",
            stored_as.seed, campaign.config, campaign.early
        ),
        sources: Vec::new(),
        cells: Vec::new(),
    };
    let make = |position| campaign.cell(position).map(|(cell, _)| cell);
    store.stream(manifest, &make, stored_as.on_existing, written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::simulate::{EarlyTest, FleetConfig};

    #[test]
    fn a_stored_fleet_is_the_simulated_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let config = FleetConfig { n_cells: 5, cycles: 6, bad_record_share: 0.0, ..FleetConfig::default() };
        let early = EarlyTest { cycles: 6, ..EarlyTest::default() };
        let campaign = Campaign::new(&config, Some(&early), &Seed::new(3)).unwrap();
        let on_existing = OnExisting::Refuse;
        let stored_as = StoredAs { name: "n".into(), on_existing, created: String::new(), seed: 3 };
        let mut n_written = 0;
        let manifest = super::store(&campaign, &store, &stored_as, &mut |_| n_written += 1).unwrap();
        assert_eq!((manifest.cells.len(), n_written), (5, 5));
        let mut cells = campaign.fleet().cells;
        cells.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(store.load("n", None).unwrap(), cells);
    }
}
