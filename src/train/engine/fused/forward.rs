//! Predictions of networks whose weights stay: no slopes, no losses, and the same bits as [`Fused`](super::Fused).
//!
//! Few rows are computed one after the other ([`super::single`]), many of them in tiles ([`super::lanes`]). Each number is
//! the same chain of operations either way, so it depends neither on who shares a block nor on the number of threads.

use pulp::{Arch, Simd, WithSimd};

use super::activate::apply;
use super::block::Block;
use super::buffer::Buffer;
use super::lanes::{self, Positive, Sum};
use super::matmul::{add_scaled, dot};
use super::normalise::{self, Memory};
use super::pass::Network;
use super::plan::{Layer, Plan};
use super::single;
use crate::model::{Activation, Architecture, Normalisation};

/// Networks of one architecture with the weights of each.
#[derive(Debug)]
pub struct Forward {
    arch: Arch,
    network: Network,
    members: Vec<Member>,
}

/// Numbers of one network.
#[derive(Debug)]
struct Member {
    /// Weights, padded.
    weights: Buffer,
    /// Weights of the hidden layers once more, panel by panel.
    panels: Vec<f32>,
    /// Running mean and 1 / deviation of each unit, layer after layer.
    statistics: Vec<f32>,
}

impl Forward {
    /// Returns networks of one architecture for their weights and running statistics.
    ///
    /// # Panics
    /// Where a network has not the numbers of its architecture.
    pub fn new<'a>(
        architecture: &Architecture,
        members: impl IntoIterator<Item = (&'a [f32], &'a [f32])>,
    ) -> Self {
        let arch = Arch::new();
        let plan = Plan::new(architecture);
        let member = |(weights, statistics): (&[f32], &[f32])| {
            let mut padded = Buffer::zeros(plan.len);
            plan.pack(weights, &mut padded);
            let panels = arch.dispatch(Pack { plan: &plan, weights: &padded });
            Member { weights: padded, panels, statistics: inverted(&plan, statistics) }
        };
        let members = members.into_iter().map(member).collect();
        Self { arch, network: Network { plan, config: architecture.network.clone() }, members }
    }

    /// Computes the raw outputs of every network for the rows of a block.
    ///
    /// # Shapes
    /// `[member, row, d_output]`.
    ///
    /// # Panics
    /// Where the block has not as many inputs as the networks.
    pub fn outputs<'a>(&self, block: &'a mut Block) -> &'a [f32] {
        assert_eq!(block.d_input, self.d_input(), "inputs of the networks");
        block.fit(&self.network.plan, self.members.len());
        self.arch.dispatch(Outputs { forward: self, block });
        &block.outputs
    }

    fn d_input(&self) -> usize {
        self.network.plan.hidden.first().unwrap_or(&self.network.plan.output).d_in
    }

    /// Computes the outputs of one network for tiles of rows.
    #[inline(always)]
    fn tiles<S: Simd>(
        &self,
        simd: S,
        member: &Member,
        (input, n_tiled): (&[f32], usize),
        (values, outputs): (&mut [Buffer; 2], &mut [f32]),
    ) {
        let plan = &self.network.plan;
        let [from, to] = values;
        let (mut from, mut to) = (from, to);
        let mut panels = &member.panels[..];
        for (idx, layer) in plan.hidden.iter().enumerate() {
            let (own, rest) = panels.split_at(layer.d_in * layer.d_out);
            panels = rest;
            let values = if idx == 0 { input } else { &from[..n_tiled * layer.d_in] };
            self.tiled_layer(simd, (member, layer, own), values, &mut to[..n_tiled * layer.d_out]);
            std::mem::swap(&mut from, &mut to);
        }
        let layer = &plan.output;
        let values = if plan.hidden.is_empty() { input } else { &from[..n_tiled * layer.d_in] };
        let net = &mut to[..n_tiled];
        for i in 0..layer.d_out {
            let weight = &member.weights[layer.weight + i * layer.in_stride..][..layer.d_in];
            let weight = (weight, member.weights[layer.bias + i]);
            lanes::output(simd, S::as_simd_f32s(values).0, weight, S::as_mut_simd_f32s(net).0);
            for (output, &net) in outputs.iter_mut().skip(i).step_by(layer.d_out).zip(&*net) {
                *output = net;
            }
        }
    }

    #[inline(always)]
    fn tiled_layer<S: Simd>(
        &self,
        simd: S,
        (member, layer, panels): (&Member, &Layer, &[f32]),
        values: &[f32],
        out: &mut [f32],
    ) {
        let config = &self.network.config;
        let weights = (panels, &member.weights[layer.bias..]);
        let tiles = S::as_simd_f32s(values).0;
        let sums = S::as_mut_simd_f32s(out).0;
        if (config.normalisation, config.activation) == (Normalisation::None, Activation::Relu) {
            lanes::multiply::<S, Positive>(simd, layer, tiles, weights, sums);
        } else {
            lanes::multiply::<S, Sum>(simd, layer, tiles, weights, sums);
            match config.normalisation {
                Normalisation::None => {}
                Normalisation::Layer => lanes::normalise_rows(simd, layer, member.scale(layer), sums),
                Normalisation::Batch => {
                    let (running, scale) = (member.running(layer), member.scale(layer));
                    lanes::normalise_units(simd, layer, running, scale, sums);
                }
            }
            apply(simd, config.activation, out);
        }
        if layer.skip {
            add_scaled(simd, 1.0, values, out);
        }
    }

    /// Computes the outputs of one network for one row.
    #[inline(always)]
    fn row<S: Simd>(
        &self,
        simd: S,
        (member, input): (&Member, &[f32]),
        (values, centred): (&mut [Buffer; 2], &mut Buffer),
        outputs: &mut [f32],
    ) {
        let plan = &self.network.plan;
        let [from, to] = values;
        let (mut from, mut to) = (from, to);
        for (idx, layer) in plan.hidden.iter().enumerate() {
            let values = if idx == 0 { input } else { &from[..layer.in_stride] };
            self.single_layer(simd, (member, layer), values, (&mut to[..layer.stride], centred));
            std::mem::swap(&mut from, &mut to);
        }
        let layer = &plan.output;
        let values = if plan.hidden.is_empty() { input } else { &from[..layer.in_stride] };
        for (i, output) in outputs.iter_mut().enumerate() {
            let weight = &member.weights[layer.weight + i * layer.in_stride..][..layer.in_stride];
            *output = dot(simd, values, weight) + member.weights[layer.bias + i];
        }
    }

    #[inline(always)]
    fn single_layer<S: Simd>(
        &self,
        simd: S,
        (member, layer): (&Member, &Layer),
        values: &[f32],
        (out, centred): (&mut [f32], &mut Buffer),
    ) {
        let config = &self.network.config;
        let weights = (&member.weights[layer.weight..], &member.weights[layer.bias..]);
        single::multiply(simd, layer, values, weights, out);
        match config.normalisation {
            Normalisation::None => {}
            Normalisation::Layer => {
                let mut memory = Memory { centred: &mut centred[..layer.stride], inverse: &mut [0.0] };
                normalise::layer_forward(layer, &member.weights, out, &mut memory);
            }
            Normalisation::Batch => {
                single::normalise_units(member.running(layer), member.scale(layer), out);
            }
        }
        apply(simd, config.activation, out);
        if layer.skip {
            add_scaled(simd, 1.0, values, out);
        }
    }
}

