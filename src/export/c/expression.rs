//! Formulas of ageing laws, written down by computing the laws with them.
//!
//! A formula sorts its own factors: what depends on a law's parameters alone is a number that the export computes, what
//! depends on the stress alone is computed once for all members of an ensemble, and only the rest is left to each. So a
//! product is kept as (parameters) x (stress) x (rest), and sums keep their constants last, where they meet.

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::rc::Rc;

use crate::physics::Real;

/// What a formula depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Constant,
    /// Parameters of the law.
    Parameters,
    /// Stress.
    Stress,
    /// Both.
    Both,
}

/// A formula.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) node: Rc<Node>,
    pub(super) kind: Kind,
}

/// Its outermost operation.
#[derive(Debug)]
pub(super) enum Node {
    Constant(f64),
    Parameter(usize),
    Stress(usize),
    Call(Function, Expression),
    Sum(Expression, Expression),
    Product(Expression, Expression),
    Quotient(Expression, Expression),
}

/// A function of [`Real`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Exp,
    Ln,
    Sqrt,
    Tanh,
}

impl Function {
    /// Returns the function of `<math.h>`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Exp => "expf",
            Self::Ln => "logf",
            Self::Sqrt => "sqrtf",
            Self::Tanh => "tanhf",
        }
    }

    fn of(self, x: f64) -> f64 {
        match self {
            Self::Exp => x.exp(),
            Self::Ln => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Tanh => x.tanh(),
        }
    }
}

impl Kind {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant, kind) | (kind, Self::Constant) => kind,
            _ if self == other => self,
            _ => Self::Both,
        }
    }
}

impl Expression {
    /// Returns a number.
    pub(super) fn constant(value: f64) -> Self {
        Self { node: Rc::new(Node::Constant(value)), kind: Kind::Constant }
    }

    /// Returns a parameter by its position.
    pub(super) fn parameter(idx: usize) -> Self {
        Self { node: Rc::new(Node::Parameter(idx)), kind: Kind::Parameters }
    }

    /// Returns a stress by its position.
    pub(super) fn stress(idx: usize) -> Self {
        Self { node: Rc::new(Node::Stress(idx)), kind: Kind::Stress }
    }

    /// Returns the number that this is, where it depends on nothing.
    pub(super) fn number(&self) -> Option<f64> {
        if let Node::Constant(value) = *self.node { Some(value) } else { None }
    }

    /// Returns `x` where this is `-x`.
    pub(super) fn negated(&self) -> Option<&Self> {
        match &*self.node {
            Node::Product(minus, x) if minus.number() == Some(-1.0) => Some(x),
            _ => None,
        }
    }

    /// Returns `x` where this is `1 / x`.
    fn inverse(&self) -> Option<Self> {
        match &*self.node {
            Node::Quotient(one, x) if one.number() == Some(1.0) => Some(x.clone()),
            _ => None,
        }
    }

    /// Returns its value.
    pub(super) fn value(&self, theta: &[f64], stress: &[f64]) -> f64 {
        let of = |e: &Self| e.value(theta, stress);
        match &*self.node {
            Node::Constant(value) => *value,
            Node::Parameter(idx) => theta[*idx],
            Node::Stress(idx) => stress[*idx],
            Node::Call(function, x) => function.of(of(x)),
            Node::Sum(a, b) => of(a) + of(b),
            Node::Product(a, b) => of(a) * of(b),
            Node::Quotient(a, b) => of(a) / of(b),
        }
    }

    fn call(self, function: Function) -> Self {
        match self.number() {
            Some(x) => Self::constant(function.of(x)),
            None => Self { kind: self.kind, node: Rc::new(Node::Call(function, self)) },
        }
    }

    /// Returns the product with constants and ones gone, nothing sorted.
    fn times(self, other: Self) -> Self {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => Self::constant(a * b),
            (Some(1.0), None) => other,
            (None, Some(1.0)) => self,
            (None, Some(_)) => other.times(self),
            _ => match other.inverse() {
                Some(divisor) => self.over(divisor),
                None => Self { kind: self.kind.and(other.kind), node: Rc::new(Node::Product(self, other)) },
            },
        }
    }

    /// Returns the quotient with constants gone, nothing sorted.
    fn over(self, other: Self) -> Self {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => Self::constant(a / b),
            (None, Some(b)) => Self::constant(1.0 / b).times(self),
            _ => Self { kind: self.kind.and(other.kind), node: Rc::new(Node::Quotient(self, other)) },
        }
    }

    /// Returns its factors: of parameters or a number, of stress, and the rest.
    fn factors(self) -> [Self; 3] {
        let one = || Self::constant(1.0);
        match (self.kind, &*self.node) {
            (Kind::Constant | Kind::Parameters, _) => [self, one(), one()],
            (_, Node::Product(a, b)) => {
                let ([p, s, r], [q, t, u]) = (a.clone().factors(), b.clone().factors());
                [p.times(q), s.times(t), r.times(u)]
            }
            (Kind::Both, Node::Quotient(a, b)) => {
                let [p, s, r] = a.clone().factors();
                [p, s, r.over(b.clone())]
            }
            (Kind::Stress, _) => [one(), self, one()],
            (Kind::Both, _) => [one(), one(), self],
        }
    }

    fn product([parameters, stress, rest]: [Self; 3]) -> Self {
        parameters.times(stress).times(rest)
    }
}

