//! Schemas of what is sent and answered, and an example for each model.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::reference;
use crate::pipeline::Input;
use crate::predict::unit::accepted;
use crate::serve::model::{Answers, Card, Model, Values};

/// Returns every schema.
pub(super) fn all(models: &[(String, Arc<dyn Model>)]) -> Value {
    let mut all = Map::new();
    let fixed = [
        ("refusal", refusal()),
        (
            "status",
            json!({ "type": "object", "required": ["status"], "properties": { "status": { "enum": ["alive", "ready", "draining"] } } }),
        ),
        ("document", json!({ "type": "object", "required": ["openapi", "info", "paths"] })),
        ("models", of_models()),
        ("formats", formats()),
        ("predictions", predictions()),
        ("forecast", forecast()),
    ];
    all.extend(fixed.map(|(name, schema)| (name.to_owned(), schema)));
    for (name, model) in models {
        all.insert(name_of("row", name), row(model.card()));
        all.insert(name_of("question", name), question(name, model.card()));
    }
    all.into()
}

/// Returns the name of a model's schema: letters, digits, `.`, `-` and `_`, as `OpenAPI` asks.
pub(super) fn name_of(what: &str, model: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{what}.{}", model.chars().map(plain).collect::<String>())
}

/// Returns a question for each model that it answers: one row, in the middle of every range.
pub(super) fn questions(models: &[(String, Arc<dyn Model>)]) -> Value {
    let example = |(name, model): &(String, Arc<dyn Model>)| {
        let row: Map<String, Value> =
            model.card().inputs.iter().map(|input| (input.name.clone(), middle(input).into())).collect();
        (name.clone(), json!({ "value": { "model": name, "rows": [row] } }))
    };
    Value::Object(models.iter().map(example).collect())
}

/// Returns the answers to these questions.
pub(super) fn answers(models: &[(String, Arc<dyn Model>)]) -> Value {
    let example = |(name, model): &(String, Arc<dyn Model>)| {
        let card = model.card();
        let (mut labels, level) = (Vec::new(), card.default_level());
        let row: Vec<f64> = card.inputs.iter().map(middle).collect();
        model.score(&row, &mut labels);
        let answers = model.answers(&row, &labels, level).map(|a| first(&a)).unwrap_or_default();
        let (output, unit) = (card.output.name(), &card.unit);
        let value = json!({
            "model": name, "run": card.run, "output": output, "unit": unit, "level": level, "answers": [answers],
        });
        (name.clone(), json!({ "value": value }))
    };
    Value::Object(models.iter().map(example).collect())
}

/// Returns the schema of a level: one that a model has.
pub(super) fn levels(models: &[(String, Arc<dyn Model>)]) -> Value {
    let mut levels: Vec<f64> = models.iter().flat_map(|(_, m)| m.card().levels.iter().copied()).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    if levels.is_empty() { json!({ "type": "number" }) } else { json!({ "enum": levels }) }
}

fn first(answers: &Answers) -> Value {
    let value = |values: &Values| match values {
        Values::Numbers(numbers) => json!(numbers[0]),
        Values::Texts(texts) => json!(texts[0]),
    };
    let mut row: Map<String, Value> =
        answers.columns.iter().map(|c| (c.name.clone(), value(&c.values))).collect();
    row.insert("warnings".into(), json!(answers.warnings[0]));
    row.into()
}

/// Returns a number inside the range that a model was trained on, with few digits where that is possible.
fn middle(input: &Input) -> f64 {
    let [low, high] = input.range;
    let middle = 0.5 * (low + high);
    let short: f64 = format!("{middle:.3e}").parse().unwrap_or(middle);
    if (low..=high).contains(&short) { short } else { middle }
}

