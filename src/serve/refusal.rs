//! A refusal: the one form of everything that a client is told instead of an answer.

use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Seconds after which a client that was refused for load may ask again.
const RETRY_SECONDS: u32 = 1;

/// Why a request is not answered, and what to do: `{"error": {"code", "message", "detail"}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Option<Box<Value>>,
    closes: bool,
}

impl Refusal {
    /// Returns a refusal; `code` is a word for programs that never changes, `message` a sentence for people.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.into(), detail: None, closes: false }
    }

    /// Returns it with facts for programs.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail: Some(Box::new(detail)), ..self }
    }

    /// Returns it so that the connection ends after it: the rest of its request is not read.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// Returns what a client is told.
    pub(super) fn body(&self) -> Value {
        let detail = self.detail.as_ref().map_or_else(|| json!({}), |detail| (**detail).clone());
        json!({ "error": { "code": self.code, "message": self.message, "detail": detail } })
    }

    /// Returns its status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Returns its word for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Returns its sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body())).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fadecast\""));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Code(self.code));
        response
    }
}

/// The word of a refusal, beside its response, for the log and the figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code(pub(super) &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_says_when_to_come_back_and_a_missing_token_how_to_show_one() {
        let busy = Refusal::new(429, "busy", "later").into_response();
        assert_eq!(busy.headers()[RETRY_AFTER], "1");
        let unknown = Refusal::new(401, "token", "who?").closing().into_response();
        assert!(unknown.headers()[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
        assert_eq!(unknown.headers()[CONNECTION], "close");
        assert!(Refusal::new(404, "a", "b").into_response().headers().get(RETRY_AFTER).is_none());
    }
}
