//! Damage on purpose: files of a run changed at random, with their hashes made anew, so that the parsers are attacked.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::tests::Trained;
use super::*;
use crate::file;
use crate::pipeline::manifest::MANIFEST;

/// One change of a file's bytes; places are shares of its length.
#[derive(Debug, Clone)]
enum Change {
    Byte(f64, u8),
    Cut(f64),
    Remove(f64, usize),
    Repeat(f64, usize),
    Insert(f64, &'static str),
    /// Puts another value in the place of the next number.
    Number(f64, &'static str),
}

/// What stands in the place of a number: lengths that lie, and what is no number.
const VALUES: [&str; 14] = [
    "-1",
    "0",
    "1",
    "2",
    "3",
    "64",
    "4294967295",
    "18446744073709551615",
    "1e308",
    "-1e308",
    "1e999",
    "null",
    "[]",
    "\"x\"",
];

/// What is put in between.
const TEXTS: [&str; 6] = ["{", "]", ",", "\"", "[[[[", "../"];

fn change() -> impl Strategy<Value = Change> {
    let place = || 0.0..1.0f64;
    prop_oneof![
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => place().prop_map(Change::Cut),
        1 => (place(), 1..200usize).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => (place(), 1..200usize).prop_map(|(at, n)| Change::Repeat(at, n)),
        1 => (place(), prop::sample::select(&TEXTS[..])).prop_map(|(at, text)| Change::Insert(at, text)),
        6 => (place(), prop::sample::select(&VALUES[..])).prop_map(|(at, value)| Change::Number(at, value)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let n = bytes.len();
        let at = |share: &f64| ((share * n as f64) as usize).min(n.saturating_sub(1));
        let piece = |share: &f64, len: &usize| at(share)..(at(share) + len).min(n);
        match self {
            _ if n == 0 => {}
            Self::Byte(share, byte) => bytes[at(share)] = *byte,
            Self::Cut(share) => bytes.truncate(at(share)),
            Self::Remove(share, len) => drop(bytes.drain(piece(share, len))),
            Self::Repeat(share, len) => {
                let again = bytes[piece(share, len)].to_vec();
                bytes.splice(at(share)..at(share), again);
            }
            Self::Insert(share, text) => drop(bytes.splice(at(share)..at(share), text.bytes())),
            Self::Number(share, value) => {
                let is_part = |b: &u8| b.is_ascii_digit() || b".-eE+".contains(b);
                let Some(from) = (at(share)..n).find(|&i| bytes[i].is_ascii_digit()) else { return };
                let to = (from..n).find(|&i| !is_part(&bytes[i])).unwrap_or(n);
                bytes.splice(from..to, value.bytes());
            }
        }
    }
}

/// A run and what its files hold.
struct Victim {
    trained: Trained,
    files: BTreeMap<String, Vec<u8>>,
}

impl Victim {
    fn new(name: &str) -> Self {
        let trained = Trained::of(name);
        let names = trained.load().unwrap().manifest.files.into_keys().chain([MANIFEST.to_owned()]);
        let files = names.map(|name| (name.clone(), file::read(&trained.path(&name)).unwrap())).collect();
        Self { trained, files }
    }

    /// Loads the run with some bytes in the place of a file and, but for the manifest, its hash made anew.
    fn load_with(&self, name: &str, bytes: &[u8]) -> Result<Loaded, RegistryError> {
        let put = |name: &str, bytes: &[u8]| file::write_passing(&self.trained.path(name), bytes).unwrap();
        let manifest = &self.files[MANIFEST];
        if name != MANIFEST {
            let mut forged: serde_json::Value = serde_json::from_slice(manifest).unwrap();
            forged["files"][name] = file::sha256_bytes(bytes).into();
            put(MANIFEST, &serde_json::to_vec(&forged).unwrap());
        }
        put(name, bytes);
        let loaded = self.trained.load();
        put(name, &self.files[name]);
        put(MANIFEST, manifest);
        loaded
    }
}

static VICTIMS: LazyLock<[Victim; 4]> =
    LazyLock::new(|| ["hybrid", "dense", "tier_trees", "logistic"].map(Victim::new));

/// Returns the files of a victim that decide what is computed; those for people are hashed and not parsed.
fn parsed(victim: &Victim) -> Vec<&String> {
    let decides = |name: &&String| !["metrics.json", "model_card.md"].contains(&name.as_str());
    victim.files.keys().filter(decides).collect()
}

/// Asks what could be loaded; it must answer, if only with what is no number.
fn ask(loaded: &Loaded) {
    let pipeline = &loaded.pipeline;
    let middle: Vec<f64> =
        pipeline.inputs.iter().map(|input| input.range[0].midpoint(input.range[1])).collect();
    let missing = vec![f64::NAN; pipeline.inputs.len()];
    for row in [middle, missing] {
        assert_eq!(pipeline.reference(&row).len(), pipeline.width());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_refused_or_harmless_and_never_a_panic(
        (victim, place) in (0..4usize, any::<prop::sample::Index>()),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let victim = &VICTIMS[victim];
        let name = *place.get(&parsed(victim));
        let mut bytes = victim.files[name].clone();
        for change in &changes {
            change.apply(&mut bytes);
        }
        match victim.load_with(name, &bytes) {
            Ok(loaded) => ask(&loaded),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

fn deep(open: &str) -> Vec<u8> {
    open.repeat(100_000).into_bytes()
}

/// Loads a victim with other contents of a file, which must be refused by its name.
fn assert_refused(victim: &Victim, cases: Vec<(&str, Vec<u8>)>) {
    for (idx, (name, bytes)) in cases.into_iter().enumerate() {
        let error = victim.load_with(name, &bytes).expect_err(&format!("{idx}: {name} is accepted"));
        let text = super::build::chain(&error);
        // Where an experiment is not that of the stored numbers, that is noticed at these.
        let is_named = text.contains(name) || (name == "experiment.toml" && text.contains("is damaged"));
        assert!(is_named, "{idx} {name}: {text}");
    }
}

/// Returns the text of a file with something else in it.
fn replaced(victim: &Victim, name: &str, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(victim.files[name].clone()).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    text.replace(from, to).into_bytes()
}

#[test]
fn texts_that_are_too_deep_or_ask_for_too_much_are_refused_with_the_name_of_their_file() {
    let hybrid = Victim::new("hybrid");
    let toml = |from: &str, to: &str| ("experiment.toml", replaced(&hybrid, "experiment.toml", from, to));
    let cases = vec![
        ("model.json", deep("[")),
        ("model.json", deep("{\"folds\":")),
        ("model.json", b"{\"folds\":[]}".to_vec()),
        ("artifact.json", deep("{\"schema\":[")),
        ("experiment.toml", [b"a=".to_vec(), deep("[")].concat()),
        ("experiment.toml", [b"a=".to_vec(), deep("{a=")].concat()),
        ("experiment.toml", [deep("a."), b"a=1".to_vec()].concat()),
        ("experiment.toml", [b"[".to_vec(), deep("a."), b"a]".to_vec()].concat()),
        toml("hidden = [5]", "layers = 1000000000000"),
        toml("hidden = [5]", "hidden = [4096]"),
        toml("members = 2", "members = 4294967295"),
        toml("repeats = 2", "repeats = 4294967295"),
        toml("coulomb_balance", "xu2018"),
        toml("kind = \"hybrid\"", "kind = \"physics\""),
    ];
    assert_refused(&hybrid, cases);
}

#[test]
fn numbers_whose_header_lies_are_refused_with_the_name_of_their_file() {
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    let entry = |text: &str| header(&format!("{{\"fold0/seed0/layer0.weight\":{text}}}"));
    let cases = [
        u64::MAX.to_le_bytes().to_vec(),
        99_999_999_u64.to_le_bytes().to_vec(),
        header(&"[".repeat(100_000)),
        header("{}"),
        entry("{\"dtype\":\"F32\",\"shape\":[4,5],\"data_offsets\":[0,80]}"),
        entry("{\"dtype\":\"F32\",\"shape\":[4,5],\"data_offsets\":[80,0]}"),
        entry("{\"dtype\":\"F32\",\"shape\":[1000000000000,0],\"data_offsets\":[0,0]}"),
        entry("{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}"),
    ];
    assert_refused(&Victim::new("hybrid"), cases.map(|bytes| ("weights.safetensors", bytes)).into());
}

#[test]
fn trees_of_more_inputs_or_classes_than_there_are_are_refused() {
    let victim = Victim::new("tier_trees");
    let name = victim.files.keys().find(|name| name.starts_with("trees/")).unwrap().as_str();
    let more = |key: &str, n: u32| {
        let (from, to) = (format!("\"{key}\":\"{n}\""), format!("\"{key}\":\"999999999999\""));
        (name, replaced(&victim, name, &from, &to))
    };
    assert_refused(
        &victim,
        vec![(name, deep("[")), more("num_class", 3), more("num_feature", 4), more("num_target", 1)],
    );
}

#[test]
fn a_split_on_an_input_that_is_not_there_is_refused() {
    let victim = Victim::new("tier_trees");
    let name = victim.files.keys().find(|name| name.starts_with("trees/")).unwrap();
    let mut trees: serde_json::Value = serde_json::from_slice(&victim.files[name]).unwrap();
    let all = trees["learner"]["gradient_booster"]["model"]["trees"].as_array_mut().unwrap();
    let asks = all.iter_mut().find(|tree| tree["left_children"][0] != -1).expect("a tree that asks");
    asks["split_indices"][0] = 4.into();
    let bytes = serde_json::to_vec(&trees).unwrap();
    let error = victim.load_with(name, &bytes).unwrap_err().to_string();
    assert!(error.contains(name.as_str()), "{error}");
    let mut trees: serde_json::Value = serde_json::from_slice(&victim.files[name]).unwrap();
    trees["learner"]["gradient_booster"]["model"]["trees"][0]["left_children"][0] = 0.into();
    let error = victim.load_with(name, &serde_json::to_vec(&trees).unwrap()).unwrap_err().to_string();
    assert!(error.contains(name.as_str()), "a tree that is its own child: {error}");
}
