//! The code, compiled by the system's compiler with every warning an error, against the plain meaning of pipelines.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::experiment::folder::RunFolder;
use crate::experiment::task::Task;
use crate::pipeline::{Body, Output, sample};

/// Largest difference of `float` code, relative to the answer or 1.
const TOLERANCE: f64 = 1e-5;

/// Every warning that must not come.
const WARNINGS: [&str; 13] = [
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-Wconversion",
    "-Wdouble-promotion",
    "-Wshadow",
    "-Wvla",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wcast-qual",
    "-Wundef",
];

/// A pipeline, its code, the rows that it is asked, and what it said.
struct Case {
    name: String,
    pipeline: Pipeline,
    options: Options,
    code: Code,
    rows: Vec<Vec<f64>>,
    answers: Vec<Vec<f64>>,
}

impl Case {
    fn new(name: &str, pipeline: &Pipeline, options: &Options, rows: Vec<Vec<f64>>) -> Self {
        let code = generate(pipeline, options).unwrap();
        let (name, pipeline, options) = (name.to_owned(), pipeline.clone(), options.clone());
        Self { name, pipeline, options, code, rows, answers: Vec::new() }
    }

    fn prefix(&self) -> String {
        name::prefix(&self.options.name)
    }

    /// Returns what the label of a row is, and half the width of its interval.
    fn expected(&self, row: &[f64]) -> (Vec<f64>, f64) {
        let score = self.pipeline.interval.as_ref().and_then(|i| i.score(self.options.level));
        (self.pipeline.reference(row), score.unwrap_or(f64::NAN))
    }

    /// Returns the numbers that the driver prints of an answer, in order.
    fn fields(&self) -> Vec<String> {
        let three = |name: &str| ["", "_lower", "_upper"].map(|end| format!("{name}{end}")).to_vec();
        let mut fields = match &self.pipeline.output {
            Output::Soh { reference_ah } => {
                let capacity = reference_ah.map(|_| three("capacity_ah")).unwrap_or_default();
                [three("soh"), capacity].concat()
            }
            Output::Life { .. } => three("cycle_life"),
            Output::Tier { names } => {
                let each = |name: &str| (0..names.len()).map(|k| format!("{name}[{k}]")).collect::<Vec<_>>();
                [each("probability"), each("in_set"), vec!["tier".into()]].concat()
            }
        };
        fields.extend((0..self.pipeline.inputs.len()).map(|i| format!("flag[{i}]")));
        fields
    }

    /// Returns a function that reads rows and prints answers.
    fn driver(&self) -> String {
        let (p, n) = (self.prefix(), self.pipeline.inputs.len());
        let format = if self.options.double { "%lf" } else { "%f" };
        let print = |field: String| format!("        printf(\" %.17g\", (double)out.{field});\n");
        let prints: String = self.fields().into_iter().map(print).collect();
        format!(
            "static int run_{p}(void)\n{{\n    {p}_input_t in;\n    {p}_output_t out;\n    int n = 0;\n    \
             if (scanf(\"%d\", &n) != 1) return 1;\n    while (n-- > 0) {{\n        {p}_clear(&in);\n        \
             for (int i = 0; i < {n}; i++) if (scanf(\"{format}\", &in.value[i]) != 1) return 1;\n        \
             printf(\"%d\", {p}_predict(&in, &out));\n{prints}        printf(\"\\n\");\n    }}\n    return 0;\n}}\n\n"
        )
    }
}

/// Returns the answers of all cases; none where there is no compiler.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn answered(mut cases: Vec<Case>) -> Vec<Case> {
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: no C compiler");
        return Vec::new();
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &cases);
    compile(folder.path(), &cases);
    let text = run(folder.path(), &cases);
    let mut lines = text.lines();
    for case in &mut cases {
        let number = |word: &str| word.parse::<f64>().unwrap();
        let line = |line: &str| line.split(' ').map(number).collect();
        case.answers = lines.by_ref().take(case.rows.len()).map(line).collect();
        assert_eq!(case.answers.len(), case.rows.len(), "{}", case.name);
    }
    cases
}

