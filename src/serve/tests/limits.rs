//! Limits and guards, and batches of what waits.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, HOST, RETRY_AFTER};

use super::*;
use crate::serve::token::Token;

fn one_row() -> Value {
    json!({ "rows": rows(&linear(), 1) })
}

/// Sends a request that the gate will hold up.
fn send(router: &Router, body: &Value) -> tokio::task::JoinHandle<(StatusCode, Value)> {
    let (router, request) = (router.clone(), post("/v1/predict", body));
    tokio::spawn(async move { ask(&router, request).await })
}

fn depth(text: &str) -> usize {
    let line = text.lines().find(|l| l.starts_with("fadecast_queue_depth{")).unwrap_or(" 0");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_are_joined_and_answered_as_alone() {
    let gate = Gate::default();
    let model = gate.model("run-1");
    let (rows, expected) = (rows(&model, 9), expected(&model, 9));
    let model = Arc::new(model);
    let shared: Arc<dyn crate::serve::Model> = model.clone();
    let source = crate::serve::Source::new(None, move || Ok(Arc::clone(&shared)));
    let service = service(Settings::default(), vec![Offer { name: None, source }]);
    let router = router(Arc::clone(&service));
    let first = send(&router, &json!({ "rows": rows[..1] }));
    until(|| gate.n_come() == 1).await;
    let others: Vec<_> = (1..9).map(|idx| send(&router, &json!({ "rows": [rows[idx]] }))).collect();
    until(|| depth(&service.metrics.text()) == 8).await;
    gate.open();
    for (idx, sent) in std::iter::once(first).chain(others).enumerate() {
        let (status, answer) = sent.await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(answer["answers"][0]["prediction"], json!(expected[idx]));
    }
    assert_eq!(*model.calls.lock().unwrap(), [1, 8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_not_longer_than_allowed() {
    let gate = Gate::default();
    let model = Arc::new(gate.model("run-1"));
    let shared: Arc<dyn crate::serve::Model> = model.clone();
    let source = crate::serve::Source::new(None, move || Ok(Arc::clone(&shared)));
    let service =
        service(Settings { batch_rows: 3, ..Settings::default() }, vec![Offer { name: None, source }]);
    let router = router(Arc::clone(&service));
    let first = send(&router, &one_row());
    until(|| gate.n_come() == 1).await;
    let others: Vec<_> = (0..5).map(|_| send(&router, &one_row())).collect();
    until(|| depth(&service.metrics.text()) == 5).await;
    gate.open();
    for sent in std::iter::once(first).chain(others) {
        assert_eq!(sent.await.unwrap().0, StatusCode::OK);
    }
    assert_eq!(*model.calls.lock().unwrap(), [1, 3, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_and_told_when_to_come_back() {
    let gate = Gate::default();
    let settings = Settings { max_in_flight: 3, max_queue: 1, ..Settings::default() };
    let service = service(settings, vec![gate.model("run-1").offer()]);
    let router = router(Arc::clone(&service));
    let computed = send(&router, &one_row());
    until(|| gate.n_come() == 1).await;
    let waiting = send(&router, &one_row());
    until(|| depth(&service.metrics.text()) == 1).await;
    let (status, answer) = ask(&router, post("/v1/predict", &one_row())).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (503, &json!("queue_full")));
    let _slot = service.slot().unwrap();
    let refused = router.clone().oneshot(post("/v1/predict", &one_row())).await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()[RETRY_AFTER]), (429, &"1".parse().unwrap()));
    gate.open();
    assert_eq!(computed.await.unwrap().0, StatusCode::OK);
    assert_eq!(waiting.await.unwrap().0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_given_up() {
    let gate = Gate::default();
    let settings = Settings { timeout: Duration::from_millis(20), ..Settings::default() };
    let router = router(service(settings, vec![gate.model("run-1").offer()]));
    let (status, answer) = ask(&router, post("/v1/predict", &one_row())).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (503, &json!("timeout")));
    gate.open();
}

#[tokio::test]
async fn a_model_that_breaks_down_takes_nobody_with_it() {
    let count = Mutex::new(0);
    let breaks = move || {
        let mut count = count.lock().unwrap();
        *count += 1;
        let is_first = *count == 1;
        drop(count);
        assert!(!is_first, "as the test asks for");
    };
    let router =
        router(service(Settings::default(), vec![Sample::held_up(KIND, "linear", "run-1", breaks).offer()]));
    let (status, answer) = ask(&router, post("/v1/predict", &one_row())).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (500, &json!("model_failed")));
    assert_eq!(ask(&router, post("/v1/predict", &one_row())).await.0, StatusCode::OK);
}

#[tokio::test]
async fn bodies_and_rows_have_a_limit() {
    let body = one_row();
    let n = body.to_string().len();
    let limited =
        |max_body, max_held, max_rows| Settings { max_body, max_held, max_rows, ..Settings::default() };
    let two = json!({ "rows": rows(&linear(), 2) });
    let cases = [
        (limited(n, n, 1), &body, 200, None),
        (limited(n - 1, 1000, 1), &body, 413, Some("body_too_long")),
        (limited(1000, n - 1, 1), &body, 503, Some("memory")),
        (limited(1000, 1000, 1), &two, 413, Some("too_many_rows")),
    ];
    for (settings, body, status, code) in cases {
        let service = service(settings, vec![linear().offer()]);
        let router = router(Arc::clone(&service));
        // The second time finds the bytes of the first given back.
        for _ in 0..2 {
            let (got, answer) = ask(&router, post("/v1/predict", body)).await;
            assert_eq!((got.as_u16(), answer["error"]["code"].as_str()), (status, code), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_token_opens_all_but_health() {
    let token = "0123456789abcdef";
    let settings = Settings { token: Some(Token::new(token).unwrap()), ..Settings::default() };
    let router = router(service(settings, vec![linear().offer()]));
    let with = |value: Option<&str>, path: &str| {
        let mut request = get(path);
        if let Some(value) = value {
            request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
        }
        request
    };
    let good = format!("Bearer {token}");
    for path in ["/v1/models", "/metrics"] {
        for wrong in [None, Some("Bearer 0123456789abcdee"), Some(token), Some("Basic 0123456789abcdef")] {
            let (status, answer) = ask(&router, with(wrong, path)).await;
            assert_eq!((status.as_u16(), &answer["error"]["code"]), (401, &json!("token")), "{path}");
            assert!(!answer.to_string().contains(token));
        }
        assert_eq!(ask(&router, with(Some(&good), path)).await.0, StatusCode::OK);
    }
    assert_eq!(ask(&router, post("/v1/predict", &one_row())).await.0, StatusCode::UNAUTHORIZED);
    for path in ["/health", "/ready"] {
        assert_eq!(ask(&router, with(None, path)).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn on_loopback_another_host_is_not_answered_without_a_token() {
    let hosted = |token: Option<&str>| {
        let token = token.map(|t| Token::new(t).unwrap());
        router(service(Settings { token, ..Settings::default() }, vec![linear().offer()]))
    };
    let named = |host: &str| {
        let mut request = get("/health");
        request.headers_mut().insert(HOST, host.parse().unwrap());
        request
    };
    let open = hosted(None);
    assert_eq!(ask(&open, named("localhost:8080")).await.0, StatusCode::OK);
    assert_eq!(ask(&open, named("rebound.example")).await.0.as_u16(), 421);
    assert_eq!(ask(&hosted(Some("0123456789abcdef")), named("behind.proxy.example")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_log_has_a_line_a_request_and_no_line_of_a_client() {
    let log = Log::default();
    let settings = Settings { access_log: true, ..Settings::default() };
    let service = Arc::new(Service::start(settings, vec![linear().offer()], log.say()).unwrap());
    ask(&router(service), get("/nowhere%0aserving?token=secret")).await;
    let lines = log.lines();
    assert!(lines.len() == 1 && lines[0].starts_with("- GET /nowhere%0aserving 404 "), "{lines:?}");
}
