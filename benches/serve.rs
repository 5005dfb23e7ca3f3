//! Load on a server of its own process, for `benches/serve.sh`: a fixed rate, then an overload, its memory all the time.
//!
//! ```text
//! cargo bench --bench serve -- PROGRAM ROOT RUN [--rate 2000] [--seconds 20] [--overload 20000] [--overload-seconds 10]
//!                              [--connections 64] [--crowd 512] [-- FLAGS OF fadecast serve]
//! ```
//! Requests are due at fixed times, whatever became of those before them (an open loop): a latency counts from the time
//! at which its request was due, so a server that stalls is charged for all that should have been asked meanwhile. The
//! client is one thread of the same machine. The process fails where an answer is another than 200 at the rate, or
//! another than 200, 429 and 503 in the overload, or where the server does not live and end in order afterwards.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

/// Status that stands for a connection that broke off.
const BROKEN: u16 = 0;

/// Time between looks at the server's memory.
const LOOK: Duration = Duration::from_secs(1);

/// Time after the last due request in which answers are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error>;

/// What is measured.
struct Plan {
    program: String,
    root: String,
    run: String,
    numbers: BTreeMap<String, f64>,
    flags: Vec<String>,
}

/// A server under load, killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

/// An answer: its status, and the times since its request was due and since it was sent.
struct Answer {
    status: u16,
    due: Duration,
    sent: Duration,
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read(env::args().skip(1).filter(|word| word != "--bench"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&plan))
}

async fn measure(plan: &Plan) -> Result<(), Failure> {
    let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine before: {}", busy.split(' ').next().unwrap_or_default());
    let begin = Instant::now();
    let server = Server::start(plan)?;
    let request = question(server.address).await?;
    let status = ask(server.address, &request).await?.0;
    println!("start to first answer: {:.1} ms (status {status})", begin.elapsed().as_secs_f64() * 1e3);
    for _ in 0..500 {
        ask(server.address, &request).await?;
    }
    alone(server.address, &request).await?;

    let memory = tokio::spawn(watch(server.child.id()));
    let rate = plan.number("rate");
    let steady = load(&server, &request, (rate, plan.number("seconds")), plan.number("connections")).await;
    memory.abort();
    let others = report("rate", rate, &steady);
    fails(others.keys().any(|status| *status != 200), "an answer at the rate is not 200")?;

    let over = plan.number("overload");
    if over > 0.0 {
        let crowd = plan.number("crowd");
        let answers = load(&server, &request, (over, plan.number("overload-seconds")), crowd).await;
        let others = report("overload", over, &answers);
        fails(
            others.keys().any(|status| ![200, 429, 503].contains(status)),
            "another status than 200, 429, 503",
        )?;
    }
    println!("memory at the end: {}", memory_of(server.child.id()));
    fails(ask(server.address, &request).await?.0 != 200, "the server does not answer any more")?;
    server.stop()
}

impl Plan {
    fn read(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let defaults = [
            ("rate", 2000.0),
            ("seconds", 20.0),
            ("overload", 20_000.0),
            ("overload-seconds", 10.0),
            ("connections", 64.0),
            ("crowd", 512.0),
        ];
        let mut numbers: BTreeMap<String, f64> = defaults.map(|(name, n)| (name.to_owned(), n)).into();
        let (mut places, mut flags, mut words) = (Vec::new(), Vec::new(), words);
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some("") => flags = words.by_ref().collect(),
                Some(name) if numbers.contains_key(name) => {
                    let n = words.next().ok_or("a flag without its number")?.parse()?;
                    numbers.insert(name.to_owned(), n);
                }
                Some(_) => return Err(format!("unknown flag `{word}`").into()),
                None => places.push(word),
            }
        }
        let [program, root, run] =
            <[String; 3]>::try_from(places).map_err(|_| "PROGRAM ROOT RUN are needed")?;
        Ok(Self { program, root, run, numbers, flags })
    }

    fn number(&self, name: &str) -> f64 {
        self.numbers[name]
    }
}

impl Server {
    /// Starts the program and waits for the line with its address.
    fn start(plan: &Plan) -> Result<Self, Failure> {
        let mut command = Command::new(&plan.program);
        command.args(["--root", &plan.root, "serve", &plan.run, "--listen", "127.0.0.1:0"]).args(&plan.flags);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("http://").parse();
        Ok(Self { child, address: address.map_err(|_| format!("no address in `{line}`"))? })
    }

