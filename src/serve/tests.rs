//! The server as its clients see it.

mod limits;
mod reload;
mod routes;
mod sockets;

use std::sync::{Arc, Condvar, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::Say;
use super::hosted::Offer;
use super::router::router;
use super::sample::Sample;
use super::service::Service;
use super::settings::Settings;

/// Kind of the sample pipeline that most tests ask.
const KIND: &str = "linear";

/// A log that tests can read.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self) -> Say {
        let lines = Arc::clone(&self.0);
        Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()))
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Holds a model up until it is opened, and knows how often it was come to.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        drop(changed.wait_while(state, |(_, is_open)| !*is_open).unwrap());
    }

    fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().1 = true;
        changed.notify_all();
    }

    fn n_come(&self) -> usize {
        self.0.0.lock().unwrap().0
    }

    fn model(&self, run: &str) -> Sample {
        let gate = self.clone();
        Sample::held_up(KIND, "linear", run, move || gate.pass())
    }
}

/// Waits until something is so; a test that waits for ever has failed.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

pub(super) fn service(settings: Settings, offers: Vec<Offer>) -> Arc<Service> {
    Arc::new(Service::start(settings, offers, Log::default().say()).unwrap())
}

fn linear() -> Sample {
    Sample::new(KIND, "linear", "run-1")
}

/// Returns `n` rows of the sample, some numbers missing, as the JSON of a request.
fn rows(model: &Sample, n: usize) -> Vec<Value> {
    let row = |values: Vec<f64>| -> Value {
        let pair = |(input, value): (&crate::pipeline::Input, f64)| {
            let value = if value.is_nan() { Value::Null } else { value.into() };
            (input.name.clone(), value)
        };
        Value::Object(model.pipeline.inputs.iter().zip(values).map(pair).collect())
    };
    crate::pipeline::sample::rows(&model.pipeline, n, true).into_iter().map(row).collect()
}

/// Returns what the sample's plain meaning says of the same rows.
fn expected(model: &Sample, n: usize) -> Vec<f64> {
    crate::pipeline::sample::rows(&model.pipeline, n, true)
        .iter()
        .map(|r| model.pipeline.reference(r)[0])
        .collect()
}

fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(super) async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let (status, text) = ask_text(router, request).await;
    (status, serde_json::from_str(&text).unwrap_or(json!(text)))
}

async fn ask_text(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}
