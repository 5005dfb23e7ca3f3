//! Model cards: what a run is, for the people who use it, as Markdown.

use super::publish::Finished;
use super::score::{Metric, Metrics, SHORTCUT};
use crate::pipeline::manifest::{Manifest, RowsOf};
use crate::pipeline::{Input, Output};
use crate::uq::conformal::Conformal;

/// Folds that a figure names one by one; of more the mean stands alone.
const MOST_FOLDS: usize = 8;

/// Returns the card of a finished run.
pub(super) fn text(manifest: &Manifest, run: &Finished) -> String {
    [
        title(manifest, run),
        inputs(manifest),
        figures(run),
        interval(manifest),
        data(manifest, run),
        limits(manifest, run),
        usage(manifest),
    ]
    .concat()
}

fn title(manifest: &Manifest, run: &Finished) -> String {
    let (config, folds) = (run.config, run.task.folds.len());
    let law = config.model.kind.has_law().then(|| format!(" with the law `{}`", config.model.prior));
    let law = law.unwrap_or_default();
    let parts =
        if folds == 1 { "one model".into() } else { format!("the mean of the models of {folds} folds") };
    let refused =
        manifest.refused.as_ref().map_or_else(String::new, |why| format!("\n**Not served**: {why}.\n"));
    let (name, model) = (&manifest.experiment, &manifest.model);
    format!(
        "# {name} · {model}\n\nA `{model}` model{law} that answers {}, {}.\nThe answer is {parts}.\n{refused}",
        answers(&manifest.output),
        asked(&manifest.rows)
    )
}

fn answers(output: &Output) -> String {
    match output {
        Output::Soh { reference_ah: Some(ah) } => {
            format!("the state of health (SoH) [1], where 1 is {ah} Ah")
        }
        Output::Soh { reference_ah: None } => {
            "the state of health (SoH) [1], relative to the cell's own reference capacity".into()
        }
        Output::Life { .. } => "the cycle life [cycles]".into(),
        Output::Tier { names } => {
            let best_first: Vec<&str> = names.iter().rev().map(String::as_str).collect();
            format!("the probability of each tier, {} (the best first)", best_first.join(", "))
        }
    }
}

fn asked(rows: &RowsOf) -> String {
    match rows {
        RowsOf::Discharges { given: 0, .. } => "of a cell before each of its discharges".into(),
        RowsOf::Discharges { given, .. } => {
            format!("of a cell before each of its discharges after the first {given}, which are given")
        }
        RowsOf::Cells { window } => format!("of a cell from its cycles {} to {}", window.from, window.to),
        RowsOf::Table => "of a row of its inputs".into(),
    }
}

fn inputs(manifest: &Manifest) -> String {
    let row = |input: &Input| {
        let [low, high] = input.range.map(short);
        let leak = if input.leaks { " **Gives the label away.**" } else { "" };
        format!("| `{}` | {} | {low} to {high} | {}{leak} |\n", input.name, input.unit, input.doc)
    };
    let rows: String = manifest.inputs.iter().map(row).collect();
    format!("\n## Inputs\n\n| input | unit | range in training | what |\n|---|---|---|---|\n{rows}")
}

fn figures(run: &Finished) -> String {
    let outcome = run.outcome;
    let first = if outcome.tiers.is_some() { "accuracy" } else { "rmse" };
    let unit = |name: &str| match name {
        "rmse" | "mae" | "max_error" => format!(" [{}]", outcome.unit),
        "eol_error" => " [cycles]".into(),
        _ => String::new(),
    };
    let metric = |(name, m): (&String, &Metric)| {
        format!("| {name}{} | {} |{}\n", unit(name), short(m.mean), by_fold(m))
    };
    let metrics: String = outcome.metrics.iter().map(metric).collect();
    let one = |(name, m): (&String, &Metrics)| {
        let forbidden = if name == SHORTCUT { " (no model may use it)" } else { "" };
        Some(format!("| {}{forbidden} | {} |\n", name.replace('_', " "), short(m.get(first)?.mean)))
    };
    let baselines: String = outcome.baselines.iter().filter_map(one).collect();
    let named =
        |(name, v): (&String, &f64)| format!("| {} (reference) | {} |\n", name.replace('_', " "), short(*v));
    let references: String = outcome.references.iter().map(named).collect();
    let own = outcome.metrics.get(first).map_or_else(|| "–".into(), |m| short(m.mean));
    let unit = unit(first);
    format!(
        "\n## Figures\n\nOn cells or times that the model never saw.\n\n| metric | mean | folds |\n|---|---|---|\n{metrics}\n\
         | beside | {first}{unit} |\n|---|---|\n| **this model** | **{own}** |\n{baselines}{references}"
    )
}

fn by_fold(metric: &Metric) -> String {
    if metric.folds.len() > MOST_FOLDS {
        return format!(" {} parts |", metric.folds.len());
    }
    let folds: Vec<String> = metric.folds.iter().map(|(fold, v)| format!("{fold} {}", short(*v))).collect();
    format!(" {} |", folds.join(", "))
}

