//! Scores of predictions: plain functions from slices of the same order to one number.

pub mod classification;
pub mod life;
pub mod regression;
