//! Files in, answers out, one request at a time.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::dataset::{Cell, CellFacts};
use crate::serve::model::{Answers, Column, Model, Values};
use crate::serve::sample::Sample;
use crate::serve::settings::Settings;
use crate::serve::tests::{ask, service};

/// A model that answers the number of records of each cell.
struct Counter(Card);

impl Model for Counter {
    fn card(&self) -> &Card {
        &self.0
    }

    fn score(&self, _: &[f64], _: &mut Vec<f64>) {}

    fn answers(&self, _: &[f64], _: &[f64], _: Option<f64>) -> Result<Answers, Refusal> {
        Err(Refusal::new(422, "rows", "cells only"))
    }

    fn cells(&self, cells: &[Cell], level: Option<f64>) -> Result<Vec<OfCell>, Refusal> {
        let of = |cell: &Cell| {
            let CellFacts { synthetic, eol_soh, nominal_capacity_ah, .. } = cell.facts.clone();
            let column = |name: &str, value: f64| Column {
                name: name.into(),
                unit: "1".into(),
                values: Values::Numbers(vec![value]),
            };
            let n = cell.records.len() as f64;
            let columns = vec![
                column("soh", n),
                column("soh_lower", f64::NAN),
                column("soh_upper", n + level.unwrap()),
            ];
            OfCell {
                cell: Some(cell.id.to_string()),
                synthetic,
                reference_ah: nominal_capacity_ah,
                end_of_life: eol_soh,
                cycles: vec![Some(7)],
                measured: vec![f64::NAN],
                answers: Answers { columns, warnings: vec![vec!["w".into()]] },
                warnings: vec!["all".into()],
            }
        };
        Ok(cells.iter().map(of).collect())
    }
}

fn router() -> axum::Router {
    let counter = Counter(Card {
        name: "counter".into(),
        takes_cells: true,
        metrics: json!({ "synthetic": true }),
        ..Sample::new("hybrid xu2018", "", "run-2").card.clone()
    });
    let counter: Arc<dyn Model> = Arc::new(counter);
    let source = crate::serve::hosted::Source::new(None, move || Ok(Arc::clone(&counter)));
    let offers = vec![
        Sample::new("linear", "linear", "run-1").offer(),
        Sample::new("trees of classes", "tiers", "run-1").offer(),
        crate::serve::hosted::Offer { name: Some("counter".into()), source },
    ];
    crate::serve::router::router(service(Settings::default(), offers))
}

async fn send(query: &str, name: &str, bytes: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post(format!("/v1/forecast{query}")).header(FILE_NAME, name);
    let request = request.header("content-type", "application/octet-stream").body(bytes.into()).unwrap();
    ask(&router(), request).await
}

const TABLE: &str = "cell;cycle;input_0;input_1;input_2;input_3;input_4;soh\n\
    B;1;2.5;2.5;2.5;2.5;2.5;0.9\nA;1;3;3;3;3;3;\nB;2;2.6;;2.6;2.6;2.6;0.8\n";

#[tokio::test]
async fn a_table_is_answered_by_cells_in_their_order() {
    let (status, answer) = send("", "a.csv", TABLE).await;
    assert_eq!(status, 200, "{answer}");
    let rows = |cell: usize| answer["cells"][cell]["rows"].clone();
    assert_eq!((&answer["cells"][0]["cell"], &answer["cells"][1]["cell"]), (&json!("B"), &json!("A")));
    assert_eq!((&rows(0)[1]["cycle"], &rows(0)[1]["measured"]), (&json!(2), &json!(0.8)));
    assert_eq!((&rows(1)[0]["measured"], &rows(0)[1]["warnings"]), (&Value::Null, &json!(["missing"])));
    let model = Sample::new("linear", "linear", "run-1");
    let expected = model.pipeline.reference(&[2.6, f64::NAN, 2.6, 2.6, 2.6])[0];
    assert_eq!(rows(0)[1]["answer"], json!(expected));
    assert!(rows(0)[0]["lower"].as_f64() < rows(0)[0]["answer"].as_f64());
    assert_eq!((&answer["format"], &answer["level"]), (&json!("table"), &json!(0.9)));
}

#[tokio::test]
async fn a_raw_file_goes_to_a_model_that_takes_cells() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat/nasa_z.mat");
    let bytes = std::fs::read(path).unwrap();
    let (status, answer) = send("?model=counter&level=0.8", "x/B%200005.mat", bytes.clone()).await;
    assert_eq!(status, 200, "{answer}");
    // Counted with scipy.io.loadmat: a charge, two discharges, a spectrum.
    let row = json!({ "cycle": 7, "answer": 4.0, "measured": null, "warnings": ["w"], "lower": null, "upper": 4.8 });
    assert_eq!(answer["cells"][0]["rows"], json!([row]));
    assert_eq!(
        answer["warnings"],
        json!(["the model was trained on synthetic cells; of others it knows nothing", "all"])
    );
    let (status, answer) = send("", "x.mat", bytes).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (422, &json!("no_raw_cells")), "{answer}");
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let cases: [(&str, &str, &[u8], u16, &str); 12] = [
        ("", "a.csv", b"", 422, "empty"),
        ("", "a.csv", b"apples,pears\n1,2\n", 422, "no_input"),
        ("", "a.csv", b"input_0\n1\n", 422, "missing_input"),
        ("", "a.csv", b"input_0,input_1,input_2,input_3,input_4\n", 422, "no_rows"),
        ("?format=table", "a.csv", b"input_0,input_0\n1,2\n", 422, "unreadable"),
        ("?format=table", "a.parquet", b"PAR1PAR1", 422, "unreadable"),
        ("", "a.bin", b"\0\x01\x02", 415, "unknown_format"),
        ("?format=xls", "a.xls", b"x", 422, "unknown_format"),
        ("?format=bdf", "a.csv", b"apples,pears\n1,2\n", 422, "unreadable"),
        ("?model=nosuch", "a.csv", b"x", 404, "unknown_model"),
        ("?level=0.7", "a.csv", TABLE.as_bytes(), 422, "unknown_level"),
        ("?levle=0.7", "a.csv", TABLE.as_bytes(), 400, "bad_address"),
    ];
    for (query, name, bytes, status, code) in cases {
        let (got, answer) = send(query, name, bytes.to_vec()).await;
        assert_eq!(
            (got.as_u16(), &answer["error"]["code"]),
            (status, &json!(code)),
            "{query} {name}: {answer}"
        );
    }
    for (name, status) in
        [("a%00", 400), ("%f", 400), ("%zz", 400), ("%ff", 400), ("../../etc/passwd", 200), ("", 200)]
    {
        assert_eq!(send("", name, TABLE).await.0.as_u16(), status, "{name}");
    }
    for stated in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""] {
        let request =
            Request::post("/v1/forecast").header("content-type", stated).body(Body::from(TABLE)).unwrap();
        assert_eq!(ask(&router(), request).await.0, 415, "{stated}");
    }
}

#[tokio::test]
async fn tiers_have_their_probabilities() {
    let (status, answer) = send("?model=tiers&format=table", "t", TABLE).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["output"], json!({ "kind": "tier", "names": ["A", "B", "C"] }));
}
