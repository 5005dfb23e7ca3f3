//! `fadecast datasets` and `fadecast devices`, end to end: what goes in, what is shown, what is on the disk.

use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::program::{Program, fixture, real_data, run_in, words};

/// Number of discharges, first and last capacity [Ah] by `scipy.io.loadmat`, first discharge at or below 1.4 Ah.
const CLASSIC: [(&str, u64, f64, f64, Option<u64>); 4] = [
    ("B0005", 168, 1.856_487_420_818_157_4, 1.325_079_328_642_935_6, Some(125)),
    ("B0006", 168, 2.035_337_591_005_598, 1.185_675_232_792_935_6, Some(109)),
    ("B0007", 168, 1.891_052_295_390_79, 1.432_455_272_062_543_4, None),
    ("B0018", 132, 1.855_004_520_791_081_7, 1.341_051_440_640_485, Some(97)),
];

fn with_fixture() -> Program {
    let program = Program::new();
    let done = program.run(&words(
        "datasets import nasa --name small --quiet --licence mine",
        &[fixture("mat/nasa_z.mat")],
    ));
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    program
}

/// Compares with a number computed elsewhere; JSON is read to the last digit but one.
fn assert_near(found: &Value, expected: f64) {
    assert!((found.as_f64().unwrap() - expected).abs() < 1e-14 * expected, "{found} {expected}");
}

#[test]
fn an_import_is_listed_shown_and_checked() {
    let program = with_fixture();
    let list = program.json(&["datasets", "list"]);
    assert_eq!((&list[0]["name"], &list[0]["licence_note"]), (&json!("small"), &json!("mine")));
    let bytes = std::fs::metadata(fixture("mat/nasa_z.mat")).unwrap().len();
    assert_eq!(list[0]["sources"][0]["bytes"], bytes);
    let shown = program.json(&["datasets", "show", "small"]);
    let cell = &shown["cells"][0];
    assert_eq!(cell["records"], json!({"charge": 1, "discharge": 2, "impedance": 1}));
    assert_eq!(cell["discharges"], 2);
    assert_near(&cell["first_capacity_ah"], CLASSIC[0].2);
    let checked = program.json(&["datasets", "check", "small"]);
    assert_eq!(checked["totals"]["discharges"], 2);
    for verb in ["list", "show small", "check small"] {
        let done = program.run(&words(&format!("datasets {verb}"), &[]));
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{verb}");
        assert!(done.out.contains("small"), "{verb}: {}", done.out);
    }
    assert!(program.run(&["datasets", "show", "small"]).out.contains("1.856487"));
    assert!(program.run(&["datasets", "check", "small"]).out.contains("nothing is dropped"));
}

