//! Parallel coordinates: one upright axis a parameter, one line a trial, coloured by the objective.

use super::marker::{Marker, beyond, colour_bar, subtitle};
use super::{Effect, Names, Search, jitter, number};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{BEST, Canvas, Font, GREY, INK, MARGIN, Mark, Pen, Point, fitted, shade, width};
use crate::report::panel::Panel;
use crate::tuner::{Direction, Objective, Param, Status, Trial};

/// Most parameters: with more, lines cannot be followed.
const MOST_AXES: usize = 10;

/// Most trials; the best are drawn.
const MOST_LINES: usize = 500;

/// Room of one axis.
const ROOM: f64 = 122.0;

/// Height of the axes; the level of absent values is below.
const HEIGHT: f64 = 340.0;
const BELOW: f64 = 30.0;

/// Draws each trial as a line through its values, the best on top; failed trials are dashed.
///
/// A parameter that a trial does not have is at a level of its own below the axis. Of many parameters the ten most important are
/// drawn: `effects` says which they are.
pub fn parallel(search: &Search, effects: &[Effect]) -> Figure {
    let params = chosen(search, effects);
    let scored = search.scored();
    let Some(objective) = search.objective() else { return super::history(search) };
    let values: Vec<f64> = scored.iter().map(|(_, v)| *v).collect();
    let mut canvas = Canvas::new((2.0 * MARGIN + ROOM * (params.len() + 1) as f64 + 40.0).max(640.0));
    let top = canvas.head(
        &format!("{}: values of each trial", search.name),
        &subtitle(search),
        &legend(search, objective),
    ) + 36.0;
    let picture = Picture {
        search,
        objective,
        params: &params,
        top,
        score: Axis::of_objective(&values, objective.direction),
    };
    picture.draw(&mut canvas, &scored);
    let mut remarks: Vec<String> = beyond(&picture.score, &values, objective)
        .map(|_| format!("Values of {} beyond the axis are drawn at its end.", objective.metric))
        .into_iter()
        .collect();
    let all = search.varied(&[]).len();
    if all > params.len() {
        let which = if effects.is_empty() { "first" } else { "most important" };
        remarks.push(format!("The {} {which} of {} parameters.", params.len(), number::count(all)));
    }
    if scored.len() > MOST_LINES {
        remarks.push(format!("The best {MOST_LINES} of {} trials.", number::count(scored.len())));
    }
    canvas.finish(top + HEIGHT + BELOW + 24.0, &search.noted(&remarks))
}

fn legend(search: &Search, objective: &Objective) -> Vec<(Mark, String)> {
    let (better, worse) = match objective.direction {
        Direction::Min => ("low", "high"),
        Direction::Max => ("high", "low"),
    };
    let line = |colour: String, width, text: String| (Mark::Stroke(Pen::new(colour, width)), text);
    let mut legend = vec![
        line(BEST.into(), 3.0, "best".into()),
        line(shade(0.0), 1.6, format!("{better} {}, better", objective.metric)),
        line(shade(1.0), 1.6, format!("{worse} {}, worse", objective.metric)),
    ];
    if !search.failed().is_empty() {
        legend.push((Mark::Stroke(failed_pen()), "failed".into()));
    }
    legend
}

/// Returns where an upright axis is.
fn rail(idx: usize) -> f64 {
    MARGIN + ROOM * (idx as f64 + 0.5)
}

fn failed_pen() -> Pen {
    Pen::new("#4D4D4D", 1.3).dashed()
}

/// Returns the parameters to draw, in the order of the space, so that parents stand before their children.
fn chosen<'a>(search: &Search<'a>, effects: &[Effect]) -> Vec<&'a Param> {
    let important: Vec<_> = search.varied(effects).into_iter().take(MOST_AXES).map(|p| &p.name).collect();
    search.space.params.iter().filter(|p| important.contains(&&p.name)).collect()
}

struct Picture<'a, 'b> {
    search: &'a Search<'b>,
    objective: &'a Objective,
    params: &'a [&'b Param],
    score: Axis,
    top: f64,
}

impl Picture<'_, '_> {
    fn draw(&self, canvas: &mut Canvas, scored: &[(&Trial, f64)]) {
        let values =
            |p: &Param| self.search.trials.iter().filter_map(|t| t.values.get(&p.name)).collect::<Vec<_>>();
        let axes: Vec<Axis> =
            self.params.iter().map(|p| Axis::of_domain(&p.domain, values(p).into_iter())).collect();
        self.rails(canvas);
        let marker = Marker { search: self.search };
        for trial in self.search.failed().into_iter().take(MOST_LINES) {
            let mut points = self.points(trial, &axes);
            let end = (rail(axes.len()), self.top + HEIGHT + BELOW);
            points.push(end);
            canvas.group("tt trial failed", marker.tooltip(trial), |c| {
                c.path(points, &failed_pen());
                c.mark(end, &Mark::Cross);
            });
        }
        self.lines(canvas, scored, &axes);
        for (idx, axis) in axes.iter().enumerate() {
            self.names(canvas, idx, axis);
        }
        self.scale(canvas);
    }

