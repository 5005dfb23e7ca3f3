//! Tables of every format: what pyarrow wrote, what we write, what is damaged or lies.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Written by pyarrow (`tests/fixtures/rows/make.py`).
const TABLES: [&str; 8] = [
    "plain.parquet",
    "snappy.parquet",
    "zstd_v2.parquet",
    "gzip_delta.parquet",
    "plain.arrow",
    "lz4.arrow",
    "zstd.arrows",
    "plain.arrows",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rows").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn format(bytes: &[u8]) -> Format {
    Format::of_begin(bytes).unwrap()
}

fn whole(path: &Path) -> Result<RowBatch, RowsError> {
    let mut batches = read(path)?;
    let mut whole = batches.next().unwrap()?;
    for batch in batches {
        whole.append(batch?);
    }
    Ok(whole)
}

fn sent(bytes: &[u8]) -> Result<RowBatch, RowsError> {
    decode(bytes, format(bytes), Limits::default())
}

#[test]
fn what_pyarrow_wrote_is_read_alike_from_files_and_bodies() {
    let expected: Value = serde_json::from_slice(&bytes("expected.json")).unwrap();
    for name in TABLES {
        let batch = whole(&fixture(name)).unwrap();
        assert_eq!(batch.n_rows as u64, expected["rows"].as_u64().unwrap(), "{name}");
        for (column, [sum, n_missing]) in expected["numbers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(column, v)| (column, [v[0].as_f64().unwrap(), v[1].as_f64().unwrap()]))
        {
            let Some(values) = batch.number(column) else {
                assert!(["byte", "half"].contains(&column.as_str()), "{name}: no `{column}`");
                continue;
            };
            let found: f64 = values.iter().filter(|v| !v.is_nan()).sum();
            assert!((found - sum).abs() <= 1e-9 * sum.abs(), "{name}: `{column}` is {found}, not {sum}");
            assert_eq!(values.iter().filter(|v| v.is_nan()).count() as f64, n_missing, "{name}: `{column}`");
        }
        let texts: Vec<&str> =
            if name.contains("arrow") { vec!["text", "large", "view"] } else { vec!["text"] };
        for column in texts {
            let texts = batch.text(column).unwrap();
            let n_bytes: usize = texts.iter().map(String::len).sum();
            assert_eq!(n_bytes as u64, expected["texts"]["text"].as_u64().unwrap(), "{name}: `{column}`");
            assert_eq!(texts.last().unwrap(), expected["texts"]["last"].as_str().unwrap());
            assert_eq!(texts.iter().filter(|t| t.is_empty()).count() as u64, expected["texts"]["missing"]);
        }
        assert_eq!(batch.text("cell").unwrap()[..5], ["B0000", "B0001", "B0002", "B0003", "B0000"], "{name}");
        let again = match sent(&bytes(name)) {
            // Texts as deltas are not taken from strangers.
            Err(RowsError::Unsupported { found, .. }) if name.contains("delta") => {
                assert!(found.contains("`text`"), "{found}");
                continue;
            }
            again => again.unwrap(),
        };
        assert_eq!(format!("{again:?}"), format!("{batch:?}"), "{name}: NaN compares as text");
    }
}

#[test]
fn a_column_of_another_type_is_passed_over_by_name() {
    for name in TABLES {
        let skipped = read(&fixture(name)).unwrap().skipped().to_vec();
        assert_eq!(skipped.iter().map(|s| s.column.as_str()).collect::<Vec<_>>(), ["day"], "{name}");
        assert!(skipped[0].kind.contains("Date"), "{}", skipped[0].kind);
    }
    for name in ["nested.parquet", "nested.arrows"] {
        let error = sent(&bytes(name)).unwrap_err();
        assert!(matches!(&error, RowsError::Nested { column, .. } if column == "list"), "{name}: {error}");
    }
}

#[test]
fn a_table_that_is_cut_off_says_so() {
    for name in TABLES {
        let bytes = bytes(name);
        for end in (1..bytes.len()).step_by(bytes.len() / 40) {
            match Format::of_begin(&bytes[..end]).map(|f| decode(&bytes[..end], f, Limits::default())) {
                None | Some(Err(RowsError::Damaged { .. })) => {}
                // A stream may end between two messages, and a begin of letters is a line of CSV.
                Some(Ok(batch)) => {
                    assert!(
                        name == "plain.arrows" || name == "zstd.arrows" || end < 8,
                        "{name} {end}: {} rows",
                        batch.n_rows
                    );
                }
                Some(Err(other)) => panic!("{name} {end}: {other}"),
            }
        }
    }
}

#[test]
fn limits_hold_before_anything_is_made() {
    for name in TABLES {
        let bytes = bytes(name);
        for (limits, what) in [
            (Limits { rows: 299, ..Limits::default() }, "rows"),
            (Limits { columns: 8, ..Limits::default() }, "columns"),
            (Limits { bytes: 1 << 13, ..Limits::default() }, "bytes"),
        ] {
            match decode(&bytes, format(&bytes), limits) {
                Err(RowsError::TooLarge { what: found, .. }) => assert_eq!(found, what, "{name}"),
                other => panic!("{name}: {what}: {:?}", other.map(|b| b.n_rows)),
            }
        }
    }
}

#[test]
fn csv_is_read_whatever_parts_its_fields() {
    for (text, place) in [
        ("cell,x,y\n A , 1.5,\nB,NaN,true\n", ","),
        ("cell;x;y\nA;1.5;\"\"\nB;NA;True\n", ";"),
        ("\u{feff}cell\tx\ty\r\nA\t1.5\tnull\r\nB\t\t1\r\n", "tab"),
    ] {
        let batch = decode(text.as_bytes(), Format::Csv, Limits::default()).unwrap();
        assert_eq!(batch.texts, [("cell".to_owned(), vec!["A".to_owned(), "B".into()])], "{place}");
        let (x, y) = (batch.number("x").unwrap(), batch.number("y").unwrap());
        assert!(x[0] == 1.5 && x[1].is_nan() && y[0].is_nan() && y[1] == 1.0, "{place}: {batch:?}");
    }
    let empty = decode(b"a,b\n", Format::Csv, Limits::default()).unwrap();
    assert_eq!((empty.n_rows, empty.numbers.len()), (0, 2));
}

#[test]
fn bad_csv_names_line_and_column() {
    let long: String =
        std::iter::once("x,y\n".to_owned()).chain((0..70_000).map(|i| format!("{i},1\n"))).collect();
    let error = decode(format!("{long}a,1\n").as_bytes(), Format::Csv, Limits::default()).unwrap_err();
    let RowsError::NotANumber { line, column, text, .. } = error else { panic!("{error}") };
    assert_eq!((line, column.as_str(), text.as_str()), (70_002, "x", "a"));
    let refused =
        |text: &str| decode(text.as_bytes(), Format::Csv, Limits::default()).unwrap_err().to_string();
    assert!(refused("x,y\n1\n").contains("damaged"), "{}", refused("x,y\n1\n"));
    assert!(refused("x,x\n1,2\n").contains("two columns `x`"));
    assert!(decode(b"", Format::Csv, Limits::default()).unwrap_err().to_string().contains("empty"));
    assert!(refused("\n\n").contains("no column"), "{}", refused("\n\n"));
}

fn some() -> RowBatch {
    RowBatch {
        n_rows: 3,
        numbers: vec![("x".into(), vec![0.1, f64::NAN, -3e300]), ("n".into(), vec![1.0, 2.0, 3.0])],
        texts: vec![("cell".into(), vec!["A,\"1\"".into(), String::new(), "é\n".into()])],
    }
}

#[test]
fn what_is_written_comes_back() {
    for format in [Format::Csv, Format::Parquet, Format::ArrowFile, Format::ArrowStream] {
        let bytes = encode(&some(), format, &["cell"]).unwrap();
        assert_eq!(Format::of_begin(&bytes), Some(format));
        let back = decode(&bytes, format, Limits::default()).unwrap();
        assert_eq!(format!("{back:?}").replace("é\\n", "é"), format!("{:?}", some()).replace("é\\n", "é"));
        let none = RowBatch { n_rows: 0, numbers: vec![("x".into(), Vec::new())], texts: Vec::new() };
        assert_eq!(decode(&encode(&none, format, &[]).unwrap(), format, Limits::default()).unwrap(), none);
    }
    let text = String::from_utf8(encode(&some(), Format::Csv, &["cell", "n"]).unwrap()).unwrap();
    assert!(text.starts_with("cell,n,x\n\"A,\"\"1\"\"\",1,0.1\n"), "{text}");
}

#[test]
fn a_file_is_there_when_it_is_finished_and_not_before() {
    for name in ["a.csv", "a.parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path, &["cell"]).unwrap();
        writer.write(&some()).unwrap();
        assert!(!path.exists());
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing half is left");
        let mut writer = Writer::create(&path, &[]).unwrap();
        writer.write(&some()).unwrap();
        writer.write(&some()).unwrap();
        let other = RowBatch { n_rows: 1, numbers: vec![("z".into(), vec![1.0])], texts: Vec::new() };
        assert!(matches!(writer.write(&other), Err(RowsError::OtherColumns)));
        writer.finish().unwrap();
        let back = whole(&path).unwrap();
        assert_eq!((back.n_rows, back.number("n").unwrap()), (6, &[1.0, 2.0, 3.0, 1.0, 2.0, 3.0][..]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_long_file_comes_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    let n = 2 * BATCH_ROWS + 5;
    let values: Vec<f64> = (0..n).map(|i| i as f64).collect();
    let batch = RowBatch { n_rows: n, numbers: vec![("x".into(), values.clone())], texts: Vec::new() };
    for name in ["a.csv", "a.parquet", "a.arrow"] {
        let path = folder.path().join(name);
        if name == "a.arrow" {
            crate::file::write_atomic(&path, &encode(&batch, Format::ArrowFile, &[]).unwrap()).unwrap();
        } else {
            let mut writer = Writer::create(&path, &[]).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        let batches: Vec<RowBatch> = read(&path).unwrap().map(Result::unwrap).collect();
        assert!(batches.len() >= 3 && batches.iter().all(|b| b.n_rows <= BATCH_ROWS), "{name}");
        let joined: Vec<f64> = batches.iter().flat_map(|b| b.number("x").unwrap().to_vec()).collect();
        assert_eq!(joined, values, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is changed in a table, it is decoded or refused, and never more than the limits allow is made.
    #[test]
    fn a_changed_table_is_decoded_or_refused(
        name in 0..TABLES.len(),
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>(), any::<bool>()), 1..8),
    ) {
        let mut bytes = bytes(TABLES[name]);
        for (place, value, is_late) in changes {
            let n = bytes.len();
            // Half of the changes are in the last part, where Parquet keeps what it states of itself.
            let from = if is_late { n.saturating_sub(n / 8) } else { 0 };
            let at = from + ((n - from) as f64 * place) as usize;
            bytes[at.min(n - 1)] = value;
        }
        if let Some(format) = Format::of_begin(&bytes) {
            let limits = Limits { rows: 10_000, columns: 100, bytes: 4 << 20 };
            if let Ok(batch) = decode(&bytes, format, limits) {
                prop_assert!(batch.n_rows <= 10_000);
                prop_assert!(batch.numbers.iter().all(|(_, v)| v.len() == batch.n_rows));
                prop_assert!(batch.texts.iter().all(|(_, v)| v.len() == batch.n_rows));
            }
        }
    }
}
