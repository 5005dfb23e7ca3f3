//! Marks of trials with their tooltips, the bar of colours, and the sentences above and below every figure.

use super::{Search, number};
use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, Font, INK, Mark, Pen, Point, shade};
use crate::report::panel::Panel;
use crate::tuner::{Objective, Trial};

/// Trials above which marks have no tooltips; a file of 10,000 tooltips is slow to open.
const MOST_TOOLTIPS: usize = 1000;

/// Marks trials, each in a group of the SVG with a tooltip.
pub(super) struct Marker<'a, 'b> {
    pub(super) search: &'a Search<'b>,
}

impl Marker<'_, '_> {
    pub(super) fn trial(&self, canvas: &mut Canvas, trial: &Trial, (at, mark): (Point, &Mark)) {
        let class = match mark {
            Mark::Cross => "tt trial failed",
            Mark::Star => "tt trial best",
            Mark::Arrow(_) => "tt trial beyond",
            _ => "tt trial completed",
        };
        canvas.group(class, self.tooltip(trial), |c| c.mark(at, mark));
    }

    pub(super) fn tooltip(&self, trial: &Trial) -> Option<String> {
        (self.search.trials.len() <= MOST_TOOLTIPS).then(|| self.search.describe(trial))
    }
}

/// Draws a vertical bar of colours with the names of `axis`, dark at its `dark` end.
pub(super) fn colour_bar(canvas: &mut Canvas, bar: &Panel, axis: &Axis, dark_high: bool) {
    const STRIPES: usize = 64;
    let height = bar.height / STRIPES as f64;
    for stripe in 0..STRIPES {
        let from_top = (stripe as f64 + 0.5) / STRIPES as f64;
        let at = (bar.left, bar.top + stripe as f64 * height);
        let colour = shade(if dark_high { from_top } else { 1.0 - from_top });
        canvas.bar(at, (bar.width, height + 0.6), &colour);
    }
    for tick in axis.ticks((bar.height / 40.0) as usize) {
        let at = bar.top + (1.0 - tick.at) * bar.height;
        canvas.line((bar.left + bar.width, at), (bar.left + bar.width + 4.0, at), &Pen::new(INK, 1.0));
        canvas.text((bar.left + bar.width + 8.0, at + 4.0), &tick.label, Font::new(11, INK));
    }
}

/// Returns how many trials there are in which state, and the best: the subtitle of every figure.
pub(super) fn subtitle(search: &Search) -> String {
    let running = search.trials.len() - search.scored_by_all() - search.failed().len();
    let counts =
        [(search.scored_by_all(), "completed"), (search.failed().len(), "failed"), (running, "running")];
    let counts = counts.iter().filter(|(n, what)| *n > 0 || *what == "completed");
    let mut text =
        counts.map(|(n, what)| format!("{} {what}", number::count(*n))).collect::<Vec<_>>().join(", ");
    if let (Some(best), [objective]) = (search.best(), search.objectives) {
        text.push_str(&format!(" · best: trial {}, {}", best.number, search.reading(best, objective)));
    }
    text
}

/// Returns the sentence on marks at the end of an axis, if there are any.
pub(super) fn beyond(axis: &Axis, values: &[f64], objective: &Objective) -> Option<String> {
    let n = values.iter().filter(|v| axis.is_beyond(**v)).count();
    let marks =
        if n == 1 { "Triangle: 1 trial".into() } else { format!("Triangles: {} trials", number::count(n)) };
    (n > 0).then(|| format!("{marks} whose {} lies beyond the axis.", objective.metric))
}
