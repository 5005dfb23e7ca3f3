//! Trees fitted by the crate `hessboost`, which repeats `XGBoost`'s arithmetic.

use std::num::NonZeroUsize;

use hessboost::config::{ExtraTrees, TrainingParams, TreeMethod};
use hessboost::data::DMatrix;
use hessboost::error::HessboostError;
use hessboost::model::{BoostedModel, ImportanceType, Iterations, ModelFormat};
use hessboost::objective::{Multiclass, Objective, RegLoss};
use hessboost::training::train;
use rand::Rng;
use rayon::prelude::*;

use super::{Importance, Input, Lesson, Splits, Target, TreeModel, TreesConfig, TreesError, stored};
use crate::seed::Seed;

/// Fitted trees; the same seed gives the same trees whatever the number of threads.
#[derive(Debug, Clone)]
pub struct Trees {
    inputs: Vec<Input>,
    model: BoostedModel,
}

impl Trees {
    /// Fits trees to a lesson; each member draws rows and columns from a stream of its own below `seed`.
    ///
    /// An input that is missing in every row, or never varies, is never asked. A class without rows gets the small
    /// probability that the softmax leaves it.
    ///
    /// # Errors
    /// [`TreesError::Setting`] for the first setting out of range; [`TreesError::Empty`], [`TreesError::SameName`],
    /// [`TreesError::RowWidth`], [`TreesError::NotFinite`], [`TreesError::LabelCount`], [`TreesError::Label`],
    /// [`TreesError::OneClass`] and [`TreesError::ClassWeight`] for a lesson that nothing can be learnt from.
    pub fn fit(config: &TreesConfig, lesson: &Lesson, seed: &Seed) -> Result<Self, TreesError> {
        if let Some(error) = config.check().into_iter().next() {
            return Err(error.into());
        }
        let data = matrix_of(lesson)?;
        let objective = objective(&lesson.target)?;
        let member = |member_idx: u32| {
            let params = params(config, objective.clone(), &seed.child(format!("member/{member_idx}")))?;
            train(&params, &data, config.rounds as usize)
        };
        let members = (0..config.members).into_par_iter().map(member).collect::<Result<Vec<_>, _>>();
        let members = members.map_err(library)?;
        let model = BoostedModel::average(&members).map_err(library)?;
        Ok(Self { inputs: lesson.inputs.to_vec(), model })
    }
}

/// Equal trees have one stored form.
impl PartialEq for Trees {
    fn eq(&self, other: &Self) -> bool {
        self.to_json().ok() == other.to_json().ok()
    }
}

impl TreeModel for Trees {
    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn n_outputs(&self) -> usize {
        self.model.n_outputs()
    }

