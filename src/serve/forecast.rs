//! `POST /v1/forecast`: answers a file, which is a table of inputs or what a cycler wrote.
//!
//! The file is the body, its name a header, both from memory: nothing is written to a disk. A table is known by its first
//! bytes, its cells by a column `cell` and its cycles by a column `cycle`, where it has them. Raw files become cells by
//! the readers of `datasets import`, and rows by the model itself. A file costs more memory than its bytes, so only a few
//! are read at a time.

mod table;

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::model::{Card, OfCell, Values};
use super::refusal::Refusal;
use super::service::Service;
use super::{body, question};
use crate::dataset::reader::{ReadError, upload};
use crate::dataset::rows::Format;

/// Header with the file's name, percent-encoded.
pub(super) const FILE_NAME: &str = "x-file-name";

/// Longest name of a file [bytes].
pub(super) const MAX_NAME: usize = 400;

/// Name of the format of tables.
const TABLE: &str = "table";

/// Files that are read at a time: each may take some hundred MiB.
const PLACES: usize = 2;

/// Media types that a page of another site may send without being asked (the Fetch standard's safelist).
const SAFELISTED: [&str; 3] = ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"];

/// What a request's address says.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    model: Option<String>,
    level: Option<f64>,
    format: Option<String>,
}

/// A file as it was sent.
struct File {
    name: String,
    bytes: Vec<u8>,
}

/// Returns the routes of files.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v1/forecast", post(forecast))
        .route("/v1/formats", get(formats))
        .layer(Extension(Arc::new(Semaphore::new(PLACES))))
}

/// Returns the names of all formats.
pub(super) fn format_names() -> Vec<&'static str> {
    std::iter::once(TABLE).chain(upload::FORMATS.map(|(name, _)| name)).collect()
}

async fn formats() -> Json<Value> {
    let table = (TABLE, "Table of inputs, one row an answer: CSV, Parquet or Arrow");
    let all = std::iter::once(table).chain(upload::FORMATS);
    let all: Vec<Value> = all.map(|(name, summary)| json!({ "name": name, "summary": summary })).collect();
    Json(json!({ "formats": all }))
}

async fn forecast(
    State(service): State<Arc<Service>>,
    Extension(places): Extension<Arc<Semaphore>>,
    request: Request,
) -> Result<Response, Refusal> {
    let slot = service.slot().map_err(Refusal::closing)?;
    let place = places.try_acquire_owned().map_err(|_| busy().closing())?;
    let (parts, body) = request.into_parts();
    let (options, name) = (options(&parts)?, file_name(&parts)?);
    service.hosted(options.model.as_deref())?;
    let mut held = service.held();
    let bytes = body::read(&service, &mut held, &parts.headers, body).await?;
    let limit = service.settings.timeout;
    let work = move || {
        // Given back when the work ends, not when somebody stops waiting for it.
        let _owned = (slot, place, held);
        answer(&service, &options, File { name, bytes })
    };
    let answered = timeout(limit, tokio::task::spawn_blocking(work)).await;
    let answered = answered.map_err(|_| too_slow(limit.as_secs_f64()))?;
    answered.unwrap_or_else(|_| Err(broken())).map(|value| Json(value).into_response())
}

fn answer(service: &Service, options: &Options, file: File) -> Result<Value, Refusal> {
    let hosted = service.hosted(options.model.as_deref())?;
    let model = hosted.model();
    let card = model.card();
    let level = question::level(card, options.level)?;
    let format = format(options, card, &file)?;
    let cells = match format {
        TABLE => table::answer(service, &*model, level, &file)?,
        raw => answered(model.cells(&read(raw, file)?, level)?)?,
    };
    Ok(json!({
        "model": hosted.name, "run": card.run, "output": card.output, "unit": card.unit, "level": level,
        "format": format, "warnings": doubts(card, &cells),
        "cells": cells.iter().map(of_cell).collect::<Vec<_>>(),
    }))
}

/// Refuses cells of which none has an answer, with the reasons of all.
fn answered(cells: Vec<OfCell>) -> Result<Vec<OfCell>, Refusal> {
    if cells.iter().any(|cell| !cell.answers.warnings.is_empty()) {
        return Ok(cells);
    }
    let why: Vec<String> = cells.into_iter().flat_map(|cell| cell.warnings).collect();
    let why = if why.is_empty() { "there is no cell in the file".into() } else { why.join("; ") };
    Err(Refusal::new(422, "no_rows", why))
}

/// Returns the format that the address names, or the one that the file's begin and name tell.
fn format(options: &Options, card: &Card, file: &File) -> Result<&'static str, Refusal> {
    let names = format_names();
    if let Some(asked) = &options.format {
        return names.iter().find(|name| *name == asked).copied().ok_or_else(|| {
            let shown: String = asked.chars().take(80).collect();
            let list = names.join(", ");
            let message = format!("files of format `{}` cannot be sent, but {list}", shown.escape_debug());
            Refusal::new(422, "unknown_format", message).with(json!({ "formats": names }))
        });
    }
    if file.bytes.is_empty() {
        return Err(Refusal::new(422, "empty", format!("`{}` is empty", file.name)));
    }
    let is_matlab = file.bytes.starts_with(b"MATLAB ");
    match Format::of_begin(&file.bytes[..file.bytes.len().min(4096)]) {
        _ if is_matlab || file.name.to_ascii_lowercase().ends_with(".mat") => Ok("nasa"),
        Some(Format::Csv) if !table::names_an_input(&file.bytes, card) => Err(no_table(card, file, &names)),
        Some(_) => Ok(TABLE),
        None => {
            let message = format!(
                "`{}` is of no format that its begin tells; unpack it, or say its `format`: {}",
                file.name,
                names.join(", ")
            );
            Err(Refusal::new(415, "unknown_format", message).with(json!({ "formats": names })))
        }
    }
}

