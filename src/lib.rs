//! fadecast: raw cycler files to trained, calibrated, exported models of battery ageing.
//!
//! ```text
//! cycler files -> dataset -> descriptor -> prepare -> model -> train -> run folder -> predict
//! ```
//!
//! Modules stand in reading order; a module imports only from those above it (ARCHITECTURE.md).

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

pub mod report;

pub mod cli;
