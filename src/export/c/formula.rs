//! C functions of an ageing law: what depends on the stress alone, and what each member makes of it.

use std::collections::BTreeMap;

use super::cost::Cost;
use super::expression::{Expression, Kind, Node};
use super::number::Precision;
use crate::physics::Law;

/// A law as two functions of C.
#[derive(Debug)]
pub(super) struct Formula {
    law: Law,
    /// Numbers of a member, made of the law's parameters.
    coefficients: Vec<Expression>,
    /// Number of terms, which are made of the stress alone.
    pub(super) n_terms: usize,
    /// The two functions.
    pub(super) text: String,
    /// Cost of the terms.
    pub(super) terms_cost: Cost,
    /// Cost of the law for one member.
    pub(super) cost: Cost,
}

impl Formula {
    /// Writes a law down.
    pub(super) fn of(law: Law, precision: Precision) -> Self {
        let theta: Vec<_> = (0..law.parameters().len()).map(Expression::parameter).collect();
        let stress: Vec<_> = (0..law.stress().len()).map(Expression::stress).collect();
        let whole = law.capacity(&theta, &stress);
        let mut leaves = Leaves::default();
        leaves.find(&whole);
        let mut body = Writer::new(precision, &leaves);
        let value = body.texts(std::slice::from_ref(&whole)).concat();
        let nothing = Leaves::default();
        let mut head = Writer::new(precision, &nothing);
        let terms = head.texts(&leaves.terms).into_iter().enumerate();
        let terms: String = terms.map(|(idx, term)| format!("    u[{idx}] = {term};\n")).collect();
        let text = format!(
            "/* Terms u of the law {law}, which depend on the stress s alone. */\n\
             static void law_{law}_terms(const float *s, float *u)\n{{\n{}{}}}\n\n\
             /* The law {law} of coefficients c and terms u. */\n\
             static float law_{law}(const float *c, const float *u)\n{{\n{}    return {value};\n}}\n",
            head.lines, terms, body.lines
        );
        let (terms_cost, cost) = (head.cost, body.cost);
        Self { law, n_terms: leaves.terms.len(), coefficients: leaves.coefficients, text, terms_cost, cost }
    }

    /// Returns the numbers of a member for its parameters.
    pub(super) fn coefficients(&self, theta: &[f64]) -> Vec<f64> {
        self.coefficients.iter().map(|c| c.value(theta, &[])).collect()
    }

    /// Returns the name of the C function.
    pub(super) fn name(&self) -> &'static str {
        self.law.name()
    }
}

/// The largest parts of a formula that depend on parameters alone, and on stress alone.
#[derive(Debug, Default)]
struct Leaves {
    coefficients: Vec<Expression>,
    terms: Vec<Expression>,
    /// What each is called, by its text.
    names: BTreeMap<String, String>,
}

impl Leaves {
    fn find(&mut self, e: &Expression) {
        let (list, letter) = match e.kind {
            Kind::Constant => return,
            Kind::Parameters => (&mut self.coefficients, 'c'),
            Kind::Stress => (&mut self.terms, 'u'),
            Kind::Both => return children(e).into_iter().for_each(|child| self.find(child)),
        };
        self.names.entry(key(e)).or_insert_with(|| {
            list.push(e.clone());
            format!("{letter}[{}]", list.len() - 1)
        });
    }
}

/// Writes formulas; what occurs twice is computed once.
struct Writer<'a> {
    precision: Precision,
    leaves: &'a Leaves,
    /// How often each part occurs, by its text.
    counts: BTreeMap<String, usize>,
    /// What is computed already, by its text.
    known: BTreeMap<String, String>,
    lines: String,
    cost: Cost,
}

impl<'a> Writer<'a> {
    fn new(precision: Precision, leaves: &'a Leaves) -> Self {
        let (counts, known) = (BTreeMap::new(), leaves.names.clone());
        Self { precision, leaves, counts, known, lines: String::new(), cost: Cost::default() }
    }

    /// Returns the texts of whole formulas, with lines before them where parts occur twice.
    fn texts(&mut self, formulas: &[Expression]) -> Vec<String> {
        for e in formulas {
            self.count(e);
        }
        formulas.iter().map(|e| self.text(e).0).collect()
    }

    fn count(&mut self, e: &Expression) {
        if self.known.contains_key(&key(e)) {
            return;
        }
        let count = self.counts.entry(key(e)).or_default();
        *count += 1;
        if *count == 1 {
            for child in children(e) {
                self.count(child);
            }
        }
    }

    fn text(&mut self, e: &Expression) -> (String, Binds) {
        let key = key(e);
        if let Some(known) = self.known.get(&key) {
            return (known.clone(), Binds::Whole);
        }
        let (text, binds) = self.operation(e);
        if children(e).is_empty() || self.counts[&key] < 2 {
            return (text, binds);
        }
        let name = format!("t{}", self.known.len() - self.leaves.names.len());
        self.lines += &format!("    const float {name} = {text};\n");
        self.known.insert(key, name.clone());
        (name, Binds::Whole)
    }

