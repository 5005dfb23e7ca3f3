//! The files of a study that other programs read: a Keras Tuner project and an Optuna journal, and projects that are read here.
//!
//! All of them follow from the study's own journal, which is the truth: each may be deleted and is written again.

pub mod import;
pub mod keras;
pub mod keras_read;
pub mod optuna;

mod bracket;
mod hyperparameter;
mod token;

use std::path::Path;

use crate::file::FileError;
use crate::tuner::config::TunerConfig;
use crate::tuner::objective::Objective;
use crate::tuner::space::Space;
use crate::tuner::study::{Derive, Study};
use crate::tuner::trial::Trial;

pub use import::{ImportError, Imported, import};
pub use keras_read::{KerasProject, KerasTrial, ProjectError};

/// What the files tell of a study.
#[derive(Debug, Clone, Copy)]
pub struct StudyView<'a> {
    /// Name of the study.
    pub name: &'a str,
    /// What may vary.
    pub space: &'a Space,
    /// What is to be made small or great, at least one.
    pub objectives: &'a [Objective],
    /// Settings of the search.
    pub config: &'a TunerConfig,
    /// Most epochs of a trial.
    pub epochs: u32,
    /// All trials; each stands at its number.
    pub trials: &'a [Trial],
    /// Root of the search's random streams.
    pub seed: u64,
}

/// Writes the files; what it remembers between calls only saves time.
///
/// One process at a time may write a folder: callers hold the study's lock.
#[derive(Debug, Default)]
pub struct Files {
    hashes: keras::Hashes,
    optuna: optuna::Journal,
}

impl Files {
    /// Makes all files of a study agree with it: what is missing, damaged or behind is written anew.
    ///
    /// # Errors
    /// [`FileError::Write`]; what was written before it stays whole.
    pub fn all(&mut self, folder: &Path, view: &StudyView<'_>) -> Result<(), FileError> {
        keras::write(folder, view, view.trials.iter(), &mut self.hashes)?;
        self.optuna = optuna::Journal::default();
        self.optuna.update(folder, view)
    }

    /// Writes the files that change with the trials of some numbers.
    ///
    /// # Errors
    /// [`FileError::Write`]; what was written before it stays whole.
    pub fn changed(
        &mut self,
        folder: &Path,
        view: &StudyView<'_>,
        numbers: &[usize],
    ) -> Result<(), FileError> {
        let trials = numbers.iter().filter_map(|n| view.trials.get(*n));
        keras::write(folder, view, trials, &mut self.hashes)?;
        self.optuna.update(folder, view)
    }
}

impl<'a> From<&'a Study> for StudyView<'a> {
    fn from(study: &'a Study) -> Self {
        let header = study.header();
        Self {
            name: &header.experiment,
            space: &header.space,
            objectives: &header.objectives,
            config: &header.config,
            epochs: header.epochs,
            trials: study.trials(),
            seed: header.seed,
        }
    }
}

impl Derive for Files {
    fn changed(&mut self, study: &Study, trials: &[usize]) -> Result<(), FileError> {
        Self::changed(self, study.folder(), &study.into(), trials)
    }

