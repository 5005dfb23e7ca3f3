//! Tests of reasons, on a frame of cells whose lives follow one input.

use super::*;
use crate::cell::CellId;
use crate::dataset::leakage::{LeakageReport, Source};
use crate::experiment::fitted::FitContext;
use crate::experiment::label;
use crate::model::trees::TreeModel;
use crate::prepare::frame::FrameCell;
use crate::prepare::{Column, Fold, Frame, Quantity, Row, batch};
use crate::train::Interrupt;

/// Cells, a life of 100 to 190 cycles each; three folds leave out every third.
const N_CELLS: usize = 30;

/// Lives over which `charge_ramp` ascends, `rest_wobble` does not care and `stack_pressure` never changes.
fn task(config: &ExperimentConfig) -> Task {
    let life = |row: usize| 100.0 + 3.0 * row as f64;
    let column = |name: &str, unit: &str, value: &dyn Fn(usize) -> f64| Column {
        name: name.into(),
        unit: unit.into(),
        source: Source::PastRecord,
        values: (0..N_CELLS).map(value).collect(),
    };
    let cell = |idx: usize| FrameCell {
        id: CellId::new(format!("cell{idx:02}")),
        reference_ah: 1.0,
        eol_ah: None,
        synthetic: true,
        group: format!("cell{idx:02}"),
        folds: Vec::new(),
    };
    let row = |idx: usize| {
        let label = if config.kind == Kind::Life { life(idx).log10() } else { life(idx) };
        Row { cell_idx: idx, cycle: 10, truth: life(idx), label, set_aside: None }
    };
    let frame = Frame {
        cells: (0..N_CELLS).map(cell).collect(),
        rows: (0..N_CELLS).map(row).collect(),
        inputs: vec![
            column("charge_ramp", "Ah", &|row| if row == 7 { f64::NAN } else { row as f64 }),
            column("rest_wobble", "V", &|row| (row * 7 % 11) as f64),
            column("stack_pressure", "MPa", &|_| 5.0),
        ],
        stress: Vec::new(),
        targets: vec![column("cycle_life", "cycles", &life)],
        quantity: if config.kind == Kind::Life { Quantity::LogLife } else { Quantity::Life },
    };
    let (of, rest) = (|k: usize| move |row: &usize| row % 3 == k, |k: usize| move |row: &usize| row % 3 != k);
    let fold = |k: usize| Fold {
        name: format!("fold{k}"),
        train: (0..N_CELLS).filter(rest(k)).collect(),
        given: Vec::new(),
        test: (0..N_CELLS).filter(of(k)).collect(),
        repeat: 0,
    };
    let folds: Vec<Fold> = (0..3).map(fold).collect();
    let tiers = label::tiers(config, &frame, &folds).unwrap();
    let leakage = LeakageReport::default();
    Task { frame, folds, tiers, leakage, data_sha256: String::new(), summary: String::new() }
}

fn found(text: &str) -> (Task, Fitted, Reasons) {
    let config: ExperimentConfig = toml::from_str(text).unwrap();
    let task = task(&config);
    let (interrupt, mut nobody) = (Interrupt::new(), ());
    let context = FitContext {
        backend: Backend::Flex,
        checkpoint: None,
        interrupt: &interrupt,
        until: None,
        judge: false,
        start: None,
        observe: &mut nobody,
    };
    let fitted = Fitted::fit(&config, &task, context).unwrap();
    let predicted = fitted.predict(&config, &task, Backend::Flex).unwrap();
    let reasons = Reasons::find(("test", &config, &task), &fitted, &predicted, Backend::Flex).unwrap();
    (task, fitted, reasons)
}

fn sum(cell: &CellReasons) -> f64 {
    cell.start + cell.contributions.iter().map(|c| c.adds).sum::<f64>() + cell.others
}

const TIERS: &str =
    "kind = 'tier'\nrepeats = 2\nlabel.tiers = { kind = 'threshold', cuts = [130.0, 160.0] }\n";

