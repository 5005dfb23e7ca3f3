//! Tables of a search as text: its trials, the best side by side, what matters.
//!
//! Lines have at most [`COLUMNS`] characters, so that they stay whole in a common terminal.

use super::{Effect, Names, Search, number};
use crate::report::search::importance::ranked as ranked_effects;
use crate::report::table::aligned;
use crate::tuner::objective::{front, ranked};
use crate::tuner::{Measurement, Objective, Param, Status, Trial};

/// Most characters of a line.
pub const COLUMNS: usize = 120;

/// Most parameters that get a column of their own.
const MOST_COLUMNS: usize = 8;

/// Most characters of a value in a column.
const MOST_CHARACTERS: usize = 14;

/// Most failed trials whose reason is told.
const MOST_REASONS: usize = 5;

/// Most lines of one trial's values.
const MOST_LINES: usize = 3;

/// Returns the table of trials: completed ones best first with their rank, then running and failed ones; at most `most` rows.
pub fn show(search: &Search, most: usize) -> String {
    let trials = ordered(search);
    let shown = &trials[..trials.len().min(most)];
    let mut text = summary(search);
    if !shown.is_empty() {
        text.push('\n');
        text.push_str(&rows(search, shown));
    }
    if trials.len() > shown.len() {
        text.push_str(&format!("  … {} more trials\n", number::count(trials.len() - shown.len())));
    }
    text.push_str(&reasons(search));
    text.push_str(&notes(search));
    text
}

/// Returns the `n` best trials side by side, one row a metric or parameter, with the whole names.
pub fn best(search: &Search, n: usize) -> String {
    let trials: Vec<&Trial> = ranked(search.trials, search.objectives).into_iter().take(n).collect();
    let mut text = summary(search);
    let names = search.varied(&[]).iter().map(|p| p.name.chars().count()).max().unwrap_or(0).max(12);
    let room = COLUMNS.saturating_sub(names + 4) / (MOST_CHARACTERS + 5);
    for (block, trials) in trials.chunks(room.max(1)).enumerate() {
        text.push('\n');
        text.push_str(&aligned(&side_by_side(search, trials, block * room.max(1))));
    }
    text.push_str(&notes(search));
    text
}

/// Returns the table of effects: share of the variance of each parameter, alone and with the others.
pub fn importance(search: &Search, effects: &[Effect]) -> String {
    let effects = ranked_effects(effects);
    if effects.is_empty() {
        return format!("{}: importance is not known yet, too few trials are completed\n", search.name);
    }
    let metric = search.objective().map_or("the objective", |o| o.metric.as_str());
    let names = Names::of(search.space);
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let row = |(name, first, total): &Effect| {
        let bar = "█".repeat((total.min(1.0) * 40.0).round() as usize);
        vec![names.short(name).to_owned(), percent(*first), percent(*total), format!("{bar:<40}")]
    };
    let head = ["", "alone", "total", &format!("{:<40}", "")].map(String::from).to_vec();
    let rows: Vec<_> = std::iter::once(head).chain(effects.iter().map(row)).collect();
    format!("{}: share of the variance of {metric} [%]\n{}", search.name, aligned(&rows))
}

/// Returns one line on how far the search is, and one on its best trial or front.
pub fn summary(search: &Search) -> String {
    let completed = search.scored_by_all();
    let failed = search.failed().len();
    let running = search.trials.len() - completed - failed;
    let mut text = format!(
        "{}: {} completed, {} failed, {} running\n",
        search.name,
        number::count(completed),
        number::count(failed),
        number::count(running)
    );
    let front = front(search.trials, search.objectives);
    let readings =
        |t: &Trial| search.objectives.iter().map(|o| search.reading(t, o)).collect::<Vec<_>>().join(", ");
    match (front.first(), search.objectives.len()) {
        (Some(best), 1) => text.push_str(&format!("best    trial {}, {}\n", best.id, readings(best))),
        (Some(best), _) => {
            let n = front.len();
            text.push_str(&format!(
                "front   {n} trials; the first is trial {}, {}\n",
                best.id,
                readings(best)
            ));
        }
        _ => {}
    }
    text
}

