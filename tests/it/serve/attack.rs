//! Bytes that no honest client sends: the server says no, or closes, and others are answered.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::http::{Answer, GOOD, Server, rest};

/// Returns a request with the good body after `headers`.
fn good_request(headers: &str) -> Vec<u8> {
    let head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    format!("{head}{headers}\r\n{GOOD}").into_bytes()
}

/// Returns the statuses of all answers in `bytes`.
fn statuses(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.match_indices("HTTP/1.1 ").map(|(at, word)| text[at + word.len()..][..3].to_owned()).collect()
}

#[test]
fn garbage_is_refused_or_closed_and_never_answered_as_a_request() {
    let server = Server::start("");
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20);
    let cases: [(&str, Vec<u8>); 12] = [
        ("HTTP/0.9", b"GET /v1/models\r\n\r\n".to_vec()),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/3.7", b"GET /health HTTP/3.7\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", client_hello),
        ("zeros", vec![0; 4096]),
        ("noise", (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("NUL in the path", b"GET /v1/\0models HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("line feeds in a header", b"GET /health HTTP/1.1\r\nHost: a\rb\r\n\r\n".to_vec()),
        ("a space in a name", b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec()),
        ("a long line", [b"GET /".to_vec(), vec![b'a'; 1 << 20], b" HTTP/1.1\r\n\r\n".to_vec()].concat()),
        (
            "a long header",
            [b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ".to_vec(), vec![b'a'; 1 << 20]].concat(),
        ),
        (
            "many headers",
            [b"GET /health HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(5000), b"\r\n".to_vec()].concat(),
        ),
    ];
    for (name, bytes) in cases {
        let mut stream = server.connect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = rest(&mut stream);
        let found = statuses(&answer);
        assert!(found.iter().all(|s| s.starts_with('4') || s == "505"), "{name}: {found:?}");
        server.is_well();
    }
}

#[test]
fn a_request_cannot_be_smuggled_into_another() {
    let server = Server::start("");
    let hidden = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let n = GOOD.len();
    for headers in [
        format!("Content-Length: {n}\r\nContent-Length: 5\r\n"),
        format!("Content-Length: {n}, {n}1\r\n"),
        format!("Content-Length: +{n}\r\n"),
        format!("Content-Length: -{n}\r\n"),
        "Content-Length: 18446744073709551617\r\n".to_owned(),
        "Transfer-Encoding: gzip, chunked, identity\r\n".to_owned(),
        format!("Transfer-Encoding: xchunked\r\nContent-Length: {n}\r\n"),
        "Content-Length: 5 5\r\n".to_owned(),
    ] {
        let request = [good_request(&headers), hidden.as_bytes().to_vec()].concat();
        let mut stream = server.connect();
        stream.write_all(&request).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let found = statuses(&rest(&mut stream));
        assert!(found.len() <= 1 && found.iter().all(|s| s.starts_with('4')), "{headers}: {found:?}");
        server.is_well();
    }
    // RFC 9112, 6.3: with both, the chunks count, and nothing after the last of them is of the same request.
    let chunked = format!("Transfer-Encoding: chunked\r\nContent-Length: {n}\r\nConnection: close\r\n");
    let head = String::from_utf8(good_request(&chunked)).unwrap().replace(GOOD, "");
    let mut stream = server.connect();
    stream.write_all(format!("{head}{n:x}\r\n{GOOD}\r\n0\r\n\r\n{hidden}").as_bytes()).unwrap();
    let found = statuses(&rest(&mut stream));
    assert!(found.len() <= 1, "{found:?}");
    server.is_well();
}

#[test]
fn an_unknown_path_or_method_is_said_to_be_one() {
    let server = Server::start("");
    for (method, path, status) in [
        ("FOO", "/v1/models", 405),
        ("DELETE", "/v1/predict", 405),
        ("GET", "/v1/predict", 405),
        ("TRACE", "/health", 405),
        ("GET", "/v2/predict", 404),
        ("GET", "//v1/models", 404),
        ("GET", "/v1/models/", 404),
        ("GET", "/page/../../Cargo.toml", 404),
    ] {
        let answer = server.ask(method, path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(!answer.refusal().is_empty());
    }
    assert_eq!(server.ask("HEAD", "/health", &[], b"").status, 200);
    server.is_well();
}

#[test]
fn names_of_models_are_no_paths() {
    let server = Server::start("");
    let long = "a".repeat(6000);
    let names = [
        "..%2f..%2fetc",
        "%2Fetc%2Fpasswd",
        "..",
        "small%2flatest",
        "%00",
        "a%00b",
        "%ff%fe",
        "%2e%2e%2f",
        &long,
    ];
    for name in names {
        for path in [
            format!("/v1/models/{name}"),
            format!("/v1/models/{name}/predict"),
            format!("/v1/predict?model={name}"),
        ] {
            let answer = server.post_json(&path, GOOD);
            assert!(matches!(answer.status, 400 | 404 | 405 | 414 | 431), "{path}: {answer:?}");
            assert!(answer.body.len() < 20_000, "{path}: the refusal repeats what was sent");
        }
    }
    let answer = server.post_json("/v1/predict", r#"{"model":"../../etc/passwd","rows":[{}]}"#);
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.refusal().contains("../../etc/passwd") && !answer.text().contains("root:"));
    server.is_well();
}

#[test]
fn slow_headers_and_bodies_are_cut_off_while_others_are_answered() {
    let server = Server::start("--header-timeout 0.5 --timeout 0.5");
    let head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let body = format!("{head}Content-Length: 1000\r\n\r\n{{");
    let mut slow: Vec<(TcpStream, usize)> = Vec::new();
    for begin in ["P", head, &body].into_iter().cycle().take(60) {
        let mut stream = server.connect();
        stream.write_all(begin.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        slow.push((stream, 0));
    }
    // Each gets a byte now and then, so none is idle; all must be gone long before a byte limit would end them.
    let begin = Instant::now();
    while !slow.is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{} slow connections are still open", slow.len());
        server.is_well();
        slow.retain_mut(|(stream, n)| {
            *n += 1;
            stream.write_all(b"x").is_ok() && is_open(stream)
        });
    }
    server.is_well();
}

/// Returns whether a connection is neither closed nor reset; what it says is read and dropped.
fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 4096]) {
        Ok(n) => n > 0,
        Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
    }
}

#[test]
fn two_thousand_connections_at_once_leave_room_for_an_answer() {
    let server = Server::start("--max-connections 100 --header-timeout 5");
    let mut open = Vec::new();
    for _ in 0..2000 {
        let Ok(mut stream) = TcpStream::connect(server.address) else { break };
        let _ = stream.write_all(b"GET /hea");
        open.push(stream);
    }
    assert!(open.len() > 500, "this machine allows {} connections", open.len());
    // Those beyond the limit are told so.
    let mut refused = 0;
    for stream in &mut open {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut bytes = [0; 512];
        let n = stream.read(&mut bytes).unwrap_or(0);
        refused += usize::from(String::from_utf8_lossy(&bytes[..n]).starts_with("HTTP/1.1 503"));
        if refused > 20 {
            break;
        }
    }
    assert!(refused > 20, "only {refused} were told that there are too many");
    drop(open);
    let begin = Instant::now();
    let well = |a: &Option<Answer>| a.as_ref().is_some_and(|a| a.status == 200);
    while !well(&Answer::of(
        &server.raw(&good_request(&format!("Connection: close\r\nContent-Length: {}\r\n", GOOD.len()))),
    )) {
        assert!(begin.elapsed() < Duration::from_secs(30), "no answer after the crowd has left");
    }
    server.is_well();
}
