//! Tables as text of models of lives and tiers: a row a model, a column a metric; and of the reasons.

use std::collections::BTreeMap;

use super::{
    OF_LIVES, OF_TIERS, beside, count, grown, plain, reading, share, signed, spread, weight, with_unit,
};
use crate::experiment::config::Kind;
use crate::experiment::reasons::{CellReasons, Growth, Permutation, Reasons, ReasonsSummary, Weight};
use crate::experiment::score::{Metrics, TierOutcome};
use crate::experiment::{Comparison, Outcome};
use crate::report::number;
use crate::report::table::{aligned, leak_remark, remarks};

/// Most inputs and groups of a table of reasons.
const MOST_ROWS: usize = 12;

/// Returns the table of one run.
pub fn run(outcome: &Outcome) -> String {
    let models = [(outcome.model.name().to_owned(), &outcome.metrics)];
    let mut text = heading(&outcome.task, outcome.kind, &outcome.metrics);
    text.push_str(&metrics(outcome.kind, &models, &outcome.baselines, &outcome.references));
    if let Some(tiers) = &outcome.tiers {
        text.push_str(&confusion(tiers));
    }
    text.push_str(&outcome.reasons.as_ref().map_or_else(String::new, reasons_lines));
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
    let models: Vec<_> = comparison.models.iter().map(|m| (m.name.clone(), &m.metrics)).collect();
    let mut text = format!("data    {}\nleak    {}\n\n", comparison.data, comparison.leakage);
    let first = comparison.models.first().map(|m| &m.metrics);
    text.push_str(&first.map_or_else(String::new, |m| heading(&comparison.task, comparison.kind, m)));
    text.push_str(&metrics(comparison.kind, &models, &comparison.baselines, &comparison.references));
    text.push_str(&verdict(comparison));
    text.push_str(&remarks(comparison.synthetic, comparison.tuned_on_test, &comparison.notes));
    text
}

/// Returns the metrics of a kind in the order of their columns.
fn columns(kind: Kind) -> &'static [(&'static str, &'static str)] {
    if kind == Kind::Tier { &OF_TIERS } else { &OF_LIVES }
}

fn heading(task: &str, kind: Kind, metrics: &Metrics) -> String {
    let what = if kind == Kind::Tier { "tiers" } else { "lives" };
    let n = metrics.values().next().map_or(0, |m| m.folds.len());
    let over = if n > 1 { format!(", mean ± sd over {n} repetitions") } else { String::new() };
    format!("{task}, {what} of cells never seen{over}\n")
}

fn metrics(
    kind: Kind,
    models: &[(String, &Metrics)],
    baselines: &BTreeMap<String, Metrics>,
    references: &BTreeMap<String, f64>,
) -> String {
    let columns = columns(kind);
    let mut rows =
        vec![std::iter::once(String::new()).chain(columns.iter().map(|c| c.1.to_owned())).collect()];
    let mut push = |name: String, metrics: &Metrics| {
        let cell =
            |c: &(&str, &str)| metrics.get(c.0).map_or_else(|| "–".into(), |m| spread(c.0, m.mean, m.sd));
        rows.push(std::iter::once(name).chain(columns.iter().map(cell)).collect());
    };
    for (name, metrics) in models {
        push(name.clone(), metrics);
    }
    for (name, metrics) in baselines {
        push(plain(name), metrics);
    }
    for (name, values) in named(references, columns) {
        let cell = |c: &(&str, &str)| values.get(c.0).map_or_else(String::new, |v| reading(c.0, *v));
        rows.push(
            std::iter::once(format!("reference: {}", plain(&name))).chain(columns.iter().map(cell)).collect(),
        );
    }
    aligned(&rows)
}

