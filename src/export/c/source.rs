//! The source: everything of a pipeline, and the two functions that are called from outside.

use super::header::Names;
use super::number::Precision;
use super::report::Report;
use super::unit::Unit;
use crate::pipeline::{Output, Pipeline};

/// Returns the text of the source file.
pub(super) fn text(
    unit: &Unit,
    pipeline: &Pipeline,
    names: &Names,
    score: Option<f64>,
    report: &Report,
) -> String {
    let lines: String = report.lines().iter().map(|line| format!(" * {line}\n")).collect();
    let outside = outside(unit, pipeline, names, score);
    let includes = format!("#include \"{}.h\"\n\n#include <math.h>\n#include <stddef.h>\n", names.file);
    format!("/*\n * See {}.h.\n *\n{lines} */\n{includes}\n{}{outside}", names.file, unit.text())
}

/// Adds the tables of the ranges of inputs; before the report, which counts them.
pub(super) fn ranges(unit: &mut Unit, pipeline: &Pipeline) {
    for (end, name) in ["lowest", "highest"].into_iter().enumerate() {
        let values: Vec<f64> = pipeline.inputs.iter().map(|input| input.range[end]).collect();
        unit.ranges[end] = unit.numbers(name, &values);
    }
}

fn outside(
    unit: &Unit,
    pipeline: &Pipeline,
    Names { prefix, capitals, .. }: &Names,
    score: Option<f64>,
) -> String {
    let (n_parts, width) = (pipeline.parts.len(), pipeline.width());
    let parts: String = (0..n_parts).map(|idx| format!("    part_{idx}(in->value, label);\n")).collect();
    let [lowest, highest] = &unit.ranges;
    let answer = match &pipeline.output {
        Output::Tier { .. } => tiers(unit.precision, capitals, score),
        _ => number(unit.precision, &pipeline.output, score),
    };
    let code = unit.precision.spell(&format!(
        "void {prefix}_clear({prefix}_input_t *in)\n{{\n    for (size_t i = 0; i < {capitals}_INPUTS; i++) {{\n        \
         in->value[i] = NAN;\n    }}\n}}\n\n\
         int {prefix}_predict(const {prefix}_input_t *in, {prefix}_output_t *out)\n{{\n    \
         float label[{width}] = {{0}};\n    unsigned flags = 0;\n    int is_answer = 1;\n    \
         if (in == NULL || out == NULL) {{\n        return {capitals}_NO_ANSWER;\n    }}\n    \
         for (size_t i = 0; i < {capitals}_INPUTS; i++) {{\n        \
         const float value = in->value[i];\n        \
         const int is_outside = value < {lowest}[i] || value > {highest}[i];\n        \
         out->flag[i] = isfinite(value) ? (is_outside ? {capitals}_OUTSIDE : 0) : {capitals}_MISSING;\n        \
         flags |= out->flag[i];\n    }}\n\
         {parts}    for (size_t k = 0; k < {width}; k++) {{\n        \
         label[k] /= {n_parts}.0f;\n        is_answer = is_answer && isfinite(label[k]);\n    }}\n"
    ));
    format!("{code}{answer}    return is_answer ? (int)flags : {capitals}_NO_ANSWER;\n}}\n")
}

fn number(precision: Precision, output: &Output, score: Option<f64>) -> String {
    let (name, score) = (output.name(), precision.literal(score.unwrap_or(f64::NAN)));
    let physical = |label: &str| match output {
        Output::Life { log: true } => precision.spell(&format!("powf(10.0f, {label})")),
        _ => label.to_owned(),
    };
    let ends = [
        ("", physical("label[0]")),
        ("_lower", physical(&format!("label[0] - {score}"))),
        ("_upper", physical(&format!("label[0] + {score}"))),
    ];
    let mut lines: Vec<String> =
        ends.iter().map(|(end, value)| format!("    out->{name}{end} = {value};\n")).collect();
    if let Output::Soh { reference_ah: Some(reference) } = output {
        let reference = precision.literal(*reference);
        lines.extend(
            ends.map(|(end, _)| format!("    out->capacity_ah{end} = {reference} * out->soh{end};\n")),
        );
    }
    format!("    if (!is_answer) {{\n        label[0] = NAN;\n    }}\n{}", lines.concat())
}

fn tiers(precision: Precision, capitals: &str, score: Option<f64>) -> String {
    // Without scores nothing is known to be left out.
    let least = precision.literal(1.0 - score.unwrap_or(1.0));
    format!(
        "    out->tier = 0;\n    for (size_t k = 0; k < {capitals}_TIERS; k++) {{\n        \
         out->probability[k] = is_answer ? label[k] : NAN;\n        \
         out->in_set[k] = label[k] >= {least} ? 1 : 0;\n        \
         if (label[k] > label[out->tier]) {{\n            out->tier = (uint8_t)k;\n        }}\n    }}\n"
    )
}
