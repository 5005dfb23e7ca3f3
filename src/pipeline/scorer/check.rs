//! Whether the numbers of a pipeline fit each other, so that computing it never fails.

use super::ScorerError;
use crate::model::calibration::Calibration;
use crate::model::trees::{TreeModel, Trees};
use crate::model::{Architecture, PriorStart};
use crate::physics::Law;
use crate::pipeline::{Body, Member, Part, Pipeline};

/// Checks every part of a pipeline.
///
/// # Errors
/// The first number of numbers that does not fit.
pub(super) fn check(pipeline: &Pipeline) -> Result<(), ScorerError> {
    let (n_parts, n_inputs) = (pipeline.parts.len(), pipeline.inputs.len());
    if n_parts == 0 || n_inputs == 0 {
        return Err(ScorerError::Empty { n_parts, n_inputs });
    }
    pipeline.parts.iter().try_for_each(|part| Checked { part, width: pipeline.width() }.check(n_inputs))
}

/// A part that is checked, and the numbers of its label.
struct Checked<'a> {
    part: &'a Part,
    width: usize,
}

impl Checked<'_> {
    fn check(&self, n_inputs: usize) -> Result<(), ScorerError> {
        let Part { columns, scaler, stress, stress_median, calibration, .. } = self.part;
        if let Some(&column) = columns.iter().chain(stress).find(|&&column| column >= n_inputs) {
            return Err(ScorerError::Column { fold: self.part.fold.clone(), column, n_inputs });
        }
        for list in [&scaler.median, &scaler.mean, &scaler.sd] {
            self.count("numbers of a scaler", list.len(), columns.len())?;
        }
        self.count("medians of stress", stress_median.len(), stress.len())?;
        if let Some(Calibration::Isotonic { classes, .. }) = calibration {
            self.count("calibrated tiers", classes.len(), self.width)?;
            for class in classes {
                self.count("values of a calibration", class.y.len(), class.x.len().max(1))?;
            }
        }
        self.body()
    }

    fn body(&self) -> Result<(), ScorerError> {
        let d = self.part.columns.len();
        match &self.part.body {
            Body::Law { law, theta } => self.law(*law, theta),
            Body::Linear { weights } => self.count("weights", weights.len(), d + 1).and(self.width(1)),
            Body::Logistic(logistic) => {
                self.count("coefficients", logistic.coefficients.len(), logistic.intercepts.len())?;
                self.count("logits", logistic.intercepts.len(), logistic.intercepts.len().max(1))?;
                for own in &logistic.coefficients {
                    self.count("coefficients of a tier", own.len(), d)?;
                }
                self.width(logistic.n_classes())
            }
            Body::Networks { architecture, classes, start, members } => {
                self.networks((architecture, *classes), start.as_ref(), members)
            }
            Body::Trees { law, trees } => self.trees(law.as_ref(), trees),
        }
    }

    fn law(&self, law: Law, theta: &[f64]) -> Result<(), ScorerError> {
        self.count("parameters of the law", theta.len(), law.parameters().len())?;
        self.count("inputs of the law", self.part.stress.len(), law.stress().len())?;
        self.width(1)
    }

    fn networks(
        &self,
        (architecture, classes): (&Architecture, bool),
        start: Option<&PriorStart>,
        members: &[Member],
    ) -> Result<(), ScorerError> {
        let failed = |source| ScorerError::Network { fold: self.part.fold.clone(), source };
        architecture.check().map_err(failed)?;
        let d = self.part.columns.len();
        self.count("inputs of the networks", architecture.d_input.min(d), d)?;
        self.count("networks", members.len(), members.len().max(1))?;
        for member in members {
            self.count("weights of a network", member.weights.len(), architecture.n_weights())?;
            self.count("statistics of a network", member.statistics.len(), n_statistics(architecture))?;
        }
        let has_prior = usize::from(architecture.prior.is_some());
        self.count("fits of a law", usize::from(start.is_some()), has_prior)?;
        if let Some((prior, start)) = architecture.prior.as_ref().zip(start) {
            self.law(prior.law, &start.theta)?;
        }
        self.width(if classes { architecture.d_output } else { 1 })
    }

    fn trees(&self, law: Option<&(Law, Vec<f64>)>, trees: &[Trees]) -> Result<(), ScorerError> {
        self.count("models of trees", trees.len(), trees.len().max(1))?;
        for trees in trees {
            self.count("inputs of the trees", trees.inputs().len(), self.part.columns.len().max(1))?;
            self.width(trees.n_outputs())?;
        }
        law.map_or(Ok(()), |(law, theta)| self.law(*law, theta))
    }

    fn width(&self, found: usize) -> Result<(), ScorerError> {
        self.count("outputs", found, self.width)
    }

    fn count(&self, what: &'static str, found: usize, needed: usize) -> Result<(), ScorerError> {
        if found == needed {
            return Ok(());
        }
        Err(ScorerError::Shape { fold: self.part.fold.clone(), what, found, needed })
    }
}

fn n_statistics(architecture: &Architecture) -> usize {
    architecture.statistics().last().map_or(0, |last| last.range().end)
}
