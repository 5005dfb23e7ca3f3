//! Routes: what can be asked, and what is said of everything else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::metrics::CONTENT_TYPE as FIGURES;
use super::model::Card;
use super::refusal::Refusal;
use super::service::Service;
use super::{forecast, guard, openapi, page, predict};

/// Returns the routes of a server.
pub(super) fn router(service: Arc<Service>) -> Router {
    let authorised = Router::new()
        .route("/v1/models", get(models))
        .route("/v1/predict", post(predict::of_any))
        .route("/v1/models/{name}/predict", post(predict::of_one))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi::openapi))
        .merge(forecast::routes())
        .route_layer(from_fn_with_state(Arc::clone(&service), guard::authorise));
    let open = Router::new().route("/health", get(health)).route("/ready", get(ready)).merge(page::routes());
    authorised
        .merge(open)
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(Arc::clone(&service), guard::same_host))
        .layer(from_fn_with_state(Arc::clone(&service), guard::observe))
        .with_state(service)
}

/// Says that the process lives.
async fn health() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// Says whether requests are answered: all models are loaded before the first is.
async fn ready(State(service): State<Arc<Service>>) -> (StatusCode, Json<Value>) {
    let (status, word) = if service.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ready")
    };
    (status, Json(json!({ "status": word })))
}

/// Says what is served.
async fn models(State(service): State<Arc<Service>>) -> Response {
    let cards: Vec<Card> = service
        .models
        .iter()
        .map(|hosted| Card { name: hosted.name.clone(), ..hosted.model().card().clone() })
        .collect();
    Json(json!({ "default": service.models[0].name, "models": cards })).into_response()
}

/// Tells the figures to Prometheus.
async fn metrics(State(service): State<Arc<Service>>) -> Response {
    ([(CONTENT_TYPE, FIGURES)], service.metrics.text()).into_response()
}

async fn unknown(request: Request) -> Refusal {
    let path: String = request.uri().path().chars().take(80).collect();
    let message =
        format!("nothing is at `{}`; see /v1/models, /v1/predict, /openapi.json", path.escape_debug());
    Refusal::new(404, "unknown_path", message)
}

async fn other_method(request: Request) -> Refusal {
    let message = format!("`{}` is not asked by {}", request.uri().path().escape_debug(), request.method());
    Refusal::new(405, "method", message)
}
