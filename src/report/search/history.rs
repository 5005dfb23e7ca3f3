//! History of a search: the objective of each trial in the order of the trials, and the best so far.

use std::collections::BTreeSet;

use super::marker::{Marker, beyond, subtitle};
use super::{Search, pareto};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{BEST, Canvas, MARGIN, Mark, Pen, TRIAL, shade};
use crate::report::panel::Panel;
use crate::tuner::{Objective, Origin, Trial};

/// Budgets that get an entry of their own in the legend.
const MOST_BUDGETS: usize = 8;

/// Draws the objective of each trial by its number; with several objectives, the first two against each other.
///
/// Failed trials are crosses at the top, running ones are absent. The axis is logarithmic where values span over two decades.
pub fn history(search: &Search) -> Figure {
    match search.objectives {
        [first, second, ..] => pareto::pareto(search, first, second),
        [only] => course(search, only),
        [] => Canvas::new(900.0).finish(40.0, &search.noted(&["The search has no objective.".into()])),
    }
}

fn course(search: &Search, objective: &Objective) -> Figure {
    let scored = search.scored();
    let values: Vec<f64> = scored.iter().map(|(_, v)| *v).collect();
    let y = Axis::of_objective(&values, objective.direction);
    let last = search.trials.iter().map(|t| t.number).max().unwrap_or(0);
    let x = Axis::of_counts(0, last.max(1));
    let budgets = Budgets::of(&scored);
    let mut canvas = Canvas::new(900.0);
    let top = canvas.head(&format!("{}: history", search.name), &subtitle(search), &legend(search, &budgets));
    let panel = Panel { left: MARGIN + 66.0, top, width: 900.0 - 2.0 * MARGIN - 66.0, height: 380.0 };
    let below = panel.axes(&mut canvas, &x, &y);
    panel.x_label(&mut canvas, "trial", below);
    panel.y_label(&mut canvas, &search.axis_label(objective), 70.0);
    if scored.is_empty() {
        panel.say(&mut canvas, "no trial is completed yet");
    }
    let place = |trial: &Trial, v: f64| panel.at(x.at(trial.number as f64), y.at(v));
    best_line(&mut canvas, objective, (&scored, last), |n, v| panel.at(x.at(n as f64), y.at(v)));
    let marker = Marker { search };
    let best = search.best().map(|t| t.number);
    for (trial, value) in &scored {
        let mark = if y.is_beyond(*value) {
            Mark::Arrow(objective.cost(1.0) > 0.0)
        } else if trial.origin == Origin::Observed {
            Mark::Ring
        } else {
            budgets.mark(trial)
        };
        marker.trial(&mut canvas, trial, (place(trial, *value), &mark));
    }
    for trial in search.failed() {
        let (at, _) = panel.at(x.at(trial.number as f64), 0.0);
        marker.trial(&mut canvas, trial, ((at, panel.lintel()), &Mark::Cross));
    }
    if let Some((trial, value)) = scored.iter().find(|(t, _)| Some(t.number) == best) {
        marker.trial(&mut canvas, trial, (place(trial, *value), &Mark::Star));
    }
    let remarks: Vec<String> = beyond(&y, &values, objective).into_iter().collect();
    canvas.finish(panel.bottom() + 44.0, &search.noted(&remarks))
}

/// Draws the best value so far as steps, up to the last trial.
fn best_line(
    canvas: &mut Canvas,
    objective: &Objective,
    (scored, last): (&[(&Trial, f64)], usize),
    at: impl Fn(usize, f64) -> (f64, f64),
) {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut best: Option<f64> = None;
    for (trial, value) in scored {
        if best.is_some_and(|b| objective.cost(b) <= objective.cost(*value)) {
            continue;
        }
        if let Some(old) = best {
            points.push(at(trial.number, old));
        }
        points.push(at(trial.number, *value));
        best = Some(*value);
    }
    points.extend(best.map(|b| at(last, b)));
    canvas.group("best-so-far", None, |c| c.path(points, &Pen::new(BEST, 1.8)));
}

fn legend(search: &Search, budgets: &Budgets) -> Vec<(Mark, String)> {
    let mut legend = budgets.legend();
    if search.scored().iter().any(|(t, _)| t.origin == Origin::Observed) {
        legend.push((Mark::Ring, "observed elsewhere".into()));
    }
    if !search.failed().is_empty() {
        legend.push((Mark::Cross, "failed".into()));
    }
    legend.push((Mark::Stroke(Pen::new(BEST, 1.8)), "best so far".into()));
    legend.push((Mark::Star, "best".into()));
    legend
}

/// Epochs that trials were given, ascending: the more, the darker and larger.
struct Budgets(Vec<u32>);

impl Budgets {
    fn of(scored: &[(&Trial, f64)]) -> Self {
        let until: BTreeSet<u32> =
            scored.iter().filter_map(|(t, _)| Some(t.budget.as_ref()?.until)).collect();
        Self(until.into_iter().collect())
    }

    fn mark(&self, trial: &Trial) -> Mark {
        let rank = trial.budget.as_ref().and_then(|b| self.0.binary_search(&b.until).ok());
        rank.map_or_else(|| Mark::Dot(4.0, TRIAL.into()), |rank| self.dot(rank))
    }

    fn dot(&self, rank: usize) -> Mark {
        let share = if self.0.len() > 1 { rank as f64 / (self.0.len() - 1) as f64 } else { 1.0 };
        Mark::Dot(3.2 + 2.2 * share, shade(1.0 - share))
    }

    fn legend(&self) -> Vec<(Mark, String)> {
        if self.0.is_empty() {
            return vec![(Mark::Dot(4.0, TRIAL.into()), "trial".into())];
        }
        let thin = self.0.len().div_ceil(MOST_BUDGETS);
        let entry = |rank: usize| (self.dot(rank), format!("{} epochs", self.0[rank]));
        (0..self.0.len()).rev().step_by(thin).map(entry).collect::<Vec<_>>().into_iter().rev().collect()
    }
}