fn row(card: &Card) -> Value {
    let properties: Map<String, Value> =
        card.inputs.iter().map(|input| (input.name.clone(), number(input))).collect();
    let required: Vec<&String> = card.inputs.iter().map(|input| &input.name).collect();
    json!({
        "type": "object",
        "description": "Inputs of one answer in their units; null where missing",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn number(input: &Input) -> Value {
    let [low, high] = input.range;
    let unit = if input.unit == "1" { "a ratio or count".into() } else { format!("in {}", input.unit) };
    json!({
        "type": ["number", "null"],
        "description": format!("{} Trained on {low} to {high}, {unit}.", input.doc).trim(),
        "x-unit": input.unit,
        "x-range": input.range,
        "examples": [middle(input)],
    })
}

fn question(name: &str, card: &Card) -> Value {
    let column = json!({ "type": "array", "minItems": 1, "items": { "type": ["number", "null"] } });
    let columns: Map<String, Value> = card.inputs.iter().map(|i| (i.name.clone(), column.clone())).collect();
    let names: Vec<&String> = columns.keys().collect();
    let units: Map<String, Value> =
        card.inputs.iter().map(|i| (i.name.clone(), json!({ "enum": accepted(&i.unit) }))).collect();
    let level =
        if card.levels.is_empty() { json!({ "type": "null" }) } else { json!({ "enum": card.levels }) };
    json!({
        "type": "object",
        "description": format!("A question to `{name}`: a list of rows, or columns that are equally long"),
        "properties": {
            "model": { "const": name },
            "level": level,
            "units": { "type": "object", "properties": units, "additionalProperties": false },
            "rows": { "type": "array", "minItems": 1, "items": reference(&name_of("row", name)) },
            "columns": { "type": "object", "properties": columns, "required": names, "additionalProperties": false },
        },
        "oneOf": [{ "required": ["rows"] }, { "required": ["columns"] }],
        "additionalProperties": false,
    })
}

fn refusal() -> Value {
    let error = json!({
        "type": "object",
        "required": ["code", "message", "detail"],
        "properties": {
            "code": { "type": "string", "description": "A word for programs that never changes" },
            "message": { "type": "string", "description": "What is wrong and what to do, for people" },
            "detail": { "type": "object", "description": "Facts for programs" },
        },
    });
    json!({ "type": "object", "required": ["error"], "properties": { "error": error } })
}

fn of_models() -> Value {
    let input = json!({
        "type": "object",
        "required": ["name", "unit", "doc", "source", "range", "leaks"],
        "properties": {
            "name": { "type": "string" }, "unit": { "type": "string" }, "doc": { "type": "string" },
            "source": { "type": "string" }, "leaks": { "type": "boolean" },
            "range": { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 },
        },
    });
    let card = json!({
        "type": "object",
        "required": ["name", "run", "kind", "inputs", "output", "unit", "levels", "metrics"],
        "properties": {
            "name": { "type": "string" }, "run": { "type": "string" }, "kind": { "type": "string" },
            "inputs": { "type": "array", "items": input },
            "output": { "type": "object", "required": ["kind"] },
            "unit": { "type": "string" },
            "levels": { "type": "array", "items": { "type": "number" } },
        },
    });
    let properties = json!({ "default": { "type": "string" }, "models": { "type": "array", "items": card } });
    json!({ "type": "object", "required": ["default", "models"], "properties": properties })
}

fn formats() -> Value {
    let format = json!({
        "type": "object",
        "required": ["name", "summary"],
        "properties": { "name": { "type": "string" }, "summary": { "type": "string" } },
    });
    let properties = json!({ "formats": { "type": "array", "items": format } });
    json!({ "type": "object", "required": ["formats"], "properties": properties })
}

fn predictions() -> Value {
    let value = json!({ "type": ["number", "string", "array", "null"] });
    let warnings = json!({ "type": "array", "items": { "type": "string" } });
    let answer = json!({
        "type": "object", "required": ["warnings"], "properties": { "warnings": warnings }, "additionalProperties": value,
    });
    json!({
        "type": "object",
        "required": ["model", "run", "output", "unit", "level"],
        "properties": {
            "model": { "type": "string" }, "run": { "type": "string" }, "output": { "type": "string" },
            "unit": { "type": "string" }, "level": { "type": ["number", "null"] },
            "answers": { "type": "array", "items": answer, "description": "To `rows`" },
            "columns": { "type": "object", "description": "To `columns`" },
        },
    })
}

fn forecast() -> Value {
    let number = || json!({ "type": ["number", "null"] });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let row = json!({
        "type": "object",
        "required": ["answer", "warnings"],
        "properties": {
            "cycle": { "type": ["integer", "null"] }, "answer": { "type": ["number", "string", "null"] },
            "lower": number(), "upper": number(), "measured": number(),
            "probabilities": { "type": "array", "items": { "type": "number" } },
            "set": texts(), "warnings": texts(),
        },
    });
    let cell = json!({
        "type": "object",
        "required": ["cell", "synthetic", "reference_ah", "end_of_life", "rows"],
        "properties": {
            "cell": { "type": ["string", "null"] }, "synthetic": { "type": "boolean" },
            "reference_ah": number(), "end_of_life": number(), "rows": { "type": "array", "items": row },
        },
    });
    json!({
        "type": "object",
        "required": ["model", "run", "output", "unit", "level", "format", "warnings", "cells"],
        "properties": {
            "model": { "type": "string" }, "run": { "type": "string" }, "output": { "type": "object" },
            "unit": { "type": "string" }, "level": { "type": ["number", "null"] }, "format": { "type": "string" },
            "warnings": texts(), "cells": { "type": "array", "items": cell },
        },
    })
}
