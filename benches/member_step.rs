//! Microseconds per member-step of both engines, Adam and MSE.
//!
//! `cargo bench --bench member_step [-- fused|tensor]`

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::sync::Arc;
use std::time::Instant;

use fadecast::device::{Backend, device};
use fadecast::model::{Architecture, NetworkConfig};
use fadecast::seed::Seed;
use fadecast::train::engine::{Engine, Fused, MemberStart, MemberStep, Packed, Population, Rows};
use fadecast::train::loss::Objective;
use fadecast::train::optimizer::OptimizerConfig;

/// Without it, populations of tensors are 2-3 times slower (page faults).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    let flex = device(Backend::Flex).expect("flex is in every build");
    for (d_input, d_hidden, n_batch) in [(8, 32, 32), (16, 64, 32), (16, 128, 128)] {
        for n_members in [1, 16, 64] {
            let bench = Bench { d_input, d_hidden, n_batch, n_members };
            if wanted("fused") {
                bench.print("fused", &mut Fused::new(&bench.population()));
            }
            if wanted("tensor") {
                bench.print("tensor-flex", &mut Packed::new(&bench.population(), &flex));
            }
        }
    }
}

/// One shape.
struct Bench {
    d_input: usize,
    d_hidden: usize,
    n_batch: usize,
    n_members: usize,
}

impl Bench {
    fn population(&self) -> Population {
        let network = NetworkConfig { hidden: vec![self.d_hidden; 2], ..NetworkConfig::default() };
        let seed = |idx| MemberStart { seed: Seed::new(0).child(idx), prior: None };
        Population {
            architecture: Architecture { d_input: self.d_input, d_output: 1, network, prior: None },
            objective: Objective::default(),
            optimizer: OptimizerConfig::default(),
            members: (0..self.n_members).map(seed).collect(),
        }
    }

    fn rows(&self) -> Arc<Rows> {
        let value = |i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
        Arc::new(Rows {
            d_input: self.d_input,
            inputs: (0..self.n_batch * self.d_input).map(value).collect(),
            labels: (0..self.n_batch).map(value).collect(),
            weights: vec![1.0; self.n_batch],
            later: (0..self.n_batch as u32).collect(),
            ..Rows::default()
        })
    }

    /// Prints the time of a member-step, the best of five runs after a warm-up.
    fn print(&self, name: &str, engine: &mut dyn Engine) {
        let rows = self.rows();
        let batch: Vec<u32> = (0..self.n_batch as u32).collect();
        let step = MemberStep {
            rows: &rows,
            batch: &batch,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            dropout: 0.0,
            loss_weight: 1.0,
            dropout_seed: [0; 32],
        };
        let n_steps = (1000 / self.n_members).max(5);
        let steps = vec![vec![step; n_steps]; self.n_members];
        engine.epoch(&steps);
        let run = |engine: &mut dyn Engine| {
            let start = Instant::now();
            engine.epoch(&steps);
            start.elapsed().as_secs_f64() * 1e6 / (n_steps * self.n_members) as f64
        };
        let best = (0..5).map(|_| run(engine)).fold(f64::INFINITY, f64::min);
        let Self { d_input: f, d_hidden: h, n_batch: b, n_members: m } = self;
        println!("{name} f={f} h={h} b={b} M={m}: {best:.1} us/member-step");
    }
}
