//! Observers: what a fit tells while it runs, to progress bars, histories and searches.

use super::StopReason;
use crate::file::FileError;

/// What an epoch did.
#[derive(Debug, Clone, Copy)]
pub struct EpochReport<'a> {
    /// Epoch that ended, from 1.
    pub epoch: u32,
    /// Most epochs of the fit: those of its budget where it has one.
    pub epochs: u32,
    /// Members that trained in it, in the order of the population.
    pub members: &'a [MemberReport<'a>],
}

/// What an epoch did to one member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemberReport<'a> {
    /// Name of the member.
    pub name: &'a str,
    /// Mean of the losses of its steps, each before the step, as the engine states them.
    pub train_loss: f64,
    /// Loss over its validation rows after the epoch; `None` without such rows or when it diverged.
    pub validation_loss: Option<f64>,
    /// Learning rate of its steps.
    pub learning_rate: f64,
    /// Whether these are its best weights so far.
    pub best: bool,
    /// Why it stopped, if it did in this epoch.
    pub stop: Option<StopReason>,
}

/// Follows a fit. An observer that cannot write what it must stops the fit with its error.
///
/// A fit knows no clock; an observer that shows the time that is left, or saves by the clock, measures it by itself.
pub trait Observe {
    /// Hears that the fit begins, or goes on, with `epoch`; what was told of this epoch and later ones is void.
    ///
    /// # Errors
    /// Whatever the observer cannot read or write.
    fn begin(&mut self, _epoch: u32) -> Result<(), FileError> {
        Ok(())
    }

    /// Hears that an epoch ended.
    ///
    /// # Errors
    /// Whatever the observer cannot write.
    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError>;

    /// Hears that `done` of `total` models without epochs (trees) are fitted.
    ///
    /// # Errors
    /// Whatever the observer cannot write.
    fn fitted(&mut self, _done: usize, _total: usize) -> Result<(), FileError> {
        Ok(())
    }

    /// Returns whether it wants a checkpoint now; asked after each epoch, beside `checkpoint_every`.
    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    /// Makes durable what it was told, since a checkpoint that counts on it is written next.
    ///
    /// # Errors
    /// Whatever the observer cannot write.
    fn persist(&mut self) -> Result<(), FileError> {
        Ok(())
    }
}

/// Nobody watches.
impl Observe for () {
    fn epoch_finished(&mut self, _report: &EpochReport<'_>) -> Result<(), FileError> {
        Ok(())
    }
}

/// A borrowed observer hears as the observer itself.
impl<T: Observe + ?Sized> Observe for &mut T {
    fn begin(&mut self, epoch: u32) -> Result<(), FileError> {
        (**self).begin(epoch)
    }

    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
        (**self).epoch_finished(report)
    }

    fn fitted(&mut self, done: usize, total: usize) -> Result<(), FileError> {
        (**self).fitted(done, total)
    }

    fn wants_checkpoint(&mut self) -> bool {
        (**self).wants_checkpoint()
    }

    fn persist(&mut self) -> Result<(), FileError> {
        (**self).persist()
    }
}

/// Each hears everything, one after the other.
impl<A: Observe, B: Observe> Observe for (A, B) {
    fn begin(&mut self, epoch: u32) -> Result<(), FileError> {
        self.0.begin(epoch)?;
        self.1.begin(epoch)
    }

    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
        self.0.epoch_finished(report)?;
        self.1.epoch_finished(report)
    }

    fn fitted(&mut self, done: usize, total: usize) -> Result<(), FileError> {
        self.0.fitted(done, total)?;
        self.1.fitted(done, total)
    }

    fn wants_checkpoint(&mut self) -> bool {
        let (first, second) = (self.0.wants_checkpoint(), self.1.wants_checkpoint());
        first || second
    }

    fn persist(&mut self) -> Result<(), FileError> {
        self.0.persist()?;
        self.1.persist()
    }
}
