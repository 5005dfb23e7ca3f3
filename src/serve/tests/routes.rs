//! Routes, one request at a time.

use super::*;

#[tokio::test]
async fn a_model_answers_rows_and_columns_alike() {
    let model = Sample::new("hybrid xu2018", "hybrid", "run-1");
    let (rows, expected) = (rows(&model, 5), expected(&model, 5));
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
async fn a_large_request_is_computed_by_itself_and_alike() {
    let model = linear();
    let (rows, expected) = (rows(&model, 2000), expected(&model, 2000));
    let body = json!({ "rows": rows });
    assert!(body.to_string().len() > 16 << 10);
    let router = router(service(Settings { batch_rows: 300, ..Settings::default() }, vec![model.offer()]));
    let (status, answer) = ask(&router, post("/v1/predict", &body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let got: Vec<f64> =
        answer["answers"].as_array().unwrap().iter().map(|a| a["prediction"].as_f64().unwrap()).collect();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn health_is_open_and_what_is_not_there_is_said_in_one_form() {
    let router = router(service(Settings::default(), vec![linear().offer()]));
    assert_eq!(ask(&router, get("/health")).await, (StatusCode::OK, json!({ "status": "alive" })));
    assert_eq!(ask(&router, get("/ready")).await.0, StatusCode::OK);
    let cases = [
        (get("/v2"), 404, "unknown_path"),
        (get("/v1/predict"), 405, "method"),
        (post("/v1/models/liner/predict", &json!({})), 404, "unknown_model"),
        (post("/v1/models/%ff/predict", &json!({})), 404, "unknown_model"),
        (post("/v1/predict", &json!({ "rows": [], "model": "../../etc/passwd" })), 404, "unknown_model"),
        (post("/v1/predict?levl=0.9", &json!({ "rows": [] })), 400, "bad_address"),
        (post("/v1/predict?model=a", &json!({ "rows": [], "model": "b" })), 422, "two_models"),
        (Request::post("/v1/predict").body(Body::from("{}")).unwrap(), 415, "media_type"),
    ];
    for (request, status, code) in cases {
        let (got, answer) = ask(&router, request).await;
        assert_eq!((got.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{answer}");
        assert!(answer["error"]["message"].is_string() && answer["error"]["detail"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn models_say_what_they_need_and_the_first_is_the_default() {
    let offers = vec![linear().offer(), Sample::new("trees", "trees", "run-7").offer()];
    let router = router(service(Settings::default(), offers));
    let (_, answer) = ask(&router, get("/v1/models")).await;
    assert_eq!(answer["default"], "linear");
    assert_eq!(
        (&answer["models"][1]["name"], &answer["models"][1]["run"]),
        (&json!("trees"), &json!("run-7"))
    );
    let input = &answer["models"][0]["inputs"][0];
    assert_eq!(
        (&input["unit"], &input["range"], &input["doc"]),
        (&json!("V"), &json!([2.0, 4.0]), &json!("Sample of input_0."))
    );
    assert_eq!(answer["models"][0]["levels"], json!([0.5, 0.8, 0.9, 0.95]));
    let row = rows(&Sample::new("trees", "trees", "run-7"), 1);
    let (_, answer) = ask(&router, post("/v1/predict", &json!({ "rows": row, "model": "trees" }))).await;
    assert_eq!(answer["run"], "run-7");
}

#[tokio::test]
async fn units_are_converted_and_levels_chosen() {
    let model = linear();
    let mut millivolts = rows(&model, 1);
    let row = millivolts[0].as_object_mut().unwrap();
    let value = row["input_1"].as_f64().unwrap() * 1e3;
    row.insert("input_1".into(), json!(value));
    let (volts, expected) = (rows(&model, 1), expected(&model, 1)[0]);
    let router = router(service(Settings::default(), vec![model.offer()]));
    let body = json!({ "rows": millivolts, "units": { "input_1": "mV" }, "level": 0.5 });
    let (_, answer) = ask(&router, post("/v1/predict", &body)).await;
    let answer = &answer["answers"][0];
    assert!((answer["prediction"].as_f64().unwrap() - expected).abs() < 1e-12, "{answer}");
    // The sample's score of level 0.5 is 0.5 * 0.05.
    assert!((answer["upper"].as_f64().unwrap() - expected - 0.025).abs() < 1e-12, "{answer}");
    let cases = [
        (json!({ "rows": volts, "units": { "input_1": "A" } }), "unknown_unit", "but in V, mV"),
        (json!({ "rows": volts, "units": { "inputs": "V" } }), "unknown_input", "did you mean `input_"),
        (json!({ "rows": volts, "level": 0.7 }), "unknown_level", "0.5, 0.8, 0.9, 0.95"),
    ];
    for (body, code, text) in cases {
        let (status, answer) = ask(&router, post("/v1/predict", &body)).await;
        let (got, message) = (&answer["error"]["code"], answer["error"]["message"].as_str().unwrap());
        assert_eq!((status.as_u16(), got), (422, &json!(code)), "{message}");
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn answers_come_as_csv_where_they_are_wanted() {
    let model = linear();
    let (body, expected) = (json!({ "rows": rows(&model, 2) }), expected(&model, 2));
    let router = router(service(Settings::default(), vec![model.offer()]));
    let mut request = post("/v1/predict", &body);
    request.headers_mut().insert("accept", "text/csv".parse().unwrap());
    let (status, text) = ask_text(&router, request).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((status, lines[0], lines.len()), (StatusCode::OK, "prediction,lower,upper,warnings", 3));
    assert!(lines[1].starts_with(&format!("{},", expected[0])), "{text}");
}

#[tokio::test]
async fn what_is_asked_is_counted() {
    let model = linear();
    let body = json!({ "rows": rows(&model, 3) });
    let router = router(service(Settings::default(), vec![model.offer()]));
    ask(&router, post("/v1/predict", &body)).await;
    ask(&router, post("/v1/predict", &json!({}))).await;
    ask(&router, get("/nowhere")).await;
    let (_, text) = ask_text(&router, get("/metrics")).await;
    for line in [
        "fadecast_requests_total{route=\"/v1/predict\",status=\"200\"} 1",
        "fadecast_requests_total{route=\"/v1/predict\",status=\"422\"} 1",
        "fadecast_requests_total{route=\"none\",status=\"404\"} 1",
        "fadecast_rejected_total{reason=\"bad_request\"} 1",
        "fadecast_rows_total{model=\"linear\"} 3",
        "fadecast_batch_rows_count{model=\"linear\"} 1",
        "fadecast_queue_depth{model=\"linear\"} 0",
        "fadecast_in_flight 0",
        "fadecast_model_info{model=\"linear\",run=\"run-1\",kind=\"sample\"} 1",
        "fadecast_request_seconds_count{route=\"/v1/predict\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}
