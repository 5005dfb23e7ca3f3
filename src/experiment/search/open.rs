//! Opening a search: its study is begun, gone on with, forked, or filled with what another program tried.

use std::path::Path;

use super::plan::{self, Plan};
use crate::experiment::error::ExperimentError;
use crate::tuner::store::{self, ImportError, Imported, ProjectError, keras_read};
use crate::tuner::study::{FORMAT, Header, SearchLock, Study, StudyError};
use crate::tuner::{Origin, Status, Trial};

/// A study that may be searched now.
pub struct Opened {
    /// The study.
    pub study: Study,
    /// The right to search in it; dropped, another may.
    pub lock: SearchLock,
    /// What the person should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Why a search cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// Occurs when the study itself refuses.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Occurs when the experiment or its data do not fit.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// Occurs when a Keras Tuner project cannot be read.
    #[error("tuner.import")]
    Project(#[from] ProjectError),
    /// Occurs when a Keras Tuner project does not fit the search.
    #[error("tuner.import")]
    Import(#[from] ImportError),
}

impl Plan {
    /// Returns what the study of a part is of.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn header(&self, part: usize) -> Result<Header, ExperimentError> {
        let settings = &self.settings;
        Ok(Header {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            experiment: self.name.clone(),
            identity: self.identity(&self.parts[part])?.into_iter().collect(),
            space: settings.space.clone(),
            objectives: settings.objectives.clone(),
            seed: settings.seed(),
            epochs: settings.base.train.epochs,
            config: settings.tuner.clone(),
        })
    }

    /// Begins the study of a part, or goes on with it.
    ///
    /// # Errors
    /// Every [`SearchError`].
    pub fn open(&self, root: &Path, part: usize) -> Result<Opened, SearchError> {
        let folder = self.folder(root, &self.parts[part]);
        let lock = SearchLock::take(&folder)?;
        let imported = self.imported(root, &folder)?;
        let mut study = Study::open(&folder, self.header(part)?)?;
        if study.trials().is_empty() {
            study.adopt(imported.trials)?;
        }
        self.write(&folder, part)?;
        Ok(Opened { study, lock, warnings: imported.warnings })
    }

    /// Returns the trials of the project that `[tuner.import]` names, while the study is new.
    fn imported(&self, root: &Path, folder: &Path) -> Result<Imported, SearchError> {
        let none = Imported { trials: Vec::new(), warnings: Vec::new() };
        let Some(config) = &self.settings.tuner.import else { return Ok(none) };
        if Study::read(folder).is_ok_and(|study| !study.trials().is_empty()) {
            return Ok(none);
        }
        let project = config.project.as_ref().map_or(folder.to_path_buf(), |p| root.join(p));
        let project = keras_read::read(&project)?;
        Ok(store::import(&project, config, &self.settings.space, &self.settings.objectives)?)
    }

    /// Returns this search under the next free name, with its finished trials that still fit.
    ///
    /// Trials fit when only the space or the settings changed: same experiment, data, folds and backend, and values that
    /// the new space has.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn fork(self, root: &Path) -> Result<(Self, Vec<Vec<Trial>>), ExperimentError> {
        let identity = |part: usize| self.header(part).map(|h| h.identity);
        let mut kept = Vec::new();
        for (idx, part) in self.parts.iter().enumerate() {
            let old = Study::read(&self.folder(root, part)).ok();
            let own = identity(idx)?;
            let old =
                old.filter(|s| s.header().identity == own && s.objectives() == self.settings.objectives);
            let fits =
                |t: &&Trial| t.status != Status::Running && self.settings.space.misfit(&t.values).is_none();
            kept.push(
                old.map_or(Vec::new(), |s| s.trials().iter().filter(fits).cloned().map(observed).collect()),
            );
        }
        let free = |name: &String| plan::studies(&plan::find(root, Path::new(name))).is_empty();
        let names = (2..10_000).map(|n| format!("{}-{n}", self.project));
        let project = names.into_iter().find(free).unwrap_or_else(|| format!("{}-fork", self.project));
        Ok((Self { project, ..self }, kept))
    }
}

fn observed(trial: Trial) -> Trial {
    Trial { origin: Origin::Observed, ..trial }
}