/// Returns the references by name and metric: a name that ends in `_<metric>` stands for that metric, any other one for the
/// first.
pub(super) fn named<'a>(
    references: &'a BTreeMap<String, f64>,
    columns: &[(&'static str, &str)],
) -> BTreeMap<String, BTreeMap<&'a str, f64>> {
    let mut found: BTreeMap<String, BTreeMap<&str, f64>> = BTreeMap::new();
    for (name, value) in references {
        let of = |c: &&(&'static str, &str)| name.strip_suffix(c.0).is_some_and(|rest| rest.ends_with('_'));
        let metric = columns.iter().find(of).map(|c| c.0);
        let stem = metric.map_or(name.as_str(), |m| &name[..name.len() - m.len() - 1]);
        found.entry(stem.to_owned()).or_default().insert(metric.unwrap_or(columns[0].0), *value);
    }
    found
}

/// Returns the references of one metric.
pub(super) fn of_metric(comparison: &Comparison, metric: &str) -> Vec<(String, f64)> {
    let named = named(&comparison.references, columns(comparison.kind));
    named.into_iter().filter_map(|(name, values)| Some((name, *values.get(metric)?))).collect()
}

fn confusion(tiers: &TierOutcome) -> String {
    let mut text =
        format!("tiers   {}\nconfusion, cells in rows by tier, in columns by prediction\n", tiers.rule);
    let mut rows = vec![[&[String::new()][..], &tiers.names].concat()];
    for (name, counts) in tiers.names.iter().zip(&tiers.confusion) {
        rows.push(std::iter::once(name.clone()).chain(counts.iter().map(|&n| count(n))).collect());
    }
    text.push_str(&aligned(&rows));
    text
}

fn reasons_lines(summary: &ReasonsSummary) -> String {
    let list = |all: &[(String, f64)]| {
        all.iter().map(|(name, v)| format!("{name} {}", number::digits(*v, 3))).collect::<Vec<_>>().join(", ")
    };
    let agree =
        summary.kuncheva.map_or_else(String::new, |k| format!(" · folds agree by {} (Kuncheva)", share(k)));
    format!(
        "inputs  {} [{}]{agree}\nfamily  {}\n",
        list(&summary.inputs),
        summary.unit,
        list(&summary.families)
    )
}

/// Says which references and baselines the experiment's own model beats by the first metric, and which not.
fn verdict(comparison: &Comparison) -> String {
    let columns = columns(comparison.kind);
    let metric = columns[0].0;
    let beats = |a: f64, b: f64| if comparison.kind == Kind::Tier { a > b } else { a < b };
    let mean = |m: &Metrics| m.get(metric).map(|m| m.mean);
    let scored = || comparison.models.iter().filter_map(|m| Some((m.name.clone(), mean(&m.metrics)?)));
    let Some((name, value)) = scored().next() else { return String::new() };
    let published = of_metric(comparison, metric).into_iter();
    let measured = comparison.baselines.iter().filter_map(|(n, m)| Some((n.clone(), mean(m)?)));
    let (beaten, not): (Vec<_>, Vec<_>) = published.chain(measured).partition(|(_, v)| beats(value, *v));
    let one = |(n, v): &(String, f64)| format!("{} {}", plain(n), reading(metric, *v));
    let list = |all: &[(String, f64)]| all.iter().map(one).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    for (what, others) in [("beats", beaten), ("does NOT beat", not)] {
        if !others.is_empty() {
            let own = reading(metric, value);
            text.push_str(&format!("  {name} {own} ({}) {what} {}\n", columns[0].1, list(&others)));
        }
    }
    let best = scored().reduce(|a, b| if beats(b.1, a.1) { b } else { a });
    if let Some(best) = best.filter(|(n, _)| *n != name) {
        text.push_str(&format!("  best of the table: {}\n", one(&best)));
    }
    text
}

/// Returns what a model rests on over all cells.
pub fn reasons(reasons: &Reasons) -> String {
    let mut text = format!("{} · {} · {} inputs\n", reasons.task, reasons.model.name(), reasons.n_inputs);
    if !reasons.inputs.is_empty() {
        text.push_str(&format!(
            "weight [{}]: mean of abs(contribution) over cells never seen\n",
            reasons.unit
        ));
        text.push_str(&weights(&reasons.unit, &reasons.inputs, "input"));
        text.push_str(&weights(&reasons.unit, &reasons.families, "family"));
    }
    if let Some(s) = &reasons.stability {
        let kuncheva = s.kuncheva.map_or_else(|| "–".into(), share);
        text.push_str(&format!(
            "folds   first {} inputs of {} folds agree by {kuncheva} (Kuncheva; 0 is chance)\n",
            s.top, s.n_folds
        ));
    }
    text.push_str(&permutation(&reasons.permutation));
    text.push_str(&remarks(reasons.synthetic, false, &[]));
    text
}

fn weights(unit: &str, weights: &[Weight], what: &str) -> String {
    let head = [what, "weight", "sd", "mean rank", "in the first"].map(String::from).to_vec();
    let row = |w: &Weight| {
        let sd = w.sd.map_or_else(String::new, |sd| weight(unit, sd));
        vec![
            w.name.clone(),
            weight(unit, w.mean),
            sd,
            format!("{:.1}", w.mean_rank),
            format!("{:.0} %", 100.0 * w.top_share),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(weights.iter().take(MOST_ROWS).map(row)).collect();
    format!("{}{}", aligned(&rows), more(weights.len()))
}

fn permutation(found: &Permutation) -> String {
    let Some(before) = found.before else { return String::new() };
    let mut text = format!(
        "growth of {} [{}] from {} when inputs are shuffled together, {} times\n",
        found.loss,
        found.unit,
        reading(&found.loss, before),
        found.repeats
    );
    for (what, growths) in [("family", &found.families), ("inputs that correlate", &found.correlated)] {
        let head = [what, "growth", "sd"].map(String::from).to_vec();
        let row =
            |g: &Growth| vec![g.name.clone(), grown(&found.loss, g.mean), beside(&found.loss, g.sd, g.mean)];
        let rows: Vec<_> = std::iter::once(head).chain(growths.iter().take(MOST_ROWS).map(row)).collect();
        text.push_str(&format!("{}{}", aligned(&rows), more(growths.len())));
    }
    text
}

fn more(n: usize) -> String {
    if n > MOST_ROWS { format!("  … {} more\n", n - MOST_ROWS) } else { String::new() }
}

/// Returns why a cell is said to be what it is said to be.
pub fn cell(reasons: &Reasons, cell: &CellReasons) -> String {
    let mut text = format!("{}\n", said(reasons, cell));
    if cell.contributions.is_empty() {
        text.push_str(
            "the model has no contributions; `fadecast explain RUN` says what shuffling does to it\n",
        );
        return text;
    }
    let towards = cell
        .predicted_tier
        .as_ref()
        .map_or_else(|| reasons.unit.clone(), |t| format!("towards {t} [margin]"));
    let mut rows = vec![["input", "value", "median", &towards].map(String::from).to_vec()];
    rows.push(vec![
        "start".into(),
        String::new(),
        String::new(),
        signed(cell.start).trim_start_matches('+').into(),
    ]);
    for c in &cell.contributions {
        let value = c.value.map_or_else(|| "missing".into(), |v| with_unit(v, &c.unit));
        rows.push(vec![c.input.clone(), value, with_unit(c.median, &c.unit), signed(c.adds)]);
    }
    rows.push(vec!["all other inputs".into(), String::new(), String::new(), signed(cell.others)]);
    rows.push(vec![
        "sum".into(),
        String::new(),
        String::new(),
        signed(cell.margin).trim_start_matches('+').into(),
    ]);
    text.push_str(&aligned(&rows));
    text.push_str(&remarks(reasons.synthetic, false, &[]));
    text
}

/// Returns in one line what is said of a cell, and what is true.
pub fn said(reasons: &Reasons, cell: &CellReasons) -> String {
    let by = format!(
        "never seen by {}",
        if cell.n_folds == 1 { "its model".into() } else { format!("{} models", cell.n_folds) }
    );
    match (&cell.predicted_tier, cell.predicted) {
        (Some(tier), _) => {
            let truth = match &cell.tier {
                Some(truth) if truth == tier => ", which is right".into(),
                Some(truth) => format!(", but it is {truth}"),
                None => String::new(),
            };
            let odds = reasons.tiers.iter().zip(&cell.probabilities);
            let odds: Vec<String> = odds.map(|(name, p)| format!("{name} {}", share(*p))).collect();
            format!("{}: tier {tier}{truth} · {} · {by}", cell.cell, odds.join(", "))
        }
        (None, Some(life)) => {
            let truth = cell
                .truth
                .map_or_else(String::new, |t| format!(", true {t:.0} ({:+.0} %)", 100.0 * (life / t - 1.0)));
            format!("{}: {life:.0} cycles{truth} · {by}", cell.cell)
        }
        _ => cell.cell.clone(),
    }
}
