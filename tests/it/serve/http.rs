//! A plain HTTP client that may break every rule, and the server as a person runs it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::program::run_in;

/// Longest wait for an answer; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A small experiment on simulated cells: its run is served in every test.
const SMALL: &str = "kind = \"capacity\"\ncells = [\"SIM-NMC-01\", \"SIM-NMC-02\", \"SIM-NMC-03\"]\n\
    [inputs]\ndescriptors = [\"charge_throughput\", \"charge_cv_duration\", \"history_cycle_count\"]\n\
    [model]\nkind = \"dense\"\nhidden = [8]\n[train]\nepochs = 5\nmembers = 2\n";

/// A server of its own process, killed when dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// Returns a root with one trained run, made once for all tests.
pub(super) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve");
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        let file = root.join("small.toml");
        std::fs::write(&file, SMALL).unwrap();
        let done = run_in(&root, &["train".as_ref(), file.as_os_str(), "--quiet".as_ref()], Stdio::piped());
        assert_eq!(done.code, 0, "{done:?}");
        root
    })
}

/// Returns the run's folder.
pub(super) fn run_folder() -> PathBuf {
    let runs = std::fs::read_dir(root().join("models/small")).unwrap().map(|e| e.unwrap().path());
    runs.filter(|p| p.join("artifact.json").exists()).max().expect("the run that was trained")
}

/// Copies a folder with all that is in it.
pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Server {
    /// Starts a server of the run that all tests share.
    pub(super) fn start(flags: &str) -> Self {
        Self::of(root(), &["models/small/latest"], flags)
    }

    /// Starts a server of `runs` below a root; it must come up.
    pub(super) fn of(root: &Path, runs: &[&str], flags: &str) -> Self {
        let mut child = command(root, runs, flags).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, err) = (Arc::clone(&said), child.stderr.take().unwrap());
        let listener = std::thread::spawn(move || {
            let all = BufReader::new(err).lines().map_while(Result::ok);
            all.for_each(|line| lines.lock().unwrap().push_str(&format!("{line}\n")));
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let Some(address) = first.trim().strip_prefix("http://").and_then(|a| a.parse().ok()) else {
            let _ = child.kill();
            listener.join().unwrap();
            panic!("no address in {first:?}: {}", said.lock().unwrap());
        };
        Self { child, address, said, listener: Some(listener) }
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes as they are and returns all that comes back until the server closes.
    pub(super) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // A server that has refused need not read on.
        let _ = stream.write_all(request);
        rest(&mut stream)
    }

    /// Sends a request and returns its answer.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let headers: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.address
        );
        let bytes = self.raw(&[head.as_bytes(), body].concat());
        Answer::of(&bytes).unwrap_or_else(|| panic!("no answer to {method} {path}: {bytes:?}"))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    pub(super) fn post_json(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &["Content-Type: application/json"], body.as_bytes())
    }

    /// Asks a good question and checks the answer: the server lives.
    pub(super) fn is_well(&self) {
        let answer = self.post_json("/v1/predict", GOOD);
        assert_eq!(answer.status, 200, "{answer:?}");
        let soh = &answer.json()["answers"][0]["soh"];
        assert!(soh.as_f64().is_some_and(|v| (0.2..2.0).contains(&v)), "{soh}");
    }

    /// Checks that the server runs and says that it is ready.
    pub(super) fn is_alive(&self) {
        assert_eq!(self.get("/ready").status, 200);
    }

    /// Returns the largest memory that the server ever used [bytes]; `None` where the system does not tell.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
        Some(1024 * line.split_whitespace().nth(1)?.parse::<u64>().ok()?)
    }

    /// Returns the lines that the server has said.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        let said = self.said();
        assert!(std::thread::panicking() || !said.contains("panicked"), "{said}");
    }
}

/// A row that every server of [`Server::start`] answers.
pub(super) const GOOD: &str =
    r#"{"rows":[{"charge_throughput":2.9,"charge_cv_duration":1800,"history_cycle_count":100}]}"#;

impl Answer {
    /// Returns the first answer in `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let mut answer = Self { status, head, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            answer.body = unchunked(&answer.body)?;
        }
        Some(answer)
    }

    /// Returns a header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Returns the message of a refusal, which must have the one form of all refusals.
    pub(super) fn refusal(&self) -> String {
        let error = &self.json()["error"];
        assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{self:?}");
        error["message"].as_str().unwrap_or_else(|| panic!("no message: {self:?}")).to_owned()
    }
}

/// Returns the command that serves `runs` on a free port.
pub(super) fn command(root: &Path, runs: &[&str], flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fadecast"));
    command.arg("serve").args(runs).args(["--listen", "127.0.0.1:0"]).args(flags.split_whitespace());
    command.env("FADECAST_ROOT", root).env_remove("FADECAST_TOKEN");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Reads until the server closes, or resets, the connection.
pub(super) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return bytes,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server neither answers nor closes")
            }
            Err(_) => return bytes,
        }
    }
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|w| w == b"\r\n")?;
        let n = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        if n == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(end + 2..end + 2 + n)?);
        bytes = bytes.get(end + 4 + n..)?;
    }
}
