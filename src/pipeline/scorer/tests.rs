//! Tests of the scorer on every kind of pipeline, against the plain computation and against itself.

use proptest::prelude::*;

use super::*;
use crate::model::Architecture;
use crate::model::calibration::{Calibration, Rising};
use crate::model::logistic::Logistic;
use crate::model::trees::flat::Forest;
use crate::pipeline::{Body, Member, Part, sample};
use crate::prepare::Scaler;

/// Agreement with the plain computation, of the larger of 1 and the label.
const TOLERANCE: f64 = 1e-5;

fn score(scorer: &Scorer, rows: &[Vec<f64>]) -> Vec<f64> {
    let mut labels = vec![f64::NAN; 3];
    scorer.score(&rows.concat(), &mut labels);
    labels
}

fn bits(labels: &[f64]) -> Vec<u64> {
    labels.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn every_sample_is_scored_as_it_means() {
    for (name, pipeline) in sample::all() {
        let scorer = Scorer::new(&pipeline).unwrap();
        assert_eq!((scorer.n_inputs(), scorer.width()), (pipeline.inputs.len(), pipeline.width()));
        for gaps in [false, true] {
            let rows = sample::rows(&pipeline, 70, gaps);
            let labels = score(&scorer, &rows);
            assert_eq!(labels.len(), rows.len() * pipeline.width());
            for (row, found) in rows.iter().zip(labels.chunks(pipeline.width())) {
                for (found, expected) in found.iter().zip(pipeline.reference(row)) {
                    let tolerance = TOLERANCE * expected.abs().max(1.0);
                    assert!((found - expected).abs() <= tolerance, "{name}: {found} for {expected}");
                }
            }
        }
    }
}

#[test]
fn infinite_inputs_are_missing() {
    for (name, pipeline) in sample::all() {
        let scorer = Scorer::new(&pipeline).unwrap();
        let rows = sample::rows(&pipeline, 20, true);
        let infinite = |v: &f64| if v.is_nan() { f64::NEG_INFINITY } else { *v };
        let others: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(infinite).collect()).collect();
        assert_eq!(bits(&score(&scorer, &rows)), bits(&score(&scorer, &others)), "{name}");
    }
}

#[test]
fn rows_and_batches_and_threads_give_the_same_bits() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let (one, many) = (pool(1), pool(4));
    for (name, pipeline) in sample::all() {
        let scorer = Scorer::new(&pipeline).unwrap();
        let rows = sample::rows(&pipeline, 150, true);
        let alone: Vec<f64> = rows.iter().flat_map(|row| score(&scorer, std::slice::from_ref(row))).collect();
        let whole = score(&scorer, &rows);
        assert_eq!(bits(&whole), bits(&alone), "{name}");
        if !["linear", "hybrid line", "dense Tanh Layer", "trees", "isotonic"].contains(&name.as_str()) {
            continue;
        }
        // More than one chunk, the last one cut.
        let long: Vec<Vec<f64>> = rows.iter().cycle().take(2 * CHUNK_ROWS + 37).cloned().collect();
        let alone: Vec<u64> = bits(&whole).into_iter().cycle().take(long.len() * scorer.width()).collect();
        for pool in [&one, &many] {
            assert_eq!(pool.install(|| bits(&score(&scorer, &long))), alone, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_row_does_not_depend_on_its_company(
        which in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1..40_usize, 1..6),
    ) {
        let all = sample::all();
        let (name, pipeline) = which.get(&all);
        let scorer = Scorer::new(pipeline).unwrap();
        let rows = sample::rows(pipeline, sizes.iter().sum(), true);
        let whole = score(&scorer, &rows);
        let mut rest = &rows[..];
        let mut cut = Vec::new();
        for &size in &sizes {
            cut.extend(score(&scorer, &rest[..size]));
            rest = &rest[size..];
        }
        prop_assert_eq!(bits(&whole), bits(&cut), "{}", name);
    }
}

#[test]
fn pipelines_take_turns_on_one_thread() {
    let all = sample::all();
    let scorers: Vec<Scorer> = all.iter().map(|(_, pipeline)| Scorer::new(pipeline).unwrap()).collect();
    let rows: Vec<_> = all.iter().map(|(_, pipeline)| sample::rows(pipeline, 70, true)).collect();
    let turn = |n: usize| -> Vec<Vec<u64>> {
        scorers.iter().zip(&rows).map(|(scorer, rows)| bits(&score(scorer, &rows[..n]))).collect()
    };
    let (long, short) = (turn(70), turn(5));
    assert_eq!(turn(5), short);
    for (long, short) in long.iter().zip(&short) {
        assert_eq!(long[..short.len()], short[..]);
    }
}

#[test]
fn no_rows_have_no_labels() {
    for (_, pipeline) in sample::all() {
        assert!(score(&Scorer::new(&pipeline).unwrap(), &[]).is_empty());
    }
}

#[test]
fn parts_that_see_the_same_stand_side_by_side_and_change_nothing() {
    for name in ["dense Tanh Batch", "classes", "hybrid xu2018"] {
        let mut pipeline = named(name);
        let again = |part: &Part| Part { repetition: 1, ..part.clone() };
        pipeline.parts = pipeline.parts.iter().cloned().chain(pipeline.parts.iter().map(again)).collect();
        let weights = &mut members(&mut pipeline.parts[2])[0].weights;
        weights[0] += 0.5;
        let scorer = Scorer::new(&pipeline).unwrap();
        let shared: Vec<bool> = scorer.parts.iter().map(|part| part.shares_inputs).collect();
        assert_eq!(shared, [false, true, false, true]);
        let rows = sample::rows(&pipeline, 40, true);
        for (row, found) in rows.iter().zip(score(&scorer, &rows).chunks(pipeline.width())) {
            for (found, expected) in found.iter().zip(pipeline.reference(row)) {
                assert!((found - expected).abs() <= TOLERANCE * expected.abs().max(1.0), "{name}");
            }
        }
    }
}

fn named(name: &str) -> Pipeline {
    let found = sample::all().into_iter().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("{name}")).1
}

