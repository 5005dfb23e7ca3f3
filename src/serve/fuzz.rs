//! Requests that were broken at random: whatever comes, it is answered or refused, and nothing breaks down.
//!
//! `PROPTEST_CASES=100000` makes it long.

use std::path::Path;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use super::router::router;
use super::sample::Sample;
use super::settings::Settings;
use super::tests::service;
use crate::dataset::rows::{Format, RowBatch, encode};

/// Pieces that parsers stumble over.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "true",
    "NaN",
    "1e999",
    "-1e-999",
    "-",
    "0x1",
    "\\u0000",
    "\\ud800",
    "\"rows\"",
    "\"columns\"",
    "\"level\"",
    "\"units\"",
    "\"input_0\"",
    "\u{1F50B}",
    "\0",
    "99999999999999999999",
];

/// One change of a text of bytes; positions are shares of its length.
#[derive(Debug, Clone)]
enum Change {
    Flip { at: f64, bit: u8 },
    Set { at: f64, byte: u8 },
    Cut { at: f64, n: usize },
    Insert { at: f64, piece: usize },
    Repeat { at: f64, n: usize, times: usize },
    End { at: f64 },
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0.0..1.0_f64;
    prop_oneof![
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set { at, byte }),
        2 => (at(), 1..40_usize).prop_map(|(at, n)| Change::Cut { at, n }),
        4 => (at(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert { at, piece }),
        2 => (at(), 1..30_usize, 1..50_usize).prop_map(|(at, n, times)| Change::Repeat { at, n, times }),
        1 => at().prop_map(|at| Change::End { at }),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |at: f64| ((at * bytes.len() as f64) as usize).min(bytes.len().saturating_sub(1));
        if bytes.is_empty() {
            return bytes;
        }
        match *change {
            Change::Flip { at, bit } => {
                let at = place(at);
                bytes[at] ^= 1 << bit;
            }
            Change::Set { at, byte } => {
                let at = place(at);
                bytes[at] = byte;
            }
            Change::Cut { at, n } => {
                let at = place(at);
                bytes.drain(at..(at + n).min(bytes.len()));
            }
            Change::Insert { at, piece } => {
                let at = place(at);
                bytes.splice(at..at, PIECES[piece].bytes());
            }
            Change::Repeat { at, n, times } => {
                let at = place(at);
                let piece = bytes[at..(at + n).min(bytes.len())].repeat(times);
                bytes.splice(at..at, piece);
            }
            Change::End { at } => bytes.truncate(place(at)),
        }
    }
    bytes
}

/// JSON that is like a question, but for what is wrong with it.
fn json_like() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<f64>().prop_map(Value::from), any::<i64>().prop_map(Value::from)];
    let leaf = prop_oneof![
        4 => number,
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => ".{0,20}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("rows".to_owned()),
        Just("columns".into()),
        Just("level".into()),
        Just("units".into()),
        Just("model".into()),
        (0..6_u32).prop_map(|i| format!("input_{i}")),
        ".{0,8}",
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A router and what runs it.
struct Asked {
    router: Router,
    runtime: Runtime,
}

impl Asked {
    fn new() -> Self {
        let offers = vec![
            Sample::new("linear", "linear", "run-1").offer(),
            Sample::new("trees of classes", "tiers", "run-1").offer(),
        ];
        let settings = Settings { max_rows: 1000, max_body: 1 << 20, ..Settings::default() };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let router = {
            let _entered = runtime.enter();
            router(service(settings, offers))
        };
        Self { router, runtime }
    }

    /// Sends a body, and checks that it is answered or refused in the form of all refusals.
    fn survives(&self, path: &str, media_type: &str, body: Vec<u8>) -> Result<u16, TestCaseError> {
        let Ok(request) = Request::post(path).header("content-type", media_type).body(Body::from(body))
        else {
            return Ok(0); // No HTTP at all, which hyper refuses before us.
        };
        let (status, body) = self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.expect("a router never fails");
            (response.status().as_u16(), to_bytes(response.into_body(), usize::MAX).await)
        });
        let body = body.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert!(status < 500 || status == 503, "{status}: {}", String::from_utf8_lossy(&body));
        if status >= 400 {
            let refusal: Value = serde_json::from_slice(&body).unwrap_or_default();
            prop_assert!(refusal["error"]["message"].is_string(), "{status}: {refusal}");
            prop_assert!(body.len() < 8000, "a refusal of {} bytes", body.len());
        }
        Ok(status)
    }
}

