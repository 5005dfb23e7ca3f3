//! The networks that a start names, read and held against the experiment's own.

use std::path::Path;

use super::{ScalingConfig, StartError, file_of, read_chain};
use crate::experiment::artifact::{self, Stored, WEIGHTS};
use crate::experiment::config::{ExperimentConfig, ModelKind};
use crate::experiment::error::ExperimentError;
use crate::experiment::fold::FittedFold;
use crate::experiment::folder::{self, EXPERIMENT};
use crate::experiment::parse;
use crate::experiment::population::architecture;
use crate::experiment::sealed::Sealed;
use crate::experiment::task::Task;
use crate::model::rescale::Scale;
use crate::model::{Architecture, PriorStart};

/// Networks to start from.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    from: String,
    sha256: String,
    seen: Vec<String>,
    leaks: bool,
    /// Whether it is a file that another program may have written.
    is_file: bool,
    has_scaling: bool,
    /// Folds of the experiment that have no networks of their own here.
    strangers: usize,
    pub(super) networks: Vec<Network>,
}

/// One network to start from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    /// Fold and number of the seed (`B0005`, 0).
    pub(super) place: (String, usize),
    /// Names of its inputs, in its order; none is the experiment's.
    pub(super) inputs: Option<Vec<String>>,
    /// Scaling of these inputs and of the label; none is that of each fold.
    pub(super) scale: Option<Scale>,
    /// Fit from which its law's parameters are offsets.
    pub(super) prior: Option<PriorStart>,
    pub(super) weights: Vec<f32>,
    pub(super) statistics: Vec<f32>,
}

impl Start {
    /// Reads what the experiment's `start` names; `None` without one, or where the model has no networks.
    ///
    /// # Errors
    /// [`ExperimentError::Start`], and whatever a run that cannot be read says.
    pub fn load(
        config: &ExperimentConfig,
        task: &Task,
        root: &Path,
    ) -> Result<Option<Self>, ExperimentError> {
        let Some(asked) = config.start.as_ref().filter(|_| config.model.kind.has_networks()) else {
            return Ok(None);
        };
        let start = match file_of(asked, root) {
            Some(_) => Self::of_file(config, task, root)?,
            None => Self::of_run(config, task, root)?,
        };
        match &asked.sha256 {
            Some(expected) if *expected != start.sha256 => {
                let (from, found) = (start.from, start.sha256);
                Err(StartError::Changed { from, expected: expected.clone(), found }.into())
            }
            _ => Ok(Some(start)),
        }
    }

    fn of_file(config: &ExperimentConfig, task: &Task, root: &Path) -> Result<Self, ExperimentError> {
        let asked = config.start.clone().unwrap_or_default();
        let (path, sha256, chain) = read_chain(&asked, root)?;
        if config.model.kind != ModelKind::Dense {
            return Err(StartError::Kind { path, kind: config.model.kind.name() }.into());
        }
        if config.select.is_some() {
            return Err(StartError::Select { path }.into());
        }
        let names: Vec<&str> = task.frame.inputs.iter().map(|input| input.name.as_str()).collect();
        let failed = |source| StartError::Chain { path: path.clone(), source };
        let member = chain.member(&architecture(config, task), &names, asked.epsilon);
        let (weights, statistics) = member.map_err(failed)?;
        let network = Network {
            place: (String::new(), 0),
            inputs: asked.scaling.as_ref().map(|s| s.inputs.iter().map(|i| i.name.clone()).collect()),
            scale: asked.scaling.as_ref().map(scale_of),
            prior: None,
            weights,
            statistics,
        };
        let from = path.display().to_string();
        let has_scaling = asked.scaling.is_some();
        let (seen, networks) = (Vec::new(), vec![network]);
        Ok(Self { from, sha256, seen, leaks: false, is_file: true, has_scaling, strangers: 0, networks })
    }

    fn of_run(config: &ExperimentConfig, task: &Task, root: &Path) -> Result<Self, ExperimentError> {
        let asked = config.start.as_ref().map_or("", |start| start.from.as_str());
        let path = folder::locate(root, Path::new(asked))?;
        let sealed = Sealed::open(&path)?;
        let from = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let text = String::from_utf8_lossy(&sealed.read(EXPERIMENT)?).into_owned();
        let run = parse::parse(&text, &path.join(EXPERIMENT).display().to_string(), &[])?;
        if !run.model.kind.has_networks() {
            return Err(StartError::NoNetworks { from, kind: run.model.kind.name() }.into());
        }
        let read = |name: &str| -> Result<Vec<u8>, ExperimentError> { Ok(sealed.read(name)?) };
        let Stored { fitted, shapes } = artifact::read(&run, &read)?;
        check_shapes(&from, shapes.as_ref(), &architecture(config, task))?;
        let data = sealed.manifest().data_sha256.clone();
        let networks: Vec<Network> = fitted.folds.iter().flat_map(|fold| networks_of(fold, &run)).collect();
        if networks.is_empty() {
            return Err(StartError::NotFinite { from }.into());
        }
        let own = |name: &String| networks.iter().any(|network| network.place.0 == *name);
        let strangers = task.folds.iter().filter(|fold| !own(&fold.name)).count();
        let leaks = may_have_seen((config, &run), (&task.data_sha256, &data), strangers);
        if leaks && !config.inputs.allow_leak {
            return Err(StartError::Leak { from }.into());
        }
        let sha256 = sealed.manifest().files.get(WEIGHTS).cloned().unwrap_or_default();
        let seen =
            [data].into_iter().chain(run.start.map_or_else(Vec::new, |start| start.data_sha256)).collect();
        Ok(Self { from, sha256, seen, leaks, is_file: false, has_scaling: true, strangers, networks })
    }

