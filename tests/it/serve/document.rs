//! The commands that the documents show: each `sh` block with `curl` is run, and what it prints is as shown.
//!
//! Blocks run in order in one shell folder, against a server of the quickstart's model. A `text` or `json` block after a
//! command is its output: words with a digit in them match any other such word (figures, names of runs), a line `...`
//! any number of lines. Other `fadecast` lines are not run, but their verbs and flags must be there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::http::Server;
use crate::program::run_in;

/// Documents with commands of the server.
const DOCUMENTS: [&str; 2] = ["docs/serve.md", "README.md"];

/// Address that the documents write.
const WRITTEN: &str = "127.0.0.1:8080";

/// A fenced block: its language, its text, its first line in the document.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    language: String,
    text: String,
    line: usize,
}

#[test]
fn the_commands_of_the_documents_print_what_they_show() {
    if !has("curl") || !has("bash") {
        println!("skipped: curl or bash is missing");
        return;
    }
    let root = quickstart();
    let folder = tempfile::tempdir().unwrap();
    let mut n_run = 0;
    for document in DOCUMENTS {
        let blocks = blocks(&std::fs::read_to_string(repository().join(document)).unwrap());
        let server = Server::of(root, &["quickstart"], "");
        for (idx, block) in
            blocks.iter().enumerate().filter(|(_, b)| b.language == "sh" && b.text.contains("curl "))
        {
            if block.text.contains("https://") || block.text.contains("$TOKEN") {
                continue; // Needs another server; `a_token_is_asked_for_as_the_document_says` has one.
            }
            let shown = blocks.get(idx + 1).filter(|b| matches!(b.language.as_str(), "json" | "text"));
            let place = format!("{document}, line {}", block.line);
            let printed = shell(folder.path(), &block.text, &server.address.to_string(), &place);
            if let Some(shown) = shown {
                let shown = shown.text.replace(WRITTEN, &server.address.to_string());
                assert!(matches(&shown, &printed), "{place}\n--- shown\n{shown}\n--- printed\n{printed}");
            }
            n_run += 1;
        }
        server.is_alive();
    }
    assert!(n_run > 4, "only {n_run} blocks were found");
}

