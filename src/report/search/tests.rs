//! A made-up search, as real ones are, and what its figures and tables must show; degenerate ones must not break them.

use super::*;
use crate::report::Figure;
use crate::seed::Seed;
use crate::tuner::{Budget, Condition, Evaluation, Measurement, Origin, Scale, Values};
use rand::RngExt;

fn int(min: i64, max: i64, step: i64) -> Domain {
    Domain::Int { min, max, step, scale: Scale::Linear }
}

fn param(name: &str, domain: Domain, parents: &[i64]) -> Param {
    let values = parents.iter().map(|v| Value::Int(*v)).collect();
    let condition = Condition { parent: "model/layers".into(), values };
    let conditions = if parents.is_empty() { Vec::new() } else { vec![condition] };
    Param { name: name.into(), key: name.replace('/', "."), index: None, domain, conditions }
}

fn space() -> Space {
    let float = |min, max, step, scale| Domain::Float { min, max, step, scale };
    let names = ["relu", "tanh", "gelu", "swish"].map(|v| Value::Text(v.into()));
    Space {
        params: vec![
            param("model/layers", int(1, 3, 1), &[]),
            param("model/units_0", int(32, 256, 32), &[]),
            param("model/units_1", int(32, 256, 32), &[2, 3]),
            param("model/units_2", int(32, 256, 32), &[3]),
            param("model/activation", Domain::Choice { values: names.into(), ordered: false }, &[]),
            param("train/learning_rate", float(1e-4, 1e-2, None, Scale::Log), &[]),
            param("train/dropout", float(0.0, 0.4, Some(0.1), Scale::Linear), &[]),
            param("train/batch_norm", Domain::Bool, &[]),
        ],
    }
}

/// Returns a score that is least at a learning rate of 0.002, tanh and wide layers.
fn score(values: &Values) -> f64 {
    let number = |name: &str| values.get(name).and_then(Value::as_f64);
    let rate = (number("train/learning_rate").unwrap() / 2e-3).log10();
    let flat = if values["model/activation"] == Value::Text("tanh".into()) { 0.0 } else { 0.006 };
    let wide = number("model/units_0").unwrap() / 256.0;
    0.031
        + 0.014 * rate * rate
        + flat
        + 0.008 * (1.0 - wide).powi(2)
        + 0.02 * number("train/dropout").unwrap().powi(2)
}

fn measured(mean: f64, sd: f64) -> Measurement {
    let folds =
        [("B0005", 0.9), ("B0006", 1.1)].map(|(f, k)| (f.to_owned(), vec![k * (mean - sd), k * (mean + sd)]));
    Measurement { mean, folds: folds.into() }
}

fn trials(n: usize) -> Vec<Trial> {
    let space = space();
    let mut random = Seed::new(7).stream("fake");
    let one = |number: usize| {
        let point: Vec<f64> = (0..space.len()).map(|_| random.random::<f64>()).collect();
        let trial = Trial::new(number, format!("{number:04}"), space.values(&point), None);
        if [5, 17, 30].contains(&number) {
            return Trial { status: Status::Failed, message: Some("diverged in epoch 12".into()), ..trial };
        }
        if number == 40 {
            return trial;
        }
        let rmse = score(&trial.values) * (1.0 + 0.03 * random.random::<f64>());
        let latency =
            20.0 + 0.2 * trial.values["model/units_0"].as_f64().unwrap() + 30.0 * random.random::<f64>();
        let metrics = [("rmse".into(), measured(rmse, 0.0004)), ("latency".into(), measured(latency, 1.0))];
        let evaluation = Some(Evaluation { epoch: 120, metrics: metrics.into(), seconds: 12.3 });
        Trial { status: Status::Completed, evaluation, ..trial }
    };
    (0..n).map(one).collect()
}

/// Gives each trial a budget of Hyperband, and the better a score the greater it is.
fn with_budgets(mut trials: Vec<Trial>) -> Vec<Trial> {
    for trial in &mut trials {
        let round = [0, 0, 0, 1, 0, 0, 1, 2, 0, 3][trial.number % 10];
        trial.budget = Some(Budget { from: 0, until: 4 * 3_u32.pow(round), bracket: 0, round, source: None });
        if let Some(m) = trial.evaluation.as_mut().and_then(|e| e.metrics.get_mut("rmse")) {
            m.mean *= 20.0_f64.powf(1.0 - f64::from(round) / 3.0) * if round == 0 { 8.0 } else { 1.0 };
        }
    }
    trials
}