fn ordered<'a>(search: &Search<'a>) -> Vec<&'a Trial> {
    let ranked = ranked(search.trials, search.objectives);
    let rest = |status: Status| {
        let mut rest: Vec<_> = search.trials.iter().filter(|t| t.status == status).collect();
        rest.sort_by_key(|t| t.number);
        rest
    };
    ranked.into_iter().chain(rest(Status::Running)).chain(search.failed()).collect()
}

/// Returns the rows of trials: with a column a parameter where that fits, else with `name=value` behind.
fn rows(search: &Search, trials: &[&Trial]) -> String {
    let params = search.varied(&[]);
    if params.len() <= MOST_COLUMNS {
        let text = aligned(&table(search, trials, &params));
        if text.lines().all(|l| l.chars().count() <= COLUMNS) {
            return text;
        }
    }
    let table = aligned(&table(search, trials, &[]));
    let head = table.lines().count() - trials.len();
    let mut text: String = table.lines().take(head).map(|line| format!("{line}\n")).collect();
    for (line, trial) in table.lines().skip(head).zip(trials) {
        text.push_str(&format!("{line}\n{}", values(search, trial, &params)));
    }
    text
}

fn table(search: &Search, trials: &[&Trial], params: &[&Param]) -> Vec<Vec<String>> {
    let names = Names::of(search.space);
    let objectives = search.objectives.iter().map(|o| search.label(&o.metric));
    let mut head = vec!["rank".to_owned(), "trial".into()];
    head.extend(objectives.flat_map(|label| [label, "sd".into()]));
    head.push("epochs".into());
    let mut above = vec![String::new(); head.len()];
    for [upper, lower] in params.iter().map(|p| broken(&cut(names.short(&p.name), 2 * MOST_CHARACTERS))) {
        above.push(upper);
        head.push(lower);
    }
    head.push("s".into());
    let row = |(idx, trial): (usize, &&Trial)| {
        let mut row = vec![rank(search, trial, idx), cut(&trial.id, MOST_CHARACTERS)];
        row.extend(search.objectives.iter().flat_map(|o| figures(trial, o)));
        row.push(epochs(trial));
        row.extend(params.iter().map(|p| value(trial, p)));
        row.push(trial.evaluation.as_ref().map_or_else(String::new, |e| seconds(e.seconds)));
        row
    };
    let heads = [above, head].into_iter().filter(|row| row.iter().any(|cell| !cell.is_empty()));
    heads.chain(trials.iter().enumerate().map(row)).collect()
}

/// Returns the rank of a completed trial, or the state of another.
fn rank(search: &Search, trial: &Trial, idx: usize) -> String {
    match trial.status {
        Status::Running => "running".into(),
        Status::Completed if trial.costs(search.objectives).is_some() => (idx + 1).to_string(),
        _ => "failed".into(),
    }
}

/// Returns a name over two lines, broken before its last word where it is long.
fn broken(name: &str) -> [String; 2] {
    match name.rfind('_').filter(|at| *at > 0 && name.chars().count() > 6) {
        Some(at) => [name[..at].into(), name[at..].into()],
        None => [String::new(), name.into()],
    }
}

/// Returns mean and standard deviation over executions, the latter empty with one.
fn figures(trial: &Trial, objective: &Objective) -> [String; 2] {
    let Some(mean) = trial.metric(&objective.metric) else { return [String::new(), String::new()] };
    let measurement = trial.evaluation.as_ref().and_then(|e| e.metrics.get(&objective.metric));
    let sd = measurement.and_then(deviation).map_or_else(String::new, |sd| number::digits(sd, 2));
    [number::digits(mean, 4), sd]
}

