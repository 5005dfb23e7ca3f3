//! fadecast: raw cycler files to trained, calibrated, exported models of battery ageing.
//!
//! ```text
//! cycler files -> dataset -> descriptor -> prepare -> model -> train -> run folder -> pipeline -> answers
//! ```
//!
//! The program's verbs from Rust:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! use fadecast::{Format, RowBatch, Settings};
//!
//! let text = "cells = ['SIM-NMC-0*']\ntrain = { epochs = 5 }\nmodel = { kind = 'hybrid' }";
//! let outcome = fadecast::train(root, "first", &fadecast::experiment(text)?)?;
//! println!("RMSE {:.4} {}, beside {:?}", outcome.metrics["rmse"].mean, outcome.unit, outcome.baselines);
//! let model = fadecast::load(root, "first")?;
//! let row = model.pipeline().inputs.iter().map(|i| (i.name.clone(), vec![i.range[0]])).collect();
//! let answers = model.answer(&RowBatch { n_rows: 1, numbers: row, texts: vec![] }, &Settings::default())?;
//! println!("{:?}", answers.columns); // soh, soh_lower, soh_upper, discharging_capacity_ah, ...
//! fadecast::export(root, "first", Format::Onnx, &root.join("first"))?;
//! # assert!(root.join("first.onnx").exists() && answers.columns[0].name == "soh");
//! # Ok(())
//! # }
//! ```
//!
//! What stands at this root (functions and re-exports) follows semantic versions; modules may change with a minor version
//! before 1.0. Modules stand in reading order; a module imports only from those above it (ARCHITECTURE.md).

#![recursion_limit = "256"]
#![cfg_attr(test, expect(clippy::float_cmp, reason = "tests compare exact values: zeros, bounds, copies"))]

pub mod device;
pub mod file;
pub mod seed;
pub mod signal;
pub mod tuner;
pub mod units;

pub mod cell;
pub mod metric;
pub mod physics;

pub mod dataset;
pub mod simulate;

pub mod descriptor;
pub mod prepare;

pub mod model;
pub mod train;
pub mod uq;

pub mod pipeline;

pub mod experiment;

pub mod registry;

pub mod export;

pub mod predict;

pub mod serve;

mod facade;

pub mod report;

pub mod cli;

pub use dataset::rows::RowBatch;
pub use experiment::{ExperimentConfig, Outcome};
pub use export::Format;
pub use facade::{Error, experiment, export, load, train};
pub use pipeline::Pipeline;
pub use predict::{Answers, Predictor, Settings};
