//! The fitted model on disk: what is small as JSON, the networks' numbers as safetensors, trees as `XGBoost` keeps them.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::fitted::Fitted;
use super::population;
use crate::file::{self, FileError};
use crate::model::Architecture;
use crate::model::trees::{TreeModel, Trees};
use crate::model::{Slice, keras};
use crate::prepare::Tiers;
use crate::train::engine::MemberState;

/// Name of the file with the networks' numbers.
pub const WEIGHTS: &str = "weights.safetensors";

/// Name of the file with one network as Keras loads it.
pub const KERAS_WEIGHTS: &str = "checkpoint.weights.h5";

/// Name of the file from which Keras builds that network.
pub const KERAS_BUILD: &str = "build_config.json";

/// Name of the file with all else.
pub const MODEL: &str = "model.json";

/// Name of the folder with one file of trees a fold and seed, as `XGBoost` loads them.
pub const TREES: &str = "trees";

/// Stores a fitted model; returns the SHA-256 of its weights, or of its trees one after the other, if it has any.
///
/// Each number is `<fold>/seed<i>/<slice>` (`B0005/seed0/layer0.weight`, `[d_in, d_out]`).
///
/// # Errors
/// [`ExperimentError::File`].
pub fn save(
    fitted: &Fitted,
    shapes: &Architecture,
    folder: &Path,
) -> Result<Option<String>, ExperimentError> {
    file::write_json(&folder.join(MODEL), fitted)?;
    if fitted.folds.iter().any(|f| !f.trees.is_empty()) {
        return save_trees(fitted, &folder.join(TREES)).map(Some);
    }
    if fitted.folds.iter().all(|f| f.members.is_empty()) {
        return Ok(None);
    }
    let path = folder.join(WEIGHTS);
    let mut parts: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, state) in members(fitted) {
        for (slices, numbers) in [(shapes.slices(), &state.weights), (shapes.statistics(), &state.statistics)]
        {
            let bytes = |s: &Slice| numbers[s.range()].iter().flat_map(|v| v.to_le_bytes()).collect();
            parts.extend(slices.iter().map(|s| (format!("{name}/{}", s.name), s.shape.clone(), bytes(s))));
        }
    }
    let views = parts.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|e| FileError::parse(&path, e))?;
    let bytes = serialize(views, None).map_err(|e| FileError::parse(&path, e))?;
    file::write_atomic(&path, &bytes)?;
    Ok(Some(file::sha256_bytes(&bytes)))
}

/// Returns the names of the files that [`save`] writes, below the folder.
pub fn files(fitted: &Fitted) -> Vec<String> {
    let mut names = vec![MODEL.to_owned()];
    for (position, fold) in fitted.folds.iter().enumerate() {
        let own = (0..fold.trees.len() as u64).map(|idx| trees_name(position, &fold.name, idx));
        names.extend(own.map(|name| format!("{TREES}/{name}")));
    }
    if fitted.folds.iter().any(|fold| !fold.members.is_empty()) {
        names.push(WEIGHTS.into());
    }
    names
}

/// Stores every fold's trees in files of their own; returns the SHA-256 of all.
fn save_trees(fitted: &Fitted, folder: &Path) -> Result<String, ExperimentError> {
    file::create_folder(folder)?;
    let mut hashes = String::new();
    for (position, fold) in fitted.folds.iter().enumerate() {
        let failed = |source| ExperimentError::Trees { fold: fold.name.clone(), source };
        for (idx, trees) in (0..).zip(&fold.trees) {
            let text = trees.to_json().map_err(failed)?;
            file::write_atomic(&folder.join(trees_name(position, &fold.name, idx)), text.as_bytes())?;
            hashes.push_str(&file::sha256_bytes(text.as_bytes()));
        }
    }
    Ok(file::sha256_bytes(hashes.as_bytes()))
}

/// Returns a name that no other fold has, whatever its own is made of.
fn trees_name(position: usize, fold: &str, idx: u64) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-.+".contains(c) { c } else { '_' };
    format!("{:02}_{}_seed{idx}.json", position + 1, fold.chars().map(safe).collect::<String>())
}

/// Stores the first network as Keras Tuner would, with what Keras builds it from and the names of its `inputs` in
/// their order; networks that Keras has no form for are left out. Inputs and label are scaled as `model.json` says.
///
/// # Errors
/// [`ExperimentError::File`].
pub fn save_keras(
    fitted: &Fitted,
    shapes: &Architecture,
    inputs: &[&str],
    folder: &Path,
) -> Result<(), ExperimentError> {
    let Some(member) = fitted.folds.first().and_then(|f| f.members.first()) else { return Ok(()) };
    let Ok(bytes) = keras::weights_h5(shapes, &member.weights, &member.statistics) else { return Ok(()) };
    file::write_atomic(&folder.join(KERAS_WEIGHTS), &bytes)?;
    let mut build = keras::build_config(shapes);
    build["inputs"] = inputs.into();
    Ok(file::write_json(&folder.join(KERAS_BUILD), &build)?)
}

/// A fitted model as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The model; of its networks only what predictions need.
    pub fitted: Fitted,
    /// Shapes of its networks; none without.
    pub shapes: Option<Architecture>,
}