    /// Returns the run's folder below the working directory, or the file.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Returns the SHA-256 of the file of weights.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Returns the SHA-256 of all data that the weights are known to have seen.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Returns whether the weights may have seen test cells.
    pub fn leaks(&self) -> bool {
        self.leaks
    }

    /// Returns what a reader of the results must know.
    pub fn notes(&self) -> Vec<String> {
        let Self { from, sha256, .. } = self;
        if self.is_file {
            let scaling = if self.has_scaling {
                "behind its own scaling"
            } else {
                "taken to be trained behind the scaling of each fold (no --scaling)"
            };
            let first = format!("imported from {from} (sha256 {sha256}), {scaling}");
            return vec![
                first,
                "what the imported network was trained on is not known: it may have seen test cells".into(),
            ];
        }
        let mut notes = vec![format!("starts from the networks of {from} (sha256 {sha256})")];
        if self.strangers > 0 {
            let (fold, seed) = &self.networks[0].place;
            notes.push(format!(
                "{} folds are not in {from} and start from its {fold}/seed{seed}",
                self.strangers
            ));
        }
        if self.leaks {
            notes.push(format!(
                "the weights of {from} may have seen test cells, which inputs.allow_leak allows"
            ));
        }
        notes
    }
}

/// Returns the networks of a run's fold whose weights are numbers.
fn networks_of(fold: &FittedFold, run: &ExperimentConfig) -> Vec<Network> {
    let scaled = fold.scaler.mean.iter().copied().zip(fold.scaler.sd.iter().copied());
    let scale = Scale { inputs: scaled.collect(), label: fold.label_scale };
    let finite = fold.members.iter().enumerate().filter(|(_, member)| member.is_finite());
    let network = |(idx, member): (usize, &crate::train::engine::MemberState)| Network {
        place: (fold.name.clone(), idx),
        inputs: Some(fold.inputs.clone()),
        scale: Some(scale.clone()),
        prior: fold.prior_start(run),
        weights: member.weights.clone(),
        statistics: member.statistics.clone(),
    };
    finite.map(network).collect()
}

fn scale_of(scaling: &ScalingConfig) -> Scale {
    let inputs = scaling.inputs.iter().map(|input| (input.mean, input.sd)).collect();
    Scale { inputs, label: (scaling.label.mean, scaling.label.sd) }
}

/// Holds a run's networks against the experiment's; dropout and what is trained of a law may differ.
fn check_shapes(from: &str, found: Option<&Architecture>, needed: &Architecture) -> Result<(), StartError> {
    let Some(found) = found else { return Err(StartError::NotFinite { from: from.into() }) };
    let law = |a: &Architecture| a.prior.as_ref().map(|p| (p.law.name(), p.residual, p.residual_scale));
    let (f, n) = (&found.network, &needed.network);
    let checks = [
        ("inputs", found.d_input.to_string(), needed.d_input.to_string()),
        ("outputs", found.d_output.to_string(), needed.d_output.to_string()),
        ("model.hidden", format!("{:?}", f.hidden), format!("{:?}", n.hidden)),
        ("model.activation", format!("{:?}", f.activation), format!("{:?}", n.activation)),
        ("model.normalisation", format!("{:?}", f.normalisation), format!("{:?}", n.normalisation)),
        ("model.skip", f.skip.to_string(), n.skip.to_string()),
        ("law and residual", format!("{:?}", law(found)), format!("{:?}", law(needed))),
    ];
    match checks.into_iter().find(|(_, found, needed)| found != needed) {
        Some((key, found, needed)) => Err(StartError::Differs { from: from.into(), key, found, needed }),
        None => Ok(()),
    }
}

/// Returns whether a run's networks may have learnt from cells that they will be tested on: the same data, but other folds.
fn may_have_seen(
    (config, run): (&ExperimentConfig, &ExperimentConfig),
    (own, other): (&String, &String),
    strangers: usize,
) -> bool {
    let earlier = run.start.as_ref();
    let is_seen = own == other || earlier.is_some_and(|start| start.data_sha256.contains(own));
    let same_folds = own == other
        && strangers == 0
        && !earlier.is_some_and(|start| start.leaks)
        && (&config.dataset, &config.cells, config.kind, &config.split, config.inputs.cycles)
            == (&run.dataset, &run.cells, run.kind, &run.split, run.inputs.cycles)
        && (config.reference, &config.label) == (run.reference, &run.label);
    is_seen && !same_folds
}
