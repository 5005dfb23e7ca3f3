//! Exports: a pipeline as files that other programs compute, without this one.
//!
//! | format | holds | read by |
//! |---|---|---|
//! | `onnx` | the whole pipeline in one graph | onnxruntime, rten, anything that reads ONNX |
//! | `safetensors` | weights and scalings by name | `PyTorch`, numpy |
//! | `keras` | weights of a dense network | Keras |
//! | `c` | the whole pipeline as C99 | a compiler for a battery management system |
//! | `json` | the whole pipeline as text | anything |
//!
//! Every format is held to [`Pipeline::reference`] within 1e-5, and says what it leaves out.

pub mod c;
pub mod formula;
pub mod json;
pub mod keras;
pub mod onnx;
pub mod safetensors;
#[cfg(test)]
mod sample_files;

use std::fmt;
use std::str::FromStr;

use crate::pipeline::manifest::Manifest;
use crate::pipeline::{Body, Part, Pipeline};

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One ONNX graph.
    Onnx,
    /// Named tensors.
    Safetensors,
    /// `.weights.h5` of Keras.
    Keras,
    /// C99 header and source.
    C,
    /// JSON.
    Json,
}

/// What an export is to be like.
///
/// | option | default | range |
/// |---|---|---|
/// | `name` | `model` | name of the files, without extension; C and ONNX call the model by it |
/// | `level` | 0.9 | a level of the pipeline's interval |
/// | `packed` | false | |
/// | `int8` | false | |
/// | `member` | all | `FOLD/seedK` |
/// | `double` | false | |
/// | `rows` | none | rows of the pipeline's inputs |
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Name of the files, without extension.
    pub name: String,
    /// Level of the interval [1].
    pub level: f64,
    /// ONNX: one input `inputs` of all numbers of a row, instead of one an input.
    pub packed: bool,
    /// C: weights of 8 bits.
    pub int8: bool,
    /// Keras: the one network (`B0005/seed0`) instead of the mean over all.
    pub member: Option<String>,
    /// C: numbers of 64 bits instead of 32.
    pub double: bool,
    /// C: rows `[row][input]` on which the loss of 8 bits is measured; without any, rows are drawn from the ranges.
    pub rows: Vec<Vec<f64>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "model".into(),
            level: 0.9,
            packed: false,
            int8: false,
            member: None,
            double: false,
            rows: Vec::new(),
        }
    }
}

/// What was made of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The files, 1 or more; the first one is what was asked for.
    pub files: Vec<ExportedFile>,
    /// What the files leave out of what the program itself answers, one sentence each.
    pub left_out: Vec<String>,
    /// What else a person may want to know (flash, operations), one line each.
    pub notes: Vec<String>,
}

