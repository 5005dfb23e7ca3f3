//! The manifest of a run's artifact: what a pipeline is beside its numbers, and the hash of every file that it is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Input, Output};
use crate::descriptor::early::Window;
use crate::prepare::Reference;
use crate::uq::conformal::Conformal;

/// Name of the file in a run's folder.
pub const MANIFEST: &str = "artifact.json";

/// Version of the form that this program writes; it reads no other.
pub const SCHEMA: u32 = 1;

/// What `artifact.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the form, [`SCHEMA`].
    pub schema: u32,
    /// Version of fadecast that wrote it.
    pub fadecast: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the run's folder.
    pub run: String,
    /// Kind of the question (`capacity`).
    pub kind: String,
    /// Kind of the model (`hybrid`).
    pub model: String,
    /// Begin of the run, UTC, RFC 3339.
    pub created: String,
    /// Dataset and SHA-256 of its data.
    pub dataset: String,
    /// SHA-256 of the data.
    pub data_sha256: String,
    /// Why it cannot be served, where it cannot: what it would answer is not what was judged.
    pub refused: Option<String>,
    /// What a row must hold, in order: inputs of the model first, then stress that is no input.
    pub inputs: Vec<Input>,
    /// What is answered.
    pub output: Output,
    /// Interval of the answers.
    pub interval: Option<Conformal>,
    /// How rows are made of raw cells.
    pub rows: RowsOf,
    /// SHA-256 of every file that the model is made of, by name below the folder (`trees/01_B0005_seed0.json`).
    pub files: BTreeMap<String, String>,
}

/// How rows are made of raw cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RowsOf {
    /// One row a discharge, of the catalogue before it.
    Discharges {
        /// What counts as SoH 1.
        reference: Reference,
        /// Discharges at the begin of each cell whose capacity is given; 0 where none is.
        given: usize,
        /// Given rows whose median error is taken off a cell's forecast; 0 for none.
        anchor: usize,
    },
    /// One row a cell, of the catalogue of whole cells.
    Cells {
        /// Cycles that the inputs see.
        window: Window,
    },
    /// Ready-made rows of a table; raw cells have none.
    Table,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a manifest of no files.
    pub(crate) fn manifest() -> Manifest {
        Manifest {
            schema: SCHEMA,
            fadecast: env!("CARGO_PKG_VERSION").into(),
            experiment: "sample".into(),
            run: "20260101-000000-00000000".into(),
            kind: "capacity".into(),
            model: "linear".into(),
            created: "2026-01-01T00:00:00Z".into(),
            dataset: "embedded".into(),
            data_sha256: String::new(),
            refused: None,
            inputs: Vec::new(),
            output: Output::Soh { reference_ah: Some(2.0) },
            interval: None,
            rows: RowsOf::Discharges { reference: Reference::Nominal, given: 0, anchor: 0 },
            files: BTreeMap::new(),
        }
    }

    #[test]
    fn a_manifest_reads_back_as_itself_and_refuses_what_it_does_not_know() {
        let text = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest());
        assert!(
            serde_json::from_str::<Manifest>(&text.replace("\"kind\":\"soh\"", "\"kind\":\"soc\"")).is_err()
        );
        assert!(serde_json::from_str::<Manifest>(&text.replace("\"refused\"", "\"refusd\"")).is_err());
    }
}
