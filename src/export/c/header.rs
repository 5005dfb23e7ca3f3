//! The header: what goes in, what comes out.

use super::name::{enumerators, sentence};
use super::number::Precision;
use crate::pipeline::{Input, Output, Pipeline};

/// Names of one export.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Name of the files.
    pub(super) file: String,
    /// What external names begin with.
    pub(super) prefix: String,
    /// What enumerators begin with.
    pub(super) capitals: String,
}

/// A field of the output: declaration, what it is, and its bytes.
type Field = (String, String, usize);

/// Returns the text of the header.
pub(super) fn text(pipeline: &Pipeline, names: &Names, precision: Precision, level: f64) -> String {
    let Names { prefix, capitals, .. } = names;
    let number = precision.name();
    format!(
        "{head}#ifndef {capitals}_H\n#define {capitals}_H\n\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         {inputs}\ntypedef struct {{\n    {number} value[{capitals}_INPUTS]; /* NAN or infinite: missing */\n}} {prefix}_input_t;\n\n\
         {tiers}/* What is said of an input. */\n\
         enum {{\n    {capitals}_MISSING = 1, /* a median stood in for it, or trees went their usual way */\n    \
         {capitals}_OUTSIDE = 2  /* beyond the values of training */\n}};\n\n\
         typedef struct {{\n{fields}}} {prefix}_output_t;\n\n\
         /* Returned where there is no answer: a null pointer, or numbers beyond all bounds. */\n\
         #define {capitals}_NO_ANSWER (-1)\n\n\
         /* Makes every input missing. */\nvoid {prefix}_clear({prefix}_input_t *in);\n\n\
         /* Answers. Returns the flags of all inputs together, 0 for none, or {capitals}_NO_ANSWER. */\n\
         int {prefix}_predict(const {prefix}_input_t *in, {prefix}_output_t *out);\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n",
        head = head(pipeline, names),
        inputs = inputs(pipeline, capitals),
        tiers = tiers(&pipeline.output, capitals),
        fields = fields(pipeline, capitals, precision, level).iter().map(shown).collect::<String>(),
    )
}

/// Returns the bytes of the struct of outputs.
pub(super) fn output_bytes(pipeline: &Pipeline, precision: Precision) -> usize {
    let bytes: usize = fields(pipeline, "", precision, 0.0).iter().map(|(_, _, bytes)| bytes).sum();
    bytes.next_multiple_of(precision.bytes())
}

fn head(pipeline: &Pipeline, Names { prefix, capitals, .. }: &Names) -> String {
    let name = pipeline.output.name();
    let first = enumerators(pipeline.inputs.iter().map(|input| input.name.as_str()));
    let first = first.first().map_or("X", String::as_str);
    format!(
        "/*\n * {what} of a battery cell, by the model `{model}` of experiment {experiment}, run {run}.\n *\n \
         *     {prefix}_input_t in;\n *     {prefix}_output_t out;\n *     {prefix}_clear(&in);\n \
         *     in.value[{capitals}_IN_{first}] = ...;\n \
         *     if ({prefix}_predict(&in, &out) != {capitals}_NO_ANSWER) {{ ... out.{name} ... }}\n *\n \
         * C99 with <math.h>: allocates nothing, writes no global, does not recurse. Inputs are an array with a name for\n \
         * each place, so that flags are found by the same names. Missing numbers are NAN: compile without -ffast-math.\n */\n",
        what = what(&pipeline.output),
        model = sentence(&pipeline.model),
        experiment = sentence(&pipeline.name),
        run = sentence(&pipeline.run),
    )
}

fn what(output: &Output) -> &'static str {
    match output {
        Output::Soh { .. } => "State of health",
        Output::Life { .. } => "Cycle life",
        Output::Tier { .. } => "Tier",
    }
}

fn inputs(pipeline: &Pipeline, capitals: &str) -> String {
    let names = enumerators(pipeline.inputs.iter().map(|input| input.name.as_str()));
    let one = |(idx, (input, name)): (usize, (&Input, &String))| {
        let [low, high] = input.range;
        let (unit, doc) = (sentence(&input.unit), sentence(&input.doc));
        let doc = if doc.is_empty() { sentence(&input.name) } else { doc };
        format!("    /* {doc} [{unit}], in training {low} to {high} */\n    {capitals}_IN_{name} = {idx},\n")
    };
    let lines: String = pipeline.inputs.iter().zip(&names).enumerate().map(one).collect();
    format!("/* Places of the inputs. */\nenum {{\n{lines}    {capitals}_INPUTS = {}\n}};\n", names.len())
}

fn tiers(output: &Output, capitals: &str) -> String {
    let Output::Tier { names } = output else { return String::new() };
    let plain = enumerators(names.iter().map(String::as_str)).into_iter().enumerate();
    let lines: String = plain.map(|(idx, name)| format!("    {capitals}_TIER_{name} = {idx},\n")).collect();
    format!("/* Tiers. */\nenum {{\n{lines}    {capitals}_TIERS = {}\n}};\n\n", names.len())
}

fn fields(pipeline: &Pipeline, capitals: &str, precision: Precision, level: f64) -> Vec<Field> {
    let interval = match &pipeline.interval {
        Some(_) => format!("of the {} % interval", (1000.0 * level).round() / 10.0),
        None => "NAN: this run has no interval".to_owned(),
    };
    let number = |name: &str, doc: String| (format!("{} {name}", precision.name()), doc, precision.bytes());
    let three = |name: &str, doc: &str| {
        let ends =
            ["lower", "upper"].map(|end| number(&format!("{name}_{end}"), format!("{end} end {interval}")));
        std::iter::once(number(name, doc.to_owned())).chain(ends).collect::<Vec<_>>()
    };
    let mut fields = match &pipeline.output {
        Output::Soh { reference_ah: Some(reference) } => {
            let capacity = format!("capacity [Ah], of {reference} Ah");
            [three("soh", "state of health [1]"), three("capacity_ah", &capacity)].concat()
        }
        Output::Soh { reference_ah: None } => three("soh", "state of health [1]"),
        Output::Life { .. } => three("cycle_life", "cycle life [cycles]"),
        Output::Tier { names } => tier_fields(names.len(), capitals, precision, &interval),
    };
    let n = pipeline.inputs.len();
    fields.push((format!("uint8_t flag[{capitals}_INPUTS]"), "what is said of each input".into(), n));
    fields
}

fn tier_fields(n: usize, capitals: &str, precision: Precision, interval: &str) -> Vec<Field> {
    let (number, bytes) = (precision.name(), precision.bytes());
    let set = format!("1 for each tier of the set, {}", interval.replace("interval", "set"));
    vec![
        (format!("{number} probability[{capitals}_TIERS]"), "of each tier [1]".into(), n * bytes),
        ("uint8_t tier".into(), "the most probable one".into(), 1),
        (format!("uint8_t in_set[{capitals}_TIERS]"), set, n),
    ]
}

fn shown((declaration, doc, _): &Field) -> String {
    format!("    {declaration}; /* {doc} */\n")
}
