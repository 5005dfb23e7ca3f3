//! C functions of networks, and their numbers as tables.

use super::cost::Cost;
use super::fold::{self, Layer};
use super::quantise::quantised;
use super::unit::{Routine, Unit};
use crate::model::{Activation, Architecture, Normalisation};
use crate::pipeline::Member;

/// The function of all networks of one shape; the number of inputs is an argument.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// Its shape; the number of inputs and the law do not count.
    architecture: Architecture,
    /// Name of the function.
    pub(super) name: String,
    /// The function.
    pub(super) text: String,
    /// What it calls.
    pub(super) routines: Vec<Routine>,
    /// Numbers on its stack.
    pub(super) stack: usize,
}

/// Tables of the members of one part, and how many numbers of each belong to a member.
#[derive(Debug)]
pub(super) struct MemberTables {
    /// Weights.
    pub(super) weights: (String, usize),
    /// Biases, scales and shifts.
    pub(super) vectors: (String, usize),
}

impl Network {
    /// Returns whether it computes networks of this architecture.
    pub(super) fn is_of(&self, architecture: &Architecture) -> bool {
        let same = |a: &Architecture, b: &Architecture| {
            let skips_first =
                |a: &Architecture| a.network.skip && a.network.hidden.first() == Some(&a.d_input);
            a.network == b.network && a.d_output == b.d_output && skips_first(a) == skips_first(b)
        };
        same(&self.architecture, architecture)
    }

    /// Writes the function number `idx` for an architecture without batch normalisation.
    pub(super) fn write(idx: usize, architecture: &Architecture, int8: bool) -> Self {
        let network = &architecture.network;
        let dense = if int8 { Routine::Dense8 } else { Routine::Dense };
        let mut writer = Writer { architecture, int8, lines: String::new(), input: ("x", "n_in".into()) };
        (0..network.hidden.len()).for_each(|layer| writer.hidden(layer));
        writer.dense("y", architecture.d_output);
        let routines = [Some(dense), routine(network.activation)].into_iter().flatten();
        let norm = (network.normalisation == Normalisation::Layer).then_some(Routine::Normalise);
        let widest = network.hidden.iter().copied().max().unwrap_or(0);
        let n_buffers = network.hidden.len().min(2);
        let arrays: String =
            ["a", "b"][..n_buffers].iter().map(|b| format!("    float {b}[{widest}];\n")).collect();
        let name = format!("network_{idx}");
        let (shape, kind) = (shape(architecture), if int8 { "int8_t" } else { "float" });
        let text = format!(
            "/* A network of {shape}. */\n\
             static void {name}(const {kind} *w, const float *v, size_t n_in, const float *x, float *y)\n\
             {{\n{arrays}{}}}\n",
            writer.lines
        );
        let routines = routines.chain(norm).collect();
        Self { architecture: architecture.clone(), name, text, routines, stack: n_buffers * widest }
    }
}

/// Writes the lines of the function, layer by layer.
struct Writer<'a> {
    architecture: &'a Architecture,
    int8: bool,
    lines: String,
    /// Array and number of inputs of the next layer.
    input: (&'static str, String),
}

impl Writer<'_> {
    fn hidden(&mut self, layer: usize) {
        let network = &self.architecture.network;
        let (d_in, d_out) = self.architecture.layers()[layer];
        let to = if layer.is_multiple_of(2) { "a" } else { "b" };
        self.dense(to, d_out);
        let mut n_vectors = d_out * if self.int8 { 2 } else { 1 };
        if network.normalisation == Normalisation::Layer {
            self.lines += &format!("    normalise(&v[{n_vectors}], {d_out}, {to});\n");
            n_vectors += 2 * d_out;
        }
        let (from, n_in) = self.input.clone();
        let skipped = if network.skip && d_in == d_out { format!(" + {from}[j]") } else { String::new() };
        self.lines += &format!(
            "    for (size_t j = 0; j < {d_out}; j++) {{\n        {to}[j] = {}({to}[j]){skipped};\n    }}\n",
            function(network.activation)
        );
        self.lines += &format!("    w += {n_in} * {d_out};\n    v += {n_vectors};\n");
        self.input = (to, d_out.to_string());
    }

    fn dense(&mut self, to: &str, d_out: usize) {
        let name = if self.int8 { "dense8" } else { "dense" };
        let (from, n_in) = &self.input;
        self.lines += &format!("    {name}(w, v, {n_in}, {d_out}, {from}, {to});\n");
    }
}

