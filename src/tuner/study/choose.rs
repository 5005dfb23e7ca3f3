//! What a worker does next, as a function of the study alone: with one worker, a search that was killed goes on as if not.

use super::event::{Begun, Event};
use super::work::{Ended, Worker};
use super::{Study, StudyError};
use crate::tuner::oracle::Proposal;
use crate::tuner::trial::Trial;

/// What to do next.
pub(super) enum Next {
    /// Evaluate the batch of this lease.
    Batch(u64),
    /// Others are at work; there may be something when they are done.
    Wait,
    /// There is nothing, and nobody is at work.
    Nothing(Ended),
}

/// Why no batch can be made of new trials.
enum Dry {
    /// The study has all its trials.
    Full,
    /// The oracle waits, or knows nothing more.
    Silent,
}

impl Worker<'_> {
    /// Takes a batch, under the study's lock: an abandoned one, failed trials, waiting ones, or new ones.
    pub(super) fn choose(&mut self) -> Result<Next, StudyError> {
        let _held = self.study.enter()?;
        if let Some(begun) = self.abandoned()? {
            return self.begin(begun);
        }
        let retries = self.study.config().retries;
        let trials = self.study.trials();
        let failed: Vec<usize> =
            self.study.state.failed.iter().copied().filter(|n| trials[*n].retries < retries).collect();
        if let Some(first) = failed.first() {
            let trials = self.fitting(*first, &failed);
            return self.begin(Begun { retried: trials.clone(), trials, ..Begun::default() });
        }
        match self.fresh() {
            Ok(begun) => self.begin(begun),
            Err(_) if !self.study.state.leases.is_empty() => Ok(Next::Wait),
            Err(Dry::Full) => Ok(Next::Nothing(Ended::Complete)),
            Err(Dry::Silent) => Ok(Next::Nothing(Ended::Exhausted)),
        }
    }

    /// Returns the first batch that nobody works on any more.
    fn abandoned(&mut self) -> Result<Option<Begun>, StudyError> {
        let Self { study, watcher, .. } = self;
        let lease_s = study.config().lease_s;
        let mut leases: Vec<_> = study.state.leases.values().collect();
        leases.sort_by_key(|l| l.trials.first());
        for lease in leases {
            let worker = lease.worker.as_ref().filter(|w| **w != self.options.worker);
            if worker.map_or(Ok(true), |w| watcher.is_gone(study.folder(), w, lease_s))? {
                let trials = lease.trials.clone();
                return Ok(Some(Begun { from: Some(lease.id), trials, ..Begun::default() }));
            }
        }
        Ok(None)
    }

    /// Returns a batch of running trials that nobody has, filled up with new ones.
    fn fresh(&mut self) -> Result<Begun, Dry> {
        let waiting: Vec<usize> = self.study.state.unclaimed.iter().copied().collect();
        let trials = waiting.first().map(|first| self.fitting(*first, &waiting)).unwrap_or_default();
        // Waiting trials that fit no batch of these go first.
        if trials.len() < waiting.len() || trials.len() >= self.together() {
            return Ok(Begun { trials, ..Begun::default() });
        }
        let claimed = trials.len();
        match self.propose(trials) {
            Ok(begun) => Ok(begun),
            Err(_) if claimed > 0 => Ok(Begun { trials: waiting, ..Begun::default() }),
            Err(dry) => Err(dry),
        }
    }

    /// Asks the oracle until the batch is full, it has nothing, or what it proposes fits another batch.
    fn propose(&mut self, mut trials: Vec<usize>) -> Result<Begun, Dry> {
        if self.asked_at == Some(self.study.log.at()) {
            return Err(Dry::Silent);
        }
        let (n_before, n_max) = (self.study.trials().len(), self.study.config().trials);
        let mut dry = Dry::Full;
        while trials.len() < self.together() && self.study.trials().len() < n_max {
            let Proposal::Trial { values, budget } = self.crew.oracle.propose(&self.study.view()) else {
                dry = Dry::Silent;
                break;
            };
            let number = self.study.trials().len();
            let id = self.study.state.new_id(number, &[].into());
            self.study.state.trials.push(Trial::new(number, id, values, budget));
            let fits = trials.first().is_none_or(|first| self.agree(*first, number));
            if !fits {
                break;
            }
            trials.push(number);
        }
        // They become the study's when the journal says so.
        let proposed = self.study.state.trials.split_off(n_before);
        if proposed.is_empty() {
            self.asked_at = matches!(dry, Dry::Silent).then(|| self.study.log.at());
            return Err(dry);
        }
        Ok(Begun { trials, proposed, ..Begun::default() })
    }

    /// Returns `first` and those after it among `candidates` that may share its batch, as many as go together.
    fn fitting(&self, first: usize, candidates: &[usize]) -> Vec<usize> {
        let fits = candidates.iter().copied().filter(|n| *n == first || self.agree(first, *n));
        fits.take(self.together()).collect()
    }

    fn agree(&self, a: usize, b: usize) -> bool {
        let trials = self.study.trials();
        let epochs = |t: &Trial| t.budget.as_ref().map(|b| (b.from, b.until));
        let group = |t: &Trial| self.crew.evaluate.group(t);
        epochs(&trials[a]) == epochs(&trials[b]) && group(&trials[a]) == group(&trials[b])
    }

    fn together(&self) -> usize {
        self.study.config().together.max(1)
    }

    /// Takes a batch.
    fn begin(&mut self, mut begun: Begun) -> Result<Next, StudyError> {
        self.clean(&begun.retried)?;
        let lease = self.study.state.next_lease;
        (begun.lease, begun.worker) = (lease, self.options.worker.clone());
        let proposed: Vec<usize> = begun.proposed.iter().map(|t| t.number).collect();
        let mut changed = [begun.trials.clone(), proposed.clone()].concat();
        changed.sort_unstable();
        changed.dedup();
        self.study.append(Event::Begun(begun), true)?;
        self.lease = Some(lease);
        self.crew.derive.changed(self.study, &changed)?;
        if !proposed.is_empty() {
            self.crew.watch.proposed(self.study, &proposed);
        }
        Ok(Next::Batch(lease))
    }

    /// Removes what a failed attempt left, before it is begun anew.
    fn clean(&self, retried: &[usize]) -> Result<(), StudyError> {
        retried.iter().try_for_each(|n| discard(self.study, self.crew.evaluate, *n).map(|_| ()))
    }
}

/// Removes what training left in a trial's folder, if it is there; returns the bytes freed.
pub(super) fn discard(
    study: &Study,
    evaluate: &dyn crate::tuner::evaluate::Evaluate,
    number: usize,
) -> Result<u64, StudyError> {
    let folder = study.trial_folder(&study.trials()[number]);
    if !folder.exists() {
        return Ok(0);
    }
    evaluate.discard(&folder).map_err(|source| StudyError::Evaluate { folder: study.folder().into(), source })
}
