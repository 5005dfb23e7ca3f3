//! Picture of single cells: what each input adds, from where the model starts to what it says.

use super::{signed, with_unit};
use crate::experiment::reasons::{CellReasons, Reasons};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, Font, GREY, GRID, INK, MARGIN, Mark, Pen, fitted, width};
use crate::report::figure::COLOURS;
use crate::tuner::Scale;

/// Width of the picture, and most of the names and of the values.
const WIDTH: f64 = 1000.0;
const NAMES: f64 = 350.0;
const VALUES: f64 = 220.0;

/// Height of a bar and its room.
const BAR: f64 = 13.0;
const ROOM: f64 = 19.0;

/// Most inputs of a cell.
const MOST_INPUTS: usize = 8;

/// One row: what adds, its value and the usual one, how much it adds.
struct Step {
    name: String,
    value: String,
    adds: f64,
}

/// Where the columns stand: the left edge of the values, and their width.
struct Room {
    values: f64,
    beside: f64,
}

/// Draws a handful of cells; `None` for models without contributions.
pub(super) fn cells(reasons: &Reasons) -> Option<Figure> {
    let chosen = chosen(reasons);
    if chosen.is_empty() {
        return None;
    }
    let mut canvas = Canvas::new(WIDTH);
    let (more, less) = if reasons.tiers.is_empty() {
        ("longer life", "shorter life")
    } else {
        ("towards the predicted tier", "away from it")
    };
    let legend = [(Mark::Bar(COLOURS[0]), more.into()), (Mark::Bar(COLOURS[1]), less.into())];
    let subtitle = format!(
        "{} model · contributions [{}] of inputs, value of the cell and (median of the cells learnt from)",
        reasons.model.name(),
        reasons.unit
    );
    let room = Room::of(&chosen);
    let mut y = canvas.head(
        &super::title(reasons.synthetic, &reasons.task, "reasons of single cells"),
        &subtitle,
        &legend,
    );
    for (why, cell) in chosen {
        y = section(
            &mut canvas,
            (&room, y + 14.0),
            (&format!("{why}: {}", super::table::said(reasons, cell)), cell),
        );
    }
    Some(canvas.finish(y, &[]))
}

/// Returns cells worth a look, each with what it is, none twice.
fn chosen(reasons: &Reasons) -> Vec<(String, &CellReasons)> {
    let known: Vec<&CellReasons> = reasons.cells.iter().filter(|c| !c.contributions.is_empty()).collect();
    let candidates =
        if reasons.tiers.is_empty() { of_lives(&known) } else { of_tiers(&known, &reasons.tiers) };
    let mut found: Vec<(String, &CellReasons)> = Vec::new();
    for (why, cell) in candidates.into_iter().filter_map(|(why, cell)| Some((why, cell?))) {
        if found.iter().all(|(_, known)| known.cell != cell.cell) {
            found.push((why, cell));
        }
    }
    found
}

/// Returns the most wrong, the surest, and the surest of each tier.
fn of_tiers<'a>(known: &[&'a CellReasons], tiers: &[String]) -> Vec<(String, Option<&'a CellReasons>)> {
    let sure = |c: &CellReasons| c.probabilities.iter().copied().fold(0.0, f64::max);
    let surest = |fits: &dyn Fn(&CellReasons) -> bool| {
        let fitting = known.iter().copied().filter(|c| c.tier.is_some() && fits(c));
        fitting.max_by(|a, b| sure(a).total_cmp(&sure(b)))
    };
    let right = |c: &CellReasons| c.tier == c.predicted_tier;
    let mut found = vec![
        ("most wrong".to_owned(), surest(&|c| !right(c))),
        ("surest of all that are right".to_owned(), surest(&right)),
    ];
    for tier in tiers {
        let own = |c: &CellReasons| c.tier.as_ref() == Some(tier);
        let best = surest(&|c| own(c) && right(c)).or_else(|| surest(&own));
        found.push((format!("surest of tier {tier}"), best));
    }
    found
}

