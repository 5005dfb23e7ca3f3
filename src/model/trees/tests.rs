//! Tests of the trees as the rest of the program sees them; `XGBoost` gave the expected numbers.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::seed::Seed;

/// Both sum 32-bit numbers, in orders of their own.
const TOLERANCE: f64 = 2e-6;

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/trees/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

/// Rows of the fixture, its classes and its values.
struct Data {
    inputs: Vec<Input>,
    rows: Vec<Vec<f64>>,
    labels: Vec<usize>,
    values: Vec<f64>,
}

impl Data {
    fn new() -> Self {
        let all = json("lesson");
        let text = |key: &str| -> Vec<String> { serde_json::from_value(all[key].clone()).unwrap() };
        let inputs = text("names").into_iter().zip(text("units"));
        let inputs = inputs.map(|(name, unit)| Input { name, unit }).collect();
        let rows: Vec<Vec<Option<f64>>> = serde_json::from_value(all["rows"].clone()).unwrap();
        let rows = rows.into_iter().map(|row| row.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect());
        let labels = serde_json::from_value(all["labels"].clone()).unwrap();
        let values = serde_json::from_value(all["values"].clone()).unwrap();
        Self { inputs, rows: rows.collect(), labels, values }
    }

    fn classes<'a>(&'a self, weights: &'a [f64]) -> Lesson<'a> {
        let target = Target::Classes { labels: &self.labels, weights };
        Lesson { inputs: &self.inputs, rows: &self.rows, target }
    }

    fn values(&self) -> Lesson<'_> {
        Lesson { inputs: &self.inputs, rows: &self.rows, target: Target::Values(&self.values) }
    }
}

fn small() -> TreesConfig {
    TreesConfig { rounds: 3, members: 2, learning_rate: 0.5, l1: 0.01, ..TreesConfig::default() }
}

fn small_forest() -> TreesConfig {
    TreesConfig { trees_per_round: 6, depth: 3, ..TreesConfig::forest() }
}

/// Models of the fixture by name.
fn models() -> Vec<(&'static str, Trees)> {
    let data = Data::new();
    let fit = |config, lesson| Trees::fit(&config, &lesson, &Seed::new(3)).unwrap();
    let weighted = TreesConfig { splits: Splits::Best, ..small() };
    vec![
        ("classes", fit(weighted, data.classes(&[1.0, 2.0, 0.5]))),
        ("values", fit(small(), data.values())),
        ("forest", fit(small_forest(), data.classes(&[1.0; 3]))),
    ]
}

fn close(found: &[f64], expected: &Value, what: &str) {
    let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= TOLERANCE * b.abs().max(1.0), "{what}: {a} for {b}");
    }
}

#[test]
fn stored_models_give_what_xgboost_makes_of_them() {
    let (data, expected) = (Data::new(), json("expected"));
    for name in ["classes", "values", "forest"] {
        let trees = Trees::from_json(&fixture(name)).unwrap();
        let expected = &expected[name];
        assert_eq!(trees.inputs(), data.inputs);
        let (outputs, margins) = (trees.predict(&data.rows).unwrap(), trees.margins(&data.rows).unwrap());
        let shap = trees.shap(&data.rows).unwrap();
        for idx in 0..data.rows.len() {
            close(&outputs[idx], &expected["predict"][idx], name);
            close(&margins[idx], &expected["margins"][idx], name);
            for (output, parts) in shap[idx].iter().enumerate() {
                close(parts, &expected["shap"][idx][output], name);
            }
        }
        close(&trees.importance(Importance::Gain), &expected["gain"], "gain");
        close(&trees.importance(Importance::Cover), &expected["cover"], "cover");
    }
}

#[test]
fn a_fit_gives_the_stored_models() {
    let rows = Data::new().rows;
    for (name, fitted) in models() {
        let stored = Trees::from_json(&fixture(name)).unwrap();
        for (a, b) in fitted.margins(&rows).unwrap().iter().zip(stored.margins(&rows).unwrap()) {
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < TOLERANCE), "{name}: {a:?} for {b:?}");
        }
    }
}

#[test]
fn the_stored_form_gives_the_same_bits() {
    let rows = Data::new().rows;
    for (name, trees) in models() {
        let text = trees.to_json().unwrap();
        let again = Trees::from_json(&text).unwrap();
        assert_eq!(again.margins(&rows).unwrap(), trees.margins(&rows).unwrap(), "{name}");
        assert_eq!(again.shap(&rows).unwrap(), trees.shap(&rows).unwrap(), "{name}");
        assert_eq!(again.to_json().unwrap(), text, "{name}");
    }
}

#[test]
fn threads_change_nothing_and_seeds_do() {
    let data = Data::new();
    for config in [small(), small_forest(), TreesConfig { members: 3, ..small_forest() }] {
        let fit = |n_threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let lesson = data.classes(&[1.0; 3]);
            pool.install(|| Trees::fit(&config, &lesson, &Seed::new(seed)).unwrap().to_json().unwrap())
        };
        assert_eq!(fit(1, 5), fit(2, 5));
        assert_ne!(fit(1, 5), fit(1, 6));
    }
}

