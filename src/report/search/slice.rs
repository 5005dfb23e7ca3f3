//! Slices: one small panel a parameter, its value against the objective, coloured by the number of the trial.

use super::marker::{Marker, beyond, colour_bar, subtitle};
use super::{Effect, Names, Search, jitter, number};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, Font, INK, MARGIN, Mark, shade};
use crate::report::panel::Panel;
use crate::tuner::{Objective, Param, Trial};

/// Most panels.
const MOST_PANELS: usize = 16;

/// Size of a panel, and of its room.
const PANEL: (f64, f64) = (232.0, 200.0);
const ROOM: (f64, f64) = (284.0, 274.0);

/// Draws a panel a parameter, the most important first where `effects` are known; trials without it are absent from it.
pub fn slices(search: &Search, effects: &[Effect]) -> Figure {
    let Some(objective) = search.objective() else { return super::history(search) };
    let all = search.varied(effects);
    let params = &all[..all.len().min(MOST_PANELS)];
    let scored = search.scored();
    let values: Vec<f64> = scored.iter().map(|(_, v)| *v).collect();
    let n_columns = params.len().clamp(2, 4);
    let mut canvas = Canvas::new(2.0 * MARGIN + 60.0 + ROOM.0 * n_columns as f64 + 70.0);
    let mut legend = vec![(Mark::Dot(4.0, shade(0.0)), "completed".into()), (Mark::Star, "best".into())];
    if !search.failed().is_empty() {
        legend.push((Mark::Cross, "failed".into()));
    }
    let top = canvas.head(&format!("{}: each parameter alone", search.name), &subtitle(search), &legend);
    let slices =
        Slices { search, objective, y: Axis::of_objective(&values, objective.direction), scored: &scored };
    for (idx, param) in params.iter().enumerate() {
        let (column, row) = ((idx % n_columns) as f64, (idx / n_columns) as f64);
        let (left, top) = (MARGIN + 66.0 + ROOM.0 * column, top + ROOM.1 * row);
        slices.draw(
            &mut canvas,
            param,
            (Panel { left, top, width: PANEL.0, height: PANEL.1 }, column == 0.0),
        );
    }
    slices.bar(&mut canvas, top);
    let mut remarks: Vec<String> = beyond(&slices.y, &values, objective).into_iter().collect();
    if all.len() > params.len() {
        let which = if effects.is_empty() { "first" } else { "most important" };
        remarks.push(format!("The {} {which} of {} parameters.", params.len(), number::count(all.len())));
    }
    canvas
        .finish(top + ROOM.1 * params.len().div_ceil(n_columns).max(1) as f64 - 18.0, &search.noted(&remarks))
}

struct Slices<'a, 'b> {
    search: &'a Search<'b>,
    objective: &'a Objective,
    y: Axis,
    scored: &'a [(&'b Trial, f64)],
}

impl Slices<'_, '_> {
    fn draw(&self, canvas: &mut Canvas, param: &Param, (panel, is_first): (Panel, bool)) {
        let values = self.search.trials.iter().filter_map(|t| t.values.get(&param.name));
        let x = Axis::of_domain(&param.domain, values);
        let below = panel.axes(canvas, &x, &self.y);
        panel.x_label(canvas, Names::of(self.search.space).short(&param.name), below);
        if is_first {
            panel.y_label(canvas, &self.search.label(&self.objective.metric), 62.0);
        }
        let marker = Marker { search: self.search };
        let place = |t: &Trial| {
            let at = x.place(t.values.get(&param.name)?)?;
            Some(at + jitter(t.number) * x.slack())
        };
        for trial in self.search.failed() {
            if let Some(at) = place(trial) {
                marker.trial(canvas, trial, ((panel.at(at, 0.0).0, panel.lintel()), &Mark::Cross));
            }
        }
        let best = self.search.best().map(|t| t.number);
        let (others, top): (Vec<_>, Vec<_>) = self.scored.iter().partition(|(t, _)| Some(t.number) != best);
        for (trial, value) in others.into_iter().chain(top) {
            let Some(at) = place(trial) else { continue };
            let mark = match (Some(trial.number) == best, self.y.is_beyond(value)) {
                (true, _) => Mark::Star,
                (_, true) => Mark::Arrow(self.objective.cost(1.0) > 0.0),
                _ => Mark::Dot(3.6, shade(1.0 - self.numbers().at(trial.number as f64))),
            };
            marker.trial(canvas, trial, (panel.at(at, self.y.at(value)), &mark));
        }
    }

    fn numbers(&self) -> Axis {
        let last = self.search.trials.iter().map(|t| t.number).max().unwrap_or(0);
        Axis::of_counts(0, last.max(1))
    }

    /// Draws the scale of the colours at the right of the first row.
    fn bar(&self, canvas: &mut Canvas, top: f64) {
        let bar = Panel {
            left: canvas.width() - MARGIN - 62.0,
            top: top + 14.0,
            width: 12.0,
            height: PANEL.1 - 14.0,
        };
        canvas.text((bar.left, top + 4.0), "trial", Font::new(12, INK));
        colour_bar(canvas, &bar, &self.numbers(), true);
    }
}
