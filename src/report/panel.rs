//! A panel: a box with two axes, their grid and names, in which values are marked.

use super::axis::{Axis, Tick};
use super::canvas::{Canvas, Font, GREY, GRID, INK, Pen, Point, fitted, width};

/// Share of a panel left free on each side of its data.
const PAD: f64 = 0.05;

/// Room above the data, for failed trials, and below.
const ABOVE: f64 = 26.0;
const BELOW: f64 = 14.0;

/// A box on the canvas.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Panel {
    /// Returns where shares of both axes are.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        let x = PAD + x * (1.0 - 2.0 * PAD);
        (self.left + x * self.width, self.top + ABOVE + (1.0 - y) * (self.height - ABOVE - BELOW))
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Returns where failed trials are marked: above all values.
    pub(super) fn lintel(&self) -> f64 {
        self.top + 10.0
    }

    /// Draws the grid, the names of the ticks and the frame; returns how far below it the horizontal axis is named.
    pub(super) fn axes(&self, canvas: &mut Canvas, x: &Axis, y: &Axis) -> f64 {
        let pen = Pen::new(GRID, 1.0);
        for tick in y.ticks((self.height / 36.0) as usize) {
            let (_, at) = self.at(0.0, tick.at);
            canvas.line((self.left, at), (self.left + self.width, at), &pen);
            canvas.text((self.left - 6.0, at + 4.0), &tick.label, Font::new(11, INK).end());
        }
        let (ticks, slanted) = self.x_ticks(x);
        for tick in ticks {
            let (at, _) = self.at(tick.at, 0.0);
            canvas.line((at, self.top), (at, self.bottom()), &pen);
            self.name_below(canvas, at, &tick, slanted);
        }
        let (right, bottom) = (self.left + self.width, self.bottom());
        let frame = Pen::new("#9A9A9A", 1.0);
        let corners = [(self.left, self.top), (right, self.top), (right, bottom), (self.left, bottom)];
        canvas.path(corners.into_iter().chain([corners[0]]).collect(), &frame);
        if slanted { 56.0 } else { 38.0 }
    }

    /// Returns as many ticks of the horizontal axis as have room, and whether they stand aslant, as long levels do.
    fn x_ticks(&self, x: &Axis) -> (Vec<Tick>, bool) {
        let length = (1.0 - 2.0 * PAD) * self.width;
        let fits = |ticks: &Vec<Tick>| {
            let widest = ticks.iter().map(|t| width(&t.label, 11)).fold(0.0, f64::max);
            ticks.windows(2).all(|w| (w[1].at - w[0].at) * length > widest + 8.0)
        };
        if let Axis::Levels(levels) = x {
            let all = x.ticks(levels.len());
            return if fits(&all) { (all, false) } else { (x.ticks((length / 24.0) as usize), true) };
        }
        let ticks = (2..=10).rev().map(|most| x.ticks(most)).find(fits);
        (ticks.unwrap_or_default(), false)
    }

    fn name_below(&self, canvas: &mut Canvas, at: f64, tick: &Tick, slanted: bool) {
        let bottom = self.bottom();
        if slanted {
            let label = fitted(&tick.label, 10, 58.0);
            canvas.text((at + 4.0, bottom + 13.0), &label, Font::new(10, INK).end().turned(-30.0));
        } else {
            canvas.text(
                (at, bottom + 16.0),
                &fitted(&tick.label, 11, self.width),
                Font::new(11, INK).middle(),
            );
        }
    }

    /// Writes the name of the horizontal axis `below` the frame.
    pub(super) fn x_label(&self, canvas: &mut Canvas, label: &str, below: f64) {
        let at = (self.left + 0.5 * self.width, self.bottom() + below);
        canvas.text(at, &fitted(label, 12, self.width + 40.0), Font::new(12, INK).middle());
    }

    /// Writes the name of the vertical axis `beside` the frame.
    pub(super) fn y_label(&self, canvas: &mut Canvas, label: &str, beside: f64) {
        let at = (self.left - beside, self.top + 0.5 * self.height);
        let label = fitted(label, 12, self.height + 40.0);
        canvas.text(at, &label, Font::new(12, INK).middle().turned(-90.0));
    }

    /// Says in the middle why there is nothing to see.
    pub(super) fn say(&self, canvas: &mut Canvas, text: &str) {
        let at = (self.left + 0.5 * self.width, self.top + 0.5 * self.height);
        canvas.text(at, text, Font::new(14, GREY).middle());
    }
}
