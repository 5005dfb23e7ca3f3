//! The source file as it grows: tables, routines that parts share, functions of laws and networks.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::Cost;
use super::formula::Formula;
use super::network::Network;
use super::number::Precision;
use super::table::Tables;
use crate::model::Architecture;
use crate::physics::Law;

/// A function that is written once, as it is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Routine {
    Scale,
    Stress,
    Dense,
    Dense8,
    Normalise,
    Relu,
    Gelu,
    Silu,
    Sigmoid,
    Softplus,
    Softmax,
    Sharpen,
    Rising,
    Forest,
}

impl Routine {
    fn text(self) -> &'static str {
        match self {
            Self::Scale => include_str!("routine/scale.c"),
            Self::Stress => include_str!("routine/stress.c"),
            Self::Dense => include_str!("routine/dense.c"),
            Self::Dense8 => include_str!("routine/dense8.c"),
            Self::Normalise => include_str!("routine/normalise.c"),
            Self::Relu => include_str!("routine/relu.c"),
            Self::Gelu => include_str!("routine/gelu.c"),
            Self::Silu => include_str!("routine/silu.c"),
            Self::Sigmoid => include_str!("routine/sigmoid.c"),
            Self::Softplus => include_str!("routine/softplus.c"),
            Self::Softmax => include_str!("routine/softmax.c"),
            Self::Sharpen => include_str!("routine/sharpen.c"),
            Self::Rising => include_str!("routine/rising.c"),
            Self::Forest => include_str!("routine/forest.c"),
        }
    }
}

/// A source file as it grows.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) precision: Precision,
    /// Whether networks have weights of 8 bits.
    pub(super) int8: bool,
    pub(super) tables: Tables,
    /// Routines that are called, in the order in which they are written.
    routines: BTreeSet<Routine>,
    /// Name, type and bytes of what trees' tables hold.
    pub(super) types: Vec<(&'static str, (&'static str, usize))>,
    laws: BTreeMap<Law, Formula>,
    networks: Vec<Network>,
    /// Functions of the parts.
    pub(super) parts: String,
    /// Tables of the lowest and the highest value of each input.
    pub(super) ranges: [String; 2],
    pub(super) cost: Cost,
}

impl Unit {
    pub(super) fn new(precision: Precision, int8: bool) -> Self {
        Self {
            precision,
            int8,
            tables: Tables::default(),
            routines: BTreeSet::new(),
            types: Vec::new(),
            laws: BTreeMap::new(),
            networks: Vec::new(),
            parts: String::new(),
            ranges: Default::default(),
            cost: Cost::default(),
        }
    }

    /// Sees to it that a routine is written.
    pub(super) fn need(&mut self, routine: Routine) {
        self.routines.insert(routine);
    }

    /// Returns the functions of a law, which are written once.
    pub(super) fn law(&mut self, law: Law) -> &Formula {
        self.laws.entry(law).or_insert_with(|| Formula::of(law, self.precision))
    }

    /// Returns the function of networks of an architecture, which is written once for any number of inputs.
    pub(super) fn network(&mut self, architecture: &Architecture) -> Network {
        let known = self.networks.iter().find(|network| network.is_of(architecture)).cloned();
        known.unwrap_or_else(|| {
            let network = Network::write(self.networks.len(), architecture, self.int8);
            network.routines.iter().for_each(|&routine| self.need(routine));
            self.networks.push(network.clone());
            network
        })
    }

    /// Returns the name of a table of numbers of this precision.
    pub(super) fn numbers(&mut self, name: &str, values: &[f64]) -> String {
        let literals: Vec<String> = values.iter().map(|&value| self.precision.literal(value)).collect();
        self.tables.add(name, (self.precision.name(), self.precision.bytes()), &literals)
    }

    /// Returns everything before the functions that are called from outside.
    pub(super) fn text(&self) -> String {
        let routines = self.routines.iter().map(|routine| routine.text());
        let laws = self.laws.values().map(|law| law.text.as_str());
        let networks = self.networks.iter().map(|network| network.text.as_str());
        let code: Vec<&str> = routines.chain(laws).chain(networks).collect();
        let types = self.types.iter().map(|(name, (kind, _))| format!("typedef {kind} {name}_t;\n"));
        let code = types.collect::<String>() + &code.join("\n");
        let (code, parts) = (self.precision.spell(&code), self.precision.spell(&self.parts));
        format!("{code}\n{}\n{parts}", self.tables.text())
    }
}
