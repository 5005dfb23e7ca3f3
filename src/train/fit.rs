//! The fit loop: epoch after epoch until every member stopped, with checkpoints on the way.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::checkpoint::{self, CheckpointError};
use super::engine::{Engine, MemberState, Rows};
use super::epoch::{Epoch, learning_rates};
use super::identity::{Identity, identity};
use super::optimizer::full_batch::FullBatch;
use super::progress::{MemberProgress, Progress};
use super::{
    ConfigError, EpochReport, Interrupt, Loss, MemberPlan, MemberReport, Observe, OptimizerKind, StopReason,
    TrainConfig,
};
use crate::file::FileError;

/// What a fit is asked to do.
#[derive(Debug, Clone, Copy)]
pub struct FitPlan<'a> {
    /// Settings of all members.
    pub config: &'a TrainConfig,
    /// Members, in the order of the engine's.
    pub members: &'a [MemberPlan],
    /// Hash or name of all else that the numbers depend on (network, backend); a checkpoint of another is refused.
    pub network: &'a str,
    /// File in which the fit saves itself, and from which it goes on when it is there; `None` saves nothing.
    pub checkpoint: Option<&'a Path>,
    /// Flag that asks for a pause.
    pub interrupt: &'a Interrupt,
    /// Budget: epoch after which the fit ends, 1 or more, although schedules are spread over `config.epochs`; `None`,
    /// and any that is not below `config.epochs`, trains them all. A checkpoint goes on with any other budget.
    pub until: Option<u32>,
}

/// What a fit made of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberFit {
    /// Name of the member.
    pub name: String,
    /// Why it stopped; a pause when the run was asked for one, the budget when that is spent.
    pub stop: StopReason,
    /// Epochs that it trained to their end.
    pub n_epochs: u32,
    /// Epoch of `state`, from 1; `None` without validation rows.
    pub best_epoch: Option<u32>,
    /// Validation loss of `state`; `None` without validation rows.
    pub best_validation_loss: Option<f64>,
    /// Best weights; the last ones without validation rows, which may be no numbers when the member diverged.
    pub state: MemberState,
}

/// Why a fit could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Occurs when the checkpoint is of another fit, damaged, or cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Occurs when an observer cannot read or write what it must.
    #[error(transparent)]
    Observe(#[from] FileError),
    /// Occurs when a setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Occurs when the engine holds another population than the plan.
    #[error("the engine holds {engine} members, the plan {plan}")]
    MemberCount {
        /// Members of the engine.
        engine: usize,
        /// Members of the plan.
        plan: usize,
    },
    /// Occurs when two members have one name, and so one course.
    #[error("two members are named `{member}`")]
    DuplicateMember {
        /// The name.
        member: String,
    },
    /// Occurs when a member has nothing to learn from, or validation rows of which there are none.
    #[error("member `{member}` has no {part} rows")]
    NoRows {
        /// Member without rows.
        member: String,
        /// `training` or `validation`.
        part: &'static str,
    },
    /// Occurs when the loss of classes meets a label that is none.
    #[error(
        "a label of member `{member}` is {label}: the loss `cross_entropy` takes classes, whole numbers from 0"
    )]
    Class {
        /// Member whose row it is.
        member: String,
        /// The label.
        label: f32,
    },
    /// Occurs when a member has what L-BFGS on full batches cannot honour.
    #[error("the optimizer `lbfgs` knows no {what}, which member `{member}` has; turn it off or use `adam`")]
    FullBatch {
        /// Member that has it.
        member: String,
        /// `weight decay`, `dropout` or `batch normalisation`.
        what: &'static str,
    },
    /// Occurs when a member's rate is out of its range.
    #[error("`{key}` of member `{member}` is {value}, which is out of its range")]
    Hyper {
        /// Member with the rate.
        member: String,
        /// Name of the rate.
        key: &'static str,
        /// Its value.
        value: f64,
    },
}

impl FitError {
    /// Returns whether the checkpoint cannot be understood, so that only a beginning without it helps. One of another
    /// fit is no such case: that is a mistake of the call, and the file may be worth its epochs.
    pub fn is_checkpoint_unusable(&self) -> bool {
        matches!(self, Self::Checkpoint(error) if error.is_unusable())
    }
}

/// Trains every member of `engine` until it has a reason to stop; returns them in the order of the plan.
///
/// Afterwards the engine holds what is returned: each member's best weights. After a pause or a kill the same call
/// goes on from the checkpoint and returns what an uninterrupted one returns; after a spent budget a larger one does.
///
/// # Errors
/// Every [`FitError`]. Divergence is none: it is a [`StopReason`].
pub fn fit(
    engine: &mut dyn Engine,
    plan: &FitPlan<'_>,
    observe: &mut dyn Observe,
) -> Result<Vec<MemberFit>, FitError> {
    check(engine, plan)?;
    if plan.config.optimizer.kind == OptimizerKind::Lbfgs {
        return run(&mut FullBatch::new(engine), plan, observe);
    }
    run(engine, plan, observe)
}

