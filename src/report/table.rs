//! Tables as text: one row a model, one column a fold, figures in the unit of the label.

use super::early;
use crate::experiment::score::{Metric, Metrics};
use crate::experiment::{Comparison, Outcome};

/// Most folds that get a column of their own; with more the mean stands alone.
const MOST_COLUMNS: usize = 8;

/// Returns the table of one run.
pub fn run(outcome: &Outcome) -> String {
    if outcome.kind.is_early() {
        return early::table::run(outcome);
    }
    let rows = vec![(outcome.model.name().to_owned(), &outcome.metrics)];
    let title = format!("{}, RMSE [{}] on cells or times never seen", outcome.task, outcome.unit);
    let mut text = table(&title, &rows, outcome.baselines.iter().map(|(n, m)| (n.clone(), m)).collect());
    text.push_str(&references(&outcome.references));
    text.push_str(&other_metrics(&outcome.metrics));
    text.push_str(&format!("leak    {}\n", outcome.leakage));
    text.push_str(leak_remark(outcome.leak_allowed));
    if let Some(n) = outcome.stops.get("diverged") {
        text.push_str(&format!("        {n} networks diverged and are left out of the mean\n"));
    }
    text.push_str(&remarks(outcome.synthetic, outcome.tuned_on_test, &outcome.notes));
    text
}

/// Returns the table of a comparison.
pub fn comparison(comparison: &Comparison) -> String {
    if comparison.kind.is_early() {
        return early::table::comparison(comparison);
    }
    let rows = comparison.models.iter().map(|m| (m.name.clone(), &m.metrics)).collect::<Vec<_>>();
    let title = format!("{}, RMSE [{}] on cells or times never seen", comparison.task, comparison.unit);
    let baselines = comparison.baselines.iter().map(|(n, m)| (n.clone(), m)).collect();
    let mut text = format!("data    {}\nleak    {}\n\n", comparison.data, comparison.leakage);
    text.push_str(&table(&title, &rows, baselines));
    text.push_str(&references(&comparison.references));
    text.push_str(&verdict(comparison));
    text.push_str(&remarks(comparison.synthetic, comparison.tuned_on_test, &comparison.notes));
    text
}

/// Returns a table of texts with aligned columns; the first column to the left, the others to the right.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |text: &String| text.chars().count();
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(length).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let padded: Vec<String> = cells
            .map(|(c, (cell, &w))| if c == 0 { format!("  {cell:<w$}") } else { format!("{cell:>w$}") })
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn table(title: &str, models: &[(String, &Metrics)], baselines: Vec<(String, &Metrics)>) -> String {
    let Some(first) = models.iter().find_map(|(_, m)| m.get("rmse")) else {
        return format!("{title}: no row could be scored\n");
    };
    let folds: Vec<&String> = first.folds.keys().filter(|_| first.folds.len() <= MOST_COLUMNS).collect();
    let mut rows = vec![[vec![String::new()], folds.iter().map(ToString::to_string).collect()].concat()];
    rows[0].extend(["mean".into(), "sd".into()]);
    let mut push = |name: &str, metric: Option<&Metric>| {
        let Some(metric) = metric else { return };
        let mut row = vec![name.to_owned()];
        row.extend(folds.iter().map(|f| metric.folds.get(*f).map_or_else(|| "–".into(), |v| figure(*v))));
        row.push(figure(metric.mean));
        row.push(metric.sd.map_or_else(String::new, figure));
        rows.push(row);
    };
    for (name, metrics) in models {
        push(name, metrics.get("rmse"));
    }
    for (name, metrics) in baselines {
        push(&name.replace('_', " "), metrics.get("rmse"));
    }
    format!("{title}\n{}", aligned(&rows))
}

fn references(references: &std::collections::BTreeMap<String, f64>) -> String {
    references
        .iter()
        .map(|(name, v)| format!("  reference: {} {}\n", name.replace('_', " "), figure(*v)))
        .collect()
}

fn other_metrics(metrics: &Metrics) -> String {
    let others = metrics.iter().filter(|(name, _)| name.as_str() != "rmse");
    let one = |(name, m): (&String, &Metric)| match name.as_str() {
        "mape" => format!("{name} {:.2} %", 100.0 * m.mean),
        "eol_error" => {
            let cells: Vec<String> = m.folds.iter().map(|(f, v)| format!("{f} {v:+.0}")).collect();
            format!("end-of-life error [cycles] {}", cells.join(", "))
        }
        _ => format!("{name} {}", figure(m.mean)),
    };
    let texts: Vec<String> = others.map(one).collect();
    if texts.is_empty() { String::new() } else { format!("  also: {}\n", texts.join(" · ")) }
}

/// Says which references and baselines the experiment's own model beats, and which not.
///
/// The lowest figure of the table is named too, but choosing by it would be tuning on the test.
fn verdict(comparison: &Comparison) -> String {
    let mean = |m: &Metrics| m.get("rmse").map(|r| r.mean);
    let scored = || comparison.models.iter().filter_map(|m| Some((m.name.as_str(), mean(&m.metrics)?)));
    let Some((name, value)) = scored().next() else { return String::new() };
    let named = comparison.references.iter().map(|(n, v)| (n.as_str(), *v));
    let measured = comparison.baselines.iter().filter_map(|(n, m)| Some((n.as_str(), mean(m)?)));
    let (beaten, not): (Vec<_>, Vec<_>) = named.chain(measured).partition(|(_, v)| value < *v);
    let one = |(n, v): &(&str, f64)| format!("{} {}", n.replace('_', " "), figure(*v));
    let list = |v: &[(&str, f64)]| v.iter().map(one).collect::<Vec<_>>().join(", ");
    let mut text = format!("  {name} {} beats {}\n", figure(value), list(&beaten));
    if !not.is_empty() {
        text.push_str(&format!("  {name} does NOT beat {}\n", list(&not)));
    }
    if let Some(lowest) = scored().min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(n, _)| *n != name) {
        text.push_str(&format!("  lowest of the table: {}\n", one(&lowest)));
    }
    text
}

/// Returns the line that says that an input gives the label away.
pub(super) fn leak_remark(allowed: bool) -> &'static str {
    if allowed {
        "LEAK    an input gives the label away; the experiment allows it (inputs.allow_leak)\n"
    } else {
        ""
    }
}

/// Returns a line a remark.
pub(super) fn remarks(synthetic: bool, tuned_on_test: bool, notes: &[String]) -> String {
    let mut text = String::new();
    if synthetic {
        text.push_str("note    the cells are synthetic: a simulator made them\n");
    }
    if tuned_on_test {
        text.push_str("note    tuned on test: the configuration was chosen on the reported figure, which does not count\n");
    }
    for note in notes {
        text.push_str(&format!("note    {note}\n"));
    }
    text
}

/// Returns a figure with four decimals, without a zero before the point.
fn figure(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.strip_prefix("0.") {
        Some(rest) => format!(".{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec![String::new(), "B0005".into()], vec!["dense".into(), ".0123".into()]];
        assert_eq!(aligned(&rows), "         B0005\n  dense  .0123\n");
    }

    #[test]
    fn figures_have_four_decimals() {
        assert_eq!(
            (figure(0.01234).as_str(), figure(12.0).as_str(), figure(-0.5).as_str()),
            (".0123", "12.0000", "-0.5000")
        );
    }
}