    fn operation(&mut self, e: &Expression) -> (String, Binds) {
        match &*e.node {
            Node::Constant(value) => {
                let binds = if *value < 0.0 { Binds::Sum } else { Binds::Whole };
                (self.precision.literal(*value), binds)
            }
            Node::Parameter(idx) => (format!("p[{idx}]"), Binds::Whole),
            Node::Stress(idx) => (format!("s[{idx}]"), Binds::Whole),
            Node::Call(function, x) => {
                self.cost += Cost::default().and(function.name());
                (format!("{}({})", function.name(), self.text(x).0), Binds::Whole)
            }
            Node::Sum(a, b) => self.sum(a, b),
            Node::Product(minus, x) if minus.number() == Some(-1.0) => {
                (format!("-{}", self.within(x, Binds::Whole)), Binds::Sum)
            }
            Node::Product(a, b) => self.binary((a, Binds::Product), " * ", (b, Binds::Whole)),
            Node::Quotient(a, b) => self.binary((a, Binds::Product), " / ", (b, Binds::Whole)),
        }
    }

    fn sum(&mut self, a: &Expression, b: &Expression) -> (String, Binds) {
        let negative = b.number().filter(|number| *number < 0.0).map(|number| Expression::constant(-number));
        let minus = |e: &Expression| e.negated().filter(|_| !self.known.contains_key(&key(e))).cloned();
        let (left, right) = (minus(a), minus(b).or(negative));
        match (left, right) {
            (_, Some(b)) => self.binary((a, Binds::Sum), " - ", (&b, Binds::Product)),
            (Some(a), None) => self.binary((b, Binds::Sum), " - ", (&a, Binds::Product)),
            (None, None) => self.binary((a, Binds::Sum), " + ", (b, Binds::Product)),
        }
    }

    /// Returns an operation whose operands bind at least as strongly as is said.
    fn binary(&mut self, a: (&Expression, Binds), sign: &str, b: (&Expression, Binds)) -> (String, Binds) {
        let binds = if a.1 == Binds::Sum { Binds::Sum } else { Binds::Product };
        let (a, b) = (self.within(a.0, a.1), self.within(b.0, b.1));
        self.cost += Cost::of(1);
        (format!("{a}{sign}{b}"), binds)
    }

    fn within(&mut self, e: &Expression, least: Binds) -> String {
        let (text, binds) = self.text(e);
        if binds < least { format!("({text})") } else { text }
    }
}

/// How strongly the outermost operation of a text binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    Sum,
    Product,
    Whole,
}

fn children(e: &Expression) -> Vec<&Expression> {
    match &*e.node {
        Node::Constant(_) | Node::Parameter(_) | Node::Stress(_) => Vec::new(),
        Node::Call(_, x) => vec![x],
        Node::Sum(a, b) | Node::Product(a, b) | Node::Quotient(a, b) => vec![a, b],
    }
}

/// Returns a text that is the same for equal formulas only.
fn key(e: &Expression) -> String {
    match &*e.node {
        Node::Constant(value) => format!("{value:?}"),
        Node::Parameter(idx) => format!("p{idx}"),
        Node::Stress(idx) => format!("s{idx}"),
        Node::Call(function, x) => format!("{}({})", function.name(), key(x)),
        Node::Sum(a, b) => format!("({}+{})", key(a), key(b)),
        Node::Product(a, b) => format!("({}*{})", key(a), key(b)),
        Node::Quotient(a, b) => format!("({}/{})", key(a), key(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(law: Law) -> String {
        let text = Formula::of(law, Precision::Single).text;
        text.lines().map(str::trim).filter(|line| line.ends_with(';')).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn laws_are_written_as_a_person_would() {
        for (law, text) in [
            (Law::Line, "u[0] = s[0]; return c[0] + c[1] * u[0];"),
            (
                Law::ExponentialPlain,
                "u[0] = (s[2] + 273.15f) * s[0] / s[1]; return c[0] * expf(c[1] * u[0]);",
            ),
            (
                Law::BaconWatts,
                "u[0] = s[0]; const float t0 = u[0] + c[2]; \
                 return c[0] + c[1] * t0 + c[3] * (t0 * tanhf(c[4] * t0));",
            ),
        ] {
            assert_eq!(body(law), text);
        }
    }

    #[test]
    fn a_member_computes_what_its_parameters_change_only() {
        let formula = Formula::of(Law::Exponential, Precision::Single);
        // Arrhenius and both logarithms do not depend on the parameters.
        assert_eq!((formula.terms_cost.calls["logf"], formula.cost.calls.get("logf")), (2, None));
        assert_eq!((formula.cost.calls["expf"], formula.cost.operations), (2, 8));
        // 273.15 - 298.15: a difference that `float` takes exactly.
        assert!(formula.text.contains("s[2] - 25.0f"), "{}", formula.text);
    }
}