impl Member {
    /// Returns scale and shift of a normalisation.
    fn scale(&self, layer: &Layer) -> (&[f32], &[f32]) {
        let weights = &self.weights;
        (&weights[layer.norm_scale..][..layer.d_out], &weights[layer.norm_shift..][..layer.d_out])
    }

    /// Returns running means and inverse deviations.
    fn running(&self, layer: &Layer) -> (&[f32], &[f32]) {
        self.statistics[layer.statistics..][..2 * layer.d_out].split_at(layer.d_out)
    }
}

/// Returns running statistics with 1 / deviation in place of each variance; none where there is no normalisation of batches.
fn inverted(plan: &Plan, statistics: &[f32]) -> Vec<f32> {
    let mut inverted = statistics.to_vec();
    for layer in plan.hidden.iter().filter(|_| !statistics.is_empty()) {
        for variance in &mut inverted[layer.statistics..][layer.d_out..2 * layer.d_out] {
            *variance = 1.0 / (*variance + Normalisation::EPSILON).sqrt();
        }
    }
    inverted
}

/// Panels of the hidden layers of padded weights.
struct Pack<'a> {
    plan: &'a Plan,
    weights: &'a [f32],
}

impl WithSimd for Pack<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let mut panels = Vec::new();
        for layer in &self.plan.hidden {
            lanes::pack::<S>(layer, &self.weights[layer.weight..], &mut panels);
        }
        panels
    }
}

