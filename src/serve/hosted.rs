//! Models that are served, each under its name, and exchanged while requests run.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::batch::Queue;
use super::metrics::Metrics;
use super::model::Model;
use super::settings::{ServeError, Settings};

/// Why a model cannot be loaded.
pub type LoadError = Box<dyn Error + Send + Sync>;

/// Loads a model; called again for each promotion.
type Load = Box<dyn Fn() -> Result<Arc<dyn Model>, LoadError> + Send + Sync>;

/// Where a model comes from.
pub struct Source {
    load: Load,
    watched: Option<PathBuf>,
}

/// A model to be served.
#[derive(Debug)]
pub struct Offer {
    /// Name by which it is asked; without one, the name on its card.
    pub name: Option<String>,
    /// Where it comes from.
    pub source: Source,
}

/// A model that is served.
#[derive(Debug)]
pub(super) struct Hosted {
    /// Name by which it is asked.
    pub(super) name: String,
    /// Requests that wait for it.
    pub(super) queue: Queue,
    /// Where it comes from.
    pub(super) source: Source,
    /// Bytes of the watched file that stand for what was loaded, or refused, last.
    seen: Mutex<Option<Vec<u8>>>,
    current: RwLock<Arc<dyn Model>>,
}

impl Source {
    /// Returns a source that is loaded by `load`, and again whenever the bytes of `watched` are others.
    pub fn new(
        watched: Option<PathBuf>,
        load: impl Fn() -> Result<Arc<dyn Model>, LoadError> + Send + Sync + 'static,
    ) -> Self {
        Self { load: Box::new(load), watched }
    }

    /// Loads the model as it is now.
    ///
    /// # Errors
    /// Whatever its source says.
    pub(super) fn load(&self) -> Result<Arc<dyn Model>, LoadError> {
        (self.load)()
    }

    /// Returns the bytes of the watched file; `None` where none is watched or there.
    pub(super) fn stamp(&self) -> Option<Vec<u8>> {
        self.watched.as_ref().and_then(|path| crate::file::read(path).ok())
    }

    /// Returns whether promotions are watched for.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }
}

impl Hosted {
    /// Loads a model and starts its queue.
    ///
    /// # Errors
    /// [`ServeError::Load`].
    pub(super) fn start(offer: Offer, settings: &Settings, metrics: &Metrics) -> Result<Self, ServeError> {
        let Offer { name, source } = offer;
        // The stamp is read first: a promotion while it is loaded is seen as one later.
        let seen = Mutex::new(source.stamp());
        let asked = || name.as_ref().map_or_else(|| "the run".into(), |name| format!("`{name}`"));
        let model = source.load().map_err(|source| ServeError::Load { name: asked(), source })?;
        let name = name.unwrap_or_else(|| model.card().name.clone());
        let queue = Queue::start(&name, settings.max_queue, settings.batch_rows, metrics.of_queue(&name));
        metrics.serving(&name, model.card(), None);
        Ok(Self { name, queue, source, seen, current: RwLock::new(model) })
    }

    /// Returns the model as it is now; who holds it goes on with it.
    pub(super) fn model(&self) -> Arc<dyn Model> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges the model; requests under way go on with the old one.
    pub(super) fn exchange(&self, model: Arc<dyn Model>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = model;
    }

    /// Returns what `renew` says where the watched file is there and another one than was seen last.
    pub(super) fn renewed<T>(&self, renew: impl FnOnce(&Self) -> T) -> Option<T> {
        let stamp = self.source.stamp()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref() == Some(&stamp) {
            return None;
        }
        *seen = Some(stamp);
        Some(renew(self))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl fmt::Debug for dyn Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({})", self.card().run)
    }
}