/// Writes the numbers of members of a folded part.
pub(super) fn tables(
    unit: &mut Unit,
    part: &str,
    architecture: &Architecture,
    members: &[Member],
) -> MemberTables {
    let layers: Vec<Layer> = members.iter().flat_map(|one| fold::layers(architecture, one)).collect();
    let names = (format!("{part}_weights"), format!("{part}_vectors"));
    let (weights, n_weights) = if unit.int8 {
        let whole: Vec<String> = layers.iter().flat_map(|l| quantised(l).0).map(|q| q.to_string()).collect();
        (unit.tables.add(&names.0, ("int8_t", 1), &whole), whole.len())
    } else {
        let rows: Vec<f64> = layers.iter().flat_map(by_output).map(f64::from).collect();
        (unit.numbers(&names.0, &rows), rows.len())
    };
    let int8 = unit.int8;
    let own = |layer: &Layer| {
        let scales = if int8 { quantised(layer).1 } else { Vec::new() };
        [layer.bias.as_slice(), &scales, &layer.norm].concat()
    };
    let vectors: Vec<f64> = layers.iter().flat_map(own).map(f64::from).collect();
    let n = members.len();
    MemberTables {
        weights: (weights, n_weights / n),
        vectors: (unit.numbers(&names.1, &vectors), vectors.len() / n),
    }
}

/// Returns the cost of one network.
pub(super) fn cost(architecture: &Architecture, int8: bool) -> Cost {
    let layers = architecture.layers();
    let sums = layers.iter().map(|(d_in, d_out)| 2 * d_in * d_out + if int8 { 2 * d_out } else { 0 }).sum();
    let network = &architecture.network;
    let per_unit = activation_cost(network.activation);
    let hidden = |&(d_in, d_out): &(usize, usize)| {
        let skipped = if network.skip && d_in == d_out { d_out } else { 0 };
        let norm = match network.normalisation {
            Normalisation::None => Cost::default(),
            _ => Cost::of(8 * d_out + 3).and("sqrtf"),
        };
        per_unit.clone() * d_out + Cost::of(skipped) + norm
    };
    layers[..network.hidden.len()].iter().map(hidden).fold(Cost::of(sums), |all, one| all + one)
}

/// Returns the weights of a layer, a row an output.
fn by_output(layer: &Layer) -> Vec<f32> {
    let output = |j: usize| layer.weight.iter().skip(j).step_by(layer.d_out).copied();
    (0..layer.d_out).flat_map(output).collect()
}

fn function(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "relu",
        Activation::Tanh => "tanhf",
        Activation::Gelu => "gelu",
        Activation::Silu => "silu",
        Activation::Sigmoid => "sigmoid",
        Activation::Softplus => "softplus",
    }
}

fn routine(activation: Activation) -> Option<Routine> {
    match activation {
        Activation::Relu => Some(Routine::Relu),
        Activation::Tanh => None,
        Activation::Gelu => Some(Routine::Gelu),
        Activation::Silu => Some(Routine::Silu),
        Activation::Sigmoid => Some(Routine::Sigmoid),
        Activation::Softplus => Some(Routine::Softplus),
    }
}

fn activation_cost(activation: Activation) -> Cost {
    match activation {
        Activation::Relu => Cost::default(),
        Activation::Tanh => Cost::default().and("tanhf"),
        Activation::Gelu => Cost::of(8).and("tanhf"),
        Activation::Silu | Activation::Sigmoid => Cost::of(2).and("expf"),
        Activation::Softplus => Cost::of(1).and("expf").and("log1pf"),
    }
}

fn shape(architecture: &Architecture) -> String {
    let network = &architecture.network;
    let widths = network.hidden.iter().chain([&architecture.d_output]).map(|d| format!(" -> {d}"));
    let kind =
        if network.hidden.is_empty() { "" } else { function(network.activation).trim_end_matches('f') };
    format!("n_in{} {kind}", widths.collect::<String>()).trim_end().to_owned()
}
