//! `POST /v1/predict`: from a request to its answers.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use tokio::time::timeout;

use super::answer::Answered;
use super::batch::{Scored, score_alone};
use super::body;
use super::form::Form;
use super::question::{Options, Question};
use super::refusal::Refusal;
use super::service::Service;

/// Bytes of a body above which it is read and computed by itself, beside the runtime's threads; some hundred rows.
const LARGE_BODY: usize = 16 << 10;

/// Asks the first model, or the one that the body names.
pub(super) async fn of_any(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, Refusal> {
    predict(service, None, request).await
}

/// Asks the model that the address names.
pub(super) async fn of_one(
    State(service): State<Arc<Service>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let Path(name) = name.map_err(|_| Refusal::new(404, "unknown_model", "the model's name is no UTF-8"))?;
    service.hosted(Some(&name))?;
    predict(service, Some(name), request).await
}

async fn predict(service: Arc<Service>, name: Option<String>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let (form, answer_form) = (Form::of_body(&parts.headers)?, Form::of_answer(&parts.headers)?);
    let options = options(name, &parts.uri)?;
    let mut held = service.held();
    let body = body::read(&service, &mut held, &parts.headers, body).await?;
    // Not before: whoever sends slowly holds a connection, but no place.
    let slot = service.slot()?;
    let limit = service.settings.timeout;
    let answered = if body.len() > LARGE_BODY {
        // The place and the bytes are given back when the work ends, not when somebody stops waiting for it.
        let work = move || {
            let _owned = (slot, held);
            alone(&service, form, answer_form, &options, &body)
        };
        timeout(limit, tokio::task::spawn_blocking(work))
            .await
            .map(|done| done.unwrap_or_else(|_| Err(failed())))
    } else {
        timeout(limit, joined(&service, form, answer_form, &options, &body)).await
    };
    answered.unwrap_or_else(|_| Err(too_slow(limit.as_secs_f64())))
}

/// Answers a small request, together with others that wait.
async fn joined(
    service: &Service,
    form: Form,
    answer_form: Form,
    options: &Options,
    body: &[u8],
) -> Result<Response, Refusal> {
    let mut question = Question::read(service, form, options, body)?;
    let rows = std::mem::take(&mut question.rows);
    let scored = question.hosted.queue.score(&question.model, rows).await?;
    respond(&question, &scored, answer_form)
}

/// Answers a large request by itself.
fn alone(
    service: &Service,
    form: Form,
    answer_form: Form,
    options: &Options,
    body: &[u8],
) -> Result<Response, Refusal> {
    let mut question = Question::read(service, form, options, body)?;
    let rows = std::mem::take(&mut question.rows);
    let scored = score_alone(&*question.model, rows, service.settings.batch_rows)?;
    question.hosted.queue.count(&*question.model, &scored);
    respond(&question, &scored, answer_form)
}

fn respond(question: &Question, scored: &Scored, form: Form) -> Result<Response, Refusal> {
    let Question { hosted, model, level, layout, .. } = question;
    let answers = model.answers(&scored.rows, &scored.labels, *level)?;
    let answered = Answered {
        name: &hosted.name,
        card: model.card(),
        level: *level,
        layout: *layout,
        answers: &answers,
    };
    answered.respond(form)
}

fn options(name: Option<String>, uri: &axum::http::Uri) -> Result<Options, Refusal> {
    let Query(options) = Query::<Options>::try_from_uri(uri).map_err(|e| {
        let message = format!("{}; the address takes `model` and `level`", e.body_text());
        Refusal::new(400, "bad_address", message)
    })?;
    Ok(Options { model: name.or(options.model), ..options })
}

fn failed() -> Refusal {
    Refusal::new(500, "failed", "the request could not be answered; this is a defect, please report it")
}

fn too_slow(seconds: f64) -> Refusal {
    Refusal::new(503, "timeout", format!("no answer after {seconds} s; send fewer rows or ask again"))
}
