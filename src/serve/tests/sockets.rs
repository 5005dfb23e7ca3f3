//! Real connections: kept, slow, too many, and at the server's end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::serve::{Ended, Server, Stop};

struct Running {
    address: SocketAddr,
    stop: watch::Sender<u32>,
    ended: JoinHandle<Ended>,
}

fn start(settings: Settings, model: Sample) -> Running {
    let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..settings };
    let server = Server::bind(settings, vec![model.offer()], Log::default().say()).unwrap();
    let address = server.address();
    let (stop, stopped) = Stop::by_hand();
    Running { address, stop, ended: tokio::spawn(server.serve(stopped)) }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn question() -> Vec<u8> {
    let body = json!({ "rows": rows(&linear(), 1) }).to_string();
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Reads one answer with a stated length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
    }
}

async fn is_closed(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.is_err() || rest.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_and_ends_with_the_server() {
    let running = start(Settings::default(), linear());
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(&question()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("http/1.1 200"));
    }
    running.stop.send_replace(1);
    assert_eq!(running.ended.await.unwrap(), Ended::Drained);
    assert!(is_closed(stream).await);
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_request_is_answered_though_the_server_stops() {
    let gate = Gate::default();
    let running = start(Settings::default(), gate.model("run-1"));
    let (mut asked, mut watching) = (running.connect().await, running.connect().await);
    asked.write_all(&question()).await.unwrap();
    until(|| gate.n_come() == 1).await;
    // Sent, but not read by the server when it is told to stop.
    let mut late = Vec::new();
    for _ in 0..20 {
        let mut stream = running.connect().await;
        stream.write_all(&question()).await.unwrap();
        late.push(stream);
    }
    watching.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(answer(&mut watching).await.starts_with("http/1.1 200"));
    running.stop.send_replace(1);
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.open();
    late.push(asked);
    for mut stream in late {
        let text = answer(&mut stream).await;
        assert!(text.starts_with("http/1.1 200") && text.contains("connection: close"), "{text}");
    }
    assert_eq!(running.ended.await.unwrap(), Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_or_the_limit_ends_it_at_once() {
    let limits = [(Duration::from_mins(10), 2, Ended::Told), (Duration::from_millis(1), 1, Ended::TimedOut)];
    for (drain, n_signals, expected) in limits {
        let gate = Gate::default();
        let running = start(Settings { drain, ..Settings::default() }, gate.model("run-1"));
        let mut stream = running.connect().await;
        stream.write_all(&question()).await.unwrap();
        until(|| gate.n_come() == 1).await;
        running.stop.send_replace(n_signals);
        assert_eq!(running.ended.await.unwrap(), expected);
        gate.open();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_so() {
    let running = start(Settings { max_connections: 1, ..Settings::default() }, linear());
    let mut first = running.connect().await;
    first.write_all(&question()).await.unwrap();
    assert!(answer(&mut first).await.starts_with("http/1.1 200"));
    let mut second = running.connect().await;
    let text = answer(&mut second).await;
    assert!(text.starts_with("http/1.1 503") && text.contains("retry-after: 1"), "{text}");
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["error"]["code"], "connections");
    drop((first, second));
    loop {
        let mut third = running.connect().await;
        third.write_all(&question()).await.unwrap();
        if answer(&mut third).await.starts_with("http/1.1 200") {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_slowly_is_closed() {
    let short = Duration::from_millis(20);
    let running = start(Settings { header_timeout: short, ..Settings::default() }, linear());
    let mut header = running.connect().await;
    header.write_all(b"POST /v1/pre").await.unwrap();
    assert!(is_closed(header).await);
    let running = start(Settings { timeout: short, ..Settings::default() }, linear());
    let mut body = running.connect().await;
    let question = question();
    body.write_all(&question[..question.len() - 5]).await.unwrap();
    let text = answer(&mut body).await;
    assert!(text.starts_with("http/1.1 408") && text.contains("\"slow_body\""), "{text}");
    assert!(is_closed(body).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_is_read_no_further_than_allowed() {
    let running = start(Settings { max_body: 1000, ..Settings::default() }, linear());
    let mut stream = running.connect().await;
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let piece = format!("100\r\n{}\r\n", " ".repeat(256));
    for _ in 0..4 {
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    let text = answer(&mut stream).await;
    assert!(text.starts_with("http/1.1 413") && text.contains("1000 bytes"), "{text}");
}