    /// Ends the server in order.
    fn stop(mut self) -> Result<(), Failure> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        fails(!self.child.wait()?.success(), "the server did not end in order")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a request of one row, each input in the middle of its range.
async fn question(address: SocketAddr) -> Result<Vec<u8>, Failure> {
    let (_, body) = ask(address, b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let models: Value = serde_json::from_slice(&body)?;
    let inputs = models["models"][0]["inputs"].as_array().ok_or("no inputs")?;
    let middle = |input: &Value| -> Option<(String, Value)> {
        let range = [input["range"][0].as_f64()?, input["range"][1].as_f64()?];
        Some((input["name"].as_str()?.to_owned(), json!(0.5 * (range[0] + range[1]))))
    };
    let row: Map<String, Value> = inputs.iter().filter_map(middle).collect();
    let body = json!({ "rows": [row] }).to_string();
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    Ok(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// Asks once on a connection of its own.
async fn ask(address: SocketAddr, request: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    exchange(&mut stream, request, &mut Vec::new()).await.ok_or_else(|| "the connection broke off".into())
}

/// Tells how long one answer takes when nobody else asks, on one kept connection.
async fn alone(address: SocketAddr, request: &[u8]) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut took, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..2000 {
        let begin = Instant::now();
        exchange(&mut stream, request, &mut bytes).await.ok_or("the connection broke off")?;
        took.push(begin.elapsed());
    }
    println!("one after another: {}", quantiles(took));
    Ok(())
}

/// Sends a request and reads its whole answer; `None` where the connection broke off.
async fn exchange(stream: &mut TcpStream, request: &[u8], bytes: &mut Vec<u8>) -> Option<(u16, Vec<u8>)> {
    stream.write_all(request).await.ok()?;
    bytes.clear();
    loop {
        if let Some(answer) = answer(bytes) {
            return Some(answer);
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn answer(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    let body = bytes[end + 4..].get(..length)?;
    Some((head.get(9..12)?.parse().ok()?, body.to_vec()))
}

/// Sends requests at a rate [1/s] for a time [s] over so many connections, and returns every answer.
async fn load(server: &Server, request: &[u8], (rate, seconds): (f64, f64), connections: f64) -> Vec<Answer> {
    let n = (rate * seconds) as usize;
    let (due, dues) = mpsc::unbounded_channel();
    let metronome = thread::spawn(move || beat(&due, rate, n));
    let (answer, mut answers) = mpsc::unbounded_channel();
    let dues = Arc::new(Mutex::new(dues));
    let askers: Vec<_> = (0..connections as usize)
        .map(|_| tokio::spawn(ask_on(server.address, request.to_vec(), Arc::clone(&dues), answer.clone())))
        .collect();
    drop(answer);
    let mut all = Vec::with_capacity(n);
    let limit = tokio::time::sleep(Duration::from_secs_f64(seconds) + PATIENCE);
    tokio::pin!(limit);
    loop {
        tokio::select! {
            one = answers.recv() => match one { Some(one) => all.push(one), None => break },
            () = &mut limit => break,
        }
    }
    askers.iter().for_each(tokio::task::JoinHandle::abort);
    let _ = metronome.join();
    all
}

/// Tells when each request is due; those that are due already together.
fn beat(due: &mpsc::UnboundedSender<Instant>, rate: f64, n: usize) {
    let begin = Instant::now();
    for idx in 0..n {
        let at = begin + Duration::from_secs_f64(idx as f64 / rate);
        if let Some(rest) = at.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            thread::sleep(rest);
        }
        if due.send(at).is_err() {
            return;
        }
    }
}

/// Asks on one connection, again and again, whatever is due next; a connection that ends is made anew.
async fn ask_on(
    address: SocketAddr,
    request: Vec<u8>,
    dues: Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>,
    answers: mpsc::UnboundedSender<Answer>,
) {
    let (mut kept, mut bytes) = (None, Vec::new());
    loop {
        let next = dues.lock().await.recv().await;
        let Some(due) = next else { return };
        let begin = Instant::now();
        if kept.is_none() {
            kept = TcpStream::connect(address).await.ok().filter(|s| s.set_nodelay(true).is_ok());
        }
        let answered = match &mut kept {
            Some(stream) => exchange(stream, &request, &mut bytes).await.map_or(BROKEN, |(status, _)| status),
            None => BROKEN,
        };
        let closes = bytes.windows(17).any(|w| w.eq_ignore_ascii_case(b"connection: close"));
        if answered == BROKEN || closes {
            kept = None;
        }
        let (due, sent) = (due.elapsed(), begin.elapsed());
        if answers.send(Answer { status: answered, due, sent }).is_err() {
            return;
        }
    }
}

/// Prints what became of the requests and returns how many had each status.
fn report(name: &str, rate: f64, answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_insert(0) += 1;
    }
    let shown: Vec<String> = counts.iter().map(|(status, n)| format!("{n} x {status}")).collect();
    println!("{name}, {rate} requests/s: {} answers: {}", answers.len(), shown.join(", "));
    let good = || answers.iter().filter(|a| a.status == 200);
    println!("  200, since due:  {}", quantiles(good().map(|a| a.due).collect()));
    println!("  200, since sent: {}", quantiles(good().map(|a| a.sent).collect()));
    counts
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |q: f64| {
        times
            .get((q * (times.len() as f64 - 1.0)).round() as usize)
            .map_or(f64::NAN, |t| 1e3 * t.as_secs_f64())
    };
    format!(
        "p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, max {:.3} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}

/// Prints the server's memory now and then.
async fn watch(id: u32) {
    let (mut looks, mut n) = (tokio::time::interval(LOOK), 0_u64);
    loop {
        looks.tick().await;
        if n.is_power_of_two() || n.is_multiple_of(60) {
            println!("  memory after {n} s: {}", memory_of(id));
        }
        n += 1;
    }
}

fn memory_of(id: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("unknown");
    line.trim().to_owned()
}

fn fails(failed: bool, message: &str) -> Result<(), Failure> {
    if failed { Err(message.into()) } else { Ok(()) }
}
