//! Figures of the server for Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::model::Card;

/// Type of the text, as version 1.0 of `OpenMetrics` states it.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counts, times and states of a server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    rejected: Family<Reason, Counter>,
    rows: Family<Named, Counter>,
    batch_rows: Family<Named, Histogram, fn() -> Histogram>,
    queue: Family<Named, Gauge>,
    reloads: Family<Reload, Counter>,
    model: Family<Serving, Gauge>,
    /// Predictions under way.
    pub(super) in_flight: Gauge,
    /// Open connections.
    pub(super) connections: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    model: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Serving {
    model: String,
    run: String,
    kind: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Self {
            registry: Registry::with_prefix("fadecast"),
            requests: Family::default(),
            // 0.1 ms to 13 s: a row takes tens of microseconds, a request may take 10 s.
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-4, 2.0, 18))),
            rejected: Family::default(),
            rows: Family::default(),
            batch_rows: Family::new_with_constructor(|| Histogram::new(exponential_buckets(1.0, 2.0, 12))),
            queue: Family::default(),
            reloads: Family::default(),
            model: Family::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
        };
        all.register();
        all
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("requests", "Requests by route and status", self.requests.clone());
        r.register("request_seconds", "Time from a request's header to its answer", self.seconds.clone());
        r.register("rejected", "Requests refused, by the word of the refusal", self.rejected.clone());
        r.register("rows", "Rows answered", self.rows.clone());
        r.register("batch_rows", "Rows computed in one call", self.batch_rows.clone());
        r.register("queue_depth", "Requests that wait for a model", self.queue.clone());
        r.register("reloads", "Promotions seen, and whether they are served", self.reloads.clone());
        r.register("model_info", "Runs that are served", self.model.clone());
        r.register("in_flight", "Predictions under way", self.in_flight.clone());
        r.register("connections", "Open connections", self.connections.clone());
    }

    /// Counts a request that was answered or refused.
    pub(super) fn answered(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { route, status }).inc();
    }

    /// Counts a refusal.
    pub(super) fn rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&Reason { reason }).inc();
    }

    /// Returns the figures of one model's queue.
    pub(super) fn of_queue(&self, model: &str) -> OfQueue {
        let named = Named { model: model.into() };
        OfQueue {
            rows: self.rows.get_or_create_owned(&named),
            batch_rows: self.batch_rows.get_or_create_owned(&named),
            depth: self.queue.get_or_create_owned(&named),
        }
    }

    /// Notes that a model is served, instead of another one of its name.
    pub(super) fn serving(&self, name: &str, card: &Card, before: Option<&Card>) {
        let labels =
            |card: &Card| Serving { model: name.into(), run: card.run.clone(), kind: card.kind.clone() };
        if let Some(before) = before {
            self.model.remove(&labels(before));
        }
        self.model.get_or_create(&labels(card)).set(1);
    }

    /// Counts a promotion that was seen.
    pub(super) fn reloaded(&self, name: &str, is_served: bool) {
        let result = if is_served { "served" } else { "refused" };
        self.reloads.get_or_create(&Reload { model: name.into(), result }).inc();
    }

    /// Returns all figures in the text format of Prometheus.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: a string takes all text");
        text
    }
}

/// Figures of one model's queue.
#[derive(Debug, Clone)]
pub(super) struct OfQueue {
    /// Rows answered.
    pub(super) rows: Counter,
    /// Rows of each call.
    pub(super) batch_rows: Histogram,
    /// Requests that wait.
    pub(super) depth: Gauge,
}