#[test]
fn contributions_of_trees_sum_up_to_the_margin_of_the_predicted_tier() {
    let (task, fitted, reasons) = found(&format!("{TIERS}model.kind = 'trees'\ntrees.rounds = 12"));
    assert_eq!((reasons.cells.len(), reasons.unit.as_str()), (N_CELLS, "margin"));
    for (fold, split) in fitted.folds.iter().zip(&task.folds) {
        let rows = batch::plain(&task.frame, &fold.columns, &split.test);
        let margins: Vec<_> = fold.trees.iter().map(|trees| trees.margins(&rows).unwrap()).collect();
        for (idx, &row) in split.test.iter().enumerate() {
            let cell = reasons.cell(task.frame.cells[row].id.as_str()).unwrap();
            let tier = reasons.tiers.iter().position(|t| Some(t) == cell.predicted_tier.as_ref()).unwrap();
            let margin = margins.iter().map(|m| m[idx][tier]).sum::<f64>() / margins.len() as f64;
            assert!((sum(cell) - margin).abs() < 1e-4, "{cell:?} {margin}");
            assert!((cell.margin - margin).abs() < 1e-4);
        }
    }
}

#[test]
fn the_input_that_makes_the_life_comes_first_and_a_missing_value_is_said() {
    let (_, _, reasons) = found(&format!("{TIERS}model.kind = 'trees'\ntrees.rounds = 12"));
    assert_eq!(
        (reasons.inputs[0].name.as_str(), reasons.families[0].name.as_str()),
        ("charge_ramp", "charge")
    );
    assert_eq!(reasons.permutation.families[0].name, "charge");
    assert!(reasons.permutation.families[0].mean > 0.2, "{:?}", reasons.permutation);
    assert_eq!((reasons.inputs[0].mean_rank, reasons.stability.as_ref().unwrap().n_folds), (1.0, 3));
    let ramp = |cell: &str| {
        let cell = reasons.cell(cell).unwrap();
        cell.contributions.iter().find(|c| c.input == "charge_ramp").unwrap().clone()
    };
    // Fold 1 leaves cells 1, 4, 7, ... out; the median of the other twenty (0, 2, 3, 5, ..., 29) is (14 + 15) / 2.
    assert_eq!((ramp("cell07").value, ramp("cell04").value, ramp("cell04").median), (None, Some(4.0), 14.5));
    assert!(matches!(reasons.cell("cell30"), Err(ExperimentError::UnexplainedCell { .. })));
    assert_eq!(reasons.summary().inputs[0].0, "charge_ramp");
}

#[test]
fn contributions_of_linear_models_sum_up_to_what_they_predict() {
    let (_, _, reasons) = found("kind = 'life'\nmodel.kind = 'linear'");
    assert_eq!((reasons.unit.as_str(), reasons.permutation.unit.as_str()), ("log10 cycles", "cycles"));
    for cell in &reasons.cells {
        assert!((10_f64.powf(sum(cell)) - cell.predicted.unwrap()).abs() < 1e-9, "{cell:?}");
    }
    let two = TIERS.replace("130.0, 160.0", "145.0");
    for (tiers, n) in [(TIERS, 3), (two.as_str(), 2)] {
        let (_, _, reasons) = found(&format!("{tiers}model.kind = 'logistic'"));
        for cell in reasons.cells.iter().filter(|_| n == 2) {
            // Of two tiers with margins -m and m the second has the probability 1 / (1 + exp(-2 m)).
            let most = cell.probabilities.iter().copied().fold(0.0, f64::max);
            assert!((1.0 / (1.0 + (-2.0 * sum(cell)).exp()) - most).abs() < 1e-9, "{cell:?}");
        }
        assert!(
            reasons
                .cells
                .iter()
                .all(|cell| cell.probabilities.len() == n && (sum(cell) - cell.margin).abs() < 1e-12)
        );
    }
}

#[test]
fn shuffling_a_constant_input_of_a_network_changes_nothing() {
    let network = "kind = 'life'\nmodel = { kind = 'dense', hidden = [8] }\ntrain = { epochs = 60, members = 2, learning_rate = 0.02 }";
    let (_, _, reasons) = found(network);
    let growth = |name: &str| reasons.permutation.families.iter().find(|g| g.name == name).unwrap();
    assert_eq!((growth("stack").mean, growth("stack").sd), (0.0, 0.0));
    assert!(growth("charge").mean > 2.0, "cycles of RMSE: {:?}", reasons.permutation);
    assert!(reasons.inputs.is_empty() && reasons.stability.is_none());
    assert!(reasons.cells.iter().all(|cell| cell.contributions.is_empty() && cell.predicted.is_some()));
    assert_eq!(reasons.summary().families[0].0, "charge");
}
