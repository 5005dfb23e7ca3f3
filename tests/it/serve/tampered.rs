//! Run folders that were changed behind the server's back: not served, and who is served already goes on.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::http::{Server, command, copy_folder, root, run_folder};
use crate::program::files_below;

/// A root of its own with a copy of the run, which may be spoilt.
struct Copy {
    folder: tempfile::TempDir,
    run: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("models/small").join(run_folder().file_name().unwrap());
        copy_folder(&run_folder(), &run);
        Self { folder, run }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a server that must not come up, and returns what it says.
    fn is_refused(&self) -> String {
        let mut child = command(self.root(), &["models/small/latest"], "").spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        if !address.is_empty() {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(address, "", "it is served: {said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: ") && !said.contains("panicked"), "{said}");
        said
    }

    fn file(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    /// Changes a file and makes the manifest state the hash of the new bytes, as a skilled attacker would.
    fn forge(&self, name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
        let old = std::fs::read(self.file(name)).unwrap();
        let new = change(old.clone());
        std::fs::write(self.file(name), &new).unwrap();
        let hash = |bytes: &[u8]| fadecast::file::sha256_bytes(bytes);
        for path in files_below(&self.run).into_iter().filter(|p| p.extension().is_some_and(|e| e == "json"))
        {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replace(&hash(&old), &hash(&new))).unwrap();
        }
    }
}

fn manifest_files(copy: &Copy) -> Vec<String> {
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(copy.file("artifact.json")).unwrap()).unwrap();
    manifest["files"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_changed_file_is_not_served_and_named() {
    let names = manifest_files(&Copy::new());
    assert!(names.iter().any(|n| n.ends_with(".safetensors")), "{names:?}");
    for name in names {
        let copy = Copy::new();
        let mut bytes = std::fs::read(copy.file(&name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(copy.file(&name), bytes).unwrap();
        let said = copy.is_refused();
        assert!(said.contains(&name), "{name}: {said}");
        std::fs::remove_file(copy.file(&name)).unwrap();
        let said = copy.is_refused();
        assert!(said.contains(&name), "{name}: {said}");
    }
}

/// What is done to the bytes of a file.
type Change<'a> = Box<dyn Fn(Vec<u8>) -> Vec<u8> + 'a>;

#[test]
fn lying_offsets_are_refused_even_under_a_right_hash() {
    let weights = manifest_files(&Copy::new()).into_iter().find(|n| n.ends_with(".safetensors")).unwrap();
    let with_header = |bytes: &[u8], change: &dyn Fn(&str) -> String| {
        let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = change(std::str::from_utf8(&bytes[8..8 + n]).unwrap());
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + n..]].concat()
    };
    let first = |header: &str| {
        header.split("\"data_offsets\":[").nth(1).unwrap().split(']').next().unwrap().to_owned()
    };
    let offsets = |to: &'static str| move |header: &str| header.replacen(&first(header), to, 1);
    let shape = |header: &str| {
        let found = header.split("\"shape\":").nth(1).unwrap().split(']').next().unwrap().to_owned();
        header.replacen(&found, "[4294967296,4294967296", 1)
    };
    let changes: Vec<(&str, Change)> = vec![
        ("beyond the end", Box::new(|b| with_header(&b, &offsets("0,99999999")))),
        ("backwards", Box::new(|b| with_header(&b, &offsets("8,0")))),
        ("negative", Box::new(|b| with_header(&b, &offsets("-4,4")))),
        ("huge", Box::new(|b| with_header(&b, &offsets("0,18446744073709551615")))),
        ("a huge shape", Box::new(|b| with_header(&b, &shape))),
        ("a huge header", Box::new(|b| [&u64::MAX.to_le_bytes(), &b[8..]].concat())),
        ("no header", Box::new(|b| b[..4].to_vec())),
        ("half", Box::new(|b| b[..b.len() / 2].to_vec())),
        ("other type", Box::new(|b| with_header(&b, &|h| h.replacen("F32", "F16", 1)))),
    ];
    for (name, change) in changes {
        let copy = Copy::new();
        copy.forge(&weights, change);
        let said = copy.is_refused();
        assert!(said.contains(&weights) || said.contains("small"), "{name}: {said}");
    }
}

#[test]
fn a_forged_manifest_reaches_no_other_file() {
    for (from, to) in [
        ("weights.safetensors", "../../../../etc/passwd"),
        ("weights.safetensors", "/etc/passwd"),
        ("\"schema\": 1", "\"schema\": 99"),
    ] {
        let copy = Copy::new();
        let text = std::fs::read_to_string(copy.file("artifact.json")).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(copy.file("artifact.json"), text.replace(from, to)).unwrap();
        let said = copy.is_refused();
        assert!(!said.contains("root:"), "{said}");
    }
}

#[test]
fn a_tampered_promotion_is_refused_and_the_old_model_goes_on() {
    let copy = Copy::new();
    let first = copy.run.file_name().unwrap().to_str().unwrap().to_owned();
    let second = "20990101-000000-00000000";
    copy_folder(&copy.run, &copy.run.with_file_name(second));
    let weights = copy.run.with_file_name(second).join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert_ne!(root(), copy.root());
    let promote = |run: &str| {
        let run = format!("models/small/{run}");
        crate::program::run_in(copy.root(), &["models", "promote", &run], std::process::Stdio::piped())
    };
    assert_eq!(promote(&first).code, 0);
    let server = Server::of(copy.root(), &["small"], "");
    let served = |server: &Server| {
        server.post_json("/v1/predict", super::GOOD).json()["run"].as_str().unwrap().to_owned()
    };
    assert_eq!(served(&server), first);
    // A promotion checks what it promotes; whoever writes the file by hand goes around that.
    assert_ne!(promote(second).code, 0);
    let promoted = copy.root().join("models/small/promoted.json");
    let text = std::fs::read_to_string(&promoted).unwrap();
    std::fs::write(&promoted, text.replace(&first, second)).unwrap();
    let begin = Instant::now();
    while !server.said().contains(second) {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "nothing is said of the promotion: {}",
            server.said()
        );
        assert_eq!(served(&server), first);
    }
    assert_eq!(served(&server), first);
    assert!(server.get("/metrics").text().contains("result=\"refused\""));
}
