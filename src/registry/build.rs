//! From what a run stored to the pipeline that computes its answers.

use crate::experiment::ExperimentConfig;
use crate::experiment::artifact::{Damage, MODEL, Stored};
use crate::experiment::config::ModelKind;
use crate::experiment::fold::{FittedFold, FittedLaw};
use crate::experiment::folder::EXPERIMENT;
use crate::experiment::sealed::SealError;
use crate::model::{Architecture, PriorStart};
use crate::physics::Law;
use crate::pipeline::manifest::{MANIFEST, Manifest};
use crate::pipeline::{Body, Member, Output, Part, Pipeline};
use crate::prepare::{Scaler, Tiers};
use crate::train::engine::MemberState;

/// Why a stored model could not be read.
pub(super) enum Unread {
    /// A file is not as it was.
    Sealed(SealError),
    /// A file is, and does not fit.
    Damaged(Damage),
}

impl From<Damage> for Unread {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// Returns an error and its causes as one sentence.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Builds the pipeline of a run.
///
/// # Errors
/// [`Damage`] names the file whose contents do not fit the others.
pub(super) fn pipeline(
    manifest: &Manifest,
    config: &ExperimentConfig,
    stored: Stored,
) -> Result<Pipeline, Damage> {
    if (manifest.kind.as_str(), manifest.model.as_str()) != (config.kind.name(), config.model.kind.name()) {
        return Err(Damage::new(MANIFEST, format!("its kind or model is not that of `{EXPERIMENT}`")));
    }
    let Stored { fitted, shapes } = stored;
    let builder = Builder { manifest, config, shapes };
    let mut parts = Vec::new();
    for fold in &fitted.folds {
        parts.extend(builder.parts(fold)?);
    }
    let pipeline = Pipeline {
        name: manifest.experiment.clone(),
        run: manifest.run.clone(),
        model: manifest.model.clone(),
        inputs: manifest.inputs.clone(),
        output: manifest.output.clone(),
        parts,
        interval: manifest.interval.clone(),
    };
    pipeline.check().map_err(|e| Damage::new(MODEL, e))?;
    Ok(pipeline)
}

/// What all parts of a pipeline have in common.
struct Builder<'a> {
    manifest: &'a Manifest,
    config: &'a ExperimentConfig,
    shapes: Option<Architecture>,
}

