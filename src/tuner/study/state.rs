//! A study in memory: what follows from the events of its journal, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Begun, End, Event, Finish};
use super::header::Header;
use crate::tuner::trial::{Origin, Status, Trial};

/// A batch of trials that one worker evaluates in one call; it changes hands as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Number of the lease; one that is taken over gets a new one.
    pub id: u64,
    /// Who holds it; `None` when it was left for others.
    pub worker: Option<String>,
    /// Numbers of the trials, ascending.
    pub trials: Vec<usize>,
}

/// What the events say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) header: Header,
    pub(super) trials: Vec<Trial>,
    /// Batches that are not finished, by the number of their lease.
    pub(super) leases: BTreeMap<u64, Lease>,
    pub(super) next_lease: u64,
    /// Running trials of no batch.
    pub(super) unclaimed: BTreeSet<usize>,
    /// Failed trials that were trained here.
    pub(super) failed: BTreeSet<usize>,
    /// Ended trials whose folders hold what training left.
    pub(super) holding: BTreeSet<usize>,
    ids: BTreeSet<String>,
}

impl State {
    pub(super) fn new(header: Header) -> Self {
        Self {
            header,
            trials: Vec::new(),
            leases: BTreeMap::new(),
            next_lease: 0,
            unclaimed: BTreeSet::new(),
            failed: BTreeSet::new(),
            holding: BTreeSet::new(),
            ids: BTreeSet::new(),
        }
    }

    /// Follows an event; says what is wrong with it, if anything.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Study(_) => return Err("the study begins twice".into()),
            Event::Settings(new) => {
                let header = &mut self.header;
                (header.version, header.experiment) = (new.version, new.experiment);
                (header.epochs, header.config) = (new.epochs, new.config);
            }
            Event::Adopted { trials } => trials.into_iter().try_for_each(|t| self.add(t))?,
            Event::Begun(begun) => self.begin(begun)?,
            Event::Released { lease } => {
                self.leases.get_mut(&lease).ok_or("an unknown batch is left")?.worker = None;
            }
            Event::Finished { lease, results } => self.finish(lease, results)?,
            Event::Discarded { trials } => trials.iter().for_each(|n| {
                self.holding.remove(n);
            }),
        }
        Ok(())
    }

    /// Returns a free name for the trial `number`, as wide as the number of trials asked for, as Keras Tuner does.
    pub(super) fn new_id(&self, number: usize, taken: &BTreeSet<String>) -> String {
        let mut width = self.header.config.trials.to_string().len();
        loop {
            let id = format!("{number:0width$}");
            if !self.ids.contains(&id) && !taken.contains(&id) {
                return id;
            }
            width = width.max(id.len()) + 1;
        }
    }

    pub(super) fn is_taken(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    fn add(&mut self, trial: Trial) -> Result<(), String> {
        if trial.number != self.trials.len() {
            return Err(format!("trial {} follows {} trials", trial.number, self.trials.len()));
        }
        if !self.ids.insert(trial.id.clone()) {
            return Err(format!("two trials are named `{}`", trial.id));
        }
        if trial.status == Status::Running {
            self.unclaimed.insert(trial.number);
        }
        self.trials.push(trial);
        Ok(())
    }

    fn begin(&mut self, begun: Begun) -> Result<(), String> {
        begun.proposed.into_iter().try_for_each(|t| self.add(t))?;
        for number in begun.retried {
            let trial = self.trials.get_mut(number).filter(|t| t.status == Status::Failed);
            let trial = trial.ok_or_else(|| format!("trial {number} did not fail and is begun anew"))?;
            (trial.status, trial.message, trial.retries) = (Status::Running, None, trial.retries + 1);
            self.failed.remove(&number);
            self.holding.remove(&number);
            self.unclaimed.insert(number);
        }
        if let Some(old) = begun.from {
            let old = self.leases.remove(&old).ok_or("a batch is taken over that nobody had")?;
            self.unclaimed.extend(old.trials);
        }
        let free = begun.trials.iter().all(|n| self.unclaimed.remove(n));
        if !free || begun.trials.is_empty() || begun.lease < self.next_lease {
            return Err(format!("worker `{}` takes trials that are not free", begun.worker));
        }
        self.next_lease = begun.lease + 1;
        let lease = Lease { id: begun.lease, worker: Some(begun.worker), trials: begun.trials };
        self.leases.insert(lease.id, lease);
        Ok(())
    }

    fn finish(&mut self, lease: u64, results: Vec<Finish>) -> Result<(), String> {
        let batch = self.leases.get_mut(&lease).ok_or("results of an unknown batch")?;
        for Finish { trial: number, end } in results {
            let place = batch.trials.iter().position(|n| *n == number);
            batch.trials.remove(place.ok_or_else(|| format!("trial {number} ends in another's batch"))?);
            let trial = &mut self.trials[number];
            end_trial(trial, end);
            self.holding.insert(number);
            if trial.status == Status::Failed {
                self.failed.insert(number);
            }
        }
        if batch.trials.is_empty() {
            self.leases.remove(&lease);
        }
        Ok(())
    }
}

/// Returns whether the trial is trained here, not by another program.
pub(super) fn is_ours(trial: &Trial) -> bool {
    trial.origin != Origin::Observed
}

/// Writes what came of a trial into it.
pub(super) fn end_trial(trial: &mut Trial, end: End) {
    match end {
        End::Completed(evaluation) => {
            (trial.status, trial.evaluation) = (Status::Completed, Some(evaluation));
        }
        End::Failed(why) => (trial.status, trial.message) = (Status::Failed, Some(why)),
    }
}
