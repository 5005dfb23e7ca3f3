//! Importance: how much of the objective's variance each parameter explains, alone and with the others.

use super::marker::subtitle;
use super::{Effect, Names, Search, number};
use crate::report::Figure;
use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, Font, GREY, GRID, INK, MARGIN, Mark, Pen, TRIAL, fitted, width};
use crate::report::figure::COLOURS;

/// Most bars.
const MOST_BARS: usize = 20;

/// Height of a bar and its room.
const BAR: f64 = 16.0;
const ROOM: f64 = 26.0;

/// Draws a bar a parameter: its total effect, and inside it the part that it has alone; the most important on top.
pub fn importance(search: &Search, effects: &[Effect]) -> Figure {
    let rows = ranked(effects);
    let drawn = &rows[..rows.len().min(MOST_BARS)];
    let names = Names::of(search.space);
    let mut canvas = Canvas::new(800.0);
    let legend = [
        (Mark::Bar(TRIAL), "alone".into()),
        (Mark::Bar(COLOURS[5]), "together with other parameters".into()),
    ];
    let metric = search.objective().map_or("the objective", |o| o.metric.as_str());
    let top = canvas.head(&format!("{}: importance for {metric}", search.name), &subtitle(search), &legend);
    let widest = drawn.iter().map(|e| width(names.short(&e.0), 12)).fold(40.0, f64::max).min(240.0);
    let left = MARGIN + widest + 10.0;
    let most = drawn.iter().map(|e| e.2.max(e.1)).fold(0.05, f64::max);
    let sheet = Sheet { left, top, width: 800.0 - MARGIN - 70.0 - left, most, n: drawn.len().max(1) };
    sheet.grid(&mut canvas);
    for (idx, effect) in drawn.iter().enumerate() {
        sheet.bar(&mut canvas, idx, (effect, &fitted(names.short(&effect.0), 12, widest)));
    }
    if drawn.is_empty() {
        canvas.text(
            (left + 20.0, top + 18.0),
            "not known yet: too few completed trials",
            Font::new(14, GREY),
        );
    }
    let more = rows.len() - drawn.len();
    let rest: f64 = rows[drawn.len()..].iter().map(|e| e.2).fold(0.0, f64::max);
    let more = (more > 0).then(|| format!("{more} more parameters, each at most {:.1} %.", 100.0 * rest));
    canvas.finish(sheet.bottom() + 44.0, &search.noted(&more.into_iter().collect::<Vec<_>>()))
}

/// Returns the effects that are numbers, the greatest total first; estimates below 0 are 0.
pub(super) fn ranked(effects: &[Effect]) -> Vec<Effect> {
    let known = effects.iter().filter(|e| e.1.is_finite() && e.2.is_finite());
    let mut rows: Vec<Effect> = known.map(|(name, a, b)| (name.clone(), a.max(0.0), b.max(0.0))).collect();
    rows.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    rows
}

struct Sheet {
    left: f64,
    top: f64,
    width: f64,
    most: f64,
    n: usize,
}

impl Sheet {
    fn bottom(&self) -> f64 {
        self.top + ROOM * self.n as f64
    }

    fn grid(&self, canvas: &mut Canvas) {
        let axis = Axis::of_objective(&[0.0, 100.0 * self.most], crate::tuner::Direction::Min);
        for tick in axis.ticks(8) {
            let x = self.left + tick.at * self.width;
            canvas.line((x, self.top), (x, self.bottom()), &Pen::new(GRID, 1.0));
            canvas.text((x, self.bottom() + 16.0), &tick.label, Font::new(11, INK).middle());
        }
        let at = (self.left + 0.5 * self.width, self.bottom() + 38.0);
        canvas.text(at, "share of the variance [%]", Font::new(12, INK).middle());
        canvas.line((self.left, self.top), (self.left, self.bottom()), &Pen::new("#9A9A9A", 1.2));
    }

    fn bar(&self, canvas: &mut Canvas, idx: usize, ((_, first, total), name): (&Effect, &str)) {
        let y = self.top + ROOM * idx as f64 + 0.5 * (ROOM - BAR);
        let long = |share: f64| share / self.most * self.width;
        canvas.text((self.left - 8.0, y + BAR - 4.0), name, Font::new(12, INK).end());
        canvas.group("bar", None, |c| {
            c.bar((self.left, y), (long(*total), BAR), COLOURS[5]);
            c.bar((self.left, y), (long(first.min(*total)), BAR), TRIAL);
        });
        let text = format!("{} %", number::trimmed(&number::digits(100.0 * total, 2)));
        canvas.text((self.left + long(*total) + 6.0, y + BAR - 4.0), &text, Font::new(11, INK));
    }
}
