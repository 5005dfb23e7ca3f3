//! Picture of lives: predicted against true.

use super::reading;
use crate::experiment::Outcome;
use crate::experiment::reasons::{CellReasons, Reasons};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, GREY, INK, MARGIN, Mark, Pen, TRIAL};
use crate::report::panel::Panel;
use crate::tuner::Scale;

/// Ratio of the longest to the shortest life above which axes are logarithmic.
const LINEAR_RATIO: f64 = 4.0;

/// Relative error of the band.
const BAND: f64 = 0.1;

/// Draws predicted against true lives; `None` without a cell whose life is known.
pub(super) fn scatter(outcome: &Outcome, reasons: &Reasons) -> Option<Figure> {
    let known =
        reasons.cells.iter().filter_map(|c| Some((c, c.truth?, c.predicted.filter(|p| p.is_finite())?)));
    let points: Vec<(&CellReasons, f64, f64)> = known.collect();
    let values = || points.iter().flat_map(|p| [p.1, p.2]);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if points.is_empty() {
        return None;
    }
    let scale = if low > 0.0 && high / low > LINEAR_RATIO { Scale::Log } else { Scale::Linear };
    let axis = Axis::Numbers { low, high, scale, step: 0.0 };
    let mut canvas = Canvas::new(600.0);
    let within = points.iter().filter(|(_, t, p)| (p / t - 1.0).abs() <= BAND).count();
    let figure = |name: &str| Some(reading(name, outcome.metrics.get(name)?.mean));
    let mut said: Vec<String> = figure("rmse").map(|v| format!("RMSE {v} cycles")).into_iter().collect();
    said.extend(figure("mape").map(|v| format!("MAPE {v}")));
    said.push(format!("{within} of {} cells within 10 %", points.len()));
    let legend = [
        (Mark::Dot(4.0, TRIAL.into()), "a cell never seen".into()),
        (Mark::Stroke(Pen::new(INK, 1.2)), "as true".into()),
        (Mark::Stroke(Pen::new(GREY, 1.2).dashed()), "10 % off".into()),
    ];
    let title = super::title(outcome.synthetic, &outcome.task, "predicted and true life");
    let top = canvas.head(&title, &said.join(" · "), &legend);
    let panel = Panel { left: MARGIN + 64.0, top, width: 600.0 - 2.0 * MARGIN - 74.0, height: 460.0 };
    let below = panel.axes(&mut canvas, &axis, &axis);
    panel.x_label(&mut canvas, "true life [cycles]", below);
    panel.y_label(&mut canvas, "predicted life [cycles]", 56.0);
    for (factor, pen) in [
        (1.0, Pen::new(INK, 1.2)),
        (1.0 + BAND, Pen::new(GREY, 1.2).dashed()),
        (1.0 - BAND, Pen::new(GREY, 1.2).dashed()),
    ] {
        let (from, to) = (low.max(low / factor), high.min(high / factor));
        let at = |x: f64| panel.at(axis.at(x), axis.at(x * factor));
        canvas.path(vec![at(from), at(to)], &pen);
    }
    for (cell, truth, predicted) in &points {
        let at = panel.at(axis.at(*truth), axis.at(*predicted));
        let tooltip = format!("{}: {predicted:.0} cycles, true {truth:.0}", cell.cell);
        canvas.group("tt cell", Some(tooltip), |c| c.mark(at, &Mark::Dot(4.0, TRIAL.into())));
    }
    Some(canvas.finish(panel.bottom() + below + 6.0, &[]))
}
