//! Tiers: classes of cells, by quantiles or thresholds of one number or by k-means on several, from training cells only.
//!
//! | kind | tier of a cell |
//! |---|---|
//! | `quantile` | how many cuts its value is above; the cuts are the quantiles 1/n, 2/n, ... of the training cells, linear between ranks |
//! | `threshold` | how many of the given cuts its value is above |
//! | `kmeans` | the nearest centroid of the standardised targets; centroids in the order of their first target |
//!
//! "Above" is `value > cut`: a value that equals a cut is in the lower tier. Tier 0 is the worst, so the (first) target must
//! be better when larger, as a life is. Names run the other way: the best tier is A.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::seed::Seed;

/// Most tiers: the letters.
const MAX_TIERS: usize = 26;
/// Restarts of k-means, of which the tightest counts.
const RESTARTS: usize = 20;
/// Most steps of one start of k-means; it ends when no cell moves.
const STEPS: usize = 300;

/// How tiers are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TierConfig {
    /// Equal shares of the training cells.
    Quantile {
        /// Number of tiers, 2-26.
        n: usize,
    },
    /// Fixed cuts.
    Threshold {
        /// Cuts in the target's unit, ascending, 1-25.
        cuts: Vec<f64>,
    },
    /// Clusters of several targets.
    Kmeans {
        /// Number of tiers, 2-26.
        n: usize,
        /// Names of the targets; the first orders the tiers.
        targets: Vec<String>,
    },
}

/// Tiers as fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tiers {
    /// By cuts of one target.
    Cuts {
        /// Cuts in the target's unit, ascending.
        cuts: Vec<f64>,
    },
    /// By the nearest of centroids.
    Centroids {
        /// Mean of each target over the training cells.
        mean: Vec<f64>,
        /// Standard deviation of each target (divisor n); 1 for a constant one.
        sd: Vec<f64>,
        /// Standardised centroids, `[tier][target]`.
        centroids: Vec<Vec<f64>>,
    },
}

/// Why there are no tiers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TierError {
    /// Occurs when the number of tiers is out of range.
    #[error("{n} tiers: give 2 to 26")]
    Number {
        /// Number asked for.
        n: usize,
    },
    /// Occurs when cuts do not ascend or are not finite.
    #[error("tier cuts {cuts:?} must be finite and ascend")]
    Cuts {
        /// Cuts given.
        cuts: Vec<f64>,
    },
    /// Occurs when a cell does not have one value for each target.
    #[error("cell at position {position} has {found} target values, the tiers need {needed}")]
    Targets {
        /// Position of the cell.
        position: usize,
        /// Values it has.
        found: usize,
        /// Values needed.
        needed: usize,
    },
    /// Occurs when a target is NaN or infinite.
    #[error("target of the cell at position {position} is not finite: leave the cell out")]
    NonFinite {
        /// Position of the cell.
        position: usize,
    },
    /// Occurs when there are fewer different training cells than tiers.
    #[error("{found} different values among the training cells cannot make {n} tiers: ask for fewer")]
    FewValues {
        /// Different values.
        found: usize,
        /// Tiers asked for.
        n: usize,
    },
    /// Occurs when no training cell falls into a tier.
    #[error("tier {name} has no training cell: ask for fewer tiers or other cuts")]
    EmptyTier {
        /// Name of the tier.
        name: String,
    },
}

impl TierConfig {
    /// Returns the number of tiers.
    pub fn n(&self) -> usize {
        match self {
            Self::Quantile { n } | Self::Kmeans { n, .. } => *n,
            Self::Threshold { cuts } => cuts.len() + 1,
        }
    }

    /// Returns the number of targets of a cell.
    pub fn n_targets(&self) -> usize {
        if let Self::Kmeans { targets, .. } = self { targets.len() } else { 1 }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`TierError::Number`], [`TierError::Cuts`], and [`TierError::Targets`] for k-means without targets.
    pub fn check(&self) -> Result<(), TierError> {
        if !(2..=MAX_TIERS).contains(&self.n()) {
            return Err(TierError::Number { n: self.n() });
        }
        if self.n_targets() == 0 {
            return Err(TierError::Targets { position: 0, found: 0, needed: 1 });
        }
        match self {
            Self::Threshold { cuts } if !ascends(cuts) => Err(TierError::Cuts { cuts: cuts.clone() }),
            _ => Ok(()),
        }
    }
}

