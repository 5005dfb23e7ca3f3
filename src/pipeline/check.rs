//! Checks of a pipeline: whatever computes one may rely on every length, position and number that is checked here.

use std::collections::BTreeSet;

use super::{Body, Input, Member, Output, Part, Pipeline};
use crate::model::calibration::{Calibration, Rising};
use crate::model::logistic::Logistic;
use crate::model::trees::{TreeModel, Trees};
use crate::model::{Architecture, PriorStart};
use crate::physics::Law;
use crate::uq::conformal::Conformal;

/// What is wrong with a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {found}")]
pub struct PipelineError {
    /// Where: `inputs`, `output`, `interval`, or the part by fold and repetition.
    pub place: String,
    /// What does not fit.
    pub found: String,
}

/// Says what is wrong, without the place.
type Checked = Result<(), String>;

impl Pipeline {
    /// Checks that every part fits its own shapes and the inputs, and that every number is finite.
    ///
    /// # Errors
    /// [`PipelineError`] says where and what.
    pub fn check(&self) -> Result<(), PipelineError> {
        at("inputs", check_inputs(&self.inputs))?;
        at("output", check_output(&self.output))?;
        at("interval", self.interval.as_ref().map_or(Ok(()), check_interval))?;
        at("parts", require(!self.parts.is_empty(), "there is none"))?;
        for part in &self.parts {
            let place = format!("fold `{}`, repetition {}", part.fold, part.repetition);
            at(&place, self.check_part(part))?;
        }
        Ok(())
    }

    fn check_part(&self, part: &Part) -> Checked {
        let (n, n_inputs) = (part.columns.len(), self.inputs.len());
        let positions = || part.columns.iter().chain(&part.stress);
        require(positions().all(|&c| c < n_inputs), "it asks for an input that is not there")?;
        let different: BTreeSet<&usize> = part.columns.iter().collect();
        require(different.len() == n, "it asks for an input twice")?;
        let scaler = &part.scaler;
        lengths("scaler", [scaler.median.len(), scaler.mean.len(), scaler.sd.len()], n)?;
        require(all_finite(&[&scaler.median, &scaler.mean, &scaler.sd]), "its scaler is not finite")?;
        require(scaler.sd.iter().all(|sd| *sd > 0.0), "its scaler divides by 0 or less")?;
        let law = part.law();
        lengths(
            "stress",
            [part.stress.len(), part.stress_median.len()],
            law.map_or(0, |l| l.stress().len()),
        )?;
        require(all_finite(&[&part.stress_median]), "a median of its stress is not finite")?;
        let (mean, sd) = part.label;
        require(
            mean.is_finite() && sd.is_finite() && sd > 0.0,
            "the scale of its label is not finite and above 0",
        )?;
        let n_classes = if let Output::Tier { names } = &self.output { names.len() } else { 0 };
        part.body.check(n, n_classes)?;
        let Some(calibration) = &part.calibration else { return Ok(()) };
        require(n_classes > 0, "a number has no probabilities to calibrate")?;
        check_calibration(calibration, n_classes)
    }
}

impl Part {
    /// Returns the law that it asks for stress, if any.
    pub fn law(&self) -> Option<Law> {
        match &self.body {
            Body::Law { law, .. } | Body::Trees { law: Some((law, _)), .. } => Some(*law),
            Body::Networks { architecture, .. } => architecture.prior.as_ref().map(|prior| prior.law),
            _ => None,
        }
    }
}

impl Body {
    /// Checks a body of `n` inputs and so many tiers, 0 where a number is asked for.
    fn check(&self, n: usize, n_classes: usize) -> Checked {
        let a_number = || require(n_classes == 0, "it answers a number, not tiers");
        match self {
            Self::Law { law, theta } => a_number().and_then(|()| check_theta(*law, theta)),
            Self::Linear { weights } => {
                a_number()?;
                lengths("weights", [weights.len()], n + 1)?;
                require(all_finite(&[weights]), "a weight is not finite")
            }
            Self::Logistic(logistic) => check_logistic(logistic, n, n_classes),
            Self::Networks { architecture, classes, start, members } => {
                require(*classes == (n_classes > 0), "networks of tiers answer a number, or the reverse")?;
                check_shapes(architecture, n, n_classes)?;
                check_start(architecture, start.as_ref())?;
                require(!members.is_empty(), "it has no network")?;
                members.iter().try_for_each(|member| check_member(architecture, member))
            }
            Self::Trees { law, trees } => {
                require(!trees.is_empty(), "it has no trees")?;
                require(law.is_none() || n_classes == 0, "a law answers no tiers")?;
                law.as_ref().map_or(Ok(()), |(law, theta)| check_theta(*law, theta))?;
                trees.iter().try_for_each(|trees| check_trees(trees, n, n_classes.max(1)))
            }
        }
    }
}

