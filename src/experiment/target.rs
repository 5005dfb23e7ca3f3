//! Synthetic targets: capacities of a known law in the place of measured ones.
//!
//! A proof of concept: where the answer is known, a fit must find the law's parameters, and no model can be better
//! than the noise. The stress is that of the data's own rows; a row whose stress is missing gets the median of all.

use rand_distr::{Distribution, StandardNormal};

use super::config::{ExperimentConfig, TargetConfig};
use crate::prepare::{Frame, Scaler};
use crate::seed::Seed;

/// Replaces the capacities of the frame where the experiment asks for synthetic ones.
pub(super) fn apply(config: &ExperimentConfig, frame: &mut Frame) {
    let TargetConfig::Synthetic { law, parameters, noise } = &config.target else { return };
    let value = |p: &crate::physics::Parameter| parameters.get(p.name).copied().unwrap_or(p.start);
    let theta: Vec<f64> = law.parameters().iter().map(value).collect();
    let rows: Vec<usize> = (0..frame.rows.len()).collect();
    let names: Vec<&str> = law.stress().iter().map(|s| s.name).collect();
    let stress = frame.stress_of(&names, &rows);
    let columns: Vec<Vec<f64>> =
        (0..names.len()).map(|c| stress.iter().map(|row| row[c]).collect()).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let median = Scaler::fit(&slices, &rows).median;
    let mut rng = Seed::new(config.seed).stream("target/noise");
    for (row, stress) in frame.rows.iter_mut().zip(stress) {
        let known = stress.iter().zip(&median);
        let stress: Vec<f64> = known.map(|(&v, &m)| if v.is_finite() { v } else { m }).collect();
        let draw: f64 = StandardNormal.sample(&mut rng);
        row.label = law.capacity(&theta, &stress) + noise * draw;
        row.truth = row.label * frame.cells[row.cell_idx].reference_ah;
    }
}
