//! Fitted models: everything that a prediction needs, fold by fold, and how it is made from training rows.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::calibrate;
use super::config::{ExperimentConfig, ModelKind};
use super::error::ExperimentError;
use super::fold::{FittedFold, anchor, prepare};
use super::grow;
use super::population::{self, Job};
use super::start::{self, Start};
use super::task::Task;
use crate::device::Backend;
use crate::file;
use crate::model::trees::Trees;
use crate::train::engine::{self, Engine, EngineKind, MemberState};
use crate::train::{FitPlan, Interrupt, MemberPlan, Observe, StopReason};

/// A model fitted to every fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Folds in the order of the split.
    pub folds: Vec<FittedFold>,
}

/// How a fit runs, beside its experiment.
pub struct FitContext<'a> {
    /// Backend of the networks.
    pub backend: Backend,
    /// Checkpoint of the run; none trains without.
    pub checkpoint: Option<&'a Path>,
    /// Flag that asks for a pause.
    pub interrupt: &'a Interrupt,
    /// Budget: epoch after which the fit ends before its last; none trains them all, as [`FitPlan::until`].
    pub until: Option<u32>,
    /// Whether each fold's scored test rows judge the weights, in place of the experiment's validation rows. For the
    /// folds inside a search only, never for reported figures: the test would choose its own epoch.
    pub judge: bool,
    /// Weights that the networks start from; none draws them.
    pub start: Option<&'a Start>,
    /// Receives each epoch.
    pub observe: &'a mut dyn Observe,
}

impl Fitted {
    /// Fits the experiment's model to the training rows of every fold.
    ///
    /// # Errors
    /// [`ExperimentError::Physics`], [`ExperimentError::Engine`] or [`ExperimentError::Fit`].
    pub fn fit(config: &ExperimentConfig, task: &Task, context: FitContext) -> Result<Self, ExperimentError> {
        Ok(Self::fit_together(&[Job { label: "", config, task }], context)?.swap_remove(0))
    }

    /// Fits several experiments of one [`group_key`](super::population::group_key), whose networks train as one
    /// population with one checkpoint; returns each as [`Fitted::fit`] returns it alone, bit for bit.
    ///
    /// # Errors
    /// Those of [`Fitted::fit`], and [`ExperimentError::Group`].
    pub fn fit_together(jobs: &[Job], mut context: FitContext) -> Result<Vec<Self>, ExperimentError> {
        population::check_group(jobs)?;
        let extended = jobs.iter().map(calibrate::extended).collect::<Result<Vec<_>, _>>()?;
        let mut jobs = jobs.to_vec();
        for (job, task) in jobs.iter_mut().zip(&extended) {
            job.task = task.as_ref().unwrap_or(job.task);
        }
        let mut fitted = jobs.iter().map(Self::prepare).collect::<Result<Vec<_>, _>>()?;
        let backend = context.backend;
        if jobs.first().is_some_and(|job| job.config.model.kind.has_trees()) {
            grow::grow(&jobs, &mut fitted, &mut context)?;
        } else {
            train(&jobs, &mut fitted, context)?;
        }
        for (job, fitted) in jobs.iter().zip(&mut fitted) {
            calibrate::settle(job, fitted, backend)?;
        }
        Ok(fitted)
    }

    fn prepare(job: &Job) -> Result<Self, ExperimentError> {
        let Job { config, task, .. } = job;
        let one = |(idx, fold)| prepare(config, &task.frame, (fold, task.tiers.get(idx)));
        Ok(Self { folds: task.folds.iter().enumerate().map(one).collect::<Result<_, _>>()? })
    }

    /// Returns whether some network or tree waits for a resume.
    pub fn is_paused(&self) -> bool {
        self.folds.iter().flat_map(|f| &f.stops).any(|s| s.is_pause())
    }