fn check_inputs(inputs: &[Input]) -> Checked {
    let names: BTreeSet<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    require(!inputs.is_empty(), "there is none")?;
    require(names.len() == inputs.len() && !names.contains(""), "two have one name, or one has none")?;
    let ordered = |input: &Input| input.range[0] <= input.range[1] && all_finite(&[&input.range]);
    require(inputs.iter().all(ordered), "a range is not finite, or ends before it begins")
}

fn check_output(output: &Output) -> Checked {
    match output {
        Output::Soh { reference_ah: Some(ah) } => {
            require(*ah > 0.0 && ah.is_finite(), "the reference capacity is not above 0")
        }
        Output::Tier { names } => {
            let different: BTreeSet<&String> = names.iter().collect();
            let fits = (2..=Architecture::MAX_OUTPUTS).contains(&names.len());
            require(fits && different.len() == names.len(), "tiers are not 2 to 64 of different names")
        }
        _ => Ok(()),
    }
}

fn check_interval(table: &Conformal) -> Checked {
    let Conformal { levels, scores, coverage, .. } = table;
    require(levels.len() == scores.len(), "there is not one score a level")?;
    require(coverage.is_empty() || coverage.len() == levels.len(), "there is not one coverage a level")?;
    let inside = |level: &f64| 0.0 < *level && *level < 1.0;
    let share = |value: &f64| (0.0..=1.0).contains(value);
    require(
        levels.iter().all(inside) && levels.windows(2).all(|p| p[0] < p[1]),
        "levels do not ascend in 0 to 1",
    )?;
    require(scores.iter().all(|s| *s >= 0.0 && s.is_finite()), "a score is not 0 or more")?;
    require(scores.windows(2).all(|p| p[0] <= p[1]), "scores fall while the level rises")?;
    require(coverage.iter().all(share), "a coverage is no share")
}

fn check_theta(law: Law, theta: &[f64]) -> Checked {
    lengths("parameters of the law", [theta.len()], law.parameters().len())?;
    require(all_finite(&[theta]), "a parameter of the law is not finite")
}

fn check_logistic(logistic: &Logistic, n: usize, n_classes: usize) -> Checked {
    let Logistic { coefficients, intercepts } = logistic;
    let n_logits = if n_classes == 2 { 1 } else { n_classes };
    require(n_classes > 0, "it tells tiers, but a number is asked for")?;
    lengths("logits", [coefficients.len(), intercepts.len()], n_logits)?;
    coefficients.iter().try_for_each(|c| lengths("coefficients", [c.len()], n))?;
    let finite = coefficients.iter().all(|c| all_finite(&[c])) && all_finite(&[intercepts]);
    require(finite, "a coefficient is not finite")
}

fn check_shapes(architecture: &Architecture, n: usize, n_classes: usize) -> Checked {
    architecture.check().map_err(|e| e.to_string())?;
    require(architecture.d_input >= n, "it has more inputs than its networks")?;
    let fits = if n_classes > 0 { architecture.d_output == n_classes } else { architecture.d_output <= 2 };
    require(fits, "its networks have not one output a tier, or more than a mean and a variance")?;
    require(architecture.prior.is_none() || n_classes == 0, "a law answers no tiers")
}

fn check_start(architecture: &Architecture, start: Option<&PriorStart>) -> Checked {
    let Some((prior, start)) = architecture.prior.as_ref().zip(start) else {
        let both_absent = architecture.prior.is_none() && start.is_none();
        return require(both_absent, "a law without a fit, or the reverse");
    };
    check_theta(prior.law, &start.theta)?;
    let finite = start.label_mean.is_finite() && start.label_sd.is_finite();
    require(finite && start.label_sd > 0.0, "the scale of its label is not finite and above 0")
}

fn check_member(architecture: &Architecture, member: &Member) -> Checked {
    let n_statistics = architecture.statistics().last().map_or(0, |last| last.range().end);
    lengths("weights", [member.weights.len()], architecture.n_weights())?;
    lengths("running statistics", [member.statistics.len()], n_statistics)?;
    let mut numbers = member.weights.iter().chain(&member.statistics);
    require(numbers.all(|v| v.is_finite()), "a weight is not finite")?;
    let mut variances =
        architecture.statistics().into_iter().filter(|slice| slice.name.ends_with("variance"));
    let fine = variances.all(|slice| member.statistics[slice.range()].iter().all(|v| *v >= 0.0));
    require(fine, "a running variance is below 0")
}

fn check_trees(trees: &Trees, n: usize, n_outputs: usize) -> Checked {
    lengths("inputs of its trees", [trees.inputs().len()], n)?;
    lengths("outputs of its trees", [trees.n_outputs()], n_outputs)
}

fn check_calibration(calibration: &Calibration, n_classes: usize) -> Checked {
    match calibration {
        Calibration::None => Ok(()),
        Calibration::Temperature { temperature } => {
            require(*temperature > 0.0 && temperature.is_finite(), "its temperature is not above 0")
        }
        Calibration::Isotonic { classes, floor } => {
            lengths("corrections", [classes.len()], n_classes)?;
            require((0.0..=0.5).contains(floor), "its floor is not between 0 and 0.5")?;
            classes.iter().try_for_each(check_rising)
        }
    }
}