fn effects() -> Vec<Effect> {
    let rows = [
        ("train/learning_rate", 0.52, 0.61),
        ("model/activation", 0.17, 0.24),
        ("model/units_0", 0.08, 0.15),
        ("train/dropout", 0.03, 0.06),
        ("model/layers", 0.01, 0.03),
        ("model/units_1", 0.004, 0.02),
        ("train/batch_norm", 0.0, 0.004),
        ("model/units_2", -0.01, 0.001),
    ];
    rows.map(|(name, a, b)| (name.to_owned(), a, b)).into()
}

fn unit(metric: &str) -> String {
    match metric {
        "rmse" => "Ah".into(),
        "latency" => "us".into(),
        _ => String::new(),
    }
}

fn one() -> Vec<Objective> {
    vec![Objective::minimise("rmse")]
}

fn two() -> Vec<Objective> {
    vec![Objective::minimise("rmse"), Objective::minimise("latency")]
}

/// Hands a search to `look`.
fn see<R>(space: &Space, objectives: &[Objective], trials: &[Trial], look: impl FnOnce(&Search) -> R) -> R {
    let notes = ["The cells are synthetic: a simulator made them.".to_owned()];
    look(&Search { name: "nasa_charge", space, objectives, trials, unit_of: &unit, notes: &notes })
}

fn all(search: &Search, effects: &[Effect]) -> [Figure; 4] {
    [history(search), parallel(search, effects), slices(search, effects), importance(search, effects)]
}

fn count(figure: &Figure, class: &str) -> usize {
    figure.svg().matches(&format!("class=\"tt trial {class}\"")).count()
}

/// Writes the pictures to `$FADECAST_FIGURES`, where somebody wants to look at them.
#[test]
fn every_figure_can_be_stored() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("FADECAST_FIGURES")
        .map_or_else(|| temporary.path().into(), std::path::PathBuf::from);
    let store = |name: &str, figure: &Figure| {
        figure.save(&folder.join(name)).unwrap();
        assert!(folder.join(name).with_extension("png").metadata().unwrap().len() > 5000, "{name}");
    };
    let names = ["history", "parallel", "slices", "importance"];
    see(&space(), &one(), &trials(41), |s| {
        names.iter().zip(all(s, &effects())).for_each(|(n, f)| store(n, &f));
    });
    see(&space(), &one(), &with_budgets(trials(41)), |s| store("hyperband", &history(s)));
    see(&space(), &two(), &trials(41), |s| store("pareto", &history(s)));
    let (space, trials) = crowded();
    see(&space, &one(), &trials, |s| {
        ["h", "p", "s", "i"]
            .iter()
            .zip(all(s, &many_effects()))
            .for_each(|(n, f)| store(&format!("crowded-{n}"), &f));
    });
}

#[test]
fn every_trial_has_its_mark() {
    see(&space(), &one(), &trials(41), |s| {
        let [history, parallel, slices, _] = all(s, &effects());
        assert_eq!(
            (count(&history, "completed"), count(&history, "failed"), count(&history, "best")),
            (37, 3, 1)
        );
        assert_eq!(
            (count(&parallel, "completed"), count(&parallel, "failed"), count(&parallel, "best")),
            (36, 3, 1)
        );
        assert_eq!(
            (count(&slices, "best"), count(&slices, "failed")),
            (present(s, 3), present(s, 5) + present(s, 17) + present(s, 30))
        );
        assert!(history.svg().contains("rmse [Ah], lower is better"));
    });
    see(&space(), &two(), &trials(41), |s| assert_eq!(count(&history(s), "completed"), 37));
    let mut garbled = trials(6);
    garbled[5].message = Some("lost \u{1b}[31m<data> & \u{0}more".into());
    see(&space(), &one(), &garbled, |s| {
        let svg = history(s).svg();
        assert!(svg.contains("lost [31m&lt;data") && !svg.contains(['\u{0}', '\u{1b}']), "{svg}");
    });
}

fn present(search: &Search, number: usize) -> usize {
    search.space.params.iter().filter(|p| search.trials[number].values.contains_key(&p.name)).count()
}