impl Tiers {
    /// Fits tiers to the targets of the training cells, `[cell][target]`; only k-means draws from `seed`.
    ///
    /// # Errors
    /// Every variant of [`TierError`].
    pub fn fit(config: &TierConfig, training: &[Vec<f64>], seed: &Seed) -> Result<Self, TierError> {
        config.check()?;
        for (position, cell) in training.iter().enumerate() {
            check_cell(position, cell, config.n_targets())?;
        }
        let (found, n) = (n_distinct(training), config.n());
        if found < n {
            return Err(TierError::FewValues { found, n });
        }
        let tiers = match config {
            TierConfig::Quantile { n } => Self::Cuts { cuts: quantiles(training, *n) },
            TierConfig::Threshold { cuts } => Self::Cuts { cuts: cuts.clone() },
            TierConfig::Kmeans { n, .. } => clusters(training, *n, seed),
        };
        let mut counts = vec![0; n];
        for cell in training {
            counts[tiers.place(cell)] += 1;
        }
        match counts.iter().position(|&count| count == 0) {
            Some(empty) => Err(TierError::EmptyTier { name: tiers.name(empty) }),
            None => Ok(tiers),
        }
    }

    /// Returns the number of tiers.
    pub fn n(&self) -> usize {
        match self {
            Self::Cuts { cuts } => cuts.len() + 1,
            Self::Centroids { centroids, .. } => centroids.len(),
        }
    }

    /// Returns the tier of a cell, 0 the worst, from its targets.
    ///
    /// # Errors
    /// [`TierError::Targets`] and [`TierError::NonFinite`], with position 0.
    pub fn assign(&self, targets: &[f64]) -> Result<usize, TierError> {
        let needed = if let Self::Centroids { mean, .. } = self { mean.len() } else { 1 };
        check_cell(0, targets, needed)?;
        Ok(self.place(targets))
    }

    /// Returns the name of a tier: A for the best, which is the last.
    pub fn name(&self, tier: usize) -> String {
        let letter = u8::try_from(self.n().saturating_sub(tier + 1)).unwrap_or(u8::MAX);
        char::from(b'A'.saturating_add(letter)).to_string()
    }

    /// Returns every name, from tier 0, the worst.
    pub fn names(&self) -> Vec<String> {
        (0..self.n()).map(|tier| self.name(tier)).collect()
    }

    fn place(&self, targets: &[f64]) -> usize {
        match self {
            Self::Cuts { cuts } => cuts.iter().filter(|&&cut| targets[0] > cut).count(),
            Self::Centroids { mean, sd, centroids } => nearest(&standardise(targets, mean, sd), centroids).0,
        }
    }
}

/// Returns the value below which a share `at` (0-1) of ascending values lies, linear between neighbours.
pub(super) fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

fn ascends(cuts: &[f64]) -> bool {
    cuts.iter().all(|cut| cut.is_finite()) && cuts.windows(2).all(|pair| pair[0] < pair[1])
}

fn check_cell(position: usize, targets: &[f64], needed: usize) -> Result<(), TierError> {
    if targets.len() != needed {
        return Err(TierError::Targets { position, found: targets.len(), needed });
    }
    let finite = targets.iter().all(|v| v.is_finite());
    if finite { Ok(()) } else { Err(TierError::NonFinite { position }) }
}

fn n_distinct(cells: &[Vec<f64>]) -> usize {
    let mut cells: Vec<&Vec<f64>> = cells.iter().collect();
    cells.sort_by(|a, b| by_value(a, b));
    cells.dedup();
    cells.len()
}

