//! Fits the parameters of a law to measured capacities, for one cell or for several that share parameters.
//!
//! Bounded least squares with exact Jacobians (`dual`), several deterministic starts, and standard errors
//! `sqrt(diag(s^2 (J^T J)^-1))` with the residual variance `s^2` over `n - parameters` degrees of freedom.
//!
//! ```
//! use fadecast::cell::CellId;
//! use fadecast::physics::{Law, fit};
//!
//! let count: Vec<f64> = (0..50).map(f64::from).collect();
//! let capacity = count.iter().map(|n| 0.98 * (-1.5e-3 * n).exp()).collect();
//! let series = fit::Series { cell: CellId::new("A"), stress: vec![count], capacity };
//! let fitted = fit::fit(Law::SingleExponential, &series, &fit::FitConfig::default())?;
//! assert!((fitted.theta[1] + 1.5e-3).abs() < 1e-9);
//! # Ok::<(), fit::FitError>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::dual::Dual;
pub use super::error::FitError;
use super::least_squares::{self, Column, Effort, Loss, Model, Reason, Solution};
use super::{Law, Parameter};
use crate::cell::CellId;
use crate::metric::regression::{r2, rmse};

/// Capacity of the dual numbers: no law has more parameters (checked by a test).
const MOST_PARAMETERS: usize = 9;

/// How to fit; parameters are called by the names of [`Law::parameters`].
///
/// | name | default | unit | meaning |
/// |---|---|---|---|
/// | loss | squared | | what a residual costs; others have no standard errors |
/// | starts | 12 | 1 | starting points, the first from the law, the others spread over the bounds |
/// | iterations | 500 | 1 | most accepted steps from one start |
/// | held | none | the parameter's | parameters that are not fitted, with their values |
/// | start | the law's | the parameter's | other first starting values |
/// | `per_cell` | none | | parameters of which every cell has its own, in a shared fit |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitConfig {
    /// What a residual costs.
    pub loss: Loss,
    /// Number of starting points, at least 1.
    pub starts: usize,
    /// Most iterations from one start.
    pub iterations: usize,
    /// Values of parameters that are not fitted, within their bounds.
    pub held: BTreeMap<String, f64>,
    /// First starting values that replace the law's, within their bounds.
    pub start: BTreeMap<String, f64>,
    /// Parameters of which every cell has its own.
    pub per_cell: BTreeSet<String>,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            loss: Loss::Squared,
            starts: 12,
            iterations: 500,
            held: BTreeMap::new(),
            start: BTreeMap::new(),
            per_cell: BTreeSet::new(),
        }
    }
}

/// Measured capacities of one cell with the stress that led to each.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The cell, for errors and for parameters of its own.
    pub cell: CellId,
    /// One column an entry of [`Law::stress`], in its order, of one value a capacity.
    pub stress: Vec<Vec<f64>>,
    /// Capacity as a fraction of the reference [1].
    pub capacity: Vec<f64>,
}

/// Fitted parameters and how well they are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The law.
    pub law: Law,
    /// Parameters in the order of [`Law::parameters`].
    pub theta: Vec<f64>,
    /// Standard error of each; `None` when held, at a bound, not determined by the data, or the loss is robust.
    pub standard_errors: Vec<Option<f64>>,
    /// Root mean square of the residuals [1, fraction of the reference].
    pub rmse: f64,
    /// Coefficient of determination [1]; `None` when all capacities are equal.
    pub r2: Option<f64>,
    /// Number of capacities.
    pub n: usize,
    /// The loss at `theta`: half the sum of squares for the squared loss.
    pub cost: f64,
    /// Why the best start stopped.
    pub reason: Reason,
}

impl Fit {
    /// Returns the capacities [1] for stress columns in the order of [`Law::stress`].
    ///
    /// # Panics
    /// When a column is missing or shorter than the first.
    pub fn predict(&self, stress: &[Vec<f64>]) -> Vec<f64> {
        predict(self.law, &self.theta, stress)
    }
}

/// Parameters fitted to several cells at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedFit {
    /// The fit over all cells; a per-cell parameter is the mean over the cells here and has no standard error.
    pub fit: Fit,
    /// Parameters of each cell, in the order of [`Law::parameters`].
    pub cells: BTreeMap<CellId, Vec<f64>>,
    /// Which parameters each cell has of its own.
    pub per_cell: BTreeSet<String>,
}

