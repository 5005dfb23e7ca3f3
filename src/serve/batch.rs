//! Micro-batches: the rows of concurrent requests are computed in one call of the model.
//!
//! One thread a model takes what waits and computes it; what arrives meanwhile is the next batch. Nothing waits for a
//! batch to fill: a request that finds the queue empty is computed at once, alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use super::metrics::OfQueue;
use super::model::Model;
use super::refusal::Refusal;

/// Requests that wait for one model; its thread ends with it.
#[derive(Debug)]
pub(super) struct Queue {
    asks: SyncSender<Ask>,
    figures: OfQueue,
}

/// Rows `[row, input]` and their labels `[row, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    pub(super) rows: Vec<f64>,
    pub(super) labels: Vec<f64>,
}

struct Ask {
    model: Arc<dyn Model>,
    rows: Vec<f64>,
    reply: oneshot::Sender<Scored>,
}

impl Queue {
    /// Starts the thread of a queue that holds `n_waiting` requests and joins up to `max_rows` rows.
    pub(super) fn start(name: &str, n_waiting: usize, max_rows: usize, figures: OfQueue) -> Self {
        let (asks, asked) = sync_channel(n_waiting);
        let own = figures.clone();
        let work = move || work(&asked, max_rows, &own);
        let thread = thread::Builder::new().name(format!("score {name}")).spawn(work);
        // Without a thread every request is told so: its ask cannot be sent.
        drop(thread);
        Self { asks, figures }
    }

    /// Computes the labels of rows, with those of other requests where some wait.
    ///
    /// # Errors
    /// 503 where the queue is full, 500 where the model broke down.
    pub(super) async fn score(&self, model: &Arc<dyn Model>, rows: Vec<f64>) -> Result<Scored, Refusal> {
        let (reply, scored) = oneshot::channel();
        self.figures.depth.inc();
        self.asks.try_send(Ask { model: Arc::clone(model), rows, reply }).map_err(|e| {
            self.figures.depth.dec();
            match e {
                TrySendError::Full(_) => Refusal::new(
                    503,
                    "queue_full",
                    "too many requests wait for this model; ask again in a second",
                ),
                TrySendError::Disconnected(_) => broken(),
            }
        })?;
        scored.await.map_err(|_| broken())
    }

    /// Counts rows that were computed by themselves.
    pub(super) fn count(&self, model: &dyn Model, scored: &Scored) {
        self.figures.rows.inc_by((scored.rows.len() / model.card().inputs.len().max(1)) as u64);
    }
}

/// Computes the labels of rows by themselves, `max_rows` at a time.
///
/// # Errors
/// 500 where the model broke down.
pub(super) fn score_alone(model: &dyn Model, rows: Vec<f64>, max_rows: usize) -> Result<Scored, Refusal> {
    let mut labels = Vec::new();
    let piece = max_rows * model.card().inputs.len().max(1);
    let score = || rows.chunks(piece).for_each(|rows| model.score(rows, &mut labels));
    catch_unwind(AssertUnwindSafe(score)).map_err(|_| broken())?;
    Ok(Scored { rows, labels })
}

fn broken() -> Refusal {
    Refusal::new(
        500,
        "model_failed",
        "the model broke down on these rows; this is a defect, please report it",
    )
}

/// Takes what waits, computes and replies until the queue is gone.
fn work(asked: &Receiver<Ask>, max_rows: usize, figures: &OfQueue) {
    let mut next = None;
    while let Some(first) = next.take().or_else(|| asked.recv().ok()) {
        let (batch, other) = gather(first, asked, max_rows);
        next = other;
        figures.depth.dec_by(i64::try_from(batch.len()).unwrap_or(i64::MAX));
        answer(batch, figures);
    }
}

/// Returns all that waits for the same model, up to `max_rows`, and the first ask that is none of it.
fn gather(first: Ask, asked: &Receiver<Ask>, max_rows: usize) -> (Vec<Ask>, Option<Ask>) {
    let max = max_rows * first.model.card().inputs.len();
    let mut n = first.rows.len();
    let mut batch = vec![first];
    while n < max {
        match asked.try_recv() {
            Ok(ask) if Arc::ptr_eq(&ask.model, &batch[0].model) => {
                n += ask.rows.len();
                batch.push(ask);
            }
            other => return (batch, other.ok()),
        }
    }
    (batch, None)
}

/// Computes a batch in one call and hands each request its own; a request that has gone away is left out.
fn answer(mut batch: Vec<Ask>, figures: &OfQueue) {
    batch.retain(|ask| !ask.reply.is_closed());
    let Some(model) = batch.first().map(|ask| Arc::clone(&ask.model)) else { return };
    let d = model.card().inputs.len().max(1);
    let rows: Vec<f64> = batch.iter().flat_map(|ask| ask.rows.iter().copied()).collect();
    let n_rows = rows.len() / d;
    let mut labels = Vec::new();
    // A model that breaks down drops the replies, which every request is told.
    if n_rows == 0 || catch_unwind(AssertUnwindSafe(|| model.score(&rows, &mut labels))).is_err() {
        return;
    }
    figures.batch_rows.observe(n_rows as f64);
    figures.rows.inc_by(n_rows as u64);
    let width = labels.len() / n_rows;
    let mut rest = &labels[..];
    for ask in batch {
        let (own, others) = rest.split_at(ask.rows.len() / d * width);
        rest = others;
        let _ = ask.reply.send(Scored { rows: ask.rows, labels: own.to_vec() });
    }
}
