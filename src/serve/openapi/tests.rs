//! The document is that of the router, and what it shows is answered.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::*;
use crate::serve::sample::Sample;
use crate::serve::settings::Settings;
use crate::serve::tests::{ask, service};
use crate::serve::token::Token;

fn models() -> Vec<crate::serve::hosted::Offer> {
    let kinds = [("hybrid xu2018", "hybrid"), ("trees of classes", "tiers"), ("life", "life ü/1")];
    kinds.map(|(kind, name)| Sample::new(kind, name, "run-1").offer()).into()
}

fn request(method: &str, path: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// Returns the paths that the sources of the router name.
fn routed() -> Vec<String> {
    let sources = [include_str!("../router.rs"), include_str!("../forecast.rs")];
    let named = sources.iter().flat_map(|source| source.split(".route(\"").skip(1));
    let paths = named.map(|rest| rest.split('"').next().unwrap().to_owned());
    let mut paths: Vec<String> =
        paths.chain(crate::serve::page::FILES.map(|(path, ..)| path.to_owned())).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn every_route_is_in_the_document_and_the_other_way_round() {
    let mut described: Vec<String> = ROUTES.iter().map(|route| route.path.to_owned()).collect();
    described.sort();
    assert_eq!(routed(), described);
    let router = crate::serve::router::router(service(Settings::default(), models()));
    for route in &ROUTES {
        let path = route.path.replace("{name}", "hybrid");
        let (status, answer) = ask(&router, request(&route.method.to_uppercase(), &path, &json!({}))).await;
        let code = &answer["error"]["code"];
        assert!(code != "unknown_path" && code != "method", "{path}: {status} {answer}");
        let other = if route.method == "get" { "POST" } else { "GET" };
        let (status, _) = ask(&router, request(other, &path, &json!({}))).await;
        assert_eq!(status, 405, "{path} takes {other}, too");
    }
    let mut ids: Vec<&str> = ROUTES.iter().map(|route| route.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ROUTES.len());
}

#[tokio::test]
async fn the_examples_are_answered_as_they_show() {
    let service = service(Settings::default(), models());
    let document = document(&service);
    let router = crate::serve::router::router(Arc::clone(&service));
    let content = "/paths/~1v1~1predict/post";
    let of = |place: &str| {
        document.pointer(&format!("{content}/{place}/examples")).unwrap().as_object().unwrap().clone()
    };
    let questions = of("requestBody/content/application~1json");
    let answers = of("responses/200/content/application~1json");
    assert_eq!(questions.len(), 3);
    for (name, question) in questions {
        let (status, answer) = ask(&router, request("POST", "/v1/predict", &question["value"])).await;
        assert_eq!(status, 200, "{name}: {answer}");
        assert_eq!(answer, answers[&name]["value"], "{name}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere_and_every_input_has_its_unit() {
    let document = document(&service(Settings::default(), models()));
    let text = document.to_string();
    let references: Vec<&str> =
        text.split("\"$ref\":\"#").skip(1).map(|r| r.split('"').next().unwrap()).collect();
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let plain = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    assert!(schemas.keys().all(plain), "{:?}", schemas.keys());
    let input = &schemas["row.hybrid"]["properties"]["input_0"];
    assert_eq!((&input["x-unit"], &input["x-range"]), (&json!("V"), &json!([2.0, 4.0])));
    assert!(input["description"].as_str().unwrap().contains("2 to 4, in V"), "{input}");
}

#[test]
fn a_server_with_a_token_says_where_it_is_asked_for() {
    let plain = document(&service(Settings::default(), models()));
    assert!(plain["components"]["securitySchemes"].is_null());
    let token = Some(Token::new("0123456789abcdef").unwrap());
    let document = document(&service(Settings { token, ..Settings::default() }, models()));
    let security = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
    assert_eq!(security("/v1/predict", "post"), json!([{ "token": [] }]));
    assert!(security("/health", "get").is_null() && security("/", "get").is_null());
}
