//! Bad input: a clear error, the right exit code, no panic, nothing half-written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::{Program, files_below, fixture, run_in, words};

/// A file of the given content in a folder of its own.
fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Imports a file that must be refused with exit code 1, and returns the message.
fn refused(format: &str, path: &Path) -> String {
    let program = Program::new();
    let done = program.run(&words(&format!("datasets import {format} --name bad --quiet"), &[path.into()]));
    assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
    assert!(done.err.starts_with("error: "), "{}", done.err);
    assert_eq!(program.files(), Vec::<PathBuf>::new(), "nothing is written");
    done.err
}

fn fixture_bytes() -> Vec<u8> {
    std::fs::read(fixture("mat/nasa_z.mat")).unwrap()
}

#[test]
fn a_cut_mat_file_names_itself() {
    let bytes = fixture_bytes();
    for eighths in 0..8 {
        let (_folder, path) = file("cut.mat", &bytes[..bytes.len() * eighths / 8]);
        let message = refused("nasa", &path);
        assert!(message.contains("cut.mat"), "{message}");
    }
}

#[test]
fn a_flipped_bit_is_refused_or_harmless_but_never_a_panic() {
    let bytes = fixture_bytes();
    let mut n_refused = 0;
    for position in (128..bytes.len()).step_by(bytes.len() / 24) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x10;
        let (_folder, path) = file("flipped.mat", &flipped);
        let program = Program::new();
        let done = program.run(&words("datasets import nasa --name bad --quiet", &[path]));
        assert!(matches!(done.code, 0 | 1), "{done:?}");
        if done.code == 1 {
            n_refused += 1;
            assert!(done.err.contains("flipped.mat"), "{}", done.err);
            assert_eq!(program.files(), Vec::<PathBuf>::new());
        }
    }
    // zlib checks all but its own padding.
    assert!(n_refused > 20, "{n_refused}");
}

#[test]
fn what_is_no_cell_is_said_to_be_none() {
    let message = refused("nasa", &fixture("mat/types.mat"));
    assert!(message.contains("no cell in") && message.contains("types.mat"), "{message}");
    let (_folder, text) = file("B0005.mat", "this is a text and no MATLAB file. ".repeat(10).as_bytes());
    assert!(refused("nasa", &text).contains("is no MATLAB file"));
    assert!(refused("nasa", Path::new("no/such/file.mat")).contains("no/such/file.mat"));
}

#[test]
fn an_empty_or_wrong_csv_names_what_is_missing() {
    let (_folder, empty) = file("empty.csv", b"");
    for format in ["bdf", "arbin", "nasa-flat", "xjtu"] {
        assert!(refused(format, &empty).contains("empty.csv"), "{format}");
    }
    let (_folder, wrong) = file("wrong.csv", b"apples,pears\n1,2\n3,4\n");
    for format in ["bdf", "arbin", "nasa-flat", "xjtu"] {
        let message = refused(format, &wrong);
        assert!(message.contains("wrong.csv") && message.contains("apples"), "{format}: {message}");
    }
    assert!(refused("csv", &wrong).contains("--map"));
    assert!(refused("severson", &wrong).contains("cycles-2-100"));
    assert!(refused("formation", &wrong).contains("lacks `Formation_2022-Parameter*.csv`"));
    assert!(refused("matr", &wrong).contains("no cell in"));
}