/// Returns the most wrong, the most right, and both ends of the lives.
fn of_lives<'a>(known: &[&'a CellReasons]) -> Vec<(String, Option<&'a CellReasons>)> {
    let off = |c: &CellReasons| Some((c.predicted? / c.truth? - 1.0).abs()).filter(|off| off.is_finite());
    let judged: Vec<(&'a CellReasons, f64)> = known.iter().filter_map(|c| Some((*c, off(c)?))).collect();
    let greatest = |of: &dyn Fn(&(&'a CellReasons, f64)) -> f64| {
        judged.iter().max_by(|a, b| of(a).total_cmp(&of(b))).map(|found| found.0)
    };
    let life = |c: &CellReasons| c.truth.unwrap_or(0.0);
    vec![
        ("most wrong".into(), greatest(&|c| c.1)),
        ("most right".into(), greatest(&|c| -c.1)),
        ("shortest life".into(), greatest(&|c| -life(c.0))),
        ("longest life".into(), greatest(&|c| life(c.0))),
    ]
}

/// Draws one cell from `top` down; returns where it ends.
fn section(canvas: &mut Canvas, (room, top): (&Room, f64), (head, cell): (&str, &CellReasons)) -> f64 {
    let steps = steps(cell);
    canvas.text((MARGIN, top + 6.0), &fitted(head, 13, WIDTH - 2.0 * MARGIN), Font::new(13, INK));
    let (left, right, top) = (room.values + room.beside, WIDTH - MARGIN - 64.0, top + 16.0);
    let mut levels = vec![cell.start];
    for step in &steps {
        levels.push(levels[levels.len() - 1] + step.adds);
    }
    let (low, high) =
        levels.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    let axis = Axis::Numbers { low, high: high.max(low + 1e-9), scale: Scale::Linear, step: 0.0 };
    let x = |value: f64| left + axis.at(value) * (right - left);
    let bottom = top + ROOM * steps.len() as f64;
    for tick in axis.ticks(6) {
        let at = left + tick.at * (right - left);
        canvas.line((at, top), (at, bottom), &Pen::new(GRID, 1.0));
        canvas.text((at, bottom + 14.0), &tick.label, Font::new(10, INK).middle());
    }
    canvas.line((x(cell.start), top), (x(cell.start), bottom), &Pen::new(GREY, 1.0).dashed());
    for (idx, step) in steps.iter().enumerate() {
        let y = top + ROOM * idx as f64 + 0.5 * (ROOM - BAR);
        let (from, to) = (x(levels[idx]), x(levels[idx + 1]));
        let colour = if step.adds < 0.0 { COLOURS[1] } else { COLOURS[0] };
        row(canvas, (room, y), step);
        canvas.group("step", Some(format!("{} {}", step.name, signed(step.adds))), |c| {
            c.bar((from.min(to), y), ((to - from).abs().max(0.8), BAR), colour);
        });
        canvas.line((to, y), (to, y + ROOM), &Pen::new(GREY, 0.8));
        canvas.text((WIDTH - MARGIN, y + BAR - 2.0), &signed(step.adds), Font::new(11, INK).end());
    }
    let sum = format!("= {}", signed(cell.margin).trim_start_matches('+'));
    canvas.text((WIDTH - MARGIN, bottom + 14.0), &sum, Font::new(11, INK).end());
    bottom + 26.0
}

fn row(canvas: &mut Canvas, (room, y): (&Room, f64), step: &Step) {
    let name = fitted(&step.name, 11, room.values - MARGIN - 8.0);
    canvas.text((room.values - 8.0, y + BAR - 2.0), &name, Font::new(11, INK).end());
    let value = fitted(&step.value, 10, room.beside - 10.0);
    canvas.text((room.values, y + BAR - 2.0), &value, Font::new(10, GREY));
}

impl Room {
    /// Returns the room that the names and the values of all cells need.
    fn of(chosen: &[(String, &CellReasons)]) -> Self {
        let steps: Vec<Step> = chosen.iter().flat_map(|(_, cell)| steps(cell)).collect();
        let names = steps.iter().map(|s| width(&s.name, 11)).fold(80.0, f64::max).min(NAMES);
        let values = steps.iter().map(|s| width(&s.value, 10)).fold(60.0, f64::max).min(VALUES);
        Self { values: MARGIN + names + 10.0, beside: values + 18.0 }
    }
}

/// Returns the greatest contributions and the sum of all others.
fn steps(cell: &CellReasons) -> Vec<Step> {
    let value = |v: Option<f64>, unit: &str| v.map_or_else(|| "missing".into(), |v| with_unit(v, unit));
    let step = |c: &crate::experiment::reasons::Contribution| Step {
        name: c.input.clone(),
        value: format!("{} ({})", value(c.value, &c.unit), value(Some(c.median), "1")),
        adds: c.adds,
    };
    let mut steps: Vec<Step> = cell.contributions.iter().take(MOST_INPUTS).map(step).collect();
    let rest: f64 = cell.contributions.iter().skip(MOST_INPUTS).map(|c| c.adds).sum();
    steps.push(Step { name: "all other inputs".into(), value: String::new(), adds: rest + cell.others });
    steps
}