    fn margins(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, TreesError> {
        let Some(data) = matrix(&self.inputs, rows)? else { return Ok(Vec::new()) };
        let margins = self.model.predict_margin(&data, Iterations::Best).map_err(library)?;
        Ok(margins.rows().map(widen).collect())
    }

    fn shap(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<Vec<f64>>>, TreesError> {
        let Some(data) = matrix(&self.inputs, rows)? else { return Ok(Vec::new()) };
        let parts = self.model.predict_contribs(&data, Iterations::Best).map_err(library)?;
        let (width, n_outputs) = (self.inputs.len() + 1, self.n_outputs());
        let row = |row: &[f32]| row.chunks(width).map(widen).collect();
        Ok(parts.as_slice().chunks(n_outputs * width).map(row).collect())
    }

    fn importance(&self, by: Importance) -> Vec<f64> {
        let kind = match by {
            Importance::Gain => ImportanceType::TotalGain,
            Importance::Cover => ImportanceType::TotalCover,
        };
        let sums = self.model.feature_importance(kind);
        (0..self.inputs.len()).map(|idx| sums.get(&idx).copied().unwrap_or(0.0)).collect()
    }

    fn to_json(&self) -> Result<String, TreesError> {
        let bytes = self.model.encode(ModelFormat::XgboostJson).map_err(library)?;
        stored::with_inputs(&bytes, &self.inputs)
    }

    fn from_json(text: &str) -> Result<Self, TreesError> {
        let inputs = stored::inputs(text)?;
        let model = BoostedModel::decode(text, ModelFormat::XgboostJson);
        let model = model.map_err(|e| TreesError::Stored { reason: e.to_string() })?;
        stored::check(&inputs, model.n_features(), model.objective().name())?;
        Ok(Self { inputs, model })
    }
}

fn params(config: &TreesConfig, objective: Objective, seed: &Seed) -> Result<TrainingParams, HessboostError> {
    let mut rng = seed.stream("trees");
    let mut params = TrainingParams::default();
    params.objective = objective;
    params.tree_method = TreeMethod::Hist;
    params.seed = rng.next_u64();
    params.extra_trees = (config.splits == Splits::Random).then(|| ExtraTrees::with_seed(rng.next_u64()));
    params.num_parallel_tree = config.trees_per_round as usize;
    params.max_depth = NonZeroUsize::new(config.depth as usize);
    params.eta = config.learning_rate;
    params.subsample = config.row_share;
    params.colsample_bytree = config.column_share;
    params.colsample_bynode = config.node_column_share;
    params.min_child_weight = config.min_child_weight;
    params.lambda = config.l2;
    params.alpha = config.l1;
    params.gamma = config.min_gain;
    params.max_bin = config.max_bins as usize;
    params.validate().map(|()| params)
}

fn objective(target: &Target) -> Result<Objective, TreesError> {
    match target {
        Target::Values(_) => Ok(Objective::SquaredError(RegLoss::default())),
        Target::Classes { weights, .. } => {
            Ok(Objective::Softprob(Multiclass::new(weights.len()).map_err(library)?))
        }
    }
}

/// Returns the rows with their labels and weights.
fn matrix_of(lesson: &Lesson) -> Result<DMatrix, TreesError> {
    stored::check_names(lesson.inputs)?;
    let empty = TreesError::Empty { n_rows: lesson.rows.len(), n_inputs: lesson.inputs.len() };
    let data = matrix(lesson.inputs, lesson.rows)?.ok_or(empty)?;
    let (labels, weights) = match lesson.target {
        Target::Values(values) => (value_labels(values, lesson.rows.len())?, None),
        Target::Classes { labels, weights } => {
            check_classes(labels, weights, lesson.rows.len())?;
            let weights: Vec<f32> = labels.iter().map(|class| weights[*class] as f32).collect();
            (labels.iter().map(|class| *class as f32).collect(), Some(weights))
        }
    };
    let data = data.with_labels(&labels).map_err(library)?;
    match weights {
        Some(weights) => data.with_weights(&weights).map_err(library),
        None => Ok(data),
    }
}

/// Returns the rows, `None` where there are none or where they are of no inputs.
fn matrix(inputs: &[Input], rows: &[Vec<f64>]) -> Result<Option<DMatrix>, TreesError> {
    let mut values = Vec::with_capacity(rows.len() * inputs.len());
    for (row_idx, row) in rows.iter().enumerate() {
        if row.len() != inputs.len() {
            return Err(TreesError::RowWidth { row_idx, found: row.len(), needed: inputs.len() });
        }
        for (input, &value) in inputs.iter().zip(row) {
            if (value as f32).is_infinite() {
                return Err(TreesError::NotFinite { input: input.name.clone(), row_idx, value });
            }
            values.push(value as f32);
        }
    }
    let data = (!values.is_empty()).then(|| DMatrix::from_dense_vec(values, rows.len(), inputs.len()));
    data.transpose().map_err(library)
}

fn value_labels(values: &[f64], n_rows: usize) -> Result<Vec<f32>, TreesError> {
    if values.len() != n_rows {
        return Err(TreesError::LabelCount { found: values.len(), n_rows });
    }
    match values.iter().position(|value| !(*value as f32).is_finite()) {
        Some(row_idx) => {
            let expected = "a finite number up to 3.4e38".into();
            Err(TreesError::Label { row_idx, value: values[row_idx], expected })
        }
        None => Ok(values.iter().map(|value| *value as f32).collect()),
    }
}

fn check_classes(labels: &[usize], weights: &[f64], n_rows: usize) -> Result<(), TreesError> {
    if labels.len() != n_rows {
        return Err(TreesError::LabelCount { found: labels.len(), n_rows });
    }
    let n_classes = weights.len();
    if let Some(row_idx) = labels.iter().position(|class| *class >= n_classes) {
        let expected = format!("a class below {n_classes}, the number of class weights");
        return Err(TreesError::Label { row_idx, value: labels[row_idx] as f64, expected });
    }
    if let Some(class) = weights.iter().position(|w| !(*w > 0.0 && (*w as f32).is_finite())) {
        return Err(TreesError::ClassWeight { class, weight: weights[class] });
    }
    let one = labels.iter().all(|class| *class == labels[0]);
    if one { Err(TreesError::OneClass { class: labels[0] }) } else { Ok(()) }
}

fn widen(row: &[f32]) -> Vec<f64> {
    row.iter().copied().map(f64::from).collect()
}

fn library(error: HessboostError) -> TreesError {
    TreesError::Library(Box::new(error))
}