fn interval(manifest: &Manifest) -> String {
    let Some(table) = &manifest.interval else {
        return "\n## Interval\n\nNone: too few rows of unseen cells were judged.\n".into();
    };
    let Conformal { levels, scores, coverage, n_rows, n_cells } = table;
    let row = |(idx, (level, score)): (usize, (&f64, &f64))| {
        let covered = coverage.get(idx).map_or_else(|| "–".into(), |c| format!("{:.0} %", 100.0 * c));
        format!("| {:.0} % | {} | {covered} |\n", 100.0 * level, width(&manifest.output, *score))
    };
    let rows: String = levels.iter().zip(scores).enumerate().map(row).collect();
    format!(
        "\n## Interval\n\nFrom the errors on {n_rows} rows of {n_cells} cells, each predicted by the folds that never saw \
         the cell. Covered: the share of rows inside, in cells whose errors the width was not made of.\n\n\
         | level | answer | covered |\n|---|---|---|\n{rows}"
    )
}

/// Says what a score means for an answer.
fn width(output: &Output, score: f64) -> String {
    match output {
        Output::Soh { reference_ah: Some(ah) } => {
            format!("± {} SoH (± {} Ah)", short(score), short(score * ah))
        }
        Output::Soh { reference_ah: None } => format!("± {} SoH", short(score)),
        Output::Life { log: true } => format!("between 1/{0} and {0} times", short(output.physical(score))),
        Output::Life { log: false } => format!("± {} cycles", short(score)),
        Output::Tier { .. } => format!("every tier of probability {} or more", short(1.0 - score)),
    }
}

fn data(manifest: &Manifest, run: &Finished) -> String {
    let outcome = run.outcome;
    let synthetic =
        if outcome.synthetic { "\n\n**The cells are synthetic: a simulator made them.**" } else { "" };
    format!(
        "\n## Data\n\n{}; dataset `{}`, SHA-256 {}.{synthetic}\n\nLeakage check: {}\n",
        outcome.data, manifest.dataset, manifest.data_sha256, outcome.leakage
    )
}

fn limits(manifest: &Manifest, run: &Finished) -> String {
    let outcome = run.outcome;
    let mut lines = vec![
        "Outside the ranges above an answer is a guess; such rows are marked with a warning.".to_owned(),
    ];
    if let Some(tiers) = &outcome.tiers {
        lines.push(format!("Tiers: {}.", tiers.rule));
    }
    if outcome.leak_allowed && !run.task.leakage.is_ok() {
        lines.push("An input gives the label away and was allowed: the figures are no forecast's.".into());
    }
    if run.config.start.as_ref().is_some_and(|start| start.leaks) {
        lines.push(
            "Its networks started from weights that may have learnt from the cells that it is judged on."
                .into(),
        );
    }
    if outcome.tuned_on_test {
        lines.push("The configuration was chosen on the reported figure, which so does not count.".into());
    }
    if let Some(n) = outcome.stops.get("diverged") {
        lines.push(format!("{n} networks diverged and are left out of the mean."));
    }
    lines.extend(outcome.notes.iter().cloned());
    let lines: String = lines.iter().map(|line| format!("- {line}\n")).collect();
    let state = run.state;
    format!(
        "\n## Limits\n\n{lines}\nMade by fadecast {} on {}, backend {}; experiment SHA-256 {}.\n",
        manifest.fadecast, manifest.created, state.backend, state.config_sha256
    )
}

fn usage(manifest: &Manifest) -> String {
    if manifest.refused.is_some() {
        return String::new();
    }
    let run = format!("models/{}/{}", manifest.experiment, manifest.run);
    format!(
        "\n## Use\n\n```sh\nfadecast predict {run} INPUT --out answers.csv   # raw cells, or a table of the inputs above\n\
         fadecast export {run} --format onnx --out model.onnx\nfadecast models promote {run}\n\
         fadecast serve {} --listen 127.0.0.1:8080\n```\n",
        manifest.experiment
    )
}

/// Returns a number with four significant digits, without zeros at its end.
fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".into() } else { "–".into() };
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::manifest;
    use crate::uq::conformal::LEVELS;

    #[test]
    fn numbers_have_four_digits() {
        let cases =
            [(0.012_344, "0.01234"), (1234.56, "1235"), (2.0, "2"), (0.0, "0"), (-1.5e-7, "-1.500e-7")];
        for (value, expected) in cases {
            assert_eq!(short(value), expected);
        }
        assert_eq!([short(f64::NAN), short(123_456.7), short(1e9)], ["–", "123457", "1.000e9"]);
    }

    #[test]
    fn an_interval_is_told_in_the_unit_of_the_answer() {
        assert_eq!(width(&Output::Soh { reference_ah: Some(2.0) }, 0.05), "± 0.05 SoH (± 0.1 Ah)");
        // 10^0.30103 = 2.
        assert_eq!(width(&Output::Life { log: true }, 2.0_f64.log10()), "between 1/2 and 2 times");
        assert_eq!(width(&Output::Tier { names: Vec::new() }, 0.8), "every tier of probability 0.2 or more");
        let mut manifest = manifest::tests::manifest();
        let cells = [vec![0.01; 30], vec![0.02; 30]];
        manifest.interval = Conformal::fit(&cells);
        let text = interval(&manifest);
        assert!(
            text.contains("60 rows of 2 cells") && text.contains("| 95 % | ± 0.02 SoH (± 0.04 Ah) | 50 % |"),
            "{text}"
        );
        assert_eq!(text.matches("\n| ").count(), 1 + LEVELS.len());
    }
}
