//! Pictures of tiers: which is taken for which, and whether probabilities come true.

use super::{count, share, spread};
use crate::experiment::Outcome;
use crate::experiment::score::TierOutcome;
use crate::metric::classification::Bin;
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, Font, GREY, GRID, INK, MARGIN, Mark, Pen, TRIAL, fitted};
use crate::report::panel::Panel;
use crate::tuner::Scale;

/// Side of a field of the confusion matrix.
const FIELD: f64 = 92.0;

/// Draws how many cells of each tier are taken for which.
pub(super) fn confusion(outcome: &Outcome, tiers: &TierOutcome) -> Figure {
    let n = tiers.names.len() as f64;
    let mut canvas = Canvas::new((2.0 * MARGIN + 110.0 + n * FIELD).max(520.0));
    let top =
        canvas.head(&super::title(outcome.synthetic, &outcome.task, "confusion"), &tiers.rule, &[]) + 10.0;
    let left = 0.5 * (canvas.width() - n * FIELD) + 30.0;
    for (row, counts) in tiers.confusion.iter().enumerate() {
        let all: f64 = counts.iter().sum();
        for (column, &cells) in counts.iter().enumerate() {
            let at = (left + FIELD * column as f64, top + FIELD * row as f64);
            let part = if all > 0.0 { cells / all } else { 0.0 };
            let names = (&tiers.names[row], &tiers.names[column]);
            canvas.group(
                "field",
                Some(format!("{} taken for {}: {}", names.0, names.1, count(cells))),
                |c| {
                    field(c, at, (cells, part));
                },
            );
        }
    }
    for (idx, name) in tiers.names.iter().enumerate() {
        let middle = FIELD * (idx as f64 + 0.5);
        canvas.text(
            (left + middle, top + n * FIELD + 18.0),
            &fitted(name, 13, FIELD),
            Font::new(13, INK).middle(),
        );
        canvas.text((left - 10.0, top + middle + 5.0), &fitted(name, 13, FIELD), Font::new(13, INK).end());
    }
    let bottom = top + n * FIELD;
    canvas.text((left + 0.5 * n * FIELD, bottom + 40.0), "predicted tier", Font::new(12, INK).middle());
    let beside = (left - 56.0, top + 0.5 * n * FIELD);
    canvas.text(beside, "true tier", Font::new(12, INK).middle().turned(-90.0));
    let note = "Cells never seen, mean over the repetitions; shares of the true tier.";
    canvas.finish(bottom + 46.0, &[note.into()])
}

fn field(canvas: &mut Canvas, (x, y): (f64, f64), (cells, part): (f64, f64)) {
    canvas.bar((x + 1.0, y + 1.0), (FIELD - 2.0, FIELD - 2.0), &blue(part));
    let ink = if part > 0.55 { "white" } else { INK };
    canvas.text((x + 0.5 * FIELD, y + 0.5 * FIELD + 2.0), &count(cells), Font::new(20, ink).middle());
    let percent = format!("{:.0} %", 100.0 * part);
    canvas.text((x + 0.5 * FIELD, y + 0.5 * FIELD + 22.0), &percent, Font::new(11, ink).middle());
}

/// Returns a blue that is white at 0 and `#0072B2` at 1.
fn blue(part: f64) -> String {
    let mix = |to: f64| (255.0 + (to - 255.0) * (0.04 + 0.96 * part.clamp(0.0, 1.0))) as u8;
    format!("#{:02X}{:02X}{:02X}", mix(0.0), mix(114.0), mix(178.0))
}

/// Draws how often what is said with some probability comes true.
pub(super) fn reliability(outcome: &Outcome, tiers: &TierOutcome) -> Figure {
    let mut canvas = Canvas::new(560.0);
    let error = outcome.metrics.get("calibration_error").map_or_else(String::new, |m| {
        format!("expected calibration error {}", spread("calibration_error", m.mean, m.sd))
    });
    let legend = [
        (Mark::Dot(4.5, TRIAL.into()), "predictions of similar probability".into()),
        (Mark::Stroke(Pen::new(GREY, 1.4).dashed()), "what would be right".into()),
    ];
    let top = canvas.head(&super::title(outcome.synthetic, &outcome.task, "reliability"), &error, &legend);
    let panel = Panel { left: MARGIN + 56.0, top, width: 560.0 - 2.0 * MARGIN - 66.0, height: 340.0 };
    let axis = Axis::Numbers { low: 0.0, high: 1.0, scale: Scale::Linear, step: 0.0 };
    panel.axes(&mut canvas, &axis, &axis);
    panel.y_label(&mut canvas, "share of right predictions", 44.0);
    canvas.line(panel.at(0.0, 0.0), panel.at(1.0, 1.0), &Pen::new(GREY, 1.4).dashed());
    let known = tiers.reliability.iter().filter_map(|bin| Some((bin, bin.confidence?, bin.accuracy?)));
    let points: Vec<(&Bin, (f64, f64))> = known.map(|(bin, x, y)| (bin, panel.at(x, y))).collect();
    canvas.path(points.iter().map(|p| p.1).collect(), &Pen::new(TRIAL, 1.8));
    for (bin, at) in &points {
        let said = format!("{} of {} right", share(bin.accuracy.unwrap_or(0.0)), bin.count);
        canvas.group("tt bin", Some(said), |c| c.mark(*at, &Mark::Dot(5.0, TRIAL.into())));
    }
    let counts = Panel { top: panel.bottom() + 42.0, height: 110.0, ..panel };
    bins(&mut canvas, &counts, &tiers.reliability);
    canvas.finish(counts.bottom() + 44.0, &[])
}

/// Draws how many predictions each bin has, below the curve.
fn bins(canvas: &mut Canvas, panel: &Panel, bins: &[Bin]) {
    let most = bins.iter().map(|b| b.count).max().unwrap_or(1).max(1) as f64;
    let axis = Axis::Numbers { low: 0.0, high: 1.0, scale: Scale::Linear, step: 0.0 };
    let (base, _) = (panel.bottom(), panel.at(0.0, 0.0));
    for tick in axis.ticks(10) {
        let (x, _) = panel.at(tick.at, 0.0);
        canvas.line((x, panel.top), (x, base), &Pen::new(GRID, 1.0));
        canvas.text((x, base + 16.0), &tick.label, Font::new(11, INK).middle());
    }
    for bin in bins.iter().filter(|b| b.count > 0) {
        let ((from, _), (to, _)) = (panel.at(bin.from, 0.0), panel.at(bin.to, 0.0));
        let height = bin.count as f64 / most * (panel.height - 22.0);
        canvas.bar((from + 1.5, base - height), (to - from - 3.0, height), "#9CC4DF");
        let middle = 0.5 * (from + to);
        canvas.text((middle, base - height - 5.0), &bin.count.to_string(), Font::new(11, INK).middle());
    }
    canvas.line((panel.left, base), (panel.left + panel.width, base), &Pen::new("#9A9A9A", 1.2));
    panel.y_label(canvas, "predictions", 44.0);
    panel.x_label(canvas, "probability of the predicted tier", 38.0);
}