impl Add for Expression {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if other.kind == Kind::Constant && self.kind != Kind::Constant {
            return self + other.number().unwrap_or(0.0);
        }
        match self.number() {
            Some(number) => other + number,
            None => Self { kind: self.kind.and(other.kind), node: Rc::new(Node::Sum(self, other)) },
        }
    }
}

impl Add<f64> for Expression {
    type Output = Self;

    fn add(self, number: f64) -> Self {
        match &*self.node {
            Node::Constant(own) => Self::constant(own + number),
            Node::Sum(a, b) if b.kind == Kind::Constant => a.clone() + (b.number().unwrap_or(0.0) + number),
            _ if number == 0.0 => self,
            _ => Self { kind: self.kind, node: Rc::new(Node::Sum(self, Self::constant(number))) },
        }
    }
}

impl Mul for Expression {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let ([p, s, r], [q, t, u]) = (self.factors(), other.factors());
        Self::product([p.times(q), s.times(t), r.times(u)])
    }
}

impl Div for Expression {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let ([p, s, r], [q, t, u]) = (self.factors(), other.factors());
        Self::product([p.over(q), s.over(t), r.over(u)])
    }
}

impl Neg for Expression {
    type Output = Self;

    fn neg(self) -> Self {
        self * -1.0
    }
}

impl Sub for Expression {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Sub<f64> for Expression {
    type Output = Self;

    fn sub(self, number: f64) -> Self {
        self + -number
    }
}

impl Mul<f64> for Expression {
    type Output = Self;

    fn mul(self, number: f64) -> Self {
        self * Self::constant(number)
    }
}

impl Div<f64> for Expression {
    type Output = Self;

    fn div(self, number: f64) -> Self {
        self * (1.0 / number)
    }
}

impl Real for Expression {
    fn exp(self) -> Self {
        self.call(Function::Exp)
    }

    fn ln(self) -> Self {
        self.call(Function::Ln)
    }

    fn sqrt(self) -> Self {
        self.call(Function::Sqrt)
    }

    fn tanh(self) -> Self {
        self.call(Function::Tanh)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::physics::Law;

    #[test]
    fn constants_meet() {
        let celsius = || Expression::stress(0);
        let shifted = celsius() + 273.15 - 298.15;
        assert!(matches!(&*shifted.node, Node::Sum(_, b) if b.number() == Some(273.15 - 298.15)));
        assert_eq!((Expression::constant(3.0).exp() * 2.0).number(), Some(2.0 * 3.0_f64.exp()));
        assert!((-celsius()).negated().is_some() && (-(-celsius())).negated().is_none());
        let halved = (Expression::parameter(0) * celsius()) / 2.0;
        assert!(matches!(&*halved.node, Node::Product(p, _) if p.kind == Kind::Parameters));
    }

    #[test]
    fn products_sort_their_factors() {
        let (p, s) = (|| Expression::parameter(0), || Expression::stress(0));
        let mixed = (p() + s()).exp();
        let product = s() * mixed * p() * s() / 4.0 * p();
        let [parameters, stress, rest] = product.factors();
        assert_eq!((parameters.kind, stress.kind, rest.kind), (Kind::Parameters, Kind::Stress, Kind::Both));
        assert!(matches!(&*rest.node, Node::Call(Function::Exp, _)));
        assert!((parameters.value(&[3.0], &[]) - 9.0 / 4.0).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn every_law_keeps_its_value(shares in prop::collection::vec(0.01_f64..0.99, 9), scale in 0.2_f64..2.0) {
            for law in Law::ALL {
                let parameters = law.parameters();
                let between = |(p, share): (&crate::physics::Parameter, &f64)| {
                    (p.start + 0.1 * (share - 0.5) * p.start.abs()).clamp(p.lower, p.upper)
                };
                let theta: Vec<f64> = parameters.iter().zip(&shares).map(between).collect();
                let stress: Vec<f64> = (0..law.stress().len()).map(|idx| scale * (1.0 + idx as f64)).collect();
                let symbols: Vec<_> = (0..theta.len()).map(Expression::parameter).collect();
                let columns: Vec<_> = (0..stress.len()).map(Expression::stress).collect();
                let found = law.capacity(&symbols, &columns).value(&theta, &stress);
                let expected = law.capacity(&theta, &stress);
                prop_assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{law}: {found} {expected}");
            }
        }
    }
}
