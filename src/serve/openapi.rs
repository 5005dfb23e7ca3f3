//! `GET /openapi.json`: the server described in `OpenAPI` 3.1, made of the models that it serves now.
//!
//! Each model has a schema of its rows, with unit, range and meaning of every input, and an example that it answers: the
//! answer that is shown beside it is the model's own. `ROUTES` lists what the document says of each route; a test holds
//! it to the router.

mod schema;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::form::Form;
use super::model::Model;
use super::service::Service;

/// Version of `OpenAPI`.
const VERSION: &str = "3.1.0";

/// Forms of rows that are sent whole, as bytes.
const TABLES: [Form; 3] = [Form::ArrowStream, Form::ArrowFile, Form::Parquet];

/// Who may ask a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Anybody.
    All,
    /// Whoever shows the token, where the server has one.
    Token,
}

/// A route as the document describes it.
struct Route {
    path: &'static str,
    method: &'static str,
    who: Who,
    id: &'static str,
    summary: &'static str,
    /// What it answers with 200: media type and schema.
    answer: Answer,
    /// Statuses of its refusals.
    refusals: &'static [u16],
}

/// What a route answers with 200.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// JSON of a named schema.
    Json(&'static str),
    /// Text of a media type.
    Text(&'static str),
    /// Predictions, in the form that is asked for.
    Predictions,
}

/// Every route of the server.
const ROUTES: [Route; 13] = [
    open("/", "page", "The page that draws forecasts", Answer::Text("text/html")),
    open("/page.css", "style", "Its style", Answer::Text("text/css")),
    open("/page.js", "script", "Its script", Answer::Text("text/javascript")),
    open("/chart.js", "chart", "Its charts", Answer::Text("text/javascript")),
    open("/health", "health", "Says that the process lives", Answer::Json("status")),
    Route {
        refusals: &[503],
        ..open("/ready", "ready", "Says whether requests are answered", Answer::Json("status"))
    },
    token("/metrics", "metrics", "Figures for Prometheus", Answer::Text("application/openmetrics-text")),
    token("/openapi.json", "openapi", "This document", Answer::Json("document")),
    token(
        "/v1/models",
        "models",
        "What is served: inputs with units and ranges, figures, intervals",
        Answer::Json("models"),
    ),
    token("/v1/formats", "formats", "Formats of files that `/v1/forecast` reads", Answer::Json("formats")),
    Route {
        method: "post",
        refusals: ASKED,
        ..token("/v1/predict", "predict", "Answers rows of inputs", Answer::Predictions)
    },
    Route {
        method: "post",
        refusals: ASKED,
        ..token(
            "/v1/models/{name}/predict",
            "predict_by",
            "Answers rows of inputs, by the model of this name",
            Answer::Predictions,
        )
    },
    Route {
        method: "post",
        refusals: ASKED,
        ..token(
            "/v1/forecast",
            "forecast",
            "Answers a file: a table of inputs, or raw data of a cycler",
            Answer::Json("forecast"),
        )
    },
];

/// Refusals of routes that take a body.
const ASKED: &[u16] = &[400, 401, 404, 406, 408, 413, 415, 421, 422, 429, 500, 503];

const fn open(path: &'static str, id: &'static str, summary: &'static str, answer: Answer) -> Route {
    Route { path, method: "get", who: Who::All, id, summary, answer, refusals: &[421] }
}

const fn token(path: &'static str, id: &'static str, summary: &'static str, answer: Answer) -> Route {
    Route { path, method: "get", who: Who::Token, id, summary, answer, refusals: &[401, 421] }
}

/// Returns the document of what is served now.
pub(super) async fn openapi(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(document(&service))
}

/// Returns the document.
pub(super) fn document(service: &Service) -> Value {
    let models: Vec<(String, Arc<dyn Model>)> =
        service.models.iter().map(|hosted| (hosted.name.clone(), hosted.model())).collect();
    let mut paths = Map::new();
    for route in &ROUTES {
        paths.insert(route.path.into(), json!({ route.method: operation(route, &models, service) }));
    }
    let mut document = json!({
        "openapi": VERSION,
        "info": {
            "title": "fadecast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Models of battery ageing. Every refusal has the form of the schema `refusal`.",
        },
        "paths": paths,
        "components": { "schemas": schema::all(&models) },
    });
    if service.settings.token.is_some() {
        document["components"]["securitySchemes"] =
            json!({ "token": { "type": "http", "scheme": "bearer" } });
    }
    document
}

fn operation(route: &Route, models: &[(String, Arc<dyn Model>)], service: &Service) -> Value {
    let mut responses = json!({ "200": answer(route, models) });
    for status in route.refusals {
        let content = json!({ "application/json": { "schema": refusal_schema(route, *status) } });
        responses[status.to_string()] = json!({ "description": said(*status), "content": content });
    }
    let mut operation = json!({ "operationId": route.id, "summary": route.summary, "responses": responses });
    if route.who == Who::Token && service.settings.token.is_some() {
        operation["security"] = json!([{ "token": [] }]);
    }
    let parameters = parameters(route, models);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if route.method == "post" {
        operation["requestBody"] = json!({ "required": true, "content": body(route, models) });
    }
    operation
}

/// `/ready` says 503 in its own form.
fn refusal_schema(route: &Route, status: u16) -> Value {
    reference(if route.path == "/ready" && status == 503 { "status" } else { "refusal" })
}

fn answer(route: &Route, models: &[(String, Arc<dyn Model>)]) -> Value {
    let content = match route.answer {
        Answer::Text(media_type) => json!({ media_type: { "schema": { "type": "string" } } }),
        Answer::Json(schema) => json!({ "application/json": { "schema": reference(schema) } }),
        Answer::Predictions => {
            let mut content = json!({
                "application/json": { "schema": reference("predictions"), "examples": schema::answers(models) },
                "text/csv": { "schema": { "type": "string" } },
            });
            for form in TABLES {
                content[form.media_type()] = json!({ "schema": { "type": "string", "format": "binary" } });
            }
            content
        }
    };
    json!({ "description": "The answer", "content": content })
}

/// Returns the body that a route takes, by media type.
fn body(route: &Route, models: &[(String, Arc<dyn Model>)]) -> Value {
    let bytes = || json!({ "schema": { "type": "string", "format": "binary" } });
    if route.path == "/v1/forecast" {
        return json!({ "application/octet-stream": bytes() });
    }
    let of = |(name, _): &(String, Arc<dyn Model>)| reference(&schema::name_of("question", name));
    let schema = match models {
        [one] => of(one),
        several => json!({ "anyOf": several.iter().map(of).collect::<Vec<_>>() }),
    };
    let mut content =
        json!({ "application/json": { "schema": schema, "examples": schema::questions(models) } });
    for form in TABLES {
        content[form.media_type()] = bytes();
    }
    content
}

fn parameters(route: &Route, models: &[(String, Arc<dyn Model>)]) -> Vec<Value> {
    let names: Vec<&str> = models.iter().map(|(name, _)| name.as_str()).collect();
    let parameter = |name: &str, place: &str, schema: Value, says: &str| {
        let required = place == "path";
        json!({ "name": name, "in": place, "required": required, "schema": schema, "description": says })
    };
    let of_model = |place: &str, name: &str| {
        parameter(
            name,
            place,
            json!({ "type": "string", "enum": names }),
            "Name of the model; by default the first",
        )
    };
    let level =
        || parameter("level", "query", schema::levels(models), "Level of the intervals; by default 0.9");
    match route.path {
        "/v1/predict" => vec![of_model("query", "model"), level()],
        "/v1/models/{name}/predict" => vec![of_model("path", "name"), level()],
        "/v1/forecast" => {
            let format = json!({ "type": "string", "enum": super::forecast::format_names() });
            let file = json!({ "type": "string", "maxLength": super::forecast::MAX_NAME });
            vec![
                of_model("query", "model"),
                level(),
                parameter(
                    "format",
                    "query",
                    format,
                    "Format of the file; by default found by its first bytes",
                ),
                parameter(super::forecast::FILE_NAME, "header", file, "Name of the file, percent-encoded"),
            ]
        }
        _ => Vec::new(),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns what a status of a refusal says.
fn said(status: u16) -> &'static str {
    match status {
        400 => "No JSON, no table, no such address",
        401 => "No token or another one",
        404 => "No such model",
        406 => "No such form of answers",
        408 => "The body came too slowly",
        413 => "Too many bytes or rows",
        415 => "No such form of bodies",
        421 => "Another host was asked for",
        422 => "The question is wrong; the message says where",
        429 => "Too many predictions under way",
        503 => "Too much to do, or stopping",
        _ => "A defect of the server",
    }
}

#[cfg(test)]
mod tests;