#[test]
fn a_simulated_fleet_is_a_dataset_with_every_cycle_recorded() {
    let program = Program::new();
    let simulate =
        "datasets simulate fleet --cells 4 --cycles 5 --chemistry lfp,lithium_garnet_nmc --samples 40";
    let manifest = program.json(&words(simulate, &[]));
    let ids: Vec<&str> =
        manifest["cells"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["SIM-LFP-01", "SIM-LFP-02", "SIM-SSB-01", "SIM-SSB-02"]);
    for cell in manifest["cells"].as_array().unwrap() {
        assert_eq!((&cell["records"]["charge"], &cell["records"]["discharge"]), (&json!(5), &json!(5)));
        assert_eq!(cell["facts"]["synthetic"], true);
        assert!(cell["facts"]["group"].is_string() && cell["facts"]["cycle_life"].is_null(), "{cell}");
    }
    assert!(program.run(&["datasets", "show", "fleet"]).out.contains("synthetic"));
    assert!(program.run(&words(simulate, &[])).err.contains("exists already"));
    let again = program.json(&words(&format!("{simulate} --replace"), &[]));
    let tables = |manifest: &Value| {
        manifest["cells"].as_array().unwrap().iter().map(|c| c["tables"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(tables(&again), tables(&manifest), "equal seeds give equal bytes");
    let other = program.json(&words(&format!("{simulate} --replace --seed 1"), &[]));
    assert_ne!(tables(&other), tables(&manifest));
    for (flags, reason) in
        [("--cells 0", "n_cells"), ("--chemistry lead", "no chemistry"), ("--samples 1", "samples")]
    {
        let done = program.run(&words(&format!("datasets simulate bad {flags}"), &[]));
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains(reason), "{done:?}");
        assert!(!program.root().join("datasets/bad").exists());
    }
}

#[test]
fn a_name_is_refused_added_to_and_replaced_as_told() {
    let program = with_fixture();
    let again = |flags: &str| {
        program.run(&words(&format!("datasets import nasa --name small {flags}"), &[fixture("mat/nasa.mat")]))
    };
    let before = program.files();
    let refused = again("");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("--add") && refused.err.contains("--replace"), "{}", refused.err);
    let added = again("--add");
    assert!(added.code == 1 && added.err.contains("takes new cells only"), "{}", added.err);
    assert_eq!(program.files(), before);
    assert_eq!(again("--replace --eol-soh 0.6").code, 0);
    assert_eq!(program.files(), before, "the same files, and no hidden ones");
    assert_eq!(program.json(&["datasets", "list"])[0]["cells"][0]["facts"]["eol_soh"], 0.6);
}

#[test]
fn the_same_source_gives_the_same_tables() {
    let hash = || {
        let manifest = with_fixture().json(&["datasets", "list"]);
        manifest[0]["cells"][0]["tables"].clone()
    };
    let first = hash();
    assert_eq!(first.as_object().unwrap().len(), 3);
    assert_eq!(first, hash());
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let program = with_fixture();
    for verb in ["datasets check small --all", "datasets list", "devices", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = run_in(program.root(), &words(verb, &[]), writer);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{verb}");
    }
}

#[test]
fn devices_has_a_line_for_each_backend() {
    let offers = Program::new().json(&["devices"]);
    let names: Vec<&Value> = offers.as_array().unwrap().iter().map(|o| &o["backend"]).collect();
    assert_eq!(names, ["flex", "ndarray", "wgpu"]);
    assert_eq!(offers[0]["usable"], true);
}

#[test]
fn nasa_shows_the_published_numbers_and_five_unusable_charges() {
    let paths = CLASSIC.map(|c| real_data(&format!("nasa-pcoe/mat/{}.mat", c.0)));
    let Some(paths) = paths.into_iter().collect::<Option<Vec<_>>>() else { return };
    let program = Program::new();
    let manifest = program.json(&words("datasets import nasa --name nasa-pcoe", &paths));
    // By coreutils' sha256sum.
    let b0005 = "d0062b3dee02b679c588eb51beedefeaadf9044c0e00852ae42b817b94197199";
    assert_eq!(manifest["sources"][0]["sha256"], b0005);
    let shown = program.json(&["datasets", "show", "nasa-pcoe"]);
    for (cell, (name, n, first, last, eol)) in shown["cells"].as_array().unwrap().iter().zip(CLASSIC) {
        assert_eq!((&cell["cell"], &cell["discharges"]), (&json!(name), &json!(n)));
        assert_near(&cell["first_capacity_ah"], first);
        assert_near(&cell["last_capacity_ah"], last);
        assert_eq!(cell["eol_cycle"], json!(eol), "{name}");
    }
    let checked = program.json(&["datasets", "check", "nasa-pcoe"]);
    let unusable = checked["findings"].as_array().unwrap().iter().filter(|f| f["rule"] == "unusable_charge");
    let found: Vec<_> =
        unusable.map(|f| (f["cell"].as_str().unwrap(), f["record"].as_u64().unwrap())).collect();
    let expected = [("B0005", 84), ("B0006", 84), ("B0007", 84), ("B0018", 115), ("B0018", 139)];
    assert_eq!(found, expected);
}

#[test]
fn nasa_csv_has_25_unparsable_capacities_and_53_aborted_discharges() {
    let names = ["nasa-pcoe/per-record-csv-22-cells.tar.zst", "nasa-pcoe/metadata.csv"];
    let Some(paths) = names.map(real_data).into_iter().collect::<Option<Vec<_>>>() else { return };
    let program = Program::new();
    assert_eq!(program.run(&words("datasets import nasa-csv --quiet --name nasa-csv", &paths)).code, 0);
    let checked = program.json(&["datasets", "check", "nasa-csv"]);
    let by_rule = &checked["by_rule"];
    assert_eq!((&by_rule["unparsable_capacity"], &by_rule["aborted_discharge"]), (&json!(25), &json!(53)));
    let text = program.run(&["datasets", "check", "nasa-csv"]).out;
    assert!(text.contains("--all prints them"), "{text}");
}

#[test]
fn xjtu_tables_are_180_cells_with_16_inputs_and_a_label() {
    let Some(path) = real_data("partial-charge-features/xjtu-mit.tar.zst") else { return };
    let program = Program::new();
    let manifest = program.json(&words("datasets import xjtu --name xjtu", &[path]));
    assert_eq!(manifest["cells"].as_array().unwrap().len(), 55 + 125);
    let shown = program.json(&["datasets", "show", "xjtu"]);
    // Rows, first and last value of the column `capacity` of `XJTU data/2C_battery-1.csv`.
    let cell = shown["cells"].as_array().unwrap().iter().find(|c| c["cell"] == "2C_battery-1").unwrap();
    assert_eq!(cell["input_rows"], 375);
    assert_near(&cell["first_capacity_ah"], 1.9);
    assert_near(&cell["last_capacity_ah"], 1.592);
}

/// Returns a zip of a zip with NASA's fixture, as NASA publishes its cells.
fn published(comment: &str) -> Vec<u8> {
    let zip = |name: &str, bytes: &[u8]| {
        let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
        out.set_comment(comment).unwrap();
        out.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(bytes).unwrap();
        out.finish().unwrap().into_inner()
    };
    zip("5. Battery/1. Cells.zip", &zip("B0005.mat", &std::fs::read(fixture("mat/nasa_z.mat")).unwrap()))
}

/// Serves each content to one connection, whole; returns the address.
fn serve(contents: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/cells.zip", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for content in contents {
            let mut stream = listener.accept().unwrap().0;
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            assert!(lines.take_while(|l| !l.is_empty()).count() > 0);
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content)).unwrap();
        }
    });
    url
}

#[test]
fn a_later_download_must_be_the_first_one() {
    let program = Program::new();
    let url = serve(vec![published("a"), published("b"), published("b"), published("a")]);
    let fetch =
        |flags: &str| program.run(&words(&format!("datasets fetch nasa-pcoe --url {url} {flags}"), &[]));
    let first = fetch("");
    assert_eq!(first.code, 0, "{}", first.err);
    let before = program.files();
    let other = fetch("--replace");
    assert_eq!(other.code, 1);
    assert!(other.err.contains("SHA-256"), "{}", other.err);
    assert_eq!(program.files(), before);
    // 64 zeros are nobody's hash.
    assert_eq!(fetch(&format!("--name pinned --sha256 {}", "0".repeat(64))).code, 1);
    assert_eq!(program.files(), before);
    assert_eq!(fetch("--name same").code, 0);
    assert_eq!(program.json(&["datasets", "show", "same"])["totals"]["discharges"], 2);
}
