//! Figures: drawn once, stored as SVG and as PNG.

use std::path::{Path, PathBuf};

use kuva::backend::raster::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::render::Scene;

use crate::file::{self, FileError};

/// Colours that people with any colour vision tell apart `[Okabe2008]`; black is for what was measured.
pub(super) const COLOURS: [&str; 7] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"];

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
    /// Returns the figure of a finished drawing.
    pub(super) fn new(scene: Scene) -> Self {
        Self { scene }
    }

    /// Returns the figure as the text of an SVG file.
    pub fn svg(&self) -> String {
        SvgBackend::default().render_scene(&self.scene)
    }

    /// Returns the figure as the bytes of a PNG file.
    ///
    /// # Errors
    /// What the renderer says.
    fn png(&self) -> Result<Vec<u8>, String> {
        RasterBackend::new().with_scale(PIXELS).render_scene(&self.scene)
    }

    /// Stores the figure as `<stem>.svg` and `<stem>.png`.
    ///
    /// # Errors
    /// Every [`FigureError`].
    pub fn save(&self, stem: &Path) -> Result<(), FigureError> {
        file::write_atomic(&stem.with_extension("svg"), self.svg().as_bytes())?;
        let path = stem.with_extension("png");
        let png = self.png().map_err(|reason| FigureError::Png { path: path.clone(), reason })?;
        Ok(file::write_atomic(&path, &png)?)
    }
}