/// Returns 200 parameters of every kind, with long names and many levels.
fn crowded() -> (Space, Vec<Trial>) {
    let levels: Vec<Value> = (0..40).map(|k| Value::Text(format!("a rather long level {k}"))).collect();
    let one = |k: usize| {
        let domain = match k % 4 {
            0 => Domain::Choice { values: levels.clone(), ordered: true },
            1 => Domain::Float { min: 1e-9, max: 10.0, step: None, scale: Scale::Log },
            2 => Domain::Int { min: 1, max: 100_000, step: 1, scale: Scale::ReverseLog },
            _ => Domain::Float { min: -0.003, max: 0.004, step: None, scale: Scale::Linear },
        };
        param(&format!("model/block_{k}/a_long_parameter_name"), domain, &[])
    };
    let space = Space { params: (0..200).map(one).collect() };
    let mut random = Seed::new(3).stream("crowded");
    let mut trials = Vec::new();
    for number in 0..120 {
        let point: Vec<f64> = (0..200).map(|_| random.random::<f64>()).collect();
        let new = Trial::new(number, number.to_string(), space.values(&point), None);
        let rmse = if number == 60 { 900.0 } else { point[0] + 0.2 * point[1] - 1.0 };
        let metrics = [("rmse".to_owned(), Measurement { mean: rmse, ..Measurement::default() })].into();
        let evaluation = Some(Evaluation { epoch: 1, metrics, seconds: 0.5 });
        let origin = if number < 10 { Origin::Observed } else { Origin::Proposed };
        trials.push(Trial { status: Status::Completed, evaluation, origin, ..new });
    }
    (space, trials)
}

fn many_effects() -> Vec<Effect> {
    let share = |k: usize| 0.4 / (k + 1) as f64;
    (0..200).map(|k| (format!("model/block_{k}/a_long_parameter_name"), 0.5 * share(k), share(k))).collect()
}

#[test]
fn degenerate_searches_are_drawn_too() {
    let many = trials(41);
    let failed: Vec<Trial> = many.iter().filter(|t| t.status == Status::Failed).cloned().collect();
    let mut constant = many.clone();
    let mut undefined = many.clone();
    let set = |trials: &mut [Trial], value: f64| {
        for evaluation in trials.iter_mut().filter_map(|t| t.evaluation.as_mut()) {
            evaluation.metrics.insert("rmse".into(), Measurement { mean: value, ..Measurement::default() });
        }
    };
    set(&mut constant, 0.0);
    set(&mut undefined, f64::NAN);
    let single = Space { params: space().params[..1].to_vec() };
    let none = Space::default();
    for trials in [&[], &many[..1], &failed[..], &constant[..], &undefined[..]] {
        for (space, objectives) in
            [(&space(), one()), (&single, one()), (&none, one()), (&space(), two()), (&space(), vec![])]
        {
            see(space, &objectives, trials, |s| {
                for figure in all(s, &[]).iter().chain(&all(s, &[("x".into(), f64::NAN, 0.1)])) {
                    assert!(!figure.svg().contains("NaN") && !figure.svg().contains("inf\""), "{s:?}");
                }
                let tables = [table::show(s, 5), table::best(s, 3), table::importance(s, &[])];
                assert!(tables.iter().all(|t| !t.is_empty()));
            });
        }
    }
    see(&space(), &one(), &undefined, |s| {
        assert_eq!((count(&history(s), "failed"), count(&history(s), "completed")), (40, 0));
    });
}

#[test]
fn an_outlier_is_an_arrow_and_what_is_left_out_is_said() {
    let (space, trials) = crowded();
    see(&space, &one(), &trials, |s| {
        let [history, parallel, slices, _] = all(s, &many_effects());
        assert_eq!((count(&history, "beyond"), count(&history, "completed")), (1, 119));
        assert!(history.svg().contains("Triangle: 1 trial "));
        assert!(parallel.svg().contains("The 10 most important of 200 parameters."));
        assert!(slices.svg().contains("The 16 most important of 200 parameters."));
    });
}

#[test]
fn what_matters_most_comes_first_and_what_is_unknown_last() {
    let effects = [("model/layers", f64::NAN), ("model/units_0", 0.1), ("train/dropout", 0.4)];
    let effects = effects.map(|(name, total)| (name.to_owned(), 0.0, total));
    see(&space(), &one(), &[], |s| {
        let names: Vec<_> = s.varied(&effects).iter().take(3).map(|p| p.name.clone()).collect();
        assert_eq!(names, ["train/dropout", "model/units_0", "model/layers"]);
    });
}

