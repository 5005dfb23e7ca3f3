//! A pipeline computed fast: the kernels of training for networks, plain nodes for trees, nothing allocated a row.
//!
//! Rows are scored in blocks that stay in the cache, many rows in chunks side by side on threads. A row's answer is the
//! same whatever rows it is asked with and however many threads there are, and of networks it has the bits that
//! evaluation saw before the mean over parts is taken.

mod check;
mod part;

use std::cell::RefCell;

use rayon::prelude::*;

use super::Pipeline;
use crate::model::ModelError;
use crate::model::trees::TreesError;
use crate::train::engine::Block;
use part::{Part, Workspace};

/// Rows that one thread takes at once; fewer are scored by the caller's thread.
const CHUNK_ROWS: usize = 16 * Block::ROWS;

thread_local! {
    /// Buffers of a thread, which grow to the largest pipeline that it has scored.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// A pipeline whose answers are wanted quickly, from any thread.
#[derive(Debug)]
pub struct Scorer {
    n_inputs: usize,
    width: usize,
    parts: Vec<Part>,
}

/// A pipeline that cannot be computed: its parts contradict themselves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// Occurs when there is nothing to compute, or nothing to compute it from.
    #[error("the pipeline has {n_parts} parts and {n_inputs} inputs: it needs one of each or more")]
    Empty {
        /// Number of parts.
        n_parts: usize,
        /// Number of inputs.
        n_inputs: usize,
    },
    /// Occurs when a part has more or fewer numbers than its shapes say.
    #[error("part `{fold}` has {found} {what} in place of {needed}: its run is damaged, train it again")]
    Shape {
        /// Fold of the part.
        fold: String,
        /// What is counted.
        what: &'static str,
        /// Number found.
        found: usize,
        /// Number that fits the rest.
        needed: usize,
    },
    /// Occurs when a part reads an input that there is not.
    #[error("part `{fold}` reads input {column} of {n_inputs}: its run is damaged, train it again")]
    Column {
        /// Fold of the part.
        fold: String,
        /// Position asked for.
        column: usize,
        /// Number of inputs.
        n_inputs: usize,
    },
    /// Occurs when the shapes of networks are impossible.
    #[error("part `{fold}`")]
    Network {
        /// Fold of the part.
        fold: String,
        /// What is wrong.
        source: ModelError,
    },
    /// Occurs when trees cannot be told as plain nodes.
    #[error("part `{fold}`")]
    Trees {
        /// Fold of the part.
        fold: String,
        /// What is wrong.
        source: TreesError,
    },
}

impl Scorer {
    /// Returns the scorer of a pipeline.
    ///
    /// # Errors
    /// Every variant of [`ScorerError`]; a pipeline of a run that this program has written has none.
    pub fn new(pipeline: &Pipeline) -> Result<Self, ScorerError> {
        check::check(pipeline)?;
        let mut parts = pipeline.parts.iter().map(Part::new).collect::<Result<Vec<_>, _>>()?;
        part::share_inputs(&mut parts);
        Ok(Self { n_inputs: pipeline.inputs.len(), width: pipeline.width(), parts })
    }

    /// Returns the number of inputs of a row.
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// Returns the number of numbers of a label: 1, or the number of tiers.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Computes the labels of rows, or the probabilities of all tiers; what `labels` held is lost.
    ///
    /// # Shapes
    /// `rows` `[row, input]` in the inputs' units, what is not finite is missing; `labels` `[row, width]`.
    ///
    /// # Panics
    /// When `rows` is not of whole rows.
    pub fn score(&self, rows: &[f64], labels: &mut Vec<f64>) {
        assert!(rows.len().is_multiple_of(self.n_inputs), "whole rows of {} numbers", self.n_inputs);
        labels.clear();
        labels.resize(rows.len() / self.n_inputs * self.width, 0.0);
        if labels.len() <= CHUNK_ROWS * self.width {
            return self.chunk(rows, labels);
        }
        let rows = rows.par_chunks(CHUNK_ROWS * self.n_inputs);
        let labels = labels.par_chunks_mut(CHUNK_ROWS * self.width);
        rows.zip(labels).for_each(|(rows, labels)| self.chunk(rows, labels));
    }

    /// Adds the labels of some rows to zeros.
    fn chunk(&self, rows: &[f64], labels: &mut [f64]) {
        let blocks = rows.chunks(Block::ROWS * self.n_inputs);
        let blocks = blocks.zip(labels.chunks_mut(Block::ROWS * self.width));
        WORKSPACE.with_borrow_mut(|work| {
            for (rows, labels) in blocks {
                for part in &self.parts {
                    part.add((rows, self.n_inputs), (labels, self.width), work);
                }
                let n = self.parts.len() as f64;
                for label in labels.iter_mut() {
                    *label /= n;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