    /// Predicts the given and the test rows of every fold, `[repetition][row]` of labels; of `tier` the probabilities of
    /// all tiers, row after row.
    ///
    /// # Errors
    /// [`ExperimentError::Engine`].
    pub fn predict(
        &self,
        config: &ExperimentConfig,
        task: &Task,
        backend: Backend,
    ) -> Result<Vec<Vec<Vec<f64>>>, ExperimentError> {
        let positions: Vec<Vec<usize>> =
            task.folds.iter().map(|f| [&f.given[..], &f.test].concat()).collect();
        let mut predicted = match config.model.kind {
            ModelKind::Physics => {
                self.each(&positions, |fold, rows| fold.predict_law(config, &task.frame, rows))
            }
            ModelKind::Linear => self.each(&positions, |fold, rows| fold.predict_linear(&task.frame, rows)),
            ModelKind::Logistic => {
                self.each(&positions, |fold, rows| fold.predict_logistic(&task.frame, rows))
            }
            ModelKind::Trees | ModelKind::HybridTrees => self.predict_trees(config, task, &positions)?,
            ModelKind::Dense | ModelKind::Hybrid => {
                self.predict_networks(config, task, backend, &positions)?
            }
        };
        for (fold, predicted) in self.folds.iter().zip(&mut predicted) {
            fold.calibrate(predicted);
        }
        if task.n_classes().is_some() {
            return Ok(predicted);
        }
        for (fold, predicted) in task.folds.iter().zip(&mut predicted) {
            for soh in predicted {
                anchor(soh, &task.frame, fold, config.model.anchor);
            }
        }
        Ok(predicted)
    }

    fn predict_trees(
        &self,
        config: &ExperimentConfig,
        task: &Task,
        positions: &[Vec<usize>],
    ) -> Result<Vec<Vec<Vec<f64>>>, ExperimentError> {
        let n_members = config.train.members as usize;
        let one = |(fold, rows): (&FittedFold, &Vec<usize>)| {
            let repetition = |trees: &[Trees]| fold.predict_trees(config, trees, (&task.frame, rows));
            fold.trees.chunks(n_members).map(repetition).collect()
        };
        self.folds.par_iter().zip(positions).map(one).collect()
    }

    fn each(
        &self,
        positions: &[Vec<usize>],
        predict: impl Fn(&FittedFold, &[usize]) -> Vec<f64>,
    ) -> Vec<Vec<Vec<f64>>> {
        self.folds.iter().zip(positions).map(|(fold, rows)| vec![predict(fold, rows)]).collect()
    }

    fn predict_networks(
        &self,
        config: &ExperimentConfig,
        task: &Task,
        backend: Backend,
        positions: &[Vec<usize>],
    ) -> Result<Vec<Vec<Vec<f64>>>, ExperimentError> {
        let population = population::population(config, task, population::starts(config, &self.folds));
        let mut engine = engine::create(EngineKind::Auto, backend, &population)?;
        let per_fold = population::n_per_fold(config) as usize;
        let mut rows = Vec::new();
        for (fold_idx, fold) in self.folds.iter().enumerate() {
            let part = Arc::new(fold.rows(config, &task.frame, &positions[fold_idx]));
            for (idx, state) in fold.members.iter().enumerate() {
                engine.set_state(fold_idx * per_fold + idx, state);
                rows.push(Arc::clone(&part));
            }
        }
        let outputs = engine.predict(&rows);
        let d_output = population.architecture.d_output;
        let folds = self.folds.iter().zip(outputs.chunks(per_fold));
        let n_members = config.train.members as usize;
        Ok(folds
            .map(|(fold, out)| out.chunks(n_members).map(|e| fold.ensemble(e, d_output)).collect())
            .collect())
    }
}

