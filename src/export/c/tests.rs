//! The code, compiled by the system's compiler with every warning an error, against the plain meaning of pipelines.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::pipeline::{Body, Output, Part, sample};

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

/// Returns the answers of all cases, or nothing where there is no compiler.
fn answered(mut cases: Vec<Case>) -> Option<Vec<Case>> {
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("skipped: no C compiler");
        return None;
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
    Some(cases)
}

fn write(folder: &Path, cases: &[Case]) {
    let mut driver = String::from("#include <stdio.h>\n");
    cases.iter().for_each(|case| writeln!(driver, "#include \"{}.h\"", case.options.name).unwrap());
    cases.iter().for_each(|case| driver += &case.driver());
    let calls: Vec<String> = cases.iter().map(|case| format!("run_{}()", case.prefix())).collect();
    writeln!(driver, "int main(void)\n{{\n    return {};\n}}", calls.join(" ||\n        ")).unwrap();
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
            let words: Vec<String> = row.iter().map(|v| v.to_string()).collect();
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

fn options(name: String) -> Options {
    Options { name, ..Options::default() }
}

#[test]
fn every_sample_answers_as_its_reference() {
    let cases = sample::all().into_iter().enumerate().map(|(idx, (name, pipeline))| {
        let rows = [sample::rows(&pipeline, 20, false), sample::rows(&pipeline, 40, true)].concat();
        Case::new(&name, &pipeline, &options(format!("s{idx}")), rows)
    });
    for case in answered(cases.collect()).into_iter().flatten() {
        let largest = largest(&case);
        println!("{:<24} {largest:.1e}", case.name);
        assert!(largest < TOLERANCE, "{}: {largest}", case.name);
        for (row, answer) in case.rows.iter().zip(&case.answers) {
            let n = row.len();
            let flags: Vec<bool> = answer[answer.len() - n..].iter().map(|&flag| flag == 1.0).collect();
            assert_eq!(flags, row.iter().map(|v| v.is_nan()).collect::<Vec<_>>(), "{}", case.name);
            assert_eq!(answer[0], f64::from(u8::from(row.iter().any(|v| v.is_nan()))), "{}", case.name);
        }
    }
}