impl SharedFit {
    /// Fits the per-cell parameters to the first capacities of a new cell; the shared ones are held.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn adapt(&self, series: &Series, config: &FitConfig) -> Result<Fit, FitError> {
        let own = |p: &Parameter| self.per_cell.contains(p.name);
        let values = self.fit.law.parameters().iter().zip(&self.fit.theta);
        let held = values.filter(|(p, _)| !own(p)).map(|(p, v)| (p.name.to_owned(), *v)).collect();
        fit(self.fit.law, series, &FitConfig { held, per_cell: BTreeSet::new(), ..config.clone() })
    }
}

/// Fits `law` to one cell; `per_cell` has no effect.
///
/// # Errors
/// [`FitError::UnknownParameter`], [`FitError::OutOfBounds`] and [`FitError::LossScale`] for a bad config,
/// [`FitError::Columns`], [`FitError::NonFinite`] and [`FitError::TooFewPoints`] for bad data,
/// [`FitError::NoFiniteStart`] when the law cannot be computed on it.
pub fn fit(law: Law, series: &Series, config: &FitConfig) -> Result<Fit, FitError> {
    let config = FitConfig { per_cell: BTreeSet::new(), ..config.clone() };
    fit_shared(law, std::slice::from_ref(series), &config).map(|shared| shared.fit)
}

/// Fits `law` to each cell by itself, in the order of `series`.
pub fn fit_many(law: Law, series: &[Series], config: &FitConfig) -> Vec<Result<Fit, FitError>> {
    series.iter().map(|s| fit(law, s, config)).collect()
}

/// Fits `law` to all cells at once; parameters in `per_cell` are each cell's own, the others are shared.
///
/// # Errors
/// As [`fit`].
pub fn fit_shared(law: Law, series: &[Series], config: &FitConfig) -> Result<SharedFit, FitError> {
    check_config(law, config)?;
    series.iter().try_for_each(|s| check_series(law, s))?;
    let problem = Problem::new(law, series, config);
    let points = series.iter().map(|s| s.capacity.len()).sum();
    if points < problem.columns.len().max(1) {
        let parameters = problem.columns.len();
        return Err(FitError::TooFewPoints { law, parameters, cells: cell_names(series), points });
    }
    let effort = Effort { loss: config.loss, starts: config.starts, iterations: config.iterations };
    let solution = least_squares::solve(&problem, &problem.columns, effort);
    let solution = solution.ok_or_else(|| FitError::NoFiniteStart {
        law,
        cells: cell_names(series),
        starts: config.starts,
        expected: stress_names(law),
    })?;
    Ok(problem.shared_fit(&solution, config))
}

/// Where the value of a parameter of a cell comes from.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Held(f64),
    Column(usize),
}

/// A law over all cells as a function of the free parameters.
struct Problem<'a> {
    law: Law,
    series: &'a [Series],
    /// One row a cell, one slot a parameter.
    slots: Vec<Vec<Slot>>,
    columns: Vec<Column>,
}

impl<'a> Problem<'a> {
    fn new(law: Law, series: &'a [Series], config: &FitConfig) -> Self {
        let mut columns = Vec::new();
        let mut slots = vec![Vec::new(); series.len()];
        for p in law.parameters() {
            let start = config.start.get(p.name).copied().unwrap_or(p.start);
            let column = Column { lower: p.lower, upper: p.upper, start };
            for (position, row) in slots.iter_mut().enumerate() {
                row.push(match config.held.get(p.name) {
                    Some(&value) => Slot::Held(value),
                    None if position > 0 && !config.per_cell.contains(p.name) => {
                        Slot::Column(columns.len() - 1)
                    }
                    None => {
                        columns.push(column);
                        Slot::Column(columns.len() - 1)
                    }
                });
            }
        }
        Self { law, series, slots, columns }
    }

    fn theta(&self, cell: usize, x: &[f64]) -> Vec<f64> {
        let value = |slot: &Slot| match *slot {
            Slot::Held(value) => value,
            Slot::Column(column) => x[column],
        };
        self.slots[cell].iter().map(value).collect()
    }

