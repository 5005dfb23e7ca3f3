//! Ageing laws as nodes: a number that writes down what is computed with it.
//!
//! A law is generic over [`Real`], so a [`Number`] that stands for a value of the graph turns each of them into nodes, all
//! lanes at once. What is known now (parameters and constants of the law) is computed now, in double precision: a number
//! is `scale * value + offset` with a scale and an offset a lane, and becomes nodes only where no such form holds.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::graph::{Graph, Value};
use super::lanes::Lanes;
use super::scaling::Rows;
use crate::physics::{Law, Real};
use crate::pipeline::Part;

/// Returns a law at the stress of parts, `[..., batch, 1]`, with the parameters of each lane.
pub(super) fn capacity(
    graph: &mut Graph,
    rows: &Rows,
    (law, parts): (Law, &[&Part]),
    (lanes, theta): (Lanes, &[Vec<f64>]),
) -> Value {
    let stress: Vec<Value> =
        (0..law.stress().len()).map(|idx| known_stress(graph, rows, parts, idx)).collect();
    let place = Place { graph: RefCell::new(graph), lanes };
    let parameter = |idx: usize| Number::constant(&place, theta.iter().map(|lane| lane[idx]).collect());
    let theta: Vec<Number> = (0..law.parameters().len()).map(parameter).collect();
    let stress: Vec<Number> = stress.into_iter().map(|value| Number::of(&place, value)).collect();
    law.capacity(&theta, &stress).value()
}

/// Returns a column of stress, which is the same for all parts, with the median of each part where it is missing.
fn known_stress(graph: &mut Graph, rows: &Rows, parts: &[&Part], idx: usize) -> Value {
    let given = rows.column(graph, parts[0].stress[idx]);
    let medians: Vec<Vec<f64>> = parts.iter().map(|part| vec![part.stress_median[idx]]).collect();
    let lanes = Lanes { parts: parts.len(), members: 1 };
    let median = lanes.constant(graph, &medians, &[1, 1]);
    graph.finite_or(&given, &median)
}

/// Where numbers write down what is computed.
struct Place<'g> {
    graph: RefCell<&'g mut Graph>,
    lanes: Lanes,
}

/// `scale * value + offset`, a scale and an offset a lane; `offset` alone without a value.
#[derive(Clone)]
struct Number<'p, 'g> {
    place: &'p Place<'g>,
    base: Option<Value>,
    scale: Vec<f64>,
    offset: Vec<f64>,
}

impl<'p, 'g> Number<'p, 'g> {
    fn constant(place: &'p Place<'g>, offset: Vec<f64>) -> Self {
        Self { place, base: None, scale: vec![0.0; offset.len()], offset }
    }

    fn of(place: &'p Place<'g>, value: Value) -> Self {
        let n = place.lanes.len();
        Self { place, base: Some(value), scale: vec![1.0; n], offset: vec![0.0; n] }
    }

    /// Returns the value of the whole, in the graph.
    fn value(&self) -> Value {
        let Some(base) = &self.base else { return self.lanes(&self.offset) };
        if all(&self.scale, -1.0) {
            return if all(&self.offset, 0.0) {
                self.place.graph.borrow_mut().unary("Neg", base)
            } else {
                self.join("Sub", &self.lanes(&self.offset), base)
            };
        }
        let scaled = self.scaled(base);
        if all(&self.offset, 0.0) { scaled } else { self.join("Add", &scaled, &self.lanes(&self.offset)) }
    }

    fn scaled(&self, base: &Value) -> Value {
        if all(&self.scale, 1.0) { base.clone() } else { self.join("Mul", base, &self.lanes(&self.scale)) }
    }

    fn lanes(&self, numbers: &[f64]) -> Value {
        let numbers: Vec<Vec<f64>> = numbers.iter().map(|&v| vec![v]).collect();
        self.place.lanes.constant(&mut self.place.graph.borrow_mut(), &numbers, &[1, 1])
    }

    fn join(&self, operator: &str, a: &Value, b: &Value) -> Value {
        self.place.graph.borrow_mut().binary(operator, a, b)
    }

    fn unary(&self, operator: &str, plain: fn(f64) -> f64) -> Self {
        if self.base.is_none() {
            return Self::constant(self.place, self.offset.iter().map(|&v| plain(v)).collect());
        }
        let value = self.value();
        Self::of(self.place, self.place.graph.borrow_mut().unary(operator, &value))
    }

