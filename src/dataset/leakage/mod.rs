//! Leakage: does an input give the label away?
//!
//! Two kinds of evidence. *Provenance*: what a value was computed from (the labelled record itself, the future, past
//! labels that the task hides). *Figures*: one input alone, fitted on some cells, nearly hits the label of cells that
//! the fit never saw, or equals the label up to scale. The split is checked too: a cell or row on both sides of it.
//! An experiment refuses to train on refused inputs unless it allows the leak by name.

mod fit;
mod split;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use fit::{Shape, SingleFit};
pub use split::{Fold, Separation};

use rayon::prelude::*;

use crate::cell::CellId;

/// Least share of the label's variance [1] that one input explains on unseen cells when it gives the label away.
///
/// NASA PCoE's discharge duration explains 0.990 (one line, leave one cell out), its voltage-time integral 0.989; the
/// best honest charge scalar of the same cells 0.90, of XJTU's 55 cells 0.71, of MIT's 125 cells 0.89. Figures alone do
/// not decide: in one batch of 36 MIT cells the time of the end of the charge explains 0.987, so what is known to be
/// measured before the label is only noted.
pub const NEAR_PERFECT_R2: f64 = 0.98;

/// Largest RMSE of such an input, as a share of the RMSE of a line through the cycle count [1].
///
/// Where cells age alike the cycle count itself explains much, and an input must do more to be suspect. NASA's
/// discharge duration has 0.19 of it, the best honest charge scalar of the same cells 0.67.
pub const SHARE_OF_CYCLE_LINE: f64 = 0.5;

/// Largest deviation from a line through all rows, in standard deviations of the label [1], of a copy of the label.
///
/// NASA's stated capacity differs from the integral of its current to 2.7 V by at most 7e-5 Ah, 4e-4 of it.
pub const COPY_DEVIATION: f64 = 1e-3;

/// Where the values of an input come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The whole labelled record: the discharge whose capacity is asked for.
    SameRecord,
    /// A stated part of the labelled record (the first 500 s of the discharge).
    SameRecordPart,
    /// Another record of the same cycle, or a ready-made row of it.
    SameCycle,
    /// Records before the labelled one that carry no label (charges, spectra).
    PastRecord,
    /// Earlier labelled records of the cell: its past discharges and their capacities.
    PastLabel,
    /// Records after the labelled one.
    FutureRecord,
    /// What is known of the cell before the test: chemistry, protocol, formation.
    Static,
    /// Cycle count, number of discharges or date.
    Time,
}

/// What a task lets its inputs see beyond unlabelled records before the labelled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allowed {
    /// Earlier labelled records of the cell ([`Source::PastLabel`]); default `false`.
    pub past_labels: bool,
    /// A stated part of the labelled record ([`Source::SameRecordPart`]); default `false`.
    pub record_part: bool,
}

/// One input: a column of values, one a row.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Descriptor name.
    pub name: &'a str,
    /// Where the values come from.
    pub source: Source,
    /// One value a row; NaN where missing.
    pub values: &'a [f64],
}

/// Cell and cycle of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Position in [`Inputs::cells`].
    pub cell_idx: usize,
    /// Cycle, or number of the discharge, within the cell.
    pub cycle: u32,
}

/// Everything that is checked: inputs, labels and the split of their rows.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Inputs of the experiment.
    pub candidates: &'a [Candidate<'a>],
    /// Label of each row; NaN where missing.
    pub labels: &'a [f64],
    /// Unit of the label (`Ah`).
    pub unit: &'a str,
    /// Cell and cycle of each row.
    pub rows: &'a [Row],
    /// Names of the cells.
    pub cells: &'a [CellId],
    /// Folds of the split; positions of rows.
    pub folds: &'a [Fold<'a>],
    /// What the split claims to keep apart.
    pub separation: Separation,
    /// What the task lets its inputs see.
    pub allowed: Allowed,
}

