//! What a figure is drawn with: text, lines, marks and named groups, over a head with a legend and a foot with notes.

use kuva::plot::colormap::ColorMap;
use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};

use super::figure::{COLOURS, Figure};

/// Colour of titles and names.
pub(super) const INK: &str = "#222222";
/// Colour of what is said beside.
pub(super) const GREY: &str = "#5F5F5F";
/// Colour of grid lines.
pub(super) const GRID: &str = "#E4E4E4";
/// Colour of trials where colour says nothing else.
pub(super) const TRIAL: &str = COLOURS[0];
/// Colour of the best.
pub(super) const BEST: &str = COLOURS[1];

/// Margin on the left and on the right.
pub(super) const MARGIN: f64 = 24.0;

/// Lightest share of viridis that is drawn; its yellow end is too pale on white.
const PALEST: f64 = 0.92;

/// Distance of lines of the legend and of the notes.
const LINE: f64 = 18.0;

/// A place on the canvas, from its upper left corner.
pub(super) type Point = (f64, f64);

/// How a text stands.
#[derive(Clone, Copy)]
pub(super) struct Font {
    size: u32,
    anchor: TextAnchor,
    colour: &'static str,
    turn: Option<f64>,
}

impl Font {
    pub(super) const fn new(size: u32, colour: &'static str) -> Self {
        Self { size, anchor: TextAnchor::Start, colour, turn: None }
    }

    pub(super) const fn middle(self) -> Self {
        Self { anchor: TextAnchor::Middle, ..self }
    }

    pub(super) const fn end(self) -> Self {
        Self { anchor: TextAnchor::End, ..self }
    }

    pub(super) const fn turned(self, degrees: f64) -> Self {
        Self { turn: Some(degrees), ..self }
    }
}

/// How a line looks.
#[derive(Clone)]
pub(super) struct Pen {
    colour: String,
    width: f64,
    dash: Option<&'static str>,
}

impl Pen {
    pub(super) fn new(colour: impl Into<String>, width: f64) -> Self {
        Self { colour: colour.into(), width, dash: None }
    }

    pub(super) fn dashed(self) -> Self {
        Self { dash: Some("4 3"), ..self }
    }
}

/// What stands for a trial, and for itself in the legend.
#[derive(Clone)]
pub(super) enum Mark {
    /// Completed: radius and colour.
    Dot(f64, String),
    /// Completed elsewhere.
    Ring,
    /// Failed.
    Cross,
    /// The best.
    Star,
    /// Beyond the end of the axis: pointing up or down.
    Arrow(bool),
    /// A line, in the legend only.
    Stroke(Pen),
    /// A bar, in the legend only.
    Bar(&'static str),
}

/// A drawing.
pub(super) struct Canvas {
    scene: Scene,
}

impl Canvas {
    /// Returns a drawing of `width`; its height is set when it is finished.
    pub(super) fn new(width: f64) -> Self {
        Self { scene: Scene::new(width, 0.0) }
    }

    pub(super) fn width(&self) -> f64 {
        self.scene.width
    }

    /// Writes title, subtitle and legend; returns where the picture begins.
    pub(super) fn head(&mut self, title: &str, subtitle: &str, legend: &[(Mark, String)]) -> f64 {
        let room = self.scene.width - 2.0 * MARGIN;
        self.text((MARGIN, 30.0), &fitted(title, 16, room), Font::new(16, INK));
        let mut y = 30.0;
        for line in wrapped(subtitle, 12, room) {
            y += LINE;
            self.text((MARGIN, y), &line, Font::new(12, GREY));
        }
        if !legend.is_empty() {
            y += LINE + 6.0;
            y = self.legend(y, legend);
        }
        y + 16.0
    }

    /// Writes the notes below `y` and returns the figure.
    pub(super) fn finish(mut self, y: f64, notes: &[String]) -> Figure {
        let room = self.scene.width - 2.0 * MARGIN;
        let mut y = y + 6.0;
        for note in notes {
            for line in wrapped(note, 11, room) {
                y += LINE - 2.0;
                self.text((MARGIN, y), &line, Font::new(11, GREY));
            }
        }
        self.scene.height = (y + 16.0).ceil();
        Figure::new(self.scene)
    }

    pub(super) fn text(&mut self, (x, y): Point, text: &str, font: Font) {
        // A dollar sign would begin a formula.
        let content = printable(text).replace('$', "\\$");
        let Font { size, anchor, colour, turn: rotate } = font;
        let color = Some(Color::from(colour));
        self.scene.add(Primitive::Text { x, y, content, size, anchor, rotate, bold: false, color });
    }

    pub(super) fn line(&mut self, (x1, y1): Point, (x2, y2): Point, pen: &Pen) {
        let (stroke, stroke_dasharray) = (Color::from(&pen.colour), pen.dash.map(Into::into));
        self.scene.add(Primitive::Line { x1, y1, x2, y2, stroke, stroke_width: pen.width, stroke_dasharray });
    }

    pub(super) fn path(&mut self, points: Vec<Point>, pen: &Pen) {
        if points.len() > 1 {
            let (stroke, stroke_dasharray) = (Color::from(&pen.colour), pen.dash.map(Into::into));
            self.scene.add(Primitive::PolyLine { points, stroke, stroke_width: pen.width, stroke_dasharray });
        }
    }

    /// Fills a rectangle from its upper left corner.
    pub(super) fn bar(&mut self, (x, y): Point, (width, height): Point, colour: &str) {
        let fill = Color::from(colour);
        let (stroke, stroke_width, opacity) = (None, None, None);
        self.scene.add(Primitive::Rect { x, y, width, height, fill, stroke, stroke_width, opacity });
    }