fn run(
    engine: &mut dyn Engine,
    plan: &FitPlan<'_>,
    observe: &mut dyn Observe,
) -> Result<Vec<MemberFit>, FitError> {
    let progress = Progress::new(plan.members.len());
    let mut run = Run { engine, plan, observe, identity: identity(plan), progress, is_saved: false };
    run.resume()?;
    let pause = run.train()?;
    run.save()?;
    Ok(run.finish(pause))
}

/// A fit on its way.
struct Run<'a> {
    engine: &'a mut dyn Engine,
    plan: &'a FitPlan<'a>,
    observe: &'a mut dyn Observe,
    identity: Identity,
    progress: Progress,
    /// Whether the checkpoint, where there is to be one, holds all of this.
    is_saved: bool,
}

impl<'a> Run<'a> {
    /// Goes on from the checkpoint, where there is one.
    fn resume(&mut self) -> Result<(), FitError> {
        let saved = self.plan.checkpoint.map(|path| checkpoint::load(path, &self.identity));
        if let Some((progress, states)) = saved.transpose()?.flatten() {
            for (i, state) in states.iter().enumerate() {
                self.engine.set_state(i, state);
            }
            self.progress = progress;
            self.is_saved = true;
        }
        Ok(self.observe.begin(self.progress.epoch)?)
    }

    /// Trains until every member stopped; returns why it left off before, if it did.
    fn train(&mut self) -> Result<Option<StopReason>, FitError> {
        while self.progress.is_open() {
            if self.plan.until.is_some_and(|until| until < self.progress.epoch) {
                return Ok(Some(StopReason::Budget));
            }
            self.is_saved = false;
            if let Some(pause) = self.run_epoch() {
                return Ok(Some(pause));
            }
            self.close_epoch()?;
        }
        Ok(None)
    }

    /// Trains the rest of the running epoch; returns why it was left before its end, if it was.
    fn run_epoch(&mut self) -> Option<StopReason> {
        let epoch = Epoch::new(self.plan, &self.progress);
        loop {
            if let Some(pause) = self.plan.interrupt.reason() {
                return Some(pause);
            }
            let steps = epoch.steps(&self.progress);
            if steps.iter().all(Vec::is_empty) {
                return None;
            }
            let losses = self.engine.epoch(&steps);
            self.progress.count(&steps, &losses);
        }
    }

    /// Judges each member that trained, tells the observers, goes to the next epoch and saves where that is due.
    fn close_epoch(&mut self) -> Result<(), FitError> {
        let Progress { epoch, .. } = self.progress;
        let rates = learning_rates(self.plan, &self.progress);
        let validation_losses = self.validation_losses();
        let trained: Vec<_> = (0..rates.len()).filter(|&i| self.progress.members[i].n_rows > 0).collect();
        let members: Vec<_> =
            trained.into_iter().map(|i| self.judge(i, rates[i], validation_losses[i])).collect();
        let epochs = self.plan.until.unwrap_or(u32::MAX).min(self.plan.config.epochs);
        self.observe.epoch_finished(&EpochReport { epoch, epochs, members: &members })?;
        self.progress.next_epoch();
        let is_wanted = self.observe.wants_checkpoint();
        if is_wanted || epoch.is_multiple_of(self.plan.config.checkpoint_every) {
            self.save()
        } else {
            Ok(())
        }
    }

    /// Computes the loss of each member that still trains over its validation rows.
    fn validation_losses(&mut self) -> Vec<Option<f64>> {
        let members = self.plan.members.iter().zip(&self.progress.members);
        let rows = members.map(|(plan, member)| plan.validation.as_ref().filter(|_| member.stop.is_none()));
        let rows: Vec<_> = rows.collect();
        if rows.iter().all(Option::is_none) {
            return vec![None; rows.len()];
        }
        let none = Arc::new(no_rows_like(&self.plan.members[0].train));
        let asked: Vec<_> = rows.iter().map(|r| Arc::clone(r.unwrap_or(&none))).collect();
        let predictions = self.engine.predict(&asked);
        let pairs = rows.into_iter().zip(&predictions);
        pairs.map(|(rows, y)| rows.map(|r| mean_loss(self.plan.config.loss, r, y))).collect()
    }

    fn judge(&mut self, i: usize, learning_rate: f64, validation_loss: Option<f64>) -> MemberReport<'a> {
        let Self { engine, plan, progress, .. } = self;
        let member = &mut progress.members[i];
        let best = member.close_epoch(progress.epoch, plan.config, validation_loss, || engine.state(i));
        let (name, train_loss, stop) = (&plan.members[i].name, member.train_loss(), member.stop);
        MemberReport { name, train_loss, validation_loss, learning_rate, best, stop }
    }

    /// Writes the checkpoint, if there is to be one, after what the observers wrote.
    fn save(&mut self) -> Result<(), FitError> {
        if self.is_saved {
            return Ok(());
        }
        self.observe.persist()?;
        if let Some(path) = self.plan.checkpoint {
            let states: Vec<_> = (0..self.plan.members.len()).map(|i| self.engine.state(i)).collect();
            checkpoint::save(path, &self.identity, &self.progress, &states)?;
        }
        self.is_saved = true;
        Ok(())
    }

    /// Leaves each member's best weights in the engine and returns them.
    fn finish(self, pause: Option<StopReason>) -> Vec<MemberFit> {
        let Self { engine, plan, progress, .. } = self;
        let finish = |(i, member): (usize, MemberProgress)| {
            let stop = member.stop.or(pause).expect("a fit ends when all its members stopped, or by a pause");
            let best = member.best.as_ref();
            let (best_epoch, best_validation_loss) = (best.map(|b| b.epoch), best.map(|b| b.validation_loss));
            let state = member.best.map_or_else(|| engine.state(i), |b| b.state);
            engine.set_state(i, &state);
            let stop = of_weights(stop, &state, member.n_epochs);
            let name = plan.members[i].name.clone();
            MemberFit { name, stop, n_epochs: member.n_epochs, best_epoch, best_validation_loss, state }
        };
        progress.members.into_iter().enumerate().map(finish).collect()
    }
}