/// Rule of the leakage check; the name in files and tables is the snake-case one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakRule {
    /// The input is the label up to offset and scale.
    EqualsLabel,
    /// The input is the label of the next row of its cell.
    EqualsLaterLabel,
    /// The input is the label of the row before and the task hides past labels.
    EqualsEarlierLabel,
    /// One curve through the input nearly hits the label of cells it never saw.
    NearPerfectFit,
    /// The input is computed from the labelled record itself.
    LabelledRecord,
    /// The input is computed from earlier labelled records, which the task hides.
    HiddenPastLabel,
    /// The input needs a record after the labelled one.
    NeedsFuture,
    /// Rows of one cell are on both sides of a split that separates cells.
    CellOnBothSides,
    /// One cell and cycle is on both sides of a split.
    RowOnBothSides,
    /// A split in time trains on rows that come after the rows it tests.
    TrainsOnFuture,
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Training refuses, unless the experiment allows the leak.
    Refuse,
    /// Training goes on; the sentence stands beside the result.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leak {
    /// Rule that found it.
    pub rule: LeakRule,
    /// What follows.
    pub verdict: Verdict,
    /// Input, if it is about one.
    pub input: Option<String>,
    /// Fold, if it is about one.
    pub fold: Option<String>,
    /// Figures of the input alone, if they are the evidence.
    pub fit: Option<SingleFit>,
    /// What is wrong, for a person.
    pub sentence: String,
}

/// Answer to "does an input give the label away?".
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LeakageReport {
    /// Findings in the order of the inputs, then those of the split.
    pub findings: Vec<Leak>,
    /// The input that alone explains most on unseen cells; `None` where nothing could be fitted.
    pub best_single_input: Option<SingleFit>,
    /// Every input alone, in the order of the inputs; those that could not be fitted are left out.
    pub single_inputs: Vec<SingleFit>,
    /// RMSE of one line through the cycle count on unseen cells, in the unit of the label.
    pub cycle_line_rmse: Option<f64>,
}

impl LeakageReport {
    /// Returns whether nothing is refused.
    pub fn is_ok(&self) -> bool {
        self.refused().next().is_none()
    }

    /// Returns the findings that training refuses.
    pub fn refused(&self) -> impl Iterator<Item = &Leak> {
        self.findings.iter().filter(|leak| leak.verdict == Verdict::Refuse)
    }
}

impl fmt::Display for LeakageReport {
    /// Writes one line: `ok: best single input explains 61 % across cells`, or what is refused.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_ok() {
            let sentences: Vec<&str> = self.refused().map(|leak| leak.sentence.as_str()).collect();
            return write!(f, "{}", sentences.join("; "));
        }
        match &self.best_single_input {
            Some(best) => {
                write!(f, "ok: best single input explains {:.0} % across cells", 100.0 * best.r2.max(0.0))
            }
            None => write!(f, "ok: no single input could be fitted"),
        }
    }
}

/// Checks every input and the split.
///
/// # Panics
/// When a column, the labels and the rows differ in length, or a row or fold points outside.
pub fn check(inputs: &Inputs) -> LeakageReport {
    let n_rows = inputs.rows.len();
    assert_eq!(inputs.labels.len(), n_rows, "one label a row");
    assert!(inputs.candidates.iter().all(|c| c.values.len() == n_rows), "one value a row");
    let blocks = fit::Blocks::new(inputs.rows);
    let cycle: Vec<f64> = inputs.rows.iter().map(|r| f64::from(r.cycle)).collect();
    let cycle_line_rmse = blocks.line("cycle", &cycle, inputs.labels).map(|line| line.rmse);
    let mut findings = Vec::new();
    let mut single_inputs = Vec::new();
    let best = |c: &Candidate| blocks.best(c.name, c.values, inputs.labels);
    let bests: Vec<Option<SingleFit>> = inputs.candidates.par_iter().map(best).collect();
    for (candidate, best) in inputs.candidates.iter().zip(bests) {
        findings.extend(provenance(candidate, inputs.allowed));
        findings.extend(figures(inputs, candidate, best.as_ref(), cycle_line_rmse));
        single_inputs.extend(best);
    }
    findings.extend(split::check(inputs));
    let best_single_input = single_inputs.iter().max_by(|a, b| a.r2.total_cmp(&b.r2)).cloned();
    LeakageReport { findings, best_single_input, single_inputs, cycle_line_rmse }
}

