//! Reads a request's body: not longer, not slower than allowed.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use hyper::body::Body as _;
use serde_json::json;
use tokio::time::timeout;

use super::refusal::Refusal;
use super::service::{Held, Service};

/// Reads the whole body; `held` counts its bytes.
///
/// # Errors
/// 413 where it is too long, 408 where it comes too slowly, 503 where too many bytes are held already, 415 where it is
/// compressed, 400 where it breaks off.
pub(super) async fn read(
    service: &Service,
    held: &mut Held,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, Refusal> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::new(415, "compressed", "send the body uncompressed").closing());
    }
    let stated = headers.get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok()).unwrap_or(0);
    check(stated, service.settings.max_body)?;
    let whole = timeout(service.settings.timeout, collect(service, held, body)).await;
    whole.unwrap_or_else(|_| {
        let seconds = service.settings.timeout.as_secs_f64();
        let message = format!("the body was not complete after {seconds} s");
        Err(Refusal::new(408, "slow_body", message).closing())
    })
}

async fn collect(service: &Service, held: &mut Held, mut body: Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|e| {
            let message = format!("the body breaks off after {} bytes: {e}", bytes.len());
            Refusal::new(400, "body", message).closing()
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        check(bytes.len() + piece.len(), service.settings.max_body)?;
        service.hold(held, piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn check(n: usize, max: usize) -> Result<(), Refusal> {
    if n <= max {
        return Ok(());
    }
    let message = format!("the body has more than {max} bytes; send fewer rows a request");
    Err(Refusal::new(413, "body_too_long", message).with(json!({ "max_bytes": max })).closing())
}