    fn with(self, scale: impl Fn(f64) -> f64, offset: impl Fn(f64) -> f64) -> Self {
        let scale = self.scale.iter().map(|&v| scale(v)).collect();
        let offset = self.offset.iter().map(|&v| offset(v)).collect();
        Self { scale, offset, ..self }
    }

    /// Returns `self` times a number that is known for each lane.
    fn times(self, known: &[f64]) -> Self {
        Self { scale: product(&self.scale, known), offset: product(&self.offset, known), ..self }
    }

    /// Returns whether it is a value times something, and nothing else.
    fn is_multiple(&self) -> bool {
        all(&self.offset, 0.0) && self.scale.iter().all(|&v| v != 0.0)
    }
}

impl Add for Number<'_, '_> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let offset = sum(&self.offset, &other.offset);
        let (base, scale) = match (&self.base, &other.base) {
            (None, _) => (other.base.clone(), other.scale.clone()),
            (_, None) => (self.base.clone(), self.scale.clone()),
            (Some(a), Some(b)) if a == b => (self.base.clone(), sum(&self.scale, &other.scale)),
            (Some(a), Some(b)) if all(&other.scale, -1.0) => {
                (Some(self.join("Sub", &self.scaled(a), b)), vec![1.0; offset.len()])
            }
            (Some(a), Some(b)) => {
                (Some(self.join("Add", &self.scaled(a), &other.scaled(b))), vec![1.0; offset.len()])
            }
        };
        Self { place: self.place, base, scale, offset }
    }
}

impl Mul for Number<'_, '_> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        match (&self.base, &other.base) {
            (None, _) => other.times(&self.offset),
            (_, None) => self.times(&other.offset),
            (Some(a), Some(b)) if self.is_multiple() && other.is_multiple() => {
                Self::of(self.place, self.join("Mul", a, b)).times(&product(&self.scale, &other.scale))
            }
            _ => Self::of(self.place, self.join("Mul", &self.value(), &other.value())),
        }
    }
}

impl Div for Number<'_, '_> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let inverse = |numbers: &[f64]| -> Vec<f64> { numbers.iter().map(|v| v.recip()).collect() };
        match (&self.base, &other.base) {
            (_, None) => self.times(&inverse(&other.offset)),
            (None, _) => other.unary("Reciprocal", f64::recip).times(&self.offset),
            (Some(a), Some(b)) if self.is_multiple() && other.is_multiple() => {
                let ratio = product(&self.scale, &inverse(&other.scale));
                Self::of(self.place, self.join("Div", a, b)).times(&ratio)
            }
            _ => Self::of(self.place, self.join("Div", &self.value(), &other.value())),
        }
    }
}

impl Sub for Number<'_, '_> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Neg for Number<'_, '_> {
    type Output = Self;

    fn neg(self) -> Self {
        self.with(|v| -v, |v| -v)
    }
}

impl Add<f64> for Number<'_, '_> {
    type Output = Self;

    fn add(self, other: f64) -> Self {
        self.with(|v| v, |v| v + other)
    }
}

impl Sub<f64> for Number<'_, '_> {
    type Output = Self;

    fn sub(self, other: f64) -> Self {
        self.with(|v| v, |v| v - other)
    }
}

impl Mul<f64> for Number<'_, '_> {
    type Output = Self;

    fn mul(self, other: f64) -> Self {
        self.with(|v| v * other, |v| v * other)
    }
}

impl Div<f64> for Number<'_, '_> {
    type Output = Self;

    fn div(self, other: f64) -> Self {
        self.with(|v| v / other, |v| v / other)
    }
}

impl Real for Number<'_, '_> {
    fn exp(self) -> Self {
        self.unary("Exp", f64::exp)
    }

    fn ln(self) -> Self {
        self.unary("Log", f64::ln)
    }

    fn sqrt(self) -> Self {
        self.unary("Sqrt", f64::sqrt)
    }

    fn tanh(self) -> Self {
        self.unary("Tanh", f64::tanh)
    }
}

#[expect(clippy::float_cmp, reason = "what is exactly 0, 1 or -1 needs no node")]
fn all(numbers: &[f64], value: f64) -> bool {
    numbers.iter().all(|&v| v == value)
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}
