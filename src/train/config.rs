//! What a fit is told: epochs, batches, rates, loss, optimiser, schedule, when to stop and when to save.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::{EarlyStopConfig, Loss, Objective, OptimizerConfig, ScheduleConfig};

/// Settings of a fit; the same for all its members but for what a [`super::Hyper`] overrides.
///
/// | key | default | range |
/// |---|---|---|
/// | `epochs` | 200 | 1 or more |
/// | `batch_size` | 32 rows | 1 or more |
/// | `members` | 1 | 1 or more |
/// | `learning_rate` | 0.001 | above 0 |
/// | `weight_decay` | 0 | 0 or more |
/// | `loss_weight` | 1 | above 0 |
/// | `loss` | `mse` | `mse`, `mae`, `huber`, `gaussian_nll`, `cross_entropy` |
/// | `loss.huber.delta` | | above 0 |
/// | `loss.cross_entropy.label_smoothing` | 0 | 0 to below 1 |
/// | `physics_consistency` | 0 | 0 or more; 0 with `cross_entropy` |
/// | `monotone_fade` | 0 | 0 or more; 0 with `cross_entropy` |
/// | `optimizer` | `adam` | `adam`, `adamw`, `sgd`, `lbfgs` |
/// | `schedule` | `constant` | `constant`, `warmup_cosine`, `step`, `reduce_on_plateau` |
/// | `early_stop` | none | |
/// | `checkpoint_every` | 25 epochs | 1 or more |
/// | `shuffle` | true | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Most epochs a member trains.
    pub epochs: u32,
    /// Rows of a batch; the last batch of an epoch holds what is left.
    pub batch_size: usize,
    /// Networks that each fold trains from seeds of their own.
    pub members: u32,
    /// Learning rate at the schedule's peak; 0.001 is what Kingma and Ba 2015 (Adam) suggest.
    pub learning_rate: f64,
    /// Weight decay: L2 in the gradient for Adam and SGD, decoupled for AdamW.
    pub weight_decay: f64,
    /// Factor on the loss and its penalties.
    pub loss_weight: f64,
    /// What is made small; alone, without penalties, what the validation rows are judged by.
    pub loss: Loss,
    /// Weight of the squared residual of a hybrid in what is made small.
    pub physics_consistency: f64,
    /// Weight of the squared rise from a row to a later row of its cell in what is made small.
    pub monotone_fade: f64,
    /// Rule that turns a gradient into a step, and how long a gradient may be.
    pub optimizer: OptimizerConfig,
    /// Course of the learning rate over the epochs.
    pub schedule: ScheduleConfig,
    /// When a member stops before its last epoch; members without validation rows never do.
    pub early_stop: Option<EarlyStopConfig>,
    /// Epochs from one checkpoint to the next.
    pub checkpoint_every: u32,
    /// Whether each epoch draws a new order of the rows.
    pub shuffle: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch_size: 32,
            members: 1,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            loss_weight: 1.0,
            loss: Loss::default(),
            physics_consistency: 0.0,
            monotone_fade: 0.0,
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            early_stop: None,
            checkpoint_every: 25,
            shuffle: true,
        }
    }
}

/// A setting that is out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{key}` is {value}; give {expected}")]
pub struct ConfigError {
    /// Key below the fit's own table, with dots (`schedule.factor`).
    pub key: &'static str,
    /// Value that was given.
    pub value: String,
    /// What would be right.
    pub expected: &'static str,
}

impl TrainConfig {
    /// Returns what an engine makes small.
    pub fn objective(&self) -> Objective {
        Objective {
            loss: self.loss,
            physics_consistency: self.physics_consistency as f32,
            monotone_fade: self.monotone_fade as f32,
        }
    }

    /// Returns everything that is out of range, in the order of the keys; empty when all is well.
    pub fn check(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let one = "1 or more";
        expect(self.epochs >= 1, "epochs", self.epochs, one, &mut errors);
        expect(self.batch_size >= 1, "batch_size", self.batch_size, one, &mut errors);
        expect(self.members >= 1, "members", self.members, one, &mut errors);
        expect_positive("learning_rate", self.learning_rate, &mut errors);
        expect_no_less("weight_decay", self.weight_decay, &mut errors);
        expect_positive("loss_weight", self.loss_weight, &mut errors);
        self.check_loss(&mut errors);
        check_optimizer(&self.optimizer, &mut errors);
        self.schedule.check(self.epochs, &mut errors);
        if let Some(early_stop) = &self.early_stop {
            early_stop.check(&mut errors);
        }
        expect(self.checkpoint_every >= 1, "checkpoint_every", self.checkpoint_every, one, &mut errors);
        errors
    }

    fn check_loss(&self, errors: &mut Vec<ConfigError>) {
        match self.loss {
            Loss::Huber { delta } => expect_positive("loss.huber.delta", f64::from(delta), errors),
            Loss::CrossEntropy { label_smoothing: share } => {
                let key = "loss.cross_entropy.label_smoothing";
                expect((0.0..1.0).contains(&share), key, share, "0 to below 1", errors);
            }
            _ => {}
        }
        for (key, penalty) in
            [("physics_consistency", self.physics_consistency), ("monotone_fade", self.monotone_fade)]
        {
            let is_unknown = self.loss.is_of_classes() && penalty > 0.0;
            expect(!is_unknown, key, penalty, "0 with the loss `cross_entropy`", errors);
            expect_no_less(key, penalty, errors);
        }
    }
}