#[test]
fn names_are_as_short_as_they_can_be() {
    let names = ["model/units_0", "model/dropout", "train/dropout", "lr", "train/optimizer/kind"];
    let space = Space { params: names.map(|n| param(n, Domain::Bool, &[])).into() };
    let short = Names::of(&space);
    let expected = ["units_0", "model/dropout", "train/dropout", "lr", "optimizer/kind"];
    assert_eq!(names.map(|n| short.short(n)), expected);
}

/// Returns four trials, one of each kind and the best with one execution only.
fn few() -> (Space, Vec<Trial>) {
    let all = space().params;
    let space = Space { params: vec![all[1].clone(), all[5].clone()] };
    let trial = |number: usize, units: i64, rate: f64| {
        let values =
            [("model/units_0".into(), Value::Int(units)), ("train/learning_rate".into(), Value::Float(rate))];
        Trial::new(number, format!("{number:02}"), values.into(), None)
    };
    let evaluated = |trial: Trial, rmse: Measurement, (epoch, seconds): (u32, f64)| {
        let metrics = [("rmse".to_owned(), rmse)].into();
        Trial { status: Status::Completed, evaluation: Some(Evaluation { epoch, metrics, seconds }), ..trial }
    };
    let folds = [("B0005".to_owned(), vec![0.03, 0.05]), ("B0006".to_owned(), vec![0.05, 0.07])].into();
    let alone = Measurement { mean: 0.031, ..Measurement::default() };
    let trials = vec![
        evaluated(trial(0, 64, 1e-3), Measurement { mean: 0.05, folds }, (12, 1.5)),
        Trial { status: Status::Failed, message: Some("diverged".into()), ..trial(1, 32, 0.01) },
        evaluated(trial(2, 256, 0.003_26), alone, (100, 250.0)),
        trial(3, 128, 1e-5),
    ];
    (space, trials)
}

#[test]
fn tables_are_aligned_and_say_all() {
    // By hand: means over folds of the executions are 0.04 and 0.06, their standard deviation is 0.02 / sqrt(2).
    let show = "\
nasa_charge: 2 completed, 1 failed, 1 running
best    trial 02, rmse 0.03100 Ah

                                            units  learning
  rank     trial  rmse [Ah]     sd  epochs     _0     _rate    s
  1           02    0.03100            100    256   0.00326  250
  2           00    0.05000  0.014      12     64     0.001  1.5
  running     03                              128      1e-5
  failed      01                               32      0.01
failed  01: diverged
note    The cells are synthetic: a simulator made them.
";
    let best = "\
nasa_charge: 2 completed, 1 failed, 1 running
best    trial 02, rmse 0.03100 Ah

                            1.               2.
  trial                     02               00
  rmse [Ah]            0.03100  0.05000 ± 0.014
  epochs                   100               12
  model/units_0            256               64
  train/learning_rate  0.00326            0.001
note    The cells are synthetic: a simulator made them.
";
    let importance = "\
nasa_charge: share of the variance of rmse [%]
                 alone  total
  learning_rate   52.0   61.0  ████████████████████████
  units_0          0.0   15.0  ██████
";
    let (space, trials) = few();
    let effects = [("model/units_0".into(), -0.1, 0.15), ("train/learning_rate".into(), 0.52, 0.61)];
    see(&space, &one(), &trials, |s| {
        assert_eq!(table::show(s, 9), show);
        assert!(table::show(s, 1).contains("\n  … 3 more trials\n"));
        assert_eq!(table::best(s, 5), best);
        assert_eq!(table::importance(s, &effects), importance);
    });
}

#[test]
fn no_line_of_a_table_is_too_long() {
    let (space_of_many, crowd) = crowded();
    for (space, trials) in [(space(), trials(41)), (space_of_many, crowd)] {
        for objectives in [one(), two()] {
            see(&space, &objectives, &trials, |s| {
                for text in [table::show(s, 50), table::best(s, 20), table::importance(s, &effects())] {
                    let longest = text.lines().map(|l| l.chars().count()).max().unwrap();
                    assert!(longest <= table::COLUMNS, "{text}");
                }
            });
        }
    }
}
