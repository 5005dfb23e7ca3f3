//! What was measured and what each model predicted: one panel a cell.

use kuva::prelude::{Figure as Panels, Layout, LinePlot, Plot, ScatterPlot};

use super::figure::{COLOURS, Figure};
use crate::experiment::Comparison;
use crate::experiment::compare::Course;

/// Most panels of one figure; a fleet shows its first folds.
const MOST_PANELS: usize = 6;

/// Most models of one panel; more lines hide each other.
const MOST_MODELS: usize = 5;

impl Figure {
    /// Draws the courses of a comparison.
    pub fn of(comparison: &Comparison) -> Self {
        let courses = &comparison.courses[..comparison.courses.len().min(MOST_PANELS)];
        let columns = courses.len().clamp(1, 2);
        let rows = courses.len().div_ceil(columns).max(1);
        let plots = courses.iter().map(panel).collect::<Vec<Vec<Plot>>>();
        let layouts = courses.iter().zip(&plots).map(|(c, p)| layout(comparison, c, p)).collect::<Vec<_>>();
        let panels =
            Panels::new(rows, columns).with_plots(plots).with_layouts(layouts).with_cell_size(560.0, 360.0);
        let synthetic = if comparison.synthetic { " (synthetic cells)" } else { "" };
        let panels = panels.with_title(format!("{}{synthetic}", comparison.task)).with_shared_legend();
        Self::new(panels.render())
    }
}

fn panel(course: &Course) -> Vec<Plot> {
    let measured = ScatterPlot::new().with_data(course.measured.clone()).with_color("black").with_size(1.8);
    let mut plots: Vec<Plot> = vec![measured.with_legend("measured").into()];
    for ((name, points), colour) in course.predicted.iter().take(MOST_MODELS).zip(COLOURS) {
        let line = LinePlot::new().with_data(points.clone()).with_color(colour).with_stroke_width(1.6);
        plots.push(line.with_legend(name.clone()).into());
    }
    plots
}

fn layout(comparison: &Comparison, course: &Course, plots: &[Plot]) -> Layout {
    Layout::auto_from_plots(plots)
        .with_title(course.fold.clone())
        .with_x_label("discharge")
        .with_y_label(format!("capacity [{}]", comparison.unit))
}