impl Builder<'_> {
    /// Returns the parts of a fold, one a repetition; a repetition whose networks all diverged has none.
    fn parts(&self, fold: &FittedFold) -> Result<Vec<Part>, Damage> {
        self.check(fold)?;
        let bodies = self.bodies(fold)?;
        let law = self.law();
        let sees_inputs = self.config.model.kind != ModelKind::Physics;
        let inputs: &[String] = if sees_inputs { &fold.inputs } else { &[] };
        let columns = inputs.iter().map(|name| self.position(name)).collect::<Result<Vec<_>, _>>()?;
        let stress = law.map_or(&[][..], |law| law.stress()).iter().map(|stress| self.position(stress.name));
        let stress = stress.collect::<Result<Vec<_>, _>>()?;
        let none = || Scaler { median: Vec::new(), mean: Vec::new(), sd: Vec::new() };
        let part = |(repetition, body): (usize, Body)| Part {
            fold: fold.name.clone(),
            repetition,
            columns: columns.clone(),
            scaler: if sees_inputs { fold.scaler.clone() } else { none() },
            stress: stress.clone(),
            stress_median: if law.is_some() { fold.stress_median.clone() } else { Vec::new() },
            label: fold.label_scale,
            body,
            calibration: fold.calibration.get(repetition).cloned(),
        };
        Ok(bodies.into_iter().map(part).collect())
    }

    fn check(&self, fold: &FittedFold) -> Result<(), Damage> {
        let wrong = |found: &str| Err(Damage::new(MODEL, format!("fold `{}` {found}", fold.name)));
        let n_tiers = if let Output::Tier { names } = &self.manifest.output { names.len() } else { 0 };
        if fold.tiers.as_ref().map_or(0, Tiers::n) != n_tiers {
            return wrong("has other tiers than the run answers");
        }
        if fold.columns.len() != fold.inputs.len() {
            return wrong("has not one name a column");
        }
        let is_corrected = !fold.calibration.is_empty();
        if is_corrected && fold.calibration.len() != self.n_repetitions() {
            return wrong("has not one correction a repetition");
        }
        Ok(())
    }

    /// Returns the models that are averaged, of folds whose model has several repetitions.
    fn n_repetitions(&self) -> usize {
        let kind = self.config.model.kind;
        if kind.has_networks() || kind.has_trees() { self.config.repeats as usize } else { 1 }
    }

    fn law(&self) -> Option<Law> {
        let model = &self.config.model;
        model.kind.has_law().then_some(model.prior)
    }

    fn position(&self, name: &str) -> Result<usize, Damage> {
        let position = self.manifest.inputs.iter().position(|input| input.name == name);
        position.ok_or_else(|| Damage::new(MANIFEST, format!("it lists no input `{name}`")))
    }

    /// Returns what each repetition computes, with its number.
    fn bodies(&self, fold: &FittedFold) -> Result<Vec<(usize, Body)>, Damage> {
        let lacks = |what: &str| Damage::new(MODEL, format!("fold `{}` has no {what}", fold.name));
        let fitted = || fold.law.as_ref().ok_or_else(|| lacks("law"));
        let once = |body: Body| vec![(0, body)];
        let n_members = self.config.train.members as usize;
        Ok(match self.config.model.kind {
            ModelKind::Physics => {
                let FittedLaw { theta, .. } = fitted()?;
                once(Body::Law { law: self.config.model.prior, theta: theta.clone() })
            }
            ModelKind::Linear => {
                once(Body::Linear { weights: fold.linear.clone().ok_or_else(|| lacks("linear model"))? })
            }
            ModelKind::Logistic => {
                once(Body::Logistic(fold.logistic.clone().ok_or_else(|| lacks("logistic regression"))?))
            }
            ModelKind::Trees | ModelKind::HybridTrees => {
                let theta = self.law().map(|_| fitted()).transpose()?.map(|law| law.theta.clone());
                let law = self.law().zip(theta);
                let body = |trees: &[_]| Body::Trees { law: law.clone(), trees: trees.to_vec() };
                fold.trees.chunks(n_members).map(body).enumerate().collect()
            }
            ModelKind::Dense | ModelKind::Hybrid => {
                let architecture = self.shapes.clone().ok_or_else(|| lacks("network"))?;
                let theta = architecture.prior.is_some().then(fitted).transpose()?.map(|law| &law.theta);
                let start = theta.map(|theta| start(fold, theta));
                self.networks(fold, &architecture, start.as_ref())
            }
        })
    }

    fn networks(
        &self,
        fold: &FittedFold,
        architecture: &Architecture,
        start: Option<&PriorStart>,
    ) -> Vec<(usize, Body)> {
        let classes = matches!(self.manifest.output, Output::Tier { .. });
        let is_finite =
            |state: &&MemberState| state.is_finite() && state.statistics.iter().all(|v| v.is_finite());
        let finite = |(repetition, states): (usize, &[MemberState])| {
            let members: Vec<Member> = states.iter().filter(is_finite).map(member).collect();
            let (architecture, start) = (architecture.clone(), start.cloned());
            let any = !members.is_empty();
            any.then_some((repetition, Body::Networks { architecture, classes, start, members }))
        };
        fold.members.chunks(self.config.train.members as usize).enumerate().filter_map(finite).collect()
    }
}

fn member(state: &MemberState) -> Member {
    Member { weights: state.weights.clone(), statistics: state.statistics.clone() }
}

fn start(fold: &FittedFold, theta: &[f64]) -> PriorStart {
    let (label_mean, label_sd) = fold.label_scale;
    PriorStart { theta: theta.to_vec(), label_mean, label_sd }
}
