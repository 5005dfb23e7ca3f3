//! Routes, one request at a time.

use super::*;

#[tokio::test]
async fn a_model_answers_rows_and_columns_alike() {
    let model = hybrid();
    let rows = rows(&model, 5);
    let expected: Vec<f64> = crate::pipeline::sample::rows(&model.pipeline, 5, true)
        .iter()
        .map(|r| model.pipeline.reference(r)[0])
        .collect();
    let router = router(service(Settings::default(), vec![model.offer()]));
    let (status, answer) = ask(&router, post("/v1/predict", &json!({ "rows": rows }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!((&answer["model"], &answer["level"]), (&json!("hybrid"), &json!(0.9)));
    let got: Vec<f64> =
        answer["answers"].as_array().unwrap().iter().map(|a| a["prediction"].as_f64().unwrap()).collect();
    assert_eq!(got, expected);
    let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let column = |name: &String| (name.clone(), rows.iter().map(|r| r[name].clone()).collect());
    let columns: Value = Value::Object(names.into_iter().map(column).collect());
    let (status, answer) =
        ask(&router, post("/v1/models/hybrid/predict", &json!({ "columns": columns }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["columns"]["prediction"], json!(expected));
}

#[tokio::test]
async fn health_is_open_and_what_is_not_there_is_said_in_one_form() {
    let router = router(service(Settings::default(), vec![hybrid().offer()]));
    assert_eq!(ask(&router, get("/health")).await, (StatusCode::OK, json!({ "status": "alive" })));
    assert_eq!(ask(&router, get("/ready")).await.0, StatusCode::OK);
    let cases = [
        (get("/v2"), 404, "unknown_path"),
        (get("/v1/predict"), 405, "method"),
        (post("/v1/models/hybrit/predict", &json!({})), 404, "unknown_model"),
        (post("/v1/predict", &json!({ "rows": [], "model": "../../etc/passwd" })), 404, "unknown_model"),
    ];
    for (request, status, code) in cases {
        let (got, answer) = ask(&router, request).await;
        assert_eq!((got.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{answer}");
    }
}
