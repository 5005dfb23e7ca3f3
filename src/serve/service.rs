//! What all requests share: the models, the limits, the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Say;
use super::hosted::{Hosted, Offer};
use super::metrics::Metrics;
use super::refusal::Refusal;
use super::settings::{ServeError, Settings};
use crate::descriptor::did_you_mean;

/// The server's state, one of all connections.
pub(super) struct Service {
    /// Limits, address, token.
    pub(super) settings: Settings,
    /// Models, in the order in which they were named; the first answers where none is named.
    pub(super) models: Vec<Hosted>,
    /// Figures.
    pub(super) metrics: Metrics,
    /// Takes what is worth a line.
    pub(super) say: Say,
    slots: Arc<Semaphore>,
    held: Arc<AtomicUsize>,
    is_draining: AtomicBool,
}

impl Service {
    /// Loads the models.
    ///
    /// # Errors
    /// [`ServeError::NoModel`], [`ServeError::SameName`] or [`ServeError::Load`].
    pub(super) fn start(settings: Settings, offers: Vec<Offer>, say: Say) -> Result<Self, ServeError> {
        let metrics = Metrics::default();
        let mut models: Vec<Hosted> = Vec::new();
        for offer in offers {
            let hosted = Hosted::start(offer, &settings, &metrics)?;
            if models.iter().any(|m| m.name == hosted.name) {
                return Err(ServeError::SameName { name: hosted.name });
            }
            models.push(hosted);
        }
        if models.is_empty() {
            return Err(ServeError::NoModel);
        }
        let slots = Arc::new(Semaphore::new(settings.max_in_flight));
        let (held, is_draining) = (Arc::default(), AtomicBool::new(false));
        Ok(Self { settings, models, metrics, say, slots, held, is_draining })
    }

    /// Returns the model called `name`, the first without a name.
    ///
    /// # Errors
    /// 404 with the names that there are.
    pub(super) fn hosted(&self, name: Option<&str>) -> Result<&Hosted, Refusal> {
        let Some(name) = name else { return Ok(&self.models[0]) };
        self.models.iter().find(|m| m.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|m| m.name.as_str()).collect();
            let hint = did_you_mean(name, names.iter().copied());
            let message = format!("no model `{name}` is served here{hint}");
            Refusal::new(404, "unknown_model", message).with(json!({ "models": names }))
        })
    }

    /// Takes one of the places for predictions under way.
    ///
    /// # Errors
    /// 429 where all are taken.
    pub(super) fn slot(&self) -> Result<Slot, Refusal> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            let message =
                format!("{} predictions are under way; ask again in a second", self.settings.max_in_flight);
            Refusal::new(429, "busy", message)
        })?;
        self.metrics.in_flight.inc();
        Ok(Slot { in_flight: self.metrics.in_flight.clone(), _permit: permit })
    }

    /// Counts bytes that are held for a body.
    ///
    /// # Errors
    /// 503 where too many are.
    pub(super) fn hold(&self, held: &mut Held, n: usize) -> Result<(), Refusal> {
        held.n += n;
        let all = self.held.fetch_add(n, Ordering::Relaxed) + n;
        if all <= self.settings.max_held {
            return Ok(());
        }
        Err(Refusal::new(503, "memory", "too many large bodies at a time; ask again in a second").closing())
    }

    /// Returns an account of held bytes, at 0.
    pub(super) fn held(&self) -> Held {
        Held { all: Arc::clone(&self.held), n: 0 }
    }

    /// Notes that the server stops.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// Returns whether the server stops.
    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }
}

/// A place among the predictions under way, given back when it is dropped.
pub(super) struct Slot {
    in_flight: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

/// Bytes held for one body, given back when it is dropped.
pub(super) struct Held {
    all: Arc<AtomicUsize>,
    n: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.n, Ordering::Relaxed);
    }
}
