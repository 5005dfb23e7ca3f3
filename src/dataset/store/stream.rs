//! A dataset whose cells are made while they are written: no more of them in memory than there are cores.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::{CellEntry, Manifest, OnExisting, Store, StoreError, check_name, write_cell};
use crate::dataset::Cell;
use crate::file;

/// Makes the cell at a position, from 0; `None` past the last one.
pub type Make<'a> = dyn Fn(usize) -> Option<Cell> + Sync + 'a;

impl Store {
    /// Stores the cells that `make` gives under `manifest.name`, whole or not at all; `written` is told each one, in the
    /// order in which they are done. `manifest.cells` is filled in here.
    ///
    /// # Errors
    /// [`StoreError::Exists`] unless `on_existing` says replace, [`StoreError::Name`] or [`StoreError::File`].
    pub fn stream(
        &self,
        mut manifest: Manifest,
        make: &Make,
        on_existing: OnExisting,
        written: &mut dyn FnMut(&CellEntry),
    ) -> Result<Manifest, StoreError> {
        check_name(&manifest.name)?;
        self.recover(&manifest.name)?;
        if self.root.join(&manifest.name).exists() && on_existing != OnExisting::Replace {
            return Err(StoreError::Exists { name: manifest.name });
        }
        self.anew(&manifest.name.clone(), |folder| {
            manifest.cells = write_cells(&folder.join("cells"), make, written)?;
            manifest.cells.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(file::write_json(&folder.join("manifest.json"), &manifest)?)
        })?;
        Ok(manifest)
    }

    /// Puts the folder that `write` fills in the place of the dataset `name`, or leaves what was there.
    pub(super) fn anew(
        &self,
        name: &str,
        write: impl FnOnce(&Path) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let fresh = self.hidden(name, "new");
        let stored = file::remove_folder(&fresh).map_err(StoreError::from).and_then(|()| write(&fresh));
        let published = stored.and_then(|()| self.publish(&fresh, name));
        if published.is_err() {
            let _ = file::remove_folder(&fresh);
        }
        published
    }
}

/// Writes the cells on plain threads: one of rayon's that waits for its tables would begin another cell meanwhile.
fn write_cells(
    folder: &Path,
    make: &Make,
    written: &mut dyn FnMut(&CellEntry),
) -> Result<Vec<CellEntry>, StoreError> {
    file::create_folder(folder)?;
    let next = AtomicUsize::new(0);
    let (done, entries) = mpsc::channel();
    let work = |done: mpsc::Sender<Result<CellEntry, StoreError>>| {
        // A receiver that has gone away has met an error: there is no use in more cells.
        while let Some(cell) = make(next.fetch_add(1, Ordering::Relaxed))
            && done.send(write_cell(folder, &cell)).is_ok()
        {}
    };
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            let done = done.clone();
            scope.spawn(|| work(done));
        }
        drop(done);
        entries.into_iter().map(|entry| entry.inspect(&mut *written)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{CellId, Phase};
    use crate::dataset::{CellFacts, Record};

    fn manifest(name: &str) -> Manifest {
        Manifest {
            schema: super::super::SCHEMA,
            name: name.into(),
            format: "test".into(),
            created: "2026-01-01T00:00:00Z".into(),
            fadecast: "0".into(),
            licence_note: String::new(),
            sources: Vec::new(),
            cells: Vec::new(),
        }
    }

    fn cell(position: usize) -> Option<Cell> {
        let records = vec![Record::new(0, Phase::Charge); position];
        let id = CellId::new(format!("C{position}"));
        (position < 7).then(|| Cell { id, facts: CellFacts::default(), records, table: None })
    }

    #[test]
    fn a_stream_stores_what_an_import_of_the_same_cells_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let cells: Vec<Cell> = (0..7).map_while(cell).collect();
        let whole = store.import(manifest("whole"), &cells, OnExisting::Refuse).unwrap();
        let mut names = Vec::new();
        let streamed = store.stream(manifest("streamed"), &cell, OnExisting::Refuse, &mut |entry| {
            names.push(entry.id.to_string());
        });
        assert_eq!(streamed.as_ref().unwrap().cells, whole.cells);
        assert_eq!(store.load("streamed", None).unwrap(), cells);
        names.sort();
        assert_eq!(names, ["C0", "C1", "C2", "C3", "C4", "C5", "C6"]);
        let again = store.stream(manifest("streamed"), &cell, OnExisting::Add, &mut |_| ());
        assert!(matches!(again, Err(StoreError::Exists { .. })));
        store.stream(manifest("streamed"), &|_| None, OnExisting::Replace, &mut |_| ()).unwrap();
        assert!(store.load("streamed", None).unwrap().is_empty());
    }

    #[test]
    fn a_cell_that_cannot_be_written_ends_the_stream_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        // Longer than the names of files may be.
        let long = |position| cell(position).map(|c| Cell { id: CellId::new("x".repeat(300)), ..c });
        let streamed = store.stream(manifest("n"), &long, OnExisting::Refuse, &mut |_| ());
        assert!(matches!(streamed, Err(StoreError::File(_))));
        assert_eq!(std::fs::read_dir(folder.path().join("datasets")).unwrap().count(), 0);
    }
}