    fn predicted(&self, x: &[f64]) -> Vec<f64> {
        let cell = |(i, s): (usize, &Series)| predict(self.law, &self.theta(i, x), &s.stress);
        self.series.iter().enumerate().flat_map(cell).collect()
    }

    fn measured(&self) -> Vec<f64> {
        self.series.iter().flat_map(|s| s.capacity.iter().copied()).collect()
    }

    fn shared_fit(&self, solution: &Solution, config: &FitConfig) -> SharedFit {
        let thetas: Vec<Vec<f64>> = (0..self.series.len()).map(|i| self.theta(i, &solution.x)).collect();
        let mean = |p: usize| thetas.iter().map(|t| t[p]).sum::<f64>() / thetas.len() as f64;
        let (measured, predicted) = (self.measured(), self.predicted(&solution.x));
        let fit = Fit {
            law: self.law,
            theta: (0..self.law.parameters().len()).map(mean).collect(),
            standard_errors: self.standard_errors(&solution.x, config),
            rmse: rmse(&measured, &predicted).unwrap_or(f64::NAN),
            r2: r2(&measured, &predicted).ok(),
            n: measured.len(),
            cost: solution.cost,
            reason: solution.reason,
        };
        let cells = self.series.iter().map(|s| s.cell.clone()).zip(thetas).collect();
        SharedFit { fit, cells, per_cell: config.per_cell.clone() }
    }

    fn standard_errors(&self, x: &[f64], config: &FitConfig) -> Vec<Option<f64>> {
        if config.loss != Loss::Squared {
            return vec![None; self.law.parameters().len()];
        }
        let errors = least_squares::standard_errors(self, &self.columns, x);
        let error = |(slot, p): (&Slot, &Parameter)| match *slot {
            Slot::Column(column) if !config.per_cell.contains(p.name) => errors[column],
            _ => None,
        };
        self.slots[0].iter().zip(self.law.parameters()).map(error).collect()
    }
}

impl Model for Problem<'_> {
    fn residuals(&self, x: &[f64]) -> Vec<f64> {
        self.predicted(x).into_iter().zip(self.measured()).map(|(p, m)| p - m).collect()
    }

    fn jacobian(&self, x: &[f64]) -> Vec<f64> {
        let mut entries = Vec::new();
        for (cell, series) in self.series.iter().enumerate() {
            let theta: Vec<Dual<MOST_PARAMETERS>> =
                self.theta(cell, x).into_iter().enumerate().map(|(p, v)| Dual::variable(v, p)).collect();
            for sample in 0..series.capacity.len() {
                let stress: Vec<_> = series.stress.iter().map(|c| Dual::constant(c[sample])).collect();
                let gradient = self.law.capacity(&theta, &stress).gradient;
                let row = entries.len();
                entries.resize(row + self.columns.len(), 0.0);
                for (slot, derivative) in self.slots[cell].iter().zip(gradient) {
                    if let Slot::Column(column) = *slot {
                        entries[row + column] = derivative;
                    }
                }
            }
        }
        entries
    }
}

fn predict(law: Law, theta: &[f64], stress: &[Vec<f64>]) -> Vec<f64> {
    let row = |sample: usize| -> Vec<f64> { stress.iter().map(|column| column[sample]).collect() };
    (0..stress.first().map_or(0, Vec::len)).map(|sample| law.capacity(theta, &row(sample))).collect()
}

fn check_config(law: Law, config: &FitConfig) -> Result<(), FitError> {
    let names = config.held.keys().chain(config.start.keys()).chain(&config.per_cell);
    for name in names {
        parameter(law, name)?;
    }
    for (name, &value) in config.held.iter().chain(&config.start) {
        let Parameter { lower, upper, .. } = *parameter(law, name)?;
        if !(lower..=upper).contains(&value) {
            return Err(FitError::OutOfBounds { law, name: name.clone(), value, lower, upper });
        }
    }
    let scale = config.loss.scale();
    if scale.is_finite() && scale > 0.0 { Ok(()) } else { Err(FitError::LossScale { scale }) }
}

fn parameter(law: Law, name: &str) -> Result<&'static Parameter, FitError> {
    law.parameters().iter().find(|p| p.name == name).ok_or_else(|| {
        let known: Vec<&str> = law.parameters().iter().map(|p| p.name).collect();
        FitError::UnknownParameter { law, name: name.to_owned(), known: known.join(", ") }
    })
}