#[test]
fn a_token_is_asked_for_as_the_document_says() {
    if !has("curl") || !has("bash") {
        println!("skipped: curl or bash is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let token = "0123456789abcdef0123456789abcdef";
    std::fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
    let flags = format!("--token-file {}", folder.path().join("token").display());
    let server = Server::of(quickstart(), &["quickstart"], &flags);
    let blocks = blocks(&std::fs::read_to_string(repository().join("docs/serve.md")).unwrap());
    let with_token: Vec<&Block> =
        blocks.iter().filter(|b| b.text.contains("$TOKEN") && b.text.contains(WRITTEN)).collect();
    assert!(!with_token.is_empty(), "docs/serve.md shows no token");
    for block in with_token {
        let script = format!("TOKEN={token}\n{}", block.text);
        let printed =
            shell(folder.path(), &script, &server.address.to_string(), &format!("line {}", block.line));
        assert!(!printed.contains("\"error\""), "{printed}");
    }
    for path in ["/v1/models", "/v1/predict", "/metrics"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        assert!(answer.header("www-authenticate").is_some_and(|h| h.starts_with("Bearer")));
    }
    assert_eq!(
        server.ask("GET", "/v1/models", &[&format!("Authorization: Bearer {token}")], b"").status,
        200
    );
    assert_eq!(server.ask("GET", "/v1/models", &["Authorization: Bearer wrong"], b"").status, 401);
    assert_eq!(server.get("/").status, 200, "the page itself holds nothing and asks for the token");
}

#[test]
fn the_flags_of_the_documents_are_there() {
    let help = run_in(Path::new("."), &["serve", "--help"], Stdio::piped()).out;
    let text = std::fs::read_to_string(repository().join("docs/serve.md")).unwrap();
    let lines = blocks(&text).into_iter().filter(|b| b.language == "sh").flat_map(|b| {
        b.text.lines().filter(|l| l.contains("fadecast serve")).map(String::from).collect::<Vec<_>>()
    });
    let flags: Vec<String> = lines
        .flat_map(|l| {
            l.split_whitespace().filter(|w| w.starts_with("--")).map(String::from).collect::<Vec<_>>()
        })
        .collect();
    assert!(flags.len() > 1, "{flags:?}");
    let known = |flag: &str| help.contains(flag.split('=').next().unwrap());
    let unknown: Vec<&String> = flags.iter().filter(|f| !known(f)).collect();
    assert!(unknown.is_empty(), "`fadecast serve --help` says nothing of {unknown:?}");
    let limits = text.lines().filter_map(|l| l.strip_prefix("| `--")).filter_map(|l| l.split('`').next());
    let unknown: Vec<&str> =
        limits.filter(|f| !help.contains(&format!("--{}", f.split(' ').next().unwrap()))).collect();
    assert!(unknown.is_empty(), "`fadecast serve --help` says nothing of {unknown:?}");
}

#[test]
fn shown_output_matches_figures_and_nothing_else() {
    let printed = "{\n  \"run\": \"20260101-000000-0a1b2c3d\",\n  \"soh\": 0.91\n}\n";
    assert!(matches("{\n  \"run\": \"20270203-111111-ffffffff\",\n  \"soh\": 1e-3\n}", printed));
    assert!(matches("{\n...\n}", printed) && matches("...\n  \"soh\": 2\n...", printed));
    for other in
        ["{\n  \"run\": \"2\",\n  \"soc\": 0.91\n}", "{\n}", "...\n  \"soh\": null\n...", "{\n...\n]"]
    {
        assert!(!matches(other, printed), "{other}");
    }
    let text = "a\n```sh\ncurl x\n```\nb\n\n```json\n{}\n```\n";
    let found = blocks(text);
    assert_eq!(found[0], Block { language: "sh".into(), text: "curl x\n".into(), line: 2 });
    assert_eq!((found.len(), found[1].language.as_str()), (2, "json"));
}

/// Returns a root with a run of the quickstart, trained for few epochs: its form counts here, not how good it is.
fn quickstart() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve_document");
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        let words = ["train", "--quiet", "--set", "train.epochs=6", "--set", "train.members=1"];
        let done = run_in(&root, &words, Stdio::piped());
        assert_eq!(done.code, 0, "{done:?}");
        root
    })
}

/// Runs a script and returns what it prints; it must succeed.
fn shell(folder: &Path, script: &str, address: &str, place: &str) -> String {
    let script = script.replace(WRITTEN, address);
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script]).current_dir(folder).stdin(Stdio::null());
    bash.env_remove("http_proxy").env_remove("HTTP_PROXY").env("NO_PROXY", "*");
    let output = bash.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{place}\n{script}\n{printed}\n{problem}");
    printed
}

/// Returns the fenced blocks of a Markdown text.
fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (idx, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                found.push(Block { language: language.trim().into(), text: String::new(), line: idx + 1 });
            }
            None if open => {
                let block = found.last_mut().expect("a block is open");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    found
}

/// Returns whether what was printed is as shown, but for figures and lines that were left out.
fn matches(shown: &str, printed: &str) -> bool {
    let masked =
        |text: &str| -> Vec<String> { text.trim().lines().map(|line| mask(line.trim_end())).collect() };
    fits(&masked(shown), &masked(printed))
}

fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, others)) if line.trim() == "..." => {
            (0..=printed.len()).any(|n| fits(others, &printed[n..]))
        }
        Some((line, others)) => printed.first() == Some(line) && fits(others, &printed[1..]),
    }
}

/// Returns a line with `#` for each word that has a digit in it.
fn mask(line: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    let mut masked = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let n = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(c.len_utf8());
        let word = &rest[..n];
        masked.push_str(if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word });
        rest = &rest[n..];
    }
    masked
}

fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
