//! Two objectives against each other: which trials no other beats.

use super::Search;
use super::marker::{Marker, beyond, subtitle};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{BEST, Canvas, MARGIN, Mark, Pen, TRIAL};
use crate::report::panel::Panel;
use crate::tuner::objective::front;
use crate::tuner::{Direction, Objective};

pub(super) fn pareto(search: &Search, first: &Objective, second: &Objective) -> Figure {
    let both = |t: &crate::tuner::Trial| Some((t.metric(&first.metric)?, t.metric(&second.metric)?));
    let scored = search.trials.iter().filter(|t| t.costs(search.objectives).is_some());
    let scored: Vec<_> = scored.filter_map(|t| Some((t, both(t)?))).collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = scored.iter().map(|(_, v)| *v).unzip();
    let (x, y) = (Axis::of_objective(&xs, first.direction), Axis::of_objective(&ys, second.direction));
    let front = front(search.trials, search.objectives);
    let mut canvas = Canvas::new(900.0);
    let legend = [
        (Mark::Dot(4.0, BEST.into()), format!("front: {} trials that no other beats", front.len())),
        (Mark::Dot(3.4, TRIAL.into()), "beaten".into()),
    ];
    let title = format!("{}: {} and {}", search.name, first.metric, second.metric);
    let top = canvas.head(&title, &subtitle(search), &legend);
    let panel = Panel { left: MARGIN + 70.0, top, width: 900.0 - 2.0 * MARGIN - 70.0, height: 420.0 };
    let below = panel.axes(&mut canvas, &x, &y);
    panel.x_label(&mut canvas, &search.axis_label(first), below);
    panel.y_label(&mut canvas, &search.axis_label(second), 74.0);
    if scored.is_empty() {
        panel.say(&mut canvas, "no trial is completed yet");
    }
    let marker = Marker { search };
    let on_front = |number: usize| front.iter().any(|t| t.number == number);
    for (trial, (a, b)) in scored.iter().filter(|(t, _)| !on_front(t.number)) {
        let mark = match (x.is_beyond(*a), y.is_beyond(*b)) {
            (false, false) => Mark::Dot(3.4, TRIAL.into()),
            (_, out) => Mark::Arrow(out == (second.direction == Direction::Min)),
        };
        marker.trial(&mut canvas, trial, (panel.at(x.at(*a), y.at(*b)), &mark));
    }
    let places: Vec<_> = front.iter().filter_map(|t| Some((*t, both(t)?))).collect();
    if search.objectives.len() == 2 {
        let points: Vec<_> = places.iter().map(|(_, (a, b))| panel.at(x.at(*a), y.at(*b))).collect();
        let corners = stairs(&points);
        canvas.group("front", None, |c| c.path(corners, &Pen::new(BEST, 1.6)));
    }
    for (trial, (a, b)) in places {
        marker.trial(&mut canvas, trial, (panel.at(x.at(a), y.at(b)), &Mark::Dot(5.0, BEST.into())));
    }
    let cut = [beyond(&x, &xs, first), beyond(&y, &ys, second)];
    let more = search.objectives.len() - 2;
    let more =
        (more > 0).then(|| format!("The front is that of all objectives; {more} of them are not drawn."));
    let remarks: Vec<String> = cut.into_iter().flatten().chain(more).collect();
    canvas.finish(panel.bottom() + 44.0, &search.noted(&remarks))
}

/// Returns the edge of what the front beats: from each point level to the next, then up or down to it.
fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let corners = points.windows(2).flat_map(|w| [w[0], (w[1].0, w[0].1)]).collect::<Vec<_>>();
    corners.into_iter().chain(points.last().copied()).collect()
}