/// Returns what the source of an input forbids.
fn provenance(candidate: &Candidate, allowed: Allowed) -> Option<Leak> {
    let (rule, reason) = match candidate.source {
        Source::SameRecord => (LeakRule::LabelledRecord, "is computed from the labelled record itself"),
        Source::SameRecordPart if !allowed.record_part => (
            LeakRule::LabelledRecord,
            "is computed from a part of the labelled record, which this task hides",
        ),
        Source::PastLabel if !allowed.past_labels => {
            (LeakRule::HiddenPastLabel, "is computed from earlier labelled records, which this task hides")
        }
        Source::FutureRecord => (LeakRule::NeedsFuture, "needs a record after the labelled one"),
        _ => return None,
    };
    Some(Leak::of_input(rule, Verdict::Refuse, candidate.name, format!("`{}` {reason}", candidate.name)))
}

/// Returns what the values of an input say against it: the strongest evidence only.
fn figures(inputs: &Inputs, input: &Candidate, best: Option<&SingleFit>, cycle: Option<f64>) -> Option<Leak> {
    let name = input.name;
    let earlier_counts = !inputs.allowed.past_labels;
    let copies = [
        (LeakRule::EqualsLabel, 0, "is the label itself, up to offset and scale"),
        (LeakRule::EqualsLaterLabel, 1, "is the label of the next row of its cell"),
        (LeakRule::EqualsEarlierLabel, -1, "is the label of the row before, which this task hides"),
    ];
    for (rule, lag, reason) in copies.into_iter().take(if earlier_counts { 3 } else { 2 }) {
        if fit::is_copy(input.values, inputs.labels, inputs.rows, lag) {
            return Some(Leak::of_input(rule, Verdict::Refuse, name, format!("`{name}` {reason}")));
        }
    }
    let best = best.filter(|fit| is_near_perfect(fit, cycle))?;
    let sentence = format!(
        "`{name}` gives the label away: {} through it has RMSE {} {} on cells it never saw",
        best.shape,
        figure(best.rmse),
        inputs.unit
    );
    let leak = match input.source {
        // What was measured before the label cannot contain it, however well it foretells it.
        Source::PastRecord | Source::Time | Source::PastLabel => {
            let percent = 100.0 * best.r2;
            let sentence =
                format!("`{name}`, known before the label, alone explains {percent:.1} % across cells");
            Leak::of_input(LeakRule::NearPerfectFit, Verdict::Note, name, sentence)
        }
        _ => Leak::of_input(LeakRule::NearPerfectFit, Verdict::Refuse, name, sentence),
    };
    Some(Leak { fit: Some(best.clone()), ..leak })
}

fn is_near_perfect(fit: &SingleFit, cycle_line_rmse: Option<f64>) -> bool {
    let bar = cycle_line_rmse.map_or(f64::INFINITY, |rmse| SHARE_OF_CYCLE_LINE * rmse);
    fit.r2 >= NEAR_PERFECT_R2 && fit.rmse <= bar
}

impl Leak {
    fn of_input(rule: LeakRule, verdict: Verdict, input: &str, sentence: String) -> Self {
        Self { rule, verdict, input: Some(input.into()), fold: None, fit: None, sentence }
    }
}

