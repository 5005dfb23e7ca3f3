//! The source: everything of a pipeline, and the two functions that are called from outside.

use super::cost::Cost;
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

/// Returns the cost of what is done beside the parts.
pub(super) fn cost(pipeline: &Pipeline) -> Cost {
    let powers = Cost::default().and("powf") * 3;
    let answer = match pipeline.output {
        Output::Soh { reference_ah: Some(_) } => Cost::of(5),
        Output::Life { log: true } => Cost::of(2) + powers,
        Output::Tier { .. } => Cost::default(),
        _ => Cost::of(2),
    };
    Cost::of(pipeline.width()) + answer
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
    let (answer, is_number) = match &pipeline.output {
        Output::Tier { .. } => (tiers(unit.precision, capitals, score), "isfinite(label[k])".to_owned()),
        Output::Life { log: true } => {
            let most = unit.precision.literal(unit.precision.decades());
            (number(unit.precision, &pipeline.output, score), format!("label[k] < {most}"))
        }
        output => (number(unit.precision, output, score), "isfinite(label[k])".to_owned()),
    };
    let code = unit.precision.spell(&format!(
        "void {prefix}_clear({prefix}_input_t *in)\n{{\n    \
             for (size_t i = 0; i < {capitals}_INPUTS; i++) {{\n        \
                 in->value[i] = NAN;\n    \
             }}\n}}\n\n\
         int {prefix}_predict(const {prefix}_input_t *in, {prefix}_output_t *out)\n{{\n    \
             float label[{width}] = {{0}};\n    \
             unsigned flags = 0;\n    \
             int is_answer = 1;\n    \
             if (in == NULL || out == NULL) {{\n        \
                 return {capitals}_NO_ANSWER;\n    \
             }}\n    \
             for (size_t i = 0; i < {capitals}_INPUTS; i++) {{\n        \
                 const float value = in->value[i];\n        \
                 const int is_outside = value < {lowest}[i] || value > {highest}[i];\n        \
                 out->flag[i] = isfinite(value) ? (is_outside ? {capitals}_OUTSIDE : 0) : {capitals}_MISSING;\n        \
                 flags |= out->flag[i];\n    \
             }}\n{parts}    \
             for (size_t k = 0; k < {width}; k++) {{\n        \
                 label[k] /= {n_parts}.0f;\n        \
                 is_answer = is_answer && {is_number};\n    \
             }}\n    \
             for (size_t k = 0; k < {width} && !is_answer; k++) {{\n        \
                 label[k] = NAN;\n    \
             }}\n"
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
        ("", "label[0]".into()),
        ("_lower", format!("label[0] - {score}")),
        ("_upper", format!("label[0] + {score}")),
    ];
    let one = |(end, label): &(&str, String)| format!("    out->{name}{end} = {};\n", physical(label));
    let mut lines: Vec<String> = ends.iter().map(one).collect();
    if let Output::Soh { reference_ah: Some(reference) } = output {
        let reference = precision.literal(*reference);
        lines.extend(
            ends.map(|(end, _)| format!("    out->capacity_ah{end} = {reference} * out->soh{end};\n")),
        );
    }
    lines.concat()
}

fn tiers(precision: Precision, capitals: &str, score: Option<f64>) -> String {
    // Without scores nothing is known to be left out.
    let least = precision.literal(1.0 - score.unwrap_or(1.0));
    format!(
        "    out->tier = 0;\n    for (size_t k = 0; k < {capitals}_TIERS; k++) {{\n        \
         out->probability[k] = label[k];\n        \
         out->in_set[k] = label[k] >= {least} ? 1 : 0;\n        \
         if (label[k] > label[out->tier]) {{\n            out->tier = (uint8_t)k;\n        }}\n    }}\n"
    )
}