fn no_table(card: &Card, file: &File, names: &[&str]) -> Refusal {
    let inputs: Vec<&str> = card.inputs.iter().map(|input| input.name.as_str()).collect();
    let shown = inputs.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    let message = format!(
        "`{}` has none of the inputs of `{}` ({shown}); if it is the raw file of a cycler, say its `format`: {}",
        file.name,
        card.name,
        names[1..].join(", ")
    );
    Refusal::new(422, "no_input", message).with(json!({ "inputs": inputs, "formats": names }))
}

fn read(format: &str, file: File) -> Result<Vec<crate::dataset::Cell>, Refusal> {
    upload::read(format, &file.name, file.bytes)
        .map_err(|e: ReadError| Refusal::new(422, "unreadable", e.to_string()))
}

fn options(parts: &Parts) -> Result<Options, Refusal> {
    let stated = parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = stated.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence.is_empty() || SAFELISTED.contains(&essence.as_str()) {
        let message = "send the file as `Content-Type: application/octet-stream`";
        return Err(Refusal::new(415, "media_type", message).closing());
    }
    let Query(options) = Query::<Options>::try_from_uri(&parts.uri).map_err(|e| {
        let message = format!("{}; the address takes `model`, `level` and `format`", e.body_text());
        Refusal::new(400, "bad_address", message).closing()
    })?;
    Ok(options)
}

/// Returns the file's name without folders; it stands in messages and may name the cell, and opens nothing.
fn file_name(parts: &Parts) -> Result<String, Refusal> {
    let stated = parts.headers.get(FILE_NAME).map(HeaderValue::as_bytes).unwrap_or_default();
    let bad = |what: &str| Refusal::new(400, "file_name", format!("`{FILE_NAME}` {what}")).closing();
    if stated.len() > MAX_NAME {
        return Err(bad(&format!("has more than {MAX_NAME} bytes")));
    }
    let decoded = unescaped(stated).and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(|| bad("must be UTF-8, percent-encoded"))?;
    let name = decoded.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.chars().any(char::is_control) {
        return Err(bad("holds a control character"));
    }
    Ok(if name.is_empty() { "file".into() } else { name.into() })
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(if byte == b'%' { 16 * hex(*rest.next()?)? + hex(*rest.next()?)? } else { byte });
    }
    Some(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

/// Returns what is doubtful about all answers.
fn doubts(card: &Card, cells: &[OfCell]) -> Vec<String> {
    let synthetic = card.metrics["synthetic"].as_bool() == Some(true);
    let real = cells.iter().any(|cell| cell.cell.is_some() && !cell.synthetic);
    let doubt = "the model was trained on synthetic cells; of others it knows nothing";
    let mut doubts: Vec<String> = (synthetic && real).then(|| doubt.to_owned()).into_iter().collect();
    doubts.extend(cells.iter().flat_map(|cell| cell.warnings.iter().cloned()));
    doubts
}

fn of_cell(cell: &OfCell) -> Value {
    let rows: Vec<Value> = (0..cell.answers.warnings.len()).map(|row| of_row(cell, row)).collect();
    json!({
        "cell": cell.cell, "synthetic": cell.synthetic, "reference_ah": cell.reference_ah,
        "end_of_life": cell.end_of_life, "rows": rows,
    })
}

fn of_row(cell: &OfCell, row: usize) -> Value {
    let answers = &cell.answers;
    let mut value = json!({
        "cycle": cell.cycles.get(row).copied().flatten(),
        "answer": answers.columns.first().map_or(Value::Null, |c| c.values.json(row)),
        "measured": cell.measured.get(row).copied(),
        "warnings": answers.warnings[row],
    });
    for ending in ["lower", "upper", "set"] {
        if let Some(column) = answers.columns.iter().find(|c| c.name.rsplit('_').next() == Some(ending)) {
            value[ending] = match &column.values {
                Values::Texts(texts) => texts[row].split('|').filter(|t| !t.is_empty()).collect(),
                numbers @ Values::Numbers(_) => numbers.json(row),
            };
        }
    }
    let probabilities: Vec<Value> = answers
        .columns
        .iter()
        .filter(|c| c.name.starts_with("probability_"))
        .map(|c| c.values.json(row))
        .collect();
    if !probabilities.is_empty() {
        value["probabilities"] = probabilities.into();
    }
    value
}

fn busy() -> Refusal {
    Refusal::new(429, "busy", format!("{PLACES} files are being read; ask again in a second"))
}

fn too_slow(seconds: f64) -> Refusal {
    Refusal::new(503, "timeout", format!("the file was not answered in {seconds} s; send a shorter one"))
}

fn broken() -> Refusal {
    Refusal::new(500, "failed", "the file could not be answered; this is a defect, please report it")
}

#[cfg(test)]
mod tests;
