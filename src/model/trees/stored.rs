//! The stored form: names and units of the inputs in `XGBoost`'s JSON, and what is checked of it.

use serde_json::{Value, json};

use super::{Input, TreesError};
use crate::model::Architecture;

/// Attribute that holds the units, a JSON list in a string, as attributes are strings.
const UNITS: &str = "units";

/// What the softmax and the squared error are called there.
const OBJECTIVES: [&str; 2] = ["multi:softprob", "reg:squarederror"];

/// Returns the JSON of a model with its inputs' names, types and units filled in.
pub(super) fn with_inputs(model: &[u8], inputs: &[Input]) -> Result<String, TreesError> {
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let units: Vec<&str> = inputs.iter().map(|input| input.unit.as_str()).collect();
    let mut root: Value = serde_json::from_slice(model).map_err(library)?;
    let learner = &mut root["learner"];
    learner["feature_types"] = json!(vec!["float"; names.len()]);
    learner["feature_names"] = json!(names);
    learner["attributes"] = json!({ UNITS: json!(units).to_string() });
    serde_json::to_string(&root).map_err(library)
}

/// Returns the inputs of a stored model; a model without units, as others write it, has empty ones.
pub(super) fn inputs(text: &str) -> Result<Vec<Input>, TreesError> {
    let root: Value = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let learner = &root["learner"];
    let names: Vec<String> = serde_json::from_value(learner["feature_names"].clone())
        .map_err(|e| wrong(format!("`learner.feature_names`: {e}")))?;
    let units: Vec<String> = match learner["attributes"].get(UNITS).map(Value::as_str) {
        None => vec![String::new(); names.len()],
        Some(list) => serde_json::from_str(list.unwrap_or_default())
            .map_err(|e| wrong(format!("`learner.attributes.{UNITS}`: {e}")))?,
    };
    if units.len() != names.len() {
        return Err(wrong(format!("{} units for {} names of inputs", units.len(), names.len())));
    }
    check_sizes(&learner["learner_model_param"], names.len())?;
    Ok(names.into_iter().zip(units).map(|(name, unit)| Input { name, unit }).collect())
}

/// Checks the sizes that the library makes room for before it has seen a tree.
fn check_sizes(parameters: &Value, n_inputs: usize) -> Result<(), TreesError> {
    let number = |key: &str| {
        let stated = &parameters[key];
        let number = stated.as_u64().or_else(|| stated.as_str()?.parse().ok());
        number
            .or(stated.is_null().then_some(0))
            .ok_or_else(|| wrong(format!("`{key}` is {stated}, no number")))
    };
    let found = number("num_feature")?;
    if found > n_inputs as u64 {
        return Err(wrong(format!("{n_inputs} names for {found} inputs")));
    }
    let most = Architecture::MAX_OUTPUTS;
    for key in ["num_class", "num_target"] {
        let found = number(key)?;
        if found > most as u64 {
            return Err(wrong(format!("`{key}` is {found}, more than {most}")));
        }
    }
    Ok(())
}

/// Checks that a stored model is one of ours: an input a name, and an objective that we predict by.
pub(super) fn check(inputs: &[Input], n_inputs: usize, objective: &str) -> Result<(), TreesError> {
    if inputs.len() != n_inputs {
        return Err(wrong(format!("{} names for {n_inputs} inputs", inputs.len())));
    }
    if !OBJECTIVES.contains(&objective) {
        return Err(wrong(format!("the objective is `{objective}`, not one of {OBJECTIVES:?}")));
    }
    check_names(inputs).map_err(|e| wrong(e.to_string()))
}

/// Checks that no two inputs have one name.
pub(super) fn check_names(inputs: &[Input]) -> Result<(), TreesError> {
    let mut names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(TreesError::SameName { name: pair[0].into() }),
        None => Ok(()),
    }
}

fn wrong(reason: String) -> TreesError {
    TreesError::Stored { reason }
}

fn library(error: serde_json::Error) -> TreesError {
    TreesError::Library(Box::new(error))
}
