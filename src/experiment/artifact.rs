//! The fitted model on disk: what is small as JSON, the networks' numbers as safetensors, trees as `XGBoost` keeps them.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::error::ExperimentError;
use super::fitted::Fitted;
use crate::file::{self, FileError};
use crate::model::Architecture;
use crate::model::trees::{TreeModel, Trees};
use crate::model::{Slice, keras};
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

/// Stores every fold's trees in files of their own; returns the SHA-256 of all.
fn save_trees(fitted: &Fitted, folder: &Path) -> Result<String, ExperimentError> {
    file::create_folder(folder)?;
    let mut hashes = String::new();
    for (position, fold) in fitted.folds.iter().enumerate() {
        let failed = |source| ExperimentError::Trees { fold: fold.name.clone(), source };
        for (idx, trees) in fold.trees.iter().enumerate() {
            let text = trees.to_json().map_err(failed)?;
            file::write_atomic(&folder.join(trees_name(position, &fold.name, idx)), text.as_bytes())?;
            hashes.push_str(&file::sha256_bytes(text.as_bytes()));
        }
    }
    Ok(file::sha256_bytes(hashes.as_bytes()))
}

/// Loads what [`save`] stored of trees, `n_each` a fold.
///
/// # Errors
/// [`ExperimentError::File`], [`ExperimentError::Damaged`].
pub fn load_trees(folder: &Path, n_each: usize, sha256: Option<&str>) -> Result<Fitted, ExperimentError> {
    let mut fitted: Fitted = file::read_json(&folder.join(MODEL))?;
    let mut hashes = String::new();
    for (position, fold) in fitted.folds.iter_mut().enumerate() {
        for idx in 0..n_each {
            let name = trees_name(position, &fold.name, idx);
            let text = file::read_text(&folder.join(TREES).join(&name))?;
            hashes.push_str(&file::sha256_bytes(text.as_bytes()));
            let damaged =
                |e| ExperimentError::Damaged { run: folder.into(), found: format!("`{TREES}/{name}`: {e}") };
            fold.trees.push(Trees::from_json(&text).map_err(damaged)?);
        }
    }
    if sha256.is_some_and(|expected| expected != file::sha256_bytes(hashes.as_bytes())) {
        let found = format!("the SHA-256 of the files in `{TREES}` differs from that in `run.json`");
        return Err(ExperimentError::Damaged { run: folder.into(), found });
    }
    Ok(fitted)
}

/// Returns a name that no other fold has, whatever its own is made of.
fn trees_name(position: usize, fold: &str, idx: usize) -> String {
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

/// Loads a fitted model whose folds have `n_members` networks each (0 for models without).
///
/// # Errors
/// [`ExperimentError::File`], or [`ExperimentError::Damaged`] where a number is missing or of another shape, or the
/// hash is not `sha256`.
pub fn load(
    shapes: &Architecture,
    folder: &Path,
    n_members: usize,
    sha256: Option<&str>,
) -> Result<Fitted, ExperimentError> {
    let mut fitted: Fitted = file::read_json(&folder.join(MODEL))?;
    if n_members == 0 {
        return Ok(fitted);
    }
    let damaged = |found: String| ExperimentError::Damaged { run: folder.into(), found };
    let path = folder.join(WEIGHTS);
    let bytes = file::read(&path)?;
    if sha256.is_some_and(|expected| expected != file::sha256_bytes(&bytes)) {
        return Err(damaged(format!("the SHA-256 of `{WEIGHTS}` differs from that in `run.json`")));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| FileError::parse(&path, e))?;
    let numbers = |name: &str, slices: Vec<Slice>| -> Result<Vec<f32>, ExperimentError> {
        let mut numbers = Vec::new();
        for slice in slices {
            let key = format!("{name}/{}", slice.name);
            let tensor = tensors.tensor(&key).map_err(|e| damaged(format!("`{key}`: {e}")))?;
            if tensor.shape() != slice.shape || tensor.dtype() != Dtype::F32 {
                return Err(damaged(format!(
                    "`{key}` has shape {:?}, not {:?}",
                    tensor.shape(),
                    slice.shape
                )));
            }
            let words = tensor.data().chunks_exact(4);
            numbers.extend(words.map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])));
        }
        Ok(numbers)
    };
    for fold in &mut fitted.folds {
        for idx in 0..n_members {
            let name = format!("{}/seed{idx}", fold.name);
            let weights = numbers(&name, shapes.slices())?;
            let statistics = numbers(&name, shapes.statistics())?;
            fold.members.push(MemberState { weights, statistics, ..MemberState::default() });
        }
    }
    Ok(fitted)
}

fn members(fitted: &Fitted) -> BTreeMap<String, &MemberState> {
    let named = fitted
        .folds
        .iter()
        .flat_map(|f| f.members.iter().enumerate().map(move |(idx, m)| (format!("{}/seed{idx}", f.name), m)));
    named.collect()
}