fn check_series(law: Law, series: &Series) -> Result<(), FitError> {
    let points = series.capacity.len();
    let found: Vec<usize> = series.stress.iter().map(Vec::len).collect();
    if found.len() != law.stress().len() || found.iter().any(|&n| n != points) {
        let (cell, expected) = (series.cell.clone(), stress_names(law));
        return Err(FitError::Columns { cell, law, expected, points, found });
    }
    let columns = law.stress().iter().map(|s| s.name).zip(&series.stress);
    for (column, values) in columns.chain([("capacity", &series.capacity)]) {
        if let Some(position) = values.iter().position(|v| !v.is_finite()) {
            return Err(FitError::NonFinite { cell: series.cell.clone(), column, position });
        }
    }
    Ok(())
}

fn stress_names(law: Law) -> String {
    let names: Vec<String> = law.stress().iter().map(|s| format!("`{}`", s.name)).collect();
    names.join(", ")
}

fn cell_names(series: &[Series]) -> String {
    let names: Vec<String> = series.iter().map(|s| format!("`{}`", s.cell)).collect();
    if names.is_empty() { "no cell".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{NOMINAL_AH, capacities, count, full_cycles, series};
    use super::*;
    use proptest::prelude::*;

    const CELLS: [&str; 4] = ["B0005", "B0006", "B0007", "B0018"];

    /// A fit by scipy (tests/fixtures/PROVENANCE.md): parameters, standard errors, half sum of squares.
    struct Golden {
        law: Law,
        series: Series,
        theta: &'static [f64],
        errors: &'static [f64],
        cost: f64,
    }

    fn goldens() -> [Golden; 4] {
        let by_count =
            |law, theta, errors, cost| Golden { law, series: series("B0005", count), theta, errors, cost };
        [
            by_count(
                Law::SingleExponential,
                &[0.958_162_846_843_084_4, -0.002_452_249_591_851_104_7],
                &[0.002_642_440_082_130_431_6, 3.190_494_611_675_935e-5],
                0.020_237_963_950_750_22,
            ),
            by_count(
                Law::DoubleExponential,
                &[
                    0.986_835_446_107_469_3,
                    -0.002_718_955_133_672_903_4,
                    -0.079_143_496_009_604_4,
                    -0.069_340_150_822_919_24,
                ],
                &[
                    0.005_045_631_825_828_847,
                    4.576_066_775_513_942e-5,
                    0.006_413_969_956_062_968,
                    0.012_162_115_717_273_339,
                ],
                0.010_460_572_341_630_574,
            ),
            by_count(
                Law::Line,
                &[0.947_682_187_026_654_6, -0.001_933_307_244_200_933_1],
                &[0.002_290_095_235_914_704, 2.371_638_704_987_236e-5],
                0.018_446_176_617_909_153,
            ),
            Golden {
                law: Law::SqrtLinear,
                series: series("B0006", full_cycles),
                theta: &[1.038_577_241_223_296_8, 0.009_372_818_930_395_661, 0.002_558_511_955_471_213_3],
                errors: &[0.008_674_587_223_621_784, 0.002_449_136_534_469_382, 0.000_196_541_725_433_535_05],
                cost: 0.027_643_685_659_679_968,
            },
        ]
    }

    #[track_caller]
    fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "found {found}, expected {expected}");
    }

    #[test]
    fn parameters_errors_and_loss_agree_with_scipy() {
        for golden in goldens() {
            let fitted = fit(golden.law, &golden.series, &FitConfig::default()).unwrap();
            assert!(fitted.reason.is_converged(), "{}: {:?}", golden.law, fitted.reason);
            assert_close(fitted.cost, golden.cost, 1e-9);
            for (position, &expected) in golden.theta.iter().enumerate() {
                assert_close(fitted.theta[position], expected, 2e-5);
                assert_close(fitted.standard_errors[position].unwrap(), golden.errors[position], 1e-4);
            }
        }
    }

    /// The sum has several minima; expected is the least of 60 random starts with scipy within the same bounds.
    #[test]
    fn the_double_exponential_finds_the_lowest_minimum_of_each_cell() {
        let least =
            [0.010_460_572_341_630, 0.025_008_717_757_642, 0.008_757_328_406_437, 0.014_716_544_535_254];
        for (cell, least) in CELLS.into_iter().zip(least) {
            let fitted = fit(Law::DoubleExponential, &series(cell, count), &FitConfig::default()).unwrap();
            assert!(fitted.cost <= least * (1.0 + 1e-6), "{cell}: {fitted:?}");
        }
    }

    #[test]
    fn a_parameter_at_its_bound_has_no_standard_error_and_the_others_do() {
        let fitted = fit(Law::SqrtLinear, &series("B0005", full_cycles), &FitConfig::default()).unwrap();
        assert_close(fitted.cost, 0.020_220_884_379_406_272, 1e-6);
        assert!(fitted.theta[1] < 1e-6, "{}", fitted.theta[1]);
        assert_eq!(fitted.standard_errors[1], None);
        assert!(fitted.standard_errors[0].is_some() && fitted.standard_errors[2].is_some());
    }

    #[test]
    fn huber_loss_agrees_with_scipy_and_has_no_standard_errors() {
        let config = FitConfig { loss: Loss::Huber { scale: 0.01 }, ..FitConfig::default() };
        let fitted = fit(Law::SingleExponential, &series("B0005", count), &config).unwrap();
        assert_close(fitted.theta[0], 0.965_744_288_586_505_4, 1e-6);
        assert_close(fitted.theta[1], -0.002_544_744_727_899_029, 1e-6);
        assert_close(fitted.cost, 0.013_336_371_275_772_987, 1e-9);
        assert_eq!(fitted.standard_errors, [None, None]);
    }

    #[test]
    fn bacon_watts_is_at_least_as_good_as_scipy_from_one_start() {
        let config = FitConfig { held: BTreeMap::from([("g".to_owned(), 10.0)]), ..FitConfig::default() };
        let fitted = fit(Law::BaconWatts, &series("B0005", count), &config).unwrap();
        assert!(fitted.cost <= 0.015_206_498_612_823_544 * (1.0 + 1e-9), "{}", fitted.cost);
        assert_eq!((fitted.theta[4], fitted.standard_errors[4]), (10.0, None));
    }

    fn shared() -> SharedFit {
        let config = FitConfig { per_cell: BTreeSet::from(["a".to_owned()]), ..FitConfig::default() };
        fit_shared(Law::SingleExponential, &CELLS.map(|c| series(c, count)), &config).unwrap()
    }

    #[test]
    fn one_rate_for_four_cells_agrees_with_scipy() {
        let shared = shared();
        let sizes = [
            0.965_829_309_036_181_9,
            0.954_877_162_763_603_2,
            1.007_214_030_888_620_2,
            0.916_767_383_676_226_3,
        ];
        for (cell, size) in CELLS.into_iter().zip(sizes) {
            assert_close(shared.cells[&CellId::new(cell)][0], size, 1e-6);
        }
        assert_close(shared.fit.theta[1], -0.002_563_376_641_609_740_6, 1e-6);
        assert_close(shared.fit.standard_errors[1].unwrap(), 2.694_837_826_152_26e-5, 1e-5);
        assert_close(shared.fit.cost, 0.193_973_636_701_905_93, 1e-9);
        assert_eq!((shared.fit.standard_errors[0], shared.fit.n), (None, 636));
    }

    /// For a held rate the size is linear: sum(y e) / sum(e^2).
    #[test]
    fn a_new_cell_keeps_the_shared_rate_and_gets_its_own_size() {
        let shared = shared();
        let first = Series {
            cell: CellId::new("new"),
            stress: vec![vec![0.0, 10.0, 20.0]],
            capacity: vec![0.9, 0.87, 0.86],
        };
        let adapted = shared.adapt(&first, &FitConfig::default()).unwrap();
        let decay: Vec<f64> = first.stress[0].iter().map(|n| (shared.fit.theta[1] * n).exp()).collect();
        let product: f64 = decay.iter().zip(&first.capacity).map(|(e, y)| e * y).sum();
        assert_close(adapted.theta[0], product / decay.iter().map(|e| e * e).sum::<f64>(), 1e-9);
        assert_eq!(adapted.theta[1].to_bits(), shared.fit.theta[1].to_bits());
    }

    /// The mean over the cells of the RMSE [Ah] on the last fifth, fitted to the rest.
    #[test]
    fn exponential_forecast_of_the_nasa_cells_scores_as_with_scipy() {
        let score = |cell: &str| {
            let all = series(cell, count);
            let split = all.capacity.len() * 8 / 10;
            let known = Series {
                cell: all.cell.clone(),
                stress: vec![all.stress[0][..split].to_vec()],
                capacity: all.capacity[..split].to_vec(),
            };
            let fitted = fit(Law::SingleExponential, &known, &FitConfig::default()).unwrap();
            let forecast = fitted.predict(&[all.stress[0][split..].to_vec()]);
            NOMINAL_AH * rmse(&all.capacity[split..], &forecast).unwrap()
        };
        let mean = CELLS.iter().map(|c| score(c)).sum::<f64>() / 4.0;
        assert_close(mean, 0.037_408_624_933_437_87, 1e-6);
    }

    /// Stress that varies enough to tell the exponents apart.
    fn varied_stress() -> Vec<Vec<f64>> {
        let samples = 0..60;
        let column = |f: fn(f64) -> f64| samples.clone().map(|i| f(f64::from(i))).collect();
        vec![
            column(|i| 5.0 * i),
            column(|i| 7_200.0 + 1_800.0 * (i % 5.0)),
            column(|i| 15.0 + 10.0 * (i % 3.0)),
            column(|i| 0.4 + 0.15 * (i % 4.0)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn stress_exponents_are_recovered_from_exact_data(
            c0 in 0.8_f64..1.1, k in 5e-4_f64..3e-3, p in 0.1_f64..2.0, energy in 5e3_f64..6e4, m in 0.2_f64..2.5,
        ) {
            let (theta, stress) = ([c0, k, p, energy, m], varied_stress());
            let capacity = predict(Law::Exponential, &theta, &stress);
            let series = Series { cell: CellId::new("made"), stress, capacity };
            let fitted = fit(Law::Exponential, &series, &FitConfig::default()).unwrap();
            prop_assert!(fitted.rmse < 1e-8, "{fitted:?}");
            for (found, expected) in fitted.theta.iter().zip(theta) {
                prop_assert!((found - expected).abs() < 1e-4 * expected, "{found} for {expected}");
            }
        }

        /// Exactness of every Jacobian that a fit uses, at the start values moved by up to a tenth.
        #[test]
        fn the_gradient_of_every_law_agrees_with_central_differences(move_by in -0.1_f64..0.1, n in 1.0_f64..200.0) {
            for law in Law::ALL {
                let theta: Vec<f64> = law.start().iter().map(|v| v * (1.0 + 0.3 * move_by)).collect();
                let stress: Vec<f64> = law.stress().iter().map(|s| match s.unit {
                    "s" => 1e4,
                    "degC" => 30.0,
                    _ if s.name.starts_with("history") => n,
                    _ => 0.6,
                }).collect();
                let dual_theta: Vec<Dual<MOST_PARAMETERS>> =
                    theta.iter().enumerate().map(|(i, &v)| Dual::variable(v, i)).collect();
                let dual_stress: Vec<_> = stress.iter().map(|&v| Dual::constant(v)).collect();
                let dual = law.capacity(&dual_theta, &dual_stress);
                for i in 0..theta.len() {
                    let at = |sign: f64| {
                        let mut moved = theta.clone();
                        moved[i] *= 1.0 + sign * 1e-6;
                        law.capacity(&moved, &stress)
                    };
                    let difference = (at(1.0) - at(-1.0)) / 2e-6;
                    let exact = dual.gradient[i] * theta[i];
                    prop_assert!((exact - difference).abs() < 1e-7 + 1e-5 * exact.abs(), "{law} {i}: {exact} {difference}");
                }
            }
        }
    }

    #[test]
    fn a_stress_that_does_not_vary_leaves_no_standard_error() {
        let mut stress = varied_stress();
        stress[2].fill(35.0);
        let capacity = predict(Law::Exponential, &[1.0, 1e-3, 0.5, 3e4, 1.0], &stress);
        let noisy = capacity.iter().enumerate().map(|(i, c)| c + 1e-3 * ((i * 7 % 5) as f64 - 2.0)).collect();
        let series = Series { cell: CellId::new("made"), stress, capacity: noisy };
        let fitted = fit(Law::Exponential, &series, &FitConfig::default()).unwrap();
        assert_eq!(fitted.standard_errors[3], None, "{fitted:?}");
    }

    #[test]
    fn xu_is_fitted_with_the_depth_constants_held() {
        let held = ["k_d1", "k_d2", "k_d3", "k_s", "k_T"];
        let held = Law::Xu2018.parameters().iter().filter(|p| held.contains(&p.name));
        let config =
            FitConfig { held: held.map(|p| (p.name.to_owned(), p.start)).collect(), ..FitConfig::default() };
        let steps: Vec<f64> = (0..80).map(|i| 25.0 * f64::from(i)).collect();
        let constant = |value: f64| vec![value; 80];
        let seconds = steps.iter().map(|n| (1.0 - (n / 2500.0)) * 2e4 * n).collect();
        let stress = vec![steps, seconds, constant(0.8), constant(0.5), constant(30.0)];
        let mut theta = Law::Xu2018.start();
        (theta[0], theta[1], theta[2], theta[8]) = (0.98, 0.04, 200.0, 1e-9);
        let capacity = predict(Law::Xu2018, &theta, &stress);
        let series = Series { cell: CellId::new("made"), stress, capacity };
        let fitted = fit(Law::Xu2018, &series, &config).unwrap();
        for (found, expected) in fitted.theta.iter().zip(theta) {
            assert_close(*found, expected, 1e-4);
        }
    }

    #[test]
    fn errors_say_which_law_cell_column_and_parameter() {
        let good = series("B0005", count);
        let law = Law::DoubleExponential;
        let short = Series { stress: vec![vec![0.0; 3]], capacity: vec![1.0; 3], ..good.clone() };
        let mut gap = good.clone();
        gap.capacity[7] = f64::NAN;
        let bare = Series { stress: vec![], ..good.clone() };
        let with = |name: &str, value| FitConfig {
            held: BTreeMap::from([(name.to_owned(), value)]),
            ..FitConfig::default()
        };
        let loss = FitConfig { loss: Loss::Cauchy { scale: 0.0 }, ..FitConfig::default() };
        let cases = [
            (
                fit(law, &short, &FitConfig::default()),
                "law `double_exponential` has 4 free parameters and `B0005` only 3",
            ),
            (fit(law, &gap, &FitConfig::default()), "cell `B0005`: `capacity` is not finite at position 7"),
            (
                fit(law, &bare, &FitConfig::default()),
                "`history_cycle_count` of 168 values each, found lengths []",
            ),
            (fit(law, &good, &with("e", 1.0)), "no parameter `e`: it has a, b, c, d"),
            (fit(law, &good, &with("b", 7.0)), "`b` = 7 is outside -0.1 to 0.01"),
            (fit(law, &good, &loss), "scale of the loss is 0"),
        ];
        for (result, part) in cases {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_charge_of_no_duration_is_an_error_not_a_fit() {
        let mut stress = varied_stress();
        stress[1].fill(0.0);
        let series = Series { cell: CellId::new("A"), capacity: vec![1.0; 60], stress };
        let error = fit(Law::Exponential, &series, &FitConfig::default()).unwrap_err();
        assert!(matches!(error, FitError::NoFiniteStart { .. }), "{error}");
    }

    #[test]
    fn no_law_has_more_parameters_than_a_dual_number_holds() {
        assert!(Law::ALL.iter().all(|law| law.parameters().len() <= MOST_PARAMETERS));
    }

    #[test]
    fn every_cell_is_fitted_by_itself_in_order_and_a_fit_survives_json() {
        let fits = fit_many(Law::Line, &CELLS.map(|c| series(c, count)), &FitConfig::default());
        assert_eq!(fits.len(), capacities().len());
        let first = fits[0].clone().unwrap();
        let text = serde_json::to_string(&first).unwrap();
        assert_eq!(serde_json::from_str::<Fit>(&text).unwrap(), first);
    }

    #[test]
    fn a_typo_in_a_config_is_refused() {
        assert!(toml::from_str::<FitConfig>("startz = 3").is_err());
        let config: FitConfig =
            toml::from_str("per_cell = ['C0']\n[loss]\nkind = 'huber'\nscale = 0.01").unwrap();
        assert_eq!(config.loss, Loss::Huber { scale: 0.01 });
    }
}