#[test]
fn a_wrong_command_is_2_and_what_is_not_there_is_1() {
    let program = Program::new();
    let nasa = [fixture("mat/nasa_z.mat")];
    assert_eq!(program.run(&words("datasets import nasa --quiet --name known", &nasa)).code, 0);
    for (command, code, said) in [
        ("datasets import nasaa --name x", 2, "nasa"),
        ("datasets import nasa --name x --nosuch", 2, "--nosuch"),
        ("datasets import nasa", 2, "--name"),
        ("datasets import nasa --name ../x", 2, "no dataset name"),
        ("datasets import nasa --name x --eol-soh 80", 2, "between 0 and 1"),
        ("datasets import nasa --name x --add --replace", 2, "--replace"),
        ("datasets import nasa --name x --cells B9999", 1, "B9999"),
        ("datasets import nasa --name known", 1, "exists already"),
    ] {
        let done = program.run(&words(command, &nasa));
        assert_eq!(done.code, code, "{command}: {}", done.err);
        assert!(done.err.contains(said), "{command}: {}", done.err);
        assert!(!program.root().join("datasets/x").exists(), "{command}");
    }
    for (command, code, said) in [
        ("datasets show nosuch", 1, "there are known"),
        ("datasets check nosuch", 1, "`nosuch`"),
        ("datasets nosuch", 2, "nosuch"),
        ("datasets fetch nosuch", 2, "nasa-pcoe"),
        ("datasets fetch nasa-pcoe --sha256 12", 2, "64 hexadecimal"),
        ("nosuch", 2, "nosuch"),
        ("", 2, "Usage"),
    ] {
        let done = program.run(&words(command, &[]));
        assert_eq!(done.code, code, "{command}: {}", done.err);
        assert!(done.err.contains(said), "{command}: {}", done.err);
    }
}

#[test]
fn a_dataset_that_was_changed_is_not_trusted() {
    let program = Program::new();
    let import = words("datasets import nasa --quiet --replace --name d", &[]);
    let nasa = fixture("mat/nasa_z.mat");
    let import: Vec<_> = import.into_iter().chain([nasa.as_os_str()]).collect();
    let spoil = |file: &str, change: fn(Vec<u8>) -> Vec<u8>| {
        assert_eq!(program.run(&import).code, 0);
        let path = program.files().into_iter().find(|p| p.to_string_lossy().ends_with(file)).unwrap();
        std::fs::write(&path, change(std::fs::read(&path).unwrap())).unwrap();
        let done = program.run(&["datasets", "show", "d"]);
        assert_eq!(done.code, 1, "{file}: {done:?}");
        done.err
    };
    let flip = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    assert!(spoil("samples.parquet", flip).contains("samples.parquet"));
    assert!(spoil("manifest.json", |b| b[..b.len() / 2].into()).contains("manifest.json"));
    let other =
        |b: Vec<u8>| String::from_utf8(b).unwrap().replace("\"schema\": 1", "\"schema\": 99").into_bytes();
    assert!(spoil("manifest.json", other).contains("layout 99"));
    assert_eq!(program.run(&import).code, 0, "a damaged dataset can be replaced");
}

/// A small file system in memory, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Returns `None`, and says so, where this process may not mount.
    fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        if mount.status().is_ok_and(|s| s.success()) {
            return Some(Self(folder));
        }
        println!("not run: mounting a tmpfs is not permitted here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_read_only_folder_is_said_to_be_one() {
    let Some(disk) = SmallDisk::mount("ro,size=1m") else { return };
    let nasa = [fixture("mat/nasa_z.mat")];
    let done = run_in(disk.0.path(), &words("datasets import nasa --quiet --name a", &nasa), Stdio::piped());
    assert_eq!(done.code, 1);
    assert!(done.err.contains("cannot write") && done.err.contains("Read-only"), "{}", done.err);
}

#[test]
fn a_full_disk_leaves_nothing_and_the_old_dataset_as_it_was() {
    let Some(disk) = SmallDisk::mount("size=128k") else { return };
    let root = disk.0.path();
    let nasa = [fixture("mat/nasa_z.mat")];
    let import = |flags: &str| {
        let command = format!("datasets import nasa --quiet {flags}");
        run_in(root, &words(&command, &nasa), Stdio::piped())
    };
    assert_eq!(import("--name old").code, 0);
    let filler = root.join("filler");
    let mut size = 128 << 10;
    while size >= 4096 {
        if std::fs::write(&filler, vec![1; size]).is_ok() {
            break;
        }
        size -= 4096;
    }
    let before = files_below(root);
    for flags in ["--name new", "--name old --replace"] {
        let done = import(flags);
        assert_eq!(done.code, 1, "{flags}: {done:?}");
        assert!(done.err.contains("cannot write") && done.err.contains("No space left"), "{}", done.err);
        assert_eq!(files_below(root), before, "{flags}");
    }
    let shown = run_in(root, &["datasets", "show", "old"], Stdio::piped());
    assert_eq!(shown.code, 0, "{}", shown.err);
}
