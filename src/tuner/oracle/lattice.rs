//! All combinations of levels in a fixed order, one after the other: the last parameter turns fastest.
//!
//! A parameter that its parents switch off has no level, so no combination comes twice. Nothing is held but the present one.

use super::taken::Taken;
use crate::tuner::space::{Domain, Scale, Space};
use crate::tuner::value::{Value, Values};

/// The levels of each parameter.
pub(super) struct Lattice<'a> {
    space: &'a Space,
    axes: Vec<Axis>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Level of each parameter from 0; none where it is inactive.
    levels: Vec<Option<usize>>,
    /// Active values.
    pub(super) values: Values,
}

enum Axis {
    /// Every value of a domain that has so many.
    Every(usize),
    /// Some values of a range, ends included.
    Spread(Vec<Value>),
}

impl<'a> Lattice<'a> {
    /// Returns the lattice of all points of a space; `None` where it has no end of them.
    pub(super) fn every(space: &'a Space) -> Option<Self> {
        let axes = space.params.iter().map(|p| p.domain.levels().map(Axis::Every)).collect::<Option<_>>()?;
        Some(Self { space, axes })
    }

    /// Returns the lattice that gives every parameter without steps `n` values, as evenly as its scale is, ends included.
    pub(super) fn spread(space: &'a Space, n: usize) -> Self {
        let axes = space.params.iter().map(|p| Axis::of(&p.domain, n)).collect();
        Self { space, axes }
    }

    /// Returns the first combination.
    pub(super) fn first(&self) -> Node {
        self.complete(&[])
    }

    /// Returns the combination after `node`; `None` at the end.
    pub(super) fn next(&self, node: &Node) -> Option<Node> {
        let step = |(i, level): (usize, &Option<usize>)| Some((i, (*level)? + 1));
        let turned = node.levels.iter().enumerate().rev().filter_map(step);
        let (i, level) = turned.into_iter().find(|(i, level)| *level < self.axes[*i].len())?;
        Some(self.complete(&[&node.levels[..i], &[Some(level)]].concat()))
    }

    /// Returns the combination of some values; `None` where one is between the levels.
    pub(super) fn node(&self, values: &Values) -> Option<Node> {
        let mut levels = Vec::with_capacity(self.axes.len());
        for (param, axis) in self.space.params.iter().zip(&self.axes) {
            let active = param.is_active(values);
            levels.push(if active {
                Some(axis.level(&param.domain, values.get(&param.name)?)?)
            } else {
                None
            });
        }
        Some(Node { values: self.complete(&levels).values, levels })
    }

    /// Returns the first combination that is not taken from `start` on, over the end if need be.
    pub(super) fn free(&self, start: &Node, taken: &Taken<'_>) -> Option<Values> {
        let mut node = start.clone();
        while taken.has(&node.values) {
            node = self.next(&node).unwrap_or_else(|| self.first());
            if node == *start {
                return None;
            }
        }
        Some(node.values)
    }

    /// Returns the first combination that begins with `head`.
    fn complete(&self, head: &[Option<usize>]) -> Node {
        let mut node = Node { levels: Vec::with_capacity(self.axes.len()), values: Values::new() };
        for (i, (param, axis)) in self.space.params.iter().zip(&self.axes).enumerate() {
            let level = param.is_active(&node.values).then(|| head.get(i).copied().flatten().unwrap_or(0));
            if let Some(level) = level {
                node.values.insert(param.name.clone(), axis.value(&param.domain, level));
            }
            node.levels.push(level);
        }
        node
    }
}

