//! Bars to the right and left of zero, one a name, with spreads and figures beside them.

use crate::report::axis::Axis;
use crate::report::canvas::{Canvas, Font, GREY, GRID, INK, Pen, fitted, width};
use crate::tuner::Scale;

/// Height of a bar and its room.
const BAR: f64 = 14.0;
const ROOM: f64 = 23.0;

/// Widest name.
const MOST_NAME: f64 = 390.0;

/// One bar.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    /// Spread on both sides.
    pub(super) sd: Option<f64>,
    /// What stands to the right of it, a text a column.
    pub(super) beside: Vec<String>,
    pub(super) colour: &'static str,
}

/// Bars below each other over one axis.
pub(super) struct Bars<'a> {
    pub(super) rows: &'a [Bar],
    /// Name of the axis.
    pub(super) label: &'a str,
    /// Heads of the columns beside the bars.
    pub(super) heads: &'a [&'a str],
}

/// Where bars stand.
struct Sheet {
    left: f64,
    top: f64,
    bottom: f64,
    width: f64,
    axis: Axis,
    columns: Vec<f64>,
}

impl Bars<'_> {
    /// Draws the bars between `left` and `right` from `top` down; returns where they end, axis included.
    pub(super) fn draw(&self, canvas: &mut Canvas, (left, right): (f64, f64), top: f64) -> f64 {
        let top = top + 16.0;
        let sheet = self.sheet((left, right), top);
        sheet.grid(canvas, self);
        for (idx, bar) in self.rows.iter().enumerate() {
            sheet.bar(canvas, top + ROOM * idx as f64 + 0.5 * (ROOM - BAR), (left, bar));
        }
        sheet.bottom + 40.0
    }

    fn sheet(&self, (left, right): (f64, f64), top: f64) -> Sheet {
        let widest = self.rows.iter().map(|b| width(&b.name, 12)).fold(40.0, f64::max).min(MOST_NAME);
        let ends = |sign: f64| self.rows.iter().map(move |b| b.value + sign * b.sd.unwrap_or(0.0));
        let low = ends(-1.0).fold(0.0, f64::min);
        let high = ends(1.0).fold(low + 1e-9, f64::max);
        let column = |idx: usize| {
            let texts = self
                .rows
                .iter()
                .filter_map(|b| b.beside.get(idx))
                .map(String::as_str)
                .chain([self.heads[idx]]);
            texts.map(|text| width(text, 11)).fold(0.0, f64::max) + 14.0
        };
        let mut columns: Vec<f64> = (0..self.heads.len()).map(column).collect();
        let mut at = right;
        for column in columns.iter_mut().rev() {
            (*column, at) = (at, at - *column);
        }
        let from = left + widest + 10.0;
        Sheet {
            left: from,
            top,
            bottom: top + ROOM * self.rows.len().max(1) as f64,
            width: (at - 8.0 - from).max(60.0),
            axis: Axis::Numbers { low, high, scale: Scale::Linear, step: 0.0 },
            columns,
        }
    }
}

impl Sheet {
    fn x(&self, value: f64) -> f64 {
        self.left + self.axis.at(value) * self.width
    }

    fn grid(&self, canvas: &mut Canvas, bars: &Bars) {
        for tick in self.axis.ticks(7) {
            let x = self.left + tick.at * self.width;
            canvas.line((x, self.top), (x, self.bottom), &Pen::new(GRID, 1.0));
            canvas.text((x, self.bottom + 15.0), &tick.label, Font::new(11, INK).middle());
        }
        let zero = self.x(0.0);
        canvas.line((zero, self.top), (zero, self.bottom), &Pen::new("#9A9A9A", 1.2));
        let at = (self.left + 0.5 * self.width, self.bottom + 34.0);
        canvas.text(at, bars.label, Font::new(12, INK).middle());
        for (head, &x) in bars.heads.iter().zip(&self.columns) {
            canvas.text((x, self.top - 4.0), head, Font::new(11, GREY).end());
        }
    }

    fn bar(&self, canvas: &mut Canvas, y: f64, (left, bar): (f64, &Bar)) {
        let name = fitted(&bar.name, 12, self.left - left - 8.0);
        canvas.text((self.left - 8.0, y + BAR - 3.0), &name, Font::new(12, INK).end());
        let (from, to) = (self.x(bar.value.min(0.0)), self.x(bar.value.max(0.0)));
        let beside = bar.beside.join(", ");
        canvas.group("bar", Some(format!("{}: {beside}", bar.name)), |c| {
            c.bar((from, y), (to - from, BAR), bar.colour);
        });
        if let Some(sd) = bar.sd {
            let (low, high, middle) = (self.x(bar.value - sd), self.x(bar.value + sd), y + 0.5 * BAR);
            let pen = Pen::new(INK, 1.2);
            canvas.line((low, middle), (high, middle), &pen);
            for x in [low, high] {
                canvas.line((x, middle - 3.0), (x, middle + 3.0), &pen);
            }
        }
        for (text, &x) in bar.beside.iter().zip(&self.columns) {
            canvas.text((x, y + BAR - 3.0), text, Font::new(11, INK).end());
        }
    }
}
