//! Bodies that are wrong, too large, too slow or bombs: refused with what to do, and the server lives.

use std::io::Write;

use super::http::{Answer, GOOD, Server, rest};
use crate::program::fixture;

/// Most memory that a server of small limits may ever use [bytes].
const MEMORY: u64 = 512 << 20;

#[test]
fn a_wrong_question_is_told_what_is_wrong() {
    let server = Server::start("");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let rows = |inside: &str| format!("{{\"rows\":[{{{inside}}}]}}");
    let good = "\"charge_throughput\":2.9,\"charge_cv_duration\":1800,\"history_cycle_count\":100";
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "JSON"),
        ("{".into(), "line 1"),
        ("nonsense".into(), "JSON"),
        ("[]".into(), "rows"),
        ("null".into(), "rows"),
        ("{}".into(), "rows"),
        ("{\"rows\":[]}".into(), "row"),
        ("{\"rows\":{}}".into(), "rows"),
        ("{\"rows\":[1]}".into(), "rows"),
        ("{\"rows\":[null]}".into(), "rows"),
        (deep, "rows"),
        ("{\"rows\":[".repeat(50_000), "JSON"),
        (rows("\"charge_throughputt\":2.9"), "charge_throughput"),
        (rows("\"charge_throughput\":NaN"), "line 1"),
        (rows("\"charge_throughput\":Infinity"), "line 1"),
        (rows("\"charge_throughput\":1e999"), "number"),
        (rows("\"charge_throughput\":\"2.9\""), "charge_throughput"),
        (rows("\"charge_throughput\":true"), "charge_throughput"),
        (rows("\"charge_throughput\":{}"), "charge_throughput"),
        (rows("\"charge_throughput\":[2.9,3.1]"), "charge_throughput"),
        (rows("\"charge_throughput\":2.9,\"charge_throughput\":3.1"), "charge_throughput"),
        (format!("{{\"rows\":[{{{good}}}],\"rows\":[]}}"), "rows"),
        (format!("{{\"rows\":[{{{good}}}],\"level\":2}}"), "level"),
        (format!("{{\"rows\":[{{{good}}}],\"levell\":0.9}}"), "levell"),
        (format!("{{\"rows\":[{{{good}}}],\"units\":{{\"charge_throughput\":\"V\"}}}}"), "charge_throughput"),
        (format!("{{\"rows\":[{{{good}}}],\"units\":{{\"voltage\":\"V\"}}}}"), "voltage"),
        (format!("{GOOD}{GOOD}"), "JSON"),
    ];
    for (body, said) in cases {
        let answer = server.post_json("/v1/predict", &body);
        let shown = &body[..body.len().min(80)];
        assert!(matches!(answer.status, 400 | 422), "{shown}: {answer:?}");
        let message = answer.text();
        assert!(message.contains(said) && !answer.refusal().is_empty(), "{shown}: {message}");
        assert!(answer.body.len() < 4000, "{shown}: a refusal of {} bytes", answer.body.len());
        server.is_well();
    }
}

#[test]
fn huge_numbers_are_answered_with_a_warning_or_refused() {
    let server = Server::start("");
    for value in ["1e308", "-1e308", "1e-320", "123456789012345678901234567890", "-0.0", "null"] {
        let body = GOOD.replace("2.9", value);
        let answer = server.post_json("/v1/predict", &body);
        assert!(matches!(answer.status, 200 | 422), "{value}: {answer:?}");
        if answer.status == 200 && value != "-0.0" {
            let row = &answer.json()["answers"][0];
            assert!(!row["warnings"].as_array().unwrap().is_empty(), "{value}: {row}");
        }
    }
    server.is_well();
}

#[test]
fn a_gigabyte_is_refused_before_it_is_read() {
    let server = Server::start("--max-body 65536");
    for path in ["/v1/predict", "/v1/forecast?format=table"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
        let answer =
            Answer::of(&server.raw(format!("{head}Content-Length: 1073741824\r\n\r\n").as_bytes())).unwrap();
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.refusal().contains("65536"));
        // Chunks say nothing of what is to come: the server stops reading by itself.
        let mut stream = server.connect();
        stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
        let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000)).into_bytes();
        let sent = (0..32768).take_while(|_| stream.write_all(&chunk).is_ok()).count();
        assert!(sent < 4096, "{path}: the server took {sent} pieces of 32 KiB");
        drop(stream);
        server.is_well();
    }
    assert!(server.peak_memory().is_none_or(|n| n < MEMORY), "{:?}", server.peak_memory());
}

#[test]
fn a_body_that_ends_early_is_none() {
    let server = Server::start("--timeout 1");
    let mut stream = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = Answer::of(&rest(&mut stream));
    assert!(answer.is_none_or(|a| matches!(a.status, 400 | 408)));
    server.is_well();
}

#[test]
fn a_file_that_decodes_to_gigabytes_is_refused_before_it_does() {
    let server = Server::start("");
    let parquet = std::fs::read(fixture("serve/bomb.parquet")).unwrap();
    let arrow = std::fs::read(fixture("serve/bomb.arrow")).unwrap();
    let stream = arrow[8..].to_vec();
    for (kind, bytes) in [
        ("application/vnd.apache.parquet", &parquet),
        ("application/vnd.apache.arrow.file", &arrow),
        ("application/vnd.apache.arrow.stream", &stream),
    ] {
        for path in ["/v1/predict", "/v1/forecast?format=table"] {
            let answer = server.ask("POST", path, &[&format!("Content-Type: {kind}")], bytes);
            assert!(matches!(answer.status, 400 | 413 | 422), "{path} {kind}: {answer:?}");
            assert!(!answer.refusal().is_empty());
            server.is_well();
        }
    }
    assert!(server.peak_memory().is_none_or(|n| n < MEMORY), "{:?}", server.peak_memory());
}

#[test]
fn damaged_tables_are_refused() {
    let server = Server::start("");
    let parquet = std::fs::read(fixture("serve/bomb.parquet")).unwrap();
    let cut = parquet[..parquet.len() / 2].to_vec();
    let mut lying = parquet.clone();
    let footer = lying.len() - 8;
    lying[footer..footer + 4].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    for bytes in [cut, lying, b"PAR1".to_vec(), b"PAR1PAR1".to_vec(), Vec::new()] {
        let answer =
            server.ask("POST", "/v1/predict", &["Content-Type: application/vnd.apache.parquet"], &bytes);
        assert!(matches!(answer.status, 400 | 422), "{answer:?}");
    }
    for kind in ["application/xml", "text/plain", "multipart/form-data; boundary=x", "\u{1F50B}"] {
        let answer = server.ask("POST", "/v1/predict", &[&format!("Content-Type: {kind}")], GOOD.as_bytes());
        assert!(matches!(answer.status, 400 | 415), "{kind}: {answer:?}");
    }
    server.is_well();
}
