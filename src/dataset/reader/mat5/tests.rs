//! Tests of the MATLAB 5 reader: what scipy reads, and that no damaged file panics.

use std::io::Write;
use std::path::PathBuf;

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::dataset::reader::{archive::real_data, mat73, matlab};
use crate::seed::Seed;

/// Largest relative error of a sum of corpus numbers, which numpy may add in another order.
const SUM_TOLERANCE: f64 = 1e-9;

const FIXTURES: [&str; 8] = [
    "hand_be.mat",
    "hand_be_z.mat",
    "hand_le.mat",
    "hand_le_z.mat",
    "nasa.mat",
    "nasa_z.mat",
    "types.mat",
    "types_z.mat",
];

pub(in crate::dataset::reader) fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat").join(name);
    std::fs::read(path).unwrap()
}

/// Returns the value as `make.py` writes it, a number as the bits of its `f64`.
fn tree(value: &Value) -> Json {
    let bits = |part: &[f64]| part.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let all = |values: &[Value]| values.iter().map(tree).collect::<Vec<_>>();
    match value {
        Value::Numeric { dims, real, imag: None } => json!({"dims": dims, "real": bits(real)}),
        Value::Numeric { dims, real, imag: Some(imag) } => {
            json!({"dims": dims, "real": bits(real), "imag": bits(imag)})
        }
        Value::Char { dims, text } => json!({"dims": dims, "text": text}),
        Value::Cell { dims, values } => json!({"dims": dims, "cell": all(values)}),
        Value::Struct { dims, fields, values } => {
            json!({"dims": dims, "fields": fields, "values": all(values)})
        }
        Value::Unsupported { what } => json!({"unsupported": what}),
    }
}

/// Leaves out the sizes of empty arrays: scipy has its own.
fn without_empty_sizes(tree: &mut Json) {
    match tree {
        Json::Object(map) => {
            if map.get("real") == Some(&json!([])) || map.get("text") == Some(&json!("")) {
                map.remove("dims");
            }
            map.values_mut().for_each(without_empty_sizes);
        }
        Json::Array(items) => items.iter_mut().for_each(without_empty_sizes),
        _ => {}
    }
}

/// Returns count and sum of the real parts, sum of the imaginary parts and count of characters, all finite ones.
fn sums(value: &Value) -> [f64; 4] {
    let finite = |x: &f64| if x.is_finite() { *x } else { 0.0 };
    match value {
        Value::Numeric { real, imag, .. } => {
            let imag = imag.as_deref().unwrap_or_default();
            let sum = |part: &[f64]| part.iter().map(finite).sum();
            [real.len() as f64, sum(real), sum(imag), 0.0]
        }
        Value::Char { text, .. } => [0.0, 0.0, 0.0, text.chars().count() as f64],
        Value::Cell { values, .. } | Value::Struct { values, .. } => {
            values.iter().map(sums).fold([0.0; 4], |a, b| std::array::from_fn(|i| a[i] + b[i]))
        }
        Value::Unsupported { .. } => [0.0; 4],
    }
}

/// Returns the bytes that a value takes, at least.
fn memory(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Numeric { real, imag, .. } => 8 * (real.len() + imag.as_ref().map_or(0, Vec::len)),
            Value::Char { text, .. } => text.len(),
            Value::Cell { values, .. } | Value::Struct { values, .. } => values.iter().map(memory).sum(),
            Value::Unsupported { .. } => 0,
        }
}

#[test]
fn every_fixture_reads_as_scipy_reads_it() {
    let expected: Map<String, Json> = serde_json::from_slice(&fixture("expected.json")).unwrap();
    assert_eq!(expected.keys().collect::<Vec<_>>(), FIXTURES);
    for (file, mut expected) in expected {
        let variables = parse(&fixture(&file)).unwrap();
        assert_eq!(variables.len(), expected.as_object().unwrap().len(), "{file}");
        without_empty_sizes(&mut expected);
        for (name, value) in &variables {
            let mut found = tree(value);
            without_empty_sizes(&mut found);
            assert_eq!(found, expected[name], "{file}: {name}");
        }
    }
}