    /// Draws the lines of completed trials, the worst first.
    fn lines(&self, canvas: &mut Canvas, scored: &[(&Trial, f64)], axes: &[Axis]) {
        let marker = Marker { search: self.search };
        let mut ranked = scored.to_vec();
        ranked.sort_by(|a, b| self.objective.cost(a.1).total_cmp(&self.objective.cost(b.1)));
        let best = self.search.best().map(|t| t.number);
        ranked.sort_by_key(|(t, _)| Some(t.number) != best);
        for (trial, value) in ranked.iter().take(MOST_LINES).rev() {
            let mut points = self.points(trial, axes);
            points.push((rail(axes.len()), self.top + (1.0 - self.score.at(*value)) * HEIGHT));
            let is_best = Some(trial.number) == best;
            let class = if is_best { "tt trial best" } else { "tt trial completed" };
            canvas.group(class, marker.tooltip(trial), |c| {
                let pen = if is_best {
                    c.path(points.clone(), &Pen::new("white", 5.0));
                    Pen::new(BEST, 3.0)
                } else {
                    Pen::new(shade(self.badness(*value)), 1.5)
                };
                c.path(points, &pen);
            });
        }
    }

    /// Returns 0 for the best end of the objective's axis, 1 for the worst.
    fn badness(&self, value: f64) -> f64 {
        let at = self.score.at(value);
        if self.objective.direction == Direction::Min { at } else { 1.0 - at }
    }

    fn points(&self, trial: &Trial, axes: &[Axis]) -> Vec<Point> {
        let y = |param: &Param, axis: &Axis| match trial.values.get(&param.name).and_then(|v| axis.place(v)) {
            Some(at) => self.top + (1.0 - at - jitter(trial.number) * axis.slack().min(0.05)) * HEIGHT,
            None => self.top + HEIGHT + BELOW + 6.0 * jitter(trial.number),
        };
        self.params.iter().zip(axes).enumerate().map(|(idx, (p, axis))| (rail(idx), y(p, axis))).collect()
    }

    /// Draws the upright lines and the names above them, in two rows where they are long.
    fn rails(&self, canvas: &mut Canvas) {
        let names = Names::of(self.search.space);
        let label = self.search.label(&self.objective.metric);
        let titles: Vec<&str> =
            self.params.iter().map(|p| names.short(&p.name)).chain([label.as_str()]).collect();
        let staggered = titles.iter().any(|t| width(t, 12) > ROOM - 8.0);
        for (idx, title) in titles.iter().enumerate() {
            let x = rail(idx);
            canvas.line((x, self.top), (x, self.top + HEIGHT), &Pen::new("#9A9A9A", 1.2));
            let (up, room) =
                if staggered { (12.0 + 16.0 * (idx % 2) as f64, 2.0 * ROOM - 12.0) } else { (12.0, ROOM) };
            let room = room.min(2.0 * (x - 6.0)).min(2.0 * (canvas.width() - x - 6.0));
            canvas.text((x, self.top - up), &fitted(title, 12, room), Font::new(12, INK).middle());
        }
    }

    fn names(&self, canvas: &mut Canvas, idx: usize, axis: &Axis) {
        let x = rail(idx);
        for tick in axis.ticks(9) {
            let y = self.top + (1.0 - tick.at) * HEIGHT;
            canvas.line((x - 4.0, y), (x, y), &Pen::new(INK, 1.0));
            canvas.plate(
                (x - 7.0, y + 4.0),
                &fitted(&tick.label, 11, (ROOM - 30.0).min(x - 14.0)),
                Font::new(11, INK).end(),
            );
        }
        let absent =
            |t: &&Trial| t.status != Status::Running && !t.values.contains_key(&self.params[idx].name);
        if self.search.trials.iter().any(|t| absent(&t)) {
            let y = self.top + HEIGHT + BELOW;
            canvas.text((x, y + 20.0), "absent", Font::new(11, GREY).middle());
        }
    }

    /// Draws the objective's axis as the scale of the colours.
    fn scale(&self, canvas: &mut Canvas) {
        let (left, min) = (rail(self.params.len()), self.objective.direction == Direction::Min);
        let bar = Panel { left, top: self.top, width: 12.0, height: HEIGHT };
        colour_bar(canvas, &bar, &self.score, !min);
        if !self.search.failed().is_empty() {
            canvas.text((left, self.top + HEIGHT + BELOW + 20.0), "failed", Font::new(11, GREY).middle());
        }
    }
}
