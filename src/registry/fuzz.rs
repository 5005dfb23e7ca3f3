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
        changes.iter().for_each(|change| change.apply(&mut bytes));
        match victim.load_with(name, &bytes) {
            Ok(loaded) => ask(&loaded),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn what_lies_about_its_length_or_is_too_deep_is_refused_with_the_name_of_its_file() {
    let [hybrid, tier_trees] = ["hybrid", "tier_trees"].map(Victim::new);
    let text = |victim: &Victim, name: &str| String::from_utf8(victim.files[name].clone()).unwrap();
    let trees = tier_trees.files.keys().find(|name| name.starts_with("trees/")).unwrap().as_str();
    let deep = |open: &str| open.repeat(100_000).into_bytes();
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    let weights = |entry: &str| header(&format!("{{\"fold0/seed0/layer0.weight\":{entry}}}"));
    let replaced = |victim: &Victim, name: &str, from: &str, to: &str| {
        assert!(text(victim, name).contains(from), "{name} has no {from}");
        text(victim, name).replace(from, to).into_bytes()
    };
    let cases: Vec<(&Victim, &str, Vec<u8>)> = vec![
        (&hybrid, "model.json", deep("[")),
        (&hybrid, "model.json", deep("{\"folds\":")),
        (&hybrid, "model.json", b"{\"folds\":[]}".to_vec()),
        (&hybrid, "artifact.json", deep("{\"schema\":[")),
        (&hybrid, "experiment.toml", [b"a=".to_vec(), deep("[")].concat()),
        (&hybrid, "experiment.toml", [b"a=".to_vec(), deep("{a=")].concat()),
        (&hybrid, "experiment.toml", [deep("a."), b"a=1".to_vec()].concat()),
        (&hybrid, "experiment.toml", [b"[".to_vec(), deep("a."), b"a]".to_vec()].concat()),
        (
            &hybrid,
            "experiment.toml",
            replaced(&hybrid, "experiment.toml", "hidden = [5]", "layers = 1000000000000"),
        ),
        (&hybrid, "experiment.toml", replaced(&hybrid, "experiment.toml", "hidden = [5]", "hidden = [4096]")),
        (
            &hybrid,
            "experiment.toml",
            replaced(&hybrid, "experiment.toml", "members = 2", "members = 4294967295"),
        ),
        (
            &hybrid,
            "experiment.toml",
            replaced(&hybrid, "experiment.toml", "repeats = 2", "repeats = 4294967295"),
        ),
        (&hybrid, "experiment.toml", replaced(&hybrid, "experiment.toml", "coulomb_balance", "xu2018")),
        (&hybrid, "weights.safetensors", u64::MAX.to_le_bytes().to_vec()),
        (&hybrid, "weights.safetensors", 99_999_999_u64.to_le_bytes().to_vec()),
        (&hybrid, "weights.safetensors", header(&"[".repeat(100_000))),
        (
            &hybrid,
            "weights.safetensors",
            weights("{\"dtype\":\"F32\",\"shape\":[4,5],\"data_offsets\":[0,80]}"),
        ),
        (
            &hybrid,
            "weights.safetensors",
            weights("{\"dtype\":\"F32\",\"shape\":[1000000000000,0],\"data_offsets\":[0,0]}"),
        ),
        (
            &hybrid,
            "weights.safetensors",
            weights("{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}"),
        ),
        (&tier_trees, trees, deep("[")),
        (
            &tier_trees,
            trees,
            replaced(&tier_trees, trees, "\"num_class\":\"3\"", "\"num_class\":\"999999999999\""),
        ),
        (
            &tier_trees,
            trees,
            replaced(&tier_trees, trees, "\"num_feature\":\"4\"", "\"num_feature\":\"999999999999\""),
        ),
    ];
    for (idx, (victim, name, bytes)) in cases.into_iter().enumerate() {
        let error = victim.load_with(name, &bytes).expect_err(&format!("{idx}: {name} is accepted"));
        let text = super::build::chain(&error);
        // What an experiment says differs from what is stored is noticed where the numbers are.
        let is_named = text.contains(name) || (name == "experiment.toml" && text.contains("is damaged"));
        assert!(is_named, "{idx} {name}: {text}");
    }
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
