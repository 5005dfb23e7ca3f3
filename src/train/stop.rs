//! Why a fit ends: each member's reason, and the flag by which somebody outside asks for a pause.

use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};

/// Why a member stopped. Divergence is a result, not an error: the other members go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StopReason {
    /// It trained all its epochs.
    MaxEpochs,
    /// Its validation loss no longer fell.
    EarlyStop {
        /// Epoch of its best weights, from 1.
        best_epoch: u32,
    },
    /// Somebody asked for a pause; the checkpoint goes on from here.
    Interrupted,
    /// It trained the epochs of its budget; its checkpoint can go on to a larger one.
    Budget,
    /// Its loss or its weights were no finite numbers any more.
    Diverged {
        /// Epoch in which that was seen, from 1.
        epoch: u32,
    },
    /// The time of the run was over; the checkpoint goes on from here.
    Timeout,
}

impl StopReason {
    /// Returns whether the member has more to do when the run is resumed.
    pub fn is_pause(self) -> bool {
        matches!(self, Self::Interrupted | Self::Timeout)
    }
}

const GO_ON: u8 = 0;
const INTERRUPTED: u8 = 1;
const TIMEOUT: u8 = 2;

/// Flag by which a signal handler or a clock asks a fit to pause after its present step.
#[derive(Debug, Default)]
pub struct Interrupt(AtomicU8);

impl Interrupt {
    /// Returns a flag that asks for nothing.
    pub const fn new() -> Self {
        Self(AtomicU8::new(GO_ON))
    }

    /// Asks for a pause because somebody wants it (Ctrl-C).
    pub fn interrupt(&self) {
        self.0.store(INTERRUPTED, Ordering::Relaxed);
    }

    /// Asks for a pause because the time is over; an interruption goes before it.
    pub fn time_out(&self) {
        let _ = self.0.compare_exchange(GO_ON, TIMEOUT, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns what was asked for.
    pub fn reason(&self) -> Option<StopReason> {
        match self.0.load(Ordering::Relaxed) {
            GO_ON => None,
            TIMEOUT => Some(StopReason::Timeout),
            _ => Some(StopReason::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_goes_before_a_timeout() {
        let flag = Interrupt::new();
        assert_eq!(flag.reason(), None);
        flag.time_out();
        assert_eq!(flag.reason(), Some(StopReason::Timeout));
        flag.interrupt();
        flag.time_out();
        assert_eq!(flag.reason(), Some(StopReason::Interrupted));
    }
}