fn by_value(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    let pairs = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    pairs.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

fn quantiles(training: &[Vec<f64>], n: usize) -> Vec<f64> {
    let mut values: Vec<f64> = training.iter().map(|cell| cell[0]).collect();
    values.sort_by(f64::total_cmp);
    (1..n).map(|idx| quantile(&values, idx as f64 / n as f64)).collect()
}

/// Clusters the standardised cells by k-means, started by k-means++ `[Arthur2007]`, the best of several restarts.
fn clusters(training: &[Vec<f64>], n: usize, seed: &Seed) -> Tiers {
    let (mean, sd) = moments(training);
    let cells: Vec<Vec<f64>> = training.iter().map(|cell| standardise(cell, &mean, &sd)).collect();
    let starts = (0..RESTARTS).map(|restart| lloyd(&cells, spread(&cells, n, &mut seed.stream(restart))));
    let best = starts.min_by(|a, b| a.0.total_cmp(&b.0));
    let mut centroids = best.map_or_else(Vec::new, |(_, centroids)| centroids);
    centroids.sort_by(|a, b| by_value(a, b));
    Tiers::Centroids { mean, sd, centroids }
}

fn moments(cells: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let n = cells.len() as f64;
    let column = |target: usize| cells.iter().map(move |cell| cell[target]);
    let moments = (0..cells[0].len()).map(|target| {
        let mean = column(target).sum::<f64>() / n;
        let sd = (column(target).map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        (mean, if sd > 1e-12 * mean.abs() { sd } else { 1.0 })
    });
    moments.unzip()
}

fn standardise(targets: &[f64], mean: &[f64], sd: &[f64]) -> Vec<f64> {
    targets.iter().zip(mean).zip(sd).map(|((v, mean), sd)| (v - mean) / sd).collect()
}

/// Draws the first centroids: each next one is a cell, with a chance as the square of its distance from those before.
fn spread(cells: &[Vec<f64>], n: usize, rng: &mut impl Rng) -> Vec<Vec<f64>> {
    let mut centroids = vec![cells[rng.random_range(0..cells.len())].clone()];
    while centroids.len() < n {
        let squares: Vec<f64> = cells.iter().map(|cell| nearest(cell, &centroids).1).collect();
        let mut left = rng.random_range(0.0..1.0) * squares.iter().sum::<f64>();
        let drawn = squares.iter().position(|square| {
            left -= square;
            *square > 0.0 && left <= 0.0
        });
        // The last cell that is apart, when rounding leaves a rest.
        let drawn = drawn.or_else(|| squares.iter().rposition(|&square| square > 0.0));
        centroids.push(cells[drawn.unwrap_or(0)].clone());
    }
    centroids
}

/// Moves centroids to the means of their cells until no cell changes; returns the sum of squares and the centroids.
fn lloyd(cells: &[Vec<f64>], mut centroids: Vec<Vec<f64>>) -> (f64, Vec<Vec<f64>>) {
    let assign = |centroids: &[Vec<f64>]| -> Vec<(usize, f64)> {
        cells.iter().map(|cell| nearest(cell, centroids)).collect()
    };
    let mut placed = assign(&centroids);
    for _ in 0..STEPS {
        for (idx, centroid) in centroids.iter_mut().enumerate() {
            let own: Vec<&Vec<f64>> =
                cells.iter().zip(&placed).filter(|(_, place)| place.0 == idx).map(|(cell, _)| cell).collect();
            let mean = |target: usize| own.iter().map(|cell| cell[target]).sum::<f64>() / own.len() as f64;
            if !own.is_empty() {
                *centroid = (0..centroid.len()).map(mean).collect();
            }
        }
        let next = assign(&centroids);
        let settled = next.iter().zip(&placed).all(|(a, b)| a.0 == b.0);
        placed = next;
        if settled {
            break;
        }
    }
    (placed.iter().map(|place| place.1).sum(), centroids)
}

/// Returns the nearest centroid, the first of equals, and the square of its distance.
fn nearest(cell: &[f64], centroids: &[Vec<f64>]) -> (usize, f64) {
    let square = |centroid: &Vec<f64>| cell.iter().zip(centroid).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let squares = centroids.iter().map(square).enumerate();
    squares.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::reader::archive::real_data;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    struct Golden {
        tiers: Table,
    }

    /// What numpy and scikit-learn say (`tests/fixtures/classification/make.py`).
    #[derive(Deserialize)]
    struct Table {
        values: Vec<f64>,
        quantiles: Vec<(usize, Vec<f64>)>,
        rows: Vec<Vec<f64>>,
        tiers: Vec<usize>,
        centroids: Vec<Vec<f64>>,
    }

    fn golden() -> Table {
        let text = include_str!("../../tests/fixtures/classification/golden.json");
        serde_json::from_str::<Golden>(text).unwrap().tiers
    }

    fn kmeans(n: usize) -> TierConfig {
        TierConfig::Kmeans { n, targets: vec!["life".into(), "efficiency".into()] }
    }

    fn single(values: &[f64]) -> Vec<Vec<f64>> {
        values.iter().map(|&v| vec![v]).collect()
    }

    fn fit(config: &TierConfig, values: &[f64]) -> Result<Tiers, TierError> {
        Tiers::fit(config, &single(values), &Seed::new(0))
    }

    #[test]
    fn quantile_cuts_agree_with_numpy() {
        let golden = golden();
        for (n, expected) in golden.quantiles {
            let Tiers::Cuts { cuts } = fit(&TierConfig::Quantile { n }, &golden.values).unwrap() else {
                panic!("cuts");
            };
            assert!(cuts.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{cuts:?} {expected:?}");
            assert_eq!(cuts.len(), expected.len());
        }
    }

    #[test]
    fn clusters_agree_with_scikit_learn_for_any_seed() {
        let golden = golden();
        for seed in 0..3 {
            let tiers = Tiers::fit(&kmeans(3), &golden.rows, &Seed::new(seed)).unwrap();
            let found: Vec<usize> = golden.rows.iter().map(|row| tiers.assign(row).unwrap()).collect();
            assert_eq!(found, golden.tiers);
            let Tiers::Centroids { centroids, .. } = tiers else { panic!("centroids") };
            let pairs = centroids.concat().into_iter().zip(golden.centroids.concat());
            pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
        }
    }

    #[test]
    fn the_formation_benchmark_is_tertiles_of_the_life() {
        let Some(folder) = real_data("formation-cui2024") else { return };
        let column = |file: &str, name: &str| -> BTreeMap<String, f64> {
            let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
            let place =
                |name: &str, headers: &csv::StringRecord| headers.iter().position(|h| h == name).unwrap();
            let headers = reader.headers().unwrap().clone();
            let (key, value) = (place("seq_num", &headers), place(name, &headers));
            let rows = reader.records().map(Result::unwrap);
            rows.filter_map(|row| Some((row[key].to_owned(), row[value].parse().ok()?))).collect()
        };
        let (tiers, lives) =
            (column("tiers.csv", "tier"), column("one_time_features_041524.csv", "regu_life"));
        let values: Vec<f64> = tiers.keys().map(|key| lives[key]).collect();
        assert_eq!(values.len(), 137);
        let fitted = fit(&TierConfig::Quantile { n: 3 }, &values).unwrap();
        let fixed = fit(&TierConfig::Threshold { cuts: vec![641.0, 776.7] }, &values).unwrap();
        for (value, tier) in values.iter().zip(tiers.values()) {
            assert_eq!([&fitted, &fixed].map(|t| t.assign(&[*value]).unwrap() as f64), [*tier; 2], "{value}");
        }
    }

    #[test]
    fn a_value_on_a_cut_is_below_it_and_the_best_tier_is_a() {
        let tiers = fit(&TierConfig::Threshold { cuts: vec![1.0, 2.0] }, &[0.5, 1.5, 2.5]).unwrap();
        let found = [1.0, 1.1, 2.0, 2.1, 9.0].map(|v| tiers.assign(&[v]).unwrap());
        assert_eq!(found, [0, 1, 1, 2, 2]);
        assert_eq!(tiers.names(), ["C", "B", "A"]);
        let text = serde_json::to_string(&tiers).unwrap();
        assert_eq!(serde_json::from_str::<Tiers>(&text).unwrap(), tiers);
    }

    #[test]
    fn a_configuration_is_read_and_a_typo_refused() {
        let read = |text: &str| toml::from_str::<TierConfig>(text);
        assert_eq!(read("kind = 'quantile'\nn = 3").unwrap(), TierConfig::Quantile { n: 3 });
        let targets = "kind = 'kmeans'\nn = 3\ntargets = ['life', 'efficiency']";
        assert_eq!(read(targets).unwrap(), kmeans(3));
        assert!(read("kind = 'threshold'\ncut = [1.0]").is_err());
    }

    #[test]
    fn what_makes_no_tiers_is_an_error() {
        let quantile = |n| TierConfig::Quantile { n };
        assert_eq!(fit(&quantile(1), &[1.0]), Err(TierError::Number { n: 1 }));
        assert_eq!(fit(&quantile(3), &[1.0, 2.0, 2.0]), Err(TierError::FewValues { found: 2, n: 3 }));
        assert_eq!(fit(&quantile(2), &[]), Err(TierError::FewValues { found: 0, n: 2 }));
        assert_eq!(fit(&quantile(2), &[1.0, f64::NAN]), Err(TierError::NonFinite { position: 1 }));
        // Both cuts are 2: nothing lies between them.
        assert_eq!(
            fit(&quantile(3), &[1.0, 2.0, 2.0, 2.0, 3.0]),
            Err(TierError::EmptyTier { name: "B".into() })
        );
        let cuts = vec![2.0, 1.0];
        assert_eq!(fit(&TierConfig::Threshold { cuts: cuts.clone() }, &[1.0]), Err(TierError::Cuts { cuts }));
        let above = TierConfig::Threshold { cuts: vec![0.0] };
        assert_eq!(fit(&above, &[1.0, 2.0]), Err(TierError::EmptyTier { name: "B".into() }));
        assert_eq!(fit(&kmeans(2), &[1.0]), Err(TierError::Targets { position: 0, found: 1, needed: 2 }));
        let tiers = fit(&quantile(2), &[1.0, 2.0]).unwrap();
        assert_eq!(tiers.assign(&[f64::INFINITY]), Err(TierError::NonFinite { position: 0 }));
    }

    proptest! {
        #[test]
        fn a_better_cell_is_never_in_a_worse_tier(values in prop::collection::vec(-1e3..1e3f64, 6..40), n in 2usize..6) {
            let mut values = values;
            values.sort_by(f64::total_cmp);
            let kmeans = TierConfig::Kmeans { n, targets: vec!["life".into()] };
            for config in [TierConfig::Quantile { n }, kmeans] {
                let tiers = fit(&config, &values).unwrap();
                let found: Vec<usize> = values.iter().map(|&v| tiers.assign(&[v]).unwrap()).collect();
                prop_assert!(found.is_sorted());
                prop_assert_eq!((found[0], found[found.len() - 1]), (0, n - 1));
            }
        }
    }
}