/// Trains the networks of all jobs, where they have any, as one population and leaves each with its fold.
fn train(jobs: &[Job], fitted: &mut [Fitted], context: FitContext) -> Result<(), ExperimentError> {
    let Some(first) = jobs.first().filter(|job| population::has_networks(job.config)) else { return Ok(()) };
    let FitContext { backend, checkpoint, interrupt, until, judge, start, observe } = context;
    let parts = || jobs.iter().zip(&*fitted);
    let members: Vec<MemberPlan> = parts().flat_map(|(j, f)| population::plans(j, &f.folds, judge)).collect();
    if let Some(member) = members.iter().find(|m| m.train.is_empty()) {
        return Err(ExperimentError::Validation { member: member.name.clone() });
    }
    let starts = parts().flat_map(|(job, f)| population::starts(job.config, &f.folds)).collect();
    let population = population::population(first.config, first.task, starts);
    let mut engine = engine::create(EngineKind::Auto, backend, &population)?;
    let begun = start.map(|start| start::begin(engine.as_mut(), start, jobs, fitted)).transpose()?;
    let begun = begun.unwrap_or_default();
    if first.config.train.epochs == 0 {
        keep(engine.as_ref(), jobs, fitted);
        return Ok(());
    }
    let data: Vec<_> = jobs.iter().map(|job| job.task.data_sha256.as_str()).collect();
    let plan = FitPlan {
        config: &first.config.train,
        members: &members,
        network: &file::sha256_bytes(format!("{population:?} {backend:?} {data:?}{begun}").as_bytes()),
        checkpoint,
        interrupt,
        until,
    };
    let mut fits = crate::train::fit(engine.as_mut(), &plan, observe)?.into_iter();
    for (job, fitted) in jobs.iter().zip(fitted) {
        for fold in &mut fitted.folds {
            let own = fits.by_ref().take(population::n_per_fold(job.config) as usize);
            (fold.stops, fold.members) = own.map(|fit| (fit.stop, weights_only(&fit.state))).unzip();
        }
    }
    Ok(())
}

/// Leaves each network as it starts with its fold.
fn keep(engine: &dyn Engine, jobs: &[Job], fitted: &mut [Fitted]) {
    let mut states = (0..engine.n_members()).map(|idx| weights_only(&engine.state(idx)));
    for (job, fitted) in jobs.iter().zip(fitted) {
        for fold in &mut fitted.folds {
            fold.members = states.by_ref().take(population::n_per_fold(job.config) as usize).collect();
            fold.stops = vec![StopReason::MaxEpochs; fold.members.len()];
        }
    }
}