fn write(folder: &Path, cases: &[Case]) {
    let mut driver = String::from("#include <stdio.h>\n");
    for case in cases {
        writeln!(driver, "#include \"{}.h\"", case.options.name).unwrap();
    }
    for case in cases {
        driver += &case.driver();
    }
    let call = |case: &Case| {
        let (p, capitals) = (case.prefix(), case.prefix().to_uppercase());
        format!("    if ({p}_predict(0, 0) != {capitals}_NO_ANSWER || run_{p}()) return 1;\n")
    };
    let calls: String = cases.iter().map(call).collect();
    writeln!(driver, "int main(void)\n{{\n{calls}    return 0;\n}}").unwrap();
    put(&folder.join("driver.c"), &driver);
    for case in cases {
        put(&folder.join(format!("{}.h", case.options.name)), &case.code.header);
        put(&folder.join(format!("{}.c", case.options.name)), &case.code.source);
    }
}

fn put(path: &Path, text: &str) {
    fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Compiles with `cc`, or what `FADECAST_CC` says (`gcc -O2 -fsanitize=address,undefined`).
fn compile(folder: &Path, cases: &[Case]) {
    let cc = std::env::var("FADECAST_CC").unwrap_or_else(|_| "cc -O1".into());
    let mut words = cc.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.current_dir(folder).args(words).args(WARNINGS).arg("driver.c");
    command.args(cases.iter().map(|case| format!("{}.c", case.options.name)));
    let output = command.args(["-o", "driver", "-lm"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn run(folder: &Path, cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        writeln!(text, "{}", case.rows.len()).unwrap();
        for row in &case.rows {
            let words: Vec<String> = row.iter().map(f64::to_string).collect();
            writeln!(text, "{}", words.join(" ")).unwrap();
        }
    }
    put(&folder.join("rows"), &text);
    let rows = Stdio::from(fs::File::open(folder.join("rows")).unwrap());
    let output = Command::new(folder.join("driver")).stdin(rows).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the largest difference of answers from what is expected, relative to the larger of it and 1.
fn largest(case: &Case) -> f64 {
    let one = |(row, answer): (&Vec<f64>, &Vec<f64>)| difference(case, row, &answer[1..]);
    case.rows.iter().zip(&case.answers).map(one).fold(0.0, f64::max)
}

fn difference(case: &Case, row: &[f64], answer: &[f64]) -> f64 {
    let (label, score) = case.expected(row);
    let apart = |found: f64, expected: f64| (found - expected).abs() / expected.abs().max(1.0);
    let Output::Tier { .. } = case.pipeline.output else {
        let ends = [label[0], label[0] - score, label[0] + score].map(|l| case.pipeline.output.physical(l));
        let capacity =
            if let Output::Soh { reference_ah: Some(ah) } = case.pipeline.output { ah } else { f64::NAN };
        let expected: Vec<f64> = ends.into_iter().chain(ends.map(|end| capacity * end)).collect();
        return answer
            .iter()
            .zip(expected)
            .map(|(&a, e)| apart(a, e))
            .take(if capacity > 0.0 { 6 } else { 3 })
            .fold(0.0, f64::max);
    };
    let n = label.len();
    let most = label.iter().copied().fold(0.0, f64::max);
    assert!(most - label[answer[2 * n] as usize] < 2.0 * TOLERANCE, "{}: {label:?} {answer:?}", case.name);
    for (k, &p) in label.iter().enumerate() {
        let is_clear = (p - (1.0 - score)).abs() > 2.0 * TOLERANCE;
        assert!(
            !is_clear || (answer[n + k] == 1.0) == (1.0 - p <= score),
            "{}: {label:?} {answer:?}",
            case.name
        );
    }
    label.iter().zip(answer).map(|(&e, &a)| apart(a, e)).fold(0.0, f64::max)
}

/// Rows of plausible values, half of them with gaps.
fn rows(pipeline: &Pipeline) -> Vec<Vec<f64>> {
    [sample::rows(pipeline, 20, false), sample::rows(pipeline, 40, true)].concat()
}

fn options(name: String) -> Options {
    Options { name, ..Options::default() }
}

fn sample_of(name: &str) -> Pipeline {
    sample::all().into_iter().find(|(n, _)| n == name).unwrap().1
}

/// A case for each sample that has options.
fn cases(of: impl Fn(&Pipeline) -> Option<Options>, rows: impl Fn(&Pipeline) -> Vec<Vec<f64>>) -> Vec<Case> {
    let case = |(idx, (name, pipeline)): (usize, (String, Pipeline))| {
        let options = Options { name: format!("s{idx}"), ..of(&pipeline)? };
        Some(Case::new(&name, &pipeline, &options, rows(&pipeline)))
    };
    sample::all().into_iter().enumerate().filter_map(case).collect()
}

#[test]
fn every_sample_answers_as_its_reference() {
    let both = |pipeline: &Pipeline| [rows(pipeline), extremes(pipeline)].concat();
    for mut case in answered(cases(|_| Some(Options::default()), both)) {
        let n = rows(&case.pipeline).len();
        let far = (case.rows.split_off(n), case.answers.split_off(n));
        let largest = largest(&case);
        assert!(largest < TOLERANCE, "{}: {largest}", case.name);
        for (row, answer) in case.rows.iter().zip(&case.answers) {
            let flags: Vec<bool> =
                answer[answer.len() - row.len()..].iter().map(|&flag| flag == 1.0).collect();
            assert_eq!(flags, row.iter().map(|v| v.is_nan()).collect::<Vec<_>>(), "{}", case.name);
            assert_eq!(answer[0], f64::from(u8::from(row.iter().any(|v| v.is_nan()))), "{}", case.name);
        }
        let n = far.0.iter().zip(&far.1).filter(|(row, answer)| far_answer(&case, row, answer)).count();
        assert!(n > 15, "{}: {n} answers to far rows", case.name);
    }
}

#[test]
fn double_precision_leaves_rounding_errors_only() {
    let options = |_: &Pipeline| Some(Options { double: true, level: 0.5, ..Options::default() });
    for case in answered(cases(options, rows)) {
        let largest = largest(&case);
        // Folded weights are 32-bit numbers; the rest is not.
        let tolerance = if case.name.contains("Batch") { 1e-6 } else { 1e-12 };
        assert!(largest < tolerance, "{}: {largest}", case.name);
    }
}

#[test]
fn weights_of_8_bits_lose_what_is_reported() {
    let options = |p: &Pipeline| {
        quantise::has_weights(p).then(|| Options { int8: true, rows: rows(p), ..Options::default() })
    };
    for case in answered(cases(options, rows)) {
        let loss = case.code.report.loss.unwrap();
        let apart = |(row, answer): (&Vec<f64>, &Vec<f64>)| {
            let label = case.pipeline.reference(row);
            label.iter().zip(&answer[1..]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let found = case.rows.iter().zip(&case.answers).map(apart).fold(0.0, f64::max);
        assert!((found - loss.max).abs() < TOLERANCE, "{}: {found} {loss:?}", case.name);
        // The units of one sample never wake up, so that its label is its last bias.
        let is_dead = case.name == "dense Relu Batch";
        assert!(
            loss.max < 0.02 && (loss.max > 1e-6 && loss.rms < loss.max || is_dead),
            "{}: {loss:?}",
            case.name
        );
        let text = format!("Weights of 8 bits change the label by {:.3e} at most", loss.max);
        assert!(case.code.source.contains(&text) && case.code.source.contains("static const int8_t"));
    }
}

/// Values up to a thousand ranges away, infinite ones, and none at all.
fn extremes(pipeline: &Pipeline) -> Vec<Vec<f64>> {
    let mut rng = Seed::new(5).stream("extremes");
    let mut value = |input: &Input| {
        let [low, high] = input.range;
        let far = 10.0_f64.powf(rng.random_range(0.0..3.0)) * rng.random_range(-1.0..1.0);
        let value = f64::from((low + far * (high - low)) as f32);
        [value, value, value, f64::INFINITY, f64::NEG_INFINITY, f64::NAN][rng.random_range(0..6)]
    };
    let mut rows: Vec<Vec<f64>> = (0..60).map(|_| pipeline.inputs.iter().map(&mut value).collect()).collect();
    rows.push(vec![f64::NAN; pipeline.inputs.len()]);
    rows
}

/// Checks the answer to a far row and returns whether it is a number.
fn far_answer(case: &Case, row: &[f64], answer: &[f64]) -> bool {
    let flag = |(input, &x): (&Input, &f64)| match x {
        _ if !x.is_finite() => 1.0,
        _ if x < input.range[0] || x > input.range[1] => 2.0,
        _ => 0.0,
    };
    let flags: Vec<f64> = case.pipeline.inputs.iter().zip(row).map(flag).collect();
    assert_eq!(answer[answer.len() - row.len()..], flags, "{}", case.name);
    let label = case.pipeline.reference(row);
    let of_tiers = label.len() > 1;
    let expected = if of_tiers { label } else { vec![case.pipeline.output.physical(label[0])] };
    for (&found, expected) in answer[1..].iter().zip(expected) {
        if answer[0] < 0.0 {
            assert!(
                found.is_nan() && (expected.is_nan() || expected.abs() >= 1e36),
                "{}: {row:?} {expected}",
                case.name
            );
            return false;
        }
        // A sum of large terms keeps the digits of its terms; so does the argument of an exponential.
        let tolerance = 2e-4 * expected.abs().max(1.0);
        assert!((found - expected).abs() < tolerance, "{}: {row:?} {found} {expected}", case.name);
    }
    true
}

/// The sample of dense networks with another shape and new weights.
fn reshaped(hidden: &[usize], skip: bool, d_input: usize) -> Pipeline {
    let mut pipeline = sample_of("dense Tanh None");
    for part in &mut pipeline.parts {
        let Body::Networks { architecture, members, .. } = &mut part.body else { unreachable!() };
        architecture.d_input = d_input;
        architecture.network.hidden = hidden.to_vec();
        architecture.network.skip = skip;
        let weights = |idx: usize| architecture.initial_weights(&Seed::new(3).child(format!("{idx}")));
        members.iter_mut().enumerate().for_each(|(idx, member)| member.weights = weights(idx));
    }
    pipeline
}

#[test]
fn odd_shapes_are_computed() {
    let shapes: [(&[usize], bool, usize); 7] = [
        (&[], false, 5),
        (&[], true, 9),
        (&[1], true, 5),
        (&[3, 3], true, 5),
        (&[5, 5], true, 5),
        (&[8, 8, 2], true, 8),
        (&[40], false, 300),
    ];
    let case = |(idx, (hidden, skip, d_input)): (usize, (&[usize], bool, usize))| {
        let pipeline = reshaped(hidden, skip, d_input);
        let options = Options { double: idx % 2 == 0, ..options(format!("s{idx}")) };
        Case::new(&format!("{hidden:?} {skip} {d_input}"), &pipeline, &options, rows(&pipeline))
    };
    for case in answered(shapes.into_iter().enumerate().map(case).collect()) {
        let largest = largest(&case);
        assert!(largest < if case.options.double { 1e-12 } else { TOLERANCE }, "{}: {largest}", case.name);
    }
}

#[test]
fn without_residual_interval_and_capacity_there_is_less() {
    let mut pipeline = sample_of("hybrid xu2018");
    for part in &mut pipeline.parts {
        let Body::Networks { architecture, .. } = &mut part.body else { unreachable!() };
        architecture.prior.as_mut().unwrap().residual = false;
    }
    pipeline.interval = None;
    pipeline.output = Output::Soh { reference_ah: None };
    let case = Case::new("less", &pipeline, &options("less".into()), rows(&pipeline));
    assert!(!case.code.source.contains("network_0") && !case.code.header.contains("capacity"));
    for case in answered(vec![case]) {
        assert!(largest(&case) < TOLERANCE);
        assert!(case.answers.iter().all(|answer| answer[2].is_nan() && answer[3].is_nan()));
    }
}

#[test]
fn names_and_sentences_cannot_break_the_code() {
    let evil = "*/ #error ??/\\\n\"x\" /* \u{202e}int main(void)";
    let hostile = |name: &str| {
        let mut pipeline = sample_of(name);
        for (idx, input) in pipeline.inputs.iter_mut().enumerate() {
            input.name = format!("{evil}{}", " ".repeat(idx));
            (input.unit, input.doc) = (evil.into(), if idx == 0 { String::new() } else { evil.into() });
        }
        pipeline.parts.iter_mut().for_each(|part| part.fold = evil.into());
        (pipeline.name, pipeline.run, pipeline.model) = (evil.into(), evil.into(), evil.into());
        if let Output::Tier { names } = &mut pipeline.output {
            for name in names {
                *name = evil.into();
            }
        }
        pipeline
    };
    let case = |(idx, name): (usize, &str)| {
        let pipeline = hostile(name);
        Case::new(name, &pipeline, &options(format!("1 bad-name{idx}")), rows(&pipeline))
    };
    let all = ["trees of classes", "hybrid exponential"].into_iter().enumerate().map(case).collect();
    for case in answered(all) {
        assert!(largest(&case) < TOLERANCE, "{}", case.name);
    }
}

/// Many inputs need wider tables: their places do not fit 8 bits.
#[test]
fn many_inputs_are_named_and_found() {
    let mut pipeline = sample_of("trees");
    let last = pipeline.inputs[4].clone();
    let more = (0..300).map(|idx| Input { name: format!("unused_{idx}"), ..last.clone() });
    pipeline.inputs.splice(4..4, more);
    pipeline.parts.iter_mut().flat_map(|part| &mut part.columns).filter(|c| **c == 4).for_each(|c| *c = 304);
    let case = Case::new("many", &pipeline, &options("many".into()), rows(&pipeline));
    assert!(case.code.source.contains("typedef uint16_t feature_t;\ntypedef uint8_t jump_t;"));
    assert!(answered(vec![case]).iter().all(|case| largest(case) < TOLERANCE));
}

#[test]
fn figures_are_those_counted_by_hand() {
    let report = generate(&sample_of("linear"), &options("linear".into())).unwrap().report;
    // 8 scaled inputs of 20 bytes, 8 weights, 2 intercepts, 5 ranges of two.
    assert_eq!(report.constants_bytes, 8 * 20 + 8 * 4 + 2 * 4 + 5 * 2 * 4);
    // Two labels and 5 scaled inputs; 5 inputs; 6 numbers and 5 flags on a boundary of 4.
    assert_eq!((report.stack_bytes, report.input_bytes, report.output_bytes), (4 + 4 + 20, 20, 32));
    // Scaling, sums, unscaling and adding up; the mean of two, two ends of the interval, three capacities.
    assert_eq!(report.cost, Cost::of(8 * 3 + 8 * 2 + 2 * 2 + 2 + 1 + 2 + 3));
    assert_eq!(report.lines().len(), 4);
}

#[test]
fn what_cannot_be_is_refused() {
    let linear = sample_of("linear");
    let int8 = Options { int8: true, ..Options::default() };
    let text = generate(&linear, &int8).unwrap_err().to_string();
    let expected =
        "c cannot hold weights of 8 bits of a model without networks: choose an export without 8 bits";
    assert_eq!(text, expected);
    let short = Options { rows: vec![vec![1.0; 4]], ..Options::default() };
    assert!(matches!(generate(&linear, &short), Err(ExportError::RowWidth { found: 4, needed: 5 })));
}

/// Answers the real rows of the runs of `FADECAST_ROUND_TRIP_RUNS` (`:` between folders), for `tests/round_trip/c.sh`.
#[test]
#[expect(clippy::print_stdout, reason = "the script shows what is printed")]
fn runs_answer_as_their_reference_on_real_rows() {
    let runs = std::env::var("FADECAST_ROUND_TRIP_RUNS").unwrap_or_default();
    for run in runs.split(':').filter(|run| !run.is_empty()) {
        let root = Path::new(run).ancestors().nth(3).unwrap();
        let pipeline = crate::registry::load(root, Path::new(run)).unwrap().pipeline;
        let rows = real_rows(root, Path::new(run), &pipeline);
        let with = |int8, double| Options { int8, double, rows: rows.clone(), ..options("model".into()) };
        let all = [("float", with(false, false)), ("double", with(false, true)), ("int8", with(true, false))];
        for (kind, options) in all.into_iter().filter(|(_, o)| !o.int8 || quantise::has_weights(&pipeline)) {
            for case in answered(vec![Case::new(kind, &pipeline, &options, rows.clone())]) {
                let (name, largest, n) = (&pipeline.name, largest(&case), rows.len());
                println!("run {name} {kind}: largest difference {largest:.2e} on {n} real rows");
                case.code.report.lines().iter().for_each(|line| println!("run     {line}"));
                let limit = case.code.report.loss.map_or(TOLERANCE, |loss| 10.0 * loss.max);
                assert!(largest < limit, "{name} {kind}: {largest}");
            }
        }
    }
}

/// Returns the rows of the data that a run was judged on.
fn real_rows(root: &Path, run: &Path, pipeline: &Pipeline) -> Vec<Vec<f64>> {
    let (folder, _) = RunFolder::open(root, run).unwrap();
    let frame = Task::load(&folder.config().unwrap(), root).unwrap().frame;
    let find = |input: &Input| frame.inputs.iter().chain(&frame.stress).find(|c| c.name == input.name);
    let columns: Vec<_> = pipeline.inputs.iter().map(|input| &find(input).unwrap().values).collect();
    (0..frame.rows.len()).map(|idx| columns.iter().map(|values| values[idx]).collect()).collect()
}

/// Flash of eight inputs and two layers of 64, alone and as a hybrid of 32 members, counted by hand.
#[test]
#[expect(clippy::print_stdout, reason = "people want to know")]
fn figures_of_networks_of_two_layers() {
    let mut pipeline = sample_of("hybrid exponential");
    pipeline.parts.truncate(1);
    for n_members in [1, 32] {
        let part = &mut pipeline.parts[0];
        part.columns = (0..8).collect();
        let scaler = &mut part.scaler;
        for list in [&mut scaler.median, &mut scaler.mean, &mut scaler.sd] {
            list.resize(8, 1.5);
        }
        let Body::Networks { architecture, members, .. } = &mut part.body else { unreachable!() };
        (architecture.d_input, architecture.network.hidden) = (8, vec![64, 64]);
        let member = |idx: usize| {
            let weights = architecture.initial_weights(&Seed::new(1).child(format!("{idx}")));
            crate::pipeline::Member { weights, statistics: Vec::new() }
        };
        *members = (0..n_members).map(member).collect();
        for int8 in [false, true] {
            let options = Options { int8, ..options("figures".into()) };
            let report = generate(&pipeline, &options).unwrap().report;
            println!("{n_members} members, 8 bits {int8}:\n{}", report.lines().join("\n"));
            let (weights, vectors) = (8 * 64 + 64 * 64 + 64, 64 + 64 + 1);
            let own = if int8 { weights + 2 * 4 * vectors } else { 4 * (weights + vectors) };
            // Beside them 5 coefficients of the law a member; 8 scaled inputs, 4 of stress, 9 ranges of two.
            let shared = 8 * 20 + 4 * 8 + 9 * 2 * 4;
            assert_eq!(report.constants_bytes, n_members * (own + 5 * 4) + shared);
        }
    }
}