#[test]
fn a_missing_value_may_be_the_answer() {
    let rows: Vec<Vec<f64>> =
        (0..40).map(|i| vec![if i % 4 == 0 { f64::NAN } else { f64::from(i) }, f64::NAN]).collect();
    let labels: Vec<usize> = (0..40).map(|i| usize::from(i % 4 == 0)).collect();
    let inputs = ["known", "never"].map(|name| Input { name: name.into(), unit: "1".into() });
    let target = Target::Classes { labels: &labels, weights: &[1.0, 1.0] };
    let lesson = Lesson { inputs: &inputs, rows: &rows, target };
    let config = TreesConfig { node_column_share: 1.0, ..TreesConfig::default() };
    let trees = Trees::fit(&config, &lesson, &Seed::new(1)).unwrap();
    for (probabilities, label) in trees.predict(&rows).unwrap().iter().zip(labels) {
        assert!(probabilities[label] > 0.75, "{probabilities:?}");
    }
    assert_eq!(trees.importance(Importance::Gain)[1], 0.0);
    assert!(trees.shap(&rows).unwrap().iter().flatten().all(|parts| parts[1] == 0.0));
}

#[test]
fn a_heavier_class_is_likelier_and_an_absent_one_hardly_is() {
    let mut data = Data::new();
    let fit = |data: &Data, weights: &[f64]| {
        let trees = Trees::fit(&TreesConfig::default(), &data.classes(weights), &Seed::new(2)).unwrap();
        trees.predict(&data.rows).unwrap()
    };
    let mean =
        |rows: &[Vec<f64>], class: usize| rows.iter().map(|row| row[class]).sum::<f64>() / rows.len() as f64;
    let (equal, heavy) = (fit(&data, &[1.0; 3]), fit(&data, &[1.0, 4.0, 1.0]));
    assert!(mean(&heavy, 1) > mean(&equal, 1) + 0.02, "{} {}", mean(&heavy, 1), mean(&equal, 1));
    data.labels.iter_mut().for_each(|label| *label = if *label == 1 { 2 } else { *label });
    let absent = fit(&data, &[1.0; 3]);
    assert!(absent.iter().all(|row| row[1] < 0.05 && row[1] > 0.0), "{absent:?}");
}

#[test]
fn says_what_cannot_be_learnt() {
    let data = Data::new();
    let (equal, values) = ([1.0; 3], data.values.clone());
    let fit = |lesson: Lesson| Trees::fit(&small(), &lesson, &Seed::new(1)).unwrap_err();
    let with_rows = |rows: &[Vec<f64>]| fit(Lesson { rows, ..data.values() });
    assert!(matches!(with_rows(&[]), TreesError::Empty { n_rows: 0, n_inputs: 4 }));
    let short = vec![vec![1.0; 4], vec![1.0; 3]];
    assert!(matches!(with_rows(&short), TreesError::RowWidth { row_idx: 1, found: 3, needed: 4 }));
    let infinite = vec![vec![0.0, 1e39, 0.0, 0.0]];
    assert!(
        matches!(with_rows(&infinite), TreesError::NotFinite { input, row_idx: 0, .. } if input == "voltage")
    );
    assert!(matches!(with_rows(&data.rows[..5]), TreesError::LabelCount { found: 24, n_rows: 5 }));
    let no_input = Lesson { inputs: &[], rows: &vec![vec![]; 24], target: Target::Values(&values) };
    assert!(matches!(fit(no_input), TreesError::Empty { n_rows: 24, n_inputs: 0 }));
    let mut twice = data.inputs.clone();
    twice[3].name = "slope".into();
    let error = fit(Lesson { inputs: &twice, ..data.values() });
    assert!(matches!(error, TreesError::SameName { name } if name == "slope"));
    let unknown = vec![f64::NAN; 24];
    let error = fit(Lesson { target: Target::Values(&unknown), ..data.values() });
    assert!(matches!(error, TreesError::Label { row_idx: 0, .. }));

    let with_labels = |labels: &[usize], weights: &[f64]| {
        fit(Lesson { target: Target::Classes { labels, weights }, ..data.values() })
    };
    assert!(matches!(with_labels(&[1; 24], &equal), TreesError::OneClass { class: 1 }));
    assert!(matches!(with_labels(&[0; 3], &equal), TreesError::LabelCount { found: 3, .. }));
    assert!(
        matches!(with_labels(&data.labels, &[1.0; 2]), TreesError::Label { expected, .. } if expected.contains('2'))
    );
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = with_labels(&data.labels, &[1.0, weight, 1.0]);
        assert!(matches!(error, TreesError::ClassWeight { class: 1, .. }));
    }
    let config = TreesConfig { depth: 0, ..small() };
    let error = Trees::fit(&config, &data.values(), &Seed::new(1)).unwrap_err();
    assert!(matches!(error, TreesError::Setting(ModelError::OutOfRange { key: "depth", .. })));
}