fn check_optimizer(optimizer: &OptimizerConfig, errors: &mut Vec<ConfigError>) {
    for (key, share) in [
        ("optimizer.beta1", optimizer.beta1),
        ("optimizer.beta2", optimizer.beta2),
        ("optimizer.momentum", optimizer.momentum),
    ] {
        expect((0.0..1.0).contains(&share), key, share, "0 to below 1", errors);
    }
    expect_positive("optimizer.epsilon", f64::from(optimizer.epsilon), errors);
    if let Some(clip) = optimizer.gradient_clip {
        expect_positive("optimizer.gradient_clip", f64::from(clip), errors);
    }
}

/// Notes that `key` is `value` unless that is `right`.
pub(crate) fn expect(
    right: bool,
    key: &'static str,
    value: impl Display,
    expected: &'static str,
    errors: &mut Vec<ConfigError>,
) {
    if !right {
        errors.push(ConfigError { key, value: value.to_string(), expected });
    }
}

/// Notes that `key` is `value` unless that is a finite number above 0.
pub(crate) fn expect_positive(key: &'static str, value: f64, errors: &mut Vec<ConfigError>) {
    expect(value > 0.0 && value.is_finite(), key, value, "a number above 0", errors);
}

/// Notes that `key` is `value` unless that is a finite number, 0 or more.
pub(crate) fn expect_no_less(key: &'static str, value: f64, errors: &mut Vec<ConfigError>) {
    expect(value >= 0.0 && value.is_finite(), key, value, "0 or more", errors);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_its_default() {
        let config: TrainConfig =
            toml::from_str("epochs = 3\n[schedule]\nkind = 'step'\nevery = 2\nfactor = 0.5").unwrap();
        let schedule = ScheduleConfig::Step { every: 2, factor: 0.5 };
        assert_eq!(config, TrainConfig { epochs: 3, schedule, ..TrainConfig::default() });
        assert_eq!(config.check(), []);
    }

    #[test]
    fn the_resolved_config_reads_back() {
        let config = TrainConfig {
            optimizer: OptimizerConfig { gradient_clip: Some(1.0), ..OptimizerConfig::default() },
            loss: Loss::Huber { delta: 0.5 },
            schedule: ScheduleConfig::WarmupCosine { warmup_epochs: 5, final_fraction: 0.01 },
            early_stop: Some(EarlyStopConfig::default()),
            ..TrainConfig::default()
        };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config);
    }

    #[test]
    fn classes_know_no_penalties() {
        let config: TrainConfig = toml::from_str(
            "physics_consistency = 0.5\nmonotone_fade = 1.0\nloss = { cross_entropy = { label_smoothing = 1.0 } }",
        )
        .unwrap();
        let told: Vec<_> = config.check().iter().map(ToString::to_string).collect();
        let expected = [
            "`loss.cross_entropy.label_smoothing` is 1; give 0 to below 1",
            "`physics_consistency` is 0.5; give 0 with the loss `cross_entropy`",
            "`monotone_fade` is 1; give 0 with the loss `cross_entropy`",
        ];
        assert_eq!(told, expected);
        let config: TrainConfig = toml::from_str("loss = 'cross_entropy'").unwrap();
        assert_eq!(config.check(), []);
    }

    #[test]
    fn a_key_nobody_knows_is_an_error_at_every_depth() {
        for text in [
            "learning_rte = 1.0",
            "loss = 'rmse'",
            "loss = { huber = { dleta = 1.0 } }",
            "optimizer = { kind = 'adam', momentun = 0.9 }",
            "schedule = { kind = 'constant', every = 3 }",
            "schedule = { kind = 'step', every = 3, factor = 0.1, patience = 2 }",
            "early_stop = { patience = 2, delta = 0.0 }",
        ] {
            assert!(toml::from_str::<TrainConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn everything_out_of_range_is_named_at_once() {
        let config: TrainConfig = toml::from_str(
            "epochs = 0\nbatch_size = 0\nmembers = 0\nlearning_rate = 0.0\nweight_decay = -1.0\nloss_weight = nan
            physics_consistency = -1.0\nmonotone_fade = inf\ncheckpoint_every = 0\nloss = { huber = { delta = -1.0 } }
            optimizer = { beta1 = 1.0, beta2 = -0.1, momentum = 1.0, epsilon = 0.0, gradient_clip = 0.0 }
            schedule = { kind = 'reduce_on_plateau', patience = 0, factor = 1.5, min_fraction = -0.1 }
            early_stop = { patience = 0, min_delta = -1.0 }",
        )
        .unwrap();
        let keys: Vec<_> = config.check().iter().map(|e| e.key).collect();
        let text = "epochs batch_size members learning_rate weight_decay loss_weight loss.huber.delta \
            physics_consistency monotone_fade optimizer.beta1 optimizer.beta2 optimizer.momentum optimizer.epsilon \
            optimizer.gradient_clip schedule.patience schedule.factor schedule.min_fraction early_stop.patience \
            early_stop.min_delta checkpoint_every";
        let expected: Vec<_> = text.split_whitespace().collect();
        assert_eq!(keys, expected);
        assert_eq!(config.check()[0].to_string(), "`epochs` is 0; give 1 or more");
    }
}