/// Keeps of a member what predictions need.
fn weights_only(state: &MemberState) -> MemberState {
    MemberState { memory: Vec::new(), steps: 0, ..state.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::population::group_key;
    use crate::experiment::score;
    use crate::file::FileError;
    use crate::train::{EpochReport, FitError, StopReason};
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    /// Two networks a fold on three simulated cells, with a state in every part of the fit.
    const SMALL: &str = "cells = ['SIM-NMC-01', 'SIM-NMC-02', 'SIM-NMC-03']
        validation = 'tail'
        [inputs]
        descriptors = ['charge_throughput', 'history_cycle_count']
        [model]
        kind = 'hybrid'
        prior = 'coulomb_balance'
        hidden = [8, 8]
        normalisation = 'batch'
        dropout = 0.1
        [train]
        members = 1
        epochs = 7
        learning_rate = 0.01
        schedule = { kind = 'reduce_on_plateau', patience = 1, factor = 0.5 }
        early_stop = { patience = 3 }";

    fn small() -> ExperimentConfig {
        ExperimentConfig { repeats: 2, ..toml::from_str(SMALL).unwrap() }
    }

    /// Another one of its group, whose networks have nothing in common with its own but their shapes.
    fn other() -> ExperimentConfig {
        let mut config = small();
        (config.train.learning_rate, config.train.weight_decay, config.train.loss_weight) = (0.03, 1e-3, 0.5);
        (config.model.dropout, config.seed, config.repeats) = (0.0, 7, 1);
        config
    }

    /// Data of all of them.
    static TASK: LazyLock<Task> = LazyLock::new(|| Task::load(&small(), Path::new(".")).unwrap());

    fn jobs<'a>(configs: &'a [ExperimentConfig], labels: [&'a str; 2]) -> Vec<Job<'a>> {
        configs.iter().zip(labels).map(|(config, label)| Job { label, config, task: &TASK }).collect()
    }

    fn context<'a>(interrupt: &'a Interrupt, observe: &'a mut dyn Observe) -> FitContext<'a> {
        let (checkpoint, until, judge, start) = (None, None, false, None);
        FitContext { backend: Backend::Flex, checkpoint, interrupt, until, judge, start, observe }
    }

    #[test]
    fn experiments_that_train_together_give_what_each_gives_alone() {
        let (pair, interrupt) = ([small(), other()], Interrupt::new());
        let jobs = jobs(&pair, ["job0", "job1"]);
        let together = Fitted::fit_together(&jobs, context(&interrupt, &mut ())).unwrap();
        for (config, together) in pair.iter().zip(&together) {
            let alone = Fitted::fit(config, &TASK, context(&interrupt, &mut ())).unwrap();
            assert_eq!(&alone, together);
            let predict = |fitted: &Fitted| fitted.predict(config, &TASK, Backend::Flex).unwrap();
            assert_eq!(predict(&alone), predict(together));
        }
        assert_ne!(together[0].folds[0].members[0], together[1].folds[0].members[0]);
    }

    #[test]
    fn budgets_of_a_population_share_one_checkpoint() {
        let (pair, interrupt) = ([small(), other()], Interrupt::new());
        let jobs = jobs(&pair, ["a", "b"]);
        let straight = Fitted::fit_together(&jobs, context(&interrupt, &mut ())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let fit = |jobs: &[Job], until| {
            let mut nobody = ();
            let context = FitContext { checkpoint: Some(&path), until, ..context(&interrupt, &mut nobody) };
            Fitted::fit_together(jobs, context)
        };
        for until in [1, 3] {
            let part = fit(&jobs, Some(until)).unwrap();
            let stops = || part.iter().flat_map(|f| &f.folds).flat_map(|f| &f.stops);
            assert!(stops().any(|&stop| stop == StopReason::Budget), "{:?}", stops().collect::<Vec<_>>());
        }
        assert_eq!(fit(&jobs, None).unwrap(), straight);
        let refused = fit(&jobs[..1], None).unwrap_err();
        let ExperimentError::Fit(FitError::Checkpoint(_)) = &refused else { panic!("{refused}") };
        crate::file::write_atomic(&path, b"{").unwrap();
        let ExperimentError::Fit(error) = fit(&jobs, None).unwrap_err() else { panic!("it is damaged") };
        assert!(error.is_checkpoint_unusable());
    }

    #[test]
    fn a_group_is_what_one_engine_can_train() {
        let key = |change: fn(&mut ExperimentConfig)| {
            let mut config = small();
            change(&mut config);
            group_key(&config, &TASK)
        };
        let own = key(|_| ());
        let same: [fn(&mut ExperimentConfig); 6] = [
            |c| c.train.learning_rate = 0.5,
            |c| c.train.weight_decay = 0.5,
            |c| c.train.loss_weight = 0.5,
            |c| c.model.dropout = 0.5,
            |c| c.seed = 5,
            |c| c.repeats = 5,
        ];
        assert!(same.iter().all(|&change| key(change) == own));
        let others: [fn(&mut ExperimentConfig); 9] = [
            |c| c.model.kind = ModelKind::Dense,
            |c| c.model.kind = ModelKind::Physics,
            |c| c.model.hidden = Some(vec![8, 9]),
            |c| c.model.residual_scale = 0.5,
            |c| c.model.physics_consistency = 0.5,
            |c| c.train.loss = crate::train::Loss::Mae,
            |c| c.train.epochs = 8,
            |c| c.train.batch_size = 8,
            |c| c.train.early_stop = None,
        ];
        let keys: std::collections::BTreeSet<_> = others.iter().map(|&change| key(change)).collect();
        assert!(keys.len() == others.len() && !keys.contains(&own));
    }

    #[test]
    fn experiments_of_two_groups_or_one_label_do_not_train_together() {
        let interrupt = Interrupt::new();
        let refused = |second: ExperimentConfig, labels| {
            let pair = [small(), second];
            Fitted::fit_together(&jobs(&pair, labels), context(&interrupt, &mut ())).unwrap_err()
        };
        let mut larger = small();
        larger.train.batch_size = 8;
        let ExperimentError::Group { first, other: second } = refused(larger, ["a", "b"]) else {
            panic!("two groups")
        };
        assert_eq!((first.as_str(), second.as_str()), ("a", "b"));
        let ExperimentError::Fit(FitError::DuplicateMember { member }) = refused(other(), ["a", "a"]) else {
            panic!("one label")
        };
        assert_eq!(member, "a/SIM-NMC-01/seed0");
    }

    /// Notes the lowest validation loss of each network.
    #[derive(Default)]
    struct Lowest(BTreeMap<String, f64>);

    impl Observe for Lowest {
        fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
            for member in report.members {
                let lowest = self.0.entry(member.name.into()).or_insert(f64::INFINITY);
                *lowest = lowest.min(member.validation_loss.unwrap());
            }
            Ok(())
        }
    }

    #[test]
    fn a_judged_fit_keeps_the_weights_that_are_best_on_the_scored_rows() {
        let (mut config, task) = (small(), &*TASK);
        config.train.early_stop = None;
        let (interrupt, mut lowest) = (Interrupt::new(), Lowest::default());
        let context = FitContext { judge: true, ..context(&interrupt, &mut lowest) };
        let fitted = Fitted::fit(&config, task, context).unwrap();
        let parts = score::by_part(task, &fitted.predict(&config, task, Backend::Flex).unwrap());
        for (fold, split) in fitted.folds.iter().zip(&task.folds) {
            let label_sd = fold.label_scale.1;
            for (idx, mse) in parts[score::MSE][&fold.name].iter().enumerate() {
                let lowest = lowest.0[&format!("{}/seed{idx}", fold.name)] * label_sd * label_sd;
                assert!((mse - lowest).abs() < 1e-4 * lowest, "{}: {mse} is not {lowest}", fold.name);
            }
            let job = Job { label: "", config: &config, task };
            let plans = population::plans(&job, &fitted.folds, true);
            assert!(plans.iter().any(|p| p.train.len() == split.train.len()), "nothing is held out");
        }
    }

    #[test]
    fn parts_are_what_scores_are_made_of() {
        let (config, task) = (small(), &*TASK);
        let fitted = Fitted::fit(&config, task, context(&Interrupt::new(), &mut ())).unwrap();
        let predicted = fitted.predict(&config, task, Backend::Flex).unwrap();
        let (parts, scores) = (score::by_part(task, &predicted), score::score(task, &predicted));
        let names: Vec<_> = parts.keys().copied().filter(|&name| name != score::MSE).collect();
        assert_eq!(names, scores.keys().map(String::as_str).collect::<Vec<_>>(), "mse is not reported");
        for fold in &task.folds {
            let reference = task.frame.cells[task.frame.rows[fold.test[0]].cell_idx].reference_ah;
            let (mse, rmse) = (&parts[score::MSE][&fold.name], &parts["rmse"][&fold.name]);
            assert_eq!((mse.len(), rmse.len()), (2, 2));
            for (mse, rmse) in mse.iter().zip(rmse) {
                assert!((reference * mse.sqrt() - rmse).abs() < 1e-12, "{mse} is no square of {rmse}");
            }
            let mean = 0.5 * (rmse[0] + rmse[1]);
            assert!((scores["rmse"].folds[&fold.name] - mean).abs() < 1e-15);
        }
    }
}