    fn all(&mut self, study: &Study) -> Result<(), FileError> {
        Self::all(self, study.folder(), &study.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;
    use crate::file;
    use crate::tuner::config::{ImportConfig, OracleKind};
    use crate::tuner::grammar::{self, Context};
    use crate::tuner::trial::{Evaluation, Measurement, Origin, Status};

    fn space() -> Space {
        let text = r#"
            layers = { int = [1, 2] }
            units = { int = [8, 64], step = 8, per = "layers" }
            activation = { choice = ["relu", "tanh"] }
            norm = { bool = true }
            lr = { float = [1e-4, 1e-2], sampling = "log" }
            loss = { fixed = "mse" }"#;
        let none = |_: &str| None;
        grammar::parse(&text.parse().unwrap(), Context { fixed: &none, names: &BTreeMap::new() }).unwrap()
    }

    #[test]
    fn a_hyperband_study_is_written_as_keras_tuner_writes_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras_tuner/hyperband");
        let theirs: Json = serde_json::from_slice(&file::read(&folder.join("oracle.json")).unwrap()).unwrap();
        let (space, objectives) = (space(), [Objective::minimise("val_loss")]);
        let project = keras_read::read(&folder).unwrap();
        let trials = import(&project, &ImportConfig::default(), &space, &objectives).unwrap().trials;
        let config = TunerConfig { oracle: OracleKind::Hyperband, ..TunerConfig::default() };
        let view = StudyView {
            name: "s",
            space: &space,
            objectives: &objectives,
            config: &config,
            epochs: 9,
            trials: &trials,
            seed: 7,
        };
        let ours: Json = serde_json::from_slice(&keras::oracle_json(&view)).unwrap();
        for key in [
            "ongoing_trials",
            "start_order",
            "end_order",
            "id_to_hash",
            "seed",
            "brackets",
            "current_bracket",
            "current_iteration",
            "max_epochs",
            "min_epochs",
            "factor",
            "hyperband_iterations",
            "retry_queue",
        ] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        let by_name = |oracle: &Json| {
            let list = oracle["hyperparameters"]["space"].as_array().unwrap().clone();
            list.into_iter().map(|p| (p["config"]["name"].to_string(), p)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(by_name(&ours), by_name(&theirs));
        for trial in &trials {
            let theirs: Json =
                serde_json::from_slice(&file::read(&keras::trial_path(&folder, &trial.id)).unwrap()).unwrap();
            let ours: Json = serde_json::from_slice(&keras::trial_json(trial, &view)).unwrap();
            for key in ["trial_id", "status", "score", "message"] {
                assert_eq!(ours[key], theirs[key], "{key}");
            }
            assert_eq!(ours["hyperparameters"]["values"], theirs["hyperparameters"]["values"]);
        }
    }

    /// Returns a trial that Keras Tuner's files can tell in full.
    fn trial(number: usize, space: &Space, point: &[f64], mean: Option<f64>, status: Status) -> Trial {
        let metrics = mean.map(|mean| {
            [("rmse", mean), ("other", 0.25)]
                .map(|(name, mean)| (name.to_owned(), Measurement { mean, ..Measurement::default() }))
                .into()
        });
        let completed = status == Status::Completed;
        let evaluation =
            metrics.filter(|_| completed).map(|metrics| Evaluation { epoch: 4, metrics, seconds: 0.0 });
        let origin = if status == Status::Running { Origin::Enqueued } else { Origin::Observed };
        let message = (status == Status::Failed).then(|| "diverged \"NaN\"".to_owned());
        Trial {
            origin,
            status,
            evaluation,
            message,
            ..Trial::new(number, format!("{number:02}"), space.values(point), None)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_written_is_read_back(
            drawn in prop::collection::vec((prop::collection::vec(0.0..1.0_f64, 7), -1e9..1e9_f64, 0..5_u8), 1..8)
        ) {
            let (space, objectives, config) = (space(), [Objective::minimise("rmse")], TunerConfig::default());
            let status = |kind| match kind { 0 => Status::Running, 1 => Status::Failed, _ => Status::Completed };
            let trials: Vec<Trial> = drawn.iter().enumerate()
                .map(|(i, (point, mean, kind))| trial(i, &space, point, Some(*mean), status(*kind))).collect();
            let view = StudyView { name: "s", space: &space, objectives: &objectives, config: &config, epochs: 9, trials: &trials, seed: 3 };
            let folder = tempfile::tempdir().unwrap();
            Files::default().all(folder.path(), &view).unwrap();
            let project = keras_read::read(folder.path()).unwrap();
            prop_assert!(project.warnings.is_empty());
            let read = import(&project, &ImportConfig::default(), &space, &objectives).unwrap();
            prop_assert_eq!(read.trials, trials);
        }
    }
}
