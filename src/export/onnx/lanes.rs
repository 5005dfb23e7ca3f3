//! Lanes: all parts and members of one kind side by side in one tensor, `[part, member, ...]`.
//!
//! A constant that is the same for all parts or all members has length 1 there, and none where it leads: what is alike is
//! stored and computed once.

use super::graph::{Axis, Graph, Value};

/// Numbers of parts and of members of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lanes {
    pub(super) parts: usize,
    pub(super) members: usize,
}

impl Lanes {
    /// Returns the number of lanes.
    pub(super) fn len(self) -> usize {
        self.parts * self.members
    }

    /// Returns part and member of each lane, in order.
    pub(super) fn each(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.parts).flat_map(move |part| (0..self.members).map(move |member| (part, member)))
    }

    /// Returns the constant of the lanes' numbers, each of shape `shape`, in order.
    pub(super) fn constant(self, graph: &mut Graph, numbers: &[Vec<f64>], shape: &[usize]) -> Value {
        assert_eq!(numbers.len(), self.len(), "numbers of each lane");
        let (mut parts, mut members) = (self.parts, self.members);
        let of = |part: usize| &numbers[part * self.members..(part + 1) * self.members];
        if (0..parts).all(|part| of(part).iter().all(|lane| same(lane, &of(part)[0]))) {
            members = 1;
        }
        if (1..parts).all(|part| of(part).iter().zip(of(0)).all(|(a, b)| same(a, b))) {
            parts = 1;
        }
        let flat: Vec<f64> = (0..parts).flat_map(|part| of(part)[..members].concat()).collect();
        let leading: &[usize] = match (parts, members) {
            (1, 1) => &[],
            (1, _) => &[members],
            _ => &[parts, members],
        };
        graph.numbers(&flat, &[leading, shape].concat())
    }
}

impl Graph {
    /// Returns the mean over members of what is computed in lanes `[..., batch, n]`.
    pub(super) fn mean_of_members(&mut self, x: &Value) -> Value {
        match &x.shape[..] {
            [_, Axis::Of(1), _, _] | [_, _] => x.clone(),
            [_, _, _, _] => self.mean(x, &[1], true),
            _ => self.mean(x, &[0], false),
        }
    }

    /// Returns the mean over all lanes of what is computed in them `[..., batch, n]`, `[batch, n]`.
    pub(super) fn mean_of_lanes(&mut self, x: &Value) -> Value {
        let leading: Vec<usize> = (0..x.rank() - 2).collect();
        if leading.is_empty() { x.clone() } else { self.mean(x, &leading, false) }
    }
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
