//! Studies: a search on disk that several processes share and that survives whatever ends them.
//!
//! ```text
//! <folder>/journal.jsonl    what happened, one event a line; the only truth
//!          trial_<id>/      what training left, and files for other programs
//!          workers/         signs of life
//!          study.lock       held for milliseconds, to read the journal's end and append to it
//!          search.lock      held by `fadecast tune`, so that there is one
//! ```
//!
//! Whoever changes a study takes its lock, reads what others appended, decides, appends and syncs; nothing is decided on
//! old news. Everything else in the folder follows from the journal and is made anew where it is missing.

mod choose;
mod error;
mod event;
#[cfg(test)]
mod fake;
mod header;
mod journal;
mod lease;
mod lock;
mod retention;
mod state;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use event::{Event, Settings};
use journal::Log;
use lock::Lock;
use state::State;

use super::config::TunerConfig;
use super::objective::Objective;
use super::oracle::View;
use super::trial::{Origin, Status, Trial};
use crate::file::{self, FileError};
use crate::seed::Seed;

pub use error::StudyError;
pub use header::{FORMAT, Header};
pub use lease::Beat;
pub use lock::SearchLock;
pub use state::Lease;
pub use work::{Crew, Ended, Watch, WorkOptions, work};

/// A search on disk, as it was when it was last read.
#[derive(Debug)]
pub struct Study {
    folder: PathBuf,
    state: State,
    log: Log,
    seed: Seed,
}

/// A batch that is not finished, and what its worker says.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The batch.
    pub lease: Lease,
    /// How far it is; `None` when nobody works on it or nothing was said yet.
    pub beat: Option<Beat>,
}

/// Keeps files for other programs in step with a study. They may lag behind after a kill.
pub trait Derive {
    /// Hears which trials are new or changed, under the study's lock, after the journal is on the disk.
    ///
    /// # Errors
    /// Where a file cannot be written.
    fn changed(&mut self, study: &Study, trials: &[usize]) -> Result<(), FileError>;

    /// Makes all files agree with the study, under its lock: what is missing, damaged or behind is made anew.
    ///
    /// # Errors
    /// Where a file cannot be written.
    fn all(&mut self, study: &Study) -> Result<(), FileError>;
}

/// No files for other programs.
impl Derive for () {
    fn changed(&mut self, _: &Study, _: &[usize]) -> Result<(), FileError> {
        Ok(())
    }

    fn all(&mut self, _: &Study) -> Result<(), FileError> {
        Ok(())
    }
}

impl Study {
    /// Goes on with the study in `folder`, or begins it; settings that may change are changed for all its workers.
    ///
    /// # Errors
    /// [`StudyError::Differs`] where it is a study of something else, [`StudyError::Newer`], [`StudyError::Corrupt`],
    /// [`StudyError::Append`] or [`StudyError::File`].
    pub fn open(folder: &Path, header: Header) -> Result<Self, StudyError> {
        file::create_folder(folder)?;
        let _held = lock::critical(folder)?;
        match Self::replay(folder)? {
            Some(mut study) => study.settle(header).map(|()| study),
            None => Self::create(folder, header),
        }
    }

    /// Reads the study in `folder` and takes no lock: to look at it, or to work in it.
    ///
    /// # Errors
    /// [`StudyError::Missing`], [`StudyError::Newer`], [`StudyError::Corrupt`] or [`StudyError::File`].
    pub fn read(folder: &Path) -> Result<Self, StudyError> {
        Self::replay(folder)?.ok_or_else(|| StudyError::Missing { folder: folder.into() })
    }

    /// Reads what others appended since; returns whether there was anything.
    ///
    /// # Errors
    /// [`StudyError::Corrupt`] or [`StudyError::File`].
    pub fn refresh(&mut self) -> Result<bool, StudyError> {
        let before = self.log.at();
        let Self { state, log, .. } = self;
        log.follow(|event| state.apply(event))?;
        Ok(log.at() > before)
    }

    /// Adds trials of another study or program, in their order, and returns their numbers.
    ///
    /// What ended counts as observed and is not trained here, what did not is trained here before anything new. A trial
    /// keeps its name where that is free and fit for a folder; its number, and those of sources among `trials`, change.
    ///
    /// # Errors
    /// [`StudyError::Misfit`] before anything is added, [`StudyError::Append`] or those of [`Study::refresh`].
    pub fn adopt(&mut self, trials: Vec<Trial>) -> Result<Vec<usize>, StudyError> {
        let _held = self.enter()?;
        let first = self.trials().len();
        let numbers: BTreeMap<usize, usize> = trials.iter().map(|t| t.number).zip(first..).collect();
        if let Some((trial, why)) =
            trials.iter().find_map(|t| Some((t, self.state.header.space.misfit(&t.values)?)))
        {
            return Err(StudyError::Misfit { trial: trial.id.clone(), why });
        }
        let mut ids = BTreeSet::new();
        let mut own = |(trial, number)| self.as_own(trial, number, &numbers, &mut ids);
        let adopted: Vec<Trial> = trials.into_iter().zip(first..).map(&mut own).collect();
        if !adopted.is_empty() {
            self.append(Event::Adopted { trials: adopted }, true)?;
        }
        Ok((first..self.trials().len()).collect())
    }

