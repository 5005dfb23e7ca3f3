//! The server through the program: it answers, and whatever is sent to it, it goes on answering.

mod attack; // Bytes that no honest client sends.
mod body; // Bodies that are wrong, too large, too slow or bombs.
mod document; // The commands that the documents show, run.
mod file; // Uploaded files and the page that draws them.
mod http; // The server as a person runs it, and a client that may break every rule.
mod tampered; // Run folders that were changed behind the server's back.

use serde_json::Value;

use http::{GOOD, Server};

#[test]
fn the_routes_answer_and_the_document_names_them() {
    let server = Server::start("");
    server.is_well();
    for (path, kind) in [
        ("/health", "application/json"),
        ("/ready", "application/json"),
        ("/v1/models", "application/json"),
        ("/openapi.json", "application/json"),
        ("/metrics", "text"),
        ("/", "text/html"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.header("content-type").is_some_and(|t| t.contains(kind)), "{path}: {answer:?}");
    }
    let document = server.get("/openapi.json").json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in
        ["/", "/health", "/ready", "/metrics", "/v1/models", "/v1/predict", "/v1/forecast", "/openapi.json"]
    {
        assert!(paths.iter().any(|p| *p == path), "{path} is not among {paths:?}");
    }
}

#[test]
fn a_good_row_has_an_answer_inside_its_interval() {
    let server = Server::start("");
    let row = &server.post_json("/v1/predict", GOOD).json()["answers"][0];
    let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("no {name} in {row}"));
    assert!(number("soh_lower") <= number("soh") && number("soh") <= number("soh_upper"), "{row}");
    assert!(row["warnings"].as_array().is_some_and(|w| w.iter().all(Value::is_string)), "{row}");
}
