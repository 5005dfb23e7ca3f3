//! Answers of made-up pipelines: held to `Pipeline::reference`, cut in pieces, in other units, with gaps.

use proptest::prelude::*;

use super::*;
use crate::cell::Phase;
use crate::descriptor;
use crate::pipeline::{Input, Output, sample};
use crate::prepare::{Frame, FrameConfig, Reference};
use crate::simulate::{Campaign, FleetConfig};

/// Largest difference from `Pipeline::reference`, as a share of max(1, |y|).
const TOLERANCE: f64 = 1e-5;

fn named(name: &str) -> Pipeline {
    sample::all().into_iter().find(|(known, _)| known == name).unwrap().1
}

fn predictor(pipeline: Pipeline) -> Predictor {
    Predictor::of(pipeline, RowsOf::Table).unwrap()
}

/// Returns rows as a table of the pipeline's inputs, with a key of texts and one of numbers.
fn table(pipeline: &Pipeline, rows: &[Vec<f64>]) -> RowBatch {
    let column = |(idx, input): (usize, &Input)| (input.name.clone(), rows.iter().map(|r| r[idx]).collect());
    let mut numbers: Vec<(String, Vec<f64>)> = pipeline.inputs.iter().enumerate().map(column).collect();
    numbers.push(("cycle_count".into(), (0..rows.len()).map(|i| i as f64).collect()));
    let cells = (0..rows.len()).map(|i| format!("C{i}")).collect();
    RowBatch { n_rows: rows.len(), numbers, texts: vec![("cell".into(), cells)] }
}

fn numbers(answers: &Answers, name: &str) -> Vec<f64> {
    let column = answers.column(name).unwrap_or_else(|| panic!("no {name} in {:?}", answers.order()));
    (0..answers.n_rows).map(|row| column.values.number(row).unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        assert!(near || (found.is_nan() && expected.is_nan()), "{what}: {found} is not {expected}");
    }
}

