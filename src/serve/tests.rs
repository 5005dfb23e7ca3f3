//! The server as its clients see it.

mod routes;

use std::sync::{Arc, Mutex};

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

fn service(settings: Settings, offers: Vec<Offer>) -> Arc<Service> {
    Arc::new(Service::start(settings, offers, Log::default().say()).unwrap())
}

fn hybrid() -> Sample {
    Sample::new("hybrid xu2018", "hybrid", "run-1")
}

/// Returns `n` rows of a model as the JSON of a request.
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

fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let (status, text) = ask_text(router, request).await;
    (status, serde_json::from_str(&text).unwrap_or(json!(text)))
}

async fn ask_text(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}
