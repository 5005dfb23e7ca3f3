//! Formulas of laws as text, written by the laws themselves: each is computed with numbers that write down what is done.
//!
//! The text is an expression of Python, and of most other languages: `+ - * /`, brackets, `exp`, `log` (natural), `sqrt`,
//! `tanh`, and the names of parameters and stress. It is computed from left to right, like the law.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::physics::{Law, Real};

/// Returns the formula of a law (`a * exp(b * history_cycle_count)`).
pub fn formula(law: Law) -> String {
    let theta: Vec<Text> = law.parameters().iter().map(|p| Text::atom(p.name)).collect();
    let stress: Vec<Text> = law.stress().iter().map(|s| Text::atom(s.name)).collect();
    law.capacity(&theta, &stress).text
}

/// A number that is written down.
#[derive(Clone)]
struct Text {
    text: String,
    binds: Binds,
}

/// How strongly the outermost operation of a text binds.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binds {
    Sum,
    Product,
    Atom,
}

impl Text {
    fn atom(text: &str) -> Self {
        Self { text: text.into(), binds: Binds::Atom }
    }

    fn number(value: f64) -> Self {
        Self { text: format!("{value:?}"), binds: if value < 0.0 { Binds::Sum } else { Binds::Atom } }
    }

    fn of(self, function: &str) -> Self {
        Self::atom(&format!("{function}({})", self.text))
    }

    /// Returns the text, in brackets where it binds less than `least`.
    fn within(&self, least: Binds) -> String {
        if self.binds < least { format!("({})", self.text) } else { self.text.clone() }
    }

    fn join(&self, sign: char, right: &Self, binds: Binds) -> Self {
        let above = if binds == Binds::Sum { Binds::Product } else { Binds::Atom };
        Self { text: format!("{} {sign} {}", self.within(binds), right.within(above)), binds }
    }
}

macro_rules! operation {
    ($trait:ident, $function:ident, $sign:literal, $binds:expr) => {
        impl $trait for Text {
            type Output = Self;

            fn $function(self, right: Self) -> Self {
                self.join($sign, &right, $binds)
            }
        }

        impl $trait<f64> for Text {
            type Output = Self;

            fn $function(self, right: f64) -> Self {
                self.join($sign, &Self::number(right), $binds)
            }
        }
    };
}

operation!(Add, add, '+', Binds::Sum);
operation!(Sub, sub, '-', Binds::Sum);
operation!(Mul, mul, '*', Binds::Product);
operation!(Div, div, '/', Binds::Product);

impl Neg for Text {
    type Output = Self;

    fn neg(self) -> Self {
        Self { text: format!("-{}", self.within(Binds::Atom)), binds: Binds::Product }
    }
}

impl Real for Text {
    fn exp(self) -> Self {
        self.of("exp")
    }

    fn ln(self) -> Self {
        self.of("log")
    }

    fn sqrt(self) -> Self {
        self.of("sqrt")
    }

    fn tanh(self) -> Self {
        self.of("tanh")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Computes an expression of Python, for tests of what exports write.
    pub(crate) fn evaluate(text: &str, names: &BTreeMap<String, f64>) -> f64 {
        let mut reader = Reader { rest: text, names };
        let value = reader.sum();
        assert_eq!(reader.rest.trim(), "", "{text}");
        value
    }

    struct Reader<'a> {
        rest: &'a str,
        names: &'a BTreeMap<String, f64>,
    }

    impl Reader<'_> {
        fn take(&mut self, signs: &[char]) -> Option<char> {
            self.rest = self.rest.trim_start();
            let sign = self.rest.chars().next().filter(|c| signs.contains(c))?;
            self.rest = &self.rest[1..];
            Some(sign)
        }

        fn sum(&mut self) -> f64 {
            let mut value = self.product();
            while let Some(sign) = self.take(&['+', '-']) {
                let right = self.product();
                value = if sign == '+' { value + right } else { value - right };
            }
            value
        }

        fn product(&mut self) -> f64 {
            let mut value = self.atom();
            while let Some(sign) = self.take(&['*', '/']) {
                let right = self.atom();
                value = if sign == '*' { value * right } else { value / right };
            }
            value
        }

        fn atom(&mut self) -> f64 {
            if self.take(&['-']).is_some() {
                return -self.atom();
            }
            if self.take(&['(']).is_some() {
                let value = self.sum();
                assert_eq!(self.take(&[')']), Some(')'));
                return value;
            }
            let is_exponent =
                |at: usize| self.rest[..at].ends_with('e') && self.rest.as_bytes()[0].is_ascii_digit();
            let ends = |(at, c): (usize, char)| {
                let inside = c.is_ascii_alphanumeric() || "._".contains(c) || (c == '-' && is_exponent(at));
                (!inside).then_some(at)
            };
            let end = self.rest.char_indices().find_map(ends).unwrap_or(self.rest.len());
            let word = &self.rest[..end];
            self.rest = &self.rest[end..];
            let function = match word {
                "exp" => f64::exp,
                "log" => f64::ln,
                "sqrt" => f64::sqrt,
                "tanh" => f64::tanh,
                word => return self.names.get(word).copied().unwrap_or_else(|| word.parse().expect(word)),
            };
            function(self.atom())
        }
    }

    #[test]
    fn the_formula_of_every_law_computes_what_the_law_computes() {
        for law in Law::ALL {
            let stress: Vec<f64> = (0..law.stress().len()).map(|idx| 0.55 + 0.1 * idx as f64).collect();
            let names = law.parameters().iter().map(|p| p.name).chain(law.stress().iter().map(|s| s.name));
            let values = law.start().into_iter().chain(stress.clone());
            let names: BTreeMap<String, f64> = names.map(String::from).zip(values).collect();
            assert_eq!(names.len(), law.start().len() + stress.len(), "{law}: one name each");
            let expected: f64 = law.capacity(&law.start(), &stress);
            assert_eq!(evaluate(&formula(law), &names), expected, "{law}: {}", formula(law));
        }
    }

    #[test]
    fn brackets_stand_where_they_are_needed() {
        assert_eq!(formula(Law::SingleExponential), "a * exp(b * history_cycle_count)");
        let [a, b] = ["a", "b"].map(Text::atom);
        assert_eq!((a.clone() - (b.clone() - 1.0)).text, "a - (b - 1.0)");
        assert_eq!((-(a.clone() + b.clone()) / (a.clone() * b)).text, "-(a + b) / (a * b)");
        assert_eq!((a.clone() * -0.5).text, "a * (-0.5)");
        assert_eq!((-a.clone() * -a).text, "-a * (-a)");
    }
}
