//! What the trees are told: how many, how deep, how fast they learn and what each of them sees.

use serde::{Deserialize, Serialize};

use super::super::{ModelError, out_of_range};

/// How a node chooses among its possible splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splits {
    /// The best threshold of every input.
    #[default]
    Best,
    /// One random threshold an input, the best input of these: extremely randomised trees `[Geurts2006]`.
    Random,
}

/// Settings of the trees; the defaults suit 40 to 140 rows of 10 to 200 inputs.
///
/// | key | default | range |
/// |---|---|---|
/// | `rounds` | 60 | 1 to 100000 |
/// | `trees_per_round` | 1 | 1 to 65536 |
/// | `members` | 8 | 1 to 1000 |
/// | `splits` | `best` | `best`, `random` |
/// | `depth` | 2 | 1 to 30 |
/// | `learning_rate` | 0.1 | above 0, to 1 |
/// | `row_share` | 0.7 | above 0, to 1 |
/// | `column_share` | 1 | above 0, to 1 |
/// | `node_column_share` | 0.5 | above 0, to 1 |
/// | `min_child_weight` | 1 | 0 or more |
/// | `l2` | 1 | 0 or more |
/// | `l1` | 0 | 0 or more |
/// | `min_gain` | 0 | 0 or more |
/// | `max_bins` | 256 | 2 to 65535 |
///
/// `rounds = 1`, `learning_rate = 1` and hundreds of `trees_per_round` make a forest: see [`TreesConfig::forest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreesConfig {
    /// Boosting rounds; each corrects what the rounds before it left.
    pub rounds: u32,
    /// Trees that a round grows side by side for each output, each with rows and columns of its own; their mean counts.
    pub trees_per_round: u32,
    /// Models of seeds of their own whose mean margin counts; more of them only steady the predictions.
    pub members: u32,
    /// How a node chooses its threshold.
    pub splits: Splits,
    /// Most splits from the root of a tree to a leaf.
    pub depth: u32,
    /// Part of its correction that a round may make; a smaller one needs more rounds.
    pub learning_rate: f64,
    /// Share of the rows that a tree sees, drawn without replacement.
    pub row_share: f64,
    /// Share of the inputs that a tree sees.
    pub column_share: f64,
    /// Share of the tree's inputs among which a node chooses.
    pub node_column_share: f64,
    /// Least sum of second derivatives in a leaf: rows for a regression, at most half the rows for classes.
    pub min_child_weight: f64,
    /// Penalty on the squares of the leaves.
    pub l2: f64,
    /// Penalty on the sizes of the leaves.
    pub l1: f64,
    /// Least gain of the penalised loss that makes a split.
    pub min_gain: f64,
    /// Most thresholds an input is cut at; with fewer rows than this every value is one.
    pub max_bins: u32,
}

impl Default for TreesConfig {
    fn default() -> Self {
        Self {
            rounds: 60,
            trees_per_round: 1,
            members: 8,
            splits: Splits::Best,
            depth: 2,
            learning_rate: 0.1,
            row_share: 0.7,
            column_share: 1.0,
            node_column_share: 0.5,
            min_child_weight: 1.0,
            l2: 1.0,
            l1: 0.0,
            min_gain: 0.0,
            max_bins: 256,
        }
    }
}

impl TreesConfig {
    /// Returns the settings of a forest of extremely randomised trees: one round of 300 deep trees an output.
    pub fn forest() -> Self {
        Self {
            rounds: 1,
            trees_per_round: 300,
            members: 1,
            splits: Splits::Random,
            depth: 10,
            learning_rate: 1.0,
            row_share: 1.0,
            min_child_weight: 0.5,
            l2: 0.1,
            ..Self::default()
        }
    }

    /// Returns everything that is out of range, in the order of the keys; empty when all is well.
    pub fn check(&self) -> Vec<ModelError> {
        let counts = [
            within("rounds", self.rounds, 1..=100_000, "1 to 100000"),
            within("trees_per_round", self.trees_per_round, 1..=65_536, "1 to 65536"),
            within("members", self.members, 1..=1000, "1 to 1000"),
            within("depth", self.depth, 1..=30, "1 to 30"),
            within("max_bins", self.max_bins, 2..=65_535, "2 to 65535"),
        ];
        let shares = [
            share("learning_rate", self.learning_rate),
            share("row_share", self.row_share),
            share("column_share", self.column_share),
            share("node_column_share", self.node_column_share),
        ];
        let penalties = [
            no_less("min_child_weight", self.min_child_weight),
            no_less("l2", self.l2),
            no_less("l1", self.l1),
            no_less("min_gain", self.min_gain),
        ];
        counts.into_iter().chain(shares).chain(penalties).flatten().collect()
    }
}

fn within(
    key: &'static str,
    value: u32,
    range: std::ops::RangeInclusive<u32>,
    must: &'static str,
) -> Option<ModelError> {
    (!range.contains(&value)).then(|| out_of_range(key, &value, must))
}

fn share(key: &'static str, value: f64) -> Option<ModelError> {
    let right = value > 0.0 && value <= 1.0;
    (!right).then(|| out_of_range(key, &value, "above 0, to 1"))
}

fn no_less(key: &'static str, value: f64) -> Option<ModelError> {
    let right = value >= 0.0 && value.is_finite();
    (!right).then(|| out_of_range(key, &value, "0 or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_its_default_and_reads_back() {
        let config: TreesConfig = toml::from_str("rounds = 3\nsplits = 'random'").unwrap();
        assert_eq!(config, TreesConfig { rounds: 3, splits: Splits::Random, ..TreesConfig::default() });
        let text = toml::to_string(&TreesConfig::forest()).unwrap();
        assert_eq!(toml::from_str::<TreesConfig>(&text).unwrap(), TreesConfig::forest());
        assert!(toml::from_str::<TreesConfig>("max_depth = 3").is_err());
    }

    #[test]
    fn every_key_out_of_range_is_named() {
        assert_eq!(TreesConfig::default().check(), []);
        assert_eq!(TreesConfig::forest().check(), []);
        let whole = ["rounds", "trees_per_round", "members", "depth", "max_bins"];
        let shares = ["learning_rate", "row_share", "column_share", "node_column_share"];
        let penalties = ["min_child_weight", "l2", "l1", "min_gain"];
        let wrong = |keys: &[&'static str], value: &str| -> Vec<_> {
            keys.iter().map(|key| (*key, format!("{key} = {value}"))).collect()
        };
        let mut all = wrong(&whole, "0");
        for value in ["0.0", "1.5", "nan"] {
            all.extend(wrong(&shares, value));
        }
        for value in ["-1.0", "inf", "nan"] {
            all.extend(wrong(&penalties, value));
        }
        for (key, text) in all {
            let errors = toml::from_str::<TreesConfig>(&text).unwrap().check();
            assert!(
                matches!(&errors[..], [ModelError::OutOfRange { key: found, .. }] if *found == key),
                "{text}: {errors:?}"
            );
        }
    }
}
