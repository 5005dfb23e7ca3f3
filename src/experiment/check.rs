//! What is wrong with an experiment beyond the form of its values: ranges, and keys that contradict each other.

use super::check_cell;
use super::config::{ExperimentConfig, Kind, ModelConfig, ModelKind, TargetConfig, Validation};
use super::parse::Problem;
use crate::descriptor;
use crate::model::{Architecture, ModelError};
use crate::prepare::{Reference, SplitConfig};

/// Most hidden layers: deeper ones than that of plain layers do not train.
const MOST_LAYERS: usize = 64;

/// Returns everything that is wrong, in the order of the file's tables.
pub fn problems(config: &ExperimentConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_top(config, &mut problems);
    check_target(&config.target, &mut problems);
    check_model(&config.model, &mut problems);
    check_loss(config, &mut problems);
    check_physics(config, &mut problems);
    check_cell::add_problems(config, &mut problems);
    if let Some(start) = &config.start {
        let problem = |(key, text): (String, String)| Problem::new(format!("start.{key}"), text);
        problems.extend(start.problems().into_iter().map(problem));
    }
    // Networks that start from weights may keep them.
    let keeps = config.start.is_some() && config.train.epochs == 0;
    problems.extend(
        config.train.check().into_iter().filter(|e| !(keeps && e.key == "epochs")).map(|e| {
            Problem::new(format!("train.{}", e.key), format!("is {}; give {}", e.value, e.expected))
        }),
    );
    problems
}

fn check_top(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    if config.repeats == 0 {
        problems.push(Problem::new("repeats", "is 0; give 1 or more"));
    }
    if config.inputs.descriptors.is_empty() {
        problems.push(Problem::new("inputs.descriptors", "is empty; name at least one descriptor"));
    }
    if let SplitConfig::Time { fraction, .. } = config.split
        && !(fraction > 0.0 && fraction < 1.0)
    {
        problems
            .push(Problem::new("split.fraction", format!("is {fraction}; give a number between 0 and 1")));
    }
    if config.reference == Reference::Given && config.split.given() == 0 {
        let text =
            "is `given`, but the split gives no discharges; set split.given, or reference = \"nominal\"";
        problems.push(Problem::new("reference", text));
    }
    if config.train.early_stop.is_some() && config.validation == Validation::None {
        let text = "needs rows that judge the weights; set validation = \"cell\" or \"tail\"";
        problems.push(Problem::new("train.early_stop", text));
    }
    if config.kind == Kind::Capacity && config.split.is_in_time() {
        problems.push(Problem::new(
            "kind",
            "is `capacity`, but the split is in time; give kind = \"trajectory\"",
        ));
    }
}

fn check_target(target: &TargetConfig, problems: &mut Vec<Problem>) {
    let TargetConfig::Synthetic { law, parameters, noise } = target else { return };
    if !(*noise >= 0.0 && noise.is_finite()) {
        problems.push(Problem::new("target.noise", format!("is {noise}; give 0 or more")));
    }
    for (name, value) in parameters {
        let known = law.parameters().iter().find(|p| p.name == name);
        let text = match known {
            None => format!("`{law}` has no parameter `{name}`"),
            Some(p) if !(p.lower..=p.upper).contains(value) => {
                format!("`{name}` is {value}; it must be from {} to {}", p.lower, p.upper)
            }
            Some(_) => continue,
        };
        problems.push(Problem::new("target.parameters", text));
    }
}

fn check_model(model: &ModelConfig, problems: &mut Vec<Problem>) {
    if model.hidden.is_some() && (model.layers.is_some() || model.units.is_some()) {
        problems.push(Problem::new(
            "model.hidden",
            "stands beside `layers` or `units`; give either form, not both",
        ));
    }
    for (key, value) in [
        ("model.monotone_fade", f64::from(model.monotone_fade)),
        ("model.physics_consistency", f64::from(model.physics_consistency)),
        ("model.ridge", model.ridge),
    ] {
        if !(value >= 0.0 && value.is_finite()) {
            problems.push(Problem::new(key, format!("is {value}; give 0 or more")));
        }
    }
    let deep = model.layers.max(model.hidden.as_ref().map(Vec::len)).unwrap_or(0);
    if deep > MOST_LAYERS {
        let key = if model.layers.is_some() { "model.layers" } else { "model.hidden" };
        problems.push(Problem::new(key, format!("is {deep} hidden layers; give {MOST_LAYERS} at most")));
        return;
    }
    let architecture = Architecture { d_input: 1, d_output: 1, network: model.network(), prior: None };
    if let Err(ModelError::OutOfRange { key, value, must }) = architecture.check() {
        problems.push(Problem::new(format!("model.{key}"), format!("is {value}; it must be {must}")));
    }
    if !(model.residual_scale > 0.0 && model.residual_scale.is_finite()) {
        problems.push(Problem::new(
            "model.residual_scale",
            format!("is {}; give a number above 0", model.residual_scale),
        ));
    }
    if model.kind != ModelKind::Hybrid && !model.residual {
        problems.push(Problem::new("model.residual", "is off; that is for model.kind = \"hybrid\""));
    }
}

/// Refuses the loss of classes where a number is asked for, and beside what only a predicted number can have.
fn check_loss(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    if !config.train.loss.is_of_classes() {
        return;
    }
    if matches!(config.kind, Kind::Capacity | Kind::Trajectory) {
        let text = "is `cross_entropy`, which learns classes, but `kind` asks for a number; give mse, mae, huber or \
            gaussian_nll";
        problems.push(Problem::new("train.loss", text));
    }
    let model = &config.model;
    for (has, key) in [
        (model.kind == ModelKind::Hybrid, "model.kind"),
        (model.physics_consistency > 0.0, "model.physics_consistency"),
        (model.monotone_fade > 0.0, "model.monotone_fade"),
    ] {
        if has {
            let text = "has no meaning for classes, which train.loss = \"cross_entropy\" learns";
            problems.push(Problem::new(key, text));
        }
    }
}

fn check_physics(config: &ExperimentConfig, problems: &mut Vec<Problem>) {
    let law = config.model.prior;
    let known = |name: &str| law.parameters().iter().any(|p| p.name == name);
    let uses_law = config.model.kind.has_law();
    let names = config.physics.hold.keys().chain(&config.physics.per_cell);
    for name in names.filter(|n| uses_law && !known(n)) {
        let list = law.parameters().iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
        problems.push(Problem::new("physics", format!("`{law}` has no parameter `{name}`; it has {list}")));
    }
    for stress in law.stress() {
        let given = stress.name.starts_with("given_") && config.split.given() > 0;
        if uses_law && !given && descriptor::find(stress.name).is_none() && !law.is_of_life() {
            problems.push(Problem::new(
                "model.prior",
                format!("`{law}` needs `{}`, which the split does not give (set split.given)", stress.name),
            ));
        }
    }
}