#[test]
fn every_file_of_the_corpus_has_the_sums_of_scipy_and_h5py() {
    let Some(folder) = real_data("mat5-corpus") else { return };
    let expected: Map<String, Json> = serde_json::from_slice(&fixture("corpus.json")).unwrap();
    for (file, expected) in expected {
        let path = folder.join(&file);
        let variables = matlab::read_variables(&path, std::fs::read(&path).unwrap(), &[]).unwrap();
        let found = sums(&Value::Cell { dims: vec![], values: variables.into_iter().map(|v| v.1).collect() });
        for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
            let expected = expected.as_f64().unwrap();
            let near = (found - expected).abs() <= SUM_TOLERANCE * expected.abs();
            assert!(near, "{file}: {found} is not {expected}");
        }
    }
}

#[test]
fn version_7_3_reads_as_version_5_does() {
    let mut old = parse(&fixture("nasa.mat")).unwrap();
    let mut new = mat73::parse(fixture("nasa_v73.mat")).unwrap();
    assert!(mat73::is_hdf5(&fixture("nasa_v73.mat")) && !mat73::is_hdf5(&fixture("nasa.mat")));
    assert_eq!((old.len(), &old[0].0), (new.len(), &new[0].0));
    let (mut old, mut new) =
        (old[0].1.take_field(0, "cycle").unwrap(), new[0].1.take_field(0, "cycle").unwrap());
    assert_eq!(old.as_struct().unwrap().0, new.as_struct().unwrap().0);
    for i in 0..4 {
        for name in ["type", "ambient_temperature", "time"] {
            assert_eq!(old.take_field(i, name), new.take_field(i, name), "{i} {name}");
        }
        let (mut old, mut new) = (old.take_field(i, "data").unwrap(), new.take_field(i, "data").unwrap());
        let fields = old.as_struct().unwrap().1.to_vec();
        assert_eq!(new.as_struct().unwrap().1.len(), fields.len());
        for name in fields {
            assert_eq!(old.take_field(0, &name), new.take_field(0, &name), "{i} {name}");
        }
    }
}

#[test]
fn references_in_a_circle_end() {
    let error = mat73::parse(fixture("circle_v73.mat")).unwrap_err();
    assert!(matches!(error, mat73::Mat73Error::Limit { .. }) && error.place().starts_with("c("), "{error}");
}

