//! Figures: what was measured and what each model predicted, one panel a cell, as SVG and PNG.

use std::path::{Path, PathBuf};

use kuva::backend::raster::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::prelude::{Figure as Panels, Layout, LinePlot, Plot, ScatterPlot};
use kuva::render::render::Scene;

use crate::experiment::Comparison;
use crate::experiment::compare::Course;
use crate::file::{self, FileError};

/// Colours that people with any colour vision tell apart `[Okabe2008]`; black is for what was measured.
const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"];

/// Most panels of one figure; a fleet shows its first folds.
const MOST_PANELS: usize = 6;

/// Most models of one panel; more lines hide each other.
const MOST_MODELS: usize = 5;

/// Pixels of the PNG for each unit of the SVG.
const PIXELS: f32 = 2.0;

/// A figure, drawn.
#[derive(Debug)]
pub struct Figure {
    scene: Scene,
}

/// Why a figure could not be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// Occurs when the file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when the drawing cannot become pixels.
    #[error("cannot draw `{path}` as PNG: {reason}")]
    Png {
        /// File that was to be written.
        path: PathBuf,
        /// What the renderer said.
        reason: String,
    },
}

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
        Self { scene: panels.render() }
    }

    /// Stores the figure as `<stem>.svg` and `<stem>.png`.
    ///
    /// # Errors
    /// Every [`FigureError`].
    pub fn save(&self, stem: &Path) -> Result<(), FigureError> {
        let svg = SvgBackend::default().render_scene(&self.scene);
        file::write_atomic(&stem.with_extension("svg"), svg.as_bytes())?;
        let path = stem.with_extension("png");
        let png = RasterBackend::new().with_scale(PIXELS).render_scene(&self.scene);
        let png = png.map_err(|reason| FigureError::Png { path: path.clone(), reason })?;
        Ok(file::write_atomic(&path, &png)?)
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