fn check_rising(rising: &Rising) -> Checked {
    let Rising { x, y } = rising;
    require(!x.is_empty(), "a correction has no point")?;
    lengths("values of a correction", [y.len()], x.len())?;
    require(all_finite(&[x, y]), "a correction is not finite")?;
    require(x.windows(2).all(|p| p[0] < p[1]), "places of a correction do not ascend")?;
    require(y.windows(2).all(|p| p[0] <= p[1]), "a correction falls")
}

fn at(place: &str, checked: Checked) -> Result<(), PipelineError> {
    checked.map_err(|found| PipelineError { place: place.into(), found })
}

fn require(holds: bool, otherwise: &str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn lengths<const N: usize>(what: &str, found: [usize; N], needed: usize) -> Checked {
    match found.into_iter().find(|found| *found != needed) {
        Some(found) => Err(format!("{what}: {found}, not {needed}")),
        None => Ok(()),
    }
}

fn all_finite(lists: &[&[f64]]) -> bool {
    lists.iter().all(|list| list.iter().all(|v| v.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::sample;

    #[test]
    fn every_sample_passes() {
        for (name, pipeline) in sample::all() {
            assert_eq!(pipeline.check(), Ok(()), "{name}");
        }
    }

    /// What breaks a pipeline, and what is said of it.
    type Break = (&'static str, fn(&mut Pipeline), &'static str);

    const BREAKS: [Break; 24] = [
        ("linear", |p| p.inputs.clear(), "inputs"),
        ("linear", |p| p.inputs[1].name = p.inputs[0].name.clone(), "inputs: two have one name"),
        ("linear", |p| p.inputs[1].range = [2.0, 1.0], "range"),
        ("linear", |p| p.output = Output::Soh { reference_ah: Some(0.0) }, "output"),
        ("linear", |p| p.output = Output::Tier { names: vec!["A".into(), "B".into()] }, "answers a number"),
        ("linear", |p| p.parts.clear(), "parts: there is none"),
        ("linear", |p| p.parts[1].columns[0] = 99, "fold `fold1`, repetition 0: it asks for an input that"),
        ("linear", |p| p.parts[0].columns[0] = p.parts[0].columns[1], "twice"),
        ("linear", |p| p.parts[0].scaler.mean.truncate(4), "scaler: 4, not 5"),
        ("linear", |p| p.parts[0].scaler.sd[2] = 0.0, "divides by 0"),
        ("linear", |p| p.parts[0].scaler.median[0] = f64::NAN, "not finite"),
        ("linear", |p| p.parts[0].label.1 = 0.0, "label"),
        ("linear", |p| p.parts[0].body = Body::Linear { weights: vec![0.0; 5] }, "weights: 5, not 6"),
        ("linear", |p| p.interval.as_mut().unwrap().scores[0] = 9.0, "scores fall"),
        ("linear", |p| p.interval.as_mut().unwrap().levels[3] = 1.0, "levels"),
        ("linear", |p| p.parts[0].calibration = Some(Calibration::None), "no probabilities"),
        ("law exponential", |p| p.parts[0].stress.truncate(1), "stress"),
        ("law exponential", |p| p.parts[0].body = Body::Law { law: Law::Line, theta: Vec::new() }, "stress"),
        ("logistic", |p| p.parts[0].body = Body::Linear { weights: vec![0.0; 6] }, "not tiers"),
        ("isotonic", |p| p.parts[0].calibration = Some(isotonic(2)), "corrections: 2, not 3"),
        ("classes", |p| networks(p).clear(), "no network"),
        ("classes", |p| networks(p)[0].weights[3] = f32::NAN, "not finite"),
        ("dense Relu Batch", |p| networks(p)[0].statistics.truncate(3), "running statistics"),
        ("trees of classes", |p| p.parts[0].columns.truncate(4), "scaler"),
    ];

    fn isotonic(n: usize) -> Calibration {
        Calibration::Isotonic { classes: vec![Rising { x: vec![0.5], y: vec![0.5] }; n], floor: 0.1 }
    }

    fn networks(pipeline: &mut Pipeline) -> &mut Vec<Member> {
        let Body::Networks { members, .. } = &mut pipeline.parts[0].body else { panic!("networks") };
        members
    }

    #[test]
    fn whatever_does_not_fit_is_named_with_its_place() {
        let all = sample::all();
        for (idx, (name, damage, expected)) in BREAKS.into_iter().enumerate() {
            let (_, pipeline) = all.iter().find(|(n, _)| n == name).expect(name);
            let mut broken = pipeline.clone();
            damage(&mut broken);
            let found = broken.check().expect_err(&format!("{idx} {name}")).to_string();
            assert!(found.contains(expected), "{idx} {name}: {found}");
        }
    }
}