/// Outputs of all networks for the rows of a block.
struct Outputs<'a> {
    forward: &'a Forward,
    block: &'a mut Block,
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { forward, block } = self;
        let (is_tiled, n_tiled) = (block.is_tiled(), block.n_tiled());
        let plan = &forward.network.plan;
        let d_output = plan.output.d_out;
        let Block { n_rows, d_input, input, values, centred, outputs, .. } = block;
        for (member, outputs) in
            forward.members.iter().zip(outputs.chunks_exact_mut((*n_rows * d_output).max(1)))
        {
            if is_tiled {
                let input = (&input[..n_tiled * *d_input], n_tiled);
                forward.tiles(simd, member, input, (values, outputs));
                continue;
            }
            let rows = input.chunks_exact(plan.input_stride);
            for (row, outputs) in rows.zip(outputs.chunks_exact_mut(d_output)) {
                forward.row(simd, (member, row), (values, centred), outputs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::NetworkConfig;
    use crate::prepare::Scaler;
    use crate::prepare::batch::Inputs;
    use crate::seed::Seed;
    use crate::train::engine::{Engine, Fused, MemberStart, MemberState, Population, Rows};
    use crate::train::loss::Objective;
    use crate::train::optimizer::OptimizerConfig;
    use proptest::prelude::*;
    use rand::RngExt;

    fn population(architecture: Architecture) -> Population {
        let member = |idx| MemberStart { seed: Seed::new(5).child(idx), prior: None };
        let members = (0..2).map(member).collect();
        Population {
            architecture,
            objective: Objective::default(),
            optimizer: OptimizerConfig::default(),
            members,
        }
    }

    /// Weights and statistics that leave no number at its start.
    fn states(architecture: &Architecture, seed: u64) -> Vec<MemberState> {
        let state = |idx| {
            let seed = Seed::new(seed).child(idx);
            let mut rng = seed.stream("state");
            let mut weights = architecture.initial_weights(&seed);
            for w in &mut weights {
                *w += rng.random_range(-0.2..0.2);
            }
            let n = architecture.initial_statistics().len();
            let statistics = (0..n).map(|_| rng.random_range(0.2..1.5)).collect();
            MemberState { weights, statistics, ..MemberState::default() }
        };
        (0..2_u64).map(state).collect()
    }

    /// What the engine that trained says of the rows, `[member, row, output]`.
    fn evaluated(architecture: &Architecture, states: &[MemberState], table: &[f64]) -> Vec<f32> {
        let n = table.len() / architecture.d_input;
        let inputs = table.iter().map(|&v| v as f32).collect();
        let (labels, weights) = (vec![0.0; n], vec![1.0; n]);
        let d_input = architecture.d_input;
        let rows = Rows { d_input, inputs, labels, weights, ..Rows::default() };
        let mut engine = Fused::new(&population(architecture.clone()));
        for (idx, state) in states.iter().enumerate() {
            engine
                .set_state(idx, &MemberState { memory: vec![0.0; 2 * state.weights.len()], ..state.clone() });
        }
        engine.predict(&[Arc::new(rows.clone()), Arc::new(rows)]).concat()
    }

    fn identity(d: usize) -> Scaler {
        Scaler { median: vec![0.0; d], mean: vec![0.0; d], sd: vec![1.0; d] }
    }

    fn predicted(architecture: &Architecture, states: &[MemberState], blocks: &[&[f64]]) -> Vec<Vec<f32>> {
        let forward = Forward::new(architecture, states.iter().map(|s| (&s.weights[..], &s.statistics[..])));
        let d = architecture.d_input;
        let (columns, scaler): (Vec<usize>, _) = ((0..d).collect(), identity(d));
        let inputs = Inputs { columns: &columns, scaler: &scaler, d_input: d };
        let mut block = Block::default();
        let mut one = |table: &&[f64]| {
            block.load(inputs, table, d);
            forward.outputs(&mut block).to_vec()
        };
        blocks.iter().map(&mut one).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    /// Rows of a table of `d` columns.
    fn table(n: usize, d: usize, seed: u64) -> Vec<f64> {
        let mut rng = Seed::new(seed).stream("table");
        (0..n * d).map(|_| f64::from(rng.random_range(-3.0..3.0_f32))).collect()
    }

    fn architectures() -> Vec<Architecture> {
        let mut all = Vec::new();
        for activation in Activation::ALL {
            for normalisation in [Normalisation::None, Normalisation::Layer, Normalisation::Batch] {
                for hidden in [vec![], vec![5], vec![7, 19, 19], vec![64, 33]] {
                    let network =
                        NetworkConfig { hidden, activation, normalisation, dropout: 0.3, skip: true };
                    let d_output = 1 + network.hidden.len();
                    all.push(Architecture { d_input: 7, d_output, network, prior: None });
                }
            }
        }
        all
    }

    #[test]
    fn outputs_are_those_of_training_bit_for_bit() {
        for architecture in architectures() {
            let states = states(&architecture, 1);
            for n in [1, 2, 11, 13, 16, 64, 65] {
                let table = table(n, architecture.d_input, n as u64);
                let expected = evaluated(&architecture, &states, &table);
                let found = predicted(&architecture, &states, &[&table]).concat();
                assert_eq!(bits(&found), bits(&expected), "{n} rows of {architecture:?}");
                assert!(found.iter().all(|v| v.is_finite()) && found[0] != found[found.len() - 1]);
            }
        }
    }

    #[test]
    fn a_block_forgets_larger_networks_and_more_rows() {
        let (large, small) = (&architectures()[3], &architectures()[1]);
        let (table, few) = (table(64, 7, 3), table(14, 7, 4));
        let (columns, scaler): (Vec<usize>, _) = ((0..7).collect(), identity(7));
        let inputs = Inputs { columns: &columns, scaler: &scaler, d_input: 7 };
        let forward = |architecture: &Architecture| {
            let states = states(architecture, 1);
            Forward::new(architecture, states.iter().map(|s| (&s.weights[..], &s.statistics[..])))
        };
        let mut block = Block::default();
        block.load(inputs, &table, 7);
        forward(large).outputs(&mut block);
        for rows in [&few[..], &few[..7]] {
            block.load(inputs, rows, 7);
            let found = forward(small).outputs(&mut block).to_vec();
            assert_eq!(bits(&found), bits(&evaluated(small, &states(small, 1), rows)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_row_does_not_depend_on_its_block(which in 0..72_usize, n in 1..150_usize, seed in any::<u64>()) {
            let architecture = &architectures()[which];
            let (d, states) = (architecture.d_input, states(architecture, seed));
            let table = table(n, d, seed);
            let whole = predicted(architecture, &states, &[&table]).remove(0);
            let rows: Vec<&[f64]> = table.chunks(d).collect();
            let alone = predicted(architecture, &states, &rows);
            for member in 0..2 {
                for (row, alone) in alone.iter().enumerate() {
                    let d_output = architecture.d_output;
                    let whole = &whole[(member * n + row) * d_output..][..d_output];
                    prop_assert_eq!(bits(whole), bits(&alone[member * d_output..][..d_output]));
                }
            }
        }
    }
}
