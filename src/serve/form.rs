//! Forms of bodies, by their content type.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::json;

use super::refusal::Refusal;
use crate::dataset::rows::Format;

/// How rows or answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An object with `rows` or `columns`.
    Json,
    /// Comma-separated values with a header; answers only.
    Csv,
    /// Arrow's streaming format.
    ArrowStream,
    /// Arrow's file format.
    ArrowFile,
    /// Parquet.
    Parquet,
}

impl Form {
    /// Every form, that of answers to whoever asks for none first.
    const ALL: [Self; 5] = [Self::Json, Self::Csv, Self::ArrowStream, Self::ArrowFile, Self::Parquet];

    /// Returns its media type, as IANA has registered it.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::ArrowStream => "application/vnd.apache.arrow.stream",
            Self::ArrowFile => "application/vnd.apache.arrow.file",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Returns it as a format of tables; answers in JSON are no table, and are told as CSV.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Json | Self::Csv => Format::Csv,
            Self::ArrowStream => Format::ArrowStream,
            Self::ArrowFile => Format::ArrowFile,
            Self::Parquet => Format::Parquet,
        }
    }

    /// Returns the form of a request's body.
    ///
    /// # Errors
    /// 415 for another type, and for none: a page of another site can send those without being asked.
    pub(super) fn of_body(headers: &HeaderMap) -> Result<Self, Refusal> {
        let stated = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let known = Self::ALL.into_iter().filter(|form| *form != Self::Csv);
        let forms: Vec<Self> = known.collect();
        forms.iter().find(|form| form.is(stated)).copied().ok_or_else(|| {
            let types: Vec<&str> = forms.iter().map(|form| form.media_type()).collect();
            let message = format!("no body of type `{}`; send {}", stated.escape_debug(), types.join(", "));
            Refusal::new(415, "media_type", message).with(json!({ "accepted": types })).closing()
        })
    }

    /// Returns the form that a client asks its answers in: the first that it names and we know.
    ///
    /// # Errors
    /// 406 where we know none.
    pub(super) fn of_answer(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(accepted) = headers.get(ACCEPT) else { return Ok(Self::Json) };
        let accepted = accepted.to_str().unwrap_or("");
        accepted.split(',').filter(|range| !is_unwanted(range)).find_map(Self::of_range).ok_or_else(|| {
            let types = Self::ALL.map(Self::media_type);
            let message = format!("answers come as {}", types.join(", "));
            Refusal::new(406, "accept", message).with(json!({ "offered": types }))
        })
    }

    fn of_range(range: &str) -> Option<Self> {
        match essence(range).as_str() {
            "*/*" | "application/*" => Some(Self::Json),
            "text/*" => Some(Self::Csv),
            _ => Self::ALL.into_iter().find(|form| form.is(range)),
        }
    }

    fn is(self, stated: &str) -> bool {
        essence(stated) == self.media_type()
    }
}

/// Returns a media type without its parameters.
fn essence(stated: &str) -> String {
    stated.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn is_unwanted(range: &str) -> bool {
    let parameters = range.split(';').skip(1).map(|p| p.trim().replace(' ', ""));
    parameters.filter_map(|p| p.strip_prefix("q=")?.parse::<f64>().ok()).any(|q| q <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: axum::http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_body_has_the_form_of_its_type() {
        let cases = [
            ("application/json", Form::Json),
            ("Application/JSON; charset=utf-8", Form::Json),
            ("application/vnd.apache.arrow.stream", Form::ArrowStream),
            ("application/vnd.apache.arrow.file", Form::ArrowFile),
            ("application/vnd.apache.parquet", Form::Parquet),
        ];
        for (stated, form) in cases {
            assert_eq!(Form::of_body(&headers(CONTENT_TYPE, stated)), Ok(form));
        }
        for stated in ["text/plain", "application/x-www-form-urlencoded", "text/csv", "json", ""] {
            let refusal = Form::of_body(&headers(CONTENT_TYPE, stated)).unwrap_err();
            assert_eq!((refusal.status(), refusal.code()), (415, "media_type"), "{stated}");
        }
        assert_eq!(Form::of_body(&HeaderMap::new()).unwrap_err().status(), 415);
    }

    #[test]
    fn an_answer_has_the_first_form_that_is_wanted() {
        let cases = [
            ("*/*", Form::Json),
            ("text/csv, application/json", Form::Csv),
            ("application/json;q=0, text/*", Form::Csv),
            ("image/png, application/vnd.apache.parquet;q=0.5", Form::Parquet),
        ];
        for (wanted, form) in cases {
            assert_eq!(Form::of_answer(&headers(ACCEPT, wanted)), Ok(form), "{wanted}");
        }
        assert_eq!(Form::of_answer(&HeaderMap::new()), Ok(Form::Json));
        assert_eq!(Form::of_answer(&headers(ACCEPT, "image/png")).unwrap_err().status(), 406);
    }
}