/// A change, the sample that it is made to, and what is said of it.
type Damage = (&'static str, fn(&mut Part), &'static str);

#[test]
fn says_what_does_not_fit() {
    let damages: [Damage; 16] = [
        ("linear", |p| p.columns[0] = 99, "reads input 99 of 5"),
        ("law line", |p| p.stress[0] = 99, "reads input 99"),
        ("linear", |p| p.scaler.sd.push(1.0), "6 numbers of a scaler in place of 5"),
        ("law line", |p| p.stress_median.clear(), "0 medians of stress"),
        ("law line", |p| p.body = Body::Linear { weights: vec![0.0] }, "1 weights in place of 6"),
        ("logistic", |p| p.body = Body::Linear { weights: vec![0.0; 6] }, "1 outputs in place of 3"),
        ("logistic", logistic, "1 coefficients in place of 3"),
        (
            "logistic",
            |p| p.body = Body::Logistic(Logistic { coefficients: vec![], intercepts: vec![] }),
            "0 logits in place of 1",
        ),
        ("classes", |p| architecture(p).d_input = 4, "4 inputs of the networks in place of 5"),
        ("isotonic", |p| calibration(p).clear(), "0 calibrated tiers in place of 3"),
        ("isotonic", |p| calibration(p)[1].y.clear(), "0 values of a calibration in place of 3"),
        ("classes", |p| members(p).clear(), "0 networks"),
        ("classes", |p| members(p)[1].weights.truncate(5), "5 weights of a network"),
        ("dense Relu Batch", |p| members(p)[2].statistics.clear(), "0 statistics of a network"),
        ("hybrid line", without_fit, "0 fits of a law in place of 1"),
        ("trees", fewer_columns, "5 inputs of the trees in place of 1"),
    ];
    for (name, damage, expected) in damages {
        let mut pipeline = named(name);
        damage(&mut pipeline.parts[0]);
        let said = Scorer::new(&pipeline).unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains("fold0"), "{name}: {said}");
    }
    let mut pipeline = named("linear");
    pipeline.parts.clear();
    assert!(matches!(Scorer::new(&pipeline), Err(ScorerError::Empty { n_parts: 0, n_inputs: 5 })));
}

fn logistic(part: &mut Part) {
    let Body::Logistic(logistic) = &mut part.body else { panic!("logistic") };
    logistic.coefficients.truncate(1);
}

fn calibration(part: &mut Part) -> &mut Vec<Rising> {
    match &mut part.calibration {
        Some(Calibration::Isotonic { classes, .. }) => classes,
        other => panic!("{other:?}"),
    }
}

fn members(part: &mut Part) -> &mut Vec<Member> {
    match &mut part.body {
        Body::Networks { members, .. } => members,
        other => panic!("{other:?}"),
    }
}

fn architecture(part: &mut Part) -> &mut Architecture {
    match &mut part.body {
        Body::Networks { architecture, .. } => architecture,
        other => panic!("{other:?}"),
    }
}

fn fewer_columns(part: &mut Part) {
    part.columns.truncate(1);
    let Scaler { median, mean, sd } = &mut part.scaler;
    for list in [median, mean, sd] {
        list.truncate(1);
    }
}

fn without_fit(part: &mut Part) {
    let Body::Networks { start, .. } = &mut part.body else { panic!("networks") };
    *start = None;
}

#[test]
fn trees_have_the_bits_of_their_plain_nodes() {
    let pipeline = named("trees");
    let scorer = Scorer::new(&pipeline).unwrap();
    for row in sample::rows(&pipeline, 30, true) {
        let of_part = |part: &Part| {
            let Body::Trees { trees, .. } = &part.body else { panic!("trees") };
            let row: Vec<f32> = part.columns.iter().map(|&c| row[c] as f32).collect();
            let one = |trees| {
                let mut margin = [0.0];
                Forest::new(trees).unwrap().margins(&row, &mut margin);
                f64::from(margin[0])
            };
            trees.iter().map(one).sum::<f64>() / trees.len() as f64
        };
        let expected = pipeline.parts.iter().map(of_part).sum::<f64>() / pipeline.parts.len() as f64;
        assert_eq!(bits(&score(&scorer, std::slice::from_ref(&row))), bits(&[expected]));
    }
}
