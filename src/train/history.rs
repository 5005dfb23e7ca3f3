//! The history of a fit: one JSON line for each member and epoch, the same bytes for the same fit, killed or not.
//!
//! ```text
//! {"epoch":1,"member":"B0005/seed0","train_loss":0.41,"validation_loss":0.39,"learning_rate":0.001,"best":true}
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EpochReport, MemberReport, Observe, StopReason};
use crate::file::{self, FileError, Journal};

/// One line of a history; a loss that is no number is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// Epoch that ended, from 1.
    pub epoch: u32,
    /// Name of the member.
    pub member: String,
    /// Mean of the losses of its steps, each before the step.
    pub train_loss: Option<f64>,
    /// Loss over its validation rows after the epoch.
    pub validation_loss: Option<f64>,
    /// Learning rate of its steps.
    pub learning_rate: f64,
    /// Whether these are its best weights so far.
    pub best: bool,
    /// Why it stopped, if it did in this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopReason>,
}

/// Why a history does not belong to the checkpoint beside it.
#[derive(Debug, thiserror::Error)]
#[error("the history ends with epoch {last}, the checkpoint stands in epoch {epoch}; start the run anew")]
struct HistoryGap {
    last: u32,
    epoch: u32,
}

/// Writes the history of a fit.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    journal: Option<Journal>,
}

impl History {
    /// Returns a history that will stand in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), journal: None }
    }

    /// Reads a history.
    ///
    /// # Errors
    /// [`FileError::Read`]; [`FileError::Parse`] where a line is not one of a history.
    pub fn read(path: &Path) -> Result<Vec<HistoryLine>, FileError> {
        let parse = |line| serde_json::from_str(line).map_err(|e| FileError::parse(path, e));
        file::read_text(path)?.lines().map(parse).collect()
    }

    fn journal(&mut self) -> Result<&mut Journal, FileError> {
        if self.journal.is_none() {
            self.begin(1)?;
        }
        Ok(self.journal.as_mut().expect("begin opens the journal"))
    }
}

impl Observe for History {
    fn begin(&mut self, epoch: u32) -> Result<(), FileError> {
        let keep = if epoch > 1 { n_bytes_before(&self.path, epoch)? } else { 0 };
        self.journal = Some(Journal::open(&self.path, keep)?);
        Ok(())
    }

    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
        let mut text = Vec::new();
        for member in report.members {
            let written = serde_json::to_writer(&mut text, &line(report.epoch, member));
            written.map_err(|e| FileError::parse(&self.path, e))?;
            text.push(b'\n');
        }
        self.journal()?.append(&text)
    }

    fn persist(&mut self) -> Result<(), FileError> {
        self.journal()?.sync()
    }
}

fn line(epoch: u32, report: &MemberReport<'_>) -> HistoryLine {
    HistoryLine {
        epoch,
        member: report.name.into(),
        train_loss: Some(report.train_loss).filter(|l| l.is_finite()),
        validation_loss: report.validation_loss.filter(|l| l.is_finite()),
        learning_rate: report.learning_rate,
        best: report.best,
        stop: report.stop,
    }
}

/// Returns how many bytes the lines of the epochs before `epoch` take; those epochs must all be there.
fn n_bytes_before(path: &Path, epoch: u32) -> Result<u64, FileError> {
    let (mut n_bytes, mut last) = (0, 0);
    for line in file::read(path)?.split_inclusive(|&b| b == b'\n') {
        match serde_json::from_slice::<HistoryLine>(line) {
            Ok(found) if found.epoch < epoch && line.ends_with(b"\n") => last = found.epoch,
            Err(e) if line.ends_with(b"\n") => return Err(FileError::parse(path, e)),
            _ => break,
        }
        n_bytes += line.len() as u64;
    }
    if last + 1 == epoch { Ok(n_bytes) } else { Err(FileError::parse(path, HistoryGap { last, epoch })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(history: &mut History, epochs: std::ops::RangeInclusive<u32>) {
        for epoch in epochs {
            let report = |name| MemberReport {
                name,
                train_loss: 1.0 / f64::from(epoch),
                validation_loss: (epoch > 1).then_some(f64::NAN),
                learning_rate: 0.1,
                best: epoch == 2,
                stop: (epoch == 5).then_some(StopReason::EarlyStop { best_epoch: 2 }),
            };
            let members = [report("a"), report("b")];
            history.epoch_finished(&EpochReport { epoch, epochs: 9, members: &members }).unwrap();
        }
    }

    #[test]
    fn lines_beyond_the_checkpoint_and_torn_lines_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        tell(&mut History::new(&path), 1..=5);
        let straight = file::read(&path).unwrap();
        for n_bytes in (straight.len() / 2)..=straight.len() {
            file::write_atomic(&path, &straight[..n_bytes]).unwrap();
            let mut resumed = History::new(&path);
            resumed.begin(3).unwrap();
            tell(&mut resumed, 3..=5);
            assert_eq!(file::read(&path).unwrap(), straight);
        }
        let lines = History::read(&path).unwrap();
        assert_eq!(lines.len(), 10);
        assert_eq!((lines[3].train_loss, lines[3].validation_loss, lines[3].best), (Some(0.5), None, true));
        assert_eq!(lines[9].stop, Some(StopReason::EarlyStop { best_epoch: 2 }));
    }

    #[test]
    fn a_fit_that_begins_anew_begins_an_empty_history() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        tell(&mut History::new(&path), 1..=5);
        History::new(&path).begin(1).unwrap();
        assert_eq!(file::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_history_with_epochs_missing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        assert!(matches!(History::new(&path).begin(2), Err(FileError::Read { .. })));
        tell(&mut History::new(&path), 1..=2);
        assert!(matches!(History::new(&path).begin(4), Err(FileError::Parse { .. })));
        file::write_atomic(&path, b"{\"epoch\": 1}\n").unwrap();
        assert!(matches!(History::new(&path).begin(2), Err(FileError::Parse { .. })));
    }
}