/// Returns the sample standard deviation over executions of their means over folds; `None` with fewer than two.
fn deviation(measurement: &Measurement) -> Option<f64> {
    let n = measurement.folds.values().map(Vec::len).min().filter(|n| *n > 1)?;
    let n_folds = measurement.folds.len() as f64;
    let execution = |idx: usize| measurement.folds.values().map(|v| v[idx]).sum::<f64>() / n_folds;
    let means: Vec<f64> = (0..n).map(execution).collect();
    let mean = means.iter().sum::<f64>() / n as f64;
    let squares: f64 = means.iter().map(|m| (m - mean).powi(2)).sum();
    Some((squares / (n - 1) as f64).sqrt()).filter(|sd| sd.is_finite())
}

/// Returns the epoch of the metrics, and the budget where there is one: `7/12`.
fn epochs(trial: &Trial) -> String {
    let reached = trial.evaluation.as_ref().map(|e| e.epoch.to_string());
    match (reached, &trial.budget) {
        (Some(reached), Some(budget)) => format!("{reached}/{}", budget.until),
        (None, Some(budget)) => format!("-/{}", budget.until),
        (reached, None) => reached.unwrap_or_default(),
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 100.0 { format!("{seconds:.1}") } else { format!("{seconds:.0}") }
}

fn value(trial: &Trial, param: &Param) -> String {
    trial.values.get(&param.name).map_or_else(|| "–".into(), |v| cut(&number::compact(v), MOST_CHARACTERS))
}

/// Returns the values as `name=value`, broken into lines of [`COLUMNS`].
fn values(search: &Search, trial: &Trial, params: &[&Param]) -> String {
    let names = Names::of(search.space);
    let present = params.iter().filter(|p| trial.values.contains_key(&p.name));
    let texts: Vec<String> =
        present.map(|p| format!("{}={}", names.short(&p.name), value(trial, p))).collect();
    let mut lines = vec![String::new()];
    for (idx, text) in texts.iter().enumerate() {
        let line = lines.last().map_or(0, |l| l.chars().count());
        let is_last = lines.len() == MOST_LINES;
        if line > 0 && 8 + line + 2 + text.chars().count() + if is_last { 12 } else { 0 } > COLUMNS {
            if is_last {
                lines[MOST_LINES - 1].push_str(&format!("  … {} more", texts.len() - idx));
                break;
            }
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            *line = format!("{line}{}{}", if line.is_empty() { "" } else { "  " }, cut(text, COLUMNS - 24));
        }
    }
    lines.iter().filter(|l| !l.is_empty()).map(|l| format!("        {l}\n")).collect()
}

fn side_by_side(search: &Search, trials: &[&Trial], before: usize) -> Vec<Vec<String>> {
    let row = |name: String, cell: &dyn Fn(&Trial) -> String| {
        std::iter::once(name).chain(trials.iter().map(|t| cell(t))).collect::<Vec<_>>()
    };
    let ranks = (0..trials.len()).map(|idx| format!("{}.", before + idx + 1));
    let mut rows = vec![std::iter::once(String::new()).chain(ranks).collect()];
    rows.push(row("trial".into(), &|t| cut(&t.id, MOST_CHARACTERS)));
    for objective in search.objectives {
        let cell = |t: &Trial| match figures(t, objective) {
            [mean, sd] if sd.is_empty() => mean,
            [mean, sd] => format!("{mean} ± {sd}"),
        };
        rows.push(row(search.label(&objective.metric), &cell));
    }
    rows.push(row("epochs".into(), &epochs));
    for param in search.varied(&[]) {
        rows.push(row(cut(&param.name, 60), &|t| value(t, param)));
    }
    rows
}

fn reasons(search: &Search) -> String {
    let failed: Vec<&Trial> = search.failed().into_iter().filter(|t| t.message.is_some()).collect();
    let reason = |t: &&Trial| {
        let why = t.message.as_deref().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        format!("{}\n", cut(&format!("failed  {}: {why}", t.id), COLUMNS))
    };
    let mut text: String = failed.iter().take(MOST_REASONS).map(reason).collect();
    if failed.len() > MOST_REASONS {
        text.push_str(&format!("failed  … and {} more\n", number::count(failed.len() - MOST_REASONS)));
    }
    text
}

fn notes(search: &Search) -> String {
    search.notes.iter().map(|note| format!("note    {note}\n")).collect()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
