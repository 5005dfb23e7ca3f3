//! C: to come.

use super::{ExportError, Exported, Format, Options};
use crate::pipeline::Pipeline;
use crate::pipeline::manifest::Manifest;

/// Makes the files of this format.
///
/// # Errors
/// [`ExportError::Unsupported`] for what the format cannot hold.
pub fn export(_: &Pipeline, _: &Manifest, _: &Options) -> Result<Exported, ExportError> {
    Err(ExportError::Unsupported {
        format: Format::C,
        what: "this model yet".into(),
        instead: "another format",
    })
}