fn question() -> Vec<u8> {
    let row = json!({ "input_0": 2.5, "input_1": null, "input_2": 3, "input_3": 2.5e0, "input_4": 3.9 });
    let body = json!({ "model": "linear", "level": 0.9, "units": { "input_0": "mV" }, "rows": [row, row] });
    body.to_string().into_bytes()
}

fn table() -> RowBatch {
    let column = |idx: u32| (format!("input_{idx}"), vec![2.5, f64::NAN, 3.5]);
    let cells = ("cell".to_owned(), ["A", "", "B"].map(String::from).to_vec());
    RowBatch { n_rows: 3, numbers: (0..5).map(column).collect(), texts: vec![cells] }
}

#[test]
fn broken_json_is_refused() {
    let asked = Asked::new();
    assert_eq!(asked.survives("/v1/predict", "application/json", question()).unwrap(), 200);
    proptest!(|(changes in prop::collection::vec(change(), 1..6))| {
        asked.survives("/v1/predict", "application/json", changed(question(), &changes))?;
    });
    proptest!(|(body in json_like())| {
        asked.survives("/v1/predict", "application/json", body.to_string().into_bytes())?;
    });
    proptest!(|(rows in json_like(), level in json_like())| {
        let body = json!({ "rows": [rows.clone()], "level": level }).to_string().into_bytes();
        asked.survives("/v1/models/tiers/predict", "application/json", body)?;
        let body = json!({ "columns": { "input_0": rows } }).to_string().into_bytes();
        asked.survives("/v1/predict", "application/json", body)?;
    });
}

#[test]
fn broken_tables_are_refused() {
    let asked = Asked::new();
    let csv = "cell,cycle,input_0,input_1,input_2,input_3,input_4\nA,1,2.5,3,2.5,3,2.5\nB,,1,2,3,4,5\n";
    let mut tables = vec![("application/octet-stream", csv.as_bytes().to_vec())];
    for (format, media_type) in [
        (Format::Parquet, "application/vnd.apache.parquet"),
        (Format::ArrowFile, "application/vnd.apache.arrow.file"),
        (Format::ArrowStream, "application/vnd.apache.arrow.stream"),
    ] {
        tables.push((media_type, encode(&table(), format, &[]).unwrap()));
    }
    for (media_type, bytes) in tables {
        assert_eq!(asked.survives("/v1/forecast", media_type, bytes.clone()).unwrap(), 200, "{media_type}");
        proptest!(|(changes in prop::collection::vec(change(), 1..5))| {
            let bytes = changed(bytes.clone(), &changes);
            asked.survives("/v1/forecast?format=table", media_type, bytes.clone())?;
            asked.survives("/v1/predict", media_type, bytes)?;
        });
    }
}

#[test]
fn broken_files_of_cyclers_are_refused() {
    let asked = Asked::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mat = std::fs::read(fixtures.join("mat/nasa.mat")).unwrap();
    let csv = b"Test Time / s,Voltage / V,Current / A,Cycle Count / 1\n0,3.7,1,1\n10,3.8,1,1\n20,3.7,-1,1\n"
        .to_vec();
    for (format, bytes) in [("nasa", mat), ("bdf", csv.clone()), ("arbin", csv.clone()), ("nasa-flat", csv)] {
        let path = format!("/v1/forecast?format={format}");
        proptest!(ProptestConfig::with_cases(64), |(changes in prop::collection::vec(change(), 0..5))| {
            asked.survives(&path, "application/octet-stream", changed(bytes.clone(), &changes))?;
        });
    }
}

#[test]
fn odd_addresses_and_types_are_refused() {
    let asked = Asked::new();
    proptest!(|(path in "/v1/(predict|forecast|models/[ -~]{0,20}/predict)\\??[ -~]{0,40}", media_type in "[ -~]{0,30}")| {
        asked.survives(&path, &media_type, question())?;
        asked.survives(&path, "application/json", question())?;
    });
}