/// Returns why a member stopped: a budget that leaves weights which are no numbers was spent on divergence.
fn of_weights(stop: StopReason, state: &MemberState, epoch: u32) -> StopReason {
    if stop == StopReason::Budget && !state.is_finite() { StopReason::Diverged { epoch } } else { stop }
}

/// Computes the mean loss of predictions `[row, d_output]`, weighted like the rows; NaN when all weigh nothing.
fn mean_loss(loss: Loss, rows: &Rows, predictions: &[f32]) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    let outputs = predictions.chunks_exact(predictions.len() / rows.len());
    for ((output, &label), &w) in outputs.zip(&rows.labels).zip(&rows.weights) {
        sum += f64::from(w) * f64::from(loss.of_row(output, label));
        weight += f64::from(w);
    }
    sum / weight
}

/// Returns no rows, of the shape of `rows`.
fn no_rows_like(rows: &Rows) -> Rows {
    Rows { d_input: rows.d_input, d_stress: rows.d_stress, ..Rows::default() }
}

fn check(engine: &dyn Engine, plan: &FitPlan<'_>) -> Result<(), FitError> {
    if let Some(error) = plan.config.check().into_iter().next() {
        return Err(error.into());
    }
    if plan.until == Some(0) {
        return Err(ConfigError { key: "until", value: "0".into(), expected: "1 or more" }.into());
    }
    let (n_engine, n_plan) = (engine.n_members(), plan.members.len());
    if n_engine != n_plan {
        return Err(FitError::MemberCount { engine: n_engine, plan: n_plan });
    }
    let mut names = BTreeSet::new();
    plan.members.iter().try_for_each(|m| check_member(m, &mut names))?;
    if plan.config.loss.is_of_classes() {
        plan.members.iter().try_for_each(check_classes)?;
    }
    if plan.config.optimizer.kind == OptimizerKind::Lbfgs {
        let mut members = plan.members.iter().enumerate();
        return members.try_for_each(|(i, m)| check_full_batch(m, &engine.state(i)));
    }
    Ok(())
}

fn check_full_batch(plan: &MemberPlan, state: &MemberState) -> Result<(), FitError> {
    let unknown = [
        (plan.hyper.weight_decay > 0.0, "weight decay"),
        (plan.hyper.dropout > 0.0, "dropout"),
        (!state.statistics.is_empty(), "batch normalisation"),
    ];
    match unknown.into_iter().find(|(has, _)| *has) {
        Some((_, what)) => Err(FitError::FullBatch { member: plan.name.clone(), what }),
        None => Ok(()),
    }
}

/// Expects a class in every row; which ones there are the engine knows.
fn check_classes(plan: &MemberPlan) -> Result<(), FitError> {
    let rows = plan.validation.iter().chain([&plan.train]);
    let mut labels = rows.flat_map(|rows| rows.labels.iter().copied());
    match labels.find(|label| !(*label >= 0.0 && label.fract() == 0.0)) {
        Some(label) => Err(FitError::Class { member: plan.name.clone(), label }),
        None => Ok(()),
    }
}