#[test]
fn asks_for_the_inputs_it_learnt() {
    let trees = Trees::from_json(&fixture("values")).unwrap();
    assert!(trees.predict(&[]).unwrap().is_empty() && trees.shap(&[]).unwrap().is_empty());
    let long = [vec![0.0; 5]];
    assert!(matches!(trees.predict(&long), Err(TreesError::RowWidth { found: 5, needed: 4, .. })));
    assert!(matches!(trees.shap(&long), Err(TreesError::RowWidth { found: 5, needed: 4, .. })));
    let infinite = [vec![0.0, 0.0, f64::NEG_INFINITY, 0.0]];
    assert!(matches!(trees.predict(&infinite), Err(TreesError::NotFinite { .. })));
}

#[test]
fn says_what_is_wrong_with_a_stored_model() {
    let reason = |text: &str| match Trees::from_json(text) {
        Err(TreesError::Stored { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is read"),
    };
    let text = fixture("values");
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        reason(&text.replacen(from, to, 1))
    };
    reason("");
    reason("{}");
    assert!(changed("\"ratio\"", "\"ratio\",\"more\"").contains("4 units for 5 names"));
    let more =
        text.replacen("\"ratio\"", "\"ratio\",\"more\"", 1).replacen("\\\"1\\\"]", "\\\"1\\\",\\\"V\\\"]", 1);
    assert!(reason(&more).contains("5 names for 4 inputs"), "{}", reason(&more));
    assert!(changed("\"ratio\"", "\"slope\"").contains("slope"));
    assert!(changed("reg:squarederror", "reg:absoluteerror").contains("reg:absoluteerror"));
    assert!(changed("\"gbtree\"", "\"gblinear\"").contains("gblinear"));
    assert!(
        reason(&text.replace("\"num_feature\":\"4\"", "\"num_feature\":\"5\""))
            .contains("4 names for 5 inputs")
    );
    for end in (0..text.len() - 1).step_by(97) {
        reason(&text[..end]);
    }
}

fn columns(n_inputs: usize) -> Vec<Input> {
    (0..n_inputs).map(|idx| Input { name: format!("x{idx}"), unit: "1".into() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn shap_values_sum_up_to_the_margin(
        rows in (1..6_usize).prop_flat_map(|d| {
            let value = prop_oneof![4 => -1e3..1e3_f64, 1 => Just(f64::NAN), 1 => Just(0.0)];
            prop::collection::vec(prop::collection::vec(value, d), 4..30)
        }),
        random in any::<bool>(),
        depth in 1..6_u32,
        members in 1..4_u32,
        seed in any::<u64>(),
    ) {
        let splits = if random { Splits::Random } else { Splits::Best };
        let config = TreesConfig { rounds: 4, splits, depth, members, min_child_weight: 0.1, ..TreesConfig::default() };
        let labels: Vec<usize> = (0..rows.len()).map(|idx| idx % 3).collect();
        let inputs = columns(rows[0].len());
        let target = Target::Classes { labels: &labels, weights: &[1.0, 1.0, 1.0] };
        let lesson = Lesson { inputs: &inputs, rows: &rows, target };
        let trees = Trees::fit(&config, &lesson, &Seed::new(seed)).unwrap();
        let (margins, shap) = (trees.margins(&rows).unwrap(), trees.shap(&rows).unwrap());
        for (margin, parts) in margins.iter().flatten().zip(shap.iter().flatten()) {
            prop_assert_eq!(parts.len(), inputs.len() + 1);
            prop_assert!((margin - parts.iter().sum::<f64>()).abs() < 1e-5);
        }
        for probabilities in trees.predict(&rows).unwrap() {
            prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn values_stay_within_those_learnt(values in prop::collection::vec(-1e3..1e3_f64, 5..40)) {
        let rows: Vec<Vec<f64>> = (0..values.len()).map(|idx| vec![idx as f64]).collect();
        let inputs = columns(1);
        let lesson = Lesson { inputs: &inputs, rows: &rows, target: Target::Values(&values) };
        let config = TreesConfig { row_share: 1.0, ..TreesConfig::default() };
        let trees = Trees::fit(&config, &lesson, &Seed::new(1)).unwrap();
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        for value in trees.predict(&rows).unwrap().iter().flatten() {
            prop_assert!(*value > least - 1e-2 && *value < most + 1e-2, "{value} in {least}..{most}");
        }
    }

    #[test]
    fn a_damaged_byte_never_panics(position in any::<prop::sample::Index>(), byte in 32..127_u8) {
        let mut text = fixture("values").into_bytes();
        let at = position.index(text.len());
        text[at] = byte;
        if let Ok(trees) = Trees::from_json(std::str::from_utf8(&text).unwrap()) {
            let rows = vec![vec![0.5; trees.inputs().len()]];
            let _ = (trees.predict(&rows), trees.shap(&rows));
        }
    }
}
