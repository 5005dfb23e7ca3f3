//! Plan of a search: the experiment, its data, and the studies it takes, each with a folder of its own.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::trainer::Trainer;
use crate::device::Backend;
use crate::experiment::config::ExperimentConfig;
use crate::experiment::error::ExperimentError;
use crate::experiment::folder::resolved_toml;
use crate::experiment::parse;
use crate::experiment::start::StartError;
use crate::experiment::task::{Cells, Task};
use crate::file;
use crate::prepare::Part;

/// Name of the folder of all searches.
const FOLDER: &str = "tuner_results";

/// File with the resolved experiment of a study.
const EXPERIMENT: &str = "experiment.toml";

/// File with what a worker must know beside the experiment.
const SEARCH: &str = "search.json";

/// A search, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// Name of the experiment.
    pub name: String,
    /// Name of the search's folder below `tuner_results/`.
    pub project: String,
    /// The experiment as it was given.
    pub config: ExperimentConfig,
    /// What is searched.
    pub settings: Settings,
    /// Cells of the experiment.
    pub cells: Rc<Cells>,
    /// Data with the outer folds.
    pub task: Task,
    /// Searches of their own, in order.
    pub parts: Vec<Part>,
    /// Backend of the networks.
    pub backend: Backend,
}

/// What a worker must know beside the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyNote {
    /// Name of the experiment.
    pub experiment: String,
    /// Position of the part.
    pub part: usize,
    /// Backend of the networks.
    pub backend: Backend,
}

impl Plan {
    /// Loads the data and separates it into parts.
    ///
    /// # Errors
    /// Whatever is wrong with the search, the experiment or its data.
    pub fn new(
        name: &str,
        config: &ExperimentConfig,
        source_name: &str,
        root: &Path,
        backend: Backend,
    ) -> Result<Self, ExperimentError> {
        if config.start.is_some() {
            return Err(StartError::Search.into());
        }
        let settings = Settings::new(config, source_name)?;
        let cells = Cells::load(config, root)?;
        let task = Task::of(config, &cells)?;
        Self::of(name, settings, (cells, task), config, backend)
    }

    /// Returns the plan of a study that was begun already, and the position of its part; its inputs were checked then.
    ///
    /// # Errors
    /// [`ExperimentError::NoStudy`], or as [`Plan::new`].
    pub fn of_study(folder: &Path, root: &Path) -> Result<(Self, usize), ExperimentError> {
        let (config, note) = Self::read(folder)?;
        let settings = Settings::new(&config, EXPERIMENT)?;
        let cells = Cells::load(&config, root)?;
        let task = Task::unchecked(&config, &cells)?;
        Ok((Self::of(&note.experiment, settings, (cells, task), &config, note.backend)?, note.part))
    }

    fn of(
        name: &str,
        settings: Settings,
        (cells, task): (Cells, Task),
        config: &ExperimentConfig,
        backend: Backend,
    ) -> Result<Self, ExperimentError> {
        let parts = Trainer::parts(&settings, &task)?;
        let (name, project) = (name.to_owned(), name.to_owned());
        Ok(Self {
            name,
            project,
            config: config.clone(),
            settings,
            cells: Rc::new(cells),
            task,
            parts,
            backend,
        })
    }

    /// Returns the folder of a part's study.
    pub fn folder(&self, root: &Path, part: &Part) -> PathBuf {
        let folder = root.join(FOLDER).join(&self.project);
        part.name.as_ref().map_or(folder.clone(), |name| folder.join(safe(name)))
    }

    /// Returns what a study must not change, each as a hash by what people call it.
    ///
    /// # Errors
    /// [`ExperimentError::File`] where the experiment has no TOML form.
    pub fn identity(&self, part: &Part) -> Result<Vec<(String, String)>, ExperimentError> {
        let settings = &self.settings;
        let mut base = settings.base.clone();
        // Remarks and references do not change a trial.
        base.notes.clear();
        base.references.clear();
        base.tuned_on_test = false;
        let varies_kind = settings.space.params.iter().any(|p| p.key == "model.kind");
        if settings.is_budgeted() && !varies_kind && !base.model.kind.has_trees() {
            // The oracle deals epochs out: more may be given later, but for trees, whose budget is a share of them.
            base.train.epochs = 0;
        }
        let folds = format!("{:?} {:?} {}", part.folds, settings.tuner.epoch, settings.tuner.nested);
        let hash = |text: &str| file::sha256_bytes(text.as_bytes());
        Ok(vec![
            ("experiment".into(), hash(&resolved_toml(&base)?)),
            ("data".into(), self.task.data_sha256.clone()),
            ("folds".into(), hash(&folds)),
            ("backend".into(), self.backend.to_string()),
        ])
    }

    /// Stores what workers need in a study's folder.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn write(&self, folder: &Path, part: usize) -> Result<(), ExperimentError> {
        file::create_folder(folder)?;
        file::write_atomic(&folder.join(EXPERIMENT), resolved_toml(&self.config)?.as_bytes())?;
        let note = StudyNote { experiment: self.name.clone(), part, backend: self.backend };
        Ok(file::write_json(&folder.join(SEARCH), &note)?)
    }

    /// Reads what a study's folder says of its experiment.
    ///
    /// # Errors
    /// [`ExperimentError::NoStudy`], [`ExperimentError::Config`] or [`ExperimentError::File`].
    fn read(folder: &Path) -> Result<(ExperimentConfig, StudyNote), ExperimentError> {
        if !folder.join(SEARCH).exists() {
            return Err(ExperimentError::NoStudy { folder: folder.into() });
        }
        let config = parse::read(&folder.join(EXPERIMENT), &[])?;
        Ok((config, file::read_json(&folder.join(SEARCH))?))
    }

    /// Returns the trainer of a part.
    pub fn trainer(&self, part: usize) -> Trainer {
        Trainer::new(self.settings.clone(), Rc::clone(&self.cells), part, self.backend)
    }

    /// Returns whether a configuration that this search finds was chosen by rows that the experiment reports.
    pub fn sees_test(&self) -> bool {
        !self.settings.tuner.nested || self.parts.len() > 1
    }
}

/// Returns whether a study's folder asks for lives or tiers of whole cells.
pub fn is_early(folder: &Path) -> bool {
    parse::read(&folder.join(EXPERIMENT), &[]).is_ok_and(|config| config.kind.is_early())
}

/// Returns the folders of a search's studies below `folder`, itself or one a part.
pub fn studies(folder: &Path) -> Vec<PathBuf> {
    if folder.join(SEARCH).exists() {
        return vec![folder.to_path_buf()];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join(SEARCH).exists()).collect();
    found.sort();
    found
}

/// Finds the search that people mean by a name or a folder.
pub fn find(root: &Path, name: &Path) -> PathBuf {
    if name.is_dir() { name.to_path_buf() } else { root.join(FOLDER).join(name) }
}

fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' }).collect()
}