    /// Returns what the study is of, with its present settings.
    pub fn header(&self) -> &Header {
        &self.state.header
    }

    /// Returns the present settings.
    pub fn config(&self) -> &TunerConfig {
        &self.state.header.config
    }

    /// Returns what is to be made small or great.
    pub fn objectives(&self) -> &[Objective] {
        &self.state.header.objectives
    }

    /// Returns all trials by number.
    pub fn trials(&self) -> &[Trial] {
        &self.state.trials
    }

    /// Returns what an oracle may look at.
    pub fn view(&self) -> View<'_> {
        let Header { space, objectives, config, epochs, .. } = &self.state.header;
        View { space, objectives, config, epochs: *epochs, trials: &self.state.trials, seed: &self.seed }
    }

    /// Returns the study's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder of a trial, which may not be there.
    pub fn trial_folder(&self, trial: &Trial) -> PathBuf {
        self.folder.join(format!("trial_{}", trial.id))
    }

    /// Returns the batches that are not finished, the oldest lease first, with what their workers say now.
    pub fn running(&self) -> Vec<Running> {
        let say = |lease: &Lease| {
            let beat = lease.worker.as_deref().and_then(|worker| lease::beat(&self.folder, worker));
            Running { lease: lease.clone(), beat: beat.filter(|b| b.lease == Some(lease.id)) }
        };
        self.state.leases.values().map(say).collect()
    }

    /// Returns whether the folder of a trial still holds what training left; `false` while it runs.
    pub fn is_kept(&self, number: usize) -> bool {
        self.state.holding.contains(&number)
    }

    /// Returns the size of all the study's files [bytes].
    pub fn disk_bytes(&self) -> u64 {
        file::folder_bytes(&self.folder)
    }

    fn create(folder: &Path, header: Header) -> Result<Self, StudyError> {
        let mut log = Log::new(folder);
        log.append(&Event::Study(Box::new(header.clone())), true)?;
        Ok(Self::new(folder, State::new(header), log))
    }

    fn new(folder: &Path, state: State, log: Log) -> Self {
        let seed = Seed::new(state.header.seed).child("tuner");
        Self { folder: folder.into(), state, log, seed }
    }

    /// Returns the study that the journal tells of; `None` where it has no whole line.
    fn replay(folder: &Path) -> Result<Option<Self>, StudyError> {
        let mut log = Log::new(folder);
        let mut state: Option<State> = None;
        let mut format = 0;
        let followed = log.follow(|event| match (&mut state, event) {
            (Some(state), event) => state.apply(event),
            (None, Event::Study(header)) => {
                format = header.format;
                state = Some(State::new(*header));
                Ok(())
            }
            (None, _) => Err("the study does not begin".into()),
        });
        if format > FORMAT {
            return Err(StudyError::Newer { folder: folder.into(), format });
        }
        followed?;
        Ok(state.map(|state| Self::new(folder, state, log)))
    }

    fn settle(&mut self, new: Header) -> Result<(), StudyError> {
        let what = self.state.header.differences(&new);
        if !what.is_empty() {
            return Err(StudyError::Differs { folder: self.folder.clone(), what });
        }
        let Header { version, experiment, epochs, config, .. } = new;
        let Header { version: v, experiment: x, epochs: n, config: c, .. } = &self.state.header;
        if (v, x, n, c) == (&version, &experiment, &epochs, &config) {
            return Ok(());
        }
        self.append(Event::Settings(Box::new(Settings { version, experiment, epochs, config })), true)
    }

    /// Takes the study's lock and reads what others did.
    fn enter(&mut self) -> Result<Lock, StudyError> {
        let held = lock::critical(&self.folder)?;
        self.refresh()?;
        Ok(held)
    }

    /// Appends what happened and follows it, under the study's lock.
    fn append(&mut self, event: Event, sync: bool) -> Result<(), StudyError> {
        self.log.append(&event, sync)?;
        self.state.apply(event).expect("what is appended under the lock follows from what was read");
        Ok(())
    }

    fn as_own(
        &self,
        mut trial: Trial,
        number: usize,
        numbers: &BTreeMap<usize, usize>,
        ids: &mut BTreeSet<String>,
    ) -> Trial {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_fit = !trial.id.is_empty() && trial.id.len() <= 64 && trial.id.chars().all(is_name);
        if !is_fit || self.state.is_taken(&trial.id) || ids.contains(&trial.id) {
            trial.id = self.state.new_id(number, ids);
        }
        ids.insert(trial.id.clone());
        trial.number = number;
        if let Some(budget) = &mut trial.budget {
            budget.source = budget.source.and_then(|source| numbers.get(&source).copied());
        }
        let is_ended = trial.status != Status::Running && trial.origin != Origin::Enqueued;
        trial.origin = if is_ended { Origin::Observed } else { Origin::Enqueued };
        if !is_ended {
            (trial.status, trial.evaluation, trial.message, trial.retries) = (Status::Running, None, None, 0);
        } else if trial.status == Status::Completed {
            let end = work::judge(trial.evaluation.take().unwrap_or_default(), self.objectives());
            state::end_trial(&mut trial, end);
        }
        trial
    }
}