#[test]
fn what_is_no_such_file_says_what_it_is() {
    for (bytes, part) in [
        (&b""[..], "empty"),
        (b"a,b\n1,2\n", "shorter than the header"),
        (&[b'x'; 200], "no mark IM or MI"),
        (&[0; 200], "MATLAB 4"),
    ] {
        let error = parse(bytes).unwrap_err();
        assert!(error.place().is_none() && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_cut_file_is_truncated_and_says_at_which_byte() {
    let whole = fixture("nasa.mat");
    let error = parse(&whole[..1000]).unwrap_err();
    assert_eq!(error.place(), Some(Place { file: 128, inflated: None }), "{error}");
    let whole = fixture("nasa_z.mat");
    assert!(matches!(parse(&whole[..1000]), Err(Mat5Error::Truncated { .. })));
}

#[test]
fn a_flipped_bit_in_compressed_numbers_does_not_pass_the_checksum() {
    let mut bytes = fixture("nasa_z.mat");
    let n = bytes.len();
    bytes[n - 1] ^= 1;
    assert!(matches!(parse(&bytes), Err(Mat5Error::Inflate { .. })));
}

/// Returns a file of one compressed variable that holds `inflated`.
fn packed(inflated: &[u8], order_mark: &[u8]) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(inflated).unwrap();
    let zlib = zlib.finish().unwrap();
    let mut file = vec![b' '; 126];
    file.extend_from_slice(order_mark);
    let word = |x: u32| if order_mark == b"IM" { x.to_le_bytes() } else { x.to_be_bytes() };
    file.extend(word(15));
    file.extend(word(zlib.len() as u32));
    file.extend(zlib);
    file
}

/// Returns a double array `z` of `count` zeros, as it stands in a file.
fn zeros(count: u32) -> Vec<u8> {
    let name = [1 << 16 | 1, u32::from(b'z')];
    let words = [14, 48 + 8 * count, 6, 8, 6, 0, 5, 8, 1, count, name[0], name[1], 9, 8 * count];
    let mut bytes = words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
    bytes.resize(bytes.len() + 8 * count as usize, 0);
    bytes
}

#[test]
fn unread_fields_are_passed_over_and_what_follows_them_is_read() {
    for name in ["nasa.mat", "nasa_z.mat"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat").join(name);
        let limits = Limits { unread_fields: &["ambient_temperature"], ..Limits::default() };
        let mut variables = parse_within(&std::fs::read(&path).unwrap(), &limits).unwrap();
        let mut cycle = variables[0].1.take_field(0, "cycle").unwrap();
        for (i, kind) in ["charge", "discharge", "impedance", "discharge"].into_iter().enumerate() {
            let unread = cycle.take_field(i, "ambient_temperature").unwrap();
            assert_eq!(unread, Value::Unsupported { what: "unread field" }, "{name}");
            assert_eq!(cycle.take_field(i, "type").unwrap().text(), Some(kind), "{name}");
            assert!(cycle.take_field(i, "data").unwrap().as_struct().is_some(), "{name}");
        }
    }
}

#[test]
fn a_bomb_is_refused_by_each_limit() {
    let bomb = packed(&zeros(1 << 20), b"IM");
    assert!(bomb.len() < 10_000);
    let limits = Limits::default();
    assert_eq!(parse_within(&bomb, &limits).unwrap()[0].1.numbers().unwrap().len(), 1 << 20);
    for (limits, what) in [
        (Limits { inflated_bytes: 1 << 20, ..Limits::default() }, "inflated bytes"),
        (Limits { inflated_bytes_free: 1 << 16, inflated_ratio: 10, ..Limits::default() }, "inflated bytes"),
        (Limits { value_bytes: 1 << 20, ..Limits::default() }, "bytes of values"),
    ] {
        let error = parse_within(&bomb, &limits).unwrap_err();
        assert!(matches!(error, Mat5Error::Limit { what: w, .. } if w == what), "{error}");
    }
}

#[test]
fn a_struct_array_without_fields_has_no_elements_however_large_it_says_it_is() {
    let words =
        [14, 64, 6, 8, 2, 0, 5, 8, 40_000, 50_000, 1 << 16 | 1, u32::from(b's'), 4 << 16 | 5, 32, 1, 0];
    let bytes = words.iter().flat_map(|w: &u32| w.to_le_bytes()).collect::<Vec<_>>();
    let variables = parse(&packed(&[bytes, vec![0; 8]].concat(), b"IM")).unwrap();
    assert_eq!(variables[0].1.as_struct().unwrap(), (0, &[][..]));
}

#[test]
fn cells_inside_each_other_end_at_the_depth_limit() {
    let head = |name: u32| [6_u32, 8, 1, 0, 5, 8, 1, 1, 1, name];
    let mut inner: Vec<u8> = [14_u32, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
    for _ in 0..100 {
        let mut bytes =
            [14_u32, 40 + inner.len() as u32].iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
        bytes.extend(head(0).iter().flat_map(|w| w.to_le_bytes()));
        bytes.extend(inner);
        inner = bytes;
    }
    let error = parse(&packed(&inner, b"IM")).unwrap_err();
    assert!(matches!(error, Mat5Error::Limit { limit: 64, .. }), "{error}");
}

/// Changes `bytes` the way a bad disk, a cut download or an attacker would.
pub(in crate::dataset::reader) fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    match rng.random_range(0..5) {
        0 => bytes.truncate(rng.random_range(0..=bytes.len())),
        1 => {
            for _ in 0..rng.random_range(1..=8) {
                if let Some(byte) = pick(bytes, rng) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
        }
        2 => {
            if let Some(byte) = pick(bytes, rng) {
                *byte = rng.random();
            }
        }
        _ => {
            let words = bytes.len() / 4;
            if words > 0 {
                let word = 4 * rng.random_range(0..words);
                let lie = [0, 1, 7, 64, 0x7fff_ffff, 0xffff_ffff, rng.next_u32()][rng.random_range(0..7)];
                let lie = if rng.random() { lie.to_le_bytes() } else { lie.to_be_bytes() };
                bytes[word..word + 4].copy_from_slice(&lie);
            }
        }
    }
}

fn pick<'a>(bytes: &'a mut [u8], rng: &mut ChaCha8Rng) -> Option<&'a mut u8> {
    let n = bytes.len();
    (n > 0).then(|| &mut bytes[rng.random_range(0..n)])
}

/// Returns the variables of a compressed file, inflated, with a file's own order mark.
fn inflated(file: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| {
        let bytes = [file[at], file[at + 1], file[at + 2], file[at + 3]];
        if file[126] == b'I' { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    let (mut at, mut all) = (128, Vec::new());
    while at < file.len() && word(at) == 15 {
        let n = word(at + 4) as usize;
        let mut one = Vec::new();
        std::io::copy(&mut flate2::read::ZlibDecoder::new(&file[at + 8..at + 8 + n]), &mut one).unwrap();
        all.push(one);
        at += 8 + n;
    }
    all
}

/// Number of mutants: `FADECAST_MUTANTS`, 2,000 without it.
pub(in crate::dataset::reader) fn n_mutants() -> u64 {
    std::env::var("FADECAST_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
}

#[test]
#[expect(clippy::print_stdout, reason = "benches/mutants.sh shows how many were read")]
fn mutants_are_errors_or_small_values_and_never_a_panic() {
    let files = FIXTURES.map(fixture);
    let payloads = files.iter().flat_map(|f| inflated(f).into_iter().map(|p| (p, f[126..128].to_vec())));
    let payloads = payloads.collect::<Vec<_>>();
    let (mut read, mut refused) = (0, 0);
    for i in 0..n_mutants() {
        let mut rng = Seed::new(i).stream("mat5 mutant");
        let mutant = if i % 2 == 0 {
            let mut bytes = files[rng.random_range(0..files.len())].clone();
            mutate(&mut bytes, &mut rng);
            bytes
        } else {
            let (payload, mark) = &payloads[rng.random_range(0..payloads.len())];
            let mut payload = payload.clone();
            mutate(&mut payload, &mut rng);
            packed(&payload, mark)
        };
        match parse(&mutant) {
            Ok(variables) => {
                let bytes = variables.iter().map(|(_, value)| memory(value)).sum::<usize>();
                assert!(bytes <= 16 * 8192, "mutant {i}: {bytes} bytes of values");
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    println!("{read} mutants read, {refused} refused");
    assert!(read > 0 && refused > 0);
}

#[test]
fn mutants_of_version_7_3_are_errors_and_never_a_panic() {
    let file = fixture("nasa_v73.mat");
    for i in 0..n_mutants() / 10 {
        let mut bytes = file.clone();
        mutate(&mut bytes, &mut Seed::new(i).stream("mat73 mutant"));
        if let Ok(variables) = matlab::read_variables("mutant.mat".as_ref(), bytes, &[]) {
            let bytes = variables.iter().map(|(_, value)| memory(value)).sum::<usize>();
            assert!(bytes <= 128 << 20, "mutant {i}: {bytes} bytes of values");
        }
    }
}
