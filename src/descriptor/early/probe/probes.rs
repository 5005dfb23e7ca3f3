//! What several descriptors look at, found once a cell and only when asked for.

use std::cell::OnceCell;

use super::chronoamperometry::{self, Hold};
use super::relaxation::Rests;
use super::spectrum::{self, Arc};
use super::switch::{self, Switch};
use super::titration::{self, Pulse, Titration};
use super::{EarlyCell, Missing, rest};

/// Titrations, and the pulses of all of them.
type Titrated = (Vec<Titration>, Vec<Pulse>);

/// Titrations, rests, holds, spectra and current steps of a cell's window.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    titrated: OnceCell<Result<Titrated, Missing>>,
    rests: OnceCell<Rests>,
    holds: OnceCell<Vec<Hold>>,
    arcs: OnceCell<Vec<Arc>>,
    switches: OnceCell<Result<Vec<Switch>, Missing>>,
}

impl Probes {
    fn titrated(&self, cell: &EarlyCell) -> Result<&Titrated, Missing> {
        let find = || {
            let titrations = titration::titrations(cell)?;
            let pulses = titrations.iter().flat_map(|t| t.pulses.clone()).collect();
            Ok((titrations, pulses))
        };
        self.titrated.get_or_init(find).as_ref().map_err(Clone::clone)
    }

    /// Returns the titrations, at least one.
    pub(super) fn titrations(&self, cell: &EarlyCell) -> Result<&[Titration], Missing> {
        self.titrated(cell).map(|(titrations, _)| titrations.as_slice())
    }

    /// Returns the pulses of all titrations.
    pub(super) fn pulses(&self, cell: &EarlyCell) -> Result<&[Pulse], Missing> {
        self.titrated(cell).map(|(_, pulses)| pulses.as_slice())
    }

    /// Returns the rests after charges and after discharges.
    pub(super) fn rests(&self, cell: &EarlyCell) -> &Rests {
        self.rests.get_or_init(|| Rests::new(rest::rests(cell)))
    }

    /// Returns the decays of the current at constant voltage.
    pub(super) fn holds(&self, cell: &EarlyCell) -> &[Hold] {
        self.holds.get_or_init(|| chronoamperometry::find(cell))
    }

    /// Returns the spectra.
    pub(super) fn arcs(&self, cell: &EarlyCell) -> &[Arc] {
        self.arcs.get_or_init(|| spectrum::find(cell))
    }

    /// Returns the resistances by current steps, at least one.
    pub(super) fn switches(&self, cell: &EarlyCell) -> Result<&[Switch], Missing> {
        self.switches.get_or_init(|| switch::find(cell)).as_deref().map_err(Clone::clone)
    }
}
