//! C functions of parts: what one fold's model makes of a row.

use super::cost::Cost;
use super::forest::{self, Laid};
use super::network;
use super::unit::{Routine, Unit};
use crate::model::calibration::Calibration;
use crate::model::logistic::Logistic;
use crate::model::{Architecture, PriorConfig, PriorStart};
use crate::physics::Law;
use crate::pipeline::{Body, Member, Part};

/// Writes the function of part number `idx` and returns the bytes of its arrays on the stack, those below it included.
pub(super) fn write(unit: &mut Unit, (idx, part): (usize, &Part), width: usize, laid: &[Laid]) -> usize {
    let name = format!("part_{idx}");
    let mut writer = Writer { unit, part, name, width, arrays: Vec::new(), lines: String::new(), below: 0 };
    writer.array("label", width);
    writer.body(laid);
    if let Some(calibration) = &part.calibration {
        writer.calibration(calibration);
    }
    writer.finish()
}

struct Writer<'a> {
    unit: &'a mut Unit,
    part: &'a Part,
    name: String,
    /// Numbers of a label.
    width: usize,
    /// Name and length of each local array.
    arrays: Vec<(&'static str, usize)>,
    lines: String,
    /// Numbers on the stack of what is called.
    below: usize,
}

impl Writer<'_> {
    fn body(&mut self, laid: &[Laid]) {
        let part = self.part;
        match &part.body {
            Body::Law { law, theta } => {
                let label = self.law(*law, std::slice::from_ref(theta), "0");
                self.line(&format!("label[0] = {label};"));
            }
            Body::Linear { weights } => self.linear(weights),
            Body::Logistic(logistic) => self.logistic(logistic),
            Body::Networks { architecture, classes: true, members, .. } => {
                self.classes(architecture, members);
            }
            Body::Networks { architecture, start, members, .. } => {
                match architecture.prior.as_ref().zip(start.as_ref()) {
                    Some(prior) => self.hybrid(architecture, prior, members),
                    None => self.values(architecture, members),
                }
            }
            Body::Trees { law, trees: _ } => self.trees(law.as_ref(), laid),
        }
    }

    /// Returns the law's value for member `m` of those with these parameters.
    fn law(&mut self, law: Law, thetas: &[Vec<f64>], m: &str) -> String {
        let part = self.part;
        let formula = self.unit.law(law);
        let (name, n_terms) = (formula.name(), formula.n_terms);
        let own: Vec<Vec<f64>> = thetas.iter().map(|theta| formula.coefficients(theta)).collect();
        let cost = formula.terms_cost.clone() + formula.cost.clone() * thetas.len();
        let (n, n_stress) = (own[0].len(), part.stress.len());
        let table = self.unit.numbers(&format!("{}_law", self.name), &own.concat());
        let row = |(column, median): (&usize, &f64)| {
            format!("{{ {column}, {} }}", self.unit.precision.literal(*median))
        };
        let rows: Vec<String> = part.stress.iter().zip(&part.stress_median).map(row).collect();
        let from = self.unit.tables.add(
            &format!("{}_stress", self.name),
            ("stress_t", 2 * self.unit.precision.bytes()),
            &rows,
        );
        self.unit.need(Routine::Stress);
        self.unit.cost += cost;
        self.array("s", n_stress);
        self.array("u", n_terms);
        self.line(&format!("stress({from}, {n_stress}, x, s);"));
        self.line(&format!("law_{name}_terms(s, u);"));
        let own = if m == "0" { table } else { format!("&{table}[{m} * {n}]") };
        format!("law_{name}({own}, u)")
    }

    /// Scales the inputs into z, followed by zeros up to `width`.
    fn scaled(&mut self, width: usize) {
        let (part, precision) = (self.part, self.unit.precision);
        let scaler = &part.scaler;
        let row = |(idx, column): (usize, &usize)| {
            let (mean, sd) = (scaler.mean[idx], scaler.sd[idx]);
            let numbers = [mean, 1.0 / sd, -precision.rest(mean) / sd, scaler.scale(idx, f64::NAN)];
            format!("{{ {column}, {} }}", numbers.map(|number| precision.literal(number)).join(", "))
        };
        let rows: Vec<String> = part.columns.iter().enumerate().map(row).collect();
        let n = rows.len();
        let table = self.unit.tables.add(
            &format!("{}_scaling", self.name),
            ("scaling_t", 5 * precision.bytes()),
            &rows,
        );
        self.unit.need(Routine::Scale);
        self.unit.cost += Cost::of(3 * n);
        self.array("z", width);
        self.line(&format!("scale({table}, {n}, x, z);"));
    }

    /// Puts the sums of a linear map of z, weights `[output][input]` and one bias each, into `to`.
    fn dense(&mut self, weights: &[Vec<f64>], biases: &[f64], to: &str) {
        let (n_in, n_out) = (self.part.columns.len(), biases.len());
        let w = self.unit.numbers(&format!("{}_weights", self.name), &weights.concat());
        let v = self.unit.numbers(&format!("{}_vectors", self.name), biases);
        self.unit.need(Routine::Dense);
        self.unit.cost += Cost::of(2 * n_in * n_out);
        self.line(&format!("dense({w}, {v}, {n_in}, {n_out}, z, {to});"));
    }

    fn linear(&mut self, weights: &[f64]) {
        self.scaled(self.part.columns.len());
        self.dense(&[weights[1..].to_vec()], &weights[..1], "label");
        self.unscale();
    }

    /// Brings the label from scaled units to its own.
    fn unscale(&mut self) {
        let [mean, sd] = [self.part.label.0, self.part.label.1].map(|v| self.unit.precision.literal(v));
        self.unit.cost += Cost::of(2);
        self.line(&format!("label[0] = {mean} + {sd} * label[0];"));
    }

    fn logistic(&mut self, logistic: &Logistic) {
        self.scaled(self.part.columns.len());
        // A single logit is that of class 1, that of class 0 being 0.
        let to = if logistic.intercepts.len() == 1 { "&label[1]" } else { "label" };
        self.dense(&logistic.coefficients, &logistic.intercepts, to);
        self.softmax("label");
    }

    fn softmax(&mut self, array: &str) {
        self.unit.need(Routine::Softmax);
        self.unit.cost += Cost::of(3 * self.width) + Cost::default().and("expf") * self.width;
        self.line(&format!("softmax({array}, {});", self.width));
    }

    fn classes(&mut self, architecture: &Architecture, members: &[Member]) {
        self.scaled(architecture.d_input);
        let call = self.network(architecture, members);
        self.each_member(members.len(), |writer| {
            writer.line(&call);
            writer.softmax("y");
            writer.each_output("label[k] += y[k];");
        });
        self.mean(members.len());
    }

    fn values(&mut self, architecture: &Architecture, members: &[Member]) {
        self.scaled(architecture.d_input);
        let call = self.network(architecture, members);
        self.each_member(members.len(), |writer| {
            writer.line(&call);
            writer.line("label[0] += y[0];");
            writer.unit.cost += Cost::of(1);
        });
        self.mean(members.len());
        self.unscale();
    }

    fn hybrid(
        &mut self,
        architecture: &Architecture,
        (prior, start): (&PriorConfig, &PriorStart),
        members: &[Member],
    ) {
        let thetas: Vec<Vec<f64>> =
            members.iter().map(|one| architecture.theta(&one.weights, start)).collect();
        let law = self.law(prior.law, &thetas, "m");
        let factor = self.part.label.1 * f64::from(prior.scale());
        if factor == 0.0 {
            self.each_member(members.len(), |writer| writer.line(&format!("label[0] += {law};")));
        } else {
            self.scaled(architecture.d_input);
            let call = self.network(architecture, members);
            let factor = self.unit.precision.literal(factor);
            self.each_member(members.len(), |writer| {
                writer.line(&call);
                writer.line(&format!("label[0] += {law} + {factor} * y[0];"));
                writer.unit.cost += Cost::of(3);
            });
        }
        self.mean(members.len());
    }

    /// Returns the call that puts the outputs of member m into y.
    fn network(&mut self, architecture: &Architecture, members: &[Member]) -> String {
        let network = self.unit.network(architecture);
        let tables = network::tables(self.unit, &self.name, architecture, members);
        self.unit.cost += network::cost(architecture, self.unit.int8) * members.len();
        self.array("y", architecture.d_output);
        self.below = self.below.max(network.stack);
        let (w, v, n_in) = (&tables.weights, &tables.vectors, architecture.d_input);
        format!("{}(&{}[m * {}], &{}[m * {}], {n_in}, z, y);", network.name, w.0, w.1, v.0, v.1)
    }

    fn trees(&mut self, law: Option<&(Law, Vec<f64>)>, laid: &[Laid]) {
        self.unit.need(Routine::Forest);
        let target = if self.width > 1 { "y" } else { "label" };
        if self.width > 1 {
            self.array("y", self.width);
        }
        for (idx, laid) in laid.iter().enumerate() {
            let margins = forest::margins(self.unit, &format!("{}_forest_{idx}", self.name), laid);
            self.unit.cost += forest::cost(laid);
            let sign = if self.width > 1 { "=" } else { "+=" };
            margins
                .iter()
                .enumerate()
                .for_each(|(k, sum)| self.line(&format!("{target}[{k}] {sign} {sum};")));
            if self.width > 1 {
                self.softmax("y");
                self.each_output("label[k] += y[k];");
            }
        }
        self.mean(laid.len());
        if let Some((law, theta)) = law {
            let law = self.law(*law, std::slice::from_ref(theta), "0");
            self.line(&format!("label[0] += {law};"));
        }
    }

    /// Divides the label by the number of what was added up.
    fn mean(&mut self, n: usize) {
        if n > 1 {
            let n = self.unit.precision.literal(n as f64);
            self.unit.cost += Cost::of(self.width);
            self.each_output(&format!("label[k] /= {n};"));
        }
    }

    fn calibration(&mut self, calibration: &Calibration) {
        let width = self.width;
        match calibration {
            Calibration::None => {}
            Calibration::Temperature { temperature } => {
                self.unit.need(Routine::Sharpen);
                self.unit.need(Routine::Softmax);
                self.unit.cost += (Cost::of(4).and("expf").and("logf")) * width;
                let power = self.unit.precision.literal(1.0 / temperature);
                self.line(&format!("sharpen({power}, label, {width});"));
            }
            Calibration::Isotonic { classes, floor } => {
                self.unit.need(Routine::Rising);
                let floor = self.unit.precision.literal(*floor);
                for (k, f) in classes.iter().enumerate() {
                    let x = self.unit.numbers(&format!("{}_rising_{k}_x", self.name), &f.x);
                    let y = self.unit.numbers(&format!("{}_rising_{k}_y", self.name), &f.y);
                    self.unit.cost += Cost { comparisons: f.x.len(), ..Cost::of(8) };
                    self.line(&format!("label[{k}] = rising({x}, {y}, {}, {floor}, label[{k}]);", f.x.len()));
                }
                self.line(&format!("share(label, {width});"));
            }
        }
    }

    fn array(&mut self, name: &'static str, len: usize) {
        self.arrays.push((name, len));
    }

    fn line(&mut self, line: &str) {
        self.lines += &format!("    {line}\n");
    }

    /// Writes lines for every member m.
    fn each_member(&mut self, n: usize, lines: impl FnOnce(&mut Self)) {
        let before = std::mem::take(&mut self.lines);
        let cost = std::mem::take(&mut self.unit.cost);
        lines(self);
        self.unit.cost = cost + std::mem::take(&mut self.unit.cost) * n;
        let inner: String = self.lines.lines().map(|line| format!("    {line}\n")).collect();
        self.lines = format!("{before}    for (size_t m = 0; m < {n}; m++) {{\n{inner}    }}\n");
    }

    /// Writes a line for every output k.
    fn each_output(&mut self, line: &str) {
        if self.width == 1 {
            self.line(&line.replace("[k]", "[0]"));
        } else {
            self.line(&format!("for (size_t k = 0; k < {}; k++) {{\n        {line}\n    }}", self.width));
        }
    }

    fn finish(mut self) -> usize {
        self.unit.cost += Cost::of(self.width);
        self.each_output("sum[k] += label[k];");
        let array = |(name, len): &(&str, usize)| {
            let start = if ["label", "z"].contains(name) { " = {0}" } else { "" };
            format!("    float {name}[{len}]{start};\n")
        };
        let arrays: String = self.arrays.iter().map(array).collect();
        let (fold, repetition) = (super::name::sentence(&self.part.fold), self.part.repetition);
        self.unit.parts += &format!(
            "/* Adds the label of fold {fold}, repetition {repetition}. */\n\
             static void {}(const float *x, float *sum)\n{{\n{arrays}{}}}\n\n",
            self.name, self.lines
        );
        let own: usize = self.arrays.iter().map(|(_, len)| len).sum();
        (own + self.below) * self.unit.precision.bytes()
    }
}