fn check_member<'a>(plan: &'a MemberPlan, names: &mut BTreeSet<&'a str>) -> Result<(), FitError> {
    let member = plan.name.clone();
    if !names.insert(&plan.name) {
        return Err(FitError::DuplicateMember { member });
    }
    if plan.train.is_empty() {
        return Err(FitError::NoRows { member, part: "training" });
    }
    if plan.validation.as_ref().is_some_and(|v| v.is_empty()) {
        return Err(FitError::NoRows { member, part: "validation" });
    }
    match plan.hyper.out_of_range() {
        Some((key, value)) => Err(FitError::Hyper { member, key, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Backend;
    use crate::seed::Seed;
    use crate::train::History;
    use crate::train::engine::{self, EngineKind, MemberStart, Population};
    use crate::train::toy::{Files, Toy, members, rows, straight};
    use crate::train::{EarlyStopConfig, Hyper, OptimizerConfig, ScheduleConfig};
    use proptest::prelude::*;

    /// Settings under which every part of a fit has a state of its own.
    fn busy(checkpoint_every: u32) -> TrainConfig {
        TrainConfig {
            epochs: 9,
            batch_size: 1,
            learning_rate: 0.3,
            weight_decay: 1e-3,
            schedule: ScheduleConfig::ReduceOnPlateau { patience: 1, factor: 0.6, min_fraction: 0.01 },
            early_stop: Some(EarlyStopConfig { patience: 2, min_delta: 1e-3 }),
            checkpoint_every,
            ..TrainConfig::default()
        }
    }

    fn plan<'a>(config: &'a TrainConfig, members: &'a [MemberPlan], stop: &'a Interrupt) -> FitPlan<'a> {
        FitPlan { config, members, network: "toy", checkpoint: None, interrupt: stop, until: None }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn killed_at_any_step_and_resumed_is_straight(kill in 0_u64..900, every in 1_u32..5, dropout in 0_u8..2) {
            let (config, members) = (busy(every), members(3, 0.3 * f64::from(dropout)));
            let folder = Files::new();
            let killed = std::panic::catch_unwind(|| folder.fit(&config, &members, Toy::killed_at(3, kill)));
            let straight = straight(&config, &members);
            prop_assert_eq!(killed.is_err(), kill < straight.n_steps);
            let resumed = folder.fit(&config, &members, Toy::new(3));
            prop_assert_eq!((resumed.fits, resumed.files), (straight.fits, straight.files));
        }

        #[test]
        fn interrupted_again_and_again_is_straight(pace in 1_u64..200, every in 1_u32..5) {
            let (config, members) = (busy(every), members(3, 0.2));
            let folder = Files::new();
            let mut n_runs = 0;
            let last = loop {
                n_runs += 1;
                let done = folder.fit(&config, &members, Toy::interrupted_after(3, pace));
                if !done.fits.iter().any(|m| m.stop.is_pause()) {
                    break done;
                }
                prop_assert!(done.n_steps >= pace && done.n_steps < pace + 32);
                prop_assert!(n_runs < 100);
            };
            let straight = straight(&config, &members);
            prop_assert_eq!(last.files, straight.files);
            prop_assert_eq!(last.fits, straight.fits);
        }

        #[test]
        fn any_budgets_one_after_the_other_are_straight(
            budgets in proptest::collection::btree_set(1_u32..12, 0..6),
            every in 1_u32..5,
            dropout in 0_u8..2,
            schedule in schedules(),
        ) {
            let config = TrainConfig { schedule, ..busy(every) };
            let members = members(3, 0.3 * f64::from(dropout));
            let (straight, folder) = (straight(&config, &members), Files::new());
            for &until in &budgets {
                let part = folder.fit(&config, &members, Toy::new(3).until(until));
                prop_assert!(straight.files[1].starts_with(&part.files[1]), "the history of {} epochs", until);
                for (found, whole) in part.fits.iter().zip(&straight.fits) {
                    prop_assert_eq!(found.n_epochs, whole.n_epochs.min(until));
                    let is_open = until < whole.n_epochs;
                    prop_assert_eq!(found.stop, if is_open { StopReason::Budget } else { whole.stop });
                }
            }
            let whole = folder.fit(&config, &members, Toy::new(3));
            prop_assert_eq!((whole.fits, whole.files), (straight.fits, straight.files));
        }

        #[test]
        fn checkpoints_in_between_save_work_and_change_nothing(wanted: [bool; 9], kill in 0_u64..900) {
            let (config, members) = (busy(100), members(3, 0.2));
            let (straight, folder) = (straight(&config, &members), Files::new());
            let mut first = Wants { epochs: wanted.to_vec(), ..Wants::default() };
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                folder.fit_watched(&config, &members, Toy::killed_at(3, kill), &mut first)
            }));
            let mut again = Wants::default();
            let resumed = folder.fit_watched(&config, &members, Toy::new(3), &mut again);
            if killed.is_err() {
                let saved = (1..=first.asked).rev().find(|&epoch| wanted[epoch - 1]);
                prop_assert_eq!(again.begun, saved.unwrap_or(0) as u32 + 1);
            }
            prop_assert_eq!((resumed.fits, resumed.files), (straight.fits, straight.files));
        }
    }

    /// Returns one schedule of each kind.
    fn schedules() -> impl Strategy<Value = ScheduleConfig> {
        prop_oneof![
            Just(ScheduleConfig::Constant {}),
            Just(ScheduleConfig::WarmupCosine { warmup_epochs: 3, final_fraction: 0.1 }),
            Just(ScheduleConfig::Step { every: 2, factor: 0.5 }),
            Just(busy(1).schedule),
        ]
    }

    /// Wants a checkpoint after some epochs, and notes where the fit began.
    #[derive(Default)]
    struct Wants {
        epochs: Vec<bool>,
        asked: usize,
        begun: u32,
    }

    impl Observe for Wants {
        fn begin(&mut self, epoch: u32) -> Result<(), FileError> {
            self.begun = epoch;
            Ok(())
        }

        fn epoch_finished(&mut self, _report: &EpochReport<'_>) -> Result<(), FileError> {
            Ok(())
        }

        fn wants_checkpoint(&mut self) -> bool {
            self.asked += 1;
            self.epochs.get(self.asked - 1).is_some_and(|&wanted| wanted)
        }
    }

    #[test]
    fn a_spent_budget_is_returned_at_once() {
        let (config, members) = (TrainConfig { early_stop: None, ..busy(4) }, members(2, 0.0));
        let folder = Files::new();
        let four = folder.fit(&config, &members, Toy::new(2).until(4));
        assert!(four.fits.iter().all(|m| m.stop == StopReason::Budget && m.n_epochs == 4));
        assert!(!StopReason::Budget.is_pause());
        for until in [4, 2] {
            let again = folder.fit(&config, &members, Toy::new(2).until(until));
            assert_eq!((again.n_steps, &again.fits, &again.files), (0, &four.fits, &four.files));
        }
    }

    #[test]
    fn lbfgs_goes_on_from_a_budget() {
        let mut members = members(2, 0.0);
        for member in &mut members {
            member.validation = None;
        }
        let engine = || Toy::of(&vec![MemberState { statistics: Vec::new(), ..Toy::new(1).state(0) }; 2]);
        let straight = Files::new().fit(&lbfgs(12), &members, engine());
        let folder = Files::new();
        for until in [1, 5, 11] {
            let part = folder.fit(&lbfgs(12), &members, engine().until(until));
            assert!(part.fits.iter().all(|m| m.stop == StopReason::Budget && m.n_epochs == until));
        }
        let whole = folder.fit(&lbfgs(12), &members, engine());
        assert_eq!((whole.fits, whole.files), (straight.fits, straight.files));
    }

    #[test]
    fn a_budget_that_ends_in_no_numbers_is_divergence() {
        let mut members = members(1, 0.0);
        (members[0].hyper.learning_rate, members[0].validation) = (1e300, None);
        let config = TrainConfig { epochs: 3, batch_size: 1000, ..TrainConfig::default() };
        let done = Files::new().fit(&config, &members, Toy::new(1).until(1));
        assert_eq!(done.fits[0].stop, StopReason::Diverged { epoch: 1 });
    }

    #[test]
    fn both_of_two_observers_are_asked_for_checkpoints() {
        let wants = |wanted: bool| Wants { epochs: vec![wanted], ..Wants::default() };
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut first, mut second) = (wants(a), wants(b));
            assert_eq!((&mut first, &mut second).wants_checkpoint(), a || b);
            assert_eq!((first.asked, second.asked), (1, 1), "each has a clock of its own");
        }
        assert!(!().wants_checkpoint());
    }

    #[test]
    fn validation_loss_is_weighted_like_the_rows() {
        let rows = Rows { labels: vec![1.0, 2.0], weights: vec![1.0, 3.0], ..Rows::default() };
        // (1 * 1 + 3 * 4) / 4; (1 * (ln 4 + 1 / 4) / 2 + 3 * (0 + 4) / 2) / 4.
        assert!((mean_loss(Loss::Mse, &rows, &[0.0, 4.0]) - 3.25).abs() < 1e-6);
        let gaussian = mean_loss(Loss::GaussianNll, &rows, &[0.0, 4.0_f32.ln(), 4.0, 0.0]);
        assert!((gaussian - 1.704_536_8).abs() < 1e-6, "{gaussian}");
    }

    #[test]
    fn validation_loss_of_classes_is_weighted_like_the_rows() {
        let rows = Rows { labels: vec![1.0, 2.0], weights: vec![1.0, 3.0], ..Rows::default() };
        let loss = Loss::CrossEntropy { label_smoothing: 0.0 };
        // Rows of 3.482_621_983 and 0.232_621_983, see `loss`.
        let logits = [0.5, -1.25, 2.0, 0.5, -1.25, 2.0];
        assert!((mean_loss(loss, &rows, &logits) - 1.045_121_983).abs() < 1e-6);
    }

    /// Rows of the line, of the class of its sign; every fourth has the other one, so that a fit can be too close.
    fn of_classes(n: usize, seed: u64) -> Arc<Rows> {
        let rows = rows(n, seed);
        let class = |(i, y): (usize, &f32)| f32::from((*y > 0.5) != (i % 4 == 3));
        Arc::new(Rows { labels: rows.labels.iter().enumerate().map(class).collect(), ..rows })
    }

    #[test]
    fn a_classifier_keeps_the_weights_that_its_validation_rows_judge_best() {
        let config = TrainConfig {
            epochs: 200,
            batch_size: 8,
            learning_rate: 0.03,
            loss: Loss::CrossEntropy { label_smoothing: 0.05 },
            early_stop: Some(EarlyStopConfig { patience: 15, min_delta: 0.0 }),
            ..TrainConfig::default()
        };
        let network = crate::model::NetworkConfig { hidden: vec![16, 16], ..Default::default() };
        let d_output = config.loss.d_output(Some(2));
        let population = Population {
            architecture: crate::model::Architecture { d_input: 2, d_output, network, prior: None },
            objective: config.objective(),
            optimizer: config.optimizer,
            members: vec![MemberStart { seed: Seed::new(3), prior: None }],
        };
        let validation = of_classes(200, 2);
        let plans = [MemberPlan {
            train: of_classes(60, 1),
            validation: Some(Arc::clone(&validation)),
            hyper: Hyper::new(&config, 0.0),
            ..members(1, 0.0).remove(0)
        }];
        let mut engine = engine::create(EngineKind::Auto, Backend::Flex, &population).unwrap();
        let fits = fit(engine.as_mut(), &plan(&config, &plans, &Interrupt::default()), &mut ()).unwrap();
        assert!(matches!(fits[0].stop, StopReason::EarlyStop { .. }), "{:?}", fits[0].stop);
        assert!(fits[0].n_epochs < 200 && fits[0].best_epoch < Some(fits[0].n_epochs));
        let logits = engine.predict(&[Arc::clone(&validation)]).remove(0);
        assert_eq!(fits[0].best_validation_loss, Some(mean_loss(config.loss, &validation, &logits)));
        let is_right = |(z, y): (&[f32], &f32)| (z[1] > z[0]) == (*y > 0.5);
        let right = logits.chunks(2).zip(&validation.labels).filter(|&(z, y)| is_right((z, y))).count();
        assert!((130..=150).contains(&right), "{right} of the 150 rows that have the class of their line");
    }

    #[test]
    fn the_loss_of_classes_takes_only_classes() {
        let config =
            TrainConfig { loss: Loss::CrossEntropy { label_smoothing: 0.0 }, ..TrainConfig::default() };
        let plans = members(1, 0.0);
        let error =
            fit(&mut Toy::new(1), &plan(&config, &plans, &Interrupt::default()), &mut ()).unwrap_err();
        assert!(error.to_string().starts_with("a label of member `fold0/seed0` is "), "{error}");
        assert!(
            matches!(error, FitError::Class { label, .. } if label == plans[0].validation.as_ref().unwrap().labels[0])
        );
    }

    #[test]
    fn a_member_does_not_depend_on_its_population() {
        let (config, members) = (busy(3), members(5, 0.2));
        let together = straight(&config, &members).fits;
        let stops: BTreeSet<_> = together.iter().map(|m| m.n_epochs).collect();
        assert!(stops.len() > 1, "the members must stop at different times for this test to mean something");
        for (member, expected) in members.iter().zip(&together) {
            assert_eq!(&straight(&config, std::slice::from_ref(member)).fits[0], expected);
        }
    }

    #[test]
    fn a_finished_fit_is_read_from_its_checkpoint() {
        let (config, members) = (busy(4), members(2, 0.0));
        let folder = Files::new();
        let first = folder.fit(&config, &members, Toy::new(2));
        let again = folder.fit(&config, &members, Toy::new(2));
        assert_eq!(again.n_steps, 0);
        assert_eq!((again.fits, again.files), (first.fits, first.files));
    }

    #[test]
    fn a_line_is_found() {
        // y = 2 a - b + 0.5 without noise; least squares has no other answer.
        let config =
            TrainConfig { epochs: 300, batch_size: 8, learning_rate: 0.05, ..TrainConfig::default() };
        let schedule = ScheduleConfig::WarmupCosine { warmup_epochs: 5, final_fraction: 0.0 };
        let fits = straight(&TrainConfig { schedule, ..config }, &members(1, 0.0)).fits;
        let found = &fits[0].state.weights;
        for (found, expected) in found.iter().zip([2.0, -1.0, 0.5]) {
            assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
        }
    }

    #[test]
    fn early_stop_gives_the_best_weights_of_the_history() {
        let (config, members) = (TrainConfig { epochs: 200, ..busy(50) }, members(3, 0.3));
        let done = straight(&config, &members);
        for member in &done.fits {
            let lines: Vec<_> = done.history().into_iter().filter(|l| l.member == member.name).collect();
            let losses: Vec<_> = lines.iter().map(|l| l.validation_loss.unwrap()).collect();
            let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
            let best_epoch = 1 + losses.iter().position(|&l| l <= best).unwrap() as u32;
            assert_eq!(member.best_validation_loss, Some(best));
            assert_eq!(member.stop, StopReason::EarlyStop { best_epoch });
            assert_eq!(lines.last().unwrap().stop, Some(member.stop));
            assert_eq!(member.n_epochs as usize, lines.len());
            assert!(member.n_epochs < 200 && member.n_epochs >= best_epoch);
            let validation = members[0].validation.clone().unwrap();
            let prediction =
                Toy::of(std::slice::from_ref(&member.state)).predict(std::slice::from_ref(&validation));
            let loss = mean_loss(config.loss, &validation, &prediction[0]);
            assert_eq!(loss.to_bits(), best.to_bits());
        }
    }

    #[test]
    fn a_diverged_member_leaves_the_others_alone() {
        let (config, mut members) = (TrainConfig { early_stop: None, ..busy(2) }, members(3, 0.1));
        let alone = straight(&config, &members).fits;
        members[1].hyper.learning_rate = 1e30;
        let done = straight(&config, &members);
        assert_eq!(done.fits[1].stop, StopReason::Diverged { epoch: 1 });
        assert_eq!((&done.fits[0], &done.fits[2]), (&alone[0], &alone[2]));
        let history = done.history();
        let lines: Vec<_> = history.iter().filter(|l| l.member == members[1].name).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].train_loss, lines[0].stop), (None, Some(done.fits[1].stop)));
    }

    #[test]
    fn a_weight_that_is_no_number_after_the_last_step_is_divergence() {
        let mut members = members(1, 0.0);
        (members[0].hyper.learning_rate, members[0].validation) = (1e300, None);
        let config = TrainConfig { epochs: 1, batch_size: 1000, ..TrainConfig::default() };
        assert_eq!(straight(&config, &members).fits[0].stop, StopReason::Diverged { epoch: 1 });
    }

    #[test]
    fn without_validation_the_last_weights_are_the_best() {
        let mut members = members(1, 0.0);
        members[0].validation = None;
        let (config, stop) = (busy(2), Interrupt::new());
        let mut engine = Toy::new(1);
        let fits = fit(&mut engine, &plan(&config, &members, &stop), &mut ()).unwrap();
        assert_eq!((fits[0].stop, fits[0].n_epochs, fits[0].best_epoch), (StopReason::MaxEpochs, 9, None));
        assert_eq!(fits[0].state.steps, 9 * members[0].train.len() as u64);
        assert_eq!(fits[0].state, engine.state(0));
    }

    #[test]
    fn train_loss_is_the_mean_over_rows_and_rates_follow_the_schedule() {
        // Weights stay 0, so the losses are the mean squares of the labels 1, 2 and 3: (1 + 4) / 2 and 9.
        let mut members = members(1, 0.0);
        members[0].train = Arc::new(Rows { labels: vec![1.0, 2.0, 3.0], ..rows(3, 0) });
        members[0].hyper.learning_rate = 1e-9;
        let schedule = ScheduleConfig::Step { every: 1, factor: 0.5 };
        let config =
            TrainConfig { epochs: 3, batch_size: 2, shuffle: false, schedule, ..TrainConfig::default() };
        let done = straight(&config, &members);
        let history = done.history();
        assert!((history[0].train_loss.unwrap() - 14.0 / 3.0).abs() < 1e-5);
        let rates: Vec<_> = history.iter().map(|l| l.learning_rate).collect();
        assert_eq!(rates, [1e-9, 0.5e-9, 0.25e-9]);
        let used: Vec<_> = done.log.iter().map(|l| l.learning_rate).collect();
        assert_eq!(used, [1e-9_f32, 1e-9, 0.5e-9, 0.5e-9, 0.25e-9, 0.25e-9]);
    }

    #[test]
    fn an_epoch_shows_every_row_once_in_a_new_order() {
        let members = members(2, 0.5);
        let config = TrainConfig { epochs: 2, batch_size: 5, ..TrainConfig::default() };
        let log = straight(&config, &members).log;
        let mut orders = Vec::new();
        for (i, member) in members.iter().enumerate() {
            let n = member.train.len();
            let seen: Vec<u32> =
                log.iter().filter(|l| l.member_idx == i).flat_map(|l| l.batch.clone()).collect();
            assert_eq!(seen.len(), 2 * n);
            for order in seen.chunks(n) {
                let mut sorted = order.to_vec();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..n as u32).collect::<Vec<_>>());
                orders.push(order.to_vec());
            }
        }
        let distinct: BTreeSet<_> = orders.iter().collect();
        assert_eq!(distinct.len(), 4);
        let keys: BTreeSet<_> = log.iter().map(|l| l.dropout_seed).collect();
        assert_eq!(keys.len(), log.len());
    }

    fn lbfgs(epochs: u32) -> TrainConfig {
        let optimizer = OptimizerConfig { kind: OptimizerKind::Lbfgs, ..OptimizerConfig::default() };
        TrainConfig { epochs, batch_size: 5, optimizer, checkpoint_every: 3, ..TrainConfig::default() }
    }

    #[test]
    fn lbfgs_finds_the_line_in_full_batches_and_resumes() {
        let mut members = members(2, 0.0);
        for member in &mut members {
            member.validation = None;
        }
        let without_statistics = || {
            let state = Toy::new(1).state(0);
            Toy::of(&vec![MemberState { statistics: Vec::new(), ..state }; 2])
        };
        let straight = Files::new().fit(&lbfgs(12), &members, without_statistics());
        assert!(straight.log.is_empty(), "no step of the engine's own");
        for member in &straight.fits {
            assert_eq!(member.stop, StopReason::MaxEpochs);
            for (found, expected) in member.state.weights.iter().zip([2.0, -1.0, 0.5]) {
                assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
            }
        }
        let folder = Files::new();
        let interrupt = Interrupt::new();
        let mut stops = StopsAt { epoch: 4, interrupt: &interrupt };
        let [checkpoint, history] = folder.paths();
        let config = lbfgs(12);
        let plan = FitPlan { checkpoint: Some(&checkpoint), ..plan(&config, &members, &interrupt) };
        let paused = fit(&mut without_statistics(), &plan, &mut (History::new(history), &mut stops)).unwrap();
        assert!(paused.iter().all(|m| m.stop == StopReason::Interrupted && m.n_epochs == 4));
        let resumed = folder.fit(&config, &members, without_statistics());
        assert_eq!((resumed.fits, resumed.files), (straight.fits, straight.files));
    }

    /// Asks for a pause after an epoch.
    struct StopsAt<'a> {
        epoch: u32,
        interrupt: &'a Interrupt,
    }

    impl Observe for &mut StopsAt<'_> {
        fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
            if report.epoch == self.epoch {
                self.interrupt.interrupt();
            }
            Ok(())
        }
    }

    #[test]
    fn lbfgs_refuses_what_it_cannot_honour() {
        let stop = Interrupt::new();
        let mut members = members(1, 0.0);
        let what = |members: &[MemberPlan]| {
            let refused = fit(&mut Toy::new(1), &plan(&lbfgs(1), members, &stop), &mut ()).unwrap_err();
            let FitError::FullBatch { what, .. } = refused else { panic!("{refused}") };
            what
        };
        assert_eq!(what(&members), "batch normalisation");
        members[0].hyper.dropout = 0.1;
        assert_eq!(what(&members), "dropout");
        members[0].hyper.weight_decay = 0.1;
        assert_eq!(what(&members), "weight decay");
    }

    #[test]
    fn a_timeout_pauses_like_an_interruption() {
        let (config, members, stop) = (busy(2), members(2, 0.0), Interrupt::new());
        stop.time_out();
        let fits = fit(&mut Toy::new(2), &plan(&config, &members, &stop), &mut ()).unwrap();
        assert!(fits.iter().all(|m| m.stop == StopReason::Timeout && m.n_epochs == 0));
    }

    #[test]
    fn a_checkpoint_of_another_fit_is_refused_by_what_differs() {
        let (config, members) = (busy(2), members(2, 0.0));
        let folder = Files::new();
        folder.fit(&config, &members, Toy::new(2));
        let refused = |config: &TrainConfig, members: &[MemberPlan]| {
            folder.try_fit(config, members, &mut Toy::new(2), &mut ()).unwrap_err().to_string()
        };
        let other = TrainConfig { loss: Loss::Mae, ..config.clone() };
        assert!(refused(&other, &members).contains("settings differ"));
        let mut other = members.clone();
        other[1].seed = Seed::new(99);
        assert!(refused(&config, &other).contains("rows of fold1/seed0 differ"));
        let mut other = members.clone();
        other[0].validation = None;
        assert!(refused(&config, &other).contains("rows of fold0/seed0 differ"));
        let mut other = members;
        other.swap(0, 1);
        assert!(refused(&config, &other).contains("names of the members differ"));
        let error = folder.try_fit(&config, &other, &mut Toy::new(2), &mut ()).unwrap_err();
        assert!(!error.is_checkpoint_unusable(), "it may be worth its epochs");
    }

    #[test]
    fn a_damaged_checkpoint_is_known_as_one() {
        let (config, members) = (busy(2), members(2, 0.0));
        let folder = Files::new();
        let whole = folder.fit(&config, &members, Toy::new(2));
        let [checkpoint, _] = folder.paths();
        for damaged in [&whole.files[0][..whole.files[0].len() - 1], b"", b"{}"] {
            crate::file::write_atomic(&checkpoint, damaged).unwrap();
            let error = folder.try_fit(&config, &members, &mut Toy::new(2), &mut ()).unwrap_err();
            assert!(error.is_checkpoint_unusable(), "{error}");
        }
    }

    #[test]
    fn a_plan_that_cannot_be_fitted_is_refused() {
        let (config, stop) = (busy(2), Interrupt::new());
        let refused = |members: &[MemberPlan]| {
            fit(&mut Toy::new(2), &plan(&config, members, &stop), &mut ()).unwrap_err()
        };
        assert!(matches!(refused(&members(3, 0.0)), FitError::MemberCount { engine: 2, plan: 3 }));
        let with = |change: fn(&mut MemberPlan)| {
            let mut members = members(2, 0.0);
            change(&mut members[1]);
            members
        };
        assert!(matches!(
            refused(&with(|m| m.name = "fold0/seed0".into())),
            FitError::DuplicateMember { .. }
        ));
        let no_training = refused(&with(|m| m.train = Arc::default()));
        assert!(matches!(no_training, FitError::NoRows { part: "training", .. }));
        let no_validation = refused(&with(|m| m.validation = Some(Arc::default())));
        assert!(matches!(no_validation, FitError::NoRows { part: "validation", .. }));
        assert!(matches!(refused(&with(|m| m.hyper.dropout = 1.0)), FitError::Hyper { key: "dropout", .. }));
        let broken = TrainConfig { epochs: 0, ..config.clone() };
        let refused = fit(&mut Toy::new(2), &plan(&broken, &members(2, 0.0), &stop), &mut ()).unwrap_err();
        assert!(matches!(refused, FitError::Config(ConfigError { key: "epochs", .. })));
        let members = members(2, 0.0);
        let nothing = FitPlan { until: Some(0), ..plan(&config, &members, &stop) };
        let refused = fit(&mut Toy::new(2), &nothing, &mut ()).unwrap_err();
        assert!(matches!(refused, FitError::Config(ConfigError { key: "until", .. })));
    }
}