/// A file, not yet written.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedFile {
    /// Extension (`onnx`, `weights.h5`); the name before it is [`Options::name`].
    pub extension: &'static str,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// A pipeline that cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Occurs when a format is none of ours.
    #[error("there is no format `{name}`: choose one of {}", Format::ALL.map(Format::name).join(", "))]
    UnknownFormat {
        /// Name given.
        name: String,
    },
    /// Occurs when a format cannot hold such a model.
    #[error("{format} cannot hold {what}: choose {instead}")]
    Unsupported {
        /// The format.
        format: Format,
        /// What it cannot hold (`trees`).
        what: String,
        /// What can be done instead (`--format onnx`).
        instead: &'static str,
    },
    /// Occurs when the interval has no such level.
    #[error("the interval has no level {level}: choose one of {known:?}")]
    Level {
        /// Level asked for.
        level: f64,
        /// Levels of the pipeline.
        known: Vec<f64>,
    },
    /// Occurs when a given row has not one number an input.
    #[error("a row of {found} numbers for {needed} inputs: give one an input")]
    RowWidth {
        /// Numbers of the row.
        found: usize,
        /// Number of inputs.
        needed: usize,
    },
    /// Occurs when an input has the name of an output, or of another input.
    #[error("two inputs or outputs are named `{name}`: name each once")]
    SameName {
        /// The name.
        name: String,
    },
    /// Occurs when there is no such network.
    #[error("there is no network `{name}`: choose one of {}", known.join(", "))]
    Member {
        /// Name given.
        name: String,
        /// Networks of the pipeline.
        known: Vec<String>,
    },
    /// Occurs when a name of files is none of the language's names.
    #[error("`{name}` is no name in {format}: letters, digits and `_`, a letter first")]
    Name {
        /// The format.
        format: Format,
        /// Name given.
        name: String,
    },
    /// Occurs when the library that makes a format refuses what it is given.
    #[error("{format} could not be made")]
    Library {
        /// The format.
        format: Format,
        /// What the library says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes files of a pipeline.
///
/// # Errors
/// Every variant of [`ExportError`] but the unknown format.
pub fn export(
    pipeline: &Pipeline,
    manifest: &Manifest,
    format: Format,
    options: &Options,
) -> Result<Exported, ExportError> {
    check_level(pipeline, options.level)?;
    match format {
        Format::Onnx => onnx::export(pipeline, manifest, options),
        Format::Safetensors => safetensors::export(pipeline, manifest, options),
        Format::Keras => keras::export(pipeline, manifest, options),
        Format::C => c::export(pipeline, manifest, options),
        Format::Json => json::export(pipeline, manifest, options),
    }
}

/// Returns the name of each network of each part (`B0005/seed0`), counted over the repetitions of a fold.
pub(crate) fn member_names(pipeline: &Pipeline) -> Vec<Vec<String>> {
    let mut counts = std::collections::BTreeMap::new();
    let names = |part: &Part| {
        let n = if let Body::Networks { members, .. } = &part.body { members.len() } else { 0 };
        let count: &mut usize = counts.entry(part.fold.clone()).or_default();
        let from = std::mem::replace(count, *count + n);
        (from..from + n).map(|k| format!("{}/seed{k}", part.fold)).collect()
    };
    pipeline.parts.iter().map(names).collect()
}

impl Format {
    /// Every format, in the order of the enum.
    pub const ALL: [Self; 5] = [Self::Onnx, Self::Safetensors, Self::Keras, Self::C, Self::Json];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
            Self::Keras => "keras",
            Self::C => "c",
            Self::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Self, ExportError> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| ExportError::UnknownFormat { name: name.into() })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn check_level(pipeline: &Pipeline, level: f64) -> Result<(), ExportError> {
    match &pipeline.interval {
        Some(interval) if interval.score(level).is_none() => {
            Err(ExportError::Level { level, known: interval.levels.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::pipeline::manifest::{RowsOf, SCHEMA};
    use crate::pipeline::sample;

    /// Returns the manifest of a sample pipeline.
    pub(crate) fn manifest(pipeline: &Pipeline) -> Manifest {
        Manifest {
            schema: SCHEMA,
            fadecast: "0.1.0".into(),
            experiment: pipeline.name.clone(),
            run: pipeline.run.clone(),
            kind: "capacity".into(),
            model: pipeline.model.clone(),
            created: "2026-01-01T00:00:00Z".into(),
            dataset: "sample".into(),
            data_sha256: "ab".repeat(32),
            refused: None,
            inputs: pipeline.inputs.clone(),
            output: pipeline.output.clone(),
            interval: pipeline.interval.clone(),
            rows: RowsOf::Table,
            files: BTreeMap::new(),
        }
    }

    #[test]
    fn a_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
        }
        let error = "tflite".parse::<Format>().unwrap_err().to_string();
        assert_eq!(error, "there is no format `tflite`: choose one of onnx, safetensors, keras, c, json");
    }

    #[test]
    fn a_level_that_the_interval_lacks_is_refused() {
        let (_, mut pipeline) = sample::all().swap_remove(0);
        let options = Options { level: 0.42, ..Options::default() };
        let manifest = manifest(&pipeline);
        let result = export(&pipeline, &manifest, Format::Onnx, &options);
        assert!(matches!(result, Err(ExportError::Level { .. })), "{result:?}");
        pipeline.interval = None;
        assert!(export(&pipeline, &manifest, Format::Onnx, &options).is_ok());
    }
}
