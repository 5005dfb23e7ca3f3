//! What every request passes: who asks, under which name, and the count of its answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONNECTION, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal::{Code, Refusal};
use super::service::Service;

/// Longest part of an address that is written to the log [characters].
const LOGGED: usize = 120;

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Lets a request through that shows the token, where there is one.
///
/// # Errors
/// 401.
pub(super) async fn authorise(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let Some(token) = &service.settings.token else { return Ok(next.run(request).await) };
    let shown = request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(bearer);
    if shown.is_some_and(|shown| token.is(shown)) {
        return Ok(next.run(request).await);
    }
    let message = if shown.is_some() {
        "the token is another one"
    } else {
        "show the token: `Authorization: Bearer TOKEN`"
    };
    Err(Refusal::new(401, "token", message).closing())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets a request through that asks for this machine, where only this machine can ask and no token is needed.
///
/// Else a page whose name is made to point here (DNS rebinding) could ask with the browser of whoever reads it.
///
/// # Errors
/// 421.
pub(super) async fn same_host(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let settings = &service.settings;
    let host = request
        .headers()
        .get(HOST)
        .and_then(|v| v.to_str().ok())
        .or(request.uri().authority().map(Authority::as_str));
    let is_open = settings.token.is_some() || !settings.listen.ip().is_loopback();
    if is_open || host.is_none_or(is_this_machine) {
        return Ok(next.run(request).await);
    }
    let message = "without a token only `localhost` and loopback addresses are answered as host";
    Err(Refusal::new(421, "host", message).closing())
}

/// Returns whether a `Host` header names this machine.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Counts a request and its answer, and writes it to the log where one is kept.
pub(super) async fn observe(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let logged = service.settings.access_log.then(|| line(&request));
    let mut response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), begin.elapsed());
    service.metrics.answered(&route, status, took);
    if let Some(Code(code)) = response.extensions().get() {
        service.metrics.rejected(code);
    }
    if let Some(line) = logged {
        (service.say)(&format!("{line} {status} {:.1} ms", took.as_secs_f64() * 1e3));
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if service.is_draining() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn line(request: &Request) -> String {
    let peer = request.extensions().get::<Peer>().map_or_else(|| "-".into(), |peer| peer.0.to_string());
    format!("{peer} {}", asked(request.method(), request.uri()))
}

/// Returns what was asked for on one line of the log, whatever the client wrote.
fn asked(method: &Method, uri: &Uri) -> String {
    let path: String = uri.path().chars().take(LOGGED).collect();
    format!("{} {}", method.as_str().escape_debug(), path.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_host() {
        for host in
            ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:80", "127.8.0.1", "[::1]", "[::1]:8080"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "192.168.0.1",
            "127.0.0.1.nip.io",
            "",
            ":80",
            "[::2]",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_shown_by_its_scheme() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        for other in ["Basic abc", "Bearer", "abc", ""] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