    /// Writes a text over a white ground that leaves the lines behind visible.
    pub(super) fn plate(&mut self, (x, y): Point, text: &str, font: Font) {
        let (w, h) = (width(text, font.size) + 4.0, f64::from(font.size) + 3.0);
        let left = match font.anchor {
            TextAnchor::Start => x - 2.0,
            TextAnchor::Middle => x - 0.5 * w,
            TextAnchor::End => x + 2.0 - w,
        };
        let (fill, opacity) = (Color::from("white"), Some(0.78));
        let top = y - 0.82 * h;
        let (stroke, stroke_width) = (None, None);
        self.scene.add(Primitive::Rect {
            x: left,
            y: top,
            width: w,
            height: h,
            fill,
            stroke,
            stroke_width,
            opacity,
        });
        self.text((x, y), text, font);
    }

    /// Draws in a group of the SVG, which has a class and may have a tooltip.
    pub(super) fn group(&mut self, class: &str, title: Option<String>, draw: impl FnOnce(&mut Self)) {
        let extra_attrs = Some(format!("class=\"{class}\""));
        let title = title.map(|text| printable(&text));
        self.scene.add(Primitive::GroupStart { transform: None, title, extra_attrs });
        draw(self);
        self.scene.add(Primitive::GroupEnd);
    }

    pub(super) fn mark(&mut self, at: Point, mark: &Mark) {
        match mark {
            Mark::Dot(r, colour) => self.circle(at, *r, (colour, "white", 0.8)),
            Mark::Ring => self.circle(at, 3.6, ("white", TRIAL, 1.6)),
            Mark::Cross => self.cross(at),
            Mark::Star => self.star(at),
            Mark::Arrow(up) => self.arrow(at, *up),
            Mark::Stroke(pen) => self.line((at.0 - 9.0, at.1), (at.0 + 9.0, at.1), pen),
            Mark::Bar(colour) => self.bar((at.0 - 8.0, at.1 - 5.0), (16.0, 10.0), colour),
        }
    }

    fn circle(&mut self, (cx, cy): Point, r: f64, (fill, stroke, width): (&str, &str, f64)) {
        let (fill, stroke) = (Color::from(fill), Some(Color::from(stroke)));
        self.scene.add(Primitive::Circle {
            cx,
            cy,
            r,
            fill,
            fill_opacity: None,
            stroke,
            stroke_width: Some(width),
        });
    }

    fn cross(&mut self, (x, y): Point) {
        let pen = Pen::new(INK, 1.6);
        self.line((x - 3.5, y - 3.5), (x + 3.5, y + 3.5), &pen);
        self.line((x - 3.5, y + 3.5), (x + 3.5, y - 3.5), &pen);
    }

    fn star(&mut self, (x, y): Point) {
        let corner = |k: u32| {
            let (r, angle) =
                (if k.is_multiple_of(2) { 9.0 } else { 3.9 }, f64::from(k) * std::f64::consts::PI / 5.0);
            (x + r * angle.sin(), y - r * angle.cos())
        };
        self.polygon(&(0..10).map(corner).collect::<Vec<_>>(), BEST);
    }

    fn arrow(&mut self, (x, y): Point, up: bool) {
        let tip = if up { -5.5 } else { 5.5 };
        self.polygon(&[(x, y + tip), (x - 5.0, y - 0.6 * tip), (x + 5.0, y - 0.6 * tip)], GREY);
    }

    fn polygon(&mut self, corners: &[Point], colour: &str) {
        let steps: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.2} {y:.2}")).collect();
        let d = format!("M {} Z", steps.join(" L "));
        let (fill, stroke) = (Some(Color::from(colour)), Color::from("white"));
        let (stroke_width, opacity, stroke_dasharray) = (0.8, None, None);
        self.scene.add(Primitive::Path(Box::new(PathData {
            d,
            fill,
            stroke,
            stroke_width,
            opacity,
            stroke_dasharray,
        })));
    }

    fn legend(&mut self, y: f64, entries: &[(Mark, String)]) -> f64 {
        let (mut x, mut y) = (MARGIN, y);
        for (mark, text) in entries {
            let w = 28.0 + width(text, 12) + 20.0;
            if x > MARGIN && x + w > self.scene.width - MARGIN {
                (x, y) = (MARGIN, y + LINE);
            }
            self.group("legend", None, |c| c.mark((x + 10.0, y - 4.0), mark));
            self.text((x + 25.0, y), text, Font::new(12, INK));
            x += w;
        }
        y
    }
}

/// Returns the colour at a share of a sequential scale: 0 dark, 1 pale.
pub(super) fn shade(share: f64) -> String {
    ColorMap::Viridis.map(PALEST * share.clamp(0.0, 1.0))
}

/// Returns the text without control characters, which XML forbids; a message of a failed trial may have some.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// Returns about how wide a text is, a little too wide rather than too narrow; the font is `DejaVu Sans`.
pub(super) fn width(text: &str, size: u32) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | ' ' | '.' | ',' | ':' | '\'' | '|' | '/' => 0.33,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '⁻' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.97,
        '_' => 0.5,
        c if c.is_uppercase() => 0.7,
        c if c.is_ascii() => 0.63,
        c if "⁰¹²³⁴⁵⁶⁷⁸⁹".contains(c) => 0.42,
        '·' => 0.33,
        _ => 0.85,
    };
    text.chars().map(em).sum::<f64>() * f64::from(size)
}

/// Returns the text, cut with an ellipsis where it is wider than `room`.
pub(super) fn fitted(text: &str, size: u32, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while short.chars().count() > 3 && width(&short, size) + 0.85 * f64::from(size) > room {
        short.pop();
    }
    format!("{short}…")
}

fn wrapped(text: &str, size: u32, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(word, size) + 4.0 <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
