//! What a prediction costs: operations, calls of `<math.h>`, and arrays on the stack.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign, Mul};

/// Operations of one prediction at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Additions, subtractions, multiplications and divisions of numbers with a point; a product that is added is two.
    pub operations: usize,
    /// Comparisons in trees and isotonic calibrations.
    pub comparisons: usize,
    /// Calls of `<math.h>` by function (`expf`).
    pub calls: BTreeMap<&'static str, usize>,
}

impl Cost {
    /// Returns the cost of some operations.
    pub(super) fn of(operations: usize) -> Self {
        Self { operations, ..Self::default() }
    }

    /// Returns the same with one call more.
    pub(super) fn and(mut self, function: &'static str) -> Self {
        *self.calls.entry(function).or_default() += 1;
        self
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.comparisons += other.comparisons;
        for (function, n) in other.calls {
            *self.calls.entry(function).or_default() += n;
        }
    }
}

impl Mul<usize> for Cost {
    type Output = Self;

    fn mul(mut self, times: usize) -> Self {
        self.operations *= times;
        self.comparisons *= times;
        self.calls.values_mut().for_each(|n| *n *= times);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up() {
        let one = Cost::of(3).and("expf");
        let all = one.clone() * 4 + Cost::of(1).and("tanhf");
        assert_eq!((all.operations, all.calls["expf"], all.calls["tanhf"]), (13, 4, 1));
    }
}