/// What is wrong with a file of a stored model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}` is damaged: {found}")]
pub struct Damage {
    /// Name of the file below the run's folder.
    pub file: String,
    /// What does not fit.
    pub found: String,
}

impl Damage {
    /// Returns what is wrong with `file`.
    pub fn new(file: &str, found: impl std::fmt::Display) -> Self {
        Self { file: file.into(), found: found.to_string() }
    }
}

/// Reads what [`save`] stored; `read` gives the bytes of a file by its name below the folder.
///
/// Shapes of networks are those of the experiment and of the stored numbers themselves, so no data is needed.
///
/// # Errors
/// What `read` says, or [`Damage`] where a number is missing or of another shape, or a file is not of its format.
pub fn read<E: From<Damage>>(
    config: &ExperimentConfig,
    read: &dyn Fn(&str) -> Result<Vec<u8>, E>,
) -> Result<Stored, E> {
    let mut fitted: Fitted = serde_json::from_slice(&read(MODEL)?).map_err(|e| Damage::new(MODEL, e))?;
    if fitted.folds.is_empty() {
        return Err(Damage::new(MODEL, "it has no fold").into());
    }
    let mut shapes = None;
    if config.model.kind.has_trees() {
        read_trees(&mut fitted, n_each(config), read)?;
    } else if config.model.kind.has_networks() {
        shapes = Some(read_networks(config, &mut fitted, &read(WEIGHTS)?)?);
    }
    Ok(Stored { fitted, shapes })
}

/// Returns the networks or trees of each fold.
fn n_each(config: &ExperimentConfig) -> u64 {
    u64::from(config.repeats) * u64::from(config.train.members)
}

fn read_trees<E: From<Damage>>(
    fitted: &mut Fitted,
    n_each: u64,
    read: &dyn Fn(&str) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    for (position, fold) in fitted.folds.iter_mut().enumerate() {
        for idx in 0..n_each {
            let name = format!("{TREES}/{}", trees_name(position, &fold.name, idx));
            let damaged = |found: String| Damage { file: name.clone(), found };
            let text = String::from_utf8(read(&name)?).map_err(|e| damaged(e.to_string()))?;
            let trees = Trees::from_json(&text).map_err(|e| damaged(e.to_string()))?;
            if !trees.inputs().iter().map(|input| &input.name).eq(&fold.inputs) {
                return Err(damaged(format!("its inputs are not those of fold `{}`", fold.name)).into());
            }
            fold.trees.push(trees);
        }
    }
    Ok(())
}

fn read_networks(
    config: &ExperimentConfig,
    fitted: &mut Fitted,
    bytes: &[u8],
) -> Result<Architecture, Damage> {
    let damaged = |found: String| Damage { file: WEIGHTS.into(), found };
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    let shapes = shapes_of(config, fitted, &tensors)?;
    for fold in &mut fitted.folds {
        for idx in 0..n_each(config) {
            let name = format!("{}/seed{idx}", fold.name);
            let weights = numbers(&tensors, &name, &shapes.slices())?;
            let statistics = numbers(&tensors, &name, &shapes.statistics())?;
            fold.members.push(MemberState { weights, statistics, ..MemberState::default() });
        }
    }
    Ok(shapes)
}

/// Returns the shapes of the experiment's networks; the number of inputs is that of the first stored network, since a
/// fold may keep fewer than its networks have room for.
fn shapes_of(
    config: &ExperimentConfig,
    fitted: &Fitted,
    tensors: &SafeTensors,
) -> Result<Architecture, Damage> {
    let key = format!("{}/seed0/layer0.weight", fitted.folds[0].name);
    let first = tensors.tensor(&key).map_err(|e| Damage::new(WEIGHTS, format!("`{key}`: {e}")))?;
    // A tensor without numbers may be of any shape; one with some is no larger than its file.
    let d_input = if first.data().is_empty() { 0 } else { first.shape().first().copied().unwrap_or(0) };
    let n_classes = fitted.folds[0].tiers.as_ref().map(Tiers::n);
    let shapes = population::shapes(config, d_input, n_classes);
    shapes.check().map_err(|e| Damage::new(WEIGHTS, e))?;
    Ok(shapes)
}

/// Returns the numbers of slices, one after the other.
fn numbers(tensors: &SafeTensors, member: &str, slices: &[Slice]) -> Result<Vec<f32>, Damage> {
    let mut numbers = Vec::new();
    for slice in slices {
        let key = format!("{member}/{}", slice.name);
        let damaged = |found: String| Damage { file: WEIGHTS.into(), found: format!("`{key}` {found}") };
        let tensor = tensors.tensor(&key).map_err(|e| damaged(format!("cannot be read: {e}")))?;
        if tensor.shape() != slice.shape || tensor.dtype() != Dtype::F32 {
            return Err(damaged(format!(
                "is {:?} {:?}, not F32 {:?}",
                tensor.dtype(),
                tensor.shape(),
                slice.shape
            )));
        }
        let words = tensor.data().chunks_exact(4);
        numbers.extend(words.map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])));
    }
    Ok(numbers)
}

fn members(fitted: &Fitted) -> BTreeMap<String, &MemberState> {
    let named = fitted
        .folds
        .iter()
        .flat_map(|f| f.members.iter().enumerate().map(move |(idx, m)| (format!("{}/seed{idx}", f.name), m)));
    named.collect()
}
