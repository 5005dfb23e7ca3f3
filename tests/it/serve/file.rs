//! Uploaded files, raw and tables, and the page that draws them.

use serde_json::Value;

use super::http::{Answer, Server};
use crate::program::{fixture, real_data};

const TABLE: &str = "cell,cycle,charge_throughput,charge_cv_duration,history_cycle_count\n\
    A,10,2.9,1800,10\nA,20,2.8,1900,20\nB,10,99,,10\n";

fn upload(server: &Server, query: &str, name: &str, bytes: &[u8]) -> Answer {
    let headers = ["Content-Type: application/octet-stream", &format!("X-File-Name: {name}")];
    server.ask("POST", &format!("/v1/forecast{query}"), &headers, bytes)
}

fn rows(cell: &Value) -> &Vec<Value> {
    cell["rows"].as_array().unwrap_or_else(|| panic!("no rows in {cell}"))
}

#[test]
fn a_table_is_answered_cell_by_cell() {
    let server = Server::start("");
    let answer = upload(&server, "", "inputs.csv", TABLE.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let cells = answer["cells"].as_array().unwrap();
    assert_eq!((cells[0]["cell"].as_str(), cells[1]["cell"].as_str()), (Some("A"), Some("B")));
    assert_eq!((rows(&cells[0]).len(), rows(&cells[1]).len(), cells.len()), (2, 1, 2));
    assert_eq!((&rows(&cells[0])[1]["cycle"], &answer["output"]["kind"]), (&20.into(), &"soh".into()));
    let same = server.post_json(
        "/v1/predict",
        r#"{"rows":[{"charge_throughput":2.8,"charge_cv_duration":1900,"history_cycle_count":20}]}"#,
    );
    assert_eq!(rows(&cells[0])[1]["answer"], same.json()["answers"][0]["soh"]);
    let doubtful = &rows(&cells[1])[0]["warnings"];
    assert!(
        doubtful.to_string().contains("charge_throughput")
            && doubtful.to_string().contains("charge_cv_duration"),
        "{doubtful}"
    );
}

#[test]
fn a_raw_file_is_answered_discharge_by_discharge() {
    let server = Server::start("");
    let bytes = std::fs::read(fixture("mat/nasa_z.mat")).unwrap();
    for query in ["", "?format=nasa", "?model=small&format=nasa&level=0.8"] {
        let answer = upload(&server, query, "B%30005.mat", &bytes);
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        assert_eq!(answer["format"], "nasa");
        let cell = &answer["cells"][0];
        let first = &rows(cell)[0];
        // Stated in the file, whose cell has no name that NASA's notes know, and so the reference of the run.
        let stated = first["measured"].as_f64().unwrap() * cell["reference_ah"].as_f64().unwrap();
        assert!((stated - 1.856_487_420_818_157_4).abs() < 1e-12, "{first}");
        assert!(
            first["lower"].as_f64() <= first["answer"].as_f64() && first["answer"].is_number(),
            "{first}"
        );
        assert_eq!(cell["synthetic"], false);
    }
}

#[test]
fn nasa_s_cell_has_its_168_discharges() {
    let Some(path) = real_data("nasa-pcoe/mat/B0005.mat") else { return };
    let server = Server::start("--timeout 60");
    let answer = upload(&server, "", "B0005.mat", &std::fs::read(path).unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let cell = &answer["cells"][0];
    // The file ends with a charge: what the discharge after it would give is answered, too.
    let measured = rows(cell).iter().filter(|row| row["measured"].is_number()).count();
    assert_eq!((measured, rows(cell).len()), (168, 169));
    assert_eq!((cell["cell"].as_str(), cell["end_of_life"].as_f64()), (Some("B0005"), Some(0.7)));
    let unlike = answer["warnings"].to_string();
    assert!(unlike.contains("synthetic"), "a model of synthetic cells says so of real ones: {unlike}");
}

#[test]
fn what_is_no_file_of_a_cell_says_what_it_is_instead() {
    let server = Server::start("");
    let mat = std::fs::read(fixture("mat/nasa_z.mat")).unwrap();
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    let cases: [(&str, &str, Vec<u8>, &str); 10] = [
        ("", "x.csv", b"apples,pears\n1,2\n".to_vec(), "charge_throughput"),
        ("", "x.bin", vec![0, 1, 2, 3], "format"),
        ("?format=nasa", "x.mat", mat[..mat.len() / 2].to_vec(), "x.mat"),
        ("?format=nasa", "x.mat", b"no MATLAB".repeat(40), "x.mat"),
        ("?format=bdf", "x.csv", b"apples,pears\n1,2\n".to_vec(), "apples"),
        ("?format=nosuch", "x.csv", TABLE.into(), "nosuch"),
        ("?format=inputs", "x.csv", TABLE.into(), "inputs"),
        ("", "x.csv.gz", gzip, "unpack"),
        ("", "x.csv", Vec::new(), "empty"),
        ("?model=nosuch", "x.csv", TABLE.into(), "nosuch"),
    ];
    for (query, name, bytes, said) in cases {
        let answer = upload(&server, query, name, &bytes);
        assert!(matches!(answer.status, 400 | 404 | 415 | 422), "{query} {name}: {answer:?}");
        assert!(answer.refusal().contains(said), "{query} {name}: {}", answer.refusal());
        assert!(!answer.text().contains("/tmp"), "a folder of the server is shown: {}", answer.text());
        server.is_well();
    }
    for name in [
        "../../etc/passwd",
        "..%2F..%2Fetc%2Fpasswd",
        "/etc/passwd",
        "a%00b.csv",
        &"n".repeat(5000),
        "%ff%fe.csv",
        "",
    ] {
        let answer = upload(&server, "", name, TABLE.as_bytes());
        assert!(matches!(answer.status, 200 | 400), "{name}: {answer:?}");
    }
    server.is_well();
}

#[test]
fn the_page_is_whole_and_asks_no_other_host() {
    let server = Server::start("");
    let page = server.get("/");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let text = page.text();
    assert!(text.contains("<html lang=\"en\">") && !text.contains("style=\"") && !text.contains(" onclick"));
    let mut parts = vec![text.clone()];
    for attribute in ["src=\"/", "href=\"/"] {
        for (at, _) in text.match_indices(attribute) {
            let path = text[at + attribute.len() - 1..].split('"').next().unwrap();
            let part = server.get(path);
            assert_eq!(part.status, 200, "{path}");
            parts.push(part.text());
        }
    }
    let script = server.get("/page.js");
    assert!(script.header("content-type").is_some_and(|t| t.starts_with("text/javascript")));
    for import in script.text().lines().filter(|l| l.starts_with("import")) {
        let file = import.split('"').nth(1).unwrap().trim_start_matches("./");
        assert_eq!(server.get(&format!("/{file}")).status, 200, "{file}");
    }
    assert!(parts.len() > 3);
    let foreign = |part: &String| {
        part.match_indices("://").any(|(at, _)| !part[at..].starts_with("://www.w3.org/2000/svg"))
    };
    assert!(!parts.iter().take(3).any(foreign), "the page names another host");
}