impl Axis {
    fn of(domain: &Domain, n: usize) -> Self {
        let curved = matches!(domain, Domain::Int { scale: Scale::Log | Scale::ReverseLog, .. });
        match domain.levels() {
            Some(all) if all <= n || !curved => Self::Every(all),
            _ => {
                let mut values: Vec<_> =
                    (0..n).map(|i| domain.value(i as f64 / (n.max(2) - 1) as f64)).collect();
                values.dedup();
                Self::Spread(values)
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Every(n) => *n,
            Self::Spread(values) => values.len(),
        }
    }

    fn value(&self, domain: &Domain, level: usize) -> Value {
        match (self, domain) {
            (Self::Spread(values), _) => values[level].clone(),
            (Self::Every(_), Domain::Int { min, step, .. }) => {
                Value::Int(min + step * i64::try_from(level).unwrap_or(0))
            }
            (Self::Every(n), _) => domain.value((level as f64 + 0.5) / *n as f64),
        }
    }

    fn level(&self, domain: &Domain, value: &Value) -> Option<usize> {
        let unit = domain.unit(value)?;
        match (self, domain) {
            (Self::Spread(values), _) => values.iter().position(|v| v.is(value)),
            (Self::Every(_), Domain::Int { min, step, .. }) => {
                value.as_f64().map(|v| (v as i64 - min) as usize / *step as usize)
            }
            (Self::Every(n), _) => Some(((unit * *n as f64) as usize).min(n - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::RngExt;

    use super::super::contract::{float, line, mixed, param};
    use super::*;
    use crate::seed::Seed;
    use crate::tuner::space;

    fn all(lattice: &Lattice<'_>) -> Vec<Values> {
        let nodes = std::iter::successors(Some(lattice.first()), |node| lattice.next(node));
        nodes
            .inspect(|node| assert_eq!(lattice.node(&node.values).as_ref(), Some(node)))
            .map(|node| node.values)
            .collect()
    }

    #[test]
    fn every_combination_comes_once() {
        let space = mixed();
        let values = all(&Lattice::spread(&space, 3));
        // 3 depths with 1, 2 and 2 widths of 5 values, 2 + 3 architectures with gate, 2 norms, 5 dropouts, 3 batches, 3 rates.
        assert_eq!(values.len(), (5 + 25 + 25) * (2 + 3) * 2 * 5 * 3 * 3);
        let different: BTreeSet<_> = values.iter().map(space::hash).collect();
        assert_eq!(different.len(), values.len());
        assert!(values.iter().all(|v| space.misfit(v).is_none()));
        let batches: BTreeSet<_> = values.iter().map(|v| v["batch"].to_string()).collect();
        // The middle of 8 to 512 on a logarithmic scale is 64.
        assert_eq!(batches.into_iter().collect::<Vec<_>>(), ["512", "64", "8"]);
        assert_eq!(values[0]["rate"], Value::Float(1e-4));
        // The last parameter that has levels turns first.
        let rate = |v: &Values| v["rate"].as_f64().unwrap();
        assert!(rate(&values[1]) > rate(&values[0]) && values[1]["batch"] == values[0]["batch"]);
        assert!(Lattice::every(&space).is_none());
    }

    #[test]
    fn a_finite_space_has_all_its_points() {
        let batch = Domain::Int { min: 1, max: 12, step: 1, scale: Scale::Log };
        let drop = Domain::Float { min: 0.0, max: 0.5, step: Some(0.25), scale: Scale::Linear };
        let when: &[(&str, &[Value])] = &[("batch", &[Value::Int(1), Value::Int(7)])];
        let space = Space { params: vec![param("batch", batch, &[]), param("drop", drop, when)] };
        let listed: BTreeSet<_> = all(&Lattice::every(&space).unwrap()).iter().map(space::hash).collect();
        assert_eq!(listed.len(), 10 + 2 * 3);
        let mut rng = Seed::new(0).stream("points");
        let drawn = (0..2000).map(|_| space::hash(&space.values(&[rng.random(), rng.random()])));
        assert_eq!(drawn.collect::<BTreeSet<_>>(), listed);
    }

    #[test]
    fn a_range_has_its_ends_and_what_is_even_between() {
        let space = line();
        let x = |v: Values| v["x"].as_f64().unwrap();
        let values: Vec<f64> = all(&Lattice::spread(&space, 5)).into_iter().map(x).collect();
        assert_eq!(values, [0.0, 0.25, 0.5, 0.75, 1.0]);
        let lattice = Lattice::spread(&space, 5);
        assert_eq!(lattice.node(&space.values(&[0.3])), None);
    }

    #[test]
    fn nothing_is_laid_out_beforehand() {
        let params = (0..40).map(|i| float(&format!("x{i}"), 0.0, 1.0)).collect();
        let space = Space { params };
        let lattice = Lattice::spread(&space, 10);
        let second = lattice.next(&lattice.first()).unwrap();
        assert_eq!(second.levels.iter().flatten().sum::<usize>(), 1);
        let fine = Domain::Float { min: 0.0, max: 1e6, step: Some(1e-6), scale: Scale::Linear };
        let space = Space { params: vec![param("x", fine, &[])] };
        let lattice = Lattice::every(&space).unwrap();
        let second = lattice.next(&lattice.first()).unwrap();
        assert_eq!(second.values["x"], Value::Float(1e-6));
    }
}
