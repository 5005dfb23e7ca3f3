//! What is wrong with an experiment about whole cells: lives and tiers, trees, selection and calibration.

use super::config::{ExperimentConfig, Kind, ModelKind, TargetConfig, Validation};
use super::parse::Problem;
use crate::model::ModelError;
use crate::model::calibration::CalibrationConfig;
use crate::prepare::early::CYCLE_LIFE;
use crate::prepare::{SelectConfig, SelectError, SplitConfig};

/// Adds everything that is wrong, in the order of the file's tables.
pub(super) fn add_problems(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    check_question(config, problems);
    check_model(config, problems);
    check_parts(config, problems);
}

fn check_question(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    let [from, to] = config.inputs.cycles;
    if from > to {
        let text = format!("is [{from}, {to}]; give the first and the last cycle");
        problems.push(Problem::new("inputs.cycles", text));
    }
    if !config.kind.is_early() {
        return;
    }
    if config.split.is_in_time() {
        let text = "separates time within a cell, but each cell is one row; give grouped, stated, fixed, \
            leave_one_cell_out or leave_group_out";
        problems.push(Problem::new("split.kind", text));
    }
    if config.target != TargetConfig::Measured {
        problems.push(Problem::new("target", "is synthetic, which only capacities can be; leave it out"));
    }
    if config.validation == Validation::Tail {
        let text = "is `tail`, but each cell is one row; give `fifth` or `cell`";
        problems.push(Problem::new("validation", text));
    }
    if config.kind == Kind::Life && config.label.target != CYCLE_LIFE {
        let text = format!("is `{}`, but a life is asked for; other targets make tiers", config.label.target);
        problems.push(Problem::new("label.target", text));
    }
    if config.kind == Kind::Tier
        && let Err(e) = config.label.tiers.check()
    {
        problems.push(Problem::new("label.tiers", e));
    }
}

fn check_model(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    let (kind, law) = (config.model.kind, config.model.prior);
    let uses_law = kind.has_law();
    let mut wrong = |key: &str, text: String| problems.push(Problem::new(key, text));
    match config.kind {
        Kind::Tier if !matches!(kind, ModelKind::Trees | ModelKind::Logistic | ModelKind::Dense) => {
            wrong(
                "model.kind",
                format!("is `{}`, which tells no tiers; give trees, logistic or dense", kind.name()),
            );
        }
        Kind::Tier if kind == ModelKind::Dense && !config.train.loss.is_of_classes() => {
            wrong("train.loss", "learns a number, but tiers are asked for; give \"cross_entropy\"".into());
        }
        Kind::Life if uses_law && !(law.is_of_life() && config.label.log) => {
            let text = format!(
                "`{law}` says no logarithm of a life; give \"capacity_difference\" and label.log = true"
            );
            wrong("model.prior", text);
        }
        Kind::Life if config.train.loss.is_of_classes() => {
            wrong(
                "train.loss",
                "learns classes, but a life is asked for; give mse, mae, huber or gaussian_nll".into(),
            );
        }
        Kind::Capacity | Kind::Trajectory if uses_law && law.is_of_life() => {
            wrong("model.prior", format!("`{law}` says the life of a cell, not a capacity"));
        }
        _ => {}
    }
    if kind == ModelKind::Logistic && config.kind != Kind::Tier {
        wrong("model.kind", "is `logistic`, which tells tiers; give linear".into());
    }
    if kind == ModelKind::Logistic && config.model.ridge == 0.0 {
        wrong("model.ridge", "is 0; logistic needs a penalty above 0 where tiers can be told apart".into());
    }
}

fn check_parts(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    for error in config.trees.check() {
        if let ModelError::OutOfRange { key, value, must } = error {
            problems.push(Problem::new(format!("trees.{key}"), format!("is {value}; it must be {must}")));
        }
    }
    if let Some(Err(SelectError::OutOfRange { key, value, must })) =
        config.select.as_ref().map(SelectConfig::check)
    {
        problems.push(Problem::new(format!("select.{key}"), format!("is {value}; it must be {must}")));
    }
    if let SplitConfig::Grouped { folds, repeats } = config.split
        && (folds < 2 || repeats == 0)
    {
        problems.push(Problem::new(
            "split",
            format!("has {folds} folds, {repeats} times; give 2 folds or more, once or more"),
        ));
    }
    let corrects = config.calibration.method != CalibrationConfig::None;
    if corrects && config.kind != Kind::Tier {
        problems.push(Problem::new(
            "calibration.method",
            "corrects probabilities, which only kind = \"tier\" has",
        ));
    }
    if corrects && config.calibration.folds < 2 {
        problems.push(Problem::new(
            "calibration.folds",
            format!("is {}; give 2 or more", config.calibration.folds),
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::experiment::parse::{self, ConfigError};

    #[test]
    fn what_contradicts_a_question_about_cells_is_named_with_its_key() {
        for (text, key) in [
            ("kind = 'tier'\nmodel = { kind = 'linear' }", "model.kind"),
            ("kind = 'tier'\nmodel = { kind = 'dense' }", "train.loss"),
            ("kind = 'tier'\nmodel = { kind = 'trees' }\nvalidation = 'tail'", "validation"),
            (
                "kind = 'tier'\nmodel = { kind = 'trees' }\nsplit = { kind = 'time', fraction = 0.5 }",
                "split.kind",
            ),
            (
                "kind = 'tier'\nmodel = { kind = 'trees' }\nlabel = { tiers = { kind = 'quantile', n = 1 } }",
                "label.tiers",
            ),
            ("kind = 'tier'\nmodel = { kind = 'trees' }\ntrees = { rounds = 0 }", "trees.rounds"),
            ("kind = 'tier'\nmodel = { kind = 'trees' }\nselect = { top = 0 }", "select.top"),
            ("kind = 'tier'\nmodel = { kind = 'trees' }\ninputs = { cycles = [9, 2] }", "inputs.cycles"),
            ("kind = 'tier'\nmodel = { kind = 'trees' }\nsplit = { kind = 'grouped', folds = 1 }", "split"),
            (
                "kind = 'life'\nmodel = { kind = 'trees' }\ncalibration = { method = 'isotonic' }",
                "calibration.method",
            ),
            ("kind = 'life'\nmodel = { kind = 'hybrid' }", "model.prior"),
            ("kind = 'life'\nmodel = { kind = 'logistic' }", "model.kind"),
            ("kind = 'life'\nmodel = { kind = 'trees' }\nlabel = { target = 'mass' }", "label.target"),
            ("model = { kind = 'physics', prior = 'capacity_difference' }", "model.prior"),
        ] {
            let Err(ConfigError::Problems { problems, .. }) = parse::parse(text, "x.toml", &[]) else {
                panic!("{text} is accepted")
            };
            assert!(problems.iter().any(|p| p.key == key), "{text}: {problems:?}");
        }
        let good = "kind = 'life'\nmodel = { kind = 'hybrid_trees', prior = 'capacity_difference' }";
        assert!(parse::parse(good, "x.toml", &[]).is_ok());
    }
}