#[test]
fn every_kind_of_pipeline_answers_what_its_plain_meaning_says() {
    for (name, pipeline) in sample::all() {
        let rows = sample::rows(&pipeline, 40, true);
        let answers =
            predictor(pipeline.clone()).answer(&table(&pipeline, &rows), &Settings::default()).unwrap();
        let labels: Vec<Vec<f64>> = rows.iter().map(|row| pipeline.reference(row)).collect();
        let score = pipeline.interval.as_ref().unwrap().score(0.9).unwrap();
        let physical = |shift: f64| -> Vec<f64> {
            labels.iter().map(|label| pipeline.output.physical(label[0] + shift)).collect()
        };
        match &pipeline.output {
            Output::Tier { names } => {
                for (class, column) in pipeline.output.probability_names().iter().enumerate() {
                    let expected: Vec<f64> = labels.iter().map(|p| p[class]).collect();
                    assert_near(&numbers(&answers, column), &expected, &name);
                }
                let (tier, set) = (answers.column("tier").unwrap(), answers.column("tier_set").unwrap());
                for (row, p) in labels.iter().enumerate() {
                    let most = (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
                    assert_eq!(tier.values.text(row), names[most], "{name}: {p:?}");
                    let in_set = |(_, p): &(&String, &f64)| 1.0 - **p <= score;
                    let expected: Vec<&str> =
                        names.iter().zip(p).filter(in_set).map(|(name, _)| name.as_str()).collect();
                    assert_eq!(set.values.text(row), expected.join("|"), "{name}: {p:?}");
                }
            }
            output => {
                for (end, shift) in [("", 0.0), ("_lower", -score), ("_upper", score)] {
                    let column = format!("{}{end}", output.name());
                    assert_near(&numbers(&answers, &column), &physical(shift), &name);
                }
            }
        }
        if matches!(pipeline.output, Output::Soh { .. }) {
            // 2 Ah count as SoH 1 in the samples.
            let twice: Vec<f64> = physical(0.0).iter().map(|soh| 2.0 * soh).collect();
            assert_near(&numbers(&answers, "discharging_capacity_ah"), &twice, &name);
        }
        assert_eq!(answers.keys.text("cell").unwrap()[39], "C39");
        assert_eq!(answers.keys.number("cycle_count").unwrap()[39], 39.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_a_table_is_cut_changes_no_answer(cuts in prop::collection::vec(0..700_usize, 0..5), kind in 0..4_usize) {
        let pipeline = named(["hybrid coulomb_balance", "classes", "linear", "hybrid trees"][kind]);
        let rows = sample::rows(&pipeline, 700, true);
        let predictor = predictor(pipeline.clone());
        let answer = |rows: &[Vec<f64>]| {
            let answers = predictor.answer(&table(&pipeline, rows), &Settings::default()).unwrap();
            let written = answers.table();
            let columns: Vec<&Vec<f64>> =
                written.numbers.iter().filter(|(name, _)| name != "cycle_count").map(|(_, v)| v).collect();
            let text = |row: usize| {
                let bits: Vec<u64> = columns.iter().map(|values: &&Vec<f64>| values[row].to_bits()).collect();
                (bits, answers.warnings.text(row))
            };
            (0..answers.n_rows).map(text).collect::<Vec<_>>()
        };
        let mut cuts: Vec<usize> = cuts.into_iter().chain([0, 700]).collect();
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).filter(|c| c[0] < c[1]).flat_map(|c| answer(&rows[c[0]..c[1]])).collect();
        prop_assert!(parts == answer(&rows));
    }
}

/// Renames the first column of a table.
fn renamed(mut table: RowBatch, name: &str, factor: f64) -> RowBatch {
    table.numbers[0].0 = name.into();
    for value in &mut table.numbers[0].1 {
        *value *= factor;
    }
    table
}

#[test]
fn a_unit_in_a_name_is_converted_or_refused() {
    let pipeline = named("linear");
    let plain = table(&pipeline, &sample::rows(&pipeline, 9, false));
    let predictor = predictor(pipeline);
    let answer = |table: &RowBatch| predictor.answer(table, &Settings::default());
    let expected = numbers(&answer(&plain).unwrap(), "soh");
    for (name, factor, n_remarks) in
        [("input_0 [V]", 1.0, 0), ("input_0 [mV]", 1e3, 1), ("input_0[mV]", 1e3, 1)]
    {
        let answers = answer(&renamed(plain.clone(), name, factor)).unwrap();
        assert_near(&numbers(&answers, "soh"), &expected, name);
        assert_eq!(answers.remarks.len(), n_remarks, "{:?}", answers.remarks);
    }
    let refused = |table| answer(&table).unwrap_err().to_string();
    let message = refused(renamed(plain.clone(), "input_0 [A]", 1.0));
    assert!(message.contains("does not become V") && message.contains("V, mV"), "{message}");
    let message = refused(renamed(plain.clone(), "input0", 1.0));
    assert!(message.contains("no column `input_0` [V]; did you mean `input0`?"), "{message}");
    let message = refused(renamed(plain.clone(), "input_0_mV", 1.0));
    assert!(message.contains("name it `input_0 [mV]`"), "{message}");
    let mut twice = plain.clone();
    twice.numbers.push(("input_0 [mV]".into(), vec![0.0; 9]));
    assert!(refused(twice).contains("both `input_0`"));
    let mut text = plain.clone();
    text.numbers.remove(0);
    text.texts.push(("input_0".into(), vec!["3.7".into(), "high".into()]));
    let message = refused(text);
    assert!(message.contains("`input_0` holds text (row 2: `high`)"), "{message}");
}

#[test]
fn a_missing_column_is_imputed_only_where_that_is_allowed() {
    let pipeline = named("linear");
    let rows = sample::rows(&pipeline, 5, false);
    let without: Vec<Vec<f64>> = rows.iter().map(|row| [&[f64::NAN], &row[1..]].concat()).collect();
    let gaps = table(&pipeline, &without);
    let lacking = RowBatch { numbers: gaps.numbers[1..].to_vec(), ..gaps.clone() };
    let predictor = predictor(pipeline);
    assert!(predictor.answer(&lacking, &Settings::default()).is_err());
    let allowed = Settings { impute_missing: true, ..Settings::default() };
    let answers = predictor.answer(&lacking, &allowed).unwrap();
    let expected = predictor.answer(&gaps, &Settings::default()).unwrap();
    assert_eq!(numbers(&answers, "soh"), numbers(&expected, "soh"));
    assert_eq!(answers.remarks, ["no column `input_0`: its values are missing"]);
    assert_eq!(answers.warnings.of(0), ["imputed: input_0"]);
}

#[test]
fn what_is_doubtful_is_said_of_its_row() {
    let mut pipeline = named("linear");
    pipeline.inputs[1].leaks = true;
    let mut rows = vec![vec![3.0; 5]; 4];
    (rows[1][0], rows[2][4], rows[3][2]) = (4.5, f64::NAN, 1.999_999_999);
    let mut batch = table(&pipeline, &rows);
    batch.numbers.push(("colour".into(), vec![0.0; 4]));
    let anchored = RowsOf::Discharges { reference: Reference::Nominal, given: 3, anchor: 2 };
    let answers = Predictor::of(pipeline, anchored).unwrap().answer(&batch, &Settings::default()).unwrap();
    let common = "leak: input_1; not anchored";
    assert_eq!(answers.warnings.text(0), common);
    assert_eq!(
        answers.warnings.text(1),
        format!("out of range: input_0 is 4.5 V, trained from 2 to 4; {common}")
    );
    assert_eq!(answers.warnings.text(2), format!("imputed: input_4; {common}"));
    assert_eq!(answers.warnings.text(3), common, "rounding is not out of range");
    let counts: Vec<(String, usize)> = answers
        .warnings
        .counts()
        .into_iter()
        .map(|((kind, about), n)| (format!("{kind} {about}"), n))
        .collect();
    let expected =
        [("imputed input_4", 1), ("leak input_1", 4), ("not anchored ", 4), ("out of range input_0", 1)];
    assert_eq!(counts, expected.map(|(text, n)| (text.to_owned(), n)));
    assert_eq!(answers.remarks, ["not used: `colour`"]);
    let written = answers.table();
    assert_eq!(written.text("warnings").unwrap()[0], common);
    assert_eq!(answers.order()[..3], ["cell", "cycle_count", "soh"]);
}

#[test]
fn the_reference_of_a_row_goes_before_that_of_the_run() {
    let pipeline = named("linear");
    let mut batch = table(&pipeline, &sample::rows(&pipeline, 3, false));
    batch.numbers.push((REFERENCE.into(), vec![1.0, f64::NAN, 3.0]));
    let answers = predictor(pipeline).answer(&batch, &Settings::default()).unwrap();
    let soh = numbers(&answers, "soh");
    let expected = [soh[0], 2.0 * soh[1], 3.0 * soh[2]];
    assert_near(&numbers(&answers, "discharging_capacity_ah"), &expected, "capacity");
}

#[test]
fn a_level_that_the_model_has_not_is_refused() {
    let pipeline = named("linear");
    let batch = table(&pipeline, &sample::rows(&pipeline, 3, false));
    let mut without = pipeline.clone();
    without.interval = None;
    let level = Settings { level: 0.99, ..Settings::default() };
    let error = predictor(pipeline).answer(&batch, &level).unwrap_err().to_string();
    assert!(error.contains("0.5, 0.8, 0.9, 0.95"), "{error}");
    let answers = predictor(without).answer(&batch, &level).unwrap();
    assert!(answers.column("soh").is_some() && answers.column("soh_lower").is_none());
}

/// Inputs of the sample pipeline, as descriptors of raw cells.
const DESCRIPTORS: [&str; 5] = [
    "charge_throughput",
    "charge_duration",
    "history_discharge_count",
    "history_cycle_count",
    "charge_temperature_mean",
];

fn of_discharges(given: usize, anchor: usize) -> Predictor {
    let mut pipeline = named("linear");
    for (input, name) in pipeline.inputs.iter_mut().zip(DESCRIPTORS) {
        (input.name, input.unit) = (name.into(), descriptor::find(name).unwrap().unit.into());
    }
    Predictor::of(pipeline, RowsOf::Discharges { reference: Reference::Nominal, given, anchor }).unwrap()
}

fn cell() -> Cell {
    let config = FleetConfig { n_cells: 1, cycles: 60, check_ups: 12, ..FleetConfig::default() };
    Campaign::new(&config, None, &crate::seed::Seed::new(5)).unwrap().cell(0).unwrap().0
}

/// Returns the cell up to its last charge, and how many discharges are then left.
fn up_to_a_charge(mut cell: Cell) -> (Cell, usize) {
    let last = cell.records.iter().rposition(|r| r.phase == Phase::Charge).unwrap();
    cell.records.truncate(last + 1);
    let n = cell.records.iter().filter(|r| r.phase == Phase::Discharge).count();
    (cell, n)
}

fn trained_on(cell: &Cell) -> (Frame, Vec<Vec<f64>>) {
    let inputs = DESCRIPTORS.map(String::from);
    let config = FrameConfig { inputs: &inputs, stress: &[], reference: Reference::Nominal, given: 0 };
    let frame = Frame::new(std::slice::from_ref(cell), &config).unwrap();
    let rows = (0..frame.rows.len()).map(|row| frame.inputs.iter().map(|c| c.values[row]).collect());
    let rows = rows.collect();
    (frame, rows)
}

#[test]
fn raw_cells_are_answered_from_the_rows_that_training_makes_and_so_is_the_next_discharge() {
    let whole = cell();
    let (frame, rows) = trained_on(&whole);
    let (cut, n_left) = up_to_a_charge(whole.clone());
    let predictor = of_discharges(0, 0);
    let answers = predictor.of_cells(&[whole, cut], &Settings::default()).unwrap();
    assert_eq!(answers.n_rows, rows.len() + n_left + 1);
    let measured = answers.keys.number("measured_discharging_capacity_ah").unwrap();
    let truth: Vec<f64> = frame.rows.iter().map(|r| r.truth).collect();
    assert_near(&measured[..rows.len()], &truth, "measured");
    assert!(measured.last().unwrap().is_nan(), "the next one is not measured");
    let expected: Vec<f64> = rows.iter().map(|row| predictor.pipeline().reference(row)[0]).collect();
    let soh = numbers(&answers, "soh");
    assert_near(&soh[..rows.len()], &expected, "the whole cell");
    // The discharge after the last charge is the whole cell's own discharge there.
    assert_near(&soh[rows.len()..], &expected[..=n_left], "the cell that ends with a charge");
    let cycles = answers.keys.number("cycle_count").unwrap();
    assert_eq!(cycles[rows.len() + n_left], f64::from(frame.rows[n_left].cycle));
}

#[test]
fn a_forecast_is_anchored_to_the_given_begin() {
    let whole = cell();
    let (frame, rows) = trained_on(&whole);
    let predictor = of_discharges(6, 3);
    let answers = predictor.of_cells(std::slice::from_ref(&whole), &Settings::default()).unwrap();
    let label = |row: usize| predictor.pipeline().reference(&rows[row])[0];
    let mut errors: Vec<f64> = (3..6).map(|row| label(row) - frame.rows[row].label).collect();
    errors.sort_by(f64::total_cmp);
    let expected: Vec<f64> = (6..rows.len()).map(|row| label(row) - errors[1]).collect();
    assert_near(&numbers(&answers, "soh"), &expected, "less the median error");
    assert!(!answers.warnings.text(0).contains("not anchored"));
    let mut bare = whole;
    for r in &mut bare.records {
        if r.phase == Phase::Discharge {
            (r.stated_capacity_ah, r.samples) = (None, crate::dataset::Samples::default());
        }
    }
    let skipped = predictor.of_cells(std::slice::from_ref(&bare), &Settings::default()).unwrap();
    assert!(
        skipped.n_rows == 0 && skipped.skipped[0].1.contains("the task needs 6"),
        "{:?}",
        skipped.skipped
    );
    let answers = of_discharges(0, 0).of_cells(&[bare], &Settings::default()).unwrap();
    assert_eq!(answers.n_rows, rows.len(), "capacities are not needed to predict");
}

#[test]
fn a_cell_of_unknown_capacity_says_whose_its_answer_is_made_of() {
    let said = |nominal| {
        let mut cell = cell();
        cell.facts.nominal_capacity_ah = nominal;
        let answers = of_discharges(0, 0).of_cells(&[cell], &Settings::default()).unwrap();
        let ratio = numbers(&answers, "discharging_capacity_ah")[0] / numbers(&answers, "soh")[0];
        (answers.warnings.text(0).contains("capacity of SoH 1 taken from the run"), ratio)
    };
    // 2 Ah count as SoH 1 in the sample.
    for (nominal, expected) in [(Some(5.0), (false, 5.0)), (None, (true, 2.0))] {
        let (is_said, ratio) = said(nominal);
        assert!(is_said == expected.0 && (ratio - expected.1).abs() < 1e-9, "{nominal:?}: {is_said} {ratio}");
    }
}

#[test]
fn raw_cells_are_refused_by_a_model_of_ready_made_rows() {
    let error = predictor(named("linear")).of_cells(&[cell()], &Settings::default()).unwrap_err();
    assert!(matches!(error, PredictError::NoRows { .. }), "{error}");
}

#[test]
fn a_whole_cell_says_why_an_input_is_missing() {
    let mut pipeline = named("life");
    // Of the first ten cycles two are check-ups with a capacity; a slope needs three.
    let names = ["discharge_capacity_slope", "gitt_ocv_slope_soc50", "electrolyte_mass"];
    for (input, name) in pipeline.inputs.iter_mut().zip(names) {
        input.name = name.into();
    }
    let window = crate::descriptor::early::Window { from: 1, to: 10 };
    let predictor = Predictor::of(pipeline, RowsOf::Cells { window }).unwrap();
    let answers = predictor.of_cells(&[cell()], &Settings::default()).unwrap();
    let text = answers.warnings.text(0);
    assert!(text.contains("imputed: discharge_capacity_slope (2 of 3 cycles)"), "{text}");
    assert!(text.contains("imputed: electrolyte_mass (the source does not state it)"), "{text}");
    assert!(answers.column("cycle_life").is_some() && answers.keys.number("measured_cycle_life").is_some());
}