/// Writes three significant digits.
fn figure(x: f64) -> String {
    let digits = if x.abs() > 0.0 { (2.0 - x.abs().log10().floor()).clamp(0.0, 9.0) } else { 0.0 };
    format!("{x:.*}", digits as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CELLS: [&str; 4] = ["B0005", "B0006", "B0007", "B0018"];

    /// Columns of `nasa_inputs.csv`, charge inputs NaN where the charge is unusable.
    struct Nasa {
        cells: Vec<CellId>,
        rows: Vec<Row>,
        duration: Vec<f64>,
        voltage_time: Vec<f64>,
        charge_ah: Vec<f64>,
        charge_cc: Vec<f64>,
        capacity: Vec<f64>,
    }

    impl Nasa {
        fn load() -> Self {
            let text = include_str!("../../../tests/fixtures/quality/nasa_inputs.csv");
            let table: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
            let column =
                |k: usize| table.iter().map(|row| row[k].parse::<f64>().unwrap()).collect::<Vec<_>>();
            let usable = column(7);
            let honest = |k: usize| {
                column(k).iter().zip(&usable).map(|(&x, &u)| if u > 0.5 { x } else { f64::NAN }).collect()
            };
            let row = |row: &Vec<&str>| Row {
                cell_idx: CELLS.iter().position(|&c| c == row[0]).unwrap(),
                cycle: row[1].parse().unwrap(),
            };
            Self {
                cells: CELLS.map(CellId::new).to_vec(),
                rows: table.iter().map(row).collect(),
                duration: column(2),
                voltage_time: column(3),
                charge_ah: honest(4),
                charge_cc: honest(5),
                capacity: column(6),
            }
        }

        fn check(&self, candidates: &[Candidate]) -> LeakageReport {
            check(&self.inputs(candidates, &[]))
        }

        fn inputs<'a>(&'a self, candidates: &'a [Candidate], folds: &'a [Fold]) -> Inputs<'a> {
            Inputs {
                candidates,
                labels: &self.capacity,
                unit: "Ah",
                rows: &self.rows,
                cells: &self.cells,
                folds,
                separation: Separation::Cells,
                allowed: Allowed::default(),
            }
        }
    }

    fn of<'a>(name: &'a str, source: Source, values: &'a [f64]) -> Candidate<'a> {
        Candidate { name, source, values }
    }

    fn rules(report: &LeakageReport) -> Vec<(LeakRule, Verdict)> {
        report.findings.iter().map(|leak| (leak.rule, leak.verdict)).collect()
    }

    #[test]
    fn the_discharge_duration_of_nasa_is_refused_with_its_figure() {
        let nasa = Nasa::load();
        let report = nasa.check(&[of("discharge_duration", Source::SameCycle, &nasa.duration)]);
        assert_eq!(rules(&report), [(LeakRule::NearPerfectFit, Verdict::Refuse)]);
        let fit = report.findings[0].fit.as_ref().unwrap();
        assert!((fit.rmse - 0.016_647).abs() < 1e-6 && (fit.r2 - 0.990_206).abs() < 1e-6, "{fit:?}");
        let sentence = "`discharge_duration` gives the label away: one line through it has RMSE 0.0166 Ah \
                        on cells it never saw";
        assert_eq!(report.to_string(), sentence);
        assert!((report.cycle_line_rmse.unwrap() - 0.089_505).abs() < 1e-6);
    }

    #[test]
    fn the_voltage_time_integral_is_refused_by_provenance_and_by_figures() {
        let nasa = Nasa::load();
        let report = nasa.check(&[of("discharge_voltage_time", Source::SameRecord, &nasa.voltage_time)]);
        let expected = [LeakRule::LabelledRecord, LeakRule::NearPerfectFit].map(|r| (r, Verdict::Refuse));
        assert_eq!(rules(&report), expected);
    }

    #[test]
    fn honest_charge_inputs_pass_and_the_best_one_is_named() {
        let nasa = Nasa::load();
        let cycle: Vec<f64> = nasa.rows.iter().map(|r| f64::from(r.cycle)).collect();
        for source in [Source::PastRecord, Source::SameCycle] {
            let report = nasa.check(&[
                of("charge_cc_duration", source, &nasa.charge_cc),
                of("charge_throughput", source, &nasa.charge_ah),
                of("history_discharges", Source::Time, &cycle),
            ]);
            assert_eq!(report.findings, []);
            let best = report.best_single_input.as_ref().unwrap();
            assert_eq!((best.name.as_str(), best.n_rows), ("charge_throughput", 631));
            assert_eq!(report.to_string(), "ok: best single input explains 88 % across cells");
        }
    }

    #[test]
    fn curves_agree_with_polyfit_and_isotonic_regression() {
        // numpy.polyfit and sklearn.isotonic.IsotonicRegression(out_of_bounds="clip"), leave one cell out.
        let nasa = Nasa::load();
        let blocks = fit::Blocks::new(&nasa.rows);
        for (x, rmse, r2) in [
            (&nasa.charge_ah, [0.087_485, 0.062_590, 0.061_109], [0.804_793, 0.883_179, 0.895_497]),
            (&nasa.charge_cc, [0.082_703, 0.070_875, 0.072_041], [0.822_036, 0.855_006, 0.855_647]),
            (&nasa.duration, [0.016_647, 0.016_827, 0.025_240], [0.990_206, 0.990_027, 0.978_561]),
        ] {
            for (k, shape) in [Shape::Line, Shape::Parabola, Shape::Monotone].into_iter().enumerate() {
                let fit = blocks.judge("x", shape, x, &nasa.capacity).unwrap();
                assert!((fit.rmse - rmse[k]).abs() < 2e-6 && (fit.r2 - r2[k]).abs() < 2e-6, "{fit:?}");
            }
        }
    }

    #[test]
    fn what_a_source_forbids_is_refused_whatever_the_figures() {
        let nasa = Nasa::load();
        let noise: Vec<f64> = (0..nasa.rows.len()).map(|k| ((k * 7919) % 101) as f64).collect();
        for (source, rule) in [
            (Source::SameRecord, Some(LeakRule::LabelledRecord)),
            (Source::SameRecordPart, Some(LeakRule::LabelledRecord)),
            (Source::SameCycle, None),
            (Source::PastRecord, None),
            (Source::PastLabel, Some(LeakRule::HiddenPastLabel)),
            (Source::FutureRecord, Some(LeakRule::NeedsFuture)),
            (Source::Static, None),
            (Source::Time, None),
        ] {
            let report = nasa.check(&[of("x", source, &noise)]);
            assert_eq!(report.findings.first().map(|leak| leak.rule), rule, "{source:?}");
            assert_eq!(report.is_ok(), rule.is_none());
        }
        let candidates = [of("a", Source::PastLabel, &noise), of("b", Source::SameRecordPart, &noise)];
        let allowed = Allowed { past_labels: true, record_part: true };
        let report = check(&Inputs { allowed, ..nasa.inputs(&candidates, &[]) });
        assert_eq!(report.findings, []);
    }

    #[test]
    fn the_label_in_other_units_and_labels_of_neighbouring_rows_are_refused_whatever_the_source() {
        let nasa = Nasa::load();
        let coulombs: Vec<f64> = nasa.capacity.iter().map(|c| 40.0 - 3600.0 * c).collect();
        let shifted = |lag: isize| -> Vec<f64> {
            let same_cell = |k: usize| {
                let other = k.checked_add_signed(lag).filter(|&o| o < nasa.rows.len());
                other.filter(|&o| nasa.rows[o].cell_idx == nasa.rows[k].cell_idx)
            };
            (0..nasa.rows.len()).map(|k| same_cell(k).map_or(f64::NAN, |o| nasa.capacity[o])).collect()
        };
        for (values, rule) in [
            (coulombs, LeakRule::EqualsLabel),
            (shifted(1), LeakRule::EqualsLaterLabel),
            (shifted(-1), LeakRule::EqualsEarlierLabel),
        ] {
            let report = nasa.check(&[of("x", Source::PastRecord, &values)]);
            assert_eq!(rules(&report), [(rule, Verdict::Refuse)]);
        }
    }

    #[test]
    fn the_past_label_is_only_noted_where_the_task_allows_it() {
        let nasa = Nasa::load();
        let past = |k: usize| k > 0 && nasa.rows[k].cell_idx == nasa.rows[k - 1].cell_idx;
        let values: Vec<f64> =
            (0..nasa.rows.len()).map(|k| if past(k) { nasa.capacity[k - 1] } else { f64::NAN }).collect();
        let candidates = [of("history_capacity_last", Source::PastLabel, &values)];
        let allowed = Allowed { past_labels: true, record_part: false };
        let report = check(&Inputs { allowed, ..nasa.inputs(&candidates, &[]) });
        assert_eq!(rules(&report), [(LeakRule::NearPerfectFit, Verdict::Note)]);
        assert!(report.is_ok());
    }

    #[test]
    fn cells_that_age_alike_do_not_make_every_input_suspect() {
        let cells: Vec<CellId> = CELLS.map(CellId::new).to_vec();
        let row = |k: usize| Row { cell_idx: k / 50, cycle: (k % 50) as u32 };
        let rows: Vec<Row> = (0..200).map(row).collect();
        let wiggle = |k: usize, step: usize| ((k * step) % 17) as f64 / 17.0 - 0.5;
        let labels: Vec<f64> = (0..200).map(|k| 2.0 - 0.01 * (k % 50) as f64 + 0.02 * wiggle(k, 5)).collect();
        let input: Vec<f64> = (0..200).map(|k| 7.0 + 0.1 * (k % 50) as f64 + 0.2 * wiggle(k, 11)).collect();
        let candidates = [of("charge_cv_duration", Source::SameCycle, &input)];
        let inputs = Nasa::load();
        let report =
            check(&Inputs { labels: &labels, rows: &rows, cells: &cells, ..inputs.inputs(&candidates, &[]) });
        assert!(report.best_single_input.as_ref().unwrap().r2 > NEAR_PERFECT_R2);
        assert_eq!(report.findings, []);
    }

    #[test]
    fn a_cell_or_a_row_on_both_sides_of_a_split_is_found() {
        let nasa = Nasa::load();
        let (b0005, others): (Vec<usize>, Vec<usize>) = (0..636).partition(|&k| nasa.rows[k].cell_idx == 0);
        let check_fold = |train: &[usize], test: &[usize], separation| {
            let folds = [Fold { name: "B0005", train, test }];
            rules(&check(&Inputs { separation, ..nasa.inputs(&[], &folds) }))
        };
        let refuse = |rules: &[LeakRule]| rules.iter().map(|&r| (r, Verdict::Refuse)).collect::<Vec<_>>();
        assert_eq!(check_fold(&others, &b0005, Separation::Cells), []);
        assert_eq!(check_fold(&b0005[..134], &b0005[134..], Separation::Time), []);
        assert_eq!(check_fold(&others, &b0005[134..], Separation::Time), []);
        let by_row = check_fold(&b0005[..134], &b0005[134..], Separation::Cells);
        assert_eq!(by_row, refuse(&[LeakRule::CellOnBothSides]));
        let mixed = check_fold(&b0005[1..], &b0005[..1], Separation::Time);
        assert_eq!(mixed, refuse(&[LeakRule::TrainsOnFuture]));
        let twice = check_fold(&b0005[..135], &b0005[134..], Separation::Time);
        assert_eq!(twice, refuse(&[LeakRule::RowOnBothSides]));
    }

    #[test]
    fn inputs_that_cannot_be_fitted_are_left_out() {
        let nasa = Nasa::load();
        let missing = vec![f64::NAN; nasa.rows.len()];
        let constant = vec![24.0; nasa.rows.len()];
        let report = nasa.check(&[of("a", Source::Static, &missing), of("b", Source::Static, &constant)]);
        assert_eq!(report.findings, []);
        let names: Vec<_> = report.single_inputs.iter().map(|fit| fit.name.as_str()).collect();
        assert_eq!(names, ["b"]);
        assert!(report.best_single_input.as_ref().unwrap().r2 <= 0.0);
    }

    #[test]
    fn figures_have_three_significant_digits() {
        for (x, text) in [(0.016_647, "0.0166"), (138.2, "138"), (1.5, "1.50"), (0.0, "0"), (4200.0, "4200")]
        {
            assert_eq!(figure(x), text);
        }
    }

    #[test]
    fn the_json_names_are_stable() {
        let nasa = Nasa::load();
        let report = nasa.check(&[of("discharge_duration", Source::SameRecord, &nasa.duration)]);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["findings"][0]["rule"], "labelled_record");
        assert_eq!(json["findings"][1]["verdict"], "refuse");
        assert_eq!(json["findings"][1]["fit"]["shape"], "line");
        assert_eq!(json["best_single_input"]["name"], "discharge_duration");
    }

    proptest! {
        #[test]
        fn units_of_an_input_do_not_change_its_figures(scale in 1e-6_f64..1e6, offset in -1e3_f64..1e3) {
            let nasa = Nasa::load();
            let scaled: Vec<f64> = nasa.duration.iter().map(|x| scale * (x + offset)).collect();
            let report = nasa.check(&[of("x", Source::SameCycle, &scaled)]);
            prop_assert!((report.best_single_input.unwrap().r2 - 0.990_206).abs() < 1e-5);
        }
    }
}
